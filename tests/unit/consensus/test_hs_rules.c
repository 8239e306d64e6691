#include "consensus/hs_rules.h"

#include <string.h>

#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static struct hs_config config;
static struct hs_block genesis;
static struct hs_block parent; /* view 3 */
static struct hs_block block;  /* view 4 on it */
static struct hs_tc tc;

static void make(void)
{
	config = hs_make_config(4, 1);
	hs_make_genesis(&config, &genesis);
	hs_make_block(&config, &genesis, 3, NULL, 0, &parent);
	hs_make_block(&config, &parent, 4, NULL, 0, &block);
}

static void quorum_is_two_f_plus_one_and_never_less_than_n_minus_f(void)
{
	UNIT_EQUAL(hs_quorum(1), 1);
	UNIT_EQUAL(hs_quorum(4), 3);
	UNIT_EQUAL(hs_quorum(5), 4);
	UNIT_EQUAL(hs_quorum(6), 5);
	UNIT_EQUAL(hs_quorum(7), 5);
	UNIT_EQUAL(hs_quorum(100), 67);
	for (uint32_t n = 4; n <= HS_REPLICAS_MAX; n++)
		UNIT_CHECK(2 * hs_quorum(n) - n > hs_faulty_max(n));
}

static void a_certificate_ends_its_own_view_and_all_before(void)
{
	UNIT_CHECK(hs_rules_a_enters(5, 5));
	UNIT_CHECK(hs_rules_a_enters(5, 9));
	UNIT_CHECK(!hs_rules_a_enters(5, 4));
	UNIT_CHECK(!hs_rules_a_enters(5, UINT64_MAX));
}

static void p1_height_parent_and_justify_must_fit_the_parent(void)
{
	struct hs_block other;

	make();
	UNIT_CHECK(hs_rules_p1_links_parent(&block, &parent));
	other = block;
	other.header.height++;
	UNIT_CHECK(!hs_rules_p1_links_parent(&other, &parent));
	other = block;
	other.header.parent_id.b[0] ^= 1;
	UNIT_CHECK(!hs_rules_p1_links_parent(&other, &parent));
	other = block;
	other.justify.view--;
	UNIT_CHECK(!hs_rules_p1_links_parent(&other, &parent));
	other = block;
	other.header.view = parent.header.view;
	UNIT_CHECK(!hs_rules_p1_links_parent(&other, &parent));
}

static void p1_header_must_repeat_what_the_justify_says(void)
{
	struct hs_block other;

	make();
	UNIT_CHECK(hs_rules_p1_names_justify(&block));
	other = block;
	other.header.justify_view--;
	UNIT_CHECK(!hs_rules_p1_names_justify(&other));
	other = block;
	other.justify.block_id.b[3] ^= 1;
	UNIT_CHECK(!hs_rules_p1_names_justify(&other));
	other = block;
	other.justify.view = other.header.justify_view = other.header.view;
	UNIT_CHECK(!hs_rules_p1_names_justify(&other));
}

static void p1_time_must_rise_and_may_be_half_a_second_ahead(void)
{
	make();
	UNIT_CHECK(hs_rules_p1_time_rises(&block.header, &parent.header));
	block.header.time_ns = parent.header.time_ns;
	UNIT_CHECK(!hs_rules_p1_time_rises(&block.header, &parent.header));
	UNIT_CHECK(hs_rules_p1_time_is_due(1500, 1000, 500));
	UNIT_CHECK(!hs_rules_p1_time_is_due(1501, 1000, 500));
	UNIT_CHECK(hs_rules_p1_time_is_due(1, 1000, 500));
	UNIT_CHECK(!hs_rules_p1_time_is_due(UINT64_MAX, 1000, 500));
}

static void p3_needs_the_view_before_or_a_tc_and_its_highest_qc(void)
{
	make();
	UNIT_CHECK(hs_rules_p3_justify_fits(&block));
	hs_make_tc(&config, 5, 3, 3, &tc);
	hs_make_block(&config, &parent, 6, NULL, 0, &block);
	UNIT_CHECK(!hs_rules_p3_justify_fits(&block));
	hs_make_block(&config, &parent, 6, &tc, 0, &block);
	UNIT_CHECK(hs_rules_p3_justify_fits(&block));
	hs_make_tc(&config, 5, 2, 4, &block.tc);
	UNIT_CHECK(!hs_rules_p3_justify_fits(&block));
	hs_make_tc(&config, 4, 3, 3, &block.tc);
	UNIT_CHECK(!hs_rules_p3_justify_fits(&block));
	hs_make_tc(&config, 6, 3, 3, &block.tc);
	UNIT_CHECK(!hs_rules_p3_justify_fits(&block));
	hs_make_tc(&config, 5, 3, 3, &block.tc);
	block.tc.epoch++;
	UNIT_CHECK(!hs_rules_p3_justify_fits(&block));
	block.header.view = 0;
	block.justify.view = UINT64_MAX;
	UNIT_CHECK(!hs_rules_p3_justify_fits(&block));
}

static void p4_no_lane_may_go_back_or_change(void)
{
	struct hs_cut cut;

	make();
	cut = block.header.cut;
	UNIT_CHECK(hs_rules_p4_cut_is_monotone(&cut, &parent.header.cut));
	UNIT_CHECK(hs_rules_p4_cut_is_monotone(&cut, &cut));
	cut.lane[2].seq = parent.header.cut.lane[2].seq;
	UNIT_CHECK(!hs_rules_p4_cut_is_monotone(&cut, &parent.header.cut));
	cut = block.header.cut;
	cut.lane[3].seq = parent.header.cut.lane[3].seq - 1;
	UNIT_CHECK(!hs_rules_p4_cut_is_monotone(&cut, &parent.header.cut));
	cut = block.header.cut;
	cut.lane_count = 3;
	UNIT_CHECK(!hs_rules_p4_cut_is_monotone(&cut, &parent.header.cut));
}

