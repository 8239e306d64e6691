/* Handshake, packets, reassembly: wire_handshake.c, wire_session.c. */
#include "wire/wire_session.h"

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"

static struct wire_world world;
static struct wire_party party[5]; /* 0..3 members, 4 a client */
static struct crypto_exchange_key member[4];
static struct wire_responder responder[4];
static struct prng prng;
static const char source[] = "10.0.0.1:4000";

static struct wire_chance chance(void)
{
	struct wire_chance chance;

	prng_fill(&prng, &chance, sizeof(chance));
	return chance;
}

static void parties_make(void)
{
	wire_world_init(&world, 4);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 5; i++) {
		party[i] = (struct wire_party){
			.role = i < 4 ? WIRE_ROLE_PEER : WIRE_ROLE_CLIENT,
			.chain_id = world.validators.chain_id,
			.set_hash = world.validators.set_hash,
			.epoch = 1,
			.build_id = 77,
			.replica = i < 4 ? i : HS_REPLICA_NONE,
			.ciphers = wire_ciphers_usable(),
		};
		if (i < 4) {
			party[i].secret = world.exchange[i];
			party[i].public_key = world.genesis.member[i].exchange_key;
			member[i] = party[i].public_key;
		}
	}
	for (uint32_t i = 0; i < 4; i++) {
		struct wire_responder_config config = {
			.me = &party[i], .member = member, .member_count = 4, .takes_clients = true
		};

		prng_fill(&prng, config.cookie_secret, sizeof(config.cookie_secret));
		wire_responder_init(&responder[i], &config);
	}
}

static enum wire_step respond(uint32_t to, const struct wire_initiator *initiator,
			      struct wire_answer *ret_answer, struct wire_session *ret_session)
{
	struct wire_chance c = chance();

	return wire_responder_input(&responder[to], source, sizeof(source), initiator->packet,
				    sizeof(initiator->packet), &c, ret_answer, ret_session);
}

/* The whole handshake; false when it does not end with two sessions. */
static bool call(uint32_t from, uint32_t to, struct wire_session *ret_from,
		 struct wire_session *ret_to)
{
	struct wire_initiator initiator;
	struct wire_answer answer;
	struct wire_chance c = chance();

	if (wire_initiator_init(&initiator, &party[from], to, &member[to], &c) != 0)
		return false;
	if (respond(to, &initiator, &answer, ret_to) != WIRE_STEP_SEND ||
	    wire_initiator_input(&initiator, answer.bytes, answer.count, ret_from) !=
		    WIRE_STEP_SEND)
		return false;
	return respond(to, &initiator, &answer, ret_to) == WIRE_STEP_DONE &&
	       wire_initiator_input(&initiator, answer.bytes, answer.count, ret_from) ==
		       WIRE_STEP_DONE;
}

static int pass(struct wire_session *from, struct wire_session *to, const char *text)
{
	uint8_t packet[WIRE_DATAGRAM_BYTES_MAX];
	uint8_t plain[WIRE_SINGLE_BYTES_MAX];
	struct wire_piece piece;
	int count;

	wire_piece_of(text, strlen(text), 0, WIRE_STREAM_LANE, 0, &piece);
	count = wire_session_seal(from, &piece, packet, sizeof(packet));
	ensure(count > 0);
	int code = wire_session_open(to, packet, (size_t)count, plain, &piece);

	if (code == 0)
		UNIT_CHECK(piece.byte_count == strlen(text) &&
			   memcmp(piece.bytes, text, strlen(text)) == 0);
	return code;
}

static void peers_and_clients_reach_a_session(void)
{
	struct wire_session a;
	struct wire_session b;

	parties_make();
	UNIT_REQUIRE(call(0, 1, &a, &b));
	UNIT_EQUAL(a.replica, 1);
	UNIT_EQUAL(b.replica, 0);
	UNIT_CHECK(a.is_confirmed && !b.is_confirmed);
	UNIT_EQUAL(a.remote_index, b.local_index);
	UNIT_EQUAL(pass(&a, &b, "hello"), 0);
	UNIT_CHECK(b.is_confirmed);
	UNIT_EQUAL(pass(&b, &a, "and back"), 0);
	UNIT_REQUIRE(call(4, 2, &a, &b));
	UNIT_EQUAL(b.role, WIRE_ROLE_CLIENT);
	UNIT_EQUAL(b.replica, HS_REPLICA_NONE);
	UNIT_EQUAL(pass(&a, &b, "from a client"), 0);
	UNIT_EQUAL(pass(&b, &a, "to a client"), 0);
}

