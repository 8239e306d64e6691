/* Batch headers and Merkle trees: wire_batch.c, wire_merkle.c. */
#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"

static struct wire_world world;

static void leaves_fill(struct crypto_hash *leaves, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		leaves[i] = crypto_hash_of(&i, sizeof(i));
}

static void every_path_of_every_size_verifies(void)
{
	struct crypto_hash leaf[70];
	struct crypto_hash scratch[70];
	struct crypto_hash path[LANE_REPAIR_PATH_MAX];

	leaves_fill(leaf, 70);
	for (uint32_t count = 1; count <= 70; count++) {
		struct crypto_hash root = wire_merkle_root(leaf, count, scratch);

		for (uint32_t i = 0; i < count; i++) {
			uint32_t length = wire_merkle_path(leaf, count, i, scratch, path);

			UNIT_EQUAL(length, wire_merkle_path_count(count, i));
			UNIT_CHECK(wire_merkle_verify(&leaf[i], i, count, path, length, &root));
		}
	}
}

static void largest_batch_has_the_longest_path(void)
{
	static struct crypto_hash leaf[LANE_BATCH_FRAMES_MAX];
	static struct crypto_hash scratch[LANE_BATCH_FRAMES_MAX];
	struct crypto_hash path[LANE_REPAIR_PATH_MAX];

	leaves_fill(leaf, LANE_BATCH_FRAMES_MAX);
	struct crypto_hash root = wire_merkle_root(leaf, LANE_BATCH_FRAMES_MAX, scratch);

	UNIT_EQUAL(wire_merkle_path(leaf, LANE_BATCH_FRAMES_MAX, 511, scratch, path),
		   LANE_REPAIR_PATH_MAX);
	UNIT_CHECK(wire_merkle_verify(&leaf[511], 511, LANE_BATCH_FRAMES_MAX, path,
				      LANE_REPAIR_PATH_MAX, &root));
}

static void path_proves_one_place_only(void)
{
	struct crypto_hash leaf[13];
	struct crypto_hash scratch[13];
	struct crypto_hash path[LANE_REPAIR_PATH_MAX];

	leaves_fill(leaf, 13);
	struct crypto_hash root = wire_merkle_root(leaf, 13, scratch);

	for (uint32_t i = 0; i < 13; i++) {
		uint32_t length = wire_merkle_path(leaf, 13, i, scratch, path);

		for (uint32_t k = 0; k < 13; k++)
			if (k != i)
				UNIT_CHECK(
					!wire_merkle_verify(&leaf[i], k, 13, path, length, &root));
		UNIT_CHECK(!wire_merkle_verify(&leaf[(i + 1) % 13], i, 13, path, length, &root));
		if (length > 0)
			UNIT_CHECK(!wire_merkle_verify(&leaf[i], i, 13, path, length - 1, &root));
		path[length % LANE_REPAIR_PATH_MAX] = leaf[0];
		UNIT_CHECK(!wire_merkle_verify(&leaf[i], i, 13, path, length + 1, &root));
	}
	UNIT_CHECK(!wire_merkle_verify(&leaf[0], 13, 13, path, 0, &root));
}

static void batch_header_comes_back_whole(void)
{
	struct crypto_hash root = { { 3 } };
	struct crypto_hash prev = { { 4 } };
	uint8_t bytes[WIRE_BATCH_HEADER_BYTES];
	struct lane_header header;
	struct lane_header back;

	wire_world_init(&world, 4);
	wire_world_batch(&world, 2, 9, &prev, &root, 17, &header);
	UNIT_EQUAL(wire_encode_batch_header(&header, bytes, sizeof(bytes)), sizeof(bytes));
	UNIT_CHECK(wire_encode_batch_header(&header, bytes, sizeof(bytes) - 1) == ERR_OVERSIZE);
	UNIT_REQUIRE(wire_decode_batch_header(bytes, sizeof(bytes), &world.validators.chain_id,
					      &back) == 0);
	UNIT_EQUAL(back.lane, 2);
	UNIT_EQUAL(back.seq, 9);
	UNIT_EQUAL(back.frame_count, 17);
	UNIT_CHECK(crypto_hash_equal(&back.digest, &header.digest));
	UNIT_CHECK(crypto_hash_equal(&back.prev_digest, &prev));
	UNIT_CHECK(memcmp(&back.signature, &header.signature, sizeof(back.signature)) == 0);
	UNIT_CHECK(wire_decode_batch_header(bytes, sizeof(bytes) - 1, &world.validators.chain_id,
					    &back) == ERR_TRUNCATED);
}

