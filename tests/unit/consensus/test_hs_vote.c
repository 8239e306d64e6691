/* hs_vote.c: rules P, V, K and D as a peer sees them. Replica 0 of 4; view v is led by v mod 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block one; /* view 1 */
static struct hs_block two; /* view 2 on one */
static struct hs_block other;
static struct hs_tc tc;

static void set_up(void)
{
	bench = hs_bench_start(4, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &one);
	hs_make_block(&bench->config, &one, 2, NULL, 0, &two);
	hs_bench_forget(bench);
}

static void a_vote_leaves_only_when_record_block_and_signature_are_there(void)
{
	static const enum hs_effect_kind asked[] = { HS_EFFECT_PERSIST_BLOCK, HS_EFFECT_SIGN,
						     HS_EFFECT_PERSIST_RECORD };

	for (uint32_t last = 0; last < 3; last++) {
		set_up();
		hs_bench_propose(bench, &one);
		UNIT_CHECK(hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD));
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 1);
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 1);
		for (uint32_t i = 0; i < 3; i++) {
			if (i == last)
				continue;
			UNIT_CHECK(hs_bench_answer(bench, asked[i]));
			UNIT_EQUAL(hs_bench_logged(bench, "send"), 0);
		}
		hs_bench_wait(bench, 900000);
		UNIT_EQUAL(hs_bench_logged(bench, "send"), 0);
		UNIT_CHECK(hs_bench_answer(bench, asked[last]));
		UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_VOTE) != NULL);
		UNIT_EQUAL(hs_bench_sent(bench, HS_MESSAGE_VOTE)->u.vote.view, 1);
		UNIT_EQUAL(bench->disk.last_vote_view, 1);
		hs_bench_stop(bench);
	}
}

static void no_vote_before_the_payload_is_here(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_PAYLOAD), 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_BLOCK), 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 0);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 0);
	hs_bench_stop(bench);
}

static void an_invalid_payload_is_never_voted_for(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_PAYLOAD,
						 .from = HS_REPLICA_NONE,
						 .u.payload = { .block_id = one.id,
								.verdict = HS_PAYLOAD_INVALID } });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_PAYLOAD));
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	hs_bench_stop(bench);
}

static void one_vote_a_view_even_for_an_equivocating_leader(void)
{
	set_up();
	hs_make_block(&bench->config, &genesis, 1, NULL, 5, &other);
	hs_bench_propose(bench, &one);
	hs_bench_propose(bench, &other);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_EVIDENCE), 1);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 1);
	hs_bench_propose(bench, &one);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 1);
	hs_bench_stop(bench);
}

static void no_vote_in_a_view_that_was_timed_out(void)
{
	set_up();
	hs_bench_work(bench, true);
	hs_bench_wait(bench, 16000000);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 1);
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view"), 0);
	hs_bench_stop(bench);
}

static void a_proposal_on_the_qc_before_is_entered_by_and_voted_for(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_propose(bench, &two);
	UNIT_EQUAL(hs_core_status(bench->core).view, 2);
	UNIT_EQUAL(hs_core_status(bench->core).high_qc_view, 1);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 1);
	UNIT_EQUAL(bench->disk.high_qc.view, 1);
	hs_bench_stop(bench);
}

static void a_tc_proposal_needs_a_justify_as_high_as_the_tc_reports(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	hs_bench_qc(bench, 1, &one.id);
	hs_make_tc(&bench->config, 2, 0, 1, &tc);
	hs_make_block(&bench->config, &genesis, 3, &tc, 0, &other);
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_JUSTIFY));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=3"), 0);
	hs_make_block(&bench->config, &one, 3, &tc, 0, &other);
	hs_bench_propose(bench, &other);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=3"), 1);
	hs_bench_stop(bench);
}

/* Liveness (S4): P(3)(b) suffices, even against a lock above the justify. */
static void a_tc_proposal_is_voted_for_against_a_higher_own_lock(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_propose(bench, &two);
	hs_bench_qc(bench, 2, &two.id);
	hs_bench_settle(bench);
	hs_make_tc(&bench->config, 3, 1, 1, &tc);
	hs_make_block(&bench->config, &one, 4, &tc, 9, &other);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 2);
	hs_bench_propose(bench, &other);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=4"), 1);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 2);
	hs_bench_stop(bench);
}

