/* Strategies against consensus: two blocks, old certificates, split votes, bad timing. */

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_rules.h"
#include "crypto/crypto_hash.h"
#include "tests/sim/sim_adversary_state.h"

static bool chance(struct adversary_out *out, uint32_t ppm)
{
	return prng_chance(&out->all->prng, ppm);
}

static bool is_own_proposal(const struct adversary_out *out)
{
	return out->message->kind == WIRE_PROPOSE &&
	       out->message->u.core.u.propose.author == out->self->id;
}

/* The forged block to some, with a vote for it, and (seldom) the true one as well. */
static void send_forged(struct adversary_out *out, uint32_t to)
{
	const struct hs_block *forged = &out->all->forged;

	adversary_say_block(out->sim, out->node, to, forged);
	if (chance(out, 700000))
		adversary_say_vote(out->sim, out->node,
				   chance(out, 500000) ? to :
							 adversary_all_but(out->sim, out->self->id),
				   forged->header.view, &forged->id);
	if (!chance(out, 200000))
		out->to &= ~to;
}

/* ---- equivocating proposer ---- */

/* One lane stays where the parent left it; false if no lane can. */
static bool shrink_cut(struct adversary_out *out, struct hs_block *block)
{
	const struct hs_block *parent = adversary_block(out->all, &block->header.parent_id);
	uint32_t first = (uint32_t)prng_below(&out->all->prng, out->sim->knobs.n);

	for (uint32_t i = 0; parent && i < out->sim->knobs.n; i++) {
		uint32_t lane = (first + i) % out->sim->knobs.n;

		if (block->header.cut.lane[lane].seq == parent->header.cut.lane[lane].seq)
			continue;
		block->header.cut.lane[lane] = parent->header.cut.lane[lane];
		return true;
	}
	return false;
}

void adversary_equivocate(struct adversary_out *out)
{
	uint32_t variants = 1 + (uint32_t)prng_below(&out->all->prng, 3);

	if (!is_own_proposal(out) || !chance(out, out->self->ppm))
		return;
	for (uint32_t i = 0; i < variants; i++) {
		struct hs_block *block = &out->all->forged;

		*block = out->message->u.core.u.propose;
		if (chance(out, 500000) || !shrink_cut(out, block))
			block->header.time_ns += 1 + i;
		adversary_seal_block(out->sim, block);
		send_forged(out, adversary_some(out->sim, out->to));
		adversary_act(out->self, SIM_STRATEGY_EQUIVOCATE);
	}
}

/* ---- older certificates ---- */

/* TC(view) of those q TIMEOUTs that report least, its own with view 0; false: too few heard. */
static bool forge_tc(struct adversary_out *out, uint64_t view)
{
	struct sim *sim = out->sim;
	struct hs_tc *tc = &out->all->tc;
	struct adversary_round *round = &out->all->round[view % ADVERSARY_ROUNDS_KEPT];
	uint32_t chosen = UINT32_C(1) << out->self->id;

	if (view == 0 || round->view != view)
		return false;
	round->qc_view[out->self->id] = 0;
	adversary_sign(sim, out->self->id, HS_MESSAGE_TIMEOUT, view, NULL, 0,
		       &round->signature[out->self->id]);
	while ((uint32_t)__builtin_popcount(chosen) < hs_quorum(sim->knobs.n)) {
		uint32_t best = UINT32_MAX;

		for (uint32_t i = 0; i < sim->knobs.n; i++)
			if ((round->heard & ~chosen) >> i & 1 &&
			    (best == UINT32_MAX || round->qc_view[i] < round->qc_view[best]))
				best = i;
		if (best == UINT32_MAX)
			return false;
		chosen |= UINT32_C(1) << best;
	}
	*tc = (struct hs_tc){ .epoch = sim->validators.epoch, .view = view };
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		if (!(chosen >> i & 1))
			continue;
		bitset_add(&tc->signers, i);
		tc->qc_view[tc->count] = round->qc_view[i];
		tc->signature[tc->count++] = round->signature[i];
	}
	return true;
}

/* The block `justify` certifies becomes the parent; false if that block is not known. */
static bool rebase(struct adversary_out *out, struct hs_block *block, const struct hs_qc *justify)
{
	const struct sim *sim = out->sim;
	const struct hs_block *parent = adversary_block(out->all, &justify->block_id);

	if (!parent)
		return false;
	block->justify = *justify;
	block->header.parent_id = parent->id;
	block->header.height = parent->header.height + 1;
	block->header.justify_view = justify->view;
	block->header.justify_digest =
		hs_justify_digest(&sim->validators.chain_id, &sim->validators.set_hash,
				  sim->validators.epoch, justify->view, &justify->block_id);
	if (block->header.time_ns <= parent->header.time_ns)
		block->header.time_ns = parent->header.time_ns + 1;
	if (!hs_rules_p4_cut_is_monotone(&block->header.cut, &parent->header.cut) ||
	    chance(out, 500000))
		block->header.cut = parent->header.cut;
	return true;
}

