#include "tests/unit/dataplane/lane_fixture.h"

static struct lane_fixture fixture;

static struct lane_header own_announced(void)
{
	const struct lane_effect *effect = fixture_find(&fixture, LANE_EFFECT_SEND_BATCH);

	UNIT_REQUIRE(effect);
	return effect->u.header;
}

/* Closes, signs and stores one own batch of one frame; returns its header. */
static struct lane_header own_batch(uint8_t fill)
{
	uint64_t request;

	fixture_client(&fixture, fill);
	while (!fixture_find(&fixture, LANE_EFFECT_SIGN))
		UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S));
	request = fixture_find(&fixture, LANE_EFFECT_SIGN)->ticket;
	fixture_persisted(&fixture);
	fixture_signed(&fixture, request);
	return own_announced();
}

static void own_acknowledged(const struct lane_header *header)
{
	fixture_ack_header(&fixture, 1, header, ~UINT64_C(0));
	fixture_ack_header(&fixture, 2, header, ~UINT64_C(0));
}

/* A window so wide that two uncommitted batches do not crowd it. */
static void open_wide(void)
{
	struct lane_config config = fixture_config(0, 4);

	config.window_batches = 16;
	fixture_build(&fixture, config);
	fixture_step(&fixture, (struct lane_input){ .kind = LANE_INPUT_START });
}

static void a_frame_leaves_at_once_with_its_place_in_the_lane(void)
{
	const struct lane_effect *effect;

	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	fixture_client(&fixture, 2);
	effect = fixture_find(&fixture, LANE_EFFECT_SEND_FRAME);
	UNIT_REQUIRE(effect);
	UNIT_EQUAL(effect->to, HS_REPLICA_ALL);
	UNIT_EQUAL(effect->u.frame.lane, 0);
	UNIT_EQUAL(effect->u.frame.seq, 1);
	UNIT_EQUAL(effect->u.frame.index, 1);
	UNIT_EQUAL(effect->u.frame.bytes[5], 2);
	fixture_close(&fixture);
}

static void an_idle_lane_closes_at_the_end_of_the_burst(void)
{
	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	fixture_client(&fixture, 2);
	UNIT_CHECK(lane_set_deadline_ns(fixture.set) <= fixture.now_ns);
	UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns));
	UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SIGN), 1);
	UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_PERSIST), 1);
	UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SEND_BATCH), 0);
	fixture_close(&fixture);
}

static void a_header_leaves_only_when_signed_and_durable(void)
{
	for (int is_signed_first = 0; is_signed_first < 2; is_signed_first++) {
		fixture_open(&fixture, 0, 4);
		fixture_client(&fixture, 1);
		fixture_tick(&fixture, fixture.now_ns);
		if (is_signed_first)
			fixture_signed(&fixture, 1);
		else
			fixture_persisted(&fixture);
		UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SEND_BATCH), 0);
		if (is_signed_first)
			fixture_persisted(&fixture);
		else
			fixture_signed(&fixture, 1);
		UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SEND_BATCH), 1);
		UNIT_EQUAL(own_announced().seq, 1);
		fixture_close(&fixture);
	}
}

static void headers_leave_in_order(void)
{
	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	fixture_tick(&fixture, fixture.now_ns);
	fixture_client(&fixture, 2);
	fixture.now_ns += fixture.config.batch_close_ns;
	fixture_tick(&fixture, fixture.now_ns);
	fixture_signed(&fixture, 2);
	fixture_persisted(&fixture);
	fixture_persisted(&fixture);
	UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SEND_BATCH), 0);
	fixture_signed(&fixture, 1);
	UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SEND_BATCH), 2);
	UNIT_CHECK(crypto_hash_equal(&fixture.effects.at[1].u.header.prev_digest,
				     &fixture.effects.at[0].u.header.digest));
	fixture_close(&fixture);
}

static void under_load_a_batch_grows_until_acknowledgements_come(void)
{
	struct lane_header first;
	uint64_t begun_ns;

	open_wide();
	first = own_batch(1);
	own_batch(2);
	begun_ns = fixture.now_ns;
	fixture_client(&fixture, 3);
	while (fixture_tick(&fixture, begun_ns + 8 * fixture.config.batch_close_ns))
		UNIT_REQUIRE(!fixture_find(&fixture, LANE_EFFECT_SIGN));
	fixture_client(&fixture, 4);
	own_acknowledged(&first);
	while (fixture_tick(&fixture, fixture.now_ns) && !fixture_find(&fixture, LANE_EFFECT_SIGN))
		;
	UNIT_CHECK(fixture_find(&fixture, LANE_EFFECT_SIGN) != NULL);
	fixture_close(&fixture);
}

