/*
 * node_tile_net: dataplane's net tile, with its numbers made visible.
 *
 * Forwards everything to dp_tile_net and, in housekeeping, publishes drops and
 * sessions as metrics and ports and peers as words that the replica tile (which
 * publishes the status page) may read from its own thread.
 */
#ifndef QUORATE_NODE_TILE_NET_H
#define QUORATE_NODE_TILE_NET_H

#include <stdatomic.h>

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_config.h"

/* Written by the net tile, read by others; each word on its own, a moment old. */
struct node_net_view {
	uint32_t port_count;
	struct {
		_Atomic uint64_t is_up;
		_Atomic uint64_t rx_packets;
		_Atomic uint64_t tx_packets;
		_Atomic uint64_t rx_bytes;
		_Atomic uint64_t tx_bytes;
		_Atomic uint64_t missed;
	} port[NODE_PORTS_MAX];
	_Atomic uint64_t peers_up[2]; /* words of a bitset */
	_Atomic uint64_t clients;
};

struct node_net_setup {
	const struct dp_tile_net_setup *net;
	struct node_net_view *view;
	struct ctl_block *metrics;
	const struct dp_tile_counters *loop; /* that runs this tile; NULL: none */
	struct ctl_family *drops;            /* label i: enum dp_drop i */
};

extern const struct dp_tile node_tile_net;

#endif
