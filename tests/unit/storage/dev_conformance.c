#define _GNU_SOURCE
#include "tests/unit/storage/dev_conformance.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/blocklog_format.h"
#include "storage/blocklog_store.h"
#include "tests/lib/unit_main.h"

enum { PAGE = BLOCKLOG_PAGE_BYTES, FILE_PAGES = 300 };

void conformance_directory(char ret_directory[CONFORMANCE_PATH_BYTES])
{
	(void)snprintf(ret_directory, CONFORMANCE_PATH_BYTES, "./store-XXXXXX");
	UNIT_REQUIRE(mkdtemp(ret_directory) != NULL);
}

void conformance_clean(const char *directory)
{
	DIR *listing = opendir(directory);
	const struct dirent *entry;

	while (listing && (entry = readdir(listing)) != NULL)
		(void)unlinkat(dirfd(listing), entry->d_name, 0);
	if (listing)
		(void)closedir(listing);
	(void)rmdir(directory);
}

void conformance_start(struct conformance *c, bool avoid_uring)
{
	struct blocklog_dev_file_options options = { .directory = c->directory,
						     .avoid_uring = avoid_uring };
	char reason[BLOCKLOG_REASON_BYTES] = "";
	int code;

	conformance_directory(c->directory);
	code = blocklog_dev_file_open(&options, &c->dev, reason, sizeof(reason));
	if (code == ERR_UNSUPPORTED)
		UNIT_SKIP("the file system of the working directory refuses O_DIRECT");
	UNIT_REQUIRE(code == 0);
	UNIT_EQUAL(blocklog_dev_info(c->dev)->is_direct, true);
	if (!avoid_uring && blocklog_dev_info(c->dev)->is_fallback) {
		conformance_end(c);
		UNIT_SKIP("the kernel refuses io_uring");
	}
}

void conformance_end(struct conformance *c)
{
	blocklog_dev_file_close(c->dev);
	conformance_clean(c->directory);
}

int conformance_io(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	struct blocklog_io_done done;

	blocklog_dev_submit(dev, io);
	blocklog_dev_kick(dev, io->queue);
	while (blocklog_dev_poll(dev, &done, 1) == 0)
		blocklog_dev_wait(dev);
	UNIT_EQUAL(done.tag, io->tag);
	return done.code;
}

int conformance_create(struct blocklog_dev *dev, enum blocklog_area area, uint64_t segment,
		       uint64_t bytes)
{
	struct blocklog_io io = {
		.kind = BLOCKLOG_IO_CREATE,
		.queue = BLOCKLOG_QUEUE_BULK,
		.area = area,
		.segment = segment,
		.bytes = bytes,
		.tag = 42,
	};

	return conformance_io(dev, &io);
}

static int transfer(struct blocklog_dev *dev, enum blocklog_io_kind kind, uint64_t offset,
		    const struct blocklog_extent *extents, uint32_t extent_count)
{
	struct blocklog_io io = {
		.kind = kind,
		.queue = BLOCKLOG_QUEUE_BULK,
		.area = BLOCKLOG_AREA_LANE,
		.offset = offset,
		.extents = extents,
		.extent_count = extent_count,
		.tag = 43,
	};

	return conformance_io(dev, &io);
}

void conformance_creates_zeros_of_full_size(bool avoid_uring)
{
	struct conformance c;
	uint8_t *bytes = aligned_alloc(PAGE, (size_t)FILE_PAGES * PAGE);
	struct blocklog_extent extent = { bytes, (size_t)FILE_PAGES * PAGE };
	char path[2 * CONFORMANCE_PATH_BYTES];
	struct stat status;

	conformance_start(&c, avoid_uring);
	memset(bytes, 1, extent.count);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, extent.count), 0);
	UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 0, &extent, 1), 0);
	UNIT_CHECK(blocklog_is_zero(bytes, extent.count));
	(void)snprintf(path, sizeof(path), "%s/lane-00000000.log", c.directory);
	UNIT_EQUAL(stat(path, &status), 0);
	UNIT_EQUAL(status.st_size, extent.count);
	UNIT_CHECK((uint64_t)status.st_blocks * 512 >= extent.count);
	UNIT_EQUAL(status.st_mode & 0777, 0600);
	(void)snprintf(path, sizeof(path), "%s/lane-00000000.log.new", c.directory);
	UNIT_CHECK(stat(path, &status) != 0);
	conformance_end(&c);
	free(bytes);
}

