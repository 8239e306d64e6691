/* Breadth first over (local states, soup); steps are executed once and remembered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ensure.h"
#include "base/prng.h"
#include "base/units.h"
#include "tests/explore/explore_state.h"

enum {
	LOCALS_MAX = 1 << 22,
	SOUPS_MAX = 1 << 22,
	ACTION_BITS = 13,
	NONE = 0xffffffff,
};

_Static_assert(ACTIONS_MAX <= 1 << ACTION_BITS, "an action fits its key");

/* An open table from a 64-bit key, never 0, to a number. */
struct table {
	uint64_t *key;
	uint32_t *value;
	uint64_t size; /* a power of two */
	uint64_t used;
};

struct local {
	uint8_t *image; /* zero words left out */
	struct summary summary;
	uint64_t idle[WORDS_MAX / 64]; /* words that change nothing when heard */
};

struct step {
	uint32_t next;
	uint16_t said_count;
	uint16_t claim_count;
	uint16_t said[SAID_MAX];
	uint16_t claim[SAID_MAX];
	const char *failure;
};

struct state {
	struct digest digest;
	uint32_t local[EXPLORE_MEMBERS];
	uint32_t soup;
	uint32_t parent;
	uint32_t action; /* member << ACTION_BITS | action, that led here */
};

struct search {
	struct explore_options options;
	struct explore_result *result;
	struct explore_words words;
	struct bench bench;
	uint8_t *scratch;
	uint32_t local_count;
	struct local *local;
	struct digest *local_digest; /* by renaming */
	struct table local_of;
	uint32_t step_count;
	uint32_t step_room;
	struct step *step;
	struct table step_of;
	uint32_t soup_count;
	struct soup *soup;
	struct digest *soup_digest; /* by renaming */
	const char **soup_failure;
	struct table soup_of;    /* by content */
	struct table soup_after; /* by soup and words */
	struct state *state;
	uint64_t state_count;
	uint32_t *slot; /* of states, by digest; index + 1 */
	uint64_t slot_mask;
	uint64_t bytes;
};

static void table_grow(struct table *table)
{
	struct table old = *table;

	table->size = old.size == 0 ? 1 << 12 : 2 * old.size;
	table->key = calloc(table->size, sizeof(table->key[0]));
	table->value = calloc(table->size, sizeof(table->value[0]));
	ensure(table->key && table->value);
	for (uint64_t i = 0; i < old.size; i++) {
		uint64_t at = old.key[i] & (table->size - 1);

		if (old.key[i] == 0)
			continue;
		while (table->key[at] != 0)
			at = (at + 1) & (table->size - 1);
		table->key[at] = old.key[i];
		table->value[at] = old.value[i];
	}
	free(old.key);
	free(old.value);
}

static void table_free(struct table *table)
{
	free(table->key);
	free(table->value);
}

static uint64_t key_of(uint64_t a, uint64_t b)
{
	struct digest digest = { a, b };

	digest_add(&digest, a ^ b << 1);
	digest = digest_done(&digest);
	return (digest.a ^ digest.b) | 1;
}

/* The value's place; NONE in it when the key is new. Valid until the next call. */
static uint32_t *table_at(struct table *table, uint64_t key)
{
	uint64_t at;

	if (2 * table->used >= table->size)
		table_grow(table);
	at = key & (table->size - 1);
	while (table->key[at] != 0 && table->key[at] != key)
		at = (at + 1) & (table->size - 1);
	if (table->key[at] == 0) {
		table->key[at] = key;
		table->value[at] = NONE;
		table->used++;
	}
	return &table->value[at];
}

/* Images are mostly zero: 64 words at a time, a map of those that are not, and these. */
static uint8_t *pack(struct search *s, size_t bytes)
{
	const uint64_t *from = (const uint64_t *)(const void *)s->scratch;
	size_t count = (bytes + 7) / 8;
	uint64_t *to = malloc((count + count / 64 + 2) * sizeof(*to));
	size_t used = 1;

	ensure(to);
	memset(s->scratch + bytes, 0, 8);
	to[0] = count;
	for (size_t i = 0; i < count; i += 64) {
		size_t map = used++;

		to[map] = 0;
		for (size_t k = 0; k < 64 && i + k < count; k++) {
			if (from[i + k] == 0)
				continue;
			to[map] |= UINT64_C(1) << k;
			to[used++] = from[i + k];
		}
	}
	s->bytes += used * sizeof(*to);
	to = realloc(to, used * sizeof(*to));
	ensure(to);
	return (uint8_t *)to;
}

