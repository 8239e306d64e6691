#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "dataplane/dp_session_table.h"

enum {
	CALLS_WITH_ONE_KEY = 8,
	ROTATE_S = 120,
};

#define CALL_WAIT_MAX_NS UNITS_NS_PER_S
#define OLD_SESSION_NS (5 * UNITS_NS_PER_S)
#define SECOND_CALLER_NS (20 * UNITS_NS_PER_MS)

void session_peers_init(struct dp_session_table *table)
{
	for (uint32_t i = 0; i < table->config.member_count; i++) {
		struct session_peer *peer = &table->peer[i];

		peer->current = SESSION_NO_SLOT;
		peer->old = SESSION_NO_SLOT;
		peer->offered = SESSION_NO_SLOT;
		peer->calling = SESSION_NO_SLOT;
		peer->assembly_slot = SESSION_NO_SLOT;
		peer->call_ns = UINT64_MAX;
	}
}

static uint32_t number_of(const struct dp_session_table *table, const struct session_peer *peer)
{
	return (uint32_t)(peer - table->peer);
}

/* A free one of the peer's own slots: there are as many as a session can have roles. */
static uint32_t slot_take(struct dp_session_table *table, uint32_t replica)
{
	uint32_t first = replica * SESSION_SLOTS_PER_PEER;

	for (uint32_t i = first; i < first + SESSION_SLOTS_PER_PEER; i++)
		if (table->slot[i].state == SESSION_FREE)
			return i;
	return SESSION_NO_SLOT;
}

static void slot_release(struct dp_session_table *table, uint32_t *slot)
{
	session_slot_free(table, *slot);
	*slot = SESSION_NO_SLOT;
}

void dp_session_add_peer(struct dp_session_table *table, uint32_t replica,
			 const struct dp_net_path *path)
{
	struct session_peer *peer;

	ensure(replica < table->config.member_count);
	ensure(table->is_client || replica != table->config.me->replica);
	peer = &table->peer[replica];
	peer->is_set = true;
	peer->path = *path;
	peer->mac = path->mac;
	dp_session_kick(table, replica, 0);
}

void dp_session_kick(struct dp_session_table *table, uint32_t replica, uint64_t now_ns)
{
	struct session_peer *peer;
	bool is_first = table->is_client || table->config.me->replica < replica;

	ensure(replica < table->config.member_count);
	peer = &table->peer[replica];
	if (!peer->is_set)
		return;
	peer->path.mac = peer->mac;
	peer->call_wait_ns = table->config.call_ns;
	peer->call_ns = now_ns + (is_first ? 0 : SECOND_CALLER_NS);
	table->deadline_ns = units_min(table->deadline_ns, peer->call_ns);
}

void session_peer_seen(struct session_peer *peer, const struct dp_net_path *from)
{
	if (from->address == peer->path.address && from->udp_port == peer->path.udp_port &&
	    from->port == peer->path.port)
		peer->path.mac = from->mac;
}

static void peer_up(struct dp_session_table *table, struct session_peer *peer)
{
	peer->is_up = true;
	peer->refusal = WIRE_REFUSAL_NONE;
	peer->call_wait_ns = table->config.call_ns;
	peer->call_ns = UINT64_MAX;
	table->status.handshakes++;
	table->io.peer(table->io.context, number_of(table, peer), true);
}

static void peer_down(struct dp_session_table *table, struct session_peer *peer, uint64_t now_ns)
{
	slot_release(table, &peer->current);
	slot_release(table, &peer->old);
	peer->is_up = false;
	table->io.peer(table->io.context, number_of(table, peer), false);
	dp_session_kick(table, number_of(table, peer), now_ns);
}

/* Both ends have it: from here on it carries what is sent; the one before may still be heard. */
void session_peer_stands(struct dp_session_table *table, uint32_t slot, uint64_t now_ns)
{
	struct session_peer *peer = &table->peer[table->slot[slot].peer];

	if (peer->offered == slot)
		peer->offered = SESSION_NO_SLOT;
	if (peer->current != SESSION_NO_SLOT) {
		slot_release(table, &peer->old);
		peer->old = peer->current;
		peer->old_until_ns = now_ns + OLD_SESSION_NS;
	}
	peer->current = slot;
	table->deadline_ns = units_min(table->deadline_ns, now_ns + table->config.keepalive_ns);
	peer_up(table, peer);
}