static void without_acknowledgements_a_batch_still_closes(void)
{
	uint64_t begun_ns;

	open_wide();
	own_batch(1);
	own_batch(2);
	begun_ns = fixture.now_ns;
	fixture_client(&fixture, 3);
	while (!fixture_find(&fixture, LANE_EFFECT_SIGN))
		UNIT_REQUIRE(fixture_tick(&fixture, begun_ns + 16 * fixture.config.batch_close_ns));
	fixture_close(&fixture);
}

static void a_full_batch_closes_whatever_is_under_way(void)
{
	fixture_open(&fixture, 0, 4);
	own_batch(1);
	own_batch(2);
	for (uint8_t i = 0; i < FIXTURE_FRAMES_MAX; i++) {
		UNIT_REQUIRE(!fixture_find(&fixture, LANE_EFFECT_SIGN));
		fixture_client(&fixture, i);
	}
	UNIT_CHECK(fixture_find(&fixture, LANE_EFFECT_SIGN) != NULL);
	fixture_close(&fixture);
}

static void a_closed_window_refuses_with_full_and_opens_with_the_commit(void)
{
	struct lane_header header = { 0 };
	const struct lane_effect *effect;

	fixture_open(&fixture, 0, 4);
	for (uint32_t i = 0; i < fixture.config.window_batches; i++) {
		header = own_batch((uint8_t)i);
		own_acknowledged(&header);
	}
	fixture_client(&fixture, 77);
	effect = fixture_find(&fixture, LANE_EFFECT_REFUSE);
	UNIT_REQUIRE(effect);
	UNIT_EQUAL(effect->u.refuse.reason, ERR_FULL);
	UNIT_EQUAL(effect->u.refuse.origin, 77);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_SEND_FRAME));
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &header);
	fixture_client(&fixture, 78);
	UNIT_CHECK(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME) != NULL);
	fixture_close(&fixture);
}

static void a_frame_beyond_the_limit_is_refused(void)
{
	static const uint8_t large[LANE_FRAME_BYTES_MAX + 1];
	struct lane_input input = { .kind = LANE_INPUT_CLIENT_FRAME };

	fixture_open(&fixture, 0, 4);
	input.u.client.bytes = large;
	input.u.client.byte_count = sizeof(large);
	fixture_step(&fixture, input);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_REFUSE));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_REFUSE)->u.refuse.reason, ERR_OVERSIZE);
	fixture_close(&fixture);
}

static void an_unacknowledged_header_is_sent_again_to_those_who_lack_it(void)
{
	struct lane_header header;
	uint32_t resent = 0;

	fixture_open(&fixture, 0, 4);
	header = own_batch(1);
	own_acknowledged(&header);
	for (uint64_t end_ns = fixture.now_ns + UNITS_NS_PER_S; fixture_tick(&fixture, end_ns);)
		for (uint32_t i = 0; i < fixture.effects.count; i++)
			if (fixture.effects.at[i].kind == LANE_EFFECT_SEND_BATCH) {
				UNIT_REQUIRE(fixture.effects.at[i].to == 3);
				resent++;
			}
	UNIT_CHECK(resent > 20 && resent < 100); /* slower and slower, never silent */
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &header);
	while (fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S))
		;
	UNIT_EQUAL(lane_set_deadline_ns(fixture.set), UINT64_MAX);
	fixture_close(&fixture);
}

static void after_a_restart_an_uncommitted_batch_is_signed_and_announced_again(void)
{
	struct lane_stored stored = { .position = 5, .is_verified = true };
	struct lane_header announced;
	struct fixture_batch batch;
	struct lane_input input = { .kind = LANE_INPUT_START };

	fixture_build(&fixture, fixture_config(0, 4));
	fixture_batch_make(&fixture, 0, 2, 9, NULL, &batch);
	stored.header = batch.header;
	memset(&stored.header.signature, 0, sizeof(stored.header.signature));
	input.u.start.stored = &stored;
	input.u.start.stored_count = 1;
	input.u.start.own_seq_floor = 1;
	fixture_step(&fixture, input);
	while (!fixture_find(&fixture, LANE_EFFECT_SIGN))
		UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns));
	fixture_signed(&fixture, fixture_find(&fixture, LANE_EFFECT_SIGN)->ticket);
	while (!fixture_find(&fixture, LANE_EFFECT_SEND_BATCH))
		UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns));
	announced = own_announced();
	UNIT_CHECK(crypto_hash_equal(&announced.digest, &batch.header.digest));
	UNIT_EQUAL(announced.signature.b[0], 0x51);
	fixture_client(&fixture, 4);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME)->u.frame.seq, 2);
	fixture_close(&fixture);
}

