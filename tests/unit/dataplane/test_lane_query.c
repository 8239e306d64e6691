#include "tests/unit/dataplane/lane_fixture.h"

static struct lane_fixture fixture;
static struct fixture_batch chain[5];
static struct hs_cut parent;
static struct hs_cut cut;

static void open_with_chain(void)
{
	fixture_open(&fixture, 0, 4);
	memset(&parent, 0, sizeof(parent));
	parent.lane_count = 4;
	for (uint32_t i = 0; i < 5; i++)
		fixture_batch_make(&fixture, 1, 2, 7, i > 0 ? &chain[i - 1].header : NULL,
				   &chain[i]);
}

/* Whether there is a cut is also known without taking it. */
static bool takes_cut(void)
{
	bool has_cut = lane_set_has_cut(fixture.set, &parent);
	bool is_above = lane_set_cut(fixture.set, &parent, &cut);

	UNIT_EQUAL(has_cut, is_above);
	return is_above;
}

static enum lane_payload payload_of(const struct lane_header *header)
{
	cut = parent;
	cut.lane[1] = fixture_entry(header);
	return lane_set_payload(fixture.set, &parent, &cut);
}

static void a_cut_takes_what_q_store_and_f_plus_1_checked(void)
{
	open_with_chain();
	fixture_store(&fixture, &chain[0]);
	fixture_ack_header(&fixture, 1, &chain[0].header, 0);
	UNIT_CHECK(!takes_cut());
	fixture_ack_header(&fixture, 2, &chain[0].header, 0);
	UNIT_CHECK(!takes_cut());
	fixture_ack_header(&fixture, 2, &chain[0].header, 1);
	UNIT_REQUIRE(takes_cut());
	UNIT_EQUAL(cut.lane_count, 4);
	UNIT_EQUAL(cut.lane[1].seq, 1);
	UNIT_CHECK(crypto_hash_equal(&cut.lane[1].digest, &chain[0].header.digest));
	UNIT_EQUAL(cut.lane[2].seq, 0);
	fixture_close(&fixture);
}

static void a_cut_stops_below_the_first_batch_that_lacks_backing(void)
{
	open_with_chain();
	for (uint32_t i = 0; i < 3; i++)
		fixture_store(&fixture, &chain[i]);
	fixture_ack_header(&fixture, 1, &chain[2].header, 5);
	fixture_ack_header(&fixture, 2, &chain[1].header, 1);
	UNIT_REQUIRE(takes_cut());
	UNIT_EQUAL(cut.lane[1].seq, 1);
	fixture_ack_header(&fixture, 2, &chain[1].header, 3);
	UNIT_REQUIRE(takes_cut());
	UNIT_EQUAL(cut.lane[1].seq, 2);
	fixture_close(&fixture);
}

static void a_cut_advances_a_lane_by_at_most_c(void)
{
	open_with_chain();
	for (uint32_t i = 0; i < 4; i++)
		fixture_store(&fixture, &chain[i]);
	fixture_ack_header(&fixture, 1, &chain[3].header, 15);
	fixture_ack_header(&fixture, 2, &chain[3].header, 15);
	UNIT_REQUIRE(takes_cut());
	UNIT_EQUAL(cut.lane[1].seq, fixture.config.cut_batches_max);
	parent = cut;
	UNIT_REQUIRE(takes_cut());
	UNIT_EQUAL(cut.lane[1].seq, 4);
	parent = cut;
	UNIT_CHECK(!takes_cut());
	fixture_close(&fixture);
}

static void a_cut_may_take_what_this_replica_lacks_itself(void)
{
	open_with_chain();
	fixture_header(&fixture, &chain[0].header);
	for (uint32_t peer = 1; peer < 4; peer++)
		fixture_ack_header(&fixture, peer, &chain[0].header, 1);
	UNIT_CHECK(takes_cut());
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_WAIT);
	fixture_close(&fixture);
}

static void a_cut_extends_the_parents_chain_and_no_other(void)
{
	struct fixture_batch fork;
	struct fixture_batch above;

	open_with_chain();
	fixture_batch_make(&fixture, 1, 2, 9, NULL, &fork);
	fixture_batch_make(&fixture, 1, 2, 9, &fork.header, &above);
	fixture_store(&fixture, &chain[0]);
	fixture_header(&fixture, &fork.header);
	fixture_header(&fixture, &above.header);
	for (uint32_t peer = 1; peer < 4; peer++)
		fixture_ack_header(&fixture, peer, &above.header, 3);
	parent.lane[1] = fixture_entry(&chain[0].header);
	UNIT_CHECK(!takes_cut());
	UNIT_EQUAL(cut.lane[1].seq, 1);
	parent.lane[1] = fixture_entry(&fork.header);
	UNIT_CHECK(takes_cut());
	UNIT_CHECK(crypto_hash_equal(&cut.lane[1].digest, &above.header.digest));
	fixture_close(&fixture);
}

static void a_payload_is_ready_when_durable_and_verified_and_not_before(void)
{
	open_with_chain();
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_WAIT);
	fixture_receive(&fixture, &chain[0]);
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_WAIT);
	UNIT_CHECK(!lane_set_is_stored(fixture.set, &parent, &cut));
	fixture_persisted(&fixture);
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_READY);
	UNIT_CHECK(lane_set_is_stored(fixture.set, &parent, &cut));
	UNIT_EQUAL(payload_of(&chain[1].header), LANE_PAYLOAD_WAIT);
	fixture_close(&fixture);
}

