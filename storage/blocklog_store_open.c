/* Format, open and scan: the blocking part, before the first turn. */

#include "storage/blocklog_store_impl.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

/* ---- blocking operations ---- */

int blocklog_sync_io(struct blocklog_store *store, struct blocklog_io *io)
{
	struct blocklog_io_done done;

	io->queue = BLOCKLOG_QUEUE_BULK;
	io->tag = blocklog_tag(TAG_SYNC, 0, 0);
	blocklog_dev_submit(store->dev, io);
	blocklog_dev_kick(store->dev, BLOCKLOG_QUEUE_BULK);
	while (blocklog_dev_poll(store->dev, &done, 1) == 0)
		blocklog_dev_wait(store->dev);
	ensure(done.tag == io->tag);
	return done.code;
}

static int sync_transfer(struct blocklog_store *store, enum blocklog_io_kind kind,
			 enum blocklog_area area, uint64_t segment, uint64_t offset, void *bytes,
			 size_t count)
{
	struct blocklog_extent extent = { bytes, count };
	struct blocklog_io io = {
		.kind = kind,
		.area = area,
		.segment = segment,
		.offset = offset,
		.extents = &extent,
		.extent_count = 1,
	};

	return blocklog_sync_io(store, &io);
}

int blocklog_sync_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		       void *ret_bytes, size_t count)
{
	return sync_transfer(context, BLOCKLOG_IO_READ, area, segment, offset, ret_bytes, count);
}

int blocklog_sync_write(struct blocklog_store *store, enum blocklog_area area, uint64_t segment,
			uint64_t offset, void *bytes, size_t count)
{
	return sync_transfer(store, BLOCKLOG_IO_WRITE, area, segment, offset, bytes, count);
}

int blocklog_sync_simple(struct blocklog_store *store, enum blocklog_io_kind kind,
			 enum blocklog_area area, uint64_t segment, uint64_t bytes)
{
	struct blocklog_io io = {
		.kind = kind,
		.area = area,
		.segment = segment,
		.bytes = bytes,
	};

	return blocklog_sync_io(store, &io);
}

int blocklog_sync_census(void *context, enum blocklog_area area, uint64_t *ret_first,
			 uint64_t *ret_end)
{
	struct blocklog_store *store = context;

	return blocklog_dev_census(store->dev, area, ret_first, ret_end);
}

static struct blocklog_source source_of(struct blocklog_store *store)
{
	return (struct blocklog_source){
		.context = store,
		.read = blocklog_sync_read,
		.census = blocklog_sync_census,
	};
}

/* ---- format ---- */

static int super_write(struct blocklog_store *store, uint32_t copy)
{
	blocklog_superblock_encode(&store->superblock, store->page);
	return blocklog_sync_write(store, BLOCKLOG_AREA_SUPER, 0,
				   (uint64_t)copy * BLOCKLOG_SUPER_STRIDE_BYTES, store->page,
				   BLOCKLOG_PAGE_BYTES);
}

static int safety_write_zero(struct blocklog_store *store, const void *bytes, size_t count)
{
	uint8_t *slot = store->safety.found;
	struct blocklog_head head = {
		.log = BLOCKLOG_SAFETY,
		.length = (uint32_t)(BLOCKLOG_SAFETY_PREFIX_BYTES + count),
	};
	int code = 0;

	memset(slot, 0, BLOCKLOG_SAFETY_SLOT_BYTES);
	if (count)
		memcpy(slot + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES, bytes, count);
	blocklog_record_seal(&store->key, &head, slot);
	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES && code == 0; copy++)
		code = blocklog_sync_write(store, BLOCKLOG_AREA_SAFETY, 0,
					   blocklog_safety_offset(0, copy), slot,
					   BLOCKLOG_SAFETY_SLOT_BYTES);
	return code;
}

static uint64_t area_bytes(const struct blocklog_store *store, enum blocklog_area area)
{
	switch (area) {
	case BLOCKLOG_AREA_SUPER:
		return BLOCKLOG_SUPER_FILE_BYTES;
	case BLOCKLOG_AREA_SAFETY:
		return BLOCKLOG_SAFETY_FILE_BYTES;
	default:
		return store->superblock.segment_bytes;
	}
}

