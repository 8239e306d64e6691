#include "tests/lib/replica_bench.h"

#include <errno.h>

#include "base/units.h"

enum { WALL_BASE_S = 1800000000 };

static void fill_config(struct replica_bench *bench, uint32_t id)
{
	const struct wire_world *world = &bench->world;

	bench->config = (struct replica_config){
		.consensus = {
			.chain_id = world->validators.chain_id,
			.set_hash = world->validators.set_hash,
			.genesis_id = world->genesis_id,
			.genesis_time_ns = world->genesis.time_ns,
			.epoch = world->validators.epoch,
			.replica_id = id,
			.replica_count = world->count,
			.delta_ns = 10 * UNITS_NS_PER_MS,
			.timeout_max_ns = UNITS_NS_PER_S,
			.heartbeat_ns = 100 * UNITS_NS_PER_MS,
			.block_interval_min_ns = UNITS_NS_PER_MS,
			.clock_skew_max_ns = 500 * UNITS_NS_PER_MS,
		},
		.lanes = {
			.chain_id = world->validators.chain_id,
			.set_hash = world->validators.set_hash,
			.epoch = world->validators.epoch,
			.replica_id = id,
			.replica_count = world->count,
			.batch_bytes_max = 16 * 1024,
			.batch_frames_max = 16,
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

static void *must_align(size_t alignment, size_t bytes)
{
	void *memory = aligned_alloc(alignment, units_round_up(bytes, alignment));

	ensure(memory);
	return memory;
}

static void keep(struct replica_bench *bench, enum blocklog_log log, uint16_t kind,
		 const void *bytes, uint32_t byte_count)
{
	struct replica_bench_record *record = &bench->record[log][bench->record_count[log]++];

	ensure(bench->record_count[log] <= REPLICA_BENCH_RECORDS_MAX);
	record->kind = kind;
	record->byte_count = byte_count;
	record->bytes = malloc(byte_count);
	ensure(record->bytes);
	memcpy(record->bytes, bytes, byte_count);
}

static void record_zero(struct replica_bench *bench)
{
	static struct hs_record record;
	static uint8_t bytes[BLOCKLOG_SAFETY_BYTES_MAX];
	int count;

	memset(&record, 0, sizeof(record));
	record.epoch = bench->world.validators.epoch;
	record.high_qc.epoch = record.epoch;
	record.high_qc.block_id = bench->world.genesis_id;
	record.committed_id = bench->world.genesis_id;
	count = wire_encode_record(&record, bytes, sizeof(bytes));
	ensure(count > 0);
	keep(bench, BLOCKLOG_SAFETY, REPLICA_RECORD_SAFETY, bytes, (uint32_t)count);
}

static int recover(struct replica_bench *bench)
{
	static const enum blocklog_log logs[] = { BLOCKLOG_LANE, BLOCKLOG_BLOCK };
	uint32_t newest = bench->record_count[BLOCKLOG_SAFETY];
	const struct replica_bench_record *safety =
		newest > 0 ? &bench->record[BLOCKLOG_SAFETY][newest - 1] : NULL;
	uint64_t position;
	int code = 0;

	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t k = 0; code == 0 && k < bench->record_count[logs[i]]; k++)
			code = replica_recover_record(bench->replica, logs[i],
						      bench->record[logs[i]][k].kind, k,
						      bench->record[logs[i]][k].bytes,
						      bench->record[logs[i]][k].byte_count);
	if (code == 0 && replica_recover_wants_block(bench->replica, &position))
		code = replica_recover_record(bench->replica, BLOCKLOG_BLOCK, REPLICA_RECORD_BLOCK,
					      position,
					      bench->record[BLOCKLOG_BLOCK][position].bytes,
					      bench->record[BLOCKLOG_BLOCK][position].byte_count);
	while (code == 0 && replica_recover_wants(bench->replica, &position))
		code = replica_recover_batch(bench->replica,
					     bench->record[BLOCKLOG_LANE][position].bytes,
					     bench->record[BLOCKLOG_LANE][position].byte_count);
	if (code == 0)
		code = replica_recover_safety(bench->replica, bench->gate,
					      safety ? safety->bytes : NULL,
					      safety ? safety->byte_count : 0);
	return code;
}

void replica_bench_store_block(struct replica_bench *bench, const struct hs_block *block)
{
	uint32_t count = bench->record_count[BLOCKLOG_BLOCK]++;
	struct replica_bench_record *record = &bench->record[BLOCKLOG_BLOCK][count];
	int bytes = WIRE_MESSAGE_BYTES_MAX;

	ensure(count < REPLICA_BENCH_RECORDS_MAX);
	record->kind = REPLICA_RECORD_BLOCK;
	record->bytes = malloc((size_t)bytes);
	ensure(record->bytes != NULL);
	bytes = wire_encode_block(block, record->bytes, (size_t)bytes);
	ensure(bytes > 0);
	record->byte_count = (uint32_t)bytes;
}

int replica_bench_restart(struct replica_bench *bench)
{
	struct replica_gate_config gate = {
		.validators = &bench->world.validators,
		.verifier = crypto_verifier_ed25519,
		.genesis_id = bench->world.genesis_id,
		.replica_id = bench->config.consensus.replica_id,
		.admission = { .is_open = true },
		.cache_entries = 1024,
	};
	struct replica_input input = { .kind = REPLICA_INPUT_START };
	int code;

	bench->held_count = 0;
	ensure(replica_init(bench->memory, replica_footprint(&bench->config), bench->buffers,
			    replica_buffer_bytes(&bench->config), &bench->config,
			    &bench->replica) == 0);
	ensure(replica_gate_init(bench->gate_memory, replica_gate_footprint(&gate), &gate,
				 &bench->gate) == 0);
	code = recover(bench);
	if (code == 0)
		replica_bench_step(bench, &input);
	return code;
}

struct replica_bench *replica_bench_new(uint32_t count, uint32_t id)
{
	struct replica_bench *bench = calloc(1, sizeof(*bench));
	struct replica_gate_config gate = { .cache_entries = 1024 };

	ensure(bench);
	wire_world_init(&bench->world, count);
	fill_config(bench, id);
	gate.validators = &bench->world.validators;
	gate.verifier = crypto_verifier_ed25519;
	ensure(replica_footprint(&bench->config) > 0);
	bench->memory = must_align(64, replica_footprint(&bench->config));
	bench->buffers = must_align(BLOCKLOG_PAGE_BYTES, replica_buffer_bytes(&bench->config));
	bench->gate_memory = must_align(64, replica_gate_footprint(&gate));
	bench->now_ns = UNITS_NS_PER_S;
	record_zero(bench);
	ensure(replica_bench_restart(bench) == 0);
	return bench;
}

void replica_bench_free(struct replica_bench *bench)
{
	for (int log = 0; log < BLOCKLOG_LOG_COUNT; log++)
		for (uint32_t i = 0; i < bench->record_count[log]; i++)
			free(bench->record[log][i].bytes);
	for (uint32_t i = 0; i < REPLICA_BENCH_SENDS_MAX; i++)
		free(bench->send[i].bytes);
	free(bench->memory);
	free(bench->buffers);
	free(bench->gate_memory);
	free(bench);
}

/* ---- the world's answers ---- */

static void on_persist(struct replica_bench *bench, const struct replica_effect *effect,
		       struct replica_input *ret_input)
{
	enum blocklog_log log = effect->u.persist.log;

	ret_input->kind = REPLICA_INPUT_PERSISTED;
	ret_input->u.persisted.ticket = effect->u.persist.ticket;
	ret_input->u.persisted.position = bench->record_count[log];
	ret_input->u.persisted.code = bench->disk_fails ? -EIO : 0;
	keep(bench, log, effect->u.persist.kind, effect->u.persist.bytes,
	     effect->u.persist.byte_count);
}

static void on_read(struct replica_bench *bench, const struct replica_effect *effect,
		    struct replica_input *ret_input)
{
	const struct replica_bench_record *record =
		&bench->record[effect->u.read.log][effect->u.read.position];

	ret_input->kind = REPLICA_INPUT_READ_DONE;
	ret_input->u.read.ticket = effect->u.read.ticket;
	ret_input->u.read.record_kind = record->kind;
	ret_input->u.read.bytes = record->bytes;
	ret_input->u.read.byte_count = record->byte_count;
}

static void on_sign(struct replica_bench *bench, const struct replica_effect *effect,
		    struct replica_input *ret_input)
{
	ret_input->kind = REPLICA_INPUT_SIGNED;
	ret_input->u.signed_.request = effect->u.sign.request;
	crypto_sign_message(&bench->world.key[bench->config.consensus.replica_id],
			    effect->u.sign.bytes, effect->u.sign.count,
			    &ret_input->u.signed_.signature);
}

static void on_check(struct replica_bench *bench, const struct replica_effect *effect,
		     struct replica_input *ret_input)
{
	ret_input->kind = REPLICA_INPUT_COMMITS_CHECKED;
	ret_input->u.checked.view = effect->u.commits.view;
	ret_input->u.checked.block_id = effect->u.commits.block_id;
	replica_gate_commits(bench->gate, effect->u.commits.commits, effect->u.commits.count,
			     &ret_input->u.checked.good, &ret_input->u.checked.bad);
}

static void on_send(struct replica_bench *bench, const struct replica_effect *effect)
{
	struct replica_bench_send *send =
		&bench->send[bench->send_count++ % REPLICA_BENCH_SENDS_MAX];

	free(send->bytes);
	send->to = effect->u.send.to;
	send->class_ = effect->u.send.class_;
	send->byte_count = effect->u.send.byte_count;
	send->bytes = malloc(send->byte_count);
	ensure(send->bytes);
	memcpy(send->bytes, effect->u.send.bytes, send->byte_count);
}

static void note(struct replica_bench *bench, const struct replica_effect *effect)
{
	uint32_t at = bench->refusal_count % 64;

	switch (effect->kind) {
	case REPLICA_EFFECT_SEND:
		on_send(bench, effect);
		break;
	case REPLICA_EFFECT_RECEIPT:
		bench->receipt[bench->receipt_count++ % 64] = effect->u.receipt;
		break;
	case REPLICA_EFFECT_REFUSE:
		bench->refusal[at].first_seq = effect->u.refuse.first_seq;
		bench->refusal[at].reason = effect->u.refuse.reason;
		bench->refusal[at].limit = effect->u.refuse.limit;
		bench->refusal_count++;
		break;
	case REPLICA_EFFECT_FINAL:
		bench->finals++;
		bench->final_height = effect->u.final.height;
		bench->final_transactions += effect->u.final.tx_count;
		break;
	case REPLICA_EFFECT_ALARM:
		bench->alarm[effect->u.alarm.alarm]++;
		break;
	case REPLICA_EFFECT_DROPPED:
		bench->dropped[effect->u.dropped.family][effect->u.dropped.reason]++;
		break;
	default:
		break;
	}
}

static bool answer(struct replica_bench *bench, const struct replica_effect *effect,
		   struct replica_input *ret_input)
{
	memset(ret_input, 0, sizeof(*ret_input));
	switch (effect->kind) {
	case REPLICA_EFFECT_PERSIST:
		on_persist(bench, effect, ret_input);
		if (!bench->disk_is_held)
			return true;
		ensure(bench->held_count < 64);
		bench->held[bench->held_count].ticket = ret_input->u.persisted.ticket;
		bench->held[bench->held_count++].position = ret_input->u.persisted.position;
		return false;
	case REPLICA_EFFECT_READ:
		on_read(bench, effect, ret_input);
		return true;
	case REPLICA_EFFECT_SIGN:
		on_sign(bench, effect, ret_input);
		return true;
	case REPLICA_EFFECT_CHECK_COMMITS:
		on_check(bench, effect, ret_input);
		return true;
	default:
		note(bench, effect);
		return false;
	}
}

/* The outbox is drained before the next step, as drivers must. */
static void do_step(struct replica_bench *bench, struct replica_input *input)
{
	const struct replica_effect *effect;
	struct replica_input *answers = NULL;
	uint32_t count = 0;

	input->now_ns = bench->now_ns;
	input->wall_ns = WALL_BASE_S * UNITS_NS_PER_S + bench->now_ns;
	ensure(replica_step(bench->replica, input) == 0);
	while ((effect = replica_effect(bench->replica)) != NULL) {
		answers = realloc(answers, (count + 1) * sizeof(*answers));
		ensure(answers);
		count += answer(bench, effect, &answers[count]);
		replica_effect_pop(bench->replica);
	}
	replica_check(bench->replica);
	for (uint32_t i = 0; i < count; i++)
		do_step(bench, &answers[i]);
	free(answers);
}

void replica_bench_step(struct replica_bench *bench, struct replica_input *input)
{
	struct replica_input tick = { .kind = REPLICA_INPUT_TICK };

	do_step(bench, input);
	for (uint32_t i = 0; i < 100 && replica_deadline_ns(bench->replica) <= bench->now_ns; i++)
		do_step(bench, &tick);
}

void replica_bench_wait(struct replica_bench *bench, uint64_t ns)
{
	uint64_t end_ns = bench->now_ns + ns;

	while (replica_deadline_ns(bench->replica) <= end_ns) {
		struct replica_input tick = { .kind = REPLICA_INPUT_TICK };

		bench->now_ns = units_max(bench->now_ns, replica_deadline_ns(bench->replica)) + 1;
		replica_bench_step(bench, &tick);
	}
	bench->now_ns = units_max(bench->now_ns, end_ns);
}

void replica_bench_release(struct replica_bench *bench)
{
	bench->disk_is_held = false;
	for (uint32_t i = 0; i < bench->held_count; i++) {
		struct replica_input input = { .kind = REPLICA_INPUT_PERSISTED };

		input.u.persisted.ticket = bench->held[i].ticket;
		input.u.persisted.position = bench->held[i].position;
		replica_bench_step(bench, &input);
	}
	bench->held_count = 0;
}

static uint32_t make_frame(struct replica_bench *bench, uint64_t first_seq, uint32_t count,
			   uint64_t expires, uint8_t ret_bytes[LANE_FRAME_BYTES_MAX])
{
	static struct wire_seal_tree tree;
	const void *payload[WIRE_FRAME_TRANSACTIONS_MAX];
	uint32_t payload_bytes[WIRE_FRAME_TRANSACTIONS_MAX];
	struct wire_frame_spec spec = {
		.kind = WIRE_FRAME_TRANSACTIONS,
		.chain_id = bench->world.validators.chain_id,
		.client = bench->world.client.public_key,
		.first_seq = first_seq,
		.expires = expires,
		.count = count,
		.payload = payload,
		.payload_bytes = payload_bytes,
	};
	struct crypto_hash leaf;
	struct crypto_signature signature;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t signed_count;
	int body;

	for (uint32_t i = 0; i < count; i++) {
		payload[i] = "x";
		payload_bytes[i] = 1;
	}
	body = wire_frame_build(&spec, ret_bytes, LANE_FRAME_BYTES_MAX);
	ensure(body > 0);
	leaf = wire_seal_leaf(ret_bytes, (size_t)body);
	wire_seal_tree_build(&tree, &leaf, 1);
	signed_count = wire_seal_signed_bytes(&spec.chain_id, &spec.client, &tree.node[1], bytes);
	crypto_sign_message(&bench->world.client, bytes, signed_count, &signature);
	return (uint32_t)body + wire_seal_write(&tree, 0, &signature, ret_bytes + body);
}

int replica_bench_submit(struct replica_bench *bench, uint64_t first_seq, uint32_t count,
			 uint64_t expires)
{
	struct replica_input input = { .kind = REPLICA_INPUT_CLIENT };
	struct replica_verified verified;
	struct replica_status status;
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
	uint32_t byte_count = make_frame(bench, first_seq, count, expires, bytes);
	int code;

	replica_status(bench->replica, &status);
	code = replica_gate_client(bench->gate, bytes, byte_count, status.delivered_height,
				   &verified);
	if (code < 0)
		return code;
	input.u.client.frame = &verified;
	input.u.client.origin = 77;
	replica_bench_step(bench, &input);
	return 0;
}

int replica_bench_hear(struct replica_bench *bench, uint32_t from, struct wire_message *message)
{
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	struct replica_input input = { .kind = REPLICA_INPUT_PEER };
	struct replica_verified verified;
	int code;

	message->epoch = bench->world.validators.epoch;
	code = wire_encode(message, bytes, sizeof(bytes));
	ensure(code > 0);
	code = replica_gate_peer(bench->gate, from, bytes, (uint32_t)code, &verified);
	if (code < 0)
		return code;
	input.u.verified = &verified;
	replica_bench_step(bench, &input);
	return 0;
}

uint32_t replica_bench_said(const struct replica_bench *bench, enum wire_kind kind,
			    struct wire_message *ret_last)
{
	const struct wire_validators *validators = &bench->world.validators;
	uint32_t count = 0;
	uint32_t first = bench->send_count > REPLICA_BENCH_SENDS_MAX ?
				 bench->send_count - REPLICA_BENCH_SENDS_MAX :
				 0;

	for (uint32_t i = first; i < bench->send_count; i++) {
		const struct replica_bench_send *send = &bench->send[i % REPLICA_BENCH_SENDS_MAX];

		if (send->bytes[0] != kind)
			continue;
		count++;
		if (ret_last)
			ensure(wire_decode(send->bytes, send->byte_count,
					   bench->config.consensus.replica_id,
					   &validators->chain_id, &validators->set_hash,
					   validators->count, validators->epoch, ret_last) == 0);
	}
	return count;
}

uint32_t replica_bench_records(const struct replica_bench *bench, enum blocklog_log log,
			       uint16_t kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bench->record_count[log]; i++)
		count += bench->record[log][i].kind == kind;
	return count;
}
