/* bench_load: every frame is signed, numbered and findable; a client stays inside its window. */
#define _GNU_SOURCE
#include "bench/bench_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "wire/wire_client.h"
#include "wire/wire_seal.h"

static struct bench_load load;

static struct bench_load_config small(void)
{
	return (struct bench_load_config){ .chain_id = { { 7 } },
					   .transactions = 1003,
					   .clients = 5,
					   .transactions_per_frame = 4,
					   .frames_per_seal = 8,
					   .payload_bytes = 20,
					   .expires = 1000,
					   .seed = 3 };
}

static void build(const struct bench_load_config *config)
{
	const char *why = NULL;

	UNIT_REQUIRE(crypto_start() == 0);
	UNIT_REQUIRE(bench_load_bytes(config, &why) > 0);
	UNIT_REQUIRE(bench_load_build(config, NULL, &load) == 0);
}

static void frame_at(uint64_t index, struct wire_frame *ret_frame)
{
	UNIT_REQUIRE(wire_frame_parse(load.bytes + load.frame[index].offset,
				      load.frame[index].byte_count, ret_frame) == 0);
}

static void all_transactions_are_there_and_the_last_frame_is_short(void)
{
	const struct bench_load_config config = small();
	uint64_t count = 0;

	build(&config);
	UNIT_EQUAL(load.frame_count, 251);
	for (uint64_t i = 0; i < load.frame_count; i++) {
		struct wire_frame frame;

		frame_at(i, &frame);
		UNIT_EQUAL(frame.count, load.frame[i].count);
		UNIT_EQUAL(frame.first_seq, load.frame[i].first_seq);
		UNIT_CHECK(memcmp(&frame.client, &load.key[load.frame[i].client].public_key,
				  sizeof(frame.client)) == 0);
		UNIT_EQUAL(frame.expires, 1000);
		count += frame.count;
	}
	UNIT_EQUAL(count, 1003);
	UNIT_EQUAL(load.frame[250].count, 3);
	bench_load_free(&load);
}

static void every_clients_numbers_begin_at_one_and_have_no_gap(void)
{
	const struct bench_load_config config = small();
	uint64_t next[5] = { 1, 1, 1, 1, 1 };

	build(&config);
	for (uint64_t i = 0; i < load.frame_count; i++) {
		UNIT_EQUAL(load.frame[i].first_seq, next[load.frame[i].client]);
		next[load.frame[i].client] += load.frame[i].count;
	}
	bench_load_free(&load);
}

static void every_seal_is_one_the_verifier_takes(void)
{
	const struct bench_load_config config = small();

	build(&config);
	for (uint64_t i = 0; i < load.frame_count; i += 7) {
		uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
		struct crypto_signature signature;
		struct crypto_hash leaf;
		struct crypto_hash root;
		struct wire_frame frame;
		uint32_t count;

		frame_at(i, &frame);
		leaf = wire_frame_leaf(&frame);
		root = wire_frame_root(&frame, &leaf);
		count = wire_seal_signed_bytes(&config.chain_id, &frame.client, &root, bytes);
		memcpy(&signature, frame.signature, sizeof(signature));
		UNIT_CHECK(crypto_verify(&frame.client, bytes, count, &signature));
	}
	bench_load_free(&load);
}

static void a_frame_is_found_by_client_and_first_number_only(void)
{
	const struct bench_load_config config = small();
	struct crypto_public_key stranger = { { 1 } };
	uint64_t found = 0;

	build(&config);
	for (uint64_t i = 0; i < load.frame_count; i++) {
		const struct bench_frame *frame = &load.frame[i];
		const struct crypto_public_key *key = &load.key[frame->client].public_key;

		UNIT_REQUIRE(bench_load_find(&load, key, frame->first_seq, &found));
		UNIT_EQUAL(found, i);
		UNIT_CHECK(!bench_load_find(&load, key, frame->first_seq + 1, &found));
	}
	UNIT_CHECK(!bench_load_find(&load, &stranger, 1, &found));
	UNIT_CHECK(!bench_load_find(&load, &load.key[0].public_key, 0, &found));
	UNIT_CHECK(!bench_load_find(&load, &load.key[0].public_key, 100001, &found));
	bench_load_free(&load);
}

static void the_window_opens_only_over_a_gapless_prefix(void)
{
	struct bench_load_config config = small();
	uint64_t ahead;

	config.clients = 1;
	config.transactions = 3 * BENCH_WINDOW;
	build(&config);
	ahead = BENCH_WINDOW / config.transactions_per_frame;
	UNIT_CHECK(bench_load_is_in_window(&load, ahead - 1));
	UNIT_CHECK(!bench_load_is_in_window(&load, ahead));
	bench_load_set_final(&load, 1);
	UNIT_CHECK(!bench_load_is_in_window(&load, ahead));
	bench_load_set_final(&load, 0);
	UNIT_CHECK(bench_load_is_in_window(&load, ahead + 1));
	UNIT_CHECK(!bench_load_is_in_window(&load, ahead + 2));
	UNIT_EQUAL(load.frame[1].state, BENCH_FRAME_FINAL);
	bench_load_free(&load);
}

