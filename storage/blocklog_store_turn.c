/* One turn: completions in, done tickets out, the next writes on their way. */

#include "storage/blocklog_store_impl.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

enum { POLL_MAX = 32 };

/* ---- retirement ---- */

static void line_fail(struct blocklog_line *line)
{
	for (uint32_t i = 0; i < line->group_count; i++) {
		struct blocklog_group *group = &line->groups[(line->oldest + i) % GROUPS];

		if (group->state == GROUP_FILLING || group->state == GROUP_SEALED ||
		    (group->state == GROUP_WRITTEN && group->reported == 0)) {
			group->state = GROUP_FAILED;
			group->code = ERR_RETIRED;
		}
	}
}

void blocklog_store_retire(struct blocklog_store *store, int code)
{
	ensure(code < 0);
	store->counters.failures++;
	if (store->retired)
		return;
	store->retired = code;
	for (uint32_t i = 0; i < LINES; i++)
		line_fail(&store->lines[i]);
	for (uint32_t i = 0; i < 2; i++) {
		struct blocklog_safety_half *half = &store->safety.halves[i];

		if (half->state == GROUP_FILLING ||
		    (half->state == GROUP_WRITTEN && half->reported == 0)) {
			half->state = GROUP_FAILED;
			half->code = ERR_RETIRED;
		}
	}
}

/* ---- completions ---- */

static void group_on_done(struct blocklog_store *store, struct blocklog_line *line, uint32_t index,
			  int code)
{
	struct blocklog_group *group = &line->groups[index];

	ensure(group->state == GROUP_WRITING);
	group->state = GROUP_WRITTEN;
	if (code != 0)
		blocklog_store_retire(store, code);
	if (store->retired) {
		group->state = GROUP_FAILED;
		group->code = code != 0 ? code : ERR_RETIRED;
	}
}

static void safety_on_done(struct blocklog_store *store, uint32_t index, int code)
{
	struct blocklog_safety_half *half = &store->safety.halves[index];

	ensure(half->state == GROUP_WRITING && half->copies_left > 0);
	half->copies_left--;
	if (code != 0) {
		half->code = code;
		blocklog_store_retire(store, code);
	}
	if (half->copies_left > 0)
		return;
	half->state = GROUP_WRITTEN;
	if (store->retired) {
		half->state = GROUP_FAILED;
		half->code = half->code != 0 ? half->code : ERR_RETIRED;
		return;
	}
	/* Pairs with the acquire in blocklog_store_durable_end(). */
	atomic_store_explicit(&store->safety.durable_end,
			      blocklog_safety_position(store->safety.sequence),
			      memory_order_release);
}

static void create_on_done(struct blocklog_store *store, struct blocklog_line *line, int code)
{
	ensure(line->is_creating);
	line->is_creating = false;
	line->condition = code;
	if (code == 0) {
		line->segment_end++;
		return;
	}
	line->create_pause = CREATE_PAUSE_TURNS;
	store->counters.failures++;
}

static void on_done(struct blocklog_store *store, const struct blocklog_io_done *done)
{
	enum tag_kind kind = (enum tag_kind)(done->tag >> 32);
	enum blocklog_log log = (enum blocklog_log)(done->tag >> 16 & 0xffff);
	uint32_t index = (uint32_t)(done->tag & 0xffff);

	ensure(kind != TAG_SYNC);
	switch (kind) {
	case TAG_GROUP:
		store->counters.commit_ns_last = done->elapsed_ns;
		group_on_done(store, blocklog_line_of(store, log), index, done->code);
		break;
	case TAG_SAFETY:
		store->counters.commit_ns_last = done->elapsed_ns;
		safety_on_done(store, index, done->code);
		break;
	case TAG_READ:
		blocklog_read_on_done(store, index, done->code);
		break;
	case TAG_CREATE:
		create_on_done(store, blocklog_line_of(store, log), done->code);
		break;
	case TAG_SYNC:
		break;
	}
}

static void take_completions(struct blocklog_store *store)
{
	struct blocklog_io_done done[POLL_MAX];
	uint32_t count;

	do {
		count = blocklog_dev_poll(store->dev, done, POLL_MAX);
		ensure(count <= POLL_MAX);
		for (uint32_t i = 0; i < count; i++)
			on_done(store, &done[i]);
	} while (count == POLL_MAX);
}

/* ---- reports ---- */

