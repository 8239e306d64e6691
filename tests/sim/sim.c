#include "tests/sim/sim_adversary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/sim/sim_hash.h"
#include "tests/sim/sim_memory.h"
#include "tests/sim/sim_options.h"

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

static void (*fail_hook)(const struct sim_options *options, const char *reason);

void sim_on_fail(void (*hook)(const struct sim_options *options, const char *reason))
{
	fail_hook = hook;
}

_Noreturn void sim_leave(int code)
{
	fflush(NULL);
	_exit(code);
}

_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
{
	const struct sim_options *options = &sim->options;
	char reason[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	fflush(stdout);
	fprintf(stderr,
		"FAILED seed %" PRIu64 " at %.6f s, event %" PRIu64 ": %s\nreplay: ", options->seed,
		(double)sim->clock.now_ns / 1e9, sim->events, reason);
	sim_options_print(stderr, options);
	fprintf(stderr, " --verbose\n");
	if (fail_hook)
		fail_hook(options, reason);
	exit(1);
}

_Noreturn void sim_fork(const struct sim *sim, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!sim->options.is_too_many_twins)
		sim_fail(sim, "FORK: %s", text);
	printf("fork reported, as it must be: seed %" PRIu64 ", %.6f s: %s\n", sim->options.seed,
	       (double)sim->clock.now_ns / 1e9, text);
	sim_leave(0);
}

/* ---- the loop ---- */

static void release(struct sim_event *event)
{
	switch (event->kind) {
	case SIM_EVENT_PACKET:
	case SIM_EVENT_SUBMIT:
	case SIM_EVENT_HELD:
		sim_packet_drop(event->pointer);
		break;
	case SIM_EVENT_SIGNED:
	case SIM_EVENT_CHECKED:
		sim_memory_free(event->pointer);
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

		sim_trace(sim, packet->hash);
	}
}

/* Returns false when the event was put off, with what it carries. */
static bool handle(struct sim *sim, struct sim_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];

	switch (event->kind) {
	case SIM_EVENT_START:
		if (!node->is_up && !node->is_refused && node->broken != SIM_BROKEN_DOWN &&
		    node->incarnation == event->incarnation) {
			sim_node_start(sim, node);
			sim_chaos_reap(sim, node);
		}
		break;
	case SIM_EVENT_ATLAS:
		sim_atlas_event(sim, event);
		break;
	case SIM_EVENT_CLIENT:
		sim_workload_client(sim, (uint32_t)event->argument);
		break;
	case SIM_EVENT_RESEND:
		sim_workload_resend(sim, (uint32_t)event->argument,
				    (uint32_t)(event->argument >> 32));
		break;
	case SIM_EVENT_CRASH:
	case SIM_EVENT_PARTITION:
	case SIM_EVENT_MEND:
	case SIM_EVENT_FLAP:
	case SIM_EVENT_DEAF:
	case SIM_EVENT_HEAR:
	case SIM_EVENT_CLOG:
	case SIM_EVENT_REPLAY:
	case SIM_EVENT_PAUSE:
	case SIM_EVENT_JUMP:
		sim_chaos_event(sim, event);
		break;
	case SIM_EVENT_ADVERSARY:
	case SIM_EVENT_HELD:
		sim_adversary_event(sim, event);
		break;
	default:
		if (!node->is_up || node->incarnation != event->incarnation)
			break;
		if (sim_chaos_delays(sim, event))
			return false;
		sim_node_event(sim, node, event);
		sim_chaos_reap(sim, node);
		break;
	}
	return true;
}

bool sim_is_sound(const struct sim *sim, const struct sim_node *node)
{
	return !node->is_broken && !node->is_frail && !sim_adversary_has(sim, node->id);
}

static bool is_caught_up(const struct sim *sim, uint64_t height)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (sim_is_sound(sim, &sim->nodes[i]) &&
		    (!sim->nodes[i].is_up || sim->nodes[i].delivered_height < height))
			return false;
	return true;
}

