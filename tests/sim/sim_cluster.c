/* The replicas: real replica, gate and store, a simulated disk; started, stopped, stepped. */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim_adversary.h"
#include "tests/sim/sim_marks.h"
#include "tests/sim/sim_memory.h"
#include "wire/wire_genesis.h"

enum { SCAN_STOP = 1, MILLION = 1000000, CHECK_EVERY = 32 };

struct signed_job {
	uint64_t request;
	uint32_t count;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
};

struct checked_job {
	uint64_t view;
	struct crypto_hash block_id;
	uint32_t count;
	struct hs_commit commits[];
};

uint64_t sim_local_ns(const struct sim_node *node, uint64_t true_ns)
{
	return true_ns * (uint64_t)(MILLION + node->drift_ppm) / MILLION;
}

uint64_t sim_true_ns(const struct sim_node *node, uint64_t local_ns)
{
	uint64_t rate = (uint64_t)(MILLION + node->drift_ppm);

	return local_ns > UINT64_MAX / MILLION ? UINT64_MAX :
						 (local_ns * MILLION + rate - 1) / rate;
}

/* Healed wall clocks keep time: something sets them. */
uint64_t sim_wall_ns(const struct sim *sim, const struct sim_node *node)
{
	uint64_t now_ns = sim->is_chaos ? sim_local_ns(node, sim->clock.now_ns) : sim->clock.now_ns;

	return (uint64_t)((int64_t)(sim->wall_base_ns + now_ns) + node->skew_ns);
}

static void fill_config(const struct sim *sim, uint32_t id, struct replica_config *ret_config)
{
	const struct sim_knobs *knobs = &sim->knobs;

	*ret_config = (struct replica_config){
		.consensus = {
			.chain_id = sim->validators.chain_id,
			.set_hash = sim->validators.set_hash,
			.genesis_id = sim->genesis_id,
			.genesis_time_ns = sim->wall_base_ns - UNITS_NS_PER_S,
			.epoch = 1,
			.replica_id = id,
			.replica_count = knobs->n,
			.delta_ns = knobs->delta_ns,
			.timeout_max_ns = UNITS_NS_PER_S,
			.heartbeat_ns = 300 * UNITS_NS_PER_MS,
			.block_interval_min_ns = UNITS_NS_PER_MS,
			.clock_skew_max_ns = 500 * UNITS_NS_PER_MS,
		},
		.lanes = {
			.chain_id = sim->validators.chain_id,
			.set_hash = sim->validators.set_hash,
			.epoch = 1,
			.replica_id = id,
			.replica_count = knobs->n,
			.batch_bytes_max = 32 * 1024,
			.batch_frames_max = knobs->batch_frames_max,
			.window_batches = knobs->window_batches,
			.cut_batches_max = knobs->cut_batches_max,
			.spare_buffers = 8,
			.index_batches = sim->options.is_lag ? 16384 :
					 sim->power.wanted > 0 ? 512 :
								 2048,
			.batch_close_ns = 200 * UNITS_NS_PER_US,
			.reorder_ns = 2 * UNITS_NS_PER_MS,
			.ack_interval_ns = 100 * UNITS_NS_PER_US,
			.repair_interval_ns = 10 * UNITS_NS_PER_MS,
			.repair_budget = 256,
		},
		.clients_max = sim->power.wanted > 0 ? 8 : 2 * SIM_CLIENTS_MAX,
		.blocks_index_max = sim->power.wanted > 0 ? 1 << 9 : 1 << 12,
		.catchup_interval_ns = 10 * UNITS_NS_PER_MS,
		.catchup_blocks_inflight = 16,
		.sends_per_peer_max = 256,
	};
}

/* Real signatures are worth remembering; for a keyed hash a small table stays close by. */
static uint32_t gate_cache_entries(const struct sim *sim)
{
	return sim->knobs.is_ed25519 ? 4096 : 512;
}

