/*
 * wire_session: handshake and packets of a session between two parties (PROTOCOL §1, §3, §10).
 *
 *     initiator                                   responder
 *        INITIATION (128 bytes, no cookie)  ---->   no state, no key exchange
 *        <----  COOKIE (32 bytes)                   a MAC over the source address
 *        INITIATION (same, with cookie)     ---->   X25519, checks the tag
 *        <----  RESPONSE (64 bytes)                 session, not yet confirmed
 *        DATA                               ---->   confirmed by the first that opens
 *
 * Model    Noise IK in shape. Peers: static-static and ephemerals, bound to chain id,
 *          set hash and both static keys. Clients: no static key; the node's key names
 *          the node. Every answer to an unproven message is shorter than the message.
 *          Wrong chain, build, set or cipher gets a typed REFUSAL; a refusal is not
 *          authenticated, so an initiator reports it and keeps trying.
 * Packets  DATA = type u8, stream u8, piece index u8, piece count u8, receiver index u32,
 *          counter u64, message id u32 | AEAD(piece) | tag 16. The first 20 bytes are
 *          authenticated; the receiver index selects the key before any other work.
 * Purity   Random bytes (ephemeral secrets, indices, cookie secrets) are arguments; time
 *          enters only as the caller's decision when to rotate the cookie secret. The
 *          caller draws `struct wire_chance` anew for every call that takes one.
 * Tables   (sessions by index, budgets, timers, retries) are the caller's.
 * Memory   Plain values; wipe with crypto_wipe(). Threads: one owner.
 */
#ifndef QUORATE_WIRE_SESSION_H
#define QUORATE_WIRE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_session.h"
#include "crypto/crypto_types.h"

enum {
	WIRE_SESSION_VERSION = 1,
	WIRE_INITIATION_BYTES = 128,
	WIRE_COOKIE_PACKET_BYTES = 32,
	WIRE_REFUSAL_PACKET_BYTES = 24,
	WIRE_RESPONSE_BYTES = 64,
	WIRE_HANDSHAKE_BYTES_MAX = 128,
	WIRE_COOKIE_BYTES = 16,
	WIRE_COOKIE_SECRET_BYTES = 32,
	WIRE_SOURCE_BYTES_MAX = 32,

	WIRE_DATA_HEAD_BYTES = 20,
	WIRE_DATA_OVERHEAD_BYTES = WIRE_DATA_HEAD_BYTES + CRYPTO_AEAD_TAG_BYTES,
	WIRE_DATAGRAM_BYTES_MAX = 1472, /* UDP payload at MTU 1500 */
	WIRE_SINGLE_BYTES_MAX = WIRE_DATAGRAM_BYTES_MAX - WIRE_DATA_OVERHEAD_BYTES, /* 1436 */
	WIRE_PIECES_MAX = 32,
	WIRE_PIECE_BYTES = 1280, /* each piece but the last of a split message */
	WIRE_SPLIT_BYTES_MAX = WIRE_PIECES_MAX * WIRE_PIECE_BYTES, /* = WIRE_MESSAGE_BYTES_MAX */
	WIRE_REPLAY_WINDOW = 2048 - 64, /* counters behind the newest that are still accepted */
};

/* Packets of one direction and key: ask for a new handshake at the first, stop at the second. */
#define WIRE_SESSION_REKEY_PACKETS (UINT64_C(1) << 28)
#define WIRE_SESSION_PACKETS_MAX (UINT64_C(1) << 40)

enum wire_packet_type {
	WIRE_PACKET_INITIATION = 1,
	WIRE_PACKET_COOKIE,
	WIRE_PACKET_RESPONSE,
	WIRE_PACKET_REFUSAL,
	WIRE_PACKET_DATA,
};

/*
 * One reassembly buffer per (peer, stream); the sender derives the stream from the message's kind.
 */
enum wire_stream {
	WIRE_STREAM_LANE, /* lane frames, batch headers, ACKVEC, WANT: one piece in practice */
	WIRE_STREAM_PROPOSE,
	WIRE_STREAM_TIMEOUT,
	WIRE_STREAM_CERTIFICATE, /* QC, TC, FC on their own; VOTE, COMMIT, STATUS */
	WIRE_STREAM_REPAIR,
	WIRE_STREAM_LEAVES,
	WIRE_STREAM_BLOCKS,
	WIRE_STREAM_OTHER, /* CERTIFICATES, SHOW, EVIDENCE */
	WIRE_STREAMS_MAX,
	WIRE_STREAM_CLIENT = WIRE_STREAM_LANE, /* client messages are always one piece */
};

