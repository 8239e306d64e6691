/* hs_finality.c: rule C and what becomes a proof. Replica 0 of 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block chain[6]; /* chain[v] is of view v */
static struct hs_block other;
static struct hs_tc tc;

static void set_up(void)
{
	bench = hs_bench_start(4, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &chain[1]);
	for (uint32_t v = 2; v < 6; v++)
		hs_make_block(&bench->config, &chain[v - 1], v, NULL, 0, &chain[v]);
	hs_bench_forget(bench);
}

static uint64_t height(void)
{
	return hs_core_status(bench->core).committed_height;
}

static void check(struct bitset good, struct bitset bad, uint64_t view)
{
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_COMMITS_CHECKED,
						 .from = HS_REPLICA_NONE,
						 .u.checked = { .view = view,
								.block_id = chain[view].id,
								.good = good,
								.bad = bad } });
}

static void c1_q_commits_of_distinct_authors_commit_the_block_and_its_ancestors(void)
{
	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_block(bench, &chain[2]);
	hs_bench_commit(bench, 1, 2, &chain[2].id);
	hs_bench_commit(bench, 1, 2, &chain[2].id);
	hs_bench_commit(bench, 2, 2, &chain[2].id);
	UNIT_EQUAL(height(), 0);
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	UNIT_EQUAL(height(), 2);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_COMMIT), 2);
	const struct hs_effect *first = hs_bench_find(bench, HS_EFFECT_COMMIT);

	UNIT_EQUAL(first->u.commit.block->header.height, 1);
	UNIT_EQUAL(first->u.commit.rule, HS_COMMIT_ANCESTOR);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT height=2"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "by=c1"), 1);
	hs_bench_commit(bench, 2, 2, &chain[2].id);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT"), 2);
	hs_bench_stop(bench);
}

static void commits_for_different_blocks_do_not_add_up(void)
{
	set_up();
	hs_make_block(&bench->config, &genesis, 1, NULL, 8, &other);
	hs_bench_block(bench, &chain[1]);
	hs_bench_block(bench, &other);
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	hs_bench_commit(bench, 2, 1, &other.id);
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	UNIT_EQUAL(height(), 0);
	hs_bench_stop(bench);
}

static void a_commit_counts_only_from_its_authors_session(void)
{
	struct hs_commit commit;

	set_up();
	hs_bench_block(bench, &chain[1]);
	commit = hs_make_commit(&bench->config, 3, 1, &chain[1].id);
	for (uint32_t from = 1; from < 3; from++) {
		hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_COMMIT,
							 .from = from,
							 .u.commit = &commit });
		UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_RELAYED));
	}
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	UNIT_EQUAL(height(), 0);
	hs_bench_stop(bench);
}

static void one_commit_short_of_a_quorum_commits_nothing_at_n_6(void)
{
	bench = hs_bench_start(6, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &chain[1]);
	hs_bench_block(bench, &chain[1]);
	for (uint32_t author = 1; author < 5; author++)
		hs_bench_commit(bench, author, 1, &chain[1].id);
	UNIT_EQUAL(height(), 0);
	hs_bench_commit(bench, 5, 1, &chain[1].id);
	UNIT_EQUAL(height(), 1);
	hs_bench_stop(bench);
}

static void c1_may_come_before_the_block(void)
{
	set_up();
	for (uint32_t author = 1; author < 4; author++)
		hs_bench_commit(bench, author, 2, &chain[2].id);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 1);
	hs_bench_block(bench, &chain[2]);
	UNIT_EQUAL(height(), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 2);
	hs_bench_block(bench, &chain[1]);
	UNIT_EQUAL(height(), 2);
	hs_bench_stop(bench);
}

static void c2_two_certified_blocks_of_consecutive_views_commit_the_first(void)
{
	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_block(bench, &chain[2]);
	UNIT_EQUAL(height(), 0);
	hs_bench_qc(bench, 2, &chain[2].id);
	UNIT_EQUAL(height(), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "by=c2"), 1);
	hs_bench_stop(bench);
}

