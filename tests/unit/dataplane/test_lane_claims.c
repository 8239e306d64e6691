#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_claims.h"

static struct lane_fixture fixture;
static struct fixture_batch chain[6];

static void open_with_chain(void)
{
	fixture_open(&fixture, 0, 4);
	for (uint32_t i = 0; i < 6; i++)
		fixture_batch_make(&fixture, 1, 2, 7, i > 0 ? &chain[i - 1].header : NULL,
				   &chain[i]);
}

static const struct lane_ackvec *sent(void)
{
	const struct lane_effect *effect = fixture_find(&fixture, LANE_EFFECT_SEND_ACKVEC);

	return effect ? effect->u.ackvec : NULL;
}

static bool covers(uint32_t peer, uint32_t i)
{
	return lane_claims_cover(fixture.set, &fixture.set->lanes[1], peer, i + 1,
				 &chain[i].header.digest);
}

static void a_claim_leaves_with_the_completion_that_makes_it_true(void)
{
	open_with_chain();
	fixture_receive(&fixture, &chain[0]);
	UNIT_CHECK(!sent());
	fixture_persisted(&fixture);
	UNIT_REQUIRE(sent());
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_ACKVEC)->to, HS_REPLICA_ALL);
	UNIT_EQUAL(sent()->count, 1);
	UNIT_EQUAL(sent()->lane[0], 1);
	UNIT_EQUAL(sent()->ack[0].stored_seq, 1);
	UNIT_EQUAL(sent()->ack[0].verified_map, 1);
	UNIT_CHECK(crypto_hash_equal(&sent()->ack[0].digest, &chain[0].header.digest));
	fixture_close(&fixture);
}

static void claims_within_an_interval_travel_together(void)
{
	open_with_chain();
	fixture_store(&fixture, &chain[0]);
	fixture_store(&fixture, &chain[1]);
	UNIT_CHECK(!sent());
	fixture_store(&fixture, &chain[2]);
	UNIT_CHECK(!sent());
	fixture.now_ns += fixture.config.ack_interval_ns;
	UNIT_CHECK(lane_set_deadline_ns(fixture.set) <= fixture.now_ns);
	fixture_tick(&fixture, fixture.now_ns);
	UNIT_REQUIRE(sent());
	UNIT_EQUAL(sent()->count, 1);
	UNIT_EQUAL(sent()->ack[0].stored_seq, 3);
	UNIT_EQUAL(sent()->ack[0].verified_map, 7);
	fixture_close(&fixture);
}

static void the_map_counts_from_the_committed_cut(void)
{
	open_with_chain();
	fixture_store(&fixture, &chain[0]);
	fixture_store(&fixture, &chain[1]);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &chain[0].header);
	fixture_store(&fixture, &chain[2]);
	while (!sent())
		UNIT_REQUIRE(
			fixture_tick(&fixture, fixture.now_ns + fixture.config.ack_interval_ns));
	UNIT_EQUAL(sent()->ack[0].map_base_seq, 1);
	UNIT_EQUAL(sent()->ack[0].verified_map, 3);
	fixture_close(&fixture);
}

static void an_uncommitted_claim_is_repeated_slower_and_slower_until_committed(void)
{
	uint64_t interval_ns;
	uint64_t said_ns;
	uint64_t longest_ns = 0;

	open_with_chain();
	fixture_store(&fixture, &chain[0]);
	interval_ns = fixture.config.repair_interval_ns;
	said_ns = fixture.now_ns;
	for (uint64_t end_ns = fixture.now_ns + UNITS_NS_PER_S; fixture_tick(&fixture, end_ns);) {
		if (!sent())
			continue;
		UNIT_CHECK(fixture.now_ns - said_ns >= longest_ns);
		longest_ns = fixture.now_ns - said_ns;
		said_ns = fixture.now_ns;
	}
	UNIT_EQUAL(longest_ns, 4 * interval_ns);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &chain[0].header);
	while (fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S))
		;
	UNIT_EQUAL(lane_set_deadline_ns(fixture.set), UINT64_MAX);
	fixture_close(&fixture);
}

static void a_claim_covers_what_lies_below_it_on_the_same_chain(void)
{
	open_with_chain();
	for (uint32_t i = 0; i < 3; i++)
		fixture_header(&fixture, &chain[i].header);
	fixture_ack_header(&fixture, 2, &chain[2].header, 5);
	UNIT_CHECK(covers(2, 0) && covers(2, 1) && covers(2, 2) && !covers(3, 0));
	UNIT_EQUAL(lane_claims_verified(fixture.set, &fixture.set->lanes[1], 1,
					&chain[0].header.digest),
		   1);
	UNIT_EQUAL(lane_claims_verified(fixture.set, &fixture.set->lanes[1], 2,
					&chain[1].header.digest),
		   0);
	fixture_close(&fixture);
}

