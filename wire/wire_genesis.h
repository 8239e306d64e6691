/*
 * wire_genesis: the document a chain begins with, as canonical bytes.
 *
 * The chain id is the hash of these bytes, so whoever has them can check every
 * proof of epoch 1, and nobody can change a limit, a member or a client quietly.
 * The human's form (JSON) is mgmt's; it converts to these bytes, one to one.
 * Decoding is total and canonical: encode(decode(b)) = b for every accepted b.
 */
#ifndef QUORATE_WIRE_GENESIS_H
#define QUORATE_WIRE_GENESIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_types.h"
#include "crypto/crypto_types.h"
#include "wire/wire_verify.h"

enum {
	WIRE_GENESIS_MAGIC = 0x31475251, /* "QRG1" */
	WIRE_GENESIS_VERSION = 1,
	WIRE_GENESIS_NAME_BYTES_MAX = 31, /* of [a-z0-9.-], at least 1 */
	WIRE_GENESIS_CLIENTS_LISTED_MAX = 1024,
	WIRE_GENESIS_EPOCH = 1,
	WIRE_GENESIS_BYTES_MAX = 64 * 1024,
};

struct wire_genesis_member {
	char name[WIRE_GENESIS_NAME_BYTES_MAX + 1];
	struct crypto_public_key public_key;     /* Ed25519: votes, batches */
	struct crypto_exchange_key exchange_key; /* X25519: sessions */
	uint8_t address[16]; /* IPv6, or IPv4-mapped; all zero: named by configuration only */
	uint16_t port;
};

enum wire_admission_kind { WIRE_ADMISSION_OPEN = 1, WIRE_ADMISSION_REGISTERED };

/* Default budgets of one client key, a second; 0: no limit. */
struct wire_admission {
	enum wire_admission_kind kind;
	uint32_t clients_max; /* exactly-once windows kept; at least 1 */
	uint32_t frames_per_s;
	uint32_t bytes_per_s;
	uint32_t checks_per_s;
	uint32_t listed_count; /* REGISTERED: at least 1; OPEN: 0 */
	struct crypto_public_key listed[WIRE_GENESIS_CLIENTS_LISTED_MAX]; /* strictly rising */
};

struct wire_genesis {
	char name[WIRE_GENESIS_NAME_BYTES_MAX + 1];
	uint64_t time_ns; /* since 1970, of the block at height 0 */
	uint64_t delta_ns;
	uint64_t timeout_max_ns;
	uint64_t heartbeat_ns;
	uint64_t block_interval_min_ns;
	uint64_t clock_skew_max_ns;
	uint32_t window_batches;  /* W of PROTOCOL §2.8: 1..LANE_WINDOW_MAX */
	uint32_t cut_batches_max; /* C: 1..LANE_WINDOW_MAX */
	uint32_t member_count;    /* 1 (development) or 4..HS_REPLICAS_MAX */
	struct wire_genesis_member member[HS_REPLICAS_MAX]; /* distinct names and keys, all valid */
	struct wire_admission admission;
};

/* 0, or ERR_CONFIG with one line of text naming the field (a constant string). */
int wire_genesis_check(const struct wire_genesis *genesis, const char **ret_why);

/*
 * Returns the bytes written, ERR_CONFIG if the document does not pass its check, or ERR_OVERSIZE.
 */
int wire_genesis_encode(const struct wire_genesis *genesis, void *ret_bytes, size_t room);

/* Returns 0, or ERR_FORMAT, ERR_TRUNCATED, ERR_OVERSIZE, ERR_NEWER, ERR_KEY. */
int wire_genesis_decode(const void *bytes, size_t count, struct wire_genesis *ret_genesis);

/* H("QRchain1" || bytes): what `bytes` are is checked by decode, not here. */
struct crypto_hash wire_genesis_chain_id(const void *bytes, size_t count);

/* Id of the block at height 0: H("QRblock0" || chain id || set hash). */
struct crypto_hash wire_genesis_block_id(const struct crypto_hash *chain_id,
					 const struct crypto_hash *set_hash);

/* The validator set of epoch 1. */
void wire_genesis_validators(const struct wire_genesis *genesis, const struct crypto_hash *chain_id,
			     struct wire_validators *ret_validators);

#endif
