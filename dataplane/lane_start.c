#include "dataplane/lane_start.h"

#include "crypto/crypto_hash.h"
#include "dataplane/lane_own.h"
#include "dataplane/lane_slots.h"

/* An own record is written while its header is being signed: no signature in it. */
static bool lane_stored_is_signed(const struct lane_stored *stored)
{
	uint8_t any = 0;

	for (uint32_t i = 0; i < CRYPTO_SIGNATURE_BYTES; i++)
		any |= stored->header.signature.b[i];
	return any != 0;
}

static bool lane_stored_is(const struct lane_stored *stored, const struct lane *lane,
			   const struct hs_cut_entry *entry)
{
	return stored->header.lane == lane->id && stored->header.seq == entry->seq &&
	       crypto_hash_equal(&stored->header.digest, &entry->digest);
}

static void lane_index_put(const struct lane_set *set, struct lane *lane,
			   const struct lane_stored *stored)
{
	struct lane_index_entry *entry =
		&lane->index[stored->header.seq & (set->config.index_batches - 1)];

	if (entry->header.seq > stored->header.seq)
		return;
	*entry = (struct lane_index_entry){
		.header = stored->header,
		.position = stored->position,
		.is_verified = stored->is_verified,
		.is_signed = lane_stored_is_signed(stored),
	};
}

/*
 * Follows the committed chain down through what is stored; true if nothing of the lane lies below a
 * gap. Of a long lane START brings the newest records only, and records lie in the order of the
 * disk: then something always lies below a gap, and it says nothing.
 */
static bool lane_start_from_committed(const struct lane_set *set, struct lane *lane,
				      const struct lane_stored *stored, uint32_t count)
{
	struct hs_cut_entry at = lane->committed;
	bool has_more = false;
	uint32_t own = 0;

	for (uint32_t i = count; i > 0; i--) {
		const struct lane_stored *one = &stored[i - 1];

		own += one->header.lane == lane->id ? 1 : 0;
		if (one->header.lane != lane->id || one->header.seq > at.seq)
			continue;
		if (lane_stored_is(one, lane, &at)) {
			lane_index_put(set, lane, one);
			at.seq--;
			at.digest = one->header.prev_digest;
		} else if (one->header.seq < at.seq) {
			has_more = true;
		}
	}
	return at.seq < lane->committed.seq &&
	       (at.seq == 0 || !has_more || own == set->config.index_batches);
}

/* Is there another digest at this seq? Then the chain is not settled here. */
static bool lane_start_is_forked(const struct lane_stored *stored, uint32_t count, uint32_t at)
{
	for (uint32_t i = at + 1; i < count; i++)
		if (stored[i].header.lane == stored[at].header.lane)
			return stored[i].header.seq == stored[at].header.seq;
	return false;
}

/* Something below the committed cut is missing: base is where the gapless part ends. */
static void lane_start_from_bottom(const struct lane_set *set, struct lane *lane,
				   const struct lane_stored *stored, uint32_t count)
{
	bool is_first = true;

	for (uint32_t i = 0; i < count; i++) {
		const struct lane_header *header = &stored[i].header;

		if (header->lane != lane->id || header->seq > lane->committed.seq)
			continue;
		if (is_first)
			lane->base = (struct hs_cut_entry){
				.seq = header->seq - 1,
				.digest = header->prev_digest,
			};
		is_first = false;
		if (header->seq != lane->base.seq + 1 ||
		    !crypto_hash_equal(&header->prev_digest, &lane->base.digest) ||
		    lane_start_is_forked(stored, count, i))
			continue;
		lane_index_put(set, lane, &stored[i]);
		lane->base = (struct hs_cut_entry){ .seq = header->seq, .digest = header->digest };
	}
}

static void lane_start_slot(struct lane_set *set, struct lane *lane,
			    const struct lane_stored *stored)
{
	struct lane_slot *slot = lane_slot_open(set, lane, stored->header.seq);
	struct lane_branch *branch = slot ? lane_slot_branch(slot, &stored->header.digest) : NULL;

	if (!slot || branch)
		return;
	branch = lane_slot_add_owner(set, slot, &stored->header.digest);
	if (!branch)
		return;
	branch->header = stored->header;
	branch->has_header = true;
	branch->is_bound = true;
	branch->is_durable = true;
	branch->is_verified = stored->is_verified;
	branch->is_signed = lane_stored_is_signed(stored);
	branch->position = stored->position;
	slot->progress_ns = set->now_ns;
	if (stored->header.seq > lane->expected_seq)
		lane->expected_seq = stored->header.seq;
}

/* Own batches above a gap were never announced: headers leave in order and after the disk. */
static void lane_start_own(struct lane_set *set, struct lane *lane)
{
	for (uint64_t seq = lane->tip.seq + 1; seq <= lane->base.seq + set->ring; seq++) {
		struct lane_slot *slot = lane_slot_find(set, lane, seq);

		for (uint32_t i = 0; slot && i < LANE_BRANCHES_MAX; i++)
			if (!slot->branch[i].is_named)
				lane_branch_forget(set, slot, &slot->branch[i]);
	}
	if (lane->committed.seq <= lane->tip.seq)
		lane->expected_seq = lane->tip.seq;
}

static void lane_start_lane(struct lane_set *set, struct lane *lane,
			    const struct lane_stored *stored, uint32_t count)
{
	if (lane->committed.seq == 0 || lane_start_from_committed(set, lane, stored, count))
		lane->base = lane->committed;
	else
		lane_start_from_bottom(set, lane, stored, count);
	lane->expected_seq = lane->base.seq;
	lane->tip = lane->base;
	for (uint32_t i = 0; i < count; i++)
		if (stored[i].header.lane == lane->id)
			lane_start_slot(set, lane, &stored[i]);
	if (lane->committed.seq > lane->base.seq)
		lane_name(set, lane, &lane->committed, true);
	lane_tip_raise(set, lane);
	if (lane->id == set->config.replica_id)
		lane_start_own(set, lane);
	lane->is_claim_changed = lane->tip.seq > 0;
	lane_due(lane, set->now_ns);
}

void lane_start(struct lane_set *set, const struct lane_input *input)
{
	const struct hs_cut *committed = input->u.start.committed;

	for (uint32_t i = 0; i < set->config.replica_count; i++) {
		struct lane *lane = &set->lanes[i];

		if (committed && i < committed->lane_count)
			lane->committed = committed->lane[i];
		lane_start_lane(set, lane, input->u.start.stored, input->u.start.stored_count);
		set->is_ack_wanted |= lane->is_claim_changed;
	}
	lane_own_start(set, input->u.start.own_seq_floor);
	set->is_changed = true;
}
