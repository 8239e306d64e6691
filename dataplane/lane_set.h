/*
 * lane_set: all lanes of one epoch, as one replica sees them (PROTOCOL §2). Pure.
 *
 *     client frame --> own lane --> LANE_FRAME to all at once --> BATCH when closed
 *     peers' frames -> provisional --> bound (header + root) --> PERSIST --> claimed in ACKVEC
 *     cut wanted   --> highest seq a lane with q stored claims and f+1 verified claims
 *     proposal     --> READY when every batch of its cut is durable and verified (§2.7)
 *
 * Model    step(input) -> ordered effects, like hs_core. Nothing provisional is
 *          acknowledged, proposed or delivered. A claim leaves only after the
 *          disk completion that makes it true (law 2).
 * Naming   NAMED and COMMITTED tell which digests are worth fetching; both may be
 *          repeated. What lies too far above the delivered part waits.
 * Signing  An own batch is signed and written at the same time; its record keeps
 *          a zero signature, and after a restart it is signed again when needed.
 * Agreed   batch_bytes_max, batch_frames_max, window and cut bounds are the same
 *          on all replicas of an epoch: a receiver refuses what exceeds its own.
 * Buffers  Batches live in page-aligned buffers of the region given at init (it
 *          can be registered with the disk). Each begins with a page of room for
 *          the log's record head, then the BATCH record: header, frames in
 *          arrival order, index table (lane_batch.h has the layout).
 * Bounds   §2.8: W batches a lane beyond the last committed cut; two digests a
 *          (lane, seq) from the owner, more only when a valid proposal names
 *          them; C batches a cut; every table has a named size.
 * Memory, Threads, Time   as hs_core.
 */
#ifndef QUORATE_DATAPLANE_LANE_SET_H
#define QUORATE_DATAPLANE_LANE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_types.h"
#include "dataplane/lane_types.h"

struct lane_set;

enum { LANE_EFFECTS_MAX = 256 };

struct lane_config {
	struct crypto_hash chain_id;
	struct crypto_hash set_hash;
	uint64_t epoch;
	uint32_t replica_id;
	uint32_t replica_count;
	uint32_t batch_bytes_max;  /* at most LANE_BATCH_BYTES_MAX */
	uint32_t batch_frames_max; /* at most LANE_BATCH_FRAMES_MAX */
	uint32_t window_batches;   /* W, at most LANE_WINDOW_MAX */
	uint32_t cut_batches_max;  /* C: a cut advances a lane by at most this */
	uint32_t spare_buffers;    /* beyond W a lane: forks, catch-up, delivery behind */
	uint32_t index_batches; /* recent (lane, seq) -> log position kept a lane; a power of two */
	uint64_t batch_close_ns;     /* 200 us after the first frame */
	uint64_t reorder_ns;         /* before a gap is NACKed */
	uint64_t ack_interval_ns;    /* 50-100 us under load */
	uint64_t repair_interval_ns; /* between two requests for one batch */
	uint32_t repair_budget;      /* repair frames served a peer and interval */
};

/* What recovery found: one durable batch, ascending seq per lane. */
struct lane_stored {
	struct lane_header header;
	uint64_t position;
	bool is_verified; /* this replica had checked every seal */
};

enum lane_input_kind {
	LANE_INPUT_START,        /* u.start; once, first */
	LANE_INPUT_CLIENT_FRAME, /* u.client: seal checked, admitted by policy */
	LANE_INPUT_PEER_FRAME,   /* u.frame, from the owner's session */
	LANE_INPUT_BATCH,        /* u.header, signature checked */
	LANE_INPUT_ACKVEC,       /* u.ackvec */
	LANE_INPUT_WANT,         /* u.want: a peer asks for content */
	LANE_INPUT_REPAIR,       /* u.repair: header signature and paths checked */
	LANE_INPUT_LEAVES,       /* u.leaves */
	LANE_INPUT_SIGNED,       /* u.signed_ */
	/* u.ticket: a PERSIST is durable at u.position (given by the driver) */
	LANE_INPUT_PERSISTED,
	LANE_INPUT_READ_DONE, /* u.read: bytes of a BATCH record, or code < 0 */
	LANE_INPUT_NAMED,     /* u.cut: a valid proposal or committed block names these digests */
	LANE_INPUT_COMMITTED, /* u.cut: the last committed cut moved */
	LANE_INPUT_DELIVERED, /* u.delivered: this batch's content is no longer needed in memory */
	LANE_INPUT_TICK,
};

struct lane_input {
	enum lane_input_kind kind;
	uint32_t from;
	uint64_t now_ns;
	union {
		struct {
			const struct lane_stored *stored;
			uint32_t stored_count;
			/* of the last delivered block; NULL: nothing yet */
			const struct hs_cut *committed;
			/* own lane continues above this: what peers or disk ever saw */
			uint64_t own_seq_floor;
		} start;
		struct {
			const uint8_t *bytes;
			uint32_t byte_count;
			struct crypto_hash frame_hash;
			uint64_t origin; /* opaque: who to answer */
		} client;
		const struct lane_frame *frame;
		const struct lane_header *header;
		const struct lane_ackvec *ackvec;
		const struct lane_want *want;
		const struct lane_repair *repair;
		const struct lane_leaves *leaves;
		struct {
			uint64_t request;
			struct crypto_signature signature;
		} signed_;
		struct {
			uint64_t ticket;
			uint64_t position;
		} persisted;
		struct {
			uint64_t ticket;
			int code;
			const uint8_t *bytes;
			uint32_t byte_count;
		} read;
		const struct hs_cut *cut;
		struct {
			uint32_t lane;
			uint64_t seq;
			struct crypto_hash digest;
		} delivered;
	} u;
};

