/* Messages, blocks and records: wire_encode.c, wire_decode.c, wire_parts.c. */
#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"

enum { SAMPLES_MAX = 40, BLOCK_ROOM = 16 * 1024 };

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

static struct wire_message *add(enum wire_kind kind)
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

static void add_core(void)
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

static void add_repair(void)
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

static void add_lanes(void)
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

static void add_statements(void)
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

static void add_catch_up(void)
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

static void samples_make(uint32_t replicas)
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

static int decode(const uint8_t *bytes, size_t count, struct wire_message *ret_message)
{
	return wire_decode(bytes, count, 1, &world.validators.chain_id, &world.validators.set_hash,
			   world.count, 1, ret_message);
}

static void every_message_comes_back_the_same(void)
{
	static const uint32_t sizes[] = { 4, 7, 100 };
	static struct wire_message back;
	static uint8_t again[WIRE_MESSAGE_BYTES_MAX];

	for (size_t k = 0; k < 3; k++) {
		samples_make(sizes[k]);
		for (uint32_t i = 0; i < sample_count; i++) {
			UNIT_REQUIRE(decode(sample[i].bytes, sample[i].count, &back) == 0);
			UNIT_EQUAL(back.kind, sample[i].message.kind);
			int count = wire_encode(&back, again, sizeof(again));

			UNIT_EQUAL(count, sample[i].count);
			UNIT_CHECK(memcmp(again, sample[i].bytes, sample[i].count) == 0);
		}
	}
}

static void decoded_proposal_has_its_derived_id(void)
{
	static struct wire_message back;

	samples_make(4);
	const struct hs_block *block = &sample[0].message.u.core.u.propose;

	UNIT_REQUIRE(decode(sample[0].bytes, sample[0].count, &back) == 0);
	const struct hs_block *got = &back.u.core.u.propose;

	UNIT_CHECK(crypto_hash_equal(&got->id, &block->id));
	UNIT_EQUAL(got->header.view, 8);
	UNIT_EQUAL(got->header.cut.lane[2].seq, 3);
	UNIT_EQUAL(got->justify.view, 6);
	UNIT_EQUAL(got->justify.epoch, 1);
	UNIT_EQUAL(got->tc.view, 7);
	UNIT_CHECK(memcmp(got->justify.signature, block->justify.signature,
			  3 * sizeof(block->justify.signature[0])) == 0);
}

static void authors_come_from_the_session(void)
{
	static struct wire_message back;

	samples_make(4);
	for (uint32_t i = 0; i < sample_count; i++) {
		if (sample[i].message.kind != WIRE_VOTE && sample[i].message.kind != WIRE_COMMIT &&
		    sample[i].message.kind != WIRE_LANE_FRAME)
			continue;
		UNIT_REQUIRE(wire_decode(sample[i].bytes, sample[i].count, 3,
					 &world.validators.chain_id, &world.validators.set_hash, 4,
					 1, &back) == 0);
		UNIT_EQUAL(back.from, 3);
		UNIT_EQUAL(back.kind == WIRE_LANE_FRAME ? back.u.lane_frame.lane :
							  back.u.core.u.vote.author,
			   3);
	}
}

static void every_truncation_is_refused(void)
{
	static struct wire_message back;

	samples_make(4);
	for (uint32_t i = 0; i < sample_count; i++) {
		/* a lane frame ends where its datagram ends: shorter ones are other frames */
		size_t from = sample[i].message.kind == WIRE_LANE_FRAME ? 23 : sample[i].count;

		for (size_t count = 0; count < from; count++) {
			uint8_t *copy = wire_exact_copy(sample[i].bytes, count);

			UNIT_CHECK(decode(copy, count, &back) < 0);
			free(copy);
		}
	}
}

static void accepted_bytes_are_canonical(void)
{
	static struct wire_message back;
	static uint8_t again[WIRE_MESSAGE_BYTES_MAX];
	static uint8_t changed[WIRE_MESSAGE_BYTES_MAX];
	struct prng prng;

	samples_make(4);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 40000; i++) {
		const struct sample *s = &sample[i % sample_count];

		memcpy(changed, s->bytes, s->count);
		size_t count = wire_mutate(&prng, changed, s->count, sizeof(changed));
		uint8_t *copy = wire_exact_copy(changed, count);

		if (decode(copy, count, &back) == 0) {
			UNIT_EQUAL(wire_encode(&back, again, sizeof(again)), count);
			UNIT_CHECK(memcmp(again, copy, count) == 0);
		}
		free(copy);
	}
}

static void signers_outside_the_set_are_refused(void)
{
	static struct wire_message back;
	uint8_t *signers;

	samples_make(4);
	for (uint32_t i = 0; i < sample_count; i++) {
		if (sample[i].message.kind != WIRE_QC)
			continue;
		signers = sample[i].bytes + WIRE_MESSAGE_HEAD_BYTES + 8 + 32;
		UNIT_EQUAL(signers[0], 0x0e);
		signers[0] = 0x1c; /* three again, one of them number 4 of 0..3 */
		UNIT_CHECK(decode(sample[i].bytes, sample[i].count, &back) == ERR_FORMAT);
		signers[0] = 0x0f; /* four signers, bytes of three */
		UNIT_CHECK(decode(sample[i].bytes, sample[i].count, &back) < 0);
		signers[0] = 0x06; /* fewer than a quorum, even with matching bytes */
		UNIT_CHECK(decode(sample[i].bytes, sample[i].count - 64, &back) == ERR_FORMAT);
	}
}

