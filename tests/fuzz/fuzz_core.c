/*
 * The consensus core under validly signed messages: three honest cores, one Byzantine member.
 * The bytes choose who hears what and when, what the liar says, which writes end, who crashes.
 */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/units.h"
#include "consensus/hs_copy.h"
#include "tests/fuzz/fuzz_bytes.h"
#include "tests/fuzz/fuzz_core_world.h"

enum op {
	OP_RUN,
	OP_DELIVER,
	OP_DELIVER_OLD,
	OP_ANSWER,
	OP_TICK,
	OP_WAIT,
	OP_CRASH,
	OP_WORK,
	OP_PROPOSE,
	OP_VOTE,
	OP_COMMIT,
	OP_TIMEOUT,
	OP_QC,
	OP_TC,
	OP_FC,
	OP_BLOCK,
	OP_FORGED_INTENT,
	OP_COUNT,
};

static void tick(struct core_world *world, uint32_t node)
{
	struct hs_input input = { .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE };
	uint64_t due_ns = hs_core_deadline_ns(world->cluster.node[node].core);

	if (due_ns == UINT64_MAX)
		return;
	world->cluster.now_ns = units_max(world->cluster.now_ns, due_ns);
	fuzz_core_step(world, node, &input);
}

/* What does not come through in a run, and what is not answered: bits of its mask. */
enum {
	HOLD_PROPOSE = 0x08,
	HOLD_VOTE = 0x10,
	HOLD_COMMIT = 0x20,
	HOLD_TIMEOUT = 0x40,
	HOLD_RECORD = 0x80,
	HOLD_BLOCK = 0xc0, /* writes of blocks and payloads, and no messages */
};

static bool is_unanswered(enum hs_effect_kind kind, uint32_t mask)
{
	if ((mask & HOLD_BLOCK) == HOLD_BLOCK)
		return kind == HS_EFFECT_PERSIST_BLOCK || kind == HS_EFFECT_WANT_PAYLOAD;
	return (mask & HOLD_RECORD) && kind == HS_EFFECT_PERSIST_RECORD;
}

static bool is_held(const struct hs_message *message, uint32_t mask)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		return mask & HOLD_PROPOSE;
	case HS_MESSAGE_VOTE:
	case HS_MESSAGE_QC:
		return mask & HOLD_VOTE;
	case HS_MESSAGE_COMMIT:
	case HS_MESSAGE_FC:
		return mask & HOLD_COMMIT;
	case HS_MESSAGE_TIMEOUT:
	case HS_MESSAGE_TC:
		return (mask & HOLD_BLOCK) == HOLD_TIMEOUT;
	}
	return false;
}

/* The honest of `mask` answer, hear and do what is due, oldest first; 100 us pass. */
static void run(struct core_world *world, uint32_t mask)
{
	struct cluster *cluster = &world->cluster;
	uint32_t end;

	for (uint32_t node = 0; node < CORE_HONEST; node++) {
		for (uint32_t i = 0, at = 0; i < 32 && (mask >> node & 1); i++) {
			while (at < world->todo_count[node] &&
			       is_unanswered(world->todo[node][at].kind, mask))
				at++;
			if (at < world->todo_count[node])
				fuzz_core_answer(world, node, at);
		}
		if ((mask >> node & 1) &&
		    hs_core_deadline_ns(cluster->node[node].core) <= cluster->now_ns)
			tick(world, node);
	}
	end = world->sent_count;
	for (uint32_t at = end > CORE_SENT_MAX ? end - CORE_SENT_MAX : 0; at < end; at++)
		for (uint32_t node = 0; node < CORE_HONEST; node++) {
			const struct core_sent *sent = &world->sent[at % CORE_SENT_MAX];

			if ((sent->waiting & mask) >> node & 1 && !is_held(&sent->message, mask))
				fuzz_core_deliver(world, at % CORE_SENT_MAX, node, (at & 1) != 0);
		}
	cluster->now_ns += UINT64_C(100000);
}

/* To each of the honest named by the lowest bits. */
static void tell(struct core_world *world, uint32_t mask, const struct hs_message *message)
{
	for (uint32_t node = 0; node < CORE_HONEST; node++)
		if (mask >> node & 1)
			fuzz_core_message(world, node, CORE_LIAR, message);
}

