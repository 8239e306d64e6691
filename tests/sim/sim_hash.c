#include "tests/sim/sim_hash.h"

#include <string.h>

#include "base/units.h"
#include "crypto/crypto_hash.h"

enum { LANES = 4, BLOCK = LANES * 8 };

struct quick {
	uint64_t lane[LANES];
	uint64_t bytes;
	uint8_t block[BLOCK];
	uint32_t filled;
};

_Static_assert(sizeof(struct quick) <= sizeof(struct crypto_hasher), "a hasher holds either");

/* What the linker calls the functions of crypto_hash.c, and these in their place. */
void __real_crypto_hasher_init(struct crypto_hasher *hasher);
void __real_crypto_hasher_add(struct crypto_hasher *hasher, const void *bytes, size_t count);
struct crypto_hash __real_crypto_hasher_done(struct crypto_hasher *hasher);
void __wrap_crypto_hasher_init(struct crypto_hasher *hasher);
void __wrap_crypto_hasher_add(struct crypto_hasher *hasher, const void *bytes, size_t count);
void __wrap_crypto_hasher_add_u32(struct crypto_hasher *hasher, uint32_t value);
void __wrap_crypto_hasher_add_u64(struct crypto_hasher *hasher, uint64_t value);
struct crypto_hash __wrap_crypto_hasher_done(struct crypto_hasher *hasher);
struct crypto_hash __wrap_crypto_hash_of(const void *bytes, size_t count);
struct crypto_hash __wrap_crypto_hash_pair(const char tag[8], const struct crypto_hash *left,
					   const struct crypto_hash *right);

static bool is_real_hash;

void sim_hash_choose(bool is_real)
{
	is_real_hash = is_real;
}

static struct quick *quick_of(struct crypto_hasher *hasher)
{
	return (struct quick *)(void *)hasher->state;
}

/* For a fixed word a bijection of the lane, for a fixed lane a bijection of the word. */
static uint64_t absorb_word(uint64_t lane, const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	word = lane ^ word * UINT64_C(0xc2b2ae3d27d4eb4f);
	return (word << 31 | word >> 33) * UINT64_C(0x9e3779b185ebca87);
}

/* Whole blocks; the lanes stay in registers. */
static void absorb(struct quick *quick, const uint8_t *bytes, size_t blocks)
{
	uint64_t a = quick->lane[0];
	uint64_t b = quick->lane[1];
	uint64_t c = quick->lane[2];
	uint64_t d = quick->lane[3];

	for (; blocks > 0; blocks--, bytes += BLOCK) {
		a = absorb_word(a, bytes);
		b = absorb_word(b, bytes + 8);
		c = absorb_word(c, bytes + 16);
		d = absorb_word(d, bytes + 24);
	}
	quick->lane[0] = a;
	quick->lane[1] = b;
	quick->lane[2] = c;
	quick->lane[3] = d;
}

/* Every bit of the result depends on every lane; a bijection of the four together. */
static void stir(uint64_t lane[LANES])
{
	for (uint32_t round = 0; round < 3 * LANES; round++) {
		uint64_t word = lane[round % LANES] + round + 1;

		word = (word ^ word >> 32) * UINT64_C(0xd6e8feb86659fd93);
		word = (word ^ word >> 29) * UINT64_C(0xff51afd7ed558ccd);
		word ^= word >> 32;
		lane[round % LANES] = word;
		lane[(round + 1) % LANES] ^= word;
	}
}

void __wrap_crypto_hasher_init(struct crypto_hasher *hasher)
{
	if (is_real_hash) {
		__real_crypto_hasher_init(hasher);
		return;
	}
	*quick_of(hasher) = (struct quick){
		.lane = { UINT64_C(0x27d4eb2f165667c5), UINT64_C(0x60ea27eeadc0b5d6),
			  UINT64_C(0x165667b19e3779f9), UINT64_C(0x61c8864e7a143579) },
	};
}

void __wrap_crypto_hasher_add(struct crypto_hasher *hasher, const void *bytes, size_t count)
{
	struct quick *quick = quick_of(hasher);
	const uint8_t *next = bytes;

	if (is_real_hash) {
		__real_crypto_hasher_add(hasher, bytes, count);
		return;
	}
	quick->bytes += count;
	if (quick->filled > 0) {
		size_t part = units_min(BLOCK - quick->filled, count);

		memcpy(quick->block + quick->filled, next, part);
		quick->filled += (uint32_t)part;
		if (quick->filled < BLOCK)
			return;
		absorb(quick, quick->block, 1);
		next += part;
		count -= part;
	}
	absorb(quick, next, count / BLOCK);
	quick->filled = count % BLOCK;
	memcpy(quick->block, next + count - quick->filled, quick->filled);
}

void __wrap_crypto_hasher_add_u32(struct crypto_hasher *hasher, uint32_t value)
{
	__wrap_crypto_hasher_add(hasher, &value, sizeof(value));
}

void __wrap_crypto_hasher_add_u64(struct crypto_hasher *hasher, uint64_t value)
{
	__wrap_crypto_hasher_add(hasher, &value, sizeof(value));
}

struct crypto_hash __wrap_crypto_hasher_done(struct crypto_hasher *hasher)
{
	struct quick *quick = quick_of(hasher);
	struct crypto_hash hash;

	if (is_real_hash)
		return __real_crypto_hasher_done(hasher);
	memset(quick->block + quick->filled, 0, BLOCK - quick->filled);
	absorb(quick, quick->block, 1);
	quick->lane[0] ^= quick->bytes;
	stir(quick->lane);
	_Static_assert(sizeof(hash.b) == sizeof(quick->lane), "a hash is the four lanes");
	memcpy(hash.b, quick->lane, sizeof(hash.b));
	return hash;
}

struct crypto_hash __wrap_crypto_hash_of(const void *bytes, size_t count)
{
	struct crypto_hasher hasher;

	__wrap_crypto_hasher_init(&hasher);
	__wrap_crypto_hasher_add(&hasher, bytes, count);
	return __wrap_crypto_hasher_done(&hasher);
}

struct crypto_hash __wrap_crypto_hash_pair(const char tag[8], const struct crypto_hash *left,
					   const struct crypto_hash *right)
{
	struct crypto_hasher hasher;

	__wrap_crypto_hasher_init(&hasher);
	__wrap_crypto_hasher_add(&hasher, tag, 8);
	__wrap_crypto_hasher_add(&hasher, left->b, sizeof(left->b));
	__wrap_crypto_hasher_add(&hasher, right->b, sizeof(right->b));
	return __wrap_crypto_hasher_done(&hasher);
}
