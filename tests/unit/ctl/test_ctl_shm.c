#define _GNU_SOURCE
#include "ctl/ctl_shm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static char dir[64];
static char path[96];

static void dir_take(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ctl_shm_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/" CTL_SHM_FILE, dir);
}

static void dir_give_back(void)
{
	unlink(path);
	UNIT_EQUAL(rmdir(dir), 0); /* and nothing else was left in it */
}

static void a_reader_sees_what_the_writer_counts(void)
{
	struct ctl_page *page = NULL;
	struct ctl_shm_view view;

	dir_take();
	UNIT_REQUIRE(ctl_shm_create(dir, &page) == 0);
	UNIT_REQUIRE(ctl_shm_map(dir, &view) == 0);
	struct ctl_block *block = ctl_block_register(page, "core");

	ctl_metric_add(block, CTL_METRIC_BLOCKS_FINAL, 5);
	UNIT_EQUAL(ctl_metric_sum(view.page, CTL_METRIC_BLOCKS_FINAL), 5);
	UNIT_EQUAL(view.page->header.pid, getpid());
	UNIT_CHECK(ctl_shm_is_current(&view, dir));
	ctl_shm_unmap(&view);
	ctl_shm_close(page);
	dir_give_back();
}

static void the_file_is_for_owner_and_group_only(void)
{
	struct ctl_page *page = NULL;
	struct stat stat_of;

	dir_take();
	UNIT_REQUIRE(ctl_shm_create(dir, &page) == 0);
	UNIT_REQUIRE(stat(path, &stat_of) == 0);
	UNIT_EQUAL(stat_of.st_mode & 0777, 0640);
	UNIT_EQUAL(stat_of.st_size, sizeof(struct ctl_page));
	ctl_shm_close(page);
	dir_give_back();
}

static void a_new_start_replaces_the_page_and_the_old_mapping_stays_readable(void)
{
	struct ctl_page *old = NULL;
	struct ctl_page *new = NULL;
	struct ctl_shm_view view;

	dir_take();
	UNIT_REQUIRE(ctl_shm_create(dir, &old) == 0);
	UNIT_REQUIRE(ctl_shm_map(dir, &view) == 0);
	UNIT_REQUIRE(ctl_shm_create(dir, &new) == 0);
	UNIT_CHECK(!ctl_shm_is_current(&view, dir));
	UNIT_CHECK(view.page->header.generation != new->header.generation);
	UNIT_CHECK(memcmp(view.page->header.magic, "QCTLPAGE", 8) == 0);
	ctl_shm_unmap(&view);
	ctl_shm_close(old);
	ctl_shm_close(new);
	dir_give_back();
}

static void a_page_of_another_layout_is_refused(void)
{
	struct ctl_page *page = NULL;
	struct ctl_shm_view view = { 0 };

	dir_take();
	UNIT_REQUIRE(ctl_shm_create(dir, &page) == 0);
	page->header.layout_hash++;
	UNIT_EQUAL((uint32_t)-ctl_shm_map(dir, &view), (uint32_t)-ERR_UNSUPPORTED);
	UNIT_CHECK(view.page == NULL);
	ctl_shm_close(page);
	UNIT_REQUIRE(truncate(path, 4096) == 0);
	UNIT_EQUAL((uint32_t)-ctl_shm_map(dir, &view), (uint32_t)-ERR_UNSUPPORTED);
	dir_give_back();
}

static void what_is_no_page_is_refused(void)
{
	struct ctl_shm_view view = { 0 };
	FILE *file;

	dir_take();
	UNIT_EQUAL((uint32_t)-ctl_shm_map(dir, &view), ENOENT);
	file = fopen(path, "w");
	UNIT_REQUIRE(file != NULL);
	fputs("short", file);
	fclose(file);
	UNIT_EQUAL((uint32_t)-ctl_shm_map(dir, &view), (uint32_t)-ERR_FORMAT);
	UNIT_REQUIRE(truncate(path, (off_t)sizeof(struct ctl_page)) == 0);
	UNIT_EQUAL((uint32_t)-ctl_shm_map(dir, &view), (uint32_t)-ERR_FORMAT);
	dir_give_back();
}

static void a_failed_create_leaves_nothing(void)
{
	struct ctl_page *page = NULL;

	dir_take();
	UNIT_REQUIRE(mkdir(path, 0700) == 0);
	UNIT_CHECK(ctl_shm_create(dir, &page) < 0);
	UNIT_CHECK(page == NULL);
	UNIT_REQUIRE(rmdir(path) == 0);
	dir_give_back();
}

UNIT_SUITE("ctl_shm", UNIT_TEST(a_reader_sees_what_the_writer_counts),
	   UNIT_TEST(the_file_is_for_owner_and_group_only),
	   UNIT_TEST(a_new_start_replaces_the_page_and_the_old_mapping_stays_readable),
	   UNIT_TEST(a_page_of_another_layout_is_refused), UNIT_TEST(what_is_no_page_is_refused),
	   UNIT_TEST(a_failed_create_leaves_nothing))
