#define _GNU_SOURCE

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_tile.h"
#include "tests/lib/unit_main.h"

/* A tile that does what the test tells it and remembers what it was asked. */
struct puppet {
	uint32_t work_left;
	uint64_t turns;
	uint64_t housekeepings;
	uint64_t arms;
	uint64_t disarms;
	uint64_t stop_after_turns;
	uint64_t deadline_ns;
	uint32_t work_when_armed; /* appears between arming and the last look */
	int fd;
	atomic_bool *stop;
};

static uint32_t puppet_on_turn(void *memory, uint64_t now_ns)
{
	struct puppet *self = memory;

	(void)now_ns;
	self->turns++;
	if (self->stop_after_turns != 0 && self->turns >= self->stop_after_turns)
		atomic_store(self->stop, true);
	if (self->work_left == 0)
		return 0;
	self->work_left--;
	return 1;
}

static void puppet_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct puppet *self = memory;

	(void)now_ns;
	self->housekeepings++;
}

static uint64_t puppet_deadline_ns(const void *memory)
{
	const struct puppet *self = memory;

	return self->deadline_ns;
}

static uint32_t puppet_wait_fds(void *memory, int ret_fds[DP_TILE_FDS_MAX])
{
	struct puppet *self = memory;

	ret_fds[0] = self->fd;
	return self->fd >= 0 ? 1 : 0;
}

static bool puppet_before_sleep(void *memory)
{
	struct puppet *self = memory;

	self->arms++;
	self->work_left += self->work_when_armed;
	return true;
}

static void puppet_after_sleep(void *memory)
{
	struct puppet *self = memory;
	uint64_t value;

	self->disarms++;
	if (self->fd >= 0 && read(self->fd, &value, sizeof(value)) > 0 && self->stop)
		atomic_store(self->stop, true);
}

static const struct dp_tile puppet_tile = {
	.name = "puppet",
	.on_turn = puppet_on_turn,
	.on_housekeeping = puppet_on_housekeeping,
	.deadline_ns = puppet_deadline_ns,
	.wait_fds = puppet_wait_fds,
	.before_sleep = puppet_before_sleep,
	.after_sleep = puppet_after_sleep,
};

static void *stop_later(void *context)
{
	atomic_bool *stop = context;

	usleep(150 * 1000);
	atomic_store(stop, true);
	return NULL;
}

/* Runs the tile until it stops itself, or for 150 ms. */
/* How long the last run() took: what a loop may do in it depends on nothing else. */
static uint64_t took_ns;

static void run(struct puppet *puppet, struct dp_tile_loop *loop, enum dp_tile_mode mode)
{
	const struct dp_tile_config config = { .mode = mode };
	const struct dp_tile_place place = { &puppet_tile, puppet };
	atomic_bool stop = false;
	pthread_t thread;

	puppet->stop = &stop;
	UNIT_REQUIRE(dp_tile_loop_open(loop, &config, &place, 1) == 0);
	took_ns = dp_tile_clock_ns();
	UNIT_REQUIRE(pthread_create(&thread, NULL, stop_later, &stop) == 0);
	UNIT_EQUAL(dp_tile_loop_run(loop, &stop), 0);
	took_ns = dp_tile_clock_ns() - took_ns;
	pthread_join(thread, NULL);
	UNIT_EQUAL(puppet->arms, puppet->disarms);
	dp_tile_loop_close(loop);
}

static void all_work_is_done_before_anybody_sleeps(void)
{
	struct puppet puppet = {
		.work_left = 500, .fd = -1, .deadline_ns = UINT64_MAX, .stop_after_turns = 500
	};
	struct dp_tile_loop loop;

	run(&puppet, &loop, DP_TILE_SHARED);
	UNIT_EQUAL(puppet.work_left, 0);
	UNIT_EQUAL(puppet.arms, 0);
	UNIT_EQUAL(loop.counters.rounds_busy, 500);
	UNIT_CHECK(loop.counters.busy_ns <= loop.counters.awake_ns);
}

static void an_idle_loop_sleeps_and_a_sleep_nobody_ends_has_a_bound(void)
{
	struct puppet puppet = { .fd = -1, .deadline_ns = UINT64_MAX };
	struct dp_tile_loop loop;

	run(&puppet, &loop, DP_TILE_SHARED);
	UNIT_CHECK(loop.counters.sleeps >= 1);
	UNIT_CHECK(loop.counters.sleeps <= took_ns / (100 * UNITS_NS_PER_MS) + 2);
	UNIT_EQUAL(loop.counters.wakes_deadline, loop.counters.sleeps);
	UNIT_EQUAL(loop.counters.wakes_bell, 0);
	UNIT_CHECK(loop.counters.yields > 0);
}

