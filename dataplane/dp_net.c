#include "dataplane/dp_net.h"

#include <string.h>

#include "base/err.h"
#include "base/units.h"

/* Offsets in a frame, from its first byte. */
enum {
	AT_MAC_TO = 0,
	AT_MAC_FROM = 6,
	AT_ETHERTYPE = 12,
	AT_IP = 14,
	ETHER_HEAD_BYTES = 14,
	IP_HEAD_BYTES = 20,
	UDP_HEAD_BYTES = 8,
	ICMP_HEAD_BYTES = 8,
	ARP_BODY_BYTES = 28,

	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	PROTOCOL_ICMP = 1,
	PROTOCOL_UDP = 17,
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO = 8,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ECHOES_PER_S = 100,
	HOPS = 64,
};

#define ASK_AGAIN_NS (25 * UNITS_NS_PER_MS) /* doubled with each try */

static const struct dp_mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct dp_mac nobody = { { 0 } };

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

uint64_t dp_net_sum(const void *bytes, uint32_t count, uint64_t sum)
{
	const uint8_t *at = bytes;
	uint32_t word;
	uint16_t half;

	for (; count >= 4; count -= 4, at += 4) {
		memcpy(&word, at, 4);
		sum += word;
	}
	if (count >= 2) {
		memcpy(&half, at, 2);
		sum += half;
		at += 2;
	}
	if (count % 2 == 1) {
		half = 0;
		memcpy(&half, at, 1);
		sum += half;
	}
	return sum;
}

/* The sum was taken in the machine's (little-endian) order; so is the result. */
uint16_t dp_net_sum_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_sum(uint8_t *at, uint16_t folded)
{
	memcpy(at, &folded, sizeof(folded));
}

static uint64_t udp_pseudo_sum(const uint8_t *ip, uint32_t udp_bytes)
{
	uint8_t pseudo[12];

	memcpy(pseudo, ip + 12, 8);
	pseudo[8] = 0;
	pseudo[9] = PROTOCOL_UDP;
	put16(pseudo + 10, udp_bytes);
	return dp_net_sum(pseudo, sizeof(pseudo), 0);
}

static bool mac_equal(const struct dp_mac *a, const uint8_t *b)
{
	return memcmp(a->b, b, sizeof(a->b)) == 0;
}

static enum dp_net_verdict drop(struct dp_net *net, enum dp_drop reason)
{
	dp_drops_add(&net->drops, reason);
	return DP_NET_NOTHING;
}

int dp_net_init(struct dp_net *net, const struct dp_net_config *config)
{
	if (config->address == 0 || config->prefix_bits > 32 || (config->mac.b[0] & 1) != 0 ||
	    mac_equal(&nobody, config->mac.b) || config->neighbour_count > DP_NET_NEIGHBOURS_MAX)
		return ERR_CONFIG;
	memset(net, 0, sizeof(*net));
	net->config = *config;
	if (net->config.echoes_per_s == 0)
		net->config.echoes_per_s = ECHOES_PER_S;
	for (uint32_t i = 0; i < config->neighbour_count; i++) {
		net->entry[i] = (struct dp_net_entry){
			.address = config->neighbour[i].address,
			.mac = config->neighbour[i].mac,
			.state = DP_NET_STATIC,
		};
	}
	net->entry_count = config->neighbour_count;
	net->config.neighbour = NULL;
	return 0;
}

static struct dp_net_entry *entry_of(struct dp_net *net, uint32_t address)
{
	for (uint32_t i = 0; i < net->entry_count; i++)
		if (net->entry[i].address == address)
			return &net->entry[i];
	return NULL;
}

static uint32_t next_hop(const struct dp_net *net, uint32_t address)
{
	uint32_t bits = net->config.prefix_bits;
	uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);

	if (net->config.gateway == 0 || ((address ^ net->config.address) & mask) == 0)
		return address;
	return net->config.gateway;
}

/* A place for a new neighbour: a fresh one, else the one asked for or used longest ago. */
static struct dp_net_entry *entry_take(struct dp_net *net)
{
	struct dp_net_entry *oldest = NULL;

	if (net->entry_count < DP_NET_NEIGHBOURS_MAX)
		return &net->entry[net->entry_count++];
	for (uint32_t i = 0; i < net->entry_count; i++) {
		struct dp_net_entry *entry = &net->entry[i];

		if (entry->state == DP_NET_STATIC)
			continue;
		if (!oldest || units_max(entry->asked_ns, entry->known_ns) <
				       units_max(oldest->asked_ns, oldest->known_ns))
			oldest = entry;
	}
	return oldest;
}

