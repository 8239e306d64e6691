/*
 * hs_types: the words of consensus as verified values (PROTOCOL §3, §4).
 *
 * A value of these types was decoded and its signatures were checked, except
 * where a field says otherwise; raw bytes live in wire/. Arrays are sized for
 * HS_REPLICAS_MAX; only the first `count` entries mean anything.
 */
#ifndef QUORATE_CONSENSUS_HS_TYPES_H
#define QUORATE_CONSENSUS_HS_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitset.h"
#include "crypto/crypto_types.h"

#ifndef HS_REPLICAS_MAX
#define HS_REPLICAS_MAX 100 /* the explorer builds with fewer */
#endif

enum {
	HS_QUORUM_MAX = (2 * HS_REPLICAS_MAX) / 3 + 1,
	HS_REPLICA_NONE = 0xffffffff,
	HS_REPLICA_ALL = 0xfffffffe,
};

/* f = (n - 1) / 3 and q = n - f; q = 2f + 1 when n = 3f + 1. */
static inline uint32_t hs_faulty_max(uint32_t replica_count)
{
	return (replica_count - 1) / 3;
}

static inline uint32_t hs_quorum(uint32_t replica_count)
{
	return replica_count - hs_faulty_max(replica_count);
}

/* One lane's part of a cut: everything up to batch `seq`, on the chain that ends in `digest`. */
struct hs_cut_entry {
	uint64_t seq; /* 0: nothing yet; the digest is then all zero */
	struct crypto_hash digest;
};

struct hs_cut {
	uint32_t lane_count;
	struct hs_cut_entry lane[HS_REPLICAS_MAX];
};

/*
 * What a block says. Its id is H over every field (wire_block_id()), so parent
 * and justify are bound by it; the justify digest covers (view, block), not the
 * choice of signatures.
 */
struct hs_header {
	uint64_t epoch;
	uint64_t view;
	uint64_t height;
	uint64_t time_ns; /* since 1970; strictly above the parent's */
	struct crypto_hash parent_id;
	uint64_t justify_view;
	struct crypto_hash justify_digest;
	bool has_config;     /* refused until reconfiguration exists */
	bool has_checkpoint; /* refused until checkpoints exist */
	uint64_t checkpoint_height;
	struct crypto_hash config_digest;
	struct crypto_hash checkpoint_root;
	struct hs_cut cut;
};

/* q VOTE signatures over (epoch, view, block_id), in rising order of signer. */
struct hs_qc {
	uint64_t epoch;
	uint64_t view; /* 0: the virtual certificate of genesis, without signatures */
	struct crypto_hash block_id;
	struct bitset signers;
	uint32_t count;
	struct crypto_signature signature[HS_QUORUM_MAX];
};

/* q TIMEOUT signatures over (epoch, view, qc_view[i]), in rising order of signer. */
struct hs_tc {
	uint64_t epoch;
	uint64_t view;
	struct bitset signers;
	uint32_t count;
	uint64_t qc_view[HS_QUORUM_MAX];
	struct crypto_signature signature[HS_QUORUM_MAX];
};

/*
 * q COMMIT signatures over (epoch, view, block_id): transferable finality (FC). Same shape as a QC.
 */
struct hs_fc {
	struct hs_qc c;
};

/*
 * A header with what justifies it: what is made durable before a VOTE for it, and what catch-up
 * ships.
 */
struct hs_block {
	struct crypto_hash id;
	struct hs_header header;
	struct hs_qc justify;
	bool has_tc;
	struct hs_tc tc;
	uint32_t author;                   /* leader of header.view */
	struct crypto_signature signature; /* the author's, over (epoch, view, id) */
};

struct hs_vote {
	uint32_t author;
	uint64_t epoch;
	uint64_t view;
	struct crypto_hash block_id;
	struct crypto_signature signature;
};

/* Same shape as a vote. Acted on under the session tag; `signature` may be unchecked. */
struct hs_commit {
	uint32_t author;
	uint64_t epoch;
	uint64_t view;
	struct crypto_hash block_id;
	struct crypto_signature signature;
};

/* The certificate that let its holder enter a view: QC(v-1) or TC(v-1), or none (view 1). */
struct hs_entry {
	enum hs_entry_kind { HS_ENTRY_NONE, HS_ENTRY_QC, HS_ENTRY_TC } kind;
	struct hs_qc qc;
	struct hs_tc tc;
};

