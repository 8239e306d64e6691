#include "dataplane/dp_tile_net_ports.h"

#include <string.h>

#include "base/ensure.h"

enum { ARPS_PER_TURN = 4 };

static const struct dp_mac nobody = { { 0 } };

int net_port_setup(struct net_port *self, const struct dp_tile_net_port *setup,
		   struct dp_bell *bell)
{
	struct dp_net_config net = setup->net;
	int code;

	memset(self, 0, sizeof(*self));
	self->port = setup->port;
	self->bell = bell;
	self->peer = setup->peer;
	if (memcmp(&net.mac, &nobody, sizeof(nobody)) == 0)
		net.mac = setup->port->mac;
	code = dp_net_init(&self->net, &net);
	if (code == 0 && bell && setup->bell[0] != '\0') {
		code = dp_bell_ringer_open(bell, &self->ringer, setup->bell);
		self->has_bell = code == 0;
	}
	return code;
}

static void let_go(struct net_port *self)
{
	if (self->has_held)
		dp_port_give_back(self->port, &self->out[self->out_count], 1);
	self->has_held = false;
}

void net_port_fini(struct net_port *self, bool closes)
{
	if (!self->port)
		return;
	if (closes) {
		net_port_flush(self);
		let_go(self);
		dp_port_close(self->port);
	}
	if (self->has_bell)
		dp_bell_ringer_close(self->bell, &self->ringer);
	self->has_bell = false;
	self->port = NULL;
}

void net_port_flush(struct net_port *self)
{
	struct dp_packet held = self->out[self->out_count % DP_PORT_BURST_MAX];
	uint32_t sent;

	if (self->out_count == 0)
		return;
	sent = dp_port_send(self->port, self->out, self->out_count);
	self->out_count = 0;
	if (self->has_held)
		self->out[0] = held;
	if (sent > 0 && self->has_bell)
		dp_bell_ring(self->bell, &self->ringer);
}

static bool hold(struct net_port *self)
{
	if (self->has_held)
		return true;
	if (self->out_count == DP_PORT_BURST_MAX)
		net_port_flush(self);
	self->has_held = dp_port_take(self->port, &self->out[self->out_count]);
	return self->has_held;
}

static void send_held(struct net_port *self, uint32_t frame_bytes)
{
	self->out[self->out_count++].byte_count = frame_bytes;
	self->has_held = false;
}

uint8_t *net_port_packet(struct net_port *self, const struct dp_net_path *to, uint64_t now_ns)
{
	if (!self->port->is_up) {
		dp_drops_add(&self->net.drops, DP_DROP_LINK_FULL);
		return NULL;
	}
	self->held_mac = to->mac;
	if (memcmp(&to->mac, &nobody, sizeof(nobody)) == 0 &&
	    !dp_net_resolve(&self->net, to->address, now_ns, &self->held_mac))
		return NULL;
	if (!hold(self))
		return NULL;
	return self->out[self->out_count].bytes + DP_NET_HEAD_BYTES;
}

void net_port_send(struct net_port *self, const struct dp_net_path *to, uint32_t bytes)
{
	struct dp_net_path path = *to;

	ensure(self->has_held);
	path.mac = self->held_mac;
	send_held(self, dp_net_finish(&self->net, self->out[self->out_count].bytes, &path, bytes));
}

void net_port_answer(struct net_port *self, struct dp_packet *packet, uint32_t bytes)
{
	let_go(self);
	if (self->out_count == DP_PORT_BURST_MAX)
		net_port_flush(self);
	packet->byte_count = bytes;
	self->out[self->out_count++] = *packet;
}

static void ask_neighbours(struct net_port *self, uint64_t now_ns)
{
	uint8_t frame[DP_NET_ARP_BYTES];

	for (uint32_t i = 0; i < ARPS_PER_TURN; i++) {
		uint32_t bytes = dp_net_arp_due(&self->net, now_ns, frame);

		if (bytes == 0 || !hold(self))
			return;
		memcpy(self->out[self->out_count].bytes, frame, bytes);
		send_held(self, bytes);
	}
}

bool net_port_housekeep(struct net_port *self, uint64_t now_ns)
{
	bool is_fresh;

	dp_port_housekeep(self->port, now_ns);
	is_fresh = self->port->is_up && !self->was_up;
	self->was_up = self->port->is_up;
	if (self->has_bell)
		dp_bell_ringer_housekeep(self->bell, &self->ringer, now_ns, is_fresh);
	if (is_fresh) {
		dp_net_forget(&self->net);
		if (hold(self))
			send_held(self,
				  dp_net_announce(&self->net, self->out[self->out_count].bytes));
	}
	if (self->was_up)
		ask_neighbours(self, now_ns);
	net_port_flush(self);
	return is_fresh;
}
