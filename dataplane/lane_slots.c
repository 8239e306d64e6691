#include "dataplane/lane_slots.h"

#include "crypto/crypto_hash.h"
#include "dataplane/lane_pool.h"

static struct lane_slot *lane_slot_at(const struct lane_set *set, const struct lane *lane,
				      uint64_t seq)
{
	return &lane->slots[seq & (set->ring - 1)];
}

struct lane_slot *lane_slot_find(const struct lane_set *set, const struct lane *lane, uint64_t seq)
{
	struct lane_slot *slot = lane_slot_at(set, lane, seq);

	return lane_is_in_ring(set, lane, seq) && slot->seq == seq ? slot : NULL;
}

struct lane_slot *lane_slot_open(const struct lane_set *set, struct lane *lane, uint64_t seq)
{
	struct lane_slot *slot = lane_slot_at(set, lane, seq);

	if (!lane_is_in_ring(set, lane, seq))
		return NULL;
	if (slot->seq == seq)
		return slot;
	ensure(slot->seq == 0);
	*slot = (struct lane_slot){
		.seq = seq,
		.preferred = LANE_NONE,
		.stream = LANE_NONE,
		.asked_peer = LANE_NONE,
	};
	return slot;
}

struct lane_branch *lane_slot_branch(struct lane_slot *slot, const struct crypto_hash *digest)
{
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (slot->branch[i].is_used && crypto_hash_equal(&slot->branch[i].digest, digest))
			return &slot->branch[i];
	return NULL;
}

struct lane_branch *lane_slot_preferred(struct lane_slot *slot)
{
	return slot->preferred == LANE_NONE ? NULL : &slot->branch[slot->preferred];
}

void lane_slot_ask_anew(struct lane_slot *slot)
{
	slot->asked_count = 0;
	slot->urged_count = 0;
}

bool lane_slot_is_bound(const struct lane_slot *slot)
{
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (slot->branch[i].is_used && slot->branch[i].is_bound)
			return true;
	return false;
}

static bool lane_branch_is_fillable(const struct lane_branch *branch)
{
	return branch->is_used && branch->has_header && !branch->is_bound && !branch->is_void;
}

struct lane_branch *lane_slot_filling(struct lane_slot *slot)
{
	struct lane_branch *preferred = lane_slot_preferred(slot);

	if (preferred && lane_branch_is_fillable(preferred))
		return preferred;
	if (lane_slot_is_bound(slot))
		return NULL;
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (lane_branch_is_fillable(&slot->branch[i]))
			return &slot->branch[i];
	return NULL;
}

void lane_branch_forget(struct lane_set *set, struct lane_slot *slot, struct lane_branch *branch)
{
	if (!branch->is_used)
		return;
	lane_pool_give_back(set, branch->buffer);
	if (slot->preferred == (uint32_t)(branch - slot->branch))
		slot->preferred = LANE_NONE;
	*branch = (struct lane_branch){ .buffer = LANE_NONE };
}

/* A free branch; else the oldest claim to one that only a proposal made and nothing came of. */
static struct lane_branch *lane_slot_room(struct lane_set *set, struct lane_slot *slot)
{
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (!slot->branch[i].is_used)
			return &slot->branch[i];
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++) {
		struct lane_branch *branch = &slot->branch[i];

		if (!branch->is_from_owner && !branch->is_committed && !branch->is_bound &&
		    slot->preferred != i) {
			lane_branch_forget(set, slot, branch);
			return branch;
		}
	}
	return NULL;
}

static struct lane_branch *lane_slot_add(struct lane_set *set, struct lane_slot *slot,
					 const struct crypto_hash *digest)
{
	struct lane_branch *branch = lane_slot_room(set, slot);

	if (branch)
		*branch = (struct lane_branch){
			.is_used = true,
			.buffer = LANE_NONE,
			.digest = *digest,
		};
	return branch;
}

