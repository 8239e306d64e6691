#include <string.h>

#include "base/units.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/dataplane/session_fixture.h"

/* Node 0 (and 1), clients from 2 on. */
enum { CLIENT = 2 };

static uint64_t dropped(struct session_world *world, enum dp_drop reason)
{
	return session_world_status(world, 0).drops.count[reason];
}

static uint64_t client_says(struct session_world *world, uint32_t client, const char *text)
{
	session_world_send(world, client, 0, WIRE_STREAM_CLIENT, text, (uint32_t)strlen(text));
	return world->party[0].message.client;
}

static void a_client_talks_to_every_node_and_is_answered(void)
{
	struct session_world *world = session_world_open(2, 1, NULL);
	uint64_t id;

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	UNIT_EQUAL(session_world_status(world, 0).clients, 1);
	UNIT_EQUAL(session_world_status(world, 1).clients, 1);
	id = client_says(world, CLIENT, "submit");
	UNIT_EQUAL(world->party[0].message.source, DP_SESSION_FROM_CLIENT);
	UNIT_CHECK(id != 0);
	UNIT_CHECK(dp_session_send_client(world->party[0].table, id, (const uint8_t *)"receipt", 7,
					  world->now_ns));
	session_world_run(world);
	UNIT_EQUAL(world->party[CLIENT].delivered, 1);
	UNIT_EQUAL(world->party[CLIENT].message.replica, 0);
	UNIT_CHECK(memcmp(world->party[CLIENT].bytes, "receipt", 7) == 0);
	session_world_close(world);
}

static void a_first_initiation_costs_no_place_and_is_answered_by_less(void)
{
	struct session_world *world = session_world_open(2, 1, NULL);
	struct dp_net_path from = session_world_path(CLIENT);
	uint32_t initiations = 0;

	dp_session_tick(world->party[CLIENT].table, world->now_ns);
	for (uint32_t i = 0; i < world->queued; i++) {
		struct world_datagram first = world->queue[i];
		uint32_t queued = world->queued;

		if (first.to != 0)
			continue;
		for (uint32_t k = 0; k < 100; k++) {
			dp_session_input(world->party[0].table, &from, first.bytes,
					 first.byte_count, world->now_ns);
			UNIT_EQUAL(world->queued, queued + 1);
			UNIT_CHECK(world->queue[queued].byte_count < first.byte_count);
			world->queued = queued;
		}
		initiations++;
	}
	UNIT_EQUAL(initiations, 1);
	UNIT_EQUAL(dp_session_chances_wanted(world->party[0].table), 0);
	UNIT_EQUAL(dropped(world, DP_DROP_HANDSHAKE_RATE), 0);
	session_world_close(world);
}

static void frames_budget(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)me;
	if (party < 2)
		config->client_budget = (struct dp_session_budget){ .frames_per_s = 10,
								    .bytes_per_s = 1000,
								    .checks_per_s = 5 };
}

static void a_client_beyond_its_frames_is_dropped_until_time_passes(void)
{
	struct session_world *world = session_world_open(2, 1, frames_budget);

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	for (uint32_t i = 0; i < 30; i++)
		client_says(world, CLIENT, "x");
	UNIT_EQUAL(world->party[0].delivered, 10);
	UNIT_EQUAL(dropped(world, DP_DROP_FRAME_RATE), 20);
	session_world_pass(world, UNITS_NS_PER_S);
	client_says(world, CLIENT, "x");
	UNIT_EQUAL(world->party[0].delivered, 11);
	session_world_close(world);
}

static void a_client_beyond_its_bytes_is_dropped(void)
{
	struct session_world *world = session_world_open(2, 1, frames_budget);
	char text[601];

	memset(text, 'x', 600);
	text[600] = '\0';
	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	for (uint32_t i = 0; i < 5; i++)
		client_says(world, CLIENT, text);
	UNIT_EQUAL(world->party[0].delivered, 2);
	UNIT_EQUAL(dropped(world, DP_DROP_BYTE_RATE), 3);
	session_world_close(world);
}

static void signature_checks_put_a_client_in_debt(void)
{
	struct session_world *world = session_world_open(2, 1, frames_budget);
	uint64_t id;

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	id = client_says(world, CLIENT, "x");
	dp_session_charge(world->party[0].table, id, 7);
	client_says(world, CLIENT, "x");
	UNIT_EQUAL(world->party[0].delivered, 1);
	UNIT_EQUAL(dropped(world, DP_DROP_CHECK_RATE), 1);
	dp_session_charge(world->party[0].table, id, UINT32_MAX);
	session_world_pass(world, 3 * UNITS_NS_PER_S);
	client_says(world, CLIENT, "x");
	UNIT_EQUAL(world->party[0].delivered, 2);
	session_world_close(world);
}

static void a_full_queue_is_told_to_the_client(void)
{
	struct session_world *world = session_world_open(2, 1, NULL);

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	world->party[0].is_full = true;
	client_says(world, CLIENT, "x");
	UNIT_EQUAL(world->party[0].refused, 1);
	UNIT_CHECK(world->party[0].message.client != 0);
	UNIT_EQUAL(dropped(world, DP_DROP_RING_FULL), 1);
	session_world_close(world);
}

static void two_places(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)me;
	if (party < 2)
		config->clients_max = 2;
}

