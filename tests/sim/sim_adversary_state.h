/*
 * sim_adversary_state: what strategies share; for sim_adversary*.c only.
 *
 *     sim_adversary.c         who, when, and the way of a message through the strategies
 *     sim_adversary_forge.c   encoding and signing with a member's key; what was heard
 *     sim_adversary_core.c    equivocate, stale, slow, split, delay
 *     sim_adversary_lanes.c   withhold, fork, false verify
 *     sim_adversary_mutate.c  mutate
 *     sim_adversary_noise.c   flood, lie, slander
 *
 * A strategy takes receivers out of `to` and sends them something else, or sets a
 * delay; what remains in `to` gets the original. Every deed ends in adversary_act().
 */
#ifndef QUORATE_TESTS_SIM_SIM_ADVERSARY_STATE_H
#define QUORATE_TESTS_SIM_SIM_ADVERSARY_STATE_H

#include "tests/sim/sim_adversary.h"

enum {
	ADVERSARY_BLOCKS_KEPT = 64,
	ADVERSARY_QCS_KEPT = 64,
	ADVERSARY_ROUNDS_KEPT = 16,
	ADVERSARY_STATEMENTS_KEPT = 16,
	ADVERSARY_HEADERS_KEPT = 64,
	ADVERSARY_SENT_KEPT = 64,
	ADVERSARY_SAID_KEPT = 1024,
	ADVERSARY_OPEN_BATCHES = 8,
	ADVERSARY_FORKED_BATCHES = 32,
	ADVERSARY_FRAMES_MAX = 64,
	ADVERSARY_COMMITS_HELD = 16,
	ADVERSARY_PAYLOAD_BYTES_MAX = 4096,
};

/* A batch of the member's own lane: as its replica streamed it, or as it was forked. */
struct adversary_batch {
	struct lane_header header; /* seq 0: unused */
	uint32_t count;
	struct sim_packet *frame[ADVERSARY_FRAMES_MAX];
};

struct adversary_said {
	uint32_t kind; /* 0: unused */
	uint64_t view;
	struct crypto_hash content;
};

/* A block and its view: what a VOTE or COMMIT is about. */
struct adversary_about {
	uint64_t view;
	struct crypto_hash id;
};

enum adversary_withheld {
	WITHHELD_PAYLOAD, /* frames and repairs; headers go out */
	WITHHELD_HEADERS, /* PROPOSE and BATCH; payload goes out */
	WITHHELD_CERTIFICATES,
	WITHHELD_CLAIMS, /* ACKVEC and votes */
	WITHHELD_ANSWERS,
	WITHHELD_ALL,
	WITHHELD_COUNT,
};

struct adversary_member {
	uint32_t id;
	uint32_t strategies; /* as bits */
	uint64_t wakes_ns;
	uint64_t tick_ns;
	uint64_t delay_ns;
	uint32_t ppm; /* how often, where a strategy has a choice */
	bool is_silent_after_healing;
	uint32_t victims; /* replicas, as bits; these two are drawn again and again */
	enum adversary_withheld withheld;
	uint32_t fork_side; /* receivers of the forked lane */
	uint64_t fork_seq;  /* the lane forks here */
	struct adversary_batch open[ADVERSARY_OPEN_BATCHES];
	struct adversary_batch forked[ADVERSARY_FORKED_BATCHES]; /* by seq */
	struct sim_packet *sent[ADVERSARY_SENT_KEPT];
	uint32_t sent_count; /* ever */
	/* stale */
	struct adversary_about held[ADVERSARY_COMMITS_HELD]; /* its COMMITs that nobody heard */
	uint32_t held_count;                                 /* ever */
	/* twin */
	uint32_t twin_slot; /* 0: none */
	uint32_t part[2];   /* replicas that each of the two meets, as bits */
	struct adversary_said said[ADVERSARY_SAID_KEPT];
};

/* TIMEOUTs heard for one view. */
struct adversary_round {
	uint64_t view;
	uint32_t heard; /* replicas, as bits */
	uint64_t qc_view[SIM_NODES_MAX];
	struct crypto_signature signature[SIM_NODES_MAX];
};

