#define _GNU_SOURCE
#include "mgmt/mgmt_prometheus.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

/* Buckets shown: whole powers of two from 8 us to 17 s. */
enum { MGMT_LE_BIT_MIN = 13, MGMT_LE_BIT_MAX = 34 };

static const char *const mgmt_kind_names[] = {
	[CTL_KIND_COUNTER] = "counter",
	[CTL_KIND_GAUGE] = "gauge",
	[CTL_KIND_HISTOGRAM] = "histogram",
};

static bool mgmt_is_name_byte(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

static void mgmt_name_of(const char *from, char ret_name[CTL_NAME_BYTES])
{
	size_t count = strnlen(from, CTL_NAME_BYTES - 1);

	for (size_t i = 0; i < count; i++)
		ret_name[i] = mgmt_is_name_byte(from[i], i == 0) ? from[i] : '_';
	if (count == 0)
		ret_name[count++] = '_';
	ret_name[count] = '\0';
}

/* Backslash and line feed are escaped everywhere, the quote only in label values. */
static void mgmt_put_escaped(struct mgmt_text *text, const char *value, bool is_label)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '\n')
			mgmt_text_string(text, "\\n");
		else if (c == '\\' || (c == '"' && is_label))
			mgmt_text_print(text, "\\%c", c);
		else
			mgmt_text_put(text, c < ' ' || c > '~' ? "?" : value, 1);
	}
}

void mgmt_prometheus_init(struct mgmt_prometheus *writer, struct mgmt_text *out)
{
	*writer = (struct mgmt_prometheus){ .out = out };
}

void mgmt_prometheus_fini(struct mgmt_prometheus *writer)
{
	mgmt_text_fini(&writer->labels);
}

void mgmt_prometheus_family(struct mgmt_prometheus *writer, const char *name, enum ctl_kind kind,
			    const char *help)
{
	mgmt_name_of(name, writer->name);
	mgmt_text_print(writer->out, "# HELP %s ", writer->name);
	mgmt_put_escaped(writer->out, help, false);
	mgmt_text_print(writer->out, "\n# TYPE %s %s\n", writer->name, mgmt_kind_names[kind]);
}

void mgmt_prometheus_label(struct mgmt_prometheus *writer, const char *key, const char *value)
{
	char name[CTL_NAME_BYTES];

	mgmt_name_of(key, name);
	mgmt_text_print(&writer->labels, "%s%s=\"", writer->labels.count ? "," : "", name);
	mgmt_put_escaped(&writer->labels, value, true);
	mgmt_text_string(&writer->labels, "\"");
}

void mgmt_prometheus_label_number(struct mgmt_prometheus *writer, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	mgmt_prometheus_label(writer, key, text);
}

void mgmt_prometheus_labels(struct mgmt_prometheus *writer, const char *labels)
{
	if (*labels)
		mgmt_text_print(&writer->labels, "%s%s", writer->labels.count ? "," : "", labels);
}

/* Writes nanoseconds as seconds, exactly and without trailing zeros. */
static void mgmt_put_seconds(struct mgmt_text *text, uint64_t value_ns)
{
	char fraction[12];
	int count = snprintf(fraction, sizeof(fraction), ".%09" PRIu64, value_ns % UNITS_NS_PER_S);

	while (count > 0 && fraction[count - 1] == '0')
		count--;
	if (count == 1)
		count = 0;
	mgmt_text_print(text, "%" PRIu64 "%.*s", value_ns / UNITS_NS_PER_S, count, fraction);
}

static void mgmt_put_line(struct mgmt_prometheus *writer, const char *suffix, enum ctl_unit unit,
			  uint64_t value)
{
	mgmt_text_print(writer->out, "%s%s", writer->name, suffix);
	if (writer->labels.count)
		mgmt_text_print(writer->out, "{%s}", mgmt_text_of(&writer->labels));
	mgmt_text_string(writer->out, " ");
	if (unit == CTL_UNIT_SECONDS)
		mgmt_put_seconds(writer->out, value);
	else
		mgmt_text_print(writer->out, "%" PRIu64, value);
	mgmt_text_string(writer->out, "\n");
}

static void mgmt_labels_close(struct mgmt_prometheus *writer)
{
	if (writer->labels.failed)
		writer->out->failed = true;
	mgmt_text_clear(&writer->labels);
}

void mgmt_prometheus_sample(struct mgmt_prometheus *writer, enum ctl_unit unit, uint64_t value)
{
	mgmt_put_line(writer, "", unit, value);
	mgmt_labels_close(writer);
}

static void mgmt_put_bucket(struct mgmt_prometheus *writer, const char *end, uint64_t value)
{
	size_t count = writer->labels.count;

	mgmt_prometheus_label(writer, "le", end);
	mgmt_put_line(writer, "_bucket", CTL_UNIT_ONE, value);
	writer->labels.count = count;
	writer->labels.bytes[count] = '\0';
}