static bool is_due(const struct dp_net_entry *entry, uint64_t now_ns)
{
	bool is_old = entry->state == DP_NET_KNOWN &&
		      now_ns - entry->known_ns >= 60 * UNITS_NS_PER_S;
	uint64_t wait_ns = units_min(ASK_AGAIN_NS << units_min(entry->tries, 8), UNITS_NS_PER_S);
	bool was_asked_lately = entry->asked_ns != 0 && now_ns - entry->asked_ns < wait_ns;

	return (entry->state == DP_NET_ASKING || is_old) && !was_asked_lately;
}

bool dp_net_resolve(struct dp_net *net, uint32_t address, uint64_t now_ns, struct dp_mac *ret_mac)
{
	uint32_t hop = next_hop(net, address);
	struct dp_net_entry *entry = entry_of(net, hop);

	(void)now_ns;
	if (!entry) {
		entry = entry_take(net);
		if (entry)
			*entry = (struct dp_net_entry){ .address = hop, .state = DP_NET_ASKING };
	}
	if (!entry || entry->state == DP_NET_ASKING) {
		dp_drops_add(&net->drops, DP_DROP_NO_NEIGHBOUR);
		return false;
	}
	*ret_mac = entry->mac;
	return true;
}

static uint32_t arp_write(const struct dp_net *net, uint8_t *frame, uint32_t operation,
			  const struct dp_mac *to, const struct dp_mac *target_mac, uint32_t target)
{
	uint8_t *arp = frame + ETHER_HEAD_BYTES;

	memset(frame, 0, DP_NET_ARP_BYTES);
	memcpy(frame + AT_MAC_TO, to->b, 6);
	memcpy(frame + AT_MAC_FROM, net->config.mac.b, 6);
	put16(frame + AT_ETHERTYPE, ETHERTYPE_ARP);
	put16(arp, 1);
	put16(arp + 2, ETHERTYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	memcpy(arp + 8, net->config.mac.b, 6);
	put32(arp + 14, net->config.address);
	memcpy(arp + 18, target_mac->b, 6);
	put32(arp + 24, target);
	return DP_NET_ARP_BYTES;
}

uint32_t dp_net_arp_due(struct dp_net *net, uint64_t now_ns, uint8_t ret_frame[DP_NET_ARP_BYTES])
{
	for (uint32_t i = 0; i < net->entry_count; i++) {
		struct dp_net_entry *entry = &net->entry[i];

		if (!is_due(entry, now_ns))
			continue;
		entry->asked_ns = units_max(now_ns, 1);
		entry->tries = (uint8_t)units_min(entry->tries + 1u, 8);
		return arp_write(net, ret_frame, ARP_REQUEST, &broadcast, &nobody, entry->address);
	}
	return 0;
}

void dp_net_forget(struct dp_net *net)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < net->entry_count; i++) {
		struct dp_net_entry entry = net->entry[i];

		if (entry.state == DP_NET_KNOWN)
			continue;
		entry.asked_ns = 0;
		entry.tries = 0;
		net->entry[kept++] = entry;
	}
	net->entry_count = kept;
}

uint32_t dp_net_announce(const struct dp_net *net, uint8_t ret_frame[DP_NET_ARP_BYTES])
{
	return arp_write(net, ret_frame, ARP_REQUEST, &broadcast, &nobody, net->config.address);
}

static void arp_learn(struct dp_net *net, const uint8_t *arp, uint64_t now_ns)
{
	struct dp_net_entry *entry = entry_of(net, get32(arp + 14));
	bool was_asked = entry && entry->state != DP_NET_STATIC && entry->asked_ns != 0 &&
			 entry->asked_ns > entry->known_ns &&
			 now_ns - entry->asked_ns < 5 * UNITS_NS_PER_S;

	if (!was_asked || (arp[8] & 1) != 0) {
		dp_drops_add(&net->drops, DP_DROP_ARP_UNASKED);
		return;
	}
	memcpy(entry->mac.b, arp + 8, 6);
	entry->state = DP_NET_KNOWN;
	entry->tries = 0;
	entry->known_ns = units_max(now_ns, entry->asked_ns);
}

