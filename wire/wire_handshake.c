#include "base/ensure.h"
#include "base/err.h"
#include "consensus/hs_types.h"
#include "crypto/crypto_hash.h"
#include "crypto/crypto_session.h"
#include "wire/wire_frame.h"
#include "wire/wire_put.h"
#include "wire/wire_session.h"

enum {
	INITIATION_TAG_AT = 72,
	INITIATION_COOKIE_AT = 88,
	RESPONSE_TAG_AT = 48,
	HANDSHAKE_TAG_BYTES = 16,
	HANDSHAKE_KEY_BYTES = 32,
	HANDSHAKE_ECHO_BYTES = 8,
	HANDSHAKE_ECHO_AT = 40, /* first bytes of the ephemeral key */
};

struct initiation {
	enum wire_role role;
	uint8_t version;
	uint8_t ciphers;
	uint32_t sender;
	uint64_t chain_tag;
	uint64_t set_tag;
	uint64_t epoch;
	uint32_t build_id;
	uint32_t replica;
	struct crypto_exchange_key ephemeral;
	const uint8_t *tag;
	const uint8_t *cookie;
};

const char *wire_refusal_text(enum wire_refusal refusal)
{
	static const char *const text[WIRE_REFUSAL_COUNT] = {
		[WIRE_REFUSAL_NONE] = "not refused",
		[WIRE_REFUSAL_VERSION] = "speaks another session version",
		[WIRE_REFUSAL_CHAIN] = "serves another chain",
		[WIRE_REFUSAL_BUILD] = "runs another crypto build",
		[WIRE_REFUSAL_SET] = "is in another epoch or validator set",
		[WIRE_REFUSAL_MEMBER] = "does not know this member",
		[WIRE_REFUSAL_CIPHER] = "has no cipher in common",
		[WIRE_REFUSAL_FULL] = "has no room for another session",
	};

	return (unsigned int)refusal < WIRE_REFUSAL_COUNT ? text[refusal] : "unknown refusal";
}

uint8_t wire_ciphers_usable(void)
{
	uint8_t ciphers = 0;

	for (uint32_t i = CRYPTO_CIPHER_AES256GCM; i <= CRYPTO_CIPHER_CHACHA20POLY1305; i++)
		if (crypto_cipher_is_usable((enum crypto_cipher)i))
			ciphers |= (uint8_t)(1 << (i - 1));
	return ciphers;
}

static bool initiation_read(const void *packet, size_t count, struct initiation *ret)
{
	struct bytes_reader r = bytes_reader_of(packet, count);

	if (count != WIRE_INITIATION_BYTES || bytes_get_u8(&r) != WIRE_PACKET_INITIATION)
		return false;
	ret->version = bytes_get_u8(&r);
	ret->role = bytes_get_u8(&r);
	ret->ciphers = bytes_get_u8(&r);
	ret->sender = bytes_get_u32(&r);
	ret->chain_tag = bytes_get_u64(&r);
	ret->set_tag = bytes_get_u64(&r);
	ret->epoch = bytes_get_u64(&r);
	ret->build_id = bytes_get_u32(&r);
	ret->replica = bytes_get_u32(&r);
	wire_get_exchange_key(&r, &ret->ephemeral);
	ret->tag = bytes_take(&r, HANDSHAKE_TAG_BYTES);
	ret->cookie = bytes_take(&r, WIRE_COOKIE_BYTES);
	while (!bytes_done(&r))
		if (bytes_get_u8(&r) != 0)
			return false;
	return ret->role == WIRE_ROLE_PEER || ret->role == WIRE_ROLE_CLIENT;
}

/* The first chaining key: everything both sides must agree on before a word is said. */
static void handshake_begin(const struct wire_party *me, enum wire_role role,
			    const struct crypto_exchange_key *initiator,
			    const struct crypto_exchange_key *responder,
			    uint8_t ret_key[HANDSHAKE_KEY_BYTES])
{
	static const struct crypto_exchange_key nobody;
	static const struct crypto_hash no_set;
	bool is_peer = role == WIRE_ROLE_PEER;
	struct crypto_hasher hasher;
	struct crypto_hash hash;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRhs-ck0", 8);
	crypto_hasher_add_u32(&hasher, (uint32_t)role);
	crypto_hasher_add(&hasher, me->chain_id.b, sizeof(me->chain_id.b));
	crypto_hasher_add(&hasher, is_peer ? me->set_hash.b : no_set.b, sizeof(no_set.b));
	crypto_hasher_add(&hasher, is_peer ? initiator->b : nobody.b, sizeof(nobody.b));
	crypto_hasher_add(&hasher, responder->b, sizeof(responder->b));
	hash = crypto_hasher_done(&hasher);
	memcpy(ret_key, hash.b, HANDSHAKE_KEY_BYTES);
}