struct sim_adversary {
	struct prng prng;
	uint32_t count;
	uint32_t twins;
	struct adversary_member member[SIM_NODES_MAX];
	uint32_t member_of[SIM_NODES_MAX]; /* by replica; UINT32_MAX: honest */
	/* Heard or forged by any member; rings. */
	struct hs_block block[ADVERSARY_BLOCKS_KEPT];
	uint32_t block_count;
	struct hs_qc qc[ADVERSARY_QCS_KEPT];
	uint32_t qc_count;
	struct adversary_round round[ADVERSARY_ROUNDS_KEPT];
	struct hs_statement statement[SIM_NODES_MAX][ADVERSARY_STATEMENTS_KEPT];
	uint32_t statement_count[SIM_NODES_MAX];
	struct lane_header header[ADVERSARY_HEADERS_KEPT];
	uint32_t header_count;
	struct adversary_about stale;                      /* the newest block against P(3)(b) */
	struct lane_ack ack[SIM_NODES_MAX][SIM_NODES_MAX]; /* by author and lane */
	struct wire_message in;                            /* being handled */
	struct wire_message out;                           /* being forged */
	struct hs_block forged;
	struct hs_tc tc;
	uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
};

/* A message on its way out. */
struct adversary_out {
	struct sim *sim;
	struct sim_adversary *all;
	struct sim_node *node;
	struct adversary_member *self;
	const struct wire_message *message; /* decoded; all->in */
	const uint8_t *bytes;
	uint32_t count;
	uint32_t to; /* replicas, as bits */
	uint64_t delay_ns;
};

/* sim_adversary.c */
bool adversary_does(const struct sim *sim, const struct adversary_member *self,
		    enum sim_strategy strategy);
void adversary_act(const struct adversary_member *self, enum sim_strategy strategy);
uint32_t adversary_all_but(const struct sim *sim, uint32_t id);
/* A random subset of `of`. */
uint32_t adversary_some(struct sim *sim, uint32_t of);
void adversary_emit(struct sim *sim, const struct sim_node *node, uint32_t to, const uint8_t *bytes,
		    uint32_t count);
void adversary_hold(struct sim *sim, const struct sim_node *node, uint32_t to, const uint8_t *bytes,
		    uint32_t count, uint64_t delay_ns);

/* sim_adversary_forge.c */
void adversary_remember(struct sim *sim, const struct wire_message *message);
const struct hs_block *adversary_block(const struct sim_adversary *all,
				       const struct crypto_hash *id);
/* A kept QC of view at least `least` and below `below`: by lot, mostly the newest; NULL: none. */
const struct hs_qc *adversary_newest_qc(const struct sim_adversary *all, uint64_t below);
const struct hs_qc *adversary_qc(struct sim_adversary *all, uint64_t least, uint64_t below);
void adversary_sign(const struct sim *sim, uint32_t id, enum hs_message_kind kind, uint64_t view,
		    const struct crypto_hash *block_id, uint64_t qc_view,
		    struct crypto_signature *ret_signature);
/* Derives id and digest again and signs. */
void adversary_seal_block(const struct sim *sim, struct hs_block *block);
void adversary_seal_header(const struct sim *sim, struct lane_header *header);
/* Encodes all->out and sends it; what does not encode is dropped. */
void adversary_say(struct sim *sim, const struct sim_node *node, uint32_t to);
void adversary_say_block(struct sim *sim, const struct sim_node *node, uint32_t to,
			 const struct hs_block *block);
void adversary_say_vote(struct sim *sim, const struct sim_node *node, uint32_t to, uint64_t view,
			const struct crypto_hash *id);
void adversary_say_commit(struct sim *sim, const struct sim_node *node, uint32_t to, uint64_t view,
			  const struct crypto_hash *id, bool is_signed);
/* BLOCKS with kept blocks; `claim`: the committed height it says. */
void adversary_say_blocks(struct sim *sim, const struct sim_node *node, uint32_t to,
			  const struct hs_block *const *blocks, uint32_t count, uint64_t claim);

/* Strategies: outgoing, incoming (true: handled, the replica does not hear it), time. */
void adversary_equivocate(struct adversary_out *out);
void adversary_stale(struct adversary_out *out);
void adversary_slow(struct adversary_out *out);
void adversary_split(struct adversary_out *out);
void adversary_delay(struct adversary_out *out);
void adversary_withhold(struct adversary_out *out);
void adversary_fork(struct adversary_out *out);
void adversary_false_verify(struct adversary_out *out);
void adversary_mutate(struct adversary_out *out);
void adversary_lie(struct adversary_out *out);
void adversary_stale_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self);
void adversary_split_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self);
bool adversary_fork_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self);
bool adversary_lie_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self);
void adversary_fork_forget(struct adversary_member *self);
void adversary_flood_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self);
void adversary_flood_tick(struct sim *sim, struct sim_node *node, struct adversary_member *self);
void adversary_slander_tick(struct sim *sim, struct sim_node *node, struct adversary_member *self);

#endif
