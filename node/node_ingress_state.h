/*
 * node_ingress_state: the ingress' insides, shared by node_ingress*.c only. Its thread's.
 */
#ifndef QUORATE_NODE_INGRESS_STATE_H
#define QUORATE_NODE_INGRESS_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "node/node_config.h"
#include "node/node_ingress.h"
#include "node/node_ingress_connection.h"

struct node_ingress {
	struct node_ingress_config config;
	char path[NODE_PATH_MAX];
	int listen_fd;
	int epoll_fd;
	pthread_t thread;
	atomic_bool is_stopping;
	struct node_connection connection[];
};

uint64_t node_ingress_clock_ns(void);

void node_ingress_drop(struct node_ingress *self, enum node_ingress_drop reason, uint64_t count);

/* One packet of a program. Questions may be held; then nothing more is read until they resume. */
void node_ingress_on_message(struct node_ingress *self, struct node_connection *connection,
			     const uint8_t *bytes, size_t count);

/* Answers a held question once readers see what the connection has a receipt for. */
void node_ingress_resume(struct node_ingress *self, struct node_connection *connection);

#endif
