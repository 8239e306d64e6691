#include "replica/replica_mark.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "replica/replica_windows.h"

_Static_assert(REPLICA_MARK_HEAD_BYTES + REPLICA_MARK_BATCHES_MAX * REPLICA_MARK_BATCH_BYTES +
			       REPLICA_MARK_EXCEPTIONS_MAX * REPLICA_MARK_EXCEPTION_BYTES <=
		       1 << 20,
	       "the largest part fits one record");

void replica_mark_begin(struct replica_mark_builder *builder, uint32_t part)
{
	struct replica_mark *mark = &builder->mark;

	mark->part = part;
	mark->is_last = false;
	mark->tx_count = 0;
	mark->tx_dropped = 0;
	mark->batch_count = 0;
	mark->exception_count = 0;
}

bool replica_mark_is_full(const struct replica_mark_builder *builder)
{
	return builder->mark.batch_count == REPLICA_MARK_BATCHES_MAX ||
	       builder->mark.exception_count > REPLICA_MARK_EXCEPTIONS_SOFT;
}

void replica_mark_add_batch(struct replica_mark_builder *builder,
			    const struct replica_mark_batch *batch)
{
	struct replica_mark *mark = &builder->mark;
	uint8_t entry[REPLICA_MARK_BATCH_BYTES];
	struct bytes_writer w = bytes_writer_of(entry, sizeof(entry));

	ensure(mark->batch_count < REPLICA_MARK_BATCHES_MAX);
	bytes_put_u32(&w, batch->lane);
	bytes_put_u64(&w, batch->seq);
	bytes_put(&w, batch->digest.b, sizeof(batch->digest.b));
	bytes_put_u64(&w, batch->position);
	bytes_put_u32(&w, batch->tx_count);
	memcpy(builder->batch_bytes + mark->batch_count * sizeof(entry), entry, sizeof(entry));
	mark->batch_count++;
	mark->tx_count += batch->tx_count;
}

void replica_mark_count_batch(struct replica_mark_builder *builder, uint32_t tx_count)
{
	struct replica_mark *mark = &builder->mark;
	uint8_t *end = builder->batch_bytes + mark->batch_count * REPLICA_MARK_BATCH_BYTES;
	struct bytes_reader r = bytes_reader_of(end - 4, 4);
	struct bytes_writer w = bytes_writer_of(end - 4, 4);

	ensure(mark->batch_count > 0);
	mark->tx_count += tx_count - bytes_get_u32(&r);
	bytes_put_u32(&w, tx_count);
}

static void mark_add_run(struct replica_mark_builder *builder, uint32_t frame, uint32_t first,
			 uint32_t count, uint8_t reason)
{
	struct replica_mark *mark = &builder->mark;
	uint8_t entry[REPLICA_MARK_EXCEPTION_BYTES];
	struct bytes_writer w = bytes_writer_of(entry, sizeof(entry));

	ensure(mark->exception_count < REPLICA_MARK_EXCEPTIONS_MAX && mark->batch_count > 0);
	bytes_put_u16(&w, (uint16_t)(mark->batch_count - 1));
	bytes_put_u16(&w, (uint16_t)frame);
	bytes_put_u8(&w, (uint8_t)first);
	bytes_put_u8(&w, (uint8_t)(count - 1));
	bytes_put_u8(&w, reason);
	memcpy(builder->exception_bytes + mark->exception_count * sizeof(entry), entry,
	       sizeof(entry));
	mark->exception_count++;
	mark->tx_dropped += count;
}

void replica_mark_add_frame(struct replica_mark_builder *builder, uint32_t frame,
			    const uint8_t *outcome, uint32_t count)
{
	for (uint32_t first = 0; first < count;) {
		uint32_t end = first + 1;

		while (end < count && outcome[end] == outcome[first])
			end++;
		if (outcome[first] != REPLICA_OUTCOME_ORDERED)
			mark_add_run(builder, frame, first, end - first, outcome[first]);
		first = end;
	}
}

size_t replica_mark_bytes(const struct replica_mark_builder *builder)
{
	return REPLICA_MARK_HEAD_BYTES +
	       (size_t)builder->mark.batch_count * REPLICA_MARK_BATCH_BYTES +
	       (size_t)builder->mark.exception_count * REPLICA_MARK_EXCEPTION_BYTES;
}

int replica_mark_encode(const struct replica_mark_builder *builder, void *ret_bytes, size_t room)
{
	const struct replica_mark *mark = &builder->mark;
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	bytes_put_u16(&w, REPLICA_MARK_VERSION);
	bytes_put_u8(&w, mark->is_last);
	bytes_put_u8(&w, 0);
	bytes_put_u32(&w, mark->part);
	bytes_put_u64(&w, mark->height);
	bytes_put(&w, mark->block_id.b, sizeof(mark->block_id.b));
	bytes_put_u64(&w, mark->block_position);
	bytes_put_u64(&w, mark->view);
	bytes_put_u64(&w, mark->time_ns);
	bytes_put_u64(&w, mark->tx_base);
	bytes_put_u32(&w, mark->index_base);
	bytes_put_u32(&w, mark->tx_count);
	bytes_put_u32(&w, mark->tx_dropped);
	bytes_put_u32(&w, mark->batch_count);
	bytes_put_u32(&w, mark->exception_count);
	bytes_put(&w, builder->batch_bytes, (size_t)mark->batch_count * REPLICA_MARK_BATCH_BYTES);
	bytes_put(&w, builder->exception_bytes,
		  (size_t)mark->exception_count * REPLICA_MARK_EXCEPTION_BYTES);
	return w.failed ? ERR_OVERSIZE : (int)bytes_written(&w);
}

