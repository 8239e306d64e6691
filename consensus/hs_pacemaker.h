/*
 * hs_pacemaker: which view it is, since when, and how long it may take (§6).
 *
 * Model    Pure bookkeeping over times the caller passes in. A view's timer
 *          runs only while there is a reason (work, an uncommitted block, an
 *          overdue heartbeat); it starts at max(entry, that moment, the block
 *          interval floor) and lasts base x back-off, base = max(3 delta, 4 x
 *          p99 of recent views), at most timeout_max.
 * Back-off x 1.5 per failed view once so many have failed without a commit that f broken
 *          leaders and a spell of lost messages do not explain it; halved by a commit, which
 *          also renews the patience. Views are short then, so a base that is too short costs
 *          little, while a grown timer would outlive the faults it grew by.
 * Silent   A leader not heard for a round of views while a quorum was active
 *          gets a zero timer. A local decision, safe.
 * Source   PROTOCOL §5 A, §6; decision 0006.
 */
#ifndef QUORATE_CONSENSUS_HS_PACEMAKER_H
#define QUORATE_CONSENSUS_HS_PACEMAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/hs_core.h"

enum {
	HS_SAMPLES_MAX = 64,        /* recent views whose duration is remembered */
	HS_BACKOFF_ONE = 1024,      /* fixed point */
	HS_PATIENCE_VIEWS_MIN = 32, /* failed in a row before timers grow; replica_count if more */
	HS_SILENT_VIEWS_MIN = 8,    /* views without a word before a leader counts as silent */
	HS_INTERVAL_GROWTH_MAX = 8, /* the floor adapts up to this many times its minimum */
};

struct hs_pacemaker {
	uint64_t view;
	uint64_t entered_ns;
	enum hs_entry_kind entry; /* QC: it is the record's high_qc */
	struct hs_tc tc;          /* entry TC */
	uint64_t backoff;         /* in 1/HS_BACKOFF_ONE */
	uint64_t views_failed;
	uint64_t failed_in_a_row; /* since a commit; silent leaders left out; patience at most */
	uint64_t base_ns;         /* of the samples; 0: not computed yet */
	uint64_t sample_ns[HS_SAMPLES_MAX];
	uint32_t sample_leader[HS_SAMPLES_MAX];
	uint32_t sample_count;
	uint32_t sample_next;
	bool has_reason;
	uint64_t reason_since_ns;
	uint64_t last_block_ns;                /* a block was proposed or accepted here */
	uint64_t heard_view[HS_REPLICAS_MAX];  /* our view when we last heard this member */
	uint64_t answered_ns[HS_REPLICAS_MAX]; /* straggler answers: rate limit */
};

/* Starts in `view`, entered by nothing yet; everybody counts as heard. */
void hs_pacemaker_init(struct hs_pacemaker *pacemaker, uint64_t view, uint64_t now_ns);

/* Rule A: view = `view`, a higher one. `tc` is given for HS_ENTRY_TC and copied. */
void hs_pacemaker_enter(struct hs_pacemaker *pacemaker, const struct hs_config *config,
			uint64_t view, enum hs_entry_kind entry, const struct hs_tc *tc,
			uint64_t now_ns);

/* Tells whether there is a reason for the timer to run; remembers since when. */
void hs_pacemaker_reason(struct hs_pacemaker *pacemaker, bool has_reason, uint64_t now_ns);

void hs_pacemaker_on_commit(struct hs_pacemaker *pacemaker);
void hs_pacemaker_hear(struct hs_pacemaker *pacemaker, uint32_t author);
bool hs_pacemaker_is_silent(const struct hs_pacemaker *pacemaker, const struct hs_config *config,
			    uint32_t member);

/*
 * max(3 delta, 4 p99), at most timeout_max. The p99 leaves out the f slowest leaders: else one
 * Byzantine leader, always a little faster than the timer, would stretch everybody's to the limit.
 */
uint64_t hs_pacemaker_base_ns(const struct hs_pacemaker *pacemaker, const struct hs_config *config);

/* How long the current view may take from its timer's start; 0 for a silent leader's. */
uint64_t hs_pacemaker_timer_ns(const struct hs_pacemaker *pacemaker, const struct hs_config *config,
			       uint32_t leader);

/* When the timer fires, or UINT64_MAX while it does not run. */
uint64_t hs_pacemaker_deadline_ns(const struct hs_pacemaker *pacemaker,
				  const struct hs_config *config, uint32_t leader);

/*
 * Least time between blocks: the configured minimum, raised when recent views take longer than
 * the fastest of them did (twice the difference, a sign of a loaded core), eightfold at most.
 */
uint64_t hs_pacemaker_block_interval_ns(const struct hs_pacemaker *pacemaker,
					const struct hs_config *config);

/* True, and remembered, when `peer` may be answered now: at most four answers a delta. */
bool hs_pacemaker_may_answer(struct hs_pacemaker *pacemaker, const struct hs_config *config,
			     uint32_t peer, uint64_t now_ns);

#endif
