/* From the logs to START. Block log and lane log are walked once, forwards. */

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "consensus/hs_copy.h"
#include "dataplane/lane_batch.h"
#include "replica/replica_state.h"

enum { RECOVER_CERTIFIED_MAX = HS_BLOCKS_MAX - 8 };

static int recover_stored(struct replica *replica, uint64_t position, const void *bytes,
			  size_t count)
{
	const struct replica_config *config = &replica->config;
	struct replica_recover *recover = &replica->recover;
	struct lane_stored *stored;
	struct lane_header header;
	uint64_t index;

	if (count < WIRE_BATCH_HEADER_BYTES ||
	    wire_decode_batch_header(bytes, WIRE_BATCH_HEADER_BYTES, &config->consensus.chain_id,
				     &header) < 0 ||
	    header.lane >= config->consensus.replica_count)
		return ERR_CORRUPT;
	index = recover->stored_count[header.lane]++ % config->lanes.index_batches;
	stored = &recover->stored[header.lane * (size_t)config->lanes.index_batches + index];
	stored->header = header;
	stored->position = position;
	stored->is_verified = true;
	return 0;
}

static struct hs_block *recover_find(struct replica *replica, const struct crypto_hash *id,
				     uint64_t *ret_position)
{
	struct replica_recover *recover = &replica->recover;

	for (uint64_t i = recover->block_count;
	     i > 0 && i + REPLICA_RECOVER_BLOCKS_MAX > recover->block_count; i--) {
		uint64_t at = (i - 1) % REPLICA_RECOVER_BLOCKS_MAX;

		if (!crypto_hash_equal(&recover->block[at].id, id))
			continue;
		*ret_position = recover->block_position[at];
		return &recover->block[at];
	}
	return NULL;
}

/* Kept apart: a node that waits for batches stores any number of blocks above it. */
static void recover_delivered(struct replica *replica, const struct hs_block *block)
{
	hs_copy_block(&replica->recover.root, block);
	hs_copy_cut(&replica->delivery.cut, &block->header.cut);
}

static int recover_block(struct replica *replica, uint64_t position, const void *bytes,
			 size_t count)
{
	const struct hs_config *config = &replica->config.consensus;
	struct replica_recover *recover = &replica->recover;
	uint64_t at = recover->block_count % REPLICA_RECOVER_BLOCKS_MAX;

	if (wire_decode_block(bytes, count, &config->chain_id, &config->set_hash,
			      config->replica_count, &recover->block[at]) < 0)
		return ERR_CORRUPT;
	recover->block_position[at] = position;
	recover->block_count++;
	replica_blocks_asked(replica, &recover->block[at].id, UINT64_MAX);
	replica_blocks_durable(replica, UINT64_MAX, position);
	if (recover->wants_block &&
	    crypto_hash_equal(&recover->block[at].id, &replica->delivery.id)) {
		recover_delivered(replica, &recover->block[at]);
		recover->wants_block = false;
	}
	return 0;
}

static void recover_push_batch(struct replica *replica, uint64_t position, uint64_t height,
			       uint32_t index)
{
	struct replica_recover *recover = &replica->recover;

	if (recover->batch_end - recover->batch_first == recover->batch_max) {
		recover->lost_height =
			recover->batch[recover->batch_first % recover->batch_max].height;
		recover->batch_first++;
	}
	recover->batch[recover->batch_end++ % recover->batch_max] =
		(struct replica_recover_batch_ref){ .position = position,
						    .height = height,
						    .index = index };
	replica->delivery.batches_since_save++;
}

/* A block whose parts were cut short by a crash is marked again from its first part. */
static int recover_mark(struct replica *replica, const void *bytes, size_t count)
{
	struct replica_recover *recover = &replica->recover;
	struct replica_delivery *delivery = &replica->delivery;
	struct replica_mark mark;
	struct hs_block *block;
	uint64_t position;
	uint32_t index;
	int code = replica_mark_decode(bytes, count, &mark);

	if (code < 0)
		return code == ERR_NEWER ? code : ERR_CORRUPT;
	if (mark.part == 0) {
		recover->next_part = 0;
		recover->batch_end = recover->block_batches_end;
	}
	if (mark.height != delivery->height + 1 || mark.part != recover->next_part)
		return ERR_SEQUENCE;
	recover->next_part++;
	index = mark.index_base;
	for (uint32_t i = 0; i < mark.batch_count; i++) {
		struct replica_mark_batch batch;

		replica_mark_batch_at(&mark, i, &batch);
		recover_push_batch(replica, batch.position, mark.height, index);
		index += batch.tx_count;
	}
	if (!mark.is_last)
		return 0;
	recover->block_batches_end = recover->batch_end;
	delivery->height = mark.height;
	delivery->id = mark.block_id;
	delivery->transactions = mark.tx_base + mark.tx_count;
	recover->wants_position = mark.block_position;
	block = recover_find(replica, &mark.block_id, &position);
	recover->wants_block = block == NULL;
	if (block)
		recover_delivered(replica, block);
	replica_blocks_delivered(replica, mark.height, &mark.block_id, mark.block_position);
	return 0;
}