static void digest_does_not_cover_the_signature(void)
{
	struct crypto_hash root = { { 3 } };
	struct lane_header header;

	wire_world_init(&world, 4);
	wire_world_batch(&world, 0, 1, NULL, &root, 1, &header);
	memset(&header.signature, 0, sizeof(header.signature));
	struct crypto_hash digest = wire_batch_digest(&world.validators.chain_id, &header);

	UNIT_CHECK(crypto_hash_equal(&digest, &header.digest));
	header.frame_bytes++;
	digest = wire_batch_digest(&world.validators.chain_id, &header);
	UNIT_CHECK(!crypto_hash_equal(&digest, &header.digest));
}

static void digest_covers_every_other_field_and_the_chain(void)
{
	struct crypto_hash some = { { 3 } };
	struct crypto_hash other_chain = { { 9 } };
	struct lane_header header;
	struct crypto_hash digest[8];

	wire_world_init(&world, 4);
	wire_world_batch(&world, 1, 2, &some, &some, 4, &header);
	for (uint32_t i = 0; i < 8; i++) {
		struct lane_header changed = header;

		changed.lane += i == 1;
		changed.seq += i == 2;
		changed.prev_digest.b[31] ^= i == 3;
		changed.frames_root.b[31] ^= i == 4;
		changed.frame_count += i == 5;
		changed.frame_bytes += i == 6;
		digest[i] = wire_batch_digest(i == 7 ? &other_chain : &world.validators.chain_id,
					      &changed);
		for (uint32_t k = 0; k < i; k++)
			UNIT_CHECK(!crypto_hash_equal(&digest[i], &digest[k]));
	}
	UNIT_CHECK(crypto_hash_equal(&digest[0], &header.digest));
}

static void impossible_headers_are_refused(void)
{
	struct crypto_hash root = { { 3 } };
	uint8_t good[WIRE_BATCH_HEADER_BYTES];
	struct lane_header header;
	/* offset, value: lane, seq 0, previous digest of the first batch, frame count, bytes */
	static const uint8_t change[5][2] = {
		{ 0, 100 }, { 4, 0 }, { 12, 1 }, { 77, 3 }, { 83, 1 },
	};

	wire_world_init(&world, 4);
	wire_world_batch(&world, 1, 1, NULL, &root, 2, &header);
	wire_encode_batch_header(&header, good, sizeof(good));
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		uint8_t bytes[WIRE_BATCH_HEADER_BYTES];

		memcpy(bytes, good, sizeof(bytes));
		bytes[change[i][0]] = change[i][1];
		UNIT_CHECK(wire_decode_batch_header(bytes, sizeof(bytes),
						    &world.validators.chain_id,
						    &header) == ERR_FORMAT);
	}
}

UNIT_SUITE("wire_batch", UNIT_TEST(every_path_of_every_size_verifies),
	   UNIT_TEST(largest_batch_has_the_longest_path), UNIT_TEST(path_proves_one_place_only),
	   UNIT_TEST(batch_header_comes_back_whole), UNIT_TEST(digest_does_not_cover_the_signature),
	   UNIT_TEST(digest_covers_every_other_field_and_the_chain),
	   UNIT_TEST(impossible_headers_are_refused))
