/*
 * What of a local state can matter later, as 128 bits.
 *
 * Left out, because no rule reads it or because it only decides what is said
 * again: who signed a certificate, clocks and deadlines (time stands still or
 * jumps past all of them), statistics, rate limits, what is fetched, evidence
 * (judged on living cores only), tallies of views that are decided, what was
 * prepared or judged for a view already left (a certified block can be fetched
 * whatever came of its proposal), the order of the slots of the tree, and what a
 * leader prepares for a view beyond the scope. The audit executes random paths
 * without any of this.
 */
#include <string.h>

#include "consensus/hs_rules.h"
#include "tests/explore/explore_state.h"

struct folding {
	const struct bench *bench;
	const struct renaming *renaming;
	struct digest digest;
};

static void fold(struct folding *f, uint64_t value)
{
	digest_add(&f->digest, value);
}

static uint64_t head_of(const struct crypto_hash *id)
{
	uint64_t head;

	memcpy(&head, id->b, sizeof(head));
	return head;
}

static void fold_set(struct folding *f, const struct bitset *set)
{
	uint64_t renamed = 0;

	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++)
		if (bitset_has(set, i))
			renamed |= UINT64_C(1) << f->renaming->to[i];
	fold(f, renamed);
}

static void fold_qc(struct folding *f, const struct hs_qc *qc)
{
	fold(f, qc->view);
	fold(f, head_of(&qc->block_id));
}

static void fold_tc(struct folding *f, bool has_tc, const struct hs_tc *tc)
{
	fold(f, has_tc ? tc->view << 8 | (hs_rules_tc_max(tc) + 1) : 0);
}

/* What was done for a view already left is history; for one beyond the scope, not followed. */
static uint64_t in_scope(const struct folding *f, uint64_t view)
{
	return view > f->bench->words->options.views ? 0 : view;
}

static uint64_t in_view(const struct folding *f, uint64_t view)
{
	return view < f->bench->core->pacemaker.view ? 0 : in_scope(f, view);
}

static void fold_record(struct folding *f, const struct hs_record *record)
{
	fold(f, record->last_vote_view);
	fold(f, record->last_vote_view != 0 ? head_of(&record->last_vote_id) : 0);
	fold(f, record->last_timeout_view << 8 |
			(record->last_timeout_view != 0 ? record->last_timeout_qc_view : 0));
	fold_tc(f, record->has_entry_tc, &record->entry_tc);
	fold(f, record->last_commit_view);
	fold(f, record->last_commit_view != 0 ? head_of(&record->last_commit_id) : 0);
	fold(f, in_scope(f, record->last_proposed_view));
	fold_qc(f, &record->high_qc);
	fold(f, record->intent_view);
	if (record->intent_view != 0) {
		fold(f, head_of(&record->intent_id));
		fold_qc(f, &record->intent_justify);
	}
	fold(f, record->committed_height);
	fold(f, record->committed_height != 0 ? head_of(&record->committed_id) : 0);
}

/* 0: durable, 1: being written, 2: not yet. */
static uint64_t age(const struct hs_safety *safety, uint64_t generation)
{
	if (generation <= safety->generation_durable)
		return 0;
	return generation <= safety->generation_writing ? 1 : 2;
}

static void fold_safety(struct folding *f, const struct hs_safety *safety)
{
	fold_record(f, &safety->record);
	fold(f, age(safety, safety->generation));
	fold(f, safety->record.intent_view != 0 ? age(safety, safety->intent_generation) : 0);
	fold(f, safety->pending_count);
	for (uint32_t i = 0; i < safety->pending_count; i++) {
		const struct hs_pending *pending = &safety->pending[i];

		fold(f, (uint64_t)pending->kind << 32 | pending->view << 16 |
				pending->qc_view << 8 | age(safety, pending->generation) << 2 |
				(uint64_t)pending->is_signed << 1 | pending->waits_block);
		fold(f, pending->kind == HS_MESSAGE_TIMEOUT ? 0 : head_of(&pending->block_id));
	}
}

static void fold_own(struct folding *f, const struct hs_core *core)
{
	const struct hs_proposing *proposing = &core->proposing;
	const struct hs_timeout *own = &core->own_timeout;
	bool has_own = !core->is_observer && own->view == core->pacemaker.view;

	fold(f, core->pacemaker.view);
	fold(f, core->pacemaker.entry);
	fold_tc(f, core->pacemaker.entry == HS_ENTRY_TC, &core->pacemaker.tc);
	fold(f, (uint64_t)core->is_observer << 1 | core->restart.is_recovering);
	fold(f, in_view(f, core->restart.voted_view));
	fold(f, in_view(f, proposing->asked_view) << 16 | in_view(f, proposing->allowed_view) << 8 |
			in_view(f, proposing->done_view));
	fold(f, in_view(f, proposing->asked_view) != 0 ? head_of(&proposing->asked_parent) : 0);
	fold(f, in_view(f, proposing->allowed_view) != 0 ?
			age(&core->safety, proposing->allowed_generation) :
			0);
	fold(f, core->timeout_sent_view << 2 | (uint64_t)has_own << 1 | core->is_own_timeout_sent);
	if (!has_own || core->is_own_timeout_sent)
		return;
	fold(f, own->view << 8 | own->qc_view);
	fold_qc(f, &own->qc);
	fold(f, own->entry.kind);
	fold_tc(f, own->entry.kind == HS_ENTRY_TC, &own->entry.tc);
}

