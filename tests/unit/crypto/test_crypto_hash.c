#include "crypto/crypto_hash.h"

#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit_main.h"

static void hash_of_abc_is_blake2b_256(void)
{
	static const struct crypto_hash expected = {
		{ 0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef,
		  0x3f, 0xee, 0x98, 0x57, 0x9b, 0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb,
		  0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19 },
	};
	struct crypto_hash hash = crypto_hash_of("abc", 3);

	UNIT_CHECK(crypto_hash_equal(&hash, &expected));
}

static void pieces_hash_as_the_whole(void)
{
	uint8_t bytes[1000];
	struct prng prng;

	prng_seed(&prng, unit_seed());
	prng_fill(&prng, bytes, sizeof(bytes));
	for (int round = 0; round < 50; round++) {
		size_t at = 0;
		struct crypto_hasher hasher;

		crypto_hasher_init(&hasher);
		while (at < sizeof(bytes)) {
			size_t count = (size_t)prng_below(&prng, sizeof(bytes) - at + 1);

			crypto_hasher_add(&hasher, bytes + at, count);
			at += count;
		}
		struct crypto_hash pieces = crypto_hasher_done(&hasher);
		struct crypto_hash whole = crypto_hash_of(bytes, sizeof(bytes));

		UNIT_CHECK(crypto_hash_equal(&pieces, &whole));
	}
}

static void numbers_are_hashed_little_endian_with_fixed_width(void)
{
	static const uint8_t bytes[] = { 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1 };
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add_u32(&hasher, 0x01020304);
	crypto_hasher_add_u64(&hasher, UINT64_C(0x0102030405060708));
	struct crypto_hash numbers = crypto_hasher_done(&hasher);
	struct crypto_hash whole = crypto_hash_of(bytes, sizeof(bytes));

	UNIT_CHECK(crypto_hash_equal(&numbers, &whole));
}

static void pair_is_tag_left_right_and_order_matters(void)
{
	struct crypto_hash left = crypto_hash_of("l", 1);
	struct crypto_hash right = crypto_hash_of("r", 1);
	uint8_t bytes[72];

	memcpy(bytes, "QR-test.", 8);
	memcpy(bytes + 8, left.b, 32);
	memcpy(bytes + 40, right.b, 32);
	struct crypto_hash whole = crypto_hash_of(bytes, sizeof(bytes));
	struct crypto_hash pair = crypto_hash_pair("QR-test.", &left, &right);
	struct crypto_hash swapped = crypto_hash_pair("QR-test.", &right, &left);
	struct crypto_hash other = crypto_hash_pair("QR-tesu.", &left, &right);

	UNIT_CHECK(crypto_hash_equal(&pair, &whole));
	UNIT_CHECK(!crypto_hash_equal(&pair, &swapped));
	UNIT_CHECK(!crypto_hash_equal(&pair, &other));
}

static void hash_of_nothing_is_defined_and_not_zero(void)
{
	struct crypto_hash hash = crypto_hash_of(NULL, 0);
	struct crypto_hash zero = { { 0 } };
	struct crypto_hash last_bit = { { [31] = 1 } };

	UNIT_EQUAL(hash.b[0], 0x0e);
	UNIT_CHECK(!crypto_hash_is_zero(&hash));
	UNIT_CHECK(crypto_hash_is_zero(&zero));
	UNIT_CHECK(!crypto_hash_is_zero(&last_bit));
}

UNIT_SUITE("crypto_hash", UNIT_TEST(hash_of_abc_is_blake2b_256),
	   UNIT_TEST(pieces_hash_as_the_whole),
	   UNIT_TEST(numbers_are_hashed_little_endian_with_fixed_width),
	   UNIT_TEST(pair_is_tag_left_right_and_order_matters),
	   UNIT_TEST(hash_of_nothing_is_defined_and_not_zero))
