#define _GNU_SOURCE

#include "dataplane/dp_tile.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

enum {
	IDLE_BEFORE_SLEEP_NS = 40 * 1000,
	SLEEP_MAX_NS = 100 * 1000 * 1000,
	HOUSEKEEPING_NS = 2 * 1000 * 1000,
	EVENTS_MAX = 8,
};

uint64_t dp_tile_clock_ns(void)
{
	struct timespec now;

	ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Relaxed throughout: one writer, and readers only want a recent number. */
static void count(_Atomic uint64_t *counter, uint64_t more)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + more, memory_order_relaxed);
}

static int add_wait_fds(struct dp_tile_loop *loop, const struct dp_tile_place *place)
{
	int fds[DP_TILE_FDS_MAX];
	uint32_t fd_count = place->tile->wait_fds ? place->tile->wait_fds(place->memory, fds) : 0;

	ensure(fd_count <= DP_TILE_FDS_MAX);
	for (uint32_t i = 0; i < fd_count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] };

		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) != 0)
			return -errno;
	}
	return 0;
}

int dp_tile_loop_open(struct dp_tile_loop *loop, const struct dp_tile_config *config,
		      const struct dp_tile_place *places, uint32_t tile_count)
{
	int code = 0;

	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = -1;
	if (tile_count == 0 || tile_count > DP_TILES_MAX)
		return ERR_CONFIG;
	loop->config = *config;
	if (loop->config.idle_before_sleep_ns == 0)
		loop->config.idle_before_sleep_ns = IDLE_BEFORE_SLEEP_NS;
	if (loop->config.sleep_max_ns == 0)
		loop->config.sleep_max_ns = SLEEP_MAX_NS;
	if (loop->config.housekeeping_ns == 0)
		loop->config.housekeeping_ns = HOUSEKEEPING_NS;
	memcpy(loop->place, places, tile_count * sizeof(*places));
	loop->count = tile_count;
	if (config->mode == DP_TILE_SPIN)
		return 0;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	for (uint32_t i = 0; i < tile_count && code == 0; i++)
		code = add_wait_fds(loop, &loop->place[i]);
	if (code != 0)
		dp_tile_loop_close(loop);
	return code;
}

void dp_tile_loop_close(struct dp_tile_loop *loop)
{
	if (loop->count > 0 && loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
	loop->count = 0;
}

static void housekeep(struct dp_tile_loop *loop, uint64_t now_ns)
{
	loop->housekept_ns = now_ns;
	for (uint32_t i = 0; i < loop->count; i++)
		if (loop->place[i].tile->on_housekeeping)
			loop->place[i].tile->on_housekeeping(loop->place[i].memory, now_ns);
}

uint32_t dp_tile_loop_round(struct dp_tile_loop *loop, uint64_t now_ns)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < loop->count; i++)
		work += loop->place[i].tile->on_turn(loop->place[i].memory, now_ns);
	if (now_ns - loop->housekept_ns >= loop->config.housekeeping_ns)
		housekeep(loop, now_ns);
	count(&loop->counters.rounds, 1);
	return work;
}

/* Runs a round that began at `*now_ns`, counts it, and moves `*now_ns` to its end. */
static uint32_t timed_round(struct dp_tile_loop *loop, uint64_t *now_ns)
{
	uint32_t work = dp_tile_loop_round(loop, *now_ns);
	uint64_t end_ns = dp_tile_clock_ns();
	uint64_t took_ns = end_ns - *now_ns;

	count(&loop->counters.awake_ns, took_ns);
	if (work > 0) {
		count(&loop->counters.rounds_busy, 1);
		count(&loop->counters.busy_ns, took_ns);
		if (took_ns >
		    atomic_load_explicit(&loop->counters.round_ns_max, memory_order_relaxed))
			atomic_store_explicit(&loop->counters.round_ns_max, took_ns,
					      memory_order_relaxed);
	}
	*now_ns = end_ns;
	return work;
}

