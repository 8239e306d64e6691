/* quorate-store: offline work on a node's store: make it, describe it, check every byte. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_session.h"
#include "node/node_identity.h"
#include "replica/replica.h"
#include "storage/blocklog_dev_file.h"
#include "storage/blocklog_reader.h"
#include "storage/blocklog_store.h"
#include "wire/wire_message.h"

enum { EXIT_GOOD = 0, EXIT_DAMAGED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 4 };

enum { REASON_BYTES = 512, SEGMENTS_MAX = 65536 };

struct store_options {
	const char *command;
	const char *directory;
	const char *genesis;
	uint64_t id;
	bool has_id;
	uint64_t segment_mib;
	bool allow_buffered;
	bool json;
};

static const char help[] =
	"usage: quorate-store format --dir DIR --genesis FILE --id N\n"
	"                            [--segment-mib N] [--allow-buffered]\n"
	"       quorate-store info   --dir DIR [--json]\n"
	"       quorate-store verify --dir DIR [--json]\n"
	"\n"
	"  format   makes an empty store with safety record 0; refuses to touch an existing one\n"
	"  info     whose store it is and how far its logs reach\n"
	"  verify   reads every record and checks it; the node must be stopped\n"
	"\n"
	"exit codes: 0 good, 1 damaged, 2 usage, 4 refused (exists, busy, foreign, not readable)\n";

static int say(int code, const char *format, ...)
{
	va_list arguments;

	fputs("quorate-store: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

static void *take(size_t bytes)
{
	return aligned_alloc(4096, units_round_up(bytes, 4096));
}

/* ---- format ---- */

static size_t record_zero(const struct node_identity *identity, uint8_t *ret_bytes, size_t room)
{
	static struct hs_record record; /* all views 0: nothing was ever signed */
	int count;

	record.epoch = identity->validators.epoch;
	record.high_qc.epoch = record.epoch;
	record.high_qc.block_id = identity->genesis_id;
	record.committed_id = identity->genesis_id;
	count = wire_encode_record(&record, ret_bytes, room);
	return count > 0 ? (size_t)count : 0;
}

static int format_store(const struct store_options *options)
{
	static struct node_identity identity;
	uint8_t record[BLOCKLOG_SAFETY_BYTES_MAX];
	char reason[REASON_BYTES] = "";
	struct blocklog_dev_file_options device = { .directory = options->directory,
						    .make_directory = true,
						    .allow_buffered = options->allow_buffered };
	struct blocklog_config config = { .segment_bytes = options->segment_mib * UNITS_MIB,
					  .group_bytes_max = 2 * UNITS_MIB,
					  .segments_max = SEGMENTS_MAX };
	struct blocklog_dev *dev = NULL;
	size_t bytes;
	void *memory;
	int code = node_identity_genesis(options->genesis, &identity, reason);

	if (code < 0)
		return say(EXIT_REFUSED, "%s", reason);
	if (options->id >= identity.genesis.member_count)
		return say(EXIT_REFUSED, "--id %" PRIu64 ": the genesis has members 0 to %u",
			   options->id, identity.genesis.member_count - 1);
	config.identity = (struct blocklog_identity){ .chain_id = identity.chain_id,
						      .node_id = (uint32_t)options->id };
	crypto_random(&config.salt, sizeof(config.salt));
	bytes = blocklog_store_footprint(&config);
	memory = bytes ? take(bytes) : NULL;
	if (!memory)
		return say(EXIT_REFUSED,
			   "--segment-mib %" PRIu64 ": must be a power of two, at least 1",
			   options->segment_mib);
	code = blocklog_dev_file_open(&device, &dev, reason, sizeof(reason));
	if (code < 0)
		return say(EXIT_REFUSED, "%s", reason);
	code = blocklog_store_format(dev, &config, record,
				     record_zero(&identity, record, sizeof(record)), memory, bytes);
	blocklog_dev_file_close(dev);
	free(memory);
	if (code == ERR_DUPLICATE)
		return say(EXIT_REFUSED,
			   "%s: holds a store already; a store is never made twice, "
			   "use a new directory and a new key",
			   options->directory);
	if (code < 0)
		return say(EXIT_REFUSED, "%s: %s", options->directory, err_text(code));
	printf("store made in %s for member %" PRIu64 " of chain %s\n", options->directory,
	       options->id, identity.genesis.name);
	return EXIT_GOOD;
}

/* ---- info, verify ---- */

struct log_report {
	uint64_t end;
	uint64_t torn_bytes;
	uint64_t records;
	uint64_t bytes;
	uint64_t damaged_at;
	int code;
};

static const char *const log_names[BLOCKLOG_LOG_COUNT] = { "safety", "lane", "block" };

static void read_log(struct blocklog_reader *reader, enum blocklog_log log, bool all,
		     struct log_report *ret_report)
{
	struct blocklog_view view;
	uint64_t position = 0;
	int code = blocklog_reader_tail(reader, log, &ret_report->end, &ret_report->torn_bytes);

