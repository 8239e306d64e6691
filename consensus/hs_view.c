#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_rules.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

static void hs_enter_view(struct hs_core *core, uint64_t view, enum hs_entry_kind entry,
			  const struct hs_tc *tc)
{
	hs_pacemaker_enter(&core->pacemaker, &core->config, view, entry, tc, core->now_ns);
	core->is_own_timeout_sent = false;
}

void hs_on_qc(struct hs_core *core, const struct hs_qc *qc)
{
	struct hs_record *record = &core->safety.record;
	uint32_t index;

	if (qc->view == 0)
		return;
	if (qc->epoch != core->config.epoch) {
		hs_drop(core, HS_DROP_EPOCH);
		return;
	}
	if (qc->view > record->high_qc.view)
		hs_copy_qc(&record->high_qc, qc);
	if (hs_rules_a_enters(core->pacemaker.view, qc->view))
		hs_enter_view(core, qc->view + 1, HS_ENTRY_QC, NULL);
	else if (qc->view + 1 == core->pacemaker.view)
		core->pacemaker.entry = HS_ENTRY_QC;
	index = hs_chain_find(&core->chain, &qc->block_id);
	if (index != HS_NODE_NONE && core->chain.node[index].view == qc->view)
		hs_on_certified(core, index);
}

void hs_on_tc(struct hs_core *core, const struct hs_tc *tc)
{
	if (tc->epoch != core->config.epoch) {
		hs_drop(core, HS_DROP_EPOCH);
		return;
	}
	if (hs_rules_a_enters(core->pacemaker.view, tc->view))
		hs_enter_view(core, tc->view + 1, HS_ENTRY_TC, tc);
}

void hs_try_qc(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id)
{
	struct hs_round *round = hs_quorum_round(&core->quorum, view);

	if (!round || round->has_qc || view <= core->safety.record.high_qc.view ||
	    hs_quorum_vote_count(&core->quorum, view, block_id) < core->quorum.size)
		return;
	round->has_qc = true;
	hs_quorum_make_qc(&core->quorum, core->config.epoch, view, block_id, &core->scratch_qc);
	hs_on_qc(core, &core->scratch_qc);
}

void hs_try_tc(struct hs_core *core, uint64_t view)
{
	const struct hs_qc *high = &core->safety.record.high_qc;
	uint32_t next = hs_core_leader(core, view + 1);

	if (hs_quorum_timeout_count(&core->quorum, view) < core->quorum.size)
		return;
	hs_quorum_make_tc(&core->quorum, core->config.epoch, view, &core->scratch_tc);
	if (hs_may_act(core)) {
		if (next != core->config.replica_id && high->view > 0)
			hs_copy_qc(&hs_send(core, HS_MESSAGE_QC, next)->u.qc, high);
		hs_copy_tc(&hs_send(core, HS_MESSAGE_TC, HS_REPLICA_ALL)->u.tc, &core->scratch_tc);
	}
	hs_on_tc(core, &core->scratch_tc);
}

static struct hs_statement hs_timeout_statement(uint64_t view, uint64_t qc_view,
						const struct crypto_signature *signature)
{
	return (struct hs_statement){
		.kind = HS_MESSAGE_TIMEOUT,
		.view = view,
		.qc_view = qc_view,
		.signature = *signature,
	};
}

static void hs_timeout_blame(struct hs_core *core, const struct hs_timeout *timeout)
{
	struct hs_said *said = &core->said[timeout->author];
	struct hs_statement now =
		hs_timeout_statement(timeout->view, timeout->qc_view, &timeout->signature);

	if (said->commit_view != 0 && hs_rules_commit_contradicts_timeout(
					      said->commit_view, timeout->view, timeout->qc_view)) {
		struct hs_statement before = {
			.kind = HS_MESSAGE_COMMIT,
			.view = said->commit_view,
			.block_id = said->commit_id,
			.signature = said->commit_signature,
		};

		hs_accuse(core, HS_EVIDENCE_COMMIT_AFTER_TIMEOUT, timeout->author, &before, &now);
	}
	if (said->has_timeout && said->timeout_view > timeout->view)
		return;
	said->has_timeout = true;
	said->timeout_view = timeout->view;
	said->timeout_qc_view = timeout->qc_view;
	said->timeout_signature = timeout->signature;
}