static void a_lane_that_lost_its_batches_waits_until_peers_gave_them_back(void)
{
	struct lane_input input = { .kind = LANE_INPUT_START };
	struct fixture_batch batch;

	fixture_build(&fixture, fixture_config(0, 4));
	input.u.start.own_seq_floor = 1;
	fixture_step(&fixture, input);
	fixture_client(&fixture, 1);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_REFUSE));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_REFUSE)->u.refuse.reason, ERR_FULL);
	fixture_batch_make(&fixture, 0, 3, 9, NULL, &batch);
	fixture_repair(&fixture, 2, &batch, 0, 3);
	fixture_persisted(&fixture);
	fixture_client(&fixture, 1);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME)->u.frame.seq, 2);
	fixture_close(&fixture);
}

static void a_seq_that_peers_know_is_never_signed_twice(void)
{
	struct fixture_batch batch;

	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	fixture_batch_make(&fixture, 0, 3, 9, NULL, &batch);
	fixture_repair(&fixture, 2, &batch, 0, 1);
	while (fixture_tick(&fixture, fixture.now_ns + 10 * UNITS_NS_PER_MS))
		UNIT_REQUIRE(!fixture_find(&fixture, LANE_EFFECT_SIGN));
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_SIGN));
	fixture_close(&fixture);
}

/* It was made before with the same frames: by a twin, or by this node before its disk went back. */
static void a_batch_that_a_proposal_named_before_it_was_closed_is_one_batch(void)
{
	struct lane_input input = { .kind = LANE_INPUT_NAMED };
	struct hs_cut cut = { .lane_count = 4 };
	struct lane_status status;
	struct lane_header first;
	struct lane_header again;

	fixture_open(&fixture, 0, 4);
	first = own_batch(1);
	fixture_close(&fixture);
	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	cut.lane[0] = (struct hs_cut_entry){ .seq = 1, .digest = first.digest };
	input.u.cut = &cut;
	fixture_step(&fixture, input);
	UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S));
	fixture_persisted(&fixture);
	fixture_signed(&fixture, 1);
	again = own_announced();
	UNIT_CHECK(crypto_hash_equal(&again.digest, &first.digest));
	lane_set_status(fixture.set, &status);
	UNIT_EQUAL(status.stored_seq[0], 1);
	fixture_close(&fixture);
}

/* A disk that lost everything: the first commits it hears of name batches of its own lane. */
static void a_seq_below_a_commit_is_never_signed_again(void)
{
	struct lane_input input = { .kind = LANE_INPUT_COMMITTED };
	struct fixture_batch batch;
	struct hs_cut cut = { .lane_count = 4 };
	uint32_t signs = 0;

	fixture_open(&fixture, 0, 4);
	fixture_client(&fixture, 1);
	while (!fixture_find(&fixture, LANE_EFFECT_SIGN))
		UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S));
	fixture_client(&fixture, 2);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME));
	fixture_batch_make(&fixture, 0, 3, 9, NULL, &batch);
	cut.lane[0] = (struct hs_cut_entry){ .seq = 4, .digest = batch.header.digest };
	input.u.cut = &cut;
	fixture_step(&fixture, input);
	for (uint32_t i = 0; i < 200 && fixture_tick(&fixture, UINT64_MAX - 1); i++) {
		const struct lane_effect *effect = fixture_find(&fixture, LANE_EFFECT_SIGN);

		signs += effect && effect->ticket > 1;
	}
	UNIT_EQUAL(signs, 0);
	fixture_client(&fixture, 3);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_REFUSE));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_REFUSE)->u.refuse.reason, ERR_FULL);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_own", UNIT_TEST(a_frame_leaves_at_once_with_its_place_in_the_lane),
	   UNIT_TEST(an_idle_lane_closes_at_the_end_of_the_burst),
	   UNIT_TEST(a_header_leaves_only_when_signed_and_durable),
	   UNIT_TEST(headers_leave_in_order),
	   UNIT_TEST(under_load_a_batch_grows_until_acknowledgements_come),
	   UNIT_TEST(without_acknowledgements_a_batch_still_closes),
	   UNIT_TEST(a_full_batch_closes_whatever_is_under_way),
	   UNIT_TEST(a_closed_window_refuses_with_full_and_opens_with_the_commit),
	   UNIT_TEST(a_frame_beyond_the_limit_is_refused),
	   UNIT_TEST(an_unacknowledged_header_is_sent_again_to_those_who_lack_it),
	   UNIT_TEST(after_a_restart_an_uncommitted_batch_is_signed_and_announced_again),
	   UNIT_TEST(a_lane_that_lost_its_batches_waits_until_peers_gave_them_back),
	   UNIT_TEST(a_seq_that_peers_know_is_never_signed_twice),
	   UNIT_TEST(a_batch_that_a_proposal_named_before_it_was_closed_is_one_batch),
	   UNIT_TEST(a_seq_below_a_commit_is_never_signed_again))
