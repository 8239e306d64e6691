#include "tests/fuzz/fuzz_core_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_trace.h"
#include "crypto/crypto_hash.h"

static const struct hs_config *config_of(const struct core_world *world)
{
	return &world->cluster.node[0].config;
}

/* ---- certificates ---- */

static bool is_list_genuine(const struct hs_config *config, enum hs_message_kind kind,
			    const struct hs_qc *qc)
{
	uint32_t at = 0;

	if (qc->view == 0)
		return crypto_hash_equal(&qc->block_id, &config->genesis_id);
	if (qc->count != CORE_QUORUM || bitset_count(&qc->signers) != qc->count)
		return false;
	for (uint32_t i = 0; i < CORE_MEMBERS; i++) {
		struct crypto_signature wanted =
			hs_make_signed(config, kind, i, qc->view, &qc->block_id, 0);

		if (bitset_has(&qc->signers, i) &&
		    memcmp(&wanted, &qc->signature[at++], sizeof(wanted)) != 0)
			return false;
	}
	return true;
}

static bool is_tc_genuine(const struct hs_config *config, const struct hs_tc *tc)
{
	uint32_t at = 0;

	if (tc->count != CORE_QUORUM || bitset_count(&tc->signers) != tc->count)
		return false;
	for (uint32_t i = 0; i < CORE_MEMBERS; i++) {
		if (!bitset_has(&tc->signers, i))
			continue;
		struct crypto_signature wanted = hs_make_signed(config, HS_MESSAGE_TIMEOUT, i,
								tc->view, NULL, tc->qc_view[at]);

		if (memcmp(&wanted, &tc->signature[at++], sizeof(wanted)) != 0)
			return false;
	}
	return true;
}

static bool is_entry_genuine(const struct hs_config *config, const struct hs_entry *entry)
{
	if (entry->kind == HS_ENTRY_QC)
		return is_list_genuine(config, HS_MESSAGE_VOTE, &entry->qc);
	return entry->kind == HS_ENTRY_NONE || is_tc_genuine(config, &entry->tc);
}

static bool is_message_genuine(const struct hs_config *config, const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		return is_list_genuine(config, HS_MESSAGE_VOTE, &message->u.propose.justify) &&
		       (!message->u.propose.has_tc ||
			is_tc_genuine(config, &message->u.propose.tc));
	case HS_MESSAGE_TIMEOUT:
		return is_list_genuine(config, HS_MESSAGE_VOTE, &message->u.timeout.qc) &&
		       is_entry_genuine(config, &message->u.timeout.entry);
	case HS_MESSAGE_QC:
		return is_list_genuine(config, HS_MESSAGE_VOTE, &message->u.qc);
	case HS_MESSAGE_TC:
		return is_tc_genuine(config, &message->u.tc);
	case HS_MESSAGE_FC:
		return is_list_genuine(config, HS_MESSAGE_COMMIT, &message->u.fc.c);
	default:
		return true;
	}
}

static bool make_list(const struct core_world *world, enum hs_message_kind kind,
		      const struct core_seen *seen, uint32_t said, uint32_t skip,
		      struct hs_qc *ret_qc)
{
	const struct hs_config *config = config_of(world);
	uint32_t signers = said | 1U << CORE_LIAR;
	uint32_t view_quorum = CORE_QUORUM;

	if ((uint32_t)__builtin_popcount(signers) < view_quorum)
		return false;
	if ((uint32_t)__builtin_popcount(signers) > view_quorum)
		signers &= ~(1U << skip % CORE_MEMBERS);
	memset(ret_qc, 0, sizeof(*ret_qc));
	ret_qc->epoch = config->epoch;
	ret_qc->view = seen->block.header.view;
	ret_qc->block_id = seen->block.id;
	for (uint32_t i = 0; i < CORE_MEMBERS; i++) {
		if (!(signers >> i & 1))
			continue;
		bitset_add(&ret_qc->signers, i);
		ret_qc->signature[ret_qc->count++] =
			hs_make_signed(config, kind, i, ret_qc->view, &ret_qc->block_id, 0);
	}
	return true;
}

