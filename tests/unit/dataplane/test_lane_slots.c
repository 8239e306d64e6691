#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_slots.h"

static struct lane_fixture fixture;
static struct fixture_batch batch;
static struct fixture_batch forked;
static struct fixture_batch above;
static struct fixture_batch fork_above;

static void open_with_fork(void)
{
	fixture_open(&fixture, 0, 4);
	fixture_batch_make(&fixture, 1, 2, 7, NULL, &batch);
	fixture_batch_make(&fixture, 1, 2, 8, NULL, &forked);
	fixture_batch_make(&fixture, 1, 2, 7, &batch.header, &above);
	fixture_batch_make(&fixture, 1, 2, 8, &forked.header, &fork_above);
}

static bool tip_is(const struct lane_header *header)
{
	struct hs_cut_entry entry = fixture_entry(header);

	return lane_entry_equal(&fixture.set->lanes[1].tip, &entry);
}

static void two_digests_of_the_owner_are_kept_and_a_third_only_when_named(void)
{
	struct fixture_batch third;

	open_with_fork();
	fixture_batch_make(&fixture, 1, 2, 9, NULL, &third);
	fixture_header(&fixture, &batch.header);
	fixture_header(&fixture, &forked.header);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_DROPPED));
	fixture_header(&fixture, &third.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_FORK));
	fixture_cut(&fixture, LANE_INPUT_NAMED, &third.header);
	fixture_repair(&fixture, 2, &third, 0, 2);
	UNIT_EQUAL(fixture.persist_count, 1);
	fixture_close(&fixture);
}

static void the_claim_switches_to_the_named_chain_once_it_is_durable(void)
{
	open_with_fork();
	fixture_store(&fixture, &batch);
	fixture_store(&fixture, &above);
	UNIT_CHECK(tip_is(&above.header));
	fixture_header(&fixture, &forked.header);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &forked.header);
	UNIT_CHECK(tip_is(&above.header));
	fixture_repair(&fixture, 2, &forked, 0, 2);
	fixture.now_ns += fixture.config.ack_interval_ns;
	fixture_persisted(&fixture);
	UNIT_CHECK(tip_is(&forked.header));
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_SEND_ACKVEC));
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &forked.header);
	UNIT_CHECK(tip_is(&forked.header));
	fixture_close(&fixture);
}

static void a_name_or_commit_of_what_is_claimed_already_says_nothing(void)
{
	open_with_fork();
	fixture_store(&fixture, &batch);
	fixture.now_ns += 2 * fixture.config.ack_interval_ns;
	fixture_cut(&fixture, LANE_INPUT_NAMED, &batch.header);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_SEND_ACKVEC));
	fixture.now_ns += 2 * fixture.config.ack_interval_ns;
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	UNIT_CHECK(!fixture_find(&fixture, LANE_EFFECT_SEND_ACKVEC));
	fixture_close(&fixture);
}

static void naming_walks_down_the_chain_as_headers_come(void)
{
	open_with_fork();
	fixture_store(&fixture, &batch);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &fork_above.header);
	fixture_repair(&fixture, 2, &fork_above, 0, 2);
	fixture_persisted(&fixture);
	UNIT_REQUIRE(lane_slot_find(fixture.set, &fixture.set->lanes[1], 1)->preferred !=
		     LANE_NONE);
	fixture_repair(&fixture, 2, &forked, 0, 2);
	fixture_persisted(&fixture);
	UNIT_CHECK(tip_is(&fork_above.header));
	fixture_close(&fixture);
}

static void a_committed_digest_is_never_displaced_by_a_name(void)
{
	open_with_fork();
	fixture_store(&fixture, &batch);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &forked.header);
	UNIT_CHECK(tip_is(&batch.header));
	fixture_header(&fixture, &forked.header);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_FORK));
	fixture_delivered(&fixture, &batch.header);
	UNIT_EQUAL(fixture.set->lanes[1].base.seq, 1);
	fixture_close(&fixture);
}

static void a_commit_frees_what_other_forks_held(void)
{
	open_with_fork();
	fixture_store(&fixture, &batch);
	fixture_store(&fixture, &above);
	fixture_header(&fixture, &forked.header);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &forked.header);
	fixture_repair(&fixture, 2, &forked, 0, 2);
	fixture_persisted(&fixture);
	UNIT_EQUAL(fixture.set->buffers_used, 3);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &forked.header);
	fixture_delivered(&fixture, &forked.header);
	UNIT_EQUAL(fixture.set->buffers_used, 1);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &fork_above.header);
	fixture_repair(&fixture, 2, &fork_above, 0, 2);
	fixture_persisted(&fixture);
	fixture_delivered(&fixture, &fork_above.header);
	UNIT_EQUAL(fixture.set->buffers_used, 0);
	fixture_close(&fixture);
}

static void many_names_at_one_seq_hold_no_more_than_a_slot(void)
{
	open_with_fork();
	for (uint32_t i = 0; i < 100; i++) {
		struct fixture_batch nonsense;

		fixture_batch_make(&fixture, 1, 1, (uint8_t)(100 + i), NULL, &nonsense);
		fixture_cut(&fixture, LANE_INPUT_NAMED, &nonsense.header);
	}
	fixture_receive(&fixture, &batch);
	fixture_persisted(&fixture);
	UNIT_CHECK(tip_is(&batch.header));
	fixture_close(&fixture);
}

static void a_name_beyond_the_ring_is_ignored_unless_committed(void)
{
	struct lane_header far;

	open_with_fork();
	far = batch.header;
	far.seq = 1000;
	fixture_cut(&fixture, LANE_INPUT_NAMED, &far);
	UNIT_EQUAL(fixture.set->lanes[1].anchor_count, 0);
	for (uint64_t seq = 2000; seq > 1000; seq--) {
		far.seq = seq;
		lane_name(fixture.set, &fixture.set->lanes[1],
			  &(struct hs_cut_entry){ .seq = seq, .digest = far.digest }, true);
	}
	UNIT_EQUAL(fixture.set->lanes[1].anchor_count, LANE_ANCHORS_MAX);
	UNIT_EQUAL(fixture.set->lanes[1].anchor[0].seq, 1001);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_slots", UNIT_TEST(two_digests_of_the_owner_are_kept_and_a_third_only_when_named),
	   UNIT_TEST(the_claim_switches_to_the_named_chain_once_it_is_durable),
	   UNIT_TEST(a_name_or_commit_of_what_is_claimed_already_says_nothing),
	   UNIT_TEST(naming_walks_down_the_chain_as_headers_come),
	   UNIT_TEST(a_committed_digest_is_never_displaced_by_a_name),
	   UNIT_TEST(a_commit_frees_what_other_forks_held),
	   UNIT_TEST(many_names_at_one_seq_hold_no_more_than_a_slot),
	   UNIT_TEST(a_name_beyond_the_ring_is_ignored_unless_committed))
