/* Exactly once per client: replica_windows.c, beside a model that keeps one flag a number. */

#include "replica/replica_windows.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "tests/lib/unit_main.h"

enum { MODEL_CLIENTS = 5, MODEL_SEQ_MAX = 40000 };

static struct replica_windows *windows;
static void *memory;
static uint8_t outcome[WIRE_FRAME_TRANSACTIONS_MAX];

static void set_up(uint32_t clients_max)
{
	size_t bytes = replica_windows_footprint(clients_max);

	free(memory);
	memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	UNIT_REQUIRE(memory != NULL);
	UNIT_REQUIRE(replica_windows_init(memory, bytes, clients_max, &windows) == 0);
}

static struct wire_frame frame_of(uint8_t client, uint64_t first_seq, uint32_t count)
{
	struct wire_frame frame = {
		.kind = WIRE_FRAME_TRANSACTIONS,
		.first_seq = first_seq,
		.count = count,
		.expires = 1000000,
	};

	memset(frame.client.b, client, sizeof(frame.client.b));
	return frame;
}

static uint32_t apply(uint8_t client, uint64_t first_seq, uint32_t count)
{
	struct wire_frame frame = frame_of(client, first_seq, count);

	return replica_windows_apply(windows, &frame, 1, outcome);
}

static void skip(uint8_t client, uint64_t first_seq, uint32_t count)
{
	struct wire_frame frame = frame_of(client, first_seq, count);

	frame.kind = WIRE_FRAME_SKIP;
	replica_windows_apply(windows, &frame, 1, outcome);
}

static uint64_t base_of(uint8_t client)
{
	struct wire_frame frame = frame_of(client, 1, 1);

	return replica_windows_base(windows, &frame.client);
}

static void a_number_counts_once(void)
{
	set_up(4);
	UNIT_EQUAL(apply(1, 1, 3), 3);
	UNIT_EQUAL(apply(1, 1, 3), 0);
	UNIT_EQUAL(outcome[2], REPLICA_OUTCOME_DUPLICATE);
	UNIT_EQUAL(apply(1, 3, 2), 1);
	UNIT_EQUAL(outcome[0], REPLICA_OUTCOME_DUPLICATE);
	UNIT_EQUAL(outcome[1], REPLICA_OUTCOME_ORDERED);
	UNIT_EQUAL(apply(2, 1, 3), 3);
}

static void number_zero_is_never_ordered(void)
{
	set_up(4);
	UNIT_EQUAL(apply(1, 0, 2), 1);
	UNIT_EQUAL(outcome[0], REPLICA_OUTCOME_DUPLICATE);
}

static void base_moves_only_over_a_contiguous_prefix(void)
{
	set_up(4);
	UNIT_EQUAL(apply(1, 2, 10), 10);
	UNIT_EQUAL(base_of(1), 1);
	UNIT_EQUAL(apply(1, 1, 1), 1);
	UNIT_EQUAL(base_of(1), 12);
}

static void ahead_leaves_no_trace_and_may_come_again(void)
{
	set_up(4);
	UNIT_EQUAL(apply(1, 1 + REPLICA_WINDOW_BITS, 1), 0);
	UNIT_EQUAL(outcome[0], REPLICA_OUTCOME_AHEAD);
	UNIT_EQUAL(replica_windows_count(windows), 0);
	UNIT_EQUAL(apply(1, 1, 1), 1);
	UNIT_EQUAL(apply(1, 1 + REPLICA_WINDOW_BITS, 1), 1);
}

static void the_window_moves_inside_a_frame(void)
{
	set_up(4);
	for (uint64_t seq = 3; seq < REPLICA_WINDOW_BITS - 200; seq += 200)
		apply(1, seq, 200);
	UNIT_EQUAL(apply(1, REPLICA_WINDOW_BITS, 2), 1);
	UNIT_EQUAL(outcome[1], REPLICA_OUTCOME_AHEAD);
	UNIT_EQUAL(apply(1, 1, 2), 2);
	UNIT_CHECK(base_of(1) > 3800);
	UNIT_EQUAL(apply(1, base_of(1), 256), 255); /* one of them is 4096, taken above */
	UNIT_EQUAL(apply(1, base_of(1) + REPLICA_WINDOW_BITS, 1), 0);
}

static void skip_gives_numbers_up_for_ever(void)
{
	set_up(4);
	skip(1, 1, 65535);
	UNIT_EQUAL(base_of(1), 65536);
	UNIT_EQUAL(apply(1, 65535, 2), 1);
	skip(1, 65540, 10);
	UNIT_EQUAL(base_of(1), 65537);
	UNIT_EQUAL(apply(1, 65537, 20), 10);
	UNIT_EQUAL(base_of(1), 65557);
	skip(2, 2 * REPLICA_WINDOW_BITS, 5);
	UNIT_EQUAL(base_of(2), 1);
}

