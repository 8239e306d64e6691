/*
 * hs_core: one HotStuff replica as a pure state machine (PROTOCOL §4-§6).
 *
 * Give it one input, take back the ordered effects that input caused.
 * It opens no file, sends no packet, reads no clock and draws no random
 * number, so the node and the simulator drive exactly the same object.
 *
 *     message ------+                      +--> PERSIST_RECORD / PERSIST_BLOCK
 *     payload, cut -+                      +--> SIGN       asynchronous signer
 *     persisted ----+--> hs_core_step() ---+--> SEND       to one peer or all
 *     signed -------+                      +--> COMMIT     in height order
 *     tick, work ---+                      +--> WANT_...   payload, cut, block
 *     start --------+                      +--> PROOF, EVIDENCE, DROPPED
 *
 * Rules    A, P, V, L, K, C1-C3, T, TC, D, R of PROTOCOL §5, all of them;
 *          hs_rules.h holds them as predicates in the document's order.
 * Safety   VOTE, COMMIT, TIMEOUT and PROPOSE are emitted only by the step that
 *          learns that the record holding them is durable and signed; a VOTE
 *          also waits for its block's PERSIST_BLOCK. Drivers never reorder or
 *          hold effects, and cannot send early: the message does not exist yet.
 * Inputs   Verified values: signatures of proposals, votes, timeouts and
 *          certificates were checked (replica_gate). COMMITs are counted under
 *          their session's authority, signature unchecked, and only when their
 *          `author` is the session they came from. Input pointers are borrowed
 *          until the step returns.
 * Memory   Lives wholly in the region given to hs_core_init(); fixed size.
 * Threads  One caller at a time; the core holds no lock.
 * Time     now_ns: caller's monotonic clock, never backwards. wall_ns: UTC
 *          nanoseconds, may jump; used only for header times and rule P(1).
 * Errors   A lying or late peer is not an error: DROPPED with a reason.
 */
#ifndef QUORATE_CONSENSUS_HS_CORE_H
#define QUORATE_CONSENSUS_HS_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_types.h"

struct hs_core;

enum {
	HS_BLOCKS_MAX = 64,                      /* uncommitted blocks kept */
	HS_EFFECTS_MAX = 2 * HS_BLOCKS_MAX + 32, /* the most one step can cause */
	HS_VIEWS_AHEAD_MAX = 64, /* votes and timeouts beyond this window are dropped (rule A) */
};

struct hs_config {
	struct crypto_hash chain_id;
	struct crypto_hash set_hash;   /* of the epoch's validator set */
	struct crypto_hash genesis_id; /* id of the block at height 0; its QC is virtual, view 0 */
	uint64_t genesis_time_ns;
	uint64_t epoch;
	uint32_t replica_id;
	uint32_t replica_count;  /* 1 or at least 4, at most HS_REPLICAS_MAX; also the lane count */
	uint64_t delta_ns;       /* network delay bound; base view timer = max(3 delta, 4 p99) */
	uint64_t timeout_max_ns; /* back-off stops here (1 s) */
	uint64_t heartbeat_ns;   /* an empty block at least this often when idle */
	uint64_t block_interval_min_ns; /* floor while under load; adapts upward (§6) */
	uint64_t clock_skew_max_ns;     /* 500 ms: rule P(1) */
};

/* What START remembers. `record` NULL = observer: never votes (rule R). */
struct hs_start {
	const struct hs_record
		*record; /* its high_qc and intent_justify re-verified by the driver... */
	bool intent_justify_is_valid;  /* ...with these verdicts; a bad high_qc means observer */
	bool entry_tc_is_valid;        /* same, for record->entry_tc */
	const struct hs_block *blocks; /* durable uncommitted blocks, parents first; may be empty */
	uint32_t block_count;
	/*
	 * The newest committed block whose ancestors are all here, and above which `blocks` follow;
	 * NULL: none, the genesis stand-in. It may lie below the one the record names: what is
	 * between is committed again, and the record keeps its height until that is passed.
	 */
	const struct hs_block *committed;
};

