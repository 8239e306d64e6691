/*
 * hs_cluster: several cores, a lossy network and honest disks, from one seed.
 *
 * The small sibling of the simulator: no lanes, no bytes, no storage format.
 * Messages are delayed, dropped, duplicated and cut off by partitions at
 * random; nodes crash between any two steps and start again from what their
 * disk had acknowledged. A twin is a second core with the key of the last
 * member: everything a Byzantine member can do by running the protocol twice.
 *
 * After every step an observer who sees everything checks agreement per height,
 * one statement a view and author, rule K, and durable before visible; a broken
 * promise is reported in `failure` and ends the run.
 */
#ifndef QUORATE_TESTS_LIB_HS_CLUSTER_H
#define QUORATE_TESTS_LIB_HS_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

struct hs_cluster_options {
	uint64_t seed;
	uint32_t replica_count;
	bool has_twin;       /* the last member runs twice */
	bool twin_forges;    /* and signs some COMMITs badly */
	uint32_t dead_count; /* members that never start */
	uint32_t loss_ppm;
	uint32_t crash_ppm; /* per event */
	bool has_partitions;
	uint64_t chaos_ns; /* virtual time with faults */
	uint64_t calm_ns;  /* then without: commits must go on */
	uint64_t delay_max_ns;
	uint64_t disk_max_ns; /* longest durable write */
	bool is_loud;         /* prints the trace */
};

struct hs_cluster_result {
	const char *failure; /* NULL: every promise held */
	uint64_t events;
	uint64_t height_chaos; /* highest commit when the calm began */
	uint64_t height_end;   /* lowest commit of a living honest node at the end */
	uint64_t views;
	uint64_t views_failed;
	uint64_t crashes;
	uint64_t evidence;
	uint64_t proofs;
	uint64_t trace_hash;
	uint64_t messages;
};

struct hs_cluster_options hs_cluster_defaults(uint64_t seed);
struct hs_cluster_result hs_cluster_run(const struct hs_cluster_options *options);

#endif
