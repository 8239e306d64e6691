/*
 * Whole replicas under bytes of every kind: three honest ones behind their gates, a member that
 * lies with good signatures, clients good and bad. The input chooses what happens next.
 */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"
#include "tests/fuzz/fuzz_bytes.h"
#include "tests/fuzz/fuzz_replica_world.h"
#include "wire/wire_seal.h"

enum op {
	OP_RUN,
	OP_DELIVER,
	OP_ANSWER,
	OP_WRITE,
	OP_TICK,
	OP_WAIT,
	OP_CRASH,
	OP_SUBMIT,
	OP_MUTATE,
	OP_BATCH,
	OP_RAW,
	OP_PEER,
	OP_SHOW,
	OP_CHANGE,
	OP_COUNT,
};

struct frame {
	uint32_t count;
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
};

/* What the liar has in its lane, and the frame made last. */
struct liar {
	struct frame frame;
	uint64_t seq;
	struct crypto_hash digest;
	uint8_t out[WIRE_MESSAGE_BYTES_MAX];
};

/* ---- clients ---- */

static void make_frame(const struct fuzz_world *world, struct fuzz_bytes *input,
		       struct frame *frame)
{
	static struct wire_seal_tree tree;
	static const uint8_t filling[64];
	const void *payload[4] = { filling, filling, filling, filling };
	uint32_t payload_bytes[4];
	const struct crypto_public_key *key = &world->client[fuzz_below(input, FUZZ_CLIENTS)];
	struct wire_frame_spec spec = {
		.kind = fuzz_u8(input) == 1 ? WIRE_FRAME_SKIP : WIRE_FRAME_TRANSACTIONS,
		.chain_id = world->validators.chain_id,
		.client = *key,
		.first_seq = 1 + fuzz_below(input, 200),
		.expires = 1 + fuzz_u8(input) * (uint64_t)fuzz_u8(input),
		.count = 1 + fuzz_below(input, 4),
		.payload = payload,
		.payload_bytes = payload_bytes,
	};
	struct crypto_signature signature;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	struct crypto_hash leaf;
	uint32_t count;
	int body;

	for (uint32_t i = 0; i < 4; i++)
		payload_bytes[i] = fuzz_below(input, sizeof(filling));
	body = wire_frame_build(&spec, frame->bytes, sizeof(frame->bytes));
	ensure(body > 0);
	leaf = wire_seal_leaf(frame->bytes, (size_t)body);
	wire_seal_tree_build(&tree, &leaf, 1);
	count = wire_seal_signed_bytes(&spec.chain_id, key, &tree.node[1], bytes);
	fuzz_replica_sign(key, bytes, count, &signature);
	if (fuzz_u8(input) == 1)
		signature.b[5] ^= 1;
	frame->count = (uint32_t)body + wire_seal_write(&tree, 0, &signature, frame->bytes + body);
}

static void submit(struct fuzz_world *world, struct fuzz_bytes *input)
{
	static struct frame frame;
	uint32_t mask = fuzz_u8(input);

	make_frame(world, input, &frame);
	for (uint32_t node = 0; node < FUZZ_HONEST; node++)
		if (mask >> node & 1)
			(void)fuzz_replica_submit(world, node, frame.bytes, frame.count);
}

/* ---- the liar ---- */

static void tell(struct fuzz_world *world, uint32_t mask, struct wire_message *message)
{
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	int count;

	message->epoch = 1;
	count = wire_encode(message, bytes, sizeof(bytes));
	for (uint32_t node = 0; node < FUZZ_HONEST && count > 0; node++)
		if (mask >> node & 1)
			(void)fuzz_replica_hear(world, node, FUZZ_LIAR, bytes, (uint32_t)count);
}

