#include "tests/unit/dataplane/lane_fixture.h"

#include "dataplane/lane_pool.h"

static struct lane_fixture fixture;

static void every_lane_has_its_window_of_buffers_whatever_others_take(void)
{
	uint32_t taken = 0;

	fixture_open(&fixture, 0, 4);
	while (lane_pool_take(fixture.set, 1, 1 + taken) != LANE_NONE)
		taken++;
	UNIT_EQUAL(taken, fixture.config.window_batches + fixture.config.spare_buffers);
	for (uint32_t lane = 0; lane < 4; lane++)
		for (uint32_t i = 0; lane != 1 && i < fixture.config.window_batches; i++)
			UNIT_REQUIRE(lane_pool_take(fixture.set, lane, i + 1) != LANE_NONE);
	UNIT_EQUAL(lane_pool_take(fixture.set, 0, 9), LANE_NONE);
	UNIT_EQUAL(fixture.set->free_count, 0);
	fixture_close(&fixture);
}

static void a_spare_given_back_serves_another_lane(void)
{
	uint32_t last = LANE_NONE;

	fixture_open(&fixture, 0, 4);
	for (uint32_t i = 0; i < fixture.config.window_batches + fixture.config.spare_buffers; i++)
		last = lane_pool_take(fixture.set, 1, i + 1);
	for (uint32_t i = 0; i < fixture.config.window_batches; i++)
		lane_pool_take(fixture.set, 2, i + 1);
	UNIT_EQUAL(lane_pool_take(fixture.set, 2, 9), LANE_NONE);
	lane_pool_give_back(fixture.set, last);
	UNIT_CHECK(lane_pool_take(fixture.set, 2, 9) != LANE_NONE);
	fixture_close(&fixture);
}

static void a_buffer_with_the_disk_comes_back_only_from_the_disk(void)
{
	uint32_t buffer;
	uint64_t ticket;

	fixture_open(&fixture, 0, 4);
	buffer = lane_pool_take(fixture.set, 3, 1);
	ticket = lane_pool_ticket(fixture.set, buffer);
	UNIT_EQUAL(lane_pool_of_ticket(fixture.set, ticket), LANE_NONE);
	fixture.set->buffers[buffer].is_with_disk = true;
	UNIT_EQUAL(lane_pool_of_ticket(fixture.set, ticket), buffer);
	lane_pool_give_back(fixture.set, buffer);
	UNIT_EQUAL(fixture.set->buffers_used, 1);
	UNIT_CHECK(!lane_pool_on_persisted(fixture.set, buffer));
	UNIT_EQUAL(fixture.set->buffers_used, 0);
	UNIT_EQUAL(lane_pool_of_ticket(fixture.set, ticket), LANE_NONE);
	fixture_close(&fixture);
}

static void a_ticket_of_an_earlier_use_is_void(void)
{
	uint32_t buffer;
	uint64_t ticket;

	fixture_open(&fixture, 0, 4);
	buffer = lane_pool_take(fixture.set, 3, 1);
	ticket = lane_pool_ticket(fixture.set, buffer);
	lane_pool_give_back(fixture.set, buffer);
	UNIT_EQUAL(lane_pool_take(fixture.set, 2, 1), buffer);
	fixture.set->buffers[buffer].is_with_disk = true;
	UNIT_EQUAL(lane_pool_of_ticket(fixture.set, ticket), LANE_NONE);
	UNIT_CHECK(lane_pool_ticket(fixture.set, buffer) < UINT64_C(1) << 48);
	fixture_close(&fixture);
}

UNIT_SUITE("lane_pool", UNIT_TEST(every_lane_has_its_window_of_buffers_whatever_others_take),
	   UNIT_TEST(a_spare_given_back_serves_another_lane),
	   UNIT_TEST(a_buffer_with_the_disk_comes_back_only_from_the_disk),
	   UNIT_TEST(a_ticket_of_an_earlier_use_is_void))
