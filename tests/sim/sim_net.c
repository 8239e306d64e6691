/*
 * Links between replicas. Bits flipped and packets cut short must be refused by the gate
 * where a signature covers them; the rest of them a session's tag would refuse.
 */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "tests/lib/marks.h"
#include "tests/sim/sim_adversary.h"
#include "tests/sim/sim_memory.h"

enum { FLIPS_MAX = 8 };

static struct sim_packet *packet_new(const uint8_t *bytes, uint32_t count)
{
	struct sim_packet *packet = sim_memory_new(sizeof(*packet) + count);

	packet->references = 1;
	packet->count = count;
	packet->is_spoilt = false;
	memcpy(packet->bytes, bytes, count);
	return packet;
}

/* Eight bytes a step; only the trace sees it. */
static uint64_t hash_of(const uint8_t *bytes, uint32_t count)
{
	uint64_t hash = count;

	for (uint32_t at = 0; at < count; at += 8) {
		uint64_t word = 0;

		if (count - at >= 8)
			memcpy(&word, bytes + at, 8);
		else
			memcpy(&word, bytes + at, count - at);
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return hash;
}

struct sim_packet *sim_packet_new(const uint8_t *bytes, uint32_t count)
{
	struct sim_packet *packet = packet_new(bytes, count);

	packet->hash = hash_of(bytes, count);
	return packet;
}

void sim_packet_drop(struct sim_packet *packet)
{
	if (--packet->references == 0)
		sim_memory_free(packet);
}

void sim_net_fini(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->replays; i++)
		sim_packet_drop(sim->replay[i].packet);
	free(sim->links);
}

/* ---- a link's own faults ---- */

static bool is_wild(const struct sim *sim, uint32_t from, uint32_t to)
{
	return sim->is_chaos || sim->nodes[from].broken == SIM_BROKEN_LINKS ||
	       sim->nodes[to].broken == SIM_BROKEN_LINKS;
}

/* Minimum plus an exponential part, in integers only: the sum of geometric halvings. */
static uint64_t link_delay(struct sim *sim, const struct sim_link *link, bool wild)
{
	uint64_t delay_ns = link->delay_min_ns;

	if (link->delay_mean_ns > 0) {
		delay_ns += prng_below(&sim->net, link->delay_mean_ns);
		while (prng_chance(&sim->net, 400000))
			delay_ns += prng_below(&sim->net, link->delay_mean_ns);
	}
	if (wild && link->late_ppm > 0 && prng_chance(&sim->net, link->late_ppm)) {
		SOMETIMES(true, "net: a packet was overtaken by much");
		delay_ns += prng_below(&sim->net, sim->knobs.late_ns);
	}
	return delay_ns;
}

/* How long the packet queues; UINT64_MAX: the queue is full. */
static uint64_t queue_ns(struct sim *sim, struct sim_link *link, uint32_t count)
{
	uint64_t now_ns = sim->clock.now_ns;

	if (sim->knobs.byte_ns == 0)
		return 0;
	if (link->free_ns < now_ns)
		link->free_ns = now_ns;
	if (link->free_ns - now_ns > sim->knobs.queue_ns) {
		SOMETIMES(true, "net: a full queue dropped a packet");
		return UINT64_MAX;
	}
	link->free_ns += count * sim->knobs.byte_ns;
	return link->free_ns - now_ns;
}

static struct sim_packet *spoil(struct sim *sim, const struct sim_packet *packet, bool is_cut)
{
	struct sim_packet *spoilt = packet_new(packet->bytes, packet->count);
	uint64_t flips = 1 + prng_below(&sim->net, FLIPS_MAX);

	if (is_cut) {
		spoilt->count = (uint32_t)prng_below(&sim->net, packet->count);
	} else {
		while (flips-- > 0) {
			uint8_t bit = (uint8_t)(1 << prng_below(&sim->net, 8));

			spoilt->bytes[prng_below(&sim->net, packet->count)] ^= bit;
		}
		/* Two flips may undo each other; what is unharmed is not spoilt. */
		if (memcmp(spoilt->bytes, packet->bytes, packet->count) == 0)
			spoilt->bytes[0] ^= 1;
	}
	spoilt->is_spoilt = true;
	spoilt->hash = hash_of(spoilt->bytes, spoilt->count);
	return spoilt;
}

static bool strikes(struct sim *sim, uint32_t ppm)
{
	return ppm > 0 && prng_chance(&sim->net, ppm);
}

bool sim_net_hears(const struct sim *sim, uint32_t to, uint32_t from)
{
	return !(sim->cut[to] >> from & 1) && !(sim->deaf >> to & 1) && !(sim->mute >> from & 1);
}

