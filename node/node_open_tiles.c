/* Rings and tiles: the tables of node_topology.c made real. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_session.h"
#include "node/node_node.h"
#include "node/node_tile_control.h"
#include "node/node_tile_replica.h"
#include "node/node_tile_signer.h"
#include "node/node_tile_store.h"
#include "node/node_tile_verify.h"

static int make_rings(struct node *node)
{
	for (uint32_t i = 0; i < NODE_RING_COUNT; i++) {
		uint32_t ring_bytes = node_rings[i].kib * 1024;
		size_t bytes = dp_ring_footprint(ring_bytes);
		void *memory = bytes ? node_memory(bytes) : NULL;

		if (!memory || dp_ring_init(memory, bytes, ring_bytes, &node->ring[i]) < 0)
			return node_fail(node, ERR_MEMORY,
					 "no memory for ring %s: %u KiB are needed",
					 node_rings[i].name, node_rings[i].kib);
	}
	return 0;
}

static const struct dp_tile_counters *loop_of(const struct node *node, enum node_tile_id tile)
{
	bool is_shared = node->config.cores_mode == NODE_CORES_SHARED;

	return &node->loop[is_shared ? 0 : node_tiles[tile].core].counters;
}

static int set_up(struct node *node, enum node_tile_id id, const void *setup)
{
	const struct dp_tile *tile = node_tiles[id].tile;
	size_t bytes = tile->footprint(setup);
	int code;

	node->tile_memory[id] = bytes ? node_memory(bytes) : NULL;
	if (!node->tile_memory[id])
		return node_fail(node, ERR_MEMORY, "no memory for tile %s", tile->name);
	code = tile->setup(node->tile_memory[id], setup);
	if (code < 0)
		return node_fail(node, code, "tile %s: %s", tile->name, err_text(code));
	node->tile_is_set_up[id] = true;
	return 0;
}

/* ---- net ---- */

static int32_t peer_behind(const struct node *node, uint32_t port)
{
	int32_t found = -1;

	for (uint32_t i = 0; i < NODE_PEERS_MAX; i++) {
		if (!node->config.peer[i].is_set || node->config.peer[i].port_index != port)
			continue;
		if (found >= 0)
			return -1; /* several: not a point-to-point link */
		found = (int32_t)i;
	}
	return found;
}

static void fill_port(const struct node *node, uint32_t index, struct dp_port *port,
		      struct dp_net_neighbour *neighbours, struct dp_tile_net_port *ret_port)
{
	const struct node_port_config *config = &node->config.port[index];

	for (uint32_t i = 0; i < config->neighbour_count; i++) {
		neighbours[i].address = config->neighbour[i].address;
		memcpy(neighbours[i].mac.b, config->neighbour[i].mac, sizeof(neighbours[i].mac.b));
	}
	*ret_port = (struct dp_tile_net_port){
		.port = port,
		.net = { .address = config->address,
			 .prefix_bits = config->prefix_bits,
			 .gateway = config->gateway,
			 .udp_port = config->udp_port,
			 .udp_checksums = config->kind != NODE_PORT_MEMIF,
			 .neighbour_count = config->neighbour_count,
			 .neighbour = neighbours },
		.peer = peer_behind(node, index),
	};
	if (config->bell[0] != '\0')
		snprintf(ret_port->bell, sizeof(ret_port->bell), "%s", config->bell + 1);
}

/* What a client hears whose message found the ring full: REFUSAL with ERR_FULL. */
static uint32_t busy_answer(const uint8_t *bytes, uint32_t byte_count,
			    uint8_t ret_answer[WIRE_SINGLE_BYTES_MAX])
{
	struct wire_client_message message;
	struct wire_client_message answer = { .kind = WIRE_CLIENT_REFUSAL };
	struct wire_frame frame;
	int count;

	if (wire_client_decode(bytes, byte_count, &message) < 0 ||
	    message.kind != WIRE_CLIENT_SUBMIT ||
	    wire_frame_parse(message.u.submit.frame, message.u.submit.frame_bytes, &frame) < 0)
		return 0;
	answer.u.refusal.client = frame.client;
	answer.u.refusal.first_seq = frame.first_seq;
	answer.u.refusal.reason = ERR_FULL;
	count = wire_client_encode(&answer, ret_answer, WIRE_SINGLE_BYTES_MAX);
	return count > 0 ? (uint32_t)count : 0;
}

