/*
 * node_tile_replica: drives one replica: inputs from rings, effects to rings.
 *
 * Order of a turn: finished disk work and signatures first (they release votes),
 * then consensus messages, then data, then time. After every input all effects
 * are carried out in order; when a ring they need is full the tile keeps them and
 * takes no further input, so the order is never broken and nothing is lost. Only
 * lane frames and receipts may be dropped at a full ring: both are repeated.
 */
#ifndef QUORATE_NODE_TILE_REPLICA_H
#define QUORATE_NODE_TILE_REPLICA_H

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"
#include "node/node_answer.h"
#include "node/node_wake.h"
#include "replica/replica.h"

struct node_replica_setup {
	struct replica *replica;   /* recovered, before START; the tile's from now on */
	struct dp_ring *done;      /* store */
	struct dp_ring *signed_;   /* signer */
	struct dp_ring *core;      /* verify: consensus, certificates, peers up and down */
	struct dp_ring *data;      /* verify: lanes and clients' frames */
	struct dp_ring *send_core; /* net, by priority */
	struct dp_ring *send_data;
	struct dp_ring *appends;
	struct dp_ring *lane_appends;
	struct dp_ring *reads;
	struct dp_ring *sign;
	struct dp_ring *commits; /* verify */
	struct node_answer answer;
	struct node_wake *local_wake; /* of the ingress thread; NULL: none */
	_Atomic uint64_t *committed_height;
	void (*alarm)(enum replica_alarm alarm, uint64_t detail);
	struct ctl_page *page; /* this tile publishes the status */
	void (*fill_status)(void *context, struct ctl_status *status); /* the parts others know */
	void *fill_context;
	struct ctl_block *metrics;
	const struct dp_tile_counters *loop; /* that runs this tile; NULL: none */
	struct ctl_family *drops_consensus;  /* label i: enum hs_drop i */
	struct ctl_family *drops_lane;
};

extern const struct dp_tile node_tile_replica;

#endif
