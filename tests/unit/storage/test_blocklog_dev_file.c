#define _GNU_SOURCE
#include "storage/blocklog_dev_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/blocklog_store.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/dev_conformance.h"

static int open_at(const char *directory, bool make_directory, struct blocklog_dev **ret_dev,
		   char reason[BLOCKLOG_REASON_BYTES])
{
	struct blocklog_dev_file_options options = { .directory = directory,
						     .make_directory = make_directory,
						     .allow_buffered = true };

	reason[0] = '\0';
	return blocklog_dev_file_open(&options, ret_dev, reason, BLOCKLOG_REASON_BYTES);
}

static void a_second_opener_is_refused_with_the_first_ones_pid(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	char reason[BLOCKLOG_REASON_BYTES];
	char pid[32];
	struct blocklog_dev *dev;
	struct blocklog_dev *second;
	int status = 0;
	pid_t child;

	conformance_directory(directory);
	UNIT_REQUIRE(open_at(directory, false, &dev, reason) == 0);
	(void)snprintf(pid, sizeof(pid), "process %ld:", (long)getpid());
	UNIT_EQUAL(open_at(directory, false, &second, reason), ERR_BUSY);
	UNIT_CHECK(strstr(reason, pid) != NULL);
	child = fork();
	if (child == 0)
		_exit(open_at(directory, false, &second, reason) == ERR_BUSY ? 0 : 1);
	UNIT_EQUAL(waitpid(child, &status, 0), child);
	UNIT_EQUAL(status, 0);
	blocklog_dev_file_close(dev);
	UNIT_EQUAL(open_at(directory, false, &dev, reason), 0);
	blocklog_dev_file_close(dev);
	conformance_clean(directory);
}

static void a_process_that_died_leaves_no_lock(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	char reason[BLOCKLOG_REASON_BYTES];
	struct blocklog_dev *dev;
	int status = 0;
	pid_t child;

	conformance_directory(directory);
	child = fork();
	if (child == 0)
		_exit(open_at(directory, false, &dev, reason) == 0 ? 0 : 1);
	UNIT_EQUAL(waitpid(child, &status, 0), child);
	UNIT_EQUAL(status, 0);
	UNIT_EQUAL(open_at(directory, false, &dev, reason), 0);
	blocklog_dev_file_close(dev);
	conformance_clean(directory);
}

static void a_directory_open_to_others_is_refused(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	char reason[BLOCKLOG_REASON_BYTES];
	struct blocklog_dev *dev;

	conformance_directory(directory);
	UNIT_EQUAL(chmod(directory, 0750), 0);
	UNIT_EQUAL(open_at(directory, false, &dev, reason), ERR_PERMISSION);
	UNIT_CHECK(strstr(reason, "chmod 700") != NULL);
	conformance_clean(directory);
}

static void only_init_makes_the_directory(void)
{
	char parent[CONFORMANCE_PATH_BYTES];
	char directory[CONFORMANCE_PATH_BYTES + 8];
	char reason[BLOCKLOG_REASON_BYTES];
	struct blocklog_dev *dev;
	struct stat status;

	conformance_directory(parent);
	(void)snprintf(directory, sizeof(directory), "%s/new", parent);
	UNIT_EQUAL(open_at(directory, false, &dev, reason), -ENOENT);
	UNIT_CHECK(strstr(reason, directory) != NULL);
	UNIT_REQUIRE(open_at(directory, true, &dev, reason) == 0);
	UNIT_EQUAL(stat(directory, &status), 0);
	UNIT_EQUAL(status.st_mode & 0777, 0700);
	blocklog_dev_file_close(dev);
	UNIT_REQUIRE(open_at(directory, true, &dev, reason) == 0);
	blocklog_dev_file_close(dev);
	conformance_clean(directory);
	conformance_clean(parent);
}

static void a_file_instead_of_a_directory_is_refused(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	char reason[BLOCKLOG_REASON_BYTES];
	char path[2 * CONFORMANCE_PATH_BYTES];
	struct blocklog_dev *dev;
	FILE *file;

	conformance_directory(directory);
	(void)snprintf(path, sizeof(path), "%s/file", directory);
	file = fopen(path, "w");
	UNIT_REQUIRE(file != NULL);
	(void)fclose(file);
	UNIT_EQUAL(open_at(path, false, &dev, reason), -ENOTDIR);
	UNIT_EQUAL(open_at(path, true, &dev, reason), -ENOTDIR);
	UNIT_CHECK(strlen(reason) > 20);
	conformance_clean(directory);
}

static void closing_nothing_is_allowed(void)
{
	blocklog_dev_file_close(NULL);
	UNIT_CHECK(true);
}

UNIT_SUITE("blocklog_dev_file", UNIT_TEST(a_second_opener_is_refused_with_the_first_ones_pid),
	   UNIT_TEST(a_process_that_died_leaves_no_lock),
	   UNIT_TEST(a_directory_open_to_others_is_refused),
	   UNIT_TEST(only_init_makes_the_directory),
	   UNIT_TEST(a_file_instead_of_a_directory_is_refused),
	   UNIT_TEST(closing_nothing_is_allowed))
