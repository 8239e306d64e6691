#include "dataplane/lane_repair.h"

#include <string.h>

#include "base/units.h"
#include "dataplane/lane_claims.h"
#include "dataplane/lane_pool.h"
#include "dataplane/lane_slots.h"

static uint64_t lane_closed_seq(const struct lane *lane)
{
	return units_max(lane->expected_seq, lane->streamed_seq);
}

/* The n-th candidate after the owner who may hold the batch; LANE_NONE if this replica is alone. */
static uint32_t lane_holder(const struct lane_set *set, const struct lane *lane, uint64_t seq,
			    uint32_t nth)
{
	uint32_t count = set->config.replica_count;
	uint32_t holders = 0;
	uint32_t holder[LANE_LANES_MAX];

	for (uint32_t i = 0; i < count; i++) {
		uint32_t peer = (lane->id + i) % count;

		if (peer == set->config.replica_id)
			continue;
		if (i == 0 || lane->claims[peer].newest.seq >= seq || seq <= lane->committed.seq)
			holder[holders++] = peer;
	}
	if (holders < 2 && seq <= lane->expected_seq)
		for (uint32_t i = 1; i < count; i++) {
			uint32_t peer = (lane->id + i) % count;

			if (peer != set->config.replica_id && lane->claims[peer].newest.seq < seq)
				holder[holders++] = peer;
		}
	return holders == 0 ? LANE_NONE : holder[nth % holders];
}

static struct lane_want *lane_want_emit(struct lane_set *set, uint32_t to)
{
	struct lane_effect *effect;

	if (set->want_count == LANE_WANTS_MAX)
		return NULL;
	effect = lane_emit_optional(set, LANE_EFFECT_SEND_WANT, to);
	if (!effect)
		return NULL;

	struct lane_want *want = &set->wants[set->want_count++];

	effect->u.want = want;
	set->repairs_asked++;
	return want;
}

static void lane_missing(const struct lane_batch *batch, uint32_t count,
			 uint64_t ret_map[LANE_BATCH_FRAMES_MAX / 64])
{
	memset(ret_map, 0, sizeof(uint64_t) * (LANE_BATCH_FRAMES_MAX / 64));
	for (uint32_t i = 0; i < count; i++)
		if (!batch || !lane_batch_has(batch, i))
			ret_map[i / 64] |= UINT64_C(1) << (i % 64);
}

/* What is missing of a branch, or of whatever the owner sends (NULL), as a question. */
static void lane_question(const struct lane_set *set, const struct lane *lane,
			  const struct lane_slot *slot, const struct lane_branch *branch,
			  struct lane_want *ret_want)
{
	uint32_t buffer = branch && branch->has_header ? branch->buffer : slot->stream;
	const struct lane_batch *batch = buffer == LANE_NONE ? NULL : &set->buffers[buffer].batch;

	*ret_want = (struct lane_want){ .lane = lane->id, .seq = slot->seq };
	if (branch)
		ret_want->digest = branch->digest;
	if (branch && branch->has_header) {
		ret_want->first_index = LANE_BATCH_FRAMES_MAX;
		if (!branch->is_mismatch)
			lane_missing(batch, branch->header.frame_count, ret_want->missing_map);
		return;
	}
	ret_want->wants_header = true;
	ret_want->first_index = batch ? batch->index_end : 0;
	lane_missing(batch, ret_want->first_index, ret_want->missing_map);
}

/*
 * Should the owner's batch be asked for, whatever is named? `ret_branch` NULL: its digest is
 * unknown.
 */
static bool lane_lacks_owners(const struct lane *lane, struct lane_slot *slot,
			      struct lane_branch **ret_branch)
{
	const struct lane_branch *preferred = lane_slot_preferred(slot);

	*ret_branch = NULL;
	if ((preferred && preferred->is_committed) || lane_slot_is_bound(slot))
		return false;
	if (lane->frozen_seq != 0 && slot->seq >= lane->frozen_seq)
		return false;
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (slot->branch[i].is_used && slot->branch[i].has_header) {
			*ret_branch = &slot->branch[i];
			return !slot->branch[i].is_void;
		}
	return slot->stream != LANE_NONE || slot->seq <= lane_closed_seq(lane);
}

/*
 * Which branch to ask for next, and which holder; false: nothing is missing. A named branch and
 * the owner's take turns, and each of the two goes through all holders.
 */
