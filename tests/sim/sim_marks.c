#include "tests/sim/sim_marks.h"

#include "base/err.h"
#include "base/units.h"
#include "tests/lib/marks.h"

/* The classes that every seed draws for itself; the others exclude each other in part. */
static const uint64_t SWARM = (UINT64_C(1) << SIM_FAULT_SLOW_SPELL) - 1;

enum { NEVER_HERE = 1 }; /* without a Byzantine member, a bad disk or a far longer run */

MARKS(sent) = {
	{ "sent: PROPOSE", 0, 0, 0 },
	{ "sent: VOTE", 0, 0, 0 },
	{ "sent: COMMIT", 0, 0, 0 },
	{ "sent: TIMEOUT", 0, 0, 0 },
	{ "sent: QC", 0, 0, 0 },
	{ "sent: TC", 0, 0, 0 },
	{ "sent: FC", 0, 0, 0 },
	{ "sent: LANE FRAME", 0, 0, 0 },
	{ "sent: BATCH", 0, 0, 0 },
	{ "sent: ACKVEC", 0, 0, 0 },
	{ "sent: WANT BATCH", 0, 0, 0 },
	{ "sent: REPAIR", 0, 0, 0 },
	{ "sent: LEAVES", 0, NEVER_HERE, 0 },
	{ "sent: WANT BLOCK", 0, 0, 0 },
	{ "sent: WANT BLOCKS", 0, 0, 0 },
	{ "sent: BLOCKS", 0, 0, 0 },
	{ "sent: WANT CERTIFICATES", 0, 0, 0 },
	{ "sent: CERTIFICATES", 0, 0, 0 },
	{ "sent: SHOW", 0, 0, 0 },
	{ "sent: STATUS", 0, 0, 0 },
	{ "sent: EVIDENCE", 0, NEVER_HERE, 0 },
};

MARKS(core_drops) = {
#define HS_DROP(name, text) { "core drops: " text, 0, 0, 0 },
#include "consensus/hs_drop.def"
#undef HS_DROP
};

MARKS(lane_drops) = {
#define LANE_DROP(name, text) { "lanes drop: " text, 0, 0, 0 },
#include "dataplane/lane_drop.def"
#undef LANE_DROP
};

MARKS(replica_drops) = {
#define REPLICA_DROP(name, text) { "replica drops: " text, 0, 0, 0 },
#include "replica/replica_drop.def"
#undef REPLICA_DROP
};

MARKS(records) = {
	{ "written: BATCH", 0, 0, 0 },
	{ "written: BLOCK", 0, 0, 0 },
	{ "written: MARK", 0, 0, 0 },
	{ "written: FC", 0, 0, 0 },
	{ "written: EVIDENCE", 0, NEVER_HERE, 0 },
	{ "written: SAFETY", 0, 0, 0 },
	{ "written: WINDOWS", 0, NEVER_HERE, 0 },
};

MARKS(outcomes) = {
	{ "outcome: ordered", 0, 0, 0 },
	{ "outcome: duplicate", 0, 0, 0 },
	{ "outcome: ahead of the window", 0, NEVER_HERE, 0 },
	{ "outcome: expired", 0, 0, 0 },
	{ "outcome: expires too far ahead", 0, NEVER_HERE, 0 },
	{ "outcome: too many clients", 0, NEVER_HERE, 0 },
	{ "outcome: malformed", 0, NEVER_HERE, 0 },
};

/* ---- what is said ---- */

static void count_kind(enum wire_kind kind)
{
	if (kind >= WIRE_WANT_BLOCK)
		sent[13 + kind - WIRE_WANT_BLOCK].hits++;
	else if (kind >= WIRE_LANE_FRAME)
		sent[7 + kind - WIRE_LANE_FRAME].hits++;
	else
		sent[kind - WIRE_PROPOSE].hits++;
}

static uint32_t lanes_advanced(const struct sim *sim, const struct hs_block *block)
{
	const struct check_block *parent = check_block_find(sim->check, &block->header.parent_id);
	uint32_t count = 0;

	for (uint32_t i = 0; i < sim->knobs.n; i++)
		count += block->header.cut.lane[i].seq > (parent->is_used ? parent->cut[i].seq : 0);
	return count;
}

