/*
 * What the verbs do (mgmt_verb_keys.c, mgmt_verb_lab.c, mgmt_verb_proof.c, mgmt_verb_read.c,
 * mgmt_verb_status.c, mgmt_verb_submit.c) is tested with real nodes: tests/integration/mgmt_lab.sh.
 */
#define _GNU_SOURCE
#include "mgmt/mgmt_cli.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/unit_main.h"

static struct mgmt_cli cli;
static char reason[256];

/* Parses words separated by blanks. */
static enum mgmt_exit parse(const char *line)
{
	static char copy[512];
	const char *argv[64] = { "quorate" };
	struct mgmt_text text = { 0 };
	char *rest = copy;
	char *word;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word)
			argv[argc++] = word;
	cli = (struct mgmt_cli){ 0 };
	enum mgmt_exit code = mgmt_cli_parse(argc, argv, &cli, &text);

	snprintf(reason, sizeof(reason), "%s", mgmt_text_of(&text));
	mgmt_text_fini(&text);
	return code;
}

static void words_options_and_arguments_mix_freely(void)
{
	UNIT_REQUIRE(parse("submit --wait hello --key k --json") == MGMT_EXIT_OK);
	UNIT_CHECK(strcmp(cli.verb->words, "submit") == 0);
	UNIT_CHECK(mgmt_cli_has(&cli, MGMT_OPTION_WAIT));
	UNIT_CHECK(!mgmt_cli_has(&cli, MGMT_OPTION_LINES));
	UNIT_CHECK(strcmp(mgmt_cli_text(&cli, MGMT_OPTION_KEY, ""), "k") == 0);
	UNIT_CHECK(strcmp(mgmt_cli_text(&cli, MGMT_OPTION_FILE, "fallback"), "fallback") == 0);
	UNIT_EQUAL(cli.argument_count, 1);
	UNIT_CHECK(strcmp(cli.argument[0], "hello") == 0);
	UNIT_CHECK(cli.is_json);
}

static void verbs_of_two_words_are_found(void)
{
	UNIT_REQUIRE(parse("lab kill 2 --dir d") == MGMT_EXIT_OK);
	UNIT_CHECK(strcmp(cli.verb->words, "lab kill") == 0);
	UNIT_REQUIRE(parse("genesis create a b c d") == MGMT_EXIT_OK);
	UNIT_EQUAL(cli.argument_count, 4);
	UNIT_EQUAL(parse("lab"), MGMT_EXIT_USAGE);
	UNIT_EQUAL(parse("lab dance"), MGMT_EXIT_USAGE);
	UNIT_CHECK(strcmp(reason, "'lab dance' is not a command") == 0);
}

static void two_hyphens_end_the_options(void)
{
	UNIT_REQUIRE(parse("submit -- --wait") == MGMT_EXIT_OK);
	UNIT_CHECK(!mgmt_cli_has(&cli, MGMT_OPTION_WAIT));
	UNIT_CHECK(strcmp(cli.argument[0], "--wait") == 0);
	UNIT_REQUIRE(parse("submit -- --help") == MGMT_EXIT_OK);
	UNIT_CHECK(!cli.asks_help);
}

static void what_makes_no_sense_is_refused_with_a_reason(void)
{
	static const char *const bad[] = {
		"",
		"dance",
		"submit a b",            /* too many arguments */
		"get",                   /* too few */
		"get x --nonsense",      /* unknown */
		"get x --wait",          /* not this verb's */
		"submit x --key",        /* no value */
		"submit x --wait --wait" /* twice */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		UNIT_EQUAL(parse(bad[i]), MGMT_EXIT_USAGE);
		UNIT_CHECK(reason[0] != '\0' && strchr(reason, '\n') == NULL);
	}
}

static void numbers_are_whole_and_bounded(void)
{
	uint64_t number = 0;

	UNIT_REQUIRE(parse("tail --limit 12") == MGMT_EXIT_OK);
	UNIT_CHECK(mgmt_cli_number(&cli, MGMT_OPTION_LIMIT, 1, 12, &number) && number == 12);
	UNIT_CHECK(!mgmt_cli_number(&cli, MGMT_OPTION_LIMIT, 1, 11, &number));
	UNIT_CHECK(mgmt_cli_number(&cli, MGMT_OPTION_FROM, 5, 11, &number) && number == 5);
	UNIT_CHECK(mgmt_number_of("18446744073709551615", UINT64_MAX, &number) == true &&
		   number == UINT64_MAX);
	UNIT_CHECK(!mgmt_number_of("18446744073709551616", UINT64_MAX, &number));
	UNIT_CHECK(!mgmt_number_of("", 9, &number));
	UNIT_CHECK(!mgmt_number_of("-1", 9, &number));
	UNIT_CHECK(!mgmt_number_of("1 ", 9, &number));
	UNIT_CHECK(!mgmt_number_of("0x1", 9, &number));
}

static void help_is_made_of_the_table(void)
{
	struct mgmt_text text = { 0 };

	mgmt_cli_help(NULL, &text);
	for (uint32_t i = 0; i < mgmt_verb_count(); i++) {
		const struct mgmt_verb *verb = mgmt_verb_at(i);

		UNIT_CHECK(strstr(mgmt_text_of(&text), verb->words) != NULL);
		UNIT_CHECK(strstr(mgmt_text_of(&text), verb->help) != NULL);
		UNIT_CHECK(verb->run != NULL && verb->least <= verb->most);
		UNIT_CHECK((verb->most == 0) == (verb->arguments[0] == '\0'));
	}
	UNIT_CHECK(strstr(mgmt_text_of(&text), "Exit codes") != NULL);
	mgmt_text_clear(&text);
	UNIT_REQUIRE(parse("submit --help") == MGMT_EXIT_OK);
	UNIT_CHECK(cli.asks_help);
	mgmt_cli_help(cli.verb, &text);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "--wait") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "--cursor") == NULL);
	mgmt_text_fini(&text);
	UNIT_REQUIRE(parse("--help") == MGMT_EXIT_OK);
	UNIT_CHECK(cli.asks_help && cli.verb == NULL);
}

UNIT_SUITE("mgmt_cli", UNIT_TEST(words_options_and_arguments_mix_freely),
	   UNIT_TEST(verbs_of_two_words_are_found), UNIT_TEST(two_hyphens_end_the_options),
	   UNIT_TEST(what_makes_no_sense_is_refused_with_a_reason),
	   UNIT_TEST(numbers_are_whole_and_bounded), UNIT_TEST(help_is_made_of_the_table))
