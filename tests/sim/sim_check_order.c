/* The observer, second half: one order for all, exactly once, and nothing promised is lost. */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_batch.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim_marks.h"

struct check_height *check_height_of(struct sim_check *check, uint64_t height)
{
	while (height >= check->heights_room) {
		uint64_t room = check->heights_room ? 2 * check->heights_room : 1024;

		check->heights = realloc(check->heights, room * sizeof(*check->heights));
		ensure(check->heights);
		memset(check->heights + check->heights_room, 0,
		       (room - check->heights_room) * sizeof(*check->heights));
		check->heights_room = room;
	}
	return &check->heights[height];
}

void check_mark_hash(struct crypto_hasher *hasher, const struct replica_mark *mark)
{
	crypto_hasher_add(hasher, mark->block_id.b, sizeof(mark->block_id.b));
	crypto_hasher_add_u64(hasher, mark->view);
	crypto_hasher_add_u64(hasher, mark->time_ns);
	crypto_hasher_add_u64(hasher, mark->tx_base);
	crypto_hasher_add_u32(hasher, mark->index_base);
	crypto_hasher_add_u32(hasher, mark->tx_count);
	for (uint32_t i = 0; i < mark->batch_count; i++) {
		struct replica_mark_batch batch;

		replica_mark_batch_at(mark, i, &batch);
		crypto_hasher_add_u32(hasher, batch.lane);
		crypto_hasher_add_u64(hasher, batch.seq);
		crypto_hasher_add(hasher, batch.digest.b, sizeof(batch.digest.b));
		crypto_hasher_add_u32(hasher, batch.tx_count);
	}
	crypto_hasher_add(hasher, mark->exceptions,
			  (size_t)mark->exception_count * REPLICA_MARK_EXCEPTION_BYTES);
}

/* ---- the naive window: one flag a number ---- */

static enum replica_outcome naive_outcome(struct sim *sim, const struct wire_frame *frame,
					  uint64_t seq, uint64_t height)
{
	struct check_client *client = &sim->check->clients[sim_client_of(sim, &frame->client)];

	if (frame->expires < height)
		return REPLICA_OUTCOME_EXPIRED;
	if (seq < client->base)
		return REPLICA_OUTCOME_DUPLICATE;
	if (seq >= client->base + REPLICA_WINDOW_BITS)
		return REPLICA_OUTCOME_AHEAD;
	ensure(seq < CHECK_SEQ_MAX);
	return client->transactions[seq].is_taken ? REPLICA_OUTCOME_DUPLICATE :
						    REPLICA_OUTCOME_ORDERED;
}

static void naive_take(struct check_client *client, uint64_t seq)
{
	client->end = units_max(client->end, seq + 1);
	client->transactions[seq].is_taken = true;
	while (client->transactions[client->base].is_taken)
		client->base++;
}

static void naive_skip(struct sim *sim, const struct wire_frame *frame, uint64_t height)
{
	struct check_client *client = &sim->check->clients[sim_client_of(sim, &frame->client)];

	for (uint32_t i = 0; i < frame->count; i++)
		if (naive_outcome(sim, frame, frame->first_seq + i, height) ==
		    REPLICA_OUTCOME_ORDERED)
			naive_take(client, frame->first_seq + i);
}

static void order_transaction(struct sim *sim, const struct wire_frame *frame, uint64_t seq,
			      uint64_t height, uint32_t index)
{
	struct check_client *client = &sim->check->clients[sim_client_of(sim, &frame->client)];
	struct check_transaction *transaction = &client->transactions[seq];

	if (transaction->height > 0)
		sim_fail(sim, "transaction %llu ordered twice", (unsigned long long)seq);
	if (transaction->receipt_height > 0 &&
	    (transaction->receipt_height != height || transaction->receipt_index != index))
		sim_fail(sim, "transaction %llu ordered elsewhere than its receipt says",
			 (unsigned long long)seq);
	transaction->height = height;
	transaction->index = index;
	naive_take(client, seq);
	sim->check->transactions++;
}

