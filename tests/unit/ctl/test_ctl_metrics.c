#include "ctl/ctl_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/units.h"
#include "tests/lib/unit_main.h"

static struct ctl_page *page_take(void)
{
	struct ctl_page *page = aligned_alloc(64, sizeof(*page));

	UNIT_REQUIRE(page != NULL);
	memset(page, 0, sizeof(*page));
	ctl_metrics_init(page, 1, 2, 3, 4);
	return page;
}

static void metric_names_kinds_and_labels_are_the_frozen_ones(void)
{
	static const struct ctl_metric_info frozen[] = {
#define NAME(frozen_kind, frozen_name, frozen_labels)                                              \
	{ .kind = CTL_KIND_##frozen_kind, .name = (frozen_name), .labels = (frozen_labels) },
#include "tests/unit/ctl/metric_names.def"
#undef NAME
	};

	UNIT_EQUAL(ctl_metric_info_count(), UNITS_COUNT(frozen));
	for (uint32_t i = 0; i < ctl_metric_info_count() && i < UNITS_COUNT(frozen); i++) {
		const struct ctl_metric_info *info = ctl_metric_info_at(i);

		UNIT_CHECK(strcmp(info->name, frozen[i].name) == 0);
		UNIT_CHECK(strcmp(info->labels, frozen[i].labels) == 0);
		UNIT_CHECK(info->kind == frozen[i].kind);
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t count = strlen(text);

	return count >= strlen(end) && strcmp(text + count - strlen(end), end) == 0;
}

static void names_say_kind_and_unit(void)
{
	for (uint32_t i = 0; i < ctl_metric_info_count(); i++) {
		const struct ctl_metric_info *info = ctl_metric_info_at(i);

		UNIT_CHECK(strncmp(info->name, "quorate_", 8) == 0);
		UNIT_CHECK(ends_with(info->name, "_total") == (info->kind == CTL_KIND_COUNTER));
		if (info->unit == CTL_UNIT_SECONDS)
			UNIT_CHECK(strstr(info->name, "_seconds") != NULL);
		if (info->unit == CTL_UNIT_BYTES)
			UNIT_CHECK(strstr(info->name, "_bytes") != NULL);
		UNIT_CHECK(ends_with(info->help, "."));
		UNIT_CHECK(strlen(info->name) < CTL_NAME_BYTES);
	}
}

static void lines_of_one_name_follow_each_other(void)
{
	for (uint32_t i = 0; i < ctl_metric_info_count(); i++)
		for (uint32_t j = i + 2; j < ctl_metric_info_count(); j++) {
			const char *name = ctl_metric_info_at(j)->name;

			if (strcmp(ctl_metric_info_at(i)->name, name) == 0)
				UNIT_CHECK(strcmp(ctl_metric_info_at(j - 1)->name, name) == 0);
		}
	UNIT_CHECK(true);
}

static void a_metric_is_summed_over_the_tiles(void)
{
	struct ctl_page *page = page_take();
	struct ctl_block *a = ctl_block_register(page, "a");
	struct ctl_block *b = ctl_block_register(page, "b");

	ctl_metric_add(a, CTL_METRIC_VOTES_SENT, 3);
	ctl_metric_add(b, CTL_METRIC_VOTES_SENT, 4);
	ctl_metric_add(b, CTL_METRIC_VOTES_SENT, 5);
	ctl_metric_set(a, CTL_METRIC_VIEW, 9);
	UNIT_EQUAL(ctl_metric_sum(page, CTL_METRIC_VOTES_SENT), 12);
	UNIT_EQUAL(ctl_metric_sum(page, CTL_METRIC_VIEW), 9);
	UNIT_EQUAL(ctl_metric_sum(page, CTL_METRIC_COMMITS_SENT), 0);
	free(page);
}

static void every_value_lies_in_its_bucket(void)
{
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 100000; i++) {
		uint64_t value = prng_u64(&prng);
		uint32_t bucket;

		value >>= prng_below(&prng, 64);
		bucket = ctl_histogram_bucket(value);

		UNIT_REQUIRE(bucket < CTL_HISTOGRAM_BUCKETS);
		if (bucket > 0)
			UNIT_REQUIRE(value >= ctl_histogram_bucket_end_ns(bucket - 1));
		if (bucket < CTL_HISTOGRAM_BUCKETS - 1)
			UNIT_REQUIRE(value < ctl_histogram_bucket_end_ns(bucket));
	}
}

static void buckets_are_never_wider_than_an_eighth(void)
{
	for (uint32_t i = CTL_HISTOGRAM_STEPS; i < CTL_HISTOGRAM_BUCKETS - 1; i++) {
		uint64_t start = ctl_histogram_bucket_end_ns(i - 1);

		UNIT_CHECK((ctl_histogram_bucket_end_ns(i) - start) * 8 <= start);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void a_percentile_bounds_the_exact_one_from_above_within_an_eighth(void)
{
	static const uint32_t parts[] = { 1, 50000, 90000, 99000, 99900, 100000 };
	static uint64_t values[5000];
	struct ctl_page *page = page_take();
	struct ctl_block *block = ctl_block_register(page, "a");
	struct ctl_latency latency;
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (size_t i = 0; i < UNITS_COUNT(values); i++) {
		values[i] = prng_u64(&prng);
		values[i] >>= 27 + prng_below(&prng, 30);
		ctl_histogram_add(block, CTL_HISTOGRAM_FINALITY, values[i]);
	}
	qsort(values, UNITS_COUNT(values), sizeof(values[0]), compare);
	ctl_histogram_sum(page, CTL_HISTOGRAM_FINALITY, &latency);
	for (size_t i = 0; i < UNITS_COUNT(parts); i++) {
		size_t rank = (UNITS_COUNT(values) * parts[i] + 99999) / 100000;
		uint64_t exact = values[rank - 1];
		uint64_t bound = ctl_latency_percentile_ns(&latency, parts[i]);

		UNIT_CHECK(bound >= exact);
		UNIT_CHECK(bound - exact <= exact / 8);
	}
	free(page);
}

static void an_empty_histogram_has_no_percentile(void)
{
	struct ctl_latency latency = { 0 };

	UNIT_EQUAL(ctl_latency_percentile_ns(&latency, 50000), 0);
}

static void the_oldest_heartbeat_counts(void)
{
	struct ctl_page *page = page_take();
	struct ctl_block *a = ctl_block_register(page, "a");
	struct ctl_block *b = ctl_block_register(page, "b");

	UNIT_EQUAL(ctl_metrics_heartbeat_ns(page), 0);
	ctl_block_beat(a, 70);
	UNIT_EQUAL(ctl_metrics_heartbeat_ns(page), 0);
	ctl_block_beat(b, 50);
	UNIT_EQUAL(ctl_metrics_heartbeat_ns(page), 50);
	free(page);
}

static void a_family_keeps_its_description_and_counts_by_label(void)
{
	static const char *const labels[] = { "stale", "forged" };
	struct ctl_page *page = page_take();
	struct ctl_block *block = ctl_block_register(page, "gate");
	struct ctl_family *family =
		ctl_family_register(page, block,
				    &(struct ctl_family_config){ .name = "quorate_drops_total",
								 .label_key = "reason",
								 .help = "Dropped.",
								 .kind = CTL_KIND_COUNTER,
								 .labels = labels,
								 .label_count = 2 });

	ctl_family_add(family, 1, 2);
	ctl_family_add(family, 1, 3);
	UNIT_EQUAL(page->header.family_count, 1);
	UNIT_CHECK(strcmp(page->family[0].label[1], "forged") == 0);
	UNIT_EQUAL(page->family[0].word[0], 0);
	UNIT_EQUAL(page->family[0].word[1], 5);
	free(page);
}

static void a_long_label_is_cut_and_still_ends(void)
{
	static const char *const labels[] = { "0123456789012345678901234567890123456789" };
	struct ctl_page *page = page_take();
	struct ctl_block *block = ctl_block_register(page, "gate");

	ctl_family_register(page, block,
			    &(struct ctl_family_config){ .name = "n",
							 .label_key = "k",
							 .help = "h",
							 .labels = labels,
							 .label_count = 1 });
	UNIT_EQUAL(strlen(page->family[0].label[0]), CTL_LABEL_BYTES - 1);
	free(page);
}

static void register_one_block_too_many(void *context)
{
	for (int i = 0; i <= CTL_BLOCKS_MAX; i++)
		ctl_block_register(context, "x");
}

static void add_beyond_the_labels(void *context)
{
	ctl_family_add(context, CTL_FAMILY_LABELS_MAX, 1);
}

static void a_full_table_or_a_bad_label_stops_the_node(void)
{
	static struct ctl_family family;
	struct ctl_page *page = page_take();

	UNIT_CHECK(unit_aborts(register_one_block_too_many, page));
	UNIT_CHECK(unit_aborts(add_beyond_the_labels, &family));
	free(page);
}

static void a_failed_node_says_why(void)
{
	struct ctl_page *page = page_take();

	UNIT_EQUAL(page->header.state, CTL_STATE_BOOT);
	ctl_metrics_set_state(page, CTL_STATE_FAIL, "disk gone");
	UNIT_EQUAL(page->header.state, CTL_STATE_FAIL);
	UNIT_CHECK(strcmp(page->header.reason, "disk gone") == 0);
	UNIT_CHECK(strcmp(ctl_state_name(page->header.state), "fail") == 0);
	UNIT_CHECK(strcmp(ctl_state_name(77), "unknown") == 0);
	free(page);
}

UNIT_SUITE("ctl_metrics", UNIT_TEST(metric_names_kinds_and_labels_are_the_frozen_ones),
	   UNIT_TEST(names_say_kind_and_unit), UNIT_TEST(lines_of_one_name_follow_each_other),
	   UNIT_TEST(a_metric_is_summed_over_the_tiles), UNIT_TEST(every_value_lies_in_its_bucket),
	   UNIT_TEST(buckets_are_never_wider_than_an_eighth),
	   UNIT_TEST(a_percentile_bounds_the_exact_one_from_above_within_an_eighth),
	   UNIT_TEST(an_empty_histogram_has_no_percentile), UNIT_TEST(the_oldest_heartbeat_counts),
	   UNIT_TEST(a_family_keeps_its_description_and_counts_by_label),
	   UNIT_TEST(a_long_label_is_cut_and_still_ends),
	   UNIT_TEST(a_full_table_or_a_bad_label_stops_the_node), UNIT_TEST(a_failed_node_says_why))
