/*
 * blocklog_ring: the state of the io_uring device, shared by its two files only.
 *
 * Model    A plain operation is one entry of a ring. A creation is a chain of them, one
 *          under way at a time: allocate, zeros piece by piece, sync, rename, sync of the
 *          directory; only then does the file exist.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_RING_H
#define QUORATE_STORAGE_BLOCKLOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/blocklog_dev_impl.h"

struct io_uring;
struct io_uring_sqe;

enum {
	BLOCKLOG_REGIONS_MAX = 8,
	BLOCKLOG_CREATIONS_MAX = 2,      /* one a log at a time */
	BLOCKLOG_CREATION_TAG = 1 << 16, /* user data of creations: this + index */
};

struct blocklog_ring_op {
	bool is_used;
	enum blocklog_io_kind kind;
	uint64_t tag;
	uint64_t started_ns;
	size_t expected;
	int slot; /* of the file; -1: none */
	struct iovec iov[BLOCKLOG_EXTENTS_MAX];
};

enum creation_step {
	CREATION_ALLOCATE,
	CREATION_ZERO,
	CREATION_SYNC,
	CREATION_RENAME,
	CREATION_SYNC_DIRECTORY
};

struct blocklog_creation {
	bool is_used;
	enum creation_step step;
	int fd;
	struct blocklog_io io;
	uint64_t at;
	size_t piece;
	char from[BLOCKLOG_FILES_NAME_BYTES];
	char to[BLOCKLOG_FILES_NAME_BYTES];
};

struct blocklog_ring_queue {
	struct io_uring *ring;
	bool is_open;
	bool has_files; /* registered: the index is the slot */
	bool has_buffers;
	uint32_t under_way;
	struct blocklog_ring_op ops[BLOCKLOG_QUEUE_IOS_MAX];
};

struct blocklog_ring {
	struct blocklog_dev_file base;
	struct blocklog_ring_queue queues[BLOCKLOG_QUEUE_COUNT];
	int event_fd;
	struct blocklog_creation creations[BLOCKLOG_CREATIONS_MAX];
	struct iovec regions[BLOCKLOG_REGIONS_MAX];
	uint32_t region_count;
	struct blocklog_io_done early[BLOCKLOG_QUEUE_COUNT * BLOCKLOG_QUEUE_IOS_MAX];
	uint32_t early_count; /* failed before they reached a ring */
};

/* Starts what the ring holds, with one system call. */
void blocklog_ring_submit(struct blocklog_ring_queue *queue);

/* The next free entry; counted as under way. */
struct io_uring_sqe *blocklog_ring_sqe(struct blocklog_ring_queue *queue);

/* Completes an operation that never reached a ring. */
void blocklog_ring_early(struct blocklog_ring *uring, uint64_t tag, int code);

void blocklog_creation_begin(struct blocklog_ring *uring, const struct blocklog_io *io);

/* Takes one completion of a creation; true, with `ret_done`, when it is over, well or not. */
bool blocklog_creation_done(struct blocklog_ring *uring, struct blocklog_creation *creation,
			    int result, struct blocklog_io_done *ret_done);

#endif
