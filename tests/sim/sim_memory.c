#include "tests/sim/sim_memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { PIECES_MAX = 1024, PAGE = 4096 };

struct piece {
	void *memory;
	size_t bytes;
	bool is_dirty;
	bool is_free;
};

static struct piece pieces[PIECES_MAX];
static size_t piece_count;

/* Powers of two, so that a piece fits again although seeds differ in their sizes. */
static size_t rounded(size_t bytes)
{
	size_t size = PAGE;

	while (size < bytes)
		size *= 2;
	return size;
}

static void *take(size_t bytes, bool is_dirty)
{
	struct piece *piece;

	for (size_t i = 0; i < piece_count; i++) {
		piece = &pieces[i];
		if (!piece->is_free || piece->is_dirty != is_dirty ||
		    piece->bytes != rounded(bytes))
			continue;
		piece->is_free = false;
		return piece->memory;
	}
	ensure(piece_count < PIECES_MAX);
	piece = &pieces[piece_count++];
	*piece = (struct piece){
		.memory = aligned_alloc(PAGE, rounded(bytes)),
		.bytes = rounded(bytes),
		.is_dirty = is_dirty,
	};
	ensure(piece->memory);
	if (!is_dirty)
		memset(piece->memory, 0, piece->bytes);
	return piece->memory;
}

static void give(void *memory, size_t bytes, bool is_dirty)
{
	for (size_t i = 0; memory && i < piece_count; i++) {
		if (pieces[i].memory != memory)
			continue;
		ensure(pieces[i].bytes == rounded(bytes) && pieces[i].is_dirty == is_dirty &&
		       !pieces[i].is_free);
		pieces[i].is_free = true;
		return;
	}
	ensure(!memory);
}

void *sim_memory_take(size_t bytes)
{
	return take(bytes, false);
}

void *sim_memory_take_dirty(size_t bytes)
{
	return take(bytes, true);
}

void sim_memory_give(void *memory, size_t bytes)
{
	give(memory, bytes, false);
}

void sim_memory_give_dirty(void *memory, size_t bytes)
{
	give(memory, bytes, true);
}
