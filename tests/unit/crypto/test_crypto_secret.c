#define _GNU_SOURCE
#include "crypto/crypto_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/crypto_sign.h"
#include "tests/lib/unit_main.h"

#ifdef __has_feature
#define HAS_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#else
#define HAS_ADDRESS_SANITIZER 0
#endif

static const uint8_t seed[CRYPTO_SEED_BYTES] = { 1, 2, 3, [31] = 0xff };

struct folder {
	char path[64];
	char key[80];
};

static struct folder folder_new(void)
{
	struct folder folder = { .path = "/tmp/quorate-secret-XXXXXX" };

	UNIT_REQUIRE(mkdtemp(folder.path) != NULL);
	snprintf(folder.key, sizeof(folder.key), "%s/key", folder.path);
	return folder;
}

static void folder_remove(const struct folder *folder)
{
	unlink(folder->key);
	rmdir(folder->path);
}

static void write_key(const struct folder *folder, const char *text, mode_t mode)
{
	FILE *file;

	unlink(folder->key);
	file = fopen(folder->key, "w");
	UNIT_REQUIRE(file != NULL);
	fputs(text, file);
	fclose(file);
	UNIT_CHECK(chmod(folder->key, mode) == 0);
}

static void saved_seed_is_loaded_again(void)
{
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES];
	struct stat status;

	UNIT_EQUAL(crypto_secret_save(folder.key, seed), 0);
	UNIT_CHECK(stat(folder.key, &status) == 0);
	UNIT_EQUAL(status.st_mode & 0777, 0600);
	UNIT_EQUAL(crypto_secret_load(folder.key, loaded), 0);
	UNIT_CHECK(memcmp(loaded, seed, sizeof(seed)) == 0);
	folder_remove(&folder);
}

static void an_existing_key_is_never_overwritten(void)
{
	static const uint8_t other[CRYPTO_SEED_BYTES] = { 9 };
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES];

	UNIT_EQUAL(crypto_secret_save(folder.key, seed), 0);
	UNIT_CHECK(crypto_secret_save(folder.key, other) == -EEXIST);
	UNIT_EQUAL(crypto_secret_load(folder.key, loaded), 0);
	UNIT_CHECK(memcmp(loaded, seed, sizeof(seed)) == 0);
	folder_remove(&folder);
}

static void modes_wider_than_0600_are_refused(void)
{
	static const mode_t unsafe[] = { 0640, 0604, 0620, 0602, 0700, 0610, 0644, 04600 };
	static const mode_t safe[] = { 0600, 0400 };
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES] = { 0 };
	char text[CRYPTO_SEED_BYTES * 2 + 1];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
		write_key(&folder, text, unsafe[i]);
		UNIT_CHECK(crypto_secret_load(folder.key, loaded) == ERR_PERMISSION);
	}
	UNIT_EQUAL(loaded[0], 0);
	for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
		write_key(&folder, text, safe[i]);
		UNIT_EQUAL(crypto_secret_load(folder.key, loaded), 0);
	}
	UNIT_EQUAL(loaded[0], 0xaa);
	folder_remove(&folder);
}

static void another_users_key_is_refused(void)
{
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES];
	bool is_foreign;

	UNIT_EQUAL(crypto_secret_save(folder.key, seed), 0);
	is_foreign = chown(folder.key, 12345, (gid_t)-1) == 0;
	if (is_foreign)
		UNIT_CHECK(crypto_secret_load(folder.key, loaded) == ERR_PERMISSION);
	folder_remove(&folder);
	if (!is_foreign)
		UNIT_SKIP("only root can give a file away");
}

static void links_and_folders_are_refused(void)
{
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES];
	char link_path[96];

	UNIT_EQUAL(crypto_secret_save(folder.key, seed), 0);
	snprintf(link_path, sizeof(link_path), "%s/link", folder.path);
	UNIT_CHECK(symlink(folder.key, link_path) == 0);
	UNIT_CHECK(crypto_secret_load(link_path, loaded) == ERR_PERMISSION);
	UNIT_CHECK(crypto_secret_load(folder.path, loaded) == ERR_PERMISSION);
	unlink(link_path);
	folder_remove(&folder);
}

