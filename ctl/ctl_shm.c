#define _GNU_SOURCE
#include "ctl/ctl_shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"

static uint64_t ctl_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int ctl_shm_path(const char *run_dir, const char *suffix, char ret_path[CTL_PATH_BYTES])
{
	int count = snprintf(ret_path, CTL_PATH_BYTES, "%s/" CTL_SHM_FILE "%s", run_dir, suffix);

	return count > 0 && count < CTL_PATH_BYTES ? 0 : ERR_OVERSIZE;
}

/* Allocates the file's memory and maps it; a disk that is full says so now, not as a signal. */
static int ctl_shm_map_writable(int file, struct ctl_page **ret_page)
{
	int failure = posix_fallocate(file, 0, sizeof(struct ctl_page));

	if (failure != 0)
		return -failure;
	if (fchmod(file, 0640) != 0)
		return -errno;
	void *page =
		mmap(NULL, sizeof(struct ctl_page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (page == MAP_FAILED)
		return -errno;
	*ret_page = page;
	return 0;
}

int ctl_shm_create(const char *run_dir, struct ctl_page **ret_page)
{
	char path[CTL_PATH_BYTES];
	char path_new[CTL_PATH_BYTES];
	struct ctl_page *page = NULL;

	if (ctl_shm_path(run_dir, "", path) != 0 || ctl_shm_path(run_dir, ".new", path_new) != 0)
		return ERR_OVERSIZE;
	if (unlink(path_new) != 0 && errno != ENOENT)
		return -errno;
	int file = open(path_new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (file < 0)
		return -errno;
	int result = ctl_shm_map_writable(file, &page);

	close(file);
	if (result == 0) {
		uint64_t unix_ns = ctl_clock_ns(CLOCK_REALTIME);

		ctl_metrics_init(page, unix_ns ^ (uint64_t)getpid() << 48,
				 ctl_clock_ns(CLOCK_MONOTONIC), unix_ns, (uint32_t)getpid());
		if (rename(path_new, path) != 0)
			result = -errno;
	}
	if (result != 0) {
		ctl_shm_close(page);
		unlink(path_new);
		return result;
	}
	*ret_page = page;
	return 0;
}

void ctl_shm_close(struct ctl_page *page)
{
	if (page)
		munmap(page, sizeof(*page));
}

static int ctl_shm_check(const struct ctl_page *page)
{
	if (memcmp(page->header.magic, "QCTLPAGE", sizeof(page->header.magic)) != 0)
		return ERR_FORMAT;
	if (page->header.layout_hash != ctl_metrics_layout_hash() ||
	    page->header.page_bytes != sizeof(*page))
		return ERR_UNSUPPORTED;
	return 0;
}

/*
 * A page of another layout has another size, so the magic is looked at in the file, before the
 * size decides whether the rest may be mapped.
 */
static int ctl_shm_map_file(int file, struct ctl_shm_view *ret_view)
{
	struct stat stat;
	char magic[8] = "";

	if (fstat(file, &stat) != 0)
		return -errno;
	if (!S_ISREG(stat.st_mode) || pread(file, magic, sizeof(magic), 0) != sizeof(magic) ||
	    memcmp(magic, "QCTLPAGE", sizeof(magic)) != 0)
		return ERR_FORMAT;
	if ((uint64_t)stat.st_size != sizeof(struct ctl_page))
		return ERR_UNSUPPORTED;
	void *page = mmap(NULL, sizeof(struct ctl_page), PROT_READ, MAP_SHARED, file, 0);

	if (page == MAP_FAILED)
		return -errno;
	int result = ctl_shm_check(page);

	if (result != 0) {
		munmap(page, sizeof(struct ctl_page));
		return result;
	}
	*ret_view =
		(struct ctl_shm_view){ .page = page, .device = stat.st_dev, .inode = stat.st_ino };
	return 0;
}

int ctl_shm_map(const char *run_dir, struct ctl_shm_view *ret_view)
{
	char path[CTL_PATH_BYTES];

	if (ctl_shm_path(run_dir, "", path) != 0)
		return ERR_OVERSIZE;
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (file < 0)
		return -errno;
	int result = ctl_shm_map_file(file, ret_view);

	close(file);
	return result;
}

bool ctl_shm_is_current(const struct ctl_shm_view *view, const char *run_dir)
{
	char path[CTL_PATH_BYTES];
	struct stat at;

	return ctl_shm_path(run_dir, "", path) == 0 && stat(path, &at) == 0 &&
	       at.st_dev == view->device && at.st_ino == view->inode;
}

void ctl_shm_unmap(struct ctl_shm_view *view)
{
	if (view->page)
		munmap((void *)(uintptr_t)view->page, sizeof(struct ctl_page));
	*view = (struct ctl_shm_view){ 0 };
}