/* All who follow this strategy vote for the block: a certificate it gets may be of a fork. */
static void stale_votes(struct adversary_out *out, const struct hs_block *block)
{
	struct sim *sim = out->sim;

	out->all->stale.view = block->header.view;
	out->all->stale.id = block->id;
	for (uint32_t i = 0; i < out->all->count; i++) {
		const struct adversary_member *member = &out->all->member[i];

		if (adversary_does(sim, member, SIM_STRATEGY_STALE) && sim->nodes[member->id].is_up)
			adversary_say_vote(sim, &sim->nodes[member->id],
					   adversary_all_but(sim, member->id), block->header.view,
					   &block->id);
	}
}

/* By rule P(3)(b) on the oldest certificate its TC allows; or against it: a lock overridden. */
static void stale_proposal(struct adversary_out *out)
{
	struct hs_block *block = &out->all->forged;
	uint64_t justify_view = out->message->u.core.u.propose.justify.view;
	const struct hs_qc *justify;
	bool is_against = chance(out, 500000);
	uint64_t least = 0;

	*block = out->message->u.core.u.propose;
	if (forge_tc(out, block->header.view - 1)) {
		block->has_tc = true;
		block->tc = out->all->tc;
		if (!is_against)
			least = hs_rules_tc_max(&block->tc);
	}
	justify = is_against ? adversary_newest_qc(out->all, justify_view) :
			       adversary_qc(out->all, least, justify_view);
	if (!justify || !rebase(out, block, justify))
		return;
	adversary_seal_block(out->sim, block);
	if (is_against && block->has_tc) {
		adversary_say_block(out->sim, out->node, out->to, block);
		stale_votes(out, block);
		out->to = 0;
	} else {
		send_forged(out, chance(out, 500000) ? out->to : adversary_some(out->sim, out->to));
	}
	adversary_act(out->self, SIM_STRATEGY_STALE);
}

/* Does one who follows this strategy lead a view whose predecessor may yet fail? */
static bool leads_soon(const struct adversary_out *out, uint64_t view)
{
	uint32_t n = out->sim->knobs.n;

	for (uint64_t next = view + 1; next <= view + 1 + hs_faulty_max(n); next++)
		for (uint32_t i = 0; i < out->all->count; i++)
			if (out->all->member[i].id == next % n &&
			    adversary_does(out->sim, &out->all->member[i], SIM_STRATEGY_STALE))
				return true;
	return false;
}

/* Kept from everybody until a block against it is certified: then both have their quorum. */
static void stale_commit(struct adversary_out *out)
{
	const struct hs_commit *commit = &out->message->u.core.u.commit;

	if (!leads_soon(out, commit->view))
		return;
	out->self->held[out->self->held_count++ % ADVERSARY_COMMITS_HELD] =
		(struct adversary_about){ commit->view, commit->block_id };
	out->to = 0;
	adversary_act(out->self, SIM_STRATEGY_STALE);
}

/* An honest COMMIT to a block against P(3)(b): what was kept back makes it a fork. */
void adversary_stale_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	const struct adversary_about *stale = &sim->adversary->stale;
	const struct hs_commit *commit = &sim->adversary->in.u.core.u.commit;
	uint32_t all = adversary_all_but(sim, self->id);

	if (sim->adversary->in.kind != WIRE_COMMIT || stale->view == 0 ||
	    commit->view != stale->view || !crypto_hash_equal(&commit->block_id, &stale->id))
		return;
	adversary_say_commit(sim, node, all, stale->view, &stale->id, true);
	for (uint32_t i = 0; i < ADVERSARY_COMMITS_HELD; i++)
		if (self->held[i].view != 0)
			adversary_say_commit(sim, node, all, self->held[i].view, &self->held[i].id,
					     true);
	memset(self->held, 0, sizeof(self->held));
}

/* Reports an older certificate than it holds: the lock it forgot. */
static void stale_timeout(struct adversary_out *out)
{
	struct wire_message *forged = &out->all->out;
	struct hs_timeout *timeout = &forged->u.core.u.timeout;
	const struct hs_qc *older =
		adversary_qc(out->all, 0, out->message->u.core.u.timeout.qc_view);
	uint32_t to = chance(out, 500000) ? out->to : adversary_some(out->sim, out->to);

	if (!older)
		return;
	forged->kind = WIRE_TIMEOUT;
	forged->epoch = out->message->epoch;
	forged->u.core = out->message->u.core;
	timeout->qc_view = older->view;
	timeout->qc = *older;
	adversary_sign(out->sim, out->self->id, HS_MESSAGE_TIMEOUT, timeout->view, NULL,
		       timeout->qc_view, &timeout->signature);
	adversary_say(out->sim, out->node, to);
	out->to &= ~to;
	adversary_act(out->self, SIM_STRATEGY_STALE);
}