static uint32_t report(const uint64_t *tickets, uint32_t ticket_count, uint32_t *reported,
		       enum blocklog_log log, int code, struct blocklog_done *ret_done,
		       uint32_t done_max)
{
	uint32_t count = 0;

	while (*reported < ticket_count && count < done_max)
		ret_done[count++] = (struct blocklog_done){
			.kind = BLOCKLOG_DONE_APPEND,
			.log = log,
			.ticket = tickets[(*reported)++],
			.code = code,
		};
	return count;
}

static uint32_t line_report(struct blocklog_line *line, struct blocklog_done *ret_done,
			    uint32_t done_max)
{
	uint32_t count = 0;

	while (line->group_count > 0) {
		struct blocklog_group *group = &line->groups[line->oldest];

		if (group->state != GROUP_WRITTEN && group->state != GROUP_FAILED)
			break;
		/* Pairs with the acquire in blocklog_store_durable_end(). */
		if (group->state == GROUP_WRITTEN)
			atomic_store_explicit(&line->durable_end, group->end, memory_order_release);
		count += report(group->tickets, group->ticket_count, &group->reported, line->log,
				group->state == GROUP_WRITTEN ? 0 : group->code, ret_done + count,
				done_max - count);
		if (group->reported < group->ticket_count)
			break;
		group->state = GROUP_FREE;
		line->oldest = (line->oldest + 1) % GROUPS;
		line->group_count--;
	}
	return count;
}

static uint32_t safety_report(struct blocklog_safety *safety, struct blocklog_done *ret_done,
			      uint32_t done_max)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < 2; i++) {
		struct blocklog_safety_half *half = &safety->halves[i];

		if (half->state != GROUP_WRITTEN && half->state != GROUP_FAILED)
			continue;
		count += report(half->tickets, half->ticket_count, &half->reported, BLOCKLOG_SAFETY,
				half->state == GROUP_WRITTEN ? 0 : half->code, ret_done + count,
				done_max - count);
		if (half->reported < half->ticket_count)
			continue;
		half->state = GROUP_FREE;
		half->ticket_count = 0;
		half->reported = 0;
		half->code = 0;
	}
	return count;
}

/* ---- submissions ---- */

static void group_submit(struct blocklog_store *store, struct blocklog_line *line, uint32_t index)
{
	struct blocklog_group *group = &line->groups[index];
	struct blocklog_io io = {
		.kind = BLOCKLOG_IO_WRITE,
		.queue = BLOCKLOG_QUEUE_BULK,
		.area = blocklog_area_of(line->log),
		.segment = group->position / store->superblock.segment_bytes,
		.offset = group->position % store->superblock.segment_bytes,
		.extents = group->extents,
		.extent_count = group->extent_count,
		.tag = blocklog_tag(TAG_GROUP, line->log, index),
	};
	uint64_t total = 0;

	for (uint32_t i = 0; i < group->extent_count; i++)
		total += group->extents[i].count;
	ensure(total == group->end - group->position && total % BLOCKLOG_PAGE_BYTES == 0);
	ensure(group->end <= group->limit);
	group->state = GROUP_WRITING;
	store->counters.durable_submissions[line->log]++;
	blocklog_dev_submit(store->dev, &io);
}

static bool line_submit(struct blocklog_store *store, struct blocklog_line *line)
{
	uint32_t writing = 0;
	bool is_submitted = false;

	for (uint32_t i = 0; i < line->group_count; i++) {
		uint32_t index = (line->oldest + i) % GROUPS;
		struct blocklog_group *group = &line->groups[index];

		if (group->state == GROUP_WRITING && ++writing == GROUPS_WRITING_MAX)
			break;
		if (group->state != GROUP_FILLING && group->state != GROUP_SEALED)
			continue;
		if (group->opens_segment && i > 0)
			break;
		if (group->position / store->superblock.segment_bytes >= line->segment_end)
			break;
		if (group->state == GROUP_FILLING)
			blocklog_line_seal(store, line);
		group_submit(store, line, index);
		is_submitted = true;
		if (++writing == GROUPS_WRITING_MAX)
			break;
	}
	return is_submitted;
}

