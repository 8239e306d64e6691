/*
 * bench_load: the frames of one run, built and signed before the first one leaves.
 *
 * Clients take turns by bundles: all frames of a bundle share one seal. Client c's
 * k-th frame carries the sequence numbers 1 + k x t ... Frame i is due at i / rate
 * after the start, whatever happens to those before it (open loop): its latency counts
 * from then, so a stalled system cannot hide behind a stalled generator.
 * Memory   taken once, for everything; reported by bench_load_bytes().
 */
#ifndef QUORATE_BENCH_LOAD_H
#define QUORATE_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_sign.h"
#include "wire/wire_frame.h"

enum { BENCH_CLIENTS_MAX = 4096, BENCH_WINDOW = 4096 };

struct bench_load_config {
	struct crypto_hash chain_id;
	uint64_t transactions;
	uint32_t clients;
	uint32_t transactions_per_frame;
	uint32_t frames_per_seal; /* 1..64 */
	uint32_t payload_bytes;
	uint64_t expires;
	uint64_t seed; /* of keys and payloads: another seed, other clients */
};

enum bench_frame_state { BENCH_FRAME_WAITING, BENCH_FRAME_SENT, BENCH_FRAME_FINAL };

struct bench_frame {
	uint64_t offset; /* of its bytes */
	uint32_t byte_count;
	uint32_t client;
	uint64_t first_seq;
	uint32_t count;
	uint8_t state; /* enum bench_frame_state */
	uint8_t tries;
	uint64_t sent_ns;     /* last time */
	uint64_t next_sent;   /* intrusive list of what is under way: index + 1 */
	uint64_t answer[2];   /* who said the same as the first receipt */
	uint64_t receipt_key; /* fingerprint of the first receipt */
	uint64_t known[2];    /* who said "ordered before" without a receipt */
};

struct bench_load {
	struct bench_load_config config;
	uint64_t frame_count;
	struct bench_frame *frame;
	uint8_t *bytes;
	uint64_t byte_count;
	struct crypto_signing_key *key; /* one a client */
	uint32_t *key_slot;             /* hash table of client numbers + 1 */
	uint64_t *floor;                /* per client: frames [0, floor) are final */
};

/*
 * Bytes that bench_load_build() will take, or 0 if `config` is not valid (then *ret_why says why).
 */
uint64_t bench_load_bytes(const struct bench_load_config *config, const char **ret_why);

/* Builds all frames; `progress` (may be NULL) is told now and then. 0, ERR_MEMORY, ERR_CONFIG. */
int bench_load_build(const struct bench_load_config *config,
		     void (*progress)(uint64_t done, uint64_t total), struct bench_load *ret_load);
void bench_load_free(struct bench_load *load);

/* Frame number of the client's frame that begins with `first_seq`; false if there is none. */
bool bench_load_find(const struct bench_load *load, const struct crypto_public_key *client,
		     uint64_t first_seq, uint64_t *ret_frame);

/* The client's k-th frame; its number may be beyond frame_count. */
uint64_t bench_load_frame_of(const struct bench_load *load, uint32_t client, uint64_t k);

/* May this frame be sent, or is it ahead of its client's window? */
bool bench_load_is_in_window(const struct bench_load *load, uint64_t frame);

/* Marks final and moves its client's floor. */
void bench_load_set_final(struct bench_load *load, uint64_t frame);

/* Writes every transaction's id, one hexadecimal line each. 0 or -errno. */
int bench_load_write_ids(const struct bench_load *load, const char *path);

#endif
