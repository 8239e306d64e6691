#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

enum { ROUNDS = 12, SMALL_SEGMENT_BYTES = 1 << 15 };

/* ---- format and refusals ---- */

static void a_formatted_store_opens_empty_with_record_zero(void)
{
	struct fixture f;
	const void *bytes;
	size_t count;

	fixture_start(&f, 1);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), 0);
	UNIT_EQUAL(count, 4);
	UNIT_CHECK(memcmp(bytes, "zero", 4) == 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_SAFETY], 1);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE], 0);
	UNIT_CHECK(!blocklog_store_recovery(f.store)->safety_copy_repaired);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_BLOCK));
	fixture_end(&f);
}

static void format_refuses_where_a_store_or_a_part_of_one_is(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	UNIT_EQUAL(fixture_format(&f), ERR_DUPLICATE);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	sim_disk_lose_file(f.disk, BLOCKLOG_AREA_SUPER, 0);
	UNIT_EQUAL(fixture_format(&f), ERR_DUPLICATE);
	UNIT_EQUAL(fixture_open(&f), ERR_NOT_FOUND);
	fixture_end(&f);
}

static void a_failed_format_leaves_nothing_behind(void)
{
	struct fixture f;
	uint64_t limit;

	/* Room for the lane segment, then for the block segment, then for the safety log. */
	for (limit = FIXTURE_SEGMENT_BYTES; limit < (uint64_t)9 << 20; limit *= 2) {
		fixture_prepare(&f, 1);
		sim_disk_set_bytes_max(f.disk, limit);
		if (fixture_format(&f) == 0) {
			UNIT_CHECK(limit > BLOCKLOG_SAFETY_FILE_BYTES);
			fixture_end(&f);
			return;
		}
		UNIT_CHECK(fixture_open(&f) == ERR_NOT_FOUND);
		sim_disk_set_bytes_max(f.disk, 0);
		UNIT_EQUAL(fixture_format(&f), 0);
		UNIT_EQUAL(fixture_open(&f), 0);
		fixture_end(&f);
	}
}

static void a_failed_write_during_format_leaves_nothing_behind(void)
{
	static const enum blocklog_area areas[] = { BLOCKLOG_AREA_SAFETY, BLOCKLOG_AREA_SUPER };

	for (uint32_t i = 0; i < 2; i++) {
		struct fixture f;

		fixture_prepare(&f, 1);
		sim_disk_next_write(f.disk, areas[i], SIM_DISK_WRITE_ERROR);
		UNIT_CHECK(fixture_format(&f) < 0);
		UNIT_EQUAL(fixture_open(&f), ERR_NOT_FOUND);
		UNIT_EQUAL(fixture_format(&f), 0);
		fixture_end(&f);
	}
}

static void a_store_of_another_chain_or_node_is_refused(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	f.config.identity.node_id++;
	UNIT_EQUAL(fixture_open(&f), ERR_FOREIGN);
	f.config.identity.node_id--;
	f.config.identity.chain_id.b[31]++;
	UNIT_EQUAL(fixture_open(&f), ERR_FOREIGN);
	f.config.identity.chain_id.b[31]--;
	UNIT_EQUAL(fixture_open(&f), 0);
	fixture_end(&f);
}

static void write_superblock(struct fixture *f, uint32_t version)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct blocklog_superblock superblock = f->store->superblock;

	superblock.version = version;
	blocklog_superblock_encode(&superblock, page);
	for (uint64_t copy = 0; copy < BLOCKLOG_SUPER_COPIES; copy++)
		UNIT_EQUAL(blocklog_sync_write(f->store, BLOCKLOG_AREA_SUPER, 0,
					       copy * BLOCKLOG_SUPER_STRIDE_BYTES, page,
					       BLOCKLOG_PAGE_BYTES),
			   0);
}

static void a_store_of_a_newer_format_is_refused(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	write_superblock(&f, BLOCKLOG_FORMAT_VERSION + 1);
	UNIT_EQUAL(fixture_open(&f), ERR_NEWER);
	fixture_end(&f);
}

static void any_one_superblock_copy_suffices_and_the_others_are_repaired(void)
{
	for (uint32_t good = 0; good < BLOCKLOG_SUPER_COPIES; good++) {
		struct fixture f;

		fixture_start(&f, 1);
		for (uint32_t copy = 0; copy < BLOCKLOG_SUPER_COPIES; copy++)
			if (copy != good)
				sim_disk_flip(f.disk, BLOCKLOG_AREA_SUPER, 0,
					      copy * BLOCKLOG_SUPER_STRIDE_BYTES + 100, 1);
		UNIT_EQUAL(fixture_open(&f), 0);
		sim_disk_crash(f.disk);
		sim_disk_flip(f.disk, BLOCKLOG_AREA_SUPER, 0, good * BLOCKLOG_SUPER_STRIDE_BYTES,
			      1);
		UNIT_EQUAL(fixture_open(&f), 0);
		fixture_end(&f);
	}
}

