/* hostile: frames that are wrong in exactly one way. */
#include <string.h>

#include "base/err.h"
#include "hostile.h"
#include "wire/wire_frame.h"
#include "wire/wire_seal.h"

static const struct {
	const char *name;
	int code;
} faults[HOSTILE_FAULT_COUNT] = {
	[HOSTILE_GOOD] = { "good", 0 },
	[HOSTILE_MALFORMED] = { "malformed", ERR_FORMAT },
	[HOSTILE_TRUNCATED] = { "truncated", ERR_TRUNCATED },
	[HOSTILE_OVERSIZE] = { "oversize", ERR_OVERSIZE },
	[HOSTILE_WRONG_CHAIN] = { "wrong_chain", ERR_CHAIN },
	[HOSTILE_BAD_SIGNATURE] = { "bad_signature", ERR_SIGNATURE },
	[HOSTILE_EXPIRED] = { "expired", ERR_EXPIRED },
	[HOSTILE_EXPIRES_FAR] = { "expires_far", ERR_EXPIRED },
	[HOSTILE_UNKNOWN_CLIENT] = { "unknown_client", ERR_UNKNOWN_CLIENT },
	[HOSTILE_AHEAD] = { "ahead", ERR_AHEAD },
};

const char *hostile_fault_name(enum hostile_fault fault)
{
	return faults[fault].name;
}

int hostile_fault_code(enum hostile_fault fault)
{
	return faults[fault].code;
}

uint64_t hostile_fault_limit(const struct hostile *hostile, enum hostile_fault fault)
{
	if (fault == HOSTILE_OVERSIZE)
		return WIRE_PAYLOAD_BYTES_MAX;
	return fault == HOSTILE_AHEAD ? hostile->next_seq + WIRE_CLIENT_WINDOW : 0;
}

static uint32_t seal(const struct crypto_hash *chain_id, const struct crypto_signing_key *key,
		     uint8_t *bytes, uint32_t body_bytes)
{
	struct crypto_hash leaf = wire_seal_leaf(bytes, body_bytes);
	uint8_t signed_bytes[CRYPTO_SIGNED_BYTES_MAX];
	struct crypto_signature signature;
	struct wire_seal_tree tree;
	uint32_t count;

	wire_seal_tree_build(&tree, &leaf, 1);
	count = wire_seal_signed_bytes(chain_id, &key->public_key, &tree.node[1], signed_bytes);
	crypto_sign_message(key, signed_bytes, count, &signature);
	return body_bytes + wire_seal_write(&tree, 0, &signature, bytes + body_bytes);
}

uint32_t hostile_submit(const struct hostile *hostile, enum hostile_fault fault, uint64_t seq,
			uint8_t ret_message[WIRE_CLIENT_BYTES_MAX])
{
	static const uint8_t stranger_seed[CRYPTO_SEED_BYTES] = { 0x66 };
	struct crypto_signing_key stranger;
	const struct crypto_signing_key *key = &hostile->key;
	struct crypto_hash chain_id = hostile->chain_id;
	const void *payload = "bytes of a hostile client";
	uint32_t payload_bytes = 25;
	struct wire_frame_spec spec = { .kind = WIRE_FRAME_TRANSACTIONS,
					.first_seq = seq,
					.expires = 100000,
					.count = 1,
					.payload = &payload,
					.payload_bytes = &payload_bytes };
	uint8_t *frame = ret_message + WIRE_CLIENT_HEAD_BYTES;
	uint32_t count;
	int body;

	crypto_sign_key_init(stranger_seed, &stranger);
	if (fault == HOSTILE_WRONG_CHAIN)
		chain_id.b[0] ^= 1;
	if (fault == HOSTILE_UNKNOWN_CLIENT)
		key = &stranger;
	if (fault == HOSTILE_EXPIRED)
		spec.expires = 1;
	if (fault == HOSTILE_EXPIRES_FAR)
		spec.expires = UINT64_MAX;
	spec.chain_id = chain_id;
	spec.client = key->public_key;
	body = wire_frame_build(&spec, frame, LANE_FRAME_BYTES_MAX);
	if (body < 0)
		hostile_die("a frame cannot be built: %s", err_text(body));
	count = seal(&chain_id, key, frame, (uint32_t)body);
	memset(ret_message, 0, WIRE_CLIENT_HEAD_BYTES);
	ret_message[0] = WIRE_CLIENT_SUBMIT;
	ret_message[1] = WIRE_CLIENT_VERSION;
	if (fault == HOSTILE_MALFORMED)
		frame[0] ^= 0xff;
	if (fault == HOSTILE_TRUNCATED)
		count -= 10;
	if (fault == HOSTILE_BAD_SIGNATURE)
		frame[count - 1] ^= 1;
	if (fault == HOSTILE_OVERSIZE) {
		memset(frame + count, 0, LANE_FRAME_BYTES_MAX + 1 - count);
		count = LANE_FRAME_BYTES_MAX + 1;
	}
	return WIRE_CLIENT_HEAD_BYTES + count;
}
