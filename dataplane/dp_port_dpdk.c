#define _GNU_SOURCE

#include "dataplane/dp_port_dpdk.h"

#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_env_report.h"
#include "dataplane/dp_memif_control_dpdk.h"
#include "dataplane/dp_packet_socket.h"

enum {
	PACKETS = 4096,
	PACKET_CACHE = 128,
	PACKET_ROOM = 2048, /* also memif's buffer size: one packet, one buffer */
	MEMIF_SLOTS_LOG2 = 10,
	AF_PACKET_FRAMES = 1024,
	DESCRIPTORS = 512,
	DEVICE_NAME_BYTES = 32,
	ARGUMENTS_BYTES = 256,
};

#define RESTART_NS (20 * UNITS_NS_PER_MS)
#define LINK_LOOK_NS (100 * UNITS_NS_PER_MS)
#define NUMA_ANY ((unsigned int)SOCKET_ID_ANY)

struct dpdk_port {
	bool is_open;
	bool is_started;
	bool is_client;
	bool was_up;
	uint16_t id;
	uint32_t index;
	int wait_fd;
	uint64_t restart_ns;
	uint64_t tried_ns;
	char device[DEVICE_NAME_BYTES];
};

static struct {
	struct rte_mempool *packets;
	uint64_t dispatched_ns;
	struct dpdk_port port[DP_PORTS_MAX];
} ports;

int dp_ports_dpdk_start(uint32_t packets)
{
	int code = dp_memif_control_open();

	if (code != 0)
		return dp_env_fail(code, "no descriptor left for the ports' control channels");
	ports.packets = rte_pktmbuf_pool_create_by_ops("packets", packets ? packets : PACKETS,
						       PACKET_CACHE, 0,
						       PACKET_ROOM + RTE_PKTMBUF_HEADROOM,
						       SOCKET_ID_ANY, "ring_sp_sc");
	if (ports.packets)
		return 0;
	dp_memif_control_close();
	return dp_env_fail(ERR_MEMORY, "no memory for %u packets; raise memory_mib",
			   packets ? packets : PACKETS);
}

void dp_ports_dpdk_stop(void)
{
	for (uint32_t i = 0; i < DP_PORTS_MAX; i++)
		ensure(!ports.port[i].is_open);
	rte_mempool_free(ports.packets);
	ports.packets = NULL;
	dp_memif_control_close();
}

static uint32_t dpdk_receive(struct dp_port *port, struct dp_packet *ret_packets, uint32_t max)
{
	struct dpdk_port *self = port->implementation;
	struct rte_mbuf *mbufs[DP_PORT_BURST_MAX];
	uint16_t count;

	if (!self->is_started)
		return 0;
	count = rte_eth_rx_burst(self->id, 0, mbufs, (uint16_t)units_min(max, DP_PORT_BURST_MAX));
	for (uint16_t i = 0; i < count; i++) {
		ret_packets[i] = (struct dp_packet){
			.bytes = rte_pktmbuf_mtod(mbufs[i], uint8_t *),
			.byte_count = rte_pktmbuf_data_len(mbufs[i]),
			.owner = mbufs[i],
		};
		port->counters.rx_bytes += ret_packets[i].byte_count;
	}
	port->counters.rx_packets += count;
	return count;
}

static bool dpdk_take(struct dp_port *port, struct dp_packet *ret_packet)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ports.packets);

	if (!mbuf) {
		port->counters.no_buffer++;
		return false;
	}
	*ret_packet = (struct dp_packet){
		.bytes = rte_pktmbuf_mtod(mbuf, uint8_t *),
		.byte_count = DP_PORT_FRAME_BYTES_MAX,
		.owner = mbuf,
	};
	return true;
}

static void dpdk_give_back(struct dp_port *port, struct dp_packet *packets, uint32_t count)
{
	(void)port;
	for (uint32_t i = 0; i < count; i++)
		rte_pktmbuf_free(packets[i].owner);
}

static uint32_t dpdk_send(struct dp_port *port, struct dp_packet *packets, uint32_t count)
{
	struct dpdk_port *self = port->implementation;
	struct rte_mbuf *mbufs[DP_PORT_BURST_MAX];
	uint16_t sent = 0;

	ensure(count <= DP_PORT_BURST_MAX);
	for (uint32_t i = 0; i < count; i++) {
		mbufs[i] = packets[i].owner;
		rte_pktmbuf_data_len(mbufs[i]) = (uint16_t)packets[i].byte_count;
		rte_pktmbuf_pkt_len(mbufs[i]) = packets[i].byte_count;
	}
	if (self->is_started)
		sent = rte_eth_tx_burst(self->id, 0, mbufs, (uint16_t)count);
	for (uint32_t i = 0; i < sent; i++)
		port->counters.tx_bytes += packets[i].byte_count;
	port->counters.tx_packets += sent;
	port->counters.tx_dropped += count - sent;
	dpdk_give_back(port, packets + sent, count - sent);
	return sent;
}

