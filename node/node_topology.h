/*
 * node_topology: THE map of a node: which tiles there are and which rings join them.
 *
 * Two constant tables in node_topology.c are the whole wiring (law 5). A ring has one
 * producer and one consumer by construction: its row names them. Shared: all tiles run
 * in table order on one thread. Spread: on the cores the table says, from `first_core` on;
 * the last core is the main thread's, which opened the disk (its rings have one issuer).
 * The ingress is a thread of the kernel's scheduler in both: it serves local programs
 * and reads the disk, and must never hold up a tile.
 */
#ifndef QUORATE_NODE_TOPOLOGY_H
#define QUORATE_NODE_TOPOLOGY_H

#include <stdint.h>

#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"

enum node_tile_id {
	NODE_TILE_NET,
	NODE_TILE_VERIFY,
	NODE_TILE_SIGNER,
	NODE_TILE_REPLICA,
	NODE_TILE_STORE,
	NODE_TILE_CONTROL,
	NODE_TILE_COUNT,
	NODE_TILE_INGRESS = NODE_TILE_COUNT, /* not a tile; ends of rings only */
};

enum node_ring_id {
	NODE_RING_NET_CORE,
	NODE_RING_NET_LANE,
	NODE_RING_NET_CLIENT,
	NODE_RING_LOCAL_FRAMES,
	NODE_RING_VERIFIED_CORE,
	NODE_RING_VERIFIED_DATA,
	NODE_RING_COMMITS,
	NODE_RING_SEND_CORE,
	NODE_RING_SEND_DATA,
	NODE_RING_ANSWERS,
	NODE_RING_VERIFY_ANSWERS,
	NODE_RING_LOCAL_ANSWERS,
	NODE_RING_LOCAL_REFUSALS,
	NODE_RING_SIGN,
	NODE_RING_SIGNED,
	NODE_RING_APPENDS,
	NODE_RING_LANE_APPENDS,
	NODE_RING_READS,
	NODE_RING_DONE,
	NODE_RING_COUNT,
};

enum { NODE_CORES_SPREAD_MAX = 4 };

struct node_tile_row {
	const char *name;
	const struct dp_tile *tile;
	uint32_t core; /* spread: counted from first_core; tiles of one core share its thread */
};

struct node_ring_row {
	const char *name;
	enum node_tile_id from;
	enum node_tile_id to;
	uint32_t kib;
	const char *when_full;
};

extern const struct node_tile_row node_tiles[NODE_TILE_COUNT];
extern const struct node_ring_row node_rings[NODE_RING_COUNT];

/* Name of a ring's end, "ingress" included. */
const char *node_tile_name(enum node_tile_id tile);

/* Prints both tables: `quorated --topology`. */
void node_topology_print(void);

#endif
