/*
 * quorate-sim: runs seeds, one line each, and what they add up to. A failing seed prints the
 * command that replays it, and with --shrink-on-failure the smallest one that still fails.
 */

#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/units.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim_adversary.h"
#include "tests/sim/sim_batch.h"
#include "tests/sim/sim_options.h"
#include "tests/sim/sim_shrink.h"

enum {
	SHRINK_CPU_S = 60,
	SHIFT_OF_FRESH = 20,
	POWER_CUTS_A_SEED = 20, /* recovery reads all history: short lives are cheap ones */
};

struct arguments {
	struct sim_options options;
	uint64_t first;
	uint64_t count;
	const char *file;      /* of seeds, one a line */
	const char *json_file; /* totals */
	const char *expected;  /* a canary: the run must fail and say this */
	uint64_t cpu_ms_max;   /* stop drawing seeds after this much processor time; 0: no limit */
	uint64_t shrink_cpu_s;
	bool is_json; /* lines as JSON */
	bool is_twice;
	bool is_quiet;
	bool is_hashes; /* lines hold seed and trace hash only */
	bool wants_marks;
	bool requires_marks;
	bool wants_faults; /* every fault of the disks must happen in some seed */
	bool shrinks;
	bool shrinks_on_failure;
};

static struct arguments arguments = { .first = 1, .count = 1, .shrink_cpu_s = SHRINK_CPU_S };
static struct sim_batch batch;
static struct sim_result sum;

static int usage(void)
{
	fprintf(stderr,
		"usage: quorate-sim [--seed N | --seeds FROM COUNT | --seeds fresh COUNT |\n"
		"                    --file FILE | --hashes FROM COUNT | --shrink N]\n"
		"                   [--n N] [--blocks N] [--chaos-ms N] [--clients N]\n"
		"                   [--without CLASS,...] [--calm] [--lag] [--verbose]\n"
		"                   [--lying-disk] [--alone] [--mute] [--expect TEXT]\n"
		"                   [--adversary none|NAME] [--too-many-twins]\n"
		"                   [--power-cuts COUNT] [--fatal] [--all-faults]\n"
		"                   [--early-store] [--late-look] [--frail] [--real-hash]\n"
		"                   [--twice] [--cpu-ms N] [--quiet] [--json-lines] [--json FILE]\n"
		"                   [--trace FILE] [--marks] [--marks-required]\n"
		"                   [--shrink-on-failure] [--shrink-cpu-s N]\n"
		"classes:");
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
		fprintf(stderr, " %s", sim_fault_word((enum sim_fault)i));
	fprintf(stderr, "\n");
	return 2;
}

/* A base nobody chose; the run prints it. */
static bool draw_fresh(uint64_t *ret_first)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return false;
	*ret_first = (uint64_t)random << SHIFT_OF_FRESH;
	return true;
}

static bool parse_range(int argc, char **argv, int *i)
{
	if (*i + 1 < argc && strcmp(argv[*i + 1], "fresh") == 0) {
		(*i)++;
		if (!draw_fresh(&arguments.first))
			return false;
	} else if (!sim_options_number(argc, argv, i, &arguments.first)) {
		return false;
	}
	return sim_options_number(argc, argv, i, &arguments.count);
}

static bool parse_number(int argc, char **argv, int *i)
{
	const char *word = argv[*i];
	uint64_t value;

	if (strcmp(word, "--seeds") == 0)
		return parse_range(argc, argv, i);
	if (strcmp(word, "--hashes") == 0) {
		arguments.is_hashes = true;
		return parse_range(argc, argv, i);
	}
	if (!sim_options_number(argc, argv, i, &value))
		return false;
	if (strcmp(word, "--seed") == 0) {
		arguments.first = value;
	} else if (strcmp(word, "--shrink") == 0) {
		arguments.first = value;
		arguments.shrinks = true;
	} else if (strcmp(word, "--cpu-ms") == 0) {
		arguments.cpu_ms_max = value;
	} else if (strcmp(word, "--shrink-cpu-s") == 0) {
		arguments.shrink_cpu_s = value;
	} else {
		return false;
	}
	return true;
}