static bool lane_lacks(const struct lane *lane, struct lane_slot *slot,
		       struct lane_branch **ret_branch, uint32_t *ret_nth)
{
	struct lane_branch *preferred = lane_slot_preferred(slot);
	struct lane_branch *owners;
	bool lacks_owners = lane_lacks_owners(lane, slot, &owners);
	bool lacks_named = preferred && !preferred->is_bound && !preferred->is_void;

	*ret_branch = lacks_named ? preferred : owners;
	*ret_nth = slot->asked_count;
	if (lacks_named && lacks_owners) {
		*ret_branch = slot->asked_count % 2 != 0 ? owners : preferred;
		*ret_nth = slot->asked_count / 2;
	}
	return lacks_named || lacks_owners;
}

static bool lane_ask(struct lane_set *set, struct lane *lane, struct lane_slot *slot,
		     const struct lane_branch *branch, uint32_t to)
{
	struct lane_want *want = to == LANE_NONE ? NULL : lane_want_emit(set, to);

	if (!want)
		return false;
	lane_question(set, lane, slot, branch, want);
	slot->asked_ns = set->now_ns;
	slot->asked_peer = to;
	lane_due(lane, set->now_ns + set->config.repair_interval_ns);
	return true;
}

/* When this slot may be asked for (again). */
static uint64_t lane_slot_due_ns(const struct lane_set *set, const struct lane *lane,
				 struct lane_slot *slot)
{
	uint64_t rounds = (slot->asked_count - slot->urged_count) / set->config.replica_count;
	uint64_t shift = units_min(rounds, LANE_BACKOFF_SHIFT_MAX);
	const struct lane_branch *filling = lane_slot_filling(slot);
	uint64_t patience_ns = set->config.reorder_ns;

	if (slot->progress_ns == 0)
		slot->progress_ns = set->now_ns;
	if (filling && (filling->is_mismatch || filling->is_exact))
		patience_ns = 0;
	if (slot->preferred == LANE_NONE && slot->seq > lane_closed_seq(lane))
		patience_ns += 2 * LANE_CLOSE_STRETCH * set->config.batch_close_ns;
	if (slot->asked_count == 0)
		return slot->progress_ns + patience_ns;
	return slot->asked_ns + (set->config.repair_interval_ns << shift);
}

static void lane_repair_slot(struct lane_set *set, struct lane *lane, struct lane_slot *slot,
			     const struct lane_branch *branch, uint32_t nth, uint64_t *due_ns)
{
	uint64_t slot_due_ns = lane_slot_due_ns(set, lane, slot);

	if (set->now_ns >= slot_due_ns) {
		if (lane_ask(set, lane, slot, branch, lane_holder(set, lane, slot->seq, nth)))
			slot->asked_count++;
		slot_due_ns = set->now_ns + set->config.repair_interval_ns;
	}
	*due_ns = units_min(*due_ns, slot_due_ns);
}

/* A named digest that nobody has, round after round; if it matters it is named again. */
static void lane_repair_unname(struct lane_set *set, struct lane_slot *slot)
{
	struct lane_branch *preferred = lane_slot_preferred(slot);
	uint32_t asks_max = LANE_NAMED_ROUNDS_MAX * set->config.replica_count;

	if (!preferred || preferred->has_header || preferred->is_committed ||
	    slot->asked_count < asks_max)
		return;
	lane_branch_forget(set, slot, preferred);
	lane_slot_ask_anew(slot);
}

/* Frames of a batch that its owner never closed, it seems: a crash of his lost it. */
static bool lane_repair_gives_up(struct lane_set *set, struct lane *lane, struct lane_slot *slot)
{
	if (slot->preferred != LANE_NONE || lane_slot_filling(slot) ||
	    slot->seq <= lane->expected_seq || slot->asked_count < LANE_OPEN_ASKS_MAX)
		return false;
	lane_pool_give_back(set, slot->stream);
	slot->stream = LANE_NONE;
	lane_slot_ask_anew(slot);
	slot->progress_ns = 0;
	lane->streamed_seq = units_min(lane->streamed_seq, slot->seq - 1);
	return true;
}