enum lane_effect_kind {
	LANE_EFFECT_SEND_FRAME,  /* u.frame to all peers: own lane, streaming */
	LANE_EFFECT_SEND_BATCH,  /* u.header */
	LANE_EFFECT_SEND_ACKVEC, /* u.ackvec to all */
	LANE_EFFECT_SEND_WANT,   /* u.want to `to` */
	LANE_EFFECT_SEND_REPAIR, /* u.repair to `to` */
	LANE_EFFECT_SEND_LEAVES, /* u.leaves to `to` */
	LANE_EFFECT_SIGN,        /* u.sign with `ticket` as request */
	/* u.persist with `ticket` (48 bits): append borrowed to the lane log */
	LANE_EFFECT_PERSIST,
	LANE_EFFECT_READ,     /* u.position with `ticket`: a BATCH record from the lane log */
	LANE_EFFECT_REFUSE,   /* u.refuse: tell this client */
	LANE_EFFECT_CHANGED,  /* cut, payload or delivery questions may have new answers */
	LANE_EFFECT_EVIDENCE, /* u.evidence */
	LANE_EFFECT_DROPPED,  /* u.drop */
};

enum lane_drop {
#define LANE_DROP(name, text) LANE_DROP_##name,
#include "dataplane/lane_drop.def"
#undef LANE_DROP
	LANE_DROP_COUNT,
};

struct lane_effect {
	enum lane_effect_kind kind;
	uint32_t to; /* replica, or HS_REPLICA_ALL */
	uint64_t ticket;
	union {
		struct lane_frame frame;
		struct lane_header header;
		const struct lane_ackvec *ackvec;
		const struct lane_want *want;
		const struct lane_repair *repair;
		const struct lane_leaves *leaves;
		struct {
			uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
			uint32_t count;
		} sign;
		struct {
			/* page-aligned, a page of room before it; the disk's until PERSISTED */
			uint8_t *bytes;
			uint32_t byte_count;
		} persist;
		uint64_t position;
		struct {
			uint64_t origin;
			int reason; /* ERR_FULL: lane window closed, try again or elsewhere */
			const uint8_t *frame_bytes;
			uint32_t frame_byte_count;
		} refuse;
		const struct lane_evidence *evidence;
		enum lane_drop drop;
	} u;
};

struct lane_effects {
	uint32_t count;
	struct lane_effect at[LANE_EFFECTS_MAX];
};

size_t lane_set_footprint(const struct lane_config *config);

/* Bytes of the page-aligned buffer region (registered with the disk by the node). */
size_t lane_set_buffer_bytes(const struct lane_config *config);

int lane_set_init(void *memory, size_t memory_bytes, void *buffers, size_t buffer_bytes,
		  const struct lane_config *config, struct lane_set **ret_set);

int lane_set_step(struct lane_set *set, const struct lane_input *input,
		  struct lane_effects *ret_effects);

/*
 * When the next TICK is due; UINT64_MAX means none is. At or before now_ns: at the end of the
 * driver's current burst, before it sleeps (that is how a lone frame's batch closes at once).
 */
uint64_t lane_set_deadline_ns(const struct lane_set *set);

/*
 * The leader's cut above `parent` (§2.6); returns true if any lane advances. Entries follow the
 * parent's chain.
 */
bool lane_set_cut(const struct lane_set *set, const struct hs_cut *parent, struct hs_cut *ret_cut);

/* Would a cut above `parent` advance any lane? */
bool lane_set_has_cut(const struct lane_set *set, const struct hs_cut *parent);

/* §2.7 for a proposal: may this replica vote for `cut` on `parent`? */
enum lane_payload { LANE_PAYLOAD_READY, LANE_PAYLOAD_WAIT, LANE_PAYLOAD_INVALID };
enum lane_payload lane_set_payload(const struct lane_set *set, const struct hs_cut *parent,
				   const struct hs_cut *cut);

/* Is every batch in (parent, cut] durable here? (Delivery and rule K, without the claims.) */
bool lane_set_is_stored(const struct lane_set *set, const struct hs_cut *parent,
			const struct hs_cut *cut);

/* A bound batch in memory, or only on disk (bytes NULL, position known); false if unknown. */
struct lane_batch_view {
	const struct lane_header *header;
	const uint8_t *record; /* BATCH record bytes, NULL when only on disk */
	uint32_t record_bytes;
	bool is_durable;
	uint64_t position;
};
bool lane_set_batch(const struct lane_set *set, uint32_t lane, uint64_t seq,
		    const struct crypto_hash *digest, struct lane_batch_view *ret_view);

/*
 * The digest of (lane, seq) on the chain that ends in cut->lane[lane]; false if a link is unknown.
 */
bool lane_set_chain_digest(const struct lane_set *set, uint32_t lane, uint64_t seq,
			   const struct hs_cut_entry *end, struct crypto_hash *ret_digest);

struct lane_status {
	uint64_t own_seq; /* last closed batch of the own lane */
	uint64_t stored_seq[LANE_LANES_MAX];
	uint64_t committed_seq[LANE_LANES_MAX];
	uint32_t buffers_used;
	uint32_t buffers;
	uint64_t repairs_asked;
	uint64_t repairs_served;
};
void lane_set_status(const struct lane_set *set, struct lane_status *ret_status);

void lane_set_check(const struct lane_set *set);

#endif
