/*
 * hs_cluster_state: what the files of hs_cluster share. Not for others.
 */
#ifndef QUORATE_TESTS_LIB_HS_CLUSTER_STATE_H
#define QUORATE_TESTS_LIB_HS_CLUSTER_STATE_H

#include "base/prng.h"
#include "consensus/hs_core.h"
#include "tests/lib/hs_cluster.h"

enum {
	NODES_MAX = 16,
	EVENTS_MAX = 1 << 15,
	HEIGHTS_MAX = 1 << 12,
	BLOCKS_KEPT_MAX = 256,
	VIEWS_MAX = 1 << 12,
	STEP_EVENTS_MAX = 64,
};

enum event_kind {
	EVENT_MESSAGE,
	EVENT_RECORD_DURABLE,
	EVENT_BLOCK_DURABLE,
	EVENT_SIGNED,
	EVENT_PAYLOAD,
	EVENT_CUT,
	EVENT_WORK,
	EVENT_CHECKED,
	EVENT_BLOCK,
	EVENT_CERTIFICATES,
	EVENT_RESTART,
};

struct shared {
	uint32_t references;
	struct hs_message message;
};

struct event {
	enum event_kind kind;
	uint64_t due_ns;
	uint64_t order;
	uint32_t node;
	uint32_t life; /* of the node: an event of an earlier life is lost */
	uint32_t from;
	struct shared *shared;
	uint64_t ticket;
	uint64_t view;
	struct crypto_hash id;
	struct crypto_signature signature;
	struct hs_cut cut;
	struct bitset good;
	struct bitset bad;
};

struct node {
	struct hs_config config;
	uint32_t index;
	bool is_twin;
	bool is_alive;
	bool is_dead; /* for good */
	uint32_t life;
	void *memory;
	struct hs_core *core;
	struct hs_record disk;
	struct hs_record writing;
	struct hs_block *blocks; /* durable: a ring of the newest */
	uint64_t block_count;    /* ever */
	uint64_t height;         /* of the last COMMIT ever */
	uint64_t tick_ns;
};

struct cluster {
	struct hs_cluster_options options;
	struct hs_cluster_result result;
	struct prng prng;
	uint64_t now_ns;
	uint64_t order;
	bool is_calm;
	uint32_t node_count;
	uint32_t side; /* bit i: which side of the partition node i is on */
	uint64_t partition_until_ns;
	struct node node[NODES_MAX];
	struct event *event[EVENTS_MAX];
	uint32_t event_count;
	struct crypto_hash committed[HEIGHTS_MAX];
	struct hs_block *committed_block[HEIGHTS_MAX];
	uint64_t height_max;
	struct crypto_hash voted[NODES_MAX][VIEWS_MAX];
	struct crypto_hash commit_voted[NODES_MAX][VIEWS_MAX];
	uint64_t timed_out[NODES_MAX][VIEWS_MAX]; /* qc_view + 1 */
	struct crypto_hash proposed[NODES_MAX][VIEWS_MAX];
	struct hs_effects effects;
};

/* Ends the run; the first reason stands. */
void hs_cluster_fail(struct cluster *c, const char *why);

const struct hs_block *hs_cluster_durable(const struct node *node, const struct crypto_hash *id);

/* The observer: called for every message sent and every block committed. */
void hs_cluster_watch_send(struct cluster *c, struct node *node, const struct hs_message *message);
void hs_cluster_watch_commit(struct cluster *c, struct node *node, const struct hs_block *block);

#endif
