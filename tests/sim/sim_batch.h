/*
 * sim_batch: what many seeds add up to, for the summary line and for --json.
 *
 * Healing is reported as its distribution: from the moment a quorum is healed (or, if the
 * cluster was idle, from the first work after it) to the delivery of the first block that
 * was proposed after it, in base time-outs of that seed (see sim_lasso.c).
 */
#ifndef QUORATE_TESTS_SIM_SIM_BATCH_H
#define QUORATE_TESTS_SIM_SIM_BATCH_H

#include <stdio.h>

#include "tests/sim/sim.h"

struct sim_batch {
	uint64_t first;
	uint64_t seeds;
	uint64_t events;
	uint64_t blocks;
	uint64_t transactions;
	uint64_t crashes;
	uint64_t virtual_ns;
	uint64_t violations;
	uint64_t cpu_start_ms;
	struct sim_heal *heals; /* one a seed that healed */
	uint64_t heal_count;
	uint64_t heal_room;
	uint64_t fault_seeds[SIM_FAULT_COUNT]; /* seeds in which the class existed */
};

void sim_batch_init(struct sim_batch *batch, uint64_t first);
void sim_batch_fini(struct sim_batch *batch);
void sim_batch_add(struct sim_batch *batch, const struct sim_result *result);
uint64_t sim_batch_cpu_ms(const struct sim_batch *batch);

/* A few lines of plain text. */
void sim_batch_print(const struct sim_batch *batch, FILE *file);

/* One JSON object. */
void sim_batch_json(const struct sim_batch *batch, FILE *file);

#endif
