/*
 * replica_outbox: the ordered effects of one step, and the bytes they point to.
 *
 * Model    A ring of effects and a bump region for bytes. Both are empty when a
 *          step begins: drivers drain them in between. Persist, sign and
 *          consensus messages always find room (their worst case is reserved);
 *          lane frames and repair answers beyond half of the region, or beyond
 *          a peer's share of the step, are dropped and counted: NACK brings
 *          them back.
 */
#ifndef QUORATE_REPLICA_REPLICA_OUTBOX_H
#define QUORATE_REPLICA_REPLICA_OUTBOX_H

#include "replica/replica.h"

struct replica_outbox {
	struct replica_effect *ring; /* REPLICA_EFFECTS_MAX */
	uint32_t first;
	uint32_t count;
	uint8_t *bytes;
	size_t bytes_used;
	size_t bytes_max;
	uint32_t peer_sends_max;
	uint32_t peer_sends[HS_REPLICAS_MAX]; /* of lane and repair class, this step */
};

size_t replica_outbox_bytes_max(uint32_t replica_count);

/* Begins a step: the outbox must be drained. */
void replica_outbox_reset(struct replica_outbox *outbox);

/* Effects still free for what can wait (receipts, deliveries). */
uint32_t replica_outbox_room(const struct replica_outbox *outbox);

/* A new effect at the end of the ring, zeroed but for its kind. Never NULL. */
struct replica_effect *replica_outbox_push(struct replica_outbox *outbox,
					   enum replica_effect_kind kind);

/* Room for bytes of the step; never NULL: aborts when the reserve was computed wrongly. */
uint8_t *replica_outbox_take(struct replica_outbox *outbox, size_t count);

/* Gives back the unused end of the last take. */
void replica_outbox_trim(struct replica_outbox *outbox, size_t unused);

/* True when a lane or repair message to these peers may still be sent in this step; counts it. */
bool replica_outbox_admits(struct replica_outbox *outbox, const struct bitset *to,
			   enum replica_send_class class_);

#endif