void mgmt_prometheus_latency(struct mgmt_prometheus *writer, const struct ctl_latency *latency)
{
	struct mgmt_text end = { 0 };
	uint64_t total = 0;
	uint32_t bucket = 0;

	for (uint32_t bit = MGMT_LE_BIT_MIN; bit <= MGMT_LE_BIT_MAX; bit++) {
		uint64_t end_ns = UINT64_C(1) << bit;

		for (; ctl_histogram_bucket_end_ns(bucket) <= end_ns; bucket++)
			total += latency->bucket[bucket];
		mgmt_text_clear(&end);
		mgmt_put_seconds(&end, end_ns - 1);
		mgmt_put_bucket(writer, mgmt_text_of(&end), total);
	}
	for (; bucket < CTL_HISTOGRAM_BUCKETS; bucket++)
		total += latency->bucket[bucket];
	mgmt_put_bucket(writer, "+Inf", total);
	mgmt_put_line(writer, "_sum", CTL_UNIT_SECONDS, latency->sum_ns);
	mgmt_put_line(writer, "_count", CTL_UNIT_ONE, total);
	mgmt_text_fini(&end);
	mgmt_labels_close(writer);
}

static uint32_t mgmt_block_count(const struct ctl_page *page)
{
	uint32_t count = __atomic_load_n(&page->header.block_count, __ATOMIC_ACQUIRE);

	return count < CTL_BLOCKS_MAX ? count : CTL_BLOCKS_MAX;
}

/* Strings of a page are copied out, so that none is trusted to end. */
static void mgmt_copy(char *ret_text, size_t text_bytes, const char *from)
{
	size_t count = strnlen(from, text_bytes - 1);

	memcpy(ret_text, from, count);
	ret_text[count] = '\0';
}

static void mgmt_put_tile_label(struct mgmt_prometheus *writer, const struct ctl_page *page,
				uint32_t block)
{
	char name[CTL_LABEL_BYTES];

	mgmt_copy(name, sizeof(name), page->block[block].name);
	mgmt_prometheus_label(writer, "tile", name);
}

static void mgmt_put_metric(struct mgmt_prometheus *writer, const struct ctl_page *page,
			    const struct ctl_metric_info *info)
{
	if (info->kind == CTL_KIND_HISTOGRAM) {
		struct ctl_latency latency;

		ctl_histogram_sum(page, (enum ctl_histogram)info->index, &latency);
		mgmt_prometheus_labels(writer, info->labels);
		mgmt_prometheus_latency(writer, &latency);
		return;
	}
	if (info->scope == CTL_SCOPE_NODE) {
		mgmt_prometheus_labels(writer, info->labels);
		mgmt_prometheus_sample(writer, info->unit,
				       ctl_metric_sum(page, (enum ctl_metric)info->index));
		return;
	}
	for (uint32_t i = 0; i < mgmt_block_count(page); i++) {
		mgmt_prometheus_labels(writer, info->labels);
		mgmt_put_tile_label(writer, page, i);
		mgmt_prometheus_sample(writer, info->unit,
				       ctl_word_load(&page->block[i].word[info->index]));
	}
}

static void mgmt_put_series(struct mgmt_prometheus *writer, const struct ctl_page *page,
			    const struct ctl_family *family)
{
	char key[CTL_LABEL_BYTES];
	char label[CTL_LABEL_BYTES];
	uint32_t count = family->label_count;

	mgmt_copy(key, sizeof(key), family->label_key);
	for (uint32_t i = 0; i < count && i < CTL_FAMILY_LABELS_MAX; i++) {
		mgmt_copy(label, sizeof(label), family->label[i]);
		mgmt_prometheus_label(writer, key, label);
		mgmt_put_tile_label(writer, page, family->block % CTL_BLOCKS_MAX);
		mgmt_prometheus_sample(writer, (enum ctl_unit)family->unit,
				       ctl_word_load(&family->word[i]));
	}
}

static bool mgmt_same_name(const struct ctl_family *a, const struct ctl_family *b)
{
	return strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

/* Writes family `index` and all later ones of its name, unless an earlier one did. */
static void mgmt_put_family(struct mgmt_prometheus *writer, const struct ctl_page *page,
			    uint32_t index, uint32_t count)
{
	const struct ctl_family *first = &page->family[index];
	char help[CTL_HELP_BYTES];

	for (uint32_t i = 0; i < index; i++)
		if (mgmt_same_name(&page->family[i], first))
			return;
	mgmt_copy(help, sizeof(help), first->help);
	mgmt_prometheus_family(writer, first->name,
			       first->kind == CTL_KIND_GAUGE ? CTL_KIND_GAUGE : CTL_KIND_COUNTER,
			       help);
	for (uint32_t i = index; i < count; i++)
		if (mgmt_same_name(&page->family[i], first))
			mgmt_put_series(writer, page, &page->family[i]);
}

void mgmt_prometheus_page(struct mgmt_prometheus *writer, const struct ctl_page *page)
{
	uint32_t count = __atomic_load_n(&page->header.family_count, __ATOMIC_ACQUIRE);
	const char *open = "";

	for (uint32_t i = 0; i < ctl_metric_info_count(); i++) {
		const struct ctl_metric_info *info = ctl_metric_info_at(i);

		if (strcmp(info->name, open) != 0)
			mgmt_prometheus_family(writer, info->name, info->kind, info->help);
		open = info->name;
		mgmt_put_metric(writer, page, info);
	}
	if (count > CTL_FAMILIES_MAX)
		count = CTL_FAMILIES_MAX;
	for (uint32_t i = 0; i < count; i++)
		mgmt_put_family(writer, page, i, count);
}
