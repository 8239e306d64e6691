#define _GNU_SOURCE
#include "ctl/ctl_socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/ctl_shm.h"
#include "tests/lib/unit_main.h"

static char dir[64];
static char path[96];
static struct ctl_socket node;
static atomic_bool is_over;
static pthread_t node_thread;
static uint32_t handled;

static void handle(void *context, const struct ctl_request *request, struct ctl_reply *ret_reply)
{
	(void)context;
	handled++;
	if (request->command == CTL_COMMAND_STOP)
		ret_reply->code = ERR_BUSY;
	snprintf(ret_reply->text, sizeof(ret_reply->text), "heard %s", request->argument);
}

static void *serve(void *unused)
{
	struct pollfd ready = { .fd = ctl_socket_file(&node), .events = POLLIN };

	while (!is_over) {
		poll(&ready, 1, 20);
		ctl_socket_poll(&node, 0, handle, NULL);
	}
	return unused;
}

static void node_open(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ctl_socket_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/" CTL_SOCKET_FILE, dir);
	UNIT_REQUIRE(ctl_socket_open(dir, &node) == 0);
	handled = 0;
}

static void node_start(void)
{
	node_open();
	is_over = false;
	UNIT_REQUIRE(pthread_create(&node_thread, NULL, serve, NULL) == 0);
}

static void node_close(void)
{
	ctl_socket_close(&node, dir);
	UNIT_EQUAL(rmdir(dir), 0);
}

static void node_stop(void)
{
	is_over = true;
	pthread_join(node_thread, NULL);
	node_close();
}

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	UNIT_REQUIRE(connect(file, (struct sockaddr *)&address, sizeof(address)) == 0);
	return file;
}

static void a_request_gets_the_handlers_reply(void)
{
	struct ctl_request request = { .command = CTL_COMMAND_LOG, .id = 3, .argument = "warn" };
	struct ctl_reply reply;

	node_start();
	UNIT_REQUIRE(ctl_socket_ask(dir, &request, 5000, &reply) == 0);
	UNIT_EQUAL(reply.id, 3);
	UNIT_EQUAL(reply.code, 0);
	UNIT_CHECK(strcmp(reply.text, "heard warn") == 0);
	request.command = CTL_COMMAND_STOP;
	UNIT_REQUIRE(ctl_socket_ask(dir, &request, 5000, &reply) == 0);
	UNIT_CHECK(reply.code == ERR_BUSY);
	node_stop();
}

static void garbage_gets_an_error_and_no_handling(void)
{
	uint8_t bytes[CTL_REPLY_BYTES_MAX];
	struct ctl_reply reply = { 0 };

	node_open();
	int file = client();

	UNIT_EQUAL(send(file, "garbage", 7, 0), 7);
	ctl_socket_poll(&node, 0, handle, NULL);
	ssize_t count = recv(file, bytes, sizeof(bytes), 0);

	UNIT_REQUIRE(count > 0);
	UNIT_REQUIRE(ctl_reply_decode(bytes, (size_t)count, &reply) == 0);
	UNIT_CHECK(reply.code == ERR_FORMAT);
	UNIT_EQUAL(handled, 0);
	close(file);
	node_close();
}

static void the_silent_give_way_and_are_closed_after_a_while(void)
{
	int files[CTL_CONNECTIONS_MAX + 1];
	char byte;

	node_open();
	for (int i = 0; i <= CTL_CONNECTIONS_MAX; i++) {
		files[i] = client();
		ctl_socket_poll(&node, (uint64_t)i + 1, handle, NULL);
	}
	UNIT_EQUAL(recv(files[0], &byte, 1, 0), 0); /* the longest open made room */
	UNIT_CHECK(recv(files[1], &byte, 1, 0) < 0 && errno == EAGAIN);
	ctl_socket_poll(&node, CTL_PATIENCE_NS + 100, handle, NULL);
	for (int i = 1; i <= CTL_CONNECTIONS_MAX; i++)
		UNIT_EQUAL(recv(files[i], &byte, 1, 0), 0);
	for (int i = 0; i <= CTL_CONNECTIONS_MAX; i++)
		close(files[i]);
	node_close();
}

static void a_live_socket_is_busy_and_a_dead_one_is_replaced(void)
{
	struct ctl_socket second = { 0 };
	struct stat stat_of;

	node_open();
	UNIT_REQUIRE(stat(path, &stat_of) == 0);
	UNIT_EQUAL(stat_of.st_mode & 0777, 0600);
	UNIT_CHECK(ctl_socket_open(dir, &second) == ERR_BUSY);
	close(node.listen_file); /* as a kill -9 does: the file stays */
	close(node.epoll_file);
	UNIT_CHECK(access(path, F_OK) == 0);
	UNIT_REQUIRE(ctl_socket_open(dir, &node) == 0);
	node_close();
}

static void asking_nobody_says_so(void)
{
	struct ctl_request request = { .command = CTL_COMMAND_PING };
	struct ctl_reply reply;

	UNIT_CHECK(ctl_socket_ask("/nonexistent", &request, 100, &reply) == -ENOENT);
	node_open(); /* listens, but nobody polls: hung */
	UNIT_CHECK(ctl_socket_ask(dir, &request, 50, &reply) == ERR_TIMEOUT);
	node_close();
}

UNIT_SUITE("ctl_socket", UNIT_TEST(a_request_gets_the_handlers_reply),
	   UNIT_TEST(garbage_gets_an_error_and_no_handling),
	   UNIT_TEST(the_silent_give_way_and_are_closed_after_a_while),
	   UNIT_TEST(a_live_socket_is_busy_and_a_dead_one_is_replaced),
	   UNIT_TEST(asking_nobody_says_so))
