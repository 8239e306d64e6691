#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "dataplane/dp_port_ring.h"
#include "dataplane/dp_tile_net_ports.h"
#include "tests/lib/unit_main.h"

enum { HERE = 0x0a000001, THERE = 0x0a000002, UDP_PORT = 7000 };

/* Two net ports on the two ends of one ring port. */
struct pair {
	void *memory;
	struct dp_port port[2];
	struct net_port net[2];
};

static void open_pair(struct pair *pair)
{
	const struct dp_mac mac[2] = { { { 2, 0, 0, 0, 0, 1 } }, { { 2, 0, 0, 0, 0, 2 } } };
	size_t footprint = dp_port_ring_footprint(DP_RING_BYTES_MIN);

	pair->memory = aligned_alloc(64, footprint);
	UNIT_REQUIRE(pair->memory &&
		     dp_port_ring_open(pair->memory, footprint, DP_RING_BYTES_MIN, &mac[0], &mac[1],
				       &pair->port[0], &pair->port[1]) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		const struct dp_tile_net_port setup = {
			.port = &pair->port[i],
			.net = { .address = HERE + i, .prefix_bits = 24, .udp_port = UDP_PORT },
			.peer = -1
		};

		UNIT_REQUIRE(net_port_setup(&pair->net[i], &setup, NULL) == 0);
	}
}

static void close_pair(struct pair *pair)
{
	net_port_fini(&pair->net[0], true);
	net_port_fini(&pair->net[1], true);
	free(pair->memory);
}

/* Takes what came in at `side`; answers what wants an answer; returns datagrams. */
static uint32_t take_in(struct pair *pair, uint32_t side, uint64_t now_ns)
{
	struct dp_packet packets[DP_PORT_BURST_MAX];
	uint32_t count = dp_port_receive(&pair->port[side], packets, DP_PORT_BURST_MAX);
	uint32_t datagrams = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct dp_net_datagram datagram;
		uint32_t bytes = packets[i].byte_count;
		enum dp_net_verdict verdict = dp_net_input(&pair->net[side].net, packets[i].bytes,
							   &bytes, now_ns, &datagram);

		datagrams += verdict == DP_NET_DATAGRAM;
		if (verdict == DP_NET_ANSWER)
			net_port_answer(&pair->net[side], &packets[i], bytes);
		else
			dp_port_give_back(&pair->port[side], &packets[i], 1);
	}
	net_port_flush(&pair->net[side]);
	return datagrams;
}

static void a_link_that_comes_up_is_announced_once(void)
{
	struct pair pair;

	open_pair(&pair);
	UNIT_CHECK(net_port_housekeep(&pair.net[0], 1));
	UNIT_CHECK(!net_port_housekeep(&pair.net[0], 2));
	UNIT_EQUAL(pair.port[0].counters.tx_packets, 1);
	pair.port[0].is_up = false;
	UNIT_CHECK(!net_port_housekeep(&pair.net[0], 3));
	pair.port[0].is_up = true;
	UNIT_CHECK(net_port_housekeep(&pair.net[0], 4));
	UNIT_EQUAL(pair.port[0].counters.tx_packets, 2);
	close_pair(&pair);
}

static void a_datagram_waits_for_nobody_but_the_neighbours_mac(void)
{
	struct pair pair;
	const struct dp_net_path to = { .address = THERE, .udp_port = UDP_PORT };
	uint8_t *room;

	open_pair(&pair);
	UNIT_CHECK(net_port_packet(&pair.net[0], &to, 1) == NULL);
	net_port_housekeep(&pair.net[0], 2);
	take_in(&pair, 1, 3);
	take_in(&pair, 0, 4);
	room = net_port_packet(&pair.net[0], &to, 5);
	UNIT_REQUIRE(room != NULL);
	memcpy(room, "hello", 5);
	net_port_send(&pair.net[0], &to, 5);
	net_port_flush(&pair.net[0]);
	UNIT_EQUAL(take_in(&pair, 1, 6), 1);
	close_pair(&pair);
}

static void a_link_that_is_down_takes_nothing_and_counts(void)
{
	struct pair pair;
	const struct dp_net_path to = { .address = THERE,
					.udp_port = UDP_PORT,
					.mac = { { 2, 0, 0, 0, 0, 2 } } };

	open_pair(&pair);
	pair.port[0].is_up = false;
	UNIT_CHECK(net_port_packet(&pair.net[0], &to, 1) == NULL);
	UNIT_EQUAL(pair.net[0].net.drops.count[DP_DROP_LINK_FULL], 1);
	close_pair(&pair);
}

static void a_packet_asked_for_and_not_sent_is_given_again_and_none_leaks(void)
{
	struct pair pair;
	const struct dp_net_path to = { .address = THERE,
					.udp_port = UDP_PORT,
					.mac = { { 2, 0, 0, 0, 0, 2 } } };
	uint8_t *first;

	open_pair(&pair);
	first = net_port_packet(&pair.net[0], &to, 1);
	UNIT_REQUIRE(first != NULL);
	for (uint32_t i = 0; i < 10000; i++)
		UNIT_CHECK(net_port_packet(&pair.net[0], &to, 1) == first);
	for (uint32_t i = 0; i < 3000; i++) {
		uint8_t *room = net_port_packet(&pair.net[0], &to, 1);

		UNIT_REQUIRE(room != NULL);
		memset(room, 1, 100);
		net_port_send(&pair.net[0], &to, 100);
		if (i % 7 == 0)
			UNIT_CHECK(net_port_packet(&pair.net[0], &to, 1) != NULL);
		if (i % 50 == 0) {
			net_port_flush(&pair.net[0]);
			while (take_in(&pair, 1, 2) > 0)
				;
		}
	}
	UNIT_EQUAL(pair.port[0].counters.no_buffer, 0);
	close_pair(&pair);
}

UNIT_SUITE("dp_tile_net_ports", UNIT_TEST(a_link_that_comes_up_is_announced_once),
	   UNIT_TEST(a_datagram_waits_for_nobody_but_the_neighbours_mac),
	   UNIT_TEST(a_link_that_is_down_takes_nothing_and_counts),
	   UNIT_TEST(a_packet_asked_for_and_not_sent_is_given_again_and_none_leaks))
