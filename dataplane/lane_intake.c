#include "dataplane/lane_intake.h"

#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_evidence.h"
#include "dataplane/lane_own.h"
#include "dataplane/lane_pool.h"
#include "dataplane/lane_repair.h"
#include "dataplane/lane_slots.h"
#include "wire/wire_message.h"

static bool lane_is_frozen_at(const struct lane *lane, uint64_t seq)
{
	return lane->frozen_seq != 0 && seq >= lane->frozen_seq;
}

static void lane_persist(struct lane_set *set, struct lane_branch *branch)
{
	struct lane_buffer *buffer = &set->buffers[branch->buffer];
	struct lane_effect *effect = lane_emit(set, LANE_EFFECT_PERSIST, HS_REPLICA_NONE);

	buffer->is_with_disk = true;
	effect->ticket = lane_pool_ticket(set, branch->buffer);
	effect->u.persist.bytes = buffer->batch.record;
	effect->u.persist.byte_count = buffer->batch.record_bytes;
}

/* All frames are here, and together they are not what the header says. */
static void lane_bind_failed(struct lane_set *set, struct lane *lane, struct lane_branch *branch)
{
	const struct lane_batch *batch = &set->buffers[branch->buffer].batch;
	struct crypto_hash root = lane_batch_root(batch, set->scratch);

	if (!branch->is_mismatch)
		lane_emit_drop(set, LANE_DROP_ROOT);
	if (crypto_hash_equal(&root, &branch->header.frames_root)) {
		lane_pool_give_back(set, branch->buffer); /* nobody can ever store this one */
		branch->buffer = LANE_NONE;
		branch->is_void = true;
		return;
	}
	branch->is_mismatch = true;
	lane_due(lane, set->now_ns);
}

/* Complete? Then it binds, or shows that some frame is wrong. */
static void lane_bind(struct lane_set *set, struct lane *lane, struct lane_branch *branch)
{
	struct lane_batch *batch = &set->buffers[branch->buffer].batch;
	uint32_t bad_index;

	if (!branch->has_header || branch->is_bound ||
	    !lane_batch_is_complete(batch, &branch->header))
		return;
	if (!lane_batch_matches(batch, &branch->header, set->scratch)) {
		lane_bind_failed(set, lane, branch);
		return;
	}
	lane_batch_seal(batch, &branch->header);
	branch->is_bound = true;
	branch->is_mismatch = false;
	if (lane_batch_has_bad(batch, &bad_index)) {
		lane_evidence_bad_seal(set, lane, branch, bad_index);
		if (!branch->is_committed)
			return;
	} else {
		branch->is_verified = true;
	}
	lane_persist(set, branch);
}

/* Gives a branch the frames that came before its header, as far as they can be its own. */
static void lane_adopt_stream(struct lane_set *set, struct lane_slot *slot,
			      struct lane_branch *branch)
{
	if (slot->stream == LANE_NONE || branch->buffer != LANE_NONE || branch->is_bound)
		return;
	branch->buffer = slot->stream;
	slot->stream = LANE_NONE;
	lane_batch_trim(&set->buffers[branch->buffer].batch, branch->header.frame_count);
}

static bool lane_header_fits(struct lane_set *set, const struct lane_header *header)
{
	if (header->frame_count == 0 || header->frame_count > set->config.batch_frames_max)
		lane_emit_drop(set, LANE_DROP_INDEX);
	else if (header->frame_bytes == 0 || header->frame_bytes > set->config.batch_bytes_max)
		lane_emit_drop(set, LANE_DROP_OVERSIZE);
	else
		return true;
	return false;
}

/* Where the chain below is settled, a header must continue it. */
static bool lane_header_extends(const struct lane_set *set, const struct lane *lane,
				const struct lane_header *header)
{
	struct lane_slot *below = lane_slot_find(set, lane, header->seq - 1);

	if (header->seq == 1)
		return crypto_hash_is_zero(&header->prev_digest);
	if (header->seq - 1 == lane->base.seq)
		return crypto_hash_equal(&header->prev_digest, &lane->base.digest);
	if (below && below->preferred != LANE_NONE && below->branch[below->preferred].is_committed)
		return crypto_hash_equal(&header->prev_digest,
					 &below->branch[below->preferred].digest);
	return true;
}

