/*
 * wire_fixture: a small chain with real keys, for tests of bytes: members, certificates, blocks,
 * batches, frames. Deterministic. Header only; every function is static inline.
 *
 * Model    A wire_world is a genesis with real keys of its members, made from fixed seeds. What
 *          is built over it verifies, so that a test may change one thing and know why it fails.
 * Memory   The caller's; wire_exact_copy() alone takes the heap, and the caller frees it.
 * Sizes    Small: a handful of members, frames of a few hundred bytes, so that a test may
 *          flip every byte.
 * Errors   None: what cannot happen in a fixture is ensure().
 */
#ifndef QUORATE_TESTS_LIB_WIRE_FIXTURE_H
#define QUORATE_TESTS_LIB_WIRE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/prng.h"
#include "consensus/hs_types.h"
#include "crypto/crypto_hash.h"
#include "crypto/crypto_session.h"
#include "wire/wire_genesis.h"
#include "wire/wire_message.h"
#include "wire/wire_seal.h"

struct wire_world {
	uint32_t count;
	struct wire_genesis genesis;
	uint8_t genesis_bytes[WIRE_GENESIS_BYTES_MAX];
	size_t genesis_byte_count;
	struct wire_validators validators;
	struct crypto_hash genesis_id;
	struct crypto_signing_key key[HS_REPLICAS_MAX];
	struct crypto_exchange_secret exchange[HS_REPLICAS_MAX];
	struct crypto_signing_key client;
};

/* Limits of the genesis that tests rely on. */
static inline void wire_world_limits(struct wire_genesis *genesis)
{
	memcpy(genesis->name, "test-chain", sizeof("test-chain"));
	genesis->time_ns = 1700000000000000000;
	genesis->delta_ns = 20000000;
	genesis->timeout_max_ns = 1000000000;
	genesis->heartbeat_ns = 1000000000;
	genesis->block_interval_min_ns = 1000000;
	genesis->clock_skew_max_ns = 500000000;
	genesis->window_batches = 64;
	genesis->cut_batches_max = 32;
	genesis->admission.kind = WIRE_ADMISSION_OPEN;
	genesis->admission.clients_max = 4096;
}

/* Makes genesis, keys and validators of `count` members. */
static inline void wire_world_init(struct wire_world *world, uint32_t count)
{
	uint8_t seed[CRYPTO_SEED_BYTES] = { 7 };
	int bytes;

	ensure(crypto_start() == 0);
	memset(world, 0, sizeof(*world));
	world->count = count;
	wire_world_limits(&world->genesis);
	world->genesis.member_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct wire_genesis_member *member = &world->genesis.member[i];

		seed[1] = (uint8_t)i;
		crypto_sign_key_init(seed, &world->key[i]);
		memcpy(world->exchange[i].b, seed, sizeof(seed));
		member->name[0] = 'n';
		member->name[1] = (char)('0' + i / 10);
		member->name[2] = (char)('0' + i % 10);
		member->public_key = world->key[i].public_key;
		crypto_exchange_public(&world->exchange[i], &member->exchange_key);
		member->port = (uint16_t)(4000 + i);
	}
	seed[0] = 9;
	crypto_sign_key_init(seed, &world->client);
	bytes = wire_genesis_encode(&world->genesis, world->genesis_bytes,
				    sizeof(world->genesis_bytes));
	ensure(bytes > 0);
	world->genesis_byte_count = (size_t)bytes;
	struct crypto_hash chain_id =
		wire_genesis_chain_id(world->genesis_bytes, world->genesis_byte_count);

	wire_genesis_validators(&world->genesis, &chain_id, &world->validators);
	world->genesis_id = wire_genesis_block_id(&chain_id, &world->validators.set_hash);
}

/* A member's signature over a message of `kind`. */
static inline void wire_world_sign(const struct wire_world *world, enum hs_message_kind kind,
				   uint32_t author, uint64_t view, const struct crypto_hash *id,
				   uint64_t qc_view, struct crypto_signature *ret_signature)
{
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = hs_signed_bytes(kind, &world->validators.chain_id, world->validators.epoch,
					 &world->validators.set_hash, view, id, qc_view, bytes);

	crypto_sign_message(&world->key[author], bytes, count, ret_signature);
}

/* Votes (or COMMITs) of q members, the first `skip` left out. */
static inline void wire_world_qc(const struct wire_world *world, enum hs_message_kind kind,
				 uint64_t view, const struct crypto_hash *id, uint32_t skip,
				 struct hs_qc *ret_qc)
{
	memset(ret_qc, 0, sizeof(*ret_qc));
	ret_qc->epoch = world->validators.epoch;
	ret_qc->view = view;
	ret_qc->block_id = *id;
	for (uint32_t i = skip; view > 0 && ret_qc->count < hs_quorum(world->count); i++) {
		bitset_add(&ret_qc->signers, i);
		wire_world_sign(world, kind, i, view, id, 0, &ret_qc->signature[ret_qc->count++]);
	}
}

/* q TIMEOUTs of `view`, all naming `qc_view`. */
static inline void wire_world_tc(const struct wire_world *world, uint64_t view, uint64_t qc_view,
				 struct hs_tc *ret_tc)
{
	memset(ret_tc, 0, sizeof(*ret_tc));
	ret_tc->epoch = world->validators.epoch;
	ret_tc->view = view;
	for (uint32_t i = 0; i < hs_quorum(world->count); i++) {
		bitset_add(&ret_tc->signers, i);
		ret_tc->qc_view[i] = qc_view;
		wire_world_sign(world, HS_MESSAGE_TIMEOUT, i, view, NULL, qc_view,
				&ret_tc->signature[i]);
		ret_tc->count++;
	}
}