struct lane_branch *lane_slot_add_owner(struct lane_set *set, struct lane_slot *slot,
					const struct crypto_hash *digest)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		count += slot->branch[i].is_used && slot->branch[i].is_from_owner ? 1 : 0;

	struct lane_branch *branch =
		count < LANE_OWNER_BRANCHES_MAX ? lane_slot_add(set, slot, digest) : NULL;

	if (branch)
		branch->is_from_owner = true;
	return branch;
}

bool lane_is_in_window(const struct lane_set *set, const struct lane *lane, uint64_t seq)
{
	const struct lane_slot *slot = lane_slot_find(set, lane, seq);

	if (!lane_is_in_ring(set, lane, seq))
		return false;
	return seq <= lane->committed.seq + set->config.window_batches ||
	       (slot && slot->preferred != LANE_NONE);
}

const struct lane_index_entry *lane_index_find(const struct lane_set *set, const struct lane *lane,
					       uint64_t seq)
{
	const struct lane_index_entry *entry = &lane->index[seq & (set->config.index_batches - 1)];

	return seq > 0 && seq <= lane->base.seq && entry->header.seq == seq ? entry : NULL;
}

static void lane_link_of_branch(const struct lane_branch *branch, struct lane_link *ret_link)
{
	*ret_link = (struct lane_link){
		.header = &branch->header,
		.is_durable = branch->is_durable,
		.is_verified = branch->is_verified,
		.is_bad = branch->is_bad,
	};
}

static void lane_link_of_index(const struct lane_index_entry *entry, struct lane_link *ret_link)
{
	*ret_link = (struct lane_link){
		.header = &entry->header,
		.is_durable = true,
		.is_verified = entry->is_verified,
	};
}

bool lane_link_at(const struct lane_set *set, const struct lane *lane, uint64_t seq,
		  const struct crypto_hash *digest, struct lane_link *ret_link)
{
	const struct lane_index_entry *entry = lane_index_find(set, lane, seq);
	struct lane_slot *slot = lane_slot_find(set, lane, seq);
	const struct lane_branch *branch = slot ? lane_slot_branch(slot, digest) : NULL;

	if (entry && crypto_hash_equal(&entry->header.digest, digest)) {
		lane_link_of_index(entry, ret_link);
		return true;
	}
	if (!branch || !branch->has_header)
		return false;
	lane_link_of_branch(branch, ret_link);
	return true;
}

static const struct lane_branch *lane_branch_above(const struct lane_slot *slot,
						   const struct crypto_hash *prev,
						   bool is_durable_wanted)
{
	const struct lane_branch *found = NULL;

	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++) {
		const struct lane_branch *branch = &slot->branch[i];

		if (!branch->is_used || !branch->has_header ||
		    !crypto_hash_equal(&branch->header.prev_digest, prev))
			continue;
		if (is_durable_wanted && !branch->is_durable)
			continue;
		if (slot->preferred == i)
			return branch;
		if (!found || (branch->is_durable && !found->is_durable))
			found = branch;
	}
	return found;
}

bool lane_link_above(const struct lane_set *set, const struct lane *lane, uint64_t seq,
		     const struct crypto_hash *prev, struct lane_link *ret_link)
{
	const struct lane_index_entry *entry = lane_index_find(set, lane, seq);
	const struct lane_slot *slot = lane_slot_find(set, lane, seq);
	const struct lane_branch *branch = slot ? lane_branch_above(slot, prev, false) : NULL;

	if (entry && crypto_hash_equal(&entry->header.prev_digest, prev)) {
		lane_link_of_index(entry, ret_link);
		return true;
	}
	if (!branch)
		return false;
	lane_link_of_branch(branch, ret_link);
	return true;
}

bool lane_chain_at(const struct lane_set *set, const struct lane *lane, uint64_t seq,
		   const struct hs_cut_entry *end, struct crypto_hash *ret_digest)
{
	struct hs_cut_entry at = *end;
	struct lane_link link;

	if (seq > at.seq)
		return false;
	while (at.seq > seq) {
		if (seq == 0 && lane_entry_equal(&at, &lane->base))
			break;
		if (!lane_link_at(set, lane, at.seq, &at.digest, &link))
			return false;
		at.digest = link.header->prev_digest;
		at.seq--;
	}
	*ret_digest = seq == 0 ? (struct crypto_hash){ 0 } : at.digest;
	return true;
}

