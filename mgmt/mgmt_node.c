#define _GNU_SOURCE
#include "mgmt/mgmt_node.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_secret.h"
#include "mgmt/mgmt_process.h"

enum { MGMT_FORMAT_TIMEOUT_MS = 120000, MGMT_NAME_ROOM = 64 };

bool mgmt_path_fits(const char *dir)
{
	return strlen(dir) + MGMT_NAME_ROOM < MGMT_PATH_BYTES_MAX;
}

struct mgmt_path mgmt_path_of(const char *dir, const char *name)
{
	struct mgmt_path path;
	int count = snprintf(path.text, sizeof(path.text), "%s/%s", dir, name);

	ensure(count > 0 && (size_t)count < sizeof(path.text));
	return path;
}

static int mgmt_remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
	(void)stat;
	(void)flag;
	(void)walk;
	return remove(path);
}

int mgmt_remove_all(const char *path)
{
	if (nftw(path, mgmt_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0)
		return 0;
	return errno == ENOENT ? 0 : -errno;
}

/* Draws both keys and writes them and their public halves into an existing directory. */
static int mgmt_node_write_keys(const char *dir, struct mgmt_member *member)
{
	uint8_t *seed = crypto_secret_take(CRYPTO_SEED_BYTES + sizeof(struct crypto_signing_key));
	struct crypto_signing_key *key;
	struct crypto_exchange_secret secret;
	int result;

	if (!seed)
		return ERR_MEMORY;
	key = (struct crypto_signing_key *)(void *)(seed + CRYPTO_SEED_BYTES);
	crypto_random(seed, CRYPTO_SEED_BYTES);
	crypto_sign_key_init(seed, key);
	member->public_key = key->public_key;
	result = crypto_secret_save(mgmt_path_of(dir, "signing.key").text, seed);
	crypto_random(seed, CRYPTO_SEED_BYTES);
	memcpy(secret.b, seed, sizeof(secret.b));
	crypto_exchange_public(&secret, &member->exchange_key);
	if (result == 0)
		result = crypto_secret_save(mgmt_path_of(dir, "session.key").text, seed);
	if (result == 0)
		result = mgmt_member_write(mgmt_path_of(dir, "member.json").text, member);
	crypto_wipe(&secret, sizeof(secret));
	crypto_secret_give_back(seed);
	return result;
}

enum mgmt_exit mgmt_node_make(const struct mgmt_cli *cli, const char *dir, const char *name,
			      struct mgmt_member *ret_member)
{
	char dir_new[MGMT_PATH_BYTES_MAX];
	struct mgmt_member member = { 0 };

	if (!mgmt_path_fits(dir))
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "choose a shorter one",
				     "%s: the path is too long", dir);
	if (!mgmt_member_name_is_valid(name))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "use 1 to 31 of a-z, 0-9, dot, hyphen",
				     "'%s' is not a member's name", name);
	memcpy(member.name, name, strlen(name) + 1);
	snprintf(dir_new, sizeof(dir_new), "%s.new-%ld", dir, (long)getpid());
	int result = mkdir(dir_new, 0700) == 0 ? 0 : -errno;

	if (result == 0)
		result = mgmt_node_write_keys(dir_new, &member);
	/* Puts the finished directory in place; an empty one may give way, no other. */
	if (result == 0 && rename(dir_new, dir) != 0)
		result = -errno;
	if (result == 0) {
		*ret_member = member;
		return MGMT_EXIT_OK;
	}
	mgmt_remove_all(dir_new);
	if (result == -ENOTEMPTY || result == -EEXIST || result == -ENOTDIR)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
				     "nothing is ever overwritten; name a new directory",
				     "%s exists already", dir);
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check path, permission and free space",
			     "%s: %s", dir, err_text(result));
}

