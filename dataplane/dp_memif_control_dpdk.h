/*
 * dp_memif_control_dpdk: memif's socket callbacks, called on the thread that owns the ports.
 *
 * The memif driver registers a callback for each of its control sockets with DPDK's interrupt
 * thread, which maps and unmaps shared memory from there, also while a burst is reading it. The
 * linker sends these registrations here instead (--wrap, see meson.build): between _begin() and
 * _end() they are kept in a table and run by _dispatch(); all others go on to DPDK.
 *
 * Threads  One: whoever calls begin, end and dispatch.
 */
#ifndef QUORATE_DATAPLANE_DP_MEMIF_CONTROL_DPDK_H
#define QUORATE_DATAPLANE_DP_MEMIF_CONTROL_DPDK_H

#include <stdint.h>

enum { DP_MEMIF_CONTROL_NOBODY = UINT32_MAX };

/* Returns 0 or -errno. */
int dp_memif_control_open(void);
void dp_memif_control_close(void);

/* Readable when a control socket is. -1 before open. */
int dp_memif_control_fd(void);

/* Callbacks registered until _end() belong to `port`. They may nest inside dispatch only. */
void dp_memif_control_begin(uint32_t port);
void dp_memif_control_end(void);

/* Runs what is ready, a bounded number. */
void dp_memif_control_dispatch(void);

/* How many control sockets of `port` are open: a client without one has no server. */
uint32_t dp_memif_control_count(uint32_t port);

#endif
