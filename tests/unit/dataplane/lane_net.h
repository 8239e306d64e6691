/*
 * lane_net: the network, disks and signers around a small cluster of lane_sets, for test_lane_set.
 * What must hold at every effect is checked here: claims are true on the claimer's disk, a header
 * leaves only when durable and is the only one of its seq, answers verify.
 */
#ifndef QUORATE_TESTS_UNIT_DATAPLANE_LANE_NET_H
#define QUORATE_TESTS_UNIT_DATAPLANE_LANE_NET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_batch.h"
#include "dataplane/lane_set.h"
#include "tests/lib/unit_main.h"
#include "wire/wire_message.h"

enum {
	NET_NODES = 4,
	NET_SEQS_MAX = 512, /* batches a lane in one run */
	NET_EVENTS_MAX = 16384,
	NET_CUTS_MAX = 1024,
	NET_FRAME_BYTES = 64,
	NET_LIAR = 3,
};

enum net_event_kind { NET_INPUT, NET_DISK, NET_READ, NET_SIGNED, NET_CUT };

/* A message, or a completion; owns everything its input points to. */
struct net_event {
	uint64_t at_ns;
	uint64_t order;
	enum net_event_kind kind;
	uint32_t to;
	uint32_t life; /* completions of a crashed life are void */
	uint64_t ticket;
	uint64_t position;
	uint32_t cut;
	struct lane_input input;
	union net_body {
		struct lane_frame frame;
		struct lane_header header;
		struct lane_ackvec ackvec;
		struct lane_want want;
		struct lane_repair repair;
		struct lane_leaves leaves;
	} body;
	uint8_t bytes[LANE_REPAIR_FRAMES_MAX * NET_FRAME_BYTES];
	struct lane_effect persist;
};

/* What survives a crash. */
struct net_record {
	uint8_t *bytes;
	uint32_t byte_count;
	struct lane_header header;
};

/* A replica, its disk, and what it has been told of the order. */
struct net_node {
	struct lane_set *set;
	void *memory;
	void *buffers;
	bool is_up;
	uint32_t life;
	struct net_record disk[NET_NODES * NET_SEQS_MAX * 2];
	uint32_t disk_count;
	uint64_t disk_free_ns; /* the disk does one write at a time */
	uint32_t cut_seen;     /* committed cuts handed over */
	uint32_t delivered;    /* cuts delivered, durable */
	uint64_t frames_admitted;
	uint64_t frames_refused;
	uint64_t evidences;
};

/* The whole world of one seed. */
struct net {
	struct prng prng;
	uint64_t now_ns;
	uint64_t order;
	struct lane_config config;
	struct net_node node[NET_NODES];
	struct net_event *event[NET_EVENTS_MAX];
	uint32_t event_count;
	uint32_t loss_ppm;
	uint32_t double_ppm; /* of a million messages, how many come twice */
	uint64_t delay_ns;   /* at most; messages overtake each other within it */
	bool has_liar;
	bool has_nonsense;
	bool has_deaf;     /* replica 0 answers no question: no other may depend on it (L6) */
	uint64_t liar_seq; /* what NET_LIAR signs twice next */
	struct hs_cut cut[NET_CUTS_MAX];
	uint32_t cut_count;     /* cut[0] is the empty one */
	struct hs_cut proposed; /* waits for q that find it ready */
	bool is_proposed;
	struct crypto_hash announced[NET_NODES][NET_SEQS_MAX]; /* by honest owners, for ever */
	uint64_t commits_of_liar;
};

static struct net net_world;

/* Bounds small enough that windows close and buffers run out in a short run. */
static struct lane_config net_config(uint32_t id)
{
	struct lane_config config = {
		.epoch = 1,
		.replica_id = id,
		.replica_count = NET_NODES,
		.batch_bytes_max = 4096,
		.batch_frames_max = 16,
		.window_batches = 8,
		.cut_batches_max = 8,
		.spare_buffers = 4,
		.index_batches = 1024,
		.batch_close_ns = 200000,
		.reorder_ns = 300000,
		.ack_interval_ns = 100000,
		.repair_interval_ns = 2000000,
		.repair_budget = 64,
	};

