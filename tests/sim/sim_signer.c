/*
 * Keys and signatures. A keyed hash nobody inside the simulation can forge, because
 * only this file knows the secret; or the real Ed25519.
 */

#include <string.h>

#include "crypto/crypto_hash.h"
#include "tests/sim/sim.h"

/* Four words, each stirred by all that came before it. */
static void mix(uint64_t state[4], const uint8_t *bytes, size_t count)
{
	for (size_t at = 0; at < count; at += 8) {
		uint64_t word = count - at < 8 ? count : 0;

		for (size_t i = at; i < count && i < at + 8; i++)
			word = word << 8 | bytes[i];
		state[0] = (state[0] ^ word) * UINT64_C(0xff51afd7ed558ccd);
		state[1] = (state[1] + (state[0] >> 29 ^ state[0])) * UINT64_C(0xc4ceb9fe1a85ec53);
		state[2] ^= state[1] >> 31 ^ state[0] << 17;
		state[3] = (state[3] ^ state[2]) * UINT64_C(0x9e3779b97f4a7c15);
		state[0] ^= state[3] >> 32;
	}
}

static struct crypto_hash mock_tag(const struct sim *sim, const struct crypto_public_key *key,
				   const void *bytes, size_t count)
{
	static const uint8_t end[32] = "SIMsign1";
	struct crypto_hash tag;
	uint64_t state[4];

	memcpy(state, sim->secret.b, sizeof(state));
	mix(state, key->b, sizeof(key->b));
	mix(state, bytes, count);
	mix(state, end, sizeof(end));
	memcpy(tag.b, state, sizeof(tag.b));
	return tag;
}

static bool mock_verify(void *context, const struct crypto_public_key *key, const void *bytes,
			size_t count, const struct crypto_signature *signature)
{
	struct crypto_hash tag = mock_tag(context, key, bytes, count);

	return memcmp(signature->b, tag.b, sizeof(tag.b)) == 0 &&
	       memcmp(signature->b + sizeof(tag.b), key->b, sizeof(key->b)) == 0;
}

void sim_signer_key(struct sim *sim, const char *name, uint32_t number, struct sim_key *ret_key)
{
	struct crypto_hasher hasher;
	struct crypto_hash seed;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, name, 8);
	crypto_hasher_add(&hasher, sim->secret.b, sizeof(sim->secret.b));
	crypto_hasher_add_u32(&hasher, number);
	seed = crypto_hasher_done(&hasher);
	if (sim->knobs.is_ed25519) {
		crypto_sign_key_init(seed.b, &ret_key->real);
		ret_key->public_key = ret_key->real.public_key;
	} else {
		memcpy(ret_key->public_key.b, seed.b, sizeof(seed.b));
	}
}

void sim_signer_sign(const struct sim *sim, const struct sim_key *key, const void *bytes,
		     size_t count, struct crypto_signature *ret_signature)
{
	struct crypto_hash tag;

	if (sim->knobs.is_ed25519) {
		crypto_sign_message(&key->real, bytes, count, ret_signature);
		return;
	}
	tag = mock_tag(sim, &key->public_key, bytes, count);
	memcpy(ret_signature->b, tag.b, sizeof(tag.b));
	memcpy(ret_signature->b + sizeof(tag.b), key->public_key.b, sizeof(key->public_key.b));
}

void sim_signer_init(struct sim *sim)
{
	struct wire_validators *validators = &sim->validators;
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "SIMchain", 8);
	crypto_hasher_add_u64(&hasher, sim->options.seed);
	sim->secret = crypto_hasher_done(&hasher);
	validators->chain_id = crypto_hash_of(sim->secret.b, sizeof(sim->secret.b));
	validators->epoch = 1;
	validators->count = sim->knobs.n;
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		sim_signer_key(sim, "SIMnode1", i, &sim->keys[i]);
		validators->key[i] = sim->keys[i].public_key;
	}
	validators->set_hash = wire_set_hash(1, validators->key, validators->count);
	sim->verifier = (struct crypto_verifier){ mock_verify, sim };
	if (sim->knobs.is_ed25519)
		sim->verifier = crypto_verifier_ed25519;
}
