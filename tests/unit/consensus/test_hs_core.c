/* hs_core.c: the contract of step, and clusters of cores under random faults. */
#include "consensus/hs_core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/hs_bench.h"
#include "tests/lib/hs_cluster.h"
#include "tests/lib/unit_main.h"

static void configurations_out_of_range_are_refused(void)
{
	struct hs_config config = hs_make_config(4, 0);
	struct hs_core *core;
	_Alignas(64) char memory[64];

	UNIT_CHECK(hs_core_footprint(&config) > 0);
	UNIT_EQUAL(hs_core_init(memory, sizeof(memory), &config, &core), ERR_CONFIG);
	config.replica_count = 2;
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	UNIT_EQUAL(hs_core_init(memory, sizeof(memory), &config, &core), ERR_CONFIG);
	config.replica_count = HS_REPLICAS_MAX + 1;
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	config.replica_count = 0;
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	config = hs_make_config(4, 4);
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	config = hs_make_config(4, 0);
	config.delta_ns = 0;
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	config = hs_make_config(1, 0);
	UNIT_CHECK(hs_core_footprint(&config) > 0);
}

static void start_comes_first_and_once_and_time_never_runs_back(void)
{
	struct hs_bench *bench = hs_bench_start(4, 0);
	struct hs_config config = hs_make_config(4, 0);
	struct hs_input tick = { .kind = HS_INPUT_TICK, .now_ns = bench->now_ns };
	struct hs_input start = { .kind = HS_INPUT_START, .now_ns = bench->now_ns };

	UNIT_EQUAL(hs_core_step(bench->core, &start, &bench->effects), ERR_ORDER);
	UNIT_EQUAL(hs_core_step(bench->core, &tick, &bench->effects), 0);
	tick.now_ns--;
	UNIT_EQUAL(hs_core_step(bench->core, &tick, &bench->effects), ERR_ORDER);
	UNIT_EQUAL(bench->effects.count, 0);
	hs_bench_stop(bench);
	bench = hs_bench_new(&config);
	UNIT_EQUAL(hs_core_step(bench->core, &tick, &bench->effects), ERR_ORDER);
	UNIT_EQUAL(hs_core_deadline_ns(bench->core), UINT64_MAX);
	hs_bench_stop(bench);
}

static void leaders_go_round(void)
{
	struct hs_bench *bench = hs_bench_start(4, 0);

	for (uint64_t view = 1; view < 9; view++)
		UNIT_EQUAL(hs_core_leader(bench->core, view), view % 4);
	hs_bench_stop(bench);
}

static void certificates_are_the_newest_known(void)
{
	static struct hs_certificates known;
	struct hs_bench *bench = hs_bench_start(4, 0);
	struct crypto_hash id = { .b = { 7 } };

	hs_core_certificates(bench->core, &known);
	UNIT_EQUAL(known.entry.kind, HS_ENTRY_NONE);
	UNIT_CHECK(!known.has_fc);
	hs_bench_qc(bench, 3, &id);
	hs_core_certificates(bench->core, &known);
	UNIT_EQUAL(known.entry.kind, HS_ENTRY_QC);
	UNIT_EQUAL(known.entry.qc.view, 3);
	hs_bench_tc(bench, 4, 3);
	hs_bench_fc(bench, 3, &id);
	hs_core_certificates(bench->core, &known);
	UNIT_EQUAL(known.entry.kind, HS_ENTRY_TC);
	UNIT_EQUAL(known.entry.tc.view, 4);
	UNIT_EQUAL(known.high_qc.view, 3);
	UNIT_CHECK(known.has_fc);
	hs_bench_stop(bench);
}

/* Snapshots and explorers rely on it. */
static void a_core_copied_as_bytes_goes_on_the_same_way(void)
{
	struct hs_bench *bench = hs_bench_start(4, 1);
	size_t bytes = hs_core_footprint(&bench->config);
	void *copy = aligned_alloc(64, (bytes + 63) / 64 * 64);
	struct hs_effects effects;
	struct hs_input input = { .kind = HS_INPUT_WORK,
				  .from = HS_REPLICA_NONE,
				  .now_ns = bench->now_ns + 1000000,
				  .wall_ns = bench->wall_ns,
				  .u.work = true };

	UNIT_REQUIRE(copy);
	memcpy(copy, bench->memory, bytes);
	UNIT_EQUAL(hs_core_step(copy, &input, &effects), 0);
	UNIT_EQUAL(hs_core_step(bench->core, &input, &bench->effects), 0);
	UNIT_EQUAL(effects.count, bench->effects.count);
	UNIT_CHECK(effects.count > 0);
	for (uint32_t i = 0; i < effects.count; i++)
		UNIT_EQUAL(effects.at[i].kind, bench->effects.at[i].kind);
	free(copy);
	hs_bench_stop(bench);
}

