#define _GNU_SOURCE
#include "mgmt/mgmt_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum { MGMT_OUTPUT_BYTES_MAX = 64 * 1024, MGMT_PATH_BYTES = 4096 };

void mgmt_pause_ms(int milliseconds)
{
	struct timespec pause = { .tv_sec = milliseconds / 1000,
				  .tv_nsec = milliseconds % 1000 * 1000000L };

	while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
		;
}

uint64_t mgmt_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads state and start time; the name in between may contain anything, so look behind its ')'. */
static int mgmt_process_stat(int pid, char *ret_state, uint64_t *ret_start_tick)
{
	char path[64];
	struct mgmt_text text = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int result = mgmt_text_read_file(path, 4096, &text);

	if (result != 0)
		return result;
	const char *at = strrchr(mgmt_text_of(&text), ')');
	char state = at && at[1] ? at[2] : '\0';
	uint64_t start_tick = 0;

	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %" SCNu64, &start_tick) != 1)
		result = ERR_FORMAT;
	mgmt_text_fini(&text);
	if (result == 0) {
		*ret_state = state;
		*ret_start_tick = start_tick;
	}
	return result;
}

bool mgmt_process_is_alive(const struct mgmt_process *process)
{
	uint64_t start_tick = 0;
	char state = '\0';

	return process->pid > 0 && mgmt_process_stat(process->pid, &state, &start_tick) == 0 &&
	       start_tick == process->start_tick && state != 'Z' && state != 'X';
}

bool mgmt_process_is_gone(int pid)
{
	uint64_t start_tick = 0;
	char state = '\0';

	if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
		return true;
	/* A /proc that hides other users' processes says nothing; then it counts as running. */
	return mgmt_process_stat(pid, &state, &start_tick) == 0 && (state == 'Z' || state == 'X');
}

/* Opens a handle on the process; once open it cannot come to mean another. */
static int mgmt_process_open(const struct mgmt_process *process)
{
	if (process->pid <= 0)
		return -ESRCH;
	int file = (int)syscall(SYS_pidfd_open, process->pid, 0);

	if (file < 0)
		return -errno;
	if (!mgmt_process_is_alive(process)) {
		close(file);
		return -ESRCH;
	}
	return file;
}

int mgmt_process_signal(const struct mgmt_process *process, int signal_number)
{
	int file = mgmt_process_open(process);

	if (file < 0)
		return file;
	int result = syscall(SYS_pidfd_send_signal, file, signal_number, NULL, 0) == 0 ? 0 : -errno;

	close(file);
	return result;
}

int mgmt_process_wait(const struct mgmt_process *process, int timeout_ms)
{
	int file = mgmt_process_open(process);
	struct pollfd ended = { .fd = file, .events = POLLIN };

	if (file < 0)
		return 0;
	int count = poll(&ended, 1, timeout_ms);

	close(file);
	return count > 0 ? 0 : ERR_TIMEOUT;
}

int mgmt_process_save(const struct mgmt_process *process, const char *path)
{
	char text[64];
	int count =
		snprintf(text, sizeof(text), "%d %" PRIu64 "\n", process->pid, process->start_tick);

	return mgmt_text_write_file(path, text, (size_t)count, 0644, false);
}

int mgmt_process_load(const char *path, struct mgmt_process *ret_process)
{
	struct mgmt_text text = { 0 };
	struct mgmt_process process = { 0 };
	int result = mgmt_text_read_file(path, 64, &text);

	if (result != 0)
		return result;
	if (sscanf(mgmt_text_of(&text), "%d %" SCNu64, &process.pid, &process.start_tick) != 2 ||
	    process.pid <= 0)
		result = ERR_FORMAT;
	mgmt_text_fini(&text);
	if (result == 0)
		*ret_process = process;
	return result;
}

/* Executes a program beside our own, or the one in PATH; returns only on failure. */
static void mgmt_execute(const char *const *argv)
{
	char path[MGMT_PATH_BYTES];
	ssize_t count = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash = NULL;

	if (count > 0) {
		path[count] = '\0';
		slash = strrchr(path, '/');
	}
	if (slash && !strchr(argv[0], '/') &&
	    strlen(argv[0]) < sizeof(path) - 1 - (size_t)(slash - path)) {
		memcpy(slash + 1, argv[0], strlen(argv[0]) + 1);
		execv(path, (char *const *)(uintptr_t)argv);
	}
	execvp(argv[0], (char *const *)(uintptr_t)argv);
}

/* The child's half of a start: only async-signal-safe calls; tells its failure through `report`. */
_Noreturn static void mgmt_become(const char *const *argv, int output, int report)
{
	int input = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (input >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
	    dup2(output, STDERR_FILENO) >= 0)
		mgmt_execute(argv);

	int failure = errno;

	(void)!write(report, &failure, sizeof(failure));
	_exit(127);
}

/* Forks and executes; returns the process number once the program runs, or -errno. */
static int mgmt_spawn(const char *const *argv, int output)
{
	int report[2];
	int failure = 0;

	if (pipe2(report, O_CLOEXEC) != 0)
		return -errno;
	pid_t pid = fork();

	if (pid == 0)
		mgmt_become(argv, output, report[1]);
	if (pid < 0)
		failure = errno;
	close(report[1]);
	if (pid > 0 && read(report[0], &failure, sizeof(failure)) != sizeof(failure))
		failure = 0;
	close(report[0]);
	if (failure != 0 && pid > 0)
		waitpid(pid, NULL, 0);
	return failure != 0 ? -failure : (int)pid;
}

int mgmt_process_start(const char *const *argv, const char *log_path,
		       struct mgmt_process *ret_process)
{
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	char state = '\0';

	if (log < 0)
		return -errno;
	struct mgmt_process process = { .pid = mgmt_spawn(argv, log) };

	close(log);
	if (process.pid < 0)
		return process.pid;
	int result = mgmt_process_stat(process.pid, &state, &process.start_tick);

	if (result == 0)
		*ret_process = process;
	return result;
}

/* Collects output until its end or the deadline. */
static int mgmt_collect(int file, uint64_t deadline_ms, struct mgmt_text *ret_output)
{
	char bytes[1024];
	struct pollfd ready = { .fd = file, .events = POLLIN };

	for (;;) {
		uint64_t now_ms = mgmt_now_ms();

		if (now_ms >= deadline_ms || poll(&ready, 1, (int)(deadline_ms - now_ms)) == 0)
			return ERR_TIMEOUT;
		ssize_t count = read(file, bytes, sizeof(bytes));

		if (count == 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0 && ret_output->count < MGMT_OUTPUT_BYTES_MAX)
			mgmt_text_put(ret_output, bytes, (size_t)count);
	}
}

int mgmt_process_run(const char *const *argv, int timeout_ms, struct mgmt_text *ret_output)
{
	int output[2];
	int status = 0;

	if (pipe2(output, O_CLOEXEC) != 0)
		return -errno;
	int pid = mgmt_spawn(argv, output[1]);

	close(output[1]);
	if (pid < 0) {
		close(output[0]);
		return pid;
	}
	int result = mgmt_collect(output[0], mgmt_now_ms() + (uint64_t)timeout_ms, ret_output);

	close(output[0]);
	if (result != 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (result != 0)
		return result;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
