#include "dataplane/dp_port_ring.h"

#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_ring.h"

/*
 * Both ends. A received packet stays in the ring until it is given back, so receive hands out one
 * burst of copies' owners: the packet buffers below, one set an end and direction.
 */
enum { BUFFERS = 4 * DP_PORT_BURST_MAX };

struct buffer {
	struct buffer *next_free;
	uint8_t bytes[DP_PORT_FRAME_BYTES_MAX + 6];
};

struct end {
	struct dp_ring *in;
	struct dp_ring *out;
	struct buffer *free;
	struct buffer buffer[BUFFERS];
};

struct pair {
	struct end end[2];
};

static size_t pair_bytes(void)
{
	return units_round_up(sizeof(struct pair), 64);
}

size_t dp_port_ring_footprint(uint32_t ring_bytes)
{
	size_t ring = dp_ring_footprint(ring_bytes);

	return ring == 0 ? 0 : pair_bytes() + 2 * ring;
}

static void buffer_give_back(struct end *end, struct buffer *buffer)
{
	buffer->next_free = end->free;
	end->free = buffer;
}

static bool ring_take(struct dp_port *port, struct dp_packet *ret_packet)
{
	struct end *end = port->implementation;
	struct buffer *buffer = end->free;

	if (!buffer) {
		port->counters.no_buffer++;
		return false;
	}
	end->free = buffer->next_free;
	*ret_packet = (struct dp_packet){
		.bytes = buffer->bytes,
		.byte_count = DP_PORT_FRAME_BYTES_MAX,
		.owner = buffer,
	};
	return true;
}

static void ring_give_back(struct dp_port *port, struct dp_packet *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		buffer_give_back(port->implementation, packets[i].owner);
}

static uint32_t ring_receive(struct dp_port *port, struct dp_packet *ret_packets, uint32_t max)
{
	struct end *end = port->implementation;
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t count = 0;

	while (count < max && (bytes = dp_ring_peek(end->in, &header)) != NULL) {
		if (!ring_take(port, &ret_packets[count]))
			break;
		memcpy(ret_packets[count].bytes, bytes, header->bytes);
		ret_packets[count].byte_count = header->bytes;
		port->counters.rx_packets++;
		port->counters.rx_bytes += header->bytes;
		dp_ring_release(end->in);
		count++;
	}
	return count;
}

static uint32_t ring_send(struct dp_port *port, struct dp_packet *packets, uint32_t count)
{
	struct end *end = port->implementation;
	const struct dp_ring_header header = { .kind = 1 };
	uint32_t sent = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (port->is_up && packets[i].byte_count <= DP_PORT_FRAME_BYTES_MAX &&
		    dp_ring_push(end->out, &header, packets[i].bytes, packets[i].byte_count)) {
			port->counters.tx_packets++;
			port->counters.tx_bytes += packets[i].byte_count;
			sent++;
		} else {
			port->counters.tx_dropped++;
		}
	}
	ring_give_back(port, packets, count);
	return sent;
}

static void ring_housekeep(struct dp_port *port, uint64_t now_ns)
{
	(void)port;
	(void)now_ns;
}

static int ring_wait_fd(struct dp_port *port)
{
	(void)port;
	return -1;
}

static void ring_close(struct dp_port *port)
{
	port->is_up = false;
	port->ops = NULL;
}

static const struct dp_port_ops ring_ops = {
	.receive = ring_receive,
	.take = ring_take,
	.send = ring_send,
	.give_back = ring_give_back,
	.housekeep = ring_housekeep,
	.wait_fd = ring_wait_fd,
	.close = ring_close,
};

int dp_port_ring_open(void *memory, size_t memory_bytes, uint32_t ring_bytes,
		      const struct dp_mac *mac_a, const struct dp_mac *mac_b, struct dp_port *ret_a,
		      struct dp_port *ret_b)
{
	size_t ring = dp_ring_footprint(ring_bytes);
	struct pair *pair = memory;
	uint8_t *at = (uint8_t *)memory + pair_bytes();
	struct dp_ring *way[2];
	int code;

	if (ring == 0)
		return ERR_CONFIG;
	if (!memory || memory_bytes < dp_port_ring_footprint(ring_bytes))
		return ERR_MEMORY;
	for (uint32_t i = 0; i < 2; i++) {
		code = dp_ring_init(at + i * ring, ring, ring_bytes, &way[i]);
		if (code != 0)
			return code;
	}
	memset(pair, 0, sizeof(*pair));
	for (uint32_t i = 0; i < 2; i++) {
		pair->end[i].in = way[i];
		pair->end[i].out = way[1 - i];
		for (uint32_t k = 0; k < BUFFERS; k++)
			buffer_give_back(&pair->end[i], &pair->end[i].buffer[k]);
	}
	*ret_a = (struct dp_port){ .ops = &ring_ops,
				   .implementation = &pair->end[0],
				   .kind = DP_PORT_RING,
				   .name = "ring-a",
				   .mac = *mac_a,
				   .is_up = true };
	*ret_b = (struct dp_port){ .ops = &ring_ops,
				   .implementation = &pair->end[1],
				   .kind = DP_PORT_RING,
				   .name = "ring-b",
				   .mac = *mac_b,
				   .is_up = true };
	return 0;
}