/* Has work every 3 ms, never before. */
static uint32_t clockwork_on_turn(void *memory, uint64_t now_ns)
{
	struct puppet *self = memory;

	self->turns++;
	if (now_ns < self->deadline_ns)
		return 0;
	self->deadline_ns = now_ns + 3 * UNITS_NS_PER_MS;
	self->work_left++;
	return 1;
}

static void the_nearest_deadline_ends_a_sleep(void)
{
	const struct dp_tile clockwork = { .name = "clockwork",
					   .on_turn = clockwork_on_turn,
					   .deadline_ns = puppet_deadline_ns };
	struct puppet lazy = { .fd = -1, .deadline_ns = UINT64_MAX };
	struct puppet busy = { .fd = -1, .deadline_ns = dp_tile_clock_ns() };
	const struct dp_tile_place places[] = { { &puppet_tile, &lazy }, { &clockwork, &busy } };
	const struct dp_tile_config config = { .mode = DP_TILE_SHARED };
	struct dp_tile_loop loop;
	atomic_bool stop = false;
	pthread_t thread;

	lazy.stop = &stop;
	UNIT_REQUIRE(dp_tile_loop_open(&loop, &config, places, 2) == 0);
	took_ns = dp_tile_clock_ns();
	UNIT_REQUIRE(pthread_create(&thread, NULL, stop_later, &stop) == 0);
	dp_tile_loop_run(&loop, &stop);
	took_ns = dp_tile_clock_ns() - took_ns;
	pthread_join(thread, NULL);
	UNIT_CHECK(busy.work_left >= 3);
	UNIT_CHECK(busy.work_left <= took_ns / (3 * UNITS_NS_PER_MS) + 2);
	UNIT_CHECK(loop.counters.sleeps >= 1);
	UNIT_EQUAL(loop.counters.wakes_deadline, loop.counters.sleeps);
	dp_tile_loop_close(&loop);
}

static void a_readable_descriptor_ends_a_sleep(void)
{
	struct puppet puppet = { .fd = eventfd(0, EFD_NONBLOCK), .deadline_ns = UINT64_MAX };
	struct dp_tile_loop loop;
	uint64_t one = 1;

	UNIT_REQUIRE(write(puppet.fd, &one, sizeof(one)) == sizeof(one));
	run(&puppet, &loop, DP_TILE_SHARED);
	UNIT_EQUAL(loop.counters.sleeps, 1);
	UNIT_EQUAL(loop.counters.wakes_bell, 1);
	close(puppet.fd);
}

static void work_that_comes_while_arming_prevents_the_sleep(void)
{
	struct puppet puppet = { .fd = -1, .deadline_ns = UINT64_MAX, .work_when_armed = 1 };
	struct dp_tile_loop loop;

	run(&puppet, &loop, DP_TILE_SHARED);
	UNIT_EQUAL(loop.counters.sleeps, 0);
	UNIT_CHECK(loop.counters.sleeps_cut >= 1);
	UNIT_EQUAL(loop.counters.sleeps_cut, puppet.arms);
}

static bool refuse_to_sleep(void *memory)
{
	struct puppet *self = memory;

	self->arms++;
	return false;
}

static void a_tile_may_refuse_the_sleep_and_all_are_disarmed(void)
{
	struct dp_tile stubborn = puppet_tile;
	struct puppet first = { .fd = -1, .deadline_ns = UINT64_MAX };
	struct puppet second = { .fd = -1, .deadline_ns = UINT64_MAX };
	const struct dp_tile_config config = { .mode = DP_TILE_SHARED };
	struct dp_tile_loop loop;
	atomic_bool stop = false;
	pthread_t thread;

	stubborn.before_sleep = refuse_to_sleep;
	const struct dp_tile_place places[] = { { &puppet_tile, &first }, { &stubborn, &second } };

	UNIT_REQUIRE(dp_tile_loop_open(&loop, &config, places, 2) == 0);
	UNIT_REQUIRE(pthread_create(&thread, NULL, stop_later, &stop) == 0);
	dp_tile_loop_run(&loop, &stop);
	pthread_join(thread, NULL);
	UNIT_EQUAL(loop.counters.sleeps, 0);
	UNIT_CHECK(first.arms > 0 && first.arms == first.disarms && second.arms == second.disarms);
	dp_tile_loop_close(&loop);
}