static void sixty_seven_of_a_hundred_members_certify_and_commit(void)
{
	static struct hs_block genesis;
	static struct hs_block block;
	struct hs_bench *bench = hs_bench_start(HS_REPLICAS_MAX, 0);

	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &block);
	hs_bench_propose(bench, &block);
	hs_bench_settle(bench);
	for (uint32_t i = 34; i < 99; i++)
		hs_bench_vote(bench, i, 1, &block.id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 0);
	hs_bench_vote(bench, 99, 1, &block.id);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->view, 1);
	UNIT_EQUAL(hs_core_high_qc(bench->core)->count, 67);
	hs_bench_settle(bench);
	for (uint32_t i = 1; i < 67; i++)
		hs_bench_commit(bench, i, 1, &block.id);
	UNIT_EQUAL(hs_core_status(bench->core).committed_height, 1);
	hs_bench_stop(bench);
}

/* How many seeds a family runs: enough for a commit, more with HS_SEEDS. */
static uint64_t seeds(void)
{
	const char *text = getenv("HS_SEEDS");

	return text ? strtoull(text, NULL, 10) : 12;
}

static struct hs_cluster_result run(const struct hs_cluster_options *options)
{
	struct hs_cluster_result result = hs_cluster_run(options);

	if (result.failure)
		fprintf(stderr, "cluster seed %" PRIu64 ": %s\n", options->seed, result.failure);
	UNIT_CHECK(result.failure == NULL);
	return result;
}

static void a_cluster_with_loss_agrees_and_goes_on(void)
{
	for (uint64_t i = 0; i < seeds(); i++) {
		struct hs_cluster_options options = hs_cluster_defaults(unit_seed() + i);

		options.replica_count = i % 4 == 3 ? 7 : 4;
		UNIT_CHECK(run(&options).height_end > 0);
	}
}

static void without_faults_no_view_fails(void)
{
	for (uint64_t i = 0; i < seeds() / 4; i++) {
		struct hs_cluster_options options = hs_cluster_defaults(unit_seed() + i);

		options.loss_ppm = 0;
		options.delay_max_ns = 1000000;
		UNIT_EQUAL(run(&options).views_failed, 0);
	}
}

static void a_cluster_with_crashes_and_partitions_agrees_and_goes_on(void)
{
	uint64_t crashes = 0;

	for (uint64_t i = 0; i < seeds(); i++) {
		struct hs_cluster_options options = hs_cluster_defaults(unit_seed() + i);

		options.crash_ppm = 1000 + 1000 * (uint32_t)(i % 5);
		options.has_partitions = true;
		options.disk_max_ns = i % 2 ? 500000 : 6000000;
		options.delay_max_ns = i % 3 ? 2000000 : 12000000;
		crashes += run(&options).crashes;
	}
	UNIT_CHECK(crashes > 0);
}

static void a_twin_breaks_nothing_and_only_it_is_blamed(void)
{
	uint64_t evidence = 0;

	for (uint64_t i = 0; i < seeds(); i++) {
		struct hs_cluster_options options = hs_cluster_defaults(unit_seed() + i);

		options.has_twin = true;
		options.twin_forges = i % 2;
		options.crash_ppm = i % 3 ? 0 : 2000;
		options.has_partitions = true;
		options.loss_ppm = i % 4 ? 50000 : 200000;
		options.replica_count = i % 4 == 3 ? 7 : 4;
		evidence += run(&options).evidence;
	}
	UNIT_CHECK(evidence > 0);
}

static void a_dead_member_costs_views_not_progress(void)
{
	for (uint64_t i = 0; i < seeds() / 2; i++) {
		struct hs_cluster_options options = hs_cluster_defaults(unit_seed() + i);

		options.dead_count = 1;
		options.crash_ppm = i % 2 ? 0 : 2000;
		UNIT_CHECK(run(&options).views_failed > 0);
	}
}

static void the_same_seed_gives_the_same_trace(void)
{
	struct hs_cluster_options options = hs_cluster_defaults(unit_seed());
	uint64_t hash;

	options.has_twin = true;
	options.crash_ppm = 2000;
	hash = run(&options).trace_hash;
	UNIT_EQUAL(run(&options).trace_hash, hash);
	options.seed++;
	UNIT_CHECK(run(&options).trace_hash != hash);
}

