/*
 * sim: a cluster of real replicas in one process, under a virtual clock (TESTING.md).
 *
 *     sim_clock     events in one heap, ordered by (time, number)
 *     sim_swarm     which faults exist in this seed, and how strong
 *     sim_net       links: delay, loss, duplication, reordering, corruption, queues, replay
 *     sim_partition who hears whom: shapes, flapping, clogging, the deaf
 *     sim_chaos     crashes, pauses, clocks; and the healing that ends them
 *     sim_lasso     after healing: how soon blocks commit, and whether the cluster turns in circles
 *     sim_cluster   replica + gate + blocklog_store + sim_disk: start, crash, restart
 *     sim_signer    keys and signatures; a keyed hash, or Ed25519
 *     sim_workload  clients: sealed bundles, resends, bad frames
 *     sim_adversary Byzantine members: the real replica, and what they do with its words
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
#include "crypto/crypto_hash.h"
#include "crypto/crypto_sign.h"
#include "replica/replica.h"
#include "tests/sim/sim_atlas.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_power.h"
#include "wire/wire_verify.h"

enum {
	SIM_NODES_MAX = 16,
	SIM_SLOTS_MAX = 2 * SIM_NODES_MAX, /* replicas that run: a twin has a second one */
	SIM_CLIENTS_MAX = 32,
	SIM_FRAME_TRANSACTIONS_MAX = 16,
	SIM_SKIPS_MAX = 64,
	SIM_PLACES_MAX = 64,
};

/* Classes of faults: a seed draws which exist; the shrinker takes them away one by one. */
enum sim_fault {
#define SIM_FAULT(name, word) SIM_FAULT_##name,
#include "tests/sim/sim_faults.def"
#undef SIM_FAULT
	SIM_FAULT_COUNT,
};

struct sim_options {
	uint64_t seed;
	uint32_t n;        /* 0: drawn */
	uint32_t blocks;   /* chaos ends at this height at the latest; 0: drawn */
	uint64_t chaos_ns; /* 0: drawn */
	bool is_verbose;
	bool is_alone;    /* canary: less than a quorum is healed, which must be called a lasso */
	bool is_mute;     /* canary: no PROPOSE arrives after healing: a lasso too */
	uint32_t clients; /* 0: drawn */
	uint64_t without; /* classes of faults taken away, as bits */
	/* sim_adversary.h; what the swarm draws, nobody, or one strategy for certain */
	uint32_t adversary;
	bool is_too_many_twins; /* canary: f + 1 twins must be reported as a fork */
	bool is_calm;           /* no faults at all */
	bool is_lag;            /* one replica is down during the whole chaos phase */
	bool is_lying_disk;     /* canary: a disk that lies must be reported */
	bool is_early_store;    /* canary: a store that reports too early must be reported */
	bool is_frail;          /* f disks are frail in every seed */
	bool is_fatal;          /* at the end no good copy is left */
	bool is_real_hash;      /* BLAKE2b in every seed, not only in those with Ed25519 */
	bool is_late_look;      /* canary: stable images are looked at after power cuts only */
	uint64_t power_cuts;    /* of the whole cluster, then it heals; 0: the usual chaos */
	const char *trace_name; /* file for the abstract trace (sim_conform.c), or NULL */
};