static void format_disk(struct sim *sim, struct sim_node *node)
{
	static uint8_t bytes[BLOCKLOG_SAFETY_BYTES_MAX];
	static struct hs_record record;
	int code;

	memset(&record, 0, sizeof(record));
	record.epoch = 1;
	record.high_qc.epoch = 1;
	record.high_qc.block_id = sim->genesis_id;
	record.intent_justify = record.high_qc;
	record.committed_id = sim->genesis_id;
	code = wire_encode_record(&record, bytes, sizeof(bytes));
	ensure(code > 0);
	sim->store_config.identity.node_id = node->id;
	code = blocklog_store_format(sim_disk_dev(node->disk), &sim->store_config, bytes,
				     (size_t)code, node->store_memory,
				     blocklog_store_footprint(&sim->store_config));
	if (code < 0)
		sim_fail(sim, "format of disk %u: %s", node->id, err_text(code));
}

static void init_node(struct sim *sim, uint32_t slot)
{
	struct sim_node *node = &sim->nodes[slot];
	uint32_t id = sim_adversary_id(sim, slot);
	struct replica_gate_config gate = {
		.validators = &sim->validators,
		.verifier = sim->verifier,
		.genesis_id = sim->genesis_id,
		.replica_id = id,
		.admission = { .is_open = true },
		.cache_entries = gate_cache_entries(sim),
	};
	struct sim_disk_config disk = sim->knobs.disk;
	struct replica_config config;

	fill_config(sim, id, &config);
	disk.seed = prng_u64(&sim->prng);
	node->id = id;
	node->slot = slot;
	node->disk = sim_disk_new(&disk);
	node->skew_ns = (int64_t)prng_below(&sim->prng, 2 * sim->knobs.skew_ns + 1) -
			(int64_t)sim->knobs.skew_ns;
	node->drift_ppm = (int32_t)prng_below(&sim->prng, 2 * sim->knobs.drift_ppm + 1) -
			  (int32_t)sim->knobs.drift_ppm;
	node->store_memory = sim_memory_take_dirty(blocklog_store_footprint(&sim->store_config));
	node->replica_bytes = replica_footprint(&config);
	node->buffer_bytes = replica_buffer_bytes(&config);
	node->gate_bytes = replica_gate_footprint(&gate);
	ensure(node->replica_bytes > 0 && node->gate_bytes > 0);
	node->replica_memory = sim_memory_take_dirty(node->replica_bytes);
	node->buffers = sim_memory_take_dirty(node->buffer_bytes);
	node->gate_memory = sim_memory_take_dirty(node->gate_bytes);
	format_disk(sim, node);
}

void sim_cluster_init(struct sim *sim)
{
	sim->genesis_id =
		wire_genesis_block_id(&sim->validators.chain_id, &sim->validators.set_hash);
	sim->store_config = (struct blocklog_config){
		.identity = { .chain_id = sim->validators.chain_id },
		.segment_bytes = sim->knobs.segment_bytes,
		.group_bytes_max = sim->knobs.group_bytes_max,
		.segments_max = 512,
	};
	for (uint32_t i = 0; i < sim->slots; i++)
		init_node(sim, i);
}

void sim_cluster_fini(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (node->is_up)
			sim_node_stop(sim, node, false);
		sim_disk_free(node->disk);
		sim_memory_give_dirty(node->store_memory,
				      blocklog_store_footprint(&sim->store_config));
		sim_memory_give_dirty(node->replica_memory, node->replica_bytes);
		sim_memory_give_dirty(node->buffers, node->buffer_bytes);
		sim_memory_give_dirty(node->gate_memory, node->gate_bytes);
		free(node->parts);
	}
}

/* ---- start ---- */

struct recovery {
	struct sim *sim;
	struct sim_node *node;
	enum blocklog_log log;
};

