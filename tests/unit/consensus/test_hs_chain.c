#include "consensus/hs_chain.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto_hash.h"
#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static struct hs_config config;
static struct hs_chain *chain;
static struct hs_block *made; /* made[0] is genesis, each the parent of the next */
static const struct hs_chain_kept kept_nothing;

enum { MADE_MAX = 80 };

static void set_up(void)
{
	config = hs_make_config(4, 1);
	chain = calloc(1, sizeof(*chain));
	made = calloc(MADE_MAX, sizeof(*made));
	UNIT_REQUIRE(chain && made);
	hs_make_genesis(&config, &made[0]);
	for (uint32_t i = 1; i < MADE_MAX; i++)
		hs_make_block(&config, &made[i - 1], i, NULL, 0, &made[i]);
	hs_chain_init(chain, &made[0]);
}

static void tear_down(void)
{
	free(chain);
	free(made);
}

static enum hs_drop insert(const struct hs_block *block)
{
	uint32_t index;
	enum hs_drop drop;

	hs_chain_begin_step(chain);
	drop = hs_chain_insert(chain, block, &kept_nothing, &index);
	hs_chain_check(chain);
	return drop;
}

static uint32_t at(uint32_t i)
{
	return hs_chain_find(chain, &made[i].id);
}

static void a_block_is_found_by_its_id_and_linked_to_its_parent(void)
{
	set_up();
	UNIT_EQUAL(insert(&made[1]), HS_DROP_COUNT);
	UNIT_EQUAL(insert(&made[2]), HS_DROP_COUNT);
	UNIT_REQUIRE(at(2) != HS_NODE_NONE);
	UNIT_EQUAL(chain->node[at(2)].parent, at(1));
	UNIT_CHECK(hs_chain_is_connected(chain, at(2)));
	UNIT_EQUAL(at(3), HS_NODE_NONE);
	UNIT_CHECK(hs_chain_is_parent(chain, &made[1].id));
	UNIT_CHECK(!hs_chain_is_parent(chain, &made[2].id));
	tear_down();
}

static void blocks_in_any_order_end_as_one_chain(void)
{
	struct crypto_hash missing;
	uint32_t child;

	set_up();
	UNIT_EQUAL(insert(&made[4]), HS_DROP_COUNT);
	UNIT_EQUAL(insert(&made[2]), HS_DROP_COUNT);
	UNIT_REQUIRE(hs_chain_missing(chain, &made[4].id, &missing, &child));
	UNIT_CHECK(crypto_hash_equal(&missing, &made[3].id));
	UNIT_EQUAL(child, at(4));
	UNIT_EQUAL(hs_chain_orphan_count(chain), 2);
	UNIT_EQUAL(insert(&made[1]), HS_DROP_COUNT);
	UNIT_EQUAL(insert(&made[3]), HS_DROP_COUNT);
	UNIT_CHECK(!hs_chain_missing(chain, &made[4].id, &missing, &child));
	UNIT_CHECK(hs_chain_is_connected(chain, at(4)));
	tear_down();
}

static void a_block_that_does_not_fit_its_parent_is_refused(void)
{
	struct hs_block bad;

	set_up();
	insert(&made[1]);
	bad = made[2];
	bad.header.height = 3;
	UNIT_EQUAL(insert(&bad), HS_DROP_HEADER);
	bad = made[2];
	bad.header.time_ns = made[1].header.time_ns;
	UNIT_EQUAL(insert(&bad), HS_DROP_TIME);
	bad = made[2];
	bad.justify.view = 0;
	UNIT_EQUAL(insert(&bad), HS_DROP_HEADER);
	tear_down();
}

static void an_orphan_that_does_not_fit_its_late_parent_goes(void)
{
	struct hs_block bad;

	set_up();
	bad = made[3];
	bad.header.time_ns = 1;
	UNIT_EQUAL(insert(&bad), HS_DROP_COUNT);
	insert(&made[1]);
	UNIT_EQUAL(insert(&made[2]), HS_DROP_COUNT);
	UNIT_EQUAL(at(3), HS_NODE_NONE);
	tear_down();
}