/* A branch for this header, or NULL with the reason counted. */
static struct lane_branch *lane_header_branch(struct lane_set *set, struct lane *lane,
					      const struct lane_header *header)
{
	struct lane_slot *slot = lane_slot_open(set, lane, header->seq);
	struct lane_branch *branch = lane_slot_branch(slot, &header->digest);
	bool is_settled = slot->preferred != LANE_NONE &&
			  slot->branch[slot->preferred].is_committed;

	lane_evidence_fork(set, slot, header);
	if (branch)
		return branch;
	if (lane_is_frozen_at(lane, header->seq)) {
		lane_emit_drop(set, LANE_DROP_SEAL);
		return NULL;
	}
	branch = is_settled ? NULL : lane_slot_add_owner(set, slot, &header->digest);
	if (!branch)
		lane_emit_drop(set, LANE_DROP_FORK);
	return branch;
}

/* Takes a signed header in; returns its branch, new or old, or NULL. */
static struct lane_branch *lane_take_header(struct lane_set *set, const struct lane_header *header)
{
	struct lane *lane = &set->lanes[header->lane];
	bool is_own = header->lane == set->config.replica_id;

	if (!lane_header_fits(set, header))
		return NULL;
	if (header->seq <= lane->base.seq || (is_own && header->seq <= set->own.seq)) {
		lane_emit_drop(set, LANE_DROP_OLD);
		return NULL;
	}
	if (!lane_is_in_window(set, lane, header->seq)) {
		lane_emit_drop(set, LANE_DROP_WINDOW);
		return NULL;
	}
	if (!lane_header_extends(set, lane, header)) {
		lane_emit_drop(set, LANE_DROP_CHAIN);
		return NULL;
	}

	struct lane_branch *branch = lane_header_branch(set, lane, header);
	struct lane_slot *slot = lane_slot_find(set, lane, header->seq);

	if (!branch || branch->has_header)
		return branch;
	branch->header = *header;
	branch->has_header = true;
	branch->is_signed = true;
	slot->progress_ns = set->now_ns;
	if (lane_slot_filling(slot) == branch)
		lane_adopt_stream(set, slot, branch);
	if (header->seq > lane->expected_seq)
		lane->expected_seq = header->seq;
	lane_due(lane, set->now_ns + set->config.reorder_ns);
	set->is_changed = true;
	if (branch->is_named)
		lane_name_below(set, lane, branch);
	return branch;
}

void lane_intake_on_header(struct lane_set *set, const struct lane_header *header)
{
	if (header->lane >= set->config.replica_count) {
		lane_emit_drop(set, LANE_DROP_UNKNOWN);
		return;
	}
	struct lane *lane = &set->lanes[header->lane];
	struct lane_slot *slot = lane_slot_find(set, lane, header->seq);
	const struct lane_branch *held = slot ? lane_slot_branch(slot, &header->digest) : NULL;

	if (held && held->has_header) {
		lane_emit_drop(set, LANE_DROP_DUPLICATE);
		return;
	}

	struct lane_branch *branch = lane_take_header(set, header);

	if (branch && branch->buffer != LANE_NONE)
		lane_bind(set, lane, branch);
}

/* Where the owner's next frame of this slot goes; NULL: nothing more is needed from the stream. */
static uint32_t *lane_stream_buffer(struct lane_slot *slot, struct lane_branch **ret_branch)
{
	struct lane_branch *branch = lane_slot_filling(slot);

	*ret_branch = branch;
	if (branch)
		return branch->is_exact ? NULL : &branch->buffer;
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (slot->branch[i].is_used && slot->branch[i].has_header)
			return NULL;
	return &slot->stream;
}

/* A different frame at an index: its owner began this batch anew, or lied. */
static void lane_frame_replace(struct lane_batch *batch, const struct lane_frame *frame)
{
	if (lane_batch_has(batch, frame->index) &&
	    !crypto_hash_equal(&batch->hash[frame->index], &frame->frame_hash))
		lane_batch_remove(batch, frame->index);
}

