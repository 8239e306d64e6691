#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_genesis.h"
#include "mgmt/mgmt_keys.h"
#include "mgmt/mgmt_member.h"
#include "mgmt/mgmt_node.h"

enum { MGMT_STORE_SEGMENT_MIB = 64 };

enum mgmt_exit mgmt_verb_keygen(const struct mgmt_cli *cli)
{
	struct crypto_public_key key;
	char hex[MGMT_HEX_BYTES];
	enum mgmt_exit code = mgmt_keys_make(cli, cli->argument[0], &key);

	if (code != MGMT_EXIT_OK)
		return code;
	mgmt_hex_of(&key, hex);
	if (cli->is_json)
		printf("{\"public_key\":\"%s\"}\n", hex);
	else
		printf("key %s  public %s.pub\n%s\n", cli->argument[0], cli->argument[0], hex);
	return MGMT_EXIT_OK;
}

/* A configuration to begin with; the ports are the operator's to name. */
static enum mgmt_exit mgmt_init_config(const struct mgmt_cli *cli, const char *dir, uint32_t id)
{
	struct mgmt_text text = { 0 };
	const struct mgmt_path path = mgmt_path_of(dir, "node.conf");
	char *full = realpath(dir, NULL);
	const char *place = full ? full : dir;

	mgmt_text_print(&text,
			"# Written by `quorate init`. quorated --help-config explains every key.\n"
			"[node]\nid = %" PRIu32 "\ndata_dir = %s/store\nrun_dir = %s/run\n"
			"genesis = %s/genesis\nsigning_key = %s/signing.key\n"
			"session_key = %s/session.key\n\n[store]\nsegment_mib = %d\n\n"
			"[ingress]\nsocket = %s/run/ingress\n\n"
			"# Name a port and where it reaches the others, for example:\n"
			"# [port eth]\n# kind = af_packet\n# role = both\n# interface = enp1s0\n"
			"# address = 192.0.2.10/24\n#\n"
			"# [peer N]\n# port = eth\n# address = 192.0.2.11\n",
			id, place, place, place, place, place, (int)MGMT_STORE_SEGMENT_MIB, place);
	free(full);
	int result = text.failed ?
			     ERR_MEMORY :
			     mgmt_text_write_file(path.text, text.bytes, text.count, 0644, true);

	mgmt_text_fini(&text);
	if (result == 0 || result == -EEXIST) /* the operator's own is kept */
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "write the file by hand", "%s: %s", path.text,
			     err_text(result));
}

static enum mgmt_exit mgmt_init_join(const struct mgmt_cli *cli, const char *dir)
{
	const struct mgmt_store_shape shape = { .segment_mib = MGMT_STORE_SEGMENT_MIB };
	struct mgmt_genesis genesis = { 0 };
	char chain[MGMT_HEX_BYTES];
	uint32_t id = 0;
	enum mgmt_exit code =
		mgmt_genesis_read(cli, mgmt_cli_text(cli, MGMT_OPTION_GENESIS, ""), &genesis);

	if (code == MGMT_EXIT_OK)
		code = mgmt_node_join(cli, dir, &genesis, &shape, &id);
	if (code == MGMT_EXIT_OK)
		code = mgmt_init_config(cli, dir, id);
	mgmt_hex_of(&genesis.chain_id, chain);
	mgmt_genesis_fini(&genesis);
	if (code != MGMT_EXIT_OK)
		return code;
	if (cli->is_json)
		printf("{\"id\":%" PRIu32 ",\"chain\":\"%s\"}\n", id, chain);
	else
		printf("node %" PRIu32 " of chain %s\nstore made, with its first safety record; "
		       "it is made once in the life of a key\n"
		       "next: name the ports in %s/node.conf, then quorated --config it\n",
		       id, chain, dir);
	return MGMT_EXIT_OK;
}

