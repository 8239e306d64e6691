/*
 * node_beat: what every tile says in its housekeeping: it lives, and how busy its loop is.
 *
 * Tiles that share a thread share a loop, and say the same of it.
 */
#ifndef QUORATE_NODE_NODE_BEAT_H
#define QUORATE_NODE_NODE_BEAT_H

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_tile.h"

/* `loop` may be NULL: a tile driven by hand has no loop to speak of. */
static inline void node_beat(struct ctl_block *block, const struct dp_tile_counters *loop,
			     uint64_t now_ns)
{
	if (loop) {
		ctl_metric_set(block, CTL_METRIC_TILE_ROUNDS, atomic_load(&loop->rounds));
		ctl_metric_set(block, CTL_METRIC_TILE_ROUNDS_BUSY, atomic_load(&loop->rounds_busy));
		ctl_metric_set(block, CTL_METRIC_TILE_SLEEPS, atomic_load(&loop->sleeps));
		ctl_metric_set(block, CTL_METRIC_TILE_BUSY, atomic_load(&loop->busy_ns));
	}
	ctl_block_beat(block, now_ns);
}

#endif
