#define _GNU_SOURCE
#include "storage/blocklog_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/blocklog_store.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/dev_conformance.h"

static void path_of(const char *directory, const char *name, char ret_path[200])
{
	(void)snprintf(ret_path, 200, "%s/%s", directory, name);
}

static void touch(const char *directory, const char *name, mode_t mode)
{
	char path[200];
	int fd;

	path_of(directory, name, path);
	fd = open(path, O_CREAT | O_WRONLY, mode);
	UNIT_REQUIRE(fd >= 0);
	UNIT_EQUAL(fchmod(fd, mode), 0);
	(void)close(fd);
}

static bool exists(const char *directory, const char *name)
{
	char path[200];
	struct stat status;

	path_of(directory, name, path);
	return lstat(path, &status) == 0;
}

static int open_files(struct blocklog_files *files, const char *directory)
{
	char reason[BLOCKLOG_REASON_BYTES] = "";
	int code = blocklog_files_open(files, directory, false, true, reason, sizeof(reason));

	UNIT_CHECK((code == 0) == (reason[0] == '\0'));
	return code;
}

static void names_are_plain_and_numbered(void)
{
	char name[BLOCKLOG_FILES_NAME_BYTES];

	blocklog_files_name(BLOCKLOG_AREA_LANE, 7, false, name);
	UNIT_CHECK(strcmp(name, "lane-00000007.log") == 0);
	blocklog_files_name(BLOCKLOG_AREA_BLOCK, 123456789, true, name);
	UNIT_CHECK(strcmp(name, "block-123456789.log.new") == 0);
	blocklog_files_name(BLOCKLOG_AREA_SAFETY, 0, false, name);
	UNIT_CHECK(strcmp(name, "safety") == 0);
	blocklog_files_name(BLOCKLOG_AREA_SUPER, 0, false, name);
	UNIT_CHECK(strcmp(name, "superblock") == 0);
}

static void an_interrupted_creation_is_cleared_away_and_nothing_else(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	struct blocklog_files files;

	conformance_directory(directory);
	touch(directory, "lane-00000001.log.new", 0600);
	touch(directory, "lane-00000000.log", 0600);
	touch(directory, "notes.txt", 0600);
	UNIT_EQUAL(open_files(&files, directory), 0);
	UNIT_CHECK(!exists(directory, "lane-00000001.log.new"));
	UNIT_CHECK(exists(directory, "lane-00000000.log"));
	UNIT_CHECK(exists(directory, "notes.txt"));
	blocklog_files_close(&files);
	conformance_clean(directory);
}

static void files_of_other_names_are_no_segments(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	struct blocklog_files files;
	uint64_t first, end;

	conformance_directory(directory);
	touch(directory, "lane-1.log", 0600);
	touch(directory, "lane-00000001.log.bak", 0600);
	touch(directory, "lane-0000000x.log", 0600);
	touch(directory, "block", 0600);
	UNIT_EQUAL(open_files(&files, directory), 0);
	UNIT_EQUAL(blocklog_files_census(&files, BLOCKLOG_AREA_LANE, &first, &end), ERR_NOT_FOUND);
	UNIT_EQUAL(blocklog_files_census(&files, BLOCKLOG_AREA_BLOCK, &first, &end), ERR_NOT_FOUND);
	touch(directory, "lane-00000002.log", 0600);
	UNIT_EQUAL(blocklog_files_census(&files, BLOCKLOG_AREA_LANE, &first, &end), 0);
	UNIT_EQUAL(first, 2);
	UNIT_EQUAL(end, 3);
	blocklog_files_close(&files);
	conformance_clean(directory);
}

static void a_file_that_others_can_read_is_refused(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	struct blocklog_files files;
	bool is_opened;

	conformance_directory(directory);
	touch(directory, "safety", 0640);
	UNIT_EQUAL(open_files(&files, directory), 0);
	UNIT_EQUAL(blocklog_files_take(&files, BLOCKLOG_AREA_SAFETY, 0, &is_opened),
		   ERR_PERMISSION);
	blocklog_files_close(&files);
	conformance_clean(directory);
}