static void c2_does_not_commit_over_a_view_gap(void)
{
	set_up();
	hs_make_tc(&bench->config, 2, 1, 1, &tc);
	hs_make_block(&bench->config, &chain[1], 3, &tc, 0, &other);
	hs_bench_block(bench, &chain[1]);
	hs_bench_block(bench, &other);
	hs_bench_qc(bench, 3, &other.id);
	UNIT_EQUAL(height(), 0);
	hs_bench_stop(bench);
}

static void one_certified_block_alone_commits_nothing(void)
{
	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_settle(bench);
	UNIT_EQUAL(height(), 0);
	hs_bench_stop(bench);
}

static void a_qc_of_another_view_does_not_certify_a_block(void)
{
	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_block(bench, &chain[2]);
	hs_bench_qc(bench, 3, &chain[2].id);
	hs_bench_settle(bench);
	UNIT_EQUAL(height(), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view=2"), 0);
	hs_bench_stop(bench);
}

static void c3_an_fc_commits_and_is_a_proof(void)
{
	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_block(bench, &chain[2]);
	hs_bench_fc(bench, 2, &chain[2].id);
	UNIT_EQUAL(height(), 2);
	UNIT_EQUAL(hs_bench_logged(bench, "by=c3"), 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 1);
	hs_bench_fc(bench, 2, &chain[2].id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 0);
	hs_bench_stop(bench);
}

static void commits_are_said_in_height_order_each_once(void)
{
	set_up();
	hs_bench_fc(bench, 4, &chain[4].id);
	hs_bench_block(bench, &chain[4]);
	hs_bench_block(bench, &chain[3]);
	hs_bench_block(bench, &chain[2]);
	hs_bench_block(bench, &chain[1]);
	UNIT_EQUAL(height(), 4);
	for (uint32_t i = 0, wanted = 1; i < bench->effects.count; i++)
		if (bench->effects.at[i].kind == HS_EFFECT_COMMIT)
			UNIT_EQUAL(bench->effects.at[i].u.commit.block->header.height, wanted++);
	hs_bench_block(bench, &chain[2]);
	hs_bench_fc(bench, 3, &chain[3].id);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT"), 4);
	hs_bench_stop(bench);
}

/* The tip of view 1, committed by C1. */
static void commit_tip(void)
{
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_settle(bench);
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	UNIT_EQUAL(height(), 1);
}

static void a_tip_without_a_proof_has_its_commits_checked_after_a_while(void)
{
	struct bitset good = { .word = { 6, 0 } };
	struct bitset none = { .word = { 0, 0 } };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2 - 1);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 0);
	hs_bench_wait(bench, 1);
	const struct hs_effect *effect = hs_bench_find(bench, HS_EFFECT_CHECK_COMMITS);

	UNIT_REQUIRE(effect != NULL);
	UNIT_EQUAL(effect->u.commits.count, 2);
	UNIT_EQUAL(effect->u.commits.commits[1].author, 2);
	check(good, none, 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 1);
	UNIT_EQUAL(hs_bench_find(bench, HS_EFFECT_PROOF)->u.fc->c.count, 3);
	hs_bench_wait(bench, 100000000);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-certificates"), 0);
	hs_bench_stop(bench);
}

static void a_late_commit_does_not_make_a_proved_tip_doubtful(void)
{
	set_up();
	commit_tip();
	hs_bench_fc(bench, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_wait(bench, 100000000);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT"), 1);
	hs_bench_stop(bench);
}

static void a_tip_with_a_successor_is_not_checked(void)
{
	set_up();
	commit_tip();
	hs_bench_propose(bench, &chain[2]);
	hs_bench_qc(bench, 2, &chain[2].id);
	hs_bench_wait(bench, 10000000);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 0);
	hs_bench_stop(bench);
}

