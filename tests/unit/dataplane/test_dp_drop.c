#include <ctype.h>
#include <string.h>

#include "dataplane/dp_drop.h"
#include "tests/lib/unit_main.h"

static void every_reason_has_a_name_fit_for_metrics_and_one_line_of_text(void)
{
	for (uint32_t i = 0; i < DP_DROP_COUNT; i++) {
		const char *name = dp_drop_name((enum dp_drop)i);

		UNIT_CHECK(strlen(name) > 0 && strlen(dp_drop_text((enum dp_drop)i)) > 0);
		UNIT_CHECK(strchr(dp_drop_text((enum dp_drop)i), '\n') == NULL);
		for (const char *at = name; *at; at++)
			UNIT_CHECK(isupper((unsigned char)*at) || *at == '_');
		for (uint32_t k = 0; k < i; k++)
			UNIT_CHECK(strcmp(name, dp_drop_name((enum dp_drop)k)) != 0);
	}
}

static void ask_beyond(void *context)
{
	(void)context;
	dp_drop_name(DP_DROP_COUNT);
}

static void a_reason_that_does_not_exist_aborts(void)
{
	UNIT_CHECK(unit_aborts(ask_beyond, NULL));
}

static void counting_touches_one_counter(void)
{
	struct dp_drops drops = { { 0 } };

	dp_drops_add(&drops, DP_DROP_TAG);
	dp_drops_add(&drops, DP_DROP_TAG);
	for (uint32_t i = 0; i < DP_DROP_COUNT; i++)
		UNIT_EQUAL(drops.count[i], i == DP_DROP_TAG ? 2 : 0);
}

UNIT_SUITE("dp_drop", UNIT_TEST(every_reason_has_a_name_fit_for_metrics_and_one_line_of_text),
	   UNIT_TEST(a_reason_that_does_not_exist_aborts), UNIT_TEST(counting_touches_one_counter))