/* The stream of a wire_message kind; WIRE_STREAM_OTHER for unknown ones. */
enum wire_stream wire_stream_of(uint32_t message_kind);

enum wire_role { WIRE_ROLE_PEER = 1, WIRE_ROLE_CLIENT = 2 };

enum wire_refusal {
	WIRE_REFUSAL_NONE,
	WIRE_REFUSAL_VERSION, /* another session version */
	WIRE_REFUSAL_CHAIN,
	WIRE_REFUSAL_BUILD,  /* crypto build differs (peers; §11) */
	WIRE_REFUSAL_SET,    /* another epoch or validator set (peers) */
	WIRE_REFUSAL_MEMBER, /* not a member, or its own number */
	WIRE_REFUSAL_CIPHER, /* no cipher in common */
	WIRE_REFUSAL_FULL,   /* no room for another session; the caller's decision */
	WIRE_REFUSAL_COUNT,
};
const char *wire_refusal_text(enum wire_refusal refusal);

/* Who I am. `secret` and `public_key` are unused by clients; set_hash and epoch too. */
struct wire_party {
	enum wire_role role;
	struct crypto_hash chain_id;
	struct crypto_hash set_hash;
	uint64_t epoch;
	uint32_t build_id; /* crypto_build_id() */
	uint32_t replica;  /* own number; HS_REPLICA_NONE for clients */
	uint8_t ciphers;   /* bit (cipher - 1) set: usable here; wire_ciphers_usable() */
	struct crypto_exchange_secret secret;
	struct crypto_exchange_key public_key;
};
uint8_t wire_ciphers_usable(void);

/* Fresh random bytes for one handshake step. `index` names the new session on this side. */
struct wire_chance {
	struct crypto_exchange_secret ephemeral;
	uint32_t index; /* random, unused in the caller's table */
};

/* ---- an established session ---- */

struct wire_replay {
	uint64_t next; /* one above the highest counter seen */
	uint64_t word[2048 / 64];
};

struct wire_session {
	struct crypto_aead seal;
	struct crypto_aead open;
	uint64_t counter; /* of the next packet sealed */
	struct wire_replay replay;
	uint32_t local_index; /* what the other side writes into its packets */
	uint32_t remote_index;
	uint32_t replica;    /* the other side's number, HS_REPLICA_NONE for a client or unknown */
	enum wire_role role; /* of the session: PEER or CLIENT */
	bool is_initiator;   /* this side began it */
	/* the other side proved that it has the keys; responders wait for that */
	bool is_confirmed;
};

/* ---- initiator ---- */

struct wire_initiator {
	struct crypto_exchange_secret ephemeral;
	uint8_t chain_key[32];
	/* send this; again when a COOKIE came or nothing did */
	uint8_t packet[WIRE_INITIATION_BYTES];
	enum wire_role role;
	uint32_t replica;                            /* who is called */
	struct crypto_exchange_secret static_secret; /* peers */
	uint8_t ciphers;
	enum wire_refusal refusal; /* the last one heard; a hint only */
};

/*
 * Prepares a call to `replica` with session key `peer`. Returns 0, or ERR_KEY if the key is
 * unusable.
 */
int wire_initiator_init(struct wire_initiator *initiator, const struct wire_party *me,
			uint32_t replica, const struct crypto_exchange_key *peer,
			const struct wire_chance *chance);

enum wire_step {
	WIRE_STEP_IGNORED, /* not for this handshake, or damaged: count it */
	WIRE_STEP_SEND,    /* initiator: send `packet` again now. Responder: send ret_answer */
	WIRE_STEP_REFUSED, /* initiator: `refusal` says why */
	WIRE_STEP_DONE,    /* ret_session is ready. Responder: send ret_answer too */
};

/* COOKIE, REFUSAL or RESPONSE addressed to this initiator's index. */
enum wire_step wire_initiator_input(struct wire_initiator *initiator, const void *packet,
				    size_t count, struct wire_session *ret_session);

/* ---- responder ---- */

struct wire_responder {
	const struct wire_party *me;              /* kept by the caller */
	const struct crypto_exchange_key *member; /* session keys by replica number; caller's */
	uint32_t member_count;
	bool takes_clients;
	uint8_t cookie_secret[2][WIRE_COOKIE_SECRET_BYTES]; /* newest, and the one before */
};

struct wire_responder_config {
	const struct wire_party *me;
	const struct crypto_exchange_key *member;
	uint32_t member_count;
	bool takes_clients;
	uint8_t cookie_secret[WIRE_COOKIE_SECRET_BYTES]; /* random */
};
void wire_responder_init(struct wire_responder *responder,
			 const struct wire_responder_config *config);

