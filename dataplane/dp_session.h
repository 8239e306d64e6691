/*
 * dp_session: who we talk to: peers, clients, budgets, subscriptions, long messages.
 *
 * wire_session.h knows handshakes and packets; this file keeps the tables around them.
 *
 *     datagram, path --> [ index -> session ] --> AEAD --> replay --> budget --> deliver
 *     message, peer or client or key --> session(s) --> pieces --> AEAD --> packet room
 *
 * Peers    Fixed endpoints by replica number. Either side may call; the newest session that proved
 *          itself carries what is sent, an older one may still be heard. A silent peer is down
 *          and called again with back-off; a session is replaced when its key is used up.
 * Clients  A bounded table. A session costs nothing before its cookie came back. Token buckets for
 *          frames, bytes and signature checks. Unconfirmed and idle ones make room for new ones.
 *          In the role of a client (`me->role`) the same table calls nodes and answers nobody:
 *          its "peers" are nodes.
 * Bad packets cost one index look-up and one tag check.
 * Memory   Caller's, fixed. Pure: time and random bytes come in; plain messages and packets go out
 *          through `struct dp_session_io`, called from within the call that has something to say.
 * Threads  One owner.
 */
#ifndef QUORATE_DATAPLANE_DP_SESSION_H
#define QUORATE_DATAPLANE_DP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bitset.h"
#include "dataplane/dp_drop.h"
#include "dataplane/dp_net.h"
#include "wire/wire_session.h"

enum {
	DP_SESSION_PEERS_MAX = 100,
	DP_SESSION_SUBSCRIBERS_MAX = 4, /* sessions that get one client key's receipts */
	DP_SESSION_CHANCES_MAX = 8,
};

struct dp_session_table;

/* A client session, as the rest of the node knows it, is a uint64_t, never 0, never used twice. */

/* Per client session, a second; each bucket holds one second's worth. */
struct dp_session_budget {
	uint64_t frames_per_s; /* 0 means no limit, for each of them */
	uint64_t bytes_per_s;
	uint64_t checks_per_s; /* signature checks; charged by who does them */
};

struct dp_session_config {
	const struct wire_party *me; /* kept by the caller, constant */
	const struct crypto_exchange_key
		*member; /* session keys by replica number, `member_count`; kept too */
	uint32_t member_count;
	uint32_t clients_max;       /* 0: takes no clients */
	uint32_t subscriptions_max; /* client keys */
	struct dp_session_budget client_budget;
	uint64_t peer_messages_per_s; /* per peer; 0: no limit */
	uint32_t handshakes_per_s;    /* key exchanges done for others; 0 means 200 */
	uint64_t keepalive_ns;        /* 0 means 400 ms: a peer hears from us at least so often */
	uint64_t peer_silent_ns;      /* 0 means 2 s: then it is down */
	uint64_t call_ns;        /* 0 means 50 ms: first wait for an answer; doubles up to 1 s */
	uint64_t client_idle_ns; /* 0 means 60 s: then its place may go to another */
	uint8_t cookie_secret[WIRE_COOKIE_SECRET_BYTES]; /* random */
	uint64_t hash_seed[2];                           /* random */
};

enum dp_session_source { DP_SESSION_FROM_PEER, DP_SESSION_FROM_CLIENT };

struct dp_session_message {
	enum dp_session_source source;
	enum wire_stream stream;
	uint32_t replica; /* FROM_PEER */
	uint64_t client;  /* FROM_CLIENT */
	uint32_t byte_count;
};

struct dp_session_io {
	void *context;
	/* Room for a plain message of up to `bytes` by source and stream; NULL: full. */
	uint8_t *(*room)(void *context, const struct dp_session_message *about, uint32_t bytes);
	/* The message lies in the room last given. A room not delivered is forgotten. */
	void (*deliver)(void *context, const struct dp_session_message *message);
	/* A client's message, `bytes` in plain, found no room: the caller may answer. */
	void (*refuse)(void *context, const struct dp_session_message *message,
		       const uint8_t *bytes);
	/*
	 * Room for one datagram of DP_NET_DATAGRAM_BYTES_MAX to `to`; NULL: link down or full, or
	 * neighbour not known, which whoever has the link counts.
	 */
	uint8_t *(*packet)(void *context, const struct dp_net_path *to);
	/* The datagram now lies in the room last given. */
	void (*send)(void *context, const struct dp_net_path *to, uint32_t bytes);
	/* A peer's session stands, or is gone. */
	void (*peer)(void *context, uint32_t replica, bool is_up);
};

