#include "replica/replica_gate.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "replica/replica_windows.h"

struct replica_gate {
	struct replica_gate_config config;
	struct wire_verifier *verifier;
	uint64_t dropped[REPLICA_GATE_DROP_COUNT];
	struct wire_message message;
	struct hs_block block;
};

static struct wire_verifier_config gate_verifier_config(const struct replica_gate_config *config)
{
	return (struct wire_verifier_config){
		.validators = config->validators,
		.verifier = config->verifier,
		.genesis_id = config->genesis_id,
		.cache_entries = config->cache_entries,
	};
}

size_t replica_gate_footprint(const struct replica_gate_config *config)
{
	struct wire_verifier_config verifier = gate_verifier_config(config);
	size_t footprint = wire_verifier_footprint(&verifier);

	if (footprint == 0 || config->replica_id >= config->validators->count)
		return 0;
	return units_round_up(sizeof(struct replica_gate), 64) + footprint;
}

int replica_gate_init(void *memory, size_t memory_bytes, const struct replica_gate_config *config,
		      struct replica_gate **ret_gate)
{
	struct wire_verifier_config verifier = gate_verifier_config(config);
	size_t own = units_round_up(sizeof(struct replica_gate), 64);
	size_t footprint = replica_gate_footprint(config);
	struct replica_gate *gate = memory;
	int code;

	if (footprint == 0)
		return ERR_CONFIG;
	if (memory_bytes < footprint)
		return ERR_MEMORY;
	memset(gate, 0, sizeof(*gate));
	gate->config = *config;
	code = wire_verifier_init((uint8_t *)memory + own, memory_bytes - own, &verifier,
				  &gate->verifier);
	if (code < 0)
		return code;
	*ret_gate = gate;
	return 0;
}

static int gate_drop(struct replica_gate *gate, enum replica_gate_drop reason, int code)
{
	gate->dropped[reason]++;
	return code;
}

static int gate_drop_decode(struct replica_gate *gate, int code)
{
	switch (code) {
	case ERR_TRUNCATED:
		return gate_drop(gate, REPLICA_GATE_DROP_TRUNCATED, code);
	case ERR_OVERSIZE:
		return gate_drop(gate, REPLICA_GATE_DROP_OVERSIZE, code);
	case ERR_EPOCH:
		return gate_drop(gate, REPLICA_GATE_DROP_WRONG_EPOCH, code);
	default:
		return gate_drop(gate, REPLICA_GATE_DROP_MALFORMED, code);
	}
}

