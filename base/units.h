/*
 * units: names for the powers, and arithmetic that cannot wrap silently.
 */
#ifndef QUORATE_BASE_UNITS_H
#define QUORATE_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_KIB ((uint64_t)1024)
#define UNITS_MIB (UNITS_KIB * 1024)
#define UNITS_GIB (UNITS_MIB * 1024)

#define UNITS_NS_PER_US ((uint64_t)1000)
#define UNITS_NS_PER_MS ((uint64_t)1000000)
#define UNITS_NS_PER_S ((uint64_t)1000000000)

#define UNITS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Returns a * b, or UINT64_MAX if the product does not fit. */
static inline uint64_t units_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* Returns a + b, or UINT64_MAX if the sum does not fit. */
static inline uint64_t units_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t units_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t units_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Returns `value` rounded up to a multiple of `step`, a power of two. */
static inline uint64_t units_round_up(uint64_t value, uint64_t step)
{
	return (value + step - 1) & ~(step - 1);
}

#endif
