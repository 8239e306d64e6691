#define _GNU_SOURCE
#include "node/node_config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "node/node_config_port.h"

enum section {
	SECTION_NONE,
	SECTION_NODE,
	SECTION_STORE,
	SECTION_CORES,
	SECTION_TIMERS,
	SECTION_INGRESS,
	SECTION_LIMITS,
	SECTION_PORT,
	SECTION_PEER,
	SECTION_COUNT,
};

static const char *const section_names[SECTION_COUNT] = {
	[SECTION_NONE] = "",         [SECTION_NODE] = "node",     [SECTION_STORE] = "store",
	[SECTION_CORES] = "cores",   [SECTION_TIMERS] = "timers", [SECTION_INGRESS] = "ingress",
	[SECTION_LIMITS] = "limits", [SECTION_PORT] = "port",     [SECTION_PEER] = "peer",
};

enum key_type { TYPE_NUMBER, TYPE_BOOL, TYPE_PATH, TYPE_NAME, TYPE_CORES_MODE };

struct key {
	enum section section;
	const char *name;
	enum key_type type;
	size_t offset;
	uint64_t minimum;
	uint64_t maximum;
	const char *fallback;
	const char *text;
};

static const struct key keys[] = {
#define KEY(section, name, type, field, minimum, maximum, fallback, text)                          \
	{ SECTION_##section, name,    TYPE_##type, offsetof(struct node_config, field),            \
	  minimum,           maximum, fallback,    text },
#include "node/node_config_keys.def"
#undef KEY
};

enum { LINE_BYTES_MAX = 1024, FILE_BYTES_MAX = 1 << 20 };

struct parser {
	const char *file;
	uint32_t line;
	enum section section;
	struct node_config *config;
	struct node_port_config *port;
	struct node_peer_config *peer;
	char *reason;
	uint64_t seen; /* bit i: keys[i] was given */
};

_Static_assert(sizeof(keys) / sizeof(keys[0]) <= 64, "seen has one bit a key");

static int fail(struct parser *p, const char *format, ...)
{
	va_list arguments;
	int used = p->line > 0 ? snprintf(p->reason, NODE_REASON_MAX, "%s:%u: ", p->file, p->line) :
				 snprintf(p->reason, NODE_REASON_MAX, "%s: ", p->file);

	if (used < 0 || used >= NODE_REASON_MAX)
		return ERR_CONFIG;
	va_start(arguments, format);
	vsnprintf(p->reason + used, (size_t)(NODE_REASON_MAX - used), format, arguments);
	va_end(arguments);
	return ERR_CONFIG;
}

static int store_number(struct parser *p, const struct key *key, const char *value, void *field)
{
	uint64_t number;

	if (!node_config_number(value, &number))
		return fail(p, "key '%s': '%s' is not a whole number", key->name, value);
	if (number < key->minimum || number > key->maximum)
		return fail(p, "key '%s': %s is outside %llu to %llu", key->name, value,
			    (unsigned long long)key->minimum, (unsigned long long)key->maximum);
	*(uint32_t *)field = (uint32_t)number;
	return 0;
}

static int store_value(struct parser *p, const struct key *key, const char *value)
{
	char *field = (char *)p->config + key->offset;
	size_t room = key->type == TYPE_PATH ? NODE_PATH_MAX : NODE_NAME_MAX;

	switch (key->type) {
	case TYPE_NUMBER:
		return store_number(p, key, value, field);
	case TYPE_BOOL:
		if (!node_config_bool(value, (bool *)field))
			return fail(p, "key '%s': say yes or no, not '%s'", key->name, value);
		return 0;
	case TYPE_CORES_MODE:
		if (strcmp(value, "shared") != 0 && strcmp(value, "spread") != 0)
			return fail(p, "key '%s': say shared or spread, not '%s'", key->name,
				    value);
		*(enum node_cores_mode *)field = value[1] == 'h' ? NODE_CORES_SHARED :
								   NODE_CORES_SPREAD;
		return 0;
	case TYPE_PATH:
	case TYPE_NAME:
		if (strlen(value) >= room)
			return fail(p, "key '%s': longer than %zu bytes", key->name, room - 1);
		memcpy(field, value, strlen(value) + 1);
		return 0;
	}
	return ERR_CONFIG;
}

