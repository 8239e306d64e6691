/*
 * twins: generated scenarios with duplicated identities, on the real core.
 *
 *     scenario   which members are twins; per view: who is on which side, which
 *                kinds of message the cut swallows, and in which direction
 *     twins_space   a number (and a seed) <-> a scenario
 *     twins_world   processes, disks, links in virtual time; plays one scenario
 *     twins_watch   the observer: looks at every message and every commit
 *
 * A twin is a second process with the key of a member: the pair equivocates,
 * votes twice and forgets what its other half promised, which is what a
 * Byzantine member can do (Twins, arXiv 2004.10617). A message belongs to the
 * view it speaks of; in view v the scenario's v-th cut decides who gets it. A
 * cut lasts TWINS_CUT_NS from the moment the first process enters its view.
 * Leaders are fixed by the protocol (round-robin), so a leader is chosen by
 * choosing which member is the twin; cutting off proposals skips a leader.
 * After the last scripted view nothing is cut: every honest process must
 * commit a block of a later view within TWINS_HEAL_NS.
 *
 * Safety  Checked at every message and commit: agreement per height, parent
 *         links, one VOTE, COMMIT, TIMEOUT and PROPOSE a view of an honest
 *         process, no COMMIT after its TIMEOUT (K), TIMEOUT reports the lock (L),
 *         durable before visible (D), every certificate anew from its signatures,
 *         evidence blames twins only.
 * Same    The same scenario gives the same trace hash under any compiler.
 * Memory  One arena for all scenarios; a run starts from saved images.
 */
#ifndef QUORATE_TESTS_TWINS_TWINS_H
#define QUORATE_TESTS_TWINS_TWINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TWINS_VIEWS_MAX = 8,
	TWINS_PROCESSES_MAX = 9,
	TWINS_CUT_NS = 22000000,  /* longer than a view's timer and one repetition */
	TWINS_BASE_NS = 15000000, /* the view timer: 3 delta, and no back-off */
	TWINS_HEAL_NS = 4 * TWINS_BASE_NS,
};

/* Kinds that a cut swallows; bit = enum hs_message_kind. */
enum { TWINS_KINDS_ALL = 0xfe };

enum twins_direction { TWINS_BOTH, TWINS_OUT, TWINS_IN };

struct twins_cut {
	uint16_t side; /* bit p: process p is on the second side; 0: no cut */
	uint8_t kinds;
	enum twins_direction direction; /* OUT: only from the first side to the second */
};

/* Processes 0..n-1 are the members; n, n+1, ... the second halves, lowest member first. */
struct twins_scenario {
	uint32_t replica_count;
	uint32_t twins; /* bit i: member i runs twice */
	uint32_t view_count;
	struct twins_cut cut[TWINS_VIEWS_MAX]; /* of view 1, 2, ... */
};

enum twins_space {
	TWINS_PLAIN,    /* n = 4, one twin, 4 views, every cut in two sides: enumerated */
	TWINS_FILTERED, /* n = 4, one twin, 5 views, kinds and directions too: drawn */
	TWINS_WIDE,     /* n = 7, two twins, 6 views, kinds and directions: drawn */
	TWINS_OVER,     /* canary: n = 4, two twins: more faults than f */
	TWINS_SPACE_COUNT,
};

/* How many scenarios the space has, or 0 where they are drawn from a seed. */
uint64_t twins_space_size(enum twins_space space);
const char *twins_space_name(enum twins_space space);
struct twins_scenario twins_scenario_of(enum twins_space space, uint64_t seed, uint64_t number);

/* The i-th number to play: a walk that meets every number of an enumerated space once. */
uint64_t twins_number_of(enum twins_space space, uint64_t seed, uint64_t i);

/* One line of text a view, zero-terminated. */
void twins_describe(const struct twins_scenario *scenario, char *ret_text, size_t room);

struct twins_result {
	const char *failure; /* NULL: every promise held */
	uint64_t trace_hash;
	uint64_t steps;
	uint64_t commits;   /* of honest processes */
	uint64_t evidence;  /* pieces of it */
	uint64_t views;     /* highest view reached */
	uint64_t heal_ns;   /* from the last cut's end to the slowest honest commit */
	uint64_t conflicts; /* views with two proposals */
};

struct twins_world;

/* `is_weak`: canary, every core believes 2f votes to be a quorum. NULL when out of memory. */
struct twins_world *twins_world_new(bool is_weak);
void twins_world_free(struct twins_world *world);

/* `is_loud`: prints every input and effect. */
struct twins_result twins_world_play(struct twins_world *world,
				     const struct twins_scenario *scenario, bool is_loud);

#endif
