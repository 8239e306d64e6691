#define _GNU_SOURCE
#include "mgmt/mgmt_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "mgmt/mgmt_text.h"

struct mgmt_key {
	const char *key;
	const char *flag;
	size_t offset;
	size_t room;
	const char *argument;
	const char *help;
};

#define MGMT_KEY(field, flag, argument, help)                                                      \
	{                                                                                          \
#field, flag, offsetof(struct mgmt_config, field),                                 \
			sizeof(((struct mgmt_config *)0)->field), argument, help                   \
	}

static const struct mgmt_key mgmt_keys[] = {
	MGMT_KEY(run_dir, "--run-dir", "DIR", "the node's run_dir (required)"),
	MGMT_KEY(listen, "--listen", "ADDRESS:PORT",
		 "where to answer; default " MGMT_LISTEN_DEFAULT ", port 0: any free one"),
	MGMT_KEY(management_address, "--management-address", "ADDRESS",
		 "permits `listen` on this address although it is not loopback"),
};

enum { MGMT_CONFIG_BYTES_MAX = 64 * 1024 };

static int mgmt_refuse(char *ret_reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int mgmt_refuse(char *ret_reason, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_reason, MGMT_REASON_BYTES, format, arguments);
	va_end(arguments);
	return ERR_CONFIG;
}

const char *mgmt_config_help(void)
{
	static char text[2048];
	int count =
		snprintf(text, sizeof(text),
			 "usage: quorate-mgmtd --run-dir DIR [--listen ADDRESS:PORT]\n"
			 "       quorate-mgmtd --config FILE\n\n"
			 "Serves one node's metrics, health and status over HTTP. Read only.\n\n");

	for (size_t i = 0; i < UNITS_COUNT(mgmt_keys); i++)
		count += snprintf(text + count, sizeof(text) - (size_t)count, "  %-20s %-13s %s\n",
				  mgmt_keys[i].flag, mgmt_keys[i].argument, mgmt_keys[i].help);
	snprintf(
		text + count, sizeof(text) - (size_t)count,
		"  %-20s %-13s %s\n  %-20s %-13s %s\n\nThe file has lines `key = value`; the keys "
		"are run_dir, listen, management_address.\nExit codes: 0 stopped in order, 1 could "
		"not start, 2 wrong use or configuration.\n",
		"--config", "FILE", "read these settings from a file; flags win", "--help", "",
		"this text");
	return text;
}

static int mgmt_store(struct mgmt_config *config, const struct mgmt_key *key, const char *value,
		      char *ret_reason)
{
	if (strlen(value) >= key->room)
		return mgmt_refuse(ret_reason, "%s: longer than %zu bytes; use a shorter one",
				   key->key, key->room - 1);
	memcpy((char *)config + key->offset, value, strlen(value) + 1);
	return 0;
}

static char *mgmt_trim(char *text)
{
	size_t count = strlen(text);

	while (count > 0 && strchr(" \t\r", text[count - 1]))
		text[--count] = '\0';
	return text + strspn(text, " \t");
}

static int mgmt_take_line(struct mgmt_config *config, char *line, const char *path, int number,
			  char *ret_reason)
{
	char *value = strchr(line, '=');

	line = mgmt_trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	if (!value)
		return mgmt_refuse(ret_reason, "%s:%d: expected `key = value`", path, number);
	*value++ = '\0';
	line = mgmt_trim(line);
	for (size_t i = 0; i < UNITS_COUNT(mgmt_keys); i++)
		if (strcmp(mgmt_keys[i].key, line) == 0)
			return mgmt_store(config, &mgmt_keys[i], mgmt_trim(value), ret_reason);
	return mgmt_refuse(ret_reason, "%s:%d: unknown key '%s'; see quorate-mgmtd --help", path,
			   number, line);
}

static int mgmt_take_file(struct mgmt_config *config, const char *path, char *ret_reason)
{
	struct mgmt_text text = { 0 };
	int result = mgmt_text_read_file(path, MGMT_CONFIG_BYTES_MAX, &text);
	int number = 0;

	if (result != 0)
		return mgmt_refuse(ret_reason, "%s: %s; give a readable file with --config", path,
				   err_text(result));
	for (char *line = text.bytes; line && result == 0;) {
		char *next = strchr(line, '\n');

		if (next)
			*next++ = '\0';
		result = mgmt_take_line(config, line, path, ++number, ret_reason);
		line = next;
	}
	mgmt_text_fini(&text);
	return result;
}

