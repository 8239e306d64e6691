/* node_topology: the two tables are a whole and consistent map. */
#define _GNU_SOURCE
#include "node/node_topology.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/blocklog_store.h"
#include "tests/lib/unit_main.h"

static void every_tile_has_a_name_a_tile_and_a_core(void)
{
	bool is_used[NODE_CORES_SPREAD_MAX] = { false };

	for (int i = 0; i < NODE_TILE_COUNT; i++) {
		UNIT_REQUIRE(node_tiles[i].name && node_tiles[i].tile);
		UNIT_CHECK(strcmp(node_tile_name((enum node_tile_id)i), node_tiles[i].name) == 0);
		UNIT_REQUIRE(node_tiles[i].core < NODE_CORES_SPREAD_MAX);
		is_used[node_tiles[i].core] = true;
		for (int k = 0; k < i; k++)
			UNIT_CHECK(strcmp(node_tiles[i].name, node_tiles[k].name) != 0);
	}
	for (int i = 0; i < NODE_CORES_SPREAD_MAX; i++)
		UNIT_CHECK(is_used[i]);
	UNIT_CHECK(strcmp(node_tile_name(NODE_TILE_INGRESS), "ingress") == 0);
}

/* The device's rings have one issuer: the thread that opened it, which is the last core's. */
static void the_store_runs_on_the_last_core(void)
{
	UNIT_EQUAL(node_tiles[NODE_TILE_STORE].core, NODE_CORES_SPREAD_MAX - 1);
}

static void every_ring_joins_two_ends_and_has_a_policy(void)
{
	for (int i = 0; i < NODE_RING_COUNT; i++) {
		const struct node_ring_row *row = &node_rings[i];

		UNIT_REQUIRE(row->name && row->when_full);
		UNIT_CHECK(row->from != row->to);
		UNIT_CHECK(row->from <= NODE_TILE_INGRESS && row->to <= NODE_TILE_INGRESS);
		UNIT_CHECK(dp_ring_footprint(row->kib * 1024) != 0);
		for (int k = 0; k < i; k++)
			UNIT_CHECK(strcmp(row->name, node_rings[k].name) != 0);
	}
}

/* Windows and marks of a busy chain are far longer than any peer's message. */
static void the_ring_to_the_disk_takes_the_longest_record(void)
{
	UNIT_CHECK(node_rings[NODE_RING_APPENDS].kib * 1024 / 2 >= BLOCKLOG_RECORD_BYTES_MAX);
}

static void the_printed_map_names_everything(void)
{
	static char text[16384];
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	UNIT_REQUIRE(file && saved >= 0);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	node_topology_print();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (int i = 0; i < NODE_TILE_COUNT; i++)
		UNIT_CHECK(strstr(text, node_tiles[i].name) != NULL);
	for (int i = 0; i < NODE_RING_COUNT; i++) {
		UNIT_CHECK(strstr(text, node_rings[i].name) != NULL);
		UNIT_CHECK(strstr(text, node_rings[i].when_full) != NULL);
	}
}

UNIT_SUITE("node_topology", UNIT_TEST(every_tile_has_a_name_a_tile_and_a_core),
	   UNIT_TEST(the_store_runs_on_the_last_core),
	   UNIT_TEST(every_ring_joins_two_ends_and_has_a_policy),
	   UNIT_TEST(the_ring_to_the_disk_takes_the_longest_record),
	   UNIT_TEST(the_printed_map_names_everything))
