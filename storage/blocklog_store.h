/*
 * blocklog_store: the three logs of one node over one device.
 *
 *     append ---> [group being filled] --turn--> device ---> done (ticket, code)
 *     read   --------------------------turn--> device ---> done (ticket, bytes)
 *
 * Model    A log is an endless sequence of records (kind, bytes) at rising
 *          positions. The safety log holds only its newest record, in two
 *          distant copies; lane log and block log keep everything. Each record
 *          carries a checksum over log id, position, sequence, kind, length,
 *          bytes and the previous record's checksum (STORAGE: chain), so torn,
 *          misplaced, lost and damaged writes are told apart.
 * Durable  A ticket is done with code 0 only after its record is on stable
 *          storage (RWF_DSYNC or a linked fdatasync). Everything appended to a
 *          log since its last turn shares one durable write (group commit);
 *          the safety log has its own ring and never queues behind the others.
 * Memory   Lives in the caller's region, fixed by the configuration. Bytes
 *          given to append are copied before it returns, except with
 *          blocklog_store_append_borrowed(): that buffer belongs to the store
 *          until its ticket is done.
 * Threads  One owner. The reader of blocklog_reader.h may run on another.
 * Errors   World's faults come back as the ticket's code. After one failed
 *          durable write the store is retired: every later append completes
 *          with ERR_RETIRED and nothing is believed again.
 * Source   STORAGE.md; PROTOCOL §4, rules D and R.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_STORE_H
#define QUORATE_STORAGE_BLOCKLOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_types.h"

struct blocklog_dev;
struct blocklog_store;

enum blocklog_log {
	BLOCKLOG_SAFETY,
	BLOCKLOG_LANE,
	BLOCKLOG_BLOCK,
	BLOCKLOG_LOG_COUNT,
};

enum {
	BLOCKLOG_PAGE_BYTES = 4096,
	BLOCKLOG_RECORD_BYTES_MAX = 1 << 20,        /* of a lane or block record */
	BLOCKLOG_SAFETY_BYTES_MAX = 3 * 4096 - 256, /* of a safety record */
	BLOCKLOG_READS_MAX = 64,                    /* under way at once */
	BLOCKLOG_SALT_BYTES = 16,
	BLOCKLOG_REASON_BYTES = 256, /* room for any one-line reason */
};

/* Whose store this is; part of the superblock and of every refusal. */
struct blocklog_identity {
	struct crypto_hash chain_id;
	uint32_t node_id;
};

struct blocklog_config {
	struct blocklog_identity identity;
	uint64_t segment_bytes;            /* of lane and block log files; a power of two */
	uint64_t group_bytes_max;          /* of one group commit a log; bounds staging memory */
	uint64_t segments_max;             /* a log refuses to grow beyond this many */
	uint8_t salt[BLOCKLOG_SALT_BYTES]; /* format only: random, or records can be forged */
};

/* Returns the bytes blocklog_store_open() needs, or 0 if `config` is not valid. */
size_t blocklog_store_footprint(const struct blocklog_config *config);

/*
 * Makes an empty store on `dev`: superblock copies, first segments, and safety
 * record 0 with the given bytes (PROTOCOL rule R: only `quorate init` does this).
 * Refuses with ERR_DUPLICATE if a store is already there. On failure nothing
 * that looks like a store is left. Blocking. `memory` is scratch.
 */
int blocklog_store_format(struct blocklog_dev *dev, const struct blocklog_config *config,
			  const void *record_zero, size_t record_bytes, void *memory,
			  size_t memory_bytes);

/*
 * Opens a store and recovers it: superblock, identity (ERR_FOREIGN), version
 * (ERR_NEWER), lock (ERR_BUSY, by the device), newest valid safety record (the
 * other copy is repaired), torn tails cut. Damage in the middle of a log is
 * ERR_CORRUPT, never a truncation. Blocking. `ret_store` lives in `memory`.
 */
int blocklog_store_open(struct blocklog_dev *dev, const struct blocklog_config *config,
			void *memory, size_t memory_bytes, struct blocklog_store **ret_store);

/*
 * One line that says what the last format or open in `memory` refused and what to do:
 * both names of a foreign store, log and position of damage. `code` is what it returned.
 */
void blocklog_store_reason(const void *memory, int code, char *ret_text, size_t text_bytes);

/* Flushes nothing, frees nothing; the device stays the caller's. Accepts NULL. */
void blocklog_store_close(struct blocklog_store *store);

