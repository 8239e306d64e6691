#include "node/node_answer.h"

#include <string.h>

#include "base/ensure.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_message.h"
#include "wire/wire_client.h"

bool node_answer_is_heard(const struct node_answer *answer)
{
	return answer->local && atomic_load_explicit(answer->local_open, memory_order_relaxed) > 0;
}

static void to_local(struct node_answer *answer, uint64_t origin,
		     const struct crypto_public_key *key, const uint8_t *bytes, uint32_t count)
{
	struct dp_ring_header header = {
		.kind = key ? NODE_MESSAGE_LOCAL_SUBSCRIBERS : NODE_MESSAGE_LOCAL,
		.aux = origin,
	};
	uint32_t before = key ? (uint32_t)sizeof(*key) : 0;
	uint8_t *room;

	if (!node_answer_is_heard(answer))
		return;
	room = dp_ring_reserve(answer->local, before + count);
	if (!room) {
		answer->dropped++;
		return;
	}
	if (key)
		memcpy(room, key, before);
	memcpy(room + before, bytes, count);
	dp_ring_commit(answer->local, &header, before + count);
	answer->local_sent++;
}

void node_answer_refusal(struct node_answer *answer, uint64_t origin,
			 const struct crypto_public_key *client, uint64_t first_seq, int reason,
			 uint64_t limit)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_REFUSAL,
		.u.refusal = { .client = *client,
			       .first_seq = first_seq,
			       .reason = reason,
			       .limit = limit },
	};
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(&message, bytes, sizeof(bytes));
	struct dp_tile_net_send send;
	uint8_t *room;

	ensure(count > 0);
	if (origin & NODE_ORIGIN_LOCAL) {
		to_local(answer, origin, NULL, bytes, (uint32_t)count);
		return;
	}
	room = dp_tile_net_room_client(answer->net, origin, (uint32_t)count, &send);
	if (!room) {
		answer->dropped++;
		return;
	}
	memcpy(room, bytes, (size_t)count);
	dp_tile_net_commit(&send, (uint32_t)count);
}

void node_answer_receipt(struct node_answer *answer, const struct replica_receipt *receipt)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_RECEIPT,
		.u.receipt = { .client = receipt->client,
			       .first_seq = receipt->first_seq,
			       .count = receipt->count,
			       .height = receipt->height,
			       .first_index = receipt->first_index,
			       .block_id = receipt->block_id },
	};
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	struct dp_tile_net_send send;
	uint8_t *room;
	int count;

	memcpy(message.u.receipt.ordered_map, receipt->ordered_map, sizeof(receipt->ordered_map));
	count = wire_client_encode(&message, bytes, sizeof(bytes));
	ensure(count > 0);
	to_local(answer, 0, &receipt->client, bytes, (uint32_t)count);
	room = dp_tile_net_room_key(answer->net, &receipt->client, (uint32_t)count, &send);
	if (!room) {
		answer->dropped++;
		return;
	}
	memcpy(room, bytes, (size_t)count);
	dp_tile_net_commit(&send, (uint32_t)count);
}

void node_answer_subscribe(struct node_answer *answer, uint64_t origin,
			   const struct crypto_public_key *client)
{
	if (!(origin & NODE_ORIGIN_LOCAL) && !dp_tile_net_subscribe(answer->net, origin, client))
		answer->dropped++;
}

void node_answer_charge(struct node_answer *answer, uint64_t origin, uint32_t checks)
{
	if (!(origin & NODE_ORIGIN_LOCAL) && !dp_tile_net_charge(answer->net, origin, checks))
		answer->dropped++;
}
