/*
 * blocklog_dev_file: a store as a directory of files. Device kind "file".
 *
 *     DIR/lock  DIR/superblock  DIR/safety  DIR/lane-00000000.log  DIR/block-00000000.log ...
 *
 * Model    io_uring with O_DIRECT, registered buffers and files, one ring for the
 *          safety log and one for the rest; durable writes are RWF_DSYNC. Where
 *          the kernel refuses io_uring, the same files through pwritev2(RWF_DSYNC)
 *          on helper threads, one a queue; status says which and why.
 * Safety   The directory is 0700, the files 0600, all of them the caller's own;
 *          anything else is refused. An exclusive lock (open file description)
 *          keeps a second process out and names the first one's pid.
 * Memory   The heap at open; nothing afterwards.
 * Threads  Open, use and close on one thread: the rings belong to their issuer.
 * Errors   A code and one line with cause and remedy.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_DEV_FILE_H
#define QUORATE_STORAGE_BLOCKLOG_DEV_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "storage/blocklog_dev.h"

struct blocklog_dev_file_options {
	const char *directory;
	bool make_directory; /* for init: makes it, 0700, when it is missing */
	bool allow_buffered; /* lab: go on without O_DIRECT where the file system refuses it */
	bool avoid_uring;    /* tests and containers: take the fallback at once */
};

/*
 * Opens and locks the directory. ERR_BUSY, ERR_PERMISSION, ERR_UNSUPPORTED (no
 * O_DIRECT) or -errno; `ret_reason` then holds the line (BLOCKLOG_REASON_BYTES suffice).
 */
int blocklog_dev_file_open(const struct blocklog_dev_file_options *options,
			   struct blocklog_dev **ret_dev, char *ret_reason, size_t reason_bytes);

/* Waits for what is under way, unlocks, closes. Accepts NULL. */
void blocklog_dev_file_close(struct blocklog_dev *dev);

#endif
