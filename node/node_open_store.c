/* The disk: device, lock, recovery; and the replica that recovers from it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "node/node_node.h"
#include "storage/blocklog_dev_file.h"

enum { REASON_BYTES = 512, GATE_CACHE_ENTRIES = 8192 };

static void fill_consensus(const struct node *node, struct hs_config *ret_config)
{
	const struct wire_genesis *genesis = &node->identity.genesis;
	const struct node_config *config = &node->config;

	*ret_config = (struct hs_config){
		.chain_id = node->identity.chain_id,
		.set_hash = node->identity.validators.set_hash,
		.genesis_id = node->identity.genesis_id,
		.genesis_time_ns = genesis->time_ns,
		.epoch = node->identity.validators.epoch,
		.replica_id = node->identity.id,
		.replica_count = genesis->member_count,
		.delta_ns = config->delta_ms ? config->delta_ms * UNITS_NS_PER_MS :
					       genesis->delta_ns,
		.timeout_max_ns = config->timeout_max_ms ?
					  config->timeout_max_ms * UNITS_NS_PER_MS :
					  genesis->timeout_max_ns,
		.heartbeat_ns = config->heartbeat_ms ? config->heartbeat_ms * UNITS_NS_PER_MS :
						       genesis->heartbeat_ns,
		.block_interval_min_ns = config->block_interval_min_us ?
						 config->block_interval_min_us * UNITS_NS_PER_US :
						 genesis->block_interval_min_ns,
		.clock_skew_max_ns = genesis->clock_skew_max_ns,
	};
}

static void fill_lanes(const struct node *node, struct lane_config *ret_config)
{
	const struct wire_genesis *genesis = &node->identity.genesis;
	const struct node_config *config = &node->config;

	*ret_config = (struct lane_config){
		.chain_id = node->identity.chain_id,
		.set_hash = node->identity.validators.set_hash,
		.epoch = node->identity.validators.epoch,
		.replica_id = node->identity.id,
		.replica_count = genesis->member_count,
		.batch_bytes_max = config->batch_kib_max * 1024,
		.batch_frames_max = LANE_BATCH_FRAMES_MAX,
		.window_batches = genesis->window_batches,
		.cut_batches_max = genesis->cut_batches_max,
		.spare_buffers = 64,
		.index_batches = 1 << 16,
		.batch_close_ns = config->batch_close_us * UNITS_NS_PER_US,
		.reorder_ns = 3 * UNITS_NS_PER_MS,
		.ack_interval_ns = config->ack_interval_us * UNITS_NS_PER_US,
		.repair_interval_ns = 20 * UNITS_NS_PER_MS,
		.repair_budget = 512,
	};
}

static int make_replica(struct node *node)
{
	struct replica_config *config = &node->replica_config;
	size_t bytes;
	size_t buffer_bytes;
	void *memory;
	void *buffers;
	int code;

	fill_consensus(node, &config->consensus);
	fill_lanes(node, &config->lanes);
	config->clients_max = node->identity.genesis.admission.clients_max;
	config->blocks_index_max = 1 << 20;
	config->catchup_interval_ns = 20 * UNITS_NS_PER_MS;
	config->catchup_blocks_inflight = 64;
	config->sends_per_peer_max = 1024;
	bytes = replica_footprint(config);
	buffer_bytes = replica_buffer_bytes(config);
	if (bytes == 0 || buffer_bytes == 0)
		return node_fail(node, ERR_CONFIG,
				 "the genesis and this configuration do not fit "
				 "together: check [timers] and [limits]");
	memory = node_memory(bytes);
	buffers = node_memory(buffer_bytes);
	if (!memory || !buffers)
		return node_fail(node, ERR_MEMORY, "no memory for the replica: %zu MiB are needed",
				 (bytes + buffer_bytes) >> 20);
	code = replica_init(memory, bytes, buffers, buffer_bytes, config, &node->replica);
	if (code < 0)
		return node_fail(node, code, "replica: %s", err_text(code));
	code = blocklog_dev_register_memory(node->dev, buffers, buffer_bytes);
	if (code < 0)
		node_log("batch buffers are not registered with the disk (%s): slower, not wrong",
			 err_text(code));
	return 0;
}

static int make_gate(struct node *node)
{
	const struct wire_admission *admission = &node->identity.genesis.admission;
	struct replica_gate_config config = {
		.validators = &node->identity.validators,
		.verifier = crypto_verifier_ed25519,
		.genesis_id = node->identity.genesis_id,
		.replica_id = node->identity.id,
		.admission = { .is_open = admission->kind == WIRE_ADMISSION_OPEN,
			       .key = admission->listed,
			       .key_count = admission->listed_count },
		.cache_entries = GATE_CACHE_ENTRIES,
	};
	size_t bytes = replica_gate_footprint(&config);
	void *memory = bytes ? node_memory(bytes) : NULL;
	int code = memory ? replica_gate_init(memory, bytes, &config, &node->gate) : ERR_MEMORY;

	return code < 0 ? node_fail(node, code, "gate: %s", err_text(code)) : 0;
}

/* ---- recovery ---- */

struct recovery {
	struct node *node;
	enum blocklog_log log;
};

