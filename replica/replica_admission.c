/* Client frames: who gets in, who is told what, and receipts given again. */

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "replica/replica_state.h"

/* A frame resent sooner than this after admission is on its way already. */
static const uint64_t ADMISSION_REPEAT_NS = 500 * UNITS_NS_PER_MS;

/* The first of the REPLICA_RECENT_WAYS entries that may hold this frame's receipt. */
static struct replica_recent *recent_set(const struct replica *replica,
					 const struct crypto_public_key *client, uint64_t first_seq)
{
	struct bytes_reader r = bytes_reader_of(client->b, sizeof(client->b));
	uint64_t hash = first_seq * UINT64_C(0x9e3779b97f4a7c15) ^ bytes_get_u64(&r);

	hash = (hash ^ hash >> 32) * UINT64_C(0xff51afd7ed558ccd);
	return &replica->recent[(hash >> 40) % (replica->recent_max / REPLICA_RECENT_WAYS) *
				REPLICA_RECENT_WAYS];
}

static bool recent_is(const struct replica_recent *recent, const struct crypto_public_key *client,
		      uint64_t first_seq)
{
	return recent->is_used && recent->receipt.first_seq == first_seq &&
	       memcmp(&recent->receipt.client, client, sizeof(*client)) == 0;
}

void replica_receipt_fill(struct replica_receipt *ret_receipt, const struct wire_frame *frame,
			  const uint8_t *outcome)
{
	*ret_receipt = (struct replica_receipt){
		.client = frame->client,
		.first_seq = frame->first_seq,
		.count = frame->count,
	};
	for (uint32_t i = 0; i < frame->count; i++)
		if (outcome[i] == REPLICA_OUTCOME_ORDERED)
			ret_receipt->ordered_map[i / 64] |= UINT64_C(1) << i % 64;
}

void replica_admission_ordered(struct replica *replica, const struct replica_receipt *receipt)
{
	struct replica_recent *set = recent_set(replica, &receipt->client, receipt->first_seq);
	struct replica_recent *chosen = &set[0];

	for (uint32_t i = 0; i < REPLICA_RECENT_WAYS; i++) {
		if (!set[i].is_used || recent_is(&set[i], &receipt->client, receipt->first_seq)) {
			chosen = &set[i];
			break;
		}
		if (set[i].receipt.height < chosen->receipt.height)
			chosen = &set[i];
	}
	chosen->is_used = true;
	chosen->receipt = *receipt;
}

static const struct replica_receipt *recent_find(const struct replica *replica,
						 const struct wire_frame *frame)
{
	const struct replica_recent *set = recent_set(replica, &frame->client, frame->first_seq);

	for (uint32_t i = 0; i < REPLICA_RECENT_WAYS; i++)
		if (recent_is(&set[i], &frame->client, frame->first_seq))
			return &set[i].receipt;
	return NULL;
}

void replica_refuse(struct replica *replica, uint64_t origin, const struct wire_frame *frame,
		    int reason, uint64_t limit)
{
	struct replica_effect *effect = replica_push(replica, REPLICA_EFFECT_REFUSE);

	effect->u.refuse.origin = origin;
	effect->u.refuse.client = frame->client;
	effect->u.refuse.first_seq = frame->first_seq;
	effect->u.refuse.reason = reason;
	effect->u.refuse.limit = limit;
}

/* All of it was ordered or given up before: the receipt again, or a plain word. */
static void admit_duplicate(struct replica *replica, const struct wire_frame *frame,
			    uint64_t origin)
{
	const struct replica_receipt *receipt = recent_find(replica, frame);

	if (receipt)
		replica_push(replica, REPLICA_EFFECT_RECEIPT)->u.receipt = *receipt;
	else
		replica_refuse(replica, origin, frame, ERR_DUPLICATE,
			       replica_windows_base(replica->windows, &frame->client));
}

/* What admission says of the frame's numbers; 0: it may enter the lane. */
static int admit_verdict(const struct replica *replica, const struct wire_frame *frame,
			 uint64_t *ret_limit)
{
	uint8_t outcome[WIRE_FRAME_TRANSACTIONS_MAX];
	uint32_t ordered;

	*ret_limit = replica_windows_base(replica->windows, &frame->client) + REPLICA_WINDOW_BITS;
	if (frame->kind != WIRE_FRAME_TRANSACTIONS)
		return frame->expires <= replica->delivery.height ? ERR_EXPIRED : 0;
	ordered = replica_windows_judge(replica->windows, frame, replica->delivery.height + 1,
					outcome);
	switch ((enum replica_outcome)outcome[frame->count - 1]) {
	case REPLICA_OUTCOME_AHEAD:
		return ERR_AHEAD;
	case REPLICA_OUTCOME_EXPIRED:
	case REPLICA_OUTCOME_EXPIRES_FAR:
		*ret_limit = replica->delivery.height;
		return ERR_EXPIRED;
	case REPLICA_OUTCOME_CLIENTS_FULL:
		*ret_limit = replica->config.clients_max;
		return ERR_FULL;
	default:
		return ordered == 0 ? ERR_DUPLICATE : 0;
	}
}

void replica_admit(struct replica *replica, const struct replica_verified *verified,
		   uint64_t origin)
{
	const struct crypto_hash *hash = &verified->stamp.frame_hash;
	struct replica_admitted *admitted =
		&replica->admitted[(hash->b[0] | hash->b[1] << 8) & (REPLICA_ADMITTED_MAX - 1)];
	struct lane_input input = { .kind = LANE_INPUT_CLIENT_FRAME, .from = HS_REPLICA_NONE };
	struct wire_frame frame;
	uint64_t limit;
	int code;

	ensure(wire_frame_parse(verified->bytes, verified->byte_count, &frame) == 0);
	code = admit_verdict(replica, &frame, &limit);
	if (code == ERR_DUPLICATE) {
		admit_duplicate(replica, &frame, origin);
		return;
	}
	if (code < 0) {
		replica_refuse(replica, origin, &frame, code, limit);
		return;
	}
	if (admitted->at_ns + ADMISSION_REPEAT_NS > replica->now_ns &&
	    crypto_hash_equal(&admitted->frame_hash, hash)) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_FRAME_REPEATED);
		return;
	}
	replica->refused = false;
	input.u.client.bytes = verified->bytes;
	input.u.client.byte_count = verified->byte_count;
	input.u.client.frame_hash = *hash;
	input.u.client.origin = origin;
	replica_lane_step(replica, &input);
	if (!replica->refused)
		*admitted = (struct replica_admitted){ *hash, replica->now_ns };
}
