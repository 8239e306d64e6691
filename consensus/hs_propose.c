#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_rules.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

/* P(3) from the proposer's side: high_qc as justify, with the entry TC where it is needed. */
static bool hs_can_justify(const struct hs_core *core)
{
	const struct hs_pacemaker *pacemaker = &core->pacemaker;
	uint64_t high_view = core->safety.record.high_qc.view;

	return high_view + 1 == pacemaker->view ||
	       (pacemaker->entry == HS_ENTRY_TC && high_view >= hs_rules_tc_max(&pacemaker->tc));
}

static bool hs_may_propose(const struct hs_core *core)
{
	const struct hs_record *record = &core->safety.record;
	const struct hs_proposing *proposing = &core->proposing;
	uint64_t view = core->pacemaker.view;

	return hs_may_act(core) && hs_core_leader(core, view) == core->config.replica_id &&
	       view > record->last_timeout_view && proposing->done_view != view &&
	       (view > record->last_proposed_view || proposing->allowed_view == view) &&
	       hs_can_justify(core) &&
	       hs_chain_find(&core->chain, &record->high_qc.block_id) != HS_NODE_NONE;
}

/* From when on even an empty block is worth its view (§6): UINT64_MAX, never. */
static uint64_t hs_empty_due_ns(const struct hs_core *core)
{
	const struct hs_config *config = &core->config;
	const struct hs_pacemaker *pacemaker = &core->pacemaker;
	const struct hs_finality *finality = &core->finality;
	uint64_t due_ns = UINT64_MAX;
	bool has_uncommitted = core->safety.record.high_qc.view > hs_root(core)->view;

	for (uint32_t i = 0; i < HS_BLOCKS_MAX && !has_uncommitted; i++) {
		const struct hs_node *node = &core->chain.node[i];

		has_uncommitted = node->is_used && !node->is_dead && i != core->chain.root &&
				  node->validity == HS_VALIDITY_VALID;
	}
	if (config->heartbeat_ns != 0)
		due_ns = units_add(pacemaker->last_block_ns, config->heartbeat_ns);
	if (has_uncommitted)
		due_ns = units_min(due_ns,
				   pacemaker->entry == HS_ENTRY_TC ?
					   pacemaker->entered_ns :
					   units_add(pacemaker->entered_ns, config->delta_ns / 2));
	if (!finality->is_tip_proven && finality->is_tip_checked)
		due_ns = units_min(due_ns, units_add(finality->tip_since_ns, config->delta_ns));
	return due_ns;
}

uint64_t hs_propose_due_ns(const struct hs_core *core)
{
	uint64_t due_ns;

	if (!hs_may_propose(core) || core->proposing.asked_view == core->pacemaker.view)
		return core->config.heartbeat_ns != 0 && !core->pacemaker.has_reason ?
			       units_add(core->pacemaker.last_block_ns, core->config.heartbeat_ns) :
			       UINT64_MAX;
	due_ns = core->proposing.has_work ? core->now_ns : hs_empty_due_ns(core);
	return units_max(
		due_ns, units_add(core->pacemaker.last_block_ns,
				  hs_pacemaker_block_interval_ns(&core->pacemaker, &core->config)));
}

/* Rule D: recorded on entering the view, so that work that comes later finds it durable. */
static void hs_allow_proposal(struct hs_core *core)
{
	struct hs_record *record = &core->safety.record;
	struct hs_proposing *proposing = &core->proposing;
	uint64_t view = core->pacemaker.view;

	if (record->last_proposed_view >= view)
		return;
	record->last_proposed_view = view;
	proposing->allowed_view = view;
	proposing->allowed_generation = hs_safety_change(&core->safety);
}

void hs_propose_advance(struct hs_core *core)
{
	const struct hs_record *record = &core->safety.record;
	struct hs_proposing *proposing = &core->proposing;
	uint64_t view = core->pacemaker.view;
	uint32_t parent;
	struct hs_effect *effect;

	if (!hs_may_propose(core))
		return;
	hs_allow_proposal(core);
	if (proposing->asked_view == view || core->now_ns < hs_propose_due_ns(core))
		return;
	parent = hs_chain_find(&core->chain, &record->high_qc.block_id);
	proposing->asked_view = view;
	proposing->asked_parent = record->high_qc.block_id;
	hs_chain_pin(&core->chain, parent);
	effect = hs_emit(core, HS_EFFECT_WANT_CUT);
	effect->u.want_cut.view = view;
	effect->u.want_cut.parent_id = record->high_qc.block_id;
	effect->u.want_cut.parent_cut = &core->chain.block[parent].header.cut;
}