	config.chain_id.b[0] = 7;
	config.set_hash.b[0] = 9;
	return config;
}

/* A stand-in for Ed25519: what matters is that it covers the bytes and the signer. */
static struct crypto_signature net_sign(uint32_t signer, const uint8_t *bytes, uint32_t count)
{
	struct crypto_signature signature = { 0 };
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add_u32(&hasher, signer);
	crypto_hasher_add(&hasher, bytes, count);

	struct crypto_hash hash = crypto_hasher_done(&hasher);

	memcpy(signature.b, hash.b, sizeof(hash.b));
	return signature;
}

/* What an honest or lying owner of this lane signs. */
static struct crypto_signature net_sign_header(struct net *net, const struct lane_header *header)
{
	uint8_t bytes[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count = wire_batch_signed_bytes(&net->config.chain_id, 1, &net->config.set_hash,
						 &header->digest, bytes);

	return net_sign(header->lane, bytes, count);
}

/* The gate's work: digest and signature belong to the header. */
static void net_check_header(struct net *net, const struct lane_header *header)
{
	struct crypto_hash digest = wire_batch_digest(&net->config.chain_id, header);
	struct crypto_signature signature = net_sign_header(net, header);

	UNIT_REQUIRE(crypto_hash_equal(&digest, &header->digest));
	UNIT_REQUIRE(memcmp(&signature, &header->signature, sizeof(signature)) == 0);
}

/* Schedules something for a replica. */
static struct net_event *net_event_new(struct net *net, enum net_event_kind kind, uint32_t to,
				       uint64_t at_ns)
{
	struct net_event *event = calloc(1, sizeof(*event));

	UNIT_REQUIRE(event && net->event_count < NET_EVENTS_MAX);
	event->kind = kind;
	event->to = to;
	event->at_ns = at_ns;
	event->order = net->order++;
	event->life = net->node[to].life;
	net->event[net->event_count++] = event;
	return event;
}

/* The earliest event; of two at one time the one scheduled first. */
static struct net_event *net_event_pop(struct net *net)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < net->event_count; i++) {
		const struct net_event *a = net->event[i];
		const struct net_event *b = net->event[best];

		if (a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order))
			best = i;
	}
	struct net_event *event = net->event[best];

	net->event[best] = net->event[--net->event_count];
	return event;
}

/* A durable record, or NULL. */
static const struct net_record *net_disk_find(const struct net_node *node, uint32_t lane,
					      uint64_t seq, const struct crypto_hash *digest)
{
	for (uint32_t i = 0; i < node->disk_count; i++)
		if (node->disk[i].header.lane == lane && node->disk[i].header.seq == seq &&
		    crypto_hash_equal(&node->disk[i].header.digest, digest))
			return &node->disk[i];
	return NULL;
}

/* Every claim must be true on the disk of its author, down to its committed cut. */
static void net_check_claims(const struct net_node *node, const struct lane_ackvec *ackvec)
{
	for (uint32_t i = 0; i < ackvec->count; i++) {
		const struct lane_ack *ack = &ackvec->ack[i];
		struct crypto_hash digest = ack->digest;

		for (uint64_t seq = ack->stored_seq; seq > 0; seq--) {
			const struct net_record *record =
				net_disk_find(node, ackvec->lane[i], seq, &digest);

			UNIT_REQUIRE(record);
			digest = record->header.prev_digest;
		}
	}
}

