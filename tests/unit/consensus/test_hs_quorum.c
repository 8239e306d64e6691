#include "consensus/hs_quorum.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static struct hs_config config;
static struct hs_quorum *quorum;
static const struct crypto_hash id_a = { .b = { 0xa } };
static const struct crypto_hash id_b = { .b = { 0xb } };

static void set_up(uint32_t n)
{
	config = hs_make_config(n, 0);
	quorum = malloc(hs_quorum_footprint(n));
	UNIT_REQUIRE(quorum);
	hs_quorum_init(quorum, n);
}

static enum hs_count vote(uint32_t author, uint64_t view, const struct crypto_hash *id)
{
	struct hs_vote v = hs_make_vote(&config, author, view, id);

	return hs_quorum_vote(quorum, &v);
}

static enum hs_count commit(uint32_t author, uint64_t view, const struct crypto_hash *id,
			    bool is_held)
{
	struct hs_commit c = hs_make_commit(&config, author, view, id);

	return hs_quorum_commit(quorum, &c, is_held);
}

static enum hs_count timeout(uint32_t author, uint64_t view, uint64_t qc_view)
{
	static struct hs_timeout t;

	hs_make_timeout(&config, author, view, NULL, NULL, &t);
	t.qc_view = qc_view;
	return hs_quorum_timeout(quorum, &t);
}

static void second_vote_of_one_author_never_counts(void)
{
	set_up(4);
	UNIT_EQUAL(vote(2, 5, &id_a), HS_COUNT_NEW);
	UNIT_EQUAL(vote(2, 5, &id_a), HS_COUNT_SAME);
	UNIT_EQUAL(vote(2, 5, &id_b), HS_COUNT_CONFLICT);
	UNIT_EQUAL(hs_quorum_vote_count(quorum, 5, &id_a), 1);
	UNIT_EQUAL(hs_quorum_vote_count(quorum, 5, &id_b), 0);
	UNIT_EQUAL(vote(2, 6, &id_b), HS_COUNT_NEW);
	free(quorum);
}

static void votes_for_different_blocks_do_not_add_up(void)
{
	set_up(4);
	vote(0, 5, &id_a);
	vote(1, 5, &id_a);
	vote(2, 5, &id_b);
	vote(3, 6, &id_a);
	UNIT_EQUAL(hs_quorum_vote_count(quorum, 5, &id_a), 2);
	UNIT_EQUAL(hs_quorum_vote_count(quorum, 5, &id_b), 1);
	free(quorum);
}

static void a_qc_lists_q_distinct_authors_in_rising_order(void)
{
	struct hs_qc qc;
	struct hs_qc expected;

	set_up(6);
	for (uint32_t i = 6; i > 0; i--)
		vote(i - 1, 5, &id_a);
	hs_quorum_make_qc(quorum, config.epoch, 5, &id_a, &qc);
	UNIT_EQUAL(qc.count, 5);
	UNIT_EQUAL(bitset_count(&qc.signers), 5);
	hs_make_qc(&config, 5, &id_a, 0, &expected);
	UNIT_CHECK(memcmp(qc.signature, expected.signature, 5 * sizeof(qc.signature[0])) == 0);
	UNIT_EQUAL(qc.view, 5);
	UNIT_EQUAL(qc.epoch, config.epoch);
	free(quorum);
}

static void make_qc_too_early(void *context)
{
	struct hs_qc qc;

	(void)context;
	set_up(4);
	vote(0, 5, &id_a);
	vote(1, 5, &id_a);
	hs_quorum_make_qc(quorum, 1, 5, &id_a, &qc);
}

static void a_qc_of_too_few_votes_aborts(void)
{
	UNIT_CHECK(unit_aborts(make_qc_too_early, NULL));
}

static void rounds_out_of_the_window_are_forgotten(void)
{
	set_up(4);
	vote(0, 5, &id_a);
	vote(1, 5 + HS_ROUNDS_MAX, &id_a);
	UNIT_EQUAL(hs_quorum_vote_count(quorum, 5, &id_a), 0);
	UNIT_EQUAL(vote(2, 5, &id_a), HS_COUNT_GONE);
	UNIT_EQUAL(hs_quorum_vote_count(quorum, 5 + HS_ROUNDS_MAX, &id_a), 1);
	free(quorum);
}

