/* hostile: what can be sent into a DPDK client port, from broken Ethernet to forged frames. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_secret.h"
#include "crypto/crypto_session.h"
#include "dataplane/dp_bell.h"
#include "dataplane/dp_env_dpdk.h"
#include "dataplane/dp_net.h"
#include "dataplane/dp_port_dpdk.h"
#include "hostile.h"
#include "wire/wire_session.h"

enum { AT_IP = 14, AT_UDP = 34, PACKETS = 2048, PATIENCE_S = 30 };

static struct {
	struct hostile *hostile;
	struct hostile_port_options options;
	struct dp_port port;
	struct dp_net net;
	struct dp_bell bell;
	struct dp_bell_ringer ringer;
	struct dp_net_path node;
	struct wire_party me;
	struct wire_initiator initiator;
	struct wire_session session;
	enum wire_step step; /* of the last handshake packet heard */
	struct wire_client_message message;
	uint8_t message_bytes[WIRE_SINGLE_BYTES_MAX];
	bool has_message;
} world;

static void on_datagram(const uint8_t *bytes, uint32_t count)
{
	enum wire_packet_type type;
	struct wire_piece piece;
	uint32_t receiver;

	if (!wire_packet_peek(bytes, count, &type, &receiver))
		return;
	if (type != WIRE_PACKET_DATA && world.step == WIRE_STEP_DONE)
		return; /* an answer to a call repeated: the session stands */
	if (type != WIRE_PACKET_DATA) {
		world.step = wire_initiator_input(&world.initiator, bytes, count, &world.session);
		return;
	}
	if (wire_session_open(&world.session, bytes, count, world.message_bytes, &piece) == 0 &&
	    wire_client_decode(world.message_bytes, piece.byte_count, &world.message) == 0)
		world.has_message = true;
}

static void ring(void)
{
	dp_bell_ring(&world.bell, &world.ringer);
}

/* Takes what came, one packet at a time, until a message is there. */
static void turn(void)
{
	struct dp_net_datagram datagram;
	struct dp_packet packet;
	uint64_t now_ns = hostile_clock_ns();

	dp_port_housekeep(&world.port, now_ns);
	dp_bell_housekeep(&world.bell);
	dp_bell_ringer_housekeep(&world.bell, &world.ringer, now_ns, false);
	while (!world.has_message && dp_port_receive(&world.port, &packet, 1) == 1) {
		switch (dp_net_input(&world.net, packet.bytes, &packet.byte_count, now_ns,
				     &datagram)) {
		case DP_NET_ANSWER:
			dp_port_send(&world.port, &packet, 1);
			ring();
			break;
		case DP_NET_DATAGRAM:
			on_datagram(datagram.bytes, datagram.byte_count);
			dp_port_give_back(&world.port, &packet, 1);
			break;
		case DP_NET_NOTHING:
			dp_port_give_back(&world.port, &packet, 1);
			break;
		}
	}
	if (!world.has_message)
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}

/* ---- sending ---- */

static void send_frame(const uint8_t *frame, uint32_t count)
{
	struct dp_packet packet;

	while (!dp_port_take(&world.port, &packet))
		turn();
	memcpy(packet.bytes, frame, count);
	packet.byte_count = count;
	dp_port_send(&world.port, &packet, 1);
	ring();
}

/* A whole frame around a datagram; returns its bytes. */
static uint32_t frame_of(const void *bytes, uint32_t count, uint8_t *ret_frame)
{
	memset(ret_frame, 0, DP_PORT_FRAME_BYTES_MAX);
	memcpy(ret_frame + DP_NET_HEAD_BYTES, bytes, count);
	return dp_net_finish(&world.net, ret_frame, &world.node, count);
}

static void send_datagram(const void *bytes, uint32_t count)
{
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	uint32_t frame_bytes = frame_of(bytes, count, frame);

	send_frame(frame, frame_bytes);
}

static uint32_t seal(const void *message, uint32_t count, uint8_t ret_packet[1600])
{
	struct wire_piece piece;
	int bytes;

	wire_piece_of(message, count, 0, WIRE_STREAM_CLIENT, 0, &piece);
	bytes = wire_session_seal(&world.session, &piece, ret_packet, 1600);
	if (bytes < 0)
		hostile_die("a packet cannot be sealed: %s", err_text(bytes));
	return (uint32_t)bytes;
}