/* A view the liar may speak of: around those of the honest. */
static uint64_t choose_view(struct core_world *world, struct fuzz_bytes *bytes)
{
	uint64_t view = world->view_max + 3 - fuzz_below(bytes, 8);

	return view > world->view_max + 3 || view == 0 ? 1 : view;
}

static uint64_t liars_view(struct core_world *world, struct fuzz_bytes *bytes)
{
	uint64_t view = choose_view(world, bytes);

	return view - view % CORE_MEMBERS + CORE_LIAR;
}

/* A view the liar leads and an honest member is in; else any it may speak of. */
static uint64_t live_view(struct core_world *world, struct fuzz_bytes *bytes)
{
	for (uint32_t i = 0; i < CORE_HONEST; i++)
		if (world->low_view[i] % CORE_MEMBERS == CORE_LIAR)
			return world->low_view[i];
	return liars_view(world, bytes);
}

/* The newest block below `view` the liar has a certificate for. */
static uint32_t best_parent(struct core_world *world, uint64_t view)
{
	static struct hs_qc qc;
	uint32_t best = 0;

	for (uint32_t i = 1; i < world->seen_count; i++)
		if (world->seen[i].block.header.view < view &&
		    world->seen[i].block.header.view > world->seen[best].block.header.view &&
		    fuzz_core_qc(world, i, 0, &qc))
			best = i;
	return best;
}

/* A field that an honest leader would not write. */
static void spoil(const struct core_world *world, struct fuzz_bytes *bytes, struct hs_block *block)
{
	struct hs_cut_entry *entry = &block->header.cut.lane[fuzz_below(bytes, CORE_MEMBERS)];
	const struct hs_block *other;

	switch (fuzz_below(bytes, 16)) {
	case 1:
		block->header.height += 1;
		break;
	case 2:
		block->header.time_ns += UINT64_C(600000000) * fuzz_u8(bytes);
		break;
	case 3:
		block->header.time_ns = 0;
		break;
	case 4:
		entry->seq -= units_min(entry->seq, 2);
		break;
	case 5:
		entry->digest.b[7] ^= 1;
		break;
	case 6:
		block->header.has_config = true;
		break;
	case 7:
		block->header.has_checkpoint = true;
		break;
	case 8:
		block->header.epoch -= 1;
		break;
	case 9: /* in a view that others lead */
		block->header.view += 1 + fuzz_below(bytes, CORE_MEMBERS - 1);
		break;
	case 10: /* off its justify */
		other = &world->seen[fuzz_below(bytes, world->seen_count)].block;
		block->header.parent_id = other->id;
		block->header.height = other->header.height + 1;
		block->header.time_ns = other->header.time_ns + 1;
		hs_copy_cut(&block->header.cut, &other->header.cut);
		break;
	default:
		break;
	}
}

/* False when the liar has no certificate for the parent it wants. */
static bool make_block(struct core_world *world, struct fuzz_bytes *bytes, struct hs_block *block)
{
	static struct hs_tc tc;
	const struct hs_config *config = &world->cluster.node[0].config;
	uint32_t aim = fuzz_u8(bytes);
	uint64_t view = aim & 1 ? live_view(world, bytes) : liars_view(world, bytes);
	uint64_t tc_view = view - 1;
	uint32_t parent = aim & 2 ? best_parent(world, view) :
				    world->seen_count - 1 - fuzz_below(bytes, world->seen_count);
	bool has_tc;

	if (aim & 8) /* below the lock of those who hold the best one */
		parent = best_parent(world, world->seen[parent].block.header.view);
	if (aim & 16)
		tc_view -= units_min(tc_view, 1 + fuzz_below(bytes, 8));
	has_tc = fuzz_core_tc(world, tc_view, fuzz_u8(bytes), &tc) && (aim & 4);

	hs_make_block(config, &world->seen[parent].block, view, has_tc ? &tc : NULL,
		      fuzz_below(bytes, 4), block);
	if (!fuzz_core_qc(world, parent, fuzz_u8(bytes), &block->justify))
		return false;
	spoil(world, bytes, block);
	hs_make_block_again(config, block);
	return true;
}

/* As if it had been asked for by its id. */
static void fetch(struct core_world *world, uint32_t mask, const struct hs_block *block)
{
	struct hs_input input = { .kind = HS_INPUT_BLOCK, .from = HS_REPLICA_NONE };

	input.u.block = block;
	for (uint32_t node = 0; node < CORE_HONEST; node++)
		if (mask >> node & 1)
			fuzz_core_step(world, node, &input);
}

