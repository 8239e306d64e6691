/*
 * A laggard's side of catch-up. Peers claim heights; whoever claims more than is
 * committed here is asked, in rotation, for the next blocks. One request is out at a
 * time, so blocks always come in rising order; nothing is asked while the delivery
 * queue is long. What comes is verified by the gate and judged by the core.
 */

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "replica/replica_state.h"

enum {
	CATCHUP_QUEUE_MAX = REPLICA_DELIVERY_MAX / 2,
	CATCHUP_PATIENCE =
		4, /* intervals before the next peer is asked; a late answer still counts */
	CATCHUP_STATUS = 5, /* intervals between two words to all on how far we are */
};

static uint64_t catchup_committed(const struct replica *replica)
{
	return replica->delivery.height + replica->delivery.count;
}

/* The claim that at least `rank` peers reach: rank 1 is the highest. */
uint64_t replica_catchup_best(const struct replica *replica, uint32_t rank)
{
	uint64_t best = 0;

	for (uint32_t i = 0; i < replica->config.consensus.replica_count; i++) {
		uint64_t claim = replica->catchup.claim[i];
		uint32_t reached = 0;

		for (uint32_t k = 0; k < replica->config.consensus.replica_count; k++)
			reached += replica->catchup.claim[k] >= claim;
		if (reached >= rank && claim > best)
			best = claim;
	}
	return best;
}

void replica_catchup_status(struct replica *replica, uint32_t to)
{
	struct wire_status *status = &replica->message_out.u.status;

	replica->message_out.kind = WIRE_STATUS;
	status->view = hs_core_status(replica->core).view;
	status->committed_height = replica->delivery.height;
	status->wall_ns = replica->wall_ns;
	replica_send(replica, to, REPLICA_SEND_REPAIR);
}

void replica_catchup_claim(struct replica *replica, uint32_t from, uint64_t height)
{
	ensure(from < replica->config.consensus.replica_count);
	replica->catchup.claim[from] = height;
}

static uint32_t catchup_pick(struct replica *replica)
{
	struct replica_catchup *catchup = &replica->catchup;
	uint32_t count = replica->config.consensus.replica_count;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t peer = (catchup->next_peer + i) % count;

		if (catchup->claim[peer] <= catchup_committed(replica) ||
		    !bitset_has(&replica->peers, peer))
			continue;
		catchup->next_peer = (peer + 1) % count;
		return peer;
	}
	return HS_REPLICA_NONE;
}

static void catchup_ask(struct replica *replica)
{
	struct replica_catchup *catchup = &replica->catchup;
	struct wire_want_blocks *want = &replica->message_out.u.want_blocks;
	uint64_t first = catchup_committed(replica) + 1;
	uint32_t peer;

	if (replica->delivery.count > CATCHUP_QUEUE_MAX || catchup->asked_peer != HS_REPLICA_NONE)
		return;
	peer = catchup_pick(replica);
	if (peer == HS_REPLICA_NONE)
		return;
	if (catchup->asked_height == first) {
		replica->message_out.kind = WIRE_WANT_CERTIFICATES;
		replica_send(replica, peer, REPLICA_SEND_REPAIR);
	}
	bitset_add(&catchup->asked, peer);
	catchup->asked_peer = peer;
	catchup->asked_height = first;
	catchup->asked_ns = replica->now_ns;
	replica->message_out.kind = WIRE_WANT_BLOCKS;
	want->first_height = first;
	want->count = (uint32_t)units_min(WIRE_BLOCKS_MAX, replica->config.catchup_blocks_inflight);
	replica_send(replica, peer, REPLICA_SEND_REPAIR);
}

bool replica_catchup_feed(struct replica *replica, uint32_t from, const uint8_t *bytes,
			  uint32_t byte_count)
{
	const struct hs_config *config = &replica->config.consensus;
	struct hs_block *block = &replica->block_in;

	if (replica_delivery_is_full(replica) ||
	    wire_decode_block(bytes, byte_count, &config->chain_id, &config->set_hash,
			      config->replica_count, block) < 0)
		return false;
	if (block->header.height <= catchup_committed(replica))
		return true;
	replica_core_block(replica, from, block);
	replica_core_qc(replica, from, &block->justify);
	return true;
}

