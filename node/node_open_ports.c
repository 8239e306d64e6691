/* The network: DPDK, ports, the doorbell. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_env_dpdk.h"
#include "dataplane/dp_port_dpdk.h"
#include "node/node_node.h"

static int start_env(struct node *node)
{
	struct dp_env_config config = {
		.memory_bytes = node->config.memory_mib * (uint32_t)UNITS_MIB,
		.hugepages = node->config.use_hugepages ? DP_ENV_HUGEPAGES_AUTO :
							  DP_ENV_HUGEPAGES_NEVER,
		.core = -1,
	};
	int code;

	snprintf(config.name, sizeof(config.name), "quorated-%u-%d", node->identity.id,
		 (int)getpid());
	code = dp_env_start(&config);
	if (code == 0) {
		node->env_started = true;
		code = dp_ports_dpdk_start(0);
	}
	return code < 0 ? node_fail(node, code, "%s", dp_env_error()) : 0;
}

static int open_port(struct node *node, uint32_t index)
{
	const struct node_port_config *config = &node->config.port[index];
	struct dp_port_config port = {
		.kind = config->kind == NODE_PORT_MEMIF ? DP_PORT_MEMIF : DP_PORT_AF_PACKET,
		.is_server = config->is_server,
		/* A client that shares our cores may not run for many milliseconds. */
		.ring_slots_log2 = config->role == NODE_PORT_PEER ? 11 : 12,
	};
	int code;

	snprintf(port.name, sizeof(port.name), "%s", config->name);
	memcpy(port.mac.b, config->mac, sizeof(port.mac.b));
	if (config->kind == NODE_PORT_MEMIF)
		snprintf(port.socket, sizeof(port.socket), "%s", config->socket + 1);
	else if (strlen(config->interface) >= sizeof(port.interface))
		return node_fail(node, ERR_CONFIG,
				 "[port %s]: interface '%s' is longer than Linux allows",
				 config->name, config->interface);
	else
		memcpy(port.interface, config->interface, strlen(config->interface) + 1);
	code = dp_port_dpdk_open(&node->port[index], &port);
	if (code == ERR_NOT_FOUND)
		return node_fail(node, -ENODEV, "[port %s]: %s; ip link shows those there are",
				 config->name, dp_env_error());
	if (code < 0)
		return node_fail(node, code, "[port %s]: %s", config->name, dp_env_error());
	node->ports_open++;
	return 0;
}

int node_open_ports(struct node *node)
{
	int code = start_env(node);

	for (uint32_t i = 0; code == 0 && i < node->config.port_count; i++)
		code = open_port(node, i);
	if (code == 0 && node->config.bell[0] != '\0') {
		code = dp_bell_open(&node->bell, node->config.bell + 1);
		if (code < 0)
			return node_fail(node, code,
					 "doorbell %s: %s; stop that one or name another",
					 node->config.bell, err_text(code));
		node->bell_is_open = true;
	}
	return code;
}