/* A batch of the liar's lane: some of its frames, and its header, each to whom it likes. */
static void batch(struct fuzz_world *world, struct fuzz_bytes *input, struct liar *liar)
{
	static struct wire_message message;
	struct lane_header header = { .lane = FUZZ_LIAR };
	uint32_t how = fuzz_u8(input);
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count;

	if (how & 1 || liar->frame.count == 0)
		make_frame(world, input, &liar->frame);
	header.seq = liar->seq + (how & 2 ? 0 : 1);
	header.seq = units_max(header.seq, 1) + (how & 4 ? fuzz_u8(input) : 0);
	if (header.seq > 1)
		header.prev_digest = liar->digest;
	header.frames_root = wire_frame_hash_of(liar->frame.bytes, liar->frame.count);
	header.frame_count = 1 + (how & 8 ? fuzz_below(input, 9) : 0);
	header.frame_bytes = liar->frame.count;
	header.digest = wire_batch_digest(&world->validators.chain_id, &header);
	count = wire_batch_signed_bytes(&world->validators.chain_id, 1, &world->validators.set_hash,
					&header.digest, bytes);
	fuzz_replica_sign(&world->validators.key[FUZZ_LIAR], bytes, count, &header.signature);
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_LANE_FRAME;
	message.u.lane_frame.seq = header.seq;
	message.u.lane_frame.index = how & 16 ? fuzz_below(input, 9) : 0;
	message.u.lane_frame.bytes = liar->frame.bytes;
	message.u.lane_frame.byte_count = liar->frame.count;
	tell(world, fuzz_u8(input), &message);
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_BATCH;
	message.u.batch = header;
	tell(world, fuzz_u8(input), &message);
	liar->seq = header.seq;
	liar->digest = header.digest;
}

static const struct hs_qc *qc_of(const struct wire_message *message)
{
	switch (message->kind) {
	case WIRE_PROPOSE:
		return &message->u.core.u.propose.justify;
	case WIRE_TIMEOUT:
		return &message->u.core.u.timeout.qc;
	case WIRE_QC:
		return &message->u.core.u.qc;
	case WIRE_CERTIFICATES:
		return &message->u.certificates.high_qc;
	default:
		return NULL;
	}
}

/* Says a block again as its own, in a view it leads. */
static void own_block(const struct fuzz_world *world, struct fuzz_bytes *input,
		      const struct hs_qc *qc, struct hs_block *block)
{
	const struct wire_validators *v = &world->validators;
	struct hs_header *header = &block->header;
	struct hs_cut_entry *entry = &header->cut.lane[fuzz_below(input, FUZZ_MEMBERS)];

	header->view += fuzz_below(input, 8);
	header->view = header->view - header->view % FUZZ_MEMBERS + FUZZ_LIAR;
	block->author = FUZZ_LIAR;
	if (qc) {
		hs_copy_qc(&block->justify, qc);
		header->parent_id = qc->block_id;
		header->height += fuzz_below(input, 3);
	}
	header->time_ns += fuzz_below(input, 8);
	entry->seq += fuzz_below(input, 3);
	entry->digest.b[0] ^= fuzz_u8(input) == 1;
	header->justify_view = block->justify.view;
	header->justify_digest = hs_justify_digest(&v->chain_id, &v->set_hash, v->epoch,
						   block->justify.view, &block->justify.block_id);
	block->id = hs_block_id(&v->chain_id, &v->set_hash, header);
	fuzz_replica_sign_core(world, HS_MESSAGE_PROPOSE, header->view, &block->id, 0,
			       &block->signature);
}

static void own_statement(const struct fuzz_world *world, struct fuzz_bytes *input,
			  const struct hs_qc *qc, struct hs_message *core)
{
	struct hs_timeout *timeout = &core->u.timeout;

	switch (core->kind) {
	case HS_MESSAGE_PROPOSE:
		own_block(world, input, qc, &core->u.propose);
		break;
	case HS_MESSAGE_VOTE:
	case HS_MESSAGE_COMMIT: /* same shape */
		core->u.vote.view += fuzz_below(input, 4);
		if (qc)
			core->u.vote.block_id = qc->block_id;
		fuzz_replica_sign_core(world, core->kind, core->u.vote.view, &core->u.vote.block_id,
				       0, &core->u.vote.signature);
		core->u.vote.signature.b[0] ^= fuzz_u8(input) == 1;
		break;
	case HS_MESSAGE_TIMEOUT:
		timeout->view += fuzz_below(input, 4);
		if (qc)
			hs_copy_qc(&timeout->qc, qc);
		timeout->qc_view = timeout->qc.view + (fuzz_u8(input) == 1);
		fuzz_replica_sign_core(world, core->kind, timeout->view, NULL, timeout->qc_view,
				       &timeout->signature);
		break;
	default:
		break;
	}
}