/*
 * The newest safety record as found at open: bytes stay valid until the first
 * append to BLOCKLOG_SAFETY. ERR_NOT_FOUND when both copies are unreadable:
 * the node must run as observer.
 */
int blocklog_store_safety(const struct blocklog_store *store, const void **ret_bytes,
			  size_t *ret_count);

/* What recovery found and did, for the log line at start and for metrics. */
struct blocklog_recovery {
	uint64_t records[BLOCKLOG_LOG_COUNT];
	uint64_t torn_bytes[BLOCKLOG_LOG_COUNT];
	bool safety_copy_repaired;
};
const struct blocklog_recovery *blocklog_store_recovery(const struct blocklog_store *store);

/* Called for each record of a scan; a non-zero return stops the scan and is its result. */
typedef int (*blocklog_visit)(void *context, uint16_t kind, uint64_t position, const void *bytes,
			      size_t count);

/* Visits the records of the lane or block log from `position` (0: first) on. Blocking, at start. */
int blocklog_store_scan(struct blocklog_store *store, enum blocklog_log log, uint64_t position,
			blocklog_visit visit, void *context);

/*
 * Appends one record to `log`; it becomes durable with the next turn. Returns
 * ERR_FULL when the group or the log has no room (try again after a turn),
 * ERR_OVERSIZE, or ERR_RETIRED. The position is final at once.
 */
int blocklog_store_append(struct blocklog_store *store, enum blocklog_log log, uint16_t kind,
			  const void *bytes, size_t count, uint64_t ticket, uint64_t *ret_position);

/*
 * As append, without the copy: `bytes` must be page-aligned inside the region
 * registered with the device, with BLOCKLOG_PAGE_BYTES of room before it for
 * the record's head, and room after it up to the next page boundary. The store
 * owns all of that until the ticket is done.
 */
int blocklog_store_append_borrowed(struct blocklog_store *store, enum blocklog_log log,
				   uint16_t kind, void *bytes, size_t count, uint64_t ticket,
				   uint64_t *ret_position);

/*
 * Reads the record at `position` into `buffer` (room for its bytes; `buffer_bytes`
 * bounds it). Checked like recovery checks; done with ERR_CORRUPT otherwise.
 * Returns ERR_FULL beyond BLOCKLOG_READS_MAX. The buffer is the store's until done.
 */
int blocklog_store_read(struct blocklog_store *store, enum blocklog_log log, uint64_t position,
			void *buffer, size_t buffer_bytes, uint64_t ticket);

enum blocklog_done_kind { BLOCKLOG_DONE_APPEND, BLOCKLOG_DONE_READ };

struct blocklog_done {
	enum blocklog_done_kind kind;
	enum blocklog_log log;
	uint64_t ticket;
	int code;             /* 0, or why it is not durable / not readable */
	uint16_t record_kind; /* reads */
	size_t count;         /* reads: bytes of the record */
};

/*
 * One turn: submits what was appended and asked for, takes device completions,
 * prepares the next segment a bounded piece at a time. Never blocks.
 * Returns how many entries it wrote to `ret_done` (at most `done_max`; NULL will do for 0).
 */
uint32_t blocklog_store_turn(struct blocklog_store *store, struct blocklog_done *ret_done,
			     uint32_t done_max);

/* True while a write, read or segment preparation is under way: do not sleep long. */
bool blocklog_store_is_busy(const struct blocklog_store *store);

/*
 * Why appends fail for longer than a turn: the code of the write that retired the
 * store, -ENOSPC (or another code) while no segment can be made, ERR_FULL at
 * segments_max; 0 when all is well. All but retirement pass by themselves.
 */
int blocklog_store_condition(const struct blocklog_store *store);

/* End of the durable part of a log: how far a reader may read. Any thread. */
uint64_t blocklog_store_durable_end(const struct blocklog_store *store, enum blocklog_log log);

struct blocklog_counters {
	uint64_t appends[BLOCKLOG_LOG_COUNT];
	uint64_t appended_bytes[BLOCKLOG_LOG_COUNT];
	uint64_t group_commits[BLOCKLOG_LOG_COUNT];
	uint64_t durable_submissions[BLOCKLOG_LOG_COUNT]; /* equals group commits */
	uint64_t reads;
	uint64_t failures;
	uint64_t commit_ns_last; /* 0 in the simulator */
};
const struct blocklog_counters *blocklog_store_counters(const struct blocklog_store *store);

#endif
