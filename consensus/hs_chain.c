#include "consensus/hs_chain.h"

#include <string.h>

#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "consensus/hs_rules.h"
#include "crypto/crypto_hash.h"

static uint64_t hs_chain_key(const struct crypto_hash *id)
{
	uint64_t key;

	memcpy(&key, id->b, sizeof(key));
	return key;
}

static bool hs_chain_lives(const struct hs_chain *chain, uint32_t index)
{
	return chain->node[index].is_used && !chain->node[index].is_dead;
}

static void hs_chain_place(struct hs_chain *chain, uint32_t index, const struct hs_block *block)
{
	hs_copy_block(&chain->block[index], block);
	chain->key[index] = hs_chain_key(&block->id);
	chain->node[index] = (struct hs_node){
		.id = block->id,
		.parent_id = block->header.parent_id,
		.view = block->header.view,
		.height = block->header.height,
		.justify_view = block->justify.view,
		.parent = HS_NODE_NONE,
		.is_used = true,
		.pinned_step = chain->step,
	};
}

void hs_chain_init(struct hs_chain *chain, const struct hs_block *root)
{
	chain->step = 1;
	chain->root = 0;
	memset(chain->key, 0, sizeof(chain->key));
	memset(chain->node, 0, sizeof(chain->node));
	hs_chain_place(chain, 0, root);
	chain->node[0].is_certified = true;
	chain->node[0].is_durable = true;
}

void hs_chain_begin_step(struct hs_chain *chain)
{
	chain->step++;
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (chain->node[i].is_used && chain->node[i].is_dead)
			chain->node[i].is_used = false;
}

uint32_t hs_chain_find(const struct hs_chain *chain, const struct crypto_hash *id)
{
	uint64_t key = hs_chain_key(id);

	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (chain->key[i] == key && hs_chain_lives(chain, i) &&
		    crypto_hash_equal(&chain->node[i].id, id))
			return i;
	return HS_NODE_NONE;
}

bool hs_chain_is_parent(const struct hs_chain *chain, const struct crypto_hash *id)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (hs_chain_lives(chain, i) && i != chain->root &&
		    crypto_hash_equal(&chain->node[i].parent_id, id))
			return true;
	return false;
}

bool hs_chain_is_connected(const struct hs_chain *chain, uint32_t index)
{
	for (uint32_t steps = 0; index != HS_NODE_NONE && steps < HS_BLOCKS_MAX; steps++) {
		if (index == chain->root)
			return true;
		index = chain->node[index].parent;
	}
	return false;
}

uint32_t hs_chain_orphan_count(const struct hs_chain *chain)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (hs_chain_lives(chain, i) && !hs_chain_is_connected(chain, i))
			count++;
	return count;
}

bool hs_chain_missing(const struct hs_chain *chain, const struct crypto_hash *id,
		      struct crypto_hash *ret_id, uint32_t *ret_child)
{
	uint32_t child = HS_NODE_NONE;
	uint32_t index = hs_chain_find(chain, id);

	for (uint32_t steps = 0; index != HS_NODE_NONE && steps < HS_BLOCKS_MAX; steps++) {
		if (index == chain->root)
			return false;
		child = index;
		index = chain->node[index].parent;
	}
	*ret_id = child == HS_NODE_NONE ? *id : chain->node[child].parent_id;
	*ret_child = child;
	return true;
}

static void hs_chain_protect(const struct hs_chain *chain, const struct hs_chain_kept *kept,
			     bool ret_protected[HS_BLOCKS_MAX])
{
	memset(ret_protected, 0, HS_BLOCKS_MAX * sizeof(ret_protected[0]));
	ret_protected[chain->root] = true;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t index = kept->id[i] ? hs_chain_find(chain, kept->id[i]) : HS_NODE_NONE;

		for (uint32_t s = 0; index != HS_NODE_NONE && s < HS_BLOCKS_MAX; s++) {
			ret_protected[index] = true;
			index = chain->node[index].parent;
		}
	}
}

static bool hs_chain_is_leaf(const struct hs_chain *chain, uint32_t index)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (hs_chain_lives(chain, i) && chain->node[i].parent == index)
			return false;
	return true;
}

/* The leaf of lowest view among orphans (or forks) that may go, or HS_NODE_NONE. */
static uint32_t hs_chain_victim(const struct hs_chain *chain, const bool *is_protected,
				bool want_orphan)
{
	uint32_t victim = HS_NODE_NONE;

	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		if (!hs_chain_lives(chain, i) || is_protected[i] ||
		    chain->node[i].pinned_step == chain->step ||
		    hs_chain_is_connected(chain, i) == want_orphan || !hs_chain_is_leaf(chain, i))
			continue;
		if (victim == HS_NODE_NONE || chain->node[i].view < chain->node[victim].view)
			victim = i;
	}
	return victim;
}

static void hs_chain_remove(struct hs_chain *chain, uint32_t index)
{
	ensure(index != chain->root);
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (chain->node[i].is_used && chain->node[i].parent == index)
			chain->node[i].parent = HS_NODE_NONE;
	chain->node[index].is_used = false;
}

static uint32_t hs_chain_free_slot(const struct hs_chain *chain)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		if (!chain->node[i].is_used)
			return i;
	return HS_NODE_NONE;
}

