/* The observer, first half: what is said and what is durable. */

#include "tests/sim/sim_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_batch.h"
#include "tests/sim/sim_marks.h"
#include "tests/sim/sim_memory.h"

enum { TRANSACTIONS_BYTES = CHECK_SEQ_MAX * sizeof(struct check_transaction) };

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
		.cache_entries = sim->power.wanted > 0 ? 1 << 10 : 1 << 14,
	};
	struct sim_check *check = calloc(1, sizeof(*check));
	size_t bytes = wire_verifier_footprint(&config);

	ensure(check);
	check->blocks = sim_memory_take(CHECK_BLOCKS_MAX * sizeof(*check->blocks));
	check->block_slot = sim_memory_take_dirty(CHECK_BLOCKS_MAX * sizeof(*check->block_slot));
	check->batches = sim_memory_take(CHECK_BATCHES_MAX * sizeof(*check->batches));
	check->batch_slot = sim_memory_take_dirty(CHECK_BATCHES_MAX * sizeof(*check->batch_slot));
	check->statements = sim_memory_take(CHECK_STATEMENTS_MAX * sizeof(*check->statements));
	check->verifier_bytes = bytes;
	ensure(wire_verifier_init(sim_memory_take_dirty(bytes), bytes, &config, &check->verifier) ==
	       0);
	for (uint32_t i = 0; i < sim->knobs.clients; i++) {
		check->clients[i].base = 1;
		check->clients[i].transactions = sim_memory_take(TRANSACTIONS_BYTES);
	}
	sim->check = check;
}

/* Only what was used is cleared: the tables are far bigger than most runs. */
static void clear_tables(struct sim *sim, struct sim_check *check)
{
	for (uint32_t i = 0; i < check->block_count; i++)
		check->blocks[check->block_slot[i]] = (struct check_block){ 0 };
	for (uint32_t i = 0; i < check->batch_count; i++) {
		struct check_batch *batch = &check->batches[check->batch_slot[i]];

		sim_memory_free(batch->bytes);
		*batch = (struct check_batch){ 0 };
	}
	memset(check->statements, 0, CHECK_STATEMENTS_MAX * sizeof(*check->statements));
	for (uint32_t i = 0; i < sim->knobs.clients; i++) {
		memset(check->clients[i].transactions, 0,
		       check->clients[i].end * sizeof(struct check_transaction));
		sim_memory_give(check->clients[i].transactions, TRANSACTIONS_BYTES);
	}
}

void sim_check_fini(struct sim *sim)
{
	struct sim_check *check = sim->check;

	clear_tables(sim, check);
	sim_memory_give(check->blocks, CHECK_BLOCKS_MAX * sizeof(*check->blocks));
	sim_memory_give_dirty(check->block_slot, CHECK_BLOCKS_MAX * sizeof(*check->block_slot));
	sim_memory_give(check->batches, CHECK_BATCHES_MAX * sizeof(*check->batches));
	sim_memory_give_dirty(check->batch_slot, CHECK_BATCHES_MAX * sizeof(*check->batch_slot));
	sim_memory_give(check->statements, CHECK_STATEMENTS_MAX * sizeof(*check->statements));
	sim_memory_give_dirty(check->verifier, check->verifier_bytes);
	free(check->heights);
	free(check);
}

uint64_t sim_check_height(const struct sim *sim)
{
	return sim->check->height;
}

bool sim_check_is_settled(const struct sim *sim)
{
	return sim->check->receipted_height <= sim->check->height;
}

uint64_t sim_check_fresh_height(const struct sim *sim)
{
	return sim->check->fresh_height;
}

uint64_t sim_check_base(const struct sim *sim, uint32_t client)
{
	return sim->check->clients[client].base;
}

uint64_t sim_check_transactions(const struct sim *sim)
{
	return sim->check->transactions;
}

