/*
 * hs_safety: the record, what of it is durable, and what waits for that.
 *
 *     decide --> record changes, generation n ----> PERSIST_RECORD (ticket) --> PERSISTED
 *           \--> statement (generation n, SIGN) ------------------------------> ready
 *
 * Model    Every change that something will depend on is one generation. One
 *          write is outstanding at a time and carries all generations up to its
 *          own; later ones are gathered into the next. A statement (VOTE,
 *          COMMIT, TIMEOUT, PROPOSE) is ready when its generation is durable, it
 *          is signed and, for a VOTE, its block is durable.
 * Safety   This is the only place that makes a statement sendable (rule D).
 * Bounds   HS_STATEMENTS_MAX wait at once; the oldest gives way. A replica says
 *          at most four things a view, so only views long left can give way.
 */
#ifndef QUORATE_CONSENSUS_HS_SAFETY_H
#define QUORATE_CONSENSUS_HS_SAFETY_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/hs_types.h"

enum { HS_STATEMENTS_MAX = 16 };

struct hs_pending {
	bool is_signed;
	bool waits_block;
	enum hs_message_kind kind;
	uint64_t view;
	uint64_t qc_view;
	struct crypto_hash block_id;
	uint64_t generation;
	uint64_t request; /* of SIGN */
	struct crypto_signature signature;
};

struct hs_safety {
	struct hs_record record; /* as it will be; what is durable may be older */
	uint64_t generation;     /* of `record` */
	uint64_t generation_durable;
	uint64_t generation_writing; /* 0: no write outstanding */
	uint64_t ticket_writing;
	uint64_t intent_generation;                   /* of the record that first held the intent */
	struct hs_pending pending[HS_STATEMENTS_MAX]; /* oldest first */
	uint32_t pending_count;
};

void hs_safety_init(struct hs_safety *safety);

/* The record changed: returns the generation that what is said about it must wait for. */
uint64_t hs_safety_change(struct hs_safety *safety);

/* The record names the highest committed block; after a restart the core may be below it. */
void hs_safety_committed(struct hs_safety *safety, uint64_t height, const struct crypto_hash *id);

/* Drops from the record what no restart can need any more, so that it stays small. */
void hs_safety_tidy(struct hs_safety *safety);

/* Rule D, intent: true when the vote is covered by an intent with this very justify. */
bool hs_safety_intent_covers(const struct hs_safety *safety, uint64_t view,
			     const struct crypto_hash *block_id, const struct hs_qc *justify);

/* True when a write must start now; the caller emits it with `ticket`. */
bool hs_safety_write(struct hs_safety *safety, uint64_t ticket);

/* True if the ticket was the record's. */
bool hs_safety_on_persisted(struct hs_safety *safety, uint64_t ticket);

/* Queues a statement; `pending` is copied. */
void hs_safety_say(struct hs_safety *safety, const struct hs_pending *pending);
struct hs_pending *hs_safety_on_signed(struct hs_safety *safety, uint64_t request,
				       const struct crypto_signature *signature);

/* The block is durable: VOTEs for it need not wait for it any more. */
void hs_safety_on_block_durable(struct hs_safety *safety, const struct crypto_hash *block_id);

/* Takes the oldest statement that is ready out of the queue. False if none is. */
bool hs_safety_take_ready(struct hs_safety *safety, struct hs_pending *ret_pending);

/* An observer says nothing: forgets all that waits. */
void hs_safety_fall_silent(struct hs_safety *safety);

#endif
