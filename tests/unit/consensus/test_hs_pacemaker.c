#include "consensus/hs_pacemaker.h"

#include <string.h>

#include "base/units.h"
#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static struct hs_config config;
static struct hs_pacemaker pacemaker;
static struct hs_tc tc;

static void set_up(void)
{
	config = hs_make_config(4, 1);
	hs_pacemaker_init(&pacemaker, 1, 1000);
}

static void enter(enum hs_entry_kind entry, uint64_t now_ns)
{
	hs_make_tc(&config, pacemaker.view, 0, 0, &tc);
	hs_pacemaker_enter(&pacemaker, &config, pacemaker.view + 1, entry, &tc, now_ns);
}

static void the_timer_runs_only_for_a_reason(void)
{
	set_up();
	UNIT_EQUAL(hs_pacemaker_deadline_ns(&pacemaker, &config, 0), UINT64_MAX);
	hs_pacemaker_reason(&pacemaker, true, 9000000);
	UNIT_EQUAL(hs_pacemaker_deadline_ns(&pacemaker, &config, 0), 9000000 + 15000000);
	hs_pacemaker_reason(&pacemaker, false, 9000001);
	UNIT_EQUAL(hs_pacemaker_deadline_ns(&pacemaker, &config, 0), UINT64_MAX);
}

static void the_timer_starts_at_the_latest_of_entry_reason_and_floor(void)
{
	set_up();
	hs_pacemaker_reason(&pacemaker, true, 9000000);
	enter(HS_ENTRY_QC, 20000000);
	hs_pacemaker_reason(&pacemaker, true, 21000000);
	uint64_t deadline_ns = hs_pacemaker_deadline_ns(&pacemaker, &config, 2);

	UNIT_EQUAL(deadline_ns, 20000000 + hs_pacemaker_timer_ns(&pacemaker, &config, 2));
	pacemaker.last_block_ns = 25000000;
	UNIT_EQUAL(hs_pacemaker_deadline_ns(&pacemaker, &config, 2),
		   deadline_ns + 5000000 + config.block_interval_min_ns);
}

/* A view of somebody who was heard. */
static void fail_view(void)
{
	for (uint32_t m = 0; m < config.replica_count; m++)
		hs_pacemaker_hear(&pacemaker, m);
	enter(HS_ENTRY_TC, 2000);
}

static void use_up_patience(void)
{
	for (uint32_t i = 0; i < HS_PATIENCE_VIEWS_MIN; i++)
		fail_view();
}

static void views_that_fail_in_a_row_are_borne_before_timers_grow(void)
{
	set_up();
	use_up_patience();
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 15000000);
	fail_view();
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 22500000);
}

static void more_members_than_that_are_borne_each_once(void)
{
	set_up();
	config.replica_count = HS_PATIENCE_VIEWS_MIN + 5;
	for (uint32_t i = 0; i < config.replica_count; i++)
		fail_view();
	UNIT_EQUAL(pacemaker.backoff, HS_BACKOFF_ONE);
	fail_view();
	UNIT_CHECK(pacemaker.backoff > HS_BACKOFF_ONE);
}

static void only_a_commit_renews_the_patience(void)
{
	set_up();
	use_up_patience();
	enter(HS_ENTRY_QC, 2000);
	fail_view();
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 22500000);
	hs_pacemaker_on_commit(&pacemaker);
	use_up_patience();
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 15000000);
}

static void each_failed_view_backs_off_by_half_and_stops_at_the_limit(void)
{
	set_up();
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 15000000);
	use_up_patience();
	enter(HS_ENTRY_TC, 2000);
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 22500000);
	enter(HS_ENTRY_TC, 3000);
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 33750000);
	for (uint32_t i = 0; i < 100; i++) {
		for (uint32_t m = 0; m < 4; m++)
			hs_pacemaker_hear(&pacemaker, m);
		enter(HS_ENTRY_TC, 3000);
	}
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), config.timeout_max_ns);
	UNIT_EQUAL(pacemaker.views_failed, HS_PATIENCE_VIEWS_MIN + 102);
}

static void commits_halve_the_back_off_down_to_the_base(void)
{
	set_up();
	use_up_patience();
	enter(HS_ENTRY_TC, 2000);
	enter(HS_ENTRY_TC, 3000);
	hs_pacemaker_on_commit(&pacemaker);
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 16875000);
	hs_pacemaker_on_commit(&pacemaker);
	hs_pacemaker_on_commit(&pacemaker);
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 0), 15000000);
}

