#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

static bool hs_is_reachable(const struct hs_core *core, const struct hs_target *target)
{
	uint32_t index = target->view == 0 ? HS_NODE_NONE :
					     hs_chain_find(&core->chain, &target->id);

	return index != HS_NODE_NONE && hs_chain_is_connected(&core->chain, index);
}

static void hs_raise(struct hs_target *target, const struct hs_target *other)
{
	bool is_proof = other->rule == HS_COMMIT_C2 || other->rule == HS_COMMIT_C3;

	if (other->view > target->view)
		*target = *other;
	else if (is_proof && crypto_hash_equal(&other->id, &target->id))
		target->rule = other->rule;
}

void hs_target(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id,
	       enum hs_commit_rule rule)
{
	struct hs_finality *finality = &core->finality;
	struct hs_target target = { .view = view, .id = *block_id, .rule = rule };

	if (view <= hs_root(core)->view) {
		if (rule != HS_COMMIT_C1 && crypto_hash_equal(block_id, &hs_root(core)->id))
			finality->is_tip_proven = true;
		return;
	}
	if (hs_is_reachable(core, &target))
		hs_raise(&finality->near, &target);
	hs_raise(&finality->target, &target);
}

static void hs_take_fc(struct hs_core *core, const struct hs_fc *fc)
{
	struct hs_finality *finality = &core->finality;

	if (!finality->has_fc || fc->c.view > finality->fc.c.view) {
		hs_copy_qc(&finality->fc.c, &fc->c);
		finality->has_fc = true;
		finality->is_proof_due = true;
	}
	hs_target(core, fc->c.view, &fc->c.block_id, HS_COMMIT_C3);
}

void hs_on_fc(struct hs_core *core, const struct hs_fc *fc)
{
	if (fc->c.view > 0)
		hs_take_fc(core, fc);
}

static void hs_try_fc(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id)
{
	const struct hs_finality *finality = &core->finality;
	struct hs_fc *fc = (struct hs_fc *)&core->scratch_qc;

	_Static_assert(sizeof(struct hs_fc) == sizeof(struct hs_qc), "an FC has the shape of a QC");
	if ((!finality->has_fc || view > finality->fc.c.view) &&
	    hs_quorum_make_fc(&core->quorum, core->config.epoch, view, block_id, fc))
		hs_take_fc(core, fc);
}

/* Asks for the signatures of this block's COMMITs; one question is under way at a time. */
static void hs_check_commits(struct hs_core *core, uint64_t view,
			     const struct crypto_hash *block_id)
{
	struct hs_finality *finality = &core->finality;
	struct hs_effect *effect;
	uint32_t count;

	if (finality->is_checking)
		return;
	count = hs_quorum_commits_unchecked(&core->quorum, core->config.epoch, view, block_id,
					    finality->checking);
	if (count == 0)
		return;
	finality->is_checking = true;
	finality->checking_view = view;
	finality->checking_id = *block_id;
	finality->checking_since_ns = core->now_ns;
	effect = hs_emit(core, HS_EFFECT_CHECK_COMMITS);
	effect->u.commits.view = view;
	effect->u.commits.block_id = *block_id;
	effect->u.commits.commits = finality->checking;
	effect->u.commits.count = count;
}

/* COMMITs of suspects for this block that would count if they were good. */
static uint32_t hs_held_count(const struct hs_core *core, uint64_t view,
			      const struct crypto_hash *block_id)
{
	const struct hs_round *round = hs_quorum_peek(&core->quorum, view);
	uint32_t count = 0;

	for (uint32_t i = 0; round && i < core->config.replica_count; i++)
		if (bitset_has(&round->committed_held, i) &&
		    crypto_hash_equal(&hs_quorum_ballot(&core->quorum, view, i)->commit_id,
				      block_id))
			count++;
	return count;
}

void hs_try_c1(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id)
{
	uint32_t count = hs_quorum_commit_count(&core->quorum, view, block_id);
	uint32_t held = hs_held_count(core, view, block_id);

	if (count >= core->quorum.size) {
		hs_target(core, view, block_id, HS_COMMIT_C1);
		hs_try_fc(core, view, block_id);
	} else if (held > 0 && count + held >= core->quorum.size) {
		hs_check_commits(core, view, block_id);
	}
}

/* Held COMMITs of other views may have waited for the question that was under way. */
static void hs_retry_held(struct hs_core *core)
{
	uint64_t last = core->pacemaker.view;
	uint64_t first =
		units_max(hs_root(core)->view + 1, last - units_min(last, HS_VIEWS_AHEAD_MAX - 1));

	for (uint64_t view = first; view <= last; view++) {
		const struct hs_round *round = hs_quorum_peek(&core->quorum, view);

		for (uint32_t i = 0; round && i < core->config.replica_count; i++)
			if (bitset_has(&round->committed_held, i))
				hs_try_c1(core, view,
					  &hs_quorum_ballot(&core->quorum, view, i)->commit_id);
	}
}

