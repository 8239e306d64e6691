/* hs_sign.c: what signatures and ids cover. */
#include <string.h>

#include "consensus/hs_core.h"
#include "crypto/crypto_hash.h"
#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static struct crypto_hash id_of(const struct hs_config *config, const struct hs_header *header)
{
	return hs_block_id(&config->chain_id, &config->set_hash, header);
}

struct signed_case {
	enum hs_message_kind kind;
	struct hs_config config;
	uint64_t view;
	struct crypto_hash block_id;
	uint64_t qc_view;
};

static uint32_t bytes_of(const struct signed_case *c, uint8_t *bytes)
{
	memset(bytes, 0xee, CRYPTO_SIGNED_BYTES_MAX);
	return hs_signed_bytes(c->kind, &c->config.chain_id, c->config.epoch, &c->config.set_hash,
			       c->view, &c->block_id, c->qc_view, bytes);
}

static bool differ(const struct signed_case *a, const struct signed_case *b)
{
	uint8_t of_a[CRYPTO_SIGNED_BYTES_MAX];
	uint8_t of_b[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = bytes_of(a, of_a);

	return count != bytes_of(b, of_b) || memcmp(of_a, of_b, count) != 0;
}

static void signed_bytes_bind_chain_epoch_set_view_and_block(void)
{
	struct signed_case base = { .kind = HS_MESSAGE_VOTE,
				    .config = hs_make_config(4, 0),
				    .view = 7 };
	struct signed_case other = base;

	UNIT_CHECK(!differ(&base, &other));
	other.config.chain_id.b[31] ^= 1;
	UNIT_CHECK(differ(&base, &other));
	other = base;
	other.config.epoch++;
	UNIT_CHECK(differ(&base, &other));
	other = base;
	other.config.set_hash.b[0] ^= 1;
	UNIT_CHECK(differ(&base, &other));
	other = base;
	other.view++;
	UNIT_CHECK(differ(&base, &other));
	other = base;
	other.block_id.b[9] ^= 1;
	UNIT_CHECK(differ(&base, &other));
	base.kind = other.kind = HS_MESSAGE_TIMEOUT;
	other.qc_view++;
	UNIT_CHECK(differ(&base, &other));
}

static void no_two_kinds_of_statement_share_a_domain(void)
{
	static const enum hs_message_kind kinds[] = { HS_MESSAGE_PROPOSE, HS_MESSAGE_VOTE,
						      HS_MESSAGE_COMMIT, HS_MESSAGE_TIMEOUT };
	uint8_t bytes[4][CRYPTO_SIGNED_BYTES_MAX];

	for (uint32_t i = 0; i < 4; i++) {
		struct signed_case c = { .kind = kinds[i], .config = hs_make_config(4, 0) };

		UNIT_CHECK(bytes_of(&c, bytes[i]) <= CRYPTO_SIGNED_BYTES_MAX);
		for (uint32_t k = 0; k < i; k++)
			UNIT_CHECK(memcmp(bytes[i], bytes[k], 8) != 0);
	}
}

static void signed_bytes_have_a_fixed_layout(void)
{
	struct signed_case c = { .kind = HS_MESSAGE_COMMIT,
				 .config = hs_make_config(4, 0),
				 .view = 0x0102030405060708 };
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];

	c.block_id.b[0] = 0xaa;
	UNIT_EQUAL(bytes_of(&c, bytes), 8 + 32 + 8 + 32 + 8 + 32);
	UNIT_CHECK(memcmp(bytes, "HSCOMMI1", 8) == 0);
	UNIT_CHECK(memcmp(bytes + 8, &c.config.chain_id, 32) == 0);
	UNIT_EQUAL(bytes[40], 1);
	UNIT_CHECK(memcmp(bytes + 48, &c.config.set_hash, 32) == 0);
	UNIT_EQUAL(bytes[80], 8);
	UNIT_EQUAL(bytes[87], 1);
	UNIT_EQUAL(bytes[88], 0xaa);
	c.kind = HS_MESSAGE_TIMEOUT;
	UNIT_EQUAL(bytes_of(&c, bytes), 8 + 32 + 8 + 32 + 8 + 8);
}

/* Flips each byte of the header that means something and asks for another id. */
static void block_id_covers_every_header_field(void)
{
	struct hs_config config = hs_make_config(4, 0);
	struct hs_block genesis;
	struct hs_block block;
	struct crypto_hash id;

	hs_make_genesis(&config, &genesis);
	hs_make_block(&config, &genesis, 1, NULL, 0, &block);
	id = id_of(&config, &block.header);
	UNIT_CHECK(crypto_hash_equal(&id, &block.id));
#define FIELD(field)                                                                               \
	do {                                                                                       \
		struct hs_header other = block.header;                                             \
		struct crypto_hash other_id;                                                       \
                                                                                                   \
		*(uint8_t *)&other.field ^= 1;                                                     \
		other_id = id_of(&config, &other);                                                 \
		UNIT_CHECK(!crypto_hash_equal(&other_id, &block.id));                              \
	} while (0)
	FIELD(epoch);
	FIELD(view);
	FIELD(height);
	FIELD(time_ns);
	FIELD(parent_id);
	FIELD(justify_view);
	FIELD(justify_digest);
	FIELD(has_config);
	FIELD(has_checkpoint);
	FIELD(checkpoint_height);
	FIELD(config_digest);
	FIELD(checkpoint_root);
	FIELD(cut.lane_count);
	FIELD(cut.lane[0].seq);
	FIELD(cut.lane[3].seq);
	FIELD(cut.lane[3].digest);
#undef FIELD
	config.chain_id.b[0] ^= 1;
	id = id_of(&config, &block.header);
	UNIT_CHECK(!crypto_hash_equal(&id, &block.id));
}

static void justify_digest_binds_view_and_block_but_not_the_signers(void)
{
	struct hs_config config = hs_make_config(4, 0);
	struct crypto_hash block_id = { .b = { 5 } };
	struct crypto_hash digest =
		hs_justify_digest(&config.chain_id, &config.set_hash, 1, 9, &block_id);
	struct crypto_hash other =
		hs_justify_digest(&config.chain_id, &config.set_hash, 1, 8, &block_id);

	UNIT_CHECK(!crypto_hash_equal(&digest, &other));
	other = hs_justify_digest(&config.chain_id, &config.set_hash, 2, 9, &block_id);
	UNIT_CHECK(!crypto_hash_equal(&digest, &other));
	block_id.b[0] = 6;
	other = hs_justify_digest(&config.chain_id, &config.set_hash, 1, 9, &block_id);
	UNIT_CHECK(!crypto_hash_equal(&digest, &other));
}

static void sign_a_certificate(void *context)
{
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	struct hs_config config = hs_make_config(4, 0);

	(void)context;
	hs_signed_bytes(HS_MESSAGE_QC, &config.chain_id, 1, &config.set_hash, 1, NULL, 0, bytes);
}

static void asking_for_the_signed_bytes_of_a_certificate_aborts(void)
{
	UNIT_CHECK(unit_aborts(sign_a_certificate, NULL));
}

UNIT_SUITE("hs_sign", UNIT_TEST(signed_bytes_bind_chain_epoch_set_view_and_block),
	   UNIT_TEST(no_two_kinds_of_statement_share_a_domain),
	   UNIT_TEST(signed_bytes_have_a_fixed_layout),
	   UNIT_TEST(block_id_covers_every_header_field),
	   UNIT_TEST(justify_digest_binds_view_and_block_but_not_the_signers),
	   UNIT_TEST(asking_for_the_signed_bytes_of_a_certificate_aborts))