static void both_ciphers_work(void)
{
	struct wire_session a;
	struct wire_session b;

	parties_make();
	party[1].ciphers = 2;
	UNIT_REQUIRE(call(0, 1, &a, &b));
	UNIT_EQUAL(a.seal.cipher, CRYPTO_CIPHER_CHACHA20POLY1305);
	UNIT_EQUAL(pass(&a, &b, "hello"), 0);
	party[1].ciphers = wire_ciphers_usable();
	UNIT_REQUIRE(call(0, 1, &a, &b));
	UNIT_EQUAL(a.seal.cipher, crypto_cipher_best());
}

static void no_answer_is_longer_than_what_it_answers(void)
{
	struct wire_session a;
	struct wire_initiator initiator;
	struct wire_answer answer;

	parties_make();
	struct wire_chance c = chance();

	UNIT_REQUIRE(wire_initiator_init(&initiator, &party[4], 0, &member[0], &c) == 0);
	UNIT_EQUAL(respond(0, &initiator, &answer, &a), WIRE_STEP_SEND);
	UNIT_CHECK(answer.count > 0 && answer.count < WIRE_INITIATION_BYTES);
	for (size_t count = 0; count < WIRE_INITIATION_BYTES; count++) {
		UNIT_EQUAL(wire_responder_input(&responder[0], source, sizeof(source),
						initiator.packet, count, &c, &answer, &a),
			   WIRE_STEP_IGNORED);
		UNIT_EQUAL(answer.count, 0);
	}
}

static void cookie_is_good_for_its_source_and_two_secrets(void)
{
	static const char other[] = "10.0.0.2:4000";
	uint8_t secret[WIRE_COOKIE_SECRET_BYTES] = { 1 };
	struct wire_session a;
	struct wire_initiator initiator;
	struct wire_answer answer;

	parties_make();
	struct wire_chance c = chance();

	UNIT_REQUIRE(wire_initiator_init(&initiator, &party[0], 1, &member[1], &c) == 0);
	UNIT_EQUAL(respond(1, &initiator, &answer, &a), WIRE_STEP_SEND);
	UNIT_EQUAL(wire_initiator_input(&initiator, answer.bytes, answer.count, &a),
		   WIRE_STEP_SEND);
	UNIT_EQUAL(wire_responder_input(&responder[1], other, sizeof(other), initiator.packet,
					sizeof(initiator.packet), &c, &answer, &a),
		   WIRE_STEP_SEND);
	wire_responder_rotate(&responder[1], secret);
	UNIT_EQUAL(respond(1, &initiator, &answer, &a), WIRE_STEP_DONE);
	secret[0] = 2;
	wire_responder_rotate(&responder[1], secret);
	UNIT_EQUAL(respond(1, &initiator, &answer, &a), WIRE_STEP_SEND);
}

static enum wire_refusal refusal_of(uint32_t from, uint32_t to)
{
	struct wire_session a;
	struct wire_initiator initiator;
	struct wire_answer answer;
	struct wire_chance c = chance();

	ensure(wire_initiator_init(&initiator, &party[from], to, &member[to], &c) == 0);
	ensure(respond(to, &initiator, &answer, &a) == WIRE_STEP_SEND);
	UNIT_CHECK(answer.count <= WIRE_INITIATION_BYTES);
	return wire_initiator_input(&initiator, answer.bytes, answer.count, &a) ==
			       WIRE_STEP_REFUSED ?
		       initiator.refusal :
		       WIRE_REFUSAL_NONE;
}

