/* Floods, lies to who catches up, and slander. */

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "tests/sim/sim_adversary_state.h"

enum { BURST_MAX = 24, JUNK_BYTES_MAX = 1500 };

static struct wire_message *new_message(struct sim *sim, enum wire_kind kind)
{
	struct wire_message *out = &sim->adversary->out;

	out->kind = kind;
	out->epoch = sim->validators.epoch;
	return out;
}

static uint32_t below(struct sim *sim, uint32_t limit)
{
	return (uint32_t)prng_below(&sim->adversary->prng, limit);
}

/* ---- flood ---- */

static void flood_junk(struct sim *sim, struct sim_node *node, uint32_t to)
{
	struct sim_adversary *all = sim->adversary;
	uint32_t count = 1 + below(sim, JUNK_BYTES_MAX);

	prng_fill(&all->prng, all->bytes, count);
	if (count >= WIRE_MESSAGE_HEAD_BYTES && below(sim, 4) > 0) {
		memset(all->bytes, 0, WIRE_MESSAGE_HEAD_BYTES);
		all->bytes[0] = (uint8_t)(1 + below(sim, WIRE_EVIDENCE));
		all->bytes[1] = WIRE_VERSION;
		all->bytes[4] = 1;
	}
	adversary_emit(sim, node, to, all->bytes, count);
}

static void flood_again(struct sim *sim, struct sim_node *node, struct adversary_member *self,
			uint32_t to)
{
	const struct sim_packet *packet = self->sent[below(sim, ADVERSARY_SENT_KEPT)];

	if (packet)
		adversary_emit(sim, node, to, packet->bytes, packet->count);
}

/* A number near what is current, or at the end of the range. */
static uint64_t far_number(struct sim *sim, uint64_t now)
{
	return below(sim, 4) == 0 ? UINT64_MAX - below(sim, 3) : now + below(sim, 200);
}

static void flood_claims(struct sim *sim, struct sim_node *node, uint32_t to)
{
	struct wire_message *out;

	switch (below(sim, 3)) {
	case 0:
		out = new_message(sim, WIRE_STATUS);
		out->u.status.view = far_number(sim, 0);
		out->u.status.committed_height = far_number(sim, node->delivered_height);
		out->u.status.wall_ns = far_number(sim, 0);
		break;
	case 1:
		out = new_message(sim, WIRE_CERTIFICATES);
		memset(&out->u.certificates, 0, sizeof(out->u.certificates));
		out->u.certificates.high_qc.epoch = sim->validators.epoch;
		out->u.certificates.high_qc.block_id = sim->genesis_id;
		out->u.certificates.committed_height = far_number(sim, node->delivered_height);
		break;
	default:
		out = new_message(sim, WIRE_ACKVEC);
		out->u.ackvec.count = 1;
		out->u.ackvec.lane[0] = below(sim, sim->knobs.n);
		out->u.ackvec.ack[0].stored_seq = 1 + far_number(sim, 0) / 2;
		out->u.ackvec.ack[0].map_base_seq = far_number(sim, 0);
		out->u.ackvec.ack[0].verified_map = UINT64_MAX;
		prng_fill(&sim->adversary->prng, out->u.ackvec.ack[0].digest.b, CRYPTO_HASH_BYTES);
		break;
	}
	adversary_say(sim, node, to);
}

static void flood_questions(struct sim *sim, struct sim_node *node, uint32_t to)
{
	struct wire_message *out;

	switch (below(sim, 4)) {
	case 0:
		out = new_message(sim, WIRE_WANT_BLOCKS);
		out->u.want_blocks.first_height = below(sim, 2) ? 1 : far_number(sim, 1);
		out->u.want_blocks.count = WIRE_BLOCKS_MAX;
		break;
	case 1:
		new_message(sim, WIRE_WANT_CERTIFICATES);
		break;
	case 2:
		out = new_message(sim, WIRE_WANT_BLOCK);
		prng_fill(&sim->adversary->prng, out->u.want_block.id.b, CRYPTO_HASH_BYTES);
		break;
	default:
		out = new_message(sim, WIRE_WANT_BATCH);
		memset(&out->u.want_batch, 0, sizeof(out->u.want_batch));
		out->u.want_batch.lane = below(sim, sim->knobs.n);
		out->u.want_batch.seq = 1 + below(sim, 100);
		out->u.want_batch.wants_header = below(sim, 2) == 0;
		out->u.want_batch.first_index = below(sim, 2) * LANE_BATCH_FRAMES_MAX;
		break;
	}
	adversary_say(sim, node, to);
}

