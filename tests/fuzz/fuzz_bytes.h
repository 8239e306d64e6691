/*
 * fuzz_bytes: the input of a stateful target, read as a list of small choices.
 *
 * Model    Choices come from the front, one byte each or two. Past the end every choice is 0,
 *          so any input means something; a target stops when nothing is left.
 * Memory   Points into the input. Nothing here can fail.
 */
#ifndef QUORATE_TESTS_FUZZ_FUZZ_BYTES_H
#define QUORATE_TESTS_FUZZ_FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_bytes {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_bytes *bytes)
{
	if (bytes->left == 0)
		return 0;
	bytes->left--;
	return *bytes->at++;
}

static inline uint32_t fuzz_u16(struct fuzz_bytes *bytes)
{
	uint32_t low = fuzz_u8(bytes);

	return low | (uint32_t)fuzz_u8(bytes) << 8;
}

/* Below `count`; 0 if there is nothing to choose from. */
static inline uint32_t fuzz_below(struct fuzz_bytes *bytes, uint32_t count)
{
	uint32_t choice = count > 256 ? fuzz_u16(bytes) : fuzz_u8(bytes);

	return count > 0 ? choice % count : 0;
}

static inline bool fuzz_bit(struct fuzz_bytes *bytes)
{
	return (fuzz_u8(bytes) & 1) != 0;
}

/* The next `max` bytes in place, or what is left. */
static inline const uint8_t *fuzz_take(struct fuzz_bytes *bytes, size_t max, size_t *ret_count)
{
	const uint8_t *at = bytes->at;

	*ret_count = bytes->left < max ? bytes->left : max;
	bytes->at += *ret_count;
	bytes->left -= *ret_count;
	return at;
}

#endif
