/*
 * node_answer: the ways out to clients, network or local, as one.
 *
 * A tile that answers clients has one ring to the net tile and one to the ingress
 * thread. An answer goes to an origin (who submitted) or to everybody subscribed to
 * a client key. Full rings: a receipt or refusal is dropped and counted; the
 * client resends and is answered again (PROTOCOL §7), so nothing is lost.
 */
#ifndef QUORATE_NODE_ANSWER_H
#define QUORATE_NODE_ANSWER_H

#include <stdatomic.h>

#include "dataplane/dp_ring.h"
#include "replica/replica.h"

struct node_answer {
	struct dp_ring *net;
	struct dp_ring *local; /* NULL: no ingress */
	const _Atomic uint32_t
		*local_open; /* local connections; at 0 nobody there is told anything */
	uint64_t dropped;
	uint64_t local_sent; /* grows when the ingress thread has something to take */
};

/* True when a local program is connected. */
bool node_answer_is_heard(const struct node_answer *answer);

/* Tells the origin of a frame that it is not taken; `limit` as in struct replica_effect. */
void node_answer_refusal(struct node_answer *answer, uint64_t origin,
			 const struct crypto_public_key *client, uint64_t first_seq, int reason,
			 uint64_t limit);

/* Tells all subscribers of the receipt's client, on the network and here. */
void node_answer_receipt(struct node_answer *answer, const struct replica_receipt *receipt);

/* Subscribes a network client to a key's receipts. */
void node_answer_subscribe(struct node_answer *answer, uint64_t origin,
			   const struct crypto_public_key *client);

/* Tells a network client's budget what its message cost. */
void node_answer_charge(struct node_answer *answer, uint64_t origin, uint32_t checks);

#endif