/* The exception that covers (batch, frame, i), if the next one does. */
static enum replica_outcome marked_outcome(const struct replica_mark *mark, uint32_t batch,
					   uint32_t frame, uint32_t i, uint32_t *exception)
{
	struct replica_mark_exception e;

	while (*exception < mark->exception_count) {
		replica_mark_exception_at(mark, *exception, &e);
		if (e.batch != batch || e.frame != frame || i < e.first)
			return REPLICA_OUTCOME_ORDERED;
		if (i < e.first + e.count)
			return (enum replica_outcome)e.reason;
		(*exception)++;
	}
	return REPLICA_OUTCOME_ORDERED;
}

static uint32_t order_frame(struct sim *sim, const struct replica_mark *mark, uint32_t batch,
			    uint32_t index, const struct wire_frame *frame, uint32_t *exception,
			    uint32_t first_index)
{
	uint32_t ordered = 0;

	if (frame->kind == WIRE_FRAME_SKIP) {
		SOMETIMES(true, "outcome: a client gave numbers up");
		naive_skip(sim, frame, mark->height);
		return 0;
	}
	for (uint32_t i = 0; i < frame->count; i++) {
		uint64_t seq = frame->first_seq + i;
		enum replica_outcome said = marked_outcome(mark, batch, index, i, exception);
		enum replica_outcome right = naive_outcome(sim, frame, seq, mark->height);

		sim_marks_outcome(said);
		if (said != right)
			sim_fail(sim,
				 "height %llu: number %llu marked %d, the naive window says %d",
				 (unsigned long long)mark->height, (unsigned long long)seq, said,
				 right);
		if (said == REPLICA_OUTCOME_ORDERED)
			order_transaction(sim, frame, seq, mark->height, first_index + ordered++);
	}
	/* Step over runs that end with this frame. */
	marked_outcome(mark, batch, index, WIRE_FRAME_TRANSACTIONS_MAX, exception);
	return ordered;
}

static void order_part(struct sim *sim, const struct replica_mark *mark)
{
	uint32_t exception = 0;
	uint32_t at = mark->index_base;

	for (uint32_t i = 0; i < mark->batch_count; i++) {
		struct replica_mark_batch named;
		const struct check_batch *batch;
		struct lane_record record;

		replica_mark_batch_at(mark, i, &named);
		batch = check_batch_find(sim->check, &named.digest);
		if (!batch->is_used || batch->lane != named.lane || batch->seq != named.seq)
			sim_fail(sim, "height %llu orders a batch nobody stored",
				 (unsigned long long)mark->height);
		ensure(lane_record_open(batch->bytes, batch->byte_count, &sim->validators.chain_id,
					&record) == 0);
		for (uint32_t k = 0; k < record.header.frame_count; k++) {
			uint32_t byte_count;
			const uint8_t *bytes = lane_record_frame(&record, k, &byte_count);
			struct wire_frame frame;

			ensure(wire_frame_parse(bytes, byte_count, &frame) == 0);
			if (!wire_verify_frame(sim->check->verifier, &frame))
				sim_fail(sim, "height %llu orders a frame with a bad seal",
					 (unsigned long long)mark->height);
			at += order_frame(sim, mark, i, k, &frame, &exception, at);
		}
	}
	if (exception != mark->exception_count || at != mark->index_base + mark->tx_count)
		sim_fail(sim, "height %llu: the mark's runs or counts do not fit its frames",
			 (unsigned long long)mark->height);
}

/* Lanes in rotation from v mod n, each by seq from the parent's cut to the block's. */
static void check_rotation(struct sim *sim, const struct check_block *block,
			   const struct replica_mark_batch *batches, uint32_t count)
{
	const struct check_block *parent = check_block_find(sim->check, &block->parent_id);
	uint32_t at = 0;

	for (uint32_t turn = 0; turn < sim->knobs.n; turn++) {
		uint32_t lane = (uint32_t)((block->view + turn) % sim->knobs.n);
		uint64_t from = parent->is_used ? parent->cut[lane].seq : 0;

		for (uint64_t seq = from + 1; seq <= block->cut[lane].seq; seq++, at++)
			if (at >= count || batches[at].lane != lane || batches[at].seq != seq)
				sim_fail(sim, "height %llu is not in the order of rule 2.10",
					 (unsigned long long)block->height);
	}
	if (at != count)
		sim_fail(sim, "height %llu orders batches beyond its cut",
			 (unsigned long long)block->height);
}