static int recover_other(struct replica *replica, uint16_t kind, uint64_t position,
			 const void *bytes, size_t count)
{
	const struct hs_config *config = &replica->config.consensus;
	struct wire_message *message = &replica->message_in;
	struct bytes_reader r = bytes_reader_of(bytes, count);
	uint64_t height = kind == REPLICA_RECORD_FC ? bytes_get_u64(&r) : 0;

	if (r.failed ||
	    wire_decode(r.at, bytes_left(&r), config->replica_id, &config->chain_id,
			&config->set_hash, config->replica_count, config->epoch, message) < 0)
		return ERR_CORRUPT;
	if (kind == REPLICA_RECORD_FC) {
		struct replica_blocks *blocks = &replica->blocks;

		blocks->fc[blocks->fc_next] = (struct replica_fc_entry){ .height = height };
		blocks->fc_next = (blocks->fc_next + 1) % REPLICA_FCS_MAX;
		replica_blocks_proof_durable(replica, height, position);
	} else if (message->kind == WIRE_EVIDENCE) {
		replica_show_is_new(replica, &message->u.evidence);
	}
	return 0;
}

int replica_recover_record(struct replica *replica, enum blocklog_log log, uint16_t kind,
			   uint64_t position, const void *bytes, size_t count)
{
	ensure(!replica->is_started);
	if (log == BLOCKLOG_LANE)
		return kind == REPLICA_RECORD_BATCH ?
			       recover_stored(replica, position, bytes, count) :
			       ERR_NEWER;
	switch (kind) {
	case REPLICA_RECORD_BLOCK:
		return recover_block(replica, position, bytes, count);
	case REPLICA_RECORD_MARK:
		return recover_mark(replica, bytes, count);
	case REPLICA_RECORD_FC:
	case REPLICA_RECORD_EVIDENCE:
		return recover_other(replica, kind, position, bytes, count);
	case REPLICA_RECORD_WINDOWS:
		return replica_saving_load(replica, bytes, count);
	default:
		return ERR_NEWER;
	}
}

bool replica_recover_wants_block(const struct replica *replica, uint64_t *ret_position)
{
	*ret_position = replica->recover.wants_position;
	return replica->recover.wants_block;
}

/* Batches of a block whose last part is missing are not replayed: it will be delivered again. */
bool replica_recover_wants(struct replica *replica, uint64_t *ret_position)
{
	struct replica_recover *recover = &replica->recover;

	if (recover->batch_first >= recover->block_batches_end)
		return false;
	*ret_position = recover->batch[recover->batch_first % recover->batch_max].position;
	return true;
}

/*
 * Into the windows again; receipts are remembered again. True while the index of what follows in
 * the batch is known: not behind a client whose saved window holds this height already.
 */
static bool recover_frame(struct replica *replica, const struct wire_frame *frame,
			  struct replica_recover_batch_ref *ref, bool is_index_known)
{
	const struct replica_block_entry *block = replica_blocks_at(replica, ref->height);
	uint8_t outcome[WIRE_FRAME_TRANSACTIONS_MAX];
	struct replica_receipt receipt;
	uint32_t ordered;

	if (replica_windows_contains(replica->windows, &frame->client, ref->height))
		return false;
	ordered = replica_windows_apply(replica->windows, frame, ref->height, outcome);
	if (!is_index_known || !block || frame->kind != WIRE_FRAME_TRANSACTIONS || ordered == 0)
		return is_index_known;
	replica_receipt_fill(&receipt, frame, outcome);
	receipt.height = ref->height;
	receipt.first_index = ref->index;
	receipt.block_id = block->id;
	replica_admission_ordered(replica, &receipt);
	ref->index += ordered;
	return true;
}

