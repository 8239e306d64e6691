/* replica_recover: what only a restart over unusual logs shows. The usual ones: test_replica.c. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "replica/replica_mark.h"
#include "replica/replica_state.h"
#include "tests/lib/replica_bench.h"
#include "tests/lib/unit_main.h"

static struct replica_bench *bench;

static void submit(uint64_t seq)
{
	UNIT_EQUAL(replica_bench_submit(bench, seq, 1, 1000), 0);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
}

/* Where in the block log the last MARK and the BLOCK it is about are. */
static void last_marked(uint32_t *ret_mark, uint32_t *ret_block)
{
	struct replica_mark mark;
	uint32_t at = bench->record_count[BLOCKLOG_BLOCK];

	do
		at--;
	while (bench->record[BLOCKLOG_BLOCK][at].kind != REPLICA_RECORD_MARK);
	UNIT_REQUIRE(replica_mark_decode(bench->record[BLOCKLOG_BLOCK][at].bytes,
					 bench->record[BLOCKLOG_BLOCK][at].byte_count, &mark) == 0);
	*ret_mark = at;
	*ret_block = (uint32_t)mark.block_position;
}

/*
 * A block that was proposed while this replica still caught up lies in the log before all those it
 * fetched meanwhile: the records of other blocks are said again, so many that none is remembered.
 */
static void crowd_before(uint32_t index, uint32_t count)
{
	struct replica_bench_record *records = bench->record[BLOCKLOG_BLOCK];
	uint32_t total = bench->record_count[BLOCKLOG_BLOCK];

	UNIT_REQUIRE(total + count <= REPLICA_BENCH_RECORDS_MAX);
	memmove(&records[index + count], &records[index], (total - index) * sizeof(*records));
	for (uint32_t i = 0; i < count; i++) {
		records[index + i] = records[0];
		records[index + i].bytes = malloc(records[0].byte_count);
		UNIT_REQUIRE(records[index + i].bytes != NULL);
		memcpy(records[index + i].bytes, records[0].bytes, records[0].byte_count);
	}
	bench->record_count[BLOCKLOG_BLOCK] += count;
}

static void a_block_marked_long_after_it_was_stored_is_found_again(void)
{
	uint64_t height;
	uint32_t mark;
	uint32_t block;

	bench = replica_bench_new(1, 0);
	submit(1);
	submit(2);
	height = bench->final_height;
	UNIT_EQUAL(bench->record[BLOCKLOG_BLOCK][0].kind, REPLICA_RECORD_BLOCK);
	last_marked(&mark, &block);
	UNIT_REQUIRE(block > 0 && mark > block);
	crowd_before(mark, REPLICA_RECOVER_BLOCKS_MAX + 100);
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	submit(3);
	replica_bench_wait(bench, 50 * UNITS_NS_PER_MS);
	UNIT_CHECK(bench->final_height > height);
	UNIT_EQUAL(bench->final_transactions, 3);
	replica_bench_free(bench);
}

/* A driver that does not hand the block over must not get a replica without its cut. */
static void recovery_does_not_end_before_that_block_is_there(void)
{
	uint64_t position;
	uint32_t mark;
	uint32_t block;

	bench = replica_bench_new(1, 0);
	submit(1);
	submit(2);
	last_marked(&mark, &block);
	crowd_before(mark, REPLICA_RECOVER_BLOCKS_MAX + 100);
	UNIT_REQUIRE(replica_init(bench->memory, replica_footprint(&bench->config), bench->buffers,
				  replica_buffer_bytes(&bench->config), &bench->config,
				  &bench->replica) == 0);
	for (uint32_t i = 0; i <= mark + REPLICA_RECOVER_BLOCKS_MAX + 100; i++) {
		const struct replica_bench_record *record = &bench->record[BLOCKLOG_BLOCK][i];

		UNIT_REQUIRE(replica_recover_record(bench->replica, BLOCKLOG_BLOCK, record->kind, i,
						    record->bytes, record->byte_count) == 0);
	}
	UNIT_REQUIRE(replica_recover_wants_block(bench->replica, &position));
	UNIT_EQUAL(position, block);
	UNIT_EQUAL((uint32_t)replica_recover_safety(bench->replica, bench->gate, NULL, 0),
		   (uint32_t)ERR_SEQUENCE);
	UNIT_EQUAL(replica_recover_record(bench->replica, BLOCKLOG_BLOCK, REPLICA_RECORD_BLOCK,
					  position, bench->record[BLOCKLOG_BLOCK][block].bytes,
					  bench->record[BLOCKLOG_BLOCK][block].byte_count),
		   0);
	UNIT_CHECK(!replica_recover_wants_block(bench->replica, &position));
	replica_bench_free(bench);
}

