/*
 * lane_state: what the files of the lanes share; nobody outside lane_*.c includes it.
 *
 *     seq:   1 ........ base | base+1 ............... base+ring
 *            delivered       | slots: one a seq, up to LANE_BRANCHES_MAX digests each
 *            index ring      |   tip: durable here up to this on one chain (our claim)
 *            (disk only)     |   committed: may be above tip while catching up
 *
 * A branch is one digest at one (lane, seq). It is *named* when a valid
 * proposal or a committed block refers to it; the newest named branch of a slot
 * is its preferred one, and naming walks down the chain as far as it is known.
 * A name alone proves nothing until it is committed: the owner's batch is
 * completed beside it. Committed digests beyond the ring wait as anchors; the
 * gap below the lowest is walked header by header.
 */
#ifndef QUORATE_DATAPLANE_LANE_STATE_H
#define QUORATE_DATAPLANE_LANE_STATE_H

#include "base/ensure.h"
#include "dataplane/lane_batch.h"
#include "dataplane/lane_set.h"

enum {
	LANE_NONE = 0xffffffff,      /* no buffer, no branch */
	LANE_BRANCHES_MAX = 4,       /* two of the owner, two more only named */
	LANE_OWNER_BRANCHES_MAX = 2, /* §2.8 */
	LANE_ANCHORS_MAX = 32,
	LANE_READS_MAX = 16,
	LANE_TICKET_SHIFT =
		24, /* a PERSIST ticket: generation, buffer; 48 bits, the driver adds its own */
	LANE_WANTS_MAX = 32,        /* asked in one step */
	LANE_FETCHES_MAX = 8,       /* batches of one lane asked for at once, oldest first */
	LANE_OPEN_ASKS_MAX = 3,     /* about a batch nobody says is closed; then its frames go */
	LANE_NAMED_ROUNDS_MAX = 8,  /* of all peers, about a digest named but not committed */
	LANE_EVIDENCES_MAX = 4,     /* in one step */
	LANE_ANNOUNCES_MAX = 2,     /* own headers resent to one peer and interval */
	LANE_PIPELINE_MAX = 2,      /* own batches unacknowledged before closing waits for size */
	LANE_CLOSE_STRETCH = 16,    /* ...but no longer than this many batch_close_ns */
	LANE_CROWDED_STRETCH = 128, /* with half the window uncommitted */
	LANE_BACKOFF_SHIFT_MAX = 4, /* resends slow down to 16 repair intervals */
	LANE_CLAIMS_SHIFT_MAX = 2,  /* ...those of claims to 4: no work is seen without them */
	LANE_REPAIR_BYTES_MAX = 34000, /* of one answer, so that it fits a wire message */
	LANE_LEAVES_COST = 4,          /* of the peer's repair budget, in frames */
	LANE_EFFECTS_KEPT = 64, /* room of the effect list that optional effects leave free */
};

struct lane_branch {
	bool is_used;
	bool has_header;
	bool is_from_owner; /* header seen as the owner's word, not only named */
	bool is_named;
	bool is_committed;
	bool is_bound; /* all frames here, root matches */
	bool is_durable;
	bool is_verified; /* I checked every client seal */
	bool is_bad;      /* bound, and some seal is bad */
	bool is_mismatch; /* complete, and the root differs: leaf list wanted */
	bool is_exact;    /* only frames with a path or from the leaf list count now */
	bool is_void;     /* the header contradicts its own root: nobody can store it */
	bool is_signed;   /* header.signature is there (own lane: asynchronous) */
	uint32_t buffer;
	uint64_t position;
	struct crypto_hash digest;
	struct lane_header header;
};

struct lane_slot {
	uint64_t seq; /* 0: unused */
	struct lane_branch branch[LANE_BRANCHES_MAX];
	uint32_t preferred; /* LANE_NONE, or the branch named last */
	uint32_t stream;    /* buffer of frames whose header is not here yet */
	bool is_delivered;
	bool has_evidence;
	uint64_t progress_ns; /* last frame or header; 0: nothing yet */
	uint64_t asked_ns;
	uint32_t asked_count;
	uint32_t urged_count; /* asked_count when a block last named this batch or one above */
	uint32_t asked_peer;
};

/* A durable batch at or below base. */
struct lane_index_entry {
	struct lane_header header; /* seq 0: empty */
	uint64_t position;
	bool is_verified;
	bool is_signed;
};

/* What one peer said about one lane. */
struct lane_claim {
	struct hs_cut_entry newest;
	struct hs_cut_entry known; /* newest whose chain we knew when we heard it */
	uint64_t map_base_seq;
	uint64_t verified_map;
};

