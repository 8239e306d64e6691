#include "crypto/crypto_session.h"

#include <string.h>

#include "base/prng.h"
#include "crypto/crypto_sign.h"
#include "tests/lib/unit_main.h"

enum { SEALED_BYTES = 64 + CRYPTO_AEAD_TAG_BYTES };

static const enum crypto_cipher ciphers[] = { CRYPTO_CIPHER_AES256GCM,
					      CRYPTO_CIPHER_CHACHA20POLY1305 };

struct sealed_packet {
	struct crypto_aead aead;
	uint8_t header[8];
	uint8_t plain[64];
	uint8_t sealed[SEALED_BYTES];
};

static void seal_packet(enum crypto_cipher cipher, struct sealed_packet *ret_packet)
{
	uint8_t key[CRYPTO_AEAD_KEY_BYTES];
	struct prng prng;

	prng_seed(&prng, unit_seed());
	prng_fill(&prng, key, sizeof(key));
	prng_fill(&prng, ret_packet->header, sizeof(ret_packet->header));
	prng_fill(&prng, ret_packet->plain, sizeof(ret_packet->plain));
	crypto_aead_init(&ret_packet->aead, cipher, key);
	crypto_aead_seal(&ret_packet->aead, 7, ret_packet->header, 8, ret_packet->plain, 64,
			 ret_packet->sealed);
}

static bool open_packet(const struct sealed_packet *packet, uint64_t counter)
{
	uint8_t opened[64];

	return crypto_aead_open(&packet->aead, counter, packet->header, 8, packet->sealed,
				SEALED_BYTES, opened) &&
	       memcmp(opened, packet->plain, sizeof(opened)) == 0;
}

static void usable_ciphers(void (*check)(enum crypto_cipher cipher))
{
	UNIT_REQUIRE(crypto_start() == 0);
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (crypto_cipher_is_usable(ciphers[i]))
			check(ciphers[i]);
}

static void check_round_trip(enum crypto_cipher cipher)
{
	struct sealed_packet packet;

	seal_packet(cipher, &packet);
	UNIT_CHECK(open_packet(&packet, 7));
	UNIT_CHECK(memcmp(packet.sealed, packet.plain, 64) != 0);
}

static void sealed_bytes_open_with_the_same_key_counter_and_header(void)
{
	usable_ciphers(check_round_trip);
}

static void check_flips(enum crypto_cipher cipher)
{
	struct sealed_packet packet;

	seal_packet(cipher, &packet);
	for (size_t i = 0; i < SEALED_BYTES; i++) {
		packet.sealed[i] ^= 0x10;
		UNIT_CHECK(!open_packet(&packet, 7));
		packet.sealed[i] ^= 0x10;
	}
	for (size_t i = 0; i < sizeof(packet.header); i++) {
		packet.header[i] ^= 1;
		UNIT_CHECK(!open_packet(&packet, 7));
		packet.header[i] ^= 1;
	}
	UNIT_CHECK(!open_packet(&packet, 8));
	UNIT_CHECK(!open_packet(&packet, 7 + (UINT64_C(1) << 63)));
	UNIT_CHECK(open_packet(&packet, 7));
}

static void any_changed_byte_or_counter_is_refused(void)
{
	usable_ciphers(check_flips);
}

static void check_short(enum crypto_cipher cipher)
{
	struct sealed_packet packet;
	uint8_t opened[64];

	seal_packet(cipher, &packet);
	for (size_t count = 0; count < SEALED_BYTES; count++)
		UNIT_CHECK(!crypto_aead_open(&packet.aead, 7, packet.header, 8, packet.sealed,
					     count, opened));
}

static void cut_packets_are_refused(void)
{
	usable_ciphers(check_short);
}

static void check_empty(enum crypto_cipher cipher)
{
	struct sealed_packet packet;
	uint8_t tag[CRYPTO_AEAD_TAG_BYTES];
	uint8_t nothing[1];

	seal_packet(cipher, &packet);
	crypto_aead_seal(&packet.aead, 9, NULL, 0, NULL, 0, tag);
	UNIT_CHECK(crypto_aead_open(&packet.aead, 9, NULL, 0, tag, sizeof(tag), nothing));
	tag[0] ^= 1;
	UNIT_CHECK(!crypto_aead_open(&packet.aead, 9, NULL, 0, tag, sizeof(tag), nothing));
}

static void an_empty_packet_is_still_authenticated(void)
{
	usable_ciphers(check_empty);
}

