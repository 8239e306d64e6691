#include "dataplane/dp_session.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_session_table.h"

enum {
	AT_STREAM = 1, /* in a DATA packet */
	AT_PIECE_COUNT = 3,
	HANDSHAKES_PER_S = 200,
};

#define KEEPALIVE_NS (400 * UNITS_NS_PER_MS)
#define PEER_SILENT_NS (2 * UNITS_NS_PER_S)
#define CALL_NS (50 * UNITS_NS_PER_MS)
#define CLIENT_IDLE_NS (60 * UNITS_NS_PER_S)
#define RATE_MAX UINT64_C(2000000000) /* three seconds of it fit an int64_t in nanotokens */

static uint32_t power_of_two_above(uint64_t count)
{
	uint32_t power = 1;

	while (power < count)
		power *= 2;
	return power;
}

static uint32_t slots_of(const struct dp_session_config *config)
{
	return power_of_two_above((uint64_t)config->member_count * SESSION_SLOTS_PER_PEER +
				  config->clients_max);
}

static uint32_t buckets_of(const struct dp_session_config *config)
{
	if (config->subscriptions_max == 0)
		return 0;
	return power_of_two_above(
		(2 * (uint64_t)config->subscriptions_max + SESSION_SUBSCRIPTION_BUCKET - 1) /
		SESSION_SUBSCRIPTION_BUCKET);
}

static bool is_valid(const struct dp_session_config *config)
{
	return config->me && config->member && config->member_count > 0 &&
	       config->member_count <= DP_SESSION_PEERS_MAX && config->clients_max <= 1u << 20 &&
	       config->subscriptions_max <= 1u << 22 &&
	       config->client_budget.frames_per_s <= RATE_MAX &&
	       config->client_budget.bytes_per_s <= RATE_MAX &&
	       config->client_budget.checks_per_s <= RATE_MAX &&
	       config->peer_messages_per_s <= RATE_MAX;
}

/* Offsets of the table's parts in its memory; the last one is the whole. */
struct layout {
	size_t slots;
	size_t peers;
	size_t subscriptions;
	size_t end;
};

static struct layout layout_of(const struct dp_session_config *config)
{
	struct layout layout;

	layout.slots = units_round_up(sizeof(struct dp_session_table), 64);
	layout.peers =
		units_round_up(layout.slots + slots_of(config) * sizeof(struct session_slot), 64);
	layout.subscriptions = units_round_up(
		layout.peers + config->member_count * sizeof(struct session_peer), 64);
	layout.end = layout.subscriptions + (size_t)buckets_of(config) *
						    SESSION_SUBSCRIPTION_BUCKET *
						    sizeof(struct session_subscription);
	return layout;
}

size_t dp_session_footprint(const struct dp_session_config *config)
{
	return is_valid(config) ? units_round_up(layout_of(config).end, 64) : 0;
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value == 0 ? otherwise : value;
}

static void fill_defaults(struct dp_session_config *config)
{
	if (config->handshakes_per_s == 0)
		config->handshakes_per_s = HANDSHAKES_PER_S;
	config->keepalive_ns = or_default(config->keepalive_ns, KEEPALIVE_NS);
	config->peer_silent_ns = or_default(config->peer_silent_ns, PEER_SILENT_NS);
	config->call_ns = or_default(config->call_ns, CALL_NS);
	config->client_idle_ns = or_default(config->client_idle_ns, CLIENT_IDLE_NS);
}

int dp_session_init(void *memory, size_t memory_bytes, const struct dp_session_config *config,
		    const struct dp_session_io *io, struct dp_session_table **ret_table)
{
	size_t footprint = dp_session_footprint(config);
	struct dp_session_table *table = memory;
	struct wire_responder_config responder;
	struct layout layout;

	if (footprint == 0)
		return ERR_CONFIG;
	if (!memory || memory_bytes < footprint || (uintptr_t)memory % 64 != 0)
		return ERR_MEMORY;
	layout = layout_of(config);
	memset(table, 0, footprint);
	table->config = *config;
	table->io = *io;
	fill_defaults(&table->config);
	table->is_client = config->me->role == WIRE_ROLE_CLIENT;
	table->slot = (void *)((uint8_t *)memory + layout.slots);
	table->peer = (void *)((uint8_t *)memory + layout.peers);
	table->subscription = (void *)((uint8_t *)memory + layout.subscriptions);
	table->slot_count = slots_of(config);
	table->client_slot_first = config->member_count * SESSION_SLOTS_PER_PEER;
	table->bucket_count = buckets_of(config);
	table->deadline_ns = UINT64_MAX;
	if (!table->is_client) {
		responder = (struct wire_responder_config){
			.me = config->me,
			.member = config->member,
			.member_count = config->member_count,
			.takes_clients = config->clients_max > 0,
		};
		memcpy(responder.cookie_secret, config->cookie_secret, WIRE_COOKIE_SECRET_BYTES);
		wire_responder_init(&table->responder, &responder);
		crypto_wipe(&responder, sizeof(responder));
	}
	session_peers_init(table);
	session_clients_init(table);
	*ret_table = table;
	return 0;
}

