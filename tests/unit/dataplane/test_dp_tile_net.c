#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "crypto/crypto_sign.h"
#include "dataplane/dp_port_ring.h"
#include "dataplane/dp_tile_net.h"
#include "tests/lib/unit_main.h"

enum { FIRST = 0x0a000001, UDP_PORT = 7000, RING_BYTES = DP_RING_BYTES_MIN };

/* A net tile with its rings; two of them on the ends of one link, or a node and a client. */
struct side {
	struct wire_party me;
	struct dp_ring *core, *lane, *client, *urgent, *bulk;
	void *tile;
};

struct world {
	uint64_t now_ns;
	struct crypto_exchange_key member[2];
	void *link;
	struct dp_port port[2];
	struct side side[2];
};

static uint64_t random_state = 99;

static void fill_random(void *bytes, size_t count)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++) {
		random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
		at[i] = (uint8_t)(random_state >> 56);
	}
}

static uint32_t say_busy(const uint8_t *message, uint32_t count, uint8_t *ret_answer)
{
	memcpy(ret_answer, "busy:", 5);
	memcpy(ret_answer + 5, message, count);
	return count + 5;
}

static struct dp_ring *open_ring(void)
{
	size_t footprint = dp_ring_footprint(RING_BYTES);
	void *memory = aligned_alloc(64, footprint);
	struct dp_ring *ring = NULL;

	UNIT_REQUIRE(memory && dp_ring_init(memory, footprint, RING_BYTES, &ring) == 0);
	return ring;
}

static void open_side(struct world *world, uint32_t number, enum wire_role role)
{
	struct side *side = &world->side[number];
	const struct dp_tile_net_port port = {
		.port = &world->port[number],
		.net = { .address = FIRST + number, .prefix_bits = 24, .udp_port = UDP_PORT },
		.peer = role == WIRE_ROLE_PEER ? 1 - (int32_t)number : 0
	};
	struct dp_tile_net_setup *setup = calloc(1, sizeof(*setup));
	size_t footprint;

	*side = (struct side){ .core = open_ring(),
			       .lane = open_ring(),
			       .client = open_ring(),
			       .urgent = open_ring(),
			       .bulk = open_ring() };
	side->me = (struct wire_party){ .role = role,
					.epoch = 1,
					.build_id = 1,
					.replica = role == WIRE_ROLE_PEER ? number : UINT32_MAX,
					.ciphers = wire_ciphers_usable() };
	memset(side->me.secret.b, 3 + (int)number, sizeof(side->me.secret.b));
	crypto_exchange_public(&side->me.secret, &side->me.public_key);
	UNIT_REQUIRE(setup != NULL);
	*setup = (struct dp_tile_net_setup){
		.port_count = 1,
		.port = &port,
		.session = { .me = &side->me,
			     .member = world->member,
			     .member_count = 2,
			     .clients_max = role == WIRE_ROLE_PEER ? 4 : 0,
			     .subscriptions_max = 8 },
		.to_core = side->core,
		.to_lane = side->lane,
		.to_client = side->client,
		.from_count = 2,
		.from = { side->urgent, side->bulk },
		.random = fill_random,
		.busy_answer = say_busy,
	};
	setup->peer[role == WIRE_ROLE_PEER ? 1 - number : 0] = (struct dp_tile_net_peer){
		.is_set = true, .address = FIRST + (1 - number), .udp_port = UDP_PORT
	};
	footprint = dp_tile_net.footprint(setup);
	side->tile = aligned_alloc(64, units_round_up(footprint, 64));
	UNIT_REQUIRE(side->tile && dp_tile_net.setup(side->tile, setup) == 0);
	free(setup);
}

static struct world *open_world(enum wire_role second)
{
	const struct dp_mac mac[2] = { { { 2, 0, 0, 0, 0, 1 } }, { { 2, 0, 0, 0, 0, 2 } } };
	size_t footprint = dp_port_ring_footprint(8 * RING_BYTES);
	struct world *world = calloc(1, sizeof(*world));
	struct crypto_exchange_secret secret;

	UNIT_REQUIRE(world && crypto_start() == 0);
	world->now_ns = UNITS_NS_PER_S;
	world->link = aligned_alloc(64, footprint);
	UNIT_REQUIRE(world->link &&
		     dp_port_ring_open(world->link, footprint, 8 * RING_BYTES, &mac[0], &mac[1],
				       &world->port[0], &world->port[1]) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		memset(secret.b, 3 + (int)i, sizeof(secret.b));
		crypto_exchange_public(&secret, &world->member[i]);
	}
	open_side(world, 0, WIRE_ROLE_PEER);
	open_side(world, 1, second);
	return world;
}

static void close_world(struct world *world)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct side *side = &world->side[i];

		dp_tile_net.fini(side->tile);
		free(side->tile);
		free(side->core);
		free(side->lane);
		free(side->client);
		free(side->urgent);
		free(side->bulk);
	}
	free(world->link);
	free(world);
}

