/*
 * node_tile_verify: the tile where bytes stop being lies.
 *
 * Drives one replica_gate. Order of a turn: what the replica asked (COMMIT
 * signatures), then peers, then clients, then local programs, each a bounded burst;
 * peers first, so that a flood of clients cannot delay consensus. Nothing is taken
 * from an input while the ring to the replica has no room.
 * A refused client frame is answered (through the replica tile, which owns the way
 * out) and counted; a refused peer message is counted only.
 */
#ifndef QUORATE_NODE_TILE_VERIFY_H
#define QUORATE_NODE_TILE_VERIFY_H

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"
#include "replica/replica_gate.h"

struct node_verify_setup {
	struct replica_gate *gate; /* the tile's from now on */
	struct dp_ring *peers;     /* dp_tile_net: consensus and lane messages */
	struct dp_ring *clients;   /* dp_tile_net: client frames */
	struct dp_ring *local;     /* ingress: FRAME */
	struct dp_ring *asked;     /* replica: COMMITS */
	struct dp_ring *ret_verified;
	const _Atomic uint64_t *committed_height; /* published by the replica tile */
	struct ctl_block *metrics;
	struct ctl_family *drops; /* label i: enum replica_gate_drop i */
};

extern const struct dp_tile node_tile_verify;

#endif
