/* --fatal: no good copy is left, and every replica must stop and say where. */

#include "base/ensure.h"
#include "base/units.h"
#include "tests/sim/sim.h"

enum { HEIGHTS_BEHIND = 3 }; /* the damage lies in the middle: something durable follows it */

static void power_off(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (node->is_up)
			sim_node_stop(sim, node, true);
		else
			sim_disk_crash(node->disk);
	}
}

static uint64_t lowest_marked(const struct sim *sim)
{
	uint64_t lowest = UINT64_MAX;

	for (uint32_t i = 0; i < sim->knobs.n; i++)
		lowest = units_min(lowest, sim->nodes[i].looked_marks.height);
	return lowest;
}

/* One bit of the record of a block, or of one of its batches. */
static void damage(struct sim *sim, struct sim_node *node, uint64_t height)
{
	struct prng *prng = &sim->atlas.prng;
	uint64_t segment_bytes = sim->store_config.segment_bytes;
	enum blocklog_log log;
	uint64_t position;
	uint32_t byte_count;
	uint64_t at;

	sim_check_place(sim, node->id, height, (uint32_t)prng_below(prng, 1000), &log, &position,
			&byte_count);
	at = position + prng_below(prng, BLOCKLOG_HEAD_BYTES + byte_count);
	sim_disk_flip(node->disk, blocklog_area_of(log), at / segment_bytes, at % segment_bytes,
		      (uint8_t)(1U << prng_below(prng, 8)));
	sim_disk_mar(node->disk);
	node->is_frail = true;
	node->places[0] = (struct sim_place){ log, position };
	node->place_count = 1;
	sim_say(sim, "height %llu is damaged on disk %u, log %d, position %llu",
		(unsigned long long)height, node->id, (int)log, (unsigned long long)position);
}

/* The very record, not one in the neighbourhood. */
static void want_named(const struct sim *sim, const struct sim_node *node)
{
	if (node->is_up || !node->is_refused)
		sim_fail(sim, "replica %u starts over a damaged height", node->id);
	if (!node->has_named || node->named.log != node->places[0].log ||
	    node->named.position != node->places[0].position)
		sim_fail(sim, "replica %u names log %d, position %llu; damaged is log %d, %llu",
			 node->id, (int)node->named.log, (unsigned long long)node->named.position,
			 (int)node->places[0].log, (unsigned long long)node->places[0].position);
}

void sim_atlas_fatal(struct sim *sim)
{
	bool is_scattered = sim->options.seed % 2 == 1;
	uint64_t highest;
	uint64_t height;

	power_off(sim);
	sim_check_stable(sim, true);
	highest = lowest_marked(sim);
	if (highest <= HEIGHTS_BEHIND)
		return;
	highest -= HEIGHTS_BEHIND;
	height = 1 + prng_below(&sim->atlas.prng, highest);
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		damage(sim, &sim->nodes[i], height);
		if (is_scattered)
			height = height % highest + 1;
	}
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		sim_node_start(sim, &sim->nodes[i]);
		want_named(sim, &sim->nodes[i]);
	}
	sim->atlas.fatal++;
}
