/*
 * ctl_writer: what a node does to its shared page, and nothing else.
 *
 * usage: ctl_writer RUN_DIR
 *
 * Runs until SIGTERM, beats its heart and counts; then halts in order.
 *
 * For tests of what looks at a node from outside, when the node itself is not the point.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/units.h"
#include "ctl/ctl_shm.h"

static volatile sig_atomic_t is_over;

static void on_stop(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void run(struct ctl_page *page)
{
	static const char *const reasons[] = { "stale", "forged" };
	static struct ctl_status status = { .replica_id = 2, .replica_count = 4, .quorum = 3 };
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	struct ctl_block *block = ctl_block_register(page, "core");
	struct ctl_family *drops = ctl_family_register(
		page, block,
		&(struct ctl_family_config){ .name = "quorate_drops_total",
					     .label_key = "reason",
					     .help = "Messages dropped, by reason.",
					     .labels = reasons,
					     .label_count = UNITS_COUNT(reasons) });

	status.peer[0].is_up = 1;
	status.peer[1].is_up = 1;
	ctl_block_beat(block, now_ns());
	ctl_metrics_set_state(page, CTL_STATE_RUN, NULL);
	while (!is_over) {
		status.committed_height++;
		ctl_metric_set(block, CTL_METRIC_COMMITTED_HEIGHT, status.committed_height);
		ctl_metric_add(block, CTL_METRIC_TRANSACTIONS_FINAL, 10);
		ctl_histogram_add(block, CTL_HISTOGRAM_FINALITY, 2000000);
		ctl_family_add(drops, 1, 1);
		ctl_status_publish(&page->status, &status);
		ctl_block_beat(block, now_ns());
		nanosleep(&pause, NULL);
	}
	ctl_metrics_set_state(page, CTL_STATE_HALT, NULL);
}

int main(int argc, char **argv)
{
	struct ctl_page *page = NULL;
	int result;

	if (argc != 2) {
		fprintf(stderr, "usage: ctl_writer RUN_DIR\n");
		return 2;
	}
	signal(SIGTERM, on_stop);
	result = ctl_shm_create(argv[1], &page);
	if (result != 0) {
		fprintf(stderr, "ctl_writer: %s: %s\n", argv[1], err_text(result));
		return 1;
	}
	run(page);
	ctl_shm_close(page);
	return 0;
}
