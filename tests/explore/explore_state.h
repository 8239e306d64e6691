/*
 * explore_state: what the files of the explorer share. Not for others.
 */
#ifndef QUORATE_TESTS_EXPLORE_EXPLORE_STATE_H
#define QUORATE_TESTS_EXPLORE_EXPLORE_STATE_H

#include "consensus/hs_rules.h"
#include "consensus/hs_state.h"
#include "tests/explore/explore.h"

enum {
	WORDS_MAX = 512,
	BLOCKS_MAX = 64,
	DURABLE_MAX = 12,
	ROUNDS = EXPLORE_VIEWS_MAX + 3, /* views a core can hear of, and 0 */
	SAID_MAX = 4,                   /* words one action can add */
	RENAMINGS_MAX = 6,
	NO_TC = 0xff,
	NAME_MAX = 64,
};

struct digest {
	uint64_t a;
	uint64_t b;
};

void digest_add(struct digest *digest, uint64_t value);
struct digest digest_done(const struct digest *digest);

enum word_kind {
	WORD_PROPOSE = 1,
	WORD_VOTE,
	WORD_COMMIT,
	WORD_TIMEOUT,
	WORD_QC,
	WORD_TC,
	WORD_FC
};

/* A message by what it says. Two with the same fields are the same word. */
struct word {
	enum word_kind kind;
	uint8_t author;
	uint8_t view;
	uint8_t block;   /* index; of TIMEOUT: what its QC certifies */
	uint8_t qc_view; /* TIMEOUT */
	uint8_t entry;   /* TIMEOUT: enum hs_entry_kind */
	uint8_t tc_max;  /* of the TC it is or carries; NO_TC: none */
	struct digest digest[RENAMINGS_MAX];
	char name[NAME_MAX];
	struct hs_message message;
};

/* What may be renamed into what. */
struct renaming {
	uint8_t to[EXPLORE_MEMBERS + 1];
	uint8_t from[EXPLORE_MEMBERS + 1];
};

struct soup {
	uint64_t bit[WORDS_MAX / 64];
};

struct known_block {
	uint8_t view;
	uint8_t height;
	uint8_t parent;
	char variant;       /* h: honest leader; a, b: Byzantine */
	uint64_t ancestors; /* bit per block, itself included */
	char name[NAME_MAX];
	struct hs_block block;
};

/* Names for everything that was ever said in this search. */
struct explore_words {
	struct explore_options options;
	struct hs_config config;
	uint32_t quorum_votes; /* honest statements that the adversary can make a certificate of */
	uint32_t renaming_count;
	struct renaming renaming[RENAMINGS_MAX];
	uint32_t block_count;
	uint32_t word_count;
	struct known_block block[BLOCKS_MAX];
	struct word word[WORDS_MAX];
};

void words_init(struct explore_words *words, const struct explore_options *options);

/* The block's index, entered if it is new; its parent must be known. BLOCKS_MAX: unknown parent. */
uint32_t words_block(struct explore_words *words, const struct hs_block *block, char variant);
uint32_t words_find_block(const struct explore_words *words, const struct crypto_hash *id);

/* The word of what a core says, entered if it is new; WORDS_MAX if it has none in this scope. */
uint32_t words_of_message(struct explore_words *words, const struct hs_message *message);
uint32_t words_of_block(struct explore_words *words, const struct hs_block *block);
uint32_t words_certificate(struct explore_words *words, enum word_kind kind, uint32_t block);

static inline bool soup_has(const struct soup *soup, uint32_t word)
{
	return (soup->bit[word / 64] >> (word % 64) & 1) != 0;
}

static inline void soup_add(struct soup *soup, uint32_t word)
{
	soup->bit[word / 64] |= UINT64_C(1) << (word % 64);
}

/* Adds all that the Byzantine member can say now. Returns what is wrong with it, or NULL. */
const char *soup_close(struct explore_words *words, struct soup *soup);

