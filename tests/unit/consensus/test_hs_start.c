/* hs_start.c: rule R, from every state a crash can leave. Replica 0 of 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_config config;
static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block chain[6];
static struct hs_record record;
static struct hs_tc tc;

static void set_up(void)
{
	config = hs_make_config(4, 0);
	hs_make_genesis(&config, &genesis);
	hs_make_block(&config, &genesis, 1, NULL, 0, &chain[1]);
	for (uint32_t v = 2; v < 6; v++)
		hs_make_block(&config, &chain[v - 1], v, NULL, 0, &chain[v]);
	memset(&record, 0, sizeof(record));
	record.epoch = config.epoch;
	hs_make_genesis_qc(&config, &record.high_qc);
	bench = hs_bench_new(&config);
}

static void boot(const struct hs_block *blocks, uint32_t count)
{
	hs_bench_boot(bench, &(struct hs_start){ .record = &record,
						 .intent_justify_is_valid = true,
						 .entry_tc_is_valid = true,
						 .blocks = blocks,
						 .block_count = count });
}

static void recover(void)
{
	for (uint32_t i = 1; i < 4; i++)
		hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CERTIFICATE_ANSWER,
							 .from = i,
							 .u.author = i });
}

static struct hs_view_status status(void)
{
	return hs_core_status(bench->core);
}

static void nothing_is_said_before_q_minus_1_answers_or_two_delta(void)
{
	set_up();
	boot(NULL, 0);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_CERTIFICATES), 1);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	for (uint32_t i = 0; i < 3; i++)
		hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CERTIFICATE_ANSWER,
							 .from = 2,
							 .u.author = 2 });
	hs_bench_wait(bench, 2 * config.delta_ns - 1);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	hs_bench_wait(bench, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 1);
	hs_bench_stop(bench);
	set_up();
	boot(NULL, 0);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	recover();
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 1);
	hs_bench_stop(bench);
}

static void a_vote_that_was_recorded_is_said_again_after_full_validation_only(void)
{
	set_up();
	record.last_vote_view = 1;
	record.last_vote_id = chain[1].id;
	boot(&chain[1], 1);
	recover();
	UNIT_EQUAL(hs_bench_logged(bench, "vote view"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "want-payload"), 1);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-block"), 0);
	hs_bench_stop(bench);
}

static void no_other_block_is_voted_for_in_a_recorded_view(void)
{
	struct hs_block other;

	set_up();
	record.last_vote_view = 1;
	record.last_vote_id = chain[1].id;
	boot(NULL, 0);
	recover();
	hs_make_block(&config, &genesis, 1, NULL, 9, &other);
	hs_bench_propose(bench, &other);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view"), 0);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=1"), 1);
	hs_bench_stop(bench);
}

static void a_recorded_timeout_forbids_vote_and_commit_and_is_said_again(void)
{
	set_up();
	record.last_timeout_view = 1;
	boot(&chain[1], 1);
	recover();
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=1 qc=0"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view"), 0);
	hs_bench_qc(bench, 1, &chain[1].id);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view"), 0);
	hs_bench_stop(bench);
}

static void the_view_is_never_lower_than_any_recorded_statement(void)
{
	set_up();
	record.last_timeout_view = 9;
	boot(NULL, 0);
	UNIT_EQUAL(status().view, 9);
	hs_bench_stop(bench);
	set_up();
	record.last_proposed_view = 8;
	boot(NULL, 0);
	UNIT_EQUAL(status().view, 8);
	hs_bench_stop(bench);
	set_up();
	hs_make_qc(&config, 5, &chain[5].id, 0, &record.high_qc);
	boot(NULL, 0);
	UNIT_EQUAL(status().view, 6);
	hs_bench_stop(bench);
}

/* Without it two halves that crashed in different views would never meet. */
static void a_timed_out_view_is_proved_to_others_by_the_recorded_tc(void)
{
	set_up();
	record.last_timeout_view = 7;
	record.has_entry_tc = true;
	hs_make_tc(&config, 6, 0, 0, &record.entry_tc);
	boot(NULL, 0);
	recover();
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=7 qc=0 entry=tc6"), 1);
	hs_bench_timeout(bench, 2, 6, NULL, NULL);
	UNIT_REQUIRE(hs_bench_sent(bench, HS_MESSAGE_TC) != NULL);
	UNIT_EQUAL(hs_bench_sent(bench, HS_MESSAGE_TC)->u.tc.view, 6);
	hs_bench_stop(bench);
}

