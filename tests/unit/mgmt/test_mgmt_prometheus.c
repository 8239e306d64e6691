/* Also of mgmt_prometheus_status.c. A small strict reader of the format judges what is written. */
#define _GNU_SOURCE
#include "mgmt/mgmt_prometheus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/units.h"
#include "tests/lib/unit_main.h"

enum { FAMILIES_SEEN_MAX = 256, SAMPLES_SEEN_MAX = 40000, LINE_BYTES_MAX = 4096 };

/* What the reader knows: families opened so far, and every series with its labels. */
struct reader {
	char family[FAMILIES_SEEN_MAX][80];
	char kind[FAMILIES_SEEN_MAX][16];
	uint32_t family_count;
	char *series[SAMPLES_SEEN_MAX];
	uint32_t sample_count;
};

static struct reader reader;

static void reader_reset(void)
{
	for (uint32_t i = 0; i < reader.sample_count; i++)
		free(reader.series[i]);
	memset(&reader, 0, sizeof(reader));
}

static const char *skip_name(const char *at)
{
	UNIT_REQUIRE(isalpha((unsigned char)*at) || *at == '_');
	while (isalnum((unsigned char)*at) || *at == '_')
		at++;
	return at;
}

/* Reads {a="b",c="d"}; returns what follows. */
static const char *skip_labels(const char *at)
{
	do {
		at = skip_name(at + 1);
		UNIT_REQUIRE(at[0] == '=' && at[1] == '"');
		for (at += 2; *at != '"'; at++) {
			UNIT_REQUIRE(*at != '\0');
			if (*at == '\\') {
				at++;
				UNIT_REQUIRE(*at == '\\' || *at == '"' || *at == 'n');
			}
		}
		at++;
	} while (*at == ',');
	UNIT_REQUIRE(*at == '}');
	return at + 1;
}

static void take_comment(const char *line)
{
	char name[80];
	char kind[16];

	if (strncmp(line, "# HELP ", 7) == 0) {
		UNIT_REQUIRE(reader.family_count < FAMILIES_SEEN_MAX);
		const char *end = skip_name(line + 7);

		UNIT_REQUIRE(*end == ' ' && end - line - 7 < 80);
		memcpy(name, line + 7, (size_t)(end - line - 7));
		name[end - line - 7] = '\0';
		for (uint32_t i = 0; i < reader.family_count; i++)
			UNIT_REQUIRE(strcmp(reader.family[i], name) != 0); /* opened once */
		memcpy(reader.family[reader.family_count++], name, sizeof(name));
		return;
	}
	UNIT_REQUIRE(sscanf(line, "# TYPE %79s %15s", name, kind) == 2);
	UNIT_REQUIRE(reader.family_count > 0);
	UNIT_REQUIRE(strcmp(reader.family[reader.family_count - 1], name) == 0);
	memcpy(reader.kind[reader.family_count - 1], kind, sizeof(kind));
}

