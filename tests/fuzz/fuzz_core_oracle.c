/* What PROTOCOL §5 allows an honest member: each statement, record, step and commit. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "tests/fuzz/fuzz_core_world.h"

void fuzz_core_demand(const struct core_world *world, bool is_true, const char *what)
{
	if (is_true && !world->cluster.result.failure)
		return;
	fprintf(stderr, "broken promise: %s\n",
		world->cluster.result.failure ? world->cluster.result.failure : what);
	abort();
}

/* ---- what is certain ---- */

/* Blocks beyond the table are forgotten: then nothing certain can be said about chains. */
static bool is_complete(const struct core_world *world)
{
	return world->seen_count < CORE_SEEN_MAX;
}

/* The liar joins whatever needs it. */
static bool is_quorum(uint32_t honest)
{
	return __builtin_popcount(honest) + 1 >= CORE_QUORUM;
}

static const struct core_seen *find(const struct core_world *world, const struct crypto_hash *id)
{
	uint32_t at = fuzz_core_find(world, id);

	return at == CORE_SEEN_MAX ? NULL : &world->seen[at];
}

static bool is_certified(const struct core_seen *seen)
{
	return seen->block.header.view == 0 || is_quorum(seen->votes);
}

/* C1, or C2 by a child of the very next view. */
static bool is_final_by_itself(const struct core_world *world, const struct core_seen *seen)
{
	if (is_quorum(seen->commits))
		return true;
	for (uint32_t i = 1; i < world->seen_count && is_quorum(seen->votes); i++) {
		const struct core_seen *child = &world->seen[i];

		if (is_quorum(child->votes) &&
		    child->block.justify.view + 1 == child->block.header.view &&
		    crypto_hash_equal(&child->block.justify.block_id, &seen->block.id))
			return true;
	}
	return false;
}

static bool descends(const struct core_world *world, const struct core_seen *seen,
		     const struct hs_block *from)
{
	while (seen && seen->block.header.height > from->header.height)
		seen = find(world, &seen->block.header.parent_id);
	return seen && crypto_hash_equal(&seen->block.id, &from->id);
}

static bool is_left(const struct core_world *world, uint64_t view)
{
	uint32_t timed_out = 0;

	for (uint32_t i = 0; i < CORE_HONEST; i++)
		if (world->cluster.timed_out[i][view % VIEWS_MAX] != 0)
			timed_out |= 1U << i;
	if (view == 0 || is_quorum(timed_out))
		return true;
	for (uint32_t i = 1; i < world->seen_count; i++)
		if (world->seen[i].block.header.view == view && is_quorum(world->seen[i].votes))
			return true;
	return false;
}

static bool is_ready(const struct core_world *world, uint32_t node, const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < world->payload_count; i++)
		if (crypto_hash_equal(&world->payload[i].id, id))
			return world->payload[i].members >> node & 1;
	return world->payload_count == CORE_PAYLOADS_MAX;
}

void fuzz_core_judge_ready(struct core_world *world, uint32_t node, const struct crypto_hash *id)
{
	uint32_t at = 0;

	while (at < world->payload_count && !crypto_hash_equal(&world->payload[at].id, id))
		at++;
	if (at == CORE_PAYLOADS_MAX)
		return;
	if (at == world->payload_count)
		world->payload[world->payload_count++] = (struct core_payload){ .id = *id };
	world->payload[at].members |= 1U << node;
}

/* ---- rules ---- */

static uint64_t tc_max(const struct hs_tc *tc)
{
	uint64_t max = 0;

	for (uint32_t i = 0; i < tc->count; i++)
		max = units_max(max, tc->qc_view[i]);
	return max;
}

