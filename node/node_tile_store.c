#include "node/node_tile_store.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "node/node_beat.h"
#include "node/node_message.h"

enum { PENDING_MAX = 4096, DONE_BURST = 64 };

struct pending {
	uint64_t ticket;
	uint64_t position;
};

struct pending_queue {
	uint64_t head;
	uint64_t tail;
	struct pending at[PENDING_MAX];
};

struct store_tile {
	struct node_store_setup io;
	struct pending_queue pending[BLOCKLOG_LOG_COUNT];
	struct blocklog_done done[DONE_BURST];
	uint32_t done_count;
	uint32_t done_next;
	_Atomic uint32_t is_taken[NODE_READ_BUFFERS];
	uint64_t read_ticket[NODE_READ_BUFFERS];
	struct blocklog_counters published;
};

static size_t store_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct store_tile);
}

static int store_setup(void *memory, const void *setup)
{
	struct store_tile *self = memory;

	memset(self, 0, sizeof(*self));
	self->io = *(const struct node_store_setup *)setup;
	return 0;
}

static bool report(struct store_tile *self, uint16_t kind, enum blocklog_log log, int code,
		   uint64_t ticket, uint64_t position, const void *payload, uint32_t bytes)
{
	struct dp_ring_header header = {
		.kind = kind,
		.source = (uint32_t)log,
		.tag = (uint32_t)-code,
		.aux = ticket,
		.aux_high = position,
	};

	return dp_ring_push(self->io.ret_done, &header, payload, bytes);
}

static bool report_append(struct store_tile *self, const struct blocklog_done *done)
{
	struct pending_queue *queue = &self->pending[done->log];
	const struct pending *first = &queue->at[queue->tail % PENDING_MAX];

	ensure(queue->tail < queue->head && first->ticket == done->ticket);
	if (!report(self, NODE_MESSAGE_APPENDED, done->log, done->code, done->ticket,
		    first->position, NULL, 0))
		return false;
	queue->tail++;
	return true;
}

static bool report_read(struct store_tile *self, const struct blocklog_done *done)
{
	struct node_read read = { .count = (uint32_t)done->count,
				  .record_kind = done->record_kind };
	uint32_t i = 0;

	while (i < NODE_READ_BUFFERS &&
	       !(atomic_load_explicit(&self->is_taken[i], memory_order_relaxed) &&
		 self->read_ticket[i] == done->ticket))
		i++;
	ensure(i < NODE_READ_BUFFERS);
	read.bytes = self->io.read_buffers + (size_t)i * NODE_READ_BUFFER_BYTES;
	read.is_taken = &self->is_taken[i];
	return report(self, NODE_MESSAGE_READ_DONE, done->log, done->code, done->ticket, 0, &read,
		      sizeof(read));
}

/* Hands finished work over; stops where the replica's ring is full and goes on next turn. */
static uint32_t report_done(struct store_tile *self)
{
	uint32_t reported = 0;

	while (self->done_next < self->done_count) {
		const struct blocklog_done *done = &self->done[self->done_next];
		bool went = done->kind == BLOCKLOG_DONE_APPEND ? report_append(self, done) :
								 report_read(self, done);

		if (!went)
			break;
		self->done_next++;
		reported++;
	}
	return reported;
}

static int append(struct store_tile *self, const struct dp_ring_header *header,
		  const uint8_t *payload, uint64_t *ret_position)
{
	struct node_borrowed borrowed;

	if (header->kind == NODE_MESSAGE_APPEND)
		return blocklog_store_append(self->io.store, (enum blocklog_log)header->source,
					     (uint16_t)header->tag, payload, header->bytes,
					     header->aux, ret_position);
	ensure(header->kind == NODE_MESSAGE_APPEND_BORROWED && header->bytes == sizeof(borrowed));
	memcpy(&borrowed, payload, sizeof(borrowed));
	return blocklog_store_append_borrowed(self->io.store, (enum blocklog_log)header->source,
					      (uint16_t)header->tag, borrowed.bytes,
					      (size_t)borrowed.count, header->aux, ret_position);
}

static uint32_t take_appends(struct store_tile *self, struct dp_ring *ring)
{
	const struct dp_ring_header *header;
	const uint8_t *payload;
	uint32_t taken = 0;

	while ((payload = dp_ring_peek(ring, &header)) != NULL) {
		struct pending_queue *queue = &self->pending[header->source];
		uint64_t position = 0;
		int code;

		if (queue->head - queue->tail == PENDING_MAX)
			break;
		code = append(self, header, payload, &position);
		if (code == ERR_FULL)
			break;
		if (code < 0) {
			if (!report(self, NODE_MESSAGE_APPENDED, (enum blocklog_log)header->source,
				    code, header->aux, 0, NULL, 0))
				break;
		} else {
			queue->at[queue->head++ % PENDING_MAX] =
				(struct pending){ .ticket = header->aux, .position = position };
		}
		dp_ring_release(ring);
		taken++;
	}
	return taken;
}

