/* Clients: bundles of sealed frames to any replica, resends, and bad manners. */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "replica/replica_windows.h"
#include "tests/sim/sim_adversary.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_memory.h"
#include "wire/wire_seal.h"

enum {
	CLIENT_FRAMES_MAX = 64, /* outstanding */
	EXPIRES_USUAL = 4000,
	CLIENT_AHEAD_MAX = REPLICA_WINDOW_BITS - 200, /* a client keeps its numbers in the window */
	CALM_WORK_BUNDLES = 3,                        /* a client's bundles after healing */
};

enum { FRAMES_BYTES = SIM_CLIENTS_MAX * CLIENT_FRAMES_MAX * sizeof(struct sim_frame) };

struct draft {
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
	uint32_t body_bytes;
};

void sim_workload_init(struct sim *sim)
{
	sim->frame_room = sim->knobs.clients * CLIENT_FRAMES_MAX;
	sim->frames = sim_memory_take(FRAMES_BYTES);
	for (uint32_t i = 0; i < sim->knobs.clients; i++) {
		struct sim_event event = { .kind = SIM_EVENT_CLIENT, .argument = i };

		sim_signer_key(sim, "SIMclnt1", i, &sim->clients[i].key);
		sim->clients[i].next_seq = 1;
		sim_clock_add(&sim->clock,
			      UNITS_NS_PER_MS + prng_below(&sim->prng, sim->knobs.bundle_every_ns),
			      &event);
	}
}

void sim_workload_fini(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->frame_room; i++)
		sim->frames[i].is_used = false;
	sim_memory_give(sim->frames, FRAMES_BYTES);
}

uint32_t sim_client_of(const struct sim *sim, const struct crypto_public_key *key)
{
	for (uint32_t i = 0; i < sim->knobs.clients; i++)
		if (memcmp(&sim->clients[i].key.public_key, key, sizeof(*key)) == 0)
			return i;
	return UINT32_MAX;
}

static void submit(struct sim *sim, uint32_t client, const uint8_t *bytes, uint32_t count)
{
	struct sim_event event = {
		.kind = SIM_EVENT_SUBMIT,
		.node = (uint32_t)prng_below(&sim->prng, sim->knobs.n),
		.from = client,
	};
	uint64_t delay_ns =
		sim->knobs.delay_min_ns + prng_below(&sim->prng, sim->knobs.delay_mean_ns + 1);

	event.node = sim_adversary_slot(sim, event.node);
	event.incarnation = sim->nodes[event.node].incarnation;
	if (!sim->nodes[event.node].is_up ||
	    (sim->is_chaos && prng_chance(&sim->prng, sim->knobs.loss_ppm)))
		return;
	event.pointer = sim_packet_new(bytes, count);
	sim_clock_add(&sim->clock, delay_ns, &event);
}

/* Payloads are a function of client and number, so a frame built again says the same. */
static void payload_of(const struct sim *sim, uint32_t client, uint64_t seq, uint8_t *ret_bytes,
		       uint32_t *ret_count)
{
	struct prng prng;

	prng_seed(&prng, sim->options.seed * 31 + client * UINT64_C(1000003) + seq);
	*ret_count = (uint32_t)prng_below(&prng, sim->knobs.payload_bytes_max + 1);
	prng_fill(&prng, ret_bytes, *ret_count);
}

static void draft_frame(const struct sim *sim, uint32_t client, enum wire_frame_kind kind,
			uint64_t first_seq, uint32_t count, uint64_t expires, uint32_t depth,
			struct draft *ret_draft)
{
	static uint8_t payload[SIM_FRAME_TRANSACTIONS_MAX][64];
	const void *payloads[SIM_FRAME_TRANSACTIONS_MAX];
	uint32_t payload_bytes[SIM_FRAME_TRANSACTIONS_MAX];
	struct wire_frame_spec spec = {
		.kind = kind,
		.chain_id = sim->validators.chain_id,
		.client = sim->clients[client].key.public_key,
		.first_seq = first_seq,
		.expires = expires,
		.count = count,
		.seal_depth = depth,
	};
	int bytes;

	for (uint32_t i = 0; kind == WIRE_FRAME_TRANSACTIONS && i < count; i++) {
		payload_of(sim, client, first_seq + i, payload[i], &payload_bytes[i]);
		payloads[i] = payload[i];
	}
	if (kind == WIRE_FRAME_TRANSACTIONS) {
		spec.payload = payloads;
		spec.payload_bytes = payload_bytes;
	}
	bytes = wire_frame_build(&spec, ret_draft->bytes, sizeof(ret_draft->bytes));
	ensure(bytes > 0);
	ret_draft->body_bytes = (uint32_t)bytes;
}

