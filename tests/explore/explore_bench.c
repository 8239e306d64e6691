/* One member: what an action makes the real core do, and whether it may. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_trace.h"
#include "crypto/crypto_hash.h"
#include "tests/explore/explore_state.h"
#include "tests/lib/hs_image.h"
#include "tests/lib/hs_make.h"

enum {
	START_NS = 1000000000,
	WALL_NS = 2000,
	ANSWERS_MAX = 32,
};

static const uint64_t jump_ns = 10000000000; /* past every deadline */

/* What is answered at once, after the step that asked. */
struct answer {
	enum hs_input_kind kind;
	uint64_t ticket; /* of SIGNED; the view of CUT and COMMITS_CHECKED */
	struct crypto_hash id;
	struct crypto_signature signature;
	struct bitset good;
	struct bitset bad;
	struct hs_cut cut;
};

struct answers {
	uint32_t count;
	struct answer at[ANSWERS_MAX];
};

static void fail(struct bench *bench, const char *why)
{
	if (!bench->failure)
		bench->failure = why;
}

static bool is_out(const struct bench *bench)
{
	return bench->core->pacemaker.view > bench->words->options.views;
}

void bench_init(struct bench *bench, struct explore_words *words)
{
	size_t bytes = units_round_up(hs_core_footprint(&words->config), 64);

	memset(bench, 0, sizeof(*bench));
	bench->words = words;
	bench->memory = aligned_alloc(64, bytes);
	ensure(bench->memory);
	ensure(hs_core_init(bench->memory, bytes, &words->config, &bench->core) == 0);
}

void bench_free(struct bench *bench)
{
	free(bench->memory);
}

static const struct hs_block *durable_block(const struct bench *bench, const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < bench->notes.durable_count; i++) {
		const struct word *word = &bench->words->word[bench->notes.durable[i]];

		if (crypto_hash_equal(&word->message.u.propose.id, id))
			return &word->message.u.propose;
	}
	return NULL;
}

static bool note_once(uint8_t *slot, uint32_t block)
{
	bool is_good = *slot == 0 || *slot == block + 1;

	*slot = (uint8_t)(block + 1);
	return is_good;
}

static void watch_vote(struct bench *bench, const struct hs_vote *vote, uint32_t block)
{
	struct notes *notes = &bench->notes;
	const struct hs_record *disk = &notes->disk;
	const struct hs_block *durable = durable_block(bench, &vote->block_id);
	bool is_intended = disk->intent_view == vote->view &&
			   crypto_hash_equal(&disk->intent_id, &vote->block_id);

	if (notes->voted[vote->view] == 0 && notes->timed_out[vote->view] != 0)
		fail(bench, "a vote after the timeout of its view (rule V)");
	if (!note_once(&notes->voted[vote->view], block))
		fail(bench, "two votes of one member in one view");
	if (!durable || (disk->last_vote_view < vote->view && !is_intended))
		fail(bench, "a vote left before it was durable (rule D)");
	else if (disk->high_qc.view < durable->justify.view &&
		 (!is_intended || disk->intent_justify.view != durable->justify.view))
		fail(bench, "a vote left before its lock was durable (rule D)");
}

static void watch_commit_vote(struct bench *bench, const struct hs_commit *commit, uint32_t block)
{
	struct notes *notes = &bench->notes;
	const struct hs_record *disk = &notes->disk;

	if (!note_once(&notes->committed_vote[commit->view], block))
		fail(bench, "two commits of one member in one view");
	for (uint64_t view = commit->view; view < ROUNDS; view++)
		if (notes->timed_out[view] != 0 && notes->timed_out[view] <= commit->view)
			fail(bench, "a commit that an own timeout forbids (rule K)");
	if (disk->last_commit_view < commit->view || disk->high_qc.view < commit->view)
		fail(bench, "a commit left before record and lock were durable (rule D)");
	if (!durable_block(bench, &commit->block_id))
		fail(bench, "a commit left before its block was durable (rule D)");
}