static void propose(struct core_world *world, struct fuzz_bytes *bytes)
{
	static struct hs_message message;
	struct hs_input intent = { .kind = HS_INPUT_INTENT, .from = CORE_LIAR };
	uint32_t known;
	uint32_t mask = fuzz_u8(bytes);

	message.kind = HS_MESSAGE_PROPOSE;
	if (!make_block(world, bytes, &message.u.propose))
		return;
	known = world->seen_count;
	fuzz_core_remember(world, &message.u.propose);
	if ((mask & 0x40) && known < world->seen_count)
		world->seen[known].is_invalid = true;
	if (mask & 0x80)
		fetch(world, mask, &message.u.propose);
	intent.u.block = &message.u.propose;
	for (uint32_t node = 0; node < CORE_HONEST; node++)
		if (mask >> (node + 3) & 1)
			fuzz_core_step(world, node, &intent);
	tell(world, mask, &message);
}

/* The intent comes before signatures are checked: its justify may be anything. */
static void forged_intent(struct core_world *world, struct fuzz_bytes *bytes)
{
	static struct hs_block block;
	const struct hs_config *config = &world->cluster.node[0].config;
	struct hs_input input = { .kind = HS_INPUT_INTENT, .from = CORE_LIAR, .u.block = &block };
	uint64_t view = liars_view(world, bytes);
	uint32_t parent = fuzz_below(bytes, world->seen_count);

	hs_make_block(config, &world->seen[parent].block, view, NULL, fuzz_u8(bytes), &block);
	block.justify.view = view - 1;
	block.justify.count = hs_quorum(CORE_MEMBERS);
	block.justify.signature[0].b[0] ^= 1;
	hs_make_block_again(config, &block);
	fuzz_core_step(world, fuzz_below(bytes, CORE_HONEST), &input);
}

static void vote(struct core_world *world, struct fuzz_bytes *bytes, bool is_commit)
{
	static struct hs_message message;
	struct hs_config config = world->cluster.node[0].config;
	uint32_t mask = fuzz_u8(bytes);
	uint32_t seen = world->seen_count - 1 - fuzz_below(bytes, world->seen_count);
	const struct hs_block *block = &world->seen[seen].block;
	uint64_t view = mask & 0x40 ? choose_view(world, bytes) : block->header.view;

	config.epoch -= mask >> 3 & 1;
	message.kind = is_commit ? HS_MESSAGE_COMMIT : HS_MESSAGE_VOTE;
	message.u.vote = hs_make_vote(&config, CORE_LIAR, view, &block->id);
	if (is_commit)
		message.u.commit = hs_make_commit(&config, CORE_LIAR, view, &block->id);
	if (is_commit && (mask & 0x80)) /* checked only later */
		message.u.commit.signature.b[3] ^= 1;
	if (is_commit && (mask & 0x10)) /* in the name of somebody else */
		message.u.commit.author = mask >> 5 & 1;
	tell(world, mask, &message);
}

static void time_out(struct core_world *world, struct fuzz_bytes *bytes)
{
	static struct hs_message message;
	static struct hs_tc tc;
	static struct hs_qc qc;
	const struct hs_config *config = &world->cluster.node[0].config;
	struct hs_timeout *timeout = &message.u.timeout;
	uint32_t mask = fuzz_u8(bytes);
	uint64_t view = choose_view(world, bytes);
	bool has_tc = fuzz_core_tc(world, view - 1, fuzz_u8(bytes), &tc);

	message.kind = HS_MESSAGE_TIMEOUT;
	if (!fuzz_core_qc(world, fuzz_below(bytes, world->seen_count), fuzz_u8(bytes), &qc))
		hs_make_genesis_qc(config, &qc);
	hs_make_timeout(config, CORE_LIAR, view, &qc, has_tc ? &tc : NULL, timeout);
	if (mask & 0x40) { /* names a certificate it does not show */
		timeout->qc_view = fuzz_u8(bytes);
		timeout->signature = hs_make_signed(config, HS_MESSAGE_TIMEOUT, CORE_LIAR, view,
						    NULL, timeout->qc_view);
	}
	tell(world, mask, &message);
}

