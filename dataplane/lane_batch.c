#include "dataplane/lane_batch.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"

size_t lane_batch_buffer_bytes(uint32_t bytes_max, uint32_t frames_max)
{
	uint64_t record = WIRE_BATCH_HEADER_BYTES + (uint64_t)bytes_max +
			  (uint64_t)LANE_INDEX_ENTRY_BYTES * frames_max;

	return (size_t)(LANE_PAGE_BYTES + units_round_up(record, LANE_PAGE_BYTES));
}

void lane_batch_init(struct lane_batch *batch, uint8_t *buffer, struct lane_place *place,
		     struct crypto_hash *hash, uint32_t bytes_max, uint32_t frames_max)
{
	ensure(frames_max > 0 && frames_max <= LANE_BATCH_FRAMES_MAX);
	ensure(((uintptr_t)buffer & (LANE_PAGE_BYTES - 1)) == 0);
	*batch = (struct lane_batch){
		.record = buffer + LANE_PAGE_BYTES,
		.place = place,
		.hash = hash,
		.frames_max = frames_max,
		.bytes_max = bytes_max,
	};
	lane_batch_clear(batch);
}

void lane_batch_clear(struct lane_batch *batch)
{
	memset(batch->place, 0, sizeof(batch->place[0]) * batch->frames_max);
	memset(batch->bad_map, 0, sizeof(batch->bad_map));
	batch->frame_count = 0;
	batch->frame_bytes = 0;
	batch->index_end = 0;
	batch->record_bytes = 0;
}

bool lane_batch_has(const struct lane_batch *batch, uint32_t index)
{
	return index < batch->frames_max && batch->place[index].offset != 0;
}

bool lane_batch_fits(const struct lane_batch *batch, uint32_t byte_count)
{
	return batch->frame_count < batch->frames_max &&
	       byte_count <= batch->bytes_max - batch->frame_bytes;
}

int lane_batch_add(struct lane_batch *batch, uint32_t index, const struct crypto_hash *frame_hash,
		   bool is_signed, const uint8_t *bytes, uint32_t byte_count)
{
	ensure(batch->record_bytes == 0);
	if (index >= batch->frames_max || byte_count == 0)
		return ERR_FORMAT;
	if (lane_batch_has(batch, index))
		return ERR_DUPLICATE;
	if (byte_count > LANE_FRAME_BYTES_MAX || !lane_batch_fits(batch, byte_count))
		return ERR_OVERSIZE;

	uint32_t offset = WIRE_BATCH_HEADER_BYTES + batch->frame_bytes;

	memcpy(batch->record + offset, bytes, byte_count);
	batch->place[index] = (struct lane_place){ .offset = offset, .byte_count = byte_count };
	batch->hash[index] = *frame_hash;
	if (!is_signed)
		batch->bad_map[index / 64] |= UINT64_C(1) << (index % 64);
	batch->frame_count++;
	batch->frame_bytes += byte_count;
	if (index >= batch->index_end)
		batch->index_end = index + 1;
	return 0;
}

void lane_batch_remove(struct lane_batch *batch, uint32_t index)
{
	ensure(batch->record_bytes == 0);
	ensure(lane_batch_has(batch, index));

	struct lane_place gone = batch->place[index];
	uint32_t end = WIRE_BATCH_HEADER_BYTES + batch->frame_bytes;
	uint32_t behind = gone.offset + gone.byte_count;

	memmove(batch->record + gone.offset, batch->record + behind, end - behind);
	for (uint32_t i = 0; i < batch->index_end; i++)
		if (batch->place[i].offset > gone.offset)
			batch->place[i].offset -= gone.byte_count;
	batch->place[index] = (struct lane_place){ 0 };
	batch->bad_map[index / 64] &= ~(UINT64_C(1) << (index % 64));
	batch->frame_count--;
	batch->frame_bytes -= gone.byte_count;
	while (batch->index_end > 0 && batch->place[batch->index_end - 1].offset == 0)
		batch->index_end--;
}

void lane_batch_trim(struct lane_batch *batch, uint32_t count)
{
	for (uint32_t i = batch->index_end; i > count; i--)
		if (lane_batch_has(batch, i - 1))
			lane_batch_remove(batch, i - 1);
}

const uint8_t *lane_batch_frame(const struct lane_batch *batch, uint32_t index,
				uint32_t *ret_byte_count)
{
	if (!lane_batch_has(batch, index))
		return NULL;
	*ret_byte_count = batch->place[index].byte_count;
	return batch->record + batch->place[index].offset;
}

bool lane_batch_has_bad(const struct lane_batch *batch, uint32_t *ret_index)
{
	for (uint32_t i = 0; i < LANE_BATCH_FRAMES_MAX / 64; i++)
		if (batch->bad_map[i] != 0) {
			*ret_index = 64 * i + (uint32_t)__builtin_ctzll(batch->bad_map[i]);
			return true;
		}
	return false;
}

bool lane_batch_is_complete(const struct lane_batch *batch, const struct lane_header *header)
{
	return batch->frame_count == header->frame_count && batch->index_end == header->frame_count;
}

