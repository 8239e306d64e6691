/*
 * node_ingress: local programs on a Unix socket, with the rings of the node in the test's hand.
 * What they ask and when they are answered is node_ingress_ask.c.
 */
#define _GNU_SOURCE
#include "node/node_ingress.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/err.h"
#include "node/node_message.h"
#include "node/node_reader.h"
#include "replica/replica_mark.h"
#include "tests/unit/node/node_place.h"

static struct node_place place;
static struct node_ingress_config io;
static struct node_ingress *ingress;
static struct node_wake wake;
static struct node_wake verify_wake;
static struct ctl_page *page;
static _Atomic uint32_t open_count;
static _Atomic uint64_t log_end;
static char path[96];
static char reason[NODE_REASON_MAX];

static void fill_status(void *context, struct wire_client_status *ret_status)
{
	(void)context;
	*ret_status = (struct wire_client_status){ .replica = 3, .height = 77 };
}

static void begin(void)
{
	struct node_reader_config reader = { .replica_count = 1,
					     .block_end = &log_end,
					     .lane_end = &log_end };

	node_place_make(&place);
	node_place_format(&place.world, 0, place.data_dir);
	reader.directory = place.data_dir;
	reader.chain_id = place.world.validators.chain_id;
	snprintf(path, sizeof(path), "%s/ingress", place.dir);
	page = fixture_page();
	open_count = 0;
	log_end = 0;
	UNIT_REQUIRE(node_wake_open(&wake) == 0 && node_wake_open(&verify_wake) == 0);
	io = (struct node_ingress_config){ .path = path,
					   .connections_max = 2,
					   .frames = fixture_ring(),
					   .answers = fixture_ring(),
					   .refusals = fixture_ring(),
					   .wake = &wake,
					   .verify_wake = &verify_wake,
					   .status = fill_status,
					   .open_count = &open_count,
					   .metrics = ctl_block_register(page, "ingress") };
	io.drops = fixture_family(page, io.metrics, NODE_INGRESS_DROP_COUNT);
	UNIT_REQUIRE(node_reader_open(&reader, &io.reader, reason, sizeof(reason)) == 0);
	UNIT_REQUIRE(node_ingress_start(&io, &ingress, reason) == 0);
}

static void end(void)
{
	node_ingress_stop(ingress);
	ingress = NULL;
	node_reader_close(io.reader);
	free(io.frames);
	free(io.answers);
	free(io.refusals);
	free(page);
	node_wake_close(&wake);
	node_wake_close(&verify_wake);
	fixture_directory_end(place.dir);
}

static int connect_to(const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	UNIT_REQUIRE(file >= 0 && connect(file, (struct sockaddr *)&address, sizeof(address)) == 0);
	return file;
}

static void say(int file, const struct wire_client_message *message)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(message, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0 && send(file, bytes, (size_t)count, 0) == count);
}

/* The next message; it points into a static buffer. False: none within ten seconds, or the end. */
static bool hear(int file, struct wire_client_message *ret_message)
{
	static uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	struct pollfd wait = { .fd = file, .events = POLLIN };
	ssize_t count = poll(&wait, 1, 10000) == 1 ? recv(file, bytes, sizeof(bytes), 0) : -1;

	return count > 0 && wire_client_decode(bytes, (size_t)count, ret_message) == 0;
}

/* What the thread put on a ring; waits for it. */
static const uint8_t *await(struct dp_ring *ring, const struct dp_ring_header **ret_header)
{
	const uint8_t *bytes = NULL;

	for (int i = 0; i < 10000 && !(bytes = dp_ring_peek(ring, ret_header)); i++)
		usleep(1000);
	UNIT_REQUIRE(bytes != NULL);
	return bytes;
}

static void submit(int file, const struct wire_world_frame *frame)
{
	say(file, &(struct wire_client_message){
			  .kind = WIRE_CLIENT_SUBMIT,
			  .u.submit = { .frame = frame->bytes, .frame_bytes = frame->count } });
}

/* The replica tile's part: a receipt for the client's frame of two, ordered at `height`. */
static void give_receipt(uint64_t height)
{
	const struct dp_ring_header local = { .kind = NODE_MESSAGE_LOCAL_SUBSCRIBERS };
	struct wire_client_message receipt = {
		.kind = WIRE_CLIENT_RECEIPT,
		.u.receipt = { .client = place.world.client.public_key,
			       .first_seq = 1,
			       .count = 2,
			       .height = height },
	};
	uint8_t bytes[32 + WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(&receipt, bytes + 32, sizeof(bytes) - 32);

	memcpy(bytes, &place.world.client.public_key, 32);
	UNIT_REQUIRE(count > 0 && dp_ring_push(io.answers, &local, bytes, 32 + (uint32_t)count));
	node_wake_signal(&wake);
}

static void a_frame_goes_to_the_gate_and_its_receipt_comes_back(void)
{
	struct wire_client_message message;
	const struct dp_ring_header *header;
	struct wire_world_frame frame;
	const uint8_t *seen;
	int file;

	begin();
	file = connect_to(path);
	wire_world_frames(&place.world, 1, 1, 2, &frame);
	submit(file, &frame);
	seen = await(io.frames, &header);
	UNIT_EQUAL(header->kind, NODE_MESSAGE_FRAME);
	UNIT_EQUAL(header->bytes, frame.count);
	UNIT_CHECK(memcmp(seen, frame.bytes, frame.count) == 0);
	UNIT_CHECK(header->aux & NODE_ORIGIN_LOCAL);
	give_receipt(5);
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_RECEIPT);
	UNIT_EQUAL(message.u.receipt.height, 5);
	close(file);
	end();
}