static void hs_timeout_conflict(struct hs_core *core, const struct hs_timeout *timeout)
{
	const struct hs_ballot *ballot =
		hs_quorum_ballot(&core->quorum, timeout->view, timeout->author);
	struct hs_statement first = hs_timeout_statement(timeout->view, ballot->timeout_qc_view,
							 &ballot->timeout_signature);
	struct hs_statement second =
		hs_timeout_statement(timeout->view, timeout->qc_view, &timeout->signature);

	hs_blame(core, HS_EVIDENCE_TWO_TIMEOUTS, timeout->author, &first, &second);
	hs_drop(core, HS_DROP_EQUIVOCATION);
}

void hs_on_timeout(struct hs_core *core, const struct hs_timeout *timeout, uint32_t from)
{
	enum hs_count count;
	uint64_t view;

	if (timeout->author >= core->config.replica_count ||
	    timeout->author == core->config.replica_id) {
		hs_drop(core, HS_DROP_DUPLICATE);
		return;
	}
	hs_pacemaker_hear(&core->pacemaker, timeout->author);
	hs_on_qc(core, &timeout->qc);
	if (timeout->entry.kind == HS_ENTRY_QC)
		hs_on_qc(core, &timeout->entry.qc);
	if (timeout->entry.kind == HS_ENTRY_TC)
		hs_on_tc(core, &timeout->entry.tc);
	view = core->pacemaker.view;
	if (timeout->view < view) {
		hs_answer(core, from);
		hs_drop(core, HS_DROP_VIEW_OLD);
		return;
	}
	if (timeout->view - view > HS_VIEWS_AHEAD_MAX) {
		hs_drop(core, HS_DROP_VIEW_FAR);
		return;
	}
	if (timeout->qc_view > core->safety.record.high_qc.view) {
		hs_drop(core, HS_DROP_QC_MISSING);
		return;
	}
	if (!core->pacemaker.has_reason)
		hs_answer(core, from);
	count = hs_quorum_timeout(&core->quorum, timeout);
	if (count == HS_COUNT_NEW) {
		hs_timeout_blame(core, timeout);
		hs_try_tc(core, timeout->view);
	} else if (count == HS_COUNT_CONFLICT) {
		hs_timeout_conflict(core, timeout);
	} else {
		hs_drop(core, HS_DROP_DUPLICATE);
	}
}

static void hs_say_timeout(struct hs_core *core, uint64_t qc_view, uint64_t generation)
{
	const struct hs_record *record = &core->safety.record;
	struct hs_timeout *own = &core->own_timeout;

	own->author = core->config.replica_id;
	own->epoch = core->config.epoch;
	own->view = core->pacemaker.view;
	own->qc_view = qc_view;
	hs_copy_qc(&own->qc, &record->high_qc);
	own->entry.kind = core->pacemaker.entry;
	if (own->entry.kind == HS_ENTRY_QC)
		hs_copy_qc(&own->entry.qc, &record->high_qc);
	if (own->entry.kind == HS_ENTRY_TC)
		hs_copy_tc(&own->entry.tc, &core->pacemaker.tc);
	core->is_own_timeout_sent = false;
	hs_safety_say(&core->safety, &(struct hs_pending){
					     .kind = HS_MESSAGE_TIMEOUT,
					     .view = own->view,
					     .qc_view = qc_view,
					     .generation = generation,
					     .request = hs_sign(core, HS_MESSAGE_TIMEOUT, own->view,
								NULL, qc_view),
				     });
}

static void hs_time_out(struct hs_core *core)
{
	struct hs_record *record = &core->safety.record;

	ensure(hs_rules_t_may_time_out(record, core->pacemaker.view));
	record->last_timeout_view = core->pacemaker.view;
	record->last_timeout_qc_view = record->high_qc.view;
	hs_say_timeout(core, record->high_qc.view, hs_safety_change(&core->safety));
}

