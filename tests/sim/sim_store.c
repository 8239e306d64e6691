/* A node's disk traffic: appends in order, reads, and what comes back. */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_memory.h"

enum { DONE_BURST = 64, RECORD_BYTES_MAX = 128 * 1024 };

static struct sim_append *queue_at(struct sim_append_queue *queue, uint32_t index)
{
	return &queue->at[(queue->first + index) % queue->room];
}

static struct sim_append *queue_push(struct sim_append_queue *queue)
{
	if (queue->count == queue->room) {
		uint32_t room = queue->room ? 2 * queue->room : 256;
		struct sim_append *at = calloc(room, sizeof(*at));

		ensure(at);
		for (uint32_t i = 0; i < queue->count; i++)
			at[i] = *queue_at(queue, i);
		free(queue->at);
		queue->at = at;
		queue->room = room;
		queue->first = 0;
	}
	queue->count++;
	return queue_at(queue, queue->count - 1);
}

static void append_free(struct sim_append *append)
{
	if (!append->is_borrowed)
		sim_memory_free(append->bytes);
	sim_memory_free(append->record);
	*append = (struct sim_append){ 0 };
}

static void queue_pop(struct sim_append_queue *queue)
{
	append_free(queue_at(queue, 0));
	queue->first = (queue->first + 1) % queue->room;
	queue->count--;
	queue->accepted--;
}

void sim_store_forget(struct sim_node *node)
{
	for (int log = 0; log < BLOCKLOG_LOG_COUNT; log++) {
		struct sim_append_queue *queue = &node->appends[log];

		for (uint32_t i = 0; i < queue->count; i++)
			append_free(queue_at(queue, i));
		free(queue->at);
		*queue = (struct sim_append_queue){ 0 };
	}
	for (uint32_t i = 0; i < SIM_READS_MAX; i++) {
		sim_memory_give_dirty(node->reads[i].bytes, RECORD_BYTES_MAX);
		node->reads[i] = (struct sim_read){ 0 };
	}
	node->reads_waiting = 0;
}

void sim_store_append(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	struct sim_append *append = queue_push(&node->appends[effect->u.persist.log]);

	*append = (struct sim_append){
		.ticket = effect->u.persist.ticket,
		.kind = effect->u.persist.kind,
		.is_borrowed = effect->u.persist.is_borrowed,
		.byte_count = effect->u.persist.byte_count,
	};
	if (append->is_borrowed) {
		append->bytes = (uint8_t *)(uintptr_t)effect->u.persist.bytes;
	} else {
		append->bytes = sim_memory_new(append->byte_count);
		memcpy(append->bytes, effect->u.persist.bytes, append->byte_count);
	}
	sim_check_append(sim, node, append);
}

void sim_store_read(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	for (uint32_t i = 0; i < SIM_READS_MAX; i++) {
		struct sim_read *read = &node->reads[i];

		if (read->is_used)
			continue;
		*read = (struct sim_read){
			.is_used = true,
			.ticket = effect->u.read.ticket,
			.log = effect->u.read.log,
			.position = effect->u.read.position,
			.byte_max = (uint32_t)units_min(effect->u.read.byte_max, RECORD_BYTES_MAX),
			.bytes = sim_memory_take_dirty(RECORD_BYTES_MAX),
		};
		node->reads_waiting++;
		return;
	}
	sim_fail(sim, "replica %u has more than %u reads under way", node->id, SIM_READS_MAX);
}

static void submit_appends(struct sim *sim, struct sim_node *node, enum blocklog_log log)
{
	struct sim_append_queue *queue = &node->appends[log];

	while (queue->accepted < queue->count) {
		struct sim_append *append = queue_at(queue, queue->accepted);
		int code;

		if (append->is_borrowed)
			code = blocklog_store_append_borrowed(node->store, log, append->kind,
							      append->bytes, append->byte_count,
							      append->ticket, &append->position);
		else
			code = blocklog_store_append(node->store, log, append->kind, append->bytes,
						     append->byte_count, append->ticket,
						     &append->position);
		SOMETIMES(code == ERR_FULL, "store: an append waits for room");
		/* A store that retired says so by the tickets it holds. */
		if (code == ERR_FULL || code == ERR_RETIRED)
			return;
		if (code < 0)
			sim_fail(sim, "replica %u: append of %u bytes to log %d: %s", node->id,
				 append->byte_count, log, err_text(code));
		queue->accepted++;
	}
}