static void without_any_superblock_copy_the_store_is_corrupt(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	for (uint32_t copy = 0; copy < BLOCKLOG_SUPER_COPIES; copy++)
		sim_disk_flip(f.disk, BLOCKLOG_AREA_SUPER, 0, copy * BLOCKLOG_SUPER_STRIDE_BYTES,
			      1);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	fixture_end(&f);
}

static void too_little_memory_and_a_group_too_small_are_refused(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	f.memory_bytes--;
	UNIT_EQUAL(fixture_open(&f), ERR_MEMORY);
	f.memory_bytes++;
	f.config.group_bytes_max = FIXTURE_GROUP_BYTES - BLOCKLOG_PAGE_BYTES;
	UNIT_EQUAL(fixture_open(&f), ERR_CONFIG);
	fixture_end(&f);
}

/* ---- crashes ---- */

static void crash_start(struct fixture *f, uint64_t seed)
{
	int code;

	fixture_prepare(f, seed);
	f->config.segment_bytes = SMALL_SEGMENT_BYTES;
	code = fixture_format(f);
	UNIT_EQUAL(code, 0);
	UNIT_EQUAL(fixture_open(f), 0);
}

/* Some load on all three logs, over a segment's end; stops when the disk is dead. */
static void load(struct fixture *f, uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds && !sim_disk_is_dead(f->disk); i++) {
		for (uint32_t j = 0; j <= i % 4; j++)
			(void)fixture_append(f, BLOCKLOG_LANE);
		(void)fixture_append(f, BLOCKLOG_BLOCK);
		(void)fixture_append(f, BLOCKLOG_SAFETY);
		fixture_turn(f);
		if (i % 3 == 2)
			fixture_settle(f);
	}
	fixture_settle(f);
}

static bool holds_everything_done(struct fixture *f)
{
	return fixture_holds_prefix(f, BLOCKLOG_LANE) && fixture_holds_prefix(f, BLOCKLOG_BLOCK) &&
	       fixture_safety_is_newest(f);
}

static void the_load_crosses_a_segment_end(void)
{
	struct fixture f;

	crash_start(&f, 1);
	load(&f, ROUNDS);
	UNIT_CHECK(blocklog_store_durable_end(f.store, BLOCKLOG_LANE) > SMALL_SEGMENT_BYTES);
	UNIT_EQUAL(f.done_count, f.tickets);
	fixture_end(&f);
}

/* Cuts the power after `sectors` sectors of the load, recovers, goes on, and cuts again. */
static void crash_once(uint64_t sectors, bool is_shuffled)
{
	struct fixture f;

	crash_start(&f, 1 + sectors);
	sim_disk_cut_after(f.disk, sectors, is_shuffled);
	load(&f, ROUNDS);
	sim_disk_crash(f.disk);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(holds_everything_done(&f));
	load(&f, 3);
	sim_disk_crash(f.disk);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(holds_everything_done(&f));
	fixture_end(&f);
}

static uint64_t sectors_of_load(void)
{
	struct fixture f;
	uint64_t before;
	uint64_t sectors;

	crash_start(&f, 1);
	before = sim_disk_sectors(f.disk);
	load(&f, ROUNDS);
	sectors = sim_disk_sectors(f.disk) - before;
	fixture_end(&f);
	return sectors;
}

static void a_power_cut_at_every_sector_of_the_load_loses_nothing_that_was_done(void)
{
	uint64_t sectors = sectors_of_load();

	UNIT_CHECK(sectors > 300);
	for (uint64_t i = 0; i < sectors; i++)
		crash_once(i, false);
}

static void a_power_cut_with_sectors_in_any_order_loses_nothing_that_was_done(void)
{
	uint64_t sectors = sectors_of_load();

	for (uint64_t i = 0; i < sectors; i++)
		crash_once(i, true);
}

/* Recovery itself writes: repairs, pads, zeros. It may be cut anywhere and start again. */
static uint64_t cut_recovery(uint64_t seed, uint64_t at, uint64_t sectors)
{
	struct fixture f;
	uint64_t before;
	uint64_t needed;
	int code;

	crash_start(&f, seed);
	sim_disk_cut_after(f.disk, at, true);
	load(&f, ROUNDS);
	sim_disk_crash(f.disk);
	before = sim_disk_sectors(f.disk);
	sim_disk_cut_after(f.disk, sectors, true);
	code = fixture_open(&f);
	needed = sim_disk_sectors(f.disk) - before;
	UNIT_CHECK(code == (sim_disk_is_dead(f.disk) ? -EIO : 0));
	sim_disk_crash(f.disk);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(holds_everything_done(&f));
	load(&f, 2);
	sim_disk_crash(f.disk);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(holds_everything_done(&f));
	fixture_end(&f);
	return needed;
}