/* key = derive(key, tag, shared secret); false when the other side's key is of small order. */
static bool handshake_mix(uint8_t key[HANDSHAKE_KEY_BYTES], const char tag[8],
			  const struct crypto_exchange_secret *secret,
			  const struct crypto_exchange_key *peer)
{
	uint8_t shared[32];
	uint8_t next[HANDSHAKE_KEY_BYTES];
	bool is_good = crypto_exchange(secret, peer, shared);

	if (is_good) {
		crypto_derive(key, tag, shared, sizeof(shared), next, sizeof(next));
		memcpy(key, next, sizeof(next));
	}
	crypto_wipe(shared, sizeof(shared));
	crypto_wipe(next, sizeof(next));
	return is_good;
}

static void handshake_keys(const uint8_t key[HANDSHAKE_KEY_BYTES], const uint8_t *initiation,
			   const uint8_t *response, uint8_t ret_tag[HANDSHAKE_TAG_BYTES],
			   uint8_t ret_keys[64])
{
	uint8_t transcript[INITIATION_TAG_AT + RESPONSE_TAG_AT];
	uint8_t last[HANDSHAKE_KEY_BYTES];

	memcpy(transcript, initiation, INITIATION_TAG_AT);
	memcpy(transcript + INITIATION_TAG_AT, response, RESPONSE_TAG_AT);
	crypto_derive(key, "QRhs-th0", transcript, sizeof(transcript), last, sizeof(last));
	crypto_derive(last, "QRhs-tr0", NULL, 0, ret_tag, HANDSHAKE_TAG_BYTES);
	crypto_derive(last, "QRhs-key", NULL, 0, ret_keys, 64);
	crypto_wipe(last, sizeof(last));
}

static void session_init(struct wire_session *session, bool is_initiator, enum crypto_cipher cipher,
			 const uint8_t keys[64])
{
	memset(session, 0, sizeof(*session));
	session->is_initiator = is_initiator;
	session->is_confirmed = is_initiator;
	crypto_aead_init(&session->seal, cipher, keys + (is_initiator ? 0 : 32));
	crypto_aead_init(&session->open, cipher, keys + (is_initiator ? 32 : 0));
}

int wire_initiator_init(struct wire_initiator *initiator, const struct wire_party *me,
			uint32_t replica, const struct crypto_exchange_key *peer,
			const struct wire_chance *chance)
{
	struct bytes_writer w = bytes_writer_of(initiator->packet, sizeof(initiator->packet));
	bool is_peer = me->role == WIRE_ROLE_PEER;
	struct crypto_exchange_key ephemeral;
	bool is_good;

	memset(initiator, 0, sizeof(*initiator));
	initiator->ephemeral = chance->ephemeral;
	initiator->role = me->role;
	initiator->replica = replica;
	initiator->static_secret = me->secret;
	initiator->ciphers = me->ciphers;
	crypto_exchange_public(&chance->ephemeral, &ephemeral);
	bytes_put_u8(&w, WIRE_PACKET_INITIATION);
	bytes_put_u8(&w, WIRE_SESSION_VERSION);
	bytes_put_u8(&w, (uint8_t)me->role);
	bytes_put_u8(&w, me->ciphers);
	bytes_put_u32(&w, chance->index);
	bytes_put_u64(&w, wire_chain_tag(&me->chain_id));
	bytes_put_u64(&w, is_peer ? wire_chain_tag(&me->set_hash) : 0);
	bytes_put_u64(&w, is_peer ? me->epoch : 0);
	bytes_put_u32(&w, me->build_id);
	bytes_put_u32(&w, is_peer ? me->replica : HS_REPLICA_NONE);
	wire_put_exchange_key(&w, &ephemeral);
	handshake_begin(me, me->role, &me->public_key, peer, initiator->chain_key);
	is_good = handshake_mix(initiator->chain_key, "QRhs-es0", &chance->ephemeral, peer);
	if (is_peer)
		is_good = is_good &&
			  handshake_mix(initiator->chain_key, "QRhs-ss0", &me->secret, peer);
	crypto_derive(initiator->chain_key, "QRhs-ti0", initiator->packet, INITIATION_TAG_AT,
		      initiator->packet + INITIATION_TAG_AT, HANDSHAKE_TAG_BYTES);
	return is_good ? 0 : ERR_KEY;
}

