/* quorate-bench: open-loop load over DPDK ports, and what became final of it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "bench/bench_load.h"
#include "bench/bench_report.h"
#include "bench/bench_run.h"
#include "bench/bench_target.h"
#include "crypto/crypto_session.h"
#include "crypto/crypto_sign.h"

enum { EXIT_GOOD = 0, EXIT_LOST = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

static const char help[] =
	"usage: quorate-bench run --lab DIR [options]\n"
	"       quorate-bench run --genesis FILE --target R,IF,NODE,OWN[,PORT] ... [options]\n"
	"\n"
	"  --rate N                    transactions a second, default 10000; 0: no pause\n"
	"  --duration S                how long (default 10), or\n"
	"  --transactions N            how many in all\n"
	"  --clients N                 client keys (default 100)\n"
	"  --transactions-per-frame N  default 8\n"
	"  --frames-per-seal N         frames behind one signature, 1 to 64 (default 16)\n"
	"  --payload-bytes N           default 128\n"
	"  --in-flight N               frames under way at most; default 65536, rate 0: 512\n"
	"  --resend-ms N               through the next node, then after twice this; default 500\n"
	"  --patience S                end this long after the last final one (default 15)\n"
	"  --expires H                 last height of the order for frames; default 524288\n"
	"  --seed N                    of keys and payloads (default: random)\n"
	"  --ids FILE                  write every transaction's id before the first is sent\n"
	"  --json FILE                 write the result; - for standard output\n"
	"  --quiet                     no progress line\n"
	"\n"
	"A transaction is final when f+1 nodes sent the same receipt. Latency counts from when a\n"
	"frame was due, not from when it was sent. exit codes: 0 all final, 1 some are not,\n"
	"2 usage, 3 refused\n";

struct options {
	struct bench_targets targets;
	struct bench_load_config load;
	double rate;
	double duration_s;
	uint64_t in_flight;
	uint64_t resend_ms;
	uint64_t patience_s;
	const char *ids;
	const char *json;
	bool is_quiet;
};

static int say(int code, const char *format, ...)
{
	va_list arguments;

	fputs("quorate-bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

static bool number_of(const char *text, uint64_t *ret_number)
{
	char *end;

	*ret_number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0';
}

enum {
	OPTION_LAB = 256,
	OPTION_GENESIS,
	OPTION_TARGET,
	OPTION_RATE,
	OPTION_DURATION,
	OPTION_TRANSACTIONS,
	OPTION_CLIENTS,
	OPTION_PER_FRAME,
	OPTION_PER_SEAL,
	OPTION_PAYLOAD,
	OPTION_IN_FLIGHT,
	OPTION_RESEND,
	OPTION_PATIENCE,
	OPTION_EXPIRES,
	OPTION_SEED,
	OPTION_IDS,
	OPTION_JSON,
	OPTION_QUIET,
	OPTION_HELP,
};

static const struct option table[] = {
	{ "lab", required_argument, NULL, OPTION_LAB },
	{ "genesis", required_argument, NULL, OPTION_GENESIS },
	{ "target", required_argument, NULL, OPTION_TARGET },
	{ "rate", required_argument, NULL, OPTION_RATE },
	{ "duration", required_argument, NULL, OPTION_DURATION },
	{ "transactions", required_argument, NULL, OPTION_TRANSACTIONS },
	{ "clients", required_argument, NULL, OPTION_CLIENTS },
	{ "transactions-per-frame", required_argument, NULL, OPTION_PER_FRAME },
	{ "frames-per-seal", required_argument, NULL, OPTION_PER_SEAL },
	{ "payload-bytes", required_argument, NULL, OPTION_PAYLOAD },
	{ "in-flight", required_argument, NULL, OPTION_IN_FLIGHT },
	{ "resend-ms", required_argument, NULL, OPTION_RESEND },
	{ "patience", required_argument, NULL, OPTION_PATIENCE },
	{ "expires", required_argument, NULL, OPTION_EXPIRES },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "ids", required_argument, NULL, OPTION_IDS },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

/* Options that are one number; false for another option or no number. */
static bool take_number(struct options *o, int option, const char *text)
{
	uint64_t number;

	if (!number_of(text, &number))
		return false;
	switch (option) {
	case OPTION_RATE:
		o->rate = (double)number;
		return true;
	case OPTION_DURATION:
		o->duration_s = (double)number;
		return number > 0;
	case OPTION_TRANSACTIONS:
		o->load.transactions = number;
		return number > 0;
	case OPTION_CLIENTS:
		o->load.clients = (uint32_t)number;
		return true;
	case OPTION_PER_FRAME:
		o->load.transactions_per_frame = (uint32_t)number;
		return true;
	case OPTION_PER_SEAL:
		o->load.frames_per_seal = (uint32_t)number;
		return true;
	case OPTION_PAYLOAD:
		o->load.payload_bytes = (uint32_t)number;
		return true;
	case OPTION_IN_FLIGHT:
		o->in_flight = number;
		return number > 0;
	case OPTION_RESEND:
		o->resend_ms = number;
		return number > 0;
	case OPTION_PATIENCE:
		o->patience_s = number;
		return number > 0;
	case OPTION_EXPIRES:
		o->load.expires = number;
		return true;
	case OPTION_SEED:
		o->load.seed = number;
		return true;
	default:
		return false;
	}
}

