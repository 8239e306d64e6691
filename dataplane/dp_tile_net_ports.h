/*
 * dp_tile_net_ports: the net tile's side towards one port: packets in the making, links, bells.
 *
 * A packet being written is `held` until it is sent: asking again before gives the same one. What
 * is sent goes out in bursts, when 32 are together or at the end of a turn; then the peer is rung.
 */
#ifndef QUORATE_DATAPLANE_DP_TILE_NET_PORTS_H
#define QUORATE_DATAPLANE_DP_TILE_NET_PORTS_H

#include "dataplane/dp_tile_net.h"

struct net_port {
	struct dp_port *port;
	struct dp_bell *bell; /* ours, to ring with */
	struct dp_net net;
	struct dp_bell_ringer ringer;
	bool has_bell;
	bool was_up;
	int32_t peer;
	bool has_held; /* out[out_count] is taken, but not yet filled */
	struct dp_mac held_mac;
	uint32_t out_count;
	struct dp_packet out[DP_PORT_BURST_MAX];
};

/* Returns 0 or ERR_CONFIG. `bell` may be NULL. */
int net_port_setup(struct net_port *self, const struct dp_tile_net_port *setup,
		   struct dp_bell *bell);

/*
 * Gives back what is held, unlinks the ringer, closes the port if `closes`. Accepts a zeroed
 * one.
 */
void net_port_fini(struct net_port *self, bool closes);

/* Room for a datagram to `to`; NULL: link down, neighbour not known yet, no buffer. */
uint8_t *net_port_packet(struct net_port *self, const struct dp_net_path *to, uint64_t now_ns);

/* The datagram lies in the room last given. */
void net_port_send(struct net_port *self, const struct dp_net_path *to, uint32_t bytes);

/* Sends a received frame, rewritten into its answer, back; the packet is the port's again. */
void net_port_answer(struct net_port *self, struct dp_packet *packet, uint32_t bytes);

/* Sends the burst and rings. */
void net_port_flush(struct net_port *self);

/* Link, bell, ARP. Returns true when the link has just come up. */
bool net_port_housekeep(struct net_port *self, uint64_t now_ns);

#endif