static void watch_timeout(struct bench *bench, const struct hs_timeout *timeout)
{
	struct notes *notes = &bench->notes;
	uint8_t *slot = &notes->timed_out[timeout->view];

	if (*slot != 0 && *slot != timeout->qc_view + 1)
		fail(bench, "two timeouts of one member in one view");
	*slot = (uint8_t)(timeout->qc_view + 1);
	if (notes->disk.last_timeout_view < timeout->view)
		fail(bench, "a timeout left before it was durable (rule D)");
	if (timeout->qc.view < timeout->qc_view)
		fail(bench, "a timeout without the certificate it names");
	for (uint64_t view = timeout->qc_view + 1; view <= timeout->view; view++)
		if (notes->committed_vote[view] != 0)
			fail(bench, "a timeout hides a certificate it committed on (rule L)");
}

static void watch(struct bench *bench, const struct hs_message *message, const struct word *word)
{
	switch (message->kind) {
	case HS_MESSAGE_VOTE:
		watch_vote(bench, &message->u.vote, word->block);
		break;
	case HS_MESSAGE_COMMIT:
		watch_commit_vote(bench, &message->u.commit, word->block);
		break;
	case HS_MESSAGE_TIMEOUT:
		watch_timeout(bench, &message->u.timeout);
		break;
	case HS_MESSAGE_PROPOSE:
		if (!note_once(&bench->notes.proposed[word->view], word->block))
			fail(bench, "two proposals of one member in one view");
		if (bench->notes.disk.last_proposed_view < word->view)
			fail(bench, "a proposal left before it was durable (rule D)");
		break;
	case HS_MESSAGE_QC:
	case HS_MESSAGE_TC:
	case HS_MESSAGE_FC:
		break;
	}
}

static void put_once(struct bench *bench, uint16_t *list, uint32_t *count, uint32_t word)
{
	for (uint32_t i = 0; i < *count; i++)
		if (list[i] == word)
			return;
	if (*count == SAID_MAX)
		fail(bench, "the explorer has no room for what one action says");
	else
		list[(*count)++] = (uint16_t)word;
}

/* Statements of this member are new words; certificates must be possible without it. */
static void on_send(struct bench *bench, const struct hs_message *message)
{
	uint32_t index = words_of_message(bench->words, message);
	const struct word *word = &bench->words->word[index];

	if (index == WORDS_MAX)
		return;
	watch(bench, message, word);
	if (word->author == bench->notes.member)
		put_once(bench, bench->said, &bench->said_count, index);
	else
		put_once(bench, bench->claim, &bench->claim_count, index);
}

static void on_commit(struct bench *bench, const struct hs_block *block)
{
	uint32_t index = words_find_block(bench->words, &block->id);
	uint64_t height = block->header.height;

	ensure(index != BLOCKS_MAX && height < ROUNDS);
	if (!note_once(&bench->notes.committed[height], index))
		fail(bench, "a member committed two blocks at one height");
}

static void on_persist_block(struct bench *bench, const struct hs_effect *effect)
{
	struct notes *notes = &bench->notes;
	uint32_t at = notes->pending_count++;

	ensure(notes->pending_count <= DURABLE_MAX);
	notes->pending[at] = (uint16_t)words_of_block(bench->words, effect->u.block);
	notes->pending_ticket[at] = effect->ticket;
}

static struct answer *answer_add(struct answers *answers, enum hs_input_kind kind)
{
	struct answer *answer = &answers->at[answers->count++];

	ensure(answers->count <= ANSWERS_MAX);
	answer->kind = kind;
	return answer;
}

static void on_want_cut(struct bench *bench, const struct hs_effect *effect,
			struct answers *answers)
{
	struct answer *answer;

