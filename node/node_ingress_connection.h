/*
 * node_ingress_connection: one local program: its socket, queue, subscriptions, tail.
 */
#ifndef QUORATE_NODE_INGRESS_CONNECTION_H
#define QUORATE_NODE_INGRESS_CONNECTION_H

#include <stdbool.h>

#include "dataplane/dp_ring.h"
#include "node/node_ingress.h"
#include "wire/wire_frame.h"

struct node_connection {
	int fd; /* -1: free */
	uint32_t index;
	uint64_t generation;
	bool wants_write;
	struct dp_ring *queue; /* messages the socket did not take yet */
	void *queue_memory;
	uint32_t key_count;
	uint32_t key_next;
	struct crypto_public_key key[NODE_INGRESS_KEYS_MAX];
	struct {
		bool is_active;
		uint32_t request;
		uint64_t height;
		uint32_t index;
		bool follows;
		uint32_t left;
	} tail;
	uint64_t receipt_height; /* of the newest receipt it was sent */
	struct {
		bool is_held; /* a GET, PROVE or TAIL that came before readers see that height */
		uint64_t until_ns;
		struct wire_client_message message;
	} held;
	uint64_t dropped;
	uint64_t credit_ns; /* frames may be submitted for this much of the budget's time */
	uint64_t credited_ns;
};

/* Takes queue memory once, for the connection's whole life. Returns 0 or ERR_MEMORY. */
int node_connection_init(struct node_connection *connection, uint32_t index);
void node_connection_fini(struct node_connection *connection);

void node_connection_open(struct node_connection *connection, int fd);
void node_connection_close(struct node_connection *connection);

uint64_t node_connection_origin(const struct node_connection *connection);

/* Sends now or queues; false when the queue is full (counted). */
bool node_connection_send(struct node_connection *connection, const void *bytes, uint32_t count);
bool node_connection_say(struct node_connection *connection,
			 const struct wire_client_message *message);
void node_connection_error(struct node_connection *connection, uint32_t request, int code,
			   const char *text);
/* `reason`: a negative code of base/err.h. */
void node_connection_refuse(struct node_connection *connection, const struct wire_frame *frame,
			    int reason);

/*
 * Takes one frame out of the connection's budget, which holds one second's worth, as a
 * session's does. False: too many, the program is to be refused. `frames_per_s` 0: no limit.
 */
bool node_connection_may_submit(struct node_connection *connection, uint64_t now_ns,
				uint64_t frames_per_s);

/* The socket takes bytes again: sends what waits. False: the other end is gone. */
bool node_connection_flush(struct node_connection *connection);

/* Room for at least one more record behind what waits. */
bool node_connection_has_room(const struct node_connection *connection);

void node_connection_subscribe(struct node_connection *connection,
			       const struct crypto_public_key *key);
bool node_connection_is_subscribed(const struct node_connection *connection,
				   const struct crypto_public_key *key);

#endif
