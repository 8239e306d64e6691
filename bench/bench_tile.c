#include "bench/bench_tile.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_tile_net.h"
#include "wire/wire_client.h"

enum { SEND_BURST = 64, TAKE_BURST = 128, TRIES_MAX = 255, PATIENCE_MAX = 4 };

static const uint64_t progress_ns = 100 * UNITS_NS_PER_MS;

struct queue {
	uint64_t first; /* frame + 1; 0: empty */
	uint64_t last;
};

struct tile {
	struct bench_tile_setup io;
	struct bench_result result;
	uint64_t begun_ns; /* first turn: waiting for sessions */
	uint64_t next;     /* frames below it were due */
	uint64_t in_flight;
	uint64_t last_final_ns;
	uint64_t progress_ns;
	struct queue under_way[PATIENCE_MAX]; /* by tries, then by time of sending */
	struct queue held;                    /* due, but outside their client's window */
	uint32_t subscribed[BENCH_NODES_MAX]; /* clients subscribed at each node, in their order */
};

static size_t tile_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct tile);
}

static int tile_setup(void *memory, const void *setup)
{
	struct tile *self = memory;

	memset(self, 0, sizeof(*self));
	self->io = *(const struct bench_tile_setup *)setup;
	return 0;
}

/* ---- queues of frames, linked through them ---- */

static struct bench_frame *frame_at(struct tile *self, uint64_t frame)
{
	return &self->io.load->frame[frame];
}

static void push(struct tile *self, struct queue *queue, uint64_t frame)
{
	frame_at(self, frame)->next_sent = 0;
	if (queue->first == 0)
		queue->first = frame + 1;
	else
		frame_at(self, queue->last - 1)->next_sent = frame + 1;
	queue->last = frame + 1;
}

static uint64_t pop(struct tile *self, struct queue *queue)
{
	uint64_t frame = queue->first - 1;

	queue->first = frame_at(self, frame)->next_sent;
	return frame;
}

/* ---- sending ---- */

static uint64_t due_ns(const struct tile *self, uint64_t frame)
{
	if (self->io.frames_per_s <= 0)
		return self->result.start_ns;
	return self->result.start_ns +
	       (uint64_t)((double)frame / self->io.frames_per_s * (double)UNITS_NS_PER_S);
}

/* The node for this try, the next living one if it is down. */
static uint32_t node_for(const struct tile *self, uint64_t frame, uint32_t try)
{
	uint32_t node = 0;

	for (uint32_t i = 0; i < self->io.node_count; i++) {
		node = (uint32_t)((frame + try + i) % self->io.node_count);
		if (bitset_has(&self->result.up, self->io.replica[node]))
			break;
	}
	return node;
}

static bool send_message(struct tile *self, uint32_t node,
			 const struct wire_client_message *message)
{
	struct bitset to = { { 0, 0 } };
	struct dp_tile_net_send send;
	uint8_t *room;
	int count;

	bitset_add(&to, self->io.replica[node]);
	room = dp_tile_net_room_peers(self->io.to_net, &to, WIRE_STREAM_CLIENT,
				      WIRE_CLIENT_BYTES_MAX, &send);
	if (!room)
		return false;
	count = wire_client_encode(message, room, WIRE_CLIENT_BYTES_MAX);
	ensure(count > 0);
	dp_tile_net_commit(&send, (uint32_t)count);
	return true;
}

static bool send_frame(struct tile *self, uint64_t index, uint64_t now_ns)
{
	struct bench_frame *frame = frame_at(self, index);
	uint32_t node = node_for(self, index, frame->tries);
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_SUBMIT,
		.request = (uint32_t)index,
		.u.submit = { .frame = self->io.load->bytes + frame->offset,
			      .frame_bytes = frame->byte_count },
	};

	if (!send_message(self, node, &message))
		return false;
	frame->sent_ns = now_ns;
	frame->state = BENCH_FRAME_SENT;
	if (frame->tries < TRIES_MAX)
		frame->tries++;
	self->result.frames_sent++;
	self->result.frames_to[node]++;
	push(self, &self->under_way[units_min(frame->tries, PATIENCE_MAX) - 1], index);
	return true;
}

static uint32_t send_due(struct tile *self, uint64_t now_ns)
{
	uint32_t sent = 0;

	while (sent < SEND_BURST && self->next < self->io.load->frame_count &&
	       self->in_flight < self->io.in_flight_max && due_ns(self, self->next) <= now_ns) {
		if (!bench_load_is_in_window(self->io.load, self->next))
			push(self, &self->held, self->next);
		else if (!send_frame(self, self->next, now_ns))
			break;
		self->in_flight++;
		self->next++;
		sent++;
	}
	return sent;
}

