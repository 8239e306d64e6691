/*
 * prng: the only pseudo-random generator (xoshiro256**, seeded by splitmix64).
 *
 * For tests, the simulator and jitter; never for keys or nonces. The same seed
 * gives the same sequence on every compiler and machine.
 */
#ifndef QUORATE_BASE_PRNG_H
#define QUORATE_BASE_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
	uint64_t word[4];
};

void prng_seed(struct prng *prng, uint64_t seed);

uint64_t prng_u64(struct prng *prng);

/* Returns a number in [0, limit); limit must not be 0. */
uint64_t prng_below(struct prng *prng, uint64_t limit);

/* Returns true `parts` times in a `million`. */
bool prng_chance(struct prng *prng, uint32_t parts_per_million);

void prng_fill(struct prng *prng, void *ret_bytes, size_t count);

#endif