struct lane {
	uint32_t id;
	struct lane_slot *slots;
	struct lane_index_entry *index;
	struct lane_claim *claims;
	struct hs_cut_entry base;
	struct hs_cut_entry committed;
	struct hs_cut_entry tip;
	/* committed; rising seq, all beyond the ring */
	struct hs_cut_entry anchor[LANE_ANCHORS_MAX];
	uint32_t anchor_count;
	uint64_t anchor_asked_ns;
	uint32_t anchor_asked_count;
	/* up to this batches are closed: headers, f+1 claims or names say so */
	uint64_t expected_seq;
	/* up to this they should be: frames of later ones came; a crash may undo it */
	uint64_t streamed_seq;
	uint64_t frozen_seq; /* 0, or the seq of a batch with a bad seal */
	uint32_t buffers_used;
	uint64_t due_ns; /* nothing to repair before this */
	bool is_claim_changed;
};

struct lane_buffer {
	struct lane_batch batch;
	uint32_t lane;
	uint64_t seq;
	uint32_t generation;
	bool is_used;
	bool is_with_disk; /* PERSIST is under way */
	bool is_doomed;    /* to be given back when the disk returns it */
};

struct lane_own {
	uint64_t seq;         /* last closed */
	uint64_t floor_seq;   /* nothing is admitted before the tip reached this */
	uint64_t sent_seq;    /* headers up to this were announced once */
	uint64_t acked_seq;   /* q replicas store everything up to this */
	uint32_t open;        /* buffer being filled, or LANE_NONE */
	uint64_t opened_ns;   /* first frame */
	uint64_t announce_ns; /* next resend of headers; UINT64_MAX: none */
	uint32_t announce_count;
	uint64_t signing_seq; /* re-signing after a restart: one at a time; 0: none */
};

struct lane_read {
	bool is_used;
	uint32_t to;
	struct crypto_hash digest;
	struct lane_want want;
	struct crypto_signature signature;
};

struct lane_peer {
	uint64_t budget_ns; /* when the budget was last filled */
	uint32_t budget;
};

struct lane_set {
	struct lane_config config;
	uint32_t ring; /* slots a lane; a power of two */
	bool is_started;
	uint64_t now_ns;
	struct lane *lanes;
	struct lane_buffer *buffers;
	uint32_t buffer_count;
	uint32_t buffers_used;
	uint32_t spare_used;
	uint32_t *free_buffers; /* stack */
	uint32_t free_count;
	struct lane_own own;
	uint64_t ack_ns;        /* last ACKVEC */
	bool is_ack_wanted;     /* some lane's claim changed */
	uint64_t ack_resend_ns; /* UINT64_MAX: nothing uncommitted */
	uint32_t ack_resend_count;
	uint32_t turn; /* lane first looked at by the next tick */
	uint64_t repairs_asked;
	uint64_t repairs_served;
	struct lane_read reads[LANE_READS_MAX];
	struct lane_peer peers[LANE_LANES_MAX];
	bool is_changed;
	/* Of the current step; effects point here. */
	struct lane_effects *effects;
	struct lane_ackvec ackvec;
	struct lane_want wants[LANE_WANTS_MAX];
	uint32_t want_count;
	struct lane_evidence evidences[LANE_EVIDENCES_MAX];
	uint32_t evidence_count;
	struct lane_repair repair;
	bool is_repair_used;
	struct lane_leaves leaves;
	bool is_leaves_used;
	/* Scratch. */
	struct crypto_hash leaf[LANE_BATCH_FRAMES_MAX];
	struct crypto_hash scratch[2 * LANE_BATCH_FRAMES_MAX + 16];
};

_Static_assert((uint32_t)LANE_LANES_MAX == (uint32_t)HS_REPLICAS_MAX, "a lane a replica");
_Static_assert((uint32_t)LANE_WINDOW_MAX <= 64, "an ACKVEC map has 64 bits");

/*
 * Effects: lane_emit() for those that must fit, lane_emit_optional() leaves room and may give NULL.
 */
struct lane_effect *lane_emit(struct lane_set *set, enum lane_effect_kind kind, uint32_t to);
struct lane_effect *lane_emit_optional(struct lane_set *set, enum lane_effect_kind kind,
				       uint32_t to);
void lane_emit_drop(struct lane_set *set, enum lane_drop reason);

static inline bool lane_entry_equal(const struct hs_cut_entry *a, const struct hs_cut_entry *b)
{
	return a->seq == b->seq && __builtin_memcmp(&a->digest, &b->digest, sizeof(a->digest)) == 0;
}

static inline void lane_due(struct lane *lane, uint64_t due_ns)
{
	if (due_ns < lane->due_ns)
		lane->due_ns = due_ns;
}

#endif