/* Is this answer for the packet that was sent? Keeps out those who did not see it. */
static bool initiator_owns(const struct wire_initiator *initiator, const uint8_t *answer)
{
	return memcmp(answer + 4, initiator->packet + 4, 4) == 0 &&
	       memcmp(answer + 8, initiator->packet + HANDSHAKE_ECHO_AT, HANDSHAKE_ECHO_BYTES) == 0;
}

static enum wire_step initiator_on_response(struct wire_initiator *initiator, const uint8_t *packet,
					    struct wire_session *ret_session)
{
	struct bytes_reader r = bytes_reader_of(packet + 2, RESPONSE_TAG_AT - 2);
	uint8_t key[HANDSHAKE_KEY_BYTES];
	uint8_t tag[HANDSHAKE_TAG_BYTES];
	uint8_t keys[64];
	struct crypto_exchange_key ephemeral;
	uint32_t cipher = bytes_get_u8(&r);
	uint8_t reserved = bytes_get_u8(&r);
	uint32_t receiver = bytes_get_u32(&r);
	uint32_t sender = bytes_get_u32(&r);
	bool is_good;

	bytes_get_u32(&r);
	wire_get_exchange_key(&r, &ephemeral);
	if (reserved != 0 || cipher < 1 || cipher > 2 ||
	    (initiator->ciphers >> (cipher - 1) & 1) == 0)
		return WIRE_STEP_IGNORED;
	memcpy(key, initiator->chain_key, sizeof(key));
	is_good = handshake_mix(key, "QRhs-ee0", &initiator->ephemeral, &ephemeral);
	if (initiator->role == WIRE_ROLE_PEER)
		is_good = is_good &&
			  handshake_mix(key, "QRhs-se0", &initiator->static_secret, &ephemeral);
	handshake_keys(key, initiator->packet, packet, tag, keys);
	is_good = is_good && crypto_equal(tag, packet + RESPONSE_TAG_AT, sizeof(tag));
	if (is_good) {
		session_init(ret_session, true, (enum crypto_cipher)cipher, keys);
		ret_session->local_index = receiver;
		ret_session->remote_index = sender;
		ret_session->replica = initiator->replica;
		ret_session->role = initiator->role;
	}
	crypto_wipe(key, sizeof(key));
	crypto_wipe(keys, sizeof(keys));
	return is_good ? WIRE_STEP_DONE : WIRE_STEP_IGNORED;
}

enum wire_step wire_initiator_input(struct wire_initiator *initiator, const void *packet,
				    size_t count, struct wire_session *ret_session)
{
	const uint8_t *bytes = packet;

	if (count < WIRE_REFUSAL_PACKET_BYTES || bytes[1] != WIRE_SESSION_VERSION)
		return WIRE_STEP_IGNORED;
	if (bytes[0] == WIRE_PACKET_COOKIE && count == WIRE_COOKIE_PACKET_BYTES &&
	    initiator_owns(initiator, bytes)) {
		memcpy(initiator->packet + INITIATION_COOKIE_AT, bytes + 16, WIRE_COOKIE_BYTES);
		return WIRE_STEP_SEND;
	}
	if (bytes[0] == WIRE_PACKET_REFUSAL && count == WIRE_REFUSAL_PACKET_BYTES &&
	    initiator_owns(initiator, bytes) && bytes[2] > WIRE_REFUSAL_NONE &&
	    bytes[2] < WIRE_REFUSAL_COUNT) {
		initiator->refusal = bytes[2];
		return WIRE_STEP_REFUSED;
	}
	if (bytes[0] == WIRE_PACKET_RESPONSE && count == WIRE_RESPONSE_BYTES &&
	    memcmp(bytes + 4, initiator->packet + 4, 4) == 0)
		return initiator_on_response(initiator, bytes, ret_session);
	return WIRE_STEP_IGNORED;
}

