/*
 * lane_fixture: one lane_set, its effects, and batches of other owners, for the tests of lane_*.
 * Signatures are not checked by the lanes, so they are a constant here.
 */
#ifndef QUORATE_TESTS_UNIT_DATAPLANE_LANE_FIXTURE_H
#define QUORATE_TESTS_UNIT_DATAPLANE_LANE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_batch.h"
#include "dataplane/lane_set.h"
#include "tests/lib/unit_main.h"
#include "wire/wire_message.h"

enum {
	FIXTURE_FRAMES_MAX = 16,
	FIXTURE_FRAME_BYTES = 40,
	FIXTURE_PERSISTS_MAX = 64,
};

struct lane_fixture {
	struct lane_config config;
	struct lane_set *set;
	void *memory;
	void *buffers;
	uint64_t now_ns;
	struct lane_effects effects;            /* of the last step */
	uint64_t persist[FIXTURE_PERSISTS_MAX]; /* tickets not done yet */
	uint32_t persist_count;
	uint64_t position;
};

struct fixture_batch {
	struct lane_header header;
	struct crypto_hash leaf[FIXTURE_FRAMES_MAX];
	uint8_t bytes[FIXTURE_FRAMES_MAX][FIXTURE_FRAME_BYTES];
};

/* Small bounds, so that tests reach them: W = 4, C = 3, a ring of 16. */
static inline struct lane_config fixture_config(uint32_t id, uint32_t count)
{
	struct lane_config config = {
		.epoch = 3,
		.replica_id = id,
		.replica_count = count,
		.batch_bytes_max = 2048,
		.batch_frames_max = FIXTURE_FRAMES_MAX,
		.window_batches = 4,
		.cut_batches_max = 3,
		.spare_buffers = 2,
		.index_batches = 64,
		.batch_close_ns = 200000,
		.reorder_ns = 100000,
		.ack_interval_ns = 50000,
		.repair_interval_ns = 1000000,
		.repair_budget = 40,
	};

	config.chain_id.b[3] = 5;
	return config;
}

/* One step; checks the invariants, remembers PERSIST tickets, returns the first effect. */
static inline const struct lane_effect *fixture_step(struct lane_fixture *fixture,
						     struct lane_input input)
{
	input.now_ns = fixture->now_ns;
	UNIT_REQUIRE(lane_set_step(fixture->set, &input, &fixture->effects) == 0);
	lane_set_check(fixture->set);
	for (uint32_t i = 0; i < fixture->effects.count; i++)
		if (fixture->effects.at[i].kind == LANE_EFFECT_PERSIST) {
			UNIT_REQUIRE(fixture->persist_count < FIXTURE_PERSISTS_MAX);
			fixture->persist[fixture->persist_count++] = fixture->effects.at[i].ticket;
		}
	return fixture->effects.count > 0 ? &fixture->effects.at[0] : NULL;
}

/* Everything but START, for tests of recovery. */
static inline void fixture_build(struct lane_fixture *fixture, struct lane_config config)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->config = config;
	fixture->now_ns = 1000000;
	fixture->memory = aligned_alloc(64, (lane_set_footprint(&config) + 63) & ~(size_t)63);
	fixture->buffers = aligned_alloc(LANE_PAGE_BYTES, lane_set_buffer_bytes(&config));
	UNIT_REQUIRE(lane_set_init(fixture->memory, lane_set_footprint(&config), fixture->buffers,
				   lane_set_buffer_bytes(&config), &config, &fixture->set) == 0);
}

/* A replica that starts with nothing. */
static inline void fixture_open(struct lane_fixture *fixture, uint32_t id, uint32_t count)
{
	fixture_build(fixture, fixture_config(id, count));
	fixture_step(fixture, (struct lane_input){ .kind = LANE_INPUT_START });
}

static inline void fixture_close(struct lane_fixture *fixture)
{
	free(fixture->memory);
	free(fixture->buffers);
}

/* How many effects of this kind the last step had. */
static inline uint32_t fixture_count(const struct lane_fixture *fixture, enum lane_effect_kind kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fixture->effects.count; i++)
		count += fixture->effects.at[i].kind == kind ? 1 : 0;
	return count;
}

/* The first effect of this kind in the last step, or NULL. */
static inline const struct lane_effect *fixture_find(const struct lane_fixture *fixture,
						     enum lane_effect_kind kind)
{
	for (uint32_t i = 0; i < fixture->effects.count; i++)
		if (fixture->effects.at[i].kind == kind)
			return &fixture->effects.at[i];
	return NULL;
}

