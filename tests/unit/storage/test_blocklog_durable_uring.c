/*
 * What the file device asks of the kernel, and what it makes of the answers: the calls that
 * carry durability are stood in for here, noted down, and spoilt when a test says so.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "storage/blocklog_format.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/dev_conformance.h"

enum { PAGE = BLOCKLOG_PAGE_BYTES, SECTOR = BLOCKLOG_SECTOR_BYTES };

enum spoil { SPOIL_NOTHING, SPOIL_FAIL, SPOIL_SHORT };

/* What the stand-ins saw since forget(), and what they do to the next write. */
static struct {
	uint32_t writes;
	uint32_t durable_writes;
	uint32_t file_syncs;
	uint32_t directory_syncs;
	enum spoil spoil;
} seen;

static void forget(enum spoil spoil)
{
	memset(&seen, 0, sizeof(seen));
	seen.spoil = spoil;
}

static void note_sync(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
		seen.directory_syncs++;
	else
		seen.file_syncs++;
}

/* The C library's own name: found first, so it stands in. */
int fsync(int fd)
{
	note_sync(fd);
	return (int)syscall(SYS_fsync, fd);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	ssize_t (*real)(int, const struct iovec *, int, off_t, int);
	ssize_t written;

	*(void **)&real = dlsym(RTLD_NEXT, "pwritev2");
	written = real(fd, iov, count, offset, flags);
	seen.writes++;
	seen.durable_writes += (flags & RWF_DSYNC) != 0 ? 1 : 0;
	if (seen.spoil == SPOIL_NOTHING || written < 0)
		return written;
	if (seen.spoil == SPOIL_SHORT)
		return written - SECTOR;
	errno = EIO;
	return -1;
}

int io_uring_submit(struct io_uring *ring)
{
	int (*real)(struct io_uring *);

	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &ring->sq.sqes[i & ring->sq.ring_mask];

		if (sqe->opcode == IORING_OP_FSYNC && (sqe->flags & IOSQE_FIXED_FILE) == 0)
			note_sync(sqe->fd);
		if (sqe->opcode != IORING_OP_WRITEV && sqe->opcode != IORING_OP_WRITE_FIXED)
			continue;
		seen.writes++;
		seen.durable_writes += (sqe->rw_flags & RWF_DSYNC) != 0 ? 1 : 0;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit");
	return real(ring);
}

unsigned io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count)
{
	unsigned (*real)(struct io_uring *, struct io_uring_cqe **, unsigned);

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_peek_batch_cqe");
	count = real(ring, cqes, count);
	for (unsigned i = 0; i < count && seen.spoil != SPOIL_NOTHING; i++)
		cqes[i]->res = seen.spoil == SPOIL_FAIL ? -EIO : cqes[i]->res - SECTOR;
	return count;
}

static int write_page(struct blocklog_dev *dev)
{
	uint8_t *page = aligned_alloc(PAGE, PAGE);
	struct blocklog_extent extent = { page, PAGE };
	struct blocklog_io io = {
		.kind = BLOCKLOG_IO_WRITE,
		.queue = BLOCKLOG_QUEUE_SAFETY,
		.area = BLOCKLOG_AREA_SAFETY,
		.extents = &extent,
		.extent_count = 1,
		.tag = 7,
	};
	int code;

	memset(page, 1, PAGE);
	code = conformance_io(dev, &io);
	free(page);
	return code;
}

static void writes_once(bool avoid_uring, enum spoil spoil, int expected)
{
	struct conformance c;

	conformance_start(&c, avoid_uring);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_SAFETY, 0, PAGE), 0);
	forget(spoil);
	UNIT_EQUAL(write_page(c.dev), expected);
	UNIT_EQUAL(seen.writes, 1);
	UNIT_EQUAL(seen.durable_writes, 1);
	forget(SPOIL_NOTHING);
	conformance_end(&c);
}

static void a_write_of_the_ring_asks_to_be_durable(void)
{
	writes_once(false, SPOIL_NOTHING, 0);
}

static void a_write_of_a_helper_thread_asks_to_be_durable(void)
{
	writes_once(true, SPOIL_NOTHING, 0);
}

static void a_failed_write_of_the_ring_is_reported(void)
{
	writes_once(false, SPOIL_FAIL, -EIO);
}

static void a_failed_write_of_a_helper_thread_is_reported(void)
{
	writes_once(true, SPOIL_FAIL, -EIO);
}

static void a_short_write_of_the_ring_is_a_failed_one(void)
{
	writes_once(false, SPOIL_SHORT, -EIO);
}

static void a_short_write_of_a_helper_thread_is_a_failed_one(void)
{
	writes_once(true, SPOIL_SHORT, -EIO);
}

static void creates_durably(bool avoid_uring)
{
	struct conformance c;

	conformance_start(&c, avoid_uring);
	forget(SPOIL_NOTHING);
	UNIT_EQUAL(conformance_create(c.dev, BLOCKLOG_AREA_LANE, 0, PAGE), 0);
	UNIT_EQUAL(seen.file_syncs, 1);
	UNIT_EQUAL(seen.directory_syncs, 1);
	conformance_end(&c);
}

static void a_segment_made_by_the_ring_is_durable_with_its_entry(void)
{
	creates_durably(false);
}

static void a_segment_made_by_a_helper_thread_is_durable_with_its_entry(void)
{
	creates_durably(true);
}

UNIT_SUITE("blocklog_durable_uring", UNIT_TEST(a_write_of_the_ring_asks_to_be_durable),
	   UNIT_TEST(a_write_of_a_helper_thread_asks_to_be_durable),
	   UNIT_TEST(a_failed_write_of_the_ring_is_reported),
	   UNIT_TEST(a_failed_write_of_a_helper_thread_is_reported),
	   UNIT_TEST(a_short_write_of_the_ring_is_a_failed_one),
	   UNIT_TEST(a_short_write_of_a_helper_thread_is_a_failed_one),
	   UNIT_TEST(a_segment_made_by_the_ring_is_durable_with_its_entry),
	   UNIT_TEST(a_segment_made_by_a_helper_thread_is_durable_with_its_entry))
