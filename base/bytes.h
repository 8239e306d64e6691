/*
 * bytes: bounded cursors over a byte range, little-endian.
 *
 * A reader never reads past its end and a writer never writes past its end.
 * The first overrun makes the cursor `failed`; later calls return zero or do
 * nothing, so a decoder checks once, at its end. A writer that failed has
 * written nothing beyond its end.
 */
#ifndef QUORATE_BASE_BYTES_H
#define QUORATE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct bytes_writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

static inline struct bytes_reader bytes_reader_of(const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	return (struct bytes_reader){ .at = at, .end = at + count };
}

static inline struct bytes_writer bytes_writer_of(void *bytes, size_t count)
{
	uint8_t *at = bytes;

	return (struct bytes_writer){ .start = at, .at = at, .end = at + count };
}

static inline size_t bytes_left(const struct bytes_reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline size_t bytes_written(const struct bytes_writer *w)
{
	return (size_t)(w->at - w->start);
}

/* True when everything was read and nothing overran: what a total decoder asks last. */
static inline bool bytes_done(const struct bytes_reader *r)
{
	return !r->failed && r->at == r->end;
}

/* Returns `count` bytes in place and steps over them, or NULL (and fails) if too few are left. */
static inline const uint8_t *bytes_take(struct bytes_reader *r, size_t count)
{
	const uint8_t *at = r->at;

	if (r->failed || bytes_left(r) < count) {
		r->failed = true;
		return NULL;
	}
	r->at += count;
	return at;
}

static inline void bytes_get(struct bytes_reader *r, void *ret_bytes, size_t count)
{
	const uint8_t *at = bytes_take(r, count);

	if (at)
		memcpy(ret_bytes, at, count);
	else
		memset(ret_bytes, 0, count);
}

static inline uint8_t bytes_get_u8(struct bytes_reader *r)
{
	const uint8_t *at = bytes_take(r, 1);

	return at ? at[0] : 0;
}

static inline uint16_t bytes_get_u16(struct bytes_reader *r)
{
	const uint8_t *at = bytes_take(r, 2);

	return at ? (uint16_t)((uint32_t)at[0] | (uint32_t)at[1] << 8) : 0;
}

static inline uint32_t bytes_get_u32(struct bytes_reader *r)
{
	uint32_t low = bytes_get_u16(r);

	return low | (uint32_t)bytes_get_u16(r) << 16;
}

static inline uint64_t bytes_get_u64(struct bytes_reader *r)
{
	uint64_t low = bytes_get_u32(r);

	return low | (uint64_t)bytes_get_u32(r) << 32;
}

/* Returns room for `count` bytes and steps over it, or NULL (and fails) if too few are left. */
static inline uint8_t *bytes_room(struct bytes_writer *w, size_t count)
{
	uint8_t *at = w->at;

	if (w->failed || (size_t)(w->end - w->at) < count) {
		w->failed = true;
		return NULL;
	}
	w->at += count;
	return at;
}

static inline void bytes_put(struct bytes_writer *w, const void *bytes, size_t count)
{
	if (w->failed || (size_t)(w->end - w->at) < count) {
		w->failed = true;
		return;
	}
	if (count)
		memcpy(w->at, bytes, count);
	w->at += count;
}

static inline void bytes_put_u8(struct bytes_writer *w, uint8_t value)
{
	bytes_put(w, &value, 1);
}

static inline void bytes_put_u16(struct bytes_writer *w, uint16_t value)
{
	uint8_t *at = bytes_room(w, 2);

	if (at) {
		at[0] = (uint8_t)value;
		at[1] = (uint8_t)(value >> 8);
	}
}

static inline void bytes_put_u32(struct bytes_writer *w, uint32_t value)
{
	uint8_t *at = bytes_room(w, 4);

	for (int i = 0; at && i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static inline void bytes_put_u64(struct bytes_writer *w, uint64_t value)
{
	uint8_t *at = bytes_room(w, 8);

	for (int i = 0; at && i < 8; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

#endif
