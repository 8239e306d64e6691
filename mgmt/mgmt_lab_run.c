#define _GNU_SOURCE
#include "mgmt/mgmt_lab.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"

enum {
	MGMT_STOP_PATIENCE_MS = 10000,
	MGMT_WAIT_STEP_MS = 50,
	MGMT_PROGRESS_MS = 1000,
	MGMT_LOG_BYTES_MAX = 8 << 20,
};

static const char *const mgmt_program_names[] = { "quorated", "quorate-mgmtd" };
static const char *const mgmt_pid_files[] = { "quorated.pid", "mgmtd.pid" };
static const char *const mgmt_log_files[] = { "quorated.log", "mgmtd.log" };

struct mgmt_process mgmt_lab_process(const struct mgmt_lab *lab, uint32_t id,
				     enum mgmt_lab_program program)
{
	struct mgmt_process process = { 0 };

	if (mgmt_process_load(mgmt_lab_node_path(lab, id, mgmt_pid_files[program]).text,
			      &process) != 0 ||
	    !mgmt_process_is_alive(&process))
		process = (struct mgmt_process){ 0 };
	return process;
}

enum mgmt_exit mgmt_lab_start(const struct mgmt_cli *cli, const struct mgmt_lab *lab, uint32_t id,
			      enum mgmt_lab_program program)
{
	const struct mgmt_path config = mgmt_lab_node_path(lab, id, "node.conf");
	const struct mgmt_path run_dir = mgmt_lab_node_path(lab, id, "run");
	const struct mgmt_path log = mgmt_lab_node_path(lab, id, mgmt_log_files[program]);
	char listen[32];
	const char *const node_argv[] = { "quorated", "--config", config.text, NULL };
	const char *const mgmtd_argv[] = { "quorate-mgmtd", "--run-dir", run_dir.text,
					   "--listen",      listen,      NULL };
	struct mgmt_process process = mgmt_lab_process(lab, id, program);

	if (process.pid != 0)
		return MGMT_EXIT_OK;
	snprintf(listen, sizeof(listen), "127.0.0.1:%" PRIu32, lab->http_port + id);
	int result = mgmt_process_start(program == MGMT_LAB_QUORATED ? node_argv : mgmtd_argv,
					log.text, &process);

	if (result == 0)
		result = mgmt_process_save(
			&process, mgmt_lab_node_path(lab, id, mgmt_pid_files[program]).text);
	if (result == 0)
		return MGMT_EXIT_OK;
	mgmt_process_signal(&process, SIGKILL);
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED,
			     "install it beside quorate, or into PATH, and see free memory",
			     "cannot start %s: %s", mgmt_program_names[program], err_text(result));
}

/* Waits for the end of all of them, with one patience for the lot; kills the rest. */
static uint32_t mgmt_lab_reap(const struct mgmt_process *processes, uint32_t count)
{
	uint64_t deadline_ms = mgmt_now_ms() + MGMT_STOP_PATIENCE_MS;
	uint32_t killed = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t now_ms = mgmt_now_ms();
		int left_ms = now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;

		if (mgmt_process_wait(&processes[i], left_ms) == 0)
			continue;
		mgmt_process_signal(&processes[i], SIGKILL);
		mgmt_process_wait(&processes[i], MGMT_STOP_PATIENCE_MS);
		killed++;
	}
	return killed;
}

uint32_t mgmt_lab_stop(const struct mgmt_lab *lab)
{
	struct mgmt_process processes[2 * MGMT_LAB_NODES_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < lab->node_count; i++) {
		processes[count++] = mgmt_lab_process(lab, i, MGMT_LAB_MGMTD);
		processes[count++] = mgmt_lab_process(lab, i, MGMT_LAB_QUORATED);
	}
	for (uint32_t i = 0; i < count; i++)
		mgmt_process_signal(&processes[i], SIGTERM);
	count = mgmt_lab_reap(processes, count);
	for (uint32_t i = 0; i < lab->node_count; i++)
		for (int j = MGMT_LAB_QUORATED; j <= MGMT_LAB_MGMTD; j++)
			unlink(mgmt_lab_node_path(lab, i, mgmt_pid_files[j]).text);
	return count;
}

/* What one node waits for; "" when it orders. */
static void mgmt_lab_obstacle(const struct mgmt_lab *lab, struct mgmt_view *view, uint32_t id,
			      struct mgmt_text *ret_text)
{
	int pid = mgmt_lab_process(lab, id, MGMT_LAB_QUORATED).pid;

