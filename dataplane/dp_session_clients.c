#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "dataplane/dp_session_table.h"

#define UNCONFIRMED_NS (2 * UNITS_NS_PER_S)

enum { ID_SLOT_BITS = 24, PLACES_LOOKED_AT = 64 };

void session_clients_init(struct dp_session_table *table)
{
	table->next_id = 1;
	table->client_hand = 0;
}

static struct session_slot *slot_of_id(struct dp_session_table *table, uint64_t client)
{
	uint64_t index = client & ((UINT64_C(1) << ID_SLOT_BITS) - 1);
	struct session_slot *slot;

	if (client == 0 || index >= table->slot_count)
		return NULL;
	slot = &table->slot[index];
	if (!slot->is_client || slot->state != SESSION_STANDS || slot->id != client)
		return NULL;
	return slot;
}

static bool may_give_way(const struct dp_session_table *table, const struct session_slot *slot,
			 uint64_t now_ns)
{
	if (slot->state == SESSION_FREE)
		return true;
	if (slot->state == SESSION_OFFERED)
		return now_ns - slot->born_ns >= UNCONFIRMED_NS;
	return now_ns - slot->heard_ns >= table->config.client_idle_ns;
}

/* A place for one more; looks at a few, from where the last search ended. */
static uint32_t place_take(struct dp_session_table *table, uint64_t now_ns)
{
	uint32_t look = (uint32_t)units_min(table->config.clients_max, PLACES_LOOKED_AT);

	for (uint32_t i = 0; i < look; i++) {
		uint32_t index = table->client_slot_first + table->client_hand;

		if (may_give_way(table, &table->slot[index], now_ns))
			return index;
		table->client_hand = (table->client_hand + 1) % table->config.clients_max;
	}
	return SESSION_NO_SLOT;
}

static void refuse_full(struct dp_session_table *table, const struct dp_net_path *from,
			const uint8_t *bytes, uint32_t byte_count)
{
	struct wire_answer answer;

	session_drop(table, DP_DROP_CLIENTS_FULL);
	if (wire_refuse(bytes, byte_count, WIRE_REFUSAL_FULL, &answer))
		session_send_answer(table, from, answer.bytes, answer.count);
}

void session_client_initiation(struct dp_session_table *table, const struct dp_net_path *from,
			       const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns)
{
	uint32_t index = place_take(table, now_ns);
	struct session_slot *slot;

	if (index == SESSION_NO_SLOT) {
		refuse_full(table, from, bytes, byte_count);
		return;
	}
	if (!session_respond(table, from, bytes, byte_count, index, now_ns))
		return;
	slot = &table->slot[index];
	slot->is_client = true;
	slot->id = table->next_id++ << ID_SLOT_BITS | index;
	table->client_hand = (table->client_hand + 1) % table->config.clients_max;
}

static bool same_source(const struct dp_net_path *a, const struct dp_net_path *b)
{
	return a->address == b->address && a->udp_port == b->udp_port && a->port == b->port;
}

/* A client that comes again from where it was leaves its old session behind. */
void session_client_stands(struct dp_session_table *table, struct session_slot *slot)
{
	table->status.clients++;
	table->status.handshakes++;
	for (uint32_t i = 0; i < table->config.clients_max; i++) {
		struct session_slot *other = &table->slot[table->client_slot_first + i];

		if (other != slot && other->state == SESSION_STANDS &&
		    same_source(&other->path, &slot->path))
			session_slot_free(table, table->client_slot_first + i);
	}
}

bool session_client_may(struct dp_session_table *table, struct session_slot *slot,
			uint32_t byte_count, uint64_t now_ns)
{
	const struct dp_session_budget *budget = &table->config.client_budget;

	if (!session_bucket_take(&slot->frames, budget->frames_per_s, 1, now_ns)) {
		session_drop(table, DP_DROP_FRAME_RATE);
		return false;
	}
	if (!session_bucket_take(&slot->bytes, budget->bytes_per_s, byte_count, now_ns)) {
		session_drop(table, DP_DROP_BYTE_RATE);
		return false;
	}
	if (!session_bucket_take(&slot->checks, budget->checks_per_s, 0, now_ns)) {
		session_drop(table, DP_DROP_CHECK_RATE);
		return false;
	}
	return true;
}

