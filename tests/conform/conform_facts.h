/*
 * conform_facts: what the machine remembers: numbers under (kind, who, a, b), 0 until set.
 *
 * One table for everything, because a trace has no other structure. Names are hashed to 64 bits;
 * two that meet would be a wrong verdict, once in 10^12 traces of this size.
 */
#ifndef QUORATE_TESTS_CONFORM_CONFORM_FACTS_H
#define QUORATE_TESTS_CONFORM_CONFORM_FACTS_H

#include <stdint.h>

enum fact {
	SAID_VOTE = 1, /* content by (author, view) */
	SAID_COMMIT,
	SAID_TIMEOUT, /* qc_view + 1 */
	SAID_PROPOSE,
	VOICES, /* how many said (view, kind), content */
	KNOWS_QC,
	KNOWS_QC_VIEW,
	KNOWS_TC,
	TC_MAX, /* the lowest TC.max known of a view, + 1 */
	KNOWS_BLOCK,
	ENTERED,
	KEEPS, /* durable here */
	COUNTED,
	COUNT, /* voices heard */
	BLOCK_AT,
	COMMITTED,
	ASKED_VOTE, /* what a record it asked for names, by view: the order of decisions */
	ASKED_COMMIT,
	DELIVERED, /* by height: the block all agree on */
};

/* Where the fact is kept; valid for ever. */
uint64_t *fact(enum fact kind, uint64_t who, uint64_t a, uint64_t b);

#endif
