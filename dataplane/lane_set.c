#include "dataplane/lane_set.h"

#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_claims.h"
#include "dataplane/lane_intake.h"
#include "dataplane/lane_own.h"
#include "dataplane/lane_pool.h"
#include "dataplane/lane_repair.h"
#include "dataplane/lane_slots.h"
#include "dataplane/lane_start.h"

struct lane_effect *lane_emit(struct lane_set *set, enum lane_effect_kind kind, uint32_t to)
{
	struct lane_effects *effects = set->effects;

	ensure(effects && effects->count < LANE_EFFECTS_MAX);
	struct lane_effect *effect = &effects->at[effects->count++];

	effect->kind = kind;
	effect->to = to;
	effect->ticket = 0;
	return effect;
}

struct lane_effect *lane_emit_optional(struct lane_set *set, enum lane_effect_kind kind,
				       uint32_t to)
{
	if (set->effects->count >= LANE_EFFECTS_MAX - LANE_EFFECTS_KEPT)
		return NULL;
	return lane_emit(set, kind, to);
}

void lane_emit_drop(struct lane_set *set, enum lane_drop reason)
{
	struct lane_effect *effect = lane_emit_optional(set, LANE_EFFECT_DROPPED, HS_REPLICA_NONE);

	if (effect)
		effect->u.drop = reason;
}

static bool lane_is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static bool lane_config_is_valid(const struct lane_config *config)
{
	return config->replica_count >= 1 && config->replica_count <= LANE_LANES_MAX &&
	       config->replica_id < config->replica_count && config->batch_frames_max >= 1 &&
	       config->batch_frames_max <= LANE_BATCH_FRAMES_MAX &&
	       config->batch_bytes_max >= LANE_FRAME_BYTES_MAX &&
	       config->batch_bytes_max <= LANE_BATCH_BYTES_MAX && config->window_batches >= 1 &&
	       config->window_batches <= LANE_WINDOW_MAX && config->cut_batches_max >= 1 &&
	       config->cut_batches_max <= LANE_WINDOW_MAX && config->spare_buffers <= 1U << 20 &&
	       lane_is_power_of_two(config->index_batches) && config->index_batches <= 1U << 20 &&
	       config->repair_interval_ns > 0 && config->repair_budget > LANE_LEAVES_COST;
}

/* Window, plus what a block may name beyond it, plus as much again for delivery behind. */
static uint32_t lane_ring_of(const struct lane_config *config)
{
	uint32_t least = 2 * config->window_batches + config->cut_batches_max;
	uint32_t ring = 1;

	while (ring < least)
		ring *= 2;
	return ring;
}

static uint32_t lane_buffers_of(const struct lane_config *config)
{
	return config->replica_count * config->window_batches + config->spare_buffers;
}

/* Hands out consecutive parts of the arena; with a NULL start it only counts. */
struct lane_carver {
	uint8_t *start;
	size_t used;
};

static void *lane_carve(struct lane_carver *carver, size_t count, size_t size)
{
	size_t at = (carver->used + 63) & ~(size_t)63;

	carver->used = at + count * size;
	return carver->start ? carver->start + at : NULL;
}

struct lane_parts {
	struct lane_set *set;
	struct lane *lanes;
	struct lane_claim *claims;
	struct lane_slot *slots; /* what comes before is zeros at first */
	struct lane_index_entry *index;
	struct lane_buffer *buffers;
	uint32_t *free_buffers;
	struct lane_place *places;
	struct crypto_hash *hashes;
};

static size_t lane_carve_all(uint8_t *start, const struct lane_config *config,
			     struct lane_parts *ret_parts)
{
	struct lane_carver carver = { .start = start };
	size_t lanes = config->replica_count;
	size_t buffers = lane_buffers_of(config);
	size_t frames = buffers * config->batch_frames_max;

	ret_parts->set = lane_carve(&carver, 1, sizeof(struct lane_set));
	ret_parts->lanes = lane_carve(&carver, lanes, sizeof(struct lane));
	ret_parts->claims = lane_carve(&carver, lanes * lanes, sizeof(struct lane_claim));
	ret_parts->slots =
		lane_carve(&carver, lanes * lane_ring_of(config), sizeof(struct lane_slot));
	ret_parts->index =
		lane_carve(&carver, lanes * config->index_batches, sizeof(struct lane_index_entry));
	ret_parts->buffers = lane_carve(&carver, buffers, sizeof(struct lane_buffer));
	ret_parts->free_buffers = lane_carve(&carver, buffers, sizeof(uint32_t));
	ret_parts->places = lane_carve(&carver, frames, sizeof(struct lane_place));
	ret_parts->hashes = lane_carve(&carver, frames, sizeof(struct crypto_hash));
	return carver.used;
}

