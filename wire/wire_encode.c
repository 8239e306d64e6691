#include "base/ensure.h"
#include "base/err.h"
#include "wire/wire_message.h"
#include "wire/wire_parts.h"
#include "wire/wire_put.h"

static int encoded(const struct bytes_writer *w)
{
	return w->failed ? ERR_OVERSIZE : (int)bytes_written(w);
}

static void put_timeout(struct bytes_writer *w, const struct hs_timeout *timeout)
{
	bytes_put_u64(w, timeout->view);
	bytes_put_u64(w, timeout->qc_view);
	wire_put_signature(w, &timeout->signature);
	wire_put_qc(w, &timeout->qc);
	wire_put_entry(w, &timeout->entry);
}

static void put_core(struct bytes_writer *w, const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		wire_put_block(w, &message->u.propose);
		break;
	case HS_MESSAGE_VOTE:
		bytes_put_u64(w, message->u.vote.view);
		wire_put_hash(w, &message->u.vote.block_id);
		wire_put_signature(w, &message->u.vote.signature);
		break;
	case HS_MESSAGE_COMMIT:
		bytes_put_u64(w, message->u.commit.view);
		wire_put_hash(w, &message->u.commit.block_id);
		wire_put_signature(w, &message->u.commit.signature);
		break;
	case HS_MESSAGE_TIMEOUT:
		put_timeout(w, &message->u.timeout);
		break;
	case HS_MESSAGE_QC:
		wire_put_qc(w, &message->u.qc);
		break;
	case HS_MESSAGE_TC:
		wire_put_tc(w, &message->u.tc);
		break;
	case HS_MESSAGE_FC:
		wire_put_qc(w, &message->u.fc.c);
		break;
	}
}

static void put_lane_frame(struct bytes_writer *w, const struct lane_frame *frame)
{
	bytes_put_u64(w, frame->seq);
	bytes_put_u16(w, (uint16_t)frame->index);
	bytes_put(w, frame->bytes, frame->byte_count);
}

static void put_ackvec(struct bytes_writer *w, const struct lane_ackvec *ackvec)
{
	bytes_put_u16(w, (uint16_t)ackvec->count);
	for (uint32_t i = 0; i < ackvec->count; i++) {
		bytes_put_u16(w, (uint16_t)ackvec->lane[i]);
		bytes_put_u64(w, ackvec->ack[i].stored_seq);
		wire_put_hash(w, &ackvec->ack[i].digest);
		bytes_put_u64(w, ackvec->ack[i].map_base_seq);
		bytes_put_u64(w, ackvec->ack[i].verified_map);
	}
}

static void put_want(struct bytes_writer *w, const struct lane_want *want)
{
	bytes_put_u16(w, (uint16_t)want->lane);
	bytes_put_u64(w, want->seq);
	wire_put_hash(w, &want->digest);
	bytes_put_u8(w, want->wants_header ? 1 : 0);
	bytes_put_u16(w, (uint16_t)want->first_index);
	for (uint32_t i = 0; i < LANE_BATCH_FRAMES_MAX / 64; i++)
		bytes_put_u64(w, want->missing_map[i]);
}

static void put_repair(struct bytes_writer *w, const struct lane_repair *repair)
{
	wire_put_batch_header(w, &repair->header);
	bytes_put_u8(w, (uint8_t)repair->count);
	for (uint32_t i = 0; i < repair->count; i++) {
		const struct lane_repair_frame *frame = &repair->frame[i];

		ensure(frame->path_count ==
		       wire_merkle_path_count(repair->header.frame_count, frame->index));
		bytes_put_u16(w, (uint16_t)frame->index);
		bytes_put_u16(w, (uint16_t)frame->byte_count);
		bytes_put(w, frame->bytes, frame->byte_count);
		for (uint32_t k = 0; k < frame->path_count; k++)
			wire_put_hash(w, &frame->path[k]);
	}
}

static void put_leaves(struct bytes_writer *w, const struct lane_leaves *leaves)
{
	bytes_put_u16(w, (uint16_t)leaves->lane);
	bytes_put_u64(w, leaves->seq);
	bytes_put_u16(w, (uint16_t)leaves->count);
	for (uint32_t i = 0; i < leaves->count; i++)
		wire_put_hash(w, &leaves->leaf[i]);
}

static void put_optional_fc(struct bytes_writer *w, bool has_fc, const struct hs_fc *fc)
{
	bytes_put_u8(w, has_fc ? 1 : 0);
	if (has_fc)
		wire_put_qc(w, &fc->c);
}

static void put_blocks(struct bytes_writer *w, const struct wire_blocks *blocks)
{
	bytes_put_u64(w, blocks->committed_height);
	bytes_put_u8(w, (uint8_t)blocks->count);
	for (uint32_t i = 0; i < blocks->count; i++) {
		bytes_put_u16(w, (uint16_t)blocks->block_byte_count[i]);
		bytes_put(w, blocks->block_bytes[i], blocks->block_byte_count[i]);
	}
	put_optional_fc(w, blocks->has_fc, &blocks->fc);
}

