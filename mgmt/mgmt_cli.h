/*
 * mgmt_cli: the command line of `quorate`, from the table in mgmt_verbs.def.
 *
 *     quorate VERB [WORD] [ARGUMENT...] [--option [VALUE]...] [--json]
 *
 * Options and arguments may be mixed; `--` ends the options. A verb that fails
 * says so in one line, cause and remedy, on standard error; with --json also as
 * {"error": {...}} on standard output, so that a script has one place to look.
 *
 * Memory   Strings of `struct mgmt_cli` are argv's own.
 */
#ifndef QUORATE_MGMT_CLI_H
#define QUORATE_MGMT_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/mgmt_text.h"

/* Documented in --help. */
enum mgmt_exit {
	MGMT_EXIT_OK = 0,
	MGMT_EXIT_NEGATIVE = 1,    /* asked and answered: no, not final, not valid, not ready */
	MGMT_EXIT_USAGE = 2,       /* the command line makes no sense */
	MGMT_EXIT_UNREACHABLE = 3, /* no node, or it does not answer */
	MGMT_EXIT_REFUSED = 4,     /* the input or the state of things forbids it */
	MGMT_EXIT_FAILED = 5,      /* the system failed us: disk, memory, permission */
	MGMT_EXIT_TIMEOUT = 6,     /* no result in time; what was sent may still happen */
};

enum mgmt_option {
#define MGMT_OPTION(id, name, argument, help) MGMT_OPTION_##id,
#define MGMT_VERB(function, words, arguments, least, most, options, help)
#include "mgmt/mgmt_verbs.def"
#undef MGMT_OPTION
#undef MGMT_VERB
	MGMT_OPTIONS_COUNT,
};

enum { MGMT_ARGUMENTS_MAX = 100 };

struct mgmt_cli;

struct mgmt_verb {
	const char *words;
	const char *arguments;
	uint32_t least;
	uint32_t most;
	uint64_t options; /* bit set of enum mgmt_option */
	const char *help;
	enum mgmt_exit (*run)(const struct mgmt_cli *cli);
};

struct mgmt_cli {
	const struct mgmt_verb *verb;
	const char *option[MGMT_OPTIONS_COUNT]; /* NULL: not given; "": a flag that was */
	const char *argument[MGMT_ARGUMENTS_MAX];
	uint32_t argument_count;
	bool is_json;
	bool asks_help;
};

uint32_t mgmt_verb_count(void);
const struct mgmt_verb *mgmt_verb_at(uint32_t index);

/*
 * Understands a command line. Returns MGMT_EXIT_OK, or MGMT_EXIT_USAGE and one line in
 * `ret_reason`. `verb` is NULL when only help was asked for.
 */
enum mgmt_exit mgmt_cli_parse(int argc, const char *const *argv, struct mgmt_cli *ret_cli,
			      struct mgmt_text *ret_reason);

/* Writes the help of `verb`, or of everything for NULL. */
void mgmt_cli_help(const struct mgmt_verb *verb, struct mgmt_text *ret_text);

/* Says why the verb ends as it does: "cause" and what to do. Returns `code`, to be returned on. */
enum mgmt_exit mgmt_cli_fail(const struct mgmt_cli *cli, enum mgmt_exit code, const char *remedy,
			     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* True when flag or option `option` was given. */
bool mgmt_cli_has(const struct mgmt_cli *cli, enum mgmt_option option);

/* Returns the option's text, or `fallback`. */
const char *mgmt_cli_text(const struct mgmt_cli *cli, enum mgmt_option option,
			  const char *fallback);

/*
 * Gives the option's number, or `fallback` when it was not given. False: it is not a whole number
 * of at most `most`; the failure has been said, return MGMT_EXIT_USAGE.
 */
bool mgmt_cli_number(const struct mgmt_cli *cli, enum mgmt_option option, uint64_t fallback,
		     uint64_t most, uint64_t *ret_number);

/* Understands a whole decimal number up to `most`, nothing else. */
bool mgmt_number_of(const char *text, uint64_t most, uint64_t *ret_number);

/* The functions behind the verbs, spread over mgmt_verb_*.c. */
#define MGMT_OPTION(id, name, argument, help)
#define MGMT_VERB(function, words, arguments, least, most, options, help)                          \
	enum mgmt_exit mgmt_verb_##function(const struct mgmt_cli *cli);
#include "mgmt/mgmt_verbs.def"
#undef MGMT_OPTION
#undef MGMT_VERB

#endif
