#include "tests/sim/sim_shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/sim/sim_adversary.h"
#include "tests/sim/sim_options.h"

enum { REASON_BYTES = 200, OUTPUT_BYTES = 16384, ATTEMPT_CPU_S = 60 };

struct shrink {
	struct sim_options best;
	char reason[REASON_BYTES];
	uint64_t cpu_s; /* budget */
	uint32_t attempts;
	uint32_t taken;
};

/* ---- one attempt ---- */

static _Noreturn void run_child(const struct sim_options *options, int out)
{
	struct rlimit limit = { ATTEMPT_CPU_S, ATTEMPT_CPU_S + 1 };
	struct rlimit no_core = { 0, 0 };
	struct sim_result result;

	sim_on_fail(NULL);
	setrlimit(RLIMIT_CPU, &limit);
	setrlimit(RLIMIT_CORE, &no_core);
	if (dup2(out, STDERR_FILENO) < 0 || !freopen("/dev/null", "w", stdout))
		_exit(2);
	sim_run(options, &result);
	_exit(0);
}

static size_t read_all(int in, char *text, size_t room)
{
	char rest[512];
	size_t count = 0;

	for (;;) {
		bool is_full = count + 1 >= room;
		ssize_t got = is_full ? read(in, rest, sizeof(rest)) :
					read(in, text + count, room - 1 - count);

		if (got <= 0)
			break;
		count += is_full ? 0 : (size_t)got;
	}
	text[count] = '\0';
	return count;
}

/* Everything after `start` up to the end of the line; a run of digits becomes one '#'. */
static void reason_of(const char *start, char *ret_reason)
{
	size_t count = 0;

	while (*start && *start != '\n' && count + 1 < REASON_BYTES) {
		bool is_digit = *start >= '0' && *start <= '9';

		ret_reason[count++] = is_digit ? '#' : *start;
		while (is_digit && *start >= '0' && *start <= '9')
			start++;
		start += !is_digit;
	}
	ret_reason[count] = '\0';
}

static void judge(const char *text, int status, char *ret_reason)
{
	const char *failed = strstr(text, "FAILED seed");
	const char *ensured = strstr(text, "ensure failed");
	const char *event = failed ? strstr(failed, ", event ") : NULL;
	const char *colon = event ? strstr(event, ": ") : NULL;

	if (colon)
		reason_of(colon + 2, ret_reason);
	else if (ensured)
		reason_of(ensured, ret_reason);
	else if (WIFSIGNALED(status))
		snprintf(ret_reason, REASON_BYTES, "signal %d", WTERMSIG(status));
	else
		ret_reason[0] = '\0';
}

/* Runs once; `ret_reason` is empty when nothing failed. */
static void attempt(const struct sim_options *options, char *ret_reason)
{
	static char text[OUTPUT_BYTES];
	int pipes[2];
	int status = 0;
	pid_t child;

	fflush(NULL);
	ensure(pipe(pipes) == 0);
	child = fork();
	ensure(child >= 0);
	if (child == 0) {
		close(pipes[0]);
		run_child(options, pipes[1]);
	}
	close(pipes[1]);
	read_all(pipes[0], text, sizeof(text));
	close(pipes[0]);
	ensure(waitpid(child, &status, 0) == child);
	judge(text, status, ret_reason);
}

static uint64_t used_cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
}

static void print_command(FILE *file, const char *before, const struct sim_options *options)
{
	fprintf(file, "%s", before);
	sim_options_print(file, options);
	fprintf(file, "\n");
}

/* Keeps the smaller run if it fails for the same reason. */
static bool keep(struct shrink *shrink, const struct sim_options *smaller)
{
	char reason[REASON_BYTES];

	if (used_cpu_s() >= shrink->cpu_s)
		return false;
	shrink->attempts++;
	attempt(smaller, reason);
	if (strcmp(reason, shrink->reason) != 0)
		return false;
	shrink->best = *smaller;
	shrink->taken++;
	print_command(stdout, "still fails: ", smaller);
	return true;
}

/* ---- what can be made smaller ---- */

