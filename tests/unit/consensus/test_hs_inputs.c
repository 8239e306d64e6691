/* hs_inputs.c: what peers say, stragglers, and evidence. Replica 0 of 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_state.h"
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

/* Nobody asked for them, and no certificate can ever name them. */
static void blocks_no_leader_may_propose_do_not_displace_the_proposal(void)
{
	struct hs_block junk;

	set_up();
	hs_bench_propose(bench, &chain[1]);
	for (uint64_t i = 0; i < 2 * HS_BLOCKS_MAX; i++) {
		hs_make_block(&bench->config, &genesis, 5 + 4 * i, NULL, 0, &junk);
		hs_bench_block(bench, &junk);
		UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_JUSTIFY));
		junk = other;
		junk.header.time_ns += i;
		junk.author = 3;
		hs_make_block_again(&bench->config, &junk);
		hs_bench_block(bench, &junk);
		UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_NOT_LEADER));
	}
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1"), 1);
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

static void step_block(enum hs_input_kind kind, const struct hs_block *block)
{
	hs_bench_step(bench, &(struct hs_input){ .kind = kind, .from = 1, .u.block = block });
}

static void what_comes_long_after_its_view_is_dropped(void)
{
	set_up();
	hs_bench_tc(bench, 99, 0);
	hs_bench_propose(bench, &chain[1]);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	hs_bench_vote(bench, 1, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	hs_bench_commit(bench, 1, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	hs_bench_stop(bench);
}

static void authors_that_are_no_members_or_me_are_dropped(void)
{
	set_up();
	other.author = 4;
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_NOT_LEADER));
	hs_bench_commit(bench, 4, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_RELAYED));
	hs_bench_commit(bench, 0, 1, &chain[1].id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_RELAYED));
	hs_bench_timeout(bench, 4, 1, NULL, NULL);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	hs_bench_timeout(bench, 0, 1, NULL, NULL);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
	hs_bench_stop(bench);
}

static void nothing_is_said_in_view_0(void)
{
	static struct hs_fc fc;

	set_up();
	other.header.view = 0;
	other.author = 0;
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_NOT_LEADER));
	hs_bench_commit(bench, 1, 0, &genesis.id);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	hs_make_fc(&bench->config, 0, &genesis.id, &fc);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_FC, .from = 1, .u.fc = &fc });
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PROOF), 0);
	hs_bench_stop(bench);
}

static void certificates_of_another_epoch_inside_a_message_count_for_nothing(void)
{
	static struct hs_tc tc;
	static struct hs_fc fc;

	set_up();
	hs_make_block(&bench->config, &chain[1], 2, NULL, 5, &other);
	other.justify.epoch = 2;
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 0);
	hs_make_tc(&bench->config, 4, 0, 0, &tc);
	tc.epoch = 2;
	hs_make_block(&bench->config, &genesis, 5, &tc, 0, &other);
	hs_bench_propose(bench, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	UNIT_EQUAL(hs_core_status(bench->core).view, 1);
	hs_make_fc(&bench->config, 1, &chain[1].id, &fc);
	fc.c.epoch = 2;
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_FC, .from = 1, .u.fc = &fc });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	other.header.epoch = 2;
	step_block(HS_INPUT_PROPOSE, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	step_block(HS_INPUT_INTENT, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	step_block(HS_INPUT_BLOCK, &other);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	hs_bench_stop(bench);
}

static void a_timeout_of_another_epoch_is_dropped(void)
{
	static struct hs_timeout timeout;

	set_up();
	hs_make_timeout(&bench->config, 2, 1, NULL, NULL, &timeout);
	timeout.epoch = 2;
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_TIMEOUT, .from = 2, .u.timeout = &timeout });
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_EPOCH));
	hs_bench_stop(bench);
}

static void step_payload(enum hs_payload verdict)
{
	struct hs_input input = { .kind = HS_INPUT_PAYLOAD, .from = HS_REPLICA_NONE };

	input.u.payload.block_id = chain[1].id;
	input.u.payload.verdict = verdict;
	hs_bench_step(bench, &input);
}

static void a_payload_once_ready_stays_ready(void)
{
	set_up();
	hs_bench_propose(bench, &chain[1]);
	step_payload(HS_PAYLOAD_READY);
	step_payload(HS_PAYLOAD_INVALID);
	UNIT_CHECK(!hs_bench_dropped(bench, HS_DROP_PAYLOAD));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1"), 1);
	hs_bench_stop(bench);
}

static void an_intent_that_contradicts_itself_is_not_recorded(void)
{
	set_up();
	other.id.b[0] ^= 1;
	hs_bench_intent(bench, &other);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 0);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_ROLLED_BACK, .from = 1 });
	hs_bench_intent(bench, &chain[1]);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 0);
	UNIT_EQUAL(hs_core_deadline_ns(bench->core), UINT64_MAX);
	hs_bench_stop(bench);
}

