/*
 * node_tile_control: answers the control socket: ping, stop.
 *
 * Everything happens in housekeeping or after the socket woke the loop, a few
 * requests at a time; nothing here ever waits.
 */
#ifndef QUORATE_NODE_TILE_CONTROL_H
#define QUORATE_NODE_TILE_CONTROL_H

#include <stdatomic.h>

#include "ctl/ctl_metrics.h"
#include "ctl/ctl_socket.h"
#include "dataplane/dp_tile.h"

struct node_control_setup {
	struct ctl_socket *socket; /* open; the caller closes it */
	atomic_bool *stop;
	const char *version;
	struct ctl_block *metrics;
	const struct dp_tile_counters *loop; /* that runs this tile; NULL: none */
};

extern const struct dp_tile node_tile_control;

#endif
