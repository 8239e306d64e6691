/*
 * hs_state: what a core remembers, and the inner functions of its files.
 *
 * Private to consensus/. hs_core.c switches over inputs; each reaction changes
 * state and says at once what cannot wait; then hs_core.c runs the `advance`
 * functions below, in order, each of which does whatever the state now allows
 * (level-triggered: it does not matter which input made it possible). Nothing
 * here holds a pointer between steps, so a core is moved or copied as bytes.
 */
#ifndef QUORATE_CONSENSUS_HS_STATE_H
#define QUORATE_CONSENSUS_HS_STATE_H

#include "consensus/hs_chain.h"
#include "consensus/hs_core.h"
#include "consensus/hs_pacemaker.h"
#include "consensus/hs_quorum.h"
#include "consensus/hs_safety.h"

enum {
	HS_OUTBOX_MAX = 32,          /* messages one step can send */
	HS_WANTS_MAX = 3,            /* blocks asked for at once */
	HS_PROPOSALS_A_VIEW_MAX = 2, /* kept of an equivocating leader */
	HS_COMMIT_LAG_MAX = 8,       /* COMMIT is useless for views further back */
	HS_REPEAT_MIN_NS = 1000000,  /* VOTE and COMMIT are repeated after delta/4, at least this */
};

/* A statement of ours that is repeated once, and kept for stragglers. */
struct hs_repeat {
	bool is_armed;
	uint64_t due_ns;
	uint64_t view; /* 0: nothing said yet */
	struct crypto_hash block_id;
	struct crypto_signature signature;
};

struct hs_restart {
	bool is_loading; /* START's own blocks: nobody is to blame for those that do not fit */
	bool is_recovering;
	uint64_t over_ns;
	struct bitset answered;
	uint64_t voted_view; /* in this life; rule R lets the recorded vote be said again */
};

struct hs_proposing {
	uint64_t asked_view; /* WANT_CUT outstanding; 0: none */
	struct crypto_hash asked_parent;
	uint64_t allowed_view;       /* last_proposed was raised to it in this life */
	uint64_t allowed_generation; /* the record that holds it */
	uint64_t done_view;
	bool has_work;
};

/* A block that is committed as soon as its ancestors are here. */
struct hs_target {
	uint64_t view; /* 0: none */
	struct crypto_hash id;
	enum hs_commit_rule rule;
};

struct hs_finality {
	struct hs_target target; /* the highest one; its ancestors are fetched */
	struct hs_target near;   /* a lower one that is reachable now: catch-up below a known tip */
	bool is_tip_proven;      /* the root has an FC or a C2 */
	bool is_tip_checked;     /* its COMMITs were checked and do not make an FC */
	uint64_t tip_since_ns;
	bool has_fc;
	bool is_proof_due; /* PROOF for `fc` not said yet: it follows the COMMIT */
	struct hs_fc fc;
	struct bitset suspects; /* once sent a COMMIT with a bad signature */
	bool is_checking;
	uint64_t checking_view;
	struct crypto_hash checking_id;
	uint64_t checking_since_ns;
	struct hs_commit checking[HS_REPLICAS_MAX]; /* what the effect points at */
	uint64_t certificates_asked_ns;
};

struct hs_want {
	bool is_used;
	bool is_current;
	struct crypto_hash id;
	uint64_t asked_ns;
	uint32_t attempts;
};

/* The newest statement of each kind by an author: rule §8 across views. */
struct hs_said {
	uint64_t commit_view;
	struct crypto_hash commit_id;
	struct crypto_signature commit_signature;
	bool has_timeout;
	uint64_t timeout_view;
	uint64_t timeout_qc_view;
	struct crypto_signature timeout_signature;
};

/*
 * Evidence whose COMMITs are still being checked. Every author has a place of its own for each
 * kind with COMMITs in it: however many others are accused, there is room to accuse one more. A
 * newer accusation waits for the end of the one before: each costs a check or two.
 */
enum hs_accused { HS_ACCUSED_TWO_COMMITS, HS_ACCUSED_COMMIT_AFTER_TIMEOUT, HS_ACCUSED_COUNT };

struct hs_accusation {
	bool is_open;
	enum hs_evidence_kind kind;
	uint32_t author;
	struct hs_statement first;
	struct hs_statement second;
	uint32_t unchecked;         /* of the two, as bits */
	struct hs_commit commit[2]; /* what the effects point at */
};

struct hs_core {
	struct hs_config config;
	bool is_started;
	bool is_observer;
	uint64_t now_ns;
	uint64_t wall_ns;
	uint64_t ticket; /* the last one given out */
	struct hs_safety safety;
	struct hs_restart restart;
	struct hs_proposing proposing;
	struct hs_finality finality;
	struct hs_pacemaker pacemaker;
	struct hs_want want[HS_WANTS_MAX];
	struct hs_repeat vote;
	struct hs_repeat commit;
	bool is_own_timeout_sent;   /* in the current view */
	uint64_t timeout_sent_view; /* the highest TIMEOUT that left in this life */
	uint64_t own_timeout_sent_ns;
	struct hs_timeout own_timeout;
	struct bitset evidence_seen[HS_EVIDENCE_COMMIT_AFTER_TIMEOUT + 1];
	struct hs_accusation accusation[HS_REPLICAS_MAX][HS_ACCUSED_COUNT];
	struct hs_said said[HS_REPLICAS_MAX];
	struct hs_chain chain;
	struct hs_block scratch_block;
	struct hs_qc scratch_qc;
	struct hs_tc scratch_tc;
	struct hs_effects *effects; /* of the step under way */
	uint32_t outbox_count;
	struct hs_message outbox[HS_OUTBOX_MAX];
	struct hs_quorum quorum; /* last: its ballots follow */
};