static void pass(struct world *world, uint64_t ns)
{
	for (uint64_t end_ns = world->now_ns + ns; world->now_ns < end_ns;) {
		world->now_ns += UNITS_NS_PER_MS;
		for (uint32_t i = 0; i < 2; i++) {
			dp_tile_net.on_housekeeping(world->side[i].tile, world->now_ns);
			dp_tile_net.on_turn(world->side[i].tile, world->now_ns);
		}
	}
}

/* Takes one message out of `ring`; true if it is of `kind`. */
static bool took(struct dp_ring *ring, uint16_t kind, struct dp_ring_header *ret_header,
		 uint8_t *ret_bytes)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes = dp_ring_peek(ring, &header);

	if (!bytes || header->kind != kind)
		return false;
	*ret_header = *header;
	memcpy(ret_bytes, bytes, header->bytes);
	dp_ring_release(ring);
	return true;
}

static void say(struct world *world, uint32_t from, enum wire_stream stream, const void *bytes,
		uint32_t count)
{
	const struct bitset all = { { 3, 0 } };
	struct dp_tile_net_send send;
	uint8_t *room =
		dp_tile_net_room_peers(world->side[from].urgent, &all, stream, count, &send);

	UNIT_REQUIRE(room != NULL);
	memcpy(room, bytes, count);
	dp_tile_net_commit(&send, count);
}

static uint8_t bytes_seen[64 * 1024];

static void peers_come_up_and_are_told_to_the_core(void)
{
	struct world *world = open_world(WIRE_ROLE_PEER);
	struct dp_ring_header header;

	pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(world->side[0].core, DP_NET_PEER_UP, &header, bytes_seen));
	UNIT_EQUAL(header.source, 1);
	UNIT_CHECK(took(world->side[1].core, DP_NET_PEER_UP, &header, bytes_seen));
	UNIT_EQUAL(header.source, 0);
	close_world(world);
}

