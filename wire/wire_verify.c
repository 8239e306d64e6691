#include "wire/wire_verify.h"

#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "consensus/hs_types.h"
#include "crypto/crypto_hash.h"

enum { CACHE_WAYS = 2, CACHE_ENTRIES_MAX = 1 << 24 };

/* Hashes of what was found good. Two ways a set, the one used last in front. */
struct verify_cache {
	struct crypto_hash *entry;
	uint32_t set_mask;
};

struct wire_verifier {
	struct wire_verifier_config config;
	struct verify_cache signatures;
	struct verify_cache seals;
	struct verify_cache keys;
	struct wire_verify_counters counters;
};

static struct crypto_hash *cache_set(struct verify_cache *cache, const struct crypto_hash *key)
{
	uint32_t index = (uint32_t)key->b[0] | (uint32_t)key->b[1] << 8 | (uint32_t)key->b[2] << 16;

	return cache->entry + (size_t)(index & cache->set_mask) * CACHE_WAYS;
}

static bool cache_holds(struct verify_cache *cache, const struct crypto_hash *key)
{
	struct crypto_hash *set = cache_set(cache, key);

	if (crypto_hash_equal(&set[0], key))
		return true;
	if (!crypto_hash_equal(&set[1], key))
		return false;
	set[1] = set[0];
	set[0] = *key;
	return true;
}

static void cache_add(struct verify_cache *cache, const struct crypto_hash *key)
{
	struct crypto_hash *set = cache_set(cache, key);

	set[1] = set[0];
	set[0] = *key;
}

static bool config_is_valid(const struct wire_verifier_config *config)
{
	uint32_t entries = config->cache_entries;

	return config->validators && config->verifier.verify && config->validators->count > 0 &&
	       config->validators->count <= HS_REPLICAS_MAX && entries >= CACHE_WAYS &&
	       entries <= CACHE_ENTRIES_MAX && (entries & (entries - 1)) == 0;
}

size_t wire_verifier_footprint(const struct wire_verifier_config *config)
{
	if (!config_is_valid(config))
		return 0;
	return units_round_up(sizeof(struct wire_verifier), 64) +
	       3 * (size_t)config->cache_entries * sizeof(struct crypto_hash);
}

int wire_verifier_init(void *memory, size_t memory_bytes, const struct wire_verifier_config *config,
		       struct wire_verifier **ret_verifier)
{
	size_t footprint = wire_verifier_footprint(config);
	struct wire_verifier *verifier = memory;
	struct verify_cache *cache[3];

	if (footprint == 0 || memory_bytes < footprint)
		return ERR_CONFIG;
	memset(memory, 0, footprint);
	verifier->config = *config;
	cache[0] = &verifier->signatures;
	cache[1] = &verifier->seals;
	cache[2] = &verifier->keys;
	for (uint32_t i = 0; i < UNITS_COUNT(cache); i++) {
		cache[i]->entry = (struct crypto_hash *)((uint8_t *)memory +
							 units_round_up(sizeof(*verifier), 64)) +
				  (size_t)i * config->cache_entries;
		cache[i]->set_mask = config->cache_entries / CACHE_WAYS - 1;
	}
	*ret_verifier = verifier;
	return 0;
}

const struct wire_verify_counters *wire_verify_counters(const struct wire_verifier *verifier)
{
	return &verifier->counters;
}

struct crypto_hash wire_set_hash(uint64_t epoch, const struct crypto_public_key *keys,
				 uint32_t count)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRvalset", 8);
	crypto_hasher_add_u64(&hasher, epoch);
	crypto_hasher_add_u32(&hasher, count);
	for (uint32_t i = 0; i < count; i++)
		crypto_hasher_add(&hasher, keys[i].b, sizeof(keys[i].b));
	return crypto_hasher_done(&hasher);
}

/* One Ed25519 check unless `cache` knows the answer. `name` is H of everything that is checked. */
static bool check(struct wire_verifier *verifier, struct verify_cache *cache,
		  const struct crypto_hash *name, const struct crypto_public_key *key,
		  const void *bytes, size_t count, const struct crypto_signature *signature)
{
	const struct crypto_verifier *v = &verifier->config.verifier;

	if (cache_holds(cache, name)) {
		verifier->counters.checks_saved++;
		return true;
	}
	verifier->counters.checks++;
	if (!v->verify(v->context, key, bytes, count, signature)) {
		verifier->counters.bad++;
		return false;
	}
	cache_add(cache, name);
	return true;
}