static void unpack(struct search *s, const uint8_t *image)
{
	const uint64_t *from = (const uint64_t *)(const void *)image;
	uint64_t *to = (uint64_t *)(void *)s->scratch;
	size_t count = *from++;

	for (size_t i = 0; i < count; i += 64) {
		uint64_t map = *from++;

		for (size_t k = 0; k < 64 && i + k < count; k++)
			to[i + k] = (map >> k & 1) != 0 ? *from++ : 0;
	}
}

static uint32_t enter_local(struct search *s)
{
	uint32_t renamings = s->words.renaming_count;
	struct digest digest = bench_digest(&s->bench, &s->words.renaming[0]);
	uint32_t *place = table_at(&s->local_of, key_of(digest.a, digest.b));
	struct local *local = &s->local[s->local_count];

	if (*place != NONE)
		return *place;
	ensure(s->local_count < LOCALS_MAX);
	for (uint32_t i = 0; i < renamings; i++)
		s->local_digest[s->local_count * renamings + i] =
			bench_digest(&s->bench, &s->words.renaming[i]);
	local->image = pack(s, bench_save(&s->bench, s->scratch));
	local->summary = bench_summary(&s->bench);
	memset(local->idle, 0, sizeof(local->idle));
	*place = s->local_count;
	return s->local_count++;
}

static void execute(struct search *s, uint32_t local, uint32_t action, struct step *step)
{
	unpack(s, s->local[local].image);
	bench_load(&s->bench, s->scratch);
	s->result->steps++;
	bench_act(&s->bench, action);
	*step = (struct step){
		.said_count = (uint16_t)s->bench.said_count,
		.claim_count = (uint16_t)s->bench.claim_count,
		.failure = s->bench.failure,
	};
	memcpy(step->said, s->bench.said, sizeof(step->said));
	memcpy(step->claim, s->bench.claim, sizeof(step->claim));
	step->next = step->failure ? local : enter_local(s);
}

static const struct step *step_of(struct search *s, uint32_t local, uint32_t action)
{
	uint32_t *place =
		table_at(&s->step_of, key_of((uint64_t)local << ACTION_BITS | action, 77));
	struct step step;

	if (*place != NONE)
		return &s->step[*place];
	*place = s->step_count;
	execute(s, local, action, &step);
	if (s->step_count == s->step_room) {
		s->step_room = 2 * s->step_room + 1024;
		s->step = realloc(s->step, s->step_room * sizeof(s->step[0]));
		ensure(s->step);
	}
	if (step.next == local && step.said_count == 0 && !step.failure &&
	    action >> ACTION_WORD_BITS == ACTION_HEAR)
		s->local[local].idle[(action & (WORDS_MAX - 1)) / 64] |= UINT64_C(1)
									 << (action & 63);
	s->step[s->step_count] = step;
	return &s->step[s->step_count++];
}

static uint32_t enter_soup(struct search *s, struct soup *soup)
{
	const char *failure = soup_close(&s->words, soup);
	struct digest digest = { 5, 6 };
	uint32_t *place;

	for (uint32_t i = 0; i < WORDS_MAX / 64; i++)
		digest_add(&digest, soup->bit[i]);
	digest = digest_done(&digest);
	place = table_at(&s->soup_of, key_of(digest.a, digest.b));
	if (*place != NONE)
		return *place;
	ensure(s->soup_count < SOUPS_MAX);
	for (uint32_t i = 0; i < s->words.renaming_count; i++) {
		struct digest *sum = &s->soup_digest[s->soup_count * s->words.renaming_count + i];

		*sum = (struct digest){ 0, 0 };
		for (uint32_t w = 0; w < s->words.word_count; w++) {
			if (!soup_has(soup, w))
				continue;
			sum->a += s->words.word[w].digest[i].a;
			sum->b += s->words.word[w].digest[i].b;
		}
	}
	s->soup[s->soup_count] = *soup;
	s->soup_failure[s->soup_count] = failure;
	*place = s->soup_count;
	return s->soup_count++;
}

