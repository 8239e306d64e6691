#include "dataplane/lane_own.h"

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_claims.h"
#include "dataplane/lane_pool.h"
#include "dataplane/lane_slots.h"
#include "wire/wire_message.h"

static struct lane *lane_own_lane(struct lane_set *set)
{
	return &set->lanes[set->config.replica_id];
}

static struct lane_branch *lane_own_branch(struct lane_set *set, uint64_t seq)
{
	struct lane_slot *slot = lane_slot_find(set, lane_own_lane(set), seq);

	for (uint32_t i = 0; slot && i < LANE_BRANCHES_MAX; i++)
		if (slot->branch[i].is_used && slot->branch[i].is_from_owner)
			return &slot->branch[i];
	return NULL;
}

void lane_own_start(struct lane_set *set, uint64_t seq_floor)
{
	const struct lane *lane = lane_own_lane(set);

	set->own = (struct lane_own){
		.seq = lane->tip.seq,
		.floor_seq = seq_floor,
		.sent_seq = lane->tip.seq,
		.acked_seq = lane->committed.seq,
		.open = LANE_NONE,
		.announce_ns = lane->tip.seq > lane->committed.seq ? set->now_ns : UINT64_MAX,
	};
}

static void lane_own_refuse(struct lane_set *set, const struct lane_input *input, int reason)
{
	struct lane_effect *effect = lane_emit(set, LANE_EFFECT_REFUSE, HS_REPLICA_NONE);

	effect->u.refuse.origin = input->u.client.origin;
	effect->u.refuse.reason = reason;
	effect->u.refuse.frame_bytes = input->u.client.bytes;
	effect->u.refuse.frame_byte_count = input->u.client.byte_count;
}

/* After a lost disk the own lane waits until peers gave back what it ever announced. */
static bool lane_own_is_whole(struct lane_set *set)
{
	struct lane *lane = lane_own_lane(set);

	if (set->own.seq < lane->tip.seq) {
		set->own.seq = lane->tip.seq;
		set->own.sent_seq = lane->tip.seq;
	}
	return set->own.seq >= set->own.floor_seq;
}

/*
 * False once others have the lane's next batches, or its last one, from elsewhere: the key runs
 * twice. Such a lane takes nothing more.
 */
static bool lane_own_is_alone(struct lane_set *set)
{
	const struct lane *lane = lane_own_lane(set);

	return set->own.seq == lane->tip.seq ||
	       (set->own.seq > lane->tip.seq && lane_own_branch(set, set->own.seq));
}

/* Nobody has the next seq. Below a commit, what is there has to come back first. */
static bool lane_own_is_free(struct lane_set *set)
{
	uint64_t seq = set->own.seq + 1;

	return lane_own_is_alone(set) && seq > lane_own_lane(set)->committed.seq &&
	       !lane_own_branch(set, seq);
}

static bool lane_own_open(struct lane_set *set)
{
	struct lane *lane = lane_own_lane(set);

	if (set->own.open != LANE_NONE)
		return true;
	if (!lane_own_is_whole(set) || !lane_own_is_free(set) || lane->frozen_seq != 0)
		return false;

	uint64_t seq = set->own.seq + 1;

	if (seq > lane->committed.seq + set->config.window_batches ||
	    !lane_is_in_ring(set, lane, seq))
		return false;
	set->own.open = lane_buffer_take(set, lane, seq);
	set->own.opened_ns = set->now_ns;
	return set->own.open != LANE_NONE;
}

static void lane_own_sign(struct lane_set *set, uint64_t seq, const struct crypto_hash *digest)
{
	struct lane_effect *effect = lane_emit(set, LANE_EFFECT_SIGN, HS_REPLICA_NONE);

	effect->ticket = seq;
	effect->u.sign.count = wire_batch_signed_bytes(&set->config.chain_id, set->config.epoch,
						       &set->config.set_hash, digest,
						       effect->u.sign.bytes);
}

void lane_own_sign_again(struct lane_set *set, uint64_t seq, const struct crypto_hash *digest)
{
	if (set->own.signing_seq != 0)
		return;
	set->own.signing_seq = seq;
	lane_own_sign(set, seq, digest);
}

static struct lane_header lane_own_header(struct lane_set *set, const struct lane_batch *batch)
{
	const struct lane *lane = lane_own_lane(set);
	struct lane_header header = {
		.lane = set->config.replica_id,
		.seq = set->own.seq + 1,
		.frames_root = lane_batch_root(batch, set->scratch),
		.frame_count = batch->frame_count,
		.frame_bytes = batch->frame_bytes,
	};

