/* node_tile_store: what is reported durable is, in order; what finds no room waits. */
#define _GNU_SOURCE
#include "node/node_tile_store.h"

#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "node/node_message.h"
#include "tests/unit/node/node_fixture.h"
#include "tests/unit/storage/store_fixture.h"

static struct fixture disk;
static struct ctl_page *page;
static struct node_store_setup io;
static _Atomic uint64_t block_end;
static _Atomic uint64_t lane_end;
static void *tile;
static uint64_t now_ns;

static void begin(void)
{
	fixture_start(&disk, 5);
	page = fixture_page();
	block_end = 0;
	lane_end = 0;
	io = (struct node_store_setup){
		.store = disk.store,
		.dev = sim_disk_dev(disk.disk),
		.appends = fixture_ring(),
		.lane_appends = fixture_ring(),
		.reads = fixture_ring(),
		.ret_done = fixture_ring(),
		.read_buffers = aligned_alloc(4096, NODE_READ_BUFFERS * NODE_READ_BUFFER_BYTES),
		.durable_block_end = &block_end,
		.durable_lane_end = &lane_end,
		.metrics = ctl_block_register(page, "store"),
	};
	UNIT_REQUIRE(io.read_buffers != NULL);
	tile = fixture_tile(&node_tile_store, &io);
	now_ns = disk.now_ns;
}

static void end(void)
{
	free(tile);
	free(io.appends);
	free(io.lane_appends);
	free(io.reads);
	free(io.ret_done);
	free(io.read_buffers);
	free(page);
	fixture_end(&disk);
}

static void ask_append(struct dp_ring *ring, enum blocklog_log log, uint64_t ticket,
		       const char *text)
{
	const struct dp_ring_header header = {
		.kind = NODE_MESSAGE_APPEND, .source = (uint32_t)log, .tag = 7, .aux = ticket
	};

	UNIT_REQUIRE(dp_ring_push(ring, &header, text, (uint32_t)strlen(text)));
}

static void turn(void)
{
	node_tile_store.on_turn(tile, now_ns);
}

/* Turns until the disk has nothing left to do. */
static void settle(void)
{
	for (int i = 0; i < 1000; i++) {
		turn();
		if (sim_disk_next_ns(disk.disk) == UINT64_MAX)
			break;
		now_ns = sim_disk_next_ns(disk.disk);
		sim_disk_advance(disk.disk, now_ns);
	}
	turn();
}

/* Takes the next report, which must be of this kind, ticket and code; gives its position. */
static uint64_t expect_done(uint16_t kind, uint64_t ticket, int code)
{
	const struct dp_ring_header *header;
	uint64_t position;

	UNIT_REQUIRE(dp_ring_peek(io.ret_done, &header) != NULL);
	UNIT_EQUAL(header->kind, kind);
	UNIT_EQUAL(header->aux, ticket);
	UNIT_EQUAL((uint32_t) - (int)header->tag, (uint32_t)code);
	position = header->aux_high;
	if (kind == NODE_MESSAGE_APPENDED)
		dp_ring_release(io.ret_done);
	return position;
}

static void an_append_is_reported_only_once_it_is_durable(void)
{
	const struct dp_ring_header *header;

	begin();
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "a block");
	turn();
	turn();
	UNIT_CHECK(dp_ring_peek(io.ret_done, &header) == NULL);
	UNIT_EQUAL(block_end, 0);
	settle();
	expect_done(NODE_MESSAGE_APPENDED, 1, 0);
	UNIT_CHECK(block_end > 0);
	UNIT_EQUAL(block_end, blocklog_store_durable_end(disk.store, BLOCKLOG_BLOCK));
	end();
}

static void reports_come_in_order_with_rising_positions(void)
{
	uint64_t before = 0;

	begin();
	for (uint64_t i = 0; i < 200; i++)
		ask_append(io.appends, BLOCKLOG_BLOCK, 100 + i, "one of many");
	settle();
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t position = expect_done(NODE_MESSAGE_APPENDED, 100 + i, 0);

		UNIT_CHECK(position > before);
		before = position;
	}
	end();
}

static void a_record_read_back_is_the_one_written(void)
{
	const struct dp_ring_header *header;
	struct dp_ring_header ask = { .kind = NODE_MESSAGE_READ, .source = BLOCKLOG_BLOCK };
	struct node_read read;
	const uint8_t *bytes;

	begin();
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "to be read");
	settle();
	ask.aux = 55;
	ask.aux_high = expect_done(NODE_MESSAGE_APPENDED, 1, 0);
	UNIT_REQUIRE(dp_ring_push(io.reads, &ask, NULL, 0));
	settle();
	expect_done(NODE_MESSAGE_READ_DONE, 55, 0);
	bytes = dp_ring_peek(io.ret_done, &header);
	memcpy(&read, bytes, sizeof(read));
	UNIT_EQUAL(read.record_kind, 7);
	UNIT_REQUIRE(read.count == strlen("to be read"));
	UNIT_CHECK(memcmp(read.bytes, "to be read", read.count) == 0);
	UNIT_EQUAL(atomic_load(read.is_taken), 1);
	end();
}

