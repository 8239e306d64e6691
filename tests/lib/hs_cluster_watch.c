/* The observer of hs_cluster: sees every disk and every message. */
#include <stdlib.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_cluster_state.h"

void hs_cluster_fail(struct cluster *c, const char *why)
{
	if (!c->result.failure)
		c->result.failure = why;
}

const struct hs_block *hs_cluster_durable(const struct node *node, const struct crypto_hash *id)
{
	for (uint64_t i = node->block_count; i > 0 && i + BLOCKS_KEPT_MAX > node->block_count;
	     i--) {
		const struct hs_block *block = &node->blocks[(i - 1) % BLOCKS_KEPT_MAX];

		if (crypto_hash_equal(&block->id, id))
			return block;
	}
	return NULL;
}

static bool say_once(struct crypto_hash *slot, const struct crypto_hash *id)
{
	bool is_good = crypto_hash_is_zero(slot) || crypto_hash_equal(slot, id);

	*slot = *id;
	return is_good;
}

static void watch_vote(struct cluster *c, struct node *node, const struct hs_vote *vote)
{
	const struct hs_record *disk = &node->disk;
	bool is_recorded = (disk->last_vote_view == vote->view &&
			    crypto_hash_equal(&disk->last_vote_id, &vote->block_id)) ||
			   (disk->intent_view == vote->view &&
			    crypto_hash_equal(&disk->intent_id, &vote->block_id)) ||
			   disk->last_vote_view > vote->view;
	const struct hs_block *block = hs_cluster_durable(node, &vote->block_id);

	if (!say_once(&c->voted[node->index][vote->view % VIEWS_MAX], &vote->block_id))
		hs_cluster_fail(c, "two votes of one replica in one view");
	if (!is_recorded || !block)
		hs_cluster_fail(c, "a vote left before it was durable");
	else if (disk->high_qc.view < block->justify.view &&
		 (disk->intent_view != vote->view ||
		  !hs_qc_is_same(&disk->intent_justify, &block->justify)))
		hs_cluster_fail(c, "a vote left before its lock was durable");
}

static void watch_commit(struct cluster *c, struct node *node, const struct hs_commit *commit)
{
	const struct hs_record *disk = &node->disk;

	if (!say_once(&c->commit_voted[node->index][commit->view % VIEWS_MAX], &commit->block_id))
		hs_cluster_fail(c, "two commits of one replica in one view");
	if (disk->last_commit_view < commit->view || disk->high_qc.view < commit->view)
		hs_cluster_fail(c, "a commit left before record and lock were durable");
	if (!hs_cluster_durable(node, &commit->block_id))
		hs_cluster_fail(c, "a commit left before its block was durable");
}

static void watch_timeout(struct cluster *c, struct node *node, const struct hs_timeout *timeout)
{
	uint64_t *slot = &c->timed_out[node->index][timeout->view % VIEWS_MAX];

	if (*slot != 0 && *slot != timeout->qc_view + 1)
		hs_cluster_fail(c, "two timeouts of one replica in one view");
	*slot = timeout->qc_view + 1;
	if (node->disk.last_timeout_view < timeout->view)
		hs_cluster_fail(c, "a timeout left before it was durable");
	if (timeout->qc.view < timeout->qc_view)
		hs_cluster_fail(c, "a timeout without the certificate it names");
	for (uint64_t view = timeout->qc_view + 1; view <= timeout->view; view++)
		if (!crypto_hash_is_zero(&c->commit_voted[node->index][view % VIEWS_MAX]))
			hs_cluster_fail(c,
					"a timeout hides a certificate it committed on (rule L)");
}

static void watch_propose(struct cluster *c, struct node *node, const struct hs_block *block)
{
	if (!say_once(&c->proposed[node->index][block->header.view % VIEWS_MAX], &block->id))
		hs_cluster_fail(c, "two proposals of one replica in one view");
	if (node->disk.last_proposed_view < block->header.view)
		hs_cluster_fail(c, "a proposal left before it was durable");
}

void hs_cluster_watch_send(struct cluster *c, struct node *node, const struct hs_message *message)
{
	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		watch_propose(c, node, &message->u.propose);
		break;
	case HS_MESSAGE_VOTE:
		watch_vote(c, node, &message->u.vote);
		break;
	case HS_MESSAGE_COMMIT:
		watch_commit(c, node, &message->u.commit);
		break;
	case HS_MESSAGE_TIMEOUT:
		watch_timeout(c, node, &message->u.timeout);
		break;
	default:
		break;
	}
}

void hs_cluster_watch_commit(struct cluster *c, struct node *node, const struct hs_block *block)
{
	uint64_t height = block->header.height;

	if (height != node->height + 1)
		hs_cluster_fail(c, "a commit out of height order");
	node->height = height;
	ensure(height < HEIGHTS_MAX);
	if (node->is_twin)
		return;
	if (!say_once(&c->committed[height], &block->id))
		hs_cluster_fail(c, "two blocks committed at one height");
	if (!c->committed_block[height]) {
		c->committed_block[height] = calloc(1, sizeof(*block));
		ensure(c->committed_block[height]);
		hs_copy_block(c->committed_block[height], block);
	}
	c->height_max = units_max(c->height_max, height);
}