void wire_responder_init(struct wire_responder *responder,
			 const struct wire_responder_config *config)
{
	*responder = (struct wire_responder){
		.me = config->me,
		.member = config->member,
		.member_count = config->member_count,
		.takes_clients = config->takes_clients,
	};
	for (int i = 0; i < 2; i++)
		memcpy(responder->cookie_secret[i], config->cookie_secret,
		       WIRE_COOKIE_SECRET_BYTES);
}

void wire_responder_rotate(struct wire_responder *responder,
			   const uint8_t secret[WIRE_COOKIE_SECRET_BYTES])
{
	memcpy(responder->cookie_secret[1], responder->cookie_secret[0], WIRE_COOKIE_SECRET_BYTES);
	memcpy(responder->cookie_secret[0], secret, WIRE_COOKIE_SECRET_BYTES);
}

static void answer_head(struct wire_answer *answer, const uint8_t *initiation, uint8_t type,
			uint8_t reason, uint32_t count)
{
	memset(answer, 0, sizeof(*answer));
	answer->count = count;
	answer->bytes[0] = type;
	answer->bytes[1] = WIRE_SESSION_VERSION;
	answer->bytes[2] = reason;
	memcpy(answer->bytes + 4, initiation + 4, 4);
	memcpy(answer->bytes + 8, initiation + HANDSHAKE_ECHO_AT, HANDSHAKE_ECHO_BYTES);
}

bool wire_refuse(const void *packet, size_t count, enum wire_refusal refusal,
		 struct wire_answer *ret_answer)
{
	struct initiation initiation;

	if (!initiation_read(packet, count, &initiation))
		return false;
	answer_head(ret_answer, packet, WIRE_PACKET_REFUSAL, (uint8_t)refusal,
		    WIRE_REFUSAL_PACKET_BYTES);
	return true;
}

bool wire_initiation_claim(const void *packet, size_t count, enum wire_role *ret_role,
			   uint32_t *ret_replica)
{
	struct initiation initiation;

	if (!initiation_read(packet, count, &initiation))
		return false;
	*ret_role = initiation.role;
	*ret_replica = initiation.replica;
	return true;
}

static enum wire_refusal responder_refusal(const struct wire_responder *responder,
					   const struct initiation *initiation)
{
	const struct wire_party *me = responder->me;

	if (initiation->version != WIRE_SESSION_VERSION)
		return WIRE_REFUSAL_VERSION;
	if (initiation->chain_tag != wire_chain_tag(&me->chain_id))
		return WIRE_REFUSAL_CHAIN;
	if ((initiation->ciphers & me->ciphers) == 0)
		return WIRE_REFUSAL_CIPHER;
	if (initiation->role == WIRE_ROLE_CLIENT)
		return responder->takes_clients ? WIRE_REFUSAL_NONE : WIRE_REFUSAL_MEMBER;
	if (initiation->build_id != me->build_id)
		return WIRE_REFUSAL_BUILD;
	if (initiation->epoch != me->epoch || initiation->set_tag != wire_chain_tag(&me->set_hash))
		return WIRE_REFUSAL_SET;
	if (initiation->replica >= responder->member_count || initiation->replica == me->replica)
		return WIRE_REFUSAL_MEMBER;
	return WIRE_REFUSAL_NONE;
}

static bool responder_knows_cookie(const struct wire_responder *responder, const void *source,
				   size_t source_bytes, const uint8_t *cookie)
{
	uint8_t expected[WIRE_COOKIE_BYTES];

	for (int i = 0; i < 2; i++) {
		crypto_derive(responder->cookie_secret[i], "QRcookie", source, source_bytes,
			      expected, sizeof(expected));
		if (crypto_equal(expected, cookie, sizeof(expected)))
			return true;
	}
	return false;
}

static void responder_answer(const struct wire_responder *responder,
			     const struct initiation *initiation, enum crypto_cipher cipher,
			     const struct wire_chance *chance, struct wire_answer *answer)
{
	struct bytes_writer w = bytes_writer_of(answer->bytes, sizeof(answer->bytes));
	struct crypto_exchange_key ephemeral;

	memset(answer, 0, sizeof(*answer));
	crypto_exchange_public(&chance->ephemeral, &ephemeral);
	bytes_put_u8(&w, WIRE_PACKET_RESPONSE);
	bytes_put_u8(&w, WIRE_SESSION_VERSION);
	bytes_put_u8(&w, (uint8_t)cipher);
	bytes_put_u8(&w, 0);
	bytes_put_u32(&w, initiation->sender);
	bytes_put_u32(&w, chance->index);
	bytes_put_u32(&w, responder->me->build_id);
	wire_put_exchange_key(&w, &ephemeral);
	answer->count = WIRE_RESPONSE_BYTES;
}