static void timers_and_memory_that_cannot_work_are_refused(void)
{
	struct hs_config config = hs_make_config(4, 0);
	size_t bytes = hs_core_footprint(&config);
	uint8_t *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
	struct hs_core *core = NULL;

	UNIT_REQUIRE(memory);
	UNIT_EQUAL(hs_core_init(memory + 8, bytes, &config, &core), ERR_CONFIG);
	UNIT_EQUAL(hs_core_init(memory, bytes, &config, &core), 0);
	hs_core_check(core); /* before START: nothing to check */
	config.timeout_max_ns = config.delta_ns - 1;
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	config.timeout_max_ns = config.delta_ns;
	UNIT_CHECK(hs_core_footprint(&config) > 0);
	config.delta_ns = 0;
	UNIT_EQUAL(hs_core_footprint(&config), 0);
	free(memory);
}

static void a_lone_member_has_nobody_to_ask_for_a_block(void)
{
	struct hs_bench *bench = hs_bench_start(1, 0);
	struct crypto_hash id = { .b = { 7 } };

	hs_bench_qc(bench, 5, &id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_WANT_BLOCK), 1);
	UNIT_EQUAL(hs_bench_find(bench, HS_EFFECT_WANT_BLOCK)->to, HS_REPLICA_NONE);
	hs_bench_stop(bench);
}

/* heartbeat 0: an idle cluster makes no blocks and runs no timer. */
static void without_a_heartbeat_an_idle_core_sleeps(void)
{
	static struct hs_record record;
	struct hs_config config = hs_make_config(4, 1);
	struct hs_bench *bench;

	config.heartbeat_ns = 0;
	record.epoch = config.epoch;
	hs_make_genesis_qc(&config, &record.high_qc);
	bench = hs_bench_new(&config);
	hs_bench_boot(bench, &(struct hs_start){ .record = &record });
	hs_bench_wait(bench, UINT64_C(10000000000));
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_core_deadline_ns(bench->core), UINT64_MAX);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 0);
	hs_bench_work(bench, true);
	hs_bench_settle(bench);
	UNIT_EQUAL(hs_bench_logged(bench, "send all propose"), 1);
	hs_bench_stop(bench);
}

/* 0 is the ticket of blocks that nobody was asked to write. */
static void a_ticket_that_was_never_given_makes_nothing_durable(void)
{
	static struct hs_block genesis;
	static struct hs_block one;
	static struct hs_block two;
	struct hs_bench *bench = hs_bench_start(4, 0);

	hs_make_genesis(&bench->config, &genesis);
	hs_make_block(&bench->config, &genesis, 1, NULL, 0, &one);
	hs_make_block(&bench->config, &one, 2, NULL, 0, &two);
	hs_bench_block(bench, &one);
	hs_bench_fc(bench, 1, &one.id);
	hs_bench_settle(bench);
	hs_bench_block(bench, &two);
	hs_bench_step(bench, &(struct hs_input){ .kind = HS_INPUT_PERSISTED,
						 .from = HS_REPLICA_NONE,
						 .u.ticket = 0 });
	UNIT_EQUAL(bench->effects.count, 0);
	hs_bench_qc(bench, 2, &two.id);
	UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_PERSIST_BLOCK), 1);
	hs_bench_stop(bench);
}

UNIT_SUITE("hs_core", UNIT_TEST(configurations_out_of_range_are_refused),
	   UNIT_TEST(start_comes_first_and_once_and_time_never_runs_back),
	   UNIT_TEST(leaders_go_round), UNIT_TEST(certificates_are_the_newest_known),
	   UNIT_TEST(a_core_copied_as_bytes_goes_on_the_same_way),
	   UNIT_TEST(sixty_seven_of_a_hundred_members_certify_and_commit),
	   UNIT_TEST(a_cluster_with_loss_agrees_and_goes_on),
	   UNIT_TEST(without_faults_no_view_fails),
	   UNIT_TEST(a_cluster_with_crashes_and_partitions_agrees_and_goes_on),
	   UNIT_TEST(a_twin_breaks_nothing_and_only_it_is_blamed),
	   UNIT_TEST(a_dead_member_costs_views_not_progress),
	   UNIT_TEST(the_same_seed_gives_the_same_trace),
	   UNIT_TEST(timers_and_memory_that_cannot_work_are_refused),
	   UNIT_TEST(a_lone_member_has_nobody_to_ask_for_a_block),
	   UNIT_TEST(without_a_heartbeat_an_idle_core_sleeps),
	   UNIT_TEST(a_ticket_that_was_never_given_makes_nothing_durable))
