#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

enum { GROUPS_FILLED = 24 };

static uint64_t segment_of(uint64_t position)
{
	return position / FIXTURE_SEGMENT_BYTES;
}

static void flip(struct fixture *f, enum blocklog_log log, uint64_t position)
{
	sim_disk_flip(f->disk, blocklog_area_of(log), segment_of(position),
		      position % FIXTURE_SEGMENT_BYTES, 0x04);
}

/* A copy of some bytes of the file over others, as a misdirected write leaves them. */
static void copy_page(struct fixture *f, enum blocklog_area area, uint64_t from, uint64_t to)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];

	UNIT_EQUAL(blocklog_sync_read(f->store, area, 0, from, page, sizeof(page)), 0);
	UNIT_EQUAL(blocklog_sync_write(f->store, area, 0, to, page, sizeof(page)), 0);
}

static int ignore_record(void *context, uint16_t kind, uint64_t position, const void *bytes,
			 size_t count)
{
	(void)context;
	(void)kind;
	(void)position;
	(void)bytes;
	(void)count;
	return 0;
}

/* ---- damage and torn tails ---- */

static void damage_before_the_last_group_is_never_cut(void)
{
	struct fixture f;
	uint64_t end;
	char reason[BLOCKLOG_REASON_BYTES];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 9);
	UNIT_REQUIRE(f.position[8] < FIXTURE_SEGMENT_BYTES);
	end = f.position[8];
	for (uint64_t at = 0; at < end; at += 137) {
		flip(&f, BLOCKLOG_LANE, at);
		UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
		blocklog_store_reason(f.memory, ERR_CORRUPT, reason, sizeof(reason));
		UNIT_CHECK(strstr(reason, "lane log") != NULL);
		flip(&f, BLOCKLOG_LANE, at);
	}
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	fixture_end(&f);
}

static void an_unreadable_page_in_the_middle_is_damage(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_BLOCK, 6);
	sim_disk_spoil(f.disk, BLOCKLOG_AREA_BLOCK, 0, f.position[3]);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	fixture_end(&f);
}

static void damage_in_an_older_segment_is_found_by_a_scan_at_its_place(void)
{
	struct fixture f;
	uint64_t middle;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3 * GROUPS_FILLED);
	middle = f.position[GROUPS_FILLED / 2];
	UNIT_REQUIRE(segment_of(blocklog_store_durable_end(f.store, BLOCKLOG_LANE)) >
		     segment_of(middle));
	flip(&f, BLOCKLOG_LANE, middle + 3);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_scan(f.store, BLOCKLOG_LANE, 0, ignore_record, NULL),
		   ERR_CORRUPT);
	UNIT_EQUAL(f.store->refusal.position, middle);
	fixture_end(&f);
}

static void a_damaged_segment_record_is_never_taken_for_an_unused_segment(void)
{
	struct fixture f;
	uint64_t second = 0;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 2 * GROUPS_FILLED);
	second = segment_of(blocklog_store_durable_end(f.store, BLOCKLOG_LANE));
	UNIT_REQUIRE(second >= 1);
	UNIT_REQUIRE(blocklog_store_durable_end(f.store, BLOCKLOG_LANE) % FIXTURE_SEGMENT_BYTES >
		     4 * BLOCKLOG_PAGE_BYTES);
	flip(&f, BLOCKLOG_LANE, second * FIXTURE_SEGMENT_BYTES + 80);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	fixture_end(&f);
}

static void a_damaged_last_group_is_cut_when_nothing_vouches_for_it(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 5);
	flip(&f, BLOCKLOG_LANE, f.position[4] + 5);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 4);
	UNIT_CHECK(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE] > 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE], 0);
	fixture_end(&f);
}

static void a_later_safety_record_vouches_for_the_last_group(void)
{
	static const enum blocklog_log logs[] = { BLOCKLOG_LANE, BLOCKLOG_BLOCK };

	for (uint32_t i = 0; i < 2; i++) {
		struct fixture f;

		fixture_start(&f, 1);
		fixture_fill(&f, logs[i], 5);
		fixture_fill(&f, BLOCKLOG_SAFETY, 1);
		flip(&f, logs[i], f.position[4] + 5);
		UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
		fixture_end(&f);
	}
}

