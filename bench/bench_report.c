#include "bench/bench_report.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/units.h"

static const struct {
	const char *name;
	uint32_t parts_per_100k;
} percentiles[] = {
	{ "p50", 50000 }, { "p90", 90000 }, { "p99", 99000 }, { "p999", 99900 }, { "max", 100000 },
};

static double seconds_of(const struct bench_report *report)
{
	const struct bench_result *result = report->result;

	return result->end_ns > result->start_ns ?
		       (double)(result->end_ns - result->start_ns) / (double)UNITS_NS_PER_S :
		       0;
}

double bench_report_rate(const struct bench_report *report)
{
	double seconds = seconds_of(report);

	return seconds > 0 ? (double)report->result->transactions_final / seconds : 0;
}

static double latency_us(const struct bench_report *report, uint32_t parts_per_100k)
{
	return (double)histogram_percentile(&report->result->latency, parts_per_100k) / 1000;
}

void bench_report_text(const struct bench_report *report, FILE *out)
{
	const struct bench_result *result = report->result;

	fprintf(out, "final %" PRIu64 " of %" PRIu64 " transactions in %.2f s: %.0f tx/s\n",
		result->transactions_final, report->load->config.transactions, seconds_of(report),
		bench_report_rate(report));
	fprintf(out, "latency from when each was due:");
	for (size_t i = 0; i < UNITS_COUNT(percentiles); i++)
		fprintf(out, "  %s %.2f ms", percentiles[i].name,
			latency_us(report, percentiles[i].parts_per_100k) / 1000);
	fprintf(out,
		"\nlongest time without a final one: %.0f ms; sent again: %" PRIu64 " frames\n",
		(double)result->gap_ns_max / 1e6, result->frames_resent);
	for (uint32_t i = 0; i < BENCH_REASONS_MAX; i++)
		if (result->refused[i] > 0)
			fprintf(out, "refused: %" PRIu64 " x %s\n", result->refused[i],
				err_text(-1000 - (int)i));
}

static void json_refused(const struct bench_result *result, FILE *out)
{
	const char *comma = "";

	fprintf(out, ",\"refused\":{");
	for (uint32_t i = 0; i < BENCH_REASONS_MAX; i++) {
		if (result->refused[i] == 0)
			continue;
		fprintf(out, "%s\"%s\":%" PRIu64, comma, err_name(-1000 - (int)i),
			result->refused[i]);
		comma = ",";
	}
	fprintf(out, "}");
}

void bench_report_json(const struct bench_report *report, FILE *out)
{
	const struct bench_load_config *config = &report->load->config;
	const struct bench_result *result = report->result;

	fprintf(out, "{\"submitted\":%" PRIu64 ",\"final\":%" PRIu64 ",\"seconds\":%.6f",
		config->transactions, result->transactions_final, seconds_of(report));
	fprintf(out, ",\"rate_asked\":%.0f,\"tx_per_s\":%.1f", report->rate,
		bench_report_rate(report));
	for (size_t i = 0; i < UNITS_COUNT(percentiles); i++)
		fprintf(out, ",\"%s_us\":%.1f", percentiles[i].name,
			latency_us(report, percentiles[i].parts_per_100k));
	fprintf(out, ",\"gap_us_max\":%.0f", (double)result->gap_ns_max / 1000);
	fprintf(out,
		",\"payload_bytes\":%u,\"transactions_per_frame\":%u,\"frames_per_seal\":%u"
		",\"clients\":%u",
		config->payload_bytes, config->transactions_per_frame, config->frames_per_seal,
		config->clients);
	fprintf(out,
		",\"frames_sent\":%" PRIu64 ",\"frames_resent\":%" PRIu64 ",\"receipts\":%" PRIu64,
		result->frames_sent, result->frames_resent, result->receipts);
	fprintf(out, ",\"frames_per_port\":[");
	for (uint32_t i = 0; i < report->targets->count; i++)
		fprintf(out, "%s%" PRIu64, i ? "," : "", result->frames_to[i]);
	fprintf(out, "]");
	json_refused(result, out);
	fprintf(out, ",\"ports\":\"%s\",\"generator_busy\":%.3f}\n",
		report->targets->target[0].is_memif ? "memif" : "af_packet", report->busy_fraction);
}