bool wire_verify_signature(struct wire_verifier *verifier, uint32_t author, const void *bytes,
			   size_t count, const struct crypto_signature *signature)
{
	struct crypto_hasher hasher;
	struct crypto_hash name;

	if (author >= verifier->config.validators->count)
		return false;
	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRc-sig1", 8);
	crypto_hasher_add_u32(&hasher, author);
	crypto_hasher_add(&hasher, signature->b, sizeof(signature->b));
	crypto_hasher_add(&hasher, bytes, count);
	name = crypto_hasher_done(&hasher);
	return check(verifier, &verifier->signatures, &name,
		     &verifier->config.validators->key[author], bytes, count, signature);
}

/* A core message of `author`: `block_id` or `qc_view`, as `kind` needs. */
static bool verify_core(struct wire_verifier *verifier, enum hs_message_kind kind, uint32_t author,
			uint64_t view, const struct crypto_hash *block_id, uint64_t qc_view,
			const struct crypto_signature *signature)
{
	const struct wire_validators *validators = verifier->config.validators;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = hs_signed_bytes(kind, &validators->chain_id, validators->epoch,
					 &validators->set_hash, view, block_id, qc_view, bytes);

	return wire_verify_signature(verifier, author, bytes, count, signature);
}

static bool signers_are_quorum(const struct wire_verifier *verifier, const struct bitset *signers,
			       uint32_t count)
{
	uint32_t replica_count = verifier->config.validators->count;

	return count == hs_quorum(replica_count) && bitset_count(signers) == count &&
	       bitset_is_below(signers, replica_count);
}

static bool verify_votes(struct wire_verifier *verifier, enum hs_message_kind kind,
			 const struct hs_qc *qc)
{
	uint32_t index = 0;

	if (qc->view == 0 || !signers_are_quorum(verifier, &qc->signers, qc->count))
		return false;
	for (uint32_t author = 0; author < verifier->config.validators->count; author++) {
		if (!bitset_has(&qc->signers, author))
			continue;
		if (!verify_core(verifier, kind, author, qc->view, &qc->block_id, 0,
				 &qc->signature[index]))
			return false;
		index++;
	}
	return true;
}

bool wire_verify_qc(struct wire_verifier *verifier, const struct hs_qc *qc)
{
	if (qc->epoch != verifier->config.validators->epoch)
		return false;
	if (qc->view == 0)
		return qc->count == 0 && bitset_count(&qc->signers) == 0 &&
		       crypto_hash_equal(&qc->block_id, &verifier->config.genesis_id);
	return verify_votes(verifier, HS_MESSAGE_VOTE, qc);
}

bool wire_verify_fc(struct wire_verifier *verifier, const struct hs_fc *fc)
{
	return fc->c.epoch == verifier->config.validators->epoch &&
	       verify_votes(verifier, HS_MESSAGE_COMMIT, &fc->c);
}

bool wire_verify_tc(struct wire_verifier *verifier, const struct hs_tc *tc)
{
	uint32_t index = 0;

	if (tc->epoch != verifier->config.validators->epoch || tc->view == 0 ||
	    !signers_are_quorum(verifier, &tc->signers, tc->count))
		return false;
	for (uint32_t author = 0; author < verifier->config.validators->count; author++) {
		if (!bitset_has(&tc->signers, author))
			continue;
		if (tc->qc_view[index] >= tc->view ||
		    !verify_core(verifier, HS_MESSAGE_TIMEOUT, author, tc->view, NULL,
				 tc->qc_view[index], &tc->signature[index]))
			return false;
		index++;
	}
	return true;
}

static bool verify_entry(struct wire_verifier *verifier, const struct hs_entry *entry)
{
	switch (entry->kind) {
	case HS_ENTRY_NONE:
		return true;
	case HS_ENTRY_QC:
		return wire_verify_qc(verifier, &entry->qc);
	case HS_ENTRY_TC:
		return wire_verify_tc(verifier, &entry->tc);
	}
	return false;
}

bool wire_verify_block(struct wire_verifier *verifier, const struct hs_block *block)
{
	const struct wire_validators *validators = verifier->config.validators;
	const struct hs_header *header = &block->header;
	struct crypto_hash digest;

	if (header->epoch != validators->epoch || header->justify_view != block->justify.view ||
	    header->cut.lane_count != validators->count)
		return false;
	digest = hs_justify_digest(&validators->chain_id, &validators->set_hash, header->epoch,
				   block->justify.view, &block->justify.block_id);
	return crypto_hash_equal(&digest, &header->justify_digest) &&
	       verify_core(verifier, HS_MESSAGE_PROPOSE, block->author, header->view, &block->id, 0,
			   &block->signature) &&
	       wire_verify_qc(verifier, &block->justify) &&
	       (!block->has_tc || wire_verify_tc(verifier, &block->tc));
}

