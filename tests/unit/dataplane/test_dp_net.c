#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "base/units.h"
#include "dataplane/dp_net.h"
#include "tests/lib/unit_main.h"

enum { HERE = 0x0a000001, THERE = 0x0a000002, GATEWAY = 0x0a0000fe, PORT = 7000 };

static const struct dp_mac mac_here = { { 2, 0, 0, 0, 0, 1 } };
static const struct dp_mac mac_there = { { 2, 0, 0, 0, 0, 2 } };

static void open_net(struct dp_net *net, uint32_t address, const struct dp_mac *mac)
{
	const struct dp_net_config config = { .mac = *mac,
					      .address = address,
					      .prefix_bits = 24,
					      .gateway = GATEWAY,
					      .udp_port = PORT,
					      .udp_checksums = true };

	UNIT_REQUIRE(dp_net_init(net, &config) == 0);
}

/* A datagram from THERE to HERE; returns the frame's bytes. */
static uint32_t frame_from_there(struct dp_net *there, uint8_t *frame, const char *text)
{
	const struct dp_net_path to = { .address = HERE, .udp_port = PORT, .mac = mac_here };

	memcpy(frame + DP_NET_HEAD_BYTES, text, strlen(text));
	return dp_net_finish(there, frame, &to, (uint32_t)strlen(text));
}

static void a_datagram_arrives_with_its_sender(void)
{
	struct dp_net here, there;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	uint32_t bytes;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	bytes = frame_from_there(&there, frame, "hello");
	UNIT_EQUAL(bytes, DP_PORT_FRAME_BYTES_MIN);
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_DATAGRAM);
	UNIT_EQUAL(datagram.byte_count, 5);
	UNIT_CHECK(memcmp(datagram.bytes, "hello", 5) == 0);
	UNIT_EQUAL(datagram.from.address, THERE);
	UNIT_EQUAL(datagram.from.udp_port, PORT);
	UNIT_CHECK(memcmp(&datagram.from.mac, &mac_there, sizeof(mac_there)) == 0);
}

static void expect_drop(uint32_t at, uint8_t change, enum dp_drop reason)
{
	struct dp_net here, there;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	uint32_t bytes;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	bytes = frame_from_there(&there, frame, "some text long enough to need no padding");
	frame[at] ^= change;
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_NOTHING);
	UNIT_EQUAL(here.drops.count[reason], 1);
}

static void each_fault_has_its_name(void)
{
	expect_drop(5, 0x08, DP_DROP_NOT_FOR_US);
	expect_drop(12, 0xff, DP_DROP_ETHERTYPE);
	expect_drop(14, 0x10, DP_DROP_IP_HEADER);
	expect_drop(16, 0x08, DP_DROP_IP_HEADER);
	expect_drop(24, 0x01, DP_DROP_IP_CHECKSUM);
	expect_drop(40, 0xff, DP_DROP_UDP_CHECKSUM);
	expect_drop(37, 0x01, DP_DROP_UDP_PORT);
	expect_drop(39, 0x01, DP_DROP_UDP_LENGTH);
	expect_drop(50, 0x20, DP_DROP_UDP_CHECKSUM);
}

static void a_frame_longer_than_the_mtu_or_shorter_than_its_head_is_dropped(void)
{
	struct dp_net here;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX + 100] = { 0 };
	struct dp_net_datagram datagram;
	uint32_t bytes = DP_PORT_FRAME_BYTES_MAX + 1;

	open_net(&here, HERE, &mac_here);
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_NOTHING);
	bytes = 13;
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_NOTHING);
	UNIT_EQUAL(here.drops.count[DP_DROP_OVERSIZE], 1);
	UNIT_EQUAL(here.drops.count[DP_DROP_SHORT], 1);
}

static void fragments_and_other_protocols_are_dropped_by_name(void)
{
	struct dp_net here, there;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	uint32_t bytes;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	for (uint32_t i = 0; i < 2; i++) {
		uint16_t sum;

		bytes = frame_from_there(&there, frame, "some text long enough to need no padding");
		frame[20] = i == 0 ? 0x20 : 0x40;
		frame[23] = i == 0 ? 17 : 6;
		frame[24] = frame[25] = 0;
		sum = dp_net_sum_fold(dp_net_sum(frame + 14, 20, 0));
		memcpy(frame + 24, &sum, 2);
		UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_NOTHING);
	}
	UNIT_EQUAL(here.drops.count[DP_DROP_IP_FRAGMENT], 1);
	UNIT_EQUAL(here.drops.count[DP_DROP_IP_PROTOCOL], 1);
}

