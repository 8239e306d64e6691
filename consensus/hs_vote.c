#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_rules.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

static void hs_arm(struct hs_core *core, struct hs_repeat *repeat, const struct hs_pending *said)
{
	repeat->is_armed = true;
	repeat->due_ns =
		units_add(core->now_ns, units_max(HS_REPEAT_MIN_NS, core->config.delta_ns / 4));
	repeat->view = said->view;
	repeat->block_id = said->block_id;
	repeat->signature = said->signature;
}

static void hs_send_vote(struct hs_core *core)
{
	hs_send(core, HS_MESSAGE_VOTE, HS_REPLICA_ALL)->u.vote = (struct hs_vote){
		.author = core->config.replica_id,
		.epoch = core->config.epoch,
		.view = core->vote.view,
		.block_id = core->vote.block_id,
		.signature = core->vote.signature,
	};
}

static void hs_send_commit(struct hs_core *core)
{
	hs_send(core, HS_MESSAGE_COMMIT, HS_REPLICA_ALL)->u.commit = (struct hs_commit){
		.author = core->config.replica_id,
		.epoch = core->config.epoch,
		.view = core->commit.view,
		.block_id = core->commit.block_id,
		.signature = core->commit.signature,
	};
}

/*
 * A VOTE or COMMIT that a slow disk held back follows neither the TIMEOUT of its view out nor a
 * newer one of its kind: nobody needs it any more, and the newer one is what is repeated.
 */
static bool hs_is_too_late(const struct hs_core *core, const struct hs_repeat *newest,
			   const struct hs_pending *said)
{
	return said->view <= core->timeout_sent_view || said->view < newest->view;
}

static void hs_utter_vote(struct hs_core *core, const struct hs_pending *said)
{
	struct hs_vote own = {
		.author = core->config.replica_id,
		.epoch = core->config.epoch,
		.view = said->view,
		.block_id = said->block_id,
		.signature = said->signature,
	};

	if (hs_is_too_late(core, &core->vote, said))
		return;
	hs_arm(core, &core->vote, said);
	hs_send_vote(core);
	hs_quorum_vote(&core->quorum, &own);
	hs_try_qc(core, said->view, &said->block_id);
}

static void hs_utter_commit(struct hs_core *core, const struct hs_pending *said)
{
	struct hs_commit own = {
		.author = core->config.replica_id,
		.epoch = core->config.epoch,
		.view = said->view,
		.block_id = said->block_id,
		.signature = said->signature,
	};

	if (hs_is_too_late(core, &core->commit, said))
		return;
	hs_arm(core, &core->commit, said);
	hs_send_commit(core);
	hs_quorum_commit(&core->quorum, &own, false);
	hs_quorum_commit_judge(&core->quorum, said->view, own.author, &own.block_id, true);
	hs_try_c1(core, said->view, &said->block_id);
}

static void hs_utter_timeout(struct hs_core *core, const struct hs_pending *said)
{
	struct hs_timeout *own = &core->own_timeout;

	if (said->view != core->pacemaker.view)
		return;
	own->signature = said->signature;
	core->is_own_timeout_sent = true;
	core->timeout_sent_view = said->view;
	core->own_timeout_sent_ns = core->now_ns;
	hs_copy_timeout(&hs_send(core, HS_MESSAGE_TIMEOUT, HS_REPLICA_ALL)->u.timeout, own);
	hs_quorum_timeout(&core->quorum, own);
	hs_try_tc(core, said->view);
}

static void hs_utter_proposal(struct hs_core *core, const struct hs_pending *said)
{
	uint32_t index = hs_chain_find(&core->chain, &said->block_id);

	if (said->view != core->pacemaker.view || index == HS_NODE_NONE)
		return;
	hs_copy_block(&hs_send(core, HS_MESSAGE_PROPOSE, HS_REPLICA_ALL)->u.propose,
		      &core->chain.block[index]);
}

