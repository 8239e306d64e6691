/* hs_propose.c: leaders and pacing. Replica 1 of 4 leads view 1, 5, 9. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_copy.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block chain[8];

static void set_up(uint32_t replica_id)
{
	bench = hs_bench_start(4, replica_id);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &chain[1]);
	for (uint32_t v = 2; v < 8; v++)
		hs_make_block(&bench->config, &chain[v - 1], v, NULL, 0, &chain[v]);
	hs_bench_forget(bench);
	hs_bench_wait(bench, 1000000);
}

static const struct hs_block *proposed(void)
{
	const struct hs_message *message = hs_bench_sent(bench, HS_MESSAGE_PROPOSE);

	return message ? &message->u.propose : NULL;
}

/* Answers until the proposal leaves, and no further. */
static void settle_until_proposed(void)
{
	for (uint32_t i = 0; i < 20 && !proposed() && bench->todo_count > 0; i++)
		hs_bench_answer(bench, bench->todo[0].kind);
}

static void an_idle_leader_proposes_nothing(void)
{
	set_up(1);
	hs_bench_wait(bench, 900000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_stop(bench);
}

static void a_leader_with_work_asks_for_a_cut_and_proposes_it(void)
{
	set_up(1);
	hs_bench_work(bench, true);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_CUT), 1);
	hs_bench_work(bench, true);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_CUT), 0);
	settle_until_proposed();
	const struct hs_block *block = proposed();

	UNIT_REQUIRE(block != NULL);
	UNIT_EQUAL(block->header.view, 1);
	UNIT_EQUAL(block->header.height, 1);
	UNIT_EQUAL(block->author, 1);
	UNIT_EQUAL(block->header.cut.lane[3].seq, 1);
	UNIT_EQUAL(block->header.time_ns, bench->wall_ns);
	UNIT_CHECK(!block->has_tc);
	struct crypto_hash id =
		hs_block_id(&bench->config.chain_id, &bench->config.set_hash, &block->header);
	struct crypto_signature signature =
		hs_make_signed(&bench->config, HS_MESSAGE_PROPOSE, 1, 1, &id, 0);

	UNIT_CHECK(crypto_hash_equal(&id, &block->id));
	UNIT_CHECK(memcmp(&signature, &block->signature, sizeof(signature)) == 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1"), 1);
	hs_bench_stop(bench);
}

/* Another process with this key, or an earlier life by a clock that stands still, made it. */
static void a_block_that_is_here_already_is_not_made_again(void)
{
	static struct hs_block made;

	set_up(1);
	hs_bench_work(bench, true);
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	hs_copy_block(&made, proposed());
	hs_bench_stop(bench);
	set_up(1);
	hs_bench_block(bench, &made);
	UNIT_REQUIRE(hs_core_block(bench->core, &made.id) != NULL);
	hs_bench_work(bench, true);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_CUT), 1);
	UNIT_CHECK(hs_bench_answer(bench, HS_EFFECT_WANT_CUT));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 0);
	hs_bench_wait(bench, 900000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=1"), 1);
	hs_bench_stop(bench);
}

static void a_leader_votes_for_its_own_block_only_once_it_stores_the_batches(void)
{
	set_up(1);
	hs_bench_work(bench, true);
	hs_bench_answer(bench, HS_EFFECT_WANT_CUT);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_PAYLOAD), 1);
	while (hs_bench_answer(bench, HS_EFFECT_SIGN) ||
	       hs_bench_answer(bench, HS_EFFECT_PERSIST_BLOCK) ||
	       hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD))
		;
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 1);
	hs_bench_stop(bench);
}

static void a_proposal_leaves_only_once_last_proposed_is_durable(void)
{
	set_up(1);
	hs_bench_work(bench, true);
	hs_bench_answer(bench, HS_EFFECT_WANT_CUT);
	while (hs_bench_answer(bench, HS_EFFECT_SIGN) ||
	       hs_bench_answer(bench, HS_EFFECT_PERSIST_BLOCK))
		;
	UNIT_EQUAL(hs_bench_logged(bench, "send"), 0);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_CHECK(proposed() != NULL);
	UNIT_EQUAL(bench->disk.last_proposed_view, 1);
	UNIT_EQUAL(bench->disk.last_vote_view, 0);
	hs_bench_stop(bench);
}

static void one_proposal_a_view(void)
{
	set_up(1);
	hs_bench_work(bench, true);
	hs_bench_settle(bench);
	for (uint32_t i = 0; i < 10; i++) {
		hs_bench_work(bench, true);
		hs_bench_wait(bench, 1000000);
		hs_bench_settle(bench);
	}
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_stop(bench);
}