size_t dp_session_footprint(const struct dp_session_config *config);

/* Builds the table in `memory` (64-byte aligned). `io` is copied. 0, ERR_CONFIG, ERR_MEMORY. */
int dp_session_init(void *memory, size_t memory_bytes, const struct dp_session_config *config,
		    const struct dp_session_io *io, struct dp_session_table **ret_table);

/* Wipes all keys. Accepts NULL. */
void dp_session_fini(struct dp_session_table *table);

/*
 * Names where `replica` is; calls it from the next tick on. A path without a MAC is resolved by
 * `io->packet`, until the peer's own packets show one.
 */
void dp_session_add_peer(struct dp_session_table *table, uint32_t replica,
			 const struct dp_net_path *path);

/*
 * The link to `replica` came up, or something else says that now is the time: call again at
 * once.
 */
void dp_session_kick(struct dp_session_table *table, uint32_t replica, uint64_t now_ns);

/*
 * Random bytes: how many are wanted (0..DP_SESSION_CHANCES_MAX), and one more; without any, no
 * handshake.
 */
uint32_t dp_session_chances_wanted(const struct dp_session_table *table);
void dp_session_give_chance(struct dp_session_table *table, const struct wire_chance *chance);

/* One datagram from `from`. Delivers, answers or drops it. */
void dp_session_input(struct dp_session_table *table, const struct dp_net_path *from,
		      const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns);

/*
 * Timers: calls, keepalives, silent peers. Call when dp_session_deadline_ns() has come, or more
 * often.
 */
void dp_session_tick(struct dp_session_table *table, uint64_t now_ns);
uint64_t dp_session_deadline_ns(const struct dp_session_table *table);

/*
 * Sends a message to each peer of `to` that has a session; the others' loss is counted (PEER_DOWN).
 * `stream` is the message's (wire_stream_of); at most WIRE_SPLIT_BYTES_MAX bytes. Returns sessions
 * used.
 */
uint32_t dp_session_send_peers(struct dp_session_table *table, const struct bitset *to,
			       enum wire_stream stream, const uint8_t *bytes, uint32_t byte_count,
			       uint64_t now_ns);

/* To one client session; at most WIRE_SINGLE_BYTES_MAX. False when it is gone. */
bool dp_session_send_client(struct dp_session_table *table, uint64_t client, const uint8_t *bytes,
			    uint32_t byte_count, uint64_t now_ns);

/* To every session subscribed to `key`. Returns how many. */
uint32_t dp_session_send_key(struct dp_session_table *table, const struct crypto_public_key *key,
			     const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns);

/*
 * `client` gets the receipts of `key`; the fifth subscriber replaces the oldest. The caller
 * checked the right.
 */
void dp_session_subscribe(struct dp_session_table *table, uint64_t client,
			  const struct crypto_public_key *key);

/* Charges signature checks to a client; while in debt its frames are dropped (CHECK_RATE). */
void dp_session_charge(struct dp_session_table *table, uint64_t client, uint32_t checks);

struct dp_session_status {
	struct bitset peers_up;
	uint32_t clients; /* confirmed */
	uint32_t subscriptions;
	uint64_t handshakes;  /* completed */
	uint64_t packets_in;  /* opened */
	uint64_t packets_out; /* sealed */
	struct dp_drops drops;
	enum wire_refusal refusal[DP_SESSION_PEERS_MAX]; /* what each peer last refused us for */
};
void dp_session_status(const struct dp_session_table *table, struct dp_session_status *ret_status);

#endif
