/* hs_core's inputs and effects: everything consensus says and hears. */

#include <string.h>

#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "replica/replica_state.h"

static size_t core_message_room(const struct replica *replica)
{
	return 4096 + (size_t)replica->config.consensus.replica_count * 400;
}

static void core_persist_record(struct replica *replica, const struct hs_effect *effect)
{
	size_t room = core_message_room(replica);
	uint8_t *bytes = replica_outbox_take(&replica->outbox, room);
	int count = wire_encode_record(effect->u.record, bytes, room);

	ensure(count > 0);
	hs_copy_record(&replica->show.record, effect->u.record);
	replica->show.has_record = true;
	replica_outbox_trim(&replica->outbox, room - (size_t)count);
	replica_persist(replica, BLOCKLOG_SAFETY, REPLICA_RECORD_SAFETY, bytes, (uint32_t)count,
			replica_ticket(REPLICA_TICKET_CORE, effect->ticket));
}

static void core_persist_block(struct replica *replica, const struct hs_block *block,
			       uint64_t ticket)
{
	size_t room = core_message_room(replica);
	uint8_t *bytes = replica_outbox_take(&replica->outbox, room);
	int count = wire_encode_block(block, bytes, room);

	ensure(count > 0);
	replica_outbox_trim(&replica->outbox, room - (size_t)count);
	replica_persist(replica, BLOCKLOG_BLOCK, REPLICA_RECORD_BLOCK, bytes, (uint32_t)count,
			ticket);
}

static void core_send(struct replica *replica, const struct hs_effect *effect)
{
	struct wire_message *message = &replica->message_out;

	message->kind = (enum wire_kind)effect->u.message->kind;
	message->u.core = *effect->u.message;
	replica_send(replica, effect->to, REPLICA_SEND_CONSENSUS);
}

static void core_sign(struct replica *replica, const struct hs_effect *effect)
{
	struct replica_effect *out = replica_push(replica, REPLICA_EFFECT_SIGN);

	out->u.sign.request = replica_ticket(REPLICA_TICKET_CORE, effect->ticket);
	out->u.sign.count = effect->u.sign.count;
	memcpy(out->u.sign.bytes, effect->u.sign.bytes, effect->u.sign.count);
}

/* The lanes fetch what a valid proposal names; the answer follows when they have it. */
static void core_want_payload(struct replica *replica, const struct hs_block *block)
{
	const struct hs_cut *parent = replica_cut_of(replica, &block->header.parent_id);
	struct replica_payload *slot = NULL;

	for (uint32_t i = 0; i < REPLICA_PAYLOADS_MAX; i++) {
		struct replica_payload *payload = &replica->payload[i];

		if (payload->is_used && crypto_hash_equal(&payload->id, &block->id))
			return;
		if (!slot && (!payload->is_used || !hs_core_block(replica->core, &payload->id)))
			slot = payload;
	}
	if (!slot || !parent)
		return;
	slot->is_used = true;
	slot->id = block->id;
	slot->height = block->header.height;
	hs_copy_cut(&slot->parent, parent);
	hs_copy_cut(&slot->cut, &block->header.cut);
	replica->lanes_changed = true;
	replica_lane_cut(replica, LANE_INPUT_NAMED, &block->header.cut);
}

static void core_check_commits(struct replica *replica, const struct hs_effect *effect)
{
	size_t bytes = effect->u.commits.count * sizeof(struct hs_commit);
	struct replica_effect *out = replica_push(replica, REPLICA_EFFECT_CHECK_COMMITS);
	size_t pad = -replica->outbox.bytes_used & 15;
	uint8_t *copy;

	replica_outbox_take(&replica->outbox, pad);
	copy = replica_outbox_take(&replica->outbox, bytes);
	memcpy(copy, effect->u.commits.commits, bytes);
	out->u.commits.view = effect->u.commits.view;
	out->u.commits.block_id = effect->u.commits.block_id;
	out->u.commits.commits = (const struct hs_commit *)(const void *)copy;
	out->u.commits.count = effect->u.commits.count;
}

static void core_commit(struct replica *replica, const struct hs_block *block)
{
	const struct replica_persisted *persisted = replica_blocks_find(replica, &block->id);

	replica_delivery_commit(replica, block);
	if (persisted)
		return;
	core_persist_block(replica, block,
			   replica_ticket(REPLICA_TICKET_BLOCK, block->header.height));
}

static void core_evidence(struct replica *replica, const struct hs_evidence *evidence)
{
	struct wire_evidence piece;

	memset(&piece, 0, sizeof(piece));
	piece.core = *evidence;
	replica_show_evidence(replica, &piece);
}

