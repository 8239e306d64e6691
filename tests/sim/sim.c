#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"

enum {
	EVENTS_AT_ONCE_MAX = 200000, /* with no time passing: something spins */
};

/* After healing, every frame must be final within this much virtual time. */
static const uint64_t HEAL_BOUND_NS = 60 * UNITS_NS_PER_S;

void sim_trace(struct sim *sim, uint64_t value)
{
	sim->trace = (sim->trace ^ value) * UINT64_C(0xff51afd7ed558ccd);
	sim->trace ^= sim->trace >> 32;
}

void sim_trace_bytes(struct sim *sim, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	uint64_t word = 0;

	for (size_t i = 0; i < count; i++) {
		word = word << 8 | at[i];
		if (i % 8 == 7 || i + 1 == count)
			sim_trace(sim, word);
	}
}

void sim_say(const struct sim *sim, const char *format, ...)
{
	va_list arguments;

	if (!sim->options.is_verbose)
		return;
	printf("%12.6f  ", (double)sim->clock.now_ns / 1e9);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
{
	const struct sim_options *options = &sim->options;
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "FAILED seed %" PRIu64 " at %.6f s, event %" PRIu64 ": ", options->seed,
		(double)sim->clock.now_ns / 1e9, sim->events);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nreplay: quorate-sim --seed %" PRIu64, options->seed);
	if (options->n > 0)
		fprintf(stderr, " --n %u", options->n);
	if (options->blocks > 0)
		fprintf(stderr, " --blocks %u", options->blocks);
	fprintf(stderr, "%s%s%s --verbose\n", options->is_calm ? " --calm" : "",
		options->is_lag ? " --lag" : "", options->is_lying_disk ? " --lying-disk" : "");
	exit(1);
}

/* ---- chaos ---- */

static void plan(struct sim *sim, enum sim_event_kind kind, uint64_t every_ns)
{
	struct sim_event event = { .kind = kind };

	if (every_ns > 0)
		sim_clock_add(&sim->clock, every_ns / 2 + prng_below(&sim->prng, every_ns), &event);
}

static void plan_start(struct sim *sim, const struct sim_node *node, uint64_t after_ns)
{
	struct sim_event event = {
		.kind = SIM_EVENT_START,
		.node = node->id,
		.incarnation = node->incarnation,
	};

	sim_clock_add(&sim->clock, after_ns, &event);
}

static void crash_one(struct sim *sim, struct sim_node *node)
{
	bool is_power_cut = prng_chance(&sim->prng, sim->knobs.power_cut_ppm);
	uint64_t down_ns = 1 + prng_below(&sim->prng, 2 * sim->knobs.down_ns);

	if (!node->is_up)
		return;
	sim->crashes++;
	sim_node_stop(sim, node, is_power_cut);
	plan_start(sim, node, down_ns);
}

static void on_crash(struct sim *sim)
{
	if (!sim->is_chaos)
		return;
	if (prng_chance(&sim->prng, sim->knobs.all_down_ppm)) {
		for (uint32_t i = 0; i < sim->knobs.n; i++)
			crash_one(sim, &sim->nodes[i]);
	} else {
		crash_one(sim, &sim->nodes[prng_below(&sim->prng, sim->knobs.n)]);
	}
	plan(sim, SIM_EVENT_CRASH, sim->knobs.crash_every_ns);
}

static void meet_again(struct sim *sim)
{
	struct sim_event event = { .kind = SIM_EVENT_PEER_UP };

	for (uint32_t i = 0; i < sim->knobs.n; i++)
		for (uint32_t k = 0; k < sim->knobs.n; k++) {
			if (i == k || !sim->nodes[i].is_up || !sim->nodes[k].is_up)
				continue;
			event.node = i;
			event.from = k;
			event.incarnation = sim->nodes[i].incarnation;
			sim_clock_add(&sim->clock, 2 * sim->knobs.delay_min_ns, &event);
		}
}

static void on_partition(struct sim *sim, bool is_mend)
{
	if (!sim->is_chaos)
		return;
	if (is_mend) {
		sim_say(sim, "mend");
		memset(sim->side, 0, sizeof(sim->side));
		sim->is_partitioned = false;
		meet_again(sim);
		plan(sim, SIM_EVENT_PARTITION, sim->knobs.partition_every_ns);
	} else {
		sim_say(sim, "partition");
		sim_net_partition(sim);
		plan(sim, SIM_EVENT_MEND, sim->knobs.partition_ns);
	}
}

static void heal(struct sim *sim)
{
	uint32_t broken = 0;

	sim_say(sim, "heal");
	sim_swarm_heal(sim);
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (broken < sim->knobs.broken_max && prng_chance(&sim->prng, 300000)) {
			broken++;
			node->is_broken = true;
			if (node->is_up)
				sim_node_stop(sim, node, true);
			node->incarnation++;
		} else if (!node->is_up) {
			node->incarnation++;
			plan_start(sim, node, 1);
		}
	}
	meet_again(sim);
}

/* ---- the loop ---- */

static void release(struct sim_event *event)
{
	switch (event->kind) {
	case SIM_EVENT_PACKET:
	case SIM_EVENT_SUBMIT:
		sim_packet_drop(event->pointer);
		break;
	case SIM_EVENT_SIGNED:
	case SIM_EVENT_CHECKED:
		free(event->pointer);
		break;
	default:
		break;
	}
}