static void a_bad_entry_tc_is_ignored(void)
{
	set_up();
	record.last_timeout_view = 7;
	record.has_entry_tc = true;
	hs_make_tc(&config, 20, 0, 0, &record.entry_tc);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record });
	UNIT_EQUAL(status().view, 7);
	recover();
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "entry="), 0);
	hs_bench_stop(bench);
}

static void a_recorded_commit_is_not_given_to_another_block(void)
{
	set_up();
	record.last_commit_view = 1;
	record.last_commit_id = chain[1].id;
	hs_make_qc(&config, 1, &chain[1].id, 0, &record.high_qc);
	boot(&chain[1], 1);
	recover();
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "commit view"), 0);
	UNIT_EQUAL(status().last_commit_view, 1);
	hs_bench_stop(bench);
}

static void the_lock_survives(void)
{
	set_up();
	hs_make_qc(&config, 3, &chain[3].id, 0, &record.high_qc);
	boot(NULL, 0);
	recover();
	hs_bench_wait(bench, 20000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all timeout view=4 qc=3"), 1);
	hs_bench_stop(bench);
}

static void boot_as_leader(const struct hs_block *blocks, uint32_t count)
{
	hs_bench_stop(bench);
	config.replica_id = 1;
	bench = hs_bench_new(&config);
	boot(blocks, count);
	recover();
	hs_bench_work(bench, true);
	hs_bench_settle(bench);
}

static void no_second_proposal_in_a_recorded_view(void)
{
	set_up();
	record.last_proposed_view = 1;
	boot_as_leader(NULL, 0);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	hs_bench_stop(bench);
}

/* Two lives may each leave a block of one view on disk, and only one of them was ever sent. */
static void a_recorded_proposal_is_not_said_again(void)
{
	set_up();
	record.last_proposed_view = 1;
	record.last_vote_view = 1;
	record.last_vote_id = chain[1].id;
	boot_as_leader(&chain[1], 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 0);
	hs_bench_stop(bench);
}

static void an_intent_counts_as_a_vote(void)
{
	struct hs_block other;

	set_up();
	hs_make_block(&config, &chain[1], 2, NULL, 9, &other);
	record.intent_view = 2;
	record.intent_id = chain[2].id;
	hs_copy_qc(&record.intent_justify, &chain[2].justify);
	boot(&chain[1], 1);
	recover();
	UNIT_EQUAL(status().last_vote_view, 2);
	UNIT_EQUAL(status().high_qc_view, 1);
	hs_bench_propose(bench, &other);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view"), 0);
	hs_bench_propose(bench, &chain[2]);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 1);
	UNIT_EQUAL(bench->disk.last_vote_view, 2);
	UNIT_EQUAL(bench->disk.high_qc.view, 1);
	hs_bench_stop(bench);
}

static void an_intent_with_a_bad_justify_raises_no_lock(void)
{
	set_up();
	record.intent_view = 2;
	record.intent_id = chain[2].id;
	hs_copy_qc(&record.intent_justify, &chain[2].justify);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record });
	UNIT_EQUAL(status().last_vote_view, 2);
	UNIT_EQUAL(status().high_qc_view, 0);
	UNIT_EQUAL(status().view, 1);
	hs_bench_stop(bench);
}

static void start_bench_on_first_block(void)
{
	set_up();
	boot(NULL, 0);
	recover();
	hs_bench_propose(bench, &chain[1]);
	hs_bench_settle(bench);
	hs_bench_forget(bench);
}

static void a_vote_covered_by_its_intent_needs_no_second_write(void)
{
	start_bench_on_first_block();
	hs_bench_intent(bench, &chain[2]);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 1);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_EQUAL(bench->disk.intent_view, 2);
	UNIT_EQUAL(bench->disk.last_vote_view, 1);
	hs_bench_propose(bench, &chain[2]);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 1);
	UNIT_EQUAL(bench->disk.last_vote_view, 1);
	hs_bench_stop(bench);
}

static void a_vote_waits_for_its_intents_write(void)
{
	start_bench_on_first_block();
	hs_bench_intent(bench, &chain[2]);
	hs_bench_propose(bench, &chain[2]);
	while (hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD) ||
	       hs_bench_answer(bench, HS_EFFECT_SIGN) ||
	       hs_bench_answer(bench, HS_EFFECT_PERSIST_BLOCK))
		;
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 0);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 1);
	hs_bench_stop(bench);
}

