#include "tests/sim/sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/units.h"
#include "tests/sim/sim_disk_image.h"
#include "tests/sim/sim_memory.h"

enum {
	PAGE = BLOCKLOG_PAGE_BYTES,
	SECTOR = BLOCKLOG_SECTOR_BYTES,
	OPS_MAX = BLOCKLOG_QUEUE_COUNT * BLOCKLOG_QUEUE_IOS_MAX,
	MILLION = 1000000,
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
	struct sim_image image;
	struct sim_image *kept; /* what sim_disk_keep() saw; NULL: nothing */
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
	bool is_marred;
	uint32_t slowness;
	struct sim_disk_counts counts;
	bool next_is_armed[BLOCKLOG_AREA_COUNT];
	enum sim_disk_fault next_fault[BLOCKLOG_AREA_COUNT];
};

static void *must_allocate(size_t count, size_t bytes)
{
	void *memory = calloc(count, bytes);

	ensure(memory != NULL);
	return memory;
}

static struct sim_file *file_find(const struct sim_disk *disk, enum blocklog_area area,
				  uint64_t segment)
{
	return sim_image_find(&disk->image, area, segment);
}

static struct sim_cache cache_of(struct sim_disk *disk)
{
	return (struct sim_cache){ &disk->prng, disk->config.writeback,
				   &disk->counts.written_back };
}

static void sector_write(struct sim_disk *disk, struct sim_file *file, uint64_t offset,
			 const uint8_t *bytes, bool is_stable)
{
	struct sim_cache cache = cache_of(disk);

	sim_image_write(file, offset, bytes, is_stable ? NULL : &cache);
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

static bool extents_are_pages(const struct blocklog_io *io)
{
	for (uint32_t i = 0; i < io->extent_count; i++)
		if (io->extents[i].count % PAGE != 0)
			return false;
	return true;
}

/* Nothing may come between the sectors of a page: no power cut, no write-back. */
static bool writes_pages(const struct sim_disk *disk, const struct blocklog_io *io, uint64_t at,
			 bool is_stable)
{
	return !disk->is_cut_armed && !disk->is_dead && at % PAGE == 0 &&
	       (is_stable || disk->config.writeback == 0) && extents_are_pages(io);
}

static void write_pages(struct sim_disk *disk, struct sim_file *file, const struct blocklog_io *io,
			uint64_t at, bool is_stable)
{
	uint64_t total = io_bytes(io);

	for (uint64_t offset = 0; offset < total; offset += PAGE)
		sim_image_write_page(file, at + offset, io_at(io, offset), is_stable);
	disk->sectors += total / SECTOR;
}

/* Writes all sectors, or as many as the armed power cut lets through. */
static void write_all(struct sim_disk *disk, struct sim_file *file, const struct blocklog_io *io,
		      uint64_t at, bool is_stable)
{
	uint32_t count = (uint32_t)(io_bytes(io) / SECTOR);
	uint32_t *order;

	if (writes_pages(disk, io, at, is_stable)) {
		write_pages(disk, file, io, at, is_stable);
		return;
	}
	order = sim_memory_new((count + 1) * sizeof(*order));
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
		sector_write(disk, file, at + offset, io_at(io, offset), is_stable);
		disk->sectors++;
	}
	sim_memory_free(order);
}

/* Each sector reaches the disk or does not. */
static void write_some(struct sim_disk *disk, struct sim_file *file, const struct blocklog_io *io,
		       bool is_stable)
{
	uint64_t total = io_bytes(io);
	uint32_t chance = (uint32_t)prng_below(&disk->prng, MILLION + 1);

	for (uint64_t offset = 0; offset < total; offset += SECTOR)
		if (prng_chance(&disk->prng, chance))
			sector_write(disk, file, io->offset + offset, io_at(io, offset), is_stable);
}

/* A fault beyond what an honest disk may do happens; it is counted, and remembered for ever. */
static bool suffers(struct sim_disk *disk, uint32_t chance, uint64_t *counter)
{
	if (chance == 0 || !prng_chance(&disk->prng, chance))
		return false;
	(*counter)++;
	disk->is_marred = true;
	return true;
}

static bool write_suffers(struct sim_disk *disk, const struct blocklog_io *io,
			  enum sim_disk_fault fault, uint32_t chance, uint64_t *counter)
{
	if (!disk->next_is_armed[io->area] || disk->next_fault[io->area] != fault)
		return suffers(disk, chance, counter);
	disk->next_is_armed[io->area] = false;
	disk->is_marred = true;
	(*counter)++;
	return true;
}

/* Pages of the file where a write of `total` bytes may land by mistake. */
static uint64_t misdirected_to(struct sim_disk *disk, const struct sim_file *file, uint64_t total)
{
	return prng_below(&disk->prng, (file->bytes - total) / PAGE + 1) * PAGE;
}

static void write_fails(struct sim_disk *disk, struct sim_file *file, const struct blocklog_io *io)
{
	disk->counts.write_errors++;
	write_some(disk, file, io, true);
}

