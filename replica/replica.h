/*
 * replica: one replica without a world. Consensus, lanes, exactly-once windows,
 * delivery and catch-up behind one step function; driven by node/ and by
 * tests/sim/ without an #ifdef (law 3).
 *
 *     verified message, client frame --+                       +--> SEND     bytes to peers
 *     persisted, read done ------------+--> replica_step() ----+--> PERSIST, READ
 *     signed, commits checked ---------+     (then drain       +--> SIGN, CHECK_COMMITS
 *     peer up / down, tick ------------+      the effects)     +--> RECEIPT, REFUSE
 *                                                              +--> FINAL, ALARM, DROPPED
 *
 * Durable before visible   Votes, claims and receipts exist only as effects of
 *          the PERSISTED that makes them true. Drivers carry effects out in order.
 * Delivery Blocks are delivered in height order once header and batches are
 *          durable here; the outcome (which transactions count) is a MARK record
 *          of the block log, from which readers and restarts work.
 * Memory   The caller's: an arena, and a page-aligned buffer region that holds
 *          the batches (registered with the disk by the node).
 * Threads  One owner. Time as in hs_core.h. Nothing here reads a clock.
 * Errors   Peers' and clients' faults are DROPPED effects with a named reason.
 */
#ifndef QUORATE_REPLICA_REPLICA_H
#define QUORATE_REPLICA_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_core.h"
#include "dataplane/lane_set.h"
#include "replica/replica_gate.h"
#include "storage/blocklog_store.h"

struct replica;

enum {
	REPLICA_EFFECTS_MAX =
		4096, /* pending at once; a step that cannot promise room is refused upstream */
	REPLICA_DELIVERY_MAX = 256, /* committed blocks whose batches are still missing here */
};

struct replica_config {
	struct hs_config consensus; /* chain, epoch, ids, timers: shared with the lanes */
	struct lane_config lanes;
	uint32_t clients_max;      /* exactly-once windows kept (PROTOCOL §1) */
	uint32_t blocks_index_max; /* recent heights served to laggards; a power of two */
	uint64_t catchup_interval_ns;
	uint32_t catchup_blocks_inflight;
	uint32_t sends_per_peer_max; /* lane and repair messages a step; never bounds votes */
};

enum replica_record_kind {
	REPLICA_RECORD_BATCH = 1, /* lane log: lane_batch.h */
	REPLICA_RECORD_BLOCK = 2, /* block log: wire_encode_block() */
	REPLICA_RECORD_MARK = 3,  /* block log: replica_mark.h, one a delivered height, ascending */
	REPLICA_RECORD_FC = 4,    /* block log: finality certificate of a block */
	REPLICA_RECORD_EVIDENCE = 5,
	REPLICA_RECORD_SAFETY = 6, /* safety log: wire_encode_record() */
	REPLICA_RECORD_WINDOWS =
		7, /* block log: a piece of the exactly-once windows, for restarts */
};

size_t replica_footprint(const struct replica_config *config);
size_t replica_buffer_bytes(const struct replica_config *config);
int replica_init(void *memory, size_t memory_bytes, void *buffers, size_t buffer_bytes,
		 const struct replica_config *config, struct replica **ret_replica);

/*
 * Recovery, before START: the driver hands over every record of the lane log,
 * then of the block log, in log order, then the newest safety record (NULL: none
 * readable, observer). `gate` verifies what must be verified again (rule R).
 * The last marked block may lie far before its mark (a block that was proposed while
 * others were caught up): replica_recover_wants_block() names the block log position
 * of its record, which the driver hands over again after the walk.
 * Windows are rebuilt from MARKs and batches: replica_recover_wants() names the
 * lane log position to read next (driver reads it, calls replica_recover_batch).
 * Returns 0, or ERR_CORRUPT / ERR_SEQUENCE / ERR_NEWER.
 */
int replica_recover_record(struct replica *replica, enum blocklog_log log, uint16_t kind,
			   uint64_t position, const void *bytes, size_t count);
bool replica_recover_wants_block(const struct replica *replica, uint64_t *ret_position);
bool replica_recover_wants(struct replica *replica, uint64_t *ret_position);
int replica_recover_batch(struct replica *replica, const void *bytes, size_t count);
int replica_recover_safety(struct replica *replica, struct replica_gate *gate, const void *bytes,
			   size_t count);

enum replica_input_kind {
	REPLICA_INPUT_START,
	REPLICA_INPUT_PEER,    /* u.verified, from a peer's session */
	REPLICA_INPUT_CLIENT,  /* u.client: a verified frame and who to answer */
	REPLICA_INPUT_PEER_UP, /* u.peer: its session stands */
	REPLICA_INPUT_PEER_DOWN,
	REPLICA_INPUT_PERSISTED, /* u.persisted: code 0, or why not: the replica stops voting */
	REPLICA_INPUT_READ_DONE, /* u.read */
	REPLICA_INPUT_SIGNED,
	REPLICA_INPUT_COMMITS_CHECKED,
	REPLICA_INPUT_TICK,
};

