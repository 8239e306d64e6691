/* The net tile: ports and sessions on one side, rings of plain messages on the other. */

#include "dataplane/dp_tile_net.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_tile_net_ports.h"

enum { MESSAGES_PER_TURN = 64 }; /* out of each ring */

#define LINK_LOOK_NS (20 * UNITS_NS_PER_MS)

struct net_tile {
	struct dp_ring *to_core;
	struct dp_ring *to_lane;
	struct dp_ring *to_client;
	uint32_t from_count;
	struct dp_ring *from[DP_TILE_NET_RINGS_MAX];
	struct dp_bell *bell;
	void (*random)(void *ret_bytes, size_t count);
	uint32_t (*busy_answer)(const uint8_t *message, uint32_t byte_count,
				uint8_t ret_answer[WIRE_SINGLE_BYTES_MAX]);
	struct dp_session_table *sessions;
	struct dp_ring *room_in; /* whose room was last given out */
	struct bitset events;    /* peers whose news did not fit into to_core yet */
	struct bitset events_up;
	uint64_t now_ns;
	uint64_t housekept_ns;
	bool is_any_down;
	uint32_t port_count;
	struct net_port *port;
};

static size_t tile_bytes(void)
{
	return units_round_up(sizeof(struct net_tile), 64);
}

static size_t ports_bytes(uint32_t count)
{
	return units_round_up(count * sizeof(struct net_port), 64);
}

static size_t net_footprint(const void *memory)
{
	const struct dp_tile_net_setup *setup = memory;
	size_t sessions = dp_session_footprint(&setup->session);

	if (sessions == 0 || setup->port_count == 0 || setup->port_count > DP_PORTS_MAX ||
	    setup->from_count > DP_TILE_NET_RINGS_MAX || !setup->random || !setup->to_core ||
	    !setup->to_lane || !setup->to_client)
		return 0;
	return tile_bytes() + ports_bytes(setup->port_count) + sessions;
}

static uint8_t *on_packet(void *memory, const struct dp_net_path *to)
{
	struct net_tile *self = memory;

	ensure(to->port < self->port_count);
	return net_port_packet(&self->port[to->port], to, self->now_ns);
}

static void on_send(void *memory, const struct dp_net_path *to, uint32_t bytes)
{
	struct net_tile *self = memory;

	net_port_send(&self->port[to->port], to, bytes);
}

static struct dp_ring *ring_of(const struct net_tile *self, const struct dp_session_message *about)
{
	if (about->source == DP_SESSION_FROM_CLIENT)
		return self->to_client;
	switch (about->stream) {
	case WIRE_STREAM_LANE:
	case WIRE_STREAM_REPAIR:
	case WIRE_STREAM_LEAVES:
	case WIRE_STREAM_BLOCKS:
		return self->to_lane;
	default:
		return self->to_core;
	}
}

static uint8_t *on_room(void *memory, const struct dp_session_message *about, uint32_t bytes)
{
	struct net_tile *self = memory;

	self->room_in = ring_of(self, about);
	return dp_ring_reserve(self->room_in, bytes);
}

static void on_deliver(void *memory, const struct dp_session_message *message)
{
	struct net_tile *self = memory;
	bool is_client = message->source == DP_SESSION_FROM_CLIENT;
	const struct dp_ring_header header = {
		.kind = is_client ? DP_NET_CLIENT_MESSAGE : DP_NET_PEER_MESSAGE,
		.source = is_client ? 0 : message->replica,
		.tag = message->stream,
		.aux = is_client ? message->client : self->now_ns,
		.aux_high = is_client ? self->now_ns : 0,
	};

	ensure(ring_of(self, message) == self->room_in);
	dp_ring_commit(self->room_in, &header, message->byte_count);
}

static void on_refuse(void *memory, const struct dp_session_message *message, const uint8_t *bytes)
{
	struct net_tile *self = memory;
	uint8_t answer[WIRE_SINGLE_BYTES_MAX];
	uint32_t count = self->busy_answer ? self->busy_answer(bytes, message->byte_count, answer) :
					     0;

	if (count > 0)
		dp_session_send_client(self->sessions, message->client, answer, count,
				       self->now_ns);
}

static bool tell_peer(struct net_tile *self, uint32_t replica, bool is_up)
{
	const struct dp_ring_header header = {
		.kind = is_up ? DP_NET_PEER_UP : DP_NET_PEER_DOWN,
		.source = replica,
		.aux = self->now_ns,
	};

	return dp_ring_push(self->to_core, &header, NULL, 0);
}

static void on_peer(void *memory, uint32_t replica, bool is_up)
{
	struct net_tile *self = memory;

	bitset_remove(&self->events, replica);
	if (tell_peer(self, replica, is_up))
		return;
	bitset_add(&self->events, replica);
	if (is_up)
		bitset_add(&self->events_up, replica);
	else
		bitset_remove(&self->events_up, replica);
}

static void tell_late(struct net_tile *self)
{
	for (uint32_t i = 0; i < DP_SESSION_PEERS_MAX; i++)
		if (bitset_has(&self->events, i) &&
		    tell_peer(self, i, bitset_has(&self->events_up, i)))
			bitset_remove(&self->events, i);
}

