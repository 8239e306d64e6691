#include "tests/lib/hs_make.h"

#include <string.h>

#include "base/ensure.h"
#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"

struct hs_config hs_make_config(uint32_t replica_count, uint32_t replica_id)
{
	struct hs_config config = {
		.genesis_time_ns = 1000,
		.epoch = 1,
		.replica_id = replica_id,
		.replica_count = replica_count,
		.delta_ns = 5000000,
		.timeout_max_ns = 1000000000,
		.heartbeat_ns = 1000000000,
		.block_interval_min_ns = 100000,
		.clock_skew_max_ns = 500000000,
	};

	config.chain_id = crypto_hash_of("chain", 5);
	config.set_hash = crypto_hash_of("set", 3);
	config.genesis_id = crypto_hash_of("genesis", 7);
	return config;
}

struct crypto_signature hs_make_signature(uint32_t author, const uint8_t *bytes, uint32_t count)
{
	struct crypto_signature signature;
	struct crypto_hasher hasher;
	struct crypto_hash half;

	crypto_hasher_init(&hasher);
	crypto_hasher_add_u32(&hasher, author);
	crypto_hasher_add(&hasher, bytes, count);
	half = crypto_hasher_done(&hasher);
	memcpy(signature.b, half.b, sizeof(half.b));
	memcpy(signature.b + sizeof(half.b), half.b, sizeof(half.b));
	return signature;
}

struct crypto_signature hs_make_signed(const struct hs_config *config, enum hs_message_kind kind,
				       uint32_t author, uint64_t view,
				       const struct crypto_hash *block_id, uint64_t qc_view)
{
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = hs_signed_bytes(kind, &config->chain_id, config->epoch, &config->set_hash,
					 view, block_id, qc_view, bytes);

	return hs_make_signature(author, bytes, count);
}

bool hs_make_is_signed(const struct hs_config *config, const struct hs_commit *commit)
{
	struct crypto_signature expected = hs_make_signed(config, HS_MESSAGE_COMMIT, commit->author,
							  commit->view, &commit->block_id, 0);

	return memcmp(&expected, &commit->signature, sizeof(expected)) == 0;
}

void hs_make_genesis(const struct hs_config *config, struct hs_block *ret_block)
{
	memset(ret_block, 0, sizeof(*ret_block));
	ret_block->id = config->genesis_id;
	ret_block->header.epoch = config->epoch;
	ret_block->header.time_ns = config->genesis_time_ns;
	ret_block->header.cut.lane_count = config->replica_count;
}

void hs_make_genesis_qc(const struct hs_config *config, struct hs_qc *ret_qc)
{
	memset(ret_qc, 0, sizeof(*ret_qc));
	ret_qc->epoch = config->epoch;
	ret_qc->block_id = config->genesis_id;
}

static void hs_make_list(const struct hs_config *config, enum hs_message_kind kind, uint64_t view,
			 const struct crypto_hash *block_id, uint32_t first, struct hs_qc *ret_qc)
{
	memset(ret_qc, 0, sizeof(*ret_qc));
	ret_qc->epoch = config->epoch;
	ret_qc->view = view;
	ret_qc->block_id = *block_id;
	for (uint32_t i = 0; i < hs_quorum(config->replica_count); i++)
		bitset_add(&ret_qc->signers, (first + i) % config->replica_count);
	for (uint32_t i = 0; i < config->replica_count; i++)
		if (bitset_has(&ret_qc->signers, i))
			ret_qc->signature[ret_qc->count++] =
				hs_make_signed(config, kind, i, view, block_id, 0);
}

void hs_make_qc(const struct hs_config *config, uint64_t view, const struct crypto_hash *block_id,
		uint32_t first, struct hs_qc *ret_qc)
{
	if (view == 0)
		hs_make_genesis_qc(config, ret_qc);
	else
		hs_make_list(config, HS_MESSAGE_VOTE, view, block_id, first, ret_qc);
}

void hs_make_fc(const struct hs_config *config, uint64_t view, const struct crypto_hash *block_id,
		struct hs_fc *ret_fc)
{
	hs_make_list(config, HS_MESSAGE_COMMIT, view, block_id, 0, &ret_fc->c);
}

