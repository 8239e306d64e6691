/* Swarm: each seed draws which faults exist at all, then how strong they are. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
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

bool sim_has(const struct sim *sim, enum sim_fault fault)
{
	return sim->knobs.faults >> fault & 1;
}

const char *sim_fault_word(enum sim_fault fault)
{
	static const char *const words[] = {
#define SIM_FAULT(name, word) word,
#include "tests/sim/sim_faults.def"
#undef SIM_FAULT
	};

	return words[fault];
}

/* Few faults or many, never a fixed number of them: the densities differ from seed to seed. */
/* A few seeds have hardly a fault: what then fails is no fault's. */
static bool is_quiet(uint64_t seed)
{
	return seed % 128 == 77;
}

static uint64_t draw_faults(struct prng *prng)
{
	static const uint32_t densities[] = { 100000, 250000, 400000, 700000 };
	uint32_t density = densities[prng_below(prng, UNITS_COUNT(densities))];
	uint64_t faults = 0;

	for (uint32_t i = 0; i < SIM_FAULT_SLOW_SPELL; i++)
		if (prng_chance(prng, density))
			faults |= UINT64_C(1) << i;
	return faults;
}

static void draw_links(struct sim_knobs *knobs, struct prng *prng)
{
	knobs->delay_min_ns = between(prng, 10, 200) * UNITS_NS_PER_US;
	knobs->delay_mean_ns = between(prng, 10, 1000) * UNITS_NS_PER_US;
	knobs->loss_ppm = (uint32_t)between(prng, 1, 100000);
	knobs->duplicate_ppm = (uint32_t)between(prng, 1, 50000);
	knobs->late_ppm = (uint32_t)between(prng, 1, 50000);
	knobs->late_ns = between(prng, 1, 50) * UNITS_NS_PER_MS;
	knobs->corrupt_ppm = (uint32_t)between(prng, 1, 50000);
	knobs->truncate_ppm = (uint32_t)between(prng, 1, 50000);
	knobs->byte_ns = between(prng, 8, 400);
	knobs->queue_ns = between(prng, 1, 20) * UNITS_NS_PER_MS;
	knobs->hole_bytes = (uint32_t)between(prng, 300, 1400);
	knobs->replay_ppm = (uint32_t)between(prng, 1000, 100000);
	knobs->replay_every_ns = between(prng, 200, 20000) * UNITS_NS_PER_US;
}

static void draw_partitions(struct sim_knobs *knobs, struct prng *prng)
{
	knobs->partition_every_ns = between(prng, 1, 400) * UNITS_NS_PER_MS;
	knobs->partition_ns = between(prng, 10, 300) * UNITS_NS_PER_MS;
	knobs->flap_ppm = (uint32_t)between(prng, 1, 1000000);
	knobs->deaf_every_ns = between(prng, 50, 600) * UNITS_NS_PER_MS;
	knobs->deaf_ns = between(prng, 10, 300) * UNITS_NS_PER_MS;
	knobs->clog_every_ns = between(prng, 20, 400) * UNITS_NS_PER_MS;
	knobs->clog_ns = between(prng, 1, 100) * UNITS_NS_PER_MS;
}

static void draw_processes(struct sim_knobs *knobs, struct prng *prng)
{
	uint64_t faulty = (knobs->n - 1) / 3;

	knobs->crash_every_ns = between(prng, 1, 300) * UNITS_NS_PER_MS;
	knobs->down_ns = between(prng, 1, 200) * UNITS_NS_PER_MS;
	knobs->power_cut_ppm = (uint32_t)between(prng, 0, 1000000);
	knobs->all_down_ppm = (uint32_t)between(prng, 1, 200000);
	knobs->crash_effects = between(prng, 500, 20000);
	knobs->pause_every_ns = between(prng, 20, 500) * UNITS_NS_PER_MS;
	knobs->pause_ns = between(prng, 1, 400) * UNITS_NS_PER_MS;
	knobs->skew_ns = between(prng, 1, 150) * UNITS_NS_PER_MS;
	knobs->drift_ppm = (uint32_t)between(prng, 1, 50000);
	knobs->jump_every_ns = between(prng, 50, 500) * UNITS_NS_PER_MS;
	knobs->jump_ns = between(prng, 1, 5000) * UNITS_NS_PER_MS;
	knobs->broken_max = (uint32_t)units_min(between(prng, 1, units_max(faulty, 1)), faulty);
	knobs->sign_ns = maybe(prng, 200) * UNITS_NS_PER_US;
}

