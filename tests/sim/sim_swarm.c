/* Swarm: each seed draws which faults exist at all, then how strong they are. */

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "tests/sim/sim.h"

/* 0 in about half of the seeds, else 1..most. */
static uint64_t maybe(struct prng *prng, uint64_t most)
{
	bool exists = prng_chance(prng, 500000);
	uint64_t value = 1 + prng_below(prng, most);

	return exists ? value : 0;
}

static uint64_t between(struct prng *prng, uint64_t low, uint64_t high)
{
	return low + prng_below(prng, high - low + 1);
}

static void draw_links(struct sim_knobs *knobs, struct prng *prng)
{
	knobs->delay_min_ns = between(prng, 10, 200) * UNITS_NS_PER_US;
	knobs->delay_mean_ns = between(prng, 10, 1000) * UNITS_NS_PER_US;
	knobs->loss_ppm = (uint32_t)maybe(prng, 100000);
	knobs->duplicate_ppm = (uint32_t)maybe(prng, 50000);
	knobs->late_ppm = (uint32_t)maybe(prng, 50000);
	knobs->late_ns = between(prng, 1, 50) * UNITS_NS_PER_MS;
	knobs->partition_every_ns = maybe(prng, 400) * UNITS_NS_PER_MS;
	knobs->partition_ns = between(prng, 10, 300) * UNITS_NS_PER_MS;
}

static void draw_processes(struct sim_knobs *knobs, struct prng *prng)
{
	knobs->crash_every_ns = maybe(prng, 300) * UNITS_NS_PER_MS;
	knobs->down_ns = between(prng, 1, 200) * UNITS_NS_PER_MS;
	knobs->power_cut_ppm = (uint32_t)between(prng, 0, 1000000);
	knobs->all_down_ppm = (uint32_t)maybe(prng, 200000);
	knobs->broken_max = (uint32_t)maybe(prng, (knobs->n - 1) / 3);
	knobs->disk.write_ns = between(prng, 20, 500) * UNITS_NS_PER_US;
	knobs->disk.read_ns = between(prng, 20, 200) * UNITS_NS_PER_US;
	knobs->disk.page_ns = between(prng, 1, 5) * UNITS_NS_PER_US;
	knobs->disk.jitter_ns = maybe(prng, 3000) * UNITS_NS_PER_US;
	knobs->sign_ns = maybe(prng, 200) * UNITS_NS_PER_US;
	knobs->skew_ns = maybe(prng, 150) * UNITS_NS_PER_MS;
}

static void draw_clients(struct sim_knobs *knobs, struct prng *prng)
{
	knobs->clients = (uint32_t)between(prng, 1, SIM_CLIENTS_MAX);
	knobs->bundle_every_ns = between(prng, 1, 50) * UNITS_NS_PER_MS;
	knobs->bundle_frames_max = (uint32_t)between(prng, 1, 8);
	knobs->payload_bytes_max = (uint32_t)between(prng, 1, 64);
	knobs->resend_ns = between(prng, 20, 200) * UNITS_NS_PER_MS;
	knobs->receipt_loss_ppm = (uint32_t)maybe(prng, 300000);
	knobs->bad_ppm = (uint32_t)maybe(prng, 100000);
	knobs->skip_ppm = (uint32_t)maybe(prng, 50000);
	knobs->twice_ppm = (uint32_t)maybe(prng, 300000);
	knobs->hasty_ppm = (uint32_t)maybe(prng, 100000);
	knobs->greedy_ppm = (uint32_t)maybe(prng, 20000);
	knobs->window_batches = (uint32_t)between(prng, 4, LANE_WINDOW_MAX);
	knobs->cut_batches_max = (uint32_t)between(prng, 1, 16);
	knobs->batch_frames_max = (uint32_t)between(prng, 1, 64);
}

static void calm(struct sim_knobs *knobs)
{
	knobs->loss_ppm = 0;
	knobs->duplicate_ppm = 0;
	knobs->late_ppm = 0;
	knobs->partition_every_ns = 0;
	knobs->crash_every_ns = 0;
	knobs->broken_max = 0;
	knobs->receipt_loss_ppm = 0;
}

