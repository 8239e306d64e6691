/*
 * Rule R's proof of rollback, and evidence. Everybody remembers the newest statement
 * each author signed, and shows it when that author's session comes up: an author
 * whose own record is older than its own signature was rolled back and only observes.
 */

#include <string.h>

#include "base/ensure.h"
#include "replica/replica_state.h"

static void show_remember(struct replica *replica, uint32_t author,
			  const struct hs_statement *statement)
{
	struct replica_show *show = &replica->show;
	const struct hs_statement *seen = &show->seen[author];

	if (author >= replica->config.consensus.replica_count)
		return;
	if (show->has[author] && (statement->view < seen->view ||
				  (statement->view == seen->view && statement->kind <= seen->kind)))
		return;
	show->has[author] = true;
	show->seen[author] = *statement;
}

/* COMMITs are left out: their signatures are not checked when they come. */
void replica_show_seen(struct replica *replica, const struct hs_message *message)
{
	struct hs_statement statement = { .kind = message->kind };

	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		statement.view = message->u.propose.header.view;
		statement.block_id = message->u.propose.id;
		statement.signature = message->u.propose.signature;
		show_remember(replica, message->u.propose.author, &statement);
		break;
	case HS_MESSAGE_VOTE:
		statement.view = message->u.vote.view;
		statement.block_id = message->u.vote.block_id;
		statement.signature = message->u.vote.signature;
		show_remember(replica, message->u.vote.author, &statement);
		break;
	case HS_MESSAGE_TIMEOUT:
		statement.view = message->u.timeout.view;
		statement.qc_view = message->u.timeout.qc_view;
		statement.signature = message->u.timeout.signature;
		show_remember(replica, message->u.timeout.author, &statement);
		break;
	default:
		break;
	}
}

void replica_show_peer_up(struct replica *replica, uint32_t peer)
{
	if (!replica->show.has[peer])
		return;
	replica->message_out.kind = WIRE_SHOW;
	replica->message_out.u.show.statement = replica->show.seen[peer];
	replica_send(replica, peer, REPLICA_SEND_CONSENSUS);
}

static bool show_is_above(const struct hs_record *record, const struct hs_statement *statement)
{
	switch (statement->kind) {
	case HS_MESSAGE_PROPOSE:
		return statement->view > record->last_proposed_view;
	case HS_MESSAGE_VOTE:
		return statement->view > record->last_vote_view;
	case HS_MESSAGE_COMMIT:
		return statement->view > record->last_commit_view;
	case HS_MESSAGE_TIMEOUT:
		return statement->view > record->last_timeout_view;
	default:
		return false;
	}
}

/* The gate checked that the statement carries our own signature. */
void replica_show_against(struct replica *replica, const struct hs_statement *statement)
{
	struct hs_input input = { .kind = HS_INPUT_ROLLED_BACK, .from = HS_REPLICA_NONE };

	if (!replica->show.has_record || !show_is_above(&replica->show.record, statement)) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_SHOW_FOREIGN);
		return;
	}
	if (!hs_core_status(replica->core).is_observer)
		replica_alarm(replica, REPLICA_ALARM_ROLLED_BACK, statement->view);
	replica_core_step(replica, &input);
}

static uint32_t evidence_author(const struct wire_evidence *evidence)
{
	return evidence->is_lane ? evidence->lane.first.lane : evidence->core.author;
}

static uint64_t evidence_key(const struct wire_evidence *evidence)
{
	if (evidence->is_lane)
		return UINT64_C(1) << 63 | (uint64_t)evidence->lane.has_bad_frame << 62 |
		       (evidence->lane.first.seq & 0xffffffffffff);
	return evidence->core.kind;
}

bool replica_show_is_new(struct replica *replica, const struct wire_evidence *evidence)
{
	struct replica_evidence *known = &replica->show.evidence[evidence_author(evidence)];
	uint64_t key = evidence_key(evidence);

	for (uint32_t i = 0; i < known->count; i++)
		if (known->key[i] == key)
			return false;
	if (evidence->is_lane && known->lane_count == REPLICA_EVIDENCE_LANE)
		return false;
	known->lane_count += evidence->is_lane;
	known->key[known->count++] = key;
	return true;
}

void replica_show_evidence(struct replica *replica, const struct wire_evidence *evidence)
{
	struct wire_message *message = &replica->message_out;
	uint8_t *bytes;
	int count;

	if (!replica_show_is_new(replica, evidence)) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_EVIDENCE_KNOWN);
		return;
	}
	message->kind = WIRE_EVIDENCE;
	message->epoch = replica->config.consensus.epoch;
	message->u.evidence = *evidence;
	bytes = replica_outbox_take(&replica->outbox, 4096);
	count = wire_encode(message, bytes, 4096);
	ensure(count > 0);
	replica_outbox_trim(&replica->outbox, 4096 - (size_t)count);
	replica_persist(replica, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE, bytes, (uint32_t)count,
			replica_ticket(REPLICA_TICKET_EVIDENCE, 0));
	replica_alarm(replica, REPLICA_ALARM_EVIDENCE, evidence_author(evidence));
	/* A bad frame is only proven to those who hold the batch; they find it themselves. */
	if (!evidence->is_lane || !evidence->lane.has_bad_frame)
		replica_send(replica, HS_REPLICA_ALL, REPLICA_SEND_CONSENSUS);
}