static void a_fork_below_the_root_is_refused(void)
{
	struct hs_block fork;
	struct hs_block child;

	set_up();
	hs_make_block(&config, &made[0], 9, NULL, 7, &fork);
	insert(&made[1]);
	hs_chain_commit(chain, at(1));
	UNIT_EQUAL(insert(&fork), HS_DROP_PARENT);
	hs_make_block(&config, &fork, 10, NULL, 0, &child);
	UNIT_EQUAL(child.header.height, made[1].header.height + 1);
	UNIT_EQUAL(insert(&child), HS_DROP_PARENT);
	tear_down();
}

static void a_block_of_a_view_not_above_the_root_is_refused(void)
{
	struct hs_block late;

	set_up();
	hs_make_block(&config, &made[0], 9, NULL, 0, &late);
	insert(&late);
	hs_chain_commit(chain, hs_chain_find(chain, &late.id));
	UNIT_EQUAL(insert(&made[9]), HS_DROP_PARENT);
	UNIT_EQUAL(insert(&made[10]), HS_DROP_COUNT);
	tear_down();
}

static void ids_that_begin_alike_are_told_apart(void)
{
	struct crypto_hash id;

	set_up();
	insert(&made[1]);
	id = made[1].id;
	id.b[CRYPTO_HASH_BYTES - 1] ^= 1;
	UNIT_EQUAL(hs_chain_find(chain, &id), HS_NODE_NONE);
	UNIT_CHECK(at(1) != HS_NODE_NONE);
	tear_down();
}

static void children_of_a_removed_orphan_wait_for_another_parent(void)
{
	struct hs_block bad;
	struct hs_block child;
	struct crypto_hash missing;
	uint32_t above;

	set_up();
	bad = made[3];
	bad.header.time_ns = 1;
	hs_make_block(&config, &bad, 4, NULL, 5, &child);
	insert(&child);
	insert(&bad);
	UNIT_EQUAL(chain->node[hs_chain_find(chain, &child.id)].parent, at(3));
	insert(&made[1]);
	insert(&made[2]);
	UNIT_EQUAL(at(3), HS_NODE_NONE);
	UNIT_REQUIRE(hs_chain_missing(chain, &child.id, &missing, &above));
	UNIT_CHECK(crypto_hash_equal(&missing, &made[3].id));
	UNIT_EQUAL(above, hs_chain_find(chain, &child.id));
	tear_down();
}

/* An orphan dies with a commit once it can never be reached from the new root. */
static void commit_kills_the_orphans_below_or_beside_the_new_root(void)
{
	struct hs_block late;
	struct hs_block fork;
	struct hs_block beside;

	set_up();
	hs_make_block(&config, &made[1], 40, NULL, 0, &late);
	hs_make_block(&config, &made[1], 50, NULL, 5, &fork);
	hs_make_block(&config, &fork, 51, NULL, 0, &beside);
	insert(&made[1]);
	insert(&late);
	insert(&beside);
	insert(&made[10]);
	insert(&made[45]);
	UNIT_EQUAL(beside.header.height, late.header.height + 1);
	hs_chain_commit(chain, hs_chain_find(chain, &late.id));
	UNIT_EQUAL(hs_chain_find(chain, &beside.id), HS_NODE_NONE);
	UNIT_EQUAL(at(10), HS_NODE_NONE);
	UNIT_CHECK(at(45) != HS_NODE_NONE);
	hs_chain_check(chain);
	tear_down();
}

static void commit_kills_what_does_not_descend_and_frees_it_a_step_later(void)
{
	struct hs_block fork;
	uint32_t old;

	set_up();
	hs_make_block(&config, &made[1], 5, NULL, 9, &fork);
	insert(&made[1]);
	insert(&made[2]);
	insert(&made[3]);
	insert(&fork);
	old = hs_chain_find(chain, &fork.id);
	UNIT_REQUIRE(old != HS_NODE_NONE);
	hs_chain_commit(chain, at(2));
	UNIT_EQUAL(hs_chain_find(chain, &fork.id), HS_NODE_NONE);
	UNIT_CHECK(chain->node[old].is_used);
	UNIT_EQUAL(at(1), HS_NODE_NONE);
	UNIT_EQUAL(chain->root, at(2));
	UNIT_CHECK(hs_chain_is_connected(chain, at(3)));
	hs_chain_begin_step(chain);
	UNIT_CHECK(!chain->node[old].is_used);
	hs_chain_check(chain);
	tear_down();
}

