#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "dataplane/dp_session_table.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/dataplane/session_fixture.h"

static void a_bucket_gives_one_second_at_once_and_then_its_rate(void)
{
	struct session_bucket bucket = { 0, 0 };
	uint64_t now = 5 * UNITS_NS_PER_S;
	uint32_t taken = 0;

	for (uint32_t i = 0; i < 500; i++)
		taken += session_bucket_take(&bucket, 100, 1, now);
	UNIT_EQUAL(taken, 100);
	for (uint32_t i = 0; i < 500; i++)
		taken += session_bucket_take(&bucket, 100, 1, now + i * UNITS_NS_PER_MS);
	UNIT_CHECK(taken >= 148 && taken <= 151);
}

static void a_bucket_without_a_rate_never_ends(void)
{
	struct session_bucket bucket = { 0, 0 };

	for (uint32_t i = 0; i < 100000; i++)
		UNIT_CHECK(session_bucket_take(&bucket, 0, 1000000, 1));
}

static void the_highest_rate_does_not_overflow(void)
{
	struct session_bucket bucket = { 0, 0 };
	uint64_t now = UNITS_NS_PER_S;

	for (uint32_t i = 0; i < 1000; i++) {
		UNIT_CHECK(session_bucket_take(&bucket, 2000000000, 1472, now));
		UNIT_CHECK(bucket.level > 0);
		now += UINT64_C(1) << (i % 60);
	}
}

static void every_chance_is_used_once_and_names_its_slot(void)
{
	struct session_world *world = session_world_open(1, 0, NULL);
	struct dp_session_table *table = world->party[0].table;
	struct crypto_exchange_secret seen[DP_SESSION_CHANCES_MAX];

	for (uint32_t i = 0; i < DP_SESSION_CHANCES_MAX; i++) {
		struct wire_chance *chance = session_chance(table, 3);

		UNIT_REQUIRE(chance != NULL);
		UNIT_EQUAL(chance->index & (table->slot_count - 1), 3);
		seen[i] = chance->ephemeral;
		session_chance_used(table);
		for (uint32_t k = 0; k < i; k++)
			UNIT_CHECK(memcmp(&seen[k], &seen[i], sizeof(seen[0])) != 0);
	}
	UNIT_CHECK(session_chance(table, 3) == NULL);
	UNIT_EQUAL(dp_session_chances_wanted(table), DP_SESSION_CHANCES_MAX);
	session_world_close(world);
}

static void a_freed_slot_holds_no_key(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	struct dp_session_table *table = world->party[0].table;
	static const struct session_slot nothing;
	uint32_t current;

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	current = table->peer[1].current;
	UNIT_REQUIRE(current != SESSION_NO_SLOT);
	UNIT_CHECK(memcmp(&table->slot[current], &nothing, sizeof(nothing)) != 0);
	session_slot_free(table, current);
	UNIT_CHECK(memcmp(&table->slot[current], &nothing, sizeof(nothing)) == 0);
	table->peer[1].current = SESSION_NO_SLOT;
	session_world_close(world);
}

static void an_index_with_the_right_slot_but_wrong_high_bits_finds_nothing(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	struct dp_session_table *table = world->party[0].table;
	uint32_t index;

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	UNIT_REQUIRE(table->peer[1].current != SESSION_NO_SLOT);
	index = table->slot[table->peer[1].current].session.local_index;
	UNIT_CHECK(session_slot_of(table, index) == &table->slot[table->peer[1].current]);
	UNIT_CHECK(session_slot_of(table, index ^ 0x80000000) == NULL);
	session_world_close(world);
}

UNIT_SUITE("dp_session_slots", UNIT_TEST(a_bucket_gives_one_second_at_once_and_then_its_rate),
	   UNIT_TEST(a_bucket_without_a_rate_never_ends),
	   UNIT_TEST(the_highest_rate_does_not_overflow),
	   UNIT_TEST(every_chance_is_used_once_and_names_its_slot),
	   UNIT_TEST(a_freed_slot_holds_no_key),
	   UNIT_TEST(an_index_with_the_right_slot_but_wrong_high_bits_finds_nothing))
