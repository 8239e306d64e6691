#include "tests/sim/sim_batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/lib/marks.h"

enum { TIMEOUTS_WANTED = 4 };

/* 3 delta: the base time-out of a view in the simulator's configuration. */
static const uint64_t BASE_NS = 30 * UNITS_NS_PER_MS;

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

static int compare(const void *a, const void *b)
{
	const struct sim_heal *left = a;
	const struct sim_heal *right = b;

	return (left->fresh_ns > right->fresh_ns) - (left->fresh_ns < right->fresh_ns);
}

struct healing {
	uint64_t within;     /* of TIMEOUTS_WANTED base time-outs */
	uint64_t within_own; /* ...of the longest view timer that ran at healing, if longer */
	double p50, p90, p99, max;
};

static double at(const struct sim_batch *batch, uint64_t parts)
{
	uint64_t i = batch->heal_count * parts / 100;

	if (batch->heal_count == 0)
		return 0;
	i = units_min(i, batch->heal_count - 1);
	return (double)batch->heals[i].fresh_ns / (double)BASE_NS;
}

static struct healing healing_of(const struct sim_batch *batch)
{
	struct healing healing = { 0 };

	if (batch->heal_count > 0)
		qsort(batch->heals, batch->heal_count, sizeof(*batch->heals), compare);
	for (uint64_t i = 0; i < batch->heal_count; i++) {
		const struct sim_heal *heal = &batch->heals[i];
		uint64_t timer_ns = units_max(BASE_NS, heal->timer_ns);

		healing.within += heal->fresh_ns <= TIMEOUTS_WANTED * BASE_NS;
		healing.within_own += heal->fresh_ns <= TIMEOUTS_WANTED * timer_ns;
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
		"p99 %.2f, max %.2f; %" PRIu64 " of %" PRIu64 " within %d, %" PRIu64
		" within %d of the timers that ran\n",
		healing.p50, healing.p90, healing.p99, healing.max, healing.within,
		batch->heal_count, TIMEOUTS_WANTED, healing.within_own, TIMEOUTS_WANTED);
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
		"\"p99\":%.3f,\"max\":%.3f,\"within_4\":%" PRIu64 ",\"within_4_of_own\":%" PRIu64
		"},\"fault_seeds\":{",
		batch->heal_count, healing.p50, healing.p90, healing.p99, healing.max,
		healing.within, healing.within_own);
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
		fprintf(file, "%s\"%s\":%" PRIu64, i ? "," : "", sim_fault_word((enum sim_fault)i),
			batch->fault_seeds[i]);
	fprintf(file, "}}\n");
}
