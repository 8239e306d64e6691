#include "replica/replica.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "replica/replica_state.h"

struct replica_effect *replica_push(struct replica *replica, enum replica_effect_kind kind)
{
	return replica_outbox_push(&replica->outbox, kind);
}

void replica_dropped(struct replica *replica, enum replica_drop_family family, uint32_t reason)
{
	struct replica_effect *effect;

	if (replica_outbox_room(&replica->outbox) == 0)
		return;
	effect = replica_push(replica, REPLICA_EFFECT_DROPPED);
	effect->u.dropped.family = family;
	effect->u.dropped.reason = reason;
}

void replica_alarm(struct replica *replica, enum replica_alarm alarm, uint64_t detail)
{
	struct replica_effect *effect = replica_push(replica, REPLICA_EFFECT_ALARM);

	effect->u.alarm.alarm = alarm;
	effect->u.alarm.detail = detail;
}

void replica_send(struct replica *replica, uint32_t to, enum replica_send_class class_)
{
	struct bitset targets = replica->peers;
	struct replica_effect *effect;
	uint8_t *bytes;
	int count;

	if (to != HS_REPLICA_ALL) {
		targets = (struct bitset){ { 0 } };
		if (bitset_has(&replica->peers, to))
			bitset_add(&targets, to);
	}
	if (bitset_count(&targets) == 0)
		return;
	if (!replica_outbox_admits(&replica->outbox, &targets, class_)) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_OUTBOX_FULL);
		return;
	}
	replica->message_out.epoch = replica->config.consensus.epoch;
	bytes = replica_outbox_take(&replica->outbox, WIRE_MESSAGE_BYTES_MAX);
	count = wire_encode(&replica->message_out, bytes, WIRE_MESSAGE_BYTES_MAX);
	ensure(count > 0);
	replica_outbox_trim(&replica->outbox, WIRE_MESSAGE_BYTES_MAX - (size_t)count);
	effect = replica_push(replica, REPLICA_EFFECT_SEND);
	effect->u.send.to = targets;
	effect->u.send.class_ = class_;
	effect->u.send.bytes = bytes;
	effect->u.send.byte_count = (uint32_t)count;
}

void replica_persist(struct replica *replica, enum blocklog_log log, uint16_t kind,
		     const uint8_t *bytes, uint32_t byte_count, uint64_t ticket)
{
	struct replica_effect *effect = replica_push(replica, REPLICA_EFFECT_PERSIST);

	effect->u.persist.log = log;
	effect->u.persist.kind = kind;
	effect->u.persist.bytes = bytes;
	effect->u.persist.byte_count = byte_count;
	effect->u.persist.ticket = ticket;
}

void replica_read(struct replica *replica, enum blocklog_log log, uint64_t position,
		  uint32_t byte_max, uint64_t ticket)
{
	struct replica_effect *effect = replica_push(replica, REPLICA_EFFECT_READ);

	effect->u.read.log = log;
	effect->u.read.position = position;
	effect->u.read.byte_max = byte_max;
	effect->u.read.ticket = ticket;
}

const struct hs_cut *replica_cut_of(const struct replica *replica, const struct crypto_hash *id)
{
	const struct replica_delivery *delivery = &replica->delivery;
	const struct hs_block *block = hs_core_block(replica->core, id);

	if (block)
		return &block->header.cut;
	if (crypto_hash_equal(&delivery->id, id))
		return &delivery->cut;
	for (uint32_t i = 0; i < delivery->count; i++) {
		uint32_t at = (delivery->first + i) % REPLICA_DELIVERY_MAX;

		if (crypto_hash_equal(&delivery->queue[at].id, id))
			return &delivery->queue[at].cut;
	}
	return NULL;
}

static void on_status(struct replica *replica, uint32_t from, const struct wire_status *status)
{
	replica_catchup_claim(replica, from, status->committed_height);
	if (status->committed_height < replica->delivery.height &&
	    replica->now_ns - replica->catchup.answered_ns[from] >=
		    replica->config.catchup_interval_ns) {
		replica->catchup.answered_ns[from] = replica->now_ns;
		replica_catchup_status(replica, from);
	}
}

static void on_message(struct replica *replica, struct wire_message *message,
		       const struct replica_stamp *stamp)
{
	switch (message->kind) {
	case WIRE_PROPOSE:
	case WIRE_VOTE:
	case WIRE_COMMIT:
	case WIRE_TIMEOUT:
	case WIRE_QC:
	case WIRE_TC:
	case WIRE_FC:
		replica_core_message(replica, message);
		break;
	case WIRE_LANE_FRAME:
	case WIRE_BATCH:
	case WIRE_ACKVEC:
	case WIRE_WANT_BATCH:
	case WIRE_REPAIR:
	case WIRE_LEAVES:
		replica_lane_message(replica, message, stamp);
		break;
	case WIRE_WANT_BLOCK:
		replica_serve_id(replica, message->from, &message->u.want_block);
		break;
	case WIRE_WANT_BLOCKS:
		replica_serve_heights(replica, message->from, &message->u.want_blocks);
		break;
	case WIRE_BLOCKS:
		replica_catchup_blocks(replica, message->from, &message->u.blocks);
		break;
	case WIRE_WANT_CERTIFICATES:
		replica_core_answer(replica, message->from);
		break;
	case WIRE_CERTIFICATES:
		replica_core_certificates(replica, message->from, &message->u.certificates);
		break;
	case WIRE_SHOW:
		replica_show_against(replica, &message->u.show.statement);
		break;
	case WIRE_STATUS:
		on_status(replica, message->from, &message->u.status);
		break;
	case WIRE_EVIDENCE:
		if (!message->u.evidence.is_lane || !message->u.evidence.lane.has_bad_frame)
			replica_show_evidence(replica, &message->u.evidence);
		break;
	}
}

