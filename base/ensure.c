#include "base/ensure.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENSURE_TEXT_BYTES_MAX = 512 };

struct ensure_text {
	char bytes[ENSURE_TEXT_BYTES_MAX];
	size_t count;
};

static void ensure_append(struct ensure_text *text, const char *words)
{
	size_t count = strlen(words);
	size_t room = sizeof(text->bytes) - text->count;

	if (count > room)
		count = room;
	memcpy(text->bytes + text->count, words, count);
	text->count += count;
}

static void ensure_append_number(struct ensure_text *text, int number)
{
	char digits[16];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0 && at > 0);
	ensure_append(text, digits + at);
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
	struct ensure_text text = { .count = 0 };

	ensure_append(&text, "ensure failed: ");
	ensure_append(&text, file);
	ensure_append(&text, ":");
	ensure_append_number(&text, line);
	ensure_append(&text, ": ");
	ensure_append(&text, condition);
	ensure_append(&text, "\n");
	/* One write, so that lines of several processes do not mix; its failure changes nothing. */
	ssize_t written = write(STDERR_FILENO, text.bytes, text.count);

	(void)written;
	abort();
}