void conformance_creates_a_file_once(bool avoid_uring)
{
	struct conformance c;

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_SAFETY, 0, PAGE), 0);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_SAFETY, 0, PAGE), -EEXIST);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_BLOCK, 3, PAGE), 0);
	conformance_end(&c);
}

void conformance_reads_what_was_written(bool avoid_uring)
{
	struct conformance c;
	uint8_t *out = aligned_alloc(PAGE, 6 * PAGE);
	uint8_t *in = aligned_alloc(PAGE, 6 * PAGE);
	struct blocklog_extent pieces[3] = {
		{ out + 3 * PAGE, 2 * PAGE },
		{ out, PAGE },
		{ out + 5 * PAGE, PAGE },
	};
	struct blocklog_extent whole = { in, 4 * PAGE };

	conformance_start(&c, avoid_uring);
	for (uint32_t i = 0; i < 6 * PAGE; i++)
		out[i] = (uint8_t)(i / PAGE + 1);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, 8 * PAGE), 0);
	/* Once through memory the device does not know, once through memory it does. */
	for (uint32_t round = 0; round < 2; round++) {
		UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_WRITE, 2 * PAGE, pieces, 3), 0);
		memset(in, 0, 4 * PAGE);
		UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 2 * PAGE, &whole, 1), 0);
		UNIT_CHECK(memcmp(in, out + 3 * PAGE, 2 * PAGE) == 0);
		UNIT_CHECK(memcmp(in + 2 * PAGE, out, PAGE) == 0);
		UNIT_CHECK(memcmp(in + 3 * PAGE, out + 5 * PAGE, PAGE) == 0);
		UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_WRITE, 0, pieces, 1), 0);
		UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 0, &whole, 1), 0);
		UNIT_CHECK(memcmp(in, out + 3 * PAGE, 2 * PAGE) == 0);
		(void)blocklog_dev_register_memory(c.dev, out, 6 * PAGE);
		(void)blocklog_dev_register_memory(c.dev, in, 6 * PAGE);
	}
	conformance_end(&c);
	free(out);
	free(in);
}

void conformance_reports_what_is_not_there(bool avoid_uring)
{
	struct conformance c;
	uint8_t *bytes = aligned_alloc(PAGE, 2 * PAGE);
	struct blocklog_extent extent = { bytes, 2 * PAGE };

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 0, &extent, 1), -ENOENT);
	UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_WRITE, 0, &extent, 1), -ENOENT);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, 4 * PAGE), 0);
	UNIT_CHECK(transfer(c.dev, BLOCKLOG_IO_READ, 3 * PAGE, &extent, 1) < 0);
	UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 2 * PAGE, &extent, 1), 0);
	conformance_end(&c);
	free(bytes);
}

void conformance_removes(bool avoid_uring)
{
	struct conformance c;
	uint8_t *bytes = aligned_alloc(PAGE, PAGE);
	struct blocklog_extent extent = { bytes, PAGE };
	struct blocklog_io io = { .kind = BLOCKLOG_IO_REMOVE,
				  .queue = BLOCKLOG_QUEUE_BULK,
				  .area = BLOCKLOG_AREA_LANE,
				  .tag = 5 };
	uint64_t first, end;

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, PAGE), 0);
	UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 0, &extent, 1), 0);
	UNIT_EQUAL(conformance_io(c.dev, &io), 0);
	UNIT_EQUAL(blocklog_dev_census(c.dev, BLOCKLOG_AREA_LANE, &first, &end), ERR_NOT_FOUND);
	UNIT_EQUAL(transfer(c.dev, BLOCKLOG_IO_READ, 0, &extent, 1), -ENOENT);
	UNIT_EQUAL(conformance_io(c.dev, &io), -ENOENT);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, PAGE), 0);
	conformance_end(&c);
	free(bytes);
}

