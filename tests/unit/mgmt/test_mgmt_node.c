/* Also of mgmt_keys.c, mgmt_member.c, mgmt_genesis.c: the files a member's life begins with. */
#define _GNU_SOURCE
#include "mgmt/mgmt_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/crypto_secret.h"
#include "mgmt/mgmt_keys.h"
#include "tests/lib/unit_main.h"

static const struct mgmt_verb verb = { .words = "test" };
static const struct mgmt_cli cli = { .verb = &verb };
static char dir[64];
static char node[96];

static void dir_take(void)
{
	UNIT_REQUIRE(crypto_start() == 0);
	snprintf(dir, sizeof(dir), "/tmp/mgmt_node_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	snprintf(node, sizeof(node), "%s/n0", dir);
	/* What the code under test says to the operator is not what this log is about. */
	UNIT_REQUIRE(freopen("/dev/null", "w", stderr) != NULL);
}

static void dir_give_back(void)
{
	UNIT_EQUAL(mgmt_remove_all(dir), 0);
	UNIT_CHECK(access(dir, F_OK) != 0);
}

static uint32_t mode_of(const char *name)
{
	struct stat stat_of;

	UNIT_REQUIRE(stat(mgmt_path_of(node, name).text, &stat_of) == 0);
	return stat_of.st_mode & 0777;
}

static void a_new_node_has_two_secret_keys_and_their_public_halves(void)
{
	struct mgmt_member made = { 0 };
	struct mgmt_member read = { 0 };
	struct crypto_signing_key *key = NULL;

	dir_take();
	UNIT_REQUIRE(mgmt_node_make(&cli, node, "n0", &made) == MGMT_EXIT_OK);
	UNIT_EQUAL(mode_of("signing.key"), 0600);
	UNIT_EQUAL(mode_of("session.key"), 0600);
	UNIT_REQUIRE(mgmt_member_read(mgmt_path_of(node, "member.json").text, &read) == 0);
	UNIT_CHECK(memcmp(&made, &read, sizeof(read)) == 0);
	UNIT_REQUIRE(mgmt_keys_read(&cli, mgmt_path_of(node, "signing.key").text, &key) ==
		     MGMT_EXIT_OK);
	UNIT_CHECK(memcmp(&key->public_key, &read.public_key, sizeof(read.public_key)) == 0);
	crypto_secret_give_back(key);
	dir_give_back();
}

static void a_node_is_never_made_over_another(void)
{
	struct mgmt_member first = { 0 };
	struct mgmt_member second = { 0 };
	struct mgmt_member read = { 0 };

	dir_take();
	UNIT_REQUIRE(mgmt_node_make(&cli, node, "n0", &first) == MGMT_EXIT_OK);
	UNIT_EQUAL(mgmt_node_make(&cli, node, "n1", &second), MGMT_EXIT_REFUSED);
	UNIT_REQUIRE(mgmt_member_read(mgmt_path_of(node, "member.json").text, &read) == 0);
	UNIT_CHECK(memcmp(&first, &read, sizeof(read)) == 0);
	mgmt_remove_all(node);
	UNIT_EQUAL(rmdir(dir), 0); /* the refused attempt left nothing beside it */
	UNIT_EQUAL(mgmt_node_make(&cli, "/nonexistent/n0", "n0", &second), MGMT_EXIT_FAILED);
	UNIT_EQUAL(mgmt_node_make(&cli, node, "No Name", &second), MGMT_EXIT_USAGE);
}

static void a_client_key_is_made_once_and_read_back(void)
{
	struct crypto_public_key made;
	struct crypto_signing_key *key = NULL;
	struct mgmt_text text = { 0 };
	char hex[MGMT_HEX_BYTES];

	dir_take();
	const struct mgmt_path path = mgmt_path_of(dir, "client.key");

	UNIT_REQUIRE(mgmt_keys_make(&cli, path.text, &made) == MGMT_EXIT_OK);
	UNIT_EQUAL(mgmt_keys_make(&cli, path.text, &made), MGMT_EXIT_REFUSED);
	UNIT_REQUIRE(mgmt_keys_read(&cli, path.text, &key) == MGMT_EXIT_OK);
	mgmt_hex_of(&key->public_key, hex);
	UNIT_REQUIRE(mgmt_text_read_file(mgmt_path_of(dir, "client.key.pub").text, 100, &text) ==
		     0);
	UNIT_CHECK(strncmp(mgmt_text_of(&text), hex, sizeof(hex) - 1) == 0);
	UNIT_REQUIRE(chmod(path.text, 0644) == 0);
	UNIT_EQUAL(mgmt_keys_read(&cli, path.text, &key), MGMT_EXIT_REFUSED);
	UNIT_EQUAL(mgmt_keys_read(&cli, mgmt_path_of(dir, "none").text, &key), MGMT_EXIT_REFUSED);
	crypto_secret_give_back(key);
	mgmt_text_fini(&text);
	dir_give_back();
}

static void a_key_whose_public_half_cannot_be_written_is_not_kept(void)
{
	struct crypto_public_key made;

	dir_take();
	UNIT_REQUIRE(mkdir(mgmt_path_of(dir, "k.pub").text, 0700) == 0);
	UNIT_EQUAL(mgmt_keys_make(&cli, mgmt_path_of(dir, "k").text, &made), MGMT_EXIT_REFUSED);
	UNIT_CHECK(access(mgmt_path_of(dir, "k").text, F_OK) != 0);
	dir_give_back();
}

static void a_member_file_that_is_not_one_is_refused(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		"{\"format\": \"quorate-member-1\", \"name\": \"n\"}",
		("{\"format\":\"quorate-member-1\",\"name\":\"N\",\"signing_key\":\"00\","
		 "\"session_key\":\"00\"}"),
	};
	struct mgmt_member member = { 0 };

	dir_take();
	const struct mgmt_path path = mgmt_path_of(dir, "m");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		UNIT_REQUIRE(mgmt_text_write_file(path.text, bad[i], strlen(bad[i]), 0644, false) ==
			     0);
		UNIT_CHECK(mgmt_member_read(path.text, &member) == ERR_FORMAT);
	}
	unlink(path.text);
	member = (struct mgmt_member){ .name = "low" };
	member.public_key.b[0] = 1; /* a point of small order */
	UNIT_REQUIRE(mgmt_member_write(path.text, &member) == 0);
	UNIT_CHECK(mgmt_member_read(path.text, &member) == ERR_KEY);
	dir_give_back();
}

