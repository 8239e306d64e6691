/*
 * What happens to processes: crashes at planned moments and inside a step, pauses, clocks
 * that drift and jump; and the healing, which leaves up to f of them broken for good.
 */

#include <string.h>

#include "base/units.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim_adversary.h"

enum {
	HELD_MAX = 2000, /* packets that wait for a paused process; more are lost */
	BROKEN_PPM = 500000,
};

/* Of a replica that healing leaves flapping. */
static const uint64_t FLAPPING_EVERY_NS = 150 * UNITS_NS_PER_MS;

void sim_plan(struct sim *sim, enum sim_event_kind kind, uint64_t every_ns)
{
	struct sim_event event = { .kind = kind };

	if (every_ns > 0)
		sim_clock_add(&sim->clock, every_ns / 2 + prng_below(&sim->chaos, every_ns),
			      &event);
}

static void plan_start(struct sim *sim, const struct sim_node *node, uint64_t after_ns)
{
	struct sim_event event = {
		.kind = SIM_EVENT_START,
		.node = node->slot,
		.incarnation = node->incarnation,
	};

	sim_clock_add(&sim->clock, after_ns, &event);
}

static void plan_strike(struct sim *sim)
{
	sim->crash_in = 0;
	if (sim->is_chaos && sim->knobs.crash_effects > 0)
		sim->crash_in = 1 + prng_below(&sim->chaos, 2 * sim->knobs.crash_effects);
}

/* ---- crashes ---- */

/* Sessions with the dead die too, sooner or later. */
static void tell_peers(struct sim *sim, const struct sim_node *dead)
{
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct sim_event event = {
			.kind = SIM_EVENT_PEER_DOWN,
			.node = i,
			.from = dead->id,
			.incarnation = sim->nodes[i].incarnation,
		};

		if (sim->nodes[i].id != dead->id && sim->nodes[i].is_up &&
		    prng_chance(&sim->chaos, 500000))
			sim_clock_add(&sim->clock,
				      1 + prng_below(&sim->chaos, 2 * sim->knobs.down_ns), &event);
	}
}

static void crash_one(struct sim *sim, struct sim_node *node)
{
	bool is_power_cut = prng_chance(&sim->chaos, sim->knobs.power_cut_ppm);
	uint64_t down_ns = 1 + prng_below(&sim->chaos, 2 * sim->knobs.down_ns);

	if (!node->is_up)
		return;
	SOMETIMES(is_power_cut, "crash: power cut");
	SOMETIMES(!is_power_cut, "crash: process killed");
	SOMETIMES(node->paused_until_ns > sim->clock.now_ns, "crash: of a paused process");
	SOMETIMES(node->appends[BLOCKLOG_SAFETY].count > 0, "crash: a safety record was under way");
	SOMETIMES(node->appends[BLOCKLOG_BLOCK].count > 0, "crash: a block was under way");
	SOMETIMES(node->appends[BLOCKLOG_LANE].count > 0, "crash: a batch was under way");
	SOMETIMES(!sim->is_chaos, "crash: after healing, of a flapping replica");
	sim->crashes++;
	node->paused_until_ns = 0;
	sim_node_stop(sim, node, is_power_cut);
	tell_peers(sim, node);
	plan_start(sim, node, down_ns);
}

static void on_crash(struct sim *sim)
{
	if (prng_chance(&sim->chaos, sim->knobs.all_down_ppm)) {
		SOMETIMES(true, "crash: the whole cluster at once");
		for (uint32_t i = 0; i < sim->slots; i++)
			crash_one(sim, &sim->nodes[i]);
		sim_check_stable(sim, false);
	} else {
		crash_one(sim, &sim->nodes[prng_below(&sim->chaos, sim->slots)]);
	}
	sim_plan(sim, SIM_EVENT_CRASH, sim->knobs.crash_every_ns);
}

static void on_flapping_crash(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->slots; i++)
		if (sim->nodes[i].broken == SIM_BROKEN_FLAPPING)
			crash_one(sim, &sim->nodes[i]);
	sim_plan(sim, SIM_EVENT_CRASH, FLAPPING_EVERY_NS);
}