static enum dp_net_verdict arp_input(struct dp_net *net, uint8_t *frame, uint32_t *bytes,
				     uint64_t now_ns)
{
	uint8_t *arp = frame + ETHER_HEAD_BYTES;
	struct dp_mac from;
	uint32_t target;

	if (*bytes < ETHER_HEAD_BYTES + ARP_BODY_BYTES || get16(arp) != 1 ||
	    get16(arp + 2) != ETHERTYPE_IPV4 || arp[4] != 6 || arp[5] != 4)
		return drop(net, DP_DROP_ARP);
	if (get32(arp + 24) != net->config.address)
		return drop(net, DP_DROP_NOT_FOR_US);
	if (get16(arp + 6) == ARP_REPLY) {
		arp_learn(net, arp, now_ns);
		return DP_NET_NOTHING;
	}
	if (get16(arp + 6) != ARP_REQUEST || (arp[8] & 1) != 0)
		return drop(net, DP_DROP_ARP);
	memcpy(from.b, arp + 8, 6);
	target = get32(arp + 14);
	*bytes = arp_write(net, frame, ARP_REPLY, &from, &from, target);
	net->arp_answered++;
	return DP_NET_ANSWER;
}

static bool may_echo(struct dp_net *net, uint64_t now_ns)
{
	if (net->echo_second_ns == 0 || now_ns - net->echo_second_ns >= UNITS_NS_PER_S) {
		net->echo_second_ns = units_max(now_ns, 1);
		net->echoes_left = net->config.echoes_per_s;
	}
	if (net->echoes_left == 0)
		return false;
	net->echoes_left--;
	return true;
}

static void ip_swap(uint8_t *frame, uint8_t *ip)
{
	uint8_t saved[6];

	memcpy(saved, frame + AT_MAC_TO, 6);
	memcpy(frame + AT_MAC_TO, frame + AT_MAC_FROM, 6);
	memcpy(frame + AT_MAC_FROM, saved, 6);
	memcpy(saved, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, saved, 4);
}

static enum dp_net_verdict icmp_input(struct dp_net *net, uint8_t *frame, uint8_t *ip,
				      uint32_t head_bytes, uint32_t ip_bytes, uint32_t *bytes,
				      uint64_t now_ns)
{
	uint8_t *icmp = ip + head_bytes;
	uint32_t icmp_bytes = ip_bytes - head_bytes;

	if (icmp_bytes < ICMP_HEAD_BYTES || icmp[0] != ICMP_ECHO || icmp[1] != 0 ||
	    dp_net_sum_fold(dp_net_sum(icmp, icmp_bytes, 0)) != 0 || !may_echo(net, now_ns))
		return drop(net, DP_DROP_ICMP);
	ip_swap(frame, ip);
	ip[8] = HOPS;
	put16(ip + 10, 0);
	put_sum(ip + 10, dp_net_sum_fold(dp_net_sum(ip, head_bytes, 0)));
	icmp[0] = ICMP_ECHO_REPLY;
	put16(icmp + 2, 0);
	put_sum(icmp + 2, dp_net_sum_fold(dp_net_sum(icmp, icmp_bytes, 0)));
	*bytes = (uint32_t)units_max(ETHER_HEAD_BYTES + ip_bytes, DP_PORT_FRAME_BYTES_MIN);
	net->echoes_answered++;
	return DP_NET_ANSWER;
}

static enum dp_net_verdict udp_input(struct dp_net *net, const uint8_t *frame, const uint8_t *ip,
				     uint32_t head_bytes, uint32_t ip_bytes,
				     struct dp_net_datagram *ret_datagram)
{
	const uint8_t *udp = ip + head_bytes;
	uint32_t udp_bytes = ip_bytes - head_bytes;

	if (udp_bytes < UDP_HEAD_BYTES || get16(udp + 4) != udp_bytes)
		return drop(net, DP_DROP_UDP_LENGTH);
	if (get16(udp + 2) != net->config.udp_port || get16(udp) == 0)
		return drop(net, DP_DROP_UDP_PORT);
	if (get16(udp + 6) != 0 &&
	    dp_net_sum_fold(dp_net_sum(udp, udp_bytes, udp_pseudo_sum(ip, udp_bytes))) != 0)
		return drop(net, DP_DROP_UDP_CHECKSUM);
	*ret_datagram = (struct dp_net_datagram){
		.bytes = udp + UDP_HEAD_BYTES,
		.byte_count = udp_bytes - UDP_HEAD_BYTES,
		.from = { .address = get32(ip + 12), .udp_port = get16(udp) },
	};
	memcpy(ret_datagram->from.mac.b, frame + AT_MAC_FROM, 6);
	return DP_NET_DATAGRAM;
}

