#define _GNU_SOURCE
#include "ctl/ctl_metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

static const struct ctl_metric_info ctl_metric_infos[] = {
#define CTL_ROW(row_kind, row_index, row_scope, row_name, row_labels, row_unit, row_help)          \
	{ .kind = CTL_KIND_##row_kind,                                                             \
	  .scope = CTL_SCOPE_##row_scope,                                                          \
	  .unit = CTL_UNIT_##row_unit,                                                             \
	  .index = (row_index),                                                                    \
	  .name = (row_name),                                                                      \
	  .labels = (row_labels),                                                                  \
	  .help = (row_help) },
#define CTL_COUNTER(id, scope, name, labels, unit, help)                                           \
	CTL_ROW(COUNTER, CTL_METRIC_##id, scope, name, labels, unit, help)
#define CTL_GAUGE(id, scope, name, labels, unit, help)                                             \
	CTL_ROW(GAUGE, CTL_METRIC_##id, scope, name, labels, unit, help)
#define CTL_HISTOGRAM(id, scope, name, labels, unit, help)                                         \
	CTL_ROW(HISTOGRAM, CTL_HISTOGRAM_##id, scope, name, labels, unit, help)
#include "ctl/ctl_metrics.def"
#undef CTL_COUNTER
#undef CTL_GAUGE
#undef CTL_HISTOGRAM
#undef CTL_ROW
};

static const char ctl_magic[8] = { 'Q', 'C', 'T', 'L', 'P', 'A', 'G', 'E' };

uint32_t ctl_metric_info_count(void)
{
	return (uint32_t)UNITS_COUNT(ctl_metric_infos);
}

const struct ctl_metric_info *ctl_metric_info_at(uint32_t index)
{
	ensure(index < ctl_metric_info_count());
	return &ctl_metric_infos[index];
}

/* FNV-1a: a fingerprint against accidents, not against attackers. */
static uint64_t ctl_fingerprint(uint64_t hash, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t ctl_metrics_layout_hash(void)
{
	static const uint64_t layout[] = {
		sizeof(struct ctl_header),
		sizeof(struct ctl_status),
		sizeof(struct ctl_status_peer),
		sizeof(struct ctl_status_lane),
		sizeof(struct ctl_status_port),
		sizeof(struct ctl_family),
		sizeof(struct ctl_block),
		sizeof(struct ctl_page),
		offsetof(struct ctl_header, state),
		offsetof(struct ctl_status, committed_height),
		offsetof(struct ctl_status, version),
		offsetof(struct ctl_status, peer),
		offsetof(struct ctl_status, lane),
		offsetof(struct ctl_status, port),
		offsetof(struct ctl_family, word),
		offsetof(struct ctl_block, latency),
		CTL_HISTOGRAM_BUCKETS,
	};
	uint64_t hash = ctl_fingerprint(UINT64_C(0xcbf29ce484222325), layout, sizeof(layout));

	for (uint32_t i = 0; i < ctl_metric_info_count(); i++) {
		const struct ctl_metric_info *info = &ctl_metric_infos[i];
		uint32_t shape[] = { info->kind, info->scope, info->unit, info->index };

		hash = ctl_fingerprint(hash, shape, sizeof(shape));
		hash = ctl_fingerprint(hash, info->name, strlen(info->name) + 1);
		hash = ctl_fingerprint(hash, info->labels, strlen(info->labels) + 1);
	}
	return hash;
}

void ctl_metrics_init(struct ctl_page *page, uint64_t generation, uint64_t now_ns,
		      uint64_t now_unix_ns, uint32_t pid)
{
	struct ctl_header *header = &page->header;

	header->layout_hash = ctl_metrics_layout_hash();
	header->page_bytes = sizeof(*page);
	header->generation = generation;
	header->started_ns = now_ns;
	header->started_unix_ns = now_unix_ns;
	header->pid = pid;
	header->state = CTL_STATE_BOOT;
	memcpy(header->magic, ctl_magic, sizeof(header->magic));
}

static void ctl_text_set(char *ret_text, size_t text_bytes, const char *from)
{
	size_t count = strnlen(from, text_bytes - 1);

	memcpy(ret_text, from, count);
	ret_text[count] = '\0';
}

struct ctl_block *ctl_block_register(struct ctl_page *page, const char *name)
{
	uint32_t index = page->header.block_count;

	ensure(index < CTL_BLOCKS_MAX);
	ctl_text_set(page->block[index].name, sizeof(page->block[index].name), name);
	/* Pairs with the acquire loads of readers: a block counts once it has its name. */
	__atomic_store_n(&page->header.block_count, index + 1, __ATOMIC_RELEASE);
	return &page->block[index];
}

struct ctl_family *ctl_family_register(struct ctl_page *page, const struct ctl_block *block,
				       const struct ctl_family_config *config)
{
	uint32_t index = page->header.family_count;
	struct ctl_family *family = &page->family[index];

	ensure(index < CTL_FAMILIES_MAX);
	ensure(config->label_count <= CTL_FAMILY_LABELS_MAX);
	ensure(config->kind != CTL_KIND_HISTOGRAM);
	ensure(block >= page->block && block < page->block + page->header.block_count);
	ctl_text_set(family->name, sizeof(family->name), config->name);
	ctl_text_set(family->label_key, sizeof(family->label_key), config->label_key);
	ctl_text_set(family->help, sizeof(family->help), config->help);
	family->kind = config->kind;
	family->unit = config->unit;
	family->block = (uint32_t)(block - page->block);
	family->label_count = config->label_count;
	for (uint32_t i = 0; i < config->label_count; i++)
		ctl_text_set(family->label[i], sizeof(family->label[i]), config->labels[i]);
	/* Pairs with the acquire loads of readers: a family counts once it is described. */
	__atomic_store_n(&page->header.family_count, index + 1, __ATOMIC_RELEASE);
	return family;
}

void ctl_metrics_set_state(struct ctl_page *page, enum ctl_state state, const char *reason)
{
	if (reason)
		ctl_text_set(page->header.reason, sizeof(page->header.reason), reason);
	/* Pairs with the reader's acquire load: the reason is there before the state. */
	__atomic_store_n(&page->header.state, (uint32_t)state, __ATOMIC_RELEASE);
}

const char *ctl_state_name(uint32_t state)
{
	switch (state) {
	case CTL_STATE_BOOT:
		return "boot";
	case CTL_STATE_RUN:
		return "run";
	case CTL_STATE_HALT:
		return "halt";
	case CTL_STATE_FAIL:
		return "fail";
	}
	return "unknown";
}

static uint32_t ctl_block_count(const struct ctl_page *page)
{
	uint32_t count = __atomic_load_n(&page->header.block_count, __ATOMIC_ACQUIRE);

	return count < CTL_BLOCKS_MAX ? count : CTL_BLOCKS_MAX;
}

uint64_t ctl_metric_sum(const struct ctl_page *page, enum ctl_metric metric)
{
	uint64_t sum = 0;

	ensure(metric < CTL_METRICS_COUNT);
	for (uint32_t i = 0; i < ctl_block_count(page); i++)
		sum += ctl_word_load(&page->block[i].word[metric]);
	return sum;
}

void ctl_histogram_sum(const struct ctl_page *page, enum ctl_histogram histogram,
		       struct ctl_latency *ret_latency)
{
	ensure(histogram < CTL_HISTOGRAMS_COUNT);
	*ret_latency = (struct ctl_latency){ 0 };
	for (uint32_t i = 0; i < ctl_block_count(page); i++) {
		const struct ctl_latency *from = &page->block[i].latency[histogram];

		ret_latency->sum_ns += ctl_word_load(&from->sum_ns);
		ret_latency->max_ns = units_max(ret_latency->max_ns, ctl_word_load(&from->max_ns));
		for (uint32_t j = 0; j < CTL_HISTOGRAM_BUCKETS; j++)
			ret_latency->bucket[j] += ctl_word_load(&from->bucket[j]);
	}
}

uint64_t ctl_latency_percentile_ns(const struct ctl_latency *latency, uint32_t parts_per_100k)
{
	uint64_t count = 0;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < CTL_HISTOGRAM_BUCKETS; i++)
		count += latency->bucket[i];
	if (count == 0)
		return 0;
	/* The rank, rounded up, without a product that could wrap. */
	uint64_t rank = count / 100000 * parts_per_100k +
			(count % 100000 * parts_per_100k + 99999) / 100000;

	for (uint32_t i = 0; i < CTL_HISTOGRAM_BUCKETS - 1; i++) {
		seen += latency->bucket[i];
		if (seen >= rank && seen > 0)
			return units_min(ctl_histogram_bucket_end_ns(i) - 1, latency->max_ns);
	}
	return latency->max_ns;
}

uint64_t ctl_metrics_heartbeat_ns(const struct ctl_page *page)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < ctl_block_count(page); i++)
		oldest = units_min(oldest, ctl_word_load(&page->block[i].heartbeat_ns));
	return oldest == UINT64_MAX ? 0 : oldest;
}
