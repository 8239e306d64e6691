/* What Byzantine members heard, and what they write and sign themselves. */

#include <string.h>

#include "base/ensure.h"
#include "crypto/crypto_hash.h"
#include "tests/sim/sim_adversary_state.h"

/* ---- memory ---- */

const struct hs_block *adversary_block(const struct sim_adversary *all,
				       const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < ADVERSARY_BLOCKS_KEPT && i < all->block_count; i++)
		if (crypto_hash_equal(&all->block[i].id, id))
			return &all->block[i];
	return NULL;
}

static void keep_block(struct sim_adversary *all, const struct hs_block *block)
{
	if (!adversary_block(all, &block->id))
		all->block[all->block_count++ % ADVERSARY_BLOCKS_KEPT] = *block;
}

static void keep_qc(struct sim_adversary *all, const struct hs_qc *qc)
{
	for (uint32_t i = 0; i < ADVERSARY_QCS_KEPT && i < all->qc_count; i++)
		if (all->qc[i].view == qc->view &&
		    crypto_hash_equal(&all->qc[i].block_id, &qc->block_id))
			return;
	all->qc[all->qc_count++ % ADVERSARY_QCS_KEPT] = *qc;
}

const struct hs_qc *adversary_newest_qc(const struct sim_adversary *all, uint64_t below)
{
	const struct hs_qc *found = NULL;

	for (uint32_t i = 0; i < ADVERSARY_QCS_KEPT && i < all->qc_count; i++)
		if (all->qc[i].view < below && (!found || all->qc[i].view > found->view))
			found = &all->qc[i];
	return found;
}

const struct hs_qc *adversary_qc(struct sim_adversary *all, uint64_t least, uint64_t below)
{
	uint32_t kept = all->qc_count < ADVERSARY_QCS_KEPT ? all->qc_count : ADVERSARY_QCS_KEPT;
	uint32_t first = kept > 0 ? (uint32_t)prng_below(&all->prng, kept) : 0;
	bool wants_newest = prng_chance(&all->prng, 700000);
	const struct hs_qc *found = NULL;

	for (uint32_t i = 0; i < kept; i++) {
		const struct hs_qc *qc = &all->qc[(first + i) % kept];

		if (qc->view >= least && qc->view < below &&
		    (!found || (wants_newest && qc->view > found->view)))
			found = qc;
	}
	return found;
}

static void keep_timeout(struct sim_adversary *all, const struct hs_timeout *timeout)
{
	struct adversary_round *round = &all->round[timeout->view % ADVERSARY_ROUNDS_KEPT];

	if (round->view != timeout->view)
		*round = (struct adversary_round){ .view = timeout->view };
	round->heard |= UINT32_C(1) << timeout->author;
	round->qc_view[timeout->author] = timeout->qc_view;
	round->signature[timeout->author] = timeout->signature;
}

static void keep_statement(struct sim_adversary *all, uint32_t author,
			   const struct hs_statement *statement)
{
	uint32_t at = all->statement_count[author]++ % ADVERSARY_STATEMENTS_KEPT;

	all->statement[author][at] = *statement;
}

static void remember_core(struct sim_adversary *all, const struct hs_message *core)
{
	struct hs_statement statement = { .kind = core->kind };

	switch (core->kind) {
	case HS_MESSAGE_PROPOSE:
		keep_block(all, &core->u.propose);
		keep_qc(all, &core->u.propose.justify);
		statement.view = core->u.propose.header.view;
		statement.block_id = core->u.propose.id;
		statement.signature = core->u.propose.signature;
		keep_statement(all, core->u.propose.author, &statement);
		break;
	case HS_MESSAGE_VOTE:
	case HS_MESSAGE_COMMIT:
		statement.view = core->u.vote.view;
		statement.block_id = core->u.vote.block_id;
		statement.signature = core->u.vote.signature;
		keep_statement(all, core->u.vote.author, &statement);
		break;
	case HS_MESSAGE_TIMEOUT:
		keep_qc(all, &core->u.timeout.qc);
		keep_timeout(all, &core->u.timeout);
		statement.view = core->u.timeout.view;
		statement.qc_view = core->u.timeout.qc_view;
		statement.signature = core->u.timeout.signature;
		keep_statement(all, core->u.timeout.author, &statement);
		break;
	case HS_MESSAGE_QC:
		keep_qc(all, &core->u.qc);
		break;
	case HS_MESSAGE_TC:
	case HS_MESSAGE_FC:
		break;
	}
}

void adversary_remember(struct sim *sim, const struct wire_message *message)
{
	struct sim_adversary *all = sim->adversary;

	switch (message->kind) {
	case WIRE_PROPOSE:
	case WIRE_VOTE:
	case WIRE_COMMIT:
	case WIRE_TIMEOUT:
	case WIRE_QC:
		remember_core(all, &message->u.core);
		break;
	case WIRE_BATCH:
		all->header[all->header_count++ % ADVERSARY_HEADERS_KEPT] = message->u.batch;
		break;
	case WIRE_ACKVEC:
		for (uint32_t i = 0; i < message->u.ackvec.count; i++)
			all->ack[message->from][message->u.ackvec.lane[i]] =
				message->u.ackvec.ack[i];
		break;
	default:
		break;
	}
}

