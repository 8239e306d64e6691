/*
 * lane_intake: what arrives of other replicas' batches, until it is bound and on its way to the
 * disk (PROTOCOL §2.2, §2.8, §2.9).
 *
 *     frames (owner's session) --> provisional --+
 *     header (signed) ---------------------------+--> complete, root matches: bound --> PERSIST
 *     repair frames (signed header and path) ----+
 *     leaf list (matches the root) --> wrong frames out
 */
#ifndef QUORATE_DATAPLANE_LANE_INTAKE_H
#define QUORATE_DATAPLANE_LANE_INTAKE_H

#include "dataplane/lane_state.h"

void lane_intake_on_frame(struct lane_set *set, uint32_t from, const struct lane_frame *frame);
void lane_intake_on_header(struct lane_set *set, const struct lane_header *header);
void lane_intake_on_repair(struct lane_set *set, uint32_t from, const struct lane_repair *repair);
void lane_intake_on_leaves(struct lane_set *set, const struct lane_leaves *leaves);

/* The disk has a bound batch: it may be claimed now. */
void lane_intake_on_persisted(struct lane_set *set, uint32_t buffer, uint64_t position);

/* A batch with a bad seal was committed all the same: store it after all. */
void lane_intake_force(struct lane_set *set, struct lane *lane);

#endif
