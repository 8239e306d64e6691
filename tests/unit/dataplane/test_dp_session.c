#include <string.h>

#include "base/units.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/dataplane/session_fixture.h"

static uint8_t pattern[40 * 1024];

static void fill_pattern(uint32_t seed)
{
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 + seed + i / 251);
}

static uint64_t dropped(struct session_world *world, uint32_t party, enum dp_drop reason)
{
	return session_world_status(world, party).drops.count[reason];
}

static void two_nodes_find_each_other_without_being_told_when(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);

	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_CHECK(world->party[0].ups[1] >= 1 && world->party[1].ups[0] >= 1);
	UNIT_CHECK(session_world_sees(world, 0, 1));
	UNIT_CHECK(!session_world_sees(world, 0, 0));
	session_world_close(world);
}

static void a_message_arrives_as_it_was_with_its_author_and_stream(void)
{
	struct session_world *world = session_world_open(3, 0, NULL);
	const struct world_party *to = &world->party[2];

	fill_pattern(1);
	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_EQUAL(session_world_send(world, 1, 2, WIRE_STREAM_PROPOSE, pattern, 777), 1);
	UNIT_EQUAL(to->delivered, 1);
	UNIT_EQUAL(to->message.source, DP_SESSION_FROM_PEER);
	UNIT_EQUAL(to->message.replica, 1);
	UNIT_EQUAL(to->message.stream, WIRE_STREAM_PROPOSE);
	UNIT_EQUAL(to->message.byte_count, 777);
	UNIT_CHECK(memcmp(to->bytes, pattern, 777) == 0);
	session_world_close(world);
}

static void the_longest_message_is_split_and_put_together_again(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	const struct world_party *to = &world->party[1];

	fill_pattern(2);
	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	for (uint32_t count = WIRE_SINGLE_BYTES_MAX; count <= WIRE_SPLIT_BYTES_MAX; count += 3001) {
		uint32_t before = to->delivered;

		session_world_send(world, 0, 1, WIRE_STREAM_BLOCKS, pattern, count);
		UNIT_EQUAL(to->delivered, before + 1);
		UNIT_EQUAL(to->message.byte_count, count);
		UNIT_CHECK(memcmp(to->bytes, pattern, count) == 0);
	}
	session_world_close(world);
}

static bool lose_third(struct session_world *world, const struct world_datagram *datagram)
{
	(void)datagram;
	return world->carried % 3 == 2 && world->lost == 0;
}

static void a_long_message_with_a_lost_piece_is_given_up_and_counted(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);

	fill_pattern(3);
	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	world->loses = lose_third;
	session_world_send(world, 0, 1, WIRE_STREAM_BLOCKS, pattern, 20000);
	UNIT_EQUAL(world->lost, 1);
	UNIT_EQUAL(world->party[1].delivered, 0);
	world->loses = NULL;
	session_world_send(world, 0, 1, WIRE_STREAM_BLOCKS, pattern, 20000);
	UNIT_EQUAL(world->party[1].delivered, 1);
	UNIT_CHECK(dropped(world, 1, DP_DROP_REASSEMBLY) >= 1);
	session_world_close(world);
}

static struct world_datagram captured;

static bool capture(struct session_world *world, const struct world_datagram *datagram)
{
	(void)world;
	captured = *datagram;
	return false;
}

static void a_replayed_packet_is_dropped_and_counted(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	struct dp_net_path from = session_world_path(0);

	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	world->loses = capture;
	session_world_send(world, 0, 1, WIRE_STREAM_LANE, "once", 4);
	UNIT_EQUAL(world->party[1].delivered, 1);
	dp_session_input(world->party[1].table, &from, captured.bytes, captured.byte_count,
			 world->now_ns);
	UNIT_EQUAL(world->party[1].delivered, 1);
	UNIT_EQUAL(dropped(world, 1, DP_DROP_REPLAY), 1);
	session_world_close(world);
}

