/* Strategies against lanes: withheld payload, forked batches, false claims, bad seals. */

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "tests/sim/sim_adversary_state.h"
#include "wire/wire_frame.h"

/* ---- withholder ---- */

static bool is_withheld(enum adversary_withheld what, enum wire_kind kind)
{
	switch (what) {
	case WITHHELD_PAYLOAD:
		return kind == WIRE_LANE_FRAME || kind == WIRE_REPAIR || kind == WIRE_LEAVES;
	case WITHHELD_HEADERS:
		return kind == WIRE_PROPOSE || kind == WIRE_BATCH;
	case WITHHELD_CERTIFICATES:
		return kind == WIRE_QC || kind == WIRE_TC || kind == WIRE_FC ||
		       kind == WIRE_CERTIFICATES || kind == WIRE_TIMEOUT;
	case WITHHELD_CLAIMS:
		return kind == WIRE_ACKVEC || kind == WIRE_VOTE || kind == WIRE_COMMIT;
	case WITHHELD_ANSWERS:
		return kind == WIRE_BLOCKS || kind == WIRE_REPAIR || kind == WIRE_LEAVES ||
		       kind == WIRE_CERTIFICATES || kind == WIRE_STATUS;
	default:
		return true;
	}
}

void adversary_withhold(struct adversary_out *out)
{
	if (!is_withheld(out->self->withheld, out->message->kind) ||
	    (out->to & out->self->victims) == 0)
		return;
	out->to &= ~out->self->victims;
	adversary_act(out->self, SIM_STRATEGY_WITHHOLD);
}

/* ---- batches of its own lane ---- */

static void forget_batch(struct adversary_batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->frame[i])
			sim_packet_drop(batch->frame[i]);
	*batch = (struct adversary_batch){ 0 };
}

void adversary_fork_forget(struct adversary_member *self)
{
	for (uint32_t i = 0; i < ADVERSARY_OPEN_BATCHES; i++)
		forget_batch(&self->open[i]);
	for (uint32_t i = 0; i < ADVERSARY_FORKED_BATCHES; i++)
		forget_batch(&self->forked[i]);
}

static void keep_frame(struct adversary_member *self, const struct lane_frame *frame)
{
	struct adversary_batch *open = &self->open[frame->seq % ADVERSARY_OPEN_BATCHES];

	if (open->header.seq != frame->seq) {
		forget_batch(open);
		open->header.seq = frame->seq;
	}
	if (frame->index >= ADVERSARY_FRAMES_MAX || frame->index > open->count)
		return;
	if (frame->index < open->count)
		sim_packet_drop(open->frame[frame->index]);
	else
		open->count++;
	open->frame[frame->index] = sim_packet_new(frame->bytes, frame->byte_count);
}

static struct adversary_batch *forked_at(struct adversary_member *self, uint64_t seq)
{
	struct adversary_batch *batch = &self->forked[seq % ADVERSARY_FORKED_BATCHES];

	return seq > 0 && batch->header.seq == seq ? batch : NULL;
}

static struct crypto_hash root_of(const struct adversary_batch *batch,
				  struct crypto_hash leaves[ADVERSARY_FRAMES_MAX])
{
	struct crypto_hash scratch[ADVERSARY_FRAMES_MAX];

	for (uint32_t i = 0; i < batch->count; i++)
		leaves[i] = wire_frame_hash_of(batch->frame[i]->bytes, batch->frame[i]->count);
	return wire_merkle_root(leaves, batch->count, scratch);
}

/* The true batch with its frames reversed, one of them twice, one missing, or a broken seal. */
static void change_frames(struct adversary_out *out, const struct adversary_batch *true_one,
			  struct adversary_batch *forged)
{
	struct prng *prng = &out->all->prng;
	bool is_bad = adversary_does(out->sim, out->self, SIM_STRATEGY_FALSE_VERIFY);
	uint32_t count = true_one->count;
	uint32_t way = (uint32_t)prng_below(prng, 3);

	if (way == 0 && count > 1)
		count--;
	if (way == 1 && count < ADVERSARY_FRAMES_MAX && count < out->sim->knobs.batch_frames_max)
		count++;
	forged->count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct sim_packet *from =
			true_one->frame[(true_one->count - 1 - i % true_one->count)];

		forged->frame[i] = sim_packet_new(from->bytes, from->count);
	}
	if (is_bad) {
		struct sim_packet *frame = forged->frame[prng_below(prng, count)];

		frame->bytes[frame->count - 1] ^= 0x10;
	}
}

