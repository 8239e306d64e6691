/* The one line an operator reads when a store is refused. */

#include "storage/blocklog_store_impl.h"

#include <string.h>

#include "base/err.h"

struct line {
	char *at;
	size_t left; /* without the final zero */
};

static void put_char(struct line *line, char c)
{
	if (line->left == 0)
		return;
	*line->at++ = c;
	line->left--;
}

static void put_text(struct line *line, const char *text)
{
	while (*text)
		put_char(line, *text++);
}

static void put_u64(struct line *line, uint64_t value)
{
	char digits[20];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	while (count > 0)
		put_char(line, digits[--count]);
}

static void put_identity(struct line *line, const struct blocklog_identity *identity)
{
	static const char hex[] = "0123456789abcdef";

	put_text(line, "node ");
	put_u64(line, identity->node_id);
	put_text(line, " of chain ");
	for (uint32_t i = 0; i < 4; i++) {
		put_char(line, hex[identity->chain_id.b[i] >> 4]);
		put_char(line, hex[identity->chain_id.b[i] & 15]);
	}
}

static const char *log_name(enum blocklog_log log)
{
	static const char *const names[BLOCKLOG_LOG_COUNT] = { "safety log", "lane log",
							       "block log" };

	return names[log];
}

static void put_corrupt(struct line *line, const struct blocklog_refusal *refusal)
{
	if (refusal->log == BLOCKLOG_SAFETY) {
		put_text(line, "no copy of the superblock is whole: restore the store from a copy, "
			       "or start this node again with a new key");
		return;
	}
	put_text(line, "the ");
	put_text(line, log_name(refusal->log));
	put_text(line, " is damaged at position ");
	put_u64(line, refusal->position);
	put_text(line, " and was not cut: check the disk, then restore or rebuild from peers");
}

void blocklog_store_reason(const void *memory, int code, char *ret_text, size_t text_bytes)
{
	struct line line = { ret_text, text_bytes - 1 };
	const struct blocklog_store *store = blocklog_store_at(memory);

	switch (code) {
	case ERR_MEMORY:
		put_text(&line, "the memory given to the store is too small: use blocklog_store_"
				"footprint()");
		break;
	case ERR_DUPLICATE:
		put_text(&line,
			 "the directory already holds a store or parts of one: choose an empty "
			 "directory, or move the old store away");
		break;
	case ERR_NOT_FOUND:
		put_text(&line, "there is no store: run quorate init first");
		break;
	case ERR_NEWER:
		put_text(&line, "the store was written by a newer version: install that version");
		break;
	case ERR_CONFIG:
		put_text(&line,
			 "segment or group size do not fit each other or this store: segments "
			 "are powers of two and larger than a group, groups as at init");
		break;
	case ERR_FOREIGN:
		put_text(&line, "the store belongs to ");
		put_identity(&line, &store->refusal.superblock.identity);
		put_text(&line, ", this is ");
		put_identity(&line, &store->refusal.wanted);
		put_text(&line, ": check the data directory");
		break;
	case ERR_CORRUPT:
		put_corrupt(&line, &store->refusal);
		break;
	default:
		put_text(&line, err_text(code));
		put_text(&line, ": check disk space, permissions and the kernel log");
	}
	*line.at = '\0';
}
