/*
 * sim_power: the whole cluster loses power, again and again, under load (--power-cuts).
 *
 *     start all --> load --> [a chosen moment] cut --> look at every stable image --+
 *        ^                                                                          |
 *        +--------------------------------------------------------------------------+
 *
 * Moments  A sector of a write, whichever disk it is on; an event; a message of one
 *          kind leaving; a receipt leaving; and, by a small number of sectors, in the
 *          middle of a recovery. Replicas come back together, one after the other, or
 *          but for one. Between the cuts single processes may be killed.
 * Checked  At each cut and at the end: everything told durable is on the stable
 *          image, every receipted height on q of them, one order everywhere. The
 *          other checks of the observer go on as always.
 */
#ifndef QUORATE_TESTS_SIM_SIM_POWER_H
#define QUORATE_TESTS_SIM_SIM_POWER_H

#include <stdbool.h>
#include <stdint.h>

struct sim;

enum sim_power_moment {
	SIM_POWER_SECTOR,
	SIM_POWER_RECOVERY,
	SIM_POWER_EVENT,
	SIM_POWER_MESSAGE,
	SIM_POWER_RECEIPT,
	SIM_POWER_MOMENTS,
};

struct sim_power {
	uint64_t wanted; /* cuts until chaos ends; 0: this is no power-cut run */
	uint64_t cuts;
	uint64_t cuts_at[SIM_POWER_MOMENTS];
	uint64_t cuts_down; /* that met a replica which was not up again */
	enum sim_power_moment moment;
	uint32_t kind;         /* MESSAGE */
	uint64_t target;       /* of the moment's own count */
	uint64_t latest_event; /* the cut comes now at the latest */
};

/* Knobs of a power-cut run, drawn after the swarm's. */
void sim_power_draw(struct sim *sim);

/* After each event: is this the moment? */
void sim_power_look(struct sim *sim);

#endif
