/* replica_recover: one record of the logs at a time, whole ones and others. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/lane_batch.h"
#include "replica/replica_mark.h"
#include "replica/replica_state.h"
#include "tests/lib/replica_bench.h"
#include "tests/lib/unit_main.h"

static struct replica_bench *bench;
static uint8_t bytes[512 * 1024];

/* A replica that has read nothing yet. */
static void set_up(uint32_t count)
{
	bench = replica_bench_new(count, 0);
	UNIT_REQUIRE(replica_init(bench->memory, replica_footprint(&bench->config), bench->buffers,
				  replica_buffer_bytes(&bench->config), &bench->config,
				  &bench->replica) == 0);
}

static int feed(enum blocklog_log log, uint16_t kind, uint64_t position, int count)
{
	UNIT_REQUIRE(count >= 0);
	return replica_recover_record(bench->replica, log, kind, position, bytes, (size_t)count);
}

static int safety(const void *record, size_t count)
{
	return replica_recover_safety(bench->replica, bench->gate, record, count);
}

/* ---- lane log ---- */

static int make_header(uint32_t lane)
{
	struct lane_header header;
	struct crypto_hash root = { { 3 } };

	wire_world_batch(&bench->world, 0, 1, NULL, &root, 1, &header);
	header.lane = lane;
	header.frame_bytes = 10;
	header.digest = wire_batch_digest(&bench->world.validators.chain_id, &header);
	return wire_encode_batch_header(&header, bytes, sizeof(bytes));
}

static void a_batch_record_needs_a_header_of_a_member(void)
{
	int count;

	set_up(4);
	count = make_header(3);
	UNIT_EQUAL(feed(BLOCKLOG_LANE, REPLICA_RECORD_BATCH, 0, count), 0);
	UNIT_EQUAL(bench->replica->recover.stored_count[3], 1);
	UNIT_EQUAL(feed(BLOCKLOG_LANE, REPLICA_RECORD_BATCH, 1, count - 1), ERR_CORRUPT);
	UNIT_EQUAL(feed(BLOCKLOG_LANE, REPLICA_RECORD_BATCH, 1, make_header(4)), ERR_CORRUPT);
	make_header(3);
	memset(bytes + 4, 0, 8); /* seq 0 does not exist */
	UNIT_EQUAL(feed(BLOCKLOG_LANE, REPLICA_RECORD_BATCH, 1, count), ERR_CORRUPT);
	UNIT_EQUAL(bench->replica->recover.stored_count[3], 1);
	replica_bench_free(bench);
}

static void a_record_of_a_kind_nobody_knows_is_newer(void)
{
	set_up(4);
	UNIT_EQUAL(feed(BLOCKLOG_LANE, REPLICA_RECORD_BLOCK, 0, make_header(3)), ERR_NEWER);
	UNIT_EQUAL(bench->replica->recover.stored_count[3], 0);
	UNIT_EQUAL(feed(BLOCKLOG_BLOCK, 99, 0, 8), ERR_NEWER);
	replica_bench_free(bench);
}

/* ---- block log: blocks, certificates, evidence ---- */

static void make_block(uint64_t height, struct hs_block *ret_block)
{
	struct hs_qc qc;

	memset(ret_block, 0, sizeof(*ret_block));
	wire_world_qc(&bench->world, HS_MESSAGE_VOTE, height - 1, &bench->world.genesis_id, 0, &qc);
	wire_world_block(&bench->world, height, height, &qc, ret_block);
}

static int feed_block(uint64_t height, uint64_t position, int cut)
{
	static struct hs_block block;

	make_block(height, &block);
	return feed(BLOCKLOG_BLOCK, REPLICA_RECORD_BLOCK, position,
		    wire_encode_block(&block, bytes, sizeof(bytes)) - cut);
}

static void a_block_record_cut_short_is_damage(void)
{
	set_up(4);
	UNIT_EQUAL(feed_block(1, 0, 1), ERR_CORRUPT);
	UNIT_EQUAL(bench->replica->recover.block_count, 0);
	UNIT_EQUAL(feed_block(1, 0, 0), 0);
	UNIT_EQUAL(bench->replica->recover.block_count, 1);
	replica_bench_free(bench);
}