static uint32_t soup_with(struct search *s, uint32_t soup, const struct step *step)
{
	uint64_t words = 0;
	struct soup next = s->soup[soup];
	uint32_t *place;
	uint32_t entered;

	if (step->said_count == 0)
		return soup;
	for (uint32_t i = 0; i < step->said_count; i++) {
		words = words << 16 | (step->said[i] + 1u);
		soup_add(&next, step->said[i]);
	}
	place = table_at(&s->soup_after, key_of(words, soup + UINT64_C(99)));
	if (*place != NONE)
		return *place;
	entered = enter_soup(s, &next);
	*place = entered;
	return entered;
}

static struct digest digest_of(const struct search *s, const struct state *state)
{
	uint32_t renamings = s->words.renaming_count;
	struct digest least = { UINT64_MAX, UINT64_MAX };

	for (uint32_t r = 0; r < renamings; r++) {
		const struct digest *soup = &s->soup_digest[state->soup * renamings + r];
		struct digest digest = *soup;

		for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++) {
			uint32_t member = s->words.renaming[r].from[i];
			const struct digest *local;

			if (member == s->options.byzantine)
				continue;
			local = &s->local_digest[state->local[member] * renamings + r];
			digest_add(&digest, local->a);
			digest_add(&digest, local->b);
		}
		digest = digest_done(&digest);
		if (digest.a < least.a || (digest.a == least.a && digest.b < least.b))
			least = digest;
	}
	return least;
}

/* False if the state is known. */
static bool enter_state(struct search *s, struct state *state)
{
	uint64_t at;

	state->digest = digest_of(s, state);
	at = state->digest.a & s->slot_mask;
	while (s->slot[at] != 0) {
		const struct state *known = &s->state[s->slot[at] - 1];

		if (known->digest.a == state->digest.a && known->digest.b == state->digest.b)
			return false;
		at = (at + 1) & s->slot_mask;
	}
	s->state[s->state_count++] = *state;
	s->slot[at] = (uint32_t)s->state_count;
	return true;
}

static uint32_t path_to(const struct search *s, uint64_t index, uint32_t *ret_path, uint32_t room)
{
	uint32_t count = 0;

	for (uint64_t at = index; s->state[at].parent != NONE; at = s->state[at].parent)
		count++;
	ensure(count < room);
	for (uint64_t at = index, k = count; k > 0; at = s->state[at].parent)
		ret_path[--k] = s->state[at].action;
	return count;
}

static void report_failure(struct search *s, const char *failure, uint64_t from, uint32_t last)
{
	enum { PATH_MAX = 1024 };
	uint32_t path[PATH_MAX];
	uint32_t count = path_to(s, from, path, PATH_MAX - 1);
	char *text = s->result->trace;
	size_t used = 0;

	if (s->result->failure)
		return;
	s->result->failure = failure;
	if (last != NONE)
		path[count++] = last;
	for (uint32_t i = 0; i < count; i++) {
		char name[2 * NAME_MAX];

		action_name(&s->words, path[i] >> ACTION_BITS, path[i] & ((1 << ACTION_BITS) - 1),
			    name, sizeof(name));
		if (used + strlen(name) + 2 < sizeof(s->result->trace))
			used += (size_t)snprintf(text + used, sizeof(s->result->trace) - used,
						 "%s%s", i > 0 ? "," : "", name);
	}
}

static const char *judge(const struct search *s, const struct state *state, uint32_t member,
			 const struct step *step)
{
	const struct soup *soup = &s->soup[state->soup];
	const struct summary *own = &s->local[state->local[member]].summary;

	if (s->soup_failure[state->soup])
		return s->soup_failure[state->soup];
	for (uint32_t i = 0; i < step->claim_count; i++)
		if (!soup_has(soup, step->claim[i]))
			return "a certificate that nobody can have made";
	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++) {
		const struct summary *other = &s->local[state->local[i]].summary;
		const char *failure;

		if (i == s->options.byzantine)
			continue;
		failure = summaries_disagree(&s->words, own, other);
		if (!failure)
			failure = summaries_disagree(&s->words, other, own);
		if (failure)
			return failure;
	}
	return NULL;
}

static void try_action(struct search *s, uint64_t from, uint32_t member, uint32_t action)
{
	struct state next = s->state[from];
	const struct step *step = step_of(s, next.local[member], action);
	uint32_t last = member << ACTION_BITS | action;
	const char *failure = step->failure;

	if (!failure && step->next == next.local[member] && step->said_count == 0)
		return;
	s->result->transitions++;
	next.parent = (uint32_t)from;
	next.action = last;
	next.local[member] = step->next;
	if (!failure) {
		next.soup = soup_with(s, next.soup, step);
		failure = judge(s, &next, member, step);
	}
	if (failure)
		report_failure(s, failure, from, last);
	else
		enter_state(s, &next);
}