int replica_recover_batch(struct replica *replica, const void *bytes, size_t count)
{
	struct replica_recover *recover = &replica->recover;
	struct replica_recover_batch_ref *ref =
		&recover->batch[recover->batch_first % recover->batch_max];
	struct lane_record record;
	bool is_index_known = true;

	ensure(recover->batch_first < recover->block_batches_end);
	if (lane_record_open(bytes, count, &replica->config.consensus.chain_id, &record) < 0)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < record.header.frame_count; i++) {
		uint32_t byte_count;
		const uint8_t *frame_bytes = lane_record_frame(&record, i, &byte_count);
		struct wire_frame frame;

		if (wire_frame_parse(frame_bytes, byte_count, &frame) == 0)
			is_index_known = recover_frame(replica, &frame, ref, is_index_known);
	}
	recover->batch_first++;
	return 0;
}

int replica_recover_safety(struct replica *replica, struct replica_gate *gate, const void *bytes,
			   size_t count)
{
	struct replica_recover *recover = &replica->recover;
	int code;

	if (recover->lost_height > 0 || recover->wants_block ||
	    recover->batch_first < recover->block_batches_end)
		return ERR_SEQUENCE;
	recover->has_record = false;
	if (!bytes)
		return 0;
	code = wire_decode_record(bytes, count, replica->config.consensus.replica_count,
				  &recover->record);
	if (code < 0)
		return code == ERR_NEWER ? code : ERR_CORRUPT;
	recover->has_record = replica_gate_qc(gate, &recover->record.high_qc);
	recover->is_intent_valid = recover->record.intent_view > 0 &&
				   replica_gate_qc(gate, &recover->record.intent_justify);
	recover->is_entry_valid = recover->record.has_entry_tc &&
				  replica_gate_tc(gate, &recover->record.entry_tc);
	return 0;
}

/* Shell sort by seq; the log is nearly sorted and nothing may be allocated. */
static void recover_sort(struct lane_stored *stored, uint32_t count)
{
	for (uint32_t gap = count / 2; gap > 0; gap /= 2)
		for (uint32_t i = gap; i < count; i++) {
			struct lane_stored moved = stored[i];
			uint32_t k = i;

			for (; k >= gap && stored[k - gap].header.seq > moved.header.seq; k -= gap)
				stored[k] = stored[k - gap];
			stored[k] = moved;
		}
}

static uint32_t recover_gather(struct replica *replica, uint64_t *ret_own_floor)
{
	struct replica_recover *recover = &replica->recover;
	uint32_t index_batches = replica->config.lanes.index_batches;
	uint32_t total = 0;

	*ret_own_floor = 0;
	for (uint32_t lane = 0; lane < replica->config.consensus.replica_count; lane++) {
		struct lane_stored *stored = &recover->stored[lane * (size_t)index_batches];
		uint32_t count = recover->stored_count[lane] < index_batches ?
					 (uint32_t)recover->stored_count[lane] :
					 index_batches;

		recover_sort(stored, count);
		if (lane == replica->config.consensus.replica_id && count > 0)
			*ret_own_floor = stored[count - 1].header.seq;
		memmove(&recover->stored[total], stored, count * sizeof(*stored));
		total += count;
	}
	return total;
}

static void recover_start_lanes(struct replica *replica)
{
	struct lane_input input = { .kind = LANE_INPUT_START, .from = HS_REPLICA_NONE };

	input.u.start.stored_count = recover_gather(replica, &input.u.start.own_seq_floor);
	input.u.start.stored = replica->recover.stored;
	input.u.start.committed = replica->delivery.height > 0 ? &replica->delivery.cut : NULL;
	replica_lane_step(replica, &input);
}

/*
 * Committed by the record, not yet marked: delivered again, if every block in between is here and
 * there is room for them all.
 */
static bool recover_requeue(struct replica *replica, struct hs_block *block)
{
	struct hs_block *chain[REPLICA_RECOVER_BLOCKS_MAX];
	struct hs_block *at = block;
	uint64_t position;
	uint32_t count = 0;

	while (at && at->header.height > replica->delivery.height &&
	       count < REPLICA_DELIVERY_MAX - 8) {
		chain[count++] = at;
		if (at->header.height == replica->delivery.height + 1)
			break;
		at = recover_find(replica, &at->header.parent_id, &position);
	}
	if (!at || at->header.height != replica->delivery.height + 1 || chain[count - 1] != at ||
	    (replica->delivery.height > 0 &&
	     !crypto_hash_equal(&at->header.parent_id, &replica->delivery.id)))
		return false;
	while (count > 0)
		replica_delivery_commit(replica, chain[--count]);
	return true;
}