static void on_propose(const struct sim *sim, const struct sim_node *node,
		       const struct hs_block *block)
{
	uint64_t gap = block->header.view - block->justify.view;
	uint32_t lanes = lanes_advanced(sim, block);

	SOMETIMES(gap == 1, "propose: on the certificate of the view before");
	SOMETIMES(gap > 1, "propose: after a failed view");
	SOMETIMES(gap > 3, "propose: after three failed views or more");
	SOMETIMES(block->justify.view == 0 && block->header.view > 1,
		  "propose: on genesis, in a later view");
	SOMETIMES(lanes == 0, "propose: an empty block");
	SOMETIMES(lanes == 1, "propose: one lane advances");
	SOMETIMES(lanes == sim->knobs.n, "propose: every lane advances");
	SOMETIMES(node->incarnation > 0, "propose: by a replica that was restarted");
}

static void on_vote(const struct sim *sim, const struct sim_node *node, const struct hs_vote *vote)
{
	uint32_t leader = (uint32_t)(vote->view % sim->knobs.n);

	SOMETIMES(vote->author == node->id && leader == node->id, "vote: of the leader itself");
	SOMETIMES(vote->author == node->id && node->incarnation > 0,
		  "vote: by a replica that was restarted");
}

static void on_commit(const struct sim *sim, const struct sim_node *node,
		      const struct hs_commit *commit)
{
	SOMETIMES(sim->check->timeout_view[node->id] + 1 == commit->view,
		  "commit: in the view after one that timed out here");
	SOMETIMES(node->incarnation > 0, "commit: by a replica that was restarted");
	SOMETIMES(check_block_find(sim->check, &commit->block_id)->is_committed,
		  "commit: of a block already committed");
}

static void on_timeout(const struct sim *sim, const struct sim_node *node,
		       const struct hs_timeout *timeout)
{
	bool is_own = timeout->author == node->id;
	uint32_t leader = (uint32_t)(timeout->view % sim->knobs.n);

	SOMETIMES(is_own && node->durable.last_vote_view == timeout->view,
		  "timeout: of a view voted in");
	SOMETIMES(is_own && node->durable.last_vote_view < timeout->view,
		  "timeout: of a view not voted in");
	SOMETIMES(is_own && leader == node->id, "timeout: of the leader itself");
	SOMETIMES(timeout->qc_view + 1 == timeout->view,
		  "timeout: with the certificate of the view before");
	SOMETIMES(timeout->qc_view + 1 < timeout->view, "timeout: with an older certificate");
	SOMETIMES(timeout->qc_view == 0, "timeout: with nothing but genesis");
	SOMETIMES(is_own && node->incarnation > 0, "timeout: by a replica that was restarted");
}

static void on_tc(const struct hs_tc *tc)
{
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;

	for (uint32_t i = 0; i < tc->count; i++) {
		low = units_min(low, tc->qc_view[i]);
		high = units_max(high, tc->qc_view[i]);
	}
	SOMETIMES(low < high, "timeout certificate: its members knew different certificates");
	SOMETIMES(low == high, "timeout certificate: its members agreed");
}

static void on_answers(const struct wire_message *message)
{
	if (message->kind == WIRE_REPAIR) {
		SOMETIMES(message->u.repair.count == 0, "repair: a header alone");
		SOMETIMES(message->u.repair.count == 1, "repair: one frame");
		SOMETIMES(message->u.repair.count > 8, "repair: many frames");
	}
	if (message->kind == WIRE_BLOCKS) {
		SOMETIMES(message->u.blocks.count == 1, "blocks: one served");
		SOMETIMES(message->u.blocks.count > 1, "blocks: several served at once");
		SOMETIMES(message->u.blocks.has_fc, "blocks: served with their finality");
	}
	if (message->kind == WIRE_CERTIFICATES)
		SOMETIMES(message->u.certificates.has_fc, "certificates: with a finality");
}

void sim_marks_sent(const struct sim *sim, const struct sim_node *node,
		    const struct wire_message *message)
{
	const struct hs_message *core = &message->u.core;

	count_kind(message->kind);
	switch (message->kind) {
	case WIRE_PROPOSE:
		on_propose(sim, node, &core->u.propose);
		break;
	case WIRE_VOTE:
		on_vote(sim, node, &core->u.vote);
		break;
	case WIRE_COMMIT:
		on_commit(sim, node, &core->u.commit);
		break;
	case WIRE_TIMEOUT:
		on_timeout(sim, node, &core->u.timeout);
		break;
	case WIRE_TC:
		on_tc(&core->u.tc);
		break;
	default:
		on_answers(message);
		break;
	}
}

/* ---- what is written, dropped, answered ---- */

void sim_marks_append(const struct sim_append *append)
{
	records[append->kind - REPLICA_RECORD_BATCH].hits++;
	SOMETIMES(append->is_borrowed, "written: bytes lent by the replica");
}