static void a_lost_write_is_found(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	sim_disk_next_write(f.disk, BLOCKLOG_AREA_LANE, SIM_DISK_LOSE);
	fixture_fill(&f, BLOCKLOG_LANE, 4);
	UNIT_EQUAL(f.done_count, 7);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	UNIT_EQUAL(f.memory_bytes, blocklog_store_footprint(&f.config));
	fixture_end(&f);
}

static void a_misdirected_write_is_found(void)
{
	uint32_t found = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fixture f;

		fixture_start(&f, seed);
		fixture_fill(&f, BLOCKLOG_LANE, 3);
		sim_disk_next_write(f.disk, BLOCKLOG_AREA_LANE, SIM_DISK_MISDIRECT);
		fixture_fill(&f, BLOCKLOG_LANE, 4);
		/* In one case of sixteen it goes where it should have gone. */
		if (fixture_open(&f) == ERR_CORRUPT)
			found++;
		else
			UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
		fixture_end(&f);
	}
	UNIT_CHECK(found >= 15);
}

static void a_record_copied_to_another_place_is_not_accepted(void)
{
	struct fixture f;
	uint64_t end;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 4);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	copy_page(&f, BLOCKLOG_AREA_LANE, f.position[3], end);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 4);
	UNIT_EQUAL(blocklog_store_durable_end(f.store, BLOCKLOG_LANE), end);
	fixture_end(&f);
}

static void a_record_of_the_other_log_is_not_accepted(void)
{
	struct fixture f;
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 1);
	UNIT_EQUAL(blocklog_sync_read(f.store, BLOCKLOG_AREA_LANE, 0, 0, page, sizeof(page)), 0);
	UNIT_EQUAL(blocklog_sync_write(f.store, BLOCKLOG_AREA_BLOCK, 0, 0, page, sizeof(page)), 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_durable_end(f.store, BLOCKLOG_BLOCK), 0);
	UNIT_CHECK(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_BLOCK] > 0);
	fixture_end(&f);
}

/* An old version of a page comes back: valid in itself, and in the right place. */
static void a_page_rolled_back_breaks_the_chain(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t old[BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	uint64_t place;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	place = f.position[2];
	UNIT_EQUAL(blocklog_sync_read(f.store, BLOCKLOG_AREA_LANE, 0, place, old, sizeof(old)), 0);
	flip(&f, BLOCKLOG_LANE, place);
	UNIT_EQUAL(fixture_open(&f), 0);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	UNIT_EQUAL(f.position[3], place);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_sync_write(f.store, BLOCKLOG_AREA_LANE, 0, place, old, sizeof(old)), 0);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	fixture_end(&f);
}

static void a_missing_segment_is_damage(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3 * GROUPS_FILLED);
	sim_disk_lose_file(f.disk, BLOCKLOG_AREA_LANE, 1);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	fixture_end(&f);
}

/*
 * Stale pieces of a torn group must not come back after the log went over them: cut,
 * append something shorter, cut again.
 */
static void what_was_cut_never_comes_back(void)
{
	uint32_t torn = 0;

	for (uint64_t cut = 1; cut < 30; cut++) {
		struct fixture f;

		fixture_start(&f, cut);
		fixture_fill(&f, BLOCKLOG_LANE, 2);
		for (uint32_t i = 0; i < 12; i++)
			(void)fixture_append(&f, BLOCKLOG_LANE);
		sim_disk_cut_after(f.disk, cut, true);
		fixture_settle(&f);
		sim_disk_crash(f.disk);
		UNIT_EQUAL(fixture_open(&f), 0);
		torn += blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE] > 0;
		UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
		fixture_fill(&f, BLOCKLOG_LANE, 1);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE], 0);
		UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
		fixture_end(&f);
	}
	UNIT_CHECK(torn > 10);
}

/* ---- records that are whole and do not belong ---- */

/* Seals `head` over `bytes` and puts its pages where the head says, in the lane log. */
static void put_record(struct fixture *f, struct blocklog_head *head, const void *bytes)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t pages[2 * BLOCKLOG_PAGE_BYTES];

	UNIT_REQUIRE(head->length <= sizeof(pages) - BLOCKLOG_HEAD_BYTES);
	memset(pages, 0, sizeof(pages));
	memcpy(pages + BLOCKLOG_HEAD_BYTES, bytes, head->length);
	blocklog_record_seal(&f->store->key, head, pages);
	UNIT_EQUAL(blocklog_sync_write(f->store, BLOCKLOG_AREA_LANE,
				       head->position / FIXTURE_SEGMENT_BYTES,
				       head->position % FIXTURE_SEGMENT_BYTES, pages,
				       (size_t)units_round_up(blocklog_span(head->length),
							      BLOCKLOG_PAGE_BYTES)),
		   0);
}

