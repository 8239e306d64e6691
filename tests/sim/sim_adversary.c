/* Byzantine members: who they are, when they act, and the way of a message through them. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/sim/sim_adversary_state.h"

static const char *const names[SIM_STRATEGY_COUNT] = {
	"twin",  "equivocate", "withhold", "stale", "slow",         "split", "sleep",
	"delay", "mutate",     "flood",    "fork",  "false-verify", "lie",   "slander",
};

/* Of the whole process: what a batch of seeds is asked for at its end. */
static uint64_t acts[SIM_STRATEGY_COUNT];

bool sim_adversary_parse(const char *name, uint32_t *ret_value)
{
	*ret_value = SIM_ADVERSARY_NONE;
	if (strcmp(name, "none") == 0)
		return true;
	for (uint32_t i = 0; i < SIM_STRATEGY_COUNT; i++) {
		*ret_value = SIM_ADVERSARY_FORCED + i;
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

const char *sim_adversary_name(uint32_t value)
{
	ensure(value > SIM_ADVERSARY_DRAWN && value < SIM_ADVERSARY_FORCED + SIM_STRATEGY_COUNT);
	return value == SIM_ADVERSARY_NONE ? "none" : names[value - SIM_ADVERSARY_FORCED];
}

uint64_t sim_adversary_acts(enum sim_strategy strategy)
{
	return acts[strategy];
}

/* ---- drawing ---- */

static uint64_t between(struct prng *prng, uint64_t low, uint64_t high)
{
	return low + prng_below(prng, high - low + 1);
}

static uint32_t draw_strategies(const struct sim *sim, struct prng *prng)
{
	uint32_t forced = sim->options.adversary;
	uint32_t more = prng_chance(prng, 500000) ? 0 : (uint32_t)between(prng, 1, 3);
	uint32_t first = (uint32_t)prng_below(prng, SIM_STRATEGY_COUNT);
	uint32_t strategies;

	if (sim->options.is_too_many_twins)
		return UINT32_C(1) << SIM_STRATEGY_TWIN;
	if (forced >= SIM_ADVERSARY_FORCED)
		first = forced - SIM_ADVERSARY_FORCED;
	strategies = UINT32_C(1) << first;
	if (first == SIM_STRATEGY_SLEEP)
		more++;
	for (uint32_t i = 0; i < more; i++)
		strategies |= UINT32_C(1) << prng_below(prng, SIM_STRATEGY_COUNT);
	if (forced >= SIM_ADVERSARY_FORCED && first != SIM_STRATEGY_SLEEP)
		strategies &= ~(UINT32_C(1) << SIM_STRATEGY_SLEEP);
	if (strategies == UINT32_C(1) << SIM_STRATEGY_SLEEP)
		strategies |= UINT32_C(1) << SIM_STRATEGY_EQUIVOCATE;
	return strategies;
}

/* A class taken away is a strategy that is never followed; nothing else of the draw moves. */
static uint32_t left_of(struct sim *sim, uint32_t strategies)
{
	uint64_t without = sim->options.without >> SIM_FAULT_BYZANTINE_TWIN;

	strategies &= ~(uint32_t)without;
	sim->knobs.faults |= (uint64_t)strategies << SIM_FAULT_BYZANTINE_TWIN;
	return strategies;
}

static void draw_member(struct sim *sim, struct adversary_member *self)
{
	struct prng *prng = &sim->adversary->prng;

	do
		self->id = (uint32_t)prng_below(prng, sim->knobs.n);
	while (sim->adversary->member_of[self->id] != UINT32_MAX);
	sim->adversary->member_of[self->id] = sim->adversary->count++;
	self->strategies = left_of(sim, draw_strategies(sim, prng));
	self->wakes_ns = prng_below(prng, sim->knobs.chaos_ns);
	if (!(self->strategies >> SIM_STRATEGY_SLEEP & 1))
		self->wakes_ns = 0;
	self->tick_ns = between(prng, 5, 200) * UNITS_NS_PER_MS;
	self->delay_ns = between(prng, 1, 300) * UNITS_NS_PER_MS;
	self->ppm = (uint32_t)between(prng, 50000, 1000000);
	self->is_silent_after_healing = prng_chance(prng, 200000);
	self->fork_side = adversary_some(sim, adversary_all_but(sim, self->id));
	self->fork_seq = between(prng, 1, 20);
	self->part[0] = UINT32_MAX; /* until it wakes, the second of two meets nobody */
	if (self->strategies & 1)
		self->twin_slot = sim->knobs.n + sim->adversary->twins++;
}

static uint32_t draw_count(const struct sim *sim, struct prng *prng)
{
	const struct sim_options *options = &sim->options;
	uint32_t faulty = hs_faulty_max(sim->knobs.n);
	bool exists = prng_chance(prng, 500000);
	uint32_t count = faulty > 0 ? (uint32_t)between(prng, 1, faulty) : 0;

	if (options->is_too_many_twins)
		return faulty + 1;
	if (options->adversary >= SIM_ADVERSARY_FORCED)
		return count;
	if (options->adversary == SIM_ADVERSARY_NONE || options->is_calm || options->is_lag ||
	    options->is_lying_disk || options->is_early_store || options->is_fatal ||
	    options->is_frail || options->is_alone || options->is_mute || options->power_cuts > 0)
		return 0;
	return exists ? count : 0;
}

void sim_adversary_init(struct sim *sim)
{
	struct prng prng;
	uint32_t count;

	prng_seed(&prng, sim->options.seed ^ UINT64_C(0xadcafe5eed5eed11));
	count = draw_count(sim, &prng);
	if (count == 0 || sim->options.without >> SIM_FAULT_BYZANTINE & 1)
		return;
	sim->knobs.faults |= UINT64_C(1) << SIM_FAULT_BYZANTINE;
	sim->adversary = calloc(1, sizeof(*sim->adversary));
	ensure(sim->adversary);
	sim->adversary->prng = prng;
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		sim->adversary->member_of[i] = UINT32_MAX;
	for (uint32_t i = 0; i < count; i++) {
		struct sim_event event = { .kind = SIM_EVENT_ADVERSARY, .from = i };

		draw_member(sim, &sim->adversary->member[i]);
		sim_clock_add(&sim->clock, i, &event);
	}
}

void sim_adversary_fini(struct sim *sim)
{
	for (uint32_t i = 0; i < sim_adversary_count(sim); i++) {
		struct adversary_member *self = &sim->adversary->member[i];

		adversary_fork_forget(self);
		for (uint32_t k = 0; k < ADVERSARY_SENT_KEPT; k++)
			if (self->sent[k])
				sim_packet_drop(self->sent[k]);
	}
	free(sim->adversary);
}

void sim_adversary_print(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim_adversary_count(sim); i++) {
		const struct adversary_member *self = &sim->adversary->member[i];

		fprintf(stderr, "replica %u is Byzantine:", self->id);
		for (uint32_t k = 0; k < SIM_STRATEGY_COUNT; k++)
			if (self->strategies >> k & 1)
				fprintf(stderr, " %s", names[k]);
		fprintf(stderr, ", awake from %" PRIu64 " ms, tick %" PRIu64 " ms, %u ppm%s\n",
			self->wakes_ns / UNITS_NS_PER_MS, self->tick_ns / UNITS_NS_PER_MS,
			self->ppm, self->is_silent_after_healing ? ", silent after healing" : "");
	}
}

/* ---- who ---- */

static struct adversary_member *member_at(const struct sim *sim, uint32_t id)
{
	uint32_t index;

	if (!sim->adversary || id >= SIM_NODES_MAX)
		return NULL;
	index = sim->adversary->member_of[id];
	return index == UINT32_MAX ? NULL : &sim->adversary->member[index];
}

bool sim_adversary_has(const struct sim *sim, uint32_t id)
{
	return member_at(sim, id) != NULL;
}

uint32_t sim_adversary_count(const struct sim *sim)
{
	return sim->adversary ? sim->adversary->count : 0;
}

uint32_t sim_adversary_slots(const struct sim *sim)
{
	return sim->knobs.n + (sim->adversary ? sim->adversary->twins : 0);
}

uint32_t sim_adversary_id(const struct sim *sim, uint32_t slot)
{
	for (uint32_t i = 0; i < sim_adversary_count(sim); i++)
		if (slot >= sim->knobs.n && sim->adversary->member[i].twin_slot == slot)
			return sim->adversary->member[i].id;
	ensure(slot < sim->knobs.n);
	return slot;
}

uint32_t sim_adversary_slot(struct sim *sim, uint32_t id)
{
	const struct adversary_member *self = member_at(sim, id);

	if (!self || self->twin_slot == 0 || prng_chance(&sim->adversary->prng, 500000))
		return id;
	return self->twin_slot;
}

/* Which of two twins runs in this slot, and does it meet replica `id` now? */
static bool slot_meets(const struct sim *sim, uint32_t slot, uint32_t id, uint32_t *ret_index)
{
	const struct adversary_member *self = member_at(sim, sim->nodes[slot].id);

	*ret_index = UINT32_MAX;
	if (!self || self->twin_slot == 0)
		return true;
	*ret_index = slot == self->twin_slot;
	return self->part[*ret_index] >> id & 1;
}

bool sim_adversary_carries(const struct sim *sim, uint32_t from_slot, uint32_t to_slot)
{
	uint32_t from_index;
	uint32_t to_index;

	if (sim->slots == sim->knobs.n)
		return true;
	return slot_meets(sim, from_slot, sim->nodes[to_slot].id, &from_index) &&
	       slot_meets(sim, to_slot, sim->nodes[from_slot].id, &to_index) &&
	       (from_index == to_index || from_index == UINT32_MAX || to_index == UINT32_MAX);
}

/* ---- tools of the strategies ---- */

/* A sleeper wakes with the healing at the latest. */
static bool is_awake(const struct sim *sim, const struct adversary_member *self)
{
	return sim->clock.now_ns >= self->wakes_ns || !sim->is_chaos;
}

bool adversary_does(const struct sim *sim, const struct adversary_member *self,
		    enum sim_strategy strategy)
{
	return (self->strategies >> strategy & 1) && is_awake(sim, self);
}

void adversary_act(const struct adversary_member *self, enum sim_strategy strategy)
{
	acts[strategy]++;
	if (self->strategies >> SIM_STRATEGY_SLEEP & 1)
		acts[SIM_STRATEGY_SLEEP]++;
}

uint32_t adversary_all_but(const struct sim *sim, uint32_t id)
{
	return ((UINT32_C(1) << sim->knobs.n) - 1) & ~(UINT32_C(1) << id);
}

uint32_t adversary_some(struct sim *sim, uint32_t of)
{
	return (uint32_t)prng_u64(&sim->adversary->prng) & of;
}

void adversary_emit(struct sim *sim, const struct sim_node *node, uint32_t to, const uint8_t *bytes,
		    uint32_t count)
{
	struct bitset set = { { to, 0 } };

	if (to == 0)
		return;
	sim_check_byzantine(sim, node->id, bytes, count);
	sim_net_send(sim, node->slot, &set, bytes, count);
}

void adversary_hold(struct sim *sim, const struct sim_node *node, uint32_t to, const uint8_t *bytes,
		    uint32_t count, uint64_t delay_ns)
{
	struct sim_event event = {
		.kind = SIM_EVENT_HELD,
		.node = node->slot,
		.argument = to,
	};

	if (to == 0)
		return;
	/* A VOTE may overtake the held PROPOSE it is for; the observer must know both. */
	sim_check_byzantine(sim, node->id, bytes, count);
	event.pointer = sim_packet_new(bytes, count);
	sim_clock_add(&sim->clock, delay_ns, &event);
}

/* ---- twins ---- */

static void draw_parts(struct sim *sim, struct adversary_member *self)
{
	const struct adversary_member *first = &sim->adversary->member[0];
	bool is_canary = sim->options.is_too_many_twins;

	if (self != first && first->twin_slot != 0 &&
	    (is_canary || prng_chance(&sim->adversary->prng, 500000))) {
		memcpy(self->part, first->part, sizeof(self->part));
		return;
	}
	self->part[0] = 0;
	self->part[1] = 0;
	for (uint32_t i = 0; i < sim->knobs.n; i++) {
		uint64_t lot = prng_below(&sim->adversary->prng, is_canary ? 2 : 3);

		if (is_canary && sim_adversary_has(sim, i))
			lot = 2;
		self->part[0] |= (uint32_t)(lot != 1) << i;
		self->part[1] |= (uint32_t)(lot != 0) << i;
	}
}

/* A twin has acted once its two halves contradict each other. */
static void note_twin(struct adversary_out *out)
{
	const struct hs_message *core = &out->message->u.core;
	struct adversary_said now = { .kind = out->message->kind };
	struct adversary_said *said;

	switch (out->message->kind) {
	case WIRE_PROPOSE:
		now.view = core->u.propose.header.view;
		now.content = core->u.propose.id;
		break;
	case WIRE_VOTE:
		now.view = core->u.vote.view;
		now.content = core->u.vote.block_id;
		break;
	case WIRE_COMMIT:
		now.view = core->u.commit.view;
		now.content = core->u.commit.block_id;
		break;
	case WIRE_TIMEOUT:
		now.view = core->u.timeout.view;
		memcpy(now.content.b, &core->u.timeout.qc_view, sizeof(core->u.timeout.qc_view));
		break;
	case WIRE_BATCH:
		now.view = out->message->u.batch.seq;
		now.content = out->message->u.batch.digest;
		break;
	default:
		return;
	}
	said = &out->self->said[(now.view * 8 + (now.kind == WIRE_BATCH ? 0 : now.kind)) %
				ADVERSARY_SAID_KEPT];
	if (said->kind == now.kind && said->view == now.view &&
	    memcmp(&said->content, &now.content, sizeof(now.content)) != 0)
		adversary_act(out->self, SIM_STRATEGY_TWIN);
	*said = now;
}

/* ---- the way out ---- */

static bool is_silent(const struct sim *sim, const struct adversary_member *self)
{
	return !sim->is_chaos && self->is_silent_after_healing;
}

static bool decode(struct sim *sim, uint32_t from, const uint8_t *bytes, uint32_t count)
{
	return wire_decode(bytes, count, from, &sim->validators.chain_id, &sim->validators.set_hash,
			   sim->knobs.n, sim->validators.epoch, &sim->adversary->in) == 0;
}

static void keep_sent(struct adversary_member *self, const uint8_t *bytes, uint32_t count)
{
	struct sim_packet **kept = &self->sent[self->sent_count++ % ADVERSARY_SENT_KEPT];

	if (*kept)
		sim_packet_drop(*kept);
	*kept = sim_packet_new(bytes, count);
}

static void pass(struct adversary_out *out)
{
	static void (*const pass_one[SIM_STRATEGY_COUNT])(struct adversary_out *) = {
		[SIM_STRATEGY_TWIN] = note_twin,
		[SIM_STRATEGY_EQUIVOCATE] = adversary_equivocate,
		[SIM_STRATEGY_WITHHOLD] = adversary_withhold,
		[SIM_STRATEGY_STALE] = adversary_stale,
		[SIM_STRATEGY_SLOW] = adversary_slow,
		[SIM_STRATEGY_SPLIT] = adversary_split,
		[SIM_STRATEGY_DELAY] = adversary_delay,
		[SIM_STRATEGY_MUTATE] = adversary_mutate,
		[SIM_STRATEGY_FORK] = adversary_fork,
		[SIM_STRATEGY_FALSE_VERIFY] = adversary_false_verify,
		[SIM_STRATEGY_LIE] = adversary_lie,
	};

	for (uint32_t i = 0; i < SIM_STRATEGY_COUNT; i++)
		if (pass_one[i] && out->to != 0 &&
		    adversary_does(out->sim, out->self, (enum sim_strategy)i))
			pass_one[i](out);
}

void sim_adversary_send(struct sim *sim, struct sim_node *node, const struct bitset *to,
			const uint8_t *bytes, uint32_t count)
{
	struct adversary_out out = {
		.sim = sim,
		.all = sim->adversary,
		.node = node,
		.self = member_at(sim, node->id),
		.message = &sim->adversary->in,
		.bytes = bytes,
		.count = count,
		.to = (uint32_t)to->word[0] & adversary_all_but(sim, node->id),
	};

	if (is_silent(sim, out.self))
		return;
	ensure(decode(sim, node->id, bytes, count));
	adversary_remember(sim, out.message);
	pass(&out);
	if (adversary_does(sim, out.self, SIM_STRATEGY_FLOOD) ||
	    adversary_does(sim, out.self, SIM_STRATEGY_DELAY))
		keep_sent(out.self, bytes, count);
	if (out.delay_ns > 0)
		adversary_hold(sim, node, out.to, bytes, count, out.delay_ns);
	else
		adversary_emit(sim, node, out.to, bytes, count);
}

/* ---- the way in ---- */

/* A forged block its replica never saw can be fetched all the same. */
static bool serve_forged(struct sim *sim, struct sim_node *node,
			 const struct adversary_member *self)
{
	const struct wire_message *message = &sim->adversary->in;
	const struct hs_block *block;

	if (message->kind != WIRE_WANT_BLOCK)
		return false;
	block = adversary_block(sim->adversary, &message->u.want_block.id);
	if (!block || block->author != self->id)
		return false;
	adversary_say_blocks(sim, node, UINT32_C(1) << message->from, &block, 1,
			     node->delivered_height);
	return true;
}

bool sim_adversary_hears(struct sim *sim, struct sim_node *node, uint32_t from,
			 const struct sim_packet *packet)
{
	struct adversary_member *self = member_at(sim, node->id);

	if (!self)
		return true;
	if (is_silent(sim, self))
		return false;
	if (!decode(sim, from, packet->bytes, packet->count))
		return true;
	adversary_remember(sim, &sim->adversary->in);
	if (sim->adversary->in.kind == WIRE_SHOW)
		return false;
	if (adversary_does(sim, self, SIM_STRATEGY_STALE))
		adversary_stale_heard(sim, node, self);
	if (adversary_does(sim, self, SIM_STRATEGY_SPLIT))
		adversary_split_heard(sim, node, self);
	if (adversary_does(sim, self, SIM_STRATEGY_FLOOD))
		adversary_flood_heard(sim, node, self);
	if ((adversary_does(sim, self, SIM_STRATEGY_FORK) ||
	     adversary_does(sim, self, SIM_STRATEGY_FALSE_VERIFY)) &&
	    adversary_fork_heard(sim, node, self))
		return false;
	if (adversary_does(sim, self, SIM_STRATEGY_LIE) && adversary_lie_heard(sim, node, self))
		return false;
	return !serve_forged(sim, node, self);
}

/* ---- time ---- */

static void on_tick(struct sim *sim, uint32_t index)
{
	struct sim_event event = { .kind = SIM_EVENT_ADVERSARY, .from = index };
	struct adversary_member *self = &sim->adversary->member[index];
	struct sim_node *node = &sim->nodes[self->id];
	struct prng *prng = &sim->adversary->prng;

	self->victims = adversary_some(sim, adversary_all_but(sim, self->id));
	self->withheld = (enum adversary_withheld)prng_below(prng, WITHHELD_COUNT);
	if (self->twin_slot != 0 && is_awake(sim, self))
		draw_parts(sim, self);
	if (node->is_up && !is_silent(sim, self)) {
		if (adversary_does(sim, self, SIM_STRATEGY_FLOOD))
			adversary_flood_tick(sim, node, self);
		if (adversary_does(sim, self, SIM_STRATEGY_SLANDER))
			adversary_slander_tick(sim, node, self);
	}
	sim_clock_add(&sim->clock, self->tick_ns / 2 + prng_below(prng, self->tick_ns), &event);
}

void sim_adversary_event(struct sim *sim, const struct sim_event *event)
{
	const struct sim_packet *packet = event->pointer;

	if (event->kind == SIM_EVENT_ADVERSARY)
		on_tick(sim, event->from);
	else
		adversary_emit(sim, &sim->nodes[event->node], (uint32_t)event->argument,
			       packet->bytes, packet->count);
}
