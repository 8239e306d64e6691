#include "wire/wire_verify.h"

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"

static struct wire_world world;
static struct wire_verifier *verifier;
static void *memory;

static void verifier_make(uint32_t members, uint32_t cache_entries)
{
	struct wire_verifier_config config = {
		.validators = &world.validators,
		.verifier = crypto_verifier_ed25519,
		.cache_entries = cache_entries,
	};
	size_t bytes;

	wire_world_init(&world, members);
	config.genesis_id = world.genesis_id;
	bytes = wire_verifier_footprint(&config);
	free(memory);
	memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
	ensure(memory && wire_verifier_init(memory, bytes, &config, &verifier) == 0);
}

static struct crypto_hash some_id(uint8_t number)
{
	return (struct crypto_hash){ { number } };
}

static void wrong_configurations_are_refused(void)
{
	struct wire_verifier_config config = {
		.validators = &world.validators,
		.verifier = crypto_verifier_ed25519,
		.cache_entries = 24,
	};
	uint8_t small[8];

	wire_world_init(&world, 4);
	UNIT_EQUAL(wire_verifier_footprint(&config), 0);
	config.cache_entries = 32;
	UNIT_CHECK(wire_verifier_footprint(&config) > 0);
	UNIT_CHECK(wire_verifier_init(small, sizeof(small), &config, &verifier) == ERR_CONFIG);
}

static void good_certificates_verify_and_bad_ones_do_not(void)
{
	struct crypto_hash id = some_id(1);
	struct hs_qc qc;
	struct hs_tc tc;
	struct hs_fc fc;

	verifier_make(4, 64);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 1, &qc);
	UNIT_CHECK(wire_verify_qc(verifier, &qc));
	qc.view = 4;
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	qc.view = 3;
	qc.signature[2].b[5] ^= 1;
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &fc.c);
	UNIT_CHECK(!wire_verify_fc(verifier, &fc)); /* votes are not COMMITs */
	wire_world_qc(&world, HS_MESSAGE_COMMIT, 3, &id, 0, &fc.c);
	UNIT_CHECK(wire_verify_fc(verifier, &fc));
	UNIT_CHECK(!wire_verify_qc(verifier, &fc.c));
	wire_world_tc(&world, 5, 3, &tc);
	UNIT_CHECK(wire_verify_tc(verifier, &tc));
	tc.qc_view[1] = 2;
	UNIT_CHECK(!wire_verify_tc(verifier, &tc));
}

static void fewer_than_a_quorum_never_verify(void)
{
	struct crypto_hash id = some_id(1);
	struct hs_qc qc;

	verifier_make(7, 64);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &qc);
	qc.count--;
	bitset_remove(&qc.signers, 4);
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &qc);
	bitset_remove(&qc.signers, 4); /* the same signature counted twice */
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &qc);
	bitset_remove(&qc.signers, 4);
	bitset_add(&qc.signers, 6); /* somebody else's */
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
}

static void a_signer_that_does_not_exist_makes_no_quorum(void)
{
	struct crypto_hash id = some_id(1);
	struct hs_qc qc;
	struct hs_tc tc;

	verifier_make(4, 64);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &qc);
	bitset_remove(&qc.signers, 2);
	bitset_add(&qc.signers, 4); /* q signatures, q bits, and one bit is nobody's */
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	wire_world_tc(&world, 5, 3, &tc);
	bitset_remove(&tc.signers, 2);
	bitset_add(&tc.signers, HS_REPLICAS_MAX);
	UNIT_CHECK(!wire_verify_tc(verifier, &tc));
}

static void a_tc_reports_no_certificate_of_its_own_view_or_above(void)
{
	struct hs_tc tc;

	verifier_make(4, 64);
	wire_world_tc(&world, 5, 4, &tc);
	UNIT_CHECK(wire_verify_tc(verifier, &tc));
	wire_world_tc(&world, 5, 5, &tc);
	UNIT_CHECK(!wire_verify_tc(verifier, &tc));
	wire_world_tc(&world, 5, 6, &tc);
	UNIT_CHECK(!wire_verify_tc(verifier, &tc));
}

