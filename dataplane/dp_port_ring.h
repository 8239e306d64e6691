/*
 * dp_port_ring: a port whose other end is in the same process: a pair of rings.
 *
 * Same contract as any port (dp_port.h), no DPDK, no descriptors, no clock: two nodes in one
 * process, tests, tools. Frames given to one end come out of the other in order; a full
 * ring drops and counts, as a wire does.
 */
#ifndef QUORATE_DATAPLANE_DP_PORT_RING_H
#define QUORATE_DATAPLANE_DP_PORT_RING_H

#include "dataplane/dp_port.h"

size_t dp_port_ring_footprint(uint32_t ring_bytes);

/*
 * Builds both ends in `memory` (64-byte aligned, dp_port_ring_footprint() bytes). 0, ERR_CONFIG,
 * ERR_MEMORY.
 */
int dp_port_ring_open(void *memory, size_t memory_bytes, uint32_t ring_bytes,
		      const struct dp_mac *mac_a, const struct dp_mac *mac_b, struct dp_port *ret_a,
		      struct dp_port *ret_b);

#endif
