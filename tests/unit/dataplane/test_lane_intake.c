#include "tests/unit/dataplane/lane_fixture.h"

static struct lane_fixture fixture;
static struct fixture_batch batch;
static struct fixture_batch other;

static void open_with_batch(uint32_t frames)
{
	fixture_open(&fixture, 0, 4);
	fixture_batch_make(&fixture, 1, frames, 7, NULL, &batch);
}

static uint64_t stored_seq(uint32_t lane)
{
	struct lane_status status;

	lane_set_status(fixture.set, &status);
	return status.stored_seq[lane];
}

static void frames_and_header_in_any_order_bind_and_go_to_the_disk(void)
{
	for (uint32_t header_at = 0; header_at <= 3; header_at++) {
		open_with_batch(3);
		for (uint32_t i = 0; i <= 3; i++) {
			UNIT_REQUIRE(fixture.persist_count == 0);
			if (i == header_at)
				fixture_header(&fixture, &batch.header);
			else
				fixture_frame(&fixture, &batch, i < header_at ? i : i - 1);
		}
		UNIT_EQUAL(fixture.persist_count, 1);
		fixture_close(&fixture);
	}
}

static void the_record_given_to_the_disk_is_the_batch(void)
{
	struct lane_record record;
	const struct lane_effect *effect;

	open_with_batch(4);
	fixture_receive(&fixture, &batch);
	effect = fixture_find(&fixture, LANE_EFFECT_PERSIST);
	UNIT_REQUIRE(effect);
	UNIT_REQUIRE(lane_record_open(effect->u.persist.bytes, effect->u.persist.byte_count,
				      &fixture.config.chain_id, &record) == 0);
	UNIT_CHECK(crypto_hash_equal(&record.header.digest, &batch.header.digest));
	UNIT_CHECK(memcmp(&record.header.signature, &batch.header.signature,
			  sizeof(batch.header.signature)) == 0);
	fixture_close(&fixture);
}

static void a_frame_counts_only_from_its_owners_session(void)
{
	open_with_batch(2);
	fixture_frame_from(&fixture, 2, &batch, 0, true);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_NOT_OWNER));
	fixture_batch_make(&fixture, 0, 2, 7, NULL, &other);
	fixture_frame_from(&fixture, 0, &other, 0, true);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_NOT_OWNER));
	fixture_close(&fixture);
}

static void what_exceeds_a_bound_is_dropped_under_its_name(void)
{
	open_with_batch(2);
	batch.header.seq = fixture.config.window_batches + 1;
	fixture_frame(&fixture, &batch, 0);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_WINDOW));
	fixture_header(&fixture, &batch.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_WINDOW));
	batch.header.seq = 1;
	fixture_frame(&fixture, &batch, 1);
	fixture_frame(&fixture, &batch, 1);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_DUPLICATE));
	batch.header.frame_count = FIXTURE_FRAMES_MAX + 1;
	fixture_header(&fixture, &batch.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_INDEX));
	batch.header.frame_count = 2;
	batch.header.frame_bytes = fixture.config.batch_bytes_max + 1;
	fixture_header(&fixture, &batch.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_OVERSIZE));
	fixture_close(&fixture);
}

static void frames_beyond_the_byte_bound_of_a_batch_are_dropped(void)
{
	static const uint8_t large[LANE_FRAME_BYTES_MAX];
	struct lane_input input = { .kind = LANE_INPUT_PEER_FRAME, .from = 1 };
	struct lane_frame frame = {
		.lane = 1,
		.seq = 1,
		.bytes = large,
		.byte_count = sizeof(large),
		.is_signed = true,
	};

	open_with_batch(1);
	input.u.frame = &frame;
	fixture_step(&fixture, input);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_DROPPED));
	frame.index = 1;
	fixture_step(&fixture, input);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_OVERSIZE));
	fixture_close(&fixture);
}

static void a_header_that_does_not_continue_the_settled_chain_is_dropped(void)
{
	struct fixture_batch stray;

	open_with_batch(2);
	fixture_store(&fixture, &batch);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	fixture_batch_make(&fixture, 1, 2, 8, NULL, &other);
	fixture_batch_make(&fixture, 1, 2, 9, &other.header, &stray);
	fixture_header(&fixture, &stray.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_CHAIN));
	fixture_delivered(&fixture, &batch.header);
	fixture_header(&fixture, &stray.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_CHAIN));
	fixture_header(&fixture, &batch.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_OLD));
	fixture_close(&fixture);
}

static void a_batch_begun_anew_after_a_restart_replaces_the_old_frames(void)
{
	open_with_batch(3);
	fixture_batch_make(&fixture, 1, 4, 200, NULL, &other);
	fixture_frame(&fixture, &other, 0);
	fixture_frame(&fixture, &other, 1);
	fixture_frame(&fixture, &other, 3);
	fixture_receive(&fixture, &batch);
	UNIT_CHECK(fixture_find(&fixture, LANE_EFFECT_PERSIST) != NULL);
	fixture_close(&fixture);
}

