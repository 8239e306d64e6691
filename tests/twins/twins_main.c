/*
 * quorate-twins: plays generated scenarios; one that fails prints how to play it again.
 *
 *     quorate-twins --space plain --count 100000 --seed 1 --json FILE
 *     quorate-twins --space filtered --seed 1 --scenario 4711
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "crypto/crypto_sign.h"
#include "tests/twins/twins.h"

enum { TEXT_MAX = 2048, PROGRESS_PARTS = 10 };

struct arguments {
	enum twins_space space;
	uint64_t seed;
	uint64_t count;
	uint64_t scenario;
	bool has_scenario;
	bool is_weak;
	bool is_quiet;
	bool is_canary;
	const char *json;
};

struct totals {
	uint64_t scenarios;
	uint64_t violations;
	uint64_t number; /* of the first violation */
	const char *failure;
	uint64_t steps;
	uint64_t commits;
	uint64_t evidence;
	uint64_t conflicts;
	uint64_t views;
	uint64_t heal_ns_max;
	uint64_t trace_hash;
};

static char replay_text[256];

/* A core that aborts (ensure) is a violation of its own. */
static sigjmp_buf abort_place;

static void on_abort(int number)
{
	(void)number;
	siglongjmp(abort_place, 1);
}

static struct twins_result play(struct twins_world *world, const struct twins_scenario *scenario,
				bool is_loud)
{
	if (sigsetjmp(abort_place, 1) != 0)
		return (struct twins_result){ .failure = "a core aborted: see above" };
	return twins_world_play(world, scenario, is_loud);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: quorate-twins [--space plain|filtered|wide|over] [--count N]\n"
		"                     [--seed S] [--scenario K] [--weak-quorum] [--canary]\n"
		"                     [--quiet] [--json FILE]\n"
		"--canary: exit code 0 only if a violation is found, and found again\n");
	return 2;
}

static bool parse_space(const char *name, enum twins_space *ret_space)
{
	for (int i = 0; i < TWINS_SPACE_COUNT; i++) {
		*ret_space = (enum twins_space)i;
		if (strcmp(twins_space_name(*ret_space), name) == 0)
			return true;
	}
	return false;
}

static bool parse_value(const char *name, const char *value, struct arguments *arguments)
{
	char *end = NULL;
	uint64_t number = strtoull(value, &end, 0);
	bool is_number = *value != '\0' && *end == '\0';

	if (strcmp(name, "--space") == 0)
		return parse_space(value, &arguments->space);
	if (strcmp(name, "--json") == 0) {
		arguments->json = value;
		return true;
	}
	if (!is_number)
		return false;
	if (strcmp(name, "--count") == 0) {
		arguments->count = number;
	} else if (strcmp(name, "--seed") == 0) {
		arguments->seed = number;
	} else if (strcmp(name, "--scenario") == 0) {
		arguments->scenario = number;
		arguments->has_scenario = true;
	} else {
		return false;
	}
	return true;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--weak-quorum") == 0)
			arguments->is_weak = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			arguments->is_quiet = true;
		else if (strcmp(argv[i], "--canary") == 0)
			arguments->is_canary = true;
		else if (i + 1 >= argc || !parse_value(argv[i], argv[i + 1], arguments))
			return false;
		else
			i++;
	}
	return true;
}