/* The record a crash left behind is this one; what it holds decides how the replica begins. */
static struct replica_status restart_with(const struct hs_record *record)
{
	struct replica_bench_record *newest =
		&bench->record[BLOCKLOG_SAFETY][bench->record_count[BLOCKLOG_SAFETY] - 1];
	static uint8_t bytes[BLOCKLOG_SAFETY_BYTES_MAX];
	struct replica_status status;
	int count = wire_encode_record(record, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0);
	free(newest->bytes);
	newest->bytes = malloc((size_t)count);
	UNIT_REQUIRE(newest->bytes != NULL);
	memcpy(newest->bytes, bytes, (size_t)count);
	newest->byte_count = (uint32_t)count;
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	replica_status(bench->replica, &status);
	return status;
}

static void fresh_record(struct hs_record *ret_record)
{
	memset(ret_record, 0, sizeof(*ret_record));
	ret_record->epoch = bench->world.validators.epoch;
	ret_record->high_qc.epoch = ret_record->epoch;
	ret_record->high_qc.block_id = bench->world.genesis_id;
	ret_record->committed_id = bench->world.genesis_id;
}

static void an_intent_raises_the_lock_only_if_its_justify_verifies(void)
{
	struct crypto_hash id = { { 5 } };
	struct replica_status status;
	struct hs_record record;

	for (uint32_t is_bad = 0; is_bad < 2; is_bad++) {
		bench = replica_bench_new(4, 0);
		fresh_record(&record);
		record.intent_view = 3;
		record.intent_id = (struct crypto_hash){ { 6 } };
		wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 2, &id, 0, &record.intent_justify);
		record.intent_justify.signature[1].b[9] ^= (uint8_t)is_bad;
		status = restart_with(&record);
		UNIT_EQUAL(status.view.high_qc_view, is_bad ? 0 : 2);
		UNIT_EQUAL(status.view.last_vote_view, 3);
		replica_bench_free(bench);
	}
}

static void an_entry_certificate_opens_its_view_only_if_it_verifies(void)
{
	struct replica_status status;
	struct hs_record record;

	for (uint32_t is_bad = 0; is_bad < 2; is_bad++) {
		bench = replica_bench_new(4, 0);
		fresh_record(&record);
		record.has_entry_tc = true;
		wire_world_tc(&bench->world, 5, 0, &record.entry_tc);
		record.entry_tc.signature[1].b[9] ^= (uint8_t)is_bad;
		status = restart_with(&record);
		UNIT_EQUAL(status.view.view, is_bad ? 1 : 6);
		replica_bench_free(bench);
	}
}

static void a_record_whose_lock_does_not_verify_makes_an_observer(void)
{
	struct crypto_hash id = { { 5 } };
	struct replica_status status;
	struct hs_record record;

	for (uint32_t is_bad = 0; is_bad < 2; is_bad++) {
		bench = replica_bench_new(4, 0);
		fresh_record(&record);
		wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 2, &id, 0, &record.high_qc);
		record.high_qc.signature[1].b[9] ^= (uint8_t)is_bad;
		status = restart_with(&record);
		UNIT_EQUAL(status.view.is_observer, is_bad == 1);
		UNIT_EQUAL(status.view.high_qc_view, is_bad ? 0 : 2);
		replica_bench_free(bench);
	}
}

/* The last MARK was lost in a crash, so its block is delivered again: from the lane log. */
static void recover_without_last_mark(void)
{
	uint32_t mark;
	uint32_t block;
	uint64_t position;

	last_marked(&mark, &block);
	while (bench->record_count[BLOCKLOG_BLOCK] > mark)
		free(bench->record[BLOCKLOG_BLOCK][--bench->record_count[BLOCKLOG_BLOCK]].bytes);
	UNIT_REQUIRE(replica_init(bench->memory, replica_footprint(&bench->config), bench->buffers,
				  replica_buffer_bytes(&bench->config), &bench->config,
				  &bench->replica) == 0);
	for (uint32_t log = BLOCKLOG_LANE; log <= BLOCKLOG_BLOCK; log++)
		for (uint32_t i = 0; i < bench->record_count[log]; i++)
			UNIT_REQUIRE(replica_recover_record(bench->replica, (enum blocklog_log)log,
							    bench->record[log][i].kind, i,
							    bench->record[log][i].bytes,
							    bench->record[log][i].byte_count) == 0);
	while (replica_recover_wants(bench->replica, &position))
		UNIT_REQUIRE(replica_recover_batch(
				     bench->replica, bench->record[BLOCKLOG_LANE][position].bytes,
				     bench->record[BLOCKLOG_LANE][position].byte_count) == 0);
	const struct replica_bench_record *safety =
		&bench->record[BLOCKLOG_SAFETY][bench->record_count[BLOCKLOG_SAFETY] - 1];

	UNIT_REQUIRE(replica_recover_safety(bench->replica, bench->gate, safety->bytes,
					    safety->byte_count) == 0);
}