static void virtual_certificate_names_genesis_only(void)
{
	struct hs_qc qc = { .epoch = 1 };

	verifier_make(4, 64);
	qc.block_id = world.genesis_id;
	UNIT_CHECK(wire_verify_qc(verifier, &qc));
	qc.block_id = some_id(9);
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	qc.block_id = world.genesis_id;
	qc.epoch = 2;
	UNIT_CHECK(!wire_verify_qc(verifier, &qc));
}

static void votes_seen_make_their_certificate_cheap(void)
{
	struct crypto_hash id = some_id(1);
	struct hs_qc qc;

	verifier_make(4, 64);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &qc);
	for (uint32_t i = 0; i < 3; i++) {
		struct hs_vote vote = { .author = i,
					.epoch = 1,
					.view = 3,
					.block_id = id,
					.signature = qc.signature[i] };

		UNIT_CHECK(wire_verify_vote(verifier, &vote));
	}
	UNIT_EQUAL(wire_verify_counters(verifier)->checks, 3);
	UNIT_CHECK(wire_verify_qc(verifier, &qc));
	UNIT_EQUAL(wire_verify_counters(verifier)->checks, 3);
	UNIT_EQUAL(wire_verify_counters(verifier)->checks_saved, 3);
}

static void cache_never_covers_for_another_author(void)
{
	struct crypto_hash id = some_id(1);
	struct hs_vote vote = { .author = 0, .epoch = 1, .view = 3, .block_id = id };

	verifier_make(4, 64);
	wire_world_sign(&world, HS_MESSAGE_VOTE, 0, 3, &id, 0, &vote.signature);
	UNIT_CHECK(wire_verify_vote(verifier, &vote));
	vote.author = 1;
	UNIT_CHECK(!wire_verify_vote(verifier, &vote));
	vote.author = 4;
	UNIT_CHECK(!wire_verify_vote(verifier, &vote));
	UNIT_EQUAL(wire_verify_counters(verifier)->bad, 1);
}

static void smallest_cache_still_gives_right_answers(void)
{
	struct crypto_hash id = some_id(1);
	struct hs_qc qc;

	verifier_make(4, 2);
	for (uint64_t view = 1; view < 30; view++) {
		wire_world_qc(&world, HS_MESSAGE_VOTE, view, &id, view % 2 == 0, &qc);
		UNIT_CHECK(wire_verify_qc(verifier, &qc));
		qc.signature[0].b[0] ^= 1;
		UNIT_CHECK(!wire_verify_qc(verifier, &qc));
	}
}

static void block_is_checked_against_its_justify(void)
{
	static struct hs_block block;
	struct crypto_hash id = some_id(1);
	struct hs_qc qc;
	struct hs_qc other;

	verifier_make(4, 64);
	memset(&block, 0, sizeof(block));
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &qc);
	wire_world_block(&world, 4, 2, &qc, &block);
	UNIT_CHECK(wire_verify_block(verifier, &block));
	block.author = 1;
	UNIT_CHECK(!wire_verify_block(verifier, &block));
	block.author = 0;
	id = some_id(2);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &other);
	block.justify = other; /* a good certificate, but not the header's */
	UNIT_CHECK(!wire_verify_block(verifier, &block));
	block.justify = qc;
	block.has_tc = true;
	wire_world_tc(&world, 3, 1, &block.tc);
	UNIT_CHECK(wire_verify_block(verifier, &block));
	block.tc.signature[0].b[0] ^= 1;
	UNIT_CHECK(!wire_verify_block(verifier, &block));
}

static void make_timeout(struct hs_timeout *ret_timeout)
{
	struct crypto_hash id = some_id(1);

	memset(ret_timeout, 0, sizeof(*ret_timeout));
	ret_timeout->author = 2;
	ret_timeout->epoch = 1;
	ret_timeout->view = 6;
	ret_timeout->qc_view = 3;
	wire_world_sign(&world, HS_MESSAGE_TIMEOUT, 2, 6, NULL, 3, &ret_timeout->signature);
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &ret_timeout->qc);
	ret_timeout->entry.kind = HS_ENTRY_TC;
	wire_world_tc(&world, 5, 3, &ret_timeout->entry.tc);
}