static void a_fifo_is_refused_without_waiting_for_a_writer(void)
{
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES];

	UNIT_REQUIRE(mkfifo(folder.key, 0600) == 0);
	UNIT_CHECK(crypto_secret_load(folder.key, loaded) == ERR_PERMISSION);
	folder_remove(&folder);
}

static void anything_but_one_seed_is_refused(void)
{
	static const char *const wrong[] = {
		"",
		"\n",
		"aa",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",   /* 63 */
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 65 */
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaag",  /* no digit */
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n",
		" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct folder folder = folder_new();
	uint8_t loaded[CRYPTO_SEED_BYTES] = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		write_key(&folder, wrong[i], 0600);
		UNIT_CHECK(crypto_secret_load(folder.key, loaded) == ERR_KEY);
	}
	UNIT_EQUAL(loaded[0], 0);
	folder_remove(&folder);
}

static void a_missing_key_keeps_the_systems_code(void)
{
	uint8_t loaded[CRYPTO_SEED_BYTES];

	UNIT_CHECK(crypto_secret_load("/nonexistent/key", loaded) == -ENOENT);
	UNIT_CHECK(crypto_secret_save("/nonexistent/key", seed) == -ENOENT);
}

static void secret_memory_is_zeroed_and_aligned(void)
{
	UNIT_REQUIRE(crypto_start() == 0);
	uint8_t *secret = crypto_secret_take(100);

	if (!secret)
		UNIT_SKIP("no memory may be locked (RLIMIT_MEMLOCK)");
	UNIT_EQUAL((uintptr_t)secret % 64, 0);
	for (int i = 0; i < 100; i++)
		UNIT_EQUAL(secret[i], 0);
	memset(secret, 0xff, 100);
	crypto_secret_give_back(secret);
	crypto_secret_give_back(NULL);
}

static unsigned long locked_kib(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *status = fopen("/proc/self/status", "r");

	UNIT_REQUIRE(status != NULL);
	while (fgets(line, sizeof(line), status))
		if (strncmp(line, "VmLck:", 6) == 0)
			kib = strtoul(line + 6, NULL, 10);
	fclose(status);
	return kib;
}

static void secret_memory_is_locked_until_given_back(void)
{
	unsigned long before = locked_kib();

	UNIT_REQUIRE(crypto_start() == 0);
	uint8_t *secret = crypto_secret_take(100);

	if (!secret)
		UNIT_SKIP("no memory may be locked (RLIMIT_MEMLOCK)");
	if (HAS_ADDRESS_SANITIZER)
		UNIT_SKIP("AddressSanitizer replaces mlock() by nothing");
	UNIT_CHECK(locked_kib() >= before + 4);
	crypto_secret_give_back(secret);
	UNIT_EQUAL(locked_kib(), before);
}

static void impossible_sizes_give_no_memory(void)
{
	UNIT_REQUIRE(crypto_start() == 0);
	UNIT_CHECK(crypto_secret_take(SIZE_MAX) == NULL);
	UNIT_CHECK(crypto_secret_take(SIZE_MAX / 2) == NULL);
}

UNIT_SUITE("crypto_secret", UNIT_TEST(saved_seed_is_loaded_again),
	   UNIT_TEST(an_existing_key_is_never_overwritten),
	   UNIT_TEST(modes_wider_than_0600_are_refused), UNIT_TEST(another_users_key_is_refused),
	   UNIT_TEST(links_and_folders_are_refused),
	   UNIT_TEST(a_fifo_is_refused_without_waiting_for_a_writer),
	   UNIT_TEST(anything_but_one_seed_is_refused),
	   UNIT_TEST(a_missing_key_keeps_the_systems_code),
	   UNIT_TEST(secret_memory_is_zeroed_and_aligned),
	   UNIT_TEST(secret_memory_is_locked_until_given_back),
	   UNIT_TEST(impossible_sizes_give_no_memory))
