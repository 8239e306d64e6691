/* What a node serves of blocks that are on its disk and in nobody's memory. */
#include <string.h>

#include "base/units.h"
#include "replica/replica_state.h"
#include "tests/lib/replica_bench.h"
#include "tests/lib/unit_main.h"

enum { FORKS = REPLICA_PERSISTED_MIN + 20 };

static struct replica_bench *bench;
static struct hs_block fork[FORKS]; /* all at height 1; the last one is of view 1 */
static struct wire_message message;
static struct wire_message said;

/* A node that comes back after `count` failed views, whose blocks it had voted for. */
static void come_back(uint32_t count)
{
	struct hs_qc genesis_qc;

	bench = replica_bench_new(4, 0);
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 0, &bench->world.genesis_id, 0, &genesis_qc);
	for (uint32_t i = 0; i < count; i++) {
		memset(&fork[i], 0, sizeof(fork[i]));
		wire_world_block(&bench->world, count - i, 1, &genesis_qc, &fork[i]);
		replica_bench_store_block(bench, &fork[i]);
	}
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
}

static uint32_t served(const struct hs_block *block)
{
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_WANT_BLOCK;
	message.u.want_block.id = block->id;
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	return replica_bench_said(bench, WIRE_BLOCKS, &said);
}

static void a_block_of_a_failed_view_is_served_from_disk(void)
{
	const struct hs_block *last = &fork[HS_BLOCKS_MAX - 1];

	come_back(HS_BLOCKS_MAX);
	UNIT_CHECK(!hs_core_block(bench->replica->core, &last->id));
	UNIT_REQUIRE(served(last) == 1);
	UNIT_EQUAL(said.u.blocks.count, 1);
	UNIT_CHECK(!said.u.blocks.has_fc);
	replica_bench_free(bench);
}

/* Others certified it; to them it is lost, and the view it was certified in is long over. */
static void a_certified_block_comes_back_from_the_own_disk(void)
{
	const struct hs_block *last = &fork[HS_BLOCKS_MAX - 1];

	come_back(HS_BLOCKS_MAX);
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_QC;
	message.u.core.kind = HS_MESSAGE_QC;
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, last->header.view, &last->id, 0,
		      &message.u.core.u.qc);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	replica_bench_wait(bench, UNITS_NS_PER_MS);
	UNIT_CHECK(hs_core_block(bench->replica->core, &last->id));
	replica_bench_free(bench);
}

static void what_the_index_has_no_room_for_is_not_served_and_the_rest_is(void)
{
	come_back(FORKS);
	UNIT_EQUAL(served(&fork[FORKS - REPLICA_PERSISTED_MIN - 1]), 0);
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_SERVE_UNKNOWN], 1);
	UNIT_EQUAL(served(&fork[FORKS - REPLICA_PERSISTED_MIN]), 1);
	UNIT_EQUAL(served(&fork[FORKS - 1]), 2);
	replica_bench_free(bench);
}

UNIT_SUITE("replica_serve", UNIT_TEST(a_block_of_a_failed_view_is_served_from_disk),
	   UNIT_TEST(a_certified_block_comes_back_from_the_own_disk),
	   UNIT_TEST(what_the_index_has_no_room_for_is_not_served_and_the_rest_is))
