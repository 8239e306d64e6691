/*
 * sim_check: what the observer remembers; for sim_check*.c only.
 */
#ifndef QUORATE_TESTS_SIM_SIM_CHECK_H
#define QUORATE_TESTS_SIM_SIM_CHECK_H

#include "crypto/crypto_hash.h"
#include "replica/replica_mark.h"
#include "tests/sim/sim_adversary.h"

enum {
	CHECK_BLOCKS_MAX = 1 << 13,
	CHECK_BATCHES_MAX = 1 << 16,
	CHECK_STATEMENTS_MAX = 1 << 16,
	CHECK_SEQ_MAX = 1 << 16,
};

struct check_block {
	bool is_used;
	bool is_committed; /* the messages sent so far prove it */
	bool is_fresh;     /* first seen after healing */
	struct crypto_hash id;
	struct crypto_hash parent_id;
	struct crypto_hash justify_id;
	uint64_t view;
	uint64_t height;
	uint64_t justify_view;
	struct hs_cut_entry cut[SIM_NODES_MAX];
	uint32_t votes; /* replicas, as bits */
	uint32_t commits;
	uint32_t durable;                 /* replicas whose ticket for it was done */
	uint32_t seen;                    /* ...and whose last recovery found it */
	uint32_t stable;                  /* ...and whose stable image held it at the last look */
	uint64_t position[SIM_NODES_MAX]; /* in the block logs of the stable images */
	uint32_t byte_count;              /* of the record */
};

struct check_batch {
	bool is_used;
	struct crypto_hash digest;
	struct crypto_hash prev_digest;
	uint32_t lane;
	uint64_t seq;
	uint8_t *bytes; /* the BATCH record */
	uint32_t byte_count;
	uint32_t durable;
	uint32_t seen;
	uint32_t stable;
	uint64_t position[SIM_NODES_MAX];       /* in the lane logs of the stable images */
	uint64_t first_position[SIM_NODES_MAX]; /* ...and the first, if stored again */
	uint32_t chained;                       /* replicas where everything below is durable too */
};

/* What an author signed: one content for each (author, kind, view), for ever. */
struct check_statement {
	uint64_t key; /* 0: unused */
	struct crypto_hash content;
};

struct check_transaction {
	uint64_t height; /* 0: not ordered */
	uint32_t index;
	bool is_taken; /* ordered or given up: the naive window */
	uint64_t receipt_height;
	uint32_t receipt_index;
	uint32_t receipts; /* replicas that gave one */
};

struct check_client {
	uint64_t base;                          /* naive: lowest number not taken */
	uint64_t end;                           /* no transaction from here on was touched */
	struct check_transaction *transactions; /* CHECK_SEQ_MAX */
};

struct check_height {
	bool is_known;
	struct crypto_hash id;
	struct crypto_hash content; /* of its marks, without positions */
	bool is_receipted;
	struct crypto_hash receipt_id;
	uint64_t tx_base;
	uint32_t tx_count;
};

struct sim_check {
	struct wire_verifier *verifier;
	struct wire_message message;
	struct hs_block block;
	size_t verifier_bytes;
	struct check_block *blocks;
	const struct check_block *proven[CHECK_BLOCKS_MAX]; /* by height: committed */
	uint32_t *block_slot; /* slots in use, in order of appearance */
	uint32_t block_count;
	uint32_t batch_count;
	uint32_t statement_count;
	uint32_t *batch_slot; /* slots in use, in order of appearance */
	struct check_batch *batches;
	struct check_statement *statements;
	struct check_client clients[SIM_CLIENTS_MAX];
	struct check_height *heights;
	uint64_t heights_room;
	uint64_t height;       /* highest with a known order */
	uint64_t fresh_height; /* highest of those that were proposed after healing */
	uint64_t transactions;
	uint64_t receipts;
	uint64_t acknowledged;                /* transactions with f + 1 receipts */
	uint64_t receipted_height;            /* highest that a receipt named */
	uint64_t looks;                       /* at stable images */
	uint64_t evidence;                    /* pieces sent or stored by honest replicas */
	uint64_t timeout_view[SIM_NODES_MAX]; /* highest sent */
	uint64_t commit_view[SIM_NODES_MAX];
	uint64_t drops[3][64];
	uint64_t messages[64];
};

struct check_block *check_block_find(struct sim_check *check, const struct crypto_hash *id);
struct check_batch *check_batch_find(struct sim_check *check, const struct crypto_hash *digest);
/* What is wrong, unless it is the node of a disk nobody answers for. */
__attribute__((format(printf, 3, 4))) void check_wrong(const struct sim *sim, uint32_t node,
						       const char *format, ...);

struct check_height *check_height_of(struct sim_check *check, uint64_t height);

/* Adds what a part of a mark says, without positions, which differ from disk to disk. */
void check_mark_hash(struct crypto_hasher *hasher, const struct replica_mark *mark);

/* A ticket is done: the stable image must hold the record, now. */
void check_stable_append(struct sim *sim, struct sim_node *node, const struct sim_append *append);

void check_mark(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count);

#endif
