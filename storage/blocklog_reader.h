/*
 * blocklog_reader: reads a store that another thread or process may be writing.
 *
 * Model    Its own descriptors on the store's directory, no lock, nothing written.
 *          It believes no length or byte whose checksum it has not computed, and
 *          when it reads on from where it stopped, it checks the chain as well.
 *          Beside a running node it must be told how far is durable
 *          (blocklog_store_durable_end()); offline it finds the end itself.
 * Memory   The caller's region, kept until close. A record's bytes are lent until the
 *          next call with the same reader.
 * Threads  One caller at a time. Blocking.
 * Errors   ERR_CORRUPT is damage at *position: nothing of that record is handed out.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_READER_H
#define QUORATE_STORAGE_BLOCKLOG_READER_H

#include <stddef.h>
#include <stdint.h>

#include "storage/blocklog_store.h"

struct blocklog_reader;

struct blocklog_view {
	uint16_t kind;
	uint64_t position;
	uint64_t sequence; /* records of its log before this one */
	const void *bytes;
	size_t count;
};

size_t blocklog_reader_footprint(void);

/*
 * Opens the store in `directory` for reading. ERR_NOT_FOUND, ERR_CORRUPT or ERR_NEWER
 * (superblock), ERR_PERMISSION, ERR_MEMORY or -errno, and one line in `ret_reason`.
 */
int blocklog_reader_open(const char *directory, void *memory, size_t memory_bytes,
			 struct blocklog_reader **ret_reader, char *ret_reason,
			 size_t reason_bytes);

/* Closes its descriptors. Accepts NULL. */
void blocklog_reader_close(struct blocklog_reader *reader);

/* Whose store it is. */
const struct blocklog_identity *blocklog_reader_identity(const struct blocklog_reader *reader);

/*
 * The next record of the lane or block log at or after `*position` (0: the first one)
 * and before `end`, a durable end. Returns 1 and moves `*position` behind it, 0 at
 * `end`, or a negative code with `*position` at the damage.
 */
int blocklog_reader_next(struct blocklog_reader *reader, enum blocklog_log log, uint64_t *position,
			 uint64_t end, struct blocklog_view *ret_view);

/*
 * The record at exactly `position`, before `end`. Returns 0, ERR_NOT_FOUND (behind the
 * end, or no application record) or ERR_CORRUPT.
 */
int blocklog_reader_at(struct blocklog_reader *reader, enum blocklog_log log, uint64_t position,
		       uint64_t end, struct blocklog_view *ret_view);

/*
 * Finds the end of a log as recovery would, changing nothing; `ret_torn_bytes` is what
 * recovery would cut. Offline only: beside a running node pages change between two looks,
 * which can pass for damage.
 */
int blocklog_reader_tail(struct blocklog_reader *reader, enum blocklog_log log, uint64_t *ret_end,
			 uint64_t *ret_torn_bytes);

/* The newest safety record, as recovery would choose it. ERR_NOT_FOUND: none for certain. */
int blocklog_reader_safety(struct blocklog_reader *reader, struct blocklog_view *ret_view);

#endif
