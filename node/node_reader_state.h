/*
 * node_reader_state: the reader's insides, shared by node_reader*.c only.
 */
#ifndef QUORATE_NODE_READER_STATE_H
#define QUORATE_NODE_READER_STATE_H

#include <stdbool.h>

#include "dataplane/lane_batch.h"
#include "node/node_reader.h"
#include "replica/replica_mark.h"
#include "storage/blocklog_reader.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"
#include "wire/wire_proof.h"

enum {
	NODE_READER_HEIGHTS_MAX = 1 << 24, /* address space; memory as it fills */
	NODE_READER_FIND_SLOTS = 1 << 21,
};

/* Where a height's records lie; positions are + 1, 0: none. */
struct node_reader_height {
	uint64_t mark; /* its first part */
	uint64_t fc;
	uint64_t tx_count; /* in all its parts; empty blocks are passed unread */
};

/* A recent transaction: found by a 64-bit key, confirmed by reading it. */
struct node_reader_find {
	uint64_t key; /* 0: free */
	uint32_t height;
	uint32_t index;
};

/* Walks one part of one block. */
struct node_reader_cursor {
	bool is_open;
	uint64_t height;
	struct replica_mark mark; /* points into the block reader's record */
	uint64_t mark_position;
	uint32_t index; /* of the next transaction that counts */
	uint32_t batch;
	struct replica_mark_batch batch_mark;
	struct lane_record record; /* points into the lane reader's record */
	bool has_record;
	uint32_t frame;
	struct wire_frame frame_view;
	bool has_frame;
	struct wire_payload_walk walk;
	uint32_t transaction; /* in the frame, of the last payload taken */
	uint32_t exception;   /* the first run not yet passed */
};

struct node_reader {
	struct node_reader_config config;
	char directory[256];
	struct blocklog_reader *follower; /* block log, forward */
	struct blocklog_reader *blocks;   /* block log, the cursor's mark */
	struct blocklog_reader *lookups;  /* block log, single records */
	struct blocklog_reader *lanes;    /* lane log */
	void *memory[4];
	uint64_t followed; /* position in the block log */
	uint64_t height;   /* newest delivered */
	uint64_t offline_block_end;
	uint64_t offline_lane_end;
	struct node_reader_height *heights;
	struct node_reader_cursor cursor;

	struct node_reader_find *finds; /* NULL until the first lookup */
	uint64_t indexed_height;        /* everything up to here is in `finds` or was pushed out */
	bool has_overflowed;

	struct wire_message message;
	struct hs_block block;
	struct hs_block child;
	struct hs_block grandchild;
	struct hs_header header;
	struct hs_header parent;
	struct hs_header link[WIRE_PROOF_LINKS_MAX];
	const struct hs_header *links[WIRE_PROOF_LINKS_MAX];
	struct lane_header batch[WIRE_PROOF_BATCHES_MAX];
	struct hs_qc certificate;
	struct crypto_hash leaves[LANE_BATCH_FRAMES_MAX];
	struct crypto_hash scratch[LANE_BATCH_FRAMES_MAX];
	struct crypto_hash path[LANE_REPAIR_PATH_MAX];
	uint8_t frame_bytes[LANE_FRAME_BYTES_MAX];
	uint8_t proof[WIRE_PROOF_BYTES_MAX];
};

uint64_t node_reader_block_end(const struct node_reader *reader);
uint64_t node_reader_lane_end(const struct node_reader *reader);

/* Reads on in the block log; 0 or a negative code. */
int node_reader_follow(struct node_reader *reader);

/* The BLOCK record of a delivered height, decoded. 0, ERR_NOT_FOUND or ERR_CORRUPT. */
int node_reader_block(struct node_reader *reader, uint64_t height, struct hs_block *ret_block);

/* The FC noted for a height. 0 or ERR_NOT_FOUND. */
int node_reader_fc(struct node_reader *reader, uint64_t height, struct hs_qc *ret_fc);

/* The place of a name in the order; leaves the cursor behind its transaction. */
int node_reader_place(struct node_reader *reader, const struct wire_client_name *name,
		      struct wire_client_record *ret_record);

#endif
