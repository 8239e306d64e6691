#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_message.h"
#include "wire/wire_parts.h"
#include "wire/wire_put.h"

static void get_vote(struct wire_in *in, uint32_t from, struct hs_vote *ret_vote)
{
	ret_vote->author = from;
	ret_vote->epoch = in->epoch;
	ret_vote->view = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &ret_vote->block_id);
	wire_get_signature(&in->r, &ret_vote->signature);
	wire_in_refuse(in, ret_vote->view == 0);
}

static void get_commit(struct wire_in *in, uint32_t from, struct hs_commit *ret_commit)
{
	ret_commit->author = from;
	ret_commit->epoch = in->epoch;
	ret_commit->view = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &ret_commit->block_id);
	wire_get_signature(&in->r, &ret_commit->signature);
	wire_in_refuse(in, ret_commit->view == 0);
}

static void get_timeout(struct wire_in *in, uint32_t from, struct hs_timeout *ret_timeout)
{
	ret_timeout->author = from;
	ret_timeout->epoch = in->epoch;
	ret_timeout->view = bytes_get_u64(&in->r);
	ret_timeout->qc_view = bytes_get_u64(&in->r);
	wire_get_signature(&in->r, &ret_timeout->signature);
	wire_in_refuse(in, ret_timeout->qc_view >= ret_timeout->view);
	wire_get_qc(in, &ret_timeout->qc);
	wire_in_refuse(in, ret_timeout->qc.view < ret_timeout->qc_view);
	wire_get_entry(in, &ret_timeout->entry);
}

static void get_core(struct wire_in *in, enum wire_kind kind, uint32_t from,
		     struct hs_message *ret_message)
{
	ret_message->kind = (enum hs_message_kind)kind;
	switch (ret_message->kind) {
	case HS_MESSAGE_PROPOSE:
		wire_get_block(in, &ret_message->u.propose);
		if (in->code == 0 && !in->r.failed &&
		    ret_message->u.propose.header.epoch != in->epoch)
			in->code = ERR_EPOCH;
		break;
	case HS_MESSAGE_VOTE:
		get_vote(in, from, &ret_message->u.vote);
		break;
	case HS_MESSAGE_COMMIT:
		get_commit(in, from, &ret_message->u.commit);
		break;
	case HS_MESSAGE_TIMEOUT:
		get_timeout(in, from, &ret_message->u.timeout);
		break;
	case HS_MESSAGE_QC:
		wire_get_qc(in, &ret_message->u.qc);
		break;
	case HS_MESSAGE_TC:
		wire_get_tc(in, &ret_message->u.tc);
		break;
	case HS_MESSAGE_FC:
		wire_get_fc(in, &ret_message->u.fc);
		break;
	}
}

static void get_lane_frame(struct wire_in *in, uint32_t from, struct lane_frame *ret_frame)
{
	size_t left;

	*ret_frame = (struct lane_frame){ .lane = from };
	ret_frame->seq = bytes_get_u64(&in->r);
	ret_frame->index = bytes_get_u16(&in->r);
	left = bytes_left(&in->r);
	wire_in_refuse(in, ret_frame->seq == 0 || ret_frame->index >= LANE_BATCH_FRAMES_MAX ||
				   left == 0 || left > LANE_FRAME_BYTES_MAX);
	ret_frame->byte_count = (uint32_t)left;
	ret_frame->bytes = bytes_take(&in->r, left);
}

static void get_ackvec(struct wire_in *in, struct lane_ackvec *ret_ackvec)
{
	uint32_t count = bytes_get_u16(&in->r);

	wire_in_refuse(in, count > in->replica_count);
	ret_ackvec->count = count > in->replica_count ? 0 : count;
	for (uint32_t i = 0; i < ret_ackvec->count; i++) {
		struct lane_ack *ack = &ret_ackvec->ack[i];

		ret_ackvec->lane[i] = bytes_get_u16(&in->r);
		ack->stored_seq = bytes_get_u64(&in->r);
		wire_get_hash(&in->r, &ack->digest);
		ack->map_base_seq = bytes_get_u64(&in->r);
		ack->verified_map = bytes_get_u64(&in->r);
		wire_in_refuse(in,
			       ret_ackvec->lane[i] >= in->replica_count ||
				       (i > 0 && ret_ackvec->lane[i] <= ret_ackvec->lane[i - 1]));
		wire_in_refuse(in, ack->stored_seq == 0 && !crypto_hash_is_zero(&ack->digest));
	}
}

