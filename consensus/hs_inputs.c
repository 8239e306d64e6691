#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_rules.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

/* Header, id and justify agree with each other; says nothing about the parent. */
static enum hs_drop hs_block_objection(const struct hs_core *core, const struct hs_block *block)
{
	const struct hs_config *config = &core->config;
	const struct hs_qc *justify = &block->justify;
	struct crypto_hash digest = hs_justify_digest(&config->chain_id, &config->set_hash,
						      config->epoch, justify->view,
						      &justify->block_id);
	struct crypto_hash id;

	if (block->header.cut.lane_count != config->replica_count)
		return HS_DROP_CUT;
	id = hs_block_id(&config->chain_id, &config->set_hash, &block->header);
	if (!crypto_hash_equal(&id, &block->id) || !hs_rules_p1_names_justify(block) ||
	    !crypto_hash_equal(&digest, &block->header.justify_digest))
		return HS_DROP_HEADER;
	if (justify->view == 0 && !crypto_hash_equal(&justify->block_id, &config->genesis_id))
		return HS_DROP_JUSTIFY;
	if (hs_rules_p6_uses_reserved(&block->header))
		return HS_DROP_RESERVED;
	return HS_DROP_COUNT;
}

uint32_t hs_accept_block(struct hs_core *core, const struct hs_block *block, bool is_proposal)
{
	const struct hs_qc *high = &core->safety.record.high_qc;
	const struct hs_target *target = &core->finality.target;
	struct hs_chain_kept kept = { .id = { &high->block_id,
					      target->view != 0 ? &target->id : NULL } };
	enum hs_drop objection = hs_block_objection(core, block);
	uint32_t index = HS_NODE_NONE;
	struct hs_node *node;

	if (objection == HS_DROP_COUNT)
		objection = hs_chain_insert(&core->chain, block, &kept, &index);
	ensure(objection != HS_DROP_PARENT || target->view == 0 ||
	       !crypto_hash_equal(&block->id, &target->id));
	if (objection != HS_DROP_COUNT) {
		hs_drop(core, objection);
		return HS_NODE_NONE;
	}
	node = &core->chain.node[index];
	node->is_proposal = is_proposal;
	if ((high->view == node->view && crypto_hash_equal(&high->block_id, &block->id)) ||
	    hs_chain_is_parent(&core->chain, &block->id))
		hs_on_certified(core, index);
	return index;
}

void hs_on_certified(struct hs_core *core, uint32_t index)
{
	struct hs_node *node = &core->chain.node[index];

	node->is_certified = true;
	if (hs_rules_c2_commits_parent(node->view, node->justify_view))
		hs_target(core, node->justify_view, &node->parent_id, HS_COMMIT_C2);
}

static bool hs_is_wanted(const struct hs_core *core, const struct crypto_hash *id)
{
	const struct hs_qc *high = &core->safety.record.high_qc;

	return (high->view > hs_root(core)->view && crypto_hash_equal(&high->block_id, id)) ||
	       (core->finality.target.view != 0 &&
		crypto_hash_equal(&core->finality.target.id, id)) ||
	       hs_chain_is_parent(&core->chain, id);
}

/* The block's certificates are good whatever the block itself is worth (rules A, V). */
static void hs_take_certificates(struct hs_core *core, const struct hs_block *block)
{
	hs_on_qc(core, &block->justify);
	if (block->has_tc)
		hs_on_tc(core, &block->tc);
}

/* False when the proposal is a further one of its view and may not be kept. */
static bool hs_note_proposal(struct hs_core *core, const struct hs_block *block)
{
	struct hs_round *round = hs_quorum_round(&core->quorum, block->header.view);

	ensure(round);
	if (round->proposal_count == 0) {
		round->proposal_id = block->id;
		round->proposal_signature = block->signature;
	}
	if (round->proposal_count > 0) {
		if (crypto_hash_equal(&round->proposal_id, &block->id))
			return true;

		struct hs_statement first = {
			.kind = HS_MESSAGE_PROPOSE,
			.view = block->header.view,
			.block_id = round->proposal_id,
			.signature = round->proposal_signature,
		};
		struct hs_statement second = {
			.kind = HS_MESSAGE_PROPOSE,
			.view = block->header.view,
			.block_id = block->id,
			.signature = block->signature,
		};

		hs_blame(core, HS_EVIDENCE_TWO_PROPOSALS, block->author, &first, &second);
	}
	if (round->proposal_count >= HS_PROPOSALS_A_VIEW_MAX)
		return false;
	round->proposal_count++;
	return true;
}

