#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "client/quorate.h"
#include "consensus/hs_types.h"
#include "wire/wire_genesis.h"
#include "wire/wire_session.h"

_Static_assert((int)QR_MESSAGE_BYTES_MAX == (int)WIRE_SINGLE_BYTES_MAX &&
		       (int)QR_PACKET_BYTES_MAX == (int)WIRE_DATAGRAM_BYTES_MAX,
	       "the public limits are the wire's");

#define SESSION_RETRY_MIN_NS (50 * UNITS_NS_PER_MS)
#define SESSION_RETRY_MAX_NS UNITS_NS_PER_S

struct qr_session {
	struct wire_party me;
	struct crypto_exchange_key peer;
	uint32_t node;
	struct wire_initiator initiator;
	struct wire_session wire;
	bool is_up;
	bool must_confirm; /* the node waits for a first packet before it trusts the session */
	uint64_t next_send_ns;
	uint64_t retry_ns;
};

static int session_begin(struct qr_session *session)
{
	struct wire_chance chance;
	int code;

	crypto_random(&chance, sizeof(chance));
	code = wire_initiator_init(&session->initiator, &session->me, session->node, &session->peer,
				   &chance);
	crypto_wipe(&chance, sizeof(chance));
	session->is_up = false;
	session->must_confirm = false;
	session->next_send_ns = 0;
	session->retry_ns = SESSION_RETRY_MIN_NS;
	return code;
}

int qr_session_open(const void *genesis, size_t genesis_bytes, uint32_t node,
		    struct qr_session **ret_session)
{
	struct wire_genesis *document = malloc(sizeof(*document));
	struct qr_session *session = calloc(1, sizeof(*session));
	int code = document && session ? 0 : ERR_MEMORY;

	if (code == 0)
		code = wire_genesis_decode(genesis, genesis_bytes, document);
	if (code == 0 && node >= document->member_count)
		code = ERR_CONFIG;
	if (code == 0) {
		session->me.role = WIRE_ROLE_CLIENT;
		session->me.chain_id = wire_genesis_chain_id(genesis, genesis_bytes);
		session->me.build_id = crypto_build_id();
		session->me.replica = HS_REPLICA_NONE;
		session->me.ciphers = wire_ciphers_usable();
		session->peer = document->member[node].exchange_key;
		session->node = node;
		code = session_begin(session);
	}
	free(document);
	if (code != 0) {
		free(session);
		return code;
	}
	*ret_session = session;
	return 0;
}

void qr_session_close(struct qr_session *session)
{
	if (!session)
		return;
	crypto_wipe(session, sizeof(*session));
	free(session);
}

void qr_session_renew(struct qr_session *session)
{
	/* The node's key was usable when the session was opened; it still is. */
	(void)session_begin(session);
}

int qr_session_output(struct qr_session *session, uint64_t now_ns,
		      uint8_t ret_packet[QR_PACKET_BYTES_MAX])
{
	if (session->must_confirm) {
		session->must_confirm = false;
		return qr_session_seal(session, NULL, 0, ret_packet);
	}
	if (session->is_up || now_ns < session->next_send_ns)
		return 0;
	memcpy(ret_packet, session->initiator.packet, WIRE_INITIATION_BYTES);
	session->next_send_ns = now_ns + session->retry_ns;
	session->retry_ns = units_min(2 * session->retry_ns, SESSION_RETRY_MAX_NS);
	return WIRE_INITIATION_BYTES;
}

uint64_t qr_session_deadline_ns(const struct qr_session *session)
{
	if (session->must_confirm)
		return 0;
	return session->is_up ? UINT64_MAX : session->next_send_ns;
}

static int session_handshake(struct qr_session *session, const void *packet, size_t count,
			     uint64_t now_ns)
{
	if (session->is_up)
		return 0;
	switch (wire_initiator_input(&session->initiator, packet, count, &session->wire)) {
	case WIRE_STEP_DONE:
		session->is_up = true;
		session->must_confirm = true;
		break;
	case WIRE_STEP_SEND:
		session->next_send_ns = now_ns;
		break;
	case WIRE_STEP_REFUSED:
	case WIRE_STEP_IGNORED:
		break;
	}
	return 0;
}

int qr_session_input(struct qr_session *session, const void *packet, size_t count, uint64_t now_ns,
		     uint8_t ret_message[QR_MESSAGE_BYTES_MAX])
{
	enum wire_packet_type type;
	struct wire_piece piece;
	uint32_t receiver;

	if (!wire_packet_peek(packet, count, &type, &receiver))
		return 0;
	if (type != WIRE_PACKET_DATA)
		return session_handshake(session, packet, count, now_ns);
	if (!session->is_up || receiver != session->wire.local_index ||
	    wire_session_open(&session->wire, packet, count, ret_message, &piece) != 0 ||
	    piece.count != 1)
		return 0;
	return (int)piece.byte_count;
}

bool qr_session_is_up(const struct qr_session *session)
{
	return session->is_up;
}

int qr_session_seal(struct qr_session *session, const void *message, size_t count,
		    uint8_t ret_packet[QR_PACKET_BYTES_MAX])
{
	struct wire_piece piece;

	if (!session->is_up)
		return ERR_FULL;
	if (count > WIRE_SINGLE_BYTES_MAX)
		return ERR_OVERSIZE;
	wire_piece_of(message ? message : "", count, 0, WIRE_STREAM_CLIENT, 0, &piece);
	return wire_session_seal(&session->wire, &piece, ret_packet, QR_PACKET_BYTES_MAX);
}

const char *qr_session_refusal(const struct qr_session *session)
{
	return session->initiator.refusal == WIRE_REFUSAL_NONE ?
		       NULL :
		       wire_refusal_text(session->initiator.refusal);
}