/* Copies a message into the network, or loses it, or sends it twice. */
static void net_post(struct net *net, uint32_t from, uint32_t to, enum lane_input_kind kind,
		     const struct lane_effect *effect)
{
	uint32_t copies = prng_chance(&net->prng, net->double_ppm) ? 2 : 1;

	if (prng_chance(&net->prng, net->loss_ppm) || !net->node[to].is_up)
		return;
	for (; copies > 0; copies--) {
		uint64_t delay_ns = 20000 + prng_below(&net->prng, net->delay_ns);
		struct net_event *event = net_event_new(net, NET_INPUT, to, net->now_ns + delay_ns);
		uint8_t *at = event->bytes;

		event->input = (struct lane_input){ .kind = kind, .from = from };
		switch (kind) {
		case LANE_INPUT_PEER_FRAME:
			event->body.frame = effect->u.frame;
			memcpy(at, effect->u.frame.bytes, effect->u.frame.byte_count);
			event->body.frame.bytes = at;
			event->input.u.frame = &event->body.frame;
			break;
		case LANE_INPUT_BATCH:
			event->body.header = effect->u.header;
			event->input.u.header = &event->body.header;
			break;
		case LANE_INPUT_ACKVEC:
			event->body.ackvec = *effect->u.ackvec;
			event->input.u.ackvec = &event->body.ackvec;
			break;
		case LANE_INPUT_WANT:
			event->body.want = *effect->u.want;
			event->input.u.want = &event->body.want;
			break;
		case LANE_INPUT_LEAVES:
			event->body.leaves = *effect->u.leaves;
			event->input.u.leaves = &event->body.leaves;
			break;
		default:
			event->body.repair = *effect->u.repair;
			for (uint32_t i = 0; i < effect->u.repair->count; i++) {
				struct lane_repair_frame *frame = &event->body.repair.frame[i];

				memcpy(at, frame->bytes, frame->byte_count);
				frame->bytes = at;
				at += frame->byte_count;
			}
			event->input.u.repair = &event->body.repair;
			break;
		}
	}
}

/* To one replica or to all others. */
static void net_send(struct net *net, uint32_t from, enum lane_input_kind kind,
		     const struct lane_effect *effect)
{
	for (uint32_t to = 0; to < NET_NODES; to++)
		if (to != from && (effect->to == HS_REPLICA_ALL || effect->to == to))
			net_post(net, from, to, kind, effect);
}

/* What the receiver's gate checks of a repair answer. */
static void net_check_repair(struct net *net, const struct lane_repair *repair)
{
	net_check_header(net, &repair->header);
	for (uint32_t i = 0; i < repair->count; i++) {
		const struct lane_repair_frame *frame = &repair->frame[i];
		struct crypto_hash hash = lane_frame_hash(frame->bytes, frame->byte_count);

		UNIT_REQUIRE(crypto_hash_equal(&hash, &frame->frame_hash));
		UNIT_REQUIRE(wire_merkle_verify(&hash, frame->index, repair->header.frame_count,
						frame->path, frame->path_count,
						&repair->header.frames_root));
	}
}

/* An honest owner's header: durable at home, and the only one it ever sent for this seq. */
static void net_check_announced(struct net *net, uint32_t id, const struct lane_header *header)
{
	struct crypto_hash *known = &net->announced[id][header->seq];

	net_check_header(net, header);
	UNIT_REQUIRE(header->lane == id && header->seq < NET_SEQS_MAX);
	UNIT_REQUIRE(net_disk_find(&net->node[id], id, header->seq, &header->digest));
	UNIT_REQUIRE(crypto_hash_is_zero(known) || crypto_hash_equal(known, &header->digest));
	*known = header->digest;
}

/* The disk takes records in order, each after a while. */
static void net_persist(struct net *net, uint32_t id, const struct lane_effect *effect)
{
	struct net_node *node = &net->node[id];
	uint64_t start_ns = units_max(net->now_ns, node->disk_free_ns);
	struct net_event *event;

	node->disk_free_ns = start_ns + 50000 + prng_below(&net->prng, 200000);
	event = net_event_new(net, NET_DISK, id, node->disk_free_ns);
	event->persist = *effect;
}

