#include "node/node_tile_verify.h"

#include <stdatomic.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_beat.h"
#include "node/node_message.h"
#include "wire/wire_client.h"
#include "wire/wire_frame.h"

enum { CORE_BURST = 32, LANE_BURST = 32, CLIENT_BURST = 16, COMMITS_BURST = 2 };

struct verify_tile {
	struct node_verify_setup io;
	struct wire_verify_counters published;
	uint64_t malformed; /* clients' messages that are none, or of a kind not served here */
};

static size_t verify_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct verify_tile);
}

static int verify_setup(void *memory, const void *setup)
{
	struct verify_tile *self = memory;

	memset(self, 0, sizeof(*self));
	self->io = *(const struct node_verify_setup *)setup;
	return 0;
}

/* Writes stamp and bytes behind each other; the room was reserved for both. */
static void pass_on(struct dp_ring *ring, uint8_t *room, struct dp_ring_header *header,
		    const struct replica_verified *verified)
{
	memcpy(room, &verified->stamp, sizeof(verified->stamp));
	memcpy(room + sizeof(verified->stamp), verified->bytes, verified->byte_count);
	dp_ring_commit(ring, header, (uint32_t)sizeof(verified->stamp) + verified->byte_count);
}

/* ---- peers ---- */

static bool peer_state_on(struct verify_tile *self, const struct dp_ring_header *header)
{
	struct dp_ring_header out = {
		.kind = header->kind == DP_NET_PEER_UP ? NODE_MESSAGE_PEER_UP :
							 NODE_MESSAGE_PEER_DOWN,
		.source = header->source,
	};

	return dp_ring_push(self->io.ret_core, &out, NULL, 0);
}

static bool peer_message_on(struct verify_tile *self, struct dp_ring *to,
			    const struct dp_ring_header *header, const uint8_t *bytes)
{
	struct dp_ring_header out = {
		.kind = NODE_MESSAGE_VERIFIED_PEER,
		.source = header->source,
		.aux = header->aux,
	};
	struct replica_verified verified;
	uint8_t *room = dp_ring_reserve(to, (uint32_t)sizeof(verified.stamp) + header->bytes);

	if (!room)
		return false;
	if (replica_gate_peer(self->io.gate, header->source, bytes, header->bytes, &verified) == 0)
		pass_on(to, room, &out, &verified);
	return true; /* refused ones are counted by the gate */
}

static uint32_t take_peers(struct verify_tile *self, struct dp_ring *from, struct dp_ring *to,
			   uint32_t burst)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t taken = 0;

	while (taken < burst && (bytes = dp_ring_peek(from, &header)) != NULL) {
		bool went = header->kind == DP_NET_PEER_MESSAGE ?
				    peer_message_on(self, to, header, bytes) :
				    peer_state_on(self, header);

		if (!went)
			break;
		dp_ring_release(from);
		taken++;
	}
	return taken;
}

/* ---- what the replica asked ---- */

static uint32_t take_commits(struct verify_tile *self)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t taken = 0;

	while (taken < COMMITS_BURST && (bytes = dp_ring_peek(self->io.asked, &header)) != NULL) {
		const struct node_commits *commits = (const void *)bytes;
		struct node_commits_checked checked = { .block_id = commits->block_id };
		struct dp_ring_header out = { .kind = NODE_MESSAGE_COMMITS_CHECKED,
					      .aux = header->aux };

		replica_gate_commits(self->io.gate, commits->commit, commits->count, &checked.good,
				     &checked.bad);
		if (!dp_ring_push(self->io.ret_core, &out, &checked, sizeof(checked)))
			break;
		dp_ring_release(self->io.asked);
		taken++;
	}
	return taken;
}

/* ---- clients ---- */

static void refuse(struct verify_tile *self, uint64_t origin, const uint8_t *bytes, uint32_t count,
		   int code)
{
	struct wire_frame frame;

	if (wire_frame_parse(bytes, count, &frame) < 0)
		memset(&frame, 0, sizeof(frame));
	node_answer_refusal(&self->io.answer, origin, &frame.client, frame.first_seq, code,
			    code == ERR_OVERSIZE ? WIRE_PAYLOAD_BYTES_MAX : 0);
	if (origin & NODE_ORIGIN_LOCAL)
		node_wake_signal(self->io.local_wake);
}

