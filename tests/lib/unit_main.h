/*
 * unit_main: one test executable = one suite of promises, on top of CUnit.
 *
 *     static void second_vote_of_same_replica_is_ignored(void)
 *     {
 *             UNIT_CHECK(...);
 *     }
 *
 *     UNIT_SUITE("hs_quorum", UNIT_TEST(second_vote_of_same_replica_is_ignored))
 *
 * UNIT_SUITE provides main(): `--list` names the tests, `--test NAME` runs one,
 * `--seed N` replays a randomised test. CU_ASSERT_... may be used directly.
 * Exit code 0 passed, 1 failed, 2 wrong use, 77 nothing ran and something was skipped.
 */
#ifndef QUORATE_TESTS_LIB_UNIT_MAIN_H
#define QUORATE_TESTS_LIB_UNIT_MAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <CUnit/CUnit.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

#define UNIT_TEST(function)                                                                        \
	{                                                                                          \
		.name = #function, .run = function                                                 \
	}

#define UNIT_SUITE(suite_name, ...)                                                                \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct unit_test unit_tests[] = { __VA_ARGS__ };                      \
                                                                                                   \
		return unit_main(suite_name, unit_tests,                                           \
				 sizeof(unit_tests) / sizeof(unit_tests[0]), argc, argv);          \
	}

int unit_main(const char *suite_name, const struct unit_test *tests, size_t count, int argc,
	      char **argv);

/* Records a failure and goes on. */
#define UNIT_CHECK(condition)                                                                      \
	((void)CU_assertImplementation((condition) ? CU_TRUE : CU_FALSE, __LINE__, #condition,     \
				       __FILE__, "", CU_FALSE))

/* As UNIT_CHECK for two numbers (each at most 64 bits); prints both when they differ. */
#define UNIT_EQUAL(actual, expected)                                                               \
	unit_equal((uint64_t)(actual), (uint64_t)(expected), #actual " == " #expected, __FILE__,   \
		   __LINE__)

/* Records a failure and leaves the test: what follows relies on `condition`. */
#define UNIT_REQUIRE(condition)                                                                    \
	((condition) ? unit_require_held() : unit_require_failed(#condition, __FILE__, __LINE__))

/* Leaves the test; `reason` says which facility is missing. */
#define UNIT_SKIP(reason) unit_skip(reason)

void unit_equal(uint64_t actual, uint64_t expected, const char *text, const char *file, int line);
void unit_require_held(void);
_Noreturn void unit_require_failed(const char *text, const char *file, int line);
_Noreturn void unit_skip(const char *reason);

/* Returns the seed of this run: --seed, or one drawn at start; printed when a test fails. */
uint64_t unit_seed(void);

/* Runs `body` in a child process; true when the child died of abort(), as ensure() does. */
bool unit_aborts(void (*body)(void *context), void *context);

#endif
