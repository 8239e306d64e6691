/*
 * wire_proof: a transaction's place in the order, as a plain file (PROTOCOL §7).
 *
 *     frame --path--> batch --chain--> cut of block h --links--> block B <-- FC, or C2
 *
 * What it proves, to anybody who has the genesis bytes: the client's signed frame
 * lies at this index of this batch of this lane; the batch is in the cut of the
 * block at height h and was not in its parent's; that block, or a descendant, was
 * committed by q members. It does not carry earlier history: that the client used
 * the same number for another payload before is not visible in it.
 *
 * Written here; read by client/qr_verify_proof.c, which shares no code with this
 * file. Layout: docs/wire-format.md.
 */
#ifndef QUORATE_WIRE_PROOF_H
#define QUORATE_WIRE_PROOF_H

#include <stddef.h>

#include "consensus/hs_types.h"
#include "dataplane/lane_types.h"

enum {
	WIRE_PROOF_MAGIC = 0x31505251, /* "QRP1" */
	WIRE_PROOF_VERSION = 1,
	WIRE_PROOF_BYTES_MAX = 512 * 1024,
	WIRE_PROOF_BATCHES_MAX =
		LANE_WINDOW_MAX,   /* from the frame's batch to the cut's, inclusive */
	WIRE_PROOF_LINKS_MAX = 64, /* headers above block h up to B */
};

enum wire_proof_certificate { WIRE_PROOF_FC = 1, WIRE_PROOF_C2 = 2 };

struct wire_proof_parts {
	struct crypto_hash chain_id;

	const uint8_t *frame;
	uint32_t frame_bytes;
	uint32_t frame_index; /* in its batch */
	uint32_t transaction; /* in its frame */
	uint32_t path_count;
	const struct crypto_hash *path; /* wire_merkle_path() of the frame's hash in its batch */

	/*
	 * batch[0] holds the frame; each next one is seq + 1 on the same chain; the last is the
	 * cut's.
	 */
	const struct lane_header *batch;
	uint32_t batch_count;

	const struct hs_header *header; /* block h */
	const struct hs_header *parent; /* of block h; NULL when that is genesis */

	/* Headers above block h, in rising height; the last one is B. None: B is block h. */
	const struct hs_header *const *link;
	uint32_t link_count;

	enum wire_proof_certificate kind;
	const struct hs_qc *certificate; /* FC: q COMMITs of B. C2: QC(v, B) */
	const struct hs_header *child;   /* C2: B', justified by QC(v, B), in view v + 1 */
	const struct hs_qc *child_qc;    /* C2: QC(v + 1, B') */
};

/*
 * Returns the bytes written; ERR_OVERSIZE (room or a bound), or ERR_FORMAT if parts do not fit
 * together.
 */
int wire_proof_build(const struct wire_proof_parts *parts, void *ret_bytes, size_t room);

#endif
