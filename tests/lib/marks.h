/*
 * marks: did the tests ever get there? (TESTING rule 6)
 *
 *     SOMETIMES(condition, "what happened");
 *
 * Model    Each use is one mark, counted whenever the condition holds. A mark that
 *          a whole batch of seeds never hit is a hole in the generator, not luck:
 *          the batch then fails and names it. Marks live in a section of their
 *          own, so those never reached are known too, and nobody keeps a list.
 *          MARKS declares many at once, for tables such as reasons of drops.
 * Where    In the observer and the harness only; production code carries none.
 * Threads  One. Counts never influence a run.
 */
#ifndef QUORATE_TESTS_LIB_MARKS_H
#define QUORATE_TESTS_LIB_MARKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct mark {
	const char *name;
	uint64_t hits;
	uint64_t is_optional; /* nothing demands it */
	uint64_t padding;
};

_Static_assert(sizeof(struct mark) == 32, "the linker packs marks without gaps");

#define MARKS(table)                                                                               \
	static struct mark table[] __attribute__((section("quorate_marks"), used, aligned(8)))

#define MARK_WHEN(condition, what, optional)                                                       \
	do {                                                                                       \
		MARKS(mark_) = { { what, 0, optional, 0 } };                                       \
		mark_[0].hits += (condition) ? 1 : 0;                                              \
	} while (0)

#define SOMETIMES(condition, what) MARK_WHEN(condition, what, 0)

/* Worth knowing, and too rare to demand of a batch. */
#define RARELY(condition, what) MARK_WHEN(condition, what, 1)

/* Prints one line a mark: its hits and its name. */
void marks_print(FILE *file);

/* A JSON object: the demanded marks and their hits. */
void marks_json(FILE *file);

uint32_t marks_count(void);

/* Returns how many demanded marks have no hit; names them, unless `file` is NULL. */
uint32_t marks_missing(FILE *file);

#endif