void hs_timeout_restore(struct hs_core *core)
{
	const struct hs_record *record = &core->safety.record;

	if (record->last_timeout_view == core->pacemaker.view)
		hs_say_timeout(core, record->last_timeout_qc_view, 0);
}

bool hs_has_reason(const struct hs_core *core)
{
	const struct hs_chain *chain = &core->chain;

	if (core->proposing.has_work ||
	    (core->config.heartbeat_ns != 0 &&
	     core->now_ns - core->pacemaker.last_block_ns >= core->config.heartbeat_ns) ||
	    core->safety.record.high_qc.view > hs_root(core)->view)
		return true;
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		const struct hs_node *node = &chain->node[i];

		if (node->is_used && !node->is_dead && i != chain->root &&
		    node->validity == HS_VALIDITY_VALID)
			return true;
	}
	return false;
}

/* A zero timer still lets our own COMMIT for the view before go first: TIMEOUT would forbid it. */
static bool hs_awaits_own_commit(const struct hs_core *core)
{
	const struct hs_record *record = &core->safety.record;

	return record->high_qc.view > hs_root(core)->view &&
	       hs_rules_k_may_commit(record, record->high_qc.view);
}

uint64_t hs_timer_deadline_ns(const struct hs_core *core)
{
	const struct hs_pacemaker *pacemaker = &core->pacemaker;
	uint32_t leader = hs_core_leader(core, pacemaker->view);
	uint64_t deadline_ns;

	if (!hs_rules_t_may_time_out(&core->safety.record, pacemaker->view))
		return core->is_own_timeout_sent ?
			       units_add(core->own_timeout_sent_ns, core->config.delta_ns) :
			       UINT64_MAX;
	deadline_ns = hs_pacemaker_deadline_ns(pacemaker, &core->config, leader);
	if (deadline_ns != UINT64_MAX && hs_awaits_own_commit(core))
		deadline_ns = units_max(deadline_ns, units_add(pacemaker->entered_ns,
							       core->config.delta_ns / 2));
	return deadline_ns;
}

/* Members of a view that are silent or have timed out: less than a quorum is left without them. */
static bool hs_is_view_lost(const struct hs_core *core, uint32_t others)
{
	const struct hs_config *config = &core->config;
	uint32_t lost = others;

	for (uint32_t i = 0; i < config->replica_count; i++)
		lost += !hs_quorum_timed_out(&core->quorum, core->pacemaker.view, i) &&
			hs_pacemaker_is_silent(&core->pacemaker, config, i);
	return lost > hs_faulty_max(config->replica_count);
}

/* T's second and third reason: f+1 others, the leader, or nobody to wait for. Not yet ours. */
static bool hs_is_timeout_joined(const struct hs_core *core)
{
	uint64_t view = core->pacemaker.view;
	uint32_t leader = hs_core_leader(core, view);
	uint32_t others = hs_quorum_timeout_count(&core->quorum, view);

	return others > 0 &&
	       (hs_quorum_timed_out(&core->quorum, view, leader) || hs_is_view_lost(core, others));
}

void hs_timer_advance(struct hs_core *core)
{
	bool may_time_out = hs_rules_t_may_time_out(&core->safety.record, core->pacemaker.view);

	hs_pacemaker_reason(&core->pacemaker, hs_has_reason(core), core->now_ns);
	if (!hs_may_act(core))
		return;
	if (may_time_out &&
	    (core->now_ns >= hs_timer_deadline_ns(core) || hs_is_timeout_joined(core))) {
		hs_time_out(core);
		return;
	}
	if (!may_time_out && core->is_own_timeout_sent &&
	    core->now_ns >= hs_timer_deadline_ns(core)) {
		core->own_timeout_sent_ns = core->now_ns;
		hs_copy_timeout(&hs_send(core, HS_MESSAGE_TIMEOUT, HS_REPLICA_ALL)->u.timeout,
				&core->own_timeout);
	}
}
