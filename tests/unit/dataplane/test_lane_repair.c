#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_slots.h"

static struct lane_fixture fixture;
static struct fixture_batch batch;

static void open_with_batch(uint32_t frames)
{
	fixture_open(&fixture, 0, 4);
	fixture_batch_make(&fixture, 1, frames, 7, NULL, &batch);
}

/* Ticks until something is asked for; NULL if nothing is until `until_ns`. */
static const struct lane_effect *next_question(uint64_t until_ns)
{
	while (fixture_tick(&fixture, until_ns))
		if (fixture_find(&fixture, LANE_EFFECT_SEND_WANT))
			return fixture_find(&fixture, LANE_EFFECT_SEND_WANT);
	return NULL;
}

static void a_gap_is_asked_for_only_after_the_reorder_window(void)
{
	const struct lane_effect *effect;
	uint64_t begun_ns;

	open_with_batch(3);
	fixture_frame(&fixture, &batch, 0);
	fixture_header(&fixture, &batch.header);
	begun_ns = fixture.now_ns;
	UNIT_CHECK(!next_question(begun_ns + fixture.config.reorder_ns - 1));
	effect = next_question(begun_ns + fixture.config.reorder_ns);
	UNIT_REQUIRE(effect);
	UNIT_EQUAL(effect->to, 1);
	UNIT_EQUAL(effect->u.want->missing_map[0], 6);
	UNIT_EQUAL(effect->u.want->first_index, LANE_BATCH_FRAMES_MAX);
	UNIT_CHECK(crypto_hash_equal(&effect->u.want->digest, &batch.header.digest));
	fixture_close(&fixture);
}

static void a_complete_batch_is_never_asked_for(void)
{
	open_with_batch(3);
	fixture_receive(&fixture, &batch);
	UNIT_CHECK(!next_question(fixture.now_ns + UNITS_NS_PER_S));
	fixture_close(&fixture);
}

static void a_lost_header_is_missed_when_f_plus_1_claim_its_batch(void)
{
	const struct lane_effect *effect;

	open_with_batch(3);
	fixture_ack_header(&fixture, 2, &batch.header, 1);
	UNIT_CHECK(!next_question(fixture.now_ns + 50 * UNITS_NS_PER_MS));
	fixture_ack_header(&fixture, 3, &batch.header, 1);
	effect = next_question(fixture.now_ns + 50 * UNITS_NS_PER_MS);
	UNIT_REQUIRE(effect);
	UNIT_CHECK(effect->u.want->wants_header);
	UNIT_EQUAL(effect->u.want->first_index, 0);
	fixture_close(&fixture);
}

static void a_deaf_owner_does_not_block_others_who_acknowledged_are_asked(void)
{
	uint32_t asked[4] = { 0 };
	const struct lane_effect *effect;

	open_with_batch(3);
	fixture_header(&fixture, &batch.header);
	fixture_ack_header(&fixture, 3, &batch.header, 1);
	for (uint32_t i = 0; i < 6; i++) {
		effect = next_question(fixture.now_ns + UNITS_NS_PER_S);
		UNIT_REQUIRE(effect);
		asked[effect->to]++;
	}
	UNIT_EQUAL(asked[1], 3);
	UNIT_EQUAL(asked[3], 3);
	fixture_close(&fixture);
}

static void questions_about_one_batch_keep_the_interval(void)
{
	uint32_t count = 0;
	uint64_t end_ns;

	open_with_batch(3);
	fixture_header(&fixture, &batch.header);
	end_ns = fixture.now_ns + 8 * fixture.config.repair_interval_ns;
	while (next_question(end_ns))
		count++;
	UNIT_CHECK(count >= 4 && count <= 8);
	fixture_close(&fixture);
}

/* Is the first batch asked for by then? Others may be, too. */
static bool is_first_asked_for(uint64_t until_ns)
{
	while (fixture_tick(&fixture, until_ns))
		for (uint32_t i = 0; i < fixture.effects.count; i++)
			if (fixture.effects.at[i].kind == LANE_EFFECT_SEND_WANT &&
			    fixture.effects.at[i].u.want->seq == 1)
				return true;
	return false;
}

