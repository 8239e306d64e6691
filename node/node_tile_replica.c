#define _POSIX_C_SOURCE 200809L
#include "node/node_tile_replica.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_beat.h"
#include "node/node_message.h"
#include "node/node_pending.h"
#include "node/node_sent.h"
#include "wire/wire_frame.h"

enum { INPUT_BURST = 32 };

struct replica_tile {
	struct node_replica_setup io;
	bool is_started;
	uint64_t now_ns;
	uint64_t status_ns;
	uint64_t committed_ns;
	uint64_t view_seen;
	uint64_t local_woken; /* answer.local_sent when the ingress thread was last woken */
	struct replica_status status;
	struct ctl_status page;
	struct node_pending pending; /* when frames admitted here arrived */
};

static uint64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static size_t replica_tile_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct replica_tile);
}

static int replica_tile_setup(void *memory, const void *setup)
{
	struct replica_tile *self = memory;

	memset(self, 0, sizeof(*self));
	self->io = *(const struct node_replica_setup *)setup;
	node_pending_init(&self->pending);
	return 0;
}

/* ---- effects out: true when carried out (or rightly dropped), false when a ring is full ---- */

static bool send_out(struct replica_tile *self, const struct replica_effect *effect)
{
	bool is_core = effect->u.send.class_ == REPLICA_SEND_CONSENSUS;
	struct dp_ring *ring = is_core ? self->io.send_core : self->io.send_data;
	struct dp_tile_net_send send;
	uint8_t *room = dp_tile_net_room_peers(ring, &effect->u.send.to,
					       wire_stream_of(effect->u.send.bytes[0]),
					       effect->u.send.byte_count, &send);

	if (!room)
		return !is_core; /* lane data is repaired; votes wait */
	memcpy(room, effect->u.send.bytes, effect->u.send.byte_count);
	dp_tile_net_commit(&send, effect->u.send.byte_count);
	node_count_sent(self->io.metrics, effect->u.send.bytes[0]);
	return true;
}

static bool persist_out(struct replica_tile *self, const struct replica_effect *effect)
{
	struct dp_ring *ring = effect->u.persist.log == BLOCKLOG_LANE ? self->io.lane_appends :
									self->io.appends;
	struct dp_ring_header header = {
		.kind = effect->u.persist.is_borrowed ? NODE_MESSAGE_APPEND_BORROWED :
							NODE_MESSAGE_APPEND,
		.source = (uint32_t)effect->u.persist.log,
		.tag = effect->u.persist.kind,
		.aux = effect->u.persist.ticket,
	};
	struct node_borrowed borrowed = {
		.bytes = (void *)(uintptr_t)effect->u.persist.bytes,
		.count = effect->u.persist.byte_count,
	};

	if (effect->u.persist.is_borrowed)
		return dp_ring_push(ring, &header, &borrowed, sizeof(borrowed));
	return dp_ring_push(ring, &header, effect->u.persist.bytes, effect->u.persist.byte_count);
}

static bool read_out(struct replica_tile *self, const struct replica_effect *effect)
{
	struct dp_ring_header header = {
		.kind = NODE_MESSAGE_READ,
		.source = (uint32_t)effect->u.read.log,
		.aux = effect->u.read.ticket,
		.aux_high = effect->u.read.position,
	};

	return dp_ring_push(self->io.reads, &header, NULL, 0);
}

static bool sign_out(struct replica_tile *self, const struct replica_effect *effect)
{
	struct dp_ring_header header = { .kind = NODE_MESSAGE_SIGN, .aux = effect->u.sign.request };

	return dp_ring_push(self->io.sign, &header, effect->u.sign.bytes, effect->u.sign.count);
}

static bool commits_out(struct replica_tile *self, const struct replica_effect *effect)
{
	struct dp_ring_header header = { .kind = NODE_MESSAGE_COMMITS,
					 .aux = effect->u.commits.view };
	struct node_commits *commits;
	uint8_t *room = dp_ring_reserve(self->io.commits, sizeof(*commits));

	if (!room)
		return false;
	ensure(effect->u.commits.count <= HS_QUORUM_MAX);
	commits = (struct node_commits *)(void *)room;
	commits->block_id = effect->u.commits.block_id;
	commits->count = effect->u.commits.count;
	memcpy(commits->commit, effect->u.commits.commits,
	       effect->u.commits.count * sizeof(commits->commit[0]));
	dp_ring_commit(self->io.commits, &header, sizeof(*commits));
	return true;
}

