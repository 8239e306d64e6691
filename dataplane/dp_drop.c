#include "dataplane/dp_drop.h"

#include "base/ensure.h"

static const struct {
	const char *name;
	const char *text;
} reasons[DP_DROP_COUNT] = {
#define DP_DROP(name, text) { #name, text },
#include "dataplane/dp_drop.def"
#undef DP_DROP
};

const char *dp_drop_name(enum dp_drop reason)
{
	ensure(reason < DP_DROP_COUNT);
	return reasons[reason].name;
}

const char *dp_drop_text(enum dp_drop reason)
{
	ensure(reason < DP_DROP_COUNT);
	return reasons[reason].text;
}