static void deliver(struct sim *sim, uint32_t from, uint32_t to, struct sim_packet *packet,
		    uint64_t after_ns)
{
	struct sim_event event = {
		.kind = SIM_EVENT_PACKET,
		.node = to,
		.from = sim->nodes[from].id,
		.incarnation = sim->nodes[to].incarnation,
		.pointer = packet,
	};
	uint64_t clogged_ns = sim->nodes[to].clogged_until_ns;

	if (sim->nodes[from].clogged_until_ns > clogged_ns)
		clogged_ns = sim->nodes[from].clogged_until_ns;
	if (clogged_ns > sim->clock.now_ns) {
		SOMETIMES(true, "net: a clogged node held packets back");
		after_ns += clogged_ns - sim->clock.now_ns;
	}
	packet->references++;
	sim->sent++;
	sim_clock_add(&sim->clock, after_ns, &event);
}

static void lose(struct sim *sim)
{
	sim->lost++;
}

/* Bits flip or the end is missing: the packet itself does not arrive. */
static bool arrives_spoilt(struct sim *sim, const struct sim_link *link, uint32_t from, uint32_t to,
			   struct sim_packet *packet)
{
	bool is_corrupt = strikes(sim, link->corrupt_ppm);
	bool is_cut = strikes(sim, link->truncate_ppm);
	struct sim_packet *spoilt;

	if (!is_corrupt && !is_cut)
		return false;
	spoilt = spoil(sim, packet, is_cut);
	deliver(sim, from, to, spoilt, link_delay(sim, link, true));
	sim_packet_drop(spoilt);
	return true;
}

static void link_send(struct sim *sim, uint32_t from, uint32_t to, struct sim_packet *packet)
{
	struct sim_link *link = &sim->links[from * SIM_SLOTS_MAX + to];
	bool wild = is_wild(sim, from, to);
	uint64_t queued_ns;

	if (!sim->nodes[to].is_up || !sim_net_hears(sim, to, from) ||
	    (sim->options.is_mute && !sim->is_chaos && packet->bytes[0] == WIRE_PROPOSE) ||
	    (wild && strikes(sim, link->loss_ppm))) {
		lose(sim);
		return;
	}
	if (wild && link->has_hole && packet->count > sim->knobs.hole_bytes) {
		SOMETIMES(true, "net: a big packet fell into a hole");
		lose(sim);
		return;
	}
	queued_ns = wild ? queue_ns(sim, link, packet->count) : 0;
	if (queued_ns == UINT64_MAX) {
		lose(sim);
		return;
	}
	if (wild && arrives_spoilt(sim, link, from, to, packet))
		return;
	deliver(sim, from, to, packet, queued_ns + link_delay(sim, link, wild));
	if (wild && strikes(sim, link->duplicate_ppm)) {
		SOMETIMES(true, "net: a packet arrived twice");
		deliver(sim, from, to, packet, queued_ns + link_delay(sim, link, wild));
	}
}

/* ---- packets of the past ---- */

static void keep(struct sim *sim, uint32_t from, uint32_t to, struct sim_packet *packet)
{
	struct sim_replay *replay = &sim->replay[sim->replays];

	if (sim->replays < SIM_REPLAY_MAX) {
		sim->replays++;
	} else {
		replay = &sim->replay[prng_below(&sim->net, SIM_REPLAY_MAX)];
		sim_packet_drop(replay->packet);
	}
	packet->references++;
	*replay = (struct sim_replay){
		.packet = packet,
		.from = from,
		.to = to,
		.from_incarnation = sim->nodes[from].incarnation,
		.to_incarnation = sim->nodes[to].incarnation,
	};
}

void sim_net_replay(struct sim *sim)
{
	const struct sim_replay *replay;

	if (sim->replays == 0)
		return;
	replay = &sim->replay[prng_below(&sim->net, sim->replays)];
	if (!sim->nodes[replay->to].is_up || !sim_net_hears(sim, replay->to, replay->from))
		return;
	SOMETIMES(true, "net: an old packet came again");
	SOMETIMES(replay->to_incarnation != sim->nodes[replay->to].incarnation,
		  "net: an old packet came again after its receiver restarted");
	SOMETIMES(replay->from_incarnation != sim->nodes[replay->from].incarnation,
		  "net: an old packet came again after its sender restarted");
	deliver(sim, replay->from, replay->to, replay->packet, 1);
}

void sim_net_send(struct sim *sim, uint32_t from, const struct bitset *to, const uint8_t *bytes,
		  uint32_t count)
{
	struct sim_packet *packet = sim_packet_new(bytes, count);

	for (uint32_t i = 0; i < sim->slots; i++) {
		if (!bitset_has(to, sim->nodes[i].id) || i == from ||
		    !sim_adversary_carries(sim, from, i))
			continue;
		link_send(sim, from, i, packet);
		if (sim->is_chaos && strikes(sim, sim->knobs.replay_ppm))
			keep(sim, from, i, packet);
	}
	sim_packet_drop(packet);
}
