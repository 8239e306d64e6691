/* quorate-sim: runs seeds, prints one line each; a failing seed prints how to replay it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "tests/sim/sim.h"

struct arguments {
	struct sim_options options;
	uint64_t first;
	uint64_t count;
	const char *file;    /* of seeds, one a line */
	uint64_t cpu_ms_max; /* stop drawing seeds after this much processor time; 0: no limit */
	bool is_json;
	bool is_twice;
	bool is_quiet;
};

static int usage(void)
{
	fprintf(stderr,
		"usage: quorate-sim [--seed N | --seeds FROM COUNT | --file FILE] [--n N]\n"
		"                   [--blocks N] [--chaos-ms N] [--calm] [--lag] [--lying-disk]\n"
		"                   [--twice] [--cpu-ms N] [--verbose] [--quiet] [--json]\n");
	return 2;
}

static bool number(char **argv, int argc, int *i, uint64_t *ret_value)
{
	char *end = NULL;

	if (*i + 1 >= argc)
		return false;
	*ret_value = strtoull(argv[++*i], &end, 0);
	return end && *end == '\0';
}

static bool parse_number(int argc, char **argv, int *i, struct arguments *arguments)
{
	const char *name = argv[*i];
	uint64_t value;

	if (!number(argv, argc, i, &value))
		return false;
	if (strcmp(name, "--seed") == 0) {
		arguments->first = value;
		arguments->count = 1;
	} else if (strcmp(name, "--seeds") == 0) {
		arguments->first = value;
		return number(argv, argc, i, &arguments->count);
	} else if (strcmp(name, "--n") == 0) {
		arguments->options.n = (uint32_t)value;
	} else if (strcmp(name, "--blocks") == 0) {
		arguments->options.blocks = (uint32_t)value;
	} else if (strcmp(name, "--chaos-ms") == 0) {
		arguments->options.chaos_ns = value * UNITS_NS_PER_MS;
	} else if (strcmp(name, "--cpu-ms") == 0) {
		arguments->cpu_ms_max = value;
	} else {
		return false;
	}
	return true;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--calm") == 0)
			arguments->options.is_calm = true;
		else if (strcmp(argv[i], "--lag") == 0)
			arguments->options.is_lag = true;
		else if (strcmp(argv[i], "--lying-disk") == 0)
			arguments->options.is_lying_disk = true;
		else if (strcmp(argv[i], "--verbose") == 0)
			arguments->options.is_verbose = true;
		else if (strcmp(argv[i], "--json") == 0)
			arguments->is_json = true;
		else if (strcmp(argv[i], "--twice") == 0)
			arguments->is_twice = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			arguments->is_quiet = true;
		else if (strcmp(argv[i], "--file") == 0 && i + 1 < argc)
			arguments->file = argv[++i];
		else if (!parse_number(argc, argv, &i, arguments))
			return false;
	}
	return arguments->options.n <= SIM_NODES_MAX && arguments->options.n != 2 &&
	       arguments->options.n != 3;
}

static void print(const struct arguments *arguments, uint64_t seed, const struct sim_result *result)
{
	const char *format = arguments->is_json ?
				     "{\"seed\":%" PRIu64 ",\"trace\":\"%016" PRIx64
				     "\",\"height\":%" PRIu64 ",\"transactions\":%" PRIu64
				     ",\"events\":%" PRIu64 ",\"crashes\":%" PRIu64
				     ",\"virtual_ms\":%" PRIu64 "}\n" :
				     "seed %" PRIu64 "  trace %016" PRIx64 "  height %" PRIu64
				     "  transactions %" PRIu64 "  events %" PRIu64
				     "  crashes %" PRIu64 "  virtual %" PRIu64 " ms\n";

	if (!arguments->is_quiet)
		printf(format, seed, result->trace, result->height, result->transactions,
		       result->events, result->crashes, result->virtual_ns / UNITS_NS_PER_MS);
}

/* Returns false when the second run of a seed differs from the first. */
static bool run_one(const struct arguments *arguments, uint64_t seed)
{
	struct sim_options options = arguments->options;
	struct sim_result result;
	struct sim_result again;

	options.seed = seed;
	sim_run(&options, &result);
	print(arguments, seed, &result);
	if (!arguments->is_twice)
		return true;
	sim_run(&options, &again);
	if (again.trace == result.trace)
		return true;
	fprintf(stderr, "FAILED seed %" PRIu64 ": two runs differ\n", seed);
	return false;
}

static uint64_t cpu_ms(void)
{
	return (uint64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

static int run_file(const struct arguments *arguments)
{
	FILE *file = fopen(arguments->file, "r");
	char line[256];
	uint64_t count = 0;

	if (!file) {
		perror(arguments->file);
		return 2;
	}
	while (fgets(line, sizeof(line), file)) {
		char *end = NULL;
		uint64_t seed = strtoull(line, &end, 0);

		if (end == line)
			continue;
		if (!run_one(arguments, seed))
			return 1;
		count++;
	}
	fclose(file);
	printf("%" PRIu64 " saved seeds clean\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .first = 1, .count = 1 };
	uint64_t done = 0;

	if (!parse(argc, argv, &arguments))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (crypto_start() < 0)
		return 2;
	if (arguments.file)
		return run_file(&arguments);
	for (; done < arguments.count; done++) {
		if (arguments.cpu_ms_max > 0 && cpu_ms() > arguments.cpu_ms_max)
			break;
		if (!run_one(&arguments, arguments.first + done))
			return 1;
	}
	printf("%" PRIu64 " seeds clean, from %" PRIu64 "\n", done, arguments.first);
	return 0;
}