void sim_report(const struct sim *sim)
{
	sim_adversary_print(sim);
	for (uint32_t i = 0; i < sim->slots; i++) {
		const struct sim_node *node = &sim->nodes[i];
		struct replica_status status;

		if (!node->is_up) {
			fprintf(stderr, "replica %u is down\n", i);
			continue;
		}
		replica_status(node->replica, &status);
		fprintf(stderr,
			"replica %u%s: view %" PRIu64 ", high QC %" PRIu64 ", vote %" PRIu64
			", timeout %" PRIu64 ", committed %" PRIu64 ", delivered %" PRIu64
			", buffers %u/%u, own lane %" PRIu64 "%s, stored",
			i, node->is_broken ? " (broken)" : "", status.view.view,
			status.view.high_qc_view, status.view.last_vote_view,
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

static bool is_over(const struct sim *sim, uint64_t healed_height)
{
	return !sim->is_chaos && sim_workload_is_done(sim) && sim_check_is_settled(sim) &&
	       sim_check_fresh_height(sim) > 0 && is_caught_up(sim, healed_height + 2);
}

static void step(struct sim *sim)
{
	struct sim_event event;

	ensure(sim_clock_pop(&sim->clock, &event));
	sim->events++;
	trace_event(sim, &event);
	if (handle(sim, &event))
		release(&event);
	if (!sim->is_chaos)
		sim_lasso_step(sim);
}

static void run(struct sim *sim)
{
	uint64_t healed_ns = 0;
	uint64_t healed_height = 0;
	uint64_t at_once = 0;

	for (;;) {
		uint64_t before_ns = sim->clock.now_ns;

		if (sim->is_chaos &&
		    (before_ns >= sim->knobs.chaos_ns ||
		     sim_check_height(sim) >= sim->knobs.blocks || sim_workload_is_spent(sim))) {
			if (sim->options.is_fatal) {
				sim_atlas_fatal(sim);
				return;
			}
			healed_ns = before_ns;
			healed_height = sim_check_height(sim);
			sim_chaos_heal(sim);
			sim_lasso_heal(sim);
		}
		if (is_over(sim, healed_height))
			return;
		step(sim);
		sim_power_look(sim);
		at_once = sim->clock.now_ns == before_ns ? at_once + 1 : 0;
		if (at_once > EVENTS_AT_ONCE_MAX)
			sim_fail(sim, "events spin: time stands still");
		if (!sim->is_chaos && sim->clock.now_ns > healed_ns + HEAL_BOUND_NS) {
			sim_report(sim);
			sim_fail(sim, "no progress after healing at %.3f s, height %" PRIu64,
				 (double)healed_ns / 1e9, healed_height);
		}
	}
}

static void finish(struct sim *sim)
{
	struct sim_event event;

	while (sim_clock_pop(&sim->clock, &event))
		release(&event);
	sim_cluster_fini(sim);
	sim_check_fini(sim);
	sim_adversary_fini(sim);
	sim_lasso_fini(sim);
	sim_net_fini(sim);
	sim_clock_fini(&sim->clock);
	sim_workload_fini(sim);
	free(sim);
}

void sim_run(const struct sim_options *options, struct sim_result *ret_result)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	ensure(sim);
	sim->options = *options;
	sim->wall_base_ns = UINT64_C(1800000000) * UNITS_NS_PER_S;
	sim_swarm_draw(sim);
	sim_hash_choose(sim->knobs.is_ed25519 || options->is_real_hash);
	sim_adversary_init(sim);
	sim_atlas_spare(sim);
	sim->slots = sim_adversary_slots(sim);
	sim->is_thorough = options->seed % 16 == 0 || options->is_verbose;
	sim_swarm_links(sim);
	if (options->is_verbose) {
		sim_swarm_print(sim);
		sim_adversary_print(sim);
	}
	sim_signer_init(sim);
	sim_cluster_init(sim);
	sim_atlas_start(sim);
	sim_check_init(sim);
	sim_conform_begin(sim);
	sim_workload_init(sim);
	sim_chaos_start(sim);
	run(sim);
	if (!options->is_fatal)
		sim_check_end(sim);
	sim_conform_end(sim);
	*ret_result = (struct sim_result){
		.trace = sim->trace,
		.events = sim->events,
		.height = sim_check_height(sim),
		.transactions = sim_check_transactions(sim),
		.crashes = sim->crashes,
		.evidence = sim_check_evidence(sim),
		.virtual_ns = sim->clock.now_ns,
		.faults = sim->knobs.faults,
		.acknowledged = sim_check_acknowledged(sim),
		.power = sim->power,
		.atlas = sim->atlas,
	};
	for (uint32_t i = 0; i < sim->slots; i++) {
		const struct sim_result one = { .disks = *sim_disk_counts(sim->nodes[i].disk) };

		sim_atlas_add(ret_result, &one);
	}
	sim_lasso_report(sim, &ret_result->heal);
	finish(sim);
}
