#define _GNU_SOURCE
#include "node/node_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/err.h"
#include "node/node_reader_state.h"
#include "replica/replica.h"

static void *reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int open_log(struct node_reader *reader, uint32_t number, struct blocklog_reader **ret_log,
		    char *ret_reason, size_t reason_bytes)
{
	size_t bytes = blocklog_reader_footprint();

	reader->memory[number] = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	if (!reader->memory[number]) {
		snprintf(ret_reason, reason_bytes, "no memory to read the store");
		return ERR_MEMORY;
	}
	return blocklog_reader_open(reader->directory, reader->memory[number], bytes, ret_log,
				    ret_reason, reason_bytes);
}

int node_reader_open(const struct node_reader_config *config, struct node_reader **ret_reader,
		     char *ret_reason, size_t reason_bytes)
{
	struct node_reader *reader = calloc(1, sizeof(*reader));
	uint64_t torn;
	int code = reader ? 0 : ERR_MEMORY;

	if (!reader)
		return code;
	reader->config = *config;
	snprintf(reader->directory, sizeof(reader->directory), "%s", config->directory);
	reader->heights = reserve(NODE_READER_HEIGHTS_MAX * sizeof(*reader->heights));
	if (!reader->heights) {
		snprintf(ret_reason, reason_bytes,
			 "no address space: %zu MiB are needed; raise ulimit -v",
			 (NODE_READER_HEIGHTS_MAX * sizeof(*reader->heights)) >> 20);
		code = ERR_MEMORY;
	}
	if (code == 0)
		code = open_log(reader, 0, &reader->follower, ret_reason, reason_bytes);
	if (code == 0)
		code = open_log(reader, 1, &reader->blocks, ret_reason, reason_bytes);
	if (code == 0)
		code = open_log(reader, 2, &reader->lookups, ret_reason, reason_bytes);
	if (code == 0)
		code = open_log(reader, 3, &reader->lanes, ret_reason, reason_bytes);
	if (code == 0 && !config->block_end)
		code = blocklog_reader_tail(reader->follower, BLOCKLOG_BLOCK,
					    &reader->offline_block_end, &torn);
	if (code == 0 && !config->lane_end)
		code = blocklog_reader_tail(reader->lanes, BLOCKLOG_LANE, &reader->offline_lane_end,
					    &torn);
	if (code < 0) {
		node_reader_close(reader);
		return code;
	}
	*ret_reader = reader;
	return 0;
}

void node_reader_close(struct node_reader *reader)
{
	if (!reader)
		return;
	blocklog_reader_close(reader->follower);
	blocklog_reader_close(reader->blocks);
	blocklog_reader_close(reader->lookups);
	blocklog_reader_close(reader->lanes);
	for (int i = 0; i < 4; i++)
		free(reader->memory[i]);
	if (reader->heights)
		munmap(reader->heights, NODE_READER_HEIGHTS_MAX * sizeof(*reader->heights));
	if (reader->finds)
		munmap(reader->finds, NODE_READER_FIND_SLOTS * sizeof(*reader->finds));
	free(reader);
}

uint64_t node_reader_block_end(const struct node_reader *reader)
{
	/* Pairs with the store tile's release: what lies before the end is on the disk. */
	return reader->config.block_end ?
		       atomic_load_explicit(reader->config.block_end, memory_order_acquire) :
		       reader->offline_block_end;
}

uint64_t node_reader_lane_end(const struct node_reader *reader)
{
	return reader->config.lane_end ?
		       atomic_load_explicit(reader->config.lane_end, memory_order_acquire) :
		       reader->offline_lane_end;
}

/* ---- follow: where each height's records are ---- */

static int note_mark(struct node_reader *reader, const struct blocklog_view *view)
{
	struct replica_mark mark;

	if (replica_mark_decode(view->bytes, view->count, &mark) < 0)
		return ERR_CORRUPT;
	if (mark.height >= NODE_READER_HEIGHTS_MAX)
		return ERR_FULL;
	if (mark.part == 0)
		reader->heights[mark.height] = (struct node_reader_height){
			.mark = view->position + 1,
			.fc = reader->heights[mark.height].fc,
		};
	reader->heights[mark.height].tx_count += mark.tx_count;
	if (mark.is_last && mark.height > reader->height)
		reader->height = mark.height;
	return 0;
}

