#include "tests/lib/hs_cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_trace.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_cluster_state.h"
#include "tests/lib/hs_make.h"

static void event_free(struct event *event)
{
	if (event->shared && --event->shared->references == 0)
		free(event->shared);
	free(event);
}

static bool is_before(const struct event *a, const struct event *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static struct event *event_add(struct cluster *c, enum event_kind kind, uint32_t node,
			       uint64_t delay_ns)
{
	struct event *event = calloc(1, sizeof(*event));
	uint32_t at = c->event_count++;

	ensure(event && c->event_count < EVENTS_MAX);
	event->kind = kind;
	event->due_ns = c->now_ns + delay_ns;
	event->order = c->order++;
	event->node = node;
	event->life = c->node[node].life;
	while (at > 0 && is_before(event, c->event[(at - 1) / 2])) {
		c->event[at] = c->event[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	c->event[at] = event;
	return event;
}

static struct event *event_take(struct cluster *c)
{
	struct event *first = c->event[0];
	struct event *last = c->event[--c->event_count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= c->event_count)
			break;
		if (child + 1 < c->event_count && is_before(c->event[child + 1], c->event[child]))
			child++;
		if (!is_before(c->event[child], last))
			break;
		c->event[at] = c->event[child];
		at = child;
	}
	c->event[at] = last;
	return first;
}

static uint64_t delay(struct cluster *c)
{
	return 1000 + prng_below(&c->prng, c->options.delay_max_ns);
}

static bool is_cut_off(const struct cluster *c, uint32_t a, uint32_t b)
{
	return c->now_ns < c->partition_until_ns && ((c->side >> a ^ c->side >> b) & 1) != 0;
}

static void deliver(struct cluster *c, uint32_t from, uint32_t to, struct shared *shared)
{
	uint32_t copies = 1;

	if (!c->is_calm) {
		if (is_cut_off(c, from, to) || prng_chance(&c->prng, c->options.loss_ppm))
			return;
		copies += prng_chance(&c->prng, c->options.loss_ppm / 4);
	}
	for (uint32_t i = 0; i < copies; i++) {
		struct event *event = event_add(c, EVENT_MESSAGE, to, delay(c));

		event->life = UINT32_MAX;
		event->from = c->node[from].config.replica_id;
		event->shared = shared;
		shared->references++;
	}
}

static void on_send(struct cluster *c, struct node *node, const struct hs_effect *effect)
{
	struct shared *shared = malloc(sizeof(*shared));

	ensure(shared);
	if (!node->is_twin)
		hs_cluster_watch_send(c, node, effect->u.message);
	c->result.messages++;
	shared->references = 1;
	shared->message = *effect->u.message;
	if (node->is_twin && c->options.twin_forges && shared->message.kind == HS_MESSAGE_COMMIT)
		shared->message.u.commit.signature.b[0] ^= 1;
	for (uint32_t i = 0; i < c->node_count; i++) {
		uint32_t id = c->node[i].config.replica_id;

		if (id == node->config.replica_id || c->node[i].is_dead)
			continue;
		if (effect->to == HS_REPLICA_ALL || effect->to == id)
			deliver(c, node->index, i, shared);
	}
	if (--shared->references == 0)
		free(shared);
}

static void on_check(struct cluster *c, struct node *node, const struct hs_effect *effect)
{
	struct event *event = event_add(c, EVENT_CHECKED, node->index, delay(c));

	event->view = effect->u.commits.view;
	event->id = effect->u.commits.block_id;
	for (uint32_t i = 0; i < effect->u.commits.count; i++) {
		const struct hs_commit *commit = &effect->u.commits.commits[i];

		if (hs_make_is_signed(&node->config, commit))
			bitset_add(&event->good, commit->author);
		else
			bitset_add(&event->bad, commit->author);
	}
}

static void on_want_cut(struct cluster *c, struct node *node, const struct hs_effect *effect)
{
	struct event *event = event_add(c, EVENT_CUT, node->index, prng_below(&c->prng, 200000));

	event_add(c, EVENT_WORK, node->index, 1000000);
	event->view = effect->u.want_cut.view;
	hs_copy_cut(&event->cut, effect->u.want_cut.parent_cut);
	for (uint32_t i = 0; i < event->cut.lane_count; i++) {
		struct hs_cut_entry *entry = &event->cut.lane[i];

		if (!prng_chance(&c->prng, 500000))
			continue;
		entry->seq++;
		entry->digest.b[0] = (uint8_t)entry->seq;
		entry->digest.b[1] = (uint8_t)i;
	}
}

static void on_want_block(struct cluster *c, struct node *node, const struct hs_effect *effect)
{
	const struct node *holder = NULL;
	struct event *event;

	for (uint32_t i = 0; i < c->node_count; i++)
		if (c->node[i].config.replica_id == effect->to && i != node->index)
			holder = &c->node[i];
	if (!holder || !holder->is_alive ||
	    (!c->is_calm && is_cut_off(c, node->index, holder->index)))
		return;
	event = event_add(c, EVENT_BLOCK, node->index, 2 * delay(c));
	event->from = holder->index;
	event->id = effect->u.want_block;
}

static void on_want_certificates(struct cluster *c, struct node *node)
{
	for (uint32_t i = 0; i < c->node_count; i++)
		if (i != node->index && c->node[i].is_alive)
			event_add(c, EVENT_CERTIFICATES, node->index, 2 * delay(c))->from = i;
}

static uint64_t disk_delay(struct cluster *c)
{
	return 1000 + prng_below(&c->prng, c->options.disk_max_ns);
}

static void on_effect(struct cluster *c, struct node *node, const struct hs_effect *effect)
{
	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		hs_copy_record(&node->writing, effect->u.record);
		event_add(c, EVENT_RECORD_DURABLE, node->index, disk_delay(c))->ticket =
			effect->ticket;
		break;
	case HS_EFFECT_PERSIST_BLOCK: {
		struct event *event = event_add(c, EVENT_BLOCK_DURABLE, node->index, disk_delay(c));

		event->ticket = effect->ticket;
		event->shared = malloc(sizeof(*event->shared));
		ensure(event->shared);
		event->shared->references = 1;
		hs_copy_block(&event->shared->message.u.propose, effect->u.block);
		break;
	}
	case HS_EFFECT_SIGN: {
		struct event *event =
			event_add(c, EVENT_SIGNED, node->index, prng_below(&c->prng, 100000));

		event->ticket = effect->ticket;
		event->signature = hs_make_signature(node->config.replica_id, effect->u.sign.bytes,
						     effect->u.sign.count);
		break;
	}
	case HS_EFFECT_SEND:
		on_send(c, node, effect);
		break;
	case HS_EFFECT_WANT_PAYLOAD:
		event_add(c, EVENT_PAYLOAD, node->index, delay(c))->id = effect->u.block->id;
		break;
	case HS_EFFECT_WANT_CUT:
		on_want_cut(c, node, effect);
		break;
	case HS_EFFECT_WANT_BLOCK:
		on_want_block(c, node, effect);
		break;
	case HS_EFFECT_WANT_CERTIFICATES:
		on_want_certificates(c, node);
		break;
	case HS_EFFECT_COMMIT:
		hs_cluster_watch_commit(c, node, effect->u.commit.block);
		break;
	case HS_EFFECT_CHECK_COMMITS:
		on_check(c, node, effect);
		break;
	case HS_EFFECT_PROOF:
		c->result.proofs++;
		break;
	case HS_EFFECT_EVIDENCE:
		c->result.evidence++;
		if (!c->options.has_twin ||
		    effect->u.evidence.author != c->options.replica_count - 1)
			hs_cluster_fail(c, "evidence blames an honest replica");
		break;
	case HS_EFFECT_OBSERVER:
		hs_cluster_fail(c, "an honest replica became observer");
		break;
	case HS_EFFECT_DROPPED:
		break;
	}
}

static void trace(struct cluster *c, const struct node *node, const char *line, size_t count)
{
	for (size_t i = 0; i < count; i++)
		c->result.trace_hash = (c->result.trace_hash ^ (uint8_t)line[i]) * 1099511628211u;
	c->result.trace_hash ^= node->index + c->now_ns;
	if (c->options.is_loud)
		printf("%" PRIu64 " %" PRIu32 " %s\n", c->now_ns / 1000, node->index, line);
}

static void step(struct cluster *c, struct node *node, struct hs_input *input)
{
	char line[HS_TRACE_LINE_MAX];

	input->now_ns = c->now_ns;
	input->wall_ns = 1000000000000 + c->now_ns + node->index * 1000000;
	trace(c, node, line, hs_trace_input(input, line, sizeof(line)));
	if (hs_core_step(node->core, input, &c->effects) != 0)
		hs_cluster_fail(c, "a step was refused");
	hs_core_check(node->core);
	for (uint32_t i = 0; i < c->effects.count; i++) {
		trace(c, node, line, hs_trace_effect(&c->effects.at[i], line, sizeof(line)));
		on_effect(c, node, &c->effects.at[i]);
	}
	node->tick_ns = hs_core_deadline_ns(node->core);
}

static void start(struct cluster *c, struct node *node)
{
	struct hs_block *above = calloc(HS_BLOCKS_MAX, sizeof(*above));
	struct hs_start begin = {
		.record = &node->disk,
		.intent_justify_is_valid = true,
		.entry_tc_is_valid = true,
		.blocks = above,
	};
	size_t bytes = hs_core_footprint(&node->config);

	ensure(above && hs_core_init(node->memory, bytes, &node->config, &node->core) == 0);
	if (node->height > 0) {
		begin.committed = c->committed_block[node->height];
		if (node->is_twin)
			begin.committed = hs_cluster_durable(node, &node->disk.committed_id);
	}
	for (uint64_t i = 0; i < units_min(node->block_count, BLOCKS_KEPT_MAX); i++)
		if (node->blocks[i].header.height > node->height &&
		    begin.block_count < HS_BLOCKS_MAX)
			hs_copy_block(&above[begin.block_count++], &node->blocks[i]);
	node->is_alive = true;
	step(c, node,
	     &(struct hs_input){
		     .kind = HS_INPUT_START, .from = HS_REPLICA_NONE, .u.start = &begin });
	free(above);
	step(c, node,
	     &(struct hs_input){ .kind = HS_INPUT_WORK, .from = HS_REPLICA_NONE, .u.work = true });
}

static void crash(struct cluster *c, struct node *node)
{
	node->is_alive = false;
	node->life++;
	node->tick_ns = UINT64_MAX;
	c->result.crashes++;
	event_add(c, EVENT_RESTART, node->index, prng_below(&c->prng, 100000000));
}

static void on_message(struct cluster *c, struct node *node, const struct event *event)
{
	const struct hs_message *message = &event->shared->message;
	struct hs_input input = { .from = event->from };

	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		input.kind = HS_INPUT_PROPOSE;
		input.u.block = &message->u.propose;
		if (prng_chance(&c->prng, 500000)) {
			input.kind = HS_INPUT_INTENT;
			step(c, node, &input);
			input.kind = HS_INPUT_PROPOSE;
		}
		break;
	case HS_MESSAGE_VOTE:
		input.kind = HS_INPUT_VOTE;
		input.u.vote = &message->u.vote;
		break;
	case HS_MESSAGE_COMMIT:
		input.kind = HS_INPUT_COMMIT;
		input.u.commit = &message->u.commit;
		break;
	case HS_MESSAGE_TIMEOUT:
		input.kind = HS_INPUT_TIMEOUT;
		input.u.timeout = &message->u.timeout;
		break;
	case HS_MESSAGE_QC:
		input.kind = HS_INPUT_QC;
		input.u.qc = &message->u.qc;
		break;
	case HS_MESSAGE_TC:
		input.kind = HS_INPUT_TC;
		input.u.tc = &message->u.tc;
		break;
	case HS_MESSAGE_FC:
		input.kind = HS_INPUT_FC;
		input.u.fc = &message->u.fc;
		break;
	}
	step(c, node, &input);
}

