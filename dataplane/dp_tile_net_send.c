#include <string.h>

#include "base/ensure.h"
#include "dataplane/dp_tile_net.h"

static uint8_t *room(struct dp_ring *ring, const struct dp_ring_header *header, const void *before,
		     uint32_t before_bytes, uint32_t bytes, struct dp_tile_net_send *ret_send)
{
	uint8_t *at = dp_ring_reserve(ring, before_bytes + bytes);

	if (!at)
		return NULL;
	if (before_bytes > 0)
		memcpy(at, before, before_bytes);
	*ret_send = (struct dp_tile_net_send){ .ring = ring,
					       .header = *header,
					       .before_bytes = before_bytes };
	return at + before_bytes;
}

uint8_t *dp_tile_net_room_peers(struct dp_ring *ring, const struct bitset *to,
				enum wire_stream stream, uint32_t bytes,
				struct dp_tile_net_send *ret_send)
{
	const struct dp_ring_header header = {
		.kind = DP_NET_SEND_PEERS,
		.tag = stream,
		.aux = to->word[0],
		.aux_high = to->word[1],
	};

	ensure(bytes <= WIRE_SPLIT_BYTES_MAX);
	return room(ring, &header, NULL, 0, bytes, ret_send);
}

uint8_t *dp_tile_net_room_client(struct dp_ring *ring, uint64_t client, uint32_t bytes,
				 struct dp_tile_net_send *ret_send)
{
	const struct dp_ring_header header = { .kind = DP_NET_SEND_CLIENT, .aux = client };

	ensure(bytes <= WIRE_SINGLE_BYTES_MAX);
	return room(ring, &header, NULL, 0, bytes, ret_send);
}

uint8_t *dp_tile_net_room_key(struct dp_ring *ring, const struct crypto_public_key *key,
			      uint32_t bytes, struct dp_tile_net_send *ret_send)
{
	const struct dp_ring_header header = { .kind = DP_NET_SEND_KEY };

	ensure(bytes <= WIRE_SINGLE_BYTES_MAX);
	return room(ring, &header, key, sizeof(*key), bytes, ret_send);
}

void dp_tile_net_commit(const struct dp_tile_net_send *send, uint32_t bytes)
{
	dp_ring_commit(send->ring, &send->header, send->before_bytes + bytes);
}

bool dp_tile_net_subscribe(struct dp_ring *ring, uint64_t client,
			   const struct crypto_public_key *key)
{
	const struct dp_ring_header header = { .kind = DP_NET_SUBSCRIBE, .aux = client };

	return dp_ring_push(ring, &header, key, sizeof(*key));
}

bool dp_tile_net_charge(struct dp_ring *ring, uint64_t client, uint32_t checks)
{
	const struct dp_ring_header header = { .kind = DP_NET_CHARGE,
					       .source = checks,
					       .aux = client };

	return dp_ring_push(ring, &header, NULL, 0);
}