void replica_catchup_blocks(struct replica *replica, uint32_t from,
			    const struct wire_blocks *blocks)
{
	struct replica_catchup *catchup = &replica->catchup;
	uint64_t before = catchup_committed(replica);
	bool is_answer = bitset_has(&catchup->asked, from);

	replica_catchup_claim(replica, from, blocks->committed_height);
	if (!is_answer && blocks->count > 1) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_BLOCKS_UNASKED);
		return;
	}
	bitset_remove(&catchup->asked, from);
	if (catchup->asked_peer == from)
		catchup->asked_peer = HS_REPLICA_NONE;
	for (uint32_t i = 0; i < blocks->count; i++)
		if (!replica_catchup_feed(replica, from, blocks->block_bytes[i],
					  blocks->block_byte_count[i]))
			return;
	if (blocks->has_fc && !replica_delivery_is_full(replica))
		replica_core_fc(replica, from, &blocks->fc);
	if (is_answer && catchup_committed(replica) > before)
		catchup_ask(replica);
}

void replica_catchup_want(struct replica *replica, uint32_t to, const struct crypto_hash *id)
{
	replica_serve_stored(replica, replica->config.consensus.replica_id, id);
	if (to != HS_REPLICA_ALL && !bitset_has(&replica->peers, to)) {
		to = replica->catchup.next_peer++ % replica->config.consensus.replica_count;
		replica->catchup.next_peer %= replica->config.consensus.replica_count;
		if (!bitset_has(&replica->peers, to))
			to = HS_REPLICA_ALL;
	}
	replica->message_out.kind = WIRE_WANT_BLOCK;
	replica->message_out.u.want_block.id = *id;
	replica_send(replica, to, REPLICA_SEND_CONSENSUS);
}

static bool catchup_is_behind(const struct replica *replica)
{
	return replica_catchup_best(replica, 1) > catchup_committed(replica);
}

void replica_catchup_tick(struct replica *replica)
{
	struct replica_catchup *catchup = &replica->catchup;
	uint64_t interval_ns = replica->config.catchup_interval_ns;

	if (catchup->status_height != replica->delivery.height &&
	    replica->now_ns - catchup->status_ns >= CATCHUP_STATUS * interval_ns) {
		catchup->status_height = replica->delivery.height;
		catchup->status_ns = replica->now_ns;
		replica_catchup_status(replica, HS_REPLICA_ALL);
	}
	if (!catchup_is_behind(replica) || replica->now_ns - catchup->looked_ns < interval_ns)
		return;
	catchup->looked_ns = replica->now_ns;
	if (catchup->asked_peer != HS_REPLICA_NONE &&
	    replica->now_ns - catchup->asked_ns >= CATCHUP_PATIENCE * interval_ns)
		catchup->asked_peer = HS_REPLICA_NONE;
	if (catchup->seen_height == catchup_committed(replica) ||
	    replica_catchup_best(replica, 1) > catchup_committed(replica) + WIRE_BLOCKS_MAX)
		catchup_ask(replica);
	catchup->seen_height = catchup_committed(replica);
}

uint64_t replica_catchup_deadline_ns(const struct replica *replica)
{
	const struct replica_catchup *catchup = &replica->catchup;
	uint64_t interval_ns = replica->config.catchup_interval_ns;
	uint64_t deadline_ns = UINT64_MAX;

	if (catchup->status_height != replica->delivery.height)
		deadline_ns = catchup->status_ns + CATCHUP_STATUS * interval_ns;
	if (catchup_is_behind(replica))
		deadline_ns = units_min(deadline_ns, catchup->looked_ns + interval_ns);
	return deadline_ns;
}