static void a_bad_signature_makes_a_suspect_whose_commits_wait_for_the_check(void)
{
	struct bitset one = { .word = { 2, 0 } };
	struct bitset two = { .word = { 4, 0 } };
	struct bitset none = { .word = { 0, 0 } };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	check(one, two, 1);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_SIGNATURE));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 0);
	hs_bench_block(bench, &chain[2]);
	hs_bench_commit(bench, 1, 2, &chain[2].id);
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	hs_bench_commit(bench, 2, 2, &chain[2].id);
	UNIT_EQUAL(height(), 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_CHECK_COMMITS), 1);
	check(none, two, 2);
	UNIT_EQUAL(height(), 1);
	hs_bench_commit(bench, 2, 2, &chain[2].id);
	check(two, none, 2);
	UNIT_EQUAL(height(), 2);
	hs_bench_stop(bench);
}

/* Member 2 sent a bad signature for the tip of view 1; block 2 is here. */
static void set_up_suspect(void)
{
	struct bitset one = { .word = { 2, 0 } };
	struct bitset two = { .word = { 4, 0 } };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	check(one, two, 1);
	hs_bench_block(bench, &chain[2]);
	hs_bench_forget(bench);
}

static void a_suspects_commit_for_another_block_does_not_add_up(void)
{
	set_up_suspect();
	hs_make_block(&bench->config, &chain[1], 2, NULL, 8, &other);
	hs_bench_commit(bench, 2, 2, &other.id);
	hs_bench_commit(bench, 1, 2, &chain[2].id);
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 0);
	UNIT_EQUAL(height(), 1);
	hs_bench_stop(bench);
}

/* A proof of a later block is known, so none is made here: peers are asked, not the gate. */
static void a_tip_whose_commits_were_all_good_is_not_checked_twice(void)
{
	struct bitset good = { .word = { 14, 0 } };
	struct bitset none = { .word = { 0, 0 } };

	set_up_suspect();
	hs_bench_fc(bench, 5, &chain[5].id);
	hs_bench_commit(bench, 1, 2, &chain[2].id);
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	hs_bench_commit(bench, 2, 2, &chain[2].id);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 1);
	check(good, none, 2);
	UNIT_EQUAL(height(), 2);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 0);
	hs_bench_forget(bench);
	hs_bench_wait(bench, bench->config.delta_ns);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "want-certificates"), 1);
	hs_bench_stop(bench);
}

static void a_verdict_after_its_round_has_gone_accuses_nobody(void)
{
	struct bitset one = { .word = { 2, 0 } };
	struct bitset two = { .word = { 4, 0 } };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	hs_bench_qc(bench, 100, &chain[5].id);
	hs_bench_vote(bench, 1, 1 + HS_ROUNDS_MAX, &chain[5].id);
	check(one, two, 1);
	UNIT_CHECK(!hs_bench_dropped(bench, HS_DROP_SIGNATURE));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 0);
	UNIT_CHECK(!bitset_has(&bench->core->finality.suspects, 2));
	hs_bench_stop(bench);
}

static void a_verdict_about_another_block_of_the_view_does_not_end_the_check(void)
{
	struct bitset good = { .word = { 6, 0 } };
	struct bitset none = { .word = { 0, 0 } };
	struct hs_input input = { .kind = HS_INPUT_COMMITS_CHECKED, .from = HS_REPLICA_NONE };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	hs_make_block(&bench->config, &genesis, 1, NULL, 8, &other);
	input.u.checked.view = 1;
	input.u.checked.block_id = other.id;
	input.u.checked.bad = good;
	hs_bench_step(bench, &input);
	UNIT_EQUAL(bench->effects.count, 0);
	check(good, none, 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 1);
	hs_bench_stop(bench);
}

static void a_bad_verdict_about_one_who_said_nothing_makes_no_suspect(void)
{
	struct bitset good = { .word = { 6, 0 } };
	struct bitset three = { .word = { 8, 0 } };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	check(good, three, 1);
	UNIT_CHECK(!hs_bench_dropped(bench, HS_DROP_SIGNATURE));
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 1);
	hs_bench_block(bench, &chain[2]);
	for (uint32_t author = 1; author < 4; author++)
		hs_bench_commit(bench, author, 2, &chain[2].id);
	UNIT_EQUAL(height(), 2);
	hs_bench_stop(bench);
}