uint64_t sim_check_said(const struct sim *sim, uint32_t kind)
{
	return sim->check->messages[kind % 64];
}

uint64_t sim_check_receipts(const struct sim *sim)
{
	return sim->check->receipts;
}

uint64_t sim_check_acknowledged(const struct sim *sim)
{
	return sim->check->acknowledged;
}

uint64_t sim_check_evidence(const struct sim *sim)
{
	return sim->check->evidence;
}

/* ---- commitment, from messages alone ---- */

static void prove(struct sim *sim, const struct crypto_hash *id)
{
	struct check_block *block = check_block_find(sim->check, id);

	while (block->is_used && !block->is_committed) {
		const struct check_block **proven = &sim->check->proven[block->height];

		ensure(block->height < CHECK_BLOCKS_MAX);
		if (*proven)
			sim_fork(sim, "two blocks at height %llu, of views %llu and %llu, commit",
				 (unsigned long long)block->height,
				 (unsigned long long)(*proven)->view,
				 (unsigned long long)block->view);
		*proven = block;
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

/* Signatures nobody sent on their own: a Byzantine member's may be seen in a certificate first. */
static void learn_qc(struct sim *sim, const struct hs_qc *qc)
{
	struct check_block *block = check_block_find(sim->check, &qc->block_id);

	if (!block->is_used || block->view != qc->view)
		return;
	block->votes |= (uint32_t)qc->signers.word[0];
	prove_by_votes(sim, block);
}

static void learn_fc(struct sim *sim, const struct hs_fc *fc)
{
	struct check_block *block = check_block_find(sim->check, &fc->c.block_id);

	if (!block->is_used || block->view != fc->c.view)
		return;
	block->commits |= (uint32_t)fc->c.signers.word[0];
	if (is_quorum(sim, block->commits))
		prove(sim, &block->id);
}

static void learn_block(struct sim *sim, const struct hs_block *block)
{
	struct check_block *known = check_block_find(sim->check, &block->id);

	if (known->is_used)
		return;
	if (!wire_verify_block(sim->check->verifier, block))
		sim_fail(sim, "block at height %llu does not verify from its bytes",
			 (unsigned long long)block->header.height);
	ensure(sim->check->block_count < CHECK_BLOCKS_MAX * 3 / 4);
	sim->check->block_slot[sim->check->block_count++] = (uint32_t)(known - sim->check->blocks);
	known->is_used = true;
	known->id = block->id;
	known->parent_id = block->header.parent_id;
	known->justify_id = block->justify.block_id;
	known->justify_view = block->justify.view;
	known->is_fresh = !sim->is_chaos;
	known->view = block->header.view;
	known->height = block->header.height;
	memcpy(known->cut, block->header.cut.lane, sim->knobs.n * sizeof(known->cut[0]));
	learn_qc(sim, &block->justify);
}

/* ---- what is said ---- */

void check_wrong(const struct sim *sim, uint32_t node, const char *format, ...)
{
	char text[256];
	va_list arguments;

	if (sim_check_is_faulty(sim, node))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sim_fail(sim, "%s", text);
}

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
		ensure(++check->statement_count < CHECK_STATEMENTS_MAX * 3 / 4);
		check->statements[at].key = key;
		check->statements[at].content = *content;
	} else if (!crypto_hash_equal(&check->statements[at].content, content)) {
		check_wrong(sim, author, "replica %u signed two messages of kind %d in view %llu",
			    author, kind, (unsigned long long)view);
	}
}

