#include "tests/sim/sim_atlas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "tests/sim/sim_adversary.h"

enum deed {
	DEED_FULL,
	DEED_ROOM,
	DEED_SLOW,
	DEED_FAST,
	DEED_SCRATCH,
	DEED_HARM,
	DEED_RETIRED,
};

enum {
	CREATE_RETRY_TURNS = 5000,           /* a store tries again to make a segment by then */
	RECORD_SPAN_MAX = 256 * 1024 + 4096, /* of a damaged record, before the damaged byte */
};

static const uint64_t SEED_OF_ATLAS = UINT64_C(0x61746c6173);

/* ---- draws ---- */

static uint64_t between(struct prng *prng, uint64_t low, uint64_t high)
{
	return low + prng_below(prng, high - low + 1);
}

/* 0 in two of three seeds, else 1..most: disks are one thing of many that may go wrong. */
static uint64_t rarely(struct prng *prng, uint64_t most)
{
	bool exists = prng_chance(prng, 333333);
	uint64_t value = 1 + prng_below(prng, most);

	return exists ? value : 0;
}

static uint32_t draw_frail(const struct sim *sim, struct prng *prng)
{
	uint32_t frail_max = hs_faulty_max(sim->knobs.n);
	uint32_t frail = 0;

	for (uint32_t i = 0; i < frail_max; i++)
		frail |= UINT32_C(1) << prng_below(prng, sim->knobs.n);
	return frail;
}

/* One or two kinds of them: a disk that does everything is found out at once. */
static void draw_faults(struct sim_disk_faults *faults, struct prng *prng)
{
	uint32_t *const kinds[] = { &faults->rot, &faults->misdirect, &faults->lose,
				    &faults->lie, &faults->sync_lie,  &faults->latent };
	static const uint32_t most[] = { 20000, 5000, 5000, 100000, 500000, 5000 };

	for (uint32_t i = 0; i < 2; i++) {
		uint64_t kind = prng_below(prng, UNITS_COUNT(most));

		*kinds[kind] = 1 + (uint32_t)prng_below(prng, most[kind]);
	}
}

