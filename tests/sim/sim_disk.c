#include "tests/sim/sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/units.h"

enum {
	PAGE = BLOCKLOG_PAGE_BYTES,
	SECTOR = BLOCKLOG_SECTOR_BYTES,
	PAGE_SECTORS = PAGE / SECTOR,
	OPS_MAX = BLOCKLOG_QUEUE_COUNT * BLOCKLOG_QUEUE_IOS_MAX,
	FILES_MAX = 4096,
	MILLION = 1000000,
};

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

struct sim_op {
	struct blocklog_io io;
	uint64_t due_ns;
	uint64_t order;
};

struct sim_disk {
	struct blocklog_dev dev;
	struct sim_disk_config config;
	struct prng prng;
	uint64_t now_ns;
	uint64_t ordered;
	struct sim_file *files[FILES_MAX];
	uint32_t file_count;
	uint64_t file_bytes;
	struct sim_op ops[OPS_MAX];
	uint32_t op_count;
	struct blocklog_io_done done[OPS_MAX];
	uint32_t done_count;
	uint64_t sectors;
	uint64_t writes;
	bool is_cut_armed;
	bool is_cut_shuffled;
	uint64_t cut_at;
	bool is_dead;
	bool next_is_armed[BLOCKLOG_AREA_COUNT];
	enum sim_disk_fault next_fault[BLOCKLOG_AREA_COUNT];
};

/* ---- images ---- */

static void *must_allocate(size_t count, size_t bytes)
{
	void *memory = calloc(count, bytes);

	ensure(memory != NULL);
	return memory;
}

static struct sim_file *file_find(const struct sim_disk *disk, enum blocklog_area area,
				  uint64_t segment)
{
	for (uint32_t i = 0; i < disk->file_count; i++)
		if (disk->files[i]->area == area && disk->files[i]->segment == segment)
			return disk->files[i];
	return NULL;
}

static void page_release(struct sim_page *page)
{
	if (page->stable != page->now)
		free(page->stable);
	free(page->now);
}

static void file_free(struct sim_file *file)
{
	for (uint64_t i = 0; i < file->bytes / PAGE; i++)
		page_release(&file->pages[i]);
	free(file->pages);
	free(file);
}

static void file_remove(struct sim_disk *disk, struct sim_file *file)
{
	for (uint32_t i = 0; i < disk->file_count; i++) {
		if (disk->files[i] != file)
			continue;
		disk->files[i] = disk->files[--disk->file_count];
		disk->file_bytes -= file->bytes;
		file_free(file);
		return;
	}
}

static uint8_t *page_writable(struct sim_page *page)
{
	if (!page->now) {
		page->now = must_allocate(1, PAGE);
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
	copy = must_allocate(1, PAGE);
	if (page->now)
		memcpy(copy, page->now, PAGE);
	page->now = copy;
	if (!page->stable)
		page->stable = must_allocate(1, PAGE);
}

static void page_join(struct sim_page *page)
{
	if (page->stable == page->now)
		return;
	free(page->stable);
	page->stable = page->now;
}

/* What was readable and not stable is gone. */
static void page_forget(struct sim_page *page)
{
	if (page->stable == page->now)
		return;
	free(page->now);
	page->now = page->stable;
}

static void sector_write(struct sim_file *file, uint64_t offset, const uint8_t *bytes,
			 bool is_stable)
{
	struct sim_page *page = &file->pages[offset / PAGE];
	uint64_t in_page = offset % PAGE;

	if (is_stable) {
		memcpy(page_writable(page) + in_page, bytes, SECTOR);
		if (page->stable != page->now)
			memcpy(page->stable + in_page, bytes, SECTOR);
	} else {
		page_split(page);
		memcpy(page->now + in_page, bytes, SECTOR);
	}
	page->is_spoilt = false;
}

/* ---- one operation ---- */

static uint64_t io_bytes(const struct blocklog_io *io)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < io->extent_count; i++)
		total += io->extents[i].count;
	return total;
}

