#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_trace.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_make.h"
#include "tests/twins/twins_state.h"

enum {
	START_NS = 1000000,
	LINK_NS = 200000,
	SKEW_NS = 37000, /* links differ by multiples of it */
	RECORD_NS = 100000,
	BLOCK_NS = 130000,
	FETCH_NS = 500000,
	END_NS = 2000000000,
};

static bool is_before(const struct event *a, const struct event *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void event_add(struct twins_world *w, uint64_t delay_ns, struct event event)
{
	uint32_t at = w->event_count++;

	ensure(w->event_count < EVENTS_MAX);
	event.due_ns = w->now_ns + delay_ns;
	event.order = w->order++;
	while (at > 0 && is_before(&event, &w->event[(at - 1) / 2])) {
		w->event[at] = w->event[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	w->event[at] = event;
}

static struct event event_take(struct twins_world *w)
{
	struct event first = w->event[0];
	const struct event *last = &w->event[--w->event_count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= w->event_count)
			break;
		if (child + 1 < w->event_count && is_before(&w->event[child + 1], &w->event[child]))
			child++;
		if (!is_before(&w->event[child], last))
			break;
		w->event[at] = w->event[child];
		at = child;
	}
	w->event[at] = *last;
	return first;
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
	case HS_MESSAGE_QC:
		return message->u.qc.view;
	case HS_MESSAGE_TC:
		return message->u.tc.view;
	case HS_MESSAGE_FC:
		break;
	}
	return message->u.fc.c.view;
}

static bool is_cut_off(const struct twins_world *w, uint32_t from, uint32_t to, uint64_t view,
		       enum hs_message_kind kind)
{
	const struct twins_cut *cut = w->scenario.cut;
	uint32_t from_side;

	if (view == 0 || view > w->scenario.view_count || w->now_ns >= w->cut_until_ns[view - 1])
		return false;
	cut += view - 1;
	from_side = cut->side >> from & 1;
	if ((cut->kinds >> kind & 1) == 0 || from_side == (cut->side >> to & 1u))
		return false;
	return cut->direction == TWINS_BOTH || from_side == (cut->direction == TWINS_IN);
}

static uint64_t link_ns(const struct twins_world *w, uint32_t from, uint32_t to)
{
	return LINK_NS + SKEW_NS * ((from * 5 + to * 3 + w->entered_view) % 7);
}

static void copy_message(struct hs_message *ret, const struct hs_message *message)
{
	ret->kind = message->kind;
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		hs_copy_block(&ret->u.propose, &message->u.propose);
		return;
	case HS_MESSAGE_TIMEOUT:
		hs_copy_timeout(&ret->u.timeout, &message->u.timeout);
		return;
	case HS_MESSAGE_VOTE:
		ret->u.vote = message->u.vote;
		return;
	case HS_MESSAGE_COMMIT:
		ret->u.commit = message->u.commit;
		return;
	case HS_MESSAGE_QC:
	case HS_MESSAGE_FC:
		hs_copy_qc(&ret->u.qc, &message->u.qc);
		return;
	case HS_MESSAGE_TC:
		hs_copy_tc(&ret->u.tc, &message->u.tc);
		return;
	}
}

static void on_send(struct twins_world *w, struct process *process, const struct hs_effect *effect)
{
	const struct hs_message *message = effect->u.message;
	uint64_t view = view_of(message);
	uint32_t index = w->message_count;
	bool is_used = false;

	if (view >= VIEWS_MAX) {
		twins_fail(w, "too many views");
		return;
	}
	twins_watch_send(w, process, message);
	for (uint32_t i = 0; i < w->process_count; i++) {
		uint32_t id = w->process[i].config.replica_id;

		if (id == process->config.replica_id ||
		    (effect->to != HS_REPLICA_ALL && effect->to != id) ||
		    is_cut_off(w, process->index, i, view, message->kind))
			continue;
		is_used = true;
		event_add(w, link_ns(w, process->index, i),
			  (struct event){ .kind = EVENT_MESSAGE,
					  .process = i,
					  .from = process->index,
					  .message = index });
	}
	if (!is_used)
		return;
	ensure(w->message_count < MESSAGES_MAX);
	copy_message(&w->message[w->message_count++], message);
}