/* An unconnected path to a protected id counts as protected only against other orphans. */
static uint32_t hs_chain_make_room(struct hs_chain *chain, const struct hs_chain_kept *kept,
				   bool for_orphan)
{
	bool is_protected[HS_BLOCKS_MAX];
	uint32_t slot = hs_chain_free_slot(chain);
	uint32_t victim = HS_NODE_NONE;

	if (for_orphan ? hs_chain_orphan_count(chain) < HS_ORPHANS_MAX && slot != HS_NODE_NONE :
			 slot != HS_NODE_NONE)
		return slot;
	hs_chain_protect(chain, kept, is_protected);
	victim = hs_chain_victim(chain, is_protected, true);
	if (victim == HS_NODE_NONE && !for_orphan) {
		for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
			if (is_protected[i] && !hs_chain_is_connected(chain, i))
				is_protected[i] = false;
		victim = hs_chain_victim(chain, is_protected, true);
	}
	if (victim == HS_NODE_NONE &&
	    (!for_orphan || hs_chain_orphan_count(chain) < HS_ORPHANS_MAX))
		victim = hs_chain_victim(chain, is_protected, false);
	if (victim != HS_NODE_NONE)
		hs_chain_remove(chain, victim);
	return victim;
}

/* Why `block` cannot hang below `parent`, or HS_DROP_COUNT. */
static enum hs_drop hs_chain_objection(const struct hs_block *block, const struct hs_block *parent)
{
	if (!hs_rules_p1_links_parent(block, parent))
		return HS_DROP_HEADER;
	if (!hs_rules_p1_time_rises(&block->header, &parent->header))
		return HS_DROP_TIME;
	return HS_DROP_COUNT;
}

static void hs_chain_adopt(struct hs_chain *chain, uint32_t index)
{
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		if (i == index || i == chain->root || !hs_chain_lives(chain, i) ||
		    !crypto_hash_equal(&chain->node[i].parent_id, &chain->node[index].id))
			continue;
		if (hs_chain_objection(&chain->block[i], &chain->block[index]) == HS_DROP_COUNT)
			chain->node[i].parent = index;
		else
			hs_chain_remove(chain, i);
	}
}

enum hs_drop hs_chain_insert(struct hs_chain *chain, const struct hs_block *block,
			     const struct hs_chain_kept *kept, uint32_t *ret_index)
{
	const struct hs_node *root = &chain->node[chain->root];
	const struct hs_header *header = &block->header;
	uint32_t parent = hs_chain_find(chain, &header->parent_id);
	enum hs_drop objection;
	uint32_t slot;

	ensure(hs_chain_find(chain, &block->id) == HS_NODE_NONE);
	if (header->height <= root->height || header->view <= root->view)
		return HS_DROP_PARENT;
	if (header->height == root->height + 1 && parent != chain->root)
		return HS_DROP_PARENT;
	if (parent != HS_NODE_NONE) {
		objection = hs_chain_objection(block, &chain->block[parent]);
		if (objection != HS_DROP_COUNT)
			return objection;
		chain->node[parent].pinned_step = chain->step;
	}
	slot = hs_chain_make_room(chain, kept,
				  parent == HS_NODE_NONE || !hs_chain_is_connected(chain, parent));
	if (slot == HS_NODE_NONE)
		return HS_DROP_FULL;
	hs_chain_place(chain, slot, block);
	chain->node[slot].parent = parent;
	hs_chain_adopt(chain, slot);
	*ret_index = slot;
	return HS_DROP_COUNT;
}

uint32_t hs_chain_path(const struct hs_chain *chain, uint32_t index,
		       uint32_t ret_path[HS_BLOCKS_MAX])
{
	uint32_t count = 0;

	for (uint32_t at = index; at != chain->root; at = chain->node[at].parent) {
		ensure(at != HS_NODE_NONE && count < HS_BLOCKS_MAX);
		count++;
	}
	for (uint32_t i = count; i > 0; i--) {
		ret_path[i - 1] = index;
		index = chain->node[index].parent;
	}
	return count;
}

static bool hs_chain_descends(const struct hs_chain *chain, uint32_t index, uint32_t from)
{
	for (uint32_t s = 0; index != HS_NODE_NONE && s < HS_BLOCKS_MAX; s++) {
		if (index == from)
			return true;
		index = chain->node[index].parent;
	}
	return false;
}

void hs_chain_commit(struct hs_chain *chain, uint32_t index)
{
	const struct hs_node *root = &chain->node[index];
	bool is_doomed[HS_BLOCKS_MAX] = { false };

	ensure(hs_chain_lives(chain, index) && hs_chain_is_connected(chain, index));
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		if (!hs_chain_lives(chain, i) || hs_chain_descends(chain, i, index))
			continue;
		is_doomed[i] = hs_chain_is_connected(chain, i) ||
			       chain->node[i].height <= root->height + 1 ||
			       chain->node[i].view <= root->view;
	}
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		if (is_doomed[i])
			chain->node[i].is_dead = true;
		if (chain->node[i].parent != HS_NODE_NONE && is_doomed[chain->node[i].parent])
			chain->node[i].parent = HS_NODE_NONE;
	}
	chain->root = index;
}

void hs_chain_pin(struct hs_chain *chain, uint32_t index)
{
	chain->node[index].pinned_step = chain->step;
}

void hs_chain_check(const struct hs_chain *chain)
{
	ensure(hs_chain_lives(chain, chain->root));
	ensure(chain->node[chain->root].parent == HS_NODE_NONE);
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		const struct hs_node *node = &chain->node[i];

		if (!hs_chain_lives(chain, i) || i == chain->root)
			continue;
		ensure(crypto_hash_equal(&node->id, &chain->block[i].id));
		ensure(node->height > chain->node[chain->root].height);
		ensure(node->view > chain->node[chain->root].view);
		if (node->parent == HS_NODE_NONE)
			continue;
		ensure(hs_chain_lives(chain, node->parent));
		ensure(chain->node[node->parent].height + 1 == node->height);
		ensure(chain->node[node->parent].view < node->view);
	}
}
