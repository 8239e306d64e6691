/*
 * After healing: how soon blocks commit, and whether the cluster turns in circles.
 *
 * A lasso is a state that comes back although nothing was committed in between. Two kinds:
 * frozen, where not even a timer moves anything; and a cycle, where views go by and each
 * rotation of leaders finds the healthy replicas where they stood.
 *
 * How soon is counted in base time-outs: the longest that any healthy replica has at healing,
 * max(3 delta, 4 p99 of its recent views), without the back-off its timers have grown by. Views
 * under way when a quorum is ready (below) belong to the recent ones: how long the faults made
 * them is known when they end. It ends when a block is delivered that was proposed after healing.
 * It begins at healing, or with the first work after that (a block nobody waited for took no time).
 *
 * The bound, on the first commit of such a block at any healthy replica, is four of them with one
 * faulty replica, and one more for each further one, since each may be the leader next in turn
 * and cost a time-out. It does not run before a quorum is ready: healthy, its disks done with
 * what they began before healing, every block delivered there that anybody had delivered by then,
 * and every batch stored that f + 1 had stored. Earlier no time-out can help: a delay is still
 * unbounded, or data has to travel before a quorum can vote. Where timers had grown beyond the
 * base by healing, because more views failed in a row than hs_pacemaker bears, as many of the
 * longest of them are allowed. A seed beyond the bound fails.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim_check.h"

enum {
	STATES_MAX = 1024,
	ROUNDS_MAX = 6, /* times a state may come back */
	FROZEN_MAX = 3, /* samples in a row without any change */
};

static const uint64_t CYCLE_SAMPLE_NS = 10 * UNITS_NS_PER_MS;
static const uint64_t FROZEN_SAMPLE_NS = UNITS_NS_PER_S;
static const uint64_t READY_SAMPLE_NS = UNITS_NS_PER_MS / 2;
static const uint64_t PATIENCE_NS = 200 * UNITS_NS_PER_MS; /* without a commit, before looking */

struct seen {
	uint64_t state;
	uint32_t times;
};

struct sim_lasso {
	uint64_t healed_ns;
	uint64_t healed_height;
	uint64_t work_ns; /* when there was something to commit; UINT64_MAX: not yet */
	uint64_t busy_ns[SIM_SLOTS_MAX]; /* until then a disk does what it began before */
	uint64_t ready_ns;               /* a quorum is; UINT64_MAX: not yet */
	uint64_t look_ns;
	uint64_t needed_seq[HS_REPLICAS_MAX];
	uint64_t ready_view[SIM_SLOTS_MAX]; /* in which a replica was when a quorum became ready */
	bool is_measured[SIM_SLOTS_MAX];    /* it has left that view */
	uint64_t timer_ns;
	uint64_t base_ns;
	uint64_t commit_ns; /* 0: none yet */
	uint64_t fresh_ns;
	bool is_judged; /* whether it healed in time */
	uint32_t broken;
	uint64_t height; /* of the last look, and when it rose */
	uint64_t height_ns;
	uint64_t cycle_ns; /* next samples */
	uint64_t frozen_ns;
	uint64_t view;
	struct seen seen[STATES_MAX];
	uint32_t seen_count;
	uint64_t frozen_state;
	uint32_t frozen_times;
};

static bool is_healthy(const struct sim *sim, const struct sim_node *node)
{
	return sim_is_sound(sim, node) && node->is_up;
}

static bool has_work(const struct replica_status *status, uint32_t lanes)
{
	for (uint32_t i = 0; i < lanes; i++)
		if (status->lanes.stored_seq[i] > status->lanes.committed_seq[i])
			return true;
	return false;
}

static int compare_falling(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left < right) - (left > right);
}

/* What of a lane a cut may name: f + 1 healthy replicas have stored it. */
static uint64_t needed_seq(const struct sim *sim, uint32_t lane)
{
	uint64_t stored_seq[SIM_SLOTS_MAX] = { 0 };

	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		if (!is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		stored_seq[i] = status.lanes.stored_seq[lane];
	}
	qsort(stored_seq, sim->slots, sizeof(stored_seq[0]), compare_falling);
	return stored_seq[hs_faulty_max(sim->knobs.n)];
}

static bool is_ready(const struct sim *sim, const struct sim_node *node)
{
	const struct sim_lasso *lasso = sim->lasso;
	struct replica_status status;

	if (!is_healthy(sim, node) || sim->clock.now_ns < lasso->busy_ns[node->slot] ||
	    node->delivered_height < lasso->healed_height)
		return false;
	replica_status(node->replica, &status);
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (status.lanes.stored_seq[i] < lasso->needed_seq[i])
			return false;
	return true;
}

static void look_for_quorum(const struct sim *sim, struct sim_lasso *lasso)
{
	uint32_t ready = 0;

	lasso->look_ns = sim->clock.now_ns + READY_SAMPLE_NS;
	for (uint32_t i = 0; i < sim->slots; i++)
		ready += is_ready(sim, &sim->nodes[i]);
	if (ready >= hs_quorum(sim->knobs.n))
		lasso->ready_ns = sim->clock.now_ns;
}

