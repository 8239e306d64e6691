/*
 * sim_adversary: Byzantine members of a simulated cluster (TESTING.md, PROTOCOL §1 to §8).
 *
 *     real replica --> SEND --> strategies --> what each receiver gets
 *     what peers send --> strategies (they remember) --> real replica
 *
 * Model    A Byzantine member runs the real replica, so it stays in step with the
 *          others; strategies stand between it and the network. They see every
 *          message, drop, delay, change and repeat it for each receiver, and sign
 *          whatever they like with the member's own key. Members share what they
 *          heard: they collude. They cannot forge anybody else's signature.
 * Bounds   At most f members of n, one to a few strategies each, drawn from the seed
 *          by a generator of their own: a seed without an adversary, and the faults
 *          of any seed, stay what they are. After healing they go on, or fall silent.
 * Twin     A member with two whole replicas under one key; each exchanges messages
 *          with its own changing part of the others. The second one runs in a slot
 *          above n (sim_node.slot); everybody else has slot = id.
 * Counts   Every deed is counted for its strategy over the whole process: a strategy
 *          that never acted tests nothing.
 */
#ifndef QUORATE_TESTS_SIM_SIM_ADVERSARY_H
#define QUORATE_TESTS_SIM_SIM_ADVERSARY_H

#include "tests/sim/sim.h"

enum sim_strategy {
	SIM_STRATEGY_TWIN,         /* two replicas with one key */
	SIM_STRATEGY_EQUIVOCATE,   /* two blocks for one view */
	SIM_STRATEGY_WITHHOLD,     /* payload, headers or certificates kept from some */
	SIM_STRATEGY_STALE,        /* proposes and times out on older certificates than it has */
	SIM_STRATEGY_SLOW,         /* proposes just before, or just after, the timer fires */
	SIM_STRATEGY_SPLIT,        /* votes and commits for several blocks, or to some only */
	SIM_STRATEGY_SLEEP,        /* another strategy, after long honesty */
	SIM_STRATEGY_DELAY,        /* late, out of order, or much later again */
	SIM_STRATEGY_MUTATE,       /* changed fields, validly signed */
	SIM_STRATEGY_FLOOD,        /* junk, repetitions, huge claims */
	SIM_STRATEGY_FORK,         /* two batches for one number of its lane */
	SIM_STRATEGY_FALSE_VERIFY, /* claims what it never checked; bad client seals in its lane */
	SIM_STRATEGY_LIE,          /* wrong, short or foreign answers to who catches up */
	SIM_STRATEGY_SLANDER,      /* accuses the honest */
	SIM_STRATEGY_COUNT,
};

/* sim_options.adversary; a forced strategy is SIM_ADVERSARY_FORCED + its number. */
enum { SIM_ADVERSARY_DRAWN, SIM_ADVERSARY_NONE, SIM_ADVERSARY_FORCED };

/* "none" or a strategy's name, to the value above; false if there is no such name. */
bool sim_adversary_parse(const char *name, uint32_t *ret_value);
const char *sim_adversary_name(uint32_t value);

/* Draws the members from the seed. Before the cluster; NULL afterwards if nobody is Byzantine. */
void sim_adversary_init(struct sim *sim);
void sim_adversary_fini(struct sim *sim);

bool sim_adversary_has(const struct sim *sim, uint32_t id);
uint32_t sim_adversary_count(const struct sim *sim);

/* Slots to run, the replica of each, and (by lot) the slot that serves a client of `id`. */
uint32_t sim_adversary_slots(const struct sim *sim);
uint32_t sim_adversary_id(const struct sim *sim, uint32_t slot);
uint32_t sim_adversary_slot(struct sim *sim, uint32_t id);

/* Does a packet go from slot to slot? False between the parts that twins see. */
bool sim_adversary_carries(const struct sim *sim, uint32_t from_slot, uint32_t to_slot);

/* What a member's replica wants to send, and what comes for it: false keeps it from the replica. */
void sim_adversary_send(struct sim *sim, struct sim_node *node, const struct bitset *to,
			const uint8_t *bytes, uint32_t count);
bool sim_adversary_hears(struct sim *sim, struct sim_node *node, uint32_t from,
			 const struct sim_packet *packet);

/* ADVERSARY and HELD events. */
void sim_adversary_event(struct sim *sim, const struct sim_event *event);

/* Who does what in this run; on standard error. */
void sim_adversary_print(const struct sim *sim);

/* Deeds of a strategy since the process began. */
uint64_t sim_adversary_acts(enum sim_strategy strategy);

#endif