static void note_fc(struct node_reader *reader, const struct blocklog_view *view)
{
	struct bytes_reader r = bytes_reader_of(view->bytes, view->count);
	uint64_t height = bytes_get_u64(&r);

	if (!r.failed && height < NODE_READER_HEIGHTS_MAX)
		reader->heights[height].fc = view->position + 1;
}

int node_reader_follow(struct node_reader *reader)
{
	uint64_t end = node_reader_block_end(reader);
	struct blocklog_view view;
	int more = 0;

	while (reader->followed < end &&
	       (more = blocklog_reader_next(reader->follower, BLOCKLOG_BLOCK, &reader->followed,
					    end, &view)) == 1) {
		int code = 0;

		if (view.kind == REPLICA_RECORD_MARK)
			code = note_mark(reader, &view);
		else if (view.kind == REPLICA_RECORD_FC)
			note_fc(reader, &view);
		if (code < 0)
			return code;
	}
	return more < 0 ? more : 0;
}

uint64_t node_reader_height(struct node_reader *reader)
{
	return node_reader_follow(reader) < 0 ? reader->height : reader->height;
}

/* ---- cursor ---- */

static int use_part(struct node_reader *reader, uint64_t height, const struct blocklog_view *view)
{
	struct node_reader_cursor *cursor = &reader->cursor;

	cursor->is_open = false;
	if (view->kind != REPLICA_RECORD_MARK ||
	    replica_mark_decode(view->bytes, view->count, &cursor->mark) < 0 ||
	    cursor->mark.height != height)
		return ERR_CORRUPT;
	cursor->height = height;
	cursor->mark_position = view->position;
	cursor->index = cursor->mark.index_base;
	cursor->batch = 0;
	cursor->has_record = false;
	cursor->has_frame = false;
	cursor->exception = 0;
	cursor->is_open = true;
	return 0;
}

static int open_block(struct node_reader *reader, uint64_t height)
{
	struct blocklog_view view;
	int code;

	if (reader->heights[height].mark == 0)
		return ERR_SEQUENCE;
	code = blocklog_reader_at(reader->blocks, BLOCKLOG_BLOCK, reader->heights[height].mark - 1,
				  node_reader_block_end(reader), &view);
	return code < 0 ? code : use_part(reader, height, &view);
}

/* The part behind the cursor's: the next MARK in the log. */
static int open_next_part(struct node_reader *reader, uint64_t height)
{
	uint64_t position = reader->cursor.mark_position;
	uint64_t end = node_reader_block_end(reader);
	struct blocklog_view view;
	int more = blocklog_reader_next(reader->blocks, BLOCKLOG_BLOCK, &position, end, &view);

	do {
		if (more == 1)
			more = blocklog_reader_next(reader->blocks, BLOCKLOG_BLOCK, &position, end,
						    &view);
	} while (more == 1 && view.kind != REPLICA_RECORD_MARK);
	if (more != 1)
		return more < 0 ? more : ERR_SEQUENCE;
	return use_part(reader, height, &view);
}

/* Opens the batch the cursor stands at; false at the end of the part. */
static int open_batch(struct node_reader *reader)
{
	struct node_reader_cursor *cursor = &reader->cursor;
	struct blocklog_view view;
	int code;

	if (cursor->batch == cursor->mark.batch_count)
		return 0;
	replica_mark_batch_at(&cursor->mark, cursor->batch, &cursor->batch_mark);
	code = blocklog_reader_at(reader->lanes, BLOCKLOG_LANE, cursor->batch_mark.position,
				  node_reader_lane_end(reader), &view);
	if (code < 0)
		return code;
	if (lane_record_open(view.bytes, view.count, &reader->config.chain_id, &cursor->record) <
		    0 ||
	    memcmp(cursor->record.header.digest.b, cursor->batch_mark.digest.b,
		   sizeof(cursor->batch_mark.digest.b)) != 0)
		return ERR_CORRUPT;
	cursor->has_record = true;
	cursor->has_frame = false;
	cursor->frame = 0;
	return 1;
}

