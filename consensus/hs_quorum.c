#include "consensus/hs_quorum.h"

#include <string.h>

#include "base/ensure.h"
#include "crypto/crypto_hash.h"

size_t hs_quorum_footprint(uint32_t replica_count)
{
	return sizeof(struct hs_quorum) +
	       (size_t)HS_ROUNDS_MAX * replica_count * sizeof(struct hs_ballot);
}

void hs_quorum_init(struct hs_quorum *quorum, uint32_t replica_count)
{
	memset(quorum, 0, hs_quorum_footprint(replica_count));
	quorum->replica_count = replica_count;
	quorum->size = hs_quorum(replica_count);
	quorum->ballots_offset = sizeof(*quorum);
}

static struct hs_ballot *hs_quorum_cell(const struct hs_quorum *quorum, uint64_t view,
					uint32_t author)
{
	uintptr_t ballots = (uintptr_t)quorum + quorum->ballots_offset;

	ensure(author < quorum->replica_count);
	return (struct hs_ballot *)ballots + (view % HS_ROUNDS_MAX) * quorum->replica_count +
	       author;
}

struct hs_round *hs_quorum_round(struct hs_quorum *quorum, uint64_t view)
{
	struct hs_round *round = &quorum->round[view % HS_ROUNDS_MAX];

	if (round->view > view)
		return NULL;
	if (round->view < view) {
		memset(round, 0, sizeof(*round));
		round->view = view;
	}
	return round;
}

const struct hs_round *hs_quorum_peek(const struct hs_quorum *quorum, uint64_t view)
{
	const struct hs_round *round = &quorum->round[view % HS_ROUNDS_MAX];

	return round->view == view ? round : NULL;
}

const struct hs_ballot *hs_quorum_ballot(const struct hs_quorum *quorum, uint64_t view,
					 uint32_t author)
{
	return hs_quorum_cell(quorum, view, author);
}

enum hs_count hs_quorum_vote(struct hs_quorum *quorum, const struct hs_vote *vote)
{
	struct hs_round *round = hs_quorum_round(quorum, vote->view);
	struct hs_ballot *ballot = hs_quorum_cell(quorum, vote->view, vote->author);

	if (!round)
		return HS_COUNT_GONE;
	if (bitset_has(&round->voted, vote->author))
		return crypto_hash_equal(&ballot->vote_id, &vote->block_id) ? HS_COUNT_SAME :
									      HS_COUNT_CONFLICT;
	bitset_add(&round->voted, vote->author);
	ballot->vote_id = vote->block_id;
	ballot->vote_signature = vote->signature;
	return HS_COUNT_NEW;
}

uint32_t hs_quorum_vote_count(const struct hs_quorum *quorum, uint64_t view,
			      const struct crypto_hash *block_id)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);
	uint32_t count = 0;

	for (uint32_t i = 0; round && i < quorum->replica_count; i++)
		if (bitset_has(&round->voted, i) &&
		    crypto_hash_equal(&hs_quorum_cell(quorum, view, i)->vote_id, block_id))
			count++;
	return count;
}

void hs_quorum_make_qc(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
		       const struct crypto_hash *block_id, struct hs_qc *ret_qc)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);

	ensure(round);
	ret_qc->epoch = epoch;
	ret_qc->view = view;
	ret_qc->block_id = *block_id;
	ret_qc->signers = (struct bitset){ .word = { 0, 0 } };
	ret_qc->count = 0;
	for (uint32_t i = 0; i < quorum->replica_count && ret_qc->count < quorum->size; i++) {
		const struct hs_ballot *ballot = hs_quorum_cell(quorum, view, i);

		if (!bitset_has(&round->voted, i) || !crypto_hash_equal(&ballot->vote_id, block_id))
			continue;
		bitset_add(&ret_qc->signers, i);
		ret_qc->signature[ret_qc->count++] = ballot->vote_signature;
	}
	ensure(ret_qc->count == quorum->size);
}

enum hs_count hs_quorum_commit(struct hs_quorum *quorum, const struct hs_commit *commit,
			       bool is_held)
{
	struct hs_round *round = hs_quorum_round(quorum, commit->view);
	struct hs_ballot *ballot = hs_quorum_cell(quorum, commit->view, commit->author);

	if (!round)
		return HS_COUNT_GONE;
	if (bitset_has(&round->committed, commit->author) ||
	    bitset_has(&round->committed_held, commit->author))
		return crypto_hash_equal(&ballot->commit_id, &commit->block_id) ? HS_COUNT_SAME :
										  HS_COUNT_CONFLICT;
	bitset_add(is_held ? &round->committed_held : &round->committed, commit->author);
	ballot->commit_id = commit->block_id;
	ballot->commit_signature = commit->signature;
	return HS_COUNT_NEW;
}

static uint32_t hs_quorum_commits_in(const struct hs_quorum *quorum, const struct bitset *set,
				     uint64_t view, const struct crypto_hash *block_id)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < quorum->replica_count; i++)
		if (bitset_has(set, i) &&
		    crypto_hash_equal(&hs_quorum_cell(quorum, view, i)->commit_id, block_id))
			count++;
	return count;
}