bool wire_verify_vote(struct wire_verifier *verifier, const struct hs_vote *vote)
{
	return vote->epoch == verifier->config.validators->epoch &&
	       verify_core(verifier, HS_MESSAGE_VOTE, vote->author, vote->view, &vote->block_id, 0,
			   &vote->signature);
}

bool wire_verify_commit(struct wire_verifier *verifier, const struct hs_commit *commit)
{
	return commit->epoch == verifier->config.validators->epoch &&
	       verify_core(verifier, HS_MESSAGE_COMMIT, commit->author, commit->view,
			   &commit->block_id, 0, &commit->signature);
}

static bool verify_timeout(struct wire_verifier *verifier, const struct hs_timeout *timeout)
{
	return timeout->epoch == verifier->config.validators->epoch &&
	       verify_core(verifier, HS_MESSAGE_TIMEOUT, timeout->author, timeout->view, NULL,
			   timeout->qc_view, &timeout->signature) &&
	       wire_verify_qc(verifier, &timeout->qc) && verify_entry(verifier, &timeout->entry);
}

bool wire_verify_batch_header(struct wire_verifier *verifier, const struct lane_header *header)
{
	const struct wire_validators *validators = verifier->config.validators;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = wire_batch_signed_bytes(&validators->chain_id, validators->epoch,
						 &validators->set_hash, &header->digest, bytes);

	return wire_verify_signature(verifier, header->lane, bytes, count, &header->signature);
}

static bool verify_repair(struct wire_verifier *verifier, const struct lane_repair *repair)
{
	const struct lane_header *header = &repair->header;

	if (!wire_verify_batch_header(verifier, header))
		return false;
	for (uint32_t i = 0; i < repair->count; i++) {
		const struct lane_repair_frame *frame = &repair->frame[i];
		struct crypto_hash leaf = wire_frame_hash_of(frame->bytes, frame->byte_count);

		if (!wire_merkle_verify(&leaf, frame->index, header->frame_count, frame->path,
					frame->path_count, &header->frames_root))
			return false;
	}
	return true;
}

bool wire_verify_statement(struct wire_verifier *verifier, uint32_t author,
			   const struct hs_statement *statement)
{
	if (statement->kind < HS_MESSAGE_PROPOSE || statement->kind > HS_MESSAGE_TIMEOUT)
		return false;
	return verify_core(verifier, statement->kind, author, statement->view, &statement->block_id,
			   statement->qc_view, &statement->signature);
}

/* Two statements of one kind in one view that say different things. */
static bool statements_differ(const struct hs_evidence *evidence, enum hs_message_kind kind)
{
	const struct hs_statement *a = &evidence->first;
	const struct hs_statement *b = &evidence->second;

	if (a->kind != kind || b->kind != kind || a->view != b->view)
		return false;
	return kind == HS_MESSAGE_TIMEOUT ? a->qc_view != b->qc_view :
					    !crypto_hash_equal(&a->block_id, &b->block_id);
}

static bool evidence_contradicts(const struct hs_evidence *evidence)
{
	const struct hs_statement *a = &evidence->first;
	const struct hs_statement *b = &evidence->second;
	const struct hs_statement *commit = a->kind == HS_MESSAGE_COMMIT ? a : b;
	const struct hs_statement *timeout = commit == a ? b : a;

	switch (evidence->kind) {
	case HS_EVIDENCE_TWO_PROPOSALS:
		return statements_differ(evidence, HS_MESSAGE_PROPOSE);
	case HS_EVIDENCE_TWO_VOTES:
		return statements_differ(evidence, HS_MESSAGE_VOTE);
	case HS_EVIDENCE_TWO_COMMITS:
		return statements_differ(evidence, HS_MESSAGE_COMMIT);
	case HS_EVIDENCE_TWO_TIMEOUTS:
		return statements_differ(evidence, HS_MESSAGE_TIMEOUT);
	case HS_EVIDENCE_COMMIT_AFTER_TIMEOUT:
		return commit->kind == HS_MESSAGE_COMMIT && timeout->kind == HS_MESSAGE_TIMEOUT &&
		       timeout->view >= commit->view && timeout->qc_view < commit->view;
	}
	return false;
}