/*
 * Signed: epoch, view, qc_view. Beside it, unsigned: that QC and the entry certificate for `view`.
 */
struct hs_timeout {
	uint32_t author;
	uint64_t epoch;
	uint64_t view;
	uint64_t qc_view;
	struct crypto_signature signature;
	struct hs_qc qc;
	struct hs_entry entry;
};

enum hs_message_kind {
	HS_MESSAGE_PROPOSE = 1,
	HS_MESSAGE_VOTE,
	HS_MESSAGE_COMMIT,
	HS_MESSAGE_TIMEOUT,
	HS_MESSAGE_QC, /* a certificate on its own: answers to stragglers */
	HS_MESSAGE_TC,
	HS_MESSAGE_FC,
};

struct hs_message {
	enum hs_message_kind kind;
	union {
		struct hs_block propose;
		struct hs_vote vote;
		struct hs_commit commit;
		struct hs_timeout timeout;
		struct hs_qc qc;
		struct hs_tc tc;
		struct hs_fc fc;
	} u;
};

/*
 * The safety record (PROTOCOL §4): what must be durable before anything that
 * depends on it leaves. Sequence and checksums are the store's. Pairs of
 * (epoch, view) compare lexicographically; one record has one epoch.
 */
enum { HS_RECORD_VERSION = 1 };

struct hs_record {
	uint64_t epoch;
	uint64_t last_vote_view;
	struct crypto_hash last_vote_id;
	uint64_t last_timeout_view;
	uint64_t last_timeout_qc_view;
	/*
	 * TC(v - 1) when the view v of this record was entered by it and high_qc does not prove it:
	 * without it a whole cluster that crashed in different views could never meet again. A
	 * record never holds both this and an intent, so its size stays that of two certificates.
	 */
	bool has_entry_tc;
	struct hs_tc entry_tc;
	uint64_t last_commit_view;
	struct crypto_hash last_commit_id;
	uint64_t last_proposed_view;
	struct hs_qc high_qc;
	uint64_t intent_view; /* 0: none */
	struct crypto_hash intent_id;
	struct hs_qc intent_justify; /* unverified until recovery verifies it */
	uint64_t committed_height;
	struct crypto_hash committed_id;
};

/* Two contradicting signed statements of one author (PROTOCOL §8). */
enum hs_evidence_kind {
	HS_EVIDENCE_TWO_PROPOSALS = 1,
	HS_EVIDENCE_TWO_VOTES,
	HS_EVIDENCE_TWO_COMMITS,
	HS_EVIDENCE_TWO_TIMEOUTS,
	HS_EVIDENCE_COMMIT_AFTER_TIMEOUT,
};

/* Names of (view, id or qc_view, signature) of both statements: enough to check offline. */
struct hs_statement {
	enum hs_message_kind kind;
	uint64_t view;
	uint64_t qc_view;            /* TIMEOUT */
	struct crypto_hash block_id; /* others */
	struct crypto_signature signature;
};

struct hs_evidence {
	enum hs_evidence_kind kind;
	uint32_t author;
	uint64_t epoch;
	struct hs_statement first;
	struct hs_statement second;
};

/* Buffers that signatures cover, shared with wire/ (PROTOCOL §3): returns the bytes written. */
uint32_t hs_signed_bytes(enum hs_message_kind kind, const struct crypto_hash *chain_id,
			 uint64_t epoch, const struct crypto_hash *set_hash, uint64_t view,
			 const struct crypto_hash *block_id, uint64_t qc_view,
			 uint8_t ret_bytes[CRYPTO_SIGNED_BYTES_MAX]);

/* H(tag, chain id, epoch, set hash, view, block id): what a header says about its justify. */
struct crypto_hash hs_justify_digest(const struct crypto_hash *chain_id,
				     const struct crypto_hash *set_hash, uint64_t epoch,
				     uint64_t view, const struct crypto_hash *block_id);

/* H over every header field, fixed layout (docs/wire-format.md). */
struct crypto_hash hs_block_id(const struct crypto_hash *chain_id,
			       const struct crypto_hash *set_hash, const struct hs_header *header);

#endif
