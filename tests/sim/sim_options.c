#include "tests/sim/sim_options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "tests/sim/sim_adversary.h"

struct flag {
	const char *word;
	size_t offset;
};

static const struct flag flags[] = {
	{ "--calm", offsetof(struct sim_options, is_calm) },
	{ "--lag", offsetof(struct sim_options, is_lag) },
	{ "--lying-disk", offsetof(struct sim_options, is_lying_disk) },
	{ "--alone", offsetof(struct sim_options, is_alone) },
	{ "--mute", offsetof(struct sim_options, is_mute) },
	{ "--early-store", offsetof(struct sim_options, is_early_store) },
	{ "--real-hash", offsetof(struct sim_options, is_real_hash) },
	{ "--late-look", offsetof(struct sim_options, is_late_look) },
	{ "--fatal", offsetof(struct sim_options, is_fatal) },
	{ "--frail", offsetof(struct sim_options, is_frail) },
	{ "--too-many-twins", offsetof(struct sim_options, is_too_many_twins) },
	{ "--verbose", offsetof(struct sim_options, is_verbose) },
};

bool sim_options_number(int argc, char **argv, int *i, uint64_t *ret_value)
{
	char *end = NULL;

	if (*i + 1 >= argc)
		return false;
	*ret_value = strtoull(argv[++*i], &end, 0);
	return end != argv[*i] && *end == '\0';
}

static bool is_word(const char *text, size_t count, const char *word)
{
	return strlen(word) == count && memcmp(text, word, count) == 0;
}

/* Words with commas between them. */
static bool parse_without(const char *text, uint64_t *ret_faults)
{
	uint64_t faults = 0;

	while (*text) {
		size_t count = strcspn(text, ",");
		uint32_t i = 0;

		while (i < SIM_FAULT_COUNT &&
		       !is_word(text, count, sim_fault_word((enum sim_fault)i)))
			i++;
		if (i == SIM_FAULT_COUNT)
			return false;
		faults |= UINT64_C(1) << i;
		text += count;
		if (*text == ',')
			text++;
	}
	*ret_faults = faults;
	return true;
}

static int parse_value(int argc, char **argv, int *i, struct sim_options *options)
{
	const char *word = argv[*i];
	uint64_t value;

	if (strcmp(word, "--without") == 0)
		return *i + 1 < argc && parse_without(argv[++*i], &options->without) ? 1 : -1;
	if (strcmp(word, "--trace") == 0) {
		options->trace_name = *i + 1 < argc ? argv[++*i] : NULL;
		return options->trace_name ? 1 : -1;
	}
	if (strcmp(word, "--adversary") == 0)
		return *i + 1 < argc && sim_adversary_parse(argv[++*i], &options->adversary) ? 1 :
											       -1;
	if (strcmp(word, "--n") != 0 && strcmp(word, "--blocks") != 0 &&
	    strcmp(word, "--clients") != 0 && strcmp(word, "--chaos-ms") != 0 &&
	    strcmp(word, "--power-cuts") != 0)
		return 0;
	if (!sim_options_number(argc, argv, i, &value) || value > UINT32_MAX)
		return -1;
	if (strcmp(word, "--n") == 0)
		options->n = (uint32_t)value;
	else if (strcmp(word, "--blocks") == 0)
		options->blocks = (uint32_t)value;
	else if (strcmp(word, "--clients") == 0)
		options->clients = (uint32_t)value;
	else if (strcmp(word, "--power-cuts") == 0)
		options->power_cuts = value;
	else
		options->chaos_ns = value * UNITS_NS_PER_MS;
	return 1;
}

int sim_options_parse(int argc, char **argv, int *i, struct sim_options *options)
{
	for (size_t k = 0; k < UNITS_COUNT(flags); k++) {
		if (strcmp(argv[*i], flags[k].word) != 0)
			continue;
		*(bool *)((char *)options + flags[k].offset) = true;
		return 1;
	}
	return parse_value(argc, argv, i, options);
}

bool sim_options_are_good(const struct sim_options *options)
{
	return options->n <= SIM_NODES_MAX && options->n != 2 && options->n != 3 &&
	       options->clients <= SIM_CLIENTS_MAX;
}

static void print_without(FILE *file, uint64_t faults)
{
	const char *before = " --without ";

	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
		if (!(faults >> i & 1))
			continue;
		fprintf(file, "%s%s", before, sim_fault_word((enum sim_fault)i));
		before = ",";
	}
}

void sim_options_print(FILE *file, const struct sim_options *options)
{
	fprintf(file, "quorate-sim --seed %" PRIu64, options->seed);
	if (options->n > 0)
		fprintf(file, " --n %u", options->n);
	if (options->blocks > 0)
		fprintf(file, " --blocks %u", options->blocks);
	if (options->chaos_ns > 0)
		fprintf(file, " --chaos-ms %" PRIu64, options->chaos_ns / UNITS_NS_PER_MS);
	if (options->clients > 0)
		fprintf(file, " --clients %u", options->clients);
	if (options->power_cuts > 0)
		fprintf(file, " --power-cuts %" PRIu64, options->power_cuts);
	if (options->adversary != SIM_ADVERSARY_DRAWN)
		fprintf(file, " --adversary %s", sim_adversary_name(options->adversary));
	print_without(file, options->without);
	for (size_t k = 0; k < UNITS_COUNT(flags); k++)
		if (flags[k].offset != offsetof(struct sim_options, is_verbose) &&
		    *((const char *)options + flags[k].offset))
			fprintf(file, " %s", flags[k].word);
}
