/* The region: who gets which part of it. */

#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "replica/replica_state.h"

enum { BATCHES_A_BLOCK_SHARE = 512, BATCHES_MIN = 4096 };

/* Hands out pieces of the region, 64-byte aligned; counts only while memory is NULL. */
struct carver {
	uint8_t *memory;
	size_t used;
};

static void *carve(struct carver *carver, size_t bytes)
{
	void *at = carver->memory ? carver->memory + carver->used : NULL;

	carver->used += units_round_up(bytes, 64);
	return at;
}

uint32_t replica_recover_batches(const struct replica_config *config)
{
	uint64_t batches = (uint64_t)config->consensus.replica_count *
			   config->lanes.cut_batches_max * BATCHES_A_BLOCK_SHARE;

	return (uint32_t)units_min(units_max(batches, BATCHES_MIN), 1 << 22);
}

static bool config_is_valid(const struct replica_config *config)
{
	uint32_t blocks = config->blocks_index_max;

	return hs_core_footprint(&config->consensus) > 0 &&
	       lane_set_footprint(&config->lanes) > 0 &&
	       config->lanes.replica_count == config->consensus.replica_count &&
	       config->lanes.replica_id == config->consensus.replica_id &&
	       config->lanes.index_batches > 0 &&
	       replica_windows_footprint(config->clients_max) > 0 && blocks > 0 &&
	       (blocks & (blocks - 1)) == 0 && config->catchup_interval_ns > 0 &&
	       config->catchup_blocks_inflight > 0 && config->sends_per_peer_max > 0;
}

static void carve_recover(struct replica *replica, struct carver *carver,
			  const struct replica_config *config)
{
	struct replica_recover recover = { .batch_max = replica_recover_batches(config) };
	size_t lanes = config->lanes.replica_count;

	recover.stored =
		carve(carver, lanes * config->lanes.index_batches * sizeof(struct lane_stored));
	recover.stored_count = carve(carver, lanes * sizeof(uint64_t));
	recover.block = carve(carver, REPLICA_RECOVER_BLOCKS_MAX * sizeof(struct hs_block));
	recover.block_position = carve(carver, REPLICA_RECOVER_BLOCKS_MAX * sizeof(uint64_t));
	recover.batch = carve(carver, recover.batch_max * sizeof(struct replica_recover_batch_ref));
	recover.start_block = carve(carver, HS_BLOCKS_MAX * sizeof(struct hs_block));
	if (!replica)
		return;
	memset(recover.stored_count, 0, lanes * sizeof(uint64_t));
	replica->recover = recover;
}

/* Some sixteen frames a client, so that a resend finds its receipt even under load. */
static uint32_t recent_max(const struct replica_config *config)
{
	uint32_t count = REPLICA_RECENT_MIN;

	while (count < REPLICA_RECENT_MAX && count / 16 < config->clients_max)
		count *= 2;
	return count;
}

/* Views may fail for hours before one of their blocks is asked for. */
static uint32_t persisted_max(const struct replica_config *config)
{
	uint64_t count = units_max(config->blocks_index_max / 4, REPLICA_PERSISTED_MIN);

	return (uint32_t)units_min(count, REPLICA_PERSISTED_MAX);
}

static void carve_blocks(struct replica *replica, struct carver *carver,
			 const struct replica_config *config)
{
	size_t entries = config->blocks_index_max * sizeof(struct replica_block_entry);
	size_t persisted = persisted_max(config) * sizeof(struct replica_persisted);
	size_t buckets = persisted_max(config) * sizeof(uint32_t);
	void *at[3];

	at[0] = carve(carver, entries);
	at[1] = carve(carver, persisted);
	at[2] = carve(carver, buckets);
	if (!replica)
		return;
	replica->blocks.entry = memset(at[0], 0, entries);
	replica->blocks.persisted = memset(at[1], 0, persisted);
	replica->blocks.bucket = memset(at[2], 0, buckets);
	replica->blocks.persisted_max = persisted_max(config);
}