static void flood_statements(struct sim *sim, struct sim_node *node, uint32_t to)
{
	struct wire_message *out;
	struct hs_timeout *timeout;
	struct replica_status status;
	struct crypto_hash id;
	uint64_t view;

	replica_status(node->replica, &status);
	view = units_max(far_number(sim, status.view.view), 1);
	prng_fill(&sim->adversary->prng, id.b, sizeof(id.b));
	switch (below(sim, 3)) {
	case 0:
		adversary_say_vote(sim, node, to, view, &id);
		return;
	case 1:
		adversary_say_commit(sim, node, to, view, &id, below(sim, 2) == 0);
		return;
	default:
		break;
	}
	out = new_message(sim, WIRE_TIMEOUT);
	memset(&out->u.core.u.timeout, 0, sizeof(out->u.core.u.timeout));
	out->u.core.kind = HS_MESSAGE_TIMEOUT;
	timeout = &out->u.core.u.timeout;
	timeout->author = node->id;
	timeout->view = view;
	timeout->qc.epoch = sim->validators.epoch;
	timeout->qc.block_id = sim->genesis_id;
	adversary_sign(sim, node->id, HS_MESSAGE_TIMEOUT, view, NULL, 0, &timeout->signature);
	adversary_say(sim, node, to);
}

static void flood_lane(struct sim *sim, struct sim_node *node, uint32_t to)
{
	static uint8_t frame[LANE_FRAME_BYTES_MAX];
	struct wire_message *out;
	struct replica_status status;
	uint64_t seq;

	replica_status(node->replica, &status);
	seq = units_max(far_number(sim, status.lanes.own_seq), 1);
	if (below(sim, 2) == 0) {
		out = new_message(sim, WIRE_BATCH);
		memset(&out->u.batch, 0, sizeof(out->u.batch));
		out->u.batch.lane = node->id;
		out->u.batch.seq = seq;
		if (seq > 1)
			prng_fill(&sim->adversary->prng, out->u.batch.prev_digest.b,
				  CRYPTO_HASH_BYTES);
		prng_fill(&sim->adversary->prng, out->u.batch.frames_root.b, CRYPTO_HASH_BYTES);
		out->u.batch.frame_count = 1 + below(sim, LANE_BATCH_FRAMES_MAX);
		out->u.batch.frame_bytes = 1 + below(sim, LANE_BATCH_BYTES_MAX);
		adversary_seal_header(sim, &out->u.batch);
	} else {
		prng_fill(&sim->adversary->prng, frame, sizeof(frame));
		out = new_message(sim, WIRE_LANE_FRAME);
		out->u.lane_frame = (struct lane_frame){
			.lane = node->id,
			.seq = seq,
			.index = below(sim, LANE_BATCH_FRAMES_MAX),
			.bytes = frame,
		};
		out->u.lane_frame.byte_count = 1 + below(sim, LANE_FRAME_BYTES_MAX);
	}
	adversary_say(sim, node, to);
}

void adversary_flood_tick(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	uint32_t all = adversary_all_but(sim, self->id);
	uint32_t kind = below(sim, 7);
	uint32_t burst = 1 + below(sim, BURST_MAX);
	uint32_t to = below(sim, 2) == 0 ? all : adversary_some(sim, all);

	for (uint32_t i = 0; i < burst; i++) {
		switch (kind == 6 ? below(sim, 6) : kind) {
		case 0:
			flood_junk(sim, node, to);
			break;
		case 1:
			flood_again(sim, node, self, to);
			break;
		case 2:
			flood_claims(sim, node, to);
			break;
		case 3:
			flood_questions(sim, node, to);
			break;
		case 4:
			flood_statements(sim, node, to);
			break;
		default:
			flood_lane(sim, node, to);
			break;
		}
		adversary_act(self, SIM_STRATEGY_FLOOD);
	}
}

/* The newest block this member signed as leader; false: it never led. */
static bool own_newest(const struct sim_adversary *all, uint32_t id, struct hs_block *ret_block)
{
	uint32_t kept = (uint32_t)units_min(all->block_count, ADVERSARY_BLOCKS_KEPT);
	uint64_t view = 0;

	for (uint32_t i = 0; i < kept; i++)
		if (all->block[i].author == id && all->block[i].header.view > view) {
			view = all->block[i].header.view;
			*ret_block = all->block[i];
		}
	return view > 0;
}

/*
 * Blocks nobody asked for, on good certificates, of any view or of one it led: more of
 * them than a replica keeps, while it waits for the batches of a true one.
 */
