#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

static void records_of_one_group_follow_each_other_from_a_page_boundary(void)
{
	struct fixture f;
	uint64_t expected = BLOCKLOG_PAGE_BYTES; /* behind the SEGMENT record */
	uint8_t bytes[FIXTURE_RECORD_MAX];

	fixture_start(&f, 1);
	for (uint32_t i = 0; i < 4; i++) {
		UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
		UNIT_EQUAL(f.position[i], expected);
		expected += blocklog_span(fixture_record(i, bytes));
	}
	fixture_settle(&f);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
	UNIT_EQUAL(f.position[4] % BLOCKLOG_PAGE_BYTES, 0);
	UNIT_CHECK(f.position[4] >= expected);
	UNIT_EQUAL(f.position[4], blocklog_store_durable_end(f.store, BLOCKLOG_LANE));
	fixture_end(&f);
}

static void a_record_beyond_the_limit_is_refused_and_the_largest_is_not(void)
{
	struct fixture f;
	uint64_t limit = FIXTURE_GROUP_BYTES - BLOCKLOG_PAGE_BYTES;
	uint8_t *bytes = calloc(1, FIXTURE_GROUP_BYTES);
	uint64_t position;

	fixture_start(&f, 1);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 1, bytes, limit + 1, 0, &position),
		   ERR_OVERSIZE);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 1, bytes, limit, 0, &position), 0);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_SAFETY, 1, bytes,
					 BLOCKLOG_SAFETY_BYTES_MAX + 1, 0, &position),
		   ERR_OVERSIZE);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_SAFETY, 1, bytes,
					 BLOCKLOG_SAFETY_BYTES_MAX, 1, &position),
		   0);
	f.tickets = 2;
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, 2);
	UNIT_EQUAL(fixture_open(&f), 0);
	fixture_end(&f);
	free(bytes);
}

static void an_empty_record_is_a_record(void)
{
	struct fixture f;
	uint64_t position;
	uint8_t buffer[1];

	fixture_start(&f, 1);
	UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_BLOCK, 5, NULL, 0, 0, &position), 0);
	f.tickets = 1;
	fixture_settle(&f);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_BLOCK], 1);
	UNIT_EQUAL(blocklog_store_read(f.store, BLOCKLOG_BLOCK, position, buffer, 1, 9), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.read.code, 0);
	UNIT_EQUAL(f.read.count, 0);
	UNIT_EQUAL(f.read.record_kind, 5);
	fixture_end(&f);
}

static void append_says_full_when_nothing_turns_and_takes_more_after_turns(void)
{
	struct fixture f;
	uint32_t taken = 0;

	fixture_start(&f, 1);
	while (fixture_append(&f, BLOCKLOG_LANE) == 0)
		UNIT_REQUIRE(++taken < 1000);
	UNIT_CHECK(taken > 20);
	UNIT_EQUAL(blocklog_store_condition(f.store), 0);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_BLOCK), 0);
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, taken + 1);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_LANE), 0);
	fixture_settle(&f);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	fixture_end(&f);
}

static void the_tickets_of_one_group_are_bounded(void)
{
	struct fixture f;
	uint64_t position;

	fixture_prepare(&f, 1);
	f.config.segment_bytes = 1 << 20;
	f.config.group_bytes_max = 1 << 18;
	f.memory_bytes = blocklog_store_footprint(&f.config);
	f.memory = realloc(f.memory, f.memory_bytes);
	UNIT_EQUAL(fixture_format(&f), 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	for (uint64_t i = 0; i < 2000; i++) {
		UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 1, "abc", 3, i, &position),
			   0);
		f.tickets++;
	}
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, 2000);
	UNIT_EQUAL(blocklog_store_counters(f.store)->group_commits[BLOCKLOG_LANE],
		   (2000 + GROUP_TICKETS_MAX - 1) / GROUP_TICKETS_MAX);
	fixture_end(&f);
}

static void safety_tickets_are_bounded(void)
{
	struct fixture f;
	uint32_t taken = 0;

	fixture_start(&f, 1);
	while (fixture_append(&f, BLOCKLOG_SAFETY) == 0)
		taken++;
	UNIT_EQUAL(taken, SAFETY_TICKETS_MAX);
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, taken);
	fixture_end(&f);
}

static void a_log_refuses_to_grow_beyond_its_segments(void)
{
	struct fixture f;
	int code = 0;
	uint32_t taken = 0;

	fixture_prepare(&f, 1);
	f.config.segments_max = 2;
	UNIT_EQUAL(fixture_format(&f), 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	while ((code = fixture_append(&f, BLOCKLOG_LANE)) == 0) {
		fixture_settle(&f);
		UNIT_REQUIRE(++taken < 1000);
	}
	UNIT_EQUAL(code, ERR_FULL);
	UNIT_EQUAL(blocklog_store_condition(f.store), ERR_FULL);
	UNIT_EQUAL(f.done_count, taken);
	UNIT_EQUAL(fixture_append(&f, BLOCKLOG_BLOCK), 0);
	fixture_settle(&f);
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
	UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_BLOCK));
	fixture_end(&f);
}

