/* Committed blocks into the order: rule §2.10, receipts, MARKs. */

#include <string.h>

#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "dataplane/lane_batch.h"
#include "replica/replica_state.h"

enum {
	/* One core step commits at most this many blocks; that much room must be left. */
	DELIVERY_FULL = REPLICA_DELIVERY_MAX - HS_BLOCKS_MAX - 8,
	DELIVERY_TOLD_MAX = 16, /* blocks */
	/* Effects one batch can cause: a receipt a frame, and the block's end. */
	DELIVERY_BATCH_EFFECTS = LANE_BATCH_FRAMES_MAX + 32,
};

struct replica_pending *replica_delivery_at(struct replica *replica, uint64_t height)
{
	struct replica_delivery *delivery = &replica->delivery;
	uint64_t index = height - delivery->height - 1;

	ensure(index < delivery->count);
	return &delivery->queue[(delivery->first + index) % REPLICA_DELIVERY_MAX];
}

bool replica_delivery_is_full(const struct replica *replica)
{
	return replica->delivery.count >= DELIVERY_FULL ||
	       replica->final_count >= REPLICA_DELIVERY_MAX - 8;
}

/* The lanes hear of committed cuts in order, a few blocks ahead of delivery: they keep no more. */
static void delivery_tell(struct replica *replica)
{
	struct replica_delivery *delivery = &replica->delivery;

	if (delivery->told_height < delivery->height)
		delivery->told_height = delivery->height;
	while (delivery->told_height < delivery->height + delivery->count &&
	       delivery->told_height < delivery->height + DELIVERY_TOLD_MAX)
		replica_lane_cut(replica, LANE_INPUT_COMMITTED,
				 &replica_delivery_at(replica, ++delivery->told_height)->cut);
}

void replica_delivery_commit(struct replica *replica, const struct hs_block *block)
{
	struct replica_delivery *delivery = &replica->delivery;
	const struct replica_persisted *persisted = replica_blocks_find(replica, &block->id);
	struct replica_pending *pending;

	if (block->header.height <= delivery->height + delivery->count)
		return;
	ensure(delivery->count < REPLICA_DELIVERY_MAX);
	delivery->count++;
	ensure(block->header.height == delivery->height + delivery->count);
	pending = replica_delivery_at(replica, block->header.height);
	pending->height = block->header.height;
	pending->id = block->id;
	pending->view = block->header.view;
	pending->time_ns = block->header.time_ns;
	pending->is_durable = persisted && persisted->is_durable;
	pending->position = persisted ? persisted->position : 0;
	hs_copy_cut(&pending->cut, &block->header.cut);
	delivery_tell(replica);
}

void replica_delivery_block_durable(struct replica *replica, uint64_t height, uint64_t position)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_pending *pending;

	if (height <= delivery->height || height > delivery->height + delivery->count)
		return;
	pending = replica_delivery_at(replica, height);
	pending->is_durable = true;
	pending->position = position;
}

static uint32_t delivery_lane(const struct replica *replica, const struct replica_pending *head)
{
	uint32_t count = replica->config.consensus.replica_count;

	return (uint32_t)((head->view + replica->delivery.turn) % count);
}

static void delivery_begin(struct replica *replica, const struct replica_pending *head)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_mark *mark = &delivery->mark.mark;

	delivery->is_started = true;
	delivery->turn = 0;
	delivery->index = 0;
	delivery->dropped = 0;
	delivery->next_seq = delivery->cut.lane[delivery_lane(replica, head)].seq + 1;
	mark->height = head->height;
	mark->block_id = head->id;
	mark->block_position = head->position;
	mark->view = head->view;
	mark->time_ns = head->time_ns;
	mark->tx_base = delivery->transactions;
	mark->index_base = 0;
	replica_mark_begin(&delivery->mark, 0);
}

static void delivery_write_mark(struct replica *replica, bool is_last)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_mark *mark = &delivery->mark.mark;
	size_t count = replica_mark_bytes(&delivery->mark);
	uint8_t *bytes = replica_outbox_take(&replica->outbox, count);
	uint64_t low = is_last ? mark->height : 0;

	mark->is_last = is_last;
	ensure(replica_mark_encode(&delivery->mark, bytes, count) == (int)count);
	replica_persist(replica, BLOCKLOG_BLOCK, REPLICA_RECORD_MARK, bytes, (uint32_t)count,
			replica_ticket(REPLICA_TICKET_MARK, low));
	delivery->transactions += mark->tx_count;
	delivery->dropped += mark->tx_dropped;
	mark->tx_base = delivery->transactions;
	mark->index_base = delivery->index;
	replica_mark_begin(&delivery->mark, mark->part + 1);
}

