#define _GNU_SOURCE
#include "mgmt/mgmt_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

/* Makes room for `count` more bytes and the final zero. */
static bool mgmt_text_grow(struct mgmt_text *text, size_t count)
{
	size_t needed = text->count + count + 1;
	size_t room = text->room ? text->room : 256;

	if (text->failed || count > MGMT_TEXT_BYTES_MAX || needed > MGMT_TEXT_BYTES_MAX) {
		text->failed = true;
		return false;
	}
	if (needed <= text->room)
		return true;
	while (room < needed)
		room *= 2;
	char *bytes = realloc(text->bytes, room);

	if (!bytes) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

void mgmt_text_put(struct mgmt_text *text, const char *bytes, size_t count)
{
	if (!mgmt_text_grow(text, count))
		return;
	memcpy(text->bytes + text->count, bytes, count);
	text->count += count;
	text->bytes[text->count] = '\0';
}

void mgmt_text_string(struct mgmt_text *text, const char *string)
{
	mgmt_text_put(text, string, strlen(string));
}

void mgmt_text_vprint(struct mgmt_text *text, const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);
	int count = vsnprintf(NULL, 0, format, arguments);

	if (count < 0)
		text->failed = true;
	else if (mgmt_text_grow(text, (size_t)count))
		text->count += (size_t)vsnprintf(text->bytes + text->count,
						 text->room - text->count, format, again);
	va_end(again);
}

void mgmt_text_print(struct mgmt_text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	mgmt_text_vprint(text, format, arguments);
	va_end(arguments);
}

void mgmt_text_clear(struct mgmt_text *text)
{
	text->count = 0;
	text->failed = false;
	if (text->bytes)
		text->bytes[0] = '\0';
}

const char *mgmt_text_of(const struct mgmt_text *text)
{
	return text->bytes ? text->bytes : "";
}

char *mgmt_text_take(struct mgmt_text *text, size_t *ret_count)
{
	char *bytes = NULL;

	mgmt_text_put(text, "", 0);
	if (!text->failed) {
		bytes = text->bytes;
		*ret_count = text->count;
		text->bytes = NULL;
	}
	mgmt_text_fini(text);
	return bytes;
}

void mgmt_text_fini(struct mgmt_text *text)
{
	free(text->bytes);
	*text = (struct mgmt_text){ 0 };
}

static int mgmt_text_read(int file, size_t bytes_max, struct mgmt_text *text)
{
	char bytes[4096];
	ssize_t count;

	while ((count = read(file, bytes, sizeof(bytes))) != 0) {
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		mgmt_text_put(text, bytes, (size_t)count);
		if (text->count > bytes_max)
			return ERR_OVERSIZE;
	}
	mgmt_text_put(text, "", 0);
	return text->failed ? ERR_MEMORY : 0;
}

int mgmt_text_read_file(const char *path, size_t bytes_max, struct mgmt_text *ret_text)
{
	struct mgmt_text text = { 0 };
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return -errno;
	int result = mgmt_text_read(file, bytes_max, &text);

	close(file);
	if (result != 0) {
		mgmt_text_fini(&text);
		return result;
	}
	*ret_text = text;
	return 0;
}

static int mgmt_write_all(int file, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t written = write(file, bytes, count);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			count -= (size_t)written;
		}
	}
	return fsync(file) == 0 ? 0 : -errno;
}

/* Gives the finished file its name. link() refuses an existing one where rename() would not. */
static int mgmt_put_in_place(const char *path_new, const char *path, bool is_new)
{
	if (!is_new)
		return rename(path_new, path) == 0 ? 0 : -errno;
	if (link(path_new, path) != 0)
		return -errno;
	return unlink(path_new) == 0 ? 0 : -errno;
}

int mgmt_text_write_file(const char *path, const void *bytes, size_t count, unsigned int mode,
			 bool is_new)
{
	char path_new[4096];
	int length = snprintf(path_new, sizeof(path_new), "%s.%ld.new", path, (long)getpid());

	if (length < 0 || (size_t)length >= sizeof(path_new))
		return -ENAMETOOLONG;
	int file = open(path_new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (file < 0)
		return -errno;
	int result = mgmt_write_all(file, bytes, count);

	close(file);
	if (result == 0)
		result = mgmt_put_in_place(path_new, path, is_new);
	if (result != 0)
		unlink(path_new);
	return result;
}
