#include "crypto/crypto_vectors.h"

#include <string.h>

#include "crypto/crypto_sign.h"
#include "tests/lib/unit_main.h"

static void every_vector_has_its_frozen_verdict(void)
{
	UNIT_REQUIRE(crypto_start() == 0);
	for (size_t i = 0; i < crypto_vectors_count(); i++) {
		struct crypto_vector vector;

		crypto_vectors_at(i, &vector);
		UNIT_EQUAL(crypto_verify(&vector.key, vector.message, vector.message_bytes,
					 &vector.signature),
			   vector.verifies);
		UNIT_EQUAL(crypto_key_is_valid(&vector.key), vector.key_is_valid);
	}
}

static void there_are_at_least_200_of_every_kind(void)
{
	size_t counts[2][2] = { { 0 } };

	UNIT_CHECK(crypto_vectors_count() >= 200);
	for (size_t i = 0; i < crypto_vectors_count(); i++) {
		struct crypto_vector vector;

		crypto_vectors_at(i, &vector);
		counts[vector.verifies ? 1 : 0][vector.key_is_valid ? 1 : 0]++;
	}
	UNIT_CHECK(counts[0][0] >= 50);
	UNIT_CHECK(counts[0][1] >= 50);
	UNIT_CHECK(counts[1][0] >= 10);
	UNIT_CHECK(counts[1][1] >= 10);
}

static void vectors_of_one_key_follow_each_other(void)
{
	size_t changes = 0;
	struct crypto_vector before;

	crypto_vectors_at(0, &before);
	for (size_t i = 1; i < crypto_vectors_count(); i++) {
		struct crypto_vector vector;

		crypto_vectors_at(i, &vector);
		changes += memcmp(&before.key, &vector.key, sizeof(vector.key)) != 0;
		before = vector;
	}
	UNIT_CHECK(changes < 80);
}

static void read_past_the_end(void *context)
{
	crypto_vectors_at(crypto_vectors_count(), context);
}

static void reading_past_the_last_vector_aborts(void)
{
	struct crypto_vector vector;

	UNIT_CHECK(unit_aborts(read_past_the_end, &vector));
}

UNIT_SUITE("crypto_vectors", UNIT_TEST(every_vector_has_its_frozen_verdict),
	   UNIT_TEST(there_are_at_least_200_of_every_kind),
	   UNIT_TEST(vectors_of_one_key_follow_each_other),
	   UNIT_TEST(reading_past_the_last_vector_aborts))
