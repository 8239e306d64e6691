/*
 * bench_tile: the tile that sends a load on time and counts what becomes final.
 *
 * Frame i goes to node i mod n when it is due, so a client's numbers cross all lanes; one
 * whose client's window is full waits (and its latency runs). What is not final after
 * `resend_ns` is sent again through the next node: exactly once is the order's job.
 * A transaction counts as final when f+1 nodes sent the same receipt (PROTOCOL §7).
 * Threads  One, with the net tile.
 */
#ifndef QUORATE_BENCH_TILE_H
#define QUORATE_BENCH_TILE_H

#include <stdatomic.h>

#include "base/bitset.h"
#include "base/histogram.h"
#include "bench/bench_load.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"

enum { BENCH_NODES_MAX = 100, BENCH_REASONS_MAX = 64 };

struct bench_tile_setup {
	struct bench_load *load;
	uint32_t node_count;
	uint32_t replica[BENCH_NODES_MAX]; /* numbers of the nodes load is sent to */
	uint32_t faulty_max;               /* f */
	double frames_per_s;               /* 0: as fast as in_flight_max lets it */
	uint64_t in_flight_max;            /* frames */
	uint64_t resend_ns;
	/* how long to wait for all nodes before starting with those there are */
	uint64_t connect_ns;
	uint64_t grace_ns; /* after the last frame was due */
	struct dp_ring *from_net[3];
	struct dp_ring *to_net;
	atomic_bool *stop; /* set when everything is final or time is up */
	void (*progress)(const void *tile, const struct bench_load *load,
			 uint64_t now_ns); /* about ten times a second */
};

struct bench_result {
	uint64_t start_ns;
	uint64_t end_ns; /* of the last final frame */
	uint64_t frames_sent;
	uint64_t frames_resent;
	uint64_t frames_final;
	uint64_t transactions_final;
	uint64_t receipts;
	uint64_t refused[BENCH_REASONS_MAX]; /* by -code - 1000 */
	uint64_t frames_to[BENCH_NODES_MAX];
	uint64_t gap_ns_max; /* longest time without a final frame while some were due */
	struct bitset up;
	struct histogram latency; /* of transactions, from when they were due */
};

extern const struct dp_tile bench_tile;

const struct bench_result *bench_tile_result(const void *memory);

#endif
