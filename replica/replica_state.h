/*
 * replica_state: the replica's insides, shared by the replica_*.c files only.
 *
 *     replica_init.c       the region and who gets which part of it
 *     replica.c            one input -> one of the reactions below -> replica_settle()
 *     replica_core.c       steps hs_core, carries its effects out
 *     replica_lanes.c      steps lane_set, carries its effects out
 *     replica_delivery.c   committed blocks -> order, receipts, MARKs
 *     replica_admission.c  client frames in
 *     replica_blocks.c     where blocks and certificates lie on disk
 *     replica_catchup.c    asks for blocks;  replica_serve.c gives them
 *     replica_show.c       rule R's proofs of rollback; evidence
 *     replica_recover.c    from the logs to START
 *
 * Nesting  A core step may cause lane steps while its effects are carried out; a
 *          lane step causes nothing at once, it leaves flags. replica_settle()
 *          answers the flags until none is up. So neither effect list is ever
 *          overwritten while it is being read.
 */
#ifndef QUORATE_REPLICA_REPLICA_STATE_H
#define QUORATE_REPLICA_REPLICA_STATE_H

#include "crypto/crypto_hash.h"
#include "replica/replica.h"
#include "replica/replica_mark.h"
#include "replica/replica_outbox.h"
#include "replica/replica_windows.h"

enum {
	REPLICA_PERSISTED_MIN = 512, /* blocks whose BLOCK record is remembered; powers of two */
	REPLICA_PERSISTED_MAX = 65536,
	REPLICA_PAYLOADS_MAX = HS_BLOCKS_MAX,
	REPLICA_RECENT_MIN = 4096, /* receipts kept for resends; powers of two */
	REPLICA_RECENT_MAX = 65536,
	REPLICA_RECENT_WAYS = 8,      /* the oldest of a set gives way */
	REPLICA_ADMITTED_MAX = 16384, /* frames admitted a moment ago; a power of two */
	REPLICA_SERVE_JOBS = 4,
	REPLICA_SERVE_BYTES = WIRE_MESSAGE_BYTES_MAX - 16 * 1024,  /* room for an FC and heads */
	REPLICA_EVIDENCE_KINDS = HS_EVIDENCE_COMMIT_AFTER_TIMEOUT, /* one piece each a member */
	REPLICA_EVIDENCE_LANE = 11, /* pieces about a member's lane */
	REPLICA_EVIDENCE_SHARE = REPLICA_EVIDENCE_KINDS + REPLICA_EVIDENCE_LANE,
	REPLICA_RECOVER_BLOCKS_MAX = 384,
	REPLICA_FCS_MAX = 64,
	REPLICA_WINDOWS_PIECE_BYTES = 256 * 1024,
};

/* Tickets and requests say whose they are in their top byte. */
enum replica_ticket {
	REPLICA_TICKET_CORE = 1,
	REPLICA_TICKET_LANE,
	REPLICA_TICKET_BLOCK, /* a committed block the core did not persist; low part: height */
	REPLICA_TICKET_MARK,  /* low part: height */
	REPLICA_TICKET_FC,    /* low part: height */
	REPLICA_TICKET_EVIDENCE,
	REPLICA_TICKET_WINDOWS,
	REPLICA_TICKET_DELIVERY, /* read of a batch */
	REPLICA_TICKET_SERVE,    /* read of a block; low part: job and generation */
};

static inline uint64_t replica_ticket(enum replica_ticket owner, uint64_t low)
{
	return (uint64_t)owner << 56 | (low & UINT64_C(0x00ffffffffffffff));
}

static inline enum replica_ticket replica_ticket_owner(uint64_t ticket)
{
	return (enum replica_ticket)(ticket >> 56);
}

static inline uint64_t replica_ticket_low(uint64_t ticket)
{
	return ticket & UINT64_C(0x00ffffffffffffff);
}

/*
 * A BLOCK record on its way to the disk or there. Whoever voted may be asked for the block until
 * one is committed, however many views fail in between, and only its disk may still have it.
 */
struct replica_persisted {
	struct crypto_hash id;
	uint64_t ticket; /* the core's; 0: entry unused or asked by us */
	uint64_t position;
	uint32_t older; /* in the same bucket: index + 1; 0: none */
	bool is_used;
	bool is_durable;
};

/* A delivered block: what catch-up serves from. */
struct replica_block_entry {
	uint64_t height; /* 0: unused */
	struct crypto_hash id;
	uint64_t position;
	uint64_t fc_position;
	bool has_fc;
};

struct replica_fc_entry {
	uint64_t height;
	uint64_t position;
	bool is_durable;
};