/* How long a view took is known when it ends: the faults also drew out those under way. */
static void look_at_bases(const struct sim *sim, struct sim_lasso *lasso)
{
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		if (lasso->is_measured[i] || !is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		lasso->base_ns = units_max(lasso->base_ns, status.view.base_ns);
		if (lasso->ready_ns == UINT64_MAX)
			lasso->ready_view[i] = status.view.view;
		lasso->is_measured[i] = status.view.view > lasso->ready_view[i];
	}
}

void sim_lasso_heal(struct sim *sim)
{
	struct sim_lasso *lasso = calloc(1, sizeof(*lasso));

	ensure(lasso);
	sim->lasso = lasso;
	*lasso = (struct sim_lasso){
		.healed_ns = sim->clock.now_ns,
		.healed_height = sim_check_height(sim),
		.work_ns = UINT64_MAX,
		.ready_ns = UINT64_MAX,
		.base_ns = units_multiply(sim->knobs.delta_ns, 3),
		.height = sim_check_height(sim),
		.height_ns = sim->clock.now_ns,
		.cycle_ns = sim->clock.now_ns,
		.frozen_ns = sim->clock.now_ns + FROZEN_SAMPLE_NS,
	};
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		lasso->broken += sim->nodes[i].is_broken;
		lasso->busy_ns[i] = sim_disk_busy_until_ns(sim->nodes[i].disk);
		if (!is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		lasso->timer_ns = units_max(lasso->timer_ns, status.view.timer_ns);
		lasso->base_ns = units_max(lasso->base_ns, status.view.base_ns);
		if (has_work(&status, sim->knobs.n))
			sim_lasso_work(sim);
	}
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		lasso->needed_seq[i] = needed_seq(sim, i);
}

void sim_lasso_work(struct sim *sim)
{
	if (sim->lasso && sim->lasso->work_ns == UINT64_MAX)
		sim->lasso->work_ns = sim->clock.now_ns;
}

/* ---- states ---- */

static uint64_t stir(uint64_t state, uint64_t word)
{
	state = (state ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return state ^ state >> 32;
}

static uint64_t highest_view(const struct sim *sim, uint64_t *ret_high_qc)
{
	uint64_t view = 0;

	*ret_high_qc = 0;
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		if (!is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		view = units_max(view, status.view.view);
		*ret_high_qc = units_max(*ret_high_qc, status.view.high_qc_view);
	}
	return view;
}

static uint64_t lanes_of(const struct sim *sim, const struct replica_status *status, uint64_t state)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		state = stir(state, status->lanes.stored_seq[i]);
		state = stir(state, status->lanes.committed_seq[i]);
	}
	return state;
}

/* Views count from the highest one, so that a rotation later looks the same. */
static uint64_t relative_state(const struct sim *sim, uint64_t view, uint64_t high_qc)
{
	uint64_t state = stir(0, view % sim->knobs.n);

	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		state = stir(state, i);
		if (!is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		state = stir(state, view - status.view.view);
		state = stir(state, high_qc - status.view.high_qc_view);
		state = stir(state, status.view.committed_height);
		state = stir(state, status.view.is_observer);
		state = stir(state, status.delivered_height);
		state = lanes_of(sim, &status, state);
	}
	return state;
}

static uint64_t absolute_state(const struct sim *sim)
{
	uint64_t state = stir(0, sim->frames_final);

	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		if (!is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		state = stir(state, status.view.view);
		state = stir(state, status.view.high_qc_view);
		state = stir(state, status.view.last_vote_view);
		state = stir(state, status.view.last_timeout_view);
		state = stir(state, status.view.committed_height);
		state = stir(state, status.delivered_height);
		state = lanes_of(sim, &status, state);
	}
	return state;
}

/* ---- verdicts ---- */

static void look_for_cycle(struct sim *sim, struct sim_lasso *lasso)
{
	uint64_t high_qc;
	uint64_t view = highest_view(sim, &high_qc);
	uint64_t state;
	uint32_t i = 0;

	lasso->cycle_ns = sim->clock.now_ns + CYCLE_SAMPLE_NS;
	if (view == lasso->view)
		return;
	lasso->view = view;
	state = relative_state(sim, view, high_qc);
	while (i < lasso->seen_count && lasso->seen[i].state != state)
		i++;
	if (i == STATES_MAX)
		return;
	if (i == lasso->seen_count)
		lasso->seen[lasso->seen_count++] = (struct seen){ .state = state };
	if (++lasso->seen[i].times > ROUNDS_MAX) {
		sim_report(sim);
		sim_fail(sim, "lasso: views turn in a circle and commit nothing, height %llu",
			 (unsigned long long)lasso->height);
	}
}