static uint8_t *io_at(const struct blocklog_io *io, uint64_t offset)
{
	for (uint32_t i = 0; i < io->extent_count; i++) {
		if (offset < io->extents[i].count)
			return (uint8_t *)io->extents[i].bytes + offset;
		offset -= io->extents[i].count;
	}
	ensure(offset == 0 && io->extent_count == 0);
	return NULL;
}

static void shuffle(struct sim_disk *disk, uint32_t *order, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = (uint32_t)prng_below(&disk->prng, i);
		uint32_t kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}

/* Writes all sectors, or as many as the armed power cut lets through. */
static void write_all(struct sim_disk *disk, struct sim_file *file, const struct blocklog_io *io,
		      uint64_t at, bool is_stable)
{
	uint32_t count = (uint32_t)(io_bytes(io) / SECTOR);
	uint32_t *order = must_allocate(count + 1, sizeof(*order));

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	if (disk->is_cut_armed && disk->is_cut_shuffled)
		shuffle(disk, order, count);
	for (uint32_t i = 0; i < count && !disk->is_dead; i++) {
		uint64_t offset = (uint64_t)order[i] * SECTOR;

		if (disk->is_cut_armed && disk->sectors >= disk->cut_at) {
			disk->is_dead = true;
			break;
		}
		sector_write(file, at + offset, io_at(io, offset), is_stable);
		disk->sectors++;
	}
	free(order);
}

/* Each sector reaches the disk or does not. */
static void write_some(struct sim_disk *disk, struct sim_file *file, const struct blocklog_io *io,
		       bool is_stable)
{
	uint64_t total = io_bytes(io);
	uint32_t chance = (uint32_t)prng_below(&disk->prng, MILLION + 1);

	for (uint64_t offset = 0; offset < total; offset += SECTOR)
		if (prng_chance(&disk->prng, chance))
			sector_write(file, io->offset + offset, io_at(io, offset), is_stable);
}

static bool write_suffers(struct sim_disk *disk, const struct blocklog_io *io,
			  enum sim_disk_fault fault, uint32_t chance)
{
	if (disk->next_is_armed[io->area] && disk->next_fault[io->area] == fault) {
		disk->next_is_armed[io->area] = false;
		return true;
	}
	return chance > 0 && prng_chance(&disk->prng, chance);
}

static int run_write(struct sim_disk *disk, const struct blocklog_io *io)
{
	const struct sim_disk_faults *faults = &disk->config.faults;
	struct sim_file *file = file_find(disk, io->area, io->segment);
	uint64_t total = io_bytes(io);

	if (!file)
		return -ENOENT;
	ensure(io->offset % PAGE == 0 && total % PAGE == 0 && total > 0);
	ensure(io->offset + total <= file->bytes);
	if (write_suffers(disk, io, SIM_DISK_WRITE_ERROR, faults->write_error)) {
		write_some(disk, file, io, true);
		return -EIO;
	}
	if (write_suffers(disk, io, SIM_DISK_LOSE, faults->lose))
		return 0;
	if (write_suffers(disk, io, SIM_DISK_MISDIRECT, faults->misdirect)) {
		uint64_t pages = (file->bytes - total) / PAGE;

		write_all(disk, file, io, prng_below(&disk->prng, pages + 1) * PAGE, true);
		return 0;
	}
	write_all(disk, file, io, io->offset, !write_suffers(disk, io, SIM_DISK_LIE, faults->lie));
	return 0;
}

static void file_read(const struct sim_file *file, const struct blocklog_io *io, bool is_stable)
{
	uint64_t total = io_bytes(io);

	for (uint64_t offset = 0; offset < total; offset += PAGE) {
		const struct sim_page *page = &file->pages[(io->offset + offset) / PAGE];
		const uint8_t *bytes = is_stable ? page->stable : page->now;

		if (bytes)
			memcpy(io_at(io, offset), bytes, PAGE);
		else
			memset(io_at(io, offset), 0, PAGE);
	}
}

