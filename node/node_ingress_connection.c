#define _GNU_SOURCE
#include "node/node_ingress_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "node/node_message.h"

int node_connection_init(struct node_connection *connection, uint32_t index)
{
	size_t bytes = dp_ring_footprint(NODE_INGRESS_QUEUE_BYTES);

	memset(connection, 0, sizeof(*connection));
	connection->fd = -1;
	connection->index = index;
	connection->queue_memory = aligned_alloc(64, units_round_up(bytes, 64));
	if (!connection->queue_memory)
		return ERR_MEMORY;
	return dp_ring_init(connection->queue_memory, bytes, NODE_INGRESS_QUEUE_BYTES,
			    &connection->queue);
}

void node_connection_fini(struct node_connection *connection)
{
	node_connection_close(connection);
	free(connection->queue_memory);
	connection->queue_memory = NULL;
}

void node_connection_open(struct node_connection *connection, int fd)
{
	ensure(connection->fd < 0);
	connection->fd = fd;
	connection->generation++;
	connection->wants_write = false;
	connection->key_count = 0;
	connection->key_next = 0;
	connection->credit_ns = UNITS_NS_PER_S;
	connection->credited_ns = 0;
	connection->receipt_height = 0;
	memset(&connection->tail, 0, sizeof(connection->tail));
	memset(&connection->held, 0, sizeof(connection->held));
}

void node_connection_close(struct node_connection *connection)
{
	const struct dp_ring_header *header;

	if (connection->fd < 0)
		return;
	close(connection->fd);
	connection->fd = -1;
	connection->tail.is_active = false;
	connection->held.is_held = false;
	while (dp_ring_peek(connection->queue, &header))
		dp_ring_release(connection->queue);
}

uint64_t node_connection_origin(const struct node_connection *connection)
{
	return NODE_ORIGIN_LOCAL | (connection->generation & UINT64_C(0x7fffffffffff)) << 16 |
	       connection->index;
}

bool node_connection_send(struct node_connection *connection, const void *bytes, uint32_t count)
{
	static const struct dp_ring_header queued = { .kind = 1 };

	if (connection->fd < 0)
		return false;
	if (!connection->wants_write) {
		ssize_t sent = send(connection->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == (ssize_t)count)
			return true;
		if (errno != EAGAIN && errno != ENOBUFS)
			return false; /* the reading side tells that it is gone */
		connection->wants_write = true;
	}
	if (dp_ring_push(connection->queue, &queued, bytes, count))
		return true;
	connection->dropped++;
	return false;
}

bool node_connection_say(struct node_connection *connection,
			 const struct wire_client_message *message)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(message, bytes, sizeof(bytes));

	ensure(count > 0);
	return node_connection_send(connection, bytes, (uint32_t)count);
}

void node_connection_error(struct node_connection *connection, uint32_t request, int code,
			   const char *text)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_ERROR,
		.request = request,
		.u.error = { .code = code, .text = text, .text_bytes = (uint32_t)strlen(text) },
	};

	node_connection_say(connection, &message);
}

void node_connection_refuse(struct node_connection *connection, const struct wire_frame *frame,
			    int reason)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_REFUSAL,
		.u.refusal = { .client = frame->client,
			       .first_seq = frame->first_seq,
			       .reason = reason },
	};

	node_connection_say(connection, &message);
}

bool node_connection_may_submit(struct node_connection *connection, uint64_t now_ns,
				uint64_t frames_per_s)
{
	uint64_t price_ns = frames_per_s == 0 ? 0 : UNITS_NS_PER_S / frames_per_s;

	connection->credit_ns = units_min(
		units_add(connection->credit_ns, now_ns - connection->credited_ns), UNITS_NS_PER_S);
	connection->credited_ns = now_ns;
	if (connection->credit_ns < price_ns)
		return false;
	connection->credit_ns -= price_ns;
	return true;
}

bool node_connection_flush(struct node_connection *connection)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;

	while ((bytes = dp_ring_peek(connection->queue, &header)) != NULL) {
		ssize_t sent =
			send(connection->fd, bytes, header->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == ENOBUFS;
		dp_ring_release(connection->queue);
	}
	connection->wants_write = false;
	return true;
}

bool node_connection_has_room(const struct node_connection *connection)
{
	return dp_ring_backlog_bytes(connection->queue) < NODE_INGRESS_QUEUE_BYTES / 2;
}

void node_connection_subscribe(struct node_connection *connection,
			       const struct crypto_public_key *key)
{
	if (node_connection_is_subscribed(connection, key))
		return;
	connection->key[connection->key_next] = *key;
	connection->key_next = (connection->key_next + 1) % NODE_INGRESS_KEYS_MAX;
	if (connection->key_count < NODE_INGRESS_KEYS_MAX)
		connection->key_count++;
}

bool node_connection_is_subscribed(const struct node_connection *connection,
				   const struct crypto_public_key *key)
{
	for (uint32_t i = 0; i < connection->key_count; i++)
		if (memcmp(connection->key[i].b, key->b, sizeof(key->b)) == 0)
			return true;
	return false;
}