bool fuzz_core_qc(struct core_world *world, uint32_t seen, uint32_t skip, struct hs_qc *ret_qc)
{
	if (seen == 0) {
		hs_make_genesis_qc(config_of(world), ret_qc);
		return true;
	}
	return make_list(world, HS_MESSAGE_VOTE, &world->seen[seen], world->seen[seen].votes, skip,
			 ret_qc);
}

bool fuzz_core_fc(struct core_world *world, uint32_t seen, uint32_t skip, struct hs_fc *ret_fc)
{
	return seen > 0 && make_list(world, HS_MESSAGE_COMMIT, &world->seen[seen],
				     world->seen[seen].commits, skip, &ret_fc->c);
}

bool fuzz_core_votes_as_fc(struct core_world *world, uint32_t seen, struct hs_fc *ret_fc)
{
	return seen > 0 && fuzz_core_qc(world, seen, 0, &ret_fc->c) &&
	       is_list_genuine(config_of(world), HS_MESSAGE_COMMIT, &ret_fc->c);
}

bool fuzz_core_tc(struct core_world *world, uint64_t view, uint64_t liar_qc_view,
		  struct hs_tc *ret_tc)
{
	const struct hs_config *config = config_of(world);

	memset(ret_tc, 0, sizeof(*ret_tc));
	if (view == 0 || view >= CORE_VIEWS_MAX)
		return false;
	ret_tc->epoch = config->epoch;
	ret_tc->view = view;
	for (uint32_t i = 0; i < CORE_MEMBERS && ret_tc->count < CORE_QUORUM; i++) {
		uint64_t qc_view = liar_qc_view % view;

		if (i != CORE_LIAR) {
			if (world->cluster.timed_out[i][view] == 0)
				continue;
			qc_view = world->cluster.timed_out[i][view] - 1;
		}
		bitset_add(&ret_tc->signers, i);
		ret_tc->qc_view[ret_tc->count] = qc_view;
		ret_tc->signature[ret_tc->count++] =
			hs_make_signed(config, HS_MESSAGE_TIMEOUT, i, view, NULL, qc_view);
	}
	return ret_tc->count == CORE_QUORUM;
}

/* ---- what was made and said ---- */

uint32_t fuzz_core_find(const struct core_world *world, const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < world->seen_count; i++)
		if (crypto_hash_equal(&world->seen[i].block.id, id))
			return i;
	return CORE_SEEN_MAX;
}

void fuzz_core_remember(struct core_world *world, const struct hs_block *block)
{
	struct core_seen *seen = &world->seen[world->seen_count];

	if (world->seen_count == CORE_SEEN_MAX ||
	    fuzz_core_find(world, &block->id) != CORE_SEEN_MAX)
		return;
	hs_copy_block(&seen->block, block);
	seen->votes = 0;
	seen->commits = 0;
	seen->is_invalid = false;
	world->seen_count++;
}

static uint64_t view_of(const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		return message->u.propose.header.view;
	case HS_MESSAGE_VOTE:
		return message->u.vote.view;
	case HS_MESSAGE_COMMIT:
		return message->u.commit.view;
	case HS_MESSAGE_TIMEOUT:
		return message->u.timeout.view;
	default:
		return 0;
	}
}

static void note_said(struct core_world *world, uint32_t node, const struct hs_message *message)
{
	uint32_t seen;

	world->view_max = units_max(world->view_max, view_of(message));
	if (message->kind == HS_MESSAGE_PROPOSE)
		fuzz_core_remember(world, &message->u.propose);
	if (message->kind == HS_MESSAGE_VOTE && message->u.vote.author == node) {
		seen = fuzz_core_find(world, &message->u.vote.block_id);
		if (seen != CORE_SEEN_MAX)
			world->seen[seen].votes |= 1U << node;
	}
	if (message->kind == HS_MESSAGE_COMMIT) {
		seen = fuzz_core_find(world, &message->u.commit.block_id);
		if (seen != CORE_SEEN_MAX)
			world->seen[seen].commits |= 1U << node;
	}
}

/* A relayed proposal or vote is somebody else's statement: the observer looks at own ones. */
static bool is_own(uint32_t node, const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		return message->u.propose.author == node;
	case HS_MESSAGE_VOTE:
		return message->u.vote.author == node;
	case HS_MESSAGE_COMMIT:
		return message->u.commit.author == node;
	case HS_MESSAGE_TIMEOUT:
		return message->u.timeout.author == node;
	default:
		return false;
	}
}

