/*
 * replica_gate: where bytes stop being lies (law 8). Pure; used by the verify
 * tile and by the simulator.
 *
 * It decodes a message, checks every signature in it (COMMIT excepted: PROTOCOL
 * §3) and hands back a `replica_verified`: the same bytes, stamped. Only the
 * gate makes such a stamp; the replica takes nothing else. Decoding twice costs
 * some 100 ns and saves carrying 20 kB structures through rings.
 * Signatures already checked and seal roots already checked are remembered in
 * bounded caches (wire_verify.h).
 * Memory: caller's. Threads: one owner; several gates may run side by side.
 */
#ifndef QUORATE_REPLICA_GATE_H
#define QUORATE_REPLICA_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire_verify.h"

struct replica_gate;

enum {
	REPLICA_GATE_FRAMES_MAX = LANE_REPAIR_FRAMES_MAX, /* verdicts in one stamp */
};

/* A verdict that travels beside the bytes it is about. */
struct replica_stamp {
	uint8_t kind;             /* enum wire_kind, or 0 for a client frame */
	uint8_t has_record_check; /* reserved, 0 */
	uint16_t frame_count;
	uint32_t is_signed_map; /* bit i: frame i's seal verified (lane frame, repair frames) */
	struct crypto_hash
		frame_hash; /* of the first (usually only) frame; repair frames are re-hashed */
};

struct replica_verified {
	const uint8_t *bytes;
	uint32_t byte_count;
	uint32_t from; /* replica of the session; HS_REPLICA_NONE for a client frame */
	struct replica_stamp stamp;
};

enum replica_gate_drop {
#define REPLICA_GATE_DROP(name, text) REPLICA_GATE_DROP_##name,
#include "replica/replica_gate_drop.def"
#undef REPLICA_GATE_DROP
	REPLICA_GATE_DROP_COUNT,
};

/* Who may write (PROTOCOL §1): open, or a sorted list of registered keys. */
struct replica_admission {
	bool is_open;
	const struct crypto_public_key *key;
	uint32_t key_count;
};

struct replica_gate_config {
	const struct wire_validators *validators;
	struct crypto_verifier verifier;
	struct crypto_hash genesis_id;
	uint32_t replica_id; /* whose gate: a SHOW is signed by this member */
	struct replica_admission admission;
	uint32_t cache_entries;
};

size_t replica_gate_footprint(const struct replica_gate_config *config);
int replica_gate_init(void *memory, size_t memory_bytes, const struct replica_gate_config *config,
		      struct replica_gate **ret_gate);

/*
 * A peer's message. Returns 0 and a stamp, or a negative code after counting a
 * reason. A lane frame with a bad client seal is passed on with is_signed_map 0:
 * it is evidence against its lane. `ret` points into `bytes`.
 */
int replica_gate_peer(struct replica_gate *gate, uint32_t from, const uint8_t *bytes,
		      uint32_t byte_count, struct replica_verified *ret);

/*
 * A client's frame. `committed_height` refuses what has expired (ERR_EXPIRED) or
 * expires too far ahead. Codes: ERR_FORMAT, ERR_TRUNCATED, ERR_OVERSIZE, ERR_CHAIN,
 * ERR_SIGNATURE, ERR_UNKNOWN_CLIENT, ERR_KEY, ERR_EXPIRED; each counted.
 */
int replica_gate_client(struct replica_gate *gate, const uint8_t *bytes, uint32_t byte_count,
			uint64_t committed_height, struct replica_verified *ret);

/* Checks COMMIT signatures on demand; fills the sets of good and bad authors. */
void replica_gate_commits(struct replica_gate *gate, const struct hs_commit *commits,
			  uint32_t count, struct bitset *ret_good, struct bitset *ret_bad);

/* Recovery: are the certificates of a stored record or block good? */
bool replica_gate_qc(struct replica_gate *gate, const struct hs_qc *qc);
bool replica_gate_tc(struct replica_gate *gate, const struct hs_tc *tc);
bool replica_gate_block(struct replica_gate *gate, const struct hs_block *block);

uint64_t replica_gate_dropped(const struct replica_gate *gate, enum replica_gate_drop reason);
const struct wire_verify_counters *replica_gate_verified(const struct replica_gate *gate);

#endif