static int take_key(struct parser *p, const char *name, const char *value)
{
	for (size_t i = 0; i < UNITS_COUNT(keys); i++) {
		if (keys[i].section != p->section || strcmp(keys[i].name, name) != 0)
			continue;
		if (p->seen >> i & 1)
			return fail(p, "key '%s' is given twice in [%s]", name,
				    section_names[p->section]);
		p->seen |= UINT64_C(1) << i;
		return store_value(p, &keys[i], value);
	}
	return fail(p, "key '%s' is unknown in [%s]; see quorated --help-config", name,
		    section_names[p->section]);
}

static int open_port(struct parser *p, const char *name)
{
	struct node_config *config = p->config;

	if (*name == '\0' || strlen(name) >= NODE_NAME_MAX)
		return fail(p, "[port NAME] needs a name shorter than %d bytes", NODE_NAME_MAX);
	for (uint32_t i = 0; i < config->port_count; i++)
		if (strcmp(config->port[i].name, name) == 0)
			return fail(p, "port '%s' is given twice", name);
	if (config->port_count == NODE_PORTS_MAX)
		return fail(p, "more than %d ports", NODE_PORTS_MAX);
	p->port = &config->port[config->port_count++];
	node_config_port_init(p->port, name);
	return 0;
}

static int open_peer(struct parser *p, const char *name)
{
	uint64_t number;

	if (!node_config_number(name, &number) || number >= NODE_PEERS_MAX)
		return fail(p, "[peer N] needs a number below %d", NODE_PEERS_MAX);
	p->peer = &p->config->peer[number];
	if (p->peer->is_set)
		return fail(p, "peer %s is given twice", name);
	*p->peer = (struct node_peer_config){ .is_set = true, .udp_port = 7700 };
	return 0;
}

