#include "base/bytes.h"
#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_core.h"
#include "crypto/crypto_hash.h"

enum { HS_TAG_BYTES = 8 };

static const char hs_tag_block[] = "HSBLOCK1";
static const char hs_tag_justify[] = "HSJUSTI1";

static const char *hs_tag(enum hs_message_kind kind)
{
	static const char *const tags[] = {
		[HS_MESSAGE_PROPOSE] = "HSPROPO1",
		[HS_MESSAGE_VOTE] = "HSVOTE01",
		[HS_MESSAGE_COMMIT] = "HSCOMMI1",
		[HS_MESSAGE_TIMEOUT] = "HSTIMEO1",
	};

	ensure(kind < UNITS_COUNT(tags) && tags[kind]);
	return tags[kind];
}

uint32_t hs_signed_bytes(enum hs_message_kind kind, const struct crypto_hash *chain_id,
			 uint64_t epoch, const struct crypto_hash *set_hash, uint64_t view,
			 const struct crypto_hash *block_id, uint64_t qc_view,
			 uint8_t ret_bytes[CRYPTO_SIGNED_BYTES_MAX])
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, CRYPTO_SIGNED_BYTES_MAX);

	bytes_put(&w, hs_tag(kind), HS_TAG_BYTES);
	bytes_put(&w, chain_id, sizeof(*chain_id));
	bytes_put_u64(&w, epoch);
	bytes_put(&w, set_hash, sizeof(*set_hash));
	bytes_put_u64(&w, view);
	if (kind == HS_MESSAGE_TIMEOUT) {
		bytes_put_u64(&w, qc_view);
	} else {
		ensure(block_id);
		bytes_put(&w, block_id, sizeof(*block_id));
	}
	ensure(!w.failed);
	return (uint32_t)bytes_written(&w);
}

struct crypto_hash hs_justify_digest(const struct crypto_hash *chain_id,
				     const struct crypto_hash *set_hash, uint64_t epoch,
				     uint64_t view, const struct crypto_hash *block_id)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, hs_tag_justify, HS_TAG_BYTES);
	crypto_hasher_add(&hasher, chain_id, sizeof(*chain_id));
	crypto_hasher_add_u64(&hasher, epoch);
	crypto_hasher_add(&hasher, set_hash, sizeof(*set_hash));
	crypto_hasher_add_u64(&hasher, view);
	crypto_hasher_add(&hasher, block_id, sizeof(*block_id));
	return crypto_hasher_done(&hasher);
}

struct crypto_hash hs_block_id(const struct crypto_hash *chain_id,
			       const struct crypto_hash *set_hash, const struct hs_header *header)
{
	struct crypto_hasher hasher;

	ensure(header->cut.lane_count <= HS_REPLICAS_MAX);
	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, hs_tag_block, HS_TAG_BYTES);
	crypto_hasher_add(&hasher, chain_id, sizeof(*chain_id));
	crypto_hasher_add(&hasher, set_hash, sizeof(*set_hash));
	crypto_hasher_add_u64(&hasher, header->epoch);
	crypto_hasher_add_u64(&hasher, header->view);
	crypto_hasher_add_u64(&hasher, header->height);
	crypto_hasher_add_u64(&hasher, header->time_ns);
	crypto_hasher_add(&hasher, &header->parent_id, sizeof(header->parent_id));
	crypto_hasher_add_u64(&hasher, header->justify_view);
	crypto_hasher_add(&hasher, &header->justify_digest, sizeof(header->justify_digest));
	crypto_hasher_add_u32(&hasher, header->has_config ? 1 : 0);
	crypto_hasher_add_u32(&hasher, header->has_checkpoint ? 1 : 0);
	crypto_hasher_add_u64(&hasher, header->checkpoint_height);
	crypto_hasher_add(&hasher, &header->config_digest, sizeof(header->config_digest));
	crypto_hasher_add(&hasher, &header->checkpoint_root, sizeof(header->checkpoint_root));
	crypto_hasher_add_u32(&hasher, header->cut.lane_count);
	for (uint32_t lane = 0; lane < header->cut.lane_count; lane++) {
		crypto_hasher_add_u64(&hasher, header->cut.lane[lane].seq);
		crypto_hasher_add(&hasher, &header->cut.lane[lane].digest,
				  sizeof(header->cut.lane[lane].digest));
	}
	return crypto_hasher_done(&hasher);
}
