/*
 * port_probe: one party of a lab in a process of its own: DPDK, ports, net tile, sessions; no node.
 *
 *     port_probe ID COUNT OPTION...
 *       memif=SOCKET,server|client,PEER[,BELL]   a memif port with PEER behind it
 *       af_packet=INTERFACE,PEER                 an af_packet port
 *       bell=NAME   own doorbell        rate=N      messages a second to every peer (0: none)
 *       seconds=N   end by itself       bytes=N     bytes a message (default 100)
 *       huge=auto|never|required        spin=1      never sleep
 *       address=A.B.C.D/BITS            of all ports (default 10.77.0.ID+1/24)
 *
 * Prints what happens, a line each: READY, UP peer, DOWN peer, and with SIGUSR1 or at the end
 * STATUS key=value... Exit: 0; 77 when DPDK lacks a facility; 1 with the reason otherwise.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_sign.h"
#include "dataplane/dp_env_dpdk.h"
#include "dataplane/dp_port_dpdk.h"
#include "dataplane/dp_tile_net.h"

enum { PORTS_MAX = 8, RING_BYTES = 1 << 20, UDP_PORT = 17777 };

struct probe {
	uint32_t id;
	uint32_t member_count;
	uint32_t port_count;
	struct dp_port port[PORTS_MAX];
	struct dp_port_config port_config[PORTS_MAX];
	struct dp_tile_net_port tile_port[PORTS_MAX];
	char bell_name[DP_BELL_NAME_BYTES];
	uint32_t address;
	uint32_t prefix_bits;
	uint64_t rate;
	uint64_t seconds;
	uint32_t bytes;
	bool spins;
	enum dp_env_hugepages hugepages;
	struct dp_bell bell;
	struct wire_party me;
	struct crypto_exchange_key member[DP_SESSION_PEERS_MAX];
	void *net;
	struct dp_tile_loop loop;
};

/*
 * The tile at the other side of the rings: sends numbered messages, counts and checks what
 * comes.
 */
struct talker {
	struct dp_ring *to_core;
	struct dp_ring *to_lane;
	struct dp_ring *to_client;
	struct dp_ring *from;
	struct probe *probe;
	uint64_t next_ns;
	uint64_t sent;
	uint64_t received;
	uint64_t received_bytes;
	uint64_t damaged;
	uint64_t delay_ns_sum;
	struct bitset up;
};

static atomic_bool stop;
static atomic_bool wants_status;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		atomic_store(&wants_status, true);
	else
		atomic_store(&stop, true);
}

static size_t talker_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct talker);
}

static int talker_setup(void *memory, const void *setup)
{
	memcpy(memory, setup, sizeof(struct talker));
	return 0;
}

static void talker_take(struct talker *self, const struct dp_ring_header *header,
			const uint8_t *bytes)
{
	uint64_t sent_ns;

	switch (header->kind) {
	case DP_NET_PEER_UP:
		bitset_add(&self->up, header->source);
		printf("UP %u\n", header->source);
		fflush(stdout);
		break;
	case DP_NET_PEER_DOWN:
		bitset_remove(&self->up, header->source);
		printf("DOWN %u\n", header->source);
		fflush(stdout);
		break;
	case DP_NET_PEER_MESSAGE:
		self->received++;
		self->received_bytes += header->bytes;
		if (header->bytes != self->probe->bytes || bytes[8] != (uint8_t)header->source)
			self->damaged++;
		memcpy(&sent_ns, bytes, sizeof(sent_ns));
		self->delay_ns_sum += dp_tile_clock_ns() - sent_ns;
		break;
	default:
		self->damaged++;
	}
}

static uint32_t talker_drain(struct talker *self, struct dp_ring *ring)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t count = 0;

	while (count < 256 && (bytes = dp_ring_peek(ring, &header)) != NULL) {
		talker_take(self, header, bytes);
		dp_ring_release(ring);
		count++;
	}
	return count;
}

static void talker_send(struct talker *self, uint64_t now_ns)
{
	struct dp_tile_net_send send;
	uint8_t *room = dp_tile_net_room_peers(self->from, &self->up, WIRE_STREAM_LANE,
					       self->probe->bytes, &send);

	if (!room)
		return;
	memset(room, (int)(self->sent & 0xff), self->probe->bytes);
	memcpy(room, &now_ns, sizeof(now_ns));
	room[8] = (uint8_t)self->probe->id;
	dp_tile_net_commit(&send, self->probe->bytes);
	self->sent++;
}

