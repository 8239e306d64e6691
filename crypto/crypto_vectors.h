/*
 * crypto_vectors: frozen Ed25519 edge cases with the verdict every build must give (PROTOCOL §11).
 *
 * Small-order and mixed-order keys, torsion in R, S outside its range, encodings
 * that are not canonical, points off the curve, wrong messages. The list is
 * made by tools/make_crypto_vectors.py and read through crypto_vectors.def;
 * vectors with the same key follow each other.
 */
#ifndef QUORATE_CRYPTO_VECTORS_H
#define QUORATE_CRYPTO_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/crypto_types.h"

enum { CRYPTO_VECTOR_MESSAGE_BYTES_MAX = 32 };

struct crypto_vector {
	const char *name;
	struct crypto_public_key key;
	struct crypto_signature signature;
	uint8_t message[CRYPTO_VECTOR_MESSAGE_BYTES_MAX];
	size_t message_bytes;
	bool verifies;     /* what crypto_verify() must answer */
	bool key_is_valid; /* what crypto_key_is_valid() must answer */
};

size_t crypto_vectors_count(void);

/* Decodes vector `index`, below crypto_vectors_count(). */
void crypto_vectors_at(size_t index, struct crypto_vector *ret_vector);

/*
 * Asks this build about `count` vectors taken from `at`. Returns 0, or ERR_SIGNATURE at the first
 * verdict that differs.
 */
int crypto_vectors_replay(size_t count, void (*at)(size_t index, struct crypto_vector *ret_vector));

#endif