static void send_message(const void *message, uint32_t count)
{
	uint8_t packet[1600];
	uint32_t bytes = seal(message, count, packet);

	send_datagram(packet, bytes);
}

/* ---- the link ---- */

static void link_up(const struct hostile_port_options *options)
{
	struct dp_env_config env = { .core = -1, .hugepages = DP_ENV_HUGEPAGES_NEVER };
	struct dp_port_config port = { .kind = DP_PORT_MEMIF,
				       .name = "hostile",
				       .mac = { { 2, 0, 0, 0x66, 0, 1 } } };
	struct dp_net_config net = { .mac = port.mac,
				     .address = options->own_address,
				     .prefix_bits = 24,
				     .udp_port = options->udp_port };
	uint64_t end_ns = hostile_clock_ns() + PATIENCE_S * UNITS_NS_PER_S;
	uint8_t frame[DP_NET_ARP_BYTES];
	char bell[DP_BELL_NAME_BYTES];

	snprintf(env.name, sizeof(env.name), "hostile-%d", (int)getpid());
	snprintf(bell, sizeof(bell), "hostile-%d", (int)getpid());
	snprintf(port.socket, sizeof(port.socket), "%s", options->socket);
	if (dp_env_start(&env) < 0 || dp_ports_dpdk_start(PACKETS) < 0 ||
	    dp_port_dpdk_open(&world.port, &port) < 0)
		hostile_die("%s", dp_env_error());
	if (dp_net_init(&world.net, &net) < 0 || dp_bell_open(&world.bell, bell) < 0 ||
	    dp_bell_ringer_open(&world.bell, &world.ringer, options->bell) < 0)
		hostile_die("no network or no bell");
	world.node = (struct dp_net_path){ .address = options->node_address,
					   .udp_port = options->udp_port };
	while (!world.port.is_up || !dp_net_resolve(&world.net, options->node_address,
						    hostile_clock_ns(), &world.node.mac)) {
		uint32_t count = dp_net_arp_due(&world.net, hostile_clock_ns(), frame);

		if (hostile_clock_ns() > end_ns)
			hostile_die("the link stays down, or nobody answers ARP");
		if (count > 0 && world.port.is_up)
			send_frame(frame, count);
		turn();
	}
}

/* ---- broken packets ---- */

static void fix_ip_checksum(uint8_t *frame)
{
	uint16_t sum;

	memset(frame + AT_IP + 10, 0, 2);
	sum = dp_net_sum_fold(dp_net_sum(frame + AT_IP, 20, 0));
	memcpy(frame + AT_IP + 10, &sum, 2);
}

/* One byte of a good frame changed; `fixes` makes the IPv4 checksum right again. */
static void send_changed(const char *name, uint32_t at, uint8_t change, bool fixes)
{
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX];
	uint32_t count = frame_of("a datagram of a hostile client", 30, frame);

	frame[at] ^= change;
	if (fixes)
		fix_ip_checksum(frame);
	send_frame(frame, count);
	printf("port %s: sent\n", name);
}

static void broken_packets(void)
{
	uint8_t frame[DP_PORT_FRAME_BYTES_MAX] = { 0 };
	uint8_t arp[DP_NET_ARP_BYTES];
	uint32_t count;

	send_frame(frame, 10);
	send_changed("ethertype", 12, 0x80, false);
	send_changed("not_for_us", 5, 0x55, false);
	send_changed("ip_header", AT_IP, 0x10, false);
	send_changed("ip_checksum", AT_IP + 10, 0x10, false);
	send_changed("ip_fragment", AT_IP + 7, 0x08, true);
	send_changed("ip_protocol", AT_IP + 9, 0x06 ^ 17, true);
	send_changed("udp_length", AT_UDP + 4, 0x40, false);
	send_changed("udp_port", AT_UDP + 2, 0x40, false);
	send_changed("udp_checksum", AT_UDP + 6, 0x12, false);
	send_changed("icmp", AT_IP + 9, 1 ^ 17, true);
	count = dp_net_announce(&world.net, arp);
	memcpy(frame, arp, count);
	frame[14] = 9; /* hardware type */
	send_frame(frame, count);
	memcpy(frame, arp, count);
	frame[21] = 2; /* a reply, from somebody who was never asked... */
	frame[31] ^= 0x70;
	for (int i = 0; i < 4; i++) /* ...to the node itself */
		frame[38 + i] = (uint8_t)(world.options.node_address >> (24 - 8 * i));
	send_frame(frame, count);
	printf("port short, arp, arp_unasked: sent\n");
}

