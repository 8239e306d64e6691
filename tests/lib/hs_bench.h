/*
 * hs_bench: one core on a bench, its driver played by the test.
 *
 *     struct hs_bench *bench = hs_bench_start(4, 1);
 *     hs_bench_propose(bench, &block);
 *     UNIT_EQUAL(hs_bench_count(bench, HS_EFFECT_SIGN), 1);
 *
 * Each input is one step; its effects stay in `effects` until the next. The
 * bench plays signer, disk and lanes only when told to (hs_bench_settle()).
 * Every effect of the bench's life is in a log of trace lines.
 */
#ifndef QUORATE_TESTS_LIB_HS_BENCH_H
#define QUORATE_TESTS_LIB_HS_BENCH_H

#include "tests/lib/hs_make.h"

enum { HS_BENCH_TODO_MAX = 64, HS_BENCH_LOG_MAX = 1 << 16 };

/* Something the core asked its driver for and the bench has not answered. */
struct hs_bench_todo {
	enum hs_effect_kind kind;
	uint64_t ticket;
	struct crypto_signature signature;
	struct crypto_hash block_id;
	uint64_t view;
	struct hs_cut cut;
};

struct hs_bench {
	struct hs_config config;
	void *memory;
	struct hs_core *core;
	uint64_t now_ns;
	uint64_t wall_ns;
	struct hs_effects effects;
	struct hs_record disk; /* newest durable record */
	struct hs_record disk_next;
	uint32_t todo_count;
	struct hs_bench_todo todo[HS_BENCH_TODO_MAX];
	uint32_t log_bytes;
	char log[HS_BENCH_LOG_MAX];
};

/* A fresh core (record 0), recovery over. Free with hs_bench_stop(). */
struct hs_bench *hs_bench_start(uint32_t replica_count, uint32_t replica_id);

/* A core that has not yet had START: give it with hs_bench_boot(). */
struct hs_bench *hs_bench_new(const struct hs_config *config);
void hs_bench_boot(struct hs_bench *bench, const struct hs_start *start);
void hs_bench_stop(struct hs_bench *bench);

/* One input each. Time stands still unless hs_bench_wait() moves it and ticks at each deadline. */
void hs_bench_step(struct hs_bench *bench, struct hs_input *input);
void hs_bench_wait(struct hs_bench *bench, uint64_t duration_ns);
void hs_bench_propose(struct hs_bench *bench, const struct hs_block *block);
void hs_bench_intent(struct hs_bench *bench, const struct hs_block *block);
void hs_bench_block(struct hs_bench *bench, const struct hs_block *block);
void hs_bench_vote(struct hs_bench *bench, uint32_t author, uint64_t view,
		   const struct crypto_hash *block_id);
void hs_bench_commit(struct hs_bench *bench, uint32_t author, uint64_t view,
		     const struct crypto_hash *block_id);
void hs_bench_timeout(struct hs_bench *bench, uint32_t author, uint64_t view,
		      const struct hs_qc *qc, const struct hs_tc *entry_tc);
void hs_bench_qc(struct hs_bench *bench, uint64_t view, const struct crypto_hash *block_id);
void hs_bench_tc(struct hs_bench *bench, uint64_t view, uint64_t qc_view);
void hs_bench_fc(struct hs_bench *bench, uint64_t view, const struct crypto_hash *block_id);
void hs_bench_work(struct hs_bench *bench, bool has_work);

/* Answers the oldest open question of this kind; false if there is none. */
bool hs_bench_answer(struct hs_bench *bench, enum hs_effect_kind kind);

/* Answers everything (signer, disk, lanes, cuts) until nothing is open. */
void hs_bench_settle(struct hs_bench *bench);

/* Counts in the last step. */
uint32_t hs_bench_count(const struct hs_bench *bench, enum hs_effect_kind kind);
const struct hs_effect *hs_bench_find(const struct hs_bench *bench, enum hs_effect_kind kind);
bool hs_bench_dropped(const struct hs_bench *bench, enum hs_drop reason);

/* The message of this kind sent in the last step, or NULL. */
const struct hs_message *hs_bench_sent(const struct hs_bench *bench, enum hs_message_kind kind);

/* How many lines of the log so far contain `text`. hs_bench_forget() empties the log. */
uint32_t hs_bench_logged(const struct hs_bench *bench, const char *text);
void hs_bench_forget(struct hs_bench *bench);

#endif
