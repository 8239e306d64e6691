#include "base/err.h"
#include "client/quorate.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"
#include "wire/wire_session.h"

static struct wire_world world;
static struct wire_party node;
static struct wire_responder responder;
static struct wire_session at_node;

static struct qr_session *session_make(uint32_t number)
{
	struct wire_responder_config config = { .me = &node, .takes_clients = true };
	struct qr_session *session;

	wire_world_init(&world, 4);
	node = (struct wire_party){ .role = WIRE_ROLE_PEER,
				    .chain_id = world.validators.chain_id,
				    .set_hash = world.validators.set_hash,
				    .epoch = 1,
				    .ciphers = wire_ciphers_usable(),
				    .secret = world.exchange[2],
				    .public_key = world.genesis.member[2].exchange_key };
	wire_responder_init(&responder, &config);
	ensure(qr_session_open(world.genesis_bytes, world.genesis_byte_count, number, &session) ==
	       0);
	return session;
}

/* Passes one handshake packet to the node and its answer back; the node's step. */
static enum wire_step exchange(struct qr_session *session, uint64_t now_ns)
{
	uint8_t packet[QR_PACKET_BYTES_MAX];
	uint8_t message[QR_MESSAGE_BYTES_MAX];
	struct wire_answer answer;
	struct wire_chance chance;
	int count = qr_session_output(session, now_ns, packet);

	ensure(count > 0);
	crypto_random(&chance, sizeof(chance));
	enum wire_step step = wire_responder_input(&responder, "src", 3, packet, (size_t)count,
						   &chance, &answer, &at_node);

	if (answer.count > 0)
		UNIT_EQUAL(qr_session_input(session, answer.bytes, answer.count, now_ns, message),
			   0);
	return step;
}

static void session_stands_and_carries_messages(void)
{
	uint8_t packet[QR_PACKET_BYTES_MAX];
	uint8_t message[QR_MESSAGE_BYTES_MAX];
	uint8_t plain[WIRE_SINGLE_BYTES_MAX];
	struct qr_session *session = session_make(2);
	struct wire_piece piece;
	int count;

	UNIT_CHECK(qr_session_seal(session, "early", 5, packet) == QR_ERROR_FULL);
	UNIT_EQUAL(exchange(session, 1000), WIRE_STEP_SEND);
	UNIT_EQUAL(exchange(session, 1000), WIRE_STEP_DONE); /* at once: the cookie came */
	UNIT_CHECK(qr_session_is_up(session));
	count = qr_session_output(session, 1000, packet); /* an empty packet confirms */
	UNIT_REQUIRE(count > 0);
	UNIT_EQUAL(wire_session_open(&at_node, packet, (size_t)count, plain, &piece), 0);
	UNIT_CHECK(at_node.is_confirmed);
	UNIT_EQUAL(qr_session_output(session, 1000, packet), 0);
	UNIT_CHECK(qr_session_deadline_ns(session) == UINT64_MAX);
	count = qr_session_seal(session, "a message", 9, packet);
	UNIT_REQUIRE(count > 0);
	UNIT_EQUAL(wire_session_open(&at_node, packet, (size_t)count, plain, &piece), 0);
	UNIT_EQUAL(piece.byte_count, 9);
	wire_piece_of("an answer", 9, 0, WIRE_STREAM_CLIENT, 0, &piece);
	count = wire_session_seal(&at_node, &piece, packet, sizeof(packet));
	UNIT_EQUAL(qr_session_input(session, packet, (size_t)count, 2000, message), 9);
	UNIT_CHECK(memcmp(message, "an answer", 9) == 0);
	UNIT_EQUAL(qr_session_input(session, packet, (size_t)count, 2000, message), 0); /* replay */
	qr_session_close(session);
}

static void silence_is_answered_by_patience(void)
{
	uint8_t packet[QR_PACKET_BYTES_MAX];
	struct qr_session *session = session_make(2);
	uint64_t now_ns = 1000;
	uint64_t last_wait_ns = 0;

	for (int i = 0; i < 10; i++) {
		UNIT_CHECK(qr_session_output(session, now_ns, packet) > 0);
		UNIT_EQUAL(qr_session_output(session, now_ns, packet), 0);
		uint64_t wait_ns = qr_session_deadline_ns(session) - now_ns;

		UNIT_CHECK(wait_ns >= last_wait_ns && wait_ns <= 1000000000);
		last_wait_ns = wait_ns;
		now_ns += wait_ns;
	}
	qr_session_close(session);
}

static void wrong_node_and_wrong_chain_do_not_pass(void)
{
	struct qr_session *session = session_make(1); /* expects member 1, finds member 2 */

	exchange(session, 1000);
	UNIT_EQUAL(exchange(session, 1000), WIRE_STEP_IGNORED);
	UNIT_CHECK(!qr_session_is_up(session));
	UNIT_CHECK(!qr_session_refusal(session));
	qr_session_close(session);
	session = session_make(2);
	node.chain_id.b[0] ^= 1;
	exchange(session, 1000);
	UNIT_CHECK(qr_session_refusal(session) != NULL);
	qr_session_close(session);
	UNIT_CHECK(qr_session_open(world.genesis_bytes, world.genesis_byte_count, 4, &session) ==
		   QR_ERROR_CONFIG);
	UNIT_CHECK(qr_session_open(world.genesis_bytes, 10, 0, &session) < 0);
	qr_session_close(NULL);
}

static void renewed_session_has_new_keys(void)
{
	uint8_t packet[QR_PACKET_BYTES_MAX];
	uint8_t plain[WIRE_SINGLE_BYTES_MAX];
	struct qr_session *session = session_make(2);
	struct wire_session old;
	struct wire_piece piece;

	exchange(session, 1000);
	exchange(session, 1000);
	old = at_node;
	qr_session_renew(session);
	UNIT_CHECK(!qr_session_is_up(session));
	exchange(session, 2000);
	UNIT_EQUAL(exchange(session, 2000), WIRE_STEP_DONE);
	int count = qr_session_seal(session, "x", 1, packet);

	UNIT_CHECK(wire_session_open(&old, packet, (size_t)count, plain, &piece) < 0);
	UNIT_EQUAL(wire_session_open(&at_node, packet, (size_t)count, plain, &piece), 0);
	qr_session_close(session);
}

UNIT_SUITE("qr_session", UNIT_TEST(session_stands_and_carries_messages),
	   UNIT_TEST(silence_is_answered_by_patience),
	   UNIT_TEST(wrong_node_and_wrong_chain_do_not_pass),
	   UNIT_TEST(renewed_session_has_new_keys))