static int open_frame(struct node_reader_cursor *cursor)
{
	uint32_t count;
	const uint8_t *bytes = lane_record_frame(&cursor->record, cursor->frame, &count);

	if (wire_frame_parse(bytes, count, &cursor->frame_view) < 0)
		return ERR_CORRUPT;
	wire_payload_walk_init(&cursor->walk, &cursor->frame_view);
	cursor->has_frame = true;
	cursor->transaction = UINT32_MAX;
	return 0;
}

/* Runs are in order of (batch, frame, first): those before the cursor are passed once. */
static bool is_exception(struct node_reader_cursor *cursor)
{
	while (cursor->exception < cursor->mark.exception_count) {
		struct replica_mark_exception run;

		replica_mark_exception_at(&cursor->mark, cursor->exception, &run);
		if (run.batch > cursor->batch ||
		    (run.batch == cursor->batch && run.frame > cursor->frame))
			return false;
		if (run.batch == cursor->batch && run.frame == cursor->frame &&
		    cursor->transaction < run.first + run.count)
			return cursor->transaction >= run.first;
		cursor->exception++;
	}
	return false;
}

/* The next transaction that counts in this part: 1; 0 at its end; negative on damage. */
static int step(struct node_reader *reader, struct wire_payload *ret_payload)
{
	struct node_reader_cursor *cursor = &reader->cursor;

	for (;;) {
		if (!cursor->has_record) {
			int code = open_batch(reader);

			if (code != 1)
				return code;
		}
		if (cursor->frame == cursor->record.header.frame_count) {
			cursor->has_record = false;
			cursor->batch++;
			continue;
		}
		if (!cursor->has_frame && open_frame(cursor) < 0)
			return ERR_CORRUPT;
		if (!wire_payload_next(&cursor->walk, ret_payload)) {
			cursor->has_frame = false;
			cursor->frame++;
			continue;
		}
		cursor->transaction++;
		if (!is_exception(cursor))
			return 1;
	}
}

static void fill_record(const struct node_reader_cursor *cursor, const struct wire_payload *payload,
			struct wire_client_record *ret_record)
{
	*ret_record = (struct wire_client_record){
		.height = cursor->height,
		.index = cursor->index,
		.client = cursor->frame_view.client,
		.seq = payload->seq,
		.time_ns = cursor->mark.time_ns,
		.payload = payload->bytes,
		.payload_bytes = payload->byte_count,
		.txid = wire_txid(&cursor->frame_view.client, payload->seq, payload->bytes,
				  payload->byte_count),
	};
}

/* Puts the cursor where (height, index) or what follows it can be stepped to. */
static int seek(struct node_reader *reader, uint64_t height, uint32_t index)
{
	struct node_reader_cursor *cursor = &reader->cursor;

	if (cursor->is_open && cursor->height == height && cursor->index == index)
		return 0;
	return open_block(reader, height);
}

static bool is_empty(const struct node_reader *reader, uint64_t height)
{
	return reader->heights[height].mark != 0 && reader->heights[height].tx_count == 0;
}

int node_reader_next(struct node_reader *reader, uint64_t *height, uint32_t *index,
		     struct wire_client_record *ret_record)
{
	struct node_reader_cursor *cursor = &reader->cursor;
	struct wire_payload payload;
	int code = node_reader_follow(reader);

	if (*height == 0)
		*height = 1;
	while (code == 0 && *height <= reader->height) {
		if (is_empty(reader, *height)) {
			(*height)++;
			*index = 0;
			continue;
		}
		code = seek(reader, *height, *index);
		while (code == 0 && (code = step(reader, &payload)) == 1) {
			bool is_wanted = cursor->index >= *index;

			if (is_wanted) {
				fill_record(cursor, &payload, ret_record);
				*index = ++cursor->index;
				return 1;
			}
			cursor->index++;
			code = 0;
		}
		if (code == 0 && !cursor->mark.is_last) {
			uint32_t next = cursor->index;

			code = open_next_part(reader, *height);
			cursor->index = next;
			*index = next > *index ? next : *index;
		} else if (code == 0) {
			(*height)++;
			*index = 0;
		}
	}
	if (code < 0)
		cursor->is_open = false;
	return code;
}