static void reads_wait_until_a_buffer_is_given_back(void)
{
	const struct dp_ring_header *header;
	struct dp_ring_header ask = { .kind = NODE_MESSAGE_READ, .source = BLOCKLOG_BLOCK };
	struct node_read read[NODE_READ_BUFFERS];
	const uint8_t *bytes;

	begin();
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "to be read");
	settle();
	ask.aux_high = expect_done(NODE_MESSAGE_APPENDED, 1, 0);
	for (ask.aux = 0; ask.aux <= NODE_READ_BUFFERS; ask.aux++)
		UNIT_REQUIRE(dp_ring_push(io.reads, &ask, NULL, 0));
	settle();
	for (uint64_t i = 0; i < NODE_READ_BUFFERS; i++) {
		UNIT_REQUIRE((bytes = dp_ring_peek(io.ret_done, &header)) != NULL);
		memcpy(&read[i], bytes, sizeof(read[i]));
		dp_ring_release(io.ret_done);
	}
	settle();
	UNIT_CHECK(dp_ring_peek(io.ret_done, &header) == NULL);
	atomic_store(read[3].is_taken, 0);
	settle();
	UNIT_REQUIRE(dp_ring_peek(io.ret_done, &header) != NULL);
	UNIT_EQUAL(header->aux, NODE_READ_BUFFERS);
	end();
}

static void damage_on_the_disk_is_a_code_and_no_bytes(void)
{
	struct dp_ring_header ask = { .kind = NODE_MESSAGE_READ,
				      .source = BLOCKLOG_BLOCK,
				      .aux = 9 };

	begin();
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "to be damaged");
	settle();
	ask.aux_high = expect_done(NODE_MESSAGE_APPENDED, 1, 0);
	sim_disk_flip(disk.disk, BLOCKLOG_AREA_BLOCK, ask.aux_high / FIXTURE_SEGMENT_BYTES,
		      ask.aux_high % FIXTURE_SEGMENT_BYTES + 70, 1);
	UNIT_REQUIRE(dp_ring_push(io.reads, &ask, NULL, 0));
	settle();
	expect_done(NODE_MESSAGE_READ_DONE, 9, ERR_CORRUPT);
	end();
}

static void a_failed_write_fails_its_ticket_and_all_later_ones(void)
{
	begin();
	sim_disk_next_write(disk.disk, BLOCKLOG_AREA_BLOCK, SIM_DISK_WRITE_ERROR);
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "fails");
	settle();
	const struct dp_ring_header *header;

	UNIT_REQUIRE(dp_ring_peek(io.ret_done, &header) != NULL);
	UNIT_EQUAL(header->aux, 1);
	UNIT_CHECK(header->tag != 0);
	dp_ring_release(io.ret_done);
	ask_append(io.appends, BLOCKLOG_SAFETY, 2, "later");
	settle();
	expect_done(NODE_MESSAGE_APPENDED, 2, ERR_RETIRED);
	UNIT_EQUAL(block_end, 0);
	end();
}

static void a_full_report_ring_loses_no_report(void)
{
	begin();
	fixture_ring_fill(io.ret_done);
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "first");
	ask_append(io.lane_appends, BLOCKLOG_LANE, 2, "second");
	settle();
	fixture_ring_drain(io.ret_done);
	settle();
	UNIT_EQUAL(fixture_ring_drain(io.ret_done), 2);
	UNIT_CHECK(lane_end > 0 && block_end > 0);
	end();
}

static void what_the_store_did_is_in_the_metrics(void)
{
	begin();
	ask_append(io.appends, BLOCKLOG_BLOCK, 1, "counted");
	settle();
	node_tile_store.on_housekeeping(tile, 77);
	UNIT_CHECK(ctl_metric_sum(page, CTL_METRIC_STORE_WRITES) >= 1);
	UNIT_CHECK(ctl_metric_sum(page, CTL_METRIC_STORE_BYTES) >= strlen("counted"));
	UNIT_EQUAL(ctl_metric_sum(page, CTL_METRIC_STORE_ERRORS), 0);
	UNIT_EQUAL(ctl_metrics_heartbeat_ns(page), 77);
	end();
}

UNIT_SUITE("node_tile_store", UNIT_TEST(an_append_is_reported_only_once_it_is_durable),
	   UNIT_TEST(reports_come_in_order_with_rising_positions),
	   UNIT_TEST(a_record_read_back_is_the_one_written),
	   UNIT_TEST(reads_wait_until_a_buffer_is_given_back),
	   UNIT_TEST(damage_on_the_disk_is_a_code_and_no_bytes),
	   UNIT_TEST(a_failed_write_fails_its_ticket_and_all_later_ones),
	   UNIT_TEST(a_full_report_ring_loses_no_report),
	   UNIT_TEST(what_the_store_did_is_in_the_metrics))
