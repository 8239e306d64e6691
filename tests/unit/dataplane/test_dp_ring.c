#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "base/units.h"
#include "dataplane/dp_ring.h"
#include "tests/lib/unit_main.h"
#include "wire/wire_message.h"

_Static_assert((int)DP_RING_MESSAGE_BYTES_MAX >= (int)WIRE_MESSAGE_BYTES_MAX + 64,
	       "a ring takes the longest peer message");

static struct dp_ring *open_ring(uint32_t ring_bytes, void **ret_memory)
{
	size_t footprint = dp_ring_footprint(ring_bytes);
	struct dp_ring *ring = NULL;

	*ret_memory = aligned_alloc(64, footprint);
	UNIT_REQUIRE(*ret_memory && dp_ring_init(*ret_memory, footprint, ring_bytes, &ring) == 0);
	return ring;
}

static void sizes_that_are_no_power_of_two_or_out_of_bounds_are_refused(void)
{
	_Alignas(64) static uint8_t memory[4096];
	struct dp_ring *ring = NULL;

	UNIT_EQUAL(dp_ring_footprint(DP_RING_BYTES_MIN + 1), 0);
	UNIT_EQUAL(dp_ring_footprint(DP_RING_BYTES_MIN / 2), 0);
	UNIT_EQUAL(dp_ring_init(memory, sizeof(memory), 4096, &ring), ERR_CONFIG);
	UNIT_EQUAL(dp_ring_init(memory, sizeof(memory), DP_RING_BYTES_MIN, &ring), ERR_MEMORY);
	UNIT_CHECK(ring == NULL);
}

static void a_message_comes_out_as_it_went_in(void)
{
	void *memory;
	struct dp_ring *ring = open_ring(DP_RING_BYTES_MIN, &memory);
	const struct dp_ring_header header = {
		.kind = 7, .flags = 8, .source = 9, .tag = 10, .aux = 11, .aux_high = 12
	};
	const struct dp_ring_header *seen;
	uint8_t *bytes;

	UNIT_CHECK(dp_ring_peek(ring, &seen) == NULL);
	UNIT_CHECK(dp_ring_push(ring, &header, "abc", 3));
	bytes = dp_ring_peek(ring, &seen);
	UNIT_REQUIRE(bytes != NULL);
	UNIT_CHECK(bytes == dp_ring_peek(ring, &seen));
	UNIT_CHECK(memcmp(bytes, "abc", 3) == 0 && (uintptr_t)bytes % 16 == 0);
	UNIT_CHECK(seen->bytes == 3 && seen->kind == 7 && seen->flags == 8 && seen->source == 9);
	UNIT_CHECK(seen->tag == 10 && seen->aux == 11 && seen->aux_high == 12);
	dp_ring_release(ring);
	UNIT_CHECK(dp_ring_peek(ring, &seen) == NULL);
	UNIT_EQUAL(dp_ring_backlog_bytes(ring), 0);
	free(memory);
}

static void a_full_ring_gives_no_room_until_one_is_released(void)
{
	void *memory;
	struct dp_ring *ring = open_ring(DP_RING_BYTES_MIN, &memory);
	const struct dp_ring_header header = { .kind = 1 };
	const struct dp_ring_header *seen;
	uint8_t payload[1000] = { 0 };
	uint32_t count = 0;

	while (dp_ring_push(ring, &header, payload, sizeof(payload)))
		count++;
	UNIT_CHECK(count >= DP_RING_BYTES_MIN / 1040 - 1);
	UNIT_EQUAL(ring->full_count, 1);
	UNIT_EQUAL(ring->message_count, count);
	UNIT_REQUIRE(dp_ring_peek(ring, &seen) != NULL);
	dp_ring_release(ring);
	UNIT_REQUIRE(dp_ring_peek(ring, &seen) != NULL);
	dp_ring_release(ring);
	UNIT_CHECK(dp_ring_push(ring, &header, payload, sizeof(payload)));
	free(memory);
}

static void the_longest_message_fits_wherever_it_starts(void)
{
	void *memory;
	struct dp_ring *ring = open_ring(DP_RING_BYTES_MIN, &memory);
	const struct dp_ring_header header = { .kind = 1 };
	const struct dp_ring_header *seen;
	uint8_t *room;

	for (uint32_t i = 0; i < 3000; i++) {
		room = dp_ring_reserve(ring, DP_RING_MESSAGE_BYTES_MAX);
		UNIT_REQUIRE(room != NULL);
		room[0] = (uint8_t)i;
		room[DP_RING_MESSAGE_BYTES_MAX - 1] = (uint8_t)(i >> 8);
		dp_ring_commit(ring, &header, DP_RING_MESSAGE_BYTES_MAX);
		UNIT_CHECK(dp_ring_push(ring, &header, room, i % 97));
		for (uint32_t k = 0; k < 2; k++) {
			room = dp_ring_peek(ring, &seen);
			UNIT_REQUIRE(room != NULL);
			UNIT_CHECK(k == 1 ||
				   (room[0] == (uint8_t)i &&
				    room[DP_RING_MESSAGE_BYTES_MAX - 1] == (uint8_t)(i >> 8)));
			dp_ring_release(ring);
		}
	}
	free(memory);
}