/* An empty block of height 1 in the store the reader reads; returns the log's end behind it. */
static uint64_t write_mark(void)
{
	struct replica_mark_builder builder = { 0 };
	uint8_t bytes[1024];
	int count;

	replica_mark_begin(&builder, 0);
	builder.mark.height = 1;
	builder.mark.is_last = true;
	count = replica_mark_encode(&builder, bytes, sizeof(bytes));
	UNIT_REQUIRE(count > 0);
	return node_place_append(&place.world, 0, place.data_dir, REPLICA_RECORD_MARK, bytes,
				 (size_t)count);
}

/* A connection that submitted a frame and heard that it is ordered at height 1. */
static int connect_with_receipt(void)
{
	struct wire_client_message message;
	const struct dp_ring_header *header;
	struct wire_world_frame frame;
	int file = connect_to(path);

	wire_world_frames(&place.world, 1, 1, 2, &frame);
	submit(file, &frame);
	(void)await(io.frames, &header);
	give_receipt(1);
	UNIT_REQUIRE(hear(file, &message) && message.kind == WIRE_CLIENT_RECEIPT);
	return file;
}

static void a_question_waits_until_readers_see_what_its_connection_has_a_receipt_for(void)
{
	const struct dp_ring_header final = { .kind = NODE_MESSAGE_FINAL };
	struct wire_client_message message;
	uint64_t end_behind_mark;
	int file;

	begin();
	end_behind_mark = write_mark();
	file = connect_with_receipt();
	say(file, &(struct wire_client_message){ .kind = WIRE_CLIENT_TAIL,
						 .request = 8,
						 .u.tail = { .height = 1, .max = 10 } });
	say(file, &(struct wire_client_message){ .kind = WIRE_CLIENT_STATUS, .request = 9 });
	usleep(50 * 1000);
	atomic_store(&log_end, end_behind_mark);
	UNIT_REQUIRE(dp_ring_push(io.answers, &final, NULL, 0));
	node_wake_signal(&wake);
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_TAIL_END);
	UNIT_EQUAL(message.u.tail_end.final_height, 1);
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_STATUS_ANSWER);
	close(file);
	end();
}

static void a_question_is_not_held_for_ever(void)
{
	struct wire_client_message message;
	int file;

	begin();
	file = connect_with_receipt();
	say(file, &(struct wire_client_message){
			  .kind = WIRE_CLIENT_GET, .request = 8, .u.get = { .by_txid = true } });
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL((uint32_t)message.u.error.code, (uint32_t)ERR_NOT_FOUND);
	close(file);
	end();
}

static void a_refusal_reaches_only_the_one_who_asked(void)
{
	struct wire_client_message refusal = { .kind = WIRE_CLIENT_REFUSAL,
					       .u.refusal = { .reason = ERR_AHEAD } };
	struct dp_ring_header local = { .kind = NODE_MESSAGE_LOCAL };
	struct wire_client_message message;
	const struct dp_ring_header *header;
	struct wire_world_frame frame;
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int file[2];
	int count;

	begin();
	file[0] = connect_to(path);
	file[1] = connect_to(path);
	wire_world_frames(&place.world, 1, 1, 1, &frame);
	submit(file[1], &frame);
	(void)await(io.frames, &header);
	local.aux = header->aux;
	count = wire_client_encode(&refusal, bytes, sizeof(bytes));
	UNIT_REQUIRE(count > 0 && dp_ring_push(io.refusals, &local, bytes, (uint32_t)count));
	node_wake_signal(&wake);
	UNIT_REQUIRE(hear(file[1], &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_REFUSAL);
	UNIT_CHECK(recv(file[0], bytes, sizeof(bytes), MSG_DONTWAIT) < 0);
	close(file[0]);
	close(file[1]);
	end();
}

static void what_is_no_frame_is_left_to_the_gate_and_what_is_no_message_is_counted(void)
{
	struct wire_client_message message;
	const struct dp_ring_header *header;
	uint8_t long_submit[WIRE_CLIENT_HEAD_BYTES + LANE_FRAME_BYTES_MAX + 1] = {
		WIRE_CLIENT_SUBMIT, WIRE_CLIENT_VERSION
	};
	int file;

	begin();
	file = connect_to(path);
	say(file, &(struct wire_client_message){
			  .kind = WIRE_CLIENT_SUBMIT,
			  .u.submit = { .frame = (const uint8_t *)"nonsense", .frame_bytes = 8 } });
	(void)await(io.frames, &header);
	UNIT_EQUAL(header->bytes, 8);
	dp_ring_release(io.frames);
	UNIT_REQUIRE(send(file, long_submit, sizeof(long_submit), 0) ==
		     (ssize_t)sizeof(long_submit));
	(void)await(io.frames, &header);
	UNIT_EQUAL(header->bytes, LANE_FRAME_BYTES_MAX + 1);
	UNIT_REQUIRE(send(file, "\xff\xff", 2, 0) == 2);
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_ERROR);
	UNIT_EQUAL(ctl_word_load(&io.drops->word[NODE_INGRESS_DROP_MALFORMED]), 1);
	close(file);
	end();
}

