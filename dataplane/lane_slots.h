/*
 * lane_slots: the batches of one lane by seq and digest; chain, tip, naming (PROTOCOL §2.8).
 *
 * All questions about a chain are answered here: from slots above base, from
 * the index ring at and below it. Nothing here sends; callers decide.
 */
#ifndef QUORATE_DATAPLANE_LANE_SLOTS_H
#define QUORATE_DATAPLANE_LANE_SLOTS_H

#include "dataplane/lane_state.h"

static inline bool lane_is_in_ring(const struct lane_set *set, const struct lane *lane,
				   uint64_t seq)
{
	return seq > lane->base.seq && seq - lane->base.seq <= set->ring;
}

/* The slot of a seq, or NULL if it is outside the ring or was never opened. */
struct lane_slot *lane_slot_find(const struct lane_set *set, const struct lane *lane, uint64_t seq);

/* As find, but opens it; NULL only outside the ring. */
struct lane_slot *lane_slot_open(const struct lane_set *set, struct lane *lane, uint64_t seq);

/* The branch with this digest, or NULL. */
struct lane_branch *lane_slot_branch(struct lane_slot *slot, const struct crypto_hash *digest);

/*
 * The named branch, or NULL. It may be a lying leader's invention: it never keeps others from being
 * stored.
 */
struct lane_branch *lane_slot_preferred(struct lane_slot *slot);

/* As if nobody had been asked for this batch yet. */
void lane_slot_ask_anew(struct lane_slot *slot);

/* Is some batch of this slot already complete? */
bool lane_slot_is_bound(const struct lane_slot *slot);

/*
 * The branch that frames of the stream complete: preferred if it can be, else the first. NULL:
 * none.
 */
struct lane_branch *lane_slot_filling(struct lane_slot *slot);

/*
 * A new branch of the owner's (NULL: it has two already) or one that is only named (NULL: no room).
 */
struct lane_branch *lane_slot_add_owner(struct lane_set *set, struct lane_slot *slot,
					const struct crypto_hash *digest);

/* Forgets a branch and its buffer. */
void lane_branch_forget(struct lane_set *set, struct lane_slot *slot, struct lane_branch *branch);

/*
 * True if a batch between base and the ring's end may be accepted from the owner: window W, or
 * named.
 */
bool lane_is_in_window(const struct lane_set *set, const struct lane *lane, uint64_t seq);

/* One link of a chain: a header we hold. */
struct lane_link {
	const struct lane_header *header;
	bool is_durable;
	bool is_verified;
	bool is_bad;
};

/* The batch with this digest at this seq; false if its header is not held. */
bool lane_link_at(const struct lane_set *set, const struct lane *lane, uint64_t seq,
		  const struct crypto_hash *digest, struct lane_link *ret_link);

/* A batch at seq whose prev_digest is `prev`: preferred, else durable, else any with a header. */
bool lane_link_above(const struct lane_set *set, const struct lane *lane, uint64_t seq,
		     const struct crypto_hash *prev, struct lane_link *ret_link);

/*
 * Digest at `seq` of the chain ending in `end`; false if a link is missing. seq 0 is the zero
 * digest.
 */
bool lane_chain_at(const struct lane_set *set, const struct lane *lane, uint64_t seq,
		   const struct hs_cut_entry *end, struct crypto_hash *ret_digest);

/* The index entry of a seq at or below base, or NULL if it was overwritten. */
const struct lane_index_entry *lane_index_find(const struct lane_set *set, const struct lane *lane,
					       uint64_t seq);

/* Raises the tip as far as durable batches reach. True if it moved. */
bool lane_tip_raise(struct lane_set *set, struct lane *lane);

/* A batch became durable: the tip rises, or goes over to the named chain that it completes. */
void lane_tip_durable(struct lane_set *set, struct lane *lane, const struct lane_branch *branch);

/*
 * A proposal or committed block names this digest: prefer it, and its chain down to base. Beyond
 * the ring only a committed digest is remembered, as an anchor.
 */
void lane_name(struct lane_set *set, struct lane *lane, const struct hs_cut_entry *entry,
	       bool is_committed);

/* A named branch got its header: goes on below it. */
void lane_name_below(struct lane_set *set, struct lane *lane, const struct lane_branch *branch);

/* Takes the batch above base out of the slots into the index ring; it is durable and committed. */
void lane_base_raise(struct lane_set *set, struct lane *lane, struct lane_branch *branch);

/*
 * A buffer for a batch of this lane; discards higher batches of the lane if that is what it takes.
 */
uint32_t lane_buffer_take(struct lane_set *set, struct lane *lane, uint64_t seq);

#endif
