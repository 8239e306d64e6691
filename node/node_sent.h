/*
 * node_sent: which counter a message to peers belongs to, by its first byte (enum wire_kind).
 *
 * Counted once a message, whatever the number of peers, when it is handed to the net tile.
 */
#ifndef QUORATE_NODE_NODE_SENT_H
#define QUORATE_NODE_NODE_SENT_H

#include "ctl/ctl_metrics.h"
#include "wire/wire_message.h"

static inline void node_count_sent(struct ctl_block *block, uint8_t kind)
{
	switch ((enum wire_kind)kind) {
	case WIRE_PROPOSE:
		ctl_metric_add(block, CTL_METRIC_PROPOSALS_SENT, 1);
		return;
	case WIRE_VOTE:
		ctl_metric_add(block, CTL_METRIC_VOTES_SENT, 1);
		return;
	case WIRE_COMMIT:
		ctl_metric_add(block, CTL_METRIC_COMMITS_SENT, 1);
		return;
	case WIRE_TIMEOUT:
		ctl_metric_add(block, CTL_METRIC_TIMEOUTS_SENT, 1);
		return;
	case WIRE_WANT_BATCH:
	case WIRE_WANT_BLOCK:
	case WIRE_WANT_BLOCKS:
	case WIRE_WANT_CERTIFICATES:
		ctl_metric_add(block, CTL_METRIC_FETCHES_SENT, 1);
		return;
	case WIRE_REPAIR:
	case WIRE_LEAVES:
	case WIRE_BLOCKS:
	case WIRE_CERTIFICATES:
		ctl_metric_add(block, CTL_METRIC_FETCHES_ANSWERED, 1);
		return;
	default:
		return;
	}
}

#endif
