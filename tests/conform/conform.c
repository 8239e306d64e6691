/* The rules of PROTOCOL §5 (and §8), as far as a trace shows them, in the document's words. */
#include "tests/conform/conform.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "tests/conform/conform_facts.h"

enum { REPLICAS_MAX = 16, BLOCKS_MAX = 1 << 15, TIPS_MAX = 1 << 12 };

struct record {
	uint64_t vote, vote_id, timeout, timeout_qc, commit, commit_id, proposed, qc, qc_id;
	uint64_t intent, intent_id, intent_qc, tc, committed;
};

struct block {
	uint64_t author, view, height, time, parent, jview, cut[REPLICAS_MAX];
};

struct tip { /* a reason to commit `id`; is_qc: only its parent, and only by C2 */
	uint64_t id;
	bool is_qc;
};

struct replica {
	uint64_t life, restored, vote, timeout, commit, lock, lock_before, delivered;
	struct record disk, asked;
	bool has_disk, is_liar;
	struct tip tip[TIPS_MAX];
	uint32_t tips;
};

static struct block blocks[BLOCKS_MAX];
static struct replica replicas[REPLICAS_MAX];
static uint64_t replica_count, quorum, genesis, block_count;

static void must(bool is_true, const char *rule, const char *why)
{
	if (!is_true)
		conform_refuse(rule, why);
}

