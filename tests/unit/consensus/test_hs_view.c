/* hs_view.c: rules A, T and TC. Replica 0 of 4; view v is led by v mod 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_copy.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block one;
static struct hs_tc tc;
static struct hs_qc qc;

static void set_up(void)
{
	bench = hs_bench_start(4, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &one);
	hs_bench_forget(bench);
}

static uint64_t view(void)
{
	return hs_core_status(bench->core).view;
}

static void certificates_raise_the_view_and_never_lower_it(void)
{
	set_up();
	UNIT_EQUAL(view(), 1);
	hs_bench_qc(bench, 7, &one.id);
	UNIT_EQUAL(view(), 8);
	hs_bench_tc(bench, 7, 3);
	hs_bench_qc(bench, 5, &one.id);
	UNIT_EQUAL(view(), 8);
	hs_bench_tc(bench, 8, 7);
	UNIT_EQUAL(view(), 9);
	UNIT_EQUAL(hs_core_status(bench->core).views_failed, 1);
	hs_bench_stop(bench);
}

static void the_highest_qc_is_kept_whatever_the_order(void)
{
	set_up();
	hs_bench_qc(bench, 7, &one.id);
	hs_bench_qc(bench, 5, &genesis.id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 7);
	hs_bench_tc(bench, 12, 7);
	hs_bench_qc(bench, 9, &genesis.id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 9);
	UNIT_EQUAL(view(), 13);
	hs_bench_stop(bench);
}

static void certificates_of_another_epoch_are_dropped(void)
{
	set_up();
	hs_make_qc(&bench->config, 7, &one.id, 0, &qc);
	qc.epoch = 2;
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_QC, .u.qc = &qc });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	hs_make_tc(&bench->config, 7, 0, 0, &tc);
	tc.epoch = 0;
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_TC, .u.tc = &tc });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	UNIT_EQUAL(view(), 1);
	hs_bench_stop(bench);
}

static void an_idle_replica_never_times_out(void)
{
	set_up();
	bench->config.heartbeat_ns = 0;
	hs_bench_wait(bench, 900000000);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	UNIT_EQUAL(hs_core_status(bench->core).timer_ns, 0);
	UNIT_EQUAL(hs_core_status(bench->core).base_ns, 15000000);
	hs_bench_work(bench, true);
	UNIT_EQUAL(hs_core_status(bench->core).timer_ns, 15000000);
	hs_bench_stop(bench);
}

static void an_overdue_heartbeat_starts_the_timer(void)
{
	set_up();
	hs_bench_wait(bench, 1014000000);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	hs_bench_wait(bench, 2000000);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 1);
	hs_bench_stop(bench);
}

static void a_timeout_leaves_only_once_it_is_durable(void)
{
	set_up();
	hs_bench_work(bench, true);
	hs_bench_wait(bench, 15100000);
	UNIT_EQUAL(hs_bench_logged(bench, "sign request"), 1);
	hs_bench_answer(bench, HS_EFFECT_SIGN);
	hs_bench_wait(bench, 20000000);
	UNIT_EQUAL(hs_bench_logged(bench, "send"), 0);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_TIMEOUT) != NULL);
	UNIT_EQUAL(bench->disk.last_timeout_view, 1);
	hs_bench_stop(bench);
}

static void a_timeout_is_sent_again_every_delta_byte_for_byte(void)
{
	static struct hs_timeout first;

	set_up();
	hs_bench_qc(bench, 4, &one.id);
	hs_bench_wait(bench, 15200000);
	hs_bench_answer(bench, HS_EFFECT_SIGN);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_TIMEOUT) != NULL);
	hs_copy_timeout(&first, &hs_bench_sent(bench, HS_MESSAGE_TIMEOUT)->u.timeout);
	UNIT_EQUAL(first.view, 5);
	UNIT_EQUAL(first.qc_view, 4);
	UNIT_EQUAL(first.entry.kind, HS_ENTRY_QC);
	hs_bench_wait(bench, 4999999);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout"), 1);
	hs_bench_wait(bench, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout"), 2);
	const struct hs_message *again = hs_bench_sent(bench, HS_MESSAGE_TIMEOUT);

	UNIT_REQUIRE(again != NULL);
	UNIT_CHECK(memcmp(&again->u.timeout, &first, offsetof(struct hs_timeout, qc)) == 0);
	UNIT_CHECK(hs_qc_is_same(&again->u.timeout.qc, &first.qc));
	UNIT_EQUAL(again->u.timeout.entry.kind, HS_ENTRY_QC);
	hs_bench_wait(bench, 50000000);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout"), 12);
	hs_bench_stop(bench);
}

static void a_timeout_carries_the_tc_by_which_its_view_was_entered(void)
{
	set_up();
	hs_bench_work(bench, true);
	hs_bench_tc(bench, 1, 0);
	hs_bench_wait(bench, 30000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=2 qc=0 entry=tc1"), 1);
	UNIT_CHECK(bench->disk.has_entry_tc);
	UNIT_EQUAL(bench->disk.entry_tc.view, 1);
	hs_bench_stop(bench);
}

static void a_view_already_left_is_never_timed_out(void)
{
	set_up();
	hs_bench_work(bench, true);
	hs_bench_wait(bench, 14000000);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_timeout(bench, 1, 1, NULL, NULL);
	hs_bench_timeout(bench, 2, 1, NULL, NULL);
	hs_bench_timeout(bench, 3, 1, NULL, NULL);
	hs_bench_wait(bench, 10000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "timeout view=1 qc"), 0);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	hs_bench_stop(bench);
}

static void a_timeout_decided_before_the_view_ended_is_not_sent_after(void)
{
	set_up();
	hs_bench_work(bench, true);
	hs_bench_wait(bench, 15100000);
	hs_bench_qc(bench, 1, &one.id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout"), 0);
	UNIT_EQUAL(bench->disk.last_timeout_view, 1);
	hs_bench_stop(bench);
}

static void f_plus_one_others_make_me_time_out(void)
{
	set_up();
	hs_bench_timeout(bench, 2, 1, NULL, NULL);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	hs_bench_timeout(bench, 3, 1, NULL, NULL);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 1);
	hs_bench_stop(bench);
}

static void the_leaders_own_timeout_is_enough(void)
{
	set_up();
	hs_bench_timeout(bench, 1, 1, NULL, NULL);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 1);
	hs_bench_stop(bench);
}

/* L8: one member that hears nobody cannot move the others. */
static void one_deaf_member_changes_no_view(void)
{
	set_up();
	for (uint32_t i = 0; i < 50; i++) {
		hs_bench_timeout(bench, 3, 1, NULL, NULL);
		hs_bench_wait(bench, 5000000);
	}
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	UNIT_EQUAL(view(), 1);
	hs_bench_stop(bench);
}