static void a_proposal_that_skips_views_without_a_tc_is_refused(void)
{
	set_up();
	hs_make_block(&bench->config, &genesis, 2, NULL, 0, &other);
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_JUSTIFY));
	hs_bench_tc(bench, 1, 0);
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_JUSTIFY));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote"), 0);
	hs_bench_stop(bench);
}

static void check_refused(struct hs_block *block, enum hs_drop reason)
{
	hs_make_block_again(&bench->config, block);
	hs_bench_propose(bench, block);
	UNIT_CHECK(hs_bench_dropped(bench, reason));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	hs_bench_stop(bench);
}

static void headers_that_break_p1_are_refused(void)
{
	set_up();
	one.header.height = 2;
	check_refused(&one, HS_DROP_HEADER);
	set_up();
	one.header.time_ns = genesis.header.time_ns;
	check_refused(&one, HS_DROP_TIME);
	set_up();
	one.header.parent_id.b[0] ^= 1;
	check_refused(&one, HS_DROP_HEADER);
	set_up();
	one.header.cut.lane_count = 3;
	check_refused(&one, HS_DROP_CUT);
	set_up();
	one.header.has_config = true;
	check_refused(&one, HS_DROP_RESERVED);
	set_up();
	one.header.has_checkpoint = true;
	check_refused(&one, HS_DROP_RESERVED);
	set_up();
	one.author = 2;
	check_refused(&one, HS_DROP_NOT_LEADER);
}

static void a_virtual_justify_must_name_genesis(void)
{
	set_up();
	one.justify.block_id.b[0] ^= 1;
	one.header.parent_id = one.justify.block_id;
	check_refused(&one, HS_DROP_JUSTIFY);
}

static void an_id_that_is_not_the_headers_hash_is_refused(void)
{
	set_up();
	one.header.time_ns++;
	hs_bench_propose(bench, &one);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_HEADER));
	one.header.time_ns--;
	one.header.justify_digest.b[0] ^= 1;
	one.id = hs_block_id(&bench->config.chain_id, &bench->config.set_hash, &one.header);
	hs_bench_propose(bench, &one);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_HEADER));
	hs_bench_stop(bench);
}

static void a_cut_that_goes_back_is_refused(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	two.header.cut.lane[1].seq = 0;
	hs_make_block_again(&bench->config, &two);
	hs_bench_propose(bench, &two);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_CUT));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view=2"), 0);
	hs_bench_stop(bench);
}

static void a_proposal_fetched_before_is_judged_all_the_same(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	two.header.cut.lane[1].seq = 0;
	hs_make_block_again(&bench->config, &two);
	hs_bench_block(bench, &two);
	hs_bench_propose(bench, &two);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_CUT));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view=2"), 0);
	hs_bench_stop(bench);
}

static void a_proposal_from_the_future_is_held_until_its_time_is_near(void)
{
	set_up();
	one.header.time_ns = bench->wall_ns + bench->config.clock_skew_max_ns + 2000000;
	hs_make_block_again(&bench->config, &one);
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	UNIT_EQUAL(hs_core_deadline_ns(bench->core), bench->now_ns + 2000000);
	hs_bench_wait(bench, 1999999);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	hs_bench_wait(bench, 1);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 1);
	hs_bench_stop(bench);
}

static void a_proposal_waits_for_its_unknown_parent(void)
{
	set_up();
	hs_bench_propose(bench, &two);
	UNIT_CHECK(hs_bench_find(bench, HS_EFFECT_WANT_BLOCK) != NULL);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	hs_bench_block(bench, &one);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view=1"), 0);
	hs_bench_stop(bench);
}

static void a_fetched_block_is_never_voted_for(void)
{
	set_up();
	hs_bench_block(bench, &one);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote"), 0);
	hs_bench_stop(bench);
}

static void commit_vote_waits_for_qc_block_and_payload(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_qc(bench, 1, &one.id);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view"), 0);
	UNIT_CHECK(hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 0);
	UNIT_CHECK(hs_bench_answer(bench, HS_EFFECT_PERSIST_BLOCK));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 1);
	UNIT_CHECK(hs_bench_answer(bench, HS_EFFECT_SIGN));
	UNIT_EQUAL(hs_bench_logged(bench, "send"), 0);
	UNIT_CHECK(hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD));
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_COMMIT) != NULL);
	UNIT_EQUAL(bench->disk.last_commit_view, 1);
	UNIT_EQUAL(bench->disk.high_qc.view, 1);
	hs_bench_stop(bench);
}

