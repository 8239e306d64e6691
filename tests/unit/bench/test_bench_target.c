/* bench_target: a lab's directory gives every node's client port, and a bad one a reason. */
#define _GNU_SOURCE
#include "bench/bench_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static struct bench_targets targets;
static char reason[BENCH_REASON_BYTES];
static char directory[64];

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/quorate-unit-XXXXXX");
	UNIT_REQUIRE(mkdtemp(directory) != NULL);
}

static void end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", directory);
	UNIT_CHECK(system(command) == 0);
}

static void write_node(int number, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/node%d", directory, number);
	UNIT_REQUIRE(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/node%d/node.conf", directory, number);
	file = fopen(path, "we");
	UNIT_REQUIRE(file != NULL);
	UNIT_CHECK(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void a_labs_nodes_give_their_client_ports(void)
{
	char genesis[96];

	begin();
	write_node(0, "[cores]\nbell = @bell-0\n[port peer1]\nsocket = @wrong\naddress = 10.1.1.1\n"
		      "# socket = @comment\n"
		      "[port client]\n kind = memif \nsocket = @c0\nbell=@mine\n"
		      "address = 10.78.0.1/24\nudp_port = 7701\n");
	write_node(1, "[port client]\nkind = af_packet\ninterface = eth1\naddress = 10.78.1.1\n"
		      "[port peer0]\nsocket = @wrong\naddress = 10.1.1.1\n");
	UNIT_REQUIRE(bench_targets_lab(directory, &targets, reason) == 0);
	UNIT_EQUAL(targets.count, 2);
	UNIT_EQUAL(targets.target[0].replica, 0);
	UNIT_CHECK(targets.target[0].is_memif);
	UNIT_CHECK(strcmp(targets.target[0].socket, "c0") == 0);
	UNIT_CHECK(strcmp(targets.target[0].bell, "bell-0") == 0);
	UNIT_CHECK(strcmp(targets.bell, "mine") == 0);
	UNIT_EQUAL(targets.target[0].node_address, 0x0a4e0001);
	UNIT_EQUAL(targets.target[0].own_address, 0x0a4e0002);
	UNIT_EQUAL(targets.target[0].udp_port, 7701);
	UNIT_EQUAL(targets.target[1].replica, 1);
	UNIT_CHECK(!targets.target[1].is_memif);
	UNIT_CHECK(strcmp(targets.target[1].interface, "eth1") == 0);
	UNIT_EQUAL(targets.target[1].udp_port, 7700);
	snprintf(genesis, sizeof(genesis), "%s/genesis", directory);
	UNIT_CHECK(strcmp(targets.genesis, genesis) == 0);
	end();
}

static void a_directory_that_is_no_lab_is_refused(void)
{
	begin();
	UNIT_EQUAL((uint32_t)bench_targets_lab(directory, &targets, reason), (uint32_t)ERR_CONFIG);
	UNIT_CHECK(strstr(reason, "quorate lab up") != NULL);
	write_node(0, "[port client]\nkind = memif\n");
	UNIT_EQUAL((uint32_t)bench_targets_lab(directory, &targets, reason), (uint32_t)ERR_CONFIG);
	UNIT_CHECK(strstr(reason, "node0/node.conf") != NULL);
	end();
}

static void a_target_given_by_hand_is_taken_apart(void)
{
	memset(&targets, 0, sizeof(targets));
	UNIT_REQUIRE(bench_targets_add(&targets, "2,veth5,10.0.0.1,10.0.0.9,8000", reason) == 0);
	UNIT_REQUIRE(bench_targets_add(&targets, "3,veth6,10.0.0.1,10.0.0.9", reason) == 0);
	UNIT_EQUAL(targets.count, 2);
	UNIT_EQUAL(targets.target[0].replica, 2);
	UNIT_CHECK(strcmp(targets.target[0].interface, "veth5") == 0);
	UNIT_EQUAL(targets.target[0].node_address, 0x0a000001);
	UNIT_EQUAL(targets.target[0].own_address, 0x0a000009);
	UNIT_EQUAL(targets.target[0].udp_port, 8000);
	UNIT_EQUAL(targets.target[1].udp_port, 7700);
}

static void a_target_that_is_none_is_refused_and_changes_nothing(void)
{
	static const char *const bad[] = {
		"", "1", "1,eth0", "1,eth0,10.0.0.1", "1,eth0,x,10.0.0.2", "1,eth0,10.0.0.1,y"
	};

	memset(&targets, 0, sizeof(targets));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		UNIT_EQUAL((uint32_t)bench_targets_add(&targets, bad[i], reason),
			   (uint32_t)ERR_CONFIG);
		UNIT_EQUAL(targets.count, 0);
	}
	targets.count = BENCH_TARGETS_MAX;
	UNIT_CHECK(bench_targets_add(&targets, "1,eth0,10.0.0.1,10.0.0.2", reason) < 0);
}

UNIT_SUITE("bench_target", UNIT_TEST(a_labs_nodes_give_their_client_ports),
	   UNIT_TEST(a_directory_that_is_no_lab_is_refused),
	   UNIT_TEST(a_target_given_by_hand_is_taken_apart),
	   UNIT_TEST(a_target_that_is_none_is_refused_and_changes_nothing))
