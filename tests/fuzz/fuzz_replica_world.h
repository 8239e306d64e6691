/*
 * fuzz_replica_world: three honest replicas behind their gates, and member 3 who lies.
 *
 *     honest replicas --bytes--> [sent] --any order, again and again--> gates --> replicas
 *                     --appends, reads, signs--> done in the caller's time, or lost in a crash
 *     clients, member 3 --bytes, well signed or not--> gates --> replicas
 *
 * Model    Each call is one event. Signatures are keyed hashes nobody but this file can make.
 *          A log is a list of records; those below `durable` survive a crash.
 * Promises What an honest replica sends passes every gate; one statement a kind and view, for
 *          ever, covered by its durable record; no evidence against the honest; no alarm;
 *          one block, one count of transactions a height. A broken one aborts.
 * Memory   One world, static, made new by fuzz_replica_begin(); the heap for bytes.
 */
#ifndef QUORATE_TESTS_FUZZ_FUZZ_REPLICA_WORLD_H
#define QUORATE_TESTS_FUZZ_FUZZ_REPLICA_WORLD_H

#include "replica/replica.h"
#include "wire/wire_message.h"

enum {
	FUZZ_HONEST = 3,
	FUZZ_MEMBERS = 4,
	FUZZ_LIAR = 3,
	FUZZ_SENT_MAX = 256,
	FUZZ_TODO_MAX = 64,
	FUZZ_RECORDS_MAX = 2048,
	FUZZ_VIEWS_MAX = 256,
	FUZZ_HEIGHTS_MAX = 256,
	FUZZ_CLIENTS = 2,
};

struct fuzz_sent {
	uint32_t from;
	uint32_t waiting; /* members that have not had it */
	uint32_t count;
	uint8_t *bytes;
};

/* READ, SIGN or CHECK_COMMITS, not yet answered. */
struct fuzz_todo {
	enum replica_effect_kind kind;
	uint64_t ticket;
	enum blocklog_log log;
	uint64_t position;
	struct crypto_signature signature;
	uint64_t view;
	struct crypto_hash block_id;
	uint32_t count;
	struct hs_commit commit[FUZZ_MEMBERS];
};

struct fuzz_record {
	uint16_t kind;
	uint32_t count;
	uint64_t ticket;
	uint8_t *bytes;
};

struct fuzz_log {
	struct fuzz_record record[FUZZ_RECORDS_MAX];
	uint32_t count;
	uint32_t durable;
};

struct fuzz_node {
	struct replica_config config;
	void *memory;
	void *buffers;
	void *gate_memory;
	struct replica *replica;
	struct replica_gate *gate;
	struct fuzz_log log[BLOCKLOG_LOG_COUNT];
	struct fuzz_todo todo[FUZZ_TODO_MAX];
	uint32_t todo_count;
	struct hs_record durable; /* the newest durable safety record */
	/* Statement contents by kind and view; zero: nothing said. */
	struct crypto_hash said[HS_MESSAGE_TIMEOUT + 1][FUZZ_VIEWS_MAX];
	struct hs_statement last_said[HS_MESSAGE_TIMEOUT + 1];
};

struct fuzz_height {
	bool is_known;
	struct crypto_hash id;
	uint64_t tx_base;
	uint32_t tx_count;
};

struct fuzz_world {
	struct wire_validators validators;
	struct crypto_hash genesis_id;
	struct crypto_public_key client[FUZZ_CLIENTS];
	struct fuzz_node node[FUZZ_HONEST];
	struct fuzz_sent sent[FUZZ_SENT_MAX];
	uint32_t sent_count; /* ever */
	struct fuzz_height height[FUZZ_HEIGHTS_MAX];
	uint64_t now_ns;
	uint64_t view_max;
	uint64_t height_max;
	struct wire_message message; /* what was decoded last */
};

struct fuzz_world *fuzz_replica_begin(void);
void fuzz_replica_end(struct fuzz_world *world);
bool fuzz_replica_is_full(const struct fuzz_world *world);

void fuzz_replica_step(struct fuzz_world *world, uint32_t node, struct replica_input *input);

/* Bytes from a peer or a client, through the gate. Returns the gate's code. */
int fuzz_replica_hear(struct fuzz_world *world, uint32_t node, uint32_t from, const uint8_t *bytes,
		      uint32_t count);
int fuzz_replica_submit(struct fuzz_world *world, uint32_t node, const uint8_t *bytes,
			uint32_t count);

void fuzz_replica_deliver(struct fuzz_world *world, uint32_t sent, uint32_t node);
void fuzz_replica_answer(struct fuzz_world *world, uint32_t node, uint32_t todo);

/* The oldest append of a log becomes durable; false if none waits. */
bool fuzz_replica_write(struct fuzz_world *world, uint32_t node, enum blocklog_log log);

/* A new life: of the appends under way the first `kept` of each log were written. */
void fuzz_replica_crash(struct fuzz_world *world, uint32_t node, uint32_t kept);

/* The liar's, and clients', signatures. */
void fuzz_replica_sign(const struct crypto_public_key *key, const void *bytes, size_t count,
		       struct crypto_signature *ret_signature);
void fuzz_replica_sign_core(const struct fuzz_world *world, enum hs_message_kind kind,
			    uint64_t view, const struct crypto_hash *id, uint64_t qc_view,
			    struct crypto_signature *ret_signature);

/* Decodes into world->message. */
bool fuzz_replica_decode(struct fuzz_world *world, uint32_t from, const uint8_t *bytes,
			 uint32_t count);

#endif
