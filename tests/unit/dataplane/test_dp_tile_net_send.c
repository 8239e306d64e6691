#include <stdlib.h>
#include <string.h>

#include "dataplane/dp_tile_net.h"
#include "tests/lib/unit_main.h"

static struct dp_ring *open_ring(void)
{
	size_t footprint = dp_ring_footprint(DP_RING_BYTES_MIN);
	void *memory = aligned_alloc(64, footprint);
	struct dp_ring *ring = NULL;

	UNIT_REQUIRE(memory && dp_ring_init(memory, footprint, DP_RING_BYTES_MIN, &ring) == 0);
	return ring;
}

static void a_message_to_peers_carries_all_128_bits_and_its_stream(void)
{
	struct dp_ring *ring = open_ring();
	const struct bitset to = { { 5, UINT64_C(1) << 35 } };
	const struct dp_ring_header *header;
	struct dp_tile_net_send send;
	uint8_t *room = dp_tile_net_room_peers(ring, &to, WIRE_STREAM_PROPOSE, 100, &send);

	UNIT_REQUIRE(room != NULL);
	memcpy(room, "proposal", 8);
	dp_tile_net_commit(&send, 8);
	room = dp_ring_peek(ring, &header);
	UNIT_REQUIRE(room != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SEND_PEERS);
	UNIT_EQUAL(header->tag, WIRE_STREAM_PROPOSE);
	UNIT_CHECK(header->aux == 5 && header->aux_high == UINT64_C(1) << 35);
	UNIT_CHECK(header->bytes == 8 && memcmp(room, "proposal", 8) == 0);
	free(ring);
}

static void a_message_to_a_key_has_the_key_in_front(void)
{
	struct dp_ring *ring = open_ring();
	struct crypto_public_key key = { { 9, 8, 7 } };
	const struct dp_ring_header *header;
	struct dp_tile_net_send send;
	uint8_t *room = dp_tile_net_room_key(ring, &key, 50, &send);

	UNIT_REQUIRE(room != NULL);
	memcpy(room, "receipt", 7);
	dp_tile_net_commit(&send, 7);
	room = dp_ring_peek(ring, &header);
	UNIT_REQUIRE(room != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SEND_KEY);
	UNIT_EQUAL(header->bytes, 39);
	UNIT_CHECK(memcmp(room, &key, 32) == 0 && memcmp(room + 32, "receipt", 7) == 0);
	free(ring);
}

static void subscriptions_and_charges_are_messages_too(void)
{
	struct dp_ring *ring = open_ring();
	struct crypto_public_key key = { { 1 } };
	const struct dp_ring_header *header;

	UNIT_CHECK(dp_tile_net_subscribe(ring, 77, &key) && dp_tile_net_charge(ring, 78, 5));
	UNIT_REQUIRE(dp_ring_peek(ring, &header) != NULL);
	UNIT_CHECK(header->kind == DP_NET_SUBSCRIBE && header->aux == 77 && header->bytes == 32);
	dp_ring_release(ring);
	UNIT_REQUIRE(dp_ring_peek(ring, &header) != NULL);
	UNIT_CHECK(header->kind == DP_NET_CHARGE && header->aux == 78 && header->source == 5);
	free(ring);
}

static void a_full_ring_gives_no_room(void)
{
	struct dp_ring *ring = open_ring();
	struct dp_tile_net_send send;
	uint32_t count = 0;

	while (dp_tile_net_room_client(ring, 1, 1000, &send)) {
		dp_tile_net_commit(&send, 1000);
		count++;
	}
	UNIT_CHECK(count > 100 && count < 130);
	free(ring);
}

UNIT_SUITE("dp_tile_net_send", UNIT_TEST(a_message_to_peers_carries_all_128_bits_and_its_stream),
	   UNIT_TEST(a_message_to_a_key_has_the_key_in_front),
	   UNIT_TEST(subscriptions_and_charges_are_messages_too),
	   UNIT_TEST(a_full_ring_gives_no_room))