void hs_on_commits_checked(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id,
			   const struct bitset *good, const struct bitset *bad)
{
	struct hs_finality *finality = &core->finality;

	hs_accusations_checked(core, view, block_id, good, bad);
	if (!finality->is_checking || finality->checking_view != view ||
	    !crypto_hash_equal(&finality->checking_id, block_id))
		return;
	finality->is_checking = false;
	for (uint32_t i = 0; i < core->config.replica_count; i++) {
		bool is_good = bitset_has(good, i);

		if (i == core->config.replica_id || is_good == bitset_has(bad, i) ||
		    !hs_quorum_commit_judge(&core->quorum, view, i, block_id, is_good) || is_good)
			continue;
		bitset_add(&finality->suspects, i);
		hs_drop(core, HS_DROP_SIGNATURE);
	}
	if (crypto_hash_equal(block_id, &hs_root(core)->id))
		finality->is_tip_checked = true;
	hs_try_c1(core, view, block_id);
	hs_retry_held(core);
}

static void hs_commit_path(struct hs_core *core, uint32_t index, enum hs_commit_rule rule)
{
	struct hs_finality *finality = &core->finality;
	uint32_t path[HS_BLOCKS_MAX];
	uint32_t count = hs_chain_path(&core->chain, index, path);

	for (uint32_t i = 0; i < count; i++) {
		struct hs_effect *effect;

		hs_persist_block(core, path[i]);
		effect = hs_emit(core, HS_EFFECT_COMMIT);
		effect->u.commit.block = &core->chain.block[path[i]];
		effect->u.commit.rule = i + 1 == count ? rule : HS_COMMIT_ANCESTOR;
		hs_chain_pin(&core->chain, path[i]);
	}
	hs_chain_commit(&core->chain, index);
	hs_pacemaker_on_commit(&core->pacemaker);
	hs_safety_committed(&core->safety, hs_root(core)->height, &hs_root(core)->id);
	finality->is_tip_proven = rule != HS_COMMIT_C1;
	finality->is_tip_checked = false;
	finality->tip_since_ns = core->now_ns;
	finality->certificates_asked_ns = 0;
	if (finality->target.view <= hs_root(core)->view)
		finality->target.view = 0;
	finality->near.view = 0;
}

static bool hs_try_commit(struct hs_core *core, const struct hs_target *target)
{
	uint32_t index;

	if (!hs_is_reachable(core, target))
		return false;
	index = hs_chain_find(&core->chain, &target->id);
	ensure(core->chain.node[index].view == target->view);
	hs_commit_path(core, index, target->rule);
	return true;
}

static void hs_prove_tip(struct hs_core *core)
{
	struct hs_finality *finality = &core->finality;
	const struct hs_node *root = hs_root(core);
	uint64_t delta_ns = core->config.delta_ns;

	if (!finality->is_tip_checked && !finality->is_checking &&
	    core->now_ns - finality->tip_since_ns >= delta_ns / 2) {
		if (hs_quorum_commit_count(&core->quorum, root->view, &root->id) >=
		    core->quorum.size)
			hs_check_commits(core, root->view, &root->id);
		finality->is_tip_checked = !finality->is_checking;
	}
	if (finality->is_tip_checked && finality->certificates_asked_ns == 0 &&
	    core->now_ns - finality->tip_since_ns >= delta_ns) {
		finality->certificates_asked_ns = units_max(core->now_ns, 1);
		hs_emit(core, HS_EFFECT_WANT_CERTIFICATES)->to = HS_REPLICA_ALL;
	}
}

void hs_finality_advance(struct hs_core *core)
{
	struct hs_finality *finality = &core->finality;

	if (!hs_try_commit(core, &finality->target))
		hs_try_commit(core, &finality->near);
	if (finality->is_proof_due)
		hs_emit(core, HS_EFFECT_PROOF)->u.fc = &finality->fc;
	finality->is_proof_due = false;
	if (finality->is_checking &&
	    core->now_ns - finality->checking_since_ns >= 4 * core->config.delta_ns)
		finality->is_checking = false;
	if (!finality->is_tip_proven)
		hs_prove_tip(core);
}

uint64_t hs_finality_deadline_ns(const struct hs_core *core)
{
	const struct hs_finality *finality = &core->finality;
	uint64_t delta_ns = core->config.delta_ns;

	if (finality->is_checking)
		return units_add(finality->checking_since_ns, 4 * delta_ns);
	if (finality->is_tip_proven)
		return UINT64_MAX;
	if (!finality->is_tip_checked)
		return units_add(finality->tip_since_ns, delta_ns / 2);
	if (finality->certificates_asked_ns == 0)
		return units_add(finality->tip_since_ns, delta_ns);
	return UINT64_MAX;
}
