/*
 * node_pending: when frames admitted here arrived, so that finality can be measured.
 *
 * A fixed, direct-mapped table keyed by (client, first sequence number): a newer
 * frame takes an older one's place. Statistics only: a lost entry loses one sample.
 */
#ifndef QUORATE_NODE_PENDING_H
#define QUORATE_NODE_PENDING_H

#include <stdint.h>
#include <string.h>

#include "crypto/crypto_types.h"

enum { NODE_PENDING_SLOTS = 8192 };

struct node_pending {
	struct {
		uint64_t key;
		uint64_t arrived_ns;
	} slot[NODE_PENDING_SLOTS];
};

static inline void node_pending_init(struct node_pending *pending)
{
	memset(pending, 0, sizeof(*pending));
}

static inline uint64_t node_pending_key(const struct crypto_public_key *client, uint64_t first_seq)
{
	uint64_t key;

	memcpy(&key, client->b, sizeof(key));
	key ^= first_seq * UINT64_C(0x9e3779b97f4a7c15);
	return key ^ key >> 29;
}

static inline void node_pending_add(struct node_pending *pending,
				    const struct crypto_public_key *client, uint64_t first_seq,
				    uint64_t arrived_ns)
{
	uint64_t key = node_pending_key(client, first_seq);

	pending->slot[key % NODE_PENDING_SLOTS].key = key;
	pending->slot[key % NODE_PENDING_SLOTS].arrived_ns = arrived_ns;
}

/* Returns when the frame arrived and forgets it; 0 if unknown. */
static inline uint64_t node_pending_take(struct node_pending *pending,
					 const struct crypto_public_key *client, uint64_t first_seq)
{
	uint64_t key = node_pending_key(client, first_seq);
	uint64_t arrived_ns = 0;

	if (pending->slot[key % NODE_PENDING_SLOTS].key == key) {
		arrived_ns = pending->slot[key % NODE_PENDING_SLOTS].arrived_ns;
		pending->slot[key % NODE_PENDING_SLOTS].arrived_ns = 0;
	}
	return arrived_ns;
}

#endif
