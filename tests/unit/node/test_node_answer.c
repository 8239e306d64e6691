/* node_answer: each answer goes where its asker is, and a full ring is counted. */
#define _GNU_SOURCE
#include "node/node_answer.h"

#include <string.h>

#include "base/err.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_message.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/node/node_fixture.h"
#include "wire/wire_client.h"

static const uint64_t session = 77;
static const uint64_t local_origin = NODE_ORIGIN_LOCAL | 5 << 16 | 3;
static const struct crypto_public_key client = { .b = { 1, 2, 3 } };

static _Atomic uint32_t open_count;
static struct node_answer answer;
static struct wire_client_message message;

static void set_up(uint32_t local_programs)
{
	if (!answer.net)
		answer = (struct node_answer){ .net = node_fixture_ring(),
					       .local = node_fixture_ring(),
					       .local_open = &open_count };
	node_fixture_drain(answer.net);
	node_fixture_drain(answer.local);
	answer.dropped = 0;
	answer.local_sent = 0;
	open_count = local_programs;
}

/* The oldest message of a ring, `before` bytes left out, decoded; its header. */
static const struct dp_ring_header *take(struct dp_ring *ring, uint32_t before)
{
	static struct dp_ring_header copy;
	const struct dp_ring_header *header;
	const uint8_t *bytes = dp_ring_peek(ring, &header);

	UNIT_REQUIRE(bytes != NULL && header->bytes > before);
	copy = *header;
	UNIT_REQUIRE(wire_client_decode(bytes + before, header->bytes - before, &message) == 0);
	dp_ring_release(ring);
	return &copy;
}

static struct replica_receipt receipt(void)
{
	return (struct replica_receipt){
		.client = client, .first_seq = 9, .count = 2, .ordered_map = { 3 }, .height = 4
	};
}

static void a_refusal_goes_to_the_network_session_it_came_by(void)
{
	const struct dp_ring_header *header;

	set_up(1);
	node_answer_refusal(&answer, session, &client, 9, ERR_AHEAD, 4096);
	header = take(answer.net, 0);
	UNIT_EQUAL(header->kind, DP_NET_SEND_CLIENT);
	UNIT_EQUAL(header->aux, session);
	UNIT_EQUAL(message.kind, WIRE_CLIENT_REFUSAL);
	UNIT_EQUAL(message.u.refusal.first_seq, 9);
	UNIT_CHECK(message.u.refusal.reason == ERR_AHEAD);
	UNIT_EQUAL(message.u.refusal.limit, 4096);
	UNIT_EQUAL(node_fixture_drain(answer.local), 0);
}

static void a_refusal_goes_to_the_local_connection_it_came_by(void)
{
	const struct dp_ring_header *header;

	set_up(1);
	node_answer_refusal(&answer, local_origin, &client, 9, ERR_EXPIRED, 0);
	header = take(answer.local, 0);
	UNIT_EQUAL(header->kind, NODE_MESSAGE_LOCAL);
	UNIT_EQUAL(header->aux, local_origin);
	UNIT_CHECK(message.u.refusal.reason == ERR_EXPIRED);
	UNIT_EQUAL(answer.local_sent, 1);
	UNIT_EQUAL(node_fixture_drain(answer.net), 0);
}

static void a_receipt_goes_to_the_key_on_the_network_and_here(void)
{
	struct replica_receipt given = receipt();
	const struct dp_ring_header *header;

	set_up(1);
	node_answer_receipt(&answer, &given);
	header = take(answer.net, sizeof(client));
	UNIT_EQUAL(header->kind, DP_NET_SEND_KEY);
	UNIT_EQUAL(message.kind, WIRE_CLIENT_RECEIPT);
	UNIT_EQUAL(message.u.receipt.height, 4);
	UNIT_EQUAL(message.u.receipt.ordered_map[0], 3);
	header = take(answer.local, sizeof(client));
	UNIT_EQUAL(header->kind, NODE_MESSAGE_LOCAL_SUBSCRIBERS);
	UNIT_EQUAL(message.u.receipt.count, 2);
	UNIT_EQUAL(answer.local_sent, 1);
}