static void on_peer(struct replica *replica, const struct replica_verified *verified)
{
	const struct hs_config *config = &replica->config.consensus;
	struct wire_message *message = &replica->message_in;

	if (!bitset_has(&replica->peers, verified->from) ||
	    wire_decode(verified->bytes, verified->byte_count, verified->from, &config->chain_id,
			&config->set_hash, config->replica_count, config->epoch, message) < 0 ||
	    message->kind != (enum wire_kind)verified->stamp.kind) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_UNDECODABLE);
		return;
	}
	on_message(replica, message, &verified->stamp);
}

static void on_persisted(struct replica *replica, const struct replica_input *input)
{
	uint64_t low = replica_ticket_low(input->u.persisted.ticket);
	struct hs_input core = { .kind = HS_INPUT_PERSISTED, .from = HS_REPLICA_NONE };
	struct lane_input lane = { .kind = LANE_INPUT_PERSISTED, .from = HS_REPLICA_NONE };

	if (input->u.persisted.code < 0) {
		if (!replica->store_failed)
			replica_alarm(replica, REPLICA_ALARM_STORE_FAILED,
				      (uint64_t)-input->u.persisted.code);
		replica->store_failed = true;
		return;
	}
	switch (replica_ticket_owner(input->u.persisted.ticket)) {
	case REPLICA_TICKET_CORE:
		replica_blocks_durable(replica, low, input->u.persisted.position);
		core.u.ticket = low;
		replica_core_step(replica, &core);
		break;
	case REPLICA_TICKET_LANE:
		lane.u.persisted.ticket = low;
		lane.u.persisted.position = input->u.persisted.position;
		replica_lane_step(replica, &lane);
		break;
	case REPLICA_TICKET_BLOCK:
		replica_delivery_block_durable(replica, low, input->u.persisted.position);
		break;
	case REPLICA_TICKET_MARK:
		replica_delivery_mark_durable(replica, low);
		break;
	case REPLICA_TICKET_FC:
		replica_blocks_proof_durable(replica, low, input->u.persisted.position);
		break;
	default:
		break;
	}
}

static void on_read(struct replica *replica, const struct replica_input *input)
{
	struct lane_input lane = { .kind = LANE_INPUT_READ_DONE, .from = HS_REPLICA_NONE };

	switch (replica_ticket_owner(input->u.read.ticket)) {
	case REPLICA_TICKET_LANE:
		lane.u.read.ticket = replica_ticket_low(input->u.read.ticket);
		lane.u.read.code = input->u.read.code;
		lane.u.read.bytes = input->u.read.bytes;
		lane.u.read.byte_count = input->u.read.byte_count;
		replica_lane_step(replica, &lane);
		break;
	case REPLICA_TICKET_DELIVERY:
		replica_delivery_read(replica, input->u.read.ticket, input->u.read.code,
				      input->u.read.bytes, input->u.read.byte_count);
		break;
	case REPLICA_TICKET_SERVE:
		replica_serve_read(replica, input->u.read.ticket, input->u.read.code,
				   input->u.read.bytes, input->u.read.byte_count);
		break;
	default:
		break;
	}
}

static void on_signed(struct replica *replica, const struct replica_input *input)
{
	uint64_t low = replica_ticket_low(input->u.signed_.request);
	struct hs_input core = { .kind = HS_INPUT_SIGNED, .from = HS_REPLICA_NONE };
	struct lane_input lane = { .kind = LANE_INPUT_SIGNED, .from = HS_REPLICA_NONE };

	if (replica_ticket_owner(input->u.signed_.request) == REPLICA_TICKET_CORE) {
		core.u.signed_.request = low;
		core.u.signed_.signature = input->u.signed_.signature;
		replica_core_step(replica, &core);
		return;
	}
	lane.u.signed_.request = low;
	lane.u.signed_.signature = input->u.signed_.signature;
	replica_lane_step(replica, &lane);
}

static void on_commits_checked(struct replica *replica, const struct replica_input *input)
{
	struct hs_input core = { .kind = HS_INPUT_COMMITS_CHECKED, .from = HS_REPLICA_NONE };

	core.u.checked.view = input->u.checked.view;
	core.u.checked.block_id = input->u.checked.block_id;
	core.u.checked.good = input->u.checked.good;
	core.u.checked.bad = input->u.checked.bad;
	replica_core_step(replica, &core);
}