static void give_block(struct cluster *c, struct node *node, const struct hs_block *block)
{
	if (block)
		step(c, node,
		     &(struct hs_input){
			     .kind = HS_INPUT_BLOCK, .from = HS_REPLICA_NONE, .u.block = block });
}

static void on_block_event(struct cluster *c, struct node *node, const struct event *event)
{
	const struct node *holder = &c->node[event->from];
	const struct hs_block *block = hs_cluster_durable(holder, &event->id);

	if (!block && holder->is_alive)
		block = hs_core_block(holder->core, &event->id);
	if (block && block->header.height > 0)
		give_block(c, node, block);
}

static void on_certificates(struct cluster *c, struct node *node, const struct event *event)
{
	static struct hs_certificates known;
	const struct node *holder = &c->node[event->from];
	struct hs_input input = { .from = holder->config.replica_id };

	if (!holder->is_alive)
		return;
	hs_core_certificates(holder->core, &known);
	input.kind = HS_INPUT_QC;
	input.u.qc = &known.high_qc;
	step(c, node, &input);
	if (known.entry.kind == HS_ENTRY_TC) {
		input.kind = HS_INPUT_TC;
		input.u.tc = &known.entry.tc;
		step(c, node, &input);
	}
	if (known.has_fc) {
		input.kind = HS_INPUT_FC;
		input.u.fc = &known.fc;
		step(c, node, &input);
	}
	input.kind = HS_INPUT_CERTIFICATE_ANSWER;
	input.u.author = holder->config.replica_id;
	step(c, node, &input);
}

