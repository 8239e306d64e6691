/*
 * sim_options: what a run of the simulator is told, as words of a command line and back.
 *
 * The words that replay a seed are the words that were parsed, so a failure, the
 * shrinker and a colleague all speak the same command.
 */
#ifndef QUORATE_TESTS_SIM_SIM_OPTIONS_H
#define QUORATE_TESTS_SIM_SIM_OPTIONS_H

#include <stdio.h>

#include "tests/sim/sim.h"

/*
 * Takes argv[*i] and what belongs to it if it is an option of a run; *i then stands on
 * the last word taken. Returns 1 if it was taken, 0 if it is no such option, -1 if its
 * value is bad.
 */
int sim_options_parse(int argc, char **argv, int *i, struct sim_options *options);

/* Reads the next word as a number. */
bool sim_options_number(int argc, char **argv, int *i, uint64_t *ret_value);

/* Returns false when the options contradict each other. */
bool sim_options_are_good(const struct sim_options *options);

/* "quorate-sim --seed 7 --n 4 ...", without a newline. */
void sim_options_print(FILE *file, const struct sim_options *options);

#endif
