/* The safety log as recovery finds it. */

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

/* Sequence numbers start at 0 with format; `appended` safety records follow. */
static void safety_start(struct fixture *f, uint32_t appended)
{
	fixture_start(f, 3);
	fixture_fill(f, BLOCKLOG_SAFETY, appended);
	UNIT_EQUAL(f->done_count, appended);
}

static void spoil_copy(struct fixture *f, uint64_t sequence, uint32_t copy)
{
	sim_disk_flip(f->disk, BLOCKLOG_AREA_SAFETY, 0, blocklog_safety_offset(sequence, copy) + 70,
		      0x10);
}

static void a_damaged_safety_copy_is_repaired_from_the_other(void)
{
	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++) {
		struct fixture f;

		safety_start(&f, 5);
		spoil_copy(&f, 5, copy);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_CHECK(fixture_safety_is_newest(&f));
		UNIT_CHECK(blocklog_store_recovery(f.store)->safety_copy_repaired);
		sim_disk_crash(f.disk);
		spoil_copy(&f, 5, 1 - copy);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_CHECK(fixture_safety_is_newest(&f));
		fixture_end(&f);
	}
}

static void the_slots_wrap_round_and_the_newest_record_is_found(void)
{
	struct fixture f;

	safety_start(&f, 3 * BLOCKLOG_SAFETY_SLOTS + 5);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(fixture_safety_is_newest(&f));
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_SAFETY],
		   3 * BLOCKLOG_SAFETY_SLOTS + 6);
	fixture_end(&f);
}

static void without_any_readable_safety_record_the_node_is_an_observer(void)
{
	struct fixture f;
	const void *bytes;
	size_t count;
	uint64_t position;

	safety_start(&f, 0);
	fixture_fill(&f, BLOCKLOG_LANE, 2);
	spoil_copy(&f, 0, 0);
	spoil_copy(&f, 0, 1);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), ERR_NOT_FOUND);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_SAFETY, 1, "x", 1, 1, &position),
		   ERR_NOT_FOUND);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	fixture_end(&f);
}

static void an_unreadable_next_slot_makes_an_observer_not_an_older_record(void)
{
	struct fixture f;
	const void *bytes;
	size_t count;

	safety_start(&f, 5);
	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++)
		sim_disk_spoil(f.disk, BLOCKLOG_AREA_SAFETY, 0, blocklog_safety_offset(5, copy));
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), ERR_NOT_FOUND);
	fixture_end(&f);
}

/* Puts another history's record 3 over some copies of this one's. */
static void rewrite_third(struct fixture *f, bool both_copies, uint32_t appended_after)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t slot[BLOCKLOG_SAFETY_SLOT_BYTES];

	safety_start(f, 3);
	UNIT_EQUAL(blocklog_sync_read(f->store, BLOCKLOG_AREA_SAFETY, 0,
				      blocklog_safety_offset(3, 0), slot, sizeof(slot)),
		   0);
	spoil_copy(f, 3, 0);
	spoil_copy(f, 3, 1);
	UNIT_EQUAL(fixture_open(f), 0);
	fixture_fill(f, BLOCKLOG_SAFETY, 1 + appended_after);
	UNIT_EQUAL(fixture_open(f), 0);
	for (uint32_t copy = both_copies ? 0 : 1; copy < BLOCKLOG_SAFETY_COPIES; copy++)
		UNIT_EQUAL(blocklog_sync_write(f->store, BLOCKLOG_AREA_SAFETY, 0,
					       blocklog_safety_offset(3, copy), slot, sizeof(slot)),
			   0);
	UNIT_EQUAL(fixture_open(f), 0);
}

/* Sector `sector` of another record in the next slot of `copy`, as a torn write leaves it. */
static void tear_next(struct fixture *f, uint64_t sequence, uint32_t copy, const uint8_t *slot,
		      uint32_t sector)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];
	uint64_t offset = blocklog_safety_offset(sequence, copy);
	uint32_t at = sector * BLOCKLOG_SECTOR_BYTES;

	UNIT_EQUAL(blocklog_sync_read(f->store, BLOCKLOG_AREA_SAFETY, 0, offset, page,
				      sizeof(page)),
		   0);
	memcpy(page + at, slot + at, BLOCKLOG_SECTOR_BYTES);
	UNIT_EQUAL(blocklog_sync_write(f->store, BLOCKLOG_AREA_SAFETY, 0, offset, page,
				       sizeof(page)),
		   0);
}

/* Slot 4 of a store whose fourth record is `word` and a filling, longer than a sector. */
static void make_fourth(const char *word, uint8_t ret_slot[BLOCKLOG_SAFETY_SLOT_BYTES])
{
	uint8_t bytes[BLOCKLOG_SECTOR_BYTES + 100];
	struct fixture f;
	uint64_t position;

	memset(bytes, 'z', sizeof(bytes));
	memcpy(bytes, word, strlen(word));
	safety_start(&f, 3);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_SAFETY, 1, bytes, sizeof(bytes),
					 f.tickets++, &position),
		   0);
	fixture_settle(&f);
	UNIT_EQUAL(blocklog_sync_read(f.store, BLOCKLOG_AREA_SAFETY, 0,
				      blocklog_safety_offset(4, 0), ret_slot,
				      BLOCKLOG_SAFETY_SLOT_BYTES),
		   0);
	fixture_end(&f);
}