static void take_sample(const char *line)
{
	const char *family = reader.family[reader.family_count - 1];
	const char *end = skip_name(line);
	const char *suffix = line + strlen(family);
	bool is_histogram = strcmp(reader.kind[reader.family_count - 1], "histogram") == 0;
	char *rest = NULL;

	UNIT_REQUIRE(strncmp(line, family, strlen(family)) == 0);
	if (is_histogram)
		UNIT_REQUIRE(strncmp(suffix, "_bucket", 7) == 0 ||
			     strncmp(suffix, "_sum", 4) == 0 || strncmp(suffix, "_count", 6) == 0);
	else
		UNIT_REQUIRE(suffix == end);
	if (*end == '{')
		end = skip_labels(end);
	UNIT_REQUIRE(*end == ' ');
	strtod(end + 1, &rest);
	UNIT_REQUIRE(rest != end + 1 && *rest == '\0');
	UNIT_REQUIRE(reader.sample_count < SAMPLES_SEEN_MAX);
	reader.series[reader.sample_count++] = strndup(line, (size_t)(end - line));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads a whole exposition; every series must be there once. */
static void take_text(const struct mgmt_text *text)
{
	const char *at = mgmt_text_of(text);
	static char line[LINE_BYTES_MAX];

	reader_reset();
	while (*at) {
		size_t count = strcspn(at, "\n");

		UNIT_REQUIRE(at[count] == '\n' && count > 0 && count < sizeof(line));
		memcpy(line, at, count);
		line[count] = '\0';
		if (line[0] == '#')
			take_comment(line);
		else
			take_sample(line);
		at += count + 1;
	}
	qsort(reader.series, reader.sample_count, sizeof(reader.series[0]), compare);
	for (uint32_t i = 1; i < reader.sample_count; i++)
		UNIT_REQUIRE(strcmp(reader.series[i - 1], reader.series[i]) != 0);
}

static struct ctl_page *page_take(void)
{
	struct ctl_page *page = aligned_alloc(64, sizeof(*page));

	UNIT_REQUIRE(page != NULL);
	memset(page, 0, sizeof(*page));
	ctl_metrics_init(page, 1, 2, 3, 4);
	return page;
}

static void write_page(const struct ctl_page *page, struct mgmt_text *ret_text)
{
	struct mgmt_prometheus writer;

	mgmt_prometheus_init(&writer, ret_text);
	mgmt_prometheus_page(&writer, page);
	mgmt_prometheus_fini(&writer);
}

static void every_metric_of_an_empty_page_is_shown(void)
{
	struct mgmt_text text = { 0 };
	struct ctl_page *page = page_take();

	ctl_block_register(page, "core");
	write_page(page, &text);
	take_text(&text);
	for (uint32_t i = 0; i < ctl_metric_info_count(); i++) {
		char type[160];

		snprintf(type, sizeof(type), "# TYPE %s ", ctl_metric_info_at(i)->name);
		UNIT_CHECK(strstr(mgmt_text_of(&text), type) != NULL);
	}
	UNIT_CHECK(reader.sample_count >= ctl_metric_info_count());
	mgmt_text_fini(&text);
	free(page);
}

static void values_are_exact(void)
{
	struct mgmt_text text = { 0 };
	struct ctl_page *page = page_take();
	struct ctl_block *block = ctl_block_register(page, "core");

	ctl_metric_set(block, CTL_METRIC_COMMITTED_HEIGHT, UINT64_MAX);
	ctl_metric_add(block, CTL_METRIC_TILE_BUSY, 1500000001);
	ctl_metric_add(block, CTL_METRIC_VOTES_SENT, 3);
	write_page(page, &text);
	UNIT_CHECK(strstr(mgmt_text_of(&text),
			  "\nquorate_committed_height 18446744073709551615\n") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text),
			  "\nquorate_tile_busy_seconds_total{tile=\"core\"} 1.500000001\n") !=
		   NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text),
			  "\nquorate_messages_sent_total{kind=\"vote\"} 3\n") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "\nquorate_sessions{kind=\"peer\"} 0\n") != NULL);
	mgmt_text_fini(&text);
	free(page);
}

/* Returns the value behind `series`, which must be there. */
static double value_of(const struct mgmt_text *text, const char *series)
{
	const char *at = strstr(mgmt_text_of(text), series);

	UNIT_REQUIRE(at != NULL);
	return strtod(at + strlen(series), NULL);
}

static void a_histogram_is_cumulative_and_counts_each_value_under_its_bound(void)
{
	struct mgmt_text text = { 0 };
	struct ctl_page *page = page_take();
	struct ctl_block *block = ctl_block_register(page, "core");
	struct prng prng;
	uint64_t below = 0;
	uint64_t sum_ns = 0;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 2000; i++) {
		uint64_t value = prng_u64(&prng);

		value >>= 24 + prng_below(&prng, 40);
		ctl_histogram_add(block, CTL_HISTOGRAM_FINALITY, value);
		below += value <= (1 << 20) - 1;
		sum_ns += value;
	}
	write_page(page, &text);
	take_text(&text);
	UNIT_CHECK(value_of(&text, "quorate_finality_seconds_bucket{le=\"0.001048575\"} ") ==
		   (double)below);
	UNIT_CHECK(value_of(&text, "quorate_finality_seconds_bucket{le=\"+Inf\"} ") == 2000.0);
	UNIT_CHECK(value_of(&text, "quorate_finality_seconds_count ") == 2000.0);
	double sum = value_of(&text, "quorate_finality_seconds_sum ") * 1e9;

	UNIT_CHECK(sum - (double)sum_ns < 1e3 && (double)sum_ns - sum < 1e3);
	double last = 0;
	const char *at = mgmt_text_of(&text);

	while ((at = strstr(at, "quorate_finality_seconds_bucket{")) != NULL) {
		at = strchr(at, '}') + 1;
		UNIT_CHECK(strtod(at, NULL) >= last);
		last = strtod(at, NULL);
	}
	mgmt_text_fini(&text);
	free(page);
}

