#include <string.h>

#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_own.h"
#include "dataplane/lane_repair.h"
#include "dataplane/lane_slots.h"
#include "wire/wire_message.h"

/* A batch's content, wherever it lies: in its buffer or in a record just read. */
struct lane_source {
	const struct lane_header *header;
	const struct lane_batch *batch; /* or NULL */
	const struct lane_record *record;
	const struct crypto_hash *leaves;
};

static const uint8_t *lane_source_frame(const struct lane_source *source, uint32_t index,
					uint32_t *ret_byte_count)
{
	return source->batch ? lane_batch_frame(source->batch, index, ret_byte_count) :
			       lane_record_frame(source->record, index, ret_byte_count);
}

/*
 * All levels of the Merkle tree one behind the other in `tree`, leaves first (at most 2 * count +
 * 9).
 */
static void lane_tree_build(const struct crypto_hash *leaves, uint32_t count,
			    struct crypto_hash *tree)
{
	memcpy(tree, leaves, sizeof(tree[0]) * count);
	while (count > 1) {
		struct crypto_hash *above = tree + count;
		struct crypto_hash pair[2];

		for (uint32_t i = 0; i + 1 < count; i += 2)
			above[i / 2] = wire_merkle_root(&tree[i], 2, pair);
		if (count % 2 != 0)
			above[count / 2] = tree[count - 1];
		tree = above;
		count = (count + 1) / 2;
	}
}

static uint32_t lane_tree_path(const struct crypto_hash *tree, uint32_t count, uint32_t index,
			       struct crypto_hash ret_path[LANE_REPAIR_PATH_MAX])
{
	uint32_t length = 0;

	for (; count > 1; index /= 2) {
		if ((index ^ 1) < count)
			ret_path[length++] = tree[index ^ 1];
		tree += count;
		count = (count + 1) / 2;
	}
	return length;
}

static bool lane_wants_frame(const struct lane_want *want, uint32_t index)
{
	return index >= want->first_index ||
	       (want->missing_map[index / 64] >> (index % 64) & 1) != 0;
}

static bool lane_wants_frames(const struct lane_want *want)
{
	uint64_t any = want->first_index < LANE_BATCH_FRAMES_MAX;

	for (uint32_t i = 0; i < LANE_BATCH_FRAMES_MAX / 64; i++)
		any |= want->missing_map[i];
	return any != 0;
}

static bool lane_wants_leaves(const struct lane_want *want)
{
	return !want->wants_header && !lane_wants_frames(want);
}

/* Takes `cost` frames from the peer's budget of this interval; false if it is used up. */
static bool lane_budget_take(struct lane_set *set, uint32_t peer, uint32_t cost)
{
	struct lane_peer *of = &set->peers[peer];

	if (of->budget_ns == 0 || set->now_ns - of->budget_ns >= set->config.repair_interval_ns) {
		of->budget_ns = set->now_ns > 0 ? set->now_ns : 1;
		of->budget = set->config.repair_budget;
	}
	if (of->budget < cost)
		return false;
	of->budget -= cost;
	return true;
}

/* Fills the repair answer with wanted frames, as many as fit budget and message. */
static void lane_answer_frames(struct lane_set *set, uint32_t to, const struct lane_want *want,
			       const struct lane_source *source)
{
	uint32_t count = source->header->frame_count;
	uint32_t room = LANE_REPAIR_BYTES_MAX;

	lane_tree_build(source->leaves, count, set->scratch);
	for (uint32_t i = 0; i < count && set->repair.count < LANE_REPAIR_FRAMES_MAX; i++) {
		struct lane_repair_frame *frame = &set->repair.frame[set->repair.count];

		if (!lane_wants_frame(want, i))
			continue;
		frame->bytes = lane_source_frame(source, i, &frame->byte_count);
		frame->path_count = lane_tree_path(set->scratch, count, i, frame->path);

		uint32_t cost = frame->byte_count + frame->path_count * CRYPTO_HASH_BYTES;

		if (cost > room || !lane_budget_take(set, to, 1))
			return;
		room -= cost;
		frame->index = i;
		frame->frame_hash = source->leaves[i];
		frame->is_signed = true;
		set->repair.count++;
	}
}

static void lane_answer_repair(struct lane_set *set, uint32_t to, const struct lane_want *want,
			       const struct lane_source *source)
{
	struct lane_effect *effect;

	if (set->is_repair_used || !lane_budget_take(set, to, 1)) {
		lane_emit_drop(set, LANE_DROP_BUDGET);
		return;
	}
	set->is_repair_used = true;
	set->repair.header = *source->header;
	set->repair.count = 0;
	if (source->leaves)
		lane_answer_frames(set, to, want, source);
	effect = lane_emit(set, LANE_EFFECT_SEND_REPAIR, to);
	effect->u.repair = &set->repair;
	set->repairs_served++;
}

static void lane_answer_leaves(struct lane_set *set, uint32_t to, const struct lane_want *want,
			       const struct lane_source *source)
{
	if (set->is_leaves_used || !lane_budget_take(set, to, LANE_LEAVES_COST)) {
		lane_emit_drop(set, LANE_DROP_BUDGET);
		return;
	}
	set->is_leaves_used = true;
	set->leaves.lane = want->lane;
	set->leaves.seq = want->seq;
	set->leaves.count = source->header->frame_count;
	memcpy(set->leaves.leaf, source->leaves,
	       sizeof(set->leaves.leaf[0]) * source->header->frame_count);
	lane_emit(set, LANE_EFFECT_SEND_LEAVES, to)->u.leaves = &set->leaves;
	set->repairs_served++;
}

