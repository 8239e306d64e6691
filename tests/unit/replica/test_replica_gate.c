/* Where bytes stop being lies: replica_gate.c. */

#include "replica/replica_gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "replica/replica_windows.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"

static struct wire_world world;
static struct replica_gate *gate;
static void *memory;
static uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
static struct wire_message message;
static struct replica_verified verified;

static void set_up(const struct replica_admission *admission)
{
	struct replica_gate_config config = {
		.validators = &world.validators,
		.verifier = crypto_verifier_ed25519,
		.replica_id = 1,
		.admission = { .is_open = true },
		.cache_entries = 256,
	};
	size_t room;

	wire_world_init(&world, 4);
	config.genesis_id = world.genesis_id;
	if (admission)
		config.admission = *admission;
	room = replica_gate_footprint(&config);
	free(memory);
	memory = aligned_alloc(64, (room + 63) & ~(size_t)63);
	UNIT_REQUIRE(memory && replica_gate_init(memory, room, &config, &gate) == 0);
	memset(&message, 0, sizeof(message));
	message.epoch = world.validators.epoch;
}

static int hear(uint32_t from)
{
	int count = wire_encode(&message, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0);
	return replica_gate_peer(gate, from, bytes, (uint32_t)count, &verified);
}

static uint32_t frame_bytes(uint64_t expires, const struct crypto_hash *chain_id)
{
	static struct wire_seal_tree tree;
	const void *payload[1] = { "pay" };
	const uint32_t payload_bytes[1] = { 3 };
	struct wire_frame_spec spec = {
		.kind = WIRE_FRAME_TRANSACTIONS,
		.chain_id = *chain_id,
		.client = world.client.public_key,
		.first_seq = 1,
		.expires = expires,
		.count = 1,
		.payload = payload,
		.payload_bytes = payload_bytes,
	};
	uint8_t covered[CRYPTO_SIGNED_BYTES_MAX];
	struct crypto_signature signature;
	struct crypto_hash leaf;
	uint32_t count;
	int body = wire_frame_build(&spec, bytes, LANE_FRAME_BYTES_MAX);

	UNIT_REQUIRE(body > 0);
	leaf = wire_seal_leaf(bytes, (size_t)body);
	wire_seal_tree_build(&tree, &leaf, 1);
	count = wire_seal_signed_bytes(chain_id, &spec.client, &tree.node[1], covered);
	crypto_sign_message(&world.client, covered, count, &signature);
	return (uint32_t)body + wire_seal_write(&tree, 0, &signature, bytes + body);
}

static void fill_vote(uint32_t author)
{
	message.kind = WIRE_VOTE;
	message.from = author;
	message.u.core.kind = HS_MESSAGE_VOTE;
	message.u.core.u.vote.author = author;
	message.u.core.u.vote.view = 5;
	message.u.core.u.vote.block_id = world.genesis_id;
	wire_world_sign(&world, HS_MESSAGE_VOTE, author, 5, &world.genesis_id, 0,
			&message.u.core.u.vote.signature);
}

static void a_signed_vote_passes_and_is_stamped(void)
{
	set_up(NULL);
	fill_vote(2);
	UNIT_EQUAL(hear(2), 0);
	UNIT_EQUAL(verified.stamp.kind, WIRE_VOTE);
	UNIT_EQUAL(verified.from, 2);
	UNIT_CHECK(verified.bytes == bytes);
}

static void a_vote_from_another_session_is_refused(void)
{
	set_up(NULL);
	fill_vote(2);
	UNIT_CHECK(hear(3) == ERR_SIGNATURE);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_BAD_SIGNATURE), 1);
	UNIT_CHECK(hear(4) == ERR_FORMAT); /* nobody's session */
}

static void wrong_epoch_and_truncation_have_their_own_reasons(void)
{
	int count;

	set_up(NULL);
	fill_vote(2);
	message.epoch++;
	UNIT_CHECK(hear(2) == ERR_EPOCH);
	message.epoch--;
	count = wire_encode(&message, bytes, sizeof(bytes));
	UNIT_CHECK(replica_gate_peer(gate, 2, bytes, (uint32_t)count - 1, &verified) ==
		   ERR_TRUNCATED);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_WRONG_EPOCH), 1);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_TRUNCATED), 1);
}

