/*
 * sim_disk_image: the files of a simulated disk, each page in two images.
 *
 *     write, durable -----> [now] and [stable]
 *     write, cached ------> [now]      (the disk's volatile cache)
 *     sync ---------------> [stable] = [now]
 *     power cut ----------> [now] = [stable], after some sectors got out by themselves
 *
 * For sim_disk*.c only. A disk writes a sector of 512 bytes whole or not at all. What
 * sits in the cache reaches the medium in any order and in any part: between two
 * flushes nothing is promised.
 */
#ifndef QUORATE_TESTS_SIM_SIM_DISK_IMAGE_H
#define QUORATE_TESTS_SIM_SIM_DISK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "storage/blocklog_dev.h"
#include "storage/blocklog_format.h"

enum { SIM_DISK_FILES_MAX = 4096 };

/* One page in its two images; equal pointers: equal bytes. NULL: zeros. */
struct sim_page {
	uint8_t *now;
	uint8_t *stable;
	bool is_spoilt;
};

struct sim_file {
	enum blocklog_area area;
	uint64_t segment;
	uint64_t bytes;
	struct sim_page *pages;
};

struct sim_image {
	struct sim_file *files[SIM_DISK_FILES_MAX];
	uint32_t file_count;
	uint64_t file_bytes;
};

/* What the cache writes back by itself: parts per million of its sectors, drawn by `prng`. */
struct sim_cache {
	struct prng *prng;
	uint32_t writeback;
	uint64_t *written_back;
};

struct sim_file *sim_image_find(const struct sim_image *image, enum blocklog_area area,
				uint64_t segment);

/* A file of zeros; it must not exist. */
struct sim_file *sim_image_create(struct sim_image *image, enum blocklog_area area,
				  uint64_t segment, uint64_t bytes);
void sim_image_remove(struct sim_image *image, struct sim_file *file);
void sim_image_clear(struct sim_image *image);

/* Writes one sector. `cache` NULL: durably. */
void sim_image_write(struct sim_file *file, uint64_t offset, const uint8_t *bytes,
		     const struct sim_cache *cache);

/* Writes a whole page; as eight sectors, if the cache writes nothing back by itself. */
void sim_image_write_page(struct sim_file *file, uint64_t offset, const uint8_t *bytes,
			  bool is_stable);

/* Reads one page. */
void sim_image_read(const struct sim_file *file, uint64_t offset, uint8_t *ret_page,
		    bool is_stable);

/* Everything readable becomes stable. */
void sim_image_sync(struct sim_file *file);

/* Nothing but the stable image is left, with what the cache wrote back until now. */
void sim_image_cut(struct sim_image *image, const struct sim_cache *cache);

/* Makes `copy`, which is empty, equal to the stable image. */
void sim_image_copy(const struct sim_image *image, struct sim_image *copy);

/* Flips bits of one stored byte, in both images. */
void sim_image_flip(struct sim_file *file, uint64_t offset, uint8_t mask);

#endif
