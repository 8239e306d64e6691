#define _GNU_SOURCE
#include "bench/bench_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/units.h"
#include "wire/wire_seal.h"

enum { KEY_SLOTS = 4 * BENCH_CLIENTS_MAX, FIRST_SEQ = 1 };

static uint64_t frames_of(const struct bench_load_config *config)
{
	return (config->transactions + config->transactions_per_frame - 1) /
	       config->transactions_per_frame;
}

static uint32_t frame_bytes_max(const struct bench_load_config *config)
{
	return WIRE_FRAME_HEAD_BYTES +
	       config->transactions_per_frame * (2 + config->payload_bytes) + WIRE_SEAL_BYTES_MIN +
	       wire_seal_depth(config->frames_per_seal) * CRYPTO_HASH_BYTES;
}

uint64_t bench_load_bytes(const struct bench_load_config *config, const char **ret_why)
{
	const char *why = NULL;

	if (config->clients < 1 || config->clients > BENCH_CLIENTS_MAX)
		why = "clients: 1 to 4096";
	else if (config->frames_per_seal < 1 || config->frames_per_seal > WIRE_SEAL_FRAMES_MAX)
		why = "frames per seal: 1 to 64";
	else if (config->payload_bytes < 8 || config->payload_bytes > WIRE_PAYLOAD_BYTES_MAX)
		why = "payload: 8 bytes to what a datagram carries (1268)";
	else if (config->transactions_per_frame < 1 ||
		 config->transactions_per_frame > WIRE_FRAME_TRANSACTIONS_MAX ||
		 frame_bytes_max(config) > LANE_FRAME_BYTES_MAX)
		why = "a frame of this many transactions with its seal exceeds 1400 bytes; "
		      "use fewer transactions a frame, a smaller payload or fewer frames a seal";
	else if (config->transactions < 1 || config->transactions > UINT64_C(1) << 32)
		why = "transactions: 1 to 4294967296";
	if (why) {
		*ret_why = why;
		return 0;
	}
	return frames_of(config) * (sizeof(struct bench_frame) + frame_bytes_max(config));
}

static uint32_t key_slot_of(const struct crypto_public_key *key)
{
	uint32_t word;

	memcpy(&word, key->b, sizeof(word));
	return word % KEY_SLOTS;
}

static void make_keys(struct bench_load *load)
{
	struct prng prng;

	prng_seed(&prng, load->config.seed);
	for (uint32_t i = 0; i < load->config.clients; i++) {
		uint8_t seed[CRYPTO_SEED_BYTES];
		uint32_t slot;

		prng_fill(&prng, seed, sizeof(seed));
		crypto_sign_key_init(seed, &load->key[i]);
		slot = key_slot_of(&load->key[i].public_key);
		while (load->key_slot[slot] != 0)
			slot = (slot + 1) % KEY_SLOTS;
		load->key_slot[slot] = i + 1;
	}
}

static void lay_out(struct bench_load *load)
{
	const struct bench_load_config *config = &load->config;
	uint64_t left = config->transactions;

	for (uint64_t i = 0; i < load->frame_count; i++) {
		uint64_t bundle = i / config->frames_per_seal;
		uint64_t k = bundle / config->clients * config->frames_per_seal +
			     i % config->frames_per_seal;

		load->frame[i] = (struct bench_frame){
			.offset = i * frame_bytes_max(config),
			.client = (uint32_t)(bundle % config->clients),
			.first_seq = FIRST_SEQ + k * config->transactions_per_frame,
			.count = (uint32_t)units_min(left, config->transactions_per_frame),
		};
		left -= load->frame[i].count;
	}
}

static uint32_t build_body(struct bench_load *load, struct bench_frame *frame, uint32_t depth,
			   struct prng *prng)
{
	static uint8_t payload[LANE_FRAME_BYTES_MAX]; /* all of a frame's fit into a frame */
	const void *parts[WIRE_FRAME_TRANSACTIONS_MAX];
	uint32_t sizes[WIRE_FRAME_TRANSACTIONS_MAX];
	uint32_t bytes = load->config.payload_bytes;
	struct wire_frame_spec spec = {
		.kind = WIRE_FRAME_TRANSACTIONS,
		.chain_id = load->config.chain_id,
		.client = load->key[frame->client].public_key,
		.first_seq = frame->first_seq,
		.expires = load->config.expires,
		.count = frame->count,
		.payload = parts,
		.payload_bytes = sizes,
		.seal_depth = depth,
	};
	int count;

	ensure((size_t)frame->count * bytes <= sizeof(payload));
	prng_fill(prng, payload, (size_t)frame->count * bytes);
	for (uint32_t i = 0; i < frame->count; i++) {
		parts[i] = payload + (size_t)i * bytes;
		sizes[i] = bytes;
	}
	count = wire_frame_build(&spec, load->bytes + frame->offset, LANE_FRAME_BYTES_MAX);
	ensure(count > 0);
	return (uint32_t)count;
}