static void a_full_ring_is_told(void)
{
	struct wire_client_message message;
	struct wire_world_frame frame;
	int file;

	begin();
	fixture_ring_fill(io.frames);
	file = connect_to(path);
	wire_world_frames(&place.world, 9, 1, 1, &frame);
	submit(file, &frame);
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_REFUSAL);
	UNIT_EQUAL((uint32_t)message.u.refusal.reason, (uint32_t)ERR_FULL);
	UNIT_EQUAL(message.u.refusal.first_seq, 9);
	close(file);
	end();
}

static void one_connection_too_many_is_turned_away_and_room_comes_back(void)
{
	struct wire_client_message message;
	const struct wire_client_message ask = { .kind = WIRE_CLIENT_STATUS, .request = 6 };
	bool is_served = false;
	int file[3];

	begin();
	for (int i = 0; i < 3; i++)
		file[i] = connect_to(path);
	UNIT_REQUIRE(hear(file[2], &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_ERROR);
	UNIT_EQUAL((uint32_t)message.u.error.code, (uint32_t)ERR_FULL);
	UNIT_EQUAL(ctl_word_load(&io.drops->word[NODE_INGRESS_DROP_CONNECTIONS_FULL]), 1);
	close(file[2]);
	close(file[0]);
	for (int i = 0; i < 1000 && !is_served; i++) {
		file[0] = connect_to(path);
		usleep(5000);
		if (atomic_load(&open_count) == 2) {
			say(file[0], &ask);
			is_served = hear(file[0], &message) &&
				    message.kind == WIRE_CLIENT_STATUS_ANSWER;
		}
		if (!is_served)
			close(file[0]);
	}
	UNIT_REQUIRE(is_served);
	UNIT_EQUAL(message.request, 6);
	UNIT_EQUAL(message.u.status.height, 77);
	close(file[0]);
	close(file[1]);
	end();
}

static void an_empty_order_has_an_end_and_no_records(void)
{
	struct wire_client_message message;
	int file;

	begin();
	file = connect_to(path);
	say(file, &(struct wire_client_message){ .kind = WIRE_CLIENT_TAIL,
						 .request = 4,
						 .u.tail = { .height = 1, .max = 10 } });
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_TAIL_END);
	UNIT_EQUAL(message.request, 4);
	say(file, &(struct wire_client_message){
			  .kind = WIRE_CLIENT_GET, .request = 5, .u.get = { .by_txid = true } });
	UNIT_REQUIRE(hear(file, &message));
	UNIT_EQUAL(message.kind, WIRE_CLIENT_ERROR);
	UNIT_EQUAL((uint32_t)message.u.error.code, (uint32_t)ERR_NOT_FOUND);
	close(file);
	end();
}

static void a_live_socket_is_busy_and_a_dead_ones_file_is_replaced(void)
{
	struct node_ingress *second = NULL;
	struct stat info;

	begin();
	UNIT_REQUIRE(stat(path, &info) == 0);
	UNIT_EQUAL(info.st_mode & 0777, 0660);
	UNIT_EQUAL((uint32_t)node_ingress_start(&io, &second, reason), (uint32_t)ERR_BUSY);
	UNIT_CHECK(strstr(reason, path) != NULL);
	UNIT_CHECK(second == NULL);
	node_ingress_stop(ingress);
	UNIT_CHECK(stat(path, &info) != 0);
	node_place_write(path, "left over", 9);
	UNIT_REQUIRE(node_ingress_start(&io, &ingress, reason) == 0);
	close(connect_to(path));
	end();
}

UNIT_SUITE("node_ingress", UNIT_TEST(a_frame_goes_to_the_gate_and_its_receipt_comes_back),
	   UNIT_TEST(a_question_waits_until_readers_see_what_its_connection_has_a_receipt_for),
	   UNIT_TEST(a_question_is_not_held_for_ever),
	   UNIT_TEST(a_refusal_reaches_only_the_one_who_asked),
	   UNIT_TEST(what_is_no_frame_is_left_to_the_gate_and_what_is_no_message_is_counted),
	   UNIT_TEST(a_full_ring_is_told),
	   UNIT_TEST(one_connection_too_many_is_turned_away_and_room_comes_back),
	   UNIT_TEST(an_empty_order_has_an_end_and_no_records),
	   UNIT_TEST(a_live_socket_is_busy_and_a_dead_ones_file_is_replaced))
