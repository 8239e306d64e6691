/*
 * golden: plays scripts against one core and compares what it says.
 *
 *     golden SCRIPT...            prints the first difference, exits 1
 *     golden --write SCRIPT...    replaces the expected lines
 *
 * A script's first line says what it proves. A command stands at the margin,
 * what the core answers is indented below it, in order. Blocks have names; the
 * core's own proposals are called mine1, mine2, ... See README.md.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/hs_copy.h"
#include "tests/lib/hs_bench.h"

enum { NAMES_MAX = 64, WORDS_MAX = 16, TEXT_MAX = 1 << 18, LINE_MAX = 512 };

struct named {
	char name[16];
	struct hs_block block;
};

struct script {
	const char *path;
	int line;
	struct hs_config config;
	struct hs_bench *bench;
	struct named named[NAMES_MAX];
	uint32_t named_count;
	uint32_t mine_count;
	char out[TEXT_MAX]; /* the script as it should be */
	size_t out_bytes;
};

struct words {
	const char *at[WORDS_MAX];
	uint32_t count;
};

_Noreturn static void give_up(const struct script *s, const char *why, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", s->path, s->line, why, what);
	exit(2);
}

/* The value of `name=`, or NULL. */
static const char *value(const struct words *words, const char *name)
{
	size_t count = strlen(name);

	for (uint32_t i = 1; i < words->count; i++)
		if (strncmp(words->at[i], name, count) == 0 && words->at[i][count] == '=')
			return words->at[i] + count + 1;
	return NULL;
}

