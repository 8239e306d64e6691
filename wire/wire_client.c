#include "wire/wire_client.h"

#include "base/ensure.h"
#include "base/err.h"
#include "dataplane/lane_types.h"
#include "wire/wire_frame.h"
#include "wire/wire_parts.h"
#include "wire/wire_proof.h"
#include "wire/wire_put.h"

enum { RECEIPT_MAP_WORDS = 4, RECEIPT_MAP_BITS = 64 * RECEIPT_MAP_WORDS };

_Static_assert((int)RECEIPT_MAP_BITS == (int)WIRE_FRAME_TRANSACTIONS_MAX, "one bit a transaction");
_Static_assert(WIRE_CLIENT_HEAD_BYTES + 8 + 4 + 32 + 32 + 8 + 8 + WIRE_PAYLOAD_BYTES_MAX <=
		       WIRE_CLIENT_BYTES_MAX,
	       "every record fits a message");
_Static_assert(WIRE_CLIENT_HEAD_BYTES + 8 + 4 + 4 + WIRE_CLIENT_PROOF_BYTES <=
		       WIRE_CLIENT_BYTES_MAX,
	       "every piece of a proof fits a message");

static void put_name(struct bytes_writer *w, const struct wire_client_name *name)
{
	bytes_put_u8(w, name->by_txid ? 1 : 0);
	if (name->by_txid) {
		wire_put_hash(w, &name->txid);
		return;
	}
	wire_put_key(w, &name->client);
	bytes_put_u64(w, name->seq);
}

static void get_name(struct wire_in *in, struct wire_client_name *ret_name)
{
	*ret_name = (struct wire_client_name){ .by_txid = wire_in_flag(in) };
	if (ret_name->by_txid) {
		wire_get_hash(&in->r, &ret_name->txid);
		return;
	}
	wire_get_key(&in->r, &ret_name->client);
	ret_name->seq = bytes_get_u64(&in->r);
}

static bool receipt_is_sound(const struct wire_client_receipt *receipt)
{
	if (receipt->count == 0 || receipt->count > UINT16_MAX ||
	    receipt->first_seq > UINT64_MAX - receipt->count)
		return false;
	for (uint32_t i = 0; i < RECEIPT_MAP_BITS; i++)
		if (i >= receipt->count && (receipt->ordered_map[i / 64] >> (i % 64) & 1) != 0)
			return false;
	return true;
}

static void put_receipt(struct bytes_writer *w, const struct wire_client_receipt *receipt)
{
	ensure(receipt_is_sound(receipt));
	wire_put_key(w, &receipt->client);
	bytes_put_u64(w, receipt->first_seq);
	bytes_put_u32(w, receipt->count);
	for (uint32_t i = 0; i < RECEIPT_MAP_WORDS; i++)
		bytes_put_u64(w, receipt->ordered_map[i]);
	bytes_put_u64(w, receipt->height);
	bytes_put_u32(w, receipt->first_index);
	wire_put_hash(w, &receipt->block_id);
}

static void get_receipt(struct wire_in *in, struct wire_client_receipt *ret_receipt)
{
	wire_get_key(&in->r, &ret_receipt->client);
	ret_receipt->first_seq = bytes_get_u64(&in->r);
	ret_receipt->count = bytes_get_u32(&in->r);
	for (uint32_t i = 0; i < RECEIPT_MAP_WORDS; i++)
		ret_receipt->ordered_map[i] = bytes_get_u64(&in->r);
	ret_receipt->height = bytes_get_u64(&in->r);
	ret_receipt->first_index = bytes_get_u32(&in->r);
	wire_get_hash(&in->r, &ret_receipt->block_id);
	wire_in_refuse(in, !receipt_is_sound(ret_receipt));
}

