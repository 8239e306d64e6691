/* hs_fetch.c: missing blocks, and catch-up through the small tree. Replica 0 of 4. */
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/unit_main.h"

static struct hs_bench *bench;
static struct hs_block genesis;
static struct hs_block *chain;

enum { CHAIN_MAX = 300 };

static void set_up(void)
{
	bench = hs_bench_start(4, 0);
	chain = calloc(CHAIN_MAX, sizeof(*chain));
	UNIT_REQUIRE(chain);
	hs_make_genesis(&bench->config, &genesis);
	chain[0] = genesis;
	for (uint32_t v = 1; v < CHAIN_MAX; v++)
		hs_make_block(&bench->config, &chain[v - 1], v, NULL, 0, &chain[v]);
	hs_bench_forget(bench);
}

static void tear_down(void)
{
	hs_bench_stop(bench);
	free(chain);
}

static void a_certified_unknown_block_is_asked_of_its_signers_in_turn(void)
{
	struct bitset asked = { .word = { 0, 0 } };

	set_up();
	hs_bench_qc(bench, 5, &chain[5].id);
	for (uint32_t i = 0; i < 6; i++) {
		const struct hs_effect *effect = hs_bench_find(bench, HS_EFFECT_WANT_BLOCK);

		UNIT_REQUIRE(effect != NULL);
		UNIT_CHECK(crypto_hash_equal(&effect->u.want_block, &chain[5].id));
		UNIT_CHECK(effect->to == 1 || effect->to == 2);
		bitset_add(&asked, effect->to);
		hs_bench_wait(bench, bench->config.delta_ns);
	}
	UNIT_EQUAL(bitset_count(&asked), 2);
	tear_down();
}

static void a_block_is_not_asked_twice_within_delta(void)
{
	set_up();
	hs_bench_qc(bench, 5, &chain[5].id);
	hs_bench_qc(bench, 5, &chain[5].id);
	hs_bench_wait(bench, bench->config.delta_ns - 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 1);
	hs_bench_wait(bench, 1);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 2);
	tear_down();
}

static void the_lowest_missing_ancestor_is_asked_next(void)
{
	set_up();
	hs_bench_qc(bench, 5, &chain[5].id);
	hs_bench_block(bench, &chain[5]);
	UNIT_REQUIRE(hs_bench_find(bench, HS_EFFECT_WANT_BLOCK) != NULL);
	UNIT_CHECK(crypto_hash_equal(&hs_bench_find(bench, HS_EFFECT_WANT_BLOCK)->u.want_block,
				     &chain[4].id));
	hs_bench_block(bench, &chain[4]);
	hs_bench_block(bench, &chain[3]);
	hs_bench_block(bench, &chain[2]);
	hs_bench_block(bench, &chain[1]);
	UNIT_CHECK(hs_bench_find(bench, HS_EFFECT_WANT_BLOCK) == NULL);
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 4);
	tear_down();
}

static void a_block_nobody_asked_for_is_dropped(void)
{
	set_up();
	hs_bench_block(bench, &chain[7]);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_PARENT));
	UNIT_CHECK(hs_core_block(bench->core, &chain[7].id) == NULL);
	tear_down();
}

static void a_block_whose_id_lies_is_dropped(void)
{
	set_up();
	chain[1].header.height = 7;
	hs_bench_block(bench, &chain[1]);
	UNIT_CHECK(hs_bench_dropped(bench, HS_DROP_HEADER));
	tear_down();
}

static void hundreds_of_blocks_flow_through_by_c2(void)
{
	set_up();
	hs_bench_qc(bench, CHAIN_MAX - 1, &chain[CHAIN_MAX - 1].id);
	for (uint32_t v = 1; v < CHAIN_MAX; v++) {
		hs_bench_block(bench, &chain[v]);
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
		bench->todo_count = 0;
	}
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, CHAIN_MAX - 2);
	UNIT_EQUAL(hs_bench_logged(bench, "sign request"), 0);
	tear_down();
}

