/*
 * dev_conformance: what blocklog_dev.h promises, asked of a real device in a fresh directory.
 *
 * Each function is one promise; test_blocklog_dev_uring.c and test_blocklog_dev_pwrite.c
 * run all of them. The directory lies below the working directory, on a real disk.
 */
#ifndef QUORATE_TESTS_UNIT_STORAGE_DEV_CONFORMANCE_H
#define QUORATE_TESTS_UNIT_STORAGE_DEV_CONFORMANCE_H

#include <stdbool.h>

#include "storage/blocklog_dev_file.h"

enum { CONFORMANCE_PATH_BYTES = 64 };

struct conformance {
	char directory[CONFORMANCE_PATH_BYTES];
	struct blocklog_dev *dev;
};

/* Makes a directory and opens a device in it; leaves the test (skip) where that cannot work. */
void conformance_start(struct conformance *c, bool avoid_uring);
void conformance_end(struct conformance *c);
void conformance_directory(char ret_directory[CONFORMANCE_PATH_BYTES]);
void conformance_clean(const char *directory);

/* One blocking operation. */
int conformance_io(struct blocklog_dev *dev, const struct blocklog_io *io);
int conformance_create(struct blocklog_dev *dev, enum blocklog_area area, uint64_t segment,
		       uint64_t bytes);

void conformance_creates_zeros_of_full_size(bool avoid_uring);
void conformance_creates_a_file_once(bool avoid_uring);
void conformance_reads_what_was_written(bool avoid_uring);
void conformance_reports_what_is_not_there(bool avoid_uring);
void conformance_removes(bool avoid_uring);
void conformance_counts_segments(bool avoid_uring);
void conformance_serves_many_operations_at_once(bool avoid_uring);
void conformance_rings_its_bell(bool avoid_uring);
void conformance_carries_a_store(bool avoid_uring);

#endif
