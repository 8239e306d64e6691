/* blocklog_store_open.c: operations that fail while a store is formatted, opened or scanned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

/* Hands everything on to the simulated disk; one operation of a kind on an area fails. */
struct faulty {
	struct blocklog_dev dev;
	struct blocklog_dev *disk;
	enum blocklog_io_kind kind;
	enum blocklog_area area;
	uint32_t passes; /* so many of them succeed first */
	bool is_armed;
	bool fails_now;
	int census_code;
};

static struct faulty *faulty_of(struct blocklog_dev *dev)
{
	return (struct faulty *)dev;
}

static void faulty_submit(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	struct faulty *faulty = faulty_of(dev);

	if (faulty->is_armed && io->kind == faulty->kind && io->area == faulty->area &&
	    faulty->passes-- == 0) {
		faulty->is_armed = false;
		faulty->fails_now = true;
	}
	blocklog_dev_submit(faulty->disk, io);
}

static void faulty_kick(struct blocklog_dev *dev, enum blocklog_queue queue)
{
	blocklog_dev_kick(faulty_of(dev)->disk, queue);
}

static uint32_t faulty_poll(struct blocklog_dev *dev, struct blocklog_io_done *ret_done,
			    uint32_t done_max)
{
	struct faulty *faulty = faulty_of(dev);
	uint32_t count = blocklog_dev_poll(faulty->disk, ret_done, done_max);

	if (count > 0 && faulty->fails_now) {
		ret_done[0].code = -EIO;
		faulty->fails_now = false;
	}
	return count;
}

static void faulty_wait(struct blocklog_dev *dev)
{
	blocklog_dev_wait(faulty_of(dev)->disk);
}

static int faulty_census(struct blocklog_dev *dev, enum blocklog_area area, uint64_t *ret_first,
			 uint64_t *ret_end)
{
	struct faulty *faulty = faulty_of(dev);

	return faulty->census_code != 0 ?
		       faulty->census_code :
		       blocklog_dev_census(faulty->disk, area, ret_first, ret_end);
}

static int faulty_register(struct blocklog_dev *dev, void *memory, size_t memory_bytes)
{
	return blocklog_dev_register_memory(faulty_of(dev)->disk, memory, memory_bytes);
}

static const struct blocklog_dev_ops faulty_ops = {
	.submit = faulty_submit,
	.kick = faulty_kick,
	.poll = faulty_poll,
	.wait = faulty_wait,
	.census = faulty_census,
	.register_memory = faulty_register,
};

static struct faulty faulty_make(struct fixture *f)
{
	return (struct faulty){ .dev = { .ops = &faulty_ops }, .disk = sim_disk_dev(f->disk) };
}

/* Opens over a disk on which the operation after `passes` others of its kind fails. */
static int open_with_fault(struct fixture *f, enum blocklog_io_kind kind, enum blocklog_area area,
			   uint32_t passes, bool *ret_was_hit)
{
	struct faulty faulty = faulty_make(f);
	int code;

	faulty.kind = kind;
	faulty.area = area;
	faulty.passes = passes;
	faulty.is_armed = true;
	blocklog_store_close(f->store);
	f->store = NULL;
	code = blocklog_store_open(&faulty.dev, &f->config, f->memory, f->memory_bytes, &f->store);
	*ret_was_hit = !faulty.is_armed;
	return code;
}

/* ---- format ---- */

static int format_with(struct fixture *f, int census_code)
{
	struct faulty faulty = faulty_make(f);

	faulty.census_code = census_code;
	return blocklog_store_format(&faulty.dev, &f->config, "zero", 4, f->memory,
				     f->memory_bytes);
}

static void format_says_why_it_could_not_look(void)
{
	struct fixture f;

	fixture_prepare(&f, 1);
	UNIT_EQUAL(format_with(&f, -EIO), -EIO);
	UNIT_EQUAL(format_with(&f, ERR_CORRUPT), ERR_DUPLICATE);
	UNIT_EQUAL(fixture_open(&f), ERR_NOT_FOUND);
	UNIT_EQUAL(format_with(&f, 0), 0);
	UNIT_EQUAL(fixture_open(&f), 0);
	fixture_end(&f);
}

