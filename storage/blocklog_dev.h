/*
 * blocklog_dev: what the store asks of a device. The store's only way to a disk.
 *
 *     submit(io) ... kick(queue) ---> device ---> poll() ---> io_done(tag, code)
 *
 * Model    A device holds files named (area, segment). Super and safety area
 *          have one file, segment 0; lane and block area have one a segment.
 *          Every operation is asynchronous and completes exactly once.
 * Write    Always durable: done with code 0 only when all bytes are on stable
 *          storage. A short transfer is a failure. Anything may have reached
 *          the disk after a failure or a power cut, in pieces of 512 bytes.
 * Sync     Makes everything that can be read from the file durable: after a killed
 *          process, writes it never saw complete may sit in a volatile cache.
 * Create   A new file of `bytes` zeros, written (not only allocated) and synced
 *          a bounded piece at a time; it exists, durably, when done and not at
 *          all before. -EEXIST, -ENOSPC and the like leave nothing behind.
 * Queues   Two that never wait for each other: the safety log's, and the rest.
 *          The store has at most BLOCKLOG_QUEUE_IOS_MAX operations under way in
 *          each, and no two that overlap unless both are reads.
 * Memory   `io` itself is copied by submit; the extents and their bytes are the
 *          device's until done. Extents, offsets and sizes are page multiples.
 * Threads  One owner: the thread that opened it.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_DEV_H
#define QUORATE_STORAGE_BLOCKLOG_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum blocklog_area {
	BLOCKLOG_AREA_SUPER,
	BLOCKLOG_AREA_SAFETY,
	BLOCKLOG_AREA_LANE,
	BLOCKLOG_AREA_BLOCK,
	BLOCKLOG_AREA_COUNT,
};

enum blocklog_queue {
	BLOCKLOG_QUEUE_SAFETY,
	BLOCKLOG_QUEUE_BULK,
	BLOCKLOG_QUEUE_COUNT,
};

enum {
	BLOCKLOG_QUEUE_IOS_MAX = 32,
	BLOCKLOG_EXTENTS_MAX = 16,
};

enum blocklog_io_kind {
	BLOCKLOG_IO_WRITE,
	BLOCKLOG_IO_READ,
	BLOCKLOG_IO_SYNC,
	BLOCKLOG_IO_CREATE,
	BLOCKLOG_IO_REMOVE,
};

struct blocklog_extent {
	void *bytes;
	size_t count;
};

struct blocklog_io {
	enum blocklog_io_kind kind;
	enum blocklog_queue queue;
	enum blocklog_area area;
	uint64_t segment;
	uint64_t offset;                       /* write, read */
	uint64_t bytes;                        /* create */
	const struct blocklog_extent *extents; /* write, read */
	uint32_t extent_count;
	uint64_t tag;
};

struct blocklog_io_done {
	uint64_t tag;
	int code;            /* 0 or negative */
	uint64_t elapsed_ns; /* from kick to completion; 0 where there is no clock */
};

struct blocklog_dev_info {
	const char *kind;        /* "file", "simulated" */
	const char *description; /* one line for status: API, O_DIRECT or not, fallback or not */
	bool is_direct;          /* bypasses the page cache */
	bool is_fallback;        /* slower than this build could be, see the description */
};

struct blocklog_dev;

struct blocklog_dev_ops {
	void (*submit)(struct blocklog_dev *dev, const struct blocklog_io *io);
	void (*kick)(struct blocklog_dev *dev, enum blocklog_queue queue);
	uint32_t (*poll)(struct blocklog_dev *dev, struct blocklog_io_done *ret_done,
			 uint32_t done_max);
	void (*wait)(struct blocklog_dev *dev);
	int (*census)(struct blocklog_dev *dev, enum blocklog_area area, uint64_t *ret_first,
		      uint64_t *ret_end);
	int (*register_memory)(struct blocklog_dev *dev, void *memory, size_t memory_bytes);
	const struct blocklog_dev_info *(*info)(const struct blocklog_dev *dev);
	int (*event_fd)(const struct blocklog_dev *dev);
};

/* First member of every device. */
struct blocklog_dev {
	const struct blocklog_dev_ops *ops;
};

/* Takes one operation. It may start at once, and starts at the latest with the next kick. */
static inline void blocklog_dev_submit(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	dev->ops->submit(dev, io);
}

/* Starts everything submitted to `queue`, with one system call. */
static inline void blocklog_dev_kick(struct blocklog_dev *dev, enum blocklog_queue queue)
{
	dev->ops->kick(dev, queue);
}

/* Takes completions of both queues, in any order. Never blocks. Returns how many. */
static inline uint32_t blocklog_dev_poll(struct blocklog_dev *dev,
					 struct blocklog_io_done *ret_done, uint32_t done_max)
{
	return dev->ops->poll(dev, ret_done, done_max);
}

/* Blocks until poll has something to give. Only at open, with an operation under way. */
static inline void blocklog_dev_wait(struct blocklog_dev *dev)
{
	dev->ops->wait(dev);
}

/*
 * Which segments of `area` exist: [first, end). ERR_NOT_FOUND when none does,
 * ERR_CORRUPT when one in between is missing. Only at open; blocking.
 */
static inline int blocklog_dev_census(struct blocklog_dev *dev, enum blocklog_area area,
				      uint64_t *ret_first, uint64_t *ret_end)
{
	return dev->ops->census(dev, area, ret_first, ret_end);
}

/*
 * Tells the device that much I/O will come from here: page-aligned, at most eight
 * regions, until close. Returns 0, or why it stays slower; never fatal.
 */
static inline int blocklog_dev_register_memory(struct blocklog_dev *dev, void *memory,
					       size_t memory_bytes)
{
	return dev->ops->register_memory(dev, memory, memory_bytes);
}

static inline const struct blocklog_dev_info *blocklog_dev_info(const struct blocklog_dev *dev)
{
	return dev->ops->info(dev);
}

/* Readable when poll may have something (use EPOLLET, or read 8 bytes); -1 if it has none. */
static inline int blocklog_dev_event_fd(const struct blocklog_dev *dev)
{
	return dev->ops->event_fd(dev);
}

#endif