static void core_effect(struct replica *replica, const struct hs_effect *effect)
{
	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		core_persist_record(replica, effect);
		break;
	case HS_EFFECT_PERSIST_BLOCK:
		replica_blocks_asked(replica, &effect->u.block->id, effect->ticket);
		core_persist_block(replica, effect->u.block,
				   replica_ticket(REPLICA_TICKET_CORE, effect->ticket));
		break;
	case HS_EFFECT_SIGN:
		core_sign(replica, effect);
		break;
	case HS_EFFECT_SEND:
		core_send(replica, effect);
		break;
	case HS_EFFECT_WANT_PAYLOAD:
		core_want_payload(replica, effect->u.block);
		break;
	case HS_EFFECT_WANT_CUT:
		replica->wants_cut = true;
		replica->cut_view = effect->u.want_cut.view;
		hs_copy_cut(&replica->cut_parent, effect->u.want_cut.parent_cut);
		break;
	case HS_EFFECT_WANT_BLOCK:
		replica_catchup_want(replica, effect->to, &effect->u.want_block);
		break;
	case HS_EFFECT_WANT_CERTIFICATES:
		replica->message_out.kind = WIRE_WANT_CERTIFICATES;
		replica_send(replica, HS_REPLICA_ALL, REPLICA_SEND_CONSENSUS);
		break;
	case HS_EFFECT_COMMIT:
		core_commit(replica, effect->u.commit.block);
		break;
	case HS_EFFECT_CHECK_COMMITS:
		core_check_commits(replica, effect);
		break;
	case HS_EFFECT_PROOF:
		replica_blocks_proof(replica, effect->u.fc);
		break;
	case HS_EFFECT_EVIDENCE:
		core_evidence(replica, &effect->u.evidence);
		break;
	case HS_EFFECT_DROPPED:
		replica_dropped(replica, REPLICA_DROP_CONSENSUS, effect->u.drop);
		break;
	case HS_EFFECT_OBSERVER:
		replica_alarm(replica, REPLICA_ALARM_OBSERVER, 0);
		break;
	}
}

void replica_core_step(struct replica *replica, struct hs_input *input)
{
	int code;

	input->now_ns = replica->now_ns;
	input->wall_ns = replica->wall_ns;
	code = hs_core_step(replica->core, input, &replica->core_effects);
	ensure(code == 0);
	for (uint32_t i = 0; i < replica->core_effects.count; i++)
		core_effect(replica, &replica->core_effects.at[i]);
	if (hs_core_high_qc(replica->core)->view != replica->work_qc_view) {
		replica->work_qc_view = hs_core_high_qc(replica->core)->view;
		replica->work_known = false;
	}
}

static void core_proposed(struct replica *replica, const struct wire_message *message)
{
	struct hs_input input = { .kind = HS_INPUT_PROPOSE, .from = message->from };

	input.u.block = &message->u.core.u.propose;
	replica_core_step(replica, &input);
}

void replica_core_message(struct replica *replica, const struct wire_message *message)
{
	const struct hs_message *core = &message->u.core;
	struct hs_input input = { .from = message->from };

	replica_show_seen(replica, core);
	if (replica_delivery_is_full(replica)) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_DELIVERY_FULL);
		return;
	}
	switch (core->kind) {
	case HS_MESSAGE_PROPOSE:
		core_proposed(replica, message);
		return;
	case HS_MESSAGE_VOTE:
		input.kind = HS_INPUT_VOTE;
		input.u.vote = &core->u.vote;
		break;
	case HS_MESSAGE_COMMIT:
		input.kind = HS_INPUT_COMMIT;
		input.u.commit = &core->u.commit;
		break;
	case HS_MESSAGE_TIMEOUT:
		input.kind = HS_INPUT_TIMEOUT;
		input.u.timeout = &core->u.timeout;
		break;
	case HS_MESSAGE_QC:
		input.kind = HS_INPUT_QC;
		input.u.qc = &core->u.qc;
		break;
	case HS_MESSAGE_TC:
		input.kind = HS_INPUT_TC;
		input.u.tc = &core->u.tc;
		break;
	case HS_MESSAGE_FC:
		input.kind = HS_INPUT_FC;
		input.u.fc = &core->u.fc;
		break;
	}
	replica_core_step(replica, &input);
}

void replica_core_block(struct replica *replica, uint32_t from, const struct hs_block *block)
{
	struct hs_input input = { .kind = HS_INPUT_BLOCK, .from = from };

	input.u.block = block;
	replica_core_step(replica, &input);
}

void replica_core_qc(struct replica *replica, uint32_t from, const struct hs_qc *qc)
{
	struct hs_input input = { .kind = HS_INPUT_QC, .from = from };

	input.u.qc = qc;
	replica_core_step(replica, &input);
}

