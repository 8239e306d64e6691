/*
 * wire_verify: signatures and certificates of raw messages (PROTOCOL §5 P(2), TC, §11).
 *
 * Everything is checked against one epoch's validator set. A bounded cache of
 * signatures already checked (key: H of signer, signed bytes, signature) makes
 * a certificate whose votes were seen cost hashes instead of Ed25519 checks.
 * The cache never says yes to bytes it has not seen whole.
 * Memory: caller's. Threads: one owner.
 */
#ifndef QUORATE_WIRE_VERIFY_H
#define QUORATE_WIRE_VERIFY_H

#include "crypto/crypto_sign.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"

/* One epoch's members; set_hash = H(tag, epoch, count, keys). */
struct wire_validators {
	struct crypto_hash chain_id;
	struct crypto_hash set_hash;
	uint64_t epoch;
	uint32_t count;
	struct crypto_public_key key[HS_REPLICAS_MAX];
};

struct crypto_hash wire_set_hash(uint64_t epoch, const struct crypto_public_key *keys,
				 uint32_t count);

struct wire_verifier;

struct wire_verifier_config {
	const struct wire_validators *validators; /* kept by the caller, constant */
	struct crypto_verifier verifier;
	struct crypto_hash genesis_id; /* the block a view-0 virtual certificate may name */
	uint32_t cache_entries;        /* a power of two, at least 2; 96 bytes each */
};

size_t wire_verifier_footprint(const struct wire_verifier_config *config);
int wire_verifier_init(void *memory, size_t memory_bytes, const struct wire_verifier_config *config,
		       struct wire_verifier **ret_verifier);

/* One signature by a member; consults and fills the cache. */
bool wire_verify_signature(struct wire_verifier *verifier, uint32_t author, const void *bytes,
			   size_t count, const struct crypto_signature *signature);

/* q distinct members, every signature good; view 0 only for genesis. */
bool wire_verify_qc(struct wire_verifier *verifier, const struct hs_qc *qc);
bool wire_verify_tc(struct wire_verifier *verifier, const struct hs_tc *tc);
bool wire_verify_fc(struct wire_verifier *verifier, const struct hs_fc *fc);

/* Block: author's signature, justify matches the header's view and digest, QC and TC good. */
bool wire_verify_block(struct wire_verifier *verifier, const struct hs_block *block);

/*
 * All signatures of a decoded message, and the Merkle paths of a REPAIR. Returns 0 or
 * ERR_SIGNATURE. Left to others: COMMIT (checked on demand), seals of frames (wire_verify_frame),
 * the blocks inside BLOCKS (wire_verify_block; its FC is checked here), and SHOW (signed by who
 * receives it: wire_verify_statement).
 */
int wire_verify_message(struct wire_verifier *verifier, const struct wire_message *message);

bool wire_verify_vote(struct wire_verifier *verifier, const struct hs_vote *vote);
bool wire_verify_commit(struct wire_verifier *verifier, const struct hs_commit *commit);
/* Is this signed by `author`? */
bool wire_verify_statement(struct wire_verifier *verifier, uint32_t author,
			   const struct hs_statement *statement);
/* Both statements are signed by the author and contradict each other (§8). */
bool wire_verify_evidence(struct wire_verifier *verifier, const struct wire_evidence *evidence);
bool wire_verify_batch_header(struct wire_verifier *verifier, const struct lane_header *header);

/*
 * A client's seal, with the bounded cache of (client, root, signature) already checked (§1). The
 * key must be valid (§11); that test is skipped when `verifier` is not crypto_verifier_ed25519.
 */
bool wire_verify_frame(struct wire_verifier *verifier, const struct wire_frame *frame);

struct wire_verify_counters {
	uint64_t checks;       /* Ed25519 checks done */
	uint64_t checks_saved; /* answered by the caches */
	uint64_t bad;
};
const struct wire_verify_counters *wire_verify_counters(const struct wire_verifier *verifier);

#endif