void conformance_counts_segments(bool avoid_uring)
{
	struct conformance c;
	uint64_t first, end;

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(blocklog_dev_census(c.dev, BLOCKLOG_AREA_BLOCK, &first, &end), ERR_NOT_FOUND);
	for (uint64_t segment = 3; segment < 7; segment++)
		UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_BLOCK, segment, PAGE), 0);
	UNIT_EQUAL(blocklog_dev_census(c.dev, BLOCKLOG_AREA_BLOCK, &first, &end), 0);
	UNIT_EQUAL(first, 3);
	UNIT_EQUAL(end, 7);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_BLOCK, 8, PAGE), 0);
	UNIT_EQUAL(blocklog_dev_census(c.dev, BLOCKLOG_AREA_BLOCK, &first, &end), ERR_CORRUPT);
	UNIT_EQUAL(blocklog_dev_census(c.dev, BLOCKLOG_AREA_LANE, &first, &end), ERR_NOT_FOUND);
	conformance_end(&c);
}

void conformance_serves_many_operations_at_once(bool avoid_uring)
{
	enum { IOS = BLOCKLOG_QUEUE_IOS_MAX - 2, ROUNDS = 4 };
	struct conformance c;
	uint8_t *bytes = aligned_alloc(PAGE, IOS * PAGE);
	struct blocklog_extent extents[IOS];
	uint32_t seen[IOS] = { 0 };

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, IOS * PAGE), 0);
	memset(bytes, 3, IOS * PAGE);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t left = IOS;

		for (uint32_t i = 0; i < IOS; i++) {
			struct blocklog_io io = {
				.kind = round % 2 ? BLOCKLOG_IO_READ : BLOCKLOG_IO_WRITE,
				.queue = BLOCKLOG_QUEUE_BULK,
				.area = BLOCKLOG_AREA_LANE,
				.offset = (uint64_t)i * PAGE,
				.extents = &extents[i],
				.extent_count = 1,
				.tag = i,
			};

			extents[i] = (struct blocklog_extent){ bytes + (size_t)i * PAGE, PAGE };
			blocklog_dev_submit(c.dev, &io);
		}
		blocklog_dev_kick(c.dev, BLOCKLOG_QUEUE_BULK);
		while (left > 0) {
			struct blocklog_io_done done[7];
			uint32_t count = blocklog_dev_poll(c.dev, done, 7);

			for (uint32_t i = 0; i < count; i++) {
				UNIT_EQUAL(done[i].code, 0);
				UNIT_REQUIRE(done[i].tag < IOS);
				seen[done[i].tag]++;
			}
			left -= count;
			if (left > 0)
				blocklog_dev_wait(c.dev);
		}
	}
	for (uint32_t i = 0; i < IOS; i++)
		UNIT_EQUAL(seen[i], ROUNDS);
	conformance_end(&c);
	free(bytes);
}

void conformance_rings_its_bell(bool avoid_uring)
{
	struct conformance c;
	struct blocklog_io io = { .kind = BLOCKLOG_IO_SYNC,
				  .queue = BLOCKLOG_QUEUE_SAFETY,
				  .area = BLOCKLOG_AREA_SAFETY,
				  .tag = 9 };
	struct pollfd bell = { .events = POLLIN };
	struct blocklog_io_done done;
	uint32_t count = 0;
	uint64_t rings;

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_SAFETY, 0, PAGE), 0);
	bell.fd = blocklog_dev_event_fd(c.dev);
	UNIT_REQUIRE(bell.fd >= 0);
	while (read(bell.fd, &rings, sizeof(rings)) == sizeof(rings))
		;
	blocklog_dev_submit(c.dev, &io);
	blocklog_dev_kick(c.dev, BLOCKLOG_QUEUE_SAFETY);
	for (uint32_t i = 0; i < 10 && count == 0; i++) {
		UNIT_EQUAL(poll(&bell, 1, 5000), 1);
		UNIT_EQUAL(read(bell.fd, &rings, sizeof(rings)), sizeof(rings));
		count = blocklog_dev_poll(c.dev, &done, 1);
	}
	UNIT_EQUAL(count, 1);
	UNIT_EQUAL(done.tag, 9);
	UNIT_EQUAL(done.code, 0);
	conformance_end(&c);
}

