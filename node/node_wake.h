/*
 * node_wake: how one thread of the node wakes another that sleeps in epoll.
 *
 * The sleeper publishes that it sleeps, then looks at its rings once more; a
 * sender publishes its message, then looks whether the sleeper sleeps. Each
 * writes before it reads what the other wrote, with a full fence between, so no
 * message can be overlooked, and a sender pays a system call only for a sleeper.
 */
#ifndef QUORATE_NODE_WAKE_H
#define QUORATE_NODE_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

struct node_wake {
	int event_fd;
	_Atomic bool is_asleep;
};

/* Returns 0 or -errno. */
int node_wake_open(struct node_wake *wake);
void node_wake_close(struct node_wake *wake);

/*
 * Sleeper: from here on senders signal; look at every ring once more after this. Drains old
 * signals.
 */
void node_wake_arm(struct node_wake *wake);
void node_wake_disarm(struct node_wake *wake);

/* Sender: after the message is on the ring. */
void node_wake_signal(struct node_wake *wake);

#endif