static uint64_t wake_ns(const struct dp_tile_loop *loop, uint64_t now_ns)
{
	uint64_t nearest = now_ns + loop->config.sleep_max_ns;

	for (uint32_t i = 0; i < loop->count; i++)
		if (loop->place[i].tile->deadline_ns)
			nearest = units_min(
				nearest, loop->place[i].tile->deadline_ns(loop->place[i].memory));
	return nearest;
}

static bool arm(struct dp_tile_loop *loop)
{
	bool may_sleep = true;

	for (uint32_t i = 0; i < loop->count; i++)
		if (loop->place[i].tile->before_sleep &&
		    !loop->place[i].tile->before_sleep(loop->place[i].memory))
			may_sleep = false;
	return may_sleep;
}

static void disarm(struct dp_tile_loop *loop)
{
	for (uint32_t i = 0; i < loop->count; i++)
		if (loop->place[i].tile->after_sleep)
			loop->place[i].tile->after_sleep(loop->place[i].memory);
}

static void sleep_until(struct dp_tile_loop *loop, uint64_t until_ns, uint64_t *now_ns)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t left_ns = until_ns > *now_ns ? until_ns - *now_ns : 0;
	struct timespec timeout = {
		.tv_sec = (time_t)(left_ns / UNITS_NS_PER_S),
		.tv_nsec = (long)(left_ns % UNITS_NS_PER_S),
	};
	int ready = epoll_pwait2(loop->epoll_fd, events, EVENTS_MAX, &timeout, NULL);

	count(&loop->counters.sleeps, 1);
	count(ready > 0 ? &loop->counters.wakes_bell : &loop->counters.wakes_deadline, 1);
	*now_ns = dp_tile_clock_ns();
	if (*now_ns - loop->housekept_ns >= loop->config.housekeeping_ns)
		housekeep(loop, *now_ns);
}

/* Arms every bell, looks once more, and sleeps only if still nothing is there. */
static uint32_t try_sleep(struct dp_tile_loop *loop, const atomic_bool *stop, uint64_t *now_ns)
{
	uint32_t work = 1;

	if (arm(loop)) {
		work = timed_round(loop, now_ns);
		/* Acquire pairs with whoever set it: what they did before is seen by the caller. */
		if (work == 0 && !atomic_load_explicit(stop, memory_order_acquire)) {
			uint64_t until_ns = wake_ns(loop, *now_ns);

			if (until_ns > *now_ns)
				sleep_until(loop, until_ns, now_ns);
		}
	}
	if (work > 0)
		count(&loop->counters.sleeps_cut, 1);
	disarm(loop);
	return work;
}

static void yield_core(struct dp_tile_loop *loop, uint64_t *now_ns)
{
	uint64_t end_ns;

	sched_yield();
	count(&loop->counters.yields, 1);
	end_ns = dp_tile_clock_ns();
	count(&loop->counters.awake_ns, end_ns - *now_ns);
	*now_ns = end_ns;
}

int dp_tile_loop_run(struct dp_tile_loop *loop, const atomic_bool *stop)
{
	bool is_shared = loop->config.mode == DP_TILE_SHARED;
	uint64_t now_ns = dp_tile_clock_ns();
	uint64_t worked_ns = now_ns;

	if (loop->count == 0)
		return ERR_ORDER;
	/* Acquire pairs with whoever set it: what they did before is seen by the caller. */
	while (!atomic_load_explicit(stop, memory_order_acquire)) {
		if (timed_round(loop, &now_ns) > 0) {
			worked_ns = now_ns;
			continue;
		}
		if (!is_shared)
			continue;
		if (now_ns - worked_ns < loop->config.idle_before_sleep_ns) {
			yield_core(loop, &now_ns);
			continue;
		}
		try_sleep(loop, stop, &now_ns);
		worked_ns = now_ns;
	}
	return 0;
}
