#include "tests/sim/sim_batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/lib/marks.h"

static uint64_t cpu_ms(void)
{
	return (uint64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

void sim_batch_init(struct sim_batch *batch, uint64_t first)
{
	*batch = (struct sim_batch){ .first = first, .cpu_start_ms = cpu_ms() };
}

void sim_batch_fini(struct sim_batch *batch)
{
	free(batch->heals);
}

void sim_batch_add(struct sim_batch *batch, const struct sim_result *result)
{
	batch->seeds++;
	batch->events += result->events;
	batch->blocks += result->height;
	batch->transactions += result->transactions;
	batch->crashes += result->crashes;
	batch->virtual_ns += result->virtual_ns;
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
		batch->fault_seeds[i] += result->faults >> i & 1;
	if (!result->heal.is_known)
		return;
	if (batch->heal_count == batch->heal_room) {
		batch->heal_room = batch->heal_room ? 2 * batch->heal_room : 1024;
		batch->heals = realloc(batch->heals, batch->heal_room * sizeof(*batch->heals));
		ensure(batch->heals);
	}
	batch->heals[batch->heal_count++] = result->heal;
}

uint64_t sim_batch_cpu_ms(const struct sim_batch *batch)
{
	return cpu_ms() - batch->cpu_start_ms;
}

/* ---- the distribution ---- */

static double timeouts(const struct sim_heal *heal)
{
	return (double)heal->fresh_ns / (double)heal->base_ns;
}

static int compare(const void *a, const void *b)
{
	double left = timeouts(a);
	double right = timeouts(b);

	return (left > right) - (left < right);
}

struct healing {
	uint64_t within; /* SIM_HEAL_TIMEOUTS, counted from healing */
	uint64_t ready;  /* ...from the moment a quorum was ready */
	uint64_t grown;  /* seeds in which a timer had grown beyond the base */
	double p50, p90, p99, max;
};

static double at(const struct sim_batch *batch, uint64_t parts)
{
	uint64_t i = batch->heal_count * parts / 100;

	if (batch->heal_count == 0)
		return 0;
	return timeouts(&batch->heals[units_min(i, batch->heal_count - 1)]);
}

static struct healing healing_of(const struct sim_batch *batch)
{
	struct healing healing = { 0 };

	if (batch->heal_count > 0)
		qsort(batch->heals, batch->heal_count, sizeof(*batch->heals), compare);
	for (uint64_t i = 0; i < batch->heal_count; i++) {
		const struct sim_heal *heal = &batch->heals[i];

		healing.within += timeouts(heal) <= SIM_HEAL_TIMEOUTS;
		healing.ready += heal->fresh_ns - heal->wait_ns <=
				 SIM_HEAL_TIMEOUTS * heal->base_ns;
		healing.grown += heal->timer_ns > heal->base_ns;
	}
	healing.p50 = at(batch, 50);
	healing.p90 = at(batch, 90);
	healing.p99 = at(batch, 99);
	healing.max = at(batch, 100);
	return healing;
}

void sim_batch_print(const struct sim_batch *batch, FILE *file)
{
	struct healing healing = healing_of(batch);
	double cpu_s = (double)units_max(sim_batch_cpu_ms(batch), 1) / 1000;

	fprintf(file,
		"%" PRIu64 " seeds, %" PRIu64 " blocks, %" PRIu64 " transactions, %" PRIu64
		" crashes, %" PRIu64 " events, %.1f virtual s, %.1f CPU s, %.0f events a CPU s\n",
		batch->seeds, batch->blocks, batch->transactions, batch->crashes, batch->events,
		(double)batch->virtual_ns / 1e9, cpu_s, (double)batch->events / cpu_s);
	fprintf(file,
		"healing to the first new block, in base time-outs: median %.2f, p90 %.2f, "
		"p99 %.2f, max %.2f; %" PRIu64 " of %" PRIu64 " within %d of healing, %" PRIu64
		" within %d of a quorum being ready; %" PRIu64 " had grown timers\n",
		healing.p50, healing.p90, healing.p99, healing.max, healing.within,
		batch->heal_count, (int)SIM_HEAL_TIMEOUTS, healing.ready, (int)SIM_HEAL_TIMEOUTS,
		healing.grown);
}

void sim_batch_json(const struct sim_batch *batch, FILE *file)
{
	struct healing healing = healing_of(batch);
	double cpu_s = (double)units_max(sim_batch_cpu_ms(batch), 1) / 1000;

	fprintf(file,
		"{\"first_seed\":%" PRIu64 ",\"seeds\":%" PRIu64 ",\"events\":%" PRIu64
		",\"blocks\":%" PRIu64 ",\"transactions\":%" PRIu64 ",\"crashes\":%" PRIu64
		",\"violations\":%" PRIu64 ",\"virtual_seconds\":%.1f,\"cpu_seconds\":%.1f,"
		"\"events_per_cpu_second\":%.0f,\"marks\":%u,\"marks_missing\":%u,",
		batch->first, batch->seeds, batch->events, batch->blocks, batch->transactions,
		batch->crashes, batch->violations, (double)batch->virtual_ns / 1e9, cpu_s,
		(double)batch->events / cpu_s, marks_count(), marks_missing(NULL));
	fprintf(file,
		"\"heal_base_timeouts\":{\"seeds\":%" PRIu64 ",\"median\":%.3f,\"p90\":%.3f,"
		"\"p99\":%.3f,\"max\":%.3f,\"within_4\":%" PRIu64 ",\"within_4_of_ready\":%" PRIu64
		",\"grown_timers\":%" PRIu64 "},\"fault_seeds\":{",
		batch->heal_count, healing.p50, healing.p90, healing.p99, healing.max,
		healing.within, healing.ready, healing.grown);
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
		fprintf(file, "%s\"%s\":%" PRIu64, i ? "," : "", sim_fault_word((enum sim_fault)i),
			batch->fault_seeds[i]);
	fprintf(file, "},\"mark_hits\":");
	marks_json(file);
	fprintf(file, "}\n");
}
