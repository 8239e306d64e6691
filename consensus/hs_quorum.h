/*
 * hs_quorum: who said what in which view, and when that is enough.
 *
 * Model    A window of HS_ROUNDS_MAX views, one round each; a round older than
 *          the window is forgotten when its place is needed. Per view and author
 *          one VOTE, one COMMIT, one TIMEOUT: the first one counts.
 * Invariant An author counts once, whatever he sends; a certificate lists q
 *          distinct authors in rising order.
 * Memory   hs_quorum_footprint() bytes right behind the struct, named by an
 *          offset, so that a core can be copied as bytes.
 * Source   PROTOCOL §3, §5 C, T, TC, §8.
 */
#ifndef QUORATE_CONSENSUS_HS_QUORUM_H
#define QUORATE_CONSENSUS_HS_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_core.h"

enum { HS_ROUNDS_MAX = 2 * HS_VIEWS_AHEAD_MAX };

struct hs_round {
	uint64_t view;
	struct bitset voted;
	struct bitset committed;      /* COMMITs that count */
	struct bitset committed_held; /* of suspects: count once checked */
	struct bitset committed_good; /* signature checked */
	struct bitset timed_out;
	bool has_qc; /* made here, so that it is made once */
	uint32_t proposal_count;
	struct crypto_hash proposal_id; /* of the first PROPOSE */
	struct crypto_signature proposal_signature;
};

/* What one author said in one view; meaningful where the round's sets say so. */
struct hs_ballot {
	struct crypto_hash vote_id;
	struct crypto_signature vote_signature;
	struct crypto_hash commit_id;
	struct crypto_signature commit_signature;
	uint64_t timeout_qc_view;
	struct crypto_signature timeout_signature;
};

struct hs_quorum {
	uint32_t replica_count;
	uint32_t size;         /* q */
	size_t ballots_offset; /* from this struct */
	struct hs_round round[HS_ROUNDS_MAX];
};

enum hs_count {
	HS_COUNT_NEW,
	HS_COUNT_SAME,     /* the same statement again */
	HS_COUNT_CONFLICT, /* a second, different one: evidence */
	HS_COUNT_GONE,     /* its round has left the window */
};

/* Bytes of the struct and the ballots behind it. */
size_t hs_quorum_footprint(uint32_t replica_count);
void hs_quorum_init(struct hs_quorum *quorum, uint32_t replica_count);

/* The round of a view, emptied if its place held an older one; NULL if a newer one is there. */
struct hs_round *hs_quorum_round(struct hs_quorum *quorum, uint64_t view);

/* The round if it is held, else NULL; changes nothing. */
const struct hs_round *hs_quorum_peek(const struct hs_quorum *quorum, uint64_t view);
const struct hs_ballot *hs_quorum_ballot(const struct hs_quorum *quorum, uint64_t view,
					 uint32_t author);

enum hs_count hs_quorum_vote(struct hs_quorum *quorum, const struct hs_vote *vote);
uint32_t hs_quorum_vote_count(const struct hs_quorum *quorum, uint64_t view,
			      const struct crypto_hash *block_id);

/* Needs q votes for it. */
void hs_quorum_make_qc(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
		       const struct crypto_hash *block_id, struct hs_qc *ret_qc);

/*
 * `is_held`: its author once sent a bad signature, so it counts only after
 * hs_quorum_commit_judge().
 */
enum hs_count hs_quorum_commit(struct hs_quorum *quorum, const struct hs_commit *commit,
			       bool is_held);
uint32_t hs_quorum_commit_count(const struct hs_quorum *quorum, uint64_t view,
				const struct crypto_hash *block_id);

/* Writes COMMITs for the block whose signature is unchecked, `ret_list` sized for all authors. */
uint32_t hs_quorum_commits_unchecked(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
				     const struct crypto_hash *block_id,
				     struct hs_commit *ret_list);

/* The verdict on one COMMIT: a good one counts, a bad one is forgotten. False if none is held. */
bool hs_quorum_commit_judge(struct hs_quorum *quorum, uint64_t view, uint32_t author,
			    const struct crypto_hash *block_id, bool is_good);

/* True, and `ret_fc`, when q COMMITs with checked signatures are here. */
bool hs_quorum_make_fc(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
		       const struct crypto_hash *block_id, struct hs_fc *ret_fc);

enum hs_count hs_quorum_timeout(struct hs_quorum *quorum, const struct hs_timeout *timeout);
uint32_t hs_quorum_timeout_count(const struct hs_quorum *quorum, uint64_t view);
bool hs_quorum_timed_out(const struct hs_quorum *quorum, uint64_t view, uint32_t author);

/* Needs q timeouts. */
void hs_quorum_make_tc(const struct hs_quorum *quorum, uint64_t epoch, uint64_t view,
		       struct hs_tc *ret_tc);

#endif
