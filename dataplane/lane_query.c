#include <string.h>

#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_claims.h"
#include "dataplane/lane_set.h"
#include "dataplane/lane_slots.h"

/* The known chain above a parent's entry, at most one cut long. */
struct lane_path {
	uint32_t count;
	struct crypto_hash digest[LANE_WINDOW_MAX];
	bool is_bad[LANE_WINDOW_MAX];
};

static void lane_path_find(const struct lane_set *set, const struct lane *lane,
			   const struct hs_cut_entry *parent, struct lane_path *ret_path)
{
	struct crypto_hash at = parent->digest;
	struct lane_link link;

	ret_path->count = 0;
	while (ret_path->count < set->config.cut_batches_max &&
	       lane_link_above(set, lane, parent->seq + ret_path->count + 1, &at, &link)) {
		at = link.header->digest;
		ret_path->is_bad[ret_path->count] = link.is_bad;
		ret_path->digest[ret_path->count++] = at;
	}
}

/* How many batches of the path a claim covers. */
static uint32_t lane_path_reach(const struct lane_set *set, const struct lane *lane,
				const struct lane_path *path, uint64_t parent_seq,
				const struct hs_cut_entry *claim)
{
	uint64_t above = claim->seq > parent_seq ? claim->seq - parent_seq : 0;
	struct crypto_hash digest;

	if (above == 0 || path->count == 0)
		return 0;
	if (above <= path->count)
		return crypto_hash_equal(&path->digest[above - 1], &claim->digest) ?
			       (uint32_t)above :
			       0;
	if (lane_chain_at(set, lane, parent_seq + path->count, claim, &digest) &&
	    crypto_hash_equal(&digest, &path->digest[path->count - 1]))
		return path->count;
	return 0;
}

static void lane_path_reaches(const struct lane_set *set, const struct lane *lane,
			      const struct lane_path *path, uint64_t parent_seq,
			      uint32_t ret_reach[LANE_LANES_MAX])
{
	for (uint32_t peer = 0; peer < set->config.replica_count; peer++) {
		const struct lane_claim *claim = &lane->claims[peer];

		if (peer == set->config.replica_id) {
			ret_reach[peer] = lane_path_reach(set, lane, path, parent_seq, &lane->tip);
			continue;
		}
		ret_reach[peer] = lane_path_reach(set, lane, path, parent_seq, &claim->newest);
		if (ret_reach[peer] == 0)
			ret_reach[peer] =
				lane_path_reach(set, lane, path, parent_seq, &claim->known);
	}
}

static bool lane_is_verified_here(const struct lane_set *set, const struct lane *lane, uint64_t seq,
				  const struct crypto_hash *digest)
{
	struct lane_link link;

	return lane_link_at(set, lane, seq, digest, &link) && link.is_durable && link.is_verified;
}

/* q store and f+1 checked the i-th batch of the path (§2.6). */
static bool lane_path_is_backed(const struct lane_set *set, const struct lane *lane,
				const struct lane_path *path, uint64_t parent_seq,
				const uint32_t reach[LANE_LANES_MAX], uint32_t i)
{
	uint64_t seq = parent_seq + i + 1;
	uint32_t stored = 0;
	uint32_t verified = 0;

	for (uint32_t peer = 0; peer < set->config.replica_count; peer++) {
		if (reach[peer] <= i)
			continue;
		stored++;
		if (!lane_duty(set, lane->id, seq, &path->digest[i], peer))
			continue;
		if (peer == set->config.replica_id)
			verified += lane_is_verified_here(set, lane, seq, &path->digest[i]) ? 1 : 0;
		else
			verified += lane_claim_has_bit(&lane->claims[peer], seq) ? 1 : 0;
	}
	return stored >= hs_quorum(set->config.replica_count) &&
	       verified > hs_faulty_max(set->config.replica_count);
}

static struct hs_cut_entry lane_cut_of(const struct lane_set *set, const struct lane *lane,
				       const struct hs_cut_entry *parent)
{
	struct hs_cut_entry entry = *parent;
	uint32_t reach[LANE_LANES_MAX];
	struct lane_path path;

	lane_path_find(set, lane, parent, &path);
	if (path.count == 0)
		return entry;
	lane_path_reaches(set, lane, &path, parent->seq, reach);
	for (uint32_t i = 0; i < path.count && !path.is_bad[i] &&
			     lane_path_is_backed(set, lane, &path, parent->seq, reach, i);
	     i++) {
		entry.seq++;
		entry.digest = path.digest[i];
	}
	return entry;
}