enum segment_fault {
	SEGMENT_RIGHT,
	SEGMENT_OF_ANOTHER_SIZE,
	SEGMENT_OF_ANOTHER_NUMBER,
	SEGMENT_BEFORE_ITS_LOG,
	SEGMENT_TOO_SHORT,
	SEGMENT_OF_THE_APPLICATION,
	SEGMENT_FAULTS,
};

static void a_segment_record_is_accepted_only_where_it_belongs(void)
{
	for (uint32_t fault = SEGMENT_RIGHT; fault < SEGMENT_FAULTS; fault++) {
		uint8_t bytes[BLOCKLOG_PAGE_BYTES - BLOCKLOG_HEAD_BYTES];
		struct blocklog_head head = { .log = BLOCKLOG_LANE,
					      .kind = BLOCKLOG_KIND_SEGMENT,
					      .length = sizeof(bytes) };
		struct blocklog_segment segment = { .version = BLOCKLOG_FORMAT_VERSION,
						    .segment_bytes = FIXTURE_SEGMENT_BYTES };
		struct fixture f;

		fixture_start(&f, 1);
		segment.identity = f.config.identity;
		if (fault == SEGMENT_OF_ANOTHER_SIZE)
			segment.segment_bytes *= 2;
		if (fault == SEGMENT_OF_ANOTHER_NUMBER)
			segment.number = 1;
		if (fault == SEGMENT_BEFORE_ITS_LOG)
			segment.previous_end = BLOCKLOG_PAGE_BYTES;
		if (fault == SEGMENT_TOO_SHORT)
			head.length -= BLOCKLOG_HEAD_BYTES;
		if (fault == SEGMENT_OF_THE_APPLICATION)
			head.kind = 5;
		blocklog_segment_encode(&segment, bytes);
		put_record(&f, &head, bytes);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_EQUAL(blocklog_store_durable_end(f.store, BLOCKLOG_LANE),
			   fault == SEGMENT_RIGHT ? BLOCKLOG_PAGE_BYTES : 0);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE],
			   fault == SEGMENT_RIGHT ? 0 : BLOCKLOG_PAGE_BYTES);
		fixture_end(&f);
	}
}

static void a_segment_record_in_the_middle_of_a_segment_ends_the_log_before_it(void)
{
	struct fixture f;
	uint8_t bytes[BLOCKLOG_PAGE_BYTES - BLOCKLOG_HEAD_BYTES];
	struct blocklog_segment segment = { .version = BLOCKLOG_FORMAT_VERSION,
					    .segment_bytes = FIXTURE_SEGMENT_BYTES };
	struct blocklog_head head = { .log = BLOCKLOG_LANE,
				      .kind = BLOCKLOG_KIND_SEGMENT,
				      .length = sizeof(bytes) };

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	head.position = f.store->lines[0].end;
	head.sequence = f.store->lines[0].sequence;
	head.previous = f.store->lines[0].previous;
	segment.identity = f.config.identity;
	segment.previous_end = head.position;
	blocklog_segment_encode(&segment, bytes);
	put_record(&f, &head, bytes);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_durable_end(f.store, BLOCKLOG_LANE), head.position);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE],
		   BLOCKLOG_PAGE_BYTES);
	fixture_end(&f);
}

static void a_record_out_of_sequence_ends_the_log_before_it(void)
{
	for (uint32_t skipped = 0; skipped < 2; skipped++) {
		struct fixture f;
		struct blocklog_head head = { .log = BLOCKLOG_LANE, .kind = 5, .length = 100 };
		uint8_t bytes[100] = { 1 };

		fixture_start(&f, 1);
		fixture_fill(&f, BLOCKLOG_LANE, 3);
		head.position = f.store->lines[0].end;
		head.sequence = f.store->lines[0].sequence + skipped;
		head.previous = f.store->lines[0].previous;
		put_record(&f, &head, bytes);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE],
			   skipped ? 3 : 4);
		fixture_end(&f);
	}
}