static void held_commits_count_only_once_they_are_judged_good(void)
{
	set_up(4);
	commit(0, 5, &id_a, false);
	commit(1, 5, &id_a, true);
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5, &id_a), 1);
	UNIT_EQUAL(commit(1, 5, &id_a, true), HS_COUNT_SAME);
	UNIT_EQUAL(commit(1, 5, &id_b, false), HS_COUNT_CONFLICT);
	UNIT_CHECK(hs_quorum_commit_judge(quorum, 5, 1, &id_a, true));
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5, &id_a), 2);
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 1, &id_a, true));
	free(quorum);
}

static void a_bad_commit_is_forgotten_and_a_good_one_may_follow(void)
{
	set_up(4);
	commit(1, 5, &id_a, false);
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 1, &id_b, false));
	UNIT_CHECK(hs_quorum_commit_judge(quorum, 5, 1, &id_a, false));
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5, &id_a), 0);
	UNIT_EQUAL(commit(1, 5, &id_a, false), HS_COUNT_NEW);
	free(quorum);
}

static void an_fc_needs_q_checked_signatures(void)
{
	struct hs_commit list[HS_REPLICAS_MAX];
	struct hs_fc fc;
	struct hs_fc expected;

	set_up(4);
	for (uint32_t i = 0; i < 4; i++)
		commit(i, 5, i == 3 ? &id_b : &id_a, false);
	UNIT_EQUAL(hs_quorum_commits_unchecked(quorum, 1, 5, &id_a, list), 3);
	UNIT_EQUAL(list[2].author, 2);
	hs_quorum_commit_judge(quorum, 5, 0, &id_a, true);
	hs_quorum_commit_judge(quorum, 5, 1, &id_a, true);
	UNIT_CHECK(!hs_quorum_make_fc(quorum, 1, 5, &id_a, &fc));
	UNIT_EQUAL(hs_quorum_commits_unchecked(quorum, 1, 5, &id_a, list), 1);
	hs_quorum_commit_judge(quorum, 5, 2, &id_a, true);
	UNIT_REQUIRE(hs_quorum_make_fc(quorum, 1, 5, &id_a, &fc));
	hs_make_fc(&config, 5, &id_a, &expected);
	UNIT_CHECK(memcmp(fc.c.signature, expected.c.signature, 3 * sizeof(fc.c.signature[0])) ==
		   0);
	free(quorum);
}

static void a_tc_carries_what_each_signer_reported(void)
{
	struct hs_tc tc;

	set_up(4);
	UNIT_EQUAL(timeout(3, 7, 6), HS_COUNT_NEW);
	UNIT_EQUAL(timeout(3, 7, 6), HS_COUNT_SAME);
	UNIT_EQUAL(timeout(3, 7, 5), HS_COUNT_CONFLICT);
	timeout(0, 7, 2);
	timeout(2, 7, 4);
	UNIT_EQUAL(hs_quorum_timeout_count(quorum, 7), 3);
	UNIT_CHECK(hs_quorum_timed_out(quorum, 7, 2));
	UNIT_CHECK(!hs_quorum_timed_out(quorum, 7, 1));
	hs_quorum_make_tc(quorum, 1, 7, &tc);
	UNIT_EQUAL(tc.count, 3);
	UNIT_EQUAL(tc.qc_view[0], 2);
	UNIT_EQUAL(tc.qc_view[1], 4);
	UNIT_EQUAL(tc.qc_view[2], 6);
	UNIT_CHECK(!bitset_has(&tc.signers, 1));
	free(quorum);
}

