#define _GNU_SOURCE
#include "storage/blocklog_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/blocklog_format.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/dev_conformance.h"

enum { SEGMENT_BYTES = 1 << 16, RECORDS_MAX = 200 };

/* A store on real files, its writer on the fallback device, and a reader beside it. */
struct beside {
	struct conformance c;
	struct blocklog_config config;
	void *memory;
	struct blocklog_store *store;
	void *reader_memory;
	struct blocklog_reader *reader;
	uint64_t position[RECORDS_MAX];
	uint64_t count;
};

static void reader_start(struct beside *b)
{
	char reason[BLOCKLOG_REASON_BYTES];
	size_t bytes = blocklog_reader_footprint();

	b->reader_memory = malloc(bytes);
	UNIT_REQUIRE(blocklog_reader_open(b->c.directory, b->reader_memory, bytes, &b->reader,
					  reason, sizeof(reason)) == 0);
}

static void beside_start(struct beside *b)
{
	size_t bytes;

	memset(b, 0, sizeof(*b));
	b->config = (struct blocklog_config){ .identity = { .node_id = 5 },
					      .segment_bytes = SEGMENT_BYTES,
					      .group_bytes_max = 1 << 15,
					      .segments_max = 100 };
	bytes = blocklog_store_footprint(&b->config);
	b->memory = malloc(bytes);
	conformance_start(&b->c, true);
	UNIT_REQUIRE(blocklog_store_format(b->c.dev, &b->config, "zero", 4, b->memory, bytes) == 0);
	UNIT_REQUIRE(blocklog_store_open(b->c.dev, &b->config, b->memory, bytes, &b->store) == 0);
	reader_start(b);
}

static void beside_end(struct beside *b)
{
	blocklog_reader_close(b->reader);
	blocklog_store_close(b->store);
	conformance_end(&b->c);
	free(b->memory);
	free(b->reader_memory);
}

static size_t record_bytes(uint64_t index)
{
	return (size_t)(index * 379 % 5000);
}

static void append(struct beside *b, enum blocklog_log log)
{
	uint8_t bytes[5000];
	struct blocklog_done done[4];
	uint32_t count = 0;

	memset(bytes, (int)(uint8_t)b->count, sizeof(bytes));
	UNIT_REQUIRE(blocklog_store_append(b->store, log, (uint16_t)b->count, bytes,
					   record_bytes(b->count), b->count,
					   &b->position[b->count]) == 0);
	b->count++;
	while (count == 0 || blocklog_store_is_busy(b->store))
		count += blocklog_store_turn(b->store, done, 4);
	UNIT_EQUAL(count, 1);
	UNIT_EQUAL(done[0].code, 0);
}

static void check_view(const struct beside *b, const struct blocklog_view *view, uint64_t index)
{
	const uint8_t *bytes = view->bytes;

	UNIT_EQUAL(view->kind, index);
	UNIT_EQUAL(view->position, b->position[index]);
	UNIT_EQUAL(view->sequence, index);
	UNIT_EQUAL(view->count, record_bytes(index));
	if (view->count > 0)
		UNIT_CHECK(bytes[0] == (uint8_t)index && bytes[view->count - 1] == (uint8_t)index);
}

static void it_follows_a_writer_record_by_record(void)
{
	struct beside b;
	struct blocklog_view view;
	uint64_t position = 0;

	beside_start(&b);
	UNIT_EQUAL(blocklog_reader_identity(b.reader)->node_id, 5);
	for (uint64_t i = 0; i < 80; i++) {
		uint64_t end = blocklog_store_durable_end(b.store, BLOCKLOG_LANE);

		UNIT_EQUAL(blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view), 0);
		append(&b, BLOCKLOG_LANE);
		end = blocklog_store_durable_end(b.store, BLOCKLOG_LANE);
		UNIT_EQUAL(blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view), 1);
		check_view(&b, &view, i);
	}
	UNIT_CHECK(position > 2 * SEGMENT_BYTES);
	beside_end(&b);
}

