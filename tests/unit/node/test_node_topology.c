/* node_topology: the two tables are a wiring that can be built. */
#include "node/node_topology.h"

#include <string.h>

#include "tests/lib/unit_main.h"

static void every_ring_joins_two_different_ends_that_exist(void)
{
	for (uint32_t i = 0; i < NODE_RING_COUNT; i++) {
		const struct node_ring_row *row = &node_rings[i];

		UNIT_REQUIRE(row->name != NULL);
		UNIT_CHECK(row->from != row->to);
		UNIT_CHECK(row->from <= NODE_TILE_INGRESS && row->to <= NODE_TILE_INGRESS);
		UNIT_CHECK(row->when_full != NULL && row->when_full[0] != '\0');
	}
}

static void every_ring_has_a_size_a_ring_can_have(void)
{
	for (uint32_t i = 0; i < NODE_RING_COUNT; i++)
		UNIT_CHECK(dp_ring_footprint(node_rings[i].kib * 1024) > 0);
}

static void names_are_unique(void)
{
	for (uint32_t i = 0; i < NODE_RING_COUNT; i++)
		for (uint32_t k = 0; k < i; k++)
			UNIT_CHECK(strcmp(node_rings[i].name, node_rings[k].name) != 0);
	for (uint32_t i = 0; i <= NODE_TILE_COUNT; i++)
		for (uint32_t k = 0; k < i; k++)
			UNIT_CHECK(strcmp(node_tile_name((enum node_tile_id)i),
					  node_tile_name((enum node_tile_id)k)) != 0);
}

static void every_tile_can_run_and_bears_its_own_name(void)
{
	for (uint32_t i = 0; i < NODE_TILE_COUNT; i++) {
		const struct node_tile_row *row = &node_tiles[i];

		UNIT_REQUIRE(row->tile != NULL && row->name != NULL);
		UNIT_CHECK(strcmp(row->name, row->tile->name) == 0);
		UNIT_CHECK(strcmp(node_tile_name((enum node_tile_id)i), row->name) == 0);
		UNIT_CHECK(row->tile->footprint && row->tile->setup && row->tile->on_turn);
	}
	UNIT_CHECK(strcmp(node_tile_name(NODE_TILE_INGRESS), "ingress") == 0);
}

static void the_store_runs_on_the_last_core_which_opened_the_disk(void)
{
	bool is_used[NODE_CORES_SPREAD_MAX] = { false };

	for (uint32_t i = 0; i < NODE_TILE_COUNT; i++) {
		UNIT_REQUIRE(node_tiles[i].core < NODE_CORES_SPREAD_MAX);
		is_used[node_tiles[i].core] = true;
	}
	for (uint32_t i = 0; i < NODE_CORES_SPREAD_MAX; i++)
		UNIT_CHECK(is_used[i]);
	UNIT_EQUAL(node_tiles[NODE_TILE_STORE].core, NODE_CORES_SPREAD_MAX - 1);
}

static void every_tile_that_takes_part_has_a_ring_in_and_a_ring_out(void)
{
	bool gives[NODE_TILE_COUNT + 1] = { false };
	bool takes[NODE_TILE_COUNT + 1] = { false };

	for (uint32_t i = 0; i < NODE_RING_COUNT; i++) {
		gives[node_rings[i].from] = true;
		takes[node_rings[i].to] = true;
	}
	for (uint32_t i = 0; i <= NODE_TILE_COUNT; i++) {
		UNIT_EQUAL(gives[i], i != NODE_TILE_CONTROL);
		UNIT_EQUAL(takes[i], i != NODE_TILE_CONTROL);
	}
}

UNIT_SUITE("node_topology", UNIT_TEST(every_ring_joins_two_different_ends_that_exist),
	   UNIT_TEST(every_ring_has_a_size_a_ring_can_have), UNIT_TEST(names_are_unique),
	   UNIT_TEST(every_tile_can_run_and_bears_its_own_name),
	   UNIT_TEST(the_store_runs_on_the_last_core_which_opened_the_disk),
	   UNIT_TEST(every_tile_that_takes_part_has_a_ring_in_and_a_ring_out))
