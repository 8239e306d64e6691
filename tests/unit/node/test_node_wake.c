/* node_wake: nobody sleeps on a message, and only a sleeper costs a system call. */
#define _GNU_SOURCE
#include "node/node_wake.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "tests/lib/unit_main.h"

enum { ROUNDS = 20000, PATIENCE_MS = 5000 };

static struct node_wake wake;
static _Atomic uint32_t said;
static _Atomic uint32_t heard;
static _Atomic bool has_given_up;

static bool is_signalled(int timeout_ms)
{
	struct pollfd event = { .fd = wake.event_fd, .events = POLLIN };

	return poll(&event, 1, timeout_ms) == 1;
}

/* Says one message after another, each as soon as the one before was heard. */
static void *say_all(void *context)
{
	for (uint32_t i = 1; i <= ROUNDS && !atomic_load(&has_given_up); i++) {
		atomic_store_explicit(&said, i, memory_order_relaxed);
		node_wake_signal(&wake);
		while (atomic_load(&heard) < i && !atomic_load(&has_given_up))
			;
	}
	return context;
}

static void no_message_is_overlooked_by_one_about_to_sleep(void)
{
	pthread_t thread;
	uint32_t overlooked = 0;

	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	UNIT_REQUIRE(pthread_create(&thread, NULL, say_all, NULL) == 0);
	for (uint32_t i = 1; i <= ROUNDS && overlooked == 0; i++) {
		while (atomic_load_explicit(&said, memory_order_relaxed) < i && overlooked == 0) {
			node_wake_arm(&wake);
			if (atomic_load_explicit(&said, memory_order_relaxed) < i)
				overlooked += !is_signalled(PATIENCE_MS);
			node_wake_disarm(&wake);
		}
		atomic_store(&heard, i);
	}
	atomic_store(&has_given_up, true);
	pthread_join(thread, NULL);
	UNIT_EQUAL(overlooked, 0);
	UNIT_EQUAL(atomic_load(&said), ROUNDS);
	node_wake_close(&wake);
}

static void a_signal_to_one_awake_leaves_no_event(void)
{
	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	node_wake_signal(&wake);
	UNIT_CHECK(!is_signalled(0));
	node_wake_arm(&wake);
	node_wake_disarm(&wake);
	node_wake_signal(&wake);
	UNIT_CHECK(!is_signalled(0));
	node_wake_close(&wake);
}

static void a_sleeper_gets_one_event_for_many_signals(void)
{
	uint64_t count = 0;

	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	node_wake_arm(&wake);
	for (int i = 0; i < 10; i++)
		node_wake_signal(&wake);
	UNIT_CHECK(is_signalled(0));
	UNIT_REQUIRE(read(wake.event_fd, &count, sizeof(count)) == sizeof(count));
	UNIT_EQUAL(count, 1);
	node_wake_close(&wake);
}

static void arming_again_forgets_old_signals(void)
{
	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	node_wake_arm(&wake);
	node_wake_signal(&wake);
	UNIT_CHECK(is_signalled(0));
	node_wake_arm(&wake);
	UNIT_CHECK(!is_signalled(0));
	node_wake_signal(&wake);
	UNIT_CHECK(is_signalled(0));
	node_wake_close(&wake);
	node_wake_close(&wake); /* twice does no harm */
	UNIT_CHECK(wake.event_fd == -1);
}

UNIT_SUITE("node_wake", UNIT_TEST(no_message_is_overlooked_by_one_about_to_sleep),
	   UNIT_TEST(a_signal_to_one_awake_leaves_no_event),
	   UNIT_TEST(a_sleeper_gets_one_event_for_many_signals),
	   UNIT_TEST(arming_again_forgets_old_signals))