static void an_expired_frame_is_dropped_whole(void)
{
	struct wire_frame frame = frame_of(1, 1, 2);

	set_up(4);
	frame.expires = 9;
	UNIT_EQUAL(replica_windows_apply(windows, &frame, 10, outcome), 0);
	UNIT_EQUAL(outcome[1], REPLICA_OUTCOME_EXPIRED);
	UNIT_EQUAL(replica_windows_count(windows), 0);
	UNIT_EQUAL(replica_windows_apply(windows, &frame, 9, outcome), 2);
	frame = frame_of(1, 3, 1);
	frame.expires = (uint64_t)REPLICA_EXPIRES_MAX + 11;
	UNIT_EQUAL(replica_windows_apply(windows, &frame, 10, outcome), 0);
	UNIT_EQUAL(outcome[0], REPLICA_OUTCOME_EXPIRES_FAR);
}

static void new_clients_beyond_the_limit_are_refused(void)
{
	set_up(2);
	UNIT_EQUAL(apply(1, 1, 1) + apply(2, 1, 1), 2);
	UNIT_EQUAL(apply(3, 1, 1), 0);
	UNIT_EQUAL(outcome[0], REPLICA_OUTCOME_CLIENTS_FULL);
	skip(3, 1, 5);
	UNIT_EQUAL(replica_windows_count(windows), 2);
	UNIT_EQUAL(apply(1, 2, 1), 1);
}

static void numbers_at_the_end_of_the_range_are_ahead(void)
{
	set_up(4);
	UNIT_EQUAL(apply(1, UINT64_MAX - 3, 10), 0);
	UNIT_EQUAL(outcome[9], REPLICA_OUTCOME_AHEAD);
	skip(1, UINT64_MAX - 3, 65535);
	UNIT_EQUAL(replica_windows_count(windows), 0);
}

static void judging_changes_nothing(void)
{
	struct wire_frame frame = frame_of(1, 1, 4);
	uint64_t before;

	set_up(4);
	apply(1, 2, 1);
	before = replica_windows_digest(windows);
	UNIT_EQUAL(replica_windows_judge(windows, &frame, 1, outcome), 3);
	UNIT_EQUAL(outcome[1], REPLICA_OUTCOME_DUPLICATE);
	UNIT_EQUAL(replica_windows_digest(windows), before);
}

/* ---- the model ---- */

struct model {
	bool taken[MODEL_CLIENTS][MODEL_SEQ_MAX];
	uint64_t base[MODEL_CLIENTS];
};

static enum replica_outcome model_take(struct model *model, uint32_t client, uint64_t seq)
{
	if (seq < model->base[client])
		return REPLICA_OUTCOME_DUPLICATE;
	if (seq >= model->base[client] + REPLICA_WINDOW_BITS)
		return REPLICA_OUTCOME_AHEAD;
	if (model->taken[client][seq])
		return REPLICA_OUTCOME_DUPLICATE;
	model->taken[client][seq] = true;
	while (model->taken[client][model->base[client]])
		model->base[client]++;
	return REPLICA_OUTCOME_ORDERED;
}

static bool model_agrees(struct model *model, struct prng *prng)
{
	uint32_t client = (uint32_t)prng_below(prng, MODEL_CLIENTS);
	uint64_t spread = prng_chance(prng, 200000) ? 6000 : 300;
	uint64_t seq = model->base[client] + prng_below(prng, spread);
	uint32_t count = 1 + (uint32_t)prng_below(prng, 256);
	struct wire_frame frame;

	seq = seq > 100 ? seq - prng_below(prng, 100) : seq;
	if (seq + 1000 > MODEL_SEQ_MAX)
		return true;
	frame = frame_of((uint8_t)client, seq, count);
	if (prng_chance(prng, 100000)) {
		frame.kind = WIRE_FRAME_SKIP;
		frame.count = 1 + (uint32_t)prng_below(prng, 700);
		replica_windows_apply(windows, &frame, 1, outcome);
		for (uint32_t i = 0; i < frame.count; i++)
			model_take(model, client, seq + i);
		return true;
	}
	replica_windows_apply(windows, &frame, 1, outcome);
	for (uint32_t i = 0; i < count; i++)
		if (outcome[i] != model_take(model, client, seq + i))
			return false;
	return true;
}

