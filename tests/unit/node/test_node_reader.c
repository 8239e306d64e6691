/*
 * node_reader: the order read from the files of a store, by place, by name, with its proof.
 *
 * The records are those a replica of a chain of one wrote (replica_bench); here they go to a real
 * store, and the marks' positions are made to name where they came to lie there. Lookups and
 * proofs are node_reader_find.c.
 */
#define _GNU_SOURCE
#include "node/node_reader.h"

#include "base/err.h"
#include "client/qr_verify_proof.h"
#include "replica/replica_mark.h"
#include "tests/lib/replica_bench.h"
#include "tests/unit/node/node_place.h"

static struct replica_bench *bench;
static char directory[64];
static char data_dir[96];
static uint64_t position[BLOCKLOG_LOG_COUNT][REPLICA_BENCH_RECORDS_MAX];
static _Atomic uint64_t block_end;
static _Atomic uint64_t lane_end;
static uint64_t block_end_at[REPLICA_BENCH_RECORDS_MAX]; /* durable end behind each record */
static struct node_reader *reader;

/* ---- a store with those records ---- */

static void append(struct blocklog_store *store, enum blocklog_log log, uint32_t index,
		   const void *bytes, uint32_t count)
{
	struct blocklog_done done[8];

	UNIT_REQUIRE(blocklog_store_append(store, log, bench->record[log][index].kind, bytes, count,
					   index, &position[log][index]) == 0);
	for (bool is_done = false; !is_done;) {
		uint32_t found = blocklog_store_turn(store, done, UNITS_COUNT(done));

		for (uint32_t i = 0; i < found; i++) {
			UNIT_REQUIRE(done[i].code == 0);
			is_done = true;
		}
	}
}

/* The mark with positions of this store. */
static uint32_t moved_mark(const struct replica_bench_record *record, uint8_t *ret_bytes)
{
	static uint8_t batches[64 * REPLICA_MARK_BATCH_BYTES];
	static uint8_t exceptions[64 * REPLICA_MARK_EXCEPTION_BYTES];
	struct replica_mark_builder builder;
	struct replica_mark mark;
	int count;

	UNIT_REQUIRE(replica_mark_decode(record->bytes, record->byte_count, &mark) == 0);
	UNIT_REQUIRE(mark.batch_count <= 64 && mark.exception_count <= 64);
	builder = (struct replica_mark_builder){ .mark = mark,
						 .batch_bytes = batches,
						 .exception_bytes = exceptions };
	replica_mark_begin(&builder, mark.part);
	builder.mark.block_position = position[BLOCKLOG_BLOCK][mark.block_position];
	for (uint32_t i = 0; i < mark.batch_count; i++) {
		struct replica_mark_batch batch;
		uint32_t tx_count;

		replica_mark_batch_at(&mark, i, &batch);
		tx_count = batch.tx_count;
		batch.position = position[BLOCKLOG_LANE][batch.position];
		batch.tx_count = 0;
		replica_mark_add_batch(&builder, &batch);
		replica_mark_count_batch(&builder, tx_count);
	}
	builder.mark.exception_count = mark.exception_count;
	memcpy(exceptions, mark.exceptions, mark.exception_count * REPLICA_MARK_EXCEPTION_BYTES);
	builder.mark.tx_count = mark.tx_count;
	builder.mark.tx_dropped = mark.tx_dropped;
	builder.mark.is_last = mark.is_last;
	count = replica_mark_encode(&builder, ret_bytes, record->byte_count + 64);
	UNIT_REQUIRE(count > 0);
	return (uint32_t)count;
}

static void write_store(struct blocklog_store *store)
{
	static uint8_t bytes[64 * 1024];

	for (uint32_t i = 0; i < bench->record_count[BLOCKLOG_LANE]; i++)
		append(store, BLOCKLOG_LANE, i, bench->record[BLOCKLOG_LANE][i].bytes,
		       bench->record[BLOCKLOG_LANE][i].byte_count);
	for (uint32_t i = 0; i < bench->record_count[BLOCKLOG_BLOCK]; i++) {
		const struct replica_bench_record *record = &bench->record[BLOCKLOG_BLOCK][i];
		uint32_t count = record->byte_count;

		if (record->kind == REPLICA_RECORD_MARK)
			count = moved_mark(record, bytes);
		else
			memcpy(bytes, record->bytes, count);
		append(store, BLOCKLOG_BLOCK, i, bytes, count);
		block_end_at[i] = blocklog_store_durable_end(store, BLOCKLOG_BLOCK);
	}
	lane_end = blocklog_store_durable_end(store, BLOCKLOG_LANE);
	block_end = blocklog_store_durable_end(store, BLOCKLOG_BLOCK);
}