struct replica_blocks {
	struct replica_persisted *persisted; /* ring */
	uint32_t persisted_max;              /* a power of two */
	uint32_t persisted_next;
	uint32_t *bucket; /* persisted_max, by id: index + 1 of the newest; 0: none */
	struct replica_block_entry *entry; /* blocks_index_max, by height */
	struct replica_fc_entry fc[REPLICA_FCS_MAX];
	uint32_t fc_next;
};

/* A committed block on its way into the order. */
struct replica_pending {
	uint64_t height;
	struct crypto_hash id;
	uint64_t view;
	uint64_t time_ns;
	uint64_t position;
	bool is_durable;
	struct hs_cut cut;
};

struct replica_delivery {
	uint64_t height; /* last delivered */
	struct crypto_hash id;
	struct hs_cut cut;
	uint64_t transactions;         /* ordered, ever */
	struct replica_pending *queue; /* REPLICA_DELIVERY_MAX, heights in a row */
	uint32_t first;
	uint32_t count;
	uint64_t told_height; /* the lanes know the committed cuts up to here */

	/* The block being delivered: lanes in rotation, then seq. */
	bool is_started;
	uint32_t turn;     /* lanes done */
	uint64_t next_seq; /* in the lane in turn */
	uint32_t index;    /* transactions of the block that count so far */
	uint32_t dropped;
	struct replica_mark_builder mark;
	bool is_reading;
	uint64_t read_number;
	bool is_short_of_room; /* goes on with the next step */

	/* Saving the windows, a piece a block. */
	bool is_saving;
	uint64_t save_height; /* replay begins above it */
	uint32_t save_at;
	uint32_t save_number; /* of the next piece */
	uint64_t batches_since_save;
};

/* What FINAL says once its MARK is durable; a queue in height order. */
struct replica_final {
	uint64_t height;
	struct crypto_hash id;
	uint64_t tx_base;
	uint32_t tx_count;
	uint32_t tx_dropped;
	uint64_t time_ns;
};

struct replica_recent {
	bool is_used;
	struct replica_receipt receipt;
};

struct replica_admitted {
	struct crypto_hash frame_hash;
	uint64_t at_ns;
};

struct replica_payload {
	bool is_used;
	struct crypto_hash id;
	uint64_t height;
	struct hs_cut parent;
	struct hs_cut cut;
};

struct replica_serve_job {
	bool is_used;
	uint32_t peer;
	uint32_t generation;
	uint64_t next_height; /* 0: one block by id */
	uint64_t last_height;
	uint32_t count;
	uint32_t byte_count;
	uint32_t offset[WIRE_BLOCKS_MAX];
	uint32_t length[WIRE_BLOCKS_MAX];
	bool is_reading_fc;
	uint8_t bytes[REPLICA_SERVE_BYTES];
};

struct replica_catchup {
	uint64_t claim[HS_REPLICAS_MAX]; /* committed heights as peers say */
	uint32_t next_peer;
	struct bitset asked; /* peers that owe an answer, in time or late */
	uint32_t asked_peer; /* HS_REPLICA_NONE: no request out */
	uint64_t asked_height;
	uint64_t asked_ns;
	uint64_t seen_height; /* committed height at the last look */
	uint64_t looked_ns;
	uint64_t status_ns;                    /* last STATUS sent */
	uint64_t status_height;                /* ...and what it said */
	uint64_t answered_ns[HS_REPLICAS_MAX]; /* STATUS given to a peer that is behind */
	uint64_t served_ns[HS_REPLICAS_MAX];   /* start of the peer's budget interval */
	uint32_t served[HS_REPLICAS_MAX];
	struct replica_serve_job job[REPLICA_SERVE_JOBS + 1]; /* the last: for this member itself */
};

/*
 * Evidence is kept by the member it accuses, each in a share of its own: a member that forks its
 * lane at every seq fills its own share and hides nobody. When a share is full the newest piece
 * is refused, not the oldest replaced: one piece convicts, every kept one costs a write and a
 * message to all, and one that was forgotten would be new again when it is heard again.
 */
struct replica_evidence {
	uint64_t key[REPLICA_EVIDENCE_SHARE];
	uint32_t count;
	uint32_t lane_count;
};

struct replica_show {
	bool has[HS_REPLICAS_MAX];
	struct hs_statement seen[HS_REPLICAS_MAX];
	bool has_record;
	struct hs_record record; /* ours, as last given to the store */
	struct replica_evidence evidence[HS_REPLICAS_MAX];
};

/* Recovery: the tail of the logs. */
struct replica_recover_batch_ref {
	uint64_t position;
	uint64_t height;
	uint32_t index; /* in the block, of its first transaction that counts */
};

