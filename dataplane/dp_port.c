#include "dataplane/dp_port.h"

const char *dp_port_kind_name(enum dp_port_kind kind)
{
	switch (kind) {
	case DP_PORT_MEMIF:
		return "memif";
	case DP_PORT_AF_PACKET:
		return "af_packet";
	case DP_PORT_RING:
		return "ring";
	}
	return "unknown";
}
