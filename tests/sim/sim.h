/*
 * sim: a cluster of real replicas in one process, under a virtual clock (TESTING.md).
 *
 *     sim_clock     events in one heap, ordered by (time, number)
 *     sim_swarm     which faults exist in this seed, and how strong
 *     sim_net       links: delay, loss, duplication, reordering, partitions
 *     sim_cluster   replica + gate + blocklog_store + sim_disk: start, crash, restart
 *     sim_signer    keys and signatures; a keyed hash, or Ed25519
 *     sim_workload  clients: sealed bundles, resends, bad frames
 *     sim_check     the observer who knows everything and looks after every event
 *
 * The same seed gives the same events, and so the same trace hash, under any
 * compiler and flags: nothing here depends on addresses, time or memory contents.
 */
#ifndef QUORATE_TESTS_SIM_SIM_H
#define QUORATE_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "crypto/crypto_sign.h"
#include "replica/replica.h"
#include "tests/sim/sim_disk.h"
#include "wire/wire_verify.h"

enum {
	SIM_NODES_MAX = 16,
	SIM_CLIENTS_MAX = 32,
	SIM_FRAME_TRANSACTIONS_MAX = 16,
	SIM_SKIPS_MAX = 64,
};

struct sim_options {
	uint64_t seed;
	uint32_t n;        /* 0: drawn */
	uint32_t blocks;   /* chaos ends at this height at the latest; 0: drawn */
	uint64_t chaos_ns; /* 0: drawn */
	bool is_verbose;
	bool is_calm;       /* no faults at all */
	bool is_lag;        /* one replica is down during the whole chaos phase */
	bool is_lying_disk; /* canary: a disk that lies must be reported */
};

struct sim_knobs {
	uint32_t n;
	uint32_t blocks;
	uint64_t chaos_ns;
	bool is_ed25519;
	/* links */
	uint64_t delay_min_ns;
	uint64_t delay_mean_ns; /* exponential part */
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t late_ppm; /* overtaken by much */
	uint64_t late_ns;
	uint64_t partition_every_ns; /* 0: never */
	uint64_t partition_ns;
	/* processes and disks */
	uint64_t crash_every_ns; /* 0: never */
	uint64_t down_ns;
	uint32_t power_cut_ppm; /* of crashes; the others end the process only */
	uint32_t all_down_ppm;  /* of crashes: the whole cluster at once */
	struct sim_disk_config disk;
	uint64_t sign_ns;
	uint64_t skew_ns;
	uint32_t broken_max; /* replicas that stay down after healing */
	/* clients */
	uint32_t clients;
	uint64_t bundle_every_ns;
	uint32_t bundle_frames_max;
	uint32_t payload_bytes_max;
	uint64_t resend_ns;
	uint32_t receipt_loss_ppm;
	uint32_t bad_ppm;
	uint32_t skip_ppm;
	uint32_t twice_ppm;  /* frame sent to two replicas at once */
	uint32_t hasty_ppm;  /* frame that expires very soon */
	uint32_t greedy_ppm; /* frame with numbers ahead of the window */
	/* lanes */
	uint32_t window_batches;
	uint32_t cut_batches_max;
	uint32_t batch_frames_max;
};

enum sim_event_kind {
	SIM_EVENT_PACKET,
	SIM_EVENT_TICK,
	SIM_EVENT_DISK,
	SIM_EVENT_SIGNED,
	SIM_EVENT_CHECKED,
	SIM_EVENT_PEER_UP,
	SIM_EVENT_START,
	SIM_EVENT_CRASH,
	SIM_EVENT_PARTITION,
	SIM_EVENT_MEND,
	SIM_EVENT_CLIENT,
	SIM_EVENT_RESEND,
	SIM_EVENT_SUBMIT,
};

struct sim_packet {
	uint32_t references;
	uint32_t count;
	uint8_t bytes[];
};

struct sim_event {
	uint64_t at_ns;
	uint64_t number;
	enum sim_event_kind kind;
	uint32_t node;
	uint32_t from;
	uint32_t incarnation; /* of `node`; an older one's events are void */
	uint64_t argument;
	void *pointer; /* PACKET, SUBMIT: a packet; SIGNED: bytes; CHECKED: commits */
};

