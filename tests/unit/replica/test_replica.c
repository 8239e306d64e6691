/*
 * One replica alone orders, says so, and comes back, n = 1: replica.c, replica_init.c,
 * replica_core.c, replica_lanes.c, replica_delivery.c, replica_admission.c, replica_blocks.c,
 * replica_saving.c, replica_recover.c.
 */

#include "base/err.h"
#include "base/units.h"
#include "replica/replica_windows.h"
#include "tests/lib/replica_bench.h"
#include "tests/lib/unit_main.h"

/* A restarted leader does not propose in the view it had recorded: the view times out first. */
static const uint64_t view_lost_ns = 200 * UNITS_NS_PER_MS;

static struct replica_bench *bench;

static void set_up(void)
{
	bench = replica_bench_new(1, 0);
}

static struct replica_status status(void)
{
	struct replica_status status;

	replica_status(bench->replica, &status);
	return status;
}

static void submit(uint64_t first_seq, uint32_t count)
{
	UNIT_EQUAL(replica_bench_submit(bench, first_seq, count, 1000), 0);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
}

static void a_frame_gets_a_receipt_that_names_its_place(void)
{
	set_up();
	submit(1, 3);
	UNIT_REQUIRE(bench->receipt_count == 1);
	UNIT_EQUAL(bench->receipt[0].first_seq, 1);
	UNIT_EQUAL(bench->receipt[0].ordered_map[0], 7);
	UNIT_EQUAL(bench->receipt[0].height, status().delivered_height);
	UNIT_EQUAL(bench->final_transactions, 3);
	UNIT_EQUAL(status().clients, 1);
	replica_bench_free(bench);
}

static void nothing_is_said_before_it_is_durable(void)
{
	set_up();
	bench->disk_is_held = true;
	submit(1, 3);
	UNIT_EQUAL(bench->receipt_count, 0);
	UNIT_EQUAL(bench->finals, 0);
	for (uint32_t i = 0; i < 20; i++)
		replica_bench_release(bench);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
	UNIT_EQUAL(bench->receipt_count, 1);
	UNIT_CHECK(bench->finals > 0);
	replica_bench_free(bench);
}

static void a_resent_frame_is_answered_with_its_receipt_again(void)
{
	set_up();
	submit(1, 3);
	submit(1, 3);
	UNIT_REQUIRE(bench->receipt_count == 2);
	UNIT_CHECK(memcmp(&bench->receipt[0], &bench->receipt[1], sizeof(bench->receipt[0])) == 0);
	UNIT_EQUAL(bench->final_transactions, 3);
	replica_bench_free(bench);
}

static void a_receipt_names_only_what_this_frame_brought_into_the_order(void)
{
	set_up();
	submit(1, 2);
	submit(2, 2);
	UNIT_REQUIRE(bench->receipt_count == 2);
	UNIT_EQUAL(bench->receipt[1].first_seq, 2);
	UNIT_EQUAL(bench->receipt[1].ordered_map[0], 2);
	UNIT_EQUAL(bench->final_transactions, 3);
	replica_bench_free(bench);
}

static void a_frame_on_its_way_is_not_admitted_twice(void)
{
	set_up();
	bench->disk_is_held = true;
	UNIT_EQUAL(replica_bench_submit(bench, 1, 3, 1000), 0);
	UNIT_EQUAL(replica_bench_submit(bench, 1, 3, 1000), 0);
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_FRAME_REPEATED], 1);
	replica_bench_free(bench);
}

static void numbers_ahead_are_refused_with_the_limit(void)
{
	set_up();
	submit(1 + REPLICA_WINDOW_BITS, 1);
	UNIT_REQUIRE(bench->refusal_count == 1);
	UNIT_CHECK(bench->refusal[0].reason == ERR_AHEAD);
	UNIT_EQUAL(bench->refusal[0].limit, 1 + REPLICA_WINDOW_BITS);
	replica_bench_free(bench);
}

static void a_closed_lane_window_is_a_refusal(void)
{
	uint32_t full = 0;

	set_up();
	bench->disk_is_held = true;
	for (uint64_t seq = 1; seq < 400; seq++)
		UNIT_EQUAL(replica_bench_submit(bench, seq, 1, 1000), 0);
	for (uint32_t i = 0; i < bench->refusal_count && i < 64; i++)
		full += bench->refusal[i].reason == ERR_FULL;
	UNIT_CHECK(full > 0);
	UNIT_EQUAL(full, units_min(bench->refusal_count, 64));
	replica_bench_free(bench);
}

