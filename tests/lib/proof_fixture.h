/*
 * proof_fixture: a whole valid proof over a wire_world, and every part of it to spoil.
 *
 * A test builds one, changes one part or one byte, and asks the verifier, which must refuse.
 * Deterministic; memory is the caller's.
 */
#ifndef QUORATE_TESTS_LIB_PROOF_FIXTURE_H
#define QUORATE_TESTS_LIB_PROOF_FIXTURE_H

#include "tests/lib/wire_fixture.h"
#include "wire/wire_proof.h"

enum { PROOF_FRAMES = 5, PROOF_BATCHES = 3, PROOF_LINKS = 2 };

struct proof_world {
	struct wire_world wire;
	struct wire_world_frame frame[PROOF_FRAMES];
	struct crypto_hash path[LANE_REPAIR_PATH_MAX];
	struct lane_header batch[PROOF_BATCHES];
	struct hs_block parent;
	struct hs_block block;
	struct hs_block link[PROOF_LINKS];
	const struct hs_header *link_header[PROOF_LINKS];
	struct hs_block child;
	struct hs_qc certificate;
	struct hs_qc child_qc;
	struct wire_proof_parts parts;
	uint8_t bytes[WIRE_PROOF_BYTES_MAX];
	size_t count;
};

/* Lane 1: the frame's batch is number 4, the block's cut ends at 6, the parent's at 3. */
static inline void proof_world_batches(struct proof_world *world)
{
	struct crypto_hash leaf[PROOF_FRAMES];
	struct crypto_hash scratch[PROOF_FRAMES];
	struct crypto_hash root;
	struct crypto_hash prev = { { 33 } };

	wire_world_frames(&world->wire, 10, PROOF_FRAMES, 3, world->frame);
	for (uint32_t i = 0; i < PROOF_FRAMES; i++)
		leaf[i] = wire_frame_hash_of(world->frame[i].bytes, world->frame[i].count);
	root = wire_merkle_root(leaf, PROOF_FRAMES, scratch);
	world->parts.frame = world->frame[2].bytes;
	world->parts.frame_bytes = world->frame[2].count;
	world->parts.frame_index = 2;
	world->parts.transaction = 1;
	world->parts.path = world->path;
	world->parts.path_count = wire_merkle_path(leaf, PROOF_FRAMES, 2, scratch, world->path);
	world->parent.header.cut.lane[1] = (struct hs_cut_entry){ .seq = 3, .digest = prev };
	for (uint32_t i = 0; i < PROOF_BATCHES; i++) {
		wire_world_batch(&world->wire, 1, 4 + i, &prev, &root, PROOF_FRAMES,
				 &world->batch[i]);
		prev = world->batch[i].digest;
	}
	world->block.header.cut.lane[1] = (struct hs_cut_entry){ .seq = 6, .digest = prev };
	world->parts.batch = world->batch;
	world->parts.batch_count = PROOF_BATCHES;
}

/* Block at height 8 in view 11, two blocks above it; the upper one is final in view 13. */
static inline void proof_world_blocks(struct proof_world *world)
{
	const struct wire_world *wire = &world->wire;
	struct crypto_hash below = { { 44 } };
	const struct hs_block *last = &world->block;
	struct hs_qc qc;

	wire_world_qc(wire, HS_MESSAGE_VOTE, 9, &below, 0, &qc);
	wire_world_block(wire, 10, 7, &qc, &world->parent);
	wire_world_qc(wire, HS_MESSAGE_VOTE, 10, &world->parent.id, 0, &qc);
	wire_world_block(wire, 11, 8, &qc, &world->block);
	for (uint32_t i = 0; i < PROOF_LINKS; i++) {
		wire_world_qc(wire, HS_MESSAGE_VOTE, 11 + i, &last->id, 0, &qc);
		world->link[i].header.cut = world->block.header.cut;
		wire_world_block(wire, 12 + i, 9 + i, &qc, &world->link[i]);
		world->link_header[i] = &world->link[i].header;
		last = &world->link[i];
	}
	wire_world_qc(wire, HS_MESSAGE_VOTE, 13, &last->id, 1, &qc);
	wire_world_block(wire, 14, 11, &qc, &world->child);
	world->parts.header = &world->block.header;
	world->parts.parent = &world->parent.header;
	world->parts.link = world->link_header;
	world->parts.link_count = PROOF_LINKS;
}

/* FC, or QC(v, B) with its child and QC(v + 1, B'): what the proof ends in. */
static inline void proof_world_certificates(struct proof_world *world,
					    enum wire_proof_certificate kind)
{
	const struct hs_block *last = &world->link[PROOF_LINKS - 1];

	wire_world_qc(&world->wire, kind == WIRE_PROOF_FC ? HS_MESSAGE_COMMIT : HS_MESSAGE_VOTE,
		      last->header.view, &last->id, 1, &world->certificate);
	wire_world_qc(&world->wire, HS_MESSAGE_VOTE, 14, &world->child.id, 0, &world->child_qc);
	world->parts.kind = kind;
	world->parts.certificate = &world->certificate;
	world->parts.child = &world->child.header;
	world->parts.child_qc = &world->child_qc;
}

/* Puts the parts into bytes; tests spoil parts before, or bytes after. */
static inline void proof_world_build(struct proof_world *world)
{
	int count = wire_proof_build(&world->parts, world->bytes, sizeof(world->bytes));

	ensure(count > 0);
	world->count = (size_t)count;
}

/* All of the above for `members` replicas and one kind of certificate. */
static inline void proof_world_init(struct proof_world *world, uint32_t members,
				    enum wire_proof_certificate kind)
{
	memset(world, 0, sizeof(*world));
	wire_world_init(&world->wire, members);
	world->parts.chain_id = world->wire.validators.chain_id;
	proof_world_batches(world);
	proof_world_blocks(world);
	proof_world_certificates(world, kind);
	proof_world_build(world);
}

#endif
