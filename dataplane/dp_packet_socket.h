/*
 * dp_packet_socket: finds the packet socket a driver opened, so that one can sleep on it.
 *
 * The af_packet driver hides its descriptor. It is the packet socket bound to the interface
 * that was not there before the driver opened it. It is only ever waited on, never read.
 */
#ifndef QUORATE_DATAPLANE_DP_PACKET_SOCKET_H
#define QUORATE_DATAPLANE_DP_PACKET_SOCKET_H

#include <stdint.h>

enum { DP_PACKET_SOCKET_FDS_MAX = 4096 };

struct dp_packet_sockets {
	uint64_t map[DP_PACKET_SOCKET_FDS_MAX / 64]; /* descriptors bound to the interface */
};

/*
 * Returns 0; ERR_NOT_FOUND without such an interface; ERR_PERMISSION if packet sockets are not
 * allowed.
 */
int dp_packet_socket_check(const char *interface);

void dp_packet_sockets_list(const char *interface, struct dp_packet_sockets *ret_sockets);

/* The packet socket on `interface` that is not in `before`, or -1. */
int dp_packet_socket_new(const char *interface, const struct dp_packet_sockets *before);

#endif