/* Seals `count` drafts with one signature; frame i gets its length in ret_counts[i]. */
static void seal(const struct sim *sim, uint32_t client, struct draft *drafts, uint32_t count,
		 uint32_t *ret_counts)
{
	struct wire_seal_tree tree;
	struct crypto_hash leaves[WIRE_SEAL_FRAMES_MAX] = { 0 };
	struct crypto_signature signature;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t signed_count;

	for (uint32_t i = 0; i < count; i++)
		leaves[i] = wire_seal_leaf(drafts[i].bytes, drafts[i].body_bytes);
	wire_seal_tree_build(&tree, leaves, count);
	signed_count = wire_seal_signed_bytes(&sim->validators.chain_id,
					      &sim->clients[client].key.public_key, &tree.node[1],
					      bytes);
	sim_signer_sign(sim, &sim->clients[client].key, bytes, signed_count, &signature);
	for (uint32_t i = 0; i < count; i++)
		ret_counts[i] = drafts[i].body_bytes +
				wire_seal_write(&tree, i, &signature,
						drafts[i].bytes + drafts[i].body_bytes);
}

static void send_one(struct sim *sim, uint32_t client, enum wire_frame_kind kind,
		     uint64_t first_seq, uint32_t count, uint64_t expires)
{
	struct draft draft;
	uint32_t bytes;

	draft_frame(sim, client, kind, first_seq, count, expires, 0, &draft);
	seal(sim, client, &draft, 1, &bytes);
	submit(sim, client, draft.bytes, bytes);
}

static uint64_t usual_expiry(const struct sim *sim)
{
	return sim_check_height(sim) + EXPIRES_USUAL;
}

/* Frames that must never be ordered, or leave no trace. */
static void misbehave(struct sim *sim, uint32_t client)
{
	struct draft draft;
	uint32_t bytes;

	if (prng_chance(&sim->prng, sim->knobs.greedy_ppm))
		send_one(sim, client, WIRE_FRAME_TRANSACTIONS,
			 sim->clients[client].next_seq + 4090 + prng_below(&sim->prng, 5000), 3,
			 usual_expiry(sim));
	if (prng_chance(&sim->prng, sim->knobs.bad_ppm)) {
		draft_frame(sim, client, WIRE_FRAME_TRANSACTIONS, sim->clients[client].next_seq, 1,
			    usual_expiry(sim), 0, &draft);
		seal(sim, client, &draft, 1, &bytes);
		draft.bytes[prng_below(&sim->prng, bytes)] ^= 0x40;
		submit(sim, client, draft.bytes, bytes - (uint32_t)prng_below(&sim->prng, 2));
	}
}

/* Gives up some numbers now and then, and says so again while the window stands there. */
static void skip(struct sim *sim, uint32_t client)
{
	struct sim_client *self = &sim->clients[client];
	uint64_t base = sim_check_base(sim, client);
	uint32_t count = 1 + (uint32_t)prng_below(&sim->prng, 20);

	for (uint32_t i = 0; i < SIM_SKIPS_MAX; i++)
		if (base >= self->skip[i].first && base < self->skip[i].end)
			send_one(sim, client, WIRE_FRAME_SKIP, self->skip[i].first,
				 (uint32_t)(self->skip[i].end - self->skip[i].first),
				 usual_expiry(sim));
	if (!prng_chance(&sim->prng, sim->knobs.skip_ppm) ||
	    self->skip[self->skips % SIM_SKIPS_MAX].end > base)
		return;
	self->skip[self->skips % SIM_SKIPS_MAX].first = self->next_seq;
	self->next_seq += count;
	self->skip[self->skips++ % SIM_SKIPS_MAX].end = self->next_seq;
	send_one(sim, client, WIRE_FRAME_SKIP, self->next_seq - count, count, usual_expiry(sim));
}

static struct sim_frame *free_frame(struct sim *sim, uint32_t client)
{
	struct sim_frame *frames = &sim->frames[client * CLIENT_FRAMES_MAX];

	for (uint32_t i = 0; i < CLIENT_FRAMES_MAX; i++)
		if (!frames[i].is_used)
			return &frames[i];
	return NULL;
}

static void watch(struct sim *sim, const struct sim_frame *frame)
{
	struct sim_event event = {
		.kind = SIM_EVENT_RESEND,
		.argument = (uint64_t)frame->number << 32 | (uint32_t)(frame - sim->frames),
	};

	sim_clock_add(&sim->clock,
		      sim->knobs.resend_ns + prng_below(&sim->prng, sim->knobs.resend_ns), &event);
}

static void track(struct sim *sim, uint32_t client, struct sim_frame *frame,
		  const struct draft *draft, uint32_t bytes)
{
	frame->is_used = true;
	frame->client = client;
	frame->receipts = 0;
	frame->height = 0;
	frame->byte_count = bytes;
	memcpy(frame->bytes, draft->bytes, bytes);
	frame->number = ++sim->frame_number;
	sim->clients[client].outstanding++;
	submit(sim, client, frame->bytes, frame->byte_count);
	if (prng_chance(&sim->prng, sim->knobs.twice_ppm))
		submit(sim, client, frame->bytes, frame->byte_count);
	watch(sim, frame);
}