static void a_wrong_frame_is_found_by_the_leaf_list_and_fetched_alone(void)
{
	static struct lane_leaves leaves;
	struct lane_input input = { .kind = LANE_INPUT_LEAVES, .from = 1 };
	const struct lane_effect *effect;

	open_with_batch(3);
	fixture_batch_make(&fixture, 1, 3, 200, NULL, &other);
	fixture_header(&fixture, &batch.header);
	fixture_frame(&fixture, &batch, 0);
	fixture_frame(&fixture, &other, 1);
	fixture_frame(&fixture, &batch, 2);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_ROOT));
	UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns));
	effect = fixture_find(&fixture, LANE_EFFECT_SEND_WANT);
	UNIT_REQUIRE(effect);
	UNIT_CHECK(!effect->u.want->wants_header && effect->u.want->missing_map[0] == 0);
	UNIT_EQUAL(effect->u.want->first_index, LANE_BATCH_FRAMES_MAX);
	leaves.lane = 1;
	leaves.seq = 1;
	leaves.count = 3;
	memcpy(leaves.leaf, other.leaf, sizeof(other.leaf[0]) * 3);
	input.u.leaves = &leaves;
	fixture_step(&fixture, input);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_ROOT));
	memcpy(leaves.leaf, batch.leaf, sizeof(batch.leaf[0]) * 3);
	fixture_step(&fixture, input);
	effect = fixture_find(&fixture, LANE_EFFECT_SEND_WANT);
	UNIT_REQUIRE(effect);
	UNIT_EQUAL(effect->u.want->missing_map[0], 2);
	fixture_frame(&fixture, &other, 1);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_DUPLICATE));
	fixture_repair(&fixture, 2, &batch, 1, 1);
	UNIT_CHECK(fixture_find(&fixture, LANE_EFFECT_PERSIST) != NULL);
	fixture_close(&fixture);
}

static void a_repair_answer_brings_header_and_frames_from_anybody(void)
{
	open_with_batch(4);
	fixture_repair(&fixture, 3, &batch, 0, 2);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_PERSIST));
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_SEND_WANT));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_WANT)->to, 3);
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_WANT)->u.want->missing_map[0], 12);
	fixture_repair(&fixture, 3, &batch, 2, 2);
	UNIT_CHECK(fixture_find(&fixture, LANE_EFFECT_PERSIST) != NULL);
	fixture_close(&fixture);
}

static void a_header_that_contradicts_its_own_root_is_given_up(void)
{
	open_with_batch(2);
	batch.header.frame_bytes++;
	batch.header.digest = wire_batch_digest(&fixture.config.chain_id, &batch.header);
	fixture_receive(&fixture, &batch);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_ROOT));
	while (fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S))
		UNIT_REQUIRE(!fixture_find(&fixture, LANE_EFFECT_SEND_WANT));
	UNIT_EQUAL(fixture.persist_count, 0);
	fixture_close(&fixture);
}

static void only_a_gapless_durable_chain_is_claimed(void)
{
	struct fixture_batch next;

	open_with_batch(2);
	fixture_batch_make(&fixture, 1, 2, 7, &batch.header, &next);
	fixture_store(&fixture, &next);
	UNIT_EQUAL(stored_seq(1), 0);
	fixture_receive(&fixture, &batch);
	UNIT_EQUAL(stored_seq(1), 0);
	fixture_persisted(&fixture);
	UNIT_EQUAL(stored_seq(1), 2);
	fixture_close(&fixture);
}

static void a_persist_of_a_discarded_fork_frees_its_buffer_and_nothing_else(void)
{
	struct lane_status status;

	open_with_batch(2);
	fixture_batch_make(&fixture, 1, 2, 8, NULL, &other);
	fixture_receive(&fixture, &other);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	fixture_repair(&fixture, 2, &batch, 0, 2);
	fixture_persisted(&fixture);
	UNIT_EQUAL(stored_seq(1), 0);
	fixture_persisted(&fixture);
	UNIT_EQUAL(stored_seq(1), 1);
	fixture_delivered(&fixture, &batch.header);
	lane_set_status(fixture.set, &status);
	UNIT_EQUAL(status.buffers_used, 0);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_intake", UNIT_TEST(frames_and_header_in_any_order_bind_and_go_to_the_disk),
	   UNIT_TEST(the_record_given_to_the_disk_is_the_batch),
	   UNIT_TEST(a_frame_counts_only_from_its_owners_session),
	   UNIT_TEST(what_exceeds_a_bound_is_dropped_under_its_name),
	   UNIT_TEST(frames_beyond_the_byte_bound_of_a_batch_are_dropped),
	   UNIT_TEST(a_header_that_does_not_continue_the_settled_chain_is_dropped),
	   UNIT_TEST(a_batch_begun_anew_after_a_restart_replaces_the_old_frames),
	   UNIT_TEST(a_wrong_frame_is_found_by_the_leaf_list_and_fetched_alone),
	   UNIT_TEST(a_repair_answer_brings_header_and_frames_from_anybody),
	   UNIT_TEST(a_header_that_contradicts_its_own_root_is_given_up),
	   UNIT_TEST(only_a_gapless_durable_chain_is_claimed),
	   UNIT_TEST(a_persist_of_a_discarded_fork_frees_its_buffer_and_nothing_else))