/* The last part of the path, as the name of a member that was given none. */
static const char *mgmt_init_name(const struct mgmt_cli *cli)
{
	const char *slash = strrchr(cli->argument[0], '/');

	return mgmt_cli_text(cli, MGMT_OPTION_NAME, slash ? slash + 1 : cli->argument[0]);
}

enum mgmt_exit mgmt_verb_init(const struct mgmt_cli *cli)
{
	const char *dir = cli->argument[0];
	const bool has_genesis = mgmt_cli_has(cli, MGMT_OPTION_GENESIS);
	struct mgmt_member member = { 0 };
	char hex[MGMT_HEX_BYTES];

	if (!mgmt_path_fits(dir))
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "choose a shorter one",
				     "%s: the path is too long", dir);
	if (has_genesis)
		return mgmt_init_join(cli, dir);

	enum mgmt_exit code = mgmt_node_make(cli, dir, mgmt_init_name(cli), &member);

	if (code != MGMT_EXIT_OK)
		return code;
	mgmt_hex_of(&member.public_key, hex);
	if (cli->is_json)
		printf("{\"name\":\"%s\",\"signing_key\":\"%s\"}\n", member.name, hex);
	else
		printf("keys of %s in %s\n"
		       "next: quorate genesis create with every member's member.json, then "
		       "quorate init %s --genesis FILE\n",
		       member.name, dir, dir);
	return MGMT_EXIT_OK;
}

static enum mgmt_exit mgmt_genesis_save(const struct mgmt_cli *cli,
					const struct mgmt_genesis *genesis)
{
	const char *path = mgmt_cli_text(cli, MGMT_OPTION_OUT, "genesis");
	char chain[MGMT_HEX_BYTES];
	int result =
		mgmt_text_write_file(path, genesis->bytes.bytes, genesis->bytes.count, 0644, true);

	if (result == -EEXIST)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "name a new file with --out",
				     "%s exists already", path);
	if (result != 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check path and permission", "%s: %s",
				     path, err_text(result));
	mgmt_hex_of(&genesis->chain_id, chain);
	if (cli->is_json)
		printf("{\"chain\":\"%s\",\"members\":%" PRIu32 "}\n", chain,
		       genesis->value->member_count);
	else
		printf("%s: %" PRIu32 " members, tolerates %" PRIu32 "\nchain %s\n"
		       "every member compares this chain id, by another way than the file came\n",
		       path, genesis->value->member_count,
		       hs_faulty_max(genesis->value->member_count), chain);
	return MGMT_EXIT_OK;
}

enum mgmt_exit mgmt_verb_genesis_create(const struct mgmt_cli *cli)
{
	struct mgmt_member members[MGMT_ARGUMENTS_MAX] = { 0 };
	struct mgmt_genesis genesis = { 0 };

	for (uint32_t i = 0; i < cli->argument_count; i++) {
		int result = mgmt_member_read(cli->argument[i], &members[i]);

		if (result != 0)
			return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
					     "give the member.json that `quorate init` wrote",
					     "%s: %s", cli->argument[i], err_text(result));
	}
	enum mgmt_exit code = mgmt_genesis_make(cli,
						mgmt_cli_text(cli, MGMT_OPTION_CHAIN, "quorate"),
						members, cli->argument_count, &genesis);

	if (code == MGMT_EXIT_OK)
		code = mgmt_genesis_save(cli, &genesis);
	mgmt_genesis_fini(&genesis);
	return code;
}

enum mgmt_exit mgmt_verb_genesis_show(const struct mgmt_cli *cli)
{
	struct mgmt_genesis genesis = { 0 };
	struct mgmt_text text = { 0 };
	enum mgmt_exit code = mgmt_genesis_read(cli, cli->argument[0], &genesis);

	if (code == MGMT_EXIT_OK) {
		mgmt_genesis_json(&genesis, &text);
		fputs(mgmt_text_of(&text), stdout);
	}
	mgmt_text_fini(&text);
	mgmt_genesis_fini(&genesis);
	return code;
}