/* Carries out one effect, after checking that it was allowed. */
static void net_effect(struct net *net, uint32_t id, const struct lane_effect *effect)
{
	struct net_event *event;

	switch (effect->kind) {
	case LANE_EFFECT_SEND_FRAME:
		net_send(net, id, LANE_INPUT_PEER_FRAME, effect);
		break;
	case LANE_EFFECT_SEND_BATCH:
		net_check_announced(net, id, &effect->u.header);
		net_send(net, id, LANE_INPUT_BATCH, effect);
		break;
	case LANE_EFFECT_SEND_ACKVEC:
		net_check_claims(&net->node[id], effect->u.ackvec);
		net_send(net, id, LANE_INPUT_ACKVEC, effect);
		break;
	case LANE_EFFECT_SEND_WANT:
		net_send(net, id, LANE_INPUT_WANT, effect);
		break;
	case LANE_EFFECT_SEND_REPAIR:
		net_check_repair(net, effect->u.repair);
		net_send(net, id, LANE_INPUT_REPAIR, effect);
		break;
	case LANE_EFFECT_SEND_LEAVES:
		net_send(net, id, LANE_INPUT_LEAVES, effect);
		break;
	case LANE_EFFECT_SIGN:
		event = net_event_new(net, NET_SIGNED, id,
				      net->now_ns + prng_below(&net->prng, 300000));
		event->ticket = effect->ticket;
		event->input.u.signed_.request = effect->ticket;
		event->input.u.signed_.signature =
			net_sign(id, effect->u.sign.bytes, effect->u.sign.count);
		break;
	case LANE_EFFECT_PERSIST:
		net_persist(net, id, effect);
		break;
	case LANE_EFFECT_READ:
		event = net_event_new(net, NET_READ, id, net->now_ns + 100000);
		event->ticket = effect->ticket;
		event->position = effect->u.position;
		break;
	case LANE_EFFECT_REFUSE:
		net->node[id].frames_refused++;
		break;
	case LANE_EFFECT_EVIDENCE:
		net->node[id].evidences++;
		UNIT_REQUIRE(net->has_liar && effect->u.evidence->first.lane == NET_LIAR);
		break;
	case LANE_EFFECT_CHANGED:
	case LANE_EFFECT_DROPPED:
		break;
	}
}

/* One input to one replica, if it is up, and all that follows from it. */
static void net_step(struct net *net, uint32_t id, struct lane_input *input)
{
	static struct lane_effects effects;

	if (!net->node[id].is_up)
		return;
	input->now_ns = net->now_ns;
	UNIT_REQUIRE(lane_set_step(net->node[id].set, input, &effects) == 0);
	for (uint32_t i = 0; i < effects.count; i++)
		net_effect(net, id, &effects.at[i]);
	lane_set_check(net->node[id].set);
}

/* A record becomes durable. */
static void net_disk_put(struct net *net, struct net_node *node, const struct lane_effect *persist)
{
	struct net_record *record = &node->disk[node->disk_count++];
	struct lane_record view;

	UNIT_REQUIRE(node->disk_count < UNITS_COUNT(node->disk));
	record->byte_count = persist->u.persist.byte_count;
	record->bytes = malloc(record->byte_count);
	memcpy(record->bytes, persist->u.persist.bytes, record->byte_count);
	UNIT_REQUIRE(lane_record_open(record->bytes, record->byte_count, &net->config.chain_id,
				      &view) == 0);
	record->header = view.header;
}

/* ...and its replica learns it. */
static void net_on_disk(struct net *net, struct net_event *event)
{
	struct net_node *node = &net->node[event->to];
	struct lane_input input = { .kind = LANE_INPUT_PERSISTED };

	net_disk_put(net, node, &event->persist);
	input.u.persisted.ticket = event->persist.ticket;
	input.u.persisted.position = node->disk_count - 1;
	net_step(net, event->to, &input);
}

/* A record asked for is read. */
static void net_on_read(struct net *net, struct net_event *event)
{
	struct net_record *record = &net->node[event->to].disk[event->position];
	struct lane_input input = { .kind = LANE_INPUT_READ_DONE };

	input.u.read.ticket = event->ticket;
	input.u.read.bytes = record->bytes;
	input.u.read.byte_count = record->byte_count;
	net_step(net, event->to, &input);
}

#endif
