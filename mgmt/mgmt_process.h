/*
 * mgmt_process: other programs: started detached, known by number and start time, stopped.
 *
 * A process number alone may be reused by an innocent one. Together with the
 * time the kernel started it, it names one process for ever; nothing here
 * signals a process that does not match both.
 *
 * Errors   Negative codes of base/err.h.
 */
#ifndef QUORATE_MGMT_PROCESS_H
#define QUORATE_MGMT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/mgmt_text.h"

struct mgmt_process {
	int pid;             /* 0: none */
	uint64_t start_tick; /* /proc/PID/stat, field 22 */
};

/*
 * Starts `argv[0]` (looked up beside this program, then in PATH) in a session of its own, without
 * input, its output added to `log_path`. Returns 0; -ENOENT and the like if it cannot be executed.
 */
int mgmt_process_start(const char *const *argv, const char *log_path,
		       struct mgmt_process *ret_process);

/*
 * Runs a program to its end, for at most `timeout_ms`, and gives what it printed (both streams, the
 * first 64 KiB). Returns its exit code (128 + signal if killed), ERR_TIMEOUT, or -errno.
 */
int mgmt_process_run(const char *const *argv, int timeout_ms, struct mgmt_text *ret_output);

/* True while that very process lives; a zombie does not. */
bool mgmt_process_is_alive(const struct mgmt_process *process);

/* True when no process of that number runs any more; a zombie does not run. */
bool mgmt_process_is_gone(int pid);

/* Sends a signal. Returns 0, -ESRCH if that very process is gone, -errno. */
int mgmt_process_signal(const struct mgmt_process *process, int signal_number);

/* Waits for its end. Returns 0 or ERR_TIMEOUT. */
int mgmt_process_wait(const struct mgmt_process *process, int timeout_ms);

/* Keeps it in a file ("PID START\n") and takes it from there; ERR_FORMAT for anything else. */
int mgmt_process_save(const struct mgmt_process *process, const char *path);
int mgmt_process_load(const char *path, struct mgmt_process *ret_process);

/* Waits; here so that nobody else needs to sleep. */
void mgmt_pause_ms(int milliseconds);
uint64_t mgmt_now_ms(void);

#endif
