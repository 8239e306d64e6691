#include "storage/blocklog_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

static void a_configuration_that_cannot_work_has_no_footprint(void)
{
	struct blocklog_config good = { .segment_bytes = 1 << 20,
					.group_bytes_max = 1 << 16,
					.segments_max = 10 };
	struct blocklog_config bad = good;

	UNIT_CHECK(blocklog_store_footprint(&good) > 0);
	bad.segment_bytes = (1 << 20) + 4096;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
	bad.segment_bytes = 0;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
	bad = good;
	bad.group_bytes_max = 1 << 20;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
	bad.group_bytes_max = 4096;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
	bad.group_bytes_max = (1 << 16) + 1;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
	bad = good;
	bad.segments_max = 1;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
	bad.segments_max = UINT64_MAX;
	UNIT_EQUAL(blocklog_store_footprint(&bad), 0);
}

static void the_store_stays_inside_the_memory_it_was_given(void)
{
	struct fixture f;
	uint8_t *memory;

	fixture_start(&f, 1);
	memory = malloc(f.memory_bytes + 64);
	memset(memory, 0xcd, f.memory_bytes + 64);
	blocklog_store_close(f.store);
	f.store = NULL;
	free(f.memory);
	f.memory = memory;
	UNIT_EQUAL(fixture_open(&f), 0);
	for (uint32_t i = 0; i < 60; i++) {
		(void)fixture_append(&f, (enum blocklog_log)(i % 3));
		fixture_turn(&f);
	}
	fixture_settle(&f);
	for (uint32_t i = 0; i < 64; i++)
		UNIT_EQUAL(memory[f.memory_bytes + i], 0xcd);
	fixture_end(&f);
}

static void the_safety_record_found_is_kept_until_the_first_append(void)
{
	struct fixture f;
	const void *bytes;
	size_t count;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 2);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), 0);
	UNIT_CHECK(count == 4 && memcmp(bytes, "zero", 4) == 0);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), ERR_ORDER);
	fixture_settle(&f);
	fixture_end(&f);
}

static void an_idle_store_is_not_busy(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	UNIT_CHECK(!blocklog_store_is_busy(f.store));
	fixture_turn(&f);
	UNIT_CHECK(blocklog_store_is_busy(f.store)); /* the next segments are being made */
	fixture_settle(&f);
	UNIT_CHECK(!blocklog_store_is_busy(f.store));
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	UNIT_CHECK(blocklog_store_is_busy(f.store));
	fixture_settle(&f);
	UNIT_CHECK(!blocklog_store_is_busy(f.store));
	fixture_end(&f);
	blocklog_store_close(NULL);
}

static void the_durable_end_of_the_safety_log_rises_with_each_record(void)
{
	struct fixture f;
	uint64_t last;

	fixture_start(&f, 1);
	last = blocklog_store_durable_end(f.store, BLOCKLOG_SAFETY);
	for (uint32_t i = 0; i < 5; i++) {
		uint64_t end;

		fixture_fill(&f, BLOCKLOG_SAFETY, 1);
		end = blocklog_store_durable_end(f.store, BLOCKLOG_SAFETY);
		UNIT_CHECK(end > last);
		UNIT_CHECK(f.position[i] >= last && f.position[i] < end);
		last = end;
	}
	fixture_end(&f);
}

UNIT_SUITE("blocklog_store", UNIT_TEST(a_configuration_that_cannot_work_has_no_footprint),
	   UNIT_TEST(the_store_stays_inside_the_memory_it_was_given),
	   UNIT_TEST(the_safety_record_found_is_kept_until_the_first_append),
	   UNIT_TEST(an_idle_store_is_not_busy),
	   UNIT_TEST(the_durable_end_of_the_safety_log_rises_with_each_record))
