#include <string.h>

#include "dataplane/dp_port.h"
#include "tests/lib/unit_main.h"

static void every_kind_has_a_name(void)
{
	UNIT_CHECK(strcmp(dp_port_kind_name(DP_PORT_MEMIF), "memif") == 0);
	UNIT_CHECK(strcmp(dp_port_kind_name(DP_PORT_AF_PACKET), "af_packet") == 0);
	UNIT_CHECK(strcmp(dp_port_kind_name(DP_PORT_RING), "ring") == 0);
	UNIT_CHECK(strcmp(dp_port_kind_name((enum dp_port_kind)99), "unknown") == 0);
}

static void closing_a_port_that_never_opened_is_allowed(void)
{
	struct dp_port port = { .ops = NULL };

	dp_port_close(&port);
	dp_port_close(NULL);
	UNIT_CHECK(!port.is_up);
}

UNIT_SUITE("dp_port", UNIT_TEST(every_kind_has_a_name),
	   UNIT_TEST(closing_a_port_that_never_opened_is_allowed))