static void on_block_durable(struct node *node, const struct event *event)
{
	hs_copy_block(&node->blocks[node->block_count++ % BLOCKS_KEPT_MAX],
		      &event->shared->message.u.propose);
}

static void on_event(struct cluster *c, struct node *node, const struct event *event)
{
	struct hs_input input = { .from = HS_REPLICA_NONE };

	switch (event->kind) {
	case EVENT_MESSAGE:
		on_message(c, node, event);
		return;
	case EVENT_RECORD_DURABLE:
		hs_copy_record(&node->disk, &node->writing);
		input.kind = HS_INPUT_PERSISTED;
		input.u.ticket = event->ticket;
		break;
	case EVENT_BLOCK_DURABLE:
		on_block_durable(node, event);
		input.kind = HS_INPUT_PERSISTED;
		input.u.ticket = event->ticket;
		break;
	case EVENT_SIGNED:
		input.kind = HS_INPUT_SIGNED;
		input.u.signed_.request = event->ticket;
		input.u.signed_.signature = event->signature;
		break;
	case EVENT_PAYLOAD:
		input.kind = HS_INPUT_PAYLOAD;
		input.u.payload.block_id = event->id;
		input.u.payload.verdict = HS_PAYLOAD_READY;
		break;
	case EVENT_CUT:
		input.kind = HS_INPUT_CUT;
		input.u.cut.view = event->view;
		input.u.cut.cut = &event->cut;
		break;
	case EVENT_WORK:
		input.kind = HS_INPUT_WORK;
		input.u.work = true;
		break;
	case EVENT_CHECKED:
		input.kind = HS_INPUT_COMMITS_CHECKED;
		input.u.checked.view = event->view;
		input.u.checked.block_id = event->id;
		input.u.checked.good = event->good;
		input.u.checked.bad = event->bad;
		break;
	case EVENT_BLOCK:
		on_block_event(c, node, event);
		return;
	case EVENT_CERTIFICATES:
		on_certificates(c, node, event);
		return;
	case EVENT_RESTART:
		return;
	}
	step(c, node, &input);
}