static void draw_disks(struct sim_knobs *knobs, struct prng *prng)
{
	knobs->disk.write_ns = between(prng, 20, 500) * UNITS_NS_PER_US;
	knobs->disk.read_ns = between(prng, 20, 200) * UNITS_NS_PER_US;
	knobs->disk.page_ns = between(prng, 1, 5) * UNITS_NS_PER_US;
	knobs->disk.jitter_ns = between(prng, 1, 3000) * UNITS_NS_PER_US;
	knobs->delta_ns = 10 * UNITS_NS_PER_MS;
	knobs->segment_bytes = UNITS_MIB;
	knobs->group_bytes_max = 256 * UNITS_KIB;
}

/*
 * One seed in ten is heavy with frames, some hundred packets a block; the others spend
 * their time on blocks, which is where views, votes and crashes meet.
 */
static void draw_load(struct sim_knobs *knobs, struct prng *prng)
{
	bool is_heavy = prng_chance(prng, 100000);

	knobs->clients = (uint32_t)between(prng, 1, is_heavy ? SIM_CLIENTS_MAX : 6);
	knobs->bundle_every_ns =
		(is_heavy ? between(prng, 1, 50) : between(prng, 2, 25)) * UNITS_NS_PER_MS;
	knobs->bundle_frames_max = (uint32_t)between(prng, 1, is_heavy ? 8 : 2);
	if (is_heavy)
		return;
	knobs->blocks *= 3;
	knobs->chaos_ns *= 3;
	knobs->crash_every_ns *= 3;
}

static void draw_clients(struct sim_knobs *knobs, struct prng *prng)
{
	draw_load(knobs, prng);
	knobs->payload_bytes_max = (uint32_t)between(prng, 1, 64);
	knobs->resend_ns = between(prng, 20, 200) * UNITS_NS_PER_MS;
	knobs->receipt_loss_ppm = (uint32_t)between(prng, 1, 300000);
	knobs->bad_ppm = (uint32_t)maybe(prng, 100000);
	knobs->skip_ppm = (uint32_t)maybe(prng, 50000);
	knobs->twice_ppm = (uint32_t)maybe(prng, 300000);
	knobs->hasty_ppm = (uint32_t)maybe(prng, 100000);
	knobs->greedy_ppm = (uint32_t)maybe(prng, 20000);
	knobs->window_batches = (uint32_t)between(prng, 4, LANE_WINDOW_MAX);
	knobs->cut_batches_max = (uint32_t)between(prng, 1, 16);
	knobs->batch_frames_max = (uint32_t)between(prng, 1, 64);
}

/* A strength is drawn whether or not its class exists, so that taking one away moves no other. */
static void forget_links(struct sim_knobs *knobs, uint64_t absent)
{
#define ABSENT(name) (absent >> SIM_FAULT_##name & 1)
	if (ABSENT(LOSS))
		knobs->loss_ppm = 0;
	if (ABSENT(DUPLICATE))
		knobs->duplicate_ppm = 0;
	if (ABSENT(LATE))
		knobs->late_ppm = 0;
	if (ABSENT(CORRUPT))
		knobs->corrupt_ppm = 0;
	if (ABSENT(TRUNCATE))
		knobs->truncate_ppm = 0;
	if (ABSENT(QUEUE))
		knobs->byte_ns = 0;
	if (ABSENT(HOLE))
		knobs->hole_bytes = 0;
	if (ABSENT(REPLAY))
		knobs->replay_ppm = 0;
	if (ABSENT(PARTITION))
		knobs->partition_every_ns = 0;
	if (ABSENT(FLAP))
		knobs->flap_ppm = 0;
	if (ABSENT(DEAF))
		knobs->deaf_every_ns = 0;
	if (ABSENT(CLOG))
		knobs->clog_every_ns = 0;
}