static void a_batch_read_back_for_delivery_must_be_the_one_the_cut_names(void)
{
	struct replica_input start = { .kind = REPLICA_INPUT_START };

	for (uint32_t is_wrong = 0; is_wrong < 2; is_wrong++) {
		struct replica_bench_record *lane;
		struct replica_bench_record kept;

		bench = replica_bench_new(1, 0);
		lane = bench->record[BLOCKLOG_LANE];
		submit(1);
		submit(2);
		UNIT_REQUIRE(bench->record_count[BLOCKLOG_LANE] == 2);
		recover_without_last_mark();
		bench->final_transactions = 0;
		kept = lane[1];
		if (is_wrong)
			lane[1] = lane[0];
		replica_bench_step(bench, &start);
		replica_bench_wait(bench, 50 * UNITS_NS_PER_MS);
		UNIT_EQUAL(bench->alarm[REPLICA_ALARM_STORE_FAILED], is_wrong);
		UNIT_EQUAL(bench->final_transactions, is_wrong ? 0 : 1);
		lane[1] = kept;
		replica_bench_free(bench);
	}
}

/* ---- committed by the record, not yet marked ---- */

static void replace_record(uint32_t index, uint16_t kind, const void *bytes, uint32_t count)
{
	struct replica_bench_record *record = &bench->record[BLOCKLOG_BLOCK][index];

	if (index == bench->record_count[BLOCKLOG_BLOCK])
		bench->record_count[BLOCKLOG_BLOCK]++;
	free(record->bytes);
	record->kind = kind;
	record->byte_count = count;
	record->bytes = malloc(count);
	UNIT_REQUIRE(record->bytes != NULL);
	memcpy(record->bytes, bytes, count);
}

/* In place of what was lost comes the first block again, so that nothing changes its position. */
static void lose_record(uint32_t index)
{
	const struct replica_bench_record *first = &bench->record[BLOCKLOG_BLOCK][0];

	replace_record(index, first->kind, first->bytes, first->byte_count);
}

/* The last `count` MARKs are lost; the newest record knows their blocks as committed. */
struct lost_marks {
	struct hs_record record;
	uint64_t height; /* of the last one that is left */
	uint64_t transactions;
	uint32_t block; /* index of the BLOCK of the last but one that is lost */
};

static void lose_marks(uint32_t count, struct lost_marks *ret_lost)
{
	const struct replica_bench_record *newest =
		&bench->record[BLOCKLOG_SAFETY][bench->record_count[BLOCKLOG_SAFETY] - 1];
	struct replica_mark mark;
	uint32_t index;
	uint32_t block;

	memset(ret_lost, 0, sizeof(*ret_lost));
	UNIT_REQUIRE(wire_decode_record(newest->bytes, newest->byte_count,
					bench->config.consensus.replica_count,
					&ret_lost->record) == 0);
	for (uint32_t i = 0; i < count; i++) {
		last_marked(&index, &block);
		UNIT_REQUIRE(replica_mark_decode(bench->record[BLOCKLOG_BLOCK][index].bytes,
						 bench->record[BLOCKLOG_BLOCK][index].byte_count,
						 &mark) == 0);
		if (i == 0) {
			ret_lost->record.committed_height = mark.height;
			ret_lost->record.committed_id = mark.block_id;
		}
		ret_lost->transactions += mark.tx_count;
		ret_lost->height = mark.height - 1;
		if (i == 1)
			ret_lost->block = block;
		lose_record(index);
	}
	bench->final_transactions = 0;
}

static uint64_t committed_at_start(void)
{
	return bench->replica->recover.root_height;
}

static void blocks_committed_and_not_marked_are_delivered_again(void)
{
	struct lost_marks lost;

	for (uint32_t is_all = 0; is_all < 2; is_all++) {
		bench = replica_bench_new(1, 0);
		for (uint64_t seq = 1; seq <= 4; seq++)
			submit(seq);
		lose_marks(is_all ? (uint32_t)bench->final_height : 2, &lost);
		UNIT_EQUAL(lost.height == 0, is_all);
		UNIT_CHECK(lost.transactions >= 2);
		restart_with(&lost.record);
		UNIT_EQUAL(committed_at_start(), lost.record.committed_height);
		replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
		UNIT_EQUAL(bench->final_transactions, lost.transactions);
		replica_bench_free(bench);
	}
}