/*
 * The driver's cut where it is ahead of the parent's; a lane never goes back. True if any is ahead.
 */
static bool hs_take_cut(const struct hs_cut *cut, const struct hs_cut *parent,
			struct hs_cut *ret_cut)
{
	bool is_ahead = false;

	ensure(cut->lane_count == parent->lane_count);
	hs_copy_cut(ret_cut, parent);
	for (uint32_t i = 0; i < cut->lane_count; i++) {
		if (cut->lane[i].seq <= parent->lane[i].seq)
			continue;
		ret_cut->lane[i] = cut->lane[i];
		is_ahead = true;
	}
	return is_ahead;
}

static void hs_build(struct hs_core *core, const struct hs_block *parent, struct hs_block *block)
{
	const struct hs_config *config = &core->config;
	const struct hs_qc *high = &core->safety.record.high_qc;
	struct hs_header *header = &block->header;

	header->epoch = config->epoch;
	header->view = core->pacemaker.view;
	header->height = parent->header.height + 1;
	header->time_ns = units_max(core->wall_ns, parent->header.time_ns + 1);
	header->parent_id = parent->id;
	header->justify_view = high->view;
	header->justify_digest = hs_justify_digest(&config->chain_id, &config->set_hash,
						   config->epoch, high->view, &high->block_id);
	hs_copy_qc(&block->justify, high);
	block->has_tc = high->view + 1 != header->view;
	if (block->has_tc)
		hs_copy_tc(&block->tc, &core->pacemaker.tc);
	block->author = config->replica_id;
	block->id = hs_block_id(&config->chain_id, &config->set_hash, header);
}

static void hs_propose(struct hs_core *core, const struct hs_block *block)
{
	struct hs_round *round = hs_quorum_round(&core->quorum, block->header.view);
	uint32_t index = hs_accept_block(core, block, true);

	core->proposing.done_view = block->header.view;
	if (index == HS_NODE_NONE)
		return;
	ensure(round);
	round->proposal_count = 1;
	round->proposal_id = block->id;
	/* A leader may propose what q others store; it votes, like all, once it stores that too. */
	core->chain.node[index].payload = HS_PAYLOAD_STATE_WANTED;
	hs_emit(core, HS_EFFECT_WANT_PAYLOAD)->u.block = &core->chain.block[index];
	hs_chain_pin(&core->chain, index);
	hs_safety_say(&core->safety, &(struct hs_pending){
					     .kind = HS_MESSAGE_PROPOSE,
					     .view = block->header.view,
					     .block_id = block->id,
					     .generation = core->proposing.allowed_generation,
					     .request = hs_sign(core, HS_MESSAGE_PROPOSE,
								block->header.view, &block->id, 0),
				     });
}

void hs_on_cut(struct hs_core *core, uint64_t view, const struct hs_cut *cut)
{
	struct hs_proposing *proposing = &core->proposing;
	const struct hs_qc *high = &core->safety.record.high_qc;
	struct hs_block *block = &core->scratch_block;
	const struct hs_block *parent;
	bool is_ahead;

	if (view != core->pacemaker.view || proposing->asked_view != view)
		return;
	proposing->asked_view = 0;
	if (!hs_may_propose(core) || !crypto_hash_equal(&proposing->asked_parent, &high->block_id))
		return;
	parent = &core->chain.block[hs_chain_find(&core->chain, &high->block_id)];
	memset(&block->header, 0, offsetof(struct hs_header, cut));
	memset(&block->signature, 0, sizeof(block->signature));
	is_ahead = hs_take_cut(cut, &parent->header.cut, &block->header.cut);
	if (!is_ahead && core->now_ns < hs_empty_due_ns(core)) {
		proposing->has_work = false;
		return;
	}
	hs_build(core, parent, block);
	/*
	 * The very block is here: made in an earlier life that could not say it, by a clock that
	 * stands still, or by another process with this key. The view is left to its timer.
	 */
	if (hs_chain_find(&core->chain, &block->id) != HS_NODE_NONE) {
		proposing->done_view = view;
		return;
	}
	hs_propose(core, block);
}

void hs_on_proposal_signed(struct hs_core *core, const struct hs_pending *pending)
{
	uint32_t index = hs_chain_find(&core->chain, &pending->block_id);
	struct hs_round *round = hs_quorum_round(&core->quorum, pending->view);

	if (round)
		round->proposal_signature = pending->signature;
	if (index == HS_NODE_NONE)
		return;
	core->chain.block[index].signature = pending->signature;
	hs_persist_block(core, index);
}
