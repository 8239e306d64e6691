#define _GNU_SOURCE
#include "node/node_config_port.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static int refuse(char *ret_why, size_t why_bytes, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_why, why_bytes, format, arguments);
	va_end(arguments);
	return ERR_CONFIG;
}

bool node_config_number(const char *text, uint64_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return false;
	*ret_number = strtoull(text, NULL, 10);
	return true;
}

bool node_config_bool(const char *text, bool *ret_value)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return false;
	*ret_value = text[0] == 'y';
	return true;
}

static bool read_address(const char *text, uint32_t *ret_address)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*ret_address = ntohl(address.s_addr);
	return true;
}

static bool read_prefix(const char *text, uint32_t *ret_address, uint32_t *ret_bits)
{
	char copy[64];
	uint64_t bits = 24;
	char *slash;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (slash) {
		*slash++ = '\0';
		if (!node_config_number(slash, &bits) || bits < 1 || bits > 32)
			return false;
	}
	*ret_bits = (uint32_t)bits;
	return read_address(copy, ret_address);
}

static bool read_mac(const char *text, uint8_t ret_mac[6])
{
	unsigned int byte[6];
	int used = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5], &used) != 6 ||
	    text[used] != '\0')
		return false;
	for (int i = 0; i < 6; i++)
		ret_mac[i] = (uint8_t)byte[i];
	return true;
}

static bool read_udp_port(const char *text, uint16_t *ret_port)
{
	uint64_t number;

	if (!node_config_number(text, &number) || number < 1 || number > 65535)
		return false;
	*ret_port = (uint16_t)number;
	return true;
}

static bool read_neighbour(struct node_port_config *port, const char *value)
{
	struct node_neighbour *neighbour;
	char copy[64];
	char *comma;

	if (port->neighbour_count == NODE_NEIGHBOURS_MAX || strlen(value) >= sizeof(copy))
		return false;
	memcpy(copy, value, strlen(value) + 1);
	comma = strchr(copy, ',');
	if (!comma)
		return false;
	*comma++ = '\0';
	neighbour = &port->neighbour[port->neighbour_count];
	if (!read_address(copy, &neighbour->address) || !read_mac(comma, neighbour->mac))
		return false;
	port->neighbour_count++;
	return true;
}

static bool copy_name(const char *value, char *ret_name)
{
	if (strlen(value) >= NODE_NAME_MAX)
		return false;
	memcpy(ret_name, value, strlen(value) + 1);
	return true;
}

static bool choose(const char *value, const char *const *names, uint32_t count, int *ret_choice)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(value, names[i]) == 0) {
			*ret_choice = (int)i;
			return true;
		}
	return false;
}

void node_config_port_init(struct node_port_config *port, const char *name)
{
	memset(port, 0, sizeof(*port));
	memcpy(port->name, name, strlen(name) + 1);
	port->udp_port = 7700;
	port->prefix_bits = 24;
}

int node_config_port_key(struct node_port_config *port, const char *key, const char *value,
			 char *ret_why, size_t why_bytes)
{
	static const char *const kinds[] = { "memif", "af_packet" };
	static const char *const roles[] = { "peer", "client", "both" };
	static const char *const ends[] = { "client", "server" };
	bool good;
	int choice = 0;

	if (strcmp(key, "kind") == 0) {
		good = choose(value, kinds, 2, &choice);
		port->kind = (enum node_port_kind)choice;
	} else if (strcmp(key, "role") == 0) {
		good = choose(value, roles, 3, &choice);
		port->role = (enum node_port_role)choice;
	} else if (strcmp(key, "memif_role") == 0) {
		good = choose(value, ends, 2, &choice);
		port->is_server = choice == 1;
	} else if (strcmp(key, "socket") == 0) {
		good = copy_name(value, port->socket);
	} else if (strcmp(key, "bell") == 0) {
		good = copy_name(value, port->bell);
	} else if (strcmp(key, "interface") == 0) {
		good = copy_name(value, port->interface);
	} else if (strcmp(key, "address") == 0) {
		good = read_prefix(value, &port->address, &port->prefix_bits);
	} else if (strcmp(key, "gateway") == 0) {
		good = read_address(value, &port->gateway);
	} else if (strcmp(key, "udp_port") == 0) {
		good = read_udp_port(value, &port->udp_port);
	} else if (strcmp(key, "mac") == 0) {
		good = read_mac(value, port->mac);
	} else if (strcmp(key, "neighbour") == 0) {
		good = read_neighbour(port, value);
	} else {
		return refuse(ret_why, why_bytes, "unknown in [port]; see quorated --help-config");
	}
	return good ? 0 : refuse(ret_why, why_bytes, "'%s' is not a valid value", value);
}

