#include "base/err.h"
#include "client/quorate.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"
#include "wire/wire_client.h"

static struct wire_world world;
static struct qr_key *key;
static struct qr_client *client;
static uint64_t now_ns;

static void client_make(uint32_t nodes, uint32_t needed, uint32_t window)
{
	uint8_t seed[32] = { 9 };
	struct qr_client_config config = {
		.node_count = nodes, .receipts_needed = needed, .window = window, .height = 50
	};

	wire_world_init(&world, 4);
	qr_client_close(client);
	qr_key_close(key);
	ensure(qr_key_from_seed(seed, &key) == 0);
	config.key = key;
	memcpy(config.chain_id, world.validators.chain_id.b, 32);
	ensure(qr_client_open(&config, &client) == 0);
	now_ns = 1000;
}

static uint32_t submit(uint32_t count, size_t bytes)
{
	static uint8_t filling[QR_PAYLOAD_BYTES_MAX];
	struct qr_payload payload[200];
	uint64_t first;

	for (uint32_t i = 0; i < count; i++)
		payload[i] = (struct qr_payload){ filling, bytes };
	int taken = qr_client_submit(client, payload, count, &first);

	return taken < 0 ? 0 : (uint32_t)taken;
}

struct sent {
	uint32_t frames[4]; /* SUBMITs by node */
	uint32_t subscribes[4];
	uint32_t count; /* SUBMITs */
	uint64_t first_seq[64];
	uint32_t node[64];
};

static void drain(struct sent *sent)
{
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	struct wire_client_message message;
	struct wire_frame frame;
	uint32_t node;
	int count;

	memset(sent, 0, sizeof(*sent));
	while ((count = qr_client_output(client, now_ns, &node, bytes)) > 0) {
		UNIT_REQUIRE(wire_client_decode(bytes, (size_t)count, &message) == 0);
		if (message.kind == WIRE_CLIENT_SUBSCRIBE) {
			sent->subscribes[node]++;
			continue;
		}
		UNIT_REQUIRE(message.kind == WIRE_CLIENT_SUBMIT);
		UNIT_REQUIRE(wire_frame_parse(message.u.submit.frame, message.u.submit.frame_bytes,
					      &frame) == 0);
		UNIT_REQUIRE(sent->count < 64);
		sent->first_seq[sent->count] = frame.first_seq;
		sent->node[sent->count++] = node;
		sent->frames[node]++;
	}
}

static int say(uint32_t node, const struct wire_client_message *message)
{
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	int count = wire_client_encode(message, bytes, sizeof(bytes));

	ensure(count > 0);
	return qr_client_input(client, node, bytes, (size_t)count, now_ns);
}

static void receipt(uint32_t node, uint64_t first, uint32_t count, uint64_t map, uint64_t height)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_RECEIPT,
		.u.receipt = { .first_seq = first,
			       .count = count,
			       .ordered_map = { map },
			       .height = height,
			       .first_index = 10 },
	};

	qr_key_public(key, message.u.receipt.client.b);
	UNIT_EQUAL(say(node, &message), 1);
}

static void refuse(uint32_t node, uint64_t first, int reason)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_REFUSAL,
		.u.refusal = { .first_seq = first, .reason = reason, .limit = 5 },
	};

	qr_key_public(key, message.u.refusal.client.b);
	UNIT_EQUAL(say(node, &message), 1);
}

static void all_up(uint32_t nodes)
{
	for (uint32_t i = 0; i < nodes; i++)
		qr_client_node(client, i, true);
}

static void nothing_is_sent_while_no_node_is_up(void)
{
	struct sent sent;

	client_make(4, 2, 0);
	UNIT_EQUAL(submit(3, 100), 3);
	drain(&sent);
	UNIT_EQUAL(sent.count, 0);
	UNIT_CHECK(qr_client_deadline_ns(client) == UINT64_MAX);
	all_up(4);
	UNIT_EQUAL(qr_client_deadline_ns(client), 0);
	drain(&sent);
	UNIT_EQUAL(sent.count, 1);
	for (int i = 0; i < 4; i++)
		UNIT_EQUAL(sent.subscribes[i], 1);
}