static int start_memif(struct dpdk_port *self)
{
	int code;

	dp_memif_control_begin(self->index);
	code = rte_eth_dev_start(self->id);
	dp_memif_control_end();
	self->is_started = code == 0;
	return code;
}

static void stop_memif(struct dpdk_port *self)
{
	if (!self->is_started)
		return;
	dp_memif_control_begin(self->index);
	rte_eth_dev_stop(self->id);
	dp_memif_control_end();
	self->is_started = false;
}

/*
 * A client whose control socket is gone has no server: stop, start, and see whether one is
 * there.
 */
static void supervise(struct dp_port *port, struct dpdk_port *self, uint64_t now_ns)
{
	if (!self->is_client || dp_memif_control_count(self->index) > 0 ||
	    now_ns - self->tried_ns < self->restart_ns)
		return;
	self->tried_ns = now_ns;
	port->counters.link_restarts++;
	stop_memif(self);
	start_memif(self);
}

/* Costs a system call with af_packet: there only now and then. */
static void note_link(struct dp_port *port, struct dpdk_port *self, uint64_t now_ns)
{
	struct rte_eth_link link = { .link_status = RTE_ETH_LINK_DOWN };

	if (port->kind == DP_PORT_AF_PACKET && now_ns - self->tried_ns < LINK_LOOK_NS)
		return;
	if (port->kind == DP_PORT_AF_PACKET)
		self->tried_ns = now_ns;

	if (self->is_started)
		rte_eth_link_get_nowait(self->id, &link);
	port->is_up = self->is_started && link.link_status == RTE_ETH_LINK_UP;
	if (port->is_up && !self->was_up)
		port->counters.link_ups++;
	if (!port->is_up && self->was_up)
		port->counters.link_downs++;
	self->was_up = port->is_up;
}

static void dpdk_housekeep(struct dp_port *port, uint64_t now_ns)
{
	struct dpdk_port *self = port->implementation;

	if (port->kind == DP_PORT_MEMIF) {
		if (now_ns != ports.dispatched_ns)
			dp_memif_control_dispatch();
		ports.dispatched_ns = now_ns;
		supervise(port, self, now_ns);
	}
	note_link(port, self, now_ns);
}

static int dpdk_wait_fd(struct dp_port *port)
{
	struct dpdk_port *self = port->implementation;

	return port->kind == DP_PORT_MEMIF ? dp_memif_control_fd() : self->wait_fd;
}

static void dpdk_close(struct dp_port *port)
{
	struct dpdk_port *self = port->implementation;

	port->ops = NULL;
	port->is_up = false;
	if (port->kind == DP_PORT_MEMIF) {
		stop_memif(self);
		dp_memif_control_begin(self->index);
	} else {
		rte_eth_dev_stop(self->id);
	}
	rte_vdev_uninit(self->device);
	if (port->kind == DP_PORT_MEMIF)
		dp_memif_control_end();
	*self = (struct dpdk_port){ .is_open = false };
}

static const struct dp_port_ops dpdk_ops = {
	.receive = dpdk_receive,
	.take = dpdk_take,
	.send = dpdk_send,
	.give_back = dpdk_give_back,
	.housekeep = dpdk_housekeep,
	.wait_fd = dpdk_wait_fd,
	.close = dpdk_close,
};

static void mac_text(const struct dp_mac *mac, char ret_text[18])
{
	snprintf(ret_text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac->b[0], mac->b[1], mac->b[2],
		 mac->b[3], mac->b[4], mac->b[5]);
}

static int configure(struct dpdk_port *self)
{
	const struct rte_eth_conf nothing = { 0 };
	int code = rte_eth_dev_get_port_by_name(self->device, &self->id);

	if (code == 0)
		code = rte_eth_dev_configure(self->id, 1, 1, &nothing);
	if (code == 0)
		code = rte_eth_rx_queue_setup(self->id, 0, DESCRIPTORS, NUMA_ANY, NULL,
					      ports.packets);
	if (code == 0)
		code = rte_eth_tx_queue_setup(self->id, 0, DESCRIPTORS, NUMA_ANY, NULL);
	return code;
}