static void send_bundle(struct sim *sim, uint32_t client)
{
	static struct draft drafts[8];
	struct sim_client *self = &sim->clients[client];
	uint32_t room = CLIENT_FRAMES_MAX - self->outstanding;
	uint32_t frames = 1 + (uint32_t)prng_below(&sim->prng, sim->knobs.bundle_frames_max);
	uint32_t depth;
	uint32_t counts[8];
	uint32_t lengths[8];
	uint64_t expires = usual_expiry(sim);
	uint64_t seq = self->next_seq;

	if (frames > room || self->next_seq > sim_check_base(sim, client) + CLIENT_AHEAD_MAX)
		return;
	if (prng_chance(&sim->prng, sim->knobs.hasty_ppm))
		expires = sim_check_height(sim) + 1 + prng_below(&sim->prng, 4);
	depth = wire_seal_depth(frames);
	for (uint32_t i = 0; i < frames; i++) {
		counts[i] = 1 + (uint32_t)prng_below(&sim->prng, SIM_FRAME_TRANSACTIONS_MAX);
		draft_frame(sim, client, WIRE_FRAME_TRANSACTIONS, self->next_seq, counts[i],
			    expires, depth, &drafts[i]);
		self->next_seq += counts[i];
	}
	seal(sim, client, drafts, frames, lengths);
	for (uint32_t i = 0; i < frames; i++) {
		struct sim_frame *frame = free_frame(sim, client);

		ensure(frame);
		frame->first_seq = seq;
		frame->count = counts[i];
		frame->expires = expires;
		seq += counts[i];
		track(sim, client, frame, &drafts[i], lengths[i]);
	}
}

void sim_workload_client(struct sim *sim, uint32_t client)
{
	struct sim_event event = { .kind = SIM_EVENT_CLIENT, .argument = client };

	skip(sim, client);
	if (sim->is_chaos || ++sim->clients[client].calm_bundles <= CALM_WORK_BUNDLES) {
		misbehave(sim, client);
		send_bundle(sim, client);
	}
	sim_clock_add(&sim->clock, 1 + prng_below(&sim->prng, 2 * sim->knobs.bundle_every_ns),
		      &event);
}

void sim_workload_resend(struct sim *sim, uint32_t slot, uint32_t number)
{
	struct sim_frame *frame = &sim->frames[slot];

	if (!frame->is_used || frame->number != number)
		return;
	if (frame->expires <= sim_check_height(sim)) {
		struct draft draft;

		frame->expires = usual_expiry(sim);
		draft_frame(sim, frame->client, WIRE_FRAME_TRANSACTIONS, frame->first_seq,
			    frame->count, frame->expires, 0, &draft);
		seal(sim, frame->client, &draft, 1, &frame->byte_count);
		memcpy(frame->bytes, draft.bytes, frame->byte_count);
	}
	submit(sim, frame->client, frame->bytes, frame->byte_count);
	watch(sim, frame);
}

static void answered(struct sim *sim, uint32_t node, uint32_t client, uint64_t first_seq)
{
	struct sim_frame *frames = &sim->frames[client * CLIENT_FRAMES_MAX];
	uint32_t quorum = hs_faulty_max(sim->knobs.n) + 1;

	for (uint32_t i = 0; i < CLIENT_FRAMES_MAX; i++) {
		struct sim_frame *frame = &frames[i];

		if (!frame->is_used || frame->first_seq != first_seq)
			continue;
		frame->receipts |= UINT32_C(1) << node;
		if ((uint32_t)__builtin_popcount(frame->receipts) < quorum)
			return;
		frame->is_used = false;
		sim->clients[client].outstanding--;
		sim->frames_final++;
		return;
	}
}

/* f + 1 equal answers make a frame final for its client. */
void sim_workload_receipt(struct sim *sim, uint32_t node, const struct replica_receipt *receipt)
{
	if (!sim->is_chaos || !prng_chance(&sim->prng, sim->knobs.receipt_loss_ppm))
		answered(sim, node, sim_client_of(sim, &receipt->client), receipt->first_seq);
}

void sim_workload_known(struct sim *sim, uint32_t node, const struct crypto_public_key *key,
			uint64_t first_seq)
{
	answered(sim, node, sim_client_of(sim, key), first_seq);
}

bool sim_workload_is_spent(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->knobs.clients; i++)
		if (sim->clients[i].next_seq > CHECK_SEQ_MAX / 4 * 3)
			return true;
	return false;
}

bool sim_workload_is_done(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->knobs.clients; i++)
		if (sim->clients[i].outstanding > 0 ||
		    sim->clients[i].calm_bundles <= CALM_WORK_BUNDLES)
			return false;
	return true;
}