static uint64_t number(const struct words *words, const char *name, uint64_t otherwise)
{
	const char *text = value(words, name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static struct hs_block *block_named(struct script *s, const char *name)
{
	for (uint32_t i = 0; i < s->named_count; i++)
		if (strcmp(s->named[i].name, name) == 0)
			return &s->named[i].block;
	give_up(s, "no such block", name);
}

static struct hs_block *block_of(struct script *s, const struct words *words, const char *name)
{
	const char *text = value(words, name);

	return block_named(s, text ? text : (words->count > 1 ? words->at[1] : ""));
}

static struct named *name_block(struct script *s, const char *name)
{
	struct named *named = &s->named[s->named_count++];

	if (s->named_count > NAMES_MAX || strlen(name) >= sizeof(named->name))
		give_up(s, "too many names or too long", name);
	memcpy(named->name, name, strlen(name) + 1);
	return named;
}

/* "VIEW:BLOCK" as a certificate. */
static void qc_of(struct script *s, const char *text, struct hs_qc *ret_qc)
{
	const char *colon = strchr(text, ':');

	if (!colon)
		give_up(s, "expected VIEW:BLOCK", text);
	hs_make_qc(&s->config, strtoull(text, NULL, 10), &block_named(s, colon + 1)->id, 0, ret_qc);
}

/* "VIEW:QC_VIEW[:MAX]" as a TC. */
static void tc_of(struct script *s, const char *text, struct hs_tc *ret_tc)
{
	const char *colon = strchr(text, ':');
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	uint64_t qc_view = colon ? strtoull(colon + 1, NULL, 10) : 0;

	hs_make_tc(&s->config, strtoull(text, NULL, 10), qc_view,
		   second ? strtoull(second + 1, NULL, 10) : qc_view, ret_tc);
}

static void do_world(struct script *s, const struct words *words)
{
	if (s->bench)
		hs_bench_stop(s->bench);
	s->named_count = 0;
	s->config = hs_make_config((uint32_t)number(words, "replicas", 4),
				   (uint32_t)number(words, "id", 0));
	s->bench = hs_bench_new(&s->config);
	hs_make_genesis(&s->config, &name_block(s, "genesis")->block);
}

static void do_block(struct script *s, const struct words *words)
{
	static struct hs_tc tc;
	const char *text = value(words, "tc");
	struct hs_block *parent = block_of(s, words, "parent");
	struct named *named = name_block(s, words->at[1]);

	if (text)
		tc_of(s, text, &tc);
	hs_make_block(&s->config, parent, number(words, "view", 1), text ? &tc : NULL,
		      number(words, "salt", 0), &named->block);
}

/* "VIEW" or "VIEW:BLOCK" into a view and an id. */
static uint64_t statement(struct script *s, const struct words *words, const char *name,
			  struct crypto_hash *ret_id)
{
	const char *text = value(words, name);
	const char *colon = text ? strchr(text, ':') : NULL;

	if (colon)
		*ret_id = block_named(s, colon + 1)->id;
	return text ? strtoull(text, NULL, 10) : 0;
}

static void do_start(struct script *s, const struct words *words)
{
	static struct hs_record record;
	static struct hs_block blocks[8];
	struct hs_start start = { .record = &record,
				  .intent_justify_is_valid = true,
				  .entry_tc_is_valid = true,
				  .blocks = blocks };
	struct hs_block *intent;
	char list[128];

	memset(&record, 0, sizeof(record));
	record.epoch = s->config.epoch;
	hs_make_genesis_qc(&s->config, &record.high_qc);
	if (value(words, "qc"))
		qc_of(s, value(words, "qc"), &record.high_qc);
	record.last_vote_view = statement(s, words, "vote", &record.last_vote_id);
	record.last_commit_view = statement(s, words, "commit", &record.last_commit_id);
	record.last_timeout_view = number(words, "timeout", 0);
	record.last_timeout_qc_view = record.high_qc.view;
	record.last_proposed_view = number(words, "proposed", 0);
	record.intent_view = statement(s, words, "intent", &record.intent_id);
	if (record.intent_view != 0) {
		intent = block_named(s, strchr(value(words, "intent"), ':') + 1);
		hs_copy_qc(&record.intent_justify, &intent->justify);
	}
	record.has_entry_tc = value(words, "tc") != NULL;
	if (record.has_entry_tc)
		tc_of(s, value(words, "tc"), &record.entry_tc);
	if (value(words, "committed")) {
		start.committed = block_named(s, value(words, "committed"));
		record.committed_height = start.committed->header.height;
		record.committed_id = start.committed->id;
	}
	snprintf(list, sizeof(list), "%s", value(words, "blocks") ? value(words, "blocks") : "");
	for (char *rest = list, *name = strtok_r(rest, ",", &rest); name;
	     name = strtok_r(NULL, ",", &rest))
		hs_copy_block(&blocks[start.block_count++ % 8], block_named(s, name));
	if (words->count > 1 && strcmp(words->at[1], "observer") == 0)
		start.record = NULL;
	hs_bench_boot(s->bench, &start);
}

static void do_recover(struct script *s, const struct words *words)
{
	(void)words;
	for (uint32_t i = 0; i < s->config.replica_count; i++)
		hs_bench_step(s->bench, &(struct hs_input){ .kind = HS_INPUT_CERTIFICATE_ANSWER,
							    .from = i,
							    .u.author = i });
}

static void do_propose(struct script *s, const struct words *words)
{
	hs_bench_propose(s->bench, block_of(s, words, "block"));
}

static void do_intent(struct script *s, const struct words *words)
{
	hs_bench_intent(s->bench, block_of(s, words, "block"));
}

static void do_give(struct script *s, const struct words *words)
{
	hs_bench_block(s->bench, block_of(s, words, "block"));
}

static void do_vote(struct script *s, const struct words *words)
{
	struct hs_block *block = block_of(s, words, "block");

	hs_bench_vote(s->bench, (uint32_t)number(words, "from", 0),
		      number(words, "view", block->header.view), &block->id);
}

static void do_commit(struct script *s, const struct words *words)
{
	struct hs_block *block = block_of(s, words, "block");

	hs_bench_commit(s->bench, (uint32_t)number(words, "from", 0),
			number(words, "view", block->header.view), &block->id);
}

static void do_timeout(struct script *s, const struct words *words)
{
	static struct hs_qc qc;
	static struct hs_tc tc;

	hs_make_genesis_qc(&s->config, &qc);
	if (value(words, "qc"))
		qc_of(s, value(words, "qc"), &qc);
	if (value(words, "tc"))
		tc_of(s, value(words, "tc"), &tc);
	hs_bench_timeout(s->bench, (uint32_t)number(words, "from", 0), number(words, "view", 0),
			 &qc, value(words, "tc") ? &tc : NULL);
}

static void do_qc(struct script *s, const struct words *words)
{
	struct hs_block *block = block_of(s, words, "block");

	hs_bench_qc(s->bench, block->header.view, &block->id);
}

static void do_fc(struct script *s, const struct words *words)
{
	struct hs_block *block = block_of(s, words, "block");

	hs_bench_fc(s->bench, block->header.view, &block->id);
}

static void do_tc(struct script *s, const struct words *words)
{
	hs_bench_tc(s->bench, number(words, "view", 0), number(words, "qc", 0));
}

static void do_work(struct script *s, const struct words *words)
{
	hs_bench_work(s->bench, words->count < 2 || strcmp(words->at[1], "no") != 0);
}

static void do_answer(struct script *s, const struct words *words)
{
	static const struct {
		const char *name;
		enum hs_effect_kind kind;
	} questions[] = {
		{ "record", HS_EFFECT_PERSIST_RECORD },
		{ "block", HS_EFFECT_PERSIST_BLOCK },
		{ "sign", HS_EFFECT_SIGN },
		{ "payload", HS_EFFECT_WANT_PAYLOAD },
		{ "cut", HS_EFFECT_WANT_CUT },
	};
	const char *what = words->count > 1 ? words->at[1] : "";

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (strcmp(questions[i].name, what) == 0) {
			if (!hs_bench_answer(s->bench, questions[i].kind))
				give_up(s, "nothing of this kind was asked", what);
			return;
		}
	give_up(s, "no such question", what);
}

static struct bitset members(const char *text)
{
	struct bitset set = { .word = { 0, 0 } };

	for (; text && *text; text += strcspn(text, ","), text += *text == ',')
		bitset_add(&set, (uint32_t)strtoul(text, NULL, 10));
	return set;
}

static void do_checked(struct script *s, const struct words *words)
{
	struct hs_block *block = block_of(s, words, "block");
	struct hs_input input = { .kind = HS_INPUT_COMMITS_CHECKED, .from = HS_REPLICA_NONE };

	input.u.checked.view = block->header.view;
	input.u.checked.block_id = block->id;
	input.u.checked.good = members(value(words, "good"));
	input.u.checked.bad = members(value(words, "bad"));
	hs_bench_step(s->bench, &input);
}

static void do_rolled_back(struct script *s, const struct words *words)
{
	(void)words;
	hs_bench_step(s->bench,
		      &(struct hs_input){ .kind = HS_INPUT_ROLLED_BACK, .from = HS_REPLICA_NONE });
}

static void do_settle(struct script *s, const struct words *words)
{
	(void)words;
	hs_bench_settle(s->bench);
}

static void do_wait(struct script *s, const struct words *words)
{
	const char *text = words->count > 1 ? words->at[1] : "";
	char *unit;
	uint64_t count = strtoull(text, &unit, 10);

	if (strcmp(unit, "us") == 0)
		hs_bench_wait(s->bench, count * 1000);
	else if (strcmp(unit, "ms") == 0)
		hs_bench_wait(s->bench, count * 1000000);
	else
		give_up(s, "expected a time in us or ms", text);
}

static const struct {
	const char *name;
	void (*run)(struct script *s, const struct words *words);
} commands[] = {
	{ "world", do_world },
	{ "block", do_block },
	{ "start", do_start },
	{ "recover", do_recover },
	{ "propose", do_propose },
	{ "intent", do_intent },
	{ "give", do_give },
	{ "vote", do_vote },
	{ "commit", do_commit },
	{ "timeout", do_timeout },
	{ "qc", do_qc },
	{ "fc", do_fc },
	{ "tc", do_tc },
	{ "work", do_work },
	{ "answer", do_answer },
	{ "checked", do_checked },
	{ "settle", do_settle },
	{ "wait", do_wait },
	{ "rolled-back", do_rolled_back },
};

static void put(struct script *s, const char *text, size_t count)
{
	if (s->out_bytes + count >= sizeof(s->out))
		give_up(s, "too long", s->path);
	memcpy(s->out + s->out_bytes, text, count);
	s->out_bytes += count;
}

/* The core's own block whose id begins so; a copy, so that later commands may speak of it. */
static void name_own(struct script *s, struct named *named, const uint8_t id[4])
{
	for (uint32_t i = 0; i < s->bench->todo_count; i++) {
		const struct crypto_hash *full = &s->bench->todo[i].block_id;
		const struct hs_block *block = hs_core_block(s->bench->core, full);

		if (block && memcmp(full->b, id, 4) == 0)
			hs_copy_block(&named->block, block);
	}
}

/* The name for an id printed as eight digits; the core's own blocks get one when first seen. */
static const char *name_of(struct script *s, const char *digits)
{
	static char text[16];
	uint8_t id[4];

	for (uint32_t i = 0; i < 4; i++) {
		char pair[3] = { digits[2 * i], digits[2 * i + 1], '\0' };

		id[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	for (uint32_t i = 0; i < s->named_count; i++)
		if (memcmp(s->named[i].block.id.b, id, sizeof(id)) == 0)
			return s->named[i].name;
	snprintf(text, sizeof(text), "mine%" PRIu32, ++s->mine_count);
	name_own(s, name_block(s, text), id);
	return text;
}

static void put_named(struct script *s, const char *line, size_t count)
{
	static const char *const keys[] = { " block=", " parent=" };
	size_t i = 0;

	put(s, "\t", 1);
	while (i < count) {
		size_t step = 1;

		for (size_t k = 0; k < 2; k++) {
			size_t key = strlen(keys[k]);
			const char *name;

			if (strncmp(line + i, keys[k], key) != 0)
				continue;
			name = name_of(s, line + i + key);
			put(s, line + i, key);
			put(s, name, strlen(name));
			i += key + 8;
			step = 0;
			break;
		}
		if (step)
			put(s, line + i, 1);
		i += step;
	}
	put(s, "\n", 1);
}

static void run_command(struct script *s, char *line)
{
	struct words words = { .count = 0 };

	for (char *rest = line, *word = strtok_r(rest, " \t\n", &rest);
	     word && words.count < WORDS_MAX; word = strtok_r(NULL, " \t\n", &rest))
		words.at[words.count++] = word;
	if (words.count == 0 || words.at[0][0] == '#')
		return;
	if (s->bench)
		hs_bench_forget(s->bench);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, words.at[0]) != 0)
			continue;
		if (!s->bench && commands[i].run != do_world)
			give_up(s, "the world comes first", words.at[0]);
		commands[i].run(s, &words);
		for (const char *at = s->bench->log; *at; at += strcspn(at, "\n") + 1)
			if (at[0] == '<')
				put_named(s, at + 2, strcspn(at, "\n") - 2);
		return;
	}
	give_up(s, "no such command", words.at[0]);
}

/* Prints the first line where both texts differ. */
static void print_difference(const char *path, const char *is, const char *should)
{
	int line = 1;

	for (; *is && *is == *should; is++, should++)
		line += *is == '\n';
	while (is[-1] != '\n')
		is--, should--;
	fprintf(stderr, "%s:%d:\n  says   %.*s\n  but is %.*s\n", path, line,
		(int)strcspn(should, "\n"), should, (int)strcspn(is, "\n"), is);
}

static bool play(const char *path, bool is_writing)
{
	static struct script script;
	static char text[TEXT_MAX];
	FILE *file = fopen(path, "r");
	bool is_same;
	size_t count;

	memset(&script, 0, sizeof(script));
	script.path = path;
	if (!file)
		give_up(&script, "cannot open", path);
	count = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[count] = '\0';
	if (text[0] != '#')
		give_up(&script, "the first line must say what is proved", path);
	for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
		size_t length = strcspn(at, "\n");
		char line[LINE_MAX];

		script.line++;
		if (at[0] == '\t')
			continue;
		put(&script, at, length);
		put(&script, "\n", 1);
		snprintf(line, sizeof(line), "%.*s", (int)length, at);
		run_command(&script, line);
	}
	script.out[script.out_bytes] = '\0';
	is_same = strcmp(text, script.out) == 0;
	if (!is_same && !is_writing)
		print_difference(path, script.out, text);
	if (!is_same && is_writing) {
		file = fopen(path, "w");
		if (!file || fwrite(script.out, 1, script.out_bytes, file) != script.out_bytes ||
		    fclose(file) != 0)
			give_up(&script, "cannot write", path);
	}
	if (script.bench)
		hs_bench_stop(script.bench);
	return is_same || is_writing;
}

int main(int argc, char **argv)
{
	bool is_writing = argc > 1 && strcmp(argv[1], "--write") == 0;
	int failed = 0;

	for (int i = is_writing ? 2 : 1; i < argc; i++)
		if (!play(argv[i], is_writing))
			failed++;
	return failed == 0 ? 0 : 1;
}