static void format_refuses_what_does_not_fit_and_leaves_nothing_behind(void)
{
	static const uint8_t record[BLOCKLOG_SAFETY_BYTES_MAX + 1];
	struct fixture f;

	fixture_prepare(&f, 1);
	f.memory_bytes--;
	UNIT_EQUAL(fixture_format(&f), ERR_MEMORY);
	f.memory_bytes++;
	UNIT_EQUAL(blocklog_store_format(sim_disk_dev(f.disk), &f.config, record, sizeof(record),
					 f.memory, f.memory_bytes),
		   ERR_OVERSIZE);
	UNIT_EQUAL(fixture_open(&f), ERR_NOT_FOUND);
	UNIT_EQUAL(blocklog_store_format(sim_disk_dev(f.disk), &f.config, record,
					 sizeof(record) - 1, f.memory, f.memory_bytes),
		   0);
	fixture_end(&f);
}

static void record_zero_may_be_empty(void)
{
	struct fixture f;
	const void *bytes;
	size_t count = 1;

	fixture_prepare(&f, 1);
	UNIT_EQUAL(blocklog_store_format(sim_disk_dev(f.disk), &f.config, NULL, 0, f.memory,
					 f.memory_bytes),
		   0);
	UNIT_EQUAL(fixture_open(&f), 0);
	UNIT_EQUAL(blocklog_store_safety(f.store, &bytes, &count), 0);
	UNIT_EQUAL(count, 0);
	fixture_end(&f);
}

/* ---- open ---- */

/* The fixture's memory for another group size. */
static void set_group_bytes(struct fixture *f, uint64_t segment_bytes, uint32_t group_bytes)
{
	f->config.segment_bytes = segment_bytes;
	f->config.group_bytes_max = group_bytes;
	free(f->memory);
	f->memory_bytes = blocklog_store_footprint(&f->config);
	f->memory = malloc(f->memory_bytes);
	UNIT_REQUIRE(f->memory_bytes > 0 && f->memory != NULL);
}

static void a_store_that_this_memory_cannot_serve_is_refused(void)
{
	struct fixture f;

	fixture_prepare(&f, 1);
	set_group_bytes(&f, FIXTURE_SEGMENT_BYTES, 2 * FIXTURE_GROUP_BYTES);
	UNIT_EQUAL(fixture_format(&f), 0);
	set_group_bytes(&f, FIXTURE_SEGMENT_BYTES, FIXTURE_GROUP_BYTES);
	UNIT_EQUAL(fixture_open(&f), ERR_CONFIG);
	set_group_bytes(&f, 2 * FIXTURE_SEGMENT_BYTES, FIXTURE_SEGMENT_BYTES);
	UNIT_EQUAL(fixture_open(&f), ERR_CONFIG);
	set_group_bytes(&f, 2 * FIXTURE_SEGMENT_BYTES, 2 * FIXTURE_GROUP_BYTES);
	UNIT_EQUAL(fixture_open(&f), 0);
	fixture_end(&f);
}

/*
 * The third record of the last group is damaged: the log ends inside a page. Others follow, and
 * rubbish in the segment behind.
 */
static void torn_start(struct fixture *f)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES] = { 0x5a };

	fixture_start(f, 1);
	fixture_fill(f, BLOCKLOG_LANE, 3);
	for (uint32_t i = 0; i < 12; i++)
		UNIT_EQUAL(fixture_append(f, BLOCKLOG_LANE), 0);
	fixture_settle(f);
	UNIT_REQUIRE(f->position[5] % BLOCKLOG_PAGE_BYTES != 0);
	UNIT_REQUIRE(f->position[14] - f->position[5] > 2 * BLOCKLOG_PAGE_BYTES);
	UNIT_REQUIRE(f->store->lines[0].segment_end == 2);
	UNIT_EQUAL(blocklog_sync_write(f->store, BLOCKLOG_AREA_LANE, 1, 0, page, sizeof(page)), 0);
	sim_disk_flip(f->disk, BLOCKLOG_AREA_LANE, 0, f->position[5] + 5, 4);
	for (uint32_t i = 5; i < 15; i++)
		f->code[i] = 1;
}