bool sim_chaos_strikes(struct sim *sim, struct sim_node *node)
{
	if (sim->crash_in == 0 || --sim->crash_in > 0)
		return node->is_doomed;
	SOMETIMES(replica_effect(node->replica) != NULL, "crash: between two effects of a step");
	sim_say(sim, "strike %u", node->id);
	node->is_doomed = true;
	return true;
}

void sim_chaos_reap(struct sim *sim, struct sim_node *node)
{
	if (!node->is_doomed)
		return;
	node->is_doomed = false;
	crash_one(sim, node);
	plan_strike(sim);
}

/* ---- pauses and clocks ---- */

static void on_pause(struct sim *sim)
{
	struct sim_node *node = &sim->nodes[prng_below(&sim->chaos, sim->slots)];
	uint64_t pause_ns = 1 + prng_below(&sim->chaos, 2 * sim->knobs.pause_ns);

	if (node->is_up) {
		sim_say(sim, "pause %u", node->id);
		node->paused_until_ns =
			units_max(node->paused_until_ns, units_add(sim->clock.now_ns, pause_ns));
		node->held = 0;
	}
	sim_plan(sim, SIM_EVENT_PAUSE, sim->knobs.pause_every_ns);
}

bool sim_chaos_delays(struct sim *sim, struct sim_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];

	if (node->paused_until_ns <= sim->clock.now_ns)
		return false;
	if (event->kind == SIM_EVENT_PACKET && ++node->held > HELD_MAX) {
		sim->lost++;
		sim_packet_drop(event->pointer);
		return true;
	}
	SOMETIMES(event->kind == SIM_EVENT_PACKET, "pause: stale packets waited");
	SOMETIMES(event->kind == SIM_EVENT_DISK, "pause: a finished write waited");
	SOMETIMES(event->kind == SIM_EVENT_SIGNED, "pause: a signature waited");
	SOMETIMES(event->kind == SIM_EVENT_TICK, "pause: a timer fired late");
	event->is_put_off = true;
	sim_clock_add(&sim->clock, node->paused_until_ns - sim->clock.now_ns, event);
	return true;
}

static void note_clock(struct sim *sim, const struct sim_node *node)
{
	int64_t ahead_ns =
		(int64_t)(sim_wall_ns(sim, node) - sim->wall_base_ns) - (int64_t)sim->clock.now_ns;

	if (ahead_ns > sim->skew_max_ns)
		sim->skew_max_ns = ahead_ns;
}

static void on_jump(struct sim *sim)
{
	struct sim_node *node = &sim->nodes[prng_below(&sim->chaos, sim->slots)];
	int64_t jump_ns = (int64_t)prng_below(&sim->chaos, 2 * sim->knobs.jump_ns + 1) -
			  (int64_t)sim->knobs.jump_ns;

	SOMETIMES(jump_ns > 0, "clock: jumped forward");
	SOMETIMES(jump_ns < 0, "clock: jumped back");
	sim_say(sim, "clock of %u jumps by %lld ms", node->id,
		(long long)(jump_ns / (int64_t)UNITS_NS_PER_MS));
	note_clock(sim, node);
	node->skew_ns += jump_ns;
	note_clock(sim, node);
	sim_plan(sim, SIM_EVENT_JUMP, sim->knobs.jump_every_ns);
}

/* ---- healing ---- */

static void break_one(struct sim *sim, struct sim_node *node)
{
	uint32_t bit = UINT32_C(1) << node->slot;

	node->is_broken = true;
	node->broken = SIM_BROKEN_DOWN;
	if (!sim->options.is_alone)
		node->broken = (enum sim_broken)(1 + prng_below(&sim->chaos, SIM_BROKEN_COUNT - 1));
	sim_say(sim, "replica %u stays broken (%d)", node->id, (int)node->broken);
	SOMETIMES(node->broken == SIM_BROKEN_DOWN, "healed: one stays down");
	SOMETIMES(node->broken == SIM_BROKEN_DEAF, "healed: one stays deaf");
	SOMETIMES(node->broken == SIM_BROKEN_MUTE, "healed: one stays mute");
	SOMETIMES(node->broken == SIM_BROKEN_LINKS, "healed: one keeps its bad links");
	SOMETIMES(node->broken == SIM_BROKEN_FLAPPING, "healed: one crashes for ever");
	if (node->broken == SIM_BROKEN_DEAF)
		sim->deaf |= bit;
	if (node->broken == SIM_BROKEN_MUTE)
		sim->mute |= bit;
	if (node->broken != SIM_BROKEN_DOWN)
		return;
	if (node->is_up)
		sim_node_stop(sim, node, true);
	node->incarnation++;
}