static void check_block_place(struct sim *sim, const struct replica_mark *mark)
{
	const struct check_block *block = check_block_find(sim->check, &mark->block_id);
	const struct check_height *below = check_height_of(sim->check, mark->height - 1);
	const struct crypto_hash *parent = mark->height == 1 ? &sim->genesis_id : &below->id;

	if (!block->is_used || block->height != mark->height || block->view != mark->view)
		sim_fail(sim, "height %llu delivers a block nobody proposed",
			 (unsigned long long)mark->height);
	if (!crypto_hash_equal(&block->parent_id, parent))
		sim_fork(sim, "height %llu does not extend the height below",
			 (unsigned long long)mark->height);
	if (!block->is_committed)
		sim_fail(sim, "height %llu is delivered, but no rule commits it",
			 (unsigned long long)mark->height);
}

/* All parts of a height are here: compare with everybody else's, or be the first. */
static void whole_mark(struct sim *sim, struct sim_node *node)
{
	static struct replica_mark_batch batches[4 * REPLICA_MARK_BATCHES_MAX];
	struct check_height *height = check_height_of(sim->check, node->parts_height);
	struct crypto_hasher hasher;
	struct crypto_hash content;
	struct replica_mark mark = { 0 };
	uint32_t tx_count = 0;
	uint32_t count = 0;
	uint64_t tx_base = 0;

	crypto_hasher_init(&hasher);
	for (size_t at = 0; at < node->parts_bytes;) {
		uint32_t bytes;

		memcpy(&bytes, node->parts + at, sizeof(bytes));
		ensure(replica_mark_decode(node->parts + at + sizeof(bytes), bytes, &mark) == 0);
		check_mark_hash(&hasher, &mark);
		tx_base = at == 0 ? mark.tx_base : tx_base;
		tx_count += mark.tx_count;
		for (uint32_t i = 0; i < mark.batch_count; i++)
			replica_mark_batch_at(&mark, i, &batches[count++]);
		if (!height->is_known) {
			check_block_place(sim, &mark);
			order_part(sim, &mark);
		}
		at += sizeof(bytes) + bytes;
	}
	content = crypto_hasher_done(&hasher);
	if (height->is_known && !crypto_hash_equal(&height->content, &content))
		sim_fork(sim, "replica %u delivers height %llu differently from others", node->id,
			 (unsigned long long)node->parts_height);
	if (height->is_known)
		return;
	check_rotation(sim, check_block_find(sim->check, &mark.block_id), batches, count);
	height->is_known = true;
	height->id = mark.block_id;
	height->content = content;
	height->tx_base = tx_base;
	height->tx_count = tx_count;
	ensure(sim->check->height + 1 == node->parts_height);
	sim->check->height = node->parts_height;
	if (check_block_find(sim->check, &mark.block_id)->is_fresh)
		sim->check->fresh_height = node->parts_height;
	sim_marks_order(sim, node, check_block_find(sim->check, &mark.block_id), count, tx_count);
	sim_say(sim, "height %llu: view %llu, %u batches, %u transactions (replica %u)",
		(unsigned long long)mark.height, (unsigned long long)mark.view, count, tx_count,
		node->id);
}

void check_mark(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count)
{
	struct replica_mark mark;

	if (replica_mark_decode(bytes, count, &mark) < 0)
		sim_fail(sim, "replica %u writes a mark that does not decode", node->id);
	if (mark.part == 0)
		node->parts_bytes = 0;
	node->parts = realloc(node->parts, node->parts_bytes + sizeof(count) + count);
	ensure(node->parts);
	memcpy(node->parts + node->parts_bytes, &count, sizeof(count));
	memcpy(node->parts + node->parts_bytes + sizeof(count), bytes, count);
	node->parts_bytes += sizeof(count) + count;
	node->parts_height = mark.height;
	if (mark.is_last)
		whole_mark(sim, node);
}

/* f + 1 receipts: from now on the client believes it. */
static void acknowledge(struct sim *sim, const struct sim_node *node,
			struct check_transaction *transaction)
{
	uint32_t enough = hs_faulty_max(sim->knobs.n) + 1;
	bool was_acknowledged = (uint32_t)__builtin_popcount(transaction->receipts) >= enough;