static struct answer *answer_add(struct twins_world *w, enum hs_input_kind kind)
{
	struct answer *answer = &w->answer[(w->answer_first + w->answer_count++) % ANSWERS_MAX];

	ensure(w->answer_count <= ANSWERS_MAX);
	answer->kind = kind;
	return answer;
}

static void on_check(struct twins_world *w, struct process *process, const struct hs_effect *effect)
{
	struct answer *answer = answer_add(w, HS_INPUT_COMMITS_CHECKED);

	answer->ticket = effect->u.commits.view;
	answer->id = effect->u.commits.block_id;
	answer->good = answer->bad = (struct bitset){ .word = { 0, 0 } };
	for (uint32_t i = 0; i < effect->u.commits.count; i++) {
		const struct hs_commit *commit = &effect->u.commits.commits[i];

		bitset_add(hs_make_is_signed(&process->config, commit) ? &answer->good :
									 &answer->bad,
			   commit->author);
	}
}

/* Both halves of a twin have different work, so their proposals differ. */
static void on_want_cut(struct twins_world *w, struct process *process,
			const struct hs_effect *effect)
{
	struct answer *answer = answer_add(w, HS_INPUT_CUT);
	struct hs_cut_entry *entry;

	answer->ticket = effect->u.want_cut.view;
	hs_copy_cut(&answer->cut, effect->u.want_cut.parent_cut);
	entry = &answer->cut.lane[process->index % w->scenario.replica_count];
	entry->seq++;
	entry->digest.b[0] = (uint8_t)entry->seq;
	entry->digest.b[1] = (uint8_t)(process->index + 1);
}

static void on_want_block(struct twins_world *w, struct process *process,
			  const struct hs_effect *effect)
{
	uint64_t view = units_min(hs_core_status(process->core).view, VIEWS_MAX);

	for (uint32_t i = 0; i < w->process_count; i++) {
		if (w->process[i].config.replica_id != effect->to || i == process->index ||
		    is_cut_off(w, i, process->index, view, HS_MESSAGE_PROPOSE))
			continue;
		event_add(w, FETCH_NS + link_ns(w, i, process->index),
			  (struct event){ .kind = EVENT_FETCHED,
					  .process = process->index,
					  .from = i,
					  .id = effect->u.want_block });
	}
}

static void on_want_certificates(struct twins_world *w, struct process *process)
{
	uint64_t view = units_min(hs_core_status(process->core).view, VIEWS_MAX);

	for (uint32_t i = 0; i < w->process_count; i++)
		if (i != process->index && !is_cut_off(w, i, process->index, view, HS_MESSAGE_QC))
			event_add(w, 2 * link_ns(w, i, process->index),
				  (struct event){ .kind = EVENT_CERTIFICATES,
						  .process = process->index,
						  .from = i });
}

static void on_persist(struct twins_world *w, struct process *process,
		       const struct hs_effect *effect)
{
	struct event event = { .process = process->index, .ticket = effect->ticket };

	if (effect->kind == HS_EFFECT_PERSIST_RECORD) {
		hs_copy_record(&process->writing, effect->u.record);
		event.kind = EVENT_RECORD;
		event_add(w, RECORD_NS, event);
		return;
	}
	ensure(process->block_count < BLOCKS_MAX);
	event.kind = EVENT_BLOCK;
	event.block = process->block_count++;
	hs_copy_block(&process->blocks[event.block], effect->u.block);
	process->is_durable[event.block] = false;
	event_add(w, BLOCK_NS, event);
}