/* Notes which classes were drawn; those taken away are drawn all the same, but do nothing. */
static void note_classes(struct sim *sim)
{
	struct sim_atlas *atlas = &sim->atlas;
	struct sim_disk_config *disk = &sim->knobs.disk;
	uint64_t without = sim->options.without;
	uint64_t faults = 0;

#define CLASS(name, strength)                                                                      \
	do {                                                                                       \
		if (without >> SIM_FAULT_##name & 1)                                               \
			(strength) = 0;                                                            \
		if ((strength) > 0)                                                                \
			faults |= UINT64_C(1) << SIM_FAULT_##name;                                 \
	} while (0)
	CLASS(SLOW_SPELL, atlas->slow_every_ns);
	CLASS(FULL, atlas->full_every_ns);
	CLASS(SCRATCH, atlas->scratch_every_ns);
	CLASS(WRITE_ERROR, atlas->write_error);
	CLASS(READ_ERROR, atlas->read_error);
	CLASS(SLOW_WRITE, disk->slow);
	CLASS(WRITEBACK, disk->writeback);
	CLASS(FRAIL, atlas->frail);
#undef CLASS
	sim->knobs.faults |= faults;
}

static bool is_off(const struct sim_options *options)
{
	return options->is_calm || options->is_lag || options->is_lying_disk ||
	       options->is_early_store || options->power_cuts > 0 || options->is_fatal ||
	       options->is_alone || options->is_mute || options->is_too_many_twins;
}

void sim_atlas_draw(struct sim *sim)
{
	struct sim_atlas *atlas = &sim->atlas;
	struct prng *prng = &atlas->prng;

	prng_seed(prng, sim->options.seed ^ SEED_OF_ATLAS);
	if (is_off(&sim->options))
		return;
	atlas->full_every_ns = rarely(prng, 200) * UNITS_NS_PER_MS;
	atlas->full_ns = between(prng, 1, 200) * UNITS_NS_PER_MS;
	atlas->slow_every_ns = rarely(prng, 200) * UNITS_NS_PER_MS;
	atlas->slow_ns = between(prng, 1, 200) * UNITS_NS_PER_MS;
	atlas->slowness = (uint32_t)between(prng, 2, 100);
	atlas->scratch_every_ns = rarely(prng, 50) * UNITS_NS_PER_MS;
	atlas->write_error = (uint32_t)rarely(prng, 2000);
	atlas->read_error = (uint32_t)rarely(prng, 5000);
	sim->knobs.disk.slow = (uint32_t)rarely(prng, 20000);
	sim->knobs.disk.slow_ns = between(prng, 1, 50) * UNITS_NS_PER_MS;
	sim->knobs.disk.writeback = (uint32_t)rarely(prng, 1000000);
	sim->knobs.segment_bytes >>= prng_below(prng, 2);
	draw_faults(&atlas->faults, prng);
	atlas->harms = 1U << prng_below(prng, SIM_HARM_KINDS);
	if (prng_chance(prng, 400000))
		atlas->harms |= 1U << SIM_HARM_PPM;
	if (prng_chance(prng, 300000))
		atlas->harms |= 1U << prng_below(prng, SIM_HARM_KINDS);
	atlas->harm_every_ns = between(prng, 10, 400) * UNITS_NS_PER_MS;
	if (prng_chance(prng, 400000) || sim->options.is_frail) {
		atlas->frail = draw_frail(sim, prng);
		sim->knobs.broken_max = 0;
	}
	note_classes(sim);
}

void sim_atlas_spare(struct sim *sim)
{
	uint32_t room = hs_faulty_max(sim->knobs.n);

	room -= (uint32_t)units_min(room, sim_adversary_count(sim));
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		uint32_t bit = UINT32_C(1) << i;
		bool is_frail = (sim->atlas.frail & bit) && room > 0 && !sim_adversary_has(sim, i);

		room -= is_frail;
		if (!is_frail)
			sim->atlas.frail &= ~bit;
	}
	if (sim->atlas.frail == 0)
		sim->knobs.faults &= ~(UINT64_C(1) << SIM_FAULT_FRAIL);
}

static void plan(struct sim *sim, enum deed deed, uint32_t node, uint64_t after_ns)
{
	struct sim_event event = {
		.kind = SIM_EVENT_ATLAS,
		.node = node,
		.incarnation = sim->nodes[node].incarnation,
		.argument = (uint64_t)deed,
	};

	sim_clock_add(&sim->clock, after_ns, &event);
}

static void plan_next(struct sim *sim, enum deed deed, uint64_t every_ns)
{
	uint64_t after_ns;

	if (every_ns == 0)
		return;
	after_ns = every_ns / 2 + prng_below(&sim->atlas.prng, every_ns);
	plan(sim, deed, (uint32_t)prng_below(&sim->atlas.prng, sim->knobs.n), after_ns);
}

/* One of the frail, in turn by the seed. */
static void plan_harm(struct sim *sim)
{
	uint32_t node = (uint32_t)prng_below(&sim->atlas.prng, sim->knobs.n);

	while (!(sim->atlas.frail >> node & 1))
		node = (node + 1) % sim->knobs.n;
	plan(sim, DEED_HARM, node, 1 + prng_below(&sim->atlas.prng, 2 * sim->atlas.harm_every_ns));
}

void sim_atlas_start(struct sim *sim)
{
	struct sim_atlas *atlas = &sim->atlas;

	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		struct sim_disk_faults faults = sim->knobs.disk.faults;

		sim->nodes[i].is_frail = atlas->frail >> i & 1;
		if (sim->nodes[i].is_frail && (atlas->harms >> SIM_HARM_PPM & 1))
			faults = atlas->faults;
		faults.write_error = atlas->write_error;
		faults.read_error = atlas->read_error;
		sim_disk_set_faults(sim->nodes[i].disk, &faults);
		if (sim->nodes[i].is_frail && (atlas->harms >> SIM_HARM_FIRST & 1))
			sim_disk_keep(sim->nodes[i].disk);
	}
	if (atlas->frail)
		plan_harm(sim);
	plan_next(sim, DEED_FULL, atlas->full_every_ns);
	plan_next(sim, DEED_SLOW, atlas->slow_every_ns);
	plan_next(sim, DEED_SCRATCH, atlas->scratch_every_ns);
}