/* The superblock comes last: without it nothing is a store. */
static int format_areas(struct blocklog_store *store, const void *record_zero, size_t record_bytes,
			uint32_t *ret_created)
{
	static const enum blocklog_area order[BLOCKLOG_AREA_COUNT] = {
		BLOCKLOG_AREA_LANE,
		BLOCKLOG_AREA_BLOCK,
		BLOCKLOG_AREA_SAFETY,
		BLOCKLOG_AREA_SUPER,
	};
	int code = 0;

	for (uint32_t i = 0; i < BLOCKLOG_AREA_COUNT && code == 0; i++) {
		code = blocklog_sync_simple(store, BLOCKLOG_IO_CREATE, order[i], 0,
					    area_bytes(store, order[i]));
		if (code == 0)
			*ret_created |= 1U << order[i];
		if (code == 0 && order[i] == BLOCKLOG_AREA_SAFETY)
			code = safety_write_zero(store, record_zero, record_bytes);
	}
	for (uint32_t copy = 0; copy < BLOCKLOG_SUPER_COPIES && code == 0; copy++)
		code = super_write(store, copy);
	return code;
}

int blocklog_store_format(struct blocklog_dev *dev, const struct blocklog_config *config,
			  const void *record_zero, size_t record_bytes, void *memory,
			  size_t memory_bytes)
{
	int code;
	uint32_t created = 0;
	struct blocklog_store *store =
		blocklog_store_place(dev, config, memory, memory_bytes, &code);

	if (!store)
		return code;
	if (record_bytes > BLOCKLOG_SAFETY_BYTES_MAX)
		return ERR_OVERSIZE;
	for (uint32_t area = 0; area < BLOCKLOG_AREA_COUNT; area++) {
		uint64_t first, end;

		code = blocklog_dev_census(dev, (enum blocklog_area)area, &first, &end);
		if (code != ERR_NOT_FOUND)
			return code == 0 || code == ERR_CORRUPT ? ERR_DUPLICATE : code;
	}
	store->superblock = (struct blocklog_superblock){
		.version = BLOCKLOG_FORMAT_VERSION,
		.sequence = 1,
		.identity = config->identity,
		.segment_bytes = config->segment_bytes,
		.record_bytes_max = blocklog_record_limit(config),
	};
	memcpy(store->superblock.salt, config->salt, BLOCKLOG_SALT_BYTES);
	store->key = blocklog_key_of(&config->identity, config->salt);
	code = format_areas(store, record_zero, record_bytes, &created);
	for (uint32_t area = 0; area < BLOCKLOG_AREA_COUNT && code != 0; area++)
		if (created >> area & 1)
			(void)blocklog_sync_simple(store, BLOCKLOG_IO_REMOVE,
						   (enum blocklog_area)area, 0, 0);
	return code;
}

/* ---- open ---- */

static int open_super(struct blocklog_store *store)
{
	struct blocklog_source source = source_of(store);
	struct blocklog_super_found found;
	const struct blocklog_superblock *super = &store->superblock;
	int code = blocklog_recover_super(&source, store->page, &found);

	store->refusal.wanted = store->config.identity;
	if (code != 0)
		return code;
	store->superblock = found.superblock;
	store->refusal.superblock = found.superblock;
	if (super->identity.node_id != store->config.identity.node_id ||
	    memcmp(super->identity.chain_id.b, store->config.identity.chain_id.b,
		   CRYPTO_HASH_BYTES) != 0)
		return ERR_FOREIGN;
	if (super->record_bytes_max > blocklog_record_limit(&store->config) ||
	    super->segment_bytes < store->config.group_bytes_max + BLOCKLOG_PAGE_BYTES)
		return ERR_CONFIG;
	store->key = blocklog_key_of(&super->identity, super->salt);
	for (uint32_t copy = 0; copy < BLOCKLOG_SUPER_COPIES && code == 0; copy++)
		if (found.copy_is_bad[copy])
			code = super_write(store, copy);
	return code;
}