void dp_session_fini(struct dp_session_table *table)
{
	if (!table)
		return;
	for (uint32_t i = 0; i < table->slot_count; i++)
		crypto_wipe(&table->slot[i].session, sizeof(table->slot[i].session));
	for (uint32_t i = 0; i < table->config.member_count; i++)
		crypto_wipe(&table->peer[i], sizeof(table->peer[i]));
	crypto_wipe(table, sizeof(*table));
}

static void count_open_error(struct dp_session_table *table, int code)
{
	if (code == ERR_SIGNATURE)
		session_drop(table, DP_DROP_TAG);
	else if (code == ERR_REPLAY)
		session_drop(table, DP_DROP_REPLAY);
	else
		session_drop(table, DP_DROP_PACKET);
}

/* Opens a packet and takes note of who is alive. False: dropped and counted. */
static bool open_packet(struct dp_session_table *table, struct session_slot *slot,
			const struct dp_net_path *from, const uint8_t *bytes, uint32_t byte_count,
			uint8_t *ret_plain, struct wire_piece *ret_piece, uint64_t now_ns)
{
	int code = wire_session_open(&slot->session, bytes, byte_count, ret_plain, ret_piece);

	if (code != 0) {
		count_open_error(table, code);
		return false;
	}
	table->status.packets_in++;
	slot->heard_ns = now_ns;
	slot->path = *from;
	if (!slot->is_client)
		session_peer_seen(&table->peer[slot->peer], from);
	if (slot->state == SESSION_OFFERED) {
		slot->state = SESSION_STANDS;
		if (slot->is_client)
			session_client_stands(table, slot);
		else
			session_peer_stands(table, session_slot_index(table, slot), now_ns);
	}
	return true;
}

static struct dp_session_message message_of(const struct session_slot *slot, uint8_t stream)
{
	return (struct dp_session_message){
		.source = slot->is_client ? DP_SESSION_FROM_CLIENT : DP_SESSION_FROM_PEER,
		.stream = stream,
		.replica = slot->peer,
		.client = slot->id,
	};
}

static void client_input(struct dp_session_table *table, struct session_slot *slot,
			 const struct dp_net_path *from, const uint8_t *bytes, uint32_t byte_count,
			 uint64_t now_ns)
{
	struct dp_session_message message = message_of(slot, bytes[AT_STREAM]);
	uint8_t *room = table->io.room(table->io.context, &message, WIRE_DATAGRAM_BYTES_MAX);
	uint8_t *plain = room ? room : table->scratch;
	struct wire_piece piece;

	if (!open_packet(table, slot, from, bytes, byte_count, plain, &piece, now_ns))
		return;
	if (piece.count != 1) {
		session_drop(table, DP_DROP_PIECE);
		return;
	}
	if (piece.byte_count == 0) {
		if (now_ns - slot->sent_ns > table->config.keepalive_ns / 4)
			session_keepalive(table, slot, &slot->path, now_ns);
		return;
	}
	if (!session_client_may(table, slot, piece.byte_count, now_ns))
		return;
	message.byte_count = piece.byte_count;
	if (room) {
		table->io.deliver(table->io.context, &message);
		return;
	}
	session_drop(table, DP_DROP_RING_FULL);
	if (table->io.refuse)
		table->io.refuse(table->io.context, &message, plain);
}

static void deliver_whole(struct dp_session_table *table, struct dp_session_message *message,
			  const uint8_t *bytes, uint32_t byte_count)
{
	uint8_t *room = table->io.room(table->io.context, message, byte_count);

	if (!room) {
		session_drop(table, DP_DROP_RING_FULL);
		return;
	}
	memcpy(room, bytes, byte_count);
	message->byte_count = byte_count;
	table->io.deliver(table->io.context, message);
}

