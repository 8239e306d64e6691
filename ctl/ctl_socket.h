/*
 * ctl_socket: the node's end, and an asker's end, of the control socket.
 *
 * The node opens `run_dir`/control and polls it in its housekeeping; nothing
 * here ever waits. Whoever connects must run as the same user as the node, or
 * as root; others are turned away. A connection is for one request. At most
 * CTL_CONNECTIONS_MAX are open at once, one that says nothing for
 * CTL_PATIENCE_NS is closed.
 *
 * Threads  One owner each.
 * Errors   Negative codes of base/err.h.
 */
#ifndef QUORATE_CTL_SOCKET_H
#define QUORATE_CTL_SOCKET_H

#include <stdint.h>

#include "ctl/ctl_message.h"

enum { CTL_CONNECTIONS_MAX = 4 };

#define CTL_PATIENCE_NS UINT64_C(2000000000)

struct ctl_connection {
	int file; /* -1: free */
	uint64_t opened_ns;
};

struct ctl_socket {
	int listen_file;
	int epoll_file;
	struct ctl_connection connection[CTL_CONNECTIONS_MAX];
};

/* Carries out `request`, fills `ret_reply` (code and text only). Must not wait. */
typedef void ctl_handler(void *context, const struct ctl_request *request,
			 struct ctl_reply *ret_reply);

/*
 * Opens `run_dir`/control (mode 0600). A socket file of a dead node is replaced. Returns 0;
 * ERR_BUSY if a live process listens there; ERR_OVERSIZE if the path is too long; -errno.
 */
int ctl_socket_open(const char *run_dir, struct ctl_socket *ret_socket);

/* Closes; removes the socket file. Accepts a socket that was never opened (all zero). */
void ctl_socket_close(struct ctl_socket *socket, const char *run_dir);

/* Returns a file that polls readable when ctl_socket_poll() has work; add it to your own epoll. */
int ctl_socket_file(const struct ctl_socket *socket);

/* Accepts, answers and closes what there is, each request through `handler`; never waits. */
void ctl_socket_poll(struct ctl_socket *socket, uint64_t now_ns, ctl_handler *handler,
		     void *context);

/*
 * Asks the node of `run_dir` and waits at most `timeout_ms` for its reply. Returns 0 (look at the
 * reply's code); -ENOENT or -ECONNREFUSED if no node listens; ERR_TIMEOUT; ERR_FORMAT; -errno.
 */
int ctl_socket_ask(const char *run_dir, const struct ctl_request *request, int timeout_ms,
		   struct ctl_reply *ret_reply);

#endif
