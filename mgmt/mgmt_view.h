/*
 * mgmt_view: one node seen from outside, through its shared page.
 *
 * mgmt_view_refresh() is called before each answer: it maps the page when a
 * node (or a new one) is there, copies the status and judges. The node may be
 * absent, starting, stopped, killed, hung or of another version at any time;
 * each of these is a verdict with a reason and a remedy, none is an error.
 *
 * Threads  One owner. The node never notices.
 * Units    Nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef QUORATE_MGMT_VIEW_H
#define QUORATE_MGMT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl_shm.h"
#include "mgmt/mgmt_text.h"

#define MGMT_HEARTBEAT_LATE_NS UINT64_C(3000000000)

enum mgmt_verdict {
	MGMT_NODE_ABSENT,  /* no page: never started here */
	MGMT_NODE_FOREIGN, /* a page this build cannot read */
	MGMT_NODE_DEAD,    /* its process is gone without saying goodbye */
	MGMT_NODE_HALTED,  /* stopped in order */
	MGMT_NODE_FAILED,  /* stopped itself and says why */
	MGMT_NODE_HUNG,    /* alive, but a tile's heartbeat is late */
	MGMT_NODE_BOOTING,
	MGMT_NODE_RUNNING,
};

struct mgmt_view {
	char run_dir[CTL_PATH_BYTES];
	struct ctl_shm_view shm; /* page NULL: nothing mapped */
	enum mgmt_verdict verdict;
	uint64_t now_ns;
	uint64_t heartbeat_age_ns; /* of the latest tile; 0 unless running or hung */
	bool has_status;
	struct ctl_status status;
	char reason[256]; /* one line: cause and remedy; "" when running */
};

/* Returns 0 or ERR_OVERSIZE for a path that is too long. Maps nothing yet. */
int mgmt_view_init(struct mgmt_view *view, const char *run_dir);
void mgmt_view_fini(struct mgmt_view *view);

void mgmt_view_refresh(struct mgmt_view *view);

/* Returns "running", "booting" ... */
const char *mgmt_verdict_name(enum mgmt_verdict verdict);

/* True when the process lives and makes progress; else `ret_reason` says why not. */
bool mgmt_view_is_healthy(const struct mgmt_view *view, struct mgmt_text *ret_reason);

/* True when the node takes part in the order: no observer, not catching up, a quorum up. */
bool mgmt_view_is_ready(const struct mgmt_view *view, struct mgmt_text *ret_reason);

/* Writes the answer to /metrics. */
void mgmt_view_metrics(const struct mgmt_view *view, struct mgmt_text *ret_text);

/* Writes the answer to /v1/status, one JSON object, and a line feed. */
void mgmt_view_status_json(const struct mgmt_view *view, struct mgmt_text *ret_text);

/* Writes one sentence: what is, and if something is wrong, what. */
void mgmt_view_sentence(const struct mgmt_view *view, struct mgmt_text *ret_text);

#endif
