/*
 * node_node: a whole node of a chain of one, opened, used, stopped and opened again.
 * Its pieces work together here: node_open_page.c, node_open_store.c, node_open_ports.c,
 * node_open_tiles.c, node_open_ingress.c, node_tile_replica.c, node_ingress.c, and for tail
 * and get node_reader.c and node_reader_find.c.
 */
#define _GNU_SOURCE
#include "node/node_node.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/node/node_place.h"

enum { PATIENCE_MS = 8000, STEP_MS = 20 };

static struct node_place place;
static struct node_config config;
static struct node node;
static struct wire_world_frame frame[1];
static struct wire_client_message message;
static uint8_t bytes[WIRE_CLIENT_BYTES_MAX + 1];
static int program = -1;
static pid_t child;

/* The node has a process of its own: DPDK starts once a process. */
static void start_node(void)
{
	fflush(NULL);
	child = fork();
	UNIT_REQUIRE(child >= 0);
	if (child == 0) {
		int code = node_open(&node, &config);

		alarm(PATIENCE_MS * 2 / 1000);
		code = code < 0 ? code : node_run(&node);
		if (code < 0)
			fprintf(stderr, "    node: %d %s\n", code, node.reason);
		node_close(&node);
		_exit(code < 0 ? 1 : 0);
	}
}

static void connect_program(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int code = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/ingress", place.dir);
	program = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	for (int ms = 0; code < 0 && ms < PATIENCE_MS; ms += STEP_MS) {
		code = connect(program, (struct sockaddr *)&address, sizeof(address));
		if (code < 0)
			usleep(STEP_MS * 1000);
	}
	UNIT_REQUIRE(code == 0);
}

static void say(struct wire_client_message *what)
{
	int count = wire_client_encode(what, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0 && send(program, bytes, (size_t)count, 0) == count);
}

/* The next message of this kind; others are passed over. */
static bool hear(enum wire_client_kind kind)
{
	struct pollfd event = { .fd = program, .events = POLLIN };

	while (poll(&event, 1, PATIENCE_MS) == 1) {
		ssize_t count = recv(program, bytes, sizeof(bytes), 0);

		if (count <= 0 || wire_client_decode(bytes, (size_t)count, &message) < 0)
			return false;
		if (message.kind == kind)
			return true;
	}
	return false;
}

static void stop_node(void)
{
	struct ctl_request request = { .command = CTL_COMMAND_STOP };
	struct ctl_reply reply = { .code = -1 };
	int status = -1;

	close(program);
	UNIT_EQUAL(ctl_socket_ask(config.run_dir, &request, 5000, &reply), 0);
	UNIT_EQUAL(reply.code, 0);
	UNIT_CHECK(waitpid(child, &status, 0) == child);
	UNIT_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	UNIT_CHECK(access(config.ingress_socket, F_OK) != 0);
}

static void submit_frame(void)
{
	struct wire_client_message submit = { .kind = WIRE_CLIENT_SUBMIT };

	submit.u.submit.frame = frame[0].bytes;
	submit.u.submit.frame_bytes = frame[0].count;
	say(&submit);
}

static void expect_receipt(void)
{
	UNIT_REQUIRE(hear(WIRE_CLIENT_RECEIPT));
	UNIT_EQUAL(message.u.receipt.first_seq, 1);
	UNIT_EQUAL(message.u.receipt.count, 3);
	UNIT_EQUAL(message.u.receipt.ordered_map[0], 7);
}

/* The three transactions of the frame, in their order, and nothing else. */
static void read_order(void)
{
	struct wire_client_message tail = { .kind = WIRE_CLIENT_TAIL, .request = 5 };
	struct wire_client_message get = { .kind = WIRE_CLIENT_GET, .request = 6 };

	tail.u.tail.follows = true; /* a record is visible a moment after its receipt */
	tail.u.tail.max = 3;
	say(&tail);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		UNIT_REQUIRE(hear(WIRE_CLIENT_RECORD));
		UNIT_EQUAL(message.u.record.seq, seq);
		UNIT_EQUAL(message.request, 5);
	}
	get.u.get.by_txid = true;
	get.u.get.txid = message.u.record.txid;
	UNIT_REQUIRE(hear(WIRE_CLIENT_TAIL_END));
	say(&get);
	UNIT_REQUIRE(hear(WIRE_CLIENT_RECORD));
	UNIT_EQUAL(message.u.record.seq, 3);
}