struct replica_recover {
	struct lane_stored *stored; /* per lane a ring of index_batches */
	uint64_t *stored_count;     /* per lane, ever */
	struct hs_block *block;     /* ring of REPLICA_RECOVER_BLOCKS_MAX */
	uint64_t *block_position;
	uint64_t block_count;                    /* ever */
	struct replica_recover_batch_ref *batch; /* ring: batches to replay */
	uint32_t batch_max;
	uint64_t batch_first;
	uint64_t batch_end;
	uint64_t lost_height; /* the ring overflowed: nothing at or below it can be replayed */
	uint32_t next_part;   /* of the block being read */
	uint64_t block_batches_end; /* `batch_end` after the last whole block */
	bool wants_block;           /* the last marked block came long before its mark */
	uint64_t wants_position;
	uint32_t save_next; /* piece expected next of the windows being loaded */
	uint64_t save_height;
	struct hs_record record;
	bool has_record;
	bool is_intent_valid;
	bool is_entry_valid;
	struct hs_block root; /* the last delivered one; then where the core starts */
	bool has_root;        /* else the root is the genesis stand-in */
	uint64_t root_height;
	struct crypto_hash root_id;
	struct hs_block *start_block; /* HS_BLOCKS_MAX, parents first */
	uint32_t start_count;
};

struct replica {
	struct replica_config config;
	uint64_t now_ns;
	uint64_t wall_ns;
	bool is_started;
	bool store_failed;
	struct bitset peers; /* everybody else */
	struct hs_core *core;
	struct lane_set *lanes;
	struct replica_windows *windows;
	struct replica_outbox outbox;
	struct replica_blocks blocks;
	struct replica_delivery delivery;
	struct replica_final *final; /* REPLICA_DELIVERY_MAX */
	uint32_t final_first;
	uint32_t final_count;
	struct replica_catchup catchup;
	struct replica_show show;
	struct replica_recover recover;
	struct replica_recent *recent;
	uint32_t recent_max; /* a power of two */
	struct replica_admitted *admitted;
	struct replica_payload payload[REPLICA_PAYLOADS_MAX];

	/* Flags that replica_settle() answers. */
	bool lanes_changed;
	bool wants_cut;
	uint64_t cut_view;
	struct hs_cut cut_parent;
	bool work_known;
	bool work;
	uint64_t work_qc_view; /* the certificate `work` was computed against */
	bool refused;          /* the last client frame, by the lanes */

	struct hs_cut scratch_cut;
	struct hs_effects core_effects;
	struct lane_effects lane_effects;
	struct hs_block block_in;
	struct wire_message message_in;
	struct wire_message message_out;
};

/* replica.c */
struct replica_effect *replica_push(struct replica *replica, enum replica_effect_kind kind);
void replica_dropped(struct replica *replica, enum replica_drop_family family, uint32_t reason);
void replica_alarm(struct replica *replica, enum replica_alarm alarm, uint64_t detail);
/* Encodes message_out (epoch filled in) and sends it; `to` is one replica or HS_REPLICA_ALL. */
void replica_send(struct replica *replica, uint32_t to, enum replica_send_class class_);
void replica_persist(struct replica *replica, enum blocklog_log log, uint16_t kind,
		     const uint8_t *bytes, uint32_t byte_count, uint64_t ticket);
void replica_read(struct replica *replica, enum blocklog_log log, uint64_t position,
		  uint32_t byte_max, uint64_t ticket);
const struct hs_cut *replica_cut_of(const struct replica *replica, const struct crypto_hash *id);

/* replica_core.c */
void replica_core_step(struct replica *replica, struct hs_input *input);
void replica_core_message(struct replica *replica, const struct wire_message *message);
void replica_core_block(struct replica *replica, uint32_t from, const struct hs_block *block);
void replica_core_qc(struct replica *replica, uint32_t from, const struct hs_qc *qc);
void replica_core_fc(struct replica *replica, uint32_t from, const struct hs_fc *fc);
void replica_core_certificates(struct replica *replica, uint32_t from,
			       const struct wire_certificates *certificates);
void replica_core_answer(struct replica *replica, uint32_t to);
/* One question of cut, payload or work answered, if any can be; false when none is open. */
bool replica_core_settle(struct replica *replica);

/* replica_lanes.c */
void replica_lane_step(struct replica *replica, struct lane_input *input);
void replica_lane_message(struct replica *replica, struct wire_message *message,
			  const struct replica_stamp *stamp);
void replica_lane_cut(struct replica *replica, enum lane_input_kind kind, const struct hs_cut *cut);