static void q_timeouts_make_a_tc_that_everybody_gets(void)
{
	set_up();
	hs_bench_timeout(bench, 2, 1, NULL, NULL);
	hs_bench_timeout(bench, 3, 1, NULL, NULL);
	UNIT_EQUAL(view(), 1);
	hs_bench_settle(bench);
	UNIT_EQUAL(view(), 2);
	UNIT_EQUAL(hs_bench_logged(bench, "send all tc view=1"), 1);
	hs_bench_timeout(bench, 1, 1, NULL, NULL);
	UNIT_EQUAL(hs_bench_logged(bench, "send all tc view=1"), 1);
	hs_bench_stop(bench);
}

static void a_timeout_counts_only_with_the_certificate_it_names(void)
{
	static struct hs_timeout bare;

	set_up();
	hs_make_qc(&bench->config, 3, &one.id, 0, &qc);
	hs_bench_tc(bench, 4, 3);
	hs_make_timeout(&bench->config, 2, 5, &qc, NULL, &bare);
	hs_make_genesis_qc(&bench->config, &bare.qc);
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_TIMEOUT, .from = 2, .u.timeout = &bare });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_QC_MISSING));
	hs_bench_timeout(bench, 2, 5, &qc, NULL);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 3);
	hs_bench_stop(bench);
}

static void the_entry_certificate_beside_a_timeout_brings_me_along(void)
{
	set_up();
	hs_make_tc(&bench->config, 8, 0, 0, &tc);
	hs_bench_timeout(bench, 3, 9, NULL, &tc);
	UNIT_EQUAL(view(), 9);
	hs_bench_stop(bench);
}

static void timeouts_far_ahead_without_a_certificate_are_dropped(void)
{
	set_up();
	hs_bench_timeout(bench, 3, 1 + HS_VIEWS_AHEAD_MAX, NULL, NULL);
	UNIT_CHECK(!hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_timeout(bench, 3, 2 + HS_VIEWS_AHEAD_MAX, NULL, NULL);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_timeout(bench, 3, UINT64_MAX, NULL, NULL);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_stop(bench);
}

static void a_timeout_of_an_old_view_is_answered_with_my_certificates(void)
{
	set_up();
	hs_bench_qc(bench, 3, &one.id);
	hs_bench_tc(bench, 4, 3);
	hs_bench_timeout(bench, 2, 2, NULL, NULL);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_TC) != NULL);
	UNIT_EQUAL(hs_bench_sent(bench, HS_MESSAGE_TC)->u.tc.view, 4);
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_QC) != NULL);
	UNIT_EQUAL(hs_bench_sent(bench, HS_MESSAGE_QC)->u.qc.view, 3);
	hs_bench_timeout(bench, 2, 2, NULL, NULL);
	UNIT_CHECK(hs_bench_sent(bench, HS_MESSAGE_TC) == NULL);
	hs_bench_wait(bench, 1250000);
	hs_bench_timeout(bench, 2, 2, NULL, NULL);
	UNIT_CHECK(hs_bench_sent(bench, HS_MESSAGE_TC) != NULL);
	hs_bench_stop(bench);
}

