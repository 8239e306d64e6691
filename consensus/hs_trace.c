#include "consensus/hs_trace.h"

#include "base/ensure.h"
#include "base/units.h"

struct hs_line {
	char *at;
	char *end; /* of the room, one byte kept for the zero */
};

static void hs_put(struct hs_line *line, const char *text)
{
	while (*text && line->at < line->end)
		*line->at++ = *text++;
}

static void hs_put_number(struct hs_line *line, const char *name, uint64_t value)
{
	char digits[21];
	char *digit = &digits[20];

	*digit = '\0';
	do {
		*--digit = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	hs_put(line, name);
	hs_put(line, digit);
}

static void hs_put_id(struct hs_line *line, const char *name, const struct crypto_hash *id)
{
	static const char hex[] = "0123456789abcdef";
	char text[9];

	for (uint32_t i = 0; i < 4; i++) {
		text[2 * i] = hex[id->b[i] >> 4];
		text[2 * i + 1] = hex[id->b[i] & 15];
	}
	text[8] = '\0';
	hs_put(line, name);
	hs_put(line, text);
}

static void hs_put_set(struct hs_line *line, const char *name, const struct bitset *set)
{
	const char *comma = "";

	hs_put(line, name);
	for (uint32_t i = 0; i < BITSET_BITS_MAX; i++) {
		if (!bitset_has(set, i))
			continue;
		hs_put_number(line, comma, i);
		comma = ",";
	}
}

static void hs_put_peer(struct hs_line *line, const char *name, uint32_t peer)
{
	hs_put(line, name);
	if (peer == HS_REPLICA_NONE)
		hs_put(line, "none");
	else if (peer == HS_REPLICA_ALL)
		hs_put(line, "all");
	else
		hs_put_number(line, "", peer);
}

static void hs_put_block(struct hs_line *line, const struct hs_block *block)
{
	hs_put_number(line, " view=", block->header.view);
	hs_put_number(line, " height=", block->header.height);
	hs_put_id(line, " block=", &block->id);
	hs_put_id(line, " parent=", &block->header.parent_id);
	hs_put_number(line, " justify=", block->justify.view);
	if (block->has_tc)
		hs_put_number(line, " tc=", block->tc.view);
}

static void hs_put_qc(struct hs_line *line, const struct hs_qc *qc)
{
	hs_put_number(line, " view=", qc->view);
	hs_put_id(line, " block=", &qc->block_id);
}

static void hs_put_entry(struct hs_line *line, const struct hs_entry *entry)
{
	if (entry->kind == HS_ENTRY_QC)
		hs_put_number(line, " entry=qc", entry->qc.view);
	if (entry->kind == HS_ENTRY_TC)
		hs_put_number(line, " entry=tc", entry->tc.view);
}

static void hs_put_message(struct hs_line *line, const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		hs_put(line, " propose");
		hs_put_block(line, &message->u.propose);
		break;
	case HS_MESSAGE_VOTE:
		hs_put_number(line, " vote view=", message->u.vote.view);
		hs_put_id(line, " block=", &message->u.vote.block_id);
		break;
	case HS_MESSAGE_COMMIT:
		hs_put_number(line, " commit view=", message->u.commit.view);
		hs_put_id(line, " block=", &message->u.commit.block_id);
		break;
	case HS_MESSAGE_TIMEOUT:
		hs_put_number(line, " timeout view=", message->u.timeout.view);
		hs_put_number(line, " qc=", message->u.timeout.qc_view);
		hs_put_entry(line, &message->u.timeout.entry);
		break;
	case HS_MESSAGE_QC:
		hs_put(line, " qc");
		hs_put_qc(line, &message->u.qc);
		break;
	case HS_MESSAGE_TC:
		hs_put_number(line, " tc view=", message->u.tc.view);
		break;
	case HS_MESSAGE_FC:
		hs_put(line, " fc");
		hs_put_qc(line, &message->u.fc.c);
		break;
	}
}