enum hs_input_kind {
	HS_INPUT_START,   /* first input, once */
	HS_INPUT_PROPOSE, /* u.block: PROPOSE of leader(view), everything in it verified */
	HS_INPUT_INTENT,  /* u.block: same, before its signatures were checked (rule D); optional */
	HS_INPUT_BLOCK,   /* u.block: fetched by id; content-addressed, never voted for by itself */
	HS_INPUT_VOTE,
	HS_INPUT_COMMIT,          /* from its author's session; signature unchecked */
	HS_INPUT_COMMITS_CHECKED, /* u.checked: answer to CHECK_COMMITS */
	HS_INPUT_TIMEOUT,         /* its qc and entry, if present, are verified too */
	HS_INPUT_QC,
	HS_INPUT_TC,
	HS_INPUT_FC,        /* all signatures checked */
	HS_INPUT_PAYLOAD,   /* u.payload: answer to WANT_PAYLOAD */
	HS_INPUT_CUT,       /* u.cut: answer to WANT_CUT */
	HS_INPUT_WORK,      /* u.work: is there cuttable work beyond the newest block's cut? */
	HS_INPUT_PERSISTED, /* u.ticket: this PERSIST_* is durable */
	HS_INPUT_SIGNED,    /* u.signed_: answer to SIGN */
	/* u.author: a peer answered our certificate request (rule R) */
	HS_INPUT_CERTIFICATE_ANSWER,
	HS_INPUT_ROLLED_BACK, /* proven by a statement of ours above our record: become observer */
	HS_INPUT_TICK,
};

struct hs_input {
	enum hs_input_kind kind;
	uint32_t from; /* session the message came on; HS_REPLICA_NONE if ours */
	uint64_t now_ns;
	uint64_t wall_ns;
	union {
		const struct hs_start *start;
		const struct hs_block *block;
		const struct hs_vote *vote;
		const struct hs_commit *commit;
		const struct hs_timeout *timeout;
		const struct hs_qc *qc;
		const struct hs_tc *tc;
		const struct hs_fc *fc;
		struct {
			struct crypto_hash block_id;
			enum hs_payload { HS_PAYLOAD_READY, HS_PAYLOAD_INVALID } verdict;
		} payload;
		struct {
			uint64_t view;
			const struct hs_cut *cut;
		} cut;
		struct {
			uint64_t view;
			struct crypto_hash block_id;
			struct bitset good; /* authors whose COMMIT signature verified */
			struct bitset bad;
		} checked;
		bool work;
		uint64_t ticket;
		struct {
			uint64_t request;
			struct crypto_signature signature;
		} signed_;
		uint32_t author;
	} u;
};

enum hs_effect_kind {
	HS_EFFECT_PERSIST_RECORD, /* u.record with `ticket` */
	HS_EFFECT_PERSIST_BLOCK,  /* u.block with `ticket`; asked at most once a block */
	HS_EFFECT_SIGN,           /* u.sign with `ticket` as request number */
	HS_EFFECT_SEND,           /* u.message to `to` (one peer or HS_REPLICA_ALL) */
	/* u.block: report READY once §2.7 holds for its cut against the parent's */
	HS_EFFECT_WANT_PAYLOAD,
	HS_EFFECT_WANT_CUT,   /* u.want_cut: leader of `view` asks what to propose */
	HS_EFFECT_WANT_BLOCK, /* u.want_block: fetch this header by id, `to` is a likely holder */
	HS_EFFECT_WANT_CERTIFICATES, /* rule R: ask all peers for their newest certificates */
	HS_EFFECT_COMMIT,            /* u.commit: next committed block, strictly rising heights */
	HS_EFFECT_CHECK_COMMITS,     /* u.commits: check these COMMIT signatures off the path */
	HS_EFFECT_PROOF,    /* u.fc: an FC with all signatures checked exists for this block */
	HS_EFFECT_EVIDENCE, /* u.evidence */
	HS_EFFECT_DROPPED,  /* u.drop: counted, nothing else */
	HS_EFFECT_OBSERVER, /* this replica stopped voting for good; the driver raises an alarm */
};

