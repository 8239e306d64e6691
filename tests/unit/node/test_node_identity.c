/* node_identity: genesis and keys must be there, well-formed, private, and belong together. */
#define _GNU_SOURCE
#include "node/node_identity.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "crypto/crypto_secret.h"
#include "tests/lib/wire_fixture.h"
#include "tests/unit/node/node_fixture.h"

static struct wire_world world;
static struct node_config config;
static struct node_identity identity;
static char reason[NODE_REASON_MAX];
static char directory[64];

static void path_of(const char *name, char ret_path[NODE_PATH_MAX])
{
	snprintf(ret_path, NODE_PATH_MAX, "%s/%s", directory, name);
}

static void write_file(const char *path, const void *bytes, size_t count)
{
	FILE *file = fopen(path, "we");

	UNIT_REQUIRE(file != NULL);
	UNIT_CHECK(fwrite(bytes, 1, count, file) == count);
	UNIT_CHECK(fclose(file) == 0);
}

/* A directory with genesis and the keys of member 1 of 4; `config` names them. */
static void begin(void)
{
	uint8_t seed[CRYPTO_SEED_BYTES] = { 7, 1 };

	wire_world_init(&world, 4);
	fixture_directory(directory);
	memset(&config, 0, sizeof(config));
	memset(&identity, 0, sizeof(identity));
	config.id = 1;
	path_of("genesis", config.genesis);
	path_of("signing", config.signing_key);
	path_of("session", config.session_key);
	write_file(config.genesis, world.genesis_bytes, world.genesis_byte_count);
	UNIT_REQUIRE(crypto_secret_save(config.signing_key, seed) == 0);
	UNIT_REQUIRE(crypto_secret_save(config.session_key, seed) == 0);
}

static void end(void)
{
	node_identity_close(&identity);
	fixture_directory_end(directory);
}

static void refused(int code, const char *text)
{
	UNIT_EQUAL((uint32_t)node_identity_open(&config, &identity, reason), (uint32_t)code);
	if (!strstr(reason, text)) {
		printf("    '%s' is not in: %s\n", text, reason);
		UNIT_EQUAL(0, 1); /* the reason says something else */
	}
	UNIT_CHECK(identity.secrets == NULL);
}

static void files_that_belong_together_give_the_identity(void)
{
	struct wire_party party;

	begin();
	UNIT_REQUIRE(node_identity_open(&config, &identity, reason) == 0);
	UNIT_EQUAL(identity.id, 1);
	UNIT_EQUAL(identity.genesis.member_count, 4);
	UNIT_CHECK(memcmp(&identity.chain_id, &world.validators.chain_id, 32) == 0);
	UNIT_CHECK(memcmp(&identity.genesis_id, &world.genesis_id, 32) == 0);
	UNIT_CHECK(memcmp(&identity.secrets->signing, &world.key[1], sizeof(world.key[1])) == 0);
	node_identity_party(&identity, &party);
	UNIT_EQUAL(party.replica, 1);
	UNIT_EQUAL(party.role, WIRE_ROLE_PEER);
	UNIT_CHECK(memcmp(&party.secret, &world.exchange[1], sizeof(party.secret)) == 0);
	UNIT_CHECK(memcmp(&party.public_key, &world.genesis.member[1].exchange_key, 32) == 0);
	end();
}

static void a_missing_file_is_named_with_the_command_that_makes_it(void)
{
	begin();
	path_of("nothing", config.session_key);
	refused(-ENOENT, "quorate init");
	UNIT_CHECK(strstr(reason, config.session_key) != NULL);
	path_of("nothing", config.genesis);
	refused(-ENOENT, "quorate genesis create");
	end();
}

static void a_genesis_cut_short_or_too_long_is_refused(void)
{
	static uint8_t large[WIRE_GENESIS_BYTES_MAX + 1];

	begin();
	write_file(config.genesis, world.genesis_bytes, world.genesis_byte_count - 1);
	UNIT_CHECK(node_identity_open(&config, &identity, reason) < 0);
	UNIT_CHECK(strstr(reason, config.genesis) != NULL);
	write_file(config.genesis, large, sizeof(large));
	refused(ERR_FORMAT, "too large");
	end();
}

static void a_number_beyond_the_members_is_refused(void)
{
	begin();
	config.id = 4;
	refused(ERR_CONFIG, "members 0 to 3");
	end();
}

static void keys_of_another_member_are_refused(void)
{
	uint8_t seed[CRYPTO_SEED_BYTES] = { 7, 2 };

	begin();
	config.id = 2;
	refused(ERR_KEY, "signing key");
	config.id = 1;
	path_of("other", config.session_key);
	UNIT_REQUIRE(crypto_secret_save(config.session_key, seed) == 0);
	refused(ERR_KEY, "session key");
	end();
}

static void a_key_others_may_read_is_refused_with_the_remedy(void)
{
	begin();
	UNIT_REQUIRE(chmod(config.signing_key, 0640) == 0);
	refused(ERR_PERMISSION, "chmod 600");
	end();
}

static void a_key_file_that_holds_no_key_is_refused(void)
{
	begin();
	write_file(config.signing_key, "short", 5);
	refused(ERR_KEY, "quorate init");
	end();
}

static void the_genesis_alone_is_enough_for_offline_tools(void)
{
	begin();
	UNIT_REQUIRE(node_identity_genesis(config.genesis, &identity, reason) == 0);
	UNIT_CHECK(memcmp(&identity.chain_id, &world.validators.chain_id, 32) == 0);
	UNIT_CHECK(identity.secrets == NULL);
	end();
}

UNIT_SUITE("node_identity", UNIT_TEST(files_that_belong_together_give_the_identity),
	   UNIT_TEST(a_missing_file_is_named_with_the_command_that_makes_it),
	   UNIT_TEST(a_genesis_cut_short_or_too_long_is_refused),
	   UNIT_TEST(a_number_beyond_the_members_is_refused),
	   UNIT_TEST(keys_of_another_member_are_refused),
	   UNIT_TEST(a_key_others_may_read_is_refused_with_the_remedy),
	   UNIT_TEST(a_key_file_that_holds_no_key_is_refused),
	   UNIT_TEST(the_genesis_alone_is_enough_for_offline_tools))
