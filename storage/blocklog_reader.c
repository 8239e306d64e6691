#define _GNU_SOURCE
#include "storage/blocklog_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "storage/blocklog_files.h"
#include "storage/blocklog_recover.h"

enum {
	AT_AHEAD_BYTES = 64 * 1024, /* most single records need one read */
	LOGS = 2,
};

struct blocklog_reader {
	struct blocklog_files files;
	struct blocklog_source source;
	struct blocklog_superblock superblock;
	struct blocklog_key key;
	struct blocklog_cursor cursors[LOGS]; /* of blocklog_reader_next() */
	struct blocklog_cursor single;        /* of everything else */
	uint8_t *windows[LOGS + 1];
	uint64_t torn_from[LOGS]; /* inside a page, where an offline tail tore; 0: nowhere */
	uint8_t *slot;            /* one safety record */
};

static size_t reader_struct_bytes(void)
{
	return (size_t)units_round_up(sizeof(struct blocklog_reader), BLOCKLOG_PAGE_BYTES);
}

size_t blocklog_reader_footprint(void)
{
	return BLOCKLOG_PAGE_BYTES + reader_struct_bytes() +
	       (LOGS + 1) * blocklog_window_bytes(BLOCKLOG_RECORD_BYTES_MAX) +
	       BLOCKLOG_SAFETY_SLOT_BYTES;
}

/* ---- the source: plain blocking reads ---- */

static int file_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		     void *ret_bytes, size_t count)
{
	struct blocklog_reader *reader = context;
	bool is_opened;
	int slot = blocklog_files_take(&reader->files, area, segment, &is_opened);
	ssize_t got;
	int code = 0;

	if (slot < 0)
		return slot;
	do
		got = pread(reader->files.slots[slot].fd, ret_bytes, count, (off_t)offset);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		code = -errno;
	else if ((size_t)got != count)
		code = -EIO;
	blocklog_files_give(&reader->files, (uint32_t)slot);
	return code;
}

static int file_census(void *context, enum blocklog_area area, uint64_t *ret_first,
		       uint64_t *ret_end)
{
	struct blocklog_reader *reader = context;

	return blocklog_files_census(&reader->files, area, ret_first, ret_end);
}

/* ---- open and close ---- */

static struct blocklog_reader *reader_place(void *memory, size_t memory_bytes)
{
	uintptr_t page = BLOCKLOG_PAGE_BYTES;
	uint8_t *at = (uint8_t *)(((uintptr_t)memory + page - 1) & ~(page - 1));
	struct blocklog_reader *reader = (struct blocklog_reader *)at;

	if (!memory || memory_bytes < blocklog_reader_footprint())
		return NULL;
	memset(reader, 0, sizeof(*reader));
	at += reader_struct_bytes();
	for (uint32_t i = 0; i < LOGS + 1; i++) {
		reader->windows[i] = at;
		at += blocklog_window_bytes(BLOCKLOG_RECORD_BYTES_MAX);
	}
	reader->slot = at;
	reader->source = (struct blocklog_source){
		.context = reader,
		.read = file_read,
		.census = file_census,
	};
	return reader;
}

static void single_init(struct blocklog_reader *reader, enum blocklog_log log)
{
	blocklog_cursor_init(&reader->single, &reader->source, &reader->key, log,
			     reader->superblock.segment_bytes, reader->windows[LOGS],
			     blocklog_window_bytes(reader->superblock.record_bytes_max));
}

static bool geometry_is_sane(const struct blocklog_superblock *superblock)
{
	uint64_t segment = superblock->segment_bytes;

	return superblock->record_bytes_max <= BLOCKLOG_RECORD_BYTES_MAX &&
	       superblock->record_bytes_max > 0 && segment > superblock->record_bytes_max &&
	       (segment & (segment - 1)) == 0 && segment >= BLOCKLOG_PAGE_BYTES;
}

int blocklog_reader_open(const char *directory, void *memory, size_t memory_bytes,
			 struct blocklog_reader **ret_reader, char *ret_reason, size_t reason_bytes)
{
	struct blocklog_reader *reader = reader_place(memory, memory_bytes);
	struct blocklog_super_found found;
	int code = ERR_MEMORY;

	if (!reader) {
		(void)snprintf(ret_reason, reason_bytes, "%s: %s", directory, err_text(code));
		return code;
	}
	code = blocklog_files_open_reader(&reader->files, directory, ret_reason, reason_bytes);
	if (code != 0) {
		blocklog_files_close(&reader->files);
		return code;
	}
	code = blocklog_recover_super(&reader->source, reader->windows[LOGS], &found);
	if (code == 0 && !geometry_is_sane(&found.superblock))
		code = ERR_CORRUPT;
	if (code != 0) {
		(void)snprintf(ret_reason, reason_bytes,
			       "%s: no readable store: %s: check the path", directory,
			       err_text(code));
		blocklog_files_close(&reader->files);
		return code;
	}
	reader->superblock = found.superblock;
	reader->key = blocklog_key_of(&found.superblock.identity, found.superblock.salt);
	for (uint32_t i = 0; i < LOGS; i++)
		blocklog_cursor_init(&reader->cursors[i], &reader->source, &reader->key,
				     i == 0 ? BLOCKLOG_LANE : BLOCKLOG_BLOCK,
				     reader->superblock.segment_bytes, reader->windows[i],
				     blocklog_window_bytes(reader->superblock.record_bytes_max));
	*ret_reader = reader;
	return 0;
}

