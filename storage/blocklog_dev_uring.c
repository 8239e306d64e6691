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

enum {
	RING_ENTRIES = 64,
	REGIONS_MAX = 8,
	REGION_BYTES_MAX = 1 << 30, /* the kernel's limit for one registered buffer */
	CREATIONS_MAX = 2,          /* one a log at a time */
	CREATION_TAG = 1 << 16,     /* user data of creations: this + index */
	CQES_MAX = 16,
};

struct uring_op {
	bool is_used;
	enum blocklog_io_kind kind;
	uint64_t tag;
	uint64_t started_ns;
	size_t expected;
	int slot; /* of the file; -1: none */
	struct iovec iov[BLOCKLOG_EXTENTS_MAX];
};

enum creation_step { CREATION_ALLOCATE, CREATION_ZERO, CREATION_SYNC, CREATION_RENAME,
		     CREATION_SYNC_DIRECTORY };

struct creation {
	bool is_used;
	enum creation_step step;
	int fd;
	struct blocklog_io io;
	uint64_t at;
	size_t piece;
	char from[BLOCKLOG_FILES_NAME_BYTES];
	char to[BLOCKLOG_FILES_NAME_BYTES];
};

struct uring_queue {
	struct io_uring ring;
	bool is_open;
	bool has_files; /* registered: the index is the slot */
	bool has_buffers;
	uint32_t under_way;
	struct uring_op ops[BLOCKLOG_QUEUE_IOS_MAX];
};

struct uring {
	struct blocklog_dev_file base;
	struct uring_queue queues[BLOCKLOG_QUEUE_COUNT];
	int event_fd;
	struct creation creations[CREATIONS_MAX];
	struct iovec regions[REGIONS_MAX];
	uint32_t region_count;
	struct blocklog_io_done early[BLOCKLOG_QUEUE_COUNT * BLOCKLOG_QUEUE_IOS_MAX];
	uint32_t early_count; /* failed before they reached a ring */
};

static struct uring *uring_of(struct blocklog_dev *dev)
{
	return (struct uring *)dev;
}

static void queue_submit(struct uring_queue *queue)
{
	int code = io_uring_submit(&queue->ring);

	/* What was not taken stays in the ring and goes with the next call. */
	ensure(code >= 0 || code == -EAGAIN || code == -EBUSY || code == -EINTR ||
	       code == -ENOMEM);
}

static struct io_uring_sqe *queue_sqe(struct uring_queue *queue)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&queue->ring);

	if (!sqe) {
		queue_submit(queue);
		sqe = io_uring_get_sqe(&queue->ring);
	}
	ensure(sqe != NULL);
	queue->under_way++;
	return sqe;
}

static void early_done(struct uring *uring, uint64_t tag, int code)
{
	ensure(uring->early_count < sizeof(uring->early) / sizeof(uring->early[0]));
	uring->early[uring->early_count++] = (struct blocklog_io_done){ .tag = tag, .code = code };
}

/* ---- plain operations ---- */

static int region_of(const struct uring *uring, const struct iovec *iov)
{
	uintptr_t from = (uintptr_t)iov->iov_base;

	for (uint32_t i = 0; i < uring->region_count; i++) {
		uintptr_t start = (uintptr_t)uring->regions[i].iov_base;

		if (from >= start &&
		    from + iov->iov_len <= start + uring->regions[i].iov_len)
			return (int)i;
	}
	return -1;
}

static void prepare_transfer(struct uring *uring, struct uring_queue *queue,
			     struct io_uring_sqe *sqe, struct uring_op *op,
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
		io_uring_prep_read_fixed(sqe, fd, op->iov[0].iov_base,
					 (unsigned)op->iov[0].iov_len, io->offset, region);
	else if (is_write)
		io_uring_prep_writev(sqe, fd, op->iov, io->extent_count, io->offset);
	else
		io_uring_prep_readv(sqe, fd, op->iov, io->extent_count, io->offset);
	if (is_write)
		sqe->rw_flags = RWF_DSYNC;
}

