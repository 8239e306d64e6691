/*
 * sim_atlas: which disk suffers what, and what must follow from it (TESTING rule 4).
 *
 *     any disk     failed writes and reads, no space, slowness, a volatile cache; damage
 *                  to one copy of the safety record and to three of the four superblocks
 *     frail disks  anything: lies, rot, latent errors, lost and misdirected writes,
 *                  an old image that comes back, an empty disk, a lost safety log
 *
 * Survivable  At most f disks are frail, so that of every record a good copy stays on
 *             a quorum: the others lose nothing and go on, and any loss is the code's
 *             fault. A frail replica may refuse to start, and then names log and place
 *             of the damage; a replica whose record is gone or too old only observes.
 *             In no case does it serve bytes that do not verify.
 * Fatal       --fatal: at the end no good copy of some height is left anywhere (or, by
 *             the seed, each disk misses another height). Every replica must refuse and
 *             name the place, and nothing may be ordered. Repair from peers, which will
 *             turn the second case into a survivable one, is not written yet.
 * Draws       From a generator of its own, so that other faults of a seed stay the same.
 */
#ifndef QUORATE_TESTS_SIM_SIM_ATLAS_H
#define QUORATE_TESTS_SIM_SIM_ATLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "tests/sim/sim_disk.h"

struct sim;
struct sim_node;
struct sim_event;
struct replica_effect;

enum sim_harm {
	SIM_HARM_FLIP,   /* one byte of the lane or block log */
	SIM_HARM_SPOIL,  /* one page of them cannot be read */
	SIM_HARM_BACK,   /* an image of some time ago comes back */
	SIM_HARM_FIRST,  /* ...or that of the day the store was made */
	SIM_HARM_WIPE,   /* an empty disk in its place */
	SIM_HARM_SAFETY, /* the safety log is gone */
	SIM_HARM_PPM,    /* the disk's own faults, at random */
	SIM_HARM_KINDS,
};

struct sim_atlas {
	struct prng prng;
	/* any disk */
	uint64_t full_every_ns; /* no space; 0: never */
	uint64_t full_ns;
	uint64_t slow_every_ns;
	uint64_t slow_ns;
	uint32_t slowness;
	uint64_t scratch_every_ns; /* one copy of what has several */
	uint32_t write_error;
	uint32_t read_error;
	/* frail disks */
	uint32_t frail; /* nodes, as bits */
	uint32_t harms; /* enum sim_harm, as bits */
	uint64_t harm_every_ns;
	struct sim_disk_faults faults; /* PPM */
	/* what happened */
	uint64_t harmed[SIM_HARM_KINDS];
	uint64_t scratches;
	uint64_t refusals; /* stores that did not open, and named what is damaged */
	uint64_t observers;
	uint64_t retired; /* stores that failed under way */
	uint64_t fatal;   /* heights of which no good copy was left */
};

void sim_atlas_draw(struct sim *sim);

/* Frail disks make way for Byzantine members: at most f are faulty in all. */
void sim_atlas_spare(struct sim *sim);

/* After the disks are formatted: gives each what it suffers, and plans the rest. */
void sim_atlas_start(struct sim *sim);

/* A planned deed is due. */
void sim_atlas_event(struct sim *sim, const struct sim_event *event);

/* Sound disks behave from now on; frail ones never do. */
void sim_atlas_heal(struct sim *sim);

/* A store that does not open, or does not recover: power failed, it is damaged, or a bug. */
void sim_atlas_refused(struct sim *sim, struct sim_node *node, int code);

/* An alarm of a replica: what it says must be true. */
void sim_atlas_alarm(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);

/* --fatal, instead of healing: the damage of which no copy is left, and what follows. */
void sim_atlas_fatal(struct sim *sim);

#endif