static bool parse_flag(const char *word)
{
	if (strcmp(word, "--json-lines") == 0)
		arguments.is_json = true;
	else if (strcmp(word, "--twice") == 0)
		arguments.is_twice = true;
	else if (strcmp(word, "--quiet") == 0)
		arguments.is_quiet = true;
	else if (strcmp(word, "--marks") == 0)
		arguments.wants_marks = true;
	else if (strcmp(word, "--marks-required") == 0)
		arguments.requires_marks = true;
	else if (strcmp(word, "--all-faults") == 0)
		arguments.wants_faults = true;
	else if (strcmp(word, "--shrink-on-failure") == 0)
		arguments.shrinks_on_failure = true;
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int taken = sim_options_parse(argc, argv, &i, &arguments.options);

		if (taken < 0)
			return false;
		if (taken > 0 || parse_flag(argv[i]))
			continue;
		if (strcmp(argv[i], "--file") == 0 && i + 1 < argc)
			arguments.file = argv[++i];
		else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
			arguments.json_file = argv[++i];
		else if (strcmp(argv[i], "--expect") == 0 && i + 1 < argc)
			arguments.expected = argv[++i];
		else if (!parse_number(argc, argv, &i))
			return false;
	}
	return sim_options_are_good(&arguments.options);
}

/* ---- output ---- */

static void print(uint64_t seed, const struct sim_result *result)
{
	const char *format = arguments.is_json ?
				     "{\"seed\":%" PRIu64 ",\"trace\":\"%016" PRIx64
				     "\",\"height\":%" PRIu64 ",\"transactions\":%" PRIu64
				     ",\"events\":%" PRIu64 ",\"crashes\":%" PRIu64
				     ",\"virtual_ms\":%" PRIu64 "}\n" :
				     "seed %" PRIu64 "  trace %016" PRIx64 "  height %" PRIu64
				     "  transactions %" PRIu64 "  events %" PRIu64
				     "  crashes %" PRIu64 "  virtual %" PRIu64 " ms\n";

	if (arguments.is_hashes)
		printf("%" PRIu64 " %016" PRIx64 "\n", seed, result->trace);
	else if (!arguments.is_quiet)
		printf(format, seed, result->trace, result->height, result->transactions,
		       result->events, result->crashes, result->virtual_ns / UNITS_NS_PER_MS);
}

static bool write_json(void)
{
	FILE *file;
	bool is_good;

	if (!arguments.json_file)
		return true;
	file = fopen(arguments.json_file, "w");
	if (!file) {
		perror(arguments.json_file);
		return false;
	}
	sim_batch_json(&batch, file);
	is_good = !ferror(file);
	return fclose(file) == 0 && is_good;
}

static void on_fail(const struct sim_options *options, const char *reason)
{
	if (arguments.expected) {
		if (!strstr(reason, arguments.expected))
			exit(1);
		printf("reported, as it must be\n");
		sim_leave(0);
	}
	batch.violations++;
	write_json();
	if (arguments.shrinks_on_failure)
		sim_shrink(options, arguments.shrink_cpu_s, NULL);
}

/* These contradict themselves in what they sign: somebody must have noticed. */
static bool is_provable(uint32_t forced)
{
	return forced == SIM_ADVERSARY_FORCED + SIM_STRATEGY_TWIN ||
	       forced == SIM_ADVERSARY_FORCED + SIM_STRATEGY_EQUIVOCATE ||
	       forced == SIM_ADVERSARY_FORCED + SIM_STRATEGY_SPLIT ||
	       forced == SIM_ADVERSARY_FORCED + SIM_STRATEGY_FORK;
}

