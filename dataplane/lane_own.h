/*
 * lane_own: this replica's own lane: admission, streaming, closing, announcing (PROTOCOL §2.1).
 *
 * Closing   At the end of the burst when every own batch is acknowledged by q
 *           (light load); after batch_close_ns with fewer than LANE_PIPELINE_MAX
 *           unacknowledged; otherwise when full, when acknowledgements come, or
 *           after LANE_CLOSE_STRETCH * batch_close_ns: batches grow with load.
 *           With half the window uncommitted only size closes, or
 *           LANE_CROWDED_STRETCH: a slow order must not meet a full window.
 * No fork   A header leaves only when its batch is durable here and every own
 *           header before it has left: after a crash, what others may hold
 *           signed is on our disk. Frames streamed before are provisional.
 */
#ifndef QUORATE_DATAPLANE_LANE_OWN_H
#define QUORATE_DATAPLANE_LANE_OWN_H

#include "dataplane/lane_state.h"

void lane_own_start(struct lane_set *set, uint64_t seq_floor);

/* A client's frame: streamed into the open batch, or refused with ERR_FULL or ERR_OVERSIZE. */
void lane_own_on_client(struct lane_set *set, const struct lane_input *input);

/* The signer's answer for own batch `seq`. */
void lane_own_on_signed(struct lane_set *set, uint64_t seq,
			const struct crypto_signature *signature);

/* An own batch became durable, or claims came: announce, close what waited. */
void lane_own_advance(struct lane_set *set);
void lane_own_on_claims(struct lane_set *set);

/* Closes the open batch if it is due, resends headers that peers lack. */
void lane_own_tick(struct lane_set *set);

/* Asks for the signature of an own batch found without one after a restart. */
void lane_own_sign_again(struct lane_set *set, uint64_t seq, const struct crypto_hash *digest);

uint64_t lane_own_deadline_ns(const struct lane_set *set);

#endif