static int on_record(void *context, uint16_t kind, uint64_t position, const void *bytes,
		     size_t count)
{
	struct recovery *recovery = context;

	sim_check_scanned(recovery->sim, recovery->node, kind, bytes, count);
	return replica_recover_record(recovery->node->replica, recovery->log, kind, position, bytes,
				      count);
}

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
	struct recovery *recovery = context;
	int code = replica_recover_record(recovery->node->replica, recovery->log, kind, position,
					  bytes, count);

	return code < 0 ? code : SCAN_STOP;
}

static int recover_logs(struct sim *sim, struct sim_node *node)
{
	struct recovery recovery = { sim, node, BLOCKLOG_LANE };
	uint64_t position;
	int code = blocklog_store_scan(node->store, BLOCKLOG_LANE, 0, on_record, &recovery);

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

/* Without a readable safety record a replica only observes (rule R). */
static int recover_safety(struct sim *sim, struct sim_node *node)
{
	const void *record = NULL;
	size_t record_bytes = 0;
	int code = blocklog_store_safety(node->store, &record, &record_bytes);

	memset(&node->scanned, 0, sizeof(node->scanned));
	if (code == 0)
		code = wire_decode_record(record, record_bytes, sim->knobs.n, &node->scanned);
	else if (code == ERR_NOT_FOUND)
		code = 0;
	if (code == 0)
		code = replica_recover_safety(node->replica, node->gate, record, record_bytes);
	return code;
}

static int recover(struct sim *sim, struct sim_node *node)
{
	int code = recover_logs(sim, node);

	if (code == 0)
		code = recover_safety(sim, node);
	if (code == 0)
		sim_check_restart(sim, node);
	return code;
}

static void make_node(struct sim *sim, struct sim_node *node)
{
	struct replica_gate_config gate = {
		.validators = &sim->validators,
		.verifier = sim->verifier,
		.genesis_id = sim->genesis_id,
		.replica_id = node->id,
		.admission = { .is_open = true },
		.cache_entries = gate_cache_entries(sim),
	};
	struct replica_config config;

	fill_config(sim, node->id, &config);
	ensure(replica_init(node->replica_memory, node->replica_bytes, node->buffers,
			    node->buffer_bytes, &config, &node->replica) == 0);
	ensure(replica_gate_init(node->gate_memory, node->gate_bytes, &gate, &node->gate) == 0);
}

static void greet(struct sim *sim, struct sim_node *node)
{
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct sim_node *peer = &sim->nodes[i];
		struct sim_event event = { .kind = SIM_EVENT_PEER_UP };
		uint64_t after_ns = sim->knobs.delay_min_ns * 2;

		if (peer->id == node->id || !peer->is_up || !sim_net_hears(sim, i, node->slot) ||
		    !sim_net_hears(sim, node->slot, i))
			continue;
		event.node = node->slot;
		event.from = peer->id;
		event.incarnation = node->incarnation;
		sim_clock_add(&sim->clock, after_ns, &event);
		event.node = i;
		event.from = node->id;
		event.incarnation = peer->incarnation;
		sim_clock_add(&sim->clock, after_ns, &event);
	}
}

void sim_node_start(struct sim *sim, struct sim_node *node)
{
	struct replica_input input = { .kind = REPLICA_INPUT_START };
	const struct sim_disk_counts *counts = sim_disk_counts(node->disk);
	int code;

	node->errors_before = counts->read_errors + counts->write_errors;
	sim->store_config.identity.node_id = node->id;
	code = blocklog_store_open(sim_disk_dev(node->disk), &sim->store_config, node->store_memory,
				   blocklog_store_footprint(&sim->store_config), &node->store);
	if (code == 0) {
		make_node(sim, node);
		code = recover(sim, node);
	}
	if (code < 0) {
		sim_atlas_refused(sim, node, code);
		return;
	}
	node->is_up = true;
	node->tick_ns = UINT64_MAX;
	node->disk_ns = UINT64_MAX;
	sim_say(sim, "start %u", node->id);
	sim_node_step(sim, node, &input);
	sim_store_turn(sim, node);
	if (node->is_doomed)
		return;
	greet(sim, node);
	sim_node_event(sim, node, NULL);
}

