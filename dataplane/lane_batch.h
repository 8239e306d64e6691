/*
 * lane_batch: one batch in one buffer, and the BATCH record it becomes (PROTOCOL §2.1, §2.2).
 *
 *     record = header (WIRE_BATCH_HEADER_BYTES)
 *            | frames, in arrival order, without gaps
 *            | index table: frame_count x { offset u32, length u32 }, in index order
 *
 * Offsets count from the record's start. The table comes last because nobody
 * knows its size before the batch closes; the header's room has a fixed size
 * and comes first. Lengths follow from the header: the record is exactly
 * header + frame_bytes + 8 * frame_count bytes.
 *
 * An owner's own record carries a zero signature: it is written while the
 * header is being signed, and the digest does not cover the signature.
 *
 * Memory   The record lives in a page-aligned buffer with a page of room before
 *          it; table and hashes of a batch being filled live beside it.
 * Errors   lane_record_open() is total: any bytes give a view or a reason.
 */
#ifndef QUORATE_DATAPLANE_LANE_BATCH_H
#define QUORATE_DATAPLANE_LANE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/lane_types.h"

enum {
	LANE_PAGE_BYTES = 4096,
	LANE_INDEX_ENTRY_BYTES = 8,
};

/* Where one frame of a batch being filled is; offset 0: not here yet. */
struct lane_place {
	uint32_t offset;
	uint32_t byte_count;
};

/* A batch being filled, or filled. Arrays hold `frames_max` entries. */
struct lane_batch {
	uint8_t *record; /* page-aligned */
	struct lane_place *place;
	struct crypto_hash *hash;
	uint32_t frames_max;
	uint32_t bytes_max;   /* of frames */
	uint32_t frame_count; /* held */
	uint32_t frame_bytes;
	uint32_t index_end;                           /* one above the highest index held */
	uint32_t record_bytes;                        /* once sealed */
	uint64_t bad_map[LANE_BATCH_FRAMES_MAX / 64]; /* bit i: frame i has a bad client seal */
};

/* Bytes of one buffer: a page of room, then the largest record rounded up to pages. */
size_t lane_batch_buffer_bytes(uint32_t bytes_max, uint32_t frames_max);

/* Makes `batch` empty over `buffer` (lane_batch_buffer_bytes(), page-aligned). */
void lane_batch_init(struct lane_batch *batch, uint8_t *buffer, struct lane_place *place,
		     struct crypto_hash *hash, uint32_t bytes_max, uint32_t frames_max);

/* Forgets all frames. */
void lane_batch_clear(struct lane_batch *batch);

bool lane_batch_has(const struct lane_batch *batch, uint32_t index);

/* True if a frame of this length still fits at some free index. */
bool lane_batch_fits(const struct lane_batch *batch, uint32_t byte_count);

/* Copies a frame in; returns 0, ERR_FORMAT (index), ERR_DUPLICATE (held), or ERR_OVERSIZE. */
int lane_batch_add(struct lane_batch *batch, uint32_t index, const struct crypto_hash *frame_hash,
		   bool is_signed, const uint8_t *bytes, uint32_t byte_count);

/* Takes a frame out again; the frames behind it move up, so no gap remains. */
void lane_batch_remove(struct lane_batch *batch, uint32_t index);

/* Takes out every frame at or above `count`. */
void lane_batch_trim(struct lane_batch *batch, uint32_t count);

/* One frame's bytes; NULL if it is not held. */
const uint8_t *lane_batch_frame(const struct lane_batch *batch, uint32_t index,
				uint32_t *ret_byte_count);

/* True if any frame held has a bad client seal; `ret_index` is the lowest. */
bool lane_batch_has_bad(const struct lane_batch *batch, uint32_t *ret_index);

/* Does it hold exactly the header's frames? `scratch` holds frames_max hashes. */
bool lane_batch_is_complete(const struct lane_batch *batch, const struct lane_header *header);
bool lane_batch_matches(const struct lane_batch *batch, const struct lane_header *header,
			struct crypto_hash *scratch);

/* Root of all frames held; they must be contiguous from index 0. */
struct crypto_hash lane_batch_root(const struct lane_batch *batch, struct crypto_hash *scratch);

/*
 * Writes header, table and zero padding up to the page: afterwards the record is ready for the
 * disk.
 */
void lane_batch_seal(struct lane_batch *batch, const struct lane_header *header);

/* A BATCH record's parts; points into its bytes. */
struct lane_record {
	struct lane_header header; /* signature unchecked */
	const uint8_t *bytes;
	const uint8_t *table;
};

/*
 * Finds a record's parts: header bounds, exact length, every frame inside the
 * frames' area. Returns 0, ERR_FORMAT, ERR_TRUNCATED or ERR_OVERSIZE. Trailing
 * bytes beyond the record are refused.
 */
int lane_record_open(const void *bytes, size_t count, const struct crypto_hash *chain_id,
		     struct lane_record *ret_record);

/* Frame `index` (below header.frame_count) of an opened record. */
const uint8_t *lane_record_frame(const struct lane_record *record, uint32_t index,
				 uint32_t *ret_byte_count);

/*
 * Hashes every frame and compares the root with the header's; returns 0 or
 * ERR_CORRUPT. `ret_leaves` and `scratch` hold LANE_BATCH_FRAMES_MAX hashes each.
 */
int lane_record_check(const struct lane_record *record, struct crypto_hash *ret_leaves,
		      struct crypto_hash *scratch);

/* Hash of a frame's bytes: a leaf of the batch's tree. */
struct crypto_hash lane_frame_hash(const uint8_t *bytes, uint32_t byte_count);

#endif
