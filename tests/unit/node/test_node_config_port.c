/* node_config_port: every key of [port] and [peer] takes its values and no others. */
#include "node/node_config_port.h"

#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static struct node_port_config port;
static struct node_peer_config peer;
static char why[128];

static int port_key(const char *key, const char *value)
{
	return node_config_port_key(&port, key, value, why, sizeof(why));
}

static int peer_key(const char *key, const char *value)
{
	return node_config_peer_key(&peer, key, value, why, sizeof(why));
}

static void a_number_is_digits_and_nothing_else(void)
{
	static const char *const bad[] = { "",    " 1",  "1 ",
					   "-1",  "+1",  "0x1",
					   "1.0", "one", "1234567890123456789" };
	uint64_t number = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		UNIT_CHECK(!node_config_number(bad[i], &number));
	UNIT_EQUAL(number, 7);
	UNIT_CHECK(node_config_number("0", &number));
	UNIT_EQUAL(number, 0);
	UNIT_CHECK(node_config_number("999999999999999999", &number));
	UNIT_EQUAL(number, 999999999999999999);
}

static void a_truth_is_yes_or_no(void)
{
	bool value = false;

	UNIT_CHECK(node_config_bool("yes", &value) && value);
	UNIT_CHECK(node_config_bool("no", &value) && !value);
	UNIT_CHECK(!node_config_bool("true", &value) && !node_config_bool("Yes", &value) &&
		   !node_config_bool("", &value));
}

static void a_new_port_has_the_default_udp_port_and_prefix(void)
{
	memset(&port, 0xff, sizeof(port));
	node_config_port_init(&port, "name");
	UNIT_CHECK(strcmp(port.name, "name") == 0);
	UNIT_EQUAL(port.udp_port, 7700);
	UNIT_EQUAL(port.prefix_bits, 24);
	UNIT_EQUAL(port.address, 0);
	UNIT_EQUAL(port.neighbour_count, 0);
}

static void every_port_key_takes_its_value(void)
{
	node_config_port_init(&port, "p");
	UNIT_EQUAL(port_key("kind", "af_packet"), 0);
	UNIT_EQUAL(port.kind, NODE_PORT_AF_PACKET);
	UNIT_EQUAL(port_key("kind", "memif"), 0);
	UNIT_EQUAL(port.kind, NODE_PORT_MEMIF);
	UNIT_EQUAL(port_key("role", "client"), 0);
	UNIT_EQUAL(port.role, NODE_PORT_CLIENT);
	UNIT_EQUAL(port_key("role", "both"), 0);
	UNIT_EQUAL(port.role, NODE_PORT_BOTH);
	UNIT_EQUAL(port_key("memif_role", "server"), 0);
	UNIT_CHECK(port.is_server);
	UNIT_EQUAL(port_key("memif_role", "client"), 0);
	UNIT_CHECK(!port.is_server);
	UNIT_EQUAL(port_key("socket", "@s"), 0);
	UNIT_CHECK(strcmp(port.socket, "@s") == 0);
	UNIT_EQUAL(port_key("bell", "@b"), 0);
	UNIT_CHECK(strcmp(port.bell, "@b") == 0);
	UNIT_EQUAL(port_key("interface", "eth0"), 0);
	UNIT_CHECK(strcmp(port.interface, "eth0") == 0);
	UNIT_EQUAL(port_key("address", "10.1.2.3/16"), 0);
	UNIT_EQUAL(port.address, 0x0a010203);
	UNIT_EQUAL(port.prefix_bits, 16);
	UNIT_EQUAL(port_key("address", "10.1.2.3"), 0);
	UNIT_EQUAL(port.prefix_bits, 24);
	UNIT_EQUAL(port_key("gateway", "10.1.0.1"), 0);
	UNIT_EQUAL(port.gateway, 0x0a010001);
	UNIT_EQUAL(port_key("udp_port", "65535"), 0);
	UNIT_EQUAL(port.udp_port, 65535);
	UNIT_EQUAL(port_key("mac", "02:00:00:0a:0B:ff"), 0);
	UNIT_EQUAL(port.mac[3], 10);
	UNIT_EQUAL(port.mac[5], 255);
}

static void a_value_that_fits_no_key_is_refused_with_the_value(void)
{
	static const char *const bad[][2] = {
		{ "kind", "pci" },
		{ "role", "" },
		{ "memif_role", "master" },
		{ "address", "10.1.2" },
		{ "address", "10.1.2.3/0" },
		{ "address", "10.1.2.3/33" },
		{ "address", "10.1.2.3/x" },
		{ "gateway", "somewhere" },
		{ "udp_port", "0" },
		{ "udp_port", "65536" },
		{ "mac", "02:00:00:00:00" },
		{ "mac", "02:00:00:00:00:00:00" },
		{ "mac", "02:00:00:00:00:zz" },
		{ "neighbour", "10.1.2.3" },
		{ "neighbour", "10.1.2.3,xx" },
	};

	node_config_port_init(&port, "p");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		UNIT_EQUAL(port_key(bad[i][0], bad[i][1]), ERR_CONFIG);
		UNIT_CHECK(strstr(why, bad[i][1]) != NULL);
	}
	UNIT_EQUAL(port_key("speed", "fast"), ERR_CONFIG);
	UNIT_CHECK(strstr(why, "unknown") != NULL);
}

