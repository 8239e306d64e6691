#define _GNU_SOURCE
#include "tests/sim/sim_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/ensure.h"

enum {
	PIECES_MAX = 1024,
	PAGE = 4096,
	SLAB_BYTES = 4 << 20,
	SMALL_SHIFT = 4, /* sizes are multiples of 16 up to 128, then 5, 6, 7, 8 times a power */
	CLASSES = 8 * 20,
};

#if defined(__SANITIZE_ADDRESS__)
enum { IS_WATCHED = 1 };
#elif defined(__has_feature)
enum { IS_WATCHED = __has_feature(address_sanitizer) };
#else
enum { IS_WATCHED = 0 };
#endif

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

/* Zeros that cost nothing until they are touched. */
static void *allocate_zero(size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ensure(memory != MAP_FAILED);
	return memory;
}

static void *allocate_dirty(size_t bytes)
{
	void *memory = aligned_alloc(PAGE, bytes);

	ensure(memory);
	return memory;
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
		.memory = is_dirty ? allocate_dirty(rounded(bytes)) : allocate_zero(rounded(bytes)),
		.bytes = rounded(bytes),
		.is_dirty = is_dirty,
	};
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

/* ---- small pieces ---- */

/* In front of every small piece; 16 bytes, so that what follows is aligned for anything. */
struct small {
	uint64_t class;
	struct small *next; /* while it is free */
};

static struct small *smalls[CLASSES];
static uint8_t *slab;
static size_t slab_left;

static uint32_t class_of(size_t bytes, size_t *ret_bytes)
{
	uint32_t shift = SMALL_SHIFT;
	size_t parts;

	while (bytes > (size_t)8 << shift)
		shift++;
	parts = (bytes + ((size_t)1 << shift) - 1) >> shift;
	*ret_bytes = parts << shift;
	return 8 * (shift - SMALL_SHIFT) + (uint32_t)parts - 1;
}

static void *carve(size_t bytes)
{
	void *at;

	ensure(bytes <= SLAB_BYTES);
	if (bytes > slab_left) {
		slab = allocate_dirty(SLAB_BYTES);
		slab_left = SLAB_BYTES;
	}
	at = slab;
	slab += bytes;
	slab_left -= bytes;
	return at;
}

void *sim_memory_new(size_t bytes)
{
	size_t size;
	uint32_t class = class_of(sizeof(struct small) + bytes, &size);
	struct small *small = smalls[class];

	if (IS_WATCHED) {
		void *memory = malloc(bytes);

		ensure(memory);
		return memory;
	}
	if (small)
		smalls[class] = small->next;
	else
		small = carve(size);
	small->class = class;
	return small + 1;
}

void sim_memory_free(void *memory)
{
	struct small *small;

	if (!memory || IS_WATCHED) {
		free(memory);
		return;
	}
	small = (struct small *)memory - 1;
	small->next = smalls[small->class];
	smalls[small->class] = small;
}
