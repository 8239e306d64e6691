#include "tests/sim/sim_power.h"

#include "base/ensure.h"
#include "base/units.h"
#include "tests/sim/sim.h"

enum {
	SECTORS_MAX = 400, /* of writes between two cuts */
	RECOVERY_SECTORS_MAX = 48,
	EVENTS_MAX = 1200,
	EVENTS_LATEST = 1400,
	MESSAGES_MAX = 8,
	RECEIPTS_MAX = 24,
	WHOLE_LOOKS = 8, /* every so many looks begin at the first record */
};

static uint64_t between(struct prng *prng, uint64_t low, uint64_t high)
{
	return low + prng_below(prng, high - low + 1);
}

void sim_power_draw(struct sim *sim)
{
	struct sim_knobs *knobs = &sim->knobs;
	struct prng *prng = &sim->prng;

	sim->power.wanted = sim->options.power_cuts;
	if (sim->power.wanted == 0)
		return;
	knobs->n = sim->options.n > 0 ? sim->options.n : 4;
	knobs->is_ed25519 = false;
	knobs->blocks = UINT32_MAX;
	knobs->chaos_ns = UINT64_MAX;
	knobs->delta_ns = between(prng, 2, 6) * UNITS_NS_PER_MS;
	knobs->delay_min_ns = between(prng, 10, 100) * UNITS_NS_PER_US;
	knobs->delay_mean_ns = between(prng, 10, 200) * UNITS_NS_PER_US;
	knobs->loss_ppm /= 8;
	knobs->partition_every_ns = 0;
	knobs->crash_every_ns = prng_chance(prng, 300000) ? 30 * UNITS_NS_PER_MS : 0;
	knobs->down_ns = between(prng, 1, 20) * UNITS_NS_PER_MS;
	knobs->power_cut_ppm = 500000;
	knobs->all_down_ppm = 0;
	knobs->broken_max = 0;
	knobs->disk.write_ns = between(prng, 5, 300) * UNITS_NS_PER_US;
	knobs->disk.writeback = (uint32_t)prng_below(prng, 3);
	knobs->disk.writeback *= (uint32_t)between(prng, 1, 500000);
	knobs->segment_bytes = (UINT64_C(128) << prng_below(prng, 2)) * UNITS_KIB;
	knobs->group_bytes_max = 64 * UNITS_KIB;
	knobs->skew_ns = units_min(knobs->skew_ns, 20 * UNITS_NS_PER_MS);
	knobs->clients = (uint32_t)between(prng, 1, 4);
	knobs->bundle_every_ns = between(prng, 1, 8) * UNITS_NS_PER_MS;
	knobs->resend_ns = between(prng, 10, 30) * UNITS_NS_PER_MS;
	knobs->receipt_loss_ppm /= 4;
	knobs->bundle_frames_max = (uint32_t)units_min(knobs->bundle_frames_max, 4);
}

static uint64_t count_of(const struct sim *sim)
{
	switch (sim->power.moment) {
	case SIM_POWER_MESSAGE:
		return sim_check_said(sim, sim->power.kind);
	case SIM_POWER_RECEIPT:
		return sim_check_receipts(sim);
	default:
		return sim->events;
	}
}

static void arm_disk(struct sim *sim, uint64_t sectors)
{
	uint64_t victim = prng_below(&sim->prng, sim->knobs.n);

	sim_disk_cut_after(sim->nodes[victim].disk, sectors, prng_chance(&sim->prng, 500000));
}

/* The next cut's moment; nothing is up yet. */
static void plan_cut(struct sim *sim)
{
	static const enum sim_power_moment moments[] = {
		SIM_POWER_SECTOR,  SIM_POWER_SECTOR, SIM_POWER_RECOVERY, SIM_POWER_EVENT,
		SIM_POWER_MESSAGE, SIM_POWER_SECTOR, SIM_POWER_RECEIPT,  SIM_POWER_MESSAGE,
	};
	static const uint32_t kinds[] = { WIRE_PROPOSE, WIRE_VOTE,  WIRE_COMMIT, WIRE_TIMEOUT,
					  WIRE_ACKVEC,  WIRE_BATCH, WIRE_BLOCKS, WIRE_LANE_FRAME };
	struct sim_power *power = &sim->power;
	struct prng *prng = &sim->prng;

	power->moment = moments[prng_below(prng, UNITS_COUNT(moments))];
	power->kind = kinds[prng_below(prng, UNITS_COUNT(kinds))];
	power->latest_event = sim->events + EVENTS_LATEST;
	power->target = count_of(sim);
	if (power->moment == SIM_POWER_SECTOR)
		arm_disk(sim, prng_below(prng, SECTORS_MAX));
	else if (power->moment == SIM_POWER_RECOVERY)
		arm_disk(sim, prng_below(prng, RECOVERY_SECTORS_MAX));
	else if (power->moment == SIM_POWER_MESSAGE)
		power->target += between(prng, 1, MESSAGES_MAX);
	else if (power->moment == SIM_POWER_RECEIPT)
		power->target += between(prng, 1, RECEIPTS_MAX);
	else
		power->target += between(prng, 1, EVENTS_MAX);
}

static void start_all(struct sim *sim)
{
	bool is_together = prng_chance(&sim->prng, 500000);
	bool is_one_away = prng_chance(&sim->prng, 150000);
	uint64_t away = prng_below(&sim->prng, sim->knobs.n);
	uint64_t spread_ns = is_together ? UNITS_NS_PER_MS / 2 : sim->knobs.down_ns;

	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		struct sim_event event = {
			.kind = SIM_EVENT_START,
			.node = i,
			.incarnation = sim->nodes[i].incarnation,
		};
		uint64_t after_ns = 1 + prng_below(&sim->prng, spread_ns);

		if (!is_one_away || i != away)
			sim_clock_add(&sim->clock, after_ns, &event);
	}
}

static void cut(struct sim *sim)
{
	struct sim_power *power = &sim->power;
	bool was_down = false;

	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		struct sim_node *node = &sim->nodes[i];

		was_down |= !node->is_up;
		if (node->is_up) {
			sim_node_stop(sim, node, true);
		} else {
			sim_disk_crash(node->disk);
			node->incarnation++;
		}
	}
	sim->crashes++;
	power->cuts++;
	power->cuts_at[power->moment]++;
	power->cuts_down += was_down;
	sim_say(sim, "power cut %llu", (unsigned long long)power->cuts);
	sim_check_stable(sim, power->cuts % WHOLE_LOOKS == 0);
	if (power->cuts < power->wanted) {
		plan_cut(sim);
		start_all(sim);
	} else {
		sim->knobs.chaos_ns = 0;
	}
}

void sim_power_look(struct sim *sim)
{
	const struct sim_power *power = &sim->power;
	bool is_by_disk = power->moment == SIM_POWER_SECTOR || power->moment == SIM_POWER_RECOVERY;

	if (power->wanted == 0 || !sim->is_chaos || power->cuts >= power->wanted)
		return;
	if (power->latest_event == 0)
		plan_cut(sim);
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (sim_disk_is_dead(sim->nodes[i].disk)) {
			cut(sim);
			return;
		}
	if (sim->events >= power->latest_event || (!is_by_disk && count_of(sim) >= power->target))
		cut(sim);
}