	if (effect->u.want_cut.view > bench->words->options.views)
		return;
	answer = answer_add(answers, HS_INPUT_CUT);
	answer->ticket = effect->u.want_cut.view;
	memset(&answer->cut, 0, sizeof(answer->cut));
	hs_copy_cut(&answer->cut, effect->u.want_cut.parent_cut);
	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++) {
		struct hs_cut_entry *entry = &answer->cut.lane[i];

		entry->seq++;
		entry->digest = crypto_hash_of(entry, sizeof(*entry));
	}
}

static void on_check(struct bench *bench, const struct hs_effect *effect, struct answers *answers)
{
	struct answer *answer = answer_add(answers, HS_INPUT_COMMITS_CHECKED);

	answer->ticket = effect->u.commits.view;
	answer->id = effect->u.commits.block_id;
	answer->good = answer->bad = (struct bitset){ .word = { 0, 0 } };
	for (uint32_t i = 0; i < effect->u.commits.count; i++) {
		const struct hs_commit *commit = &effect->u.commits.commits[i];
		bool is_good = hs_make_is_signed(&bench->words->config, commit);

		bitset_add(is_good ? &answer->good : &answer->bad, commit->author);
	}
}

static void on_sign(struct bench *bench, const struct hs_effect *effect, struct answers *answers)
{
	struct answer *answer = answer_add(answers, HS_INPUT_SIGNED);

	answer->ticket = effect->ticket;
	answer->signature =
		hs_make_signature(bench->notes.member, effect->u.sign.bytes, effect->u.sign.count);
}

static void on_effect(struct bench *bench, const struct hs_effect *effect, struct answers *answers)
{
	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		ensure(!bench->notes.is_writing);
		bench->notes.is_writing = true;
		bench->notes.ticket = effect->ticket;
		hs_copy_record(&bench->notes.writing, effect->u.record);
		break;
	case HS_EFFECT_PERSIST_BLOCK:
		on_persist_block(bench, effect);
		break;
	case HS_EFFECT_SIGN:
		on_sign(bench, effect, answers);
		break;
	case HS_EFFECT_SEND:
		on_send(bench, effect->u.message);
		break;
	case HS_EFFECT_WANT_PAYLOAD:
		answer_add(answers, HS_INPUT_PAYLOAD)->id = effect->u.block->id;
		break;
	case HS_EFFECT_WANT_CUT:
		on_want_cut(bench, effect, answers);
		break;
	case HS_EFFECT_COMMIT:
		on_commit(bench, effect->u.commit.block);
		break;
	case HS_EFFECT_CHECK_COMMITS:
		on_check(bench, effect, answers);
		break;
	case HS_EFFECT_EVIDENCE:
		if (bench->is_live && effect->u.evidence.author != bench->words->options.byzantine)
			fail(bench, "evidence blames an honest member");
		break;
	case HS_EFFECT_OBSERVER:
		fail(bench, "an honest member became observer");
		break;
	case HS_EFFECT_WANT_BLOCK:
	case HS_EFFECT_WANT_CERTIFICATES:
	case HS_EFFECT_PROOF:
	case HS_EFFECT_DROPPED:
		break;
	}
}

static void tell(const struct bench *bench, const struct hs_input *input)
{
	char line[HS_TRACE_LINE_MAX];

	hs_trace_input(input, line, sizeof(line));
	printf("        %u %s\n", bench->notes.member, line);
	for (uint32_t i = 0; i < bench->effects.count; i++) {
		hs_trace_effect(&bench->effects.at[i], line, sizeof(line));
		printf("        %u %s\n", bench->notes.member, line);
	}
}

static void step_once(struct bench *bench, struct hs_input *input, struct answers *answers)
{
	input->now_ns = bench->notes.now_ns;
	input->wall_ns = WALL_NS;
	if (hs_core_step(bench->core, input, &bench->effects) != 0)
		fail(bench, "a step was refused");
	hs_core_check(bench->core);
	if (bench->is_loud)
		tell(bench, input);
	for (uint32_t i = 0; i < bench->effects.count; i++)
		on_effect(bench, &bench->effects.at[i], answers);
}

static void give_answer(struct bench *bench, const struct answer *answer, struct answers *answers)
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
	step_once(bench, &input, answers);
}