static void families_of_one_name_are_one_family_with_a_tile_label(void)
{
	static const char *const labels[] = { "stale", "forged" };
	struct ctl_family_config config = { .name = "quorate_drops_total",
					    .label_key = "reason",
					    .help = "Dropped, by reason.",
					    .labels = labels,
					    .label_count = 2 };
	struct mgmt_text text = { 0 };
	struct ctl_page *page = page_take();
	struct ctl_block *gate = ctl_block_register(page, "gate");
	struct ctl_block *core = ctl_block_register(page, "core");

	ctl_family_register(page, gate, &config);
	config.name = "quorate_other_total";
	ctl_family_register(page, gate, &config);
	config.name = "quorate_drops_total";
	ctl_family_add(ctl_family_register(page, core, &config), 1, 9);
	write_page(page, &text);
	take_text(&text); /* fails if the family is opened twice or its samples are torn apart */
	UNIT_CHECK(value_of(&text, "quorate_drops_total{reason=\"forged\",tile=\"core\"} ") == 9.0);
	UNIT_CHECK(value_of(&text, "quorate_drops_total{reason=\"forged\",tile=\"gate\"} ") == 0.0);
	mgmt_text_fini(&text);
	free(page);
}

static void any_name_help_and_label_gives_a_readable_text(void)
{
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 500; i++) {
		struct mgmt_text text = { 0 };
		struct mgmt_prometheus writer;
		char junk[4][40];

		for (int j = 0; j < 4; j++) {
			prng_fill(&prng, junk[j], sizeof(junk[j]));
			junk[j][prng_below(&prng, sizeof(junk[j]))] = '\0';
			junk[j][sizeof(junk[j]) - 1] = '\0';
			if (prng_chance(&prng, 300000))
				memcpy(junk[j], "a\"\\\n", 5);
		}
		mgmt_prometheus_init(&writer, &text);
		mgmt_prometheus_family(&writer, junk[0], CTL_KIND_GAUGE, junk[1]);
		mgmt_prometheus_label(&writer, junk[2], junk[3]);
		mgmt_prometheus_label_number(&writer, "n", prng_u64(&prng));
		mgmt_prometheus_sample(&writer, CTL_UNIT_SECONDS, prng_u64(&prng));
		mgmt_prometheus_fini(&writer);
		take_text(&text);
		UNIT_EQUAL(reader.sample_count, 1);
		mgmt_text_fini(&text);
	}
}

/* A page torn or overwritten by a broken node must not take mgmtd down with it. */
static void a_page_of_random_bytes_is_survived(void)
{
	struct ctl_page *page = page_take();
	struct prng prng;

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 5; i++) {
		struct mgmt_text text = { 0 };

		prng_fill(&prng, page, sizeof(*page));
		write_page(page, &text);
		UNIT_CHECK(text.count > 0);
		mgmt_text_fini(&text);
	}
	free(page);
}

static void the_status_is_shown_by_peer_lane_and_port(void)
{
	static struct ctl_status status = { .replica_id = 1, .replica_count = 4, .port_count = 1 };
	struct mgmt_text text = { 0 };
	struct mgmt_prometheus writer;

	status.peer[3] = (struct ctl_status_peer){ .is_up = 1, .committed_height = 41 };
	status.lane[2].stored_seq = 17;
	status.port[0] =
		(struct ctl_status_port){ .name = "client", .link = CTL_LINK_UP, .frames_in = 5 };
	mgmt_prometheus_init(&writer, &text);
	mgmt_prometheus_status(&writer, &status);
	mgmt_prometheus_fini(&writer);
	take_text(&text);
	UNIT_CHECK(value_of(&text, "quorate_peer_up{peer=\"3\"} ") == 1.0);
	UNIT_CHECK(value_of(&text, "quorate_peer_committed_height{peer=\"3\"} ") == 41.0);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "{peer=\"1\"}") == NULL); /* itself */
	UNIT_CHECK(value_of(&text, "quorate_lane_sequence{lane=\"2\",stage=\"stored\"} ") == 17.0);
	UNIT_CHECK(value_of(&text,
			    "quorate_port_frames_total{port=\"client\",direction=\"in\"} ") == 5.0);
	mgmt_text_fini(&text);
	reader_reset();
}

UNIT_SUITE("mgmt_prometheus", UNIT_TEST(every_metric_of_an_empty_page_is_shown),
	   UNIT_TEST(values_are_exact),
	   UNIT_TEST(a_histogram_is_cumulative_and_counts_each_value_under_its_bound),
	   UNIT_TEST(families_of_one_name_are_one_family_with_a_tile_label),
	   UNIT_TEST(any_name_help_and_label_gives_a_readable_text),
	   UNIT_TEST(a_page_of_random_bytes_is_survived),
	   UNIT_TEST(the_status_is_shown_by_peer_lane_and_port))
