#include <string.h>

#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

/* The stand-in for genesis: a block at height 0 whose certificate is virtual. */
static void hs_make_genesis(const struct hs_config *config, struct hs_block *ret_block)
{
	memset(ret_block, 0, sizeof(*ret_block));
	ret_block->id = config->genesis_id;
	ret_block->header.epoch = config->epoch;
	ret_block->header.time_ns = config->genesis_time_ns;
	ret_block->header.cut.lane_count = config->replica_count;
}

static void hs_virtual_qc(const struct hs_config *config, struct hs_qc *ret_qc)
{
	memset(ret_qc, 0, sizeof(*ret_qc));
	ret_qc->epoch = config->epoch;
	ret_qc->block_id = config->genesis_id;
}

/* Rule R: an intent counts as done; its justify counts if it verifies. */
static void hs_take_intent(struct hs_record *record, bool is_justify_valid)
{
	if (record->intent_view > record->last_vote_view) {
		record->last_vote_view = record->intent_view;
		record->last_vote_id = record->intent_id;
	}
	if (record->intent_view != 0 && is_justify_valid &&
	    record->intent_justify.view > record->high_qc.view)
		hs_copy_qc(&record->high_qc, &record->intent_justify);
	record->intent_view = 0;
}

static uint64_t hs_restored_view(const struct hs_record *record)
{
	uint64_t view = units_max(record->high_qc.view + 1, record->last_timeout_view);

	view = units_max(view, units_max(record->last_vote_view, record->last_proposed_view));
	if (record->has_entry_tc)
		view = units_max(view, record->entry_tc.view + 1);
	return view;
}

static void hs_load_record(struct hs_core *core, const struct hs_start *start)
{
	const struct hs_config *config = &core->config;
	struct hs_record *record = &core->safety.record;
	struct hs_pacemaker *pacemaker = &core->pacemaker;

	if (start->record) {
		hs_copy_record(record, start->record);
		record->has_entry_tc = record->has_entry_tc && start->entry_tc_is_valid;
	}
	record->epoch = config->epoch;
	if (record->high_qc.view == 0)
		hs_virtual_qc(config, &record->high_qc);
	hs_pacemaker_init(pacemaker, hs_restored_view(record), core->now_ns);
	hs_take_intent(record, start->intent_justify_is_valid);
	if (record->high_qc.view + 1 > pacemaker->view)
		hs_pacemaker_init(pacemaker, record->high_qc.view + 1, core->now_ns);
	if (record->high_qc.view != 0 && record->high_qc.view + 1 == pacemaker->view) {
		pacemaker->entry = HS_ENTRY_QC;
	} else if (record->has_entry_tc && record->entry_tc.view + 1 == pacemaker->view) {
		pacemaker->entry = HS_ENTRY_TC;
		hs_copy_tc(&pacemaker->tc, &record->entry_tc);
	}
}

static void hs_load_block(struct hs_core *core, const struct hs_block *block)
{
	uint32_t index;

	hs_on_qc(core, &block->justify);
	if (block->has_tc)
		hs_on_tc(core, &block->tc);
	if (hs_chain_find(&core->chain, &block->id) != HS_NODE_NONE)
		return;
	index = hs_accept_block(core, block,
				block->author == hs_core_leader(core, block->header.view));
	if (index != HS_NODE_NONE)
		core->chain.node[index].is_durable = true;
}

void hs_on_start(struct hs_core *core, const struct hs_start *start)
{
	bool is_foreign = start->record && start->record->epoch != core->config.epoch;

	core->is_started = true;
	if (start->committed)
		hs_copy_block(&core->scratch_block, start->committed);
	else
		hs_make_genesis(&core->config, &core->scratch_block);
	hs_chain_init(&core->chain, &core->scratch_block);
	hs_load_record(core, start);
	hs_safety_committed(&core->safety, hs_root(core)->height, &hs_root(core)->id);
	core->finality.is_tip_proven = hs_root(core)->height == 0;
	core->finality.tip_since_ns = core->now_ns;
	core->restart.is_loading = true;
	for (uint32_t i = 0; i < start->block_count; i++)
		hs_load_block(core, &start->blocks[i]);
	core->restart.is_loading = false;
	if (!start->record || is_foreign)
		hs_fall_silent(core);
	core->restart.is_recovering = !core->is_observer;
	core->restart.over_ns = units_add(core->now_ns, 2 * core->config.delta_ns);
	if (core->config.replica_count > 1)
		hs_emit(core, HS_EFFECT_WANT_CERTIFICATES)->to = HS_REPLICA_ALL;
}

void hs_on_certificate_answer(struct hs_core *core, uint32_t author)
{
	if (author < core->config.replica_count && author != core->config.replica_id)
		bitset_add(&core->restart.answered, author);
}

void hs_restart_advance(struct hs_core *core)
{
	struct hs_restart *restart = &core->restart;

	if (!restart->is_recovering || (bitset_count(&restart->answered) + 1 < core->quorum.size &&
					core->now_ns < restart->over_ns))
		return;
	restart->is_recovering = false;
	/* A recorded proposal is not said again: blocks of several lives may share its view. */
	hs_timeout_restore(core);
}
