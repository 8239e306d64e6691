/*
 * lane_repair: asking for what is missing, and answering others (PROTOCOL §2.3, §2.7).
 *
 * Asking    Oldest first, LANE_FETCHES_MAX batches of a lane at a time, after
 *           the reorder window; the owner first, then whoever acknowledged, one
 *           after the other: a deaf peer costs an interval, never more. An
 *           answer that helps is followed by the next question at once.
 * Answering From memory, or by READ from the log; within the peer's budget.
 */
#ifndef QUORATE_DATAPLANE_LANE_REPAIR_H
#define QUORATE_DATAPLANE_LANE_REPAIR_H

#include "dataplane/lane_state.h"

/*
 * A block that names `seq` waits for everything up to there: who asked in vain, slower from round
 * to round, asks at the first pace again. It was perhaps a fault that ate the questions.
 */
void lane_repair_urge(struct lane_set *set, struct lane *lane, uint64_t seq);

/* Asks for what is due in every lane, beginning with another lane each time. */
void lane_repair_tick(struct lane_set *set);

/* An answer from `from` helped (LANE_NONE: ask whom you like): go on at once. */
void lane_repair_continue(struct lane_set *set, struct lane *lane, struct lane_branch *branch,
			  uint32_t from);

/* True if the header was the lowest anchor's: the walk goes one down. */
bool lane_repair_on_anchor(struct lane_set *set, struct lane *lane,
			   const struct lane_header *header);

/* A peer asks. */
void lane_repair_on_want(struct lane_set *set, uint32_t from, const struct lane_want *want);

/* A record read for a peer is here (or is not: code < 0). */
void lane_repair_on_read(struct lane_set *set, uint64_t ticket, int code, const uint8_t *bytes,
			 uint32_t byte_count);

#endif