static void on_effect(struct twins_world *w, struct process *process,
		      const struct hs_effect *effect)
{
	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
	case HS_EFFECT_PERSIST_BLOCK:
		on_persist(w, process, effect);
		break;
	case HS_EFFECT_SIGN: {
		struct answer *answer = answer_add(w, HS_INPUT_SIGNED);

		answer->ticket = effect->ticket;
		answer->signature = hs_make_signature(process->config.replica_id,
						      effect->u.sign.bytes, effect->u.sign.count);
		break;
	}
	case HS_EFFECT_SEND:
		on_send(w, process, effect);
		break;
	case HS_EFFECT_WANT_PAYLOAD:
		answer_add(w, HS_INPUT_PAYLOAD)->id = effect->u.block->id;
		break;
	case HS_EFFECT_WANT_CUT:
		on_want_cut(w, process, effect);
		break;
	case HS_EFFECT_WANT_BLOCK:
		on_want_block(w, process, effect);
		break;
	case HS_EFFECT_WANT_CERTIFICATES:
		on_want_certificates(w, process);
		break;
	case HS_EFFECT_COMMIT:
		twins_watch_commit(w, process, effect->u.commit.block);
		break;
	case HS_EFFECT_CHECK_COMMITS:
		on_check(w, process, effect);
		break;
	case HS_EFFECT_EVIDENCE:
		twins_watch_evidence(w, &effect->u.evidence);
		break;
	case HS_EFFECT_OBSERVER:
		twins_fail(w, "a replica became observer");
		break;
	case HS_EFFECT_PROOF:
	case HS_EFFECT_DROPPED:
		break;
	}
}

static void note(struct twins_world *w, uint64_t value)
{
	w->result.trace_hash = (w->result.trace_hash ^ value) * UINT64_C(1099511628211);
}

static void tell(const struct twins_world *w, const struct process *process, const char *line)
{
	printf("%8" PRIu64 " us  %" PRIu32 "%s %s\n", w->now_ns / 1000, process->config.replica_id,
	       process->index >= w->scenario.replica_count ? "'" : " ", line);
}

static void tell_step(const struct twins_world *w, const struct process *process,
		      const struct hs_input *input)
{
	char line[HS_TRACE_LINE_MAX];

	if (input) {
		hs_trace_input(input, line, sizeof(line));
		tell(w, process, line);
		return;
	}
	for (uint32_t i = 0; i < w->effects.count; i++) {
		hs_trace_effect(&w->effects.at[i], line, sizeof(line));
		tell(w, process, line);
	}
}

static void look_at(struct twins_world *w, struct process *process)
{
	uint64_t view = hs_core_status(process->core).view;

	process->tick_ns = hs_core_deadline_ns(process->core);
	while (w->entered_view < view) {
		w->entered_view++;
		if (w->entered_view <= w->scenario.view_count)
			w->cut_until_ns[w->entered_view - 1] = w->now_ns + TWINS_CUT_NS;
		else if (w->healed_ns == 0)
			w->healed_ns =
				units_max(w->now_ns, w->cut_until_ns[w->scenario.view_count - 1]);
	}
}

static void step_once(struct twins_world *w, struct process *process, struct hs_input *input)
{
	input->now_ns = w->now_ns;
	input->wall_ns = 1000000000000 + w->now_ns + process->index * 1000;
	if (w->is_loud)
		tell_step(w, process, input);
	if (hs_core_step(process->core, input, &w->effects) != 0)
		twins_fail(w, "a step was refused");
	hs_core_check(process->core);
	if (w->is_loud)
		tell_step(w, process, NULL);
	w->result.steps++;
	note(w, w->now_ns ^ (uint64_t)input->kind << 56 ^ (uint64_t)process->index << 48);
	for (uint32_t i = 0; i < w->effects.count && !w->result.failure; i++) {
		note(w, w->effects.at[i].kind);
		on_effect(w, process, &w->effects.at[i]);
	}
}

