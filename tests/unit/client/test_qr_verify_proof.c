#include "client/qr_verify_proof.h"

#include "tests/lib/proof_fixture.h"
#include "tests/lib/unit_main.h"

static struct proof_world world;
static struct qr_proved proved;

static enum qr_verdict verify(const uint8_t *bytes, size_t count)
{
	uint8_t *copy = wire_exact_copy(bytes, count);
	enum qr_verdict verdict = qr_verify_proof(
		world.wire.genesis_bytes, world.wire.genesis_byte_count, copy, count, &proved);

	free(copy);
	return verdict;
}

static enum qr_verdict rebuilt(void)
{
	proof_world_build(&world);
	return verify(world.bytes, world.count);
}

static void built_proofs_prove(void)
{
	static const uint32_t members[] = { 4, 7, 100 };

	for (size_t i = 0; i < 6; i++) {
		proof_world_init(&world, members[i / 2], i % 2 ? WIRE_PROOF_FC : WIRE_PROOF_C2);
		UNIT_EQUAL(qr_verify_proof(world.wire.genesis_bytes, world.wire.genesis_byte_count,
					   world.bytes, world.count, &proved),
			   QR_VERDICT_PROVED);
		UNIT_EQUAL(proved.height, 8);
		UNIT_EQUAL(proved.final_height, 10);
		UNIT_EQUAL(proved.seq, 10 + 2 * 3 + 1);
		UNIT_EQUAL(proved.lane, 1);
		UNIT_EQUAL(proved.batch, 4);
		UNIT_EQUAL(proved.frame, 2);
		UNIT_EQUAL(proved.transaction, 1);
		UNIT_EQUAL(proved.signers, hs_quorum(members[i / 2]));
		UNIT_EQUAL(proved.time_ns, world.block.header.time_ns);
		UNIT_CHECK(memcmp(proved.block_id, world.block.id.b, 32) == 0);
		struct crypto_hash txid = wire_txid(&world.wire.client.public_key, proved.seq,
						    proved.payload, proved.payload_bytes);

		UNIT_CHECK(memcmp(proved.txid, txid.b, 32) == 0);
	}
}

static void every_changed_byte_is_rejected(void)
{
	for (int kind = WIRE_PROOF_FC; kind <= WIRE_PROOF_C2; kind++) {
		proof_world_init(&world, 4, (enum wire_proof_certificate)kind);
		UNIT_EQUAL(verify(world.bytes, world.count), QR_VERDICT_PROVED);
		for (size_t i = 0; i < world.count; i++)
			for (int bit = 0; bit < 8; bit += 1 + (int)(i % 5)) {
				world.bytes[i] ^= (uint8_t)(1 << bit);
				UNIT_CHECK(verify(world.bytes, world.count) != QR_VERDICT_PROVED);
				world.bytes[i] ^= (uint8_t)(1 << bit);
			}
	}
}

static void every_truncation_and_extension_is_rejected(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_C2);
	for (size_t count = 0; count < world.count; count++)
		UNIT_CHECK(verify(world.bytes, count) != QR_VERDICT_PROVED);
	UNIT_EQUAL(verify(world.bytes, world.count + 1), QR_VERDICT_PROOF_FORMAT);
}

static void every_changed_genesis_is_rejected(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	for (size_t i = 0; i < world.wire.genesis_byte_count; i++) {
		world.wire.genesis_bytes[i] ^= 4;
		UNIT_CHECK(verify(world.bytes, world.count) != QR_VERDICT_PROVED);
		world.wire.genesis_bytes[i] ^= 4;
	}
	for (size_t count = 0; count < world.wire.genesis_byte_count; count++) {
		uint8_t *copy = wire_exact_copy(world.wire.genesis_bytes, count);

		UNIT_EQUAL(qr_verify_proof(copy, count, world.bytes, world.count, &proved),
			   QR_VERDICT_GENESIS_FORMAT);
		free(copy);
	}
}

static void random_bytes_never_hurt(void)
{
	static uint8_t bytes[sizeof(world.bytes)];
	struct prng prng;

	proof_world_init(&world, 4, WIRE_PROOF_C2);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 3000; i++) {
		memcpy(bytes, world.bytes, world.count);
		size_t count = wire_mutate(&prng, bytes, world.count, sizeof(bytes));

		if (count != world.count || memcmp(bytes, world.bytes, count) != 0)
			UNIT_CHECK(verify(bytes, count) != QR_VERDICT_PROVED);
	}
}

static void batch_of_an_earlier_block_has_its_own_verdict(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	/* Parent's cut already ends at 4: honest chain, wrong block for this transaction. */
	world.parent.header.cut.lane[1].seq = 4;
	world.parent.header.cut.lane[1].digest = world.batch[0].digest;
	proof_world_blocks(&world);
	proof_world_certificates(&world, WIRE_PROOF_FC);
	UNIT_EQUAL(rebuilt(), QR_VERDICT_ORDERED_EARLIER);
}