static int take_file(struct uring *uring, const struct blocklog_io *io)
{
	bool is_opened;
	int slot = blocklog_files_take(&uring->base.files, io->area, io->segment, &is_opened);

	if (slot < 0 || !is_opened)
		return slot;
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++) {
		struct uring_queue *queue = &uring->queues[i];
		int fd = uring->base.files.slots[slot].fd;

		if (queue->has_files &&
		    io_uring_register_files_update(&queue->ring, (unsigned)slot, &fd, 1) != 1)
			queue->has_files = false;
	}
	return slot;
}

static void submit_plain(struct uring *uring, const struct blocklog_io *io)
{
	struct uring_queue *queue = &uring->queues[io->queue];
	int slot = take_file(uring, io);
	uint32_t index = 0;
	struct io_uring_sqe *sqe;
	struct uring_op *op;
	int fd;

	if (slot < 0) {
		early_done(uring, io->tag, slot);
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
	sqe = queue_sqe(queue);
	if (io->kind == BLOCKLOG_IO_SYNC)
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	else
		prepare_transfer(uring, queue, sqe, op, io, fd);
	if (queue->has_files)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, index);
}

static struct blocklog_io_done plain_done(struct uring *uring, struct uring_queue *queue,
					  uint64_t index, int result)
{
	struct uring_op *op = &queue->ops[index];
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

/* ---- creation, a bounded piece at a time ---- */

static void creation_next(struct uring *uring, struct creation *creation)
{
	struct uring_queue *queue = &uring->queues[BLOCKLOG_QUEUE_BULK];
	struct io_uring_sqe *sqe = queue_sqe(queue);
	int directory_fd = uring->base.files.directory_fd;
	uint64_t left = creation->io.bytes - creation->at;

	switch (creation->step) {
	case CREATION_ALLOCATE:
		io_uring_prep_fallocate(sqe, creation->fd, 0, 0, (off_t)creation->io.bytes);
		break;
	case CREATION_ZERO:
		creation->piece = left < BLOCKLOG_FILES_PIECE_BYTES ? (size_t)left :
								      BLOCKLOG_FILES_PIECE_BYTES;
		io_uring_prep_write(sqe, creation->fd, uring->base.files.zeros,
				    (unsigned)creation->piece, creation->at);
		break;
	case CREATION_SYNC:
		io_uring_prep_fsync(sqe, creation->fd, 0);
		break;
	case CREATION_RENAME:
		io_uring_prep_renameat(sqe, directory_fd, creation->from, directory_fd,
				       creation->to, 0);
		break;
	case CREATION_SYNC_DIRECTORY:
		io_uring_prep_fsync(sqe, directory_fd, 0);
		break;
	}
	io_uring_sqe_set_data64(sqe, (uint64_t)CREATION_TAG +
					     (uint64_t)(creation - uring->creations));
}

static void submit_create(struct uring *uring, const struct blocklog_io *io)
{
	struct creation *creation = &uring->creations[0];
	int fd;

	if (creation->is_used)
		creation = &uring->creations[1];
	ensure(!creation->is_used);
	fd = blocklog_files_begin(&uring->base.files, io->area, io->segment);
	if (fd < 0) {
		early_done(uring, io->tag, fd);
		return;
	}
	*creation = (struct creation){ .is_used = true, .fd = fd, .io = *io };
	blocklog_files_name(io->area, io->segment, true, creation->from);
	blocklog_files_name(io->area, io->segment, false, creation->to);
	creation_next(uring, creation);
}

static bool creation_advance(struct creation *creation, int result)
{
	switch (creation->step) {
	case CREATION_ALLOCATE:
		creation->step = CREATION_ZERO;
		return true;
	case CREATION_ZERO:
		creation->at += (uint64_t)result;
		if (creation->at == creation->io.bytes)
			creation->step = CREATION_SYNC;
		return true;
	case CREATION_SYNC:
		creation->step = CREATION_RENAME;
		return true;
	case CREATION_RENAME:
		creation->step = CREATION_SYNC_DIRECTORY;
		return true;
	case CREATION_SYNC_DIRECTORY:
		return false;
	}
	return false;
}

/* Returns true and the completion when the creation is over, well or not. */
static bool creation_done(struct uring *uring, struct creation *creation, int result,
			  struct blocklog_io_done *ret_done)
{
	bool cannot_allocate = creation->step == CREATION_ALLOCATE && result == -EOPNOTSUPP;

	ensure(creation->is_used);
	if (creation->step == CREATION_ZERO && result == 0)
		result = -EIO;
	if (cannot_allocate)
		result = 0;
	if (result >= 0 && creation_advance(creation, result)) {
		creation_next(uring, creation);
		queue_submit(&uring->queues[BLOCKLOG_QUEUE_BULK]);
		return false;
	}
	(void)close(creation->fd);
	if (result < 0)
		blocklog_files_abandon(&uring->base.files, creation->io.area,
				       creation->io.segment);
	*ret_done = (struct blocklog_io_done){
		.tag = creation->io.tag,
		.code = result < 0 ? result : 0,
	};
	creation->is_used = false;
	return true;
}

/* ---- the device ---- */

static void uring_submit(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	struct uring *uring = uring_of(dev);

	switch (io->kind) {
	case BLOCKLOG_IO_WRITE:
	case BLOCKLOG_IO_READ:
	case BLOCKLOG_IO_SYNC:
		submit_plain(uring, io);
		break;
	case BLOCKLOG_IO_CREATE:
		submit_create(uring, io);
		break;
	case BLOCKLOG_IO_REMOVE:
		early_done(uring, io->tag,
			   blocklog_files_remove(&uring->base.files, io->area, io->segment));
		break;
	}
}

static void uring_kick(struct blocklog_dev *dev, enum blocklog_queue queue)
{
	queue_submit(&uring_of(dev)->queues[queue]);
}

static uint32_t early_take(struct uring *uring, struct blocklog_io_done *ret_done, uint32_t max)
{
	uint32_t count = uring->early_count < max ? uring->early_count : max;

	memcpy(ret_done, uring->early, count * sizeof(*ret_done));
	uring->early_count -= count;
	memmove(uring->early, uring->early + count, uring->early_count * sizeof(*ret_done));
	return count;
}

static uint32_t queue_poll(struct uring *uring, struct uring_queue *queue,
			   struct blocklog_io_done *ret_done, uint32_t done_max)
{
	struct io_uring_cqe *cqes[CQES_MAX];
	uint32_t count = 0;
	unsigned taken;

	if (io_uring_sq_ready(&queue->ring) > 0)
		queue_submit(queue);
	taken = io_uring_peek_batch_cqe(&queue->ring, cqes,
					done_max < CQES_MAX ? done_max : CQES_MAX);
	for (unsigned i = 0; i < taken; i++) {
		uint64_t data = io_uring_cqe_get_data64(cqes[i]);
		int result = cqes[i]->res;

		queue->under_way--;
		if (data < CREATION_TAG) {
			ret_done[count++] = plain_done(uring, queue, data, result);
			continue;
		}
		ensure(data - CREATION_TAG < CREATIONS_MAX);
		if (creation_done(uring, &uring->creations[data - CREATION_TAG], result,
				  &ret_done[count]))
			count++;
	}
	io_uring_cq_advance(&queue->ring, taken);
	return count;
}

static uint32_t uring_poll(struct blocklog_dev *dev, struct blocklog_io_done *ret_done,
			   uint32_t done_max)
{
	struct uring *uring = uring_of(dev);
	uint32_t count = early_take(uring, ret_done, done_max);

	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++)
		if (uring->queues[i].under_way > 0 && count < done_max)
			count += queue_poll(uring, &uring->queues[i], ret_done + count,
					    done_max - count);
	return count;
}

