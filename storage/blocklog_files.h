/*
 * blocklog_files: the directory below the file device and the reader: names, lock,
 * modes, descriptors. Private to storage. Blocking; one owner.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_FILES_H
#define QUORATE_STORAGE_BLOCKLOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/blocklog_dev.h"

enum {
	BLOCKLOG_FILES_OPEN_MAX = 80, /* descriptors kept; more than all queues together */
	BLOCKLOG_FILES_NAME_BYTES = 48,
	BLOCKLOG_FILES_PIECE_BYTES = 512 * 1024, /* zeros written at once */
};

struct blocklog_file_slot {
	int fd; /* -1: empty */
	enum blocklog_area area;
	uint64_t segment;
	uint32_t users;
	uint64_t used_at;
};

struct blocklog_files {
	int directory_fd;
	int lock_fd; /* -1: a reader */
	bool is_direct;
	bool is_read_only;
	uint64_t uses;
	void *zeros; /* BLOCKLOG_FILES_PIECE_BYTES, page-aligned; NULL for a reader */
	struct blocklog_file_slot slots[BLOCKLOG_FILES_OPEN_MAX];
};

/* Opens, checks and locks; also removes what an interrupted creation left. */
int blocklog_files_open(struct blocklog_files *files, const char *directory, bool make_directory,
			bool allow_buffered, char *ret_reason, size_t reason_bytes);

/* For reading beside a running node: no lock, nothing written. */
int blocklog_files_open_reader(struct blocklog_files *files, const char *directory,
			       char *ret_reason, size_t reason_bytes);
void blocklog_files_close(struct blocklog_files *files);

void blocklog_files_name(enum blocklog_area area, uint64_t segment, bool is_new,
			 char ret_name[BLOCKLOG_FILES_NAME_BYTES]);

int blocklog_files_census(struct blocklog_files *files, enum blocklog_area area,
			  uint64_t *ret_first, uint64_t *ret_end);

/*
 * Takes the descriptor of a file, opening it if need be (`ret_is_opened`). Returns its
 * slot or a negative code. Given back, it stays open until its slot is needed.
 */
int blocklog_files_take(struct blocklog_files *files, enum blocklog_area area, uint64_t segment,
			bool *ret_is_opened);
void blocklog_files_give(struct blocklog_files *files, uint32_t slot);

/* Opens a new file under its `.new` name; -EEXIST when the final one is there. Returns the fd. */
int blocklog_files_begin(struct blocklog_files *files, enum blocklog_area area, uint64_t segment);

/* Removes a `.new` file again. */
void blocklog_files_abandon(struct blocklog_files *files, enum blocklog_area area,
			    uint64_t segment);

/* The whole creation, blocking: begin, zeros, sync, rename, sync of the directory. */
int blocklog_files_create(struct blocklog_files *files, enum blocklog_area area, uint64_t segment,
			  uint64_t bytes);
int blocklog_files_remove(struct blocklog_files *files, enum blocklog_area area, uint64_t segment);

#endif
