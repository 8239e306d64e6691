#define _GNU_SOURCE
#include "mgmt/mgmt_cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"

struct mgmt_option_info {
	const char *name;
	const char *argument;
	const char *help;
};

static const struct mgmt_option_info mgmt_options[] = {
#define MGMT_OPTION(id, name, argument, help) { name, argument, help },
#define MGMT_VERB(function, words, arguments, least, most, options, help)
#include "mgmt/mgmt_verbs.def"
#undef MGMT_OPTION
#undef MGMT_VERB
};

#define MGMT_ACCEPT(id) (UINT64_C(1) << MGMT_OPTION_##id)

static const struct mgmt_verb mgmt_verbs[] = {
#define MGMT_OPTION(id, name, argument, help)
#define MGMT_VERB(function, words, arguments, least, most, options, help)                          \
	{ words, arguments, least, most, options, help, mgmt_verb_##function },
#include "mgmt/mgmt_verbs.def"
#undef MGMT_OPTION
#undef MGMT_VERB
};

_Static_assert(MGMT_OPTIONS_COUNT <= 64, "a verb's options are one bit each");

uint32_t mgmt_verb_count(void)
{
	return (uint32_t)UNITS_COUNT(mgmt_verbs);
}

const struct mgmt_verb *mgmt_verb_at(uint32_t index)
{
	ensure(index < mgmt_verb_count());
	return &mgmt_verbs[index];
}

bool mgmt_number_of(const char *text, uint64_t most, uint64_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits] != '\0')
		return false;
	errno = 0;
	uint64_t number = strtoull(text, NULL, 10);

	if (errno != 0 || number > most)
		return false;
	*ret_number = number;
	return true;
}

/* How many leading words of the command line are the words of `verb`; 0: they are not. */
static int mgmt_words_match(const struct mgmt_verb *verb, int argc, const char *const *argv)
{
	const char *words = verb->words;
	int count = 0;

	while (*words) {
		size_t length = strcspn(words, " ");

		if (count == argc || strlen(argv[count]) != length ||
		    strncmp(argv[count], words, length) != 0)
			return 0;
		words += length + (words[length] == ' ');
		count++;
	}
	return count;
}

static int mgmt_find_option(const char *name)
{
	for (int i = 0; i < MGMT_OPTIONS_COUNT; i++)
		if (strcmp(mgmt_options[i].name, name) == 0)
			return i;
	return -1;
}

/* Takes option argv[0], and its value from argv[1]. Returns how many it used; 0: refused. */
static int mgmt_take_option(struct mgmt_cli *cli, int argc, const char *const *argv,
			    struct mgmt_text *ret_reason)
{
	int option = mgmt_find_option(argv[0]);

	if (strcmp(argv[0], "--json") == 0)
		return cli->is_json = true, 1;
	if (option < 0 || !(cli->verb->options >> option & 1)) {
		mgmt_text_print(ret_reason, "%s does not take %s", cli->verb->words, argv[0]);
		return 0;
	}
	if (cli->option[option]) {
		mgmt_text_print(ret_reason, "%s is given twice", argv[0]);
		return 0;
	}
	if (mgmt_options[option].argument[0] == '\0') {
		cli->option[option] = "";
		return 1;
	}
	if (argc < 2) {
		mgmt_text_print(ret_reason, "%s needs %s", argv[0], mgmt_options[option].argument);
		return 0;
	}
	cli->option[option] = argv[1];
	return 2;
}

static bool mgmt_take_rest(struct mgmt_cli *cli, int argc, const char *const *argv,
			   struct mgmt_text *ret_reason)
{
	bool is_literal = false;

	for (int i = 0; i < argc;) {
		if (!is_literal && strcmp(argv[i], "--") == 0) {
			is_literal = true;
			i++;
		} else if (!is_literal && strncmp(argv[i], "--", 2) == 0) {
			int used = mgmt_take_option(cli, argc - i, argv + i, ret_reason);

			if (used == 0)
				return false;
			i += used;
		} else if (cli->argument_count == cli->verb->most) {
			mgmt_text_print(ret_reason, "%s: '%s' is one argument too many",
					cli->verb->words, argv[i]);
			return false;
		} else {
			cli->argument[cli->argument_count++] = argv[i++];
		}
	}
	if (cli->argument_count >= cli->verb->least)
		return true;
	mgmt_text_print(ret_reason, "%s needs %s", cli->verb->words, cli->verb->arguments);
	return false;
}

/* --help counts anywhere before `--`. */
static bool mgmt_asks_help(int argc, const char *const *argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return argc > 0 && strcmp(argv[0], "help") == 0;
}

