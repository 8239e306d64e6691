/*
 * hs_make: consensus values for tests, with stand-in signatures.
 *
 * A signature here is a hash over author and signed bytes: different authors and
 * statements have different signatures, and hs_make_is_signed() can check one.
 * Nothing of it is secret; the product never sees this file.
 */
#ifndef QUORATE_TESTS_LIB_HS_MAKE_H
#define QUORATE_TESTS_LIB_HS_MAKE_H

#include "consensus/hs_core.h"

/* A valid configuration: delta 5 ms, timers to 1 s, heartbeat 1 s, floor 100 us. */
struct hs_config hs_make_config(uint32_t replica_count, uint32_t replica_id);

struct crypto_signature hs_make_signature(uint32_t author, const uint8_t *bytes, uint32_t count);
struct crypto_signature hs_make_signed(const struct hs_config *config, enum hs_message_kind kind,
				       uint32_t author, uint64_t view,
				       const struct crypto_hash *block_id, uint64_t qc_view);
bool hs_make_is_signed(const struct hs_config *config, const struct hs_commit *commit);

/* The genesis stand-in and its virtual certificate. */
void hs_make_genesis(const struct hs_config *config, struct hs_block *ret_block);
void hs_make_genesis_qc(const struct hs_config *config, struct hs_qc *ret_qc);

/* Signed by the q members `first`, first + 1, ... */
void hs_make_qc(const struct hs_config *config, uint64_t view, const struct crypto_hash *block_id,
		uint32_t first, struct hs_qc *ret_qc);
void hs_make_fc(const struct hs_config *config, uint64_t view, const struct crypto_hash *block_id,
		struct hs_fc *ret_fc);

/* Every one of the q signers reports `qc_view`, the first one `qc_view_max`. */
void hs_make_tc(const struct hs_config *config, uint64_t view, uint64_t qc_view,
		uint64_t qc_view_max, struct hs_tc *ret_tc);

/*
 * A child of `parent` in `view`, justified by q votes for the parent, by the view's leader;
 * every lane is one batch further. `salt` makes siblings differ. `tc` may be NULL.
 */
void hs_make_block(const struct hs_config *config, const struct hs_block *parent, uint64_t view,
		   const struct hs_tc *tc, uint64_t salt, struct hs_block *ret_block);

/* Recomputes justify digest, id and signature after a test changed a field. */
void hs_make_block_again(const struct hs_config *config, struct hs_block *block);

struct hs_vote hs_make_vote(const struct hs_config *config, uint32_t author, uint64_t view,
			    const struct crypto_hash *block_id);
struct hs_commit hs_make_commit(const struct hs_config *config, uint32_t author, uint64_t view,
				const struct crypto_hash *block_id);

/* `qc` is what it reports (NULL: genesis); `entry_tc` its entry certificate (NULL: none). */
void hs_make_timeout(const struct hs_config *config, uint32_t author, uint64_t view,
		     const struct hs_qc *qc, const struct hs_tc *entry_tc,
		     struct hs_timeout *ret_timeout);

#endif
