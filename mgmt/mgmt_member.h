/*
 * mgmt_member: a member's public half: who it is, for the others to put into a genesis.
 *
 * A member file is JSON: {"format": "quorate-member-1", "name": ..., "signing_key": 64 hex digits
 * (Ed25519), "session_key": 64 hex digits (X25519)}. It contains no secret.
 */
#ifndef QUORATE_MGMT_MEMBER_H
#define QUORATE_MGMT_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/crypto_session.h"
#include "crypto/crypto_sign.h"

enum { MGMT_MEMBER_NAME_BYTES = 32, MGMT_HEX_BYTES = 2 * CRYPTO_HASH_BYTES + 1 };

struct mgmt_member {
	char name[MGMT_MEMBER_NAME_BYTES]; /* 1 to 31 of a-z, 0-9, dot, hyphen */
	struct crypto_public_key public_key;
	struct crypto_exchange_key exchange_key;
};

bool mgmt_member_name_is_valid(const char *name);

/* Returns 0, -EEXIST (files are never overwritten) or -errno. */
int mgmt_member_write(const char *path, const struct mgmt_member *member);

/* Returns 0; ERR_FORMAT; ERR_KEY if the signing key is not acceptable; -errno. */
int mgmt_member_read(const char *path, struct mgmt_member *ret_member);

/* 32 bytes as 64 hexadecimal digits and back; from_hex is false for anything else. */
void mgmt_hex_of(const void *bytes, char ret_text[MGMT_HEX_BYTES]);
bool mgmt_hex_bytes(const char *text, void *ret_bytes);

#endif