static int run_read(struct sim_disk *disk, const struct blocklog_io *io)
{
	const struct sim_disk_faults *faults = &disk->config.faults;
	struct sim_file *file = file_find(disk, io->area, io->segment);
	uint64_t total = io_bytes(io);

	if (!file)
		return -ENOENT;
	ensure(io->offset % PAGE == 0 && total % PAGE == 0 && total > 0);
	if (io->offset + total > file->bytes)
		return -EIO;
	for (uint64_t offset = 0; offset < total; offset += PAGE)
		if (file->pages[(io->offset + offset) / PAGE].is_spoilt)
			return -EIO;
	if (faults->read_error && prng_chance(&disk->prng, faults->read_error))
		return -EIO;
	if (faults->rot && prng_chance(&disk->prng, faults->rot))
		sim_disk_flip(disk, io->area, io->segment,
			      io->offset + prng_below(&disk->prng, total),
			      (uint8_t)(1U << prng_below(&disk->prng, 8)));
	file_read(file, io, false);
	return 0;
}

static int run_create(struct sim_disk *disk, const struct blocklog_io *io)
{
	struct sim_file *file;

	if (file_find(disk, io->area, io->segment))
		return -EEXIST;
	if (disk->config.bytes_max && disk->file_bytes + io->bytes > disk->config.bytes_max)
		return -ENOSPC;
	ensure(disk->file_count < FILES_MAX && io->bytes % PAGE == 0);
	file = must_allocate(1, sizeof(*file));
	file->area = io->area;
	file->segment = io->segment;
	file->bytes = io->bytes;
	file->pages = must_allocate((size_t)(io->bytes / PAGE), sizeof(*file->pages));
	disk->files[disk->file_count++] = file;
	disk->file_bytes += io->bytes;
	return 0;
}

static int run_sync(struct sim_disk *disk, const struct blocklog_io *io)
{
	struct sim_file *file = file_find(disk, io->area, io->segment);

	if (!file)
		return -ENOENT;
	for (uint64_t i = 0; i < file->bytes / PAGE; i++)
		page_join(&file->pages[i]);
	return 0;
}

static int run(struct sim_disk *disk, const struct blocklog_io *io)
{
	struct sim_file *file;

	switch (io->kind) {
	case BLOCKLOG_IO_WRITE:
		return run_write(disk, io);
	case BLOCKLOG_IO_READ:
		return run_read(disk, io);
	case BLOCKLOG_IO_SYNC:
		return run_sync(disk, io);
	case BLOCKLOG_IO_CREATE:
		return run_create(disk, io);
	case BLOCKLOG_IO_REMOVE:
		file = file_find(disk, io->area, io->segment);
		if (file)
			file_remove(disk, file);
		return file ? 0 : -ENOENT;
	}
	return -EINVAL;
}

/* ---- the device ---- */

static struct sim_disk *disk_of(struct blocklog_dev *dev)
{
	return (struct sim_disk *)dev;
}

static uint64_t latency_ns(struct sim_disk *disk, const struct blocklog_io *io)
{
	const struct sim_disk_config *config = &disk->config;
	uint64_t base = io->kind == BLOCKLOG_IO_READ ? config->read_ns : config->write_ns;
	uint64_t pages = (io->kind == BLOCKLOG_IO_CREATE ? io->bytes : io_bytes(io)) / PAGE;
	uint64_t jitter = config->jitter_ns ? prng_below(&disk->prng, config->jitter_ns) : 0;

	return base + pages * config->page_ns + jitter;
}

static void disk_submit(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	struct sim_disk *disk = disk_of(dev);

	ensure(disk->op_count + disk->done_count < OPS_MAX);
	if (io->kind == BLOCKLOG_IO_WRITE || io->kind == BLOCKLOG_IO_SYNC)
		disk->writes++;
	disk->ops[disk->op_count++] = (struct sim_op){
		.io = *io,
		.due_ns = disk->now_ns + latency_ns(disk, io),
		.order = disk->ordered++,
	};
}

static void disk_kick(struct blocklog_dev *dev, enum blocklog_queue queue)
{
	(void)dev;
	(void)queue;
}

static struct sim_op *op_first(struct sim_disk *disk)
{
	struct sim_op *first = NULL;

	for (uint32_t i = 0; i < disk->op_count; i++) {
		struct sim_op *op = &disk->ops[i];

		if (!first || op->due_ns < first->due_ns ||
		    (op->due_ns == first->due_ns && op->order < first->order))
			first = op;
	}
	return first;
}

