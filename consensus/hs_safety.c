#include "consensus/hs_safety.h"

#include <string.h>

#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"

void hs_safety_init(struct hs_safety *safety)
{
	memset(safety, 0, sizeof(*safety));
}

uint64_t hs_safety_change(struct hs_safety *safety)
{
	return ++safety->generation;
}

void hs_safety_committed(struct hs_safety *safety, uint64_t height, const struct crypto_hash *id)
{
	if (height < safety->record.committed_height)
		return;
	safety->record.committed_height = height;
	safety->record.committed_id = *id;
}

void hs_safety_tidy(struct hs_safety *safety)
{
	struct hs_record *record = &safety->record;

	if (record->has_entry_tc && record->high_qc.view >= record->entry_tc.view)
		record->has_entry_tc = false;
	if (record->has_entry_tc || record->intent_view <= record->last_vote_view ||
	    record->intent_view <= record->last_timeout_view)
		record->intent_view = 0;
}

bool hs_safety_intent_covers(const struct hs_safety *safety, uint64_t view,
			     const struct crypto_hash *block_id, const struct hs_qc *justify)
{
	const struct hs_record *record = &safety->record;

	return record->intent_view == view && crypto_hash_equal(&record->intent_id, block_id) &&
	       hs_qc_is_same(&record->intent_justify, justify);
}

bool hs_safety_write(struct hs_safety *safety, uint64_t ticket)
{
	if (safety->generation_writing != 0 || safety->generation == safety->generation_durable)
		return false;
	hs_safety_tidy(safety);
	safety->generation_writing = safety->generation;
	safety->ticket_writing = ticket;
	return true;
}

bool hs_safety_on_persisted(struct hs_safety *safety, uint64_t ticket)
{
	if (safety->generation_writing == 0 || ticket != safety->ticket_writing)
		return false;
	safety->generation_durable = safety->generation_writing;
	safety->generation_writing = 0;
	return true;
}

static void hs_safety_forget(struct hs_safety *safety, uint32_t index)
{
	ensure(index < safety->pending_count);
	safety->pending_count--;
	memmove(&safety->pending[index], &safety->pending[index + 1],
		(safety->pending_count - index) * sizeof(safety->pending[0]));
}

void hs_safety_say(struct hs_safety *safety, const struct hs_pending *pending)
{
	if (safety->pending_count == HS_STATEMENTS_MAX)
		hs_safety_forget(safety, 0);
	safety->pending[safety->pending_count++] = *pending;
}

struct hs_pending *hs_safety_on_signed(struct hs_safety *safety, uint64_t request,
				       const struct crypto_signature *signature)
{
	for (uint32_t i = 0; i < safety->pending_count; i++) {
		struct hs_pending *pending = &safety->pending[i];

		if (pending->request != request || pending->is_signed)
			continue;
		pending->is_signed = true;
		pending->signature = *signature;
		return pending;
	}
	return NULL;
}

void hs_safety_on_block_durable(struct hs_safety *safety, const struct crypto_hash *block_id)
{
	for (uint32_t i = 0; i < safety->pending_count; i++)
		if (crypto_hash_equal(&safety->pending[i].block_id, block_id))
			safety->pending[i].waits_block = false;
}

bool hs_safety_take_ready(struct hs_safety *safety, struct hs_pending *ret_pending)
{
	for (uint32_t i = 0; i < safety->pending_count; i++) {
		const struct hs_pending *pending = &safety->pending[i];

		if (!pending->is_signed || pending->waits_block ||
		    pending->generation > safety->generation_durable)
			continue;
		*ret_pending = *pending;
		hs_safety_forget(safety, i);
		return true;
	}
	return false;
}

void hs_safety_fall_silent(struct hs_safety *safety)
{
	safety->pending_count = 0;
}