static void give_answer(struct twins_world *w, struct process *process, const struct answer *answer)
{
	struct hs_input input = { .kind = answer->kind, .from = HS_REPLICA_NONE };

	switch (answer->kind) {
	case HS_INPUT_SIGNED:
		input.u.signed_.request = answer->ticket;
		input.u.signed_.signature = answer->signature;
		break;
	case HS_INPUT_PAYLOAD:
		input.u.payload.block_id = answer->id;
		input.u.payload.verdict = HS_PAYLOAD_READY;
		break;
	case HS_INPUT_CUT:
		input.u.cut.view = answer->ticket;
		input.u.cut.cut = &answer->cut;
		break;
	default:
		input.u.checked.view = answer->ticket;
		input.u.checked.block_id = answer->id;
		input.u.checked.good = answer->good;
		input.u.checked.bad = answer->bad;
		break;
	}
	step_once(w, process, &input);
}

/* One input, then everything that is answered at once. */
static void step(struct twins_world *w, struct process *process, struct hs_input *input)
{
	step_once(w, process, input);
	while (w->answer_count > 0 && !w->result.failure) {
		const struct answer *answer = &w->answer[w->answer_first];

		w->answer_first = (w->answer_first + 1) % ANSWERS_MAX;
		w->answer_count--;
		give_answer(w, process, answer);
	}
	look_at(w, process);
}

static void on_message(struct twins_world *w, struct process *process, const struct event *event)
{
	static const enum hs_input_kind kind[] = {
		[HS_MESSAGE_PROPOSE] = HS_INPUT_PROPOSE, [HS_MESSAGE_VOTE] = HS_INPUT_VOTE,
		[HS_MESSAGE_COMMIT] = HS_INPUT_COMMIT,   [HS_MESSAGE_TIMEOUT] = HS_INPUT_TIMEOUT,
		[HS_MESSAGE_QC] = HS_INPUT_QC,           [HS_MESSAGE_TC] = HS_INPUT_TC,
		[HS_MESSAGE_FC] = HS_INPUT_FC,
	};
	const struct hs_message *message = &w->message[event->message];
	struct hs_input input = { .kind = kind[message->kind],
				  .from = w->process[event->from].config.replica_id };

	/* The union's members are all pointers to the message's body. */
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		input.u.block = &message->u.propose;
		break;
	case HS_MESSAGE_VOTE:
		input.u.vote = &message->u.vote;
		break;
	case HS_MESSAGE_COMMIT:
		input.u.commit = &message->u.commit;
		break;
	case HS_MESSAGE_TIMEOUT:
		input.u.timeout = &message->u.timeout;
		break;
	case HS_MESSAGE_QC:
		input.u.qc = &message->u.qc;
		break;
	case HS_MESSAGE_TC:
		input.u.tc = &message->u.tc;
		break;
	case HS_MESSAGE_FC:
		input.u.fc = &message->u.fc;
		break;
	}
	step(w, process, &input);
}

static void on_fetched(struct twins_world *w, struct process *process, const struct event *event)
{
	const struct process *holder = &w->process[event->from];
	const struct hs_block *block = twins_durable(holder, &event->id);

	if (!block)
		block = hs_core_block(holder->core, &event->id);
	if (block && block->header.height > 0)
		step(w, process,
		     &(struct hs_input){
			     .kind = HS_INPUT_BLOCK, .from = HS_REPLICA_NONE, .u.block = block });
}

static void on_certificates(struct twins_world *w, struct process *process,
			    const struct event *event)
{
	static struct hs_certificates known;
	uint32_t author = w->process[event->from].config.replica_id;

	hs_core_certificates(w->process[event->from].core, &known);
	step(w, process,
	     &(struct hs_input){ .kind = HS_INPUT_QC, .from = author, .u.qc = &known.high_qc });
	if (known.entry.kind == HS_ENTRY_TC)
		step(w, process,
		     &(struct hs_input){
			     .kind = HS_INPUT_TC, .from = author, .u.tc = &known.entry.tc });
	if (known.has_fc)
		step(w, process,
		     &(struct hs_input){ .kind = HS_INPUT_FC, .from = author, .u.fc = &known.fc });
	step(w, process,
	     &(struct hs_input){
		     .kind = HS_INPUT_CERTIFICATE_ANSWER, .from = author, .u.author = author });
}

