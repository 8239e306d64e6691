/* hs_evidence.c: contradictions with COMMITs, which nobody checked yet. Replica 0 of 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block chain[3];
static struct hs_block other;

static void set_up(void)
{
	bench = hs_bench_start(4, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &chain[1]);
	hs_make_block(&bench->config, &chain[1], 2, NULL, 0, &chain[2]);
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

/* The answer to CHECK_COMMITS about one author. */
static void judge(uint32_t author, const struct hs_block *block, bool is_good)
{
	struct hs_input input = { .kind = HS_INPUT_COMMITS_CHECKED, .from = HS_REPLICA_NONE };

	input.u.checked.view = block->header.view;
	input.u.checked.block_id = block->id;
	bitset_add(is_good ? &input.u.checked.good : &input.u.checked.bad, author);
	hs_bench_step(bench, &input);
}

static void two_commits_of_one_view_are_evidence_once_both_are_checked(void)
{
	set_up();
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &other.id);
	UNIT_CHECK(evidence() == NULL);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_CHECK_COMMITS), 2);
	judge(3, &other, true);
	UNIT_CHECK(evidence() == NULL);
	judge(3, &chain[1], true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_TWO_COMMITS);
	check_signed(&evidence()->first, HS_MESSAGE_COMMIT, &chain[1].id);
	check_signed(&evidence()->second, HS_MESSAGE_COMMIT, &other.id);
	hs_bench_stop(bench);
}

static void a_commit_with_a_bad_signature_is_no_evidence_and_hides_none(void)
{
	set_up();
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &other.id);
	judge(3, &chain[1], true);
	judge(3, &other, false);
	UNIT_EQUAL(hs_bench_logged(bench, "evidence"), 0);
	hs_bench_commit(bench, 3, 1, &other.id);
	judge(3, &other, true);
	judge(3, &chain[1], true);
	UNIT_CHECK(evidence() != NULL);
	hs_bench_stop(bench);
}

static void commit_and_ignorant_timeout_are_evidence_in_either_order(void)
{
	set_up();
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	hs_bench_timeout(bench, 3, 2, NULL, NULL);
	judge(3, &chain[2], true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_COMMIT_AFTER_TIMEOUT);
	UNIT_EQUAL(evidence()->first.kind, HS_MESSAGE_COMMIT);
	UNIT_EQUAL(evidence()->second.kind, HS_MESSAGE_TIMEOUT);
	hs_bench_timeout(bench, 2, 2, NULL, NULL);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	judge(2, &chain[1], true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->author, 2);
	hs_bench_stop(bench);
}

/* Timeouts come in any order; the highest of an author is what a COMMIT is held against. */
static void an_older_timeout_does_not_replace_a_newer_one(void)
{
	set_up();
	hs_bench_timeout(bench, 3, 2, NULL, NULL);
	hs_bench_timeout(bench, 3, 1, NULL, NULL);
	hs_bench_commit(bench, 3, 2, &chain[2].id);
	judge(3, &chain[2], true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_COMMIT_AFTER_TIMEOUT);
	hs_bench_stop(bench);
}

static void one_accusation_an_author_and_kind_is_under_way(void)
{
	set_up();
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &other.id);
	hs_bench_commit(bench, 3, 1, &chain[2].id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_CHECK_COMMITS), 0);
	judge(3, &chain[1], true);
	judge(3, &other, true);
	UNIT_REQUIRE(evidence() != NULL);
	hs_bench_commit(bench, 3, 1, &other.id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_CHECK_COMMITS), 0);
	hs_bench_stop(bench);
}

static void accusations_of_several_authors_are_under_way_at_once(void)
{
	set_up();
	for (uint32_t author = 2; author < 4; author++) {
		hs_bench_commit(bench, author, 1, &chain[1].id);
		hs_bench_commit(bench, author, 1, &other.id);
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_CHECK_COMMITS), 2);
	}
	judge(2, &chain[1], true);
	judge(3, &chain[1], true);
	judge(3, &other, true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->author, 3);
	judge(2, &other, true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->author, 2);
	hs_bench_stop(bench);
}