/* X25519 and the initiation's tag: only members, or anybody as a client, come past this. */
static bool responder_key(const struct wire_responder *responder,
			  const struct initiation *initiation, const uint8_t *packet,
			  uint8_t ret_key[HANDSHAKE_KEY_BYTES])
{
	const struct wire_party *me = responder->me;
	bool is_peer = initiation->role == WIRE_ROLE_PEER;
	const struct crypto_exchange_key *peer = is_peer ? &responder->member[initiation->replica] :
							   NULL;
	uint8_t tag[HANDSHAKE_TAG_BYTES];

	handshake_begin(me, initiation->role, peer, &me->public_key, ret_key);
	if (!handshake_mix(ret_key, "QRhs-es0", &me->secret, &initiation->ephemeral))
		return false;
	if (is_peer && !handshake_mix(ret_key, "QRhs-ss0", &me->secret, peer))
		return false;
	crypto_derive(ret_key, "QRhs-ti0", packet, INITIATION_TAG_AT, tag, sizeof(tag));
	return crypto_equal(tag, initiation->tag, sizeof(tag));
}

static enum wire_step responder_accept(const struct wire_responder *responder,
				       const struct initiation *initiation, const uint8_t *packet,
				       const struct wire_chance *chance,
				       struct wire_answer *ret_answer,
				       struct wire_session *ret_session)
{
	bool is_peer = initiation->role == WIRE_ROLE_PEER;
	enum crypto_cipher cipher = (initiation->ciphers & responder->me->ciphers & 1) != 0 ?
					    CRYPTO_CIPHER_AES256GCM :
					    CRYPTO_CIPHER_CHACHA20POLY1305;
	uint8_t key[HANDSHAKE_KEY_BYTES];
	uint8_t keys[64];
	bool is_good = responder_key(responder, initiation, packet, key) &&
		       handshake_mix(key, "QRhs-ee0", &chance->ephemeral, &initiation->ephemeral);

	if (is_peer)
		is_good = is_good && handshake_mix(key, "QRhs-se0", &chance->ephemeral,
						   &responder->member[initiation->replica]);
	if (is_good) {
		responder_answer(responder, initiation, cipher, chance, ret_answer);
		handshake_keys(key, packet, ret_answer->bytes, ret_answer->bytes + RESPONSE_TAG_AT,
			       keys);
		session_init(ret_session, false, cipher, keys);
		ret_session->local_index = chance->index;
		ret_session->remote_index = initiation->sender;
		ret_session->replica = is_peer ? initiation->replica : HS_REPLICA_NONE;
		ret_session->role = initiation->role;
		crypto_wipe(keys, sizeof(keys));
	}
	crypto_wipe(key, sizeof(key));
	return is_good ? WIRE_STEP_DONE : WIRE_STEP_IGNORED;
}

enum wire_step wire_responder_input(struct wire_responder *responder, const void *source,
				    size_t source_bytes, const void *packet, size_t count,
				    const struct wire_chance *chance,
				    struct wire_answer *ret_answer,
				    struct wire_session *ret_session)
{
	struct initiation initiation;
	enum wire_refusal refusal;

	ensure(source_bytes <= WIRE_SOURCE_BYTES_MAX);
	ret_answer->count = 0;
	if (!initiation_read(packet, count, &initiation))
		return WIRE_STEP_IGNORED;
	refusal = responder_refusal(responder, &initiation);
	if (refusal != WIRE_REFUSAL_NONE) {
		answer_head(ret_answer, packet, WIRE_PACKET_REFUSAL, (uint8_t)refusal,
			    WIRE_REFUSAL_PACKET_BYTES);
		return WIRE_STEP_SEND;
	}
	if (!responder_knows_cookie(responder, source, source_bytes, initiation.cookie)) {
		answer_head(ret_answer, packet, WIRE_PACKET_COOKIE, 0, WIRE_COOKIE_PACKET_BYTES);
		crypto_derive(responder->cookie_secret[0], "QRcookie", source, source_bytes,
			      ret_answer->bytes + 16, WIRE_COOKIE_BYTES);
		return WIRE_STEP_SEND;
	}
	return responder_accept(responder, &initiation, packet, chance, ret_answer, ret_session);
}
