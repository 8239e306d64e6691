/* The observer of twins: sees every disk, every message and every commit. */
#include <string.h>

#include "base/units.h"
#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_make.h"
#include "tests/twins/twins_state.h"

void twins_fail(struct twins_world *w, const char *why)
{
	if (!w->result.failure)
		w->result.failure = why;
}

const struct hs_block *twins_durable(const struct process *process, const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < process->block_count; i++)
		if (process->is_durable[i] && crypto_hash_equal(&process->blocks[i].id, id))
			return &process->blocks[i];
	return NULL;
}

uint32_t twins_quorum(const struct twins_world *w)
{
	return hs_quorum(w->scenario.replica_count) - (w->is_weak ? 1 : 0);
}

/* True when a certificate with these very bytes was found good before. */
static bool is_known(struct twins_world *w, const struct crypto_hash *digest)
{
	for (uint32_t i = 0; i < w->checked_count; i++)
		if (crypto_hash_equal(&w->checked[i], digest))
			return true;
	if (w->checked_count < CHECKED_MAX)
		w->checked[w->checked_count++] = *digest;
	return false;
}

static void check_signer(struct twins_world *w, enum hs_message_kind kind, uint32_t signer,
			 uint64_t view, const struct crypto_hash *id, uint64_t qc_view,
			 const struct crypto_signature *signature)
{
	struct crypto_signature good =
		hs_make_signed(&w->process[0].config, kind, signer, view, id, qc_view);

	if (memcmp(&good, signature, sizeof(good)) != 0)
		twins_fail(w, "a certificate with a signature nobody made");
}

static void check_size(struct twins_world *w, const struct bitset *signers, uint32_t count)
{
	if (bitset_count(signers) != count || count != twins_quorum(w) ||
	    !bitset_is_below(signers, w->scenario.replica_count))
		twins_fail(w, "a certificate without q distinct members");
}

/* Of VOTEs or COMMITs. */
static void check_list(struct twins_world *w, enum hs_message_kind kind, const struct hs_qc *qc)
{
	uint32_t at = 0;
	struct crypto_hash digest;

	if (qc->view == 0)
		return;
	digest = crypto_hash_of(qc, offsetof(struct hs_qc, signature));
	digest.b[0] ^= (uint8_t)kind;
	check_size(w, &qc->signers, qc->count);
	if (w->result.failure || is_known(w, &digest))
		return;
	for (uint32_t i = 0; i < w->scenario.replica_count; i++)
		if (bitset_has(&qc->signers, i))
			check_signer(w, kind, i, qc->view, &qc->block_id, 0, &qc->signature[at++]);
}

static void check_tc(struct twins_world *w, const struct hs_tc *tc)
{
	uint32_t at = 0;

	check_size(w, &tc->signers, tc->count);
	for (uint32_t i = 0; i < w->scenario.replica_count && !w->result.failure; i++) {
		if (!bitset_has(&tc->signers, i))
			continue;
		check_signer(w, HS_MESSAGE_TIMEOUT, i, tc->view, NULL, tc->qc_view[at],
			     &tc->signature[at]);
		at++;
	}
}

static void check_certificates(struct twins_world *w, const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		check_list(w, HS_MESSAGE_VOTE, &message->u.propose.justify);
		if (message->u.propose.has_tc)
			check_tc(w, &message->u.propose.tc);
		break;
	case HS_MESSAGE_TIMEOUT:
		check_list(w, HS_MESSAGE_VOTE, &message->u.timeout.qc);
		break;
	case HS_MESSAGE_QC:
		check_list(w, HS_MESSAGE_VOTE, &message->u.qc);
		break;
	case HS_MESSAGE_TC:
		check_tc(w, &message->u.tc);
		break;
	case HS_MESSAGE_FC:
		check_list(w, HS_MESSAGE_COMMIT, &message->u.fc.c);
		break;
	case HS_MESSAGE_VOTE:
	case HS_MESSAGE_COMMIT:
		break;
	}
}

static bool say_once(struct crypto_hash *slot, const struct crypto_hash *id)
{
	bool is_good = crypto_hash_is_zero(slot) || crypto_hash_equal(slot, id);

	*slot = *id;
	return is_good;
}

