/*
 * Recovery over a damaged store: the image of a valid one, and a few changes the bytes choose.
 * Whatever was done to it, what recovery gives out is exactly what was written there, a record
 * cannot be lost that the newest safety record saw durable, and one bad place in one copy never
 * brings back an older safety record.
 */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "storage/blocklog_recover.h"
#include "tests/fuzz/fuzz_bytes.h"
#include "tests/unit/storage/store_fixture.h"

enum { DAMAGE_MAX = 8, ROUNDS = 70 };

enum damage_kind {
	DAMAGE_FLIP,
	DAMAGE_ZERO,
	DAMAGE_COPY,
	DAMAGE_NOISE,
	DAMAGE_UNREADABLE,
	DAMAGE_SHORT, /* the last segments are gone */
	DAMAGE_KINDS,
};

struct damage {
	enum damage_kind kind;
	enum blocklog_area area;
	uint64_t segment;
	uint64_t offset;
	uint64_t count;
	uint64_t from; /* COPY: offset in the same file */
	uint8_t mask;
};

/* The valid store, made once, and where its records are. */
struct image {
	bool is_made;
	struct fixture fixture;
	struct blocklog_source source;
	uint64_t newest_safety; /* sequence */
	uint64_t ticket[BLOCKLOG_LOG_COUNT][FIXTURE_TICKETS_MAX];
	uint64_t count[BLOCKLOG_LOG_COUNT];
	uint64_t settled_count[BLOCKLOG_LOG_COUNT]; /* seen by the newest safety record */
};

struct scan {
	struct damage damage[DAMAGE_MAX];
	uint32_t count;
	uint8_t *window;
	size_t window_bytes;
};

static struct image image;

static void note_records(void)
{
	const struct fixture *f = &image.fixture;

	for (uint64_t ticket = 0; ticket < f->tickets; ticket++)
		image.ticket[f->log[ticket]][image.count[f->log[ticket]]++] = ticket;
}

static void make_image(void)
{
	struct fixture *f = &image.fixture;

	fixture_start(f, 5);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		fixture_fill(f, BLOCKLOG_LANE, 1 + i % 2);
		fixture_fill(f, BLOCKLOG_BLOCK, 1);
		fixture_fill(f, BLOCKLOG_SAFETY, 1);
	}
	for (uint64_t ticket = 0; ticket < f->tickets; ticket++)
		image.settled_count[f->log[ticket]]++;
	fixture_fill(f, BLOCKLOG_LANE, 1);
	fixture_fill(f, BLOCKLOG_BLOCK, 1);
	note_records();
	image.newest_safety = image.count[BLOCKLOG_SAFETY]; /* record 0 has no ticket */
	image.source = sim_disk_stable(f->disk);
	image.is_made = true;
}

/* ---- the damaged view of it ---- */

static void spoil(const struct damage *damage, uint64_t offset, uint8_t *bytes, size_t count)
{
	uint64_t from = units_max(damage->offset, offset);
	uint64_t to = units_min(damage->offset + damage->count, offset + count);
	uint8_t page[2 * BLOCKLOG_PAGE_BYTES];

	for (uint64_t at = from; at < to; at++) {
		uint8_t *byte = &bytes[at - offset];

		if (damage->kind == DAMAGE_FLIP)
			*byte ^= damage->mask;
		else if (damage->kind == DAMAGE_ZERO)
			*byte = 0;
		else if (damage->kind == DAMAGE_NOISE)
			*byte = (uint8_t)(damage->mask + at * 31);
		if (damage->kind != DAMAGE_COPY)
			continue;
		uint64_t source = damage->from + (at - damage->offset);

		if (at == from || source % BLOCKLOG_PAGE_BYTES == 0)
			if (image.source.read(image.source.context, damage->area, damage->segment,
					      source & ~(uint64_t)(BLOCKLOG_PAGE_BYTES - 1), page,
					      BLOCKLOG_PAGE_BYTES) != 0)
				return;
		*byte = page[source % BLOCKLOG_PAGE_BYTES];
	}
}

