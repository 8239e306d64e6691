#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_slots.h"

static struct lane_fixture fixture;
static struct fixture_batch chain[8];
static struct lane_stored stored[64];
static uint32_t stored_count;
static struct hs_cut committed;

static void prepare(void)
{
	fixture_build(&fixture, fixture_config(0, 4));
	for (uint32_t i = 0; i < 8; i++)
		fixture_batch_make(&fixture, 1, 2, 7, i > 0 ? &chain[i - 1].header : NULL,
				   &chain[i]);
	stored_count = 0;
	memset(&committed, 0, sizeof(committed));
	committed.lane_count = 4;
}

static void on_disk(const struct fixture_batch *batch)
{
	stored[stored_count] = (struct lane_stored){
		.header = batch->header,
		.position = 100 + stored_count,
		.is_verified = true,
	};
	stored_count++;
}

static const struct lane *start(void)
{
	struct lane_input input = { .kind = LANE_INPUT_START };

	input.u.start.stored = stored;
	input.u.start.stored_count = stored_count;
	input.u.start.committed = &committed;
	fixture_step(&fixture, input);
	return &fixture.set->lanes[1];
}

static void nothing_but_start_comes_first_and_only_once(void)
{
	struct lane_input input = { .kind = LANE_INPUT_TICK };

	prepare();
	UNIT_EQUAL(lane_set_step(fixture.set, &input, &fixture.effects), ERR_ORDER);
	start();
	input.kind = LANE_INPUT_START;
	input.now_ns = fixture.now_ns;
	UNIT_EQUAL(lane_set_step(fixture.set, &input, &fixture.effects), ERR_ORDER);
	input.kind = LANE_INPUT_TICK;
	input.now_ns = fixture.now_ns - 1;
	UNIT_EQUAL(lane_set_step(fixture.set, &input, &fixture.effects), ERR_ORDER);
	fixture_close(&fixture);
}

static void what_was_stored_is_claimed_again_at_once(void)
{
	const struct lane *lane;
	const struct lane_effect *effect;

	prepare();
	for (uint32_t i = 0; i < 4; i++)
		on_disk(&chain[i]);
	committed.lane[1] = fixture_entry(&chain[1].header);
	lane = start();
	UNIT_EQUAL(lane->base.seq, 2);
	UNIT_EQUAL(lane->tip.seq, 4);
	effect = fixture_find(&fixture, LANE_EFFECT_SEND_ACKVEC);
	UNIT_REQUIRE(effect);
	UNIT_EQUAL(effect->u.ackvec->ack[0].stored_seq, 4);
	UNIT_EQUAL(effect->u.ackvec->ack[0].verified_map, 3);
	fixture_close(&fixture);
}

static void a_batch_above_a_gap_is_kept_but_not_claimed(void)
{
	const struct lane *lane;

	prepare();
	on_disk(&chain[0]);
	on_disk(&chain[2]);
	lane = start();
	UNIT_EQUAL(lane->tip.seq, 1);
	fixture_store(&fixture, &chain[1]);
	UNIT_EQUAL(lane->tip.seq, 3);
	fixture_close(&fixture);
}

static void a_gap_below_the_committed_cut_is_fetched(void)
{
	const struct lane *lane;

	prepare();
	on_disk(&chain[0]);
	on_disk(&chain[3]);
	committed.lane[1] = fixture_entry(&chain[3].header);
	lane = start();
	UNIT_EQUAL(lane->base.seq, 1);
	UNIT_EQUAL(lane->tip.seq, 1);
	while (!fixture_find(&fixture, LANE_EFFECT_SEND_WANT))
		UNIT_REQUIRE(fixture_tick(&fixture, fixture.now_ns + UNITS_NS_PER_S));
	fixture_repair(&fixture, 2, &chain[2], 0, 2);
	fixture_repair(&fixture, 2, &chain[1], 0, 2);
	fixture_persisted(&fixture);
	fixture_persisted(&fixture);
	UNIT_EQUAL(lane->tip.seq, 4);
	for (uint32_t i = 1; i < 4; i++)
		fixture_delivered(&fixture, &chain[i].header);
	UNIT_EQUAL(lane->base.seq, 4);
	UNIT_EQUAL(fixture.set->buffers_used, 0);
	fixture_close(&fixture);
}

static void a_lane_of_which_nothing_is_stored_starts_from_the_committed_digest(void)
{
	const struct lane *lane;

	prepare();
	committed.lane[1] = fixture_entry(&chain[0].header);
	lane = start();
	UNIT_EQUAL(lane->base.seq, 0);
	fixture_repair(&fixture, 2, &chain[0], 0, 2);
	fixture_persisted(&fixture);
	UNIT_EQUAL(lane->tip.seq, 1);
	fixture_close(&fixture);
}

