/* Random reads: a bounce buffer each, one device read for most records, two for large ones. */

#include "storage/blocklog_store_impl.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

static uint64_t offset_in_page(uint64_t position)
{
	return position % BLOCKLOG_PAGE_BYTES;
}

int blocklog_store_read(struct blocklog_store *store, enum blocklog_log log, uint64_t position,
			void *buffer, size_t buffer_bytes, uint64_t ticket)
{
	struct blocklog_line *line = blocklog_line_of(store, log);
	struct blocklog_read *read = NULL;

	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	if (position >= blocklog_line_durable_end(line) || position % BLOCKLOG_HEAD_BYTES != 0 ||
	    position < line->segment_first * store->superblock.segment_bytes)
		return ERR_NOT_FOUND;
	for (uint32_t i = 0; i < BLOCKLOG_READS_MAX && !read; i++)
		if (store->reads[i].state == READ_FREE)
			read = &store->reads[i];
	if (!read)
		return ERR_FULL;
	*read = (struct blocklog_read){
		.state = READ_QUEUED,
		.log = log,
		.position = position,
		.buffer = buffer,
		.buffer_bytes = buffer_bytes,
		.ticket = ticket,
		.order = store->reads_ordered++,
	};
	store->read_count++;
	store->counters.reads++;
	return 0;
}

static void read_submit(struct blocklog_store *store, struct blocklog_read *read, uint64_t count)
{
	uint64_t segment_bytes = store->superblock.segment_bytes;
	uint64_t from = read->position - offset_in_page(read->position) + read->loaded;
	struct blocklog_io io = {
		.kind = BLOCKLOG_IO_READ,
		.queue = BLOCKLOG_QUEUE_BULK,
		.area = blocklog_area_of(read->log),
		.segment = from / segment_bytes,
		.offset = from % segment_bytes,
		.extents = &read->extent,
		.extent_count = 1,
		.tag = blocklog_tag(TAG_READ, read->log, (uint32_t)(read - store->reads)),
	};

	ensure(read->loaded + count <= store->bounce_bytes);
	read->extent = (struct blocklog_extent){
		store->bounces[read->bounce] + read->loaded,
		(size_t)count,
	};
	read->loaded += count;
	blocklog_dev_submit(store->dev, &io);
}

static uint64_t segment_left(const struct blocklog_store *store, uint64_t position)
{
	uint64_t segment_bytes = store->superblock.segment_bytes;

	return segment_bytes - position % segment_bytes;
}

static struct blocklog_read *first_queued(struct blocklog_store *store)
{
	struct blocklog_read *first = NULL;

	for (uint32_t i = 0; i < BLOCKLOG_READS_MAX; i++) {
		struct blocklog_read *read = &store->reads[i];

		if (read->state == READ_QUEUED && (!first || read->order < first->order))
			first = read;
	}
	return first;
}

bool blocklog_reads_start(struct blocklog_store *store)
{
	bool is_started = false;

	for (uint32_t i = 0; i < BOUNCES && store->read_count > 0; i++) {
		struct blocklog_read *read;
		uint64_t page;

		if (store->bounce_is_used[i])
			continue;
		read = first_queued(store);
		if (!read)
			break;
		page = read->position - offset_in_page(read->position);
		store->bounce_is_used[i] = true;
		read->bounce = i;
		read->state = READ_FIRST;
		read_submit(store, read,
			    units_min(units_min(READ_FIRST_BYTES, store->bounce_bytes),
				      segment_left(store, page)));
		is_started = true;
	}
	return is_started;
}

/* Returns 0, 1 when more bytes are needed, or the read's code. */
static int read_check(struct blocklog_store *store, struct blocklog_read *read)
{
	uint64_t offset = offset_in_page(read->position);
	const uint8_t *record = store->bounces[read->bounce] + offset;
	uint64_t room =
		units_min(segment_left(store, read->position), store->bounce_bytes - offset);
	struct blocklog_head head;

	if (!blocklog_head_read(record, room, &head) || head.log != read->log ||
	    head.position != read->position)
		return ERR_CORRUPT;
	if (offset + blocklog_span(head.length) > read->loaded)
		return 1;
	if (!blocklog_record_is_whole(&store->key, &head, record))
		return ERR_CORRUPT;
	if (head.kind > BLOCKLOG_KIND_APPLICATION_MAX)
		return ERR_NOT_FOUND;
	if (head.length > read->buffer_bytes)
		return ERR_OVERSIZE;
	if (head.length)
		memcpy(read->buffer, record + BLOCKLOG_HEAD_BYTES, head.length);
	read->kind = head.kind;
	read->count = head.length;
	return 0;
}

static uint64_t read_missing(struct blocklog_store *store, struct blocklog_read *read)
{
	uint64_t offset = offset_in_page(read->position);
	struct blocklog_head head;
	bool is_head = blocklog_head_read(store->bounces[read->bounce] + offset,
					  store->bounce_bytes - offset, &head);

	ensure(is_head);
	return units_round_up(offset + blocklog_span(head.length), BLOCKLOG_PAGE_BYTES) -
	       read->loaded;
}

void blocklog_read_on_done(struct blocklog_store *store, uint32_t index, int code)
{
	struct blocklog_read *read = &store->reads[index];

	ensure(read->state == READ_FIRST || read->state == READ_REST);
	if (code == 0)
		code = read_check(store, read);
	if (code == 1) {
		ensure(read->state == READ_FIRST);
		read->state = READ_REST;
		read_submit(store, read, read_missing(store, read));
		blocklog_dev_kick(store->dev, BLOCKLOG_QUEUE_BULK);
		return;
	}
	read->code = code;
	read->state = READ_DONE;
	store->bounce_is_used[read->bounce] = false;
}

uint32_t blocklog_reads_report(struct blocklog_store *store, struct blocklog_done *ret_done,
			       uint32_t done_max)
{
	uint32_t count = 0;

	if (store->read_count == 0)
		return 0;
	for (uint32_t i = 0; i < BLOCKLOG_READS_MAX && count < done_max; i++) {
		struct blocklog_read *read = &store->reads[i];

		if (read->state != READ_DONE)
			continue;
		ret_done[count++] = (struct blocklog_done){
			.kind = BLOCKLOG_DONE_READ,
			.log = read->log,
			.ticket = read->ticket,
			.code = read->code,
			.record_kind = read->kind,
			.count = read->count,
		};
		read->state = READ_FREE;
		store->read_count--;
	}
	return count;
}
