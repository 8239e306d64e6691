/*
 * crypto_hash: BLAKE2b-256, the protocol's H, in one shot or in pieces.
 *
 * Structure is hashed with fixed-width fields only, never with separators, and
 * every use starts with its own 8-byte domain tag, so no two meanings collide.
 */
#ifndef QUORATE_CRYPTO_HASH_H
#define QUORATE_CRYPTO_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "crypto/crypto_types.h"

struct crypto_hasher {
	_Alignas(64) uint8_t state[384];
};

void crypto_hasher_init(struct crypto_hasher *hasher);
void crypto_hasher_add(struct crypto_hasher *hasher, const void *bytes, size_t count);
void crypto_hasher_add_u32(struct crypto_hasher *hasher, uint32_t value);
void crypto_hasher_add_u64(struct crypto_hasher *hasher, uint64_t value);
struct crypto_hash crypto_hasher_done(struct crypto_hasher *hasher);

struct crypto_hash crypto_hash_of(const void *bytes, size_t count);

/* H(tag || left || right): an inner Merkle node; `tag` is 8 bytes. */
struct crypto_hash crypto_hash_pair(const char tag[8], const struct crypto_hash *left,
				    const struct crypto_hash *right);

static inline bool crypto_hash_equal(const struct crypto_hash *a, const struct crypto_hash *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool crypto_hash_is_zero(const struct crypto_hash *hash);

#endif