static void print_status(struct talker *self);

static uint32_t talker_on_turn(void *memory, uint64_t now_ns)
{
	struct talker *self = memory;
	uint32_t work = talker_drain(self, self->to_core) + talker_drain(self, self->to_lane) +
			talker_drain(self, self->to_client);

	if (self->probe->rate > 0 && bitset_count(&self->up) > 0) {
		uint64_t step_ns = UNITS_NS_PER_S / self->probe->rate;

		if (self->next_ns + 100 * UNITS_NS_PER_MS < now_ns)
			self->next_ns = now_ns;
		for (int i = 0; i < 64 && now_ns >= self->next_ns; i++) {
			talker_send(self, now_ns);
			self->next_ns += step_ns;
			work++;
		}
	}
	if (atomic_exchange(&wants_status, false))
		print_status(self);
	return work;
}

static uint64_t talker_deadline_ns(const void *memory)
{
	const struct talker *self = memory;

	return self->probe->rate > 0 && bitset_count(&self->up) > 0 ? self->next_ns : UINT64_MAX;
}

static const struct dp_tile talker_tile = {
	.name = "talker",
	.footprint = talker_footprint,
	.setup = talker_setup,
	.on_turn = talker_on_turn,
	.deadline_ns = talker_deadline_ns,
};

static void print_ports(struct probe *probe)
{
	for (uint32_t i = 0; i < probe->port_count; i++) {
		const struct dp_port *port = dp_tile_net_port_at(probe->net, i);

		if (port)
			printf(" port%u=%s,ups=%" PRIu64 ",downs=%" PRIu64 ",restarts=%" PRIu64
			       ",rx=%" PRIu64 ",tx=%" PRIu64 ",dropped=%" PRIu64,
			       i, port->is_up ? "up" : "down", port->counters.link_ups,
			       port->counters.link_downs, port->counters.link_restarts,
			       port->counters.rx_packets, port->counters.tx_packets,
			       port->counters.tx_dropped);
	}
}

