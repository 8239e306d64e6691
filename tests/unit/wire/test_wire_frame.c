/* Frames and seals: wire_frame.c, wire_seal.c, wire_put.c. */
#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"
#include "wire/wire_frame.h"

static struct wire_world world;

static void built_frame_parses_back(void)
{
	struct wire_world_frame made[1];
	struct wire_frame frame;
	struct wire_payload_walk walk;
	struct wire_payload payload;
	uint32_t seen = 0;

	wire_world_init(&world, 4);
	wire_world_frames(&world, 100, 1, 5, made);
	UNIT_REQUIRE(wire_frame_parse(made[0].bytes, made[0].count, &frame) == 0);
	UNIT_EQUAL(frame.count, 5);
	UNIT_EQUAL(frame.first_seq, 100);
	UNIT_EQUAL(frame.expires, 1000);
	UNIT_EQUAL(frame.seal_depth, 0);
	UNIT_EQUAL(frame.chain_tag, wire_chain_tag(&world.validators.chain_id));
	wire_payload_walk_init(&walk, &frame);
	while (wire_payload_next(&walk, &payload)) {
		UNIT_EQUAL(payload.seq, 100 + seen);
		UNIT_EQUAL(payload.byte_count, 20 - seen % 3);
		UNIT_CHECK(memcmp(payload.bytes, &"a payload of 20 byte"[seen % 3],
				  payload.byte_count) == 0);
		seen++;
	}
	UNIT_EQUAL(seen, 5);
}

static void every_frame_of_a_bundle_has_the_same_root(void)
{
	struct wire_world_frame made[WIRE_SEAL_FRAMES_MAX];
	struct wire_frame frame;

	wire_world_init(&world, 4);
	for (uint32_t count = 1; count <= WIRE_SEAL_FRAMES_MAX; count += 7) {
		struct crypto_hash first = { 0 };

		wire_world_frames(&world, 1, count, 2, made);
		for (uint32_t i = 0; i < count; i++) {
			UNIT_REQUIRE(wire_frame_parse(made[i].bytes, made[i].count, &frame) == 0);
			struct crypto_hash leaf = wire_frame_leaf(&frame);
			struct crypto_hash root = wire_frame_root(&frame, &leaf);

			if (i == 0)
				first = root;
			UNIT_CHECK(crypto_hash_equal(&root, &first));
			UNIT_EQUAL(frame.leaf_index, i);
		}
	}
}

static void skip_frame_has_no_payloads(void)
{
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
	struct wire_frame frame;
	struct wire_payload_walk walk;
	struct wire_payload payload;
	struct wire_frame_spec spec = { .kind = WIRE_FRAME_SKIP, .first_seq = 5, .count = 4096 };
	int body = wire_frame_build(&spec, bytes, sizeof(bytes));

	UNIT_EQUAL(body, WIRE_FRAME_HEAD_BYTES);
	memset(bytes + body, 0, WIRE_SEAL_BYTES_MIN);
	UNIT_REQUIRE(wire_frame_parse(bytes, (size_t)body + WIRE_SEAL_BYTES_MIN, &frame) == 0);
	UNIT_EQUAL(frame.kind, WIRE_FRAME_SKIP);
	UNIT_EQUAL(frame.count, 4096);
	wire_payload_walk_init(&walk, &frame);
	UNIT_CHECK(!wire_payload_next(&walk, &payload));
}

static void payload_that_does_not_fit_is_refused(void)
{
	static const uint8_t big[WIRE_PAYLOAD_BYTES_MAX + 1];
	const void *payload[1] = { big };
	uint32_t payload_bytes[1] = { WIRE_PAYLOAD_BYTES_MAX };
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
	struct wire_frame_spec spec = {
		.kind = WIRE_FRAME_TRANSACTIONS,
		.count = 1,
		.payload = payload,
		.payload_bytes = payload_bytes,
	};

	UNIT_EQUAL(wire_frame_build(&spec, bytes, sizeof(bytes)),
		   LANE_FRAME_BYTES_MAX - WIRE_SEAL_BYTES_MIN);
	spec.seal_depth = 1;
	UNIT_CHECK(wire_frame_build(&spec, bytes, sizeof(bytes)) == ERR_OVERSIZE);
	spec.seal_depth = 0;
	payload_bytes[0]++;
	UNIT_CHECK(wire_frame_build(&spec, bytes, sizeof(bytes)) == ERR_OVERSIZE);
}

static void numbers_that_wrap_are_refused(void)
{
	struct wire_world_frame made[1];
	struct wire_frame frame;

	wire_world_init(&world, 4);
	wire_world_frames(&world, 1, 1, 2, made);
	memset(made[0].bytes + 48, 0xff, 8);
	UNIT_CHECK(wire_frame_parse(made[0].bytes, made[0].count, &frame) == ERR_FORMAT);
}

static void every_truncation_is_refused(void)
{
	struct wire_world_frame made[3];
	struct wire_frame frame;

	wire_world_init(&world, 4);
	wire_world_frames(&world, 1, 3, 4, made);
	for (size_t count = 0; count < made[2].count; count++) {
		uint8_t *copy = wire_exact_copy(made[2].bytes, count);

		UNIT_CHECK(wire_frame_parse(copy, count, &frame) < 0);
		free(copy);
	}
	made[2].bytes[made[2].count] = 0;
	UNIT_CHECK(wire_frame_parse(made[2].bytes, made[2].count + 1, &frame) == ERR_FORMAT);
}

static void mutated_frames_never_hurt(void)
{
	struct wire_world_frame made[5];
	struct prng prng;

	wire_world_init(&world, 4);
	wire_world_frames(&world, 1, 5, 6, made);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 20000; i++) {
		struct wire_world_frame changed = made[i % 5];
		struct wire_payload_walk walk;
		struct wire_payload payload;
		struct wire_frame frame;
		size_t count =
			wire_mutate(&prng, changed.bytes, changed.count, sizeof(changed.bytes));
		uint8_t *copy = wire_exact_copy(changed.bytes, count);

		if (wire_frame_parse(copy, count, &frame) == 0) {
			struct crypto_hash leaf = wire_frame_leaf(&frame);

			wire_frame_root(&frame, &leaf);
			wire_payload_walk_init(&walk, &frame);
			while (wire_payload_next(&walk, &payload))
				UNIT_CHECK(payload.bytes + payload.byte_count <= copy + count);
		}
		free(copy);
	}
}

static void transaction_id_covers_client_number_and_payload(void)
{
	struct crypto_public_key a = { { 1 } };
	struct crypto_public_key b = { { 2 } };
	struct crypto_hash id = wire_txid(&a, 1, "x", 1);
	struct crypto_hash other[3] = {
		wire_txid(&b, 1, "x", 1),
		wire_txid(&a, 2, "x", 1),
		wire_txid(&a, 1, "y", 1),
	};

	for (int i = 0; i < 3; i++)
		UNIT_CHECK(!crypto_hash_equal(&id, &other[i]));
}

UNIT_SUITE("wire_frame", UNIT_TEST(built_frame_parses_back),
	   UNIT_TEST(every_frame_of_a_bundle_has_the_same_root),
	   UNIT_TEST(skip_frame_has_no_payloads), UNIT_TEST(payload_that_does_not_fit_is_refused),
	   UNIT_TEST(numbers_that_wrap_are_refused), UNIT_TEST(every_truncation_is_refused),
	   UNIT_TEST(mutated_frames_never_hurt),
	   UNIT_TEST(transaction_id_covers_client_number_and_payload))