static int open_memif(struct dpdk_port *self, const struct dp_port_config *config)
{
	char arguments[ARGUMENTS_BYTES];
	char mac[18];
	struct dp_mac nobody = { { 0 } };
	uint32_t slots_log2 = config->ring_slots_log2;
	int used;
	int code;

	if (config->socket[0] == '\0' || strchr(config->socket, ',') || slots_log2 > 14)
		return dp_env_fail(ERR_CONFIG, "port %s: socket '%s' is no usable name",
				   config->name, config->socket);
	used = snprintf(arguments, sizeof(arguments),
			"role=%s,id=0,bsize=%d,rsize=%u,socket-abstract=yes,socket=%s",
			config->is_server ? "server" : "client", PACKET_ROOM,
			slots_log2 ? slots_log2 : MEMIF_SLOTS_LOG2, config->socket);
	if (memcmp(&config->mac, &nobody, sizeof(nobody)) != 0) {
		mac_text(&config->mac, mac);
		snprintf(arguments + used, sizeof(arguments) - (size_t)used, ",mac=%s", mac);
	}
	self->is_client = !config->is_server;
	self->restart_ns = config->restart_ns ? config->restart_ns : RESTART_NS;
	snprintf(self->device, sizeof(self->device), "net_memif%u", self->index);
	dp_memif_control_begin(self->index);
	code = rte_vdev_init(self->device, arguments);
	dp_memif_control_end();
	if (code != 0)
		return dp_env_fail(ERR_BUSY,
				   "port %s: socket '%s' is taken; is another node with this "
				   "configuration running?",
				   config->name, config->socket);
	code = configure(self);
	/* A client whose server is not there yet does not start; the supervisor tries again. */
	if (code == 0 && start_memif(self) != 0 && config->is_server)
		code = ERR_BUSY;
	if (code == 0)
		return 0;
	dp_memif_control_begin(self->index);
	rte_vdev_uninit(self->device);
	dp_memif_control_end();
	return dp_env_fail(code < ERR_CONFIG ? code : ERR_MEMORY,
			   "port %s: no memory for its queues; raise memory_mib", config->name);
}

static int open_af_packet(struct dpdk_port *self, const struct dp_port_config *config)
{
	char arguments[ARGUMENTS_BYTES];
	struct dp_packet_sockets before;
	int code = dp_packet_socket_check(config->interface);

	if (code == ERR_NOT_FOUND)
		return dp_env_fail(code, "port %s: there is no interface '%s'", config->name,
				   config->interface);
	if (code != 0)
		return dp_env_fail(code,
				   "port %s: packet sockets need root or CAP_NET_RAW; start it so",
				   config->name);
	snprintf(arguments, sizeof(arguments),
		 "iface=%s,framesz=2048,blocksz=65536,framecnt=%d,qdisc_bypass=%d",
		 config->interface, AF_PACKET_FRAMES, config->qdisc_bypass ? 1 : 0);
	snprintf(self->device, sizeof(self->device), "net_af_packet%u", self->index);
	dp_packet_sockets_list(config->interface, &before);
	if (rte_vdev_init(self->device, arguments) != 0)
		return dp_env_fail(ERR_UNSUPPORTED,
				   "port %s: a packet socket on '%s' does not open; is it up?",
				   config->name, config->interface);
	self->wait_fd = dp_packet_socket_new(config->interface, &before);
	code = configure(self);
	if (code == 0)
		code = rte_eth_dev_start(self->id);
	if (code == 0) {
		self->is_started = true;
		return 0;
	}
	rte_vdev_uninit(self->device);
	return dp_env_fail(ERR_MEMORY, "port %s: no memory for its queues; raise memory_mib",
			   config->name);
}

static struct dpdk_port *place_take(void)
{
	for (uint32_t i = 0; i < DP_PORTS_MAX; i++) {
		if (ports.port[i].is_open)
			continue;
		ports.port[i] = (struct dpdk_port){ .index = i, .wait_fd = -1 };
		return &ports.port[i];
	}
	return NULL;
}

int dp_port_dpdk_open(struct dp_port *port, const struct dp_port_config *config)
{
	struct dpdk_port *self = place_take();
	struct dp_mac nobody = { { 0 } };
	struct rte_ether_addr address;
	int code;

	if (!ports.packets)
		return dp_env_fail(ERR_ORDER, "port %s: the packet pool does not exist yet",
				   config->name);
	if (!self)
		return dp_env_fail(ERR_FULL, "port %s: more than %d ports", config->name,
				   DP_PORTS_MAX);
	if (config->kind == DP_PORT_MEMIF)
		code = open_memif(self, config);
	else if (config->kind == DP_PORT_AF_PACKET)
		code = open_af_packet(self, config);
	else
		code = dp_env_fail(ERR_UNSUPPORTED, "port %s: a kind DPDK does not do here",
				   config->name);
	if (code != 0)
		return code;
	self->is_open = true;
	*port = (struct dp_port){ .ops = &dpdk_ops, .implementation = self, .kind = config->kind };
	memcpy(port->name, config->name, sizeof(port->name));
	port->name[sizeof(port->name) - 1] = '\0';
	port->mac = config->mac;
	if (memcmp(&config->mac, &nobody, sizeof(nobody)) == 0 &&
	    rte_eth_macaddr_get(self->id, &address) == 0)
		memcpy(port->mac.b, address.addr_bytes, sizeof(port->mac.b));
	note_link(port, self, UINT64_MAX);
	self->tried_ns = 0;
	return 0;
}
