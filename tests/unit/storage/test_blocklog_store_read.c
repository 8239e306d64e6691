#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

static void every_record_is_read_back_by_its_position(void)
{
	struct fixture f;
	uint8_t right[FIXTURE_RECORD_MAX];
	uint8_t buffer[FIXTURE_RECORD_MAX];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 60);
	fixture_fill(&f, BLOCKLOG_BLOCK, 20);
	for (uint64_t t = 0; t < f.tickets; t++) {
		size_t count = fixture_record(t, right);

		UNIT_EQUAL(blocklog_store_read(f.store, f.log[t], f.position[t], buffer,
					       sizeof(buffer), 1000 + t),
			   0);
		fixture_settle(&f);
		UNIT_EQUAL(f.read.code, 0);
		UNIT_EQUAL(f.read.ticket, 1000 + t);
		UNIT_EQUAL(f.read.record_kind, t % 1000);
		UNIT_EQUAL(f.read.log, f.log[t]);
		UNIT_EQUAL(f.read.count, count);
		UNIT_CHECK(memcmp(buffer, right, count) == 0);
	}
	UNIT_EQUAL(blocklog_store_counters(f.store)->reads, f.tickets);
	fixture_end(&f);
}

static void a_record_too_large_for_one_read_needs_two(void)
{
	struct fixture f;
	size_t count = 700000;
	uint8_t *bytes = malloc(count);
	uint8_t *buffer = malloc(count);
	struct prng prng;
	uint64_t position;

	fixture_prepare(&f, 1);
	f.config.segment_bytes = 1 << 22;
	f.config.group_bytes_max = 1 << 20;
	f.memory_bytes = blocklog_store_footprint(&f.config);
	f.memory = realloc(f.memory, f.memory_bytes);
	UNIT_EQUAL(fixture_format(&f), 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	prng_seed(&prng, 4);
	prng_fill(&prng, bytes, count);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 1, bytes, count, 0, &position), 0);
	f.tickets = 1;
	fixture_settle(&f);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, position, buffer, count, 3), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, 0);
	UNIT_EQUAL(f.read.count, count);
	UNIT_CHECK(memcmp(buffer, bytes, count) == 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 1);
	fixture_end(&f);
	free(bytes);
	free(buffer);
}

static void what_is_not_durable_yet_is_not_found(void)
{
	struct fixture f;
	uint8_t buffer[FIXTURE_RECORD_MAX];

	fixture_start(&f, 1);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[0], buffer,
				       sizeof(buffer), 1),
		   ERR_NOT_FOUND);
	fixture_settle(&f);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[0], buffer,
				       sizeof(buffer), 1),
		   0);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[0] + 1, buffer,
				       sizeof(buffer), 1),
		   ERR_NOT_FOUND);
	fixture_settle(&f);
	fixture_end(&f);
}

static void a_damaged_record_is_corrupt_and_none_of_it_is_handed_out(void)
{
	struct fixture f;
	uint8_t buffer[FIXTURE_RECORD_MAX];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 5);
	for (uint64_t at = 0; at < BLOCKLOG_HEAD_BYTES + 8; at++) {
		memset(buffer, 0x77, sizeof(buffer));
		sim_disk_flip(f.disk, BLOCKLOG_AREA_LANE, 0, f.position[2] + at, 1);
		UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[2], buffer,
					       sizeof(buffer), at),
			   0);
		fixture_settle(&f);
		UNIT_EQUAL(f.read.code, ERR_CORRUPT);
		UNIT_EQUAL(f.read.count, 0);
		UNIT_EQUAL(buffer[0], 0x77);
		sim_disk_flip(f.disk, BLOCKLOG_AREA_LANE, 0, f.position[2] + at, 1);
	}
	fixture_end(&f);
}

/* A write that went astray: whole, sealed with the store's own key, and of another place. */
static void a_record_of_another_place_is_never_handed_out(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	uint8_t buffer[FIXTURE_RECORD_MAX];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 5);
	UNIT_REQUIRE(f.position[1] % BLOCKLOG_PAGE_BYTES == 0 &&
		     f.position[3] % BLOCKLOG_PAGE_BYTES == 0);
	UNIT_EQUAL(blocklog_sync_read(f.store, BLOCKLOG_AREA_LANE, 0, f.position[1], page,
				      sizeof(page)),
		   0);
	UNIT_EQUAL(blocklog_sync_write(f.store, BLOCKLOG_AREA_LANE, 0, f.position[3], page,
				       sizeof(page)),
		   0);
	memset(buffer, 0x77, sizeof(buffer));
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[3], buffer,
				       sizeof(buffer), 1),
		   0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, ERR_CORRUPT);
	UNIT_EQUAL(f.read.count, 0);
	UNIT_EQUAL(buffer[0], 0x77);
	fixture_end(&f);
}

