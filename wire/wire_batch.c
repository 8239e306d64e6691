#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_message.h"
#include "wire/wire_put.h"

static void batch_put_digested(struct bytes_writer *w, const struct lane_header *header)
{
	bytes_put_u32(w, header->lane);
	bytes_put_u64(w, header->seq);
	wire_put_hash(w, &header->prev_digest);
	wire_put_hash(w, &header->frames_root);
	bytes_put_u32(w, header->frame_count);
	bytes_put_u32(w, header->frame_bytes);
}

struct crypto_hash wire_batch_digest(const struct crypto_hash *chain_id,
				     const struct lane_header *header)
{
	uint8_t bytes[8 + CRYPTO_HASH_BYTES + WIRE_BATCH_HEADER_BYTES];
	struct bytes_writer w = bytes_writer_of(bytes, sizeof(bytes));

	bytes_put(&w, "QRbatch1", 8);
	wire_put_hash(&w, chain_id);
	batch_put_digested(&w, header);
	ensure(!w.failed);
	return crypto_hash_of(bytes, bytes_written(&w));
}

uint32_t wire_batch_signed_bytes(const struct crypto_hash *chain_id, uint64_t epoch,
				 const struct crypto_hash *set_hash,
				 const struct crypto_hash *digest,
				 uint8_t ret_bytes[CRYPTO_SIGNED_BYTES_MAX])
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, CRYPTO_SIGNED_BYTES_MAX);

	bytes_put(&w, "QRs-btch", 8);
	wire_put_hash(&w, chain_id);
	bytes_put_u64(&w, epoch);
	wire_put_hash(&w, set_hash);
	wire_put_hash(&w, digest);
	ensure(!w.failed);
	return (uint32_t)bytes_written(&w);
}

int wire_encode_batch_header(const struct lane_header *header, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	batch_put_digested(&w, header);
	wire_put_signature(&w, &header->signature);
	return w.failed ? ERR_OVERSIZE : (int)bytes_written(&w);
}

int wire_decode_batch_header(const void *bytes, size_t count, const struct crypto_hash *chain_id,
			     struct lane_header *ret_header)
{
	struct bytes_reader r = bytes_reader_of(bytes, count);
	struct lane_header header;

	if (count < WIRE_BATCH_HEADER_BYTES)
		return ERR_TRUNCATED;
	if (count > WIRE_BATCH_HEADER_BYTES)
		return ERR_OVERSIZE;
	header.lane = bytes_get_u32(&r);
	header.seq = bytes_get_u64(&r);
	wire_get_hash(&r, &header.prev_digest);
	wire_get_hash(&r, &header.frames_root);
	header.frame_count = bytes_get_u32(&r);
	header.frame_bytes = bytes_get_u32(&r);
	wire_get_signature(&r, &header.signature);
	if (header.lane >= LANE_LANES_MAX || header.seq == 0 ||
	    (header.seq == 1 && !crypto_hash_is_zero(&header.prev_digest)))
		return ERR_FORMAT;
	if (header.frame_count == 0 || header.frame_count > LANE_BATCH_FRAMES_MAX ||
	    header.frame_bytes == 0 || header.frame_bytes > LANE_BATCH_BYTES_MAX)
		return ERR_FORMAT;
	header.digest = wire_batch_digest(chain_id, &header);
	*ret_header = header;
	return 0;
}
