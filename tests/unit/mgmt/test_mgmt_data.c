/*
 * Also of mgmt_payloads.c, mgmt_numbers.c, mgmt_place.c, mgmt_lab.c, mgmt_lab_run.c: what commands
 * need of files. Labs that run are the business of tests/integration/mgmt_lab.sh.
 */
#define _GNU_SOURCE
#include "mgmt/mgmt_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/mgmt_lab.h"
#include "mgmt/mgmt_numbers.h"
#include "mgmt/mgmt_payloads.h"
#include "tests/lib/unit_main.h"

static const struct mgmt_verb verb = { .words = "test", .most = 1 };
static struct mgmt_cli cli;
static struct mgmt_payloads payloads;
static char dir[64];

static void dir_take(void)
{
	snprintf(dir, sizeof(dir), "/tmp/mgmt_data_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	UNIT_REQUIRE(freopen("/dev/null", "w", stderr) != NULL);
	cli = (struct mgmt_cli){ .verb = &verb };
}

static void dir_give_back(void)
{
	UNIT_EQUAL(mgmt_remove_all(dir), 0);
}

static void a_transaction_is_named_by_id_or_by_client_and_number(void)
{
	static const char hex[] =
		"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
	char text[128];
	struct qr_name name;

	UNIT_REQUIRE(mgmt_data_name(hex, &name));
	UNIT_CHECK(name.by_txid && name.txid[1] == 0x11 && name.txid[31] == 0xff);
	snprintf(text, sizeof(text), "%s:42", hex);
	UNIT_REQUIRE(mgmt_data_name(text, &name));
	UNIT_CHECK(!name.by_txid && name.client[1] == 0x11 && name.seq == 42);
	snprintf(text, sizeof(text), "%s:", hex);
	UNIT_CHECK(!mgmt_data_name(text, &name));
	snprintf(text, sizeof(text), "%s:-1", hex);
	UNIT_CHECK(!mgmt_data_name(text, &name));
	UNIT_CHECK(!mgmt_data_name("", &name));
	UNIT_CHECK(!mgmt_data_name(hex + 1, &name));
	snprintf(text, sizeof(text), "g%s", hex + 1);
	UNIT_CHECK(!mgmt_data_name(text, &name));
}

static bool payload_is(uint32_t index, const char *text)
{
	const struct qr_payload *payload = &payloads.payload[index];

	return payload->byte_count == strlen(text) &&
	       memcmp(payload->bytes, text, strlen(text)) == 0;
}

static void file_is(const char *bytes, size_t count)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/input", dir);
	UNIT_REQUIRE(mgmt_text_write_file(path, bytes, count, 0600, false) == 0);
	cli.option[MGMT_OPTION_FILE] = path;
}

static void a_text_and_a_file_are_one_payload(void)
{
	dir_take();
	cli.argument_count = 1;
	cli.argument[0] = "hello";
	UNIT_REQUIRE(mgmt_payloads_take(&cli, &payloads) == MGMT_EXIT_OK);
	UNIT_EQUAL(payloads.count, 1);
	UNIT_CHECK(payload_is(0, "hello"));
	mgmt_payloads_fini(&payloads);
	cli.argument_count = 0;
	file_is("a\nb\n", 4);
	UNIT_REQUIRE(mgmt_payloads_take(&cli, &payloads) == MGMT_EXIT_OK);
	UNIT_CHECK(payloads.count == 1 && payload_is(0, "a\nb\n"));
	mgmt_payloads_fini(&payloads);
	dir_give_back();
}

static void lines_are_payloads_of_their_own_and_the_last_may_be_open(void)
{
	dir_take();
	cli.option[MGMT_OPTION_LINES] = "";
	file_is("a\n\nlast", 7);
	UNIT_REQUIRE(mgmt_payloads_take(&cli, &payloads) == MGMT_EXIT_OK);
	UNIT_EQUAL(payloads.count, 3);
	UNIT_CHECK(payload_is(0, "a") && payload_is(1, "") && payload_is(2, "last"));
	mgmt_payloads_fini(&payloads);
	file_is("a\n", 2);
	UNIT_REQUIRE(mgmt_payloads_take(&cli, &payloads) == MGMT_EXIT_OK);
	UNIT_CHECK(payloads.count == 1 && payload_is(0, "a"));
	mgmt_payloads_fini(&payloads);
	file_is("", 0);
	UNIT_EQUAL(mgmt_payloads_take(&cli, &payloads), MGMT_EXIT_REFUSED);
	dir_give_back();
}

