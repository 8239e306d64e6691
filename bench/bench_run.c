#define _GNU_SOURCE
#include "bench/bench_run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_session.h"
#include "dataplane/dp_env_dpdk.h"
#include "dataplane/dp_port_dpdk.h"
#include "dataplane/dp_tile_net.h"

enum { RING_BYTES = 8 * 1024 * 1024, PACKETS = 16384, MEMORY_BYTES = 160 << 20 };

static struct bench_run *running; /* for the signal handler */

static int refuse(char ret_reason[BENCH_REASON_BYTES], int code, const char *what, const char *why)
{
	snprintf(ret_reason, BENCH_REASON_BYTES, "%s: %s", what, why);
	return code;
}

int bench_run_genesis(struct bench_run *run, const char *path, char ret_reason[BENCH_REASON_BYTES])
{
	static uint8_t bytes[WIRE_GENESIS_BYTES_MAX + 1];
	FILE *file = fopen(path, "re");
	size_t count;
	int code;

	if (!file)
		return refuse(ret_reason, -errno, path, strerror(errno));
	count = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	code = wire_genesis_decode(bytes, count, &run->genesis);
	if (code < 0)
		return refuse(ret_reason, code, path, err_text(code));
	run->chain_id = wire_genesis_chain_id(bytes, count);
	for (uint32_t i = 0; i < run->genesis.member_count; i++)
		run->member[i] = run->genesis.member[i].exchange_key;
	run->party = (struct wire_party){ .role = WIRE_ROLE_CLIENT,
					  .chain_id = run->chain_id,
					  .epoch = WIRE_GENESIS_EPOCH,
					  .build_id = crypto_build_id(),
					  .replica = HS_REPLICA_NONE,
					  .ciphers = wire_ciphers_usable() };
	return 0;
}

static void on_signal(int number)
{
	(void)number;
	atomic_store(&running->stop, true);
}

static int open_ports(struct bench_run *run, const struct bench_targets *targets,
		      char ret_reason[BENCH_REASON_BYTES])
{
	struct dp_env_config env = { .memory_bytes = MEMORY_BYTES, .core = -1 };
	int code;

	snprintf(env.name, sizeof(env.name), "quorate-bench-%d", (int)getpid());
	code = dp_env_start(&env);
	if (code < 0)
		return refuse(ret_reason, code, "dpdk", dp_env_error());
	run->env_is_started = true;
	code = dp_ports_dpdk_start(PACKETS);
	for (uint32_t i = 0; code == 0 && i < targets->count; i++) {
		const struct bench_target *target = &targets->target[i];
		struct dp_port_config config = {
			.kind = target->is_memif ? DP_PORT_MEMIF : DP_PORT_AF_PACKET,
			.ring_slots_log2 = 12,
		};

		snprintf(config.name, sizeof(config.name), "node%u", target->replica);
		snprintf(config.socket, sizeof(config.socket), "%s", target->socket);
		snprintf(config.interface, sizeof(config.interface), "%.15s", target->interface);
		code = dp_port_dpdk_open(&run->port[i], &config);
	}
	if (code == 0 && targets->bell[0] != '\0') {
		code = dp_bell_open(&run->bell, targets->bell);
		if (code < 0)
			return refuse(ret_reason, code, "doorbell",
				      code == ERR_BUSY ? "another load runs on this lab" :
							 err_text(code));
		run->bell_is_open = true;
	}
	return code < 0 ? refuse(ret_reason, code, "ports", dp_env_error()) : 0;
}

static struct dp_ring *make_ring(void)
{
	size_t bytes = dp_ring_footprint(RING_BYTES);
	void *memory = aligned_alloc(64, units_round_up(bytes, 64));
	struct dp_ring *ring = NULL;

	return memory && dp_ring_init(memory, bytes, RING_BYTES, &ring) == 0 ? ring : NULL;
}

static void *set_up(const struct dp_tile *tile, const void *setup)
{
	size_t bytes = tile->footprint(setup);
	void *memory = bytes ? aligned_alloc(64, units_round_up(bytes, 64)) : NULL;

	return memory && tile->setup(memory, setup) == 0 ? memory : NULL;
}

static int set_up_net(struct bench_run *run, const struct bench_targets *targets,
		      struct dp_ring *from[3], struct dp_ring *to)
{
	static struct dp_tile_net_port ports[BENCH_TARGETS_MAX];
	static struct dp_tile_net_setup setup; /* large */

	setup = (struct dp_tile_net_setup){
		.port_count = targets->count,
		.port = ports,
		.session = { .me = &run->party,
			     .member = run->member,
			     .member_count = run->genesis.member_count },
		.bell = run->bell_is_open ? &run->bell : NULL,
		.to_core = from[0],
		.to_lane = from[1],
		.to_client = from[2],
		.from_count = 1,
		.from = { to },
		.random = crypto_random,
	};
	for (uint32_t i = 0; i < targets->count; i++) {
		const struct bench_target *target = &targets->target[i];

		ports[i] = (struct dp_tile_net_port){
			.port = &run->port[i],
			.net = { .address = target->own_address,
				 .prefix_bits = 24,
				 .udp_port = target->udp_port,
				 .udp_checksums = !target->is_memif },
			.peer = (int32_t)target->replica,
		};
		snprintf(ports[i].bell, sizeof(ports[i].bell), "%s", target->bell);
		setup.peer[target->replica] =
			(struct dp_tile_net_peer){ .is_set = true,
						   .port = (uint16_t)i,
						   .address = target->node_address,
						   .udp_port = target->udp_port };
	}
	run->net_memory = set_up(&dp_tile_net, &setup);
	return run->net_memory ? 0 : ERR_MEMORY;
}