void adversary_stale(struct adversary_out *out)
{
	if (out->message->kind == WIRE_COMMIT)
		stale_commit(out);
	if (!chance(out, out->self->ppm))
		return;
	if (is_own_proposal(out))
		stale_proposal(out);
	else if (out->message->kind == WIRE_TIMEOUT)
		stale_timeout(out);
}

/* ---- time ---- */

/* Between seven tenths of the view's timer and a little more than all of it. */
void adversary_slow(struct adversary_out *out)
{
	struct replica_status status;
	uint64_t timer_ns;
	uint32_t first;

	if (!is_own_proposal(out) || !chance(out, out->self->ppm))
		return;
	replica_status(out->node->replica, &status);
	timer_ns = units_max(status.view.timer_ns, 30 * UNITS_NS_PER_MS);
	out->delay_ns += timer_ns * (700 + prng_below(&out->all->prng, 350)) / 1000;
	adversary_act(out->self, SIM_STRATEGY_SLOW);
	if (!chance(out, 300000))
		return;
	first = adversary_some(out->sim, out->to);
	adversary_emit(out->sim, out->node, first, out->bytes, out->count);
	out->to &= ~first;
}

void adversary_delay(struct adversary_out *out)
{
	if (!chance(out, out->self->ppm))
		return;
	out->delay_ns += 1 + prng_below(&out->all->prng, out->self->delay_ns);
	if (chance(out, 20000))
		adversary_hold(out->sim, out->node, out->to, out->bytes, out->count,
			       prng_below(&out->all->prng, 3 * UNITS_NS_PER_S));
	adversary_act(out->self, SIM_STRATEGY_DELAY);
}

/* ---- votes ---- */

/* Another block of this view, else its parent, else an id nobody knows. */
static struct crypto_hash other_block(struct adversary_out *out, uint64_t view,
				      const struct crypto_hash *id)
{
	const struct hs_block *block = adversary_block(out->all, id);
	struct crypto_hash other;

	for (uint32_t i = 0; i < ADVERSARY_BLOCKS_KEPT; i++) {
		const struct hs_block *kept = &out->all->block[i];

		if (kept->header.view == view && !crypto_hash_equal(&kept->id, id))
			return kept->id;
	}
	if (block && chance(out, 500000))
		return block->header.parent_id;
	prng_fill(&out->all->prng, other.b, sizeof(other.b));
	return other;
}

static void split_vote(struct adversary_out *out)
{
	const struct hs_vote *vote = &out->message->u.core.u.vote;
	struct crypto_hash other = other_block(out, vote->view, &vote->block_id);
	uint32_t others = adversary_some(out->sim, out->to);

	out->to &= ~others;
	if (chance(out, 600000))
		adversary_say_vote(out->sim, out->node, others, vote->view, &other);
	adversary_act(out->self, SIM_STRATEGY_SPLIT);
}

static void split_commit(struct adversary_out *out)
{
	const struct hs_commit *commit = &out->message->u.core.u.commit;
	struct crypto_hash id = commit->block_id;
	uint32_t others = adversary_some(out->sim, out->to);

	out->to &= ~others;
	if (chance(out, 300000))
		id = other_block(out, commit->view, &commit->block_id);
	if (chance(out, 700000))
		adversary_say_commit(out->sim, out->node, others, commit->view, &id,
				     chance(out, 500000));
	adversary_act(out->self, SIM_STRATEGY_SPLIT);
}

void adversary_split(struct adversary_out *out)
{
	if (!chance(out, out->self->ppm))
		return;
	if (out->message->kind == WIRE_VOTE)
		split_vote(out);
	else if (out->message->kind == WIRE_COMMIT)
		split_commit(out);
}

/* Votes for whatever is proposed, and commits to it before any certificate exists. */
void adversary_split_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	const struct hs_block *block = &sim->adversary->in.u.core.u.propose;
	struct prng *prng = &sim->adversary->prng;
	uint32_t all = adversary_all_but(sim, self->id);

	if (sim->adversary->in.kind != WIRE_PROPOSE || !prng_chance(prng, self->ppm))
		return;
	adversary_say_vote(sim, node, adversary_some(sim, all), block->header.view, &block->id);
	if (prng_chance(prng, 300000)) {
		bool is_signed = prng_chance(prng, 700000);

		adversary_say_commit(sim, node, adversary_some(sim, all), block->header.view,
				     &block->id, is_signed);
	}
	adversary_act(self, SIM_STRATEGY_SPLIT);
}