/* ---- signing ---- */

void adversary_sign(const struct sim *sim, uint32_t id, enum hs_message_kind kind, uint64_t view,
		    const struct crypto_hash *block_id, uint64_t qc_view,
		    struct crypto_signature *ret_signature)
{
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = hs_signed_bytes(kind, &sim->validators.chain_id, sim->validators.epoch,
					 &sim->validators.set_hash, view, block_id, qc_view, bytes);

	ensure(sim_adversary_has(sim, id));
	sim_signer_sign(sim, &sim->keys[id], bytes, count, ret_signature);
}

void adversary_seal_block(const struct sim *sim, struct hs_block *block)
{
	block->id =
		hs_block_id(&sim->validators.chain_id, &sim->validators.set_hash, &block->header);
	adversary_sign(sim, block->author, HS_MESSAGE_PROPOSE, block->header.view, &block->id, 0,
		       &block->signature);
}

void adversary_seal_header(const struct sim *sim, struct lane_header *header)
{
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count;

	ensure(sim_adversary_has(sim, header->lane));
	header->digest = wire_batch_digest(&sim->validators.chain_id, header);
	count = wire_batch_signed_bytes(&sim->validators.chain_id, sim->validators.epoch,
					&sim->validators.set_hash, &header->digest, bytes);
	sim_signer_sign(sim, &sim->keys[header->lane], bytes, count, &header->signature);
}

/* ---- saying ---- */

void adversary_say(struct sim *sim, const struct sim_node *node, uint32_t to)
{
	struct sim_adversary *all = sim->adversary;
	int count = wire_encode(&all->out, all->bytes, sizeof(all->bytes));

	if (count > 0)
		adversary_emit(sim, node, to, all->bytes, (uint32_t)count);
}

void adversary_say_block(struct sim *sim, const struct sim_node *node, uint32_t to,
			 const struct hs_block *block)
{
	struct wire_message *out = &sim->adversary->out;

	keep_block(sim->adversary, block);
	out->kind = WIRE_PROPOSE;
	out->epoch = sim->validators.epoch;
	out->u.core.kind = HS_MESSAGE_PROPOSE;
	out->u.core.u.propose = *block;
	adversary_say(sim, node, to);
}

void adversary_say_vote(struct sim *sim, const struct sim_node *node, uint32_t to, uint64_t view,
			const struct crypto_hash *id)
{
	struct wire_message *out = &sim->adversary->out;
	struct hs_vote *vote = &out->u.core.u.vote;

	out->kind = WIRE_VOTE;
	out->epoch = sim->validators.epoch;
	out->u.core.kind = HS_MESSAGE_VOTE;
	vote->author = node->id;
	vote->epoch = sim->validators.epoch;
	vote->view = view;
	vote->block_id = *id;
	adversary_sign(sim, node->id, HS_MESSAGE_VOTE, view, id, 0, &vote->signature);
	adversary_say(sim, node, to);
}

void adversary_say_commit(struct sim *sim, const struct sim_node *node, uint32_t to, uint64_t view,
			  const struct crypto_hash *id, bool is_signed)
{
	struct wire_message *out = &sim->adversary->out;
	struct hs_commit *commit = &out->u.core.u.commit;

	out->kind = WIRE_COMMIT;
	out->epoch = sim->validators.epoch;
	out->u.core.kind = HS_MESSAGE_COMMIT;
	commit->author = node->id;
	commit->epoch = sim->validators.epoch;
	commit->view = view;
	commit->block_id = *id;
	adversary_sign(sim, node->id, HS_MESSAGE_COMMIT, view, id, 0, &commit->signature);
	if (!is_signed)
		commit->signature.b[0] ^= 1;
	adversary_say(sim, node, to);
}

void adversary_say_blocks(struct sim *sim, const struct sim_node *node, uint32_t to,
			  const struct hs_block *const *blocks, uint32_t count, uint64_t claim)
{
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	struct wire_message *out = &sim->adversary->out;
	uint32_t used = 0;

	out->kind = WIRE_BLOCKS;
	out->epoch = sim->validators.epoch;
	out->u.blocks.count = 0;
	out->u.blocks.committed_height = claim;
	out->u.blocks.has_fc = false;
	for (uint32_t i = 0; i < count && i < WIRE_BLOCKS_MAX; i++) {
		int length = wire_encode_block(blocks[i], bytes + used, sizeof(bytes) - used);

		if (length < 0)
			break;
		out->u.blocks.block_bytes[i] = bytes + used;
		out->u.blocks.block_byte_count[i] = (uint32_t)length;
		out->u.blocks.count++;
		used += (uint32_t)length;
	}
	adversary_say(sim, node, to);
}