static void refusals_are_typed(void)
{
	parties_make();
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_NONE);
	party[0].chain_id.b[0] ^= 1;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_CHAIN);
	parties_make();
	party[0].build_id++;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_BUILD);
	party[4].build_id++;
	UNIT_EQUAL(refusal_of(4, 1), WIRE_REFUSAL_NONE); /* clients may differ */
	parties_make();
	party[0].epoch = 2;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_SET);
	parties_make();
	party[0].set_hash.b[0] ^= 1;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_SET);
	parties_make();
	party[0].replica = 1;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_MEMBER);
	party[0].replica = 4;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_MEMBER);
	parties_make();
	party[0].ciphers = 4;
	UNIT_EQUAL(refusal_of(0, 1), WIRE_REFUSAL_CIPHER);
	parties_make();
	responder[1].takes_clients = false;
	UNIT_EQUAL(refusal_of(4, 1), WIRE_REFUSAL_MEMBER);
	for (int i = 0; i < WIRE_REFUSAL_COUNT; i++)
		UNIT_CHECK(wire_refusal_text((enum wire_refusal)i) != NULL);
}

static void strangers_do_not_pass_as_members(void)
{
	struct wire_session a;
	struct wire_session b;

	parties_make();
	party[0].secret = party[2].secret; /* says 0, has the key of 2 */
	UNIT_CHECK(!call(0, 1, &a, &b));
	parties_make();
	party[0].replica = 3;
	UNIT_CHECK(!call(0, 1, &a, &b));
	parties_make();
	party[0].set_hash.b[20] ^= 1; /* same first bytes: only the key schedule can tell */
	UNIT_CHECK(!call(0, 1, &a, &b));
	parties_make();
	member[1] = member[2]; /* the called one is not who it should be */
	UNIT_CHECK(!call(4, 1, &a, &b));
}