/* The walk came down into the ring: what lies below is named there, or complete. */
static bool lane_anchor_is_reached(const struct lane_set *set, const struct lane *lane)
{
	const struct lane_slot *below = lane_slot_find(set, lane, lane->anchor[0].seq - 1);

	return below && below->preferred != LANE_NONE;
}

/* Nothing between base and the lowest anchor is known: walk down its chain, header by header. */
static void lane_repair_anchor(struct lane_set *set, struct lane *lane, uint64_t *due_ns)
{
	const struct hs_cut_entry *anchor = &lane->anchor[0];
	uint64_t anchor_due_ns = lane->anchor_asked_ns;

	if (set->now_ns >= anchor_due_ns) {
		struct lane_want *want = lane_want_emit(
			set, lane_holder(set, lane, anchor->seq, lane->anchor_asked_count++));

		if (want)
			*want = (struct lane_want){
				.lane = lane->id,
				.seq = anchor->seq,
				.digest = anchor->digest,
				.wants_header = true,
				.first_index = LANE_BATCH_FRAMES_MAX,
			};
		anchor_due_ns = set->now_ns + set->config.repair_interval_ns;
		lane->anchor_asked_ns = anchor_due_ns;
	}
	*due_ns = units_min(*due_ns, anchor_due_ns);
}

static void lane_repair_lane(struct lane_set *set, struct lane *lane)
{
	uint64_t end = lane->base.seq + set->ring;
	uint64_t due_ns = UINT64_MAX;
	uint32_t streamed = 0;
	uint32_t named = 0;

	for (uint64_t seq = lane->base.seq + 1; seq <= end; seq++) {
		struct lane_slot *slot = lane_slot_find(set, lane, seq);
		struct lane_branch *branch;
		uint32_t nth;

		if (!slot && seq > lane_closed_seq(lane))
			continue;
		if (!lane_is_in_window(set, lane, seq))
			continue;
		slot = lane_slot_open(set, lane, seq);
		lane_repair_unname(set, slot);
		if (!lane_lacks(lane, slot, &branch, &nth))
			continue;
		if (lane_repair_gives_up(set, lane, slot))
			continue;
		uint32_t *fetches = slot->preferred != LANE_NONE ? &named : &streamed;

		if (*fetches == LANE_FETCHES_MAX)
			continue;
		(*fetches)++;
		lane_repair_slot(set, lane, slot, branch, nth, &due_ns);
	}
	if (lane->anchor_count > 0 && named == 0 && !lane_anchor_is_reached(set, lane))
		lane_repair_anchor(set, lane, &due_ns);
	lane->due_ns = due_ns;
}

void lane_repair_urge(struct lane_set *set, struct lane *lane, uint64_t seq)
{
	uint64_t end = units_min(seq, lane->base.seq + set->ring);

	for (uint64_t at = lane->base.seq + 1; at <= end; at++) {
		struct lane_slot *slot = lane_slot_find(set, lane, at);

		if (slot)
			slot->urged_count = slot->asked_count;
	}
	lane_due(lane, set->now_ns);
}

void lane_repair_tick(struct lane_set *set)
{
	uint32_t count = set->config.replica_count;

	for (uint32_t i = 0; i < count; i++) {
		struct lane *lane = &set->lanes[(set->turn + i) % count];

		if (lane->due_ns <= set->now_ns)
			lane_repair_lane(set, lane);
	}
	set->turn = (set->turn + 1) % count;
}

void lane_repair_continue(struct lane_set *set, struct lane *lane, struct lane_branch *branch,
			  uint32_t from)
{
	struct lane_slot *slot = lane_slot_find(set, lane, branch->header.seq);

	if (from == LANE_NONE)
		from = slot->asked_peer;
	if (!lane_ask(set, lane, slot, branch, from))
		lane_due(lane, set->now_ns);
}

bool lane_repair_on_anchor(struct lane_set *set, struct lane *lane,
			   const struct lane_header *header)
{
	struct hs_cut_entry below = { .seq = header->seq - 1, .digest = header->prev_digest };

	if (lane->anchor_count == 0 || lane->anchor[0].seq != header->seq ||
	    memcmp(&lane->anchor[0].digest, &header->digest, sizeof(header->digest)) != 0)
		return false;
	lane->anchor_asked_ns = 0;
	lane->anchor_asked_count = 0;
	lane_name(set, lane, &below, true);
	return true;
}
