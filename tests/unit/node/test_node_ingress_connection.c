/* node_ingress_connection: what the socket does not take waits, in order and within a bound. */
#define _GNU_SOURCE
#include "node/node_ingress_connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "node/node_message.h"
#include "tests/lib/unit_main.h"

static struct node_connection connection;
static int other; /* the program's end */

static void begin(void)
{
	int pair[2];

	UNIT_REQUIRE(node_connection_init(&connection, 3) == 0);
	UNIT_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	node_connection_open(&connection, pair[0]);
	other = pair[1];
}

static void end(void)
{
	if (other >= 0)
		close(other);
	node_connection_fini(&connection);
}

/* Reads one packet that must begin with this number. */
static bool is_next(uint32_t number)
{
	uint32_t packet[256];

	return recv(other, packet, sizeof(packet), MSG_DONTWAIT) == (ssize_t)sizeof(packet) &&
	       packet[0] == number;
}

static bool send_number(uint32_t number)
{
	uint32_t packet[256] = { number };

	return node_connection_send(&connection, packet, sizeof(packet));
}

static void a_message_goes_out_at_once_as_one_packet(void)
{
	begin();
	UNIT_CHECK(send_number(1) && send_number(2));
	UNIT_CHECK(!connection.wants_write);
	UNIT_CHECK(is_next(1) && is_next(2));
	end();
}

static void a_slow_reader_gets_everything_in_order_and_once(void)
{
	uint32_t sent = 0;
	uint32_t seen = 0;

	begin();
	while (!connection.wants_write)
		UNIT_REQUIRE(send_number(sent++));
	for (int i = 0; i < 20; i++)
		UNIT_REQUIRE(send_number(sent++));
	while (seen < sent) {
		while (is_next(seen))
			seen++;
		UNIT_REQUIRE(node_connection_flush(&connection));
	}
	UNIT_EQUAL(seen, sent);
	UNIT_CHECK(!connection.wants_write);
	UNIT_EQUAL(connection.dropped, 0);
	end();
}

static void a_full_queue_refuses_and_counts(void)
{
	begin();
	while (node_connection_has_room(&connection))
		UNIT_REQUIRE(send_number(0));
	while (send_number(0))
		continue;
	UNIT_EQUAL(connection.dropped, 1);
	UNIT_CHECK(dp_ring_backlog_bytes(connection.queue) <= NODE_INGRESS_QUEUE_BYTES);
	end();
}

static void a_reader_that_is_gone_ends_the_flush(void)
{
	begin();
	while (!connection.wants_write)
		UNIT_REQUIRE(send_number(0));
	close(other);
	other = -1;
	UNIT_CHECK(!node_connection_flush(&connection));
	end();
}

static void nothing_of_one_program_reaches_the_next(void)
{
	uint64_t origin;
	int pair[2];

	begin();
	origin = node_connection_origin(&connection);
	UNIT_CHECK(origin & NODE_ORIGIN_LOCAL);
	UNIT_EQUAL(origin & 0xffff, 3);
	node_connection_subscribe(&connection, &(struct crypto_public_key){ { 1 } });
	while (!connection.wants_write)
		UNIT_REQUIRE(send_number(0));
	close(other);
	node_connection_close(&connection);
	UNIT_CHECK(!send_number(0));
	UNIT_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	node_connection_open(&connection, pair[0]);
	other = pair[1];
	UNIT_CHECK(node_connection_origin(&connection) != origin);
	UNIT_CHECK(
		!node_connection_is_subscribed(&connection, &(struct crypto_public_key){ { 1 } }));
	UNIT_EQUAL(dp_ring_backlog_bytes(connection.queue), 0);
	UNIT_CHECK(send_number(9) && is_next(9));
	end();
}

static void the_oldest_subscription_gives_way(void)
{
	struct crypto_public_key key = { { 0 } };

	begin();
	for (uint32_t i = 0; i <= NODE_INGRESS_KEYS_MAX; i++) {
		memcpy(key.b, &i, sizeof(i));
		node_connection_subscribe(&connection, &key);
		node_connection_subscribe(&connection, &key); /* twice is once */
	}
	UNIT_CHECK(node_connection_is_subscribed(&connection, &key));
	memset(&key, 0, sizeof(key));
	UNIT_CHECK(!node_connection_is_subscribed(&connection, &key));
	key.b[0] = 1;
	UNIT_CHECK(node_connection_is_subscribed(&connection, &key));
	end();
}

static void a_program_that_sends_too_fast_waits_for_its_budget(void)
{
	uint32_t taken = 0;

	begin();
	while (node_connection_may_submit(&connection, 7000, 10) && taken < 100)
		taken++;
	UNIT_EQUAL(taken, 10);
	UNIT_CHECK(!node_connection_may_submit(&connection, 7000 + 99999999, 10));
	UNIT_CHECK(node_connection_may_submit(&connection, 7000 + 100000000, 10));
	UNIT_CHECK(!node_connection_may_submit(&connection, 7000 + 100000001, 10));
	UNIT_CHECK(node_connection_may_submit(&connection, 7000 + 100000001, 0));
	end();
}

static void an_error_is_said_as_a_message(void)
{
	struct wire_client_message message;
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	ssize_t count;

	begin();
	node_connection_error(&connection, 8, ERR_NOT_FOUND, "not there");
	count = recv(other, bytes, sizeof(bytes), MSG_DONTWAIT);
	UNIT_REQUIRE(count > 0 && wire_client_decode(bytes, (size_t)count, &message) == 0);
	UNIT_EQUAL(message.kind, WIRE_CLIENT_ERROR);
	UNIT_EQUAL(message.request, 8);
	UNIT_EQUAL((uint32_t)message.u.error.code, (uint32_t)ERR_NOT_FOUND);
	UNIT_EQUAL(message.u.error.text_bytes, strlen("not there"));
	end();
}

UNIT_SUITE("node_ingress_connection", UNIT_TEST(a_program_that_sends_too_fast_waits_for_its_budget),
	   UNIT_TEST(a_message_goes_out_at_once_as_one_packet),
	   UNIT_TEST(a_slow_reader_gets_everything_in_order_and_once),
	   UNIT_TEST(a_full_queue_refuses_and_counts),
	   UNIT_TEST(a_reader_that_is_gone_ends_the_flush),
	   UNIT_TEST(nothing_of_one_program_reaches_the_next),
	   UNIT_TEST(the_oldest_subscription_gives_way), UNIT_TEST(an_error_is_said_as_a_message))
