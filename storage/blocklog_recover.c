#include "storage/blocklog_recover.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

void blocklog_cursor_init(struct blocklog_cursor *cursor, const struct blocklog_source *source,
			  const struct blocklog_key *key, enum blocklog_log log,
			  uint64_t segment_bytes, void *window, size_t window_bytes)
{
	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	ensure(segment_bytes % BLOCKLOG_PAGE_BYTES == 0);
	ensure(window_bytes % BLOCKLOG_PAGE_BYTES == 0 && window_bytes > BLOCKLOG_PAGE_BYTES);
	ensure((uintptr_t)window % BLOCKLOG_PAGE_BYTES == 0);
	*cursor = (struct blocklog_cursor){
		.source = source,
		.key = *key,
		.log = log,
		.segment_bytes = segment_bytes,
		.window = window,
		.window_bytes = window_bytes,
		.ahead_bytes = window_bytes,
		.limit = UINT64_MAX,
	};
}

void blocklog_cursor_seek(struct blocklog_cursor *cursor, uint64_t position)
{
	cursor->position = position;
	cursor->is_chained = false;
	cursor->loaded_bytes = 0;
}

static uint64_t page_of(uint64_t position)
{
	return position & ~(uint64_t)(BLOCKLOG_PAGE_BYTES - 1);
}

/* The end of the segment around `position`, or of what may be read of it. */
static uint64_t readable_end(const struct blocklog_cursor *cursor, uint64_t position)
{
	uint64_t segment_end = (position / cursor->segment_bytes + 1) * cursor->segment_bytes;

	return units_min(segment_end, cursor->limit);
}

static uint64_t segment_end_of(const struct blocklog_cursor *cursor, uint64_t position)
{
	return (position / cursor->segment_bytes + 1) * cursor->segment_bytes;
}

static int load_exactly(struct blocklog_cursor *cursor, uint64_t from, uint64_t count)
{
	int code = cursor->source->read(cursor->source->context, blocklog_area_of(cursor->log),
					from / cursor->segment_bytes, from % cursor->segment_bytes,
					cursor->window, (size_t)count);

	cursor->loaded_position = from;
	cursor->loaded_bytes = code == 0 ? (size_t)count : 0;
	return code;
}

/* Returns `need` bytes at `position`, within one segment and the window; NULL: unreadable. */
static const uint8_t *load(struct blocklog_cursor *cursor, uint64_t position, uint64_t need)
{
	uint64_t from = page_of(position);
	uint64_t page_end = units_round_up(position + need, BLOCKLOG_PAGE_BYTES);
	uint64_t wish = units_min(cursor->ahead_bytes, readable_end(cursor, position) - from);

	ensure(page_end <= readable_end(cursor, position));
	ensure(page_end - from <= cursor->window_bytes);
	wish = units_max(wish, page_end - from);
	if (position < cursor->loaded_position ||
	    position + need > cursor->loaded_position + cursor->loaded_bytes) {
		/* One unreadable page far ahead must not hide the record at hand. */
		if (load_exactly(cursor, from, wish) != 0 &&
		    load_exactly(cursor, from, page_end - from) != 0)
			return NULL;
	}
	return cursor->window + (position - cursor->loaded_position);
}

/* The largest record that could start at `position`. */
static uint64_t room_at(const struct blocklog_cursor *cursor, uint64_t position)
{
	uint64_t window_room = cursor->window_bytes - (position - page_of(position));

	return units_min(window_room, readable_end(cursor, position) - position);
}

/* Reads any whole record that starts at `position` and belongs there. 1, 0, or ERR_CORRUPT. */
static int record_at(struct blocklog_cursor *cursor, uint64_t position,
		     struct blocklog_record *ret_record)
{
	const uint8_t *record = load(cursor, position, BLOCKLOG_HEAD_BYTES);
	struct blocklog_head head;

	if (!record)
		return ERR_CORRUPT;
	if (!blocklog_head_read(record, room_at(cursor, position), &head))
		return 0;
	if (head.log != cursor->log || head.position != position)
		return 0;
	record = load(cursor, position, blocklog_span(head.length));
	if (!record)
		return ERR_CORRUPT;
	if (!blocklog_record_is_whole(&cursor->key, &head, record))
		return 0;
	ret_record->head = head;
	ret_record->bytes = record + BLOCKLOG_HEAD_BYTES;
	return 1;
}

static bool segment_belongs(const struct blocklog_cursor *cursor,
			    const struct blocklog_record *record,
			    struct blocklog_segment *ret_segment)
{
	uint64_t position = record->head.position;