static void make_store(void)
{
	struct blocklog_dev_file_options options = { .directory = data_dir,
						     .allow_buffered = true };
	struct blocklog_config config = {
		.identity = { .chain_id = bench->world.validators.chain_id },
		.segment_bytes = 8 * UNITS_MIB,
		.group_bytes_max = 2 * UNITS_MIB,
		.segments_max = 64,
	};
	char reason[2 * BLOCKLOG_REASON_BYTES];
	size_t bytes = blocklog_store_footprint(&config);
	void *memory = aligned_alloc(4096, units_round_up(bytes, 4096));
	struct blocklog_store *store;
	struct blocklog_dev *dev;

	fixture_directory(directory);
	snprintf(data_dir, sizeof(data_dir), "%s/data", directory);
	node_place_format(&bench->world, 0, data_dir);
	UNIT_REQUIRE(memory != NULL);
	UNIT_REQUIRE(blocklog_dev_file_open(&options, &dev, reason, sizeof(reason)) == 0);
	UNIT_REQUIRE(blocklog_store_open(dev, &config, memory, bytes, &store) == 0);
	write_store(store);
	blocklog_store_close(store);
	blocklog_dev_file_close(dev);
	free(memory);
}

static void open_reader(bool is_offline)
{
	struct node_reader_config config = {
		.directory = data_dir,
		.chain_id = bench->world.validators.chain_id,
		.set_hash = bench->world.validators.set_hash,
		.epoch = bench->world.validators.epoch,
		.replica_count = 1,
		.block_end = is_offline ? NULL : &block_end,
		.lane_end = is_offline ? NULL : &lane_end,
	};
	char reason[512] = "";

	UNIT_REQUIRE(node_reader_open(&config, &reader, reason, sizeof(reason)) == 0);
}

/* Numbers 1..9 in three frames, with empty blocks between and behind; 4..6 are sent twice. */
static void begin(bool is_offline)
{
	bench = replica_bench_new(1, 0);
	for (uint64_t seq = 1; seq < 10; seq += 3) {
		UNIT_EQUAL(replica_bench_submit(bench, seq, 3, 1000), 0);
		replica_bench_wait(bench, 4 * UNITS_NS_PER_S);
	}
	make_store();
	open_reader(is_offline);
}

static void end(void)
{
	node_reader_close(reader);
	replica_bench_free(bench);
	fixture_directory_end(directory);
}

/* The next record must carry this number. */
static void expect_next(uint64_t *height, uint32_t *index, uint64_t seq)
{
	struct wire_client_record record;

	UNIT_REQUIRE(node_reader_next(reader, height, index, &record) == 1);
	UNIT_EQUAL(record.seq, seq);
	UNIT_EQUAL(record.height, *height);
	UNIT_EQUAL(record.index + 1, *index);
	UNIT_CHECK(memcmp(&record.client, &bench->world.client.public_key, 32) == 0);
}

static struct wire_client_name name_of(uint64_t seq)
{
	return (struct wire_client_name){ .client = bench->world.client.public_key, .seq = seq };
}

/* ---- promises ---- */

static void the_whole_order_comes_in_order_and_ends(void)
{
	struct wire_client_record record;
	uint64_t height = 1;
	uint32_t index = 0;

	begin(true);
	for (uint64_t seq = 1; seq < 10; seq++)
		expect_next(&height, &index, seq);
	UNIT_EQUAL(node_reader_next(reader, &height, &index, &record), 0);
	UNIT_EQUAL(node_reader_height(reader), bench->final_height);
	UNIT_EQUAL(height, bench->final_height + 1);
	UNIT_CHECK(bench->final_height > 6); /* there were empty blocks on the way */
	end();
}

static void a_reader_goes_on_at_any_place(void)
{
	uint64_t heights[9];
	uint32_t indices[9];
	uint64_t height = 1;
	uint32_t index = 0;

	begin(true);
	for (uint64_t seq = 1; seq < 10; seq++) {
		expect_next(&height, &index, seq);
		heights[seq - 1] = height;
		indices[seq - 1] = index;
	}
	for (uint64_t seq = 9; seq > 1; seq--) {
		height = heights[seq - 2];
		index = indices[seq - 2];
		expect_next(&height, &index, seq);
	}
	end();
}

static void nothing_is_seen_before_its_mark_is_durable(void)
{
	struct wire_client_record record;
	uint64_t height = 1;
	uint32_t index = 0;
	uint64_t seen = 0;

	begin(false);
	block_end = 0;
	for (uint32_t i = 0; i < bench->record_count[BLOCKLOG_BLOCK]; i++) {
		uint64_t before = node_reader_height(reader);
		bool is_mark = bench->record[BLOCKLOG_BLOCK][i].kind == REPLICA_RECORD_MARK;

		block_end = block_end_at[i];
		UNIT_EQUAL(node_reader_height(reader), before + (is_mark ? 1 : 0));
		while (node_reader_next(reader, &height, &index, &record) == 1)
			UNIT_EQUAL(record.seq, ++seen);
	}
	UNIT_EQUAL(seen, 9);
	end();
}