/*
 * The next record goes where a torn one may lie. Sectors of both could make the torn one whole
 * in one copy, beside the new one in the other: nobody could tell which is the newest.
 */
static int clear_next_slot(struct blocklog_store *store, const struct blocklog_safety_found *found)
{
	_Static_assert((int)BLOCKLOG_SAFETY_SLOT_BYTES <= (int)ZEROS_BYTES, "a slot fits");
	int code = 0;

	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES && code == 0; copy++)
		if (found->next_is_rubbish[copy])
			code = blocklog_sync_write(store, BLOCKLOG_AREA_SAFETY, 0,
						   blocklog_safety_offset(found->head.sequence + 1,
									  copy),
						   store->zeros, BLOCKLOG_SAFETY_SLOT_BYTES);
	return code;
}

static int open_safety(struct blocklog_store *store, uint64_t settled[BLOCKLOG_LOG_COUNT])
{
	struct blocklog_source source = source_of(store);
	struct blocklog_safety *safety = &store->safety;
	struct blocklog_safety_found found = { 0 };
	int code = blocklog_recover_safety(&source, &store->key, store->bounces[0], safety->found,
					   &found);

	memcpy(settled, found.settled, sizeof(found.settled));
	/* Not a failure of open: the node runs as an observer (rule R). */
	if (code != 0)
		return 0;
	code = blocklog_sync_simple(store, BLOCKLOG_IO_SYNC, BLOCKLOG_AREA_SAFETY, 0, 0);
	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES && code == 0; copy++) {
		if (!found.copy_is_bad[copy])
			continue;
		code = blocklog_sync_write(store, BLOCKLOG_AREA_SAFETY, 0,
					   blocklog_safety_offset(found.head.sequence, copy),
					   safety->found, BLOCKLOG_SAFETY_SLOT_BYTES);
		store->recovery.safety_copy_repaired = true;
	}
	if (code == 0)
		code = clear_next_slot(store, &found);
	if (code != 0)
		return code;
	safety->is_found = true;
	safety->is_kept = true;
	safety->found_count = found.head.length;
	safety->sequence = found.head.sequence + 1;
	safety->previous = found.head.checksum;
	atomic_store(&safety->durable_end, blocklog_safety_position(safety->sequence));
	store->recovery.records[BLOCKLOG_SAFETY] = safety->sequence;
	store->recovery.torn_bytes[BLOCKLOG_SAFETY] = found.torn_bytes;
	return 0;
}

static int zero_range(struct blocklog_store *store, enum blocklog_area area, uint64_t from,
		      uint64_t to)
{
	uint64_t segment_bytes = store->superblock.segment_bytes;
	int code = 0;

	while (from < to && code == 0) {
		uint64_t offset = from % segment_bytes;
		uint64_t count =
			units_min(units_min(to - from, ZEROS_BYTES), segment_bytes - offset);

		code = blocklog_sync_write(store, area, from / segment_bytes, offset, store->zeros,
					   (size_t)count);
		from += count;
	}
	return code;
}

/* Fills the page in which the log ends with a PAD: the bytes before it are rewritten as read. */
static int pad_tail(struct blocklog_store *store, struct blocklog_line *line,
		    struct blocklog_tail *tail)
{
	enum blocklog_area area = blocklog_area_of(line->log);
	uint64_t segment_bytes = store->superblock.segment_bytes;
	uint64_t page = tail->end & ~(uint64_t)(BLOCKLOG_PAGE_BYTES - 1);
	uint32_t used = (uint32_t)(tail->end - page);
	struct blocklog_head head = {
		.log = line->log,
		.kind = BLOCKLOG_KIND_PAD,
		.length = BLOCKLOG_PAGE_BYTES - used - BLOCKLOG_HEAD_BYTES,
		.position = tail->end,
		.sequence = tail->sequence,
		.previous = tail->previous,
	};
	int code;