/* Whatever fails, open refuses or gives all there is; a later open loses nothing by it. */
static void any_one_failed_operation_of_open_is_reported_and_harmless(void)
{
	static const enum blocklog_io_kind kinds[] = { BLOCKLOG_IO_READ, BLOCKLOG_IO_WRITE,
						       BLOCKLOG_IO_SYNC };
	uint32_t hits[3] = { 0 };
	uint32_t refusals[3] = { 0 };

	for (uint32_t kind = 0; kind < 3; kind++) {
		bool was_hit = true;

		for (uint32_t passes = 0; was_hit; passes++) {
			struct fixture f;
			int code;

			torn_start(&f);
			code = open_with_fault(&f, kinds[kind], BLOCKLOG_AREA_LANE, passes,
					       &was_hit);
			hits[kind] += was_hit;
			refusals[kind] += code != 0;
			UNIT_CHECK(code == 0 || was_hit);
			UNIT_CHECK(code == 0 || kinds[kind] == BLOCKLOG_IO_READ || code == -EIO);
			UNIT_EQUAL(fixture_open(&f), 0);
			UNIT_EQUAL(blocklog_store_recovery(f.store)->records[BLOCKLOG_LANE], 5);
			UNIT_CHECK(fixture_holds_prefix(&f, BLOCKLOG_LANE));
			fixture_end(&f);
		}
	}
	/* A read ahead may fail; the page that is to be padded must be read. */
	UNIT_CHECK(hits[0] > 3 && refusals[0] == 1);
	UNIT_CHECK(hits[1] == 3 && refusals[1] == 3);
	UNIT_EQUAL(hits[2], 1);
	UNIT_EQUAL(refusals[2], 1);
}

static void a_superblock_copy_that_cannot_be_repaired_is_reported(void)
{
	struct fixture f;
	bool was_hit;

	fixture_start(&f, 1);
	for (uint64_t copy = 0; copy < BLOCKLOG_SUPER_COPIES - 1; copy++)
		sim_disk_flip(f.disk, BLOCKLOG_AREA_SUPER, 0,
			      copy * BLOCKLOG_SUPER_STRIDE_BYTES + 9, 1);
	UNIT_EQUAL(open_with_fault(&f, BLOCKLOG_IO_WRITE, BLOCKLOG_AREA_SUPER, 1, &was_hit), -EIO);
	UNIT_CHECK(was_hit);
	UNIT_EQUAL(fixture_open(&f), 0);
	sim_disk_flip(f.disk, BLOCKLOG_AREA_SUPER, 0,
		      (BLOCKLOG_SUPER_COPIES - 1) * BLOCKLOG_SUPER_STRIDE_BYTES + 9, 1);
	UNIT_EQUAL(fixture_open(&f), 0);
	fixture_end(&f);
}

/* ---- scan ---- */

static int stop_at_third(void *context, uint16_t kind, uint64_t position, const void *bytes,
			 size_t count)
{
	uint32_t *visits = context;

	(void)kind;
	(void)position;
	(void)bytes;
	(void)count;
	return ++*visits == 3 ? ERR_SEQUENCE : 0;
}

static void a_scan_ends_with_the_code_of_its_visitor(void)
{
	struct fixture f;
	uint32_t visits = 0;

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_BLOCK, 5);
	UNIT_EQUAL(blocklog_store_scan(f.store, BLOCKLOG_BLOCK, 0, stop_at_third, &visits),
		   ERR_SEQUENCE);
	UNIT_EQUAL(visits, 3);
	fixture_end(&f);
}

UNIT_SUITE("blocklog_open_faults", UNIT_TEST(format_says_why_it_could_not_look),
	   UNIT_TEST(format_refuses_what_does_not_fit_and_leaves_nothing_behind),
	   UNIT_TEST(record_zero_may_be_empty),
	   UNIT_TEST(a_store_that_this_memory_cannot_serve_is_refused),
	   UNIT_TEST(any_one_failed_operation_of_open_is_reported_and_harmless),
	   UNIT_TEST(a_superblock_copy_that_cannot_be_repaired_is_reported),
	   UNIT_TEST(a_scan_ends_with_the_code_of_its_visitor))