/* The head of a record behind the end can be read, its second page cannot. */
static void an_unreadable_page_behind_the_end_is_damage(void)
{
	struct fixture f;
	struct blocklog_head head = { .log = BLOCKLOG_LANE, .kind = 5, .length = 6000 };
	static uint8_t bytes[6000] = { 1 };
	uint64_t end;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	end = f.store->lines[0].end;
	head.position = end + BLOCKLOG_PAGE_BYTES;
	put_record(&f, &head, bytes);
	sim_disk_spoil(f.disk, BLOCKLOG_AREA_LANE, 0, head.position + BLOCKLOG_PAGE_BYTES);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	UNIT_EQUAL(blocklog_store_at(f.memory)->refusal.position, end);
	fixture_end(&f);
}

/* The first segment is there no more and the prepared one holds nothing: where did the log end? */
static void a_log_whose_used_segments_are_gone_is_damage(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 3);
	UNIT_REQUIRE(f.store->lines[0].segment_end == 2);
	sim_disk_lose_file(f.disk, BLOCKLOG_AREA_LANE, 0);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	fixture_end(&f);
}

/* ---- superblock and safety record ---- */

static void the_superblock_of_highest_sequence_counts(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	struct blocklog_superblock superblock;
	struct blocklog_superblock found;

	for (uint64_t copy = 0; copy < BLOCKLOG_SUPER_COPIES; copy++) {
		fixture_start(&f, 1);
		superblock = f.store->superblock;
		superblock.sequence++;
		superblock.checkpoint_height = 77;
		blocklog_superblock_encode(&superblock, page);
		UNIT_EQUAL(blocklog_sync_write(f.store, BLOCKLOG_AREA_SUPER, 0,
					       copy * BLOCKLOG_SUPER_STRIDE_BYTES, page,
					       BLOCKLOG_PAGE_BYTES),
			   0);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_EQUAL(f.store->superblock.checkpoint_height, 77);
		for (uint64_t i = 0; i < BLOCKLOG_SUPER_COPIES; i++) {
			UNIT_EQUAL(blocklog_sync_read(f.store, BLOCKLOG_AREA_SUPER, 0,
						      i * BLOCKLOG_SUPER_STRIDE_BYTES, page,
						      BLOCKLOG_PAGE_BYTES),
				   0);
			UNIT_EQUAL(blocklog_superblock_decode(page, &found), 0);
			UNIT_EQUAL(found.sequence, superblock.sequence);
		}
		fixture_end(&f);
	}
}

static void a_safety_record_without_its_prefix_is_torn(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t slot[BLOCKLOG_SAFETY_SLOT_BYTES];

	for (uint32_t is_short = 0; is_short < 2; is_short++) {
		struct fixture f;
		struct blocklog_head head = { .log = BLOCKLOG_SAFETY,
					      .length = BLOCKLOG_SAFETY_PREFIX_BYTES,
					      .position = blocklog_safety_position(1),
					      .sequence = 1 };

		fixture_start(&f, 1);
		head.length -= is_short;
		head.previous = f.store->safety.previous;
		memset(slot, 0, sizeof(slot));
		blocklog_record_seal(&f.store->key, &head, slot);
		for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++)
			UNIT_EQUAL(blocklog_sync_write(f.store, BLOCKLOG_AREA_SAFETY, 0,
						       blocklog_safety_offset(1, copy), slot,
						       sizeof(slot)),
				   0);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_SAFETY],
			   is_short ? 1 : 2);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_SAFETY],
			   is_short ? 2 * BLOCKLOG_SAFETY_SLOT_BYTES : 0);
		fixture_end(&f);
	}
}

/* A disk that reads every slot well the first time; then `failures` reads go wrong. */
struct tired_disk {
	struct blocklog_source disk;
	uint32_t reads;
	uint32_t failures;
};

static int tired_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		      void *ret_bytes, size_t count)
{
	struct tired_disk *tired = context;

	tired->reads++;
	if (tired->reads > BLOCKLOG_SAFETY_COPIES * BLOCKLOG_SAFETY_SLOTS && tired->failures > 0) {
		tired->failures--;
		return -EIO;
	}
	return tired->disk.read(tired->disk.context, area, segment, offset, ret_bytes, count);
}

