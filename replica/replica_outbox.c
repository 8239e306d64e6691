#include "replica/replica_outbox.h"

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"

enum {
	OUTBOX_BYTES_BASE = 4 << 20,
	OUTBOX_DELIVERY_RESERVE = 512, /* effects kept free for everything but receipts */
};

size_t replica_outbox_bytes_max(uint32_t replica_count)
{
	size_t message_bytes = 4096 + (size_t)replica_count * 400;

	return OUTBOX_BYTES_BASE + 2 * (size_t)HS_EFFECTS_MAX * message_bytes;
}

void replica_outbox_reset(struct replica_outbox *outbox)
{
	ensure(outbox->count == 0);
	outbox->bytes_used = 0;
	memset(outbox->peer_sends, 0, sizeof(outbox->peer_sends));
}

uint32_t replica_outbox_room(const struct replica_outbox *outbox)
{
	uint32_t used = outbox->count + OUTBOX_DELIVERY_RESERVE;

	if (used >= REPLICA_EFFECTS_MAX || outbox->bytes_used > outbox->bytes_max / 2)
		return 0;
	return REPLICA_EFFECTS_MAX - used;
}

struct replica_effect *replica_outbox_push(struct replica_outbox *outbox,
					   enum replica_effect_kind kind)
{
	struct replica_effect *effect;

	ensure(outbox->count < REPLICA_EFFECTS_MAX);
	effect = &outbox->ring[(outbox->first + outbox->count) % REPLICA_EFFECTS_MAX];
	outbox->count++;
	memset(effect, 0, sizeof(*effect));
	effect->kind = kind;
	return effect;
}

uint8_t *replica_outbox_take(struct replica_outbox *outbox, size_t count)
{
	uint8_t *at = outbox->bytes + outbox->bytes_used;

	ensure(count <= outbox->bytes_max - outbox->bytes_used);
	outbox->bytes_used += count;
	return at;
}

void replica_outbox_trim(struct replica_outbox *outbox, size_t unused)
{
	ensure(unused <= outbox->bytes_used);
	outbox->bytes_used -= unused;
}

bool replica_outbox_admits(struct replica_outbox *outbox, const struct bitset *to,
			   enum replica_send_class class_)
{
	if (class_ == REPLICA_SEND_CONSENSUS)
		return true;
	if (replica_outbox_room(outbox) == 0)
		return false;
	for (uint32_t i = 0; i < HS_REPLICAS_MAX; i++)
		if (bitset_has(to, i) && outbox->peer_sends[i] >= outbox->peer_sends_max)
			return false;
	for (uint32_t i = 0; i < HS_REPLICAS_MAX; i++)
		outbox->peer_sends[i] += bitset_has(to, i);
	return true;
}