static void verdicts_nobody_asked_for_are_ignored(void)
{
	struct hs_input input = { .kind = HS_INPUT_COMMITS_CHECKED, .from = HS_REPLICA_NONE };

	set_up();
	input.u.checked.view = 1;
	input.u.checked.block_id = chain[1].id;
	bitset_add(&input.u.checked.bad, 2);
	hs_bench_step(bench, &input);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CERTIFICATE_ANSWER,
						 .from = 1,
						 .u.author = 9 });
	UNIT_EQUAL(bench->effects.count, 0);
	hs_bench_stop(bench);
}

/* The round of view 73 is gone: what else its leader said is not known, and nobody is blamed. */
static void a_proposal_whose_round_is_gone_is_taken_only_if_it_is_wanted(void)
{
	static struct hs_block late;
	static struct hs_block tip;
	static struct hs_block unwanted;
	static struct hs_tc tc;

	set_up();
	hs_make_tc(&bench->config, 72, 0, 0, &tc);
	hs_make_block(&bench->config, &genesis, 73, &tc, 0, &late);
	hs_make_block(&bench->config, &genesis, 73, &tc, 1, &unwanted);
	hs_make_tc(&bench->config, 199, 73, 73, &tc);
	hs_make_block(&bench->config, &late, 200, &tc, 0, &tip);
	hs_bench_qc(bench, 200, &tip.id);
	hs_bench_block(bench, &tip);
	hs_bench_vote(bench, 1, 73 + HS_ROUNDS_MAX, &tip.id);
	hs_bench_propose(bench, &unwanted);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_VIEW_OLD));
	hs_bench_propose(bench, &late);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
	UNIT_CHECK(hs_core_block(bench->core, &late.id) != NULL);
	UNIT_EQUAL(hs_bench_logged(bench, "evidence"), 0);
	hs_bench_stop(bench);
}

static void an_intent_for_a_block_of_another_than_the_leader_is_not_recorded(void)
{
	set_up();
	chain[1].author = 2;
	hs_bench_intent(bench, &chain[1]);
	UNIT_EQUAL(bench->effects.count, 0);
	chain[1].author = 1;
	hs_bench_intent(bench, &chain[1]);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 1);
	hs_bench_stop(bench);
}

static void an_observer_does_not_say_its_commit_again(void)
{
	for (uint32_t is_observer = 0; is_observer < 2; is_observer++) {
		set_up();
		hs_bench_propose(bench, &chain[1]);
		hs_bench_settle(bench);
		hs_bench_qc(bench, 1, &chain[1].id);
		hs_bench_settle(bench);
		UNIT_EQUAL(hs_bench_logged(bench, "send all commit view=1"), 1);
		hs_bench_commit(bench, 1, 1, &chain[1].id);
		hs_bench_commit(bench, 2, 1, &chain[1].id);
		UNIT_EQUAL(hs_core_status(bench->core).committed_height, 1);
		if (is_observer)
			hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_ROLLED_BACK,
								 .from = HS_REPLICA_NONE });
		hs_bench_commit(bench, 1, 1, &chain[1].id);
		UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_DUPLICATE));
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SEND), is_observer ? 0 : 1);
		hs_bench_stop(bench);
	}
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
	   UNIT_TEST(blocks_no_leader_may_propose_do_not_displace_the_proposal),
	   UNIT_TEST(proposals_of_a_view_already_left_are_dropped),
	   UNIT_TEST(two_proposals_of_one_view_are_evidence_with_both_signatures),
	   UNIT_TEST(two_votes_of_one_view_are_evidence_once),
	   UNIT_TEST(a_refused_proposal_that_comes_twice_is_no_evidence),
	   UNIT_TEST(what_an_honest_replica_says_is_no_evidence),
	   UNIT_TEST(what_comes_long_after_its_view_is_dropped),
	   UNIT_TEST(authors_that_are_no_members_or_me_are_dropped),
	   UNIT_TEST(nothing_is_said_in_view_0),
	   UNIT_TEST(certificates_of_another_epoch_inside_a_message_count_for_nothing),
	   UNIT_TEST(a_timeout_of_another_epoch_is_dropped),
	   UNIT_TEST(a_payload_once_ready_stays_ready),
	   UNIT_TEST(an_intent_that_contradicts_itself_is_not_recorded),
	   UNIT_TEST(verdicts_nobody_asked_for_are_ignored),
	   UNIT_TEST(a_proposal_whose_round_is_gone_is_taken_only_if_it_is_wanted),
	   UNIT_TEST(an_intent_for_a_block_of_another_than_the_leader_is_not_recorded),
	   UNIT_TEST(an_observer_does_not_say_its_commit_again))