uint32_t hs_quorum_commit_count(const struct hs_quorum *quorum, uint64_t view,
				const struct crypto_hash *block_id)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);

	return round ? hs_quorum_commits_in(quorum, &round->committed, view, block_id) : 0;
}

uint32_t hs_quorum_commits_unchecked(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
				     const struct crypto_hash *block_id, struct hs_commit *ret_list)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);
	uint32_t count = 0;

	for (uint32_t i = 0; round && i < quorum->replica_count; i++) {
		const struct hs_ballot *ballot = hs_quorum_cell(quorum, view, i);

		if (bitset_has(&round->committed_good, i) ||
		    (!bitset_has(&round->committed, i) && !bitset_has(&round->committed_held, i)) ||
		    !crypto_hash_equal(&ballot->commit_id, block_id))
			continue;
		ret_list[count++] = (struct hs_commit){
			.author = i,
			.epoch = epoch,
			.view = view,
			.block_id = *block_id,
			.signature = ballot->commit_signature,
		};
	}
	return count;
}

bool hs_quorum_commit_judge(struct hs_quorum *quorum, uint64_t view, uint32_t author,
			    const struct crypto_hash *block_id, bool is_good)
{
	struct hs_round *round = &quorum->round[view % HS_ROUNDS_MAX];

	if (round->view != view || author >= quorum->replica_count ||
	    bitset_has(&round->committed_good, author) ||
	    (!bitset_has(&round->committed, author) &&
	     !bitset_has(&round->committed_held, author)) ||
	    !crypto_hash_equal(&hs_quorum_cell(quorum, view, author)->commit_id, block_id))
		return false;
	bitset_remove(&round->committed_held, author);
	bitset_remove(&round->committed, author);
	if (is_good) {
		bitset_add(&round->committed, author);
		bitset_add(&round->committed_good, author);
	}
	return true;
}

bool hs_quorum_make_fc(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
		       const struct crypto_hash *block_id, struct hs_fc *ret_fc)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);
	struct hs_qc *fc = &ret_fc->c;

	if (!round ||
	    hs_quorum_commits_in(quorum, &round->committed_good, view, block_id) < quorum->size)
		return false;
	fc->epoch = epoch;
	fc->view = view;
	fc->block_id = *block_id;
	fc->signers = (struct bitset){ .word = { 0, 0 } };
	fc->count = 0;
	for (uint32_t i = 0; i < quorum->replica_count && fc->count < quorum->size; i++) {
		const struct hs_ballot *ballot = hs_quorum_cell(quorum, view, i);

		if (!bitset_has(&round->committed_good, i) ||
		    !crypto_hash_equal(&ballot->commit_id, block_id))
			continue;
		bitset_add(&fc->signers, i);
		fc->signature[fc->count++] = ballot->commit_signature;
	}
	return true;
}

enum hs_count hs_quorum_timeout(struct hs_quorum *quorum, const struct hs_timeout *timeout)
{
	struct hs_round *round = hs_quorum_round(quorum, timeout->view);
	struct hs_ballot *ballot = hs_quorum_cell(quorum, timeout->view, timeout->author);

	if (!round)
		return HS_COUNT_GONE;
	if (bitset_has(&round->timed_out, timeout->author))
		return ballot->timeout_qc_view == timeout->qc_view ? HS_COUNT_SAME :
								     HS_COUNT_CONFLICT;
	bitset_add(&round->timed_out, timeout->author);
	ballot->timeout_qc_view = timeout->qc_view;
	ballot->timeout_signature = timeout->signature;
	return HS_COUNT_NEW;
}

uint32_t hs_quorum_timeout_count(const struct hs_quorum *quorum, uint64_t view)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);

	return round ? bitset_count(&round->timed_out) : 0;
}

bool hs_quorum_timed_out(const struct hs_quorum *quorum, uint64_t view, uint32_t author)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);

	return round && bitset_has(&round->timed_out, author);
}

void hs_quorum_make_tc(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
		       struct hs_tc *ret_tc)
{
	const struct hs_round *round = hs_quorum_peek(quorum, view);

	ensure(round);
	ret_tc->epoch = epoch;
	ret_tc->view = view;
	ret_tc->signers = (struct bitset){ .word = { 0, 0 } };
	ret_tc->count = 0;
	for (uint32_t i = 0; i < quorum->replica_count && ret_tc->count < quorum->size; i++) {
		const struct hs_ballot *ballot = hs_quorum_cell(quorum, view, i);

		if (!bitset_has(&round->timed_out, i))
			continue;
		bitset_add(&ret_tc->signers, i);
		ret_tc->qc_view[ret_tc->count] = ballot->timeout_qc_view;
		ret_tc->signature[ret_tc->count++] = ballot->timeout_signature;
	}
	ensure(ret_tc->count == quorum->size);
}