static void a_block_that_needs_a_batch_ends_the_pause_between_questions(void)
{
	struct fixture_batch above;
	uint64_t interval_ns;

	open_with_batch(3);
	interval_ns = fixture.config.repair_interval_ns;
	fixture_batch_make(&fixture, 1, 1, 7, &batch.header, &above);
	fixture_header(&fixture, &batch.header);
	while (next_question(100 * interval_ns))
		continue;
	UNIT_REQUIRE(is_first_asked_for(fixture.now_ns + 20 * interval_ns));
	UNIT_CHECK(!is_first_asked_for(fixture.now_ns + 4 * interval_ns));
	fixture_cut(&fixture, LANE_INPUT_NAMED, &above.header);
	UNIT_CHECK(is_first_asked_for(fixture.now_ns));
	UNIT_CHECK(is_first_asked_for(fixture.now_ns + interval_ns));
	while (is_first_asked_for(fixture.now_ns + 4 * interval_ns))
		continue;
	fixture_cut(&fixture, LANE_INPUT_NAMED, &above.header);
	UNIT_CHECK(is_first_asked_for(fixture.now_ns + interval_ns));
	fixture_close(&fixture);
}

static void a_named_digest_is_asked_for_by_digest_from_everybody(void)
{
	bool is_asked[4] = { false };

	open_with_batch(3);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &batch.header);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	for (uint32_t i = 0; i < 3; i++) {
		const struct lane_effect *effect = next_question(fixture.now_ns + UNITS_NS_PER_S);

		UNIT_REQUIRE(effect);
		UNIT_CHECK(crypto_hash_equal(&effect->u.want->digest, &batch.header.digest));
		is_asked[effect->to] = true;
	}
	UNIT_CHECK(is_asked[1] && is_asked[2] && is_asked[3]);
	fixture_close(&fixture);
}

static void the_oldest_batches_are_asked_for_first(void)
{
	struct fixture_batch next;

	open_with_batch(2);
	fixture_batch_make(&fixture, 1, 2, 7, &batch.header, &next);
	fixture_header(&fixture, &next.header);
	fixture_header(&fixture, &batch.header);
	UNIT_REQUIRE(next_question(fixture.now_ns + fixture.config.reorder_ns));
	UNIT_EQUAL(fixture_count(&fixture, LANE_EFFECT_SEND_WANT), 2);
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_WANT)->u.want->seq, 1);
	fixture_close(&fixture);
}

static void frames_of_a_batch_that_never_closed_are_given_up(void)
{
	struct lane_status status;

	open_with_batch(3);
	fixture_frame(&fixture, &batch, 0);
	while (fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S))
		;
	lane_set_status(fixture.set, &status);
	UNIT_EQUAL(status.buffers_used, 0);
	UNIT_EQUAL(lane_set_deadline_ns(fixture.set), UINT64_MAX);
	fixture_receive(&fixture, &batch);
	UNIT_EQUAL(fixture.persist_count, 1);
	fixture_close(&fixture);
}

static void a_name_that_nobody_can_serve_is_forgotten(void)
{
	open_with_batch(3);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &batch.header);
	UNIT_CHECK(next_question(fixture.now_ns + UNITS_NS_PER_S) != NULL);
	while (fixture_tick(&fixture, fixture.now_ns + 10 * UNITS_NS_PER_S))
		;
	UNIT_EQUAL(lane_set_deadline_ns(fixture.set), UINT64_MAX);
	fixture_close(&fixture);
}

static void a_committed_name_is_never_forgotten(void)
{
	open_with_batch(3);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &batch.header);
	for (uint32_t i = 0; i < 500; i++)
		UNIT_REQUIRE(next_question(fixture.now_ns + UNITS_NS_PER_S));
	fixture_close(&fixture);
}

static void a_nonsense_name_does_not_keep_the_owners_batch_out(void)
{
	struct fixture_batch nonsense;

	open_with_batch(3);
	fixture_batch_make(&fixture, 1, 3, 99, NULL, &nonsense);
	fixture_cut(&fixture, LANE_INPUT_NAMED, &nonsense.header);
	fixture_frame(&fixture, &batch, 0);
	fixture_frame(&fixture, &batch, 2);
	fixture_header(&fixture, &batch.header);
	for (uint32_t i = 0; i < 8; i++) {
		const struct lane_effect *effect = next_question(fixture.now_ns + UNITS_NS_PER_S);

		UNIT_REQUIRE(effect);
		if (crypto_hash_equal(&effect->u.want->digest, &batch.header.digest)) {
			UNIT_EQUAL(effect->u.want->missing_map[0], 2);
			fixture_repair(&fixture, effect->to, &batch, 1, 1);
			break;
		}
	}
	UNIT_REQUIRE(fixture.persist_count == 1);
	fixture_persisted(&fixture);
	UNIT_EQUAL(fixture.set->lanes[1].tip.seq, 1);
	fixture_close(&fixture);
}

/* Delivers what a driver would: batches proven committed by the walk, and durable. */
static void deliver_what_is_proven(const struct fixture_batch *chain)
{
	struct lane *lane = &fixture.set->lanes[2];

	for (;;) {
		const struct lane_header *header = &chain[lane->base.seq].header;
		struct lane_slot *slot = lane_slot_find(fixture.set, lane, lane->base.seq + 1);
		struct lane_branch *branch = slot ? lane_slot_branch(slot, &header->digest) : NULL;

		if (!branch || !branch->is_durable || !branch->is_committed)
			return;
		fixture_delivered(&fixture, header);
	}
}