static void op_complete(struct sim_disk *disk, struct sim_op *op)
{
	int code = disk->is_dead ? -EIO : run(disk, &op->io);

	disk->done[disk->done_count++] = (struct blocklog_io_done){
		.tag = op->io.tag,
		.code = disk->is_dead ? -EIO : code,
	};
	*op = disk->ops[--disk->op_count];
}

static uint32_t disk_poll(struct blocklog_dev *dev, struct blocklog_io_done *ret_done,
			  uint32_t done_max)
{
	struct sim_disk *disk = disk_of(dev);
	uint32_t count = disk->done_count < done_max ? disk->done_count : done_max;

	memcpy(ret_done, disk->done, count * sizeof(*ret_done));
	disk->done_count -= count;
	memmove(disk->done, disk->done + count, disk->done_count * sizeof(*ret_done));
	return count;
}

static void disk_wait(struct blocklog_dev *dev)
{
	struct sim_disk *disk = disk_of(dev);
	struct sim_op *first = op_first(disk);

	ensure(disk->done_count > 0 || first);
	if (disk->done_count == 0)
		op_complete(disk, first);
}

static int disk_census(struct blocklog_dev *dev, enum blocklog_area area, uint64_t *ret_first,
		       uint64_t *ret_end)
{
	struct sim_disk *disk = disk_of(dev);
	uint64_t first = UINT64_MAX;
	uint64_t end = 0;
	uint64_t count = 0;

	for (uint32_t i = 0; i < disk->file_count; i++) {
		if (disk->files[i]->area != area)
			continue;
		first = units_min(first, disk->files[i]->segment);
		end = units_max(end, disk->files[i]->segment + 1);
		count++;
	}
	if (count == 0)
		return ERR_NOT_FOUND;
	if (end - first != count)
		return ERR_CORRUPT;
	*ret_first = first;
	*ret_end = end;
	return 0;
}

static int disk_register_memory(struct blocklog_dev *dev, void *memory, size_t memory_bytes)
{
	(void)dev;
	ensure((uintptr_t)memory % PAGE == 0 && memory_bytes > 0);
	return 0;
}

static const struct blocklog_dev_info *disk_info(const struct blocklog_dev *dev)
{
	static const struct blocklog_dev_info info = {
		.kind = "simulated",
		.description = "a disk in memory, with a virtual clock",
		.is_direct = true,
	};

	(void)dev;
	return &info;
}

static int disk_event_fd(const struct blocklog_dev *dev)
{
	(void)dev;
	return -1;
}

static const struct blocklog_dev_ops disk_ops = {
	.submit = disk_submit,
	.kick = disk_kick,
	.poll = disk_poll,
	.wait = disk_wait,
	.census = disk_census,
	.register_memory = disk_register_memory,
	.info = disk_info,
	.event_fd = disk_event_fd,
};

struct sim_disk *sim_disk_new(const struct sim_disk_config *config)
{
	struct sim_disk *disk = must_allocate(1, sizeof(*disk));

	disk->dev.ops = &disk_ops;
	disk->config = *config;
	prng_seed(&disk->prng, config->seed);
	return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
	if (!disk)
		return;
	while (disk->file_count > 0)
		file_remove(disk, disk->files[0]);
	free(disk);
}

struct blocklog_dev *sim_disk_dev(struct sim_disk *disk)
{
	return &disk->dev;
}

void sim_disk_advance(struct sim_disk *disk, uint64_t now_ns)
{
	struct sim_op *first;

	ensure(now_ns >= disk->now_ns);
	disk->now_ns = now_ns;
	while (!disk->is_dead && (first = op_first(disk)) && first->due_ns <= now_ns) {
		op_complete(disk, first);
		/* The operation that met the power cut never completes. */
		if (disk->is_dead)
			disk->done_count--;
	}
}

uint64_t sim_disk_next_ns(const struct sim_disk *disk)
{
	uint64_t next = disk->done_count > 0 ? disk->now_ns : UINT64_MAX;

	for (uint32_t i = 0; i < disk->op_count && !disk->is_dead; i++)
		next = units_min(next, disk->ops[i].due_ns);
	return next;
}