static enum mgmt_exit mgmt_node_format(const struct mgmt_cli *cli, const char *dir, uint32_t id,
				       const struct mgmt_store_shape *shape)
{
	const struct mgmt_path store = mgmt_path_of(dir, "store");
	const struct mgmt_path genesis = mgmt_path_of(dir, "genesis");
	char id_text[16];
	char segment_text[16];
	const char *argv[] = { "quorate-store",
			       "format",
			       "--dir",
			       store.text,
			       "--genesis",
			       genesis.text,
			       "--id",
			       id_text,
			       "--segment-mib",
			       segment_text,
			       shape->allows_buffered ? "--allow-buffered" : NULL,
			       NULL };
	struct mgmt_text output = { 0 };

	snprintf(id_text, sizeof(id_text), "%u", id);
	snprintf(segment_text, sizeof(segment_text), "%u", shape->segment_mib);
	int result = mgmt_process_run(argv, MGMT_FORMAT_TIMEOUT_MS, &output);
	enum mgmt_exit code = MGMT_EXIT_OK;

	if (result < 0)
		code = mgmt_cli_fail(cli, MGMT_EXIT_FAILED,
				     "install quorate-store beside quorate, or into PATH",
				     "cannot run quorate-store: %s", err_text(result));
	else if (result != 0)
		code = mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "nothing was kept; try again after it",
				     "no store in %s: %.*s", store.text,
				     (int)strcspn(mgmt_text_of(&output), "\n"),
				     mgmt_text_of(&output));
	mgmt_text_fini(&output);
	return code;
}

/* Reads the public half of the node's signing key, from the key itself. */
static enum mgmt_exit mgmt_node_key(const struct mgmt_cli *cli, const char *dir,
				    struct crypto_public_key *ret_key)
{
	const struct mgmt_path path = mgmt_path_of(dir, "signing.key");
	uint8_t *seed = crypto_secret_take(CRYPTO_SEED_BYTES + sizeof(struct crypto_signing_key));
	struct crypto_signing_key *key;
	int result = ERR_MEMORY;

	if (seed)
		result = crypto_secret_load(path.text, seed);
	if (result == 0) {
		key = (struct crypto_signing_key *)(void *)(seed + CRYPTO_SEED_BYTES);
		crypto_sign_key_init(seed, key);
		*ret_key = key->public_key;
	}
	crypto_secret_give_back(seed);
	if (result == 0)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
			     result == ERR_PERMISSION ? "chmod 600 it, as the node's user" :
							"make it with `quorate init DIR`",
			     "%s: %s", path.text, err_text(result));
}

static enum mgmt_exit mgmt_node_may_join(const struct mgmt_cli *cli, const char *dir,
					 const struct mgmt_genesis *genesis, uint32_t *ret_id)
{
	struct crypto_public_key key;
	enum mgmt_exit code = mgmt_node_key(cli, dir, &key);

	if (code != MGMT_EXIT_OK)
		return code;
	if (access(mgmt_path_of(dir, "born").text, F_OK) == 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
				     "a lost store means a new key: quorate init NEWDIR",
				     "the key in %s already had a safety record", dir);
	if (access(mgmt_path_of(dir, "store").text, F_OK) == 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "nothing is ever overwritten",
				     "%s/store exists already", dir);
	*ret_id = mgmt_genesis_member_of(genesis, &key);
	if (*ret_id == UINT32_MAX)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
				     "create the genesis with this node's member.json",
				     "the key in %s is no member of that genesis", dir);
	return MGMT_EXIT_OK;
}

enum mgmt_exit mgmt_node_join(const struct mgmt_cli *cli, const char *dir,
			      const struct mgmt_genesis *genesis,
			      const struct mgmt_store_shape *shape, uint32_t *ret_id)
{
	static const char *const made[] = { "genesis", "run", "store", "born" };
	const struct mgmt_text *bytes = &genesis->bytes;
	uint32_t id = 0;
	int result;

	if (!mgmt_path_fits(dir))
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "choose a shorter one",
				     "%s: the path is too long", dir);
	enum mgmt_exit code = mgmt_node_may_join(cli, dir, genesis, &id);

	if (code != MGMT_EXIT_OK)
		return code;
	result = mgmt_text_write_file(mgmt_path_of(dir, "genesis").text, bytes->bytes, bytes->count,
				      0644, true);
	if (result == 0 && mkdir(mgmt_path_of(dir, "run").text, 0750) != 0 && errno != EEXIST)
		result = -errno;
	if (result == 0)
		code = mgmt_node_format(cli, dir, id, shape);
	if (result == 0 && code == MGMT_EXIT_OK)
		result = mgmt_text_write_file(mgmt_path_of(dir, "born").text, "1\n", 2, 0600, true);
	if (result != 0)
		code = mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check permission and free space",
				     "%s: %s", dir, err_text(result));
	for (size_t i = 0; i < 4 && code != MGMT_EXIT_OK && result != -EEXIST; i++)
		mgmt_remove_all(mgmt_path_of(dir, made[i]).text);
	if (code == MGMT_EXIT_OK)
		*ret_id = id;
	return code;
}
