/*
 * session_fixture: some parties with session tables, joined by a network the test holds in its
 * hand.
 *
 * Party i has address i + 1. Nodes come first, clients after them. Datagrams wait in one queue
 * until session_world_run() carries them over; `loses` says which get lost.
 */
#ifndef QUORATE_TESTS_UNIT_DATAPLANE_SESSION_FIXTURE_H
#define QUORATE_TESTS_UNIT_DATAPLANE_SESSION_FIXTURE_H

#include "dataplane/dp_session.h"

enum { WORLD_PARTIES_MAX = 8, WORLD_DATAGRAMS_MAX = 512, WORLD_MESSAGE_BYTES_MAX = 41 * 1024 };

struct world_datagram {
	uint32_t from;
	uint32_t to;
	uint32_t byte_count;
	uint8_t bytes[DP_NET_DATAGRAM_BYTES_MAX];
};

struct world_party {
	struct session_world *world;
	uint32_t number;
	struct wire_party me;
	struct dp_session_table *table;
	void *memory;
	bool is_full; /* gives no room */
	bool is_cut;  /* its link is down */
	uint32_t delivered;
	uint32_t refused;
	uint32_t ups[WORLD_PARTIES_MAX];
	uint32_t downs[WORLD_PARTIES_MAX];
	struct dp_session_message message; /* the last one */
	uint8_t bytes[WORLD_MESSAGE_BYTES_MAX];
	uint8_t packet[DP_NET_DATAGRAM_BYTES_MAX];
};

struct session_world {
	uint32_t node_count;
	uint32_t party_count;
	uint64_t now_ns;
	uint64_t random;
	struct crypto_exchange_key member[WORLD_PARTIES_MAX];
	struct world_party party[WORLD_PARTIES_MAX];
	bool (*loses)(struct session_world *world, const struct world_datagram *datagram);
	uint32_t carried;
	uint32_t lost;
	uint32_t queued;
	struct world_datagram queue[WORLD_DATAGRAMS_MAX];
};

/* What a test may change before a party's table is built. */
typedef void session_world_tune(uint32_t party, struct dp_session_config *config,
				struct wire_party *me);

/*
 * Builds `nodes` nodes that know each other and `clients` clients that know all nodes. Time is 1
 * s.
 */
struct session_world *session_world_open(uint32_t nodes, uint32_t clients,
					 session_world_tune *tune);
void session_world_close(struct session_world *world);

/* A party loses its memory and begins anew, as after kill -9. */
void session_world_restart(struct session_world *world, uint32_t party, session_world_tune *tune);

/* Ticks everybody and carries datagrams until nothing moves. */
void session_world_run(struct session_world *world);

/* Runs for `ns`, in steps of 10 ms. */
void session_world_pass(struct session_world *world, uint64_t ns);

struct dp_session_status session_world_status(struct session_world *world, uint32_t party);

/* Has `party` a session with node `other`? */
bool session_world_sees(struct session_world *world, uint32_t party, uint32_t other);

/* From a node to another (by number), or from a client to a node. Returns sessions used. */
uint32_t session_world_send(struct session_world *world, uint32_t from, uint32_t to,
			    enum wire_stream stream, const void *bytes, uint32_t count);

/* How `party` sees `other`. */
struct dp_net_path session_world_path(uint32_t other);

#endif
