/* Also of mgmt_view_json.c. The node is played by the very functions a node uses. */
#define _GNU_SOURCE
#include "mgmt/mgmt_view.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "tests/lib/unit_main.h"

static char dir[64];
static struct mgmt_view view;
static struct ctl_page *page;
static struct ctl_block *block;
static struct ctl_status status;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void world_take(void)
{
	snprintf(dir, sizeof(dir), "/tmp/mgmt_view_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	UNIT_REQUIRE(mgmt_view_init(&view, dir) == 0);
	page = NULL;
}

static void world_give_back(void)
{
	char path[96];

	mgmt_view_fini(&view);
	ctl_shm_close(page);
	snprintf(path, sizeof(path), "%s/" CTL_SHM_FILE, dir);
	unlink(path);
	UNIT_EQUAL(rmdir(dir), 0);
}

static void node_boot(void)
{
	ctl_shm_close(page);
	UNIT_REQUIRE(ctl_shm_create(dir, &page) == 0);
	block = ctl_block_register(page, "core");
}

static void node_run(void)
{
	node_boot();
	ctl_block_beat(block, now_ns());
	status = (struct ctl_status){ .replica_id = 0, .replica_count = 4, .quorum = 3 };
	status.committed_height = 41;
	status.peer[1].is_up = 1;
	status.peer[2].is_up = 1;
	ctl_status_publish(&page->status, &status);
	ctl_metrics_set_state(page, CTL_STATE_RUN, NULL);
}

static bool is_ready(const char *expected_reason)
{
	struct mgmt_text reason = { 0 };
	bool ready;

	mgmt_view_refresh(&view);
	ready = mgmt_view_is_ready(&view, &reason);
	if (expected_reason)
		UNIT_CHECK(strstr(mgmt_text_of(&reason), expected_reason) != NULL);
	mgmt_text_fini(&reason);
	return ready;
}

static void verdict_is(enum mgmt_verdict verdict, bool is_healthy)
{
	struct mgmt_text reason = { 0 };

	mgmt_view_refresh(&view);
	UNIT_EQUAL(view.verdict, verdict);
	UNIT_CHECK(mgmt_view_is_healthy(&view, &reason) == is_healthy);
	UNIT_CHECK((reason.count == 0) == is_healthy);
	mgmt_text_fini(&reason);
}

static void a_node_that_never_ran_is_absent(void)
{
	world_take();
	verdict_is(MGMT_NODE_ABSENT, false);
	UNIT_CHECK(!is_ready("no node ran"));
	world_give_back();
}

static void a_booting_node_is_healthy_but_not_ready(void)
{
	world_take();
	node_boot();
	verdict_is(MGMT_NODE_BOOTING, true);
	UNIT_CHECK(!is_ready("booting"));
	world_give_back();
}

static void a_running_node_with_a_quorum_is_ready(void)
{
	world_take();
	node_run();
	verdict_is(MGMT_NODE_RUNNING, true);
	UNIT_CHECK(is_ready(NULL));
	world_give_back();
}

static void without_quorum_as_observer_or_catching_up_it_is_not_ready(void)
{
	world_take();
	node_run();
	status.peer[2].is_up = 0;
	ctl_status_publish(&page->status, &status);
	UNIT_CHECK(!is_ready("2 of 4 members up, need 3"));
	status.is_catching_up = 1;
	ctl_status_publish(&page->status, &status);
	UNIT_CHECK(!is_ready("catching up, at height 41"));
	status.is_observer = 1;
	memcpy(status.observer_reason, "no safety record", 17);
	ctl_status_publish(&page->status, &status);
	UNIT_CHECK(!is_ready("observer: no safety record"));
	world_give_back();
}

static void a_late_heartbeat_of_any_tile_means_hung(void)
{
	world_take();
	node_run();
	ctl_block_beat(ctl_block_register(page, "store"),
		       now_ns() - MGMT_HEARTBEAT_LATE_NS - UNITS_NS_PER_MS);
	verdict_is(MGMT_NODE_HUNG, false);
	UNIT_CHECK(!is_ready("heartbeat"));
	world_give_back();
}

static void a_tile_that_never_beat_is_starting_but_not_for_ever(void)
{
	world_take();
	node_run();
	ctl_block_register(page, "store");
	page->header.started_ns = now_ns();
	verdict_is(MGMT_NODE_BOOTING, true);
	page->header.started_ns = now_ns() - 61 * UNITS_NS_PER_S;
	verdict_is(MGMT_NODE_HUNG, false);
	world_give_back();
}

static void a_killed_node_nobody_reaped_is_dead(void)
{
	siginfo_t info;
	pid_t child;

	world_take();
	child = fork();
	if (child == 0) {
		node_run();
		raise(SIGKILL);
	}
	UNIT_REQUIRE(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	verdict_is(MGMT_NODE_DEAD, false);
	waitpid(child, NULL, 0);
	world_give_back();
}

static void a_stopped_and_a_failed_node_say_so(void)
{
	world_take();
	node_run();
	ctl_metrics_set_state(page, CTL_STATE_HALT, NULL);
	verdict_is(MGMT_NODE_HALTED, false);
	ctl_metrics_set_state(page, CTL_STATE_FAIL, "disk gone");
	verdict_is(MGMT_NODE_FAILED, false);
	UNIT_CHECK(!is_ready("disk gone"));
	world_give_back();
}

static void a_killed_node_is_dead_and_a_restarted_one_is_seen_at_once(void)
{
	int status_of = 0;
	pid_t child;

	world_take();
	child = fork();
	if (child == 0) {
		node_run();
		raise(SIGKILL);
	}
	UNIT_REQUIRE(waitpid(child, &status_of, 0) == child && WIFSIGNALED(status_of));
	verdict_is(MGMT_NODE_DEAD, false);
	uint64_t generation = view.shm.page->header.generation;

	node_run();
	verdict_is(MGMT_NODE_RUNNING, true);
	UNIT_CHECK(view.shm.page->header.generation != generation);
	world_give_back();
}

static void a_page_of_another_version_is_foreign_not_misread(void)
{
	world_take();
	node_run();
	page->header.layout_hash ^= 1;
	verdict_is(MGMT_NODE_FOREIGN, false);
	UNIT_CHECK(!is_ready("another version"));
	world_give_back();
}

static void metrics_of_a_dead_node_say_down_and_nothing_else(void)
{
	struct mgmt_text text = { 0 };

	world_take();
	node_run();
	mgmt_view_refresh(&view);
	mgmt_view_metrics(&view, &text);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "\nquorate_up 1\n") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "\nquorate_view 0\n") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "quorate_peer_up{peer=\"2\"} 1\n") != NULL);
	ctl_metrics_set_state(page, CTL_STATE_HALT, NULL);
	mgmt_text_clear(&text);
	mgmt_view_refresh(&view);
	mgmt_view_metrics(&view, &text);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "\nquorate_up 0\n") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "quorate_node_state{state=\"halted\"} 1\n") != NULL);
	UNIT_CHECK(strstr(mgmt_text_of(&text), "quorate_view") == NULL);
	mgmt_text_fini(&text);
	world_give_back();
}