static const struct hs_cut_entry *lane_entry_of(const struct hs_cut *cut, uint32_t lane)
{
	static const struct hs_cut_entry none;

	return lane < cut->lane_count ? &cut->lane[lane] : &none;
}

bool lane_set_has_cut(const struct lane_set *set, const struct hs_cut *parent)
{
	for (uint32_t i = 0; i < set->config.replica_count; i++) {
		const struct hs_cut_entry *from = lane_entry_of(parent, i);

		if (lane_cut_of(set, &set->lanes[i], from).seq > from->seq)
			return true;
	}
	return false;
}

bool lane_set_cut(const struct lane_set *set, const struct hs_cut *parent, struct hs_cut *ret_cut)
{
	bool is_above = false;

	ret_cut->lane_count = set->config.replica_count;
	for (uint32_t i = 0; i < set->config.replica_count; i++) {
		const struct hs_cut_entry *from = lane_entry_of(parent, i);

		ret_cut->lane[i] = lane_cut_of(set, &set->lanes[i], from);
		is_above |= ret_cut->lane[i].seq > from->seq;
	}
	return is_above;
}

static enum lane_payload lane_payload_of(const struct lane_set *set, const struct lane *lane,
					 const struct hs_cut_entry *parent,
					 const struct hs_cut_entry *entry)
{
	enum lane_payload verdict = LANE_PAYLOAD_READY;
	struct hs_cut_entry at = *entry;
	struct lane_link link;

	if (entry->seq < parent->seq || entry->seq - parent->seq > set->config.cut_batches_max)
		return LANE_PAYLOAD_INVALID;
	while (at.seq > parent->seq) {
		if (!lane_link_at(set, lane, at.seq, &at.digest, &link))
			return LANE_PAYLOAD_WAIT;
		if (link.is_bad)
			return LANE_PAYLOAD_INVALID;
		if (!link.is_durable ||
		    (!link.is_verified && lane_claims_verified(set, lane, at.seq, &at.digest) <=
						  hs_faulty_max(set->config.replica_count)))
			verdict = LANE_PAYLOAD_WAIT;
		at.digest = link.header->prev_digest;
		at.seq--;
	}
	return crypto_hash_equal(&at.digest, &parent->digest) ? verdict : LANE_PAYLOAD_INVALID;
}

enum lane_payload lane_set_payload(const struct lane_set *set, const struct hs_cut *parent,
				   const struct hs_cut *cut)
{
	enum lane_payload verdict = LANE_PAYLOAD_READY;

	if (cut->lane_count != set->config.replica_count)
		return LANE_PAYLOAD_INVALID;
	for (uint32_t i = 0; i < cut->lane_count; i++) {
		enum lane_payload one = lane_payload_of(set, &set->lanes[i],
							lane_entry_of(parent, i), &cut->lane[i]);

		if (one == LANE_PAYLOAD_INVALID)
			return one;
		if (one == LANE_PAYLOAD_WAIT)
			verdict = one;
	}
	return verdict;
}

static bool lane_is_stored_between(const struct lane_set *set, const struct lane *lane,
				   uint64_t parent_seq, const struct hs_cut_entry *entry)
{
	struct hs_cut_entry at = *entry;
	struct lane_link link;

	for (; at.seq > parent_seq; at.seq--) {
		if (!lane_link_at(set, lane, at.seq, &at.digest, &link) || !link.is_durable)
			return false;
		at.digest = link.header->prev_digest;
	}
	return true;
}

bool lane_set_is_stored(const struct lane_set *set, const struct hs_cut *parent,
			const struct hs_cut *cut)
{
	uint32_t count = cut->lane_count < set->config.replica_count ? cut->lane_count :
								       set->config.replica_count;

	for (uint32_t i = 0; i < count; i++)
		if (!lane_is_stored_between(set, &set->lanes[i], lane_entry_of(parent, i)->seq,
					    &cut->lane[i]))
			return false;
	return true;
}

bool lane_set_batch(const struct lane_set *set, uint32_t lane_id, uint64_t seq,
		    const struct crypto_hash *digest, struct lane_batch_view *ret_view)
{
	const struct lane *lane = &set->lanes[lane_id];
	const struct lane_index_entry *entry = lane_index_find(set, lane, seq);
	struct lane_slot *slot = lane_slot_find(set, lane, seq);
	const struct lane_branch *branch = slot ? lane_slot_branch(slot, digest) : NULL;

	ensure(lane_id < set->config.replica_count);
	if (entry && crypto_hash_equal(&entry->header.digest, digest)) {
		*ret_view = (struct lane_batch_view){
			.header = &entry->header,
			.is_durable = true,
			.position = entry->position,
		};
		return true;
	}
	if (!branch || !branch->is_bound)
		return false;
	*ret_view = (struct lane_batch_view){
		.header = &branch->header,
		.is_durable = branch->is_durable,
		.position = branch->position,
	};
	if (branch->buffer != LANE_NONE) {
		ret_view->record = set->buffers[branch->buffer].batch.record;
		ret_view->record_bytes = set->buffers[branch->buffer].batch.record_bytes;
	}
	return true;
}

