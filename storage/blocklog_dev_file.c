#define _GNU_SOURCE
#include "storage/blocklog_dev_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "storage/blocklog_dev_impl.h"

uint64_t blocklog_dev_clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int blocklog_dev_file_open(const struct blocklog_dev_file_options *options,
			   struct blocklog_dev **ret_dev, char *ret_reason, size_t reason_bytes)
{
	struct blocklog_files files;
	struct blocklog_dev_file *device;
	const char *why = "not asked for";
	int code = blocklog_files_open(&files, options->directory, options->make_directory,
				       options->allow_buffered, ret_reason, reason_bytes);

	if (code == 0 && !options->avoid_uring) {
		code = blocklog_dev_uring_open(&files, &device);
		if (code == 0) {
			*ret_dev = &device->dev;
			return 0;
		}
		why = err_text(code);
		code = 0;
	}
	if (code == 0) {
		code = blocklog_dev_pwrite_open(&files, why, &device);
		if (code != 0)
			(void)snprintf(ret_reason, reason_bytes,
				       "%s: neither io_uring nor threads: %s: raise the limits",
				       options->directory, err_text(code));
	}
	if (code != 0) {
		blocklog_files_close(&files);
		return code;
	}
	*ret_dev = &device->dev;
	return 0;
}

void blocklog_dev_file_close(struct blocklog_dev *dev)
{
	struct blocklog_dev_file *device = (struct blocklog_dev_file *)dev;

	if (device)
		device->close(device);
}