static void a_count_repeats_with_a_running_number(void)
{
	dir_take();
	cli.argument_count = 1;
	cli.argument[0] = "tx";
	cli.option[MGMT_OPTION_COUNT] = "1000";
	UNIT_REQUIRE(mgmt_payloads_take(&cli, &payloads) == MGMT_EXIT_OK);
	UNIT_EQUAL(payloads.count, 1000);
	UNIT_CHECK(payload_is(0, "tx 1") && payload_is(999, "tx 1000"));
	mgmt_payloads_fini(&payloads);
	cli.option[MGMT_OPTION_LINES] = "";
	UNIT_EQUAL(mgmt_payloads_take(&cli, &payloads), MGMT_EXIT_USAGE);
	dir_give_back();
}

static void what_does_not_fit_a_datagram_is_refused_before_anything_is_sent(void)
{
	static char big[QR_PAYLOAD_BYTES_MAX + 2];

	dir_take();
	memset(big, 'x', QR_PAYLOAD_BYTES_MAX + 1);
	cli.argument_count = 1;
	cli.argument[0] = big;
	UNIT_EQUAL(mgmt_payloads_take(&cli, &payloads), MGMT_EXIT_REFUSED);
	big[QR_PAYLOAD_BYTES_MAX] = '\0';
	UNIT_EQUAL(mgmt_payloads_take(&cli, &payloads), MGMT_EXIT_OK);
	mgmt_payloads_fini(&payloads);
	cli.argument_count = 0;
	UNIT_EQUAL(mgmt_payloads_take(&cli, &payloads), MGMT_EXIT_USAGE);
	dir_give_back();
}

static void numbers_are_kept_and_a_key_serves_one_command_at_a_time(void)
{
	struct mgmt_numbers first;
	struct mgmt_numbers second;
	struct mgmt_path key;

	dir_take();
	key = mgmt_path_of(dir, "key");
	UNIT_EQUAL(mgmt_numbers_open(&cli, key.text, &first), MGMT_EXIT_REFUSED);
	UNIT_REQUIRE(mgmt_text_write_file(key.text, "k", 1, 0600, true) == 0);
	UNIT_REQUIRE(mgmt_numbers_open(&cli, key.text, &first) == MGMT_EXIT_OK);
	UNIT_EQUAL(first.next, QR_SEQ_FIRST);
	UNIT_EQUAL(mgmt_numbers_open(&cli, key.text, &second), MGMT_EXIT_REFUSED);
	first.settled = 7;
	first.next = 9;
	UNIT_EQUAL(mgmt_numbers_save(&first), 0);
	mgmt_numbers_close(&first);
	UNIT_REQUIRE(mgmt_numbers_open(&cli, key.text, &second) == MGMT_EXIT_OK);
	UNIT_CHECK(second.settled == 7 && second.next == 9);
	mgmt_numbers_close(&second);
	UNIT_REQUIRE(mgmt_text_write_file(second.path, "9 7\n", 4, 0600, false) == 0);
	UNIT_EQUAL(mgmt_numbers_open(&cli, key.text, &second), MGMT_EXIT_REFUSED);
	dir_give_back();
}

static void two_labs_in_two_places_share_no_name(void)
{
	struct mgmt_lab a;
	struct mgmt_lab b;
	struct mgmt_path place;

	dir_take();
	place = mgmt_path_of(dir, "a");
	cli.option[MGMT_OPTION_DIR] = place.text;
	UNIT_REQUIRE(mgmt_lab_name(&cli, &a) == MGMT_EXIT_OK);
	UNIT_CHECK(strcmp(a.dir, place.text) == 0);
	place = mgmt_path_of(dir, "b/");
	UNIT_REQUIRE(mgmt_lab_name(&cli, &b) == MGMT_EXIT_OK);
	UNIT_CHECK(strcmp(a.hash, b.hash) != 0 && strlen(a.hash) == MGMT_LAB_HASH_BYTES - 1);
	place = mgmt_path_of(dir, "../x/nowhere/lab");
	UNIT_EQUAL(mgmt_lab_name(&cli, &b), MGMT_EXIT_USAGE);
	UNIT_CHECK(!mgmt_lab_load(&a));
	dir_give_back();
}

