#include <string.h>

#include <sodium.h>

#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "crypto/crypto_sign.h"
#include "crypto/crypto_vectors.h"

_Static_assert(sizeof(((struct crypto_signing_key *)0)->secret) == crypto_sign_SECRETKEYBYTES,
	       "libsodium's secret key");
_Static_assert(CRYPTO_SEED_BYTES == crypto_sign_SEEDBYTES, "libsodium's seed");
_Static_assert(CRYPTO_SIGNATURE_BYTES == crypto_sign_BYTES, "libsodium's signature");
_Static_assert(CRYPTO_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "libsodium's public key");

/* Raised whenever PROTOCOL §11 changes what is accepted. */
static const char crypto_acceptance_rule[] = "ed25519 cofactorless, prime-order keys, 1";

int crypto_start(void)
{
	return sodium_init() < 0 ? ERR_UNSUPPORTED : 0;
}

int crypto_self_check(void)
{
	return crypto_vectors_replay(crypto_vectors_count(), crypto_vectors_at);
}

uint32_t crypto_build_id(void)
{
	const char *version = sodium_version_string();
	struct crypto_hasher hasher;
	struct crypto_hash hash;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QR-build", 8);
	crypto_hasher_add_u32(&hasher, (uint32_t)strlen(version));
	crypto_hasher_add(&hasher, version, strlen(version));
	crypto_hasher_add(&hasher, crypto_acceptance_rule, sizeof(crypto_acceptance_rule) - 1);
	hash = crypto_hasher_done(&hasher);
	return (uint32_t)hash.b[0] | (uint32_t)hash.b[1] << 8 | (uint32_t)hash.b[2] << 16 |
	       (uint32_t)hash.b[3] << 24;
}

void crypto_sign_key_init(const uint8_t seed[CRYPTO_SEED_BYTES], struct crypto_signing_key *ret_key)
{
	ensure(crypto_sign_seed_keypair(ret_key->public_key.b, ret_key->secret, seed) == 0);
}

void crypto_sign_message(const struct crypto_signing_key *key, const void *bytes, size_t count,
			 struct crypto_signature *ret_signature)
{
	ensure(crypto_sign_detached(ret_signature->b, NULL, bytes, count, key->secret) == 0);
}

bool crypto_verify(const struct crypto_public_key *key, const void *bytes, size_t count,
		   const struct crypto_signature *signature)
{
	return crypto_sign_verify_detached(signature->b, bytes, count, key->b) == 0;
}

bool crypto_key_is_valid(const struct crypto_public_key *key)
{
	/* Canonical, on the curve, not of small order, in the prime-order subgroup. */
	return crypto_core_ed25519_is_valid_point(key->b) == 1;
}

static bool verify_ed25519(void *context, const struct crypto_public_key *key, const void *bytes,
			   size_t count, const struct crypto_signature *signature)
{
	(void)context;
	return crypto_verify(key, bytes, count, signature);
}

const struct crypto_verifier crypto_verifier_ed25519 = { .verify = verify_ed25519 };
