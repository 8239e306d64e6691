#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

/* The next segments are made at the first turns; let them be, so that writes can be counted. */
static void quiet_start(struct fixture *f, uint64_t seed)
{
	fixture_start(f, seed);
	fixture_turn(f);
	fixture_settle(f);
}

static void a_turn_costs_one_durable_submission_a_log(void)
{
	struct fixture f;
	uint64_t writes;
	const struct blocklog_counters *counters;

	quiet_start(&f, 1);
	writes = sim_disk_writes(f.disk);
	for (uint32_t i = 0; i < 8; i++) {
		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_BLOCK), 0);
		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	}
	fixture_turn(&f);
	/* One for the lane log, one for the block log, one for each safety copy. */
	UNIT_EQUAL(sim_disk_writes(f.disk) - writes, 4);
	fixture_settle(&f);
	UNIT_EQUAL(sim_disk_writes(f.disk) - writes, 4);
	UNIT_EQUAL(f.done_count, 24);
	counters = blocklog_store_counters(f.store);
	for (uint32_t log = 0; log < BLOCKLOG_LOG_COUNT; log++) {
		UNIT_EQUAL(counters->group_commits[log], 1);
		UNIT_EQUAL(counters->durable_submissions[log], 1);
		UNIT_EQUAL(counters->appends[log], 8);
	}
	fixture_end(&f);
}

static void submissions_equal_group_commits_under_any_load(void)
{
	struct fixture f;

	fixture_start(&f, 2);
	for (uint32_t i = 0; i < 300; i++) {
		(void)fixture_append(&f, (enum blocklog_log)(i % 3));
		if (i % 2)
			fixture_turn(&f);
	}
	fixture_settle(&f);
	for (uint32_t log = 0; log < BLOCKLOG_LOG_COUNT; log++)
		UNIT_EQUAL(blocklog_store_counters(f.store)->group_commits[log],
			   blocklog_store_counters(f.store)->durable_submissions[log]);
	UNIT_CHECK(f.done_in_order);
	fixture_end(&f);
}

static void nothing_is_done_before_the_device_said_so(void)
{
	struct fixture f;
	struct blocklog_done done[8];

	quiet_start(&f, 3);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	for (uint32_t i = 0; i < 20; i++)
		UNIT_EQUAL(blocklog_store_turn(f.store, done, 8), 0);
	UNIT_CHECK(blocklog_store_is_busy(f.store));
	UNIT_EQUAL(blocklog_store_durable_end(f.store, BLOCKLOG_LANE), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, 2);
	UNIT_CHECK(blocklog_store_durable_end(f.store, BLOCKLOG_LANE) > f.position[0]);
	fixture_end(&f);
}

static void a_safety_ticket_waits_for_both_copies(void)
{
	struct fixture f;
	struct blocklog_done done[8];
	uint64_t first;

	quiet_start(&f, 4);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	UNIT_EQUAL(blocklog_store_turn(f.store, done, 8), 0);
	first = sim_disk_next_ns(f.disk);
	sim_disk_advance(f.disk, first);
	UNIT_EQUAL(blocklog_store_turn(f.store, done, 8), 0);
	UNIT_CHECK(sim_disk_next_ns(f.disk) > first);
	sim_disk_advance(f.disk, sim_disk_next_ns(f.disk));
	UNIT_EQUAL(blocklog_store_turn(f.store, done, 8), 1);
	UNIT_EQUAL(done[0].code, 0);
	fixture_end(&f);
}

static void durable_end_only_rises_and_covers_what_is_done(void)
{
	struct fixture f;
	uint64_t last = 0;

	fixture_start(&f, 5);
	for (uint32_t i = 0; i < 400; i++) {
		uint64_t end;

		(void)fixture_append(&f, BLOCKLOG_LANE);
		fixture_turn(&f);
		end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
		UNIT_CHECK(end >= last);
		for (uint64_t t = 0; t < f.tickets; t++)
			UNIT_CHECK((f.code[t] == 0) == (f.position[t] < end));
		last = end;
	}
	fixture_settle(&f);
	UNIT_CHECK(last > FIXTURE_SEGMENT_BYTES);
	fixture_end(&f);
}

