#include "consensus/hs_pacemaker.h"

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"

static void hs_pacemaker_hear_all(struct hs_pacemaker *pacemaker)
{
	for (uint32_t i = 0; i < HS_REPLICAS_MAX; i++)
		pacemaker->heard_view[i] = pacemaker->view;
}

void hs_pacemaker_init(struct hs_pacemaker *pacemaker, uint64_t view, uint64_t now_ns)
{
	memset(pacemaker, 0, sizeof(*pacemaker));
	pacemaker->view = view;
	hs_pacemaker_hear_all(pacemaker);
	pacemaker->entered_ns = now_ns;
	pacemaker->entry = HS_ENTRY_NONE;
	pacemaker->backoff = HS_BACKOFF_ONE;
	pacemaker->last_block_ns = now_ns;
}

static uint64_t hs_pacemaker_silent_views(const struct hs_config *config)
{
	return units_max(HS_SILENT_VIEWS_MIN, 2 * (uint64_t)config->replica_count);
}

static uint64_t hs_pacemaker_start_ns(const struct hs_pacemaker *pacemaker,
				      const struct hs_config *config)
{
	uint64_t start_ns = units_max(pacemaker->entered_ns, pacemaker->reason_since_ns);
	uint64_t floor_ns = hs_pacemaker_block_interval_ns(pacemaker, config);

	return units_max(start_ns, units_add(pacemaker->last_block_ns, floor_ns));
}

/* The slowest recent view once the f slowest leaders are left out. */
static uint64_t hs_pacemaker_p99_ns(const struct hs_pacemaker *pacemaker,
				    const struct hs_config *config)
{
	_Static_assert(HS_SAMPLES_MAX <= 100, "the p99 of so few samples is their maximum");
	bool is_left_out[HS_REPLICAS_MAX] = { false };
	uint64_t slowest_ns = 0;

	for (uint32_t k = 0; k <= hs_faulty_max(config->replica_count); k++) {
		uint32_t slowest = 0;

		slowest_ns = 0;
		for (uint32_t i = 0; i < pacemaker->sample_count; i++) {
			if (is_left_out[pacemaker->sample_leader[i]] ||
			    pacemaker->sample_ns[i] < slowest_ns)
				continue;
			slowest_ns = pacemaker->sample_ns[i];
			slowest = pacemaker->sample_leader[i];
		}
		is_left_out[slowest] = true;
	}
	return slowest_ns;
}

static uint64_t hs_pacemaker_measure(const struct hs_pacemaker *pacemaker,
				     const struct hs_config *config)
{
	uint64_t base_ns = units_max(units_multiply(config->delta_ns, 3),
				     units_multiply(hs_pacemaker_p99_ns(pacemaker, config), 4));

	return units_max(units_min(base_ns, config->timeout_max_ns), 1);
}

static void hs_pacemaker_sample(struct hs_pacemaker *pacemaker, const struct hs_config *config,
				uint64_t now_ns)
{
	uint64_t start_ns = units_max(pacemaker->entered_ns, pacemaker->reason_since_ns);

	if (!pacemaker->has_reason || now_ns <= start_ns)
		return;
	pacemaker->sample_leader[pacemaker->sample_next] =
		(uint32_t)(pacemaker->view % config->replica_count);
	pacemaker->sample_ns[pacemaker->sample_next] =
		units_min(now_ns - start_ns, config->timeout_max_ns);
	pacemaker->sample_next = (pacemaker->sample_next + 1) % HS_SAMPLES_MAX;
	if (pacemaker->sample_count < HS_SAMPLES_MAX)
		pacemaker->sample_count++;
	pacemaker->base_ns = hs_pacemaker_measure(pacemaker, config);
}

static void hs_pacemaker_back_off(struct hs_pacemaker *pacemaker, const struct hs_config *config)
{
	uint64_t base_ns = hs_pacemaker_base_ns(pacemaker, config);
	uint64_t limit = units_multiply(config->timeout_max_ns, HS_BACKOFF_ONE) / base_ns;

	pacemaker->backoff = units_min(pacemaker->backoff * 3 / 2, limit + HS_BACKOFF_ONE);
}

static void hs_pacemaker_fail(struct hs_pacemaker *pacemaker, const struct hs_config *config)
{
	uint64_t patience = units_max(HS_PATIENCE_VIEWS_MIN, config->replica_count);

	if (pacemaker->failed_in_a_row >= patience)
		hs_pacemaker_back_off(pacemaker, config);
	else
		pacemaker->failed_in_a_row++;
}

