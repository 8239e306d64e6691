/*
 * node_config_port: the `[port NAME]` and `[peer N]` sections, and small value readers.
 *
 * Functions that can refuse return 0 or ERR_CONFIG and write one line without
 * file and line to `ret_why`; node_config.c puts those in front.
 */
#ifndef QUORATE_NODE_CONFIG_PORT_H
#define QUORATE_NODE_CONFIG_PORT_H

#include "node/node_config.h"

/* Whole decimal number, nothing else; at most 18 digits. */
bool node_config_number(const char *text, uint64_t *ret_number);

/* yes / no. */
bool node_config_bool(const char *text, bool *ret_value);

void node_config_port_init(struct node_port_config *port, const char *name);
int node_config_port_key(struct node_port_config *port, const char *key, const char *value,
			 char *ret_why, size_t why_bytes);
int node_config_peer_key(struct node_peer_config *peer, const char *key, const char *value,
			 char *ret_why, size_t why_bytes);

/* What only the whole section can tell: memif needs a socket, af_packet an interface, ... */
int node_config_port_check(const struct node_port_config *port, char *ret_why, size_t why_bytes);

/* Every peer's port exists; fills in port_index. */
int node_config_peers_check(struct node_config *config, char *ret_why, size_t why_bytes);

void node_config_port_help(void);

#endif
