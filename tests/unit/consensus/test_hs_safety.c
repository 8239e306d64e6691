#include "consensus/hs_safety.h"

#include <string.h>

#include "consensus/hs_copy.h"
#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static struct hs_safety safety;
static const struct crypto_signature signature = { .b = { 1 } };

static void say(enum hs_message_kind kind, uint64_t view, uint64_t request)
{
	hs_safety_say(&safety, &(struct hs_pending){
				       .kind = kind,
				       .view = view,
				       .generation = hs_safety_change(&safety),
				       .request = request,
			       });
}

static void a_statement_waits_for_record_and_signature(void)
{
	struct hs_pending said;

	hs_safety_init(&safety);
	say(HS_MESSAGE_COMMIT, 3, 11);
	UNIT_CHECK(hs_safety_write(&safety, 12));
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(hs_safety_on_signed(&safety, 11, &signature) != NULL);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(!hs_safety_on_persisted(&safety, 99));
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(hs_safety_on_persisted(&safety, 12));
	UNIT_REQUIRE(hs_safety_take_ready(&safety, &said));
	UNIT_EQUAL(said.view, 3);
	UNIT_EQUAL(said.signature.b[0], 1);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
}

static void an_unsigned_statement_stays_though_durable(void)
{
	struct hs_pending said;

	hs_safety_init(&safety);
	say(HS_MESSAGE_VOTE, 3, 11);
	hs_safety_write(&safety, 12);
	hs_safety_on_persisted(&safety, 12);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(hs_safety_on_signed(&safety, 10, &signature) == NULL);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
}

