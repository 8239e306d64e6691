#include "consensus/hs_core.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_rules.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

struct hs_effect *hs_emit(struct hs_core *core, enum hs_effect_kind kind)
{
	struct hs_effects *effects = core->effects;

	ensure(effects && effects->count < HS_EFFECTS_MAX);
	struct hs_effect *effect = &effects->at[effects->count++];

	effect->kind = kind;
	effect->to = HS_REPLICA_NONE;
	effect->ticket = 0;
	return effect;
}

void hs_drop(struct hs_core *core, enum hs_drop reason)
{
	if (!core->restart.is_loading)
		hs_emit(core, HS_EFFECT_DROPPED)->u.drop = reason;
}

struct hs_message *hs_send(struct hs_core *core, enum hs_message_kind kind, uint32_t to)
{
	ensure(core->outbox_count < HS_OUTBOX_MAX);
	struct hs_message *message = &core->outbox[core->outbox_count++];
	struct hs_effect *effect = hs_emit(core, HS_EFFECT_SEND);

	message->kind = kind;
	effect->to = to;
	effect->u.message = message;
	return message;
}

uint64_t hs_sign(struct hs_core *core, enum hs_message_kind kind, uint64_t view,
		 const struct crypto_hash *block_id, uint64_t qc_view)
{
	struct hs_effect *effect = hs_emit(core, HS_EFFECT_SIGN);

	effect->ticket = ++core->ticket;
	effect->u.sign.message = kind;
	effect->u.sign.count = hs_signed_bytes(kind, &core->config.chain_id, core->config.epoch,
					       &core->config.set_hash, view, block_id, qc_view,
					       effect->u.sign.bytes);
	return effect->ticket;
}

void hs_persist_block(struct hs_core *core, uint32_t index)
{
	struct hs_node *node = &core->chain.node[index];

	if (node->persist_ticket != 0 || node->is_durable)
		return;
	struct hs_effect *effect = hs_emit(core, HS_EFFECT_PERSIST_BLOCK);

	effect->ticket = ++core->ticket;
	effect->u.block = &core->chain.block[index];
	node->persist_ticket = effect->ticket;
	hs_chain_pin(&core->chain, index);
}

void hs_answer(struct hs_core *core, uint32_t peer)
{
	const struct hs_record *record = &core->safety.record;

	if (!hs_pacemaker_may_answer(&core->pacemaker, &core->config, peer, core->now_ns))
		return;
	if (record->high_qc.view > 0)
		hs_copy_qc(&hs_send(core, HS_MESSAGE_QC, peer)->u.qc, &record->high_qc);
	if (core->pacemaker.entry == HS_ENTRY_TC)
		hs_copy_tc(&hs_send(core, HS_MESSAGE_TC, peer)->u.tc, &core->pacemaker.tc);
	if (core->finality.has_fc && core->finality.fc.c.view == hs_root(core)->view)
		hs_copy_qc(&hs_send(core, HS_MESSAGE_FC, peer)->u.fc.c, &core->finality.fc.c);
}

void hs_fall_silent(struct hs_core *core)
{
	if (core->is_observer)
		return;
	core->is_observer = true;
	core->vote.is_armed = false;
	core->commit.is_armed = false;
	hs_safety_fall_silent(&core->safety);
	hs_emit(core, HS_EFFECT_OBSERVER);
}

static bool hs_config_is_valid(const struct hs_config *config)
{
	uint32_t n = config->replica_count;

	return (n == 1 || n >= 4) && n <= HS_REPLICAS_MAX && config->replica_id < n &&
	       config->delta_ns > 0 && config->timeout_max_ns >= config->delta_ns;
}

size_t hs_core_footprint(const struct hs_config *config)
{
	if (!hs_config_is_valid(config))
		return 0;
	return offsetof(struct hs_core, quorum) + hs_quorum_footprint(config->replica_count);
}

int hs_core_init(void *memory, size_t memory_bytes, const struct hs_config *config,
		 struct hs_core **ret_core)
{
	struct hs_core *core = memory;
	size_t footprint = hs_core_footprint(config);

	if (footprint == 0 || memory_bytes < footprint || (uintptr_t)memory % 64 != 0)
		return ERR_CONFIG;
	memset(memory, 0, offsetof(struct hs_core, quorum));
	core->config = *config;
	hs_safety_init(&core->safety);
	hs_quorum_init(&core->quorum, config->replica_count);
	hs_pacemaker_init(&core->pacemaker, 1, 0);
	*ret_core = core;
	return 0;
}

static void hs_on_persisted(struct hs_core *core, uint64_t ticket)
{
	if (hs_safety_on_persisted(&core->safety, ticket))
		return;
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		struct hs_node *node = &core->chain.node[i];

		if (!node->is_used || node->persist_ticket != ticket || ticket == 0)
			continue;
		node->is_durable = true;
		hs_safety_on_block_durable(&core->safety, &node->id);
		return;
	}
}