/* A peer that holds the whole chain answers every question of the last step. */
static uint32_t answer_all(const struct fixture_batch *chain)
{
	static struct lane_want wants[LANE_WANTS_MAX];
	uint32_t count = 0;
	uint32_t headers = 0;

	for (uint32_t i = 0; i < fixture.effects.count; i++)
		if (fixture.effects.at[i].kind == LANE_EFFECT_SEND_WANT)
			wants[count++] = *fixture.effects.at[i].u.want;
	for (uint32_t i = 0; i < count; i++) {
		const struct fixture_batch *held = &chain[wants[i].seq - 1];
		bool is_header = wants[i].first_index == LANE_BATCH_FRAMES_MAX;

		UNIT_REQUIRE(crypto_hash_is_zero(&wants[i].digest) ||
			     crypto_hash_equal(&wants[i].digest, &held->header.digest));
		headers += is_header ? 1 : 0;
		fixture_repair(&fixture, 3, held, 0, is_header && wants[i].wants_header ? 0 : 1);
	}
	return headers;
}

/* A committed cut far above everything held: the chain is walked down header by header. */
static void a_far_committed_digest_is_reached_by_walking_its_headers(void)
{
	static struct fixture_batch chain[41];
	const uint32_t last = 39;
	uint32_t walked = 0;

	open_with_batch(1);
	for (uint32_t i = 0; i <= last + 1; i++)
		fixture_batch_make(&fixture, 2, 1, 7, i > 0 ? &chain[i - 1].header : NULL,
				   &chain[i]);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &chain[last].header);
	for (uint32_t i = 0; i < 400 && fixture.set->lanes[2].base.seq < last + 1; i++) {
		UNIT_REQUIRE(next_question(fixture.now_ns + UNITS_NS_PER_S));
		walked += answer_all(chain);
		while (fixture.persist_count > 0)
			fixture_persisted(&fixture);
		deliver_what_is_proven(chain);
	}
	UNIT_EQUAL(fixture.set->lanes[2].base.seq, last + 1);
	UNIT_CHECK(walked > 10);
	UNIT_EQUAL(fixture.set->buffers_used, 0);
	fixture_close(&fixture);
}

static void the_next_needed_batch_gets_a_buffer_even_if_later_ones_hold_them_all(void)
{
	struct fixture_batch chain[7];

	open_with_batch(1);
	for (uint32_t i = 0; i < 7; i++)
		fixture_batch_make(&fixture, 1, 2, 7, i > 0 ? &chain[i - 1].header : NULL,
				   &chain[i]);
	fixture_cut(&fixture, LANE_INPUT_COMMITTED, &chain[6].header);
	for (uint32_t i = 6; i >= 1; i--)
		fixture_repair(&fixture, 2, &chain[i], 0, 1);
	UNIT_EQUAL(fixture.set->free_count, fixture.set->buffer_count - 6);
	fixture_repair(&fixture, 2, &chain[0], 0, 2);
	UNIT_EQUAL(fixture.persist_count, 1);
	fixture_persisted(&fixture);
	UNIT_EQUAL(fixture.set->lanes[1].tip.seq, 1);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_repair", UNIT_TEST(a_gap_is_asked_for_only_after_the_reorder_window),
	   UNIT_TEST(a_complete_batch_is_never_asked_for),
	   UNIT_TEST(a_lost_header_is_missed_when_f_plus_1_claim_its_batch),
	   UNIT_TEST(a_deaf_owner_does_not_block_others_who_acknowledged_are_asked),
	   UNIT_TEST(questions_about_one_batch_keep_the_interval),
	   UNIT_TEST(a_block_that_needs_a_batch_ends_the_pause_between_questions),
	   UNIT_TEST(a_named_digest_is_asked_for_by_digest_from_everybody),
	   UNIT_TEST(the_oldest_batches_are_asked_for_first),
	   UNIT_TEST(frames_of_a_batch_that_never_closed_are_given_up),
	   UNIT_TEST(a_name_that_nobody_can_serve_is_forgotten),
	   UNIT_TEST(a_committed_name_is_never_forgotten),
	   UNIT_TEST(a_nonsense_name_does_not_keep_the_owners_batch_out),
	   UNIT_TEST(a_far_committed_digest_is_reached_by_walking_its_headers),
	   UNIT_TEST(the_next_needed_batch_gets_a_buffer_even_if_later_ones_hold_them_all))