/* ---- what any disk may do ---- */

/* A store that met a full disk tries again after a while; here time is turns. */
static void make_room(struct sim_node *node)
{
	sim_disk_set_bytes_max(node->disk, 0);
	for (uint32_t i = 0; node->is_up && i < CREATE_RETRY_TURNS; i++)
		blocklog_store_turn(node->store, NULL, 0);
}

/* Always the same copies of one disk, so that a good one stays. */
static void scratch(struct sim *sim, struct sim_node *node)
{
	struct prng *prng = &sim->atlas.prng;
	uint32_t copy = node->id % BLOCKLOG_SAFETY_COPIES;
	uint64_t slots = BLOCKLOG_SAFETY_SLOTS * BLOCKLOG_SAFETY_SLOT_BYTES;
	uint64_t offset = copy * (uint64_t)BLOCKLOG_SAFETY_REGION_BYTES + prng_below(prng, slots);
	uint64_t super = (node->id + 1 + prng_below(prng, BLOCKLOG_SUPER_COPIES - 1)) %
			 BLOCKLOG_SUPER_COPIES;

	if (node->is_refused || (node->is_frail && sim_disk_is_marred(node->disk)))
		return;
	sim->atlas.scratches++;
	if (prng_chance(prng, 300000))
		sim_disk_spoil(node->disk, BLOCKLOG_AREA_SAFETY, 0, offset);
	else if (prng_chance(prng, 500000))
		sim_disk_flip(node->disk, BLOCKLOG_AREA_SAFETY, 0, offset,
			      (uint8_t)(1U << prng_below(prng, 8)));
	else
		sim_disk_flip(node->disk, BLOCKLOG_AREA_SUPER, 0,
			      super * BLOCKLOG_SUPER_STRIDE_BYTES + prng_below(prng, 100), 1);
}

/* ---- what a frail disk may do ---- */

static void start_later(struct sim *sim, struct sim_node *node)
{
	struct sim_event event = {
		.kind = SIM_EVENT_START,
		.node = node->slot,
		.incarnation = node->incarnation,
	};

	sim_clock_add(&sim->clock, 1 + prng_below(&sim->atlas.prng, 2 * sim->knobs.down_ns),
		      &event);
}

static void note_place(struct sim_node *node, enum blocklog_log log, uint64_t position)
{
	if (node->place_count < SIM_PLACES_MAX)
		node->places[node->place_count++] = (struct sim_place){ log, position };
	sim_disk_mar(node->disk);
}

/* Somewhere in what the store says is durable. */
static bool find_place(struct sim *sim, struct sim_node *node, enum blocklog_log *ret_log,
		       uint64_t *ret_position)
{
	struct prng *prng = &sim->atlas.prng;
	uint64_t end;

	*ret_log = prng_chance(prng, 500000) ? BLOCKLOG_LANE : BLOCKLOG_BLOCK;
	if (!node->is_up)
		return false;
	end = blocklog_store_durable_end(node->store, *ret_log);
	*ret_position = prng_below(prng, end + 1);
	return end > *ret_position;
}

static bool damage(struct sim *sim, struct sim_node *node, enum sim_harm harm)
{
	uint64_t segment_bytes = sim->store_config.segment_bytes;
	enum blocklog_log log;
	uint64_t position;

	if (!find_place(sim, node, &log, &position))
		return false;
	note_place(node, log, position);
	if (harm == SIM_HARM_FLIP)
		sim_disk_flip(node->disk, blocklog_area_of(log), position / segment_bytes,
			      position % segment_bytes,
			      (uint8_t)(1U << prng_below(&sim->atlas.prng, 8)));
	else
		sim_disk_spoil(node->disk, blocklog_area_of(log), position / segment_bytes,
			       position % segment_bytes);
	if (prng_chance(&sim->atlas.prng, 500000)) {
		sim_node_stop(sim, node, prng_chance(&sim->atlas.prng, 500000));
		start_later(sim, node);
	}
	return true;
}

