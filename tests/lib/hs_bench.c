#include "tests/lib/hs_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_trace.h"
#include "crypto/crypto_hash.h"

static void hs_bench_log(struct hs_bench *bench, const char *line)
{
	size_t count = strlen(line);

	if (bench->log_bytes + count + 2 > sizeof(bench->log))
		return;
	memcpy(bench->log + bench->log_bytes, line, count);
	bench->log_bytes += (uint32_t)count;
	bench->log[bench->log_bytes++] = '\n';
	bench->log[bench->log_bytes] = '\0';
}

static void hs_bench_remember(struct hs_bench *bench, const struct hs_effect *effect)
{
	struct hs_bench_todo todo = { .kind = effect->kind, .ticket = effect->ticket };

	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		hs_copy_record(&bench->disk_next, effect->u.record);
		break;
	case HS_EFFECT_SIGN:
		todo.signature = hs_make_signature(bench->config.replica_id, effect->u.sign.bytes,
						   effect->u.sign.count);
		break;
	case HS_EFFECT_PERSIST_BLOCK:
	case HS_EFFECT_WANT_PAYLOAD:
		todo.block_id = effect->u.block->id;
		break;
	case HS_EFFECT_WANT_CUT:
		todo.view = effect->u.want_cut.view;
		hs_copy_cut(&todo.cut, effect->u.want_cut.parent_cut);
		break;
	default:
		return;
	}
	ensure(bench->todo_count < HS_BENCH_TODO_MAX);
	bench->todo[bench->todo_count++] = todo;
}

void hs_bench_step(struct hs_bench *bench, struct hs_input *input)
{
	char line[HS_TRACE_LINE_MAX];

	input->now_ns = bench->now_ns;
	input->wall_ns = bench->wall_ns;
	hs_trace_input(input, line, sizeof(line));
	hs_bench_log(bench, line);
	ensure(hs_core_step(bench->core, input, &bench->effects) == 0);
	hs_core_check(bench->core);
	for (uint32_t i = 0; i < bench->effects.count; i++) {
		hs_trace_effect(&bench->effects.at[i], line, sizeof(line));
		hs_bench_log(bench, line);
		hs_bench_remember(bench, &bench->effects.at[i]);
	}
}

struct hs_bench *hs_bench_new(const struct hs_config *config)
{
	struct hs_bench *bench = calloc(1, sizeof(*bench));
	size_t bytes = hs_core_footprint(config);

	ensure(bench && bytes > 0);
	bench->config = *config;
	bench->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
	ensure(bench->memory);
	ensure(hs_core_init(bench->memory, bytes, config, &bench->core) == 0);
	bench->now_ns = 1000000000;
	bench->wall_ns = 2000000000;
	return bench;
}

void hs_bench_boot(struct hs_bench *bench, const struct hs_start *start)
{
	if (start->record)
		hs_copy_record(&bench->disk, start->record);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_START,
						 .from = HS_REPLICA_NONE,
						 .u.start = start });
}

struct hs_bench *hs_bench_start(uint32_t replica_count, uint32_t replica_id)
{
	struct hs_config config = hs_make_config(replica_count, replica_id);
	struct hs_bench *bench = hs_bench_new(&config);
	static struct hs_record record;

	memset(&record, 0, sizeof(record));
	record.epoch = config.epoch;
	hs_make_genesis_qc(&config, &record.high_qc);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record });
	for (uint32_t i = 0; i < replica_count; i++)
		hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_CERTIFICATE_ANSWER,
							 .from = i,
							 .u.author = i });
	return bench;
}

void hs_bench_stop(struct hs_bench *bench)
{
	free(bench->memory);
	free(bench);
}

void hs_bench_wait(struct hs_bench *bench, uint64_t duration_ns)
{
	uint64_t end_ns = bench->now_ns + duration_ns;
	uint64_t wall_offset_ns = bench->wall_ns - bench->now_ns;

	for (uint32_t ticks = 0; ticks < 100000; ticks++) {
		uint64_t deadline_ns = hs_core_deadline_ns(bench->core);

		if (deadline_ns > end_ns)
			deadline_ns = end_ns;
		if (deadline_ns > bench->now_ns)
			bench->now_ns = deadline_ns;
		bench->wall_ns = bench->now_ns + wall_offset_ns;
		hs_bench_step(bench,
			      &(struct hs_input){ .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE });
		if (bench->now_ns == end_ns && hs_core_deadline_ns(bench->core) > end_ns)
			return;
	}
	ensure(false);
}

void hs_bench_propose(struct hs_bench *bench, const struct hs_block *block)
{
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_PROPOSE,
						 .from = block->author,
						 .u.block = block });
}

void hs_bench_intent(struct hs_bench *bench, const struct hs_block *block)
{
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_INTENT,
						 .from = block->author,
						 .u.block = block });
}

void hs_bench_block(struct hs_bench *bench, const struct hs_block *block)
{
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_BLOCK,
						 .from = HS_REPLICA_NONE,
						 .u.block = block });
}

void hs_bench_vote(struct hs_bench *bench, uint32_t author, uint64_t view,
		   const struct crypto_hash *block_id)
{
	struct hs_vote vote = hs_make_vote(&bench->config, author, view, block_id);

	hs_bench_step(bench,
		      &(struct hs_input){ .kind = HS_INPUT_VOTE, .from = author, .u.vote = &vote });
}