static void print_status(struct talker *self)
{
	struct dp_tile_net_status status;
	struct dp_tile_counters *counters = &self->probe->loop.counters;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	dp_tile_net_status(self->probe->net, &status);
	printf("STATUS sent=%" PRIu64 " received=%" PRIu64 " damaged=%" PRIu64 " delay_us=%" PRIu64
	       " handshakes=%" PRIu64 " bells_rung=%" PRIu64 " bells_heard=%" PRIu64
	       " sleeps=%" PRIu64 " rounds=%" PRIu64 " cpu_ms=%ld"
	       " rss_kib=%ld",
	       self->sent, self->received, self->damaged,
	       self->received ? self->delay_ns_sum / self->received / 1000 : 0,
	       status.session.handshakes, status.bells_rung, status.bells_heard, counters->sleeps,
	       counters->rounds,
	       (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000,
	       usage.ru_maxrss);
	print_ports(self->probe);
	for (uint32_t i = 0; i < DP_DROP_COUNT; i++)
		if (status.drops.count[i] > 0)
			printf(" %s=%" PRIu64, dp_drop_name((enum dp_drop)i),
			       status.drops.count[i]);
	printf("\n");
	fflush(stdout);
}

static void refuse(const char *text)
{
	fprintf(stderr, "port_probe: %s\n", text);
	exit(EXIT_FAILURE);
}

static char *part(char **rest)
{
	char *text = strsep(rest, ",");

	return text ? text : (char *)(uintptr_t) "";
}

static void copy_name(char *to, size_t room, const char *from)
{
	if (strlen(from) >= room)
		refuse("name too long");
	memcpy(to, from, strlen(from) + 1);
}

static void add_port(struct probe *probe, enum dp_port_kind kind, char *value)
{
	struct dp_port_config *config = &probe->port_config[probe->port_count];
	struct dp_tile_net_port *port = &probe->tile_port[probe->port_count];

	if (probe->port_count == PORTS_MAX)
		refuse("too many ports");
	config->kind = kind;
	snprintf(config->name, sizeof(config->name), "p%u", probe->port_count);
	if (kind == DP_PORT_MEMIF) {
		copy_name(config->socket, sizeof(config->socket), part(&value));
		config->is_server = strcmp(part(&value), "server") == 0;
		config->mac = (struct dp_mac){ { 2, 0, 0, 0, (uint8_t)probe->id,
						 (uint8_t)probe->port_count } };
	} else {
		copy_name(config->interface, sizeof(config->interface), part(&value));
	}
	port->peer = (int32_t)strtol(part(&value), NULL, 10);
	copy_name(port->bell, sizeof(port->bell), part(&value));
	probe->port_count++;
}

static void set_address(struct probe *probe, char *value)
{
	char *bits = strchr(value, '/');
	struct in_addr address;

	if (!bits)
		refuse("address=A.B.C.D/BITS");
	*bits = '\0';
	if (inet_pton(AF_INET, value, &address) != 1)
		refuse("not an address");
	probe->address = ntohl(address.s_addr);
	probe->prefix_bits = (uint32_t)strtoul(bits + 1, NULL, 10);
}

static void set_option(struct probe *probe, char *text)
{
	char *value = strchr(text, '=');

	if (!value)
		refuse("options look like name=value");
	*value++ = '\0';
	if (strcmp(text, "memif") == 0)
		add_port(probe, DP_PORT_MEMIF, value);
	else if (strcmp(text, "af_packet") == 0)
		add_port(probe, DP_PORT_AF_PACKET, value);
	else if (strcmp(text, "bell") == 0)
		copy_name(probe->bell_name, sizeof(probe->bell_name), value);
	else if (strcmp(text, "rate") == 0)
		probe->rate = strtoull(value, NULL, 10);
	else if (strcmp(text, "seconds") == 0)
		probe->seconds = strtoull(value, NULL, 10);
	else if (strcmp(text, "bytes") == 0)
		probe->bytes = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(text, "spin") == 0)
		probe->spins = value[0] == '1';
	else if (strcmp(text, "huge") == 0)
		probe->hugepages = value[0] == 'n' ? DP_ENV_HUGEPAGES_NEVER :
				   value[0] == 'r' ? DP_ENV_HUGEPAGES_REQUIRED :
						     DP_ENV_HUGEPAGES_AUTO;
	else if (strcmp(text, "address") == 0)
		set_address(probe, value);
	else
		refuse("unknown option");
}

/* Everybody's session key comes from its number: a test has nothing to hide. */
static void secret_of(uint32_t id, struct crypto_exchange_secret *ret_secret)
{
	memset(ret_secret->b, 0, sizeof(ret_secret->b));
	memset(ret_secret->b, 0x40 + (int)id, 8);
}

static void set_party(struct probe *probe)
{
	struct crypto_exchange_secret secret;

	for (uint32_t i = 0; i < probe->member_count; i++) {
		secret_of(i, &secret);
		crypto_exchange_public(&secret, &probe->member[i]);
	}
	probe->me = (struct wire_party){
		.role = WIRE_ROLE_PEER,
		.epoch = 1,
		.build_id = crypto_build_id(),
		.replica = probe->id,
		.ciphers = wire_ciphers_usable(),
		.public_key = probe->member[probe->id],
	};
	secret_of(probe->id, &probe->me.secret);
	memset(probe->me.chain_id.b, 0x5a, sizeof(probe->me.chain_id.b));
}

static void *take(size_t bytes)
{
	void *memory = aligned_alloc(64, units_round_up(bytes, 64));

	if (!memory || bytes == 0)
		refuse("no memory, or a setup that is not valid");
	memset(memory, 0, units_round_up(bytes, 64));
	return memory;
}

static struct dp_ring *take_ring(void)
{
	size_t bytes = dp_ring_footprint(RING_BYTES);
	struct dp_ring *ring;

	if (dp_ring_init(take(bytes), bytes, RING_BYTES, &ring) != 0)
		refuse("no ring");
	return ring;
}

static int open_world(struct probe *probe)
{
	struct dp_env_config env = { .hugepages = probe->hugepages, .core = -1 };
	int code;

	snprintf(env.name, sizeof(env.name), "probe-%u", probe->id);
	code = dp_env_start(&env);
	if (code == 0)
		code = dp_ports_dpdk_start(0);
	for (uint32_t i = 0; i < probe->port_count && code == 0; i++) {
		code = dp_port_dpdk_open(&probe->port[i], &probe->port_config[i]);
		probe->tile_port[i].port = &probe->port[i];
		probe->tile_port[i].net = (struct dp_net_config){
			.address = probe->address,
			.prefix_bits = probe->prefix_bits,
			.udp_port = UDP_PORT,
			.udp_checksums = probe->port_config[i].kind == DP_PORT_AF_PACKET,
		};
	}
	if (code != 0)
		fprintf(stderr, "port_probe: %s\n", dp_env_error());
	return code;
}

