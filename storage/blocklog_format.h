/*
 * blocklog_format: the bytes of a store, and nothing else. docs/log-format.md says it in prose.
 *
 *     segment  | SEGMENT record, one page | group | group | ... | zeros to the end |
 *     group    | record | record | PAD up to the next page boundary |
 *     record   | head, 64 bytes | bytes | zeros up to a multiple of 64 |
 *
 * Model    A position is a byte offset in an endless log; segment number and
 *          offset follow from it. Every group begins on a page boundary, so two
 *          group commits never share a page. `settled` (position - unsettled)
 *          is a durable end the writer already knew: a valid record that says
 *          settled > p proves that everything before p once was durable, which
 *          tells damage at p from a torn tail.
 * Checksum First 16 bytes of BLAKE2b-256 over the store's key, the head up to
 *          the checksum, the bytes and the zeros behind them. The key binds
 *          chain, node and a random salt, so no client's bytes and no other
 *          store's bytes ever pass for a record.
 * Integers Little-endian, fixed width.
 */
#ifndef QUORATE_STORAGE_BLOCKLOG_FORMAT_H
#define QUORATE_STORAGE_BLOCKLOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/blocklog_store.h"

enum {
	BLOCKLOG_FORMAT_VERSION = 1,
	BLOCKLOG_CHECKSUM_BYTES = 16,
	BLOCKLOG_HEAD_BYTES = 64,        /* also the alignment of records */
	BLOCKLOG_HEAD_SUMMED_BYTES = 48, /* the checksum covers this much of the head */
	BLOCKLOG_SECTOR_BYTES = 512,     /* what a disk writes whole or not at all */

	BLOCKLOG_KIND_APPLICATION_MAX = 0xfeff,
	BLOCKLOG_KIND_SEGMENT = 0xfffe,
	BLOCKLOG_KIND_PAD = 0xffff,

	BLOCKLOG_SUPER_COPIES = 4,
	BLOCKLOG_SUPER_STRIDE_BYTES = 64 * 1024,
	BLOCKLOG_SUPER_FILE_BYTES = BLOCKLOG_SUPER_COPIES * BLOCKLOG_SUPER_STRIDE_BYTES,

	BLOCKLOG_SAFETY_COPIES = 2,
	BLOCKLOG_SAFETY_SLOTS = 64,
	BLOCKLOG_SAFETY_SLOT_BYTES = 3 * BLOCKLOG_PAGE_BYTES,
	BLOCKLOG_SAFETY_REGION_BYTES = 4 << 20, /* from one copy to the other */
	BLOCKLOG_SAFETY_FILE_BYTES = BLOCKLOG_SAFETY_COPIES * BLOCKLOG_SAFETY_REGION_BYTES,
	BLOCKLOG_SAFETY_PREFIX_BYTES = 16, /* durable ends of lane and block log */
};

_Static_assert(BLOCKLOG_HEAD_BYTES == BLOCKLOG_HEAD_SUMMED_BYTES + BLOCKLOG_CHECKSUM_BYTES,
	       "the checksum ends the head");
_Static_assert(BLOCKLOG_PAGE_BYTES % BLOCKLOG_HEAD_BYTES == 0, "a PAD always fits");
_Static_assert(BLOCKLOG_SAFETY_SLOTS *BLOCKLOG_SAFETY_SLOT_BYTES <= BLOCKLOG_SAFETY_REGION_BYTES,
	       "the slots of one copy stay inside their region");
_Static_assert(BLOCKLOG_SAFETY_BYTES_MAX + BLOCKLOG_SAFETY_PREFIX_BYTES + BLOCKLOG_HEAD_BYTES <=
		       BLOCKLOG_SAFETY_SLOT_BYTES,
	       "a safety record fits its slot");

/* What every checksum of one store begins with. */
struct blocklog_key {
	struct crypto_hash hash; /* of chain id, node id, salt */
};