static void a_changed_bit_anywhere_costs_the_packet_its_tag(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	struct dp_net_path from = session_world_path(0);
	uint64_t before;

	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	world->loses = capture;
	world->party[1].is_cut = true;
	session_world_send(world, 0, 1, WIRE_STREAM_LANE, "sixteen bytes...", 16);
	world->party[1].is_cut = false;
	UNIT_REQUIRE(world->lost > 0);
	world->party[1].is_full = false;
	session_world_send(world, 0, 1, WIRE_STREAM_LANE, "sixteen bytes...", 16);
	before = world->party[1].delivered;
	captured.bytes[8] ^= 0x40; /* the counter: not seen before, wrong nonce */
	dp_session_input(world->party[1].table, &from, captured.bytes, captured.byte_count,
			 world->now_ns);
	UNIT_EQUAL(dropped(world, 1, DP_DROP_TAG), 1);
	captured.bytes[captured.byte_count - 20] ^= 1;
	dp_session_input(world->party[1].table, &from, captured.bytes, captured.byte_count,
			 world->now_ns);
	UNIT_EQUAL(dropped(world, 1, DP_DROP_TAG), 2);
	UNIT_EQUAL(world->party[1].delivered, before);
	session_world_close(world);
}

static void noise_is_dropped_under_its_name_and_never_answered(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	struct dp_net_path from = session_world_path(0);
	uint8_t noise[DP_NET_DATAGRAM_BYTES_MAX];
	uint64_t before;
	struct dp_session_status status;
	uint64_t total = 0;

	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	before = session_world_status(world, 1).packets_in;
	for (uint32_t i = 0; i < 20000; i++) {
		for (uint32_t k = 0; k < sizeof(noise); k++)
			noise[k] = (uint8_t)((i * 2654435761u >> (k % 24)) + k * i);
		noise[0] = (uint8_t)(i % 7);
		dp_session_input(world->party[1].table, &from, noise, i % sizeof(noise),
				 world->now_ns);
	}
	UNIT_EQUAL(world->queued, 0);
	status = session_world_status(world, 1);
	for (uint32_t i = 0; i < DP_DROP_COUNT; i++)
		total += status.drops.count[i];
	UNIT_CHECK(total >= 20000);
	UNIT_CHECK(status.drops.count[DP_DROP_NO_SESSION] > 0);
	UNIT_EQUAL(status.packets_in, before);
	session_world_close(world);
}

static void a_full_queue_drops_a_peers_message_and_counts_it(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);

	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	world->party[1].is_full = true;
	session_world_send(world, 0, 1, WIRE_STREAM_LANE, "lost", 4);
	UNIT_EQUAL(dropped(world, 1, DP_DROP_RING_FULL), 1);
	world->party[1].is_full = false;
	session_world_send(world, 0, 1, WIRE_STREAM_LANE, "kept", 4);
	UNIT_EQUAL(world->party[1].delivered, 1);
	session_world_close(world);
}

static void a_message_to_a_peer_without_a_session_is_counted(void)
{
	struct session_world *world = session_world_open(3, 0, NULL);

	world->party[2].is_cut = true;
	session_world_pass(world, 100 * UNITS_NS_PER_MS);
	UNIT_EQUAL(session_world_send(world, 0, 2, WIRE_STREAM_LANE, "x", 1), 0);
	UNIT_EQUAL(dropped(world, 0, DP_DROP_PEER_DOWN), 1);
	session_world_close(world);
}

static void a_config_that_is_not_valid_has_no_footprint(void)
{
	struct wire_party me = { .role = WIRE_ROLE_PEER };
	struct crypto_exchange_key member[1];
	struct dp_session_config config = { .me = &me, .member = member, .member_count = 1 };

	memset(member, 0, sizeof(member));
	UNIT_CHECK(dp_session_footprint(&config) > 0);
	config.member_count = DP_SESSION_PEERS_MAX + 1;
	UNIT_EQUAL(dp_session_footprint(&config), 0);
	config.member_count = 1;
	config.client_budget.bytes_per_s = UINT64_MAX;
	UNIT_EQUAL(dp_session_footprint(&config), 0);
}

UNIT_SUITE("dp_session", UNIT_TEST(two_nodes_find_each_other_without_being_told_when),
	   UNIT_TEST(a_message_arrives_as_it_was_with_its_author_and_stream),
	   UNIT_TEST(the_longest_message_is_split_and_put_together_again),
	   UNIT_TEST(a_long_message_with_a_lost_piece_is_given_up_and_counted),
	   UNIT_TEST(a_replayed_packet_is_dropped_and_counted),
	   UNIT_TEST(a_changed_bit_anywhere_costs_the_packet_its_tag),
	   UNIT_TEST(noise_is_dropped_under_its_name_and_never_answered),
	   UNIT_TEST(a_full_queue_drops_a_peers_message_and_counts_it),
	   UNIT_TEST(a_message_to_a_peer_without_a_session_is_counted),
	   UNIT_TEST(a_config_that_is_not_valid_has_no_footprint))