/* What lies in between is missing: the core starts where delivery stands and fetches the rest. */
static void a_committed_block_without_its_ancestors_is_not_delivered(void)
{
	struct lost_marks lost;

	bench = replica_bench_new(1, 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		submit(seq);
	lose_marks(2, &lost);
	lose_record(lost.block);
	restart_with(&lost.record);
	UNIT_EQUAL(committed_at_start(), lost.height);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
	UNIT_EQUAL(bench->final_transactions, 0);
	replica_bench_free(bench);
}

/* It waits for batches, and stores what others commit meanwhile. */
static void a_delivered_block_below_any_number_of_stored_ones_is_the_root(void)
{
	static struct hs_block above;
	struct hs_record record;
	struct crypto_hash id;
	uint64_t height;
	struct hs_qc qc;

	bench = replica_bench_new(1, 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		submit(seq);
	height = bench->final_height;
	id = bench->replica->delivery.id;
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 1, &id, 0, &qc);
	for (uint64_t i = 0; i < REPLICA_RECOVER_BLOCKS_MAX + 8; i++) {
		wire_world_block(&bench->world, 100 + i, height + 2, &qc, &above);
		replica_bench_store_block(bench, &above);
	}
	fresh_record(&record);
	restart_with(&record);
	UNIT_EQUAL(committed_at_start(), height);
	UNIT_CHECK(crypto_hash_equal(&bench->replica->recover.root_id, &id));
	replica_bench_free(bench);
}

static void a_committed_block_that_does_not_follow_the_delivered_one_is_not_delivered(void)
{
	struct crypto_hash elsewhere = { { 9 } };
	struct hs_qc justify;
	static struct hs_block fork;
	struct lost_marks lost;

	bench = replica_bench_new(1, 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		submit(seq);
	lose_marks(2, &lost);
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 1, &elsewhere, 0, &justify);
	wire_world_block(&bench->world, 2, lost.height + 1, &justify, &fork);
	replica_bench_store_block(bench, &fork);
	lost.record.committed_height = lost.height + 1;
	lost.record.committed_id = fork.id;
	restart_with(&lost.record);
	UNIT_EQUAL(committed_at_start(), lost.height);
	replica_bench_free(bench);
}

static void a_record_that_gives_a_delivered_block_another_height_delivers_nothing(void)
{
	struct replica_mark mark;
	struct lost_marks lost;
	uint32_t index;
	uint32_t block;

	bench = replica_bench_new(1, 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		submit(seq);
	lose_marks(1, &lost);
	last_marked(&index, &block);
	UNIT_REQUIRE(replica_mark_decode(bench->record[BLOCKLOG_BLOCK][index].bytes,
					 bench->record[BLOCKLOG_BLOCK][index].byte_count,
					 &mark) == 0);
	lost.record.committed_height += 50;
	lost.record.committed_id = mark.block_id;
	restart_with(&lost.record);
	UNIT_EQUAL(committed_at_start(), lost.height);
	replica_bench_free(bench);
}

/* Delivery begins at its next height: the newest blocks without those below them are of no use. */
static void more_committed_blocks_than_delivery_has_room_for_are_committed_again(void)
{
	enum { ROOM = REPLICA_DELIVERY_MAX - 8 };
	struct hs_record record;

	for (uint64_t count = ROOM - 1; count <= ROOM + 2; count++) {
		static struct hs_block block;
		struct hs_qc qc;

		bench = replica_bench_new(4, 0);
		fresh_record(&record);
		block.id = bench->world.genesis_id;
		for (uint64_t height = 1; height <= count; height++) {
			wire_world_qc(&bench->world, HS_MESSAGE_VOTE, height - 1, &block.id, 0,
				      &qc);
			memset(&block, 0, sizeof(block));
			wire_world_block(&bench->world, height, height, &qc, &block);
			replica_bench_store_block(bench, &block);
		}
		record.committed_height = count;
		record.committed_id = block.id;
		restart_with(&record);
		UNIT_EQUAL(committed_at_start(), count <= ROOM ? count : 0);
		/* Else the blocks that START gives commit each other, all but the last two. */
		UNIT_EQUAL(bench->final_height, count <= ROOM ? count : HS_BLOCKS_MAX / 2 - 2);
		replica_bench_free(bench);
	}
}

/* ---- durable and uncommitted ---- */

static void uncommitted_blocks_are_given_once_parents_first_and_not_without_them(void)
{
	enum { CHAIN_BLOCKS = HS_BLOCKS_MAX / 2 + 4 };
	static struct hs_block chain[CHAIN_BLOCKS + 1];
	static struct hs_block stray;
	struct crypto_hash elsewhere = { { 9 } };
	struct hs_record record;
	struct hs_qc qc;

	bench = replica_bench_new(4, 0);
	fresh_record(&record);
	chain[0].id = bench->world.genesis_id;
	for (uint64_t height = 1; height <= CHAIN_BLOCKS; height++) {
		wire_world_qc(&bench->world, HS_MESSAGE_VOTE, height - 1, &chain[height - 1].id, 0,
			      &qc);
		memset(&chain[height], 0, sizeof(chain[height]));
		wire_world_block(&bench->world, height, height, &qc, &chain[height]);
	}
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 1, &elsewhere, 0, &qc);
	wire_world_block(&bench->world, 2, 2, &qc, &stray);
	replica_bench_store_block(bench, &chain[2]);
	replica_bench_store_block(bench, &chain[1]);
	replica_bench_store_block(bench, &stray);
	replica_bench_store_block(bench, &chain[2]);
	replica_bench_store_block(bench, &chain[1]);
	restart_with(&record);
	UNIT_EQUAL(bench->replica->recover.start_count, 2);
	UNIT_CHECK(crypto_hash_equal(&bench->replica->recover.start_block[0].id, &chain[1].id));
	UNIT_CHECK(crypto_hash_equal(&bench->replica->recover.start_block[1].id, &chain[2].id));
	for (uint32_t i = 3; i <= CHAIN_BLOCKS; i++)
		replica_bench_store_block(bench, &chain[i]);
	restart_with(&record);
	UNIT_EQUAL(bench->replica->recover.start_count, HS_BLOCKS_MAX / 2);
	replica_bench_free(bench);
}

/* More forks of failed views than START has room for: what is certified must not be missing. */
static void the_certified_chain_is_given_before_the_forks_beside_it(void)
{
	static struct hs_block fork[HS_BLOCKS_MAX];
	static struct hs_block top;
	struct hs_record record;
	struct hs_qc qc;

	bench = replica_bench_new(4, 0);
	fresh_record(&record);
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, 0, &bench->world.genesis_id, 0, &qc);
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		wire_world_block(&bench->world, i + 1, 1, &qc, &fork[i]);
		replica_bench_store_block(bench, &fork[i]);
	}
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, HS_BLOCKS_MAX, &fork[HS_BLOCKS_MAX - 1].id, 0,
		      &qc);
	wire_world_block(&bench->world, HS_BLOCKS_MAX + 1, 2, &qc, &top);
	replica_bench_store_block(bench, &top);
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, HS_BLOCKS_MAX + 1, &top.id, 0,
		      &record.high_qc);
	restart_with(&record);
	UNIT_EQUAL(bench->replica->recover.start_count, HS_BLOCKS_MAX / 2);
	UNIT_CHECK(hs_core_block(bench->replica->core, &top.id) != NULL);
	UNIT_CHECK(hs_core_block(bench->replica->core, &fork[HS_BLOCKS_MAX - 1].id) != NULL);
	replica_bench_free(bench);
}