	if (set->own.seq == lane->tip.seq)
		header.prev_digest = lane->tip.digest;
	else
		header.prev_digest = lane_own_branch(set, set->own.seq)->digest;
	header.digest = wire_batch_digest(&set->config.chain_id, &header);
	return header;
}

/* Peers know a batch of ours that our disk lost: this seq is taken, whatever we had begun. */
static bool lane_own_is_taken(struct lane_set *set)
{
	if (lane_own_is_free(set))
		return false;
	lane_pool_give_back(set, set->own.open);
	set->own.open = LANE_NONE;
	return true;
}

/* A proposal may have named the very batch: a twin or a former life made it of the same frames. */
static void lane_own_add(struct lane_set *set, const struct lane_header *header, uint32_t buffer)
{
	struct lane_slot *slot = lane_slot_open(set, lane_own_lane(set), header->seq);
	struct lane_branch *branch = lane_slot_branch(slot, &header->digest);

	if (!branch)
		branch = lane_slot_add_owner(set, slot, &header->digest);
	ensure(branch);
	lane_pool_give_back(set, branch->buffer);
	branch->buffer = buffer;
	branch->header = *header;
	branch->has_header = true;
	branch->is_from_owner = true;
	branch->is_bound = true;
	branch->is_verified = true;
	slot->progress_ns = set->now_ns;
}

static void lane_own_close(struct lane_set *set)
{
	if (lane_own_is_taken(set))
		return;

	uint32_t buffer = set->own.open;
	struct lane_batch *batch = &set->buffers[buffer].batch;
	struct lane_header header = lane_own_header(set, batch);

	lane_batch_seal(batch, &header);
	lane_own_add(set, &header, buffer);
	set->own.seq = header.seq;
	set->own.open = LANE_NONE;
	lane_own_sign(set, header.seq, &header.digest);

	struct lane_effect *effect = lane_emit(set, LANE_EFFECT_PERSIST, HS_REPLICA_NONE);

	set->buffers[buffer].is_with_disk = true;
	effect->ticket = lane_pool_ticket(set, buffer);
	effect->u.persist.bytes = batch->record;
	effect->u.persist.byte_count = batch->record_bytes;
}

/* Half the window waits for a commit: what is left of it is spent on large batches only. */
static bool lane_own_is_crowded(const struct lane_set *set)
{
	uint64_t uncommitted = set->own.seq - set->lanes[set->config.replica_id].committed.seq;

	return 2 * uncommitted >= set->config.window_batches;
}

static uint64_t lane_own_close_ns(const struct lane_set *set)
{
	uint64_t unacked = set->own.seq - set->own.acked_seq;

	if (set->own.open == LANE_NONE)
		return UINT64_MAX;
	if (lane_own_is_crowded(set))
		return set->own.opened_ns + LANE_CROWDED_STRETCH * set->config.batch_close_ns;
	if (unacked == 0)
		return set->own.opened_ns;
	if (unacked < LANE_PIPELINE_MAX)
		return set->own.opened_ns + set->config.batch_close_ns;
	return set->own.opened_ns + LANE_CLOSE_STRETCH * set->config.batch_close_ns;
}

void lane_own_on_client(struct lane_set *set, const struct lane_input *input)
{
	uint32_t byte_count = input->u.client.byte_count;

	if (byte_count == 0 || byte_count > LANE_FRAME_BYTES_MAX ||
	    byte_count > set->config.batch_bytes_max) {
		lane_own_refuse(set, input, ERR_OVERSIZE);
		return;
	}
	if (set->own.open != LANE_NONE &&
	    !lane_batch_fits(&set->buffers[set->own.open].batch, byte_count))
		lane_own_close(set);
	if (!lane_own_open(set)) {
		lane_own_refuse(set, input, ERR_FULL);
		return;
	}

	struct lane_batch *batch = &set->buffers[set->own.open].batch;
	uint32_t index = batch->frame_count;

	ensure(lane_batch_add(batch, index, &input->u.client.frame_hash, true,
			      input->u.client.bytes, byte_count) == 0);

	struct lane_effect *effect = lane_emit(set, LANE_EFFECT_SEND_FRAME, HS_REPLICA_ALL);

	effect->u.frame = (struct lane_frame){
		.lane = set->config.replica_id,
		.seq = set->own.seq + 1,
		.index = index,
		.frame_hash = input->u.client.frame_hash,
		.is_signed = true,
		.bytes = lane_batch_frame(batch, index, &byte_count),
		.byte_count = byte_count,
	};
	if (batch->frame_count == set->config.batch_frames_max ||
	    batch->frame_bytes == set->config.batch_bytes_max)
		lane_own_close(set);
}

