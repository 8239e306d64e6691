#include "tests/unit/dataplane/lane_fixture.h"

#include "base/prng.h"

struct batch_world {
	struct lane_batch batch;
	uint8_t *buffer;
	struct lane_place place[FIXTURE_FRAMES_MAX];
	struct crypto_hash hash[FIXTURE_FRAMES_MAX];
	struct crypto_hash leaf[LANE_BATCH_FRAMES_MAX];
	struct crypto_hash scratch[LANE_BATCH_FRAMES_MAX];
	struct lane_fixture fixture; /* for its configuration */
	struct fixture_batch source;
};

static struct batch_world world;

static void batch_open(uint32_t frames)
{
	world.fixture.config = fixture_config(0, 4);
	world.buffer =
		aligned_alloc(LANE_PAGE_BYTES, lane_batch_buffer_bytes(2048, FIXTURE_FRAMES_MAX));
	memset(world.buffer, 0xee, lane_batch_buffer_bytes(2048, FIXTURE_FRAMES_MAX));
	lane_batch_init(&world.batch, world.buffer, world.place, world.hash, 2048,
			FIXTURE_FRAMES_MAX);
	fixture_batch_make(&world.fixture, 1, frames, 7, NULL, &world.source);
}

static int batch_add(uint32_t index)
{
	return lane_batch_add(&world.batch, index, &world.source.leaf[index], true,
			      world.source.bytes[index], FIXTURE_FRAME_BYTES);
}

static int batch_reopen(struct lane_record *ret_record)
{
	return lane_record_open(world.batch.record, world.batch.record_bytes,
				&world.fixture.config.chain_id, ret_record);
}

static void a_sealed_batch_opens_with_its_frames_in_index_order(void)
{
	const uint32_t order[] = { 3, 0, 4, 1, 2 };
	struct lane_record record;

	batch_open(5);
	for (uint32_t i = 0; i < 5; i++)
		UNIT_REQUIRE(batch_add(order[i]) == 0);
	UNIT_CHECK(lane_batch_matches(&world.batch, &world.source.header, world.scratch));
	lane_batch_seal(&world.batch, &world.source.header);
	UNIT_EQUAL(world.batch.record_bytes, WIRE_BATCH_HEADER_BYTES + 5 * (40 + 8));
	UNIT_REQUIRE(batch_reopen(&record) == 0);
	UNIT_CHECK(crypto_hash_equal(&record.header.digest, &world.source.header.digest));
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t byte_count;
		const uint8_t *bytes = lane_record_frame(&record, i, &byte_count);

		UNIT_EQUAL(byte_count, FIXTURE_FRAME_BYTES);
		UNIT_CHECK(memcmp(bytes, world.source.bytes[i], byte_count) == 0);
	}
	UNIT_EQUAL(lane_record_check(&record, world.leaf, world.scratch), 0);
	free(world.buffer);
}

static void the_page_behind_a_record_is_zero(void)
{
	batch_open(1);
	UNIT_REQUIRE(batch_add(0) == 0);
	lane_batch_seal(&world.batch, &world.source.header);
	for (uint32_t i = world.batch.record_bytes; i < LANE_PAGE_BYTES; i++)
		UNIT_REQUIRE(world.batch.record[i] == 0);
	UNIT_CHECK(world.buffer[LANE_PAGE_BYTES - 1] == 0xee);
	free(world.buffer);
}

static void a_removed_frame_leaves_no_gap_and_may_come_again(void)
{
	struct lane_record record;

	batch_open(4);
	for (uint32_t i = 4; i > 0; i--)
		UNIT_REQUIRE(batch_add(i - 1) == 0);
	lane_batch_remove(&world.batch, 2);
	UNIT_EQUAL(world.batch.frame_bytes, 3 * FIXTURE_FRAME_BYTES);
	UNIT_CHECK(!lane_batch_is_complete(&world.batch, &world.source.header));
	lane_batch_remove(&world.batch, 3);
	UNIT_EQUAL(world.batch.index_end, 2);
	UNIT_REQUIRE(batch_add(3) == 0 && batch_add(2) == 0);
	UNIT_CHECK(lane_batch_matches(&world.batch, &world.source.header, world.scratch));
	lane_batch_seal(&world.batch, &world.source.header);
	UNIT_REQUIRE(batch_reopen(&record) == 0);
	UNIT_EQUAL(lane_record_check(&record, world.leaf, world.scratch), 0);
	free(world.buffer);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void)
{
	static const uint8_t large[LANE_FRAME_BYTES_MAX + 1];
	const struct crypto_hash hash = { 0 };

	batch_open(2);
	UNIT_EQUAL(lane_batch_add(&world.batch, FIXTURE_FRAMES_MAX, &hash, true, large, 1),
		   ERR_FORMAT);
	UNIT_EQUAL(lane_batch_add(&world.batch, 0, &hash, true, large, 0), ERR_FORMAT);
	UNIT_EQUAL(lane_batch_add(&world.batch, 0, &hash, true, large, LANE_FRAME_BYTES_MAX + 1),
		   ERR_OVERSIZE);
	UNIT_EQUAL(lane_batch_add(&world.batch, 0, &hash, true, large, 1200), 0);
	UNIT_EQUAL(lane_batch_add(&world.batch, 1, &hash, true, large, 1200), ERR_OVERSIZE);
	UNIT_EQUAL(lane_batch_add(&world.batch, 0, &hash, true, large, 1), ERR_DUPLICATE);
	UNIT_EQUAL(world.batch.frame_count, 1);
	UNIT_EQUAL(world.batch.frame_bytes, 1200);
	free(world.buffer);
}