	if (used == 0)
		return 0;
	code = blocklog_sync_read(store, area, page / segment_bytes, page % segment_bytes,
				  store->page, BLOCKLOG_PAGE_BYTES);
	if (code != 0)
		return code;
	memset(store->page + used, 0, BLOCKLOG_PAGE_BYTES - used);
	blocklog_record_seal(&store->key, &head, store->page + used);
	tail->previous = head.checksum;
	tail->end = page + BLOCKLOG_PAGE_BYTES;
	return blocklog_sync_write(store, area, page / segment_bytes, page % segment_bytes,
				   store->page, BLOCKLOG_PAGE_BYTES);
}

static uint64_t last_used_segment(const struct blocklog_store *store,
				  const struct blocklog_tail *tail)
{
	return tail->end == 0 ? 0 : (tail->end - 1) / store->superblock.segment_bytes;
}

static int open_line(struct blocklog_store *store, struct blocklog_line *line, uint64_t settled)
{
	struct blocklog_source source = source_of(store);
	enum blocklog_area area = blocklog_area_of(line->log);
	struct blocklog_cursor cursor;
	struct blocklog_tail tail;
	int code;

	blocklog_cursor_init(&cursor, &source, &store->key, line->log,
			     store->superblock.segment_bytes, store->bounces[0],
			     store->bounce_bytes);
	code = blocklog_recover_tail(&cursor, settled, &tail);
	if (code != 0) {
		store->refusal.log = line->log;
		store->refusal.position = cursor.position;
		return code;
	}
	store->recovery.records[line->log] = tail.sequence;
	store->recovery.torn_bytes[line->log] = tail.torn_bytes;
	/* What was read may not be durable yet: the writer may have died, not the power. */
	code = blocklog_sync_simple(store, BLOCKLOG_IO_SYNC, area, last_used_segment(store, &tail),
				    0);
	if (code == 0)
		code = zero_range(store, area, tail.torn_from, tail.torn_to);
	if (code == 0)
		code = pad_tail(store, line, &tail);
	if (code != 0)
		return code;
	line->end = tail.end;
	line->sequence = tail.sequence;
	line->previous = tail.previous;
	line->segment_first = tail.segment_first;
	line->segment_end = tail.segment_end;
	atomic_store(&line->durable_end, tail.end);
	return 0;
}

int blocklog_store_open(struct blocklog_dev *dev, const struct blocklog_config *config,
			void *memory, size_t memory_bytes, struct blocklog_store **ret_store)
{
	uint64_t settled[BLOCKLOG_LOG_COUNT];
	int code;
	struct blocklog_store *store =
		blocklog_store_place(dev, config, memory, memory_bytes, &code);

	if (!store)
		return code;
	code = open_super(store);
	if (code == 0)
		code = open_safety(store, settled);
	for (uint32_t i = 0; i < LINES && code == 0; i++)
		code = open_line(store, &store->lines[i], settled[store->lines[i].log]);
	if (code == 0)
		*ret_store = store;
	return code;
}

/* ---- scan ---- */

int blocklog_store_scan(struct blocklog_store *store, enum blocklog_log log, uint64_t position,
			blocklog_visit visit, void *context)
{
	struct blocklog_line *line = blocklog_line_of(store, log);
	struct blocklog_source source = source_of(store);
	uint64_t first = line->segment_first * store->superblock.segment_bytes;
	uint64_t end = blocklog_line_durable_end(line);
	struct blocklog_cursor cursor;
	struct blocklog_record record;
	int code;

	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	ensure(!blocklog_store_is_busy(store));
	blocklog_cursor_init(&cursor, &source, &store->key, log, store->superblock.segment_bytes,
			     store->bounces[0], store->bounce_bytes);
	blocklog_cursor_seek(&cursor, units_max(position, first));
	while ((code = blocklog_cursor_next(&cursor, end, &record)) == 1) {
		code = visit(context, record.head.kind, record.head.position, record.bytes,
			     record.head.length);
		if (code != 0)
			return code;
	}
	if (code < 0) {
		store->refusal.log = log;
		store->refusal.position = cursor.position;
	}
	return code;
}
