/*
 * sim_memory: big tables that outlive a seed, so that the next one need not clear them.
 *
 * Model    What is taken is all zero if it was given back as zero; whoever used a few
 *          entries of a big table clears those. Memory taken as dirty may hold anything.
 * Memory   Kept until the process ends. Page-aligned.
 */
#ifndef QUORATE_TESTS_SIM_SIM_MEMORY_H
#define QUORATE_TESTS_SIM_SIM_MEMORY_H

#include <stddef.h>

void *sim_memory_take(size_t bytes);
void *sim_memory_take_dirty(size_t bytes);

/* Accepts NULL. `bytes` and the way it was taken must be those of the take. */
void sim_memory_give(void *memory, size_t bytes);
void sim_memory_give_dirty(void *memory, size_t bytes);

#endif