/* Every second view failed: nothing is ever C2, each block needs its FC. */
static void blocks_with_gaps_flow_through_by_fcs(void)
{
	static struct hs_tc tc;
	static struct hs_block block;
	static struct hs_block parent;

	set_up();
	parent = genesis;
	for (uint32_t v = 1; v < 400; v += 2) {
		hs_make_tc(&bench->config, v - 1, v < 2 ? 0 : v - 2, v < 2 ? 0 : v - 2, &tc);
		hs_make_block(&bench->config, &parent, v, v == 1 ? NULL : &tc, 0, &block);
		hs_bench_block(bench, &block);
		UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_DROPPED), 0);
		if (v % 64 == 63) {
			hs_bench_fc(bench, v, &block.id);
			UNIT_EQUAL(hs_core_status(bench->core).committed_height, v / 2 + 1);
		}
		parent = block;
		bench->todo_count = 0;
	}
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 192);
	tear_down();
}

/* The tip came first and its chain walked down as far as there is room. */
static void a_tree_full_of_orphans_does_not_stall_catch_up(void)
{
	set_up();
	hs_bench_qc(bench, 250, &chain[250].id);
	for (uint32_t v = 250; v > 200; v--)
		hs_bench_block(bench, &chain[v]);
	UNIT_EQUAL(hs_chain_orphan_count(&bench->core->chain), HS_ORPHANS_MAX);
	hs_bench_forget(bench);
	hs_bench_wait(bench, 20000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 0);
	for (uint32_t v = 1; v <= 251; v++) {
		hs_bench_block(bench, &chain[v]);
		bench->todo_count = 0;
	}
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 249);
	UNIT_CHECK(hs_core_block(bench->core, &chain[251].id) != NULL);
	tear_down();
}

static void fetching_stops_when_the_block_is_committed_past(void)
{
	set_up();
	hs_bench_qc(bench, 2, &chain[5].id);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 1);
	for (uint32_t v = 1; v < 5; v++)
		hs_bench_block(bench, &chain[v]);
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 2);
	hs_bench_forget(bench);
	hs_bench_wait(bench, 12000000);
	UNIT_EQUAL(hs_bench_logged(bench, "want-block"), 0);
	tear_down();
}

static bool was_asked_for(const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < bench->effects.count; i++)
		if (bench->effects.at[i].kind == HS_EFFECT_WANT_BLOCK &&
		    crypto_hash_equal(&bench->effects.at[i].u.want_block, id))
			return true;
	return false;
}

/* A certified block, one to commit and the proposal's parent; then a higher certificate. */
static void a_fourth_block_waits_until_one_of_three_is_wanted_no_more(void)
{
	static struct hs_block proposal;
	static struct hs_tc tc;
	struct crypto_hash fourth = { .b = { 4 } };
	struct crypto_hash target = { .b = { 2 } };

	set_up();
	hs_bench_qc(bench, 5, &chain[5].id);
	UNIT_CHECK(was_asked_for(&chain[5].id));
	for (uint32_t author = 1; author < 4; author++)
		hs_bench_commit(bench, author, 2, &target);
	UNIT_CHECK(was_asked_for(&target));
	hs_make_tc(&bench->config, 8, 3, 3, &tc);
	hs_make_block(&bench->config, &chain[3], 9, &tc, 0, &proposal);
	hs_bench_propose(bench, &proposal);
	UNIT_CHECK(was_asked_for(&chain[3].id));
	hs_bench_qc(bench, 6, &fourth);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 6);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_BLOCK), 0);
	bench->now_ns = hs_core_deadline_ns(bench->core);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE });
	UNIT_CHECK(was_asked_for(&fourth));
	UNIT_CHECK(!was_asked_for(&chain[5].id));
	tear_down();
}

UNIT_SUITE("hs_fetch", UNIT_TEST(a_certified_unknown_block_is_asked_of_its_signers_in_turn),
	   UNIT_TEST(a_block_is_not_asked_twice_within_delta),
	   UNIT_TEST(the_lowest_missing_ancestor_is_asked_next),
	   UNIT_TEST(a_block_nobody_asked_for_is_dropped),
	   UNIT_TEST(a_block_whose_id_lies_is_dropped),
	   UNIT_TEST(hundreds_of_blocks_flow_through_by_c2),
	   UNIT_TEST(blocks_with_gaps_flow_through_by_fcs),
	   UNIT_TEST(a_tree_full_of_orphans_does_not_stall_catch_up),
	   UNIT_TEST(fetching_stops_when_the_block_is_committed_past),
	   UNIT_TEST(a_fourth_block_waits_until_one_of_three_is_wanted_no_more))