static void a_log_whose_beginning_was_discarded_is_whole_from_there(void)
{
	const struct lane *lane;
	struct hs_cut_entry end;
	struct crypto_hash digest;

	prepare();
	for (uint32_t i = 3; i < 7; i++)
		on_disk(&chain[i]);
	committed.lane[1] = fixture_entry(&chain[5].header);
	lane = start();
	UNIT_EQUAL(lane->base.seq, 6);
	UNIT_EQUAL(lane->tip.seq, 7);
	end = fixture_entry(&chain[6].header);
	UNIT_CHECK(lane_set_chain_digest(fixture.set, 1, 4, &end, &digest));
	UNIT_CHECK(!lane_set_chain_digest(fixture.set, 1, 2, &end, &digest));
	fixture_close(&fixture);
}

/* Records lie in the order they were written: an old one may be kept where a newer one is not. */
static void of_a_long_lane_a_gap_far_below_the_committed_cut_is_none(void)
{
	static struct fixture_batch batch[65];
	const struct lane *lane;

	prepare();
	for (uint32_t i = 0; i < UNITS_COUNT(batch); i++) {
		fixture_batch_make(&fixture, 1, 2, 3, i > 0 ? &batch[i - 1].header : NULL,
				   &batch[i]);
		if (i != 1)
			on_disk(&batch[i]);
	}
	UNIT_REQUIRE(stored_count == fixture.set->config.index_batches);
	committed.lane[1] = fixture_entry(&batch[64].header);
	lane = start();
	UNIT_EQUAL(lane->base.seq, 65);
	UNIT_EQUAL(lane->tip.seq, 65);
	fixture_close(&fixture);
}

static void of_two_stored_forks_the_committed_one_is_claimed(void)
{
	struct fixture_batch fork;
	const struct lane *lane;

	prepare();
	fixture_batch_make(&fixture, 1, 2, 9, NULL, &fork);
	on_disk(&fork);
	on_disk(&chain[0]);
	on_disk(&chain[1]);
	committed.lane[1] = fixture_entry(&chain[0].header);
	lane = start();
	UNIT_EQUAL(lane->base.seq, 1);
	UNIT_CHECK(crypto_hash_equal(&lane->base.digest, &chain[0].header.digest));
	UNIT_EQUAL(lane->tip.seq, 2);
	fixture_close(&fixture);
}

static void own_batches_above_a_gap_were_never_announced_and_are_forgotten(void)
{
	struct fixture_batch own[3];

	prepare();
	for (uint32_t i = 0; i < 3; i++)
		fixture_batch_make(&fixture, 0, 2, 7, i > 0 ? &own[i - 1].header : NULL, &own[i]);
	on_disk(&own[0]);
	on_disk(&own[2]);
	start();
	UNIT_EQUAL(fixture.set->own.seq, 1);
	fixture_client(&fixture, 1);
	UNIT_REQUIRE(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME));
	UNIT_EQUAL(fixture_find(&fixture, LANE_EFFECT_SEND_FRAME)->u.frame.seq, 2);
	fixture_close(&fixture);
}

static void a_configuration_out_of_bounds_has_no_footprint(void)
{
	struct lane_config config = fixture_config(0, 4);
	struct lane_set *set;
	_Alignas(64) uint8_t memory[64];

	UNIT_CHECK(lane_set_footprint(&config) > 0);
	UNIT_EQUAL(lane_set_init(memory, sizeof(memory), memory, 0, &config, &set), ERR_CONFIG);
	config.replica_id = 4;
	UNIT_EQUAL(lane_set_footprint(&config), 0);
	config = fixture_config(0, 4);
	config.window_batches = LANE_WINDOW_MAX + 1;
	UNIT_EQUAL(lane_set_footprint(&config), 0);
	config = fixture_config(0, 4);
	config.index_batches = 48;
	UNIT_EQUAL(lane_set_footprint(&config), 0);
	config = fixture_config(0, 4);
	config.batch_bytes_max = LANE_BATCH_BYTES_MAX + 1;
	UNIT_EQUAL(lane_set_footprint(&config), 0);
}

UNIT_SUITE("lane_start", UNIT_TEST(nothing_but_start_comes_first_and_only_once),
	   UNIT_TEST(what_was_stored_is_claimed_again_at_once),
	   UNIT_TEST(a_batch_above_a_gap_is_kept_but_not_claimed),
	   UNIT_TEST(a_gap_below_the_committed_cut_is_fetched),
	   UNIT_TEST(a_lane_of_which_nothing_is_stored_starts_from_the_committed_digest),
	   UNIT_TEST(a_log_whose_beginning_was_discarded_is_whole_from_there),
	   UNIT_TEST(of_a_long_lane_a_gap_far_below_the_committed_cut_is_none),
	   UNIT_TEST(of_two_stored_forks_the_committed_one_is_claimed),
	   UNIT_TEST(own_batches_above_a_gap_were_never_announced_and_are_forgotten),
	   UNIT_TEST(a_configuration_out_of_bounds_has_no_footprint))
