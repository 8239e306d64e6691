/* The file device on io_uring: two rings, registered files and buffers, one event descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "storage/blocklog_dev_impl.h"
#include "storage/blocklog_ring.h"

enum {
	RING_ENTRIES = 64,
	REGION_BYTES_MAX = 1 << 30, /* the kernel's limit for one registered buffer */
	CQES_MAX = 16,
};

struct device {
	struct blocklog_ring state;
	struct io_uring rings[BLOCKLOG_QUEUE_COUNT];
};

static struct blocklog_ring *uring_of(struct blocklog_dev *dev)
{
	return (struct blocklog_ring *)dev;
}

void blocklog_ring_submit(struct blocklog_ring_queue *queue)
{
	int code = io_uring_submit(queue->ring);

	/* What was not taken stays in the ring and goes with the next call. */
	ensure(code >= 0 || code == -EAGAIN || code == -EBUSY || code == -EINTR || code == -ENOMEM);
}

struct io_uring_sqe *blocklog_ring_sqe(struct blocklog_ring_queue *queue)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(queue->ring);

	if (!sqe) {
		blocklog_ring_submit(queue);
		sqe = io_uring_get_sqe(queue->ring);
	}
	ensure(sqe != NULL);
	queue->under_way++;
	return sqe;
}

void blocklog_ring_early(struct blocklog_ring *uring, uint64_t tag, int code)
{
	ensure(uring->early_count < sizeof(uring->early) / sizeof(uring->early[0]));
	uring->early[uring->early_count++] = (struct blocklog_io_done){ .tag = tag, .code = code };
}

/* ---- plain operations ---- */

static int region_of(const struct blocklog_ring *uring, const struct iovec *iov)
{
	uintptr_t from = (uintptr_t)iov->iov_base;

	for (uint32_t i = 0; i < uring->region_count; i++) {
		uintptr_t start = (uintptr_t)uring->regions[i].iov_base;

		if (from >= start && from + iov->iov_len <= start + uring->regions[i].iov_len)
			return (int)i;
	}
	return -1;
}

static void prepare_transfer(struct blocklog_ring *uring, struct blocklog_ring_queue *queue,
			     struct io_uring_sqe *sqe, struct blocklog_ring_op *op,
			     const struct blocklog_io *io, int fd)
{
	bool is_write = io->kind == BLOCKLOG_IO_WRITE;
	int region = -1;

	op->expected = 0;
	for (uint32_t i = 0; i < io->extent_count; i++) {
		op->iov[i].iov_base = io->extents[i].bytes;
		op->iov[i].iov_len = io->extents[i].count;
		op->expected += io->extents[i].count;
	}
	if (io->extent_count == 1 && queue->has_buffers)
		region = region_of(uring, &op->iov[0]);
	if (region >= 0 && is_write)
		io_uring_prep_write_fixed(sqe, fd, op->iov[0].iov_base,
					  (unsigned)op->iov[0].iov_len, io->offset, region);
	else if (region >= 0)
		io_uring_prep_read_fixed(sqe, fd, op->iov[0].iov_base, (unsigned)op->iov[0].iov_len,
					 io->offset, region);
	else if (is_write)
		io_uring_prep_writev(sqe, fd, op->iov, io->extent_count, io->offset);
	else
		io_uring_prep_readv(sqe, fd, op->iov, io->extent_count, io->offset);
	if (is_write)
		sqe->rw_flags = RWF_DSYNC;
}

static int take_file(struct blocklog_ring *uring, const struct blocklog_io *io)
{
	bool is_opened;
	int slot = blocklog_files_take(&uring->base.files, io->area, io->segment, &is_opened);

	if (slot < 0 || !is_opened)
		return slot;
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++) {
		struct blocklog_ring_queue *queue = &uring->queues[i];
		int fd = uring->base.files.slots[slot].fd;

		if (queue->has_files &&
		    io_uring_register_files_update(queue->ring, (unsigned)slot, &fd, 1) != 1)
			queue->has_files = false;
	}
	return slot;
}

static void submit_plain(struct blocklog_ring *uring, const struct blocklog_io *io)
{
	struct blocklog_ring_queue *queue = &uring->queues[io->queue];
	int slot = take_file(uring, io);
	uint32_t index = 0;
	struct io_uring_sqe *sqe;
	struct blocklog_ring_op *op;
	int fd;

	if (slot < 0) {
		blocklog_ring_early(uring, io->tag, slot);
		return;
	}
	while (index < BLOCKLOG_QUEUE_IOS_MAX && queue->ops[index].is_used)
		index++;
	ensure(index < BLOCKLOG_QUEUE_IOS_MAX && io->extent_count <= BLOCKLOG_EXTENTS_MAX);
	op = &queue->ops[index];
	op->is_used = true;
	op->kind = io->kind;
	op->tag = io->tag;
	op->slot = slot;
	op->started_ns = blocklog_dev_clock_ns();
	op->expected = 0;
	fd = queue->has_files ? slot : uring->base.files.slots[slot].fd;
	sqe = blocklog_ring_sqe(queue);
	if (io->kind == BLOCKLOG_IO_SYNC)
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	else
		prepare_transfer(uring, queue, sqe, op, io, fd);
	if (queue->has_files)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, index);
}