static void members_make(struct mgmt_member *members, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		UNIT_REQUIRE(mgmt_node_make(&cli, mgmt_path_of(dir, name).text, name,
					    &members[i]) == MGMT_EXIT_OK);
	}
}

static void a_genesis_is_read_as_it_was_made(void)
{
	struct mgmt_member members[4] = { 0 };
	struct mgmt_genesis made = { 0 };
	struct mgmt_genesis read = { 0 };
	struct mgmt_text json = { 0 };

	dir_take();
	members_make(members, 4);
	UNIT_REQUIRE(mgmt_genesis_make(&cli, "test", members, 4, &made) == MGMT_EXIT_OK);
	const struct mgmt_path path = mgmt_path_of(dir, "genesis");

	UNIT_REQUIRE(mgmt_text_write_file(path.text, made.bytes.bytes, made.bytes.count, 0644,
					  true) == 0);
	UNIT_REQUIRE(mgmt_genesis_read(&cli, path.text, &read) == MGMT_EXIT_OK);
	UNIT_CHECK(memcmp(&made.chain_id, &read.chain_id, sizeof(read.chain_id)) == 0);
	UNIT_EQUAL(read.value->member_count, 4);
	UNIT_EQUAL(mgmt_genesis_member_of(&read, &members[2].public_key), 2);
	UNIT_EQUAL(mgmt_genesis_member_of(&read, (struct crypto_public_key *)&read.chain_id),
		   UINT32_MAX);
	mgmt_genesis_json(&read, &json);
	UNIT_CHECK(strstr(mgmt_text_of(&json), "\"name\": \"n3\"") != NULL);
	mgmt_text_fini(&json);
	mgmt_genesis_fini(&made);
	mgmt_genesis_fini(&read);
	dir_give_back();
}

static void a_genesis_of_two_or_of_twins_is_refused(void)
{
	struct mgmt_member members[4] = { 0 };
	struct mgmt_genesis genesis = { 0 };

	dir_take();
	members_make(members, 3);
	UNIT_EQUAL(mgmt_genesis_make(&cli, "test", members, 2, &genesis), MGMT_EXIT_REFUSED);
	members[3] = members[0];
	UNIT_EQUAL(mgmt_genesis_make(&cli, "test", members, 4, &genesis), MGMT_EXIT_REFUSED);
	UNIT_EQUAL(mgmt_genesis_make(&cli, "A B", members, 1, &genesis), MGMT_EXIT_USAGE);
	UNIT_CHECK(genesis.value == NULL);
	dir_give_back();
}

