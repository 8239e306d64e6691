#define _GNU_SOURCE
#define ALLOW_EXPERIMENTAL_API /* rte_intr_fd_get */

#include "dataplane/dp_memif_control_dpdk.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_interrupts.h>

#include "base/ensure.h"

enum {
	CALLBACKS_MAX = 512,
	EVENTS_MAX = 32,
	ROUNDS_MAX = 16,
};

struct callback {
	bool is_used;
	bool is_running;
	struct rte_intr_handle *handle;
	int fd;
	uint32_t port;
	rte_intr_callback_fn run;
	void *argument;
	rte_intr_unregister_callback_fn when_done; /* unregistered from inside `run` */
};

static struct {
	int epoll_fd;
	bool is_open;
	bool is_keeping;
	uint32_t port;
	struct callback callback[CALLBACKS_MAX];
} control = { .epoll_fd = -1 };

int __real_rte_intr_callback_register(const struct rte_intr_handle *handle,
				      rte_intr_callback_fn run, void *argument);
int __real_rte_intr_callback_unregister(const struct rte_intr_handle *handle,
					rte_intr_callback_fn run, void *argument);
int __real_rte_intr_callback_unregister_pending(const struct rte_intr_handle *handle,
						rte_intr_callback_fn run, void *argument,
						rte_intr_unregister_callback_fn when_done);
int __wrap_rte_intr_callback_register(const struct rte_intr_handle *handle,
				      rte_intr_callback_fn run, void *argument);
int __wrap_rte_intr_callback_unregister(const struct rte_intr_handle *handle,
					rte_intr_callback_fn run, void *argument);
int __wrap_rte_intr_callback_unregister_pending(const struct rte_intr_handle *handle,
						rte_intr_callback_fn run, void *argument,
						rte_intr_unregister_callback_fn when_done);

int dp_memif_control_open(void)
{
	ensure(!control.is_open);
	control.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (control.epoll_fd < 0)
		return -errno;
	control.is_open = true;
	return 0;
}

void dp_memif_control_close(void)
{
	if (!control.is_open)
		return;
	close(control.epoll_fd);
	control.epoll_fd = -1;
	control.is_open = false;
}

int dp_memif_control_fd(void)
{
	return control.epoll_fd;
}

void dp_memif_control_begin(uint32_t port)
{
	ensure(control.is_open && !control.is_keeping);
	control.is_keeping = true;
	control.port = port;
}

void dp_memif_control_end(void)
{
	ensure(control.is_keeping);
	control.is_keeping = false;
}

uint32_t dp_memif_control_count(uint32_t port)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < CALLBACKS_MAX; i++)
		if (control.callback[i].is_used && control.callback[i].port == port)
			count++;
	return count;
}

static struct callback *find(const struct rte_intr_handle *handle, rte_intr_callback_fn run,
			     const void *argument)
{
	for (uint32_t i = 0; i < CALLBACKS_MAX; i++) {
		struct callback *callback = &control.callback[i];

		if (callback->is_used && callback->handle == handle && callback->run == run &&
		    (argument == (void *)-1 || callback->argument == argument))
			return callback;
	}
	return NULL;
}

int __wrap_rte_intr_callback_register(const struct rte_intr_handle *handle,
				      rte_intr_callback_fn run, void *argument)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP };

	if (!control.is_keeping)
		return __real_rte_intr_callback_register(handle, run, argument);
	for (uint32_t i = 0; i < CALLBACKS_MAX; i++) {
		struct callback *callback = &control.callback[i];

		if (callback->is_used)
			continue;
		*callback = (struct callback){
			.is_used = true,
			.handle = (struct rte_intr_handle *)(uintptr_t)handle,
			.fd = rte_intr_fd_get(handle),
			.port = control.port,
			.run = run,
			.argument = argument,
		};
		event.data.ptr = callback;
		if (epoll_ctl(control.epoll_fd, EPOLL_CTL_ADD, callback->fd, &event) != 0) {
			callback->is_used = false;
			return -errno;
		}
		return 0;
	}
	return -ENOMEM;
}

static void forget(struct callback *callback)
{
	/* Fails harmlessly when the driver closed the socket already. */
	epoll_ctl(control.epoll_fd, EPOLL_CTL_DEL, callback->fd, NULL);
	callback->is_used = false;
}

int __wrap_rte_intr_callback_unregister(const struct rte_intr_handle *handle,
					rte_intr_callback_fn run, void *argument)
{
	struct callback *callback = find(handle, run, argument);

	if (!callback)
		return __real_rte_intr_callback_unregister(handle, run, argument);
	if (callback->is_running)
		return -EAGAIN;
	forget(callback);
	return 1;
}

int __wrap_rte_intr_callback_unregister_pending(const struct rte_intr_handle *handle,
						rte_intr_callback_fn run, void *argument,
						rte_intr_unregister_callback_fn when_done)
{
	struct callback *callback = find(handle, run, argument);

	if (!callback)
		return __real_rte_intr_callback_unregister_pending(handle, run, argument,
								   when_done);
	if (!callback->is_running) {
		forget(callback);
		when_done(callback->handle, callback->argument);
		return 1;
	}
	callback->when_done = when_done;
	return 1;
}

static void run(struct callback *callback)
{
	dp_memif_control_begin(callback->port);
	callback->is_running = true;
	callback->run(callback->argument);
	callback->is_running = false;
	if (callback->when_done) {
		forget(callback);
		callback->when_done(callback->handle, callback->argument);
	}
	dp_memif_control_end();
}

void dp_memif_control_dispatch(void)
{
	struct epoll_event events[EVENTS_MAX];
	int count = EVENTS_MAX;

	for (int round = 0; control.is_open && round < ROUNDS_MAX && count > 0; round++) {
		count = epoll_wait(control.epoll_fd, events, EVENTS_MAX, 0);
		for (int i = 0; i < count; i++) {
			struct callback *callback = events[i].data.ptr;

			if (callback->is_used)
				run(callback);
		}
	}
}