/* One input, then everything that is answered at once. */
static void step(struct bench *bench, struct hs_input *input)
{
	struct answers answers = { .count = 0 };

	step_once(bench, input, &answers);
	for (uint32_t i = 0; i < answers.count; i++) {
		struct answer answer = answers.at[i];

		give_answer(bench, &answer, &answers);
	}
}

static void persist_record(struct bench *bench)
{
	struct notes *notes = &bench->notes;

	hs_copy_record(&notes->disk, &notes->writing);
	notes->is_writing = false;
	step(bench, &(struct hs_input){ .kind = HS_INPUT_PERSISTED,
					.from = HS_REPLICA_NONE,
					.u.ticket = notes->ticket });
}

static void add_durable(struct notes *notes, uint16_t word)
{
	for (uint32_t i = 0; i < notes->durable_count; i++)
		if (notes->durable[i] == word)
			return;
	ensure(notes->durable_count < DURABLE_MAX);
	notes->durable[notes->durable_count++] = word;
}

static void persist_blocks(struct bench *bench)
{
	struct notes *notes = &bench->notes;

	while (notes->pending_count > 0) {
		uint64_t ticket = notes->pending_ticket[0];

		add_durable(notes, notes->pending[0]);
		notes->pending_count--;
		memmove(notes->pending, notes->pending + 1,
			notes->pending_count * sizeof(notes->pending[0]));
		memmove(notes->pending_ticket, notes->pending_ticket + 1,
			notes->pending_count * sizeof(notes->pending_ticket[0]));
		step(bench, &(struct hs_input){ .kind = HS_INPUT_PERSISTED,
						.from = HS_REPLICA_NONE,
						.u.ticket = ticket });
	}
}

/* As the store would have it: the core starts at a block that is durable. */
static void start_of_disk(const struct bench *bench, struct hs_record *record,
			  struct hs_block *blocks, struct hs_start *ret_start)
{
	const struct notes *notes = &bench->notes;

	*ret_start = (struct hs_start){ .record = record,
					.intent_justify_is_valid = true,
					.entry_tc_is_valid = true,
					.blocks = blocks };
	if (record->committed_height > 0)
		ret_start->committed = durable_block(bench, &record->committed_id);
	for (uint64_t height = ret_start->committed ? record->committed_height + 1 : 1;
	     height < ROUNDS; height++)
		for (uint32_t i = 0; i < notes->durable_count; i++) {
			const struct hs_block *block =
				&bench->words->word[notes->durable[i]].message.u.propose;

			if (block->header.height == height)
				hs_copy_block(&blocks[ret_start->block_count++], block);
		}
}

static void forget(const struct bench *bench, struct hs_record *record)
{
	enum explore_plant plant = bench->words->options.plant;
	struct hs_record empty = { .epoch = record->epoch };

	if (bench->notes.lives == 0)
		return;
	hs_make_genesis_qc(&bench->words->config, &empty.high_qc);
	if (plant == EXPLORE_PLANT_AMNESIA)
		*record = empty;
	if (plant != EXPLORE_PLANT_NO_LOCK)
		return;
	hs_copy_qc(&record->high_qc, &empty.high_qc);
	record->last_commit_view = 0;
}

/* A life begins: START, nobody answers for 2 delta, work to do. */
static void awake(struct bench *bench)
{
	struct hs_config config = bench->words->config;
	struct hs_block blocks[DURABLE_MAX];
	struct hs_record record;
	struct hs_start start;

	config.replica_id = bench->notes.member;
	ensure(hs_core_init(bench->memory, hs_core_footprint(&config), &config, &bench->core) == 0);
	if (bench->words->options.plant == EXPLORE_PLANT_QUORUM)
		bench->core->quorum.size--;
	memset(&record, 0, sizeof(record));
	hs_copy_record(&record, &bench->notes.disk);
	forget(bench, &record);
	start_of_disk(bench, &record, blocks, &start);
	step(bench, &(struct hs_input){
			    .kind = HS_INPUT_START, .from = HS_REPLICA_NONE, .u.start = &start });
	bench->notes.now_ns += 2 * config.delta_ns;
	step(bench, &(struct hs_input){ .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE });
	step(bench,
	     &(struct hs_input){ .kind = HS_INPUT_WORK, .from = HS_REPLICA_NONE, .u.work = true });
}