static void expired_frame_has_its_own_verdict(void)
{
	struct hs_block *top = &world.link[PROOF_LINKS - 1];
	struct crypto_hash below = { { 44 } };
	struct hs_qc qc;

	proof_world_init(&world, 4, WIRE_PROOF_FC);
	wire_world_qc(&world.wire, HS_MESSAGE_VOTE, 9, &below, 0, &qc);
	wire_world_block(&world.wire, 10, 1000, &qc, &world.parent);
	wire_world_qc(&world.wire, HS_MESSAGE_VOTE, 10, &world.parent.id, 0, &qc);
	wire_world_block(&world.wire, 11, 1001, &qc, top);
	top->header.cut = world.block.header.cut;
	wire_world_block(&world.wire, 11, 1001, &qc, top);
	world.parts.header = &top->header;
	world.parts.link_count = 0;
	wire_world_qc(&world.wire, HS_MESSAGE_COMMIT, 11, &top->id, 0, &world.certificate);
	UNIT_EQUAL(rebuilt(), QR_VERDICT_EXPIRED);
}

static void headers_must_be_linked(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.link[0].header.time_ns++;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_BROKEN_LINK);
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.parent.header.time_ns++;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_BROKEN_LINK);
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.parts.parent = NULL; /* only the first block has none */
	UNIT_EQUAL(rebuilt(), QR_VERDICT_BROKEN_LINK);
}

static void first_block_needs_no_parent(void)
{
	struct hs_qc genesis = { .epoch = 1 };

	proof_world_init(&world, 4, WIRE_PROOF_FC);
	genesis.block_id = world.wire.genesis_id;
	wire_world_block(&world.wire, 1, 1, &genesis, &world.block);
	wire_world_qc(&world.wire, HS_MESSAGE_COMMIT, 1, &world.block.id, 0, &world.certificate);
	world.parts.parent = NULL;
	world.parts.link_count = 0;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_PROVED);
	UNIT_EQUAL(proved.height, 1);
}

static void votes_do_not_make_a_finality_certificate(void)
{
	const struct hs_block *top = &world.link[PROOF_LINKS - 1];

	proof_world_init(&world, 4, WIRE_PROOF_FC);
	wire_world_qc(&world.wire, HS_MESSAGE_VOTE, 13, &top->id, 0, &world.certificate);
	UNIT_EQUAL(rebuilt(), QR_VERDICT_NO_QUORUM);
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.certificate.count--;
	bitset_remove(&world.certificate.signers, 3);
	UNIT_EQUAL(rebuilt(), QR_VERDICT_NO_QUORUM);
}

static void skipped_view_does_not_commit(void)
{
	struct hs_block *top = &world.link[PROOF_LINKS - 1];
	struct hs_qc qc;

	proof_world_init(&world, 4, WIRE_PROOF_C2);
	wire_world_qc(&world.wire, HS_MESSAGE_VOTE, 13, &top->id, 0, &qc);
	wire_world_block(&world.wire, 15, 11, &qc, &world.child);
	wire_world_qc(&world.wire, HS_MESSAGE_VOTE, 15, &world.child.id, 0, &world.child_qc);
	UNIT_EQUAL(rebuilt(), QR_VERDICT_NOT_CONSECUTIVE);
	proof_world_init(&world, 4, WIRE_PROOF_C2);
	world.child_qc.signature[0].b[0] ^= 1;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_NO_QUORUM);
}

static void wrong_frame_signature_and_chain_are_named(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.frame[2].bytes[world.frame[2].count - 1] ^= 1;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_FRAME_SIGNATURE);
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.path[0].b[0] ^= 1;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_FRAME_NOT_IN_BATCH);
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.batch[1].frame_bytes++;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_BATCH_NOT_IN_CUT);
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.parts.chain_id.b[9] ^= 1;
	UNIT_EQUAL(rebuilt(), QR_VERDICT_OTHER_CHAIN);
}

static void chain_id_is_the_builders(void)
{
	uint8_t id[32];

	proof_world_init(&world, 4, WIRE_PROOF_FC);
	UNIT_EQUAL(qr_genesis_chain_id(world.wire.genesis_bytes, world.wire.genesis_byte_count, id),
		   QR_VERDICT_PROVED);
	UNIT_CHECK(memcmp(id, world.wire.validators.chain_id.b, 32) == 0);
	for (int i = 0; i <= QR_VERDICT_COUNT; i++)
		UNIT_CHECK(qr_verdict_text((enum qr_verdict)i) != NULL);
}

UNIT_SUITE("qr_verify_proof", UNIT_TEST(built_proofs_prove),
	   UNIT_TEST(every_changed_byte_is_rejected),
	   UNIT_TEST(every_truncation_and_extension_is_rejected),
	   UNIT_TEST(every_changed_genesis_is_rejected), UNIT_TEST(random_bytes_never_hurt),
	   UNIT_TEST(batch_of_an_earlier_block_has_its_own_verdict),
	   UNIT_TEST(expired_frame_has_its_own_verdict), UNIT_TEST(headers_must_be_linked),
	   UNIT_TEST(first_block_needs_no_parent),
	   UNIT_TEST(votes_do_not_make_a_finality_certificate),
	   UNIT_TEST(skipped_view_does_not_commit),
	   UNIT_TEST(wrong_frame_signature_and_chain_are_named),
	   UNIT_TEST(chain_id_is_the_builders))
