/*
 * mgmt_submit against a node whose every word is chosen here: the cases real nodes show only by
 * chance. The node is a thread on a local socket that speaks wire_client.h.
 */
#define _GNU_SOURCE
#include "mgmt/mgmt_submit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "client/quorate.h"
#include "mgmt/mgmt_keys.h"
#include "tests/lib/unit_main.h"
#include "wire/wire_client.h"
#include "wire/wire_frame.h"

enum { ORDER_MAX = 16, PAYLOAD_ROOM = 32 };

/* The order, by number; filled before a test and by what is submitted, unless `is_deaf`. */
struct node {
	int listen_file;
	pthread_t thread;
	char payload[ORDER_MAX][PAYLOAD_ROOM]; /* "": not ordered */
	char late[PAYLOAD_ROOM];               /* ordered as `late_seq` when that is submitted */
	uint64_t late_seq;
	bool is_deaf;
	int32_t refuses;
	uint32_t submits;
};

static const struct mgmt_verb verb = { .words = "test", .most = 1 };
static struct mgmt_cli cli;
static struct mgmt_place place;
static struct mgmt_path key_path;
static struct node node;
static char dir[64];

static void answer(int file, const struct wire_client_message *message)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(message, bytes, sizeof(bytes));

	if (count > 0)
		(void)!send(file, bytes, (size_t)count, MSG_NOSIGNAL);
}

static void on_get(int file, uint32_t request, const struct wire_client_name *name)
{
	struct wire_client_message message = { .request = request };

	if (name->seq >= ORDER_MAX || node.payload[name->seq][0] == '\0') {
		message.kind = WIRE_CLIENT_ERROR;
		message.u.error.code = ERR_NOT_FOUND;
		message.u.error.text = "";
	} else {
		const char *payload = node.payload[name->seq];

		message.kind = WIRE_CLIENT_RECORD;
		message.u.record = (struct wire_client_record){
			.height = 9,
			.client = name->client,
			.seq = name->seq,
			.payload = (const uint8_t *)payload,
			.payload_bytes = (uint32_t)strlen(payload),
		};
		qr_txid(name->client.b, name->seq, payload, strlen(payload),
			message.u.record.txid.b);
	}
	answer(file, &message);
}

/* Orders every transaction of the frame whose number is free, and says that all are ordered. */
static void on_submit(int file, const struct wire_client_submit *submit)
{
	struct wire_frame frame;
	struct wire_client_message message = { .kind = WIRE_CLIENT_RECEIPT };
	struct wire_payload_walk walk;
	struct wire_payload payload;

	node.submits++;
	if (node.is_deaf || wire_frame_parse(submit->frame, submit->frame_bytes, &frame) != 0)
		return;
	if (node.refuses != 0) {
		message.kind = WIRE_CLIENT_REFUSAL;
		message.u.refusal = (struct wire_client_refusal){ .client = frame.client,
								  .first_seq = frame.first_seq,
								  .reason = node.refuses };
		answer(file, &message);
		return;
	}
	wire_payload_walk_init(&walk, &frame);
	while (wire_payload_next(&walk, &payload)) {
		if (payload.seq >= ORDER_MAX || payload.byte_count >= PAYLOAD_ROOM)
			continue;
		if (payload.seq == node.late_seq)
			memcpy(node.payload[payload.seq], node.late, PAYLOAD_ROOM);
		else if (node.payload[payload.seq][0] == '\0')
			memcpy(node.payload[payload.seq], payload.bytes, payload.byte_count);
	}
	message.u.receipt =
		(struct wire_client_receipt){ .client = frame.client,
					      .first_seq = frame.first_seq,
					      .count = frame.count,
					      .height = 9,
					      .ordered_map = { (UINT64_C(1) << frame.count) - 1 } };
	answer(file, &message);
}

static void *serve(void *unused)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	struct wire_client_message message;
	int file;

	while ((file = accept(node.listen_file, NULL, NULL)) >= 0) {
		ssize_t count;

		while ((count = recv(file, bytes, sizeof(bytes), 0)) > 0) {
			if (wire_client_decode(bytes, (size_t)count, &message) != 0)
				continue;
			if (message.kind == WIRE_CLIENT_STATUS) {
				struct wire_client_message status = {
					.kind = WIRE_CLIENT_STATUS_ANSWER,
					.request = message.request
				};

				status.u.status.replica_count = 4;
				answer(file, &status);
			} else if (message.kind == WIRE_CLIENT_GET) {
				on_get(file, message.request, &message.u.get);
			} else if (message.kind == WIRE_CLIENT_SUBMIT) {
				on_submit(file, &message.u.submit);
			}
		}
		close(file);
	}
	return unused;
}

static void world_take(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct crypto_public_key key;

	UNIT_REQUIRE(qr_start() == 0);
	UNIT_REQUIRE(freopen("/dev/null", "w", stderr) != NULL);
	snprintf(dir, sizeof(dir), "/tmp/mgmt_submit_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	node = (struct node){ 0 };
	place = (struct mgmt_place){ .ingress = mgmt_path_of(dir, "ingress") };
	key_path = mgmt_path_of(dir, "key");
	cli = (struct mgmt_cli){ .verb = &verb };
	cli.option[MGMT_OPTION_TIMEOUT] = "1";
	UNIT_REQUIRE(mgmt_keys_make(&cli, key_path.text, &key) == MGMT_EXIT_OK);
	node.listen_file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, place.ingress.text, strlen(place.ingress.text) + 1);
	UNIT_REQUIRE(bind(node.listen_file, (struct sockaddr *)&address, sizeof(address)) == 0);
	UNIT_REQUIRE(listen(node.listen_file, 4) == 0);
	UNIT_REQUIRE(pthread_create(&node.thread, NULL, serve, NULL) == 0);
}