	if (pid == 0) {
		mgmt_text_string(ret_text, "its process ended");
		return;
	}
	mgmt_view_refresh(view);
	/* Until the new process has its own page, the old one's tells of the past. */
	if (!view->shm.page || view->shm.page->header.pid != (uint32_t)pid)
		mgmt_text_string(ret_text, "starting");
	else if (mgmt_view_is_ready(view, ret_text) && view->status.committed_height == 0)
		mgmt_text_string(ret_text, "nothing is ordered yet");
}

/* Gives the last line of the node's log: its own words for why it does not run. */
static void mgmt_lab_last_words(const struct mgmt_lab *lab, uint32_t id, struct mgmt_text *ret_text)
{
	struct mgmt_text log = { 0 };

	if (mgmt_text_read_file(mgmt_lab_node_path(lab, id, "quorated.log").text,
				MGMT_LOG_BYTES_MAX, &log) != 0)
		return;
	while (log.count > 0 && log.bytes[log.count - 1] == '\n')
		log.bytes[--log.count] = '\0';
	const char *line = log.count ? strrchr(log.bytes, '\n') : NULL;

	mgmt_text_print(ret_text, "%.400s", line ? line + 1 : mgmt_text_of(&log));
	mgmt_text_fini(&log);
}

static enum mgmt_exit mgmt_lab_give_up(const struct mgmt_cli *cli, const struct mgmt_lab *lab,
				       uint32_t id, const struct mgmt_text *obstacle, bool is_dead)
{
	struct mgmt_text words = { 0 };

	mgmt_lab_last_words(lab, id, &words);
	enum mgmt_exit code = mgmt_cli_fail(cli, is_dead ? MGMT_EXIT_FAILED : MGMT_EXIT_TIMEOUT,
					    "its log says why; `quorate lab down` clears the lab",
					    "n%" PRIu32 ": %s (%s): %s", id, mgmt_text_of(obstacle),
					    mgmt_lab_node_path(lab, id, "quorated.log").text,
					    mgmt_text_of(&words));

	mgmt_text_fini(&words);
	return code;
}

static void mgmt_lab_progress(uint64_t started_ms, uint64_t *next_ms, uint32_t id,
			      const struct mgmt_text *obstacle)
{
	if (mgmt_now_ms() < *next_ms)
		return;
	*next_ms = mgmt_now_ms() + MGMT_PROGRESS_MS;
	fprintf(stderr, "  %5.1f s  waiting for n%" PRIu32 ": %s\n",
		(double)(mgmt_now_ms() - started_ms) / 1000.0, id, mgmt_text_of(obstacle));
}

/* Waits for one node; `next_ms` is when the next progress line is due. */
static enum mgmt_exit mgmt_lab_wait_one(const struct mgmt_cli *cli, const struct mgmt_lab *lab,
					uint32_t id, uint64_t started_ms, uint64_t timeout_s,
					uint64_t *next_ms)
{
	static struct mgmt_view view;
	struct mgmt_text obstacle = { 0 };
	enum mgmt_exit code = MGMT_EXIT_OK;

	mgmt_view_init(&view, mgmt_lab_node_path(lab, id, "run").text);
	for (;;) {
		mgmt_text_clear(&obstacle);
		mgmt_lab_obstacle(lab, &view, id, &obstacle);
		if (obstacle.count == 0)
			break;

		bool is_dead = mgmt_lab_process(lab, id, MGMT_LAB_QUORATED).pid == 0;

		if (is_dead || mgmt_now_ms() - started_ms > timeout_s * 1000) {
			code = mgmt_lab_give_up(cli, lab, id, &obstacle, is_dead);
			break;
		}
		mgmt_lab_progress(started_ms, next_ms, id, &obstacle);
		mgmt_pause_ms(MGMT_WAIT_STEP_MS);
	}
	mgmt_view_fini(&view);
	mgmt_text_fini(&obstacle);
	return code;
}

enum mgmt_exit mgmt_lab_wait(const struct mgmt_cli *cli, const struct mgmt_lab *lab, uint32_t nodes,
			     uint64_t timeout_s)
{
	uint64_t started_ms = mgmt_now_ms();
	uint64_t next_ms = started_ms + MGMT_PROGRESS_MS;
	enum mgmt_exit code = MGMT_EXIT_OK;

	for (uint32_t i = 0; i < lab->node_count && code == MGMT_EXIT_OK; i++)
		if (nodes >> i & 1)
			code = mgmt_lab_wait_one(cli, lab, i, started_ms, timeout_s, &next_ms);
	return code;
}