static int run_write(struct sim_disk *disk, const struct blocklog_io *io)
{
	const struct sim_disk_faults *faults = &disk->config.faults;
	struct sim_disk_counts *counts = &disk->counts;
	struct sim_file *file = file_find(disk, io->area, io->segment);
	uint64_t total = io_bytes(io);
	bool is_stable;

	if (!file)
		return -ENOENT;
	ensure(io->offset % PAGE == 0 && total % PAGE == 0 && total > 0);
	ensure(io->offset + total <= file->bytes);
	if (disk->next_is_armed[io->area] && disk->next_fault[io->area] == SIM_DISK_WRITE_ERROR) {
		disk->next_is_armed[io->area] = false;
		write_fails(disk, file, io);
		return -EIO;
	}
	if (faults->write_error > 0 && prng_chance(&disk->prng, faults->write_error)) {
		write_fails(disk, file, io);
		return -EIO;
	}
	if (write_suffers(disk, io, SIM_DISK_LOSE, faults->lose, &counts->lost))
		return 0;
	if (write_suffers(disk, io, SIM_DISK_MISDIRECT, faults->misdirect, &counts->misdirected)) {
		write_all(disk, file, io, misdirected_to(disk, file, total), true);
		return 0;
	}
	is_stable = !write_suffers(disk, io, SIM_DISK_LIE, faults->lie, &counts->lies);
	write_all(disk, file, io, io->offset, is_stable);
	if (suffers(disk, faults->latent, &counts->spoilt))
		file->pages[io->offset / PAGE + prng_below(&disk->prng, total / PAGE)].is_spoilt =
			true;
	return 0;
}

static void file_read(const struct sim_file *file, const struct blocklog_io *io, bool is_stable)
{
	uint64_t total = io_bytes(io);

	for (uint64_t offset = 0; offset < total; offset += PAGE)
		sim_image_read(file, io->offset + offset, io_at(io, offset), is_stable);
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
	if (faults->read_error && prng_chance(&disk->prng, faults->read_error)) {
		disk->counts.read_errors++;
		return -EIO;
	}
	if (suffers(disk, faults->rot, &disk->counts.rotten)) {
		uint8_t bits = (uint8_t)(1U << prng_below(&disk->prng, 8));

		sim_disk_flip(disk, io->area, io->segment,
			      io->offset + prng_below(&disk->prng, total), bits);
	}
	file_read(file, io, false);
	return 0;
}

static int run_create(struct sim_disk *disk, const struct blocklog_io *io)
{
	if (file_find(disk, io->area, io->segment))
		return -EEXIST;
	if (disk->config.bytes_max && disk->image.file_bytes + io->bytes > disk->config.bytes_max) {
		disk->counts.full++;
		return -ENOSPC;
	}
	sim_image_create(&disk->image, io->area, io->segment, io->bytes);
	return 0;
}

static int run_sync(struct sim_disk *disk, const struct blocklog_io *io)
{
	struct sim_file *file = file_find(disk, io->area, io->segment);

	if (!file)
		return -ENOENT;
	if (suffers(disk, disk->config.faults.sync_lie, &disk->counts.sync_lies))
		return 0;
	sim_image_sync(file);
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
			sim_image_remove(&disk->image, file);
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
	uint64_t total = base + pages * config->page_ns + jitter;

	if (config->slow > 0 && prng_chance(&disk->prng, config->slow)) {
		disk->counts.slow++;
		total += prng_below(&disk->prng, config->slow_ns);
	}
	return total * disk->slowness;
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

	for (uint32_t i = 0; i < disk->image.file_count; i++) {
		if (disk->image.files[i]->area != area)
			continue;
		first = units_min(first, disk->image.files[i]->segment);
		end = units_max(end, disk->image.files[i]->segment + 1);
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
	disk->slowness = 1;
	prng_seed(&disk->prng, config->seed);
	return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
	if (!disk)
		return;
	sim_image_clear(&disk->image);
	if (disk->kept)
		sim_image_clear(disk->kept);
	free(disk->kept);
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

		if (io->kind != BLOCKLOG_IO_WRITE || !file)
			continue;
		disk->counts.torn++;
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
	struct sim_cache cache = cache_of(disk);

	interrupt(disk, true);
	sim_image_cut(&disk->image, &cache);
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

	ensure(file != NULL);
	sim_image_flip(file, offset, mask);
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
	sim_image_remove(&disk->image, file);
}

uint64_t sim_disk_busy_until_ns(const struct sim_disk *disk)
{
	uint64_t until_ns = 0;

	for (uint32_t i = 0; i < disk->op_count; i++)
		until_ns = units_max(until_ns, disk->ops[i].due_ns);
	return until_ns;
}

void sim_disk_set_slowness(struct sim_disk *disk, uint32_t factor)
{
	ensure(factor > 0);
	disk->slowness = factor;
}

uint64_t sim_disk_bytes(const struct sim_disk *disk)
{
	return disk->image.file_bytes;
}

bool sim_disk_is_marred(const struct sim_disk *disk)
{
	return disk->is_marred;
}

void sim_disk_mar(struct sim_disk *disk)
{
	disk->is_marred = true;
}

const struct sim_disk_counts *sim_disk_counts(const struct sim_disk *disk)
{
	return &disk->counts;
}

void sim_disk_keep(struct sim_disk *disk)
{
	if (!disk->kept)
		disk->kept = must_allocate(1, sizeof(*disk->kept));
	sim_image_clear(disk->kept);
	sim_image_copy(&disk->image, disk->kept);
}

bool sim_disk_has_kept(const struct sim_disk *disk)
{
	return disk->kept != NULL;
}

bool sim_disk_roll_back(struct sim_disk *disk)
{
	ensure(disk->op_count == 0);
	if (!disk->kept)
		return false;
	sim_image_clear(&disk->image);
	sim_image_copy(disk->kept, &disk->image);
	disk->counts.rolled_back++;
	disk->is_marred = true;
	return true;
}

void sim_disk_wipe(struct sim_disk *disk)
{
	ensure(disk->op_count == 0);
	sim_image_clear(&disk->image);
	disk->counts.wiped++;
	disk->is_marred = true;
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