static void step_read(struct sim *sim, struct sim_node *node, struct sim_read *read, int code,
		      uint16_t kind, size_t count)
{
	struct replica_input input = { .kind = REPLICA_INPUT_READ_DONE };
	uint8_t *bytes = read->bytes;

	read->is_used = false;
	read->bytes = NULL;
	input.u.read.ticket = read->ticket;
	input.u.read.code = code;
	input.u.read.record_kind = kind;
	input.u.read.bytes = bytes;
	input.u.read.byte_count = (uint32_t)count;
	sim_node_step(sim, node, &input);
	sim_memory_give_dirty(bytes, RECORD_BYTES_MAX);
}

static void submit_reads(struct sim *sim, struct sim_node *node)
{
	for (uint32_t i = 0; i < SIM_READS_MAX && node->reads_waiting > 0; i++) {
		struct sim_read *read = &node->reads[i];
		int code;

		if (!read->is_used || read->is_asked)
			continue;
		code = blocklog_store_read(node->store, read->log, read->position, read->bytes,
					   read->byte_max, i);
		if (code == ERR_FULL)
			return;
		node->reads_waiting--;
		if (code < 0)
			step_read(sim, node, read, code, 0, 0);
		else
			read->is_asked = true;
	}
}

static void on_append_done(struct sim *sim, struct sim_node *node, const struct blocklog_done *done)
{
	struct sim_append_queue *queue = &node->appends[done->log];
	struct replica_input input = { .kind = REPLICA_INPUT_PERSISTED };
	struct sim_append *append = queue_at(queue, 0);

	ensure(queue->accepted > 0 && append->ticket == done->ticket);
	if (append->is_told) {
		queue_pop(queue);
		return;
	}
	if (done->code == 0)
		sim_check_durable(sim, node, append);
	input.u.persisted.ticket = append->ticket;
	input.u.persisted.position = append->position;
	input.u.persisted.code = done->code;
	queue_pop(queue);
	sim_trace(sim, input.u.persisted.position);
	sim_node_step(sim, node, &input);
}

/* The canary's store: says of blocks and marks that they are durable once they are accepted. */
static void tell_early(struct sim *sim, struct sim_node *node)
{
	struct sim_append_queue *queue = &node->appends[BLOCKLOG_BLOCK];
	uint32_t at = 0;

	while (at < queue->accepted) {
		struct sim_append *append = queue_at(queue, at++);
		struct replica_input input = { .kind = REPLICA_INPUT_PERSISTED };

		if (append->is_told ||
		    (append->kind != REPLICA_RECORD_BLOCK && append->kind != REPLICA_RECORD_MARK))
			continue;
		append->is_told = true;
		sim_check_durable(sim, node, append);
		input.u.persisted.ticket = append->ticket;
		input.u.persisted.position = append->position;
		sim_node_step(sim, node, &input);
	}
}

void sim_store_turn(struct sim *sim, struct sim_node *node)
{
	struct blocklog_done done[DONE_BURST];
	uint32_t count;

	if (node->is_doomed)
		return;
	do {
		for (int log = 0; log < BLOCKLOG_LOG_COUNT; log++)
			submit_appends(sim, node, (enum blocklog_log)log);
		submit_reads(sim, node);
		if (sim->options.is_early_store)
			tell_early(sim, node);
		count = blocklog_store_turn(node->store, done, DONE_BURST);
		for (uint32_t i = 0; i < count; i++) {
			if (done[i].kind == BLOCKLOG_DONE_APPEND)
				on_append_done(sim, node, &done[i]);
			else
				step_read(sim, node, &node->reads[done[i].ticket], done[i].code,
					  done[i].record_kind, done[i].count);
		}
	} while (count > 0 && !node->is_doomed);
}