bool lane_set_chain_digest(const struct lane_set *set, uint32_t lane, uint64_t seq,
			   const struct hs_cut_entry *end, struct crypto_hash *ret_digest)
{
	return lane < set->config.replica_count &&
	       lane_chain_at(set, &set->lanes[lane], seq, end, ret_digest);
}

void lane_set_status(const struct lane_set *set, struct lane_status *ret_status)
{
	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->own_seq = set->own.seq;
	ret_status->buffers_used = set->buffers_used;
	ret_status->buffers = set->buffer_count;
	ret_status->repairs_asked = set->repairs_asked;
	ret_status->repairs_served = set->repairs_served;
	for (uint32_t i = 0; i < set->config.replica_count; i++) {
		ret_status->stored_seq[i] = set->lanes[i].tip.seq;
		ret_status->committed_seq[i] = set->lanes[i].committed.seq;
	}
}

/* Buffers that branches, streams and the open batch of this lane refer to. */
static uint32_t lane_check_slot(const struct lane_set *set, const struct lane_slot *slot)
{
	uint32_t buffers = slot->seq != 0 && slot->stream != LANE_NONE ? 1 : 0;

	for (uint32_t i = 0; slot->seq != 0 && i < LANE_BRANCHES_MAX; i++) {
		const struct lane_branch *branch = &slot->branch[i];

		if (!branch->is_used)
			continue;
		ensure(!branch->is_durable || branch->is_bound);
		ensure(!branch->is_verified || branch->is_bound);
		ensure(!branch->is_bound || branch->has_header);
		ensure(!branch->has_header || branch->header.seq == slot->seq);
		if (branch->buffer == LANE_NONE)
			continue;
		ensure(set->buffers[branch->buffer].is_used);
		ensure(set->buffers[branch->buffer].seq == slot->seq);
		buffers++;
	}
	return buffers;
}

/* `buffers`: those of the lane that nothing but the disk refers to. */
static void lane_check_lane(const struct lane_set *set, const struct lane *lane, uint32_t buffers)
{
	struct hs_cut_entry at = lane->tip;
	struct lane_link link;

	ensure(lane->base.seq <= lane->tip.seq);
	ensure(lane->base.seq <= lane->committed.seq);
	for (; at.seq > lane->base.seq; at.seq--) {
		ensure(lane_link_at(set, lane, at.seq, &at.digest, &link));
		ensure(link.is_durable);
		at.digest = link.header->prev_digest;
	}
	ensure(lane_entry_equal(&at, &lane->base));
	for (uint32_t i = 0; i < set->ring; i++) {
		ensure(lane->slots[i].seq == 0 || lane_is_in_ring(set, lane, lane->slots[i].seq));
		buffers += lane_check_slot(set, &lane->slots[i]);
	}
	if (lane->id == set->config.replica_id && set->own.open != LANE_NONE)
		buffers++;
	ensure(buffers == lane->buffers_used);
}

static void lane_check_doomed(const struct lane_set *set, uint32_t ret_doomed[LANE_LANES_MAX])
{
	memset(ret_doomed, 0, LANE_LANES_MAX * sizeof(ret_doomed[0]));
	for (uint32_t i = 0; i < set->buffer_count; i++) {
		const struct lane_buffer *buffer = &set->buffers[i];

		if (!buffer->is_used || !buffer->is_doomed)
			continue;
		ensure(buffer->lane < set->config.replica_count);
		ret_doomed[buffer->lane]++;
	}
}

void lane_set_check(const struct lane_set *set)
{
	uint32_t doomed[LANE_LANES_MAX];
	uint32_t used = 0;
	uint32_t spare = 0;

	lane_check_doomed(set, doomed);
	for (uint32_t i = 0; i < set->config.replica_count; i++) {
		const struct lane *lane = &set->lanes[i];

		lane_check_lane(set, lane, doomed[i]);
		used += lane->buffers_used;
		spare += (uint32_t)units_max(lane->buffers_used, set->config.window_batches) -
			 set->config.window_batches;
	}
	ensure(used == set->buffers_used && used + set->free_count == set->buffer_count);
	ensure(spare == set->spare_used && spare <= set->config.spare_buffers);
}