static void the_base_is_four_times_the_slowest_recent_view(void)
{
	set_up();
	hs_pacemaker_reason(&pacemaker, true, 1000);
	for (uint32_t i = 0; i < HS_SAMPLES_MAX; i++)
		enter(HS_ENTRY_QC, pacemaker.entered_ns + (i % 8 < 2 ? 10000000 : 1000000));
	UNIT_EQUAL(hs_pacemaker_base_ns(&pacemaker, &config), 40000000);
	for (uint32_t i = 0; i < HS_SAMPLES_MAX; i++)
		enter(HS_ENTRY_QC, pacemaker.entered_ns + 1000000);
	UNIT_EQUAL(hs_pacemaker_base_ns(&pacemaker, &config), 15000000);
}

static void f_slow_leaders_do_not_stretch_the_timer(void)
{
	set_up();
	hs_pacemaker_reason(&pacemaker, true, 1000);
	for (uint32_t i = 0; i < HS_SAMPLES_MAX; i++)
		enter(HS_ENTRY_QC,
		      pacemaker.entered_ns + (pacemaker.view % 4 == 3 ? 14000000 : 1000000));
	UNIT_EQUAL(hs_pacemaker_base_ns(&pacemaker, &config), 15000000);
	config = hs_make_config(1, 0);
	hs_pacemaker_init(&pacemaker, 1, 1000);
	hs_pacemaker_reason(&pacemaker, true, 1000);
	enter(HS_ENTRY_QC, 1000 + 10000000);
	UNIT_EQUAL(hs_pacemaker_base_ns(&pacemaker, &config), 40000000);
}

static void idle_and_failed_views_are_no_samples(void)
{
	set_up();
	enter(HS_ENTRY_QC, 800000000);
	UNIT_EQUAL(pacemaker.sample_count, 0);
	hs_pacemaker_reason(&pacemaker, true, 800000000);
	enter(HS_ENTRY_TC, 900000000);
	UNIT_EQUAL(pacemaker.sample_count, 0);
	hs_pacemaker_enter(&pacemaker, &config, pacemaker.view + 5, HS_ENTRY_QC, NULL, 950000000);
	UNIT_EQUAL(pacemaker.sample_count, 0);
}

static void a_silent_leader_gets_no_time_while_a_quorum_is_active(void)
{
	set_up();
	for (uint32_t i = 0; i < 9; i++) {
		hs_pacemaker_hear(&pacemaker, 0);
		hs_pacemaker_hear(&pacemaker, 2);
		enter(HS_ENTRY_QC, 2000 + i);
	}
	UNIT_CHECK(hs_pacemaker_is_silent(&pacemaker, &config, 3));
	UNIT_EQUAL(hs_pacemaker_timer_ns(&pacemaker, &config, 3), 0);
	UNIT_CHECK(hs_pacemaker_timer_ns(&pacemaker, &config, 0) > 0);
	UNIT_CHECK(!hs_pacemaker_is_silent(&pacemaker, &config, config.replica_id));
	hs_pacemaker_hear(&pacemaker, 3);
	UNIT_CHECK(!hs_pacemaker_is_silent(&pacemaker, &config, 3));
}

static void nobody_is_silent_when_less_than_a_quorum_is_heard(void)
{
	set_up();
	for (uint32_t i = 0; i < 20; i++) {
		hs_pacemaker_hear(&pacemaker, 2);
		enter(HS_ENTRY_QC, 2000 + i);
	}
	UNIT_CHECK(!hs_pacemaker_is_silent(&pacemaker, &config, 3));
	UNIT_CHECK(!hs_pacemaker_is_silent(&pacemaker, &config, 0));
}

static void a_leap_over_many_views_makes_nobody_silent(void)
{
	set_up();
	hs_pacemaker_enter(&pacemaker, &config, 5000, HS_ENTRY_QC, NULL, 2000);
	UNIT_CHECK(!hs_pacemaker_is_silent(&pacemaker, &config, 3));
}