static struct sim_knobs knobs_of(const struct sim_options *options)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct sim_knobs knobs;

	ensure(sim);
	sim->options = *options;
	sim_swarm_draw(sim);
	sim_adversary_init(sim);
	sim_atlas_spare(sim);
	knobs = sim->knobs;
	sim_adversary_fini(sim);
	sim_clock_fini(&sim->clock);
	free(sim);
	return knobs;
}

/* Groups of classes, from all of them down to single ones. */
static bool shrink_faults(struct shrink *shrink)
{
	bool has_changed = false;

	for (uint32_t width = SIM_FAULT_COUNT; width > 0; width /= 2)
		for (uint32_t first = 0; first < SIM_FAULT_COUNT; first += width) {
			uint64_t present = knobs_of(&shrink->best).faults;
			uint64_t group = ((UINT64_C(1) << width) - 1) << first & present;
			struct sim_options smaller = shrink->best;

			smaller.without |= group;
			if (group != 0 && keep(shrink, &smaller))
				has_changed = true;
		}
	return has_changed;
}

static bool shrink_cluster(struct shrink *shrink)
{
	static const uint32_t sizes[] = { 4, 5 };
	struct sim_options smaller = shrink->best;

	for (uint32_t i = 0; i < UNITS_COUNT(sizes); i++) {
		smaller.n = sizes[i];
		if (smaller.n < knobs_of(&shrink->best).n && keep(shrink, &smaller))
			return true;
	}
	return false;
}

static bool shrink_clients(struct shrink *shrink)
{
	struct sim_options smaller = shrink->best;
	uint32_t clients = knobs_of(&shrink->best).clients;

	for (smaller.clients = 1; smaller.clients < clients; smaller.clients *= 2)
		if (keep(shrink, &smaller))
			return true;
	return false;
}

/* From an eighth upwards: most failures need little, and short runs cost little. */
static bool shrink_blocks(struct shrink *shrink)
{
	uint32_t blocks = knobs_of(&shrink->best).blocks;

	for (uint32_t eighths = 1; eighths < 8; eighths++) {
		struct sim_options smaller = shrink->best;

		smaller.blocks = blocks * eighths / 8;
		if (smaller.blocks > 0 && smaller.blocks < blocks && keep(shrink, &smaller))
			return true;
	}
	return false;
}

static bool shrink_chaos(struct shrink *shrink)
{
	uint64_t chaos_ms = knobs_of(&shrink->best).chaos_ns / UNITS_NS_PER_MS;

	for (uint64_t eighths = 1; eighths < 8; eighths++) {
		struct sim_options smaller = shrink->best;
		uint64_t shorter_ms = chaos_ms * eighths / 8;

		smaller.chaos_ns = shorter_ms * UNITS_NS_PER_MS;
		if (shorter_ms > 0 && shorter_ms < chaos_ms && keep(shrink, &smaller))
			return true;
	}
	return false;
}

/* Each kind gets smaller or nothing changes, so the rounds come to an end. */
static bool shrink_round(struct shrink *shrink)
{
	bool has_changed = shrink_faults(shrink);

	has_changed |= shrink_cluster(shrink);
	has_changed |= shrink_clients(shrink);
	has_changed |= shrink_blocks(shrink);
	has_changed |= shrink_chaos(shrink);
	return has_changed;
}

int sim_shrink(const struct sim_options *options, uint64_t cpu_s, const char *expected)
{
	struct shrink shrink = { .best = *options, .cpu_s = used_cpu_s() + cpu_s };

	shrink.best.is_verbose = false;
	attempt(&shrink.best, shrink.reason);
	if (shrink.reason[0] == '\0' || (expected && !strstr(shrink.reason, expected))) {
		printf("seed %" PRIu64 " does not fail so: %s\n", options->seed, shrink.reason);
		return -1;
	}
	printf("shrinking: %s\n", shrink.reason);
	while (shrink_round(&shrink))
		;
	printf("shrunk %u times in %u attempts\n", shrink.taken, shrink.attempts);
	print_command(stdout, "smallest: ", &shrink.best);
	return (int)shrink.taken;
}