static void get_want(struct wire_in *in, struct lane_want *ret_want)
{
	ret_want->lane = bytes_get_u16(&in->r);
	ret_want->seq = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &ret_want->digest);
	ret_want->wants_header = wire_in_flag(in);
	ret_want->first_index = bytes_get_u16(&in->r);
	for (uint32_t i = 0; i < LANE_BATCH_FRAMES_MAX / 64; i++)
		ret_want->missing_map[i] = bytes_get_u64(&in->r);
	wire_in_refuse(in, ret_want->lane >= in->replica_count || ret_want->seq == 0 ||
				   ret_want->first_index > LANE_BATCH_FRAMES_MAX);
}

static void get_repair_frame(struct wire_in *in, uint32_t frame_count,
			     struct lane_repair_frame *ret_frame)
{
	*ret_frame = (struct lane_repair_frame){ .index = bytes_get_u16(&in->r) };
	ret_frame->byte_count = bytes_get_u16(&in->r);
	ret_frame->bytes = bytes_take(&in->r, ret_frame->byte_count);
	if (ret_frame->index >= frame_count || ret_frame->byte_count == 0 ||
	    ret_frame->byte_count > LANE_FRAME_BYTES_MAX) {
		wire_in_refuse(in, true);
		return;
	}
	ret_frame->path_count = wire_merkle_path_count(frame_count, ret_frame->index);
	for (uint32_t k = 0; k < ret_frame->path_count; k++)
		wire_get_hash(&in->r, &ret_frame->path[k]);
}

static void get_repair(struct wire_in *in, struct lane_repair *ret_repair)
{
	ret_repair->header = (struct lane_header){ 0 };
	wire_get_batch_header(in, &ret_repair->header);
	ret_repair->count = bytes_get_u8(&in->r);
	wire_in_refuse(in, ret_repair->count > LANE_REPAIR_FRAMES_MAX);
	if (ret_repair->count > LANE_REPAIR_FRAMES_MAX)
		ret_repair->count = 0;
	for (uint32_t i = 0; i < ret_repair->count && in->code == 0 && !in->r.failed; i++) {
		get_repair_frame(in, ret_repair->header.frame_count, &ret_repair->frame[i]);
		wire_in_refuse(in, i > 0 && ret_repair->frame[i].index <=
						    ret_repair->frame[i - 1].index);
	}
}

static void get_leaves(struct wire_in *in, struct lane_leaves *ret_leaves)
{
	ret_leaves->lane = bytes_get_u16(&in->r);
	ret_leaves->seq = bytes_get_u64(&in->r);
	ret_leaves->count = bytes_get_u16(&in->r);
	wire_in_refuse(in, ret_leaves->lane >= in->replica_count || ret_leaves->seq == 0 ||
				   ret_leaves->count == 0);
	if (ret_leaves->count > LANE_BATCH_FRAMES_MAX) {
		wire_in_refuse(in, true);
		ret_leaves->count = 0;
	}
	for (uint32_t i = 0; i < ret_leaves->count; i++)
		wire_get_hash(&in->r, &ret_leaves->leaf[i]);
}