static void look_for_ice(struct sim *sim, struct sim_lasso *lasso)
{
	uint64_t state = absolute_state(sim);

	lasso->frozen_ns = sim->clock.now_ns + FROZEN_SAMPLE_NS;
	lasso->frozen_times = state == lasso->frozen_state ? lasso->frozen_times + 1 : 0;
	lasso->frozen_state = state;
	if (lasso->frozen_times >= FROZEN_MAX) {
		sim_report(sim);
		sim_fail(sim, "lasso: the healed cluster stands still, height %llu",
			 (unsigned long long)lasso->height);
	}
}

/* A block proposed after healing is committed, if not yet delivered. */
static bool has_fresh_commit(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->slots; i++) {
		struct replica_status status;

		if (!is_healthy(sim, &sim->nodes[i]))
			continue;
		replica_status(sim->nodes[i].replica, &status);
		if (status.view.committed_height > sim->lasso->healed_height &&
		    check_block_find(sim->check, &status.view.committed_id)->is_fresh)
			return true;
	}
	return false;
}

static void judge_healing(struct sim *sim, struct sim_lasso *lasso)
{
	uint64_t from_ns = units_max(lasso->work_ns, lasso->ready_ns);
	uint64_t took_ns = sim->clock.now_ns - units_min(sim->clock.now_ns, from_ns);
	uint64_t timer_ns = units_max(lasso->base_ns, lasso->timer_ns);
	uint32_t timeouts = SIM_HEAL_TIMEOUTS - 1 + hs_faulty_max(sim->knobs.n);

	if (lasso->is_judged || !has_fresh_commit(sim))
		return;
	lasso->is_judged = true;
	if (took_ns <= units_multiply(timer_ns, timeouts))
		return;
	sim_report(sim);
	sim_fail(sim,
		 "healed too slowly: %.1f ms to the first commit of a new block, more than %u "
		 "time-outs; the longest base at healing was %.1f ms, the longest timer %.1f ms",
		 (double)took_ns / 1e6, timeouts, (double)lasso->base_ns / 1e6,
		 (double)lasso->timer_ns / 1e6);
}

static void note_commit(struct sim *sim, struct sim_lasso *lasso)
{
	uint64_t height = sim_check_height(sim);

	if (height == lasso->height)
		return;
	lasso->height = height;
	lasso->height_ns = sim->clock.now_ns;
	lasso->seen_count = 0;
	if (lasso->commit_ns == 0)
		lasso->commit_ns = sim->clock.now_ns;
	if (lasso->fresh_ns == 0 && sim_check_fresh_height(sim) > 0)
		lasso->fresh_ns = sim->clock.now_ns;
}

/* Before, views pass for want of a write that a fault made slow, and nothing else changes. */
static bool are_disks_done(const struct sim *sim, const struct sim_lasso *lasso)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < sim->slots; i++)
		done += is_healthy(sim, &sim->nodes[i]) && sim->clock.now_ns >= lasso->busy_ns[i];
	return done >= hs_quorum(sim->knobs.n);
}

void sim_lasso_step(struct sim *sim)
{
	struct sim_lasso *lasso = sim->lasso;

	if (lasso->ready_ns == UINT64_MAX && sim->clock.now_ns >= lasso->look_ns)
		look_for_quorum(sim, lasso);
	if (!lasso->is_judged)
		look_at_bases(sim, lasso);
	judge_healing(sim, lasso);
	note_commit(sim, lasso);
	if (sim->clock.now_ns >= lasso->cycle_ns && are_disks_done(sim, lasso) &&
	    sim->clock.now_ns > lasso->height_ns + PATIENCE_NS)
		look_for_cycle(sim, lasso);
	if (sim->clock.now_ns >= lasso->frozen_ns)
		look_for_ice(sim, lasso);
}

static uint64_t since(const struct sim_lasso *lasso, uint64_t at_ns)
{
	return at_ns - units_min(at_ns, lasso->work_ns);
}

void sim_lasso_report(const struct sim *sim, struct sim_heal *ret_heal)
{
	const struct sim_lasso *lasso = sim->lasso;

	*ret_heal = (struct sim_heal){ 0 };
	if (!lasso)
		return;
	*ret_heal = (struct sim_heal){
		.is_known = lasso->fresh_ns > 0,
		.commit_ns = since(lasso, lasso->commit_ns),
		.fresh_ns = since(lasso, lasso->fresh_ns),
		.wait_ns = since(lasso, units_min(lasso->ready_ns, lasso->fresh_ns)),
		.timer_ns = lasso->timer_ns,
		.base_ns = lasso->base_ns,
		.broken = lasso->broken,
	};
	SOMETIMES(lasso->timer_ns > 500 * UNITS_NS_PER_MS,
		  "healed: with view timers grown above 500 ms");
	SOMETIMES(lasso->work_ns > lasso->healed_ns, "healed: while idle");
	SOMETIMES(lasso->commit_ns < lasso->fresh_ns, "healed: an old block committed first");
}

void sim_lasso_fini(struct sim *sim)
{
	free(sim->lasso);
	sim->lasso = NULL;
}