static void hs_on_signed(struct hs_core *core, uint64_t request,
			 const struct crypto_signature *signature)
{
	const struct hs_pending *pending = hs_safety_on_signed(&core->safety, request, signature);

	if (pending && pending->kind == HS_MESSAGE_PROPOSE)
		hs_on_proposal_signed(core, pending);
}

static bool hs_is_of_epoch(struct hs_core *core, uint64_t epoch)
{
	if (epoch == core->config.epoch)
		return true;
	hs_drop(core, HS_DROP_EPOCH);
	return false;
}

static void hs_on_certificate(struct hs_core *core, const struct hs_input *input)
{
	if (input->kind == HS_INPUT_QC && hs_is_of_epoch(core, input->u.qc->epoch))
		hs_on_qc(core, input->u.qc);
	if (input->kind == HS_INPUT_TC && hs_is_of_epoch(core, input->u.tc->epoch))
		hs_on_tc(core, input->u.tc);
	if (input->kind == HS_INPUT_FC && hs_is_of_epoch(core, input->u.fc->c.epoch))
		hs_on_fc(core, input->u.fc);
}

static void hs_on_message(struct hs_core *core, const struct hs_input *input)
{
	switch (input->kind) {
	case HS_INPUT_PROPOSE:
		if (hs_is_of_epoch(core, input->u.block->header.epoch))
			hs_on_propose(core, input->u.block);
		break;
	case HS_INPUT_INTENT:
		if (hs_is_of_epoch(core, input->u.block->header.epoch))
			hs_on_intent(core, input->u.block);
		break;
	case HS_INPUT_BLOCK:
		if (hs_is_of_epoch(core, input->u.block->header.epoch))
			hs_on_block(core, input->u.block);
		break;
	case HS_INPUT_VOTE:
		if (hs_is_of_epoch(core, input->u.vote->epoch))
			hs_on_vote(core, input->u.vote, input->from);
		break;
	case HS_INPUT_COMMIT:
		if (hs_is_of_epoch(core, input->u.commit->epoch))
			hs_on_commit(core, input->u.commit, input->from);
		break;
	case HS_INPUT_TIMEOUT:
		if (hs_is_of_epoch(core, input->u.timeout->epoch))
			hs_on_timeout(core, input->u.timeout, input->from);
		break;
	default:
		hs_on_certificate(core, input);
		break;
	}
}

static void hs_on_input(struct hs_core *core, const struct hs_input *input)
{
	switch (input->kind) {
	case HS_INPUT_COMMITS_CHECKED:
		hs_on_commits_checked(core, input->u.checked.view, &input->u.checked.block_id,
				      &input->u.checked.good, &input->u.checked.bad);
		break;
	case HS_INPUT_PAYLOAD:
		hs_on_payload(core, &input->u.payload.block_id, input->u.payload.verdict);
		break;
	case HS_INPUT_CUT:
		hs_on_cut(core, input->u.cut.view, input->u.cut.cut);
		break;
	case HS_INPUT_WORK:
		core->proposing.has_work = input->u.work;
		break;
	case HS_INPUT_PERSISTED:
		hs_on_persisted(core, input->u.ticket);
		break;
	case HS_INPUT_SIGNED:
		hs_on_signed(core, input->u.signed_.request, &input->u.signed_.signature);
		break;
	case HS_INPUT_CERTIFICATE_ANSWER:
		hs_on_certificate_answer(core, input->u.author);
		break;
	case HS_INPUT_ROLLED_BACK:
		hs_fall_silent(core);
		break;
	case HS_INPUT_TICK:
	case HS_INPUT_START:
		break;
	default:
		hs_on_message(core, input);
		break;
	}
}

/*
 * Every record says how its view was entered: whoever voted, proposed or timed out in a view
 * can prove it to others after a crash, also when the block that carried the TC was lost.
 */
static void hs_record_entry(struct hs_core *core)
{
	struct hs_record *record = &core->safety.record;

	if (core->pacemaker.entry != HS_ENTRY_TC ||
	    (record->has_entry_tc && record->entry_tc.view == core->pacemaker.tc.view))
		return;
	record->has_entry_tc = true;
	hs_copy_tc(&record->entry_tc, &core->pacemaker.tc);
}

static void hs_record_flush(struct hs_core *core)
{
	hs_record_entry(core);
	if (core->is_observer || !hs_safety_write(&core->safety, core->ticket + 1))
		return;
	struct hs_effect *effect = hs_emit(core, HS_EFFECT_PERSIST_RECORD);

	effect->ticket = ++core->ticket;
	effect->u.record = &core->safety.record;
}

