#include "storage/blocklog_format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"

enum {
	RECORD_MAGIC = 0x524c5251, /* "QRLR" */
	SUPER_SUMMED_BYTES = BLOCKLOG_PAGE_BYTES - CRYPTO_HASH_BYTES,
};

static const char super_magic[8] = "QRSTORE";

struct blocklog_key blocklog_key_of(const struct blocklog_identity *identity,
				    const uint8_t salt[BLOCKLOG_SALT_BYTES])
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRLOGKEY", 8);
	crypto_hasher_add(&hasher, identity->chain_id.b, CRYPTO_HASH_BYTES);
	crypto_hasher_add_u32(&hasher, identity->node_id);
	crypto_hasher_add(&hasher, salt, BLOCKLOG_SALT_BYTES);
	return (struct blocklog_key){ .hash = crypto_hasher_done(&hasher) };
}

static struct blocklog_checksum checksum_of(const struct blocklog_key *key, const uint8_t *record,
					    uint64_t span)
{
	struct crypto_hasher hasher;
	struct crypto_hash hash;
	struct blocklog_checksum checksum;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRLOGREC", 8);
	crypto_hasher_add(&hasher, key->hash.b, CRYPTO_HASH_BYTES);
	crypto_hasher_add(&hasher, record, BLOCKLOG_HEAD_SUMMED_BYTES);
	crypto_hasher_add(&hasher, record + BLOCKLOG_HEAD_BYTES, span - BLOCKLOG_HEAD_BYTES);
	hash = crypto_hasher_done(&hasher);
	memcpy(checksum.b, hash.b, BLOCKLOG_CHECKSUM_BYTES);
	return checksum;
}

void blocklog_record_seal(const struct blocklog_key *key, struct blocklog_head *head,
			  uint8_t *record)
{
	struct bytes_writer w = bytes_writer_of(record, BLOCKLOG_HEAD_BYTES);
	uint64_t span = blocklog_span(head->length);

	bytes_put_u32(&w, RECORD_MAGIC);
	bytes_put_u16(&w, (uint16_t)head->log);
	bytes_put_u16(&w, head->kind);
	bytes_put_u32(&w, head->length);
	bytes_put_u32(&w, head->unsettled);
	bytes_put_u64(&w, head->position);
	bytes_put_u64(&w, head->sequence);
	bytes_put(&w, head->previous.b, BLOCKLOG_CHECKSUM_BYTES);
	ensure(bytes_written(&w) == BLOCKLOG_HEAD_SUMMED_BYTES);
	memset(record + BLOCKLOG_HEAD_BYTES + head->length, 0,
	       span - BLOCKLOG_HEAD_BYTES - head->length);
	head->checksum = checksum_of(key, record, span);
	bytes_put(&w, head->checksum.b, BLOCKLOG_CHECKSUM_BYTES);
	ensure(!w.failed);
}

bool blocklog_head_read(const uint8_t *record, uint64_t room, struct blocklog_head *ret_head)
{
	struct bytes_reader r = bytes_reader_of(record, BLOCKLOG_HEAD_BYTES);
	struct blocklog_head head;
	uint32_t magic;
	uint16_t log;

	if (room < BLOCKLOG_HEAD_BYTES)
		return false;
	magic = bytes_get_u32(&r);
	log = bytes_get_u16(&r);
	if (magic != RECORD_MAGIC || log >= BLOCKLOG_LOG_COUNT)
		return false;
	head.log = (enum blocklog_log)log;
	head.kind = bytes_get_u16(&r);
	head.length = bytes_get_u32(&r);
	head.unsettled = bytes_get_u32(&r);
	head.position = bytes_get_u64(&r);
	head.sequence = bytes_get_u64(&r);
	bytes_get(&r, head.previous.b, BLOCKLOG_CHECKSUM_BYTES);
	bytes_get(&r, head.checksum.b, BLOCKLOG_CHECKSUM_BYTES);
	ensure(bytes_done(&r));
	if (blocklog_span(head.length) > room || head.unsettled > head.position)
		return false;
	*ret_head = head;
	return true;
}

bool blocklog_record_is_whole(const struct blocklog_key *key, const struct blocklog_head *head,
			      const uint8_t *record)
{
	struct blocklog_checksum checksum = checksum_of(key, record, blocklog_span(head->length));

	return blocklog_checksum_equal(&checksum, &head->checksum);
}

bool blocklog_checksum_equal(const struct blocklog_checksum *a, const struct blocklog_checksum *b)
{
	return memcmp(a->b, b->b, BLOCKLOG_CHECKSUM_BYTES) == 0;
}