void hs_bench_commit(struct hs_bench *bench, uint32_t author, uint64_t view,
		     const struct crypto_hash *block_id)
{
	struct hs_commit commit = hs_make_commit(&bench->config, author, view, block_id);

	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_COMMIT,
						 .from = author,
						 .u.commit = &commit });
}

void hs_bench_timeout(struct hs_bench *bench, uint32_t author, uint64_t view,
		      const struct hs_qc *qc, const struct hs_tc *entry_tc)
{
	static struct hs_timeout timeout;

	hs_make_timeout(&bench->config, author, view, qc, entry_tc, &timeout);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_TIMEOUT,
						 .from = author,
						 .u.timeout = &timeout });
}

void hs_bench_qc(struct hs_bench *bench, uint64_t view, const struct crypto_hash *block_id)
{
	static struct hs_qc qc;

	hs_make_qc(&bench->config, view, block_id, 0, &qc);
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_QC, .from = HS_REPLICA_NONE, .u.qc = &qc });
}

void hs_bench_tc(struct hs_bench *bench, uint64_t view, uint64_t qc_view)
{
	static struct hs_tc tc;

	hs_make_tc(&bench->config, view, qc_view, qc_view, &tc);
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_TC, .from = HS_REPLICA_NONE, .u.tc = &tc });
}

void hs_bench_fc(struct hs_bench *bench, uint64_t view, const struct crypto_hash *block_id)
{
	static struct hs_fc fc;

	hs_make_fc(&bench->config, view, block_id, &fc);
	hs_bench_step(bench, &(struct hs_input){
				     .kind = HS_INPUT_FC, .from = HS_REPLICA_NONE, .u.fc = &fc });
}

void hs_bench_work(struct hs_bench *bench, bool has_work)
{
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_WORK,
						 .from = HS_REPLICA_NONE,
						 .u.work = has_work });
}

static void hs_bench_answer_one(struct hs_bench *bench, struct hs_bench_todo *todo)
{
	struct hs_input input = { .from = HS_REPLICA_NONE };

	switch (todo->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		hs_copy_record(&bench->disk, &bench->disk_next);
		/* fall through */
	case HS_EFFECT_PERSIST_BLOCK:
		input.kind = HS_INPUT_PERSISTED;
		input.u.ticket = todo->ticket;
		break;
	case HS_EFFECT_SIGN:
		input.kind = HS_INPUT_SIGNED;
		input.u.signed_.request = todo->ticket;
		input.u.signed_.signature = todo->signature;
		break;
	case HS_EFFECT_WANT_PAYLOAD:
		input.kind = HS_INPUT_PAYLOAD;
		input.u.payload.block_id = todo->block_id;
		input.u.payload.verdict = HS_PAYLOAD_READY;
		break;
	default:
		for (uint32_t i = 0; i < todo->cut.lane_count; i++) {
			todo->cut.lane[i].seq++;
			todo->cut.lane[i].digest =
				crypto_hash_of(&todo->cut.lane[i], sizeof(todo->cut.lane[i]));
		}
		input.kind = HS_INPUT_CUT;
		input.u.cut.view = todo->view;
		input.u.cut.cut = &todo->cut;
		break;
	}
	hs_bench_step(bench, &input);
}

bool hs_bench_answer(struct hs_bench *bench, enum hs_effect_kind kind)
{
	static struct hs_bench_todo todo;

	for (uint32_t i = 0; i < bench->todo_count; i++) {
		if (bench->todo[i].kind != kind)
			continue;
		todo = bench->todo[i];
		bench->todo_count--;
		memmove(&bench->todo[i], &bench->todo[i + 1],
			(bench->todo_count - i) * sizeof(bench->todo[0]));
		hs_bench_answer_one(bench, &todo);
		return true;
	}
	return false;
}

void hs_bench_settle(struct hs_bench *bench)
{
	for (uint32_t i = 0; bench->todo_count > 0; i++) {
		ensure(i < 1000);
		hs_bench_answer(bench, bench->todo[0].kind);
	}
}

uint32_t hs_bench_count(const struct hs_bench *bench, enum hs_effect_kind kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bench->effects.count; i++)
		if (bench->effects.at[i].kind == kind)
			count++;
	return count;
}

const struct hs_effect *hs_bench_find(const struct hs_bench *bench, enum hs_effect_kind kind)
{
	for (uint32_t i = 0; i < bench->effects.count; i++)
		if (bench->effects.at[i].kind == kind)
			return &bench->effects.at[i];
	return NULL;
}

bool hs_bench_dropped(const struct hs_bench *bench, enum hs_drop reason)
{
	for (uint32_t i = 0; i < bench->effects.count; i++)
		if (bench->effects.at[i].kind == HS_EFFECT_DROPPED &&
		    bench->effects.at[i].u.drop == reason)
			return true;
	return false;
}

const struct hs_message *hs_bench_sent(const struct hs_bench *bench, enum hs_message_kind kind)
{
	for (uint32_t i = 0; i < bench->effects.count; i++)
		if (bench->effects.at[i].kind == HS_EFFECT_SEND &&
		    bench->effects.at[i].u.message->kind == kind)
			return bench->effects.at[i].u.message;
	return NULL;
}

uint32_t hs_bench_logged(const struct hs_bench *bench, const char *text)
{
	uint32_t count = 0;

	for (const char *at = strstr(bench->log, text); at; at = strstr(at + 1, text))
		count++;
	return count;
}

void hs_bench_forget(struct hs_bench *bench)
{
	bench->log_bytes = 0;
	bench->log[0] = '\0';
}