/* Every client's receipts are wanted from every node; anew after a session was lost. */
static uint32_t subscribe(struct tile *self)
{
	uint32_t sent = 0;

	for (uint32_t node = 0; node < self->io.node_count; node++) {
		while (sent < SEND_BURST &&
		       self->subscribed[node] < self->io.load->config.clients &&
		       bitset_has(&self->result.up, self->io.replica[node])) {
			struct wire_client_message message = {
				.kind = WIRE_CLIENT_SUBSCRIBE,
				.u.subscribe =
					self->io.load->key[self->subscribed[node]].public_key,
			};

			if (!send_message(self, node, &message))
				return sent;
			self->subscribed[node]++;
			sent++;
		}
	}
	return sent;
}

static bool is_subscribed(const struct tile *self)
{
	for (uint32_t node = 0; node < self->io.node_count; node++)
		if (bitset_has(&self->result.up, self->io.replica[node]) &&
		    self->subscribed[node] < self->io.load->config.clients)
			return false;
	return true;
}

static void on_peer_up(struct tile *self, uint32_t replica)
{
	bitset_add(&self->result.up, replica);
	for (uint32_t node = 0; node < self->io.node_count; node++)
		if (self->io.replica[node] == replica)
			self->subscribed[node] = 0;
}

/* Frames whose window has opened; the queue is walked once. */
static uint32_t send_held(struct tile *self, uint64_t now_ns)
{
	uint64_t last = self->held.last;
	uint32_t sent = 0;

	for (uint64_t frame = UINT64_MAX; self->held.first != 0 && frame + 1 != last;) {
		frame = pop(self, &self->held);
		if (bench_load_is_in_window(self->io.load, frame) && sent < SEND_BURST &&
		    send_frame(self, frame, now_ns))
			sent++;
		else
			push(self, &self->held, frame);
	}
	return sent;
}

/* Each further try of a frame waits twice as long as the one before: no storm on a slow system. */
static uint32_t send_again(struct tile *self, uint32_t patience, uint64_t now_ns)
{
	struct queue *queue = &self->under_way[patience];
	uint32_t sent = 0;

	while (sent < SEND_BURST && queue->first != 0) {
		uint64_t index = queue->first - 1;
		struct bench_frame *frame = frame_at(self, index);

		if (frame->state == BENCH_FRAME_FINAL) {
			pop(self, queue);
			continue;
		}
		if (now_ns - frame->sent_ns < self->io.resend_ns << patience)
			break;
		pop(self, queue);
		if (!send_frame(self, index, now_ns)) {
			push(self, queue, index);
			break;
		}
		self->result.frames_resent++;
		sent++;
	}
	return sent;
}

/* ---- what nodes say ---- */

static uint64_t fingerprint(const struct wire_client_receipt *receipt)
{
	uint64_t key;

	memcpy(&key, receipt->block_id.b, sizeof(key));
	return key ^ receipt->height * UINT64_C(0x9e3779b97f4a7c15) ^ receipt->ordered_map[0] ^
	       receipt->count;
}

static void on_final(struct tile *self, uint64_t index, uint64_t now_ns)
{
	struct bench_frame *frame = frame_at(self, index);
	uint64_t latency_ns = now_ns - due_ns(self, index);

	bench_load_set_final(self->io.load, index);
	self->in_flight--;
	self->result.frames_final++;
	self->result.transactions_final += frame->count;
	for (uint32_t i = 0; i < frame->count; i++)
		histogram_add(&self->result.latency, latency_ns);
	if (self->last_final_ns != 0)
		self->result.gap_ns_max =
			units_max(self->result.gap_ns_max, now_ns - self->last_final_ns);
	self->last_final_ns = now_ns;
	self->result.end_ns = now_ns;
}

static void on_receipt(struct tile *self, uint32_t from, const struct wire_client_receipt *receipt,
		       uint64_t now_ns)
{
	struct bench_frame *frame;
	struct bitset said;
	uint64_t index;

	self->result.receipts++;
	if (!bench_load_find(self->io.load, &receipt->client, receipt->first_seq, &index))
		return;
	frame = frame_at(self, index);
	if (frame->state == BENCH_FRAME_FINAL || receipt->count != frame->count)
		return;
	if (frame->receipt_key != fingerprint(receipt)) {
		frame->receipt_key = fingerprint(receipt);
		memset(frame->answer, 0, sizeof(frame->answer));
	}
	memcpy(said.word, frame->answer, sizeof(said.word));
	bitset_add(&said, from);
	memcpy(frame->answer, said.word, sizeof(said.word));
	if (bitset_count(&said) > self->io.faulty_max)
		on_final(self, index, now_ns);
}