static void crash(struct bench *bench)
{
	bench->notes.lives++;
	bench->notes.is_writing = false;
	bench->notes.pending_count = 0;
	awake(bench);
}

/* Writes complete at once where they are not actions: fast disks, and beyond the scope. */
static void settle(struct bench *bench)
{
	while ((!bench->words->options.is_disk_slow || is_out(bench)) && !bench->failure &&
	       (bench->notes.is_writing || bench->notes.pending_count > 0)) {
		if (bench->notes.pending_count > 0)
			persist_blocks(bench);
		else
			persist_record(bench);
	}
}

/* A core's certificates must have been possible to make. */
static void claim(struct bench *bench)
{
	const struct hs_qc *high = &bench->core->safety.record.high_qc;
	uint32_t block = words_find_block(bench->words, &high->block_id);

	if (high->view == 0 || high->view > bench->words->options.views)
		return;
	if (block == BLOCKS_MAX)
		fail(bench, "a certificate for a block nobody knows");
	else
		put_once(bench, bench->claim, &bench->claim_count,
			 words_certificate(bench->words, WORD_QC, block));
}

static void begin(struct bench *bench)
{
	bench->failure = NULL;
	bench->said_count = 0;
	bench->claim_count = 0;
}

void bench_boot(struct bench *bench, uint32_t member)
{
	begin(bench);
	memset(&bench->notes, 0, sizeof(bench->notes));
	bench->notes.member = member;
	bench->notes.now_ns = START_NS;
	bench->notes.disk.epoch = bench->words->config.epoch;
	hs_make_genesis_qc(&bench->words->config, &bench->notes.disk.high_qc);
	awake(bench);
	settle(bench);
}

static bool can_hear(const struct bench *bench, const struct word *word)
{
	if (word->author == bench->notes.member)
		return false;
	return bench->words->options.has_tallies ||
	       (word->kind != WORD_VOTE && word->kind != WORD_COMMIT && word->kind != WORD_TIMEOUT);
}

bool bench_can(const struct bench *bench, uint32_t action)
{
	const struct word *word = &bench->words->word[action & (WORDS_MAX - 1)];
	const struct explore_options *options = &bench->words->options;

	switch ((enum action_kind)(action >> ACTION_WORD_BITS)) {
	case ACTION_TIMER:
		return !is_out(bench);
	case ACTION_RECORD:
		return bench->notes.is_writing;
	case ACTION_BLOCKS:
		return bench->notes.pending_count > 0;
	case ACTION_CRASH:
		return !is_out(bench) && bench->notes.lives < options->crashes;
	case ACTION_HEAR:
		return can_hear(bench, word);
	case ACTION_INTENT:
		return options->has_intents && word->kind == WORD_PROPOSE &&
		       word->author != bench->notes.member;
	case ACTION_FETCH:
		return word->kind == WORD_PROPOSE;
	case ACTION_KINDS:
		break;
	}
	return false;
}