static const char *hs_input_name(enum hs_input_kind kind)
{
	static const char *const names[] = {
		[HS_INPUT_START] = "start",
		[HS_INPUT_PROPOSE] = "propose",
		[HS_INPUT_INTENT] = "intent",
		[HS_INPUT_BLOCK] = "block",
		[HS_INPUT_VOTE] = "vote",
		[HS_INPUT_COMMIT] = "commit",
		[HS_INPUT_COMMITS_CHECKED] = "commits-checked",
		[HS_INPUT_TIMEOUT] = "timeout",
		[HS_INPUT_QC] = "qc",
		[HS_INPUT_TC] = "tc",
		[HS_INPUT_FC] = "fc",
		[HS_INPUT_PAYLOAD] = "payload",
		[HS_INPUT_CUT] = "cut",
		[HS_INPUT_WORK] = "work",
		[HS_INPUT_PERSISTED] = "persisted",
		[HS_INPUT_SIGNED] = "signed",
		[HS_INPUT_CERTIFICATE_ANSWER] = "certificate-answer",
		[HS_INPUT_ROLLED_BACK] = "rolled-back",
		[HS_INPUT_TICK] = "tick",
	};

	ensure(kind < UNITS_COUNT(names));
	return names[kind];
}

static void hs_put_ballot(struct hs_line *line, uint32_t author, uint64_t view,
			  const struct crypto_hash *block_id)
{
	hs_put_number(line, " author=", author);
	hs_put_number(line, " view=", view);
	hs_put_id(line, " block=", block_id);
}

static void hs_put_timeout(struct hs_line *line, const struct hs_timeout *timeout)
{
	hs_put_number(line, " author=", timeout->author);
	hs_put_number(line, " view=", timeout->view);
	hs_put_number(line, " qc=", timeout->qc_view);
	hs_put_entry(line, &timeout->entry);
}

static void hs_put_start(struct hs_line *line, const struct hs_start *start)
{
	if (!start->record) {
		hs_put(line, " observer");
		return;
	}
	hs_put_number(line, " vote=", start->record->last_vote_view);
	hs_put_number(line, " timeout=", start->record->last_timeout_view);
	hs_put_number(line, " commit=", start->record->last_commit_view);
	hs_put_number(line, " qc=", start->record->high_qc.view);
	hs_put_number(line, " intent=", start->record->intent_view);
	hs_put_number(line, " committed=", start->record->committed_height);
	hs_put_number(line, " blocks=", start->block_count);
}

/* What our own driver tells; messages of peers are in hs_trace_input(). */
static void hs_put_local(struct hs_line *line, const struct hs_input *input)
{
	switch (input->kind) {
	case HS_INPUT_START:
		hs_put_start(line, input->u.start);
		break;
	case HS_INPUT_COMMITS_CHECKED:
		hs_put_number(line, " view=", input->u.checked.view);
		hs_put_id(line, " block=", &input->u.checked.block_id);
		hs_put_set(line, " good=", &input->u.checked.good);
		hs_put_set(line, " bad=", &input->u.checked.bad);
		break;
	case HS_INPUT_PAYLOAD:
		hs_put_id(line, " block=", &input->u.payload.block_id);
		hs_put(line, input->u.payload.verdict == HS_PAYLOAD_READY ? " ready" : " invalid");
		break;
	case HS_INPUT_CUT:
		hs_put_number(line, " view=", input->u.cut.view);
		break;
	case HS_INPUT_WORK:
		hs_put(line, input->u.work ? " yes" : " no");
		break;
	case HS_INPUT_PERSISTED:
		hs_put_number(line, " ticket=", input->u.ticket);
		break;
	case HS_INPUT_SIGNED:
		hs_put_number(line, " request=", input->u.signed_.request);
		break;
	case HS_INPUT_CERTIFICATE_ANSWER:
		hs_put_number(line, " author=", input->u.author);
		break;
	default:
		break;
	}
}