/* ---- a store on it ---- */

static int check_record(void *context, uint16_t kind, uint64_t position, const void *bytes,
			size_t count)
{
	uint64_t *next = context;

	(void)position;
	UNIT_EQUAL(kind, *next % 100);
	UNIT_EQUAL(count, 3000 + *next);
	UNIT_EQUAL(((const uint8_t *)bytes)[count - 1], (uint8_t)*next);
	(*next)++;
	return 0;
}

static void append_all(struct blocklog_store *store, struct blocklog_dev *dev, uint64_t records)
{
	static uint8_t bytes[8000];
	struct pollfd bell = { .fd = blocklog_dev_event_fd(dev), .events = POLLIN };
	uint64_t sent = 0;
	uint64_t done_count = 0;

	while (done_count < 2 * records || blocklog_store_is_busy(store)) {
		struct blocklog_done done[16];
		uint64_t position;
		uint64_t rings;
		uint32_t count;

		memset(bytes, (int)(uint8_t)sent, sizeof(bytes));
		if (sent < records &&
		    blocklog_store_append(store, BLOCKLOG_LANE, (uint16_t)(sent % 100), bytes,
					  3000 + sent, sent, &position) == 0) {
			while (blocklog_store_append(store, BLOCKLOG_SAFETY, 1, &sent, sizeof(sent),
						     sent, &position) == ERR_FULL)
				done_count += blocklog_store_turn(store, done, 16);
			sent++;
		}
		count = blocklog_store_turn(store, done, 16);
		for (uint32_t i = 0; i < count; i++)
			UNIT_EQUAL(done[i].code, 0);
		done_count += count;
		if (count == 0 && poll(&bell, 1, 1000) == 1)
			(void)!read(bell.fd, &rings, sizeof(rings));
	}
	UNIT_EQUAL(done_count, 2 * records);
}

void conformance_carries_a_store(bool avoid_uring)
{
	struct conformance c;
	struct blocklog_config config = { .segment_bytes = 1 << 18,
					  .group_bytes_max = 1 << 16,
					  .segments_max = 100 };
	struct blocklog_dev_file_options options = { .directory = c.directory,
						     .avoid_uring = avoid_uring };
	size_t memory_bytes = blocklog_store_footprint(&config);
	void *memory = malloc(memory_bytes);
	struct blocklog_store *store;
	char reason[BLOCKLOG_REASON_BYTES];
	const void *bytes;
	size_t count;
	uint64_t next = 0;
	uint64_t last;

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(blocklog_store_format(c.dev, &config, "zero", 4, memory, memory_bytes), 0);
	UNIT_REQUIRE(blocklog_store_open(c.dev, &config, memory, memory_bytes, &store) == 0);
	append_all(store, c.dev, 300);
	blocklog_store_close(store);
	blocklog_dev_file_close(c.dev);

	UNIT_REQUIRE(blocklog_dev_file_open(&options, &c.dev, reason, sizeof(reason)) == 0);
	UNIT_REQUIRE(blocklog_store_open(c.dev, &config, memory, memory_bytes, &store) == 0);
	UNIT_EQUAL(blocklog_store_recovery(store)->torn_bytes[BLOCKLOG_LANE], 0);
	UNIT_EQUAL(blocklog_store_scan(store, BLOCKLOG_LANE, 0, check_record, &next), 0);
	UNIT_EQUAL(next, 300);
	UNIT_EQUAL(blocklog_store_safety(store, &bytes, &count), 0);
	UNIT_EQUAL(count, sizeof(last));
	memcpy(&last, bytes, sizeof(last));
	UNIT_EQUAL(last, 299);
	blocklog_store_close(store);
	conformance_end(&c);
	free(memory);
}