struct crypto_hash lane_batch_root(const struct lane_batch *batch, struct crypto_hash *scratch)
{
	ensure(batch->frame_count > 0 && batch->frame_count == batch->index_end);
	return wire_merkle_root(batch->hash, batch->frame_count, scratch);
}

bool lane_batch_matches(const struct lane_batch *batch, const struct lane_header *header,
			struct crypto_hash *scratch)
{
	if (!lane_batch_is_complete(batch, header) || batch->frame_bytes != header->frame_bytes)
		return false;

	struct crypto_hash root = lane_batch_root(batch, scratch);

	return crypto_hash_equal(&root, &header->frames_root);
}

void lane_batch_seal(struct lane_batch *batch, const struct lane_header *header)
{
	uint32_t table = WIRE_BATCH_HEADER_BYTES + batch->frame_bytes;
	uint32_t table_bytes = LANE_INDEX_ENTRY_BYTES * batch->frame_count;
	struct bytes_writer w = bytes_writer_of(batch->record + table, table_bytes);

	ensure(batch->record_bytes == 0);
	ensure(lane_batch_is_complete(batch, header));
	ensure(wire_encode_batch_header(header, batch->record, WIRE_BATCH_HEADER_BYTES) ==
	       WIRE_BATCH_HEADER_BYTES);
	for (uint32_t i = 0; i < batch->frame_count; i++) {
		bytes_put_u32(&w, batch->place[i].offset);
		bytes_put_u32(&w, batch->place[i].byte_count);
	}
	batch->record_bytes = table + table_bytes;

	uint32_t end = (uint32_t)units_round_up(batch->record_bytes, LANE_PAGE_BYTES);

	memset(batch->record + batch->record_bytes, 0, end - batch->record_bytes);
}

static uint32_t lane_table_u32(const uint8_t *at)
{
	struct bytes_reader r = bytes_reader_of(at, 4);

	return bytes_get_u32(&r);
}

/* Every frame lies between header and table, and the lengths add up to the header's figure. */
static bool lane_table_is_sound(const uint8_t *table, const struct lane_header *header)
{
	uint32_t end = WIRE_BATCH_HEADER_BYTES + header->frame_bytes;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < header->frame_count; i++) {
		uint32_t offset = lane_table_u32(table + (size_t)LANE_INDEX_ENTRY_BYTES * i);
		uint32_t length = lane_table_u32(table + (size_t)LANE_INDEX_ENTRY_BYTES * i + 4);

		if (length == 0 || length > LANE_FRAME_BYTES_MAX)
			return false;
		if (offset < WIRE_BATCH_HEADER_BYTES || offset > end || length > end - offset)
			return false;
		sum += length;
	}
	return sum == header->frame_bytes;
}

int lane_record_open(const void *bytes, size_t count, const struct crypto_hash *chain_id,
		     struct lane_record *ret_record)
{
	struct lane_record record = { .bytes = bytes };

	if (count < WIRE_BATCH_HEADER_BYTES)
		return ERR_TRUNCATED;

	int code =
		wire_decode_batch_header(bytes, WIRE_BATCH_HEADER_BYTES, chain_id, &record.header);

	if (code < 0)
		return code;
	if (record.header.frame_count == 0 || record.header.frame_count > LANE_BATCH_FRAMES_MAX ||
	    record.header.frame_bytes > LANE_BATCH_BYTES_MAX)
		return ERR_OVERSIZE;

	size_t table = WIRE_BATCH_HEADER_BYTES + (size_t)record.header.frame_bytes;
	size_t whole = table + (size_t)LANE_INDEX_ENTRY_BYTES * record.header.frame_count;

	if (count != whole)
		return count < whole ? ERR_TRUNCATED : ERR_FORMAT;
	record.table = record.bytes + table;
	if (!lane_table_is_sound(record.table, &record.header))
		return ERR_FORMAT;
	*ret_record = record;
	return 0;
}

const uint8_t *lane_record_frame(const struct lane_record *record, uint32_t index,
				 uint32_t *ret_byte_count)
{
	ensure(index < record->header.frame_count);

	const uint8_t *entry = record->table + (size_t)LANE_INDEX_ENTRY_BYTES * index;

	*ret_byte_count = lane_table_u32(entry + 4);
	return record->bytes + lane_table_u32(entry);
}

int lane_record_check(const struct lane_record *record, struct crypto_hash *ret_leaves,
		      struct crypto_hash *scratch)
{
	for (uint32_t i = 0; i < record->header.frame_count; i++) {
		uint32_t byte_count;
		const uint8_t *frame = lane_record_frame(record, i, &byte_count);

		ret_leaves[i] = lane_frame_hash(frame, byte_count);
	}

	struct crypto_hash root = wire_merkle_root(ret_leaves, record->header.frame_count, scratch);

	return crypto_hash_equal(&root, &record->header.frames_root) ? 0 : ERR_CORRUPT;
}

struct crypto_hash lane_frame_hash(const uint8_t *bytes, uint32_t byte_count)
{
	struct wire_frame frame = { .bytes = bytes, .byte_count = byte_count };

	return wire_frame_hash(&frame);
}