static void two_different_timeouts_of_one_view_are_evidence(void)
{
	static struct hs_timeout second;

	set_up();
	hs_bench_qc(bench, 3, &one.id);
	hs_make_qc(&bench->config, 3, &one.id, 0, &qc);
	hs_bench_timeout(bench, 2, 4, &qc, NULL);
	hs_make_timeout(&bench->config, 2, 4, NULL, NULL, &second);
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_TIMEOUT, .from = 2, .u.timeout = &second });
	const struct hs_effect *effect = hs_bench_find(bench, HS_EFFECT_EVIDENCE);

	UNIT_REQUIRE(effect != NULL);
	UNIT_EQUAL(effect->u.evidence.kind, HS_EVIDENCE_TWO_TIMEOUTS);
	UNIT_EQUAL(effect->u.evidence.author, 2);
	UNIT_EQUAL(effect->u.evidence.first.qc_view, 3);
	UNIT_EQUAL(effect->u.evidence.second.qc_view, 0);
	UNIT_CHECK(memcmp(&effect->u.evidence.second.signature, &second.signature, 64) == 0);
	hs_bench_stop(bench);
}

/* Views 1 to 14 pass without a word of member 3, who leads view 15. */
static void fall_silent(void)
{
	set_up();
	for (uint64_t v = 1; v <= 13; v++) {
		hs_bench_vote(bench, 1, v, &genesis.id);
		hs_bench_vote(bench, 2, v, &genesis.id);
		hs_bench_tc(bench, v, 0);
	}
	UNIT_EQUAL(view(), 14);
	hs_bench_work(bench, true);
}

static void a_silent_leaders_view_is_timed_out_at_once(void)
{
	fall_silent();
	hs_bench_tc(bench, 14, 0);
	UNIT_EQUAL(hs_core_leader(bench->core, 15), 3);
	UNIT_EQUAL(hs_core_status(bench->core).timer_ns, 0);
	hs_bench_wait(bench, bench->config.block_interval_min_ns);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 15);
	hs_bench_stop(bench);
}

/* Member 3 is silent and 1 has given up: 0 and 2 are no quorum. */
static void a_view_that_silent_members_leave_without_a_quorum_is_left(void)
{
	fall_silent();
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	hs_bench_timeout(bench, 1, 14, NULL, NULL);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 14);
	hs_bench_stop(bench);
}

static void a_zero_timer_lets_our_own_commit_go_first(void)
{
	fall_silent();
	hs_make_tc(&bench->config, 13, 0, 0, &tc);
	hs_make_block(&bench->config, &genesis, 14, &tc, 0, &one);
	hs_bench_propose(bench, &one);
	hs_bench_qc(bench, 14, &one.id);
	UNIT_EQUAL(hs_core_status(bench->core).timer_ns, 0);
	hs_bench_wait(bench, bench->config.delta_ns / 2 - 1);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_core_status(bench->core).last_commit_view, 14);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 15);
	hs_bench_stop(bench);
}

static void a_zero_timer_does_not_wait_for_ever(void)
{
	fall_silent();
	hs_make_tc(&bench->config, 13, 0, 0, &tc);
	hs_make_block(&bench->config, &genesis, 14, &tc, 0, &one);
	hs_bench_propose(bench, &one);
	hs_bench_qc(bench, 14, &one.id);
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	UNIT_EQUAL(hs_core_status(bench->core).last_timeout_view, 15);
	hs_bench_stop(bench);
}

UNIT_SUITE("hs_view", UNIT_TEST(certificates_raise_the_view_and_never_lower_it),
	   UNIT_TEST(the_highest_qc_is_kept_whatever_the_order),
	   UNIT_TEST(certificates_of_another_epoch_are_dropped),
	   UNIT_TEST(an_idle_replica_never_times_out),
	   UNIT_TEST(an_overdue_heartbeat_starts_the_timer),
	   UNIT_TEST(a_timeout_leaves_only_once_it_is_durable),
	   UNIT_TEST(a_timeout_is_sent_again_every_delta_byte_for_byte),
	   UNIT_TEST(a_timeout_carries_the_tc_by_which_its_view_was_entered),
	   UNIT_TEST(a_view_already_left_is_never_timed_out),
	   UNIT_TEST(a_timeout_decided_before_the_view_ended_is_not_sent_after),
	   UNIT_TEST(f_plus_one_others_make_me_time_out),
	   UNIT_TEST(the_leaders_own_timeout_is_enough), UNIT_TEST(one_deaf_member_changes_no_view),
	   UNIT_TEST(q_timeouts_make_a_tc_that_everybody_gets),
	   UNIT_TEST(a_timeout_counts_only_with_the_certificate_it_names),
	   UNIT_TEST(the_entry_certificate_beside_a_timeout_brings_me_along),
	   UNIT_TEST(timeouts_far_ahead_without_a_certificate_are_dropped),
	   UNIT_TEST(a_timeout_of_an_old_view_is_answered_with_my_certificates),
	   UNIT_TEST(two_different_timeouts_of_one_view_are_evidence),
	   UNIT_TEST(a_silent_leaders_view_is_timed_out_at_once),
	   UNIT_TEST(a_view_that_silent_members_leave_without_a_quorum_is_left),
	   UNIT_TEST(a_zero_timer_lets_our_own_commit_go_first),
	   UNIT_TEST(a_zero_timer_does_not_wait_for_ever))