static void a_block_leaves_header_and_mark_on_disk(void)
{
	set_up();
	submit(1, 3);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_LANE, REPLICA_RECORD_BATCH), 1);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_MARK),
		   status().delivered_height);
	UNIT_CHECK(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_BLOCK) >=
		   status().delivered_height);
	replica_bench_free(bench);
}

static void a_restart_goes_on_where_it_was(void)
{
	uint64_t height;
	struct crypto_hash id;
	struct crypto_hash back;

	set_up();
	submit(1, 3);
	submit(4, 5);
	height = status().delivered_height;
	id = status().delivered_id;
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	UNIT_EQUAL(status().delivered_height, height);
	back = status().delivered_id;
	UNIT_CHECK(crypto_hash_equal(&id, &back));
	UNIT_EQUAL(status().delivered_transactions, 8);
	UNIT_CHECK(!status().view.is_observer);
	replica_bench_wait(bench, 50 * UNITS_NS_PER_MS);
	submit(9, 1);
	replica_bench_wait(bench, view_lost_ns);
	UNIT_EQUAL(status().delivered_transactions, 9);
	replica_bench_free(bench);
}

static void check_same(const struct replica_receipt *a, const struct replica_receipt *b)
{
	UNIT_CHECK(memcmp(&a->client, &b->client, sizeof(a->client)) == 0);
	UNIT_EQUAL(a->first_seq, b->first_seq);
	UNIT_EQUAL(a->count, b->count);
	UNIT_CHECK(memcmp(a->ordered_map, b->ordered_map, sizeof(a->ordered_map)) == 0);
	UNIT_EQUAL(a->height, b->height);
	UNIT_EQUAL(a->first_index, b->first_index);
	UNIT_CHECK(crypto_hash_equal(&a->block_id, &b->block_id));
}

static void a_restart_gives_the_receipts_of_before_again(void)
{
	struct replica_receipt before[2];

	set_up();
	UNIT_EQUAL(replica_bench_submit(bench, 1, 3, 1000), 0);
	submit(4, 5);
	UNIT_REQUIRE(bench->receipt_count == 2);
	memcpy(before, bench->receipt, sizeof(before));
	UNIT_EQUAL(before[1].first_index, 3);
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	replica_bench_wait(bench, 50 * UNITS_NS_PER_MS);
	submit(4, 5);
	submit(1, 3);
	UNIT_EQUAL(bench->refusal_count, 0);
	UNIT_REQUIRE(bench->receipt_count == 4);
	check_same(&bench->receipt[2], &before[1]);
	check_same(&bench->receipt[3], &before[0]);
	UNIT_EQUAL(status().delivered_transactions, 8);
	replica_bench_free(bench);
}

/* Else what a restart replays grows until there is no room for it, and the node stays down. */
static void windows_are_saved_by_a_node_that_never_lives_long_too(void)
{
	uint64_t seq = 1;

	set_up();
	for (uint32_t life = 0; life < 4; life++) {
		for (uint32_t i = 0; i < 200; i++)
			submit(seq++, 1);
		UNIT_REQUIRE(replica_bench_restart(bench) == 0);
		replica_bench_wait(bench, 50 * UNITS_NS_PER_MS);
	}
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_WINDOWS), 1);
	replica_bench_free(bench);
}

static void windows_are_saved_so_that_a_restart_replays_little(void)
{
	uint64_t position;
	uint64_t seq = 1;

	set_up();
	for (; replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_WINDOWS) == 0; seq++)
		submit(seq, 1);
	for (uint32_t i = 0; i < 10; i++)
		submit(seq++, 1);
	ensure(replica_init(bench->memory, replica_footprint(&bench->config), bench->buffers,
			    replica_buffer_bytes(&bench->config), &bench->config,
			    &bench->replica) == 0);
	for (uint32_t log = BLOCKLOG_LANE; log <= BLOCKLOG_BLOCK; log++)
		for (uint32_t k = 0; k < bench->record_count[log]; k++)
			UNIT_EQUAL(replica_recover_record(bench->replica, (enum blocklog_log)log,
							  bench->record[log][k].kind, k,
							  bench->record[log][k].bytes,
							  bench->record[log][k].byte_count),
				   0);
	UNIT_CHECK(replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(position, bench->record_count[BLOCKLOG_LANE] - 10);
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	replica_bench_wait(bench, 50 * UNITS_NS_PER_MS);
	submit(seq - 1, 1);
	submit(1, 1);
	submit(seq, 1);
	replica_bench_wait(bench, view_lost_ns);
	UNIT_REQUIRE(bench->refusal_count == 1);
	UNIT_EQUAL(bench->refusal[0].first_seq, 1);
	UNIT_CHECK(bench->refusal[0].reason == ERR_DUPLICATE);
	UNIT_EQUAL(status().delivered_transactions, seq);
	replica_bench_free(bench);
}