/* An FC record is the height, then the message. */
static int make_fc(uint64_t height)
{
	static struct wire_message message;
	struct bytes_writer w = bytes_writer_of(bytes, 8);
	int count;

	memset(&message, 0, sizeof(message));
	message.kind = WIRE_FC;
	message.epoch = bench->world.validators.epoch;
	message.u.core.kind = HS_MESSAGE_FC;
	wire_world_qc(&bench->world, HS_MESSAGE_COMMIT, 3, &bench->world.genesis_id, 0,
		      &message.u.core.u.fc.c);
	bytes_put_u64(&w, height);
	count = wire_encode(&message, bytes + 8, sizeof(bytes) - 8);
	UNIT_REQUIRE(count > 0);
	return count + 8;
}

static void a_certificate_record_cut_short_is_damage(void)
{
	int count;

	set_up(4);
	count = make_fc(5);
	UNIT_EQUAL(feed(BLOCKLOG_BLOCK, REPLICA_RECORD_FC, 7, 4), ERR_CORRUPT);
	UNIT_EQUAL(feed(BLOCKLOG_BLOCK, REPLICA_RECORD_FC, 7, count - 1), ERR_CORRUPT);
	UNIT_EQUAL(bench->replica->blocks.fc_next, 0);
	UNIT_EQUAL(feed(BLOCKLOG_BLOCK, REPLICA_RECORD_FC, 7, count), 0);
	UNIT_EQUAL(bench->replica->blocks.fc_next, 1);
	UNIT_EQUAL(bench->replica->blocks.fc[0].height, 5);
	replica_bench_free(bench);
}

static void a_message_that_is_no_evidence_is_remembered_as_none(void)
{
	int count;

	set_up(4);
	count = make_fc(5);
	memmove(bytes, bytes + 8, (size_t)count - 8);
	UNIT_EQUAL(feed(BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE, 7, count - 8), 0);
	for (uint32_t i = 0; i < HS_REPLICAS_MAX; i++)
		UNIT_EQUAL(bench->replica->show.evidence[i].count, 0);
	UNIT_EQUAL(bench->replica->blocks.fc_next, 0);
	replica_bench_free(bench);
}

/* ---- block log: marks ---- */

static int feed_mark(uint64_t height, uint32_t part, bool is_last, uint32_t batches,
		     uint64_t position)
{
	static uint8_t batch_bytes[REPLICA_MARK_BATCHES_MAX * REPLICA_MARK_BATCH_BYTES];
	static uint8_t exception_bytes[REPLICA_MARK_EXCEPTION_BYTES];
	static struct hs_block block;
	struct replica_mark_builder builder = { .batch_bytes = batch_bytes,
						.exception_bytes = exception_bytes };

	make_block(height, &block);
	replica_mark_begin(&builder, part);
	builder.mark.height = height;
	builder.mark.block_id = block.id;
	builder.mark.block_position = 1000 + height;
	builder.mark.view = height;
	builder.mark.is_last = is_last;
	for (uint32_t i = 0; i < batches; i++)
		replica_mark_add_batch(&builder,
				       &(struct replica_mark_batch){ .seq = i + 1,
								     .digest = { { 1 } },
								     .position = position + i });
	return feed(BLOCKLOG_BLOCK, REPLICA_RECORD_MARK, 0,
		    replica_mark_encode(&builder, bytes, sizeof(bytes)));
}