static void a_neighbour_is_found_by_asking_and_kept(void)
{
	struct dp_net here, there;
	uint8_t frame[DP_NET_ARP_BYTES];
	struct dp_net_datagram datagram;
	struct dp_mac mac;
	uint32_t bytes;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	UNIT_CHECK(!dp_net_resolve(&here, THERE, 1, &mac));
	UNIT_EQUAL(here.drops.count[DP_DROP_NO_NEIGHBOUR], 1);
	bytes = dp_net_arp_due(&here, 1, frame);
	UNIT_EQUAL(bytes, DP_NET_ARP_BYTES);
	UNIT_EQUAL(dp_net_arp_due(&here, 2, frame + 0), 0);
	UNIT_EQUAL(dp_net_input(&there, frame, &bytes, 2, &datagram), DP_NET_ANSWER);
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 3, &datagram), DP_NET_NOTHING);
	UNIT_CHECK(dp_net_resolve(&here, THERE, 4, &mac));
	UNIT_CHECK(memcmp(&mac, &mac_there, sizeof(mac)) == 0);
	UNIT_EQUAL(there.arp_answered, 1);
}

static void a_reply_nobody_asked_for_changes_nothing(void)
{
	struct dp_net here, there;
	uint8_t request[DP_NET_ARP_BYTES], reply[DP_NET_ARP_BYTES];
	struct dp_net_datagram datagram;
	struct dp_mac mac;
	uint32_t bytes;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	dp_net_resolve(&here, THERE, 1, &mac);
	bytes = dp_net_arp_due(&here, 1, request);
	memcpy(reply, request, sizeof(reply));
	dp_net_input(&there, reply, &bytes, 2, &datagram);
	dp_net_input(&here, reply, &bytes, 3, &datagram);
	reply[22] = 0x66; /* a second one, with another MAC */
	UNIT_EQUAL(dp_net_input(&here, reply, &bytes, 4, &datagram), DP_NET_NOTHING);
	UNIT_EQUAL(here.drops.count[DP_DROP_ARP_UNASKED], 1);
	UNIT_CHECK(dp_net_resolve(&here, THERE, 5, &mac) &&
		   memcmp(&mac, &mac_there, sizeof(mac)) == 0);
	dp_net_forget(&here);
	UNIT_CHECK(!dp_net_resolve(&here, THERE, 6, &mac));
}

static void requests_are_repeated_less_and_less_often(void)
{
	struct dp_net here;
	uint8_t frame[DP_NET_ARP_BYTES];
	struct dp_mac mac;
	uint32_t asked = 0;

	open_net(&here, HERE, &mac_here);
	dp_net_resolve(&here, THERE, 1, &mac);
	for (uint64_t now = 1; now < 10 * UNITS_NS_PER_S; now += UNITS_NS_PER_MS)
		asked += dp_net_arp_due(&here, now, frame) > 0;
	UNIT_CHECK(asked >= 10 && asked <= 20);
}

static void static_neighbours_are_never_asked_or_changed(void)
{
	const struct dp_net_neighbour neighbour = { THERE, mac_there };
	const struct dp_net_config config = { .mac = mac_here,
					      .address = HERE,
					      .udp_port = PORT,
					      .neighbour_count = 1,
					      .neighbour = &neighbour };
	struct dp_net here;
	uint8_t frame[DP_NET_ARP_BYTES];
	struct dp_mac mac;

	UNIT_REQUIRE(dp_net_init(&here, &config) == 0);
	UNIT_CHECK(dp_net_resolve(&here, THERE, 1, &mac));
	UNIT_EQUAL(dp_net_arp_due(&here, 1000 * UNITS_NS_PER_S, frame), 0);
	dp_net_forget(&here);
	UNIT_CHECK(dp_net_resolve(&here, THERE, 2, &mac));
}

static void what_is_far_goes_to_the_gateway(void)
{
	struct dp_net here;
	uint8_t frame[DP_NET_ARP_BYTES];
	struct dp_mac mac;

	open_net(&here, HERE, &mac_here);
	dp_net_resolve(&here, 0x0b000001, 1, &mac);
	UNIT_EQUAL(dp_net_arp_due(&here, 1, frame), DP_NET_ARP_BYTES);
	UNIT_CHECK(frame[38] == 0x0a && frame[41] == 0xfe);
}

static void the_neighbour_table_stays_in_its_bounds(void)
{
	struct dp_net here;
	struct dp_mac mac;

	open_net(&here, HERE, &mac_here);
	for (uint32_t i = 0; i < 10000; i++)
		dp_net_resolve(&here, 0x0a000000 + i % 200 + 10, i, &mac);
	UNIT_EQUAL(here.entry_count, DP_NET_NEIGHBOURS_MAX);
}

static uint32_t echo_request(uint8_t *frame, uint32_t payload_bytes)
{
	uint32_t ip_bytes = 20 + 8 + payload_bytes;
	uint16_t sum;

	memset(frame, 0, 14 + ip_bytes);
	memcpy(frame, mac_here.b, 6);
	memcpy(frame + 6, mac_there.b, 6);
	frame[12] = 8;
	frame[14] = 0x45;
	frame[16] = (uint8_t)(ip_bytes >> 8);
	frame[17] = (uint8_t)ip_bytes;
	frame[22] = 1;
	frame[23] = 1;
	memcpy(frame + 26, "\x0a\0\0\x02\x0a\0\0\x01", 8);
	sum = dp_net_sum_fold(dp_net_sum(frame + 14, 20, 0));
	memcpy(frame + 24, &sum, 2);
	frame[34] = 8;
	memset(frame + 42, 0xab, payload_bytes);
	sum = dp_net_sum_fold(dp_net_sum(frame + 34, 8 + payload_bytes, 0));
	memcpy(frame + 36, &sum, 2);
	return 14 + ip_bytes;
}