static struct hs_line hs_line_of(char *text, size_t room)
{
	ensure(room > 0);
	return (struct hs_line){ .at = text, .end = text + room - 1 };
}

size_t hs_trace_input(const struct hs_input *input, char *ret_text, size_t room)
{
	struct hs_line line = hs_line_of(ret_text, room);

	hs_put(&line, "> ");
	hs_put(&line, hs_input_name(input->kind));
	if (input->from != HS_REPLICA_NONE)
		hs_put_peer(&line, " from=", input->from);
	switch (input->kind) {
	case HS_INPUT_PROPOSE:
	case HS_INPUT_INTENT:
	case HS_INPUT_BLOCK:
		hs_put_block(&line, input->u.block);
		break;
	case HS_INPUT_VOTE:
		hs_put_ballot(&line, input->u.vote->author, input->u.vote->view,
			      &input->u.vote->block_id);
		break;
	case HS_INPUT_COMMIT:
		hs_put_ballot(&line, input->u.commit->author, input->u.commit->view,
			      &input->u.commit->block_id);
		break;
	case HS_INPUT_TIMEOUT:
		hs_put_timeout(&line, input->u.timeout);
		break;
	case HS_INPUT_QC:
		hs_put_qc(&line, input->u.qc);
		break;
	case HS_INPUT_TC:
		hs_put_number(&line, " view=", input->u.tc->view);
		break;
	case HS_INPUT_FC:
		hs_put_qc(&line, &input->u.fc->c);
		break;
	default:
		hs_put_local(&line, input);
		break;
	}
	*line.at = '\0';
	return (size_t)(line.at - ret_text);
}

static void hs_put_record(struct hs_line *line, const struct hs_record *record)
{
	hs_put_number(line, " vote=", record->last_vote_view);
	hs_put_number(line, " timeout=", record->last_timeout_view);
	hs_put_number(line, " commit=", record->last_commit_view);
	hs_put_number(line, " proposed=", record->last_proposed_view);
	hs_put_number(line, " qc=", record->high_qc.view);
	if (record->intent_view != 0)
		hs_put_number(line, " intent=", record->intent_view);
	if (record->has_entry_tc)
		hs_put_number(line, " tc=", record->entry_tc.view);
}

static void hs_put_evidence(struct hs_line *line, const struct hs_evidence *evidence)
{
	static const char *const names[] = {
		[HS_EVIDENCE_TWO_PROPOSALS] = "two-proposals",
		[HS_EVIDENCE_TWO_VOTES] = "two-votes",
		[HS_EVIDENCE_TWO_COMMITS] = "two-commits",
		[HS_EVIDENCE_TWO_TIMEOUTS] = "two-timeouts",
		[HS_EVIDENCE_COMMIT_AFTER_TIMEOUT] = "commit-after-timeout",
	};

	hs_put(line, "evidence ");
	hs_put(line, names[evidence->kind]);
	hs_put_number(line, " author=", evidence->author);
	hs_put_number(line, " views=", evidence->first.view);
	hs_put_number(line, ",", evidence->second.view);
}

static void hs_put_committed(struct hs_line *line, const struct hs_effect *effect)
{
	static const char *const rules[] = {
		[HS_COMMIT_C1] = "c1",
		[HS_COMMIT_C2] = "c2",
		[HS_COMMIT_C3] = "c3",
		[HS_COMMIT_ANCESTOR] = "ancestor",
	};

	hs_put_number(line, "COMMIT height=", effect->u.commit.block->header.height);
	hs_put_id(line, " block=", &effect->u.commit.block->id);
	hs_put(line, " by=");
	hs_put(line, rules[effect->u.commit.rule]);
}

