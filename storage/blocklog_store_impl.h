/*
 * blocklog_store_impl: the store's insides, shared by the blocklog_store*.c files only.
 *
 *     FREE -> FILLING -> SEALED -> WRITING -> WRITTEN -> FREE
 *                 \________\__________\-----> FAILED  -> FREE
 *
 * A line is the lane or the block log being appended to. Its groups form a ring in
 * log order; tickets are reported from the oldest group only, so done tickets are
 * always a prefix of the log. Invariants: at most GROUPS_WRITING_MAX groups of a line
 * are under way; a group that opens a segment is written only when everything before
 * it is durable, so that recovery may begin at the last segment.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_STORE_IMPL_H
#define QUORATE_STORAGE_BLOCKLOG_STORE_IMPL_H

#include <stdatomic.h>

#include "storage/blocklog_dev.h"
#include "storage/blocklog_format.h"
#include "storage/blocklog_recover.h"
#include "storage/blocklog_store.h"

enum {
	GROUPS = 4, /* of a line: one filling, the others on their way */
	GROUPS_WRITING_MAX = 2,
	GROUP_TICKETS_MAX = 512,
	SAFETY_TICKETS_MAX = 64,
	BOUNCES = 4,                  /* reads under way at the device */
	READ_FIRST_BYTES = 64 * 1024, /* most records need no second read */
	CREATE_PAUSE_TURNS = 4096,    /* after a failed segment creation */
	ZEROS_BYTES = 64 * 1024,
	LINES = 2,
};

_Static_assert(LINES *(GROUPS_WRITING_MAX + 1) + BOUNCES <= BLOCKLOG_QUEUE_IOS_MAX,
	       "the bulk queue has room for all that can be under way");

enum group_state {
	GROUP_FREE,
	GROUP_FILLING,
	GROUP_SEALED,
	GROUP_WRITING,
	GROUP_WRITTEN,
	GROUP_FAILED,
};

struct blocklog_group {
	enum group_state state;
	int code; /* FAILED: what its tickets get */
	bool opens_segment;
	uint64_t position;
	uint64_t end;
	uint64_t limit; /* end never passes this */
	uint8_t *staging;
	size_t staged;
	struct blocklog_extent extents[BLOCKLOG_EXTENTS_MAX];
	uint32_t extent_count;
	bool extent_is_open; /* the last one ends where staging grows */
	uint64_t tickets[GROUP_TICKETS_MAX];
	uint32_t ticket_count;
	uint32_t reported;
};

struct blocklog_line {
	enum blocklog_log log;
	struct blocklog_group groups[GROUPS];
	uint32_t oldest;
	uint32_t group_count; /* not FREE, from oldest on */
	uint64_t end;         /* of the newest group */
	uint64_t sequence;
	struct blocklog_checksum previous;
	uint64_t segment_first; /* that exist: [first, end) */
	uint64_t segment_end;
	bool is_creating;
	uint32_t create_pause;
	int condition;
	_Atomic uint64_t durable_end;
};

struct blocklog_safety_half {
	enum group_state state; /* never SEALED */
	int code;
	uint8_t *slot;
	size_t count; /* prefix and record */
	struct blocklog_extent extent;
	uint32_t copies_left;
	uint64_t tickets[SAFETY_TICKETS_MAX];
	uint32_t ticket_count;
	uint32_t reported;
};

struct blocklog_safety {
	bool is_found; /* at open */
	bool is_kept;  /* no append yet: `found` may be handed out */
	uint8_t *found;
	size_t found_count;
	uint64_t sequence; /* of the next record */
	struct blocklog_checksum previous;
	struct blocklog_safety_half halves[2];
	_Atomic uint64_t durable_end;
};

enum read_state { READ_FREE, READ_QUEUED, READ_FIRST, READ_REST, READ_DONE };

struct blocklog_read {
	enum read_state state;
	enum blocklog_log log;
	uint64_t position;
	uint8_t *buffer;
	size_t buffer_bytes;
	uint64_t ticket;
	uint32_t bounce;
	uint64_t loaded; /* bytes in the bounce */
	struct blocklog_extent extent;
	int code;
	uint16_t kind;
	size_t count;
	uint64_t order; /* first asked, first served */
};

