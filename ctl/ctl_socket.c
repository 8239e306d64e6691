#define _GNU_SOURCE
#include "ctl/ctl_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/ctl_shm.h"

static int ctl_address_of(const char *run_dir, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };

	int count = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path),
			     "%s/" CTL_SOCKET_FILE, run_dir);

	return count > 0 && (size_t)count < sizeof(ret_address->sun_path) ? 0 : ERR_OVERSIZE;
}

static int ctl_connect(const struct sockaddr_un *address, int *ret_file)
{
	const struct timeval patience = { .tv_sec = 2 }; /* a hung node has a full backlog */
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (file < 0)
		return -errno;
	setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(file, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		int result = -errno;

		close(file);
		return result;
	}
	*ret_file = file;
	return 0;
}

/* Removes a socket file nobody listens on. */
static int ctl_clear_stale(const struct sockaddr_un *address)
{
	int file = -1;
	int result = ctl_connect(address, &file);

	if (result == 0) {
		close(file);
		return ERR_BUSY;
	}
	if (result == -ECONNREFUSED && unlink(address->sun_path) != 0)
		return -errno;
	return result == -ECONNREFUSED || result == -ENOENT ? 0 : result;
}

static int ctl_listen(int file, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int result = bind(file, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(before);
	if (result == 0 && listen(file, CTL_CONNECTIONS_MAX) != 0)
		result = -errno;
	return result;
}

static int ctl_watch(const struct ctl_socket *ctl, int file)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(ctl->epoll_file, EPOLL_CTL_ADD, file, &event) == 0 ? 0 : -errno;
}

int ctl_socket_open(const char *run_dir, struct ctl_socket *ret_socket)
{
	struct sockaddr_un address;
	struct ctl_socket ctl = { .listen_file = -1, .epoll_file = -1 };
	int result = ctl_address_of(run_dir, &address);

	if (result == 0)
		result = ctl_clear_stale(&address);
	if (result != 0)
		return result;
	for (int i = 0; i < CTL_CONNECTIONS_MAX; i++)
		ctl.connection[i].file = -1;
	ctl.epoll_file = epoll_create1(EPOLL_CLOEXEC);
	ctl.listen_file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ctl.epoll_file < 0 || ctl.listen_file < 0)
		result = -errno;
	if (result == 0)
		result = ctl_listen(ctl.listen_file, &address);
	if (result == 0)
		result = ctl_watch(&ctl, ctl.listen_file);
	if (result != 0) {
		if (ctl.listen_file >= 0)
			close(ctl.listen_file);
		if (ctl.epoll_file >= 0)
			close(ctl.epoll_file);
		return result;
	}
	*ret_socket = ctl;
	return 0;
}

void ctl_socket_close(struct ctl_socket *ctl, const char *run_dir)
{
	struct sockaddr_un address;

	if (ctl->epoll_file <= 0)
		return;
	for (int i = 0; i < CTL_CONNECTIONS_MAX; i++)
		if (ctl->connection[i].file >= 0)
			close(ctl->connection[i].file);
	close(ctl->listen_file);
	close(ctl->epoll_file);
	if (ctl_address_of(run_dir, &address) == 0)
		unlink(address.sun_path);
	*ctl = (struct ctl_socket){ 0 };
}

int ctl_socket_file(const struct ctl_socket *ctl)
{
	return ctl->epoll_file;
}

static int ctl_is_permitted(int file)
{
	struct ucred peer;
	socklen_t count = sizeof(peer);

	return getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &count) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void ctl_connection_close(struct ctl_connection *connection)
{
	close(connection->file);
	connection->file = -1;
}

/* Returns a free place; the longest-open connection gives way when there is none. */
static struct ctl_connection *ctl_connection_place(struct ctl_socket *ctl)
{
	struct ctl_connection *oldest = &ctl->connection[0];

