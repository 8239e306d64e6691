/* node_identity: keys and genesis that belong together, or a line that says what to do. */
#define _GNU_SOURCE
#include "node/node_identity.h"

#include <errno.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/node/node_fixture.h"

static struct node_place place;
static struct node_identity identity;
static char reason[NODE_REASON_MAX];

static int open_identity(void)
{
	int code;

	memset(&identity, 0, sizeof(identity));
	reason[0] = '\0';
	code = node_identity_open(&place.config, &identity, reason);
	node_place_remove(&place);
	return code;
}

/* The code, one line naming the file and the remedy, and no secret kept. */
static void refused(int expected, const char *file, const char *remedy)
{
	UNIT_CHECK(open_identity() == expected);
	if (!strstr(reason, file) || !strstr(reason, remedy) || strchr(reason, '\n')) {
		printf("    the reason: %s\n", reason);
		UNIT_CHECK(!"the reason does not name file and remedy");
	}
	UNIT_CHECK(identity.secrets == NULL);
}

static void keys_of_the_genesis_make_an_identity(void)
{
	struct wire_party party;

	node_place_make(&place, 4, 2);
	UNIT_REQUIRE(open_identity() == 0);
	UNIT_EQUAL(identity.id, 2);
	UNIT_EQUAL(identity.genesis.member_count, 4);
	UNIT_CHECK(crypto_hash_equal(&identity.chain_id, &place.world.validators.chain_id));
	UNIT_CHECK(crypto_hash_equal(&identity.genesis_id, &place.world.genesis_id));
	UNIT_CHECK(memcmp(identity.secrets->signing.public_key.b,
			  place.world.genesis.member[2].public_key.b, 32) == 0);
	node_identity_party(&identity, &party);
	UNIT_EQUAL(party.replica, 2);
	UNIT_CHECK(memcmp(party.public_key.b, place.world.genesis.member[2].exchange_key.b, 32) ==
		   0);
	node_identity_close(&identity);
	UNIT_CHECK(identity.secrets == NULL);
	node_identity_close(&identity);
}

static void a_key_others_may_read_is_refused(void)
{
	node_place_make(&place, 4, 0);
	UNIT_REQUIRE(chmod(place.config.signing_key, 0640) == 0);
	refused(ERR_PERMISSION, place.config.signing_key, "chmod 600");
	node_place_make(&place, 4, 0);
	UNIT_REQUIRE(chmod(place.config.session_key, 0604) == 0);
	refused(ERR_PERMISSION, place.config.session_key, "chmod 600");
}

static void a_missing_key_is_refused(void)
{
	node_place_make(&place, 4, 0);
	UNIT_REQUIRE(unlink(place.config.signing_key) == 0);
	refused(-ENOENT, place.config.signing_key, "make it with quorate init");
	node_place_make(&place, 4, 0);
	UNIT_REQUIRE(unlink(place.config.session_key) == 0);
	refused(-ENOENT, place.config.session_key, "make it with quorate init");
}

static void a_file_that_holds_no_key_is_refused(void)
{
	node_place_make(&place, 4, 0);
	node_fixture_write(place.config.signing_key, "0123\n", 5);
	refused(ERR_KEY, place.config.signing_key, "the file quorate init wrote");
}

static void the_key_of_another_member_is_refused(void)
{
	node_place_make(&place, 4, 1);
	place.config.id = 3;
	refused(ERR_KEY, place.config.signing_key, "check 'id' and 'signing_key'");
}

static void the_session_key_of_another_member_is_refused(void)
{
	const uint8_t seed[CRYPTO_SEED_BYTES] = { 7, 2 };

	node_place_make(&place, 4, 1);
	UNIT_REQUIRE(unlink(place.config.session_key) == 0);
	UNIT_REQUIRE(crypto_secret_save(place.config.session_key, seed) == 0);
	refused(ERR_KEY, place.config.session_key, "check 'id' and 'session_key'");
}

static void a_number_beyond_the_members_is_refused(void)
{
	node_place_make(&place, 4, 1);
	place.config.id = 4;
	refused(ERR_CONFIG, "id 4", "only members 0 to 3");
}

static void a_missing_genesis_is_refused(void)
{
	node_place_make(&place, 4, 0);
	UNIT_REQUIRE(unlink(place.config.genesis) == 0);
	refused(-ENOENT, place.config.genesis, "quorate genesis create");
}

static void the_human_form_of_a_genesis_is_refused(void)
{
	static const char json[] = "{ \"name\": \"chain\", \"members\": [] }\n";

	node_place_make(&place, 4, 0);
	node_fixture_write(place.config.genesis, json, sizeof(json) - 1);
	UNIT_CHECK(open_identity() < 0);
	UNIT_CHECK(strstr(reason, place.config.genesis) != NULL);
	UNIT_CHECK(strstr(reason, "the file quorate genesis create wrote") != NULL);
}

static void a_genesis_too_short_or_too_long_is_refused(void)
{
	static uint8_t bytes[WIRE_GENESIS_BYTES_MAX + 1];

	node_place_make(&place, 4, 0);
	node_fixture_write(place.config.genesis, place.world.genesis_bytes,
			   place.world.genesis_byte_count - 1);
	refused(ERR_TRUNCATED, place.config.genesis, "quorate genesis create");
	node_place_make(&place, 4, 0);
	node_fixture_write(place.config.genesis, bytes, sizeof(bytes));
	refused(ERR_FORMAT, place.config.genesis, "too large");
}

UNIT_SUITE("node_identity", UNIT_TEST(keys_of_the_genesis_make_an_identity),
	   UNIT_TEST(a_key_others_may_read_is_refused), UNIT_TEST(a_missing_key_is_refused),
	   UNIT_TEST(a_file_that_holds_no_key_is_refused),
	   UNIT_TEST(the_key_of_another_member_is_refused),
	   UNIT_TEST(the_session_key_of_another_member_is_refused),
	   UNIT_TEST(a_number_beyond_the_members_is_refused),
	   UNIT_TEST(a_missing_genesis_is_refused),
	   UNIT_TEST(the_human_form_of_a_genesis_is_refused),
	   UNIT_TEST(a_genesis_too_short_or_too_long_is_refused))