static void an_intent_with_other_justify_signatures_covers_nothing(void)
{
	struct hs_block forged = chain[2];

	start_bench_on_first_block();
	forged = chain[2];
	forged.justify.signature[0].b[0] ^= 1;
	hs_bench_intent(bench, &forged);
	hs_bench_answer(bench, HS_EFFECT_PERSIST_RECORD);
	hs_bench_propose(bench, &chain[2]);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all vote view=2"), 1);
	UNIT_EQUAL(bench->disk.last_vote_view, 2);
	UNIT_EQUAL(bench->disk.high_qc.view, 1);
	hs_bench_stop(bench);
}

static void an_intent_cannot_take_away_more_than_the_next_view(void)
{
	struct hs_block far;

	start_bench_on_first_block();
	hs_make_tc(&config, 4, 0, 0, &tc);
	hs_make_block(&config, &chain[1], 5, &tc, 0, &far);
	hs_bench_intent(bench, &far);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_RECORD), 0);
	hs_bench_stop(bench);
}

static void the_committed_block_is_the_root_and_the_next_commit_follows_it(void)
{
	set_up();
	record.committed_height = 2;
	record.committed_id = chain[2].id;
	hs_make_qc(&config, 3, &chain[3].id, 0, &record.high_qc);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record,
						 .committed = &chain[2],
						 .blocks = &chain[3],
						 .block_count = 2 });
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT"), 0);
	hs_bench_qc(bench, 4, &chain[4].id);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT"), 1);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT height=3"), 1);
	UNIT_CHECK(hs_core_block(bench->core, &chain[3].id) != NULL);
	hs_bench_stop(bench);
}

/* The blocks between were never durable here: a disk that refused them for a while. */
static void the_committed_height_of_the_record_never_falls(void)
{
	set_up();
	record.committed_height = 4;
	record.committed_id = chain[4].id;
	hs_make_qc(&config, 3, &chain[3].id, 0, &record.high_qc);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record,
						 .committed = &chain[1],
						 .blocks = &chain[2],
						 .block_count = 3 });
	UNIT_EQUAL(status().committed_height, 2);
	recover();
	hs_bench_propose(bench, &chain[5]);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "COMMIT"), 2);
	UNIT_EQUAL(bench->disk.committed_height, 4);
	UNIT_CHECK(crypto_hash_equal(&bench->disk.committed_id, &chain[4].id));
	hs_bench_stop(bench);
}

static void without_a_record_it_only_observes(void)
{
	set_up();
	hs_bench_boot(bench, &(struct hs_start){ .record = NULL });
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_OBSERVER), 1);
	UNIT_CHECK(status().is_observer);
	hs_bench_work(bench, true);
	hs_bench_propose(bench, &chain[1]);
	hs_bench_propose(bench, &chain[2]);
	hs_bench_qc(bench, 2, &chain[2].id);
	hs_bench_timeout(bench, 1, 3, NULL, NULL);
	hs_bench_timeout(bench, 2, 3, NULL, NULL);
	hs_bench_wait(bench, 2000000000);
	hs_bench_settle(bench);
	UNIT_EQUAL(status().committed_height, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "sign"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "send all"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "persist-record"), 0);
	hs_bench_stop(bench);
}

static void a_record_of_another_epoch_makes_an_observer(void)
{
	set_up();
	record.epoch = 2;
	boot(NULL, 0);
	UNIT_CHECK(status().is_observer);
	hs_bench_stop(bench);
}

static void proof_of_rollback_silences_it_for_good(void)
{
	set_up();
	boot(NULL, 0);
	recover();
	hs_bench_propose(bench, &chain[1]);
	hs_bench_answer(bench, HS_EFFECT_WANT_PAYLOAD);
	hs_bench_step(bench,
		      &(struct hs_input){ .kind = HS_INPUT_ROLLED_BACK, .from = HS_REPLICA_NONE });
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_OBSERVER), 1);
	hs_bench_settle(bench);
	hs_bench_wait(bench, 2000000000);
	UNIT_EQUAL(hs_bench_logged(bench, "send"), 0);
	hs_bench_step(bench,
		      &(struct hs_input){ .kind = HS_INPUT_ROLLED_BACK, .from = HS_REPLICA_NONE });
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_OBSERVER), 0);
	hs_bench_stop(bench);
}

