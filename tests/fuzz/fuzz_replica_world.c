#include "tests/fuzz/fuzz_replica_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "storage/blocklog_store.h"
#include "wire/wire_genesis.h"

static const uint64_t WALL_BASE_NS = UINT64_C(1800000000) * UNITS_NS_PER_S;

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

/* ---- signatures ---- */

void fuzz_replica_sign(const struct crypto_public_key *key, const void *bytes, size_t count,
		       struct crypto_signature *ret_signature)
{
	struct crypto_hasher hasher;
	struct crypto_hash tag;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "FUZZsign", 8);
	crypto_hasher_add(&hasher, key->b, sizeof(key->b));
	crypto_hasher_add(&hasher, bytes, count);
	tag = crypto_hasher_done(&hasher);
	memcpy(ret_signature->b, tag.b, sizeof(tag.b));
	memcpy(ret_signature->b + sizeof(tag.b), key->b, sizeof(key->b));
}

static bool is_signed(void *context, const struct crypto_public_key *key, const void *bytes,
		      size_t count, const struct crypto_signature *signature)
{
	struct crypto_signature wanted;

	(void)context;
	fuzz_replica_sign(key, bytes, count, &wanted);
	return memcmp(&wanted, signature, sizeof(wanted)) == 0;
}

void fuzz_replica_sign_core(const struct fuzz_world *world, enum hs_message_kind kind,
			    uint64_t view, const struct crypto_hash *id, uint64_t qc_view,
			    struct crypto_signature *ret_signature)
{
	const struct wire_validators *validators = &world->validators;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = hs_signed_bytes(kind, &validators->chain_id, validators->epoch,
					 &validators->set_hash, view, id, qc_view, bytes);

	fuzz_replica_sign(&validators->key[FUZZ_LIAR], bytes, count, ret_signature);
}

bool fuzz_replica_decode(struct fuzz_world *world, uint32_t from, const uint8_t *bytes,
			 uint32_t count)
{
	const struct wire_validators *validators = &world->validators;

	return wire_decode(bytes, count, from, &validators->chain_id, &validators->set_hash,
			   validators->count, validators->epoch, &world->message) == 0;
}

/* ---- what is said ---- */

static bool statement_of(const struct wire_message *message, struct hs_statement *ret_statement,
			 uint32_t *ret_author)
{
	const struct hs_message *core = &message->u.core;

	memset(ret_statement, 0, sizeof(*ret_statement));
	ret_statement->kind = (enum hs_message_kind)message->kind;
	switch (message->kind) {
	case WIRE_PROPOSE:
		ret_statement->view = core->u.propose.header.view;
		ret_statement->block_id = core->u.propose.id;
		ret_statement->signature = core->u.propose.signature;
		*ret_author = core->u.propose.author;
		return true;
	case WIRE_VOTE:
	case WIRE_COMMIT: /* same shape */
		ret_statement->view = core->u.vote.view;
		ret_statement->block_id = core->u.vote.block_id;
		ret_statement->signature = core->u.vote.signature;
		*ret_author = core->u.vote.author;
		return true;
	case WIRE_TIMEOUT:
		ret_statement->view = core->u.timeout.view;
		ret_statement->qc_view = core->u.timeout.qc_view;
		ret_statement->signature = core->u.timeout.signature;
		*ret_author = core->u.timeout.author;
		return true;
	default:
		return false;
	}
}

/* Rule D: the durable record covers it. */
static bool is_recorded(const struct hs_record *durable, const struct hs_statement *statement)
{
	switch (statement->kind) {
	case HS_MESSAGE_PROPOSE:
		return durable->last_proposed_view >= statement->view;
	case HS_MESSAGE_VOTE:
		return durable->last_vote_view >= statement->view ||
		       (durable->intent_view == statement->view &&
			crypto_hash_equal(&durable->intent_id, &statement->block_id));
	case HS_MESSAGE_COMMIT:
		return durable->last_commit_view >= statement->view &&
		       durable->high_qc.view >= statement->view;
	default:
		return durable->last_timeout_view >= statement->view;
	}
}

