#define _GNU_SOURCE

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "dataplane/dp_bell.h"
#include "dataplane/dp_ring.h"
#include "tests/lib/unit_main.h"

static const char *name(int number)
{
	static char text[4][DP_BELL_NAME_BYTES];

	snprintf(text[number], sizeof(text[number]), "@quorate-test-bell-%d-%d", (int)getpid(),
		 number);
	return text[number];
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, timeout_ms) == 1;
}

/* Two bells that know each other's word. */
struct two {
	struct dp_bell a;
	struct dp_bell b;
	struct dp_bell_ringer to_b; /* a's */
};

static void open_two(struct two *two)
{
	UNIT_REQUIRE(dp_bell_open(&two->a, name(0)) == 0 && dp_bell_open(&two->b, name(1)) == 0);
	UNIT_REQUIRE(dp_bell_ringer_open(&two->a, &two->to_b, name(1)) == 0);
	dp_bell_ringer_housekeep(&two->a, &two->to_b, 1, false);
	dp_bell_housekeep(&two->b);
	dp_bell_housekeep(&two->a);
}

static void close_two(struct two *two)
{
	dp_bell_ringer_close(&two->a, &two->to_b);
	dp_bell_close(&two->a);
	dp_bell_close(&two->b);
}

static void the_word_is_handed_over_on_request(void)
{
	struct two two;

	open_two(&two);
	UNIT_CHECK(two.to_b.word != NULL);
	UNIT_CHECK(!is_readable(dp_bell_fd(&two.a), 0) && !is_readable(dp_bell_fd(&two.b), 0));
	close_two(&two);
}

static void nobody_awake_is_rung(void)
{
	struct two two;

	open_two(&two);
	for (int i = 0; i < 100; i++)
		dp_bell_ring(&two.a, &two.to_b);
	UNIT_EQUAL(two.to_b.rings, 0);
	UNIT_CHECK(!is_readable(dp_bell_fd(&two.b), 0));
	close_two(&two);
}

static void a_sleeper_is_rung_once_a_sleep(void)
{
	struct two two;

	open_two(&two);
	for (uint64_t sleep = 1; sleep <= 3; sleep++) {
		dp_bell_arm(&two.b);
		for (int i = 0; i < 100; i++)
			dp_bell_ring(&two.a, &two.to_b);
		UNIT_EQUAL(two.to_b.rings, sleep);
		UNIT_CHECK(is_readable(dp_bell_fd(&two.b), 1000));
		dp_bell_disarm(&two.b);
		dp_bell_housekeep(&two.b);
		UNIT_EQUAL(two.b.rings, sleep);
		UNIT_CHECK(!is_readable(dp_bell_fd(&two.b), 0));
	}
	close_two(&two);
}

static void the_word_cannot_be_written_or_shrunk_by_others(void)
{
	struct two two;
	void *page;

	open_two(&two);
	UNIT_REQUIRE(two.to_b.page_fd >= 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, two.to_b.page_fd, 0);
	UNIT_CHECK(page == MAP_FAILED);
	UNIT_CHECK(ftruncate(two.to_b.page_fd, 0) != 0);
	close_two(&two);
}

static void a_name_in_use_is_refused_and_free_again_after_close(void)
{
	struct dp_bell first, second;

	UNIT_REQUIRE(dp_bell_open(&first, name(0)) == 0);
	UNIT_EQUAL(dp_bell_open(&second, name(0)), ERR_BUSY);
	dp_bell_close(&second);
	dp_bell_close(&first);
	UNIT_EQUAL(dp_bell_open(&second, name(0)), 0);
	dp_bell_close(&second);
}

static void a_restarted_peer_is_asked_again(void)
{
	struct two two;
	const void *word;

	open_two(&two);
	word = (const void *)(uintptr_t)two.to_b.word;
	dp_bell_close(&two.b);
	UNIT_REQUIRE(dp_bell_open(&two.b, name(1)) == 0);
	dp_bell_ringer_housekeep(&two.a, &two.to_b, 2, true);
	UNIT_CHECK(two.to_b.word == NULL);
	dp_bell_arm(&two.b);
	dp_bell_ring(&two.a, &two.to_b);
	UNIT_CHECK(is_readable(dp_bell_fd(&two.b), 1000));
	dp_bell_housekeep(&two.b);
	dp_bell_housekeep(&two.a);
	UNIT_CHECK(two.to_b.word != NULL);
	UNIT_EQUAL(*two.to_b.word & 1, 1);
	(void)word;
	close_two(&two);
}