static int scan_read(void *context, enum blocklog_area area, uint64_t segment, uint64_t offset,
		     void *ret_bytes, size_t count)
{
	const struct scan *scan = context;
	int code = image.source.read(image.source.context, area, segment, offset, ret_bytes, count);

	for (uint32_t i = 0; i < scan->count && code == 0; i++) {
		const struct damage *damage = &scan->damage[i];

		if (damage->area != area || damage->segment != segment ||
		    damage->offset >= offset + count || damage->offset + damage->count <= offset)
			continue;
		if (damage->kind == DAMAGE_UNREADABLE)
			return ERR_CORRUPT;
		if (damage->kind != DAMAGE_SHORT)
			spoil(damage, offset, ret_bytes, count);
	}
	return code;
}

static int scan_census(void *context, enum blocklog_area area, uint64_t *ret_first,
		       uint64_t *ret_end)
{
	const struct scan *scan = context;
	int code = image.source.census(image.source.context, area, ret_first, ret_end);

	for (uint32_t i = 0; i < scan->count && code == 0; i++) {
		const struct damage *damage = &scan->damage[i];

		if (damage->kind != DAMAGE_SHORT || damage->area != area)
			continue;
		*ret_end -= units_min(*ret_end - *ret_first, damage->count % 4);
		if (*ret_end == *ret_first)
			code = ERR_NOT_FOUND;
	}
	return code;
}

static void choose(struct scan *scan, struct fuzz_bytes *input)
{
	static const uint64_t unit[] = { 1, 16, BLOCKLOG_SECTOR_BYTES, BLOCKLOG_PAGE_BYTES };
	struct damage *damage = &scan->damage[scan->count++];
	uint64_t first;
	uint64_t end;
	uint64_t bytes;
	uint64_t step = unit[fuzz_below(input, 4)];

	damage->kind = (enum damage_kind)fuzz_below(input, DAMAGE_KINDS);
	damage->area = (enum blocklog_area)fuzz_below(input, BLOCKLOG_AREA_COUNT);
	ensure(image.source.census(image.source.context, damage->area, &first, &end) == 0);
	damage->segment = first + fuzz_below(input, (uint32_t)(end - first));
	bytes = damage->area == BLOCKLOG_AREA_SUPER  ? BLOCKLOG_SUPER_FILE_BYTES :
		damage->area == BLOCKLOG_AREA_SAFETY ? BLOCKLOG_SAFETY_FILE_BYTES :
						       FIXTURE_SEGMENT_BYTES;
	damage->offset = fuzz_u16(input) * step;
	if (damage->area == BLOCKLOG_AREA_SAFETY && fuzz_bit(input))
		damage->offset += BLOCKLOG_SAFETY_REGION_BYTES;
	if (damage->area == BLOCKLOG_AREA_SUPER)
		damage->offset += fuzz_below(input, BLOCKLOG_SUPER_COPIES) *
				  (uint64_t)BLOCKLOG_SUPER_STRIDE_BYTES;
	damage->count = (1 + fuzz_below(input, 4)) * step;
	damage->offset %= bytes - 4 * BLOCKLOG_PAGE_BYTES;
	damage->from = fuzz_u16(input) * step % (bytes - 4 * BLOCKLOG_PAGE_BYTES);
	damage->mask = (uint8_t)(fuzz_u8(input) | 1);
}

/* ---- what must hold ---- */

static void check_record(enum blocklog_log log, uint64_t index,
			 const struct blocklog_record *record)
{
	static uint8_t wanted[FIXTURE_RECORD_MAX];
	uint64_t ticket = image.ticket[log][index];
	size_t count = fixture_record(ticket, wanted);

	ensure(index < image.count[log] && record->head.sequence == index);
	ensure(record->head.position == image.fixture.position[ticket]);
	ensure(record->head.kind == ticket % 1000 && record->head.length == count);
	ensure(memcmp(record->bytes, wanted, count) == 0);
}

