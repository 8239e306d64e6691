/*
 * bench_run: one run: DPDK, a port a node, the net tile as a client, the load tile.
 */
#ifndef QUORATE_BENCH_RUN_H
#define QUORATE_BENCH_RUN_H

#include <stdatomic.h>

#include "bench/bench_load.h"
#include "bench/bench_target.h"
#include "bench/bench_tile.h"
#include "dataplane/dp_bell.h"
#include "dataplane/dp_port.h"
#include "wire/wire_genesis.h"
#include "wire/wire_session.h"

struct bench_run_config {
	const struct bench_targets *targets;
	struct bench_load *load;
	double rate; /* transactions a second; 0: bounded by in_flight only */
	uint64_t in_flight;
	uint64_t resend_ns;
	uint64_t patience_ns; /* without a final one, when all were due; then it ends */
	bool is_quiet;
};

struct bench_run {
	struct crypto_hash chain_id;
	struct wire_genesis genesis;
	struct crypto_exchange_key member[HS_REPLICAS_MAX];
	struct wire_party party;
	struct dp_port port[BENCH_TARGETS_MAX];
	struct dp_bell bell;
	bool bell_is_open;
	bool env_is_started;
	void *net_memory;
	void *load_memory;
	const struct bench_result *result; /* after bench_run() */
	double busy_fraction;
	atomic_bool stop;
};

/* Reads the genesis. 0, or a negative code and one line. */
int bench_run_genesis(struct bench_run *run, const char *path, char ret_reason[BENCH_REASON_BYTES]);

/* Connects, sends, waits. SIGINT and SIGTERM end it early. 0, or a negative code and one line. */
int bench_run(struct bench_run *run, const struct bench_run_config *config,
	      char ret_reason[BENCH_REASON_BYTES]);

void bench_run_close(struct bench_run *run);

#endif