struct replica_input {
	enum replica_input_kind kind;
	uint64_t now_ns;
	uint64_t wall_ns;
	union {
		const struct replica_verified *verified;
		struct {
			const struct replica_verified *frame;
			uint64_t origin; /* opaque: session to answer refusals to */
		} client;
		uint32_t peer;
		struct {
			uint64_t ticket;
			uint64_t position;
			int code;
		} persisted;
		struct {
			uint64_t ticket;
			int code;
			uint16_t record_kind;
			const uint8_t *bytes;
			uint32_t byte_count;
		} read;
		struct {
			uint64_t request;
			struct crypto_signature signature;
		} signed_;
		struct {
			uint64_t view;
			struct crypto_hash block_id;
			struct bitset good, bad;
		} checked;
	} u;
};

enum replica_effect_kind {
	REPLICA_EFFECT_SEND,
	REPLICA_EFFECT_PERSIST,
	REPLICA_EFFECT_READ,
	REPLICA_EFFECT_SIGN,
	REPLICA_EFFECT_CHECK_COMMITS,
	REPLICA_EFFECT_RECEIPT,
	REPLICA_EFFECT_REFUSE,
	REPLICA_EFFECT_FINAL, /* one a delivered block: numbers for metrics, height for readers */
	REPLICA_EFFECT_ALARM, /* observer, evidence, ...: logged once by the program */
	REPLICA_EFFECT_DROPPED,
};

enum replica_send_class { REPLICA_SEND_CONSENSUS, REPLICA_SEND_LANE, REPLICA_SEND_REPAIR };

enum replica_alarm {
	REPLICA_ALARM_OBSERVER = 1,
	REPLICA_ALARM_ROLLED_BACK,
	REPLICA_ALARM_EVIDENCE,
	REPLICA_ALARM_STORE_FAILED,
};

enum replica_drop {
#define REPLICA_DROP(name, text) REPLICA_DROP_##name,
#include "replica/replica_drop.def"
#undef REPLICA_DROP
	REPLICA_DROP_COUNT,
};

/* What a client is told of one frame, or of the part of it in one block. */
struct replica_receipt {
	struct crypto_public_key client;
	uint64_t first_seq;
	uint32_t count;
	uint64_t ordered_map[4]; /* bit i: transaction first_seq + i counts */
	uint64_t height;
	uint32_t first_index; /* index in the block of the first one that counts */
	struct crypto_hash block_id;
};

struct replica_effect {
	enum replica_effect_kind kind;
	union {
		struct {
			struct bitset to;
			enum replica_send_class class_;
			const uint8_t *bytes; /* valid until the effect is popped */
			uint32_t byte_count;
		} send;
		struct {
			enum blocklog_log log;
			uint16_t kind;
			bool is_borrowed; /* bytes valid until PERSISTED, else until popped */
			const uint8_t *bytes;
			uint32_t byte_count;
			uint64_t ticket;
		} persist;
		struct {
			enum blocklog_log log;
			uint64_t position;
			uint64_t ticket;
			uint32_t byte_max;
		} read;
		struct {
			uint64_t request;
			uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
			uint32_t count;
		} sign;
		struct {
			uint64_t view;
			struct crypto_hash block_id;
			const struct hs_commit *commits;
			uint32_t count;
		} commits;
		struct replica_receipt receipt;
		struct {
			uint64_t origin;
			struct crypto_public_key client;
			uint64_t first_seq;
			int reason;     /* ERR_AHEAD, ERR_FULL, ERR_DUPLICATE, ERR_EXPIRED */
			uint64_t limit; /* first sequence number refused, or window end */
		} refuse;
		struct {
			uint64_t height;
			struct crypto_hash block_id;
			uint64_t tx_base; /* ordered before this block, ever */
			uint32_t tx_count;
			uint32_t tx_dropped;
			uint64_t proposed_wall_ns;
		} final;
		struct {
			enum replica_alarm alarm;
			uint64_t detail;
		} alarm;
		struct {
			enum replica_drop_family {
				REPLICA_DROP_CONSENSUS,
				REPLICA_DROP_LANE,
				REPLICA_DROP_REPLICA
			} family;
			uint32_t reason;
		} dropped;
	} u;
};

/* Applies one input. Returns 0, or ERR_ORDER. Drain the effects before the next step. */
int replica_step(struct replica *replica, const struct replica_input *input);

/* The oldest effect not yet popped, or NULL. */
const struct replica_effect *replica_effect(struct replica *replica);
void replica_effect_pop(struct replica *replica);

uint64_t replica_deadline_ns(const struct replica *replica);

struct replica_status {
	struct hs_view_status view;
	struct lane_status lanes;
	uint64_t delivered_height;
	struct crypto_hash delivered_id;
	uint64_t delivered_transactions;
	uint64_t peer_height[HS_REPLICAS_MAX]; /* as each peer claims; 0: not heard */
	uint64_t best_peer_height;             /* claims of peers: how far behind we might be */
	bool is_catching_up;
	uint32_t clients;
};
void replica_status(const struct replica *replica, struct replica_status *ret_status);

void replica_check(const struct replica *replica);

#endif
