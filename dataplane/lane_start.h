/*
 * lane_start: what recovery found becomes slots, index and claims (PROTOCOL rule R for lanes).
 */
#ifndef QUORATE_DATAPLANE_LANE_START_H
#define QUORATE_DATAPLANE_LANE_START_H

#include "dataplane/lane_state.h"

/*
 * Takes LANE_INPUT_START: every stored batch at or below the committed cut goes to the index,
 * others to slots.
 */
void lane_start(struct lane_set *set, const struct lane_input *input);

#endif