static void only_the_leader_proposes(void)
{
	set_up(2);
	hs_bench_work(bench, true);
	hs_bench_wait(bench, 5000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_stop(bench);
}

static void the_next_leader_proposes_on_the_qc_before_any_commit(void)
{
	set_up(2);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	hs_bench_wait(bench, 100000);
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 0);
	UNIT_REQUIRE(hs_bench_find(bench, HS_EFFECT_WANT_CUT) != NULL);
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	UNIT_EQUAL(proposed()->justify.view, 1);
	UNIT_CHECK(crypto_hash_equal(&proposed()->header.parent_id, &chain[1].id));
	hs_bench_stop(bench);
}

static void after_a_failed_view_the_proposal_carries_the_tc_and_the_highest_qc(void)
{
	set_up(3);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_wait(bench, 200000);
	hs_bench_tc(bench, 2, 1);
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	UNIT_EQUAL(proposed()->header.view, 3);
	UNIT_CHECK(proposed()->has_tc);
	UNIT_EQUAL(proposed()->tc.view, 2);
	UNIT_EQUAL(proposed()->justify.view, 1);
	hs_bench_stop(bench);
}

/* Else a proposer that crashed could not prove its view to those it left behind. */
static void after_a_failed_view_the_record_of_the_proposal_carries_the_tc(void)
{
	set_up(3);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_wait(bench, 200000);
	UNIT_EQUAL(hs_bench_logged(bench, " tc=2"), 0);
	hs_bench_tc(bench, 2, 1);
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	UNIT_CHECK(hs_bench_logged(bench, " tc=2") > 0);
	hs_bench_stop(bench);
}

static void no_proposal_below_the_tcs_maximum(void)
{
	set_up(3);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_tc(bench, 2, 1);
	hs_bench_wait(bench, 1000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_qc(bench, 1, &chain[1].id);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_stop(bench);
}

static void a_cut_for_a_view_that_passed_is_ignored(void)
{
	set_up(1);
	hs_bench_work(bench, true);
	hs_bench_tc(bench, 1, 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "propose view"), 0);
	hs_bench_stop(bench);
}

static void an_empty_cut_makes_no_block_unless_one_is_due(void)
{
	struct hs_cut empty = { .lane_count = 4 };

	set_up(1);
	hs_bench_work(bench, true);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CUT,
						 .from = HS_REPLICA_NONE,
						 .u.cut = { .view = 1, .cut = &empty } });
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	hs_bench_wait(bench, 10000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_work(bench, true);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 2);
	hs_bench_stop(bench);
}

static void an_overdue_heartbeat_is_an_empty_block(void)
{
	struct hs_cut empty = { .lane_count = 4 };

	set_up(1);
	hs_bench_wait(bench, 1000000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CUT,
						 .from = HS_REPLICA_NONE,
						 .u.cut = { .view = 1, .cut = &empty } });
	UNIT_EQUAL(hs_bench_logged(bench, "sign request"), 1);
	hs_bench_stop(bench);
}

static void a_lane_of_the_drivers_cut_never_goes_back(void)
{
	struct hs_cut behind = { .lane_count = 4 };

	set_up(2);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_wait(bench, 200000);
	hs_bench_qc(bench, 1, &chain[1].id);
	behind.lane[2].seq = 9;
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CUT,
						 .from = HS_REPLICA_NONE,
						 .u.cut = { .view = 2, .cut = &behind } });
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	UNIT_EQUAL(proposed()->header.cut.lane[2].seq, 9);
	UNIT_EQUAL(proposed()->header.cut.lane[1].seq, 1);
	hs_bench_stop(bench);
}

static void blocks_keep_the_interval_floor(void)
{
	set_up(2);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_qc(bench, 1, &chain[1].id);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_wait(bench, 99999);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_wait(bench, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_stop(bench);
}

static void header_time_is_above_the_parents_when_the_clock_is_behind(void)
{
	set_up(2);
	hs_bench_work(bench, true);
	chain[1].header.time_ns = bench->wall_ns + 400000000;
	hs_make_block_again(&bench->config, &chain[1]);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_wait(bench, 200000);
	hs_bench_qc(bench, 1, &chain[1].id);
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	UNIT_EQUAL(proposed()->header.time_ns, chain[1].header.time_ns + 1);
	hs_bench_stop(bench);
}

static void commit_first(void)
{
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_settle(bench);
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &chain[1].id);
}

static void one_more_block_follows_a_tip_that_could_not_get_an_fc(void)
{
	struct bitset good = { .word = { 2, 0 } };
	struct bitset bad = { .word = { 8, 0 } };

	set_up(2);
	commit_first();
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 1);
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_COMMITS_CHECKED,
						 .from = HS_REPLICA_NONE,
						 .u.checked = { .view = 1,
								.block_id = chain[1].id,
								.good = good,
								.bad = bad } });
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_wait(bench, bench->config.delta_ns);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_stop(bench);
}

