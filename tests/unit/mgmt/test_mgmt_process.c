#define _GNU_SOURCE
#include "mgmt/mgmt_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static const char *const sleeper[] = { "sleep", "100", NULL };

static void a_started_process_lives_until_it_is_stopped(void)
{
	struct mgmt_process process = { 0 };

	UNIT_CHECK(!mgmt_process_is_alive(&process));
	UNIT_REQUIRE(mgmt_process_start(sleeper, "/dev/null", &process) == 0);
	UNIT_CHECK(mgmt_process_is_alive(&process));
	UNIT_CHECK(getsid(process.pid) == process.pid); /* detached */
	UNIT_CHECK(mgmt_process_wait(&process, 10) == ERR_TIMEOUT);
	UNIT_EQUAL(mgmt_process_signal(&process, SIGTERM), 0);
	UNIT_EQUAL(mgmt_process_wait(&process, 5000), 0);
	UNIT_CHECK(!mgmt_process_is_alive(&process)); /* although nobody has reaped it */
	UNIT_CHECK(mgmt_process_signal(&process, SIGTERM) == -ESRCH);
}

static void a_reused_number_is_never_signalled(void)
{
	struct mgmt_process process = { 0 };
	struct mgmt_process other;

	UNIT_REQUIRE(mgmt_process_start(sleeper, "/dev/null", &process) == 0);
	other = process;
	other.start_tick--; /* what was recorded once and has gone */
	UNIT_CHECK(!mgmt_process_is_alive(&other));
	UNIT_CHECK(mgmt_process_signal(&other, SIGKILL) == -ESRCH);
	UNIT_CHECK(mgmt_process_is_alive(&process));
	UNIT_EQUAL(mgmt_process_wait(&other, 0), 0);
	UNIT_EQUAL(mgmt_process_signal(&process, SIGKILL), 0);
	UNIT_EQUAL(mgmt_process_wait(&process, 5000), 0);
}

static void a_program_that_is_not_there_is_reported(void)
{
	const char *const argv[] = { "no-such-program-anywhere", NULL };
	struct mgmt_process process = { 0 };

	UNIT_CHECK(mgmt_process_start(argv, "/dev/null", &process) == -ENOENT);
	UNIT_EQUAL(process.pid, 0);
}

static void a_run_gives_exit_code_and_output(void)
{
	const char *const argv[] = { "sh", "-c", "echo out; echo err >&2; exit 7", NULL };
	const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
	struct mgmt_text output = { 0 };

	UNIT_EQUAL(mgmt_process_run(argv, 5000, &output), 7);
	UNIT_CHECK(strcmp(mgmt_text_of(&output), "out\nerr\n") == 0);
	UNIT_EQUAL(mgmt_process_run(killed, 5000, &output), 128 + SIGKILL);
	mgmt_text_fini(&output);
}

static void a_run_that_takes_too_long_is_ended(void)
{
	struct mgmt_text output = { 0 };

	UNIT_CHECK(mgmt_process_run(sleeper, 50, &output) == ERR_TIMEOUT);
	mgmt_text_fini(&output);
}

static void a_process_is_kept_in_a_file(void)
{
	const struct mgmt_process kept = { .pid = 123, .start_tick = 456 };
	struct mgmt_process read = { 0 };
	char path[] = "/tmp/mgmt_process_XXXXXX";
	int file = mkstemp(path);

	UNIT_REQUIRE(file >= 0);
	UNIT_EQUAL(mgmt_process_save(&kept, path), 0);
	UNIT_EQUAL(mgmt_process_load(path, &read), 0);
	UNIT_EQUAL(read.pid, 123);
	UNIT_EQUAL(read.start_tick, 456);
	UNIT_REQUIRE(ftruncate(file, 0) == 0);
	UNIT_EQUAL(mgmt_text_write_file(path, "-5 1\n", 5, 0600, false), 0);
	UNIT_CHECK(mgmt_process_load(path, &read) == ERR_FORMAT);
	UNIT_EQUAL(read.pid, 123);
	close(file);
	unlink(path);
	UNIT_CHECK(mgmt_process_load(path, &read) == -ENOENT);
}

UNIT_SUITE("mgmt_process", UNIT_TEST(a_started_process_lives_until_it_is_stopped),
	   UNIT_TEST(a_reused_number_is_never_signalled),
	   UNIT_TEST(a_program_that_is_not_there_is_reported),
	   UNIT_TEST(a_run_gives_exit_code_and_output),
	   UNIT_TEST(a_run_that_takes_too_long_is_ended), UNIT_TEST(a_process_is_kept_in_a_file))
