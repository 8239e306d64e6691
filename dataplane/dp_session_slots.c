#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "dataplane/dp_session_table.h"

/* A bucket holds one second and may owe one: after two it is full, whatever it was. */
#define REFILL_NS_MAX (2 * UNITS_NS_PER_S)

bool session_bucket_take(struct session_bucket *bucket, uint64_t rate, uint64_t cost,
			 uint64_t now_ns)
{
	uint64_t passed_ns = units_min(now_ns - bucket->filled_ns, REFILL_NS_MAX);
	int64_t full = (int64_t)(rate * UNITS_NS_PER_S);

	if (rate == 0)
		return true;
	bucket->level += (int64_t)(passed_ns * rate);
	if (bucket->level > full || bucket->filled_ns == 0)
		bucket->level = full;
	bucket->filled_ns = units_max(now_ns, 1);
	if (bucket->level <= 0)
		return false;
	bucket->level -= (int64_t)(cost * UNITS_NS_PER_S);
	return true;
}

struct session_slot *session_slot_of(struct dp_session_table *table, uint32_t receiver)
{
	struct session_slot *slot = &table->slot[receiver & (table->slot_count - 1)];

	if (slot->state == SESSION_FREE || slot->session.local_index != receiver)
		return NULL;
	return slot;
}

uint32_t session_slot_index(const struct dp_session_table *table, const struct session_slot *slot)
{
	return (uint32_t)(slot - table->slot);
}

void session_slot_free(struct dp_session_table *table, uint32_t index)
{
	struct session_slot *slot;

	if (index == SESSION_NO_SLOT)
		return;
	slot = &table->slot[index];
	if (slot->is_client && slot->state == SESSION_STANDS)
		table->status.clients--;
	crypto_wipe(slot, sizeof(*slot));
}

uint32_t dp_session_chances_wanted(const struct dp_session_table *table)
{
	return DP_SESSION_CHANCES_MAX - table->chance_count;
}

void dp_session_give_chance(struct dp_session_table *table, const struct wire_chance *chance)
{
	if (table->chance_count < DP_SESSION_CHANCES_MAX)
		table->chance[table->chance_count++] = *chance;
}

struct wire_chance *session_chance(struct dp_session_table *table, uint32_t slot)
{
	struct wire_chance *chance;

	if (table->chance_count == 0)
		return NULL;
	chance = &table->chance[table->chance_count - 1];
	chance->index = (chance->index & ~(table->slot_count - 1)) | slot;
	return chance;
}

void session_chance_used(struct dp_session_table *table)
{
	ensure(table->chance_count > 0);
	table->chance_count--;
	crypto_wipe(&table->chance[table->chance_count], sizeof(struct wire_chance));
}

static bool send_piece(struct dp_session_table *table, struct session_slot *slot,
		       const struct dp_net_path *to, const struct wire_piece *piece)
{
	uint8_t *packet = table->io.packet(table->io.context, to);
	int sealed;

	if (!packet)
		return false;
	sealed = wire_session_seal(&slot->session, piece, packet, WIRE_DATAGRAM_BYTES_MAX);
	if (sealed < 0)
		return false;
	table->io.send(table->io.context, to, (uint32_t)sealed);
	table->status.packets_out++;
	return true;
}

bool session_send(struct dp_session_table *table, struct session_slot *slot,
		  const struct dp_net_path *to, enum wire_stream stream, const uint8_t *bytes,
		  uint32_t byte_count, uint64_t now_ns)
{
	uint32_t count = wire_piece_count(byte_count);
	uint32_t message_id = 0;
	struct wire_piece piece;

	ensure(count > 0 && stream < WIRE_STREAMS_MAX);
	if (count > 1)
		message_id = ++slot->next_message_id[stream];
	slot->sent_ns = now_ns;
	for (uint32_t i = 0; i < count; i++) {
		wire_piece_of(bytes, byte_count, i, stream, message_id, &piece);
		if (!send_piece(table, slot, to, &piece))
			return false;
	}
	return true;
}

void session_keepalive(struct dp_session_table *table, struct session_slot *slot,
		       const struct dp_net_path *to, uint64_t now_ns)
{
	const uint8_t nothing = 0;

	session_send(table, slot, to, WIRE_STREAM_CERTIFICATE, &nothing, 0, now_ns);
}

void session_send_answer(struct dp_session_table *table, const struct dp_net_path *to,
			 const void *bytes, uint32_t byte_count)
{
	uint8_t *packet = table->io.packet(table->io.context, to);

	if (!packet)
		return;
	memcpy(packet, bytes, byte_count);
	table->io.send(table->io.context, to, byte_count);
}