/*
 * Clocks are set right: to the one that ran furthest ahead, since a chain whose blocks
 * carry times of the future waits for them, as rule P(1) says.
 */
static void set_clock(struct sim *sim, struct sim_node *node)
{
	int64_t within = (int64_t)prng_below(&sim->chaos, sim->knobs.skew_ns + 1);

	if (sim->knobs.jump_every_ns > 0 || sim->knobs.drift_ppm > 0)
		node->skew_ns = sim->skew_max_ns - within;
}

static void heal_one(struct sim *sim, struct sim_node *node)
{
	node->clogged_until_ns = 0;
	if (node->paused_until_ns > sim->clock.now_ns)
		sim_clock_hasten(&sim->clock, node->slot);
	node->paused_until_ns = 0;
	set_clock(sim, node);
	if (!node->is_up && !node->is_refused && node->broken != SIM_BROKEN_DOWN) {
		node->incarnation++;
		plan_start(sim, node, 1);
	}
}

void sim_chaos_heal(struct sim *sim)
{
	uint32_t broken = sim_adversary_count(sim); /* nobody more than f */
	uint32_t first = (uint32_t)prng_below(&sim->chaos, sim->slots);

	sim_say(sim, "heal");
	for (uint32_t i = 0; i < sim->slots; i++)
		note_clock(sim, &sim->nodes[i]);
	sim_atlas_heal(sim);
	sim->is_chaos = false;
	sim->is_partitioned = false;
	sim->crash_in = 0;
	sim->deaf = 0;
	sim->mute = 0;
	memset(sim->cut, 0, sizeof(sim->cut));
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct sim_node *node = &sim->nodes[(first + i) % sim->slots];
		bool is_struck = prng_chance(&sim->chaos, BROKEN_PPM) || sim->options.is_alone;

		if (broken < sim->knobs.broken_max && is_struck &&
		    !sim_adversary_has(sim, node->id)) {
			broken++;
			break_one(sim, node);
		}
		heal_one(sim, node);
	}
	SOMETIMES(broken == 0, "healed: everybody");
	SOMETIMES(broken > 1, "healed: two stay broken");
	sim_partition_mend(sim);
	sim_plan(sim, SIM_EVENT_CRASH, FLAPPING_EVERY_NS);
}

/* ---- events ---- */

void sim_chaos_start(struct sim *sim)
{
	uint32_t late = sim->options.is_lag ? 1 : 0;

	sim->is_chaos = true;
	for (uint32_t i = 0; i < sim->slots; i++)
		if (i + late < sim->slots)
			plan_start(sim, &sim->nodes[i], prng_below(&sim->chaos, UNITS_NS_PER_MS));
	sim_plan(sim, SIM_EVENT_CRASH, sim->knobs.crash_every_ns);
	sim_plan(sim, SIM_EVENT_PAUSE, sim->knobs.pause_every_ns);
	sim_plan(sim, SIM_EVENT_JUMP, sim->knobs.jump_every_ns);
	if (sim->knobs.replay_ppm > 0)
		sim_plan(sim, SIM_EVENT_REPLAY, sim->knobs.replay_every_ns);
	sim_partition_start(sim);
	plan_strike(sim);
}

void sim_chaos_event(struct sim *sim, const struct sim_event *event)
{
	if (!sim->is_chaos) {
		if (event->kind == SIM_EVENT_CRASH)
			on_flapping_crash(sim);
		return;
	}
	switch (event->kind) {
	case SIM_EVENT_CRASH:
		on_crash(sim);
		break;
	case SIM_EVENT_PAUSE:
		on_pause(sim);
		break;
	case SIM_EVENT_JUMP:
		on_jump(sim);
		break;
	case SIM_EVENT_REPLAY:
		sim_net_replay(sim);
		sim_plan(sim, SIM_EVENT_REPLAY, sim->knobs.replay_every_ns);
		break;
	default:
		sim_partition_event(sim, event);
		break;
	}
}