void sim_marks_dropped(const struct replica_effect *effect)
{
	uint32_t reason = effect->u.dropped.reason;

	switch (effect->u.dropped.family) {
	case REPLICA_DROP_CONSENSUS:
		core_drops[reason].hits++;
		break;
	case REPLICA_DROP_LANE:
		lane_drops[reason].hits++;
		break;
	case REPLICA_DROP_REPLICA:
		replica_drops[reason].hits++;
		break;
	}
}

void sim_marks_receipt(const struct replica_receipt *receipt)
{
	uint32_t ordered = 0;

	for (uint32_t i = 0; i < UNITS_COUNT(receipt->ordered_map); i++)
		ordered += (uint32_t)__builtin_popcountll(receipt->ordered_map[i]);
	SOMETIMES(ordered == receipt->count, "receipt: the whole frame counts");
	RARELY(ordered > 0 && ordered < receipt->count, "receipt: a part of the frame counts");
	SOMETIMES(receipt->first_index > 0, "receipt: not the first of its block");
}

void sim_marks_refused(int code)
{
	SOMETIMES(code == ERR_AHEAD, "refused: ahead of the window");
	SOMETIMES(code == ERR_FULL, "refused: no room");
	SOMETIMES(code == ERR_DUPLICATE, "refused: ordered long ago");
	SOMETIMES(code != ERR_AHEAD && code != ERR_FULL && code != ERR_DUPLICATE,
		  "refused: for another reason");
}

void sim_marks_gate(int code)
{
	SOMETIMES(code == 0, "gate: a frame is good");
	SOMETIMES(code == ERR_TRUNCATED || code == ERR_FORMAT, "gate: a frame is malformed");
	SOMETIMES(code == ERR_SIGNATURE, "gate: a frame's seal is bad");
	SOMETIMES(code == ERR_EXPIRED, "gate: a frame has expired");
}

void sim_marks_outcome(enum replica_outcome outcome)
{
	outcomes[outcome].hits++;
}

/* ---- order ---- */

void sim_marks_order(const struct sim *sim, const struct sim_node *node,
		     const struct check_block *block, uint32_t batches, uint32_t transactions)
{
	uint32_t quorum = hs_quorum(sim->knobs.n);
	uint32_t votes = (uint32_t)__builtin_popcount(block->votes);
	uint32_t commits = (uint32_t)__builtin_popcount(block->commits);

	SOMETIMES(commits >= quorum, "order: by COMMITs of a quorum");
	SOMETIMES(commits < quorum && votes >= quorum, "order: by a later certificate alone");
	SOMETIMES(votes == quorum, "order: with not one vote to spare");
	SOMETIMES(votes == sim->knobs.n, "order: with every vote");
	SOMETIMES(batches == 0, "order: a block without batches");
	SOMETIMES(batches > 10, "order: more than ten batches in a block");
	SOMETIMES(batches > 0 && transactions == 0, "order: nothing in the batches counts");
	SOMETIMES(block->view % sim->knobs.n == node->id, "order: first delivered by its leader");
	SOMETIMES(node->incarnation > 0, "order: first delivered by a restarted replica");
	SOMETIMES(node->broken == SIM_BROKEN_MUTE || node->broken == SIM_BROKEN_LINKS,
		  "order: first delivered by a broken replica");
	SOMETIMES(sim->is_partitioned, "order: during a partition");
}

void sim_marks_final(const struct sim *sim, const struct sim_node *node, uint64_t height)
{
	SOMETIMES(sim->check->height > height + 20, "delivery: far behind the others");
	SOMETIMES(sim->check->height == height, "delivery: level with the others");
	SOMETIMES(node->incarnation > 0 && sim->check->height > height + 5,
		  "delivery: catching up after a restart");
}

/* ---- restarts ---- */

static void look_at_logs(const struct sim *sim, uint32_t bit)
{
	for (uint32_t i = 0; i < sim->check->block_count; i++) {
		const struct check_block *block = &sim->check->blocks[sim->check->block_slot[i]];

		RARELY((block->seen & ~block->durable) & bit,
		       "restart: a block survived that nobody was told of");
	}
	for (uint32_t i = 0; i < sim->check->batch_count; i++) {
		const struct check_batch *batch = &sim->check->batches[sim->check->batch_slot[i]];

		SOMETIMES((batch->seen & ~batch->durable) & bit,
			  "restart: a batch survived that nobody was told of");
	}
}

