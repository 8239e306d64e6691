/*
 * Any frames to a port's ARP, IPv4, ICMP and UDP, with time passing between them.
 * One byte says what happens; a frame is two bytes of length and as many bytes.
 */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "dataplane/dp_net.h"
#include "tests/fuzz/fuzz_bytes.h"

static const struct dp_net_neighbour neighbour = { 0x0a000007, { { 2, 0, 0, 0, 0, 7 } } };

static void begin(struct dp_net *net, bool has_gateway)
{
	struct dp_net_config config = {
		.mac = { { 2, 0, 0, 0, 0, 1 } },
		.address = 0x0a000001,
		.prefix_bits = 24,
		.gateway = has_gateway ? 0x0a0000fe : 0,
		.udp_port = 4000,
		.udp_checksums = true,
		.neighbour_count = 1,
		.neighbour = &neighbour,
	};

	ensure(dp_net_init(net, &config) == 0);
}

/* What we send must be fit to be received: by somebody else, under its own address. */
static void frame_out(const struct dp_net *net, const uint8_t *frame, uint32_t count)
{
	ensure(count >= DP_PORT_FRAME_BYTES_MIN && count <= DP_PORT_FRAME_BYTES_MAX);
	ensure(memcmp(frame + 6, net->config.mac.b, 6) == 0);
}

static void reply(struct dp_net *net, const struct dp_net_datagram *datagram)
{
	static uint8_t frame[DP_PORT_FRAME_BYTES_MAX];

	memcpy(frame + DP_NET_HEAD_BYTES, datagram->bytes, datagram->byte_count);
	frame_out(net, frame, dp_net_finish(net, frame, &datagram->from, datagram->byte_count));
}

static void frame_in(struct dp_net *net, struct fuzz_bytes *input, uint64_t now_ns)
{
	uint8_t room[DP_PORT_FRAME_BYTES_MAX];
	struct dp_net_datagram datagram;
	size_t count;
	const uint8_t *bytes = fuzz_take(input, fuzz_u16(input) % (sizeof(room) + 1), &count);
	uint32_t left = (uint32_t)count;

	memcpy(room, bytes, count);
	switch (dp_net_input(net, room, &left, now_ns, &datagram)) {
	case DP_NET_NOTHING:
		break;
	case DP_NET_ANSWER:
		frame_out(net, room, left);
		break;
	case DP_NET_DATAGRAM:
		ensure(datagram.bytes >= room && datagram.byte_count <= DP_NET_DATAGRAM_BYTES_MAX &&
		       datagram.bytes + datagram.byte_count <= room + count);
		reply(net, &datagram);
		break;
	}
	ensure(net->entry_count <= DP_NET_NEIGHBOURS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct dp_net net;
	struct fuzz_bytes input = { bytes, count };
	uint8_t frame[DP_NET_ARP_BYTES];
	struct dp_mac mac;
	uint64_t now_ns = 1000000000;

	begin(&net, fuzz_bit(&input));
	while (input.left > 0) {
		switch (fuzz_below(&input, 6)) {
		case 0:
			now_ns += (uint64_t)fuzz_u16(&input) * 1000000;
			break;
		case 1:
			(void)dp_net_resolve(&net, 0x0a000000 + fuzz_u16(&input), now_ns, &mac);
			break;
		case 2:
			if (dp_net_arp_due(&net, now_ns, frame) > 0)
				frame_out(&net, frame, DP_NET_ARP_BYTES);
			break;
		case 3:
			frame_out(&net, frame, dp_net_announce(&net, frame));
			break;
		case 4:
			if (fuzz_u8(&input) == 0)
				dp_net_forget(&net);
			break;
		default:
			frame_in(&net, &input, now_ns);
			break;
		}
	}
	return 0;
}
