/*
 * dp_net: as much of Ethernet, ARP, IPv4, ICMP and UDP as one port of an appliance needs.
 *
 * One dp_net a port: its own addresses, a bounded neighbour table, nothing else. Frames come in as
 * bytes and leave as bytes; a request that deserves an answer is rewritten in place.
 *
 *     ARP     answers for its own address; takes replies only if it asked; may announce itself
 *     ICMP    answers echo requests up to a rate; nothing else
 *     IPv4    no fragments, no forwarding; options are skipped
 *     UDP     one port; the checksum is checked when there is one
 *
 * Memory   A plain value, the caller's. Pure. Threads: one owner.
 * Time     Nanoseconds; addresses and UDP ports are in host order.
 * Errors   What is wrong with a frame is counted under a name of dp_drop.def.
 */
#ifndef QUORATE_DATAPLANE_DP_NET_H
#define QUORATE_DATAPLANE_DP_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp_drop.h"
#include "dataplane/dp_port.h"

enum {
	DP_NET_HEAD_BYTES = 14 + 20 + 8, /* Ethernet, IPv4, UDP */
	DP_NET_DATAGRAM_BYTES_MAX = DP_PORT_FRAME_BYTES_MAX - DP_NET_HEAD_BYTES, /* 1 472 */
	DP_NET_ARP_BYTES = 60,
	DP_NET_NEIGHBOURS_MAX = 128,
};

struct dp_net_neighbour {
	uint32_t address;
	struct dp_mac mac;
};

struct dp_net_config {
	struct dp_mac mac;
	uint32_t address;
	uint32_t prefix_bits; /* 0..32; what is not inside goes to the gateway */
	uint32_t gateway;     /* 0: none, everything is a neighbour */
	uint16_t udp_port;
	bool udp_checksums;       /* write them; false on memory links */
	uint32_t echoes_per_s;    /* 0 means 100 */
	uint32_t neighbour_count; /* static ones: never asked, never changed */
	const struct dp_net_neighbour *neighbour;
};

enum dp_net_neighbour_state { DP_NET_FREE, DP_NET_ASKING, DP_NET_KNOWN, DP_NET_STATIC };

struct dp_net_entry {
	uint32_t address;
	struct dp_mac mac;
	uint8_t state; /* enum dp_net_neighbour_state */
	uint8_t tries; /* requests without an answer */
	uint64_t asked_ns;
	uint64_t known_ns;
};

struct dp_net {
	struct dp_net_config config;
	uint32_t entry_count;
	struct dp_net_entry entry[DP_NET_NEIGHBOURS_MAX];
	uint64_t echo_second_ns;
	uint32_t echoes_left;
	uint16_t next_id; /* IPv4 identification */
	struct dp_drops drops;
	uint64_t arp_answered;
	uint64_t echoes_answered;
};

/* Where somebody is: enough to send without a look-up. `port` is the caller's port index. */
struct dp_net_path {
	uint32_t address;
	uint16_t udp_port;
	uint16_t port;
	struct dp_mac mac;
};

struct dp_net_datagram {
	const uint8_t *bytes; /* inside the frame */
	uint32_t byte_count;
	struct dp_net_path from; /* port is not filled in */
};

enum dp_net_verdict {
	DP_NET_NOTHING,  /* done with it: dropped or taken note of */
	DP_NET_DATAGRAM, /* ret_datagram */
	DP_NET_ANSWER,   /* the frame was turned into its answer: send it back on this port */
};

/* Returns 0 or ERR_CONFIG (no address, multicast MAC, too many neighbours). */
int dp_net_init(struct dp_net *net, const struct dp_net_config *config);

/*
 * One received frame of `*bytes` bytes; may be rewritten (`*bytes` then is the answer's length).
 * `ret_datagram` is written only with DP_NET_DATAGRAM.
 */
enum dp_net_verdict dp_net_input(struct dp_net *net, uint8_t *frame, uint32_t *bytes,
				 uint64_t now_ns, struct dp_net_datagram *ret_datagram);

/*
 * The MAC behind `address` (or behind the gateway). False when it is not known: an ARP request
 * becomes due and the caller drops or retries.
 */
bool dp_net_resolve(struct dp_net *net, uint32_t address, uint64_t now_ns, struct dp_mac *ret_mac);

/*
 * Writes a due ARP request to `ret_frame`: again after 50 ms, then less often, down to one a second
 * and address. Returns its bytes, 0: none due.
 */
uint32_t dp_net_arp_due(struct dp_net *net, uint64_t now_ns, uint8_t ret_frame[DP_NET_ARP_BYTES]);

/* Forgets what was learnt and asks anew: the link came up, perhaps with somebody else behind it. */
void dp_net_forget(struct dp_net *net);

/* Writes an announcement of our own address; when a link comes up. Returns its bytes. */
uint32_t dp_net_announce(const struct dp_net *net, uint8_t ret_frame[DP_NET_ARP_BYTES]);

/*
 * Writes the headers before a datagram that already lies at frame + DP_NET_HEAD_BYTES. Returns
 * the frame's bytes, at least DP_PORT_FRAME_BYTES_MIN (padded with zeros).
 */
uint32_t dp_net_finish(struct dp_net *net, uint8_t *frame, const struct dp_net_path *to,
		       uint32_t datagram_bytes);

/* Ones' complement sum of RFC 1071 over `count` bytes, added to `sum`; fold with the second. */
uint64_t dp_net_sum(const void *bytes, uint32_t count, uint64_t sum);
uint16_t dp_net_sum_fold(uint64_t sum);

#endif