static void p6_each_reserved_field_is_refused(void)
{
	struct hs_header header;

	make();
	UNIT_CHECK(!hs_rules_p6_uses_reserved(&block.header));
	header = block.header;
	header.has_config = true;
	UNIT_CHECK(hs_rules_p6_uses_reserved(&header));
	header = block.header;
	header.has_checkpoint = true;
	UNIT_CHECK(hs_rules_p6_uses_reserved(&header));
	header = block.header;
	header.checkpoint_height = 1;
	UNIT_CHECK(hs_rules_p6_uses_reserved(&header));
	header = block.header;
	header.config_digest.b[31] = 1;
	UNIT_CHECK(hs_rules_p6_uses_reserved(&header));
	header = block.header;
	header.checkpoint_root.b[0] = 1;
	UNIT_CHECK(hs_rules_p6_uses_reserved(&header));
}

static void v_one_vote_a_view_and_none_after_a_timeout(void)
{
	struct hs_record record = { .last_vote_view = 7, .last_timeout_view = 5 };
	struct crypto_hash id = { .b = { 1 } };

	UNIT_CHECK(hs_rules_v_may_vote(&record, 8));
	UNIT_CHECK(!hs_rules_v_may_vote(&record, 7));
	UNIT_CHECK(!hs_rules_v_may_vote(&record, 6));
	record.last_timeout_view = 8;
	UNIT_CHECK(!hs_rules_v_may_vote(&record, 8));
	UNIT_CHECK(hs_rules_v_may_vote(&record, 9));
	record.last_vote_id = id;
	UNIT_CHECK(!hs_rules_v_is_recorded_vote(&record, 7, &id));
	record.last_timeout_view = 6;
	UNIT_CHECK(hs_rules_v_is_recorded_vote(&record, 7, &id));
	id.b[0] = 2;
	UNIT_CHECK(!hs_rules_v_is_recorded_vote(&record, 7, &id));
}

static void k_commit_needs_no_timeout_at_or_above_a_new_view_and_the_lock(void)
{
	struct hs_record record = { .last_commit_view = 4, .last_timeout_view = 4 };

	record.high_qc.view = 5;
	UNIT_CHECK(hs_rules_k_may_commit(&record, 5));
	UNIT_CHECK(!hs_rules_k_may_commit(&record, 6));
	UNIT_CHECK(!hs_rules_k_may_commit(&record, 4));
	record.last_timeout_view = 5;
	UNIT_CHECK(!hs_rules_k_may_commit(&record, 5));
	record.last_timeout_view = 9;
	UNIT_CHECK(!hs_rules_k_may_commit(&record, 5));
	record.last_timeout_view = 0;
	record.last_commit_view = 5;
	UNIT_CHECK(!hs_rules_k_may_commit(&record, 5));
}

static void c2_needs_exactly_consecutive_views(void)
{
	UNIT_CHECK(hs_rules_c2_commits_parent(5, 4));
	UNIT_CHECK(!hs_rules_c2_commits_parent(6, 4));
	UNIT_CHECK(!hs_rules_c2_commits_parent(4, 4));
	UNIT_CHECK(!hs_rules_c2_commits_parent(1, 0));
}

static void t_timeouts_rise(void)
{
	struct hs_record record = { .last_timeout_view = 5 };

	UNIT_CHECK(hs_rules_t_may_time_out(&record, 6));
	UNIT_CHECK(!hs_rules_t_may_time_out(&record, 5));
	UNIT_CHECK(!hs_rules_t_may_time_out(&record, 4));
}

static void tc_max_is_the_highest_reported_view(void)
{
	make();
	hs_make_tc(&config, 5, 2, 4, &tc);
	UNIT_EQUAL(hs_rules_tc_max(&tc), 4);
	hs_make_tc(&config, 5, 2, 1, &tc);
	UNIT_EQUAL(hs_rules_tc_max(&tc), 2);
}

static void a_timeout_at_or_above_a_commit_must_know_its_qc(void)
{
	UNIT_CHECK(hs_rules_commit_contradicts_timeout(5, 5, 4));
	UNIT_CHECK(hs_rules_commit_contradicts_timeout(5, 9, 4));
	UNIT_CHECK(!hs_rules_commit_contradicts_timeout(5, 6, 5));
	UNIT_CHECK(!hs_rules_commit_contradicts_timeout(5, 4, 3));
}

UNIT_SUITE("hs_rules", UNIT_TEST(quorum_is_two_f_plus_one_and_never_less_than_n_minus_f),
	   UNIT_TEST(a_certificate_ends_its_own_view_and_all_before),
	   UNIT_TEST(p1_height_parent_and_justify_must_fit_the_parent),
	   UNIT_TEST(p1_header_must_repeat_what_the_justify_says),
	   UNIT_TEST(p1_time_must_rise_and_may_be_half_a_second_ahead),
	   UNIT_TEST(p3_needs_the_view_before_or_a_tc_and_its_highest_qc),
	   UNIT_TEST(p4_no_lane_may_go_back_or_change),
	   UNIT_TEST(p6_each_reserved_field_is_refused),
	   UNIT_TEST(v_one_vote_a_view_and_none_after_a_timeout),
	   UNIT_TEST(k_commit_needs_no_timeout_at_or_above_a_new_view_and_the_lock),
	   UNIT_TEST(c2_needs_exactly_consecutive_views), UNIT_TEST(t_timeouts_rise),
	   UNIT_TEST(tc_max_is_the_highest_reported_view),
	   UNIT_TEST(a_timeout_at_or_above_a_commit_must_know_its_qc))