	transaction->receipts |= UINT32_C(1) << node->id;
	if (!was_acknowledged && (uint32_t)__builtin_popcount(transaction->receipts) >= enough)
		sim->check->acknowledged++;
}

static void note_receipt(struct sim *sim, const struct replica_receipt *receipt)
{
	struct check_height *height = check_height_of(sim->check, receipt->height);

	if (height->is_receipted && !crypto_hash_equal(&height->receipt_id, &receipt->block_id))
		sim_fail(sim, "two blocks are receipted at height %llu",
			 (unsigned long long)receipt->height);
	sim->check->receipts++;
	height->is_receipted = true;
	height->receipt_id = receipt->block_id;
	if (sim->check->receipted_height < receipt->height)
		sim->check->receipted_height = receipt->height;
}

void sim_check_receipt(struct sim *sim, struct sim_node *node,
		       const struct replica_receipt *receipt)
{
	struct check_client *client = &sim->check->clients[sim_client_of(sim, &receipt->client)];
	const struct check_block *block = check_block_find(sim->check, &receipt->block_id);
	uint32_t index = receipt->first_index;
	uint32_t stable = block->durable;

	sim_marks_receipt(receipt);
	for (uint32_t lane = 0; lane < sim->knobs.n; lane++)
		if (block->cut[lane].seq > 0)
			stable &= check_batch_find(sim->check, &block->cut[lane].digest)->durable;
	if (!block->is_used || !(stable >> node->id & 1))
		check_wrong(sim, node->id,
			    "replica %u: RECEIPT of height %llu before it is durable", node->id,
			    (unsigned long long)receipt->height);
	/* A faulty member's claim stands for its disk. */
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		stable |= (uint32_t)sim_check_is_faulty(sim, i) << i;
	if ((uint32_t)__builtin_popcount(stable) < hs_quorum(sim->knobs.n))
		sim_fail(sim, "receipt of height %llu while fewer than q disks hold it",
			 (unsigned long long)receipt->height);
	note_receipt(sim, receipt);
	ensure(receipt->first_seq + receipt->count <= CHECK_SEQ_MAX);
	for (uint32_t i = 0; i < receipt->count; i++) {
		struct check_transaction *transaction =
			&client->transactions[receipt->first_seq + i];

		if (!(receipt->ordered_map[i / 64] >> i % 64 & 1))
			continue;
		if (transaction->height > 0 &&
		    (transaction->height != receipt->height || transaction->index != index))
			sim_fail(sim, "receipt of replica %u contradicts the order", node->id);
		client->end = units_max(client->end, receipt->first_seq + i + 1);
		transaction->receipt_height = receipt->height;
		transaction->receipt_index = index++;
		acknowledge(sim, node, transaction);
	}
}

void sim_check_final(struct sim *sim, struct sim_node *node, uint64_t height, uint64_t tx_base,
		     uint32_t tx_count)
{
	const struct check_height *known = check_height_of(sim->check, height);

	sim_marks_final(sim, node, height);
	if (node->marked_height < height)
		sim_fail(sim, "replica %u: FINAL of height %llu before its mark is durable",
			 node->id, (unsigned long long)height);
	if (!known->is_known || known->tx_base != tx_base || known->tx_count != tx_count)
		sim_fail(sim, "replica %u: FINAL of height %llu with other counts", node->id,
			 (unsigned long long)height);
}

void sim_check_end(struct sim *sim)
{
	sim_check_stable(sim, true);
	sim_marks_end(sim);
	for (uint32_t i = 0; i < sim->knobs.clients; i++)
		for (uint64_t seq = 0; seq < sim->clients[i].next_seq; seq++) {
			const struct check_transaction *transaction =
				&sim->check->clients[i].transactions[seq];

			if (transaction->receipt_height > 0 && transaction->height == 0)
				sim_fail(sim,
					 "transaction %llu of client %u, receipted at height %llu, "
					 "is lost",
					 (unsigned long long)seq, i,
					 (unsigned long long)transaction->receipt_height);
		}
}
