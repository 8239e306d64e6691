/* The mutator: its own messages with a field changed, signed again, so that they verify. */

#include <string.h>

#include "base/ensure.h"
#include "crypto/crypto_hash.h"
#include "tests/sim/sim_adversary_state.h"

struct mutation {
	struct sim *sim;
	struct prng *prng;
	uint32_t id;
	struct wire_message *message; /* all->out */
};

/* Neighbours, edges of windows, ends of ranges. */
static uint64_t other_number(struct prng *prng, uint64_t value)
{
	switch (prng_below(prng, 10)) {
	case 0:
		return value + 1;
	case 1:
		return value - 1;
	case 2:
		return value + HS_VIEWS_AHEAD_MAX;
	case 3:
		return value + HS_VIEWS_AHEAD_MAX + 1;
	case 4:
		return 0;
	case 5:
		return UINT64_MAX;
	case 6:
		return UINT64_MAX - 1;
	case 7:
		return value ^ UINT64_C(1) << prng_below(prng, 64);
	case 8:
		return value / 2;
	default:
		return value + prng_below(prng, 1000);
	}
}

static void other_hash(struct prng *prng, struct crypto_hash *hash)
{
	uint8_t bit;

	if (prng_chance(prng, 300000)) {
		memset(hash, 0, sizeof(*hash));
		return;
	}
	bit = (uint8_t)(1 << prng_below(prng, 8));
	hash->b[prng_below(prng, sizeof(hash->b))] ^= bit;
}

static void mutate_cut(struct mutation *m, struct hs_cut *cut)
{
	uint32_t lane = (uint32_t)prng_below(m->prng, m->sim->knobs.n);
	struct hs_cut_entry *entry = &cut->lane[lane];

	switch (prng_below(m->prng, 4)) {
	case 0:
		entry->seq = other_number(m->prng, entry->seq);
		break;
	case 1:
		other_hash(m->prng, &entry->digest);
		break;
	case 2:
		*entry = cut->lane[(lane + 1) % m->sim->knobs.n];
		break;
	default:
		memset(entry, 0, sizeof(*entry));
		break;
	}
}

/* The member's own entry says another view, and still verifies. */
static void mutate_tc(struct mutation *m, struct hs_tc *tc)
{
	uint32_t at = 0;

	if (!bitset_has(&tc->signers, m->id)) {
		tc->view = other_number(m->prng, tc->view);
		return;
	}
	for (uint32_t i = 0; i < m->id; i++)
		at += bitset_has(&tc->signers, i);
	tc->qc_view[at] = tc->view > 1 ? prng_below(m->prng, tc->view) : 0;
	adversary_sign(m->sim, m->id, HS_MESSAGE_TIMEOUT, tc->view, NULL, tc->qc_view[at],
		       &tc->signature[at]);
}

static void mutate_qc(struct mutation *m, struct hs_qc *qc)
{
	switch (prng_below(m->prng, 4)) {
	case 0:
		qc->view = other_number(m->prng, qc->view);
		break;
	case 1:
		other_hash(m->prng, &qc->block_id);
		break;
	case 2:
		if (qc->count > 1)
			qc->signature[0] = qc->signature[1];
		break;
	default:
		if (qc->count > 0)
			qc->signature[prng_below(m->prng, qc->count)].b[3] ^= 4;
		break;
	}
}

static void mutate_header(struct mutation *m, struct hs_header *header)
{
	switch (prng_below(m->prng, 10)) {
	case 0:
		header->view += m->sim->knobs.n * prng_below(m->prng, 20);
		break;
	case 1:
		header->view = other_number(m->prng, header->view);
		break;
	case 2:
		header->height = other_number(m->prng, header->height);
		break;
	case 3:
		header->time_ns = other_number(m->prng, header->time_ns);
		break;
	case 4:
		other_hash(m->prng, &header->parent_id);
		break;
	case 5:
		header->epoch = other_number(m->prng, header->epoch);
		break;
	case 6:
		header->has_config = true;
		other_hash(m->prng, &header->config_digest);
		break;
	case 7:
		header->has_checkpoint = true;
		header->checkpoint_height = other_number(m->prng, header->height);
		other_hash(m->prng, &header->checkpoint_root);
		break;
	default:
		mutate_cut(m, &header->cut);
		break;
	}
}

