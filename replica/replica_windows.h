/*
 * replica_windows: exactly once, per client (PROTOCOL §1). Pure.
 *
 *     numbers  0 .. base-1      | base .................... base+4095 | base+4096 ..
 *     meaning  ordered or given | a bit each: ordered, given up, free | ahead
 *              up: DUPLICATE    | ORDERED takes a free bit            | AHEAD, no trace
 *
 * Model    The windows are a function of the order alone: every replica that
 *          applied the same frames at the same heights holds the same windows.
 *          Sequence numbers start at REPLICA_SEQ_FIRST; base moves over a
 *          contiguous prefix only. A SKIP frame gives numbers up, one by one in
 *          rising order. Expired frames, frames that expire more than
 *          REPLICA_EXPIRES_MAX heights ahead and new clients beyond the table's
 *          limit are dropped, by rules that look at nothing but the order.
 * Saving   The table is written out in pieces while the order goes on; each
 *          entry says up to which height it is true. After loading, replaying
 *          every later block brings each entry up to date, whatever its height.
 * Memory   The caller's, fixed by the client limit. Threads: one owner.
 */
#ifndef QUORATE_REPLICA_REPLICA_WINDOWS_H
#define QUORATE_REPLICA_REPLICA_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire_frame.h"

enum {
	REPLICA_SEQ_FIRST = 1,
	REPLICA_WINDOW_BITS = 4096,
	REPLICA_EXPIRES_MAX = 1 << 20, /* heights */
	/* Largest saved entry: key, height, base, word count, words with their index. */
	REPLICA_WINDOW_SAVED_BYTES_MAX = 32 + 8 + 8 + 1 + REPLICA_WINDOW_BITS / 64 * 9,
};

/* What the order does with one transaction; values are part of the MARK format. */
enum replica_outcome {
	REPLICA_OUTCOME_ORDERED = 0,
	REPLICA_OUTCOME_DUPLICATE = 1,
	REPLICA_OUTCOME_AHEAD = 2,
	REPLICA_OUTCOME_EXPIRED = 3,
	REPLICA_OUTCOME_EXPIRES_FAR = 4,
	REPLICA_OUTCOME_CLIENTS_FULL = 5,
	REPLICA_OUTCOME_MALFORMED = 6, /* the frame does not parse; it counts as one transaction */
	REPLICA_OUTCOME_COUNT,
};

struct replica_windows;

/* Returns 0 if `clients_max` is 0 or above 2^24. */
size_t replica_windows_footprint(uint32_t clients_max);

/* `memory` is 64-byte aligned. Returns 0, or ERR_CONFIG, ERR_MEMORY. */
int replica_windows_init(void *memory, size_t memory_bytes, uint32_t clients_max,
			 struct replica_windows **ret_windows);

/*
 * Puts a frame's transactions into the order at `height`; fills one outcome a
 * transaction. Returns how many count. A SKIP frame has no transactions: returns 0.
 */
uint32_t replica_windows_apply(struct replica_windows *windows, const struct wire_frame *frame,
			       uint64_t height, uint8_t ret_outcome[WIRE_FRAME_TRANSACTIONS_MAX]);

/* The same question without a trace: what admission tells a client before ordering. */
uint32_t replica_windows_judge(const struct replica_windows *windows,
			       const struct wire_frame *frame, uint64_t height,
			       uint8_t ret_outcome[WIRE_FRAME_TRANSACTIONS_MAX]);

/* First number of the client's window that is neither ordered nor given up. */
uint64_t replica_windows_base(const struct replica_windows *windows,
			      const struct crypto_public_key *client);

uint32_t replica_windows_count(const struct replica_windows *windows);

/*
 * Writes entries [*at, ...) while they fit `room`, true as of `height`, and moves
 * *at behind them. Returns the bytes written; *at equals the count when all are out.
 */
size_t replica_windows_save(const struct replica_windows *windows, uint64_t height, uint32_t *at,
			    void *ret_bytes, size_t room);

/* Takes saved entries; a newer one replaces an older one. Returns 0, ERR_FORMAT, ERR_FULL. */
int replica_windows_load(struct replica_windows *windows, const void *bytes, size_t count);

/* True when a loaded entry already contains what `height` did to this client. */
bool replica_windows_contains(const struct replica_windows *windows,
			      const struct crypto_public_key *client, uint64_t height);

/* Equal on replicas with equal windows, whatever the table's layout. */
uint64_t replica_windows_digest(const struct replica_windows *windows);

#endif