static void a_join_that_fails_leaves_the_keys_and_nothing_else(void)
{
	static const char *const made[] = { "genesis", "run", "store", "born" };
	const struct mgmt_store_shape shape = { .segment_mib = 1 };
	struct mgmt_member member = { 0 };
	struct mgmt_genesis genesis = { 0 };
	uint32_t id = 77;

	dir_take();
	UNIT_REQUIRE(mgmt_node_make(&cli, node, "n0", &member) == MGMT_EXIT_OK);
	UNIT_REQUIRE(mgmt_genesis_make(&cli, "test", &member, 1, &genesis) == MGMT_EXIT_OK);
	setenv("PATH", "/nonexistent", 1); /* quorate-store cannot be run */
	UNIT_EQUAL(mgmt_node_join(&cli, node, &genesis, &shape, &id), MGMT_EXIT_FAILED);
	UNIT_EQUAL(id, 77);
	for (int i = 0; i < 4; i++)
		UNIT_CHECK(access(mgmt_path_of(node, made[i]).text, F_OK) != 0);
	UNIT_EQUAL(mode_of("signing.key"), 0600);
	mgmt_genesis_fini(&genesis);
	dir_give_back();
}

static void a_key_that_had_a_safety_record_or_is_no_member_joins_nothing(void)
{
	const struct mgmt_store_shape shape = { .segment_mib = 1 };
	struct mgmt_member member = { 0 };
	struct mgmt_member other = { 0 };
	struct mgmt_genesis genesis = { 0 };
	uint32_t id = 0;

	dir_take();
	UNIT_REQUIRE(mgmt_node_make(&cli, node, "n0", &member) == MGMT_EXIT_OK);
	UNIT_REQUIRE(mgmt_node_make(&cli, mgmt_path_of(dir, "n1").text, "n1", &other) ==
		     MGMT_EXIT_OK);
	UNIT_REQUIRE(mgmt_genesis_make(&cli, "test", &other, 1, &genesis) == MGMT_EXIT_OK);
	UNIT_EQUAL(mgmt_node_join(&cli, node, &genesis, &shape, &id), MGMT_EXIT_REFUSED);
	mgmt_genesis_fini(&genesis);
	UNIT_REQUIRE(mgmt_genesis_make(&cli, "test", &member, 1, &genesis) == MGMT_EXIT_OK);
	UNIT_REQUIRE(mgmt_text_write_file(mgmt_path_of(node, "born").text, "1\n", 2, 0600, true) ==
		     0);
	UNIT_EQUAL(mgmt_node_join(&cli, node, &genesis, &shape, &id), MGMT_EXIT_REFUSED);
	UNIT_CHECK(access(mgmt_path_of(node, "genesis").text, F_OK) != 0);
	mgmt_genesis_fini(&genesis);
	dir_give_back();
}

static void removing_never_follows_a_link(void)
{
	dir_take();
	const struct mgmt_path kept = mgmt_path_of(dir, "kept");
	const struct mgmt_path inside = mgmt_path_of(dir, "kept/file");
	const struct mgmt_path gone = mgmt_path_of(dir, "gone");

	UNIT_REQUIRE(mkdir(kept.text, 0700) == 0 && mkdir(gone.text, 0700) == 0);
	UNIT_REQUIRE(mgmt_text_write_file(inside.text, "x", 1, 0600, true) == 0);
	UNIT_REQUIRE(symlink(kept.text, mgmt_path_of(gone.text, "link").text) == 0);
	UNIT_EQUAL(mgmt_remove_all(gone.text), 0);
	UNIT_EQUAL(mgmt_remove_all(gone.text), 0);
	UNIT_EQUAL(access(inside.text, F_OK), 0);
	dir_give_back();
}

UNIT_SUITE("mgmt_node", UNIT_TEST(a_new_node_has_two_secret_keys_and_their_public_halves),
	   UNIT_TEST(a_node_is_never_made_over_another),
	   UNIT_TEST(a_client_key_is_made_once_and_read_back),
	   UNIT_TEST(a_key_whose_public_half_cannot_be_written_is_not_kept),
	   UNIT_TEST(a_member_file_that_is_not_one_is_refused),
	   UNIT_TEST(a_genesis_is_read_as_it_was_made),
	   UNIT_TEST(a_genesis_of_two_or_of_twins_is_refused),
	   UNIT_TEST(a_join_that_fails_leaves_the_keys_and_nothing_else),
	   UNIT_TEST(a_key_that_had_a_safety_record_or_is_no_member_joins_nothing),
	   UNIT_TEST(removing_never_follows_a_link))
