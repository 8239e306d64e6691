#include "node/node_tile_net.h"

#include <string.h>

#include "base/units.h"
#include "node/node_beat.h"

struct net_tile {
	struct node_net_setup io;
	_Alignas(64) uint8_t inner[]; /* dp_tile_net's own memory */
};

static size_t net_footprint(const void *setup)
{
	const struct node_net_setup *io = setup;
	size_t inner = dp_tile_net.footprint(io->net);

	return inner == 0 ? 0 : sizeof(struct net_tile) + inner;
}

static int net_setup(void *memory, const void *setup)
{
	struct net_tile *self = memory;

	memset(self, 0, sizeof(*self));
	self->io = *(const struct node_net_setup *)setup;
	self->io.view->port_count = self->io.net->port_count;
	return dp_tile_net.setup(self->inner, self->io.net);
}

static uint32_t net_on_turn(void *memory, uint64_t now_ns)
{
	struct net_tile *self = memory;

	return dp_tile_net.on_turn(self->inner, now_ns);
}

static void word(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void publish_ports(struct net_tile *self)
{
	for (uint32_t i = 0; i < self->io.view->port_count; i++) {
		const struct dp_port *port = dp_tile_net_port_at(self->inner, i);

		word(&self->io.view->port[i].is_up, port->is_up);
		word(&self->io.view->port[i].rx_packets, port->counters.rx_packets);
		word(&self->io.view->port[i].tx_packets, port->counters.tx_packets);
		word(&self->io.view->port[i].rx_bytes, port->counters.rx_bytes);
		word(&self->io.view->port[i].tx_bytes, port->counters.tx_bytes);
		word(&self->io.view->port[i].missed, port->counters.no_buffer);
	}
}

static void net_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct net_tile *self = memory;
	struct dp_tile_net_status status;

	dp_tile_net.on_housekeeping(self->inner, now_ns);
	dp_tile_net_status(self->inner, &status);
	for (uint32_t i = 0; i < DP_DROP_COUNT; i++)
		ctl_family_set(self->io.drops, i, status.drops.count[i]);
	ctl_metric_set(self->io.metrics, CTL_METRIC_PEER_SESSIONS,
		       bitset_count(&status.session.peers_up));
	ctl_metric_set(self->io.metrics, CTL_METRIC_CLIENT_SESSIONS, status.session.clients);
	ctl_metric_set(self->io.metrics, CTL_METRIC_HANDSHAKES_DONE, status.session.handshakes);
	word(&self->io.view->peers_up[0], status.session.peers_up.word[0]);
	word(&self->io.view->peers_up[1], status.session.peers_up.word[1]);
	word(&self->io.view->clients, status.session.clients);
	publish_ports(self);
	node_beat(self->io.metrics, self->io.loop, now_ns);
}

static uint64_t net_deadline_ns(const void *memory)
{
	const struct net_tile *self = memory;

	return dp_tile_net.deadline_ns ? dp_tile_net.deadline_ns(self->inner) : UINT64_MAX;
}

static uint32_t net_wait_fds(void *memory, int ret_fds[DP_TILE_FDS_MAX])
{
	struct net_tile *self = memory;

	return dp_tile_net.wait_fds ? dp_tile_net.wait_fds(self->inner, ret_fds) : 0;
}

static bool net_before_sleep(void *memory)
{
	struct net_tile *self = memory;

	return dp_tile_net.before_sleep ? dp_tile_net.before_sleep(self->inner) : true;
}

static void net_after_sleep(void *memory)
{
	struct net_tile *self = memory;

	if (dp_tile_net.after_sleep)
		dp_tile_net.after_sleep(self->inner);
}

static void net_fini(void *memory)
{
	struct net_tile *self = memory;

	if (dp_tile_net.fini)
		dp_tile_net.fini(self->inner);
}

const struct dp_tile node_tile_net = {
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