static void get_blocks(struct wire_in *in, struct wire_blocks *ret_blocks)
{
	ret_blocks->committed_height = bytes_get_u64(&in->r);
	ret_blocks->count = bytes_get_u8(&in->r);
	wire_in_refuse(in, ret_blocks->count > WIRE_BLOCKS_MAX);
	if (ret_blocks->count > WIRE_BLOCKS_MAX)
		ret_blocks->count = 0;
	for (uint32_t i = 0; i < ret_blocks->count; i++) {
		ret_blocks->block_byte_count[i] = bytes_get_u16(&in->r);
		ret_blocks->block_bytes[i] = bytes_take(&in->r, ret_blocks->block_byte_count[i]);
		wire_in_refuse(in, ret_blocks->block_byte_count[i] == 0);
	}
	ret_blocks->has_fc = wire_in_flag(in);
	if (ret_blocks->has_fc)
		wire_get_fc(in, &ret_blocks->fc);
}

static void get_certificates(struct wire_in *in, struct wire_certificates *ret_certificates)
{
	ret_certificates->committed_height = bytes_get_u64(&in->r);
	wire_get_qc(in, &ret_certificates->high_qc);
	wire_get_entry(in, &ret_certificates->entry);
	ret_certificates->has_fc = wire_in_flag(in);
	if (ret_certificates->has_fc)
		wire_get_fc(in, &ret_certificates->fc);
}

static void get_evidence(struct wire_in *in, struct wire_evidence *ret_evidence)
{
	struct lane_evidence *lane = &ret_evidence->lane;
	struct hs_evidence *core = &ret_evidence->core;

	*ret_evidence = (struct wire_evidence){ .is_lane = wire_in_flag(in) };
	if (!ret_evidence->is_lane) {
		core->kind = bytes_get_u8(&in->r);
		core->author = bytes_get_u32(&in->r);
		core->epoch = bytes_get_u64(&in->r);
		wire_get_statement(in, &core->first);
		wire_get_statement(in, &core->second);
		wire_in_refuse(in, core->kind < HS_EVIDENCE_TWO_PROPOSALS ||
					   core->kind > HS_EVIDENCE_COMMIT_AFTER_TIMEOUT ||
					   core->author >= in->replica_count);
		return;
	}
	wire_get_batch_header(in, &lane->first);
	lane->has_bad_frame = wire_in_flag(in);
	if (lane->has_bad_frame) {
		lane->bad_index = bytes_get_u16(&in->r);
		wire_in_refuse(in, lane->bad_index >= lane->first.frame_count);
	} else {
		wire_get_batch_header(in, &lane->second);
	}
}

static void get_body(struct wire_in *in, struct wire_message *message)
{
	switch (message->kind) {
	case WIRE_PROPOSE:
	case WIRE_VOTE:
	case WIRE_COMMIT:
	case WIRE_TIMEOUT:
	case WIRE_QC:
	case WIRE_TC:
	case WIRE_FC:
		get_core(in, message->kind, message->from, &message->u.core);
		break;
	case WIRE_LANE_FRAME:
		get_lane_frame(in, message->from, &message->u.lane_frame);
		break;
	case WIRE_BATCH:
		wire_get_batch_header(in, &message->u.batch);
		break;
	case WIRE_ACKVEC:
		get_ackvec(in, &message->u.ackvec);
		break;
	case WIRE_WANT_BATCH:
		get_want(in, &message->u.want_batch);
		break;
	case WIRE_REPAIR:
		get_repair(in, &message->u.repair);
		break;
	case WIRE_LEAVES:
		get_leaves(in, &message->u.leaves);
		break;
	case WIRE_WANT_BLOCK:
		wire_get_hash(&in->r, &message->u.want_block.id);
		break;
	case WIRE_WANT_BLOCKS:
		message->u.want_blocks.first_height = bytes_get_u64(&in->r);
		message->u.want_blocks.count = bytes_get_u16(&in->r);
		wire_in_refuse(in, message->u.want_blocks.count == 0 ||
					   message->u.want_blocks.count > WIRE_BLOCKS_MAX);
		break;
	case WIRE_BLOCKS:
		get_blocks(in, &message->u.blocks);
		break;
	case WIRE_WANT_CERTIFICATES:
		break;
	case WIRE_CERTIFICATES:
		get_certificates(in, &message->u.certificates);
		break;
	case WIRE_SHOW:
		wire_get_statement(in, &message->u.show.statement);
		break;
	case WIRE_STATUS:
		message->u.status.view = bytes_get_u64(&in->r);
		message->u.status.committed_height = bytes_get_u64(&in->r);
		message->u.status.wall_ns = bytes_get_u64(&in->r);
		break;
	case WIRE_EVIDENCE:
		get_evidence(in, &message->u.evidence);
		break;
	default:
		wire_in_refuse(in, true);
	}
}