static void recover_find_root(struct replica *replica)
{
	struct replica_recover *recover = &replica->recover;
	const struct hs_record *record = &recover->record;
	struct hs_block *block = NULL;
	uint64_t position;

	recover->has_root = false;
	if (recover->has_record && record->committed_height > replica->delivery.height)
		block = recover_find(replica, &record->committed_id, &position);
	if (!block || !recover_requeue(replica, block))
		block = &recover->root;
	recover->root_height = 0;
	recover->root_id = replica->config.consensus.genesis_id;
	if (replica->delivery.height + replica->delivery.count == 0)
		return;
	if (block != &recover->root)
		hs_copy_block(&recover->root, block);
	recover->has_root = true;
	recover->root_height = block->header.height;
	recover->root_id = block->id;
}

static bool recover_is_wanted(const struct replica *replica, const struct hs_block *block,
			      uint64_t height)
{
	const struct replica_recover *recover = &replica->recover;

	if (block->header.height != height)
		return false;
	for (uint32_t i = 0; i < recover->start_count; i++)
		if (crypto_hash_equal(&recover->start_block[i].id, &block->id))
			return false;
	if (crypto_hash_equal(&block->header.parent_id, &recover->root_id))
		return true;
	for (uint32_t i = 0; i < recover->start_count; i++)
		if (crypto_hash_equal(&recover->start_block[i].id, &block->header.parent_id))
			return true;
	return false;
}

/* The certified chain first: dead forks of failed views may be more than there is room for. */
static void recover_certified(struct replica *replica)
{
	struct replica_recover *recover = &replica->recover;
	const struct hs_block *path[RECOVER_CERTIFIED_MAX];
	const struct crypto_hash *id = &recover->record.high_qc.block_id;
	uint64_t position;
	uint32_t count = 0;

	recover->start_count = 0;
	while (count < RECOVER_CERTIFIED_MAX && !crypto_hash_equal(id, &recover->root_id)) {
		path[count] = recover_find(replica, id, &position);
		if (!path[count])
			return;
		id = &path[count++]->header.parent_id;
	}
	if (!crypto_hash_equal(id, &recover->root_id))
		return;
	while (count > 0)
		hs_copy_block(&recover->start_block[recover->start_count++], path[--count]);
}

/* Durable blocks above the committed one, parents first. */
static void recover_uncommitted(struct replica *replica)
{
	struct replica_recover *recover = &replica->recover;
	uint64_t kept = recover->block_count < REPLICA_RECOVER_BLOCKS_MAX ?
				recover->block_count :
				REPLICA_RECOVER_BLOCKS_MAX;
	uint64_t base = recover->root_height;

	recover_certified(replica);
	for (uint64_t height = base + 1; height <= base + HS_BLOCKS_MAX; height++)
		for (uint64_t i = 0; i < kept && recover->start_count < HS_BLOCKS_MAX / 2; i++)
			if (recover_is_wanted(replica, &recover->block[i], height))
				hs_copy_block(&recover->start_block[recover->start_count++],
					      &recover->block[i]);
}

void replica_recover_start(struct replica *replica)
{
	struct replica_recover *recover = &replica->recover;
	struct hs_input input = { .kind = HS_INPUT_START, .from = HS_REPLICA_NONE };
	struct hs_start start = { 0 };

	recover_start_lanes(replica);
	recover_find_root(replica);
	recover_uncommitted(replica);
	start.record = recover->has_record ? &recover->record : NULL;
	start.intent_justify_is_valid = recover->is_intent_valid;
	start.entry_tc_is_valid = recover->is_entry_valid;
	start.blocks = recover->start_block;
	start.block_count = recover->start_count;
	start.committed = recover->has_root ? &recover->root : NULL;
	replica->show.has_record = recover->has_record;
	if (recover->has_record)
		hs_copy_record(&replica->show.record, &recover->record);
	input.u.start = &start;
	replica_core_step(replica, &input);
}