static void an_absent_peer_costs_one_try_until_it_answers(void)
{
	struct dp_bell own;
	struct dp_bell_ringer ringer;

	UNIT_REQUIRE(dp_bell_open(&own, name(0)) == 0);
	UNIT_REQUIRE(dp_bell_ringer_open(&own, &ringer, name(1)) == 0);
	for (int i = 0; i < 1000; i++)
		dp_bell_ring(&own, &ringer);
	UNIT_EQUAL(ringer.rings, 0);
	UNIT_EQUAL(ringer.lost, 1);
	dp_bell_ringer_close(&own, &ringer);
	dp_bell_close(&own);
}

static void a_stranger_cannot_hand_over_a_word(void)
{
	struct two two;
	struct dp_bell stranger;
	struct dp_bell_ringer to_a;
	const void *word;

	open_two(&two);
	word = (const void *)(uintptr_t)two.to_b.word;
	UNIT_REQUIRE(dp_bell_open(&stranger, name(2)) == 0);
	UNIT_REQUIRE(dp_bell_ringer_open(&stranger, &to_a, name(0)) == 0);
	dp_bell_ringer_housekeep(&stranger, &to_a, 1, false);
	dp_bell_housekeep(&two.a);
	dp_bell_housekeep(&stranger);
	UNIT_CHECK(to_a.word != NULL);
	UNIT_CHECK((const void *)(uintptr_t)two.to_b.word == word);
	dp_bell_ringer_close(&stranger, &to_a);
	dp_bell_close(&stranger);
	close_two(&two);
}

static void names_too_long_or_empty_are_refused(void)
{
	struct dp_bell bell;
	char text[100];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	UNIT_EQUAL(dp_bell_open(&bell, text), ERR_CONFIG);
	UNIT_EQUAL(dp_bell_open(&bell, "@"), ERR_CONFIG);
}

enum { HAND_OVERS = 3000 };

struct sleeper {
	struct two *two;
	struct dp_ring *ring;
	uint64_t missed;
};

/* Sleeps whenever the ring is empty; a message that does not wake it within a second was missed. */
static void *sleep_and_read(void *context)
{
	struct sleeper *self = context;
	const struct dp_ring_header *header;

	for (int i = 0; i < HAND_OVERS;) {
		if (dp_ring_peek(self->ring, &header)) {
			dp_ring_release(self->ring);
			i++;
			continue;
		}
		dp_bell_arm(&self->two->b);
		if (!dp_ring_peek(self->ring, &header) &&
		    !is_readable(dp_bell_fd(&self->two->b), 1000))
			self->missed++;
		dp_bell_disarm(&self->two->b);
		dp_bell_housekeep(&self->two->b);
	}
	return NULL;
}

static void no_message_falls_between_arming_and_sleeping(void)
{
	_Alignas(64) static uint8_t memory[DP_RING_BYTES_MIN + 4096];
	struct two two;
	struct sleeper sleeper = { .two = &two };
	const struct dp_ring_header header = { .kind = 1 };
	pthread_t thread;

	open_two(&two);
	UNIT_REQUIRE(dp_ring_init(memory, sizeof(memory), DP_RING_BYTES_MIN, &sleeper.ring) == 0);
	UNIT_REQUIRE(pthread_create(&thread, NULL, sleep_and_read, &sleeper) == 0);
	for (int i = 0; i < HAND_OVERS; i++) {
		while (!dp_ring_push(sleeper.ring, &header, "x", 1))
			;
		dp_bell_ring(&two.a, &two.to_b);
		for (volatile int k = 0; k < i % 2000; k++)
			;
	}
	pthread_join(thread, NULL);
	UNIT_EQUAL(sleeper.missed, 0);
	UNIT_CHECK(two.to_b.rings <= HAND_OVERS);
	close_two(&two);
}

UNIT_SUITE("dp_bell", UNIT_TEST(the_word_is_handed_over_on_request),
	   UNIT_TEST(nobody_awake_is_rung), UNIT_TEST(a_sleeper_is_rung_once_a_sleep),
	   UNIT_TEST(the_word_cannot_be_written_or_shrunk_by_others),
	   UNIT_TEST(a_name_in_use_is_refused_and_free_again_after_close),
	   UNIT_TEST(a_restarted_peer_is_asked_again),
	   UNIT_TEST(an_absent_peer_costs_one_try_until_it_answers),
	   UNIT_TEST(a_stranger_cannot_hand_over_a_word),
	   UNIT_TEST(names_too_long_or_empty_are_refused),
	   UNIT_TEST(no_message_falls_between_arming_and_sleeping))
