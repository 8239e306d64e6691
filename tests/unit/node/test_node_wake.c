/* node_wake: a sleeper overlooks no message, and a sender pays only for a sleeper. */
#define _GNU_SOURCE
#include "node/node_wake.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/lib/unit_main.h"

static bool is_readable(const struct node_wake *wake, int timeout_ms)
{
	struct pollfd file = { .fd = wake->event_fd, .events = POLLIN };

	return poll(&file, 1, timeout_ms) == 1;
}

static void a_signal_to_one_awake_does_nothing(void)
{
	struct node_wake wake;

	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	node_wake_signal(&wake);
	UNIT_CHECK(!is_readable(&wake, 0));
	node_wake_arm(&wake);
	node_wake_disarm(&wake);
	node_wake_signal(&wake);
	UNIT_CHECK(!is_readable(&wake, 0));
	node_wake_close(&wake);
	node_wake_close(&wake);
}

static void a_signal_to_a_sleeper_wakes_it_once(void)
{
	struct node_wake wake;

	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	node_wake_arm(&wake);
	node_wake_signal(&wake);
	node_wake_signal(&wake);
	UNIT_CHECK(is_readable(&wake, 0));
	UNIT_CHECK(!atomic_load(&wake.is_asleep));
	node_wake_disarm(&wake);
	node_wake_close(&wake);
}

static void arming_takes_old_signals_out(void)
{
	struct node_wake wake;

	UNIT_REQUIRE(node_wake_open(&wake) == 0);
	node_wake_arm(&wake);
	node_wake_signal(&wake);
	node_wake_arm(&wake);
	UNIT_CHECK(!is_readable(&wake, 0));
	UNIT_CHECK(atomic_load(&wake.is_asleep));
	node_wake_close(&wake);
}

enum { MESSAGES = 20000 };

struct pair {
	struct node_wake wake;
	_Atomic uint32_t sent;
	_Atomic uint32_t taken;
};

static void *send_all(void *context)
{
	struct pair *pair = context;

	for (uint32_t i = 1; i <= MESSAGES; i++) {
		atomic_store_explicit(&pair->sent, i, memory_order_release);
		node_wake_signal(&pair->wake);
		/* Now and then until it is taken, so that the other one is asleep again. */
		while (i % 16 == 0 && atomic_load(&pair->taken) != i)
			sched_yield();
	}
	return NULL;
}

/* A lost wake-up shows as a sleep that nobody ends. */
static void a_message_between_look_and_sleep_is_never_overlooked(void)
{
	static struct pair pair;
	uint32_t overlooked = 0;
	pthread_t sender;

	UNIT_REQUIRE(node_wake_open(&pair.wake) == 0);
	UNIT_REQUIRE(pthread_create(&sender, NULL, send_all, &pair) == 0);
	for (uint32_t seen = 0; seen < MESSAGES && overlooked == 0;) {
		node_wake_arm(&pair.wake);
		uint32_t sent = atomic_load_explicit(&pair.sent, memory_order_relaxed);

		if (sent == seen)
			overlooked += !is_readable(&pair.wake, 20000) &&
				      atomic_load(&pair.sent) != seen;
		node_wake_disarm(&pair.wake);
		seen = atomic_load(&pair.sent);
		atomic_store(&pair.taken, seen);
	}
	atomic_store(&pair.taken, MESSAGES);
	UNIT_EQUAL(overlooked, 0);
	UNIT_REQUIRE(overlooked == 0);
	pthread_join(sender, NULL);
	node_wake_close(&pair.wake);
}

UNIT_SUITE("node_wake", UNIT_TEST(a_signal_to_one_awake_does_nothing),
	   UNIT_TEST(a_signal_to_a_sleeper_wakes_it_once), UNIT_TEST(arming_takes_old_signals_out),
	   UNIT_TEST(a_message_between_look_and_sleep_is_never_overlooked))
