#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "client/qr_key.h"
#include "wire/wire_seal.h"

_Static_assert((int)QR_FRAME_BYTES_MAX == (int)LANE_FRAME_BYTES_MAX &&
		       (int)QR_FRAME_TRANSACTIONS_MAX == (int)WIRE_FRAME_TRANSACTIONS_MAX &&
		       (int)QR_SEAL_FRAMES_MAX == (int)WIRE_SEAL_FRAMES_MAX &&
		       (int)QR_PAYLOAD_BYTES_MAX == (int)WIRE_PAYLOAD_BYTES_MAX,
	       "the public limits are the wire's");

static uint32_t body_room(uint32_t depth)
{
	return QR_FRAME_BYTES_MAX - WIRE_SEAL_BYTES_MIN - depth * CRYPTO_HASH_BYTES;
}

/* How many payloads from `first` on one frame takes; 0: not even one fits at this depth. */
static uint32_t frame_takes(const struct qr_frames_spec *spec, uint32_t first, uint32_t depth)
{
	uint32_t most = spec->frame_transactions_max;
	size_t left = body_room(depth) - WIRE_FRAME_HEAD_BYTES;
	uint32_t taken = 0;

	if (most == 0 || most > QR_FRAME_TRANSACTIONS_MAX)
		most = QR_FRAME_TRANSACTIONS_MAX;
	while (taken < most && first + taken < spec->payload_count) {
		size_t bytes = spec->payloads[first + taken].byte_count;

		if (bytes > QR_PAYLOAD_BYTES_MAX || bytes + 2 > left)
			break;
		left -= bytes + 2;
		taken++;
	}
	return taken;
}

/* Frames that `depth` allows, and how many payloads they hold. */
static uint32_t frames_at(const struct qr_frames_spec *spec, uint32_t depth, uint32_t *ret_taken)
{
	uint32_t frames_max = (uint32_t)units_min(UINT64_C(1) << depth, spec->frames_max);
	uint32_t frames = 0;
	uint32_t taken = 0;

	while (frames < frames_max && taken < spec->payload_count) {
		uint32_t more = frame_takes(spec, taken, depth);

		if (more == 0)
			break;
		taken += more;
		frames++;
	}
	*ret_taken = taken;
	return frames;
}

static int frame_body(const struct qr_frames_spec *spec, uint32_t first, uint32_t count,
		      uint32_t depth, struct qr_frame *ret_frame)
{
	const void *payload[QR_FRAME_TRANSACTIONS_MAX];
	uint32_t payload_bytes[QR_FRAME_TRANSACTIONS_MAX];
	struct wire_frame_spec frame = {
		.kind = WIRE_FRAME_TRANSACTIONS,
		.client = spec->key->signing.public_key,
		.first_seq = spec->first_seq + first,
		.expires = spec->expires,
		.count = count,
		.payload = payload,
		.payload_bytes = payload_bytes,
		.seal_depth = depth,
	};
	int bytes;

	memcpy(frame.chain_id.b, spec->chain_id, sizeof(frame.chain_id.b));
	for (uint32_t i = 0; i < count; i++) {
		payload[i] = spec->payloads[first + i].bytes;
		payload_bytes[i] = (uint32_t)spec->payloads[first + i].byte_count;
	}
	bytes = wire_frame_build(&frame, ret_frame->bytes, sizeof(ret_frame->bytes));
	if (bytes < 0)
		return bytes;
	ret_frame->byte_count = (uint32_t)bytes;
	ret_frame->first_seq = frame.first_seq;
	ret_frame->count = count;
	return 0;
}

static void frames_sign(const struct qr_key *key, const uint8_t *chain_id, struct qr_frame *frames,
			uint32_t count)
{
	struct crypto_hash leaf[QR_SEAL_FRAMES_MAX] = { 0 };
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	struct crypto_signature signature;
	struct wire_seal_tree tree;
	struct crypto_hash chain;
	uint32_t signed_bytes;

	memcpy(chain.b, chain_id, sizeof(chain.b));
	for (uint32_t i = 0; i < count; i++)
		leaf[i] = wire_seal_leaf(frames[i].bytes, frames[i].byte_count);
	wire_seal_tree_build(&tree, leaf, count);
	signed_bytes =
		wire_seal_signed_bytes(&chain, &key->signing.public_key, &tree.node[1], bytes);
	crypto_sign_message(&key->signing, bytes, signed_bytes, &signature);
	for (uint32_t i = 0; i < count; i++)
		frames[i].byte_count += wire_seal_write(&tree, i, &signature,
							frames[i].bytes + frames[i].byte_count);
}

int qr_frames_seal(const struct qr_frames_spec *spec, struct qr_frame *ret_frames,
		   uint32_t *ret_taken)
{
	uint32_t depth = 0;
	uint32_t taken = 0;
	uint32_t frames;
	uint32_t at = 0;

	if (spec->frames_max == 0 || spec->frames_max > QR_SEAL_FRAMES_MAX ||
	    spec->payload_count == 0 || spec->first_seq > UINT64_MAX - spec->payload_count)
		return ERR_CONFIG;
	frames = frames_at(spec, 0, &taken);
	/* A deeper seal has more frames, each with less room: go on while that takes more. */
	while (depth < WIRE_SEAL_DEPTH_MAX && taken < spec->payload_count) {
		uint32_t deeper_taken;
		uint32_t deeper = frames_at(spec, depth + 1, &deeper_taken);

		if (deeper_taken <= taken)
			break;
		frames = deeper;
		taken = deeper_taken;
		depth++;
	}
	if (taken == 0)
		return ERR_OVERSIZE;
	for (uint32_t i = 0; i < frames; i++) {
		uint32_t count = frame_takes(spec, at, depth);
		int code = frame_body(spec, at, count, wire_seal_depth(frames), &ret_frames[i]);

		if (code != 0)
			return code;
		at += count;
	}
	frames_sign(spec->key, spec->chain_id, ret_frames, frames);
	*ret_taken = taken;
	return (int)frames;
}

int qr_frame_skip(const struct qr_key *key, const uint8_t chain_id[QR_HASH_BYTES],
		  uint64_t first_seq, uint32_t count, uint64_t expires, struct qr_frame *ret_frame)
{
	struct wire_frame_spec spec = {
		.kind = WIRE_FRAME_SKIP,
		.client = key->signing.public_key,
		.first_seq = first_seq,
		.expires = expires,
		.count = count,
	};
	int bytes;

	memcpy(spec.chain_id.b, chain_id, sizeof(spec.chain_id.b));
	bytes = wire_frame_build(&spec, ret_frame->bytes, sizeof(ret_frame->bytes));
	if (bytes < 0)
		return bytes;
	ret_frame->byte_count = (uint32_t)bytes;
	ret_frame->first_seq = first_seq;
	ret_frame->count = count;
	frames_sign(key, chain_id, ret_frame, 1);
	return 0;
}

void qr_txid(const uint8_t client[QR_KEY_BYTES], uint64_t seq, const void *payload,
	     size_t payload_bytes, uint8_t ret_txid[QR_HASH_BYTES])
{
	struct crypto_public_key key;
	struct crypto_hash txid;

	memcpy(key.b, client, sizeof(key.b));
	txid = wire_txid(&key, seq, payload, payload_bytes);
	memcpy(ret_txid, txid.b, sizeof(txid.b));
}
