#include "storage/blocklog_format.h"

#include <string.h>

#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/unit_main.h"

enum { LENGTH = 150, ROOM = 256 };

static const struct blocklog_identity identity = { .chain_id = { { 1, 2, 3 } }, .node_id = 4 };
static const uint8_t salt[BLOCKLOG_SALT_BYTES] = { 5, 6 };

static struct blocklog_head head_make(void)
{
	return (struct blocklog_head){
		.log = BLOCKLOG_LANE,
		.kind = 17,
		.length = LENGTH,
		.unsettled = 64,
		.position = 8192,
		.sequence = 33,
		.previous = { { 0xaa, 0xbb } },
	};
}

static struct blocklog_key record_make(uint8_t record[ROOM])
{
	struct blocklog_key key = blocklog_key_of(&identity, salt);
	struct blocklog_head head = head_make();

	memset(record, 0x5a, ROOM);
	blocklog_record_seal(&key, &head, record);
	return key;
}

static bool is_whole(const struct blocklog_key *key, const uint8_t *record)
{
	struct blocklog_head head;

	return blocklog_head_read(record, ROOM, &head) &&
	       blocklog_record_is_whole(key, &head, record);
}

static void a_record_reads_back_as_written(void)
{
	uint8_t record[ROOM];
	struct blocklog_key key = record_make(record);
	struct blocklog_head wanted = head_make();
	struct blocklog_head head;

	UNIT_REQUIRE(blocklog_head_read(record, ROOM, &head));
	UNIT_CHECK(blocklog_record_is_whole(&key, &head, record));
	UNIT_EQUAL(head.log, wanted.log);
	UNIT_EQUAL(head.kind, wanted.kind);
	UNIT_EQUAL(head.length, wanted.length);
	UNIT_EQUAL(head.unsettled, wanted.unsettled);
	UNIT_EQUAL(head.position, wanted.position);
	UNIT_EQUAL(head.sequence, wanted.sequence);
	UNIT_CHECK(blocklog_checksum_equal(&head.previous, &wanted.previous));
	UNIT_EQUAL(blocklog_span(LENGTH), ROOM);
	UNIT_EQUAL(record[ROOM - 1], 0);
}