/*
 * Call about every two minutes with fresh random bytes; cookies of the last secret stay good once
 * more.
 */
void wire_responder_rotate(struct wire_responder *responder,
			   const uint8_t secret[WIRE_COOKIE_SECRET_BYTES]);

struct wire_answer {
	uint32_t count; /* 0: say nothing */
	uint8_t bytes[WIRE_HANDSHAKE_BYTES_MAX];
};

/*
 * An INITIATION from `source`: address and port as bytes, at most WIRE_SOURCE_BYTES_MAX, compared
 * and never interpreted. SEND: a cookie or a refusal. DONE: a session that is not confirmed; the
 * caller keeps that peer's older one until this one is. `chance` is used up only by DONE.
 */
enum wire_step wire_responder_input(struct wire_responder *responder, const void *source,
				    size_t source_bytes, const void *packet, size_t count,
				    const struct wire_chance *chance,
				    struct wire_answer *ret_answer,
				    struct wire_session *ret_session);

/*
 * Role and member number an INITIATION claims (for budgets before any work); false if it is none.
 */
bool wire_initiation_claim(const void *packet, size_t count, enum wire_role *ret_role,
			   uint32_t *ret_replica);

/* A refusal the caller decides on (FULL). False if `packet` is no INITIATION. */
bool wire_refuse(const void *packet, size_t count, enum wire_refusal refusal,
		 struct wire_answer *ret_answer);

/* ---- packets ---- */

/* One piece of a message. A message that fits WIRE_SINGLE_BYTES_MAX is one piece: index 0 of 1. */
struct wire_piece {
	uint8_t stream; /* below WIRE_STREAMS_MAX */
	uint8_t index;
	uint8_t count;
	uint32_t message_id; /* 0 for single pieces; else rising per (session, stream), wraps */
	const uint8_t *bytes;
	/* may be 0 with count 1: a keepalive, or the confirmation of a session */
	uint32_t byte_count;
};

/*
 * Type and receiver index of a packet; false if it is none of ours. For INITIATION the index is 0.
 */
bool wire_packet_peek(const void *packet, size_t count, enum wire_packet_type *ret_type,
		      uint32_t *ret_receiver);

/* Pieces a message of `byte_count` needs; 0 if above WIRE_SPLIT_BYTES_MAX. */
uint32_t wire_piece_count(size_t byte_count);

/* Fills `ret_piece` with piece `index` of a message: bytes point into it. */
void wire_piece_of(const void *bytes, size_t byte_count, uint32_t index, enum wire_stream stream,
		   uint32_t message_id, struct wire_piece *ret_piece);

/*
 * Seals one piece straight into `ret_packet`. Returns its bytes, ERR_OVERSIZE, or ERR_FULL (key
 * used up).
 */
int wire_session_seal(struct wire_session *session, const struct wire_piece *piece,
		      void *ret_packet, size_t room);

/*
 * Opens a DATA packet into `ret_plain` (WIRE_SINGLE_BYTES_MAX bytes; may not overlap the packet).
 * Returns 0; ERR_TRUNCATED, ERR_OVERSIZE or ERR_FORMAT; ERR_REPLAY for a counter seen or too old;
 * ERR_SIGNATURE for a bad tag. Only a good tag moves the window or confirms the session.
 */
int wire_session_open(struct wire_session *session, const void *packet, size_t count,
		      uint8_t *ret_plain, struct wire_piece *ret_piece);

bool wire_session_wants_rekey(const struct wire_session *session);

/* ---- reassembly ---- */

struct wire_assembly {
	bool is_open;
	bool has_last_id; /* last_id was given out or abandoned: nothing at or below it returns */
	uint32_t last_id;
	uint32_t message_id;
	uint32_t piece_count;
	uint32_t have_map;
	uint32_t last_bytes; /* of the last piece, once it is here */
	uint8_t bytes[WIRE_SPLIT_BYTES_MAX];
};
/* Empty; also to be called when the peer's session changes, as message ids start anew. */
void wire_assembly_init(struct wire_assembly *assembly);

/*
 * Adds a piece. Returns 1 when a message is whole (bytes stay valid until the next call), 0 when
 * more is needed, ERR_DUPLICATE for a piece or message already seen, ERR_FORMAT for one that
 * contradicts the others. A newer message id abandons an unfinished older one. A single piece
 * is returned in place and leaves the buffer alone; `assembly` may then be NULL.
 */
int wire_assembly_add(struct wire_assembly *assembly, const struct wire_piece *piece,
		      const uint8_t **ret_bytes, uint32_t *ret_count);

#endif
