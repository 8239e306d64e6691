/*
 * crypto_session: key exchange and authenticated encryption for packets (§10).
 *
 * X25519 for the exchange, keyed BLAKE2b for derivation, AES-256-GCM where the
 * processor has AES-NI, else ChaCha20-Poly1305 (IETF). Both ends must agree on
 * the cipher: it is offered in the handshake. A nonce is a 64-bit counter that
 * is used once per key and direction; the caller keeps the counter.
 */
#ifndef QUORATE_CRYPTO_SESSION_H
#define QUORATE_CRYPTO_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/crypto_types.h"

enum crypto_cipher {
	CRYPTO_CIPHER_AES256GCM = 1,
	CRYPTO_CIPHER_CHACHA20POLY1305 = 2,
};

/* Returns the fastest cipher of this processor. */
enum crypto_cipher crypto_cipher_best(void);
bool crypto_cipher_is_usable(enum crypto_cipher cipher);

/* One direction's key with its expanded schedule; wipe with crypto_wipe(). */
struct crypto_aead {
	_Alignas(16) uint8_t schedule[512];
	uint8_t key[CRYPTO_AEAD_KEY_BYTES];
	enum crypto_cipher cipher;
};

void crypto_aead_init(struct crypto_aead *aead, enum crypto_cipher cipher,
		      const uint8_t key[CRYPTO_AEAD_KEY_BYTES]);

/* Writes count + CRYPTO_AEAD_TAG_BYTES bytes to `ret_sealed`, which may not overlap `bytes`. */
void crypto_aead_seal(const struct crypto_aead *aead, uint64_t counter, const void *header,
		      size_t header_bytes, const void *bytes, size_t count, void *ret_sealed);

/*
 * `count` includes the tag; writes count - tag bytes. False, and nothing usable written, on a bad
 * tag.
 */
bool crypto_aead_open(const struct crypto_aead *aead, uint64_t counter, const void *header,
		      size_t header_bytes, const void *sealed, size_t count, void *ret_bytes);

struct crypto_exchange_secret {
	uint8_t b[CRYPTO_EXCHANGE_BYTES];
};

void crypto_exchange_public(const struct crypto_exchange_secret *secret,
			    struct crypto_exchange_key *ret_public);

/* False when the peer's key is of small order. */
bool crypto_exchange(const struct crypto_exchange_secret *secret,
		     const struct crypto_exchange_key *peer, uint8_t ret_shared[32]);

/* Keyed BLAKE2b: out = H(key, tag || input); out_bytes 16..64. `key` is 32 bytes. */
void crypto_derive(const uint8_t key[32], const char tag[8], const void *input, size_t input_bytes,
		   void *ret_out, size_t out_bytes);

bool crypto_equal(const void *a, const void *b, size_t count); /* constant time */
void crypto_wipe(void *bytes, size_t count);
void crypto_random(void *ret_bytes, size_t count); /* programs only, never pure rooms */

#endif