/* ---- crashes and faults ---- */

static void interrupt(struct sim_disk *disk, bool is_stable)
{
	for (uint32_t i = 0; i < disk->op_count && !disk->is_dead; i++) {
		const struct blocklog_io *io = &disk->ops[i].io;
		struct sim_file *file = file_find(disk, io->area, io->segment);

		if (io->kind == BLOCKLOG_IO_WRITE && file)
			write_some(disk, file, io, is_stable);
	}
	disk->op_count = 0;
	disk->done_count = 0;
	disk->is_dead = false;
	disk->is_cut_armed = false;
	memset(disk->next_is_armed, 0, sizeof(disk->next_is_armed));
}

void sim_disk_crash(struct sim_disk *disk)
{
	interrupt(disk, true);
	for (uint32_t i = 0; i < disk->file_count; i++)
		for (uint64_t page = 0; page < disk->files[i]->bytes / PAGE; page++)
			page_forget(&disk->files[i]->pages[page]);
}

void sim_disk_kill(struct sim_disk *disk)
{
	interrupt(disk, false);
}

void sim_disk_cut_after(struct sim_disk *disk, uint64_t sectors, bool is_shuffled)
{
	disk->is_cut_armed = true;
	disk->is_cut_shuffled = is_shuffled;
	disk->cut_at = disk->sectors + sectors;
}

bool sim_disk_is_dead(const struct sim_disk *disk)
{
	return disk->is_dead;
}

uint64_t sim_disk_sectors(const struct sim_disk *disk)
{
	return disk->sectors;
}

uint64_t sim_disk_writes(const struct sim_disk *disk)
{
	return disk->writes;
}

void sim_disk_set_faults(struct sim_disk *disk, const struct sim_disk_faults *faults)
{
	disk->config.faults = *faults;
}

void sim_disk_set_bytes_max(struct sim_disk *disk, uint64_t bytes_max)
{
	disk->config.bytes_max = bytes_max;
}

void sim_disk_next_write(struct sim_disk *disk, enum blocklog_area area, enum sim_disk_fault fault)
{
	disk->next_is_armed[area] = true;
	disk->next_fault[area] = fault;
}

void sim_disk_flip(struct sim_disk *disk, enum blocklog_area area, uint64_t segment,
		   uint64_t offset, uint8_t mask)
{
	struct sim_file *file = file_find(disk, area, segment);
	struct sim_page *page;

	ensure(file && offset < file->bytes);
	page = &file->pages[offset / PAGE];
	page_writable(page)[offset % PAGE] ^= mask;
	if (page->stable != page->now)
		page->stable[offset % PAGE] ^= mask;
}

void sim_disk_spoil(struct sim_disk *disk, enum blocklog_area area, uint64_t segment,
		    uint64_t offset)
{
	struct sim_file *file = file_find(disk, area, segment);

	ensure(file && offset < file->bytes);
	file->pages[offset / PAGE].is_spoilt = true;
}

void sim_disk_lose_file(struct sim_disk *disk, enum blocklog_area area, uint64_t segment)
{
	struct sim_file *file = file_find(disk, area, segment);

	ensure(file != NULL);
	file_remove(disk, file);
}

static int stable_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		       void *ret_bytes, size_t count)
{
	struct sim_file *file = file_find(context, area, segment);
	struct blocklog_extent extent = { ret_bytes, count };
	struct blocklog_io io = { .offset = offset, .extents = &extent, .extent_count = 1 };

	if (!file || offset + count > file->bytes)
		return -ENOENT;
	file_read(file, &io, true);
	return 0;
}

static int stable_census(void *context, enum blocklog_area area, uint64_t *ret_first,
			 uint64_t *ret_end)
{
	struct sim_disk *disk = context;

	return disk_census(&disk->dev, area, ret_first, ret_end);
}

struct blocklog_source sim_disk_stable(struct sim_disk *disk)
{
	return (struct blocklog_source){
		.context = disk,
		.read = stable_read,
		.census = stable_census,
	};
}