static void on_tick(struct replica *replica)
{
	struct hs_input core = { .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE };
	struct lane_input lane = { .kind = LANE_INPUT_TICK, .from = HS_REPLICA_NONE };

	if (hs_core_deadline_ns(replica->core) <= replica->now_ns)
		replica_core_step(replica, &core);
	if (lane_set_deadline_ns(replica->lanes) <= replica->now_ns)
		replica_lane_step(replica, &lane);
	replica_catchup_tick(replica);
}

static void replica_react(struct replica *replica, const struct replica_input *input)
{
	switch (input->kind) {
	case REPLICA_INPUT_START:
		replica->is_started = true;
		replica_recover_start(replica);
		replica_catchup_status(replica, HS_REPLICA_ALL);
		break;
	case REPLICA_INPUT_PEER:
		on_peer(replica, input->u.verified);
		break;
	case REPLICA_INPUT_CLIENT:
		replica_admit(replica, input->u.client.frame, input->u.client.origin);
		break;
	case REPLICA_INPUT_PEER_UP:
		if (!bitset_has(&replica->peers, input->u.peer))
			break;
		replica_show_peer_up(replica, input->u.peer);
		replica_catchup_status(replica, input->u.peer);
		break;
	case REPLICA_INPUT_PEER_DOWN:
		if (replica->catchup.asked_peer == input->u.peer)
			replica->catchup.asked_peer = HS_REPLICA_NONE;
		break;
	case REPLICA_INPUT_PERSISTED:
		on_persisted(replica, input);
		break;
	case REPLICA_INPUT_READ_DONE:
		on_read(replica, input);
		break;
	case REPLICA_INPUT_SIGNED:
		on_signed(replica, input);
		break;
	case REPLICA_INPUT_COMMITS_CHECKED:
		on_commits_checked(replica, input);
		break;
	case REPLICA_INPUT_TICK:
		on_tick(replica);
		break;
	}
}

/* Answers what the step left open. Bounded: every round consumes a flag, a block or a batch. */
static void replica_settle(struct replica *replica)
{
	while (replica_core_settle(replica) || replica_delivery_run(replica))
		continue;
}

int replica_step(struct replica *replica, const struct replica_input *input)
{
	if (replica->is_started == (input->kind == REPLICA_INPUT_START) ||
	    input->now_ns < replica->now_ns || replica->outbox.count > 0)
		return ERR_ORDER;
	replica_outbox_reset(&replica->outbox);
	replica->now_ns = input->now_ns;
	replica->wall_ns = input->wall_ns;
	if (replica->store_failed) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_STORE_FAILED);
		return 0;
	}
	replica_react(replica, input);
	if (!replica->store_failed)
		replica_settle(replica);
	return 0;
}

const struct replica_effect *replica_effect(struct replica *replica)
{
	const struct replica_outbox *outbox = &replica->outbox;

	return outbox->count > 0 ? &outbox->ring[outbox->first] : NULL;
}

void replica_effect_pop(struct replica *replica)
{
	struct replica_outbox *outbox = &replica->outbox;

	ensure(outbox->count > 0);
	outbox->first = (outbox->first + 1) % REPLICA_EFFECTS_MAX;
	outbox->count--;
}

uint64_t replica_deadline_ns(const struct replica *replica)
{
	uint64_t deadline_ns;

	if (!replica->is_started || replica->store_failed)
		return UINT64_MAX;
	if (replica_delivery_is_due(replica))
		return replica->now_ns;
	deadline_ns =
		units_min(hs_core_deadline_ns(replica->core), lane_set_deadline_ns(replica->lanes));
	return units_min(deadline_ns, replica_catchup_deadline_ns(replica));
}

void replica_status(const struct replica *replica, struct replica_status *ret_status)
{
	uint32_t faulty = hs_faulty_max(replica->config.consensus.replica_count);

	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->view = hs_core_status(replica->core);
	lane_set_status(replica->lanes, &ret_status->lanes);
	ret_status->delivered_height = replica->delivery.height;
	ret_status->delivered_id = replica->delivery.id;
	ret_status->delivered_transactions = replica->delivery.transactions;
	memcpy(ret_status->peer_height, replica->catchup.claim, sizeof(ret_status->peer_height));
	ret_status->best_peer_height = replica_catchup_best(replica, faulty + 1);
	ret_status->is_catching_up = ret_status->best_peer_height >
				     replica->delivery.height + WIRE_BLOCKS_MAX;
	ret_status->clients = replica_windows_count(replica->windows);
}

void replica_check(const struct replica *replica)
{
	const struct replica_delivery *delivery = &replica->delivery;

	hs_core_check(replica->core);
	lane_set_check(replica->lanes);
	if (!replica->is_started)
		return;
	ensure(delivery->count <= REPLICA_DELIVERY_MAX);
	ensure(replica->final_count <= REPLICA_DELIVERY_MAX);
	ensure(hs_core_status(replica->core).committed_height ==
	       delivery->height + delivery->count);
}