UNIT_SUITE("replica_recover", UNIT_TEST(a_block_marked_long_after_it_was_stored_is_found_again),
	   UNIT_TEST(recovery_does_not_end_before_that_block_is_there),
	   UNIT_TEST(a_batch_read_back_for_delivery_must_be_the_one_the_cut_names),
	   UNIT_TEST(an_intent_raises_the_lock_only_if_its_justify_verifies),
	   UNIT_TEST(an_entry_certificate_opens_its_view_only_if_it_verifies),
	   UNIT_TEST(a_record_whose_lock_does_not_verify_makes_an_observer),
	   UNIT_TEST(blocks_committed_and_not_marked_are_delivered_again),
	   UNIT_TEST(a_committed_block_without_its_ancestors_is_not_delivered),
	   UNIT_TEST(a_delivered_block_below_any_number_of_stored_ones_is_the_root),
	   UNIT_TEST(a_committed_block_that_does_not_follow_the_delivered_one_is_not_delivered),
	   UNIT_TEST(a_record_that_gives_a_delivered_block_another_height_delivers_nothing),
	   UNIT_TEST(more_committed_blocks_than_delivery_has_room_for_are_committed_again),
	   UNIT_TEST(uncommitted_blocks_are_given_once_parents_first_and_not_without_them),
	   UNIT_TEST(the_certified_chain_is_given_before_the_forks_beside_it))
