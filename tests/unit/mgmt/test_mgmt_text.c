#define _GNU_SOURCE
#include "mgmt/mgmt_text.h"

#include <dirent.h>
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
	snprintf(dir, sizeof(dir), "/tmp/mgmt_text_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/file", dir);
}

static void dir_give_back(void)
{
	unlink(path);
	UNIT_EQUAL(rmdir(dir), 0); /* nothing else was left in it */
}

static void a_text_grows_as_it_is_written(void)
{
	struct mgmt_text text = { 0 };
	size_t count = 0;

	UNIT_CHECK(strcmp(mgmt_text_of(&text), "") == 0);
	for (int i = 0; i < 1000; i++)
		mgmt_text_print(&text, "%d,", i % 10);
	UNIT_EQUAL(text.count, 2000);
	char *bytes = mgmt_text_take(&text, &count);

	UNIT_REQUIRE(bytes != NULL);
	UNIT_EQUAL(count, 2000);
	UNIT_CHECK(strncmp(bytes, "0,1,2,", 6) == 0 && bytes[2000] == '\0');
	UNIT_CHECK(text.bytes == NULL);
	free(bytes);
}

static void a_text_beyond_the_limit_fails_and_stays_failed(void)
{
	struct mgmt_text text = { 0 };
	char *big = calloc(1, MGMT_TEXT_BYTES_MAX);
	size_t count = 0;

	UNIT_REQUIRE(big != NULL);
	mgmt_text_put(&text, big, MGMT_TEXT_BYTES_MAX - 10);
	UNIT_CHECK(!text.failed);
	mgmt_text_put(&text, big, 10);
	mgmt_text_string(&text, "x");
	UNIT_CHECK(text.failed);
	UNIT_EQUAL(text.count, MGMT_TEXT_BYTES_MAX - 10);
	UNIT_CHECK(mgmt_text_take(&text, &count) == NULL);
	free(big);
}

static void a_file_is_written_whole_and_read_back(void)
{
	struct mgmt_text text = { 0 };
	struct stat stat_of;

	dir_take();
	UNIT_EQUAL(mgmt_text_write_file(path, "one", 3, 0600, true), 0);
	UNIT_EQUAL(mgmt_text_write_file(path, "two", 3, 0600, false), 0);
	UNIT_REQUIRE(mgmt_text_read_file(path, 3, &text) == 0);
	UNIT_CHECK(strcmp(mgmt_text_of(&text), "two") == 0);
	UNIT_REQUIRE(stat(path, &stat_of) == 0);
	UNIT_EQUAL(stat_of.st_mode & 0777, 0600);
	mgmt_text_fini(&text);
	dir_give_back();
}

static void a_new_file_never_replaces_one(void)
{
	struct mgmt_text text = { 0 };

	dir_take();
	UNIT_EQUAL(mgmt_text_write_file(path, "one", 3, 0600, true), 0);
	UNIT_CHECK(mgmt_text_write_file(path, "two", 3, 0600, true) == -EEXIST);
	UNIT_REQUIRE(mgmt_text_read_file(path, 10, &text) == 0);
	UNIT_CHECK(strcmp(mgmt_text_of(&text), "one") == 0);
	mgmt_text_fini(&text);
	dir_give_back();
}

static void a_file_beyond_the_limit_or_missing_is_refused(void)
{
	struct mgmt_text text = { 0 };

	dir_take();
	UNIT_CHECK(mgmt_text_read_file(path, 10, &text) == -ENOENT);
	UNIT_EQUAL(mgmt_text_write_file(path, "four", 4, 0600, true), 0);
	UNIT_CHECK(mgmt_text_read_file(path, 3, &text) == ERR_OVERSIZE);
	UNIT_CHECK(text.bytes == NULL);
	dir_give_back();
}

UNIT_SUITE("mgmt_text", UNIT_TEST(a_text_grows_as_it_is_written),
	   UNIT_TEST(a_text_beyond_the_limit_fails_and_stays_failed),
	   UNIT_TEST(a_file_is_written_whole_and_read_back),
	   UNIT_TEST(a_new_file_never_replaces_one),
	   UNIT_TEST(a_file_beyond_the_limit_or_missing_is_refused))
