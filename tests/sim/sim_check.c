/* The observer, first half: what is said and what is durable. */

#include "tests/sim/sim_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_batch.h"

static uint32_t hash_slot(const struct crypto_hash *hash, uint32_t mask)
{
	return ((uint32_t)hash->b[0] | (uint32_t)hash->b[1] << 8 | (uint32_t)hash->b[2] << 16) &
	       mask;
}

struct check_block *check_block_find(struct sim_check *check, const struct crypto_hash *id)
{
	uint32_t at = hash_slot(id, CHECK_BLOCKS_MAX - 1);

	while (check->blocks[at].is_used && !crypto_hash_equal(&check->blocks[at].id, id))
		at = (at + 1) & (CHECK_BLOCKS_MAX - 1);
	return &check->blocks[at];
}

struct check_batch *check_batch_find(struct sim_check *check, const struct crypto_hash *digest)
{
	uint32_t at = hash_slot(digest, CHECK_BATCHES_MAX - 1);

	while (check->batches[at].is_used && !crypto_hash_equal(&check->batches[at].digest, digest))
		at = (at + 1) & (CHECK_BATCHES_MAX - 1);
	return &check->batches[at];
}

void sim_check_init(struct sim *sim)
{
	struct wire_verifier_config config = {
		.validators = &sim->validators,
		.verifier = sim->verifier,
		.genesis_id = sim->genesis_id,
		.cache_entries = 1 << 14,
	};
	struct sim_check *check = calloc(1, sizeof(*check));
	size_t bytes = wire_verifier_footprint(&config);

	ensure(check);
	check->batches = calloc(CHECK_BATCHES_MAX, sizeof(*check->batches));
	check->statements = calloc(CHECK_STATEMENTS_MAX, sizeof(*check->statements));
	check->batch_slot = calloc(CHECK_BATCHES_MAX, sizeof(*check->batch_slot));
	ensure(check->batches && check->statements && check->batch_slot);
	ensure(wire_verifier_init(aligned_alloc(64, (bytes + 63) & ~(size_t)63), bytes, &config,
				  &check->verifier) == 0);
	for (uint32_t i = 0; i < sim->knobs.clients; i++) {
		check->clients[i].base = 1;
		check->clients[i].transactions =
			calloc(CHECK_SEQ_MAX, sizeof(struct check_transaction));
		ensure(check->clients[i].transactions);
	}
	sim->check = check;
}

void sim_check_fini(struct sim *sim)
{
	struct sim_check *check = sim->check;

	for (uint32_t i = 0; i < check->batch_count; i++)
		free(check->batches[check->batch_slot[i]].bytes);
	free(check->batch_slot);
	for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++)
		free(check->clients[i].transactions);
	free(check->batches);
	free(check->statements);
	free(check->verifier);
	free(check->heights);
	free(check);
}

uint64_t sim_check_height(const struct sim *sim)
{
	return sim->check->height;
}

uint64_t sim_check_base(const struct sim *sim, uint32_t client)
{
	return sim->check->clients[client].base;
}

uint64_t sim_check_transactions(const struct sim *sim)
{
	return sim->check->transactions;
}

/* ---- commitment, from messages alone ---- */

static void prove(struct sim *sim, const struct crypto_hash *id)
{
	struct check_block *block = check_block_find(sim->check, id);

	while (block->is_used && !block->is_committed) {
		block->is_committed = true;
		block = check_block_find(sim->check, &block->parent_id);
	}
}

static bool is_quorum(const struct sim *sim, uint32_t replicas)
{
	return (uint32_t)__builtin_popcount(replicas) >= hs_quorum(sim->knobs.n);
}

/* C2: QC(v, B) inside B', QC(v + 1, B') possible. */
static void prove_by_votes(struct sim *sim, struct check_block *block)
{
	if (is_quorum(sim, block->votes) && block->justify_view > 0 &&
	    block->justify_view + 1 == block->view)
		prove(sim, &block->justify_id);
}