/* f+1 nodes that say "ordered before" without a receipt at hand convince as well. */
static void on_refusal(struct tile *self, uint32_t from, const struct wire_client_refusal *refusal,
		       uint64_t now_ns)
{
	uint32_t reason = (uint32_t)(-refusal->reason - 1000);
	struct bench_frame *frame;
	struct bitset said;
	uint64_t index;

	self->result.refused[reason < BENCH_REASONS_MAX ? reason : BENCH_REASONS_MAX - 1]++;
	if (refusal->reason != ERR_DUPLICATE ||
	    !bench_load_find(self->io.load, &refusal->client, refusal->first_seq, &index))
		return;
	frame = frame_at(self, index);
	if (frame->state == BENCH_FRAME_FINAL)
		return;
	memcpy(said.word, frame->known, sizeof(said.word));
	bitset_add(&said, from);
	memcpy(frame->known, said.word, sizeof(said.word));
	if (bitset_count(&said) > self->io.faulty_max)
		on_final(self, index, now_ns);
}

static void on_message(struct tile *self, uint32_t from, const uint8_t *bytes, uint32_t count,
		       uint64_t now_ns)
{
	struct wire_client_message message;

	if (wire_client_decode(bytes, count, &message) < 0)
		return;
	if (message.kind == WIRE_CLIENT_RECEIPT)
		on_receipt(self, from, &message.u.receipt, now_ns);
	else if (message.kind == WIRE_CLIENT_REFUSAL)
		on_refusal(self, from, &message.u.refusal, now_ns);
}

static uint32_t take(struct tile *self, struct dp_ring *ring, uint64_t now_ns)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes;
	uint32_t taken = 0;

	while (taken < TAKE_BURST && (bytes = dp_ring_peek(ring, &header)) != NULL) {
		if (header->kind == DP_NET_PEER_UP)
			on_peer_up(self, header->source);
		else if (header->kind == DP_NET_PEER_DOWN)
			bitset_remove(&self->result.up, header->source);
		else if (header->kind == DP_NET_PEER_MESSAGE)
			on_message(self, header->source, bytes, header->bytes, now_ns);
		dp_ring_release(ring);
		taken++;
	}
	return taken;
}

/* ---- the run ---- */

static bool may_start(const struct tile *self, uint64_t now_ns)
{
	uint32_t up = bitset_count(&self->result.up);

	return up == self->io.node_count ||
	       (up > 0 && now_ns - self->begun_ns > self->io.connect_ns);
}

static bool is_over(const struct tile *self, uint64_t now_ns)
{
	if (self->result.frames_final == self->io.load->frame_count)
		return true;
	if (self->result.start_ns == 0)
		return now_ns - self->begun_ns > self->io.connect_ns + UNITS_NS_PER_S;
	return self->next == self->io.load->frame_count &&
	       now_ns > due_ns(self, self->next) + self->io.grace_ns &&
	       now_ns - units_max(self->last_final_ns, self->result.start_ns) > self->io.grace_ns;
}

static uint32_t tile_on_turn(void *memory, uint64_t now_ns)
{
	struct tile *self = memory;
	uint32_t work = 0;

	if (self->begun_ns == 0)
		self->begun_ns = now_ns;
	for (int i = 0; i < 3; i++)
		work += take(self, self->io.from_net[i], now_ns);
	work += subscribe(self);
	if (self->result.start_ns == 0 && may_start(self, now_ns) && is_subscribed(self)) {
		self->result.start_ns = now_ns;
		self->last_final_ns = now_ns;
	}
	if (self->result.start_ns != 0) {
		work += send_due(self, now_ns);
		if (self->held.first != 0)
			work += send_held(self, now_ns);
		for (uint32_t patience = 0; patience < PATIENCE_MAX; patience++)
			work += send_again(self, patience, now_ns);
	}
	if (now_ns - self->progress_ns > progress_ns) {
		self->progress_ns = now_ns;
		if (self->io.progress)
			self->io.progress(self, self->io.load, now_ns);
	}
	if (is_over(self, now_ns))
		atomic_store(self->io.stop, true);
	return work;
}

static uint64_t tile_deadline_ns(const void *memory)
{
	const struct tile *self = memory;
	uint64_t next = self->progress_ns + progress_ns;

	if (self->result.start_ns == 0)
		return next;
	if (self->next < self->io.load->frame_count && self->in_flight < self->io.in_flight_max)
		next = units_min(next, due_ns(self, self->next));
	return next;
}

const struct dp_tile bench_tile = {
	.name = "load",
	.footprint = tile_footprint,
	.setup = tile_setup,
	.on_turn = tile_on_turn,
	.deadline_ns = tile_deadline_ns,
};

const struct bench_result *bench_tile_result(const void *memory)
{
	return &((const struct tile *)memory)->result;
}
