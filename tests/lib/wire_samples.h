/*
 * wire_samples: one message of every kind (some kinds more), with its bytes. Header only.
 *
 * For tests that must hold for every message: round trips, mutations, truncation. A new kind
 * of message needs a sample here, or the test of the kinds' count fails.
 */
#ifndef QUORATE_TESTS_LIB_WIRE_SAMPLES_H
#define QUORATE_TESTS_LIB_WIRE_SAMPLES_H

#include "tests/lib/wire_fixture.h"

enum { SAMPLES_MAX = 40, BLOCK_ROOM = 16 * 1024 };

/* Shared by all samples; they point into it. */
static struct wire_world world;
static struct wire_world_frame frames[8];
static uint8_t block_bytes[2][BLOCK_ROOM];

struct sample {
	struct wire_message message;
	uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	size_t count;
};
static struct sample sample[SAMPLES_MAX];
static uint32_t sample_count;

/* The next sample of `kind`; its body is the caller's to fill. */
static inline struct wire_message *add(enum wire_kind kind)
{
	struct wire_message *message = &sample[sample_count++].message;

	memset(message, 0, sizeof(*message));
	message->kind = kind;
	message->epoch = 1;
	message->from = 1;
	if (kind <= WIRE_FC)
		message->u.core.kind = (enum hs_message_kind)kind;
	return message;
}

/* Proposals, votes, commits, timeouts, certificates. */
static inline void add_core(void)
{
	struct crypto_hash id = { { 5 } };
	struct hs_qc qc;
	struct wire_message *m = add(WIRE_PROPOSE);

	wire_world_qc(&world, HS_MESSAGE_VOTE, 6, &id, 1, &qc);
	m->u.core.u.propose.header.cut.lane[2].seq = 3;
	m->u.core.u.propose.header.cut.lane[2].digest = id;
	m->u.core.u.propose.has_tc = true;
	wire_world_tc(&world, 7, 6, &m->u.core.u.propose.tc);
	wire_world_block(&world, 8, 5, &qc, &m->u.core.u.propose);
	m = add(WIRE_VOTE);
	m->u.core.u.vote = (struct hs_vote){ .author = 1, .epoch = 1, .view = 9, .block_id = id };
	m = add(WIRE_COMMIT);
	m->u.core.u.commit =
		(struct hs_commit){ .author = 1, .epoch = 1, .view = 9, .block_id = id };
	m = add(WIRE_TIMEOUT);
	m->u.core.u.timeout =
		(struct hs_timeout){ .author = 1, .epoch = 1, .view = 8, .qc_view = 6, .qc = qc };
	m->u.core.u.timeout.entry.kind = HS_ENTRY_TC;
	wire_world_tc(&world, 7, 6, &m->u.core.u.timeout.entry.tc);
	m = add(WIRE_TIMEOUT);
	m->u.core.u.timeout = (struct hs_timeout){ .author = 1, .epoch = 1, .view = 1 };
	m->u.core.u.timeout.qc.epoch = 1;
	m->u.core.u.timeout.qc.block_id = world.genesis_id;
	m = add(WIRE_QC);
	m->u.core.u.qc = qc;
	m = add(WIRE_TC);
	wire_world_tc(&world, 3, 1, &m->u.core.u.tc);
	m = add(WIRE_FC);
	wire_world_qc(&world, HS_MESSAGE_COMMIT, 6, &id, 0, &m->u.core.u.fc.c);
}

/* Repair with paths, and leaf lists. */
static inline void add_repair(void)
{
	struct wire_message *m = add(WIRE_REPAIR);
	struct crypto_hash leaf[8];
	struct crypto_hash scratch[8];

	for (uint32_t i = 0; i < 8; i++)
		leaf[i] = wire_frame_hash_of(frames[i].bytes, frames[i].count);
	struct crypto_hash root = wire_merkle_root(leaf, 7, scratch);

	wire_world_batch(&world, 2, 1, NULL, &root, 7, &m->u.repair.header);
	for (uint32_t i = 0; i < 3; i++) {
		struct lane_repair_frame *frame = &m->u.repair.frame[m->u.repair.count++];

		frame->index = 2 + 2 * i;
		frame->bytes = frames[frame->index].bytes;
		frame->byte_count = frames[frame->index].count;
		frame->path_count = wire_merkle_path(leaf, 7, frame->index, scratch, frame->path);
	}
}

