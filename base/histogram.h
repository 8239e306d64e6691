/*
 * histogram: log-linear counts of 64-bit values (HDR style), fixed memory.
 *
 * 64 octaves x 32 linear steps: a percentile is off by at most 1/32 (3.2 %).
 * Values are usually nanoseconds; the histogram does not care. One owner.
 */
#ifndef QUORATE_BASE_HISTOGRAM_H
#define QUORATE_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BUCKETS = 60 * HISTOGRAM_STEPS };

struct histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);

/* Adds `value`, and value - interval, value - 2 interval ... > 0 (coordinated omission). */
void histogram_add_corrected(struct histogram *histogram, uint64_t value, uint64_t interval);

void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * Returns an upper bound of the p-th percentile, p in parts per 100 000 (p99.9 = 99900); 0 if
 * empty.
 */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t parts_per_100k);

#endif