static void a_batch_not_checked_here_needs_f_plus_1_claims(void)
{
	struct lane_stored stored = { .position = 5 };
	struct lane_input input = { .kind = LANE_INPUT_START };

	open_with_chain();
	fixture_close(&fixture);
	fixture_build(&fixture, fixture_config(0, 4));
	stored.header = chain[0].header;
	input.u.start.stored = &stored;
	input.u.start.stored_count = 1;
	fixture_step(&fixture, input);
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_WAIT);
	UNIT_CHECK(lane_set_is_stored(fixture.set, &parent, &cut));
	fixture_ack_header(&fixture, 2, &chain[0].header, 1);
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_WAIT);
	fixture_ack_header(&fixture, 3, &chain[0].header, 1);
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_READY);
	fixture_close(&fixture);
}

static void a_cut_that_goes_back_jumps_or_leaves_the_chain_is_invalid(void)
{
	struct fixture_batch fork;

	open_with_chain();
	for (uint32_t i = 0; i < 4; i++)
		fixture_store(&fixture, &chain[i]);
	UNIT_EQUAL(payload_of(&chain[3].header), LANE_PAYLOAD_INVALID);
	parent.lane[1] = fixture_entry(&chain[1].header);
	UNIT_EQUAL(payload_of(&chain[3].header), LANE_PAYLOAD_READY);
	UNIT_EQUAL(payload_of(&chain[0].header), LANE_PAYLOAD_INVALID);
	fixture_batch_make(&fixture, 1, 2, 9, &chain[0].header, &fork);
	fixture_header(&fixture, &fork.header);
	UNIT_EQUAL(payload_of(&fork.header), LANE_PAYLOAD_INVALID);
	parent.lane[1] = fixture_entry(&fork.header);
	UNIT_EQUAL(payload_of(&chain[3].header), LANE_PAYLOAD_INVALID);
	cut = parent;
	cut.lane_count = 3;
	UNIT_EQUAL(lane_set_payload(fixture.set, &parent, &cut), LANE_PAYLOAD_INVALID);
	fixture_close(&fixture);
}

static void delivered_batches_still_answer_for_chain_and_store(void)
{
	struct hs_cut_entry end;
	struct crypto_hash digest;

	open_with_chain();
	for (uint32_t i = 0; i < 3; i++)
		fixture_store(&fixture, &chain[i]);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &chain[1].header);
	fixture_delivered(&fixture, &chain[0].header);
	fixture_delivered(&fixture, &chain[1].header);
	end = fixture_entry(&chain[2].header);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		UNIT_REQUIRE(lane_set_chain_digest(fixture.set, 1, seq, &end, &digest));
		UNIT_CHECK(crypto_hash_equal(&digest, &chain[seq - 1].header.digest));
	}
	UNIT_REQUIRE(lane_set_chain_digest(fixture.set, 1, 0, &end, &digest));
	UNIT_CHECK(crypto_hash_is_zero(&digest));
	UNIT_EQUAL(payload_of(&chain[2].header), LANE_PAYLOAD_READY);
	UNIT_CHECK(lane_set_is_stored(fixture.set, &parent, &cut));
	fixture_close(&fixture);
}

static void the_happy_path_of_a_lone_replica(void)
{
	struct lane_batch_view view;
	struct lane_status status;

	fixture_open(&fixture, 0, 1);
	memset(&parent, 0, sizeof(parent));
	parent.lane_count = 1;
	fixture_client(&fixture, 5);
	fixture_tick(&fixture, fixture.now_ns);
	fixture_signed(&fixture, 1);
	UNIT_CHECK(!takes_cut());
	fixture_persisted(&fixture);
	UNIT_REQUIRE(takes_cut());
	UNIT_EQUAL(lane_set_payload(fixture.set, &parent, &cut), LANE_PAYLOAD_READY);
	UNIT_REQUIRE(lane_set_batch(fixture.set, 0, 1, &cut.lane[0].digest, &view));
	UNIT_CHECK(view.record && view.is_durable);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, view.header);
	fixture_delivered(&fixture, view.header);
	lane_set_status(fixture.set, &status);
	UNIT_EQUAL(status.buffers_used, 0);
	UNIT_EQUAL(status.own_seq, 1);
	while (fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S))
		;
	UNIT_EQUAL(lane_set_deadline_ns(fixture.set), UINT64_MAX);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_query", UNIT_TEST(a_cut_takes_what_q_store_and_f_plus_1_checked),
	   UNIT_TEST(a_cut_stops_below_the_first_batch_that_lacks_backing),
	   UNIT_TEST(a_cut_advances_a_lane_by_at_most_c),
	   UNIT_TEST(a_cut_may_take_what_this_replica_lacks_itself),
	   UNIT_TEST(a_cut_extends_the_parents_chain_and_no_other),
	   UNIT_TEST(a_payload_is_ready_when_durable_and_verified_and_not_before),
	   UNIT_TEST(a_batch_not_checked_here_needs_f_plus_1_claims),
	   UNIT_TEST(a_cut_that_goes_back_jumps_or_leaves_the_chain_is_invalid),
	   UNIT_TEST(delivered_batches_still_answer_for_chain_and_store),
	   UNIT_TEST(the_happy_path_of_a_lone_replica))