	return blocklog_segment_decode(record->bytes, record->head.length, ret_segment) &&
	       ret_segment->segment_bytes == cursor->segment_bytes &&
	       ret_segment->number == position / cursor->segment_bytes &&
	       ret_segment->previous_end <= position;
}

static bool continues(const struct blocklog_cursor *cursor, const struct blocklog_record *record)
{
	bool opens_segment = record->head.position % cursor->segment_bytes == 0;
	bool is_first = !cursor->is_chained && record->head.position == cursor->position;
	struct blocklog_segment segment;

	if (opens_segment != (record->head.kind == BLOCKLOG_KIND_SEGMENT))
		return false;
	if (opens_segment && !segment_belongs(cursor, record, &segment))
		return false;
	if (opens_segment && !is_first && segment.previous_end != cursor->position)
		return false;
	if (!cursor->is_chained)
		return true;
	return record->head.sequence == cursor->sequence &&
	       blocklog_checksum_equal(&record->head.previous, &cursor->previous);
}

static void step_over(struct blocklog_cursor *cursor, const struct blocklog_head *head)
{
	bool is_counted = head->kind <= BLOCKLOG_KIND_APPLICATION_MAX;

	cursor->position = head->position + blocklog_span(head->length);
	cursor->sequence = head->sequence + (is_counted ? 1 : 0);
	cursor->previous = head->checksum;
	cursor->is_chained = true;
}

int blocklog_cursor_step(struct blocklog_cursor *cursor, struct blocklog_record *ret_record)
{
	int code;

	if (cursor->position % BLOCKLOG_HEAD_BYTES != 0 || cursor->position >= cursor->limit)
		return 0;
	code = record_at(cursor, cursor->position, ret_record);
	if (code <= 0)
		return code;
	if (!continues(cursor, ret_record))
		return 0;
	step_over(cursor, &ret_record->head);
	return 1;
}

/* From where a segment's records stop to the next segment, which says where they had to. */
static int hop(struct blocklog_cursor *cursor)
{
	uint64_t start = segment_end_of(cursor, cursor->position);
	struct blocklog_record record;

	if (record_at(cursor, start, &record) != 1 || !continues(cursor, &record))
		return ERR_CORRUPT;
	step_over(cursor, &record.head);
	return 0;
}

int blocklog_cursor_next(struct blocklog_cursor *cursor, uint64_t end,
			 struct blocklog_record *ret_record)
{
	ensure(end % BLOCKLOG_PAGE_BYTES == 0);
	cursor->limit = end;
	while (cursor->position < end) {
		int code = blocklog_cursor_step(cursor, ret_record);

		if (code < 0)
			return code;
		if (code == 1 && ret_record->head.kind <= BLOCKLOG_KIND_APPLICATION_MAX)
			return 1;
		if (code == 1)
			continue;
		if (cursor->position % cursor->segment_bytes == 0 ||
		    segment_end_of(cursor, cursor->position) >= end || hop(cursor) != 0)
			return ERR_CORRUPT;
	}
	return 0;
}

int blocklog_recover_super(const struct blocklog_source *source, void *window,
			   struct blocklog_super_found *ret_found)
{
	struct blocklog_super_found found = { 0 };
	uint64_t sequence[BLOCKLOG_SUPER_COPIES] = { 0 };
	bool is_good[BLOCKLOG_SUPER_COPIES] = { false };
	bool any = false;
	uint64_t first, end;
	int code = source->census(source->context, BLOCKLOG_AREA_SUPER, &first, &end);

	if (code != 0)
		return code;
	for (uint32_t i = 0; i < BLOCKLOG_SUPER_COPIES; i++) {
		struct blocklog_superblock copy;

		if (source->read(source->context, BLOCKLOG_AREA_SUPER, 0,
				 (uint64_t)i * BLOCKLOG_SUPER_STRIDE_BYTES, window,
				 BLOCKLOG_PAGE_BYTES) != 0)
			continue;
		code = blocklog_superblock_decode(window, &copy);
		if (code == ERR_NEWER)
			return ERR_NEWER;
		if (code != 0)
			continue;
		is_good[i] = true;
		sequence[i] = copy.sequence;
		if (!any || copy.sequence > found.superblock.sequence)
			found.superblock = copy;
		any = true;
	}
	if (!any)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < BLOCKLOG_SUPER_COPIES; i++)
		found.copy_is_bad[i] = !is_good[i] || sequence[i] != found.superblock.sequence;
	*ret_found = found;
	return 0;
}

/* ---- tail of the lane and block log ---- */

/*
 * Looks through [from, to) of one segment for records that prove `stop` was settled,
 * and for the last byte that is not zero. Returns 0, or ERR_CORRUPT on proof.
 */