/* Changes what is under no signature but the session's. */
static void own_claim(struct fuzz_bytes *input, struct wire_message *message)
{
	struct lane_ackvec *ackvec = &message->u.ackvec;

	switch (message->kind) {
	case WIRE_ACKVEC:
		for (uint32_t i = 0; i < ackvec->count; i++) {
			ackvec->ack[i].stored_seq += fuzz_below(input, 3);
			ackvec->ack[i].verified_map ^= fuzz_u8(input);
			ackvec->ack[i].digest.b[0] ^= fuzz_u8(input) == 1;
		}
		break;
	case WIRE_WANT_BATCH:
		message->u.want_batch.lane = fuzz_below(input, FUZZ_MEMBERS);
		message->u.want_batch.seq = fuzz_u8(input);
		break;
	case WIRE_WANT_BLOCKS:
		message->u.want_blocks.first_height = fuzz_u8(input);
		break;
	case WIRE_STATUS:
		message->u.status.view += fuzz_u8(input);
		message->u.status.committed_height = fuzz_u8(input) * UINT64_C(0x0101010101010101);
		break;
	case WIRE_LEAVES:
		message->u.leaves.leaf[0].b[1] ^= fuzz_u8(input);
		break;
	default:
		break;
	}
}

static uint32_t held(const struct fuzz_world *world)
{
	return world->sent_count < FUZZ_SENT_MAX ? world->sent_count : FUZZ_SENT_MAX;
}

/* Anything an honest replica said, said again by the liar with changes. */
static void mutate(struct fuzz_world *world, struct fuzz_bytes *input)
{
	static struct wire_message message;
	static struct hs_qc qc;
	uint32_t mask = fuzz_u8(input);
	uint32_t first = fuzz_below(input, held(world));
	uint32_t second = fuzz_below(input, held(world));
	const struct fuzz_sent *sent = &world->sent[first];
	const struct fuzz_sent *other = &world->sent[second];
	bool has_qc = false;

	if (!sent->bytes || !other->bytes)
		return;
	if ((mask & 0x80) && fuzz_replica_decode(world, other->from, other->bytes, other->count) &&
	    qc_of(&world->message)) {
		hs_copy_qc(&qc, qc_of(&world->message));
		has_qc = true;
	}
	/* Decoded messages point into their bytes: a copy that stays. */
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];

	memcpy(bytes, sent->bytes, sent->count);
	if (!fuzz_replica_decode(world, FUZZ_LIAR, bytes, sent->count))
		return;
	memcpy(&message, &world->message, sizeof(message));
	if (message.kind <= WIRE_FC)
		own_statement(world, input, has_qc ? &qc : NULL, &message.u.core);
	else
		own_claim(input, &message);
	tell(world, mask, &message);
}

/* Shows a replica what it said itself: never more than its record knows. */
static void show(struct fuzz_world *world, struct fuzz_bytes *input)
{
	static struct wire_message message;
	uint32_t node = fuzz_below(input, FUZZ_HONEST);
	uint32_t kind = HS_MESSAGE_PROPOSE + fuzz_below(input, HS_MESSAGE_TIMEOUT);

	if (world->node[node].last_said[kind].view == 0)
		return;
	memset(&message, 0, sizeof(message));
	message.kind = WIRE_SHOW;
	message.u.show.statement = world->node[node].last_said[kind];
	tell(world, 1U << node, &message);
}

static void raw(struct fuzz_world *world, struct fuzz_bytes *input)
{
	uint32_t node = fuzz_below(input, FUZZ_HONEST);
	size_t count;
	const uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &count);

	(void)fuzz_replica_hear(world, node, FUZZ_LIAR, bytes, (uint32_t)count);
	(void)fuzz_replica_submit(world, node, bytes, (uint32_t)count);
}

/* Some bytes of an honest message changed: the gate, or the replica, must cope. */
static void change(struct fuzz_world *world, struct fuzz_bytes *input)
{
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	const struct fuzz_sent *sent = &world->sent[fuzz_below(input, held(world))];
	uint32_t mask = fuzz_u8(input);
	uint32_t count = sent->count;

	if (!sent->bytes)
		return;
	memcpy(bytes, sent->bytes, count);
	for (uint32_t i = 0; i < (mask >> 4 & 3); i++)
		bytes[fuzz_below(input, count)] = fuzz_u8(input);
	for (uint32_t node = 0; node < FUZZ_HONEST; node++)
		if (mask >> node & 1)
			(void)fuzz_replica_hear(world, node, FUZZ_LIAR, bytes, count);
}

