#include "consensus/hs_copy.h"

#include <stddef.h>
#include <string.h>

#include "base/ensure.h"
#include "crypto/crypto_hash.h"

void hs_copy_qc(struct hs_qc *ret_qc, const struct hs_qc *qc)
{
	ensure(qc->count <= HS_QUORUM_MAX);
	memcpy(ret_qc, qc,
	       offsetof(struct hs_qc, signature) + qc->count * sizeof(struct crypto_signature));
}

void hs_copy_tc(struct hs_tc *ret_tc, const struct hs_tc *tc)
{
	ensure(tc->count <= HS_QUORUM_MAX);
	memcpy(ret_tc, tc, offsetof(struct hs_tc, qc_view) + tc->count * sizeof(uint64_t));
	memcpy(ret_tc->signature, tc->signature, tc->count * sizeof(struct crypto_signature));
}

void hs_copy_cut(struct hs_cut *ret_cut, const struct hs_cut *cut)
{
	ensure(cut->lane_count <= HS_REPLICAS_MAX);
	memcpy(ret_cut, cut,
	       offsetof(struct hs_cut, lane) + cut->lane_count * sizeof(struct hs_cut_entry));
}

void hs_copy_header(struct hs_header *ret_header, const struct hs_header *header)
{
	memcpy(ret_header, header, offsetof(struct hs_header, cut));
	hs_copy_cut(&ret_header->cut, &header->cut);
}

void hs_copy_block(struct hs_block *ret_block, const struct hs_block *block)
{
	ret_block->id = block->id;
	hs_copy_header(&ret_block->header, &block->header);
	hs_copy_qc(&ret_block->justify, &block->justify);
	ret_block->has_tc = block->has_tc;
	if (block->has_tc)
		hs_copy_tc(&ret_block->tc, &block->tc);
	ret_block->author = block->author;
	ret_block->signature = block->signature;
}

void hs_copy_entry(struct hs_entry *ret_entry, const struct hs_entry *entry)
{
	ret_entry->kind = entry->kind;
	if (entry->kind == HS_ENTRY_QC)
		hs_copy_qc(&ret_entry->qc, &entry->qc);
	if (entry->kind == HS_ENTRY_TC)
		hs_copy_tc(&ret_entry->tc, &entry->tc);
}

void hs_copy_timeout(struct hs_timeout *ret_timeout, const struct hs_timeout *timeout)
{
	memcpy(ret_timeout, timeout, offsetof(struct hs_timeout, qc));
	hs_copy_qc(&ret_timeout->qc, &timeout->qc);
	hs_copy_entry(&ret_timeout->entry, &timeout->entry);
}

void hs_copy_record(struct hs_record *ret_record, const struct hs_record *record)
{
	memcpy(ret_record, record, offsetof(struct hs_record, entry_tc));
	if (record->has_entry_tc)
		hs_copy_tc(&ret_record->entry_tc, &record->entry_tc);
	ret_record->last_commit_view = record->last_commit_view;
	ret_record->last_commit_id = record->last_commit_id;
	ret_record->last_proposed_view = record->last_proposed_view;
	hs_copy_qc(&ret_record->high_qc, &record->high_qc);
	ret_record->intent_view = record->intent_view;
	ret_record->intent_id = record->intent_id;
	if (record->intent_view != 0)
		hs_copy_qc(&ret_record->intent_justify, &record->intent_justify);
	ret_record->committed_height = record->committed_height;
	ret_record->committed_id = record->committed_id;
}

bool hs_qc_is_same(const struct hs_qc *a, const struct hs_qc *b)
{
	return a->epoch == b->epoch && a->view == b->view && a->count == b->count &&
	       crypto_hash_equal(&a->block_id, &b->block_id) &&
	       memcmp(&a->signers, &b->signers, sizeof(a->signers)) == 0 &&
	       memcmp(a->signature, b->signature, a->count * sizeof(a->signature[0])) == 0;
}
