/*
 * Evidence (§8). What contradicts itself is shown once an author and kind. COMMITs are heard
 * unchecked (§3), so an accusation built on one waits until its signature was checked: what
 * nobody could verify is no evidence.
 */

#include <string.h>

#include "consensus/hs_state.h"
#include "crypto/crypto_hash.h"

void hs_blame(struct hs_core *core, enum hs_evidence_kind kind, uint32_t author,
	      const struct hs_statement *first, const struct hs_statement *second)
{
	if (bitset_has(&core->evidence_seen[kind], author))
		return;
	bitset_add(&core->evidence_seen[kind], author);
	hs_emit(core, HS_EFFECT_EVIDENCE)->u.evidence = (struct hs_evidence){
		.kind = kind,
		.author = author,
		.epoch = core->config.epoch,
		.first = *first,
		.second = *second,
	};
}

static void hs_accusation_ask(struct hs_core *core, struct hs_accusation *accusation, uint32_t at,
			      const struct hs_statement *statement)
{
	struct hs_effect *effect;

	if (statement->kind != HS_MESSAGE_COMMIT)
		return;
	accusation->unchecked |= 1U << at;
	accusation->commit[at] = (struct hs_commit){
		.author = accusation->author,
		.epoch = core->config.epoch,
		.view = statement->view,
		.block_id = statement->block_id,
		.signature = statement->signature,
	};
	effect = hs_emit(core, HS_EFFECT_CHECK_COMMITS);
	effect->u.commits.view = statement->view;
	effect->u.commits.block_id = statement->block_id;
	effect->u.commits.commits = &accusation->commit[at];
	effect->u.commits.count = 1;
}

void hs_accuse(struct hs_core *core, enum hs_evidence_kind kind, uint32_t author,
	       const struct hs_statement *first, const struct hs_statement *second)
{
	struct hs_accusation *accusation =
		&core->accusation[author][kind == HS_EVIDENCE_TWO_COMMITS ?
						  HS_ACCUSED_TWO_COMMITS :
						  HS_ACCUSED_COMMIT_AFTER_TIMEOUT];

	if (accusation->is_open || bitset_has(&core->evidence_seen[kind], author))
		return;
	*accusation = (struct hs_accusation){
		.is_open = true,
		.kind = kind,
		.author = author,
		.first = *first,
		.second = *second,
	};
	hs_accusation_ask(core, accusation, 0, first);
	hs_accusation_ask(core, accusation, 1, second);
}

/* The verdict may be about another signature under the same words: the one that counts now. */
static bool hs_is_about(const struct hs_core *core, const struct hs_commit *commit)
{
	const struct hs_ballot *ballot =
		hs_quorum_ballot(&core->quorum, commit->view, commit->author);

	return !hs_quorum_peek(&core->quorum, commit->view) ||
	       !crypto_hash_equal(&ballot->commit_id, &commit->block_id) ||
	       memcmp(&ballot->commit_signature, &commit->signature, sizeof(commit->signature)) ==
		       0;
}

static void hs_accusation_checked(struct hs_core *core, struct hs_accusation *accusation,
				  uint64_t view, const struct crypto_hash *block_id, bool is_good)
{
	for (uint32_t at = 0; at < 2; at++) {
		const struct hs_commit *commit = &accusation->commit[at];

		if (!(accusation->unchecked >> at & 1) || commit->view != view ||
		    !crypto_hash_equal(&commit->block_id, block_id))
			continue;
		accusation->unchecked &= ~(1U << at);
		accusation->is_open &= is_good && hs_is_about(core, commit);
	}
	if (!accusation->is_open || accusation->unchecked != 0)
		return;
	accusation->is_open = false;
	hs_blame(core, accusation->kind, accusation->author, &accusation->first,
		 &accusation->second);
}

void hs_accusations_checked(struct hs_core *core, uint64_t view, const struct crypto_hash *block_id,
			    const struct bitset *good, const struct bitset *bad)
{
	for (uint32_t author = 0; author < core->config.replica_count; author++) {
		bool is_good = bitset_has(good, author);

		if (is_good == bitset_has(bad, author))
			continue;
		for (uint32_t i = 0; i < HS_ACCUSED_COUNT; i++) {
			struct hs_accusation *accusation = &core->accusation[author][i];

			if (accusation->is_open)
				hs_accusation_checked(core, accusation, view, block_id, is_good);
		}
	}
}