static bool gate_admits(const struct replica_gate *gate, const struct crypto_public_key *client)
{
	const struct replica_admission *admission = &gate->config.admission;
	uint32_t low = 0;
	uint32_t high = admission->key_count;

	while (!admission->is_open && low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = memcmp(&admission->key[middle], client, sizeof(*client));

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return admission->is_open;
}

/* The verdict on a client frame inside a peer's message: seal good, client allowed. */
static bool gate_frame(struct replica_gate *gate, const uint8_t *bytes, uint32_t byte_count)
{
	struct wire_frame frame;

	return wire_frame_parse(bytes, byte_count, &frame) == 0 &&
	       gate_admits(gate, &frame.client) && wire_verify_frame(gate->verifier, &frame);
}

static void gate_stamp_frames(struct replica_gate *gate, struct replica_stamp *stamp)
{
	const struct wire_message *message = &gate->message;

	if (message->kind == WIRE_LANE_FRAME) {
		const struct lane_frame *frame = &message->u.lane_frame;

		stamp->frame_count = 1;
		stamp->frame_hash = wire_frame_hash_of(frame->bytes, frame->byte_count);
		stamp->is_signed_map = gate_frame(gate, frame->bytes, frame->byte_count);
		return;
	}
	stamp->frame_count = (uint16_t)message->u.repair.count;
	for (uint32_t i = 0; i < message->u.repair.count; i++) {
		const struct lane_repair_frame *frame = &message->u.repair.frame[i];

		if (gate_frame(gate, frame->bytes, frame->byte_count))
			stamp->is_signed_map |= UINT32_C(1) << i;
	}
}

static bool gate_verify_blocks(struct replica_gate *gate, const struct wire_blocks *blocks)
{
	const struct wire_validators *validators = gate->config.validators;

	for (uint32_t i = 0; i < blocks->count; i++)
		if (wire_decode_block(blocks->block_bytes[i], blocks->block_byte_count[i],
				      &validators->chain_id, &validators->set_hash,
				      validators->count, &gate->block) < 0 ||
		    !wire_verify_block(gate->verifier, &gate->block))
			return false;
	return true;
}

/* What wire_verify_message() cannot know: whole blocks, and whose statement a SHOW carries. */
static bool gate_verify(struct replica_gate *gate)
{
	const struct wire_message *message = &gate->message;

	if (wire_verify_message(gate->verifier, message) < 0)
		return false;
	if (message->kind == WIRE_BLOCKS)
		return gate_verify_blocks(gate, &message->u.blocks);
	if (message->kind == WIRE_SHOW)
		return wire_verify_statement(gate->verifier, gate->config.replica_id,
					     &message->u.show.statement);
	return true;
}

int replica_gate_peer(struct replica_gate *gate, uint32_t from, const uint8_t *bytes,
		      uint32_t byte_count, struct replica_verified *ret)
{
	const struct wire_validators *validators = gate->config.validators;
	struct replica_stamp stamp;
	int code;

	if (from >= validators->count)
		return gate_drop(gate, REPLICA_GATE_DROP_MALFORMED, ERR_FORMAT);
	code = wire_decode(bytes, byte_count, from, &validators->chain_id, &validators->set_hash,
			   validators->count, validators->epoch, &gate->message);
	if (code < 0)
		return gate_drop_decode(gate, code);
	if (!gate_verify(gate))
		return gate_drop(gate, REPLICA_GATE_DROP_BAD_SIGNATURE, ERR_SIGNATURE);
	memset(&stamp, 0, sizeof(stamp));
	stamp.kind = (uint8_t)gate->message.kind;
	if (gate->message.kind == WIRE_LANE_FRAME || gate->message.kind == WIRE_REPAIR)
		gate_stamp_frames(gate, &stamp);
	*ret = (struct replica_verified){
		.bytes = bytes,
		.byte_count = byte_count,
		.from = from,
		.stamp = stamp,
	};
	return 0;
}

static int gate_check_client(struct replica_gate *gate, const struct wire_frame *frame,
			     uint64_t committed_height)
{
	if (frame->chain_tag != wire_chain_tag(&gate->config.validators->chain_id))
		return gate_drop(gate, REPLICA_GATE_DROP_WRONG_CHAIN, ERR_CHAIN);
	if (frame->expires <= committed_height)
		return gate_drop(gate, REPLICA_GATE_DROP_EXPIRED, ERR_EXPIRED);
	if (frame->expires - committed_height > REPLICA_EXPIRES_MAX)
		return gate_drop(gate, REPLICA_GATE_DROP_EXPIRES_FAR, ERR_EXPIRED);
	if (!gate_admits(gate, &frame->client))
		return gate_drop(gate, REPLICA_GATE_DROP_UNKNOWN_CLIENT, ERR_UNKNOWN_CLIENT);
	if (wire_verify_frame(gate->verifier, frame))
		return 0;
	if (gate->config.verifier.verify == crypto_verifier_ed25519.verify &&
	    !crypto_key_is_valid(&frame->client))
		return gate_drop(gate, REPLICA_GATE_DROP_BAD_KEY, ERR_KEY);
	return gate_drop(gate, REPLICA_GATE_DROP_BAD_SIGNATURE, ERR_SIGNATURE);
}

int replica_gate_client(struct replica_gate *gate, const uint8_t *bytes, uint32_t byte_count,
			uint64_t committed_height, struct replica_verified *ret)
{
	struct wire_frame frame;
	int code = byte_count > LANE_FRAME_BYTES_MAX ? ERR_OVERSIZE :
						       wire_frame_parse(bytes, byte_count, &frame);

	if (code < 0)
		return gate_drop_decode(gate, code);
	code = gate_check_client(gate, &frame, committed_height);
	if (code < 0)
		return code;
	*ret = (struct replica_verified){
		.bytes = bytes,
		.byte_count = byte_count,
		.from = HS_REPLICA_NONE,
	};
	ret->stamp.frame_count = 1;
	ret->stamp.is_signed_map = 1;
	ret->stamp.frame_hash = wire_frame_hash(&frame);
	return 0;
}

void replica_gate_commits(struct replica_gate *gate, const struct hs_commit *commits,
			  uint32_t count, struct bitset *ret_good, struct bitset *ret_bad)
{
	*ret_good = (struct bitset){ { 0 } };
	*ret_bad = (struct bitset){ { 0 } };
	for (uint32_t i = 0; i < count; i++)
		bitset_add(wire_verify_commit(gate->verifier, &commits[i]) ? ret_good : ret_bad,
			   commits[i].author);
}

bool replica_gate_qc(struct replica_gate *gate, const struct hs_qc *qc)
{
	return wire_verify_qc(gate->verifier, qc);
}

bool replica_gate_tc(struct replica_gate *gate, const struct hs_tc *tc)
{
	return wire_verify_tc(gate->verifier, tc);
}

bool replica_gate_block(struct replica_gate *gate, const struct hs_block *block)
{
	return wire_verify_block(gate->verifier, block);
}

uint64_t replica_gate_dropped(const struct replica_gate *gate, enum replica_gate_drop reason)
{
	ensure((uint32_t)reason < REPLICA_GATE_DROP_COUNT);
	return gate->dropped[reason];
}

const struct wire_verify_counters *replica_gate_verified(const struct replica_gate *gate)
{
	return wire_verify_counters(gate->verifier);
}