/* ---- time, order, crashes ---- */

static void settle(struct fuzz_world *world, uint32_t node)
{
	struct replica_input tick = { .kind = REPLICA_INPUT_TICK };

	for (uint32_t i = 0; i < 64 && world->node[node].todo_count > 0; i++)
		fuzz_replica_answer(world, node, 0);
	for (int log = 0; log < BLOCKLOG_LOG_COUNT; log++)
		for (uint32_t i = 0; i < 64; i++)
			if (!fuzz_replica_write(world, node, (enum blocklog_log)log))
				break;
	if (replica_deadline_ns(world->node[node].replica) <= world->now_ns)
		fuzz_replica_step(world, node, &tick);
}

static void run(struct fuzz_world *world, uint32_t mask)
{
	uint32_t end = world->sent_count;

	for (uint32_t at = end - held(world); at < end; at++)
		for (uint32_t node = 0; node < FUZZ_HONEST; node++) {
			uint32_t waiting = world->sent[at % FUZZ_SENT_MAX].waiting & mask;

			if (waiting >> node & 1)
				fuzz_replica_deliver(world, at % FUZZ_SENT_MAX, node);
		}
	for (uint32_t node = 0; node < FUZZ_HONEST; node++)
		if (mask >> node & 1)
			settle(world, node);
	world->now_ns += 100 * UNITS_NS_PER_US;
}

static void peer(struct fuzz_world *world, struct fuzz_bytes *input, uint32_t node)
{
	struct replica_input up = { .kind = REPLICA_INPUT_PEER_UP };

	up.u.peer = fuzz_below(input, FUZZ_MEMBERS);
	if (fuzz_u8(input) & 1)
		up.kind = REPLICA_INPUT_PEER_DOWN;
	if (up.u.peer != node)
		fuzz_replica_step(world, node, &up);
}

static void tick(struct fuzz_world *world, uint32_t node)
{
	struct replica_input input = { .kind = REPLICA_INPUT_TICK };
	uint64_t due_ns = replica_deadline_ns(world->node[node].replica);

	if (due_ns == UINT64_MAX)
		return;
	world->now_ns = units_max(world->now_ns, due_ns);
	fuzz_replica_step(world, node, &input);
}

static void do_node(struct fuzz_world *world, struct fuzz_bytes *input, enum op op)
{
	uint32_t node = fuzz_below(input, FUZZ_HONEST);
	uint32_t todo = world->node[node].todo_count;

	switch (op) {
	case OP_DELIVER:
		fuzz_replica_deliver(world, fuzz_below(input, held(world)), node);
		break;
	case OP_ANSWER:
		if (todo > 0)
			fuzz_replica_answer(world, node, fuzz_below(input, todo));
		break;
	case OP_WRITE:
		(void)fuzz_replica_write(world, node,
					 (enum blocklog_log)fuzz_below(input, BLOCKLOG_LOG_COUNT));
		break;
	case OP_TICK:
		tick(world, node);
		break;
	case OP_CRASH:
		fuzz_replica_crash(world, node, fuzz_u8(input));
		break;
	default:
		peer(world, input, node);
		break;
	}
}

static void do_one(struct fuzz_world *world, struct fuzz_bytes *input, struct liar *liar)
{
	enum op op = (enum op)fuzz_below(input, OP_COUNT);

	switch (op) {
	case OP_RUN:
		run(world, fuzz_u8(input));
		break;
	case OP_WAIT:
		world->now_ns += UNITS_NS_PER_MS * fuzz_u8(input);
		break;
	case OP_SUBMIT:
		submit(world, input);
		break;
	case OP_MUTATE:
		mutate(world, input);
		break;
	case OP_BATCH:
		batch(world, input, liar);
		break;
	case OP_RAW:
		raw(world, input);
		break;
	case OP_SHOW:
		show(world, input);
		break;
	case OP_CHANGE:
		change(world, input);
		break;
	default:
		do_node(world, input, op);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct liar liar;
	struct fuzz_bytes input = { bytes, count };
	struct fuzz_world *world = fuzz_replica_begin();

	memset(&liar, 0, sizeof(liar));
	while (input.left > 0 && !fuzz_replica_is_full(world))
		do_one(world, &input, &liar);
	fuzz_replica_end(world);
	return 0;
}