static void changes_during_a_write_are_gathered_into_the_next(void)
{
	struct hs_pending said;

	hs_safety_init(&safety);
	say(HS_MESSAGE_VOTE, 3, 11);
	UNIT_CHECK(hs_safety_write(&safety, 12));
	say(HS_MESSAGE_COMMIT, 2, 13);
	say(HS_MESSAGE_TIMEOUT, 4, 14);
	UNIT_CHECK(!hs_safety_write(&safety, 15));
	hs_safety_on_signed(&safety, 11, &signature);
	hs_safety_on_signed(&safety, 13, &signature);
	hs_safety_on_signed(&safety, 14, &signature);
	hs_safety_on_persisted(&safety, 12);
	UNIT_REQUIRE(hs_safety_take_ready(&safety, &said));
	UNIT_EQUAL(said.kind, HS_MESSAGE_VOTE);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(hs_safety_write(&safety, 16));
	UNIT_CHECK(hs_safety_on_persisted(&safety, 16));
	UNIT_CHECK(hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(hs_safety_take_ready(&safety, &said));
	UNIT_CHECK(!hs_safety_write(&safety, 17));
}

static void a_vote_also_waits_for_its_block(void)
{
	struct crypto_hash id = { .b = { 7 } };
	struct crypto_hash other = { .b = { 8 } };
	struct hs_pending said;

	hs_safety_init(&safety);
	hs_safety_say(&safety, &(struct hs_pending){ .kind = HS_MESSAGE_VOTE,
						     .block_id = id,
						     .request = 5,
						     .waits_block = true });
	hs_safety_on_signed(&safety, 5, &signature);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	hs_safety_on_block_durable(&safety, &other);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
	hs_safety_on_block_durable(&safety, &id);
	UNIT_CHECK(hs_safety_take_ready(&safety, &said));
}

static void the_oldest_statement_gives_way_when_too_many_wait(void)
{
	hs_safety_init(&safety);
	for (uint64_t i = 0; i <= HS_STATEMENTS_MAX; i++)
		say(HS_MESSAGE_VOTE, i, 100 + i);
	UNIT_EQUAL(safety.pending_count, HS_STATEMENTS_MAX);
	UNIT_EQUAL(safety.pending[0].view, 1);
	UNIT_CHECK(hs_safety_on_signed(&safety, 100, &signature) == NULL);
}

static void an_intent_covers_only_the_very_vote_and_justify(void)
{
	struct hs_config config = hs_make_config(4, 1);
	struct crypto_hash id = { .b = { 7 } };
	struct crypto_hash other = { .b = { 8 } };
	struct hs_qc justify;

	hs_safety_init(&safety);
	hs_make_qc(&config, 4, &other, 0, &justify);
	safety.record.intent_view = 5;
	safety.record.intent_id = id;
	hs_copy_qc(&safety.record.intent_justify, &justify);
	UNIT_CHECK(hs_safety_intent_covers(&safety, 5, &id, &justify));
	UNIT_CHECK(!hs_safety_intent_covers(&safety, 6, &id, &justify));
	UNIT_CHECK(!hs_safety_intent_covers(&safety, 5, &other, &justify));
	hs_make_qc(&config, 4, &other, 1, &justify);
	UNIT_CHECK(!hs_safety_intent_covers(&safety, 5, &id, &justify));
	hs_make_qc(&config, 4, &other, 0, &justify);
	justify.signature[1].b[0] ^= 1;
	UNIT_CHECK(!hs_safety_intent_covers(&safety, 5, &id, &justify));
}

static void tidy_drops_what_no_restart_needs(void)
{
	struct hs_record *record = &safety.record;

	hs_safety_init(&safety);
	record->intent_view = 5;
	hs_safety_tidy(&safety);
	UNIT_EQUAL(record->intent_view, 5);
	record->last_vote_view = 5;
	hs_safety_tidy(&safety);
	UNIT_EQUAL(record->intent_view, 0);
	record->intent_view = 9;
	record->has_entry_tc = true;
	record->entry_tc.view = 7;
	record->high_qc.view = 6;
	hs_safety_tidy(&safety);
	UNIT_CHECK(record->has_entry_tc);
	UNIT_EQUAL(record->intent_view, 0);
	record->high_qc.view = 7;
	hs_safety_tidy(&safety);
	UNIT_CHECK(!record->has_entry_tc);
}

static void an_observer_forgets_what_it_was_about_to_say(void)
{
	struct hs_pending said;

	hs_safety_init(&safety);
	say(HS_MESSAGE_VOTE, 3, 11);
	hs_safety_on_signed(&safety, 11, &signature);
	hs_safety_fall_silent(&safety);
	hs_safety_write(&safety, 12);
	hs_safety_on_persisted(&safety, 12);
	UNIT_CHECK(!hs_safety_take_ready(&safety, &said));
}

/* hs_copy.c: counts decide how much is copied. */
static void copies_are_equal_in_what_counts(void)
{
	static struct hs_record from;
	static struct hs_record to;
	struct hs_config config = hs_make_config(7, 1);
	struct crypto_hash id = { .b = { 7 } };

	memset(&from, 0, sizeof(from));
	memset(&to, 0xee, sizeof(to));
	from.epoch = 1;
	from.last_vote_view = 9;
	from.last_timeout_view = 8;
	from.last_timeout_qc_view = 6;
	from.last_commit_view = 5;
	from.last_proposed_view = 4;
	from.committed_height = 3;
	from.committed_id = id;
	from.has_entry_tc = true;
	hs_make_qc(&config, 6, &id, 0, &from.high_qc);
	hs_make_tc(&config, 7, 6, 6, &from.entry_tc);
	hs_copy_record(&to, &from);
	UNIT_EQUAL(to.last_vote_view, 9);
	UNIT_EQUAL(to.last_timeout_view, 8);
	UNIT_EQUAL(to.last_timeout_qc_view, 6);
	UNIT_EQUAL(to.last_commit_view, 5);
	UNIT_EQUAL(to.last_proposed_view, 4);
	UNIT_EQUAL(to.committed_height, 3);
	UNIT_CHECK(memcmp(&to.committed_id, &id, sizeof(id)) == 0);
	UNIT_CHECK(hs_qc_is_same(&to.high_qc, &from.high_qc));
	UNIT_EQUAL(to.entry_tc.count, 5);
	UNIT_EQUAL(to.entry_tc.qc_view[4], 6);
	UNIT_CHECK(memcmp(to.entry_tc.signature, from.entry_tc.signature,
			  5 * sizeof(struct crypto_signature)) == 0);
	UNIT_EQUAL(to.high_qc.signature[5].b[0], 0xee);
	UNIT_EQUAL(to.intent_view, 0);
}

static void a_second_answer_of_the_signer_changes_nothing(void)
{
	static const struct crypto_signature second = { .b = { 2 } };
	struct hs_pending said;

	hs_safety_init(&safety);
	say(HS_MESSAGE_VOTE, 3, 11);
	hs_safety_write(&safety, 12);
	UNIT_CHECK(hs_safety_on_signed(&safety, 11, &signature) != NULL);
	UNIT_CHECK(hs_safety_on_signed(&safety, 11, &second) == NULL);
	hs_safety_on_persisted(&safety, 12);
	UNIT_REQUIRE(hs_safety_take_ready(&safety, &said));
	UNIT_EQUAL(said.signature.b[0], 1);
}

UNIT_SUITE("hs_safety", UNIT_TEST(a_statement_waits_for_record_and_signature),
	   UNIT_TEST(an_unsigned_statement_stays_though_durable),
	   UNIT_TEST(changes_during_a_write_are_gathered_into_the_next),
	   UNIT_TEST(a_vote_also_waits_for_its_block),
	   UNIT_TEST(the_oldest_statement_gives_way_when_too_many_wait),
	   UNIT_TEST(an_intent_covers_only_the_very_vote_and_justify),
	   UNIT_TEST(tidy_drops_what_no_restart_needs),
	   UNIT_TEST(an_observer_forgets_what_it_was_about_to_say),
	   UNIT_TEST(copies_are_equal_in_what_counts),
	   UNIT_TEST(a_second_answer_of_the_signer_changes_nothing))