static void less_may_be_committed_than_was_reserved_and_a_reserve_can_be_given_up(void)
{
	void *memory;
	struct dp_ring *ring = open_ring(DP_RING_BYTES_MIN, &memory);
	const struct dp_ring_header header = { .kind = 1 };
	const struct dp_ring_header *seen;
	uint8_t *room;

	for (uint32_t i = 0; i < 2000; i++) {
		UNIT_REQUIRE(dp_ring_reserve(ring, 40000) != NULL);
		room = dp_ring_reserve(ring, 1472);
		UNIT_REQUIRE(room != NULL);
		memset(room, (int)(i & 0xff), 1472);
		dp_ring_commit(ring, &header, i % 1473);
		room = dp_ring_peek(ring, &seen);
		UNIT_REQUIRE(room != NULL);
		UNIT_EQUAL(seen->bytes, i % 1473);
		UNIT_CHECK(seen->bytes == 0 || room[seen->bytes - 1] == (uint8_t)i);
		dp_ring_release(ring);
		UNIT_CHECK(dp_ring_peek(ring, &seen) == NULL);
	}
	free(memory);
}

static void commit_without_reserve(void *context)
{
	const struct dp_ring_header header = { .kind = 1 };

	dp_ring_commit(context, &header, 1);
}

static void release_without_peek(void *context)
{
	dp_ring_release(context);
}

static void reserve_more_than_half(void *context)
{
	struct dp_ring *ring = context;

	(void)dp_ring_reserve(ring, dp_ring_payload_max(ring) + 1);
}

/* Wherever it starts, also right behind another one of its size. */
static void half_of_the_ring_is_the_largest_payload(void)
{
	const struct dp_ring_header header = { .kind = 1 };
	const struct dp_ring_header *seen;
	void *memory;
	struct dp_ring *ring = open_ring(8 * DP_RING_BYTES_MIN, &memory);
	uint32_t most = dp_ring_payload_max(ring);

	UNIT_CHECK(most > 3 * DP_RING_MESSAGE_BYTES_MAX);
	for (uint32_t i = 0; i < 40; i++) {
		uint8_t *room = dp_ring_reserve(ring, i % 3 == 0 ? 100 * i : most);

		UNIT_REQUIRE(room != NULL);
		room[0] = (uint8_t)i;
		dp_ring_commit(ring, &header, i % 3 == 0 ? 100 * i : most);
		room = dp_ring_peek(ring, &seen);
		UNIT_REQUIRE(room != NULL);
		UNIT_EQUAL(seen->bytes, i % 3 == 0 ? 100 * i : most);
		UNIT_EQUAL(room[0], i);
		dp_ring_release(ring);
	}
	UNIT_CHECK(unit_aborts(reserve_more_than_half, ring));
	free(memory);
}

static void misuse_aborts(void)
{
	void *memory;
	struct dp_ring *ring = open_ring(DP_RING_BYTES_MIN, &memory);

	UNIT_CHECK(unit_aborts(commit_without_reserve, ring));
	UNIT_CHECK(unit_aborts(release_without_peek, ring));
	free(memory);
}

enum { THREAD_MESSAGES = 200000 };

static void *produce(void *context)
{
	struct dp_ring *ring = context;
	struct prng prng;

	prng_seed(&prng, 7);
	for (uint64_t i = 0; i < THREAD_MESSAGES; i++) {
		struct dp_ring_header header = { .kind = 1, .aux = i };
		uint32_t bytes = (uint32_t)prng_below(&prng, 3000);
		uint8_t *room;

		while ((room = dp_ring_reserve(ring, bytes)) == NULL)
			sched_yield();
		memset(room, (int)(i & 0xff), bytes);
		dp_ring_commit(ring, &header, bytes);
	}
	return NULL;
}

static void two_threads_lose_and_mix_nothing(void)
{
	void *memory;
	struct dp_ring *ring = open_ring(DP_RING_BYTES_MIN, &memory);
	const struct dp_ring_header *seen;
	pthread_t producer;
	struct prng prng;
	uint64_t wrong = 0;

	prng_seed(&prng, 7);
	UNIT_REQUIRE(pthread_create(&producer, NULL, produce, ring) == 0);
	for (uint64_t i = 0; i < THREAD_MESSAGES; i++) {
		uint8_t *bytes;

		while ((bytes = dp_ring_peek(ring, &seen)) == NULL)
			sched_yield();
		if (seen->aux != i || seen->bytes != prng_below(&prng, 3000) ||
		    (seen->bytes > 0 &&
		     (bytes[0] != (uint8_t)i || bytes[seen->bytes - 1] != (uint8_t)i)))
			wrong++;
		dp_ring_release(ring);
	}
	pthread_join(producer, NULL);
	UNIT_EQUAL(wrong, 0);
	UNIT_CHECK(dp_ring_peek(ring, &seen) == NULL);
	free(memory);
}

UNIT_SUITE("dp_ring", UNIT_TEST(sizes_that_are_no_power_of_two_or_out_of_bounds_are_refused),
	   UNIT_TEST(a_message_comes_out_as_it_went_in),
	   UNIT_TEST(a_full_ring_gives_no_room_until_one_is_released),
	   UNIT_TEST(the_longest_message_fits_wherever_it_starts),
	   UNIT_TEST(less_may_be_committed_than_was_reserved_and_a_reserve_can_be_given_up),
	   UNIT_TEST(half_of_the_ring_is_the_largest_payload), UNIT_TEST(misuse_aborts),
	   UNIT_TEST(two_threads_lose_and_mix_nothing))
