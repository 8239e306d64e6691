/*
 * explore: every interleaving in a small scope, on the real core.
 *
 * The scope is n = 4: three honest cores (four without an adversary), disks
 * that complete when the search says so, and one Byzantine member who is not
 * run but played: whatever well-formed message can be built from what was said
 * so far may be heard by anybody at any time.
 *
 *     word    a message by what it says: propose:2h.1h, vote:3:1h, tc:2.1, ...
 *     soup    the words that exist: said by honest members, or such as the
 *             Byzantine member can make of those. It only grows: a word that is
 *             never heard was dropped or delayed, one heard twice was doubled.
 *     action  of one member: hear a word, hear a proposal's intent, fetch a
 *             certified block, let the timer fire, let a write of the record or
 *             of blocks become durable, crash and start again from the disk
 *     state   the honest members' local states and the soup
 *
 * Search   Breadth first, until no new state is left or a bound is met. What an
 *          action does depends on one local state alone, so each pair of local
 *          state and action is stepped through hs_core_step() once and
 *          remembered; a state is then a few numbers.
 * Hash     128 bits of what can matter later: see explore_hash.c for what is left
 *          out (signatures' makers, clocks, statistics). Members who lead no
 *          view of the scope may change places: the smallest hash counts.
 * Bounds   Views 1..views (nothing of a later view is said or heard), one
 *          proposal of an honest leader per parent and two of a Byzantine one,
 *          crashes in total. Signing, payloads and cuts are answered at once.
 * Time     Stands still, but a fired timer jumps past every deadline.
 * Checks   At every new soup: certificates of one view agree, whatever can be
 *          certified extends whatever can be final. At every step: agreement per
 *          height, one statement a view of an honest member over all its lives,
 *          rules K, L and D at the moment of sending, certificates held can have
 *          been made, no abort. In the audit and in a replay besides: evidence
 *          blames the Byzantine member only (a remembered step may stand for
 *          histories in which a member said different things).
 * Audit    Random paths are executed again on living cores from the start, and
 *          must meet the same local states: it shows that what the hash leaves
 *          out does not matter.
 */
#ifndef QUORATE_TESTS_EXPLORE_EXPLORE_H
#define QUORATE_TESTS_EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

enum { EXPLORE_MEMBERS = 4, EXPLORE_NOBODY = 4, EXPLORE_VIEWS_MAX = 4 };

/* What the honest cores are made to do wrong, so that the search is seen to find it. */
enum explore_plant {
	EXPLORE_PLANT_NONE,
	EXPLORE_PLANT_AMNESIA, /* a restart loads record 0 */
	EXPLORE_PLANT_NO_LOCK, /* a restart forgets high_qc and what was committed on */
	EXPLORE_PLANT_QUORUM,  /* 2f votes are taken for a quorum */
};

struct explore_options {
	uint32_t byzantine; /* member, or EXPLORE_NOBODY */
	uint32_t views;
	uint32_t crashes;
	bool has_tallies;  /* single VOTE, COMMIT and TIMEOUT words are heard, too */
	bool has_intents;  /* proposals are heard before their signatures are checked */
	bool is_disk_slow; /* writes complete by actions of their own, else at once */
	enum explore_plant plant;
	uint64_t states_max;
	uint64_t audits; /* random paths executed again */
	uint64_t seed;   /* of the audit */
	bool is_quiet;
};

struct explore_result {
	const char *failure; /* NULL: every promise held */
	char trace[4096];    /* the actions that led to it, for --replay */
	bool is_exhausted;   /* no state of the scope was left out */
	uint64_t states;
	uint64_t transitions;
	uint64_t locals; /* distinct local states */
	uint64_t steps;  /* (local state, action) pairs executed on the core */
	uint64_t soups;
	uint64_t words;
	uint64_t symmetry; /* how many renamings count as one */
	uint64_t commits;  /* states in which somebody committed */
	uint32_t depth;
	uint64_t audited;
	uint64_t bytes; /* of the tables */
};

void explore_search(const struct explore_options *options, struct explore_result *ret_result);

/*
 * Executes a trace on living cores and prints what they say. Returns 0 when every promise held,
 * 1 when one was broken, 2 when an action is not possible where it stands.
 */
int explore_replay(const struct explore_options *options, const char *trace);

#endif