static void forget_others(struct sim_knobs *knobs, uint64_t absent)
{
	if (ABSENT(CRASH))
		knobs->crash_every_ns = 0;
	if (ABSENT(STRIKE))
		knobs->crash_effects = 0;
	if (ABSENT(ALL_DOWN))
		knobs->all_down_ppm = 0;
	if (ABSENT(PAUSE))
		knobs->pause_every_ns = 0;
	if (ABSENT(SKEW))
		knobs->skew_ns = 0;
	if (ABSENT(DRIFT))
		knobs->drift_ppm = 0;
	if (ABSENT(JUMP))
		knobs->jump_every_ns = 0;
	if (ABSENT(BROKEN))
		knobs->broken_max = 0;
	if (ABSENT(SLOW_DISK))
		knobs->disk.jitter_ns = 0;
	if (ABSENT(RECEIPT_LOSS))
		knobs->receipt_loss_ppm = 0;
	if (ABSENT(MANNERS)) {
		knobs->bad_ppm = 0;
		knobs->skip_ppm = 0;
		knobs->twice_ppm = 0;
		knobs->hasty_ppm = 0;
		knobs->greedy_ppm = 0;
	}
#undef ABSENT
}

/* No faults; impolite clients stay. */
static const uint64_t CALM = UINT64_C(1) << SIM_FAULT_SLOW_DISK | UINT64_C(1) << SIM_FAULT_SKEW |
			     UINT64_C(1) << SIM_FAULT_MANNERS;

/* Real signatures cost a thousand times more than the keyed hash. */
static void be_short(struct sim_knobs *knobs)
{
	knobs->blocks = (uint32_t)units_min(knobs->blocks, 25);
	knobs->chaos_ns = units_min(knobs->chaos_ns, 300 * UNITS_NS_PER_MS);
	knobs->clients = (uint32_t)units_min(knobs->clients, 5);
	knobs->bundle_every_ns = units_max(knobs->bundle_every_ns, 20 * UNITS_NS_PER_MS);
}

static void be_a_canary(struct sim_knobs *knobs, const struct sim_options *options)
{
	if (options->is_lag)
		knobs->chaos_ns = 3600 * UNITS_NS_PER_S;
	if (options->is_alone)
		knobs->broken_max = (knobs->n - 1) / 3 + 1;
	if (options->is_lying_disk) {
		knobs->disk.faults.lie = 200000;
		knobs->crash_every_ns = 20 * UNITS_NS_PER_MS;
		knobs->power_cut_ppm = 1000000;
		knobs->chaos_ns = 2 * UNITS_NS_PER_S;
		knobs->blocks = 100000;
	}
}

static void draw_size(struct sim_knobs *knobs, const struct sim_options *options, struct prng *prng)
{
	static const uint32_t sizes[] = { 4, 4, 4, 4, 4, 5, 7 };

	knobs->n = sizes[prng_below(prng, UNITS_COUNT(sizes))];
	if (options->n > 0)
		knobs->n = options->n;
	knobs->blocks = (uint32_t)between(prng, 20, 150);
	knobs->chaos_ns = between(prng, 200, 1500) * UNITS_NS_PER_MS;
	knobs->is_ed25519 = options->seed % 50 == 49;
}

