#define _GNU_SOURCE
#include "mgmt/mgmt_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/units.h"
#include "mgmt/mgmt_process.h"
#include "mgmt/mgmt_prometheus.h"

#define MGMT_START_NS (60 * UNITS_NS_PER_S)

int mgmt_view_init(struct mgmt_view *view, const char *run_dir)
{
	*view = (struct mgmt_view){ 0 };
	if (strlen(run_dir) >= sizeof(view->run_dir))
		return ERR_OVERSIZE;
	memcpy(view->run_dir, run_dir, strlen(run_dir) + 1);
	return 0;
}

void mgmt_view_fini(struct mgmt_view *view)
{
	ctl_shm_unmap(&view->shm);
}

static void mgmt_judge(struct mgmt_view *view, enum mgmt_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void mgmt_judge(struct mgmt_view *view, enum mgmt_verdict verdict, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(view->reason, sizeof(view->reason), format, arguments);
	va_end(arguments);
	view->verdict = verdict;
}

/* Maps the page, or the new page of a restarted node. False: there is none to read. */
static bool mgmt_view_remap(struct mgmt_view *view)
{
	if (view->shm.page && ctl_shm_is_current(&view->shm, view->run_dir))
		return true;
	ctl_shm_unmap(&view->shm);

	int result = ctl_shm_map(view->run_dir, &view->shm);

	if (result == 0)
		return true;
	if (result == -ENOENT || result == -ENOTDIR)
		mgmt_judge(view, MGMT_NODE_ABSENT,
			   "no node ran in %s yet; start quorated, or give its run_dir",
			   view->run_dir);
	else if (result == ERR_UNSUPPORTED)
		mgmt_judge(view, MGMT_NODE_FOREIGN,
			   "the node in %s is of another version; use programs of one release",
			   view->run_dir);
	else
		mgmt_judge(view, MGMT_NODE_FOREIGN, "%s/" CTL_SHM_FILE ": %s", view->run_dir,
			   err_text(result));
	return false;
}

static void mgmt_judge_living(struct mgmt_view *view, const struct ctl_page *page, uint32_t state)
{
	uint64_t heartbeat_ns = ctl_metrics_heartbeat_ns(page);

	if (mgmt_process_is_gone((int)page->header.pid)) {
		mgmt_judge(view, MGMT_NODE_DEAD,
			   "process %" PRIu32 " is gone without an orderly stop; start it again",
			   page->header.pid);
		return;
	}
	/* A tile that never beat yet is starting, too, but not for ever. */
	if (state == CTL_STATE_BOOT ||
	    (heartbeat_ns == 0 && view->now_ns - page->header.started_ns < MGMT_START_NS)) {
		mgmt_judge(view, MGMT_NODE_BOOTING, "starting: recovery, ports, sessions");
		return;
	}
	if (heartbeat_ns == 0)
		heartbeat_ns = page->header.started_ns;
	view->heartbeat_age_ns = view->now_ns > heartbeat_ns ? view->now_ns - heartbeat_ns : 0;
	if (view->heartbeat_age_ns > MGMT_HEARTBEAT_LATE_NS) {
		mgmt_judge(view, MGMT_NODE_HUNG,
			   "heartbeat is %" PRIu64 " ms old (limit %" PRIu64
			   "); the node hangs or gets no processor time",
			   view->heartbeat_age_ns / UNITS_NS_PER_MS,
			   MGMT_HEARTBEAT_LATE_NS / UNITS_NS_PER_MS);
		return;
	}
	mgmt_judge(view, MGMT_NODE_RUNNING, "%s", "");
}

void mgmt_view_refresh(struct mgmt_view *view)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	view->now_ns = (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
	view->heartbeat_age_ns = 0;
	view->has_status = false;
	if (!mgmt_view_remap(view))
		return;

	const struct ctl_page *page = view->shm.page;
	uint32_t state = __atomic_load_n(&page->header.state, __ATOMIC_ACQUIRE);

	view->has_status = ctl_status_read(&page->status, &view->status) == 0;
	if (state == CTL_STATE_HALT)
		mgmt_judge(view, MGMT_NODE_HALTED, "stopped in order; start quorated to go on");
	else if (state == CTL_STATE_FAIL)
		mgmt_judge(view, MGMT_NODE_FAILED, "stopped itself: %.*s",
			   (int)sizeof(page->header.reason), page->header.reason);
	else
		mgmt_judge_living(view, page, state);
}

const char *mgmt_verdict_name(enum mgmt_verdict verdict)
{
	switch (verdict) {
	case MGMT_NODE_ABSENT:
		return "absent";
	case MGMT_NODE_FOREIGN:
		return "foreign";
	case MGMT_NODE_DEAD:
		return "dead";
	case MGMT_NODE_HALTED:
		return "halted";
	case MGMT_NODE_FAILED:
		return "failed";
	case MGMT_NODE_HUNG:
		return "hung";
	case MGMT_NODE_BOOTING:
		return "booting";
	case MGMT_NODE_RUNNING:
		return "running";
	}
	return "unknown";
}

bool mgmt_view_is_healthy(const struct mgmt_view *view, struct mgmt_text *ret_reason)
{
	if (view->verdict == MGMT_NODE_RUNNING || view->verdict == MGMT_NODE_BOOTING)
		return true;
	mgmt_text_print(ret_reason, "%s: %s", mgmt_verdict_name(view->verdict), view->reason);
	return false;
}

static uint32_t mgmt_voices_up(const struct ctl_status *status)
{
	uint32_t up = 1;

	for (uint32_t i = 0; i < status->replica_count && i < CTL_REPLICAS_MAX; i++)
		up += i != status->replica_id && status->peer[i].is_up;
	return up;
}

bool mgmt_view_is_ready(const struct mgmt_view *view, struct mgmt_text *ret_reason)
{
	const struct ctl_status *status = &view->status;

	if (view->verdict != MGMT_NODE_RUNNING)
		mgmt_text_print(ret_reason, "%s: %s", mgmt_verdict_name(view->verdict),
				view->reason);
	else if (!view->has_status)
		mgmt_text_string(ret_reason, "the node has not published its status yet");
	else if (status->is_observer)
		mgmt_text_print(ret_reason, "observer: %s", status->observer_reason);
	else if (status->is_catching_up)
		mgmt_text_print(ret_reason, "catching up, at height %" PRIu64,
				status->committed_height);
	else if (mgmt_voices_up(status) < status->quorum)
		mgmt_text_print(ret_reason, "%" PRIu32 " of %" PRIu32 " members up, need %" PRIu32,
				mgmt_voices_up(status), status->replica_count, status->quorum);
	else
		return true;
	return false;
}

void mgmt_view_sentence(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	const struct ctl_status *status = &view->status;
	struct mgmt_text reason = { 0 };

	if (!mgmt_view_is_healthy(view, &reason))
		mgmt_text_print(ret_text, "DOWN  %s", mgmt_text_of(&reason));
	else if (!mgmt_view_is_ready(view, &reason))
		mgmt_text_print(ret_text, "NOT READY  %s", mgmt_text_of(&reason));
	else
		mgmt_text_print(ret_text,
				"HEALTHY  height %" PRIu64 "  %" PRIu32 "/%" PRIu32
				" up  leader n%" PRIu32 "  final transactions %" PRIu64,
				status->committed_height, mgmt_voices_up(status),
				status->replica_count, status->leader, status->transactions_final);
	mgmt_text_fini(&reason);
}

static void mgmt_put_gauge(struct mgmt_prometheus *writer, const char *name, const char *help,
			   enum ctl_unit unit, uint64_t value)
{
	mgmt_prometheus_family(writer, name, CTL_KIND_GAUGE, help);
	mgmt_prometheus_sample(writer, unit, value);
}

/* A dead node's last values are not served: a scraper would take them for living ones. */
void mgmt_view_metrics(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	struct mgmt_prometheus writer;
	bool is_alive = view->verdict >= MGMT_NODE_HUNG;

	mgmt_prometheus_init(&writer, ret_text);
	mgmt_put_gauge(&writer, "quorate_up", "1 when the node runs and its heartbeat is fresh.",
		       CTL_UNIT_ONE, view->verdict == MGMT_NODE_RUNNING);
	mgmt_prometheus_family(&writer, "quorate_node_state", CTL_KIND_GAUGE,
			       "1 at the state the node is in.");
	for (int i = MGMT_NODE_ABSENT; i <= MGMT_NODE_RUNNING; i++) {
		mgmt_prometheus_label(&writer, "state", mgmt_verdict_name((enum mgmt_verdict)i));
		mgmt_prometheus_sample(&writer, CTL_UNIT_ONE, (int)view->verdict == i);
	}
	if (is_alive) {
		const struct ctl_page *page = view->shm.page;

		mgmt_put_gauge(&writer, "quorate_heartbeat_age_seconds",
			       "Age of the oldest heartbeat of the node's tiles.", CTL_UNIT_SECONDS,
			       view->heartbeat_age_ns);
		mgmt_put_gauge(&writer, "quorate_start_time_seconds",
			       "When the node was started, since the Unix epoch.", CTL_UNIT_SECONDS,
			       page->header.started_unix_ns);
		mgmt_prometheus_page(&writer, page);
	}
	if (is_alive && view->has_status)
		mgmt_prometheus_status(&writer, &view->status);
	mgmt_prometheus_fini(&writer);
}