static int take_option(struct options *o, int option, const char *text)
{
	char reason[BENCH_REASON_BYTES];
	int code = 0;

	switch (option) {
	case OPTION_LAB:
		code = bench_targets_lab(text, &o->targets, reason);
		break;
	case OPTION_TARGET:
		code = bench_targets_add(&o->targets, text, reason);
		break;
	case OPTION_GENESIS:
		snprintf(o->targets.genesis, sizeof(o->targets.genesis), "%s", text);
		return 0;
	case OPTION_IDS:
		o->ids = text;
		return 0;
	case OPTION_JSON:
		o->json = text;
		return 0;
	case OPTION_QUIET:
		o->is_quiet = true;
		return 0;
	default:
		return text && take_number(o, option, text) ?
			       0 :
			       say(EXIT_USAGE, "a whole number is expected, not '%s'; see --help",
				   text ? text : "");
	}
	return code < 0 ? say(EXIT_REFUSED, "%s", reason) : 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		int code;

		if (option == OPTION_HELP) {
			fputs(help, stdout);
			exit(EXIT_GOOD);
		}
		if (option == '?')
			return EXIT_USAGE;
		code = take_option(o, option, optarg);
		if (code != 0)
			return code;
	}
	if (optind != argc - 1 || strcmp(argv[optind], "run") != 0 || o->targets.count == 0) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	if (o->load.transactions == 0)
		o->load.transactions = (uint64_t)((o->rate > 0 ? o->rate : 30000) * o->duration_s);
	if (o->in_flight == 0)
		o->in_flight = o->rate > 0 ? 65536 : 512;
	return 0;
}

static void signing_progress(uint64_t done, uint64_t total)
{
	if (isatty(STDERR_FILENO) && done * 20 / total != (done + 1) * 20 / total)
		fprintf(stderr, "\rsigning %3" PRIu64 " %%", done * 100 / total);
}

static int write_json(const struct options *o, const struct bench_report *report)
{
	FILE *out = strcmp(o->json, "-") == 0 ? stdout : fopen(o->json, "we");

	if (!out)
		return say(EXIT_REFUSED, "--json %s: cannot be written", o->json);
	bench_report_json(report, out);
	if (out != stdout)
		fclose(out);
	return EXIT_GOOD;
}

static int run(struct options *o)
{
	static struct bench_run run;
	struct bench_load load;
	struct bench_report report;
	char reason[BENCH_REASON_BYTES] = "";
	const char *why = NULL;
	int code = bench_run_genesis(&run, o->targets.genesis, reason);

	if (code < 0)
		return say(EXIT_REFUSED, "%s", reason);
	o->load.chain_id = run.chain_id;
	if (bench_load_bytes(&o->load, &why) == 0)
		return say(EXIT_USAGE, "%s", why);
	code = bench_load_build(&o->load, o->is_quiet ? NULL : signing_progress, &load);
	if (code < 0)
		return say(EXIT_REFUSED, "%" PRIu64 " transactions: %s", o->load.transactions,
			   err_text(code));
	if (o->ids && (code = bench_load_write_ids(&load, o->ids)) < 0)
		return say(EXIT_REFUSED, "--ids %s: %s", o->ids, err_text(code));
	code = bench_run(&run,
			 &(struct bench_run_config){ .targets = &o->targets,
						     .load = &load,
						     .rate = o->rate,
						     .in_flight = o->in_flight,
						     .resend_ns = o->resend_ms * UNITS_NS_PER_MS,
						     .patience_ns = o->patience_s * UNITS_NS_PER_S,
						     .is_quiet = o->is_quiet },
			 reason);
	if (code < 0)
		return say(EXIT_REFUSED, "%s", reason);
	report = (struct bench_report){ .load = &load,
					.result = run.result,
					.targets = &o->targets,
					.rate = o->rate,
					.busy_fraction = run.busy_fraction };
	bench_report_text(&report, o->json && strcmp(o->json, "-") == 0 ? stderr : stdout);
	code = o->json ? write_json(o, &report) : EXIT_GOOD;
	if (run.result->frames_final != load.frame_count)
		code = EXIT_LOST;
	bench_run_close(&run);
	bench_load_free(&load);
	return code;
}

int main(int argc, char **argv)
{
	static struct options options = {
		.load = { .clients = 100,
			  .transactions_per_frame = 8,
			  .frames_per_seal = 16,
			  .payload_bytes = 128,
			  .expires = 1 << 19 },
		.rate = 10000,
		.duration_s = 10,
		.resend_ms = 500,
		.patience_s = 15,
	};
	int code;

	if (crypto_start() < 0)
		return say(EXIT_REFUSED, "libsodium does not start");
	crypto_random(&options.load.seed, sizeof(options.load.seed));
	code = parse(argc, argv, &options);
	return code != 0 ? code : run(&options);
}
