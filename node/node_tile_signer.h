/*
 * node_tile_signer: the only tile that sees the signing key.
 *
 * Takes SIGN requests, gives SIGNED answers in the same order. It signs what it is
 * given: what may be signed is the core's decision, already durable or being made
 * so (rule D); nothing signed here leaves before the core says so.
 */
#ifndef QUORATE_NODE_TILE_SIGNER_H
#define QUORATE_NODE_TILE_SIGNER_H

#include "crypto/crypto_sign.h"
#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"

struct node_signer_setup {
	const struct crypto_signing_key *key; /* secret memory, the caller's */
	struct dp_ring *requests;
	struct dp_ring *ret_signed;
	struct ctl_block *metrics;
	const struct dp_tile_counters *loop; /* that runs this tile; NULL: none */
};

extern const struct dp_tile node_tile_signer;

#endif