static void cut_size(struct sim_knobs *knobs, const struct sim_options *options)
{
	if (knobs->is_ed25519)
		be_short(knobs);
	if (options->blocks > 0)
		knobs->blocks = options->blocks;
	if (options->chaos_ns > 0)
		knobs->chaos_ns = options->chaos_ns;
	if (options->clients > 0)
		knobs->clients = options->clients;
}

void sim_swarm_draw(struct sim *sim)
{
	const struct sim_options *options = &sim->options;
	struct sim_knobs *knobs = &sim->knobs;
	struct prng *prng = &sim->prng;

	prng_seed(prng, options->seed);
	prng_seed(&sim->chaos, options->seed ^ UINT64_C(0x6368616f73));
	prng_seed(&sim->net, options->seed ^ UINT64_C(0x6e6574));
	draw_size(knobs, options, prng);
	knobs->faults = draw_faults(prng) & ~options->without;
	if (is_quiet(options->seed))
		knobs->faults = 0;
	if (options->is_calm || options->is_lag)
		knobs->faults &= CALM;
	draw_links(knobs, prng);
	draw_partitions(knobs, prng);
	draw_processes(knobs, prng);
	draw_disks(knobs, prng);
	draw_clients(knobs, prng);
	forget_links(knobs, ~knobs->faults);
	forget_others(knobs, ~knobs->faults);
	be_a_canary(knobs, options);
	cut_size(knobs, options);
	sim_atlas_draw(sim);
	sim_power_draw(sim);
}

/* None, half, the whole or the double of a strength: no two links need be alike. */
static uint32_t vary(struct prng *prng, uint32_t ppm)
{
	static const uint32_t halves[] = { 0, 1, 2, 4 };

	return (uint32_t)((uint64_t)ppm * halves[prng_below(prng, UNITS_COUNT(halves))] / 2);
}

static void draw_link(const struct sim *sim, struct prng *prng, struct sim_link *link)
{
	const struct sim_knobs *knobs = &sim->knobs;
	uint64_t far = between(prng, 1, 8);

	/* One after the other: the order of initialisers is the compiler's. */
	*link = (struct sim_link){ .delay_min_ns = knobs->delay_min_ns,
				   .delay_mean_ns = knobs->delay_mean_ns };
	link->loss_ppm = vary(prng, knobs->loss_ppm);
	link->duplicate_ppm = vary(prng, knobs->duplicate_ppm);
	link->late_ppm = vary(prng, knobs->late_ppm);
	link->corrupt_ppm = vary(prng, knobs->corrupt_ppm);
	link->truncate_ppm = vary(prng, knobs->truncate_ppm);
	link->has_hole = prng_chance(prng, 250000) && knobs->hole_bytes > 0;
	if (sim_has(sim, SIM_FAULT_UNEQUAL)) {
		link->delay_min_ns = knobs->delay_min_ns * far / 2;
		link->delay_mean_ns = knobs->delay_mean_ns * between(prng, 1, 4) / 2;
	}
}

void sim_swarm_links(struct sim *sim)
{
	struct prng prng;

	prng_seed(&prng, sim->options.seed ^ UINT64_C(0x6c696e6b73));
	sim->links = calloc(SIM_SLOTS_MAX * SIM_SLOTS_MAX, sizeof(*sim->links));
	ensure(sim->links);
	for (uint32_t i = 0; i < sim->slots; i++)
		for (uint32_t k = 0; k < sim->slots; k++)
			draw_link(sim, &prng, &sim->links[i * SIM_SLOTS_MAX + k]);
}

void sim_swarm_print(const struct sim *sim)
{
	const struct sim_knobs *knobs = &sim->knobs;

	printf("n %u, blocks %u, chaos %" PRIu64 " ms, %s\n", knobs->n, knobs->blocks,
	       knobs->chaos_ns / UNITS_NS_PER_MS, knobs->is_ed25519 ? "Ed25519" : "keyed hash");
	printf("faults:");
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (sim_has(sim, (enum sim_fault)i))
			printf(" %s", sim_fault_word((enum sim_fault)i));
	printf("\n");
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
