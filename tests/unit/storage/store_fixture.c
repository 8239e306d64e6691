#include "tests/unit/storage/store_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/prng.h"

void fixture_prepare(struct fixture *fixture, uint64_t seed)
{
	struct sim_disk_config disk = {
		.seed = seed,
		.write_ns = 1000,
		.read_ns = 500,
		.page_ns = 10,
		.jitter_ns = 800,
	};

	memset(fixture, 0, sizeof(*fixture));
	fixture->config = (struct blocklog_config){
		.identity = { .chain_id = { { 1, 2, 3 } }, .node_id = 7 },
		.segment_bytes = FIXTURE_SEGMENT_BYTES,
		.group_bytes_max = FIXTURE_GROUP_BYTES,
		.segments_max = 1000,
		.salt = { 9, 8, 7 },
	};
	fixture->disk = sim_disk_new(&disk);
	fixture->memory_bytes = blocklog_store_footprint(&fixture->config);
	fixture->memory = malloc(fixture->memory_bytes);
	fixture->done_in_order = true;
	for (uint32_t i = 0; i < FIXTURE_TICKETS_MAX; i++)
		fixture->code[i] = 1;
	ensure(fixture->memory_bytes > 0 && fixture->memory != NULL);
}

int fixture_format(struct fixture *fixture)
{
	return blocklog_store_format(sim_disk_dev(fixture->disk), &fixture->config, "zero", 4,
				     fixture->memory, fixture->memory_bytes);
}

int fixture_open(struct fixture *fixture)
{
	blocklog_store_close(fixture->store);
	fixture->store = NULL;
	return blocklog_store_open(sim_disk_dev(fixture->disk), &fixture->config, fixture->memory,
				   fixture->memory_bytes, &fixture->store);
}

void fixture_start(struct fixture *fixture, uint64_t seed)
{
	int code;

	fixture_prepare(fixture, seed);
	code = fixture_format(fixture);
	ensure(code == 0);
	code = fixture_open(fixture);
	ensure(code == 0);
}

void fixture_end(struct fixture *fixture)
{
	blocklog_store_close(fixture->store);
	sim_disk_free(fixture->disk);
	free(fixture->memory);
}

size_t fixture_record(uint64_t ticket, uint8_t ret_bytes[FIXTURE_RECORD_MAX])
{
	struct prng prng;
	size_t count;

	prng_seed(&prng, ticket);
	count = (size_t)prng_below(&prng, prng_below(&prng, 4) ? 400 : FIXTURE_RECORD_MAX);
	prng_fill(&prng, ret_bytes, count);
	return count;
}

int fixture_append(struct fixture *fixture, enum blocklog_log log)
{
	uint8_t bytes[FIXTURE_RECORD_MAX];
	uint64_t ticket = fixture->tickets;
	size_t count = fixture_record(ticket, bytes);
	int code;

	ensure(ticket < FIXTURE_TICKETS_MAX);
	code = blocklog_store_append(fixture->store, log, (uint16_t)(ticket % 1000), bytes, count,
				     ticket, &fixture->position[ticket]);
	if (code != 0)
		return code;
	fixture->log[ticket] = log;
	fixture->tickets++;
	return 0;
}

static void take_done(struct fixture *fixture, const struct blocklog_done *done)
{
	if (done->kind == BLOCKLOG_DONE_READ) {
		fixture->read = *done;
		return;
	}
	ensure(done->ticket < fixture->tickets && fixture->code[done->ticket] == 1);
	fixture->code[done->ticket] = done->code;
	fixture->done_count++;
	if (done->ticket + 1 <= fixture->done_last[done->log])
		fixture->done_in_order = false;
	fixture->done_last[done->log] = done->ticket + 1;
}

void fixture_turn(struct fixture *fixture)
{
	struct blocklog_done done[16];
	uint64_t next = sim_disk_next_ns(fixture->disk);
	uint32_t count;

	if (next != UINT64_MAX && next > fixture->now_ns)
		fixture->now_ns = next;
	sim_disk_advance(fixture->disk, fixture->now_ns);
	count = blocklog_store_turn(fixture->store, done, 16);
	for (uint32_t i = 0; i < count; i++)
		take_done(fixture, &done[i]);
}

void fixture_settle(struct fixture *fixture)
{
	for (uint32_t i = 0; i < 10000; i++) {
		if (!blocklog_store_is_busy(fixture->store) || sim_disk_is_dead(fixture->disk))
			return;
		fixture_turn(fixture);
	}
}

void fixture_fill(struct fixture *fixture, enum blocklog_log log, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		int code = fixture_append(fixture, log);

		ensure(code == 0);
		fixture_settle(fixture);
	}
}

/* ---- what a scan must give ---- */

struct expectation {
	struct fixture *fixture;
	enum blocklog_log log;
	uint64_t ticket; /* the next one that may come */
	bool is_right;
};

static void skip_others(struct expectation *expected)
{
	const struct fixture *fixture = expected->fixture;

	while (expected->ticket < fixture->tickets &&
	       fixture->log[expected->ticket] != expected->log)
		expected->ticket++;
}

static int expect_record(void *context, uint16_t kind, uint64_t position, const void *bytes,
			 size_t count)
{
	struct expectation *expected = context;
	uint8_t right[FIXTURE_RECORD_MAX];
	uint64_t ticket;

	skip_others(expected);
	ticket = expected->ticket++;
	if (ticket >= expected->fixture->tickets || kind != ticket % 1000 ||
	    position != expected->fixture->position[ticket] ||
	    count != fixture_record(ticket, right) || memcmp(bytes, right, count) != 0)
		expected->is_right = false;
	return 0;
}

bool fixture_holds_prefix(struct fixture *fixture, enum blocklog_log log)
{
	struct expectation expected = { .fixture = fixture, .log = log, .is_right = true };

	if (blocklog_store_scan(fixture->store, log, 0, expect_record, &expected) != 0)
		return false;
	for (uint64_t i = expected.ticket; i < fixture->tickets; i++) {
		if (fixture->log[i] == log && fixture->code[i] == 0)
			return false;
		if (fixture->log[i] == log)
			fixture->log[i] = BLOCKLOG_LOG_COUNT;
	}
	return expected.is_right;
}

bool fixture_safety_is_newest(struct fixture *fixture)
{
	uint8_t right[FIXTURE_RECORD_MAX];
	const void *bytes;
	size_t count;

	if (blocklog_store_safety(fixture->store, &bytes, &count) != 0)
		return false;
	for (uint64_t i = fixture->tickets; i > 0; i--) {
		if (fixture->log[i - 1] != BLOCKLOG_SAFETY)
			continue;
		if (fixture_record(i - 1, right) == count && memcmp(right, bytes, count) == 0)
			return true;
		if (fixture->code[i - 1] == 0)
			return false;
	}
	return count == 4 && memcmp(bytes, "zero", 4) == 0;
}
