#define _GNU_SOURCE
#include "base/ensure.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/unit_main.h"

static void break_a_promise(void *context)
{
	int *number = context;

	ensure(*number == 1);
}

static void report_into_pipe(void *context)
{
	const int *pipe_ends = context;

	dup2(pipe_ends[1], STDERR_FILENO);
	ensure_failed("a < b", "room/file.c", 4711);
}

static void report_long_condition_into_pipe(void *context)
{
	const int *pipe_ends = context;
	char condition[5000];

	memset(condition, 'x', sizeof(condition) - 1);
	condition[sizeof(condition) - 1] = '\0';
	dup2(pipe_ends[1], STDERR_FILENO);
	ensure_failed(condition, "room/file.c", 1);
}

/* Returns what `body` wrote to standard error before it aborted. */
static const char *last_words(void (*body)(void *context))
{
	static char words[1024];
	int pipe_ends[2];

	UNIT_REQUIRE(pipe(pipe_ends) == 0);
	UNIT_CHECK(unit_aborts(body, pipe_ends));
	close(pipe_ends[1]);
	ssize_t count = read(pipe_ends[0], words, sizeof(words) - 1);

	close(pipe_ends[0]);
	words[count > 0 ? count : 0] = '\0';
	return words;
}

static void a_held_promise_costs_nothing(void)
{
	int number = 1;

	break_a_promise(&number);
	UNIT_EQUAL(number, 1);
}

static void a_broken_promise_aborts(void)
{
	int number = 2;

	UNIT_CHECK(unit_aborts(break_a_promise, &number));
}

static void last_words_name_file_line_and_condition(void)
{
	UNIT_CHECK(strcmp(last_words(report_into_pipe),
			  "ensure failed: room/file.c:4711: a < b\n") == 0);
}

static void a_long_condition_is_cut_and_not_written_past_the_buffer(void)
{
	UNIT_EQUAL(strlen(last_words(report_long_condition_into_pipe)), 512);
}

UNIT_SUITE("ensure", UNIT_TEST(a_held_promise_costs_nothing), UNIT_TEST(a_broken_promise_aborts),
	   UNIT_TEST(last_words_name_file_line_and_condition),
	   UNIT_TEST(a_long_condition_is_cut_and_not_written_past_the_buffer))
