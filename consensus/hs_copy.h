/*
 * hs_copy: copies that cost what the value holds, not what the type could hold.
 *
 * A certificate is 4 kB at n = 100 and 300 bytes at n = 4. Entries beyond the
 * count are left as they were in the target; nothing may read them.
 */
#ifndef QUORATE_CONSENSUS_HS_COPY_H
#define QUORATE_CONSENSUS_HS_COPY_H

#include "consensus/hs_types.h"

void hs_copy_qc(struct hs_qc *ret_qc, const struct hs_qc *qc);
void hs_copy_tc(struct hs_tc *ret_tc, const struct hs_tc *tc);
void hs_copy_cut(struct hs_cut *ret_cut, const struct hs_cut *cut);
void hs_copy_header(struct hs_header *ret_header, const struct hs_header *header);

/* The TC is copied only when the block has one. */
void hs_copy_block(struct hs_block *ret_block, const struct hs_block *block);

/* Only the arm named by `kind` is copied. */
void hs_copy_entry(struct hs_entry *ret_entry, const struct hs_entry *entry);
void hs_copy_timeout(struct hs_timeout *ret_timeout, const struct hs_timeout *timeout);
void hs_copy_record(struct hs_record *ret_record, const struct hs_record *record);

/* True when both are the same bytes: view, block, signers and every signature. */
bool hs_qc_is_same(const struct hs_qc *a, const struct hs_qc *b);

#endif
