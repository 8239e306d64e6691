#include "crypto/crypto_hash.h"

#include <sodium.h>

#include "base/ensure.h"

_Static_assert(sizeof(struct crypto_hasher) >= sizeof(crypto_generichash_blake2b_state),
	       "a hasher holds libsodium's state");
_Static_assert(_Alignof(struct crypto_hasher) >= _Alignof(crypto_generichash_blake2b_state),
	       "a hasher is aligned for libsodium's state");

static crypto_generichash_blake2b_state *hasher_state(struct crypto_hasher *hasher)
{
	return (crypto_generichash_blake2b_state *)(void *)hasher->state;
}

void crypto_hasher_init(struct crypto_hasher *hasher)
{
	ensure(crypto_generichash_blake2b_init(hasher_state(hasher), NULL, 0, CRYPTO_HASH_BYTES) ==
	       0);
}

void crypto_hasher_add(struct crypto_hasher *hasher, const void *bytes, size_t count)
{
	ensure(crypto_generichash_blake2b_update(hasher_state(hasher), bytes, count) == 0);
}

void crypto_hasher_add_u32(struct crypto_hasher *hasher, uint32_t value)
{
	uint8_t bytes[4];

	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	crypto_hasher_add(hasher, bytes, sizeof(bytes));
}

void crypto_hasher_add_u64(struct crypto_hasher *hasher, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	crypto_hasher_add(hasher, bytes, sizeof(bytes));
}

struct crypto_hash crypto_hasher_done(struct crypto_hasher *hasher)
{
	struct crypto_hash hash;

	ensure(crypto_generichash_blake2b_final(hasher_state(hasher), hash.b, sizeof(hash.b)) == 0);
	return hash;
}

struct crypto_hash crypto_hash_of(const void *bytes, size_t count)
{
	struct crypto_hash hash;

	ensure(crypto_generichash_blake2b(hash.b, sizeof(hash.b), bytes, count, NULL, 0) == 0);
	return hash;
}

struct crypto_hash crypto_hash_pair(const char tag[8], const struct crypto_hash *left,
				    const struct crypto_hash *right)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, tag, 8);
	crypto_hasher_add(&hasher, left->b, sizeof(left->b));
	crypto_hasher_add(&hasher, right->b, sizeof(right->b));
	return crypto_hasher_done(&hasher);
}

bool crypto_hash_is_zero(const struct crypto_hash *hash)
{
	static const struct crypto_hash zero;

	return crypto_hash_equal(hash, &zero);
}
