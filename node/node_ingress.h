/*
 * node_ingress: local programs submit frames and read the order on a Unix socket.
 *
 * Model    A SOCK_SEQPACKET socket; one packet is one message of wire_client.h,
 *          the same as in a network session and under the same limits. Runs on a
 *          thread of its own, because it reads the disk: a slow reader or a slow
 *          disk never holds up a tile, and readers never touch the core's memory.
 * Submit   The frame goes to the verify tile, which also counts and refuses what is none;
 *          its client key is subscribed for this connection. A full ring, or more frames
 *          than a network session may send, is answered with REFUSAL (ERR_FULL).
 * Read     TAIL, GET and PROVE are answered from the log files (replica_reader.h)
 *          up to what is durable and delivered. What a connection has a receipt for, it
 *          can read: a question that comes earlier than the block's MARK is held until
 *          then, at most two seconds. A reader that does not read its socket is waited
 *          for, never buffered beyond its queue.
 * Limits   connections_max; an out queue of NODE_INGRESS_QUEUE_BYTES each (receipts
 *          beyond it are dropped and counted, a resend is answered again).
 * Access   The socket file has mode 0660: whoever may open it may submit and read.
 * Errors   Negative codes; one line with cause and remedy in `ret_reason`.
 */
#ifndef QUORATE_NODE_INGRESS_H
#define QUORATE_NODE_INGRESS_H

#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "node/node_wake.h"
#include "wire/wire_client.h"

/* Why a local program was not served; counted under these names, in lower case. */
enum node_ingress_drop {
	NODE_INGRESS_DROP_MALFORMED,        /* what is no message */
	NODE_INGRESS_DROP_CONNECTIONS_FULL, /* turned away with an error */
	NODE_INGRESS_DROP_ANSWERS_LOST,     /* a program that does not read its socket */
	NODE_INGRESS_DROP_COUNT,
};

enum {
	NODE_INGRESS_QUEUE_BYTES = 128 * 1024,
	NODE_INGRESS_KEYS_MAX = 256, /* subscriptions of one connection; the oldest goes */
};

struct node_ingress;
struct node_reader;

struct node_ingress_config {
	const char *path;
	uint32_t connections_max;
	uint64_t frames_per_s;         /* of one connection; 0: no limit */
	struct dp_ring *frames;        /* to verify */
	struct dp_ring *answers;       /* from the replica tile */
	struct dp_ring *refusals;      /* from the verify tile */
	struct node_wake *wake;        /* this thread's */
	struct node_wake *verify_wake; /* who takes `frames` */
	struct node_reader *reader;    /* used by this thread only, from start to stop */
	void (*status)(void *context, struct wire_client_status *ret_status);
	void *status_context;
	_Atomic uint32_t *open_count; /* published: connections open now */
	struct ctl_block *metrics;
	struct ctl_family *drops; /* label i: enum node_ingress_drop i; NULL: not counted */
};

/*
 * Opens the socket and starts the thread. An old socket file of a dead node is replaced; a live one
 * is ERR_BUSY.
 */
int node_ingress_start(const struct node_ingress_config *config, struct node_ingress **ret_ingress,
		       char *ret_reason);

/* Stops the thread, closes all connections, removes the socket file. Accepts NULL. */
void node_ingress_stop(struct node_ingress *ingress);

#endif