static void on_send(struct core_world *world, uint32_t node, const struct hs_effect *effect)
{
	struct core_sent *sent = &world->sent[world->sent_count++ % CORE_SENT_MAX];
	const struct hs_message *message = effect->u.message;

	if (is_own(node, message)) {
		fuzz_core_judge_send(world, node, message);
		hs_cluster_watch_send(&world->cluster, &world->cluster.node[node], message);
	}
	fuzz_core_demand(world, is_message_genuine(config_of(world), message),
			 "a certificate not genuine");
	note_said(world, node, message);
	sent->from = node;
	sent->waiting = ((1U << CORE_HONEST) - 1) & ~(1U << node);
	if (effect->to != HS_REPLICA_ALL)
		sent->waiting &= 1U << effect->to % 32;
	memcpy(&sent->message, message, sizeof(*message));
}

/* ---- what is asked ---- */

static void on_check(const struct core_world *world, const struct hs_effect *effect,
		     struct core_todo *todo)
{
	todo->view = effect->u.commits.view;
	todo->id = effect->u.commits.block_id;
	for (uint32_t i = 0; i < effect->u.commits.count; i++) {
		const struct hs_commit *commit = &effect->u.commits.commits[i];

		if (hs_make_is_signed(config_of(world), commit))
			bitset_add(&todo->good, commit->author);
		else
			bitset_add(&todo->bad, commit->author);
	}
}

/* Returns false when the effect asks for nothing that takes time. */
static bool on_question(struct core_world *world, uint32_t node, const struct hs_effect *effect,
			struct core_todo *todo)
{
	memset(todo, 0, offsetof(struct core_todo, block));
	todo->kind = effect->kind;
	todo->ticket = effect->ticket;
	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		hs_copy_record(&world->cluster.node[node].writing, effect->u.record);
		fuzz_core_demand(world,
				 is_list_genuine(config_of(world), HS_MESSAGE_VOTE,
						 &effect->u.record->high_qc),
				 "a lock that is not genuine is recorded");
		fuzz_core_judge_record(world, node, effect->u.record);
		return true;
	case HS_EFFECT_PERSIST_BLOCK:
	case HS_EFFECT_WANT_PAYLOAD:
		hs_copy_block(&todo->block, effect->u.block);
		todo->id = effect->u.block->id;
		return true;
	case HS_EFFECT_SIGN:
		todo->signature =
			hs_make_signature(node, effect->u.sign.bytes, effect->u.sign.count);
		return true;
	case HS_EFFECT_WANT_CUT:
		todo->view = effect->u.want_cut.view;
		hs_copy_cut(&todo->cut, effect->u.want_cut.parent_cut);
		return true;
	case HS_EFFECT_WANT_BLOCK:
		todo->id = effect->u.want_block;
		return true;
	case HS_EFFECT_WANT_CERTIFICATES:
		return true;
	case HS_EFFECT_CHECK_COMMITS:
		on_check(world, effect, todo);
		return true;
	default:
		return false;
	}
}

static void on_effect(struct core_world *world, uint32_t node, const struct hs_effect *effect)
{
	struct cluster *cluster = &world->cluster;
	uint32_t *count = &world->todo_count[node];

	switch (effect->kind) {
	case HS_EFFECT_SEND:
		on_send(world, node, effect);
		break;
	case HS_EFFECT_COMMIT:
		fuzz_core_judge_final(world, effect->u.commit.block);
		hs_cluster_watch_commit(cluster, &cluster->node[node], effect->u.commit.block);
		break;
	case HS_EFFECT_PROOF:
		fuzz_core_demand(world,
				 is_list_genuine(config_of(world), HS_MESSAGE_COMMIT,
						 &effect->u.fc->c),
				 "a proof that is not genuine");
		break;
	case HS_EFFECT_EVIDENCE:
		fuzz_core_judge_evidence(world, &effect->u.evidence);
		break;
	case HS_EFFECT_OBSERVER:
		fuzz_core_demand(world, false, "an honest member fell silent");
		break;
	default:
		if (*count < CORE_TODO_MAX &&
		    on_question(world, node, effect, &world->todo[node][*count]))
			++*count;
		break;
	}
	fuzz_core_demand(world, true, "");
}

