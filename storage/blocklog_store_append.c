/* Appending: records become bytes of a group at once; positions and chain are final. */

#include "storage/blocklog_store_impl.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

/* ---- groups ---- */

static struct blocklog_group *line_filling(struct blocklog_line *line)
{
	struct blocklog_group *newest;

	if (line->group_count == 0)
		return NULL;
	newest = &line->groups[(line->oldest + line->group_count - 1) % GROUPS];
	return newest->state == GROUP_FILLING ? newest : NULL;
}

/* Seals the record whose bytes stand behind `record`, and moves the line past it. */
static void line_put(struct blocklog_store *store, struct blocklog_line *line,
		     struct blocklog_group *group, uint8_t *record, uint16_t kind, uint32_t length)
{
	uint64_t unsettled = group->end - blocklog_line_durable_end(line);
	struct blocklog_head head = {
		.log = line->log,
		.kind = kind,
		.length = length,
		.unsettled = (uint32_t)unsettled,
		.position = group->end,
		.sequence = line->sequence,
		.previous = line->previous,
	};

	ensure(unsettled <= UINT32_MAX);
	blocklog_record_seal(&store->key, &head, record);
	line->previous = head.checksum;
	line->sequence += kind <= BLOCKLOG_KIND_APPLICATION_MAX ? 1 : 0;
	group->end += blocklog_span(length);
	line->end = group->end;
	ensure(group->end <= group->limit);
}

/* Returns room in the staging memory, as part of the last extent or of a new one. */
static uint8_t *group_stage(struct blocklog_group *group, size_t count)
{
	uint8_t *at = group->staging + group->staged;

	if (!group->extent_is_open) {
		ensure(group->extent_count < BLOCKLOG_EXTENTS_MAX);
		ensure(group->staged % BLOCKLOG_PAGE_BYTES == 0);
		group->extents[group->extent_count++] = (struct blocklog_extent){ at, 0 };
		group->extent_is_open = true;
	}
	group->extents[group->extent_count - 1].count += count;
	group->staged += count;
	return at;
}

static void group_pad(struct blocklog_store *store, struct blocklog_line *line,
		      struct blocklog_group *group)
{
	uint64_t span = units_round_up(group->end, BLOCKLOG_PAGE_BYTES) - group->end;
	uint8_t *at;

	if (span == 0)
		return;
	at = group_stage(group, (size_t)span);
	memset(at, 0, (size_t)span);
	line_put(store, line, group, at, BLOCKLOG_KIND_PAD, (uint32_t)span - BLOCKLOG_HEAD_BYTES);
}

void blocklog_line_seal(struct blocklog_store *store, struct blocklog_line *line)
{
	struct blocklog_group *group = line_filling(line);

	if (!group)
		return;
	group_pad(store, line, group);
	group->state = GROUP_SEALED;
	store->counters.group_commits[line->log]++;
}

static void group_open_segment(struct blocklog_store *store, struct blocklog_line *line,
			       struct blocklog_group *group, uint64_t previous_end)
{
	struct blocklog_segment segment = {
		.version = BLOCKLOG_FORMAT_VERSION,
		.identity = store->superblock.identity,
		.segment_bytes = store->superblock.segment_bytes,
		.number = group->position / store->superblock.segment_bytes,
		.previous_end = previous_end,
	};
	uint8_t *at = group_stage(group, BLOCKLOG_PAGE_BYTES);

	blocklog_segment_encode(&segment, at + BLOCKLOG_HEAD_BYTES);
	line_put(store, line, group, at, BLOCKLOG_KIND_SEGMENT,
		 BLOCKLOG_PAGE_BYTES - BLOCKLOG_HEAD_BYTES);
}

/* Begins a group that can take `need` bytes: behind the last one, or in the next segment. */
static struct blocklog_group *line_open_group(struct blocklog_store *store,
					      struct blocklog_line *line, uint64_t need)
{
	uint64_t segment_bytes = store->superblock.segment_bytes;
	uint64_t previous_end = line->end;
	uint64_t position = line->end;
	uint64_t left = segment_bytes - position % segment_bytes;
	struct blocklog_group *group;