static void lane_frame_add(struct lane_set *set, struct lane *lane, struct lane_slot *slot,
			   const struct lane_frame *frame)
{
	struct lane_branch *branch;
	uint32_t *buffer = lane_stream_buffer(slot, &branch);

	if (!buffer) {
		lane_emit_drop(set, LANE_DROP_DUPLICATE);
		return;
	}
	if (branch && frame->index >= branch->header.frame_count) {
		lane_emit_drop(set, LANE_DROP_INDEX);
		return;
	}
	if (*buffer == LANE_NONE)
		*buffer = lane_buffer_take(set, lane, frame->seq);
	if (*buffer == LANE_NONE) {
		lane_emit_drop(set, LANE_DROP_NO_BUFFER);
		return;
	}

	struct lane_batch *batch = &set->buffers[*buffer].batch;

	lane_frame_replace(batch, frame);

	int code = lane_batch_add(batch, frame->index, &frame->frame_hash, frame->is_signed,
				  frame->bytes, frame->byte_count);

	if (code != 0) {
		lane_emit_drop(set,
			       code == ERR_DUPLICATE ? LANE_DROP_DUPLICATE : LANE_DROP_OVERSIZE);
		return;
	}
	slot->progress_ns = set->now_ns;
	if (branch)
		lane_bind(set, lane, branch);
}

/* Bounds of §2.8 for a frame of the stream. */
static bool lane_frame_is_welcome(struct lane_set *set, const struct lane *lane, uint32_t from,
				  const struct lane_frame *frame)
{
	if (from != frame->lane || frame->lane == set->config.replica_id)
		lane_emit_drop(set, LANE_DROP_NOT_OWNER);
	else if (frame->index >= set->config.batch_frames_max || frame->byte_count == 0)
		lane_emit_drop(set, LANE_DROP_INDEX);
	else if (frame->byte_count > LANE_FRAME_BYTES_MAX)
		lane_emit_drop(set, LANE_DROP_OVERSIZE);
	else if (frame->seq <= lane->base.seq)
		lane_emit_drop(set, LANE_DROP_OLD);
	else if (!lane_is_in_window(set, lane, frame->seq))
		lane_emit_drop(set, LANE_DROP_WINDOW);
	else if (lane_is_frozen_at(lane, frame->seq))
		lane_emit_drop(set, LANE_DROP_SEAL);
	else
		return true;
	return false;
}

void lane_intake_on_frame(struct lane_set *set, uint32_t from, const struct lane_frame *frame)
{
	if (frame->lane >= set->config.replica_count) {
		lane_emit_drop(set, LANE_DROP_NOT_OWNER);
		return;
	}
	struct lane *lane = &set->lanes[frame->lane];

	if (!lane_frame_is_welcome(set, lane, from, frame))
		return;
	lane_frame_add(set, lane, lane_slot_open(set, lane, frame->seq), frame);
	if (frame->seq - 1 > lane->streamed_seq)
		lane->streamed_seq = frame->seq - 1;
	lane_due(lane, set->now_ns + set->config.reorder_ns);
}

static bool lane_repair_frame_add(struct lane_set *set, struct lane *lane,
				  struct lane_branch *branch, const struct lane_repair_frame *frame)
{
	if (frame->index >= branch->header.frame_count)
		return false;
	if (branch->buffer == LANE_NONE)
		branch->buffer = lane_buffer_take(set, lane, branch->header.seq);
	if (branch->buffer == LANE_NONE) {
		lane_emit_drop(set, LANE_DROP_NO_BUFFER);
		return false;
	}

	struct lane_batch *batch = &set->buffers[branch->buffer].batch;

	if (lane_batch_has(batch, frame->index)) {
		if (crypto_hash_equal(&batch->hash[frame->index], &frame->frame_hash))
			return false;
		lane_batch_remove(batch, frame->index);
		branch->is_mismatch = false;
	}
	if (lane_batch_add(batch, frame->index, &frame->frame_hash, frame->is_signed, frame->bytes,
			   frame->byte_count) == 0)
		return true;
	/* Wrong provisional frames leave no room: begin again with proven ones only. */
	lane_batch_clear(batch);
	branch->is_exact = true;
	branch->is_mismatch = false;
	return true;
}

