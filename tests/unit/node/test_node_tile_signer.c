/* node_tile_signer: signs in order what it is asked to; waits where an answer finds no room. */
#define _GNU_SOURCE
#include "node/node_tile_signer.h"

#include <string.h>

#include "node/node_message.h"
#include "tests/unit/node/node_fixture.h"

static struct crypto_signing_key key;
static struct node_signer_setup io;
static struct ctl_page *page;
static void *tile;

static void begin(void)
{
	static const uint8_t seed[CRYPTO_SEED_BYTES] = { 1 };

	UNIT_REQUIRE(crypto_start() == 0);
	crypto_sign_key_init(seed, &key);
	page = fixture_page();
	io = (struct node_signer_setup){ .key = &key,
					 .requests = fixture_ring(),
					 .ret_signed = fixture_ring(),
					 .metrics = ctl_block_register(page, "signer") };
	tile = fixture_tile(&node_tile_signer, &io);
}

static void end(void)
{
	free(tile);
	free(io.requests);
	free(io.ret_signed);
	free(page);
}

static void ask(uint64_t request, const char *text)
{
	const struct dp_ring_header header = { .kind = NODE_MESSAGE_SIGN, .aux = request };

	UNIT_REQUIRE(dp_ring_push(io.requests, &header, text, (uint32_t)strlen(text)));
}

static void every_request_gets_its_signature_in_order(void)
{
	static const char *const text[] = { "first", "second", "third" };
	const struct dp_ring_header *header;
	struct crypto_signature signature;
	const uint8_t *bytes;

	begin();
	for (uint64_t i = 0; i < 3; i++)
		ask(10 + i, text[i]);
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 3);
	for (uint64_t i = 0; i < 3; i++) {
		UNIT_REQUIRE((bytes = dp_ring_peek(io.ret_signed, &header)) != NULL);
		UNIT_EQUAL(header->kind, NODE_MESSAGE_SIGNED);
		UNIT_EQUAL(header->aux, 10 + i);
		UNIT_REQUIRE(header->bytes == sizeof(signature));
		memcpy(&signature, bytes, sizeof(signature));
		UNIT_CHECK(crypto_verify(&key.public_key, text[i], (uint32_t)strlen(text[i]),
					 &signature));
		dp_ring_release(io.ret_signed);
	}
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 0);
	UNIT_EQUAL(ctl_metric_sum(page, CTL_METRIC_SIGNATURES_MADE), 3);
	end();
}

static void a_turn_is_a_bounded_burst(void)
{
	begin();
	for (uint64_t i = 0; i < 100; i++)
		ask(i, "x");
	UNIT_CHECK(node_tile_signer.on_turn(tile, 1) < 100);
	for (int i = 0; i < 100; i++)
		node_tile_signer.on_turn(tile, 1);
	UNIT_EQUAL(fixture_ring_drain(io.ret_signed), 100);
	end();
}

static void a_full_ring_keeps_the_request_waiting(void)
{
	const struct dp_ring_header *header;

	begin();
	fixture_ring_fill(io.ret_signed);
	ask(5, "waits");
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 0);
	fixture_ring_drain(io.ret_signed);
	UNIT_EQUAL(node_tile_signer.on_turn(tile, 1), 1);
	UNIT_REQUIRE(dp_ring_peek(io.ret_signed, &header) != NULL);
	UNIT_EQUAL(header->aux, 5);
	end();
}

static void it_says_that_it_lives(void)
{
	begin();
	node_tile_signer.on_housekeeping(tile, 1234);
	UNIT_EQUAL(ctl_metrics_heartbeat_ns(page), 1234);
	end();
}

UNIT_SUITE("node_tile_signer", UNIT_TEST(every_request_gets_its_signature_in_order),
	   UNIT_TEST(a_turn_is_a_bounded_burst), UNIT_TEST(a_full_ring_keeps_the_request_waiting),
	   UNIT_TEST(it_says_that_it_lives))