static void receipt_out(struct replica_tile *self, const struct replica_effect *effect)
{
	const struct replica_receipt *receipt = &effect->u.receipt;
	uint64_t arrived_ns =
		node_pending_take(&self->pending, &receipt->client, receipt->first_seq);

	node_answer_receipt(&self->io.answer, receipt);
	ctl_metric_add(self->io.metrics, CTL_METRIC_RECEIPTS_SENT, 1);
	if (arrived_ns != 0 && self->now_ns > arrived_ns)
		ctl_histogram_add(self->io.metrics, CTL_HISTOGRAM_FINALITY,
				  self->now_ns - arrived_ns);
}

static bool final_out(struct replica_tile *self, const struct replica_effect *effect)
{
	struct dp_ring_header header = {
		.kind = NODE_MESSAGE_FINAL,
		.aux = effect->u.final.height,
		.aux_high = effect->u.final.tx_base + effect->u.final.tx_count,
	};

	if (node_answer_is_heard(&self->io.answer) &&
	    dp_ring_push(self->io.answer.local, &header, NULL,
			 0)) /* full: the next one says more */
		self->io.answer.local_sent++;
	/* Pairs with the loads of the verify tile and the ingress thread. */
	atomic_store_explicit(self->io.committed_height, effect->u.final.height,
			      memory_order_release);
	self->committed_ns = self->now_ns;
	ctl_metric_add(self->io.metrics, CTL_METRIC_BLOCKS_FINAL, 1);
	ctl_metric_add(self->io.metrics, CTL_METRIC_TRANSACTIONS_FINAL, effect->u.final.tx_count);
	return true;
}

static void dropped_out(struct replica_tile *self, const struct replica_effect *effect)
{
	if (effect->u.dropped.family == REPLICA_DROP_CONSENSUS)
		ctl_family_add(self->io.drops_consensus, effect->u.dropped.reason, 1);
	else if (effect->u.dropped.family == REPLICA_DROP_LANE)
		ctl_family_add(self->io.drops_lane, effect->u.dropped.reason, 1);
	if (effect->u.dropped.family == REPLICA_DROP_LANE &&
	    effect->u.dropped.reason == LANE_DROP_DUPLICATE)
		ctl_metric_add(self->io.metrics, CTL_METRIC_LANE_FRAMES_DUPLICATE, 1);
}

static bool carry_out(struct replica_tile *self, const struct replica_effect *effect)
{
	switch (effect->kind) {
	case REPLICA_EFFECT_SEND:
		return send_out(self, effect);
	case REPLICA_EFFECT_PERSIST:
		return persist_out(self, effect);
	case REPLICA_EFFECT_READ:
		return read_out(self, effect);
	case REPLICA_EFFECT_SIGN:
		return sign_out(self, effect);
	case REPLICA_EFFECT_CHECK_COMMITS:
		return commits_out(self, effect);
	case REPLICA_EFFECT_RECEIPT:
		receipt_out(self, effect);
		return true;
	case REPLICA_EFFECT_REFUSE:
		node_answer_refusal(&self->io.answer, effect->u.refuse.origin,
				    &effect->u.refuse.client, effect->u.refuse.first_seq,
				    effect->u.refuse.reason, effect->u.refuse.limit);
		return true;
	case REPLICA_EFFECT_FINAL:
		return final_out(self, effect);
	case REPLICA_EFFECT_ALARM:
		if (effect->u.alarm.alarm == REPLICA_ALARM_EVIDENCE)
			ctl_metric_add(self->io.metrics, CTL_METRIC_EVIDENCE_FOUND, 1);
		self->io.alarm(effect->u.alarm.alarm, effect->u.alarm.detail);
		return true;
	case REPLICA_EFFECT_DROPPED:
		dropped_out(self, effect);
		return true;
	}
	return true;
}

/* True when no effect is left. */
static bool drain(struct replica_tile *self)
{
	const struct replica_effect *effect;

	while ((effect = replica_effect(self->io.replica)) != NULL) {
		if (!carry_out(self, effect))
			return false;
		replica_effect_pop(self->io.replica);
	}
	return true;
}

/* ---- inputs in ---- */

static bool step(struct replica_tile *self, struct replica_input *input)
{
	input->now_ns = self->now_ns;
	input->wall_ns = wall_clock_ns();
	ensure(replica_step(self->io.replica, input) == 0);
	return drain(self);
}

static bool take_appended(struct replica_tile *self, const struct dp_ring_header *header)
{
	bool is_batch = header->source == BLOCKLOG_LANE && header->tag == 0;

	struct replica_input input = {
		.kind = REPLICA_INPUT_PERSISTED,
		.u.persisted = { .ticket = header->aux,
				 .position = header->aux_high,
				 .code = -(int)header->tag },
	};

	ctl_metric_add(self->io.metrics, CTL_METRIC_BATCHES_STORED, is_batch);
	return step(self, &input);
}

