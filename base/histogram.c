#include "base/histogram.h"

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"

enum { HISTOGRAM_STEP_BITS = 5, HISTOGRAM_PARTS = 100000 };

_Static_assert(HISTOGRAM_STEPS == 1 << HISTOGRAM_STEP_BITS, "steps are a power of two");
/* Octave 0 holds 0..31 exactly; octave k holds 32 steps of 2^(k-1) from 2^(k+4). */
_Static_assert(HISTOGRAM_BUCKETS == (64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
	       "every 64-bit value has a bucket");

static uint32_t histogram_bucket_of(uint64_t value)
{
	if (value < HISTOGRAM_STEPS)
		return (uint32_t)value;
	uint32_t top_bit = 63 - (uint32_t)__builtin_clzll(value);
	uint32_t shift = top_bit - HISTOGRAM_STEP_BITS;
	uint32_t step = (uint32_t)(value >> shift) - HISTOGRAM_STEPS;

	return (shift + 1) * HISTOGRAM_STEPS + step;
}

static uint64_t histogram_bucket_top(uint32_t bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	uint32_t shift = bucket / HISTOGRAM_STEPS - 1;
	uint64_t low = (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift;

	return low + ((UINT64_C(1) << shift) - 1);
}

static void histogram_add_many(struct histogram *histogram, uint64_t value, uint64_t count)
{
	histogram->count = units_add(histogram->count, count);
	histogram->sum = units_add(histogram->sum, units_multiply(value, count));
	histogram->max = units_max(histogram->max, value);
	histogram->bucket[histogram_bucket_of(value)] += count;
}

void histogram_reset(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram_add_many(histogram, value, 1);
}

/* Returns low + (low + interval) + (low + 2 interval) ..., `count` terms. */
static uint64_t histogram_run_sum(uint64_t low, uint64_t interval, uint64_t count)
{
	uint64_t pairs = count % 2 == 0 ? units_multiply(count / 2, count - 1) :
					  units_multiply(count, (count - 1) / 2);

	return units_add(units_multiply(low, count), units_multiply(interval, pairs));
}

/*
 * Adds the `count` values from, from - interval, from - 2 interval ... in one go for each bucket,
 * so that the work is bounded by the buckets however small the interval is.
 */
static void histogram_add_run(struct histogram *histogram, uint64_t from, uint64_t interval,
			      uint64_t count)
{
	while (count > 0) {
		uint32_t bucket = histogram_bucket_of(from);
		uint64_t low = bucket > 0 ? histogram_bucket_top(bucket - 1) + 1 : 0;
		uint64_t fit = units_min((from - low) / interval + 1, count);
		uint64_t last = from - (fit - 1) * interval;

		histogram->bucket[bucket] += fit;
		histogram->count = units_add(histogram->count, fit);
		histogram->sum = units_add(histogram->sum, histogram_run_sum(last, interval, fit));
		count -= fit;
		from = count > 0 ? last - interval : 0;
	}
}

void histogram_add_corrected(struct histogram *histogram, uint64_t value, uint64_t interval)
{
	histogram_add(histogram, value);
	if (interval == 0 || value <= interval)
		return;
	histogram_add_run(histogram, value - interval, interval, (value - 1) / interval);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count = units_add(into->count, from->count);
	into->sum = units_add(into->sum, from->sum);
	into->max = units_max(into->max, from->max);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t histogram_percentile(const struct histogram *histogram, uint32_t parts_per_100k)
{
	uint64_t whole = histogram->count / HISTOGRAM_PARTS;
	uint64_t rest = histogram->count % HISTOGRAM_PARTS;
	uint64_t seen = 0;

	ensure(parts_per_100k <= HISTOGRAM_PARTS);
	if (histogram->count == 0)
		return 0;
	uint64_t rank = whole * parts_per_100k +
			(rest * parts_per_100k + HISTOGRAM_PARTS - 1) / HISTOGRAM_PARTS;

	rank = units_max(rank, 1);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->bucket[i];
		if (seen >= rank)
			return units_min(histogram_bucket_top(i), histogram->max);
	}
	return histogram->max;
}
