/*
 * dp_tile: the shape of a station in the pipeline, and the loop that runs some of them on one core.
 *
 * A tile owns its memory and talks to others through rings only. It never blocks: a turn does a
 * bounded burst and returns. All tiles of a core run to completion in table order.
 *
 *     SPIN    the core is ours: turn after turn, for ever.
 *     SHARED  an empty round yields; after `idle_before_sleep_ns` without work every tile arms
 *             its doorbells, one more round is run, and only if that found nothing does the loop
 *             sleep in epoll until a descriptor is ready or the nearest deadline comes. A
 *             sender looks at the doorbell after it published, we publish the doorbell before
 *             we look: no message can fall in between (see dp_bell.h).
 *
 * Threads  One dp_tile_loop a thread. Only `stop` and the counters may be touched from others.
 * Time     CLOCK_MONOTONIC nanoseconds.
 */
#ifndef QUORATE_DATAPLANE_DP_TILE_H
#define QUORATE_DATAPLANE_DP_TILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DP_TILES_MAX = 16,    /* on one core */
	DP_TILE_FDS_MAX = 32, /* wait descriptors of one tile */
};

struct dp_tile {
	const char *name;

	/* Bytes of memory (64-byte aligned) for this setup; 0 if the setup is not valid. */
	size_t (*footprint)(const void *setup);
	/* Builds the tile in `memory`. Returns 0 or a negative code, and then needs no fini. */
	int (*setup)(void *memory, const void *setup);

	/* One bounded burst; returns how much it did, 0 for nothing at all. */
	uint32_t (*on_turn)(void *memory, uint64_t now_ns);

	/* The rest may be NULL. */
	void (*on_housekeeping)(void *memory, uint64_t now_ns); /* about every `housekeeping_ns` */
	uint64_t (*deadline_ns)(
		const void *memory); /* next time on_turn has work; UINT64_MAX: none */
	/* Asked once: descriptors whose readability ends a sleep. They stay open until fini. */
	uint32_t (*wait_fds)(void *memory, int ret_fds[DP_TILE_FDS_MAX]);
	bool (*before_sleep)(void *memory); /* arms doorbells; false: do not sleep, there is work */
	void (*after_sleep)(void *memory);  /* disarms; also after a sleep that did not happen */
	void (*fini)(void *memory);
};

struct dp_tile_place {
	const struct dp_tile *tile;
	void *memory; /* already set up */
};

enum dp_tile_mode { DP_TILE_SPIN, DP_TILE_SHARED };

struct dp_tile_config {
	enum dp_tile_mode mode;
	uint64_t idle_before_sleep_ns; /* SHARED: 0 means 40 us */
	uint64_t sleep_max_ns; /* SHARED: 0 means 100 ms; housekeeping happens at least so often */
	uint64_t housekeeping_ns; /* 0 means 2 ms */
};

/* Written by the loop's thread, read by anybody; each a running total. */
struct dp_tile_counters {
	_Atomic uint64_t rounds;
	_Atomic uint64_t rounds_busy;
	_Atomic uint64_t busy_ns;  /* in rounds that did something */
	_Atomic uint64_t awake_ns; /* everything but sleeping */
	_Atomic uint64_t yields;
	_Atomic uint64_t sleeps;
	_Atomic uint64_t wakes_bell;     /* ended by a descriptor */
	_Atomic uint64_t wakes_deadline; /* ended by time */
	_Atomic uint64_t sleeps_cut;     /* work came while arming */
	_Atomic uint64_t round_ns_max;   /* longest round */
};

struct dp_tile_loop {
	struct dp_tile_config config;
	struct dp_tile_place place[DP_TILES_MAX];
	uint32_t count;
	int epoll_fd;          /* -1 in SPIN */
	uint64_t housekept_ns; /* when housekeeping was last done */
	struct dp_tile_counters counters;
};

uint64_t dp_tile_clock_ns(void);

/*
 * Prepares to run `count` tiles (at most DP_TILES_MAX) that are set up; copies the table.
 * Returns 0, ERR_CONFIG or -errno, and then leaves nothing open.
 */
int dp_tile_loop_open(struct dp_tile_loop *loop, const struct dp_tile_config *config,
		      const struct dp_tile_place *places, uint32_t count);

/*
 * Runs until `*stop` is true; seen within a round, or within sleep_max_ns by a sleeper nobody
 * wakes.
 */
int dp_tile_loop_run(struct dp_tile_loop *loop, const atomic_bool *stop);

/*
 * One round: every tile one turn, housekeeping if due. Returns the work done. For tests and
 * tools.
 */
uint32_t dp_tile_loop_round(struct dp_tile_loop *loop, uint64_t now_ns);

/* Accepts a loop that never opened. Does not fini the tiles. */
void dp_tile_loop_close(struct dp_tile_loop *loop);

#endif
