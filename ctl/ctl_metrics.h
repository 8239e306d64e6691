/*
 * ctl_metrics: the page of memory a node shares with its control plane.
 *
 * One file in the node's run directory, mapped writable by the node and
 * read-only by everybody else:
 *
 *     header    magic, layout hash, generation, state
 *     status    what the node is and sees (ctl_status.h)
 *     families  metrics whose label values are known only at start
 *     blocks    one a tile: heartbeat and one word a metric
 *
 * Readers may misread nothing: a file with another layout hash is refused, not
 * guessed at. A reader can neither stop nor slow the node.
 *
 * Threads  A block, and every family registered for it, has one writer: the
 *          tile that owns it. Words are aligned, written whole and only ever
 *          read by others. Blocks and families are registered during start,
 *          by one thread, before ctl_metrics_set_state(CTL_STATE_RUN).
 * Units    Counts, bytes, and nanoseconds of CLOCK_MONOTONIC.
 * Errors   Writers cannot fail; a full table or a bad index is ensure().
 */
#ifndef QUORATE_CTL_METRICS_H
#define QUORATE_CTL_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ensure.h"
#include "ctl/ctl_status.h"

enum ctl_metric {
#define CTL_COUNTER(id, scope, name, labels, unit, help) CTL_METRIC_##id,
#define CTL_GAUGE(id, scope, name, labels, unit, help) CTL_METRIC_##id,
#define CTL_HISTOGRAM(id, scope, name, labels, unit, help)
#include "ctl/ctl_metrics.def"
#undef CTL_COUNTER
#undef CTL_GAUGE
#undef CTL_HISTOGRAM
	CTL_METRICS_COUNT,
};

enum ctl_histogram {
#define CTL_COUNTER(id, scope, name, labels, unit, help)
#define CTL_GAUGE(id, scope, name, labels, unit, help)
#define CTL_HISTOGRAM(id, scope, name, labels, unit, help) CTL_HISTOGRAM_##id,
#include "ctl/ctl_metrics.def"
#undef CTL_COUNTER
#undef CTL_GAUGE
#undef CTL_HISTOGRAM
	CTL_HISTOGRAMS_COUNT,
};

enum {
	CTL_NAME_BYTES = 64,
	CTL_LABEL_BYTES = 32,
	CTL_HELP_BYTES = 128,
	CTL_BLOCKS_MAX = 16,         /* tiles of a node */
	CTL_FAMILIES_MAX = 48,       /* label tables of a node */
	CTL_FAMILY_LABELS_MAX = 128, /* label values of one family */
	/* Latency buckets: 8 a power of two, so a percentile is off by at most 1/8. */
	CTL_HISTOGRAM_STEPS = 8,
	CTL_HISTOGRAM_BIT_MAX = 37, /* 2^38 ns = 275 s and above share the last bucket */
	CTL_HISTOGRAM_BUCKETS = (CTL_HISTOGRAM_BIT_MAX - 3) * CTL_HISTOGRAM_STEPS + 16,
};

enum ctl_kind { CTL_KIND_COUNTER, CTL_KIND_GAUGE, CTL_KIND_HISTOGRAM };
enum ctl_scope { CTL_SCOPE_NODE, CTL_SCOPE_TILE };
enum ctl_unit { CTL_UNIT_ONE, CTL_UNIT_BYTES, CTL_UNIT_SECONDS };

enum ctl_state {
	CTL_STATE_BOOT, /* starting: recovery, ports, sessions */
	CTL_STATE_RUN,
	CTL_STATE_HALT, /* stopped in order */
	CTL_STATE_FAIL, /* stopped by its own ensure() or an error it cannot go on from */
};

/* One line of ctl_metrics.def. */
struct ctl_metric_info {
	enum ctl_kind kind;
	enum ctl_scope scope;
	enum ctl_unit unit;
	uint32_t index; /* an enum ctl_metric, or an enum ctl_histogram */
	const char *name;
	const char *labels;
	const char *help;
};

struct ctl_latency {
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t bucket[CTL_HISTOGRAM_BUCKETS];
};

struct ctl_block {
	_Alignas(64) char name[CTL_LABEL_BYTES];
	uint64_t heartbeat_ns; /* 0: not yet */
	uint64_t word[CTL_METRICS_COUNT];
	struct ctl_latency latency[CTL_HISTOGRAMS_COUNT];
};

struct ctl_family {
	_Alignas(64) char name[CTL_NAME_BYTES];
	char label_key[CTL_LABEL_BYTES];
	char help[CTL_HELP_BYTES];
	uint32_t kind;  /* CTL_KIND_COUNTER or CTL_KIND_GAUGE */
	uint32_t unit;  /* enum ctl_unit */
	uint32_t block; /* whose writer writes the words */
	uint32_t label_count;
	char label[CTL_FAMILY_LABELS_MAX][CTL_LABEL_BYTES];
	_Alignas(64) uint64_t word[CTL_FAMILY_LABELS_MAX];
};

struct ctl_header {
	char magic[8]; /* "QCTLPAGE" */
	uint64_t layout_hash;
	uint64_t page_bytes;
	uint64_t generation; /* differs for every start of the node */
	uint64_t started_ns;
	uint64_t started_unix_ns;
	uint32_t pid;
	uint32_t state; /* enum ctl_state */
	uint32_t block_count;
	uint32_t family_count;
	char reason[CTL_HELP_BYTES]; /* why FAIL, else "" */
};