/* FUZZ_LOUD=1 shows a run: every input and effect. */
static bool is_loud(void)
{
	static int answer = -1;

	if (answer < 0)
		answer = getenv("FUZZ_LOUD") != NULL;
	return answer != 0;
}

static void print_input(uint32_t node, const struct hs_input *input)
{
	char line[HS_TRACE_LINE_MAX];

	if (!is_loud())
		return;
	hs_trace_input(input, line, sizeof(line));
	fprintf(stderr, "%u %s\n", node, line);
}

static void print_effect(uint32_t node, const struct hs_effect *effect)
{
	char line[HS_TRACE_LINE_MAX];

	if (!is_loud())
		return;
	hs_trace_effect(effect, line, sizeof(line));
	fprintf(stderr, "%u %s\n", node, line);
}

uint64_t fuzz_core_wall_ns(const struct core_world *world)
{
	return UINT64_C(1000000000000) + world->cluster.now_ns;
}

void fuzz_core_step(struct core_world *world, uint32_t node, struct hs_input *input)
{
	struct cluster *cluster = &world->cluster;
	struct hs_view_status status;

	input->now_ns = cluster->now_ns;
	input->wall_ns = fuzz_core_wall_ns(world);
	print_input(node, input);
	ensure(hs_core_step(cluster->node[node].core, input, &cluster->effects) == 0);
	hs_core_check(cluster->node[node].core);
	for (uint32_t i = 0; i < cluster->effects.count; i++) {
		print_effect(node, &cluster->effects.at[i]);
		on_effect(world, node, &cluster->effects.at[i]);
	}
	status = hs_core_status(cluster->node[node].core);
	fuzz_core_judge_step(world, node, &status);
}

void fuzz_core_message(struct core_world *world, uint32_t node, uint32_t from,
		       const struct hs_message *message)
{
	static const enum hs_input_kind kinds[] = {
		[HS_MESSAGE_PROPOSE] = HS_INPUT_PROPOSE, [HS_MESSAGE_VOTE] = HS_INPUT_VOTE,
		[HS_MESSAGE_COMMIT] = HS_INPUT_COMMIT,   [HS_MESSAGE_TIMEOUT] = HS_INPUT_TIMEOUT,
		[HS_MESSAGE_QC] = HS_INPUT_QC,           [HS_MESSAGE_TC] = HS_INPUT_TC,
		[HS_MESSAGE_FC] = HS_INPUT_FC,
	};
	struct hs_input input = { .kind = kinds[message->kind], .from = from };

	/* Every arm of the union is one pointer to the message's own arm. */
	input.u.block = &message->u.propose;
	fuzz_core_step(world, node, &input);
	if (message->kind == HS_MESSAGE_QC)
		fuzz_core_demand(world, world->low_lock[node] >= message->u.qc.view,
				 "L: a QC that is not kept");
}

void fuzz_core_deliver(struct core_world *world, uint32_t sent, uint32_t node, bool is_intent)
{
	struct core_sent *item = &world->sent[sent];
	struct hs_input input = { .kind = HS_INPUT_INTENT, .from = item->from };

	if (item->from == node)
		return;
	item->waiting &= ~(1U << node);
	if (is_intent && item->message.kind == HS_MESSAGE_PROPOSE) {
		input.u.block = &item->message.u.propose;
		fuzz_core_step(world, node, &input);
	}
	fuzz_core_message(world, node, item->from, &item->message);
}

/* ---- answers, and lives ---- */

static void answer_cut(struct core_world *world, uint32_t node, struct core_todo *todo)
{
	for (uint32_t i = 0; i < todo->cut.lane_count; i++) {
		struct hs_cut_entry *entry = &todo->cut.lane[i];

		if ((todo->view + i) % 3 == 0)
			continue;
		entry->seq++;
		memset(&entry->digest, 0, sizeof(entry->digest));
		entry->digest.b[0] = (uint8_t)entry->seq;
		entry->digest.b[1] = (uint8_t)i;
	}
	struct hs_input input = { .kind = HS_INPUT_CUT, .from = HS_REPLICA_NONE };

	input.u.cut.view = todo->view;
	input.u.cut.cut = &todo->cut;
	fuzz_core_step(world, node, &input);
}

