#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_slots.h"

static struct lane_fixture fixture;
static struct fixture_batch batch;
static struct fixture_batch other;

static void open_with_two(void)
{
	fixture_open(&fixture, 0, 4);
	fixture_batch_make(&fixture, 1, 3, 7, NULL, &batch);
	fixture_batch_make(&fixture, 1, 3, 8, NULL, &other);
}

static void two_headers_of_one_seq_are_evidence_once(void)
{
	const struct lane_effect *effect;

	open_with_two();
	fixture_header(&fixture, &batch.header);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_EVIDENCE));
	fixture_header(&fixture, &other.header);
	effect = fixture_find(&fixture, LANE_EFFECT_EVIDENCE);
	UNIT_REQUIRE(effect);
	UNIT_CHECK(!effect->u.evidence->has_bad_frame);
	UNIT_CHECK(crypto_hash_equal(&effect->u.evidence->first.digest, &batch.header.digest));
	UNIT_CHECK(crypto_hash_equal(&effect->u.evidence->second.digest, &other.header.digest));
	fixture_header(&fixture, &other.header);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_EVIDENCE));
	fixture_close(&fixture);
}

static void a_repeated_header_is_no_evidence(void)
{
	open_with_two();
	fixture_header(&fixture, &batch.header);
	fixture_header(&fixture, &batch.header);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_EVIDENCE));
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_DUPLICATE));
	fixture_close(&fixture);
}

static void a_bound_bad_seal_is_evidence_and_freezes_the_lane(void)
{
	const struct lane_effect *effect;
	struct fixture_batch next;
	struct hs_cut parent = { .lane_count = 4 };
	struct hs_cut cut = { .lane_count = 4 };

	open_with_two();
	fixture_batch_make(&fixture, 1, 2, 7, &batch.header, &next);
	fixture_header(&fixture, &batch.header);
	fixture_frame(&fixture, &batch, 0);
	fixture_frame_from(&fixture, 1, &batch, 1, false);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_EVIDENCE));
	fixture_frame(&fixture, &batch, 2);
	effect = fixture_find(&fixture, LANE_EFFECT_EVIDENCE);
	UNIT_REQUIRE(effect);
	UNIT_CHECK(effect->u.evidence->has_bad_frame);
	UNIT_EQUAL(effect->u.evidence->bad_index, 1);
	UNIT_EQUAL(fixture.persist_count, 0);
	cut.lane[1] = fixture_entry(&batch.header);
	UNIT_EQUAL(lane_set_payload(fixture.set, &parent, &cut), LANE_PAYLOAD_INVALID);
	fixture_header(&fixture, &next.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_SEAL));
	fixture_frame(&fixture, &next, 0);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_SEAL));
	while (fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S))
		UNIT_REQUIRE(!fixture_find(&fixture, LANE_EFFECT_SEND_WANT));
	fixture_close(&fixture);
}

static void a_provisional_bad_frame_proves_nothing_and_is_replaced(void)
{
	open_with_two();
	fixture_frame_from(&fixture, 1, &other, 1, false);
	fixture_receive(&fixture, &batch);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_EVIDENCE));
	UNIT_EQUAL(fixture.persist_count, 1);
	fixture_close(&fixture);
}

static void a_bad_batch_that_was_committed_all_the_same_is_stored_unverified(void)
{
	struct hs_cut_entry entry;
	struct lane_link link;

	open_with_two();
	fixture_frame_from(&fixture, 1, &batch, 0, false);
	fixture_receive(&fixture, &batch);
	UNIT_EQUAL(fixture.persist_count, 0);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	UNIT_EQUAL(fixture.persist_count, 1);
	fixture_persisted(&fixture);
	entry = fixture_entry(&batch.header);
	UNIT_CHECK(lane_entry_equal(&fixture.set->lanes[1].tip, &entry));
	UNIT_REQUIRE(
		lane_link_at(fixture.set, &fixture.set->lanes[1], 1, &batch.header.digest, &link));
	UNIT_CHECK(link.is_durable && !link.is_verified);
	fixture_close(&fixture);
}

static void a_frozen_lane_leaves_the_others_running(void)
{
	struct fixture_batch third;

	open_with_two();
	fixture_frame_from(&fixture, 1, &batch, 0, false);
	fixture_receive(&fixture, &batch);
	fixture_batch_make(&fixture, 2, 3, 7, NULL, &third);
	fixture_store(&fixture, &third);
	UNIT_EQUAL(fixture.set->lanes[2].tip.seq, 1);
	UNIT_EQUAL(fixture.set->lanes[1].tip.seq, 0);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_evidence", UNIT_TEST(two_headers_of_one_seq_are_evidence_once),
	   UNIT_TEST(a_repeated_header_is_no_evidence),
	   UNIT_TEST(a_bound_bad_seal_is_evidence_and_freezes_the_lane),
	   UNIT_TEST(a_provisional_bad_frame_proves_nothing_and_is_replaced),
	   UNIT_TEST(a_bad_batch_that_was_committed_all_the_same_is_stored_unverified),
	   UNIT_TEST(a_frozen_lane_leaves_the_others_running))