/* ---- broken handshakes ---- */

/* Prepares a call to our node, believing that it has member `whose` session key. */
static void call(const struct wire_party *me, uint32_t whose)
{
	const struct crypto_exchange_key *key = &world.hostile->genesis.member[whose].exchange_key;
	struct wire_chance chance;

	crypto_random(&chance, sizeof(chance));
	if (wire_initiator_init(&world.initiator, me, world.options.node, key, &chance) < 0)
		hostile_die("the node's session key is not usable");
	world.step = WIRE_STEP_IGNORED;
}

/* Calls until the handshake comes to `wanted`. */
static void call_through(enum wire_step wanted)
{
	uint64_t end_ns = hostile_clock_ns() + PATIENCE_S * UNITS_NS_PER_S;
	uint64_t next_ns = 0;

	while (world.step != wanted) {
		uint64_t now_ns = hostile_clock_ns();

		if (now_ns > end_ns)
			hostile_die("the handshake does not come to step %d", (int)wanted);
		if (now_ns >= next_ns || world.step == WIRE_STEP_SEND) {
			send_datagram(world.initiator.packet, WIRE_INITIATION_BYTES);
			next_ns = now_ns + 200 * UNITS_NS_PER_MS;
			world.step = WIRE_STEP_IGNORED;
		}
		turn();
	}
}

static void broken_handshakes(void)
{
	struct wire_party other = world.me;
	uint8_t packet[WIRE_INITIATION_BYTES];

	send_datagram("no packet of ours", 17);
	memset(packet, 0, sizeof(packet));
	packet[0] = 0xff;
	send_datagram(packet, sizeof(packet));
	other.chain_id.b[0] ^= 1;
	call(&other, world.options.node);
	call_through(WIRE_STEP_REFUSED);
	printf("port chain: refused, %s\n", wire_refusal_text(world.initiator.refusal));
	other = world.me;
	other.role = WIRE_ROLE_PEER;
	other.replica = world.options.peer;
	if (crypto_secret_load(world.options.peer_key, other.secret.b) < 0)
		hostile_die("%s: is no key file", world.options.peer_key);
	crypto_exchange_public(&other.secret, &other.public_key);
	call(&other, world.options.node);
	send_datagram(world.initiator.packet, WIRE_INITIATION_BYTES);
	printf("port unknown_peer: sent with a member's true key, from where no member lives\n");
	call(&world.me, world.options.peer); /* with a cookie, but for another's key */
	call_through(WIRE_STEP_SEND);
	send_datagram(world.initiator.packet, WIRE_INITIATION_BYTES);
	printf("port packet, handshake: sent\n");
}

/* ---- frames in a session ---- */

static void hear(const char *what, const void *bytes, uint32_t count)
{
	uint64_t end_ns = hostile_clock_ns() + PATIENCE_S * UNITS_NS_PER_S;
	uint64_t next_ns = hostile_clock_ns() + 500 * UNITS_NS_PER_MS;

	while (!world.has_message) {
		if (hostile_clock_ns() > end_ns)
			hostile_die("%s: no answer in %d s", what, PATIENCE_S);
		if (hostile_clock_ns() > next_ns) {
			send_message(bytes, count);
			next_ns += 500 * UNITS_NS_PER_MS;
		}
		turn();
	}
	world.has_message = false;
}

