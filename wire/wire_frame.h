/*
 * wire_frame: a client frame and its seal (PROTOCOL §1).
 *
 *     frame = head | count x { length u16, payload } | seal
 *     head  = magic u32 "QRF1", version u8, kind u8, count u16, chain tag u64,
 *             client key 32, first_seq u64, expires u64
 *     seal  = depth u8, leaf index u8, depth x sibling 32, signature 64
 *
 * The signature covers (tag, chain id, client key, root). The leaf is
 * H("QRFleaf1" || frame without seal); the root is the leaf folded with its
 * siblings. A frame and its seal convince anybody who has the chain id.
 * Parsing is total: any bytes give a view or a reason, in place, no copy.
 */
#ifndef QUORATE_WIRE_FRAME_H
#define QUORATE_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_sign.h"
#include "crypto/crypto_types.h"
#include "dataplane/lane_types.h"

enum {
	WIRE_FRAME_MAGIC = 0x31465251,
	WIRE_FRAME_VERSION = 1,
	WIRE_FRAME_HEAD_BYTES = 64,
	WIRE_FRAME_TRANSACTIONS_MAX = 256,
	WIRE_SEAL_DEPTH_MAX = 6,
	WIRE_SEAL_BYTES_MIN = 2 + CRYPTO_SIGNATURE_BYTES,
	WIRE_PAYLOAD_BYTES_MAX =
		LANE_FRAME_BYTES_MAX - WIRE_FRAME_HEAD_BYTES - 2 - WIRE_SEAL_BYTES_MIN,
};

enum wire_frame_kind {
	WIRE_FRAME_TRANSACTIONS = 1,
	WIRE_FRAME_SKIP = 2, /* gives up [first_seq, first_seq + count); no payloads */
};

/* Where a frame's parts are; points into the bytes it was parsed from. Not verified. */
struct wire_frame {
	enum wire_frame_kind kind;
	uint64_t chain_tag;
	struct crypto_public_key client;
	uint64_t first_seq;
	uint32_t count;
	uint64_t expires; /* last height at which it may be ordered */
	const uint8_t *bytes;
	uint32_t byte_count;     /* all of it */
	uint32_t body_bytes;     /* without the seal: what the leaf covers */
	const uint8_t *payloads; /* first length field */
	uint8_t seal_depth;
	uint8_t leaf_index;
	const uint8_t *siblings;
	const uint8_t *signature;
};

/*
 * Returns 0, or ERR_FORMAT, ERR_TRUNCATED, ERR_OVERSIZE. Chain and signature are not checked here.
 */
int wire_frame_parse(const void *bytes, size_t count, struct wire_frame *ret_frame);

/*
 * Walks the payloads: start with *at = NULL; returns false at the end. `ret_seq` counts up from
 * first_seq.
 */
struct wire_payload {
	uint64_t seq;
	const uint8_t *bytes;
	uint32_t byte_count;
};
struct wire_payload_walk {
	const struct wire_frame *frame;
	uint32_t index;
	const uint8_t *at;
};
void wire_payload_walk_init(struct wire_payload_walk *walk, const struct wire_frame *frame);
bool wire_payload_next(struct wire_payload_walk *walk, struct wire_payload *ret_payload);

/* H(tag || whole frame): what a batch's Merkle tree holds. */
struct crypto_hash wire_frame_hash(const struct wire_frame *frame);
struct crypto_hash wire_frame_hash_of(const void *bytes,
				      size_t count); /* any bytes, parsed or not */

/* H("QRFleaf1" || body). */
struct crypto_hash wire_frame_leaf(const struct wire_frame *frame);

/* The seal's root for this leaf: folds the siblings. */
struct crypto_hash wire_frame_root(const struct wire_frame *frame, const struct crypto_hash *leaf);

/* What the seal's signature covers; returns bytes written. */
uint32_t wire_seal_signed_bytes(const struct crypto_hash *chain_id,
				const struct crypto_public_key *client,
				const struct crypto_hash *root,
				uint8_t ret_bytes[CRYPTO_SIGNED_BYTES_MAX]);

/* Id of a transaction: H("QRtxid01" || client || seq || payload); covers no signature bytes. */
struct crypto_hash wire_txid(const struct crypto_public_key *client, uint64_t seq,
			     const void *payload, size_t payload_bytes);

/* First 8 bytes of the chain id, little-endian. */
uint64_t wire_chain_tag(const struct crypto_hash *chain_id);

/* Building: writes a frame's body (no seal) to `ret_bytes` (LANE_FRAME_BYTES_MAX). */
struct wire_frame_spec {
	enum wire_frame_kind kind;
	struct crypto_hash chain_id;
	struct crypto_public_key client;
	uint64_t first_seq;
	uint64_t expires;
	uint32_t count;
	const void *const *payload; /* `count` of them; NULL for SKIP */
	const uint32_t *payload_bytes;
	uint32_t seal_depth; /* room kept for the seal */
};
/* Returns the body's bytes, or ERR_OVERSIZE (does not fit with its seal), ERR_FORMAT. */
int wire_frame_build(const struct wire_frame_spec *spec, uint8_t *ret_bytes, size_t room);

#endif