static void delivery_end(struct replica *replica, struct replica_pending *head)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_final *final =
		&replica->final[(replica->final_first + replica->final_count) %
				REPLICA_DELIVERY_MAX];

	delivery_write_mark(replica, true);
	ensure(replica->final_count < REPLICA_DELIVERY_MAX);
	replica->final_count++;
	*final = (struct replica_final){
		.height = head->height,
		.id = head->id,
		.tx_base = delivery->transactions - delivery->index,
		.tx_count = delivery->index,
		.tx_dropped = delivery->dropped,
		.time_ns = head->time_ns,
	};
	delivery->is_started = false;
	delivery->height = head->height;
	delivery->id = head->id;
	hs_copy_cut(&delivery->cut, &head->cut);
	delivery->first = (delivery->first + 1) % REPLICA_DELIVERY_MAX;
	delivery->count--;
	replica->work_known = false;
	delivery_tell(replica);
	replica_blocks_delivered(replica, head->height, &head->id, head->position);
	replica_saving_run(replica);
}

static void delivery_receipt(struct replica *replica, const struct wire_frame *frame,
			     const uint8_t *outcome, uint32_t first_index)
{
	struct replica_effect *effect = replica_push(replica, REPLICA_EFFECT_RECEIPT);
	struct replica_receipt *receipt = &effect->u.receipt;

	replica_receipt_fill(receipt, frame, outcome);
	receipt->height = replica->delivery.mark.mark.height;
	receipt->first_index = first_index;
	receipt->block_id = replica->delivery.mark.mark.block_id;
	replica_admission_ordered(replica, receipt);
}

/* Returns how many transactions of the frame count. */
static uint32_t delivery_frame(struct replica *replica, uint32_t index, const uint8_t *bytes,
			       uint32_t byte_count)
{
	struct replica_delivery *delivery = &replica->delivery;
	uint8_t outcome[WIRE_FRAME_TRANSACTIONS_MAX];
	struct wire_frame frame;
	uint32_t ordered;

	if (wire_frame_parse(bytes, byte_count, &frame) < 0) {
		outcome[0] = REPLICA_OUTCOME_MALFORMED;
		replica_mark_add_frame(&delivery->mark, index, outcome, 1);
		return 0;
	}
	ordered = replica_windows_apply(replica->windows, &frame, delivery->mark.mark.height,
					outcome);
	if (frame.kind != WIRE_FRAME_TRANSACTIONS)
		return 0;
	replica_mark_add_frame(&delivery->mark, index, outcome, frame.count);
	if (ordered > 0)
		delivery_receipt(replica, &frame, outcome, delivery->index);
	delivery->index += ordered;
	return ordered;
}

static void delivery_batch(struct replica *replica, const struct lane_record *record,
			   const struct crypto_hash *digest, uint64_t position)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct lane_input input = { .kind = LANE_INPUT_DELIVERED, .from = HS_REPLICA_NONE };
	struct replica_mark_batch batch = {
		.lane = record->header.lane,
		.seq = record->header.seq,
		.digest = *digest,
		.position = position,
	};

	if (replica_mark_is_full(&delivery->mark))
		delivery_write_mark(replica, false);
	replica_mark_add_batch(&delivery->mark, &batch);
	for (uint32_t i = 0; i < record->header.frame_count; i++) {
		uint32_t byte_count;
		const uint8_t *bytes = lane_record_frame(record, i, &byte_count);

		batch.tx_count += delivery_frame(replica, i, bytes, byte_count);
	}
	replica_mark_count_batch(&delivery->mark, batch.tx_count);
	delivery->batches_since_save++;
	delivery->next_seq++;
	input.u.delivered.lane = batch.lane;
	input.u.delivered.seq = batch.seq;
	input.u.delivered.digest = *digest;
	replica_lane_step(replica, &input);
}

/* The next batch of the block, lane by lane; false when all are done. */
static bool delivery_next(struct replica *replica, const struct replica_pending *head,
			  uint32_t *ret_lane)
{
	struct replica_delivery *delivery = &replica->delivery;
	uint32_t lanes = replica->config.consensus.replica_count;

	while (delivery->turn < lanes) {
		*ret_lane = delivery_lane(replica, head);
		if (delivery->next_seq <= head->cut.lane[*ret_lane].seq)
			return true;
		delivery->turn++;
		if (delivery->turn < lanes)
			delivery->next_seq =
				delivery->cut.lane[delivery_lane(replica, head)].seq + 1;
	}
	return false;
}