void hs_pacemaker_enter(struct hs_pacemaker *pacemaker, const struct hs_config *config,
			uint64_t view, enum hs_entry_kind entry, const struct hs_tc *tc,
			uint64_t now_ns)
{
	ensure(view > pacemaker->view);
	if (entry == HS_ENTRY_QC && view == pacemaker->view + 1)
		hs_pacemaker_sample(pacemaker, config, now_ns);
	if (entry == HS_ENTRY_TC) {
		uint32_t leader = (uint32_t)((view - 1) % config->replica_count);

		hs_copy_tc(&pacemaker->tc, tc);
		pacemaker->views_failed++;
		if (!hs_pacemaker_is_silent(pacemaker, config, leader))
			hs_pacemaker_fail(pacemaker, config);
	}
	bool is_leap = view - pacemaker->view > hs_pacemaker_silent_views(config);

	pacemaker->view = view;
	pacemaker->entered_ns = now_ns;
	pacemaker->entry = entry;
	if (is_leap)
		hs_pacemaker_hear_all(pacemaker);
}

void hs_pacemaker_reason(struct hs_pacemaker *pacemaker, bool has_reason, uint64_t now_ns)
{
	if (has_reason && !pacemaker->has_reason)
		pacemaker->reason_since_ns = now_ns;
	pacemaker->has_reason = has_reason;
}

void hs_pacemaker_on_commit(struct hs_pacemaker *pacemaker)
{
	pacemaker->backoff = units_max(pacemaker->backoff / 2, HS_BACKOFF_ONE);
	pacemaker->failed_in_a_row = 0;
}

void hs_pacemaker_hear(struct hs_pacemaker *pacemaker, uint32_t author)
{
	ensure(author < HS_REPLICAS_MAX);
	pacemaker->heard_view[author] = pacemaker->view;
}

static bool hs_pacemaker_was_heard(const struct hs_pacemaker *pacemaker, uint32_t member,
				   uint64_t silent_views)
{
	return pacemaker->view - pacemaker->heard_view[member] <= silent_views;
}

bool hs_pacemaker_is_silent(const struct hs_pacemaker *pacemaker, const struct hs_config *config,
			    uint32_t member)
{
	uint64_t silent_views = hs_pacemaker_silent_views(config);
	uint32_t active = 1;

	if (member == config->replica_id || hs_pacemaker_was_heard(pacemaker, member, silent_views))
		return false;
	for (uint32_t i = 0; i < config->replica_count; i++)
		if (i != config->replica_id && hs_pacemaker_was_heard(pacemaker, i, silent_views))
			active++;
	return active >= hs_quorum(config->replica_count);
}

uint64_t hs_pacemaker_base_ns(const struct hs_pacemaker *pacemaker, const struct hs_config *config)
{
	return pacemaker->base_ns != 0 ? pacemaker->base_ns :
					 hs_pacemaker_measure(pacemaker, config);
}

uint64_t hs_pacemaker_timer_ns(const struct hs_pacemaker *pacemaker, const struct hs_config *config,
			       uint32_t leader)
{
	uint64_t base_ns = hs_pacemaker_base_ns(pacemaker, config);

	if (hs_pacemaker_is_silent(pacemaker, config, leader))
		return 0;
	return units_min(units_multiply(base_ns, pacemaker->backoff) / HS_BACKOFF_ONE,
			 config->timeout_max_ns);
}

uint64_t hs_pacemaker_deadline_ns(const struct hs_pacemaker *pacemaker,
				  const struct hs_config *config, uint32_t leader)
{
	if (!pacemaker->has_reason)
		return UINT64_MAX;
	return units_add(hs_pacemaker_start_ns(pacemaker, config),
			 hs_pacemaker_timer_ns(pacemaker, config, leader));
}

uint64_t hs_pacemaker_block_interval_ns(const struct hs_pacemaker *pacemaker,
					const struct hs_config *config)
{
	uint64_t floor_ns = config->block_interval_min_ns;
	uint64_t best_ns = UINT64_MAX;
	uint64_t sum_ns = 0;
	uint64_t mean_ns;

	if (pacemaker->sample_count < HS_SAMPLES_MAX)
		return floor_ns;
	for (uint32_t i = 0; i < HS_SAMPLES_MAX; i++) {
		best_ns = units_min(best_ns, pacemaker->sample_ns[i]);
		sum_ns = units_add(sum_ns, pacemaker->sample_ns[i]);
	}
	mean_ns = sum_ns / HS_SAMPLES_MAX;
	return units_max(floor_ns,
			 units_min(units_multiply(floor_ns, HS_INTERVAL_GROWTH_MAX),
				   units_multiply(mean_ns - units_min(best_ns, mean_ns), 2)));
}

bool hs_pacemaker_may_answer(struct hs_pacemaker *pacemaker, const struct hs_config *config,
			     uint32_t peer, uint64_t now_ns)
{
	uint64_t wait_ns = config->delta_ns / 4;

	if (peer >= config->replica_count || peer == config->replica_id)
		return false;
	if (pacemaker->answered_ns[peer] != 0 && now_ns - pacemaker->answered_ns[peer] < wait_ns)
		return false;
	pacemaker->answered_ns[peer] = units_max(now_ns, 1);
	return true;
}