/* Knowledge of one life: the life is part of the replica's name. */
static uint64_t mind(uint64_t r)
{
	return r + replicas[r].life * 64;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static const struct block *block_of(uint64_t id)
{
	return id == genesis             ? &blocks[0] :
	       *fact(BLOCK_AT, 0, id, 0) ? &blocks[*fact(BLOCK_AT, 0, id, 0)] :
					   NULL;
}

static void add_tip(uint64_t r, uint64_t id, bool is_qc)
{
	must(replicas[r].tips < TIPS_MAX, "-", "too many tips");
	replicas[r].tip[replicas[r].tips++] = (struct tip){ id, is_qc };
}

static void learn_qc(uint64_t r, uint64_t view, uint64_t id)
{
	uint64_t *known = fact(KNOWS_QC, mind(r), view, id);

	if (*known)
		return;
	*known = 1;
	*fact(KNOWS_QC_VIEW, mind(r), view, 0) = 1;
	add_tip(r, id, true);
}

/* Rule A, and what a restart restored. */
static bool has_entered(uint64_t r, uint64_t view)
{
	return view == 1 || view == replicas[r].restored ||
	       *fact(KNOWS_QC_VIEW, mind(r), view - 1, 0) ||
	       *fact(KNOWS_TC, mind(r), view - 1, 0) || *fact(ENTERED, mind(r), view, 0);
}

/* One voice more for (kind, view, id) as `r` hears them; true when it makes a quorum. */
static bool hear_voice(enum fact kind, uint64_t r, uint64_t author, uint64_t view, uint64_t id)
{
	uint64_t *counted = fact(COUNTED, mind(r) * 256 + kind * 16 + author, view, id);
	uint64_t *count = fact(COUNT, mind(r) * 256 + kind, view, id);

	*count += *counted ? 0 : 1;
	*counted = 1;
	return *count >= quorum;
}

/* Was this said by its author? A liar may have said anything to anybody. */
static bool is_said(enum fact kind, uint64_t author, uint64_t view, uint64_t content)
{
	return author < replica_count &&
	       (replicas[author].is_liar || *fact(kind, author, view, 0) == content);
}

static void say_once(enum fact kind, uint64_t r, uint64_t view, uint64_t content, bool *ret_is_new)
{
	uint64_t *said = fact(kind, r, view, 0);

	*ret_is_new = *said == 0;
	must(*said == 0 || *said == content, "8", "two statements of one kind in one view");
	if (*ret_is_new)
		++*fact(VOICES, 0, view * 8 + kind, content);
	*said = content;
}

/* ---- P: is this block a valid proposal, as far as `r` can tell? ---- */

static void check_block(uint64_t r, const struct block *b)
{
	const struct block *parent = block_of(b->parent);

	must(b->author == b->view % replica_count, "P1", "not the leader of its view");
	must(b->view > b->jview, "P1", "its justify is not older");
	must(b->jview == 0 ? b->parent == genesis : *fact(KNOWS_QC, mind(r), b->jview, b->parent),
	     "P2", "its justify is not known");
	must(parent != NULL, "P1", "its parent is not known");
	must(b->height == parent->height + 1, "P1", "height does not follow");
	must(parent == &blocks[0] || parent->view == b->jview, "P1", "justify and parent differ");
	must(b->time > parent->time, "P1", "time does not rise");
	must(b->jview == b->view - 1 || (*fact(TC_MAX, r, b->view - 1, 0) &&
					 b->jview + 1 >= *fact(TC_MAX, r, b->view - 1, 0)),
	     "P3", "neither (a) nor (b)");
	for (uint64_t i = 0; i < replica_count; i++)
		must(b->cut[i] >= parent->cut[i], "P4", "the cut goes back");
}

/* ---- what is said ---- */

static void say_vote(uint64_t r, uint64_t view, uint64_t id)
{
	struct replica *own = &replicas[r];
	const struct record *disk = &own->disk;
	const struct block *b = block_of(id);
	bool is_intent = disk->intent == view && disk->intent_id == id;
	bool is_new;

	say_once(SAID_VOTE, r, view, id, &is_new);
	if (hear_voice(SAID_VOTE, r, r, view, id))
		learn_qc(r, view, id);
	must(disk->vote > view || (disk->vote == view && disk->vote_id == id) || is_intent, "D",
	     "VOTE before its record");
	must(*fact(KEEPS, r, id, 0), "D", "VOTE before its block");
	if (!is_new)
		return;
	must(b && b->view == view, "V", "a vote for a block of another view");
	check_block(r, b);
	must(has_entered(r, view), "A", "a vote in a view it has not entered");
	must(view > own->timeout, "V", "a vote in a view it timed out");
	must(view > own->vote || *fact(ASKED_VOTE, r, view, 0) == id, "V",
	     "a vote behind an earlier one");
	must(disk->qc >= b->jview || (is_intent && disk->intent_qc == b->jview), "D",
	     "VOTE before its lock");
	own->vote = max(own->vote, view);
	own->lock = max(own->lock, b->jview);
}

static void say_commit(uint64_t r, uint64_t view, uint64_t id)
{
	struct replica *own = &replicas[r];
	bool is_new;

	say_once(SAID_COMMIT, r, view, id, &is_new);
	if (hear_voice(SAID_COMMIT, r, r, view, id))
		add_tip(r, id, false);
	must(own->disk.commit > view || (own->disk.commit == view && own->disk.commit_id == id),
	     "D", "COMMIT before its record");
	must(own->disk.qc >= view, "D", "COMMIT before its lock");
	must(*fact(KEEPS, r, id, 0), "D", "COMMIT before its block");
	if (!is_new)
		return;
	must(*fact(KNOWS_QC, mind(r), view, id), "K", "a commit vote without the certificate");
	must(view > own->timeout, "K", "a commit vote in a view it timed out");
	must(view > own->commit || *fact(ASKED_COMMIT, r, view, 0) == id, "K",
	     "a commit vote behind an earlier one");
	own->commit = max(own->commit, view);
	own->lock = max(own->lock, view);
}

static void say_timeout(uint64_t r, uint64_t view, uint64_t qc_view)
{
	struct replica *own = &replicas[r];
	bool is_new;

	say_once(SAID_TIMEOUT, r, view, qc_view + 1, &is_new);
	if (hear_voice(SAID_TIMEOUT, r, r, view, 0))
		*fact(KNOWS_TC, mind(r), view, 0) = 1;
	must(own->disk.timeout > view ||
		     (own->disk.timeout == view && own->disk.timeout_qc == qc_view),
	     "D", "TIMEOUT before its record");
	must(qc_view == 0 || *fact(KNOWS_QC_VIEW, mind(r), qc_view, 0), "T",
	     "names a certificate it does not hold");
	if (!is_new)
		return;
	must(has_entered(r, view), "T", "a timeout of a view it has not entered");
	must(view > own->timeout, "T", "a timeout behind an earlier one");
	must(qc_view >= own->lock && qc_view >= own->lock_before, "L", "it hides its lock");
	own->timeout = view;
}

static void say_propose(uint64_t r, uint64_t id)
{
	const struct block *b = block_of(id);
	bool is_new;

	must(b != NULL, "P1", "an unknown block");
	if (b->author != r) {
		must(*fact(KNOWS_BLOCK, mind(r), id, 0), "P1", "a proposal from nowhere");
		return;
	}
	say_once(SAID_PROPOSE, r, b->view, id, &is_new);
	must(replicas[r].disk.proposed >= b->view, "D", "PROPOSE before its record");
	if (!is_new)
		return;
	check_block(r, b);
	must(has_entered(r, b->view), "A", "a proposal in a view it has not entered");
}

static void on_statement(const struct conform_line *line, uint64_t r)
{
	const char *kind = line->word[2];
	uint64_t author = line->number[3], view = line->number[4], id = line->number[5];
	bool is_own = line->word[0][0] == 's' && author == r;

	must(author < replica_count, "-", "no such author");
	if (kind[0] == 't' && is_own)
		say_timeout(r, view, id);
	else if (kind[0] == 't' && hear_voice(SAID_TIMEOUT, r, author, view, 0))
		*fact(KNOWS_TC, mind(r), view, 0) = 1;
	else if (kind[0] == 'v' && is_own)
		say_vote(r, view, id);
	else if (kind[0] == 'v' && hear_voice(SAID_VOTE, r, author, view, id))
		learn_qc(r, view, id);
	else if (kind[0] == 'c' && is_own)
		say_commit(r, view, id);
	else if (kind[0] == 'c' && hear_voice(SAID_COMMIT, r, author, view, id))
		add_tip(r, id, false);
}

/* ---- certificates ---- */

static void on_list(const struct conform_line *line, uint64_t r)
{
	bool is_fc = line->word[2][0] == 'f';
	uint64_t view = line->number[3], id = line->number[4];

	for (uint32_t i = 5; i < line->count; i++)
		must(is_said(is_fc ? SAID_COMMIT : SAID_VOTE, line->number[i], view, id), "P2",
		     "a signature nobody gave");
	if (view == 0) {
		must(id == genesis && !is_fc, "P2", "view 0 is genesis");
		return;
	}
	must(line->count >= 5 + quorum, "P2", "no quorum");
	must(line->word[0][0] != 's' || is_fc || *fact(KNOWS_QC, mind(r), view, id), "A",
	     "passes on what it does not know");
	if (is_fc)
		add_tip(r, id, false);
	else
		learn_qc(r, view, id);
}

static void on_tc(const struct conform_line *line, uint64_t r)
{
	uint64_t view = line->number[3], highest = 0;
	uint64_t *best = fact(TC_MAX, r, view, 0); /* max + 1: any of them may justify */

	for (uint32_t i = 4; i < line->count; i++) {
		must(is_said(SAID_TIMEOUT, line->number[i], view, line->second[i] + 1), "TC",
		     "a signature nobody gave");
		highest = max(highest, line->second[i]);
	}
	must(line->count >= 4 + quorum, "TC", "no quorum");
	must(line->word[0][0] != 's' || *fact(KNOWS_TC, mind(r), view, 0), "TC",
	     "passes on what it does not know");
	*best = *best == 0 || highest + 1 < *best ? highest + 1 : *best;
	*fact(KNOWS_TC, mind(r), view, 0) = 1;
}

/* ---- records, lives, the order ---- */

static void check_lock(const struct record *record)
{
	uint64_t liars = 0;

	for (uint64_t i = 0; i < replica_count; i++)
		liars += replicas[i].is_liar ? 1 : 0;
	must(record->qc == 0 ||
		     *fact(VOICES, 0, record->qc * 8 + SAID_VOTE, record->qc_id) + liars >= quorum,
	     "R", "no quorum voted for the lock on the disk");
}

static void check_record(const struct record *n, const struct record *old)
{
	must(n->vote >= old->vote && n->timeout >= old->timeout && n->commit >= old->commit &&
		     n->proposed >= old->proposed && n->qc >= old->qc &&
		     n->committed >= old->committed && max(n->vote, n->intent) >= old->intent,
	     "R", "a field of the record fell");
	must(n->timeout_qc <= n->qc, "L", "a timeout above the lock");
}

/* Signatures may end in another order than they were asked for: decisions have an order. */
static void on_ask(uint64_t r, const struct record *n)
{
	check_record(n, &replicas[r].asked);
	replicas[r].asked = *n;
	*fact(ASKED_VOTE, r, n->vote, 0) = n->vote_id;
	*fact(ASKED_COMMIT, r, n->commit, 0) = n->commit_id;
}

static void on_record(const struct conform_line *line, uint64_t r)
{
	struct replica *own = &replicas[r];
	const uint64_t *at = line->number;
	struct record old = own->disk;
	struct record n = { at[3],  at[4],  at[6],  at[7],  at[9],  at[10], at[12],
			    at[14], at[15], at[17], at[18], at[19], at[22], at[24] };

	must(line->count == 25, "-", "no record");
	if (line->word[0][0] == 'a') {
		on_ask(r, &n);
		return;
	}
	check_record(&n, &old);
	check_lock(&n);
	if (n.timeout > old.timeout)
		own->lock_before = own->has_disk ? old.qc : 0;
	own->disk = n;
	own->has_disk = true;
	if (line->word[0][0] != 's')
		return;
	own->asked = n;
	own->life++;
	own->tips = 0;
	own->delivered = 0;
	own->restored = max(max(max(n.vote, n.timeout), max(n.proposed, n.intent)),
			    max(n.qc + 1, n.tc ? n.tc + 1 : 0));
	if (n.qc > 0)
		learn_qc(r, n.qc, n.qc_id);
	if (n.tc > 0)
		*fact(KNOWS_TC, mind(r), n.tc, 0) = 1;
}

static void on_keep(uint64_t r, uint64_t id)
{
	const struct block *b = block_of(id);

	must(b != NULL, "-", "an unknown block");
	*fact(KEEPS, r, id, 0) = 1;
	*fact(KNOWS_BLOCK, mind(r), id, 0) = 1;
	*fact(ENTERED, mind(r), b->view, 0) = 1; /* it lies there with what justifies it */
	if (b->jview + 1 < b->view)
		*fact(KNOWS_TC, mind(r), b->view - 1, 0) = 1;
	if (b->jview > 0)
		learn_qc(r, b->jview, b->parent);
}

/* C1, C2, C3: everything below what is committed is committed. */
static void settle(uint64_t r)
{
	struct replica *own = &replicas[r];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < own->tips; i++) {
		struct tip tip = own->tip[i];
		const struct block *b = block_of(tip.id);

		if (b && tip.is_qc && (b->jview + 1 != b->view || b->jview == 0))
			continue; /* C2 says nothing of its parent */
		if (b && tip.is_qc)
			tip.id = b->parent;
		while (tip.id != genesis && (b = block_of(tip.id)) != NULL &&
		       !*fact(COMMITTED, r, tip.id, 0)) {
			*fact(COMMITTED, r, tip.id, 0) = 1;
			tip.id = b->parent;
		}
		if (!block_of(tip.id))
			own->tip[kept++] = own->tip[i];
	}
	own->tips = kept;
}