static void done_entries_that_do_not_fit_come_with_the_next_turns(void)
{
	struct fixture f;
	struct blocklog_done done[3];
	uint32_t total = 0;

	quiet_start(&f, 6);
	for (uint32_t i = 0; i < 10; i++)
		UNIT_EQUAL(fixture_append(&f, i % 2 ? BLOCKLOG_LANE : BLOCKLOG_SAFETY), 0);
	(void)blocklog_store_turn(f.store, done, 3);
	sim_disk_advance(f.disk, UINT64_MAX / 2);
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t count = blocklog_store_turn(f.store, done, 3);

		UNIT_CHECK(count <= 3);
		total += count;
	}
	UNIT_EQUAL(total, 10);
	UNIT_CHECK(!blocklog_store_is_busy(f.store));
	fixture_end(&f);
}

static void groups_in_flight_overlap_and_are_done_in_order(void)
{
	struct fixture f;

	quiet_start(&f, 7);
	for (uint32_t i = 0; i < 100; i++) {
		struct blocklog_done done[4];

		(void)fixture_append(&f, BLOCKLOG_LANE);
		UNIT_EQUAL(blocklog_store_turn(f.store, done, 0), 0);
		(void)fixture_append(&f, BLOCKLOG_LANE);
		UNIT_EQUAL(blocklog_store_turn(f.store, done, 0), 0);
		fixture_turn(&f);
	}
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, f.tickets);
	UNIT_CHECK(f.done_in_order);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	fixture_end(&f);
}

static void many_segments_are_prepared_used_and_read(void)
{
	struct fixture f;

	fixture_start(&f, 8);
	fixture_fill(&f, BLOCKLOG_LANE, 200);
	UNIT_CHECK(blocklog_store_durable_end(f.store, BLOCKLOG_LANE) > 10 * FIXTURE_SEGMENT_BYTES);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 200);
	fixture_end(&f);
}

/* ---- failures ---- */

static void a_failed_write_retires_the_store(void)
{
	static const enum blocklog_log logs[] = { BLOCKLOG_SAFETY, BLOCKLOG_LANE, BLOCKLOG_BLOCK };

	for (uint32_t i = 0; i < 3; i++) {
		struct fixture f;
		uint64_t before;

		quiet_start(&f, 9 + i);
		fixture_fill(&f, BLOCKLOG_LANE, 2);
		before = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
		sim_disk_next_write(f.disk, blocklog_area_of(logs[i]), SIM_DISK_WRITE_ERROR);
		UNIT_EQUAL(fixture_append(&f, logs[i]), 0);
		fixture_settle(&f);
		UNIT_EQUAL(f.code[2], -EIO);
		UNIT_EQUAL(blocklog_store_condition(f.store), -EIO);
		UNIT_EQUAL(blocklog_store_durable_end(f.store, BLOCKLOG_LANE), before);
		for (uint32_t log = 0; log < BLOCKLOG_LOG_COUNT; log++)
			UNIT_EQUAL(fixture_append(&f, (enum blocklog_log)log), ERR_RETIRED);
		UNIT_CHECK(blocklog_store_counters(f.store)->failures > 0);
		fixture_end(&f);
	}
}

static void after_a_failure_nothing_under_way_is_believed(void)
{
	struct fixture f;
	uint32_t failed = 0;

	quiet_start(&f, 12);
	sim_disk_next_write(f.disk, BLOCKLOG_AREA_LANE, SIM_DISK_WRITE_ERROR);
	for (uint32_t i = 0; i < 6; i++) {
		struct blocklog_done done[1];

		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
		UNIT_EQUAL(blocklog_store_turn(f.store, done, 0), 0);
	}
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, 6);
	for (uint32_t i = 0; i < 6; i++)
		failed += f.code[i] == -EIO || f.code[i] == ERR_RETIRED;
	UNIT_CHECK(failed >= 5);
	for (uint32_t i = 1; i < 6; i++)
		UNIT_CHECK(f.code[i - 1] == 0 || f.code[i] != 0);
	UNIT_CHECK(f.done_in_order);
	fixture_end(&f);
}

static void a_retired_store_still_reads(void)
{
	struct fixture f;
	uint8_t buffer[FIXTURE_RECORD_MAX];

	quiet_start(&f, 13);
	fixture_fill(&f, BLOCKLOG_BLOCK, 3);
	sim_disk_next_write(f.disk, BLOCKLOG_AREA_SAFETY, SIM_DISK_WRITE_ERROR);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	fixture_settle(&f);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_BLOCK), ERR_RETIRED);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_BLOCK, f.position[1], buffer,
				       sizeof(buffer), 5),
		   0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, 0);
	fixture_end(&f);
}