static void mutate_propose(struct mutation *m, struct hs_block *block)
{
	bool is_own = block->author == m->id;

	switch (prng_below(m->prng, 8)) {
	case 0:
		mutate_qc(m, &block->justify);
		block->header.justify_view = block->justify.view;
		break;
	case 1:
		if (block->has_tc)
			mutate_tc(m, &block->tc);
		block->has_tc = block->has_tc && prng_chance(m->prng, 700000);
		break;
	default:
		mutate_header(m, &block->header);
		break;
	}
	if (is_own)
		adversary_seal_block(m->sim, block);
	if (prng_chance(m->prng, 50000))
		block->author = (block->author + 1) % m->sim->knobs.n;
}

static void mutate_core(struct mutation *m, struct hs_message *core)
{
	struct hs_vote *vote = &core->u.vote;
	struct hs_timeout *timeout = &core->u.timeout;

	switch (core->kind) {
	case HS_MESSAGE_PROPOSE:
		mutate_propose(m, &core->u.propose);
		break;
	case HS_MESSAGE_VOTE:
	case HS_MESSAGE_COMMIT:
		if (prng_chance(m->prng, 500000))
			vote->view = other_number(m->prng, vote->view);
		else
			other_hash(m->prng, &vote->block_id);
		adversary_sign(m->sim, m->id, core->kind, vote->view, &vote->block_id, 0,
			       &vote->signature);
		break;
	case HS_MESSAGE_TIMEOUT:
		if (prng_chance(m->prng, 500000))
			timeout->view = other_number(m->prng, timeout->view);
		else
			timeout->qc_view = other_number(m->prng, timeout->qc_view);
		if (prng_chance(m->prng, 200000))
			timeout->entry.kind = HS_ENTRY_NONE;
		adversary_sign(m->sim, m->id, HS_MESSAGE_TIMEOUT, timeout->view, NULL,
			       timeout->qc_view, &timeout->signature);
		break;
	case HS_MESSAGE_QC:
		mutate_qc(m, &core->u.qc);
		break;
	case HS_MESSAGE_TC:
		mutate_tc(m, &core->u.tc);
		break;
	case HS_MESSAGE_FC:
		mutate_qc(m, &core->u.fc.c);
		break;
	}
}

static void mutate_batch(struct mutation *m, struct lane_header *header)
{
	switch (prng_below(m->prng, 5)) {
	case 0:
		header->seq = other_number(m->prng, header->seq);
		break;
	case 1:
		other_hash(m->prng, &header->prev_digest);
		break;
	case 2:
		other_hash(m->prng, &header->frames_root);
		break;
	case 3:
		header->frame_count = (uint32_t)other_number(m->prng, header->frame_count);
		break;
	default:
		header->frame_bytes = (uint32_t)other_number(m->prng, header->frame_bytes);
		break;
	}
	if (header->lane == m->id)
		adversary_seal_header(m->sim, header);
}

static void mutate_ackvec(struct mutation *m, struct lane_ackvec *ackvec)
{
	struct lane_ack *ack;

	if (ackvec->count == 0)
		return;
	ack = &ackvec->ack[prng_below(m->prng, ackvec->count)];
	switch (prng_below(m->prng, 4)) {
	case 0:
		ack->stored_seq = other_number(m->prng, ack->stored_seq);
		break;
	case 1:
		other_hash(m->prng, &ack->digest);
		break;
	case 2:
		ack->map_base_seq = other_number(m->prng, ack->map_base_seq);
		break;
	default:
		ack->verified_map = other_number(m->prng, ack->verified_map);
		break;
	}
}

