/* Links between replicas. What a session rejects (corruption, replay) never gets here. */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "tests/sim/sim.h"

struct sim_packet *sim_packet_new(const uint8_t *bytes, uint32_t count)
{
	struct sim_packet *packet = malloc(sizeof(*packet) + count);

	ensure(packet);
	packet->references = 1;
	packet->count = count;
	memcpy(packet->bytes, bytes, count);
	return packet;
}

void sim_packet_drop(struct sim_packet *packet)
{
	if (--packet->references == 0)
		free(packet);
}

/* Minimum plus an exponential part, in integers only: the sum of geometric halvings. */
static uint64_t link_delay(struct sim *sim)
{
	const struct sim_knobs *knobs = &sim->knobs;
	uint64_t delay_ns = knobs->delay_min_ns;

	if (knobs->delay_mean_ns > 0) {
		delay_ns += prng_below(&sim->prng, knobs->delay_mean_ns);
		while (prng_chance(&sim->prng, 400000))
			delay_ns += prng_below(&sim->prng, knobs->delay_mean_ns);
	}
	if (sim->is_chaos && prng_chance(&sim->prng, knobs->late_ppm))
		delay_ns += prng_below(&sim->prng, knobs->late_ns);
	return delay_ns;
}

static void link_send(struct sim *sim, uint32_t from, uint32_t to, struct sim_packet *packet)
{
	struct sim_event event = {
		.kind = SIM_EVENT_PACKET,
		.node = to,
		.from = from,
		.incarnation = sim->nodes[to].incarnation,
		.pointer = packet,
	};
	uint32_t copies = 1;

	if (!sim->nodes[to].is_up || sim->side[from] != sim->side[to] ||
	    (sim->is_chaos && prng_chance(&sim->prng, sim->knobs.loss_ppm))) {
		sim->lost++;
		return;
	}
	if (sim->is_chaos && prng_chance(&sim->prng, sim->knobs.duplicate_ppm))
		copies++;
	for (uint32_t i = 0; i < copies; i++) {
		packet->references++;
		sim->sent++;
		sim_clock_add(&sim->clock, link_delay(sim), &event);
	}
}

void sim_net_send(struct sim *sim, uint32_t from, const struct bitset *to, const uint8_t *bytes,
		  uint32_t count)
{
	struct sim_packet *packet = sim_packet_new(bytes, count);

	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (bitset_has(to, i))
			link_send(sim, from, i, packet);
	sim_packet_drop(packet);
}

/* Two or three groups, or one replica alone. */
void sim_net_partition(struct sim *sim)
{
	uint32_t kind = (uint32_t)prng_below(&sim->prng, 3);
	uint32_t alone = (uint32_t)prng_below(&sim->prng, sim->knobs.n);

	for (uint32_t i = 0; i < sim->knobs.n; i++)
		sim->side[i] = kind == 2 ? i == alone : (uint32_t)prng_below(&sim->prng, 2 + kind);
	sim->is_partitioned = true;
}