struct sim_knobs {
	uint32_t n;
	uint32_t blocks;
	uint64_t chaos_ns;
	bool is_ed25519;
	uint64_t faults;   /* classes that exist, as bits */
	uint64_t delta_ns; /* of the replicas' timers */
	/* links; strengths are means, and each link draws its own */
	uint64_t delay_min_ns;
	uint64_t delay_mean_ns; /* exponential part */
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t late_ppm; /* overtaken by much */
	uint64_t late_ns;
	uint32_t corrupt_ppm;
	uint32_t truncate_ppm;
	uint64_t byte_ns;    /* time a byte takes on a link with a queue */
	uint64_t queue_ns;   /* what does not fit into this much time is dropped */
	uint32_t hole_bytes; /* longer frames vanish on some links; 0: on none */
	uint32_t replay_ppm; /* of packets kept; 0: none */
	uint64_t replay_every_ns;
	uint64_t partition_every_ns; /* 0: never */
	uint64_t partition_ns;
	uint32_t flap_ppm;      /* of partitions: they come and go */
	uint64_t deaf_every_ns; /* 0: never */
	uint64_t deaf_ns;
	uint64_t clog_every_ns; /* 0: never */
	uint64_t clog_ns;
	/* processes and disks */
	uint64_t crash_every_ns; /* 0: never */
	uint64_t down_ns;
	uint32_t power_cut_ppm; /* of crashes; the others end the process only */
	uint32_t all_down_ppm;  /* of crashes: the whole cluster at once */
	uint64_t crash_effects; /* mean number of effects between crashes inside a step; 0: never */
	uint64_t pause_every_ns; /* 0: never */
	uint64_t pause_ns;
	uint32_t drift_ppm;
	uint64_t jump_every_ns; /* of a wall clock; 0: never */
	uint64_t jump_ns;
	struct sim_disk_config disk;
	uint64_t segment_bytes; /* of lane and block log files */
	uint64_t group_bytes_max;
	uint64_t sign_ns;
	uint64_t skew_ns;
	uint32_t broken_max; /* replicas that healing leaves broken */
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
	SIM_EVENT_PEER_DOWN,
	SIM_EVENT_FLAP,
	SIM_EVENT_DEAF,
	SIM_EVENT_HEAR,
	SIM_EVENT_CLOG,
	SIM_EVENT_REPLAY,
	SIM_EVENT_PAUSE,
	SIM_EVENT_JUMP,
	SIM_EVENT_ATLAS,     /* a deed of sim_atlas */
	SIM_EVENT_ADVERSARY, /* a Byzantine member's own time; `from`: member */
	SIM_EVENT_HELD,      /* a packet it held back; `argument`: receivers, as bits */
};

/* What healing leaves behind of a replica. Only DOWN is silent. */
enum sim_broken {
	SIM_BROKEN_NOT,
	SIM_BROKEN_DOWN,
	SIM_BROKEN_DEAF,     /* talks, hears nothing */
	SIM_BROKEN_MUTE,     /* hears, is not heard */
	SIM_BROKEN_LINKS,    /* its links stay as bad as they were */
	SIM_BROKEN_FLAPPING, /* crashes and starts again for ever */
	SIM_BROKEN_COUNT,
};

struct sim_packet {
	uint32_t references;
	uint32_t count;
	uint64_t hash;  /* of the bytes, for the trace */
	bool is_spoilt; /* bits flipped, or cut short: the gate or the session must notice */
	uint8_t bytes[];
};

struct sim_event {
	uint64_t at_ns;
	uint64_t number;
	enum sim_event_kind kind;
	uint32_t node; /* slot */
	uint32_t from;
	uint32_t incarnation; /* of `node`; an older one's events are void */
	bool is_put_off;      /* by a pause of `node` */
	uint64_t argument;
	void *pointer; /* PACKET, SUBMIT, HELD: a packet; SIGNED: bytes; CHECKED: commits */
};

/* One direction between two replicas. */
struct sim_link {
	uint64_t delay_min_ns;
	uint64_t delay_mean_ns;
	uint64_t free_ns; /* when the bytes queued so far are through */
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t late_ppm;
	uint32_t corrupt_ppm;
	uint32_t truncate_ppm;
	bool has_hole;
};

enum { SIM_REPLAY_MAX = 256 };