static void scan_log(struct scan *scan, const struct blocklog_source *source,
		     const struct blocklog_key *key, enum blocklog_log log,
		     const struct blocklog_safety_found *safety)
{
	struct blocklog_cursor cursor;
	struct blocklog_record record;
	struct blocklog_tail tail;
	uint64_t settled = safety ? safety->settled[log] : 0;
	uint64_t index = 0;

	blocklog_cursor_init(&cursor, source, key, log, FIXTURE_SEGMENT_BYTES, scan->window,
			     scan->window_bytes);
	if (blocklog_recover_tail(&cursor, settled, &tail) != 0)
		return;
	ensure(tail.end >= settled && tail.sequence <= image.count[log]);
	if (safety && safety->head.sequence == image.newest_safety)
		ensure(tail.sequence >= image.settled_count[log]);
	blocklog_cursor_seek(&cursor, tail.segment_first * FIXTURE_SEGMENT_BYTES);
	while (blocklog_cursor_next(&cursor, tail.end & ~(uint64_t)(BLOCKLOG_PAGE_BYTES - 1),
				    &record) == 1)
		check_record(log, index++, &record);
	/* With a torn PAD the log ends inside a page; the store will pad it anew. */
	cursor.limit = units_round_up(tail.end, BLOCKLOG_PAGE_BYTES);
	while (cursor.position < tail.end && blocklog_cursor_step(&cursor, &record) == 1)
		if (record.head.kind <= BLOCKLOG_KIND_APPLICATION_MAX)
			check_record(log, index++, &record);
	ensure(index <= tail.sequence);
}

static bool scan_safety(struct scan *scan, const struct blocklog_source *source,
			const struct blocklog_key *key, struct blocklog_safety_found *ret_found)
{
	static uint8_t slot[BLOCKLOG_SAFETY_SLOT_BYTES];
	static uint8_t wanted[FIXTURE_RECORD_MAX];
	int code = blocklog_recover_safety(source, key, scan->window, slot, ret_found);
	bool is_one_place = scan->count == 1 && scan->damage[0].kind != DAMAGE_SHORT;
	uint64_t sequence;
	size_t count;

	ensure(code == 0 || code == ERR_NOT_FOUND);
	if (is_one_place || scan->count == 0)
		ensure(code == 0 && ret_found->head.sequence == image.newest_safety);
	if (code != 0)
		return false;
	sequence = ret_found->head.sequence;
	ensure(sequence <= image.newest_safety);
	if (sequence == 0)
		return true;
	count = fixture_record(image.ticket[BLOCKLOG_SAFETY][sequence - 1], wanted);
	ensure(ret_found->head.length == count + BLOCKLOG_SAFETY_PREFIX_BYTES);
	ensure(memcmp(slot + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES, wanted, count) ==
	       0);
	return true;
}

static void scan_all(struct scan *scan)
{
	struct blocklog_source source = { scan, scan_read, scan_census };
	struct blocklog_safety_found safety;
	struct blocklog_super_found super;
	struct blocklog_key key =
		blocklog_key_of(&image.fixture.config.identity, image.fixture.config.salt);
	bool has_safety;

	if (blocklog_recover_super(&source, scan->window, &super) == 0)
		ensure(super.superblock.identity.node_id == 7 &&
		       super.superblock.segment_bytes == FIXTURE_SEGMENT_BYTES);
	else
		ensure(scan->count > 1 || scan->damage[0].kind == DAMAGE_SHORT);
	has_safety = scan_safety(scan, &source, &key, &safety);
	scan_log(scan, &source, &key, BLOCKLOG_LANE, has_safety ? &safety : NULL);
	scan_log(scan, &source, &key, BLOCKLOG_BLOCK, has_safety ? &safety : NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct scan scan;
	struct fuzz_bytes input = { bytes, count };

	if (!image.is_made)
		make_image();
	if (!scan.window) {
		scan.window_bytes = blocklog_window_bytes(FIXTURE_GROUP_BYTES);
		scan.window = aligned_alloc(BLOCKLOG_PAGE_BYTES, scan.window_bytes);
		ensure(scan.window);
	}
	scan.count = 0;
	memset(scan.damage, 0, sizeof(scan.damage));
	while (input.left > 0 && scan.count < DAMAGE_MAX)
		choose(&scan, &input);
	scan_all(&scan);
	return 0;
}
