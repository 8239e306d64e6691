/* hs_inputs.c: what peers say, stragglers, and evidence. Replica 0 of 4. */
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block chain[4];
static struct hs_block other;

static void set_up(void)
{
	bench = hs_bench_start(4, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &chain[1]);
	hs_make_block(&bench->config, &chain[1], 2, NULL, 0, &chain[2]);
	hs_make_block(&bench->config, &chain[2], 3, NULL, 0, &chain[3]);
	hs_make_block(&bench->config, &genesis, 1, NULL, 9, &other);
	hs_bench_forget(bench);
}

static const struct hs_evidence *evidence(void)
{
	const struct hs_effect *effect = hs_bench_find(bench, HS_EFFECT_EVIDENCE);

	return effect ? &effect->u.evidence : NULL;
}

/* Both halves of evidence can be checked by anybody: author 3, view 1. */
static void check_signed(const struct hs_statement *statement, enum hs_message_kind kind,
			 const struct crypto_hash *block_id)
{
	struct crypto_signature expected = hs_make_signed(&bench->config, kind, 3, 1, block_id, 0);

	UNIT_EQUAL(statement->kind, kind);
	UNIT_EQUAL(statement->view, 1);
	UNIT_CHECK(memcmp(&statement->signature, &expected, sizeof(expected)) == 0);
}

static void votes_before_the_proposal_are_kept(void)
{
	set_up();
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	hs_bench_vote(bench, 2, 1, &chain[1].id);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 1);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_BLOCK), 1);
	hs_bench_propose(bench, &chain[1]);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all commit view=1"), 1);
	hs_bench_stop(bench);
}

static void an_own_vote_counts_without_coming_back(void)
{
	set_up();
	hs_bench_propose(bench, &chain[1]);
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	hs_bench_vote(bench, 2, 1, &chain[1].id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 0);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 1);
	UNIT_CHECK(bitset_has(&hs_core_high_qc(bench->core)->signers, 0));
	hs_bench_stop(bench);
}

static void a_vote_with_my_name_from_outside_never_counts(void)
{
	set_up();
	hs_bench_vote(bench, 0, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	hs_bench_vote(bench, 2, 1, &chain[1].id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 0);
	hs_bench_vote(bench, 4, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 0);
	hs_bench_stop(bench);
}

static void a_second_vote_of_one_author_never_makes_a_quorum(void)
{
	set_up();
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	for (uint32_t i = 0; i < 5; i++)
		hs_bench_vote(bench, 2, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 0);
	hs_bench_stop(bench);
}

static void messages_of_another_epoch_are_dropped(void)
{
	struct hs_vote vote;
	struct hs_commit commit;

	set_up();
	vote = hs_make_vote(&bench->config, 1, 1, &chain[1].id);
	vote.epoch = 0;
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_VOTE, .u.vote = &vote });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	commit = hs_make_commit(&bench->config, 1, 1, &chain[1].id);
	commit.epoch = 2;
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_COMMIT, .from = 1, .u.commit = &commit });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	chain[1].header.epoch = 3;
	hs_bench_propose(bench, &chain[1]);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	hs_bench_block(bench, &chain[1]);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	hs_bench_stop(bench);
}

static void views_beyond_the_window_are_dropped(void)
{
	set_up();
	hs_bench_vote(bench, 1, 1 + HS_VIEWS_AHEAD_MAX, &chain[1].id);
	UNIT_CHECK(!hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_vote(bench, 1, 2 + HS_VIEWS_AHEAD_MAX, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_vote(bench, 1, UINT64_MAX, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_commit(bench, 1, UINT64_MAX, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_FAR));
	hs_bench_stop(bench);
}

static void only_a_repeated_late_vote_is_answered(void)
{
	set_up();
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SEND), 0);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_QC) != NULL);
	UNIT_EQUAL(hs_bench_find(bench, HS_EFFECT_SEND)->to, 3);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SEND), 0);
	hs_bench_stop(bench);
}

static void a_vote_two_views_old_is_answered_at_once(void)
{
	set_up();
	hs_bench_qc(bench, 2, &chain[2].id);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_QC) != NULL);
	UNIT_EQUAL(hs_bench_sent(bench, HS_MESSAGE_QC)->u.qc.view, 2);
	hs_bench_stop(bench);
}

static void late_votes_may_still_make_a_qc_that_raises_the_lock(void)
{
	set_up();
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	hs_bench_vote(bench, 2, 1, &chain[1].id);
	hs_bench_tc(bench, 1, 0);
	UNIT_EQUAL(hs_core_status(bench->core).view, 2);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 1);
	UNIT_EQUAL(hs_core_status(bench->core).view, 2);
	hs_bench_stop(bench);
}

static void a_repeated_commit_of_a_committed_block_gets_our_own(void)
{
	set_up();
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_settle(bench);
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 1);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_COMMIT) != NULL);
	UNIT_EQUAL(hs_bench_find(bench, HS_EFFECT_SEND)->to, 2);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SEND), 0);
	hs_bench_stop(bench);
}

static void proposals_of_a_view_already_left_are_dropped(void)
{
	set_up();
	hs_bench_tc(bench, 1, 0);
	hs_bench_propose(bench, &chain[1]);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	hs_bench_stop(bench);
}