static const char *hs_message_name(enum hs_message_kind kind)
{
	static const char *const names[] = {
		[HS_MESSAGE_PROPOSE] = "propose", [HS_MESSAGE_VOTE] = "vote",
		[HS_MESSAGE_COMMIT] = "commit",   [HS_MESSAGE_TIMEOUT] = "timeout",
		[HS_MESSAGE_QC] = "qc",           [HS_MESSAGE_TC] = "tc",
		[HS_MESSAGE_FC] = "fc",
	};

	return names[kind];
}

/* Questions to the driver; statements and results are in hs_trace_effect(). */
static void hs_put_question(struct hs_line *line, const struct hs_effect *effect)
{
	switch (effect->kind) {
	case HS_EFFECT_WANT_PAYLOAD:
		hs_put_id(line, "want-payload block=", &effect->u.block->id);
		break;
	case HS_EFFECT_WANT_CUT:
		hs_put_number(line, "want-cut view=", effect->u.want_cut.view);
		hs_put_id(line, " parent=", &effect->u.want_cut.parent_id);
		break;
	case HS_EFFECT_WANT_BLOCK:
		hs_put_id(line, "want-block block=", &effect->u.want_block);
		hs_put_peer(line, " to=", effect->to);
		break;
	case HS_EFFECT_WANT_CERTIFICATES:
		hs_put(line, "want-certificates");
		break;
	case HS_EFFECT_CHECK_COMMITS:
		hs_put_number(line, "check-commits view=", effect->u.commits.view);
		hs_put_id(line, " block=", &effect->u.commits.block_id);
		hs_put_number(line, " count=", effect->u.commits.count);
		break;
	default:
		break;
	}
}

size_t hs_trace_effect(const struct hs_effect *effect, char *ret_text, size_t room)
{
	struct hs_line line = hs_line_of(ret_text, room);

	hs_put(&line, "< ");
	switch (effect->kind) {
	case HS_EFFECT_PERSIST_RECORD:
		hs_put_number(&line, "persist-record ticket=", effect->ticket);
		hs_put_record(&line, effect->u.record);
		break;
	case HS_EFFECT_PERSIST_BLOCK:
		hs_put_number(&line, "persist-block ticket=", effect->ticket);
		hs_put_id(&line, " block=", &effect->u.block->id);
		break;
	case HS_EFFECT_SIGN:
		hs_put_number(&line, "sign request=", effect->ticket);
		hs_put(&line, " ");
		hs_put(&line, hs_message_name(effect->u.sign.message));
		break;
	case HS_EFFECT_SEND:
		hs_put_peer(&line, "send ", effect->to);
		hs_put_message(&line, effect->u.message);
		break;
	case HS_EFFECT_COMMIT:
		hs_put_committed(&line, effect);
		break;
	case HS_EFFECT_PROOF:
		hs_put(&line, "proof");
		hs_put_qc(&line, &effect->u.fc->c);
		break;
	case HS_EFFECT_EVIDENCE:
		hs_put_evidence(&line, &effect->u.evidence);
		break;
	case HS_EFFECT_DROPPED:
		hs_put(&line, "dropped ");
		hs_put(&line, hs_drop_name(effect->u.drop));
		break;
	case HS_EFFECT_OBSERVER:
		hs_put(&line, "observer");
		break;
	default:
		hs_put_question(&line, effect);
		break;
	}
	*line.at = '\0';
	return (size_t)(line.at - ret_text);
}

const char *hs_drop_name(enum hs_drop reason)
{
	static const char *const names[] = {
#define HS_DROP(name, text) #name,
#include "consensus/hs_drop.def"
#undef HS_DROP
	};

	ensure(reason < HS_DROP_COUNT);
	return names[reason];
}

const char *hs_drop_text(enum hs_drop reason)
{
	static const char *const texts[] = {
#define HS_DROP(name, text) text,
#include "consensus/hs_drop.def"
#undef HS_DROP
	};

	ensure(reason < HS_DROP_COUNT);
	return texts[reason];
}
