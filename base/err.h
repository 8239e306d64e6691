/*
 * err: every error code of Quorate, once.
 *
 * A function that can fail returns 0 (or a count) on success and a negative
 * code on failure. Failures of the operating system keep their -errno; ours
 * start at -1000 and are listed in err.def with a name and one line of text.
 * A lying peer is not an error: its message is dropped and counted.
 */
#ifndef QUORATE_BASE_ERR_H
#define QUORATE_BASE_ERR_H

enum err_code {
#define ERR(name, value, text) ERR_##name = (value),
#include "base/err.def"
#undef ERR
};

/* Returns the short name of `code` ("FORMAT"), or errno's name, or "UNKNOWN". Never NULL. */
const char *err_name(int code);

/* Returns one line of text for `code`, errno codes included. Never NULL; not thread-local. */
const char *err_text(int code);

#endif
