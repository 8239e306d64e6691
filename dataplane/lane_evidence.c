#include "dataplane/lane_evidence.h"

#include "crypto/crypto_hash.h"

static struct lane_evidence *lane_evidence_emit(struct lane_set *set)
{
	if (set->evidence_count == LANE_EVIDENCES_MAX)
		return NULL;

	struct lane_effect *effect = lane_emit_optional(set, LANE_EFFECT_EVIDENCE, HS_REPLICA_NONE);

	if (!effect)
		return NULL;
	effect->u.evidence = &set->evidences[set->evidence_count];
	return &set->evidences[set->evidence_count++];
}

void lane_evidence_fork(struct lane_set *set, struct lane_slot *slot,
			const struct lane_header *second)
{
	if (slot->has_evidence)
		return;
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++) {
		const struct lane_branch *branch = &slot->branch[i];

		if (!branch->is_used || !branch->has_header ||
		    crypto_hash_equal(&branch->digest, &second->digest))
			continue;

		struct lane_evidence *evidence = lane_evidence_emit(set);

		if (!evidence)
			return;
		*evidence = (struct lane_evidence){ .first = branch->header, .second = *second };
		slot->has_evidence = true;
		return;
	}
}

void lane_evidence_bad_seal(struct lane_set *set, struct lane *lane, struct lane_branch *branch,
			    uint32_t bad_index)
{
	struct lane_evidence *evidence = lane_evidence_emit(set);

	branch->is_bad = true;
	if (lane->frozen_seq == 0 || branch->header.seq < lane->frozen_seq)
		lane->frozen_seq = branch->header.seq;
	lane_emit_drop(set, LANE_DROP_SEAL);
	if (evidence)
		*evidence = (struct lane_evidence){
			.first = branch->header,
			.has_bad_frame = true,
			.bad_index = bad_index,
		};
}