static void commit_vote_waits_for_the_payload_when_all_else_is_there(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_BLOCK);
	hs_bench_wait(bench, 2000000);
	UNIT_EQUAL(hs_bench_logged(bench, "sign request"), 0);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	UNIT_EQUAL(hs_bench_logged(bench, "sign request"), 1);
	hs_bench_stop(bench);
}

static void no_commit_vote_without_a_qc(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	hs_bench_vote(bench, 1, 1, &one.id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view"), 0);
	hs_bench_vote(bench, 3, 1, &one.id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all commit view=1"), 1);
	hs_bench_stop(bench);
}

/* Rule K, the guard: the mutant without it commits two blocks within three views. */
static void no_commit_vote_after_a_timeout_of_the_same_view(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	hs_bench_wait(bench, 16000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 1);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_core_status(bench->core).high_qc_view, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view"), 0);
	hs_bench_stop(bench);
}

static void no_commit_vote_after_a_timeout_of_a_later_view(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_wait(bench, 16000000);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 2);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=2 qc=1"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view"), 0);
	hs_bench_stop(bench);
}

/* Rule L: what was committed on is what a later TIMEOUT reports. */
static void a_timeout_after_a_commit_vote_reports_that_qc(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all commit view=1"), 1);
	hs_bench_wait(bench, 16000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=2 qc=1"), 1);
	hs_bench_stop(bench);
}

static void vote_and_commit_are_repeated_once_after_a_quarter_of_delta(void)
{
	uint64_t delta_ns;

	set_up();
	delta_ns = bench->config.delta_ns;
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	hs_bench_wait(bench, delta_ns / 4 - 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 1);
	hs_bench_wait(bench, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 2);
	hs_bench_wait(bench, 5000000);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 2);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_settle(bench);
	hs_bench_wait(bench, delta_ns / 4);
	UNIT_EQUAL(hs_bench_logged(bench, "send all commit"), 2);
	hs_bench_wait(bench, 5000000);
	UNIT_EQUAL(hs_bench_logged(bench, "send all commit"), 2);
	hs_bench_stop(bench);
}

static void nothing_is_repeated_once_a_certificate_came(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_settle(bench);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_settle(bench);
	hs_bench_commit(bench, 1, 1, &one.id);
	hs_bench_commit(bench, 3, 1, &one.id);
	hs_bench_wait(bench, 2000000);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all commit"), 1);
	hs_bench_stop(bench);
}

static void one_record_covers_all_changes_while_a_write_is_outstanding(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_BLOCK);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_propose(bench, &two);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-record"), 1);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-record"), 2);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_EQUAL(bench->disk.last_vote_view, 2);
	UNIT_EQUAL(bench->disk.last_commit_view, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-record"), 2);
	hs_bench_stop(bench);
}

/* A slow disk: the vote leaves, but 128 views later it counts for nothing here. */
static void an_own_vote_whose_round_is_gone_is_not_counted_in_another(void)
{
	set_up();
	hs_bench_propose(bench, &one);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 1);
	hs_bench_qc(bench, 100, &two.id);
	hs_bench_vote(bench, 1, 1 + HS_ROUNDS_MAX, &one.id);
	hs_bench_vote(bench, 2, 1 + HS_ROUNDS_MAX, &one.id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1 "), 1);
	UNIT_EQUAL(hs_quorum_vote_count(&bench->core->quorum, 1 + HS_ROUNDS_MAX, &one.id), 2);
	UNIT_EQUAL(hs_core_status(bench->core).high_qc_view, 100);
	hs_bench_stop(bench);
}

static uint64_t vote_all_but_the_block(const struct hs_block *block)
{
	uint64_t ticket;

	hs_bench_propose(bench, block);
	UNIT_REQUIRE(hs_bench_find(bench, HS_EFFECT_PERSIST_BLOCK));
	ticket = hs_bench_find(bench, HS_EFFECT_PERSIST_BLOCK)->ticket;
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	hs_bench_answer(bench, HS_EFFECT_SIGN);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	return ticket;
}