static void a_symbolic_link_is_not_followed(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	char path[200];
	struct blocklog_files files;
	bool is_opened;

	conformance_directory(directory);
	touch(directory, "elsewhere", 0600);
	path_of(directory, "safety", path);
	UNIT_EQUAL(symlink("elsewhere", path), 0);
	UNIT_EQUAL(open_files(&files, directory), 0);
	UNIT_EQUAL(blocklog_files_take(&files, BLOCKLOG_AREA_SAFETY, 0, &is_opened), -ELOOP);
	blocklog_files_close(&files);
	conformance_clean(directory);
}

static void descriptors_are_kept_and_the_oldest_idle_one_makes_room(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	struct blocklog_files files;
	bool is_opened;
	int held;
	int slot;

	conformance_directory(directory);
	UNIT_EQUAL(open_files(&files, directory), 0);
	for (uint64_t i = 0; i < BLOCKLOG_FILES_OPEN_MAX + 2; i++) {
		char name[BLOCKLOG_FILES_NAME_BYTES];

		blocklog_files_name(BLOCKLOG_AREA_LANE, i, false, name);
		touch(directory, name, 0600);
	}
	held = blocklog_files_take(&files, BLOCKLOG_AREA_LANE, 0, &is_opened);
	UNIT_CHECK(held >= 0 && is_opened);
	for (uint64_t i = 1; i < BLOCKLOG_FILES_OPEN_MAX + 2; i++) {
		slot = blocklog_files_take(&files, BLOCKLOG_AREA_LANE, i, &is_opened);
		UNIT_REQUIRE(slot >= 0);
		UNIT_CHECK(is_opened && slot != held);
		blocklog_files_give(&files, (uint32_t)slot);
	}
	slot = blocklog_files_take(&files, BLOCKLOG_AREA_LANE, 0, &is_opened);
	UNIT_CHECK(slot == held && !is_opened);
	slot = blocklog_files_take(&files, BLOCKLOG_AREA_LANE, BLOCKLOG_FILES_OPEN_MAX + 1,
				   &is_opened);
	UNIT_CHECK(!is_opened);
	slot = blocklog_files_take(&files, BLOCKLOG_AREA_LANE, 1, &is_opened);
	UNIT_CHECK(is_opened);
	blocklog_files_close(&files);
	conformance_clean(directory);
}

static void a_reader_needs_no_lock_and_cannot_write(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	struct blocklog_files files;
	struct blocklog_files reader;
	char reason[BLOCKLOG_REASON_BYTES];
	bool is_opened;
	int slot;

	conformance_directory(directory);
	UNIT_EQUAL(open_files(&files, directory), 0);
	UNIT_EQUAL(blocklog_files_create(&files, BLOCKLOG_AREA_SUPER, 0, 4096), 0);
	UNIT_EQUAL(blocklog_files_open_reader(&reader, directory, reason, sizeof(reason)), 0);
	slot = blocklog_files_take(&reader, BLOCKLOG_AREA_SUPER, 0, &is_opened);
	UNIT_REQUIRE(slot >= 0);
	UNIT_EQUAL(fcntl(reader.slots[slot].fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	blocklog_files_close(&reader);
	blocklog_files_close(&files);
	conformance_clean(directory);
}

UNIT_SUITE("blocklog_files", UNIT_TEST(names_are_plain_and_numbered),
	   UNIT_TEST(an_interrupted_creation_is_cleared_away_and_nothing_else),
	   UNIT_TEST(files_of_other_names_are_no_segments),
	   UNIT_TEST(a_file_that_others_can_read_is_refused),
	   UNIT_TEST(a_symbolic_link_is_not_followed),
	   UNIT_TEST(descriptors_are_kept_and_the_oldest_idle_one_makes_room),
	   UNIT_TEST(a_reader_needs_no_lock_and_cannot_write))