static void a_claim_on_another_chain_covers_nothing_here(void)
{
	struct fixture_batch fork;

	open_with_chain();
	fixture_batch_make(&fixture, 1, 2, 9, NULL, &fork);
	fixture_store(&fixture, &chain[0]);
	fixture_ack_header(&fixture, 2, &fork.header, 1);
	UNIT_CHECK(!covers(2, 0));
	UNIT_EQUAL(lane_claims_verified(fixture.set, &fixture.set->lanes[1], 1,
					&chain[0].header.digest),
		   0);
	fixture_close(&fixture);
}

static void a_claim_ahead_of_us_does_not_void_what_was_known(void)
{
	open_with_chain();
	fixture_header(&fixture, &chain[0].header);
	fixture_ack_header(&fixture, 2, &chain[0].header, 1);
	fixture_ack_header(&fixture, 2, &chain[3].header, 15);
	UNIT_CHECK(covers(2, 0));
	fixture_close(&fixture);
}

static void an_overtaken_ackvec_is_ignored_but_a_switch_of_chain_counts(void)
{
	struct fixture_batch fork;

	open_with_chain();
	fixture_batch_make(&fixture, 1, 2, 9, NULL, &fork);
	fixture_header(&fixture, &chain[0].header);
	fixture_header(&fixture, &chain[1].header);
	fixture_header(&fixture, &fork.header);
	fixture_ack_header(&fixture, 2, &chain[1].header, 3);
	fixture_ack_header(&fixture, 2, &chain[0].header, 1);
	UNIT_CHECK(covers(2, 1));
	fixture_ack_header(&fixture, 2, &fork.header, 0);
	UNIT_CHECK(!covers(2, 1) && !covers(2, 0));
	fixture_close(&fixture);
}

static void verified_bits_survive_the_authors_commit(void)
{
	struct hs_cut_entry entry;

	open_with_chain();
	for (uint32_t i = 0; i < 3; i++)
		fixture_header(&fixture, &chain[i].header);
	fixture_ack_header(&fixture, 2, &chain[1].header, 3);
	entry = fixture_entry(&chain[2].header);
	fixture_ack(&fixture, 2, 1, &entry, 2, 1);
	for (uint32_t i = 0; i < 3; i++)
		UNIT_EQUAL(lane_claims_verified(fixture.set, &fixture.set->lanes[1], i + 1,
						&chain[i].header.digest),
			   1);
	fixture_close(&fixture);
}

static void claims_out_of_bounds_or_from_nobody_are_dropped(void)
{
	const struct hs_cut_entry none = { .seq = 4 };

	open_with_chain();
	fixture_ack(&fixture, 2, 4, &none, 0, 0);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_CLAIM));
	fixture_ack(&fixture, 2, 1, &none, 0, 0);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_CLAIM));
	fixture_ack_header(&fixture, 0, &chain[0].header, 1);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_CLAIM));
	fixture_ack_header(&fixture, 7, &chain[0].header, 1);
	UNIT_CHECK(fixture_dropped(&fixture, LANE_DROP_CLAIM));
	fixture_close(&fixture);
}

static void under_policy_all_everybody_is_on_duty(void)
{
	open_with_chain();
	for (uint32_t peer = 0; peer < 4; peer++)
		UNIT_CHECK(lane_duty(fixture.set, 1, 1, &chain[0].header.digest, peer));
	UNIT_CHECK(!lane_duty(fixture.set, 1, 1, &chain[0].header.digest, 4));
	fixture_close(&fixture);
}

UNIT_SUITE("lane_claims", UNIT_TEST(a_claim_leaves_with_the_completion_that_makes_it_true),
	   UNIT_TEST(claims_within_an_interval_travel_together),
	   UNIT_TEST(the_map_counts_from_the_committed_cut),
	   UNIT_TEST(an_uncommitted_claim_is_repeated_slower_and_slower_until_committed),
	   UNIT_TEST(a_claim_covers_what_lies_below_it_on_the_same_chain),
	   UNIT_TEST(a_claim_on_another_chain_covers_nothing_here),
	   UNIT_TEST(a_claim_ahead_of_us_does_not_void_what_was_known),
	   UNIT_TEST(an_overtaken_ackvec_is_ignored_but_a_switch_of_chain_counts),
	   UNIT_TEST(verified_bits_survive_the_authors_commit),
	   UNIT_TEST(claims_out_of_bounds_or_from_nobody_are_dropped),
	   UNIT_TEST(under_policy_all_everybody_is_on_duty))