static void any_history_agrees_with_one_flag_a_number(void)
{
	struct model *model = calloc(1, sizeof(*model));
	struct prng prng;
	bool agrees = true;

	UNIT_REQUIRE(model != NULL);
	set_up(MODEL_CLIENTS);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < MODEL_CLIENTS; i++)
		model->base[i] = 1;
	for (uint32_t i = 0; i < 3000 && agrees; i++)
		agrees = model_agrees(model, &prng);
	UNIT_CHECK(agrees);
	for (uint8_t i = 0; i < MODEL_CLIENTS; i++)
		UNIT_EQUAL(base_of(i), model->base[i]);
	free(model);
}

/* ---- saving ---- */

static void saved_windows_load_the_same(void)
{
	static uint8_t bytes[64 * 1024];
	struct wire_frame frame;
	uint64_t digest;
	uint32_t at = 0;
	size_t count;

	set_up(8);
	for (uint8_t client = 0; client < 8; client++) {
		apply(client, 1 + client, 100);
		apply(client, 3000, 20);
	}
	digest = replica_windows_digest(windows);
	count = replica_windows_save(windows, 7, &at, bytes, sizeof(bytes));
	UNIT_EQUAL(at, 8);
	set_up(8);
	UNIT_REQUIRE(replica_windows_load(windows, bytes, count) == 0);
	UNIT_EQUAL(replica_windows_digest(windows), digest);
	frame = frame_of(3, 1, 1);
	UNIT_CHECK(replica_windows_contains(windows, &frame.client, 7));
	UNIT_CHECK(!replica_windows_contains(windows, &frame.client, 8));
}

static void saving_in_pieces_while_the_order_goes_on_loses_nothing(void)
{
	static uint8_t bytes[8][4 * REPLICA_WINDOW_SAVED_BYTES_MAX];
	size_t count[8] = { 0 };
	struct wire_frame history[64];
	struct wire_frame *frame;
	uint64_t digest;
	uint32_t at = 0;
	uint32_t pieces = 0;

	set_up(8);
	for (uint32_t height = 1; height <= 64; height++) {
		frame = &history[height - 1];
		*frame = frame_of((uint8_t)(height % 8), 1 + height * 3 % 50, 5);
		replica_windows_apply(windows, frame, height, outcome);
		if (height >= 20 && at < replica_windows_count(windows) && pieces < 8) {
			count[pieces] = replica_windows_save(windows, height, &at, bytes[pieces],
							     2 * REPLICA_WINDOW_SAVED_BYTES_MAX);
			pieces++;
		}
	}
	digest = replica_windows_digest(windows);
	set_up(8);
	for (uint32_t i = 0; i < pieces; i++)
		UNIT_REQUIRE(replica_windows_load(windows, bytes[i], count[i]) == 0);
	for (uint32_t height = 20; height <= 64; height++) {
		frame = &history[height - 1];
		if (!replica_windows_contains(windows, &frame->client, height))
			replica_windows_apply(windows, frame, height, outcome);
	}
	UNIT_EQUAL(replica_windows_digest(windows), digest);
}

static void damaged_saved_windows_are_refused(void)
{
	static uint8_t bytes[REPLICA_WINDOW_SAVED_BYTES_MAX];
	uint32_t at = 0;
	size_t count;

	set_up(2);
	apply(1, 5, 1);
	count = replica_windows_save(windows, 1, &at, bytes, sizeof(bytes));
	for (size_t cut = 1; cut < count; cut++)
		UNIT_CHECK(replica_windows_load(windows, bytes, cut) == ERR_FORMAT);
	bytes[40] = 5; /* base is number 5, whose bit is set */
	UNIT_CHECK(replica_windows_load(windows, bytes, count) == ERR_FORMAT);
	free(memory);
	memory = NULL;
}

UNIT_SUITE("replica_windows", UNIT_TEST(a_number_counts_once),
	   UNIT_TEST(number_zero_is_never_ordered),
	   UNIT_TEST(base_moves_only_over_a_contiguous_prefix),
	   UNIT_TEST(ahead_leaves_no_trace_and_may_come_again),
	   UNIT_TEST(the_window_moves_inside_a_frame), UNIT_TEST(skip_gives_numbers_up_for_ever),
	   UNIT_TEST(an_expired_frame_is_dropped_whole),
	   UNIT_TEST(new_clients_beyond_the_limit_are_refused),
	   UNIT_TEST(numbers_at_the_end_of_the_range_are_ahead), UNIT_TEST(judging_changes_nothing),
	   UNIT_TEST(any_history_agrees_with_one_flag_a_number),
	   UNIT_TEST(saved_windows_load_the_same),
	   UNIT_TEST(saving_in_pieces_while_the_order_goes_on_loses_nothing),
	   UNIT_TEST(damaged_saved_windows_are_refused))