static void learn_block(struct sim *sim, const struct hs_block *block)
{
	struct check_block *known = check_block_find(sim->check, &block->id);

	if (known->is_used)
		return;
	if (!wire_verify_block(sim->check->verifier, block))
		sim_fail(sim, "block at height %llu does not verify from its bytes",
			 (unsigned long long)block->header.height);
	ensure(++sim->check->block_count < CHECK_BLOCKS_MAX * 3 / 4);
	known->is_used = true;
	known->id = block->id;
	known->parent_id = block->header.parent_id;
	known->justify_id = block->justify.block_id;
	known->justify_view = block->justify.view;
	known->view = block->header.view;
	known->height = block->header.height;
	memcpy(known->cut, block->header.cut.lane, sim->knobs.n * sizeof(known->cut[0]));
}

/* ---- what is said ---- */

static void say_once(struct sim *sim, uint32_t author, enum hs_message_kind kind, uint64_t view,
		     const struct crypto_hash *content, bool *ret_is_new)
{
	struct sim_check *check = sim->check;
	uint64_t key = (uint64_t)(author + 1) << 56 | (uint64_t)kind << 48 | view;
	uint32_t at = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40) &
		      (CHECK_STATEMENTS_MAX - 1);

	while (check->statements[at].key != 0 && check->statements[at].key != key)
		at = (at + 1) & (CHECK_STATEMENTS_MAX - 1);
	*ret_is_new = check->statements[at].key == 0;
	if (*ret_is_new) {
		check->statements[at].key = key;
		check->statements[at].content = *content;
	} else if (!crypto_hash_equal(&check->statements[at].content, content)) {
		sim_fail(sim, "replica %u signed two messages of kind %d in view %llu", author,
			 kind, (unsigned long long)view);
	}
}

static void want_durable_block(struct sim *sim, const struct sim_node *node,
			       const struct crypto_hash *id, bool wants_batches, const char *what)
{
	const struct check_block *block = check_block_find(sim->check, id);

	if (!block->is_used || !(block->durable >> node->id & 1))
		sim_fail(sim, "replica %u: %s before its block is durable", node->id, what);
	for (uint32_t lane = 0; wants_batches && lane < sim->knobs.n; lane++) {
		const struct check_batch *batch;

		if (block->cut[lane].seq == 0)
			continue;
		batch = check_batch_find(sim->check, &block->cut[lane].digest);
		if (!batch->is_used || !(batch->durable >> node->id & 1))
			sim_fail(sim, "replica %u: %s before lane %u is durable up to %llu",
				 node->id, what, lane, (unsigned long long)block->cut[lane].seq);
	}
}

static void check_vote(struct sim *sim, const struct sim_node *node, const struct hs_vote *vote)
{
	const struct hs_record *durable = &node->durable;
	struct check_block *block = check_block_find(sim->check, &vote->block_id);
	bool is_new;

	say_once(sim, vote->author, HS_MESSAGE_VOTE, vote->view, &vote->block_id, &is_new);
	if (vote->author != node->id)
		return;
	if (is_new && vote->view <= sim->check->timeout_view[node->id])
		sim_fail(sim, "replica %u votes in view %llu after its timeout", node->id,
			 (unsigned long long)vote->view);
	if (durable->last_vote_view < vote->view ||
	    (durable->last_vote_view == vote->view &&
	     !crypto_hash_equal(&durable->last_vote_id, &vote->block_id)))
		sim_fail(sim, "replica %u: VOTE in view %llu before its record is durable",
			 node->id, (unsigned long long)vote->view);
	want_durable_block(sim, node, &vote->block_id, true, "VOTE");
	block->votes |= UINT32_C(1) << node->id;
	prove_by_votes(sim, block);
}

