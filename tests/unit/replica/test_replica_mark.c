/* The MARK record: replica_mark.c. */

#include "replica/replica_mark.h"

#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "replica/replica_windows.h"
#include "tests/lib/unit_main.h"

static uint8_t batch_bytes[REPLICA_MARK_BATCHES_MAX * REPLICA_MARK_BATCH_BYTES];
static uint8_t exception_bytes[REPLICA_MARK_EXCEPTIONS_MAX * REPLICA_MARK_EXCEPTION_BYTES];
static uint8_t bytes[1 << 20];
static struct replica_mark_builder builder;

static void begin(void)
{
	builder = (struct replica_mark_builder){
		.mark = { .height = 9,
			  .block_position = 640,
			  .view = 11,
			  .time_ns = 12,
			  .tx_base = 1000,
			  .index_base = 3 },
		.batch_bytes = batch_bytes,
		.exception_bytes = exception_bytes,
	};
	memset(builder.mark.block_id.b, 0xab, sizeof(builder.mark.block_id.b));
	replica_mark_begin(&builder, 2);
}

static void add_batch(uint32_t lane, uint64_t seq, uint32_t tx_count)
{
	struct replica_mark_batch batch = { .lane = lane, .seq = seq, .position = seq * 64 };

	memset(batch.digest.b, (int)seq, sizeof(batch.digest.b));
	replica_mark_add_batch(&builder, &batch);
	replica_mark_count_batch(&builder, tx_count);
}

static int encode(void)
{
	return replica_mark_encode(&builder, bytes, sizeof(bytes));
}

static void a_mark_comes_back_whole(void)
{
	const uint8_t outcome[6] = { 0, 1, 1, 2, 0, 3 };
	struct replica_mark mark;
	struct replica_mark_batch batch;
	struct replica_mark_exception e;
	int count;

	begin();
	add_batch(2, 7, 40);
	replica_mark_add_frame(&builder, 5, outcome, 6);
	add_batch(0, 3, 1);
	builder.mark.is_last = true;
	count = encode();
	UNIT_REQUIRE(count > 0);
	UNIT_EQUAL(count, replica_mark_bytes(&builder));
	UNIT_REQUIRE(replica_mark_decode(bytes, (size_t)count, &mark) == 0);
	UNIT_EQUAL(mark.height, 9);
	UNIT_EQUAL(mark.part, 2);
	UNIT_CHECK(mark.is_last);
	UNIT_EQUAL(mark.tx_base, 1000);
	UNIT_EQUAL(mark.tx_count, 41);
	UNIT_EQUAL(mark.tx_dropped, 4);
	UNIT_EQUAL(mark.exception_count, 3);
	replica_mark_batch_at(&mark, 0, &batch);
	UNIT_EQUAL(batch.lane, 2);
	UNIT_EQUAL(batch.position, 7 * 64);
	UNIT_EQUAL(batch.tx_count, 40);
	replica_mark_exception_at(&mark, 0, &e);
	UNIT_CHECK(e.batch == 0 && e.frame == 5 && e.first == 1 && e.count == 2);
	UNIT_EQUAL(e.reason, REPLICA_OUTCOME_DUPLICATE);
	replica_mark_exception_at(&mark, 2, &e);
	UNIT_CHECK(e.first == 5 && e.count == 1 && e.reason == REPLICA_OUTCOME_EXPIRED);
}

static void a_run_covers_a_whole_frame(void)
{
	uint8_t outcome[WIRE_FRAME_TRANSACTIONS_MAX];
	struct replica_mark mark;
	struct replica_mark_exception e;
	int count;

	memset(outcome, REPLICA_OUTCOME_DUPLICATE, sizeof(outcome));
	begin();
	add_batch(0, 1, 0);
	replica_mark_add_frame(&builder, 0, outcome, WIRE_FRAME_TRANSACTIONS_MAX);
	count = encode();
	UNIT_REQUIRE(replica_mark_decode(bytes, (size_t)count, &mark) == 0);
	replica_mark_exception_at(&mark, 0, &e);
	UNIT_EQUAL(e.count, WIRE_FRAME_TRANSACTIONS_MAX);
	UNIT_EQUAL(mark.tx_dropped, WIRE_FRAME_TRANSACTIONS_MAX);
}

