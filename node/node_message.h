/*
 * node_message: what travels on the rings between tiles.
 *
 * Every ring of node_topology.c carries struct dp_ring_header plus a payload; this
 * file says what the header's fields and the payload mean, kind by kind. `origin`
 * names who submitted a frame: a client session of the net tile, or a local
 * connection (NODE_ORIGIN_LOCAL bit set).
 *
 *     kind               from -> to          source   tag      aux      payload
 *     PEER, PEER_UP...   net -> verify       see dataplane/dp_tile_net.h
 *     FRAME              ingress -> verify   -        -        origin   frame bytes
 *     VERIFIED_PEER      verify -> replica   replica  -        time     stamp, bytes
 *     VERIFIED_FRAME     verify -> replica   -        -        origin   stamp, bytes (aux_high:
 *     time)
 *     REFUSED            verify -> replica   -        -        origin   struct node_refusal
 *     COMMITS            replica -> verify   -        -        view     struct node_commits
 *     COMMITS_CHECKED    verify -> replica   -        -        view     struct node_commits_checked
 *     SIGN, SIGNED       replica <-> signer  -        -        request  bytes; signature
 *     APPEND             replica -> store    log      kind     ticket   bytes
 *     APPEND_BORROWED    replica -> store    log      kind     ticket   struct node_borrowed
 *     APPENDED           store -> replica    log      -code    ticket   - (aux_high: position)
 *     READ               replica -> store    log      -        ticket   - (aux_high: position)
 *     READ_DONE          store -> replica    log      -code    ticket   struct node_read
 *     LOCAL              replica -> ingress  -        -        origin   wire_client message
 *     LOCAL_SUBSCRIBERS  replica -> ingress  -        -        -        client key, wire_client
 *     message
 *     FINAL              replica -> ingress  -        -        height   - (aux_high: transactions)
 */
#ifndef QUORATE_NODE_MESSAGE_H
#define QUORATE_NODE_MESSAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "consensus/hs_types.h"
#include "crypto/crypto_types.h"

enum node_message {
	NODE_MESSAGE_FRAME = 0x100, /* above the kinds of dp_tile_net.h */
	NODE_MESSAGE_VERIFIED_PEER,
	NODE_MESSAGE_VERIFIED_FRAME,
	NODE_MESSAGE_PEER_UP,
	NODE_MESSAGE_PEER_DOWN,
	NODE_MESSAGE_REFUSED,
	NODE_MESSAGE_COMMITS,
	NODE_MESSAGE_COMMITS_CHECKED,
	NODE_MESSAGE_SIGN,
	NODE_MESSAGE_SIGNED,
	NODE_MESSAGE_APPEND,
	NODE_MESSAGE_APPEND_BORROWED,
	NODE_MESSAGE_APPENDED,
	NODE_MESSAGE_READ,
	NODE_MESSAGE_READ_DONE,
	NODE_MESSAGE_LOCAL,
	NODE_MESSAGE_LOCAL_SUBSCRIBERS,
	NODE_MESSAGE_FINAL,
};

#define NODE_ORIGIN_LOCAL (UINT64_C(1) << 63)

struct node_refusal {
	struct crypto_public_key client;
	uint64_t first_seq;
	int32_t reason;
	uint64_t limit;
};

struct node_commits {
	struct crypto_hash block_id;
	uint32_t count;
	struct hs_commit commit[HS_QUORUM_MAX];
};

struct node_commits_checked {
	struct crypto_hash block_id;
	struct bitset good;
	struct bitset bad;
};

/* A batch buffer of the lanes: the store's until APPENDED. */
struct node_borrowed {
	void *bytes;
	uint64_t count;
};

/* A read buffer of the store tile: the replica tile's until it clears `is_taken`. */
struct node_read {
	const uint8_t *bytes;
	uint32_t count;
	uint32_t record_kind;
	_Atomic uint32_t *is_taken;
};

#endif