static void an_echo_request_is_turned_into_its_reply(void)
{
	struct dp_net here;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	uint32_t bytes = echo_request(frame, 57);

	open_net(&here, HERE, &mac_here);
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_ANSWER);
	UNIT_EQUAL(bytes, 14 + 20 + 8 + 57);
	UNIT_CHECK(memcmp(frame, mac_there.b, 6) == 0 && memcmp(frame + 6, mac_here.b, 6) == 0);
	UNIT_CHECK(memcmp(frame + 26, "\x0a\0\0\x01\x0a\0\0\x02", 8) == 0);
	UNIT_EQUAL(frame[34], 0);
	UNIT_EQUAL(dp_net_sum_fold(dp_net_sum(frame + 14, 20, 0)), 0);
	UNIT_EQUAL(dp_net_sum_fold(dp_net_sum(frame + 34, 8 + 57, 0)), 0);
	UNIT_EQUAL(frame[98], 0xab);
}

static void echoes_have_a_rate(void)
{
	struct dp_net here;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	uint32_t answered = 0;

	open_net(&here, HERE, &mac_here);
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t bytes = echo_request(frame, 40);

		answered += dp_net_input(&here, frame, &bytes, UNITS_NS_PER_S + i, &datagram) ==
			    DP_NET_ANSWER;
	}
	UNIT_EQUAL(answered, 100);
	UNIT_EQUAL(here.drops.count[DP_DROP_ICMP], 200);
}

static void an_announcement_is_for_everybody_and_teaches_nobody_unasked(void)
{
	struct dp_net here, there;
	uint8_t frame[DP_NET_ARP_BYTES];
	struct dp_net_datagram datagram;
	uint32_t bytes;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	bytes = dp_net_announce(&there, frame);
	UNIT_CHECK(memcmp(frame, "\xff\xff\xff\xff\xff\xff", 6) == 0);
	UNIT_CHECK(memcmp(frame + 28, frame + 38, 4) == 0);
	UNIT_EQUAL(dp_net_input(&here, frame, &bytes, 1, &datagram), DP_NET_NOTHING);
	UNIT_EQUAL(here.entry_count, 0);
}

static void any_bytes_are_survived(void)
{
	struct dp_net here, there;
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	struct prng prng;

	open_net(&here, HERE, &mac_here);
	open_net(&there, THERE, &mac_there);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 50000; i++) {
		uint32_t bytes = frame_from_there(&there, frame, "text that is long enough here");

		for (uint32_t k = prng_below(&prng, 4) == 0 ? 0 : 1; k < 4; k++) {
			uint8_t drawn = (uint8_t)prng_u64(&prng);

			frame[prng_below(&prng, 50)] = drawn;
		}
		if (prng_below(&prng, 2) == 0)
			memcpy(frame, mac_here.b, 6);
		bytes = (uint32_t)prng_below(&prng, bytes + 1);
		if (dp_net_input(&here, frame, &bytes, i, &datagram) == DP_NET_DATAGRAM)
			UNIT_CHECK(datagram.bytes + datagram.byte_count <= frame + sizeof(frame));
		UNIT_CHECK(bytes <= sizeof(frame));
	}
}

static void a_config_without_an_address_or_with_a_group_mac_is_refused(void)
{
	struct dp_net net;
	struct dp_net_config config = { .mac = mac_here, .address = 0, .udp_port = PORT };

	UNIT_EQUAL(dp_net_init(&net, &config), ERR_CONFIG);
	config.address = HERE;
	config.mac.b[0] = 1;
	UNIT_EQUAL(dp_net_init(&net, &config), ERR_CONFIG);
}

UNIT_SUITE("dp_net", UNIT_TEST(a_datagram_arrives_with_its_sender),
	   UNIT_TEST(each_fault_has_its_name),
	   UNIT_TEST(a_frame_longer_than_the_mtu_or_shorter_than_its_head_is_dropped),
	   UNIT_TEST(fragments_and_other_protocols_are_dropped_by_name),
	   UNIT_TEST(a_neighbour_is_found_by_asking_and_kept),
	   UNIT_TEST(a_reply_nobody_asked_for_changes_nothing),
	   UNIT_TEST(requests_are_repeated_less_and_less_often),
	   UNIT_TEST(static_neighbours_are_never_asked_or_changed),
	   UNIT_TEST(what_is_far_goes_to_the_gateway),
	   UNIT_TEST(the_neighbour_table_stays_in_its_bounds),
	   UNIT_TEST(an_echo_request_is_turned_into_its_reply), UNIT_TEST(echoes_have_a_rate),
	   UNIT_TEST(an_announcement_is_for_everybody_and_teaches_nobody_unasked),
	   UNIT_TEST(any_bytes_are_survived),
	   UNIT_TEST(a_config_without_an_address_or_with_a_group_mac_is_refused))