static void the_window_is_the_one_nodes_keep(void)
{
	UNIT_EQUAL(BENCH_WINDOW, WIRE_CLIENT_WINDOW);
}

static void the_same_seed_gives_the_same_load_and_another_one_other_clients(void)
{
	struct bench_load_config config = small();
	struct crypto_public_key key;
	struct wire_frame frame;
	uint8_t first[LANE_FRAME_BYTES_MAX];
	uint32_t count;

	build(&config);
	key = load.key[0].public_key;
	count = load.frame[9].byte_count;
	memcpy(first, load.bytes + load.frame[9].offset, count);
	bench_load_free(&load);
	build(&config);
	UNIT_CHECK(memcmp(first, load.bytes + load.frame[9].offset, count) == 0);
	bench_load_free(&load);
	config.seed++;
	build(&config);
	frame_at(0, &frame);
	UNIT_CHECK(memcmp(&key, &frame.client, sizeof(key)) != 0);
	bench_load_free(&load);
}

static void the_ids_written_are_those_of_the_order_each_once(void)
{
	const struct bench_load_config config = small();
	char path[] = "/tmp/quorate-unit-XXXXXX";
	int file = mkstemp(path);
	struct wire_payload_walk walk;
	struct wire_payload payload;
	struct wire_frame frame;
	struct crypto_hash id;
	char line[80];
	char first[80] = "";
	uint32_t lines = 0;
	FILE *in;

	UNIT_REQUIRE(file >= 0);
	close(file);
	build(&config);
	UNIT_REQUIRE(bench_load_write_ids(&load, path) == 0);
	frame_at(0, &frame);
	wire_payload_walk_init(&walk, &frame);
	UNIT_REQUIRE(wire_payload_next(&walk, &payload));
	id = wire_txid(&frame.client, payload.seq, payload.bytes, payload.byte_count);
	for (int i = 0; i < 32; i++)
		snprintf(first + 2 * i, 3, "%02x", id.b[i]);
	in = fopen(path, "re");
	UNIT_REQUIRE(in != NULL);
	while (fgets(line, sizeof(line), in)) {
		UNIT_EQUAL(strlen(line), 65);
		line[64] = '\0';
		if (lines++ == 0)
			UNIT_CHECK(strcmp(line, first) == 0);
	}
	fclose(in);
	UNIT_EQUAL(lines, 1003);
	UNIT_CHECK(bench_load_write_ids(&load, "/nowhere/at/all") < 0);
	unlink(path);
	bench_load_free(&load);
}

static void what_no_frame_can_carry_is_refused_with_the_reason(void)
{
	struct bench_load_config config = small();
	const char *why = NULL;

	config.transactions_per_frame = 100;
	UNIT_EQUAL(bench_load_bytes(&config, &why), 0);
	UNIT_CHECK(why && strstr(why, "1400") != NULL);
	config = small();
	config.clients = BENCH_CLIENTS_MAX + 1;
	UNIT_EQUAL(bench_load_bytes(&config, &why), 0);
	UNIT_CHECK(strstr(why, "clients") != NULL);
	config = small();
	config.frames_per_seal = 65;
	UNIT_EQUAL(bench_load_bytes(&config, &why), 0);
	config = small();
	config.payload_bytes = 0;
	UNIT_EQUAL(bench_load_bytes(&config, &why), 0);
	config = small();
	config.transactions = 0;
	UNIT_EQUAL(bench_load_bytes(&config, &why), 0);
}

UNIT_SUITE("bench_load", UNIT_TEST(all_transactions_are_there_and_the_last_frame_is_short),
	   UNIT_TEST(every_clients_numbers_begin_at_one_and_have_no_gap),
	   UNIT_TEST(every_seal_is_one_the_verifier_takes),
	   UNIT_TEST(a_frame_is_found_by_client_and_first_number_only),
	   UNIT_TEST(the_window_opens_only_over_a_gapless_prefix),
	   UNIT_TEST(the_window_is_the_one_nodes_keep),
	   UNIT_TEST(the_same_seed_gives_the_same_load_and_another_one_other_clients),
	   UNIT_TEST(the_ids_written_are_those_of_the_order_each_once),
	   UNIT_TEST(what_no_frame_can_carry_is_refused_with_the_reason))
