/*
 * lane_types: the words of dissemination as plain values (PROTOCOL §2, §3).
 *
 * A lane is one replica's hash-chained sequence of batches; a batch is an
 * ordered run of client frames; a frame is one client datagram.
 */
#ifndef QUORATE_DATAPLANE_LANE_TYPES_H
#define QUORATE_DATAPLANE_LANE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/crypto_types.h"

enum {
	LANE_FRAME_BYTES_MAX = 1400, /* a client frame with its seal; fits MTU 1500 in a session */
	LANE_BATCH_FRAMES_MAX = 512, /* frames in a batch */
	LANE_BATCH_BYTES_MAX = 256 * 1024, /* frame bytes in a batch; a node may configure less */
	LANE_LANES_MAX = 100,              /* = HS_REPLICAS_MAX */
	LANE_WINDOW_MAX = 64, /* W: batches beyond the last committed cut; = ACKVEC map bits */
	LANE_REPAIR_FRAMES_MAX = 24, /* frames in one repair answer */
	LANE_REPAIR_PATH_MAX = 9,    /* log2 of LANE_BATCH_FRAMES_MAX */
};

/* BATCH: signed once by the lane's owner. The digest is H over all of it but the signature. */
struct lane_header {
	uint32_t lane;
	uint64_t seq;                   /* from 1 */
	struct crypto_hash prev_digest; /* of seq - 1; zero for seq 1 */
	struct crypto_hash frames_root; /* Merkle root over frame hashes in index order */
	uint32_t frame_count;
	uint32_t frame_bytes;      /* sum of the frames' lengths */
	struct crypto_hash digest; /* derived, never on the wire */
	struct crypto_signature signature;
};

/* One lane frame on its way from the owner: provisional until header and root match. */
struct lane_frame {
	uint32_t lane;
	uint64_t seq;
	uint32_t index;
	struct crypto_hash frame_hash; /* H of the frame's bytes, computed by the receiver's gate */
	bool is_signed;                /* the gate's verdict on the client's seal */
	const uint8_t *bytes;
	uint32_t byte_count;
};

struct lane_ack {
	uint64_t stored_seq;       /* this and everything below is durable here */
	struct crypto_hash digest; /* chain digest at stored_seq */
	uint64_t map_base_seq;     /* the sender's last committed cut on this lane */
	uint64_t verified_map; /* bit i: I checked every signature of batch map_base_seq + 1 + i */
};

/* ACKVEC: one entry a lane that changed, under the session only, never relayed. */
struct lane_ackvec {
	uint32_t count;
	uint32_t lane[LANE_LANES_MAX];
	struct lane_ack ack[LANE_LANES_MAX];
};

/*
 * NACK / FETCH of batch content: by digest when known (zero: whatever the owner sent).
 * first_index = LANE_BATCH_FRAMES_MAX and an empty map want no frame: with
 * wants_header the header alone, without it the leaf-hash list.
 */
struct lane_want {
	uint32_t lane;
	uint64_t seq;
	struct crypto_hash digest;
	bool wants_header;
	/* frames wanted: index >= first_index with a 0 bit below are not asked */
	uint32_t first_index;
	uint64_t missing_map[LANE_BATCH_FRAMES_MAX / 64]; /* bit i: frame i is missing */
};

/* Repair answer: the signed header and some frames, each with its Merkle path. */
struct lane_repair_frame {
	uint32_t index;
	struct crypto_hash frame_hash;
	bool is_signed;
	const uint8_t *bytes;
	uint32_t byte_count;
	uint32_t path_count;
	struct crypto_hash path[LANE_REPAIR_PATH_MAX];
};

struct lane_repair {
	struct lane_header header;
	uint32_t count;
	struct lane_repair_frame frame[LANE_REPAIR_FRAMES_MAX];
};

/* Leaf-hash list of a batch: repairs a root mismatch frame by frame. */
struct lane_leaves {
	uint32_t lane;
	uint64_t seq;
	uint32_t count;
	struct crypto_hash leaf[LANE_BATCH_FRAMES_MAX];
};

/* Evidence (§8): two headers of one (lane, seq), or a header and a frame with a bad client seal. */
struct lane_evidence {
	struct lane_header first;
	struct lane_header second; /* two headers; else zero */
	bool has_bad_frame;
	uint32_t bad_index;
};

#endif