int node_config_peer_key(struct node_peer_config *peer, const char *key, const char *value,
			 char *ret_why, size_t why_bytes)
{
	bool good;

	if (strcmp(key, "port") == 0)
		good = copy_name(value, peer->port_name);
	else if (strcmp(key, "address") == 0)
		good = read_address(value, &peer->address);
	else if (strcmp(key, "udp_port") == 0)
		good = read_udp_port(value, &peer->udp_port);
	else
		return refuse(ret_why, why_bytes, "unknown in [peer]; see quorated --help-config");
	return good ? 0 : refuse(ret_why, why_bytes, "'%s' is not a valid value", value);
}

int node_config_port_check(const struct node_port_config *port, char *ret_why, size_t why_bytes)
{
	if (port->address == 0)
		return refuse(ret_why, why_bytes, "key 'address' is missing");
	if (port->kind == NODE_PORT_MEMIF && port->socket[0] != '@')
		return refuse(ret_why, why_bytes,
			      "kind memif needs 'socket', an abstract name that begins with @");
	if (port->kind == NODE_PORT_AF_PACKET && port->interface[0] == '\0')
		return refuse(ret_why, why_bytes, "kind af_packet needs 'interface'");
	if (port->bell[0] != '\0' && port->bell[0] != '@')
		return refuse(ret_why, why_bytes, "key 'bell': an abstract name begins with @");
	return 0;
}

int node_config_peers_check(struct node_config *config, char *ret_why, size_t why_bytes)
{
	for (uint32_t i = 0; i < NODE_PEERS_MAX; i++) {
		struct node_peer_config *peer = &config->peer[i];
		uint32_t port = 0;

		if (!peer->is_set)
			continue;
		if (i == config->id)
			return refuse(ret_why, why_bytes, "[peer %u] is this node itself", i);
		if (peer->address == 0)
			return refuse(ret_why, why_bytes, "[peer %u]: key 'address' is missing", i);
		while (port < config->port_count &&
		       strcmp(config->port[port].name, peer->port_name) != 0)
			port++;
		if (port == config->port_count)
			return refuse(ret_why, why_bytes, "[peer %u]: there is no port '%s'", i,
				      peer->port_name);
		if (config->port[port].role == NODE_PORT_CLIENT)
			return refuse(ret_why, why_bytes, "[peer %u]: port '%s' has role client", i,
				      peer->port_name);
		peer->port_index = port;
	}
	return 0;
}

void node_config_port_help(void)
{
	puts("[port NAME]              once a port\n"
	     "  kind                   memif or af_packet\n"
	     "  role                   peer, client or both\n"
	     "  address                IPv4 address, with /bits (default /24)\n"
	     "  udp_port               default 7700\n"
	     "  socket, memif_role     memif: abstract socket name and server or client\n"
	     "  bell                   memif: doorbell of the other end, begins with @\n"
	     "  interface              af_packet: the Linux interface\n"
	     "  mac                    own address; derived or the interface's when absent\n"
	     "  gateway                next hop for other networks\n"
	     "  neighbour              IPv4,MAC: a static neighbour; may come several times\n"
	     "[peer N]                 once a peer\n"
	     "  port                   which port reaches it\n"
	     "  address, udp_port      where it listens");
}