static void it_reads_all_from_the_first_record_and_goes_on_from_any_place(void)
{
	struct beside b;
	struct blocklog_view view;
	uint64_t end;

	beside_start(&b);
	for (uint64_t i = 0; i < 60; i++)
		append(&b, BLOCKLOG_BLOCK);
	end = blocklog_store_durable_end(b.store, BLOCKLOG_BLOCK);
	for (uint64_t first = 0; first < 60; first += 7) {
		uint64_t position = first == 0 ? 0 : b.position[first];
		uint64_t next = first;

		while (blocklog_reader_next(b.reader, BLOCKLOG_BLOCK, &position, end, &view) == 1)
			check_view(&b, &view, next++);
		UNIT_EQUAL(next, 60);
		UNIT_EQUAL(position, end);
	}
	beside_end(&b);
}

static void it_reads_single_records_between_others(void)
{
	struct beside b;
	struct blocklog_view view;
	uint64_t position = 0;
	uint64_t end;

	beside_start(&b);
	for (uint64_t i = 0; i < 40; i++)
		append(&b, BLOCKLOG_LANE);
	end = blocklog_store_durable_end(b.store, BLOCKLOG_LANE);
	for (uint64_t i = 0; i < 40; i++) {
		uint64_t other = i * 17 % 40;

		UNIT_EQUAL(blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view), 1);
		check_view(&b, &view, i);
		UNIT_EQUAL(blocklog_reader_at(b.reader, BLOCKLOG_LANE, b.position[other], end,
					      &view),
			   0);
		check_view(&b, &view, other);
	}
	UNIT_EQUAL(blocklog_reader_at(b.reader, BLOCKLOG_LANE, end, end, &view), ERR_NOT_FOUND);
	UNIT_EQUAL(blocklog_reader_at(b.reader, BLOCKLOG_LANE, b.position[5] + 1, end, &view),
		   ERR_NOT_FOUND);
	UNIT_EQUAL(blocklog_reader_at(b.reader, BLOCKLOG_LANE, 0, end, &view), ERR_NOT_FOUND);
	beside_end(&b);
}

static void flip(const struct beside *b, uint64_t position)
{
	char path[2 * CONFORMANCE_PATH_BYTES];
	uint8_t byte;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/lane-%08llu.log", b->c.directory,
		       (unsigned long long)(position / SEGMENT_BYTES));
	fd = open(path, O_RDWR);
	UNIT_REQUIRE(fd >= 0);
	UNIT_EQUAL(pread(fd, &byte, 1, (off_t)(position % SEGMENT_BYTES)), 1);
	byte ^= 0x20;
	UNIT_EQUAL(pwrite(fd, &byte, 1, (off_t)(position % SEGMENT_BYTES)), 1);
	UNIT_EQUAL(fsync(fd), 0);
	(void)close(fd);
}

static void damage_is_reported_at_its_place_and_never_handed_out(void)
{
	struct beside b;
	struct blocklog_view view;
	uint64_t position = 0;
	uint64_t end;
	uint64_t next = 0;
	int code;

	beside_start(&b);
	for (uint64_t i = 0; i < 30; i++)
		append(&b, BLOCKLOG_LANE);
	end = blocklog_store_durable_end(b.store, BLOCKLOG_LANE);
	flip(&b, b.position[11] + 70);
	while ((code = blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view)) == 1)
		next++;
	UNIT_EQUAL(code, ERR_CORRUPT);
	UNIT_EQUAL(next, 11);
	UNIT_EQUAL(position, b.position[11]);
	UNIT_EQUAL(blocklog_reader_at(b.reader, BLOCKLOG_LANE, b.position[11], end, &view),
		   ERR_CORRUPT);
	UNIT_EQUAL(blocklog_reader_at(b.reader, BLOCKLOG_LANE, b.position[12], end, &view), 0);
	position = b.position[12];
	UNIT_EQUAL(blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view), 1);
	check_view(&b, &view, 12);
	beside_end(&b);
}