static void damaged_records_stop_recovery(void)
{
	set_up();
	submit(1, 3);
	for (uint32_t i = 0; i < bench->record_count[BLOCKLOG_BLOCK]; i++)
		if (bench->record[BLOCKLOG_BLOCK][i].kind == REPLICA_RECORD_MARK)
			bench->record[BLOCKLOG_BLOCK][i].byte_count--;
	UNIT_CHECK(replica_bench_restart(bench) == ERR_CORRUPT);
	replica_bench_free(bench);
}

static void without_a_safety_record_it_only_observes(void)
{
	set_up();
	submit(1, 3);
	for (uint32_t i = 0; i < bench->record_count[BLOCKLOG_SAFETY]; i++)
		free(bench->record[BLOCKLOG_SAFETY][i].bytes);
	bench->record_count[BLOCKLOG_SAFETY] = 0;
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	UNIT_CHECK(status().view.is_observer);
	UNIT_EQUAL(bench->alarm[REPLICA_ALARM_OBSERVER], 1);
	replica_bench_free(bench);
}

static void a_failed_write_stops_it_with_one_alarm(void)
{
	set_up();
	submit(1, 1);
	bench->disk_fails = true;
	UNIT_EQUAL(replica_bench_submit(bench, 2, 1, 1000), 0);
	replica_bench_wait(bench, UNITS_NS_PER_S);
	UNIT_EQUAL(bench->alarm[REPLICA_ALARM_STORE_FAILED], 1);
	UNIT_EQUAL(bench->receipt_count, 1);
	UNIT_CHECK(replica_deadline_ns(bench->replica) == UINT64_MAX);
	replica_bench_free(bench);
}

static void more_clients_than_the_limit_are_refused_at_admission(void)
{
	set_up();
	for (uint8_t i = 1; i <= 5; i++) {
		uint8_t seed[CRYPTO_SEED_BYTES] = { 100, i };

		crypto_sign_key_init(seed, &bench->world.client);
		submit(1, 1);
	}
	UNIT_EQUAL(status().clients, bench->config.clients_max);
	UNIT_EQUAL(bench->refusal_count, 1);
	UNIT_CHECK(bench->refusal[0].reason == ERR_FULL);
	replica_bench_free(bench);
}

UNIT_SUITE("replica", UNIT_TEST(a_frame_gets_a_receipt_that_names_its_place),
	   UNIT_TEST(nothing_is_said_before_it_is_durable),
	   UNIT_TEST(a_resent_frame_is_answered_with_its_receipt_again),
	   UNIT_TEST(a_receipt_names_only_what_this_frame_brought_into_the_order),
	   UNIT_TEST(a_frame_on_its_way_is_not_admitted_twice),
	   UNIT_TEST(numbers_ahead_are_refused_with_the_limit),
	   UNIT_TEST(a_closed_lane_window_is_a_refusal),
	   UNIT_TEST(a_block_leaves_header_and_mark_on_disk),
	   UNIT_TEST(a_restart_goes_on_where_it_was),
	   UNIT_TEST(a_restart_gives_the_receipts_of_before_again),
	   UNIT_TEST(windows_are_saved_by_a_node_that_never_lives_long_too),
	   UNIT_TEST(windows_are_saved_so_that_a_restart_replays_little),
	   UNIT_TEST(damaged_records_stop_recovery),
	   UNIT_TEST(without_a_safety_record_it_only_observes),
	   UNIT_TEST(a_failed_write_stops_it_with_one_alarm),
	   UNIT_TEST(more_clients_than_the_limit_are_refused_at_admission))
