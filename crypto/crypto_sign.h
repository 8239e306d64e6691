/*
 * crypto_sign: Ed25519, and one acceptance rule everywhere (PROTOCOL §11).
 *
 * A key is usable only after crypto_key_is_valid() accepted it (prime-order
 * subgroup). crypto_verify() is libsodium's cofactorless check. A verifier is a
 * value, so that the simulator can put its own in place of Ed25519.
 */
#ifndef QUORATE_CRYPTO_SIGN_H
#define QUORATE_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/crypto_types.h"

/* Prepares libsodium; call once, first, in every program. Returns 0 or ERR_UNSUPPORTED. */
int crypto_start(void);

/* Replays the frozen edge vectors of §11; returns 0, or ERR_SIGNATURE if this build differs. */
int crypto_self_check(void);

/* Identifies the crypto build (library version, acceptance rule); part of the peer handshake. */
uint32_t crypto_build_id(void);

struct crypto_signing_key {
	uint8_t secret[64];
	struct crypto_public_key public_key;
};

/* Not crypto_sign() and crypto_sign_keypair(): libsodium owns these two symbols. */
void crypto_sign_key_init(const uint8_t seed[CRYPTO_SEED_BYTES],
			  struct crypto_signing_key *ret_key);
void crypto_sign_message(const struct crypto_signing_key *key, const void *bytes, size_t count,
			 struct crypto_signature *ret_signature);
bool crypto_verify(const struct crypto_public_key *key, const void *bytes, size_t count,
		   const struct crypto_signature *signature);
bool crypto_key_is_valid(const struct crypto_public_key *key);

/* What checks signatures: Ed25519 in a node, a keyed hash in most simulator seeds. */
struct crypto_verifier {
	bool (*verify)(void *context, const struct crypto_public_key *key, const void *bytes,
		       size_t count, const struct crypto_signature *signature);
	void *context;
};

/* The real one; `context` is unused. */
extern const struct crypto_verifier crypto_verifier_ed25519;

#endif
