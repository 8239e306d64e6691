/*
 * sim_disk: a disk in memory, with a virtual clock and every fault of STORAGE.md.
 *
 *     blocklog_store <--> blocklog_dev <--> sim_disk: [now] what a read sees
 *                                                     [stable] what survives a power cut
 *
 * Model    Durable writes reach both images when they complete, in sectors of 512
 *          bytes; an operation completes when sim_disk_advance() passes its due
 *          time. Blocking use (open, format) completes by itself and takes no
 *          virtual time. The disk outlives the replicas that use it.
 * Crash    sim_disk_crash() cuts the power: of every write under way each sector
 *          is stable or not, by the seed; what was never stable is gone.
 *          sim_disk_kill() ends the process only: such sectors can be read, but
 *          are not stable yet. Both before the store's memory is released, since
 *          operations under way point into it.
 * Seed     The same seed and the same calls give the same bytes.
 * Memory   The heap. Test code only.
 */
#ifndef QUORATE_TESTS_SIM_DISK_H
#define QUORATE_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/blocklog_dev.h"
#include "storage/blocklog_recover.h"

struct sim_disk;

/*
 * Parts per million of the operations they apply to; all 0: a perfect disk. Only errors
 * that are reported are an honest disk's; one that does anything else is marred.
 */
struct sim_disk_faults {
	uint32_t write_error; /* -EIO, some sectors reached the disk */
	uint32_t read_error;  /* -EIO once */
	uint32_t rot;         /* a read finds one bit flipped, for ever */
	uint32_t misdirect;   /* a write goes to another page of the file and reports success */
	uint32_t lose;        /* a write goes nowhere and reports success */
	uint32_t lie;      /* a write is reported durable and is not stable until the next sync */
	uint32_t sync_lie; /* a sync reports success and leaves the cache as it is */
	uint32_t latent;   /* a page just written can not be read any more until it is written */
};

struct sim_disk_config {
	uint64_t seed;
	uint64_t write_ns; /* latency of a durable write, plus ns_per_page for each page */
	uint64_t read_ns;
	uint64_t page_ns;
	uint64_t jitter_ns; /* up to this much more, uniformly */
	uint32_t slow;      /* operations that take up to slow_ns longer */
	uint64_t slow_ns;
	uint32_t writeback; /* sectors of the volatile cache that reach the medium by themselves */
	uint64_t bytes_max; /* files together; creation beyond it is -ENOSPC; 0: no limit */
	struct sim_disk_faults faults;
};

struct sim_disk *sim_disk_new(const struct sim_disk_config *config);
void sim_disk_free(struct sim_disk *disk);

/* The device for a store. After a crash or kill the same one serves the next store. */
struct blocklog_dev *sim_disk_dev(struct sim_disk *disk);

/* Completes what is due at `now_ns`. */
void sim_disk_advance(struct sim_disk *disk, uint64_t now_ns);

/* When the next operation is due; UINT64_MAX: none is under way. */
uint64_t sim_disk_next_ns(const struct sim_disk *disk);

void sim_disk_crash(struct sim_disk *disk);
void sim_disk_kill(struct sim_disk *disk);

/*
 * Cuts the power by itself after `sectors` more sectors of writes became stable (in
 * the seed's order within a write, or forwards). From then on nothing completes, and
 * blocking operations fail with -EIO; sim_disk_crash() ends this state.
 */
void sim_disk_cut_after(struct sim_disk *disk, uint64_t sectors, bool is_shuffled);
bool sim_disk_is_dead(const struct sim_disk *disk);

/* Sectors of writes that became stable so far. */
uint64_t sim_disk_sectors(const struct sim_disk *disk);

/* Durable writes and syncs submitted so far: what group commit is counted by. */
uint64_t sim_disk_writes(const struct sim_disk *disk);

void sim_disk_set_faults(struct sim_disk *disk, const struct sim_disk_faults *faults);
void sim_disk_set_bytes_max(struct sim_disk *disk, uint64_t bytes_max);

/* How often each thing happened: a fault that never happens tests nothing. */
struct sim_disk_counts {
	uint64_t torn;         /* writes under way when power or process ended */
	uint64_t written_back; /* sectors of the cache that outlived a power cut */
	uint64_t write_errors;
	uint64_t read_errors;
	uint64_t rotten;
	uint64_t misdirected;
	uint64_t lost;
	uint64_t lies;
	uint64_t sync_lies;
	uint64_t spoilt;
	uint64_t full;
	uint64_t slow;
	uint64_t rolled_back;
	uint64_t wiped;
};
const struct sim_disk_counts *sim_disk_counts(const struct sim_disk *disk);

/* Every latency from now on is `factor` times as long. */
void sim_disk_set_slowness(struct sim_disk *disk, uint32_t factor);

/* When the last of the operations under way will be done; 0: none is. */
uint64_t sim_disk_busy_until_ns(const struct sim_disk *disk);

/* Bytes of all files. */
uint64_t sim_disk_bytes(const struct sim_disk *disk);

/* True once the disk did what no honest one does; sim_disk_mar() says so for the caller's deeds. */
bool sim_disk_is_marred(const struct sim_disk *disk);
void sim_disk_mar(struct sim_disk *disk);

/*
 * An old image comes back, as when a snapshot is restored: keep remembers the stable
 * image, roll_back puts it into both. False: nothing was kept. Nothing is under way.
 */
void sim_disk_keep(struct sim_disk *disk);
bool sim_disk_roll_back(struct sim_disk *disk);
bool sim_disk_has_kept(const struct sim_disk *disk);

/* Another, empty disk in its place. Nothing is under way. */
void sim_disk_wipe(struct sim_disk *disk);

/* Makes the next write to `area` suffer one certain fault. */
enum sim_disk_fault {
	SIM_DISK_WRITE_ERROR,
	SIM_DISK_MISDIRECT,
	SIM_DISK_LOSE,
	SIM_DISK_LIE,
};
void sim_disk_next_write(struct sim_disk *disk, enum blocklog_area area, enum sim_disk_fault fault);

/* Flips the bits of `mask` in one stored byte, in both images. The file must exist. */
void sim_disk_flip(struct sim_disk *disk, enum blocklog_area area, uint64_t segment,
		   uint64_t offset, uint8_t mask);

/* Reads that touch this page fail with -EIO until it is written. */
void sim_disk_spoil(struct sim_disk *disk, enum blocklog_area area, uint64_t segment,
		    uint64_t offset);

/* Deletes a file, as a careless operator would. */
void sim_disk_lose_file(struct sim_disk *disk, enum blocklog_area area, uint64_t segment);

/* Reads the stable image, for an observer who knows everything: no fault, no time. */
struct blocklog_source sim_disk_stable(struct sim_disk *disk);

#endif