/* What open refused, for blocklog_store_reason(). */
struct blocklog_refusal {
	enum blocklog_log log;
	uint64_t position;
	struct blocklog_superblock superblock;
	struct blocklog_identity wanted;
};

struct blocklog_store {
	struct blocklog_dev *dev;
	struct blocklog_config config;
	struct blocklog_superblock superblock;
	struct blocklog_key key;
	int retired; /* 0, or the code of the write that failed */

	struct blocklog_safety safety;
	struct blocklog_line lines[LINES];
	struct blocklog_read reads[BLOCKLOG_READS_MAX];
	uint64_t reads_ordered;
	uint32_t read_count;
	uint8_t *bounces[BOUNCES];
	bool bounce_is_used[BOUNCES];
	size_t bounce_bytes;

	uint8_t *page;  /* one page for superblock and PADs at open */
	uint8_t *zeros; /* ZEROS_BYTES, never written */

	uint64_t done_tag; /* blocking operations, at open only */
	struct blocklog_recovery recovery;
	struct blocklog_counters counters;
	struct blocklog_refusal refusal;
};

enum tag_kind { TAG_GROUP, TAG_SAFETY, TAG_READ, TAG_CREATE, TAG_SYNC };

static inline uint64_t blocklog_tag(enum tag_kind kind, uint32_t log, uint32_t index)
{
	return (uint64_t)kind << 32 | (uint64_t)log << 16 | index;
}

static inline struct blocklog_line *blocklog_line_of(struct blocklog_store *store,
						     enum blocklog_log log)
{
	return &store->lines[log == BLOCKLOG_BLOCK];
}

static inline uint64_t blocklog_line_durable_end(const struct blocklog_line *line)
{
	return atomic_load_explicit(&line->durable_end, memory_order_relaxed);
}

/* Where a store lies in the memory its caller gave. */
static inline struct blocklog_store *blocklog_store_at(const void *memory)
{
	uintptr_t page = BLOCKLOG_PAGE_BYTES;

	return (struct blocklog_store *)(((uintptr_t)memory + page - 1) & ~(page - 1));
}

/* Places the store and its buffers in `memory`; NULL when it is too small or `config` not valid. */
struct blocklog_store *blocklog_store_place(struct blocklog_dev *dev,
					    const struct blocklog_config *config, void *memory,
					    size_t memory_bytes, int *ret_code);

static inline uint64_t blocklog_record_limit(const struct blocklog_config *config)
{
	uint64_t room = config->group_bytes_max - BLOCKLOG_PAGE_BYTES;

	return room < BLOCKLOG_RECORD_BYTES_MAX ? room : BLOCKLOG_RECORD_BYTES_MAX;
}

/* Ends the filling group of a line, if any, with a PAD up to its page boundary. */
void blocklog_line_seal(struct blocklog_store *store, struct blocklog_line *line);

/* Nothing is believed from here on: what was not reported fails. */
void blocklog_store_retire(struct blocklog_store *store, int code);

/* Blocking I/O, at open only. */
int blocklog_sync_io(struct blocklog_store *store, struct blocklog_io *io);
int blocklog_sync_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		       void *ret_bytes, size_t count);
int blocklog_sync_write(struct blocklog_store *store, enum blocklog_area area, uint64_t segment,
			uint64_t offset, void *bytes, size_t count);
int blocklog_sync_simple(struct blocklog_store *store, enum blocklog_io_kind kind,
			 enum blocklog_area area, uint64_t segment, uint64_t bytes);
int blocklog_sync_census(void *context, enum blocklog_area area, uint64_t *ret_first,
			 uint64_t *ret_end);

/* Reads: turn's part. Completion of a device read; starting of queued ones (true: kick). */
void blocklog_read_on_done(struct blocklog_store *store, uint32_t index, int code);
bool blocklog_reads_start(struct blocklog_store *store);
uint32_t blocklog_reads_report(struct blocklog_store *store, struct blocklog_done *ret_done,
			       uint32_t done_max);

#endif