static void note_statement(struct fuzz_world *world, uint32_t node)
{
	struct fuzz_node *owner = &world->node[node];
	struct hs_statement statement;
	struct crypto_hash content;
	uint32_t author = HS_REPLICA_NONE;

	if (!statement_of(&world->message, &statement, &author) || author != node)
		return;
	world->view_max = units_max(world->view_max, statement.view);
	if (statement.view >= FUZZ_VIEWS_MAX)
		return;
	content = statement.block_id;
	if (statement.kind == HS_MESSAGE_TIMEOUT) {
		memcpy(content.b, &statement.qc_view, sizeof(statement.qc_view));
		content.b[31] = 1;
	}
	struct crypto_hash *said = &owner->said[statement.kind][statement.view];

	if (!crypto_hash_is_zero(said) && !crypto_hash_equal(said, &content))
		broken("two statements of one kind in one view");
	if ((statement.kind == HS_MESSAGE_VOTE || statement.kind == HS_MESSAGE_COMMIT) &&
	    crypto_hash_is_zero(said) &&
	    statement.view <= owner->last_said[HS_MESSAGE_TIMEOUT].view)
		broken("a VOTE or COMMIT of a view it timed out (rules V, K)");
	if (!is_recorded(&owner->durable, &statement))
		broken("a statement left before its record was durable (rule D)");
	*said = content;
	owner->last_said[statement.kind] = statement;
}

static void note_evidence(const struct wire_evidence *evidence)
{
	uint32_t blamed = evidence->is_lane ? evidence->lane.first.lane : evidence->core.author;

	if (blamed != FUZZ_LIAR)
		broken("evidence blames the honest");
}

static void on_send(struct fuzz_world *world, uint32_t node, const struct replica_effect *effect)
{
	struct fuzz_sent *sent = &world->sent[world->sent_count++ % FUZZ_SENT_MAX];

	if (!fuzz_replica_decode(world, node, effect->u.send.bytes, effect->u.send.byte_count))
		broken("a message that does not decode was sent");
	note_statement(world, node);
	if (world->message.kind == WIRE_EVIDENCE)
		note_evidence(&world->message.u.evidence);
	free(sent->bytes);
	sent->from = node;
	sent->waiting = 0;
	for (uint32_t i = 0; i < FUZZ_HONEST; i++)
		if (i != node && bitset_has(&effect->u.send.to, i))
			sent->waiting |= 1U << i;
	sent->count = effect->u.send.byte_count;
	sent->bytes = malloc(sent->count);
	ensure(sent->bytes);
	memcpy(sent->bytes, effect->u.send.bytes, sent->count);
}

/* ---- what is asked ---- */

static void on_persist(struct fuzz_node *node, const struct replica_effect *effect)
{
	struct fuzz_log *log = &node->log[effect->u.persist.log];
	struct fuzz_record *record = &log->record[log->count++];

	ensure(log->count <= FUZZ_RECORDS_MAX);
	record->kind = effect->u.persist.kind;
	record->count = effect->u.persist.byte_count;
	record->ticket = effect->u.persist.ticket;
	record->bytes = malloc(record->count);
	ensure(record->bytes);
	memcpy(record->bytes, effect->u.persist.bytes, record->count);
}

static void on_question(struct fuzz_world *world, uint32_t index,
			const struct replica_effect *effect)
{
	struct fuzz_node *node = &world->node[index];
	struct fuzz_todo *todo = &node->todo[node->todo_count];

	if (node->todo_count == FUZZ_TODO_MAX)
		return;
	node->todo_count++;
	memset(todo, 0, sizeof(*todo));
	todo->kind = effect->kind;
	if (effect->kind == REPLICA_EFFECT_READ) {
		todo->ticket = effect->u.read.ticket;
		todo->log = effect->u.read.log;
		todo->position = effect->u.read.position;
	} else if (effect->kind == REPLICA_EFFECT_SIGN) {
		todo->ticket = effect->u.sign.request;
		fuzz_replica_sign(&world->validators.key[index], effect->u.sign.bytes,
				  effect->u.sign.count, &todo->signature);
	} else {
		todo->view = effect->u.commits.view;
		todo->block_id = effect->u.commits.block_id;
		todo->count = effect->u.commits.count;
		ensure(todo->count <= FUZZ_MEMBERS);
		memcpy(todo->commit, effect->u.commits.commits,
		       todo->count * sizeof(todo->commit[0]));
	}
}