void replica_core_fc(struct replica *replica, uint32_t from, const struct hs_fc *fc)
{
	struct hs_input input = { .kind = HS_INPUT_FC, .from = from };

	input.u.fc = fc;
	replica_core_step(replica, &input);
}

void replica_core_certificates(struct replica *replica, uint32_t from,
			       const struct wire_certificates *certificates)
{
	struct hs_input input = { .kind = HS_INPUT_CERTIFICATE_ANSWER, .from = from };

	replica_catchup_claim(replica, from, certificates->committed_height);
	if (!replica_delivery_is_full(replica)) {
		replica_core_qc(replica, from, &certificates->high_qc);
		if (certificates->entry.kind == HS_ENTRY_QC)
			replica_core_qc(replica, from, &certificates->entry.qc);
		if (certificates->entry.kind == HS_ENTRY_TC) {
			struct hs_input tc = { .kind = HS_INPUT_TC, .from = from };

			tc.u.tc = &certificates->entry.tc;
			replica_core_step(replica, &tc);
		}
		if (certificates->has_fc)
			replica_core_fc(replica, from, &certificates->fc);
	}
	input.u.author = from;
	replica_core_step(replica, &input);
}

void replica_core_answer(struct replica *replica, uint32_t to)
{
	struct wire_certificates *answer = &replica->message_out.u.certificates;
	struct hs_certificates own;

	hs_core_certificates(replica->core, &own);
	replica->message_out.kind = WIRE_CERTIFICATES;
	answer->high_qc = own.high_qc;
	answer->entry = own.entry;
	answer->has_fc = own.has_fc;
	answer->fc = own.fc;
	answer->committed_height = replica->delivery.height;
	replica_send(replica, to, REPLICA_SEND_CONSENSUS);
}

static bool core_answer_cut(struct replica *replica)
{
	struct hs_input input = { .kind = HS_INPUT_CUT, .from = HS_REPLICA_NONE };

	if (!replica->wants_cut)
		return false;
	replica->wants_cut = false;
	if (!lane_set_cut(replica->lanes, &replica->cut_parent, &replica->scratch_cut))
		hs_copy_cut(&replica->scratch_cut, &replica->cut_parent);
	input.u.cut.view = replica->cut_view;
	input.u.cut.cut = &replica->scratch_cut;
	replica_core_step(replica, &input);
	return true;
}

/*
 * Rule 2.7 asks for every batch of the cut, not only for those above the parent's: a
 * replica that missed the parent's batches fetches them before it votes again.
 */
static bool core_answer_payload(struct replica *replica)
{
	struct hs_input input = { .kind = HS_INPUT_PAYLOAD, .from = HS_REPLICA_NONE };

	for (uint32_t i = 0; i < REPLICA_PAYLOADS_MAX; i++) {
		struct replica_payload *payload = &replica->payload[i];
		enum lane_payload verdict;

		if (!payload->is_used)
			continue;
		if (payload->height <= replica->delivery.height) {
			payload->is_used = false;
			continue;
		}
		verdict = lane_set_payload(replica->lanes, &payload->parent, &payload->cut);
		if (verdict == LANE_PAYLOAD_READY &&
		    !lane_set_is_stored(replica->lanes, &replica->delivery.cut, &payload->cut))
			continue;
		if (verdict == LANE_PAYLOAD_WAIT)
			continue;
		payload->is_used = false;
		input.u.payload.block_id = payload->id;
		input.u.payload.verdict = verdict == LANE_PAYLOAD_READY ? HS_PAYLOAD_READY :
									  HS_PAYLOAD_INVALID;
		replica_core_step(replica, &input);
		return true;
	}
	replica->lanes_changed = false;
	return false;
}

/* Work is what lies beyond the highest certified block. */
static bool core_tell_work(struct replica *replica)
{
	struct hs_input input = { .kind = HS_INPUT_WORK, .from = HS_REPLICA_NONE };
	const struct hs_cut *cut =
		replica_cut_of(replica, &hs_core_high_qc(replica->core)->block_id);
	bool work;

	replica->work_known = true;
	work = lane_set_has_cut(replica->lanes, cut ? cut : &replica->delivery.cut);
	if (work == replica->work)
		return false;
	replica->work = work;
	input.u.work = work;
	replica_core_step(replica, &input);
	return true;
}

bool replica_core_settle(struct replica *replica)
{
	if (core_answer_cut(replica))
		return true;
	if (replica->lanes_changed) {
		replica->work_known = false;
		if (core_answer_payload(replica))
			return true;
	}
	return !replica->work_known && core_tell_work(replica);
}
