/*
 * node_reader: the order as seen from the log files: TAIL, GET, PROVE. One thread, any process.
 *
 * Model    A follower reads the block log up to what is durable and notes where the MARK
 *          of each height and its finality certificate lie. A cursor walks one block:
 *          mark -> batches -> frames -> transactions that count. Lookups by id or by
 *          (client, seq) go through an index of recent transactions that is built when the
 *          first lookup asks for it, and fall back to a walk of the whole order once
 *          that index has overflowed.
 * Trust    Every record's checksum is checked, every batch against its root when a proof
 *          is built: damaged bytes are ERR_CORRUPT, never an answer.
 * Visible  is a record only once the MARK of its block is durable.
 * Memory   taken at open: reserved address space that is touched as it fills.
 */
#ifndef QUORATE_NODE_READER_H
#define QUORATE_NODE_READER_H

#include <stdatomic.h>
#include <stddef.h>

#include "consensus/hs_types.h"
#include "wire/wire_client.h"

struct node_reader;

struct node_reader_config {
	const char *directory; /* the store's */
	struct crypto_hash chain_id;
	struct crypto_hash set_hash;
	uint64_t epoch;
	uint32_t replica_id;
	uint32_t replica_count;
	/*
	 * Ends of what is durable, published by who writes; NULL for both: an offline store, read
	 * to its end.
	 */
	const _Atomic uint64_t *block_end;
	const _Atomic uint64_t *lane_end;
};

/* Returns 0, or a negative code and one line in `ret_reason`. */
int node_reader_open(const struct node_reader_config *config, struct node_reader **ret_reader,
		     char *ret_reason, size_t reason_bytes);

/* Accepts NULL. */
void node_reader_close(struct node_reader *reader);

/*
 * The first record at or after (*height, *index): 1 and the position moved behind it; 0 none yet;
 * or negative.
 */
int node_reader_next(struct node_reader *reader, uint64_t *height, uint32_t *index,
		     struct wire_client_record *ret_record);

/*
 * 0, ERR_NOT_FOUND, or ERR_CORRUPT and the like. The record's bytes stay valid until the next call.
 */
int node_reader_find(struct node_reader *reader, const struct wire_client_name *name,
		     struct wire_client_record *ret_record);

/* The whole proof; valid until the next call. ERR_NOT_FOUND while no certificate can be carried. */
int node_reader_prove(struct node_reader *reader, const struct wire_client_name *name,
		      const uint8_t **ret_bytes, uint32_t *ret_count);

/* Newest height readers may see. */
uint64_t node_reader_height(struct node_reader *reader);

#endif