static void safety_seal(struct blocklog_store *store, struct blocklog_safety_half *half)
{
	struct blocklog_safety *safety = &store->safety;
	size_t span = (size_t)blocklog_span(half->count);
	size_t pages = (size_t)units_round_up(span, BLOCKLOG_PAGE_BYTES);
	struct bytes_writer w =
		bytes_writer_of(half->slot + BLOCKLOG_HEAD_BYTES, BLOCKLOG_SAFETY_PREFIX_BYTES);
	struct blocklog_head head = {
		.log = BLOCKLOG_SAFETY,
		.length = (uint32_t)half->count,
		.position = blocklog_safety_position(safety->sequence),
		.sequence = safety->sequence,
		.previous = safety->previous,
	};

	bytes_put_u64(&w, blocklog_line_durable_end(&store->lines[0]));
	bytes_put_u64(&w, blocklog_line_durable_end(&store->lines[1]));
	ensure(!w.failed && pages <= BLOCKLOG_SAFETY_SLOT_BYTES);
	blocklog_record_seal(&store->key, &head, half->slot);
	memset(half->slot + span, 0, pages - span);
	half->extent = (struct blocklog_extent){ half->slot, pages };
	safety->previous = head.checksum;
	safety->sequence++;
}

/* One record under way at a time: a crash then tears the next slot only. */
static bool safety_submit(struct blocklog_store *store)
{
	struct blocklog_safety_half *half = NULL;
	uint32_t index = 0;

	for (uint32_t i = 0; i < 2; i++) {
		if (store->safety.halves[i].state == GROUP_FILLING) {
			half = &store->safety.halves[i];
			index = i;
		} else if (store->safety.halves[i].state != GROUP_FREE) {
			return false;
		}
	}
	if (!half)
		return false;
	safety_seal(store, half);
	half->state = GROUP_WRITING;
	half->copies_left = BLOCKLOG_SAFETY_COPIES;
	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++) {
		struct blocklog_io io = {
			.kind = BLOCKLOG_IO_WRITE,
			.queue = BLOCKLOG_QUEUE_SAFETY,
			.area = BLOCKLOG_AREA_SAFETY,
			.offset = blocklog_safety_offset(store->safety.sequence - 1, copy),
			.extents = &half->extent,
			.extent_count = 1,
			.tag = blocklog_tag(TAG_SAFETY, BLOCKLOG_SAFETY, index),
		};

		blocklog_dev_submit(store->dev, &io);
	}
	store->counters.group_commits[BLOCKLOG_SAFETY]++;
	store->counters.durable_submissions[BLOCKLOG_SAFETY]++;
	return true;
}

/* Keeps one segment of zeros ahead of the one being written. */
static bool line_prepare(struct blocklog_store *store, struct blocklog_line *line)
{
	uint64_t wanted = line->end / store->superblock.segment_bytes + 2;
	struct blocklog_io io = {
		.kind = BLOCKLOG_IO_CREATE,
		.queue = BLOCKLOG_QUEUE_BULK,
		.area = blocklog_area_of(line->log),
		.segment = line->segment_end,
		.bytes = store->superblock.segment_bytes,
		.tag = blocklog_tag(TAG_CREATE, line->log, 0),
	};

	if (line->create_pause > 0)
		line->create_pause--;
	if (line->is_creating || line->create_pause > 0 || line->segment_end >= wanted ||
	    line->segment_end - line->segment_first >= store->config.segments_max)
		return false;
	line->is_creating = true;
	blocklog_dev_submit(store->dev, &io);
	return true;
}

static uint32_t report_all(struct blocklog_store *store, struct blocklog_done *ret_done,
			   uint32_t done_max)
{
	uint32_t count = safety_report(&store->safety, ret_done, done_max);

	for (uint32_t i = 0; i < LINES; i++)
		count += line_report(&store->lines[i], ret_done + count, done_max - count);
	return count + blocklog_reads_report(store, ret_done + count, done_max - count);
}

uint32_t blocklog_store_turn(struct blocklog_store *store, struct blocklog_done *ret_done,
			     uint32_t done_max)
{
	uint32_t count = 0;
	bool is_bulk = false;

	take_completions(store);
	if (done_max > 0)
		count = report_all(store, ret_done, done_max);
	if (!store->retired) {
		if (safety_submit(store))
			blocklog_dev_kick(store->dev, BLOCKLOG_QUEUE_SAFETY);
		for (uint32_t i = 0; i < LINES; i++) {
			is_bulk |= line_submit(store, &store->lines[i]);
			is_bulk |= line_prepare(store, &store->lines[i]);
		}
	}
	is_bulk |= blocklog_reads_start(store);
	if (is_bulk)
		blocklog_dev_kick(store->dev, BLOCKLOG_QUEUE_BULK);
	return count;
}
