/*
 * node_tile_verify: the tile where bytes stop being lies.
 *
 * Drives one replica_gate. Order of a turn: consensus messages, what the replica
 * asked (COMMIT signatures), lanes, then clients and local programs, each a bounded
 * burst: a flood of clients cannot delay consensus. Nothing is taken from an input
 * while the ring to the replica has no room.
 * A refused client frame is answered and counted; a refused peer message is counted.
 */
#ifndef QUORATE_NODE_TILE_VERIFY_H
#define QUORATE_NODE_TILE_VERIFY_H

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"
#include "node/node_answer.h"
#include "node/node_wake.h"
#include "replica/replica_gate.h"

struct node_verify_setup {
	struct replica_gate *gate; /* the tile's from now on */
	struct dp_ring *core;      /* net: votes, proposals, certificates, peers up and down */
	struct dp_ring *lane;      /* net: lane frames, acknowledgements, repair */
	struct dp_ring *clients;   /* net: clients' messages */
	struct dp_ring *local;     /* ingress: FRAME */
	struct dp_ring *asked;     /* replica: COMMITS */
	struct dp_ring *ret_core;  /* replica, the urgent one */
	struct dp_ring *ret_data;
	struct node_answer answer;
	struct node_wake *wake;       /* rung by the ingress thread; NULL: this tile never sleeps */
	struct node_wake *local_wake; /* of the ingress thread; NULL: none */
	const _Atomic uint64_t *committed_height; /* published by the replica tile */
	struct ctl_block *metrics;
	const struct dp_tile_counters *loop; /* that runs this tile; NULL: none */
	struct ctl_family *drops;            /* label i: enum replica_gate_drop i */
};

extern const struct dp_tile node_tile_verify;

#endif
