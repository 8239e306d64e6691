#include "crypto/crypto_session.h"

#include <sodium.h>

#include "base/ensure.h"

enum { AEAD_NONCE_BYTES = 12, AEAD_COUNTER_AT = 4, DERIVE_BYTES_MIN = 16, DERIVE_BYTES_MAX = 64 };

_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= sizeof(((struct crypto_aead *)0)->schedule),
	       "a schedule holds libsodium's state");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == AEAD_NONCE_BYTES, "GCM nonce");
_Static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == AEAD_NONCE_BYTES, "ChaCha nonce");
_Static_assert(crypto_aead_aes256gcm_ABYTES == CRYPTO_AEAD_TAG_BYTES, "GCM tag");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == CRYPTO_AEAD_TAG_BYTES, "ChaCha tag");

static void aead_nonce(uint64_t counter, uint8_t ret_nonce[AEAD_NONCE_BYTES])
{
	for (int i = 0; i < AEAD_NONCE_BYTES; i++)
		ret_nonce[i] = 0;
	for (int i = 0; i < 8; i++)
		ret_nonce[AEAD_COUNTER_AT + i] = (uint8_t)(counter >> 8 * i);
}

static const crypto_aead_aes256gcm_state *aead_schedule(const struct crypto_aead *aead)
{
	return (const crypto_aead_aes256gcm_state *)(const void *)aead->schedule;
}

enum crypto_cipher crypto_cipher_best(void)
{
	return crypto_cipher_is_usable(CRYPTO_CIPHER_AES256GCM) ? CRYPTO_CIPHER_AES256GCM :
								  CRYPTO_CIPHER_CHACHA20POLY1305;
}

bool crypto_cipher_is_usable(enum crypto_cipher cipher)
{
	switch (cipher) {
	case CRYPTO_CIPHER_AES256GCM:
		return crypto_aead_aes256gcm_is_available() != 0;
	case CRYPTO_CIPHER_CHACHA20POLY1305:
		return true;
	}
	return false;
}

void crypto_aead_init(struct crypto_aead *aead, enum crypto_cipher cipher,
		      const uint8_t key[CRYPTO_AEAD_KEY_BYTES])
{
	ensure(crypto_cipher_is_usable(cipher));
	*aead = (struct crypto_aead){ .cipher = cipher };
	for (int i = 0; i < CRYPTO_AEAD_KEY_BYTES; i++)
		aead->key[i] = key[i];
	if (cipher == CRYPTO_CIPHER_AES256GCM)
		ensure(crypto_aead_aes256gcm_beforenm((void *)aead->schedule, key) == 0);
}

void crypto_aead_seal(const struct crypto_aead *aead, uint64_t counter, const void *header,
		      size_t header_bytes, const void *bytes, size_t count, void *ret_sealed)
{
	uint8_t nonce[AEAD_NONCE_BYTES];
	int failed;

	aead_nonce(counter, nonce);
	if (aead->cipher == CRYPTO_CIPHER_AES256GCM)
		failed = crypto_aead_aes256gcm_encrypt_afternm(ret_sealed, NULL, bytes, count,
							       header, header_bytes, NULL, nonce,
							       aead_schedule(aead));
	else
		failed = crypto_aead_chacha20poly1305_ietf_encrypt(ret_sealed, NULL, bytes, count,
								   header, header_bytes, NULL,
								   nonce, aead->key);
	ensure(failed == 0);
}

bool crypto_aead_open(const struct crypto_aead *aead, uint64_t counter, const void *header,
		      size_t header_bytes, const void *sealed, size_t count, void *ret_bytes)
{
	uint8_t nonce[AEAD_NONCE_BYTES];

	if (count < CRYPTO_AEAD_TAG_BYTES)
		return false;
	aead_nonce(counter, nonce);
	if (aead->cipher == CRYPTO_CIPHER_AES256GCM)
		return crypto_aead_aes256gcm_decrypt_afternm(ret_bytes, NULL, NULL, sealed, count,
							     header, header_bytes, nonce,
							     aead_schedule(aead)) == 0;
	return crypto_aead_chacha20poly1305_ietf_decrypt(ret_bytes, NULL, NULL, sealed, count,
							 header, header_bytes, nonce,
							 aead->key) == 0;
}

void crypto_exchange_public(const struct crypto_exchange_secret *secret,
			    struct crypto_exchange_key *ret_public)
{
	ensure(crypto_scalarmult_curve25519_base(ret_public->b, secret->b) == 0);
}

bool crypto_exchange(const struct crypto_exchange_secret *secret,
		     const struct crypto_exchange_key *peer, uint8_t ret_shared[32])
{
	return crypto_scalarmult_curve25519(ret_shared, secret->b, peer->b) == 0;
}

void crypto_derive(const uint8_t key[32], const char tag[8], const void *input, size_t input_bytes,
		   void *ret_out, size_t out_bytes)
{
	crypto_generichash_blake2b_state state;

	ensure(out_bytes >= DERIVE_BYTES_MIN && out_bytes <= DERIVE_BYTES_MAX);
	ensure(crypto_generichash_blake2b_init(&state, key, 32, out_bytes) == 0);
	ensure(crypto_generichash_blake2b_update(&state, (const uint8_t *)tag, 8) == 0);
	ensure(crypto_generichash_blake2b_update(&state, input, input_bytes) == 0);
	ensure(crypto_generichash_blake2b_final(&state, ret_out, out_bytes) == 0);
	sodium_memzero(&state, sizeof(state));
}

bool crypto_equal(const void *a, const void *b, size_t count)
{
	return sodium_memcmp(a, b, count) == 0;
}

void crypto_wipe(void *bytes, size_t count)
{
	sodium_memzero(bytes, count);
}

void crypto_random(void *ret_bytes, size_t count)
{
	randombytes_buf(ret_bytes, count);
}