static void on_deliver(uint64_t r, uint64_t height, uint64_t id)
{
	struct replica *own = &replicas[r];
	const struct block *b = block_of(id);
	uint64_t *agreed = fact(DELIVERED, 0, height, 0);

	settle(r);
	must(b && b->height == height, "C", "a block delivered at another height");
	must(*agreed == 0 || *agreed == id, "C", "two blocks at one height");
	must(own->delivered == 0 || height == own->delivered + 1, "C", "a height is left out");
	must(replica_count == 1 || height <= own->disk.committed || *fact(COMMITTED, r, id, 0), "C",
	     "delivered without C1, C2 or C3");
	must(*fact(KEEPS, r, id, 0), "D", "delivered before its block is durable");
	*agreed = id;
	own->delivered = height;
}

static void on_block(const struct conform_line *line)
{
	const uint64_t *at = line->number;
	struct block *b = &blocks[++block_count];

	must(block_count + 1 < BLOCKS_MAX && line->count == 8 + replica_count, "-", "no block");
	*b = (struct block){ at[2], at[3], at[4], at[5], at[6], at[7], { 0 } };
	memcpy(b->cut, at + 8, replica_count * sizeof(b->cut[0]));
	*fact(BLOCK_AT, 0, at[1], 0) = block_count;
}

