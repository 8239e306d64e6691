#include "tests/lib/unit_main.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/TestRun.h>

enum unit_exit {
	UNIT_EXIT_PASSED = 0,
	UNIT_EXIT_FAILED = 1,
	UNIT_EXIT_USAGE = 2,
	UNIT_EXIT_SKIPPED = 77,
};

struct unit_state {
	const struct unit_test *running;
	uint64_t seed;
	jmp_buf leave;
	unsigned int skipped;
};

static struct unit_state unit_state;

uint64_t unit_seed(void)
{
	return unit_state.seed;
}

void unit_equal(uint64_t actual, uint64_t expected, const char *text, const char *file, int line)
{
	char words[512];

	snprintf(words, sizeof(words), "%s: %" PRIu64 " is not %" PRIu64, text, actual, expected);
	CU_assertImplementation(actual == expected ? CU_TRUE : CU_FALSE, (unsigned int)line, words,
				file, "", CU_FALSE);
}

void unit_require_held(void)
{
	CU_assertImplementation(CU_TRUE, 0, "", "", "", CU_FALSE);
}

void unit_require_failed(const char *text, const char *file, int line)
{
	CU_assertImplementation(CU_FALSE, (unsigned int)line, text, file, "", CU_FALSE);
	longjmp(unit_state.leave, 1);
}

void unit_skip(const char *reason)
{
	printf("SKIP %s: %s\n", unit_state.running->name, reason);
	unit_state.skipped++;
	longjmp(unit_state.leave, 1);
}

bool unit_aborts(void (*body)(void *context), void *context)
{
	const struct rlimit no_core_file = { 0, 0 };
	int status = 0;

	fflush(NULL);
	pid_t child = fork();

	if (child < 0)
		return false;
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core_file);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(UNIT_EXIT_USAGE);
		body(context);
		_exit(UNIT_EXIT_PASSED);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* CUnit passes no context to a test, so the one in turn is kept in unit_state. */
static void unit_run_one(void)
{
	if (setjmp(unit_state.leave) == 0)
		unit_state.running->run();
}

static void unit_print_failures(void)
{
	for (CU_pFailureRecord at = CU_get_failure_list(); at; at = at->pNext)
		fprintf(stderr, "%s:%u: %s\n", at->strFileName ? at->strFileName : "?",
			at->uiLineNumber, at->strCondition ? at->strCondition : "?");
}

/* Runs one test in a registry of its own; returns whether it passed. */
static bool unit_run_test(const char *suite_name, const struct unit_test *test)
{
	unsigned int skipped_before = unit_state.skipped;
	unsigned int failures;

	unit_state.running = test;
	if (CU_initialize_registry() != CUE_SUCCESS)
		return false;
	CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
	CU_pTest added = suite ? CU_add_test(suite, test->name, unit_run_one) : NULL;

	if (!added || CU_run_test(suite, added) != CUE_SUCCESS) {
		CU_cleanup_registry();
		return false;
	}
	failures = CU_get_number_of_failures();
	if (failures == 0 && CU_get_number_of_asserts() == 0 &&
	    unit_state.skipped == skipped_before) {
		fprintf(stderr, "%s: checks nothing\n", test->name);
		failures = 1;
	}
	unit_print_failures();
	CU_cleanup_registry();
	if (failures > 0)
		fprintf(stderr, "FAILED %s/%s  (replay: --test %s --seed %" PRIu64 ")\n",
			suite_name, test->name, test->name, unit_state.seed);
	return failures == 0;
}

static int unit_list(const struct unit_test *tests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%s\n", tests[i].name);
	return UNIT_EXIT_PASSED;
}

static int unit_usage(const char *program)
{
	fprintf(stderr, "usage: %s [--list] [--test NAME] [--seed NUMBER]\n", program);
	return UNIT_EXIT_USAGE;
}

static int unit_run_all(const char *suite_name, const struct unit_test *tests, size_t count,
			const char *only)
{
	size_t ran = 0;
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		if (only && strcmp(only, tests[i].name) != 0)
			continue;
		ran++;
		failed += unit_run_test(suite_name, &tests[i]) ? 0 : 1;
	}
	printf("%s: %zu passed, %zu failed, %u skipped\n", suite_name,
	       ran - failed - unit_state.skipped, failed, unit_state.skipped);
	if (ran == 0)
		return UNIT_EXIT_USAGE;
	if (failed > 0)
		return UNIT_EXIT_FAILED;
	return unit_state.skipped == ran ? UNIT_EXIT_SKIPPED : UNIT_EXIT_PASSED;
}

int unit_main(const char *suite_name, const struct unit_test *tests, size_t count, int argc,
	      char **argv)
{
	const char *only = NULL;
	char *end = NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	unit_state.seed = (uint64_t)time(NULL) * UINT64_C(2654435761) ^ (uint64_t)getpid();
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--list") == 0)
			return unit_list(tests, count);
		if (!value)
			return unit_usage(argv[0]);
		if (strcmp(argv[i], "--test") == 0) {
			only = value;
		} else if (strcmp(argv[i], "--seed") == 0) {
			unit_state.seed = strtoull(value, &end, 0);
			if (*end != '\0')
				return unit_usage(argv[0]);
		} else {
			return unit_usage(argv[0]);
		}
	}
	return unit_run_all(suite_name, tests, count, only);
}