void hs_statements_advance(struct hs_core *core)
{
	static void (*const utter[])(struct hs_core *, const struct hs_pending *) = {
		[HS_MESSAGE_PROPOSE] = hs_utter_proposal,
		[HS_MESSAGE_VOTE] = hs_utter_vote,
		[HS_MESSAGE_COMMIT] = hs_utter_commit,
		[HS_MESSAGE_TIMEOUT] = hs_utter_timeout,
	};
	struct hs_pending said;

	while (hs_may_act(core) && hs_safety_take_ready(&core->safety, &said)) {
		ensure(said.kind < UNITS_COUNT(utter) && utter[said.kind]);
		utter[said.kind](core, &said);
	}
}

/* P(3) again for blocks that a restart brought, P(4) now that the parent is here. */
static void hs_judge(struct hs_core *core, uint32_t index)
{
	struct hs_node *node = &core->chain.node[index];
	const struct hs_block *block = &core->chain.block[index];
	const struct hs_block *parent = &core->chain.block[node->parent];

	node->validity = HS_VALIDITY_INVALID;
	if (!hs_rules_p3_justify_fits(block)) {
		hs_drop(core, HS_DROP_JUSTIFY);
	} else if (!hs_rules_p4_cut_is_monotone(&block->header.cut, &parent->header.cut)) {
		hs_drop(core, HS_DROP_CUT);
	} else {
		node->validity = HS_VALIDITY_VALID;
		core->pacemaker.last_block_ns = core->now_ns;
	}
}

static void hs_want_payload(struct hs_core *core, uint32_t index)
{
	struct hs_node *node = &core->chain.node[index];

	if (node->payload != HS_PAYLOAD_STATE_NONE || node->parent == HS_NODE_NONE)
		return;
	node->payload = HS_PAYLOAD_STATE_WANTED;
	hs_emit(core, HS_EFFECT_WANT_PAYLOAD)->u.block = &core->chain.block[index];
	hs_chain_pin(&core->chain, index);
}

/* Rule D: the intent may already hold this very vote; else a new record must. */
static uint64_t hs_vote_generation(struct hs_core *core, const struct hs_block *block)
{
	uint64_t view = block->header.view;

	if (view > core->safety.record.last_vote_view &&
	    hs_safety_intent_covers(&core->safety, view, &block->id, &block->justify))
		return core->safety.intent_generation;
	return hs_safety_change(&core->safety);
}

static void hs_vote(struct hs_core *core, uint32_t index)
{
	struct hs_record *record = &core->safety.record;
	const struct hs_node *node = &core->chain.node[index];
	uint64_t generation = hs_vote_generation(core, &core->chain.block[index]);

	ensure(record->high_qc.view >= node->justify_view);
	record->last_vote_view = node->view;
	record->last_vote_id = node->id;
	core->restart.voted_view = node->view;
	hs_safety_say(&core->safety,
		      &(struct hs_pending){
			      .kind = HS_MESSAGE_VOTE,
			      .view = node->view,
			      .block_id = node->id,
			      .generation = generation,
			      .waits_block = !node->is_durable,
			      .request = hs_sign(core, HS_MESSAGE_VOTE, node->view, &node->id, 0),
		      });
}

static bool hs_may_vote(const struct hs_core *core, const struct hs_node *node)
{
	const struct hs_record *record = &core->safety.record;

	return hs_rules_v_may_vote(record, node->view) ||
	       (core->restart.voted_view != node->view &&
		hs_rules_v_is_recorded_vote(record, node->view, &node->id));
}

static bool hs_is_candidate(const struct hs_core *core, uint32_t index)
{
	const struct hs_node *node = &core->chain.node[index];

	return node->is_used && !node->is_dead && index != core->chain.root && node->is_proposal &&
	       node->view == core->pacemaker.view && node->parent != HS_NODE_NONE;
}

static bool hs_is_time_due(const struct hs_core *core, uint32_t index)
{
	return hs_rules_p1_time_is_due(core->chain.block[index].header.time_ns, core->wall_ns,
				       core->config.clock_skew_max_ns);
}