static void on_final(struct fuzz_world *world, const struct replica_effect *effect)
{
	uint64_t at = effect->u.final.height;
	struct fuzz_height *height = &world->height[at % FUZZ_HEIGHTS_MAX];

	world->height_max = units_max(world->height_max, at);
	if (!height->is_known) {
		height->is_known = true;
		height->id = effect->u.final.block_id;
		height->tx_base = effect->u.final.tx_base;
		height->tx_count = effect->u.final.tx_count;
	}
	if (!crypto_hash_equal(&height->id, &effect->u.final.block_id))
		broken("two blocks final at one height");
	if (height->tx_base != effect->u.final.tx_base ||
	    height->tx_count != effect->u.final.tx_count)
		broken("two orders of one block");
}

static void on_effect(struct fuzz_world *world, uint32_t node, const struct replica_effect *effect)
{
	switch (effect->kind) {
	case REPLICA_EFFECT_SEND:
		on_send(world, node, effect);
		break;
	case REPLICA_EFFECT_PERSIST:
		on_persist(&world->node[node], effect);
		break;
	case REPLICA_EFFECT_READ:
	case REPLICA_EFFECT_SIGN:
	case REPLICA_EFFECT_CHECK_COMMITS:
		on_question(world, node, effect);
		break;
	case REPLICA_EFFECT_FINAL:
		on_final(world, effect);
		break;
	case REPLICA_EFFECT_ALARM:
		if (effect->u.alarm.alarm != REPLICA_ALARM_EVIDENCE)
			broken("an honest replica raised an alarm");
		break;
	case REPLICA_EFFECT_RECEIPT:
		if (effect->u.receipt.height > world->height_max + REPLICA_DELIVERY_MAX)
			broken("a receipt of no known height");
		break;
	default:
		break;
	}
}

void fuzz_replica_step(struct fuzz_world *world, uint32_t node, struct replica_input *input)
{
	struct replica *replica = world->node[node].replica;
	const struct replica_effect *effect;

	input->now_ns = world->now_ns;
	input->wall_ns = WALL_BASE_NS + world->now_ns;
	ensure(replica_step(replica, input) == 0);
	while ((effect = replica_effect(replica)) != NULL) {
		on_effect(world, node, effect);
		replica_effect_pop(replica);
	}
	replica_check(replica);
}

int fuzz_replica_hear(struct fuzz_world *world, uint32_t node, uint32_t from, const uint8_t *bytes,
		      uint32_t count)
{
	struct replica_input input = { .kind = REPLICA_INPUT_PEER };
	struct replica_verified verified;
	int code = replica_gate_peer(world->node[node].gate, from, bytes, count, &verified);

	if (code < 0)
		return code;
	input.u.verified = &verified;
	fuzz_replica_step(world, node, &input);
	return 0;
}

int fuzz_replica_submit(struct fuzz_world *world, uint32_t node, const uint8_t *bytes,
			uint32_t count)
{
	struct replica_input input = { .kind = REPLICA_INPUT_CLIENT };
	struct replica_verified verified;
	struct replica_status status;
	int code;

	replica_status(world->node[node].replica, &status);
	code = replica_gate_client(world->node[node].gate, bytes, count, status.delivered_height,
				   &verified);
	if (code < 0)
		return code;
	input.u.client.frame = &verified;
	input.u.client.origin = 5;
	fuzz_replica_step(world, node, &input);
	return 0;
}