/* Did the last step drop its input for this reason? */
static inline bool fixture_dropped(const struct lane_fixture *fixture, enum lane_drop reason)
{
	const struct lane_effect *effect = fixture_find(fixture, LANE_EFFECT_DROPPED);

	return effect && effect->u.drop == reason;
}

/* Lets time pass to the next deadline at or before `until_ns`, and ticks; false if none is due. */
static inline bool fixture_tick(struct lane_fixture *fixture, uint64_t until_ns)
{
	uint64_t deadline_ns = lane_set_deadline_ns(fixture->set);

	if (deadline_ns > until_ns) {
		fixture->now_ns = units_max(fixture->now_ns, until_ns);
		return false;
	}
	fixture->now_ns = units_max(fixture->now_ns, deadline_ns);
	fixture_step(fixture, (struct lane_input){ .kind = LANE_INPUT_TICK });
	return true;
}

/* The oldest PERSIST is durable. */
static inline void fixture_persisted(struct lane_fixture *fixture)
{
	struct lane_input input = { .kind = LANE_INPUT_PERSISTED };

	UNIT_REQUIRE(fixture->persist_count > 0);
	input.u.persisted.ticket = fixture->persist[0];
	input.u.persisted.position = ++fixture->position;
	fixture->persist_count--;
	memmove(fixture->persist, fixture->persist + 1,
		sizeof(fixture->persist[0]) * fixture->persist_count);
	fixture_step(fixture, input);
}

/* The signer answers. */
static inline void fixture_signed(struct lane_fixture *fixture, uint64_t request)
{
	struct lane_input input = { .kind = LANE_INPUT_SIGNED };

	input.u.signed_.request = request;
	memset(input.u.signed_.signature.b, 0x51, sizeof(input.u.signed_.signature.b));
	fixture_step(fixture, input);
}

/* A client frame filled with one byte, which is also its origin. */
static inline void fixture_client(struct lane_fixture *fixture, uint8_t fill)
{
	static uint8_t bytes[FIXTURE_FRAME_BYTES];
	struct lane_input input = { .kind = LANE_INPUT_CLIENT_FRAME };

	memset(bytes, fill, sizeof(bytes));
	input.u.client.bytes = bytes;
	input.u.client.byte_count = sizeof(bytes);
	input.u.client.frame_hash = lane_frame_hash(bytes, sizeof(bytes));
	input.u.client.origin = fill;
	fixture_step(fixture, input);
}

/* A batch of `count` frames; `salt` makes forks differ. `prev` NULL: the first of its lane. */
static inline void fixture_batch_make(const struct lane_fixture *fixture, uint32_t lane,
				      uint32_t count, uint8_t salt, const struct lane_header *prev,
				      struct fixture_batch *ret_batch)
{
	struct crypto_hash scratch[FIXTURE_FRAMES_MAX];

	memset(ret_batch, 0, sizeof(*ret_batch));
	for (uint32_t i = 0; i < count; i++) {
		memset(ret_batch->bytes[i], salt, FIXTURE_FRAME_BYTES);
		ret_batch->bytes[i][0] = (uint8_t)i;
		ret_batch->bytes[i][1] = (uint8_t)lane;
		ret_batch->bytes[i][2] = prev ? (uint8_t)(prev->seq + 1) : 1;
		ret_batch->leaf[i] = lane_frame_hash(ret_batch->bytes[i], FIXTURE_FRAME_BYTES);
	}
	ret_batch->header.lane = lane;
	ret_batch->header.seq = prev ? prev->seq + 1 : 1;
	if (prev)
		ret_batch->header.prev_digest = prev->digest;
	ret_batch->header.frames_root = wire_merkle_root(ret_batch->leaf, count, scratch);
	ret_batch->header.frame_count = count;
	ret_batch->header.frame_bytes = count * FIXTURE_FRAME_BYTES;
	ret_batch->header.digest = wire_batch_digest(&fixture->config.chain_id, &ret_batch->header);
	memset(ret_batch->header.signature.b, 0x51, sizeof(ret_batch->header.signature.b));
}

/* One streamed frame, from any session, with any verdict on its seal. */
static inline void fixture_frame_from(struct lane_fixture *fixture, uint32_t from,
				      const struct fixture_batch *batch, uint32_t index,
				      bool is_signed)
{
	struct lane_input input = { .kind = LANE_INPUT_PEER_FRAME, .from = from };
	struct lane_frame frame = {
		.lane = batch->header.lane,
		.seq = batch->header.seq,
		.index = index,
		.frame_hash = batch->leaf[index],
		.is_signed = is_signed,
		.bytes = batch->bytes[index],
		.byte_count = FIXTURE_FRAME_BYTES,
	};

	input.u.frame = &frame;
	fixture_step(fixture, input);
}

