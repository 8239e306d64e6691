/*
 * wire_seal: one signature over up to 64 frames of one client (PROTOCOL §1).
 *
 * Build the bodies with wire_frame_build(seal_depth = wire_seal_depth(count)),
 * make the tree over them, sign its root once, append a seal to each.
 */
#ifndef QUORATE_WIRE_SEAL_H
#define QUORATE_WIRE_SEAL_H

#include "wire/wire_frame.h"

enum { WIRE_SEAL_FRAMES_MAX = 1 << WIRE_SEAL_DEPTH_MAX };

struct wire_seal_tree {
	uint32_t depth;
	struct crypto_hash
		node[2 * WIRE_SEAL_FRAMES_MAX]; /* node[1] is the root; leaves from 1 << depth */
};

/* Smallest depth for `count` frames, 1..WIRE_SEAL_FRAMES_MAX. */
uint32_t wire_seal_depth(uint32_t count);

/* H("QRFleaf1" || body) of a body wire_frame_build() wrote. */
struct crypto_hash wire_seal_leaf(const void *body, size_t body_bytes);

/* Unused leaves are zero hashes. */
void wire_seal_tree_build(struct wire_seal_tree *tree, const struct crypto_hash *leaves,
			  uint32_t count);

/* Writes the seal of frame `index`; returns its bytes. Room: WIRE_SEAL_BYTES_MIN + depth * 32. */
uint32_t wire_seal_write(const struct wire_seal_tree *tree, uint32_t index,
			 const struct crypto_signature *signature, uint8_t *ret_bytes);

#endif
