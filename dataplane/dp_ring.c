#include "dataplane/dp_ring.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

enum {
	ENTRY_ALIGN = 16,
	KIND_PAD = 0, /* an entry that only fills the end of the memory */
};

_Static_assert(sizeof(struct dp_ring_header) == 32, "payloads stay 16-byte aligned");
_Static_assert(2 * (DP_RING_MESSAGE_BYTES_MAX + 2 * sizeof(struct dp_ring_header)) <=
		       DP_RING_BYTES_MIN,
	       "the largest message fits wherever it starts");
_Static_assert(offsetof(struct dp_ring, tail) - offsetof(struct dp_ring, head) >= 64,
	       "producer and consumer write different cache lines");
_Static_assert(offsetof(struct dp_ring, memory) - offsetof(struct dp_ring, tail) >= 64,
	       "constants share no cache line with what is written");

static uint64_t entry_bytes(uint32_t payload_bytes)
{
	return units_round_up(sizeof(struct dp_ring_header) + payload_bytes, ENTRY_ALIGN);
}

size_t dp_ring_footprint(uint32_t ring_bytes)
{
	if (ring_bytes < DP_RING_BYTES_MIN || ring_bytes > DP_RING_BYTES_MAX ||
	    (ring_bytes & (ring_bytes - 1)) != 0)
		return 0;
	return sizeof(struct dp_ring) + ring_bytes;
}

int dp_ring_init(void *memory, size_t memory_bytes, uint32_t ring_bytes, struct dp_ring **ret_ring)
{
	struct dp_ring *ring = memory;
	size_t footprint = dp_ring_footprint(ring_bytes);

	if (footprint == 0)
		return ERR_CONFIG;
	if (!memory || memory_bytes < footprint || (uintptr_t)memory % 64 != 0)
		return ERR_MEMORY;
	memset(ring, 0, sizeof(*ring));
	ring->memory = (uint8_t *)memory + sizeof(*ring);
	ring->byte_count = ring_bytes;
	*ret_ring = ring;
	return 0;
}

static struct dp_ring_header *entry_at(const struct dp_ring *ring, uint64_t position)
{
	return (struct dp_ring_header *)(void *)(ring->memory +
						 (position & (ring->byte_count - 1)));
}

static bool has_room(struct dp_ring *ring, uint64_t end)
{
	if (end - ring->tail_seen <= ring->byte_count)
		return true;
	/*
	 * Acquire pairs with the release in dp_ring_release(): the consumer is done with those
	 * bytes.
	 */
	ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
	return end - ring->tail_seen <= ring->byte_count;
}

uint32_t dp_ring_payload_max(const struct dp_ring *ring)
{
	return (uint32_t)(ring->byte_count / 2 - sizeof(struct dp_ring_header));
}

uint8_t *dp_ring_reserve(struct dp_ring *ring, uint32_t bytes)
{
	/* Relaxed: only this thread writes `head`. */
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t to_end = ring->byte_count - (head & (ring->byte_count - 1));
	uint64_t needed = entry_bytes(bytes);
	uint64_t at = needed <= to_end ? head : head + to_end;

	ensure(bytes <= dp_ring_payload_max(ring));
	if (!has_room(ring, at + needed)) {
		/* Relaxed: a counter for people; nothing depends on its order. */
		atomic_store_explicit(&ring->full_count, ring->full_count + 1,
				      memory_order_relaxed);
		return NULL;
	}
	ring->reserved_at = at;
	ring->reserved_bytes = bytes;
	return (uint8_t *)(entry_at(ring, at) + 1);
}

void dp_ring_commit(struct dp_ring *ring, const struct dp_ring_header *header, uint32_t bytes)
{
	/* Relaxed: only this thread writes `head`. */
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct dp_ring_header *entry = entry_at(ring, ring->reserved_at);

	ensure(bytes <= ring->reserved_bytes && header->kind != KIND_PAD);
	ensure(ring->reserved_at >= head);
	if (ring->reserved_at != head)
		entry_at(ring, head)->kind = KIND_PAD;
	*entry = *header;
	entry->bytes = bytes;
	/* Relaxed: a counter for people; nothing depends on its order. */
	atomic_store_explicit(&ring->message_count, ring->message_count + 1, memory_order_relaxed);
	/* Release pairs with the acquire in dp_ring_peek(): header and payload are written. */
	atomic_store_explicit(&ring->head, ring->reserved_at + entry_bytes(bytes),
			      memory_order_release);
	ring->reserved_bytes = 0;
	ring->reserved_at = 0;
}

bool dp_ring_push(struct dp_ring *ring, const struct dp_ring_header *header, const void *payload,
		  uint32_t bytes)
{
	uint8_t *room = dp_ring_reserve(ring, bytes);

	if (!room)
		return false;
	if (bytes > 0)
		memcpy(room, payload, bytes);
	dp_ring_commit(ring, header, bytes);
	return true;
}

uint8_t *dp_ring_peek(struct dp_ring *ring, const struct dp_ring_header **ret_header)
{
	/* Relaxed: only this thread writes `tail`. */
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	struct dp_ring_header *entry;

	if (tail == ring->head_seen) {
		/* Acquire pairs with the release in dp_ring_commit(): the entry is whole. */
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
		if (tail == ring->head_seen)
			return NULL;
	}
	entry = entry_at(ring, tail);
	if (entry->kind == KIND_PAD) {
		tail += ring->byte_count - (tail & (ring->byte_count - 1));
		/*
		 * Release pairs with the acquire in has_room(): nobody looks at the pad any
		 * more.
		 */
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
		entry = entry_at(ring, tail);
	}
	*ret_header = entry;
	return (uint8_t *)(entry + 1);
}

void dp_ring_release(struct dp_ring *ring)
{
	/* Relaxed: only this thread writes `tail`. */
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	const struct dp_ring_header *entry = entry_at(ring, tail);

	ensure(tail != ring->head_seen && entry->kind != KIND_PAD);
	/* Release pairs with the acquire in has_room(): the message was read. */
	atomic_store_explicit(&ring->tail, tail + entry_bytes(entry->bytes), memory_order_release);
}

uint64_t dp_ring_backlog_bytes(const struct dp_ring *ring)
{
	/* Acquire twice, tail first: it can never seem to have passed the head. */
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	return head - tail;
}