	while (code == 0 && all) {
		int more = blocklog_reader_next(reader, log, &position, ret_report->end, &view);

		if (more < 0)
			code = more;
		if (more <= 0)
			break;
		ret_report->records++;
		ret_report->bytes += view.count;
	}
	ret_report->damaged_at = position;
	ret_report->code = code;
}

static void print_text(const struct log_report *reports, bool all)
{
	for (int log = BLOCKLOG_LANE; log < BLOCKLOG_LOG_COUNT; log++) {
		const struct log_report *report = &reports[log];

		printf("%-6s log: %" PRIu64 " bytes, torn tail of %" PRIu64 " bytes",
		       log_names[log], report->end, report->torn_bytes);
		if (all && report->code == 0)
			printf(", %" PRIu64 " records good", report->records);
		if (report->code < 0)
			printf(", DAMAGED at position %" PRIu64 ": %s", report->damaged_at,
			       err_text(report->code));
		putchar('\n');
	}
}

static void print_json(const struct blocklog_identity *identity, const struct log_report *reports,
		       int safety)
{
	printf("{\"node\":%u,\"safety_record\":%s", identity->node_id,
	       safety == 0 ? "true" : "false");
	for (int log = BLOCKLOG_LANE; log < BLOCKLOG_LOG_COUNT; log++)
		printf(",\"%s\":{\"end\":%" PRIu64 ",\"torn_bytes\":%" PRIu64
		       ",\"records\":%" PRIu64 ",\"damaged\":%s,\"position\":%" PRIu64 "}",
		       log_names[log], reports[log].end, reports[log].torn_bytes,
		       reports[log].records, reports[log].code < 0 ? "true" : "false",
		       reports[log].damaged_at);
	puts("}");
}

static int read_store(const struct store_options *options, bool all)
{
	struct log_report reports[BLOCKLOG_LOG_COUNT] = { 0 };
	char reason[REASON_BYTES] = "";
	size_t bytes = blocklog_reader_footprint();
	void *memory = take(bytes);
	struct blocklog_reader *reader = NULL;
	struct blocklog_view view;
	bool is_damaged = false;
	int safety;

	if (!memory)
		return say(EXIT_REFUSED, "no memory");
	if (blocklog_reader_open(options->directory, memory, bytes, &reader, reason,
				 sizeof(reason)) < 0)
		return say(EXIT_REFUSED, "%s", reason);
	for (int log = BLOCKLOG_LANE; log < BLOCKLOG_LOG_COUNT; log++) {
		read_log(reader, (enum blocklog_log)log, all, &reports[log]);
		is_damaged |= reports[log].code < 0;
	}
	safety = blocklog_reader_safety(reader, &view);
	if (options->json) {
		print_json(blocklog_reader_identity(reader), reports, safety);
	} else {
		printf("store of node %u\n", blocklog_reader_identity(reader)->node_id);
		print_text(reports, all);
		printf("safety record: %s\n",
		       safety == 0 ? "good" : "UNREADABLE: the node would only observe");
	}
	blocklog_reader_close(reader);
	free(memory);
	return is_damaged || safety < 0 ? EXIT_DAMAGED : EXIT_GOOD;
}

/* ---- command line ---- */

static bool number_of(const char *text, uint64_t maximum, uint64_t *ret_number)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || number > maximum)
		return false;
	*ret_number = number;
	return true;
}

static bool parse(int argc, char **argv, struct store_options *ret_options)
{
	static const struct option table[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "genesis", required_argument, NULL, 'g' },
		{ "id", required_argument, NULL, 'i' },
		{ "segment-mib", required_argument, NULL, 's' },
		{ "allow-buffered", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		if (option == 'd')
			ret_options->directory = optarg;
		else if (option == 'g')
			ret_options->genesis = optarg;
		else if (option == 'i')
			good = ret_options->has_id = number_of(optarg, 99, &ret_options->id);
		else if (option == 's')
			good = number_of(optarg, 1024, &ret_options->segment_mib);
		else if (option == 'b')
			ret_options->allow_buffered = true;
		else if (option == 'j')
			ret_options->json = true;
		else
			good = false;
	}
	if (good && optind == argc - 1)
		ret_options->command = argv[optind];
	return good && ret_options->command && ret_options->directory;
}

int main(int argc, char **argv)
{
	struct store_options options = { .segment_mib = 64 };

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return EXIT_GOOD;
	}
	if (!parse(argc, argv, &options)) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	if (crypto_start() < 0)
		return say(EXIT_REFUSED, "libsodium does not start");
	if (strcmp(options.command, "format") == 0 && options.genesis && options.has_id)
		return format_store(&options);
	if (strcmp(options.command, "info") == 0)
		return read_store(&options, false);
	if (strcmp(options.command, "verify") == 0)
		return read_store(&options, true);
	fputs(help, stderr);
	return EXIT_USAGE;
}
