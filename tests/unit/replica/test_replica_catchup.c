/* A laggard asks, a holder gives: replica_catchup.c, replica_serve.c. Replica 1 of 4. */

#include "base/units.h"
#include "tests/lib/replica_bench.h"
#include "tests/lib/unit_main.h"

static struct replica_bench *bench;
static struct wire_message message;
static struct wire_message said;
static struct hs_block chain[24]; /* chain[i] has height i + 1 and view i + 1 */

static void make_block(uint32_t index)
{
	const struct wire_validators *validators = &bench->world.validators;
	const struct hs_block *parent = index > 0 ? &chain[index - 1] : NULL;
	struct hs_block *block = &chain[index];
	struct hs_header *header = &block->header;

	memset(block, 0, sizeof(*block));
	header->epoch = validators->epoch;
	header->view = index + 1;
	header->height = index + 1;
	header->time_ns = bench->world.genesis.time_ns + index + 1;
	header->parent_id = parent ? parent->id : bench->world.genesis_id;
	header->justify_view = index;
	header->cut.lane_count = 4;
	header->justify_digest = hs_justify_digest(&validators->chain_id, &validators->set_hash,
						   validators->epoch, index, &header->parent_id);
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, index, &header->parent_id, 0,
		      &block->justify);
	block->author = (uint32_t)(header->view % 4);
	block->id = hs_block_id(&validators->chain_id, &validators->set_hash, header);
	wire_world_sign(&bench->world, HS_MESSAGE_PROPOSE, block->author, header->view, &block->id,
			0, &block->signature);
}

static void set_up(void)
{
	bench = replica_bench_new(4, 1);
	memset(&message, 0, sizeof(message));
	for (uint32_t i = 0; i < 24; i++)
		make_block(i);
}

static void claim(uint32_t peer, uint64_t height)
{
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_STATUS;
	message.u.status.committed_height = height;
	UNIT_EQUAL(replica_bench_hear(bench, peer, &message), 0);
}

/* Blocks [first, first + count) by height, as `peer` gives them. */
static int give(uint32_t peer, uint64_t first, uint32_t count, bool with_fc)
{
	static uint8_t bytes[WIRE_BLOCKS_MAX][4096];
	struct wire_blocks *blocks = &message.u.blocks;

	memset(&message, 0, sizeof(message));
	message.kind = WIRE_BLOCKS;
	blocks->count = count;
	blocks->committed_height = 24;
	for (uint32_t i = 0; i < count; i++) {
		int length = wire_encode_block(&chain[first - 1 + i], bytes[i], sizeof(bytes[i]));

		ensure(length > 0);
		blocks->block_bytes[i] = bytes[i];
		blocks->block_byte_count[i] = (uint32_t)length;
	}
	blocks->has_fc = with_fc;
	if (with_fc)
		wire_world_qc(&bench->world, HS_MESSAGE_COMMIT, first + count - 1,
			      &chain[first + count - 2].id, 0, &blocks->fc.c);
	return replica_bench_hear(bench, peer, &message);
}

static uint64_t delivered(void)
{
	struct replica_status status;

	replica_status(bench->replica, &status);
	return status.delivered_height;
}

static void a_laggard_asks_who_claims_more(void)
{
	set_up();
	replica_bench_wait(bench, 30 * UNITS_NS_PER_MS);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_WANT_BLOCKS, NULL), 0);
	claim(2, 24);
	replica_bench_wait(bench, 30 * UNITS_NS_PER_MS);
	UNIT_REQUIRE(replica_bench_said(bench, WIRE_WANT_BLOCKS, &said) == 1);
	UNIT_EQUAL(said.u.want_blocks.first_height, 1);
	UNIT_EQUAL(said.u.want_blocks.count, 16);
	replica_bench_free(bench);
}

static void blocks_that_come_are_delivered_and_more_is_asked(void)
{
	set_up();
	claim(2, 24);
	replica_bench_wait(bench, 15 * UNITS_NS_PER_MS);
	UNIT_EQUAL(give(2, 1, 16, true), 0);
	UNIT_EQUAL(delivered(), 16);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_WANT_BLOCKS, &said), 2);
	UNIT_EQUAL(said.u.want_blocks.first_height, 17);
	UNIT_EQUAL(give(2, 17, 8, true), 0);
	UNIT_EQUAL(delivered(), 24);
	replica_bench_wait(bench, 100 * UNITS_NS_PER_MS);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_WANT_BLOCKS, NULL), 2);
	replica_bench_free(bench);
}

static void two_consecutive_certificates_commit_without_an_fc(void)
{
	set_up();
	claim(2, 24);
	replica_bench_wait(bench, 15 * UNITS_NS_PER_MS);
	UNIT_EQUAL(give(2, 1, 16, false), 0);
	UNIT_EQUAL(delivered(), 14);
	replica_bench_free(bench);
}