static void an_ordered_frame_is_there_after_a_stop_and_a_start(void)
{
	node_place_make(&place);
	node_place_format(&place.world, 0, place.data_dir);
	node_place_config(&place, &config);
	wire_world_frames(&place.world, 1, 1, 3, frame);
	start_node();
	connect_program();
	submit_frame();
	expect_receipt();
	read_order();
	stop_node();
	start_node();
	connect_program();
	read_order();
	submit_frame(); /* sent again: it counted before the restart */
	expect_receipt();
	read_order();
	stop_node();
	fixture_directory_end(place.dir);
}

/* ---- what cannot be opened ---- */

static uint32_t open_files(void)
{
	uint32_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* One line that says `text`, and every descriptor closed again. */
static void refused(int expected, const char *text)
{
	uint32_t before = open_files();
	int code;

	memset(&node, 0, sizeof(node));
	code = node_open(&node, &config);
	UNIT_CHECK(code == expected);
	UNIT_CHECK(strstr(node.reason, text) && !strchr(node.reason, '\n'));
	node_close(&node);
	UNIT_EQUAL(open_files(), before);
}

static void a_missing_store_is_refused(void)
{
	node_place_make(&place);
	node_place_config(&place, &config);
	refused(ERR_NOT_FOUND, "make it with quorate init");
	fixture_directory_end(place.dir);
}

static void the_store_of_another_member_is_refused(void)
{
	node_place_make(&place);
	node_place_format(&place.world, 3, place.data_dir);
	node_place_config(&place, &config);
	refused(ERR_FOREIGN, "belongs to another chain or node");
	fixture_directory_end(place.dir);
}

static void a_store_in_use_is_refused(void)
{
	struct blocklog_dev_file_options options = { .directory = place.data_dir,
						     .allow_buffered = true };
	char reason[BLOCKLOG_REASON_BYTES * 2];
	struct blocklog_dev *dev;

	node_place_make(&place);
	node_place_format(&place.world, 0, place.data_dir);
	node_place_config(&place, &config);
	UNIT_REQUIRE(blocklog_dev_file_open(&options, &dev, reason, sizeof(reason)) == 0);
	refused(ERR_BUSY, place.data_dir);
	blocklog_dev_file_close(dev);
	fixture_directory_end(place.dir);
}

static void a_run_directory_in_use_is_refused(void)
{
	struct ctl_socket other;

	node_place_make(&place);
	node_place_config(&place, &config);
	UNIT_REQUIRE(mkdir(config.run_dir, 0700) == 0);
	UNIT_REQUIRE(ctl_socket_open(config.run_dir, &other) == 0);
	refused(ERR_BUSY, "another node runs there");
	ctl_socket_close(&other, config.run_dir);
	fixture_directory_end(place.dir);
}

static void a_genesis_that_is_none_is_refused(void)
{
	node_place_make(&place);
	node_place_config(&place, &config);
	node_place_write(place.genesis, "{ \"name\": 1 }", 13);
	refused(ERR_FORMAT, place.genesis);
	fixture_directory_end(place.dir);
}

UNIT_SUITE("node_node", UNIT_TEST(an_ordered_frame_is_there_after_a_stop_and_a_start),
	   UNIT_TEST(a_missing_store_is_refused), UNIT_TEST(the_store_of_another_member_is_refused),
	   UNIT_TEST(a_store_in_use_is_refused), UNIT_TEST(a_run_directory_in_use_is_refused),
	   UNIT_TEST(a_genesis_that_is_none_is_refused))