static void result_needs_enough_equal_receipts(void)
{
	struct qr_event event;
	struct sent sent;

	client_make(4, 2, 0);
	all_up(4);
	UNIT_EQUAL(submit(3, 100), 3);
	drain(&sent);
	receipt(0, 1, 3, 7, 60);
	receipt(0, 1, 3, 7, 60); /* the same node again counts once */
	UNIT_CHECK(!qr_client_event(client, &event));
	receipt(1, 1, 3, 7, 61); /* another height */
	receipt(2, 1, 3, 3, 60); /* other numbers */
	UNIT_CHECK(!qr_client_event(client, &event));
	receipt(3, 1, 3, 7, 60);
	UNIT_REQUIRE(qr_client_event(client, &event));
	UNIT_EQUAL(event.kind, QR_EVENT_FINAL);
	UNIT_EQUAL(event.first_seq, 1);
	UNIT_EQUAL(event.count, 3);
	UNIT_EQUAL(event.ordered[0], 7);
	UNIT_EQUAL(event.height, 60);
	UNIT_EQUAL(event.first_index, 10);
	UNIT_EQUAL(qr_client_outstanding(client), 0);
	receipt(1, 1, 3, 7, 60); /* late */
	UNIT_CHECK(!qr_client_event(client, &event));
}

static void changing_ones_mind_takes_the_old_word_back(void)
{
	struct qr_event event;
	struct sent sent;

	client_make(4, 2, 0);
	all_up(4);
	submit(1, 10);
	drain(&sent);
	for (uint64_t height = 1; height < 100; height++)
		receipt(0, 1, 1, 1, height); /* one liar crowds out nobody */
	receipt(1, 1, 1, 1, 200);
	receipt(2, 1, 1, 1, 99);
	UNIT_REQUIRE(qr_client_event(client, &event)); /* 0 and 2 agree on 99 */
	UNIT_EQUAL(event.height, 99);
}

static void parts_of_a_frame_settle_once_each(void)
{
	struct qr_event event;
	struct sent sent;

	client_make(1, 1, 0);
	all_up(1);
	UNIT_EQUAL(submit(6, 10), 6);
	drain(&sent);
	UNIT_EQUAL(sent.count, 1);
	receipt(0, 3, 2, 3, 60);
	UNIT_REQUIRE(qr_client_event(client, &event));
	UNIT_EQUAL(event.first_seq, 3);
	UNIT_EQUAL(qr_client_outstanding(client), 4);
	receipt(0, 1, 6, 0x3f, 61);
	UNIT_REQUIRE(qr_client_event(client, &event));
	UNIT_EQUAL(event.first_seq, 1);
	UNIT_EQUAL(event.count, 2);
	UNIT_EQUAL(event.first_index, 10);
	UNIT_REQUIRE(qr_client_event(client, &event));
	UNIT_EQUAL(event.first_seq, 5);
	UNIT_EQUAL(event.count, 2);
	UNIT_EQUAL(event.ordered[0], 3);
	UNIT_EQUAL(event.first_index, 14);
	UNIT_EQUAL(qr_client_outstanding(client), 0);
}

static void unanswered_frames_go_to_the_next_node(void)
{
	struct sent first;
	struct sent second;

	client_make(4, 2, 0);
	all_up(4);
	submit(1, 10);
	drain(&first);
	UNIT_EQUAL(first.count, 1);
	drain(&second);
	UNIT_EQUAL(second.count, 0);
	UNIT_CHECK(qr_client_deadline_ns(client) > now_ns);
	now_ns = qr_client_deadline_ns(client);
	drain(&second);
	UNIT_EQUAL(second.count, 1);
	UNIT_EQUAL(second.node[0], (first.node[0] + 1) % 4);
	qr_client_node(client, (first.node[0] + 2) % 4, false);
	now_ns = qr_client_deadline_ns(client);
	drain(&second);
	UNIT_EQUAL(second.count, 1);
	UNIT_CHECK(second.node[0] != (first.node[0] + 2) % 4);
}

static void passing_refusals_are_tried_again(void)
{
	struct qr_event event;
	struct sent sent;

	client_make(4, 1, 0);
	all_up(4);
	submit(1, 10);
	drain(&sent);
	refuse(sent.node[0], 1, ERR_FULL);
	UNIT_CHECK(!qr_client_event(client, &event));
	now_ns = qr_client_deadline_ns(client);
	drain(&sent);
	UNIT_EQUAL(sent.count, 1);
}

static void lasting_refusals_need_as_many_words_as_results(void)
{
	struct qr_event event;
	struct sent sent;

	client_make(4, 2, 0);
	all_up(4);
	submit(2, 10);
	drain(&sent);
	refuse(1, 1, ERR_UNKNOWN_CLIENT);
	refuse(1, 1, ERR_UNKNOWN_CLIENT);
	UNIT_CHECK(!qr_client_event(client, &event));
	drain(&sent);
	UNIT_EQUAL(sent.count, 1); /* at once to another */
	refuse(2, 1, ERR_UNKNOWN_CLIENT);
	UNIT_REQUIRE(qr_client_event(client, &event));
	UNIT_EQUAL(event.kind, QR_EVENT_REFUSED);
	UNIT_EQUAL(event.count, 2);
	UNIT_CHECK(event.reason == QR_ERROR_UNKNOWN_CLIENT);
	UNIT_EQUAL(event.limit, 5);
	UNIT_EQUAL(qr_client_outstanding(client), 0);
}