bool lane_tip_raise(struct lane_set *set, struct lane *lane)
{
	struct hs_cut_entry before = lane->tip;
	struct crypto_hash at_tip;
	struct lane_slot *slot;

	for (;;) {
		slot = lane_slot_find(set, lane, lane->tip.seq + 1);

		const struct lane_branch *branch =
			slot ? lane_branch_above(slot, &lane->tip.digest, true) : NULL;

		if (!branch)
			break;
		lane->tip.seq++;
		lane->tip.digest = branch->digest;
	}
	if (lane_entry_equal(&before, &lane->tip))
		return false;
	if (before.seq <= lane->tip.seq &&
	    lane_chain_at(set, lane, before.seq, &lane->tip, &at_tip))
		ensure(crypto_hash_equal(&at_tip, &before.digest));
	lane->is_claim_changed = true;
	return true;
}

/* Is the chain below the tip still the preferred one? If not, the claim starts again from base. */
static void lane_tip_switch(struct lane_set *set, struct lane *lane)
{
	struct hs_cut_entry before = lane->tip;
	bool was_changed = lane->is_claim_changed;

	lane->tip = lane->base;
	lane_tip_raise(set, lane);
	/* Raised from the base to where it was: nothing to tell anybody. */
	lane->is_claim_changed = was_changed || !lane_entry_equal(&before, &lane->tip);
}

void lane_tip_durable(struct lane_set *set, struct lane *lane, const struct lane_branch *branch)
{
	if (branch->is_named && branch->header.seq <= lane->tip.seq)
		lane_tip_switch(set, lane);
	else
		lane_tip_raise(set, lane);
}

static void lane_anchor_put(struct lane *lane, const struct hs_cut_entry *entry)
{
	uint32_t at = 0;

	while (at < lane->anchor_count && lane->anchor[at].seq < entry->seq)
		at++;
	if (at == LANE_ANCHORS_MAX ||
	    (at < lane->anchor_count && lane->anchor[at].seq == entry->seq))
		return;
	if (lane->anchor_count < LANE_ANCHORS_MAX)
		lane->anchor_count++;
	for (uint32_t i = lane->anchor_count - 1; i > at; i--)
		lane->anchor[i] = lane->anchor[i - 1];
	lane->anchor[at] = *entry;
}

static bool lane_slot_has_committed(const struct lane_slot *slot)
{
	return slot->preferred != LANE_NONE && slot->branch[slot->preferred].is_committed;
}

static void lane_slot_forget_others(struct lane_set *set, struct lane_slot *slot)
{
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (i != slot->preferred)
			lane_branch_forget(set, slot, &slot->branch[i]);
}

/* Names one slot; true if the walk goes on below. */
static bool lane_name_slot(struct lane_set *set, struct lane *lane,
			   const struct hs_cut_entry *entry, bool is_committed,
			   bool *ret_is_switched, struct lane_branch **ret_branch)
{
	struct lane_slot *slot = lane_slot_open(set, lane, entry->seq);
	struct lane_branch *branch = lane_slot_branch(slot, &entry->digest);

	if (lane_slot_has_committed(slot) && branch != &slot->branch[slot->preferred])
		return false;
	if (branch && branch->is_committed)
		return false;
	if (!branch)
		branch = lane_slot_add(set, slot, &entry->digest);
	if (!branch)
		return false;
	branch->is_named = true;
	branch->is_committed |= is_committed;
	if (slot->preferred != (uint32_t)(branch - slot->branch)) {
		slot->preferred = (uint32_t)(branch - slot->branch);
		lane_slot_ask_anew(slot);
		*ret_is_switched = true;
	}
	if (is_committed)
		lane_slot_forget_others(set, slot);
	*ret_branch = branch;
	return branch->has_header;
}