static struct blocklog_io_done plain_done(struct blocklog_ring *uring,
					  struct blocklog_ring_queue *queue, uint64_t index,
					  int result)
{
	struct blocklog_ring_op *op = &queue->ops[index];
	struct blocklog_io_done done = {
		.tag = op->tag,
		.elapsed_ns = blocklog_dev_clock_ns() - op->started_ns,
	};

	ensure(index < BLOCKLOG_QUEUE_IOS_MAX && op->is_used);
	if (result < 0)
		done.code = result;
	else if ((size_t)result != op->expected)
		done.code = -EIO;
	blocklog_files_give(&uring->base.files, (uint32_t)op->slot);
	op->is_used = false;
	return done;
}

/* ---- the device ---- */

static void uring_submit(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	struct blocklog_ring *uring = uring_of(dev);

	switch (io->kind) {
	case BLOCKLOG_IO_WRITE:
	case BLOCKLOG_IO_READ:
	case BLOCKLOG_IO_SYNC:
		submit_plain(uring, io);
		break;
	case BLOCKLOG_IO_CREATE:
		blocklog_creation_begin(uring, io);
		break;
	case BLOCKLOG_IO_REMOVE:
		blocklog_ring_early(uring, io->tag,
				    blocklog_files_remove(&uring->base.files, io->area,
							  io->segment));
		break;
	}
}

static void uring_kick(struct blocklog_dev *dev, enum blocklog_queue queue)
{
	blocklog_ring_submit(&uring_of(dev)->queues[queue]);
}

static uint32_t early_take(struct blocklog_ring *uring, struct blocklog_io_done *ret_done,
			   uint32_t max)
{
	uint32_t count = uring->early_count < max ? uring->early_count : max;

	memcpy(ret_done, uring->early, count * sizeof(*ret_done));
	uring->early_count -= count;
	memmove(uring->early, uring->early + count, uring->early_count * sizeof(*ret_done));
	return count;
}

static uint32_t queue_poll(struct blocklog_ring *uring, struct blocklog_ring_queue *queue,
			   struct blocklog_io_done *ret_done, uint32_t done_max)
{
	struct io_uring_cqe *cqes[CQES_MAX];
	uint32_t count = 0;
	unsigned taken;

	if (io_uring_sq_ready(queue->ring) > 0)
		blocklog_ring_submit(queue);
	taken = io_uring_peek_batch_cqe(queue->ring, cqes,
					done_max < CQES_MAX ? done_max : CQES_MAX);
	for (unsigned i = 0; i < taken; i++) {
		uint64_t data = io_uring_cqe_get_data64(cqes[i]);
		int result = cqes[i]->res;

		queue->under_way--;
		if (data < BLOCKLOG_CREATION_TAG) {
			ret_done[count++] = plain_done(uring, queue, data, result);
			continue;
		}
		ensure(data - BLOCKLOG_CREATION_TAG < BLOCKLOG_CREATIONS_MAX);
		if (blocklog_creation_done(uring, &uring->creations[data - BLOCKLOG_CREATION_TAG],
					   result, &ret_done[count]))
			count++;
	}
	io_uring_cq_advance(queue->ring, taken);
	return count;
}

static uint32_t uring_poll(struct blocklog_dev *dev, struct blocklog_io_done *ret_done,
			   uint32_t done_max)
{
	struct blocklog_ring *uring = uring_of(dev);
	uint32_t count = early_take(uring, ret_done, done_max);

	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++)
		if (uring->queues[i].under_way > 0 && count < done_max)
			count += queue_poll(uring, &uring->queues[i], ret_done + count,
					    done_max - count);
	return count;
}

static void uring_wait(struct blocklog_dev *dev)
{
	struct blocklog_ring *uring = uring_of(dev);

	if (uring->early_count > 0)
		return;
	for (uint32_t i = BLOCKLOG_QUEUE_COUNT; i > 0; i--) {
		struct blocklog_ring_queue *queue = &uring->queues[i - 1];

		if (queue->under_way == 0)
			continue;
		(void)io_uring_submit_and_wait(queue->ring, 1);
		return;
	}
	ensure(uring->early_count > 0);
}

static int uring_census(struct blocklog_dev *dev, enum blocklog_area area, uint64_t *ret_first,
			uint64_t *ret_end)
{
	return blocklog_files_census(&uring_of(dev)->base.files, area, ret_first, ret_end);
}