static void on_event(struct twins_world *w, const struct event *event)
{
	struct process *process = &w->process[event->process];
	struct hs_input input = { .kind = HS_INPUT_PERSISTED,
				  .from = HS_REPLICA_NONE,
				  .u.ticket = event->ticket };

	switch (event->kind) {
	case EVENT_MESSAGE:
		on_message(w, process, event);
		break;
	case EVENT_RECORD:
		hs_copy_record(&process->disk, &process->writing);
		step(w, process, &input);
		break;
	case EVENT_BLOCK:
		process->is_durable[event->block] = true;
		step(w, process, &input);
		break;
	case EVENT_FETCHED:
		on_fetched(w, process, event);
		break;
	case EVENT_CERTIFICATES:
		on_certificates(w, process, event);
		break;
	}
}

/* The next thing to happen: an event, or a tick. False when the time is over. */
static bool turn(struct twins_world *w)
{
	struct process *ticking = &w->process[0];
	struct event event;

	for (uint32_t i = 1; i < w->process_count; i++)
		if (w->process[i].tick_ns < ticking->tick_ns)
			ticking = &w->process[i];
	if (w->event_count == 0 || ticking->tick_ns <= w->event[0].due_ns) {
		if (ticking->tick_ns >= END_NS)
			return false;
		w->now_ns = units_max(w->now_ns, ticking->tick_ns);
		step(w, ticking,
		     &(struct hs_input){ .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE });
		return true;
	}
	event = event_take(w);
	w->now_ns = event.due_ns;
	if (w->now_ns >= END_NS)
		return false;
	on_event(w, &event);
	return true;
}

static bool is_content(const struct twins_world *w)
{
	for (uint32_t i = 0; i < w->process_count; i++)
		if (!w->process[i].is_twin &&
		    w->process[i].committed_view <= w->scenario.view_count)
			return false;
	return true;
}

static bool is_late(const struct twins_world *w)
{
	return w->healed_ns != 0 && w->now_ns > w->healed_ns + TWINS_HEAL_NS;
}

/* What the last step wants recorded is durable at once: nobody is born with a write under way. */
static void record_birth(struct twins_world *w, struct birth *birth)
{
	struct hs_input input = { .kind = HS_INPUT_PERSISTED,
				  .from = HS_REPLICA_NONE,
				  .now_ns = START_NS,
				  .wall_ns = START_NS };

	for (uint32_t i = 0; i < w->effects.count; i++)
		if (w->effects.at[i].kind == HS_EFFECT_PERSIST_RECORD) {
			input.u.ticket = w->effects.at[i].ticket;
			hs_copy_record(&birth->record, w->effects.at[i].u.record);
		}
	if (input.u.ticket != 0)
		ensure(hs_core_step(birth->core, &input, &w->effects) == 0);
}

/* A core right after START, recovery over, with work to do. */
static void give_birth(struct twins_world *w, struct birth *birth, const struct hs_config *config)
{
	size_t bytes = hs_core_footprint(config);
	struct hs_start start = { .record = &birth->record };
	struct hs_input input = { .kind = HS_INPUT_START,
				  .from = HS_REPLICA_NONE,
				  .now_ns = START_NS,
				  .wall_ns = START_NS,
				  .u.start = &start };

	birth->memory = aligned_alloc(64, units_round_up(bytes, 64));
	ensure(birth->memory);
	ensure(hs_core_init(birth->memory, bytes, config, &birth->core) == 0);
	if (w->is_weak)
		birth->core->quorum.size--;
	birth->record.epoch = config->epoch;
	hs_make_genesis_qc(config, &birth->record.high_qc);
	ensure(hs_core_step(birth->core, &input, &w->effects) == 0);
	for (uint32_t i = 0; i < config->replica_count; i++) {
		input.kind = HS_INPUT_CERTIFICATE_ANSWER;
		input.u.author = i;
		ensure(hs_core_step(birth->core, &input, &w->effects) == 0);
		record_birth(w, birth);
	}
	birth->tick_ns = hs_core_deadline_ns(birth->core);
	birth->image = malloc(hs_image_bytes_max(birth->core, 2));
	ensure(birth->image);
	hs_image_save(birth->core, 2, birth->image);
}

