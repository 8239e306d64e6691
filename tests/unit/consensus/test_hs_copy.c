#include "consensus/hs_copy.h"

#include <string.h>

#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static const struct crypto_hash id = { .b = { 7 } };

static void two_certificates_are_the_same_only_byte_for_byte(void)
{
	struct hs_config config = hs_make_config(4, 0);
	static struct hs_qc a;
	static struct hs_qc b;

	hs_make_qc(&config, 5, &id, 0, &a);
	hs_copy_qc(&b, &a);
	UNIT_CHECK(hs_qc_is_same(&a, &b));
	memset(&b.signature[b.count], 0xee, sizeof(b.signature[0]));
	UNIT_CHECK(hs_qc_is_same(&a, &b));
	b.signature[2].b[9] ^= 1;
	UNIT_CHECK(!hs_qc_is_same(&a, &b));
	hs_copy_qc(&b, &a);
	b.signers.word[0] ^= 9;
	UNIT_CHECK(!hs_qc_is_same(&a, &b));
	hs_copy_qc(&b, &a);
	b.block_id.b[31] ^= 1;
	UNIT_CHECK(!hs_qc_is_same(&a, &b));
	hs_copy_qc(&b, &a);
	b.count--;
	UNIT_CHECK(!hs_qc_is_same(&a, &b));
	hs_copy_qc(&b, &a);
	b.view++;
	UNIT_CHECK(!hs_qc_is_same(&a, &b));
	hs_copy_qc(&b, &a);
	b.epoch++;
	UNIT_CHECK(!hs_qc_is_same(&a, &b));
}

static void an_entry_copies_the_certificate_it_names_and_no_other(void)
{
	struct hs_config config = hs_make_config(4, 0);
	static struct hs_entry from;
	static struct hs_entry to;

	hs_make_qc(&config, 5, &id, 0, &from.qc);
	hs_make_tc(&config, 6, 5, 5, &from.tc);
	from.kind = HS_ENTRY_QC;
	hs_copy_entry(&to, &from);
	UNIT_EQUAL(to.kind, HS_ENTRY_QC);
	UNIT_CHECK(hs_qc_is_same(&to.qc, &from.qc));
	UNIT_EQUAL(to.tc.view, 0);
	from.qc.view = 9;
	from.kind = HS_ENTRY_TC;
	hs_copy_entry(&to, &from);
	UNIT_EQUAL(to.qc.view, 5);
	UNIT_EQUAL(to.tc.view, 6);
	UNIT_CHECK(memcmp(to.tc.signature, from.tc.signature,
			  from.tc.count * sizeof(from.tc.signature[0])) == 0);
	from.tc.view = 8;
	from.kind = HS_ENTRY_NONE;
	hs_copy_entry(&to, &from);
	UNIT_EQUAL(to.kind, HS_ENTRY_NONE);
	UNIT_EQUAL(to.tc.view, 6);
}

static void a_block_without_a_tc_leaves_the_targets_tc_alone(void)
{
	struct hs_config config = hs_make_config(4, 0);
	static struct hs_block genesis;
	static struct hs_block from;
	static struct hs_block to;

	hs_make_genesis(&config, &genesis);
	hs_make_block(&config, &genesis, 1, NULL, 0, &from);
	to.tc.view = 3;
	hs_copy_block(&to, &from);
	UNIT_CHECK(!to.has_tc);
	UNIT_EQUAL(to.tc.view, 3);
	UNIT_CHECK(memcmp(&to.id, &from.id, sizeof(to.id)) == 0);
	UNIT_CHECK(memcmp(&to.signature, &from.signature, sizeof(to.signature)) == 0);
	UNIT_CHECK(memcmp(to.header.cut.lane, from.header.cut.lane,
			  4 * sizeof(to.header.cut.lane[0])) == 0);
}

UNIT_SUITE("hs_copy", UNIT_TEST(two_certificates_are_the_same_only_byte_for_byte),
	   UNIT_TEST(an_entry_copies_the_certificate_it_names_and_no_other),
	   UNIT_TEST(a_block_without_a_tc_leaves_the_targets_tc_alone))
