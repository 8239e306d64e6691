/* Memory, lifetimes and questions of the store. */

#include "storage/blocklog_store_impl.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

static bool config_is_valid(const struct blocklog_config *config)
{
	uint64_t segment = config->segment_bytes;
	uint64_t group = config->group_bytes_max;

	return segment != 0 && (segment & (segment - 1)) == 0 && segment <= UNITS_GIB * 1024 &&
	       group % BLOCKLOG_PAGE_BYTES == 0 && group >= (uint64_t)4 * BLOCKLOG_PAGE_BYTES &&
	       group <= 64 * UNITS_MIB && segment >= group + BLOCKLOG_PAGE_BYTES &&
	       config->segments_max >= 2 && config->segments_max <= UINT64_MAX / segment;
}

static size_t staging_bytes(const struct blocklog_config *config)
{
	return (size_t)config->group_bytes_max + BLOCKLOG_PAGE_BYTES;
}

static size_t struct_bytes(void)
{
	return (size_t)units_round_up(sizeof(struct blocklog_store), BLOCKLOG_PAGE_BYTES);
}

size_t blocklog_store_footprint(const struct blocklog_config *config)
{
	if (!config_is_valid(config))
		return 0;
	return BLOCKLOG_PAGE_BYTES + struct_bytes() +
	       BOUNCES * blocklog_window_bytes(blocklog_record_limit(config)) +
	       LINES * GROUPS * staging_bytes(config) + (size_t)3 * BLOCKLOG_SAFETY_SLOT_BYTES +
	       BLOCKLOG_PAGE_BYTES + ZEROS_BYTES;
}

static uint8_t *cut(uint8_t **at, size_t count)
{
	uint8_t *piece = *at;

	*at += count;
	return piece;
}

static void line_place(struct blocklog_store *store, uint32_t index, enum blocklog_log log,
		       uint8_t **at)
{
	struct blocklog_line *line = &store->lines[index];

	line->log = log;
	for (uint32_t i = 0; i < GROUPS; i++)
		line->groups[i].staging = cut(at, staging_bytes(&store->config));
}

struct blocklog_store *blocklog_store_place(struct blocklog_dev *dev,
					    const struct blocklog_config *config, void *memory,
					    size_t memory_bytes, int *ret_code)
{
	size_t footprint = blocklog_store_footprint(config);
	struct blocklog_store *store = blocklog_store_at(memory);
	uint8_t *at = (uint8_t *)store;
	uint8_t *buffers;

	*ret_code = footprint == 0 ? ERR_CONFIG : ERR_MEMORY;
	if (footprint == 0 || memory == NULL || memory_bytes < footprint)
		return NULL;
	memset(store, 0, sizeof(*store));
	store->dev = dev;
	store->config = *config;
	buffers = at + struct_bytes();
	at = buffers;
	store->bounce_bytes = blocklog_window_bytes(blocklog_record_limit(config));
	for (uint32_t i = 0; i < BOUNCES; i++)
		store->bounces[i] = cut(&at, store->bounce_bytes);
	line_place(store, 0, BLOCKLOG_LANE, &at);
	line_place(store, 1, BLOCKLOG_BLOCK, &at);
	store->safety.found = cut(&at, BLOCKLOG_SAFETY_SLOT_BYTES);
	store->safety.halves[0].slot = cut(&at, BLOCKLOG_SAFETY_SLOT_BYTES);
	store->safety.halves[1].slot = cut(&at, BLOCKLOG_SAFETY_SLOT_BYTES);
	store->page = cut(&at, BLOCKLOG_PAGE_BYTES);
	store->zeros = cut(&at, ZEROS_BYTES);
	ensure(at <= (uint8_t *)memory + memory_bytes);
	memset(store->zeros, 0, ZEROS_BYTES);
	/* A device that cannot pin this memory is slower and says so in its description. */
	(void)blocklog_dev_register_memory(dev, buffers, (size_t)(at - buffers));
	*ret_code = 0;
	return store;
}

void blocklog_store_close(struct blocklog_store *store)
{
	if (store)
		store->dev = NULL;
}

int blocklog_store_safety(const struct blocklog_store *store, const void **ret_bytes,
			  size_t *ret_count)
{
	if (!store->safety.is_found)
		return ERR_NOT_FOUND;
	if (!store->safety.is_kept)
		return ERR_ORDER;
	*ret_bytes = store->safety.found + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES;
	*ret_count = store->safety.found_count - BLOCKLOG_SAFETY_PREFIX_BYTES;
	return 0;
}

const struct blocklog_recovery *blocklog_store_recovery(const struct blocklog_store *store)
{
	return &store->recovery;
}

const struct blocklog_counters *blocklog_store_counters(const struct blocklog_store *store)
{
	return &store->counters;
}

uint64_t blocklog_store_durable_end(const struct blocklog_store *store, enum blocklog_log log)
{
	/* Pairs with the release in line_report() and safety_on_done(): the bytes are there. */
	if (log == BLOCKLOG_SAFETY)
		return atomic_load_explicit(&store->safety.durable_end, memory_order_acquire);
	return atomic_load_explicit(&store->lines[log == BLOCKLOG_BLOCK].durable_end,
				    memory_order_acquire);
}

int blocklog_store_condition(const struct blocklog_store *store)
{
	if (store->retired)
		return store->retired;
	for (uint32_t i = 0; i < LINES; i++)
		if (store->lines[i].condition)
			return store->lines[i].condition;
	return 0;
}

static bool line_is_busy(const struct blocklog_line *line)
{
	return line->group_count > 0 || line->is_creating;
}

bool blocklog_store_is_busy(const struct blocklog_store *store)
{
	const struct blocklog_safety_half *halves = store->safety.halves;

	return store->read_count > 0 || halves[0].state != GROUP_FREE ||
	       halves[1].state != GROUP_FREE || line_is_busy(&store->lines[0]) ||
	       line_is_busy(&store->lines[1]);
}