int wire_decode(const void *bytes, size_t count, uint32_t from, const struct crypto_hash *chain_id,
		const struct crypto_hash *set_hash, uint32_t replica_count, uint64_t epoch,
		struct wire_message *ret_message)
{
	struct wire_in in = {
		.r = bytes_reader_of(bytes, count),
		.chain_id = chain_id,
		.set_hash = set_hash,
		.replica_count = replica_count,
		.epoch = epoch,
	};
	uint8_t version;

	if (count > WIRE_MESSAGE_BYTES_MAX)
		return ERR_OVERSIZE;
	ret_message->kind = bytes_get_u8(&in.r);
	version = bytes_get_u8(&in.r);
	wire_in_refuse(&in, bytes_get_u16(&in.r) != 0);
	ret_message->from = from;
	ret_message->epoch = bytes_get_u64(&in.r);
	if (in.r.failed)
		return ERR_TRUNCATED;
	if (version != WIRE_VERSION)
		return version > WIRE_VERSION ? ERR_NEWER : ERR_FORMAT;
	if (ret_message->epoch != epoch)
		return ERR_EPOCH;
	get_body(&in, ret_message);
	return wire_in_end(&in);
}

int wire_decode_block(const void *bytes, size_t count, const struct crypto_hash *chain_id,
		      const struct crypto_hash *set_hash, uint32_t replica_count,
		      struct hs_block *ret_block)
{
	struct wire_in in = {
		.r = bytes_reader_of(bytes, count),
		.chain_id = chain_id,
		.set_hash = set_hash,
		.replica_count = replica_count,
	};

	wire_get_block(&in, ret_block);
	return wire_in_end(&in);
}

int wire_decode_record(const void *bytes, size_t count, uint32_t replica_count,
		       struct hs_record *ret_record)
{
	struct wire_in in = {
		.r = bytes_reader_of(bytes, count),
		.replica_count = replica_count,
	};
	struct hs_record *record = ret_record;
	uint16_t version = bytes_get_u16(&in.r);

	if (!in.r.failed && version > HS_RECORD_VERSION)
		return ERR_NEWER;
	wire_in_refuse(&in, version != HS_RECORD_VERSION);
	record->epoch = bytes_get_u64(&in.r);
	in.epoch = record->epoch;
	record->last_vote_view = bytes_get_u64(&in.r);
	wire_get_hash(&in.r, &record->last_vote_id);
	record->last_timeout_view = bytes_get_u64(&in.r);
	record->last_timeout_qc_view = bytes_get_u64(&in.r);
	record->last_commit_view = bytes_get_u64(&in.r);
	wire_get_hash(&in.r, &record->last_commit_id);
	record->last_proposed_view = bytes_get_u64(&in.r);
	wire_get_qc(&in, &record->high_qc);
	record->intent_view = bytes_get_u64(&in.r);
	record->intent_id = (struct crypto_hash){ { 0 } };
	record->intent_justify.view = 0;
	record->intent_justify.count = 0;
	if (record->intent_view != 0) {
		wire_get_hash(&in.r, &record->intent_id);
		wire_get_qc(&in, &record->intent_justify);
	}
	record->has_entry_tc = wire_in_flag(&in);
	if (record->has_entry_tc)
		wire_get_tc(&in, &record->entry_tc);
	record->committed_height = bytes_get_u64(&in.r);
	wire_get_hash(&in.r, &record->committed_id);
	return wire_in_end(&in);
}