static void a_transaction_is_found_by_number_and_by_id(void)
{
	struct wire_client_record record;
	struct wire_client_name name;

	begin(true);
	for (uint64_t seq = 9; seq > 0; seq--) {
		name = name_of(seq);
		UNIT_REQUIRE(node_reader_find(reader, &name, &record) == 0);
		UNIT_EQUAL(record.seq, seq);
		name = (struct wire_client_name){ .by_txid = true, .txid = record.txid };
		UNIT_REQUIRE(node_reader_find(reader, &name, &record) == 0);
		UNIT_EQUAL(record.seq, seq);
	}
	name = name_of(10);
	UNIT_EQUAL((uint32_t)node_reader_find(reader, &name, &record), (uint32_t)ERR_NOT_FOUND);
	name = (struct wire_client_name){ .by_txid = true, .txid = { { 1 } } };
	UNIT_EQUAL((uint32_t)node_reader_find(reader, &name, &record), (uint32_t)ERR_NOT_FOUND);
	end();
}

static void every_transaction_has_a_proof_the_verifier_takes(void)
{
	struct wire_client_record record;
	struct qr_proved proved;
	const uint8_t *bytes;
	uint32_t count;

	begin(true);
	for (uint64_t seq = 1; seq < 10; seq++) {
		struct wire_client_name name = name_of(seq);

		UNIT_REQUIRE(node_reader_find(reader, &name, &record) == 0);
		UNIT_REQUIRE(node_reader_prove(reader, &name, &bytes, &count) == 0);
		UNIT_EQUAL(qr_verify_proof(bench->world.genesis_bytes,
					   bench->world.genesis_byte_count, bytes, count, &proved),
			   QR_VERDICT_PROVED);
		UNIT_EQUAL(proved.seq, seq);
		UNIT_EQUAL(proved.height, record.height);
		UNIT_CHECK(memcmp(proved.txid, &record.txid, 32) == 0);
	}
	end();
}

static void a_proof_does_not_disturb_a_tail(void)
{
	struct wire_client_name name;
	const uint8_t *bytes;
	uint64_t height = 1;
	uint32_t index = 0;
	uint32_t count;

	begin(true);
	for (uint64_t seq = 1; seq < 10; seq++) {
		expect_next(&height, &index, seq);
		name = name_of(10 - seq);
		UNIT_EQUAL(node_reader_prove(reader, &name, &bytes, &count), 0);
	}
	end();
}

/* One bit in the middle of a record of the lane log. */
static void damage(uint32_t record)
{
	char path[160];
	uint64_t at = position[BLOCKLOG_LANE][record] + 150;
	uint8_t byte;
	int file;

	snprintf(path, sizeof(path), "%s/lane-00000000.log", data_dir);
	file = open(path, O_RDWR | O_CLOEXEC);
	UNIT_REQUIRE(file >= 0 && pread(file, &byte, 1, (off_t)at) == 1);
	byte ^= 4;
	UNIT_REQUIRE(pwrite(file, &byte, 1, (off_t)at) == 1);
	UNIT_REQUIRE(fsync(file) == 0 && close(file) == 0);
}

static void damage_is_an_error_and_never_an_answer(void)
{
	struct wire_client_record record;
	struct wire_client_name name;
	uint64_t height = 1;
	uint32_t index = 0;

	begin(false);
	damage(1);
	for (uint64_t seq = 1; seq < 4; seq++)
		expect_next(&height, &index, seq);
	UNIT_EQUAL((uint32_t)node_reader_next(reader, &height, &index, &record),
		   (uint32_t)ERR_CORRUPT);
	UNIT_EQUAL((uint32_t)node_reader_next(reader, &height, &index, &record),
		   (uint32_t)ERR_CORRUPT);
	name = name_of(5);
	UNIT_CHECK(node_reader_find(reader, &name, &record) < 0);
	end();
}

static void a_directory_without_a_store_is_refused_with_a_line(void)
{
	const struct node_reader_config config = { .directory = "/nowhere/at/all" };
	char reason[512] = "";

	UNIT_CHECK(node_reader_open(&config, &reader, reason, sizeof(reason)) < 0);
	UNIT_CHECK(strstr(reason, "/nowhere/at/all") != NULL);
}

UNIT_SUITE("node_reader", UNIT_TEST(the_whole_order_comes_in_order_and_ends),
	   UNIT_TEST(a_reader_goes_on_at_any_place),
	   UNIT_TEST(nothing_is_seen_before_its_mark_is_durable),
	   UNIT_TEST(a_transaction_is_found_by_number_and_by_id),
	   UNIT_TEST(every_transaction_has_a_proof_the_verifier_takes),
	   UNIT_TEST(a_proof_does_not_disturb_a_tail),
	   UNIT_TEST(damage_is_an_error_and_never_an_answer),
	   UNIT_TEST(a_directory_without_a_store_is_refused_with_a_line))
