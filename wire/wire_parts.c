#include "wire/wire_parts.h"

#include "base/ensure.h"
#include "base/err.h"
#include "consensus/hs_types.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_message.h"
#include "wire/wire_put.h"

enum { HEADER_HAS_CONFIG = 1, HEADER_HAS_CHECKPOINT = 2 };

void wire_in_refuse(struct wire_in *in, bool is_bad)
{
	if (is_bad && in->code == 0 && !in->r.failed)
		in->code = ERR_FORMAT;
}

int wire_in_end(const struct wire_in *in)
{
	if (in->code != 0)
		return in->code;
	if (in->r.failed)
		return ERR_TRUNCATED;
	return bytes_done(&in->r) ? 0 : ERR_OVERSIZE;
}

bool wire_in_flag(struct wire_in *in)
{
	uint8_t value = bytes_get_u8(&in->r);

	wire_in_refuse(in, value > 1);
	return value == 1;
}

static void put_signers(struct bytes_writer *w, const struct bitset *signers)
{
	bytes_put_u64(w, signers->word[0]);
	bytes_put_u64(w, signers->word[1]);
}

/* Reads a bitmap of members; returns how many are set, at most HS_QUORUM_MAX and exactly q or 0. */
static uint32_t get_signers(struct wire_in *in, struct bitset *ret_signers)
{
	uint32_t quorum = hs_quorum(in->replica_count);
	uint32_t count;

	ret_signers->word[0] = bytes_get_u64(&in->r);
	ret_signers->word[1] = bytes_get_u64(&in->r);
	count = bitset_count(ret_signers);
	if (bitset_is_below(ret_signers, in->replica_count) && (count == quorum || count == 0))
		return count;
	wire_in_refuse(in, true);
	*ret_signers = (struct bitset){ 0 };
	return 0;
}

void wire_put_qc(struct bytes_writer *w, const struct hs_qc *qc)
{
	ensure(qc->count == bitset_count(&qc->signers) && qc->count <= HS_QUORUM_MAX);
	bytes_put_u64(w, qc->view);
	wire_put_hash(w, &qc->block_id);
	put_signers(w, &qc->signers);
	for (uint32_t i = 0; i < qc->count; i++)
		wire_put_signature(w, &qc->signature[i]);
}

void wire_get_qc(struct wire_in *in, struct hs_qc *ret_qc)
{
	ret_qc->epoch = in->epoch;
	ret_qc->view = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &ret_qc->block_id);
	ret_qc->count = get_signers(in, &ret_qc->signers);
	wire_in_refuse(in, (ret_qc->view == 0) != (ret_qc->count == 0));
	for (uint32_t i = 0; i < ret_qc->count; i++)
		wire_get_signature(&in->r, &ret_qc->signature[i]);
}

void wire_get_fc(struct wire_in *in, struct hs_fc *ret_fc)
{
	wire_get_qc(in, &ret_fc->c);
	wire_in_refuse(in, ret_fc->c.view == 0);
}

void wire_put_tc(struct bytes_writer *w, const struct hs_tc *tc)
{
	ensure(tc->count == bitset_count(&tc->signers) && tc->count <= HS_QUORUM_MAX);
	bytes_put_u64(w, tc->view);
	put_signers(w, &tc->signers);
	for (uint32_t i = 0; i < tc->count; i++) {
		bytes_put_u64(w, tc->qc_view[i]);
		wire_put_signature(w, &tc->signature[i]);
	}
}

void wire_get_tc(struct wire_in *in, struct hs_tc *ret_tc)
{
	ret_tc->epoch = in->epoch;
	ret_tc->view = bytes_get_u64(&in->r);
	ret_tc->count = get_signers(in, &ret_tc->signers);
	wire_in_refuse(in, ret_tc->view == 0 || ret_tc->count == 0);
	for (uint32_t i = 0; i < ret_tc->count; i++) {
		ret_tc->qc_view[i] = bytes_get_u64(&in->r);
		wire_get_signature(&in->r, &ret_tc->signature[i]);
		wire_in_refuse(in, ret_tc->qc_view[i] >= ret_tc->view);
	}
}

void wire_put_entry(struct bytes_writer *w, const struct hs_entry *entry)
{
	bytes_put_u8(w, (uint8_t)entry->kind);
	if (entry->kind == HS_ENTRY_QC)
		wire_put_qc(w, &entry->qc);
	if (entry->kind == HS_ENTRY_TC)
		wire_put_tc(w, &entry->tc);
}

void wire_get_entry(struct wire_in *in, struct hs_entry *ret_entry)
{
	uint8_t kind = bytes_get_u8(&in->r);

	wire_in_refuse(in, kind > HS_ENTRY_TC);
	ret_entry->kind = kind > HS_ENTRY_TC ? HS_ENTRY_NONE : kind;
	if (kind == HS_ENTRY_QC)
		wire_get_qc(in, &ret_entry->qc);
	if (kind == HS_ENTRY_TC)
		wire_get_tc(in, &ret_entry->tc);
}

void wire_put_header(struct bytes_writer *w, const struct hs_header *header)
{
	ensure(header->cut.lane_count <= HS_REPLICAS_MAX);
	bytes_put_u64(w, header->epoch);
	bytes_put_u64(w, header->view);
	bytes_put_u64(w, header->height);
	bytes_put_u64(w, header->time_ns);
	wire_put_hash(w, &header->parent_id);
	bytes_put_u64(w, header->justify_view);
	wire_put_hash(w, &header->justify_digest);
	bytes_put_u8(w, (uint8_t)((header->has_config ? HEADER_HAS_CONFIG : 0) |
				  (header->has_checkpoint ? HEADER_HAS_CHECKPOINT : 0)));
	if (header->has_config)
		wire_put_hash(w, &header->config_digest);
	if (header->has_checkpoint) {
		bytes_put_u64(w, header->checkpoint_height);
		wire_put_hash(w, &header->checkpoint_root);
	}
	bytes_put_u16(w, (uint16_t)header->cut.lane_count);
	for (uint32_t i = 0; i < header->cut.lane_count; i++) {
		bytes_put_u64(w, header->cut.lane[i].seq);
		wire_put_hash(w, &header->cut.lane[i].digest);
	}
}

