/*
 * blocklog_dev_impl: the two ways to drive blocklog_files; blocklog_dev_file.c chooses.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_DEV_IMPL_H
#define QUORATE_STORAGE_BLOCKLOG_DEV_IMPL_H

#include "storage/blocklog_dev.h"
#include "storage/blocklog_files.h"

enum { BLOCKLOG_DEV_TEXT_BYTES = 200 };

/* First member of both devices. Owns `files` once open succeeded. */
struct blocklog_dev_file {
	struct blocklog_dev dev;
	void (*close)(struct blocklog_dev_file *device);
	struct blocklog_files files;
	struct blocklog_dev_info info;
	char text[BLOCKLOG_DEV_TEXT_BYTES];
};

/* Take over `files` on success only. `why` says why io_uring is not used. */
int blocklog_dev_uring_open(const struct blocklog_files *files,
			    struct blocklog_dev_file **ret_device);
int blocklog_dev_pwrite_open(const struct blocklog_files *files, const char *why,
			     struct blocklog_dev_file **ret_device);

uint64_t blocklog_dev_clock_ns(void);

#endif