static void a_store_that_failed_recovers_all_that_was_done(void)
{
	for (uint64_t seed = 20; seed < 60; seed++) {
		struct fixture f;

		fixture_start(&f, seed);
		for (uint32_t i = 0; i < 20; i++) {
			(void)fixture_append(&f, BLOCKLOG_LANE);
			(void)fixture_append(&f, BLOCKLOG_SAFETY);
			if (i == seed % 20)
				sim_disk_next_write(f.disk,
						    seed % 2 ? BLOCKLOG_AREA_LANE :
							       BLOCKLOG_AREA_SAFETY,
						    SIM_DISK_WRITE_ERROR);
			fixture_turn(&f);
		}
		fixture_settle(&f);
		UNIT_EQUAL(f.done_count, f.tickets);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
		UNIT_CHECK(fixture_safety_is_newest(&f));
		fixture_end(&f);
	}
}

static void a_full_disk_stops_appends_and_they_resume_when_there_is_space(void)
{
	struct fixture f;
	uint32_t appended = 0;

	fixture_start(&f, 14);
	fixture_turn(&f);
	fixture_settle(&f);
	sim_disk_set_bytes_max(f.disk, 1);
	for (uint32_t i = 0; i < 2000 && f.tickets < 2000; i++) {
		appended += fixture_append(&f, BLOCKLOG_LANE) == 0;
		fixture_turn(&f);
	}
	UNIT_EQUAL(blocklog_store_condition(f.store), -ENOSPC);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), ERR_FULL);
	UNIT_CHECK(f.done_count < appended);
	UNIT_CHECK(blocklog_store_durable_end(f.store, BLOCKLOG_LANE) > FIXTURE_SEGMENT_BYTES);

	sim_disk_set_bytes_max(f.disk, 0);
	for (uint32_t i = 0; i < 2 * CREATE_PAUSE_TURNS && f.done_count < appended; i++)
		fixture_turn(&f);
	UNIT_EQUAL(f.done_count, appended);
	UNIT_EQUAL(blocklog_store_condition(f.store), 0);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
	fixture_settle(&f);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	fixture_end(&f);
}

static void safety_records_of_one_turn_share_the_newest_one(void)
{
	struct fixture f;
	uint8_t newest[FIXTURE_RECORD_MAX];
	const void *bytes;
	size_t count;

	quiet_start(&f, 15);
	for (uint32_t i = 0; i < 5; i++)
		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, 5);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_SAFETY], 2);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), 0);
	UNIT_EQUAL(count, fixture_record(4, newest));
	UNIT_CHECK(memcmp(bytes, newest, count) == 0);
	fixture_end(&f);
}

static void safety_records_are_written_one_after_the_other(void)
{
	struct fixture f;
	struct blocklog_done done[4];
	uint64_t writes;

	quiet_start(&f, 16);
	writes = sim_disk_writes(f.disk);
	for (uint32_t i = 0; i < 10; i++) {
		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_SAFETY), 0);
		UNIT_EQUAL(blocklog_store_turn(f.store, done, 4), 0);
		UNIT_EQUAL(sim_disk_writes(f.disk) - writes, 2);
	}
	fixture_settle(&f);
	UNIT_EQUAL(sim_disk_writes(f.disk) - writes, 4);
	UNIT_EQUAL(f.done_count, 10);
	UNIT_CHECK(f.done_in_order);
	fixture_end(&f);
}

UNIT_SUITE("blocklog_store_turn", UNIT_TEST(a_turn_costs_one_durable_submission_a_log),
	   UNIT_TEST(submissions_equal_group_commits_under_any_load),
	   UNIT_TEST(nothing_is_done_before_the_device_said_so),
	   UNIT_TEST(a_safety_ticket_waits_for_both_copies),
	   UNIT_TEST(durable_end_only_rises_and_covers_what_is_done),
	   UNIT_TEST(done_entries_that_do_not_fit_come_with_the_next_turns),
	   UNIT_TEST(groups_in_flight_overlap_and_are_done_in_order),
	   UNIT_TEST(many_segments_are_prepared_used_and_read),
	   UNIT_TEST(a_failed_write_retires_the_store),
	   UNIT_TEST(after_a_failure_nothing_under_way_is_believed),
	   UNIT_TEST(a_retired_store_still_reads),
	   UNIT_TEST(a_store_that_failed_recovers_all_that_was_done),
	   UNIT_TEST(a_full_disk_stops_appends_and_they_resume_when_there_is_space),
	   UNIT_TEST(safety_records_of_one_turn_share_the_newest_one),
	   UNIT_TEST(safety_records_are_written_one_after_the_other))