void fuzz_replica_deliver(struct fuzz_world *world, uint32_t sent, uint32_t node)
{
	struct fuzz_sent *item = &world->sent[sent];
	uint8_t *copy;
	int code;

	if (item->from == node || !item->bytes)
		return;
	item->waiting &= ~(1U << node);
	copy = malloc(item->count); /* the slot may be taken by what this causes */
	ensure(copy);
	memcpy(copy, item->bytes, item->count);
	code = fuzz_replica_hear(world, node, item->from, copy, item->count);
	if (code < 0 && copy[0] != WIRE_SHOW) /* somebody else's SHOW is not for this gate */
		broken("a gate refuses an honest message");
	free(copy);
}

/* ---- answers, disks and lives ---- */

void fuzz_replica_answer(struct fuzz_world *world, uint32_t node, uint32_t todo)
{
	struct fuzz_node *owner = &world->node[node];
	struct fuzz_todo one = owner->todo[todo];
	struct replica_input input = { .kind = REPLICA_INPUT_SIGNED };

	owner->todo_count--;
	memmove(&owner->todo[todo], &owner->todo[todo + 1],
		(owner->todo_count - todo) * sizeof(one));
	if (one.kind == REPLICA_EFFECT_READ) {
		const struct fuzz_record *record = &owner->log[one.log].record[one.position];

		ensure(one.position < owner->log[one.log].durable);
		input.kind = REPLICA_INPUT_READ_DONE;
		input.u.read.ticket = one.ticket;
		input.u.read.record_kind = record->kind;
		input.u.read.bytes = record->bytes;
		input.u.read.byte_count = record->count;
	} else if (one.kind == REPLICA_EFFECT_SIGN) {
		input.u.signed_.request = one.ticket;
		input.u.signed_.signature = one.signature;
	} else {
		input.kind = REPLICA_INPUT_COMMITS_CHECKED;
		input.u.checked.view = one.view;
		input.u.checked.block_id = one.block_id;
		replica_gate_commits(owner->gate, one.commit, one.count, &input.u.checked.good,
				     &input.u.checked.bad);
	}
	fuzz_replica_step(world, node, &input);
}

static void note_record(struct fuzz_node *node, const struct fuzz_record *record)
{
	if (record->kind == REPLICA_RECORD_SAFETY)
		ensure(wire_decode_record(record->bytes, record->count, FUZZ_MEMBERS,
					  &node->durable) == 0);
}

bool fuzz_replica_write(struct fuzz_world *world, uint32_t node, enum blocklog_log log)
{
	struct fuzz_log *list = &world->node[node].log[log];
	struct replica_input input = { .kind = REPLICA_INPUT_PERSISTED };

	if (list->durable == list->count)
		return false;
	note_record(&world->node[node], &list->record[list->durable]);
	input.u.persisted.position = list->durable;
	input.u.persisted.ticket = list->record[list->durable++].ticket;
	fuzz_replica_step(world, node, &input);
	return true;
}

static int recover_log(struct fuzz_node *node, enum blocklog_log log)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < node->log[log].count; i++) {
		const struct fuzz_record *record = &node->log[log].record[i];

		code = replica_recover_record(node->replica, log, record->kind, i, record->bytes,
					      record->count);
	}
	return code;
}

static int recover(struct fuzz_node *node)
{
	const struct fuzz_log *safety = &node->log[BLOCKLOG_SAFETY];
	const struct fuzz_record *record = &safety->record[safety->count - 1];
	uint64_t position;
	int code = recover_log(node, BLOCKLOG_LANE);

	if (code == 0)
		code = recover_log(node, BLOCKLOG_BLOCK);
	if (code == 0 && replica_recover_wants_block(node->replica, &position)) {
		const struct fuzz_record *block = &node->log[BLOCKLOG_BLOCK].record[position];

		code = replica_recover_record(node->replica, BLOCKLOG_BLOCK, block->kind, position,
					      block->bytes, block->count);
	}
	while (code == 0 && replica_recover_wants(node->replica, &position)) {
		const struct fuzz_record *batch = &node->log[BLOCKLOG_LANE].record[position];

		code = replica_recover_batch(node->replica, batch->bytes, batch->count);
	}
	if (code == 0)
		code = replica_recover_safety(node->replica, node->gate, record->bytes,
					      record->count);
	return code;
}