void hs_vote_advance(struct hs_core *core)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		struct hs_node *node = &core->chain.node[i];

		if (!hs_is_candidate(core, i))
			continue;
		if (node->validity == HS_VALIDITY_UNJUDGED)
			hs_judge(core, i);
		if (core->is_observer || node->validity != HS_VALIDITY_VALID)
			continue;
		if (node->payload == HS_PAYLOAD_STATE_NONE) {
			hs_persist_block(core, i);
			hs_want_payload(core, i);
		}
		if (hs_may_act(core) && node->payload == HS_PAYLOAD_STATE_READY &&
		    hs_may_vote(core, node) && hs_is_time_due(core, i))
			hs_vote(core, i);
	}
}

/*
 * What is certified will be committed or shipped: its header must be durable, voted for or not.
 * Nothing is dead yet: that comes with a commit, later in the step.
 */
void hs_persist_advance(struct hs_core *core)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		const struct hs_node *node = &core->chain.node[i];

		if (node->is_used && node->is_certified && i != core->chain.root)
			hs_persist_block(core, i);
	}
}

/* What was due already was voted for in the step itself. */
uint64_t hs_hold_deadline_ns(const struct hs_core *core)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		const struct hs_node *node = &core->chain.node[i];

		if (!hs_is_candidate(core, i) || node->payload != HS_PAYLOAD_STATE_READY ||
		    node->validity != HS_VALIDITY_VALID || !hs_may_vote(core, node))
			continue;
		return units_add(core->now_ns,
				 units_min(core->config.delta_ns,
					   core->chain.block[i].header.time_ns - core->wall_ns -
						   core->config.clock_skew_max_ns));
	}
	return UINT64_MAX;
}

static bool hs_may_commit_vote(const struct hs_core *core, uint32_t index)
{
	const struct hs_node *node = &core->chain.node[index];

	return node->is_used && !node->is_dead && index != core->chain.root && node->is_certified &&
	       core->pacemaker.view - node->view <= HS_COMMIT_LAG_MAX &&
	       hs_rules_k_may_commit(&core->safety.record, node->view);
}

static void hs_commit_vote(struct hs_core *core, uint32_t index)
{
	struct hs_record *record = &core->safety.record;
	const struct hs_node *node = &core->chain.node[index];

	ensure(hs_rules_k_may_commit(record, node->view));
	record->last_commit_view = node->view;
	record->last_commit_id = node->id;
	hs_safety_say(&core->safety,
		      &(struct hs_pending){
			      .kind = HS_MESSAGE_COMMIT,
			      .view = node->view,
			      .block_id = node->id,
			      .generation = hs_safety_change(&core->safety),
			      .request = hs_sign(core, HS_MESSAGE_COMMIT, node->view, &node->id, 0),
		      });
}

/* The certified block of lowest view that K allows now, or HS_NODE_NONE. */
static uint32_t hs_commit_vote_next(struct hs_core *core)
{
	uint32_t next = HS_NODE_NONE;

	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		const struct hs_node *node = &core->chain.node[i];

		if (!hs_may_commit_vote(core, i))
			continue;
		hs_want_payload(core, i);
		if (node->payload == HS_PAYLOAD_STATE_READY && node->is_durable &&
		    (next == HS_NODE_NONE || node->view < core->chain.node[next].view))
			next = i;
	}
	return next;
}

void hs_commit_vote_advance(struct hs_core *core)
{
	uint32_t index;

	if (!hs_may_act(core))
		return;
	/* Each one raises last_commit_view within HS_COMMIT_LAG_MAX views, so this ends. */
	for (index = hs_commit_vote_next(core); index != HS_NODE_NONE;
	     index = hs_commit_vote_next(core))
		hs_commit_vote(core, index);
}

void hs_repeat_advance(struct hs_core *core)
{
	if (core->vote.is_armed && core->now_ns >= core->vote.due_ns) {
		core->vote.is_armed = false;
		if (core->vote.view == core->pacemaker.view)
			hs_send_vote(core);
	}
	if (core->commit.is_armed && core->now_ns >= core->commit.due_ns) {
		core->commit.is_armed = false;
		if (core->commit.view > hs_root(core)->view)
			hs_send_commit(core);
	}
}