static void other_epoch_and_version_have_their_own_reasons(void)
{
	static struct wire_message back;

	samples_make(4);
	sample[1].bytes[4] = 2;
	UNIT_CHECK(decode(sample[1].bytes, sample[1].count, &back) == ERR_EPOCH);
	sample[1].bytes[4] = 1;
	sample[1].bytes[1] = 2;
	UNIT_CHECK(decode(sample[1].bytes, sample[1].count, &back) == ERR_NEWER);
	UNIT_CHECK(decode(sample[1].bytes, WIRE_MESSAGE_BYTES_MAX + 1, &back) == ERR_OVERSIZE);
}

static void largest_messages_fit_the_limit(void)
{
	static struct wire_message m;
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	static uint8_t frame[LANE_FRAME_BYTES_MAX];

	samples_make(100);
	for (uint32_t i = 0; i < sample_count; i++)
		UNIT_CHECK(sample[i].count <= WIRE_MESSAGE_BYTES_MAX);
	memset(&m, 0, sizeof(m));
	m.kind = WIRE_REPAIR;
	m.u.repair.header.frame_count = LANE_BATCH_FRAMES_MAX;
	m.u.repair.count = LANE_REPAIR_FRAMES_MAX;
	for (uint32_t i = 0; i < LANE_REPAIR_FRAMES_MAX; i++)
		m.u.repair.frame[i] = (struct lane_repair_frame){
			.index = i,
			.bytes = frame,
			.byte_count = LANE_FRAME_BYTES_MAX,
			.path_count = LANE_REPAIR_PATH_MAX,
		};
	UNIT_CHECK(wire_encode(&m, bytes, sizeof(bytes)) > 0);
}

static void room_too_small_is_oversize(void)
{
	static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];

	samples_make(4);
	for (uint32_t i = 0; i < sample_count; i++)
		for (size_t room = 0; room < sample[i].count; room += 1 + sample[i].count / 37)
			UNIT_CHECK(wire_encode(&sample[i].message, bytes, room) == ERR_OVERSIZE);
}

static void block_stands_alone(void)
{
	static struct hs_block back;
	static uint8_t bytes[BLOCK_ROOM];
	static uint8_t again[BLOCK_ROOM];

	samples_make(7);
	const struct hs_block *block = &sample[0].message.u.core.u.propose;
	int count = wire_encode_block(block, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0);
	UNIT_REQUIRE(wire_decode_block(bytes, (size_t)count, &world.validators.chain_id,
				       &world.validators.set_hash, 7, &back) == 0);
	UNIT_CHECK(crypto_hash_equal(&back.id, &block->id));
	UNIT_EQUAL(wire_encode_block(&back, again, sizeof(again)), count);
	UNIT_CHECK(memcmp(bytes, again, (size_t)count) == 0);
	UNIT_CHECK(wire_decode_block(bytes, (size_t)count, &world.validators.chain_id,
				     &world.validators.set_hash, 4, &back) < 0);
}

static void record_fill(struct hs_record *record)
{
	struct crypto_hash id = { { 8 } };

	memset(record, 0, sizeof(*record));
	record->epoch = 1;
	record->last_vote_view = 12;
	record->last_vote_id = id;
	record->last_timeout_view = 11;
	record->last_timeout_qc_view = 9;
	record->last_commit_view = 10;
	record->last_commit_id = id;
	record->last_proposed_view = 8;
	record->intent_view = 12;
	record->intent_id = id;
	record->committed_height = 5;
	record->committed_id = id;
	wire_world_qc(&world, HS_MESSAGE_VOTE, 10, &id, 0, &record->high_qc);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 11, &id, 0, &record->intent_justify);
}

static void record_comes_back_whole(void)
{
	static struct hs_record record;
	static struct hs_record back;
	static uint8_t bytes[3 * 4096 - 256];
	int count;

	wire_world_init(&world, 100);
	record_fill(&record);
	count = wire_encode_record(&record, bytes, sizeof(bytes));
	UNIT_REQUIRE(count > 0); /* fits the safety log at n = 100 */
	memset(&back, 0, sizeof(back));
	UNIT_REQUIRE(wire_decode_record(bytes, (size_t)count, 100, &back) == 0);
	UNIT_CHECK(memcmp(&record, &back, sizeof(record)) == 0);
	for (size_t cut = 0; cut < (size_t)count; cut += 97)
		UNIT_CHECK(wire_decode_record(bytes, cut, 100, &back) < 0);
	bytes[0] = 2;
	UNIT_CHECK(wire_decode_record(bytes, (size_t)count, 100, &back) == ERR_NEWER);
	bytes[0] = 0;
	UNIT_CHECK(wire_decode_record(bytes, (size_t)count, 100, &back) == ERR_FORMAT);
}

UNIT_SUITE("wire_message", UNIT_TEST(every_message_comes_back_the_same),
	   UNIT_TEST(decoded_proposal_has_its_derived_id), UNIT_TEST(authors_come_from_the_session),
	   UNIT_TEST(every_truncation_is_refused), UNIT_TEST(accepted_bytes_are_canonical),
	   UNIT_TEST(signers_outside_the_set_are_refused),
	   UNIT_TEST(other_epoch_and_version_have_their_own_reasons),
	   UNIT_TEST(largest_messages_fit_the_limit), UNIT_TEST(room_too_small_is_oversize),
	   UNIT_TEST(block_stands_alone), UNIT_TEST(record_comes_back_whole))
