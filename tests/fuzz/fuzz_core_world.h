/*
 * fuzz_core_world: three honest cores and everything one Byzantine member may say to them.
 *
 *     honest cores --messages--> [sent] --any order, any number of times--> honest cores
 *                  --signs, writes, questions--> [todo] --any order, or a crash before-->
 *     member 3     --signed by itself, certificates out of votes really said--> honest cores
 *
 * Model    Nothing happens by itself: each call is one event, the caller chooses which. The
 *          observer of hs_cluster_state.h looks at every message and commit, across all lives:
 *          one statement a view, durable before it is said. fuzz_core_oracle.c adds what
 *          PROTOCOL §5 says about each statement, record, step and commit; certificates said
 *          or recorded must be genuine. A broken promise aborts.
 * Faults   At most f = 1 of 4 members is faulty, so agreement must hold whatever is chosen.
 *          A certificate needs votes the honest members in it really sent.
 * Memory   One world, static; fuzz_core_begin() makes it new.
 */
#ifndef QUORATE_TESTS_FUZZ_FUZZ_CORE_WORLD_H
#define QUORATE_TESTS_FUZZ_FUZZ_CORE_WORLD_H

#include "consensus/hs_core.h"
#include "tests/lib/hs_cluster_state.h"
#include "tests/lib/hs_make.h"

enum {
	CORE_HONEST = 3,
	CORE_MEMBERS = 4,
	CORE_QUORUM = 3, /* by itself: the code under test may be wrong about it */
	CORE_LIAR = 3,   /* the Byzantine member */
	CORE_SENT_MAX = 192,
	CORE_TODO_MAX = 96,
	CORE_SEEN_MAX = 128,
	CORE_PAYLOADS_MAX = 256,
	CORE_VIEWS_MAX = 192, /* the run ends there */
};

/* Said by an honest member; still to be delivered to the members in `waiting`. */
struct core_sent {
	uint32_t from;
	uint32_t waiting;
	struct hs_message message;
};

/* Asked by a core, not yet answered. */
struct core_todo {
	enum hs_effect_kind kind;
	uint64_t ticket;
	uint64_t view;
	struct crypto_hash id;
	struct crypto_signature signature;
	struct hs_cut cut;
	struct bitset good;
	struct bitset bad;
	struct hs_block block;
};

/* A block anybody ever made, and who of the honest voted and committed on it. */
struct core_seen {
	struct hs_block block;
	uint32_t votes;
	uint32_t commits;
	bool is_invalid; /* its cut does not extend the lanes' chains */
};

/* Who was told that the payload of a block is here; also blocks that were never said. */
struct core_payload {
	struct crypto_hash id;
	uint32_t members;
};

/* What a member promised by its records; of its life, where nothing else is said. */
struct core_promise {
	uint64_t last_vote_view;
	uint64_t last_commit_view;
	uint64_t last_timeout_view;
	uint64_t last_proposed_view;
	uint64_t timeout_view; /* the newest that was decided, and the lock before that step */
	uint64_t timeout_lock;
	uint64_t silent_until_ns;
	uint32_t answered; /* members whose certificates it was given */
};

struct core_world {
	struct cluster cluster; /* nodes and observer */
	struct core_sent sent[CORE_SENT_MAX];
	uint32_t sent_count; /* ever */
	struct core_todo todo[CORE_HONEST][CORE_TODO_MAX];
	uint32_t todo_count[CORE_HONEST];
	struct core_seen seen[CORE_SEEN_MAX]; /* the first one stands for genesis */
	uint32_t seen_count;
	struct core_payload payload[CORE_PAYLOADS_MAX];
	uint32_t payload_count;
	uint64_t view_max;
	uint64_t low_view[CORE_HONEST]; /* of this life: never below */
	uint64_t low_lock[CORE_HONEST];
	uint64_t timeout_view[CORE_HONEST]; /* the highest said, in all lives */
	struct core_promise promise[CORE_HONEST];
};

struct core_world *fuzz_core_begin(void);
void fuzz_core_end(struct core_world *world);

/* One input to an honest member; its effects are taken in. */
void fuzz_core_step(struct core_world *world, uint32_t node, struct hs_input *input);

/* A message sent before; `is_intent`: a proposal's first look, before its signatures. */
void fuzz_core_deliver(struct core_world *world, uint32_t sent, uint32_t node, bool is_intent);
void fuzz_core_message(struct core_world *world, uint32_t node, uint32_t from,
		       const struct hs_message *message);

/* Answers one thing asked; those behind it move up. */
void fuzz_core_answer(struct core_world *world, uint32_t node, uint32_t todo);

uint64_t fuzz_core_wall_ns(const struct core_world *world);

/* Ends a life; bit 0 of `done`: the record under way was written, bit i: block i was. */
void fuzz_core_crash(struct core_world *world, uint32_t node, uint32_t done);

/* Index of a block in `seen`, or CORE_SEEN_MAX; remember adds it if there is room. */
uint32_t fuzz_core_find(const struct core_world *world, const struct crypto_hash *id);
void fuzz_core_remember(struct core_world *world, const struct hs_block *block);

/*
 * Certificates the Byzantine member can put together; false when too few honest members said
 * what it needs. `skip` chooses who is left out when there are more than enough.
 */
bool fuzz_core_qc(struct core_world *world, uint32_t seen, uint32_t skip, struct hs_qc *ret_qc);
bool fuzz_core_fc(struct core_world *world, uint32_t seen, uint32_t skip, struct hs_fc *ret_fc);
/* VOTEs shown as if they were COMMITs; false as long as their signatures differ. */
bool fuzz_core_votes_as_fc(struct core_world *world, uint32_t seen, struct hs_fc *ret_fc);
bool fuzz_core_tc(struct core_world *world, uint64_t view, uint64_t liar_qc_view,
		  struct hs_tc *ret_tc);

/* fuzz_core_oracle.c; before the world takes note of what it is about. */
void fuzz_core_demand(const struct core_world *world, bool is_true, const char *what);
void fuzz_core_judge_ready(struct core_world *world, uint32_t node, const struct crypto_hash *id);
void fuzz_core_judge_start(struct core_world *world, uint32_t node);
void fuzz_core_judge_step(struct core_world *world, uint32_t node,
			  const struct hs_view_status *now);
void fuzz_core_judge_send(struct core_world *world, uint32_t node,
			  const struct hs_message *message);
void fuzz_core_judge_record(struct core_world *world, uint32_t node,
			    const struct hs_record *record);
void fuzz_core_judge_final(const struct core_world *world, const struct hs_block *block);
void fuzz_core_judge_evidence(const struct core_world *world, const struct hs_evidence *evidence);

#endif
