/* Effects of one step and their bytes: replica_outbox.c. */

#include "replica/replica_outbox.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit_main.h"

static struct replica_outbox outbox;

static void set_up(void)
{
	free(outbox.ring);
	free(outbox.bytes);
	outbox = (struct replica_outbox){ .peer_sends_max = 3 };
	outbox.bytes_max = replica_outbox_bytes_max(4);
	outbox.ring = calloc(REPLICA_EFFECTS_MAX, sizeof(*outbox.ring));
	outbox.bytes = malloc(outbox.bytes_max);
	UNIT_REQUIRE(outbox.ring && outbox.bytes);
	replica_outbox_reset(&outbox);
}

static struct bitset to(uint32_t peer)
{
	struct bitset set = { { 0 } };

	bitset_add(&set, peer);
	return set;
}

static void a_peers_share_of_a_step_bounds_lanes_and_repair(void)
{
	struct bitset one = to(1);
	struct bitset two = to(2);

	set_up();
	for (uint32_t i = 0; i < 3; i++)
		UNIT_CHECK(replica_outbox_admits(&outbox, &one, REPLICA_SEND_REPAIR));
	UNIT_CHECK(!replica_outbox_admits(&outbox, &one, REPLICA_SEND_LANE));
	UNIT_CHECK(replica_outbox_admits(&outbox, &two, REPLICA_SEND_LANE));
	bitset_add(&two, 1);
	UNIT_CHECK(!replica_outbox_admits(&outbox, &two, REPLICA_SEND_LANE));
	replica_outbox_reset(&outbox);
	UNIT_CHECK(replica_outbox_admits(&outbox, &one, REPLICA_SEND_LANE));
}

static void votes_are_never_refused(void)
{
	struct bitset one = to(1);

	set_up();
	for (uint32_t i = 0; i < 100; i++)
		UNIT_CHECK(replica_outbox_admits(&outbox, &one, REPLICA_SEND_CONSENSUS));
	replica_outbox_take(&outbox, outbox.bytes_max / 2 + 1);
	UNIT_CHECK(replica_outbox_admits(&outbox, &one, REPLICA_SEND_CONSENSUS));
}

static void half_the_bytes_are_kept_for_what_cannot_wait(void)
{
	struct bitset one = to(1);

	set_up();
	UNIT_CHECK(replica_outbox_room(&outbox) > 0);
	replica_outbox_take(&outbox, outbox.bytes_max / 2 + 1);
	UNIT_EQUAL(replica_outbox_room(&outbox), 0);
	UNIT_CHECK(!replica_outbox_admits(&outbox, &one, REPLICA_SEND_REPAIR));
	replica_outbox_trim(&outbox, 1);
	UNIT_CHECK(replica_outbox_room(&outbox) > 0);
}

static void take_everything(void *context)
{
	replica_outbox_take(context, outbox.bytes_max + 1);
}

static void reset_undrained(void *context)
{
	replica_outbox_push(context, REPLICA_EFFECT_SEND);
	replica_outbox_reset(context);
}

static void a_broken_bound_aborts(void)
{
	set_up();
	UNIT_CHECK(unit_aborts(take_everything, &outbox));
	UNIT_CHECK(unit_aborts(reset_undrained, &outbox));
	set_up();
	free(outbox.ring);
	free(outbox.bytes);
	outbox = (struct replica_outbox){ 0 };
}

UNIT_SUITE("replica_outbox", UNIT_TEST(a_peers_share_of_a_step_bounds_lanes_and_repair),
	   UNIT_TEST(votes_are_never_refused),
	   UNIT_TEST(half_the_bytes_are_kept_for_what_cannot_wait),
	   UNIT_TEST(a_broken_bound_aborts))