/* A packet seen once, kept across restarts of both its ends. */
struct sim_replay {
	struct sim_packet *packet;
	uint32_t from;
	uint32_t to;
	uint32_t from_incarnation;
	uint32_t to_incarnation;
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
	bool is_told;   /* durable, by a store that does not wait */
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

/* Where the observer's reading of a stable image stands. */
struct sim_scanned {
	uint64_t position;
	uint64_t sequence;
	struct blocklog_checksum previous;
};

struct sim_scanned_marks {
	uint64_t height;
	uint32_t next_part;
	struct crypto_hasher hasher;
};

struct sim_place {
	enum blocklog_log log;
	uint64_t position;
};

struct sim_node {
	uint32_t id;   /* the replica it is */
	uint32_t slot; /* its place in sim.nodes: the same, but for twins */
	bool is_up;
	bool is_broken; /* healing left it so: nothing is expected of it */
	enum sim_broken broken;
	bool is_doomed;                          /* dies before it does anything more */
	bool is_refused;                         /* its store was refused: it stays down */
	bool is_observer;                        /* it said so: it never votes again */
	uint64_t errors_before;                  /* of its disk, when it was started last */
	struct sim_place places[SIM_PLACES_MAX]; /* where its disk was harmed */
	uint32_t place_count;
	struct sim_place named; /* ...and where its store said it was damaged */
	bool has_named;
	bool is_retired; /* its store failed under way; it will be started again */
	bool is_frail;   /* its disk may do what no honest one does: counted as faulty */
	uint32_t incarnation;
	int64_t skew_ns;
	int32_t drift_ppm; /* of its monotonic clock */
	uint64_t paused_until_ns;
	uint32_t held; /* packets that wait for the end of the pause */
	uint64_t clogged_until_ns;
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
	uint32_t reads_waiting; /* used and not yet asked */
	uint64_t delivered_height;
	uint64_t steps;
	/* the observer's */
	struct hs_record durable; /* newest safety record known durable */
	bool has_durable;
	struct hs_record scanned;
	struct hs_record asked; /* newest safety record it ever wanted written, since START */
	uint8_t *parts;         /* MARK parts of the height being marked, length-prefixed */
	size_t parts_bytes;
	uint64_t parts_height;
	uint64_t marked_height;
	uint64_t final_height;
	struct sim_scanned looked[BLOCKLOG_LOG_COUNT];
	struct sim_scanned_marks looked_marks;
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

struct sim_check;     /* sim_check.c */
struct sim_adversary; /* sim_adversary.h */
struct sim_lasso;     /* sim_lasso.c */

struct sim {
	struct sim_options options;
	struct sim_knobs knobs;
	struct prng prng;
	struct sim_clock clock;
	uint64_t wall_base_ns;
	uint64_t trace;
	uint64_t events;
	bool is_chaos;
	bool is_thorough; /* every step is followed by replica_check(); else one in 32 */
	struct crypto_hash secret;
	struct sim_key keys[SIM_NODES_MAX];
	struct wire_validators validators;
	struct crypto_verifier verifier;
	struct crypto_hash genesis_id;
	uint32_t slots; /* nodes in use: n, and one more for each twin */
	struct sim_node nodes[SIM_SLOTS_MAX];
	struct prng chaos;                /* of crashes, partitions, clocks: apart from packets */
	struct prng net;                  /* of links */
	uint32_t cut[SIM_SLOTS_MAX];      /* partition: slots that this one cannot hear, as bits */
	uint32_t cut_kept[SIM_SLOTS_MAX]; /* while a flapping partition is away */
	uint32_t flaps;
	uint32_t deaf; /* slots that hear nobody, as bits */
	uint32_t mute; /* slots that nobody hears */
	bool is_partitioned;
	struct sim_link *links; /* SIM_SLOTS_MAX for each sender */
	struct sim_replay replay[SIM_REPLAY_MAX];
	uint32_t replays;
	uint64_t crash_in;   /* effects until the next crash inside a step; 0: none is planned */
	int64_t skew_max_ns; /* the furthest any clock ever ran ahead */
	struct sim_client clients[SIM_CLIENTS_MAX];
	struct sim_frame *frames;
	uint32_t frame_room;
	uint32_t frame_number;
	uint64_t frames_final;
	uint64_t refusals;
	uint64_t crashes;
	uint64_t sent;
	uint64_t lost;
	struct sim_power power;
	struct sim_atlas atlas;
	struct sim_check *check;
	struct sim_lasso *lasso;
	struct sim_adversary *adversary;
	struct blocklog_config store_config;
	void *trace_file; /* FILE, while sim_conform.c writes one */
	uint64_t *trace_blocks;
	uint32_t trace_block_count;
};

/* sim_clock.c */
void sim_clock_fini(struct sim_clock *clock);
void sim_clock_add(struct sim_clock *clock, uint64_t after_ns, const struct sim_event *event);
/* Events of `node` that were put off happen now, in the same order. */
void sim_clock_hasten(struct sim_clock *clock, uint32_t node);
bool sim_clock_pop(struct sim_clock *clock, struct sim_event *ret_event);

/* sim_swarm.c */
void sim_swarm_draw(struct sim *sim);
/* Each link draws its own strengths; once it is known how many replicas run. */
void sim_swarm_links(struct sim *sim);
void sim_swarm_print(const struct sim *sim);
/* Did this seed draw the class? */
bool sim_has(const struct sim *sim, enum sim_fault fault);
const char *sim_fault_word(enum sim_fault fault);

/* sim_net.c */
void sim_net_send(struct sim *sim, uint32_t from, const struct bitset *to, const uint8_t *bytes,
		  uint32_t count);
void sim_net_fini(struct sim *sim);
/* Sends an old packet again. */
void sim_net_replay(struct sim *sim);
/* True when nothing but the link's own faults stands between the two. */
bool sim_net_hears(const struct sim *sim, uint32_t to, uint32_t from);
struct sim_packet *sim_packet_new(const uint8_t *bytes, uint32_t count);
void sim_packet_drop(struct sim_packet *packet);

/* sim_partition.c */
void sim_partition_start(struct sim *sim);
void sim_partition_event(struct sim *sim, const struct sim_event *event);
/* Peers that hear each other meet again: PEER_UP on both sides. */
void sim_partition_mend(struct sim *sim);

/* sim_chaos.c */
void sim_plan(struct sim *sim, enum sim_event_kind kind, uint64_t every_ns);
void sim_chaos_start(struct sim *sim);
void sim_chaos_event(struct sim *sim, const struct sim_event *event);
void sim_chaos_heal(struct sim *sim);
/* True when the event has to wait: its node is paused. It is planned again then. */
bool sim_chaos_delays(struct sim *sim, struct sim_event *event);
/* The node dies now if a step before doomed it. */
void sim_chaos_reap(struct sim *sim, struct sim_node *node);
/* One effect was carried out; true when the node dies before the next one. */
bool sim_chaos_strikes(struct sim *sim, struct sim_node *node);

/* sim_lasso.c */
void sim_lasso_heal(struct sim *sim);
/* After each event once healed. Fails the run when the cluster turns in circles. */
void sim_lasso_step(struct sim *sim);
void sim_lasso_work(struct sim *sim);
void sim_lasso_fini(struct sim *sim);

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
/* The node's monotonic clock: drifts. And the true time at which it shows `local_ns`. */
uint64_t sim_local_ns(const struct sim_node *node, uint64_t true_ns);
uint64_t sim_true_ns(const struct sim_node *node, uint64_t local_ns);
/* sim_store.c */
void sim_store_append(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);
void sim_store_read(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);
/* Turns the store until nothing is done; steps the replica with what is. */
void sim_store_turn(struct sim *sim, struct sim_node *node);
void sim_store_forget(struct sim_node *node);
void sim_node_step(struct sim *sim, struct sim_node *node, struct replica_input *input);

/* sim_workload.c */
void sim_workload_init(struct sim *sim);
void sim_workload_fini(struct sim *sim);
void sim_workload_client(struct sim *sim, uint32_t client);
void sim_workload_resend(struct sim *sim, uint32_t slot, uint32_t number);
void sim_workload_receipt(struct sim *sim, uint32_t node, const struct replica_receipt *receipt);
/* A replica says that a frame's numbers were all used before, and no longer knows where. */
void sim_workload_known(struct sim *sim, uint32_t node, const struct crypto_public_key *key,
			uint64_t first_seq);
bool sim_workload_is_done(const struct sim *sim);
/* A client nears the end of the numbers that the observer has room for: chaos must end. */
bool sim_workload_is_spent(const struct sim *sim);
uint32_t sim_client_of(const struct sim *sim, const struct crypto_public_key *key);

/* sim_check.c, sim_check_order.c, sim_check_stable.c */
void sim_check_init(struct sim *sim);
void sim_check_fini(struct sim *sim);
void sim_check_send(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count);
/* What a Byzantine member says: nothing is expected of it, but its votes may count. */
void sim_check_byzantine(struct sim *sim, uint32_t id, const uint8_t *bytes, uint32_t count);
void sim_check_append(struct sim *sim, struct sim_node *node, struct sim_append *append);
void sim_check_durable(struct sim *sim, struct sim_node *node, const struct sim_append *append);
void sim_check_receipt(struct sim *sim, struct sim_node *node,
		       const struct replica_receipt *receipt);
void sim_check_final(struct sim *sim, struct sim_node *node, uint64_t height, uint64_t tx_base,
		     uint32_t tx_count);
void sim_check_scanned(struct sim *sim, struct sim_node *node, uint16_t kind, const void *bytes,
		       size_t count);
void sim_check_restart(struct sim *sim, struct sim_node *node);
/* A message was delivered to the node's replica: if it proves a roll-back, it must be believed. */
void sim_check_heard(struct sim *sim, struct sim_node *node, const uint8_t *bytes, uint32_t count);
/* Where the stable image of a node keeps the block of a height, or one of its batches. */
void sim_check_place(struct sim *sim, uint32_t node, uint64_t height, uint32_t pick,
		     enum blocklog_log *ret_log, uint64_t *ret_position, uint32_t *ret_bytes);
void sim_check_dropped(struct sim *sim, struct sim_node *node, const struct replica_effect *effect);
/* What was sent and dropped so far, for a run that is stuck. */
void sim_check_print(const struct sim *sim);
void sim_check_end(struct sim *sim);
/*
 * Reads every stable image: promises kept, one order, receipts on q disks. Whole, or
 * from where the last look stopped: what was stable then is looked at again later.
 */
void sim_check_stable(struct sim *sim, bool is_whole);
/* True when every receipted height is delivered whole: receipts leave batch by batch. */
bool sim_check_is_settled(const struct sim *sim);
uint64_t sim_check_height(const struct sim *sim);
/* The highest block that was proposed after healing and is delivered somewhere; 0: none yet. */
uint64_t sim_check_fresh_height(const struct sim *sim);
/* True when nobody answers for what the node says and holds. */
bool sim_check_is_faulty(const struct sim *sim, uint32_t node);
/* Messages of one wire kind sent so far; receipts; transactions with f + 1 receipts. */
uint64_t sim_check_said(const struct sim *sim, uint32_t kind);
uint64_t sim_check_receipts(const struct sim *sim);
uint64_t sim_check_acknowledged(const struct sim *sim);
/* First number of the client that is neither ordered nor given up. */
uint64_t sim_check_base(const struct sim *sim, uint32_t client);
uint64_t sim_check_transactions(const struct sim *sim);
/* Pieces of evidence that honest replicas sent or stored; each was verified. */
uint64_t sim_check_evidence(const struct sim *sim);

/* sim_conform.c: the abstract trace; all of it does nothing without options.trace_name */
void sim_conform_begin(struct sim *sim);
void sim_conform_end(struct sim *sim);
void sim_conform_said(struct sim *sim, uint32_t node, const struct wire_message *message);
void sim_conform_heard(struct sim *sim, uint32_t node, uint32_t from, const uint8_t *bytes,
		       uint32_t count);
void sim_conform_record(struct sim *sim, uint32_t node, const char *verb,
			const struct hs_record *record);
void sim_conform_block(struct sim *sim, uint32_t node, const struct crypto_hash *id);
void sim_conform_append(struct sim *sim, uint32_t node, const struct hs_block *block);
void sim_conform_final(struct sim *sim, uint32_t node, uint64_t height,
		       const struct crypto_hash *id);

/* Ends the process in the middle of a run, where what is allocated is in use and no leak. */
_Noreturn void sim_leave(int code);

/* sim.c */
/* True if it has to go on after healing: it is not broken, nor frail, nor Byzantine. */
bool sim_is_sound(const struct sim *sim, const struct sim_node *node);
/* What every replica stands at, for a run that is stuck. */
void sim_report(const struct sim *sim);
void sim_trace(struct sim *sim, uint64_t value);
__attribute__((format(printf, 2, 3))) void sim_say(const struct sim *sim, const char *format, ...);
/* Prints what is wrong and the command that replays it, then exits with 1. */
_Noreturn __attribute__((format(printf, 2, 3))) void sim_fail(const struct sim *sim,
							      const char *format, ...);
/* Two orders exist: what the observer is for. The canary's good end, else sim_fail(). */
_Noreturn __attribute__((format(printf, 2, 3))) void sim_fork(const struct sim *sim,
							      const char *format, ...);

/* Called by sim_fail() before it ends the process; NULL: nothing is. */
void sim_on_fail(void (*hook)(const struct sim_options *options, const char *reason));

/* See sim_lasso.c for what each of them means. */
enum { SIM_HEAL_TIMEOUTS = 4 };
struct sim_heal {
	bool is_known;      /* false: the run ended before there was anything to commit */
	uint64_t commit_ns; /* from healing, or the first work after it, to the first commit */
	uint64_t fresh_ns;  /* ...of a block that was proposed after healing */
	uint64_t wait_ns;   /* ...to the moment a quorum was ready; at most fresh_ns */
	uint64_t timer_ns;  /* the longest view timer of a healthy replica at healing */
	uint64_t base_ns;   /* the longest base time-out of one, before back-off */
	uint32_t broken;
};

struct sim_result {
	uint64_t trace;
	uint64_t events;
	uint64_t height;
	uint64_t transactions;
	uint64_t crashes;
	uint64_t evidence;
	uint64_t virtual_ns;
	uint64_t faults;
	struct sim_heal heal;
	uint64_t acknowledged; /* transactions with f + 1 receipts */
	struct sim_power power;
	struct sim_atlas atlas;
	struct sim_disk_counts disks; /* of all nodes */
};
void sim_lasso_report(const struct sim *sim, struct sim_heal *ret_heal);
/* Adds up what disks suffered; prints it, and returns false if something never happened. */
void sim_atlas_add(struct sim_result *total, const struct sim_result *result);
bool sim_atlas_report(const struct sim_result *total);
void sim_run(const struct sim_options *options, struct sim_result *ret_result);

#endif