size_t lane_set_footprint(const struct lane_config *config)
{
	struct lane_parts parts;

	return lane_config_is_valid(config) ? lane_carve_all(NULL, config, &parts) : 0;
}

size_t lane_set_buffer_bytes(const struct lane_config *config)
{
	return (size_t)lane_buffers_of(config) *
	       lane_batch_buffer_bytes(config->batch_bytes_max, config->batch_frames_max);
}

/* The big tables are empty by their seq alone: the rest of an entry is written when it is used. */
static void lane_parts_clear(uint8_t *start, const struct lane_config *config,
			     const struct lane_parts *parts)
{
	size_t lanes = config->replica_count;

	memset(start, 0, (size_t)((uint8_t *)parts->slots - start));
	for (size_t i = 0; i < lanes * lane_ring_of(config); i++)
		parts->slots[i].seq = 0;
	for (size_t i = 0; i < lanes * config->index_batches; i++)
		parts->index[i].header.seq = 0;
}

int lane_set_init(void *memory, size_t memory_bytes, void *buffers, size_t buffer_bytes,
		  const struct lane_config *config, struct lane_set **ret_set)
{
	size_t footprint = lane_set_footprint(config);
	struct lane_parts parts;

	if (footprint == 0 || memory_bytes < footprint ||
	    buffer_bytes < lane_set_buffer_bytes(config) ||
	    ((uintptr_t)buffers & (LANE_PAGE_BYTES - 1)) != 0)
		return ERR_CONFIG;
	lane_carve_all(memory, config, &parts);
	lane_parts_clear(memory, config, &parts);

	struct lane_set *set = parts.set;

	set->config = *config;
	set->ring = lane_ring_of(config);
	set->lanes = parts.lanes;
	set->buffers = parts.buffers;
	set->buffer_count = lane_buffers_of(config);
	set->free_buffers = parts.free_buffers;
	set->ack_resend_ns = UINT64_MAX;
	set->own.open = LANE_NONE;
	set->own.announce_ns = UINT64_MAX;
	for (uint32_t i = 0; i < config->replica_count; i++)
		set->lanes[i] = (struct lane){
			.id = i,
			.slots = parts.slots + (size_t)i * set->ring,
			.index = parts.index + (size_t)i * config->index_batches,
			.claims = parts.claims + (size_t)i * config->replica_count,
			.due_ns = UINT64_MAX,
		};
	lane_pool_init(set, buffers, parts.places, parts.hashes);
	*ret_set = set;
	return 0;
}

static void lane_on_ackvec(struct lane_set *set, const struct lane_input *input)
{
	if (input->from >= set->config.replica_count || input->from == set->config.replica_id ||
	    input->u.ackvec->count > LANE_LANES_MAX) {
		lane_emit_drop(set, LANE_DROP_CLAIM);
		return;
	}
	lane_claims_on_ackvec(set, input->from, input->u.ackvec);
}

static uint32_t lane_cut_lanes(const struct lane_set *set, const struct hs_cut *cut)
{
	return cut->lane_count < set->config.replica_count ? cut->lane_count :
							     set->config.replica_count;
}

static void lane_on_named(struct lane_set *set, const struct hs_cut *cut)
{
	for (uint32_t i = 0; i < lane_cut_lanes(set, cut); i++) {
		lane_name(set, &set->lanes[i], &cut->lane[i], false);
		if (cut->lane[i].seq > set->lanes[i].base.seq)
			lane_repair_urge(set, &set->lanes[i], cut->lane[i].seq);
	}
}

static void lane_on_committed(struct lane_set *set, const struct hs_cut *cut)
{
	for (uint32_t i = 0; i < lane_cut_lanes(set, cut); i++) {
		struct lane *lane = &set->lanes[i];

		if (cut->lane[i].seq <= lane->committed.seq)
			continue;
		lane->committed = cut->lane[i];
		lane_name(set, lane, &cut->lane[i], true);
		lane_intake_force(set, lane);
	}
	set->is_changed = true;
	lane_own_on_claims(set);
}