void dp_session_charge(struct dp_session_table *table, uint64_t client, uint32_t checks)
{
	struct session_slot *slot = slot_of_id(table, client);
	uint64_t rate = table->config.client_budget.checks_per_s;
	int64_t floor = -(int64_t)(rate * UNITS_NS_PER_S);

	if (!slot || rate == 0)
		return;
	slot->checks.level -= (int64_t)(checks * UNITS_NS_PER_S);
	if (slot->checks.level < floor)
		slot->checks.level = floor;
}

bool dp_session_send_client(struct dp_session_table *table, uint64_t client, const uint8_t *bytes,
			    uint32_t byte_count, uint64_t now_ns)
{
	struct session_slot *slot = slot_of_id(table, client);

	ensure(byte_count <= WIRE_SINGLE_BYTES_MAX);
	if (!slot) {
		session_drop(table, DP_DROP_NO_SUBSCRIBER);
		return false;
	}
	return session_send(table, slot, &slot->path, WIRE_STREAM_CLIENT, bytes, byte_count,
			    now_ns);
}

/* Two seeds nobody outside knows make it hard to fill one bucket on purpose. */
static struct session_subscription *bucket_of(struct dp_session_table *table,
					      const struct crypto_public_key *key)
{
	uint64_t hash = table->config.hash_seed[0];
	uint64_t word;

	for (uint32_t i = 0; i < sizeof(key->b); i += 8) {
		memcpy(&word, key->b + i, 8);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29 ^ table->config.hash_seed[1];
	}
	return &table->subscription[(hash >> 16 & (table->bucket_count - 1)) *
				    SESSION_SUBSCRIPTION_BUCKET];
}

static struct session_subscription *subscription_of(struct dp_session_table *table,
						    const struct crypto_public_key *key)
{
	struct session_subscription *bucket = bucket_of(table, key);

	for (uint32_t i = 0; i < SESSION_SUBSCRIPTION_BUCKET; i++)
		if (bucket[i].is_set && memcmp(&bucket[i].key, key, sizeof(*key)) == 0)
			return &bucket[i];
	return NULL;
}

static bool is_dead(struct dp_session_table *table, const struct session_subscription *entry)
{
	for (uint32_t i = 0; i < DP_SESSION_SUBSCRIBERS_MAX; i++)
		if (slot_of_id(table, entry->client[i]))
			return false;
	return true;
}

/* A place in the key's bucket: a free one, or one whose subscribers are all gone. */
static struct session_subscription *subscription_take(struct dp_session_table *table,
						      const struct crypto_public_key *key)
{
	struct session_subscription *bucket = bucket_of(table, key);

	for (uint32_t i = 0; i < SESSION_SUBSCRIPTION_BUCKET; i++) {
		if (bucket[i].is_set && !is_dead(table, &bucket[i]))
			continue;
		if (!bucket[i].is_set)
			table->status.subscriptions++;
		bucket[i] = (struct session_subscription){ .is_set = true, .key = *key };
		return &bucket[i];
	}
	return NULL;
}

void dp_session_subscribe(struct dp_session_table *table, uint64_t client,
			  const struct crypto_public_key *key)
{
	struct session_subscription *entry;

	if (table->bucket_count == 0 || !slot_of_id(table, client))
		return;
	entry = subscription_of(table, key);
	if (!entry)
		entry = subscription_take(table, key);
	if (!entry) {
		session_drop(table, DP_DROP_SUBSCRIPTIONS);
		return;
	}
	for (uint32_t i = 0; i < DP_SESSION_SUBSCRIBERS_MAX; i++)
		if (entry->client[i] == client)
			return;
	for (uint32_t i = 0; i < DP_SESSION_SUBSCRIBERS_MAX; i++) {
		if (slot_of_id(table, entry->client[i]))
			continue;
		entry->client[i] = client;
		return;
	}
	entry->client[entry->next] = client;
	entry->next = (uint8_t)((entry->next + 1) % DP_SESSION_SUBSCRIBERS_MAX);
}

uint32_t dp_session_send_key(struct dp_session_table *table, const struct crypto_public_key *key,
			     const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns)
{
	struct session_subscription *entry = table->bucket_count == 0 ? NULL :
									subscription_of(table, key);
	uint32_t sent = 0;

	for (uint32_t i = 0; entry && i < DP_SESSION_SUBSCRIBERS_MAX; i++) {
		struct session_slot *slot = slot_of_id(table, entry->client[i]);

		if (slot && session_send(table, slot, &slot->path, WIRE_STREAM_CLIENT, bytes,
					 byte_count, now_ns))
			sent++;
	}
	if (sent == 0)
		session_drop(table, DP_DROP_NO_SUBSCRIBER);
	return sent;
}