static void hs_advance(struct hs_core *core)
{
	hs_restart_advance(core);
	hs_statements_advance(core);
	hs_vote_advance(core);
	hs_persist_advance(core);
	hs_finality_advance(core);
	hs_commit_vote_advance(core);
	hs_propose_advance(core);
	hs_timer_advance(core);
	hs_repeat_advance(core);
	hs_fetch_advance(core);
	hs_record_flush(core);
}

int hs_core_step(struct hs_core *core, const struct hs_input *input, struct hs_effects *ret_effects)
{
	ret_effects->count = 0;
	if (core->is_started == (input->kind == HS_INPUT_START) || input->now_ns < core->now_ns)
		return ERR_ORDER;
	core->effects = ret_effects;
	core->outbox_count = 0;
	core->now_ns = input->now_ns;
	core->wall_ns = input->wall_ns;
	if (input->kind == HS_INPUT_START) {
		hs_on_start(core, input->u.start);
	} else {
		hs_chain_begin_step(&core->chain);
		hs_on_input(core, input);
	}
	hs_advance(core);
	core->effects = NULL;
	return 0;
}

uint64_t hs_core_deadline_ns(const struct hs_core *core)
{
	uint64_t deadline_ns = UINT64_MAX;

	if (!core->is_started)
		return UINT64_MAX;
	if (core->restart.is_recovering)
		deadline_ns = core->restart.over_ns;
	deadline_ns = units_min(deadline_ns, hs_fetch_deadline_ns(core));
	deadline_ns = units_min(deadline_ns, hs_finality_deadline_ns(core));
	if (!hs_may_act(core))
		return deadline_ns;
	if (core->vote.is_armed)
		deadline_ns = units_min(deadline_ns, core->vote.due_ns);
	if (core->commit.is_armed)
		deadline_ns = units_min(deadline_ns, core->commit.due_ns);
	deadline_ns = units_min(deadline_ns, hs_timer_deadline_ns(core));
	deadline_ns = units_min(deadline_ns, hs_hold_deadline_ns(core));
	return units_min(deadline_ns, hs_propose_due_ns(core));
}

struct hs_view_status hs_core_status(const struct hs_core *core)
{
	const struct hs_record *record = &core->safety.record;
	uint32_t leader = hs_core_leader(core, core->pacemaker.view);

	return (struct hs_view_status){
		.epoch = core->config.epoch,
		.view = core->pacemaker.view,
		.high_qc_view = record->high_qc.view,
		.last_vote_view = record->last_vote_view,
		.last_timeout_view = record->last_timeout_view,
		.last_commit_view = record->last_commit_view,
		.committed_height = hs_root(core)->height,
		.committed_id = hs_root(core)->id,
		.leader = leader,
		.is_observer = core->is_observer,
		.views_failed = core->pacemaker.views_failed,
		.timer_ns = core->pacemaker.has_reason ?
				    hs_pacemaker_timer_ns(&core->pacemaker, &core->config, leader) :
				    0,
		.base_ns = hs_pacemaker_base_ns(&core->pacemaker, &core->config),
	};
}

const struct hs_block *hs_core_block(const struct hs_core *core, const struct crypto_hash *id)
{
	uint32_t index = hs_chain_find(&core->chain, id);

	return index == HS_NODE_NONE ? NULL : &core->chain.block[index];
}

const struct hs_qc *hs_core_high_qc(const struct hs_core *core)
{
	return &core->safety.record.high_qc;
}

uint32_t hs_core_leader(const struct hs_core *core, uint64_t view)
{
	return (uint32_t)(view % core->config.replica_count);
}

void hs_core_certificates(const struct hs_core *core, struct hs_certificates *ret)
{
	hs_copy_qc(&ret->high_qc, &core->safety.record.high_qc);
	ret->entry.kind = core->pacemaker.entry;
	if (ret->entry.kind == HS_ENTRY_QC)
		hs_copy_qc(&ret->entry.qc, &core->safety.record.high_qc);
	if (ret->entry.kind == HS_ENTRY_TC)
		hs_copy_tc(&ret->entry.tc, &core->pacemaker.tc);
	ret->has_fc = core->finality.has_fc;
	if (ret->has_fc)
		hs_copy_qc(&ret->fc.c, &core->finality.fc.c);
}

void hs_core_check(const struct hs_core *core)
{
	const struct hs_record *record = &core->safety.record;

	if (!core->is_started)
		return;
	hs_chain_check(&core->chain);
	ensure(record->high_qc.view < core->pacemaker.view);
	ensure(record->last_timeout_view <= core->pacemaker.view);
	ensure(record->last_commit_view <= record->high_qc.view);
	ensure(record->committed_height >= hs_root(core)->height);
	ensure(core->safety.generation_durable <= core->safety.generation);
	ensure(core->safety.pending_count <= HS_STATEMENTS_MAX);
}
