#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dataplane/dp_port_ring.h"
#include "dataplane/dp_ring.h"
#include "tests/lib/unit_main.h"

static const struct dp_mac mac_a = { { 2, 0, 0, 0, 0, 1 } };
static const struct dp_mac mac_b = { { 2, 0, 0, 0, 0, 2 } };

static void *open_pair(struct dp_port *a, struct dp_port *b)
{
	size_t footprint = dp_port_ring_footprint(DP_RING_BYTES_MIN);
	void *memory = aligned_alloc(64, footprint);

	UNIT_REQUIRE(memory && dp_port_ring_open(memory, footprint, DP_RING_BYTES_MIN, &mac_a,
						 &mac_b, a, b) == 0);
	return memory;
}

static bool send_text(struct dp_port *port, const char *text)
{
	struct dp_packet packet;

	if (!dp_port_take(port, &packet))
		return false;
	packet.byte_count = (uint32_t)strlen(text);
	memcpy(packet.bytes, text, packet.byte_count);
	return dp_port_send(port, &packet, 1) == 1;
}

static void frames_of_each_end_come_out_of_the_other_in_order(void)
{
	struct dp_port a, b;
	void *memory = open_pair(&a, &b);
	struct dp_packet packets[DP_PORT_BURST_MAX];

	UNIT_CHECK(send_text(&a, "first") && send_text(&a, "second") && send_text(&b, "back"));
	UNIT_EQUAL(dp_port_receive(&b, packets, DP_PORT_BURST_MAX), 2);
	UNIT_CHECK(packets[0].byte_count == 5 && memcmp(packets[0].bytes, "first", 5) == 0);
	UNIT_CHECK(packets[1].byte_count == 6 && memcmp(packets[1].bytes, "second", 6) == 0);
	dp_port_give_back(&b, packets, 2);
	UNIT_EQUAL(dp_port_receive(&a, packets, DP_PORT_BURST_MAX), 1);
	UNIT_CHECK(memcmp(packets[0].bytes, "back", 4) == 0);
	dp_port_give_back(&a, packets, 1);
	UNIT_CHECK(a.counters.tx_packets == 2 && b.counters.rx_bytes == 11);
	dp_port_close(&a);
	dp_port_close(&b);
	free(memory);
}

static void a_full_ring_drops_and_counts(void)
{
	struct dp_port a, b;
	void *memory = open_pair(&a, &b);
	uint64_t sent = 0;

	for (uint32_t i = 0; i < 20000; i++)
		sent += send_text(&a, "nobody reads this frame, so that the ring is full some day");
	UNIT_CHECK(sent > 0 && sent < 20000);
	UNIT_EQUAL(a.counters.tx_packets, sent);
	UNIT_EQUAL(a.counters.tx_dropped, 20000 - sent);
	free(memory);
}

static void buffers_not_given_back_run_out_and_return(void)
{
	struct dp_port a, b;
	void *memory = open_pair(&a, &b);
	static struct dp_packet packets[4096];
	uint32_t count = 0;

	while (count < 4096 && dp_port_take(&a, &packets[count]))
		count++;
	UNIT_CHECK(count >= DP_PORT_BURST_MAX && count < 4096);
	UNIT_EQUAL(a.counters.no_buffer, 1);
	dp_port_give_back(&a, packets, count);
	UNIT_CHECK(send_text(&a, "again"));
	free(memory);
}

static void wrong_sizes_are_refused(void)
{
	struct dp_port a, b;
	static uint8_t memory[64];

	UNIT_EQUAL(dp_port_ring_footprint(1000), 0);
	UNIT_EQUAL(dp_port_ring_open(memory, sizeof(memory), 1000, &mac_a, &mac_b, &a, &b),
		   ERR_CONFIG);
	UNIT_EQUAL(dp_port_ring_open(memory, sizeof(memory), DP_RING_BYTES_MIN, &mac_a, &mac_b, &a,
				     &b),
		   ERR_MEMORY);
}

UNIT_SUITE("dp_port_ring", UNIT_TEST(frames_of_each_end_come_out_of_the_other_in_order),
	   UNIT_TEST(a_full_ring_drops_and_counts),
	   UNIT_TEST(buffers_not_given_back_run_out_and_return), UNIT_TEST(wrong_sizes_are_refused))