static struct crypto_hash superblock_hash(const uint8_t page[BLOCKLOG_PAGE_BYTES])
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRSUPERB", 8);
	crypto_hasher_add(&hasher, page, SUPER_SUMMED_BYTES);
	return crypto_hasher_done(&hasher);
}

void blocklog_superblock_encode(const struct blocklog_superblock *superblock,
				uint8_t ret_page[BLOCKLOG_PAGE_BYTES])
{
	struct bytes_writer w = bytes_writer_of(ret_page, SUPER_SUMMED_BYTES);
	struct crypto_hash hash;

	memset(ret_page, 0, BLOCKLOG_PAGE_BYTES);
	bytes_put(&w, super_magic, sizeof(super_magic));
	bytes_put_u32(&w, superblock->version);
	bytes_put_u32(&w, superblock->identity.node_id);
	bytes_put(&w, superblock->identity.chain_id.b, CRYPTO_HASH_BYTES);
	bytes_put(&w, superblock->salt, BLOCKLOG_SALT_BYTES);
	bytes_put_u64(&w, superblock->sequence);
	bytes_put_u64(&w, superblock->segment_bytes);
	bytes_put_u64(&w, superblock->record_bytes_max);
	bytes_put_u64(&w, superblock->checkpoint_height);
	bytes_put(&w, superblock->checkpoint_id.b, CRYPTO_HASH_BYTES);
	ensure(!w.failed);
	hash = superblock_hash(ret_page);
	memcpy(ret_page + SUPER_SUMMED_BYTES, hash.b, CRYPTO_HASH_BYTES);
}

int blocklog_superblock_decode(const uint8_t page[BLOCKLOG_PAGE_BYTES],
			       struct blocklog_superblock *ret_superblock)
{
	struct bytes_reader r = bytes_reader_of(page, SUPER_SUMMED_BYTES);
	struct crypto_hash hash = superblock_hash(page);
	struct blocklog_superblock found;
	uint8_t magic[sizeof(super_magic)];

	if (memcmp(page + SUPER_SUMMED_BYTES, hash.b, CRYPTO_HASH_BYTES) != 0)
		return ERR_CORRUPT;
	bytes_get(&r, magic, sizeof(magic));
	if (memcmp(magic, super_magic, sizeof(magic)) != 0)
		return ERR_CORRUPT;
	found.version = bytes_get_u32(&r);
	found.identity.node_id = bytes_get_u32(&r);
	bytes_get(&r, found.identity.chain_id.b, CRYPTO_HASH_BYTES);
	bytes_get(&r, found.salt, BLOCKLOG_SALT_BYTES);
	found.sequence = bytes_get_u64(&r);
	found.segment_bytes = bytes_get_u64(&r);
	found.record_bytes_max = bytes_get_u64(&r);
	found.checkpoint_height = bytes_get_u64(&r);
	bytes_get(&r, found.checkpoint_id.b, CRYPTO_HASH_BYTES);
	ensure(!r.failed);
	*ret_superblock = found;
	return found.version == BLOCKLOG_FORMAT_VERSION ? 0 : ERR_NEWER;
}

void blocklog_segment_encode(const struct blocklog_segment *segment, uint8_t *ret_bytes)
{
	size_t room = BLOCKLOG_PAGE_BYTES - BLOCKLOG_HEAD_BYTES;
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	memset(ret_bytes, 0, room);
	bytes_put_u32(&w, segment->version);
	bytes_put_u32(&w, segment->identity.node_id);
	bytes_put(&w, segment->identity.chain_id.b, CRYPTO_HASH_BYTES);
	bytes_put_u64(&w, segment->segment_bytes);
	bytes_put_u64(&w, segment->number);
	bytes_put_u64(&w, segment->previous_end);
	ensure(!w.failed);
}

bool blocklog_segment_decode(const uint8_t *bytes, size_t count,
			     struct blocklog_segment *ret_segment)
{
	struct bytes_reader r = bytes_reader_of(bytes, count);
	struct blocklog_segment found;

	if (count != BLOCKLOG_PAGE_BYTES - BLOCKLOG_HEAD_BYTES)
		return false;
	found.version = bytes_get_u32(&r);
	found.identity.node_id = bytes_get_u32(&r);
	bytes_get(&r, found.identity.chain_id.b, CRYPTO_HASH_BYTES);
	found.segment_bytes = bytes_get_u64(&r);
	found.number = bytes_get_u64(&r);
	found.previous_end = bytes_get_u64(&r);
	if (found.version != BLOCKLOG_FORMAT_VERSION)
		return false;
	*ret_segment = found;
	return true;
}

bool blocklog_is_zero(const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	return count == 0 || (at[0] == 0 && memcmp(at, at + 1, count - 1) == 0);
}
