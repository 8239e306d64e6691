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

UNIT_SUITE("replica_recover", UNIT_TEST(a_block_marked_long_after_it_was_stored_is_found_again),
	   UNIT_TEST(recovery_does_not_end_before_that_block_is_there))