static enum dp_net_verdict ip_input(struct dp_net *net, uint8_t *frame, uint32_t *bytes,
				    uint64_t now_ns, struct dp_net_datagram *ret_datagram)
{
	uint8_t *ip = frame + AT_IP;
	uint32_t room = *bytes - ETHER_HEAD_BYTES;
	uint32_t head_bytes = room >= IP_HEAD_BYTES ? (ip[0] & 15u) * 4 : 0;
	uint32_t ip_bytes;

	if (room < IP_HEAD_BYTES)
		return drop(net, DP_DROP_SHORT);
	ip_bytes = get16(ip + 2);
	if (ip[0] >> 4 != 4 || head_bytes < IP_HEAD_BYTES || ip_bytes < head_bytes ||
	    ip_bytes > room)
		return drop(net, DP_DROP_IP_HEADER);
	if (dp_net_sum_fold(dp_net_sum(ip, head_bytes, 0)) != 0)
		return drop(net, DP_DROP_IP_CHECKSUM);
	if (get32(ip + 16) != net->config.address)
		return drop(net, DP_DROP_NOT_FOR_US);
	if ((get16(ip + 6) & 0x3fff) != 0)
		return drop(net, DP_DROP_IP_FRAGMENT);
	if (ip[9] == PROTOCOL_UDP)
		return udp_input(net, frame, ip, head_bytes, ip_bytes, ret_datagram);
	if (ip[9] == PROTOCOL_ICMP)
		return icmp_input(net, frame, ip, head_bytes, ip_bytes, bytes, now_ns);
	return drop(net, DP_DROP_IP_PROTOCOL);
}

enum dp_net_verdict dp_net_input(struct dp_net *net, uint8_t *frame, uint32_t *bytes,
				 uint64_t now_ns, struct dp_net_datagram *ret_datagram)
{
	bool is_broadcast;

	if (*bytes < ETHER_HEAD_BYTES)
		return drop(net, DP_DROP_SHORT);
	if (*bytes > DP_PORT_FRAME_BYTES_MAX)
		return drop(net, DP_DROP_OVERSIZE);
	is_broadcast = mac_equal(&broadcast, frame + AT_MAC_TO);
	if (!is_broadcast && !mac_equal(&net->config.mac, frame + AT_MAC_TO))
		return drop(net, DP_DROP_NOT_FOR_US);
	if ((frame[AT_MAC_FROM] & 1) != 0)
		return drop(net, DP_DROP_NOT_FOR_US);
	switch (get16(frame + AT_ETHERTYPE)) {
	case ETHERTYPE_ARP:
		return arp_input(net, frame, bytes, now_ns);
	case ETHERTYPE_IPV4:
		if (is_broadcast)
			return drop(net, DP_DROP_NOT_FOR_US);
		return ip_input(net, frame, bytes, now_ns, ret_datagram);
	default:
		return drop(net, DP_DROP_ETHERTYPE);
	}
}

static void udp_sum(uint8_t *ip, uint8_t *udp, uint32_t udp_bytes)
{
	uint16_t sum = dp_net_sum_fold(dp_net_sum(udp, udp_bytes, udp_pseudo_sum(ip, udp_bytes)));

	put_sum(udp + 6, sum == 0 ? UINT16_MAX : sum);
}

uint32_t dp_net_finish(struct dp_net *net, uint8_t *frame, const struct dp_net_path *to,
		       uint32_t datagram_bytes)
{
	uint8_t *ip = frame + AT_IP;
	uint8_t *udp = ip + IP_HEAD_BYTES;
	uint32_t frame_bytes = DP_NET_HEAD_BYTES + datagram_bytes;

	memcpy(frame + AT_MAC_TO, to->mac.b, 6);
	memcpy(frame + AT_MAC_FROM, net->config.mac.b, 6);
	put16(frame + AT_ETHERTYPE, ETHERTYPE_IPV4);
	ip[0] = 0x45;
	ip[1] = 0;
	put16(ip + 2, IP_HEAD_BYTES + UDP_HEAD_BYTES + datagram_bytes);
	put16(ip + 4, net->next_id++);
	put16(ip + 6, 0x4000);
	ip[8] = HOPS;
	ip[9] = PROTOCOL_UDP;
	put16(ip + 10, 0);
	put32(ip + 12, net->config.address);
	put32(ip + 16, to->address);
	put_sum(ip + 10, dp_net_sum_fold(dp_net_sum(ip, IP_HEAD_BYTES, 0)));
	put16(udp, net->config.udp_port);
	put16(udp + 2, to->udp_port);
	put16(udp + 4, UDP_HEAD_BYTES + datagram_bytes);
	put16(udp + 6, 0);
	if (net->config.udp_checksums)
		udp_sum(ip, udp, UDP_HEAD_BYTES + datagram_bytes);
	if (frame_bytes < DP_PORT_FRAME_BYTES_MIN) {
		memset(frame + frame_bytes, 0, DP_PORT_FRAME_BYTES_MIN - frame_bytes);
		frame_bytes = DP_PORT_FRAME_BYTES_MIN;
	}
	return frame_bytes;
}
