/*
 * dp_port: what a network port offers, in our own words.
 *
 * A port moves Ethernet frames in bursts. Who implements it: memif and af_packet over DPDK
 * (dp_port_dpdk.c), and a pair of rings inside one process (dp_port_ring.h). Nothing above this
 * header knows DPDK.
 *
 *     kind       what it is                          peer                       figures mean
 *     memif      shared memory between processes     exactly one process        no wire, no kernel
 *     af_packet  a packet socket on a kernel NIC     whoever is on the wire     the kernel copies
 *     ring       memory inside one process           the pair's other end       tests and tools
 *
 * Ownership  A packet belongs to whoever holds it: receive and take hand it over, send and
 *            give_back take it back. Packets of one port are only given to ports of the same kind.
 * Threads    One owner per port; `housekeep` (link supervisor, control channels) is called by that
 *            owner
 *            between bursts and is the only call that may block for a moment.
 */
#ifndef QUORATE_DATAPLANE_DP_PORT_H
#define QUORATE_DATAPLANE_DP_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DP_PORT_BURST_MAX = 32,
	DP_PORT_NAME_BYTES = 64,
	DP_PORT_FRAME_BYTES_MAX = 1514, /* MTU 1500 and the Ethernet header */
	DP_PORT_FRAME_BYTES_MIN = 60,
	DP_PORTS_MAX = 128,
};

enum dp_port_kind { DP_PORT_MEMIF = 1, DP_PORT_AF_PACKET, DP_PORT_RING };

struct dp_mac {
	uint8_t b[6];
};

struct dp_packet {
	uint8_t *bytes;
	uint32_t byte_count; /* take: the room; send: what was written; receive: what came */
	void *owner;         /* the port's own business */
};

/* Running totals of a port; written by its owner. */
struct dp_port_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_dropped; /* peer's ring full or link down */
	uint64_t no_buffer;  /* no packet buffer was free */
	uint64_t link_ups;
	uint64_t link_downs;
	uint64_t link_restarts; /* tries of the supervisor */
};

struct dp_port;

struct dp_port_ops {
	/* Up to `max` (<= DP_PORT_BURST_MAX) packets; returns how many. */
	uint32_t (*receive)(struct dp_port *port, struct dp_packet *ret_packets, uint32_t max);
	/* Room for one outgoing packet of DP_PORT_FRAME_BYTES_MAX; false when no buffer is free. */
	bool (*take)(struct dp_port *port, struct dp_packet *ret_packet);
	/* Sends a burst; what the link does not take is counted. Returns how many went. */
	uint32_t (*send)(struct dp_port *port, struct dp_packet *packets, uint32_t count);
	void (*give_back)(struct dp_port *port, struct dp_packet *packets, uint32_t count);
	/* Between bursts, every few milliseconds: control channels, reconnecting, link state. */
	void (*housekeep)(struct dp_port *port, uint64_t now_ns);
	/*
	 * The descriptor that becomes readable when something arrives, or -1. memif: when a link
	 * comes or goes, the same one for all ports; for what arrives use a bell (dp_bell.h).
	 */
	int (*wait_fd)(struct dp_port *port);
	void (*close)(struct dp_port *port);
};

struct dp_port {
	const struct dp_port_ops *ops;
	void *implementation;
	enum dp_port_kind kind;
	char name[DP_PORT_NAME_BYTES];
	struct dp_mac mac;
	bool is_up; /* frames can go; refreshed by housekeep */
	struct dp_port_counters counters;
};

struct dp_port_config {
	enum dp_port_kind kind;
	char name[DP_PORT_NAME_BYTES]; /* for people and metrics; unique in the process */
	struct dp_mac mac; /* all zero: a random local one (memif), the NIC's (af_packet) */

	/* memif */
	char socket[DP_PORT_NAME_BYTES]; /* abstract socket, for instance "quorate/lab/0-1" */
	bool is_server;                  /* the other end is the client */
	uint32_t ring_slots_log2;        /* 0 means 10: 1 024 slots of 2 kB each way */
	uint64_t restart_ns;             /* supervisor's interval; 0 means 20 ms */

	/* af_packet */
	char interface[16];
	bool qdisc_bypass; /* false: tc rules see the frames */
};

static inline uint32_t dp_port_receive(struct dp_port *port, struct dp_packet *ret_packets,
				       uint32_t max)
{
	return port->ops->receive(port, ret_packets, max);
}

static inline bool dp_port_take(struct dp_port *port, struct dp_packet *ret_packet)
{
	return port->ops->take(port, ret_packet);
}

static inline uint32_t dp_port_send(struct dp_port *port, struct dp_packet *packets, uint32_t count)
{
	return port->ops->send(port, packets, count);
}

static inline void dp_port_give_back(struct dp_port *port, struct dp_packet *packets,
				     uint32_t count)
{
	port->ops->give_back(port, packets, count);
}

static inline void dp_port_housekeep(struct dp_port *port, uint64_t now_ns)
{
	port->ops->housekeep(port, now_ns);
}

static inline int dp_port_wait_fd(struct dp_port *port)
{
	return port->ops->wait_fd(port);
}

static inline void dp_port_close(struct dp_port *port)
{
	if (port && port->ops)
		port->ops->close(port);
}

/* "memif", "af_packet", "ring". */
const char *dp_port_kind_name(enum dp_port_kind kind);

#endif