static void a_certificate_of_checked_votes_costs_no_signature_check(void)
{
	uint64_t before;

	set_up(NULL);
	message.kind = WIRE_QC;
	message.u.core.kind = HS_MESSAGE_QC;
	wire_world_qc(&world, HS_MESSAGE_VOTE, 5, &world.genesis_id, 0, &message.u.core.u.qc);
	UNIT_EQUAL(hear(2), 0);
	before = replica_gate_verified(gate)->checks;
	UNIT_EQUAL(hear(3), 0);
	UNIT_EQUAL(replica_gate_verified(gate)->checks, before);
}

static void a_statement_shown_must_carry_our_signature(void)
{
	struct hs_statement *statement = &message.u.show.statement;

	set_up(NULL);
	message.kind = WIRE_SHOW;
	statement->kind = HS_MESSAGE_VOTE;
	statement->view = 9;
	statement->block_id = world.genesis_id;
	wire_world_sign(&world, HS_MESSAGE_VOTE, 2, 9, &world.genesis_id, 0, &statement->signature);
	UNIT_CHECK(hear(2) == ERR_SIGNATURE);
	wire_world_sign(&world, HS_MESSAGE_VOTE, 1, 9, &world.genesis_id, 0, &statement->signature);
	UNIT_EQUAL(hear(2), 0);
}

static void commits_pass_unchecked_and_are_checked_on_demand(void)
{
	struct hs_commit commits[2] = { { .author = 0, .epoch = 1, .view = 5 },
					{ .author = 3, .epoch = 1, .view = 5 } };
	struct bitset good;
	struct bitset bad;

	set_up(NULL);
	message.kind = WIRE_COMMIT;
	message.u.core.kind = HS_MESSAGE_COMMIT;
	message.u.core.u.commit.view = 5;
	UNIT_EQUAL(hear(2), 0);
	commits[0].epoch = commits[1].epoch = world.validators.epoch;
	wire_world_sign(&world, HS_MESSAGE_COMMIT, 0, 5, &commits[0].block_id, 0,
			&commits[0].signature);
	replica_gate_commits(gate, commits, 2, &good, &bad);
	UNIT_CHECK(bitset_has(&good, 0) && bitset_count(&good) == 1);
	UNIT_CHECK(bitset_has(&bad, 3) && bitset_count(&bad) == 1);
}

static void a_lane_frame_with_a_bad_seal_is_passed_on_as_evidence(void)
{
	static uint8_t frame[LANE_FRAME_BYTES_MAX];
	uint32_t count;

	set_up(NULL);
	count = frame_bytes(100, &world.validators.chain_id);
	memcpy(frame, bytes, count);
	message.kind = WIRE_LANE_FRAME;
	message.u.lane_frame = (struct lane_frame){ .lane = 2, .seq = 1, .bytes = frame };
	message.u.lane_frame.byte_count = count;
	UNIT_EQUAL(hear(2), 0);
	UNIT_EQUAL(verified.stamp.is_signed_map, 1);
	frame[count - 1] ^= 1;
	UNIT_EQUAL(hear(2), 0);
	UNIT_EQUAL(verified.stamp.is_signed_map, 0);
}

static void a_client_frame_passes_with_its_hash(void)
{
	struct wire_frame frame;
	struct crypto_hash hash;
	uint32_t count;

	set_up(NULL);
	count = frame_bytes(100, &world.validators.chain_id);
	UNIT_EQUAL(replica_gate_client(gate, bytes, count, 10, &verified), 0);
	UNIT_REQUIRE(wire_frame_parse(bytes, count, &frame) == 0);
	hash = wire_frame_hash(&frame);
	UNIT_CHECK(crypto_hash_equal(&hash, &verified.stamp.frame_hash));
	UNIT_EQUAL(verified.from, HS_REPLICA_NONE);
}

