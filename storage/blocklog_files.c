#define _GNU_SOURCE
#include "storage/blocklog_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "storage/blocklog_store.h"

enum { MODE_OTHERS = S_IRWXG | S_IRWXO };

static const char *const area_names[BLOCKLOG_AREA_COUNT] = { "superblock", "safety", "lane",
							     "block" };
static const char new_suffix[] = ".new";

static bool area_has_segments(enum blocklog_area area)
{
	return area == BLOCKLOG_AREA_LANE || area == BLOCKLOG_AREA_BLOCK;
}

void blocklog_files_name(enum blocklog_area area, uint64_t segment, bool is_new,
			 char ret_name[BLOCKLOG_FILES_NAME_BYTES])
{
	const char *suffix = is_new ? new_suffix : "";
	int count;

	if (area_has_segments(area))
		count = snprintf(ret_name, BLOCKLOG_FILES_NAME_BYTES, "%s-%08llu.log%s",
				 area_names[area], (unsigned long long)segment, suffix);
	else
		count = snprintf(ret_name, BLOCKLOG_FILES_NAME_BYTES, "%s%s", area_names[area],
				 suffix);
	ensure(count > 0 && count < BLOCKLOG_FILES_NAME_BYTES);
}

/* ---- opening the directory ---- */

static int refuse(int code, char *ret_reason, size_t reason_bytes, const char *directory,
		  const char *text)
{
	(void)snprintf(ret_reason, reason_bytes, "%s: %s", directory, text);
	return code;
}

static int refuse_errno(int code, char *ret_reason, size_t reason_bytes, const char *directory,
			const char *what)
{
	(void)snprintf(ret_reason, reason_bytes, "%s: cannot %s: %s: check path, owner and space",
		       directory, what, strerror(-code));
	return code;
}

/* The entry of a new directory is durable only with its parent. */
static int make_directory_durable(const char *directory)
{
	int parent;
	int code = 0;

	if (mkdir(directory, S_IRWXU) != 0)
		return errno == EEXIST ? 0 : -errno;
	parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -errno;
	int above = openat(parent, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0 || fsync(above) != 0)
		code = -errno;
	if (above >= 0)
		(void)close(above);
	(void)close(parent);
	return code;
}

static int check_owner(int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return -errno;
	return status.st_uid == geteuid() && (status.st_mode & MODE_OTHERS) == 0 ? 0 :
										   ERR_PERMISSION;
}

static int open_directory(struct blocklog_files *files, const char *directory, char *ret_reason,
			  size_t reason_bytes)
{
	int code;

	files->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->directory_fd < 0)
		return refuse_errno(-errno, ret_reason, reason_bytes, directory, "open it");
	code = check_owner(files->directory_fd);
	if (code == ERR_PERMISSION)
		return refuse(code, ret_reason, reason_bytes, directory,
			      "others may enter, or it is not ours: chown it to this user and "
			      "chmod 700");
	return code == 0 ? 0 : refuse_errno(code, ret_reason, reason_bytes, directory, "check it");
}