static void fold_target(struct folding *f, const struct hs_target *target)
{
	fold(f, target->view);
	fold(f, target->view != 0 ? head_of(&target->id) : 0);
}

/* A block of a view left is not voted for any more: whether it could be does not count. */
static void fold_node(struct folding *f, const struct hs_chain *chain, uint32_t index)
{
	const struct hs_node *node = &chain->node[index];
	const struct hs_block *block = &chain->block[index];

	fold(f, head_of(&node->id));
	fold(f, (uint64_t)(index == chain->root) << 4 |
			(uint64_t)(node->parent != HS_NODE_NONE) << 3 |
			(uint64_t)node->is_certified << 2 | (uint64_t)node->is_durable << 1 |
			(node->persist_ticket != 0));
	fold(f, node->payload == HS_PAYLOAD_STATE_INVALID);
	if (node->view < f->bench->core->pacemaker.view)
		return;
	fold(f, (uint64_t)node->is_proposal << 16 | (uint64_t)node->validity << 8 | node->payload);
	fold_tc(f, block->has_tc, &block->tc);
}

/* Blocks are summed up, so that the slots they are in do not count. */
static void fold_chain(struct folding *f, const struct hs_chain *chain)
{
	struct digest sum = { 0, 0 };

	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		struct folding one = { f->bench, f->renaming, { 7, 9 } };
		struct digest done;

		if (!chain->node[i].is_used || chain->node[i].is_dead)
			continue;
		fold_node(&one, chain, i);
		done = digest_done(&one.digest);
		sum.a += done.a;
		sum.b += done.b;
	}
	fold(f, sum.a);
	fold(f, sum.b);
}

static void fold_ballots(struct folding *f, const struct hs_core *core, uint64_t view)
{
	const struct hs_round *round = hs_quorum_peek(&core->quorum, view);
	bool has_votes = view > core->safety.record.high_qc.view;
	bool has_commits = view > hs_root(core)->view;
	bool has_timeouts = view >= core->pacemaker.view;

	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++) {
		uint32_t author = f->renaming->from[i];
		const struct hs_ballot *ballot = hs_quorum_ballot(&core->quorum, view, author);

		if (has_votes)
			fold(f, bitset_has(&round->voted, author) ? head_of(&ballot->vote_id) : 0);
		if (has_commits)
			fold(f, bitset_has(&round->committed, author) ||
						bitset_has(&round->committed_held, author) ?
					head_of(&ballot->commit_id) :
					0);
		if (has_timeouts)
			fold(f, bitset_has(&round->timed_out, author) ?
					ballot->timeout_qc_view + 1 :
					0);
	}
}

static void fold_rounds(struct folding *f, const struct hs_core *core)
{
	for (uint64_t view = 1; view <= f->bench->words->options.views; view++) {
		const struct hs_round *round = hs_quorum_peek(&core->quorum, view);

		fold(f, round != NULL);
		if (!round)
			continue;
		fold_ballots(f, core, view);
		if (view > hs_root(core)->view) {
			fold_set(f, &round->committed_held);
			fold_set(f, &round->committed_good);
		}
		if (view >= core->pacemaker.view) {
			fold(f, round->proposal_count);
			fold(f, round->proposal_count != 0 ? head_of(&round->proposal_id) : 0);
		}
	}
}

static uint64_t word_sum(const struct folding *f, const uint16_t *list, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += f->bench->words->word[list[i]].digest[0].a;
	return sum;
}

/* A disk that is never behind, and that nobody will start from again, repeats the core. */
static void fold_disk(struct folding *f, const struct notes *notes)
{
	const struct explore_options *options = &f->bench->words->options;

	if ((options->crashes == 0 && !options->is_disk_slow) ||
	    f->bench->core->pacemaker.view > options->views)
		return;
	fold_record(f, &notes->disk);
	fold(f, notes->is_writing);
	if (notes->is_writing)
		fold_record(f, &notes->writing);
	fold(f, word_sum(f, notes->durable, notes->durable_count));
	fold(f, word_sum(f, notes->pending, notes->pending_count));
}

static void fold_notes(struct folding *f, const struct notes *notes)
{
	fold(f, (uint64_t)f->renaming->to[notes->member] << 8 | notes->lives);
	fold_disk(f, notes);
	for (uint32_t view = 0; view < ROUNDS; view++)
		fold(f, (uint64_t)notes->voted[view] << 32 |
				(uint64_t)notes->committed_vote[view] << 24 |
				(uint64_t)notes->timed_out[view] << 16 |
				(uint64_t)notes->proposed[view] << 8 | notes->committed[view]);
}

struct digest bench_digest(const struct bench *bench, const struct renaming *renaming)
{
	const struct hs_core *core = bench->core;
	struct folding f = { bench, renaming, { 1, 2 } };

	fold_notes(&f, &bench->notes);
	fold_safety(&f, &core->safety);
	fold_own(&f, core);
	fold_target(&f, &core->finality.target);
	fold_target(&f, &core->finality.near);
	fold_set(&f, &core->finality.suspects);
	fold_chain(&f, &core->chain);
	fold_rounds(&f, core);
	return digest_done(&f.digest);
}