static void the_largest_part_fits_one_record(void)
{
	uint8_t outcome[WIRE_FRAME_TRANSACTIONS_MAX];
	struct replica_mark mark;
	int count;

	for (uint32_t i = 0; i < WIRE_FRAME_TRANSACTIONS_MAX; i++)
		outcome[i] = i % 2 ? REPLICA_OUTCOME_DUPLICATE : REPLICA_OUTCOME_ORDERED;
	begin();
	while (!replica_mark_is_full(&builder)) {
		add_batch(1, 1 + builder.mark.batch_count, 1);
		for (uint32_t i = 0; i < LANE_BATCH_FRAMES_MAX; i++)
			replica_mark_add_frame(&builder, i, outcome, WIRE_FRAME_TRANSACTIONS_MAX);
	}
	count = encode();
	UNIT_REQUIRE(count > 0);
	UNIT_CHECK(replica_mark_decode(bytes, (size_t)count, &mark) == 0);
}

static void every_truncation_and_length_is_refused(void)
{
	const uint8_t outcome[2] = { 1, 0 };
	struct replica_mark mark;
	int count;

	begin();
	add_batch(1, 1, 1);
	replica_mark_add_frame(&builder, 0, outcome, 2);
	count = encode();
	for (int cut = 0; cut < count; cut++)
		UNIT_CHECK(replica_mark_decode(bytes, (size_t)cut, &mark) == ERR_FORMAT);
	UNIT_CHECK(replica_mark_decode(bytes, (size_t)count + 1, &mark) == ERR_FORMAT);
	bytes[0] = REPLICA_MARK_VERSION + 1;
	UNIT_CHECK(replica_mark_decode(bytes, (size_t)count, &mark) == ERR_NEWER);
}

static void runs_out_of_order_or_with_wrong_sums_are_refused(void)
{
	const uint8_t outcome[1] = { 1 };
	struct replica_mark mark;
	int count;

	begin();
	add_batch(1, 1, 1);
	replica_mark_add_frame(&builder, 1, outcome, 1);
	replica_mark_add_frame(&builder, 0, outcome, 1);
	count = encode();
	UNIT_CHECK(replica_mark_decode(bytes, (size_t)count, &mark) == ERR_FORMAT);
	begin();
	add_batch(1, 1, 1);
	builder.mark.tx_count = 2;
	count = encode();
	UNIT_CHECK(replica_mark_decode(bytes, (size_t)count, &mark) == ERR_FORMAT);
	begin();
	add_batch(LANE_LANES_MAX, 1, 1);
	count = encode();
	UNIT_CHECK(replica_mark_decode(bytes, (size_t)count, &mark) == ERR_FORMAT);
}

static void random_bytes_never_make_an_unsound_view(void)
{
	struct prng prng;
	uint32_t accepted = 0;

	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 20000; i++) {
		struct replica_mark mark;
		const uint8_t outcome[3] = { 1, 0, 2 };
		int count;

		begin();
		add_batch(1, 1, 4);
		replica_mark_add_frame(&builder, 0, outcome, 3);
		count = encode();
		for (uint64_t k = prng_below(&prng, 4); k > 0; k--) {
			uint8_t drawn = (uint8_t)prng_u64(&prng);

			bytes[prng_below(&prng, (uint64_t)count)] = drawn;
		}
		if (replica_mark_decode(bytes, (size_t)count, &mark) < 0)
			continue;
		accepted++;
		for (uint32_t k = 0; k < mark.exception_count; k++) {
			struct replica_mark_exception e;

			replica_mark_exception_at(&mark, k, &e);
			if (e.batch >= mark.batch_count || e.count == 0 ||
			    e.reason >= REPLICA_OUTCOME_COUNT)
				UNIT_CHECK(false);
		}
	}
	UNIT_CHECK(accepted > 0);
}

UNIT_SUITE("replica_mark", UNIT_TEST(a_mark_comes_back_whole),
	   UNIT_TEST(a_run_covers_a_whole_frame), UNIT_TEST(the_largest_part_fits_one_record),
	   UNIT_TEST(every_truncation_and_length_is_refused),
	   UNIT_TEST(runs_out_of_order_or_with_wrong_sums_are_refused),
	   UNIT_TEST(random_bytes_never_make_an_unsound_view))
