#define _GNU_SOURCE
#include "mgmt/mgmt_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "mgmt/mgmt_keys.h"

enum { MGMT_LAB_JSON_BYTES_MAX = 4096, MGMT_SOCKET_PATH_BYTES = 108 };

/* Removed in this order, the marker of completeness first. */
static const char *const mgmt_lab_files[] = { "lab.json", "genesis", "client.key", "client.key.pub",
					      "client.key.seq" };

/* The longest path a node needs is that of a Unix socket. */
static bool mgmt_lab_fits(const char *dir)
{
	return strlen(dir) + strlen("/nodeN/run/control") < MGMT_SOCKET_PATH_BYTES;
}

enum mgmt_exit mgmt_lab_name(const struct mgmt_cli *cli, struct mgmt_lab *ret_lab)
{
	const char *dir = mgmt_cli_text(cli, MGMT_OPTION_DIR, "lab");
	struct mgmt_lab lab = { .lock_file = -1 };
	char *copy = strdup(dir);
	struct crypto_hash hash;
	char hex[MGMT_HEX_BYTES];

	/* The directory may not exist yet; the one it lies in must. */
	for (size_t i = copy ? strlen(copy) : 0; i > 1 && copy[i - 1] == '/'; i--)
		copy[i - 1] = '\0';
	char *slash = copy ? strrchr(copy, '/') : NULL;
	const char *name = slash ? slash + 1 : copy;
	char *above = realpath(slash == copy ? "/" : ".", NULL);

	if (slash && slash != copy) {
		*slash = '\0';
		free(above);
		above = realpath(copy, NULL);
	}
	bool is_good =
		above && name && name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		(size_t)snprintf(lab.dir, sizeof(lab.dir), "%s/%s",
				 strcmp(above, "/") == 0 ? "" : above, name) < sizeof(lab.dir);

	free(above);
	free(copy);
	if (!is_good)
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE,
				     "name a directory inside one that exists",
				     "--dir: no place for '%s'", dir);
	if (!mgmt_lab_fits(lab.dir))
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "choose a shorter --dir",
				     "%s: too long for the sockets in it", lab.dir);
	hash = crypto_hash_of(lab.dir, strlen(lab.dir));
	mgmt_hex_of(&hash, hex);
	memcpy(lab.hash, hex, sizeof(lab.hash) - 1);
	*ret_lab = lab;
	return MGMT_EXIT_OK;
}

bool mgmt_lab_load(struct mgmt_lab *lab)
{
	struct mgmt_text text = { 0 };
	json_t *root = NULL;
	int format = 0;
	int nodes = 0;
	int http_port = 0;

	if (mgmt_text_read_file(mgmt_path_of(lab->dir, "lab.json").text, MGMT_LAB_JSON_BYTES_MAX,
				&text) == 0)
		root = json_loadb(mgmt_text_of(&text), text.count, 0, NULL);
	bool is_good = root && json_unpack(root, "{s:i,s:i,s:i}", "format", &format, "nodes",
					   &nodes, "http_port", &http_port) == 0;

	json_decref(root);
	mgmt_text_fini(&text);
	if (!is_good || format != 1 || nodes < 1 || nodes > MGMT_LAB_NODES_MAX || http_port < 1 ||
	    http_port > UINT16_MAX - MGMT_LAB_NODES_MAX)
		return false;
	lab->node_count = (uint32_t)nodes;
	lab->http_port = (uint32_t)http_port;
	return true;
}

enum mgmt_exit mgmt_lab_lock(const struct mgmt_cli *cli, struct mgmt_lab *lab)
{
	lab->lock_file = open(lab->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lab->lock_file < 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check the path and its permission",
				     "%s: %s", lab->dir, err_text(-errno));
	if (flock(lab->lock_file, LOCK_EX | LOCK_NB) == 0)
		return MGMT_EXIT_OK;
	mgmt_lab_close(lab);
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "wait for it to end",
			     "another quorate command works on %s", lab->dir);
}

void mgmt_lab_close(struct mgmt_lab *lab)
{
	if (lab->lock_file >= 0)
		close(lab->lock_file);
	lab->lock_file = -1;
}

enum mgmt_exit mgmt_lab_open(const struct mgmt_cli *cli, struct mgmt_lab *ret_lab)
{
	struct mgmt_lab lab;
	enum mgmt_exit code = mgmt_lab_name(cli, &lab);

	if (code == MGMT_EXIT_OK && !mgmt_lab_load(&lab))
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
				     "start one with `quorate lab up`, or name it with --dir",
				     "there is no lab in %s", lab.dir);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_lock(cli, &lab);
	if (code == MGMT_EXIT_OK)
		*ret_lab = lab;
	return code;
}

struct mgmt_path mgmt_lab_node_dir(const struct mgmt_lab *lab, uint32_t id)
{
	char name[16];

