/*
 * store_fixture: a store on a simulated disk, with records that can be told by their ticket.
 *
 * The record of ticket t has kind t % 1000, a size and bytes that follow from t alone, so
 * a reader can say of any record whether it is the right one in the right place.
 */
#ifndef QUORATE_TESTS_UNIT_STORAGE_STORE_FIXTURE_H
#define QUORATE_TESTS_UNIT_STORAGE_STORE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/blocklog_store.h"
#include "storage/blocklog_store_impl.h"
#include "tests/sim/sim_disk.h"

enum {
	FIXTURE_TICKETS_MAX = 8192,
	FIXTURE_RECORD_MAX = 6000,
	FIXTURE_SEGMENT_BYTES = 1 << 16,
	FIXTURE_GROUP_BYTES = 1 << 14,
};

struct fixture {
	struct sim_disk *disk;
	struct blocklog_config config;
	void *memory;
	size_t memory_bytes;
	struct blocklog_store *store;
	uint64_t now_ns;
	int code[FIXTURE_TICKETS_MAX]; /* of the done ticket; 1: not done */
	uint64_t position[FIXTURE_TICKETS_MAX];
	enum blocklog_log log[FIXTURE_TICKETS_MAX];
	uint64_t tickets; /* given out so far, from 0 */
	uint64_t done_count;
	uint64_t done_last[BLOCKLOG_LOG_COUNT]; /* ticket + 1 */
	bool done_in_order;
	struct blocklog_done read; /* the last read that was done */
};

/* A formatted and opened store; the safety record 0 is "zero". */
void fixture_start(struct fixture *fixture, uint64_t seed);

/* Disk and memory only; nothing formatted. */
void fixture_prepare(struct fixture *fixture, uint64_t seed);
int fixture_format(struct fixture *fixture);

/* Opens (again); on failure store is NULL. */
int fixture_open(struct fixture *fixture);
void fixture_end(struct fixture *fixture);

/* The record that belongs to a ticket; returns its size. */
size_t fixture_record(uint64_t ticket, uint8_t ret_bytes[FIXTURE_RECORD_MAX]);

/* Appends the record of the next ticket, which is not used up if it is refused. */
int fixture_append(struct fixture *fixture, enum blocklog_log log);

/* One turn after the disk's next completion, if any. */
void fixture_turn(struct fixture *fixture);

/* Turns until nothing is under way; gives up on a dead disk. */
void fixture_settle(struct fixture *fixture);

/* Appends `count` records to `log`, settling each: as many groups. */
void fixture_fill(struct fixture *fixture, enum blocklog_log log, uint32_t count);

/*
 * True when a scan of `log` gives exactly the records of this fixture's tickets for that
 * log, from the first on, in order; at least those done with code 0, at most those asked for.
 * Forgets those that are not there, as a node after a crash does.
 */
bool fixture_holds_prefix(struct fixture *fixture, enum blocklog_log log);

/* True when the safety record found is that of a ticket not older than the last done one. */
bool fixture_safety_is_newest(struct fixture *fixture);

#endif
