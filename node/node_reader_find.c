/* node_reader: lookups by id or by (client, seq), and proofs. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "node/node_reader_state.h"
#include "replica/replica.h"

/* ---- index of recent transactions ---- */

static uint64_t key_of_id(const struct crypto_hash *txid)
{
	uint64_t key;

	memcpy(&key, txid->b, sizeof(key));
	return key | 1;
}

static uint64_t key_of_seq(const struct crypto_public_key *client, uint64_t seq)
{
	uint64_t key;

	memcpy(&key, client->b, sizeof(key));
	key = (key ^ seq) * UINT64_C(0x9e3779b97f4a7c15);
	return (key ^ key >> 31) | 1;
}

static void note(struct node_reader *reader, uint64_t key, const struct wire_client_record *record)
{
	struct node_reader_find *slot = &reader->finds[(key >> 1) % NODE_READER_FIND_SLOTS];

	if (slot->key != 0 && slot->key != key)
		reader->has_overflowed = true;
	*slot = (struct node_reader_find){ .key = key,
					   .height = (uint32_t)record->height,
					   .index = record->index };
}

static int build_index(struct node_reader *reader)
{
	struct wire_client_record record;
	uint64_t height = reader->indexed_height + 1;
	uint32_t index = 0;
	int more;

	if (!reader->finds) {
		void *memory = mmap(NULL, NODE_READER_FIND_SLOTS * sizeof(*reader->finds),
				    PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (memory == MAP_FAILED)
			return ERR_MEMORY;
		reader->finds = memory;
	}
	while ((more = node_reader_next(reader, &height, &index, &record)) == 1) {
		note(reader, key_of_id(&record.txid), &record);
		note(reader, key_of_seq(&record.client, record.seq), &record);
	}
	if (more == 0)
		reader->indexed_height = height - 1;
	return more;
}

static bool is_named(const struct wire_client_name *name, const struct wire_client_record *record)
{
	if (name->by_txid)
		return memcmp(name->txid.b, record->txid.b, sizeof(name->txid.b)) == 0;
	return name->seq == record->seq &&
	       memcmp(name->client.b, record->client.b, sizeof(name->client.b)) == 0;
}

static int walk_for(struct node_reader *reader, const struct wire_client_name *name,
		    struct wire_client_record *ret_record)
{
	uint64_t height = 1;
	uint32_t index = 0;
	int more;

	while ((more = node_reader_next(reader, &height, &index, ret_record)) == 1)
		if (is_named(name, ret_record))
			return 0;
	return more < 0 ? more : ERR_NOT_FOUND;
}

int node_reader_place(struct node_reader *reader, const struct wire_client_name *name,
		      struct wire_client_record *ret_record)
{
	uint64_t key = name->by_txid ? key_of_id(&name->txid) :
				       key_of_seq(&name->client, name->seq);
	const struct node_reader_find *slot;
	int code = build_index(reader);

	if (code < 0)
		return code;
	slot = &reader->finds[(key >> 1) % NODE_READER_FIND_SLOTS];
	if (slot->key == key) {
		uint64_t height = slot->height;
		uint32_t index = slot->index;

		code = node_reader_next(reader, &height, &index, ret_record);
		if (code < 0)
			return code;
		if (code == 1 && is_named(name, ret_record))
			return 0;
	}
	return reader->has_overflowed ? walk_for(reader, name, ret_record) : ERR_NOT_FOUND;
}

int node_reader_find(struct node_reader *reader, const struct wire_client_name *name,
		     struct wire_client_record *ret_record)
{
	return node_reader_place(reader, name, ret_record);
}

/* ---- blocks and certificates ---- */

static int record_at(struct node_reader *reader, uint64_t position, uint16_t kind,
		     struct blocklog_view *ret_view)
{
	int code = blocklog_reader_at(reader->lookups, BLOCKLOG_BLOCK, position,
				      node_reader_block_end(reader), ret_view);

	return code < 0 ? code : ret_view->kind == kind ? 0 : ERR_CORRUPT;
}

int node_reader_block(struct node_reader *reader, uint64_t height, struct hs_block *ret_block)
{
	struct blocklog_view view;
	struct replica_mark mark;
	int code;

	if (height > reader->height || reader->heights[height].mark == 0)
		return ERR_NOT_FOUND;
	code = record_at(reader, reader->heights[height].mark - 1, REPLICA_RECORD_MARK, &view);
	if (code < 0)
		return code;
	if (replica_mark_decode(view.bytes, view.count, &mark) < 0)
		return ERR_CORRUPT;
	code = record_at(reader, mark.block_position, REPLICA_RECORD_BLOCK, &view);
	if (code < 0)
		return code;
	return wire_decode_block(view.bytes, view.count, &reader->config.chain_id,
				 &reader->config.set_hash, reader->config.replica_count, ret_block);
}

int node_reader_fc(struct node_reader *reader, uint64_t height, struct hs_qc *ret_fc)
{
	struct blocklog_view view;

	if (height > reader->height || reader->heights[height].fc == 0 ||
	    record_at(reader, reader->heights[height].fc - 1, REPLICA_RECORD_FC, &view) < 0 ||
	    view.count < 8)
		return ERR_NOT_FOUND;
	if (wire_decode((const uint8_t *)view.bytes + 8, view.count - 8, reader->config.replica_id,
			&reader->config.chain_id, &reader->config.set_hash,
			reader->config.replica_count, reader->config.epoch, &reader->message) < 0 ||
	    reader->message.kind != WIRE_FC)
		return ERR_NOT_FOUND;
	*ret_fc = reader->message.u.core.u.fc.c;
	return 0;
}

/* Looks upward from `height` for the first block with a transferable certificate. */
static int find_certificate(struct node_reader *reader, uint64_t height,
			    struct wire_proof_parts *parts)
{
	parts->link = reader->links;
	for (parts->link_count = 0;; parts->link_count++) {
		uint64_t at = height + parts->link_count;

		if (node_reader_fc(reader, at, &reader->certificate) == 0) {
			parts->kind = WIRE_PROOF_FC;
			parts->certificate = &reader->certificate;
			return 0;
		}
		if (node_reader_block(reader, at, &reader->block) < 0 ||
		    node_reader_block(reader, at + 1, &reader->child) < 0)
			return ERR_NOT_FOUND;
		if (reader->child.header.view == reader->block.header.view + 1 &&
		    node_reader_block(reader, at + 2, &reader->grandchild) == 0) {
			parts->kind = WIRE_PROOF_C2;
			parts->certificate = &reader->child.justify;
			parts->child = &reader->child.header;
			parts->child_qc = &reader->grandchild.justify;
			return 0;
		}
		if (parts->link_count == WIRE_PROOF_LINKS_MAX)
			return ERR_NOT_FOUND;
		reader->link[parts->link_count] = reader->child.header;
		reader->links[parts->link_count] = &reader->link[parts->link_count];
	}
}

/* Headers of the frame's lane from its batch to the cut's, as this block's mark lists them. */
static int collect_batches(struct node_reader *reader, struct wire_proof_parts *parts)
{
	const struct node_reader_cursor *cursor = &reader->cursor;
	const struct hs_cut_entry *cut = &reader->header.cut.lane[cursor->batch_mark.lane];
	struct replica_mark_batch batch = cursor->batch_mark;
	uint32_t at = cursor->batch;

	parts->batch = reader->batch;
	reader->batch[0] = cursor->record.header;
	for (parts->batch_count = 1; batch.seq < cut->seq; parts->batch_count++) {
		struct blocklog_view view;
		struct lane_record record;

		if (parts->batch_count == WIRE_PROOF_BATCHES_MAX ||
		    ++at >= cursor->mark.batch_count)
			return ERR_NOT_FOUND;
		replica_mark_batch_at(&cursor->mark, at, &batch);
		if (blocklog_reader_at(reader->lanes, BLOCKLOG_LANE, batch.position,
				       node_reader_lane_end(reader), &view) < 0 ||
		    lane_record_open(view.bytes, view.count, &reader->config.chain_id, &record) < 0)
			return ERR_CORRUPT;
		reader->batch[parts->batch_count] = record.header;
	}
	return 0;
}

/* The frame, its number and its path, while its batch still lies in the lane reader. */
static int collect_frame(struct node_reader *reader, struct wire_proof_parts *parts)
{
	const struct node_reader_cursor *cursor = &reader->cursor;

	if (lane_record_check(&cursor->record, reader->leaves, reader->scratch) < 0)
		return ERR_CORRUPT;
	memcpy(reader->frame_bytes, cursor->frame_view.bytes, cursor->frame_view.byte_count);
	parts->frame = reader->frame_bytes;
	parts->frame_bytes = cursor->frame_view.byte_count;
	parts->frame_index = cursor->frame;
	parts->transaction = cursor->transaction;
	parts->path = reader->path;
	parts->path_count = wire_merkle_path(reader->leaves, cursor->record.header.frame_count,
					     cursor->frame, reader->scratch, reader->path);
	return 0;
}

static int collect(struct node_reader *reader, uint64_t height, struct wire_proof_parts *parts)
{
	int code = collect_frame(reader, parts);

	if (code == 0)
		code = node_reader_block(reader, height, &reader->block);
	if (code < 0)
		return code;
	reader->header = reader->block.header;
	parts->header = &reader->header;
	if (height > 1) {
		code = node_reader_block(reader, height - 1, &reader->block);
		if (code < 0)
			return code;
		reader->parent = reader->block.header;
		parts->parent = &reader->parent;
	}
	code = collect_batches(reader, parts);
	return code < 0 ? code : find_certificate(reader, height, parts);
}

int node_reader_prove(struct node_reader *reader, const struct wire_client_name *name,
		      const uint8_t **ret_bytes, uint32_t *ret_count)
{
	struct wire_proof_parts parts = { .chain_id = reader->config.chain_id };
	struct wire_client_record record;
	int code = node_reader_place(reader, name, &record);

	if (code == 0)
		code = collect(reader, record.height, &parts);
	reader->cursor.is_open = false; /* its batch was overwritten by others */
	if (code < 0)
		return code;
	code = wire_proof_build(&parts, reader->proof, sizeof(reader->proof));
	if (code < 0)
		return code;
	*ret_bytes = reader->proof;
	*ret_count = (uint32_t)code;
	return 0;
}
