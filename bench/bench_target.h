/*
 * bench_target: whom the load is sent to: each node's client port.
 *
 * Read from a lab's directory (`--lab DIR`: its genesis and the [port client] section of
 * every node's configuration), or given one by one (`--target`). The load generator sits at the
 * other
 * end of each link with the next address of the port's network.
 */
#ifndef QUORATE_BENCH_TARGET_H
#define QUORATE_BENCH_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_TARGETS_MAX = 100, BENCH_NAME_BYTES = 64, BENCH_REASON_BYTES = 400 };

struct bench_target {
	uint32_t replica;
	bool is_memif;
	char socket[BENCH_NAME_BYTES];    /* memif: abstract, without '@' */
	char interface[BENCH_NAME_BYTES]; /* af_packet */
	char bell[BENCH_NAME_BYTES];      /* the node's doorbell, without '@'; empty: none */
	uint32_t node_address;            /* host order */
	uint32_t own_address;
	uint16_t udp_port;
};

struct bench_targets {
	uint32_t count;
	struct bench_target target[BENCH_TARGETS_MAX];
	char bell[BENCH_NAME_BYTES]; /* our own, which the nodes ring; empty: none */
	char genesis[256];
};

/* Reads a lab's directory. 0, or a negative code and one line in `ret_reason`. */
int bench_targets_lab(const char *directory, struct bench_targets *ret_targets,
		      char ret_reason[BENCH_REASON_BYTES]);

/* Adds "REPLICA,INTERFACE,NODE_ADDRESS,OWN_ADDRESS[,UDP_PORT]" (af_packet). 0 or ERR_CONFIG. */
int bench_targets_add(struct bench_targets *targets, const char *text,
		      char ret_reason[BENCH_REASON_BYTES]);

#endif