static int lock_directory(struct blocklog_files *files, const char *directory, char *ret_reason,
			  size_t reason_bytes)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char pid[24] = "unknown";
	ssize_t count;

	files->lock_fd = openat(files->directory_fd, "lock",
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	if (files->lock_fd < 0)
		return refuse_errno(-errno, ret_reason, reason_bytes, directory, "open its lock");
	if (fcntl(files->lock_fd, F_OFD_SETLK, &lock) == 0) {
		int digits = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

		if (ftruncate(files->lock_fd, 0) != 0 ||
		    pwrite(files->lock_fd, pid, (size_t)digits, 0) != digits)
			return refuse_errno(-errno, ret_reason, reason_bytes, directory,
					    "write its lock");
		return 0;
	}
	if (errno != EAGAIN && errno != EACCES)
		return refuse_errno(-errno, ret_reason, reason_bytes, directory, "lock it");
	count = pread(files->lock_fd, pid, sizeof(pid) - 1, 0);
	pid[count > 0 ? count : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	(void)snprintf(
		ret_reason, reason_bytes,
		"%s: in use by process %s: stop that node first, or choose another directory",
		directory, pid[0] ? pid : "unknown");
	return ERR_BUSY;
}

/* A file system that cannot do O_DIRECT says so when the lock file is opened with it. */
static bool supports_direct(const struct blocklog_files *files, const char *name)
{
	int fd = openat(files->directory_fd, name, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static int remove_unfinished(struct blocklog_files *files)
{
	int fd = openat(files->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!listing)
		return -errno;
	while ((entry = readdir(listing)) != NULL) {
		size_t count = strlen(entry->d_name);
		size_t suffix = sizeof(new_suffix) - 1;

		if (count > suffix && strcmp(entry->d_name + count - suffix, new_suffix) == 0)
			(void)unlinkat(files->directory_fd, entry->d_name, 0);
	}
	(void)closedir(listing);
	return 0;
}

static void files_reset(struct blocklog_files *files)
{
	memset(files, 0, sizeof(*files));
	files->directory_fd = -1;
	files->lock_fd = -1;
	for (uint32_t i = 0; i < BLOCKLOG_FILES_OPEN_MAX; i++)
		files->slots[i].fd = -1;
}

int blocklog_files_open(struct blocklog_files *files, const char *directory, bool make_directory,
			bool allow_buffered, char *ret_reason, size_t reason_bytes)
{
	int code = 0;

	files_reset(files);
	if (make_directory)
		code = make_directory_durable(directory);
	if (code != 0)
		return refuse_errno(code, ret_reason, reason_bytes, directory, "make it");
	code = open_directory(files, directory, ret_reason, reason_bytes);
	if (code == 0)
		code = lock_directory(files, directory, ret_reason, reason_bytes);
	if (code != 0)
		return code;
	files->is_direct = supports_direct(files, "lock");
	if (!files->is_direct && !allow_buffered)
		return refuse(ERR_UNSUPPORTED, ret_reason, reason_bytes, directory,
			      "its file system refuses O_DIRECT: use ext4 or xfs on a disk, or "
			      "allow_buffered in a lab");
	code = remove_unfinished(files);
	if (code != 0)
		return refuse_errno(code, ret_reason, reason_bytes, directory, "list it");
	files->zeros = aligned_alloc(BLOCKLOG_PAGE_BYTES, BLOCKLOG_FILES_PIECE_BYTES);
	if (!files->zeros)
		return refuse(ERR_MEMORY, ret_reason, reason_bytes, directory, "not enough memory");
	memset(files->zeros, 0, BLOCKLOG_FILES_PIECE_BYTES);
	return 0;
}

int blocklog_files_open_reader(struct blocklog_files *files, const char *directory,
			       char *ret_reason, size_t reason_bytes)
{
	int code;

	files_reset(files);
	files->is_read_only = true;
	code = open_directory(files, directory, ret_reason, reason_bytes);
	if (code == 0)
		files->is_direct = supports_direct(files, area_names[BLOCKLOG_AREA_SUPER]);
	return code;
}

void blocklog_files_close(struct blocklog_files *files)
{
	for (uint32_t i = 0; i < BLOCKLOG_FILES_OPEN_MAX; i++)
		if (files->slots[i].fd >= 0)
			(void)close(files->slots[i].fd);
	if (files->lock_fd >= 0)
		(void)close(files->lock_fd);
	if (files->directory_fd >= 0)
		(void)close(files->directory_fd);
	free(files->zeros);
	files_reset(files);
}

/* ---- what is there ---- */

/* Returns true and the number when `name` is exactly the name of a segment of `area`. */
static bool segment_of_name(enum blocklog_area area, const char *name, uint64_t *ret_segment)
{
	char wanted[BLOCKLOG_FILES_NAME_BYTES];
	size_t prefix = strlen(area_names[area]);
	uint64_t segment = 0;

	if (strncmp(name, area_names[area], prefix) != 0)
		return false;
	if (area_has_segments(area)) {
		if (name[prefix] != '-')
			return false;
		segment = strtoull(name + prefix + 1, NULL, 10);
	}
	blocklog_files_name(area, segment, false, wanted);
	if (strcmp(name, wanted) != 0)
		return false;
	*ret_segment = segment;
	return true;
}

int blocklog_files_census(struct blocklog_files *files, enum blocklog_area area,
			  uint64_t *ret_first, uint64_t *ret_end)
{
	int fd = openat(files->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t first = UINT64_MAX;
	uint64_t end = 0;
	uint64_t count = 0;
	uint64_t segment;

	if (!listing)
		return -errno;
	while ((entry = readdir(listing)) != NULL) {
		if (!segment_of_name(area, entry->d_name, &segment))
			continue;
		first = segment < first ? segment : first;
		end = segment + 1 > end ? segment + 1 : end;
		count++;
	}
	(void)closedir(listing);
	if (count == 0)
		return ERR_NOT_FOUND;
	if (end - first != count)
		return ERR_CORRUPT;
	*ret_first = first;
	*ret_end = end;
	return 0;
}

/* ---- descriptors ---- */

static struct blocklog_file_slot *slot_idle(struct blocklog_files *files)
{
	struct blocklog_file_slot *oldest = NULL;

	for (uint32_t i = 0; i < BLOCKLOG_FILES_OPEN_MAX; i++) {
		struct blocklog_file_slot *slot = &files->slots[i];

		if (slot->fd < 0)
			return slot;
		if (slot->users == 0 && (!oldest || slot->used_at < oldest->used_at))
			oldest = slot;
	}
	return oldest;
}

static int open_file(const struct blocklog_files *files, enum blocklog_area area, uint64_t segment)
{
	char name[BLOCKLOG_FILES_NAME_BYTES];
	int flags = (files->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW;
	int fd;
	int code;

	blocklog_files_name(area, segment, false, name);
	fd = openat(files->directory_fd, name, flags | (files->is_direct ? O_DIRECT : 0));
	if (fd < 0)
		return -errno;
	code = check_owner(fd);
	if (code != 0) {
		(void)close(fd);
		return code;
	}
	return fd;
}

int blocklog_files_take(struct blocklog_files *files, enum blocklog_area area, uint64_t segment,
			bool *ret_is_opened)
{
	struct blocklog_file_slot *slot;
	int fd;

	for (uint32_t i = 0; i < BLOCKLOG_FILES_OPEN_MAX; i++) {
		slot = &files->slots[i];
		if (slot->fd < 0 || slot->area != area || slot->segment != segment)
			continue;
		slot->users++;
		slot->used_at = ++files->uses;
		*ret_is_opened = false;
		return (int)i;
	}
	fd = open_file(files, area, segment);
	if (fd < 0)
		return fd;
	slot = slot_idle(files);
	ensure(slot != NULL);
	if (slot->fd >= 0)
		(void)close(slot->fd);
	*slot = (struct blocklog_file_slot){
		.fd = fd,
		.area = area,
		.segment = segment,
		.users = 1,
		.used_at = ++files->uses,
	};
	*ret_is_opened = true;
	return (int)(slot - files->slots);
}

void blocklog_files_give(struct blocklog_files *files, uint32_t slot)
{
	ensure(slot < BLOCKLOG_FILES_OPEN_MAX && files->slots[slot].users > 0);
	files->slots[slot].users--;
}

/* ---- creation and removal ---- */

int blocklog_files_begin(struct blocklog_files *files, enum blocklog_area area, uint64_t segment)
{
	char name[BLOCKLOG_FILES_NAME_BYTES];
	int fd;

	blocklog_files_name(area, segment, false, name);
	if (faccessat(files->directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	blocklog_files_name(area, segment, true, name);
	(void)unlinkat(files->directory_fd, name, 0);
	fd = openat(files->directory_fd, name,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW |
			    (files->is_direct ? O_DIRECT : 0),
		    S_IRUSR | S_IWUSR);
	return fd < 0 ? -errno : fd;
}

void blocklog_files_abandon(struct blocklog_files *files, enum blocklog_area area, uint64_t segment)
{
	char name[BLOCKLOG_FILES_NAME_BYTES];

	blocklog_files_name(area, segment, true, name);
	(void)unlinkat(files->directory_fd, name, 0);
}

static int write_zeros(const struct blocklog_files *files, int fd, uint64_t bytes)
{
	int code = posix_fallocate(fd, 0, (off_t)bytes);

	if (code != 0)
		return -code;
	for (uint64_t at = 0; at < bytes;) {
		uint64_t left = bytes - at;
		size_t piece = left < BLOCKLOG_FILES_PIECE_BYTES ? (size_t)left :
								   BLOCKLOG_FILES_PIECE_BYTES;
		ssize_t count = pwrite(fd, files->zeros, piece, (off_t)at);

		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		at += (uint64_t)count;
	}
	return fsync(fd) != 0 ? -errno : 0;
}

int blocklog_files_create(struct blocklog_files *files, enum blocklog_area area, uint64_t segment,
			  uint64_t bytes)
{
	char from[BLOCKLOG_FILES_NAME_BYTES];
	char to[BLOCKLOG_FILES_NAME_BYTES];
	int fd = blocklog_files_begin(files, area, segment);
	int code;

	if (fd < 0)
		return fd;
	code = write_zeros(files, fd, bytes);
	(void)close(fd);
	blocklog_files_name(area, segment, true, from);
	blocklog_files_name(area, segment, false, to);
	if (code == 0 && renameat(files->directory_fd, from, files->directory_fd, to) != 0)
		code = -errno;
	if (code == 0 && fsync(files->directory_fd) != 0)
		code = -errno;
	if (code != 0)
		blocklog_files_abandon(files, area, segment);
	return code;
}

int blocklog_files_remove(struct blocklog_files *files, enum blocklog_area area, uint64_t segment)
{
	char name[BLOCKLOG_FILES_NAME_BYTES];

	for (uint32_t i = 0; i < BLOCKLOG_FILES_OPEN_MAX; i++) {
		struct blocklog_file_slot *slot = &files->slots[i];

		if (slot->fd < 0 || slot->area != area || slot->segment != segment)
			continue;
		ensure(slot->users == 0);
		(void)close(slot->fd);
		slot->fd = -1;
	}
	blocklog_files_name(area, segment, false, name);
	if (unlinkat(files->directory_fd, name, 0) != 0 || fsync(files->directory_fd) != 0)
		return -errno;
	return 0;
}