static void fill_peers(const struct node *node, struct dp_tile_net_setup *setup)
{
	for (uint32_t i = 0; i < node->identity.genesis.member_count; i++) {
		const struct node_peer_config *peer = &node->config.peer[i];

		setup->peer[i] = (struct dp_tile_net_peer){ .is_set = peer->is_set,
							    .port = (uint16_t)peer->port_index,
							    .address = peer->address,
							    .udp_port = peer->udp_port };
	}
}

static int set_up_net(struct node *node)
{
	static struct dp_tile_net_port ports[NODE_PORTS_MAX];
	static struct dp_net_neighbour neighbours[NODE_PORTS_MAX][NODE_NEIGHBOURS_MAX];
	static struct dp_tile_net_setup net; /* large; one node a process */
	const struct wire_admission *admission = &node->identity.genesis.admission;
	struct node_net_setup setup = { .net = &net,
					.view = &node->net_view,
					.metrics = node->metrics[NODE_TILE_NET],
					.loop = loop_of(node, NODE_TILE_NET),
					.drops = node->drops_net };

	node_identity_party(&node->identity, &node->party);
	for (uint32_t i = 0; i < node->config.port_count; i++)
		fill_port(node, i, &node->port[i], neighbours[i], &ports[i]);
	net = (struct dp_tile_net_setup){
		.port_count = node->config.port_count,
		.port = ports,
		.session = { .me = &node->party,
			     .member = node->identity.exchange_key,
			     .member_count = node->identity.genesis.member_count,
			     .clients_max = node->config.sessions_max,
			     .subscriptions_max = admission->clients_max,
			     .client_budget = node_client_budget(node) },
		.bell = node->bell_is_open ? &node->bell : NULL,
		.to_core = node->ring[NODE_RING_NET_CORE],
		.to_lane = node->ring[NODE_RING_NET_LANE],
		.to_client = node->ring[NODE_RING_NET_CLIENT],
		.from_count = 4,
		/* Subscriptions before receipts: a resend is answered on the session it came by. */
		.from = { node->ring[NODE_RING_SEND_CORE], node->ring[NODE_RING_SEND_DATA],
			  node->ring[NODE_RING_VERIFY_ANSWERS], node->ring[NODE_RING_ANSWERS] },
		.random = crypto_random,
		.busy_answer = busy_answer,
	};
	fill_peers(node, &net);
	return set_up(node, NODE_TILE_NET, &setup);
}

/* ---- the others ---- */

static int set_up_verify(struct node *node)
{
	struct node_verify_setup setup = {
		.gate = node->gate,
		.core = node->ring[NODE_RING_NET_CORE],
		.lane = node->ring[NODE_RING_NET_LANE],
		.clients = node->ring[NODE_RING_NET_CLIENT],
		.local = node->ring[NODE_RING_LOCAL_FRAMES],
		.asked = node->ring[NODE_RING_COMMITS],
		.ret_core = node->ring[NODE_RING_VERIFIED_CORE],
		.ret_data = node->ring[NODE_RING_VERIFIED_DATA],
		.answer = { .net = node->ring[NODE_RING_VERIFY_ANSWERS],
			    .local = node->ring[NODE_RING_LOCAL_REFUSALS],
			    .local_open = &node->local_open },
		.wake = &node->core_wake,
		.local_wake = &node->ingress_wake,
		.committed_height = &node->committed_height,
		.metrics = node->metrics[NODE_TILE_VERIFY],
		.loop = loop_of(node, NODE_TILE_VERIFY),
		.drops = node->drops_gate,
	};

	return set_up(node, NODE_TILE_VERIFY, &setup);
}

static int set_up_signer(struct node *node)
{
	struct node_signer_setup setup = {
		.key = &node->identity.secrets->signing,
		.requests = node->ring[NODE_RING_SIGN],
		.ret_signed = node->ring[NODE_RING_SIGNED],
		.metrics = node->metrics[NODE_TILE_SIGNER],
		.loop = loop_of(node, NODE_TILE_SIGNER),
	};

	return set_up(node, NODE_TILE_SIGNER, &setup);
}

