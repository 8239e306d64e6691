#define _GNU_SOURCE
#include "bench/bench_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

__attribute__((format(printf, 2, 3))) static int refuse(char ret_reason[BENCH_REASON_BYTES],
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_reason, BENCH_REASON_BYTES, format, arguments);
	va_end(arguments);
	return ERR_CONFIG;
}

static bool read_address(const char *text, uint32_t *ret_address)
{
	struct in_addr address;
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	copy[strcspn(copy, "/")] = '\0';
	if (inet_pton(AF_INET, copy, &address) != 1)
		return false;
	*ret_address = ntohl(address.s_addr);
	return true;
}

static void copy_name(char ret_name[BENCH_NAME_BYTES], const char *value)
{
	snprintf(ret_name, BENCH_NAME_BYTES, "%s", value[0] == '@' ? value + 1 : value);
}

/* The keys of one node's configuration that matter here; others are the node's business. */
static void take_key(struct bench_targets *targets, struct bench_target *target,
		     const char *section, const char *key, const char *value)
{
	bool is_client = strcmp(section, "[port client]") == 0;

	if (strcmp(section, "[cores]") == 0 && strcmp(key, "bell") == 0)
		copy_name(target->bell, value);
	if (!is_client)
		return;
	if (strcmp(key, "kind") == 0)
		target->is_memif = strcmp(value, "memif") == 0;
	else if (strcmp(key, "socket") == 0)
		copy_name(target->socket, value);
	else if (strcmp(key, "interface") == 0)
		copy_name(target->interface, value);
	else if (strcmp(key, "bell") == 0)
		copy_name(targets->bell, value);
	else if (strcmp(key, "udp_port") == 0)
		target->udp_port = (uint16_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "address") == 0 && read_address(value, &target->node_address))
		target->own_address = target->node_address + 1;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

static int read_node(FILE *file, struct bench_targets *targets, struct bench_target *target)
{
	char section[128] = "";
	char line[1024];

	while (fgets(line, sizeof(line), file)) {
		char *text = trim(line);
		char *value = strchr(text, '=');

		if (*text == '[') {
			snprintf(section, sizeof(section), "%s", text);
		} else if (*text != '#' && value) {
			*value++ = '\0';
			take_key(targets, target, section, trim(text), trim(value));
		}
	}
	return target->node_address == 0 ? ERR_CONFIG : 0;
}

int bench_targets_lab(const char *directory, struct bench_targets *ret_targets,
		      char ret_reason[BENCH_REASON_BYTES])
{
	memset(ret_targets, 0, sizeof(*ret_targets));
	snprintf(ret_targets->genesis, sizeof(ret_targets->genesis), "%s/genesis", directory);
	for (uint32_t i = 0; i < BENCH_TARGETS_MAX; i++) {
		struct bench_target *target = &ret_targets->target[i];
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), "%s/node%u/node.conf", directory, i);
		file = fopen(path, "re");
		if (!file)
			break;
		*target = (struct bench_target){ .replica = i, .udp_port = 7700 };
		if (read_node(file, ret_targets, target) < 0) {
			fclose(file);
			return refuse(ret_reason, "%s: has no [port client] with an address", path);
		}
		fclose(file);
		ret_targets->count++;
	}
	if (ret_targets->count == 0)
		return refuse(ret_reason, "%s: is no lab; start one with quorate lab up",
			      directory);
	return 0;
}

int bench_targets_add(struct bench_targets *targets, const char *text,
		      char ret_reason[BENCH_REASON_BYTES])
{
	struct bench_target target = { .udp_port = 7700 };
	char copy[256];
	char *word[5] = { 0 };
	char *rest = copy;
	uint32_t words = 0;

	if (targets->count == BENCH_TARGETS_MAX || strlen(text) >= sizeof(copy))
		return refuse(ret_reason, "--target: too many, or too long");
	snprintf(copy, sizeof(copy), "%s", text);
	while (rest && words < 5)
		word[words++] = strsep(&rest, ",");
	if (words < 4 || !read_address(word[2], &target.node_address) ||
	    !read_address(word[3], &target.own_address))
		return refuse(
			ret_reason,
			"--target %s: say REPLICA,INTERFACE,NODE_ADDRESS,OWN_ADDRESS[,UDP_PORT]",
			text);
	target.replica = (uint32_t)strtoul(word[0], NULL, 10);
	copy_name(target.interface, word[1]);
	if (words == 5)
		target.udp_port = (uint16_t)strtoul(word[4], NULL, 10);
	targets->target[targets->count++] = target;
	return 0;
}
