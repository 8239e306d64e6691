/* The other end of the socket is a child process that answers by the book. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "client/quorate.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"
#include "wire/wire_client.h"

enum { RECORDS = 10000, PROOF_BYTES = 5000 };

static struct wire_world world;
static char path[64];
static pid_t child;
#define SECOND_NS UINT64_C(1000000000)

static void say(int file, const struct wire_client_message *message)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(message, bytes, sizeof(bytes));

	ensure(count > 0 && send(file, bytes, (size_t)count, MSG_NOSIGNAL) == count);
}

/* Record i lies at height 1 + i / 100, index i % 100. */
static void serve_tail(int file, const struct wire_client_message *ask)
{
	uint64_t at = ask->u.tail.height == 0 ? 0 :
						(ask->u.tail.height - 1) * 100 + ask->u.tail.index;
	uint64_t end = at + ask->u.tail.max < RECORDS ? at + ask->u.tail.max : RECORDS;
	struct wire_client_message answer = { .request = ask->request };

	for (; at < end; at++) {
		answer.kind = WIRE_CLIENT_RECORD;
		answer.u.record = (struct wire_client_record){ .height = 1 + at / 100,
							       .index = (uint32_t)(at % 100),
							       .seq = at,
							       .payload = (const uint8_t *)"abc",
							       .payload_bytes = 3 };
		say(file, &answer);
	}
	if (ask->u.tail.follows && at == RECORDS)
		return; /* nothing more will come */
	answer.kind = WIRE_CLIENT_TAIL_END;
	answer.u.tail_end = (struct wire_client_tail_end){ .height = 1 + at / 100,
							   .index = (uint32_t)(at % 100),
							   .final_height = RECORDS / 100 };
	say(file, &answer);
}

static void serve_prove(int file, const struct wire_client_message *ask)
{
	static uint8_t proof[PROOF_BYTES];
	struct wire_client_message answer = { .kind = WIRE_CLIENT_PROOF, .request = ask->request };

	for (uint32_t i = 0; i < PROOF_BYTES; i++)
		proof[i] = (uint8_t)(i * 7);
	for (uint32_t at = 0; at < PROOF_BYTES; at += WIRE_CLIENT_PROOF_BYTES) {
		uint32_t left = PROOF_BYTES - at;

		answer.u.proof = (struct wire_client_proof){
			.tag = 5,
			.total = PROOF_BYTES,
			.offset = at,
			.bytes = proof + at,
			.byte_count = left < WIRE_CLIENT_PROOF_BYTES ? left :
								       WIRE_CLIENT_PROOF_BYTES,
		};
		say(file, &answer);
	}
}

static void serve_submit(int file, const struct wire_client_message *ask)
{
	struct wire_client_message answer = { .kind = WIRE_CLIENT_RECEIPT };
	struct wire_frame frame;

	ensure(wire_frame_parse(ask->u.submit.frame, ask->u.submit.frame_bytes, &frame) == 0);
	answer.u.receipt = (struct wire_client_receipt){ .client = frame.client,
							 .first_seq = frame.first_seq,
							 .count = frame.count,
							 .height = 77 };
	for (uint32_t i = 0; i < frame.count; i++)
		answer.u.receipt.ordered_map[i / 64] |= UINT64_C(1) << (i % 64);
	say(file, &answer);
}

static void serve(int file, const struct wire_client_message *ask)
{
	struct wire_client_message answer = { .request = ask->request };

	switch (ask->kind) {
	case WIRE_CLIENT_STATUS:
		answer.kind = WIRE_CLIENT_STATUS_ANSWER;
		answer.u.status.chain_id = world.validators.chain_id;
		answer.u.status.height = 123;
		say(file, &answer);
		break;
	case WIRE_CLIENT_GET:
		answer.kind = ask->u.get.seq == 4 ? WIRE_CLIENT_RECORD : WIRE_CLIENT_ERROR;
		if (answer.kind == WIRE_CLIENT_RECORD)
			answer.u.record =
				(struct wire_client_record){ .height = 9,
							     .seq = 4,
							     .payload = (const uint8_t *)"xyz",
							     .payload_bytes = 3 };
		else
			answer.u.error.code = ERR_NOT_FOUND;
		say(file, &answer);
		break;
	case WIRE_CLIENT_PROVE:
		serve_prove(file, ask);
		break;
	case WIRE_CLIENT_TAIL:
		serve_tail(file, ask);
		break;
	case WIRE_CLIENT_SUBMIT:
		serve_submit(file, ask);
		break;
	default:
		break;
	}
}

static _Noreturn void serve_forever(int listening)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	struct wire_client_message ask;

	for (;;) {
		int file = accept(listening, NULL, NULL);
		ssize_t count;

		if (file < 0)
			_exit(1);
		while ((count = recv(file, bytes, sizeof(bytes), 0)) > 0)
			if (wire_client_decode(bytes, (size_t)count, &ask) == 0)
				serve(file, &ask);
		close(file);
	}
}

static struct qr_link *link_make(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct qr_link *link;

	wire_world_init(&world, 4);
	snprintf(path, sizeof(path), "/tmp/qr_link_%d", (int)getpid());
	unlink(path);
	memcpy(address.sun_path, path, sizeof(path));
	ensure(listening >= 0);
	ensure(bind(listening, (const struct sockaddr *)&address, sizeof(address)) == 0);
	ensure(listen(listening, 4) == 0);
	child = fork();
	ensure(child >= 0);
	if (child == 0)
		serve_forever(listening);
	close(listening);
	ensure(qr_link_open(path, &link) == 0);
	return link;
}