static void every_flipped_bit_of_a_record_is_detected(void)
{
	uint8_t record[ROOM];
	struct blocklog_key key = record_make(record);

	UNIT_REQUIRE(is_whole(&key, record));
	for (uint32_t bit = 0; bit < ROOM * 8; bit++) {
		record[bit / 8] ^= (uint8_t)(1U << bit % 8);
		UNIT_CHECK(!is_whole(&key, record));
		record[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	UNIT_CHECK(is_whole(&key, record));
}

/* Seals a record whose head differs in one field, then claims the original's checksum for it. */
static bool passes_for_original(void (*change)(struct blocklog_head *))
{
	uint8_t original[ROOM];
	uint8_t changed[ROOM];
	struct blocklog_key key = record_make(original);
	struct blocklog_head head = head_make();

	memset(changed, 0x5a, ROOM);
	change(&head);
	blocklog_record_seal(&key, &head, changed);
	return memcmp(original + BLOCKLOG_HEAD_SUMMED_BYTES, changed + BLOCKLOG_HEAD_SUMMED_BYTES,
		      BLOCKLOG_CHECKSUM_BYTES) == 0;
}

static void change_log(struct blocklog_head *head)
{
	head->log = BLOCKLOG_BLOCK;
}

static void change_kind(struct blocklog_head *head)
{
	head->kind++;
}

static void change_length(struct blocklog_head *head)
{
	head->length++;
}

static void change_unsettled(struct blocklog_head *head)
{
	head->unsettled++;
}

static void change_position(struct blocklog_head *head)
{
	head->position += 4096;
}

static void change_sequence(struct blocklog_head *head)
{
	head->sequence++;
}

static void change_previous(struct blocklog_head *head)
{
	head->previous.b[15] ^= 1;
}

static void change_nothing(struct blocklog_head *head)
{
	(void)head;
}

static void the_checksum_covers_log_kind_length_position_sequence_and_chain(void)
{
	UNIT_CHECK(passes_for_original(change_nothing));
	UNIT_CHECK(!passes_for_original(change_log));
	UNIT_CHECK(!passes_for_original(change_kind));
	UNIT_CHECK(!passes_for_original(change_length));
	UNIT_CHECK(!passes_for_original(change_unsettled));
	UNIT_CHECK(!passes_for_original(change_position));
	UNIT_CHECK(!passes_for_original(change_sequence));
	UNIT_CHECK(!passes_for_original(change_previous));
}

static void a_record_of_another_store_is_not_whole(void)
{
	uint8_t record[ROOM];
	struct blocklog_identity other_chain = identity;
	struct blocklog_identity other_node = identity;
	uint8_t other_salt[BLOCKLOG_SALT_BYTES] = { 5, 7 };
	struct blocklog_key keys[3];

	(void)record_make(record);
	other_chain.chain_id.b[31] = 1;
	other_node.node_id++;
	keys[0] = blocklog_key_of(&other_chain, salt);
	keys[1] = blocklog_key_of(&other_node, salt);
	keys[2] = blocklog_key_of(&identity, other_salt);
	for (uint32_t i = 0; i < 3; i++)
		UNIT_CHECK(!is_whole(&keys[i], record));
}

static void a_length_beyond_the_room_is_refused_before_anything_is_summed(void)
{
	uint8_t record[ROOM];
	struct blocklog_head head;

	(void)record_make(record);
	UNIT_CHECK(blocklog_head_read(record, ROOM, &head));
	UNIT_CHECK(!blocklog_head_read(record, ROOM - 1, &head));
	UNIT_CHECK(!blocklog_head_read(record, BLOCKLOG_HEAD_BYTES - 1, &head));
	memset(record + 8, 0xff, 4);
	UNIT_CHECK(!blocklog_head_read(record, ROOM, &head));
}

static struct blocklog_superblock superblock_make(void)
{
	return (struct blocklog_superblock){
		.version = BLOCKLOG_FORMAT_VERSION,
		.sequence = 3,
		.identity = identity,
		.salt = { 5, 6 },
		.segment_bytes = 1 << 20,
		.record_bytes_max = 5000,
		.checkpoint_height = 77,
		.checkpoint_id = { { 8 } },
	};
}

static void a_superblock_reads_back_as_written(void)
{
	uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct blocklog_superblock wanted = superblock_make();
	struct blocklog_superblock found;

	blocklog_superblock_encode(&wanted, page);
	UNIT_EQUAL(blocklog_superblock_decode(page, &found), 0);
	UNIT_EQUAL(found.sequence, 3);
	UNIT_EQUAL(found.identity.node_id, 4);
	UNIT_CHECK(memcmp(found.identity.chain_id.b, identity.chain_id.b, 32) == 0);
	UNIT_CHECK(memcmp(found.salt, salt, sizeof(salt)) == 0);
	UNIT_EQUAL(found.segment_bytes, 1 << 20);
	UNIT_EQUAL(found.record_bytes_max, 5000);
	UNIT_EQUAL(found.checkpoint_height, 77);
	UNIT_EQUAL(found.checkpoint_id.b[0], 8);
}

static void every_flipped_bit_of_a_superblock_is_detected(void)
{
	uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct blocklog_superblock superblock = superblock_make();
	struct blocklog_superblock found;

	blocklog_superblock_encode(&superblock, page);
	for (uint32_t bit = 0; bit < BLOCKLOG_PAGE_BYTES * 8; bit += 3) {
		page[bit / 8] ^= (uint8_t)(1U << bit % 8);
		UNIT_CHECK(blocklog_superblock_decode(page, &found) == ERR_CORRUPT);
		page[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

/* A page of another kind, summed by the same hand. */
static void a_page_with_another_magic_is_no_superblock(void)
{
	struct blocklog_superblock superblock = { .version = BLOCKLOG_FORMAT_VERSION };
	struct blocklog_superblock found = { .sequence = 5 };
	uint8_t page[BLOCKLOG_PAGE_BYTES];
	size_t summed = sizeof(page) - CRYPTO_HASH_BYTES;
	struct crypto_hasher hasher;
	struct crypto_hash hash;

	blocklog_superblock_encode(&superblock, page);
	for (uint32_t is_other = 0; is_other < 2; is_other++) {
		page[0] ^= (uint8_t)is_other;
		crypto_hasher_init(&hasher);
		crypto_hasher_add(&hasher, "QRSUPERB", 8);
		crypto_hasher_add(&hasher, page, summed);
		hash = crypto_hasher_done(&hasher);
		memcpy(page + summed, hash.b, sizeof(hash.b));
		UNIT_EQUAL(blocklog_superblock_decode(page, &found), is_other ? ERR_CORRUPT : 0);
	}
}

static void no_bytes_at_all_are_zero(void)
{
	static const uint8_t bytes[3] = { 0, 0, 1 };

	UNIT_CHECK(blocklog_is_zero(&bytes[2], 0));
	UNIT_CHECK(blocklog_is_zero(bytes, 2));
	UNIT_CHECK(!blocklog_is_zero(bytes, 3));
	UNIT_CHECK(!blocklog_is_zero(&bytes[2], 1));
}

static void a_newer_superblock_is_told_from_a_damaged_one(void)
{
	uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct blocklog_superblock superblock = superblock_make();
	struct blocklog_superblock found;

	superblock.version = BLOCKLOG_FORMAT_VERSION + 1;
	blocklog_superblock_encode(&superblock, page);
	UNIT_EQUAL(blocklog_superblock_decode(page, &found), ERR_NEWER);
	memset(page, 0, sizeof(page));
	UNIT_EQUAL(blocklog_superblock_decode(page, &found), ERR_CORRUPT);
}

static void a_segment_record_reads_back_and_needs_its_whole_page(void)
{
	uint8_t bytes[BLOCKLOG_PAGE_BYTES - BLOCKLOG_HEAD_BYTES];
	struct blocklog_segment wanted = {
		.version = BLOCKLOG_FORMAT_VERSION,
		.identity = identity,
		.segment_bytes = 65536,
		.number = 5,
		.previous_end = 5 * 65536 - 4096,
	};
	struct blocklog_segment found;

	blocklog_segment_encode(&wanted, bytes);
	UNIT_REQUIRE(blocklog_segment_decode(bytes, sizeof(bytes), &found));
	UNIT_EQUAL(found.number, wanted.number);
	UNIT_EQUAL(found.previous_end, wanted.previous_end);
	UNIT_EQUAL(found.segment_bytes, wanted.segment_bytes);
	UNIT_CHECK(!blocklog_segment_decode(bytes, sizeof(bytes) - 1, &found));
	bytes[0]++;
	UNIT_CHECK(!blocklog_segment_decode(bytes, sizeof(bytes), &found));
}

static void the_two_copies_of_a_safety_slot_are_distant(void)
{
	for (uint64_t sequence = 0; sequence < 200; sequence++) {
		uint64_t first = blocklog_safety_offset(sequence, 0);
		uint64_t second = blocklog_safety_offset(sequence, 1);

		UNIT_EQUAL(second - first, BLOCKLOG_SAFETY_REGION_BYTES);
		UNIT_CHECK(first + BLOCKLOG_SAFETY_SLOT_BYTES <= BLOCKLOG_SAFETY_REGION_BYTES);
		UNIT_CHECK(blocklog_safety_offset(sequence + 1, 0) != first);
	}
}

UNIT_SUITE("blocklog_format", UNIT_TEST(a_record_reads_back_as_written),
	   UNIT_TEST(every_flipped_bit_of_a_record_is_detected),
	   UNIT_TEST(the_checksum_covers_log_kind_length_position_sequence_and_chain),
	   UNIT_TEST(a_record_of_another_store_is_not_whole),
	   UNIT_TEST(a_length_beyond_the_room_is_refused_before_anything_is_summed),
	   UNIT_TEST(a_superblock_reads_back_as_written),
	   UNIT_TEST(every_flipped_bit_of_a_superblock_is_detected),
	   UNIT_TEST(a_page_with_another_magic_is_no_superblock),
	   UNIT_TEST(no_bytes_at_all_are_zero),
	   UNIT_TEST(a_newer_superblock_is_told_from_a_damaged_one),
	   UNIT_TEST(a_segment_record_reads_back_and_needs_its_whole_page),
	   UNIT_TEST(the_two_copies_of_a_safety_slot_are_distant))
