/* node_ingress: what a program asks, and when it is answered. */
#define _GNU_SOURCE
#include "base/err.h"
#include "base/units.h"
#include "node/node_ingress_state.h"
#include "node/node_message.h"
#include "node/node_reader.h"
#include "wire/wire_frame.h"

enum { HELD_MAX_NS = 2 * 1000 * 1000 * 1000 };

static void pass_frame(struct node_ingress *self, struct node_connection *connection,
		       const uint8_t *bytes, uint32_t count)
{
	struct dp_ring_header header = {
		.kind = NODE_MESSAGE_FRAME,
		.aux = node_connection_origin(connection),
		.aux_high = node_ingress_clock_ns(),
	};
	struct wire_frame frame = { 0 };

	if (wire_frame_parse(bytes, count, &frame) == 0)
		node_connection_subscribe(connection, &frame.client);
	if (!node_connection_may_submit(connection, header.aux_high, self->config.frames_per_s) ||
	    !dp_ring_push(self->config.frames, &header, bytes, count)) {
		node_connection_refuse(connection, &frame, ERR_FULL);
		return;
	}
	ctl_metric_add(self->config.metrics, CTL_METRIC_INGRESS_FRAMES, 1);
	node_wake_signal(self->config.verify_wake);
}

static void on_get(struct node_ingress *self, struct node_connection *connection,
		   const struct wire_client_message *message)
{
	struct wire_client_message answer = { .kind = WIRE_CLIENT_RECORD,
					      .request = message->request };
	int code = node_reader_find(self->config.reader, &message->u.get, &answer.u.record);

	if (code < 0)
		node_connection_error(connection, message->request, code, err_text(code));
	else
		node_connection_say(connection, &answer);
}

static void on_prove(struct node_ingress *self, struct node_connection *connection,
		     const struct wire_client_message *message)
{
	const uint8_t *bytes;
	uint32_t count;
	int code = node_reader_prove(self->config.reader, &message->u.prove.name, &bytes, &count);

	if (code == 0 && message->u.prove.offset % WIRE_CLIENT_PROOF_BYTES != 0)
		code = ERR_FORMAT;
	if (code < 0) {
		node_connection_error(connection, message->request, code, err_text(code));
		return;
	}
	for (uint32_t at = message->u.prove.offset; at < count; at += WIRE_CLIENT_PROOF_BYTES) {
		struct wire_client_message answer = {
			.kind = WIRE_CLIENT_PROOF,
			.request = message->request,
			.u.proof = { .tag = count,
				     .total = count,
				     .offset = at,
				     .bytes = bytes + at,
				     .byte_count = (uint32_t)units_min(count - at,
								       WIRE_CLIENT_PROOF_BYTES) },
		};

		if (!node_connection_say(connection, &answer))
			return; /* asked again from the first missing offset */
	}
}

static void on_tail(struct node_connection *connection, const struct wire_client_message *message)
{
	connection->tail.is_active = true;
	connection->tail.request = message->request;
	connection->tail.height = message->u.tail.height;
	connection->tail.index = message->u.tail.index;
	connection->tail.follows = message->u.tail.follows;
	connection->tail.left = message->u.tail.max;
}

static void on_status(struct node_ingress *self, struct node_connection *connection,
		      const struct wire_client_message *message)
{
	struct wire_client_message answer = { .kind = WIRE_CLIENT_STATUS_ANSWER,
					      .request = message->request };

	self->config.status(self->config.status_context, &answer.u.status);
	node_connection_say(connection, &answer);
}

static void answer(struct node_ingress *self, struct node_connection *connection,
		   const struct wire_client_message *message)
{
	if (message->kind == WIRE_CLIENT_GET)
		on_get(self, connection, message);
	else if (message->kind == WIRE_CLIENT_PROVE)
		on_prove(self, connection, message);
	else
		on_tail(connection, message);
}

static bool sees_its_receipts(const struct node_ingress *self,
			      const struct node_connection *connection)
{
	return node_reader_height(self->config.reader) >= connection->receipt_height;
}

/* A receipt leaves at commit, the MARK readers go by is durable a write later. */
static void on_question(struct node_ingress *self, struct node_connection *connection,
			const struct wire_client_message *message)
{
	if (sees_its_receipts(self, connection)) {
		answer(self, connection, message);
		return;
	}
	connection->held.is_held = true;
	connection->held.until_ns = node_ingress_clock_ns() + HELD_MAX_NS;
	connection->held.message = *message;
}

void node_ingress_resume(struct node_ingress *self, struct node_connection *connection)
{
	if (!connection->held.is_held || (!sees_its_receipts(self, connection) &&
					  node_ingress_clock_ns() < connection->held.until_ns))
		return;
	connection->held.is_held = false;
	answer(self, connection, &connection->held.message);
}

void node_ingress_on_message(struct node_ingress *self, struct node_connection *connection,
			     const uint8_t *bytes, size_t count)
{
	struct wire_client_message message;
	int code = wire_client_decode(bytes, count, &message);

	if (code < 0 && bytes[0] == WIRE_CLIENT_SUBMIT &&
	    count > WIRE_CLIENT_HEAD_BYTES + LANE_FRAME_BYTES_MAX) {
		pass_frame(self, connection, bytes + WIRE_CLIENT_HEAD_BYTES,
			   (uint32_t)count - WIRE_CLIENT_HEAD_BYTES);
		return;
	}
	if (code < 0) {
		node_ingress_drop(self, NODE_INGRESS_DROP_MALFORMED, 1);
		node_connection_error(connection, 0, code, err_text(code));
		return;
	}
	switch (message.kind) {
	case WIRE_CLIENT_SUBMIT:
		pass_frame(self, connection, message.u.submit.frame, message.u.submit.frame_bytes);
		return;
	case WIRE_CLIENT_SUBSCRIBE:
		node_connection_subscribe(connection, &message.u.subscribe);
		return;
	case WIRE_CLIENT_GET:
	case WIRE_CLIENT_PROVE:
	case WIRE_CLIENT_TAIL:
		on_question(self, connection, &message);
		return;
	case WIRE_CLIENT_STATUS:
		on_status(self, connection, &message);
		return;
	default:
		node_ingress_drop(self, NODE_INGRESS_DROP_MALFORMED, 1);
		node_connection_error(connection, message.request, ERR_UNSUPPORTED,
				      "only a node says this");
	}
}