static void a_check_that_is_never_answered_is_asked_again(void)
{
	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 1);
	hs_bench_wait(bench, 4 * bench->config.delta_ns);
	UNIT_EQUAL(hs_bench_logged(bench, "check-commits"), 2);
	hs_bench_stop(bench);
}

static void a_tip_whose_check_failed_asks_peers_for_certificates(void)
{
	struct bitset one = { .word = { 2, 0 } };
	struct bitset two = { .word = { 4, 0 } };

	set_up();
	commit_tip();
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	check(one, two, 1);
	hs_bench_wait(bench, bench->config.delta_ns);
	UNIT_EQUAL(hs_bench_logged(bench, "want-certificates"), 1);
	hs_bench_fc(bench, 1, &chain[1].id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 1);
	hs_bench_stop(bench);
}

static void a_committed_block_is_asked_to_be_durable_before_its_commit(void)
{
	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_forget(bench);
	hs_bench_fc(bench, 1, &chain[1].id);
	UNIT_REQUIRE(bench->effects.count >= 2);
	UNIT_EQUAL(bench->effects.at[0].kind, HS_EFFECT_PERSIST_BLOCK);
	UNIT_EQUAL(bench->effects.at[1].kind, HS_EFFECT_COMMIT);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-block"), 1);
	hs_bench_stop(bench);
}

static void conflicting_commits(void *context)
{
	(void)context;
	set_up();
	hs_make_tc(&bench->config, 3, 0, 0, &tc);
	hs_bench_block(bench, &chain[1]);
	hs_bench_fc(bench, 1, &chain[1].id);
	hs_make_block(&bench->config, &genesis, 4, &tc, 3, &other);
	hs_bench_fc(bench, 4, &other.id);
	hs_bench_block(bench, &other);
}

static void a_certificate_against_what_is_committed_stops_the_node(void)
{
	UNIT_CHECK(unit_aborts(conflicting_commits, NULL));
}

UNIT_SUITE("hs_finality",
	   UNIT_TEST(c1_q_commits_of_distinct_authors_commit_the_block_and_its_ancestors),
	   UNIT_TEST(commits_for_different_blocks_do_not_add_up),
	   UNIT_TEST(a_commit_counts_only_from_its_authors_session),
	   UNIT_TEST(one_commit_short_of_a_quorum_commits_nothing_at_n_6),
	   UNIT_TEST(c1_may_come_before_the_block),
	   UNIT_TEST(c2_two_certified_blocks_of_consecutive_views_commit_the_first),
	   UNIT_TEST(c2_does_not_commit_over_a_view_gap),
	   UNIT_TEST(one_certified_block_alone_commits_nothing),
	   UNIT_TEST(a_qc_of_another_view_does_not_certify_a_block),
	   UNIT_TEST(c3_an_fc_commits_and_is_a_proof),
	   UNIT_TEST(commits_are_said_in_height_order_each_once),
	   UNIT_TEST(a_tip_without_a_proof_has_its_commits_checked_after_a_while),
	   UNIT_TEST(a_late_commit_does_not_make_a_proved_tip_doubtful),
	   UNIT_TEST(a_tip_with_a_successor_is_not_checked),
	   UNIT_TEST(a_bad_signature_makes_a_suspect_whose_commits_wait_for_the_check),
	   UNIT_TEST(a_suspects_commit_for_another_block_does_not_add_up),
	   UNIT_TEST(a_tip_whose_commits_were_all_good_is_not_checked_twice),
	   UNIT_TEST(a_verdict_after_its_round_has_gone_accuses_nobody),
	   UNIT_TEST(a_verdict_about_another_block_of_the_view_does_not_end_the_check),
	   UNIT_TEST(a_bad_verdict_about_one_who_said_nothing_makes_no_suspect),
	   UNIT_TEST(a_check_that_is_never_answered_is_asked_again),
	   UNIT_TEST(a_tip_whose_check_failed_asks_peers_for_certificates),
	   UNIT_TEST(a_committed_block_is_asked_to_be_durable_before_its_commit),
	   UNIT_TEST(a_certificate_against_what_is_committed_stops_the_node))
