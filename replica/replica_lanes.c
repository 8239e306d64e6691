/* lane_set's inputs and effects: frames, batches, claims, repair. */

#include <string.h>

#include "base/ensure.h"
#include "dataplane/lane_batch.h"
#include "replica/replica_state.h"

static void lane_send(struct replica *replica, const struct lane_effect *effect)
{
	struct wire_message *message = &replica->message_out;

	switch (effect->kind) {
	case LANE_EFFECT_SEND_FRAME:
		message->kind = WIRE_LANE_FRAME;
		message->u.lane_frame = effect->u.frame;
		replica_send(replica, effect->to, REPLICA_SEND_LANE);
		break;
	case LANE_EFFECT_SEND_BATCH:
		message->kind = WIRE_BATCH;
		message->u.batch = effect->u.header;
		replica_send(replica, effect->to, REPLICA_SEND_CONSENSUS);
		break;
	case LANE_EFFECT_SEND_ACKVEC:
		message->kind = WIRE_ACKVEC;
		message->u.ackvec = *effect->u.ackvec;
		replica_send(replica, effect->to, REPLICA_SEND_CONSENSUS);
		break;
	case LANE_EFFECT_SEND_WANT:
		message->kind = WIRE_WANT_BATCH;
		message->u.want_batch = *effect->u.want;
		replica_send(replica, effect->to, REPLICA_SEND_REPAIR);
		break;
	case LANE_EFFECT_SEND_REPAIR:
		message->kind = WIRE_REPAIR;
		message->u.repair = *effect->u.repair;
		replica_send(replica, effect->to, REPLICA_SEND_REPAIR);
		break;
	default:
		message->kind = WIRE_LEAVES;
		message->u.leaves = *effect->u.leaves;
		replica_send(replica, effect->to, REPLICA_SEND_REPAIR);
		break;
	}
}

static void lane_sign(struct replica *replica, const struct lane_effect *effect)
{
	struct replica_effect *out = replica_push(replica, REPLICA_EFFECT_SIGN);

	out->u.sign.request = replica_ticket(REPLICA_TICKET_LANE, effect->ticket);
	out->u.sign.count = effect->u.sign.count;
	memcpy(out->u.sign.bytes, effect->u.sign.bytes, effect->u.sign.count);
}

static void lane_persist(struct replica *replica, const struct lane_effect *effect)
{
	struct replica_effect *out = replica_push(replica, REPLICA_EFFECT_PERSIST);

	out->u.persist.log = BLOCKLOG_LANE;
	out->u.persist.kind = REPLICA_RECORD_BATCH;
	out->u.persist.is_borrowed = true;
	out->u.persist.bytes = effect->u.persist.bytes;
	out->u.persist.byte_count = effect->u.persist.byte_count;
	out->u.persist.ticket = replica_ticket(REPLICA_TICKET_LANE, effect->ticket);
}

static void lane_refuse(struct replica *replica, const struct lane_effect *effect)
{
	struct wire_frame frame;

	replica->refused = true;
	if (wire_frame_parse(effect->u.refuse.frame_bytes, effect->u.refuse.frame_byte_count,
			     &frame) < 0)
		return;
	replica_refuse(replica, effect->u.refuse.origin, &frame, effect->u.refuse.reason,
		       frame.first_seq);
}

static void lane_evidence(struct replica *replica, const struct lane_evidence *evidence)
{
	struct wire_evidence piece;

	memset(&piece, 0, sizeof(piece));
	piece.is_lane = true;
	piece.lane = *evidence;
	replica_show_evidence(replica, &piece);
}

static void lane_effect(struct replica *replica, const struct lane_effect *effect)
{
	switch (effect->kind) {
	case LANE_EFFECT_SEND_FRAME:
	case LANE_EFFECT_SEND_BATCH:
	case LANE_EFFECT_SEND_ACKVEC:
	case LANE_EFFECT_SEND_WANT:
	case LANE_EFFECT_SEND_REPAIR:
	case LANE_EFFECT_SEND_LEAVES:
		lane_send(replica, effect);
		break;
	case LANE_EFFECT_SIGN:
		lane_sign(replica, effect);
		break;
	case LANE_EFFECT_PERSIST:
		lane_persist(replica, effect);
		break;
	case LANE_EFFECT_READ:
		replica_read(replica, BLOCKLOG_LANE, effect->u.position, BLOCKLOG_RECORD_BYTES_MAX,
			     replica_ticket(REPLICA_TICKET_LANE, effect->ticket));
		break;
	case LANE_EFFECT_REFUSE:
		lane_refuse(replica, effect);
		break;
	case LANE_EFFECT_CHANGED:
		replica->lanes_changed = true;
		break;
	case LANE_EFFECT_EVIDENCE:
		lane_evidence(replica, effect->u.evidence);
		break;
	case LANE_EFFECT_DROPPED:
		replica_dropped(replica, REPLICA_DROP_LANE, effect->u.drop);
		break;
	}
}

void replica_lane_step(struct replica *replica, struct lane_input *input)
{
	int code;

	input->now_ns = replica->now_ns;
	code = lane_set_step(replica->lanes, input, &replica->lane_effects);
	ensure(code == 0);
	for (uint32_t i = 0; i < replica->lane_effects.count; i++)
		lane_effect(replica, &replica->lane_effects.at[i]);
}

void replica_lane_cut(struct replica *replica, enum lane_input_kind kind, const struct hs_cut *cut)
{
	struct lane_input input = { .kind = kind, .from = HS_REPLICA_NONE };

	input.u.cut = cut;
	replica_lane_step(replica, &input);
}

/* Verdicts and hashes come from the gate; repair frames are few and are hashed again. */
static void lane_stamp(struct wire_message *message, const struct replica_stamp *stamp)
{
	if (message->kind == WIRE_LANE_FRAME) {
		message->u.lane_frame.frame_hash = stamp->frame_hash;
		message->u.lane_frame.is_signed = (stamp->is_signed_map & 1) != 0;
		return;
	}
	for (uint32_t i = 0; i < message->u.repair.count; i++) {
		struct lane_repair_frame *frame = &message->u.repair.frame[i];

		frame->frame_hash = lane_frame_hash(frame->bytes, frame->byte_count);
		frame->is_signed = (stamp->is_signed_map >> i & 1) != 0;
	}
}

void replica_lane_message(struct replica *replica, struct wire_message *message,
			  const struct replica_stamp *stamp)
{
	struct lane_input input = { .from = message->from };

	switch (message->kind) {
	case WIRE_LANE_FRAME:
		lane_stamp(message, stamp);
		input.kind = LANE_INPUT_PEER_FRAME;
		input.u.frame = &message->u.lane_frame;
		break;
	case WIRE_BATCH:
		input.kind = LANE_INPUT_BATCH;
		input.u.header = &message->u.batch;
		break;
	case WIRE_ACKVEC:
		input.kind = LANE_INPUT_ACKVEC;
		input.u.ackvec = &message->u.ackvec;
		break;
	case WIRE_WANT_BATCH:
		input.kind = LANE_INPUT_WANT;
		input.u.want = &message->u.want_batch;
		break;
	case WIRE_REPAIR:
		lane_stamp(message, stamp);
		input.kind = LANE_INPUT_REPAIR;
		input.u.repair = &message->u.repair;
		break;
	default:
		input.kind = LANE_INPUT_LEAVES;
		input.u.leaves = &message->u.leaves;
		break;
	}
	replica_lane_step(replica, &input);
}
