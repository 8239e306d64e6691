#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_message.h"

static void batch_put_digested(struct bytes_writer *w, const struct lane_header *header)
{
	bytes_put_u32(w, header->lane);
	bytes_put_u64(w, header->seq);
	bytes_put(w, header->prev_digest.b, sizeof(header->prev_digest.b));
	bytes_put(w, header->frames_root.b, sizeof(header->frames_root.b));
	bytes_put_u32(w, header->frame_count);
	bytes_put_u32(w, header->frame_bytes);
}

struct crypto_hash wire_batch_digest(const struct crypto_hash *chain_id,
				     const struct lane_header *header)
{
	uint8_t bytes[8 + CRYPTO_HASH_BYTES + WIRE_BATCH_HEADER_BYTES];
	struct bytes_writer w = bytes_writer_of(bytes, sizeof(bytes));

	bytes_put(&w, "QRbatch1", 8);
	bytes_put(&w, chain_id->b, sizeof(chain_id->b));
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
	bytes_put(&w, chain_id->b, sizeof(chain_id->b));
	bytes_put_u64(&w, epoch);
	bytes_put(&w, set_hash->b, sizeof(set_hash->b));
	bytes_put(&w, digest->b, sizeof(digest->b));
	ensure(!w.failed);
	return (uint32_t)bytes_written(&w);
}

int wire_encode_batch_header(const struct lane_header *header, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	batch_put_digested(&w, header);
	bytes_put(&w, header->signature.b, sizeof(header->signature.b));
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
	bytes_get(&r, header.prev_digest.b, sizeof(header.prev_digest.b));
	bytes_get(&r, header.frames_root.b, sizeof(header.frames_root.b));
	header.frame_count = bytes_get_u32(&r);
	header.frame_bytes = bytes_get_u32(&r);
	bytes_get(&r, header.signature.b, sizeof(header.signature.b));
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