	for (int i = 0; i < CTL_CONNECTIONS_MAX; i++) {
		if (ctl->connection[i].file < 0)
			return &ctl->connection[i];
		if (ctl->connection[i].opened_ns < oldest->opened_ns)
			oldest = &ctl->connection[i];
	}
	ctl_connection_close(oldest);
	return oldest;
}

static void ctl_accept(struct ctl_socket *ctl, uint64_t now_ns)
{
	for (int i = 0; i < CTL_CONNECTIONS_MAX; i++) {
		int file = accept4(ctl->listen_file, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (file < 0)
			return;
		if (!ctl_is_permitted(file) || ctl_watch(ctl, file) != 0) {
			close(file);
			continue;
		}
		*ctl_connection_place(ctl) =
			(struct ctl_connection){ .file = file, .opened_ns = now_ns };
	}
}

static void ctl_reply_to(int file, const uint8_t *bytes, size_t count, ctl_handler *handler,
			 void *context)
{
	struct ctl_request request = { 0 };
	struct ctl_reply reply = { .command = CTL_COMMAND_PING };
	uint8_t out[CTL_REPLY_BYTES_MAX];
	int result = ctl_request_decode(bytes, count, &request);

	if (result == 0) {
		handler(context, &request, &reply);
		reply.command = request.command;
		reply.id = request.id;
	} else {
		reply.code = result;
		snprintf(reply.text, sizeof(reply.text), "%s", err_text(result));
	}
	/* An asker that went away gets no reply; that is its own affair. */
	(void)!send(file, out, ctl_reply_encode(&reply, out), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns whether the connection has said something or gone, and so is at its end. */
static int ctl_serve(const struct ctl_connection *connection, uint64_t now_ns, ctl_handler *handler,
		     void *context)
{
	uint8_t in[CTL_REQUEST_BYTES_MAX + 1];
	ssize_t count = recv(connection->file, in, sizeof(in), MSG_DONTWAIT);

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return now_ns - connection->opened_ns > CTL_PATIENCE_NS;
	if (count > 0)
		ctl_reply_to(connection->file, in, (size_t)count, handler, context);
	return 1;
}

void ctl_socket_poll(struct ctl_socket *ctl, uint64_t now_ns, ctl_handler *handler, void *context)
{
	ctl_accept(ctl, now_ns);
	for (int i = 0; i < CTL_CONNECTIONS_MAX; i++) {
		struct ctl_connection *connection = &ctl->connection[i];

		if (connection->file >= 0 && ctl_serve(connection, now_ns, handler, context))
			ctl_connection_close(connection);
	}
}

static int ctl_exchange(int file, const struct ctl_request *request, int timeout_ms,
			struct ctl_reply *ret_reply)
{
	uint8_t bytes[CTL_REPLY_BYTES_MAX + 1];
	struct pollfd ready = { .fd = file, .events = POLLIN };
	struct ctl_reply reply;

	if (send(file, bytes, ctl_request_encode(request, bytes), MSG_NOSIGNAL) < 0)
		return -errno;
	int count = poll(&ready, 1, timeout_ms);

	if (count <= 0)
		return count == 0 ? ERR_TIMEOUT : -errno;
	ssize_t got = recv(file, bytes, sizeof(bytes), 0);

	if (got <= 0)
		return got == 0 ? -ECONNRESET : -errno;
	int result = ctl_reply_decode(bytes, (size_t)got, &reply);

	if (result == 0 && reply.id != request->id && reply.code == 0)
		result = ERR_FORMAT;
	if (result == 0)
		*ret_reply = reply;
	return result;
}

int ctl_socket_ask(const char *run_dir, const struct ctl_request *request, int timeout_ms,
		   struct ctl_reply *ret_reply)
{
	struct sockaddr_un address;
	int file = -1;
	int result = ctl_address_of(run_dir, &address);

	if (result == 0)
		result = ctl_connect(&address, &file);
	if (result != 0)
		return result;
	result = ctl_exchange(file, request, timeout_ms, ret_reply);
	close(file);
	return result;
}