void sim_node_stop(struct sim *sim, struct sim_node *node, bool is_power_cut)
{
	ensure(node->is_up);
	sim_say(sim, "stop %u (%s)", node->id, is_power_cut ? "power" : "kill");
	if (is_power_cut)
		sim_disk_crash(node->disk);
	else
		sim_disk_kill(node->disk);
	blocklog_store_close(node->store);
	sim_store_forget(node);
	node->is_up = false;
	node->incarnation++;
	node->parts_bytes = 0;
}

/* ---- steps ---- */

static void later(struct sim *sim, struct sim_node *node, enum sim_event_kind kind,
		  uint64_t after_ns, void *job)
{
	struct sim_event event = {
		.kind = kind,
		.node = node->slot,
		.incarnation = node->incarnation,
		.pointer = job,
	};

	sim_clock_add(&sim->clock, after_ns, &event);
}

static void carry_sign(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	struct signed_job *job = sim_memory_new(sizeof(*job));

	ensure(effect->u.sign.count <= sizeof(job->bytes));
	job->request = effect->u.sign.request;
	job->count = effect->u.sign.count;
	memcpy(job->bytes, effect->u.sign.bytes, job->count);
	later(sim, node, SIM_EVENT_SIGNED, prng_below(&sim->prng, sim->knobs.sign_ns + 1), job);
}

static void carry_check(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	size_t bytes = effect->u.commits.count * sizeof(struct hs_commit);
	struct checked_job *job = sim_memory_new(sizeof(*job) + bytes);

	job->view = effect->u.commits.view;
	job->block_id = effect->u.commits.block_id;
	job->count = effect->u.commits.count;
	memcpy(job->commits, effect->u.commits.commits, bytes);
	later(sim, node, SIM_EVENT_CHECKED, prng_below(&sim->prng, 4 * sim->knobs.sign_ns + 1),
	      job);
}

static void carry_out(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	switch (effect->kind) {
	case REPLICA_EFFECT_SEND:
		if (sim_adversary_has(sim, node->id)) {
			sim_adversary_send(sim, node, &effect->u.send.to, effect->u.send.bytes,
					   effect->u.send.byte_count);
			break;
		}
		sim_check_send(sim, node, effect->u.send.bytes, effect->u.send.byte_count);
		sim_net_send(sim, node->slot, &effect->u.send.to, effect->u.send.bytes,
			     effect->u.send.byte_count);
		break;
	case REPLICA_EFFECT_PERSIST:
		sim_store_append(sim, node, effect);
		break;
	case REPLICA_EFFECT_READ:
		sim_store_read(sim, node, effect);
		break;
	case REPLICA_EFFECT_SIGN:
		carry_sign(sim, node, effect);
		break;
	case REPLICA_EFFECT_CHECK_COMMITS:
		carry_check(sim, node, effect);
		break;
	case REPLICA_EFFECT_RECEIPT:
		if (sim_adversary_has(sim, node->id))
			break;
		sim_check_receipt(sim, node, &effect->u.receipt);
		sim_workload_receipt(sim, node->id, &effect->u.receipt);
		break;
	case REPLICA_EFFECT_REFUSE:
		sim->refusals++;
		sim_marks_refused(effect->u.refuse.reason);
		sim_say(sim, "replica %u refuses %llu of a client: %s, limit %llu", node->id,
			(unsigned long long)effect->u.refuse.first_seq,
			err_name(effect->u.refuse.reason),
			(unsigned long long)effect->u.refuse.limit);
		if (effect->u.refuse.reason == ERR_DUPLICATE && !sim_adversary_has(sim, node->id))
			sim_workload_known(sim, node->id, &effect->u.refuse.client,
					   effect->u.refuse.first_seq);
		break;
	case REPLICA_EFFECT_FINAL:
		node->delivered_height = effect->u.final.height;
		if (sim_adversary_has(sim, node->id))
			break;
		sim_conform_final(sim, node->id, effect->u.final.height, &effect->u.final.block_id);
		sim_check_final(sim, node, effect->u.final.height, effect->u.final.tx_base,
				effect->u.final.tx_count);
		break;
	case REPLICA_EFFECT_ALARM:
		sim_atlas_alarm(sim, node, effect);
		break;
	case REPLICA_EFFECT_DROPPED:
		sim_check_dropped(sim, node, effect);
		break;
	}
}