void blocklog_reader_close(struct blocklog_reader *reader)
{
	if (reader)
		blocklog_files_close(&reader->files);
}

const struct blocklog_identity *blocklog_reader_identity(const struct blocklog_reader *reader)
{
	return &reader->superblock.identity;
}

/* ---- reading ---- */

static void view_of(const struct blocklog_record *record, struct blocklog_view *ret_view)
{
	*ret_view = (struct blocklog_view){
		.kind = record->head.kind,
		.position = record->head.position,
		.sequence = record->head.sequence,
		.bytes = record->bytes,
		.count = record->head.length,
	};
}

/* Position 0 means the first segment that is still there. */
static int first_position(struct blocklog_reader *reader, enum blocklog_log log,
			  uint64_t *ret_position)
{
	uint64_t first, end;
	int code = file_census(reader, blocklog_area_of(log), &first, &end);

	if (code == 0)
		*ret_position = first * reader->superblock.segment_bytes;
	return code;
}

/* A torn PAD: the last page ends behind its records, and what follows them was never durable. */
static bool is_torn_end(const struct blocklog_reader *reader, enum blocklog_log log,
			uint64_t position, uint64_t end)
{
	uint64_t torn = reader->torn_from[log == BLOCKLOG_BLOCK];

	return torn != 0 && position == torn && end == units_round_up(torn, BLOCKLOG_PAGE_BYTES);
}

int blocklog_reader_next(struct blocklog_reader *reader, enum blocklog_log log, uint64_t *position,
			 uint64_t end, struct blocklog_view *ret_view)
{
	struct blocklog_cursor *cursor = &reader->cursors[log == BLOCKLOG_BLOCK];
	struct blocklog_record record;
	uint64_t from = *position;
	int code;

	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	if (from == 0 && end > 0) {
		code = first_position(reader, log, &from);
		if (code != 0)
			return code;
	}
	if (!cursor->is_chained || cursor->position != from)
		blocklog_cursor_seek(cursor, from);
	code = blocklog_cursor_next(cursor, end, &record);
	*position = cursor->position;
	if (code == ERR_CORRUPT && is_torn_end(reader, log, cursor->position, end))
		return 0;
	if (code == 1)
		view_of(&record, ret_view);
	else if (code < 0)
		cursor->is_chained = false;
	return code;
}

int blocklog_reader_at(struct blocklog_reader *reader, enum blocklog_log log, uint64_t position,
		       uint64_t end, struct blocklog_view *ret_view)
{
	struct blocklog_record record;
	int code;

	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	if (position >= end || position % BLOCKLOG_HEAD_BYTES != 0)
		return ERR_NOT_FOUND;
	single_init(reader, log);
	blocklog_cursor_seek(&reader->single, position);
	reader->single.ahead_bytes = units_min(AT_AHEAD_BYTES, reader->single.window_bytes);
	reader->single.limit = end;
	code = blocklog_cursor_step(&reader->single, &record);
	if (code <= 0)
		return ERR_CORRUPT;
	if (record.head.kind > BLOCKLOG_KIND_APPLICATION_MAX)
		return ERR_NOT_FOUND;
	view_of(&record, ret_view);
	return 0;
}

int blocklog_reader_tail(struct blocklog_reader *reader, enum blocklog_log log, uint64_t *ret_end,
			 uint64_t *ret_torn_bytes)
{
	struct blocklog_safety_found safety = { 0 };
	struct blocklog_tail tail;
	int code;

	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	code = blocklog_recover_safety(&reader->source, &reader->key, reader->windows[LOGS],
				       reader->slot, &safety);
	if (code != 0 && code != ERR_NOT_FOUND)
		return code;
	single_init(reader, log);
	code = blocklog_recover_tail(&reader->single, safety.settled[log], &tail);
	if (code != 0)
		return code;
	*ret_end = units_round_up(tail.end, BLOCKLOG_PAGE_BYTES);
	reader->torn_from[log == BLOCKLOG_BLOCK] = tail.end < *ret_end ? tail.end : 0;
	*ret_torn_bytes = tail.torn_bytes;
	return 0;
}

int blocklog_reader_safety(struct blocklog_reader *reader, struct blocklog_view *ret_view)
{
	struct blocklog_safety_found found;
	int code = blocklog_recover_safety(&reader->source, &reader->key, reader->windows[LOGS],
					   reader->slot, &found);

	if (code != 0)
		return code;
	*ret_view = (struct blocklog_view){
		.kind = found.head.kind,
		.position = found.head.position,
		.sequence = found.head.sequence,
		.bytes = reader->slot + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES,
		.count = found.head.length - BLOCKLOG_SAFETY_PREFIX_BYTES,
	};
	return 0;
}
