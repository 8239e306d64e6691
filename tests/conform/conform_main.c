/*
 * conform FILE...                 exit 0: every statement of every replica was allowed
 * conform --refuses RULE FILE...  exit 0: the trace was refused, for that rule and no other
 * Several files are one trace; the first ones of a refused trace must be good.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conform/conform.h"

static const char *wanted_rule;
static uint64_t line_number;

_Noreturn void conform_refuse(const char *rule, const char *why)
{
	bool is_wanted = wanted_rule && strcmp(wanted_rule, rule) == 0;

	fprintf(is_wanted ? stdout : stderr, "line %" PRIu64 ", rule %s: %s\n", line_number, rule,
		why);
	exit(is_wanted ? 0 : 1);
}

static void read_word(struct conform_line *line, const char *word)
{
	uint32_t at = line->count++;
	char *end = NULL;

	if (line->count > CONFORM_WORDS_MAX)
		conform_refuse("-", "a line has too many words");
	line->word[at] = word;
	line->second[at] = 0;
	line->number[at] = word[0] == '#' ? strtoull(word + 1, NULL, 16) : strtoull(word, &end, 10);
	if (end && *end == ':')
		line->second[at] = strtoull(end + 1, NULL, 10);
}

static void read_line(char *text)
{
	static struct conform_line line;

	line.count = 0;
	for (char *at = text; *at != '\0';) {
		size_t length = strcspn(at, " \n");
		char *next = at + length + (at[length] != '\0');

		at[length] = '\0';
		if (length > 0)
			read_word(&line, at);
		at = next;
	}
	if (line.count > 0)
		conform_judge(&line);
}

static void read_file(const char *name)
{
	static char text[8192];
	FILE *file = fopen(name, "r");

	if (!file) {
		perror(name);
		exit(2);
	}
	for (line_number = 1; fgets(text, sizeof(text), file); line_number++)
		if (text[0] != '#')
			read_line(text);
	fclose(file);
}

int main(int argc, char **argv)
{
	const char *rule = argc > 2 && strcmp(argv[1], "--refuses") == 0 ? argv[2] : NULL;
	int at = rule ? 3 : 1;

	if (at >= argc) {
		fprintf(stderr, "usage: conform [--refuses RULE] FILE...\n");
		return 2;
	}
	for (; at < argc; at++) {
		wanted_rule = at + 1 == argc ? rule : NULL;
		read_file(argv[at]);
	}
	if (rule)
		fprintf(stderr, "accepted; rule %s should have refused it\n", rule);
	else
		printf("accepted\n");
	return rule ? 1 : 0;
}