static bool take_read(struct replica_tile *self, const struct dp_ring_header *header,
		      const uint8_t *payload)
{
	struct replica_input input = { .kind = REPLICA_INPUT_READ_DONE };
	struct node_read read;
	bool is_drained;

	memcpy(&read, payload, sizeof(read));
	input.u.read.ticket = header->aux;
	input.u.read.code = -(int)header->tag;
	input.u.read.record_kind = (uint16_t)read.record_kind;
	input.u.read.bytes = read.bytes;
	input.u.read.byte_count = read.count;
	is_drained = step(self, &input);
	if (read.is_taken) /* gives the buffer back to the store tile, after the last look at it */
		atomic_store_explicit(read.is_taken, 0, memory_order_release);
	return is_drained;
}

static bool take_signed(struct replica_tile *self, const struct dp_ring_header *header,
			const uint8_t *payload)
{
	struct replica_input input = { .kind = REPLICA_INPUT_SIGNED };

	input.u.signed_.request = header->aux;
	memcpy(&input.u.signed_.signature, payload, sizeof(input.u.signed_.signature));
	return step(self, &input);
}

static bool take_checked(struct replica_tile *self, const struct dp_ring_header *header,
			 const uint8_t *payload)
{
	struct replica_input input = { .kind = REPLICA_INPUT_COMMITS_CHECKED };
	struct node_commits_checked checked;

	memcpy(&checked, payload, sizeof(checked));
	input.u.checked.view = header->aux;
	input.u.checked.block_id = checked.block_id;
	input.u.checked.good = checked.good;
	input.u.checked.bad = checked.bad;
	return step(self, &input);
}

static void note_arrival(struct replica_tile *self, const struct replica_verified *verified,
			 uint64_t arrived_ns)
{
	struct wire_frame frame;

	if (wire_frame_parse(verified->bytes, verified->byte_count, &frame) < 0)
		return;
	node_pending_add(&self->pending, &frame.client, frame.first_seq, arrived_ns);
	ctl_metric_add(self->io.metrics, CTL_METRIC_FRAMES_ADMITTED, 1);
	ctl_metric_add(self->io.metrics, CTL_METRIC_TRANSACTIONS_ADMITTED, frame.count);
}

static bool take_verified(struct replica_tile *self, const struct dp_ring_header *header,
			  const uint8_t *payload)
{
	struct replica_verified verified = { .from = header->source };
	struct replica_input input = { 0 };

	memcpy(&verified.stamp, payload, sizeof(verified.stamp));
	verified.bytes = payload + sizeof(verified.stamp);
	verified.byte_count = header->bytes - (uint32_t)sizeof(verified.stamp);
	if (header->kind == NODE_MESSAGE_VERIFIED_PEER) {
		input.kind = REPLICA_INPUT_PEER;
		input.u.verified = &verified;
		ctl_metric_add(self->io.metrics, CTL_METRIC_LANE_FRAMES_RECEIVED,
			       verified.bytes[0] == WIRE_LANE_FRAME);
		self->page.peer[header->source].last_seen_ns = self->now_ns;
	} else {
		verified.from = HS_REPLICA_NONE;
		input.kind = REPLICA_INPUT_CLIENT;
		input.u.client.frame = &verified;
		input.u.client.origin = header->aux;
		note_arrival(self, &verified, header->aux_high);
	}
	return step(self, &input);
}

static bool take_one(struct replica_tile *self, const struct dp_ring_header *header,
		     const uint8_t *payload)
{
	struct replica_input input = { 0 };

	switch ((enum node_message)header->kind) {
	case NODE_MESSAGE_APPENDED:
		return take_appended(self, header);
	case NODE_MESSAGE_READ_DONE:
		return take_read(self, header, payload);
	case NODE_MESSAGE_SIGNED:
		return take_signed(self, header, payload);
	case NODE_MESSAGE_COMMITS_CHECKED:
		return take_checked(self, header, payload);
	case NODE_MESSAGE_VERIFIED_PEER:
	case NODE_MESSAGE_VERIFIED_FRAME:
		return take_verified(self, header, payload);
	case NODE_MESSAGE_PEER_UP:
	case NODE_MESSAGE_PEER_DOWN:
		input.kind = header->kind == NODE_MESSAGE_PEER_UP ? REPLICA_INPUT_PEER_UP :
								    REPLICA_INPUT_PEER_DOWN;
		input.u.peer = header->source;
		return step(self, &input);
	default:
		ensure_failed("a message kind this ring does not carry", __FILE__, __LINE__);
	}
}

/* Takes a burst; false when effects are stuck and input must wait. */
static bool take_ring(struct replica_tile *self, struct dp_ring *ring, uint32_t *work)
{
	const struct dp_ring_header *header;
	const uint8_t *payload;

	for (uint32_t i = 0; i < INPUT_BURST && (payload = dp_ring_peek(ring, &header)) != NULL;
	     i++) {
		bool is_drained = take_one(self, header, payload);

		dp_ring_release(ring);
		(*work)++;
		if (!is_drained)
			return false;
	}
	return true;
}