static void lane_answer(struct lane_set *set, uint32_t to, const struct lane_want *want,
			const struct lane_source *source)
{
	if (lane_wants_leaves(want))
		lane_answer_leaves(set, to, want, source);
	else
		lane_answer_repair(set, to, want, source);
}

static void lane_answer_from_disk(struct lane_set *set, uint32_t to, const struct lane_want *want,
				  const struct lane_header *header, uint64_t position)
{
	for (uint32_t i = 0; i < LANE_READS_MAX; i++) {
		struct lane_read *read = &set->reads[i];

		if (read->is_used)
			continue;

		struct lane_effect *effect = lane_emit(set, LANE_EFFECT_READ, HS_REPLICA_NONE);

		*read = (struct lane_read){
			.is_used = true,
			.to = to,
			.want = *want,
			.digest = header->digest,
			.signature = header->signature,
		};
		effect->ticket = i;
		effect->u.position = position;
		return;
	}
	lane_emit_drop(set, LANE_DROP_BUDGET);
}

/* What we hold of a wanted batch: header and signature always, content maybe only on disk. */
struct lane_held {
	const struct lane_header *header;
	bool is_signed;
	bool is_durable;
	uint64_t position;
	uint32_t buffer;
};

static const struct lane_branch *lane_held_branch(struct lane_slot *slot,
						  const struct crypto_hash *digest)
{
	const struct lane_branch *found = NULL;

	if (!crypto_hash_is_zero(digest))
		return lane_slot_branch(slot, digest);
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++) {
		const struct lane_branch *branch = &slot->branch[i];

		if (branch->is_used && branch->has_header &&
		    (!found || (branch->is_bound && !found->is_bound)))
			found = branch;
	}
	return found;
}

static bool lane_held_find(const struct lane_set *set, const struct lane *lane,
			   const struct lane_want *want, struct lane_held *ret_held)
{
	const struct lane_index_entry *entry = lane_index_find(set, lane, want->seq);
	struct lane_slot *slot = lane_slot_find(set, lane, want->seq);
	const struct lane_branch *branch = slot ? lane_held_branch(slot, &want->digest) : NULL;

	if (entry && (crypto_hash_is_zero(&want->digest) ||
		      crypto_hash_equal(&entry->header.digest, &want->digest))) {
		*ret_held = (struct lane_held){
			.header = &entry->header,
			.is_signed = entry->is_signed,
			.is_durable = true,
			.position = entry->position,
			.buffer = LANE_NONE,
		};
		return true;
	}
	if (!branch || !branch->has_header)
		return false;
	*ret_held = (struct lane_held){
		.header = &branch->header,
		.is_signed = branch->is_signed,
		.is_durable = branch->is_durable,
		.position = branch->position,
		.buffer = branch->is_bound ? branch->buffer : LANE_NONE,
	};
	return true;
}

static bool lane_may_show(struct lane_set *set, const struct lane *lane,
			  const struct lane_held *held)
{
	if (lane->id != set->config.replica_id)
		return held->is_signed;
	if (!held->is_durable)
		return false;
	if (!held->is_signed)
		lane_own_sign_again(set, held->header->seq, &held->header->digest);
	return held->is_signed && held->header->seq <= set->own.sent_seq;
}

void lane_repair_on_want(struct lane_set *set, uint32_t from, const struct lane_want *want)
{
	struct lane_held held;

	if (want->lane >= set->config.replica_count || from >= set->config.replica_count ||
	    !lane_held_find(set, &set->lanes[want->lane], want, &held) ||
	    !lane_may_show(set, &set->lanes[want->lane], &held)) {
		lane_emit_drop(set, LANE_DROP_UNKNOWN);
		return;
	}

	struct lane_source source = { .header = held.header };

	if (want->wants_header && !lane_wants_frames(want)) {
		lane_answer(set, from, want, &source);
	} else if (held.buffer != LANE_NONE) {
		source.batch = &set->buffers[held.buffer].batch;
		source.leaves = source.batch->hash;
		lane_answer(set, from, want, &source);
	} else if (held.is_durable) {
		lane_answer_from_disk(set, from, want, held.header, held.position);
	} else if (want->wants_header) {
		lane_answer(set, from, want, &source);
	} else {
		lane_emit_drop(set, LANE_DROP_UNKNOWN);
	}
}

void lane_repair_on_read(struct lane_set *set, uint64_t ticket, int code, const uint8_t *bytes,
			 uint32_t byte_count)
{
	struct lane_record record;
	struct lane_read *read = ticket < LANE_READS_MAX ? &set->reads[ticket] : NULL;

	if (!read || !read->is_used)
		return;
	read->is_used = false;
	if (code < 0 || lane_record_open(bytes, byte_count, &set->config.chain_id, &record) != 0 ||
	    !crypto_hash_equal(&record.header.digest, &read->digest) ||
	    lane_record_check(&record, set->leaf, set->scratch) != 0) {
		lane_emit_drop(set, LANE_DROP_UNKNOWN);
		return;
	}
	record.header.signature = read->signature;

	struct lane_source source = {
		.header = &record.header,
		.record = &record,
		.leaves = set->leaf,
	};

	lane_answer(set, read->to, &read->want, &source);
}