enum mgmt_exit mgmt_cli_parse(int argc, const char *const *argv, struct mgmt_cli *ret_cli,
			      struct mgmt_text *ret_reason)
{
	struct mgmt_cli cli = { .asks_help = mgmt_asks_help(argc - 1, argv + 1) };
	int words = 0;

	for (uint32_t i = 0; i < mgmt_verb_count() && words == 0; i++) {
		words = mgmt_words_match(&mgmt_verbs[i], argc - 1, argv + 1);
		if (words > 0)
			cli.verb = &mgmt_verbs[i];
	}
	if (cli.asks_help) {
		*ret_cli = cli;
		return MGMT_EXIT_OK;
	}
	if (!cli.verb) {
		if (argc < 2)
			mgmt_text_string(ret_reason, "no command given");
		else
			mgmt_text_print(ret_reason, "'%s%s%s' is not a command", argv[1],
					argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
		return MGMT_EXIT_USAGE;
	}
	if (!mgmt_take_rest(&cli, argc - 1 - words, argv + 1 + words, ret_reason))
		return MGMT_EXIT_USAGE;
	*ret_cli = cli;
	return MGMT_EXIT_OK;
}

static void mgmt_help_verb(const struct mgmt_verb *verb, struct mgmt_text *ret_text)
{
	mgmt_text_print(ret_text, "usage: quorate %s%s%s [options]\n\n%s.\n\n", verb->words,
			verb->arguments[0] ? " " : "", verb->arguments, verb->help);
	for (int i = 0; i < MGMT_OPTIONS_COUNT; i++)
		if (verb->options >> i & 1)
			mgmt_text_print(ret_text, "  %-12s %-8s %s\n", mgmt_options[i].name,
					mgmt_options[i].argument, mgmt_options[i].help);
	mgmt_text_print(ret_text, "  %-12s %-8s %s\n", "--json", "", "answer in JSON");
}

void mgmt_cli_help(const struct mgmt_verb *verb, struct mgmt_text *ret_text)
{
	if (verb) {
		mgmt_help_verb(verb, ret_text);
		return;
	}
	mgmt_text_string(ret_text, "usage: quorate COMMAND [arguments] [options]\n\n");
	for (uint32_t i = 0; i < mgmt_verb_count(); i++)
		mgmt_text_print(ret_text, "  %-14s %-16s %s\n", mgmt_verbs[i].words,
				mgmt_verbs[i].arguments, mgmt_verbs[i].help);
	mgmt_text_string(
		ret_text,
		"\nquorate COMMAND --help says more. Every command takes --json.\n\n"
		"Exit codes: 0 done; 1 the answer is no (not final, not valid, not ready);\n"
		"2 wrong use; 3 no node answers; 4 refused or invalid; 5 the system failed;\n"
		"6 no result in time.\n");
}

static void mgmt_print_error_json(const struct mgmt_cli *cli, enum mgmt_exit code,
				  const char *cause, const char *remedy)
{
	json_t *root = json_pack("{s{sssssssi}}", "error", "command", cli->verb->words, "cause",
				 cause, "remedy", remedy, "exit", (int)code);

	if (root)
		json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(root);
}

enum mgmt_exit mgmt_cli_fail(const struct mgmt_cli *cli, enum mgmt_exit code, const char *remedy,
			     const char *format, ...)
{
	struct mgmt_text cause = { 0 };
	va_list arguments;

	va_start(arguments, format);
	mgmt_text_vprint(&cause, format, arguments);
	va_end(arguments);
	fprintf(stderr, "quorate %s: %s; %s\n", cli->verb->words, mgmt_text_of(&cause), remedy);
	if (cli->is_json)
		mgmt_print_error_json(cli, code, mgmt_text_of(&cause), remedy);
	mgmt_text_fini(&cause);
	return code;
}

bool mgmt_cli_has(const struct mgmt_cli *cli, enum mgmt_option option)
{
	return cli->option[option] != NULL;
}

const char *mgmt_cli_text(const struct mgmt_cli *cli, enum mgmt_option option, const char *fallback)
{
	return cli->option[option] ? cli->option[option] : fallback;
}

bool mgmt_cli_number(const struct mgmt_cli *cli, enum mgmt_option option, uint64_t fallback,
		     uint64_t most, uint64_t *ret_number)
{
	if (!cli->option[option]) {
		*ret_number = fallback;
		return true;
	}
	if (mgmt_number_of(cli->option[option], most, ret_number))
		return true;
	mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "see --help", "%s: '%s' is not a number from 0 to %llu",
		      mgmt_options[option].name, cli->option[option], (unsigned long long)most);
	return false;
}
