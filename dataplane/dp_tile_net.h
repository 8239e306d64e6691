/*
 * dp_tile_net: the net tile: ports on one side, rings of plain messages on the other.
 *
 *     ports -> dp_net (ARP, ICMP, UDP) -> dp_session (AEAD) -+-> to_core   votes, proposals
 *                                                            +-> to_lane   lane frames, blocks
 *                                                            +-> to_client what clients say
 *     ports <- dp_session seals into the packet <- from[0], from[1], ... in that order of priority
 *
 * A packet is opened straight into the next tile's ring, and a message sealed straight out of the
 * sender's ring: the AEAD pass is the only copy, either way.
 *
 *     kind                   source   aux             aux_high      payload
 *     into the rings
 *     DP_NET_PEER_MESSAGE    replica  received at ns  -             the message; tag: its stream
 *     DP_NET_CLIENT_MESSAGE  -        client session  received at   the message
 *     DP_NET_PEER_UP, _DOWN  replica  time            -             on to_core, once it has room
 *     out of the rings
 *     DP_NET_SEND_PEERS      -        set.word[0]     set.word[1]   the message; tag: its stream
 *     DP_NET_SEND_CLIENT     -        client session  -             the message
 *     DP_NET_SEND_KEY        -        -               -             client key (32), the message
 *     DP_NET_SUBSCRIBE       -        client session  -             client key (32)
 *     DP_NET_CHARGE          checks   client session  -             -
 *
 * Full     to_core, to_lane: dropped and counted (RING_FULL); the sender's retries repair it.
 *          to_client: dropped, counted, and the client told by `busy_answer`.
 *          Links: dropped and counted (LINK_FULL).
 * Peers    UP comes with every new session, also one that replaces another: the peer may have
 *          restarted. In the role of a client the "peers" are nodes, and what they say is a
 *          peer's message on the stream WIRE_STREAM_CLIENT.
 * Threads  One owner; the rings' other ends may be on other threads.
 */
#ifndef QUORATE_DATAPLANE_DP_TILE_NET_H
#define QUORATE_DATAPLANE_DP_TILE_NET_H

#include "dataplane/dp_bell.h"
#include "dataplane/dp_net.h"
#include "dataplane/dp_port.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_session.h"
#include "dataplane/dp_tile.h"

enum { DP_TILE_NET_RINGS_MAX = 8 };

enum dp_net_entry_kind {
	DP_NET_PEER_MESSAGE = 1,
	DP_NET_CLIENT_MESSAGE,
	DP_NET_PEER_UP,
	DP_NET_PEER_DOWN,
	DP_NET_SEND_PEERS = 16,
	DP_NET_SEND_CLIENT,
	DP_NET_SEND_KEY,
	DP_NET_SUBSCRIBE,
	DP_NET_CHARGE,
};

/* One port with its addresses; and, for memif, the bell of who is behind it. */
struct dp_tile_net_port {
	struct dp_port *port;          /* open; closed by the tile's fini */
	struct dp_net_config net;      /* `mac` all zero: the port's own */
	char bell[DP_BELL_NAME_BYTES]; /* empty: nobody to wake */
	int32_t peer; /* the replica behind this link, called when it comes up; -1: many, none */
};

struct dp_tile_net_peer {
	bool is_set;
	uint16_t port; /* index */
	uint32_t address;
	uint16_t udp_port;
};

/* Everything is copied but ports, party, members and rings, which must outlive the tile. */
struct dp_tile_net_setup {
	uint32_t port_count;
	const struct dp_tile_net_port *port;
	struct dp_session_config session; /* cookie_secret and hash_seed are drawn by the tile */
	struct dp_tile_net_peer peer[DP_SESSION_PEERS_MAX];
	struct dp_bell *bell; /* the process's own; NULL: none (spinning, or no memif) */
	struct dp_ring *to_core;
	struct dp_ring *to_lane;
	struct dp_ring *to_client;
	uint32_t from_count;
	struct dp_ring *from[DP_TILE_NET_RINGS_MAX];
	void (*random)(void *ret_bytes, size_t count); /* crypto_random */
	/*
	 * Writes what a client is told when its message found no room; returns the bytes, 0:
	 * nothing.
	 * NULL: never answered. `message` is the plain text that was dropped.
	 */
	uint32_t (*busy_answer)(const uint8_t *message, uint32_t byte_count,
				uint8_t ret_answer[WIRE_SINGLE_BYTES_MAX]);
};

extern const struct dp_tile dp_tile_net; /* its setup is a struct dp_tile_net_setup */

/*
 * Sender's side: room for a message behind these headers, committed by dp_tile_net_commit().
 * NULL: full.
 */
struct dp_tile_net_send {
	struct dp_ring *ring;
	struct dp_ring_header header;
	uint32_t before_bytes; /* key in front of the message */
};
uint8_t *dp_tile_net_room_peers(struct dp_ring *ring, const struct bitset *to,
				enum wire_stream stream, uint32_t bytes,
				struct dp_tile_net_send *ret_send);
uint8_t *dp_tile_net_room_client(struct dp_ring *ring, uint64_t client, uint32_t bytes,
				 struct dp_tile_net_send *ret_send);
uint8_t *dp_tile_net_room_key(struct dp_ring *ring, const struct crypto_public_key *key,
			      uint32_t bytes, struct dp_tile_net_send *ret_send);
void dp_tile_net_commit(const struct dp_tile_net_send *send, uint32_t bytes);
bool dp_tile_net_subscribe(struct dp_ring *ring, uint64_t client,
			   const struct crypto_public_key *key);
bool dp_tile_net_charge(struct dp_ring *ring, uint64_t client, uint32_t checks);

/* For metrics; read on the tile's own thread. */
struct dp_tile_net_status {
	struct dp_session_status session;
	struct dp_drops drops; /* ports, network and sessions together */
	uint32_t port_count;
	uint64_t bells_rung;
	uint64_t bells_heard;
};
void dp_tile_net_status(const void *memory, struct dp_tile_net_status *ret_status);
const struct dp_port *dp_tile_net_port_at(const void *memory, uint32_t index);

#endif