static void judge_p(const struct core_world *world, const struct hs_block *block)
{
	const struct hs_header *header = &block->header;
	const struct core_seen *parent = find(world, &header->parent_id);

	fuzz_core_demand(world, header->epoch == world->cluster.node[0].config.epoch, "§3: epoch");
	fuzz_core_demand(world, block->author == header->view % CORE_MEMBERS, "P(1): leader");
	fuzz_core_demand(world, crypto_hash_equal(&header->parent_id, &block->justify.block_id),
			 "P(1): parent");
	fuzz_core_demand(world,
			 block->justify.view + 1 == header->view ||
				 (block->has_tc && block->tc.view + 1 == header->view &&
				  block->justify.view >= tc_max(&block->tc)),
			 "P(3)");
	fuzz_core_demand(world, !header->has_config && !header->has_checkpoint, "P(6)");
	if (!parent)
		return;
	fuzz_core_demand(world, header->height == parent->block.header.height + 1, "P(1): height");
	fuzz_core_demand(world, header->time_ns > parent->block.header.time_ns, "P(1): time");
	fuzz_core_demand(world, block->justify.view == parent->block.header.view, "P(2): view");
	fuzz_core_demand(world, is_certified(parent), "P(2): quorum");
	for (uint32_t i = 0; i < CORE_MEMBERS; i++)
		fuzz_core_demand(world,
				 header->cut.lane[i].seq >= parent->block.header.cut.lane[i].seq,
				 "P(4)");
}

static void judge_vote(const struct core_world *world, uint32_t node, const struct hs_vote *vote)
{
	/* The copy it made durable: a TC is not part of the id, others may have it without. */
	const struct hs_block *block =
		hs_cluster_durable(&world->cluster.node[node], &vote->block_id);

	if (!crypto_hash_is_zero(&world->cluster.voted[node][vote->view % VIEWS_MAX]))
		return;
	fuzz_core_demand(world, vote->view > world->timeout_view[node], "V: timed out before");
	fuzz_core_demand(world, block != NULL, "D: VOTE before its header is durable");
	judge_p(world, block);
	fuzz_core_demand(world, vote->view == block->header.view, "V: view");
	fuzz_core_demand(world, is_ready(world, node, &vote->block_id), "P(5): payload");
	fuzz_core_demand(world,
			 block->header.time_ns <= fuzz_core_wall_ns(world) + UINT64_C(500000000),
			 "P(1): voted before its time");
}

static void judge_commit(const struct core_world *world, uint32_t node,
			 const struct hs_commit *commit)
{
	const struct core_seen *seen = find(world, &commit->block_id);

	if (!crypto_hash_is_zero(&world->cluster.commit_voted[node][commit->view % VIEWS_MAX]))
		return;
	fuzz_core_demand(world, commit->view > world->timeout_view[node], "K: timed out before");
	if (!seen)
		return;
	fuzz_core_demand(world, commit->view == seen->block.header.view, "K: view");
	fuzz_core_demand(world, is_certified(seen), "K: no certificate");
	fuzz_core_demand(world, is_ready(world, node, &commit->block_id), "K: payload");
}

static void judge_timeout(struct core_world *world, uint32_t node, const struct hs_timeout *timeout)
{
	struct core_promise *promise = &world->promise[node];

	fuzz_core_demand(world, timeout->view >= world->low_view[node], "T: a view left before");
	if (world->cluster.timed_out[node][timeout->view % VIEWS_MAX] != 0)
		return;
	if (promise->timeout_view == timeout->view)
		fuzz_core_demand(world, timeout->qc_view >= promise->timeout_lock,
				 "T: not the highest certificate");
	world->timeout_view[node] = units_max(world->timeout_view[node], timeout->view);
}

/* Rule R: first q - 1 answers or 2 delta. */
static void judge_silence(const struct core_world *world, uint32_t node)
{
	const struct core_promise *promise = &world->promise[node];

	fuzz_core_demand(world,
			 __builtin_popcount(promise->answered) >= CORE_QUORUM - 1 ||
				 world->cluster.now_ns >= promise->silent_until_ns,
			 "R: spoke too early");
}

void fuzz_core_judge_send(struct core_world *world, uint32_t node, const struct hs_message *message)
{
	judge_silence(world, node);
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		judge_p(world, &message->u.propose);
		break;
	case HS_MESSAGE_VOTE:
		judge_vote(world, node, &message->u.vote);
		break;
	case HS_MESSAGE_COMMIT:
		judge_commit(world, node, &message->u.commit);
		break;
	case HS_MESSAGE_TIMEOUT:
		judge_timeout(world, node, &message->u.timeout);
		break;
	default:
		break;
	}
}