static int on_record(void *context, uint16_t kind, uint64_t position, const void *bytes,
		     size_t count)
{
	struct recovery *recovery = context;

	recovery->node->recovered_records++;
	return replica_recover_record(recovery->node->replica, recovery->log, kind, position, bytes,
				      count);
}

enum { SCAN_STOP = 1 };

static int on_batch(void *context, uint16_t kind, uint64_t position, const void *bytes,
		    size_t count)
{
	struct recovery *recovery = context;
	int code = replica_recover_batch(recovery->node->replica, bytes, count);

	(void)kind;
	(void)position;
	return code < 0 ? code : SCAN_STOP;
}

/* One record only: the first the scan meets. */
static int on_block(void *context, uint16_t kind, uint64_t position, const void *bytes,
		    size_t count)
{
	int code = on_record(context, kind, position, bytes, count);

	return code < 0 ? code : SCAN_STOP;
}

static int recover_logs(struct node *node)
{
	struct recovery recovery = { .node = node };
	uint64_t position;
	int code = 0;

	recovery.log = BLOCKLOG_LANE;
	code = blocklog_store_scan(node->store, BLOCKLOG_LANE, 0, on_record, &recovery);
	recovery.log = BLOCKLOG_BLOCK;
	if (code == 0)
		code = blocklog_store_scan(node->store, BLOCKLOG_BLOCK, 0, on_record, &recovery);
	if (code == 0 && replica_recover_wants_block(node->replica, &position)) {
		code = blocklog_store_scan(node->store, BLOCKLOG_BLOCK, position, on_block,
					   &recovery);
		code = code == SCAN_STOP ? 0 : code;
	}
	while (code == 0 && replica_recover_wants(node->replica, &position)) {
		code = blocklog_store_scan(node->store, BLOCKLOG_LANE, position, on_batch,
					   &recovery);
		if (code == 0)
			code = ERR_SEQUENCE; /* named, but not there */
		else if (code == SCAN_STOP)
			code = 0;
	}
	return code;
}

static int recover(struct node *node)
{
	const struct blocklog_recovery *recovery = blocklog_store_recovery(node->store);
	const void *record = NULL;
	size_t record_bytes = 0;
	int code = recover_logs(node);

	if (code < 0)
		return node_fail(
			node, code,
			"store %s: recovery stopped: %s; run quorate-store verify --dir %s",
			node->config.data_dir, err_text(code), node->config.data_dir);
	code = blocklog_store_safety(node->store, &record, &record_bytes);
	if (code == ERR_NOT_FOUND)
		node_log("both copies of the safety record are unreadable: this node only "
			 "observes; it needs a new key to vote again");
	else if (code < 0)
		return node_fail(node, code, "safety record: %s", err_text(code));
	code = replica_recover_safety(node->replica, node->gate, record, record_bytes);
	if (code < 0)
		return node_fail(node, code, "safety record: %s", err_text(code));
	node->torn_bytes =
		recovery->torn_bytes[BLOCKLOG_LANE] + recovery->torn_bytes[BLOCKLOG_BLOCK];
	return 0;
}

static int open_store(struct node *node)
{
	struct blocklog_config config = {
		.identity = { .chain_id = node->identity.chain_id, .node_id = node->identity.id },
		.segment_bytes = node->config.store_segment_mib * UNITS_MIB,
		.group_bytes_max = 2 * UNITS_MIB,
		.segments_max = node->config.store_segments_max,
	};
	size_t bytes = blocklog_store_footprint(&config);
	void *memory = bytes ? node_memory(bytes) : NULL;
	int code;

	if (!memory)
		return node_fail(node, bytes ? ERR_MEMORY : ERR_CONFIG,
				 bytes ? "no memory for the store" :
					 "[store] segment_mib or segments_max do not fit together");
	code = blocklog_store_open(node->dev, &config, memory, bytes, &node->store);
	switch (code) {
	case 0:
		return 0;
	case ERR_FOREIGN:
		return node_fail(node, code,
				 "store %s: belongs to another chain or node than member %u of %s",
				 node->config.data_dir, node->identity.id,
				 node->identity.genesis.name);
	case ERR_NEWER:
		return node_fail(node, code,
				 "store %s: written by a newer quorated; upgrade this one",
				 node->config.data_dir);
	case ERR_NOT_FOUND:
		return node_fail(node, code, "store %s: there is none; make it with quorate init",
				 node->config.data_dir);
	default:
		return node_fail(node, code, "store %s: %s; run quorate-store verify --dir %s",
				 node->config.data_dir, err_text(code), node->config.data_dir);
	}
}

int node_open_store(struct node *node)
{
	struct blocklog_dev_file_options options = {
		.directory = node->config.data_dir,
		.allow_buffered = node->config.store_allow_buffered,
	};
	char reason[REASON_BYTES];
	int code = blocklog_dev_file_open(&options, &node->dev, reason, sizeof(reason));

	if (code == -ENOENT)
		return node_fail(node, ERR_NOT_FOUND,
				 "store %s: there is none; make it with quorate init",
				 node->config.data_dir);
	if (code < 0)
		return node_fail(node, code, "%.*s", NODE_REASON_MAX - 1, reason);
	code = open_store(node);
	if (code == 0)
		code = make_gate(node);
	if (code == 0)
		code = make_replica(node);
	if (code == 0)
		code = recover(node);
	return code;
}
