#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_slots.h"

static struct lane_fixture fixture;
static struct fixture_batch batch;

static void open_with_stored(uint32_t frames)
{
	fixture_open(&fixture, 0, 4);
	fixture_batch_make(&fixture, 1, frames, 7, NULL, &batch);
	fixture_store(&fixture, &batch);
}

static struct lane_want want_of(uint64_t map)
{
	struct lane_want want = {
		.lane = 1,
		.seq = 1,
		.digest = batch.header.digest,
		.first_index = LANE_BATCH_FRAMES_MAX,
	};

	want.missing_map[0] = map;
	return want;
}

static const struct lane_repair *answered(uint32_t to)
{
	const struct lane_effect *effect = fixture_find(&fixture, LANE_EFFECT_SEND_REPAIR);

	UNIT_REQUIRE(effect && effect->to == to);
	return effect->u.repair;
}

static void check_frames(const struct lane_repair *repair)
{
	UNIT_CHECK(crypto_hash_equal(&repair->header.digest, &batch.header.digest));
	UNIT_EQUAL(repair->header.signature.b[9], 0x51);
	for (uint32_t i = 0; i < repair->count; i++) {
		const struct lane_repair_frame *frame = &repair->frame[i];
		struct crypto_hash leaf = lane_frame_hash(frame->bytes, frame->byte_count);

		UNIT_CHECK(wire_merkle_verify(&leaf, frame->index, batch.header.frame_count,
					      frame->path, frame->path_count,
					      &batch.header.frames_root));
	}
}

static void the_wanted_frames_come_with_header_and_paths_for_every_batch_size(void)
{
	for (uint32_t frames = 1; frames <= FIXTURE_FRAMES_MAX; frames++) {
		struct lane_want want;

		open_with_stored(frames);
		want = want_of(UINT64_C(1) << (frames - 1) | 1);
		fixture_want(&fixture, 2, &want);
		UNIT_EQUAL(answered(2)->count, frames > 1 ? 2 : 1);
		check_frames(answered(2));
		fixture_close(&fixture);
	}
}

static void a_question_without_digest_is_answered_with_what_is_held(void)
{
	struct lane_want want = { .lane = 1, .seq = 1, .wants_header = true };

	open_with_stored(5);
	fixture_want(&fixture, 3, &want);
	UNIT_EQUAL(answered(3)->count, 5);
	check_frames(answered(3));
	fixture_close(&fixture);
}

static void a_question_for_the_header_alone_brings_no_frame(void)
{
	struct lane_want want;

	open_with_stored(5);
	want = want_of(0);
	want.wants_header = true;
	fixture_want(&fixture, 3, &want);
	UNIT_EQUAL(answered(3)->count, 0);
	check_frames(answered(3));
	fixture_close(&fixture);
}

static void a_question_for_nothing_else_brings_the_leaf_list(void)
{
	struct lane_want want;
	const struct lane_effect *effect;

	open_with_stored(5);
	want = want_of(0);
	fixture_want(&fixture, 3, &want);
	effect = fixture_find(&fixture, LANE_EFFECT_SEND_LEAVES);
	UNIT_REQUIRE(effect);
	UNIT_EQUAL(effect->u.leaves->count, 5);
	UNIT_CHECK(memcmp(effect->u.leaves->leaf, batch.leaf, 5 * sizeof(batch.leaf[0])) == 0);
	fixture_close(&fixture);
}

static void a_delivered_batch_is_answered_from_the_disk(void)
{
	uint8_t record[4096];
	uint32_t record_bytes;
	struct lane_input input = { .kind = LANE_INPUT_READ_DONE };
	struct lane_batch_view view;
	struct lane_want want;

	open_with_stored(5);
	UNIT_REQUIRE(lane_set_batch(fixture.set, 1, 1, &batch.header.digest, &view));
	record_bytes = view.record_bytes;
	memcpy(record, view.record, record_bytes);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	fixture_delivered(&fixture, &batch.header);
	UNIT_REQUIRE(lane_set_batch(fixture.set, 1, 1, &batch.header.digest, &view));
	UNIT_CHECK(!view.record && view.is_durable && view.position == fixture.position);
	want = want_of(6);
	fixture_want(&fixture, 3, &want);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_READ));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_READ)->u.position, fixture.position);
	input.u.read.ticket = fixture_find(&fixture, LANE_EFFECT_READ)->ticket;
	input.u.read.bytes = record;
	input.u.read.byte_count = record_bytes;
	fixture_step(&fixture, input);
	UNIT_EQUAL(answered(3)->count, 2);
	check_frames(answered(3));
	fixture_close(&fixture);
}