static void no_further_block_follows_a_tip_with_an_fc(void)
{
	set_up(2);
	commit_first();
	hs_bench_fc(bench, 1, &chain[1].id);
	hs_bench_wait(bench, 500000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "sign request"), 2);
	hs_bench_stop(bench);
}

static void an_uncommitted_certified_block_gets_a_successor_without_work(void)
{
	set_up(2);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_wait(bench, bench->config.delta_ns / 2 - 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_wait(bench, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 1);
	hs_bench_stop(bench);
}

static void a_leader_that_timed_out_does_not_propose(void)
{
	set_up(1);
	hs_bench_timeout(bench, 2, 1, NULL, NULL);
	hs_bench_timeout(bench, 3, 1, NULL, NULL);
	hs_bench_work(bench, true);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_stop(bench);
}

static void a_single_node_commits_by_itself(void)
{
	bench = hs_bench_start(1, 0);
	hs_bench_wait(bench, 1000000);
	for (uint32_t i = 0; i < 5; i++) {
		hs_bench_work(bench, true);
		hs_bench_settle(bench);
		hs_bench_wait(bench, 1000000);
		hs_bench_settle(bench);
	}
	UNIT_CHECK(hs_core_status(bench->core).committed_height >= 4);
	UNIT_CHECK(hs_bench_logged(bench, "proof") >= 4);
	hs_bench_stop(bench);
}

static void forget_all_but_records(void)
{
	while (hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD))
		;
	bench->todo_count = 0;
}

/* Certified blocks of every second view, none of which commits another; 0 leads the view after. */
static struct hs_block *deep_chain(uint32_t count)
{
	struct hs_block *deep = calloc(count + 1, sizeof(*deep));
	static struct hs_tc tc;

	UNIT_REQUIRE(deep != NULL);
	deep[0] = genesis;
	for (uint32_t i = 1; i <= count; i++) {
		uint64_t view = 2 * i - 1;

		hs_make_tc(&bench->config, view - 1, deep[i - 1].header.view,
			   deep[i - 1].header.view, &tc);
		hs_make_block(&bench->config, &deep[i - 1], view, i == 1 ? NULL : &tc, 0, &deep[i]);
		hs_bench_block(bench, &deep[i]);
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
		forget_all_but_records();
	}
	hs_bench_qc(bench, 2 * count - 1, &deep[count].id);
	forget_all_but_records();
	return deep;
}

static void a_leader_without_room_for_its_block_proposes_nothing(void)
{
	struct hs_block *deep;

	set_up(2);
	deep = deep_chain(HS_BLOCKS_MAX - 1);
	UNIT_EQUAL(hs_core_status(bench->core).leader, 2);
	hs_bench_work(bench, true);
	hs_bench_wait(bench, bench->config.block_interval_min_ns);
	UNIT_REQUIRE(hs_bench_answer(bench, HS_EFFECT_WANT_CUT));
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_FULL));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 0);
	hs_bench_stop(bench);
	free(deep);
}

static void an_own_block_that_was_evicted_before_it_was_signed_is_not_said(void)
{
	static struct hs_block fork;
	struct hs_block *deep;

	set_up(0);
	deep = deep_chain(HS_BLOCKS_MAX - 2);
	UNIT_EQUAL(hs_core_status(bench->core).leader, 0);
	hs_bench_work(bench, true);
	hs_bench_wait(bench, bench->config.block_interval_min_ns);
	UNIT_REQUIRE(hs_bench_answer(bench, HS_EFFECT_WANT_CUT));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 1);
	hs_make_block(&bench->config, &deep[2], 4, NULL, 0, &fork);
	hs_bench_block(bench, &fork);
	UNIT_CHECK(hs_core_block(bench->core, &fork.id) != NULL);
	hs_bench_forget(bench);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_core_status(bench->core).view, 2 * (HS_BLOCKS_MAX - 2));
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-block"), 0);
	hs_bench_stop(bench);
	free(deep);
}

static void a_proposal_signed_after_its_round_has_gone_is_not_said(void)
{
	const struct hs_round *round;
	struct crypto_signature none = { .b = { 0 } };

	set_up(1);
	hs_bench_work(bench, true);
	UNIT_REQUIRE(hs_bench_answer(bench, HS_EFFECT_WANT_CUT));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 1);
	hs_bench_qc(bench, 100, &chain[7].id);
	hs_bench_vote(bench, 2, 1 + HS_ROUNDS_MAX, &chain[7].id);
	hs_bench_answer(bench, HS_EFFECT_SIGN);
	round = hs_quorum_peek(&bench->core->quorum, 1 + HS_ROUNDS_MAX);
	UNIT_REQUIRE(round != NULL);
	UNIT_CHECK(memcmp(&round->proposal_signature, &none, sizeof(none)) == 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose view=1 "), 0);
	hs_bench_stop(bench);
}

