/* bench_report: the JSON is JSON, and says what the run came to. */
#define _GNU_SOURCE
#include "bench/bench_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "tests/lib/unit_main.h"

static struct bench_load load;
static struct bench_result result;
static struct bench_targets targets;

static struct bench_report report(void)
{
	memset(&load, 0, sizeof(load));
	memset(&result, 0, sizeof(result));
	memset(&targets, 0, sizeof(targets));
	load.config.transactions = 1000;
	result.start_ns = 5 * UNITS_NS_PER_S;
	result.end_ns = 7 * UNITS_NS_PER_S;
	result.transactions_final = 900;
	result.frames_resent = 3;
	result.gap_ns_max = 250 * UNITS_NS_PER_MS;
	result.refused[-ERR_FULL - 1000] = 4;
	result.refused[-ERR_AHEAD - 1000] = 2;
	result.frames_to[0] = 11;
	result.frames_to[1] = 12;
	targets.count = 2;
	targets.target[0].is_memif = true;
	histogram_reset(&result.latency);
	for (int i = 0; i < 1000; i++)
		histogram_add(&result.latency, (uint64_t)(i + 1) * UNITS_NS_PER_MS);
	return (struct bench_report){ .load = &load,
				      .result = &result,
				      .targets = &targets,
				      .rate = 500,
				      .busy_fraction = 0.25 };
}

static void print(const struct bench_report *r, void (*how)(const struct bench_report *, FILE *),
		  char ret_text[4096])
{
	FILE *out = fmemopen(ret_text, 4096, "w");

	UNIT_REQUIRE(out != NULL);
	how(r, out);
	UNIT_REQUIRE(fclose(out) == 0);
}

static void the_rate_counts_from_start_to_the_last_final_one(void)
{
	struct bench_report r = report();

	UNIT_CHECK(bench_report_rate(&r) > 449.9 && bench_report_rate(&r) < 450.1);
	result.end_ns = result.start_ns;
	UNIT_CHECK(bench_report_rate(&r) >= 0 && bench_report_rate(&r) <= 0);
}

/* Nested brackets, quoted names, one value each, no comma too many: enough of a JSON parser. */
static const char *json_skip(const char *at)
{
	char close = *at == '{' ? '}' : ']';

	if (*at == '"') {
		at = strchr(at + 1, '"');
		return at ? at + 1 : NULL;
	}
	if (*at != '{' && *at != '[') {
		char *end;

		(void)strtod(at, &end);
		return end == at ? NULL : end;
	}
	if (at[1] == close)
		return at + 2;
	do {
		if (close == '}') {
			at = at[1] == '"' ? json_skip(at + 1) : NULL;
			if (!at || *at != ':')
				return NULL;
		}
		at = json_skip(at + 1);
	} while (at && *at == ',');
	return at && *at == close ? at + 1 : NULL;
}

static void the_json_is_one_whole_document(void)
{
	struct bench_report r = report();
	char text[4096];
	const char *end;

	print(&r, bench_report_json, text);
	end = json_skip(text);
	UNIT_REQUIRE(end != NULL);
	UNIT_CHECK(strcmp(end, "\n") == 0);
	memset(result.refused, 0, sizeof(result.refused));
	print(&r, bench_report_json, text);
	end = json_skip(text);
	UNIT_REQUIRE(end != NULL);
	UNIT_CHECK(strcmp(end, "\n") == 0);
	UNIT_CHECK(json_skip("{\"a\":1,}") == NULL);
}

static void says(const char *text, const char *wanted)
{
	if (!strstr(text, wanted)) {
		printf("    '%s' is not in: %s\n", wanted, text);
		UNIT_EQUAL(0, 1); /* the report lacks it */
	}
}

static void the_json_says_what_happened(void)
{
	struct bench_report r = report();
	char text[4096];

	print(&r, bench_report_json, text);
	says(text, "\"submitted\":1000,\"final\":900");
	says(text, "\"tx_per_s\":450.0");
	says(text, "\"gap_us_max\":250000");
	says(text, "\"frames_resent\":3");
	says(text, "\"frames_per_port\":[11,12]");
	says(text, "\"FULL\":4");
	says(text, "\"AHEAD\":2");
	says(text, "\"ports\":\"memif\"");
	targets.target[0].is_memif = false;
	print(&r, bench_report_json, text);
	says(text, "\"ports\":\"af_packet\"");
}

static void percentiles_are_those_of_the_latencies(void)
{
	struct bench_report r = report();
	char text[4096];
	const char *at;
	double p50;

	print(&r, bench_report_json, text);
	at = strstr(text, "\"p50_us\":");
	UNIT_REQUIRE(at != NULL);
	p50 = strtod(at + 9, NULL);
	UNIT_CHECK(p50 >= 490000 && p50 <= 570000);
	at = strstr(text, "\"max_us\":");
	UNIT_REQUIRE(at != NULL);
	UNIT_CHECK(strtod(at + 9, NULL) >= 1000000);
}

static void the_text_names_every_refusal(void)
{
	struct bench_report r = report();
	char text[4096];

	print(&r, bench_report_text, text);
	says(text, "final 900 of 1000");
	says(text, "refused: 4 x ");
	says(text, err_text(ERR_AHEAD));
}

UNIT_SUITE("bench_report", UNIT_TEST(the_rate_counts_from_start_to_the_last_final_one),
	   UNIT_TEST(the_json_is_one_whole_document), UNIT_TEST(the_json_says_what_happened),
	   UNIT_TEST(percentiles_are_those_of_the_latencies),
	   UNIT_TEST(the_text_names_every_refusal))
