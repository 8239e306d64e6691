#include "base/prng.h"

#include <string.h>

#include "tests/lib/unit_main.h"

static void seed_gives_the_published_sequence(void)
{
	/* xoshiro256** over splitmix64(42), computed apart from this code, from the papers. */
	static const uint64_t expected[] = {
		UINT64_C(0x15780b2e0c2ec716),
		UINT64_C(0x6104d9866d113a7e),
		UINT64_C(0xae17533239e499a1),
		UINT64_C(0xecb8ad4703b360a1),
	};
	struct prng prng;

	prng_seed(&prng, 42);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		UNIT_EQUAL(prng_u64(&prng), expected[i]);
}

static void below_stays_below_and_reaches_every_value(void)
{
	struct prng prng;
	uint32_t seen[7] = { 0 };

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 7000; i++) {
		uint64_t value = prng_below(&prng, 7);

		UNIT_REQUIRE(value < 7);
		seen[value]++;
	}
	for (int i = 0; i < 7; i++)
		UNIT_CHECK(seen[i] > 700 && seen[i] < 1300);
}

static void below_one_is_always_zero(void)
{
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 100; i++)
		UNIT_EQUAL(prng_below(&prng, 1), 0);
}

static void below_the_largest_limit_ends(void)
{
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 100; i++)
		UNIT_CHECK(prng_below(&prng, UINT64_MAX) < UINT64_MAX);
}

static void below_zero(void *context)
{
	prng_below(context, 0);
}

static void limit_zero_aborts(void)
{
	struct prng prng;

	prng_seed(&prng, 1);
	UNIT_CHECK(unit_aborts(below_zero, &prng));
}

static void chance_is_never_at_zero_and_always_at_a_million(void)
{
	struct prng prng;
	uint32_t hits = 0;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 10000; i++) {
		UNIT_CHECK(!prng_chance(&prng, 0));
		UNIT_CHECK(prng_chance(&prng, 1000000));
		hits += prng_chance(&prng, 250000) ? 1 : 0;
	}
	UNIT_CHECK(hits > 2200 && hits < 2800);
}

static void fill_writes_exactly_count_bytes_and_is_repeatable(void)
{
	for (size_t count = 0; count < 20; count++) {
		struct prng prng;
		uint8_t first[24];
		uint8_t second[24];

		memset(first, 0xee, sizeof(first));
		memset(second, 0xee, sizeof(second));
		prng_seed(&prng, 7);
		prng_fill(&prng, first, count);
		prng_seed(&prng, 7);
		prng_fill(&prng, second, count);
		UNIT_CHECK(memcmp(first, second, sizeof(first)) == 0);
		UNIT_EQUAL(first[count], 0xee);
		UNIT_CHECK(count < 8 || memcmp(first, "\xee\xee\xee\xee\xee\xee\xee\xee", 8) != 0);
	}
}

UNIT_SUITE("prng", UNIT_TEST(seed_gives_the_published_sequence),
	   UNIT_TEST(below_stays_below_and_reaches_every_value),
	   UNIT_TEST(below_one_is_always_zero), UNIT_TEST(below_the_largest_limit_ends),
	   UNIT_TEST(limit_zero_aborts), UNIT_TEST(chance_is_never_at_zero_and_always_at_a_million),
	   UNIT_TEST(fill_writes_exactly_count_bytes_and_is_repeatable))
