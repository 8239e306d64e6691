/*
 * sim_marks: what the simulator reached, told by messages, records and reasons of drops.
 *
 * Only looks: nothing here changes a run. Situations that need a Byzantine member or a
 * bad disk are optional; everything else a batch of seeds must reach (marks.h).
 */
#ifndef QUORATE_TESTS_SIM_SIM_MARKS_H
#define QUORATE_TESTS_SIM_SIM_MARKS_H

#include "replica/replica_windows.h"
#include "tests/sim/sim_check.h"

void sim_marks_sent(const struct sim *sim, const struct sim_node *node,
		    const struct wire_message *message);
void sim_marks_append(const struct sim_append *append);
void sim_marks_dropped(const struct replica_effect *effect);
void sim_marks_receipt(const struct replica_receipt *receipt);
void sim_marks_refused(int code);
/* A client's frame at the gate. */
void sim_marks_gate(int code);
void sim_marks_outcome(enum replica_outcome outcome);

/* A height gets its order; `batches` counts what it orders, `node` was first. */
void sim_marks_order(const struct sim *sim, const struct sim_node *node,
		     const struct check_block *block, uint32_t batches, uint32_t transactions);
void sim_marks_final(const struct sim *sim, const struct sim_node *node, uint64_t height);

/* Recovery has read everything; the observer has not yet forgotten what it knew. */
void sim_marks_restart(const struct sim *sim, const struct sim_node *node);
void sim_marks_end(const struct sim *sim);

#endif