void adversary_flood_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	const struct hs_block *heard = &sim->adversary->in.u.core.u.propose;
	struct hs_block *junk = &sim->adversary->forged;
	uint32_t count = HS_BLOCKS_MAX + below(sim, BURST_MAX);
	const struct hs_block *blocks[] = { junk };
	bool is_lawful;

	if (sim->adversary->in.kind != WIRE_PROPOSE ||
	    !prng_chance(&sim->adversary->prng, self->ppm))
		return;
	*junk = *heard;
	junk->author = self->id;
	is_lawful = below(sim, 2) == 0 && own_newest(sim->adversary, self->id, junk);
	for (uint32_t i = 0; i < count; i++) {
		if (!is_lawful)
			junk->header.view = heard->header.view + 1 + below(sim, 1 << 20);
		junk->header.time_ns++;
		adversary_seal_block(sim, junk);
		adversary_say_blocks(sim, node, adversary_all_but(sim, self->id), blocks, 1,
				     node->delivered_height);
		adversary_act(self, SIM_STRATEGY_FLOOD);
	}
}

/* ---- liar ---- */

static uint64_t false_height(struct sim *sim, uint64_t height)
{
	return below(sim, 3) == 0 ? 0 : far_number(sim, height);
}

static void lie_blocks(struct adversary_out *out, struct wire_blocks *blocks)
{
	struct sim *sim = out->sim;

	blocks->committed_height = false_height(sim, blocks->committed_height);
	switch (below(sim, 4)) {
	case 0:
		blocks->count = below(sim, blocks->count + 1);
		break;
	case 1:
		if (blocks->count > 1) {
			const uint8_t *bytes = blocks->block_bytes[0];
			uint32_t count = blocks->block_byte_count[0];

			blocks->block_bytes[0] = blocks->block_bytes[blocks->count - 1];
			blocks->block_byte_count[0] = blocks->block_byte_count[blocks->count - 1];
			blocks->block_bytes[blocks->count - 1] = bytes;
			blocks->block_byte_count[blocks->count - 1] = count;
		}
		break;
	case 2:
		if (blocks->count > 0)
			blocks->block_byte_count[blocks->count - 1] /= 2;
		break;
	default:
		break;
	}
	if (below(sim, 2) == 0)
		blocks->has_fc = false;
}

static void lie_repair(struct adversary_out *out, struct lane_repair *repair)
{
	struct sim_adversary *all = out->all;

	switch (below(out->sim, 3)) {
	case 0:
		repair->count = 0;
		break;
	case 1:
		repair->count = below(out->sim, repair->count + 1);
		break;
	default:
		if (all->header_count > 0)
			repair->header = all->header[below(
				out->sim,
				(uint32_t)units_min(all->header_count, ADVERSARY_HEADERS_KEPT))];
		repair->count = 0;
		break;
	}
}

void adversary_lie(struct adversary_out *out)
{
	struct wire_message *forged = &out->all->out;
	const struct hs_qc *older;

	switch (out->message->kind) {
	case WIRE_BLOCKS:
	case WIRE_REPAIR:
	case WIRE_LEAVES:
	case WIRE_CERTIFICATES:
	case WIRE_STATUS:
		break;
	default:
		return;
	}
	if (!prng_chance(&out->all->prng, out->self->ppm))
		return;
	*forged = *out->message;
	if (forged->kind == WIRE_BLOCKS)
		lie_blocks(out, &forged->u.blocks);
	else if (forged->kind == WIRE_REPAIR)
		lie_repair(out, &forged->u.repair);
	else if (forged->kind == WIRE_LEAVES)
		prng_fill(&out->all->prng, forged->u.leaves.leaf[0].b, CRYPTO_HASH_BYTES);
	else if (forged->kind == WIRE_STATUS)
		forged->u.status.committed_height =
			false_height(out->sim, forged->u.status.committed_height);
	if (forged->kind == WIRE_CERTIFICATES) {
		older = adversary_qc(out->all, 0, forged->u.certificates.high_qc.view);
		if (older)
			forged->u.certificates.high_qc = *older;
		forged->u.certificates.entry.kind = HS_ENTRY_NONE;
		forged->u.certificates.has_fc = false;
		forged->u.certificates.committed_height =
			false_height(out->sim, forged->u.certificates.committed_height);
	}
	adversary_say(out->sim, out->node, out->to);
	out->to = 0;
	adversary_act(out->self, SIM_STRATEGY_LIE);
}

