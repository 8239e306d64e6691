/*
 * ensure: assertions that stay on in production.
 *
 * ensure(condition) aborts the process when our own code broke a promise. It
 * is never used for what a peer, a client, a disk or an operator did. A node
 * that stops is safe; one that guesses is not.
 */
#ifndef QUORATE_BASE_ENSURE_H
#define QUORATE_BASE_ENSURE_H

#define ensure(condition) ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))

/* Writes file, line and condition to standard error and aborts. Async-signal-safe. */
_Noreturn void ensure_failed(const char *condition, const char *file, int line);

#endif
