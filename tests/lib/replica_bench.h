/*
 * replica_bench: one replica on the bench, its disk a list of records, its signer at hand.
 *
 * Everything a step asks of the world is done at once and in order; what it says to
 * others is kept for looking at. A bench can be stopped and started again over the
 * same records. Test code only; the heap.
 */
#ifndef QUORATE_TESTS_LIB_REPLICA_BENCH_H
#define QUORATE_TESTS_LIB_REPLICA_BENCH_H

#include "replica/replica.h"
#include "tests/lib/wire_fixture.h"

enum { REPLICA_BENCH_RECORDS_MAX = 4096, REPLICA_BENCH_SENDS_MAX = 512 };

struct replica_bench_record {
	uint16_t kind;
	uint32_t byte_count;
	uint8_t *bytes;
};

struct replica_bench_send {
	struct bitset to;
	enum replica_send_class class_;
	uint32_t byte_count;
	uint8_t *bytes;
};

struct replica_bench {
	struct wire_world world;
	struct replica_config config;
	void *memory;
	void *buffers;
	void *gate_memory;
	struct replica *replica;
	struct replica_gate *gate;
	uint64_t now_ns;
	bool disk_fails;   /* appends complete with -EIO */
	bool disk_is_held; /* appends wait for replica_bench_release() */
	struct replica_bench_record record[BLOCKLOG_LOG_COUNT][REPLICA_BENCH_RECORDS_MAX];
	uint32_t record_count[BLOCKLOG_LOG_COUNT];
	struct {
		uint64_t ticket;
		uint64_t position;
	} held[64];
	uint32_t held_count;
	struct replica_bench_send send[REPLICA_BENCH_SENDS_MAX]; /* the newest, in turn */
	uint32_t send_count;
	struct replica_receipt receipt[64];
	uint32_t receipt_count;
	struct {
		uint64_t first_seq;
		int reason;
		uint64_t limit;
	} refusal[64];
	uint32_t refusal_count;
	uint32_t finals;
	uint64_t final_height;
	uint64_t final_transactions;
	uint32_t alarm[8]; /* how often each was raised */
	uint32_t dropped[3][64];
};

/* Replica `id` of `count`, fresh disk, started. */
struct replica_bench *replica_bench_new(uint32_t count, uint32_t id);
void replica_bench_free(struct replica_bench *bench);

/* Forgets the replica and starts a new one over the records; returns recovery's code. */
int replica_bench_restart(struct replica_bench *bench);

/* Puts a BLOCK record behind the others of the log, as if an earlier life had written it. */
void replica_bench_store_block(struct replica_bench *bench, const struct hs_block *block);

/* One input, then everything that follows from it at this very moment. */
void replica_bench_step(struct replica_bench *bench, struct replica_input *input);

/* Lets time pass, with every tick on the way. */
void replica_bench_wait(struct replica_bench *bench, uint64_t ns);

/* The held appends become durable. */
void replica_bench_release(struct replica_bench *bench);

/* A frame of the world's client with `count` one-byte transactions; the gate's code. */
int replica_bench_submit(struct replica_bench *bench, uint64_t first_seq, uint32_t count,
			 uint64_t expires);

/* Any message as if it came from peer `from`; the gate's code. */
int replica_bench_hear(struct replica_bench *bench, uint32_t from, struct wire_message *message);

/* How many messages of this kind were sent; the newest one decoded. */
uint32_t replica_bench_said(const struct replica_bench *bench, enum wire_kind kind,
			    struct wire_message *ret_last);

/* Records of one kind in a log. */
uint32_t replica_bench_records(const struct replica_bench *bench, enum blocklog_log log,
			       uint16_t kind);

#endif