static void path_names_the_blocks_from_the_root_upward(void)
{
	uint32_t path[HS_BLOCKS_MAX];

	set_up();
	for (uint32_t i = 1; i <= 5; i++)
		insert(&made[i]);
	UNIT_EQUAL(hs_chain_path(chain, at(5), path), 5);
	for (uint32_t i = 0; i < 5; i++)
		UNIT_EQUAL(path[i], at(i + 1));
	UNIT_EQUAL(hs_chain_path(chain, chain->root, path), 0);
	tear_down();
}

static void a_full_tree_evicts_the_oldest_leaf_of_a_fork(void)
{
	struct hs_chain_kept kept = { .id = { NULL, NULL } };
	struct hs_block forks[2];
	uint32_t index;

	set_up();
	for (uint32_t i = 1; i < HS_BLOCKS_MAX - 2; i++)
		insert(&made[i]);
	hs_make_block(&config, &made[1], 70, NULL, 1, &forks[0]);
	hs_make_block(&config, &made[1], 71, NULL, 2, &forks[1]);
	insert(&forks[1]);
	insert(&forks[0]);
	kept.id[1] = &made[HS_BLOCKS_MAX - 3].id;
	hs_chain_begin_step(chain);
	UNIT_EQUAL(hs_chain_insert(chain, &made[HS_BLOCKS_MAX - 2], &kept, &index), HS_DROP_COUNT);
	UNIT_EQUAL(hs_chain_find(chain, &forks[0].id), HS_NODE_NONE);
	UNIT_CHECK(hs_chain_find(chain, &forks[1].id) != HS_NODE_NONE);
	tear_down();
}

static void too_many_orphans_evict_the_oldest_leaf_among_them(void)
{
	set_up();
	for (uint32_t i = 1; i <= HS_ORPHANS_MAX; i++)
		UNIT_EQUAL(insert(&made[2 * i]), HS_DROP_COUNT);
	UNIT_EQUAL(insert(&made[2 * HS_ORPHANS_MAX + 2]), HS_DROP_COUNT);
	UNIT_EQUAL(hs_chain_orphan_count(chain), HS_ORPHANS_MAX);
	UNIT_EQUAL(at(2), HS_NODE_NONE);
	for (uint32_t i = 2; i <= HS_ORPHANS_MAX + 1; i++)
		UNIT_CHECK(at(2 * i) != HS_NODE_NONE);
	tear_down();
}

static void an_orphan_takes_the_place_of_a_stale_fork_while_orphans_are_few(void)
{
	struct hs_chain_kept kept = { .id = { NULL, NULL } };
	struct hs_block fork;
	uint32_t index;

	set_up();
	kept.id[0] = &made[HS_BLOCKS_MAX - 2].id;
	for (uint32_t i = 1; i < HS_BLOCKS_MAX - 1; i++)
		insert(&made[i]);
	hs_make_block(&config, &made[1], 90, NULL, 1, &fork);
	insert(&fork);
	hs_chain_begin_step(chain);
	UNIT_EQUAL(hs_chain_insert(chain, &made[HS_BLOCKS_MAX + 9], &kept, &index), HS_DROP_COUNT);
	UNIT_EQUAL(hs_chain_find(chain, &fork.id), HS_NODE_NONE);
	UNIT_CHECK(hs_chain_is_connected(chain, at(HS_BLOCKS_MAX - 2)));
	UNIT_CHECK(!hs_chain_is_connected(chain, index));
	tear_down();
}