static void send_call(struct dp_session_table *table, struct session_peer *peer, uint64_t now_ns)
{
	peer->call_count++;
	peer->call_ns = now_ns + peer->call_wait_ns;
	peer->call_wait_ns = units_min(2 * peer->call_wait_ns, CALL_WAIT_MAX_NS);
	session_send_answer(table, &peer->path, peer->initiator.packet, WIRE_INITIATION_BYTES);
}

static bool begin_call(struct dp_session_table *table, struct session_peer *peer, uint64_t now_ns)
{
	uint32_t replica = number_of(table, peer);
	struct wire_chance *chance;
	struct session_slot *slot;

	slot_release(table, &peer->calling);
	peer->calling = slot_take(table, replica);
	ensure(peer->calling != SESSION_NO_SLOT);
	chance = session_chance(table, peer->calling);
	if (!chance || wire_initiator_init(&peer->initiator, table->config.me, replica,
					   &table->config.member[replica], chance) != 0) {
		peer->calling = SESSION_NO_SLOT;
		return false;
	}
	slot = &table->slot[peer->calling];
	slot->state = SESSION_CALLING;
	slot->peer = replica;
	slot->born_ns = now_ns;
	slot->session.local_index = chance->index;
	session_chance_used(table);
	peer->call_count = 0;
	return true;
}

static void call(struct dp_session_table *table, struct session_peer *peer, uint64_t now_ns)
{
	bool is_worn = peer->call_count >= CALLS_WITH_ONE_KEY;

	if ((peer->calling == SESSION_NO_SLOT || is_worn) && !begin_call(table, peer, now_ns)) {
		session_drop(table, DP_DROP_HANDSHAKE_RATE);
		peer->call_ns = now_ns + table->config.call_ns;
		return;
	}
	send_call(table, peer, now_ns);
}

static void call_done(struct dp_session_table *table, struct session_peer *peer,
		      const struct dp_net_path *from, uint64_t now_ns)
{
	uint32_t index = peer->calling;
	struct session_slot *slot = &table->slot[index];

	peer->calling = SESSION_NO_SLOT;
	crypto_wipe(&peer->initiator, sizeof(peer->initiator));
	slot->state = SESSION_STANDS;
	slot->path = *from;
	slot->heard_ns = now_ns;
	session_peer_seen(peer, from);
	session_peer_stands(table, index, now_ns);
	session_keepalive(table, slot, &peer->path, now_ns);
}

void session_peer_answer(struct dp_session_table *table, const struct dp_net_path *from,
			 const uint8_t *bytes, uint32_t byte_count, uint32_t receiver,
			 uint64_t now_ns)
{
	struct session_slot *slot = session_slot_of(table, receiver);
	struct session_peer *peer;

	if (!slot || slot->state != SESSION_CALLING) {
		session_drop(table, DP_DROP_NO_SESSION);
		return;
	}
	peer = &table->peer[slot->peer];
	ensure(peer->calling == session_slot_index(table, slot));
	switch (wire_initiator_input(&peer->initiator, bytes, byte_count, &slot->session)) {
	case WIRE_STEP_SEND:
		session_send_answer(table, &peer->path, peer->initiator.packet,
				    WIRE_INITIATION_BYTES);
		break;
	case WIRE_STEP_DONE:
		call_done(table, peer, from, now_ns);
		break;
	case WIRE_STEP_REFUSED:
		peer->refusal = peer->initiator.refusal;
		break;
	case WIRE_STEP_IGNORED:
		session_drop(table, DP_DROP_HANDSHAKE);
		break;
	}
}