static void without_a_lab_or_a_node_there_is_no_place(void)
{
	struct mgmt_place place;
	struct mgmt_path lab;

	dir_take();
	lab = mgmt_path_of(dir, "lab");
	cli.option[MGMT_OPTION_DIR] = lab.text;
	UNIT_EQUAL(mgmt_place_find(&cli, &place), MGMT_EXIT_UNREACHABLE);
	UNIT_REQUIRE(mkdir(lab.text, 0700) == 0);
	UNIT_REQUIRE(mgmt_text_write_file(mgmt_path_of(lab.text, "lab.json").text,
					  "{\"format\":1,\"nodes\":4,\"http_port\":8480}", 38, 0600,
					  true) == 0);
	UNIT_EQUAL(mgmt_place_find(&cli, &place), MGMT_EXIT_UNREACHABLE); /* none runs */
	cli.option[MGMT_OPTION_NODE] = dir;
	UNIT_REQUIRE(mgmt_place_find(&cli, &place) == MGMT_EXIT_OK);
	UNIT_CHECK(strstr(place.ingress.text, "/run/ingress") != NULL);
	UNIT_EQUAL(place.client_key.text[0], '\0');
	dir_give_back();
}

static void a_lab_file_that_says_nonsense_is_no_lab(void)
{
	static const char *const bad[] = { "", "{}", "{\"format\":2,\"nodes\":4,\"http_port\":1}",
					   "{\"format\":1,\"nodes\":99,\"http_port\":1}",
					   "{\"format\":1,\"nodes\":4,\"http_port\":99999}" };
	struct mgmt_lab lab = { .lock_file = -1 };

	dir_take();
	snprintf(lab.dir, sizeof(lab.dir), "%s", dir);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		UNIT_REQUIRE(mgmt_text_write_file(mgmt_path_of(dir, "lab.json").text, bad[i],
						  strlen(bad[i]), 0600, false) == 0);
		UNIT_CHECK(!mgmt_lab_load(&lab));
	}
	dir_give_back();
}

static void a_recorded_process_that_is_another_now_is_none_of_ours(void)
{
	struct mgmt_lab lab = { .node_count = 1, .lock_file = -1 };
	struct mgmt_process self = { .pid = getpid(), .start_tick = 1 };

	dir_take();
	snprintf(lab.dir, sizeof(lab.dir), "%s", dir);
	UNIT_REQUIRE(mkdir(mgmt_lab_node_dir(&lab, 0).text, 0700) == 0);
	UNIT_REQUIRE(mgmt_process_save(&self, mgmt_lab_node_path(&lab, 0, "quorated.pid").text) ==
		     0);
	UNIT_EQUAL(mgmt_lab_process(&lab, 0, MGMT_LAB_QUORATED).pid, 0);
	UNIT_EQUAL(mgmt_lab_stop(&lab), 0); /* and this test goes on */
	dir_give_back();
}

UNIT_SUITE("mgmt_data", UNIT_TEST(a_transaction_is_named_by_id_or_by_client_and_number),
	   UNIT_TEST(a_text_and_a_file_are_one_payload),
	   UNIT_TEST(lines_are_payloads_of_their_own_and_the_last_may_be_open),
	   UNIT_TEST(a_count_repeats_with_a_running_number),
	   UNIT_TEST(what_does_not_fit_a_datagram_is_refused_before_anything_is_sent),
	   UNIT_TEST(numbers_are_kept_and_a_key_serves_one_command_at_a_time),
	   UNIT_TEST(two_labs_in_two_places_share_no_name),
	   UNIT_TEST(without_a_lab_or_a_node_there_is_no_place),
	   UNIT_TEST(a_lab_file_that_says_nonsense_is_no_lab),
	   UNIT_TEST(a_recorded_process_that_is_another_now_is_none_of_ours))
