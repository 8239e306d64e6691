#include "wire/wire_frame.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_put.h"

static int frame_head_check(const struct wire_frame *frame, uint32_t magic, uint8_t version)
{
	if (magic != WIRE_FRAME_MAGIC || version != WIRE_FRAME_VERSION)
		return ERR_FORMAT;
	if (frame->count == 0 || frame->first_seq > UINT64_MAX - frame->count)
		return ERR_FORMAT;
	if (frame->kind == WIRE_FRAME_SKIP)
		return 0;
	if (frame->kind != WIRE_FRAME_TRANSACTIONS || frame->count > WIRE_FRAME_TRANSACTIONS_MAX)
		return ERR_FORMAT;
	return 0;
}

static void frame_seal_read(struct bytes_reader *r, struct wire_frame *frame)
{
	frame->seal_depth = bytes_get_u8(r);
	frame->leaf_index = bytes_get_u8(r);
	frame->siblings = bytes_take(r, (size_t)frame->seal_depth * CRYPTO_HASH_BYTES);
	frame->signature = bytes_take(r, CRYPTO_SIGNATURE_BYTES);
}

int wire_frame_parse(const void *bytes, size_t count, struct wire_frame *ret_frame)
{
	struct wire_frame frame = { .bytes = bytes };
	struct bytes_reader r;
	int code;

	if (count > LANE_FRAME_BYTES_MAX)
		return ERR_OVERSIZE;
	if (count < WIRE_FRAME_HEAD_BYTES + WIRE_SEAL_BYTES_MIN)
		return ERR_TRUNCATED;
	r = bytes_reader_of(bytes, count);
	uint32_t magic = bytes_get_u32(&r);
	uint8_t version = bytes_get_u8(&r);

	frame.byte_count = (uint32_t)count;
	frame.kind = bytes_get_u8(&r);
	frame.count = bytes_get_u16(&r);
	frame.chain_tag = bytes_get_u64(&r);
	wire_get_key(&r, &frame.client);
	frame.first_seq = bytes_get_u64(&r);
	frame.expires = bytes_get_u64(&r);
	code = frame_head_check(&frame, magic, version);
	if (code != 0)
		return code;
	frame.payloads = r.at;
	if (frame.kind == WIRE_FRAME_TRANSACTIONS)
		for (uint32_t i = 0; i < frame.count && !r.failed; i++)
			bytes_take(&r, bytes_get_u16(&r));
	frame.body_bytes = (uint32_t)(r.at - frame.bytes);
	frame_seal_read(&r, &frame);
	if (r.failed)
		return ERR_TRUNCATED;
	if (!bytes_done(&r) || frame.seal_depth > WIRE_SEAL_DEPTH_MAX ||
	    frame.leaf_index >> frame.seal_depth != 0)
		return ERR_FORMAT;
	*ret_frame = frame;
	return 0;
}

void wire_payload_walk_init(struct wire_payload_walk *walk, const struct wire_frame *frame)
{
	*walk = (struct wire_payload_walk){ .frame = frame, .at = frame->payloads };
}

bool wire_payload_next(struct wire_payload_walk *walk, struct wire_payload *ret_payload)
{
	const struct wire_frame *frame = walk->frame;
	struct bytes_reader r;

	if (frame->kind != WIRE_FRAME_TRANSACTIONS || walk->index >= frame->count)
		return false;
	r = (struct bytes_reader){ .at = walk->at, .end = frame->bytes + frame->body_bytes };
	uint32_t byte_count = bytes_get_u16(&r);

	*ret_payload = (struct wire_payload){
		.seq = frame->first_seq + walk->index,
		.bytes = bytes_take(&r, byte_count),
		.byte_count = byte_count,
	};
	ensure(!r.failed); /* wire_frame_parse() walked here before */
	walk->at = r.at;
	walk->index++;
	return true;
}

static struct crypto_hash tagged_hash(const char tag[8], const void *bytes, size_t count)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, tag, 8);
	crypto_hasher_add(&hasher, bytes, count);
	return crypto_hasher_done(&hasher);
}

struct crypto_hash wire_frame_hash(const struct wire_frame *frame)
{
	return wire_frame_hash_of(frame->bytes, frame->byte_count);
}

struct crypto_hash wire_frame_hash_of(const void *bytes, size_t count)
{
	return tagged_hash("QRframe1", bytes, count);
}