static void put_refusal(struct bytes_writer *w, const struct wire_client_refusal *refusal)
{
	wire_put_key(w, &refusal->client);
	bytes_put_u64(w, refusal->first_seq);
	bytes_put_u32(w, (uint32_t)refusal->reason);
	bytes_put_u64(w, refusal->limit);
}

static void get_refusal(struct wire_in *in, struct wire_client_refusal *ret_refusal)
{
	wire_get_key(&in->r, &ret_refusal->client);
	ret_refusal->first_seq = bytes_get_u64(&in->r);
	ret_refusal->reason = (int32_t)bytes_get_u32(&in->r);
	ret_refusal->limit = bytes_get_u64(&in->r);
	wire_in_refuse(in, ret_refusal->reason >= 0);
}

static void put_record(struct bytes_writer *w, const struct wire_client_record *record)
{
	ensure(record->payload_bytes <= WIRE_PAYLOAD_BYTES_MAX);
	bytes_put_u64(w, record->height);
	bytes_put_u32(w, record->index);
	wire_put_hash(w, &record->txid);
	wire_put_key(w, &record->client);
	bytes_put_u64(w, record->seq);
	bytes_put_u64(w, record->time_ns);
	bytes_put(w, record->payload, record->payload_bytes);
}

static void get_record(struct wire_in *in, struct wire_client_record *ret_record)
{
	ret_record->height = bytes_get_u64(&in->r);
	ret_record->index = bytes_get_u32(&in->r);
	wire_get_hash(&in->r, &ret_record->txid);
	wire_get_key(&in->r, &ret_record->client);
	ret_record->seq = bytes_get_u64(&in->r);
	ret_record->time_ns = bytes_get_u64(&in->r);
	ret_record->payload_bytes = (uint32_t)bytes_left(&in->r);
	ret_record->payload = bytes_take(&in->r, ret_record->payload_bytes);
	wire_in_refuse(in, ret_record->payload_bytes > WIRE_PAYLOAD_BYTES_MAX);
}

static bool proof_is_sound(const struct wire_client_proof *proof)
{
	uint32_t left = proof->total - proof->offset;

	return proof->total <= WIRE_PROOF_BYTES_MAX && proof->offset < proof->total &&
	       proof->offset % WIRE_CLIENT_PROOF_BYTES == 0 &&
	       proof->byte_count ==
		       (left < WIRE_CLIENT_PROOF_BYTES ? left : WIRE_CLIENT_PROOF_BYTES);
}

static void put_proof(struct bytes_writer *w, const struct wire_client_proof *proof)
{
	ensure(proof_is_sound(proof));
	bytes_put_u64(w, proof->tag);
	bytes_put_u32(w, proof->total);
	bytes_put_u32(w, proof->offset);
	bytes_put(w, proof->bytes, proof->byte_count);
}

static void get_proof(struct wire_in *in, struct wire_client_proof *ret_proof)
{
	ret_proof->tag = bytes_get_u64(&in->r);
	ret_proof->total = bytes_get_u32(&in->r);
	ret_proof->offset = bytes_get_u32(&in->r);
	ret_proof->byte_count = (uint32_t)bytes_left(&in->r);
	ret_proof->bytes = bytes_take(&in->r, ret_proof->byte_count);
	wire_in_refuse(in, !proof_is_sound(ret_proof));
}

static void put_status(struct bytes_writer *w, const struct wire_client_status *status)
{
	wire_put_hash(w, &status->chain_id);
	bytes_put_u32(w, status->replica);
	bytes_put_u32(w, status->replica_count);
	bytes_put_u64(w, status->epoch);
	bytes_put_u64(w, status->view);
	bytes_put_u64(w, status->height);
	wire_put_hash(w, &status->block_id);
	bytes_put_u64(w, status->transactions);
	bytes_put_u32(w, status->leader);
	bytes_put_u32(w, status->peers_up);
	bytes_put_u8(w, status->is_observer ? 1 : 0);
	bytes_put_u64(w, status->wall_ns);
}

