/*
 * dp_drop: the named reasons of dp_drop.def as numbers, and one counter each.
 */
#ifndef QUORATE_DATAPLANE_DP_DROP_H
#define QUORATE_DATAPLANE_DP_DROP_H

#include <stdint.h>

enum dp_drop {
#define DP_DROP(name, text) DP_DROP_##name,
#include "dataplane/dp_drop.def"
#undef DP_DROP
	DP_DROP_COUNT,
};

struct dp_drops {
	uint64_t count[DP_DROP_COUNT];
};

/* Name and text of a reason; `reason` below DP_DROP_COUNT. */
const char *dp_drop_name(enum dp_drop reason);
const char *dp_drop_text(enum dp_drop reason);

static inline void dp_drops_add(struct dp_drops *drops, enum dp_drop reason)
{
	drops->count[reason]++;
}

#endif