/* Catch-up: a node far behind is fed the next committed blocks. */
static void catch_up(struct cluster *c, struct node *node)
{
	if (!node->is_alive || node->is_twin || node->height + 8 >= c->height_max)
		return;
	for (uint64_t i = 1; i <= 6; i++)
		give_block(c, node, c->committed_block[node->height + i]);
}

static void chaos(struct cluster *c, struct node *node)
{
	if (c->options.has_partitions && c->now_ns >= c->partition_until_ns &&
	    prng_chance(&c->prng, 2000)) {
		c->side = (uint32_t)prng_u64(&c->prng);
		c->partition_until_ns = c->now_ns + prng_below(&c->prng, 60000000);
	}
	if (node->is_alive && !node->is_twin && prng_chance(&c->prng, c->options.crash_ppm))
		crash(c, node);
}

/* The next thing to happen: an event, or a tick. Returns false at `end_ns`. */
static bool turn(struct cluster *c, uint64_t end_ns)
{
	struct node *ticking = NULL;
	struct event *event;
	struct node *node;

	for (uint32_t i = 0; i < c->node_count; i++)
		if (c->node[i].is_alive && (!ticking || c->node[i].tick_ns < ticking->tick_ns))
			ticking = &c->node[i];
	if (ticking && ticking->tick_ns < end_ns &&
	    (c->event_count == 0 || ticking->tick_ns <= c->event[0]->due_ns)) {
		c->now_ns = units_max(c->now_ns, ticking->tick_ns);
		step(c, ticking,
		     &(struct hs_input){ .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE });
		catch_up(c, ticking);
		return true;
	}
	if (c->event_count == 0 || c->event[0]->due_ns >= end_ns)
		return false;
	event = event_take(c);
	node = &c->node[event->node];
	c->now_ns = units_max(c->now_ns, event->due_ns);
	if (event->kind == EVENT_RESTART)
		start(c, node);
	else if (node->is_alive && (event->life == node->life || event->kind == EVENT_MESSAGE))
		on_event(c, node, event);
	if (!c->is_calm)
		chaos(c, node);
	event_free(event);
	return true;
}

