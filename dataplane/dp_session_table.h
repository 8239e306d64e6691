/*
 * dp_session_table: the inside of dp_session, shared by its files and nobody else.
 *
 *     slot[]          every session, found by the low bits of the index in a packet
 *     peer[]          by replica number: where it is, which slots are its, calls and timers
 *     subscription[]  client key -> up to four sessions, in buckets of eight
 */
#ifndef QUORATE_DATAPLANE_DP_SESSION_TABLE_H
#define QUORATE_DATAPLANE_DP_SESSION_TABLE_H

#include "dataplane/dp_session.h"

enum {
	SESSION_NO_SLOT = UINT32_MAX,
	SESSION_SUBSCRIPTION_BUCKET = 8,
	SESSION_SLOTS_PER_PEER = 4, /* current, old, offered, calling */
	SESSION_OFFERS_MAX = 8,     /* answers remembered for initiations that come twice */
};

/* Tokens times 10^9, so that a nanosecond of refill is exact. */
struct session_bucket {
	int64_t level;
	uint64_t filled_ns;
};

enum session_slot_state { SESSION_FREE, SESSION_CALLING, SESSION_OFFERED, SESSION_STANDS };

struct session_slot {
	struct wire_session session;
	enum session_slot_state state;
	bool is_client; /* of ours: the other side is a client */
	uint32_t peer;  /* else: whose */
	uint64_t id;    /* dp_session id of a client */
	struct dp_net_path path;
	uint64_t born_ns;
	uint64_t heard_ns;
	uint64_t sent_ns;
	uint32_t next_message_id[WIRE_STREAMS_MAX];
	struct session_bucket frames;
	struct session_bucket bytes;
	struct session_bucket checks;
	/* A responder's: the same initiation again gets the same answer, never another session. */
	uint8_t initiation[WIRE_INITIATION_BYTES];
	struct wire_answer answer;
};

struct session_peer {
	bool is_set;
	bool is_up;
	struct dp_net_path path;
	struct dp_mac mac; /* as configured; zero: found by ARP */
	uint32_t current;  /* slots; SESSION_NO_SLOT: none */
	uint32_t old;
	uint32_t offered;
	uint32_t calling;
	uint64_t old_until_ns;
	uint64_t call_ns;      /* when to call (again) */
	uint64_t call_wait_ns; /* what the next wait will be */
	uint32_t call_count;   /* with these ephemerals */
	struct wire_initiator initiator;
	enum wire_refusal refusal;
	uint32_t assembly_slot; /* whose pieces the assemblies hold */
	struct session_bucket messages;
	struct wire_assembly assembly[WIRE_STREAMS_MAX];
};

struct session_subscription {
	bool is_set;
	uint8_t next; /* place the next subscriber takes */
	struct crypto_public_key key;
	uint64_t client[DP_SESSION_SUBSCRIBERS_MAX];
};

struct dp_session_table {
	struct dp_session_config config;
	struct dp_session_io io;
	struct wire_responder responder;
	bool is_client;
	uint32_t slot_count; /* a power of two */
	uint32_t client_slot_first;
	uint64_t next_id;
	uint32_t client_hand; /* where the search for a place goes on */
	uint64_t deadline_ns;
	uint64_t rotated_ns;
	struct session_bucket handshakes;
	uint32_t chance_count;
	struct wire_chance chance[DP_SESSION_CHANCES_MAX];
	uint32_t offer[SESSION_OFFERS_MAX]; /* slots, newest at offer_next - 1 */
	uint32_t offer_next;
	uint32_t bucket_count; /* of subscriptions, a power of two; 0: none */
	struct dp_session_status status;
	uint8_t scratch[WIRE_DATAGRAM_BYTES_MAX];
	struct session_slot *slot;
	struct session_peer *peer; /* member_count */
	struct session_subscription *subscription;
};

static inline void session_drop(struct dp_session_table *table, enum dp_drop reason)
{
	dp_drops_add(&table->status.drops, reason);
}

/*
 * Takes `cost` tokens, `rate` a second come back (0: no limit). False, nothing taken: it is
 * empty.
 */
bool session_bucket_take(struct session_bucket *bucket, uint64_t rate, uint64_t cost,
			 uint64_t now_ns);

/* The slot a packet's receiver index names, or NULL. */
struct session_slot *session_slot_of(struct dp_session_table *table, uint32_t receiver);
uint32_t session_slot_index(const struct dp_session_table *table, const struct session_slot *slot);

/* Wipes keys and frees. */
void session_slot_free(struct dp_session_table *table, uint32_t index);

/*
 * A chance whose index names `slot`, or NULL when there is none; session_chance_used() spends
 * it.
 */
struct wire_chance *session_chance(struct dp_session_table *table, uint32_t slot);
void session_chance_used(struct dp_session_table *table);

/* Seals one message into as many packets as it needs. False when the link or the key gave up. */
bool session_send(struct dp_session_table *table, struct session_slot *slot,
		  const struct dp_net_path *to, enum wire_stream stream, const uint8_t *bytes,
		  uint32_t byte_count, uint64_t now_ns);

/* An empty message: proof of life, and of having the keys. */
void session_keepalive(struct dp_session_table *table, struct session_slot *slot,
		       const struct dp_net_path *to, uint64_t now_ns);

void session_send_answer(struct dp_session_table *table, const struct dp_net_path *to,
			 const void *bytes, uint32_t byte_count);

/* dp_session_peers.c */
void session_peers_init(struct dp_session_table *table);

/*
 * Answers an initiation whose session would live in `index`. True: that slot (whatever it held is
 * wiped) now holds an offered session; role, owner and id are the caller's to fill in.
 */
bool session_respond(struct dp_session_table *table, const struct dp_net_path *from,
		     const uint8_t *bytes, uint32_t byte_count, uint32_t index, uint64_t now_ns);

void session_peer_initiation(struct dp_session_table *table, const struct dp_net_path *from,
			     const uint8_t *bytes, uint32_t byte_count, uint32_t replica,
			     uint64_t now_ns);
void session_peer_answer(struct dp_session_table *table, const struct dp_net_path *from,
			 const uint8_t *bytes, uint32_t byte_count, uint32_t receiver,
			 uint64_t now_ns);
/* A packet that proved itself came from `from`: the MAC there is the way back. */
void session_peer_seen(struct session_peer *peer, const struct dp_net_path *from);
void session_peer_stands(struct dp_session_table *table, uint32_t slot, uint64_t now_ns);

/* dp_session_clients.c */
void session_clients_init(struct dp_session_table *table);
void session_client_initiation(struct dp_session_table *table, const struct dp_net_path *from,
			       const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns);
void session_client_stands(struct dp_session_table *table, struct session_slot *slot);

/* False when the message is beyond a budget; the reason is counted. */
bool session_client_may(struct dp_session_table *table, struct session_slot *slot,
			uint32_t byte_count, uint64_t now_ns);

#endif