static void a_silent_peer_is_left_for_the_next(void)
{
	uint32_t asked[4] = { 0 };

	set_up();
	claim(2, 24);
	claim(3, 24);
	replica_bench_wait(bench, 300 * UNITS_NS_PER_MS);
	for (uint32_t i = 0; i < bench->send_count; i++)
		for (uint32_t peer = 0; peer < 4; peer++)
			asked[peer] += bench->send[i].bytes[0] == WIRE_WANT_BLOCKS &&
				       bitset_has(&bench->send[i].to, peer);
	UNIT_CHECK(asked[2] > 0 && asked[3] > 0);
	UNIT_EQUAL(asked[0], 0);
	UNIT_CHECK(asked[2] + asked[3] < 20);
	replica_bench_free(bench);
}

static void a_late_answer_still_counts(void)
{
	set_up();
	claim(2, 24);
	replica_bench_wait(bench, 200 * UNITS_NS_PER_MS);
	UNIT_EQUAL(give(2, 1, 4, true), 0);
	UNIT_EQUAL(delivered(), 4);
	replica_bench_free(bench);
}

static void blocks_nobody_asked_for_are_dropped(void)
{
	set_up();
	UNIT_EQUAL(give(3, 1, 4, true), 0);
	UNIT_EQUAL(delivered(), 0);
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_BLOCKS_UNASKED], 1);
	replica_bench_free(bench);
}

static void a_block_with_a_bad_certificate_never_passes_the_gate(void)
{
	set_up();
	claim(2, 24);
	replica_bench_wait(bench, 15 * UNITS_NS_PER_MS);
	chain[3].justify.signature[0].b[5] ^= 1;
	UNIT_CHECK(give(2, 1, 8, true) < 0);
	UNIT_EQUAL(delivered(), 0);
	replica_bench_free(bench);
}

static void want(uint64_t first, uint32_t count)
{
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_WANT_BLOCKS;
	message.u.want_blocks.first_height = first;
	message.u.want_blocks.count = count;
	UNIT_EQUAL(replica_bench_hear(bench, 3, &message), 0);
}

static void catch_up(void)
{
	set_up();
	claim(2, 24);
	replica_bench_wait(bench, 15 * UNITS_NS_PER_MS);
	give(2, 1, 16, true);
	give(2, 17, 8, true);
	UNIT_REQUIRE(delivered() == 24);
}

static void delivered_blocks_are_served_from_disk(void)
{
	catch_up();
	want(5, 4);
	UNIT_REQUIRE(replica_bench_said(bench, WIRE_BLOCKS, &said) == 1);
	UNIT_EQUAL(said.u.blocks.count, 4);
	UNIT_EQUAL(said.u.blocks.committed_height, 24);
	want(20, 16);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_BLOCKS, &said), 2);
	UNIT_EQUAL(said.u.blocks.count, 5);
	want(25, 1);
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_SERVE_UNKNOWN], 1);
	replica_bench_free(bench);
}

static void one_block_is_served_by_its_id(void)
{
	catch_up();
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_WANT_BLOCK;
	message.u.want_block.id = chain[11].id;
	UNIT_EQUAL(replica_bench_hear(bench, 0, &message), 0);
	UNIT_REQUIRE(replica_bench_said(bench, WIRE_BLOCKS, &said) == 1);
	UNIT_EQUAL(said.u.blocks.count, 1);
	replica_bench_free(bench);
}

static void blocks_are_served_after_a_restart_too(void)
{
	catch_up();
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	UNIT_EQUAL(delivered(), 24);
	want(1, 16);
	UNIT_REQUIRE(replica_bench_said(bench, WIRE_BLOCKS, &said) == 1);
	UNIT_EQUAL(said.u.blocks.count, 16);
	replica_bench_free(bench);
}

static void a_greedy_peer_meets_its_budget(void)
{
	catch_up();
	for (uint32_t i = 0; i < 40; i++)
		want(1, 16);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_BLOCKS, NULL), 16);
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_SERVE_BUDGET], 24);
	replica_bench_wait(bench, 20 * UNITS_NS_PER_MS);
	want(1, 16);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_BLOCKS, NULL), 17);
	replica_bench_free(bench);
}

static void a_claim_alone_does_not_say_that_we_are_behind(void)
{
	struct replica_status status;

	set_up();
	claim(2, 1000000);
	replica_status(bench->replica, &status);
	UNIT_CHECK(!status.is_catching_up);
	claim(3, 900000);
	replica_status(bench->replica, &status);
	UNIT_CHECK(status.is_catching_up);
	UNIT_EQUAL(status.best_peer_height, 900000);
	replica_bench_free(bench);
}

UNIT_SUITE("replica_catchup", UNIT_TEST(a_laggard_asks_who_claims_more),
	   UNIT_TEST(blocks_that_come_are_delivered_and_more_is_asked),
	   UNIT_TEST(two_consecutive_certificates_commit_without_an_fc),
	   UNIT_TEST(a_silent_peer_is_left_for_the_next), UNIT_TEST(a_late_answer_still_counts),
	   UNIT_TEST(blocks_nobody_asked_for_are_dropped),
	   UNIT_TEST(a_block_with_a_bad_certificate_never_passes_the_gate),
	   UNIT_TEST(delivered_blocks_are_served_from_disk),
	   UNIT_TEST(one_block_is_served_by_its_id),
	   UNIT_TEST(blocks_are_served_after_a_restart_too),
	   UNIT_TEST(a_greedy_peer_meets_its_budget),
	   UNIT_TEST(a_claim_alone_does_not_say_that_we_are_behind))