static void build_bundle(struct bench_load *load, uint64_t first, uint32_t count, struct prng *prng)
{
	uint32_t depth = wire_seal_depth(load->config.frames_per_seal);
	const struct crypto_signing_key *key = &load->key[load->frame[first].client];
	struct crypto_hash leaf[WIRE_SEAL_FRAMES_MAX] = { 0 };
	uint8_t message[CRYPTO_SIGNED_BYTES_MAX];
	struct crypto_signature signature;
	struct wire_seal_tree tree;

	for (uint32_t i = 0; i < count; i++) {
		struct bench_frame *frame = &load->frame[first + i];

		frame->byte_count = build_body(load, frame, depth, prng);
		leaf[i] = wire_seal_leaf(load->bytes + frame->offset, frame->byte_count);
	}
	wire_seal_tree_build(&tree, leaf, load->config.frames_per_seal);
	crypto_sign_message(key, message,
			    wire_seal_signed_bytes(&load->config.chain_id, &key->public_key,
						   &tree.node[1], message),
			    &signature);
	for (uint32_t i = 0; i < count; i++) {
		struct bench_frame *frame = &load->frame[first + i];

		frame->byte_count += wire_seal_write(
			&tree, i, &signature, load->bytes + frame->offset + frame->byte_count);
	}
}

int bench_load_build(const struct bench_load_config *config,
		     void (*progress)(uint64_t done, uint64_t total), struct bench_load *ret_load)
{
	struct bench_load *load = ret_load;
	struct prng prng;

	*load = (struct bench_load){ .config = *config, .frame_count = frames_of(config) };
	load->byte_count = load->frame_count * frame_bytes_max(config) + LANE_FRAME_BYTES_MAX;
	load->frame = calloc(load->frame_count, sizeof(*load->frame));
	load->bytes = malloc(load->byte_count);
	load->key = calloc(config->clients, sizeof(*load->key));
	load->key_slot = calloc(KEY_SLOTS, sizeof(*load->key_slot));
	load->floor = calloc(config->clients, sizeof(*load->floor));
	if (!load->frame || !load->bytes || !load->key || !load->key_slot || !load->floor) {
		bench_load_free(load);
		return ERR_MEMORY;
	}
	make_keys(load);
	lay_out(load);
	prng_seed(&prng, config->seed ^ UINT64_C(0x5eed));
	for (uint64_t i = 0; i < load->frame_count; i += config->frames_per_seal) {
		build_bundle(load, i,
			     (uint32_t)units_min(config->frames_per_seal, load->frame_count - i),
			     &prng);
		if (progress)
			progress(i, load->frame_count);
	}
	return 0;
}

void bench_load_free(struct bench_load *load)
{
	free(load->frame);
	free(load->bytes);
	free(load->key);
	free(load->key_slot);
	free(load->floor);
	memset(load, 0, sizeof(*load));
}

static bool client_of(const struct bench_load *load, const struct crypto_public_key *key,
		      uint32_t *ret_client)
{
	uint32_t slot = key_slot_of(key);

	for (; load->key_slot[slot] != 0; slot = (slot + 1) % KEY_SLOTS) {
		uint32_t client = load->key_slot[slot] - 1;

		if (memcmp(load->key[client].public_key.b, key->b, sizeof(key->b)) == 0) {
			*ret_client = client;
			return true;
		}
	}
	return false;
}

uint64_t bench_load_frame_of(const struct bench_load *load, uint32_t client, uint64_t k)
{
	uint64_t per_seal = load->config.frames_per_seal;

	return (k / per_seal * load->config.clients + client) * per_seal + k % per_seal;
}

bool bench_load_find(const struct bench_load *load, const struct crypto_public_key *client,
		     uint64_t first_seq, uint64_t *ret_frame)
{
	uint32_t number;
	uint64_t frame;

	if (first_seq < FIRST_SEQ || !client_of(load, client, &number))
		return false;
	frame = bench_load_frame_of(load, number,
				    (first_seq - FIRST_SEQ) / load->config.transactions_per_frame);
	if (frame >= load->frame_count || load->frame[frame].first_seq != first_seq)
		return false;
	*ret_frame = frame;
	return true;
}

bool bench_load_is_in_window(const struct bench_load *load, uint64_t frame)
{
	const struct bench_frame *f = &load->frame[frame];
	uint64_t base = FIRST_SEQ + load->floor[f->client] * load->config.transactions_per_frame;

	return f->first_seq + f->count <= base + BENCH_WINDOW;
}

void bench_load_set_final(struct bench_load *load, uint64_t frame)
{
	uint32_t client = load->frame[frame].client;
	uint64_t next;

	load->frame[frame].state = BENCH_FRAME_FINAL;
	while ((next = bench_load_frame_of(load, client, load->floor[client])) <
		       load->frame_count &&
	       load->frame[next].state == BENCH_FRAME_FINAL)
		load->floor[client]++;
}

static void write_ids_of(const struct bench_load *load, uint64_t index, FILE *out)
{
	const struct bench_frame *f = &load->frame[index];
	struct wire_payload_walk walk;
	struct wire_payload payload;
	struct wire_frame frame;

	ensure(wire_frame_parse(load->bytes + f->offset, f->byte_count, &frame) == 0);
	wire_payload_walk_init(&walk, &frame);
	while (wire_payload_next(&walk, &payload)) {
		struct crypto_hash id =
			wire_txid(&frame.client, payload.seq, payload.bytes, payload.byte_count);

		for (size_t i = 0; i < sizeof(id.b); i++)
			fprintf(out, "%02x", id.b[i]);
		fputc('\n', out);
	}
}

int bench_load_write_ids(const struct bench_load *load, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	for (uint64_t i = 0; i < load->frame_count; i++)
		write_ids_of(load, i, out);
	return fclose(out) == 0 ? 0 : -errno;
}
