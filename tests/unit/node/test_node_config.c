/* node_config: a good file gives exactly its values, any bad one a line that names it. */
#include "node/node_config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static const char good[] = "# a node\n"
			   "[node]\n"
			   "id = 1\n"
			   "data_dir = /d\nrun_dir = /r\ngenesis = /g\n"
			   "signing_key = /s\nsession_key = /x\n"
			   "[timers]\n delta_ms = 7 \n"
			   "[port a]\n"
			   "kind = memif\nrole = peer\nsocket = @s\nmemif_role = server\n"
			   "address = 10.1.0.1/16\n"
			   "neighbour = 10.1.0.2,02:00:00:00:00:02\n"
			   "[peer 0]\nport = a\naddress = 10.1.0.2\nudp_port = 9\n";

static struct node_config config;
static char reason[NODE_REASON_MAX];

static int parse(const char *text)
{
	return node_config_parse(text, strlen(text), "file", &config, reason);
}

/* Replaces the first `old` in the good text and says how that parses. */
static int parse_with(const char *old, const char *new)
{
	char text[2048];
	const char *at = strstr(good, old);

	UNIT_REQUIRE(at != NULL);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, new, at + strlen(old));
	return parse(text);
}

static void a_good_file_gives_its_values_and_defaults(void)
{
	UNIT_REQUIRE(parse(good) == 0);
	UNIT_EQUAL(config.id, 1);
	UNIT_CHECK(strcmp(config.genesis, "/g") == 0);
	UNIT_EQUAL(config.delta_ms, 7);
	UNIT_EQUAL(config.heartbeat_ms, 0);
	UNIT_EQUAL(config.store_segment_mib, 64);
	UNIT_EQUAL(config.port_count, 1);
	UNIT_CHECK(config.port[0].is_server);
	UNIT_EQUAL(config.port[0].address, 0x0a010001);
	UNIT_EQUAL(config.port[0].prefix_bits, 16);
	UNIT_EQUAL(config.port[0].neighbour[0].mac[5], 2);
	UNIT_CHECK(config.peer[0].is_set && !config.peer[2].is_set);
	UNIT_EQUAL(config.peer[0].port_index, 0);
	UNIT_EQUAL(config.peer[0].udp_port, 9);
}

static void a_refusal_names_file_line_key_and_reason(void)
{
	UNIT_EQUAL(parse_with("delta_ms = 7", "delta_ms = none"), ERR_CONFIG);
	UNIT_CHECK(strstr(reason, "file:10: key 'delta_ms'") != NULL);
}

static void refused(const char *old, const char *new, const char *expected)
{
	UNIT_CHECK(parse_with(old, new) == ERR_CONFIG);
	if (!strstr(reason, expected)) {
		printf("    '%s' is not in: %s\n", expected, reason);
		UNIT_EQUAL(0, 1); /* the reason says something else */
	}
}

static void every_kind_of_mistake_is_refused(void)
{
	refused("id = 1\n", "", "key 'id' in [node] is missing");
	refused("id = 1\n", "id = 1\nid = 1\n", "given twice");
	refused("id = 1\n", "id = 100\n", "outside 0 to 99");
	refused("id = 1\n", "id = -1\n", "not a whole number");
	refused("id = 1\n", "idd = 1\n", "unknown in [node]");
	refused("[timers]", "[timer]", "section [timer] is unknown");
	refused("[timers]", "[timers x]", "takes no name");
	refused("[timers]", "[timers", "section line");
	refused("# a node", "a = b", "before the first [section]");
	refused("# a node", "nonsense", "expected 'key = value'");
	refused("id = 1\n", "id\n", "expected 'key = value'");
	refused("socket = @s\n", "socket = s\n", "begins with @");
	refused("kind = memif", "kind = afpacket", "not a valid value");
	refused("kind = memif", "kind = af_packet", "needs 'interface'");
	refused("address = 10.1.0.1/16", "address = 10.1.0.1/33", "not a valid value");
	refused("10.1.0.2,02:00", "10.1.0.2;02:00", "not a valid value");
	refused("port = a\n", "port = b\n", "no port 'b'");
	refused("[peer 0]", "[peer 1]", "this node itself");
	refused("[peer 0]", "[peer 100]", "number below");
	refused("role = peer", "role = client", "has role client");
	refused("[port a]", "[port ]", "needs a name");
}

static void overlong_lines_and_zero_bytes_are_refused(void)
{
	static char text[4096];

	memset(text, 'a', sizeof(text));
	UNIT_EQUAL(node_config_parse(text, sizeof(text), "file", &config, reason), ERR_CONFIG);
	UNIT_EQUAL(node_config_parse("[node]\nid = \0 1\n", 15, "file", &config, reason),
		   ERR_CONFIG);
}

static void a_refused_file_leaves_the_result_alone(void)
{
	UNIT_REQUIRE(parse(good) == 0);
	config.id = 77;
	UNIT_CHECK(parse_with("id = 1\n", "id = x\n") < 0);
	UNIT_EQUAL(config.id, 77);
}

static void a_missing_file_is_said_so(void)
{
	UNIT_CHECK(node_config_read("/nowhere/at/all", &config, reason) < 0);
	UNIT_CHECK(strstr(reason, "/nowhere/at/all") != NULL);
}

UNIT_SUITE("node_config", UNIT_TEST(a_good_file_gives_its_values_and_defaults),
	   UNIT_TEST(a_refusal_names_file_line_key_and_reason),
	   UNIT_TEST(every_kind_of_mistake_is_refused),
	   UNIT_TEST(overlong_lines_and_zero_bytes_are_refused),
	   UNIT_TEST(a_refused_file_leaves_the_result_alone), UNIT_TEST(a_missing_file_is_said_so))