void replica_mark_batch_at(const struct replica_mark *mark, uint32_t index,
			   struct replica_mark_batch *ret_batch)
{
	struct bytes_reader r = bytes_reader_of(
		mark->batches + (size_t)index * REPLICA_MARK_BATCH_BYTES, REPLICA_MARK_BATCH_BYTES);

	ensure(index < mark->batch_count);
	ret_batch->lane = bytes_get_u32(&r);
	ret_batch->seq = bytes_get_u64(&r);
	bytes_get(&r, ret_batch->digest.b, sizeof(ret_batch->digest.b));
	ret_batch->position = bytes_get_u64(&r);
	ret_batch->tx_count = bytes_get_u32(&r);
}

void replica_mark_exception_at(const struct replica_mark *mark, uint32_t index,
			       struct replica_mark_exception *ret_exception)
{
	struct bytes_reader r =
		bytes_reader_of(mark->exceptions + (size_t)index * REPLICA_MARK_EXCEPTION_BYTES,
				REPLICA_MARK_EXCEPTION_BYTES);

	ensure(index < mark->exception_count);
	ret_exception->batch = bytes_get_u16(&r);
	ret_exception->frame = bytes_get_u16(&r);
	ret_exception->first = bytes_get_u8(&r);
	ret_exception->count = (uint32_t)bytes_get_u8(&r) + 1;
	ret_exception->reason = bytes_get_u8(&r);
}

/* Runs rise strictly by (batch, frame, first) and never overlap; sums agree with the head. */
static bool mark_is_sound(const struct replica_mark *mark)
{
	uint64_t counted = 0;
	uint64_t dropped = 0;
	uint64_t after = 0; /* the next run begins here or later */

	for (uint32_t i = 0; i < mark->batch_count; i++) {
		struct replica_mark_batch batch;

		replica_mark_batch_at(mark, i, &batch);
		counted += batch.tx_count;
		if (batch.lane >= LANE_LANES_MAX || batch.seq == 0)
			return false;
	}
	for (uint32_t i = 0; i < mark->exception_count; i++) {
		struct replica_mark_exception e;
		uint64_t at;

		replica_mark_exception_at(mark, i, &e);
		at = (uint64_t)e.batch << 32 | (uint64_t)e.frame << 16 | e.first;
		if (e.batch >= mark->batch_count || e.frame >= LANE_BATCH_FRAMES_MAX ||
		    e.first + e.count > WIRE_FRAME_TRANSACTIONS_MAX || at < after ||
		    e.reason == REPLICA_OUTCOME_ORDERED || e.reason >= REPLICA_OUTCOME_COUNT)
			return false;
		after = at + e.count;
		dropped += e.count;
	}
	return counted == mark->tx_count && dropped == mark->tx_dropped;
}

int replica_mark_decode(const void *bytes, size_t count, struct replica_mark *ret_mark)
{
	struct bytes_reader r = bytes_reader_of(bytes, count);
	struct replica_mark mark = { 0 };
	uint32_t version = bytes_get_u16(&r);
	uint8_t last = bytes_get_u8(&r);
	uint8_t reserved = bytes_get_u8(&r);

	if (!r.failed && version > REPLICA_MARK_VERSION)
		return ERR_NEWER;
	mark.is_last = last == 1;
	mark.part = bytes_get_u32(&r);
	mark.height = bytes_get_u64(&r);
	bytes_get(&r, mark.block_id.b, sizeof(mark.block_id.b));
	mark.block_position = bytes_get_u64(&r);
	mark.view = bytes_get_u64(&r);
	mark.time_ns = bytes_get_u64(&r);
	mark.tx_base = bytes_get_u64(&r);
	mark.index_base = bytes_get_u32(&r);
	mark.tx_count = bytes_get_u32(&r);
	mark.tx_dropped = bytes_get_u32(&r);
	mark.batch_count = bytes_get_u32(&r);
	mark.exception_count = bytes_get_u32(&r);
	if (r.failed || version != REPLICA_MARK_VERSION || last > 1 || reserved != 0 ||
	    mark.batch_count > REPLICA_MARK_BATCHES_MAX ||
	    mark.exception_count > REPLICA_MARK_EXCEPTIONS_MAX)
		return ERR_FORMAT;
	mark.batches = bytes_take(&r, (size_t)mark.batch_count * REPLICA_MARK_BATCH_BYTES);
	mark.exceptions =
		bytes_take(&r, (size_t)mark.exception_count * REPLICA_MARK_EXCEPTION_BYTES);
	if (!bytes_done(&r) || !mark_is_sound(&mark))
		return ERR_FORMAT;
	*ret_mark = mark;
	return 0;
}