static void a_full_log_has_used_all_its_segments_and_no_more(void)
{
	struct fixture f;
	const struct blocklog_line *line;
	uint64_t end;

	fixture_prepare(&f, 1);
	f.config.segments_max = 3;
	UNIT_EQUAL(fixture_format(&f), 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	while (fixture_append(&f, BLOCKLOG_LANE) == 0)
		fixture_settle(&f);
	line = blocklog_line_of(f.store, BLOCKLOG_LANE);
	end = blocklog_store_durable_end(f.store, BLOCKLOG_LANE);
	UNIT_EQUAL(line->segment_end - line->segment_first, 3);
	UNIT_CHECK(end > 2 * FIXTURE_SEGMENT_BYTES && end <= 3 * FIXTURE_SEGMENT_BYTES);
	fixture_end(&f);
}

/* ---- borrowed bytes ---- */

struct loan {
	uint8_t *area;
	uint8_t *bytes;
};

static struct loan loan_make(size_t count, uint8_t fill)
{
	size_t room = 2 * BLOCKLOG_PAGE_BYTES +
		      (count + BLOCKLOG_PAGE_BYTES - 1) / BLOCKLOG_PAGE_BYTES * BLOCKLOG_PAGE_BYTES;
	struct loan loan = { .area = aligned_alloc(BLOCKLOG_PAGE_BYTES, room) };

	memset(loan.area, 0xee, room);
	loan.bytes = loan.area + BLOCKLOG_PAGE_BYTES;
	memset(loan.bytes, fill, count);
	return loan;
}

static void read_back(struct fixture *f, uint64_t position, size_t count, uint8_t fill)
{
	uint8_t *buffer = calloc(1, count + 1);
	bool is_right = true;

	UNIT_EQUAL(blocklog_store_read(f->store, BLOCKLOG_LANE, position, buffer, count, 77), 0);
	fixture_settle(f);
	UNIT_EQUAL(f->read.code, 0);
	UNIT_EQUAL(f->read.count, count);
	for (size_t i = 0; i < count; i++)
		is_right = is_right && buffer[i] == fill;
	UNIT_CHECK(is_right);
	free(buffer);
}

static void borrowed_bytes_of_any_size_are_written_in_place_on_their_page(void)
{
	static const size_t sizes[] = { 0,    1,    63,   64,   65,   4031, 4032,
					4033, 4095, 4096, 4097, 8000, 8192, 12288 };

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fixture f;
		struct loan loan = loan_make(sizes[i], (uint8_t)(i + 1));
		uint64_t position[3];

		fixture_start(&f, i);
		f.tickets = 3;
		UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 1, "before", 6, 0,
						 &position[0]),
			   0);
		UNIT_EQUAL(blocklog_store_append_borrowed(f.store, BLOCKLOG_LANE, 2, loan.bytes,
							  sizes[i], 1, &position[1]),
			   0);
		UNIT_EQUAL(blocklog_store_append(f.store, BLOCKLOG_LANE, 3, "after", 5, 2,
						 &position[2]),
			   0);
		UNIT_EQUAL((position[1] + BLOCKLOG_HEAD_BYTES) % BLOCKLOG_PAGE_BYTES, 0);
		fixture_settle(&f);
		UNIT_EQUAL(f.done_count, 3);
		UNIT_EQUAL(fixture_open(&f), 0);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 3);
		UNIT_EQUAL(blocklog_store_recovery(f.store)->torn_bytes[BLOCKLOG_LANE], 0);
		read_back(&f, position[1], sizes[i], (uint8_t)(i + 1));
		fixture_end(&f);
		free(loan.area);
	}
}

static void many_borrowed_records_need_several_groups_and_all_arrive(void)
{
	struct fixture f;
	struct loan loans[12];
	uint64_t position[12];

	fixture_start(&f, 1);
	for (uint32_t i = 0; i < 12; i++) {
		loans[i] = loan_make(3000, (uint8_t)(i + 1));
		while (blocklog_store_append_borrowed(f.store, BLOCKLOG_LANE, 1, loans[i].bytes,
						      3000, i, &position[i]) == ERR_FULL)
			fixture_turn(&f);
		f.tickets = i + 1;
	}
	fixture_settle(&f);
	UNIT_EQUAL(f.done_count, 12);
	UNIT_CHECK(f.done_in_order);
	for (uint32_t i = 0; i < 12; i++) {
		read_back(&f, position[i], 3000, (uint8_t)(i + 1));
		free(loans[i].area);
	}
	fixture_end(&f);
}

static void misaligned(void *context)
{
	struct fixture *f = context;
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t area[3 * BLOCKLOG_PAGE_BYTES];
	uint64_t position;

	(void)blocklog_store_append_borrowed(f->store, BLOCKLOG_LANE, 1,
					     area + BLOCKLOG_PAGE_BYTES + 1, 5, 0, &position);
}

static void reserved_kind(void *context)
{
	struct fixture *f = context;
	uint64_t position;

	(void)blocklog_store_append(f->store, BLOCKLOG_LANE, BLOCKLOG_KIND_PAD, "x", 1, 0,
				    &position);
}

static void a_misaligned_loan_and_a_reserved_kind_are_our_own_fault(void)
{
	struct fixture f;

	fixture_start(&f, 1);
	UNIT_CHECK(unit_aborts(misaligned, &f));
	UNIT_CHECK(unit_aborts(reserved_kind, &f));
	fixture_end(&f);
}

UNIT_SUITE("blocklog_store_append",
	   UNIT_TEST(records_of_one_group_follow_each_other_from_a_page_boundary),
	   UNIT_TEST(a_record_beyond_the_limit_is_refused_and_the_largest_is_not),
	   UNIT_TEST(an_empty_record_is_a_record),
	   UNIT_TEST(append_says_full_when_nothing_turns_and_takes_more_after_turns),
	   UNIT_TEST(the_tickets_of_one_group_are_bounded), UNIT_TEST(safety_tickets_are_bounded),
	   UNIT_TEST(a_log_refuses_to_grow_beyond_its_segments),
	   UNIT_TEST(a_full_log_has_used_all_its_segments_and_no_more),
	   UNIT_TEST(borrowed_bytes_of_any_size_are_written_in_place_on_their_page),
	   UNIT_TEST(many_borrowed_records_need_several_groups_and_all_arrive),
	   UNIT_TEST(a_misaligned_loan_and_a_reserved_kind_are_our_own_fault))