static void a_bad_seal_is_remembered_until_its_frame_goes(void)
{
	uint32_t index = 99;

	batch_open(3);
	UNIT_REQUIRE(batch_add(0) == 0);
	UNIT_CHECK(!lane_batch_has_bad(&world.batch, &index));
	UNIT_REQUIRE(lane_batch_add(&world.batch, 2, &world.source.leaf[2], false,
				    world.source.bytes[2], FIXTURE_FRAME_BYTES) == 0);
	UNIT_CHECK(lane_batch_has_bad(&world.batch, &index));
	UNIT_EQUAL(index, 2);
	lane_batch_trim(&world.batch, 2);
	UNIT_CHECK(!lane_batch_has_bad(&world.batch, &index));
	UNIT_EQUAL(world.batch.frame_count, 1);
	free(world.buffer);
}

static void another_root_or_length_does_not_match(void)
{
	struct lane_header header;

	batch_open(3);
	for (uint32_t i = 0; i < 3; i++)
		UNIT_REQUIRE(batch_add(i) == 0);
	header = world.source.header;
	header.frame_bytes--;
	UNIT_CHECK(!lane_batch_matches(&world.batch, &header, world.scratch));
	header = world.source.header;
	header.frames_root.b[31] ^= 1;
	UNIT_CHECK(!lane_batch_matches(&world.batch, &header, world.scratch));
	header = world.source.header;
	header.frame_count = 2;
	UNIT_CHECK(!lane_batch_matches(&world.batch, &header, world.scratch));
	free(world.buffer);
}

/* Any byte of a record but those of the signature, which only the gate can judge. */
static size_t batch_unsigned_byte(struct prng *prng, uint32_t whole)
{
	const uint32_t signature = WIRE_BATCH_HEADER_BYTES - CRYPTO_SIGNATURE_BYTES;
	size_t at = (size_t)prng_below(prng, whole - CRYPTO_SIGNATURE_BYTES);

	return at < signature ? at : at + CRYPTO_SIGNATURE_BYTES;
}

/*
 * Every byte string gives a view or a reason; the copy has the exact size, so a sanitizer sees
 * overruns.
 */
static void damaged_records_are_refused_or_found_by_their_root(void)
{
	struct lane_record record;
	struct prng prng;
	uint32_t whole;

	prng_seed(&prng, unit_seed());
	batch_open(6);
	for (uint32_t i = 0; i < 6; i++)
		UNIT_REQUIRE(batch_add(i) == 0);
	lane_batch_seal(&world.batch, &world.source.header);
	whole = world.batch.record_bytes;
	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t count = i < whole ? i : whole;
		uint8_t *copy = malloc(count + 1);

		memcpy(copy, world.batch.record, count);
		if (count == whole) {
			uint8_t bits = (uint8_t)(1 + prng_below(&prng, 255));

			copy[batch_unsigned_byte(&prng, whole)] ^= bits;
		}
		int code = lane_record_open(copy, count, &world.fixture.config.chain_id, &record);

		if (count < whole)
			UNIT_REQUIRE(code < 0);
		if (code == 0)
			UNIT_REQUIRE(lane_record_check(&record, world.leaf, world.scratch) < 0 ||
				     !crypto_hash_equal(&record.header.digest,
							&world.source.header.digest));
		free(copy);
	}
	UNIT_EQUAL(lane_record_open(world.batch.record, whole + 1, &world.fixture.config.chain_id,
				    &record),
		   ERR_FORMAT);
	free(world.buffer);
}

UNIT_SUITE("lane_batch", UNIT_TEST(a_sealed_batch_opens_with_its_frames_in_index_order),
	   UNIT_TEST(the_page_behind_a_record_is_zero),
	   UNIT_TEST(a_removed_frame_leaves_no_gap_and_may_come_again),
	   UNIT_TEST(what_does_not_fit_is_refused_and_changes_nothing),
	   UNIT_TEST(a_bad_seal_is_remembered_until_its_frame_goes),
	   UNIT_TEST(another_root_or_length_does_not_match),
	   UNIT_TEST(damaged_records_are_refused_or_found_by_their_root))