static void get_status(struct wire_in *in, struct wire_client_status *ret_status)
{
	wire_get_hash(&in->r, &ret_status->chain_id);
	ret_status->replica = bytes_get_u32(&in->r);
	ret_status->replica_count = bytes_get_u32(&in->r);
	ret_status->epoch = bytes_get_u64(&in->r);
	ret_status->view = bytes_get_u64(&in->r);
	ret_status->height = bytes_get_u64(&in->r);
	wire_get_hash(&in->r, &ret_status->block_id);
	ret_status->transactions = bytes_get_u64(&in->r);
	ret_status->leader = bytes_get_u32(&in->r);
	ret_status->peers_up = bytes_get_u32(&in->r);
	ret_status->is_observer = wire_in_flag(in);
	ret_status->wall_ns = bytes_get_u64(&in->r);
}

static void get_error(struct wire_in *in, struct wire_client_error *ret_error)
{
	ret_error->code = (int32_t)bytes_get_u32(&in->r);
	ret_error->text_bytes = (uint32_t)bytes_left(&in->r);
	ret_error->text = (const char *)bytes_take(&in->r, ret_error->text_bytes);
	wire_in_refuse(in,
		       ret_error->code >= 0 || ret_error->text_bytes > WIRE_CLIENT_TEXT_BYTES_MAX);
	for (uint32_t i = 0; in->code == 0 && !in->r.failed && i < ret_error->text_bytes; i++)
		wire_in_refuse(in, ret_error->text[i] < ' ' || ret_error->text[i] > '~');
}

static void put_request(struct bytes_writer *w, const struct wire_client_message *message)
{
	switch (message->kind) {
	case WIRE_CLIENT_SUBMIT:
		ensure(message->u.submit.frame_bytes <= LANE_FRAME_BYTES_MAX);
		bytes_put(w, message->u.submit.frame, message->u.submit.frame_bytes);
		break;
	case WIRE_CLIENT_SUBSCRIBE:
		wire_put_key(w, &message->u.subscribe);
		break;
	case WIRE_CLIENT_GET:
		put_name(w, &message->u.get);
		break;
	case WIRE_CLIENT_TAIL:
		bytes_put_u64(w, message->u.tail.height);
		bytes_put_u32(w, message->u.tail.index);
		bytes_put_u8(w, message->u.tail.follows ? 1 : 0);
		bytes_put_u32(w, message->u.tail.max);
		break;
	case WIRE_CLIENT_PROVE:
		put_name(w, &message->u.prove.name);
		bytes_put_u32(w, message->u.prove.offset);
		break;
	default:
		break;
	}
}

static void put_answer(struct bytes_writer *w, const struct wire_client_message *message)
{
	const struct wire_client_error *error = &message->u.error;

	switch (message->kind) {
	case WIRE_CLIENT_RECEIPT:
		put_receipt(w, &message->u.receipt);
		break;
	case WIRE_CLIENT_REFUSAL:
		put_refusal(w, &message->u.refusal);
		break;
	case WIRE_CLIENT_RECORD:
		put_record(w, &message->u.record);
		break;
	case WIRE_CLIENT_TAIL_END:
		bytes_put_u64(w, message->u.tail_end.height);
		bytes_put_u32(w, message->u.tail_end.index);
		bytes_put_u64(w, message->u.tail_end.final_height);
		break;
	case WIRE_CLIENT_PROOF:
		put_proof(w, &message->u.proof);
		break;
	case WIRE_CLIENT_STATUS_ANSWER:
		put_status(w, &message->u.status);
		break;
	case WIRE_CLIENT_ERROR:
		ensure(error->text_bytes <= WIRE_CLIENT_TEXT_BYTES_MAX);
		bytes_put_u32(w, (uint32_t)error->code);
		bytes_put(w, error->text, error->text_bytes);
		break;
	default:
		break;
	}
}

