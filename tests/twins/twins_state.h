/*
 * twins_state: what twins_world and twins_watch share. Not for others.
 */
#ifndef QUORATE_TESTS_TWINS_TWINS_STATE_H
#define QUORATE_TESTS_TWINS_TWINS_STATE_H

#include "consensus/hs_core.h"
#include "tests/lib/hs_image.h"
#include "tests/twins/twins.h"

enum {
	VIEWS_MAX = 64,
	HEIGHTS_MAX = 64,
	BLOCKS_MAX = 64,
	MESSAGES_MAX = 4096,
	EVENTS_MAX = 8192,
	ANSWERS_MAX = 64,
	CHECKED_MAX = 256,
	MEMBERS_MAX = 7,
};

enum event_kind { EVENT_MESSAGE, EVENT_RECORD, EVENT_BLOCK, EVENT_FETCHED, EVENT_CERTIFICATES };

struct event {
	uint64_t due_ns;
	uint64_t order;
	enum event_kind kind;
	uint32_t process;
	uint32_t from;    /* process */
	uint32_t message; /* index, of EVENT_MESSAGE */
	uint64_t ticket;
	uint32_t block; /* index in the process's `blocks`, of EVENT_BLOCK */
	struct crypto_hash id;
};

/* What is answered at once, after the step that asked. */
struct answer {
	enum hs_input_kind kind;
	uint64_t ticket; /* of SIGNED; the view of CUT and COMMITS_CHECKED */
	struct crypto_hash id;
	struct crypto_signature signature;
	struct bitset good;
	struct bitset bad;
	struct hs_cut cut;
};

struct process {
	struct hs_config config;
	uint32_t index;
	bool is_twin;
	struct hs_core *core;
	struct hs_record disk;
	struct hs_record writing;
	uint32_t block_count; /* asked to be made durable, in order */
	struct hs_block blocks[BLOCKS_MAX];
	bool is_durable[BLOCKS_MAX];
	uint64_t height; /* of the last COMMIT */
	uint64_t committed_view;
	uint64_t tick_ns;
	struct crypto_hash voted[VIEWS_MAX];
	struct crypto_hash committed[VIEWS_MAX];
	struct crypto_hash proposed[VIEWS_MAX];
	uint64_t timed_out[VIEWS_MAX]; /* qc_view + 1 */
};

/* A core of one configuration as it is after START, and what was left of it. */
struct birth {
	uint8_t *image;
	void *memory;
	struct hs_core *core;
	struct hs_record record;
	uint64_t tick_ns;
};

struct twins_world {
	struct twins_scenario scenario;
	struct twins_result result;
	bool is_weak;
	bool is_loud;
	uint64_t now_ns;
	uint64_t order;
	uint64_t entered_view; /* the highest one of any process */
	uint64_t cut_until_ns[TWINS_VIEWS_MAX];
	uint64_t healed_ns; /* 0: not yet */
	uint32_t process_count;
	struct process process[TWINS_PROCESSES_MAX];
	uint32_t event_count;
	uint32_t message_count;
	uint32_t answer_first;
	uint32_t answer_count;
	struct answer answer[ANSWERS_MAX];
	uint64_t height_max;
	struct crypto_hash committed[HEIGHTS_MAX];
	uint32_t checked_count;
	struct crypto_hash checked[CHECKED_MAX]; /* certificates found good */
	struct crypto_hash first_proposal[VIEWS_MAX];
	struct hs_effects effects;
	struct event event[EVENTS_MAX];
	struct hs_message message[MESSAGES_MAX];
	struct birth birth[2][TWINS_PROCESSES_MAX]; /* n = 4 and n = 7 */
};

/* Ends the scenario; the first reason stands. */
void twins_fail(struct twins_world *w, const char *why);

/* The durable block with this id, or NULL. */
const struct hs_block *twins_durable(const struct process *process, const struct crypto_hash *id);

/* The observer: every message sent, every block committed. */
void twins_watch_send(struct twins_world *w, struct process *process,
		      const struct hs_message *message);
void twins_watch_commit(struct twins_world *w, struct process *process,
			const struct hs_block *block);
void twins_watch_evidence(struct twins_world *w, const struct hs_evidence *evidence);

/* How many votes the scenario's cores believe to be a quorum. */
uint32_t twins_quorum(const struct twins_world *w);

#endif