static void start(struct fuzz_world *world, uint32_t index)
{
	struct fuzz_node *node = &world->node[index];
	struct replica_input input = { .kind = REPLICA_INPUT_START };
	struct replica_gate_config gate = {
		.validators = &world->validators,
		.verifier = { is_signed, NULL },
		.genesis_id = world->genesis_id,
		.replica_id = index,
		.admission = { .is_open = true },
		.cache_entries = 64,
	};
	size_t gate_bytes = replica_gate_footprint(&gate);

	if (!node->gate_memory)
		node->gate_memory = aligned_alloc(64, units_round_up(gate_bytes, 64));
	ensure(node->gate_memory);
	node->todo_count = 0;
	ensure(replica_init(node->memory, replica_footprint(&node->config), node->buffers,
			    replica_buffer_bytes(&node->config), &node->config,
			    &node->replica) == 0);
	ensure(replica_gate_init(node->gate_memory, gate_bytes, &gate, &node->gate) == 0);
	if (recover(node) != 0)
		broken("recovery refuses what was written");
	fuzz_replica_step(world, index, &input);
}

static void cut(struct fuzz_log *log, uint32_t kept)
{
	kept += log->durable;
	while (log->count > kept)
		free(log->record[--log->count].bytes);
	log->durable = log->count;
}

void fuzz_replica_crash(struct fuzz_world *world, uint32_t node, uint32_t kept)
{
	struct fuzz_node *owner = &world->node[node];

	for (int i = 0; i < BLOCKLOG_LOG_COUNT; i++)
		cut(&owner->log[i], kept >> (2 * i) & 3);
	note_record(owner,
		    &owner->log[BLOCKLOG_SAFETY].record[owner->log[BLOCKLOG_SAFETY].count - 1]);
	start(world, node);
}

/* ---- a world ---- */

static void fill_config(const struct fuzz_world *world, uint32_t id, struct replica_config *config)
{
	*config = (struct replica_config){
		.consensus = {
			.chain_id = world->validators.chain_id,
			.set_hash = world->validators.set_hash,
			.genesis_id = world->genesis_id,
			.genesis_time_ns = UNITS_NS_PER_S,
			.epoch = 1,
			.replica_id = id,
			.replica_count = FUZZ_MEMBERS,
			.delta_ns = 10 * UNITS_NS_PER_MS,
			.timeout_max_ns = UNITS_NS_PER_S,
			.heartbeat_ns = 100 * UNITS_NS_PER_MS,
			.block_interval_min_ns = UNITS_NS_PER_MS,
			.clock_skew_max_ns = 500 * UNITS_NS_PER_MS,
		},
		.lanes = {
			.chain_id = world->validators.chain_id,
			.set_hash = world->validators.set_hash,
			.epoch = 1,
			.replica_id = id,
			.replica_count = FUZZ_MEMBERS,
			.batch_bytes_max = 8 * 1024,
			.batch_frames_max = 8,
			.window_batches = 8,
			.cut_batches_max = 4,
			.spare_buffers = 4,
			.index_batches = 256,
			.batch_close_ns = 200 * UNITS_NS_PER_US,
			.reorder_ns = UNITS_NS_PER_MS,
			.ack_interval_ns = 100 * UNITS_NS_PER_US,
			.repair_interval_ns = 10 * UNITS_NS_PER_MS,
			.repair_budget = 64,
		},
		.clients_max = 4,
		.blocks_index_max = 256,
		.catchup_interval_ns = 10 * UNITS_NS_PER_MS,
		.catchup_blocks_inflight = 16,
		.sends_per_peer_max = 64,
	};
}

static void make_node(struct fuzz_world *world, uint32_t id)
{
	struct fuzz_node *node = &world->node[id];

	fill_config(world, id, &node->config);
	ensure(replica_footprint(&node->config) > 0);
	node->memory = aligned_alloc(64, units_round_up(replica_footprint(&node->config), 64));
	node->buffers = aligned_alloc(BLOCKLOG_PAGE_BYTES,
				      units_round_up(replica_buffer_bytes(&node->config),
						     BLOCKLOG_PAGE_BYTES));
	ensure(node->memory && node->buffers);
}