struct sim_clock {
	uint64_t now_ns;
	uint64_t next_number;
	struct sim_event *heap;
	uint32_t count;
	uint32_t room;
};

struct sim_key {
	struct crypto_public_key public_key;
	struct crypto_signing_key real;
};

/* What the observer keeps of an append until its ticket is done. */
struct sim_append {
	uint64_t ticket;
	uint64_t position;
	uint16_t kind;
	bool is_borrowed;
	uint8_t *bytes; /* own copy, or the borrowed bytes while waiting for room */
	uint32_t byte_count;
	struct crypto_hash id; /* of the block, or digest of the batch */
	struct hs_record *record;
};

struct sim_append_queue {
	struct sim_append *at;
	uint32_t first;
	uint32_t count;
	uint32_t room;
	uint32_t accepted; /* the first `accepted` are in the store */
};

struct sim_read {
	bool is_used;
	bool is_asked;
	uint64_t ticket;
	enum blocklog_log log;
	uint64_t position;
	uint32_t byte_max;
	uint8_t *bytes;
};

enum { SIM_READS_MAX = 256 };

struct sim_node {
	uint32_t id;
	bool is_up;
	bool is_broken; /* stays down for good */
	uint32_t incarnation;
	int64_t skew_ns;
	struct sim_disk *disk;
	void *store_memory;
	struct blocklog_store *store;
	void *replica_memory;
	size_t replica_bytes;
	void *buffers;
	size_t buffer_bytes;
	struct replica *replica;
	void *gate_memory;
	size_t gate_bytes;
	struct replica_gate *gate;
	uint64_t tick_ns; /* of the TICK event that counts */
	uint64_t disk_ns;
	struct sim_append_queue appends[BLOCKLOG_LOG_COUNT];
	struct sim_read reads[SIM_READS_MAX];
	uint64_t delivered_height;
	uint64_t steps;
	/* the observer's */
	struct hs_record durable; /* newest safety record known durable */
	bool has_durable;
	struct hs_record scanned;
	uint8_t *parts; /* MARK parts of the height being marked, length-prefixed */
	size_t parts_bytes;
	uint64_t parts_height;
	uint64_t marked_height;
	uint64_t final_height;
};

struct sim_frame {
	bool is_used;
	uint32_t client;
	uint64_t first_seq;
	uint32_t count;
	uint64_t expires;
	uint32_t byte_count;
	uint8_t bytes[LANE_FRAME_BYTES_MAX];
	uint32_t receipts; /* replicas that gave one */
	uint64_t height;
	uint32_t number; /* resend events of an earlier frame in this slot are void */
};

struct sim_client {
	struct sim_key key;
	uint64_t next_seq;
	uint32_t outstanding;
	struct {
		uint64_t first;
		uint64_t end;
	} skip[SIM_SKIPS_MAX];
	uint32_t skips;
	uint32_t calm_bundles; /* sent after healing */
};

struct sim_check; /* sim_check.c */

struct sim {
	struct sim_options options;
	struct sim_knobs knobs;
	struct prng prng;
	struct sim_clock clock;
	uint64_t wall_base_ns;
	uint64_t trace;
	uint64_t events;
	bool is_chaos;
	struct crypto_hash secret;
	struct sim_key keys[SIM_NODES_MAX];
	struct wire_validators validators;
	struct crypto_verifier verifier;
	struct crypto_hash genesis_id;
	struct sim_node nodes[SIM_NODES_MAX];
	uint32_t side[SIM_NODES_MAX]; /* partition: who hears whom */
	bool is_partitioned;
	struct sim_client clients[SIM_CLIENTS_MAX];
	struct sim_frame *frames;
	uint32_t frame_room;
	uint32_t frame_number;
	uint64_t frames_final;
	uint64_t refusals;
	uint64_t crashes;
	uint64_t sent;
	uint64_t lost;
	struct sim_check *check;
	struct blocklog_config store_config;
};

/* sim_clock.c */
void sim_clock_fini(struct sim_clock *clock);
void sim_clock_add(struct sim_clock *clock, uint64_t after_ns, const struct sim_event *event);
bool sim_clock_pop(struct sim_clock *clock, struct sim_event *ret_event);