/* Prints every strategy's deeds; false if the forced one has none, or no canary sang. */
static bool has_acted(void)
{
	uint32_t forced = arguments.options.adversary;

	for (uint32_t i = 0; i < SIM_STRATEGY_COUNT; i++)
		if (sim_adversary_acts((enum sim_strategy)i) > 0)
			printf("%s acted %" PRIu64 " times\n",
			       sim_adversary_name(SIM_ADVERSARY_FORCED + i),
			       sim_adversary_acts((enum sim_strategy)i));
	if (sum.evidence > 0)
		printf("%" PRIu64 " pieces of evidence\n", sum.evidence);
	if (arguments.options.is_too_many_twins) {
		fprintf(stderr, "FAILED: f + 1 twins, and no fork was reported\n");
		return false;
	}
	if (forced >= SIM_ADVERSARY_FORCED &&
	    sim_adversary_acts((enum sim_strategy)(forced - SIM_ADVERSARY_FORCED)) == 0) {
		fprintf(stderr, "FAILED: %s never acted\n", sim_adversary_name(forced));
		return false;
	}
	if (is_provable(forced) && sum.evidence == 0) {
		fprintf(stderr, "FAILED: no evidence against %s\n", sim_adversary_name(forced));
		return false;
	}
	return true;
}

/* Totals, marks; returns the exit code. */
static int conclude(void)
{
	uint32_t missing = 0;

	if (!arguments.is_hashes && batch.seeds > 1)
		sim_batch_print(&batch, stdout);
	if (arguments.wants_marks)
		marks_print(stdout);
	if (arguments.requires_marks) {
		missing = marks_missing(stderr);
		printf("%u of %u marks reached\n", marks_count() - missing, marks_count());
	}
	if (arguments.expected)
		fprintf(stderr, "the canary lives: nothing said \"%s\"\n", arguments.expected);
	if (arguments.wants_faults && !sim_atlas_report(&sum)) {
		fprintf(stderr, "FAILED: a fault never happened\n");
		missing++;
	}
	if (!has_acted())
		missing++;
	return !write_json() || missing > 0 || arguments.expected;
}

/* ---- runs ---- */

/*
 * A line: a seed, perhaps adversary=NAME, perhaps chaos-ms=N and blocks=N, and why it is kept.
 * False: it is none of these.
 */
static bool parse_line(const char *line, struct sim_options *options, uint64_t *ret_seed)
{
	const char *chaos = strstr(line, " chaos-ms=");
	const char *blocks = strstr(line, " blocks=");
	char word[64] = "";

	if (sscanf(line, "%" SCNu64 " adversary=%63s", ret_seed, word) < 1)
		return false;
	if (chaos)
		options->chaos_ns = strtoull(chaos + 10, NULL, 10) * UNITS_NS_PER_MS;
	if (blocks)
		options->blocks = (uint32_t)strtoul(blocks + 8, NULL, 10);
	return word[0] == '\0' || sim_adversary_parse(word, &options->adversary);
}

/* Returns false when the second run of a seed differs from the first. */
static bool run_one(struct sim_options options, uint64_t seed)
{
	struct sim_result result;
	struct sim_result again;

	options.seed = seed;
	sim_run(&options, &result);
	print(seed, &result);
	sim_batch_add(&batch, &result);
	sim_atlas_add(&sum, &result);
	sum.evidence += result.evidence;
	if (!arguments.is_twice)
		return true;
	sim_run(&options, &again);
	if (again.trace == result.trace)
		return true;
	fprintf(stderr, "FAILED seed %" PRIu64 ": two runs differ\n", seed);
	return false;
}

static int run_file(void)
{
	FILE *file = fopen(arguments.file, "r");
	char line[256];

	if (!file) {
		perror(arguments.file);
		return 2;
	}
	while (fgets(line, sizeof(line), file)) {
		struct sim_options options = arguments.options;
		uint64_t seed;

		if (!parse_line(line, &options, &seed)) {
			fprintf(stderr, "FAILED: not a seed: %s", line);
			return 1;
		}
		if (!run_one(options, seed))
			return 1;
	}
	fclose(file);
	printf("%" PRIu64 " saved seeds clean\n", batch.seeds);
	return conclude();
}