static void world_give_back(void)
{
	shutdown(node.listen_file, SHUT_RDWR);
	pthread_join(node.thread, NULL);
	close(node.listen_file);
	UNIT_EQUAL(mgmt_remove_all(dir), 0);
}

static enum mgmt_exit submit(const char *text)
{
	cli.argument_count = 1;
	cli.argument[0] = text;
	return mgmt_submit(&cli, &place, key_path.text, true);
}

static void numbers_are(const char *expected)
{
	struct mgmt_text text = { 0 };

	UNIT_REQUIRE(mgmt_text_read_file(mgmt_path_of(dir, "key.seq").text, 100, &text) == 0);
	UNIT_CHECK(strcmp(mgmt_text_of(&text), expected) == 0);
	mgmt_text_fini(&text);
}

static void numbers_become(const char *text)
{
	UNIT_REQUIRE(mgmt_text_write_file(mgmt_path_of(dir, "key.seq").text, text, strlen(text),
					  0600, false) == 0);
}

static void numbers_follow_each_other_from_the_first(void)
{
	world_take();
	UNIT_EQUAL(submit("one"), MGMT_EXIT_OK);
	UNIT_EQUAL(submit("two"), MGMT_EXIT_OK);
	numbers_are("3 3\n");
	world_give_back();
	UNIT_CHECK(strcmp(node.payload[1], "one") == 0);
	UNIT_CHECK(strcmp(node.payload[2], "two") == 0);
}

static void a_silent_node_is_a_timeout_and_the_number_stays_open(void)
{
	world_take();
	node.is_deaf = true;
	UNIT_EQUAL(submit("lost"), MGMT_EXIT_TIMEOUT);
	numbers_are("1 2\n");
	world_give_back();
	UNIT_CHECK(node.submits >= 2); /* it was sent again meanwhile */
}

static void an_open_number_that_was_ordered_after_all_is_not_used_again(void)
{
	world_take();
	numbers_become("1 2\n");
	memcpy(node.payload[1], "earlier", 8);
	UNIT_EQUAL(submit("now"), MGMT_EXIT_OK);
	numbers_are("3 3\n");
	world_give_back();
	UNIT_CHECK(strcmp(node.payload[2], "now") == 0);
}

static void an_open_number_that_never_came_is_filled(void)
{
	world_take();
	numbers_become("1 2\n");
	UNIT_EQUAL(submit("filler"), MGMT_EXIT_OK);
	numbers_are("2 2\n");
	world_give_back();
	UNIT_CHECK(strcmp(node.payload[1], "filler") == 0);
}

static void a_payload_that_lost_its_number_is_sent_again_under_a_new_one(void)
{
	world_take();
	numbers_become("1 2\n");
	node.late_seq = 1; /* the earlier command's frame arrives just before ours */
	memcpy(node.late, "earlier", 8);
	UNIT_EQUAL(submit("ours"), MGMT_EXIT_OK);
	numbers_are("3 3\n");
	world_give_back();
	UNIT_CHECK(strcmp(node.payload[1], "earlier") == 0);
	UNIT_CHECK(strcmp(node.payload[2], "ours") == 0);
}

static void a_key_that_lost_its_numbers_finds_the_first_free_one(void)
{
	world_take();
	for (int i = 1; i <= 5; i++)
		memcpy(node.payload[i], "earlier", 8);
	UNIT_EQUAL(submit("ours"), MGMT_EXIT_OK);
	numbers_are("7 7\n");
	world_give_back();
	UNIT_CHECK(strcmp(node.payload[6], "ours") == 0);
}

static void a_refusal_is_told_and_its_number_used_again(void)
{
	world_take();
	node.refuses = ERR_UNKNOWN_CLIENT;
	UNIT_EQUAL(submit("unwelcome"), MGMT_EXIT_REFUSED);
	numbers_are("1 2\n");
	node.refuses = 0;
	UNIT_EQUAL(submit("welcome"), MGMT_EXIT_OK);
	numbers_are("2 2\n");
	world_give_back();
}

static void without_a_node_nothing_is_reserved(void)
{
	world_take();
	unlink(place.ingress.text);
	UNIT_EQUAL(submit("x"), MGMT_EXIT_UNREACHABLE);
	UNIT_CHECK(access(mgmt_path_of(dir, "key.seq").text, F_OK) != 0);
	world_give_back();
}

UNIT_SUITE("mgmt_submit", UNIT_TEST(numbers_follow_each_other_from_the_first),
	   UNIT_TEST(a_silent_node_is_a_timeout_and_the_number_stays_open),
	   UNIT_TEST(an_open_number_that_was_ordered_after_all_is_not_used_again),
	   UNIT_TEST(an_open_number_that_never_came_is_filled),
	   UNIT_TEST(a_payload_that_lost_its_number_is_sent_again_under_a_new_one),
	   UNIT_TEST(a_key_that_lost_its_numbers_finds_the_first_free_one),
	   UNIT_TEST(a_refusal_is_told_and_its_number_used_again),
	   UNIT_TEST(without_a_node_nothing_is_reserved))