static uint32_t take_reads(struct store_tile *self)
{
	const struct dp_ring_header *header;
	uint32_t taken = 0;

	while (dp_ring_peek(self->io.reads, &header)) {
		uint32_t i = 0;
		int code;

		/* Pairs with the release store of the replica tile that gave the buffer back. */
		while (i < NODE_READ_BUFFERS &&
		       atomic_load_explicit(&self->is_taken[i], memory_order_acquire))
			i++;
		if (i == NODE_READ_BUFFERS)
			break;
		code = blocklog_store_read(
			self->io.store, (enum blocklog_log)header->source, header->aux_high,
			self->io.read_buffers + (size_t)i * NODE_READ_BUFFER_BYTES,
			NODE_READ_BUFFER_BYTES, header->aux);
		if (code == ERR_FULL)
			break;
		if (code < 0) {
			struct node_read none = { 0 };

			if (!report(self, NODE_MESSAGE_READ_DONE, (enum blocklog_log)header->source,
				    code, header->aux, 0, &none, sizeof(none)))
				break;
		} else {
			atomic_store_explicit(&self->is_taken[i], 1, memory_order_relaxed);
			self->read_ticket[i] = header->aux;
		}
		dp_ring_release(self->io.reads);
		taken++;
	}
	return taken;
}

static void publish_ends(struct store_tile *self)
{
	atomic_store_explicit(self->io.durable_lane_end,
			      blocklog_store_durable_end(self->io.store, BLOCKLOG_LANE),
			      memory_order_release);
	atomic_store_explicit(self->io.durable_block_end,
			      blocklog_store_durable_end(self->io.store, BLOCKLOG_BLOCK),
			      memory_order_release);
}

static uint32_t store_on_turn(void *memory, uint64_t now_ns)
{
	struct store_tile *self = memory;
	uint32_t work = report_done(self);

	(void)now_ns;
	if (self->done_next < self->done_count)
		return work;
	work += take_appends(self, self->io.appends);
	work += take_appends(self, self->io.lane_appends);
	work += take_reads(self);
	self->done_next = 0;
	self->done_count = blocklog_store_turn(self->io.store, self->done, DONE_BURST);
	if (self->done_count > 0)
		publish_ends(self);
	return work + report_done(self);
}

static void store_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct store_tile *self = memory;
	const struct blocklog_counters *now = blocklog_store_counters(self->io.store);
	struct blocklog_counters *then = &self->published;

	for (int i = 0; i < BLOCKLOG_LOG_COUNT; i++) {
		ctl_metric_add(self->io.metrics, CTL_METRIC_STORE_WRITES,
			       now->group_commits[i] - then->group_commits[i]);
		ctl_metric_add(self->io.metrics, CTL_METRIC_STORE_BYTES,
			       now->appended_bytes[i] - then->appended_bytes[i]);
	}
	ctl_metric_add(self->io.metrics, CTL_METRIC_STORE_READS, now->reads - then->reads);
	ctl_metric_add(self->io.metrics, CTL_METRIC_STORE_ERRORS, now->failures - then->failures);
	if (now->group_commits[BLOCKLOG_SAFETY] != then->group_commits[BLOCKLOG_SAFETY])
		ctl_histogram_add(self->io.metrics, CTL_HISTOGRAM_STORE_DURABLE,
				  now->commit_ns_last);
	*then = *now;
	node_beat(self->io.metrics, self->io.loop, now_ns);
}

static uint32_t store_wait_fds(void *memory, int ret_fds[DP_TILE_FDS_MAX])
{
	const struct store_tile *self = memory;
	int fd = blocklog_dev_event_fd(self->io.dev);

	if (fd < 0)
		return 0;
	ret_fds[0] = fd;
	return 1;
}

/* Takes out old signals; the loop looks at every tile once more before it sleeps. */
static bool store_before_sleep(void *memory)
{
	const struct store_tile *self = memory;
	int fd = blocklog_dev_event_fd(self->io.dev);
	uint64_t count;

	if (fd >= 0 && read(fd, &count, sizeof(count)) < 0)
		return true; /* EAGAIN: nothing had been signalled */
	return true;
}

const struct dp_tile node_tile_store = {
	.name = "store",
	.footprint = store_footprint,
	.setup = store_setup,
	.on_turn = store_on_turn,
	.on_housekeeping = store_on_housekeeping,
	.wait_fds = store_wait_fds,
	.before_sleep = store_before_sleep,
};