static void a_spinning_loop_never_sleeps_or_yields(void)
{
	struct puppet puppet = { .fd = -1, .deadline_ns = UINT64_MAX, .stop_after_turns = 20000 };
	struct dp_tile_loop loop;

	run(&puppet, &loop, DP_TILE_SPIN);
	UNIT_EQUAL(puppet.arms, 0);
	UNIT_EQUAL(loop.counters.sleeps, 0);
	UNIT_EQUAL(loop.counters.yields, 0);
}

static void housekeeping_happens_in_a_busy_loop_and_not_every_round(void)
{
	struct puppet puppet = { .work_left = UINT32_MAX, .fd = -1, .deadline_ns = UINT64_MAX };
	const struct dp_tile_config config = { .mode = DP_TILE_SHARED,
					       .housekeeping_ns = 2 * UNITS_NS_PER_MS };
	const struct dp_tile_place place = { &puppet_tile, &puppet };
	struct dp_tile_loop loop;

	UNIT_REQUIRE(dp_tile_loop_open(&loop, &config, &place, 1) == 0);
	for (uint64_t i = 1; i <= 1000; i++)
		UNIT_EQUAL(dp_tile_loop_round(&loop, i * UNITS_NS_PER_MS / 10), 1);
	UNIT_EQUAL(puppet.turns, 1000);
	UNIT_EQUAL(puppet.housekeepings, 50);
	dp_tile_loop_close(&loop);
}

static void a_round_gives_every_tile_one_turn_in_table_order(void)
{
	struct puppet puppets[DP_TILES_MAX];
	struct dp_tile_place places[DP_TILES_MAX];
	const struct dp_tile_config config = { .mode = DP_TILE_SPIN };
	struct dp_tile_loop loop;

	for (int i = 0; i < DP_TILES_MAX; i++) {
		puppets[i] = (struct puppet){ .work_left = 1, .fd = -1 };
		places[i] = (struct dp_tile_place){ &puppet_tile, &puppets[i] };
	}
	UNIT_REQUIRE(dp_tile_loop_open(&loop, &config, places, DP_TILES_MAX) == 0);
	UNIT_EQUAL(dp_tile_loop_round(&loop, 1), DP_TILES_MAX);
	UNIT_EQUAL(dp_tile_loop_round(&loop, 2), 0);
	for (int i = 0; i < DP_TILES_MAX; i++)
		UNIT_EQUAL(puppets[i].turns, 2);
	dp_tile_loop_close(&loop);
}

static void none_or_too_many_tiles_are_refused(void)
{
	struct dp_tile_place places[DP_TILES_MAX + 1] = { { &puppet_tile, NULL } };
	const struct dp_tile_config config = { .mode = DP_TILE_SHARED };
	struct dp_tile_loop loop;
	atomic_bool stop = false;

	UNIT_EQUAL(dp_tile_loop_open(&loop, &config, places, 0), ERR_CONFIG);
	UNIT_EQUAL(dp_tile_loop_run(&loop, &stop), ERR_ORDER);
	UNIT_EQUAL(dp_tile_loop_open(&loop, &config, places, DP_TILES_MAX + 1), ERR_CONFIG);
	dp_tile_loop_close(&loop);
}

UNIT_SUITE("dp_tile_run", UNIT_TEST(all_work_is_done_before_anybody_sleeps),
	   UNIT_TEST(an_idle_loop_sleeps_and_a_sleep_nobody_ends_has_a_bound),
	   UNIT_TEST(the_nearest_deadline_ends_a_sleep),
	   UNIT_TEST(a_readable_descriptor_ends_a_sleep),
	   UNIT_TEST(work_that_comes_while_arming_prevents_the_sleep),
	   UNIT_TEST(a_tile_may_refuse_the_sleep_and_all_are_disarmed),
	   UNIT_TEST(a_spinning_loop_never_sleeps_or_yields),
	   UNIT_TEST(housekeeping_happens_in_a_busy_loop_and_not_every_round),
	   UNIT_TEST(a_round_gives_every_tile_one_turn_in_table_order),
	   UNIT_TEST(none_or_too_many_tiles_are_refused))
