/* Who hears whom: partitions of several shapes, the deaf and the mute, clogged nodes. */

#include <string.h>

#include "base/units.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim.h"

enum { GROUPS_MAX = 3, FLAPS_MAX = 20 };

enum shape { SHAPE_UNIFORM, SHAPE_SINGLE, SHAPE_BRIDGE, SHAPE_RING, SHAPE_COUNT };

enum direction { BOTH_WAYS, ONE_WAY_UP, ONE_WAY_DOWN, DIRECTION_COUNT };

static void meet(struct sim *sim, uint32_t node, uint32_t peer)
{
	struct sim_event event = {
		.kind = SIM_EVENT_PEER_UP,
		.node = node,
		.from = sim->nodes[peer].id,
		.incarnation = sim->nodes[node].incarnation,
	};

	sim_clock_add(&sim->clock, 2 * sim->knobs.delay_min_ns, &event);
}

void sim_partition_mend(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->slots; i++)
		for (uint32_t k = 0; k < sim->slots; k++)
			if (sim->nodes[i].id != sim->nodes[k].id && sim->nodes[i].is_up &&
			    sim->nodes[k].is_up && sim_net_hears(sim, i, k) &&
			    sim_net_hears(sim, k, i))
				meet(sim, i, k);
}

/* A session that died is noticed by some, some time later. */
static void part(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->slots; i++)
		for (uint32_t k = 0; k < sim->slots; k++) {
			struct sim_event event = {
				.kind = SIM_EVENT_PEER_DOWN,
				.node = i,
				.from = sim->nodes[k].id,
				.incarnation = sim->nodes[i].incarnation,
			};

			if (i != k && !sim_net_hears(sim, i, k) && prng_chance(&sim->chaos, 500000))
				sim_clock_add(&sim->clock,
					      1 + prng_below(&sim->chaos, sim->knobs.partition_ns),
					      &event);
		}
}

/* ---- shapes ---- */

static bool is_ring_cut(const struct sim *sim, uint32_t i, uint32_t k, enum direction direction)
{
	uint32_t step = (k + sim->slots - i) % sim->slots;

	if (direction == ONE_WAY_UP)
		return step != 1;
	if (direction == ONE_WAY_DOWN)
		return step != sim->slots - 1;
	return step != 1 && step != sim->slots - 1;
}

static bool is_cut(const uint32_t *side, uint32_t i, uint32_t k, enum direction direction)
{
	switch (direction) {
	case ONE_WAY_UP:
		return side[i] < side[k];
	case ONE_WAY_DOWN:
		return side[i] > side[k];
	default:
		return side[i] != side[k];
	}
}

static void draw_sides(struct sim *sim, enum shape shape, uint32_t chosen, uint32_t *ret_side)
{
	uint32_t groups = 2 + (uint32_t)prng_below(&sim->chaos, GROUPS_MAX - 1);

	for (uint32_t i = 0; i < sim->slots; i++) {
		uint32_t side = (uint32_t)prng_below(&sim->chaos, groups);

		ret_side[i] = shape == SHAPE_SINGLE ? i == chosen : side;
	}
}

static void say_shape(const struct sim *sim, enum shape shape, enum direction direction)
{
	static const char *const names[] = { "uniform", "single", "bridge", "ring" };
	static const char *const ways[] = { "both ways", "up", "down" };

	SOMETIMES(shape == SHAPE_UNIFORM, "partition: groups");
	SOMETIMES(shape == SHAPE_SINGLE, "partition: one alone");
	SOMETIMES(shape == SHAPE_BRIDGE, "partition: two halves and a bridge");
	SOMETIMES(shape == SHAPE_RING, "partition: a ring");
	SOMETIMES(direction == BOTH_WAYS, "partition: symmetric");
	SOMETIMES(direction != BOTH_WAYS, "partition: one-way");
	sim_say(sim, "partition: %s, %s", names[shape], ways[direction]);
}

static void draw_cut(struct sim *sim)
{
	enum shape shape = (enum shape)prng_below(&sim->chaos, SHAPE_COUNT);
	enum direction direction = (enum direction)prng_below(&sim->chaos, DIRECTION_COUNT);
	uint32_t chosen = (uint32_t)prng_below(&sim->chaos, sim->slots);
	uint32_t side[SIM_SLOTS_MAX];

	draw_sides(sim, shape, chosen, side);
	say_shape(sim, shape, direction);
	memset(sim->cut, 0, sizeof(sim->cut));
	for (uint32_t i = 0; i < sim->slots; i++)
		for (uint32_t k = 0; k < sim->slots; k++) {
			bool cut = shape == SHAPE_RING ? is_ring_cut(sim, i, k, direction) :
							 is_cut(side, i, k, direction);

			if (shape == SHAPE_BRIDGE && (i == chosen || k == chosen))
				cut = false;
			if (i != k && cut)
				sim->cut[i] |= UINT32_C(1) << k;
		}
}

