/*
 * crypto_types: the byte strings cryptography gives and takes, as distinct types.
 */
#ifndef QUORATE_CRYPTO_TYPES_H
#define QUORATE_CRYPTO_TYPES_H

#include <stdint.h>

enum {
	CRYPTO_HASH_BYTES = 32,
	CRYPTO_SIGNATURE_BYTES = 64,
	CRYPTO_PUBLIC_KEY_BYTES = 32,
	CRYPTO_SEED_BYTES = 32,
	CRYPTO_EXCHANGE_BYTES = 32,
	CRYPTO_AEAD_KEY_BYTES = 32,
	CRYPTO_AEAD_TAG_BYTES = 16,
	CRYPTO_SIGNED_BYTES_MAX = 128, /* PROTOCOL preamble: no signature covers more */
};

struct crypto_hash {
	uint8_t b[CRYPTO_HASH_BYTES]; /* BLAKE2b-256 */
};

struct crypto_signature {
	uint8_t b[CRYPTO_SIGNATURE_BYTES]; /* Ed25519 */
};

struct crypto_public_key {
	uint8_t b[CRYPTO_PUBLIC_KEY_BYTES]; /* Ed25519, prime-order subgroup once accepted */
};

struct crypto_exchange_key {
	uint8_t b[CRYPTO_EXCHANGE_BYTES]; /* X25519 public */
};

#endif