/* replica_blocks.c */
void replica_blocks_asked(struct replica *replica, const struct crypto_hash *id, uint64_t ticket);
/* A BLOCK record became durable; by the core's ticket. */
void replica_blocks_durable(struct replica *replica, uint64_t ticket, uint64_t position);
/* A durable record of the block if there is one, else one under way, else NULL. */
const struct replica_persisted *replica_blocks_find(const struct replica *replica,
						    const struct crypto_hash *id);
void replica_blocks_delivered(struct replica *replica, uint64_t height,
			      const struct crypto_hash *id, uint64_t position);
const struct replica_block_entry *replica_blocks_at(const struct replica *replica, uint64_t height);
const struct replica_block_entry *replica_blocks_by_id(const struct replica *replica,
						       const struct crypto_hash *id);
void replica_blocks_proof(struct replica *replica, const struct hs_fc *fc);
void replica_blocks_proof_durable(struct replica *replica, uint64_t height, uint64_t position);

/* replica_delivery.c */
void replica_delivery_commit(struct replica *replica, const struct hs_block *block);
/* True if a batch or block was delivered: there may be more. */
bool replica_delivery_run(struct replica *replica);
void replica_delivery_block_durable(struct replica *replica, uint64_t height, uint64_t position);
void replica_delivery_read(struct replica *replica, uint64_t ticket, int code, const uint8_t *bytes,
			   uint32_t byte_count);
void replica_delivery_mark_durable(struct replica *replica, uint64_t height);
/* True while so many committed blocks wait that no more may be committed. */
bool replica_delivery_is_full(const struct replica *replica);
/* Is a delivery step possible at once? (Then the deadline is now.) */
bool replica_delivery_is_due(const struct replica *replica);
struct replica_pending *replica_delivery_at(struct replica *replica, uint64_t height);
/* replica_saving.c: windows pieces, during and after recovery. */
void replica_saving_run(struct replica *replica);
int replica_saving_load(struct replica *replica, const void *bytes, size_t count);

/* replica_admission.c */
void replica_admit(struct replica *replica, const struct replica_verified *frame, uint64_t origin);
/* Remembers a receipt for resends. */
void replica_admission_ordered(struct replica *replica, const struct replica_receipt *receipt);
/* Who, which numbers, which of them ordered; the place is the caller's to fill in. */
void replica_receipt_fill(struct replica_receipt *ret_receipt, const struct wire_frame *frame,
			  const uint8_t *outcome);
void replica_refuse(struct replica *replica, uint64_t origin, const struct wire_frame *frame,
		    int reason, uint64_t limit);

/* replica_catchup.c */
void replica_catchup_claim(struct replica *replica, uint32_t from, uint64_t height);
/* One encoded block for the core; false: it cannot take more now, or the bytes are none. */
bool replica_catchup_feed(struct replica *replica, uint32_t from, const uint8_t *bytes,
			  uint32_t byte_count);
void replica_catchup_blocks(struct replica *replica, uint32_t from,
			    const struct wire_blocks *blocks);
void replica_catchup_want(struct replica *replica, uint32_t to, const struct crypto_hash *id);
void replica_catchup_tick(struct replica *replica);
void replica_catchup_status(struct replica *replica, uint32_t to);
uint64_t replica_catchup_deadline_ns(const struct replica *replica);
uint64_t replica_catchup_best(const struct replica *replica, uint32_t rank);

/* replica_serve.c */
void replica_serve_heights(struct replica *replica, uint32_t to,
			   const struct wire_want_blocks *want);
void replica_serve_id(struct replica *replica, uint32_t to, const struct wire_want_block *want);
/* A durable block that is not ordered (yet), to a peer or to this member; false: none is known. */
bool replica_serve_stored(struct replica *replica, uint32_t to, const struct crypto_hash *id);
void replica_serve_read(struct replica *replica, uint64_t ticket, int code, const uint8_t *bytes,
			uint32_t byte_count);

/* replica_show.c */
void replica_show_seen(struct replica *replica, const struct hs_message *message);
void replica_show_peer_up(struct replica *replica, uint32_t peer);
void replica_show_against(struct replica *replica, const struct hs_statement *statement);
/* Remembers a piece; false if it was known, or the share of the member it accuses is full. */
bool replica_show_is_new(struct replica *replica, const struct wire_evidence *evidence);
void replica_show_evidence(struct replica *replica, const struct wire_evidence *evidence);

/* replica_recover.c */
void replica_recover_start(struct replica *replica);
size_t replica_recover_footprint(const struct replica_config *config);
uint32_t replica_recover_batches(const struct replica_config *config);

#endif
