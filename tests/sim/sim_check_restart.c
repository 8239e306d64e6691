/* The observer at a recovery: what was durable is there, and the record is not an older one. */

#include <inttypes.h>

#include "dataplane/lane_batch.h"
#include "tests/sim/sim_marks.h"

void sim_check_scanned(struct sim *sim, struct sim_node *node, uint16_t kind, const void *bytes,
		       size_t count)
{
	struct sim_check *check = sim->check;
	uint32_t bit = UINT32_C(1) << node->id;
	struct lane_record record;

	if (sim_adversary_has(sim, node->id))
		return;
	if (kind == REPLICA_RECORD_BATCH &&
	    lane_record_open(bytes, count, &sim->validators.chain_id, &record) == 0)
		check_batch_find(check, &record.header.digest)->seen |= bit;
	if (kind == REPLICA_RECORD_BLOCK &&
	    wire_decode_block(bytes, count, &sim->validators.chain_id, &sim->validators.set_hash,
			      sim->knobs.n, &check->block) == 0)
		check_block_find(check, &check->block.id)->seen |= bit;
}

static void restart_block(struct sim *sim, struct sim_node *node, struct check_block *block)
{
	uint32_t bit = UINT32_C(1) << node->id;

	if ((block->durable & ~block->seen) & bit && !sim_check_is_faulty(sim, node->id))
		sim_fail(sim, "replica %u lost a durable block at height %llu", node->id,
			 (unsigned long long)block->height);
	block->durable = (block->durable & ~bit) | (block->seen & bit);
	if (block->durable & bit)
		sim_conform_block(sim, node->id, &block->id);
	block->seen &= ~bit;
}

static void restart_batch(struct sim *sim, struct sim_node *node, struct check_batch *batch)
{
	uint32_t bit = UINT32_C(1) << node->id;

	if ((batch->durable & ~batch->seen) & bit && !sim_check_is_faulty(sim, node->id))
		sim_fail(sim, "replica %u lost durable batch %llu of lane %u", node->id,
			 (unsigned long long)batch->seq, batch->lane);
	if ((batch->durable & ~batch->seen) & bit)
		batch->chained &= ~bit;
	batch->durable = (batch->durable & ~bit) | (batch->seen & bit);
	batch->seen &= ~bit;
}

static bool record_is_older(const struct hs_record *record, const struct hs_record *than)
{
	return record->last_vote_view < than->last_vote_view ||
	       record->last_timeout_view < than->last_timeout_view ||
	       record->last_commit_view < than->last_commit_view ||
	       record->last_proposed_view < than->last_proposed_view ||
	       record->high_qc.view < than->high_qc.view;
}

/* "v/t/c/p/q": the views of its VOTE, TIMEOUT, COMMIT, PROPOSE and high QC. */
static _Noreturn void fail_older(const struct sim *sim, const struct sim_node *node)
{
	const struct hs_record *is = &node->scanned;
	const struct hs_record *was = &node->durable;

	sim_fail(sim,
		 "replica %u: its safety record is older than one it was told is durable: "
		 "views %" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64
		 " instead of %" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64,
		 node->id, is->last_vote_view, is->last_timeout_view, is->last_commit_view,
		 is->last_proposed_view, is->high_qc.view, was->last_vote_view,
		 was->last_timeout_view, was->last_commit_view, was->last_proposed_view,
		 was->high_qc.view);
}

/* After recovery: nothing that was durable is gone, and the record is not older than promised. */
void sim_check_restart(struct sim *sim, struct sim_node *node)
{
	struct sim_check *check = sim->check;

	node->is_retired = false;
	node->is_observer = false;
	if (sim_adversary_has(sim, node->id))
		return;
	sim_conform_record(sim, node->id, "start", &node->scanned);
	sim_marks_restart(sim, node);
	for (uint32_t i = 0; i < check->block_count; i++)
		restart_block(sim, node, &check->blocks[check->block_slot[i]]);
	for (uint32_t i = 0; i < check->batch_count; i++)
		restart_batch(sim, node, &check->batches[check->batch_slot[i]]);
	if (node->has_durable && record_is_older(&node->scanned, &node->durable) &&
	    !sim_check_is_faulty(sim, node->id))
		fail_older(sim, node);
	node->durable = node->scanned;
	node->asked = node->scanned;
	node->has_durable = true;
}