static bool take_time(struct replica_tile *self, uint32_t *work)
{
	struct replica_input input = { .kind = REPLICA_INPUT_TICK };

	if (self->now_ns < replica_deadline_ns(self->io.replica))
		return true;
	(*work)++;
	return step(self, &input);
}

static uint32_t replica_tile_on_turn(void *memory, uint64_t now_ns)
{
	struct replica_tile *self = memory;
	uint32_t work = 0;

	self->now_ns = now_ns;
	if (!self->is_started) {
		struct replica_input input = { .kind = REPLICA_INPUT_START };

		self->is_started = true;
		work++;
		if (!step(self, &input))
			return work;
	}
	if (!drain(self))
		return work;
	(void)(take_ring(self, self->io.done, &work) && take_ring(self, self->io.signed_, &work) &&
	       take_ring(self, self->io.core, &work) && take_ring(self, self->io.data, &work) &&
	       take_time(self, &work));
	if (self->io.answer.local_sent != self->local_woken) {
		self->local_woken = self->io.answer.local_sent;
		node_wake_signal(self->io.local_wake);
	}
	return work;
}

static uint64_t replica_tile_deadline_ns(const void *memory)
{
	const struct replica_tile *self = memory;

	return self->is_started ? replica_deadline_ns(self->io.replica) : 0;
}

/* ---- what others see ---- */

static void publish_metrics(struct replica_tile *self)
{
	struct ctl_block *block = self->io.metrics;
	const struct hs_view_status *view = &self->status.view;

	ctl_metric_set(block, CTL_METRIC_EPOCH, view->epoch);
	ctl_metric_add(block, CTL_METRIC_VIEWS_ENTERED, view->view - self->view_seen);
	self->view_seen = view->view;
	ctl_metric_set(block, CTL_METRIC_VIEW, view->view);
	ctl_metric_set(block, CTL_METRIC_VIEWS_FAILED, view->views_failed);
	ctl_metric_set(block, CTL_METRIC_COMMITTED_HEIGHT, view->committed_height);
	ctl_metric_set(block, CTL_METRIC_DELIVERED_HEIGHT, self->status.delivered_height);
	ctl_metric_set(block, CTL_METRIC_HIGH_QC_VIEW, view->high_qc_view);
	ctl_metric_set(block, CTL_METRIC_OBSERVER, view->is_observer);
	ctl_metric_set(block, CTL_METRIC_BATCHES_CLOSED, self->status.lanes.own_seq);
	ctl_metric_set(block, CTL_METRIC_NACKS_SENT, self->status.lanes.repairs_asked);
	ctl_metric_set(block, CTL_METRIC_NACKS_ANSWERED, self->status.lanes.repairs_served);
}

static void publish_status(struct replica_tile *self)
{
	const struct replica_status *status = &self->status;
	struct ctl_status *page = &self->page;

	self->io.fill_status(self->io.fill_context, page);
	page->leader = status->view.leader;
	page->epoch = status->view.epoch;
	page->view = status->view.view;
	page->high_qc_view = status->view.high_qc_view;
	page->committed_height = status->view.committed_height;
	memcpy(page->committed_id, status->view.committed_id.b, sizeof(page->committed_id));
	page->committed_ns = self->committed_ns;
	page->delivered_height = status->delivered_height;
	page->transactions_final = status->delivered_transactions;
	page->is_observer = status->view.is_observer;
	page->is_catching_up = status->is_catching_up;
	for (uint32_t lane = 0; lane < page->replica_count && lane < CTL_REPLICAS_MAX; lane++) {
		page->lane[lane].stored_seq = status->lanes.stored_seq[lane];
		page->lane[lane].committed_seq = status->lanes.committed_seq[lane];
		page->peer[lane].committed_height = status->peer_height[lane];
	}
	ctl_status_publish(&self->io.page->status, page);
}

static void replica_tile_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct replica_tile *self = memory;

	node_beat(self->io.metrics, self->io.loop, now_ns);
	if (!self->is_started || now_ns - self->status_ns < 20 * UNITS_NS_PER_MS)
		return;
	self->status_ns = now_ns;
	replica_status(self->io.replica, &self->status);
	publish_metrics(self);
	publish_status(self);
}

const struct dp_tile node_tile_replica = {
	.name = "replica",
	.footprint = replica_tile_footprint,
	.setup = replica_tile_setup,
	.on_turn = replica_tile_on_turn,
	.on_housekeeping = replica_tile_on_housekeeping,
	.deadline_ns = replica_tile_deadline_ns,
};