static void lane_own_announce(struct lane_set *set, uint32_t to, const struct lane_branch *branch)
{
	lane_emit(set, LANE_EFFECT_SEND_BATCH, to)->u.header = branch->header;
}

static void lane_own_announce_later(struct lane_set *set)
{
	uint64_t shift = units_min(set->own.announce_count, LANE_BACKOFF_SHIFT_MAX);

	set->own.announce_ns = set->now_ns + (set->config.repair_interval_ns << shift);
}

void lane_own_advance(struct lane_set *set)
{
	for (;;) {
		const struct lane_branch *branch = lane_own_branch(set, set->own.sent_seq + 1);

		if (set->own.sent_seq >= set->own.seq || !branch || !branch->is_durable ||
		    !branch->is_signed)
			return;
		lane_own_announce(set, HS_REPLICA_ALL, branch);
		set->own.sent_seq++;
		set->own.announce_count = 0;
		lane_own_announce_later(set);
	}
}

void lane_own_on_signed(struct lane_set *set, uint64_t seq,
			const struct crypto_signature *signature)
{
	struct lane *lane = lane_own_lane(set);
	struct lane_branch *branch = lane_own_branch(set, seq);
	struct lane_index_entry *entry = &lane->index[seq & (set->config.index_batches - 1)];

	if (set->own.signing_seq == seq) {
		set->own.signing_seq = 0;
		set->own.announce_ns = units_min(set->own.announce_ns, set->now_ns);
	}
	if (branch && branch->has_header) {
		branch->header.signature = *signature;
		branch->is_signed = true;
	} else if (entry->header.seq == seq) {
		entry->header.signature = *signature;
		entry->is_signed = true;
	}
	lane_own_advance(set);
}

static bool lane_own_is_acked(struct lane_set *set, uint64_t seq)
{
	struct lane *lane = lane_own_lane(set);
	const struct lane_branch *branch = lane_own_branch(set, seq);
	uint32_t count = seq <= lane->tip.seq ? 1 : 0;

	if (!branch)
		return seq <= lane->committed.seq;
	for (uint32_t peer = 0; peer < set->config.replica_count; peer++)
		if (peer != set->config.replica_id)
			count += lane_claims_cover(set, lane, peer, seq, &branch->digest) ? 1 : 0;
	return count >= hs_quorum(set->config.replica_count);
}

void lane_own_on_claims(struct lane_set *set)
{
	uint64_t committed_seq = lane_own_lane(set)->committed.seq;
	uint64_t before = set->own.acked_seq;

	if (set->own.acked_seq < committed_seq)
		set->own.acked_seq = units_min(committed_seq, set->own.seq);
	while (set->own.acked_seq < set->own.seq && lane_own_is_acked(set, set->own.acked_seq + 1))
		set->own.acked_seq++;
	if (set->own.acked_seq != before)
		set->own.announce_count = 0;
}

/* To one peer: the headers right above its claim. */
static bool lane_own_remind(struct lane_set *set, uint32_t peer)
{
	struct lane *lane = lane_own_lane(set);
	uint64_t seq = units_max(lane->claims[peer].newest.seq, lane->committed.seq);
	bool is_lacking = seq < set->own.sent_seq;

	for (uint32_t i = 0; i < LANE_ANNOUNCES_MAX && seq + i < set->own.sent_seq; i++) {
		const struct lane_branch *branch = lane_own_branch(set, seq + i + 1);

		if (!branch || !branch->is_durable)
			break;
		if (!branch->is_signed) {
			lane_own_sign_again(set, branch->header.seq, &branch->digest);
			break;
		}
		struct lane_effect *effect = lane_emit_optional(set, LANE_EFFECT_SEND_BATCH, peer);

		if (!effect)
			break;
		effect->u.header = branch->header;
	}
	return is_lacking;
}

static void lane_own_resend(struct lane_set *set)
{
	bool is_lacking = false;

	for (uint32_t peer = 0; peer < set->config.replica_count; peer++)
		if (peer != set->config.replica_id)
			is_lacking |= lane_own_remind(set, peer);
	set->own.announce_count++;
	if (is_lacking)
		lane_own_announce_later(set);
	else
		set->own.announce_ns = UINT64_MAX;
}

void lane_own_tick(struct lane_set *set)
{
	if (set->now_ns >= lane_own_close_ns(set))
		lane_own_close(set);
	if (set->now_ns >= set->own.announce_ns)
		lane_own_resend(set);
}

uint64_t lane_own_deadline_ns(const struct lane_set *set)
{
	return units_min(lane_own_close_ns(set), set->own.announce_ns);
}
