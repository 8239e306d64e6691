/*
 * dp_ring: a single-producer single-consumer ring of byte messages.
 *
 *     producer: reserve -> write -> commit        consumer: peek -> read -> release
 *
 *     memory    [ header | payload ][ header | payload ] ... [ pad to the end ]
 *
 * A message is contiguous: room that would wrap is skipped by a pad the consumer never sees.
 * Everything a message needs travels in its header, so tiles share no other memory.
 * Policy   A full ring gives no room; what that means is written where the ring is used.
 * Memory   Caller's, 64-byte aligned, dp_ring_footprint() bytes. Payloads are 16-byte aligned.
 * Threads  One producer and one consumer, which may be the same thread.
 */
#ifndef QUORATE_DATAPLANE_DP_RING_H
#define QUORATE_DATAPLANE_DP_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DP_RING_BYTES_MIN = 128 * 1024, /* holds WIRE_MESSAGE_BYTES_MAX more than twice */
	DP_RING_BYTES_MAX = 256 * 1024 * 1024,
	DP_RING_MESSAGE_BYTES_MAX = 56 * 1024, /* a whole peer message and what is put before it */
};

/* What a message says about itself; `kind` and the rest mean what the ring's users agree on. */
struct dp_ring_header {
	uint32_t bytes; /* of the payload; filled in by commit */
	uint16_t kind;  /* never 0 */
	uint16_t flags;
	uint32_t source;
	uint32_t tag;
	uint64_t aux;
	uint64_t aux_high;
};

struct dp_ring {
	/* Written by the producer. */
	_Alignas(64) _Atomic uint64_t head; /* bytes ever committed */
	uint64_t tail_seen;                 /* a lower bound of `tail` */
	uint64_t reserved_at;               /* where the reserved entry starts; past the pad */
	uint32_t reserved_bytes;
	_Atomic uint64_t full_count;    /* reserves refused */
	_Atomic uint64_t message_count; /* messages committed */
	/* Written by the consumer. */
	_Alignas(64) _Atomic uint64_t tail; /* bytes ever released */
	uint64_t head_seen;                 /* a lower bound of `head` */
	/* Constant after init. */
	_Alignas(64) uint8_t *memory;
	uint64_t byte_count;
};

/*
 * Returns what dp_ring_init() needs, or 0 if `ring_bytes` is no power of two in the bounds
 * above.
 */
size_t dp_ring_footprint(uint32_t ring_bytes);

/* Returns 0 and a ring inside `memory`, or ERR_CONFIG, ERR_MEMORY. */
int dp_ring_init(void *memory, size_t memory_bytes, uint32_t ring_bytes, struct dp_ring **ret_ring);

/*
 * The largest payload this ring takes: half of it, so that it fits wherever it starts. Every ring
 * takes DP_RING_MESSAGE_BYTES_MAX.
 */
uint32_t dp_ring_payload_max(const struct dp_ring *ring);

/*
 * Producer: room for a payload of `bytes` (at most dp_ring_payload_max()), or NULL when the
 * ring
 * is full (counted). A second reserve without a commit gives the first one up.
 */
uint8_t *dp_ring_reserve(struct dp_ring *ring, uint32_t bytes);

/* Producer: makes the reserved message visible; `bytes` may be less than was reserved. */
void dp_ring_commit(struct dp_ring *ring, const struct dp_ring_header *header, uint32_t bytes);

/* Producer: reserve, copy, commit. False when the ring is full. */
bool dp_ring_push(struct dp_ring *ring, const struct dp_ring_header *header, const void *payload,
		  uint32_t bytes);

/*
 * Consumer: the oldest message, or NULL when there is none. Header and payload belong to the
 * consumer (it may decode in place) until dp_ring_release(). A second peek gives the same message.
 */
uint8_t *dp_ring_peek(struct dp_ring *ring, const struct dp_ring_header **ret_header);

/* Consumer: gives the peeked message's room back. */
void dp_ring_release(struct dp_ring *ring);

/*
 * Bytes waiting, headers and pads included; exact for either end's own thread, else a moment
 * old.
 */
uint64_t dp_ring_backlog_bytes(const struct dp_ring *ring);

#endif