static int take_section(struct parser *p, char *line)
{
	char *end = strchr(line, ']');
	char *argument;

	if (!end || end[1] != '\0')
		return fail(p, "a section line looks like [node] or [port NAME]");
	*end = '\0';
	argument = strchr(line, ' ');
	if (argument)
		*argument++ = '\0';
	for (int i = SECTION_NODE; i < SECTION_COUNT; i++) {
		if (strcmp(line + 1, section_names[i]) != 0)
			continue;
		p->section = (enum section)i;
		if (i == SECTION_PORT)
			return open_port(p, argument ? argument : "");
		if (i == SECTION_PEER)
			return open_peer(p, argument ? argument : "");
		return argument ? fail(p, "[%s] takes no name", line + 1) : 0;
	}
	return fail(p, "section [%s] is unknown", line + 1);
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

static int take_line(struct parser *p, char *line)
{
	char why[NODE_REASON_MAX / 2];
	char *value;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	if (*line == '[')
		return take_section(p, line);
	value = strchr(line, '=');
	if (!value)
		return fail(p, "expected 'key = value', a [section] or a # comment");
	*value++ = '\0';
	line = trim(line);
	value = trim(value);
	switch (p->section) {
	case SECTION_NONE:
		return fail(p, "key '%s' before the first [section]", line);
	case SECTION_PORT:
		return node_config_port_key(p->port, line, value, why, sizeof(why)) == 0 ?
			       0 :
			       fail(p, "key '%s': %s", line, why);
	case SECTION_PEER:
		return node_config_peer_key(p->peer, line, value, why, sizeof(why)) == 0 ?
			       0 :
			       fail(p, "key '%s': %s", line, why);
	default:
		return take_key(p, line, value);
	}
}

static int take_defaults(struct parser *p)
{
	p->line = 0;
	for (size_t i = 0; i < UNITS_COUNT(keys); i++) {
		int code;

		if (p->seen >> i & 1)
			continue;
		if (!keys[i].fallback)
			return fail(p, "key '%s' in [%s] is missing: %s", keys[i].name,
				    section_names[keys[i].section], keys[i].text);
		code = keys[i].fallback[0] == '\0' ? 0 : store_value(p, &keys[i], keys[i].fallback);
		if (code < 0)
			return code;
	}
	return 0;
}

static int check_together(struct parser *p)
{
	struct node_config *c = p->config;
	char why[NODE_REASON_MAX / 2];

	if ((c->store_segment_mib & (c->store_segment_mib - 1)) != 0)
		return fail(p, "key 'segment_mib' in [store]: %u is not a power of two",
			    c->store_segment_mib);
	if (c->bell[0] != '\0' && c->bell[0] != '@')
		return fail(p, "key 'bell' in [cores]: an abstract name begins with @");
	if (strlen(c->ingress_socket) > 107)
		return fail(p,
			    "key 'socket' in [ingress]: longer than 107 bytes, the system's limit");
	if (c->port_count == 0)
		return fail(p, "no [port NAME]: a node needs at least one");
	for (uint32_t i = 0; i < c->port_count; i++)
		if (node_config_port_check(&c->port[i], why, sizeof(why)) < 0)
			return fail(p, "[port %s]: %s", c->port[i].name, why);
	if (node_config_peers_check(c, why, sizeof(why)) < 0)
		return fail(p, "%s", why);
	return 0;
}

int node_config_parse(const char *text, size_t bytes, const char *name,
		      struct node_config *ret_config, char *ret_reason)
{
	static struct node_config config; /* large; one program reads one file */
	struct parser p = { .file = name, .config = &config, .reason = ret_reason };
	const char *end = text + bytes;
	int code;

	memset(&config, 0, sizeof(config));
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t count = (size_t)((stop ? stop : end) - text);
		char line[LINE_BYTES_MAX];

		p.line++;
		if (count >= sizeof(line))
			return fail(&p, "line longer than %d bytes", LINE_BYTES_MAX - 1);
		if (memchr(text, '\0', count))
			return fail(&p, "a zero byte in a text file");
		memcpy(line, text, count);
		line[count] = '\0';
		code = take_line(&p, line);
		if (code < 0)
			return code;
		text += count + 1;
	}
	code = take_defaults(&p);
	if (code == 0)
		code = check_together(&p);
	if (code == 0)
		*ret_config = config;
	return code;
}

int node_config_read(const char *path, struct node_config *ret_config, char *ret_reason)
{
	static char text[FILE_BYTES_MAX];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count;

	if (file < 0) {
		int code = -errno;

		snprintf(ret_reason, NODE_REASON_MAX, "%s: cannot be opened: %s", path,
			 err_text(code));
		return code;
	}
	count = read(file, text, sizeof(text));
	close(file);
	if (count < 0 || (size_t)count == sizeof(text)) {
		snprintf(ret_reason, NODE_REASON_MAX, "%s: %s", path,
			 count < 0 ? "cannot be read" : "larger than 1 MiB");
		return ERR_CONFIG;
	}
	return node_config_parse(text, (size_t)count, path, ret_config, ret_reason);
}

void node_config_help(void)
{
	enum section section = SECTION_NONE;

	for (size_t i = 0; i < UNITS_COUNT(keys); i++) {
		if (keys[i].section != section) {
			section = keys[i].section;
			printf("[%s]\n", section_names[section]);
		}
		printf("  %-22s %s", keys[i].name, keys[i].text);
		if (keys[i].type == TYPE_NUMBER)
			printf(" (%llu to %llu)", (unsigned long long)keys[i].minimum,
			       (unsigned long long)keys[i].maximum);
		if (!keys[i].fallback)
			printf("; required\n");
		else
			printf("; default %s\n", keys[i].fallback[0] ? keys[i].fallback : "none");
	}
	node_config_port_help();
}