/* An action of a member. */
enum action_kind {
	ACTION_TIMER,
	ACTION_RECORD,
	ACTION_BLOCKS,
	ACTION_CRASH,
	ACTION_HEAR,   /* word */
	ACTION_INTENT, /* word: a proposal */
	ACTION_FETCH,  /* word: a proposal whose block is certified */
	ACTION_KINDS,
};

enum { ACTION_WORD_BITS = 10, ACTIONS_MAX = ACTION_KINDS << ACTION_WORD_BITS };

static inline uint32_t action_of(enum action_kind kind, uint32_t word)
{
	return (uint32_t)kind << ACTION_WORD_BITS | word;
}

/* What of a member is not in its core: the disk, and the observer's notes. */
struct notes {
	uint32_t member;
	uint32_t lives;
	uint64_t now_ns;
	bool is_writing;
	uint64_t ticket; /* of the record under way */
	struct hs_record disk;
	struct hs_record writing;
	uint32_t durable_count;
	uint16_t durable[DURABLE_MAX]; /* words */
	uint32_t pending_count;
	uint16_t pending[DURABLE_MAX];
	uint64_t pending_ticket[DURABLE_MAX];
	uint8_t voted[ROUNDS]; /* block + 1, over all lives */
	uint8_t committed_vote[ROUNDS];
	uint8_t timed_out[ROUNDS]; /* qc_view + 1 */
	uint8_t proposed[ROUNDS];
	uint8_t committed[ROUNDS]; /* by height: block + 1 */
};

/* A member alive: its core and its notes. */
struct bench {
	struct explore_words *words;
	struct hs_core *core;
	void *memory;
	struct notes notes;
	struct hs_effects effects;
	/* Of the action under way. */
	const char *failure;
	bool is_loud;
	bool is_live; /* one history only, so that evidence can be judged */
	uint32_t said_count;
	uint16_t said[SAID_MAX];
	uint32_t claim_count; /* certificates it sent or holds, which must be possible */
	uint16_t claim[SAID_MAX];
};

void bench_init(struct bench *bench, struct explore_words *words);
void bench_free(struct bench *bench);

/* START from record 0, recovery over, work to do. What it says at once is in `said`. */
void bench_boot(struct bench *bench, uint32_t member);

/* True when the member could do this; a word must be in the soup besides. */
bool bench_can(const struct bench *bench, uint32_t action);
void bench_act(struct bench *bench, uint32_t action);

/* A core that aborts (ensure) in bench_act() breaks a promise; it does not end the search. */
void bench_catch_aborts(bool is_on);

/* The image of core and notes, for bench_load(). Returns its bytes. */
size_t bench_save(const struct bench *bench, uint8_t *ret_image);
void bench_load(struct bench *bench, const uint8_t *image);
size_t bench_image_max(const struct bench *bench);

/* What distinguishes this local state from others, under a renaming. */
struct digest bench_digest(const struct bench *bench, const struct renaming *renaming);

/* Name of an action ("2:timer", "0:propose:1h"), and back: ACTIONS_MAX if there is none. */
void action_name(const struct explore_words *words, uint32_t member, uint32_t action,
		 char *ret_text, size_t room);
uint32_t action_parse(const struct explore_words *words, const char *text, uint32_t *ret_member);

/*
 * Members alive, all of them, for replay and audit. live_act() returns what is wrong, or NULL.
 */
struct live {
	struct explore_words *words;
	struct bench bench[EXPLORE_MEMBERS];
	struct soup soup;
};

const char *live_start(struct live *live, struct explore_words *words, bool is_loud);
bool live_can(const struct live *live, uint32_t member, uint32_t action);
const char *live_act(struct live *live, uint32_t member, uint32_t action);
void live_stop(struct live *live);

/* Agreement of committed chains, and of locks with what others committed. */
struct summary {
	uint8_t committed[ROUNDS];
	uint8_t high_block;
	uint8_t view;
	uint8_t lives;
	bool is_writing;
	bool has_pending;
};
struct summary bench_summary(const struct bench *bench);
const char *summaries_disagree(const struct explore_words *words, const struct summary *a,
			       const struct summary *b);

#endif
