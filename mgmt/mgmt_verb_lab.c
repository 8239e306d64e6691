#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_lab.h"

enum {
	MGMT_LAB_TIMEOUT_S = 60,
	MGMT_TIMEOUT_S_MAX = 86400,
	MGMT_HTTP_PORT = 8480,
	MGMT_HTTP_PORT_MAX = 65000,
};

static bool mgmt_port_is_free(uint32_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons((uint16_t)port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int on = 1;
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (file < 0)
		return false;
	setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

	bool is_free = bind(file, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
		       listen(file, 1) == 0;

	close(file);
	return is_free;
}

/* The first run of free ports at or above `port`, one a node; 0: none. */
static uint32_t mgmt_free_ports(uint32_t port, uint32_t count)
{
	uint32_t found = 0;

	for (; port <= UINT16_MAX && found < count; port++)
		found = mgmt_port_is_free(port) ? found + 1 : 0;
	return found == count ? port - count : 0;
}

/* Fills in what a new lab consists of, from the options. */
static enum mgmt_exit mgmt_lab_plan(const struct mgmt_cli *cli, struct mgmt_lab *lab)
{
	uint64_t nodes = 0;
	uint64_t http_port = 0;

	if (!mgmt_cli_number(cli, MGMT_OPTION_NODES, 4, MGMT_LAB_NODES_MAX, &nodes) ||
	    !mgmt_cli_number(cli, MGMT_OPTION_HTTP_PORT, MGMT_HTTP_PORT, MGMT_HTTP_PORT_MAX,
			     &http_port))
		return MGMT_EXIT_USAGE;
	if (nodes != 1 && nodes != 4 && nodes != 7)
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "choose 1, 4 or 7",
				     "--nodes: %" PRIu64 " is not 3f + 1", nodes);
	lab->node_count = (uint32_t)nodes;
	lab->http_port = mgmt_free_ports((uint32_t)http_port, lab->node_count);
	if (lab->http_port == 0 || http_port == 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "choose other ports with --http-port",
				     "no %" PRIu32 " free ports from %" PRIu64 " on",
				     lab->node_count, http_port);
	return MGMT_EXIT_OK;
}

static enum mgmt_exit mgmt_lab_start_all(const struct mgmt_cli *cli, const struct mgmt_lab *lab)
{
	enum mgmt_exit code = MGMT_EXIT_OK;

	for (uint32_t i = 0; i < lab->node_count && code == MGMT_EXIT_OK; i++)
		code = mgmt_lab_start(cli, lab, i, MGMT_LAB_QUORATED);
	for (uint32_t i = 0; i < lab->node_count && code == MGMT_EXIT_OK; i++)
		code = mgmt_lab_start(cli, lab, i, MGMT_LAB_MGMTD);
	return code;
}

static void mgmt_lab_say_ready(const struct mgmt_cli *cli, const struct mgmt_lab *lab,
			       uint64_t took_ms)
{
	uint32_t faulty = (lab->node_count - 1) / 3;

	if (cli->is_json) {
		printf("{\"dir\":\"%s\",\"nodes\":%" PRIu32 ",\"http_port\":%" PRIu32
		       ",\"took_ms\":%" PRIu64 "}\n",
		       lab->dir, lab->node_count, lab->http_port, took_ms);
		return;
	}
	printf("lab ready in %.1f s: %" PRIu32 " node%s, %s%" PRIu32 "%s, memif ports, data in %s\n"
	       "  submit   quorate lab submit \"hello\"    watch    quorate lab status\n"
	       "  break    quorate lab kill %" PRIu32
	       "            browse   http://127.0.0.1:%" PRIu32 "/\n"
	       "note: this mode shows behaviour, not speed.\n",
	       (double)took_ms / 1000.0, lab->node_count, lab->node_count == 1 ? "" : "s",
	       faulty ? "tolerates " : "development only, tolerates ", faulty,
	       faulty ? " Byzantine" : "", lab->dir, lab->node_count > 1 ? 2 : 0, lab->http_port);
}

/* The directory exists and is locked: make what is missing, start, wait. */
static enum mgmt_exit mgmt_lab_bring_up(const struct mgmt_cli *cli, struct mgmt_lab *lab,
					uint64_t timeout_s)
{
	uint64_t started_ms = mgmt_now_ms();
	enum mgmt_exit code = MGMT_EXIT_OK;

	if (!mgmt_lab_load(lab)) {
		code = mgmt_lab_plan(cli, lab);
		if (code == MGMT_EXIT_OK)
			fprintf(stderr, "making %" PRIu32 " nodes: keys, genesis, stores\n",
				lab->node_count);
		if (code == MGMT_EXIT_OK)
			code = mgmt_lab_make(cli, lab);
		if (code != MGMT_EXIT_OK) {
			rmdir(lab->dir); /* stays if it holds anything */
			return code;
		}
	}
	code = mgmt_lab_start_all(cli, lab);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_wait(cli, lab, (1U << lab->node_count) - 1, timeout_s);
	if (code != MGMT_EXIT_OK) {
		mgmt_lab_stop(lab);
		return code;
	}
	mgmt_lab_say_ready(cli, lab, mgmt_now_ms() - started_ms);
	return MGMT_EXIT_OK;
}

enum mgmt_exit mgmt_verb_lab_up(const struct mgmt_cli *cli)
{
	struct mgmt_lab lab;
	uint64_t timeout_s = 0;

	if (!mgmt_cli_number(cli, MGMT_OPTION_TIMEOUT, MGMT_LAB_TIMEOUT_S, MGMT_TIMEOUT_S_MAX,
			     &timeout_s))
		return MGMT_EXIT_USAGE;
	enum mgmt_exit code = mgmt_lab_name(cli, &lab);

	if (code != MGMT_EXIT_OK)
		return code;
	if (mkdir(lab.dir, 0755) != 0 && errno != EEXIST)
		return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check path and permission", "%s: %s",
				     lab.dir, err_text(-errno));
	code = mgmt_lab_lock(cli, &lab);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_bring_up(cli, &lab, timeout_s);
	mgmt_lab_close(&lab);
	return code;
}