static void show_progress(const void *tile, const struct bench_load *load, uint64_t now_ns)
{
	static const char full[] = "####################";
	static const char empty[] = "....................";
	const struct bench_result *result = bench_tile_result(tile);
	static uint64_t seen;
	static uint64_t seen_ns;
	int tenths;

	if (now_ns - seen_ns < UNITS_NS_PER_S / 4)
		return;
	tenths = (int)(result->frames_final * 20 / load->frame_count);
	if (result->start_ns == 0)
		fprintf(stderr, "\rconnecting: %u nodes", bitset_count(&result->up));
	else
		fprintf(stderr,
			"\r[%.*s%.*s] %5.1f s  final %9" PRIu64
			"  %7.0f tx/s  p50 %.2f ms  up %u  ",
			tenths, full, 20 - tenths, empty, (double)(now_ns - result->start_ns) / 1e9,
			result->transactions_final,
			(double)(result->transactions_final - seen) /
				((double)(now_ns - seen_ns) / 1e9),
			(double)histogram_percentile(&result->latency, 50000) / 1e6,
			bitset_count(&result->up));
	seen = result->transactions_final;
	seen_ns = now_ns;
}

static int set_up_load(struct bench_run *run, const struct bench_run_config *config,
		       struct dp_ring *from[3], struct dp_ring *to)
{
	static struct bench_tile_setup setup;

	setup = (struct bench_tile_setup){
		.load = config->load,
		.node_count = config->targets->count,
		.faulty_max = hs_faulty_max(run->genesis.member_count),
		.frames_per_s = config->rate / config->load->config.transactions_per_frame,
		.in_flight_max = config->in_flight,
		.resend_ns = config->resend_ns,
		.connect_ns = 10 * UNITS_NS_PER_S,
		.grace_ns = config->patience_ns,
		.from_net = { from[0], from[1], from[2] },
		.to_net = to,
		.stop = &run->stop,
		.progress = config->is_quiet ? NULL : show_progress,
	};
	for (uint32_t i = 0; i < config->targets->count; i++)
		setup.replica[i] = config->targets->target[i].replica;
	run->load_memory = set_up(&bench_tile, &setup);
	return run->load_memory ? 0 : ERR_MEMORY;
}

static int run_loop(struct bench_run *run)
{
	struct dp_tile_config config = { .mode = DP_TILE_SHARED };
	struct dp_tile_place places[] = { { &dp_tile_net, run->net_memory },
					  { &bench_tile, run->load_memory } };
	struct dp_tile_loop loop = { 0 };
	struct sigaction action = { .sa_handler = on_signal };
	uint64_t begun_ns = dp_tile_clock_ns();
	int code = dp_tile_loop_open(&loop, &config, places, 2);

	if (code < 0)
		return code;
	running = run;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	code = dp_tile_loop_run(&loop, &run->stop);
	run->busy_fraction = (double)atomic_load(&loop.counters.busy_ns) /
			     (double)(dp_tile_clock_ns() - begun_ns);
	dp_tile_loop_close(&loop);
	return code;
}

int bench_run(struct bench_run *run, const struct bench_run_config *config,
	      char ret_reason[BENCH_REASON_BYTES])
{
	struct dp_ring *from[3];
	struct dp_ring *to = make_ring();
	int code = open_ports(run, config->targets, ret_reason);

	for (int i = 0; i < 3; i++)
		from[i] = make_ring();
	if (code < 0)
		return code;
	code = to && from[0] && from[1] && from[2] ? 0 : ERR_MEMORY;
	if (code == 0)
		code = set_up_net(run, config->targets, from, to);
	if (code == 0)
		code = set_up_load(run, config, from, to);
	if (code == 0)
		code = run_loop(run);
	if (code < 0)
		return refuse(ret_reason, code, "run", err_text(code));
	run->result = bench_tile_result(run->load_memory);
	if (!config->is_quiet)
		fputc('\n', stderr);
	if (run->result->start_ns == 0)
		return refuse(ret_reason, ERR_TIMEOUT, "no node answered",
			      "is the lab up? see quorate lab status");
	return 0;
}

void bench_run_close(struct bench_run *run)
{
	if (run->net_memory && dp_tile_net.fini)
		dp_tile_net.fini(run->net_memory);
	if (run->bell_is_open)
		dp_bell_close(&run->bell);
	if (run->env_is_started) {
		dp_ports_dpdk_stop();
		dp_env_stop();
	}
}