static void two_proposals_of_one_view_are_evidence_with_both_signatures(void)
{
	set_up();
	hs_bench_propose(bench, &chain[1]);
	hs_bench_propose(bench, &chain[1]);
	UNIT_CHECK(evidence() == NULL);
	hs_bench_propose(bench, &other);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_TWO_PROPOSALS);
	UNIT_EQUAL(evidence()->author, 1);
	UNIT_CHECK(memcmp(&evidence()->first.signature, &chain[1].signature, 64) == 0);
	UNIT_CHECK(memcmp(&evidence()->second.signature, &other.signature, 64) == 0);
	UNIT_CHECK(crypto_hash_equal(&evidence()->second.block_id, &other.id));
	hs_make_block(&bench->config, &genesis, 1, NULL, 10, &other);
	hs_bench_propose(bench, &other);
	UNIT_CHECK(evidence() == NULL);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EQUIVOCATION));
	hs_bench_stop(bench);
}

static void two_votes_of_one_view_are_evidence_once(void)
{
	set_up();
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	hs_bench_vote(bench, 3, 1, &other.id);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_TWO_VOTES);
	UNIT_EQUAL(evidence()->author, 3);
	UNIT_CHECK(crypto_hash_equal(&evidence()->first.block_id, &chain[1].id));
	check_signed(&evidence()->first, HS_MESSAGE_VOTE, &chain[1].id);
	check_signed(&evidence()->second, HS_MESSAGE_VOTE, &other.id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EQUIVOCATION));
	hs_bench_vote(bench, 3, 1, &other.id);
	UNIT_CHECK(evidence() == NULL);
	hs_bench_vote(bench, 2, 1, &other.id);
	UNIT_CHECK(evidence() == NULL);
	hs_bench_stop(bench);
}

static void two_commits_of_one_view_are_evidence(void)
{
	set_up();
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &other.id);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_TWO_COMMITS);
	check_signed(&evidence()->first, HS_MESSAGE_COMMIT, &chain[1].id);
	check_signed(&evidence()->second, HS_MESSAGE_COMMIT, &other.id);
	hs_bench_stop(bench);
}

static void commit_and_ignorant_timeout_are_evidence_in_either_order(void)
{
	set_up();
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	hs_bench_timeout(bench, 3, 2, NULL, NULL);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_COMMIT_AFTER_TIMEOUT);
	UNIT_EQUAL(evidence()->first.kind, HS_MESSAGE_COMMIT);
	UNIT_EQUAL(evidence()->second.kind, HS_MESSAGE_TIMEOUT);
	hs_bench_timeout(bench, 2, 2, NULL, NULL);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->author, 2);
	hs_bench_stop(bench);
}

static void a_refused_proposal_that_comes_twice_is_no_evidence(void)
{
	set_up();
	chain[1].header.time_ns = genesis.header.time_ns;
	hs_make_block_again(&bench->config, &chain[1]);
	for (uint32_t i = 0; i < 4; i++) {
		hs_bench_propose(bench, &chain[1]);
		UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_TIME));
	}
	UNIT_EQUAL(hs_bench_logged(bench, "evidence"), 0);
	hs_bench_stop(bench);
}

static void what_an_honest_replica_says_is_no_evidence(void)
{
	static struct hs_qc qc;

	set_up();
	hs_make_qc(&bench->config, 1, &chain[1].id, 0, &qc);
	hs_bench_vote(bench, 3, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_timeout(bench, 3, 2, &qc, NULL);
	hs_bench_timeout(bench, 3, 2, &qc, NULL);
	hs_bench_commit(bench, 3, 3, &chain[3].id);
	UNIT_EQUAL(hs_bench_logged(bench, "evidence"), 0);
	hs_bench_stop(bench);
}

UNIT_SUITE("hs_inputs", UNIT_TEST(votes_before_the_proposal_are_kept),
	   UNIT_TEST(an_own_vote_counts_without_coming_back),
	   UNIT_TEST(a_vote_with_my_name_from_outside_never_counts),
	   UNIT_TEST(a_second_vote_of_one_author_never_makes_a_quorum),
	   UNIT_TEST(messages_of_another_epoch_are_dropped),
	   UNIT_TEST(views_beyond_the_window_are_dropped),
	   UNIT_TEST(only_a_repeated_late_vote_is_answered),
	   UNIT_TEST(a_vote_two_views_old_is_answered_at_once),
	   UNIT_TEST(late_votes_may_still_make_a_qc_that_raises_the_lock),
	   UNIT_TEST(a_repeated_commit_of_a_committed_block_gets_our_own),
	   UNIT_TEST(proposals_of_a_view_already_left_are_dropped),
	   UNIT_TEST(two_proposals_of_one_view_are_evidence_with_both_signatures),
	   UNIT_TEST(two_votes_of_one_view_are_evidence_once),
	   UNIT_TEST(two_commits_of_one_view_are_evidence),
	   UNIT_TEST(commit_and_ignorant_timeout_are_evidence_in_either_order),
	   UNIT_TEST(a_refused_proposal_that_comes_twice_is_no_evidence),
	   UNIT_TEST(what_an_honest_replica_says_is_no_evidence))