/* sim_swarm.c */
void sim_swarm_draw(struct sim *sim);
void sim_swarm_heal(struct sim *sim);
void sim_swarm_print(const struct sim *sim);

/* sim_net.c */
void sim_net_send(struct sim *sim, uint32_t from, const struct bitset *to, const uint8_t *bytes,
		  uint32_t count);
void sim_net_partition(struct sim *sim);
struct sim_packet *sim_packet_new(const uint8_t *bytes, uint32_t count);
void sim_packet_drop(struct sim_packet *packet);

/* sim_signer.c */
void sim_signer_init(struct sim *sim);
void sim_signer_key(struct sim *sim, const char *name, uint32_t number, struct sim_key *ret_key);
void sim_signer_sign(const struct sim *sim, const struct sim_key *key, const void *bytes,
		     size_t count, struct crypto_signature *ret_signature);

/* sim_cluster.c */
void sim_cluster_init(struct sim *sim);
void sim_cluster_fini(struct sim *sim);
void sim_node_start(struct sim *sim, struct sim_node *node);
void sim_node_stop(struct sim *sim, struct sim_node *node, bool is_power_cut);
void sim_node_event(struct sim *sim, struct sim_node *node, struct sim_event *event);
uint64_t sim_wall_ns(const struct sim *sim, const struct sim_node *node);
/* sim_store.c */
void sim_store_append(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);
void sim_store_read(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);
/* Turns the store until nothing is done; steps the replica with what is. */
void sim_store_turn(struct sim *sim, struct sim_node *node);
void sim_store_forget(struct sim_node *node);
void sim_node_step(struct sim *sim, struct sim_node *node, struct replica_input *input);

/* sim_workload.c */
void sim_workload_init(struct sim *sim);
void sim_workload_client(struct sim *sim, uint32_t client);
void sim_workload_resend(struct sim *sim, uint32_t slot, uint32_t number);
void sim_workload_receipt(struct sim *sim, uint32_t node, const struct replica_receipt *receipt);
/* A replica says that a frame's numbers were all used before, and no longer knows where. */
void sim_workload_known(struct sim *sim, uint32_t node, const struct crypto_public_key *key,
			uint64_t first_seq);
bool sim_workload_is_done(const struct sim *sim);
uint32_t sim_client_of(const struct sim *sim, const struct crypto_public_key *key);

/* sim_check.c, sim_check_order.c */
void sim_check_init(struct sim *sim);
void sim_check_fini(struct sim *sim);
void sim_check_send(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count);
void sim_check_append(struct sim *sim, struct sim_node *node, struct sim_append *append);
void sim_check_durable(struct sim *sim, struct sim_node *node, const struct sim_append *append);
void sim_check_receipt(struct sim *sim, struct sim_node *node,
		       const struct replica_receipt *receipt);
void sim_check_final(struct sim *sim, struct sim_node *node, uint64_t height, uint64_t tx_base,
		     uint32_t tx_count);
void sim_check_scanned(struct sim *sim, struct sim_node *node, uint16_t kind, const void *bytes,
		       size_t count);
void sim_check_restart(struct sim *sim, struct sim_node *node);
void sim_check_dropped(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);
/* What was sent and dropped so far, for a run that is stuck. */
void sim_check_print(const struct sim *sim);
void sim_check_end(struct sim *sim);
uint64_t sim_check_height(const struct sim *sim);
/* First number of the client that is neither ordered nor given up. */
uint64_t sim_check_base(const struct sim *sim, uint32_t client);
uint64_t sim_check_transactions(const struct sim *sim);

/* sim.c */
void sim_trace(struct sim *sim, uint64_t value);
void sim_trace_bytes(struct sim *sim, const void *bytes, size_t count);
__attribute__((format(printf, 2, 3))) void sim_say(const struct sim *sim, const char *format, ...);
/* Prints what is wrong and the command that replays it, then exits with 1. */
_Noreturn __attribute__((format(printf, 2, 3))) void sim_fail(const struct sim *sim,
							      const char *format, ...);

struct sim_result {
	uint64_t trace;
	uint64_t events;
	uint64_t height;
	uint64_t transactions;
	uint64_t crashes;
	uint64_t virtual_ns;
};
void sim_run(const struct sim_options *options, struct sim_result *ret_result);

#endif
