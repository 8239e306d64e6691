/* Messages, blocks and records: wire_encode.c, wire_decode.c, wire_parts.c. */
#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_samples.h"

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

static void record_keeps_the_certificate_its_view_was_entered_by(void)
{
	static struct hs_record record;
	static struct hs_record back;
	static uint8_t bytes[3 * 4096 - 256];
	int count;

	wire_world_init(&world, 100);
	record_fill(&record);
	record.intent_view = 0;
	record.has_entry_tc = true;
	wire_world_tc(&world, 10, 9, &record.entry_tc);
	count = wire_encode_record(&record, bytes, sizeof(bytes));
	UNIT_REQUIRE(count > 0); /* fits the safety log at n = 100 */
	memset(&back, 0, sizeof(back));
	UNIT_REQUIRE(wire_decode_record(bytes, (size_t)count, 100, &back) == 0);
	UNIT_CHECK(back.has_entry_tc);
	UNIT_EQUAL(back.intent_view, 0);
	UNIT_CHECK(memcmp(&record.entry_tc, &back.entry_tc, sizeof(back.entry_tc)) == 0);
}

UNIT_SUITE("wire_message", UNIT_TEST(every_message_comes_back_the_same),
	   UNIT_TEST(decoded_proposal_has_its_derived_id), UNIT_TEST(authors_come_from_the_session),
	   UNIT_TEST(every_truncation_is_refused), UNIT_TEST(accepted_bytes_are_canonical),
	   UNIT_TEST(signers_outside_the_set_are_refused),
	   UNIT_TEST(other_epoch_and_version_have_their_own_reasons),
	   UNIT_TEST(largest_messages_fit_the_limit), UNIT_TEST(room_too_small_is_oversize),
	   UNIT_TEST(block_stands_alone), UNIT_TEST(record_comes_back_whole),
	   UNIT_TEST(record_keeps_the_certificate_its_view_was_entered_by))
