#include "base/bytes.h"

#include "base/prng.h"
#include "tests/lib/unit_main.h"

static void numbers_are_written_little_endian(void)
{
	static const uint8_t expected[] = { 1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8 };
	uint8_t bytes[sizeof(expected)];
	struct bytes_writer w = bytes_writer_of(bytes, sizeof(bytes));

	bytes_put_u8(&w, 1);
	bytes_put_u16(&w, 0x0203);
	bytes_put_u32(&w, 0x04050607);
	bytes_put_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	UNIT_CHECK(!w.failed);
	UNIT_EQUAL(bytes_written(&w), sizeof(expected));
	UNIT_CHECK(memcmp(bytes, expected, sizeof(expected)) == 0);
}

static void what_was_written_is_read_back(void)
{
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (int round = 0; round < 1000; round++) {
		uint64_t value = prng_u64(&prng);
		uint8_t bytes[15];
		struct bytes_writer w = bytes_writer_of(bytes, sizeof(bytes));

		bytes_put_u64(&w, value);
		bytes_put_u32(&w, (uint32_t)value);
		bytes_put_u16(&w, (uint16_t)value);
		bytes_put_u8(&w, (uint8_t)value);

		struct bytes_reader r = bytes_reader_of(bytes, sizeof(bytes));

		UNIT_EQUAL(bytes_get_u64(&r), value);
		UNIT_EQUAL(bytes_get_u32(&r), (uint32_t)value);
		UNIT_EQUAL(bytes_get_u16(&r), (uint16_t)value);
		UNIT_EQUAL(bytes_get_u8(&r), (uint8_t)value);
		UNIT_CHECK(bytes_done(&r));
	}
}

static void reader_that_overran_stays_failed_and_gives_zeros(void)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct bytes_reader r = bytes_reader_of(bytes, sizeof(bytes));
	uint8_t copy[2] = { 9, 9 };

	UNIT_EQUAL(bytes_get_u32(&r), 0x0201);
	UNIT_CHECK(r.failed);
	UNIT_EQUAL(bytes_get_u8(&r), 0);
	bytes_get(&r, copy, sizeof(copy));
	UNIT_EQUAL(copy[0] + copy[1], 0);
	UNIT_CHECK(bytes_take(&r, 0) == NULL);
	UNIT_CHECK(!bytes_done(&r));
}

static void reader_with_bytes_left_is_not_done(void)
{
	static const uint8_t bytes[] = { 1, 2 };
	struct bytes_reader r = bytes_reader_of(bytes, sizeof(bytes));

	UNIT_EQUAL(bytes_get_u8(&r), 1);
	UNIT_CHECK(!bytes_done(&r));
	UNIT_EQUAL(bytes_left(&r), 1);
}

static void take_points_into_the_bytes(void)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct bytes_reader r = bytes_reader_of(bytes, sizeof(bytes));

	UNIT_CHECK(bytes_take(&r, 2) == bytes);
	UNIT_CHECK(bytes_take(&r, SIZE_MAX) == NULL);
	UNIT_CHECK(r.failed);
}

static void writer_that_overran_writes_nothing_beyond_its_end(void)
{
	uint8_t bytes[8];
	struct bytes_writer w = bytes_writer_of(bytes, 3);

	memset(bytes, 0xee, sizeof(bytes));
	bytes_put_u16(&w, 0x0102);
	bytes_put_u32(&w, 0xffffffff);
	bytes_put_u8(&w, 0x55);
	UNIT_CHECK(w.failed);
	UNIT_EQUAL(bytes_written(&w), 2);
	for (size_t i = 2; i < sizeof(bytes); i++)
		UNIT_EQUAL(bytes[i], 0xee);
}

UNIT_SUITE("bytes", UNIT_TEST(numbers_are_written_little_endian),
	   UNIT_TEST(what_was_written_is_read_back),
	   UNIT_TEST(reader_that_overran_stays_failed_and_gives_zeros),
	   UNIT_TEST(reader_with_bytes_left_is_not_done), UNIT_TEST(take_points_into_the_bytes),
	   UNIT_TEST(writer_that_overran_writes_nothing_beyond_its_end))
