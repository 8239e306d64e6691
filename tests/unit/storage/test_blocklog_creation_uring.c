#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/blocklog_files.h"
#include "storage/blocklog_format.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/dev_conformance.h"

static bool exists(const struct conformance *c, const char *name)
{
	char path[2 * CONFORMANCE_PATH_BYTES];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/%s", c->directory, name);
	return stat(path, &status) == 0;
}

/* A limit on file sizes stands in for a full disk: the same step fails in the same way. */
static void fail_creation(bool avoid_uring)
{
	struct conformance c;
	struct rlimit before;
	struct rlimit small;
	uint64_t first, end;

	conformance_start(&c, avoid_uring);
	(void)signal(SIGXFSZ, SIG_IGN);
	UNIT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)64 * 1024;
	UNIT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, 1 << 20), -EFBIG);
	UNIT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
	UNIT_CHECK(!exists(&c, "lane-00000000.log"));
	UNIT_CHECK(!exists(&c, "lane-00000000.log.new"));
	UNIT_EQUAL(blocklog_dev_census(c.dev, BLOCKLOG_AREA_LANE, &first, &end), ERR_NOT_FOUND);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, 1 << 20), 0);
	UNIT_CHECK(exists(&c, "lane-00000000.log"));
	conformance_end(&c);
}

static void a_failed_creation_leaves_nothing_and_can_be_tried_again(void)
{
	fail_creation(false);
}

static void a_failed_creation_leaves_nothing_on_the_fallback_either(void)
{
	fail_creation(true);
}

static void a_size_that_is_no_multiple_of_the_piece_is_written_whole(void)
{
	struct conformance c;
	uint64_t bytes = 2 * (uint64_t)BLOCKLOG_FILES_PIECE_BYTES + 3 * BLOCKLOG_PAGE_BYTES;
	char path[2 * CONFORMANCE_PATH_BYTES];
	struct stat status;

	conformance_start(&c, false);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_BLOCK, 12, bytes), 0);
	(void)snprintf(path, sizeof(path), "%s/block-00000012.log", c.directory);
	UNIT_EQUAL(stat(path, &status), 0);
	UNIT_EQUAL(status.st_size, bytes);
	conformance_end(&c);
}

static void both_logs_may_create_at_once_beside_writes(void)
{
	struct conformance c;
	uint8_t *page = aligned_alloc(BLOCKLOG_PAGE_BYTES, BLOCKLOG_PAGE_BYTES);
	struct blocklog_extent extent = { page, BLOCKLOG_PAGE_BYTES };
	struct blocklog_io create = { .kind = BLOCKLOG_IO_CREATE,
				      .queue = BLOCKLOG_QUEUE_BULK,
				      .bytes = 4 << 20 };
	struct blocklog_io write = { .kind = BLOCKLOG_IO_WRITE,
				     .queue = BLOCKLOG_QUEUE_SAFETY,
				     .area = BLOCKLOG_AREA_SAFETY,
				     .extents = &extent,
				     .extent_count = 1,
				     .tag = 100 };
	uint32_t left = 3;
	uint32_t order[3] = { 0 };

	conformance_start(&c, false);
	memset(page, 7, BLOCKLOG_PAGE_BYTES);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_SAFETY, 0, BLOCKLOG_PAGE_BYTES), 0);
	create.area = BLOCKLOG_AREA_LANE;
	create.tag = 1;
	blocklog_dev_submit(c.dev, &create);
	create.area = BLOCKLOG_AREA_BLOCK;
	create.tag = 2;
	blocklog_dev_submit(c.dev, &create);
	blocklog_dev_submit(c.dev, &write);
	blocklog_dev_kick(c.dev, BLOCKLOG_QUEUE_BULK);
	blocklog_dev_kick(c.dev, BLOCKLOG_QUEUE_SAFETY);
	while (left > 0) {
		struct blocklog_io_done done;

		if (blocklog_dev_poll(c.dev, &done, 1) == 0)
			continue;
		UNIT_EQUAL(done.code, 0);
		order[3 - left--] = (uint32_t)done.tag;
	}
	UNIT_EQUAL(order[0] + order[1] + order[2], 103);
	UNIT_CHECK(exists(&c, "lane-00000000.log") && exists(&c, "block-00000000.log"));
	conformance_end(&c);
	free(page);
}

UNIT_SUITE("blocklog_creation_uring",
	   UNIT_TEST(a_failed_creation_leaves_nothing_and_can_be_tried_again),
	   UNIT_TEST(a_failed_creation_leaves_nothing_on_the_fallback_either),
	   UNIT_TEST(a_size_that_is_no_multiple_of_the_piece_is_written_whole),
	   UNIT_TEST(both_logs_may_create_at_once_beside_writes))