static struct hs_config config_of(uint32_t replica_count, uint32_t replica_id)
{
	struct hs_config config = hs_make_config(replica_count, replica_id);

	config.timeout_max_ns = TWINS_BASE_NS;
	return config;
}

static void set_up_process(struct twins_world *w, uint32_t index, uint32_t id)
{
	struct process *process = &w->process[index];
	struct birth *birth = &w->birth[w->scenario.replica_count == 4 ? 0 : 1][index];

	process->index = index;
	process->config = config_of(w->scenario.replica_count, id);
	process->is_twin = (w->scenario.twins >> id & 1) != 0;
	if (!birth->memory)
		give_birth(w, birth, &process->config);
	hs_image_load(birth->image, birth->core);
	hs_image_clear(birth->core, 2, VIEWS_MAX);
	process->core = birth->core;
	process->core->config.replica_id = id;
	hs_copy_record(&process->disk, &birth->record);
	process->block_count = 0;
	process->height = 0;
	process->committed_view = 0;
	process->tick_ns = birth->tick_ns;
	memset(process->voted, 0, sizeof(process->voted));
	memset(process->committed, 0, sizeof(process->committed));
	memset(process->proposed, 0, sizeof(process->proposed));
	memset(process->timed_out, 0, sizeof(process->timed_out));
}

static void set_up(struct twins_world *w, const struct twins_scenario *scenario)
{
	uint32_t index = scenario->replica_count;

	w->scenario = *scenario;
	w->result = (struct twins_result){ .trace_hash = UINT64_C(14695981039346656037) };
	w->now_ns = START_NS;
	w->order = w->entered_view = w->healed_ns = w->height_max = 0;
	w->event_count = w->message_count = w->answer_first = w->answer_count = 0;
	w->checked_count = 0;
	memset(w->committed, 0, sizeof(w->committed));
	memset(w->first_proposal, 0, sizeof(w->first_proposal));
	for (uint32_t i = 0; i < scenario->replica_count; i++)
		set_up_process(w, i, i);
	for (uint32_t i = 0; i < scenario->replica_count; i++)
		if ((scenario->twins >> i & 1) != 0)
			set_up_process(w, index++, i);
	w->process_count = index;
	for (uint32_t i = 0; i < w->process_count; i++)
		step(w, &w->process[i],
		     &(struct hs_input){
			     .kind = HS_INPUT_WORK, .from = HS_REPLICA_NONE, .u.work = true });
}

struct twins_result twins_world_play(struct twins_world *w, const struct twins_scenario *scenario,
				     bool is_loud)
{
	w->is_loud = is_loud;
	set_up(w, scenario);
	while (!w->result.failure && !is_content(w) && !is_late(w) && turn(w))
		continue;
	if (!w->result.failure && !is_content(w))
		twins_fail(w, w->healed_ns != 0 ?
				      "no commit of everybody in time after the cuts ended" :
				      "views did not go on");
	w->result.views = w->entered_view;
	w->result.heal_ns = w->now_ns - units_min(w->now_ns, w->healed_ns);
	note(w, w->height_max);
	return w->result;
}

struct twins_world *twins_world_new(bool is_weak)
{
	struct twins_world *w = calloc(1, sizeof(*w));

	if (w)
		w->is_weak = is_weak;
	return w;
}

void twins_world_free(struct twins_world *w)
{
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t k = 0; k < TWINS_PROCESSES_MAX; k++) {
			free(w->birth[i][k].memory);
			free(w->birth[i][k].image);
		}
	free(w);
}