bool wire_verify_evidence(struct wire_verifier *verifier, const struct wire_evidence *evidence)
{
	const struct lane_evidence *lane = &evidence->lane;
	const struct hs_evidence *core = &evidence->core;

	if (!evidence->is_lane)
		return core->epoch == verifier->config.validators->epoch &&
		       evidence_contradicts(core) &&
		       wire_verify_statement(verifier, core->author, &core->first) &&
		       wire_verify_statement(verifier, core->author, &core->second);
	if (!wire_verify_batch_header(verifier, &lane->first))
		return false;
	if (lane->has_bad_frame)
		return lane->bad_index < lane->first.frame_count;
	return lane->first.lane == lane->second.lane && lane->first.seq == lane->second.seq &&
	       !crypto_hash_equal(&lane->first.digest, &lane->second.digest) &&
	       wire_verify_batch_header(verifier, &lane->second);
}

static bool verify_certificates(struct wire_verifier *verifier,
				const struct wire_certificates *certificates)
{
	return wire_verify_qc(verifier, &certificates->high_qc) &&
	       verify_entry(verifier, &certificates->entry) &&
	       (!certificates->has_fc || wire_verify_fc(verifier, &certificates->fc));
}

static bool verify_body(struct wire_verifier *verifier, const struct wire_message *message)
{
	switch (message->kind) {
	case WIRE_PROPOSE:
		return wire_verify_block(verifier, &message->u.core.u.propose);
	case WIRE_VOTE:
		return wire_verify_vote(verifier, &message->u.core.u.vote);
	case WIRE_TIMEOUT:
		return verify_timeout(verifier, &message->u.core.u.timeout);
	case WIRE_QC:
		return wire_verify_qc(verifier, &message->u.core.u.qc);
	case WIRE_TC:
		return wire_verify_tc(verifier, &message->u.core.u.tc);
	case WIRE_FC:
		return wire_verify_fc(verifier, &message->u.core.u.fc);
	case WIRE_BATCH:
		return wire_verify_batch_header(verifier, &message->u.batch);
	case WIRE_REPAIR:
		return verify_repair(verifier, &message->u.repair);
	case WIRE_BLOCKS:
		return !message->u.blocks.has_fc || wire_verify_fc(verifier, &message->u.blocks.fc);
	case WIRE_CERTIFICATES:
		return verify_certificates(verifier, &message->u.certificates);
	case WIRE_EVIDENCE:
		return wire_verify_evidence(verifier, &message->u.evidence);
	case WIRE_COMMIT:
	case WIRE_LANE_FRAME:
	case WIRE_ACKVEC:
	case WIRE_WANT_BATCH:
	case WIRE_LEAVES:
	case WIRE_WANT_BLOCK:
	case WIRE_WANT_BLOCKS:
	case WIRE_WANT_CERTIFICATES:
	case WIRE_SHOW:
	case WIRE_STATUS:
		return true;
	}
	return false;
}

int wire_verify_message(struct wire_verifier *verifier, const struct wire_message *message)
{
	return verify_body(verifier, message) ? 0 : ERR_SIGNATURE;
}

static bool verify_client_key(struct wire_verifier *verifier, const struct crypto_public_key *key)
{
	struct crypto_hasher hasher;
	struct crypto_hash name;

	if (verifier->config.verifier.verify != crypto_verifier_ed25519.verify)
		return true;
	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRc-key1", 8);
	crypto_hasher_add(&hasher, key->b, sizeof(key->b));
	name = crypto_hasher_done(&hasher);
	if (cache_holds(&verifier->keys, &name))
		return true;
	if (!crypto_key_is_valid(key))
		return false;
	cache_add(&verifier->keys, &name);
	return true;
}

bool wire_verify_frame(struct wire_verifier *verifier, const struct wire_frame *frame)
{
	const struct wire_validators *validators = verifier->config.validators;
	struct crypto_hash leaf;
	struct crypto_hash root;
	struct crypto_signature signature;
	struct crypto_hasher hasher;
	struct crypto_hash name;
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count;

	if (frame->chain_tag != wire_chain_tag(&validators->chain_id) ||
	    !verify_client_key(verifier, &frame->client))
		return false;
	leaf = wire_frame_leaf(frame);
	root = wire_frame_root(frame, &leaf);
	count = wire_seal_signed_bytes(&validators->chain_id, &frame->client, &root, bytes);
	memcpy(signature.b, frame->signature, sizeof(signature.b));
	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRc-seal", 8);
	crypto_hasher_add(&hasher, signature.b, sizeof(signature.b));
	crypto_hasher_add(&hasher, bytes, count);
	name = crypto_hasher_done(&hasher);
	return check(verifier, &verifier->seals, &name, &frame->client, bytes, count, &signature);
}
