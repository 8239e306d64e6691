#define _GNU_SOURCE
#include "node/node_ingress.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "node/node_ingress_state.h"
#include "node/node_message.h"
#include "node/node_reader.h"
#include "wire/wire_frame.h"

enum {
	EVENT_LISTEN = -1,
	EVENT_WAKE = -2,
	TAIL_BURST = 32,
	MESSAGES_BURST = 64,
	SLEEP_MAX_MS = 500,
};

uint64_t node_ingress_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void watch(struct node_ingress *self, int operation, int fd, int32_t what, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)(int64_t)what,
	};

	ensure(epoll_ctl(self->epoll_fd, operation, fd, &event) == 0);
}

void node_ingress_drop(struct node_ingress *self, enum node_ingress_drop reason, uint64_t count)
{
	if (self->config.drops)
		ctl_family_add(self->config.drops, reason, count);
}

static void close_connection(struct node_ingress *self, struct node_connection *connection)
{
	node_ingress_drop(self, NODE_INGRESS_DROP_ANSWERS_LOST, connection->dropped);
	connection->dropped = 0;
	node_connection_close(connection); /* leaves epoll by itself */
	atomic_fetch_sub_explicit(self->config.open_count, 1, memory_order_relaxed);
}

static void accept_all(struct node_ingress *self)
{
	for (;;) {
		int fd = accept4(self->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		uint32_t i = 0;

		if (fd < 0)
			return;
		while (i < self->config.connections_max && self->connection[i].fd >= 0)
			i++;
		if (i == self->config.connections_max) {
			struct node_connection turned_away = { .fd = fd };

			node_ingress_drop(self, NODE_INGRESS_DROP_CONNECTIONS_FULL, 1);
			node_connection_error(&turned_away, 0, ERR_FULL,
					      "too many local connections; raise connections_max");
			close(fd);
			continue;
		}
		node_connection_open(&self->connection[i], fd);
		atomic_fetch_add_explicit(self->config.open_count, 1, memory_order_relaxed);
		watch(self, EPOLL_CTL_ADD, fd, (int32_t)i, EPOLLIN);
	}
}

static void on_readable(struct node_ingress *self, struct node_connection *connection)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX + 1];

	for (int i = 0; i < MESSAGES_BURST && !connection->held.is_held; i++) {
		ssize_t count = recv(connection->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (count < 0 && errno == EAGAIN)
			return;
		if (count <= 0) {
			close_connection(self, connection);
			return;
		}
		if ((size_t)count > WIRE_CLIENT_BYTES_MAX) {
			node_ingress_drop(self, NODE_INGRESS_DROP_MALFORMED, 1);
			node_connection_error(connection, 0, ERR_OVERSIZE,
					      "message longer than a datagram");
		} else {
			node_ingress_on_message(self, connection, bytes, (size_t)count);
		}
	}
}

/* ---- what the node says ---- */

static void to_origin(struct node_ingress *self, uint64_t origin, const uint8_t *bytes,
		      uint32_t count)
{
	uint32_t index = (uint32_t)(origin & 0xffff);

	if (index < self->config.connections_max && self->connection[index].fd >= 0 &&
	    node_connection_origin(&self->connection[index]) == origin)
		node_connection_send(&self->connection[index], bytes, count);
}

static void to_subscribers(struct node_ingress *self, const uint8_t *payload, uint32_t count)
{
	struct wire_client_message message;
	struct crypto_public_key key;
	uint64_t height = 0;

	memcpy(&key, payload, sizeof(key));
	payload += sizeof(key);
	count -= (uint32_t)sizeof(key);
	if (wire_client_decode(payload, count, &message) == 0 &&
	    message.kind == WIRE_CLIENT_RECEIPT)
		height = message.u.receipt.height;
	for (uint32_t i = 0; i < self->config.connections_max; i++) {
		struct node_connection *connection = &self->connection[i];

		if (connection->fd < 0 || !node_connection_is_subscribed(connection, &key))
			continue;
		node_connection_send(connection, payload, count);
		connection->receipt_height = units_max(connection->receipt_height, height);
	}
}