static void on_replicas(const struct conform_line *line)
{
	replica_count = line->number[1];
	genesis = line->number[2];
	must(replica_count > 0 && replica_count <= REPLICAS_MAX, "-", "too many replicas");
	quorum = replica_count - (replica_count - 1) / 3;
}

static void on_event(const struct conform_line *line, uint64_t r)
{
	const char *verb = line->word[0], *kind = line->word[2];

	if (strcmp(verb, "start") == 0 || strcmp(verb, "record") == 0 || strcmp(verb, "ask") == 0)
		on_record(line, r);
	else if (strcmp(verb, "keep") == 0)
		on_keep(r, line->number[2]);
	else if (strcmp(verb, "deliver") == 0)
		on_deliver(r, line->number[2], line->number[3]);
	else if (strcmp(kind, "qc") == 0 || strcmp(kind, "fc") == 0)
		on_list(line, r);
	else if (strcmp(kind, "tc") == 0)
		on_tc(line, r);
	else if (strcmp(kind, "propose") == 0 || strcmp(kind, "block") == 0) {
		if (verb[0] == 's' && kind[0] == 'p')
			say_propose(r, line->number[3]);
		*fact(KNOWS_BLOCK, mind(r), line->number[3], 0) = 1;
	} else
		on_statement(line, r);
}

void conform_judge(const struct conform_line *line)
{
	uint64_t r = line->number[1];

	if (strcmp(line->word[0], "replicas") == 0)
		on_replicas(line);
	else if (strcmp(line->word[0], "block") == 0)
		on_block(line);
	else {
		must(r < replica_count && line->count > 1, "-", "no such replica");
		if (strcmp(line->word[0], "liar") == 0)
			replicas[r].is_liar = true;
		else if (!replicas[r].is_liar)
			on_event(line, r);
	}
}