enum hs_drop {
#define HS_DROP(name, text) HS_DROP_##name,
#include "consensus/hs_drop.def"
#undef HS_DROP
	HS_DROP_COUNT,
};

enum hs_commit_rule { HS_COMMIT_C1 = 1, HS_COMMIT_C2, HS_COMMIT_C3, HS_COMMIT_ANCESTOR };

struct hs_effect {
	enum hs_effect_kind kind;
	uint32_t to;
	uint64_t ticket;
	union {
		const struct hs_record *record;
		const struct hs_block *block; /* WANT_PAYLOAD and PERSIST_BLOCK */
		struct {
			enum hs_message_kind message;
			uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
			uint32_t count;
		} sign;
		const struct hs_message *message;
		struct {
			uint64_t view;
			struct crypto_hash parent_id;
			const struct hs_cut *parent_cut;
		} want_cut;
		struct crypto_hash want_block;
		struct {
			const struct hs_block *block;
			enum hs_commit_rule rule;
		} commit;
		struct {
			uint64_t view;
			struct crypto_hash block_id;
			const struct hs_commit *commits; /* `count` of them */
			uint32_t count;
		} commits;
		const struct hs_fc *fc;
		struct hs_evidence evidence;
		enum hs_drop drop;
	} u;
};

struct hs_effects {
	uint32_t count;
	struct hs_effect at[HS_EFFECTS_MAX];
};

/* Returns the bytes hs_core_init() needs, or 0 if `config` is not valid. */
size_t hs_core_footprint(const struct hs_config *config);

/*
 * Builds a core inside `memory` (64-byte aligned, at least the footprint); the
 * caller keeps owning the region. Returns 0, or ERR_CONFIG.
 */
int hs_core_init(void *memory, size_t memory_bytes, const struct hs_config *config,
		 struct hs_core **ret_core);

/*
 * Applies one input. Effects are to be carried out in array order; pointers in
 * them stay valid until the next step. Returns 0, or ERR_ORDER if START did not
 * come first or time ran back.
 */
int hs_core_step(struct hs_core *core, const struct hs_input *input,
		 struct hs_effects *ret_effects);

/* When the next TICK is due; UINT64_MAX means none is. */
uint64_t hs_core_deadline_ns(const struct hs_core *core);

/* What status shows and the simulator's observer compares; a copy of plain numbers. */
struct hs_view_status {
	uint64_t epoch;
	uint64_t view;
	uint64_t high_qc_view;
	uint64_t last_vote_view;
	uint64_t last_timeout_view;
	uint64_t last_commit_view;
	uint64_t committed_height;
	struct crypto_hash committed_id;
	uint32_t leader;
	bool is_observer;
	uint64_t views_failed;
	uint64_t timer_ns; /* current view timer, 0 when not running */
	uint64_t base_ns;  /* the base of view timers, before back-off */
};
struct hs_view_status hs_core_status(const struct hs_core *core);

/* Returns the kept block with this id, or NULL; valid until the next step. */
const struct hs_block *hs_core_block(const struct hs_core *core, const struct crypto_hash *id);

/*
 * The highest certified, the committed and the newest valid block's cut are what lanes keep data
 * for.
 */
const struct hs_qc *hs_core_high_qc(const struct hs_core *core);

/* Leader of a view: round-robin over the epoch's members (§6). */
uint32_t hs_core_leader(const struct hs_core *core, uint64_t view);

/*
 * Fills `ret` with this replica's newest entry certificate, FC and high QC: the answer to a
 * certificate request.
 */
struct hs_certificates {
	struct hs_qc high_qc;
	struct hs_entry entry;
	bool has_fc;
	struct hs_fc fc;
};
void hs_core_certificates(const struct hs_core *core, struct hs_certificates *ret);

/* Aborts if an invariant is broken. The simulator calls it every step. */
void hs_core_check(const struct hs_core *core);

#endif