static uint32_t lives_of(const struct search *s, const struct state *state)
{
	uint32_t lives = 0;

	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++)
		if (i != s->options.byzantine)
			lives += s->local[state->local[i]].summary.lives;
	return lives;
}

static void try_word(struct search *s, uint64_t from, uint32_t member, uint32_t word)
{
	const struct word *w = &s->words.word[word];
	bool is_heard = s->options.has_tallies || w->kind == WORD_PROPOSE || w->kind == WORD_QC ||
			w->kind == WORD_TC || w->kind == WORD_FC;
	uint32_t local = s->state[from].local[member];

	if (w->author == member)
		return;
	if (is_heard && (s->local[local].idle[word / 64] >> (word % 64) & 1) == 0)
		try_action(s, from, member, action_of(ACTION_HEAR, word));
	if (w->kind != WORD_PROPOSE)
		return;
	if (s->options.has_intents)
		try_action(s, from, member, action_of(ACTION_INTENT, word));
	if (soup_has(&s->soup[s->state[from].soup],
		     words_certificate(&s->words, WORD_QC, w->block)))
		try_action(s, from, member, action_of(ACTION_FETCH, word));
}

static void expand_member(struct search *s, uint64_t from, uint32_t member)
{
	const struct summary *summary = &s->local[s->state[from].local[member]].summary;
	bool is_out = summary->view > s->options.views;
	struct soup soup = s->soup[s->state[from].soup];

	if (!is_out)
		try_action(s, from, member, action_of(ACTION_TIMER, 0));
	if (summary->is_writing)
		try_action(s, from, member, action_of(ACTION_RECORD, 0));
	if (summary->has_pending)
		try_action(s, from, member, action_of(ACTION_BLOCKS, 0));
	if (!is_out && lives_of(s, &s->state[from]) < s->options.crashes)
		try_action(s, from, member, action_of(ACTION_CRASH, 0));
	for (uint32_t i = 0; i < WORDS_MAX / 64; i++)
		for (uint64_t rest = soup.bit[i]; rest != 0; rest &= rest - 1)
			try_word(s, from, member, 64 * i + (uint32_t)__builtin_ctzll(rest));
}

static void start(struct search *s)
{
	struct state first = { .parent = NONE };
	struct soup soup = { .bit = { 0 } };

	bench_init(&s->bench, &s->words);
	s->scratch = aligned_alloc(64, units_round_up(bench_image_max(&s->bench) + 16, 64));
	ensure(s->scratch);
	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++) {
		if (i == s->options.byzantine)
			continue;
		bench_boot(&s->bench, i);
		first.local[i] = enter_local(s);
		for (uint32_t k = 0; k < s->bench.said_count; k++)
			soup_add(&soup, s->bench.said[k]);
	}
	first.soup = enter_soup(s, &soup);
	enter_state(s, &first);
}

static void progress(const struct search *s, uint64_t done, uint32_t depth)
{
	if (!s->options.is_quiet && done % 1000000 == 0 && done > 0)
		printf("explore: depth %u, %llu of %llu states expanded, %u local states, "
		       "%llu steps executed, %.0f CPU s\n",
		       depth, (unsigned long long)done, (unsigned long long)s->state_count,
		       s->local_count, (unsigned long long)s->result->steps,
		       (double)clock() / CLOCKS_PER_SEC);
}

static void run(struct search *s)
{
	uint64_t level_end = s->state_count;
	uint64_t at = 0;

	/* One state has at most a few hundred successors. */
	while (at < s->state_count && !s->result->failure &&
	       s->state_count + 4096 < s->options.states_max) {
		if (at == level_end) {
			level_end = s->state_count;
			s->result->depth++;
		}
		for (uint32_t i = 0; i < EXPLORE_MEMBERS && !s->result->failure; i++)
			if (i != s->options.byzantine)
				expand_member(s, at, i);
		progress(s, ++at, s->result->depth);
	}
	s->result->is_exhausted = at == s->state_count;
}