/* First an image is kept, later it comes back. */
static bool roll_back(struct sim *sim, struct sim_node *node)
{
	if (!node->is_up)
		return false;
	if (!sim_disk_has_kept(node->disk)) {
		sim_disk_keep(node->disk);
		return false;
	}
	sim_node_stop(sim, node, true);
	ensure(sim_disk_roll_back(node->disk));
	start_later(sim, node);
	return true;
}

static bool replace(struct sim *sim, struct sim_node *node, enum sim_harm harm)
{
	struct blocklog_source source = sim_disk_stable(node->disk);
	uint64_t first, end;

	if (!node->is_up || source.census(source.context, BLOCKLOG_AREA_SAFETY, &first, &end) != 0)
		return false;
	sim_node_stop(sim, node, true);
	if (harm == SIM_HARM_WIPE)
		sim_disk_wipe(node->disk);
	else
		sim_disk_lose_file(node->disk, BLOCKLOG_AREA_SAFETY, 0);
	sim_disk_mar(node->disk);
	start_later(sim, node);
	return true;
}

static bool do_harm(struct sim *sim, struct sim_node *node, enum sim_harm harm)
{
	switch (harm) {
	case SIM_HARM_FLIP:
	case SIM_HARM_SPOIL:
		return damage(sim, node, harm);
	case SIM_HARM_BACK:
	case SIM_HARM_FIRST:
		return roll_back(sim, node);
	case SIM_HARM_WIPE:
	case SIM_HARM_SAFETY:
		return replace(sim, node, harm);
	default:
		return false;
	}
}

static void harm(struct sim *sim, struct sim_node *node)
{
	enum sim_harm kind = (enum sim_harm)prng_below(&sim->atlas.prng, SIM_HARM_KINDS);

	while (!(sim->atlas.harms >> kind & 1))
		kind = (enum sim_harm)((kind + 1) % SIM_HARM_KINDS);
	if (node->is_refused || !do_harm(sim, node, kind))
		return;
	sim->atlas.harmed[kind]++;
	sim_say(sim, "harm %d to disk %u", (int)kind, node->id);
}

/* ---- deeds in time ---- */

static void on_retired(struct sim *sim, struct sim_node *node, const struct sim_event *event)
{
	if (!node->is_up || node->incarnation != event->incarnation)
		return;
	sim_node_stop(sim, node, false);
	start_later(sim, node);
}

static void spell(struct sim *sim, struct sim_node *node, enum deed deed)
{
	struct sim_atlas *atlas = &sim->atlas;

	if (deed == DEED_FULL) {
		sim_disk_set_bytes_max(node->disk, sim_disk_bytes(node->disk));
		plan(sim, DEED_ROOM, node->id, atlas->full_ns);
	} else if (deed == DEED_ROOM) {
		make_room(node);
		plan_next(sim, DEED_FULL, atlas->full_every_ns);
	} else if (deed == DEED_SLOW) {
		sim_disk_set_slowness(node->disk, atlas->slowness);
		plan(sim, DEED_FAST, node->id, atlas->slow_ns);
	} else {
		sim_disk_set_slowness(node->disk, 1);
		plan_next(sim, DEED_SLOW, atlas->slow_every_ns);
	}
}

void sim_atlas_event(struct sim *sim, const struct sim_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];
	enum deed deed = (enum deed)event->argument;

	if (deed == DEED_RETIRED)
		on_retired(sim, node, event);
	if (deed == DEED_RETIRED || !sim->is_chaos)
		return;
	if (deed == DEED_HARM) {
		harm(sim, node);
		plan_harm(sim);
	} else if (deed == DEED_SCRATCH) {
		scratch(sim, node);
		plan_next(sim, DEED_SCRATCH, sim->atlas.scratch_every_ns);
	} else {
		spell(sim, node, deed);
	}
}

void sim_atlas_heal(struct sim *sim)
{
	struct sim_disk_faults faults = sim->knobs.disk.faults;

	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (node->is_frail)
			continue;
		sim_disk_set_faults(node->disk, &faults);
		sim_disk_set_slowness(node->disk, 1);
		make_room(node);
	}
}

/* ---- what must follow ---- */

