/*
 * node_identity: who this node is: the chain's genesis, its members, and our keys.
 *
 * Reads the canonical genesis file (`quorate genesis create` writes it) and both key
 * files, and checks that they belong together: the keys must be those the genesis
 * lists under this node's number. Secrets live in locked memory.
 * Errors   0 or a negative code, and then one line with cause and remedy in `ret_reason`.
 */
#ifndef QUORATE_NODE_IDENTITY_H
#define QUORATE_NODE_IDENTITY_H

#include "crypto/crypto_sign.h"
#include "node/node_config.h"
#include "wire/wire_genesis.h"
#include "wire/wire_session.h"

struct node_secrets {
	struct crypto_signing_key signing;
	struct crypto_exchange_secret session;
};

struct node_identity {
	struct wire_genesis genesis;
	struct crypto_hash chain_id;
	struct crypto_hash genesis_id;
	struct wire_validators validators;
	struct crypto_exchange_key exchange_key[HS_REPLICAS_MAX];
	uint32_t id;
	struct node_secrets *secrets; /* crypto_secret_take() */
};

/* Reads and checks only the genesis: what offline tools need. */
int node_identity_genesis(const char *path, struct node_identity *ret_identity, char *ret_reason);

/* Everything of `config`. */
int node_identity_open(const struct node_config *config, struct node_identity *ret_identity,
		       char *ret_reason);

/* Wipes the secrets. Accepts one that never opened (all zero). */
void node_identity_close(struct node_identity *identity);

/* This node as a party of sessions. */
void node_identity_party(const struct node_identity *identity, struct wire_party *ret_party);

#endif