/*
 * Two lives write a record each into one slot, and both writes are torn in copy 1: the first
 * leaves its first sector, the second its last one, which is the same in both records.
 */
static void two_torn_writes_do_not_make_one_whole_record(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t first[BLOCKLOG_SAFETY_SLOT_BYTES];
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t second[BLOCKLOG_SAFETY_SLOT_BYTES];
	struct fixture f;
	const void *found;
	size_t count;

	make_fourth("first", first);
	make_fourth("second", second);
	safety_start(&f, 3);
	tear_next(&f, 4, 1, first, 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	tear_next(&f, 4, 0, second, 0);
	tear_next(&f, 4, 0, second, 1);
	tear_next(&f, 4, 1, second, 1);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_REQUIRE(blocklog_store_safety(f.store, &found, &count) == 0);
	UNIT_CHECK(memcmp(found, "second", 6) == 0);
	fixture_end(&f);
}

static void two_newest_records_that_differ_make_an_observer(void)
{
	struct fixture f;
	const void *bytes;
	size_t count;

	rewrite_third(&f, false, 0);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), ERR_NOT_FOUND);
	fixture_end(&f);
}

static void a_newest_record_that_does_not_follow_the_one_before_makes_an_observer(void)
{
	struct fixture f;
	const void *bytes;
	size_t count;

	rewrite_third(&f, true, 1);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), ERR_NOT_FOUND);
	fixture_end(&f);
}

static void a_safety_record_is_never_written_over_the_newest_one(void)
{
	struct fixture f;

	safety_start(&f, 2 * BLOCKLOG_SAFETY_SLOTS);
	for (uint32_t i = 0; i < 2 * BLOCKLOG_SAFETY_SLOTS; i++) {
		(void)fixture_append(&f, BLOCKLOG_SAFETY);
		sim_disk_next_write(f.disk, BLOCKLOG_AREA_SAFETY, SIM_DISK_WRITE_ERROR);
		sim_disk_cut_after(f.disk, 0, false);
		fixture_turn(&f);
		fixture_turn(&f);
		sim_disk_crash(f.disk);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_CHECK(fixture_safety_is_newest(&f));
		fixture_fill(&f, BLOCKLOG_SAFETY, 1);
	}
	fixture_end(&f);
}

/* ---- reads that fail ---- */

/* The disk's own reads, but for the first `failures` of each slot of `copies`. */
struct bad_reads {
	struct fixture *fixture;
	uint32_t failures;
	uint32_t copies; /* as bits */
	uint32_t failed[BLOCKLOG_SAFETY_COPIES][BLOCKLOG_SAFETY_SLOTS];
};

static int bad_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		    void *ret_bytes, size_t count)
{
	struct bad_reads *bad = context;
	uint32_t copy = offset >= BLOCKLOG_SAFETY_REGION_BYTES;
	uint64_t slot = offset % BLOCKLOG_SAFETY_REGION_BYTES / BLOCKLOG_SAFETY_SLOT_BYTES;

	if ((bad->copies >> copy & 1) && bad->failed[copy][slot] < bad->failures) {
		bad->failed[copy][slot]++;
		return -EIO;
	}
	return blocklog_sync_read(bad->fixture->store, area, segment, offset, ret_bytes, count);
}

static int recover_badly(struct fixture *f, uint32_t failures, uint32_t copies,
			 uint64_t *ret_sequence)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[BLOCKLOG_SAFETY_SLOT_BYTES];
	static uint8_t record[BLOCKLOG_SAFETY_SLOT_BYTES];
	struct bad_reads bad = { .fixture = f, .failures = failures, .copies = copies };
	struct blocklog_source source = { .context = &bad, .read = bad_read };
	struct blocklog_safety_found found = { 0 };
	int code = blocklog_recover_safety(&source, &f->store->key, window, record, &found);

	*ret_sequence = found.head.sequence;
	return code;
}

static void a_read_error_that_passes_does_no_harm(void)
{
	struct fixture f;
	uint64_t sequence;

	safety_start(&f, 5);
	UNIT_EQUAL(recover_badly(&f, BLOCKLOG_SAFETY_READS - 1, 3, &sequence), 0);
	UNIT_EQUAL(sequence, 5);
	UNIT_EQUAL(recover_badly(&f, 1000, 1, &sequence), 0);
	UNIT_EQUAL(sequence, 5);
	UNIT_EQUAL(recover_badly(&f, 1000, 3, &sequence), ERR_NOT_FOUND);
	fixture_end(&f);
}

UNIT_SUITE("blocklog_recover_safety", UNIT_TEST(a_damaged_safety_copy_is_repaired_from_the_other),
	   UNIT_TEST(the_slots_wrap_round_and_the_newest_record_is_found),
	   UNIT_TEST(without_any_readable_safety_record_the_node_is_an_observer),
	   UNIT_TEST(an_unreadable_next_slot_makes_an_observer_not_an_older_record),
	   UNIT_TEST(two_torn_writes_do_not_make_one_whole_record),
	   UNIT_TEST(two_newest_records_that_differ_make_an_observer),
	   UNIT_TEST(a_newest_record_that_does_not_follow_the_one_before_makes_an_observer),
	   UNIT_TEST(a_safety_record_is_never_written_over_the_newest_one),
	   UNIT_TEST(a_read_error_that_passes_does_no_harm))
