/*
 * sim_hash: the protocol's hash inside the simulation.
 *
 * Model     H is a function that nobody inverts or collides. BLAKE2b-256 is one, and took half
 *           of the simulator's time; four 64-bit lanes mixed together at the end are another,
 *           as long as nobody attacks them, and nobody in here does. Which of the two a run
 *           uses is a knob of its seed: the real one goes with real Ed25519, in one seed of 50.
 * How       The linker sends every call of crypto_hash.h from another file through this one
 *           (--wrap, tests/sim/meson.build); the replica's objects are those of the node.
 * Threads   One run at a time: the choice is the process's.
 */
#ifndef QUORATE_TESTS_SIM_SIM_HASH_H
#define QUORATE_TESTS_SIM_SIM_HASH_H

#include <stdbool.h>

/* Before the first hash of a run. */
void sim_hash_choose(bool is_real);

#endif