static json_t *status_json(void)
{
	struct mgmt_text text = { 0 };

	mgmt_view_refresh(&view);
	mgmt_view_status_json(&view, &text);
	json_t *root = json_loads(mgmt_text_of(&text), JSON_REJECT_DUPLICATES, NULL);

	mgmt_text_fini(&text);
	UNIT_REQUIRE(root != NULL);
	return root;
}

static json_int_t number_at(const json_t *root, const char *object, const char *key)
{
	const json_t *value = json_object_get(json_object_get(root, object), key);

	UNIT_CHECK(json_is_integer(value));
	return json_integer_value(value);
}

static void the_status_is_json_with_order_peers_and_drops(void)
{
	static const char *const labels[] = { "stale", "forged" };
	const struct ctl_family_config config = { .name = "quorate_drops_total",
						  .label_key = "reason",
						  .help = "h",
						  .labels = labels,
						  .label_count = 2 };

	world_take();
	node_run();
	ctl_family_add(ctl_family_register(page, block, &config), 1, 2);
	ctl_family_add(ctl_family_register(page, block, &config), 1, 3);
	ctl_histogram_add(block, CTL_HISTOGRAM_FINALITY, 1000000);
	json_t *root = status_json();

	UNIT_CHECK(json_is_true(json_object_get(root, "ready")));
	UNIT_EQUAL(number_at(root, "order", "committed_height"), 41);
	UNIT_EQUAL(number_at(root, "node", "pid"), getpid());
	UNIT_EQUAL(number_at(root, "drops", "forged"), 5);
	UNIT_CHECK(json_object_get(json_object_get(root, "drops"), "stale") == NULL);
	UNIT_EQUAL(number_at(root, "finality", "p99_us"), 1000);
	UNIT_EQUAL(json_array_size(json_object_get(root, "peers")), 3);
	UNIT_EQUAL(json_array_size(json_object_get(root, "lanes")), 4);
	json_decref(root);
	world_give_back();
}

static void the_status_of_no_node_is_json_too(void)
{
	world_take();
	json_t *root = status_json();

	UNIT_CHECK(strcmp(json_string_value(json_object_get(root, "state")), "absent") == 0);
	UNIT_CHECK(json_is_false(json_object_get(root, "healthy")));
	json_decref(root);
	world_give_back();
}

UNIT_SUITE("mgmt_view", UNIT_TEST(a_node_that_never_ran_is_absent),
	   UNIT_TEST(a_booting_node_is_healthy_but_not_ready),
	   UNIT_TEST(a_running_node_with_a_quorum_is_ready),
	   UNIT_TEST(without_quorum_as_observer_or_catching_up_it_is_not_ready),
	   UNIT_TEST(a_late_heartbeat_of_any_tile_means_hung),
	   UNIT_TEST(a_tile_that_never_beat_is_starting_but_not_for_ever),
	   UNIT_TEST(a_killed_node_nobody_reaped_is_dead),
	   UNIT_TEST(a_stopped_and_a_failed_node_say_so),
	   UNIT_TEST(a_killed_node_is_dead_and_a_restarted_one_is_seen_at_once),
	   UNIT_TEST(a_page_of_another_version_is_foreign_not_misread),
	   UNIT_TEST(metrics_of_a_dead_node_say_down_and_nothing_else),
	   UNIT_TEST(the_status_is_json_with_order_peers_and_drops),
	   UNIT_TEST(the_status_of_no_node_is_json_too))