/* One good frame from its owner. */
static inline void fixture_frame(struct lane_fixture *fixture, const struct fixture_batch *batch,
				 uint32_t index)
{
	fixture_frame_from(fixture, batch->header.lane, batch, index, true);
}

/* All frames of a batch, in order. */
static inline void fixture_frames(struct lane_fixture *fixture, const struct fixture_batch *batch)
{
	for (uint32_t i = 0; i < batch->header.frame_count; i++)
		fixture_frame(fixture, batch, i);
}

/* The signed header, from its owner. */
static inline void fixture_header(struct lane_fixture *fixture, const struct lane_header *header)
{
	struct lane_input input = { .kind = LANE_INPUT_BATCH, .from = header->lane };

	input.u.header = header;
	fixture_step(fixture, input);
}

/* Frames and header arrive; the batch is bound and with the disk. */
static inline void fixture_receive(struct lane_fixture *fixture, const struct fixture_batch *batch)
{
	fixture_frames(fixture, batch);
	fixture_header(fixture, &batch->header);
}

/* ...and durable. */
static inline void fixture_store(struct lane_fixture *fixture, const struct fixture_batch *batch)
{
	fixture_receive(fixture, batch);
	fixture_persisted(fixture);
}

/* An ACKVEC with one entry. */
static inline void fixture_ack(struct lane_fixture *fixture, uint32_t from, uint32_t lane,
			       const struct hs_cut_entry *stored, uint64_t base_seq, uint64_t map)
{
	static struct lane_ackvec ackvec;
	struct lane_input input = { .kind = LANE_INPUT_ACKVEC, .from = from };

	ackvec.count = 1;
	ackvec.lane[0] = lane;
	ackvec.ack[0] = (struct lane_ack){
		.stored_seq = stored->seq,
		.digest = stored->digest,
		.map_base_seq = base_seq,
		.verified_map = map,
	};
	input.u.ackvec = &ackvec;
	fixture_step(fixture, input);
}

/* The cut entry that ends in this batch. */
static inline struct hs_cut_entry fixture_entry(const struct lane_header *header)
{
	return (struct hs_cut_entry){ .seq = header->seq, .digest = header->digest };
}

/* A claim that ends in this batch, its map counted from 0. */
static inline void fixture_ack_header(struct lane_fixture *fixture, uint32_t from,
				      const struct lane_header *header, uint64_t map)
{
	struct hs_cut_entry entry = fixture_entry(header);

	fixture_ack(fixture, from, header->lane, &entry, 0, map);
}

/* NAMED or COMMITTED with one lane moved to `header`. */
static inline void fixture_cut(struct lane_fixture *fixture, enum lane_input_kind kind,
			       const struct lane_header *header)
{
	static struct hs_cut cut;
	struct lane_input input = { .kind = kind };

	memset(&cut, 0, sizeof(cut));
	cut.lane_count = fixture->config.replica_count;
	cut.lane[header->lane] = fixture_entry(header);
	input.u.cut = &cut;
	fixture_step(fixture, input);
}

/* The driver needs this batch no longer. */
static inline void fixture_delivered(struct lane_fixture *fixture, const struct lane_header *header)
{
	struct lane_input input = { .kind = LANE_INPUT_DELIVERED };

	input.u.delivered.lane = header->lane;
	input.u.delivered.seq = header->seq;
	input.u.delivered.digest = header->digest;
	fixture_step(fixture, input);
}

/* A peer asks. */
static inline void fixture_want(struct lane_fixture *fixture, uint32_t from,
				const struct lane_want *want)
{
	struct lane_input input = { .kind = LANE_INPUT_WANT, .from = from };

	input.u.want = want;
	fixture_step(fixture, input);
}

/* A repair answer with frames [first, first + count) of a batch; paths are the gate's business. */
static inline void fixture_repair(struct lane_fixture *fixture, uint32_t from,
				  const struct fixture_batch *batch, uint32_t first, uint32_t count)
{
	static struct lane_repair repair;
	struct lane_input input = { .kind = LANE_INPUT_REPAIR, .from = from };

	repair.header = batch->header;
	repair.count = count;
	for (uint32_t i = 0; i < count; i++)
		repair.frame[i] = (struct lane_repair_frame){
			.index = first + i,
			.frame_hash = batch->leaf[first + i],
			.is_signed = true,
			.bytes = batch->bytes[first + i],
			.byte_count = FIXTURE_FRAME_BYTES,
		};
	input.u.repair = &repair;
	fixture_step(fixture, input);
}

#endif