static void a_vote_that_the_disk_held_back_does_not_follow_a_newer_one_out(void)
{
	uint64_t ticket[2];

	set_up();
	ticket[0] = vote_all_but_the_block(&one);
	ticket[1] = vote_all_but_the_block(&two);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote"), 0);
	for (uint32_t i = 2; i > 0; i--)
		hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_PERSISTED,
							 .from = HS_REPLICA_NONE,
							 .u.ticket = ticket[i - 1] });
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2 "), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1 "), 0);
	UNIT_EQUAL(bench->core->vote.view, 2);
	hs_bench_stop(bench);
}

static void only_a_block_that_may_be_voted_for_is_held_for_its_time(void)
{
	for (uint32_t is_invalid = 0; is_invalid < 2; is_invalid++) {
		set_up();
		hs_bench_propose(bench, &one);
		hs_bench_settle(bench);
		two.header.time_ns = bench->wall_ns + UINT64_C(10000000000);
		if (is_invalid)
			two.header.cut.lane[0] = genesis.header.cut.lane[0];
		hs_make_block_again(&bench->config, &two);
		hs_bench_propose(bench, &two);
		UNIT_EQUAL(hs_bench_dropped(bench, HS_DROP_CUT), is_invalid);
		hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_PAYLOAD,
							 .from = HS_REPLICA_NONE,
							 .u.payload = { .block_id = two.id } });
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 0);
		UNIT_EQUAL(hs_hold_deadline_ns(bench->core),
			   is_invalid ? UINT64_MAX : bench->now_ns + bench->config.delta_ns);
		hs_bench_stop(bench);
	}
}

UNIT_SUITE("hs_vote", UNIT_TEST(a_vote_leaves_only_when_record_block_and_signature_are_there),
	   UNIT_TEST(no_vote_before_the_payload_is_here),
	   UNIT_TEST(an_invalid_payload_is_never_voted_for),
	   UNIT_TEST(one_vote_a_view_even_for_an_equivocating_leader),
	   UNIT_TEST(no_vote_in_a_view_that_was_timed_out),
	   UNIT_TEST(a_proposal_on_the_qc_before_is_entered_by_and_voted_for),
	   UNIT_TEST(a_tc_proposal_needs_a_justify_as_high_as_the_tc_reports),
	   UNIT_TEST(a_tc_proposal_is_voted_for_against_a_higher_own_lock),
	   UNIT_TEST(a_proposal_that_skips_views_without_a_tc_is_refused),
	   UNIT_TEST(headers_that_break_p1_are_refused),
	   UNIT_TEST(a_virtual_justify_must_name_genesis),
	   UNIT_TEST(an_id_that_is_not_the_headers_hash_is_refused),
	   UNIT_TEST(a_cut_that_goes_back_is_refused),
	   UNIT_TEST(a_proposal_fetched_before_is_judged_all_the_same),
	   UNIT_TEST(a_proposal_from_the_future_is_held_until_its_time_is_near),
	   UNIT_TEST(a_proposal_waits_for_its_unknown_parent),
	   UNIT_TEST(a_fetched_block_is_never_voted_for),
	   UNIT_TEST(commit_vote_waits_for_qc_block_and_payload),
	   UNIT_TEST(commit_vote_waits_for_the_payload_when_all_else_is_there),
	   UNIT_TEST(no_commit_vote_without_a_qc),
	   UNIT_TEST(no_commit_vote_after_a_timeout_of_the_same_view),
	   UNIT_TEST(no_commit_vote_after_a_timeout_of_a_later_view),
	   UNIT_TEST(a_timeout_after_a_commit_vote_reports_that_qc),
	   UNIT_TEST(vote_and_commit_are_repeated_once_after_a_quarter_of_delta),
	   UNIT_TEST(nothing_is_repeated_once_a_certificate_came),
	   UNIT_TEST(one_record_covers_all_changes_while_a_write_is_outstanding),
	   UNIT_TEST(an_own_vote_whose_round_is_gone_is_not_counted_in_another),
	   UNIT_TEST(a_vote_that_the_disk_held_back_does_not_follow_a_newer_one_out),
	   UNIT_TEST(only_a_block_that_may_be_voted_for_is_held_for_its_time))
