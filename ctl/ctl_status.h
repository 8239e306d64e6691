/*
 * ctl_status: what a node is and sees, as one value of fixed layout.
 *
 * The node fills a `struct ctl_status` in its housekeeping and publishes it
 * whole into the shared page; readers get a consistent copy or none.
 *
 * Threads  One publisher; any number of readers, which never wait for long and
 *          never make the publisher wait (a sequence lock).
 * Units    Nanoseconds of CLOCK_MONOTONIC. Strings end with a zero byte.
 */
#ifndef QUORATE_CTL_STATUS_H
#define QUORATE_CTL_STATUS_H

#include <stdint.h>

enum {
	CTL_REPLICAS_MAX = 100,
	CTL_PORTS_MAX = 128,
	CTL_TEXT_BYTES = 64,
	CTL_ID_BYTES = 32,
};

enum ctl_link { CTL_LINK_DOWN, CTL_LINK_UP };

struct ctl_status_peer {
	uint32_t is_up; /* 1: a session is established */
	uint32_t reserved;
	uint64_t last_seen_ns;     /* its last valid packet; 0: never */
	uint64_t committed_height; /* the newest it told us of */
};

struct ctl_status_lane {
	uint64_t stored_seq;    /* newest durable here */
	uint64_t committed_seq; /* newest in the order */
};

struct ctl_status_port {
	char name[CTL_TEXT_BYTES];
	char kind[16]; /* "memif", "af_packet" ... */
	char role[16]; /* "peer 2", "client" */
	uint32_t link; /* enum ctl_link */
	uint32_t reserved;
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t frames_missed; /* the device dropped them before we saw them */
};

struct ctl_status {
	uint32_t replica_id;
	uint32_t replica_count;
	uint32_t quorum;
	uint32_t leader; /* of the view below */
	uint8_t chain_id[CTL_ID_BYTES];
	uint64_t epoch;
	uint64_t view;
	uint64_t high_qc_view;
	uint64_t committed_height;
	uint8_t committed_id[CTL_ID_BYTES];
	uint64_t committed_ns; /* when; 0: not since start */
	uint64_t delivered_height;
	uint64_t transactions_final; /* ever, counted by the order itself */
	uint32_t is_observer;
	uint32_t is_catching_up;
	char observer_reason[CTL_TEXT_BYTES];
	char version[CTL_TEXT_BYTES];
	char crypto[CTL_TEXT_BYTES]; /* build id and what it uses */
	char disk[CTL_TEXT_BYTES];   /* "file, direct, io_uring" */
	char memory[CTL_TEXT_BYTES]; /* "hugepages 2 MiB", "no hugepages" */
	char cores[CTL_TEXT_BYTES];  /* "shared", "spread 2-7" */
	char ingress[108];           /* path of the local socket; "": none */
	uint32_t port_count;
	struct ctl_status_peer peer[CTL_REPLICAS_MAX]; /* by replica id; the own one is unused */
	struct ctl_status_lane lane[CTL_REPLICAS_MAX]; /* by lane */
	struct ctl_status_port port[CTL_PORTS_MAX];
};

_Static_assert(sizeof(struct ctl_status) % 8 == 0, "copied word by word");

/* The status as it lies on the page: written only by ctl_status_publish(). */
struct ctl_status_slot {
	uint64_t sequence; /* odd while being written; 0: never published */
	uint64_t word[sizeof(struct ctl_status) / 8];
};

void ctl_status_publish(struct ctl_status_slot *slot, const struct ctl_status *status);

/*
 * Copies the last published status. Returns 0; ERR_NOT_FOUND if there is none yet; ERR_BUSY if no
 * consistent copy was had in a bounded number of tries, the last 200 of them a millisecond apart
 * (the writer died in the middle of one, or got no processor for so long).
 */
int ctl_status_read(const struct ctl_status_slot *slot, struct ctl_status *ret_status);

#endif
