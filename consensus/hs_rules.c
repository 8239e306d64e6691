#include "consensus/hs_rules.h"

#include "crypto/crypto_hash.h"

bool hs_rules_a_enters(uint64_t view, uint64_t certificate_view)
{
	return certificate_view >= view && certificate_view != UINT64_MAX;
}

bool hs_rules_p1_links_parent(const struct hs_block *block, const struct hs_block *parent)
{
	const struct hs_header *header = &block->header;

	return crypto_hash_equal(&header->parent_id, &parent->id) &&
	       header->height == parent->header.height + 1 &&
	       block->justify.view == parent->header.view && header->view > parent->header.view;
}

bool hs_rules_p1_time_rises(const struct hs_header *header, const struct hs_header *parent)
{
	return header->time_ns > parent->time_ns;
}

bool hs_rules_p1_names_justify(const struct hs_block *block)
{
	const struct hs_header *header = &block->header;

	return header->view > block->justify.view && header->justify_view == block->justify.view &&
	       crypto_hash_equal(&header->parent_id, &block->justify.block_id);
}

bool hs_rules_p1_time_is_due(uint64_t time_ns, uint64_t wall_ns, uint64_t clock_skew_max_ns)
{
	return time_ns <= wall_ns || time_ns - wall_ns <= clock_skew_max_ns;
}

bool hs_rules_p3_justify_fits(const struct hs_block *block)
{
	uint64_t view = block->header.view;

	if (view == 0)
		return false;
	if (block->justify.view == view - 1)
		return true;
	return block->has_tc && block->tc.view == view - 1 &&
	       block->tc.epoch == block->header.epoch &&
	       block->justify.view >= hs_rules_tc_max(&block->tc);
}

bool hs_rules_p4_cut_is_monotone(const struct hs_cut *cut, const struct hs_cut *parent)
{
	if (cut->lane_count != parent->lane_count)
		return false;
	for (uint32_t i = 0; i < cut->lane_count; i++) {
		const struct hs_cut_entry *now = &cut->lane[i];
		const struct hs_cut_entry *before = &parent->lane[i];

		if (now->seq < before->seq)
			return false;
		if (now->seq == before->seq && !crypto_hash_equal(&now->digest, &before->digest))
			return false;
	}
	return true;
}

bool hs_rules_p6_uses_reserved(const struct hs_header *header)
{
	return header->has_config || header->has_checkpoint || header->checkpoint_height != 0 ||
	       !crypto_hash_is_zero(&header->config_digest) ||
	       !crypto_hash_is_zero(&header->checkpoint_root);
}

bool hs_rules_v_may_vote(const struct hs_record *record, uint64_t view)
{
	return view > record->last_vote_view && view > record->last_timeout_view;
}

bool hs_rules_v_is_recorded_vote(const struct hs_record *record, uint64_t view,
				 const struct crypto_hash *block_id)
{
	return view == record->last_vote_view && view > record->last_timeout_view &&
	       crypto_hash_equal(block_id, &record->last_vote_id);
}

bool hs_rules_k_may_commit(const struct hs_record *record, uint64_t view)
{
	return view > record->last_timeout_view && view > record->last_commit_view &&
	       record->high_qc.view >= view;
}

bool hs_rules_c2_commits_parent(uint64_t view, uint64_t justify_view)
{
	return justify_view != 0 && view == justify_view + 1;
}

bool hs_rules_t_may_time_out(const struct hs_record *record, uint64_t view)
{
	return view > record->last_timeout_view;
}

uint64_t hs_rules_tc_max(const struct hs_tc *tc)
{
	uint64_t max = 0;

	for (uint32_t i = 0; i < tc->count; i++)
		if (tc->qc_view[i] > max)
			max = tc->qc_view[i];
	return max;
}

bool hs_rules_commit_contradicts_timeout(uint64_t commit_view, uint64_t timeout_view,
					 uint64_t timeout_qc_view)
{
	return timeout_view >= commit_view && timeout_qc_view < commit_view;
}