static void offline_it_finds_the_end_and_the_safety_record_itself(void)
{
	struct beside b;
	struct blocklog_view view;
	uint64_t end, torn;

	beside_start(&b);
	for (uint64_t i = 0; i < 30; i++)
		append(&b, BLOCKLOG_LANE);
	append(&b, BLOCKLOG_SAFETY);
	UNIT_EQUAL(blocklog_reader_tail(b.reader, BLOCKLOG_LANE, &end, &torn), 0);
	UNIT_EQUAL(end, blocklog_store_durable_end(b.store, BLOCKLOG_LANE));
	UNIT_EQUAL(torn, 0);
	UNIT_EQUAL(blocklog_reader_tail(b.reader, BLOCKLOG_BLOCK, &end, &torn), 0);
	UNIT_EQUAL(end, 0);
	UNIT_EQUAL(blocklog_reader_safety(b.reader, &view), 0);
	UNIT_EQUAL(view.count, record_bytes(30));
	flip(&b, b.position[29] + 1);
	UNIT_EQUAL(blocklog_reader_tail(b.reader, BLOCKLOG_LANE, &end, &torn), ERR_CORRUPT);
	beside_end(&b);
}

/* A power cut between the sectors of the last group: its records are whole, its PAD is not. */
static void offline_a_torn_pad_is_the_end_and_no_damage(void)
{
	struct beside b;
	struct blocklog_view view;
	uint64_t position = 0;
	uint64_t next = 0;
	uint64_t end, torn;
	int code;

	beside_start(&b);
	for (uint64_t i = 0; i < 5; i++)
		append(&b, BLOCKLOG_LANE);
	flip(&b, b.position[4] + blocklog_span(record_bytes(4)) + 1);
	UNIT_EQUAL(blocklog_reader_tail(b.reader, BLOCKLOG_LANE, &end, &torn), 0);
	UNIT_CHECK(torn > 0);
	while ((code = blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view)) == 1)
		check_view(&b, &view, next++);
	UNIT_EQUAL(code, 0);
	UNIT_EQUAL(next, 5);
	UNIT_EQUAL(blocklog_reader_next(b.reader, BLOCKLOG_LANE, &position, end, &view), 0);
	beside_end(&b);
}

static void a_directory_without_a_store_is_refused_with_a_reason(void)
{
	char directory[CONFORMANCE_PATH_BYTES];
	char reason[BLOCKLOG_REASON_BYTES] = "";
	size_t bytes = blocklog_reader_footprint();
	void *memory = malloc(bytes);
	struct blocklog_reader *reader;

	conformance_directory(directory);
	UNIT_EQUAL(blocklog_reader_open(directory, memory, bytes, &reader, reason, sizeof(reason)),
		   ERR_NOT_FOUND);
	UNIT_CHECK(strstr(reason, directory) != NULL);
	UNIT_EQUAL(blocklog_reader_open(directory, memory, bytes - 1, &reader, reason,
					sizeof(reason)),
		   ERR_MEMORY);
	UNIT_EQUAL(chmod(directory, 0755), 0);
	UNIT_EQUAL(blocklog_reader_open(directory, memory, bytes, &reader, reason, sizeof(reason)),
		   ERR_PERMISSION);
	blocklog_reader_close(NULL);
	conformance_clean(directory);
	free(memory);
}

UNIT_SUITE("blocklog_reader", UNIT_TEST(it_follows_a_writer_record_by_record),
	   UNIT_TEST(it_reads_all_from_the_first_record_and_goes_on_from_any_place),
	   UNIT_TEST(it_reads_single_records_between_others),
	   UNIT_TEST(damage_is_reported_at_its_place_and_never_handed_out),
	   UNIT_TEST(offline_it_finds_the_end_and_the_safety_record_itself),
	   UNIT_TEST(offline_a_torn_pad_is_the_end_and_no_damage),
	   UNIT_TEST(a_directory_without_a_store_is_refused_with_a_reason))