static void forged_answers_are_ignored(void)
{
	struct wire_session a;
	struct wire_session b;
	struct wire_initiator initiator;
	struct wire_answer answer;

	parties_make();
	struct wire_chance c = chance();

	UNIT_REQUIRE(wire_initiator_init(&initiator, &party[0], 1, &member[1], &c) == 0);
	respond(1, &initiator, &answer, &b);
	answer.bytes[9] ^= 1; /* the echo */
	UNIT_EQUAL(wire_initiator_input(&initiator, answer.bytes, answer.count, &a),
		   WIRE_STEP_IGNORED);
	answer.bytes[9] ^= 1;
	wire_initiator_input(&initiator, answer.bytes, answer.count, &a);
	UNIT_REQUIRE(respond(1, &initiator, &answer, &b) == WIRE_STEP_DONE);
	for (uint32_t bit = 0; bit < answer.count * 8; bit++) {
		struct wire_answer changed = answer;

		changed.bytes[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		UNIT_EQUAL(wire_initiator_input(&initiator, changed.bytes, changed.count, &a),
			   WIRE_STEP_IGNORED);
	}
	UNIT_EQUAL(wire_initiator_input(&initiator, answer.bytes, answer.count, &a),
		   WIRE_STEP_DONE);
}

static void every_changed_initiation_is_refused_or_ignored(void)
{
	struct wire_session a;
	struct wire_initiator initiator;
	struct wire_answer answer;

	parties_make();
	struct wire_chance c = chance();

	UNIT_REQUIRE(wire_initiator_init(&initiator, &party[0], 1, &member[1], &c) == 0);
	respond(1, &initiator, &answer, &a);
	wire_initiator_input(&initiator, answer.bytes, answer.count, &a);
	for (uint32_t bit = 0; bit < WIRE_INITIATION_BYTES * 8; bit++) {
		struct wire_initiator changed = initiator;

		changed.packet[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		UNIT_CHECK(respond(1, &changed, &answer, &a) != WIRE_STEP_DONE);
	}
	UNIT_EQUAL(respond(1, &initiator, &answer, &a), WIRE_STEP_DONE);
}

static void changed_packets_do_not_open(void)
{
	uint8_t packet[WIRE_DATAGRAM_BYTES_MAX];
	uint8_t plain[WIRE_SINGLE_BYTES_MAX];
	struct wire_session a;
	struct wire_session b;
	struct wire_piece piece;

	parties_make();
	UNIT_REQUIRE(call(0, 1, &a, &b));
	wire_piece_of("some bytes", 10, 0, WIRE_STREAM_PROPOSE, 0, &piece);
	int count = wire_session_seal(&a, &piece, packet, sizeof(packet));

	UNIT_EQUAL(count, 10 + WIRE_DATA_OVERHEAD_BYTES);
	for (int bit = 0; bit < count * 8; bit++) {
		packet[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		UNIT_CHECK(wire_session_open(&b, packet, (size_t)count, plain, &piece) < 0);
		packet[bit / 8] ^= (uint8_t)(1 << (bit % 8));
	}
	UNIT_CHECK(!b.is_confirmed);
	UNIT_EQUAL(wire_session_open(&b, packet, (size_t)count, plain, &piece), 0);
	UNIT_EQUAL(piece.stream, WIRE_STREAM_PROPOSE);
	UNIT_CHECK(wire_session_open(&b, packet, (size_t)count, plain, &piece) == ERR_REPLAY);
}

static void replay_window_takes_each_counter_once(void)
{
	static uint8_t seen[8192];
	uint8_t packet[64];
	uint8_t plain[WIRE_SINGLE_BYTES_MAX];
	struct wire_session a;
	struct wire_session b;
	struct wire_piece piece;
	uint64_t newest = 0;
	bool any = false;

	parties_make();
	UNIT_REQUIRE(call(0, 1, &a, &b));
	memset(seen, 0, sizeof(seen));
	wire_piece_of("", 0, 0, WIRE_STREAM_LANE, 0, &piece);
	for (uint32_t i = 0; i < 20000; i++) {
		struct wire_piece got;
		uint64_t low = newest > 3000 ? newest - 3000 : 0;

		a.counter = low + prng_below(&prng, 3000 + 200);
		if (a.counter >= sizeof(seen))
			break;
		uint64_t counter = a.counter;
		int count = wire_session_seal(&a, &piece, packet, sizeof(packet));
		int code = wire_session_open(&b, packet, (size_t)count, plain, &got);
		bool is_old = any && counter + WIRE_REPLAY_WINDOW <= newest;

		UNIT_EQUAL(code == 0, !seen[counter] && !is_old);
		if (code == 0)
			seen[counter] = 1;
		if (code == 0 && counter > newest)
			newest = counter;
		any = true;
	}
}

static void used_up_keys_stop(void)
{
	uint8_t packet[64];
	struct wire_session a;
	struct wire_session b;
	struct wire_piece piece;

	parties_make();
	UNIT_REQUIRE(call(0, 1, &a, &b));
	wire_piece_of("", 0, 0, WIRE_STREAM_LANE, 0, &piece);
	UNIT_CHECK(!wire_session_wants_rekey(&a));
	a.counter = WIRE_SESSION_REKEY_PACKETS;
	UNIT_CHECK(wire_session_wants_rekey(&a));
	a.counter = WIRE_SESSION_PACKETS_MAX;
	UNIT_CHECK(wire_session_seal(&a, &piece, packet, sizeof(packet)) == ERR_FULL);
}

static void split_messages_come_together_in_any_order(void)
{
	static uint8_t message[WIRE_SPLIT_BYTES_MAX];
	static struct wire_assembly assembly;
	static const size_t sizes[] = { 1436, 1437, 2560, 2561, 9999, WIRE_SPLIT_BYTES_MAX };

	prng_seed(&prng, unit_seed());
	prng_fill(&prng, message, sizeof(message));
	wire_assembly_init(&assembly);
	for (uint32_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint32_t pieces = wire_piece_count(sizes[k]);
		uint32_t first = (uint32_t)prng_below(&prng, pieces);
		const uint8_t *bytes = NULL;
		uint32_t count = 0;

		for (uint32_t i = 0; i < pieces; i++) {
			struct wire_piece piece;

			wire_piece_of(message, sizes[k], (first + i) % pieces, WIRE_STREAM_BLOCKS,
				      100 + k, &piece);
			int code = wire_assembly_add(&assembly, &piece, &bytes, &count);

			UNIT_EQUAL(code, i + 1 == pieces ? 1 : 0);
			if (i + 1 < pieces)
				UNIT_CHECK(wire_assembly_add(&assembly, &piece, &bytes, &count) ==
					   ERR_DUPLICATE);
		}
		UNIT_EQUAL(count, sizes[k]);
		UNIT_CHECK(bytes && memcmp(bytes, message, sizes[k]) == 0);
	}
	UNIT_EQUAL(wire_piece_count(WIRE_SPLIT_BYTES_MAX + 1), 0);
}

static void newer_message_abandons_the_older(void)
{
	static uint8_t message[4000];
	static struct wire_assembly assembly;
	const uint8_t *bytes;
	uint32_t count;
	struct wire_piece piece;

	wire_assembly_init(&assembly);
	wire_piece_of(message, 4000, 0, WIRE_STREAM_BLOCKS, UINT32_MAX, &piece);
	UNIT_EQUAL(wire_assembly_add(&assembly, &piece, &bytes, &count), 0);
	wire_piece_of(message, 3000, 1, WIRE_STREAM_BLOCKS, UINT32_MAX, &piece);
	UNIT_CHECK(wire_assembly_add(&assembly, &piece, &bytes, &count) == ERR_FORMAT);
	wire_piece_of(message, 3000, 0, WIRE_STREAM_BLOCKS, 3, &piece); /* over the wrap */
	UNIT_EQUAL(wire_assembly_add(&assembly, &piece, &bytes, &count), 0);
	wire_piece_of(message, 4000, 1, WIRE_STREAM_BLOCKS, UINT32_MAX, &piece);
	UNIT_CHECK(wire_assembly_add(&assembly, &piece, &bytes, &count) == ERR_DUPLICATE);
	wire_piece_of(message, 3000, 1, WIRE_STREAM_BLOCKS, 3, &piece);
	UNIT_EQUAL(wire_assembly_add(&assembly, &piece, &bytes, &count), 0);
	wire_piece_of(message, 3000, 2, WIRE_STREAM_BLOCKS, 3, &piece);
	UNIT_EQUAL(wire_assembly_add(&assembly, &piece, &bytes, &count), 1);
	UNIT_CHECK(wire_assembly_add(&assembly, &piece, &bytes, &count) == ERR_DUPLICATE);
}

static void only_one_way_to_cut_is_accepted(void)
{
	static uint8_t bytes[WIRE_SINGLE_BYTES_MAX + 1];
	static struct wire_assembly assembly;
	const uint8_t *whole;
	uint32_t count;
	struct wire_piece bad[] = {
		{ .count = 0 },
		{ .count = 33 },
		{ .index = 2, .count = 2, .byte_count = 1280 },
		{ .index = 0, .count = 2, .byte_count = 1279 },
		{ .index = 1, .count = 2, .byte_count = 1 }, /* would have fitted one */
		{ .index = 1, .count = 2, .byte_count = 1281 },
		{ .index = 2, .count = 3, .byte_count = 0 },
		{ .count = 1, .message_id = 1 },
		{ .count = 1, .byte_count = WIRE_SINGLE_BYTES_MAX + 1 },
		{ .count = 1, .stream = WIRE_STREAMS_MAX },
	};

	wire_assembly_init(&assembly);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bad[i].bytes = bytes;
		UNIT_CHECK(wire_assembly_add(&assembly, &bad[i], &whole, &count) == ERR_FORMAT);
	}
}

static void every_kind_has_a_stream(void)
{
	for (uint32_t kind = 0; kind < 300; kind++)
		UNIT_CHECK(wire_stream_of(kind) < WIRE_STREAMS_MAX);
	UNIT_EQUAL(wire_stream_of(WIRE_PROPOSE), WIRE_STREAM_PROPOSE);
	UNIT_EQUAL(wire_stream_of(WIRE_REPAIR), WIRE_STREAM_REPAIR);
}

UNIT_SUITE("wire_session", UNIT_TEST(peers_and_clients_reach_a_session),
	   UNIT_TEST(both_ciphers_work), UNIT_TEST(no_answer_is_longer_than_what_it_answers),
	   UNIT_TEST(cookie_is_good_for_its_source_and_two_secrets), UNIT_TEST(refusals_are_typed),
	   UNIT_TEST(strangers_do_not_pass_as_members), UNIT_TEST(forged_answers_are_ignored),
	   UNIT_TEST(every_changed_initiation_is_refused_or_ignored),
	   UNIT_TEST(changed_packets_do_not_open), UNIT_TEST(replay_window_takes_each_counter_once),
	   UNIT_TEST(used_up_keys_stop), UNIT_TEST(split_messages_come_together_in_any_order),
	   UNIT_TEST(newer_message_abandons_the_older), UNIT_TEST(only_one_way_to_cut_is_accepted),
	   UNIT_TEST(every_kind_has_a_stream))
