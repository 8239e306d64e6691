#include "base/bitset.h"

#include "tests/lib/unit_main.h"

static void added_bit_is_there_and_its_neighbours_are_not(void)
{
	for (uint32_t bit = 0; bit < BITSET_BITS_MAX; bit++) {
		struct bitset set = { 0 };

		bitset_add(&set, bit);
		UNIT_CHECK(bitset_has(&set, bit));
		UNIT_CHECK(bit == 0 || !bitset_has(&set, bit - 1));
		UNIT_CHECK(!bitset_has(&set, bit + 1));
		UNIT_EQUAL(bitset_count(&set), 1);
	}
}

static void removed_bit_is_gone_and_the_rest_stays(void)
{
	struct bitset set = { { UINT64_MAX, UINT64_MAX } };

	bitset_remove(&set, 63);
	bitset_remove(&set, 64);
	bitset_remove(&set, 64);
	UNIT_EQUAL(bitset_count(&set), 126);
	UNIT_CHECK(!bitset_has(&set, 63) && !bitset_has(&set, 64));
	UNIT_CHECK(bitset_has(&set, 62) && bitset_has(&set, 65));
}

static void bit_outside_the_set_is_never_there(void)
{
	struct bitset set = { { UINT64_MAX, UINT64_MAX } };

	UNIT_CHECK(!bitset_has(&set, BITSET_BITS_MAX));
	UNIT_CHECK(!bitset_has(&set, UINT32_MAX));
}

static void is_below_sees_each_bit_at_or_above_the_limit(void)
{
	struct bitset set = { 0 };

	UNIT_CHECK(bitset_is_below(&set, 0));
	bitset_add(&set, 99);
	UNIT_CHECK(bitset_is_below(&set, 100));
	UNIT_CHECK(!bitset_is_below(&set, 99));
	bitset_add(&set, 127);
	UNIT_CHECK(!bitset_is_below(&set, 100));
	UNIT_CHECK(bitset_is_below(&set, BITSET_BITS_MAX));
}

static void add_bit_128(void *context)
{
	bitset_add(context, BITSET_BITS_MAX);
}

static void adding_a_bit_outside_the_set_aborts(void)
{
	struct bitset set = { 0 };

	UNIT_CHECK(unit_aborts(add_bit_128, &set));
}

UNIT_SUITE("bitset", UNIT_TEST(added_bit_is_there_and_its_neighbours_are_not),
	   UNIT_TEST(removed_bit_is_gone_and_the_rest_stays),
	   UNIT_TEST(bit_outside_the_set_is_never_there),
	   UNIT_TEST(is_below_sees_each_bit_at_or_above_the_limit),
	   UNIT_TEST(adding_a_bit_outside_the_set_aborts))
