/*
 * mgmt_text: a text that grows while it is written, up to a limit.
 *
 * The first failure (no memory, limit reached) sticks: later writes do nothing,
 * so a caller checks once, at the end. The bytes always end with a zero byte.
 *
 * Memory   `bytes` belongs to the text until mgmt_text_fini() or mgmt_text_take().
 */
#ifndef QUORATE_MGMT_TEXT_H
#define QUORATE_MGMT_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum { MGMT_TEXT_BYTES_MAX = 16 << 20 };

struct mgmt_text {
	char *bytes; /* NULL while empty */
	size_t count;
	size_t room;
	bool failed;
};

void mgmt_text_put(struct mgmt_text *text, const char *bytes, size_t count);
void mgmt_text_string(struct mgmt_text *text, const char *string);
void mgmt_text_print(struct mgmt_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void mgmt_text_vprint(struct mgmt_text *text, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Empties the text and keeps its room. */
void mgmt_text_clear(struct mgmt_text *text);

/* Returns the text so far, "" when empty. */
const char *mgmt_text_of(const struct mgmt_text *text);

/* Hands the bytes (to be freed by the caller; NULL if the text failed) out and empties the text. */
char *mgmt_text_take(struct mgmt_text *text, size_t *ret_count);

void mgmt_text_fini(struct mgmt_text *text);

/* Reads a whole file of at most `bytes_max`. Returns 0, ERR_OVERSIZE, ERR_MEMORY or -errno. */
int mgmt_text_read_file(const char *path, size_t bytes_max, struct mgmt_text *ret_text);

/*
 * Writes `path` so that it holds all of the bytes or does not change: a new file beside it, synced,
 * then renamed; with `is_new`, -EEXIST if there is one. Returns 0 or -errno.
 */
int mgmt_text_write_file(const char *path, const void *bytes, size_t count, unsigned int mode,
			 bool is_new);

#endif