static void a_name_too_long_is_refused(void)
{
	char name[NODE_NAME_MAX + 1];

	memset(name, 'a', sizeof(name));
	name[NODE_NAME_MAX] = '\0';
	node_config_port_init(&port, "p");
	UNIT_EQUAL(port_key("socket", name), ERR_CONFIG);
	UNIT_EQUAL(port_key("interface", name), ERR_CONFIG);
	name[NODE_NAME_MAX - 1] = '\0';
	UNIT_EQUAL(port_key("socket", name), 0);
}

static void no_more_neighbours_than_there_is_room_for(void)
{
	node_config_port_init(&port, "p");
	for (int i = 0; i < NODE_NEIGHBOURS_MAX; i++)
		UNIT_EQUAL(port_key("neighbour", "10.0.0.2,02:00:00:00:00:02"), 0);
	UNIT_EQUAL(port_key("neighbour", "10.0.0.2,02:00:00:00:00:02"), ERR_CONFIG);
	UNIT_EQUAL(port.neighbour_count, NODE_NEIGHBOURS_MAX);
}

static void a_port_lacking_what_its_kind_needs_is_refused(void)
{
	node_config_port_init(&port, "p");
	UNIT_EQUAL(node_config_port_check(&port, why, sizeof(why)), ERR_CONFIG);
	UNIT_CHECK(strstr(why, "address") != NULL);
	UNIT_EQUAL(port_key("address", "10.0.0.1"), 0);
	UNIT_EQUAL(node_config_port_check(&port, why, sizeof(why)), ERR_CONFIG);
	UNIT_CHECK(strstr(why, "socket") != NULL);
	UNIT_EQUAL(port_key("socket", "@s"), 0);
	UNIT_EQUAL(node_config_port_check(&port, why, sizeof(why)), 0);
	UNIT_EQUAL(port_key("bell", "b"), 0);
	UNIT_EQUAL(node_config_port_check(&port, why, sizeof(why)), ERR_CONFIG);
	UNIT_EQUAL(port_key("bell", "@b"), 0);
	UNIT_EQUAL(port_key("kind", "af_packet"), 0);
	UNIT_EQUAL(node_config_port_check(&port, why, sizeof(why)), ERR_CONFIG);
	UNIT_CHECK(strstr(why, "interface") != NULL);
}

static void a_peer_is_reached_through_a_port_that_exists_and_serves_peers(void)
{
	static struct node_config config;

	config.id = 3;
	config.port_count = 2;
	node_config_port_init(&config.port[0], "clients");
	node_config_port_init(&config.port[1], "peers");
	config.port[0].role = NODE_PORT_CLIENT;
	peer = (struct node_peer_config){ .is_set = true, .udp_port = 7700 };
	UNIT_EQUAL(peer_key("udp_port", "9"), 0);
	UNIT_EQUAL(peer_key("distance", "9"), ERR_CONFIG);
	UNIT_EQUAL(peer_key("address", "nowhere"), ERR_CONFIG);
	config.peer[1] = peer;
	UNIT_EQUAL(node_config_peers_check(&config, why, sizeof(why)), ERR_CONFIG);
	UNIT_CHECK(strstr(why, "address") != NULL);
	UNIT_EQUAL(peer_key("address", "10.0.0.9"), 0);
	UNIT_EQUAL(peer_key("port", "clients"), 0);
	config.peer[1] = peer;
	UNIT_EQUAL(node_config_peers_check(&config, why, sizeof(why)), ERR_CONFIG);
	UNIT_EQUAL(peer_key("port", "none"), 0);
	config.peer[1] = peer;
	UNIT_EQUAL(node_config_peers_check(&config, why, sizeof(why)), ERR_CONFIG);
	UNIT_EQUAL(peer_key("port", "peers"), 0);
	config.peer[1] = peer;
	UNIT_EQUAL(node_config_peers_check(&config, why, sizeof(why)), 0);
	UNIT_EQUAL(config.peer[1].port_index, 1);
	config.id = 1;
	UNIT_EQUAL(node_config_peers_check(&config, why, sizeof(why)), ERR_CONFIG);
}

UNIT_SUITE("node_config_port", UNIT_TEST(a_number_is_digits_and_nothing_else),
	   UNIT_TEST(a_truth_is_yes_or_no),
	   UNIT_TEST(a_new_port_has_the_default_udp_port_and_prefix),
	   UNIT_TEST(every_port_key_takes_its_value),
	   UNIT_TEST(a_value_that_fits_no_key_is_refused_with_the_value),
	   UNIT_TEST(a_name_too_long_is_refused),
	   UNIT_TEST(no_more_neighbours_than_there_is_room_for),
	   UNIT_TEST(a_port_lacking_what_its_kind_needs_is_refused),
	   UNIT_TEST(a_peer_is_reached_through_a_port_that_exists_and_serves_peers))