static void client_frames_are_refused_by_name(void)
{
	struct crypto_hash other = { { 1 } };
	uint32_t count;

	set_up(NULL);
	count = frame_bytes(100, &world.validators.chain_id);
	UNIT_CHECK(replica_gate_client(gate, bytes, count, 100, &verified) == ERR_EXPIRED);
	UNIT_CHECK(replica_gate_client(gate, bytes, count - 1, 1, &verified) < 0);
	bytes[count - 1] ^= 1;
	UNIT_CHECK(replica_gate_client(gate, bytes, count, 1, &verified) == ERR_SIGNATURE);
	count = frame_bytes(100, &other);
	UNIT_CHECK(replica_gate_client(gate, bytes, count, 1, &verified) == ERR_CHAIN);
	count = frame_bytes(REPLICA_EXPIRES_MAX + 2, &world.validators.chain_id);
	UNIT_CHECK(replica_gate_client(gate, bytes, count, 1, &verified) == ERR_EXPIRED);
	UNIT_CHECK(replica_gate_client(gate, bytes, LANE_FRAME_BYTES_MAX + 1, 1, &verified) ==
		   ERR_OVERSIZE);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_EXPIRED), 1);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_BAD_SIGNATURE), 1);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_WRONG_CHAIN), 1);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_EXPIRES_FAR), 1);
	UNIT_EQUAL(replica_gate_dropped(gate, REPLICA_GATE_DROP_OVERSIZE), 1);
}

static void only_registered_keys_may_write_when_the_policy_says_so(void)
{
	struct crypto_public_key keys[3] = { { { 1 } }, { { 2 } }, { { 255 } } };
	struct replica_admission admission = { .key = keys, .key_count = 3 };
	uint32_t count;

	set_up(&admission);
	count = frame_bytes(100, &world.validators.chain_id);
	UNIT_CHECK(replica_gate_client(gate, bytes, count, 1, &verified) == ERR_UNKNOWN_CLIENT);
	keys[1] = world.client.public_key;
	UNIT_EQUAL(replica_gate_client(gate, bytes, count, 1, &verified), 0);
}

static void a_key_not_registered_does_not_get_in_through_a_peer_either(void)
{
	static uint8_t frame[LANE_FRAME_BYTES_MAX];
	struct crypto_public_key keys[1] = { { { 1 } } };
	struct replica_admission admission = { .key = keys, .key_count = 1 };
	uint32_t count;

	for (uint32_t is_listed = 0; is_listed < 2; is_listed++) {
		set_up(&admission);
		count = frame_bytes(100, &world.validators.chain_id);
		memcpy(frame, bytes, count);
		message.kind = WIRE_LANE_FRAME;
		message.u.lane_frame = (struct lane_frame){ .lane = 2, .seq = 1, .bytes = frame };
		message.u.lane_frame.byte_count = count;
		UNIT_EQUAL(hear(2), 0);
		UNIT_EQUAL(verified.stamp.is_signed_map, is_listed);
		keys[0] = world.client.public_key;
	}
}

static void random_damage_never_passes_a_signed_message(void)
{
	struct prng prng;
	int count;

	set_up(NULL);
	fill_vote(2);
	prng_seed(&prng, unit_seed());
	count = wire_encode(&message, bytes, sizeof(bytes));
	for (uint32_t i = 0; i < 300; i++) {
		uint64_t at = prng_below(&prng, (uint64_t)count);
		uint8_t bit = (uint8_t)(1U << prng_below(&prng, 8));

		bytes[at] ^= bit;
		/* Damage may turn the kind into one that carries no signature; a VOTE it is not. */
		if (replica_gate_peer(gate, 2, bytes, (uint32_t)count, &verified) == 0)
			UNIT_CHECK(verified.stamp.kind != WIRE_VOTE);
		bytes[at] ^= bit;
	}
	UNIT_EQUAL(replica_gate_peer(gate, 2, bytes, (uint32_t)count, &verified), 0);
	free(memory);
	memory = NULL;
}

UNIT_SUITE("replica_gate", UNIT_TEST(a_signed_vote_passes_and_is_stamped),
	   UNIT_TEST(a_vote_from_another_session_is_refused),
	   UNIT_TEST(wrong_epoch_and_truncation_have_their_own_reasons),
	   UNIT_TEST(a_certificate_of_checked_votes_costs_no_signature_check),
	   UNIT_TEST(a_statement_shown_must_carry_our_signature),
	   UNIT_TEST(commits_pass_unchecked_and_are_checked_on_demand),
	   UNIT_TEST(a_lane_frame_with_a_bad_seal_is_passed_on_as_evidence),
	   UNIT_TEST(a_client_frame_passes_with_its_hash),
	   UNIT_TEST(client_frames_are_refused_by_name),
	   UNIT_TEST(only_registered_keys_may_write_when_the_policy_says_so),
	   UNIT_TEST(a_key_not_registered_does_not_get_in_through_a_peer_either),
	   UNIT_TEST(random_damage_never_passes_a_signed_message))