static void count_refusal(struct dp_session_table *table, const struct wire_answer *answer)
{
	static const enum dp_drop reason[WIRE_REFUSAL_COUNT] = {
		[WIRE_REFUSAL_NONE] = DP_DROP_HANDSHAKE,
		[WIRE_REFUSAL_VERSION] = DP_DROP_HANDSHAKE,
		[WIRE_REFUSAL_CHAIN] = DP_DROP_CHAIN,
		[WIRE_REFUSAL_BUILD] = DP_DROP_BUILD,
		[WIRE_REFUSAL_SET] = DP_DROP_EPOCH,
		[WIRE_REFUSAL_MEMBER] = DP_DROP_UNKNOWN_PEER,
		[WIRE_REFUSAL_CIPHER] = DP_DROP_CIPHER,
		[WIRE_REFUSAL_FULL] = DP_DROP_CLIENTS_FULL,
	};
	uint8_t refusal = answer->bytes[2];

	if (answer->bytes[0] == WIRE_PACKET_REFUSAL && refusal < WIRE_REFUSAL_COUNT)
		session_drop(table, reason[refusal]);
}

/* An initiation sent twice, because its answer was slow, gets that answer again. */
static bool is_repeated(struct dp_session_table *table, const struct dp_net_path *from,
			const uint8_t *bytes, uint32_t byte_count)
{
	if (byte_count != WIRE_INITIATION_BYTES)
		return false;
	for (uint32_t i = 0; i < SESSION_OFFERS_MAX; i++) {
		const struct session_slot *slot = &table->slot[table->offer[i]];

		if (slot->answer.count == 0 ||
		    memcmp(slot->initiation, bytes, WIRE_INITIATION_BYTES) != 0)
			continue;
		if (slot->path.address == from->address && slot->path.udp_port == from->udp_port)
			session_send_answer(table, from, slot->answer.bytes, slot->answer.count);
		return true;
	}
	return false;
}

static void offer(struct dp_session_table *table, const struct dp_net_path *from,
		  const uint8_t *bytes, uint32_t index, struct wire_session *session,
		  const struct wire_answer *answer, uint64_t now_ns)
{
	struct session_slot *slot = &table->slot[index];

	session_slot_free(table, index);
	slot->session = *session;
	crypto_wipe(session, sizeof(*session));
	slot->state = SESSION_OFFERED;
	slot->path = *from;
	slot->born_ns = now_ns;
	slot->answer = *answer;
	memcpy(slot->initiation, bytes, WIRE_INITIATION_BYTES);
	table->offer[table->offer_next++ % SESSION_OFFERS_MAX] = index;
}

bool session_respond(struct dp_session_table *table, const struct dp_net_path *from,
		     const uint8_t *bytes, uint32_t byte_count, uint32_t index, uint64_t now_ns)
{
	struct wire_chance *chance = session_chance(table, index);
	uint64_t rate = table->config.handshakes_per_s;
	struct wire_session session;
	struct wire_answer answer;
	uint8_t source[8];
	enum wire_step step;

	if (is_repeated(table, from, bytes, byte_count))
		return false;
	if (!chance || !session_bucket_take(&table->handshakes, rate, 0, now_ns)) {
		session_drop(table, DP_DROP_HANDSHAKE_RATE);
		return false;
	}
	memcpy(source, &from->address, 4);
	memcpy(source + 4, &from->udp_port, 2);
	memcpy(source + 6, &from->port, 2);
	step = wire_responder_input(&table->responder, source, sizeof(source), bytes, byte_count,
				    chance, &answer, &session);
	if (step == WIRE_STEP_SEND) {
		count_refusal(table, &answer);
		session_send_answer(table, from, answer.bytes, answer.count);
		return false;
	}
	/* Both ways to get here had a key exchange; cookies and refusals cost a hash. */
	session_bucket_take(&table->handshakes, rate, 1, now_ns);
	if (step != WIRE_STEP_DONE) {
		session_drop(table, DP_DROP_HANDSHAKE);
		return false;
	}
	session_chance_used(table);
	offer(table, from, bytes, index, &session, &answer, now_ns);
	session_send_answer(table, from, answer.bytes, answer.count);
	return true;
}

