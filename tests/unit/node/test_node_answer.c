/* node_answer: an answer goes to who asked, by the way he came; a full ring is counted. */
#define _GNU_SOURCE
#include "node/node_answer.h"

#include <string.h>

#include "base/err.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_message.h"
#include "tests/unit/node/node_fixture.h"
#include "wire/wire_client.h"

static const struct crypto_public_key client = { { 5, 6, 7 } };
static _Atomic uint32_t open_count;
static struct node_answer answer;

static void begin(uint32_t connections)
{
	open_count = connections;
	answer = (struct node_answer){ .net = fixture_ring(),
				       .local = fixture_ring(),
				       .local_open = &open_count };
}

static void end(void)
{
	free(answer.net);
	free(answer.local);
}

static void a_network_clients_refusal_goes_to_its_session(void)
{
	struct wire_client_message message;
	const struct dp_ring_header *header;
	const uint8_t *bytes;

	begin(1);
	node_answer_refusal(&answer, 77, &client, 9, ERR_AHEAD, 4096);
	UNIT_REQUIRE((bytes = dp_ring_peek(answer.net, &header)) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SEND_CLIENT);
	UNIT_EQUAL(header->aux, 77);
	UNIT_REQUIRE(wire_client_decode(bytes, header->bytes, &message) == 0);
	UNIT_EQUAL(message.kind, WIRE_CLIENT_REFUSAL);
	UNIT_EQUAL((uint32_t)message.u.refusal.reason, (uint32_t)ERR_AHEAD);
	UNIT_EQUAL(message.u.refusal.limit, 4096);
	UNIT_EQUAL(message.u.refusal.first_seq, 9);
	UNIT_CHECK(memcmp(&message.u.refusal.client, &client, sizeof(client)) == 0);
	UNIT_EQUAL(fixture_ring_drain(answer.local), 0);
	end();
}

static void a_local_programs_refusal_goes_to_its_connection(void)
{
	const struct dp_ring_header *header;

	begin(1);
	node_answer_refusal(&answer, NODE_ORIGIN_LOCAL | 5, &client, 9, ERR_FULL, 0);
	UNIT_REQUIRE(dp_ring_peek(answer.local, &header) != NULL);
	UNIT_EQUAL(header->kind, NODE_MESSAGE_LOCAL);
	UNIT_EQUAL(header->aux, NODE_ORIGIN_LOCAL | 5);
	UNIT_EQUAL(answer.local_sent, 1);
	UNIT_EQUAL(fixture_ring_drain(answer.net), 0);
	end();
}

static void a_receipt_goes_to_all_subscribers_here_and_on_the_network(void)
{
	const struct replica_receipt receipt = { .client = client,
						 .first_seq = 3,
						 .count = 2,
						 .ordered_map = { 2 },
						 .height = 8,
						 .first_index = 1,
						 .block_id = { { 9 } } };
	struct wire_client_message message;
	const struct dp_ring_header *header;
	const uint8_t *bytes;

	begin(1);
	node_answer_receipt(&answer, &receipt);
	UNIT_REQUIRE((bytes = dp_ring_peek(answer.local, &header)) != NULL);
	UNIT_EQUAL(header->kind, NODE_MESSAGE_LOCAL_SUBSCRIBERS);
	UNIT_CHECK(memcmp(bytes, &client, sizeof(client)) == 0);
	UNIT_REQUIRE(wire_client_decode(bytes + sizeof(client), header->bytes - sizeof(client),
					&message) == 0);
	UNIT_EQUAL(message.kind, WIRE_CLIENT_RECEIPT);
	UNIT_EQUAL(message.request, 0);
	UNIT_REQUIRE((bytes = dp_ring_peek(answer.net, &header)) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SEND_KEY);
	UNIT_CHECK(memcmp(bytes, &client, sizeof(client)) == 0);
	UNIT_REQUIRE(wire_client_decode(bytes + sizeof(client), header->bytes - sizeof(client),
					&message) == 0);
	UNIT_EQUAL(message.u.receipt.first_seq, 3);
	UNIT_EQUAL(message.u.receipt.count, 2);
	UNIT_EQUAL(message.u.receipt.ordered_map[0], 2);
	UNIT_EQUAL(message.u.receipt.height, 8);
	UNIT_EQUAL(message.u.receipt.first_index, 1);
	end();
}

static void nobody_connected_is_told_nothing(void)
{
	const struct replica_receipt receipt = { .client = client, .count = 1 };

	begin(0);
	UNIT_CHECK(!node_answer_is_heard(&answer));
	node_answer_receipt(&answer, &receipt);
	node_answer_refusal(&answer, NODE_ORIGIN_LOCAL, &client, 1, ERR_FULL, 0);
	UNIT_EQUAL(fixture_ring_drain(answer.local), 0);
	UNIT_EQUAL(answer.local_sent, 0);
	UNIT_EQUAL(answer.dropped, 0);
	free(answer.local);
	answer.local = NULL;
	UNIT_CHECK(!node_answer_is_heard(&answer));
	end();
}

static void full_rings_drop_and_count(void)
{
	const struct replica_receipt receipt = { .client = client, .count = 1 };

	begin(1);
	fixture_ring_fill(answer.net);
	fixture_ring_fill(answer.local);
	node_answer_refusal(&answer, 1, &client, 1, ERR_FULL, 0);
	node_answer_refusal(&answer, NODE_ORIGIN_LOCAL, &client, 1, ERR_FULL, 0);
	UNIT_EQUAL(answer.dropped, 2);
	node_answer_receipt(&answer, &receipt);
	UNIT_EQUAL(answer.dropped, 4);
	node_answer_subscribe(&answer, 1, &client);
	node_answer_charge(&answer, 1, 1);
	UNIT_EQUAL(answer.dropped, 6);
	UNIT_EQUAL(answer.local_sent, 0);
	end();
}

static void only_network_clients_are_subscribed_and_charged_in_the_net_tile(void)
{
	const struct dp_ring_header *header;

	begin(1);
	node_answer_subscribe(&answer, NODE_ORIGIN_LOCAL | 1, &client);
	node_answer_charge(&answer, NODE_ORIGIN_LOCAL | 1, 3);
	UNIT_EQUAL(fixture_ring_drain(answer.net), 0);
	node_answer_subscribe(&answer, 4, &client);
	UNIT_REQUIRE(dp_ring_peek(answer.net, &header) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SUBSCRIBE);
	UNIT_EQUAL(header->aux, 4);
	dp_ring_release(answer.net);
	node_answer_charge(&answer, 4, 3);
	UNIT_REQUIRE(dp_ring_peek(answer.net, &header) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_CHARGE);
	UNIT_EQUAL(header->tag, 0);
	UNIT_EQUAL(header->source, 3);
	end();
}

UNIT_SUITE("node_answer", UNIT_TEST(a_network_clients_refusal_goes_to_its_session),
	   UNIT_TEST(a_local_programs_refusal_goes_to_its_connection),
	   UNIT_TEST(a_receipt_goes_to_all_subscribers_here_and_on_the_network),
	   UNIT_TEST(nobody_connected_is_told_nothing), UNIT_TEST(full_rings_drop_and_count),
	   UNIT_TEST(only_network_clients_are_subscribed_and_charged_in_the_net_tile))