/* A cut that was asked for on one parent says nothing about another. */
static void a_cut_for_a_parent_that_is_no_longer_the_highest_is_asked_for_again(void)
{
	static struct hs_block higher;
	static struct hs_tc tc;

	set_up(0);
	for (uint32_t v = 1; v < 4; v++)
		hs_bench_block(bench, &chain[v]);
	hs_bench_qc(bench, 3, &chain[3].id);
	hs_make_tc(&bench->config, 4, 3, 3, &tc);
	hs_make_block(&bench->config, &chain[3], 5, &tc, 0, &higher);
	hs_bench_block(bench, &higher);
	hs_bench_tc(bench, 7, 3);
	hs_bench_work(bench, true);
	hs_bench_wait(bench, bench->config.block_interval_min_ns);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut view=8"), 1);
	hs_bench_qc(bench, 5, &higher.id);
	UNIT_EQUAL(hs_core_status(bench->core).view, 8);
	hs_bench_answer(bench, HS_EFFECT_WANT_CUT);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 0);
	UNIT_REQUIRE(hs_bench_find(bench, HS_EFFECT_WANT_CUT) != NULL);
	UNIT_CHECK(crypto_hash_equal(
		&hs_bench_find(bench, HS_EFFECT_WANT_CUT)->u.want_cut.parent_id, &higher.id));
	settle_until_proposed();
	UNIT_REQUIRE(proposed() != NULL);
	UNIT_CHECK(crypto_hash_equal(&proposed()->header.parent_id, &higher.id));
	hs_bench_stop(bench);
}

static void a_member_without_a_heartbeat_waits_for_nothing(void)
{
	struct hs_config config = hs_make_config(4, 0);
	static struct hs_record record;

	config.heartbeat_ns = 0;
	record.epoch = config.epoch;
	hs_make_genesis_qc(&config, &record.high_qc);
	bench = hs_bench_new(&config);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record });
	hs_bench_wait(bench, 2 * config.delta_ns);
	UNIT_EQUAL(hs_core_status(bench->core).leader, 1);
	UNIT_EQUAL(hs_core_deadline_ns(bench->core), UINT64_MAX);
	hs_bench_stop(bench);
}

UNIT_SUITE("hs_propose", UNIT_TEST(an_idle_leader_proposes_nothing),
	   UNIT_TEST(a_leader_with_work_asks_for_a_cut_and_proposes_it),
	   UNIT_TEST(a_block_that_is_here_already_is_not_made_again),
	   UNIT_TEST(a_leader_votes_for_its_own_block_only_once_it_stores_the_batches),
	   UNIT_TEST(a_proposal_leaves_only_once_last_proposed_is_durable),
	   UNIT_TEST(one_proposal_a_view), UNIT_TEST(only_the_leader_proposes),
	   UNIT_TEST(the_next_leader_proposes_on_the_qc_before_any_commit),
	   UNIT_TEST(after_a_failed_view_the_proposal_carries_the_tc_and_the_highest_qc),
	   UNIT_TEST(after_a_failed_view_the_record_of_the_proposal_carries_the_tc),
	   UNIT_TEST(no_proposal_below_the_tcs_maximum),
	   UNIT_TEST(a_cut_for_a_view_that_passed_is_ignored),
	   UNIT_TEST(an_empty_cut_makes_no_block_unless_one_is_due),
	   UNIT_TEST(an_overdue_heartbeat_is_an_empty_block),
	   UNIT_TEST(a_lane_of_the_drivers_cut_never_goes_back),
	   UNIT_TEST(blocks_keep_the_interval_floor),
	   UNIT_TEST(header_time_is_above_the_parents_when_the_clock_is_behind),
	   UNIT_TEST(one_more_block_follows_a_tip_that_could_not_get_an_fc),
	   UNIT_TEST(no_further_block_follows_a_tip_with_an_fc),
	   UNIT_TEST(an_uncommitted_certified_block_gets_a_successor_without_work),
	   UNIT_TEST(a_leader_that_timed_out_does_not_propose),
	   UNIT_TEST(a_single_node_commits_by_itself),
	   UNIT_TEST(a_member_without_a_heartbeat_waits_for_nothing),
	   UNIT_TEST(a_leader_without_room_for_its_block_proposes_nothing),
	   UNIT_TEST(an_own_block_that_was_evicted_before_it_was_signed_is_not_said),
	   UNIT_TEST(a_proposal_signed_after_its_round_has_gone_is_not_said),
	   UNIT_TEST(a_cut_for_a_parent_that_is_no_longer_the_highest_is_asked_for_again))