static void write_done(struct core_world *world, uint32_t node, const struct core_todo *todo)
{
	struct node *owner = &world->cluster.node[node];

	if (todo->kind == HS_EFFECT_PERSIST_RECORD)
		hs_copy_record(&owner->disk, &owner->writing);
	else
		hs_copy_block(&owner->blocks[owner->block_count++ % BLOCKS_KEPT_MAX], &todo->block);
}

static void answer_block(struct core_world *world, uint32_t node, const struct core_todo *todo)
{
	struct hs_input input = { .kind = HS_INPUT_BLOCK, .from = HS_REPLICA_NONE };
	uint32_t seen = fuzz_core_find(world, &todo->id);

	if (seen == 0 || seen == CORE_SEEN_MAX)
		return;
	input.u.block = &world->seen[seen].block;
	fuzz_core_step(world, node, &input);
}

/* Two members answer, one after the other: rule R's q - 1. */
static void answer_certificates(struct core_world *world, uint32_t node)
{
	for (uint32_t i = 1; i < CORE_QUORUM; i++) {
		struct hs_input input = { .kind = HS_INPUT_CERTIFICATE_ANSWER,
					  .from = HS_REPLICA_NONE };

		input.u.author = (node + i) % CORE_MEMBERS;
		world->promise[node].answered |= 1U << input.u.author;
		fuzz_core_step(world, node, &input);
	}
}

static enum hs_payload judge_payload(struct core_world *world, uint32_t node,
				     const struct crypto_hash *id)
{
	uint32_t seen = fuzz_core_find(world, id);

	if (seen != CORE_SEEN_MAX && world->seen[seen].is_invalid)
		return HS_PAYLOAD_INVALID;
	fuzz_core_judge_ready(world, node, id);
	return HS_PAYLOAD_READY;
}

void fuzz_core_answer(struct core_world *world, uint32_t node, uint32_t todo)
{
	static struct core_todo one;
	struct hs_input input = { .from = HS_REPLICA_NONE };
	uint32_t left = --world->todo_count[node] - todo;

	one = world->todo[node][todo];
	memmove(&world->todo[node][todo], &world->todo[node][todo + 1], left * sizeof(one));
	switch (one.kind) {
	case HS_EFFECT_PERSIST_RECORD:
	case HS_EFFECT_PERSIST_BLOCK:
		write_done(world, node, &one);
		input.kind = HS_INPUT_PERSISTED;
		input.u.ticket = one.ticket;
		break;
	case HS_EFFECT_SIGN:
		input.kind = HS_INPUT_SIGNED;
		input.u.signed_.request = one.ticket;
		input.u.signed_.signature = one.signature;
		break;
	case HS_EFFECT_WANT_PAYLOAD:
		input.kind = HS_INPUT_PAYLOAD;
		input.u.payload.block_id = one.id;
		input.u.payload.verdict = judge_payload(world, node, &one.id);
		break;
	case HS_EFFECT_WANT_CUT:
		answer_cut(world, node, &one);
		return;
	case HS_EFFECT_WANT_BLOCK:
		answer_block(world, node, &one);
		return;
	case HS_EFFECT_CHECK_COMMITS:
		input.kind = HS_INPUT_COMMITS_CHECKED;
		input.u.checked.view = one.view;
		input.u.checked.block_id = one.id;
		input.u.checked.good = one.good;
		input.u.checked.bad = one.bad;
		break;
	default:
		answer_certificates(world, node);
		return;
		break;
	}
	fuzz_core_step(world, node, &input);
}

