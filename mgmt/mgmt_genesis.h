/*
 * mgmt_genesis: genesis files: canonical bytes (wire_genesis.h) and how people see them.
 *
 * The file is the canonical bytes themselves, so its hash is the chain id; the JSON form is for
 * reading only.
 */
#ifndef QUORATE_MGMT_GENESIS_H
#define QUORATE_MGMT_GENESIS_H

#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_member.h"
#include "wire/wire_genesis.h"

/* A genesis as read or made; release with mgmt_genesis_fini(). */
struct mgmt_genesis {
	struct wire_genesis *value;
	struct crypto_hash chain_id;
	struct mgmt_text bytes;
};

/*
 * Makes a genesis of these members in this order, with default limits and open admission. Says why
 * not through `cli`.
 */
enum mgmt_exit mgmt_genesis_make(const struct mgmt_cli *cli, const char *chain,
				 const struct mgmt_member *members, uint32_t member_count,
				 struct mgmt_genesis *ret_genesis);

/* Reads and checks a genesis file; says why not through `cli`. */
enum mgmt_exit mgmt_genesis_read(const struct mgmt_cli *cli, const char *path,
				 struct mgmt_genesis *ret_genesis);

/* Returns the number of the member with that key, or UINT32_MAX. */
uint32_t mgmt_genesis_member_of(const struct mgmt_genesis *genesis,
				const struct crypto_public_key *key);

/* Writes the whole document as JSON. */
void mgmt_genesis_json(const struct mgmt_genesis *genesis, struct mgmt_text *ret_text);

void mgmt_genesis_fini(struct mgmt_genesis *genesis);

#endif