void hs_on_propose(struct hs_core *core, const struct hs_block *block)
{
	uint64_t proposed = block->header.view;
	uint32_t index;

	if (block->author >= core->config.replica_count || proposed == 0 ||
	    block->author != hs_core_leader(core, proposed)) {
		hs_drop(core, HS_DROP_NOT_LEADER);
		return;
	}
	hs_pacemaker_hear(&core->pacemaker, block->author);
	hs_take_certificates(core, block);
	index = hs_chain_find(&core->chain, &block->id);
	if (index != HS_NODE_NONE) {
		core->chain.node[index].is_proposal = true;
		hs_drop(core, HS_DROP_DUPLICATE);
		return;
	}
	if (proposed > core->pacemaker.view ||
	    (proposed == core->pacemaker.view && !hs_rules_p3_justify_fits(block))) {
		hs_drop(core, HS_DROP_JUSTIFY);
		return;
	}
	if (core->pacemaker.view - proposed < HS_VIEWS_AHEAD_MAX &&
	    !hs_note_proposal(core, block)) {
		hs_drop(core, HS_DROP_EQUIVOCATION);
		return;
	}
	if (proposed < core->pacemaker.view && !hs_is_wanted(core, &block->id)) {
		hs_drop(core, HS_DROP_VIEW_OLD);
		return;
	}
	hs_accept_block(core, block, true);
}

void hs_on_intent(struct hs_core *core, const struct hs_block *block)
{
	struct hs_record *record = &core->safety.record;
	uint64_t view = block->header.view;

	hs_safety_tidy(&core->safety);
	if (!hs_may_act(core) || record->has_entry_tc ||
	    block->author != hs_core_leader(core, view) || view < core->pacemaker.view ||
	    view - core->pacemaker.view > 1 || view <= record->intent_view ||
	    !hs_rules_v_may_vote(record, view) || hs_block_objection(core, block) != HS_DROP_COUNT)
		return;
	record->intent_view = view;
	record->intent_id = block->id;
	hs_copy_qc(&record->intent_justify, &block->justify);
	core->safety.intent_generation = hs_safety_change(&core->safety);
}

/*
 * Whatever a certificate can name was proposed by its view's leader and fits its justify. Other
 * blocks cost their author nothing and would push the live ones out of the chain's bounded room.
 */
static enum hs_drop hs_fetched_objection(const struct hs_core *core, const struct hs_block *block)
{
	if (block->author != hs_core_leader(core, block->header.view))
		return HS_DROP_NOT_LEADER;
	return hs_rules_p3_justify_fits(block) ? HS_DROP_COUNT : HS_DROP_JUSTIFY;
}

void hs_on_block(struct hs_core *core, const struct hs_block *block)
{
	enum hs_drop objection = hs_fetched_objection(core, block);

	if (hs_chain_find(&core->chain, &block->id) != HS_NODE_NONE) {
		hs_drop(core, HS_DROP_DUPLICATE);
		return;
	}
	hs_take_certificates(core, block);
	if (objection != HS_DROP_COUNT) {
		hs_drop(core, objection);
		return;
	}
	if (!hs_is_wanted(core, &block->id) &&
	    hs_chain_find(&core->chain, &block->header.parent_id) == HS_NODE_NONE) {
		hs_drop(core, HS_DROP_PARENT);
		return;
	}
	hs_accept_block(core, block, false);
}

static void hs_two_votes(struct hs_core *core, const struct hs_vote *vote)
{
	const struct hs_ballot *ballot = hs_quorum_ballot(&core->quorum, vote->view, vote->author);
	struct hs_statement first = {
		.kind = HS_MESSAGE_VOTE,
		.view = vote->view,
		.block_id = ballot->vote_id,
		.signature = ballot->vote_signature,
	};
	struct hs_statement second = {
		.kind = HS_MESSAGE_VOTE,
		.view = vote->view,
		.block_id = vote->block_id,
		.signature = vote->signature,
	};

	hs_blame(core, HS_EVIDENCE_TWO_VOTES, vote->author, &first, &second);
	hs_drop(core, HS_DROP_EQUIVOCATION);
}

/* A vote for the view just left is the usual late one: only its repetition asks for an answer. */
static void hs_on_late_vote(struct hs_core *core, const struct hs_vote *vote, uint32_t from,
			    enum hs_count count)
{
	if (vote->view + 1 == core->pacemaker.view && count == HS_COUNT_NEW)
		return;
	hs_answer(core, from);
	hs_drop(core, HS_DROP_VIEW_OLD);
}

void hs_on_vote(struct hs_core *core, const struct hs_vote *vote, uint32_t from)
{
	uint64_t view = core->pacemaker.view;
	enum hs_count count;

	if (vote->author >= core->config.replica_count || vote->author == core->config.replica_id) {
		hs_drop(core, HS_DROP_DUPLICATE);
		return;
	}
	hs_pacemaker_hear(&core->pacemaker, vote->author);
	if (vote->view > view && vote->view - view > HS_VIEWS_AHEAD_MAX) {
		hs_drop(core, HS_DROP_VIEW_FAR);
		return;
	}
	if (vote->view < view && view - vote->view >= HS_VIEWS_AHEAD_MAX)
		count = HS_COUNT_GONE;
	else
		count = hs_quorum_vote(&core->quorum, vote);
	if (count == HS_COUNT_CONFLICT)
		hs_two_votes(core, vote);
	else if (count == HS_COUNT_SAME && vote->view >= view)
		hs_drop(core, HS_DROP_DUPLICATE);
	if (count == HS_COUNT_NEW)
		hs_try_qc(core, vote->view, &vote->block_id);
	if (vote->view < view && count != HS_COUNT_CONFLICT)
		hs_on_late_vote(core, vote, from, count);
}

