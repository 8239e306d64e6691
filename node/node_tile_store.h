/*
 * node_tile_store: the tile that owns the disk.
 *
 * Model    Appends come on two rings (small ones of the core, batches of the
 *          lanes), reads on a third, so nothing small waits behind something
 *          large. A turn takes what fits, submits one group commit a log, and
 *          reports what became durable. An append the store has no room for
 *          stays on its ring: that is the back-pressure the replica feels.
 * Reads    go into a fixed set of buffers; when all are out, reads wait.
 */
#ifndef QUORATE_NODE_TILE_STORE_H
#define QUORATE_NODE_TILE_STORE_H

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"
#include "storage/blocklog_dev.h"
#include "storage/blocklog_store.h"

enum {
	NODE_READ_BUFFERS = 8,
	NODE_READ_BUFFER_BYTES = 512 * 1024,
};

struct node_store_setup {
	struct blocklog_store *store; /* open and recovered; the tile's from now on */
	struct blocklog_dev *dev;
	struct dp_ring *appends;      /* safety and block log */
	struct dp_ring *lane_appends; /* lane log, borrowed buffers */
	struct dp_ring *reads;
	struct dp_ring *ret_done;
	uint8_t *read_buffers; /* page-aligned, NODE_READ_BUFFERS x NODE_READ_BUFFER_BYTES */
	_Atomic uint64_t *durable_block_end; /* published for readers on other threads */
	_Atomic uint64_t *durable_lane_end;
	struct ctl_block *metrics;
	const struct dp_tile_counters *loop; /* that runs this tile; NULL: none */
};

extern const struct dp_tile node_tile_store;

#endif
