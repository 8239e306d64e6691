#define _GNU_SOURCE
#include "node/node_node.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_env_dpdk.h"
#include "dataplane/dp_port_dpdk.h"
#include "dataplane/dp_tile.h"
#include "storage/blocklog_dev_file.h"

enum { NODE_POPULATE_BYTES_MAX = 16 << 20 };

const char node_version[] = "quorated " QUORATE_VERSION;

void node_log(const char *format, ...)
{
	va_list arguments;

	fputs("quorated: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

int node_fail(struct node *node, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(node->reason, sizeof(node->reason), format, arguments);
	va_end(arguments);
	return code;
}

/* Small areas are touched now, not on the hot path; large tables fill as they are used. */
void *node_memory(size_t bytes)
{
	int populate = bytes <= NODE_POPULATE_BYTES_MAX ? MAP_POPULATE : 0;
	void *memory = mmap(NULL, units_round_up(bytes, 4096), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | populate, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* The genesis' limits bind; the configuration may only be stricter. 0 in the genesis: none. */
struct dp_session_budget node_client_budget(const struct node *node)
{
	const struct wire_admission *admission = &node->identity.genesis.admission;
	uint64_t frames = node->config.client_frames_per_s;

	if (admission->frames_per_s != 0)
		frames = units_min(frames, admission->frames_per_s);
	return (struct dp_session_budget){ .frames_per_s = frames,
					   .bytes_per_s = admission->bytes_per_s,
					   .checks_per_s = admission->checks_per_s };
}

int node_open(struct node *node, const struct node_config *config)
{
	int code;

	node->config = *config;
	atomic_init(&node->stop, false);
	code = node_identity_open(config, &node->identity, node->reason);
	if (code == 0)
		code = node_open_page(node);
	if (code == 0)
		code = node_open_store(node);
	if (code == 0)
		code = node_open_ports(node);
	if (code == 0)
		code = node_open_tiles(node);
	if (code == 0)
		code = node_open_ingress(node);
	return code;
}

/* ---- run ---- */

struct core {
	struct node *node;
	uint32_t number;
	pthread_t thread;
	bool is_running;
	int code;
};

static int open_loop(struct core *core)
{
	struct node *node = core->node;
	bool is_shared = node->config.cores_mode == NODE_CORES_SHARED;
	struct dp_tile_config config = { .mode = is_shared ? DP_TILE_SHARED : DP_TILE_SPIN };
	struct dp_tile_place places[DP_TILES_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < NODE_TILE_COUNT; i++)
		if (is_shared || node_tiles[i].core == core->number)
			places[count++] = (struct dp_tile_place){ .tile = node_tiles[i].tile,
								  .memory = node->tile_memory[i] };
	return dp_tile_loop_open(&core->node->loop[core->number], &config, places, count);
}

static void pin(const struct node *node, uint32_t number)
{
	cpu_set_t set;

	if (node->config.cores_mode == NODE_CORES_SHARED && !node->config.is_pinned)
		return;
	CPU_ZERO(&set);
	CPU_SET(node->config.first_core + number, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		node_log("core %u is not usable: the scheduler places that thread",
			 node->config.first_core + number);
}

static void *run_core(void *argument)
{
	struct core *core = argument;

	pin(core->node, core->number);
	core->code = dp_tile_loop_run(&core->node->loop[core->number], &core->node->stop);
	if (core->code < 0)
		atomic_store(&core->node->stop, true);
	return NULL;
}

static int run_shared(struct node *node)
{
	struct core core = { .node = node };
	int code = open_loop(&core);

	if (code < 0)
		return node_fail(node, code, "tile loop: %s", err_text(code));
	pin(node, 0);
	code = dp_tile_loop_run(&node->loop[0], &node->stop);
	dp_tile_loop_close(&node->loop[0]);
	return code;
}

static int run_spread(struct node *node)
{
	struct core core[NODE_CORES_SPREAD_MAX] = { 0 };
	int code = 0;

	for (uint32_t i = 0; i < NODE_CORES_SPREAD_MAX; i++) {
		core[i].node = node;
		core[i].number = i;
		code = code < 0 ? code : open_loop(&core[i]);
	}
	for (uint32_t i = 0; code == 0 && i < NODE_CORES_SPREAD_MAX - 1; i++) {
		code = -pthread_create(&core[i].thread, NULL, run_core, &core[i]);
		core[i].is_running = code == 0;
	}
	if (code == 0)
		run_core(&core[NODE_CORES_SPREAD_MAX - 1]);
	else
		node_fail(node, code, "tile loops: %s", err_text(code));
	atomic_store(&node->stop, true);
	for (uint32_t i = 0; i < NODE_CORES_SPREAD_MAX; i++) {
		if (core[i].is_running)
			pthread_join(core[i].thread, NULL);
		code = code < 0 ? code : core[i].code;
		dp_tile_loop_close(&node->loop[i]);
	}
	return code;
}

int node_run(struct node *node)
{
	ctl_metrics_set_state(node->page, CTL_STATE_RUN, NULL);
	return node->config.cores_mode == NODE_CORES_SHARED ? run_shared(node) : run_spread(node);
}

/* ---- close ---- */

/* Waits, a second at most, for what was already handed to the disk. */
static void settle_store(struct node *node)
{
	uint64_t end_ns = dp_tile_clock_ns() + UNITS_NS_PER_S;
	struct blocklog_done done[16];

	while (blocklog_store_is_busy(node->store) && dp_tile_clock_ns() < end_ns) {
		blocklog_store_turn(node->store, done, UNITS_COUNT(done));
		sched_yield();
	}
}

void node_close(struct node *node)
{
	node_ingress_stop(node->ingress);
	for (uint32_t i = 0; i < NODE_TILE_COUNT; i++)
		if (node->tile_is_set_up[i] && node_tiles[i].tile->fini)
			node_tiles[i].tile->fini(node->tile_memory[i]);
	for (uint32_t i = 0; !node->tile_is_set_up[NODE_TILE_NET] && i < node->ports_open; i++)
		dp_port_close(&node->port[i]);
	if (node->bell_is_open)
		dp_bell_close(&node->bell);
	if (node->env_started) {
		dp_ports_dpdk_stop();
		dp_env_stop();
	}
	if (node->store) {
		settle_store(node);
		blocklog_store_close(node->store);
	}
	node_reader_close(node->reader);
	blocklog_dev_file_close(node->dev);
	if (node->control_is_open)
		ctl_socket_close(&node->control, node->config.run_dir);
	if (node->page) {
		ctl_metrics_set_state(node->page, node->reason[0] ? CTL_STATE_FAIL : CTL_STATE_HALT,
				      node->reason[0] ? node->reason : NULL);
		ctl_shm_close(node->page);
	}
	node_identity_close(&node->identity);
}