static void messages_go_to_the_ring_of_their_stream(void)
{
	struct world *world = open_world(WIRE_ROLE_PEER);
	struct dp_ring_header header;
	static uint8_t blocks[30000];

	memset(blocks, 0x3c, sizeof(blocks));
	pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(world->side[1].core, DP_NET_PEER_UP, &header, bytes_seen));
	say(world, 0, WIRE_STREAM_CERTIFICATE, "vote", 4);
	say(world, 0, WIRE_STREAM_LANE, "frame", 5);
	say(world, 0, WIRE_STREAM_BLOCKS, blocks, sizeof(blocks));
	pass(world, 5 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(world->side[1].core, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.source == 0 && header.tag == WIRE_STREAM_CERTIFICATE &&
		   header.bytes == 4 && memcmp(bytes_seen, "vote", 4) == 0);
	UNIT_CHECK(took(world->side[1].lane, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.bytes == 5 && memcmp(bytes_seen, "frame", 5) == 0);
	UNIT_CHECK(took(world->side[1].lane, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.bytes == sizeof(blocks) &&
		   memcmp(bytes_seen, blocks, sizeof(blocks)) == 0);
	close_world(world);
}

static void a_full_ring_drops_and_the_other_rings_go_on(void)
{
	struct world *world = open_world(WIRE_ROLE_PEER);
	struct dp_ring_header header;
	struct dp_tile_net_status status;
	static uint8_t frame[1400];

	pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(world->side[1].core, DP_NET_PEER_UP, &header, bytes_seen));
	for (uint32_t i = 0; i < 200; i++) {
		say(world, 0, WIRE_STREAM_LANE, frame, sizeof(frame));
		if (i % 50 == 49)
			pass(world, 2 * UNITS_NS_PER_MS);
	}
	say(world, 0, WIRE_STREAM_CERTIFICATE, "vote", 4);
	pass(world, 5 * UNITS_NS_PER_MS);
	dp_tile_net_status(world->side[1].tile, &status);
	UNIT_CHECK(status.drops.count[DP_DROP_RING_FULL] > 0);
	UNIT_CHECK(took(world->side[1].core, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(took(world->side[1].lane, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	close_world(world);
}

static void news_of_a_peer_waits_until_there_is_room(void)
{
	struct world *world = open_world(WIRE_ROLE_PEER);
	const struct dp_ring_header filler = { .kind = 99 };
	struct dp_ring_header header;
	static uint8_t block[1000];
	uint32_t count = 0;

	while (dp_ring_push(world->side[0].core, &filler, block, sizeof(block)))
		count++;
	while (dp_ring_push(world->side[0].core, &filler, block, 0))
		count++;
	pass(world, 100 * UNITS_NS_PER_MS);
	for (; count > 0; count--)
		UNIT_CHECK(took(world->side[0].core, 99, &header, bytes_seen));
	UNIT_CHECK(!took(world->side[0].core, DP_NET_PEER_UP, &header, bytes_seen));
	pass(world, 2 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(world->side[0].core, DP_NET_PEER_UP, &header, bytes_seen));
	close_world(world);
}

static void a_silent_peer_is_told_down(void)
{
	struct world *world = open_world(WIRE_ROLE_PEER);
	struct dp_ring_header header;

	pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(world->side[0].core, DP_NET_PEER_UP, &header, bytes_seen));
	world->port[1].is_up = false;
	pass(world, 3 * UNITS_NS_PER_S);
	UNIT_CHECK(took(world->side[0].core, DP_NET_PEER_DOWN, &header, bytes_seen));
	world->port[1].is_up = true;
	pass(world, 2 * UNITS_NS_PER_S);
	UNIT_CHECK(took(world->side[0].core, DP_NET_PEER_UP, &header, bytes_seen));
	close_world(world);
}

static void a_client_submits_subscribes_and_gets_answers_and_receipts(void)
{
	struct world *world = open_world(WIRE_ROLE_CLIENT);
	struct side *node = &world->side[0], *client = &world->side[1];
	struct crypto_public_key key = { { 4, 5, 6 } };
	struct dp_tile_net_send send;
	struct dp_ring_header header;
	uint8_t *room;

	pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(client->core, DP_NET_PEER_UP, &header, bytes_seen));
	say(world, 1, WIRE_STREAM_CLIENT, "submit", 6);
	pass(world, 5 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(node->client, DP_NET_CLIENT_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.aux != 0 && header.bytes == 6 && memcmp(bytes_seen, "submit", 6) == 0);
	UNIT_CHECK(dp_tile_net_subscribe(node->urgent, header.aux, &key));
	room = dp_tile_net_room_client(node->urgent, header.aux, 8, &send);
	UNIT_REQUIRE(room != NULL);
	memcpy(room, "accepted", 8);
	dp_tile_net_commit(&send, 8);
	room = dp_tile_net_room_key(node->bulk, &key, 7, &send);
	UNIT_REQUIRE(room != NULL);
	memcpy(room, "receipt", 7);
	dp_tile_net_commit(&send, 7);
	pass(world, 5 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(client->lane, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.bytes == 8 && memcmp(bytes_seen, "accepted", 8) == 0);
	UNIT_CHECK(took(client->lane, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.bytes == 7 && memcmp(bytes_seen, "receipt", 7) == 0);
	close_world(world);
}

static void a_client_whose_frame_finds_no_room_is_told(void)
{
	struct world *world = open_world(WIRE_ROLE_CLIENT);
	struct side *node = &world->side[0], *client = &world->side[1];
	const struct dp_ring_header filler = { .kind = 99 };
	struct dp_ring_header header;
	static uint8_t block[1400];

	pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(client->core, DP_NET_PEER_UP, &header, bytes_seen));
	while (dp_ring_push(node->client, &filler, block, sizeof(block)))
		;
	say(world, 1, WIRE_STREAM_CLIENT, "submit", 6);
	pass(world, 5 * UNITS_NS_PER_MS);
	UNIT_CHECK(took(client->lane, DP_NET_PEER_MESSAGE, &header, bytes_seen));
	UNIT_CHECK(header.bytes == 11 && memcmp(bytes_seen, "busy:submit", 11) == 0);
	close_world(world);
}

static void an_idle_tile_has_a_deadline_in_the_future_and_no_work(void)
{
	struct world *world = open_world(WIRE_ROLE_PEER);
	uint32_t idle = 0;

	pass(world, UNITS_NS_PER_S);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t deadline = dp_tile_net.deadline_ns(world->side[0].tile);

		world->now_ns += UNITS_NS_PER_MS;
		if (dp_tile_net.on_turn(world->side[0].tile, world->now_ns) == 0) {
			UNIT_CHECK(deadline > world->now_ns);
			idle++;
		}
		dp_tile_net.on_turn(world->side[1].tile, world->now_ns);
	}
	UNIT_CHECK(idle > 950);
	close_world(world);
}

static void a_setup_without_ports_rings_or_random_is_refused(void)
{
	struct dp_tile_net_setup *setup = calloc(1, sizeof(*setup));
	static uint8_t memory[64];

	UNIT_REQUIRE(setup != NULL);
	UNIT_EQUAL(dp_tile_net.footprint(setup), 0);
	UNIT_CHECK(dp_tile_net.setup(memory, setup) < 0);
	free(setup);
}

UNIT_SUITE("dp_tile_net", UNIT_TEST(peers_come_up_and_are_told_to_the_core),
	   UNIT_TEST(messages_go_to_the_ring_of_their_stream),
	   UNIT_TEST(a_full_ring_drops_and_the_other_rings_go_on),
	   UNIT_TEST(news_of_a_peer_waits_until_there_is_room),
	   UNIT_TEST(a_silent_peer_is_told_down),
	   UNIT_TEST(a_client_submits_subscribes_and_gets_answers_and_receipts),
	   UNIT_TEST(a_client_whose_frame_finds_no_room_is_told),
	   UNIT_TEST(an_idle_tile_has_a_deadline_in_the_future_and_no_work),
	   UNIT_TEST(a_setup_without_ports_rings_or_random_is_refused))