static void uring_wait(struct blocklog_dev *dev)
{
	struct uring *uring = uring_of(dev);

	if (uring->early_count > 0)
		return;
	for (uint32_t i = BLOCKLOG_QUEUE_COUNT; i > 0; i--) {
		struct uring_queue *queue = &uring->queues[i - 1];

		if (queue->under_way == 0)
			continue;
		(void)io_uring_submit_and_wait(&queue->ring, 1);
		return;
	}
	ensure(uring->early_count > 0);
}

static int uring_census(struct blocklog_dev *dev, enum blocklog_area area, uint64_t *ret_first,
			uint64_t *ret_end)
{
	return blocklog_files_census(&uring_of(dev)->base.files, area, ret_first, ret_end);
}

static void describe(struct uring *uring)
{
	const struct uring_queue *bulk = &uring->queues[BLOCKLOG_QUEUE_BULK];
	bool is_deferred = (bulk->ring.flags & IORING_SETUP_DEFER_TASKRUN) != 0;

	(void)snprintf(uring->base.text, sizeof(uring->base.text),
		       "files, io_uring%s, %s, registered %s, durable by RWF_DSYNC",
		       is_deferred ? " (single issuer, deferred)" : "",
		       uring->base.files.is_direct ? "O_DIRECT" : "BUFFERED (lab only)",
		       bulk->has_files && bulk->has_buffers ? "files and buffers" :
		       bulk->has_files			    ? "files" :
							      "nothing");
}

