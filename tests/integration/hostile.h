/*
 * hostile: a client that does everything a node must survive; see hostile.c for its command line.
 *
 * hostile_frames.c makes frames, each wrong in exactly one way; hostile.c sends them to a node's
 * local socket, hostile_port.c through a DPDK port, together with broken packets and handshakes.
 * A program for tests: whatever it needs and does not get ends it with one line (hostile_die).
 */
#ifndef QUORATE_TESTS_INTEGRATION_HOSTILE_H
#define QUORATE_TESTS_INTEGRATION_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/crypto_sign.h"
#include "wire/wire_client.h"
#include "wire/wire_genesis.h"

/* Who is attacked and under which key: a client the chain knows. */
struct hostile {
	uint8_t genesis_bytes[WIRE_GENESIS_BYTES_MAX];
	size_t genesis_byte_count;
	struct wire_genesis genesis;
	struct crypto_hash chain_id;
	struct crypto_signing_key key;
	uint64_t next_seq;
};

enum hostile_fault {
	HOSTILE_GOOD,
	HOSTILE_MALFORMED,
	HOSTILE_TRUNCATED,
	HOSTILE_OVERSIZE,
	HOSTILE_WRONG_CHAIN,
	HOSTILE_BAD_SIGNATURE,
	HOSTILE_EXPIRED,
	HOSTILE_EXPIRES_FAR,
	HOSTILE_UNKNOWN_CLIENT,
	HOSTILE_AHEAD,
	HOSTILE_FAULT_COUNT,
};

/* Its name, and what a node must answer to it: a code and a limit (0: any). */
const char *hostile_fault_name(enum hostile_fault fault);
int hostile_fault_code(enum hostile_fault fault);
uint64_t hostile_fault_limit(const struct hostile *hostile, enum hostile_fault fault);

/* A whole SUBMIT message with a frame that is wrong in that way; returns its bytes. */
uint32_t hostile_submit(const struct hostile *hostile, enum hostile_fault fault, uint64_t seq,
			uint8_t ret_message[WIRE_CLIENT_BYTES_MAX]);

/*
 * Through the DPDK port behind memif socket `socket`; prints what it found. `peer_key` is the file
 * of a member's session key: true, but at the wrong place.
 */
struct hostile_port_options {
	const char *socket;
	const char *bell; /* the node's doorbell */
	uint32_t node;
	uint32_t node_address;
	uint32_t own_address;
	uint16_t udp_port;
	const char *peer_key;
	uint32_t peer;
	uint32_t flood;
};
void hostile_port(struct hostile *hostile, const struct hostile_port_options *options);

uint64_t hostile_clock_ns(void);

/* One line, and the end: exit code 1. */
__attribute__((format(printf, 1, 2), noreturn)) void hostile_die(const char *format, ...);

#endif
