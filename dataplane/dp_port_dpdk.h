/*
 * dp_port_dpdk: ports over DPDK: memif and af_packet.
 *
 * memif. Both ends map the same memory; a Unix socket beside it carries the set-up and, by
 * closing, the news of a peer's death. DPDK runs that socket on a thread of its own and unmaps the
 * memory there, under the feet of a burst that is just using it. Here the driver's socket
 * callbacks are kept and called from dp_port_housekeep() instead, so bursts and link changes never
 * overlap. A client port does not come back by itself after its server died: the supervisor, in
 * housekeep and at most every `restart_ns`, stops and starts it.
 *
 * af_packet. The driver hides its socket; it is found among the descriptors that appeared while
 * the port was opened, and is readable when the receive ring holds a frame.
 *
 * Memory   One packet pool of the process, taken by dp_ports_dpdk_start(). memif shares
 *          2 x slots x 2 048 bytes with each peer and allocates a little when a link comes up:
 *          the one exception to "no allocation after start".
 * Trust    Whoever holds the other end of a memif link can write descriptors the driver follows
 *          without a check: memif is for processes of one operator, never for strangers.
 * Threads  All ports of a process belong to one thread.
 * Errors   Negative codes; dp_env_error() has the one-line cause.
 */
#ifndef QUORATE_DATAPLANE_DP_PORT_DPDK_H
#define QUORATE_DATAPLANE_DP_PORT_DPDK_H

#include "dataplane/dp_port.h"

/*
 * Takes the packet pool; once, after dp_env_start(). `packets` 0 means 4 096. Returns 0 or
 * ERR_MEMORY.
 */
int dp_ports_dpdk_start(uint32_t packets);

/* Closes what is open and returns the pool. */
void dp_ports_dpdk_stop(void);

/*
 * Opens one port into caller's memory; the port is up only when its peer is. Returns 0; ERR_CONFIG
 * for a
 * bad name; ERR_BUSY if the memif socket's name is taken by a live process; ERR_NOT_FOUND for an
 * interface that
 * does not exist; ERR_MEMORY. On failure nothing stays open.
 */
int dp_port_dpdk_open(struct dp_port *port, const struct dp_port_config *config);

#endif
