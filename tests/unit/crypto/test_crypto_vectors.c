#include "crypto/crypto_vectors.h"

#include <string.h>

#include "base/err.h"
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

static size_t changed_index;

static void verdict_changed(size_t index, struct crypto_vector *ret_vector)
{
	crypto_vectors_at(index, ret_vector);
	if (index == changed_index)
		ret_vector->verifies = !ret_vector->verifies;
}

static void validity_changed(size_t index, struct crypto_vector *ret_vector)
{
	crypto_vectors_at(index, ret_vector);
	if (index == changed_index)
		ret_vector->key_is_valid = !ret_vector->key_is_valid;
}

static void replay_notices_any_single_verdict_that_differs(void)
{
	size_t count = crypto_vectors_count();

	UNIT_REQUIRE(crypto_start() == 0);
	UNIT_EQUAL(crypto_vectors_replay(count, crypto_vectors_at), 0);
	for (changed_index = 0; changed_index < count; changed_index += 7) {
		UNIT_CHECK(crypto_vectors_replay(count, verdict_changed) == ERR_SIGNATURE);
		UNIT_CHECK(crypto_vectors_replay(count, validity_changed) == ERR_SIGNATURE);
	}
	changed_index = count - 1;
	UNIT_CHECK(crypto_vectors_replay(count, verdict_changed) == ERR_SIGNATURE);
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
	   UNIT_TEST(replay_notices_any_single_verdict_that_differs),
	   UNIT_TEST(reading_past_the_last_vector_aborts))