static void check_commit(struct sim *sim, const struct sim_node *node,
			 const struct hs_commit *commit)
{
	struct hs_commit copy = *commit;
	struct check_block *block = check_block_find(sim->check, &commit->block_id);
	bool is_new;

	say_once(sim, commit->author, HS_MESSAGE_COMMIT, commit->view, &commit->block_id, &is_new);
	if (commit->author != node->id)
		sim_fail(sim, "replica %u relays a COMMIT", node->id);
	if (!wire_verify_commit(sim->check->verifier, &copy))
		sim_fail(sim, "replica %u sends a COMMIT with a bad signature", node->id);
	if (is_new && commit->view <= sim->check->timeout_view[node->id])
		sim_fail(sim, "replica %u commits view %llu after its timeout", node->id,
			 (unsigned long long)commit->view);
	if (node->durable.last_commit_view < commit->view ||
	    node->durable.high_qc.view < commit->view)
		sim_fail(sim, "replica %u: COMMIT in view %llu before its record is durable",
			 node->id, (unsigned long long)commit->view);
	want_durable_block(sim, node, &commit->block_id, true, "COMMIT");
	if (sim->check->commit_view[node->id] < commit->view)
		sim->check->commit_view[node->id] = commit->view;
	block->commits |= UINT32_C(1) << node->id;
	if (is_quorum(sim, block->commits))
		prove(sim, &block->id);
}

static void check_timeout(struct sim *sim, const struct sim_node *node,
			  const struct hs_timeout *timeout)
{
	struct crypto_hash content = { { 0 } };
	uint64_t committed = sim->check->commit_view[node->id];
	bool is_new;

	memcpy(content.b, &timeout->qc_view, sizeof(timeout->qc_view));
	say_once(sim, timeout->author, HS_MESSAGE_TIMEOUT, timeout->view, &content, &is_new);
	if (timeout->author != node->id)
		return;
	if (is_new && committed <= timeout->view && timeout->qc_view < committed)
		sim_fail(sim,
			 "replica %u: TIMEOUT of view %llu hides the certificate it committed on",
			 node->id, (unsigned long long)timeout->view);
	if (node->durable.last_timeout_view < timeout->view)
		sim_fail(sim, "replica %u: TIMEOUT of view %llu before its record is durable",
			 node->id, (unsigned long long)timeout->view);
	if (sim->check->timeout_view[node->id] < timeout->view)
		sim->check->timeout_view[node->id] = timeout->view;
}

static void check_propose(struct sim *sim, const struct sim_node *node,
			  const struct hs_block *block)
{
	bool is_new;

	learn_block(sim, block);
	say_once(sim, block->author, HS_MESSAGE_PROPOSE, block->header.view, &block->id, &is_new);
	if (block->author == node->id && node->durable.last_proposed_view < block->header.view)
		sim_fail(sim, "replica %u: PROPOSE in view %llu before its record is durable",
			 node->id, (unsigned long long)block->header.view);
}

static void check_ackvec(struct sim *sim, const struct sim_node *node,
			 const struct lane_ackvec *ackvec)
{
	uint32_t bit = UINT32_C(1) << node->id;

	for (uint32_t i = 0; i < ackvec->count; i++) {
		const struct lane_ack *ack = &ackvec->ack[i];
		struct crypto_hash digest = ack->digest;

		for (uint64_t seq = ack->stored_seq; seq > 0; seq--) {
			struct check_batch *batch = check_batch_find(sim->check, &digest);

			if (!batch->is_used || batch->seq != seq ||
			    batch->lane != ackvec->lane[i] || !(batch->durable & bit))
				sim_fail(sim,
					 "replica %u claims batch %llu of lane %u: not durable",
					 node->id, (unsigned long long)seq, ackvec->lane[i]);
			if (batch->chained & bit)
				break;
			batch->chained |= bit;
			digest = batch->prev_digest;
		}
	}
}

static void check_blocks(struct sim *sim, const struct wire_blocks *blocks)
{
	struct sim_check *check = sim->check;

	for (uint32_t i = 0; i < blocks->count; i++) {
		if (wire_decode_block(blocks->block_bytes[i], blocks->block_byte_count[i],
				      &sim->validators.chain_id, &sim->validators.set_hash,
				      sim->knobs.n, &check->block) < 0)
			sim_fail(sim, "a served block does not decode");
		learn_block(sim, &check->block);
	}
}

