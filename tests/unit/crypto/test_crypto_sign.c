#include "crypto/crypto_sign.h"

#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit_main.h"

static struct crypto_signing_key key_of(uint64_t seed)
{
	struct crypto_signing_key key;
	uint8_t bytes[CRYPTO_SEED_BYTES];
	struct prng prng;

	prng_seed(&prng, seed);
	prng_fill(&prng, bytes, sizeof(bytes));
	crypto_sign_key_init(bytes, &key);
	return key;
}

static void first_vector_of_rfc_8032_is_reproduced(void)
{
	static const uint8_t seed[CRYPTO_SEED_BYTES] = {
		0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
		0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
		0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
	};
	static const uint8_t expected_key[] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7 };
	static const uint8_t expected_signature[] = {
		0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72
	};
	struct crypto_signing_key key;
	struct crypto_signature signature;

	UNIT_REQUIRE(crypto_start() == 0);
	crypto_sign_key_init(seed, &key);
	crypto_sign_message(&key, "", 0, &signature);
	UNIT_CHECK(memcmp(key.public_key.b, expected_key, sizeof(expected_key)) == 0);
	UNIT_CHECK(memcmp(signature.b, expected_signature, sizeof(expected_signature)) == 0);
	UNIT_CHECK(crypto_verify(&key.public_key, "", 0, &signature));
}

static void own_signatures_verify_and_foreign_ones_do_not(void)
{
	struct crypto_signing_key key = key_of(unit_seed());
	struct crypto_signing_key other = key_of(unit_seed() + 1);
	struct crypto_signature signature;

	crypto_sign_message(&key, "words", 5, &signature);
	UNIT_CHECK(crypto_verify(&key.public_key, "words", 5, &signature));
	UNIT_CHECK(!crypto_verify(&other.public_key, "words", 5, &signature));
	UNIT_CHECK(!crypto_verify(&key.public_key, "wordt", 5, &signature));
	UNIT_CHECK(!crypto_verify(&key.public_key, "words", 4, &signature));
	signature.b[0] ^= 1;
	UNIT_CHECK(!crypto_verify(&key.public_key, "words", 5, &signature));
}

static void generated_keys_are_valid_and_special_ones_are_not(void)
{
	struct crypto_public_key zero = { { 0 } };
	struct crypto_public_key identity = { { 1 } };
	struct crypto_public_key not_canonical;

	memset(not_canonical.b, 0xff, sizeof(not_canonical.b));
	for (uint64_t i = 0; i < 20; i++) {
		struct crypto_signing_key key = key_of(unit_seed() + i);

		UNIT_CHECK(crypto_key_is_valid(&key.public_key));
	}
	UNIT_CHECK(!crypto_key_is_valid(&zero));
	UNIT_CHECK(!crypto_key_is_valid(&identity));
	UNIT_CHECK(!crypto_key_is_valid(&not_canonical));
}

static void verifier_value_is_the_real_check(void)
{
	const struct crypto_verifier *verifier = &crypto_verifier_ed25519;
	struct crypto_signing_key key = key_of(unit_seed());
	struct crypto_signature signature;

	crypto_sign_message(&key, "words", 5, &signature);
	UNIT_CHECK(verifier->verify(verifier->context, &key.public_key, "words", 5, &signature));
	signature.b[63] ^= 1;
	UNIT_CHECK(!verifier->verify(verifier->context, &key.public_key, "words", 5, &signature));
}

static void self_check_accepts_this_build(void)
{
	UNIT_REQUIRE(crypto_start() == 0);
	UNIT_EQUAL(crypto_self_check(), 0);
}

static void build_id_is_stable(void)
{
	UNIT_CHECK(crypto_build_id() != 0);
	UNIT_EQUAL(crypto_build_id(), crypto_build_id());
}

UNIT_SUITE("crypto_sign", UNIT_TEST(first_vector_of_rfc_8032_is_reproduced),
	   UNIT_TEST(own_signatures_verify_and_foreign_ones_do_not),
	   UNIT_TEST(generated_keys_are_valid_and_special_ones_are_not),
	   UNIT_TEST(verifier_value_is_the_real_check), UNIT_TEST(self_check_accepts_this_build),
	   UNIT_TEST(build_id_is_stable))