static void a_block_of_several_parts_counts_once_its_last_part_is_there(void)
{
	uint64_t position;

	set_up(1);
	UNIT_EQUAL(feed_mark(1, 0, false, 1, 50), 0);
	UNIT_EQUAL(feed_mark(1, 1, false, 1, 60), 0);
	UNIT_CHECK(!replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(bench->replica->delivery.height, 0);
	/* A crash came between: the block is marked again from its first part. */
	UNIT_EQUAL(feed_mark(1, 0, false, 1, 70), 0);
	UNIT_EQUAL(feed_mark(1, 1, true, 1, 80), 0);
	UNIT_EQUAL(bench->replica->delivery.height, 1);
	UNIT_REQUIRE(replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(position, 70);
	UNIT_EQUAL(bench->replica->recover.batch_end, 2);
	replica_bench_free(bench);
}

static void marks_out_of_order_are_refused(void)
{
	set_up(1);
	UNIT_EQUAL(feed_mark(2, 0, true, 1, 50), ERR_SEQUENCE);
	UNIT_EQUAL(feed_mark(1, 1, true, 1, 50), ERR_SEQUENCE);
	UNIT_EQUAL(feed_mark(1, 0, true, 1, 50), 0);
	UNIT_EQUAL(feed_mark(1, 0, true, 1, 50), ERR_SEQUENCE);
	UNIT_EQUAL(bench->replica->delivery.height, 1);
	replica_bench_free(bench);
}

static void a_mark_of_a_newer_version_is_not_called_damage(void)
{
	set_up(1);
	UNIT_EQUAL(feed_mark(1, 0, true, 1, 50), 0);
	bytes[0]++;
	UNIT_EQUAL(feed(BLOCKLOG_BLOCK, REPLICA_RECORD_MARK, 0, REPLICA_MARK_HEAD_BYTES),
		   ERR_NEWER);
	replica_bench_free(bench);
}

static void only_the_marked_block_itself_ends_the_search_for_it(void)
{
	uint64_t position;

	set_up(1);
	UNIT_EQUAL(feed_mark(1, 0, true, 0, 0), 0);
	UNIT_REQUIRE(replica_recover_wants_block(bench->replica, &position));
	UNIT_EQUAL(position, 1001);
	UNIT_EQUAL(feed_block(2, 7, 0), 0);
	UNIT_CHECK(replica_recover_wants_block(bench->replica, &position));
	UNIT_EQUAL(feed_block(1, 1001, 0), 0);
	UNIT_CHECK(!replica_recover_wants_block(bench->replica, &position));
	UNIT_EQUAL(safety(NULL, 0), 0);
	replica_bench_free(bench);
}

/* An empty piece of saved windows, true as of `height`. */
static int feed_windows(uint64_t height)
{
	struct bytes_writer w = bytes_writer_of(bytes, 16);

	bytes_put_u8(&w, 1);
	bytes_put_u8(&w, 1);
	bytes_put_u16(&w, 0);
	bytes_put_u32(&w, 0);
	bytes_put_u64(&w, height);
	return feed(BLOCKLOG_BLOCK, REPLICA_RECORD_WINDOWS, 0, 16);
}

/* More batches than can be remembered: what was lost must be in the saved windows. */
static void batches_that_were_lost_need_windows_saved_behind_them(void)
{
	uint64_t position;

	set_up(1);
	UNIT_EQUAL(feed_block(1, 1001, 0), 0);
	UNIT_EQUAL(feed_block(2, 1002, 0), 0);
	UNIT_EQUAL(feed_mark(1, 0, true, 1, 50), 0);
	UNIT_EQUAL(feed_mark(2, 0, true, REPLICA_MARK_BATCHES_MAX, 60), 0);
	UNIT_EQUAL(bench->replica->recover.batch_max, REPLICA_MARK_BATCHES_MAX);
	UNIT_EQUAL(bench->replica->recover.lost_height, 1);
	UNIT_REQUIRE(replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(position, 60);
	UNIT_EQUAL(safety(NULL, 0), ERR_SEQUENCE);
	UNIT_EQUAL(feed_windows(0), 0);
	UNIT_EQUAL(bench->replica->recover.lost_height, 1);
	UNIT_EQUAL(feed_windows(2), 0);
	UNIT_EQUAL(bench->replica->recover.lost_height, 0);
	UNIT_CHECK(!replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(safety(NULL, 0), 0);
	replica_bench_free(bench);
}

/* ---- batches read back ---- */

/* A whole BATCH record of one frame that is none. */
static size_t make_junk_batch(void)
{
	struct bytes_writer w;

	UNIT_EQUAL(make_header(0), WIRE_BATCH_HEADER_BYTES);
	memset(bytes + WIRE_BATCH_HEADER_BYTES, 0x5a, 10);
	w = bytes_writer_of(bytes + WIRE_BATCH_HEADER_BYTES + 10, LANE_INDEX_ENTRY_BYTES);
	bytes_put_u32(&w, WIRE_BATCH_HEADER_BYTES);
	bytes_put_u32(&w, 10);
	return WIRE_BATCH_HEADER_BYTES + 10 + LANE_INDEX_ENTRY_BYTES;
}

static void a_batch_is_replayed_whole_or_not_at_all(void)
{
	uint64_t position;
	size_t count;

	set_up(1);
	UNIT_EQUAL(feed_block(1, 1001, 0), 0);
	UNIT_EQUAL(feed_mark(1, 0, true, 1, 50), 0);
	count = make_junk_batch();
	UNIT_EQUAL(replica_recover_batch(bench->replica, bytes, count - 1), ERR_CORRUPT);
	UNIT_CHECK(replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(safety(NULL, 0), ERR_SEQUENCE);
	UNIT_EQUAL(replica_recover_batch(bench->replica, bytes, count), 0);
	UNIT_CHECK(!replica_recover_wants(bench->replica, &position));
	UNIT_EQUAL(replica_windows_count(bench->replica->windows), 0);
	UNIT_EQUAL(safety(NULL, 0), 0);
	replica_bench_free(bench);
}

/* A whole BATCH record of one frame of one transaction. */
static size_t make_batch(void)
{
	static struct wire_world_frame frame;
	struct lane_header header;
	struct crypto_hash root = { { 3 } };
	struct bytes_writer w;
	uint32_t table;

	wire_world_frames(&bench->world, 1, 1, 1, &frame);
	wire_world_batch(&bench->world, 0, 1, NULL, &root, 1, &header);
	header.frame_bytes = frame.count;
	table = WIRE_BATCH_HEADER_BYTES + frame.count;
	UNIT_REQUIRE(wire_encode_batch_header(&header, bytes, sizeof(bytes)) > 0);
	memcpy(bytes + WIRE_BATCH_HEADER_BYTES, frame.bytes, frame.count);
	w = bytes_writer_of(bytes + table, LANE_INDEX_ENTRY_BYTES);
	bytes_put_u32(&w, WIRE_BATCH_HEADER_BYTES);
	bytes_put_u32(&w, frame.count);
	return table + LANE_INDEX_ENTRY_BYTES;
}

/* So old that its block is not in the index any more: ordered it was all the same. */
static void a_batch_of_a_block_long_gone_still_fills_the_windows(void)
{
	size_t count;

	set_up(1);
	for (uint64_t height = 1; height <= bench->config.blocks_index_max + 1; height++)
		UNIT_EQUAL(feed_mark(height, 0, true, 1, 50 + height), 0);
	UNIT_CHECK(replica_blocks_at(bench->replica, 1) == NULL);
	count = make_batch();
	UNIT_EQUAL(replica_windows_base(bench->replica->windows, &bench->world.client.public_key),
		   1);
	UNIT_EQUAL(replica_recover_batch(bench->replica, bytes, count), 0);
	UNIT_EQUAL(replica_windows_base(bench->replica->windows, &bench->world.client.public_key),
		   2);
	replica_bench_free(bench);
}

static void set_client(uint8_t number)
{
	uint8_t seed[CRYPTO_SEED_BYTES] = { 9, number };

	crypto_sign_key_init(seed, &bench->world.client);
}

static void submit_now(uint8_t client, uint64_t seq)
{
	set_client(client);
	UNIT_EQUAL(replica_bench_submit(bench, seq, 1, 1000), 0);
}

/* The first client's window, as of `height`, in a piece that lets replay begin above `from`. */
static uint32_t make_windows(uint64_t from, uint64_t height)
{
	struct bytes_writer w = bytes_writer_of(bytes, 16);
	uint32_t at = 0;
	size_t count = replica_windows_save(bench->replica->windows, height, &at, bytes + 16,
					    REPLICA_WINDOW_SAVED_BYTES_MAX);

	UNIT_EQUAL(at, 1);
	bytes_put_u8(&w, 1);
	bytes_put_u8(&w, 1);
	bytes_put_u16(&w, 0);
	bytes_put_u32(&w, 0);
	bytes_put_u64(&w, from);
	return (uint32_t)count + 16;
}

/* A window saved late already holds what replay brings: nothing of it counts twice. */
static void a_window_saved_after_a_block_is_not_changed_by_its_replay(void)
{
	struct replica_bench_record *last;
	uint64_t digest;
	uint64_t first_height;

	bench = replica_bench_new(1, 0);
	submit_now(0, 1);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
	first_height = bench->final_height;
	/* The first of these is a batch of its own; the others gather while it is written. */
	bench->disk_is_held = true;
	submit_now(0, 2);
	submit_now(0, 3);
	submit_now(1, 1);
	replica_bench_release(bench);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
	UNIT_EQUAL(bench->final_transactions, 4);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_LANE, REPLICA_RECORD_BATCH), 3);
	UNIT_EQUAL(replica_windows_count(bench->replica->windows), 2);
	digest = replica_windows_digest(bench->replica->windows);
	last = &bench->record[BLOCKLOG_BLOCK][bench->record_count[BLOCKLOG_BLOCK]++];
	last->kind = REPLICA_RECORD_WINDOWS;
	last->byte_count = make_windows(first_height, bench->final_height);
	last->bytes = wire_exact_copy(bytes, last->byte_count);
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	UNIT_EQUAL(replica_windows_digest(bench->replica->windows), digest);
	/* Where the second client's transaction lies in the block is not known any more. */
	bench->receipt_count = 0;
	submit_now(1, 1);
	replica_bench_wait(bench, 5 * UNITS_NS_PER_MS);
	UNIT_EQUAL(bench->receipt_count, 0);
	UNIT_EQUAL(bench->refusal_count, 1);
	UNIT_CHECK(bench->refusal[0].reason == ERR_DUPLICATE);
	replica_bench_free(bench);
}

/* ---- safety record ---- */

static void a_safety_record_is_whole_newer_or_damaged(void)
{
	struct replica_bench_record *zero;

	set_up(4);
	zero = &bench->record[BLOCKLOG_SAFETY][0];
	UNIT_EQUAL(safety(zero->bytes, zero->byte_count - 1), ERR_CORRUPT);
	UNIT_CHECK(!bench->replica->recover.has_record);
	UNIT_EQUAL(safety(zero->bytes, zero->byte_count), 0);
	UNIT_CHECK(bench->replica->recover.has_record);
	zero->bytes[0]++;
	UNIT_EQUAL(safety(zero->bytes, zero->byte_count), ERR_NEWER);
	UNIT_CHECK(!bench->replica->recover.has_record);
	replica_bench_free(bench);
}

UNIT_SUITE("replica_recover_record", UNIT_TEST(a_batch_record_needs_a_header_of_a_member),
	   UNIT_TEST(a_record_of_a_kind_nobody_knows_is_newer),
	   UNIT_TEST(a_block_record_cut_short_is_damage),
	   UNIT_TEST(a_certificate_record_cut_short_is_damage),
	   UNIT_TEST(a_message_that_is_no_evidence_is_remembered_as_none),
	   UNIT_TEST(a_block_of_several_parts_counts_once_its_last_part_is_there),
	   UNIT_TEST(marks_out_of_order_are_refused),
	   UNIT_TEST(a_mark_of_a_newer_version_is_not_called_damage),
	   UNIT_TEST(only_the_marked_block_itself_ends_the_search_for_it),
	   UNIT_TEST(batches_that_were_lost_need_windows_saved_behind_them),
	   UNIT_TEST(a_batch_is_replayed_whole_or_not_at_all),
	   UNIT_TEST(a_batch_of_a_block_long_gone_still_fills_the_windows),
	   UNIT_TEST(a_window_saved_after_a_block_is_not_changed_by_its_replay),
	   UNIT_TEST(a_safety_record_is_whole_newer_or_damaged))