void sim_node_step(struct sim *sim, struct sim_node *node, struct replica_input *input)
{
	const struct replica_effect *effect;

	if (node->is_doomed)
		return;
	input->now_ns = sim_local_ns(node, sim->clock.now_ns);
	input->wall_ns = sim_wall_ns(sim, node);
	ensure(replica_step(node->replica, input) == 0);
	while ((effect = replica_effect(node->replica)) != NULL) {
		carry_out(sim, node, effect);
		replica_effect_pop(node->replica);
		if (sim_chaos_strikes(sim, node))
			return;
	}
	node->steps++;
	if (sim->is_thorough || node->steps % CHECK_EVERY == 0)
		replica_check(node->replica);
}

/* Changed on the way: refused where a signature covers it, else by the session's tag. */
static void judge_spoilt(const struct sim *sim, const struct sim_node *node,
			 const struct sim_packet *packet, int code,
			 const struct replica_verified *verified)
{
	static const uint64_t bound = UINT64_C(1) << WIRE_PROPOSE | UINT64_C(1) << WIRE_VOTE |
				      UINT64_C(1) << WIRE_TIMEOUT | UINT64_C(1) << WIRE_QC |
				      UINT64_C(1) << WIRE_TC | UINT64_C(1) << WIRE_FC |
				      UINT64_C(1) << WIRE_BATCH | UINT64_C(1) << WIRE_SHOW |
				      UINT64_C(1) << WIRE_EVIDENCE;

	SOMETIMES(code == ERR_FORMAT, "spoilt: refused as malformed");
	SOMETIMES(code == ERR_TRUNCATED, "spoilt: refused as truncated");
	SOMETIMES(code == ERR_OVERSIZE, "spoilt: refused as oversized");
	SOMETIMES(code == ERR_EPOCH, "spoilt: refused as of another epoch");
	SOMETIMES(code == ERR_SIGNATURE, "spoilt: refused by its signature");
	SOMETIMES(code == 0, "spoilt: left to the session's tag");
	if (code == 0 && bound >> verified->stamp.kind & 1)
		sim_fail(sim, "gate of %u takes a spoilt message of kind %u, %u bytes", node->id,
			 verified->stamp.kind, packet->count);
}

static void on_packet(struct sim *sim, struct sim_node *node, const struct sim_event *event)
{
	const struct sim_packet *packet = event->pointer;
	struct replica_input input = { .kind = REPLICA_INPUT_PEER };
	struct replica_verified verified;
	uint32_t from = sim->nodes[event->from].id;
	int code;

	if (!packet->is_spoilt && !sim_adversary_hears(sim, node, from, packet))
		return;
	code = replica_gate_peer(node->gate, from, packet->bytes, packet->count, &verified);
	if (packet->is_spoilt) {
		judge_spoilt(sim, node, packet, code, &verified);
		return;
	}
	if (code < 0 && sim_adversary_has(sim, from))
		return;
	if (code < 0)
		sim_fail(sim, "gate of %u refuses a message of %u, kind %u: %s", node->id, from,
			 packet->bytes[0], err_text(code));
	input.u.verified = &verified;
	sim_conform_heard(sim, node->id, event->from, packet->bytes, packet->count);
	sim_node_step(sim, node, &input);
	sim_check_heard(sim, node, packet->bytes, packet->count);
}

