#define _GNU_SOURCE
#include "mgmt/mgmt_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/crypto_secret.h"
#include "crypto/crypto_session.h"
#include "mgmt/mgmt_member.h"

enum { MGMT_KEY_PATH_BYTES = 4096 };

static int mgmt_keys_write(const char *path, const char *path_public,
			   struct crypto_public_key *ret_key)
{
	uint8_t *seed = crypto_secret_take(CRYPTO_SEED_BYTES + sizeof(struct crypto_signing_key));
	struct crypto_signing_key *key;
	char hex[MGMT_HEX_BYTES + 1];

	if (!seed)
		return ERR_MEMORY;
	key = (struct crypto_signing_key *)(void *)(seed + CRYPTO_SEED_BYTES);
	crypto_random(seed, CRYPTO_SEED_BYTES);
	crypto_sign_key_init(seed, key);

	int result = crypto_secret_save(path, seed);

	*ret_key = key->public_key;
	crypto_secret_give_back(seed);
	if (result != 0)
		return result;
	mgmt_hex_of(ret_key, hex);
	hex[MGMT_HEX_BYTES - 1] = '\n';
	result = mgmt_text_write_file(path_public, hex, MGMT_HEX_BYTES, 0644, true);
	if (result != 0)
		unlink(path);
	return result;
}

enum mgmt_exit mgmt_keys_make(const struct mgmt_cli *cli, const char *path,
			      struct crypto_public_key *ret_key)
{
	char path_public[MGMT_KEY_PATH_BYTES];
	int count = snprintf(path_public, sizeof(path_public), "%s.pub", path);
	int result = -ENAMETOOLONG;

	if (count > 0 && (size_t)count < sizeof(path_public))
		result = mgmt_keys_write(path, path_public, ret_key);
	if (result == 0)
		return MGMT_EXIT_OK;
	if (result == -EEXIST)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
				     "keys are never overwritten; name a new file",
				     "%s or %s.pub exists already", path, path);
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check path, permission and free space",
			     "%s: %s", path, err_text(result));
}

enum mgmt_exit mgmt_keys_read(const struct mgmt_cli *cli, const char *path,
			      struct crypto_signing_key **ret_key)
{
	struct crypto_signing_key *key = crypto_secret_take(sizeof(*key) + CRYPTO_SEED_BYTES);
	int result = ERR_MEMORY;

	if (key) {
		uint8_t *seed = (uint8_t *)(key + 1);

		result = crypto_secret_load(path, seed);
		if (result == 0)
			crypto_sign_key_init(seed, key);
		crypto_wipe(seed, CRYPTO_SEED_BYTES);
	}
	if (result == 0) {
		*ret_key = key;
		return MGMT_EXIT_OK;
	}
	crypto_secret_give_back(key);
	return mgmt_cli_fail(cli, result == ERR_MEMORY ? MGMT_EXIT_FAILED : MGMT_EXIT_REFUSED,
			     result == ERR_PERMISSION ? "chmod 600 it, as its owner" :
							"make one with `quorate keygen FILE`",
			     "%s: %s", path, err_text(result));
}
