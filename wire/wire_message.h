/*
 * wire_message: everything replicas say to each other, bytes <-> values (PROTOCOL §3).
 *
 *     message = kind u8, version u8, reserved u16, epoch u64, body
 *
 * Decoding is total and gives *raw* values: lengths and ranges are right,
 * signatures are not checked (wire_verify.h does that). Lane frames and repair
 * frames point into the decoded bytes. Authors are not on the wire where the
 * session names them: the decoder takes `from`. COMMIT, ACKVEC and lane frames
 * are only ever their sender's own.
 */
#ifndef QUORATE_WIRE_MESSAGE_H
#define QUORATE_WIRE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_types.h"
#include "dataplane/lane_types.h"

enum {
	WIRE_VERSION = 1,
	WIRE_MESSAGE_HEAD_BYTES = 12,
	WIRE_MESSAGE_BYTES_MAX = 40 * 1024, /* 32 pieces of a datagram */
	WIRE_BLOCKS_MAX = 16,               /* blocks in one BLOCKS answer */
};

enum wire_kind {
	WIRE_PROPOSE = 1,
	WIRE_VOTE,
	WIRE_COMMIT,
	WIRE_TIMEOUT,
	WIRE_QC,
	WIRE_TC,
	WIRE_FC,
	WIRE_LANE_FRAME = 16,
	WIRE_BATCH,
	WIRE_ACKVEC,
	WIRE_WANT_BATCH,
	WIRE_REPAIR,
	WIRE_LEAVES,
	WIRE_WANT_BLOCK = 32, /* one block by id */
	WIRE_WANT_BLOCKS,     /* committed blocks from a height on */
	WIRE_BLOCKS,          /* answer to both */
	WIRE_WANT_CERTIFICATES,
	WIRE_CERTIFICATES,
	WIRE_SHOW,   /* rule R: the highest statement I saw signed by your key */
	WIRE_STATUS, /* committed height, so a laggard knows; a claim only */
	WIRE_EVIDENCE,
};

struct wire_want_block {
	struct crypto_hash id;
};
struct wire_want_blocks {
	uint64_t first_height;
	uint32_t count;
};

/*
 * Blocks as stored; `has_fc`: an FC for the last one follows. Answers carry no claim beyond their
 * bytes.
 */
struct wire_blocks {
	uint32_t count;
	uint64_t committed_height;                   /* the sender's, a claim */
	const uint8_t *block_bytes[WIRE_BLOCKS_MAX]; /* each decodes with wire_decode_block() */
	uint32_t block_byte_count[WIRE_BLOCKS_MAX];
	bool has_fc;
	struct hs_fc fc;
};

struct wire_certificates {
	struct hs_qc high_qc;
	struct hs_entry entry;
	bool has_fc;
	struct hs_fc fc;
	uint64_t committed_height;
};

struct wire_show {
	struct hs_statement statement;
};

struct wire_status {
	uint64_t view;
	uint64_t committed_height;
	uint64_t wall_ns;
};

struct wire_evidence {
	bool is_lane;
	struct hs_evidence core;
	struct lane_evidence lane;
};

struct wire_message {
	enum wire_kind kind;
	uint32_t from; /* the session's replica */
	uint64_t epoch;
	union {
		struct hs_message core; /* kinds 1..7 */
		struct lane_frame lane_frame;
		struct lane_header batch;
		struct lane_ackvec ackvec;
		struct lane_want want_batch;
		struct lane_repair repair;
		struct lane_leaves leaves;
		struct wire_want_block want_block;
		struct wire_want_blocks want_blocks;
		struct wire_blocks blocks;
		struct wire_certificates certificates;
		struct wire_show show;
		struct wire_status status;
		struct wire_evidence evidence;
	} u;
};

/* Writes the message's bytes; returns the count, or ERR_OVERSIZE if `room` is too small. */
int wire_encode(const struct wire_message *message, void *ret_bytes, size_t room);

/*
 * Any bytes in, a raw message or a reason out: ERR_FORMAT, ERR_TRUNCATED, ERR_OVERSIZE, ERR_EPOCH,
 * ERR_NEWER. Block ids and batch digests are derived here, hence chain id and set hash.
 */
int wire_decode(const void *bytes, size_t count, uint32_t from, const struct crypto_hash *chain_id,
		const struct crypto_hash *set_hash, uint32_t replica_count, uint64_t epoch,
		struct wire_message *ret_message);

/* A block on its own: the BLOCK record of the block log, and an entry of BLOCKS. */
int wire_encode_block(const struct hs_block *block, void *ret_bytes, size_t room);
int wire_decode_block(const void *bytes, size_t count, const struct crypto_hash *chain_id,
		      const struct crypto_hash *set_hash, uint32_t replica_count,
		      struct hs_block *ret_block);

/*
 * The safety record's bytes (PROTOCOL §4): unknown version or missing field is ERR_NEWER /
 * ERR_FORMAT.
 */
int wire_encode_record(const struct hs_record *record, void *ret_bytes, size_t room);
int wire_decode_record(const void *bytes, size_t count, uint32_t replica_count,
		       struct hs_record *ret_record);

/* A batch header on its own: head of a BATCH record of the lane log. */
enum { WIRE_BATCH_HEADER_BYTES = 4 + 8 + 32 + 32 + 4 + 4 + 64 };
int wire_encode_batch_header(const struct lane_header *header, void *ret_bytes, size_t room);
int wire_decode_batch_header(const void *bytes, size_t count, const struct crypto_hash *chain_id,
			     struct lane_header *ret_header);

/* Digest of a batch header, and what its signature covers. */
struct crypto_hash wire_batch_digest(const struct crypto_hash *chain_id,
				     const struct lane_header *header);
uint32_t wire_batch_signed_bytes(const struct crypto_hash *chain_id, uint64_t epoch,
				 const struct crypto_hash *set_hash,
				 const struct crypto_hash *digest,
				 uint8_t ret_bytes[CRYPTO_SIGNED_BYTES_MAX]);

/*
 * Merkle root over `count` >= 1 leaves (an odd last node rises unpaired); `scratch` holds `count`
 * hashes.
 */
struct crypto_hash wire_merkle_root(const struct crypto_hash *leaves, uint32_t count,
				    struct crypto_hash *scratch);
/* Path of leaf `index`; returns its length. */
uint32_t wire_merkle_path(const struct crypto_hash *leaves, uint32_t count, uint32_t index,
			  struct crypto_hash *scratch,
			  struct crypto_hash ret_path[LANE_REPAIR_PATH_MAX]);
/* Length of the path of leaf `index` < `count`: derived, so never carried. */
uint32_t wire_merkle_path_count(uint32_t count, uint32_t index);
bool wire_merkle_verify(const struct crypto_hash *leaf, uint32_t index, uint32_t count,
			const struct crypto_hash *path, uint32_t path_count,
			const struct crypto_hash *root);

#endif
