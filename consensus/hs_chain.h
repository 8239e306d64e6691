/*
 * hs_chain: the bounded tree of uncommitted blocks above the committed one.
 *
 *     root (committed) <- a <- b <- c        connected: reach the root
 *                          ^- x              a fork
 *              (missing) <- p <- q           orphans: wait for a parent
 *
 * Model    HS_BLOCKS_MAX slots; a node is named by its index, valid until it is
 *          swept. Committing makes a node the root; what does not descend from
 *          it dies at once and is swept at the next hs_chain_begin_step(), so
 *          pointers handed out in a step stay valid through it.
 * Room     At most HS_ORPHANS_MAX slots hold orphans. A full tree evicts, in
 *          this order, an orphan leaf, then a leaf of a stale fork, lowest view
 *          first; never a block between a protected one and the root, and
 *          never one that this step handed out.
 * Loops    Walks follow parent links upward, at most HS_BLOCKS_MAX steps.
 */
#ifndef QUORATE_CONSENSUS_HS_CHAIN_H
#define QUORATE_CONSENSUS_HS_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/hs_core.h"

enum {
	HS_NODE_NONE = 0xffffffff,
	HS_ORPHANS_MAX = HS_BLOCKS_MAX / 2,
};

enum hs_validity { HS_VALIDITY_UNJUDGED, HS_VALIDITY_VALID, HS_VALIDITY_INVALID };

enum hs_payload_state {
	HS_PAYLOAD_STATE_NONE,
	HS_PAYLOAD_STATE_WANTED,
	HS_PAYLOAD_STATE_READY,
	HS_PAYLOAD_STATE_INVALID,
};

struct hs_node {
	struct crypto_hash id;
	struct crypto_hash parent_id;
	uint64_t view;
	uint64_t height;
	uint64_t justify_view;
	uint32_t parent; /* index, or HS_NODE_NONE: the root, or an orphan */
	bool is_used;
	bool is_dead;     /* swept at the next step */
	bool is_proposal; /* came as PROPOSE: may be voted for once judged */
	bool is_certified;
	bool is_durable;
	enum hs_validity validity;
	enum hs_payload_state payload;
	uint64_t persist_ticket; /* 0: PERSIST_BLOCK not asked */
	uint64_t pinned_step;    /* handed out in this step */
};

struct hs_chain {
	uint64_t step;
	uint32_t root;
	uint64_t key[HS_BLOCKS_MAX]; /* first bytes of the id, for quick search */
	struct hs_node node[HS_BLOCKS_MAX];
	struct hs_block block[HS_BLOCKS_MAX];
};

/* `root` is the committed block (or the genesis stand-in); copied. */
void hs_chain_init(struct hs_chain *chain, const struct hs_block *root);

/* Frees what died in the step before. */
void hs_chain_begin_step(struct hs_chain *chain);

/* Returns the index of a living node, or HS_NODE_NONE. */
uint32_t hs_chain_find(const struct hs_chain *chain, const struct crypto_hash *id);

/* True when a living node names `id` as its parent: the justify of that child certifies it. */
bool hs_chain_is_parent(const struct hs_chain *chain, const struct crypto_hash *id);

/* What may not be evicted: everything between these ids and the root. */
struct hs_chain_kept {
	const struct crypto_hash *id[2];
};

/*
 * Copies a block, whose id is not yet here, into the tree and links it. HS_DROP_COUNT on success,
 * else why not: HEADER (does not fit its known parent), TIME, PARENT (forks off below or at the
 * root), FULL. Children that do not fit the block are removed.
 */
enum hs_drop hs_chain_insert(struct hs_chain *chain, const struct hs_block *block,
			     const struct hs_chain_kept *kept, uint32_t *ret_index);

bool hs_chain_is_connected(const struct hs_chain *chain, uint32_t index);

/* Copies of the uncommitted orphans; a caller asks before fetching further down. */
uint32_t hs_chain_orphan_count(const struct hs_chain *chain);

/*
 * Walks from `id` to the root. True when a block on the way is not here: `ret_id` names it and
 * `ret_child` is the node above it (HS_NODE_NONE if `id` itself is missing).
 */
bool hs_chain_missing(const struct hs_chain *chain, const struct crypto_hash *id,
		      struct crypto_hash *ret_id, uint32_t *ret_child);

/*
 * Writes the indices from the root's child to `index`, ascending; `index` must be connected.
 * Returns how many.
 */
uint32_t hs_chain_path(const struct hs_chain *chain, uint32_t index,
		       uint32_t ret_path[HS_BLOCKS_MAX]);

/* Makes a connected node the root; what does not descend from it dies. */
void hs_chain_commit(struct hs_chain *chain, uint32_t index);

/* Marks the node as handed out: it is not evicted in this step. */
void hs_chain_pin(struct hs_chain *chain, uint32_t index);

/* Aborts if links, heights or counts are inconsistent. */
void hs_chain_check(const struct hs_chain *chain);

#endif