static void on_submit(struct sim *sim, struct sim_node *node, const struct sim_event *event)
{
	const struct sim_packet *packet = event->pointer;
	struct replica_input input = { .kind = REPLICA_INPUT_CLIENT };
	struct replica_verified verified;
	int code;

	code = replica_gate_client(node->gate, packet->bytes, packet->count, node->delivered_height,
				   &verified);
	sim_marks_gate(code);
	if (code < 0) {
		sim->refusals++;
		return;
	}
	if (sim_is_sound(sim, node))
		sim_lasso_work(sim);
	input.u.client.frame = &verified;
	input.u.client.origin = event->from;
	sim_node_step(sim, node, &input);
}

static void on_signed(struct sim *sim, struct sim_node *node, const struct sim_event *event)
{
	const struct signed_job *job = event->pointer;
	struct replica_input input = { .kind = REPLICA_INPUT_SIGNED };

	input.u.signed_.request = job->request;
	sim_signer_sign(sim, &sim->keys[node->id], job->bytes, job->count,
			&input.u.signed_.signature);
	sim_node_step(sim, node, &input);
}

static void on_checked(struct sim *sim, struct sim_node *node, const struct sim_event *event)
{
	const struct checked_job *job = event->pointer;
	struct replica_input input = { .kind = REPLICA_INPUT_COMMITS_CHECKED };

	input.u.checked.view = job->view;
	input.u.checked.block_id = job->block_id;
	replica_gate_commits(node->gate, job->commits, job->count, &input.u.checked.good,
			     &input.u.checked.bad);
	sim_node_step(sim, node, &input);
}

static void react(struct sim *sim, struct sim_node *node, struct sim_event *event)
{
	struct replica_input input = { 0 };

	switch (event->kind) {
	case SIM_EVENT_PACKET:
		on_packet(sim, node, event);
		break;
	case SIM_EVENT_SUBMIT:
		on_submit(sim, node, event);
		break;
	case SIM_EVENT_SIGNED:
		on_signed(sim, node, event);
		break;
	case SIM_EVENT_CHECKED:
		on_checked(sim, node, event);
		break;
	case SIM_EVENT_PEER_UP:
		input.kind = REPLICA_INPUT_PEER_UP;
		input.u.peer = event->from;
		sim_node_step(sim, node, &input);
		break;
	case SIM_EVENT_PEER_DOWN:
		input.kind = REPLICA_INPUT_PEER_DOWN;
		input.u.peer = event->from;
		sim_node_step(sim, node, &input);
		break;
	case SIM_EVENT_TICK:
		if (event->argument != node->tick_ns)
			break;
		node->tick_ns = UINT64_MAX;
		input.kind = REPLICA_INPUT_TICK;
		sim_node_step(sim, node, &input);
		break;
	default:
		if (event->argument == node->disk_ns)
			node->disk_ns = UINT64_MAX;
		break;
	}
}

/* Each event ends with a turn of the disk and a look at what is due next. */
void sim_node_event(struct sim *sim, struct sim_node *node, struct sim_event *event)
{
	struct sim_event next = { .node = node->slot, .incarnation = node->incarnation };
	uint64_t due_ns;

	if (event)
		react(sim, node, event);
	if (node->is_doomed)
		return;
	sim_disk_advance(node->disk, sim->clock.now_ns);
	sim_store_turn(sim, node);
	if (node->is_doomed)
		return;
	due_ns =
		units_max(sim_true_ns(node, replica_deadline_ns(node->replica)), sim->clock.now_ns);
	if (due_ns < node->tick_ns) {
		node->tick_ns = due_ns;
		next.kind = SIM_EVENT_TICK;
		next.argument = due_ns;
		sim_clock_add(&sim->clock, due_ns - sim->clock.now_ns, &next);
	}
	due_ns = units_max(sim_disk_next_ns(node->disk), sim->clock.now_ns);
	if (due_ns < node->disk_ns) {
		node->disk_ns = due_ns;
		next.kind = SIM_EVENT_DISK;
		next.argument = due_ns;
		sim_clock_add(&sim->clock, due_ns - sim->clock.now_ns, &next);
	}
}