static void on_partition(struct sim *sim)
{
	draw_cut(sim);
	sim->is_partitioned = true;
	part(sim);
	sim->flaps = 0;
	if (prng_chance(&sim->chaos, sim->knobs.flap_ppm)) {
		sim->flaps = 2 + (uint32_t)prng_below(&sim->chaos, FLAPS_MAX);
		sim_plan(sim, SIM_EVENT_FLAP, sim->knobs.partition_ns / sim->flaps + 1);
	}
	sim_plan(sim, SIM_EVENT_MEND, sim->knobs.partition_ns);
}

static void on_mend(struct sim *sim)
{
	sim_say(sim, "mend");
	memset(sim->cut, 0, sizeof(sim->cut));
	sim->flaps = 0;
	sim->is_partitioned = false;
	sim_partition_mend(sim);
	sim_plan(sim, SIM_EVENT_PARTITION, sim->knobs.partition_every_ns);
}

static void on_flap(struct sim *sim)
{
	uint32_t kept[SIM_SLOTS_MAX];

	if (!sim->is_partitioned || sim->flaps == 0)
		return;
	SOMETIMES(true, "partition: flapping");
	memcpy(kept, sim->cut, sizeof(kept));
	if (sim->flaps % 2 == 0) {
		memcpy(sim->cut_kept, kept, sizeof(kept));
		memset(sim->cut, 0, sizeof(sim->cut));
		sim_partition_mend(sim);
	} else {
		memcpy(sim->cut, sim->cut_kept, sizeof(kept));
	}
	if (--sim->flaps > 0)
		sim_plan(sim, SIM_EVENT_FLAP, sim->knobs.partition_ns / FLAPS_MAX + 1);
}

/* ---- one node ---- */

static void on_deaf(struct sim *sim)
{
	uint32_t bit = UINT32_C(1) << prng_below(&sim->chaos, sim->slots);

	if (prng_chance(&sim->chaos, 700000)) {
		SOMETIMES(true, "net: a replica talks and cannot hear");
		sim->deaf |= bit;
	} else {
		SOMETIMES(true, "net: a replica hears and is not heard");
		sim->mute |= bit;
	}
	sim_say(sim, "deaf %x, mute %x", sim->deaf, sim->mute);
	sim_plan(sim, SIM_EVENT_HEAR, sim->knobs.deaf_ns);
}

static void on_hear(struct sim *sim)
{
	sim->deaf = 0;
	sim->mute = 0;
	sim_partition_mend(sim);
	sim_plan(sim, SIM_EVENT_DEAF, sim->knobs.deaf_every_ns);
}

/*
 * Swizzle-clog: some nodes clog one after the other, and come free in another order.
 * `argument` 0 plans them; else it is a node, and one more.
 */
static void on_clog(struct sim *sim, const struct sim_event *event)
{
	struct sim_event next = { .kind = SIM_EVENT_CLOG };

	if (event->argument > 0) {
		struct sim_node *node = &sim->nodes[event->argument - 1];

		node->clogged_until_ns = units_add(
			sim->clock.now_ns, 1 + prng_below(&sim->chaos, 2 * sim->knobs.clog_ns));
		sim_say(sim, "clog %u", node->id);
		return;
	}
	for (uint32_t i = 0; i < sim->slots; i++) {
		next.argument = i + 1;
		if (prng_chance(&sim->chaos, 400000))
			sim_clock_add(&sim->clock, prng_below(&sim->chaos, sim->knobs.clog_ns),
				      &next);
	}
	sim_plan(sim, SIM_EVENT_CLOG, sim->knobs.clog_every_ns);
}

void sim_partition_start(struct sim *sim)
{
	if (sim->slots == 1)
		return;
	sim_plan(sim, SIM_EVENT_PARTITION, sim->knobs.partition_every_ns);
	sim_plan(sim, SIM_EVENT_DEAF, sim->knobs.deaf_every_ns);
	sim_plan(sim, SIM_EVENT_CLOG, sim->knobs.clog_every_ns);
}

void sim_partition_event(struct sim *sim, const struct sim_event *event)
{
	switch (event->kind) {
	case SIM_EVENT_PARTITION:
		on_partition(sim);
		break;
	case SIM_EVENT_MEND:
		on_mend(sim);
		break;
	case SIM_EVENT_FLAP:
		on_flap(sim);
		break;
	case SIM_EVENT_DEAF:
		on_deaf(sim);
		break;
	case SIM_EVENT_HEAR:
		on_hear(sim);
		break;
	default:
		on_clog(sim, event);
		break;
	}
}