void session_peer_initiation(struct dp_session_table *table, const struct dp_net_path *from,
			     const uint8_t *bytes, uint32_t byte_count, uint32_t replica,
			     uint64_t now_ns)
{
	struct session_peer *peer;
	uint32_t index;

	if (replica >= table->config.member_count || !table->peer[replica].is_set ||
	    table->peer[replica].path.address != from->address) {
		session_drop(table, DP_DROP_UNKNOWN_PEER);
		return;
	}
	peer = &table->peer[replica];
	index = peer->offered != SESSION_NO_SLOT ? peer->offered : slot_take(table, replica);
	ensure(index != SESSION_NO_SLOT);
	if (!session_respond(table, from, bytes, byte_count, index, now_ns))
		return;
	ensure(table->slot[index].session.replica == replica);
	table->slot[index].peer = replica;
	peer->offered = index;
}

/* Both may have called at once and each send on its own session: being heard on any counts. */
static uint64_t heard_ns(const struct dp_session_table *table, const struct session_peer *peer)
{
	uint64_t heard = table->slot[peer->current].heard_ns;

	if (peer->old != SESSION_NO_SLOT)
		heard = units_max(heard, table->slot[peer->old].heard_ns);
	return heard;
}

static bool is_out_of_use(const struct dp_session_table *table, const struct session_peer *peer,
			  uint64_t now_ns)
{
	return peer->old != SESSION_NO_SLOT && now_ns >= peer->old_until_ns &&
	       now_ns - table->slot[peer->old].heard_ns >= table->config.peer_silent_ns;
}

static uint64_t tick_session(struct dp_session_table *table, struct session_peer *peer,
			     uint64_t now_ns)
{
	struct session_slot *slot = &table->slot[peer->current];
	uint64_t silent_ns = heard_ns(table, peer) + table->config.peer_silent_ns;
	uint64_t keepalive_ns = slot->sent_ns + table->config.keepalive_ns;

	if (now_ns >= silent_ns) {
		peer_down(table, peer, now_ns);
		return peer->call_ns;
	}
	if (now_ns >= keepalive_ns) {
		session_keepalive(table, slot, &peer->path, now_ns);
		keepalive_ns = now_ns + table->config.keepalive_ns;
	}
	if (wire_session_wants_rekey(&slot->session) && peer->call_ns == UINT64_MAX)
		dp_session_kick(table, number_of(table, peer), now_ns);
	return units_min(silent_ns, keepalive_ns);
}

static uint64_t tick_peer(struct dp_session_table *table, struct session_peer *peer,
			  uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	if (peer->current != SESSION_NO_SLOT)
		next_ns = tick_session(table, peer, now_ns);
	if (is_out_of_use(table, peer, now_ns))
		slot_release(table, &peer->old);
	if (now_ns >= peer->call_ns)
		call(table, peer, now_ns);
	return units_min(next_ns, peer->call_ns);
}

static void rotate_cookies(struct dp_session_table *table, uint64_t now_ns)
{
	const struct wire_chance *chance;

	if (table->is_client || now_ns - table->rotated_ns < ROTATE_S * UNITS_NS_PER_S)
		return;
	chance = session_chance(table, 0);
	if (!chance)
		return;
	wire_responder_rotate(&table->responder, chance->ephemeral.b);
	session_chance_used(table);
	table->rotated_ns = now_ns;
}

void dp_session_tick(struct dp_session_table *table, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	if (now_ns < table->deadline_ns)
		return;
	table->deadline_ns = UINT64_MAX;
	for (uint32_t i = 0; i < table->config.member_count; i++)
		if (table->peer[i].is_set)
			next_ns = units_min(next_ns, tick_peer(table, &table->peer[i], now_ns));
	rotate_cookies(table, now_ns);
	table->deadline_ns = units_min(table->deadline_ns, next_ns);
}

uint32_t dp_session_send_peers(struct dp_session_table *table, const struct bitset *to,
			       enum wire_stream stream, const uint8_t *bytes, uint32_t byte_count,
			       uint64_t now_ns)
{
	uint32_t sent = 0;

	for (uint32_t i = 0; i < table->config.member_count; i++) {
		struct session_peer *peer = &table->peer[i];

		if (!bitset_has(to, i) || !peer->is_set)
			continue;
		if (peer->current == SESSION_NO_SLOT)
			session_drop(table, DP_DROP_PEER_DOWN);
		else if (session_send(table, &table->slot[peer->current], &peer->path, stream,
				      bytes, byte_count, now_ns))
			sent++;
	}
	return sent;
}