static void a_full_table_refuses_until_somebody_was_idle_long_enough(void)
{
	struct session_world *world = session_world_open(2, 3, two_places);
	uint32_t lucky = 0;

	session_world_pass(world, UNITS_NS_PER_S);
	UNIT_EQUAL(session_world_status(world, 0).clients, 2);
	UNIT_CHECK(dropped(world, DP_DROP_CLIENTS_FULL) > 0);
	for (uint32_t i = CLIENT; i < CLIENT + 3; i++) {
		if (world->party[i].ups[0] > 0)
			lucky = i;
		else
			UNIT_EQUAL(session_world_status(world, i).refusal[0], WIRE_REFUSAL_FULL);
	}
	UNIT_REQUIRE(lucky != 0);
	world->party[lucky].is_cut = true;
	session_world_pass(world, 63 * UNITS_NS_PER_S);
	for (uint32_t i = CLIENT; i < CLIENT + 3; i++)
		UNIT_CHECK(i == lucky || world->party[i].ups[0] > 0);
	UNIT_EQUAL(session_world_status(world, 0).clients, 2);
	session_world_close(world);
}

static void a_client_that_comes_again_takes_its_own_place(void)
{
	struct session_world *world = session_world_open(2, 1, two_places);

	for (uint32_t i = 0; i < 10; i++) {
		session_world_pass(world, 200 * UNITS_NS_PER_MS);
		UNIT_EQUAL(world->party[CLIENT].ups[0], 1);
		UNIT_EQUAL(session_world_status(world, 0).clients, 1);
		session_world_restart(world, CLIENT, NULL);
	}
	session_world_close(world);
}

static void an_old_sessions_id_never_reaches_a_new_one(void)
{
	struct session_world *world = session_world_open(2, 1, two_places);
	uint64_t id;

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	id = client_says(world, CLIENT, "x");
	session_world_restart(world, CLIENT, NULL);
	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	UNIT_CHECK(!dp_session_send_client(world->party[0].table, id, (const uint8_t *)"x", 1,
					   world->now_ns));
	UNIT_CHECK(client_says(world, CLIENT, "y") != id);
	session_world_close(world);
}

static uint32_t receipts(struct session_world *world, const struct crypto_public_key *key)
{
	uint32_t sent = dp_session_send_key(world->party[0].table, key, (const uint8_t *)"receipt",
					    7, world->now_ns);

	session_world_run(world);
	return sent;
}

static void a_key_has_up_to_four_subscribers_and_the_fifth_replaces_the_oldest(void)
{
	struct session_world *world = session_world_open(2, 5, NULL);
	struct crypto_public_key key = { { 7 } };
	struct crypto_public_key other = { { 8 } };

	session_world_pass(world, 500 * UNITS_NS_PER_MS);
	UNIT_EQUAL(receipts(world, &key), 0);
	UNIT_EQUAL(dropped(world, DP_DROP_NO_SUBSCRIBER), 1);
	for (uint32_t i = CLIENT; i < CLIENT + 4; i++) {
		uint64_t id = client_says(world, i, "subscribe");

		dp_session_subscribe(world->party[0].table, id, &key);
		dp_session_subscribe(world->party[0].table, id, &key);
		UNIT_EQUAL(receipts(world, &key), i - CLIENT + 1);
	}
	UNIT_EQUAL(receipts(world, &other), 0);
	UNIT_EQUAL(session_world_status(world, 0).subscriptions, 1);
	session_world_close(world);
}

static void subscriptions_of_dead_sessions_make_room(void)
{
	struct session_world *world = session_world_open(2, 1, NULL);
	struct crypto_public_key key = { { 0 } };
	uint64_t id;

	for (uint32_t round = 0; round < 6; round++) {
		session_world_pass(world, 200 * UNITS_NS_PER_MS);
		id = client_says(world, CLIENT, "subscribe");
		for (uint32_t i = 0; i < 16; i++) {
			key.b[0] = (uint8_t)i;
			key.b[1] = (uint8_t)round;
			dp_session_subscribe(world->party[0].table, id, &key);
		}
		UNIT_EQUAL(receipts(world, &key), 1);
		session_world_restart(world, CLIENT, NULL);
	}
	UNIT_CHECK(session_world_status(world, 0).subscriptions <= 32);
	session_world_close(world);
}

static void a_long_or_split_message_of_a_client_is_dropped(void)
{
	struct session_world *world = session_world_open(2, 1, NULL);
	static uint8_t bytes[5000];

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	session_world_send(world, CLIENT, 0, WIRE_STREAM_CLIENT, bytes, sizeof(bytes));
	UNIT_EQUAL(world->party[0].delivered, 0);
	UNIT_CHECK(dropped(world, DP_DROP_PIECE) > 0);
	session_world_close(world);
}

UNIT_SUITE("dp_session_clients", UNIT_TEST(a_client_talks_to_every_node_and_is_answered),
	   UNIT_TEST(a_first_initiation_costs_no_place_and_is_answered_by_less),
	   UNIT_TEST(a_client_beyond_its_frames_is_dropped_until_time_passes),
	   UNIT_TEST(a_client_beyond_its_bytes_is_dropped),
	   UNIT_TEST(signature_checks_put_a_client_in_debt),
	   UNIT_TEST(a_full_queue_is_told_to_the_client),
	   UNIT_TEST(a_full_table_refuses_until_somebody_was_idle_long_enough),
	   UNIT_TEST(a_client_that_comes_again_takes_its_own_place),
	   UNIT_TEST(an_old_sessions_id_never_reaches_a_new_one),
	   UNIT_TEST(a_key_has_up_to_four_subscribers_and_the_fifth_replaces_the_oldest),
	   UNIT_TEST(subscriptions_of_dead_sessions_make_room),
	   UNIT_TEST(a_long_or_split_message_of_a_client_is_dropped))