struct crypto_hash wire_frame_leaf(const struct wire_frame *frame)
{
	return tagged_hash("QRFleaf1", frame->bytes, frame->body_bytes);
}

struct crypto_hash wire_frame_root(const struct wire_frame *frame, const struct crypto_hash *leaf)
{
	struct crypto_hash node = *leaf;

	for (uint32_t level = 0; level < frame->seal_depth; level++) {
		struct crypto_hash sibling;

		memcpy(sibling.b, frame->siblings + (size_t)level * CRYPTO_HASH_BYTES,
		       sizeof(sibling.b));
		node = (frame->leaf_index >> level & 1) != 0 ?
			       crypto_hash_pair("QRseal-n", &sibling, &node) :
			       crypto_hash_pair("QRseal-n", &node, &sibling);
	}
	return node;
}

uint32_t wire_seal_signed_bytes(const struct crypto_hash *chain_id,
				const struct crypto_public_key *client,
				const struct crypto_hash *root,
				uint8_t ret_bytes[CRYPTO_SIGNED_BYTES_MAX])
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, CRYPTO_SIGNED_BYTES_MAX);

	bytes_put(&w, "QRseal01", 8);
	wire_put_hash(&w, chain_id);
	wire_put_key(&w, client);
	wire_put_hash(&w, root);
	ensure(!w.failed);
	return (uint32_t)bytes_written(&w);
}

struct crypto_hash wire_txid(const struct crypto_public_key *client, uint64_t seq,
			     const void *payload, size_t payload_bytes)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRtxid01", 8);
	crypto_hasher_add(&hasher, client->b, sizeof(client->b));
	crypto_hasher_add_u64(&hasher, seq);
	crypto_hasher_add(&hasher, payload, payload_bytes);
	return crypto_hasher_done(&hasher);
}

uint64_t wire_chain_tag(const struct crypto_hash *chain_id)
{
	struct bytes_reader r = bytes_reader_of(chain_id->b, sizeof(chain_id->b));

	return bytes_get_u64(&r);
}

static int frame_spec_check(const struct wire_frame_spec *spec)
{
	if (spec->count == 0 || spec->first_seq > UINT64_MAX - spec->count ||
	    spec->seal_depth > WIRE_SEAL_DEPTH_MAX)
		return ERR_FORMAT;
	if (spec->kind == WIRE_FRAME_SKIP)
		return spec->count > UINT16_MAX ? ERR_FORMAT : 0;
	if (spec->kind != WIRE_FRAME_TRANSACTIONS)
		return ERR_FORMAT;
	return spec->count > WIRE_FRAME_TRANSACTIONS_MAX ? ERR_OVERSIZE : 0;
}

int wire_frame_build(const struct wire_frame_spec *spec, uint8_t *ret_bytes, size_t room)
{
	size_t seal_bytes = WIRE_SEAL_BYTES_MIN + (size_t)spec->seal_depth * CRYPTO_HASH_BYTES;
	size_t body_max = LANE_FRAME_BYTES_MAX - seal_bytes;
	struct bytes_writer w = bytes_writer_of(ret_bytes, room < body_max ? room : body_max);
	int code = frame_spec_check(spec);

	if (code != 0)
		return code;
	bytes_put_u32(&w, WIRE_FRAME_MAGIC);
	bytes_put_u8(&w, WIRE_FRAME_VERSION);
	bytes_put_u8(&w, (uint8_t)spec->kind);
	bytes_put_u16(&w, (uint16_t)spec->count);
	bytes_put_u64(&w, wire_chain_tag(&spec->chain_id));
	wire_put_key(&w, &spec->client);
	bytes_put_u64(&w, spec->first_seq);
	bytes_put_u64(&w, spec->expires);
	if (spec->kind == WIRE_FRAME_TRANSACTIONS)
		for (uint32_t i = 0; i < spec->count; i++) {
			if (spec->payload_bytes[i] > WIRE_PAYLOAD_BYTES_MAX)
				return ERR_OVERSIZE;
			bytes_put_u16(&w, (uint16_t)spec->payload_bytes[i]);
			bytes_put(&w, spec->payload[i], spec->payload_bytes[i]);
		}
	return w.failed ? ERR_OVERSIZE : (int)bytes_written(&w);
}