void hs_make_tc(const struct hs_config *config, uint64_t view, uint64_t qc_view,
		uint64_t qc_view_max, struct hs_tc *ret_tc)
{
	memset(ret_tc, 0, sizeof(*ret_tc));
	ret_tc->epoch = config->epoch;
	ret_tc->view = view;
	ret_tc->count = hs_quorum(config->replica_count);
	for (uint32_t i = 0; i < ret_tc->count; i++) {
		bitset_add(&ret_tc->signers, i);
		ret_tc->qc_view[i] = i == 0 ? qc_view_max : qc_view;
		ret_tc->signature[i] = hs_make_signed(config, HS_MESSAGE_TIMEOUT, i, view, NULL,
						      ret_tc->qc_view[i]);
	}
}

void hs_make_block_again(const struct hs_config *config, struct hs_block *block)
{
	block->header.justify_view = block->justify.view;
	block->header.justify_digest = hs_justify_digest(&config->chain_id, &config->set_hash,
							 config->epoch, block->justify.view,
							 &block->justify.block_id);
	block->id = hs_block_id(&config->chain_id, &config->set_hash, &block->header);
	block->signature = hs_make_signed(config, HS_MESSAGE_PROPOSE, block->author,
					  block->header.view, &block->id, 0);
}

void hs_make_block(const struct hs_config *config, const struct hs_block *parent, uint64_t view,
		   const struct hs_tc *tc, uint64_t salt, struct hs_block *ret_block)
{
	memset(ret_block, 0, sizeof(*ret_block));
	ret_block->header.epoch = config->epoch;
	ret_block->header.view = view;
	ret_block->header.height = parent->header.height + 1;
	ret_block->header.time_ns = parent->header.time_ns + 1 + salt;
	ret_block->header.parent_id = parent->id;
	hs_copy_cut(&ret_block->header.cut, &parent->header.cut);
	for (uint32_t i = 0; i < config->replica_count; i++) {
		struct hs_cut_entry *entry = &ret_block->header.cut.lane[i];

		entry->seq++;
		entry->digest = crypto_hash_of(entry, sizeof(*entry));
	}
	hs_make_qc(config, parent->header.view, &parent->id, 0, &ret_block->justify);
	ret_block->has_tc = tc != NULL;
	if (tc)
		hs_copy_tc(&ret_block->tc, tc);
	ret_block->author = (uint32_t)(view % config->replica_count);
	hs_make_block_again(config, ret_block);
}

struct hs_vote hs_make_vote(const struct hs_config *config, uint32_t author, uint64_t view,
			    const struct crypto_hash *block_id)
{
	return (struct hs_vote){
		.author = author,
		.epoch = config->epoch,
		.view = view,
		.block_id = *block_id,
		.signature = hs_make_signed(config, HS_MESSAGE_VOTE, author, view, block_id, 0),
	};
}

struct hs_commit hs_make_commit(const struct hs_config *config, uint32_t author, uint64_t view,
				const struct crypto_hash *block_id)
{
	return (struct hs_commit){
		.author = author,
		.epoch = config->epoch,
		.view = view,
		.block_id = *block_id,
		.signature = hs_make_signed(config, HS_MESSAGE_COMMIT, author, view, block_id, 0),
	};
}

void hs_make_timeout(const struct hs_config *config, uint32_t author, uint64_t view,
		     const struct hs_qc *qc, const struct hs_tc *entry_tc,
		     struct hs_timeout *ret_timeout)
{
	memset(ret_timeout, 0, sizeof(*ret_timeout));
	ret_timeout->author = author;
	ret_timeout->epoch = config->epoch;
	ret_timeout->view = view;
	if (qc)
		hs_copy_qc(&ret_timeout->qc, qc);
	else
		hs_make_genesis_qc(config, &ret_timeout->qc);
	ret_timeout->qc_view = ret_timeout->qc.view;
	if (entry_tc) {
		ret_timeout->entry.kind = HS_ENTRY_TC;
		hs_copy_tc(&ret_timeout->entry.tc, entry_tc);
	}
	ret_timeout->signature = hs_make_signed(config, HS_MESSAGE_TIMEOUT, author, view, NULL,
						ret_timeout->qc_view);
}