static void start(struct core_world *world, uint32_t index)
{
	static struct hs_block above[HS_BLOCKS_MAX];
	struct cluster *cluster = &world->cluster;
	struct node *node = &cluster->node[index];
	struct hs_start begin = {
		.record = &node->disk,
		.intent_justify_is_valid =
			is_list_genuine(&node->config, HS_MESSAGE_VOTE, &node->disk.intent_justify),
		.entry_tc_is_valid = true,
		.blocks = above,
		.committed = cluster->committed_block[node->disk.committed_height],
	};

	node->height = node->disk.committed_height;
	for (uint64_t i = 0; i < units_min(node->block_count, BLOCKS_KEPT_MAX); i++)
		if (node->blocks[i].header.height > node->height &&
		    begin.block_count < HS_BLOCKS_MAX)
			hs_copy_block(&above[begin.block_count++], &node->blocks[i]);
	ensure(hs_core_init(node->memory, hs_core_footprint(&node->config), &node->config,
			    &node->core) == 0);
	fuzz_core_judge_start(world, index);
	world->low_view[index] = 0;
	world->low_lock[index] = node->disk.high_qc.view;
	fuzz_core_step(world, index,
		       &(struct hs_input){ .kind = HS_INPUT_START,
					   .from = HS_REPLICA_NONE,
					   .u.start = &begin });
}

void fuzz_core_crash(struct core_world *world, uint32_t node, uint32_t done)
{
	uint32_t block = 1;

	if (is_loud())
		fprintf(stderr, "%u crashes\n", node);
	for (uint32_t i = 0; i < world->todo_count[node]; i++) {
		const struct core_todo *todo = &world->todo[node][i];

		if (todo->kind == HS_EFFECT_PERSIST_RECORD && (done & 1))
			write_done(world, node, todo);
		if (todo->kind == HS_EFFECT_PERSIST_BLOCK && (done >> block++ % 8 & 1))
			write_done(world, node, todo);
	}
	world->todo_count[node] = 0;
	start(world, node);
}

static void make(struct core_world *world)
{
	for (uint32_t i = 0; i < CORE_HONEST; i++) {
		struct node *node = &world->cluster.node[i];

		node->config = hs_make_config(CORE_MEMBERS, i);
		node->index = i;
		node->memory =
			aligned_alloc(64, units_round_up(hs_core_footprint(&node->config), 64));
		node->blocks = calloc(BLOCKS_KEPT_MAX, sizeof(struct hs_block));
		ensure(node->memory && node->blocks);
	}
	world->cluster.options.replica_count = CORE_MEMBERS;
	world->cluster.options.has_twin = true;
	world->cluster.node_count = CORE_HONEST;
}

struct core_world *fuzz_core_begin(void)
{
	static struct core_world *world;

	if (!world) {
		world = calloc(1, sizeof(*world));
		ensure(world);
		make(world);
	}
	world->cluster.now_ns = 1000000;
	hs_make_genesis(config_of(world), &world->seen[0].block);
	world->seen_count = 1;
	world->sent_count = 0;
	world->payload_count = 0;
	world->view_max = 0;
	for (uint32_t i = 0; i < CORE_HONEST; i++) {
		struct node *node = &world->cluster.node[i];

		memset(&node->disk, 0, sizeof(node->disk));
		node->disk.epoch = node->config.epoch;
		hs_make_genesis_qc(&node->config, &node->disk.high_qc);
		node->block_count = 0;
		world->todo_count[i] = 0;
		world->timeout_view[i] = 0;
		start(world, i);
	}
	return world;
}

/* Forgets what the observer noted, no more than the run touched. */
void fuzz_core_end(struct core_world *world)
{
	struct cluster *cluster = &world->cluster;
	uint64_t views = units_min(world->view_max + 1, VIEWS_MAX);

	for (uint32_t i = 0; i < CORE_HONEST; i++) {
		memset(cluster->voted[i], 0, views * sizeof(cluster->voted[i][0]));
		memset(cluster->commit_voted[i], 0, views * sizeof(cluster->voted[i][0]));
		memset(cluster->timed_out[i], 0, views * sizeof(cluster->timed_out[i][0]));
		memset(cluster->proposed[i], 0, views * sizeof(cluster->proposed[i][0]));
	}
	for (uint64_t height = 0; height <= cluster->height_max; height++) {
		free(cluster->committed_block[height]);
		cluster->committed_block[height] = NULL;
		memset(&cluster->committed[height], 0, sizeof(cluster->committed[height]));
	}
	cluster->height_max = 0;
}
