#include "base/prng.h"

#include <string.h>

#include "base/ensure.h"

enum { PRNG_MILLION = 1000000 };

static uint64_t prng_rotate(uint64_t value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t prng_splitmix64(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void prng_seed(struct prng *prng, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		prng->word[i] = prng_splitmix64(&seed);
}

uint64_t prng_u64(struct prng *prng)
{
	uint64_t *word = prng->word;
	uint64_t result = prng_rotate(word[1] * 5, 7) * 9;
	uint64_t shifted = word[1] << 17;

	word[2] ^= word[0];
	word[3] ^= word[1];
	word[1] ^= word[2];
	word[0] ^= word[3];
	word[2] ^= shifted;
	word[3] = prng_rotate(word[3], 45);
	return result;
}

uint64_t prng_below(struct prng *prng, uint64_t limit)
{
	ensure(limit != 0);
	/* Values under 2^64 mod limit would make small results likelier: draw again. */
	uint64_t biased = (0 - limit) % limit;
	uint64_t value;

	do {
		value = prng_u64(prng);
	} while (value < biased);
	return value % limit;
}

bool prng_chance(struct prng *prng, uint32_t parts_per_million)
{
	return prng_below(prng, PRNG_MILLION) < parts_per_million;
}

void prng_fill(struct prng *prng, void *ret_bytes, size_t count)
{
	uint8_t *at = ret_bytes;

	while (count > 0) {
		uint64_t value = prng_u64(prng);

		for (int i = 0; i < 8 && count > 0; i++, count--)
			*at++ = (uint8_t)(value >> 8 * i);
	}
}
