/* node_tile_net: the net tile with ports, peers and drops published for other threads. */
#define _GNU_SOURCE
#include "node/node_tile_net.h"

#include <string.h>

#include "crypto/crypto_sign.h"
#include "dataplane/dp_port_ring.h"
#include "tests/unit/node/node_fixture.h"

static struct ctl_page *page;
static struct node_net_view view;
static struct dp_tile_net_setup net;
static struct node_net_setup io;
static struct wire_party me;
static struct crypto_exchange_key member[2];
static struct dp_port port[2];
static struct dp_ring *ring[4];
static void *link_memory;
static void *tile;

static void no_random(void *bytes, size_t count)
{
	memset(bytes, 7, count);
}

static void begin(void)
{
	static const struct dp_mac mac[2] = { { { 2, 0, 0, 0, 0, 1 } }, { { 2, 0, 0, 0, 0, 2 } } };
	static struct dp_tile_net_port ports[1];
	size_t bytes = dp_port_ring_footprint(DP_RING_BYTES_MIN);

	UNIT_REQUIRE(crypto_start() == 0);
	page = fixture_page();
	memset(&view, 0, sizeof(view));
	link_memory = aligned_alloc(64, units_round_up(bytes, 64));
	UNIT_REQUIRE(link_memory && dp_port_ring_open(link_memory, bytes, DP_RING_BYTES_MIN,
						      &mac[0], &mac[1], &port[0], &port[1]) == 0);
	for (int i = 0; i < 4; i++)
		ring[i] = fixture_ring();
	me = (struct wire_party){ .role = WIRE_ROLE_PEER,
				  .epoch = 1,
				  .ciphers = wire_ciphers_usable() };
	crypto_exchange_public(&me.secret, &me.public_key);
	ports[0] = (struct dp_tile_net_port){
		.port = &port[0],
		.net = { .address = 0x0a000001, .prefix_bits = 24, .udp_port = 7000 },
		.peer = 1,
	};
	net = (struct dp_tile_net_setup){
		.port_count = 1,
		.port = ports,
		.session = { .me = &me,
			     .member = member,
			     .member_count = 2,
			     .clients_max = 4,
			     .subscriptions_max = 8 },
		.to_core = ring[0],
		.to_lane = ring[1],
		.to_client = ring[2],
		.from_count = 1,
		.from = { ring[3] },
		.random = no_random,
	};
	net.peer[1] = (struct dp_tile_net_peer){ .is_set = true,
						 .address = 0x0a000002,
						 .udp_port = 7000 };
	io = (struct node_net_setup){ .net = &net,
				      .view = &view,
				      .metrics = ctl_block_register(page, "net") };
	io.drops = fixture_family(page, io.metrics, DP_DROP_COUNT);
	tile = fixture_tile(&node_tile_net, &io);
}

static void end(void)
{
	node_tile_net.fini(tile);
	dp_port_close(&port[1]);
	for (int i = 0; i < 4; i++)
		free(ring[i]);
	free(link_memory);
	free(tile);
	free(page);
}

static void send_garbage(void)
{
	struct dp_packet packet;

	UNIT_REQUIRE(dp_port_take(&port[1], &packet));
	memset(packet.bytes, 0xee, 60);
	packet.byte_count = 60;
	UNIT_EQUAL(dp_port_send(&port[1], &packet, 1), 1);
}

static void traffic_and_drops_are_published_in_housekeeping(void)
{
	uint64_t dropped = 0;

	begin();
	UNIT_EQUAL(view.port_count, 1);
	for (int i = 0; i < 3; i++)
		send_garbage();
	for (uint64_t now_ns = 1; now_ns < 50; now_ns++)
		node_tile_net.on_turn(tile, now_ns * UNITS_NS_PER_MS);
	UNIT_EQUAL(view.port[0].rx_packets, 0);
	node_tile_net.on_housekeeping(tile, 60 * UNITS_NS_PER_MS);
	UNIT_EQUAL(view.port[0].rx_packets, 3);
	UNIT_EQUAL(view.port[0].rx_bytes, 180);
	UNIT_EQUAL(view.port[0].is_up, 1);
	for (int i = 0; i < DP_DROP_COUNT; i++)
		dropped += ctl_word_load(&io.drops->word[i]);
	UNIT_CHECK(dropped >= 3);
	UNIT_EQUAL(view.peers_up[0], 0);
	UNIT_EQUAL(ctl_metric_sum(page, CTL_METRIC_PEER_SESSIONS), 0);
	UNIT_EQUAL(ctl_metrics_heartbeat_ns(page), 60 * UNITS_NS_PER_MS);
	end();
}

/* It calls its peer: what leaves is counted too, and the next call is a deadline. */
static void it_works_as_the_tile_it_wraps(void)
{
	begin();
	for (uint64_t now_ns = 1; now_ns < 2000; now_ns++)
		node_tile_net.on_turn(tile, now_ns * UNITS_NS_PER_MS);
	node_tile_net.on_housekeeping(tile, 2 * UNITS_NS_PER_S);
	UNIT_CHECK(view.port[0].tx_packets > 0);
	UNIT_CHECK(node_tile_net.deadline_ns(tile) < UINT64_MAX);
	UNIT_CHECK(node_tile_net.before_sleep(tile));
	node_tile_net.after_sleep(tile);
	end();
}

UNIT_SUITE("node_tile_net", UNIT_TEST(traffic_and_drops_are_published_in_housekeeping),
	   UNIT_TEST(it_works_as_the_tile_it_wraps))