static uint32_t take_answers(struct node_ingress *self, struct dp_ring *ring)
{
	const struct dp_ring_header *header;
	const uint8_t *payload;
	uint32_t taken = 0;

	while ((payload = dp_ring_peek(ring, &header)) != NULL) {
		if (header->kind == NODE_MESSAGE_LOCAL)
			to_origin(self, header->aux, payload, header->bytes);
		else if (header->kind == NODE_MESSAGE_LOCAL_SUBSCRIBERS)
			to_subscribers(self, payload, header->bytes);
		dp_ring_release(ring); /* FINAL only woke us */
		taken++;
	}
	return taken;
}

static void end_tail(struct node_ingress *self, struct node_connection *connection)
{
	struct wire_client_message end = {
		.kind = WIRE_CLIENT_TAIL_END,
		.request = connection->tail.request,
		.u.tail_end = { .height = connection->tail.height,
				.index = connection->tail.index,
				.final_height = node_reader_height(self->config.reader) },
	};

	if (node_connection_say(connection, &end))
		connection->tail.is_active = false;
}

/* Some records of one tail; true when it could go on at once. */
static bool pump_tail(struct node_ingress *self, struct node_connection *connection)
{
	struct wire_client_message record = { .kind = WIRE_CLIENT_RECORD,
					      .request = connection->tail.request };

	for (int i = 0; i < TAIL_BURST; i++) {
		int code;

		if (connection->wants_write && !node_connection_has_room(connection))
			return false;
		if (connection->tail.left == 0) {
			end_tail(self, connection);
			return false;
		}
		code = node_reader_next(self->config.reader, &connection->tail.height,
					&connection->tail.index, &record.u.record);
		if (code < 0) {
			node_connection_error(connection, connection->tail.request, code,
					      err_text(code));
			connection->tail.is_active = false;
			return false;
		}
		if (code == 0) {
			if (!connection->tail.follows)
				end_tail(self, connection);
			return false;
		}
		node_connection_say(connection, &record);
		ctl_metric_add(self->config.metrics, CTL_METRIC_INGRESS_RECORDS, 1);
		connection->tail.left--;
	}
	return true;
}

/* Held questions, and one piece of every tail; true when any could go on at once. */
static bool pump(struct node_ingress *self)
{
	bool goes_on = false;

	for (uint32_t i = 0; i < self->config.connections_max; i++) {
		struct node_connection *connection = &self->connection[i];

		node_ingress_resume(self, connection);
		if (connection->fd >= 0 && connection->tail.is_active)
			goes_on |= pump_tail(self, connection);
	}
	return goes_on;
}

/* ---- the thread ---- */