static void watch_vote(struct twins_world *w, struct process *process, const struct hs_vote *vote)
{
	const struct hs_record *disk = &process->disk;
	const struct hs_block *block = twins_durable(process, &vote->block_id);

	bool is_first = crypto_hash_is_zero(&process->voted[vote->view]);

	if (!say_once(&process->voted[vote->view], &vote->block_id))
		twins_fail(w, "two votes of one replica in one view");
	if (is_first && process->timed_out[vote->view] != 0)
		twins_fail(w, "a vote after the timeout of its view (rule V)");
	if (disk->last_vote_view < vote->view || !block)
		twins_fail(w, "a vote left before it was durable (rule D)");
	else if (disk->high_qc.view < block->justify.view)
		twins_fail(w, "a vote left before its lock was durable (rule D)");
}

static void watch_commit_vote(struct twins_world *w, struct process *process,
			      const struct hs_commit *commit)
{
	const struct hs_record *disk = &process->disk;

	if (!say_once(&process->committed[commit->view], &commit->block_id))
		twins_fail(w, "two commits of one replica in one view");
	for (uint64_t view = commit->view; view < VIEWS_MAX; view++)
		if (process->timed_out[view] != 0 && process->timed_out[view] <= commit->view)
			twins_fail(w, "a commit that an own timeout forbids (rule K)");
	if (disk->last_commit_view < commit->view || disk->high_qc.view < commit->view)
		twins_fail(w, "a commit left before record and lock were durable (rule D)");
	if (!twins_durable(process, &commit->block_id))
		twins_fail(w, "a commit left before its block was durable (rule D)");
}

static void watch_timeout(struct twins_world *w, struct process *process,
			  const struct hs_timeout *timeout)
{
	uint64_t *slot = &process->timed_out[timeout->view];

	if (*slot != 0 && *slot != timeout->qc_view + 1)
		twins_fail(w, "two timeouts of one replica in one view");
	*slot = timeout->qc_view + 1;
	if (process->disk.last_timeout_view < timeout->view)
		twins_fail(w, "a timeout left before it was durable (rule D)");
	if (timeout->qc.view < timeout->qc_view)
		twins_fail(w, "a timeout without the certificate it names");
	for (uint64_t view = timeout->qc_view + 1; view <= timeout->view; view++)
		if (!crypto_hash_is_zero(&process->committed[view]))
			twins_fail(w, "a timeout hides a certificate it committed on (rule L)");
}

static void watch_propose(struct twins_world *w, struct process *process,
			  const struct hs_block *block)
{
	if (!say_once(&process->proposed[block->header.view], &block->id))
		twins_fail(w, "two proposals of one replica in one view");
	if (process->disk.last_proposed_view < block->header.view)
		twins_fail(w, "a proposal left before it was durable (rule D)");
}

static void watch_honest(struct twins_world *w, struct process *process,
			 const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		watch_propose(w, process, &message->u.propose);
		break;
	case HS_MESSAGE_VOTE:
		watch_vote(w, process, &message->u.vote);
		break;
	case HS_MESSAGE_COMMIT:
		watch_commit_vote(w, process, &message->u.commit);
		break;
	case HS_MESSAGE_TIMEOUT:
		watch_timeout(w, process, &message->u.timeout);
		break;
	case HS_MESSAGE_QC:
	case HS_MESSAGE_TC:
	case HS_MESSAGE_FC:
		break;
	}
}

void twins_watch_send(struct twins_world *w, struct process *process,
		      const struct hs_message *message)
{
	if (message->kind == HS_MESSAGE_PROPOSE) {
		const struct hs_block *block = &message->u.propose;

		if (!say_once(&w->first_proposal[block->header.view], &block->id))
			w->result.conflicts++;
	}
	if (process->is_twin)
		return;
	watch_honest(w, process, message);
	check_certificates(w, message);
}

void twins_watch_commit(struct twins_world *w, struct process *process,
			const struct hs_block *block)
{
	uint64_t height = block->header.height;

	if (height != process->height + 1 || height >= HEIGHTS_MAX)
		twins_fail(w, "a commit out of height order");
	if (w->result.failure)
		return;
	process->height = height;
	process->committed_view = block->header.view;
	if (process->is_twin)
		return;
	w->result.commits++;
	if (!say_once(&w->committed[height], &block->id))
		twins_fail(w, "two blocks committed at one height");
	if (height > 1 && !crypto_hash_equal(&block->header.parent_id, &w->committed[height - 1]))
		twins_fail(w, "a committed block does not follow the one below it");
	check_list(w, HS_MESSAGE_VOTE, &block->justify);
	w->height_max = units_max(w->height_max, height);
}

void twins_watch_evidence(struct twins_world *w, const struct hs_evidence *evidence)
{
	w->result.evidence++;
	if ((w->scenario.twins >> evidence->author & 1) == 0)
		twins_fail(w, "evidence blames an honest replica");
}