void sim_marks_restart(const struct sim *sim, const struct sim_node *node)
{
	const struct hs_record *now = &node->scanned;
	const struct hs_record *before = &node->durable;
	bool is_newer = now->last_vote_view > before->last_vote_view ||
			now->last_timeout_view > before->last_timeout_view ||
			now->last_commit_view > before->last_commit_view ||
			now->high_qc.view > before->high_qc.view ||
			now->committed_height > before->committed_height;

	look_at_logs(sim, UINT32_C(1) << node->id);
	SOMETIMES(!node->has_durable, "restart: for the first time");
	if (!node->has_durable)
		return;
	SOMETIMES(!is_newer, "restart: from the record last told of");
	SOMETIMES(is_newer, "restart: from a record nobody was told of");
	SOMETIMES(now->has_entry_tc, "restart: into a view that a TC entered");
	SOMETIMES(now->last_vote_view == now->last_timeout_view && now->last_vote_view > 0,
		  "restart: timed out in the view of the last vote");
	SOMETIMES(now->last_vote_view > now->last_timeout_view, "restart: voted last");
	SOMETIMES(now->last_vote_view < now->last_timeout_view, "restart: timed out last");
	SOMETIMES(now->last_proposed_view > now->last_vote_view,
		  "restart: proposed, and did not vote for it");
	SOMETIMES(now->last_commit_view < now->high_qc.view,
		  "restart: knew a certificate and sent no COMMIT for it");
}

/* ---- the whole run ---- */

static void look_at_blocks(const struct sim *sim)
{
	uint32_t quorum = hs_quorum(sim->knobs.n);

	for (uint32_t i = 0; i < sim->check->block_count; i++) {
		const struct check_block *block = &sim->check->blocks[sim->check->block_slot[i]];
		bool is_lost = !block->is_committed && block->height <= sim->check->height;
		uint32_t votes = (uint32_t)__builtin_popcount(block->votes);

		SOMETIMES(is_lost, "blocks: one was proposed and lost to another");
		SOMETIMES(is_lost && votes > 0 && votes < quorum, "blocks: a lost one had votes");
		SOMETIMES(is_lost && votes >= quorum, "blocks: a lost one had votes of a quorum");
	}
}

/* Reasons that need somebody who lies, a disk that fails, or more than fits into a seed. */
static void excuse(void)
{
	static const enum hs_drop core[] = {
		HS_DROP_EPOCH,    HS_DROP_NOT_LEADER, HS_DROP_RELAYED,    HS_DROP_EQUIVOCATION,
		HS_DROP_HEADER,   HS_DROP_TIME,       HS_DROP_CUT,        HS_DROP_JUSTIFY,
		HS_DROP_RESERVED, HS_DROP_PAYLOAD,    HS_DROP_FULL,       HS_DROP_SIGNATURE,
		HS_DROP_OBSERVER, HS_DROP_VIEW_FAR,   HS_DROP_QC_MISSING,
	};
	static const enum lane_drop lanes[] = {
		LANE_DROP_NOT_OWNER, LANE_DROP_OVERSIZE, LANE_DROP_FORK,
		LANE_DROP_CHAIN,     LANE_DROP_SEAL,     LANE_DROP_CLAIM,
	};
	static const enum replica_drop replica[] = {
		REPLICA_DROP_UNDECODABLE, REPLICA_DROP_STORE_FAILED,   REPLICA_DROP_DELIVERY_FULL,
		REPLICA_DROP_OUTBOX_FULL, REPLICA_DROP_EVIDENCE_KNOWN,
	};

	for (uint32_t i = 0; i < UNITS_COUNT(core); i++)
		core_drops[core[i]].is_optional = 1;
	for (uint32_t i = 0; i < UNITS_COUNT(lanes); i++)
		lane_drops[lanes[i]].is_optional = 1;
	for (uint32_t i = 0; i < UNITS_COUNT(replica); i++)
		replica_drops[replica[i]].is_optional = 1;
}

void sim_marks_end(const struct sim *sim)
{
	excuse();
	look_at_blocks(sim);
	SOMETIMES(sim->knobs.n == 4, "size: four replicas");
	SOMETIMES(sim->knobs.n == 5, "size: five replicas");
	SOMETIMES(sim->knobs.n == 7, "size: seven replicas");
	SOMETIMES(sim->knobs.is_ed25519, "signatures: Ed25519");
	SOMETIMES(!sim->knobs.is_ed25519, "signatures: keyed hash");
	SOMETIMES(sim->crashes == 0, "run: without a crash");
	SOMETIMES(sim->crashes > 20, "run: with more than twenty crashes");
	SOMETIMES(sim->check->height > 200, "run: of more than 200 blocks");
	SOMETIMES((sim->knobs.faults & SWARM) == 0, "run: with hardly a fault");
	SOMETIMES(__builtin_popcountll(sim->knobs.faults & SWARM) > SIM_FAULT_SLOW_SPELL * 2 / 3,
		  "run: with most faults at once");
}