static void get_cut(struct wire_in *in, struct hs_cut *ret_cut)
{
	ret_cut->lane_count = bytes_get_u16(&in->r);
	wire_in_refuse(in, ret_cut->lane_count != in->replica_count);
	if (ret_cut->lane_count > HS_REPLICAS_MAX)
		ret_cut->lane_count = 0;
	for (uint32_t i = 0; i < ret_cut->lane_count; i++) {
		struct hs_cut_entry *entry = &ret_cut->lane[i];

		entry->seq = bytes_get_u64(&in->r);
		wire_get_hash(&in->r, &entry->digest);
		wire_in_refuse(in, entry->seq == 0 && !crypto_hash_is_zero(&entry->digest));
	}
}

void wire_get_header(struct wire_in *in, struct hs_header *ret_header)
{
	struct hs_header *header = ret_header;
	uint8_t flags;

	header->epoch = bytes_get_u64(&in->r);
	header->view = bytes_get_u64(&in->r);
	header->height = bytes_get_u64(&in->r);
	header->time_ns = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &header->parent_id);
	header->justify_view = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &header->justify_digest);
	flags = bytes_get_u8(&in->r);
	wire_in_refuse(in, flags > (HEADER_HAS_CONFIG | HEADER_HAS_CHECKPOINT));
	header->has_config = (flags & HEADER_HAS_CONFIG) != 0;
	header->has_checkpoint = (flags & HEADER_HAS_CHECKPOINT) != 0;
	header->config_digest = (struct crypto_hash){ 0 };
	header->checkpoint_root = (struct crypto_hash){ 0 };
	header->checkpoint_height = 0;
	if (header->has_config)
		wire_get_hash(&in->r, &header->config_digest);
	if (header->has_checkpoint) {
		header->checkpoint_height = bytes_get_u64(&in->r);
		wire_get_hash(&in->r, &header->checkpoint_root);
	}
	get_cut(in, &header->cut);
	wire_in_refuse(in, header->view == 0 || header->height == 0);
}

void wire_put_block(struct bytes_writer *w, const struct hs_block *block)
{
	wire_put_header(w, &block->header);
	wire_put_qc(w, &block->justify);
	bytes_put_u8(w, block->has_tc ? 1 : 0);
	if (block->has_tc)
		wire_put_tc(w, &block->tc);
	bytes_put_u32(w, block->author);
	wire_put_signature(w, &block->signature);
}

void wire_get_block(struct wire_in *in, struct hs_block *ret_block)
{
	struct wire_in inner = *in;

	wire_get_header(&inner, &ret_block->header);
	inner.epoch = ret_block->header.epoch;
	wire_get_qc(&inner, &ret_block->justify);
	ret_block->has_tc = wire_in_flag(&inner);
	if (ret_block->has_tc)
		wire_get_tc(&inner, &ret_block->tc);
	ret_block->author = bytes_get_u32(&inner.r);
	wire_in_refuse(&inner, ret_block->author >= in->replica_count);
	wire_get_signature(&inner.r, &ret_block->signature);
	in->r = inner.r;
	in->code = inner.code;
	if (in->code == 0 && !in->r.failed)
		ret_block->id = hs_block_id(in->chain_id, in->set_hash, &ret_block->header);
}

void wire_put_statement(struct bytes_writer *w, const struct hs_statement *statement)
{
	bytes_put_u8(w, (uint8_t)statement->kind);
	bytes_put_u64(w, statement->view);
	if (statement->kind == HS_MESSAGE_TIMEOUT)
		bytes_put_u64(w, statement->qc_view);
	else
		wire_put_hash(w, &statement->block_id);
	wire_put_signature(w, &statement->signature);
}

void wire_get_statement(struct wire_in *in, struct hs_statement *ret_statement)
{
	struct hs_statement *statement = ret_statement;
	uint8_t kind = bytes_get_u8(&in->r);

	wire_in_refuse(in, kind < HS_MESSAGE_PROPOSE || kind > HS_MESSAGE_TIMEOUT);
	*statement = (struct hs_statement){ .kind = kind, .view = bytes_get_u64(&in->r) };
	if (kind == HS_MESSAGE_TIMEOUT)
		statement->qc_view = bytes_get_u64(&in->r);
	else
		wire_get_hash(&in->r, &statement->block_id);
	wire_get_signature(&in->r, &statement->signature);
}

void wire_put_batch_header(struct bytes_writer *w, const struct lane_header *header)
{
	uint8_t *at = bytes_room(w, WIRE_BATCH_HEADER_BYTES);

	if (at)
		ensure(wire_encode_batch_header(header, at, WIRE_BATCH_HEADER_BYTES) ==
		       WIRE_BATCH_HEADER_BYTES);
}

void wire_get_batch_header(struct wire_in *in, struct lane_header *ret_header)
{
	const uint8_t *at = bytes_take(&in->r, WIRE_BATCH_HEADER_BYTES);

	if (!at)
		return;
	if (wire_decode_batch_header(at, WIRE_BATCH_HEADER_BYTES, in->chain_id, ret_header) != 0)
		wire_in_refuse(in, true);
	else
		wire_in_refuse(in, ret_header->lane >= in->replica_count);
}
