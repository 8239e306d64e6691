/*
 * wire_client: what clients and nodes say to each other (PROTOCOL §1, §7).
 *
 *     message = kind u8, version u8, reserved u16, request u32, body
 *
 * The same bytes travel in a session (one datagram a message, WIRE_STREAM_CLIENT)
 * and over a node's local SOCK_SEQPACKET socket (one packet a message).
 * `request` is chosen by the client and comes back in every answer to it; what
 * a node says unasked (a RECEIPT by subscription) carries 0.
 *
 *     SUBMIT    -> RECEIPT once durable and final, or REFUSAL; nothing while it is on its way
 *     SUBSCRIBE -> RECEIPTs of that key from now on
 *     GET       -> RECORD, or ERROR NOT_FOUND
 *     TAIL      -> at most `max` RECORDs in order, then TAIL_END with where to go on
 *     PROVE     -> PROOF pieces from `offset` on, or ERROR NOT_FOUND (not final, or unknown)
 *     STATUS    -> STATUS_ANSWER
 *
 * Losses are the client's to repair: SUBMIT again (exactly once, §1), TAIL from
 * the next position, PROVE from the first missing offset.
 * Decoding is total; byte pointers point into what was decoded.
 */
#ifndef QUORATE_WIRE_CLIENT_H
#define QUORATE_WIRE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_types.h"
#include "wire/wire_session.h"

enum {
	WIRE_CLIENT_VERSION = 1,
	WIRE_CLIENT_HEAD_BYTES = 8,
	WIRE_CLIENT_BYTES_MAX = WIRE_SINGLE_BYTES_MAX, /* of any message, either way */
	WIRE_CLIENT_PROOF_BYTES = 1280,                /* in each PROOF but the last */
	WIRE_CLIENT_TEXT_BYTES_MAX = 256,
	WIRE_CLIENT_RECORDS_MAX = 1 << 20, /* in one TAIL */
	WIRE_CLIENT_WINDOW = 4096,         /* numbers a client may have outstanding (§1) */
};

enum wire_client_kind {
	WIRE_CLIENT_SUBMIT = 1,
	WIRE_CLIENT_SUBSCRIBE,
	WIRE_CLIENT_GET,
	WIRE_CLIENT_TAIL,
	WIRE_CLIENT_PROVE,
	WIRE_CLIENT_STATUS,
	WIRE_CLIENT_RECEIPT = 32,
	WIRE_CLIENT_REFUSAL,
	WIRE_CLIENT_RECORD,
	WIRE_CLIENT_TAIL_END,
	WIRE_CLIENT_PROOF,
	WIRE_CLIENT_STATUS_ANSWER,
	WIRE_CLIENT_ERROR,
};

/* One transaction, by id or by (client, seq). */
struct wire_client_name {
	bool by_txid;
	struct crypto_hash txid;
	struct crypto_public_key client;
	uint64_t seq;
};

struct wire_client_submit {
	const uint8_t *frame;
	uint32_t frame_bytes; /* at most LANE_FRAME_BYTES_MAX; not parsed here */
};

struct wire_client_tail {
	uint64_t height; /* first record wanted: this block... */
	uint32_t index;  /* ...and this transaction of it */
	bool follows;    /* wait at the end for more; else TAIL_END there */
	uint32_t max;    /* 1..WIRE_CLIENT_RECORDS_MAX */
};

struct wire_client_prove {
	struct wire_client_name name;
	uint32_t offset;
};

/* Bits of `ordered_map` beyond `count` are 0. A SKIP has an empty map and any count. */
struct wire_client_receipt {
	struct crypto_public_key client;
	uint64_t first_seq;
	uint32_t count;
	uint64_t ordered_map
		[4]; /* bit i: first_seq + i counts in this block (or did before: duplicate) */
	uint64_t height;
	uint32_t first_index;
	struct crypto_hash block_id;
};

struct wire_client_refusal {
	struct crypto_public_key client;
	uint64_t first_seq;
	int32_t reason; /* negative code of base/err.h: AHEAD, FULL, OVERSIZE, EXPIRED, ... */
	uint64_t limit; /* what it ran against, 0 if nothing to say */
};

struct wire_client_record {
	uint64_t height;
	uint32_t index;
	struct crypto_hash txid;
	struct crypto_public_key client;
	uint64_t seq;
	uint64_t time_ns; /* the block's */
	const uint8_t *payload;
	uint32_t payload_bytes;
};

struct wire_client_tail_end {
	uint64_t height; /* next record, if there is one, is at or after (height, index) */
	uint32_t index;
	uint64_t final_height;
};

struct wire_client_proof {
	uint64_t tag;    /* same for all pieces of one proof; another tag: begin anew */
	uint32_t total;  /* bytes of the whole proof, at most WIRE_PROOF_BYTES_MAX */
	uint32_t offset; /* of these bytes; a multiple of WIRE_CLIENT_PROOF_BYTES */
	const uint8_t *bytes;
	uint32_t byte_count; /* WIRE_CLIENT_PROOF_BYTES, or what is left for the last piece */
};

struct wire_client_status {
	struct crypto_hash chain_id;
	uint32_t replica;
	uint32_t replica_count;
	uint64_t epoch;
	uint64_t view;
	uint64_t height; /* delivered here */
	struct crypto_hash block_id;
	uint64_t transactions; /* ordered, ever */
	uint32_t leader;
	uint32_t peers_up;
	bool is_observer;
	uint64_t wall_ns;
};

struct wire_client_error {
	int32_t code;     /* negative code of base/err.h */
	const char *text; /* printable ASCII, not terminated */
	uint32_t text_bytes;
};

struct wire_client_message {
	enum wire_client_kind kind;
	uint32_t request;
	union {
		struct wire_client_submit submit;
		struct crypto_public_key subscribe;
		struct wire_client_name get;
		struct wire_client_tail tail;
		struct wire_client_prove prove;
		struct wire_client_receipt receipt;
		struct wire_client_refusal refusal;
		struct wire_client_record record;
		struct wire_client_tail_end tail_end;
		struct wire_client_proof proof;
		struct wire_client_status status;
		struct wire_client_error error;
	} u;
};

/* Returns the bytes written, or ERR_OVERSIZE. Values out of range are our own fault: ensure(). */
int wire_client_encode(const struct wire_client_message *message, void *ret_bytes, size_t room);

/* Returns 0, or ERR_FORMAT, ERR_TRUNCATED, ERR_OVERSIZE, ERR_NEWER. */
int wire_client_decode(const void *bytes, size_t count, struct wire_client_message *ret_message);

#endif