static void a_timeout_is_checked_with_all_that_stands_beside_it(void)
{
	static struct wire_message m;
	struct hs_timeout *timeout = &m.u.core.u.timeout;
	struct crypto_hash id = some_id(1);

	verifier_make(4, 64);
	memset(&m, 0, sizeof(m));
	m.kind = WIRE_TIMEOUT;
	make_timeout(timeout);
	UNIT_EQUAL(wire_verify_message(verifier, &m), 0);
	timeout->qc_view = 2;
	UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
	make_timeout(timeout);
	timeout->qc.signature[1].b[7] ^= 1;
	UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
	make_timeout(timeout);
	timeout->entry.tc.signature[1].b[7] ^= 1;
	UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
	make_timeout(timeout);
	timeout->entry.kind = HS_ENTRY_QC;
	wire_world_qc(&world, HS_MESSAGE_VOTE, 5, &id, 0, &timeout->entry.qc);
	UNIT_EQUAL(wire_verify_message(verifier, &m), 0);
	timeout->entry.qc.signature[1].b[7] ^= 1;
	UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
}

static void an_answer_of_certificates_is_checked_whole(void)
{
	static struct wire_message m;
	struct wire_certificates *answer = &m.u.certificates;
	struct crypto_hash id = some_id(1);
	struct crypto_signature *checked[3];

	verifier_make(4, 64);
	memset(&m, 0, sizeof(m));
	m.kind = WIRE_CERTIFICATES;
	wire_world_qc(&world, HS_MESSAGE_VOTE, 3, &id, 0, &answer->high_qc);
	answer->entry.kind = HS_ENTRY_TC;
	wire_world_tc(&world, 5, 3, &answer->entry.tc);
	answer->has_fc = true;
	wire_world_qc(&world, HS_MESSAGE_COMMIT, 2, &id, 0, &answer->fc.c);
	checked[0] = &answer->high_qc.signature[1];
	checked[1] = &answer->entry.tc.signature[1];
	checked[2] = &answer->fc.c.signature[1];
	UNIT_EQUAL(wire_verify_message(verifier, &m), 0);
	for (uint32_t i = 0; i < 3; i++) {
		checked[i]->b[7] ^= 1;
		UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
		checked[i]->b[7] ^= 1;
	}
}

static void repair_frames_are_checked_by_their_paths(void)
{
	static struct wire_message m;
	static struct wire_world_frame frame[5];
	struct crypto_hash leaf[5];
	struct crypto_hash scratch[5];
	struct crypto_hash root;

	verifier_make(4, 64);
	wire_world_frames(&world, 1, 5, 1, frame);
	for (int i = 0; i < 5; i++)
		leaf[i] = wire_frame_hash_of(frame[i].bytes, frame[i].count);
	root = wire_merkle_root(leaf, 5, scratch);
	memset(&m, 0, sizeof(m));
	m.kind = WIRE_REPAIR;
	wire_world_batch(&world, 2, 1, NULL, &root, 5, &m.u.repair.header);
	m.u.repair.count = 1;
	m.u.repair.frame[0] = (struct lane_repair_frame){ .index = 3,
							  .bytes = frame[3].bytes,
							  .byte_count = frame[3].count };
	m.u.repair.frame[0].path_count =
		wire_merkle_path(leaf, 5, 3, scratch, m.u.repair.frame[0].path);
	UNIT_EQUAL(wire_verify_message(verifier, &m), 0);
	m.u.repair.frame[0].byte_count--;
	UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
	m.u.repair.frame[0].byte_count++;
	m.u.repair.header.signature.b[1] ^= 1;
	UNIT_CHECK(wire_verify_message(verifier, &m) == ERR_SIGNATURE);
}

