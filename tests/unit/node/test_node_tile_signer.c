/* node_tile_signer: signs what it is given, in order, and forgets no request. */
#define _GNU_SOURCE
#include "node/node_tile_signer.h"

#include <string.h>

#include "node/node_message.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/node/node_fixture.h"

static struct crypto_signing_key key;
static struct ctl_block metrics;
static struct dp_ring *requests;
static struct dp_ring *answers;
static void *tile;

static void set_up(void)
{
	const uint8_t seed[CRYPTO_SEED_BYTES] = { 5 };
	struct node_signer_setup setup = { .key = &key, .metrics = &metrics };

	if (!tile) {
		UNIT_REQUIRE(crypto_start() == 0);
		crypto_sign_key_init(seed, &key);
		requests = node_fixture_ring();
		answers = node_fixture_ring();
		tile = aligned_alloc(64, 4096);
	}
	setup.requests = requests;
	setup.ret_signed = answers;
	memset(&metrics, 0, sizeof(metrics));
	node_fixture_drain(requests);
	node_fixture_drain(answers);
	UNIT_REQUIRE(tile && node_tile_signer.footprint(&setup) <= 4096);
	UNIT_REQUIRE(node_tile_signer.setup(tile, &setup) == 0);
}

static void ask(uint64_t number)
{
	const struct dp_ring_header header = { .kind = NODE_MESSAGE_SIGN, .aux = number };

	UNIT_REQUIRE(dp_ring_push(requests, &header, &number, sizeof(number)));
}

/* The next answer is that to request `number` and its signature verifies. */
static bool is_answered(uint64_t number)
{
	const struct dp_ring_header *header;
	const uint8_t *bytes = dp_ring_peek(answers, &header);
	struct crypto_signature signature;
	bool is_good;

	if (!bytes || header->bytes != sizeof(signature))
		return false;
	memcpy(&signature, bytes, sizeof(signature));
	is_good = header->kind == NODE_MESSAGE_SIGNED && header->aux == number &&
		  crypto_verify(&key.public_key, &number, sizeof(number), &signature);
	dp_ring_release(answers);
	return is_good;
}

static void a_signature_verifies_under_the_nodes_key(void)
{
	set_up();
	ask(42);
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 1);
	UNIT_CHECK(is_answered(42));
	UNIT_EQUAL(metrics.word[CTL_METRIC_SIGNATURES_MADE], 1);
}

static void answers_keep_the_order_of_requests_over_many_turns(void)
{
	set_up();
	for (uint64_t i = 0; i < 50; i++)
		ask(i);
	for (uint64_t made = 0, turns = 0; made < 50; turns++) {
		UNIT_REQUIRE(turns < 50);
		made += node_tile_signer.on_turn(tile, turns);
	}
	for (uint64_t i = 0; i < 50; i++)
		UNIT_CHECK(is_answered(i));
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 0);
}

static void a_turn_is_a_bounded_burst(void)
{
	set_up();
	for (uint64_t i = 0; i < 50; i++)
		ask(i);
	UNIT_CHECK(node_tile_signer.on_turn(tile, 1) < 50);
}

static void a_full_ring_of_answers_keeps_the_request(void)
{
	set_up();
	node_fixture_fill(answers);
	ask(7);
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 0);
	node_fixture_drain(answers);
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 2), 1);
	UNIT_CHECK(is_answered(7));
	UNIT_EQUAL(metrics.word[CTL_METRIC_SIGNATURES_MADE], 1);
}

static void housekeeping_says_alive(void)
{
	set_up();
	node_tile_signer.on_housekeeping(tile, 123);
	UNIT_EQUAL(metrics.heartbeat_ns, 123);
}

UNIT_SUITE("node_tile_signer", UNIT_TEST(a_signature_verifies_under_the_nodes_key),
	   UNIT_TEST(answers_keep_the_order_of_requests_over_many_turns),
	   UNIT_TEST(a_turn_is_a_bounded_burst),
	   UNIT_TEST(a_full_ring_of_answers_keeps_the_request), UNIT_TEST(housekeeping_says_alive))
