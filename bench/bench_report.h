/*
 * bench_report: what a run came to, for people and for programs.
 */
#ifndef QUORATE_BENCH_REPORT_H
#define QUORATE_BENCH_REPORT_H

#include <stdio.h>

#include "bench/bench_load.h"
#include "bench/bench_target.h"
#include "bench/bench_tile.h"

struct bench_report {
	const struct bench_load *load;
	const struct bench_result *result;
	const struct bench_targets *targets;
	double rate;          /* asked for, transactions a second; 0: as fast as possible */
	double busy_fraction; /* of the generator's own core */
};

/* Final transactions a second, from the start to the last final one. */
double bench_report_rate(const struct bench_report *report);

void bench_report_text(const struct bench_report *report, FILE *out);
void bench_report_json(const struct bench_report *report, FILE *out);

#endif