static void on_alarm(enum replica_alarm alarm, uint64_t detail)
{
	static const char *const text[] = {
		[REPLICA_ALARM_OBSERVER] = "this node only observes from now on",
		[REPLICA_ALARM_ROLLED_BACK] =
			"peers hold newer votes of ours than our disk: it was rolled back; this "
			"node only observes and needs a new key to vote again",
		[REPLICA_ALARM_EVIDENCE] = "evidence of misbehaviour found, member",
		[REPLICA_ALARM_STORE_FAILED] =
			"a durable write failed: this node stopped voting; replace the disk",
	};

	if ((size_t)alarm < UNITS_COUNT(text) && text[alarm])
		node_log("alarm: %s (%llu)", text[alarm], (unsigned long long)detail);
	else
		node_log("alarm %d (%llu)", (int)alarm, (unsigned long long)detail);
}

static int set_up_replica(struct node *node)
{
	struct node_replica_setup setup = {
		.replica = node->replica,
		.done = node->ring[NODE_RING_DONE],
		.signed_ = node->ring[NODE_RING_SIGNED],
		.core = node->ring[NODE_RING_VERIFIED_CORE],
		.data = node->ring[NODE_RING_VERIFIED_DATA],
		.send_core = node->ring[NODE_RING_SEND_CORE],
		.send_data = node->ring[NODE_RING_SEND_DATA],
		.appends = node->ring[NODE_RING_APPENDS],
		.lane_appends = node->ring[NODE_RING_LANE_APPENDS],
		.reads = node->ring[NODE_RING_READS],
		.sign = node->ring[NODE_RING_SIGN],
		.commits = node->ring[NODE_RING_COMMITS],
		.answer = { .net = node->ring[NODE_RING_ANSWERS],
			    .local = node->ring[NODE_RING_LOCAL_ANSWERS],
			    .local_open = &node->local_open },
		.local_wake = &node->ingress_wake,
		.committed_height = &node->committed_height,
		.alarm = on_alarm,
		.page = node->page,
		.fill_status = node_fill_status,
		.fill_context = node,
		.metrics = node->metrics[NODE_TILE_REPLICA],
		.loop = loop_of(node, NODE_TILE_REPLICA),
		.drops_consensus = node->drops_consensus,
		.drops_lane = node->drops_lane,
	};

	return set_up(node, NODE_TILE_REPLICA, &setup);
}

static int set_up_store(struct node *node)
{
	struct node_store_setup setup = {
		.store = node->store,
		.dev = node->dev,
		.appends = node->ring[NODE_RING_APPENDS],
		.lane_appends = node->ring[NODE_RING_LANE_APPENDS],
		.reads = node->ring[NODE_RING_READS],
		.ret_done = node->ring[NODE_RING_DONE],
		.read_buffers = node_memory((size_t)NODE_READ_BUFFERS * NODE_READ_BUFFER_BYTES),
		.durable_block_end = &node->durable_block_end,
		.durable_lane_end = &node->durable_lane_end,
		.metrics = node->metrics[NODE_TILE_STORE],
		.loop = loop_of(node, NODE_TILE_STORE),
	};

	if (!setup.read_buffers)
		return node_fail(node, ERR_MEMORY, "no memory for read buffers");
	return set_up(node, NODE_TILE_STORE, &setup);
}

static int set_up_control(struct node *node)
{
	struct node_control_setup setup = {
		.socket = &node->control,
		.stop = &node->stop,
		.version = node_version,
		.metrics = node->metrics[NODE_TILE_CONTROL],
		.loop = loop_of(node, NODE_TILE_CONTROL),
	};

	return set_up(node, NODE_TILE_CONTROL, &setup);
}

int node_open_tiles(struct node *node)
{
	int code = make_rings(node);

	if (code == 0)
		code = node_wake_open(&node->core_wake);
	if (code == 0)
		code = node_wake_open(&node->ingress_wake);
	if (code < 0)
		return node->reason[0] ? code :
					 node_fail(node, code, "eventfd: %s", err_text(code));
	code = set_up_net(node);
	if (code == 0)
		code = set_up_verify(node);
	if (code == 0)
		code = set_up_signer(node);
	if (code == 0)
		code = set_up_replica(node);
	if (code == 0)
		code = set_up_store(node);
	return code == 0 ? set_up_control(node) : code;
}