static void a_record_damaged_on_disk_is_not_passed_on(void)
{
	uint8_t record[4096];
	struct lane_input input = { .kind = LANE_INPUT_READ_DONE };
	struct lane_batch_view view;
	struct lane_want want;

	open_with_stored(5);
	UNIT_REQUIRE(lane_set_batch(fixture.set, 1, 1, &batch.header.digest, &view));
	memcpy(record, view.record, view.record_bytes);
	record[WIRE_BATCH_HEADER_BYTES + 3] ^= 1;
	input.u.read.bytes = record;
	input.u.read.byte_count = view.record_bytes;
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	fixture_delivered(&fixture, &batch.header);
	want = want_of(6);
	for (int i = 0; i < 2; i++) {
		fixture_want(&fixture, 3, &want);
		UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_READ));
		input.u.read.ticket = fixture_find(&fixture, LANE_EFFECT_READ)->ticket;
		input.u.read.code = i == 0 ? 0 : ERR_CORRUPT;
		fixture_step(&fixture, input);
		UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_SEND_REPAIR));
		UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_UNKNOWN));
	}
	fixture_close(&fixture);
}

static void what_is_not_held_or_not_bound_is_unknown(void)
{
	struct fixture_batch next;
	struct lane_want want;

	open_with_stored(3);
	want = want_of(1);
	want.digest.b[0] ^= 1;
	fixture_want(&fixture, 2, &want);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_UNKNOWN));
	fixture_batch_make(&fixture, 1, 3, 7, &batch.header, &next);
	fixture_header(&fixture, &next.header);
	fixture_frame(&fixture, &next, 0);
	want = want_of(1);
	want.seq = 2;
	want.digest = next.header.digest;
	fixture_want(&fixture, 2, &want);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_UNKNOWN));
	want.lane = 4;
	fixture_want(&fixture, 2, &want);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_UNKNOWN));
	fixture_close(&fixture);
}

static void a_peer_gets_no_more_than_its_budget_in_an_interval(void)
{
	struct lane_want want;
	uint32_t served = 0;

	open_with_stored(FIXTURE_FRAMES_MAX);
	want = want_of(UINT64_C(0xffff));
	for (uint32_t i = 0; i < 50; i++) {
		const struct lane_effect *effect;

		fixture_want(&fixture, 2, &want);
		effect = fixture_find(&fixture, LANE_EFFECT_SEND_REPAIR);
		served += effect ? effect->u.repair->count + 1 : 0;
	}
	UNIT_EQUAL(served, fixture.config.repair_budget);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_BUDGET));
	fixture_want(&fixture, 3, &want);
	UNIT_EQUAL(answered(3)->count, FIXTURE_FRAMES_MAX);
	fixture.now_ns += fixture.config.repair_interval_ns;
	fixture_want(&fixture, 2, &want);
	UNIT_EQUAL(answered(2)->count, FIXTURE_FRAMES_MAX);
	fixture_close(&fixture);
}

static void an_own_batch_is_shown_only_after_its_header_left(void)
{
	struct lane_want want = { .seq = 1, .wants_header = true };
	uint64_t request;

	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	fixture_tick(&fixture, fixture.now_ns);
	request = fixture_find(&fixture, LANE_EFFECT_SIGN)->ticket;
	fixture_want(&fixture, 2, &want);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_UNKNOWN));
	fixture_signed(&fixture, request);
	fixture_want(&fixture, 2, &want);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_UNKNOWN));
	fixture_persisted(&fixture);
	fixture_want(&fixture, 2, &want);
	UNIT_EQUAL(answered(2)->count, 1);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_answer",
	   UNIT_TEST(the_wanted_frames_come_with_header_and_paths_for_every_batch_size),
	   UNIT_TEST(a_question_without_digest_is_answered_with_what_is_held),
	   UNIT_TEST(a_question_for_the_header_alone_brings_no_frame),
	   UNIT_TEST(a_question_for_nothing_else_brings_the_leaf_list),
	   UNIT_TEST(a_delivered_batch_is_answered_from_the_disk),
	   UNIT_TEST(a_record_damaged_on_disk_is_not_passed_on),
	   UNIT_TEST(what_is_not_held_or_not_bound_is_unknown),
	   UNIT_TEST(a_peer_gets_no_more_than_its_budget_in_an_interval),
	   UNIT_TEST(an_own_batch_is_shown_only_after_its_header_left))
