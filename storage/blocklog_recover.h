/*
 * blocklog_recover: finds what a store holds, by reading only. Pure.
 *
 *     [SEGMENT] record record | record PAD | ??? 0 0 0 0
 *                                          ^ end: torn, clean, or damage?
 *
 * Model    A cursor walks a log record by record and accepts one only if magic,
 *          log, position, sequence, previous checksum and checksum all hold.
 *          Where it stops, everything behind is looked through: a valid record
 *          that says settled > stop means the record at the stop was durable,
 *          so it is damaged (ERR_CORRUPT). Otherwise the rest was never
 *          acknowledged: a torn tail. Durable ends that a safety record has
 *          seen count like such a witness.
 * Memory   One window for reading, page-aligned, the caller's.
 * Errors   ERR_CORRUPT: damage, at cursor.position. A page that cannot be read
 *          is damage.
 * Source   STORAGE.md "What can go wrong"; Alagappan et al., TOS 14(3) 2018.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_RECOVER_H
#define QUORATE_STORAGE_BLOCKLOG_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/blocklog_dev.h"
#include "storage/blocklog_format.h"

/* How the pages of a store are read; blocking. Offsets, counts and memory are page multiples. */
struct blocklog_source {
	void *context;
	int (*read)(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		    void *ret_bytes, size_t count);
	int (*census)(void *context, enum blocklog_area area, uint64_t *ret_first,
		      uint64_t *ret_end);
};

static inline enum blocklog_area blocklog_area_of(enum blocklog_log log)
{
	return (enum blocklog_area)((int)log + BLOCKLOG_AREA_SAFETY);
}

/* One record where it was found; `bytes` live until the cursor's next step. */
struct blocklog_record {
	struct blocklog_head head;
	const uint8_t *bytes;
};

struct blocklog_cursor {
	const struct blocklog_source *source;
	struct blocklog_key key;
	enum blocklog_log log;
	uint64_t segment_bytes;

	uint8_t *window;
	size_t window_bytes;
	size_t ahead_bytes;       /* read at once, at most the window; small for single records */
	uint64_t limit;           /* nothing at or behind is read: it may still be changing */
	uint64_t loaded_position; /* of the window's first byte */
	size_t loaded_bytes;

	uint64_t position; /* of the next record */
	uint64_t sequence;
	struct blocklog_checksum previous;
	bool is_chained; /* false: the next record is the first one seen */
};

/* Window bytes a cursor needs for records of up to `record_bytes_max`. */
static inline size_t blocklog_window_bytes(uint64_t record_bytes_max)
{
	return (size_t)(blocklog_span(record_bytes_max) / BLOCKLOG_PAGE_BYTES + 2) *
	       BLOCKLOG_PAGE_BYTES;
}

/* Puts a cursor at `position`, which is a record's start, or a segment's. */
void blocklog_cursor_init(struct blocklog_cursor *cursor, const struct blocklog_source *source,
			  const struct blocklog_key *key, enum blocklog_log log,
			  uint64_t segment_bytes, void *window, size_t window_bytes);
void blocklog_cursor_seek(struct blocklog_cursor *cursor, uint64_t position);

/*
 * Looks at the cursor's position only. Returns 1 and steps over a record (also PAD
 * and SEGMENT), 0 if no acceptable record starts here, or ERR_CORRUPT if it cannot be read.
 */
int blocklog_cursor_step(struct blocklog_cursor *cursor, struct blocklog_record *ret_record);

/*
 * The next application record before `end`, a durable end. Steps over PADs and from
 * segment to segment. Returns 1, 0 at `end`, or ERR_CORRUPT at cursor->position.
 */
int blocklog_cursor_next(struct blocklog_cursor *cursor, uint64_t end,
			 struct blocklog_record *ret_record);

/* The newest superblock; which of its copies are not it; or ERR_NOT_FOUND, _CORRUPT, _NEWER. */
struct blocklog_super_found {
	struct blocklog_superblock superblock;
	bool copy_is_bad[BLOCKLOG_SUPER_COPIES];
};
int blocklog_recover_super(const struct blocklog_source *source, void *window,
			   struct blocklog_super_found *ret_found);

/* The newest safety record. `record` has its whole span. */
struct blocklog_safety_found {
	struct blocklog_head head;
	bool copy_is_bad[BLOCKLOG_SAFETY_COPIES];
	uint64_t settled[BLOCKLOG_LOG_COUNT]; /* durable ends it has seen; 0 for the safety log */
	uint64_t torn_bytes;                  /* in the next slot */
	bool next_is_rubbish[BLOCKLOG_SAFETY_COPIES]; /* torn or unreadable: to be zeroed */
};

/* How often a slot is read before it is called unreadable: errors that pass do no harm. */
enum { BLOCKLOG_SAFETY_READS = 3 };

/*
 * Returns 0, or ERR_NOT_FOUND when the newest record cannot be told for certain: no
 * valid record, two that differ, a broken chain, or both copies of the next slot
 * unreadable (not merely torn). `ret_record` has room for one slot.
 */
int blocklog_recover_safety(const struct blocklog_source *source, const struct blocklog_key *key,
			    void *window, uint8_t *ret_record,
			    struct blocklog_safety_found *ret_found);

/* Where a log ends and how to go on. */
struct blocklog_tail {
	uint64_t segment_first; /* segments that exist: [first, end) */
	uint64_t segment_end;
	uint64_t end;      /* of the last whole record */
	uint64_t sequence; /* of the next record */
	struct blocklog_checksum previous;
	uint64_t torn_from; /* pages to be zeroed: [from, to), may be empty */
	uint64_t torn_to;
	uint64_t torn_bytes;
};

/*
 * Finds the tail of the lane or block log; `settled` is a durable end known from
 * elsewhere. Reads the last segment in use and the prepared one, never the history.
 * Returns 0 or ERR_CORRUPT with cursor->position naming the place.
 */
int blocklog_recover_tail(struct blocklog_cursor *cursor, uint64_t settled,
			  struct blocklog_tail *ret_tail);

#endif