static void add_peers(const struct probe *probe, struct dp_tile_net_setup *setup)
{
	for (uint32_t i = 0; i < probe->port_count; i++) {
		int32_t peer = probe->tile_port[i].peer;

		if (peer < 0 || peer >= (int32_t)probe->member_count)
			continue;
		setup->peer[peer] = (struct dp_tile_net_peer){
			.is_set = true,
			.port = (uint16_t)i,
			.address = (probe->address & 0xffffff00) + (uint32_t)peer + 1,
			.udp_port = UDP_PORT,
		};
	}
}

static void set_up_tiles(struct probe *probe, struct talker *talker)
{
	struct dp_tile_net_setup *setup = take(sizeof(*setup));

	*talker = (struct talker){ .to_core = take_ring(),
				   .to_lane = take_ring(),
				   .to_client = take_ring(),
				   .from = take_ring(),
				   .probe = probe };
	*setup = (struct dp_tile_net_setup){
		.port_count = probe->port_count,
		.port = probe->tile_port,
		.session = { .me = &probe->me,
			     .member = probe->member,
			     .member_count = probe->member_count,
			     .clients_max = 16,
			     .subscriptions_max = 16 },
		.bell = probe->bell_name[0] ? &probe->bell : NULL,
		.to_core = talker->to_core,
		.to_lane = talker->to_lane,
		.to_client = talker->to_client,
		.from_count = 1,
		.from = { talker->from },
		.random = crypto_random,
	};
	add_peers(probe, setup);
	probe->net = take(dp_tile_net.footprint(setup));
	if (dp_tile_net.setup(probe->net, setup) != 0)
		refuse("the net tile does not set up");
	free(setup);
}

static int run(struct probe *probe, struct talker *talker)
{
	struct dp_tile_place places[] = { { &dp_tile_net, probe->net }, { &talker_tile, talker } };
	struct dp_tile_config config = { .mode = probe->spins ? DP_TILE_SPIN : DP_TILE_SHARED };
	int code = dp_tile_loop_open(&probe->loop, &config, places, 2);

	if (code != 0) {
		fprintf(stderr, "port_probe: the loop does not open: %s\n", err_text(code));
		return EXIT_FAILURE;
	}
	printf("READY hugepages=%s\n", dp_env_has_hugepages() ? "yes" : "no");
	fflush(stdout);
	if (probe->seconds > 0)
		alarm((unsigned int)probe->seconds);
	dp_tile_loop_run(&probe->loop, &stop);
	print_status(talker);
	dp_tile_loop_close(&probe->loop);
	dp_tile_net.fini(probe->net);
	dp_ports_dpdk_stop();
	dp_env_stop();
	dp_bell_close(&probe->bell);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct probe probe;
	static struct talker talker;
	int code;

	if (argc < 4)
		refuse("usage: port_probe ID COUNT OPTION...");
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGALRM, on_signal);
	signal(SIGUSR1, on_signal);
	probe.id = (uint32_t)strtoul(argv[1], NULL, 10);
	probe.member_count = (uint32_t)strtoul(argv[2], NULL, 10);
	if (probe.member_count > DP_SESSION_PEERS_MAX || probe.id >= probe.member_count)
		refuse("ID must be below COUNT");
	probe.bytes = 100;
	probe.address = 0x0a4d0000 + probe.id + 1;
	probe.prefix_bits = 24;
	for (int i = 3; i < argc; i++)
		set_option(&probe, argv[i]);
	if (crypto_start() != 0)
		refuse("no crypto");
	set_party(&probe);
	if (probe.bell_name[0] && dp_bell_open(&probe.bell, probe.bell_name) != 0)
		refuse("the bell's name is taken");
	code = open_world(&probe);
	if (code != 0)
		return code == ERR_PERMISSION ? 77 : EXIT_FAILURE;
	set_up_tiles(&probe, &talker);
	return run(&probe, &talker);
}