static void chacha_nonce_is_four_zero_bytes_then_the_counter(void)
{
	/* RFC 8439, computed apart from libsodium: zero key, one zero byte. */
	static const uint8_t expected[17] = {
		0x56, 0x8a, 0x28, 0x48, 0x69, 0x2b, 0x89, 0x6f, 0x86,
		0xa4, 0xca, 0xd1, 0xcc, 0x11, 0x58, 0xb4, 0x33,
	};
	uint8_t key[CRYPTO_AEAD_KEY_BYTES] = { 0 };
	uint8_t sealed[17];
	uint8_t zero = 0;
	struct crypto_aead aead;

	UNIT_REQUIRE(crypto_start() == 0);
	crypto_aead_init(&aead, CRYPTO_CIPHER_CHACHA20POLY1305, key);
	crypto_aead_seal(&aead, UINT64_C(0x0102030405060708), NULL, 0, &zero, 1, sealed);
	UNIT_CHECK(memcmp(sealed, expected, sizeof(sealed)) == 0);
}

static void best_cipher_is_usable_and_unknown_ones_are_not(void)
{
	UNIT_REQUIRE(crypto_start() == 0);
	UNIT_CHECK(crypto_cipher_is_usable(crypto_cipher_best()));
	UNIT_CHECK(crypto_cipher_is_usable(CRYPTO_CIPHER_CHACHA20POLY1305));
	UNIT_CHECK(!crypto_cipher_is_usable((enum crypto_cipher)0));
	UNIT_CHECK(!crypto_cipher_is_usable((enum crypto_cipher)3));
}

static void both_ends_of_an_exchange_share_a_secret(void)
{
	struct crypto_exchange_secret a, b;
	struct crypto_exchange_key a_public, b_public;
	uint8_t a_shared[32], b_shared[32];

	UNIT_REQUIRE(crypto_start() == 0);
	crypto_random(&a, sizeof(a));
	crypto_random(&b, sizeof(b));
	UNIT_CHECK(!crypto_equal(&a, &b, sizeof(a)));
	crypto_exchange_public(&a, &a_public);
	crypto_exchange_public(&b, &b_public);
	UNIT_CHECK(crypto_exchange(&a, &b_public, a_shared));
	UNIT_CHECK(crypto_exchange(&b, &a_public, b_shared));
	UNIT_CHECK(crypto_equal(a_shared, b_shared, sizeof(a_shared)));
}

static void exchange_with_a_small_order_key_is_refused(void)
{
	struct crypto_exchange_secret secret;
	struct crypto_exchange_key zero = { { 0 } };
	struct crypto_exchange_key one = { { 1 } };
	uint8_t shared[32];

	UNIT_REQUIRE(crypto_start() == 0);
	crypto_random(&secret, sizeof(secret));
	UNIT_CHECK(!crypto_exchange(&secret, &zero, shared));
	UNIT_CHECK(!crypto_exchange(&secret, &one, shared));
}

static void derived_keys_depend_on_key_tag_input_and_length(void)
{
	uint8_t key[32] = { 1 };
	uint8_t out[6][32];

	crypto_derive(key, "QR-key-a", "input", 5, out[0], 32);
	crypto_derive(key, "QR-key-a", "input", 5, out[1], 32);
	UNIT_CHECK(crypto_equal(out[0], out[1], 32));
	crypto_derive(key, "QR-key-b", "input", 5, out[1], 32);
	crypto_derive(key, "QR-key-a", "inpus", 5, out[2], 32);
	crypto_derive(key, "QR-key-a", "input", 4, out[3], 32);
	key[0] = 2;
	crypto_derive(key, "QR-key-a", "input", 5, out[4], 32);
	key[0] = 1;
	crypto_derive(key, "QR-key-a", "input", 5, out[5], 16);
	for (int i = 1; i < 6; i++)
		UNIT_CHECK(!crypto_equal(out[0], out[i], 16));
}

static void derive_too_little(void *context)
{
	uint8_t key[32] = { 0 };

	crypto_derive(key, "QR-key-a", NULL, 0, context, 15);
}

static void deriving_fewer_than_16_bytes_aborts(void)
{
	uint8_t out[64];

	UNIT_CHECK(unit_aborts(derive_too_little, out));
}

static void wiped_bytes_are_zero(void)
{
	uint8_t bytes[5] = { 1, 2, 3, 4, 5 };

	crypto_wipe(bytes, 4);
	UNIT_EQUAL(bytes[0] | bytes[1] | bytes[2] | bytes[3], 0);
	UNIT_EQUAL(bytes[4], 5);
}

UNIT_SUITE("crypto_session", UNIT_TEST(sealed_bytes_open_with_the_same_key_counter_and_header),
	   UNIT_TEST(any_changed_byte_or_counter_is_refused), UNIT_TEST(cut_packets_are_refused),
	   UNIT_TEST(an_empty_packet_is_still_authenticated),
	   UNIT_TEST(chacha_nonce_is_four_zero_bytes_then_the_counter),
	   UNIT_TEST(best_cipher_is_usable_and_unknown_ones_are_not),
	   UNIT_TEST(both_ends_of_an_exchange_share_a_secret),
	   UNIT_TEST(exchange_with_a_small_order_key_is_refused),
	   UNIT_TEST(derived_keys_depend_on_key_tag_input_and_length),
	   UNIT_TEST(deriving_fewer_than_16_bytes_aborts), UNIT_TEST(wiped_bytes_are_zero))
