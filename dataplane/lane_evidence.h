/*
 * lane_evidence: an owner's contradictions, ready to be shown to anybody (PROTOCOL §2.9, §8).
 *
 * Only what the owner signed counts: two headers at one (lane, seq), or a
 * header whose root binds a frame with a bad client seal. Provisional frames
 * prove nothing.
 */
#ifndef QUORATE_DATAPLANE_LANE_EVIDENCE_H
#define QUORATE_DATAPLANE_LANE_EVIDENCE_H

#include "dataplane/lane_state.h"

/* Reports two headers in one slot, once a slot. */
void lane_evidence_fork(struct lane_set *set, struct lane_slot *slot,
			const struct lane_header *second);

/* Reports a bound batch with a bad seal and freezes the lane at its seq. */
void lane_evidence_bad_seal(struct lane_set *set, struct lane *lane, struct lane_branch *branch,
			    uint32_t bad_index);

#endif