static void hear(struct bench *bench, const struct word *word, enum action_kind kind)
{
	const struct hs_message *message = &word->message;
	struct hs_input input = { .from = word->author };

	if (word->author == EXPLORE_NOBODY)
		input.from = (bench->notes.member + 1) % EXPLORE_MEMBERS;
	switch (word->kind) {
	case WORD_PROPOSE:
		input.kind = kind == ACTION_INTENT ? HS_INPUT_INTENT :
			     kind == ACTION_FETCH  ? HS_INPUT_BLOCK :
						     HS_INPUT_PROPOSE;
		input.u.block = &message->u.propose;
		break;
	case WORD_VOTE:
		input.kind = HS_INPUT_VOTE;
		input.u.vote = &message->u.vote;
		break;
	case WORD_COMMIT:
		input.kind = HS_INPUT_COMMIT;
		input.u.commit = &message->u.commit;
		break;
	case WORD_TIMEOUT:
		input.kind = HS_INPUT_TIMEOUT;
		input.u.timeout = &message->u.timeout;
		break;
	case WORD_QC:
		input.kind = HS_INPUT_QC;
		input.u.qc = &message->u.qc;
		break;
	case WORD_TC:
		input.kind = HS_INPUT_TC;
		input.u.tc = &message->u.tc;
		break;
	case WORD_FC:
		input.kind = HS_INPUT_FC;
		input.u.fc = &message->u.fc;
		break;
	}
	step(bench, &input);
}

static void act(struct bench *bench, uint32_t action)
{
	enum action_kind kind = (enum action_kind)(action >> ACTION_WORD_BITS);

	begin(bench);
	switch (kind) {
	case ACTION_TIMER:
		bench->notes.now_ns += jump_ns;
		step(bench, &(struct hs_input){ .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE });
		break;
	case ACTION_RECORD:
		persist_record(bench);
		break;
	case ACTION_BLOCKS:
		persist_blocks(bench);
		break;
	case ACTION_CRASH:
		crash(bench);
		break;
	case ACTION_HEAR:
	case ACTION_INTENT:
	case ACTION_FETCH:
		hear(bench, &bench->words->word[action & (WORDS_MAX - 1)], kind);
		break;
	case ACTION_KINDS:
		break;
	}
	settle(bench);
	claim(bench);
}

static sigjmp_buf abort_place;

static void on_abort(int number)
{
	(void)number;
	siglongjmp(abort_place, 1);
}

void bench_catch_aborts(bool is_on)
{
	signal(SIGABRT, is_on ? on_abort : SIG_DFL);
}

void bench_act(struct bench *bench, uint32_t action)
{
	if (sigsetjmp(abort_place, 1) != 0)
		fail(bench, "a core aborted: see above");
	else
		act(bench, action);
}

size_t bench_image_max(const struct bench *bench)
{
	return sizeof(bench->notes) + hs_image_bytes_max(bench->core, ROUNDS);
}

size_t bench_save(const struct bench *bench, uint8_t *ret_image)
{
	memcpy(ret_image, &bench->notes, sizeof(bench->notes));
	return sizeof(bench->notes) +
	       hs_image_save(bench->core, ROUNDS, ret_image + sizeof(bench->notes));
}

void bench_load(struct bench *bench, const uint8_t *image)
{
	memcpy(&bench->notes, image, sizeof(bench->notes));
	hs_image_load(image + sizeof(bench->notes), bench->core);
}

struct summary bench_summary(const struct bench *bench)
{
	const struct hs_qc *high = &bench->core->safety.record.high_qc;
	struct summary summary = {
		.high_block = (uint8_t)words_find_block(bench->words, &high->block_id),
		.view = (uint8_t)bench->core->pacemaker.view,
		.lives = (uint8_t)bench->notes.lives,
		.is_writing = bench->notes.is_writing,
		.has_pending = bench->notes.pending_count > 0,
	};

	memcpy(summary.committed, bench->notes.committed, sizeof(summary.committed));
	return summary;
}

const char *summaries_disagree(const struct explore_words *words, const struct summary *a,
			       const struct summary *b)
{
	for (uint32_t height = 1; height < ROUNDS; height++) {
		const struct known_block *high = &words->block[b->high_block];
		uint32_t block = a->committed[height] - 1u;

		if (a->committed[height] == 0)
			break;
		if (b->committed[height] != 0 && b->committed[height] != block + 1)
			return "two members committed different blocks at one height";
		if (high->view > words->block[block].view && (high->ancestors >> block & 1) == 0)
			return "a certificate leaves out a block that is committed";
	}
	return NULL;
}