/* True when the frame went on or was answered; false when the replica's ring is full. */
static bool frame_on(struct verify_tile *self, uint64_t origin, uint64_t arrived_ns,
		     const uint8_t *bytes, uint32_t count)
{
	struct dp_ring_header out = {
		.kind = NODE_MESSAGE_VERIFIED_FRAME,
		.source = HS_REPLICA_NONE,
		.aux = origin,
		.aux_high = arrived_ns,
	};
	uint64_t checks_before = replica_gate_verified(self->io.gate)->checks;
	struct replica_verified verified;
	uint64_t height = atomic_load_explicit(self->io.committed_height, memory_order_acquire);
	uint8_t *room =
		dp_ring_reserve(self->io.ret_data, (uint32_t)sizeof(verified.stamp) + count);
	int code;

	if (!room)
		return false;
	code = replica_gate_client(self->io.gate, bytes, count, height, &verified);
	if (code == 0) {
		struct wire_frame frame;

		ensure(wire_frame_parse(bytes, count, &frame) == 0);
		node_answer_subscribe(&self->io.answer, origin, &frame.client);
		pass_on(self->io.ret_data, room, &out, &verified);
	} else {
		refuse(self, origin, bytes, count, code);
	}
	if (replica_gate_verified(self->io.gate)->checks != checks_before)
		node_answer_charge(&self->io.answer, origin, 1);
	return true;
}

static bool client_on(struct verify_tile *self, const struct dp_ring_header *header,
		      const uint8_t *bytes)
{
	struct wire_client_message message;

	/* Too long to be a message: the gate counts it, and the client hears the limit. */
	if (header->kind == DP_NET_CLIENT_MESSAGE && bytes[0] == WIRE_CLIENT_SUBMIT &&
	    header->bytes > WIRE_CLIENT_HEAD_BYTES + LANE_FRAME_BYTES_MAX)
		return frame_on(self, header->aux, header->aux_high, bytes + WIRE_CLIENT_HEAD_BYTES,
				header->bytes - WIRE_CLIENT_HEAD_BYTES);
	if (header->kind != DP_NET_CLIENT_MESSAGE ||
	    wire_client_decode(bytes, header->bytes, &message) < 0) {
		self->malformed++;
		return true;
	}
	if (message.kind == WIRE_CLIENT_SUBSCRIBE) {
		node_answer_subscribe(&self->io.answer, header->aux, &message.u.subscribe);
		return true;
	}
	if (message.kind != WIRE_CLIENT_SUBMIT) {
		self->malformed++;
		return true;
	}
	return frame_on(self, header->aux, header->aux_high, message.u.submit.frame,
			message.u.submit.frame_bytes);
}

static uint32_t take_clients(struct verify_tile *self)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t taken = 0;

	while (taken < CLIENT_BURST && (bytes = dp_ring_peek(self->io.clients, &header)) != NULL) {
		if (!client_on(self, header, bytes))
			break;
		dp_ring_release(self->io.clients);
		taken++;
	}
	return taken;
}

static uint32_t take_local(struct verify_tile *self)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t taken = 0;

	while (taken < CLIENT_BURST && (bytes = dp_ring_peek(self->io.local, &header)) != NULL) {
		if (!frame_on(self, header->aux, header->aux_high, bytes, header->bytes))
			break;
		dp_ring_release(self->io.local);
		taken++;
	}
	return taken;
}

static uint32_t verify_on_turn(void *memory, uint64_t now_ns)
{
	struct verify_tile *self = memory;
	uint32_t work = take_peers(self, self->io.core, self->io.ret_core, CORE_BURST);

	(void)now_ns;
	work += take_commits(self);
	work += take_peers(self, self->io.lane, self->io.ret_data, LANE_BURST);
	work += take_clients(self);
	return work + take_local(self);
}

static void verify_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct verify_tile *self = memory;
	const struct wire_verify_counters *now = replica_gate_verified(self->io.gate);

	ctl_metric_add(self->io.metrics, CTL_METRIC_SIGNATURES_CHECKED,
		       now->checks - self->published.checks);
	ctl_metric_add(self->io.metrics, CTL_METRIC_SIGNATURES_SAVED,
		       now->checks_saved - self->published.checks_saved);
	self->published = *now;
	for (uint32_t i = 0; i < REPLICA_GATE_DROP_COUNT; i++)
		ctl_family_set(self->io.drops, i,
			       replica_gate_dropped(self->io.gate, (enum replica_gate_drop)i) +
				       (i == REPLICA_GATE_DROP_MALFORMED ? self->malformed : 0));
	node_beat(self->io.metrics, self->io.loop, now_ns);
}

static uint32_t verify_wait_fds(void *memory, int ret_fds[DP_TILE_FDS_MAX])
{
	const struct verify_tile *self = memory;

	if (!self->io.wake)
		return 0;
	ret_fds[0] = self->io.wake->event_fd;
	return 1;
}

static bool verify_before_sleep(void *memory)
{
	struct verify_tile *self = memory;

	if (self->io.wake)
		node_wake_arm(self->io.wake);
	return true;
}

static void verify_after_sleep(void *memory)
{
	struct verify_tile *self = memory;

	if (self->io.wake)
		node_wake_disarm(self->io.wake);
}

const struct dp_tile node_tile_verify = {
	.name = "verify",
	.footprint = verify_footprint,
	.setup = verify_setup,
	.on_turn = verify_on_turn,
	.on_housekeeping = verify_on_housekeeping,
	.wait_fds = verify_wait_fds,
	.before_sleep = verify_before_sleep,
	.after_sleep = verify_after_sleep,
};
