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

/*
 * For what comes and goes by the million: packets, records, pages. Never returned to the
 * system; one list for each of some eighty sizes. Under sanitizers it is malloc(), which
 * they watch. Contents are not initialised.
 */
void *sim_memory_new(size_t bytes);
/* NULL is allowed. */
void sim_memory_free(void *memory);

#endif
