/*
 * bitset: a set of up to 128 replica (or lane) numbers, by value.
 */
#ifndef QUORATE_BASE_BITSET_H
#define QUORATE_BASE_BITSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ensure.h"

enum { BITSET_BITS_MAX = 128 };

struct bitset {
	uint64_t word[2];
};

static inline bool bitset_has(const struct bitset *set, uint32_t bit)
{
	return bit < BITSET_BITS_MAX && (set->word[bit / 64] >> (bit % 64) & 1) != 0;
}

static inline void bitset_add(struct bitset *set, uint32_t bit)
{
	ensure(bit < BITSET_BITS_MAX);
	set->word[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void bitset_remove(struct bitset *set, uint32_t bit)
{
	ensure(bit < BITSET_BITS_MAX);
	set->word[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static inline uint32_t bitset_count(const struct bitset *set)
{
	return (uint32_t)(__builtin_popcountll(set->word[0]) + __builtin_popcountll(set->word[1]));
}

/* True when no bit at or above `limit` is set: what a decoder asks of a bitmap from outside. */
static inline bool bitset_is_below(const struct bitset *set, uint32_t limit)
{
	uint64_t low = limit < 64 ? set->word[0] >> limit : 0;
	uint64_t high = limit <= 64 ? set->word[1] : limit < 128 ? set->word[1] >> (limit - 64) : 0;

	return (low | high) == 0;
}

#endif
