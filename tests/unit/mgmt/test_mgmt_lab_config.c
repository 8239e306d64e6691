/* What the lab writes is what the node's own parser takes, and both ends of a link agree. */
#define _GNU_SOURCE
#include "mgmt/mgmt_lab.h"

#include <string.h>

#include "node/node_config.h"
#include "tests/lib/unit_main.h"

static struct mgmt_lab lab;
static struct node_config configs[MGMT_LAB_NODES_MAX];

static void lab_take(uint32_t node_count)
{
	lab = (struct mgmt_lab){ .dir = "/tmp/a lab",
				 .hash = "0123456789",
				 .node_count = node_count };
	for (uint32_t i = 0; i < node_count; i++) {
		struct mgmt_text text = { 0 };
		char reason[NODE_REASON_MAX] = "";

		mgmt_lab_config(&lab, i, &text);
		int result = node_config_parse(mgmt_text_of(&text), text.count, "node.conf",
					       &configs[i], reason);

		if (result != 0)
			fprintf(stderr, "%s\n", reason);
		mgmt_text_fini(&text);
		UNIT_REQUIRE(result == 0);
	}
}

static const struct node_port_config *port_to(uint32_t from, uint32_t to)
{
	UNIT_REQUIRE(configs[from].peer[to].is_set);
	return &configs[from].port[configs[from].peer[to].port_index];
}

static void every_size_of_lab_is_accepted_by_the_node(void)
{
	for (uint32_t count = 1; count <= MGMT_LAB_NODES_MAX; count += 3) {
		lab_take(count);
		for (uint32_t i = 0; i < count; i++) {
			UNIT_EQUAL(configs[i].id, i);
			UNIT_EQUAL(configs[i].port_count, count);
			UNIT_CHECK(strstr(configs[i].data_dir, "/tmp/a lab/node") != NULL);
			UNIT_EQUAL(configs[i].store_segment_mib, MGMT_LAB_SEGMENT_MIB);
		}
	}
}

static void both_ends_of_a_link_agree(void)
{
	lab_take(4);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t j = 0; j < 4; j++) {
			if (i == j)
				continue;
			const struct node_port_config *here = port_to(i, j);
			const struct node_port_config *there = port_to(j, i);

			UNIT_CHECK(strcmp(here->socket, there->socket) == 0);
			UNIT_CHECK(here->is_server != there->is_server);
			UNIT_EQUAL(configs[i].peer[j].address, there->address);
			UNIT_EQUAL(configs[i].peer[j].udp_port, there->udp_port);
			UNIT_CHECK(strcmp(here->bell, configs[j].bell) == 0);
		}
}

static void no_two_links_share_a_name_or_an_address(void)
{
	lab_take(7);
	for (uint32_t i = 0; i < 7 * 7; i++)
		for (uint32_t j = i + 1; j < 7 * 7; j++) {
			const struct node_port_config *a = &configs[i / 7].port[i % 7];
			const struct node_port_config *b = &configs[j / 7].port[j % 7];

			UNIT_CHECK(a->address != b->address);
			if (strcmp(a->socket, b->socket) == 0)
				UNIT_CHECK(a->is_server != b->is_server && i / 7 != j / 7);
		}
}

UNIT_SUITE("mgmt_lab_config", UNIT_TEST(every_size_of_lab_is_accepted_by_the_node),
	   UNIT_TEST(both_ends_of_a_link_agree), UNIT_TEST(no_two_links_share_a_name_or_an_address))