static void honest(void)
{
	struct hostile *hostile = world.hostile;
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	uint32_t count = hostile_submit(hostile, HOSTILE_GOOD, hostile->next_seq, bytes);

	send_message(bytes, count);
	do
		hear("an honest transaction", bytes, count);
	while (world.message.kind != WIRE_CLIENT_RECEIPT ||
	       world.message.u.receipt.first_seq != hostile->next_seq);
	printf("port good %" PRIu64 ": final at height %" PRIu64 "\n", hostile->next_seq,
	       world.message.u.receipt.height);
	hostile->next_seq++;
}

static void faults(void)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];

	for (int i = HOSTILE_GOOD + 1; i < HOSTILE_FAULT_COUNT; i++) {
		enum hostile_fault fault = (enum hostile_fault)i;
		uint64_t limit = hostile_fault_limit(world.hostile, fault);
		uint64_t seq =
			world.hostile->next_seq + (fault == HOSTILE_AHEAD ? WIRE_CLIENT_WINDOW : 0);
		uint32_t count = hostile_submit(world.hostile, fault, seq, bytes);

		send_message(bytes, count);
		do
			hear(hostile_fault_name(fault), bytes, count);
		while (world.message.kind != WIRE_CLIENT_REFUSAL ||
		       world.message.u.refusal.reason != hostile_fault_code(fault));
		if (limit != 0 && world.message.u.refusal.limit != limit)
			hostile_die("%s: the limit told is %" PRIu64 ", not %" PRIu64,
				    hostile_fault_name(fault), world.message.u.refusal.limit,
				    limit);
		printf("port %s: refused, %s, limit %" PRIu64 "\n", hostile_fault_name(fault),
		       err_name(world.message.u.refusal.reason), world.message.u.refusal.limit);
	}
}

static void broken_session_packets(void)
{
	uint8_t packet[1600];
	uint32_t count;

	send_message("\xff\xff\xff", 3);
	count = seal("twice", 5, packet);
	send_datagram(packet, count);
	send_datagram(packet, count);
	count = seal("forged", 6, packet);
	packet[count - 1] ^= 1;
	send_datagram(packet, count);
	send_datagram(packet, count - 5);
	count = seal("to nobody", 9, packet);
	packet[4] ^= 0xff; /* the receiver's index */
	send_datagram(packet, count);
	printf("port malformed, replay, tag, no_session: sent\n");
}

/* ---- flood ---- */

static void flood(uint32_t count)
{
	uint8_t forged[WIRE_CLIENT_BYTES_MAX];
	uint32_t forged_bytes = hostile_submit(world.hostile, HOSTILE_BAD_SIGNATURE, 1, forged);
	uint8_t packet[1600];
	uint32_t packet_bytes = seal("again and again", 15, packet);
	uint8_t garbage[1400];

	crypto_random(garbage, sizeof(garbage));
	for (uint32_t i = 0; i < count; i++) {
		switch (i % 4) {
		case 0:
			send_datagram(garbage, sizeof(garbage));
			break;
		case 1:
			send_datagram(packet, packet_bytes);
			break;
		case 2:
			send_message(forged, forged_bytes);
			break;
		default:
			send_datagram(world.initiator.packet, WIRE_INITIATION_BYTES);
			break;
		}
		if (i % 32 == 31) {
			turn();
			world.has_message = false;
		}
	}
	printf("port flood: %u packets\n", count);
}

void hostile_port(struct hostile *hostile, const struct hostile_port_options *options)
{
	static const struct timespec refill = { .tv_sec = 2 }; /* of the handshake budget */

	world.hostile = hostile;
	world.options = *options;
	world.me = (struct wire_party){ .role = WIRE_ROLE_CLIENT,
					.chain_id = hostile->chain_id,
					.epoch = WIRE_GENESIS_EPOCH,
					.build_id = crypto_build_id(),
					.replica = HS_REPLICA_NONE,
					.ciphers = wire_ciphers_usable() };
	link_up(options);
	broken_packets();
	broken_handshakes();
	nanosleep(&refill, NULL);
	call(&world.me, world.options.node);
	call_through(WIRE_STEP_DONE);
	send_message("", 0);
	honest();
	broken_session_packets();
	faults();
	honest();
	flood(options->flood);
	honest();
	dp_port_close(&world.port);
}