	ensure(position % BLOCKLOG_PAGE_BYTES == 0);
	if (line->group_count == GROUPS)
		return NULL;
	if (position % segment_bytes != 0 && left < units_round_up(need, BLOCKLOG_PAGE_BYTES)) {
		position += left;
		left = segment_bytes;
	}
	if (position / segment_bytes >= line->segment_first + store->config.segments_max) {
		line->condition = ERR_FULL;
		return NULL;
	}
	group = &line->groups[(line->oldest + line->group_count++) % GROUPS];
	ensure(group->state == GROUP_FREE);
	group->state = GROUP_FILLING;
	group->opens_segment = position % segment_bytes == 0;
	group->position = position;
	group->end = position;
	group->limit = position +
		       units_min(left, store->config.group_bytes_max +
					       (group->opens_segment ? BLOCKLOG_PAGE_BYTES : 0));
	group->staged = 0;
	group->extent_count = 0;
	group->extent_is_open = false;
	group->ticket_count = 0;
	group->reported = 0;
	if (group->opens_segment)
		group_open_segment(store, line, group, previous_end);
	return group;
}

static bool group_fits(const struct blocklog_group *group, uint64_t need, bool is_borrowed)
{
	uint64_t from = is_borrowed ? units_round_up(group->end, BLOCKLOG_PAGE_BYTES) : group->end;

	return group->ticket_count < GROUP_TICKETS_MAX &&
	       group->extent_count < BLOCKLOG_EXTENTS_MAX - 1 &&
	       units_round_up(from + need, BLOCKLOG_PAGE_BYTES) <= group->limit;
}

static struct blocklog_group *line_group_for(struct blocklog_store *store,
					     struct blocklog_line *line, uint64_t need,
					     bool is_borrowed)
{
	struct blocklog_group *group = line_filling(line);

	if (group && group_fits(group, need, is_borrowed))
		return group;
	blocklog_line_seal(store, line);
	return line_open_group(store, line, need);
}

/* ---- lane and block records ---- */

static uint64_t line_copy(struct blocklog_store *store, struct blocklog_line *line,
			  struct blocklog_group *group, uint16_t kind, const void *bytes,
			  size_t count)
{
	uint8_t *at = group_stage(group, (size_t)blocklog_span(count));
	uint64_t position = group->end;

	if (count)
		memcpy(at + BLOCKLOG_HEAD_BYTES, bytes, count);
	line_put(store, line, group, at, kind, (uint32_t)count);
	return position;
}

/* PAD up to the head, head, the caller's bytes on their page boundary, PAD to the page's end. */
static uint64_t line_lend(struct blocklog_store *store, struct blocklog_line *line,
			  struct blocklog_group *group, uint16_t kind, uint8_t *bytes, size_t count)
{
	size_t pages = (size_t)units_round_up(count, BLOCKLOG_PAGE_BYTES);
	size_t span = (size_t)blocklog_span(count) - BLOCKLOG_HEAD_BYTES;
	uint8_t *before = bytes - BLOCKLOG_PAGE_BYTES;
	uint64_t position;

	group_pad(store, line, group);
	group->extent_is_open = false;
	group->extents[group->extent_count++] =
		(struct blocklog_extent){ before, BLOCKLOG_PAGE_BYTES + pages };
	memset(before, 0, BLOCKLOG_PAGE_BYTES);
	line_put(store, line, group, before, BLOCKLOG_KIND_PAD,
		 BLOCKLOG_PAGE_BYTES - 2 * BLOCKLOG_HEAD_BYTES);
	position = group->end;
	line_put(store, line, group, bytes - BLOCKLOG_HEAD_BYTES, kind, (uint32_t)count);
	if (span == pages)
		return position;
	memset(bytes + span, 0, pages - span);
	line_put(store, line, group, bytes + span, BLOCKLOG_KIND_PAD,
		 (uint32_t)(pages - span) - BLOCKLOG_HEAD_BYTES);
	return position;
}