static void link_end(struct qr_link *link)
{
	qr_link_close(link);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(path);
}

static void questions_are_answered(void)
{
	struct qr_link *link = link_make();
	struct qr_name name = { .seq = 4 };
	struct qr_status status;
	struct qr_record record;

	UNIT_EQUAL(qr_status(link, SECOND_NS, &status), 0);
	UNIT_EQUAL(status.height, 123);
	UNIT_CHECK(memcmp(status.chain_id, world.validators.chain_id.b, 32) == 0);
	UNIT_EQUAL(qr_get(link, &name, SECOND_NS, &record), 0);
	UNIT_EQUAL(record.height, 9);
	UNIT_CHECK(record.payload_bytes == 3 && memcmp(record.payload, "xyz", 3) == 0);
	name.seq = 5;
	UNIT_CHECK(qr_get(link, &name, SECOND_NS, &record) == QR_ERROR_NOT_FOUND);
	link_end(link);
}

static void proof_comes_together_from_pieces(void)
{
	static uint8_t proof[QR_PROOF_BYTES_MAX];
	struct qr_link *link = link_make();
	struct qr_name name = { .by_txid = true };

	UNIT_EQUAL(qr_prove(link, &name, SECOND_NS, proof, sizeof(proof)), PROOF_BYTES);
	for (uint32_t i = 0; i < PROOF_BYTES; i++)
		UNIT_REQUIRE(proof[i] == (uint8_t)(i * 7));
	UNIT_CHECK(qr_prove(link, &name, SECOND_NS, proof, PROOF_BYTES - 1) == QR_ERROR_OVERSIZE);
	link_end(link);
}

struct reading {
	uint64_t seen;
	uint64_t stop_at;
};

static int on_record(void *context, const struct qr_record *record)
{
	struct reading *reading = context;

	if (record->seq != reading->seen)
		return -99;
	reading->seen++;
	return reading->seen == reading->stop_at ? 1 : 0;
}

static void tail_reads_all_from_any_place(void)
{
	struct qr_link *link = link_make();
	struct qr_cursor cursor = { 0 };
	struct reading reading = { .stop_at = 5003 };

	UNIT_EQUAL(qr_tail(link, &cursor, false, SECOND_NS, on_record, &reading), 1);
	UNIT_EQUAL(reading.seen, 5003);
	UNIT_EQUAL(cursor.height, 51);
	UNIT_EQUAL(cursor.index, 2); /* the record that stopped it was not accepted */
	reading.seen = 5002;
	reading.stop_at = 0;
	UNIT_EQUAL(qr_tail(link, &cursor, false, SECOND_NS, on_record, &reading), 0);
	UNIT_EQUAL(reading.seen, RECORDS);
	UNIT_CHECK(qr_tail(link, &cursor, true, SECOND_NS / 20, on_record, &reading) ==
		   QR_ERROR_TIMEOUT);
	link_end(link);
}

static void submitted_payloads_become_final(void)
{
	struct qr_link *link = link_make();
	struct qr_client_config config = { .node_count = 1, .receipts_needed = 1 };
	struct qr_payload payload[500];
	struct qr_client *client;
	struct qr_event event;
	struct qr_key *key;
	uint64_t first;
	uint32_t final = 0;

	UNIT_REQUIRE(qr_key_generate(&key) == 0);
	config.key = key;
	memcpy(config.chain_id, world.validators.chain_id.b, 32);
	UNIT_REQUIRE(qr_client_open(&config, &client) == 0);
	qr_client_node(client, 0, true);
	for (uint32_t i = 0; i < 500; i++)
		payload[i] = (struct qr_payload){ "some payload of thirty bytes..", 30 };
	UNIT_EQUAL(qr_client_submit(client, payload, 500, &first), 500);
	while (qr_client_outstanding(client) > 0 || qr_client_has_event(client)) {
		UNIT_REQUIRE(qr_link_run(link, client, SECOND_NS) == 1);
		UNIT_REQUIRE(qr_client_event(client, &event) == 1);
		UNIT_EQUAL(event.kind, QR_EVENT_FINAL);
		UNIT_EQUAL(event.height, 77);
		final += event.count;
	}
	UNIT_EQUAL(final, 500);
	UNIT_EQUAL(qr_link_run(link, client, SECOND_NS / 100), 0);
	qr_client_close(client);
	qr_key_close(key);
	link_end(link);
}

static void missing_node_is_an_error_not_a_wait(void)
{
	struct qr_link *link = link_make();
	struct qr_status status;

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	UNIT_CHECK(qr_status(link, SECOND_NS, &status) < 0);
	qr_link_close(link);
	UNIT_CHECK(qr_link_open(path, &link) == -ECONNREFUSED);
	unlink(path);
	UNIT_CHECK(qr_link_open(path, &link) == -ENOENT);
	qr_link_close(NULL);
}

UNIT_SUITE("qr_link", UNIT_TEST(questions_are_answered),
	   UNIT_TEST(proof_comes_together_from_pieces), UNIT_TEST(tail_reads_all_from_any_place),
	   UNIT_TEST(submitted_payloads_become_final),
	   UNIT_TEST(missing_node_is_an_error_not_a_wait))