/* hs_core.c: effects. */
struct hs_effect *hs_emit(struct hs_core *core, enum hs_effect_kind kind);
void hs_drop(struct hs_core *core, enum hs_drop reason);
struct hs_message *hs_send(struct hs_core *core, enum hs_message_kind kind, uint32_t to);
uint64_t hs_sign(struct hs_core *core, enum hs_message_kind kind, uint64_t view,
		 const struct crypto_hash *block_id, uint64_t qc_view);
void hs_persist_block(struct hs_core *core, uint32_t index);
void hs_answer(struct hs_core *core, uint32_t peer);
void hs_fall_silent(struct hs_core *core);

static inline const struct hs_node *hs_root(const struct hs_core *core)
{
	return &core->chain.node[core->chain.root];
}

/* True when this replica may say anything at all. */
static inline bool hs_may_act(const struct hs_core *core)
{
	return !core->is_observer && !core->restart.is_recovering;
}

/* hs_view.c: rules A, T, TC. */
void hs_on_qc(struct hs_core *core, const struct hs_qc *qc);
void hs_on_tc(struct hs_core *core, const struct hs_tc *tc);
void hs_on_timeout(struct hs_core *core, const struct hs_timeout *timeout, uint32_t from);
void hs_try_qc(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id);
void hs_try_tc(struct hs_core *core, uint64_t view); /* the current view or a later one */
bool hs_has_reason(const struct hs_core *core);
uint64_t hs_timer_deadline_ns(const struct hs_core *core);
void hs_timer_advance(struct hs_core *core);
void hs_timeout_restore(struct hs_core *core);

/* hs_inputs.c: messages about blocks and votes. */
void hs_on_propose(struct hs_core *core, const struct hs_block *block);
void hs_on_intent(struct hs_core *core, const struct hs_block *block);
void hs_on_block(struct hs_core *core, const struct hs_block *block);
void hs_on_vote(struct hs_core *core, const struct hs_vote *vote, uint32_t from);
void hs_on_commit(struct hs_core *core, const struct hs_commit *commit, uint32_t from);
void hs_on_payload(struct hs_core *core, const struct crypto_hash *block_id,
		   enum hs_payload verdict);
uint32_t hs_accept_block(struct hs_core *core, const struct hs_block *block, bool is_proposal);
void hs_on_certified(struct hs_core *core, uint32_t index);

/* hs_vote.c: rules P, V, K, D and repeats. */
void hs_statements_advance(struct hs_core *core);
void hs_vote_advance(struct hs_core *core);
void hs_persist_advance(struct hs_core *core);
void hs_commit_vote_advance(struct hs_core *core);
void hs_repeat_advance(struct hs_core *core);
uint64_t hs_hold_deadline_ns(const struct hs_core *core);

/* hs_finality.c: rule C, FC. */
void hs_target(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id,
	       enum hs_commit_rule rule);
void hs_on_fc(struct hs_core *core, const struct hs_fc *fc);
void hs_on_commits_checked(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id,
			   const struct bitset *good, const struct bitset *bad);
void hs_try_c1(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id);
void hs_finality_advance(struct hs_core *core);
uint64_t hs_finality_deadline_ns(const struct hs_core *core);

/* hs_evidence.c: §8; hs_accuse() where a COMMIT is part of it. */
void hs_blame(struct hs_core *core, enum hs_evidence_kind kind, uint32_t author,
	      const struct hs_statement *first, const struct hs_statement *second);
void hs_accuse(struct hs_core *core, enum hs_evidence_kind kind, uint32_t author,
	       const struct hs_statement *first, const struct hs_statement *second);
void hs_accusations_checked(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id,
			    const struct bitset *good, const struct bitset *bad);

/* hs_propose.c: leaders and pacing. */
void hs_on_cut(struct hs_core *core, uint64_t view, const struct hs_cut *cut);
void hs_on_proposal_signed(struct hs_core *core, const struct hs_pending *pending);
void hs_propose_advance(struct hs_core *core);
uint64_t hs_propose_due_ns(const struct hs_core *core);

/* hs_fetch.c: missing blocks. */
void hs_fetch_advance(struct hs_core *core);
uint64_t hs_fetch_deadline_ns(const struct hs_core *core);

/* hs_start.c: rule R. */
void hs_on_start(struct hs_core *core, const struct hs_start *start);
void hs_on_certificate_answer(struct hs_core *core, uint32_t author);
void hs_restart_advance(struct hs_core *core);

#endif
