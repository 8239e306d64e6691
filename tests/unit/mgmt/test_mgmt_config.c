#define _GNU_SOURCE
#include "mgmt/mgmt_config.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static struct mgmt_config config;
static char reason[MGMT_REASON_BYTES];

static int read_flags(const char *a, const char *b, const char *c, const char *d, const char *e,
		      const char *f)
{
	const char *argv[] = { "quorate-mgmtd", a, b, c, d, e, f, NULL };
	int argc = 1;

	while (argv[argc])
		argc++;
	reason[0] = '\0';
	return mgmt_config_read(argc, (char *const *)(uintptr_t)argv, &config, reason);
}

static int listen_on(const char *address)
{
	return read_flags("--run-dir", "/run/x", "--listen", address, NULL, NULL);
}

static void loopback_is_the_default(void)
{
	UNIT_EQUAL(read_flags("--run-dir", "/run/x", NULL, NULL, NULL, NULL), 0);
	UNIT_CHECK(strcmp(config.listen, MGMT_LISTEN_DEFAULT) == 0);
	UNIT_EQUAL(ntohs(((struct sockaddr_in *)&config.address)->sin_port), 8480);
}

static void loopback_addresses_of_both_kinds_are_good(void)
{
	UNIT_EQUAL(listen_on("127.0.0.1:0"), 0);
	UNIT_EQUAL(listen_on("127.8.8.8:65535"), 0);
	UNIT_EQUAL(listen_on("[::1]:80"), 0);
	UNIT_EQUAL(config.address.ss_family, AF_INET6);
}

static void other_addresses_need_the_same_management_address(void)
{
	UNIT_CHECK(listen_on("192.0.2.1:80") == ERR_CONFIG);
	UNIT_CHECK(strstr(reason, "management_address = 192.0.2.1") != NULL);
	UNIT_CHECK(read_flags("--run-dir", "/x", "--listen", "192.0.2.1:80", "--management-address",
			      "192.0.2.2") == ERR_CONFIG);
	UNIT_EQUAL(read_flags("--run-dir", "/x", "--listen", "192.0.2.1:80", "--management-address",
			      "192.0.2.1"),
		   0);
}

static void every_interface_at_once_is_never_good(void)
{
	UNIT_CHECK(read_flags("--run-dir", "/x", "--listen", "0.0.0.0:80", "--management-address",
			      "0.0.0.0") == ERR_CONFIG);
	UNIT_CHECK(read_flags("--run-dir", "/x", "--listen", "[::]:80", "--management-address",
			      "::") == ERR_CONFIG);
}

static void nonsense_is_refused_with_a_reason(void)
{
	static const char *const bad[] = {
		"",           ":80",         "localhost:80",    "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:+1"
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		UNIT_CHECK(listen_on(bad[i]) == ERR_CONFIG);
		UNIT_CHECK(reason[0] != '\0' && strchr(reason, '\n') == NULL);
	}
	UNIT_CHECK(read_flags("--listen", NULL, NULL, NULL, NULL, NULL) == ERR_CONFIG);
	UNIT_CHECK(read_flags("--color", "red", NULL, NULL, NULL, NULL) == ERR_CONFIG);
	UNIT_CHECK(read_flags(NULL, NULL, NULL, NULL, NULL, NULL) == ERR_CONFIG);
	UNIT_CHECK(strstr(reason, "--run-dir") != NULL);
}

/* Reads `text` as a file; with `flag` and `value` after it. */
static int read_file(const char *text, const char *flag, const char *value)
{
	char path[] = "/tmp/mgmt_config_XXXXXX";
	int file = mkstemp(path);
	int result;

	UNIT_REQUIRE(file >= 0);
	UNIT_REQUIRE(write(file, text, strlen(text)) == (ssize_t)strlen(text));
	close(file);
	result = read_flags("--config", path, flag, value, NULL, NULL);
	unlink(path);
	return result;
}

static void a_file_gives_the_same_keys_and_flags_win(void)
{
	static const char text[] = "# comment\n\n run_dir = /run/a b \nlisten=127.0.0.1:1";

	UNIT_EQUAL(read_file(text, NULL, NULL), 0);
	UNIT_CHECK(strcmp(config.run_dir, "/run/a b") == 0);
	UNIT_CHECK(strcmp(config.listen, "127.0.0.1:1") == 0);
	UNIT_EQUAL(read_file(text, "--listen", "127.0.0.1:2"), 0);
	UNIT_CHECK(strcmp(config.listen, "127.0.0.1:2") == 0);
}

static void a_bad_line_is_named(void)
{
	UNIT_CHECK(read_file("run_dir = /x\ncolour = red\n", NULL, NULL) == ERR_CONFIG);
	UNIT_CHECK(strstr(reason, ":2: unknown key 'colour'") != NULL);
	UNIT_CHECK(read_file("nonsense\n", NULL, NULL) == ERR_CONFIG);
	UNIT_CHECK(strstr(reason, ":1: expected") != NULL);
	UNIT_CHECK(read_flags("--config", "/nonexistent", NULL, NULL, NULL, NULL) == ERR_CONFIG);
}

static void help_asks_for_nothing_else(void)
{
	UNIT_EQUAL(read_flags("--color", "--help", NULL, NULL, NULL, NULL), 0);
	UNIT_CHECK(config.asks_help);
	UNIT_CHECK(strstr(mgmt_config_help(), "--management-address") != NULL);
	UNIT_CHECK(strstr(mgmt_config_help(), "Exit codes") != NULL);
}

UNIT_SUITE("mgmt_config", UNIT_TEST(loopback_is_the_default),
	   UNIT_TEST(loopback_addresses_of_both_kinds_are_good),
	   UNIT_TEST(other_addresses_need_the_same_management_address),
	   UNIT_TEST(every_interface_at_once_is_never_good),
	   UNIT_TEST(nonsense_is_refused_with_a_reason),
	   UNIT_TEST(a_file_gives_the_same_keys_and_flags_win), UNIT_TEST(a_bad_line_is_named),
	   UNIT_TEST(help_asks_for_nothing_else))