void lane_intake_on_repair(struct lane_set *set, uint32_t from, const struct lane_repair *repair)
{
	struct lane *lane;
	struct lane_branch *branch;
	bool is_progress = false;

	if (repair->header.lane >= set->config.replica_count) {
		lane_emit_drop(set, LANE_DROP_UNKNOWN);
		return;
	}
	lane = &set->lanes[repair->header.lane];
	if (lane_repair_on_anchor(set, lane, &repair->header))
		return;
	branch = lane_take_header(set, &repair->header);
	if (!branch || branch->is_bound || branch->is_void)
		return;
	for (uint32_t i = 0; i < repair->count; i++)
		is_progress |= lane_repair_frame_add(set, lane, branch, &repair->frame[i]);
	if (is_progress)
		lane_slot_find(set, lane, repair->header.seq)->progress_ns = set->now_ns;
	if (branch->buffer != LANE_NONE)
		lane_bind(set, lane, branch);
	if (branch->is_bound)
		lane_due(lane, set->now_ns); /* others may be asked for in its place */
	else if (is_progress)
		lane_repair_continue(set, lane, branch, from);
}

/* A leaf list that matches a header's root says which frames are wrong. */
static void lane_leaves_apply(struct lane_set *set, struct lane_branch *branch,
			      const struct lane_leaves *leaves)
{
	struct lane_batch *batch = &set->buffers[branch->buffer].batch;

	for (uint32_t i = 0; i < branch->header.frame_count; i++)
		if (lane_batch_has(batch, i) &&
		    !crypto_hash_equal(&batch->hash[i], &leaves->leaf[i]))
			lane_batch_remove(batch, i);
	branch->is_mismatch = false;
	branch->is_exact = true;
}

void lane_intake_on_leaves(struct lane_set *set, const struct lane_leaves *leaves)
{
	struct lane *lane;
	struct lane_slot *slot;
	struct lane_branch *branch;

	if (leaves->lane >= set->config.replica_count || leaves->count == 0) {
		lane_emit_drop(set, LANE_DROP_UNKNOWN);
		return;
	}
	lane = &set->lanes[leaves->lane];
	slot = lane_slot_find(set, lane, leaves->seq);
	branch = slot ? lane_slot_filling(slot) : NULL;
	if (!branch || !branch->is_mismatch || branch->buffer == LANE_NONE ||
	    leaves->count != branch->header.frame_count) {
		lane_emit_drop(set, LANE_DROP_DUPLICATE);
		return;
	}
	struct crypto_hash root = wire_merkle_root(leaves->leaf, leaves->count, set->scratch);

	if (!crypto_hash_equal(&root, &branch->header.frames_root)) {
		lane_emit_drop(set, LANE_DROP_ROOT);
		return;
	}
	lane_leaves_apply(set, branch, leaves);
	lane_repair_continue(set, lane, branch, LANE_NONE);
}

static struct lane_branch *lane_branch_of_buffer(struct lane_slot *slot, uint32_t buffer)
{
	for (uint32_t i = 0; i < LANE_BRANCHES_MAX; i++)
		if (slot->branch[i].is_used && slot->branch[i].buffer == buffer)
			return &slot->branch[i];
	return NULL;
}

void lane_intake_on_persisted(struct lane_set *set, uint32_t buffer, uint64_t position)
{
	struct lane *lane = &set->lanes[set->buffers[buffer].lane];
	uint64_t seq = set->buffers[buffer].seq;

	if (!lane_pool_on_persisted(set, buffer))
		return;

	struct lane_slot *slot = lane_slot_find(set, lane, seq);
	struct lane_branch *branch = slot ? lane_branch_of_buffer(slot, buffer) : NULL;

	ensure(branch && branch->is_bound && !branch->is_durable);
	branch->is_durable = true;
	branch->position = position;
	lane_tip_durable(set, lane, branch);
	set->is_changed = true;
	if (lane->id == set->config.replica_id) {
		lane_own_advance(set);
		lane_own_on_claims(set);
	}
}

void lane_intake_force(struct lane_set *set, struct lane *lane)
{
	if (lane->frozen_seq == 0)
		return;
	for (uint64_t seq = lane->tip.seq + 1; seq <= lane->committed.seq; seq++) {
		struct lane_slot *slot = lane_slot_find(set, lane, seq);
		struct lane_branch *branch = slot ? lane_slot_preferred(slot) : NULL;

		if (branch && branch->is_committed && branch->is_bad && !branch->is_durable &&
		    branch->buffer != LANE_NONE && !set->buffers[branch->buffer].is_with_disk)
			lane_persist(set, branch);
	}
}