enum mgmt_exit mgmt_verb_lab_down(const struct mgmt_cli *cli)
{
	bool keeps_data = mgmt_cli_has(cli, MGMT_OPTION_KEEP_DATA);
	struct mgmt_lab lab;
	enum mgmt_exit code = mgmt_lab_name(cli, &lab);
	uint32_t killed;

	if (code != MGMT_EXIT_OK)
		return code;
	if (!mgmt_lab_load(&lab)) {
		printf(cli->is_json ? "{\"nodes\":0,\"killed\":0}\n" : "no lab in %s\n", lab.dir);
		return MGMT_EXIT_OK;
	}
	code = mgmt_lab_lock(cli, &lab);
	if (code != MGMT_EXIT_OK)
		return code;
	killed = mgmt_lab_stop(&lab);
	if (!keeps_data)
		code = mgmt_lab_remove(cli, &lab);
	mgmt_lab_close(&lab);
	if (code != MGMT_EXIT_OK)
		return code;
	if (cli->is_json)
		printf("{\"nodes\":%" PRIu32 ",\"killed\":%" PRIu32 "}\n", lab.node_count, killed);
	else
		printf("lab down: %" PRIu32 " nodes stopped%s\n", lab.node_count,
		       keeps_data ? ", data kept; `quorate lab up` goes on" : ", nothing left");
	if (killed > 0)
		fprintf(stderr, "%" PRIu32 " programs did not stop in time and were killed\n",
			killed);
	return MGMT_EXIT_OK;
}

/* Opens the lab and takes the node's number from the first argument. */
static enum mgmt_exit mgmt_lab_and_node(const struct mgmt_cli *cli, struct mgmt_lab *ret_lab,
					uint32_t *ret_id)
{
	const char *text = cli->argument[0];
	uint64_t id = 0;
	enum mgmt_exit code = mgmt_lab_open(cli, ret_lab);

	if (code != MGMT_EXIT_OK)
		return code;
	if (mgmt_number_of(text[0] == 'n' ? text + 1 : text, ret_lab->node_count - 1, &id)) {
		*ret_id = (uint32_t)id;
		return MGMT_EXIT_OK;
	}
	mgmt_lab_close(ret_lab);
	return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "see quorate lab status",
			     "'%s' is not a node from 0 to %" PRIu32, text,
			     ret_lab->node_count - 1);
}

enum mgmt_exit mgmt_verb_lab_kill(const struct mgmt_cli *cli)
{
	struct mgmt_lab lab;
	uint32_t id = 0;
	enum mgmt_exit code = mgmt_lab_and_node(cli, &lab, &id);

	if (code != MGMT_EXIT_OK)
		return code;
	struct mgmt_process process = mgmt_lab_process(&lab, id, MGMT_LAB_QUORATED);
	bool was_alive = process.pid != 0;

	if (was_alive && mgmt_process_signal(&process, SIGKILL) == 0)
		mgmt_process_wait(&process, 5000);
	mgmt_lab_close(&lab);
	if (cli->is_json)
		printf("{\"node\":%" PRIu32 ",\"was_alive\":%s}\n", id,
		       was_alive ? "true" : "false");
	else
		printf("n%" PRIu32 " %s\n", id,
		       was_alive ? "killed; `quorate lab start` brings it back" :
				   "was not running");
	return MGMT_EXIT_OK;
}

enum mgmt_exit mgmt_verb_lab_start(const struct mgmt_cli *cli)
{
	uint64_t started_ms = mgmt_now_ms();
	uint64_t timeout_s = 0;
	struct mgmt_lab lab;
	uint32_t id = 0;

	if (!mgmt_cli_number(cli, MGMT_OPTION_TIMEOUT, MGMT_LAB_TIMEOUT_S, MGMT_TIMEOUT_S_MAX,
			     &timeout_s))
		return MGMT_EXIT_USAGE;
	enum mgmt_exit code = mgmt_lab_and_node(cli, &lab, &id);

	if (code != MGMT_EXIT_OK)
		return code;
	code = mgmt_lab_start(cli, &lab, id, MGMT_LAB_QUORATED);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_start(cli, &lab, id, MGMT_LAB_MGMTD);
	if (code == MGMT_EXIT_OK)
		code = mgmt_lab_wait(cli, &lab, 1U << id, timeout_s);
	mgmt_lab_close(&lab);
	if (code != MGMT_EXIT_OK)
		return code;
	if (cli->is_json)
		printf("{\"node\":%" PRIu32 ",\"took_ms\":%" PRIu64 "}\n", id,
		       mgmt_now_ms() - started_ms);
	else
		printf("n%" PRIu32 " takes part again after %.1f s\n", id,
		       (double)(mgmt_now_ms() - started_ms) / 1000.0);
	return MGMT_EXIT_OK;
}
