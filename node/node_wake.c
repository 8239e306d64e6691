#define _GNU_SOURCE
#include "node/node_wake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int node_wake_open(struct node_wake *wake)
{
	atomic_init(&wake->is_asleep, false);
	wake->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return wake->event_fd < 0 ? -errno : 0;
}

void node_wake_close(struct node_wake *wake)
{
	if (wake->event_fd > 0)
		close(wake->event_fd);
	wake->event_fd = -1;
}

void node_wake_arm(struct node_wake *wake)
{
	uint64_t count;

	if (read(wake->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return; /* stays awake: the flag is not set */
	/* Pairs with the fence of node_wake_signal(): flag first, rings second. */
	atomic_store_explicit(&wake->is_asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void node_wake_disarm(struct node_wake *wake)
{
	atomic_store_explicit(&wake->is_asleep, false, memory_order_relaxed);
}

void node_wake_signal(struct node_wake *wake)
{
	const uint64_t one = 1;

	/* Pairs with the fence of node_wake_arm(): message first, flag second. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_exchange_explicit(&wake->is_asleep, false, memory_order_relaxed))
		return;
	if (write(wake->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is readable already */
}
