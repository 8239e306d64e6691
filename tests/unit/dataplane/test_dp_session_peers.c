#include <string.h>

#include "base/units.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/dataplane/session_fixture.h"

static void a_restarted_peer_is_back_at_once_without_waiting_for_silence(void)
{
	struct session_world *world = session_world_open(4, 0, NULL);

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	for (uint32_t victim = 0; victim < 4; victim++) {
		uint32_t other = (victim + 1) % 4;
		uint32_t ups = world->party[other].ups[victim];

		session_world_restart(world, victim, NULL);
		session_world_pass(world, 100 * UNITS_NS_PER_MS);
		UNIT_CHECK(world->party[other].ups[victim] > ups);
		UNIT_EQUAL(session_world_send(world, other, victim, WIRE_STREAM_LANE, "hi", 2), 1);
		UNIT_EQUAL(world->party[victim].delivered, 1);
	}
	session_world_close(world);
}

static void a_silent_peer_is_down_after_its_time_and_up_when_it_speaks_again(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	world->party[1].is_cut = true;
	session_world_pass(world, 1500 * UNITS_NS_PER_MS);
	UNIT_EQUAL(world->party[0].downs[1], 0);
	session_world_pass(world, 1000 * UNITS_NS_PER_MS);
	UNIT_EQUAL(world->party[0].downs[1], 1);
	UNIT_CHECK(!session_world_sees(world, 0, 1));
	world->party[1].is_cut = false;
	session_world_pass(world, 2500 * UNITS_NS_PER_MS);
	UNIT_CHECK(session_world_sees(world, 0, 1));
	session_world_close(world);
}

static void an_idle_session_lives_for_ever_on_few_packets(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	uint32_t carried;

	session_world_pass(world, 200 * UNITS_NS_PER_MS);
	carried = world->carried;
	session_world_pass(world, 60 * UNITS_NS_PER_S);
	UNIT_EQUAL(world->party[0].downs[1], 0);
	UNIT_CHECK(world->carried - carried <= 2 * 60 * 3);
	session_world_close(world);
}

static void calls_to_nobody_become_rare(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);

	world->party[1].is_cut = true;
	session_world_pass(world, 30 * UNITS_NS_PER_S);
	UNIT_CHECK(world->lost >= 20 && world->lost <= 45);
	session_world_close(world);
}

static void a_kick_calls_at_once(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);
	uint32_t lost;

	world->party[1].is_cut = true;
	session_world_pass(world, 10 * UNITS_NS_PER_S);
	lost = world->lost;
	dp_session_kick(world->party[0].table, 1, world->now_ns);
	session_world_run(world);
	UNIT_EQUAL(world->lost, lost + 1);
	session_world_close(world);
}

static bool lose_half(struct session_world *world, const struct world_datagram *datagram)
{
	(void)datagram;
	world->random = world->random * UINT64_C(6364136223846793005) + 1;
	return (world->random >> 60) < 8;
}

static void half_of_all_packets_lost_delays_but_does_not_prevent_a_session(void)
{
	struct session_world *world = session_world_open(4, 0, NULL);

	world->loses = lose_half;
	session_world_pass(world, 5 * UNITS_NS_PER_S);
	world->loses = NULL;
	session_world_pass(world, 3 * UNITS_NS_PER_S);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t k = 0; k < 4; k++)
			UNIT_EQUAL(session_world_sees(world, i, k), i != k);
	for (uint32_t i = 1; i < 4; i++) {
		uint32_t before = world->party[i].delivered;

		UNIT_EQUAL(session_world_send(world, 0, i, WIRE_STREAM_LANE, "x", 1), 1);
		UNIT_EQUAL(world->party[i].delivered, before + 1);
	}
	session_world_close(world);
}

static void slow_first(struct session_world *world)
{
	for (uint32_t i = 0; i < 8; i++) {
		struct world_datagram first = world->queue[0];
		struct dp_net_path from = session_world_path(first.from);

		if (world->queued == 0)
			return;
		world->queued--;
		memmove(world->queue, world->queue + 1, world->queued * sizeof(first));
		dp_session_input(world->party[first.to].table, &from, first.bytes, first.byte_count,
				 world->now_ns);
	}
}

static void an_initiation_sent_twice_gets_one_session_not_two(void)
{
	struct session_world *world = session_world_open(2, 0, NULL);

	/* Everything takes so long that the caller repeats itself before the answer is there. */
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t queued = world->queued;

		dp_session_tick(world->party[0].table, world->now_ns);
		dp_session_tick(world->party[1].table, world->now_ns);
		world->now_ns += 60 * UNITS_NS_PER_MS;
		dp_session_tick(world->party[0].table, world->now_ns);
		if (queued > 0 || i % 2 == 1)
			slow_first(world);
	}
	UNIT_CHECK(session_world_sees(world, 0, 1));
	session_world_run(world);
	UNIT_EQUAL(session_world_send(world, 0, 1, WIRE_STREAM_LANE, "x", 1), 1);
	UNIT_EQUAL(world->party[1].delivered, 1);
	UNIT_EQUAL(session_world_send(world, 1, 0, WIRE_STREAM_LANE, "y", 1), 1);
	UNIT_EQUAL(world->party[0].delivered, 1);
	session_world_close(world);
}