static void a_power_cut_at_every_sector_of_a_recovery_loses_nothing_that_was_done(void)
{
	uint64_t writing = 0;

	for (uint64_t at = 5; at < 300; at += 23) {
		uint64_t needed = cut_recovery(at, at, UINT32_MAX);

		writing += needed > 0;
		for (uint64_t i = 0; i < needed; i++)
			(void)cut_recovery(at, at, i);
	}
	UNIT_CHECK(writing > 3);
}

static void random_crashes_one_after_the_other_lose_nothing_that_was_done(void)
{
	struct fixture f;
	struct prng prng;

	prng_seed(&prng, unit_seed());
	crash_start(&f, unit_seed());
	for (uint32_t i = 0; i < 120; i++) {
		uint32_t rounds = (uint32_t)prng_below(&prng, 6);

		for (uint32_t j = 0; j < rounds; j++) {
			(void)fixture_append(&f, BLOCKLOG_LANE);
			(void)fixture_append(&f, BLOCKLOG_LANE);
			(void)fixture_append(&f, BLOCKLOG_BLOCK);
			(void)fixture_append(&f, BLOCKLOG_SAFETY);
			fixture_turn(&f);
		}
		sim_disk_crash(f.disk);
		UNIT_REQUIRE(fixture_open(&f) == 0);
		UNIT_REQUIRE(holds_everything_done(&f));
	}
	fixture_end(&f);
}

/* A killed process leaves writes that can be read but are not stable; power may go right after. */
static void what_recovery_read_after_a_kill_survives_a_power_cut(void)
{
	uint32_t more_than_done = 0;
	uint32_t newer_than_done = 0;

	for (uint64_t seed = 1; seed < 200; seed++) {
		struct fixture f;
		struct blocklog_recovery first;

		crash_start(&f, seed);
		load(&f, 2);
		(void)fixture_append(&f, BLOCKLOG_LANE);
		(void)fixture_append(&f, BLOCKLOG_BLOCK);
		(void)fixture_append(&f, BLOCKLOG_SAFETY);
		fixture_turn(&f);
		sim_disk_kill(f.disk);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_CHECK(holds_everything_done(&f));
		first = *blocklog_store_recovery(f.store);
		more_than_done += first.records[BLOCKLOG_LANE] > 3;
		newer_than_done += first.records[BLOCKLOG_SAFETY] > 3;
		sim_disk_crash(f.disk);
		UNIT_EQUAL(fixture_open(&f), 0);
		for (uint32_t log = 0; log < BLOCKLOG_LOG_COUNT; log++)
			UNIT_EQUAL(blocklog_store_recovery(f.store)->records[log],
				   first.records[log]);
		fixture_end(&f);
	}
	UNIT_CHECK(newer_than_done > 0);
	UNIT_CHECK(more_than_done > 0);
}

UNIT_SUITE("blocklog_store_open", UNIT_TEST(a_formatted_store_opens_empty_with_record_zero),
	   UNIT_TEST(format_refuses_where_a_store_or_a_part_of_one_is),
	   UNIT_TEST(a_failed_format_leaves_nothing_behind),
	   UNIT_TEST(a_failed_write_during_format_leaves_nothing_behind),
	   UNIT_TEST(a_store_of_another_chain_or_node_is_refused),
	   UNIT_TEST(a_store_of_a_newer_format_is_refused),
	   UNIT_TEST(any_one_superblock_copy_suffices_and_the_others_are_repaired),
	   UNIT_TEST(without_any_superblock_copy_the_store_is_corrupt),
	   UNIT_TEST(too_little_memory_and_a_group_too_small_are_refused),
	   UNIT_TEST(the_load_crosses_a_segment_end),
	   UNIT_TEST(a_power_cut_at_every_sector_of_the_load_loses_nothing_that_was_done),
	   UNIT_TEST(a_power_cut_with_sectors_in_any_order_loses_nothing_that_was_done),
	   UNIT_TEST(a_power_cut_at_every_sector_of_a_recovery_loses_nothing_that_was_done),
	   UNIT_TEST(random_crashes_one_after_the_other_lose_nothing_that_was_done),
	   UNIT_TEST(what_recovery_read_after_a_kill_survives_a_power_cut))