static void frames_of_a_checked_root_cost_hashes_only(void)
{
	static struct wire_world_frame made[16];
	struct wire_frame frame;

	verifier_make(4, 64);
	wire_world_frames(&world, 1, 16, 4, made);
	for (uint32_t i = 0; i < 16; i++) {
		UNIT_REQUIRE(wire_frame_parse(made[i].bytes, made[i].count, &frame) == 0);
		UNIT_CHECK(wire_verify_frame(verifier, &frame));
	}
	UNIT_EQUAL(wire_verify_counters(verifier)->checks, 1);
	UNIT_EQUAL(wire_verify_counters(verifier)->checks_saved, 15);
}

static void every_bit_of_a_frame_is_signed(void)
{
	static struct wire_world_frame made[3];
	struct wire_frame frame;

	verifier_make(4, 64);
	wire_world_frames(&world, 1, 3, 2, made);
	UNIT_REQUIRE(wire_frame_parse(made[1].bytes, made[1].count, &frame) == 0);
	UNIT_CHECK(wire_verify_frame(verifier, &frame));
	for (uint32_t bit = 0; bit < made[1].count * 8; bit += 3) {
		struct wire_world_frame changed = made[1];

		changed.bytes[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		if (wire_frame_parse(changed.bytes, changed.count, &frame) == 0)
			UNIT_CHECK(!wire_verify_frame(verifier, &frame));
	}
}

static void client_key_outside_the_prime_subgroup_is_refused(void)
{
	static struct wire_world_frame made[1];
	struct wire_frame frame;

	verifier_make(4, 64);
	wire_world_frames(&world, 1, 1, 1, made);
	memset(made[0].bytes + 16, 0, 32); /* a point of small order */
	UNIT_REQUIRE(wire_frame_parse(made[0].bytes, made[0].count, &frame) == 0);
	UNIT_CHECK(!wire_verify_frame(verifier, &frame));
	UNIT_EQUAL(wire_verify_counters(verifier)->checks, 0);
}

static void evidence_must_contradict(void)
{
	struct wire_evidence evidence = {
		.core = { .kind = HS_EVIDENCE_TWO_VOTES, .author = 2, .epoch = 1 }
	};
	struct hs_statement *first = &evidence.core.first;
	struct hs_statement *second = &evidence.core.second;

	verifier_make(4, 64);
	*first =
		(struct hs_statement){ .kind = HS_MESSAGE_VOTE, .view = 5, .block_id = some_id(1) };
	*second =
		(struct hs_statement){ .kind = HS_MESSAGE_VOTE, .view = 5, .block_id = some_id(2) };
	wire_world_sign(&world, HS_MESSAGE_VOTE, 2, 5, &first->block_id, 0, &first->signature);
	wire_world_sign(&world, HS_MESSAGE_VOTE, 2, 5, &second->block_id, 0, &second->signature);
	UNIT_CHECK(wire_verify_evidence(verifier, &evidence));
	evidence.core.author = 1;
	UNIT_CHECK(!wire_verify_evidence(verifier, &evidence));
	evidence.core.author = 2;
	evidence.core.second = evidence.core.first;
	UNIT_CHECK(!wire_verify_evidence(verifier, &evidence));
	evidence.core.kind = HS_EVIDENCE_COMMIT_AFTER_TIMEOUT;
	*first = (struct hs_statement){ .kind = HS_MESSAGE_TIMEOUT, .view = 6, .qc_view = 4 };
	*second = (struct hs_statement){ .kind = HS_MESSAGE_COMMIT,
					 .view = 5,
					 .block_id = some_id(2) };
	wire_world_sign(&world, HS_MESSAGE_TIMEOUT, 2, 6, NULL, 4, &first->signature);
	wire_world_sign(&world, HS_MESSAGE_COMMIT, 2, 5, &second->block_id, 0, &second->signature);
	UNIT_CHECK(wire_verify_evidence(verifier, &evidence));
	first->qc_view = 5; /* an honest member: it timed out knowing the certificate */
	wire_world_sign(&world, HS_MESSAGE_TIMEOUT, 2, 6, NULL, 5, &first->signature);
	UNIT_CHECK(!wire_verify_evidence(verifier, &evidence));
}

static void evidence_needs_both_signatures(void)
{
	struct wire_evidence core = {
		.core = { .kind = HS_EVIDENCE_TWO_VOTES, .author = 2, .epoch = 1 }
	};
	struct wire_evidence lane = { .is_lane = true };
	struct hs_statement *said[2] = { &core.core.first, &core.core.second };
	struct crypto_hash root = some_id(3);

	verifier_make(4, 64);
	for (uint32_t i = 0; i < 2; i++) {
		*said[i] = (struct hs_statement){ .kind = HS_MESSAGE_VOTE,
						  .view = 5,
						  .block_id = some_id((uint8_t)(1 + i)) };
		wire_world_sign(&world, HS_MESSAGE_VOTE, 2, 5, &said[i]->block_id, 0,
				&said[i]->signature);
	}
	UNIT_CHECK(wire_verify_evidence(verifier, &core));
	for (uint32_t i = 0; i < 2; i++) {
		said[i]->signature.b[3] ^= 1;
		UNIT_CHECK(!wire_verify_evidence(verifier, &core));
		said[i]->signature.b[3] ^= 1;
	}
	wire_world_batch(&world, 1, 1, NULL, &root, 4, &lane.lane.first);
	wire_world_batch(&world, 1, 1, NULL, &root, 5, &lane.lane.second);
	UNIT_CHECK(wire_verify_evidence(verifier, &lane));
	lane.lane.second.signature.b[3] ^= 1;
	UNIT_CHECK(!wire_verify_evidence(verifier, &lane));
	lane.lane.second.signature.b[3] ^= 1;
	lane.lane.first.signature.b[3] ^= 1;
	UNIT_CHECK(!wire_verify_evidence(verifier, &lane));
}

static void two_batches_at_one_place_are_evidence(void)
{
	struct wire_evidence evidence = { .is_lane = true };
	struct crypto_hash root = some_id(3);

	verifier_make(4, 64);
	wire_world_batch(&world, 1, 1, NULL, &root, 4, &evidence.lane.first);
	wire_world_batch(&world, 1, 1, NULL, &root, 5, &evidence.lane.second);
	UNIT_CHECK(wire_verify_evidence(verifier, &evidence));
	wire_world_batch(&world, 2, 1, NULL, &root, 5, &evidence.lane.second);
	UNIT_CHECK(!wire_verify_evidence(verifier, &evidence));
	evidence.lane.second = evidence.lane.first;
	UNIT_CHECK(!wire_verify_evidence(verifier, &evidence));
}

UNIT_SUITE("wire_verify", UNIT_TEST(wrong_configurations_are_refused),
	   UNIT_TEST(good_certificates_verify_and_bad_ones_do_not),
	   UNIT_TEST(fewer_than_a_quorum_never_verify),
	   UNIT_TEST(a_signer_that_does_not_exist_makes_no_quorum),
	   UNIT_TEST(a_tc_reports_no_certificate_of_its_own_view_or_above),
	   UNIT_TEST(virtual_certificate_names_genesis_only),
	   UNIT_TEST(votes_seen_make_their_certificate_cheap),
	   UNIT_TEST(cache_never_covers_for_another_author),
	   UNIT_TEST(smallest_cache_still_gives_right_answers),
	   UNIT_TEST(block_is_checked_against_its_justify),
	   UNIT_TEST(a_timeout_is_checked_with_all_that_stands_beside_it),
	   UNIT_TEST(an_answer_of_certificates_is_checked_whole),
	   UNIT_TEST(repair_frames_are_checked_by_their_paths),
	   UNIT_TEST(frames_of_a_checked_root_cost_hashes_only),
	   UNIT_TEST(every_bit_of_a_frame_is_signed),
	   UNIT_TEST(client_key_outside_the_prime_subgroup_is_refused),
	   UNIT_TEST(evidence_must_contradict), UNIT_TEST(evidence_needs_both_signatures),
	   UNIT_TEST(two_batches_at_one_place_are_evidence))