static void what_a_newer_round_has_pushed_out_is_gone(void)
{
	struct hs_commit list[4];
	struct hs_fc fc;

	set_up(4);
	for (uint32_t author = 0; author < 3; author++) {
		commit(author, 5, &id_a, false);
		hs_quorum_commit_judge(quorum, 5, author, &id_a, true);
	}
	UNIT_CHECK(hs_quorum_make_fc(quorum, 1, 5, &id_a, &fc));
	UNIT_EQUAL(vote(0, 5 + HS_ROUNDS_MAX, &id_a), HS_COUNT_NEW);
	UNIT_EQUAL(vote(1, 5, &id_a), HS_COUNT_GONE);
	UNIT_EQUAL(commit(3, 5, &id_a, false), HS_COUNT_GONE);
	UNIT_EQUAL(timeout(1, 5, 2), HS_COUNT_GONE);
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5, &id_a), 0);
	UNIT_EQUAL(hs_quorum_commits_unchecked(quorum, 1, 5, &id_a, list), 0);
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 0, &id_a, true));
	UNIT_CHECK(!hs_quorum_make_fc(quorum, 1, 5, &id_a, &fc));
	UNIT_EQUAL(hs_quorum_timeout_count(quorum, 5 + HS_ROUNDS_MAX), 0);
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5 + HS_ROUNDS_MAX, &id_a), 0);
	free(quorum);
}

static void a_verdict_counts_only_for_the_very_commit_that_is_held(void)
{
	set_up(4);
	commit(1, 5, &id_a, false);
	commit(2, 5, &id_a, true);
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 4, &id_a, false));
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 3, &id_a, false));
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 1, &id_b, false));
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 2, &id_b, true));
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5, &id_a), 1);
	UNIT_CHECK(hs_quorum_commit_judge(quorum, 5, 1, &id_a, true));
	UNIT_CHECK(!hs_quorum_commit_judge(quorum, 5, 1, &id_a, false));
	UNIT_CHECK(hs_quorum_commit_judge(quorum, 5, 2, &id_a, true));
	UNIT_EQUAL(hs_quorum_commit_count(quorum, 5, &id_a), 2);
	free(quorum);
}

static void an_fc_holds_no_commit_for_another_block(void)
{
	struct hs_fc fc;

	set_up(4);
	commit(0, 5, &id_b, false);
	hs_quorum_commit_judge(quorum, 5, 0, &id_b, true);
	for (uint32_t author = 1; author < 4; author++) {
		commit(author, 5, &id_a, false);
		hs_quorum_commit_judge(quorum, 5, author, &id_a, true);
	}
	UNIT_CHECK(!hs_quorum_make_fc(quorum, 1, 5, &id_b, &fc));
	UNIT_REQUIRE(hs_quorum_make_fc(quorum, 1, 5, &id_a, &fc));
	UNIT_EQUAL(fc.c.count, 3);
	UNIT_EQUAL(fc.c.signers.word[0], 14);
	free(quorum);
}

static void make_tc_too_early(void *context)
{
	struct hs_tc tc;

	(void)context;
	set_up(4);
	timeout(0, 7, 2);
	timeout(1, 7, 2);
	hs_quorum_make_tc(quorum, 1, 7, &tc);
}

static void a_tc_of_too_few_timeouts_aborts(void)
{
	UNIT_CHECK(unit_aborts(make_tc_too_early, NULL));
}

UNIT_SUITE("hs_quorum", UNIT_TEST(second_vote_of_one_author_never_counts),
	   UNIT_TEST(votes_for_different_blocks_do_not_add_up),
	   UNIT_TEST(a_qc_lists_q_distinct_authors_in_rising_order),
	   UNIT_TEST(a_qc_of_too_few_votes_aborts),
	   UNIT_TEST(rounds_out_of_the_window_are_forgotten),
	   UNIT_TEST(held_commits_count_only_once_they_are_judged_good),
	   UNIT_TEST(a_bad_commit_is_forgotten_and_a_good_one_may_follow),
	   UNIT_TEST(an_fc_needs_q_checked_signatures),
	   UNIT_TEST(what_a_newer_round_has_pushed_out_is_gone),
	   UNIT_TEST(a_verdict_counts_only_for_the_very_commit_that_is_held),
	   UNIT_TEST(an_fc_holds_no_commit_for_another_block),
	   UNIT_TEST(a_tc_carries_what_each_signer_reported),
	   UNIT_TEST(a_tc_of_too_few_timeouts_aborts))