static struct adversary_batch *forge_batch(struct adversary_out *out,
					   const struct lane_header *header)
{
	struct adversary_member *self = out->self;
	struct adversary_batch *open = &self->open[header->seq % ADVERSARY_OPEN_BATCHES];
	struct adversary_batch *forged = &self->forked[header->seq % ADVERSARY_FORKED_BATCHES];
	const struct adversary_batch *before = forked_at(self, header->seq - 1);
	struct crypto_hash leaves[ADVERSARY_FRAMES_MAX];

	if (open->header.seq != header->seq || open->count != header->frame_count)
		return NULL;
	if (forged->header.seq == header->seq)
		return forged;
	forget_batch(forged);
	change_frames(out, open, forged);
	forged->header = *header;
	if (before)
		forged->header.prev_digest = before->header.digest;
	forged->header.frames_root = root_of(forged, leaves);
	forged->header.frame_count = forged->count;
	forged->header.frame_bytes = 0;
	for (uint32_t i = 0; i < forged->count; i++)
		forged->header.frame_bytes += forged->frame[i]->count;
	adversary_seal_header(out->sim, &forged->header);
	return forged;
}

static void say_frame(struct sim *sim, const struct sim_node *node, uint32_t to,
		      const struct adversary_batch *batch, uint32_t index)
{
	struct wire_message *out = &sim->adversary->out;

	out->kind = WIRE_LANE_FRAME;
	out->epoch = sim->validators.epoch;
	out->u.lane_frame = (struct lane_frame){
		.lane = node->id,
		.seq = batch->header.seq,
		.index = index,
		.bytes = batch->frame[index]->bytes,
		.byte_count = batch->frame[index]->count,
	};
	adversary_say(sim, node, to);
}

static void say_forged(struct adversary_out *out, const struct lane_header *header,
		       enum sim_strategy strategy)
{
	struct wire_message *forged = &out->all->out;
	uint32_t to = out->to & out->self->fork_side;
	const struct adversary_batch *batch = forge_batch(out, header);

	out->to &= ~to;
	if (!batch)
		return;
	for (uint32_t i = 0; i < batch->count; i++)
		say_frame(out->sim, out->node, to, batch, i);
	forged->kind = WIRE_BATCH;
	forged->epoch = out->message->epoch;
	forged->u.batch = batch->header;
	adversary_say(out->sim, out->node, to);
	if (prng_chance(&out->all->prng, 100000))
		adversary_say(out->sim, out->node, out->to);
	adversary_act(out->self, strategy);
}

/* To the forked side it claims the forked chain. */
static void say_forked_claim(struct adversary_out *out)
{
	struct wire_message *forged = &out->all->out;
	struct lane_ackvec *ackvec = &forged->u.ackvec;
	uint32_t to = out->to & out->self->fork_side;
	bool is_changed = false;

	forged->kind = WIRE_ACKVEC;
	forged->epoch = out->message->epoch;
	*ackvec = out->message->u.ackvec;
	for (uint32_t i = 0; i < ackvec->count; i++) {
		const struct adversary_batch *batch =
			forked_at(out->self, ackvec->ack[i].stored_seq);

		if (ackvec->lane[i] != out->self->id || !batch)
			continue;
		ackvec->ack[i].digest = batch->header.digest;
		is_changed = true;
	}
	if (!is_changed)
		return;
	adversary_say(out->sim, out->node, to);
	out->to &= ~to;
}

static void fork_lane(struct adversary_out *out, enum sim_strategy strategy)
{
	const struct wire_message *message = out->message;

	switch (message->kind) {
	case WIRE_LANE_FRAME:
		keep_frame(out->self, &message->u.lane_frame);
		if (message->u.lane_frame.seq >= out->self->fork_seq)
			out->to &= ~out->self->fork_side;
		break;
	case WIRE_BATCH:
		if (message->u.batch.seq >= out->self->fork_seq)
			say_forged(out, &message->u.batch, strategy);
		break;
	case WIRE_ACKVEC:
		say_forked_claim(out);
		break;
	default:
		break;
	}
}

void adversary_fork(struct adversary_out *out)
{
	if (out->node->slot == out->self->id)
		fork_lane(out, SIM_STRATEGY_FORK);
}

/* ---- answers about forked batches ---- */

static bool is_wanted(const struct lane_want *want, uint32_t index)
{
	return index >= want->first_index || (want->missing_map[index / 64] >> index % 64 & 1);
}