static void draw_chances(struct net_tile *self)
{
	struct wire_chance chance;

	while (dp_session_chances_wanted(self->sessions) > 0) {
		self->random(&chance, sizeof(chance));
		dp_session_give_chance(self->sessions, &chance);
	}
	crypto_wipe(&chance, sizeof(chance));
}

static int sessions_setup(struct net_tile *self, const struct dp_tile_net_setup *setup,
			  void *memory)
{
	struct dp_session_config config = setup->session;
	const struct dp_session_io io = {
		.context = self,
		.room = on_room,
		.deliver = on_deliver,
		.refuse = on_refuse,
		.packet = on_packet,
		.send = on_send,
		.peer = on_peer,
	};
	int code;

	self->random(config.cookie_secret, sizeof(config.cookie_secret));
	self->random(config.hash_seed, sizeof(config.hash_seed));
	code = dp_session_init(memory, dp_session_footprint(&config), &config, &io,
			       &self->sessions);
	crypto_wipe(&config, sizeof(config));
	if (code != 0)
		return code;
	draw_chances(self);
	for (uint32_t i = 0; i < setup->session.member_count; i++) {
		const struct dp_tile_net_peer *peer = &setup->peer[i];

		if (!peer->is_set)
			continue;
		if (peer->port >= setup->port_count)
			return ERR_CONFIG;
		dp_session_add_peer(self->sessions, i,
				    &(struct dp_net_path){ .address = peer->address,
							   .udp_port = peer->udp_port,
							   .port = peer->port });
	}
	return 0;
}

static int net_setup(void *memory, const void *setup_memory)
{
	const struct dp_tile_net_setup *setup = setup_memory;
	struct net_tile *self = memory;
	uint8_t *after = (uint8_t *)memory + tile_bytes();
	uint32_t done;
	int code = 0;

	if (net_footprint(setup) == 0)
		return ERR_CONFIG;
	*self = (struct net_tile){
		.to_core = setup->to_core,
		.to_lane = setup->to_lane,
		.to_client = setup->to_client,
		.from_count = setup->from_count,
		.bell = setup->bell,
		.random = setup->random,
		.busy_answer = setup->busy_answer,
		.port_count = setup->port_count,
		.port = (void *)after,
	};
	memcpy(self->from, setup->from, sizeof(self->from));
	for (done = 0; done < setup->port_count && code == 0; done++)
		code = net_port_setup(&self->port[done], &setup->port[done], setup->bell);
	if (code == 0)
		code = sessions_setup(self, setup, after + ports_bytes(setup->port_count));
	for (uint32_t i = 0; code != 0 && i < done; i++)
		net_port_fini(&self->port[i], false);
	return code;
}

static uint32_t receive(struct net_tile *self, uint32_t index)
{
	struct net_port *port = &self->port[index];
	struct dp_packet packets[DP_PORT_BURST_MAX];
	uint32_t count = dp_port_receive(port->port, packets, DP_PORT_BURST_MAX);
	uint32_t done = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct dp_net_datagram datagram;
		uint32_t bytes = packets[i].byte_count;

		switch (dp_net_input(&port->net, packets[i].bytes, &bytes, self->now_ns,
				     &datagram)) {
		case DP_NET_DATAGRAM:
			datagram.from.port = (uint16_t)index;
			dp_session_input(self->sessions, &datagram.from, datagram.bytes,
					 datagram.byte_count, self->now_ns);
			break;
		case DP_NET_ANSWER:
			net_port_answer(port, &packets[i], bytes);
			continue;
		case DP_NET_NOTHING:
			break;
		}
		packets[done++] = packets[i];
	}
	dp_port_give_back(port->port, packets, done);
	return count;
}

static void send_one(struct net_tile *self, const struct dp_ring_header *header,
		     const uint8_t *payload)
{
	const struct bitset to = { { header->aux, header->aux_high } };
	struct crypto_public_key key = { { 0 } };

	if (header->kind == DP_NET_SEND_KEY || header->kind == DP_NET_SUBSCRIBE) {
		ensure(header->bytes >= sizeof(key));
		memcpy(&key, payload, sizeof(key));
	}
	switch (header->kind) {
	case DP_NET_SEND_PEERS:
		dp_session_send_peers(self->sessions, &to, (enum wire_stream)header->tag, payload,
				      header->bytes, self->now_ns);
		break;
	case DP_NET_SEND_CLIENT:
		dp_session_send_client(self->sessions, header->aux, payload, header->bytes,
				       self->now_ns);
		break;
	case DP_NET_SEND_KEY:
		dp_session_send_key(self->sessions, &key, payload + sizeof(key),
				    header->bytes - (uint32_t)sizeof(key), self->now_ns);
		break;
	case DP_NET_SUBSCRIBE:
		dp_session_subscribe(self->sessions, header->aux, &key);
		break;
	case DP_NET_CHARGE:
		dp_session_charge(self->sessions, header->aux, header->source);
		break;
	default:
		ensure(header->kind == DP_NET_SEND_PEERS);
	}
}

