/*
 * node_node: everything one node consists of, and how it is put together.
 *
 *     identity -> page -> store (lock, recovery) -> replica -> ports -> rings, tiles -> ingress ->
 *     run
 *
 * node_open() goes down this list; the first step that fails undoes those before it and
 * leaves one line with cause and remedy. node_close() undoes all of it, in reverse.
 * Memory   is taken here, once; no tile allocates after node_open().
 * Threads  Shared: tiles run on the caller's thread. Spread: node_run() starts the
 *          others and runs the store's core itself. The ingress has its own in both.
 */
#ifndef QUORATE_NODE_NODE_H
#define QUORATE_NODE_NODE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "ctl/ctl_metrics.h"
#include "ctl/ctl_shm.h"
#include "ctl/ctl_socket.h"
#include "dataplane/dp_bell.h"
#include "node/node_config.h"
#include "node/node_identity.h"
#include "node/node_ingress.h"
#include "node/node_reader.h"
#include "node/node_tile_net.h"
#include "node/node_topology.h"
#include "replica/replica.h"
#include "replica/replica_gate.h"
#include "storage/blocklog_dev.h"
#include "storage/blocklog_store.h"

struct node {
	struct node_config config;
	struct node_identity identity;
	char reason[NODE_REASON_MAX];
	atomic_bool stop;
	bool env_started;

	struct ctl_page *page;
	struct ctl_block *metrics[NODE_TILE_COUNT + 1]; /* the last one is the ingress thread's */
	struct ctl_family *drops_net;
	struct ctl_family *drops_gate;
	struct ctl_family *drops_consensus;
	struct ctl_family *drops_lane;
	struct ctl_family *drops_ingress;
	struct ctl_socket control;
	bool control_is_open;

	struct blocklog_dev *dev;
	struct blocklog_store *store;
	struct replica *replica;
	struct replica_config replica_config;
	struct replica_gate *gate;
	struct node_reader *reader;
	uint64_t recovered_records;
	uint64_t torn_bytes; /* cut off the logs' ends at open */

	struct wire_party party;
	struct dp_port port[NODE_PORTS_MAX];
	uint32_t ports_open;
	struct dp_bell bell;
	bool bell_is_open;
	struct node_net_view net_view;

	struct dp_ring *ring[NODE_RING_COUNT];
	void *tile_memory[NODE_TILE_COUNT];
	struct dp_tile_loop loop[NODE_CORES_SPREAD_MAX]; /* shared: only the first */
	bool tile_is_set_up[NODE_TILE_COUNT];
	struct node_wake core_wake;
	struct node_wake ingress_wake;
	struct node_ingress *ingress;

	_Atomic uint64_t committed_height;
	_Atomic uint64_t durable_block_end;
	_Atomic uint64_t durable_lane_end;
	_Atomic uint32_t local_open;
};

/*
 * Builds the node of `config` in `node` (all zero). Returns 0, or a negative code and node->reason.
 */
int node_open(struct node *node, const struct node_config *config);

/* Runs until node->stop; returns 0 or a negative code. */
int node_run(struct node *node);

/* Accepts a half-open node. */
void node_close(struct node *node);

/* Steps of node_open(), each in its own file; 0, or a code and node->reason. */
int node_open_page(struct node *node);
int node_open_store(struct node *node);
int node_open_ports(struct node *node);
int node_open_tiles(struct node *node);
int node_open_ingress(struct node *node);

/* Page-aligned, zeroed memory for the node's whole life; NULL when there is none. */
void *node_memory(size_t bytes);

/* What one client may send: the stricter of genesis and configuration. */
struct dp_session_budget node_client_budget(const struct node *node);

/* Fills the parts of the status page that the replica does not know. `context` is the node. */
void node_fill_status(void *context, struct ctl_status *status);

/* One line into the log (standard error). */
__attribute__((format(printf, 1, 2))) void node_log(const char *format, ...);

/* Sets node->reason; returns `code`. */
__attribute__((format(printf, 3, 4))) int node_fail(struct node *node, int code, const char *format,
						    ...);

extern const char node_version[];

#endif
