#include "base/units.h"
#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

/* The attempts-th member to ask, signers of the block's certificate first if there are any. */
static uint32_t hs_holder(const struct hs_core *core, const struct bitset *signers,
			  uint32_t attempts)
{
	uint32_t n = core->config.replica_count;
	uint32_t self = core->config.replica_id;
	uint32_t others = signers ? bitset_count(signers) - (bitset_has(signers, self) ? 1 : 0) : 0;
	uint32_t holder = HS_REPLICA_NONE;
	uint32_t skip;

	if (n == 1)
		return HS_REPLICA_NONE;
	if (others == 0)
		return (self + 1 + attempts % (n - 1)) % n;
	skip = (self + attempts) % others;
	for (uint32_t i = 0; i < n; i++)
		if (i != self && bitset_has(signers, i) && skip-- == 0)
			holder = i;
	return holder;
}

static struct hs_want *hs_want_of(struct hs_core *core, const struct crypto_hash *id)
{
	struct hs_want *unused = NULL;

	for (uint32_t i = 0; i < HS_WANTS_MAX; i++) {
		struct hs_want *want = &core->want[i];

		if (want->is_used && crypto_hash_equal(&want->id, id))
			return want;
		if (!want->is_used && !unused)
			unused = want;
	}
	return unused;
}

static void hs_ask(struct hs_core *core, const struct crypto_hash *id, const struct bitset *signers)
{
	struct hs_want *want = hs_want_of(core, id);
	struct hs_effect *effect;

	if (!want)
		return;
	if (!want->is_used)
		*want = (struct hs_want){ .is_used = true, .id = *id };
	want->is_current = true;
	if (want->attempts > 0 && core->now_ns - want->asked_ns < core->config.delta_ns)
		return;
	want->asked_ns = core->now_ns;
	effect = hs_emit(core, HS_EFFECT_WANT_BLOCK);
	effect->to = hs_holder(core, signers, want->attempts++);
	effect->u.want_block = *id;
}

/* Asks for the lowest block missing between `id` and the root, if there is room to keep it. */
static void hs_ask_below(struct hs_core *core, const struct crypto_hash *id,
			 const struct bitset *signers)
{
	const struct hs_chain *chain = &core->chain;
	struct crypto_hash missing;
	uint32_t child;

	if (!hs_chain_missing(chain, id, &missing, &child))
		return;
	if (child != HS_NODE_NONE) {
		if (chain->node[child].height > hs_root(core)->height + 2 &&
		    hs_chain_orphan_count(chain) >= HS_ORPHANS_MAX)
			return;
		signers = &chain->block[child].justify.signers;
	}
	hs_ask(core, &missing, signers);
}

static void hs_ask_for_proposal(struct hs_core *core)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		const struct hs_node *node = &core->chain.node[i];

		if (node->is_used && !node->is_dead && node->is_proposal &&
		    node->validity == HS_VALIDITY_UNJUDGED && i != core->chain.root &&
		    node->view == core->pacemaker.view) {
			hs_ask_below(core, &node->id, NULL);
			return;
		}
	}
}

void hs_fetch_advance(struct hs_core *core)
{
	const struct hs_qc *high = &core->safety.record.high_qc;
	const struct hs_target *target = &core->finality.target;

	for (uint32_t i = 0; i < HS_WANTS_MAX; i++)
		core->want[i].is_current = false;
	if (high->view > hs_root(core)->view)
		hs_ask_below(core, &high->block_id, &high->signers);
	if (target->view != 0)
		hs_ask_below(core, &target->id, NULL);
	hs_ask_for_proposal(core);
	for (uint32_t i = 0; i < HS_WANTS_MAX; i++)
		if (!core->want[i].is_current)
			core->want[i].is_used = false;
}

uint64_t hs_fetch_deadline_ns(const struct hs_core *core)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (uint32_t i = 0; i < HS_WANTS_MAX; i++)
		if (core->want[i].is_used)
			deadline_ns = units_min(deadline_ns, units_add(core->want[i].asked_ns,
								       core->config.delta_ns));
	return deadline_ns;
}