/* Frames, headers, acknowledgements, wants. */
static inline void add_lanes(void)
{
	struct wire_message *m = add(WIRE_LANE_FRAME);

	m->u.lane_frame = (struct lane_frame){ .lane = 1, .seq = 4, .index = 3 };
	m->u.lane_frame.bytes = frames[0].bytes;
	m->u.lane_frame.byte_count = frames[0].count;
	m = add(WIRE_BATCH);
	wire_world_batch(&world, 1, 2, &world.genesis_id, &world.genesis_id, 4, &m->u.batch);
	m = add(WIRE_ACKVEC);
	m->u.ackvec.count = 2;
	m->u.ackvec.lane[1] = 3;
	m->u.ackvec.ack[1] =
		(struct lane_ack){ .stored_seq = 7, .map_base_seq = 5, .verified_map = 3 };
	m = add(WIRE_WANT_BATCH);
	m->u.want_batch =
		(struct lane_want){ .lane = 3, .seq = 8, .wants_header = true, .first_index = 512 };
	m->u.want_batch.missing_map[7] = 1;
	add_repair();
	m = add(WIRE_LEAVES);
	m->u.leaves = (struct lane_leaves){ .lane = 2, .seq = 5, .count = 3 };
}

/* SHOW and both kinds of EVIDENCE. */
static inline void add_statements(void)
{
	struct crypto_hash id = { { 6 } };
	struct wire_message *m = add(WIRE_SHOW);

	m->u.show.statement =
		(struct hs_statement){ .kind = HS_MESSAGE_VOTE, .view = 4, .block_id = id };
	m = add(WIRE_EVIDENCE);
	m->u.evidence.core =
		(struct hs_evidence){ .kind = HS_EVIDENCE_TWO_TIMEOUTS, .author = 2, .epoch = 1 };
	m->u.evidence.core.first =
		(struct hs_statement){ .kind = HS_MESSAGE_TIMEOUT, .view = 4, .qc_view = 1 };
	m->u.evidence.core.second = m->u.evidence.core.first;
	m->u.evidence.core.second.qc_view = 2;
	m = add(WIRE_EVIDENCE);
	m->u.evidence.is_lane = true;
	wire_world_batch(&world, 2, 1, NULL, &id, 7, &m->u.evidence.lane.first);
	wire_world_batch(&world, 2, 1, NULL, &id, 8, &m->u.evidence.lane.second);
	m = add(WIRE_EVIDENCE);
	m->u.evidence.is_lane = true;
	wire_world_batch(&world, 2, 1, NULL, &id, 7, &m->u.evidence.lane.first);
	m->u.evidence.lane.has_bad_frame = true;
	m->u.evidence.lane.bad_index = 6;
}

/* WANT_BLOCK(S), BLOCKS, certificates, status. */
static inline void add_catch_up(void)
{
	struct wire_message *m = add(WIRE_WANT_BLOCK);

	m->u.want_block.id.b[3] = 1;
	m = add(WIRE_WANT_BLOCKS);
	m->u.want_blocks = (struct wire_want_blocks){ .first_height = 10, .count = 16 };
	m = add(WIRE_BLOCKS);
	m->u.blocks.count = 2;
	m->u.blocks.committed_height = 77;
	for (uint32_t i = 0; i < 2; i++) {
		int count = wire_encode_block(&sample[0].message.u.core.u.propose, block_bytes[i],
					      BLOCK_ROOM);

		ensure(count > 0);
		m->u.blocks.block_bytes[i] = block_bytes[i];
		m->u.blocks.block_byte_count[i] = (uint32_t)count;
	}
	m->u.blocks.has_fc = true;
	wire_world_qc(&world, HS_MESSAGE_COMMIT, 6, &world.genesis_id, 0, &m->u.blocks.fc.c);
	add(WIRE_WANT_CERTIFICATES);
	m = add(WIRE_CERTIFICATES);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 6, &world.genesis_id, 0, &m->u.certificates.high_qc);
	m->u.certificates.entry.kind = HS_ENTRY_QC;
	m->u.certificates.entry.qc = m->u.certificates.high_qc;
	m = add(WIRE_STATUS);
	m->u.status = (struct wire_status){ .view = 1, .committed_height = 2, .wall_ns = 3 };
}

/* Fills `sample` for a set of `replicas`, and encodes each once. */
static inline void samples_make(uint32_t replicas)
{
	sample_count = 0;
	wire_world_init(&world, replicas);
	wire_world_frames(&world, 1, 8, 3, frames);
	add_core();
	add_lanes();
	add_statements();
	add_catch_up();
	for (uint32_t i = 0; i < sample_count; i++) {
		int count =
			wire_encode(&sample[i].message, sample[i].bytes, sizeof(sample[i].bytes));

		ensure(count > 0);
		sample[i].count = (size_t)count;
	}
}

#endif