	snprintf(name, sizeof(name), "node%" PRIu32, id);
	return mgmt_path_of(lab->dir, name);
}

struct mgmt_path mgmt_lab_node_path(const struct mgmt_lab *lab, uint32_t id, const char *name)
{
	return mgmt_path_of(mgmt_lab_node_dir(lab, id).text, name);
}

static enum mgmt_exit mgmt_lab_write(const struct mgmt_cli *cli, const char *path,
				     const struct mgmt_text *text)
{
	int result = text->failed ?
			     ERR_MEMORY :
			     mgmt_text_write_file(path, text->bytes, text->count, 0644, true);

	if (result == 0)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check permission and free space", "%s: %s",
			     path, err_text(result));
}

/* Stores, and configurations that name the lab's final place. */
static enum mgmt_exit mgmt_lab_make_nodes(const struct mgmt_cli *cli, const struct mgmt_lab *lab,
					  const struct mgmt_genesis *genesis)
{
	const struct mgmt_store_shape shape = { .segment_mib = MGMT_LAB_SEGMENT_MIB,
						.allows_buffered = true };
	enum mgmt_exit code = MGMT_EXIT_OK;

	for (uint32_t i = 0; i < lab->node_count && code == MGMT_EXIT_OK; i++) {
		struct mgmt_text text = { 0 };
		uint32_t id = 0;

		code = mgmt_node_join(cli, mgmt_lab_node_dir(lab, i).text, genesis, &shape, &id);
		mgmt_lab_config(lab, i, &text);
		if (code == MGMT_EXIT_OK)
			code = mgmt_lab_write(cli, mgmt_lab_node_path(lab, i, "node.conf").text,
					      &text);
		mgmt_text_fini(&text);
	}
	return code;
}

static enum mgmt_exit mgmt_lab_make_genesis(const struct mgmt_cli *cli, const struct mgmt_lab *lab,
					    struct mgmt_genesis *ret_genesis)
{
	struct mgmt_member members[MGMT_LAB_NODES_MAX] = { 0 };
	enum mgmt_exit code = MGMT_EXIT_OK;

	for (uint32_t i = 0; i < lab->node_count && code == MGMT_EXIT_OK; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%" PRIu32, i);
		code = mgmt_node_make(cli, mgmt_lab_node_dir(lab, i).text, name, &members[i]);
	}
	if (code == MGMT_EXIT_OK)
		code = mgmt_genesis_make(cli, "lab", members, lab->node_count, ret_genesis);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_write(cli, mgmt_path_of(lab->dir, "genesis").text,
				      &ret_genesis->bytes);
	return code;
}

static enum mgmt_exit mgmt_lab_mark(const struct mgmt_cli *cli, const struct mgmt_lab *lab)
{
	struct mgmt_text text = { 0 };

	mgmt_text_print(&text,
			"{\"format\": 1, \"nodes\": %" PRIu32 ", \"http_port\": %" PRIu32 "}\n",
			lab->node_count, lab->http_port);
	enum mgmt_exit code = mgmt_lab_write(cli, mgmt_path_of(lab->dir, "lab.json").text, &text);

	mgmt_text_fini(&text);
	return code;
}

static void mgmt_lab_remove_known(const struct mgmt_lab *lab)
{
	for (size_t i = 0; i < UNITS_COUNT(mgmt_lab_files); i++)
		mgmt_remove_all(mgmt_path_of(lab->dir, mgmt_lab_files[i]).text);
	for (uint32_t i = 0; i < MGMT_LAB_NODES_MAX; i++)
		mgmt_remove_all(mgmt_lab_node_dir(lab, i).text);
}

enum mgmt_exit mgmt_lab_make(const struct mgmt_cli *cli, struct mgmt_lab *lab)
{
	struct mgmt_genesis genesis = { 0 };
	struct crypto_public_key client;

	/* No lab.json: a lab that was never completed, or never begun; its parts are worthless. */
	mgmt_lab_remove_known(lab);
	enum mgmt_exit code = mgmt_lab_make_genesis(cli, lab, &genesis);

	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_make_nodes(cli, lab, &genesis);
	if (code == MGMT_EXIT_OK)
		code = mgmt_keys_make(cli, mgmt_path_of(lab->dir, "client.key").text, &client);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_mark(cli, lab);
	if (code != MGMT_EXIT_OK)
		mgmt_lab_remove_known(lab);
	mgmt_genesis_fini(&genesis);
	return code;
}

enum mgmt_exit mgmt_lab_remove(const struct mgmt_cli *cli, struct mgmt_lab *lab)
{
	mgmt_lab_remove_known(lab);
	if (rmdir(lab->dir) == 0 || errno == ENOTEMPTY || errno == EBUSY || errno == EINVAL)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "remove it by hand", "%s: %s", lab->dir,
			     err_text(-errno));
}