int wire_client_encode(const struct wire_client_message *message, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(
		ret_bytes, room < WIRE_CLIENT_BYTES_MAX ? room : WIRE_CLIENT_BYTES_MAX);

	bytes_put_u8(&w, (uint8_t)message->kind);
	bytes_put_u8(&w, WIRE_CLIENT_VERSION);
	bytes_put_u16(&w, 0);
	bytes_put_u32(&w, message->request);
	put_request(&w, message);
	put_answer(&w, message);
	return w.failed ? ERR_OVERSIZE : (int)bytes_written(&w);
}

static void get_tail(struct wire_in *in, struct wire_client_tail *ret_tail)
{
	ret_tail->height = bytes_get_u64(&in->r);
	ret_tail->index = bytes_get_u32(&in->r);
	ret_tail->follows = wire_in_flag(in);
	ret_tail->max = bytes_get_u32(&in->r);
	wire_in_refuse(in, ret_tail->max == 0 || ret_tail->max > WIRE_CLIENT_RECORDS_MAX);
}

static void get_body(struct wire_in *in, struct wire_client_message *message)
{
	switch (message->kind) {
	case WIRE_CLIENT_SUBMIT:
		message->u.submit.frame_bytes = (uint32_t)bytes_left(&in->r);
		message->u.submit.frame = bytes_take(&in->r, message->u.submit.frame_bytes);
		wire_in_refuse(in, message->u.submit.frame_bytes > LANE_FRAME_BYTES_MAX);
		break;
	case WIRE_CLIENT_SUBSCRIBE:
		wire_get_key(&in->r, &message->u.subscribe);
		break;
	case WIRE_CLIENT_GET:
		get_name(in, &message->u.get);
		break;
	case WIRE_CLIENT_TAIL:
		get_tail(in, &message->u.tail);
		break;
	case WIRE_CLIENT_PROVE:
		get_name(in, &message->u.prove.name);
		message->u.prove.offset = bytes_get_u32(&in->r);
		wire_in_refuse(in, message->u.prove.offset % WIRE_CLIENT_PROOF_BYTES != 0);
		break;
	case WIRE_CLIENT_STATUS:
		break;
	case WIRE_CLIENT_RECEIPT:
		get_receipt(in, &message->u.receipt);
		break;
	case WIRE_CLIENT_REFUSAL:
		get_refusal(in, &message->u.refusal);
		break;
	case WIRE_CLIENT_RECORD:
		get_record(in, &message->u.record);
		break;
	case WIRE_CLIENT_TAIL_END:
		message->u.tail_end.height = bytes_get_u64(&in->r);
		message->u.tail_end.index = bytes_get_u32(&in->r);
		message->u.tail_end.final_height = bytes_get_u64(&in->r);
		break;
	case WIRE_CLIENT_PROOF:
		get_proof(in, &message->u.proof);
		break;
	case WIRE_CLIENT_STATUS_ANSWER:
		get_status(in, &message->u.status);
		break;
	case WIRE_CLIENT_ERROR:
		get_error(in, &message->u.error);
		break;
	default:
		wire_in_refuse(in, true);
	}
}

int wire_client_decode(const void *bytes, size_t count, struct wire_client_message *ret_message)
{
	struct wire_in in = { .r = bytes_reader_of(bytes, count) };
	uint8_t version;

	if (count > WIRE_CLIENT_BYTES_MAX)
		return ERR_OVERSIZE;
	ret_message->kind = bytes_get_u8(&in.r);
	version = bytes_get_u8(&in.r);
	wire_in_refuse(&in, bytes_get_u16(&in.r) != 0);
	ret_message->request = bytes_get_u32(&in.r);
	if (in.r.failed)
		return ERR_TRUNCATED;
	if (version != WIRE_CLIENT_VERSION)
		return version > WIRE_CLIENT_VERSION ? ERR_NEWER : ERR_FORMAT;
	get_body(&in, ret_message);
	return wire_in_end(&in);
}
