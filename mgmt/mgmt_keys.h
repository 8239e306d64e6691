/*
 * mgmt_keys: client keys as files: FILE (a seed, mode 0600) and FILE.pub (64 hexadecimal digits).
 */
#ifndef QUORATE_MGMT_KEYS_H
#define QUORATE_MGMT_KEYS_H

#include "crypto/crypto_sign.h"
#include "mgmt/mgmt_cli.h"

/* Makes both files, or none; never overwrites. Says why not through `cli`. */
enum mgmt_exit mgmt_keys_make(const struct mgmt_cli *cli, const char *path,
			      struct crypto_public_key *ret_key);

/*
 * Reads the key in `path` into secret memory, to be given back with crypto_secret_give_back(). Says
 * why not through `cli`.
 */
enum mgmt_exit mgmt_keys_read(const struct mgmt_cli *cli, const char *path,
			      struct crypto_signing_key **ret_key);

#endif