static void carve_tables(struct replica *replica, struct carver *carver,
			 const struct replica_config *config)
{
	size_t recent = recent_max(config) * sizeof(struct replica_recent);
	size_t admitted = REPLICA_ADMITTED_MAX * sizeof(struct replica_admitted);
	size_t outbox = replica_outbox_bytes_max(config->consensus.replica_count);
	void *at[7];

	at[0] = carve(carver, REPLICA_EFFECTS_MAX * sizeof(struct replica_effect));
	at[1] = carve(carver, outbox);
	at[2] = carve(carver, REPLICA_DELIVERY_MAX * sizeof(struct replica_pending));
	at[3] = carve(carver, REPLICA_MARK_BATCHES_MAX * REPLICA_MARK_BATCH_BYTES);
	at[4] = carve(carver, REPLICA_MARK_EXCEPTIONS_MAX * REPLICA_MARK_EXCEPTION_BYTES);
	at[5] = carve(carver, recent);
	at[6] = carve(carver, admitted);
	if (!replica)
		return;
	replica->outbox.ring = at[0];
	replica->outbox.bytes = at[1];
	replica->outbox.bytes_max = outbox;
	replica->outbox.peer_sends_max = config->sends_per_peer_max;
	replica->delivery.queue = at[2];
	replica->delivery.mark.batch_bytes = at[3];
	replica->delivery.mark.exception_bytes = at[4];
	replica->recent = memset(at[5], 0, recent);
	replica->recent_max = recent_max(config);
	replica->admitted = memset(at[6], 0, admitted);
}

size_t replica_footprint(const struct replica_config *config)
{
	struct carver carver = { 0 };

	if (!config_is_valid(config))
		return 0;
	carve(&carver, sizeof(struct replica));
	carve(&carver, hs_core_footprint(&config->consensus));
	carve(&carver, lane_set_footprint(&config->lanes));
	carve(&carver, replica_windows_footprint(config->clients_max));
	carve(&carver, REPLICA_DELIVERY_MAX * sizeof(struct replica_final));
	carve_blocks(NULL, &carver, config);
	carve_tables(NULL, &carver, config);
	carve_recover(NULL, &carver, config);
	return carver.used;
}

size_t replica_buffer_bytes(const struct replica_config *config)
{
	return lane_set_buffer_bytes(&config->lanes);
}

static int init_rooms(struct replica *replica, struct carver *carver, void *buffers,
		      size_t buffer_bytes)
{
	const struct replica_config *config = &replica->config;
	size_t core_bytes = hs_core_footprint(&config->consensus);
	size_t lane_bytes = lane_set_footprint(&config->lanes);
	size_t window_bytes = replica_windows_footprint(config->clients_max);
	int code;

	code = hs_core_init(carve(carver, core_bytes), core_bytes, &config->consensus,
			    &replica->core);
	if (code == 0)
		code = lane_set_init(carve(carver, lane_bytes), lane_bytes, buffers, buffer_bytes,
				     &config->lanes, &replica->lanes);
	if (code == 0)
		code = replica_windows_init(carve(carver, window_bytes), window_bytes,
					    config->clients_max, &replica->windows);
	return code;
}

int replica_init(void *memory, size_t memory_bytes, void *buffers, size_t buffer_bytes,
		 const struct replica_config *config, struct replica **ret_replica)
{
	size_t footprint = replica_footprint(config);
	struct carver carver = { .memory = memory };
	struct replica *replica;
	int code;

	if (footprint == 0)
		return ERR_CONFIG;
	if (memory_bytes < footprint)
		return ERR_MEMORY;
	replica = carve(&carver, sizeof(*replica));
	memset(replica, 0, sizeof(*replica));
	replica->config = *config;
	code = init_rooms(replica, &carver, buffers, buffer_bytes);
	if (code < 0)
		return code;
	replica->final = carve(&carver, REPLICA_DELIVERY_MAX * sizeof(struct replica_final));
	carve_blocks(replica, &carver, config);
	carve_tables(replica, &carver, config);
	carve_recover(replica, &carver, config);
	replica->delivery.id = config->consensus.genesis_id;
	replica->delivery.cut.lane_count = config->consensus.replica_count;
	replica->catchup.asked_peer = HS_REPLICA_NONE;
	for (uint32_t i = 0; i < config->consensus.replica_count; i++)
		if (i != config->consensus.replica_id)
			bitset_add(&replica->peers, i);
	*ret_replica = replica;
	return 0;
}