static void set_up(struct cluster *c)
{
	const struct hs_cluster_options *options = &c->options;

	c->now_ns = 1000000;
	prng_seed(&c->prng, options->seed);
	c->node_count = options->replica_count + (options->has_twin ? 1 : 0);
	ensure(c->node_count <= NODES_MAX);
	for (uint32_t i = 0; i < c->node_count; i++) {
		struct node *node = &c->node[i];
		uint32_t id = i < options->replica_count ? i : options->replica_count - 1;

		node->index = i;
		node->config = hs_make_config(options->replica_count, id);
		node->is_twin = options->has_twin && id == options->replica_count - 1;
		node->is_dead = i < options->dead_count;
		node->tick_ns = UINT64_MAX;
		node->memory =
			aligned_alloc(64, units_round_up(hs_core_footprint(&node->config), 64));
		node->blocks = calloc(BLOCKS_KEPT_MAX, sizeof(struct hs_block));
		ensure(node->memory && node->blocks);
		node->disk.epoch = node->config.epoch;
		hs_make_genesis_qc(&node->config, &node->disk.high_qc);
	}
	for (uint32_t i = 0; i < c->node_count; i++)
		if (!c->node[i].is_dead)
			start(c, &c->node[i]);
}

static void tear_down(struct cluster *c)
{
	while (c->event_count > 0)
		event_free(event_take(c));
	for (uint32_t i = 0; i < c->node_count; i++) {
		free(c->node[i].memory);
		free(c->node[i].blocks);
	}
	for (uint32_t i = 0; i < HEIGHTS_MAX; i++)
		free(c->committed_block[i]);
}

static void conclude(struct cluster *c)
{
	c->result.height_end = UINT64_MAX;
	for (uint32_t i = 0; i < c->node_count; i++) {
		const struct node *node = &c->node[i];

		if (node->is_dead || node->is_twin)
			continue;
		c->result.height_end = units_min(c->result.height_end, node->height);
		if (!node->is_alive)
			continue;
		struct hs_view_status status = hs_core_status(node->core);

		c->result.views = units_max(c->result.views, status.view);
		c->result.views_failed = units_max(c->result.views_failed, status.views_failed);
	}
}

struct hs_cluster_options hs_cluster_defaults(uint64_t seed)
{
	return (struct hs_cluster_options){
		.seed = seed,
		.replica_count = 4,
		.loss_ppm = 50000,
		.chaos_ns = 150000000,
		.calm_ns = 3000000000,
		.delay_max_ns = 2000000,
		.disk_max_ns = 500000,
	};
}

/* Ends the calm early once every living honest node committed well beyond the chaos. */
static bool is_content(const struct cluster *c)
{
	for (uint32_t i = 0; i < c->node_count; i++) {
		const struct node *node = &c->node[i];

		if (!node->is_dead && !node->is_twin &&
		    (!node->is_alive || node->height < c->result.height_chaos + 5))
			return false;
	}
	return true;
}

struct hs_cluster_result hs_cluster_run(const struct hs_cluster_options *options)
{
	struct cluster *c = calloc(1, sizeof(*c));
	struct hs_cluster_result result;
	uint64_t end_ns;

	ensure(c);
	c->options = *options;
	set_up(c);
	end_ns = c->now_ns + options->chaos_ns;
	while (!c->result.failure && turn(c, end_ns))
		c->result.events++;
	c->is_calm = true;
	c->result.height_chaos = c->height_max;
	end_ns += options->calm_ns;
	while (!c->result.failure && !is_content(c) && turn(c, end_ns))
		c->result.events++;
	if (!is_content(c))
		hs_cluster_fail(c, "commits did not go on after the faults ended");
	conclude(c);
	tear_down(c);
	result = c->result;
	free(c);
	return result;
}