static int run_range(void)
{
	if (arguments.count > 1 && !arguments.is_hashes)
		printf("seeds from %" PRIu64 "\n", arguments.first);
	for (uint64_t done = 0; done < arguments.count; done++) {
		if (arguments.cpu_ms_max > 0 && sim_batch_cpu_ms(&batch) > arguments.cpu_ms_max)
			break;
		if (!run_one(arguments.options, arguments.first + done))
			return 1;
	}
	if (!arguments.is_hashes)
		printf("%" PRIu64 " seeds clean, from %" PRIu64 "\n", batch.seeds, arguments.first);
	return conclude();
}

static void add_power(struct sim_result *total, const struct sim_result *result)
{
	total->height += result->height;
	total->transactions += result->transactions;
	total->acknowledged += result->acknowledged;
	total->events += result->events;
	total->power.cuts += result->power.cuts;
	total->power.cuts_down += result->power.cuts_down;
	for (uint32_t i = 0; i < SIM_POWER_MOMENTS; i++)
		total->power.cuts_at[i] += result->power.cuts_at[i];
}

static void print_power(const struct sim_result *total)
{
	const struct sim_power *power = &total->power;
	const char *format =
		arguments.is_json ?
			"{\"power_cuts\":%" PRIu64 ",\"at_sector\":%" PRIu64
			",\"in_recovery\":%" PRIu64 ",\"at_event\":%" PRIu64
			",\"at_message\":%" PRIu64 ",\"at_receipt\":%" PRIu64
			",\"before_all_were_up\":%" PRIu64 ",\"blocks\":%" PRIu64
			",\"transactions\":%" PRIu64 ",\"acknowledged\":%" PRIu64
			",\"lost\":0,\"events\":%" PRIu64 ",\"cpu_ms\":%" PRIu64 "}\n" :
			"%" PRIu64 " power cuts: %" PRIu64 " at a sector, %" PRIu64
			" in recovery, %" PRIu64 " at an event, %" PRIu64 " at a message, %" PRIu64
			" at a receipt; %" PRIu64 " before all were up\n%" PRIu64
			" blocks, %" PRIu64 " transactions, %" PRIu64
			" acknowledged, 0 lost, 0 twice, one order; %" PRIu64 " events, %" PRIu64
			" CPU ms\n";

	printf(format, power->cuts, power->cuts_at[SIM_POWER_SECTOR],
	       power->cuts_at[SIM_POWER_RECOVERY], power->cuts_at[SIM_POWER_EVENT],
	       power->cuts_at[SIM_POWER_MESSAGE], power->cuts_at[SIM_POWER_RECEIPT],
	       power->cuts_down, total->height, total->transactions, total->acknowledged,
	       total->events, sim_batch_cpu_ms(&batch));
}

/* A run that lost something does not return. */
static int run_power_cuts(void)
{
	struct sim_options options = arguments.options;
	uint64_t wanted = options.power_cuts;

	options.seed = arguments.first;
	while (sum.power.cuts < wanted) {
		uint64_t left = wanted - sum.power.cuts;
		struct sim_result result;

		options.power_cuts = left < POWER_CUTS_A_SEED ? left : POWER_CUTS_A_SEED;
		sim_run(&options, &result);
		print(options.seed, &result);
		add_power(&sum, &result);
		sim_batch_add(&batch, &result);
		options.seed++;
	}
	print_power(&sum);
	return conclude();
}

/* One run's memory serves the next: the kernel need not take it back and clear it. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, 16 << 20);
}

int main(int argc, char **argv)
{
	int code;

	if (!parse(argc, argv))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	keep_memory();
	if (crypto_start() < 0)
		return 2;
	if (arguments.shrinks) {
		arguments.options.seed = arguments.first;
		return sim_shrink(&arguments.options, arguments.shrink_cpu_s, arguments.expected) <=
		       0;
	}
	sim_batch_init(&batch, arguments.first);
	sim_on_fail(on_fail);
	if (arguments.options.power_cuts > 0)
		code = run_power_cuts();
	else
		code = arguments.file ? run_file() : run_range();
	sim_batch_fini(&batch);
	return code;
}