static uint32_t send_ring(struct net_tile *self, struct dp_ring *ring)
{
	const struct dp_ring_header *header;
	const uint8_t *payload;
	uint32_t count = 0;

	while (count < MESSAGES_PER_TURN && (payload = dp_ring_peek(ring, &header)) != NULL) {
		send_one(self, header, payload);
		dp_ring_release(ring);
		count++;
	}
	return count;
}

static uint32_t net_on_turn(void *memory, uint64_t now_ns)
{
	struct net_tile *self = memory;
	uint32_t work = 0;

	self->now_ns = now_ns;
	for (uint32_t i = 0; i < self->port_count; i++)
		work += receive(self, i);
	for (uint32_t i = 0; i < self->from_count; i++)
		work += send_ring(self, self->from[i]);
	if (now_ns >= dp_session_deadline_ns(self->sessions)) {
		dp_session_tick(self->sessions, now_ns);
		work++;
	}
	if (!bitset_is_below(&self->events, 0))
		tell_late(self);
	if (dp_session_chances_wanted(self->sessions) > 0)
		draw_chances(self);
	for (uint32_t i = 0; i < self->port_count; i++)
		net_port_flush(&self->port[i]);
	return work;
}

static void net_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct net_tile *self = memory;

	self->now_ns = now_ns;
	self->housekept_ns = now_ns;
	self->is_any_down = false;
	if (self->bell)
		dp_bell_housekeep(self->bell);
	for (uint32_t i = 0; i < self->port_count; i++) {
		struct net_port *port = &self->port[i];

		if (net_port_housekeep(port, now_ns) && port->peer >= 0)
			dp_session_kick(self->sessions, (uint32_t)port->peer, now_ns);
		self->is_any_down = self->is_any_down || !port->was_up;
	}
}

static uint64_t net_deadline_ns(const void *memory)
{
	const struct net_tile *self = memory;
	uint64_t deadline = dp_session_deadline_ns(self->sessions);

	if (self->is_any_down)
		deadline = units_min(deadline, self->housekept_ns + LINK_LOOK_NS);
	return deadline;
}

static uint32_t net_wait_fds(void *memory, int ret_fds[DP_TILE_FDS_MAX])
{
	struct net_tile *self = memory;
	uint32_t count = 0;

	if (self->bell)
		ret_fds[count++] = dp_bell_fd(self->bell);
	for (uint32_t i = 0; i < self->port_count && count < DP_TILE_FDS_MAX; i++) {
		int fd = dp_port_wait_fd(self->port[i].port);
		bool is_new = fd >= 0;

		for (uint32_t k = 0; k < count; k++)
			is_new = is_new && ret_fds[k] != fd;
		if (is_new)
			ret_fds[count++] = fd;
	}
	return count;
}

static bool net_before_sleep(void *memory)
{
	struct net_tile *self = memory;

	if (self->bell)
		dp_bell_arm(self->bell);
	return true;
}

static void net_after_sleep(void *memory)
{
	struct net_tile *self = memory;

	if (!self->bell)
		return;
	dp_bell_disarm(self->bell);
	dp_bell_housekeep(self->bell);
}

static void net_fini(void *memory)
{
	struct net_tile *self = memory;

	for (uint32_t i = 0; i < self->port_count; i++)
		net_port_fini(&self->port[i], true);
	dp_session_fini(self->sessions);
	self->port_count = 0;
}

const struct dp_tile dp_tile_net = {
	.name = "net",
	.footprint = net_footprint,
	.setup = net_setup,
	.on_turn = net_on_turn,
	.on_housekeeping = net_on_housekeeping,
	.deadline_ns = net_deadline_ns,
	.wait_fds = net_wait_fds,
	.before_sleep = net_before_sleep,
	.after_sleep = net_after_sleep,
	.fini = net_fini,
};

void dp_tile_net_status(const void *memory, struct dp_tile_net_status *ret_status)
{
	const struct net_tile *self = memory;

	memset(ret_status, 0, sizeof(*ret_status));
	dp_session_status(self->sessions, &ret_status->session);
	ret_status->drops = ret_status->session.drops;
	ret_status->port_count = self->port_count;
	ret_status->bells_heard = self->bell ? self->bell->rings : 0;
	for (uint32_t i = 0; i < self->port_count; i++) {
		const struct net_port *port = &self->port[i];

		for (uint32_t k = 0; k < DP_DROP_COUNT; k++)
			ret_status->drops.count[k] += port->net.drops.count[k];
		ret_status->drops.count[DP_DROP_LINK_FULL] += port->port->counters.tx_dropped;
		ret_status->drops.count[DP_DROP_NO_BUFFER] += port->port->counters.no_buffer;
		ret_status->bells_rung += port->ringer.rings;
	}
}

const struct dp_port *dp_tile_net_port_at(const void *memory, uint32_t index)
{
	const struct net_tile *self = memory;

	return index < self->port_count ? self->port[index].port : NULL;
}
