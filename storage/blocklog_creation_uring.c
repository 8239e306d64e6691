/* Creating a segment on io_uring, a bounded piece at a time, beside the node's own writes. */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "storage/blocklog_ring.h"

static void creation_next(struct blocklog_ring *uring, struct blocklog_creation *creation)
{
	struct blocklog_ring_queue *queue = &uring->queues[BLOCKLOG_QUEUE_BULK];
	struct io_uring_sqe *sqe = blocklog_ring_sqe(queue);
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
	io_uring_sqe_set_data64(sqe, (uint64_t)BLOCKLOG_CREATION_TAG +
					     (uint64_t)(creation - uring->creations));
}

void blocklog_creation_begin(struct blocklog_ring *uring, const struct blocklog_io *io)
{
	struct blocklog_creation *creation = &uring->creations[0];
	int fd;

	if (creation->is_used)
		creation = &uring->creations[1];
	ensure(!creation->is_used);
	fd = blocklog_files_begin(&uring->base.files, io->area, io->segment);
	if (fd < 0) {
		blocklog_ring_early(uring, io->tag, fd);
		return;
	}
	*creation = (struct blocklog_creation){ .is_used = true, .fd = fd, .io = *io };
	blocklog_files_name(io->area, io->segment, true, creation->from);
	blocklog_files_name(io->area, io->segment, false, creation->to);
	creation_next(uring, creation);
}

static bool creation_advance(struct blocklog_creation *creation, int result)
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
bool blocklog_creation_done(struct blocklog_ring *uring, struct blocklog_creation *creation,
			    int result, struct blocklog_io_done *ret_done)
{
	bool cannot_allocate = creation->step == CREATION_ALLOCATE && result == -EOPNOTSUPP;

	ensure(creation->is_used);
	if (creation->step == CREATION_ZERO && result == 0)
		result = -EIO;
	if (cannot_allocate)
		result = 0;
	if (result >= 0 && creation_advance(creation, result)) {
		creation_next(uring, creation);
		blocklog_ring_submit(&uring->queues[BLOCKLOG_QUEUE_BULK]);
		return false;
	}
	(void)close(creation->fd);
	if (result < 0)
		blocklog_files_abandon(&uring->base.files, creation->io.area, creation->io.segment);
	*ret_done = (struct blocklog_io_done){
		.tag = creation->io.tag,
		.code = result < 0 ? result : 0,
	};
	creation->is_used = false;
	return true;
}