static void certificate(struct core_world *world, struct fuzz_bytes *bytes, enum op op)
{
	static struct hs_message message;
	uint32_t mask = fuzz_u8(bytes);
	uint32_t seen = world->seen_count - 1 - fuzz_below(bytes, world->seen_count);
	bool is_made;

	if (op == OP_TC) {
		message.kind = HS_MESSAGE_TC;
		is_made = fuzz_core_tc(world, choose_view(world, bytes), fuzz_u8(bytes),
				       &message.u.tc);
	} else if (op == OP_FC) {
		message.kind = HS_MESSAGE_FC;
		is_made = mask & 8 ? fuzz_core_votes_as_fc(world, seen, &message.u.fc) :
				     fuzz_core_fc(world, seen, mask >> 4, &message.u.fc);
	} else {
		message.kind = HS_MESSAGE_QC;
		is_made = fuzz_core_qc(world, seen, mask >> 4, &message.u.qc);
	}
	if (is_made)
		tell(world, mask, &message);
}

static void hand_block(struct core_world *world, struct fuzz_bytes *bytes)
{
	struct hs_input input = { .kind = HS_INPUT_BLOCK, .from = HS_REPLICA_NONE };
	uint32_t node = fuzz_below(bytes, CORE_HONEST);
	uint32_t seen = fuzz_below(bytes, world->seen_count);

	if (seen == 0)
		return;
	input.u.block = &world->seen[seen].block;
	fuzz_core_step(world, node, &input);
}

static void deliver(struct core_world *world, struct fuzz_bytes *bytes, bool is_old)
{
	uint32_t node = fuzz_below(bytes, CORE_HONEST);
	uint32_t held = (uint32_t)units_min(world->sent_count, CORE_SENT_MAX);
	uint32_t back = fuzz_below(bytes, held);

	if (held == 0)
		return;
	if (is_old ||
	    world->sent[(world->sent_count - 1 - back) % CORE_SENT_MAX].waiting >> node & 1)
		fuzz_core_deliver(world, (world->sent_count - 1 - back) % CORE_SENT_MAX, node,
				  fuzz_bit(bytes));
}

static void do_world(struct core_world *world, struct fuzz_bytes *bytes, enum op op)
{
	struct hs_input work = { .kind = HS_INPUT_WORK, .from = HS_REPLICA_NONE };
	uint32_t node = fuzz_below(bytes, CORE_HONEST);

	switch (op) {
	case OP_ANSWER:
		if (world->todo_count[node] > 0)
			fuzz_core_answer(world, node, fuzz_below(bytes, world->todo_count[node]));
		break;
	case OP_TICK:
		tick(world, node);
		break;
	case OP_WAIT:
		world->cluster.now_ns += UINT64_C(1000000) * fuzz_u8(bytes);
		break;
	case OP_CRASH:
		fuzz_core_crash(world, node, fuzz_u8(bytes));
		break;
	default:
		work.u.work = fuzz_bit(bytes);
		fuzz_core_step(world, node, &work);
		break;
	}
}

static void do_one(struct core_world *world, struct fuzz_bytes *bytes)
{
	enum op op = (enum op)fuzz_below(bytes, OP_COUNT);

	switch (op) {
	case OP_RUN:
		run(world, fuzz_u8(bytes));
		break;
	case OP_DELIVER:
	case OP_DELIVER_OLD:
		deliver(world, bytes, op == OP_DELIVER_OLD);
		break;
	case OP_PROPOSE:
		propose(world, bytes);
		break;
	case OP_VOTE:
	case OP_COMMIT:
		vote(world, bytes, op == OP_COMMIT);
		break;
	case OP_TIMEOUT:
		time_out(world, bytes);
		break;
	case OP_QC:
	case OP_TC:
	case OP_FC:
		certificate(world, bytes, op);
		break;
	case OP_BLOCK:
		hand_block(world, bytes);
		break;
	case OP_FORGED_INTENT:
		forged_intent(world, bytes);
		break;
	default:
		do_world(world, bytes, op);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct fuzz_bytes input = { bytes, count };
	struct core_world *world = fuzz_core_begin();

	while (input.left > 0 && world->view_max < CORE_VIEWS_MAX - 8)
		do_one(world, &input);
	fuzz_core_end(world);
	return 0;
}
