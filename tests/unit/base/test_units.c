#include "base/units.h"

#include "tests/lib/unit_main.h"

static void products_saturate(void)
{
	UNIT_EQUAL(units_multiply(6, 7), 42);
	UNIT_EQUAL(units_multiply(UINT64_MAX, 1), UINT64_MAX);
	UNIT_EQUAL(units_multiply(UINT64_C(1) << 32, UINT64_C(1) << 32), UINT64_MAX);
	UNIT_EQUAL(units_multiply(UINT64_MAX, 0), 0);
}

static void sums_saturate(void)
{
	UNIT_EQUAL(units_add(40, 2), 42);
	UNIT_EQUAL(units_add(UINT64_MAX, 1), UINT64_MAX);
	UNIT_EQUAL(units_add(UINT64_MAX - 1, 1), UINT64_MAX);
}

static void smaller_and_larger(void)
{
	UNIT_EQUAL(units_min(1, 2), 1);
	UNIT_EQUAL(units_min(2, 1), 1);
	UNIT_EQUAL(units_max(1, 2), 2);
	UNIT_EQUAL(units_max(2, 1), 2);
}

static void round_up_reaches_the_next_step_only(void)
{
	UNIT_EQUAL(units_round_up(0, 4096), 0);
	UNIT_EQUAL(units_round_up(1, 4096), 4096);
	UNIT_EQUAL(units_round_up(4096, 4096), 4096);
	UNIT_EQUAL(units_round_up(4097, 4096), 8192);
}

static void powers_are_what_they_say(void)
{
	UNIT_EQUAL(UNITS_GIB, 1073741824);
	UNIT_EQUAL(UNITS_NS_PER_S, UNITS_NS_PER_MS * 1000);
	UNIT_EQUAL(UNITS_NS_PER_MS, UNITS_NS_PER_US * 1000);
}

UNIT_SUITE("units", UNIT_TEST(products_saturate), UNIT_TEST(sums_saturate),
	   UNIT_TEST(smaller_and_larger), UNIT_TEST(round_up_reaches_the_next_step_only),
	   UNIT_TEST(powers_are_what_they_say))