static void window_bounds_what_is_outstanding(void)
{
	struct qr_event event;
	struct sent sent;
	uint64_t first;
	struct qr_payload one = { "x", 1 };

	client_make(1, 1, 16);
	all_up(1);
	UNIT_EQUAL(submit(40, 600), 16);
	UNIT_EQUAL(qr_client_outstanding(client), 16);
	UNIT_CHECK(qr_client_submit(client, &one, 1, &first) == QR_ERROR_AHEAD);
	drain(&sent);
	UNIT_EQUAL(sent.first_seq[1], 3); /* two of 600 bytes a frame */
	receipt(0, 3, 2, 3, 60);
	UNIT_CHECK(qr_client_submit(client, &one, 1, &first) == QR_ERROR_AHEAD); /* 1 is missing */
	receipt(0, 1, 2, 3, 61);
	UNIT_EQUAL(submit(40, 1), 4);
	UNIT_EQUAL(qr_client_next_seq(client), 21);
	while (qr_client_event(client, &event))
		UNIT_EQUAL(event.count, 2);
}

static void foreign_and_damaged_messages_are_not_ours(void)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_RECEIPT,
		.u.receipt = { .first_seq = 1, .count = 1, .ordered_map = { 1 } },
	};
	struct qr_event event;
	struct sent sent;

	client_make(2, 1, 0);
	all_up(2);
	submit(1, 10);
	drain(&sent);
	UNIT_EQUAL(say(0, &message), 0); /* another key */
	qr_key_public(key, message.u.receipt.client.b);
	UNIT_EQUAL(say(2, &message), 0); /* no such node */
	UNIT_EQUAL(qr_client_input(client, 0, "\x20", 1, now_ns), 0);
	message.u.receipt.count = 2; /* more than the frame has */
	UNIT_EQUAL(say(0, &message), 1);
	message.u.receipt.first_seq = 900;
	UNIT_EQUAL(say(0, &message), 1);
	UNIT_CHECK(!qr_client_event(client, &event));
}

static void many_frames_in_any_order_all_settle(void)
{
	static uint8_t reported[5000];
	struct prng prng;
	struct qr_event event;
	struct sent sent;
	uint32_t settled = 0;

	client_make(4, 2, 64);
	all_up(4);
	prng_seed(&prng, unit_seed());
	memset(reported, 0, sizeof(reported));
	for (uint32_t round = 0; settled < 3000 && round < 20000; round++) {
		size_t bytes = 200 + prng_below(&prng, 400);

		submit(1 + (uint32_t)prng_below(&prng, 7), bytes);
		drain(&sent);
		for (uint32_t i = 0; i < sent.count; i++) {
			/* a receipt for the whole frame needs its count: ask for its first only */
			uint32_t lost = (uint32_t)prng_below(&prng, 4);

			for (uint32_t node = 0; node < 4; node++)
				if (node != lost)
					receipt(node, sent.first_seq[i], 1, 1, 60);
		}
		while (qr_client_event(client, &event))
			for (uint32_t i = 0; i < event.count; i++) {
				UNIT_EQUAL(reported[event.first_seq + i], 0);
				reported[event.first_seq + i] = 1;
				settled++;
			}
		now_ns += 100000000;
		for (uint64_t at = 1; at < qr_client_next_seq(client); at++)
			if (!reported[at] && prng_below(&prng, 3) == 0)
				for (uint32_t node = 1; node < 3; node++)
					receipt(node, at, 1, 1, 60);
	}
	UNIT_CHECK(settled >= 3000);
}

UNIT_SUITE("qr_client", UNIT_TEST(nothing_is_sent_while_no_node_is_up),
	   UNIT_TEST(result_needs_enough_equal_receipts),
	   UNIT_TEST(changing_ones_mind_takes_the_old_word_back),
	   UNIT_TEST(parts_of_a_frame_settle_once_each),
	   UNIT_TEST(unanswered_frames_go_to_the_next_node),
	   UNIT_TEST(passing_refusals_are_tried_again),
	   UNIT_TEST(lasting_refusals_need_as_many_words_as_results),
	   UNIT_TEST(window_bounds_what_is_outstanding),
	   UNIT_TEST(foreign_and_damaged_messages_are_not_ours),
	   UNIT_TEST(many_frames_in_any_order_all_settle))