/* Reads "... log is damaged at position N ..."; false: it says no such thing. */
static bool named_place(const char *reason, enum blocklog_log *ret_log, uint64_t *ret_position)
{
	const char *at = strstr(reason, "damaged at position ");

	if (!at)
		return false;
	*ret_log = strstr(reason, "the lane log") ? BLOCKLOG_LANE : BLOCKLOG_BLOCK;
	*ret_position = strtoull(at + strlen("damaged at position "), NULL, 10);
	return true;
}

/* What the harm was must be in or just behind what is named: the record it is part of. */
static bool is_harmed_there(const struct sim_node *node, enum blocklog_log log, uint64_t position)
{
	for (uint32_t i = 0; i < node->place_count; i++) {
		const struct sim_place *place = &node->places[i];

		if (place->log == log && position <= place->position &&
		    place->position < position + RECORD_SPAN_MAX)
			return true;
	}
	return false;
}

/* An error that the disk itself reported while the store was being opened. */
static bool is_passing(const struct sim *sim, struct sim_node *node)
{
	const struct sim_disk_counts *counts = sim_disk_counts(node->disk);
	bool is_new = counts->read_errors + counts->write_errors > node->errors_before;

	return is_new && sim->atlas.read_error + sim->atlas.write_error > 0;
}

static void stay_down(struct sim *sim, struct sim_node *node, int code, const char *reason)
{
	enum blocklog_log log = BLOCKLOG_SAFETY;
	uint64_t position = 0;
	bool is_named = named_place(reason, &log, &position);

	if (code == ERR_NOT_FOUND && sim_disk_bytes(node->disk) > 0)
		sim_fail(sim, "replica %u does not find the store that is there", node->id);
	if (is_named && node->place_count > 0 && !(sim->atlas.harms >> SIM_HARM_PPM & 1) &&
	    !is_harmed_there(node, log, position))
		sim_fail(sim, "replica %u names the wrong place: %s", node->id, reason);
	node->is_refused = true;
	node->has_named = is_named;
	node->named = (struct sim_place){ log, position };
	sim->atlas.refusals++;
	sim_say(sim, "replica %u stays down: %s: %s", node->id, err_text(code), reason);
}

void sim_atlas_refused(struct sim *sim, struct sim_node *node, int code)
{
	char reason[BLOCKLOG_REASON_BYTES];

	if (sim_disk_is_dead(node->disk))
		return;
	blocklog_store_reason(node->store_memory, code, reason, sizeof(reason));
	sim_disk_kill(node->disk);
	if (is_passing(sim, node))
		start_later(sim, node);
	else if (node->is_frail && sim_disk_is_marred(node->disk))
		stay_down(sim, node, code, reason);
	else
		sim_fail(sim, "replica %u: %s: %s", node->id, err_text(code), reason);
}

void sim_atlas_alarm(struct sim *sim, struct sim_node *node, const struct replica_effect *effect)
{
	const struct sim_disk_counts *counts = sim_disk_counts(node->disk);
	bool is_marred = node->is_frail && sim_disk_is_marred(node->disk);

	switch (effect->u.alarm.alarm) {
	case REPLICA_ALARM_STORE_FAILED:
		if (!is_marred && counts->write_errors + counts->read_errors == 0)
			break;
		sim->atlas.retired++;
		node->is_retired = true;
		plan(sim, DEED_RETIRED, node->slot, 0);
		return;
	case REPLICA_ALARM_OBSERVER:
	case REPLICA_ALARM_ROLLED_BACK:
		if (!is_marred)
			break;
		sim->atlas.observers += !node->is_observer;
		node->is_observer = true;
		sim_say(sim, "replica %u only observes", node->id);
		return;
	case REPLICA_ALARM_EVIDENCE:
		if (effect->u.alarm.detail < sim->knobs.n &&
		    sim_check_is_faulty(sim, (uint32_t)effect->u.alarm.detail))
			return;
		break;
	}
	if (!sim_adversary_has(sim, node->id))
		sim_fail(sim, "replica %u raised alarm %d (%llu)", node->id,
			 (int)effect->u.alarm.alarm, (unsigned long long)effect->u.alarm.detail);
}