static struct fuzz_world *make(void)
{
	struct fuzz_world *world = calloc(1, sizeof(*world));
	struct wire_validators *validators;

	ensure(world);
	validators = &world->validators;
	validators->chain_id = crypto_hash_of("fuzz", 4);
	validators->epoch = 1;
	validators->count = FUZZ_MEMBERS;
	for (uint32_t i = 0; i < FUZZ_MEMBERS; i++)
		validators->key[i].b[0] = (uint8_t)(i + 1);
	for (uint32_t i = 0; i < FUZZ_CLIENTS; i++)
		world->client[i].b[0] = (uint8_t)(100 + i);
	validators->set_hash = wire_set_hash(1, validators->key, validators->count);
	world->genesis_id = wire_genesis_block_id(&validators->chain_id, &validators->set_hash);
	for (uint32_t i = 0; i < FUZZ_HONEST; i++)
		make_node(world, i);
	return world;
}

static void write_record_zero(struct fuzz_world *world, struct fuzz_node *node)
{
	static uint8_t bytes[BLOCKLOG_SAFETY_BYTES_MAX];
	struct replica_effect effect = { .kind = REPLICA_EFFECT_PERSIST };
	int count;

	memset(&node->durable, 0, sizeof(node->durable));
	node->durable.epoch = 1;
	node->durable.high_qc.epoch = 1;
	node->durable.high_qc.block_id = world->genesis_id;
	node->durable.intent_justify = node->durable.high_qc;
	node->durable.committed_id = world->genesis_id;
	count = wire_encode_record(&node->durable, bytes, sizeof(bytes));
	ensure(count > 0);
	effect.u.persist.log = BLOCKLOG_SAFETY;
	effect.u.persist.kind = REPLICA_RECORD_SAFETY;
	effect.u.persist.bytes = bytes;
	effect.u.persist.byte_count = (uint32_t)count;
	on_persist(node, &effect);
	node->log[BLOCKLOG_SAFETY].durable = 1;
}

struct fuzz_world *fuzz_replica_begin(void)
{
	static struct fuzz_world *world;

	if (!world)
		world = make();
	world->now_ns = UNITS_NS_PER_S;
	world->view_max = 0;
	world->height_max = 0;
	memset(world->height, 0, sizeof(world->height));
	for (uint32_t i = 0; i < FUZZ_HONEST; i++) {
		memset(world->node[i].said, 0, sizeof(world->node[i].said));
		memset(world->node[i].last_said, 0, sizeof(world->node[i].last_said));
		write_record_zero(world, &world->node[i]);
		start(world, i);
	}
	return world;
}

void fuzz_replica_end(struct fuzz_world *world)
{
	if (getenv("FUZZ_LOUD"))
		fprintf(stderr, "view %llu, final %llu, sent %u\n",
			(unsigned long long)world->view_max, (unsigned long long)world->height_max,
			world->sent_count);
	for (uint32_t i = 0; i < FUZZ_HONEST; i++)
		for (int log = 0; log < BLOCKLOG_LOG_COUNT; log++) {
			world->node[i].log[log].durable = 0;
			cut(&world->node[i].log[log], 0);
		}
	for (uint32_t i = 0; i < FUZZ_SENT_MAX; i++) {
		free(world->sent[i].bytes);
		memset(&world->sent[i], 0, sizeof(world->sent[i]));
	}
	world->sent_count = 0;
}

bool fuzz_replica_is_full(const struct fuzz_world *world)
{
	bool is_full = world->view_max + 8 > FUZZ_VIEWS_MAX ||
		       world->height_max + 8 > FUZZ_HEIGHTS_MAX;

	for (uint32_t i = 0; i < FUZZ_HONEST; i++)
		for (int log = 0; log < BLOCKLOG_LOG_COUNT; log++)
			is_full = is_full || world->node[i].log[log].count + 256 > FUZZ_RECORDS_MAX;
	return is_full;
}