static void a_safety_record_that_cannot_be_read_again_comes_from_the_other_copy(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[BLOCKLOG_SAFETY_SLOT_BYTES];
	static uint8_t record[BLOCKLOG_SAFETY_SLOT_BYTES];
	struct fixture f;
	uint8_t right[FIXTURE_RECORD_MAX];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_SAFETY, 4);
	for (uint32_t copies = 0; copies <= BLOCKLOG_SAFETY_COPIES; copies++) {
		struct tired_disk tired = { .disk = sim_disk_stable(f.disk),
					    .failures = copies * BLOCKLOG_SAFETY_READS };
		struct blocklog_source source = { .context = &tired, .read = tired_read };
		struct blocklog_safety_found found;
		int code = blocklog_recover_safety(&source, &f.store->key, window, record, &found);

		UNIT_EQUAL(code, copies < BLOCKLOG_SAFETY_COPIES ? 0 : ERR_NOT_FOUND);
		if (code != 0)
			continue;
		UNIT_EQUAL(found.head.sequence, 4);
		UNIT_CHECK(memcmp(record + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES,
				  right, fixture_record(3, right)) == 0);
	}
	fixture_end(&f);
}

/* ---- cursors ---- */

static struct blocklog_cursor cursor_make(struct fixture *f, const struct blocklog_source *source,
					  void *window, size_t window_bytes)
{
	struct blocklog_cursor cursor;

	blocklog_cursor_init(&cursor, source, &f->store->key, BLOCKLOG_LANE, FIXTURE_SEGMENT_BYTES,
			     window, window_bytes);
	return cursor;
}

static void a_cursor_started_anywhere_reads_on_over_segment_ends(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[8 * BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	struct blocklog_source source;
	uint64_t end;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 2 * GROUPS_FILLED);
	source = sim_disk_stable(f.disk);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	for (uint64_t first = 0; first < f.tickets; first++) {
		struct blocklog_cursor cursor = cursor_make(&f, &source, window, sizeof(window));
		struct blocklog_record record;
		uint64_t ticket = first;

		blocklog_cursor_seek(&cursor, f.position[first]);
		while (blocklog_cursor_next(&cursor, end, &record) == 1)
			UNIT_EQUAL(record.head.position, f.position[ticket++]);
		UNIT_EQUAL(ticket, f.tickets);
		UNIT_EQUAL(cursor.position, end);
		UNIT_EQUAL(cursor.sequence, f.tickets);
	}
	fixture_end(&f);
}

static void a_cursor_may_start_where_the_last_one_ended(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[8 * BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	struct blocklog_source source;
	uint64_t ends[2 * GROUPS_FILLED];

	fixture_start(&f, 1);
	for (uint32_t i = 0; i < 2 * GROUPS_FILLED; i++) {
		fixture_fill(&f, BLOCKLOG_LANE, 1);
		ends[i] = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	}
	source = sim_disk_stable(f.disk);
	for (uint32_t i = 0; i + 1 < 2 * GROUPS_FILLED; i++) {
		struct blocklog_cursor cursor = cursor_make(&f, &source, window, sizeof(window));
		struct blocklog_record record;

		blocklog_cursor_seek(&cursor, ends[i]);
		UNIT_EQUAL(blocklog_cursor_next(&cursor, ends[i + 1], &record), 1);
		UNIT_EQUAL(record.head.position, f.position[i + 1]);
	}
	fixture_end(&f);
}

/* The next segment says where the one before ended; anywhere else is damage, not an end. */
static void a_cursor_started_at_a_segments_end_goes_on_only_from_there(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[8 * BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	struct blocklog_source source;
	struct blocklog_record record;
	uint8_t bytes[FIXTURE_RECORD_MAX];
	uint64_t last;
	uint64_t end;

	fixture_start(&f, 1);
	while (blocklog_store_durable_end(f.store, BLOCKLOG_LANE) <
	       FIXTURE_SEGMENT_BYTES - BLOCKLOG_PAGE_BYTES)
		fixture_fill(&f, BLOCKLOG_LANE, 1);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	UNIT_REQUIRE(end < FIXTURE_SEGMENT_BYTES);
	/* A record that does not fit the page that is left. */
	while (fixture_record(f.tickets, bytes) < BLOCKLOG_PAGE_BYTES)
		f.tickets++;
	last = f.tickets;
	fixture_fill(&f, BLOCKLOG_LANE, 1);
	UNIT_EQUAL(segment_of(f.position[last]), 1);
	source = sim_disk_stable(f.disk);
	for (uint64_t shift = 0; shift < 2; shift++) {
		struct blocklog_cursor cursor = cursor_make(&f, &source, window, sizeof(window));

		blocklog_cursor_seek(&cursor, end + shift * BLOCKLOG_HEAD_BYTES);
		UNIT_EQUAL(blocklog_cursor_next(&cursor,
						blocklog_store_durable_end(f.store, BLOCKLOG_LANE),
						&record),
			   shift ? ERR_CORRUPT : 1);
		UNIT_CHECK(shift || record.head.position == f.position[last]);
	}
	fixture_end(&f);
}

static void a_cursor_at_no_record_reports_damage_not_a_record(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[8 * BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	struct blocklog_source source;
	struct blocklog_record record;
	uint64_t end;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 5);
	source = sim_disk_stable(f.disk);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	for (uint64_t at = 1; at < end; at += 61) {
		struct blocklog_cursor cursor = cursor_make(&f, &source, window, sizeof(window));
		int code;

		blocklog_cursor_seek(&cursor, at);
		code = blocklog_cursor_next(&cursor, end, &record);
		UNIT_CHECK(code == ERR_CORRUPT || at % BLOCKLOG_HEAD_BYTES == 0);
	}
	fixture_end(&f);
}

static void a_cursor_reads_nothing_behind_the_end_it_was_given(void)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t window[8 * BLOCKLOG_PAGE_BYTES];
	struct fixture f;
	struct blocklog_source source;
	struct blocklog_cursor cursor;
	struct blocklog_record record;
	uint64_t end;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_LANE, 1);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	fixture_fill(&f, BLOCKLOG_LANE, 1);
	source = sim_disk_stable(f.disk);
	cursor = cursor_make(&f, &source, window, sizeof(window));
	UNIT_EQUAL(blocklog_cursor_next(&cursor, end, &record), 1);
	UNIT_EQUAL(blocklog_cursor_next(&cursor, end, &record), 0);
	UNIT_EQUAL(cursor.position, end);
	UNIT_EQUAL(blocklog_cursor_step(&cursor, &record), 0);
	cursor.limit = UINT64_MAX;
	UNIT_EQUAL(blocklog_cursor_step(&cursor, &record), 1);
	fixture_end(&f);
}