/* Over all lives: V and K as they are decided, not only as they are said. */
void fuzz_core_judge_record(struct core_world *world, uint32_t node, const struct hs_record *record)
{
	struct core_promise *promise = &world->promise[node];
	uint64_t closed = promise->last_timeout_view;

	fuzz_core_demand(world,
			 record->last_vote_view >= promise->last_vote_view &&
				 record->last_commit_view >= promise->last_commit_view &&
				 record->last_timeout_view >= closed &&
				 record->last_proposed_view >= promise->last_proposed_view,
			 "R: a record goes back");
	fuzz_core_demand(world,
			 record->last_vote_view == promise->last_vote_view ||
				 record->last_vote_view > closed,
			 "V: decided after its timeout");
	fuzz_core_demand(world,
			 record->last_commit_view == promise->last_commit_view ||
				 record->last_commit_view > closed,
			 "K: decided after its timeout");
	fuzz_core_demand(world, record->high_qc.view >= record->last_commit_view, "L: COMMIT");
	promise->last_vote_view = record->last_vote_view;
	promise->last_commit_view = record->last_commit_view;
	promise->last_timeout_view = record->last_timeout_view;
	promise->last_proposed_view = record->last_proposed_view;
}

/* What the record under way held is lost when it was not written. */
void fuzz_core_judge_start(struct core_world *world, uint32_t node)
{
	const struct hs_record *disk = &world->cluster.node[node].disk;
	const struct hs_config *config = &world->cluster.node[node].config;

	world->promise[node] = (struct core_promise){
		.last_vote_view = disk->last_vote_view,
		.last_commit_view = disk->last_commit_view,
		.last_timeout_view = disk->last_timeout_view,
		.last_proposed_view = disk->last_proposed_view,
		.silent_until_ns = world->cluster.now_ns + 2 * config->delta_ns,
	};
}

void fuzz_core_judge_step(struct core_world *world, uint32_t node, const struct hs_view_status *now)
{
	struct core_promise *promise = &world->promise[node];

	fuzz_core_demand(world, now->view >= world->low_view[node], "A: a view fell");
	fuzz_core_demand(world, now->high_qc_view >= world->low_lock[node], "L: a lock fell");
	if (world->low_view[node] != 0 && now->view > world->low_view[node] && is_complete(world))
		fuzz_core_demand(world, is_left(world, now->view - 1), "A: no certificate");
	if (now->last_timeout_view > promise->timeout_view) {
		fuzz_core_demand(world,
				 world->low_view[node] == 0 ||
					 now->last_timeout_view >= world->low_view[node],
				 "T: not the current view");
		promise->timeout_view = now->last_timeout_view;
		promise->timeout_lock = world->low_lock[node];
	}
	world->low_view[node] = now->view;
	world->low_lock[node] = now->high_qc_view;
	world->view_max = units_max(world->view_max, now->view);
}

void fuzz_core_judge_final(const struct core_world *world, const struct hs_block *block)
{
	for (uint32_t i = 1; i < world->seen_count; i++)
		if (descends(world, &world->seen[i], block) &&
		    is_final_by_itself(world, &world->seen[i]))
			return;
	fuzz_core_demand(world, !is_complete(world), "C: not final");
}

/* Evidence names the liar, and anybody can check both halves. */
void fuzz_core_judge_evidence(const struct core_world *world, const struct hs_evidence *evidence)
{
	const struct hs_statement *half[2] = { &evidence->first, &evidence->second };

	fuzz_core_demand(world, evidence->author == CORE_LIAR, "§8: blames the honest");
	for (uint32_t i = 0; i < 2; i++) {
		struct crypto_signature wanted = hs_make_signed(
			&world->cluster.node[0].config, half[i]->kind, evidence->author,
			half[i]->view,
			half[i]->kind == HS_MESSAGE_TIMEOUT ? NULL : &half[i]->block_id,
			half[i]->qc_view);

		fuzz_core_demand(world, memcmp(&wanted, &half[i]->signature, sizeof(wanted)) == 0,
				 "§8: evidence nobody can check");
	}
}