/* Executes a path on living cores: they must come to the local states the search remembered. */
static const char *audit_path(struct search *s, uint64_t index)
{
	enum { PATH_MAX = 1024 };
	struct live live;
	uint32_t path[PATH_MAX];
	uint32_t count = path_to(s, index, path, PATH_MAX);
	const char *failure = live_start(&live, &s->words, false);

	for (uint32_t i = 0; i < count && !failure; i++) {
		uint32_t member = path[i] >> ACTION_BITS;
		uint32_t action = path[i] & ((1 << ACTION_BITS) - 1);

		if (live_can(&live, member, action))
			failure = live_act(&live, member, action);
		else
			failure = "audit: an action of the search is not possible";
	}
	for (uint32_t i = 0; i < EXPLORE_MEMBERS && !failure; i++) {
		struct digest digest;
		const struct digest *known;

		if (i == s->options.byzantine)
			continue;
		digest = bench_digest(&live.bench[i], &s->words.renaming[0]);
		known = &s->local_digest[s->state[index].local[i] * s->words.renaming_count];
		if (digest.a != known->a || digest.b != known->b)
			failure = "audit: a path executed again leads elsewhere";
	}
	if (!failure && memcmp(&live.soup, &s->soup[s->state[index].soup], sizeof(live.soup)) != 0)
		failure = "audit: a path executed again says something else";
	live_stop(&live);
	return failure;
}

static void audit(struct search *s)
{
	struct prng prng;

	prng_seed(&prng, s->options.seed);
	while (s->result->audited < s->options.audits && !s->result->failure) {
		uint64_t index = prng_below(&prng, s->state_count);
		const char *failure = audit_path(s, index);

		if (failure)
			report_failure(s, failure, index, NONE);
		s->result->audited++;
	}
}

static void conclude(struct search *s)
{
	struct explore_result *result = s->result;

	for (uint64_t i = 0; i < s->state_count; i++) {
		bool has_commit = false;

		for (uint32_t m = 0; m < EXPLORE_MEMBERS; m++)
			if (m != s->options.byzantine &&
			    s->local[s->state[i].local[m]].summary.committed[1] != 0)
				has_commit = true;
		result->commits += has_commit;
	}
	result->states = s->state_count;
	result->locals = s->local_count;
	result->soups = s->soup_count;
	result->words = s->words.word_count;
	result->symmetry = s->words.renaming_count;
	result->bytes = s->bytes + s->state_count * sizeof(struct state) +
			(s->slot_mask + 1) * sizeof(s->slot[0]) +
			s->local_count * sizeof(struct local) + s->step_room * sizeof(struct step) +
			12 * (s->step_of.size + s->local_of.size + s->soup_after.size);
}

static void make_room(struct search *s)
{
	uint64_t slots = 1 << 16;

	while (slots < 2 * s->options.states_max)
		slots *= 2;
	s->slot_mask = slots - 1;
	s->slot = calloc(slots, sizeof(s->slot[0]));
	s->state = calloc(s->options.states_max, sizeof(s->state[0]));
	s->local = calloc(LOCALS_MAX, sizeof(s->local[0]));
	s->local_digest =
		calloc((size_t)LOCALS_MAX * s->words.renaming_count, sizeof(s->local_digest[0]));
	s->soup = calloc(SOUPS_MAX, sizeof(s->soup[0]));
	s->soup_digest =
		calloc((size_t)SOUPS_MAX * s->words.renaming_count, sizeof(s->soup_digest[0]));
	s->soup_failure = calloc(SOUPS_MAX, sizeof(s->soup_failure[0]));
	ensure(s->slot && s->state && s->local && s->local_digest && s->soup && s->soup_digest &&
	       s->soup_failure);
}

static void clean_up(struct search *s)
{
	for (uint32_t i = 0; i < s->local_count; i++)
		free(s->local[i].image);
	table_free(&s->local_of);
	table_free(&s->step_of);
	table_free(&s->soup_of);
	table_free(&s->soup_after);
	bench_free(&s->bench);
	free(s->scratch);
	free(s->slot);
	free(s->state);
	free(s->local);
	free(s->local_digest);
	free(s->step);
	free(s->soup);
	free(s->soup_digest);
	free(s->soup_failure);
	free(s);
}

void explore_search(const struct explore_options *options, struct explore_result *ret_result)
{
	struct search *s = calloc(1, sizeof(*s));

	ensure(s);
	memset(ret_result, 0, sizeof(*ret_result));
	s->options = *options;
	s->result = ret_result;
	words_init(&s->words, options);
	make_room(s);
	bench_catch_aborts(true);
	start(s);
	run(s);
	if (!s->result->failure)
		audit(s);
	bench_catch_aborts(false);
	conclude(s);
	clean_up(s);
}