static int mgmt_take_flag(struct mgmt_config *config, const char *flag, const char *value,
			  char *ret_reason)
{
	for (size_t i = 0; i < UNITS_COUNT(mgmt_keys); i++) {
		if (strcmp(mgmt_keys[i].flag, flag) != 0)
			continue;
		if (!value)
			return mgmt_refuse(ret_reason, "%s needs %s", flag, mgmt_keys[i].argument);
		return mgmt_store(config, &mgmt_keys[i], value, ret_reason);
	}
	return mgmt_refuse(ret_reason, "unknown option %s; see quorate-mgmtd --help", flag);
}

/* Splits ADDRESS:PORT or [ADDRESS]:PORT. False: neither. */
static bool mgmt_split(const char *listen, char ret_host[MGMT_ADDRESS_BYTES], uint16_t *ret_port)
{
	const char *colon = strrchr(listen, ':');
	char *end = NULL;

	if (!colon || colon == listen || colon[1] < '0' || colon[1] > '9')
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	size_t count = (size_t)(colon - listen);

	if (*end != '\0' || port > 65535)
		return false;
	if (listen[0] == '[' && listen[count - 1] == ']') {
		listen++;
		count -= 2;
	}
	memcpy(ret_host, listen, count);
	ret_host[count] = '\0';
	*ret_port = (uint16_t)port;
	return true;
}

/* Turns a numeric host into an address; false if it is none. */
static bool mgmt_resolve(const char *host, uint16_t port, struct mgmt_config *config)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&config->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&config->address;

	memset(&config->address, 0, sizeof(config->address));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		config->address_bytes = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		config->address_bytes = sizeof(*v6);
		return true;
	}
	return false;
}

static bool mgmt_is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static bool mgmt_is_any(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ((const struct sockaddr_in *)address)->sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int mgmt_check(struct mgmt_config *config, char *ret_reason)
{
	char host[MGMT_ADDRESS_BYTES];
	uint16_t port = 0;

	if (config->run_dir[0] == '\0')
		return mgmt_refuse(ret_reason, "no node given; add --run-dir DIR or --config FILE");
	if (!mgmt_split(config->listen, host, &port) || !mgmt_resolve(host, port, config))
		return mgmt_refuse(ret_reason,
				   "listen: '%s' is not ADDRESS:PORT with a numeric address",
				   config->listen);
	if (mgmt_is_loopback(&config->address))
		return 0;
	if (mgmt_is_any(&config->address))
		return mgmt_refuse(ret_reason,
				   "listen: %s means every interface; name the "
				   "management interface's own address",
				   host);
	if (strcmp(host, config->management_address) != 0)
		return mgmt_refuse(ret_reason,
				   "listen: %s is not loopback; if it belongs to the management "
				   "network say so with management_address = %s",
				   host, host);
	return 0;
}

/* First the file, then the flags over it. */
static int mgmt_take_flags(struct mgmt_config *config, int argc, char *const *argv, bool is_file,
			   char *ret_reason)
{
	int result = 0;

	for (int i = 1; i < argc && result == 0; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool names_file = strcmp(argv[i], "--config") == 0;

		if (names_file && !value)
			result = mgmt_refuse(ret_reason, "--config needs FILE");
		else if (names_file && is_file)
			result = mgmt_take_file(config, value, ret_reason);
		else if (!names_file && !is_file)
			result = mgmt_take_flag(config, argv[i], value, ret_reason);
	}
	return result;
}

int mgmt_config_read(int argc, char *const *argv, struct mgmt_config *ret_config,
		     char ret_reason[MGMT_REASON_BYTES])
{
	struct mgmt_config config = { .listen = MGMT_LISTEN_DEFAULT };
	int result;

	for (int i = 1; i < argc; i++)
		config.asks_help |= strcmp(argv[i], "--help") == 0;
	if (config.asks_help) {
		*ret_config = config;
		return 0;
	}
	result = mgmt_take_flags(&config, argc, argv, true, ret_reason);
	if (result == 0)
		result = mgmt_take_flags(&config, argc, argv, false, ret_reason);
	if (result == 0)
		result = mgmt_check(&config, ret_reason);
	if (result == 0)
		*ret_config = config;
	return result;
}
