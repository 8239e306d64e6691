/*
 * lane_claims: ACKVECs out and in; who stores and who checked what (PROTOCOL §2.4-§2.7).
 *
 * Out: one entry for each lane whose durable tip or verified bits changed, at
 * once when the last ACKVEC is an interval old; everything uncommitted again
 * from time to time, slower and slower, since an ACKVEC may be lost.
 * In: a claim (seq, digest) covers a batch below it only on a chain we know.
 */
#ifndef QUORATE_DATAPLANE_LANE_CLAIMS_H
#define QUORATE_DATAPLANE_LANE_CLAIMS_H

#include "dataplane/lane_state.h"

/* Duty list D of a batch (§2.5). Policy `all`: everybody is in it, and checks everything. */
bool lane_duty(const struct lane_set *set, uint32_t lane, uint64_t seq,
	       const struct crypto_hash *digest, uint32_t replica);

/* Takes in the ACKVEC of its author's session. */
void lane_claims_on_ackvec(struct lane_set *set, uint32_t from, const struct lane_ackvec *ackvec);

/* Does `peer` claim this batch stored? */
bool lane_claims_cover(const struct lane_set *set, const struct lane *lane, uint32_t peer,
		       uint64_t seq, const struct crypto_hash *digest);

/* How many others claim it stored and verified. */
uint32_t lane_claims_verified(const struct lane_set *set, const struct lane *lane, uint64_t seq,
			      const struct crypto_hash *digest);

/* Does this peer say it verified `seq`? (Says nothing about the chain.) */
bool lane_claim_has_bit(const struct lane_claim *claim, uint64_t seq);

/* True if f+1 peers claim something at or above seq. */
bool lane_claims_expect(const struct lane_set *set, const struct lane *lane, uint64_t seq);

/* Sends what changed if the interval has passed, and what is uncommitted if its resend is due. */
void lane_claims_flush(struct lane_set *set);

/* When lane_claims_flush() has something to do. */
uint64_t lane_claims_deadline_ns(const struct lane_set *set);

#endif