/* Blocks by lot: of other heights, of no height, uncertified. */
static void answer_blocks(struct sim *sim, struct sim_node *node, uint32_t to, uint32_t count)
{
	struct sim_adversary *all = sim->adversary;
	const struct hs_block *blocks[WIRE_BLOCKS_MAX];
	uint32_t kept = (uint32_t)units_min(all->block_count, ADVERSARY_BLOCKS_KEPT);

	if (kept == 0)
		return;
	for (uint32_t i = 0; i < count; i++)
		blocks[i] = &all->block[below(sim, kept)];
	adversary_say_blocks(sim, node, to, blocks, count,
			     false_height(sim, node->delivered_height));
}

/* A header its owner signed, of another batch, and no frame. */
static void answer_batch(struct sim *sim, struct sim_node *node, uint32_t to)
{
	struct sim_adversary *all = sim->adversary;
	uint32_t kept = (uint32_t)units_min(all->header_count, ADVERSARY_HEADERS_KEPT);
	struct wire_message *out = new_message(sim, WIRE_REPAIR);

	if (kept == 0)
		return;
	out->u.repair.header = all->header[below(sim, kept)];
	out->u.repair.count = 0;
	adversary_say(sim, node, to);
}

bool adversary_lie_heard(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	const struct wire_message *message = &sim->adversary->in;
	uint32_t to = UINT32_C(1) << message->from;
	bool is_question = message->kind == WIRE_WANT_BLOCK || message->kind == WIRE_WANT_BLOCKS ||
			   message->kind == WIRE_WANT_BATCH;

	if (!is_question || !prng_chance(&sim->adversary->prng, self->ppm))
		return false;
	if (message->kind == WIRE_WANT_BLOCK)
		answer_blocks(sim, node, to, 1);
	else if (message->kind == WIRE_WANT_BLOCKS)
		answer_blocks(sim, node, to, 1 + below(sim, WIRE_BLOCKS_MAX));
	else
		answer_batch(sim, node, to);
	adversary_act(self, SIM_STRATEGY_LIE);
	return below(sim, 4) > 0;
}

/* ---- slander ---- */

/* True statements of one honest replica, or the same one twice, called a contradiction. */
static void accuse(struct sim *sim, struct hs_evidence *evidence, uint32_t author)
{
	struct sim_adversary *all = sim->adversary;
	uint32_t kept =
		(uint32_t)units_min(all->statement_count[author], ADVERSARY_STATEMENTS_KEPT);
	uint32_t first = below(sim, kept);
	uint32_t second = below(sim, kept);

	*evidence = (struct hs_evidence){
		.kind = (enum hs_evidence_kind)(HS_EVIDENCE_TWO_PROPOSALS + below(sim, 5)),
		.author = author,
		.epoch = sim->validators.epoch,
		.first = all->statement[author][first],
		.second = all->statement[author][second],
	};
	if (below(sim, 3) == 0)
		evidence->second.view = evidence->first.view;
	if (below(sim, 4) == 0)
		evidence->second.block_id.b[0] ^= 1;
	if (below(sim, 4) == 0)
		evidence->second.qc_view ^= 1;
}

static void accuse_lane(struct sim *sim, struct lane_evidence *evidence)
{
	struct sim_adversary *all = sim->adversary;
	uint32_t kept = (uint32_t)units_min(all->header_count, ADVERSARY_HEADERS_KEPT);

	memset(evidence, 0, sizeof(*evidence));
	evidence->first = all->header[below(sim, kept)];
	evidence->second = all->header[below(sim, kept)];
	evidence->has_bad_frame = below(sim, 2) == 0;
	evidence->bad_index = below(sim, evidence->first.frame_count);
	if (below(sim, 3) == 0)
		evidence->second = evidence->first;
	if (below(sim, 4) == 0)
		evidence->second.signature.b[0] ^= 1;
}

void adversary_slander_tick(struct sim *sim, struct sim_node *node, struct adversary_member *self)
{
	struct wire_message *out = new_message(sim, WIRE_EVIDENCE);
	struct wire_evidence *evidence = &out->u.evidence;
	uint32_t author = below(sim, sim->knobs.n);

	memset(evidence, 0, sizeof(*evidence));
	evidence->is_lane = below(sim, 2) == 0;
	if (evidence->is_lane ? sim->adversary->header_count == 0 :
				sim->adversary->statement_count[author] == 0)
		return;
	if (evidence->is_lane)
		accuse_lane(sim, &evidence->lane);
	else
		accuse(sim, &evidence->core, author);
	adversary_say(sim, node, adversary_all_but(sim, self->id));
	adversary_act(self, SIM_STRATEGY_SLANDER);
}