void sim_check_send(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count)
{
	struct wire_message *message = &sim->check->message;
	int code = wire_decode(bytes, count, node->id, &sim->validators.chain_id,
			       &sim->validators.set_hash, sim->knobs.n, 1, message);

	if (code < 0)
		sim_fail(sim, "replica %u sends bytes that do not decode (kind %u): %s", node->id,
			 bytes[0], err_text(code));
	sim->check->messages[message->kind % 64]++;
	code = wire_verify_message(sim->check->verifier, message);
	if (code < 0)
		sim_fail(sim, "replica %u sends a message of kind %d that does not verify",
			 node->id, message->kind);
	switch (message->kind) {
	case WIRE_PROPOSE:
		check_propose(sim, node, &message->u.core.u.propose);
		break;
	case WIRE_VOTE:
		check_vote(sim, node, &message->u.core.u.vote);
		break;
	case WIRE_COMMIT:
		check_commit(sim, node, &message->u.core.u.commit);
		break;
	case WIRE_TIMEOUT:
		check_timeout(sim, node, &message->u.core.u.timeout);
		break;
	case WIRE_ACKVEC:
		check_ackvec(sim, node, &message->u.ackvec);
		break;
	case WIRE_BLOCKS:
		check_blocks(sim, &message->u.blocks);
		break;
	case WIRE_EVIDENCE:
		sim_fail(sim, "replica %u blames an honest replica", node->id);
	default:
		break;
	}
}

/* ---- what is durable ---- */

static void learn_batch(struct sim *sim, struct sim_append *append)
{
	struct lane_record record;
	struct check_batch *batch;

	if (lane_record_open(append->bytes, append->byte_count, &sim->validators.chain_id,
			     &record) < 0)
		sim_fail(sim, "a BATCH record does not open");
	append->id = record.header.digest;
	batch = check_batch_find(sim->check, &append->id);
	if (batch->is_used)
		return;
	ensure(sim->check->batch_count < CHECK_BATCHES_MAX * 3 / 4);
	sim->check->batch_slot[sim->check->batch_count++] = (uint32_t)(batch - sim->check->batches);
	batch->is_used = true;
	batch->digest = record.header.digest;
	batch->prev_digest = record.header.prev_digest;
	batch->lane = record.header.lane;
	batch->seq = record.header.seq;
	batch->byte_count = append->byte_count;
	batch->bytes = malloc(append->byte_count);
	ensure(batch->bytes);
	memcpy(batch->bytes, append->bytes, append->byte_count);
}

void sim_check_append(struct sim *sim, struct sim_node *node, struct sim_append *append)
{
	struct sim_check *check = sim->check;

	switch (append->kind) {
	case REPLICA_RECORD_BATCH:
		learn_batch(sim, append);
		break;
	case REPLICA_RECORD_BLOCK:
		ensure(wire_decode_block(append->bytes, append->byte_count,
					 &sim->validators.chain_id, &sim->validators.set_hash,
					 sim->knobs.n, &check->block) == 0);
		learn_block(sim, &check->block);
		append->id = check->block.id;
		break;
	case REPLICA_RECORD_MARK:
		check_mark(sim, node, append->bytes, append->byte_count);
		break;
	case REPLICA_RECORD_SAFETY:
		append->record = malloc(sizeof(*append->record));
		ensure(append->record);
		ensure(wire_decode_record(append->bytes, append->byte_count, sim->knobs.n,
					  append->record) == 0);
		break;
	case REPLICA_RECORD_EVIDENCE:
		sim_fail(sim, "replica %u stores evidence against an honest replica", node->id);
	default:
		break;
	}
}

void sim_check_durable(struct sim *sim, struct sim_node *node, const struct sim_append *append)
{
	uint32_t bit = UINT32_C(1) << node->id;
	struct replica_mark mark;

	switch (append->kind) {
	case REPLICA_RECORD_BATCH:
		check_batch_find(sim->check, &append->id)->durable |= bit;
		break;
	case REPLICA_RECORD_BLOCK:
		check_block_find(sim->check, &append->id)->durable |= bit;
		break;
	case REPLICA_RECORD_MARK:
		ensure(replica_mark_decode(append->bytes, append->byte_count, &mark) == 0);
		if (mark.is_last)
			node->marked_height = mark.height;
		break;
	case REPLICA_RECORD_SAFETY:
		node->durable = *append->record;
		node->has_durable = true;
		break;
	default:
		break;
	}
}