static void lane_on_delivered(struct lane_set *set, const struct lane_input *input)
{
	struct lane *lane = &set->lanes[input->u.delivered.lane];
	struct lane_slot *slot = lane_slot_find(set, lane, input->u.delivered.seq);

	ensure(input->u.delivered.lane < set->config.replica_count);
	if (input->u.delivered.seq <= lane->base.seq)
		return;
	ensure(slot && input->u.delivered.seq <= lane->committed.seq);

	struct lane_branch *branch = lane_slot_branch(slot, &input->u.delivered.digest);

	ensure(branch && branch->is_durable && branch->is_committed);
	slot->is_delivered = true;
	lane_pool_give_back(set, branch->buffer);
	branch->buffer = LANE_NONE;
	while ((slot = lane_slot_find(set, lane, lane->base.seq + 1)) && slot->is_delivered)
		lane_base_raise(set, lane, lane_slot_preferred(slot));
	lane_due(lane, set->now_ns);
}

static void lane_on_persisted(struct lane_set *set, const struct lane_input *input)
{
	uint32_t buffer = lane_pool_of_ticket(set, input->u.persisted.ticket);

	if (buffer != LANE_NONE)
		lane_intake_on_persisted(set, buffer, input->u.persisted.position);
}

static void lane_on_tick(struct lane_set *set)
{
	lane_own_tick(set);
	lane_repair_tick(set);
}

static void lane_dispatch(struct lane_set *set, const struct lane_input *input)
{
	switch (input->kind) {
	case LANE_INPUT_START:
		lane_start(set, input);
		break;
	case LANE_INPUT_CLIENT_FRAME:
		lane_own_on_client(set, input);
		break;
	case LANE_INPUT_PEER_FRAME:
		lane_intake_on_frame(set, input->from, input->u.frame);
		break;
	case LANE_INPUT_BATCH:
		lane_intake_on_header(set, input->u.header);
		break;
	case LANE_INPUT_ACKVEC:
		lane_on_ackvec(set, input);
		break;
	case LANE_INPUT_WANT:
		lane_repair_on_want(set, input->from, input->u.want);
		break;
	case LANE_INPUT_REPAIR:
		lane_intake_on_repair(set, input->from, input->u.repair);
		break;
	case LANE_INPUT_LEAVES:
		lane_intake_on_leaves(set, input->u.leaves);
		break;
	case LANE_INPUT_SIGNED:
		lane_own_on_signed(set, input->u.signed_.request, &input->u.signed_.signature);
		break;
	case LANE_INPUT_PERSISTED:
		lane_on_persisted(set, input);
		break;
	case LANE_INPUT_READ_DONE:
		lane_repair_on_read(set, input->u.read.ticket, input->u.read.code,
				    input->u.read.bytes, input->u.read.byte_count);
		break;
	case LANE_INPUT_NAMED:
		lane_on_named(set, input->u.cut);
		break;
	case LANE_INPUT_COMMITTED:
		lane_on_committed(set, input->u.cut);
		break;
	case LANE_INPUT_DELIVERED:
		lane_on_delivered(set, input);
		break;
	case LANE_INPUT_TICK:
		lane_on_tick(set);
		break;
	}
}

/*
 * What every step ends with: claims that became true leave, and the driver learns that answers may
 * differ.
 */
static void lane_finish(struct lane_set *set)
{
	for (uint32_t i = 0; i < set->config.replica_count; i++)
		set->is_ack_wanted |= set->lanes[i].is_claim_changed;
	lane_claims_flush(set);
	if (set->is_changed)
		lane_emit(set, LANE_EFFECT_CHANGED, HS_REPLICA_NONE);
	set->is_changed = false;
}

int lane_set_step(struct lane_set *set, const struct lane_input *input,
		  struct lane_effects *ret_effects)
{
	ret_effects->count = 0;
	if (set->is_started == (input->kind == LANE_INPUT_START) || input->now_ns < set->now_ns)
		return ERR_ORDER;
	set->is_started = true;
	set->now_ns = input->now_ns;
	set->effects = ret_effects;
	set->want_count = 0;
	set->evidence_count = 0;
	set->is_repair_used = false;
	set->is_leaves_used = false;
	lane_dispatch(set, input);
	lane_finish(set);
	set->effects = NULL;
	return 0;
}

uint64_t lane_set_deadline_ns(const struct lane_set *set)
{
	uint64_t deadline_ns = units_min(lane_own_deadline_ns(set), lane_claims_deadline_ns(set));

	for (uint32_t i = 0; i < set->config.replica_count; i++)
		deadline_ns = units_min(deadline_ns, set->lanes[i].due_ns);
	return deadline_ns;
}