static void other_chain(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)config;
	if (party == 1)
		me->chain_id.b[0] ^= 1;
}

static void other_build(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)config;
	if (party == 1)
		me->build_id ^= 1;
}

static void other_epoch(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)config;
	if (party == 1)
		me->epoch = 2;
}

static void refused(session_world_tune *tune, enum dp_drop reason, enum wire_refusal refusal)
{
	struct session_world *world = session_world_open(2, 0, tune);
	struct dp_session_status status;

	session_world_pass(world, 500 * UNITS_NS_PER_MS);
	status = session_world_status(world, 0);
	UNIT_CHECK(!bitset_has(&status.peers_up, 1));
	UNIT_CHECK(status.drops.count[reason] > 0);
	UNIT_EQUAL(status.refusal[1], refusal);
	session_world_close(world);
}

static void another_chain_build_or_epoch_is_refused_by_name_on_both_sides(void)
{
	refused(other_chain, DP_DROP_CHAIN, WIRE_REFUSAL_CHAIN);
	refused(other_build, DP_DROP_BUILD, WIRE_REFUSAL_BUILD);
	refused(other_epoch, DP_DROP_EPOCH, WIRE_REFUSAL_SET);
}

static void other_secret(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)config;
	if (party == 1)
		memset(me->secret.b, 0x77, sizeof(me->secret.b));
}

static void a_member_number_without_the_members_key_gets_no_session(void)
{
	struct session_world *world = session_world_open(2, 0, other_secret);

	session_world_pass(world, 3 * UNITS_NS_PER_S);
	UNIT_EQUAL(world->party[0].ups[1], 0);
	UNIT_EQUAL(world->party[1].ups[0], 0);
	UNIT_CHECK(session_world_status(world, 0).drops.count[DP_DROP_HANDSHAKE] > 0);
	session_world_close(world);
}

static void a_peers_call_from_a_foreign_address_costs_no_key_exchange(void)
{
	struct session_world *world = session_world_open(3, 0, NULL);
	struct dp_net_path foreign = session_world_path(6);

	world->party[0].is_cut = false;
	session_world_run(world);
	world->party[1].is_cut = true;
	world->party[2].is_cut = true;
	session_world_restart(world, 1, NULL);
	world->now_ns += UNITS_NS_PER_S;
	dp_session_tick(world->party[1].table, world->now_ns);
	UNIT_REQUIRE(world->queued > 0);
	dp_session_input(world->party[2].table, &foreign, world->queue[0].bytes,
			 world->queue[0].byte_count, world->now_ns);
	UNIT_EQUAL(session_world_status(world, 2).drops.count[DP_DROP_UNKNOWN_PEER], 1);
	session_world_close(world);
}

static void few_handshakes(uint32_t party, struct dp_session_config *config, struct wire_party *me)
{
	(void)me;
	if (party == 0)
		config->handshakes_per_s = 2;
}

static void handshakes_have_a_budget(void)
{
	struct session_world *world = session_world_open(2, 4, few_handshakes);

	session_world_pass(world, 300 * UNITS_NS_PER_MS);
	UNIT_CHECK(session_world_status(world, 0).drops.count[DP_DROP_HANDSHAKE_RATE] > 0);
	session_world_pass(world, 6 * UNITS_NS_PER_S);
	UNIT_EQUAL(session_world_status(world, 0).clients, 4);
	session_world_close(world);
}

UNIT_SUITE("dp_session_peers",
	   UNIT_TEST(a_restarted_peer_is_back_at_once_without_waiting_for_silence),
	   UNIT_TEST(a_silent_peer_is_down_after_its_time_and_up_when_it_speaks_again),
	   UNIT_TEST(an_idle_session_lives_for_ever_on_few_packets),
	   UNIT_TEST(calls_to_nobody_become_rare), UNIT_TEST(a_kick_calls_at_once),
	   UNIT_TEST(half_of_all_packets_lost_delays_but_does_not_prevent_a_session),
	   UNIT_TEST(an_initiation_sent_twice_gets_one_session_not_two),
	   UNIT_TEST(another_chain_build_or_epoch_is_refused_by_name_on_both_sides),
	   UNIT_TEST(a_member_number_without_the_members_key_gets_no_session),
	   UNIT_TEST(a_peers_call_from_a_foreign_address_costs_no_key_exchange),
	   UNIT_TEST(handshakes_have_a_budget))