static void a_silent_leaders_failed_view_does_not_back_off(void)
{
	set_up();
	use_up_patience();
	UNIT_EQUAL(pacemaker.view, 33);
	for (uint32_t i = 0; i < 10; i++) {
		hs_pacemaker_hear(&pacemaker, 0);
		hs_pacemaker_hear(&pacemaker, 2);
		enter(HS_ENTRY_QC, 2000 + i);
	}
	UNIT_EQUAL(pacemaker.view, 43);
	enter(HS_ENTRY_TC, 3000);
	UNIT_EQUAL(pacemaker.backoff, HS_BACKOFF_ONE);
	enter(HS_ENTRY_TC, 3000);
	UNIT_CHECK(pacemaker.backoff > HS_BACKOFF_ONE);
}

static void the_block_interval_grows_with_queueing_and_is_bounded(void)
{
	set_up();
	hs_pacemaker_reason(&pacemaker, true, 1000);
	for (uint32_t i = 0; i < HS_SAMPLES_MAX; i++)
		enter(HS_ENTRY_QC, pacemaker.entered_ns + 1000000);
	UNIT_EQUAL(hs_pacemaker_block_interval_ns(&pacemaker, &config), 100000);
	for (uint32_t i = 0; i < HS_SAMPLES_MAX / 2; i++)
		enter(HS_ENTRY_QC, pacemaker.entered_ns + 1300000);
	UNIT_EQUAL(hs_pacemaker_block_interval_ns(&pacemaker, &config), 300000);
	for (uint32_t i = 0; i < HS_SAMPLES_MAX / 2; i++)
		enter(HS_ENTRY_QC, pacemaker.entered_ns + 90000000);
	UNIT_EQUAL(hs_pacemaker_block_interval_ns(&pacemaker, &config), 800000);
}

static void answers_to_one_peer_are_rate_limited(void)
{
	set_up();
	UNIT_CHECK(hs_pacemaker_may_answer(&pacemaker, &config, 2, 1000000));
	UNIT_CHECK(!hs_pacemaker_may_answer(&pacemaker, &config, 2, 1000000));
	UNIT_CHECK(hs_pacemaker_may_answer(&pacemaker, &config, 3, 1000000));
	UNIT_CHECK(!hs_pacemaker_may_answer(&pacemaker, &config, 2, 2249999));
	UNIT_CHECK(hs_pacemaker_may_answer(&pacemaker, &config, 2, 2250000));
	UNIT_CHECK(!hs_pacemaker_may_answer(&pacemaker, &config, config.replica_id, 9000000));
	UNIT_CHECK(!hs_pacemaker_may_answer(&pacemaker, &config, HS_REPLICA_NONE, 9000000));
}

static void lower_view(void *context)
{
	(void)context;
	set_up();
	hs_pacemaker_enter(&pacemaker, &config, 1, HS_ENTRY_QC, NULL, 2000);
}

static void a_view_never_falls(void)
{
	UNIT_CHECK(unit_aborts(lower_view, NULL));
}

UNIT_SUITE("hs_pacemaker", UNIT_TEST(the_timer_runs_only_for_a_reason),
	   UNIT_TEST(the_timer_starts_at_the_latest_of_entry_reason_and_floor),
	   UNIT_TEST(views_that_fail_in_a_row_are_borne_before_timers_grow),
	   UNIT_TEST(more_members_than_that_are_borne_each_once),
	   UNIT_TEST(only_a_commit_renews_the_patience),
	   UNIT_TEST(each_failed_view_backs_off_by_half_and_stops_at_the_limit),
	   UNIT_TEST(commits_halve_the_back_off_down_to_the_base),
	   UNIT_TEST(the_base_is_four_times_the_slowest_recent_view),
	   UNIT_TEST(f_slow_leaders_do_not_stretch_the_timer),
	   UNIT_TEST(idle_and_failed_views_are_no_samples),
	   UNIT_TEST(a_silent_leader_gets_no_time_while_a_quorum_is_active),
	   UNIT_TEST(nobody_is_silent_when_less_than_a_quorum_is_heard),
	   UNIT_TEST(a_leap_over_many_views_makes_nobody_silent),
	   UNIT_TEST(a_silent_leaders_failed_view_does_not_back_off),
	   UNIT_TEST(the_block_interval_grows_with_queueing_and_is_bounded),
	   UNIT_TEST(answers_to_one_peer_are_rate_limited), UNIT_TEST(a_view_never_falls))