/* ---- safety records ---- */

static struct blocklog_safety_half *safety_half(struct blocklog_safety *safety)
{
	for (uint32_t i = 0; i < 2; i++)
		if (safety->halves[i].state == GROUP_FILLING)
			return &safety->halves[i];
	for (uint32_t i = 0; i < 2; i++)
		if (safety->halves[i].state == GROUP_FREE)
			return &safety->halves[i];
	return NULL;
}

/* A record not yet written is replaced by the newer one; its tickets share the write. */
static int safety_append(struct blocklog_store *store, const void *bytes, size_t count,
			 uint64_t ticket, uint64_t *ret_position)
{
	struct blocklog_safety *safety = &store->safety;
	struct blocklog_safety_half *half;

	if (!safety->is_found)
		return ERR_NOT_FOUND;
	if (count > BLOCKLOG_SAFETY_BYTES_MAX)
		return ERR_OVERSIZE;
	half = safety_half(safety);
	if (!half || half->ticket_count == SAFETY_TICKETS_MAX)
		return ERR_FULL;
	safety->is_kept = false;
	half->state = GROUP_FILLING;
	half->count = BLOCKLOG_SAFETY_PREFIX_BYTES + count;
	if (count)
		memcpy(half->slot + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES, bytes,
		       count);
	half->tickets[half->ticket_count++] = ticket;
	*ret_position = blocklog_safety_position(safety->sequence);
	return 0;
}

/* ---- the two calls ---- */

static int line_append(struct blocklog_store *store, enum blocklog_log log, uint16_t kind,
		       const void *bytes, uint8_t *lent, size_t count, uint64_t ticket,
		       uint64_t *ret_position)
{
	struct blocklog_line *line = blocklog_line_of(store, log);
	uint64_t need = blocklog_span(count);
	struct blocklog_group *group;

	if (count > store->superblock.record_bytes_max)
		return ERR_OVERSIZE;
	if (lent)
		need = BLOCKLOG_PAGE_BYTES + units_round_up(count, BLOCKLOG_PAGE_BYTES);
	group = line_group_for(store, line, need, lent != NULL);
	if (!group)
		return ERR_FULL;
	if (lent)
		*ret_position = line_lend(store, line, group, kind, lent, count);
	else
		*ret_position = line_copy(store, line, group, kind, bytes, count);
	group->tickets[group->ticket_count++] = ticket;
	store->counters.appends[log]++;
	store->counters.appended_bytes[log] += count;
	return 0;
}

int blocklog_store_append(struct blocklog_store *store, enum blocklog_log log, uint16_t kind,
			  const void *bytes, size_t count, uint64_t ticket, uint64_t *ret_position)
{
	int code;

	ensure(log < BLOCKLOG_LOG_COUNT);
	ensure(kind <= BLOCKLOG_KIND_APPLICATION_MAX);
	if (store->retired)
		return ERR_RETIRED;
	if (log != BLOCKLOG_SAFETY)
		return line_append(store, log, kind, bytes, NULL, count, ticket, ret_position);
	code = safety_append(store, bytes, count, ticket, ret_position);
	if (code == 0) {
		store->counters.appends[log]++;
		store->counters.appended_bytes[log] += count;
	}
	return code;
}

int blocklog_store_append_borrowed(struct blocklog_store *store, enum blocklog_log log,
				   uint16_t kind, void *bytes, size_t count, uint64_t ticket,
				   uint64_t *ret_position)
{
	ensure(log == BLOCKLOG_LANE || log == BLOCKLOG_BLOCK);
	ensure(kind <= BLOCKLOG_KIND_APPLICATION_MAX);
	ensure((uintptr_t)bytes % BLOCKLOG_PAGE_BYTES == 0 && bytes != NULL);
	if (store->retired)
		return ERR_RETIRED;
	return line_append(store, log, kind, NULL, bytes, count, ticket, ret_position);
}