static int search_witness(struct blocklog_cursor *cursor, uint64_t from, uint64_t to, uint64_t stop,
			  uint64_t *ret_nonzero_end)
{
	uint64_t nonzero_end = from;

	for (uint64_t page = from; page < to; page += BLOCKLOG_PAGE_BYTES) {
		const uint8_t *bytes = load(cursor, page, BLOCKLOG_PAGE_BYTES);
		struct blocklog_record record;
		int code;

		if (!bytes)
			return ERR_CORRUPT;
		if (blocklog_is_zero(bytes, BLOCKLOG_PAGE_BYTES))
			continue;
		nonzero_end = page + BLOCKLOG_PAGE_BYTES;
		code = record_at(cursor, page, &record);
		if (code < 0)
			return code;
		if (code == 1 && record.head.position - record.head.unsettled > stop)
			return ERR_CORRUPT;
	}
	*ret_nonzero_end = nonzero_end;
	return 0;
}

/* The last segment whose first page holds its SEGMENT record; `first` - 1 if none does. */
static int find_last_used(struct blocklog_cursor *cursor, uint64_t first, uint64_t end,
			  bool *ret_is_found, uint64_t *ret_segment)
{
	for (uint64_t segment = end; segment > first; segment--) {
		struct blocklog_record record;
		int code;

		blocklog_cursor_seek(cursor, (segment - 1) * cursor->segment_bytes);
		code = blocklog_cursor_step(cursor, &record);
		if (code < 0)
			return code;
		if (code == 1) {
			*ret_is_found = true;
			*ret_segment = segment - 1;
			return 0;
		}
	}
	*ret_is_found = false;
	return 0;
}

static int walk_segment(struct blocklog_cursor *cursor, uint64_t segment)
{
	uint64_t segment_end = (segment + 1) * cursor->segment_bytes;
	struct blocklog_record record;
	int code = 1;

	blocklog_cursor_seek(cursor, segment * cursor->segment_bytes);
	while (code == 1 && cursor->position < segment_end)
		code = blocklog_cursor_step(cursor, &record);
	return code < 0 ? code : 0;
}

static uint64_t torn_bytes_of(struct blocklog_cursor *cursor, uint64_t stop)
{
	uint64_t rest = units_round_up(stop, BLOCKLOG_PAGE_BYTES) - stop;
	const uint8_t *bytes = rest ? load(cursor, stop, rest) : NULL;

	return bytes && !blocklog_is_zero(bytes, (size_t)rest) ? rest : 0;
}

/* Everything behind `stop`, in its segment and the later ones, is rubbish or proof. */
static int search_rest(struct blocklog_cursor *cursor, uint64_t stop, struct blocklog_tail *tail)
{
	uint64_t page = units_round_up(stop, BLOCKLOG_PAGE_BYTES);
	uint64_t log_end = tail->segment_end * cursor->segment_bytes;

	tail->torn_from = page;
	tail->torn_to = page;
	tail->torn_bytes = torn_bytes_of(cursor, stop);
	while (page < log_end) {
		uint64_t to = units_min(segment_end_of(cursor, page), log_end);
		uint64_t nonzero_end = page;
		int code = search_witness(cursor, page, to, stop, &nonzero_end);

		if (code != 0)
			return code;
		if (nonzero_end > page) {
			tail->torn_to = nonzero_end;
			tail->torn_bytes += nonzero_end - page;
		}
		page = to;
	}
	return 0;
}

int blocklog_recover_tail(struct blocklog_cursor *cursor, uint64_t settled,
			  struct blocklog_tail *ret_tail)
{
	struct blocklog_tail tail = { 0 };
	bool is_used;
	uint64_t segment;
	int code = cursor->source->census(cursor->source->context, blocklog_area_of(cursor->log),
					  &tail.segment_first, &tail.segment_end);

	blocklog_cursor_seek(cursor, tail.segment_first * cursor->segment_bytes);
	if (code != 0)
		return ERR_CORRUPT;
	code = find_last_used(cursor, tail.segment_first, tail.segment_end, &is_used, &segment);
	if (code == 0 && is_used)
		code = walk_segment(cursor, segment);
	else if (code == 0)
		blocklog_cursor_seek(cursor, tail.segment_first * cursor->segment_bytes);
	if (code != 0)
		return code;
	if (!is_used && tail.segment_first > 0)
		return ERR_CORRUPT;

	tail.end = cursor->position;
	tail.sequence = cursor->sequence;
	tail.previous = cursor->previous;
	if (tail.end < settled)
		return ERR_CORRUPT;
	code = search_rest(cursor, tail.end, &tail);
	if (code != 0)
		return code;
	*ret_tail = tail;
	return 0;
}