static struct hs_statement hs_commit_statement(uint64_t view, const struct crypto_hash *id,
					       const struct crypto_signature *signature)
{
	return (struct hs_statement){
		.kind = HS_MESSAGE_COMMIT,
		.view = view,
		.block_id = *id,
		.signature = *signature,
	};
}

static void hs_commit_blame(struct hs_core *core, const struct hs_commit *commit)
{
	struct hs_said *said = &core->said[commit->author];
	struct hs_statement now =
		hs_commit_statement(commit->view, &commit->block_id, &commit->signature);

	if (said->has_timeout && hs_rules_commit_contradicts_timeout(
					 commit->view, said->timeout_view, said->timeout_qc_view)) {
		struct hs_statement other = {
			.kind = HS_MESSAGE_TIMEOUT,
			.view = said->timeout_view,
			.qc_view = said->timeout_qc_view,
			.signature = said->timeout_signature,
		};

		hs_accuse(core, HS_EVIDENCE_COMMIT_AFTER_TIMEOUT, commit->author, &now, &other);
	}
	if (commit->view < said->commit_view)
		return;
	said->commit_view = commit->view;
	said->commit_id = commit->block_id;
	said->commit_signature = commit->signature;
}

/* Its author did not see the commit: say our own COMMIT again, to him alone. */
static void hs_on_repeated_commit(struct hs_core *core, const struct hs_commit *commit)
{
	const struct hs_repeat *own = &core->commit;

	hs_drop(core, HS_DROP_DUPLICATE);
	if (own->view != commit->view || own->view > hs_root(core)->view || !hs_may_act(core) ||
	    !hs_pacemaker_may_answer(&core->pacemaker, &core->config, commit->author, core->now_ns))
		return;
	hs_send(core, HS_MESSAGE_COMMIT, commit->author)->u.commit = (struct hs_commit){
		.author = core->config.replica_id,
		.epoch = core->config.epoch,
		.view = own->view,
		.block_id = own->block_id,
		.signature = own->signature,
	};
}

static void hs_two_commits(struct hs_core *core, const struct hs_commit *commit)
{
	const struct hs_ballot *ballot =
		hs_quorum_ballot(&core->quorum, commit->view, commit->author);
	struct hs_statement first =
		hs_commit_statement(commit->view, &ballot->commit_id, &ballot->commit_signature);
	struct hs_statement second =
		hs_commit_statement(commit->view, &commit->block_id, &commit->signature);

	hs_accuse(core, HS_EVIDENCE_TWO_COMMITS, commit->author, &first, &second);
	hs_drop(core, HS_DROP_EQUIVOCATION);
}

void hs_on_commit(struct hs_core *core, const struct hs_commit *commit, uint32_t from)
{
	uint64_t view = core->pacemaker.view;
	uint32_t author = commit->author;
	enum hs_count count;

	if (author != from || author >= core->config.replica_count ||
	    author == core->config.replica_id) {
		hs_drop(core, HS_DROP_RELAYED);
		return;
	}
	hs_pacemaker_hear(&core->pacemaker, author);
	if (commit->view == 0 || commit->view < hs_root(core)->view ||
	    (commit->view < view && view - commit->view >= HS_VIEWS_AHEAD_MAX)) {
		hs_drop(core, HS_DROP_VIEW_OLD);
		return;
	}
	if (commit->view > view && commit->view - view > HS_VIEWS_AHEAD_MAX) {
		hs_drop(core, HS_DROP_VIEW_FAR);
		return;
	}
	/* Never GONE: every view that came this far has its round. */
	count = hs_quorum_commit(&core->quorum, commit,
				 bitset_has(&core->finality.suspects, author));
	if (count == HS_COUNT_NEW) {
		hs_commit_blame(core, commit);
		hs_try_c1(core, commit->view, &commit->block_id);
	} else if (count == HS_COUNT_CONFLICT) {
		hs_two_commits(core, commit);
	} else {
		hs_on_repeated_commit(core, commit);
	}
}

void hs_on_payload(struct hs_core *core, const struct crypto_hash *block_id,
		   enum hs_payload verdict)
{
	uint32_t index = hs_chain_find(&core->chain, block_id);
	struct hs_node *node;

	if (index == HS_NODE_NONE)
		return;
	node = &core->chain.node[index];
	if (verdict == HS_PAYLOAD_READY) {
		node->payload = HS_PAYLOAD_STATE_READY;
		return;
	}
	if (node->payload == HS_PAYLOAD_STATE_READY)
		return;
	node->payload = HS_PAYLOAD_STATE_INVALID;
	hs_drop(core, HS_DROP_PAYLOAD);
}