static void want_durable_block(struct sim *sim, const struct sim_node *node,
			       const struct crypto_hash *id, bool wants_batches, const char *what)
{
	const struct check_block *block = check_block_find(sim->check, id);

	if (!block->is_used || !(block->durable >> node->id & 1))
		check_wrong(sim, node->id, "replica %u: %s before its block is durable", node->id,
			    what);
	for (uint32_t lane = 0; wants_batches && lane < sim->knobs.n; lane++) {
		const struct check_batch *batch;

		if (block->cut[lane].seq == 0)
			continue;
		batch = check_batch_find(sim->check, &block->cut[lane].digest);
		if (!batch->is_used || !(batch->durable >> node->id & 1))
			check_wrong(sim, node->id,
				    "replica %u: %s before lane %u is durable up to %llu", node->id,
				    what, lane, (unsigned long long)block->cut[lane].seq);
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
		check_wrong(sim, node->id, "replica %u votes in view %llu after its timeout",
			    node->id, (unsigned long long)vote->view);
	if (durable->last_vote_view < vote->view ||
	    (durable->last_vote_view == vote->view &&
	     !crypto_hash_equal(&durable->last_vote_id, &vote->block_id)))
		check_wrong(sim, node->id,
			    "replica %u: VOTE in view %llu before its record is durable", node->id,
			    (unsigned long long)vote->view);
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
		check_wrong(sim, node->id, "replica %u commits view %llu after its timeout",
			    node->id, (unsigned long long)commit->view);
	if (node->durable.last_commit_view < commit->view ||
	    node->durable.high_qc.view < commit->view)
		check_wrong(sim, node->id,
			    "replica %u: COMMIT in view %llu before its record is durable",
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
		check_wrong(
			sim, node->id,
			"replica %u: TIMEOUT of view %llu hides the certificate it committed on",
			node->id, (unsigned long long)timeout->view);
	if (node->durable.last_timeout_view < timeout->view)
		check_wrong(sim, node->id,
			    "replica %u: TIMEOUT of view %llu before its record is durable",
			    node->id, (unsigned long long)timeout->view);
	if (sim->check->timeout_view[node->id] < timeout->view)
		sim->check->timeout_view[node->id] = timeout->view;
}

static void check_propose(struct sim *sim, const struct sim_node *node,
			  const struct hs_block *block)
{
	bool is_new;

	learn_block(sim, block);
	if (sim_adversary_has(sim, block->author))
		return;
	say_once(sim, block->author, HS_MESSAGE_PROPOSE, block->header.view, &block->id, &is_new);
	if (block->author == node->id && node->durable.last_proposed_view < block->header.view)
		check_wrong(sim, node->id,
			    "replica %u: PROPOSE in view %llu before its record is durable",
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
			    batch->lane != ackvec->lane[i] || !(batch->durable & bit)) {
				check_wrong(sim, node->id,
					    "replica %u claims batch %llu of lane %u: not durable",
					    node->id, (unsigned long long)seq, ackvec->lane[i]);
				break;
			}
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

bool sim_check_is_faulty(const struct sim *sim, uint32_t node)
{
	return sim_adversary_has(sim, node) ||
	       (sim->nodes[node].is_frail && sim_disk_is_marred(sim->nodes[node].disk));
}

/* Frames of a repair come from a disk: they must be those of the batch. */
static void check_repair(struct sim *sim, const struct sim_node *node,
			 const struct lane_repair *repair)
{
	const struct check_batch *batch = check_batch_find(sim->check, &repair->header.digest);
	struct lane_record record;

	if (!batch->is_used)
		return;
	ensure(lane_record_open(batch->bytes, batch->byte_count, &sim->validators.chain_id,
				&record) == 0);
	for (uint32_t i = 0; i < repair->count; i++) {
		const struct lane_repair_frame *frame = &repair->frame[i];
		uint32_t byte_count = 0;
		const uint8_t *bytes =
			frame->index < record.header.frame_count ?
				lane_record_frame(&record, frame->index, &byte_count) :
				NULL;

		if (!bytes || byte_count != frame->byte_count ||
		    memcmp(bytes, frame->bytes, byte_count) != 0)
			sim_fail(sim, "replica %u serves a frame with wrong bytes", node->id);
	}
}

/* An observer speaks, but signs nothing that counts (rule R). */
static void check_observer(const struct sim *sim, const struct sim_node *node,
			   const struct wire_message *message)
{
	const struct hs_message *core = &message->u.core;
	bool is_own = message->kind == WIRE_COMMIT ||
		      (message->kind == WIRE_VOTE && core->u.vote.author == node->id) ||
		      (message->kind == WIRE_TIMEOUT && core->u.timeout.author == node->id) ||
		      (message->kind == WIRE_PROPOSE && core->u.propose.author == node->id);

	if (node->is_observer && is_own)
		sim_fail(sim, "replica %u only observes, and sends a message of kind %d", node->id,
			 (int)message->kind);
}

static bool statement_is_above(const struct hs_statement *statement, const struct hs_record *record)
{
	switch (statement->kind) {
	case HS_MESSAGE_PROPOSE:
		return statement->view > record->last_proposed_view;
	case HS_MESSAGE_VOTE:
		return statement->view > record->last_vote_view;
	case HS_MESSAGE_TIMEOUT:
		return statement->view > record->last_timeout_view;
	default:
		return false;
	}
}

void sim_check_heard(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count)
{
	struct wire_message *message = &sim->check->message;
	struct replica_status status;

	if (bytes[0] != WIRE_SHOW || node->is_retired ||
	    wire_decode(bytes, count, node->id, &sim->validators.chain_id,
			&sim->validators.set_hash, sim->knobs.n, 1, message) < 0 ||
	    !statement_is_above(&message->u.show.statement, &node->asked))
		return;
	replica_status(node->replica, &status);
	if (!status.view.is_observer)
		sim_fail(sim, "replica %u was shown that it is rolled back, and goes on", node->id);
}

static void learn_certificates(struct sim *sim, const struct wire_message *message)
{
	const struct hs_message *core = &message->u.core;

	switch (message->kind) {
	case WIRE_QC:
		learn_qc(sim, &core->u.qc);
		break;
	case WIRE_FC:
		learn_fc(sim, &core->u.fc);
		break;
	case WIRE_TIMEOUT:
		learn_qc(sim, &core->u.timeout.qc);
		break;
	case WIRE_CERTIFICATES:
		learn_qc(sim, &message->u.certificates.high_qc);
		if (message->u.certificates.has_fc)
			learn_fc(sim, &message->u.certificates.fc);
		break;
	case WIRE_BLOCKS:
		if (message->u.blocks.has_fc)
			learn_fc(sim, &message->u.blocks.fc);
		break;
	default:
		break;
	}
}

/* Evidence names one who did wrong: a Byzantine one, or one whose disk forgot what it promised. */
static void check_evidence(struct sim *sim, const struct sim_node *node,
			   const struct wire_evidence *evidence)
{
	uint32_t author = evidence->is_lane ? evidence->lane.first.lane : evidence->core.author;

	if (!wire_verify_evidence(sim->check->verifier, evidence))
		sim_fail(sim, "replica %u has evidence that does not verify", node->id);
	if (!sim_check_is_faulty(sim, author))
		sim_fail(sim, "replica %u blames replica %u, which is honest", node->id, author);
	sim->check->evidence++;
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
	sim_conform_said(sim, node->id, message);
	code = wire_verify_message(sim->check->verifier, message);
	if (code < 0)
		sim_fail(sim, "replica %u sends a message of kind %d that does not verify",
			 node->id, message->kind);
	check_observer(sim, node, message);
	sim_marks_sent(sim, node, message);
	switch (message->kind) {
	case WIRE_REPAIR:
		check_repair(sim, node, &message->u.repair);
		break;
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
		check_evidence(sim, node, &message->u.evidence);
		break;
	default:
		break;
	}
	learn_certificates(sim, message);
}

void sim_check_byzantine(struct sim *sim, uint32_t id, const uint8_t *bytes, uint32_t count)
{
	struct wire_message *message = &sim->check->message;
	struct check_block *block;

	if (wire_decode(bytes, count, id, &sim->validators.chain_id, &sim->validators.set_hash,
			sim->knobs.n, 1, message) < 0 ||
	    wire_verify_message(sim->check->verifier, message) < 0)
		return;
	if (message->kind == WIRE_PROPOSE)
		learn_block(sim, &message->u.core.u.propose);
	if (message->kind == WIRE_VOTE) {
		block = check_block_find(sim->check, &message->u.core.u.vote.block_id);
		if (block->is_used && block->view == message->u.core.u.vote.view) {
			block->votes |= UINT32_C(1) << id;
			prove_by_votes(sim, block);
		}
	}
	if (message->kind == WIRE_COMMIT) {
		block = check_block_find(sim->check, &message->u.core.u.commit.block_id);
		if (block->is_used && block->view == message->u.core.u.commit.view) {
			block->commits |= UINT32_C(1) << id;
			if (is_quorum(sim, block->commits))
				prove(sim, &block->id);
		}
	}
	learn_certificates(sim, message);
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
	batch->bytes = sim_memory_new(append->byte_count);
	memcpy(batch->bytes, append->bytes, append->byte_count);
}

void sim_check_append(struct sim *sim, struct sim_node *node, struct sim_append *append)
{
	struct sim_check *check = sim->check;

	if (sim_adversary_has(sim, node->id))
		return;
	sim_marks_append(append);
	switch (append->kind) {
	case REPLICA_RECORD_BATCH:
		learn_batch(sim, append);
		break;
	case REPLICA_RECORD_BLOCK:
		ensure(wire_decode_block(append->bytes, append->byte_count,
					 &sim->validators.chain_id, &sim->validators.set_hash,
					 sim->knobs.n, &check->block) == 0);
		learn_block(sim, &check->block);
		sim_conform_append(sim, node->id, &check->block);
		append->id = check->block.id;
		break;
	case REPLICA_RECORD_MARK:
		check_mark(sim, node, append->bytes, append->byte_count);
		break;
	case REPLICA_RECORD_SAFETY:
		append->record = sim_memory_new(sizeof(*append->record));
		ensure(wire_decode_record(append->bytes, append->byte_count, sim->knobs.n,
					  append->record) == 0);
		node->asked = *append->record;
		sim_conform_record(sim, node->id, "ask", &node->asked);
		break;
	case REPLICA_RECORD_EVIDENCE:
		ensure(wire_decode(append->bytes, append->byte_count, node->id,
				   &sim->validators.chain_id, &sim->validators.set_hash,
				   sim->knobs.n, 1, &check->message) == 0);
		check_evidence(sim, node, &check->message.u.evidence);
		break;
	default:
		break;
	}
}

void sim_check_durable(struct sim *sim, struct sim_node *node, const struct sim_append *append)
{
	uint32_t bit = UINT32_C(1) << node->id;
	struct replica_mark mark;

	if (sim_adversary_has(sim, node->id))
		return;
	check_stable_append(sim, node, append);
	switch (append->kind) {
	case REPLICA_RECORD_BATCH:
		check_batch_find(sim->check, &append->id)->durable |= bit;
		break;
	case REPLICA_RECORD_BLOCK:
		check_block_find(sim->check, &append->id)->durable |= bit;
		sim_conform_block(sim, node->id, &append->id);
		break;
	case REPLICA_RECORD_MARK:
		ensure(replica_mark_decode(append->bytes, append->byte_count, &mark) == 0);
		if (mark.is_last)
			node->marked_height = mark.height;
		break;
	case REPLICA_RECORD_SAFETY:
		node->durable = *append->record;
		node->has_durable = true;
		sim_conform_record(sim, node->id, "record", &node->durable);
		break;
	default:
		break;
	}
}

void sim_check_dropped(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	(void)node;
	sim_marks_dropped(effect);
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
