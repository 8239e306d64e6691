/*
 * sim_shrink: from a seed that fails to the smallest run that fails for the same reason.
 *
 * Every attempt is a run in a child process. The reason is the first line of what it
 * says, with its numbers left out: replica 3 at height 17 or replica 0 at height 2 are
 * one reason. In turn it takes away classes of faults (all, halves, one by one), shrinks
 * the cluster, the clients, the blocks and the chaos, until nothing more can go.
 */
#ifndef QUORATE_TESTS_SIM_SIM_SHRINK_H
#define QUORATE_TESTS_SIM_SIM_SHRINK_H

#include "tests/sim/sim.h"

/*
 * Prints each step that still fails, and at last the command. Stops when `cpu_s` seconds of
 * processor time are used. Returns how many times the run got smaller, or -1 when it does
 * not fail, or not for a reason that contains `expected` (NULL: any).
 */
int sim_shrink(const struct sim_options *options, uint64_t cpu_s, const char *expected);

#endif
