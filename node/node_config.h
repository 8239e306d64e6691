/*
 * node_config: a node's configuration file as one checked structure.
 *
 * Model    `[section]` lines, `key = value` lines, `#` comments. `[port NAME]`
 *          may come several times. Every key is one row of a table in
 *          node_config.c: section, key, type, range, default, text; from it come
 *          the checks and `quorated --help-config`. An unknown section or key, a
 *          key given twice, a value out of range or a missing required key is an
 *          error that names file, line, key and reason. Nothing is guessed.
 * Units    in the keys' names: `_ms`, `_us`, `_mib`, `_kib`.
 * Memory   the caller's structure; no pointers, so it can be copied.
 */
#ifndef QUORATE_NODE_CONFIG_H
#define QUORATE_NODE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NODE_PORTS_MAX = 128,
	NODE_NEIGHBOURS_MAX = 16,
	NODE_PATH_MAX = 256,
	NODE_NAME_MAX = 64,
	NODE_REASON_MAX = 400,
};

enum node_port_kind { NODE_PORT_MEMIF, NODE_PORT_AF_PACKET };
enum node_port_role { NODE_PORT_PEER, NODE_PORT_CLIENT, NODE_PORT_BOTH };
enum node_cores_mode { NODE_CORES_SHARED, NODE_CORES_SPREAD };

struct node_neighbour {
	uint32_t address; /* host order */
	uint8_t mac[6];
};

struct node_port_config {
	char name[NODE_NAME_MAX];
	enum node_port_kind kind;
	enum node_port_role role;
	char socket[NODE_NAME_MAX];    /* memif: abstract socket, begins with '@' */
	bool is_server;                /* memif: this end listens */
	char bell[NODE_NAME_MAX];      /* memif: doorbell of the other end; empty: none */
	char interface[NODE_NAME_MAX]; /* af_packet */
	uint32_t address;              /* IPv4, host order */
	uint32_t prefix_bits;
	uint32_t gateway; /* 0: none */
	uint16_t udp_port;
	uint8_t mac[6]; /* all zero: derived (memif) or the interface's own */
	uint32_t neighbour_count;
	struct node_neighbour neighbour[NODE_NEIGHBOURS_MAX];
};

/* Where a peer is reached: its number, through which port, at which address. */
struct node_peer_config {
	bool is_set;
	uint32_t port_index;
	char port_name[NODE_NAME_MAX];
	uint32_t address;
	uint16_t udp_port;
};

enum { NODE_PEERS_MAX = 100 };

struct node_config {
	uint32_t id;
	char data_dir[NODE_PATH_MAX];
	char run_dir[NODE_PATH_MAX];
	char genesis[NODE_PATH_MAX];
	char signing_key[NODE_PATH_MAX];
	char session_key[NODE_PATH_MAX];

	uint32_t port_count;
	struct node_port_config port[NODE_PORTS_MAX];
	struct node_peer_config peer[NODE_PEERS_MAX];

	uint32_t store_segment_mib;
	bool store_allow_buffered;
	uint32_t store_segments_max;

	enum node_cores_mode cores_mode;
	uint32_t first_core;      /* shared: the core all tiles use; spread: the first of a run */
	bool is_pinned;           /* false: the scheduler places the shared thread */
	char bell[NODE_NAME_MAX]; /* this node's doorbell, begins with '@'; empty: none */
	uint32_t memory_mib;      /* DPDK memory when there are no hugepages */
	bool use_hugepages;       /* when free ones exist */

	uint32_t delta_ms;
	uint32_t heartbeat_ms;
	uint32_t timeout_max_ms;
	uint32_t block_interval_min_us;
	uint32_t batch_close_us;
	uint32_t ack_interval_us;

	char ingress_socket[NODE_PATH_MAX]; /* empty: none */
	uint32_t ingress_connections_max;

	uint32_t batch_kib_max;
	uint32_t sessions_max;
	uint32_t client_frames_per_s;
};

/*
 * Reads and checks `path`. Returns 0, -errno (not readable) or ERR_CONFIG, and
 * then `ret_reason` (NODE_REASON_MAX bytes) holds one line "FILE:LINE: key 'k': why".
 * `ret_config` is written only on success.
 */
int node_config_read(const char *path, struct node_config *ret_config, char *ret_reason);

/* As node_config_read, from text in memory; `name` stands for the file in reasons. */
int node_config_parse(const char *text, size_t bytes, const char *name,
		      struct node_config *ret_config, char *ret_reason);

/* Prints every key with section, type, range, default and meaning to standard output. */
void node_config_help(void);

#endif