static void delivery_ask_read(struct replica *replica, uint64_t position)
{
	struct replica_delivery *delivery = &replica->delivery;

	delivery->is_reading = true;
	delivery->read_number++;
	replica_read(replica, BLOCKLOG_LANE, position, BLOCKLOG_RECORD_BYTES_MAX,
		     replica_ticket(REPLICA_TICKET_DELIVERY, delivery->read_number));
}

/* Where the next batch is; false if it is not (yet) here. */
static bool delivery_find(struct replica *replica, const struct replica_pending *head,
			  uint32_t lane, struct crypto_hash *ret_digest,
			  struct lane_batch_view *ret_view)
{
	uint64_t seq = replica->delivery.next_seq;

	return lane_set_chain_digest(replica->lanes, lane, seq, &head->cut.lane[lane],
				     ret_digest) &&
	       lane_set_batch(replica->lanes, lane, seq, ret_digest, ret_view) &&
	       ret_view->is_durable;
}

static bool delivery_is_ready(const struct replica *replica)
{
	const struct replica_delivery *delivery = &replica->delivery;
	const struct replica_pending *head = &delivery->queue[delivery->first];

	return delivery->count > 0 && !delivery->is_reading && head->is_durable &&
	       !replica->store_failed && replica->final_count < REPLICA_DELIVERY_MAX;
}

bool replica_delivery_run(struct replica *replica)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_pending *head = &delivery->queue[delivery->first];
	struct lane_batch_view view;
	struct lane_record record;
	struct crypto_hash digest;
	uint32_t lane;

	delivery->is_short_of_room = false;
	if (!delivery_is_ready(replica))
		return false;
	if (replica_outbox_room(&replica->outbox) < DELIVERY_BATCH_EFFECTS) {
		delivery->is_short_of_room = true;
		return false;
	}
	if (!delivery->is_started) {
		if (!lane_set_is_stored(replica->lanes, &delivery->cut, &head->cut))
			return false;
		delivery_begin(replica, head);
	}
	if (!delivery_next(replica, head, &lane)) {
		delivery_end(replica, head);
		return true;
	}
	if (!delivery_find(replica, head, lane, &digest, &view))
		return false;
	if (!view.record) {
		delivery_ask_read(replica, view.position);
		return false;
	}
	ensure(lane_record_open(view.record, view.record_bytes, &replica->config.consensus.chain_id,
				&record) == 0);
	delivery_batch(replica, &record, &digest, view.position);
	return true;
}

void replica_delivery_read(struct replica *replica, uint64_t ticket, int code, const uint8_t *bytes,
			   uint32_t byte_count)
{
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_pending *head = &delivery->queue[delivery->first];
	struct lane_batch_view view;
	struct lane_record record;
	struct crypto_hash digest;
	uint32_t lane;

	if (!delivery->is_reading || replica_ticket_low(ticket) != delivery->read_number)
		return;
	delivery->is_reading = false;
	if (!delivery_next(replica, head, &lane) ||
	    !delivery_find(replica, head, lane, &digest, &view))
		return;
	if (code == 0 &&
	    lane_record_open(bytes, byte_count, &replica->config.consensus.chain_id, &record) ==
		    0 &&
	    crypto_hash_equal(&record.header.digest, &digest)) {
		delivery_batch(replica, &record, &digest, view.position);
		return;
	}
	replica->store_failed = true;
	replica_alarm(replica, REPLICA_ALARM_STORE_FAILED, view.position);
}

bool replica_delivery_is_due(const struct replica *replica)
{
	return replica->delivery.is_short_of_room && delivery_is_ready(replica);
}

void replica_delivery_mark_durable(struct replica *replica, uint64_t height)
{
	const struct replica_final *final = &replica->final[replica->final_first];
	struct replica_effect *effect;

	if (height == 0)
		return;
	ensure(replica->final_count > 0 && final->height == height);
	effect = replica_push(replica, REPLICA_EFFECT_FINAL);
	effect->u.final.height = final->height;
	effect->u.final.block_id = final->id;
	effect->u.final.tx_base = final->tx_base;
	effect->u.final.tx_count = final->tx_count;
	effect->u.final.tx_dropped = final->tx_dropped;
	effect->u.final.proposed_wall_ns = final->time_ns;
	replica->final_first = (replica->final_first + 1) % REPLICA_DELIVERY_MAX;
	replica->final_count--;
}
