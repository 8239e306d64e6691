/* node_tile_control: who asks on the control socket is answered, and the node goes on. */
#define _GNU_SOURCE
#include "node/node_tile_control.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/node/node_fixture.h"

enum { ROUNDS_MAX = 500, WAIT_MS = 10 };

static char run_dir[64];
static struct ctl_socket control;
static struct ctl_block metrics;
static atomic_bool stop;
static uint64_t tile[1024 / 8];

struct question {
	struct ctl_request request;
	struct ctl_reply reply;
	int code;
	atomic_bool is_done;
};

static void *ask(void *context)
{
	struct question *question = context;

	question->code = ctl_socket_ask(run_dir, &question->request, 5000, &question->reply);
	atomic_store(&question->is_done, true);
	return NULL;
}

/* Asks from another thread while the tile does its housekeeping here. */
static void answer(struct question *question)
{
	struct node_control_setup setup = {
		.socket = &control, .stop = &stop, .version = "quorated 9.9", .metrics = &metrics
	};
	int fds[DP_TILE_FDS_MAX];
	pthread_t thread;

	fixture_directory(run_dir);
	atomic_store(&stop, false);
	UNIT_REQUIRE(ctl_socket_open(run_dir, &control) == 0);
	UNIT_REQUIRE(node_tile_control.footprint(&setup) <= sizeof(tile));
	UNIT_REQUIRE(node_tile_control.setup(tile, &setup) == 0);
	UNIT_REQUIRE(node_tile_control.wait_fds(tile, fds) == 1);
	UNIT_REQUIRE(pthread_create(&thread, NULL, ask, question) == 0);
	for (int i = 0; i < ROUNDS_MAX && !atomic_load(&question->is_done); i++) {
		struct pollfd event = { .fd = fds[0], .events = POLLIN };

		poll(&event, 1, WAIT_MS);
		node_tile_control.on_housekeeping(tile, 1000 + (uint64_t)i);
		UNIT_EQUAL(node_tile_control.on_turn(tile, 1), 0);
	}
	pthread_join(thread, NULL);
	ctl_socket_close(&control, run_dir);
	fixture_directory_end(run_dir);
	UNIT_EQUAL(question->code, 0);
	UNIT_CHECK(metrics.heartbeat_ns >= 1000);
}

static void ping_is_answered_with_the_version(void)
{
	struct question question = { .request = { .command = CTL_COMMAND_PING, .id = 3 } };

	answer(&question);
	UNIT_EQUAL(question.reply.code, 0);
	UNIT_EQUAL(question.reply.id, 3);
	UNIT_CHECK(strcmp(question.reply.text, "quorated 9.9") == 0);
	UNIT_CHECK(!atomic_load(&stop));
}

static void stop_is_answered_and_obeyed(void)
{
	struct question question = { .request = { .command = CTL_COMMAND_STOP } };

	answer(&question);
	UNIT_EQUAL(question.reply.code, 0);
	UNIT_CHECK(strcmp(question.reply.text, "stopping") == 0);
	UNIT_CHECK(atomic_load(&stop));
}

static void every_other_command_gets_a_reply_and_no_effect(void)
{
	for (uint32_t i = 0; i < ctl_command_count(); i++) {
		struct question question = { 0 };

		question.request.command = (uint16_t)ctl_command_at(i)->command;
		if (question.request.command == CTL_COMMAND_PING ||
		    question.request.command == CTL_COMMAND_STOP)
			continue;
		answer(&question);
		UNIT_CHECK(question.reply.code == ERR_UNSUPPORTED);
		UNIT_CHECK(!atomic_load(&stop));
	}
}

UNIT_SUITE("node_tile_control", UNIT_TEST(ping_is_answered_with_the_version),
	   UNIT_TEST(stop_is_answered_and_obeyed),
	   UNIT_TEST(every_other_command_gets_a_reply_and_no_effect))