/* A block on `justify`; the caller may have set its cut before. Signed by member view mod n. */
static inline void wire_world_block(const struct wire_world *world, uint64_t view, uint64_t height,
				    const struct hs_qc *justify, struct hs_block *block)
{
	const struct wire_validators *v = &world->validators;
	struct hs_header *header = &block->header;

	header->epoch = v->epoch;
	header->view = view;
	header->height = height;
	header->time_ns = world->genesis.time_ns + height;
	header->parent_id = justify->block_id;
	header->justify_view = justify->view;
	header->justify_digest = hs_justify_digest(&v->chain_id, &v->set_hash, v->epoch,
						   justify->view, &justify->block_id);
	header->cut.lane_count = world->count;
	block->justify = *justify;
	block->id = hs_block_id(&v->chain_id, &v->set_hash, header);
	block->author = (uint32_t)(view % world->count);
	wire_world_sign(world, HS_MESSAGE_PROPOSE, block->author, view, &block->id, 0,
			&block->signature);
}

/* A signed batch header over the leaves, chained to `prev`. */
static inline void wire_world_batch(const struct wire_world *world, uint32_t lane, uint64_t seq,
				    const struct crypto_hash *prev, const struct crypto_hash *root,
				    uint32_t frames, struct lane_header *ret_header)
{
	const struct wire_validators *v = &world->validators;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count;

	memset(ret_header, 0, sizeof(*ret_header));
	ret_header->lane = lane;
	ret_header->seq = seq;
	if (seq > 1)
		ret_header->prev_digest = *prev;
	ret_header->frames_root = *root;
	ret_header->frame_count = frames;
	ret_header->frame_bytes = frames * 300;
	ret_header->digest = wire_batch_digest(&v->chain_id, ret_header);
	count = wire_batch_signed_bytes(&v->chain_id, v->epoch, &v->set_hash, &ret_header->digest,
					bytes);
	crypto_sign_message(&world->key[lane], bytes, count, &ret_header->signature);
}

struct wire_world_frame {
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
	uint32_t count;
};

/* `frames` sealed frames of `transactions` each, 20 bytes a payload, from `first_seq` on. */
static inline void wire_world_frames(const struct wire_world *world, uint64_t first_seq,
				     uint32_t frames, uint32_t transactions,
				     struct wire_world_frame *ret_frames)
{
	struct crypto_hash leaf[WIRE_SEAL_FRAMES_MAX] = { 0 };
	const void *payload[WIRE_FRAME_TRANSACTIONS_MAX];
	uint32_t payload_bytes[WIRE_FRAME_TRANSACTIONS_MAX];
	uint8_t signed_bytes[CRYPTO_SIGNED_BYTES_MAX];
	struct crypto_signature signature;
	struct wire_seal_tree tree;

	for (uint32_t i = 0; i < frames; i++) {
		struct wire_frame_spec spec = {
			.kind = WIRE_FRAME_TRANSACTIONS,
			.chain_id = world->validators.chain_id,
			.client = world->client.public_key,
			.first_seq = first_seq + (uint64_t)i * transactions,
			.expires = 1000,
			.count = transactions,
			.payload = payload,
			.payload_bytes = payload_bytes,
			.seal_depth = wire_seal_depth(frames),
		};
		int count;

		for (uint32_t k = 0; k < transactions; k++) {
			payload[k] = &"a payload of 20 byte"[k % 3];
			payload_bytes[k] = 20 - k % 3;
		}
		count = wire_frame_build(&spec, ret_frames[i].bytes, LANE_FRAME_BYTES_MAX);
		ensure(count > 0);
		ret_frames[i].count = (uint32_t)count;
		leaf[i] = wire_seal_leaf(ret_frames[i].bytes, ret_frames[i].count);
	}
	wire_seal_tree_build(&tree, leaf, frames);
	uint32_t count = wire_seal_signed_bytes(&world->validators.chain_id,
						&world->client.public_key, &tree.node[1],
						signed_bytes);

	crypto_sign_message(&world->client, signed_bytes, count, &signature);
	for (uint32_t i = 0; i < frames; i++)
		ret_frames[i].count += wire_seal_write(&tree, i, &signature,
						       ret_frames[i].bytes + ret_frames[i].count);
}

/* Changes `bytes` a little: flips, truncation, growth, a byte set. Returns the new count. */
static inline size_t wire_mutate(struct prng *prng, uint8_t *bytes, size_t count, size_t room)
{
	uint32_t steps = 1 + (uint32_t)prng_below(prng, 3);

	for (uint32_t i = 0; i < steps; i++) {
		uint8_t drawn;

		switch (prng_below(prng, 6)) {
		case 0:
			count = count > 0 ? (size_t)prng_below(prng, count) : 0;
			break;
		case 1:
			if (count < room)
				bytes[count++] = (uint8_t)prng_u64(prng);
			break;
		case 2:
			if (count == 0)
				break;
			drawn = (uint8_t)prng_u64(prng);
			bytes[prng_below(prng, count)] = drawn;
			break;
		case 3:
			if (count == 0)
				break;
			drawn = (uint8_t)prng_below(prng, 4);
			/* near the front, where kinds and counts live */
			bytes[prng_below(prng, count < 64 ? count : 64)] = drawn;
			break;
		default:
			if (count == 0)
				break;
			drawn = (uint8_t)(1 << prng_below(prng, 8));
			bytes[prng_below(prng, count)] ^= drawn;
			break;
		}
	}
	return count;
}

/* A copy in a block of exactly its size, so that the sanitizer sees a read past its end. */
static inline uint8_t *wire_exact_copy(const uint8_t *bytes, size_t count)
{
	uint8_t *copy = malloc(count > 0 ? count : 1);

	ensure(copy);
	if (count > 0)
		memcpy(copy, bytes, count);
	return copy;
}

#endif
