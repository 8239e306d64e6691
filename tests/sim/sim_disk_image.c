#include "tests/sim/sim_disk_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "tests/sim/sim_memory.h"

enum {
	PAGE = BLOCKLOG_PAGE_BYTES,
	SECTOR = BLOCKLOG_SECTOR_BYTES,
};

static void *must_allocate(size_t count, size_t bytes)
{
	void *memory = calloc(count, bytes);

	ensure(memory != NULL);
	return memory;
}

static uint8_t *page_new(void)
{
	return memset(sim_memory_new(PAGE), 0, PAGE);
}

struct sim_file *sim_image_find(const struct sim_image *image, enum blocklog_area area,
				uint64_t segment)
{
	for (uint32_t i = 0; i < image->file_count; i++)
		if (image->files[i]->area == area && image->files[i]->segment == segment)
			return image->files[i];
	return NULL;
}

struct sim_file *sim_image_create(struct sim_image *image, enum blocklog_area area,
				  uint64_t segment, uint64_t bytes)
{
	struct sim_file *file = must_allocate(1, sizeof(*file));

	ensure(image->file_count < SIM_DISK_FILES_MAX && bytes % PAGE == 0);
	file->area = area;
	file->segment = segment;
	file->bytes = bytes;
	file->pages = must_allocate((size_t)(bytes / PAGE), sizeof(*file->pages));
	image->files[image->file_count++] = file;
	image->file_bytes += bytes;
	return file;
}

static void file_free(struct sim_file *file)
{
	for (uint64_t i = 0; i < file->bytes / PAGE; i++) {
		if (file->pages[i].stable != file->pages[i].now)
			sim_memory_free(file->pages[i].stable);
		sim_memory_free(file->pages[i].now);
	}
	free(file->pages);
	free(file);
}

void sim_image_remove(struct sim_image *image, struct sim_file *file)
{
	for (uint32_t i = 0; i < image->file_count; i++) {
		if (image->files[i] != file)
			continue;
		image->files[i] = image->files[--image->file_count];
		image->file_bytes -= file->bytes;
		file_free(file);
		return;
	}
}

void sim_image_clear(struct sim_image *image)
{
	while (image->file_count > 0)
		sim_image_remove(image, image->files[0]);
}

static uint8_t *page_writable(struct sim_page *page)
{
	if (!page->now) {
		page->now = page_new();
		if (!page->stable)
			page->stable = page->now;
	}
	return page->now;
}

/* Gives `now` bytes of its own, so that `stable` keeps the old ones. */
static void page_split(struct sim_page *page)
{
	uint8_t *copy;

	if (page->now && page->now != page->stable)
		return;
	copy = page->now ? memcpy(sim_memory_new(PAGE), page->now, PAGE) : page_new();
	page->now = copy;
	if (!page->stable)
		page->stable = page_new();
}

static void page_join(struct sim_page *page)
{
	if (page->stable == page->now)
		return;
	sim_memory_free(page->stable);
	page->stable = page->now;
}

static void sector_write_back(struct sim_page *page, uint64_t in_page,
			      const struct sim_cache *cache)
{
	if (cache->writeback == 0 || !prng_chance(cache->prng, cache->writeback))
		return;
	memcpy(page->stable + in_page, page->now + in_page, SECTOR);
	(*cache->written_back)++;
}

/* What was readable and not stable is gone, but for the sectors that got out in time. */
static void page_cut(struct sim_page *page, const struct sim_cache *cache)
{
	if (page->stable == page->now)
		return;
	for (uint64_t at = 0; at < PAGE; at += SECTOR)
		if (memcmp(page->now + at, page->stable + at, SECTOR) != 0)
			sector_write_back(page, at, cache);
	sim_memory_free(page->now);
	page->now = page->stable;
}

void sim_image_write(struct sim_file *file, uint64_t offset, const uint8_t *bytes,
		     const struct sim_cache *cache)
{
	struct sim_page *page = &file->pages[offset / PAGE];
	uint64_t in_page = offset % PAGE;

	if (!cache) {
		memcpy(page_writable(page) + in_page, bytes, SECTOR);
		if (page->stable != page->now)
			memcpy(page->stable + in_page, bytes, SECTOR);
	} else {
		page_split(page);
		sector_write_back(page, in_page, cache);
		memcpy(page->now + in_page, bytes, SECTOR);
	}
	page->is_spoilt = false;
}

void sim_image_write_page(struct sim_file *file, uint64_t offset, const uint8_t *bytes,
			  bool is_stable)
{
	struct sim_page *page = &file->pages[offset / PAGE];

	if (!page->now || (page->now == page->stable && !is_stable))
		page->now = sim_memory_new(PAGE);
	if (!page->stable)
		page->stable = is_stable ? page->now : page_new();
	memcpy(page->now, bytes, PAGE);
	if (is_stable && page->stable != page->now)
		memcpy(page->stable, bytes, PAGE);
	page->is_spoilt = false;
}

void sim_image_read(const struct sim_file *file, uint64_t offset, uint8_t *ret_page, bool is_stable)
{
	const struct sim_page *page = &file->pages[offset / PAGE];
	const uint8_t *bytes = is_stable ? page->stable : page->now;

	if (bytes)
		memcpy(ret_page, bytes, PAGE);
	else
		memset(ret_page, 0, PAGE);
}

void sim_image_sync(struct sim_file *file)
{
	for (uint64_t i = 0; i < file->bytes / PAGE; i++)
		page_join(&file->pages[i]);
}

void sim_image_cut(struct sim_image *image, const struct sim_cache *cache)
{
	for (uint32_t i = 0; i < image->file_count; i++)
		for (uint64_t page = 0; page < image->files[i]->bytes / PAGE; page++)
			page_cut(&image->files[i]->pages[page], cache);
}

void sim_image_copy(const struct sim_image *image, struct sim_image *copy)
{
	ensure(copy->file_count == 0);
	for (uint32_t i = 0; i < image->file_count; i++) {
		const struct sim_file *from = image->files[i];
		struct sim_file *to =
			sim_image_create(copy, from->area, from->segment, from->bytes);

		for (uint64_t page = 0; page < from->bytes / PAGE; page++)
			if (from->pages[page].stable)
				memcpy(page_writable(&to->pages[page]), from->pages[page].stable,
				       PAGE);
	}
}

void sim_image_flip(struct sim_file *file, uint64_t offset, uint8_t mask)
{
	struct sim_page *page = &file->pages[offset / PAGE];

	ensure(offset < file->bytes);
	page_writable(page)[offset % PAGE] ^= mask;
	if (page->stable != page->now)
		page->stable[offset % PAGE] ^= mask;
}