static void describe(struct blocklog_ring *uring)
{
	const struct blocklog_ring_queue *bulk = &uring->queues[BLOCKLOG_QUEUE_BULK];
	bool is_deferred = (bulk->ring->flags & IORING_SETUP_DEFER_TASKRUN) != 0;

	(void)snprintf(uring->base.text, sizeof(uring->base.text),
		       "files, io_uring%s, %s, registered %s, durable by RWF_DSYNC",
		       is_deferred ? " (single issuer, deferred)" : "",
		       uring->base.files.is_direct ? "O_DIRECT" : "BUFFERED (lab only)",
		       bulk->has_files && bulk->has_buffers ? "files and buffers" :
		       bulk->has_files                      ? "files" :
							      "nothing");
}

static int uring_register_memory(struct blocklog_dev *dev, void *memory, size_t memory_bytes)
{
	struct blocklog_ring *uring = uring_of(dev);
	struct iovec region = { memory, memory_bytes };
	int code = 0;

	for (uint32_t i = 0; i < uring->region_count; i++)
		if (uring->regions[i].iov_base == memory &&
		    uring->regions[i].iov_len == memory_bytes)
			return 0;
	if (uring->region_count == BLOCKLOG_REGIONS_MAX)
		return ERR_FULL;
	if (memory_bytes > REGION_BYTES_MAX)
		return ERR_OVERSIZE;
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT && code == 0; i++) {
		struct blocklog_ring_queue *queue = &uring->queues[i];
		int count = -ENOSYS;

		if (queue->has_buffers)
			count = io_uring_register_buffers_update_tag(
				queue->ring, uring->region_count, &region, NULL, 1);
		if (count != 1)
			code = count < 0 ? count : -EINVAL;
	}
	if (code == 0)
		uring->regions[uring->region_count++] = region;
	describe(uring);
	return code;
}

static const struct blocklog_dev_info *uring_info(const struct blocklog_dev *dev)
{
	return &((const struct blocklog_ring *)dev)->base.info;
}

static int uring_event_fd(const struct blocklog_dev *dev)
{
	return ((const struct blocklog_ring *)dev)->event_fd;
}

static const struct blocklog_dev_ops uring_ops = {
	.submit = uring_submit,
	.kick = uring_kick,
	.poll = uring_poll,
	.wait = uring_wait,
	.census = uring_census,
	.register_memory = uring_register_memory,
	.info = uring_info,
	.event_fd = uring_event_fd,
};

static void uring_drain(struct blocklog_ring *uring)
{
	struct blocklog_io_done done[CQES_MAX];

	while (uring->queues[0].under_way + uring->queues[1].under_way > 0)
		if (uring_poll(&uring->base.dev, done, CQES_MAX) == 0)
			uring_wait(&uring->base.dev);
}

static void uring_release(struct blocklog_ring *uring)
{
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++)
		if (uring->queues[i].is_open)
			io_uring_queue_exit(uring->queues[i].ring);
	if (uring->event_fd >= 0)
		(void)close(uring->event_fd);
	free(uring);
}

static void uring_close(struct blocklog_dev_file *device)
{
	struct blocklog_ring *uring = (struct blocklog_ring *)device;
	struct blocklog_files files;

	uring_drain(uring);
	files = uring->base.files;
	uring_release(uring);
	blocklog_files_close(&files);
}

static int queue_open(struct blocklog_ring_queue *queue, int event_fd)
{
	unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG;
	int code = io_uring_queue_init(RING_ENTRIES, queue->ring, flags);

	if (code == -EINVAL)
		code = io_uring_queue_init(RING_ENTRIES, queue->ring, 0);
	if (code != 0)
		return code;
	queue->is_open = true;
	queue->has_files = io_uring_register_files_sparse(queue->ring, BLOCKLOG_FILES_OPEN_MAX) ==
			   0;
	queue->has_buffers = io_uring_register_buffers_sparse(queue->ring, BLOCKLOG_REGIONS_MAX) ==
			     0;
	return io_uring_register_eventfd(queue->ring, event_fd);
}

int blocklog_dev_uring_open(const struct blocklog_files *files,
			    struct blocklog_dev_file **ret_device)
{
	struct device *device = calloc(1, sizeof(*device));
	struct blocklog_ring *uring = &device->state;
	int code;

	if (!device)
		return ERR_MEMORY;
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++)
		uring->queues[i].ring = &device->rings[i];
	uring->base.dev.ops = &uring_ops;
	uring->base.close = uring_close;
	uring->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = uring->event_fd < 0 ? -errno : 0;
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT && code == 0; i++)
		code = queue_open(&uring->queues[i], uring->event_fd);
	if (code != 0) {
		uring_release(uring);
		return code;
	}
	uring->base.files = *files;
	uring->base.info = (struct blocklog_dev_info){
		.kind = "file",
		.description = uring->base.text,
		.is_direct = files->is_direct,
	};
	describe(uring);
	*ret_device = &uring->base;
	return 0;
}