static void the_client_key_stands_before_a_receipt(void)
{
	struct replica_receipt given = receipt();
	const struct dp_ring_header *header;
	const uint8_t *bytes;

	set_up(1);
	node_answer_receipt(&answer, &given);
	bytes = dp_ring_peek(answer.net, &header);
	UNIT_CHECK(bytes && memcmp(bytes, &client, sizeof(client)) == 0);
	bytes = dp_ring_peek(answer.local, &header);
	UNIT_CHECK(bytes && memcmp(bytes, &client, sizeof(client)) == 0);
}

static void nobody_connected_is_told_nothing(void)
{
	struct replica_receipt given = receipt();

	set_up(0);
	UNIT_CHECK(!node_answer_is_heard(&answer));
	node_answer_receipt(&answer, &given);
	node_answer_refusal(&answer, local_origin, &client, 9, ERR_FULL, 0);
	UNIT_EQUAL(node_fixture_drain(answer.local), 0);
	UNIT_EQUAL(node_fixture_drain(answer.net), 1);
	UNIT_EQUAL(answer.dropped, 0);
	open_count = 1;
	UNIT_CHECK(node_answer_is_heard(&answer));
}

static void a_node_without_ingress_answers_the_network_only(void)
{
	struct replica_receipt given = receipt();
	struct node_answer without;

	set_up(1);
	without = (struct node_answer){ .net = answer.net };
	node_answer_receipt(&without, &given);
	UNIT_CHECK(!node_answer_is_heard(&without));
	UNIT_EQUAL(without.dropped, 0);
	UNIT_EQUAL(node_fixture_drain(answer.net), 1);
}

static void a_full_ring_drops_and_counts(void)
{
	struct replica_receipt given = receipt();

	set_up(1);
	node_fixture_fill(answer.net);
	node_answer_receipt(&answer, &given);
	UNIT_EQUAL(answer.dropped, 1);
	UNIT_EQUAL(answer.local_sent, 1); /* the other way still works */
	node_answer_refusal(&answer, session, &client, 9, ERR_FULL, 0);
	UNIT_EQUAL(answer.dropped, 2);
	node_answer_subscribe(&answer, session, &client);
	node_answer_charge(&answer, session, 1);
	UNIT_EQUAL(answer.dropped, 4);
	node_fixture_fill(answer.local);
	node_answer_refusal(&answer, local_origin, &client, 9, ERR_FULL, 0);
	UNIT_EQUAL(answer.dropped, 5);
	UNIT_EQUAL(answer.local_sent, 1);
}

static void only_network_clients_are_subscribed_and_charged_by_the_net_tile(void)
{
	const struct dp_ring_header *header;

	set_up(1);
	node_answer_subscribe(&answer, local_origin, &client);
	node_answer_charge(&answer, local_origin, 1);
	UNIT_EQUAL(node_fixture_drain(answer.net), 0);
	node_answer_subscribe(&answer, session, &client);
	node_answer_charge(&answer, session, 3);
	UNIT_REQUIRE(dp_ring_peek(answer.net, &header) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SUBSCRIBE);
	UNIT_EQUAL(header->aux, session);
	dp_ring_release(answer.net);
	UNIT_REQUIRE(dp_ring_peek(answer.net, &header) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_CHARGE);
	UNIT_EQUAL(header->source, 3);
}

UNIT_SUITE("node_answer", UNIT_TEST(a_refusal_goes_to_the_network_session_it_came_by),
	   UNIT_TEST(a_refusal_goes_to_the_local_connection_it_came_by),
	   UNIT_TEST(a_receipt_goes_to_the_key_on_the_network_and_here),
	   UNIT_TEST(the_client_key_stands_before_a_receipt),
	   UNIT_TEST(nobody_connected_is_told_nothing),
	   UNIT_TEST(a_node_without_ingress_answers_the_network_only),
	   UNIT_TEST(a_full_ring_drops_and_counts),
	   UNIT_TEST(only_network_clients_are_subscribed_and_charged_by_the_net_tile))