static void mutate_want(struct mutation *m, struct lane_want *want)
{
	switch (prng_below(m->prng, 4)) {
	case 0:
		want->seq = other_number(m->prng, want->seq);
		break;
	case 1:
		other_hash(m->prng, &want->digest);
		break;
	case 2:
		want->lane = (uint32_t)prng_below(m->prng, m->sim->knobs.n);
		break;
	default:
		want->first_index = (uint32_t)prng_below(m->prng, LANE_BATCH_FRAMES_MAX + 1);
		memset(want->missing_map, 0xff, sizeof(want->missing_map));
		break;
	}
}

static void mutate_repair(struct mutation *m, struct lane_repair *repair)
{
	switch (prng_below(m->prng, 3)) {
	case 0:
		mutate_batch(m, &repair->header);
		repair->count = 0;
		break;
	case 1:
		repair->count = (uint32_t)prng_below(m->prng, repair->count + 1);
		break;
	default:
		if (repair->count > 0)
			other_hash(m->prng, &repair->frame[0].path[0]);
		break;
	}
}

static void mutate_lane(struct mutation *m, struct wire_message *message)
{
	switch (message->kind) {
	case WIRE_LANE_FRAME:
		if (prng_chance(m->prng, 500000))
			message->u.lane_frame.seq =
				other_number(m->prng, message->u.lane_frame.seq);
		else
			message->u.lane_frame.index =
				(uint32_t)prng_below(m->prng, LANE_BATCH_FRAMES_MAX + 1);
		break;
	case WIRE_BATCH:
		mutate_batch(m, &message->u.batch);
		break;
	case WIRE_ACKVEC:
		mutate_ackvec(m, &message->u.ackvec);
		break;
	case WIRE_WANT_BATCH:
		mutate_want(m, &message->u.want_batch);
		break;
	case WIRE_REPAIR:
		mutate_repair(m, &message->u.repair);
		break;
	default:
		message->u.leaves.count =
			(uint32_t)prng_below(m->prng, message->u.leaves.count) + 1;
		other_hash(m->prng, &message->u.leaves.leaf[0]);
		break;
	}
}

static void mutate_rest(struct mutation *m, struct wire_message *message)
{
	switch (message->kind) {
	case WIRE_WANT_BLOCK:
		other_hash(m->prng, &message->u.want_block.id);
		break;
	case WIRE_WANT_BLOCKS:
		message->u.want_blocks.first_height =
			other_number(m->prng, message->u.want_blocks.first_height);
		break;
	case WIRE_BLOCKS:
		message->u.blocks.committed_height =
			other_number(m->prng, message->u.blocks.committed_height);
		message->u.blocks.has_fc = false;
		break;
	case WIRE_CERTIFICATES:
		message->u.certificates.committed_height =
			other_number(m->prng, message->u.certificates.committed_height);
		message->u.certificates.has_fc = false;
		break;
	case WIRE_STATUS:
		message->u.status.view = other_number(m->prng, message->u.status.view);
		message->u.status.committed_height =
			other_number(m->prng, message->u.status.committed_height);
		break;
	case WIRE_EVIDENCE:
		message->u.evidence.core.author =
			(message->u.evidence.core.author + 1) % m->sim->knobs.n;
		break;
	default:
		message->epoch = other_number(m->prng, message->epoch);
		break;
	}
}

void adversary_mutate(struct adversary_out *out)
{
	struct mutation m = {
		.sim = out->sim,
		.prng = &out->all->prng,
		.id = out->self->id,
		.message = &out->all->out,
	};
	uint32_t to = adversary_some(out->sim, out->to);

	if (to == 0 || !prng_chance(m.prng, out->self->ppm / 4))
		return;
	*m.message = *out->message;
	if (prng_chance(m.prng, 20000))
		m.message->epoch = other_number(m.prng, m.message->epoch);
	if (m.message->kind <= WIRE_FC)
		mutate_core(&m, &m.message->u.core);
	else if (m.message->kind <= WIRE_LEAVES)
		mutate_lane(&m, m.message);
	else
		mutate_rest(&m, m.message);
	adversary_say(out->sim, out->node, to);
	if (!prng_chance(m.prng, 300000))
		out->to &= ~to;
	adversary_act(out->self, SIM_STRATEGY_MUTATE);
}