struct ctl_page {
	_Alignas(64) struct ctl_header header;
	_Alignas(64) struct ctl_status_slot status;
	struct ctl_family family[CTL_FAMILIES_MAX];
	struct ctl_block block[CTL_BLOCKS_MAX];
};

/* How a family is described when it is registered; strings are copied (and cut to their field). */
struct ctl_family_config {
	const char *name;      /* "quorate_drops_total" */
	const char *label_key; /* "reason" */
	const char *help;
	enum ctl_kind kind;
	enum ctl_unit unit;
	const char *const *labels;
	uint32_t label_count; /* at most CTL_FAMILY_LABELS_MAX */
};

/* The lines of ctl_metrics.def in their order; `index` below ctl_metric_info_count(). */
uint32_t ctl_metric_info_count(void);
const struct ctl_metric_info *ctl_metric_info_at(uint32_t index);

/* Fingerprint of ctl_metrics.def and of every structure on the page. */
uint64_t ctl_metrics_layout_hash(void);

/* Makes an empty page in state BOOT of zeroed memory; ctl_shm_create() calls it for a node. */
void ctl_metrics_init(struct ctl_page *page, uint64_t generation, uint64_t now_ns,
		      uint64_t now_unix_ns, uint32_t pid);

/* Takes the next block for tile `name`. ensure()s that one is free. */
struct ctl_block *ctl_block_register(struct ctl_page *page, const char *name);

/*
 * Takes the next family, with one word a label, written by the owner of `block`. The same name may
 * be registered for several blocks: they become series with different `tile` labels.
 */
struct ctl_family *ctl_family_register(struct ctl_page *page, const struct ctl_block *block,
				       const struct ctl_family_config *config);

/* Publishes the node's state; `reason` may be NULL and is kept for CTL_STATE_FAIL. */
void ctl_metrics_set_state(struct ctl_page *page, enum ctl_state state, const char *reason);

/* Returns "boot", "run", "halt" or "fail". */
const char *ctl_state_name(uint32_t state);

static inline uint64_t ctl_word_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void ctl_word_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void ctl_word_add(uint64_t *word, uint64_t count)
{
	ctl_word_store(word, ctl_word_load(word) + count);
}

static inline void ctl_metric_add(struct ctl_block *block, enum ctl_metric metric, uint64_t count)
{
	ctl_word_add(&block->word[metric], count);
}

static inline void ctl_metric_set(struct ctl_block *block, enum ctl_metric metric, uint64_t value)
{
	ctl_word_store(&block->word[metric], value);
}

static inline void ctl_family_add(struct ctl_family *family, uint32_t label, uint64_t count)
{
	ensure(label < family->label_count);
	ctl_word_add(&family->word[label], count);
}

static inline void ctl_family_set(struct ctl_family *family, uint32_t label, uint64_t value)
{
	ensure(label < family->label_count);
	ctl_word_store(&family->word[label], value);
}

/* Says "alive": at least once a second from every tile, also from a sleeping one. */
static inline void ctl_block_beat(struct ctl_block *block, uint64_t now_ns)
{
	ctl_word_store(&block->heartbeat_ns, now_ns);
}

/* Returns the latency bucket of `value_ns`: values below 8 exactly, then 8 steps an octave. */
static inline uint32_t ctl_histogram_bucket(uint64_t value_ns)
{
	if (value_ns < CTL_HISTOGRAM_STEPS)
		return (uint32_t)value_ns;
	if (value_ns >> (CTL_HISTOGRAM_BIT_MAX + 1))
		return CTL_HISTOGRAM_BUCKETS - 1;

	uint32_t shift = 63 - (uint32_t)__builtin_clzll(value_ns) - 3;

	return shift * CTL_HISTOGRAM_STEPS + (uint32_t)(value_ns >> shift);
}

/* Returns the smallest value above bucket `index`. */
static inline uint64_t ctl_histogram_bucket_end_ns(uint32_t index)
{
	if (index < CTL_HISTOGRAM_STEPS)
		return (uint64_t)index + 1;

	uint32_t shift = index / CTL_HISTOGRAM_STEPS - 1;

	return ((uint64_t)(index % CTL_HISTOGRAM_STEPS + CTL_HISTOGRAM_STEPS) + 1) << shift;
}

static inline void ctl_histogram_add(struct ctl_block *block, enum ctl_histogram histogram,
				     uint64_t value_ns)
{
	struct ctl_latency *latency = &block->latency[histogram];

	ctl_word_add(&latency->bucket[ctl_histogram_bucket(value_ns)], 1);
	ctl_word_add(&latency->sum_ns, value_ns);
	if (value_ns > ctl_word_load(&latency->max_ns))
		ctl_word_store(&latency->max_ns, value_ns);
}

/* Sums of a metric, or of a histogram, over all blocks: what a reader shows for scope NODE. */
uint64_t ctl_metric_sum(const struct ctl_page *page, enum ctl_metric metric);
void ctl_histogram_sum(const struct ctl_page *page, enum ctl_histogram histogram,
		       struct ctl_latency *ret_latency);

/* Returns an upper bound of the percentile, in parts per 100 000 (p99.9 = 99900); 0 if empty. */
uint64_t ctl_latency_percentile_ns(const struct ctl_latency *latency, uint32_t parts_per_100k);

/* Returns the oldest heartbeat of all registered blocks, 0 if one never beat or none exists. */
uint64_t ctl_metrics_heartbeat_ns(const struct ctl_page *page);

#endif
