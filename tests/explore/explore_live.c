/* Members alive: traces executed from the start, without a hash or a remembered step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "tests/explore/explore_state.h"

static const char *kind_name[ACTION_KINDS] = {
	[ACTION_TIMER] = "timer", [ACTION_RECORD] = "record", [ACTION_BLOCKS] = "blocks",
	[ACTION_CRASH] = "crash", [ACTION_HEAR] = "hear",     [ACTION_INTENT] = "intent",
	[ACTION_FETCH] = "fetch",
};

void action_name(const struct explore_words *words, uint32_t member, uint32_t action,
		 char *ret_text, size_t room)
{
	uint32_t kind = action >> ACTION_WORD_BITS;

	if (kind < ACTION_HEAR)
		snprintf(ret_text, room, "%u-%s", member, kind_name[kind]);
	else
		snprintf(ret_text, room, "%u-%s-%s", member, kind_name[kind],
			 words->word[action & (WORDS_MAX - 1)].name);
}

uint32_t action_parse(const struct explore_words *words, const char *text, uint32_t *ret_member)
{
	const char *kind = text + 2;
	const char *word = strchr(kind, '-');
	size_t length = word ? (size_t)(word - kind) : strlen(kind);

	*ret_member = (uint32_t)(text[0] - '0');
	if (*ret_member >= EXPLORE_MEMBERS || text[1] != '-')
		return ACTIONS_MAX;
	for (uint32_t i = 0; i < ACTION_KINDS; i++) {
		if (strlen(kind_name[i]) != length || memcmp(kind_name[i], kind, length) != 0)
			continue;
		if (i < ACTION_HEAR)
			return action_of((enum action_kind)i, 0);
		for (uint32_t w = 0; word && w < words->word_count; w++)
			if (strcmp(words->word[w].name, word + 1) == 0)
				return action_of((enum action_kind)i, w);
	}
	return ACTIONS_MAX;
}

/* Adds what an action said, and looks at everything. */
static const char *look(struct live *live, uint32_t member)
{
	const struct bench *bench = &live->bench[member];
	struct summary own = bench_summary(bench);
	const char *failure = bench->failure;

	for (uint32_t i = 0; i < bench->said_count; i++)
		soup_add(&live->soup, bench->said[i]);
	if (!failure)
		failure = soup_close(live->words, &live->soup);
	for (uint32_t i = 0; i < bench->claim_count && !failure; i++)
		if (!soup_has(&live->soup, bench->claim[i]))
			failure = "a certificate that nobody can have made";
	for (uint32_t i = 0; i < EXPLORE_MEMBERS && !failure; i++) {
		struct summary other;

		if (i == live->words->options.byzantine || !live->bench[i].core)
			continue;
		other = bench_summary(&live->bench[i]);
		failure = summaries_disagree(live->words, &own, &other);
		if (!failure)
			failure = summaries_disagree(live->words, &other, &own);
	}
	return failure;
}

const char *live_start(struct live *live, struct explore_words *words, bool is_loud)
{
	const char *failure = NULL;

	memset(live, 0, sizeof(*live));
	live->words = words;
	for (uint32_t i = 0; i < EXPLORE_MEMBERS && !failure; i++) {
		if (i == words->options.byzantine)
			continue;
		bench_init(&live->bench[i], words);
		live->bench[i].is_loud = is_loud;
		live->bench[i].is_live = true;
		bench_boot(&live->bench[i], i);
		failure = look(live, i);
	}
	return failure;
}

bool live_can(const struct live *live, uint32_t member, uint32_t action)
{
	const struct bench *bench = &live->bench[member];
	uint32_t kind = action >> ACTION_WORD_BITS;

	return bench->core && bench_can(bench, action) &&
	       (kind < ACTION_HEAR || soup_has(&live->soup, action & (WORDS_MAX - 1)));
}

const char *live_act(struct live *live, uint32_t member, uint32_t action)
{
	bench_act(&live->bench[member], action);
	return look(live, member);
}

void live_stop(struct live *live)
{
	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++)
		bench_free(&live->bench[i]);
}

static int replay_actions(struct live *live, char *text)
{
	char *rest = NULL;
	uint32_t count = 0;

	for (char *name = strtok_r(text, " ,\n", &rest); name;
	     name = strtok_r(NULL, " ,\n", &rest)) {
		uint32_t member = 0;
		uint32_t action = action_parse(live->words, name, &member);
		const char *failure;

		printf("%4u    %s\n", ++count, name);
		if (action == ACTIONS_MAX || !live_can(live, member, action)) {
			printf("        not possible here\n");
			return 2;
		}
		failure = live_act(live, member, action);
		if (!failure)
			continue;
		printf("violation: %s\n", failure);
		return 1;
	}
	printf("every promise held\n");
	return 0;
}

int explore_replay(const struct explore_options *options, const char *trace)
{
	struct explore_words *words = malloc(sizeof(*words));
	struct live *live = malloc(sizeof(*live));
	char *text = strdup(trace);
	int code;

	ensure(words && live && text);
	words_init(words, options);
	bench_catch_aborts(true);
	code = live_start(live, words, !options->is_quiet) ? 1 : replay_actions(live, text);
	bench_catch_aborts(false);
	live_stop(live);
	free(text);
	free(live);
	free(words);
	return code;
}
