/*
 * hs_rules: the rules of PROTOCOL §5 as questions, in the document's order.
 *
 * Nothing here changes anything. The first letter of a name is its rule, so
 * this file can be laid beside the document. What the gate checks (signatures,
 * P(2)) and what lanes check (P(5)) is not repeated.
 */
#ifndef QUORATE_CONSENSUS_HS_RULES_H
#define QUORATE_CONSENSUS_HS_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/hs_types.h"

/* A: a certificate of `certificate_view` ends every view up to its own. */
bool hs_rules_a_enters(uint64_t view, uint64_t certificate_view);

/* P(1): height, parent and justify agree with the parent block; time is above the parent's. */
bool hs_rules_p1_links_parent(const struct hs_block *block, const struct hs_block *parent);
bool hs_rules_p1_time_rises(const struct hs_header *header, const struct hs_header *parent);

/* P(1): header fields repeat what the justify says; needs no parent. */
bool hs_rules_p1_names_justify(const struct hs_block *block);

/* P(1): a voter holds the proposal until this is true. */
bool hs_rules_p1_time_is_due(uint64_t time_ns, uint64_t wall_ns, uint64_t clock_skew_max_ns);

/* P(3): (a) justify of the view before, or (b) TC of the view before and justify >= TC.max. */
bool hs_rules_p3_justify_fits(const struct hs_block *block);

/* P(4): no lane of the cut goes back or changes a batch already ordered. */
bool hs_rules_p4_cut_is_monotone(const struct hs_cut *cut, const struct hs_cut *parent);

/* P(6), P(7): fields that exist and are refused until their issue is done. */
bool hs_rules_p6_uses_reserved(const struct hs_header *header);

/* V, without "v is my current view", which the caller knows. */
bool hs_rules_v_may_vote(const struct hs_record *record, uint64_t view);

/* V and R: the recorded vote itself may be sent again (the intent counts as done). */
bool hs_rules_v_is_recorded_vote(const struct hs_record *record, uint64_t view,
				 const struct crypto_hash *block_id);

/* K: COMMIT(view) is allowed: no TIMEOUT at or above it, none of its kind yet, and it is locked. */
bool hs_rules_k_may_commit(const struct hs_record *record, uint64_t view);

/* C2: QC(block) commits the block's parent: exactly consecutive views. */
bool hs_rules_c2_commits_parent(uint64_t view, uint64_t justify_view);

/* T: one TIMEOUT a view, rising. */
bool hs_rules_t_may_time_out(const struct hs_record *record, uint64_t view);

/* TC.max: recomputed by every verifier. */
uint64_t hs_rules_tc_max(const struct hs_tc *tc);

/* §8: an honest replica never signs both. Both statements are of one author and epoch. */
bool hs_rules_commit_contradicts_timeout(uint64_t commit_view, uint64_t timeout_view,
					 uint64_t timeout_qc_view);

#endif
