/* Any datagram from anybody: handshake of both sides, packets, pieces. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "crypto/crypto_sign.h"
#include "wire/wire_session.h"

struct fuzz_session {
	bool is_ready;
	struct wire_party me;
	struct crypto_exchange_key member[4];
	struct wire_responder responder;
	struct wire_initiator initiator;
	struct wire_chance chance;
	struct wire_session session;
	struct wire_assembly assembly;
};

static void make(struct fuzz_session *fuzz)
{
	struct wire_responder_config config = {
		.me = &fuzz->me, .member = fuzz->member, .member_count = 4, .takes_clients = true
	};
	struct crypto_exchange_secret secret = { { 1 } };

	ensure(crypto_start() == 0);
	for (int i = 0; i < 4; i++) {
		secret.b[1] = (uint8_t)i;
		crypto_exchange_public(&secret, &fuzz->member[i]);
	}
	fuzz->me = (struct wire_party){ .role = WIRE_ROLE_PEER,
					.epoch = 1,
					.replica = 3,
					.ciphers = wire_ciphers_usable(),
					.secret = secret,
					.public_key = fuzz->member[3] };
	memset(&fuzz->chance, 5, sizeof(fuzz->chance));
	wire_responder_init(&fuzz->responder, &config);
	wire_assembly_init(&fuzz->assembly);
	fuzz->is_ready = true;
}

static void packet_input(struct fuzz_session *fuzz, const uint8_t *bytes, size_t count)
{
	uint8_t plain[WIRE_SINGLE_BYTES_MAX];
	struct wire_piece piece;

	memset(&fuzz->session, 0, sizeof(fuzz->session));
	crypto_aead_init(&fuzz->session.open, CRYPTO_CIPHER_CHACHA20POLY1305, plain);
	if (count >= 8)
		memcpy(&fuzz->session.local_index, bytes + 4, 4);
	(void)wire_session_open(&fuzz->session, bytes, count, plain, &piece);
}

/* As if the tag were good: the first bytes say which piece the rest is. */
static void piece_input(struct fuzz_session *fuzz, const uint8_t *bytes, size_t count)
{
	static uint8_t room[WIRE_SINGLE_BYTES_MAX];
	struct wire_piece piece = { .bytes = room };
	const uint8_t *whole;
	uint32_t whole_count;

	if (count < 6)
		return;
	piece.stream = bytes[0];
	piece.index = bytes[1];
	piece.count = bytes[2];
	piece.message_id = bytes[3];
	piece.byte_count = (uint32_t)(bytes[4] | bytes[5] << 8) % (WIRE_SINGLE_BYTES_MAX + 1);
	if (wire_assembly_add(&fuzz->assembly, &piece, &whole, &whole_count) == 1)
		ensure(whole_count <= WIRE_SPLIT_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct fuzz_session fuzz;
	enum wire_packet_type type;
	struct wire_answer answer;
	struct wire_session session;
	uint32_t receiver;

	if (!fuzz.is_ready)
		make(&fuzz);
	(void)wire_packet_peek(bytes, count, &type, &receiver);
	wire_responder_input(&fuzz.responder, "source", 6, bytes, count, &fuzz.chance, &answer,
			     &session);
	ensure(answer.count <= count);
	ensure(wire_initiator_init(&fuzz.initiator, &fuzz.me, 1, &fuzz.member[1], &fuzz.chance) ==
	       0);
	ensure(wire_initiator_input(&fuzz.initiator, bytes, count, &session) != WIRE_STEP_DONE);
	packet_input(&fuzz, bytes, count);
	piece_input(&fuzz, bytes, count);
	return 0;
}