static void trace_event(struct sim *sim, const struct sim_event *event)
{
	sim_trace(sim, event->at_ns);
	sim_trace(sim, (uint64_t)event->kind << 32 | event->node << 16 | event->from);
	if (event->kind == SIM_EVENT_PACKET || event->kind == SIM_EVENT_SUBMIT) {
		const struct sim_packet *packet = event->pointer;

		sim_trace_bytes(sim, packet->bytes, packet->count);
	}
}

static void handle(struct sim *sim, struct sim_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];

	switch (event->kind) {
	case SIM_EVENT_START:
		if (!node->is_up && !node->is_broken && node->incarnation == event->incarnation)
			sim_node_start(sim, node);
		break;
	case SIM_EVENT_CRASH:
		on_crash(sim);
		break;
	case SIM_EVENT_PARTITION:
	case SIM_EVENT_MEND:
		on_partition(sim, event->kind == SIM_EVENT_MEND);
		break;
	case SIM_EVENT_CLIENT:
		sim_workload_client(sim, (uint32_t)event->argument);
		break;
	case SIM_EVENT_RESEND:
		sim_workload_resend(sim, (uint32_t)event->argument,
				    (uint32_t)(event->argument >> 32));
		break;
	default:
		if (node->is_up && node->incarnation == event->incarnation)
			sim_node_event(sim, node, event);
		break;
	}
}

static bool is_caught_up(const struct sim *sim, uint64_t height)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (!sim->nodes[i].is_broken &&
		    (!sim->nodes[i].is_up || sim->nodes[i].delivered_height < height))
			return false;
	return true;
}

static void start(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (!sim->options.is_lag || i + 1 < sim->knobs.n)
			plan_start(sim, &sim->nodes[i], prng_below(&sim->prng, UNITS_NS_PER_MS));
	plan(sim, SIM_EVENT_CRASH, sim->knobs.crash_every_ns);
	plan(sim, SIM_EVENT_PARTITION, sim->knobs.partition_every_ns);
	sim->is_chaos = true;
}

static void report_stuck(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		const struct sim_node *node = &sim->nodes[i];
		struct replica_status status;

		if (!node->is_up) {
			fprintf(stderr, "replica %u is down\n", i);
			continue;
		}
		replica_status(node->replica, &status);
		fprintf(stderr,
			"replica %u: view %" PRIu64 ", high QC %" PRIu64 ", vote %" PRIu64
			", timeout %" PRIu64 ", committed %" PRIu64 ", delivered %" PRIu64
			", buffers %u/%u, own lane %" PRIu64 "%s, stored",
			i, status.view.view, status.view.high_qc_view, status.view.last_vote_view,
			status.view.last_timeout_view, status.view.committed_height,
			status.delivered_height, status.lanes.buffers_used, status.lanes.buffers,
			status.lanes.own_seq, status.view.is_observer ? ", observer" : "");
		for (uint32_t k = 0; k < sim->knobs.n; k++)
			fprintf(stderr, " %" PRIu64 "/%" PRIu64, status.lanes.stored_seq[k],
				status.lanes.committed_seq[k]);
		fprintf(stderr, "\n");
	}
	sim_check_print(sim);
	for (uint32_t i = 0; i < sim->knobs.clients; i++)
		if (sim->clients[i].outstanding > 0)
			fprintf(stderr, "client %u: %u frames outstanding\n", i,
				sim->clients[i].outstanding);
}

static void run(struct sim *sim)
{
	struct sim_event event;
	uint64_t healed_ns = 0;
	uint64_t healed_height = 0;
	uint64_t at_once = 0;

	for (;;) {
		uint64_t before_ns = sim->clock.now_ns;

		if (sim->is_chaos && (sim->clock.now_ns >= sim->knobs.chaos_ns ||
				      sim_check_height(sim) >= sim->knobs.blocks)) {
			healed_ns = sim->clock.now_ns;
			healed_height = sim_check_height(sim);
			heal(sim);
		}
		if (!sim->is_chaos && sim_workload_is_done(sim) &&
		    is_caught_up(sim, healed_height + 2))
			return;
		ensure(sim_clock_pop(&sim->clock, &event));
		at_once = sim->clock.now_ns == before_ns ? at_once + 1 : 0;
		sim->events++;
		trace_event(sim, &event);
		handle(sim, &event);
		release(&event);
		if (at_once > EVENTS_AT_ONCE_MAX)
			sim_fail(sim, "events spin: time stands still");
		if (!sim->is_chaos && sim->clock.now_ns > healed_ns + HEAL_BOUND_NS) {
			report_stuck(sim);
			sim_fail(sim, "no progress after healing at %.3f s, height %" PRIu64,
				 (double)healed_ns / 1e9, healed_height);
		}
	}
}

void sim_run(const struct sim_options *options, struct sim_result *ret_result)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct sim_event event;

	ensure(sim);
	sim->options = *options;
	sim->wall_base_ns = UINT64_C(1800000000) * UNITS_NS_PER_S;
	sim_swarm_draw(sim);
	if (options->is_verbose)
		sim_swarm_print(sim);
	sim_signer_init(sim);
	sim_cluster_init(sim);
	sim_check_init(sim);
	sim_workload_init(sim);
	start(sim);
	run(sim);
	sim_check_end(sim);
	*ret_result = (struct sim_result){
		.trace = sim->trace,
		.events = sim->events,
		.height = sim_check_height(sim),
		.transactions = sim_check_transactions(sim),
		.crashes = sim->crashes,
		.virtual_ns = sim->clock.now_ns,
	};
	while (sim_clock_pop(&sim->clock, &event))
		release(&event);
	sim_cluster_fini(sim);
	sim_check_fini(sim);
	sim_clock_fini(&sim->clock);
	free(sim->frames);
	free(sim);
}