UNIT_SUITE("blocklog_recover", UNIT_TEST(damage_before_the_last_group_is_never_cut),
	   UNIT_TEST(an_unreadable_page_in_the_middle_is_damage),
	   UNIT_TEST(damage_in_an_older_segment_is_found_by_a_scan_at_its_place),
	   UNIT_TEST(a_damaged_segment_record_is_never_taken_for_an_unused_segment),
	   UNIT_TEST(a_damaged_last_group_is_cut_when_nothing_vouches_for_it),
	   UNIT_TEST(a_later_safety_record_vouches_for_the_last_group),
	   UNIT_TEST(a_lost_write_is_found), UNIT_TEST(a_misdirected_write_is_found),
	   UNIT_TEST(a_record_copied_to_another_place_is_not_accepted),
	   UNIT_TEST(a_record_of_the_other_log_is_not_accepted),
	   UNIT_TEST(a_page_rolled_back_breaks_the_chain), UNIT_TEST(a_missing_segment_is_damage),
	   UNIT_TEST(what_was_cut_never_comes_back),
	   UNIT_TEST(a_cursor_started_anywhere_reads_on_over_segment_ends),
	   UNIT_TEST(a_cursor_may_start_where_the_last_one_ended),
	   UNIT_TEST(a_cursor_started_at_a_segments_end_goes_on_only_from_there),
	   UNIT_TEST(a_cursor_at_no_record_reports_damage_not_a_record),
	   UNIT_TEST(a_cursor_reads_nothing_behind_the_end_it_was_given),
	   UNIT_TEST(a_segment_record_is_accepted_only_where_it_belongs),
	   UNIT_TEST(a_segment_record_in_the_middle_of_a_segment_ends_the_log_before_it),
	   UNIT_TEST(a_record_out_of_sequence_ends_the_log_before_it),
	   UNIT_TEST(an_unreadable_page_behind_the_end_is_damage),
	   UNIT_TEST(a_log_whose_used_segments_are_gone_is_damage),
	   UNIT_TEST(the_superblock_of_highest_sequence_counts),
	   UNIT_TEST(a_safety_record_without_its_prefix_is_torn),
	   UNIT_TEST(a_safety_record_that_cannot_be_read_again_comes_from_the_other_copy))