struct blocklog_checksum {
	uint8_t b[BLOCKLOG_CHECKSUM_BYTES];
};

struct blocklog_head {
	enum blocklog_log log;
	uint16_t kind;
	uint32_t length;    /* bytes after the head */
	uint32_t unsettled; /* position minus a durable end known when it was written */
	uint64_t position;
	uint64_t sequence; /* application records before this one in its log */
	struct blocklog_checksum previous;
	struct blocklog_checksum checksum;
};

struct blocklog_superblock {
	uint32_t version;
	uint64_t sequence; /* the highest valid copy counts */
	struct blocklog_identity identity;
	uint8_t salt[BLOCKLOG_SALT_BYTES];
	uint64_t segment_bytes;
	uint64_t record_bytes_max; /* of lane and block records, for ever */
	uint64_t checkpoint_height;
	struct crypto_hash checkpoint_id;
};

/* The bytes of a SEGMENT record. */
struct blocklog_segment {
	uint32_t version;
	struct blocklog_identity identity;
	uint64_t segment_bytes;
	uint64_t number;
	uint64_t previous_end; /* where the log ended before this segment */
};

struct blocklog_key blocklog_key_of(const struct blocklog_identity *identity,
				    const uint8_t salt[BLOCKLOG_SALT_BYTES]);

/* Bytes a record of `length` occupies: head, bytes, zeros. */
static inline uint64_t blocklog_span(uint64_t length)
{
	return (BLOCKLOG_HEAD_BYTES + length + BLOCKLOG_HEAD_BYTES - 1) &
	       ~(uint64_t)(BLOCKLOG_HEAD_BYTES - 1);
}

/*
 * Writes the head in front of the bytes at `record` + 64 and zeros behind them up to
 * the span; sets head->checksum. `record` has room for blocklog_span(head->length).
 */
void blocklog_record_seal(const struct blocklog_key *key, struct blocklog_head *head,
			  uint8_t *record);

/*
 * Reads a head: magic, known log, and a length whose span is at most `room`. Believes
 * nothing else; the checksum is blocklog_record_is_whole()'s business.
 */
bool blocklog_head_read(const uint8_t *record, uint64_t room, struct blocklog_head *ret_head);

/* True when the checksum of a record, whose head was read, holds over its whole span. */
bool blocklog_record_is_whole(const struct blocklog_key *key, const struct blocklog_head *head,
			      const uint8_t *record);

bool blocklog_checksum_equal(const struct blocklog_checksum *a, const struct blocklog_checksum *b);

/* Both fill one page; decoding a superblock returns 0, ERR_NEWER or ERR_CORRUPT. */
void blocklog_superblock_encode(const struct blocklog_superblock *superblock,
				uint8_t ret_page[BLOCKLOG_PAGE_BYTES]);
int blocklog_superblock_decode(const uint8_t page[BLOCKLOG_PAGE_BYTES],
			       struct blocklog_superblock *ret_superblock);

/* The bytes of a SEGMENT record fill its page: PAGE - HEAD bytes. */
void blocklog_segment_encode(const struct blocklog_segment *segment, uint8_t *ret_bytes);
bool blocklog_segment_decode(const uint8_t *bytes, size_t count,
			     struct blocklog_segment *ret_segment);

/* Where copy `copy` of the safety record with this sequence lies in the safety file. */
static inline uint64_t blocklog_safety_offset(uint64_t sequence, uint32_t copy)
{
	return (uint64_t)copy * BLOCKLOG_SAFETY_REGION_BYTES +
	       sequence % BLOCKLOG_SAFETY_SLOTS * BLOCKLOG_SAFETY_SLOT_BYTES;
}

/* The position in the head of the safety record with this sequence; both copies are equal. */
static inline uint64_t blocklog_safety_position(uint64_t sequence)
{
	return sequence * BLOCKLOG_SAFETY_SLOT_BYTES;
}

bool blocklog_is_zero(const void *bytes, size_t count);

#endif