static void piece_input(struct dp_session_table *table, struct session_slot *slot,
			const struct wire_piece *piece)
{
	struct session_peer *peer = &table->peer[slot->peer];
	uint32_t index = session_slot_index(table, slot);
	struct dp_session_message message = message_of(slot, piece->stream);
	struct wire_assembly *assembly = &peer->assembly[piece->stream];
	const uint8_t *whole;
	uint32_t whole_bytes;
	int code;

	if (peer->assembly_slot != index) {
		for (uint32_t i = 0; i < WIRE_STREAMS_MAX; i++)
			wire_assembly_init(&peer->assembly[i]);
		peer->assembly_slot = index;
	}
	if (assembly->is_open && piece->message_id != assembly->message_id)
		session_drop(table, DP_DROP_REASSEMBLY);
	code = wire_assembly_add(assembly, piece, &whole, &whole_bytes);
	if (code == 1)
		deliver_whole(table, &message, whole, whole_bytes);
	else if (code < 0)
		session_drop(table, DP_DROP_PIECE);
}

static void peer_input(struct dp_session_table *table, struct session_slot *slot,
		       const struct dp_net_path *from, const uint8_t *bytes, uint32_t byte_count,
		       uint64_t now_ns)
{
	struct dp_session_message message = message_of(slot, bytes[AT_STREAM]);
	bool is_single = bytes[AT_PIECE_COUNT] == 1 && bytes[AT_STREAM] < WIRE_STREAMS_MAX &&
			 byte_count > WIRE_DATA_OVERHEAD_BYTES;
	uint8_t *room =
		is_single ? table->io.room(table->io.context, &message, WIRE_DATAGRAM_BYTES_MAX) :
			    NULL;
	struct wire_piece piece;

	if (!open_packet(table, slot, from, bytes, byte_count, room ? room : table->scratch, &piece,
			 now_ns))
		return;
	if (piece.byte_count == 0)
		return;
	if (!session_bucket_take(&table->peer[slot->peer].messages,
				 table->config.peer_messages_per_s, 1, now_ns)) {
		session_drop(table, DP_DROP_FRAME_RATE);
		return;
	}
	if (piece.count > 1) {
		piece_input(table, slot, &piece);
		return;
	}
	if (!room) {
		session_drop(table, DP_DROP_RING_FULL);
		return;
	}
	message.byte_count = piece.byte_count;
	table->io.deliver(table->io.context, &message);
}

static void data_input(struct dp_session_table *table, const struct dp_net_path *from,
		       const uint8_t *bytes, uint32_t byte_count, uint32_t receiver,
		       uint64_t now_ns)
{
	struct session_slot *slot = session_slot_of(table, receiver);

	if (!slot || slot->state == SESSION_CALLING) {
		session_drop(table, DP_DROP_NO_SESSION);
		return;
	}
	if (byte_count < WIRE_DATA_OVERHEAD_BYTES || byte_count > WIRE_DATAGRAM_BYTES_MAX) {
		session_drop(table, DP_DROP_PACKET);
		return;
	}
	if (slot->is_client)
		client_input(table, slot, from, bytes, byte_count, now_ns);
	else
		peer_input(table, slot, from, bytes, byte_count, now_ns);
}

static void initiation_input(struct dp_session_table *table, const struct dp_net_path *from,
			     const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns)
{
	enum wire_role role;
	uint32_t replica;

	if (table->is_client || !wire_initiation_claim(bytes, byte_count, &role, &replica)) {
		session_drop(table, DP_DROP_PACKET);
		return;
	}
	if (role == WIRE_ROLE_CLIENT)
		session_client_initiation(table, from, bytes, byte_count, now_ns);
	else
		session_peer_initiation(table, from, bytes, byte_count, replica, now_ns);
}

void dp_session_input(struct dp_session_table *table, const struct dp_net_path *from,
		      const uint8_t *bytes, uint32_t byte_count, uint64_t now_ns)
{
	enum wire_packet_type type;
	uint32_t receiver;

	if (!wire_packet_peek(bytes, byte_count, &type, &receiver)) {
		session_drop(table, DP_DROP_PACKET);
		return;
	}
	switch (type) {
	case WIRE_PACKET_DATA:
		data_input(table, from, bytes, byte_count, receiver, now_ns);
		break;
	case WIRE_PACKET_INITIATION:
		initiation_input(table, from, bytes, byte_count, now_ns);
		break;
	case WIRE_PACKET_COOKIE:
	case WIRE_PACKET_RESPONSE:
	case WIRE_PACKET_REFUSAL:
		session_peer_answer(table, from, bytes, byte_count, receiver, now_ns);
		break;
	}
}

void dp_session_status(const struct dp_session_table *table, struct dp_session_status *ret_status)
{
	*ret_status = table->status;
	for (uint32_t i = 0; i < table->config.member_count; i++) {
		if (table->peer[i].is_up)
			bitset_add(&ret_status->peers_up, i);
		ret_status->refusal[i] = table->peer[i].refusal;
	}
}

uint64_t dp_session_deadline_ns(const struct dp_session_table *table)
{
	return table->deadline_ns;
}
