#include "base/histogram.h"

#include <stdlib.h>

#include "base/prng.h"
#include "base/units.h"
#include "tests/lib/unit_main.h"

enum { SAMPLES = 20000 };

static struct histogram histogram;
static struct histogram other;

static int compare_u64(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right ? 1 : 0;
}

static void percentiles_are_upper_bounds_within_a_32nd_of_the_truth(void)
{
	static const uint32_t parts[] = { 1, 50000, 90000, 99000, 99900, 99999, 100000 };
	static uint64_t samples[SAMPLES];
	struct prng prng;

	prng_seed(&prng, unit_seed());
	histogram_reset(&histogram);
	for (size_t i = 0; i < SAMPLES; i++) {
		samples[i] = prng_u64(&prng);
		samples[i] >>= prng_below(&prng, 64);
		histogram_add(&histogram, samples[i]);
	}
	qsort(samples, SAMPLES, sizeof(samples[0]), compare_u64);
	for (size_t i = 0; i < UNITS_COUNT(parts); i++) {
		uint64_t rank = ((uint64_t)parts[i] * SAMPLES + 99999) / 100000;
		uint64_t exact = samples[rank - 1];
		uint64_t found = histogram_percentile(&histogram, parts[i]);

		UNIT_CHECK(found >= exact);
		UNIT_CHECK(found - exact <= exact / HISTOGRAM_STEPS);
	}
}

static void extreme_values_have_a_bucket(void)
{
	histogram_reset(&histogram);
	histogram_add(&histogram, 0);
	UNIT_EQUAL(histogram_percentile(&histogram, 100000), 0);
	histogram_add(&histogram, UINT64_MAX);
	UNIT_EQUAL(histogram_percentile(&histogram, 100000), UINT64_MAX);
	UNIT_EQUAL(histogram_percentile(&histogram, 50000), 0);
	UNIT_EQUAL(histogram.max, UINT64_MAX);
}

static void small_values_are_exact(void)
{
	for (uint64_t value = 0; value < 64; value++) {
		histogram_reset(&histogram);
		histogram_add(&histogram, value);
		histogram_add(&histogram, 1000000);
		UNIT_EQUAL(histogram_percentile(&histogram, 50000), value);
	}
}

static void empty_histogram_has_no_percentile(void)
{
	histogram_reset(&histogram);
	UNIT_EQUAL(histogram_percentile(&histogram, 99000), 0);
}

static void correction_adds_the_samples_a_stalled_sender_did_not_take(void)
{
	static const uint64_t intervals[] = { 1, 2, 3, 7, 10, 33, 1000 };

	for (size_t i = 0; i < UNITS_COUNT(intervals); i++) {
		uint64_t value = 5003;

		histogram_reset(&histogram);
		histogram_reset(&other);
		histogram_add_corrected(&histogram, value, intervals[i]);
		for (uint64_t at = value;; at -= intervals[i]) {
			histogram_add(&other, at);
			if (at <= intervals[i])
				break;
		}
		UNIT_EQUAL(histogram.count, other.count);
		UNIT_EQUAL(histogram.sum, other.sum);
		for (uint32_t k = 0; k < HISTOGRAM_BUCKETS; k++)
			UNIT_EQUAL(histogram.bucket[k], other.bucket[k]);
	}
}

static void correction_of_an_exact_multiple_stops_above_zero(void)
{
	histogram_reset(&histogram);
	histogram_add_corrected(&histogram, 30, 10);
	UNIT_EQUAL(histogram.count, 3);
	UNIT_EQUAL(histogram.sum, 60);
	UNIT_EQUAL(histogram.bucket[0], 0);
}

static void correction_with_a_tiny_interval_is_bounded_work(void)
{
	histogram_reset(&histogram);
	histogram_add_corrected(&histogram, UINT64_MAX, 1);
	UNIT_EQUAL(histogram.count, UINT64_MAX);
	UNIT_EQUAL(histogram.sum, UINT64_MAX);
}

static void correction_without_interval_adds_one_sample(void)
{
	histogram_reset(&histogram);
	histogram_add_corrected(&histogram, 12345, 0);
	UNIT_EQUAL(histogram.count, 1);
}

static void merge_equals_adding_to_one(void)
{
	struct prng prng;
	static struct histogram both;

	prng_seed(&prng, unit_seed());
	histogram_reset(&histogram);
	histogram_reset(&other);
	histogram_reset(&both);
	for (int i = 0; i < 1000; i++) {
		uint64_t value = prng_below(&prng, 1000000);

		histogram_add(i % 3 ? &histogram : &other, value);
		histogram_add(&both, value);
	}
	histogram_merge(&histogram, &other);
	UNIT_EQUAL(histogram.count, both.count);
	UNIT_EQUAL(histogram.sum, both.sum);
	UNIT_EQUAL(histogram.max, both.max);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		UNIT_EQUAL(histogram.bucket[i], both.bucket[i]);
}

UNIT_SUITE("histogram", UNIT_TEST(percentiles_are_upper_bounds_within_a_32nd_of_the_truth),
	   UNIT_TEST(extreme_values_have_a_bucket), UNIT_TEST(small_values_are_exact),
	   UNIT_TEST(empty_histogram_has_no_percentile),
	   UNIT_TEST(correction_adds_the_samples_a_stalled_sender_did_not_take),
	   UNIT_TEST(correction_of_an_exact_multiple_stops_above_zero),
	   UNIT_TEST(correction_with_a_tiny_interval_is_bounded_work),
	   UNIT_TEST(correction_without_interval_adds_one_sample),
	   UNIT_TEST(merge_equals_adding_to_one))