static void blocks_that_come_twice_or_fit_nothing_are_passed_over(void)
{
	static struct hs_block blocks[4];

	set_up();
	hs_copy_block(&blocks[0], &chain[1]);
	hs_copy_block(&blocks[1], &chain[1]);
	hs_copy_block(&blocks[2], &chain[2]);
	blocks[2].header.height = 9; /* the id no longer fits */
	hs_copy_block(&blocks[3], &chain[2]);
	boot(blocks, 4);
	recover();
	UNIT_CHECK(hs_core_block(bench->core, &chain[2].id) != NULL);
	UNIT_EQUAL(hs_core_block(bench->core, &chain[2].id)->header.height, 2);
	UNIT_EQUAL(status().high_qc_view, 1);
	hs_bench_stop(bench);
}

static void a_recorded_tc_of_an_earlier_view_is_no_entry_certificate(void)
{
	static struct hs_certificates known;

	set_up();
	record.has_entry_tc = true;
	hs_make_tc(&config, 5, 0, 0, &record.entry_tc);
	record.last_vote_view = 8;
	record.last_vote_id = chain[1].id;
	boot(NULL, 0);
	UNIT_EQUAL(status().view, 8);
	hs_core_certificates(bench->core, &known);
	UNIT_EQUAL(known.entry.kind, HS_ENTRY_NONE);
	hs_bench_stop(bench);
}

/* Rule P(3): without QC(v - 1) or TC(v - 1) nothing that it could propose would be valid. */
static void a_leader_that_lost_its_entry_certificate_proposes_nothing(void)
{
	set_up();
	record.last_vote_view = 4;
	record.last_vote_id = chain[1].id;
	boot(NULL, 0);
	recover();
	UNIT_EQUAL(status().leader, 0);
	hs_bench_work(bench, true);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "proposed=4"), 0);
	hs_bench_tc(bench, 7, 0);
	hs_bench_wait(bench, config.block_interval_min_ns);
	UNIT_EQUAL(hs_bench_logged(bench, "want-cut view=8"), 1);
	hs_bench_stop(bench);
}

static void a_stored_block_that_breaks_rule_p3_is_not_voted_for_again(void)
{
	static struct hs_block block;

	set_up();
	hs_make_block(&config, &genesis, 3, NULL, 0, &block);
	record.last_vote_view = 3;
	record.last_vote_id = block.id;
	boot(&block, 1);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_JUSTIFY));
	recover();
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "want-payload"), 0);
	UNIT_EQUAL(hs_bench_logged(bench, "vote view"), 0);
	hs_bench_stop(bench);
}

UNIT_SUITE("hs_start", UNIT_TEST(nothing_is_said_before_q_minus_1_answers_or_two_delta),
	   UNIT_TEST(a_vote_that_was_recorded_is_said_again_after_full_validation_only),
	   UNIT_TEST(no_other_block_is_voted_for_in_a_recorded_view),
	   UNIT_TEST(a_recorded_timeout_forbids_vote_and_commit_and_is_said_again),
	   UNIT_TEST(the_view_is_never_lower_than_any_recorded_statement),
	   UNIT_TEST(a_timed_out_view_is_proved_to_others_by_the_recorded_tc),
	   UNIT_TEST(a_bad_entry_tc_is_ignored),
	   UNIT_TEST(a_recorded_commit_is_not_given_to_another_block), UNIT_TEST(the_lock_survives),
	   UNIT_TEST(no_second_proposal_in_a_recorded_view),
	   UNIT_TEST(a_recorded_proposal_is_not_said_again), UNIT_TEST(an_intent_counts_as_a_vote),
	   UNIT_TEST(an_intent_with_a_bad_justify_raises_no_lock),
	   UNIT_TEST(a_vote_covered_by_its_intent_needs_no_second_write),
	   UNIT_TEST(a_vote_waits_for_its_intents_write),
	   UNIT_TEST(an_intent_with_other_justify_signatures_covers_nothing),
	   UNIT_TEST(an_intent_cannot_take_away_more_than_the_next_view),
	   UNIT_TEST(the_committed_block_is_the_root_and_the_next_commit_follows_it),
	   UNIT_TEST(the_committed_height_of_the_record_never_falls),
	   UNIT_TEST(without_a_record_it_only_observes),
	   UNIT_TEST(a_record_of_another_epoch_makes_an_observer),
	   UNIT_TEST(proof_of_rollback_silences_it_for_good),
	   UNIT_TEST(blocks_that_come_twice_or_fit_nothing_are_passed_over),
	   UNIT_TEST(a_recorded_tc_of_an_earlier_view_is_no_entry_certificate),
	   UNIT_TEST(a_leader_that_lost_its_entry_certificate_proposes_nothing),
	   UNIT_TEST(a_stored_block_that_breaks_rule_p3_is_not_voted_for_again))