/* Real signatures cost a thousand times more than the keyed hash. */
static void be_short(struct sim_knobs *knobs)
{
	knobs->blocks = (uint32_t)units_min(knobs->blocks, 25);
	knobs->chaos_ns = units_min(knobs->chaos_ns, 300 * UNITS_NS_PER_MS);
	knobs->clients = (uint32_t)units_min(knobs->clients, 5);
	knobs->bundle_every_ns = units_max(knobs->bundle_every_ns, 20 * UNITS_NS_PER_MS);
}

void sim_swarm_draw(struct sim *sim)
{
	static const uint32_t sizes[] = { 4, 4, 4, 4, 4, 5, 7 };
	const struct sim_options *options = &sim->options;
	struct sim_knobs *knobs = &sim->knobs;
	struct prng *prng = &sim->prng;

	prng_seed(prng, options->seed);
	knobs->n = sizes[prng_below(prng, UNITS_COUNT(sizes))];
	if (options->n > 0)
		knobs->n = options->n;
	knobs->blocks = (uint32_t)between(prng, 20, 150);
	knobs->chaos_ns = between(prng, 200, 1500) * UNITS_NS_PER_MS;
	if (options->blocks > 0)
		knobs->blocks = options->blocks;
	if (options->chaos_ns > 0)
		knobs->chaos_ns = options->chaos_ns;
	knobs->is_ed25519 = options->seed % 50 == 49;
	draw_links(knobs, prng);
	draw_processes(knobs, prng);
	draw_clients(knobs, prng);
	if (knobs->is_ed25519)
		be_short(knobs);
	if (options->is_calm || options->is_lag)
		calm(knobs);
	if (options->is_lag)
		knobs->chaos_ns = 3600 * UNITS_NS_PER_S;
	if (options->is_lying_disk) {
		knobs->disk.faults.lie = 200000;
		knobs->crash_every_ns = 20 * UNITS_NS_PER_MS;
		knobs->power_cut_ppm = 1000000;
		knobs->chaos_ns = 2 * UNITS_NS_PER_S;
		knobs->blocks = 100000;
	}
}

/* A quorum becomes healthy: links, disks and clocks behave, what is broken stays broken. */
void sim_swarm_heal(struct sim *sim)
{
	sim->is_chaos = false;
	sim->is_partitioned = false;
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		sim->side[i] = 0;
}

void sim_swarm_print(const struct sim *sim)
{
	const struct sim_knobs *knobs = &sim->knobs;

	printf("n %u, blocks %u, chaos %" PRIu64 " ms, %s\n", knobs->n, knobs->blocks,
	       knobs->chaos_ns / UNITS_NS_PER_MS, knobs->is_ed25519 ? "Ed25519" : "keyed hash");
	printf("links: delay %" PRIu64 "+%" PRIu64
	       " us, loss %u, duplicate %u, late %u ppm (%" PRIu64 " ms), partition every %" PRIu64
	       " ms for %" PRIu64 " ms\n",
	       knobs->delay_min_ns / UNITS_NS_PER_US, knobs->delay_mean_ns / UNITS_NS_PER_US,
	       knobs->loss_ppm, knobs->duplicate_ppm, knobs->late_ppm,
	       knobs->late_ns / UNITS_NS_PER_MS, knobs->partition_every_ns / UNITS_NS_PER_MS,
	       knobs->partition_ns / UNITS_NS_PER_MS);
	printf("crash every %" PRIu64 " ms for %" PRIu64
	       " ms, power %u, all %u ppm, broken %u; disk %" PRIu64 "+%" PRIu64
	       " us; sign %" PRIu64 " us, skew %" PRIu64 " ms\n",
	       knobs->crash_every_ns / UNITS_NS_PER_MS, knobs->down_ns / UNITS_NS_PER_MS,
	       knobs->power_cut_ppm, knobs->all_down_ppm, knobs->broken_max,
	       knobs->disk.write_ns / UNITS_NS_PER_US, knobs->disk.jitter_ns / UNITS_NS_PER_US,
	       knobs->sign_ns / UNITS_NS_PER_US, knobs->skew_ns / UNITS_NS_PER_MS);
	printf("clients %u, bundle every %" PRIu64 " ms of %u, resend %" PRIu64
	       " ms, W %u, C %u, frames a batch %u\n",
	       knobs->clients, knobs->bundle_every_ns / UNITS_NS_PER_MS, knobs->bundle_frames_max,
	       knobs->resend_ns / UNITS_NS_PER_MS, knobs->window_batches, knobs->cut_batches_max,
	       knobs->batch_frames_max);
}
