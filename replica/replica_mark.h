/*
 * replica_mark: what a block did, as a record of the block log (kind MARK).
 *
 *     mark = head | batch_count x batch | exception_count x exception
 *
 * Model    One delivered block has one mark, or several parts in a row when its
 *          exceptions are many; the last part says so. A part names whole
 *          batches in the order they count, where each lies in the lane log,
 *          and the transactions in them that do not count, as runs. Reading the
 *          batches and leaving out the runs gives the exact order, without
 *          windows. A batch index is relative to its part.
 * Decoding Total, in place, no copy: any bytes give a view or ERR_FORMAT.
 * Integers Little-endian, fixed width. docs/log-format.md says it in prose.
 */
#ifndef QUORATE_REPLICA_REPLICA_MARK_H
#define QUORATE_REPLICA_REPLICA_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_types.h"
#include "dataplane/lane_types.h"
#include "wire/wire_frame.h"

enum {
	REPLICA_MARK_VERSION = 1,
	REPLICA_MARK_HEAD_BYTES = 2 + 1 + 1 + 4 + 8 + 32 + 8 + 8 + 8 + 8 + 4 + 4 + 4 + 4 + 4,
	REPLICA_MARK_BATCH_BYTES = 4 + 8 + 32 + 8 + 4,
	REPLICA_MARK_EXCEPTION_BYTES = 2 + 2 + 1 + 1 + 1,
	/* A part takes no further batch above this many runs... */
	REPLICA_MARK_EXCEPTIONS_SOFT = 16 * 1024,
	/* ...and one batch has at most this many more. */
	REPLICA_MARK_EXCEPTIONS_MAX = REPLICA_MARK_EXCEPTIONS_SOFT +
				      LANE_BATCH_FRAMES_MAX * (WIRE_FRAME_TRANSACTIONS_MAX / 2),
	REPLICA_MARK_BATCHES_MAX = 4096, /* in one part */
};

struct replica_mark_batch {
	uint32_t lane;
	uint64_t seq;
	struct crypto_hash digest;
	uint64_t position; /* in the lane log */
	uint32_t tx_count; /* transactions of it that count */
};

/* Transactions [first, first + count) of a frame do not count. */
struct replica_mark_exception {
	uint32_t batch;
	uint32_t frame;
	uint32_t first;
	uint32_t count; /* at least 1 */
	uint8_t reason; /* enum replica_outcome, never ORDERED */
};

struct replica_mark {
	uint64_t height;
	struct crypto_hash block_id;
	uint64_t block_position; /* of the BLOCK record in this log */
	uint64_t view;
	uint64_t time_ns; /* the header's */
	uint64_t tx_base; /* transactions ordered before this part, ever */
	uint32_t part;    /* from 0 */
	bool is_last;
	uint32_t index_base; /* index in the block of the part's first transaction */
	uint32_t tx_count;   /* transactions of this part that count */
	uint32_t tx_dropped;
	uint32_t batch_count;
	uint32_t exception_count;
	const uint8_t *batches;
	const uint8_t *exceptions;
};

/* A part being written: numbers in `mark`, lists in the caller's memory. */
struct replica_mark_builder {
	struct replica_mark mark; /* its pointers are unused */
	uint8_t *batch_bytes;     /* REPLICA_MARK_BATCHES_MAX entries */
	uint8_t *exception_bytes; /* REPLICA_MARK_EXCEPTIONS_MAX entries */
};

/* Begins a part; the caller sets the mark's other numbers. */
void replica_mark_begin(struct replica_mark_builder *builder, uint32_t part);

/* True when the part must be written before another batch is added. */
bool replica_mark_is_full(const struct replica_mark_builder *builder);

/* Adds a batch; replica_mark_count_batch() sets the last one's tx_count once it is known. */
void replica_mark_add_batch(struct replica_mark_builder *builder,
			    const struct replica_mark_batch *batch);
void replica_mark_count_batch(struct replica_mark_builder *builder, uint32_t tx_count);

/* Adds the runs of one frame of the last batch: every outcome that is not ORDERED. */
void replica_mark_add_frame(struct replica_mark_builder *builder, uint32_t frame,
			    const uint8_t *outcome, uint32_t count);

/* Bytes of the part as a record. */
size_t replica_mark_bytes(const struct replica_mark_builder *builder);

/* Writes the record; returns its bytes, or ERR_OVERSIZE. */
int replica_mark_encode(const struct replica_mark_builder *builder, void *ret_bytes, size_t room);

/* Returns 0 and a view into `bytes`, ERR_FORMAT, or ERR_NEWER. */
int replica_mark_decode(const void *bytes, size_t count, struct replica_mark *ret_mark);

void replica_mark_batch_at(const struct replica_mark *mark, uint32_t index,
			   struct replica_mark_batch *ret_batch);
void replica_mark_exception_at(const struct replica_mark *mark, uint32_t index,
			       struct replica_mark_exception *ret_exception);

#endif