static void on_event(struct node_ingress *self, const struct epoll_event *event)
{
	int64_t what = (int64_t)event->data.u64;
	struct node_connection *connection;

	if (what == EVENT_LISTEN) {
		accept_all(self);
		return;
	}
	if (what == EVENT_WAKE)
		return;
	connection = &self->connection[what];
	if (connection->fd >= 0 && (event->events & EPOLLOUT) && !node_connection_flush(connection))
		close_connection(self, connection);
	if (event->events & (EPOLLHUP | EPOLLERR))
		connection->held.is_held = false; /* nobody hears the answer */
	if (connection->fd >= 0 && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		on_readable(self, connection);
}

static void rewatch(struct node_ingress *self)
{
	for (uint32_t i = 0; i < self->config.connections_max; i++) {
		const struct node_connection *connection = &self->connection[i];
		uint32_t events = (connection->held.is_held ? 0 : (uint32_t)EPOLLIN) |
				  (connection->wants_write ? (uint32_t)EPOLLOUT : 0);

		if (connection->fd >= 0)
			watch(self, EPOLL_CTL_MOD, connection->fd, (int32_t)i, events);
	}
}

static void *run(void *argument)
{
	struct node_ingress *self = argument;
	struct epoll_event events[32];

	node_reader_height(
		self->config.reader); /* finds its way through a long log before it is asked */
	while (!atomic_load_explicit(&self->is_stopping, memory_order_acquire)) {
		bool goes_on = pump(self);
		int count;

		rewatch(self);
		node_wake_arm(self->config.wake);
		goes_on |= take_answers(self, self->config.answers) > 0;
		goes_on |= take_answers(self, self->config.refusals) > 0;
		count = epoll_wait(self->epoll_fd, events, UNITS_COUNT(events),
				   goes_on ? 0 : SLEEP_MAX_MS);
		node_wake_disarm(self->config.wake);
		for (int i = 0; i < count; i++)
			on_event(self, &events[i]);
		ctl_metric_set(self->config.metrics, CTL_METRIC_INGRESS_CONNECTIONS,
			       atomic_load_explicit(self->config.open_count, memory_order_relaxed));
		ctl_block_beat(self->config.metrics, node_ingress_clock_ns());
	}
	return NULL;
}

/* ---- start and stop ---- */

static int open_socket(struct node_ingress *self, char *ret_reason)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = self->path;
	int probe;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(ret_reason, NODE_REASON_MAX, "ingress socket %s: longer than %zu bytes",
			 path, sizeof(address.sun_path) - 1);
		return ERR_OVERSIZE;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (probe >= 0 && connect(probe, (struct sockaddr *)&address, sizeof(address)) == 0) {
		close(probe);
		snprintf(ret_reason, NODE_REASON_MAX,
			 "ingress socket %s: another process serves it; stop that node first",
			 path);
		return ERR_BUSY;
	}
	if (probe >= 0)
		close(probe);
	unlink(path);
	self->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (self->listen_fd < 0 ||
	    bind(self->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0660) < 0 || listen(self->listen_fd, 64) < 0) {
		snprintf(ret_reason, NODE_REASON_MAX, "ingress socket %s: %s", path,
			 strerror(errno));
		return -errno;
	}
	return 0;
}

static void release(struct node_ingress *self)
{
	for (uint32_t i = 0; i < self->config.connections_max; i++)
		node_connection_fini(&self->connection[i]);
	if (self->listen_fd >= 0) {
		close(self->listen_fd);
		unlink(self->path);
	}
	if (self->epoll_fd >= 0)
		close(self->epoll_fd);
	free(self);
}

int node_ingress_start(const struct node_ingress_config *config, struct node_ingress **ret_ingress,
		       char *ret_reason)
{
	struct node_ingress *self =
		calloc(1, sizeof(*self) + config->connections_max * sizeof(self->connection[0]));
	int code;

	if (!self)
		return ERR_MEMORY;
	self->config = *config;
	self->listen_fd = -1;
	self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	snprintf(self->path, sizeof(self->path), "%s", config->path);
	code = self->epoll_fd < 0 ? -errno : 0;
	for (uint32_t i = 0; i < config->connections_max; i++)
		if (node_connection_init(&self->connection[i], i) < 0)
			code = ERR_MEMORY;
	if (code < 0)
		snprintf(ret_reason, NODE_REASON_MAX, "ingress: %s", err_text(code));
	else
		code = open_socket(self, ret_reason);
	if (code == 0) {
		watch(self, EPOLL_CTL_ADD, self->listen_fd, EVENT_LISTEN, EPOLLIN);
		watch(self, EPOLL_CTL_ADD, config->wake->event_fd, EVENT_WAKE, EPOLLIN);
		code = -pthread_create(&self->thread, NULL, run, self);
	}
	if (code < 0) {
		release(self);
		return code;
	}
	*ret_ingress = self;
	return 0;
}

void node_ingress_stop(struct node_ingress *ingress)
{
	if (!ingress)
		return;
	atomic_store_explicit(&ingress->is_stopping, true, memory_order_release);
	node_wake_signal(ingress->config.wake);
	pthread_join(ingress->thread, NULL);
	release(ingress);
}