static void say_repair(struct sim *sim, const struct sim_node *node, uint32_t to,
		       const struct adversary_batch *batch, const struct lane_want *want)
{
	struct wire_message *out = &sim->adversary->out;
	struct lane_repair *repair = &out->u.repair;
	struct crypto_hash leaves[ADVERSARY_FRAMES_MAX];
	struct crypto_hash scratch[ADVERSARY_FRAMES_MAX];

	root_of(batch, leaves);
	out->kind = WIRE_REPAIR;
	out->epoch = sim->validators.epoch;
	repair->header = batch->header;
	repair->count = 0;
	for (uint32_t i = 0; i < batch->count && repair->count < LANE_REPAIR_FRAMES_MAX; i++) {
		struct lane_repair_frame *frame = &repair->frame[repair->count];

		if (!is_wanted(want, i))
			continue;
		*frame = (struct lane_repair_frame){
			.index = i,
			.bytes = batch->frame[i]->bytes,
			.byte_count = batch->frame[i]->count,
		};
		frame->path_count = wire_merkle_path(leaves, batch->count, i, scratch, frame->path);
		repair->count++;
	}
	adversary_say(sim, node, to);
}

static void say_leaves(struct sim *sim, const struct sim_node *node, uint32_t to,
		       const struct adversary_batch *batch)
{
	struct wire_message *out = &sim->adversary->out;

	out->kind = WIRE_LEAVES;
	out->epoch = sim->validators.epoch;
	out->u.leaves.lane = node->id;
	out->u.leaves.seq = batch->header.seq;
	out->u.leaves.count = batch->count;
	root_of(batch, out->u.leaves.leaf);
	adversary_say(sim, node, to);
}

bool adversary_fork_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	const struct wire_message *message = &sim->adversary->in;
	const struct lane_want *want = &message->u.want_batch;
	const struct adversary_batch *batch;
	uint32_t to = UINT32_C(1) << message->from;
	bool is_named;

	if (message->kind != WIRE_WANT_BATCH || want->lane != self->id)
		return false;
	batch = forked_at(self, want->seq);
	if (!batch)
		return false;
	is_named = crypto_hash_equal(&want->digest, &batch->header.digest);
	if (!is_named && (!crypto_hash_is_zero(&want->digest) || !(self->fork_side & to)))
		return false;
	if (want->first_index == LANE_BATCH_FRAMES_MAX && !want->wants_header)
		say_leaves(sim, node, to, batch);
	else
		say_repair(sim, node, to, batch, want);
	return true;
}

/* ---- false verifier ---- */

/* Says it stored what anybody says is stored, and checked all of it. */
static void inflate(struct adversary_out *out, uint32_t lane, struct lane_ack *ack)
{
	for (uint32_t i = 0; i < out->sim->knobs.n; i++) {
		const struct lane_ack *heard = &out->all->ack[i][lane];

		if (heard->stored_seq > ack->stored_seq) {
			ack->stored_seq = heard->stored_seq;
			ack->digest = heard->digest;
		}
	}
	ack->verified_map = UINT64_MAX;
}

static void say_false_claims(struct adversary_out *out)
{
	struct wire_message *forged = &out->all->out;
	struct lane_ackvec *ackvec = &forged->u.ackvec;
	uint32_t to = prng_chance(&out->all->prng, 500000) ? out->to :
							     adversary_some(out->sim, out->to);

	if (!prng_chance(&out->all->prng, out->self->ppm))
		return;
	forged->kind = WIRE_ACKVEC;
	forged->epoch = out->message->epoch;
	ackvec->count = out->sim->knobs.n;
	for (uint32_t lane = 0; lane < out->sim->knobs.n; lane++) {
		ackvec->lane[lane] = lane;
		ackvec->ack[lane] = out->all->ack[out->self->id][lane];
		inflate(out, lane, &ackvec->ack[lane]);
	}
	adversary_say(out->sim, out->node, to);
	out->to &= ~to;
	adversary_act(out->self, SIM_STRATEGY_FALSE_VERIFY);
}

void adversary_false_verify(struct adversary_out *out)
{
	if (!adversary_does(out->sim, out->self, SIM_STRATEGY_FORK) &&
	    out->node->slot == out->self->id)
		fork_lane(out, SIM_STRATEGY_FALSE_VERIFY);
	if (out->message->kind == WIRE_ACKVEC && out->to != 0)
		say_false_claims(out);
}