static void put_certificates(struct bytes_writer *w, const struct wire_certificates *certificates)
{
	bytes_put_u64(w, certificates->committed_height);
	wire_put_qc(w, &certificates->high_qc);
	wire_put_entry(w, &certificates->entry);
	put_optional_fc(w, certificates->has_fc, &certificates->fc);
}

static void put_evidence(struct bytes_writer *w, const struct wire_evidence *evidence)
{
	bytes_put_u8(w, evidence->is_lane ? 1 : 0);
	if (!evidence->is_lane) {
		bytes_put_u8(w, (uint8_t)evidence->core.kind);
		bytes_put_u32(w, evidence->core.author);
		bytes_put_u64(w, evidence->core.epoch);
		wire_put_statement(w, &evidence->core.first);
		wire_put_statement(w, &evidence->core.second);
		return;
	}
	wire_put_batch_header(w, &evidence->lane.first);
	bytes_put_u8(w, evidence->lane.has_bad_frame ? 1 : 0);
	if (evidence->lane.has_bad_frame)
		bytes_put_u16(w, (uint16_t)evidence->lane.bad_index);
	else
		wire_put_batch_header(w, &evidence->lane.second);
}

static void put_body(struct bytes_writer *w, const struct wire_message *message)
{
	switch (message->kind) {
	case WIRE_PROPOSE:
	case WIRE_VOTE:
	case WIRE_COMMIT:
	case WIRE_TIMEOUT:
	case WIRE_QC:
	case WIRE_TC:
	case WIRE_FC:
		ensure((int)message->u.core.kind == (int)message->kind);
		put_core(w, &message->u.core);
		break;
	case WIRE_LANE_FRAME:
		put_lane_frame(w, &message->u.lane_frame);
		break;
	case WIRE_BATCH:
		wire_put_batch_header(w, &message->u.batch);
		break;
	case WIRE_ACKVEC:
		put_ackvec(w, &message->u.ackvec);
		break;
	case WIRE_WANT_BATCH:
		put_want(w, &message->u.want_batch);
		break;
	case WIRE_REPAIR:
		put_repair(w, &message->u.repair);
		break;
	case WIRE_LEAVES:
		put_leaves(w, &message->u.leaves);
		break;
	case WIRE_WANT_BLOCK:
		wire_put_hash(w, &message->u.want_block.id);
		break;
	case WIRE_WANT_BLOCKS:
		bytes_put_u64(w, message->u.want_blocks.first_height);
		bytes_put_u16(w, (uint16_t)message->u.want_blocks.count);
		break;
	case WIRE_BLOCKS:
		put_blocks(w, &message->u.blocks);
		break;
	case WIRE_WANT_CERTIFICATES:
		break;
	case WIRE_CERTIFICATES:
		put_certificates(w, &message->u.certificates);
		break;
	case WIRE_SHOW:
		wire_put_statement(w, &message->u.show.statement);
		break;
	case WIRE_STATUS:
		bytes_put_u64(w, message->u.status.view);
		bytes_put_u64(w, message->u.status.committed_height);
		bytes_put_u64(w, message->u.status.wall_ns);
		break;
	case WIRE_EVIDENCE:
		put_evidence(w, &message->u.evidence);
		break;
	}
}

int wire_encode(const struct wire_message *message, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(
		ret_bytes, room < WIRE_MESSAGE_BYTES_MAX ? room : WIRE_MESSAGE_BYTES_MAX);

	bytes_put_u8(&w, (uint8_t)message->kind);
	bytes_put_u8(&w, WIRE_VERSION);
	bytes_put_u16(&w, 0);
	bytes_put_u64(&w, message->epoch);
	put_body(&w, message);
	return encoded(&w);
}

int wire_encode_block(const struct hs_block *block, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	wire_put_block(&w, block);
	return encoded(&w);
}

int wire_encode_record(const struct hs_record *record, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	bytes_put_u16(&w, HS_RECORD_VERSION);
	bytes_put_u64(&w, record->epoch);
	bytes_put_u64(&w, record->last_vote_view);
	wire_put_hash(&w, &record->last_vote_id);
	bytes_put_u64(&w, record->last_timeout_view);
	bytes_put_u64(&w, record->last_timeout_qc_view);
	bytes_put_u64(&w, record->last_commit_view);
	wire_put_hash(&w, &record->last_commit_id);
	bytes_put_u64(&w, record->last_proposed_view);
	wire_put_qc(&w, &record->high_qc);
	bytes_put_u64(&w, record->intent_view);
	if (record->intent_view != 0) {
		wire_put_hash(&w, &record->intent_id);
		wire_put_qc(&w, &record->intent_justify);
	}
	bytes_put_u8(&w, record->has_entry_tc ? 1 : 0);
	if (record->has_entry_tc)
		wire_put_tc(&w, &record->entry_tc);
	bytes_put_u64(&w, record->committed_height);
	wire_put_hash(&w, &record->committed_id);
	return encoded(&w);
}
