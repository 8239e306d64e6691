/*
 * quorate-explore: searches a small scope; a violation prints the actions that lead to it.
 *
 *     quorate-explore --views 2 --byzantine 1 --crashes 1 --slow-disk --json FILE
 *     quorate-explore --views 2 --byzantine 1 --replay 0-hear-propose:1a.0,0-timer,...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/crypto_sign.h"
#include "tests/explore/explore.h"

struct arguments {
	struct explore_options options;
	const char *replay;
	const char *json;
	bool is_canary;
	bool must_exhaust;
	uint64_t states_min;
};

static int usage(void)
{
	fprintf(stderr,
		"usage: quorate-explore [--byzantine MEMBER|nobody] [--views N] [--crashes N]\n"
		"                       [--tallies] [--intents] [--slow-disk] [--states-max N]\n"
		"                       [--states-min N] [--exhaust] [--audits N] [--seed S]\n"
		"                       [--plant amnesia|no-lock|quorum] [--canary]\n"
		"                       [--replay ACTIONS] [--quiet] [--json FILE]\n"
		"--exhaust: fail unless no state is left; --states-min: fail below so many\n"
		"--canary: exit code 0 only if a violation is found, and found again\n");
	return 2;
}

static const char *plant_name[] = { "none", "amnesia", "no-lock", "quorum" };

static bool parse_plant(const char *name, enum explore_plant *ret_plant)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(plant_name[i], name) == 0) {
			*ret_plant = (enum explore_plant)i;
			return true;
		}
	return false;
}

static bool parse_number(const char *name, uint64_t number, struct arguments *arguments)
{
	struct explore_options *options = &arguments->options;

	if (strcmp(name, "--views") == 0)
		options->views = (uint32_t)number;
	else if (strcmp(name, "--crashes") == 0)
		options->crashes = (uint32_t)number;
	else if (strcmp(name, "--byzantine") == 0)
		options->byzantine = (uint32_t)number;
	else if (strcmp(name, "--states-max") == 0)
		options->states_max = number;
	else if (strcmp(name, "--states-min") == 0)
		arguments->states_min = number;
	else if (strcmp(name, "--audits") == 0)
		options->audits = number;
	else if (strcmp(name, "--seed") == 0)
		options->seed = number;
	else
		return false;
	return true;
}

static bool parse_value(const char *name, const char *value, struct arguments *arguments)
{
	char *end = NULL;
	uint64_t number = strtoull(value, &end, 0);

	if (strcmp(name, "--plant") == 0)
		return parse_plant(value, &arguments->options.plant);
	if (strcmp(name, "--replay") == 0) {
		arguments->replay = value;
		return true;
	}
	if (strcmp(name, "--json") == 0) {
		arguments->json = value;
		return true;
	}
	if (strcmp(name, "--byzantine") == 0 && strcmp(value, "nobody") == 0) {
		arguments->options.byzantine = EXPLORE_NOBODY;
		return true;
	}
	return *value != '\0' && *end == '\0' && parse_number(name, number, arguments);
}

static bool *flag_of(const char *name, struct arguments *arguments)
{
	if (strcmp(name, "--tallies") == 0)
		return &arguments->options.has_tallies;
	if (strcmp(name, "--intents") == 0)
		return &arguments->options.has_intents;
	if (strcmp(name, "--slow-disk") == 0)
		return &arguments->options.is_disk_slow;
	if (strcmp(name, "--quiet") == 0)
		return &arguments->options.is_quiet;
	if (strcmp(name, "--canary") == 0)
		return &arguments->is_canary;
	if (strcmp(name, "--exhaust") == 0)
		return &arguments->must_exhaust;
	return NULL;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	const struct explore_options *options = &arguments->options;

	for (int i = 1; i < argc; i++) {
		bool *flag = flag_of(argv[i], arguments);

		if (flag)
			*flag = true;
		else if (i + 1 >= argc || !parse_value(argv[i], argv[i + 1], arguments))
			return false;
		else
			i++;
	}
	return options->views >= 1 && options->views <= EXPLORE_VIEWS_MAX &&
	       options->byzantine <= EXPLORE_NOBODY && options->states_max >= 10000 &&
	       options->states_max < UINT32_MAX;
}

static double cpu_s(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void scope_text(const struct explore_options *options, char *ret_text, size_t room)
{
	char member[16] = "nobody";

	if (options->byzantine < EXPLORE_NOBODY)
		snprintf(member, sizeof(member), "%" PRIu32, options->byzantine);
	snprintf(ret_text, room,
		 "--byzantine %s --views %" PRIu32 " --crashes %" PRIu32 "%s%s%s%s%s", member,
		 options->views, options->crashes, options->has_tallies ? " --tallies" : "",
		 options->has_intents ? " --intents" : "",
		 options->is_disk_slow ? " --slow-disk" : "",
		 options->plant != EXPLORE_PLANT_NONE ? " --plant " : "",
		 options->plant != EXPLORE_PLANT_NONE ? plant_name[options->plant] : "");
}

static void report(const struct arguments *arguments, const struct explore_result *r, FILE *file,
		   bool is_json)
{
	const char *format =
		is_json ? "{\"scope\":\"%s\",\"states\":%" PRIu64
			  ",\"exhausted\":%s,\"depth\":%" PRIu32 ",\"transitions\":%" PRIu64
			  ",\"local_states\":%" PRIu64 ",\"core_steps\":%" PRIu64
			  ",\"soups\":%" PRIu64 ",\"words\":%" PRIu64 ",\"symmetry\":%" PRIu64
			  ",\"states_with_commits\":%" PRIu64 ",\"audited\":%" PRIu64
			  ",\"mebibytes\":%" PRIu64 ",\"cpu_s\":%.1f,\"states_per_cpu_s\":%.0f}\n" :
			  "explore %s: %" PRIu64 " states, exhausted %s, depth %" PRIu32
			  "; %" PRIu64 " transitions, %" PRIu64 " local states, %" PRIu64
			  " steps of a core, %" PRIu64 " soups, %" PRIu64
			  " words, symmetry %" PRIu64 ", %" PRIu64 " states with commits, %" PRIu64
			  " audited; %" PRIu64 " MiB, %.1f CPU s, %.0f states per CPU s\n";
	char scope[256];
	double seconds = cpu_s();

	scope_text(&arguments->options, scope, sizeof(scope));
	fprintf(file, format, scope, r->states, r->is_exhausted ? "true" : "false", r->depth,
		r->transitions, r->locals, r->steps, r->soups, r->words, r->symmetry, r->commits,
		r->audited, r->bytes >> 20, seconds, (double)r->states / (seconds + 1e-9));
	if (!is_json && r->failure)
		fprintf(file, "violation: %s\nreplay: quorate-explore %s --replay %s\n", r->failure,
			scope, r->trace);
}

static int verdict(const struct arguments *arguments, const struct explore_result *result)
{
	struct explore_options options = arguments->options;

	if (arguments->is_canary) {
		options.is_quiet = true;
		if (result->failure && explore_replay(&options, result->trace) == 1)
			return 0;
		printf("the canary lives: no violation that repeats, so this search is blind\n");
		return 1;
	}
	if (arguments->must_exhaust && !result->is_exhausted) {
		printf("the scope was not exhausted\n");
		return 1;
	}
	if (result->states < arguments->states_min) {
		printf("fewer states than expected: the scope has shrunk\n");
		return 1;
	}
	return result->failure ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct explore_result result;
	struct arguments arguments = {
		.options = { .byzantine = 1,
			     .views = 2,
			     .states_max = 20000000,
			     .audits = 1000,
			     .seed = 1 },
	};

	if (!parse(argc, argv, &arguments))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (crypto_start() < 0)
		return 2;
	if (arguments.replay)
		return explore_replay(&arguments.options, arguments.replay);
	explore_search(&arguments.options, &result);
	report(&arguments, &result, stdout, false);
	if (arguments.json) {
		FILE *file = fopen(arguments.json, "w");

		if (!file) {
			perror(arguments.json);
			return 2;
		}
		report(&arguments, &result, file, true);
		fclose(file);
	}
	return verdict(&arguments, &result);
}
