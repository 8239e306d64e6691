/*
 * dp_env_report: the one line that says why the environment or a port did not start.
 */
#ifndef QUORATE_DATAPLANE_DP_ENV_REPORT_H
#define QUORATE_DATAPLANE_DP_ENV_REPORT_H

/* Keeps the line for dp_env_error() and returns `code`. */
int dp_env_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