static void lane_name_walk(struct lane_set *set, struct lane *lane, struct hs_cut_entry at,
			   bool is_committed)
{
	struct lane_branch *branch = NULL;
	bool is_switched = false;

	while (at.seq > lane->base.seq &&
	       lane_name_slot(set, lane, &at, is_committed, &is_switched, &branch)) {
		at.digest = branch->header.prev_digest;
		at.seq--;
	}
	if (is_switched || is_committed)
		lane_tip_switch(set, lane);
	lane_due(lane, set->now_ns);
}

void lane_name(struct lane_set *set, struct lane *lane, const struct hs_cut_entry *entry,
	       bool is_committed)
{
	if (entry->seq <= lane->base.seq)
		return;
	if (is_committed && entry->seq > lane->expected_seq)
		lane->expected_seq = entry->seq;
	if (lane_is_in_ring(set, lane, entry->seq)) {
		lane_name_walk(set, lane, *entry, is_committed);
	} else if (is_committed) {
		lane_anchor_put(lane, entry);
		lane_due(lane, set->now_ns);
	}
}

void lane_name_below(struct lane_set *set, struct lane *lane, const struct lane_branch *branch)
{
	struct hs_cut_entry below = {
		.seq = branch->header.seq - 1,
		.digest = branch->header.prev_digest,
	};

	lane_name_walk(set, lane, below, branch->is_committed);
}

static void lane_anchors_enter(struct lane_set *set, struct lane *lane)
{
	while (lane->anchor_count > 0 && lane->anchor[0].seq <= lane->base.seq + set->ring) {
		struct hs_cut_entry anchor = lane->anchor[0];

		lane->anchor_count--;
		for (uint32_t i = 0; i < lane->anchor_count; i++)
			lane->anchor[i] = lane->anchor[i + 1];
		lane_name(set, lane, &anchor, true);
	}
	if (lane_is_in_ring(set, lane, lane->committed.seq))
		lane_name(set, lane, &lane->committed, true);
}

void lane_base_raise(struct lane_set *set, struct lane *lane, struct lane_branch *branch)
{
	struct lane_slot *slot = lane_slot_find(set, lane, lane->base.seq + 1);
	struct lane_index_entry *entry =
		&lane->index[(lane->base.seq + 1) & (set->config.index_batches - 1)];

	ensure(slot && branch->is_durable && lane->tip.seq > lane->base.seq);
	*entry = (struct lane_index_entry){
		.header = branch->header,
		.position = branch->position,
		.is_verified = branch->is_verified,
		.is_signed = branch->is_signed,
	};
	lane->base = (struct hs_cut_entry){ .seq = slot->seq, .digest = branch->digest };
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		lane_branch_forget(set, slot, &slot->branch[i]);
	lane_pool_give_back(set, slot->stream);
	*slot = (struct lane_slot){ 0 };
	lane_anchors_enter(set, lane);
}

/* Frees one buffer of a slot that can be had again: durable content, or frames not yet bound. */
static bool lane_slot_shed(struct lane_set *set, struct lane_slot *slot)
{
	if (slot->stream != LANE_NONE) {
		lane_pool_give_back(set, slot->stream);
		slot->stream = LANE_NONE;
		return true;
	}
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++) {
		struct lane_branch *branch = &slot->branch[i];

		if (!branch->is_used || branch->buffer == LANE_NONE ||
		    (branch->is_bound && !branch->is_durable))
			continue;
		lane_pool_give_back(set, branch->buffer);
		branch->buffer = LANE_NONE;
		branch->is_mismatch = false;
		return true;
	}
	return false;
}

uint32_t lane_buffer_take(struct lane_set *set, struct lane *lane, uint64_t seq)
{
	uint32_t buffer = lane_pool_take(set, lane->id, seq);

	for (uint64_t at = lane->base.seq + set->ring; buffer == LANE_NONE && at > seq; at--) {
		struct lane_slot *slot = lane_slot_find(set, lane, at);

		if (slot && lane_slot_shed(set, slot))
			buffer = lane_pool_take(set, lane->id, seq);
	}
	return buffer;
}