static void the_path_to_a_kept_block_is_never_evicted(void)
{
	struct hs_chain_kept kept = { .id = { NULL, NULL } };
	struct hs_block fork;
	uint32_t index;

	set_up();
	for (uint32_t i = 1; i < HS_BLOCKS_MAX; i++)
		insert(&made[i]);
	kept.id[0] = &made[HS_BLOCKS_MAX - 1].id;
	hs_make_block(&config, &made[5], 99, NULL, 3, &fork);
	hs_chain_begin_step(chain);
	UNIT_EQUAL(hs_chain_insert(chain, &fork, &kept, &index), HS_DROP_FULL);
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		UNIT_CHECK(at(i) != HS_NODE_NONE);
	tear_down();
}

static void orphans_take_at_most_half_and_give_way_to_connected_blocks(void)
{
	struct hs_chain_kept kept = { .id = { NULL, NULL } };
	uint32_t index;

	set_up();
	for (uint32_t i = 79; i > 79 - HS_ORPHANS_MAX; i--)
		UNIT_EQUAL(insert(&made[i]), HS_DROP_COUNT);
	kept.id[0] = &made[79].id;
	hs_chain_begin_step(chain);
	UNIT_EQUAL(hs_chain_insert(chain, &made[79 - HS_ORPHANS_MAX], &kept, &index), HS_DROP_FULL);
	for (uint32_t i = 1; i < 40; i++) {
		hs_chain_begin_step(chain);
		UNIT_EQUAL(hs_chain_insert(chain, &made[i], &kept, &index), HS_DROP_COUNT);
	}
	hs_chain_check(chain);
	UNIT_CHECK(hs_chain_is_connected(chain, at(39)));
	tear_down();
}

static void what_this_step_handed_out_is_not_evicted(void)
{
	struct hs_block fork;
	uint32_t index;

	set_up();
	for (uint32_t i = 1; i < HS_BLOCKS_MAX - 1; i++)
		insert(&made[i]);
	hs_make_block(&config, &made[1], 90, NULL, 1, &fork);
	insert(&fork);
	hs_chain_begin_step(chain);
	hs_chain_pin(chain, hs_chain_find(chain, &fork.id));
	hs_chain_pin(chain, at(HS_BLOCKS_MAX - 2));
	hs_make_block(&config, &made[2], 91, NULL, 1, &fork);
	UNIT_EQUAL(hs_chain_insert(chain, &fork, &kept_nothing, &index), HS_DROP_FULL);
	tear_down();
}

static void commit_orphan(void *context)
{
	(void)context;
	set_up();
	insert(&made[3]);
	hs_chain_commit(chain, at(3));
}

static void committing_an_orphan_aborts(void)
{
	UNIT_CHECK(unit_aborts(commit_orphan, NULL));
}

UNIT_SUITE("hs_chain", UNIT_TEST(a_block_is_found_by_its_id_and_linked_to_its_parent),
	   UNIT_TEST(blocks_in_any_order_end_as_one_chain),
	   UNIT_TEST(a_block_that_does_not_fit_its_parent_is_refused),
	   UNIT_TEST(an_orphan_that_does_not_fit_its_late_parent_goes),
	   UNIT_TEST(a_fork_below_the_root_is_refused),
	   UNIT_TEST(a_block_of_a_view_not_above_the_root_is_refused),
	   UNIT_TEST(ids_that_begin_alike_are_told_apart),
	   UNIT_TEST(children_of_a_removed_orphan_wait_for_another_parent),
	   UNIT_TEST(commit_kills_the_orphans_below_or_beside_the_new_root),
	   UNIT_TEST(commit_kills_what_does_not_descend_and_frees_it_a_step_later),
	   UNIT_TEST(path_names_the_blocks_from_the_root_upward),
	   UNIT_TEST(a_full_tree_evicts_the_oldest_leaf_of_a_fork),
	   UNIT_TEST(too_many_orphans_evict_the_oldest_leaf_among_them),
	   UNIT_TEST(an_orphan_takes_the_place_of_a_stale_fork_while_orphans_are_few),
	   UNIT_TEST(the_path_to_a_kept_block_is_never_evicted),
	   UNIT_TEST(orphans_take_at_most_half_and_give_way_to_connected_blocks),
	   UNIT_TEST(what_this_step_handed_out_is_not_evicted),
	   UNIT_TEST(committing_an_orphan_aborts))