void sim_check_scanned(struct sim *sim, struct sim_node *node, uint16_t kind, const void *bytes,
		       size_t count)
{
	struct sim_check *check = sim->check;
	uint32_t bit = UINT32_C(1) << node->id;
	struct lane_record record;

	if (kind == REPLICA_RECORD_BATCH &&
	    lane_record_open(bytes, count, &sim->validators.chain_id, &record) == 0)
		check_batch_find(check, &record.header.digest)->seen |= bit;
	if (kind == REPLICA_RECORD_BLOCK &&
	    wire_decode_block(bytes, count, &sim->validators.chain_id, &sim->validators.set_hash,
			      sim->knobs.n, &check->block) == 0)
		check_block_find(check, &check->block.id)->seen |= bit;
}

/* After recovery: nothing that was durable is gone, and the record is not older than promised. */
void sim_check_restart(struct sim *sim, struct sim_node *node)
{
	struct sim_check *check = sim->check;
	uint32_t bit = UINT32_C(1) << node->id;

	for (uint32_t i = 0; i < CHECK_BLOCKS_MAX; i++) {
		if ((check->blocks[i].durable & ~check->blocks[i].seen) & bit)
			sim_fail(sim, "replica %u lost a durable block at height %llu", node->id,
				 (unsigned long long)check->blocks[i].height);
		check->blocks[i].durable |= check->blocks[i].seen & bit;
		check->blocks[i].seen &= ~bit;
	}
	for (uint32_t i = 0; i < check->batch_count; i++) {
		struct check_batch *batch = &check->batches[check->batch_slot[i]];

		if ((batch->durable & ~batch->seen) & bit)
			sim_fail(sim, "replica %u lost durable batch %llu of lane %u", node->id,
				 (unsigned long long)batch->seq, batch->lane);
		batch->durable |= batch->seen & bit;
		batch->seen &= ~bit;
	}
	if (node->has_durable &&
	    (node->scanned.last_vote_view < node->durable.last_vote_view ||
	     node->scanned.last_timeout_view < node->durable.last_timeout_view ||
	     node->scanned.last_commit_view < node->durable.last_commit_view ||
	     node->scanned.last_proposed_view < node->durable.last_proposed_view ||
	     node->scanned.high_qc.view < node->durable.high_qc.view))
		sim_fail(sim,
			 "replica %u: its safety record is older than one it was told is durable",
			 node->id);
	node->durable = node->scanned;
	node->has_durable = true;
}

void sim_check_dropped(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	(void)node;
	sim->check->drops[effect->u.dropped.family][effect->u.dropped.reason % 64]++;
}

void sim_check_print(const struct sim *sim)
{
	static const char *const core[] = {
#define HS_DROP(name, text) #name,
#include "consensus/hs_drop.def"
#undef HS_DROP
	};
	static const char *const lane[] = {
#define LANE_DROP(name, text) #name,
#include "dataplane/lane_drop.def"
#undef LANE_DROP
	};
	static const char *const replica[] = {
#define REPLICA_DROP(name, text) #name,
#include "replica/replica_drop.def"
#undef REPLICA_DROP
	};
	static const char *const *const names[] = { core, lane, replica };
	static const uint32_t counts[] = { HS_DROP_COUNT, LANE_DROP_COUNT, REPLICA_DROP_COUNT };

	for (uint32_t kind = 0; kind < 64; kind++)
		if (sim->check->messages[kind] > 0)
			fprintf(stderr, "sent kind %u: %llu\n", kind,
				(unsigned long long)sim->check->messages[kind]);
	for (uint32_t family = 0; family < 3; family++)
		for (uint32_t i = 0; i < counts[family]; i++)
			if (sim->check->drops[family][i] > 0)
				fprintf(stderr, "dropped %s: %llu\n", names[family][i],
					(unsigned long long)sim->check->drops[family][i]);
}