static void a_verdict_that_comes_long_after_its_view_still_counts(void)
{
	set_up();
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	hs_bench_commit(bench, 3, 1, &other.id);
	hs_bench_qc(bench, 100, &chain[2].id);
	hs_bench_vote(bench, 1, 1 + HS_ROUNDS_MAX, &chain[2].id);
	UNIT_CHECK(hs_quorum_peek(&bench->core->quorum, 1) == NULL);
	judge(3, &chain[1], true);
	judge(3, &other, true);
	UNIT_REQUIRE(evidence() != NULL);
	UNIT_EQUAL(evidence()->kind, HS_EVIDENCE_TWO_COMMITS);
	hs_bench_stop(bench);
}

static void commit_badly_signed(uint32_t author)
{
	struct hs_commit commit = hs_make_commit(&bench->config, author, 1, &chain[1].id);

	commit.signature.b[5] ^= 1;
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_COMMIT,
						 .from = author,
						 .u.commit = &commit });
}

/* What was heard first was forged; the good one that came later clears nobody and blames nobody. */
static void a_verdict_about_another_signature_closes_the_accusation(void)
{
	struct hs_input input = { .kind = HS_INPUT_COMMITS_CHECKED, .from = HS_REPLICA_NONE };

	set_up();
	hs_bench_block(bench, &chain[1]);
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	hs_bench_commit(bench, 2, 1, &chain[1].id);
	commit_badly_signed(3);
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 1);
	hs_bench_wait(bench, bench->config.delta_ns / 2);
	input.u.checked.view = 1;
	input.u.checked.block_id = chain[1].id;
	input.u.checked.good.word[0] = 6;
	input.u.checked.bad.word[0] = 8;
	hs_bench_step(bench, &input);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_SIGNATURE));
	hs_bench_timeout(bench, 3, 1, NULL, NULL);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_CHECK_COMMITS), 1);
	hs_bench_commit(bench, 3, 1, &chain[1].id);
	judge(3, &chain[1], true);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "evidence"), 0);
	judge(3, &chain[1], true);
	UNIT_EQUAL(hs_bench_logged(bench, "evidence"), 0);
	hs_bench_stop(bench);
}

/* 31 members, ten of them lie at once, each in both ways. */
static void however_many_are_accused_there_is_room_for_one_more(void)
{
	enum { MEMBERS = 31, FIRST_LIAR = 21 };

	bench = hs_bench_start(MEMBERS, 0);
	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &chain[1]);
	hs_make_block(&bench->config, &genesis, 1, NULL, 9, &other);
	for (uint32_t liar = FIRST_LIAR; liar < MEMBERS; liar++) {
		hs_bench_commit(bench, liar, 1, &chain[1].id);
		hs_bench_commit(bench, liar, 1, &other.id);
		hs_bench_timeout(bench, liar, 1, NULL, NULL);
	}
	hs_bench_forget(bench);
	for (uint32_t liar = FIRST_LIAR; liar < MEMBERS; liar++) {
		judge(liar, &other, true);
		judge(liar, &chain[1], true);
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_EVIDENCE), 2);
	}
	hs_bench_stop(bench);
}

UNIT_SUITE("hs_evidence", UNIT_TEST(two_commits_of_one_view_are_evidence_once_both_are_checked),
	   UNIT_TEST(a_commit_with_a_bad_signature_is_no_evidence_and_hides_none),
	   UNIT_TEST(commit_and_ignorant_timeout_are_evidence_in_either_order),
	   UNIT_TEST(an_older_timeout_does_not_replace_a_newer_one),
	   UNIT_TEST(one_accusation_an_author_and_kind_is_under_way),
	   UNIT_TEST(accusations_of_several_authors_are_under_way_at_once),
	   UNIT_TEST(a_verdict_that_comes_long_after_its_view_still_counts),
	   UNIT_TEST(a_verdict_about_another_signature_closes_the_accusation),
	   UNIT_TEST(however_many_are_accused_there_is_room_for_one_more))