static void a_place_that_is_no_record_gives_no_record(void)
{
	struct fixture f;
	uint8_t buffer[FIXTURE_RECORD_MAX];
	uint64_t end;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 6);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	for (uint64_t at = 0; at < end; at += BLOCKLOG_HEAD_BYTES) {
		bool is_record = false;

		for (uint64_t t = 0; t < f.tickets; t++)
			is_record = is_record || f.position[t] == at;
		UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, at, buffer, sizeof(buffer),
					       at),
			   0);
		fixture_settle(&f);
		UNIT_CHECK((f.read.code == 0) == is_record);
	}
	fixture_end(&f);
}

static void a_read_error_is_reported_and_the_next_read_works(void)
{
	struct fixture f;
	uint8_t buffer[FIXTURE_RECORD_MAX];
	struct sim_disk_faults faults = { .read_error = 1000000 };
	struct sim_disk_faults none = { 0 };

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_BLOCK, 2);
	sim_disk_set_faults(f.disk, &faults);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_BLOCK, f.position[1], buffer,
				       sizeof(buffer), 1),
		   0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, -EIO);
	UNIT_EQUAL(blocklog_store_condition(f.store), 0);
	sim_disk_set_faults(f.disk, &none);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_BLOCK, f.position[1], buffer,
				       sizeof(buffer), 2),
		   0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, 0);
	fixture_end(&f);
}

static void a_buffer_too_small_is_told_and_not_overrun(void)
{
	struct fixture f;
	uint8_t buffer[64];
	uint64_t position;

	fixture_start(&f, 1);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 1, "0123456789", 10, 0, &position),
		   0);
	f.tickets = 1;
	fixture_settle(&f);
	memset(buffer, 0x55, sizeof(buffer));
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, position, buffer, 9, 1), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, ERR_OVERSIZE);
	UNIT_EQUAL(buffer[0], 0x55);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, position, buffer, 10, 1), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, 0);
	UNIT_EQUAL(buffer[10], 0x55);
	fixture_end(&f);
}

static void reads_beyond_the_limit_wait_for_a_free_place(void)
{
	struct fixture f;
	static uint8_t buffers[BLOCKLOG_READS_MAX][FIXTURE_RECORD_MAX];
	struct blocklog_done done[BLOCKLOG_READS_MAX];
	uint32_t total = 0;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 10);
	for (uint32_t i = 0; i < BLOCKLOG_READS_MAX; i++)
		UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[i % 10],
					       buffers[i], sizeof(buffers[i]), i),
			   0);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_LANE, f.position[0], buffers[0],
				       sizeof(buffers[0]), 99),
		   ERR_FULL);
	for (uint32_t i = 0; i < 500 && blocklog_store_is_busy(f.store); i++) {
		f.now_ns += 10000;
		sim_disk_advance(f.disk, f.now_ns);
		total += blocklog_store_turn(f.store, done, BLOCKLOG_READS_MAX);
	}
	UNIT_EQUAL(total, BLOCKLOG_READS_MAX);
	for (uint32_t i = 0; i < BLOCKLOG_READS_MAX; i++) {
		uint8_t right[FIXTURE_RECORD_MAX];
		size_t count = fixture_record(i % 10, right);

		UNIT_CHECK(memcmp(buffers[i], right, count) == 0);
	}
	fixture_end(&f);
}

UNIT_SUITE("blocklog_store_read", UNIT_TEST(every_record_is_read_back_by_its_position),
	   UNIT_TEST(a_record_too_large_for_one_read_needs_two),
	   UNIT_TEST(what_is_not_durable_yet_is_not_found),
	   UNIT_TEST(a_damaged_record_is_corrupt_and_none_of_it_is_handed_out),
	   UNIT_TEST(a_record_of_another_place_is_never_handed_out),
	   UNIT_TEST(a_place_that_is_no_record_gives_no_record),
	   UNIT_TEST(a_read_error_is_reported_and_the_next_read_works),
	   UNIT_TEST(a_buffer_too_small_is_told_and_not_overrun),
	   UNIT_TEST(reads_beyond_the_limit_wait_for_a_free_place))