static int uring_register_memory(struct blocklog_dev *dev, void *memory, size_t memory_bytes)
{
	struct uring *uring = uring_of(dev);
	struct iovec region = { memory, memory_bytes };
	int code = 0;

	for (uint32_t i = 0; i < uring->region_count; i++)
		if (uring->regions[i].iov_base == memory && uring->regions[i].iov_len == memory_bytes)
			return 0;
	if (uring->region_count == REGIONS_MAX)
		return ERR_FULL;
	if (memory_bytes > REGION_BYTES_MAX)
		return ERR_OVERSIZE;
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT && code == 0; i++) {
		struct uring_queue *queue = &uring->queues[i];
		int count = -ENOSYS;

		if (queue->has_buffers)
			count = io_uring_register_buffers_update_tag(
				&queue->ring, uring->region_count, &region, NULL, 1);
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
	return &((const struct uring *)dev)->base.info;
}

static int uring_event_fd(const struct blocklog_dev *dev)
{
	return ((const struct uring *)dev)->event_fd;
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

static void uring_drain(struct uring *uring)
{
	struct blocklog_io_done done[CQES_MAX];

	while (uring->queues[0].under_way + uring->queues[1].under_way > 0)
		if (uring_poll(&uring->base.dev, done, CQES_MAX) == 0)
			uring_wait(&uring->base.dev);
}

static void uring_release(struct uring *uring)
{
	for (uint32_t i = 0; i < BLOCKLOG_QUEUE_COUNT; i++)
		if (uring->queues[i].is_open)
			io_uring_queue_exit(&uring->queues[i].ring);
	if (uring->event_fd >= 0)
		(void)close(uring->event_fd);
	free(uring);
}

static void uring_close(struct blocklog_dev_file *device)
{
	struct uring *uring = (struct uring *)device;
	struct blocklog_files files;

	uring_drain(uring);
	files = uring->base.files;
	uring_release(uring);
	blocklog_files_close(&files);
}

static int queue_open(struct uring_queue *queue, int event_fd)
{
	unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG;
	int code = io_uring_queue_init(RING_ENTRIES, &queue->ring, flags);

	if (code == -EINVAL)
		code = io_uring_queue_init(RING_ENTRIES, &queue->ring, 0);
	if (code != 0)
		return code;
	queue->is_open = true;
	queue->has_files =
		io_uring_register_files_sparse(&queue->ring, BLOCKLOG_FILES_OPEN_MAX) == 0;
	queue->has_buffers = io_uring_register_buffers_sparse(&queue->ring, REGIONS_MAX) == 0;
	return io_uring_register_eventfd(&queue->ring, event_fd);
}

int blocklog_dev_uring_open(const struct blocklog_files *files,
			    struct blocklog_dev_file **ret_device)
{
	struct uring *uring = calloc(1, sizeof(*uring));
	int code;

	if (!uring)
		return ERR_MEMORY;
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
