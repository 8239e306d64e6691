#include "wire/wire_proof.h"

#include "base/err.h"
#include "consensus/hs_types.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"
#include "wire/wire_parts.h"
#include "wire/wire_put.h"

/* Cheap checks that the parts belong together; signatures and hashes are the verifier's. */
static bool parts_fit(const struct wire_proof_parts *parts)
{
	const struct lane_header *first = parts->batch;
	const struct lane_header *last;
	uint64_t height = parts->header->height;

	if (parts->batch_count == 0)
		return false;
	last = &parts->batch[parts->batch_count - 1];
	if (parts->frame_index >= first->frame_count ||
	    first->lane >= parts->header->cut.lane_count ||
	    parts->path_count != wire_merkle_path_count(first->frame_count, parts->frame_index))
		return false;
	if (last->seq != parts->header->cut.lane[first->lane].seq)
		return false;
	for (uint32_t i = 1; i < parts->batch_count; i++)
		if (parts->batch[i].lane != first->lane || parts->batch[i].seq != first->seq + i)
			return false;
	if (parts->parent && parts->parent->height + 1 != height)
		return false;
	for (uint32_t i = 0; i < parts->link_count; i++)
		if (parts->link[i]->height != height + 1 + i)
			return false;
	return parts->kind == WIRE_PROOF_FC ||
	       (parts->kind == WIRE_PROOF_C2 && parts->child && parts->child_qc);
}

/* The id of the transaction the proof is for: binds its number in the frame. */
static bool transaction_id(const struct wire_proof_parts *parts, struct crypto_hash *ret_txid)
{
	struct wire_payload_walk walk;
	struct wire_payload payload;
	struct wire_frame frame;

	if (wire_frame_parse(parts->frame, parts->frame_bytes, &frame) != 0)
		return false;
	wire_payload_walk_init(&walk, &frame);
	while (wire_payload_next(&walk, &payload))
		if (payload.seq - frame.first_seq == parts->transaction) {
			*ret_txid = wire_txid(&frame.client, payload.seq, payload.bytes,
					      payload.byte_count);
			return true;
		}
	return false;
}

static void put_batches(struct bytes_writer *w, const struct wire_proof_parts *parts)
{
	bytes_put_u32(w, parts->batch[0].lane);
	bytes_put_u64(w, parts->batch[0].seq);
	wire_put_hash(w, &parts->batch[0].prev_digest);
	bytes_put_u16(w, (uint16_t)parts->batch_count);
	for (uint32_t i = 0; i < parts->batch_count; i++) {
		wire_put_hash(w, &parts->batch[i].frames_root);
		bytes_put_u32(w, parts->batch[i].frame_count);
		bytes_put_u32(w, parts->batch[i].frame_bytes);
	}
	bytes_put_u16(w, (uint16_t)parts->frame_index);
	for (uint32_t i = 0; i < parts->path_count; i++)
		wire_put_hash(w, &parts->path[i]);
}

static void put_headers(struct bytes_writer *w, const struct wire_proof_parts *parts)
{
	wire_put_header(w, parts->header);
	bytes_put_u8(w, parts->parent ? 1 : 0);
	if (parts->parent)
		wire_put_header(w, parts->parent);
	bytes_put_u16(w, (uint16_t)parts->link_count);
	for (uint32_t i = 0; i < parts->link_count; i++)
		wire_put_header(w, parts->link[i]);
}

int wire_proof_build(const struct wire_proof_parts *parts, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(
		ret_bytes, room < WIRE_PROOF_BYTES_MAX ? room : WIRE_PROOF_BYTES_MAX);
	struct crypto_hash txid;

	if (parts->batch_count > WIRE_PROOF_BATCHES_MAX ||
	    parts->link_count > WIRE_PROOF_LINKS_MAX || parts->frame_bytes > LANE_FRAME_BYTES_MAX)
		return ERR_OVERSIZE;
	if (!parts_fit(parts) || !transaction_id(parts, &txid))
		return ERR_FORMAT;
	bytes_put_u32(&w, WIRE_PROOF_MAGIC);
	bytes_put_u16(&w, WIRE_PROOF_VERSION);
	wire_put_hash(&w, &parts->chain_id);
	wire_put_hash(&w, &txid);
	bytes_put_u16(&w, (uint16_t)parts->transaction);
	bytes_put_u16(&w, (uint16_t)parts->frame_bytes);
	bytes_put(&w, parts->frame, parts->frame_bytes);
	put_batches(&w, parts);
	put_headers(&w, parts);
	bytes_put_u8(&w, (uint8_t)parts->kind);
	wire_put_qc(&w, parts->certificate);
	if (parts->kind == WIRE_PROOF_C2) {
		wire_put_header(&w, parts->child);
		wire_put_qc(&w, parts->child_qc);
	}
	return w.failed ? ERR_OVERSIZE : (int)bytes_written(&w);
}