static double cpu_s(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void note_replay(const struct arguments *arguments, uint64_t number)
{
	snprintf(replay_text, sizeof(replay_text),
		 "replay: quorate-twins --space %s --seed %" PRIu64 "%s --scenario %" PRIu64 "\n",
		 twins_space_name(arguments->space), arguments->seed,
		 arguments->is_weak ? " --weak-quorum" : "", number);
}

static void add(struct totals *totals, const struct twins_result *result, uint64_t number)
{
	totals->scenarios++;
	totals->steps += result->steps;
	totals->commits += result->commits;
	totals->evidence += result->evidence;
	totals->conflicts += result->conflicts;
	totals->views += result->views;
	totals->heal_ns_max = units_max(totals->heal_ns_max, result->heal_ns);
	totals->trace_hash = (totals->trace_hash ^ result->trace_hash) * UINT64_C(1099511628211);
	if (!result->failure)
		return;
	if (totals->violations++ == 0) {
		totals->number = number;
		totals->failure = result->failure;
	}
}

static void report(const struct arguments *arguments, const struct totals *totals, FILE *file,
		   bool is_json)
{
	double seconds = cpu_s();
	const char *format =
		is_json ? "{\"space\":\"%s\",\"seed\":%" PRIu64 ",\"scenarios\":%" PRIu64
			  ",\"violations\":%" PRIu64 ",\"views\":%" PRIu64 ",\"commits\":%" PRIu64
			  ",\"equivocations\":%" PRIu64 ",\"evidence\":%" PRIu64
			  ",\"steps\":%" PRIu64 ",\"heal_us_max\":%" PRIu64
			  ",\"trace\":\"%016" PRIx64
			  "\",\"cpu_s\":%.1f,\"scenarios_per_cpu_s\":%.0f}\n" :
			  "twins %s seed %" PRIu64 ": %" PRIu64 " scenarios, %" PRIu64
			  " violations; %" PRIu64 " views, %" PRIu64 " commits, %" PRIu64
			  " views with two proposals, %" PRIu64 " pieces of evidence, %" PRIu64
			  " steps, healed within %" PRIu64 " us; trace %016" PRIx64
			  "; %.1f CPU s, %.0f scenarios per CPU s\n";

	fprintf(file, format, twins_space_name(arguments->space), arguments->seed,
		totals->scenarios, totals->violations, totals->views, totals->commits,
		totals->conflicts, totals->evidence, totals->steps, totals->heal_ns_max / 1000,
		totals->trace_hash, seconds, (double)totals->scenarios / (seconds + 1e-9));
}

static void show_failure(const struct arguments *arguments, const struct totals *totals)
{
	struct twins_scenario scenario =
		twins_scenario_of(arguments->space, arguments->seed, totals->number);
	char text[TEXT_MAX];

	twins_describe(&scenario, text, sizeof(text));
	note_replay(arguments, totals->number);
	printf("violation: %s\n%s\n%s", totals->failure, text, replay_text);
}

static int play_one(const struct arguments *arguments, struct twins_world *world)
{
	struct twins_scenario scenario =
		twins_scenario_of(arguments->space, arguments->seed, arguments->scenario);
	struct twins_result result;
	char text[TEXT_MAX];

	twins_describe(&scenario, text, sizeof(text));
	printf("%s\n", text);
	result = play(world, &scenario, !arguments->is_quiet);
	printf("%s; %" PRIu64 " views, %" PRIu64 " commits, trace %016" PRIx64 "\n",
	       result.failure ? result.failure : "clean", result.views, result.commits,
	       result.trace_hash);
	return result.failure ? 1 : 0;
}

/* A violation must be found again, and be the same, when its scenario is played alone. */
static bool is_repeated(const struct arguments *arguments, const struct totals *totals)
{
	struct twins_world *world = twins_world_new(arguments->is_weak);
	struct twins_scenario scenario =
		twins_scenario_of(arguments->space, arguments->seed, totals->number);
	struct twins_result result;

	if (!world)
		return false;
	result = play(world, &scenario, false);
	twins_world_free(world);
	return result.failure && strcmp(result.failure, totals->failure) == 0;
}

static void progress(const struct arguments *arguments, const struct totals *totals)
{
	uint64_t part = units_max(arguments->count / PROGRESS_PARTS, 1);

	if (arguments->is_quiet || totals->scenarios % part != 0)
		return;
	printf("twins %s: %" PRIu64 " of %" PRIu64 ", %" PRIu64 " violations, %.0f CPU s\n",
	       twins_space_name(arguments->space), totals->scenarios, arguments->count,
	       totals->violations, cpu_s());
}

static int play_many(const struct arguments *arguments, struct twins_world *world)
{
	struct totals totals = { .trace_hash = UINT64_C(14695981039346656037) };

	while (totals.scenarios < arguments->count && totals.violations == 0) {
		uint64_t number =
			twins_number_of(arguments->space, arguments->seed, totals.scenarios);
		struct twins_scenario scenario =
			twins_scenario_of(arguments->space, arguments->seed, number);
		struct twins_result result;

		note_replay(arguments, number);
		result = play(world, &scenario, false);
		add(&totals, &result, number);
		progress(arguments, &totals);
	}
	report(arguments, &totals, stdout, false);
	if (totals.violations > 0)
		show_failure(arguments, &totals);
	if (arguments->json) {
		FILE *file = fopen(arguments->json, "w");

		if (!file) {
			perror(arguments->json);
			return 2;
		}
		report(arguments, &totals, file, true);
		fclose(file);
	}
	if (!arguments->is_canary)
		return totals.violations > 0 ? 1 : 0;
	if (totals.violations > 0 && is_repeated(arguments, &totals))
		return 0;
	printf("the canary lives: no violation that repeats, so this generator is blind\n");
	return 1;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .seed = 1, .count = 10000 };
	struct twins_world *world;
	int code;

	if (!parse(argc, argv, &arguments))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (crypto_start() < 0)
		return 2;
	signal(SIGABRT, on_abort);
	world = twins_world_new(arguments.is_weak);
	if (!world)
		return 2;
	code = arguments.has_scenario ? play_one(&arguments, world) : play_many(&arguments, world);
	twins_world_free(world);
	return code;
}
