/*
 * The client API: arbitrary answers, true, false and malformed, between submitting, sending and
 * waiting. A number is reported at most once, and nothing is outstanding that was reported.
 */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "client/quorate.h"
#include "tests/fuzz/fuzz_bytes.h"
#include "wire/wire_client.h"

enum { NODES = 4, WINDOW = 64, SEQS_MAX = 4096 };

struct run {
	struct qr_client *client;
	uint8_t public_key[QR_KEY_BYTES];
	uint64_t now_ns;
	uint64_t taken;
	uint64_t reported;
	bool is_reported[SEQS_MAX];
	uint8_t sent[QR_MESSAGE_BYTES_MAX];
	int sent_count;
};

static void begin(struct run *run, struct fuzz_bytes *input)
{
	static struct qr_key *key;
	static const uint8_t seed[32] = { 9 };
	struct qr_client_config config = {
		.node_count = NODES,
		.receipts_needed = 1 + fuzz_below(input, NODES),
		.window = WINDOW,
		.height = 50,
	};

	if (!key)
		ensure(qr_start() == 0 && qr_key_from_seed(seed, &key) == 0);
	memset(run, 0, sizeof(*run));
	config.key = key;
	qr_key_public(key, run->public_key);
	ensure(qr_client_open(&config, &run->client) == 0);
	run->now_ns = 1000;
}

static void submit(struct run *run, struct fuzz_bytes *input)
{
	static uint8_t filling[QR_PAYLOAD_BYTES_MAX + 2];
	struct qr_payload payload[16];
	uint32_t count = fuzz_below(input, 17);
	uint64_t first = 0;
	int taken;

	for (uint32_t i = 0; i < count; i++)
		payload[i] = (struct qr_payload){ filling, fuzz_below(input, sizeof(filling)) };
	if (run->taken + count >= SEQS_MAX)
		return;
	taken = qr_client_submit(run->client, payload, count, &first);
	if (taken <= 0)
		return;
	ensure(first == run->taken + QR_SEQ_FIRST && (uint32_t)taken <= count);
	run->taken += (uint32_t)taken;
}

static void output(struct run *run)
{
	struct wire_client_message message;
	uint32_t node = NODES;
	int count = qr_client_output(run->client, run->now_ns, &node, run->sent);

	if (count == 0)
		return;
	ensure(count > 0 && node < NODES);
	ensure(wire_client_decode(run->sent, (size_t)count, &message) == 0);
	run->sent_count = count;
}

static void events(struct run *run)
{
	struct qr_event event;

	while (qr_client_event(run->client, &event) == 1) {
		ensure(event.count > 0 && event.first_seq >= QR_SEQ_FIRST);
		for (uint32_t i = 0; i < event.count; i++) {
			uint64_t at = event.first_seq - QR_SEQ_FIRST + i;

			ensure(at < run->taken && !run->is_reported[at]);
			run->is_reported[at] = true;
			run->reported++;
		}
	}
	ensure(!qr_client_has_event(run->client));
}

static void answer(struct run *run, struct fuzz_bytes *input)
{
	static const int reasons[] = { ERR_AHEAD, ERR_FULL, ERR_EXPIRED, ERR_UNKNOWN_CLIENT,
				       ERR_DUPLICATE };
	struct wire_client_message message = { .kind = WIRE_CLIENT_RECEIPT };
	struct wire_client_receipt *receipt = &message.u.receipt;
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	uint32_t node = fuzz_below(input, NODES + 1);
	uint64_t first = fuzz_below(input, (uint32_t)run->taken + 8);
	int count;

	if (fuzz_u8(input) == 255)
		first = UINT64_MAX - 256 - first;
	if (fuzz_bit(input)) {
		message.kind = WIRE_CLIENT_REFUSAL;
		message.u.refusal.first_seq = first;
		message.u.refusal.reason = reasons[fuzz_below(input, 5)];
		message.u.refusal.limit = fuzz_u16(input);
		memcpy(message.u.refusal.client.b, run->public_key, QR_KEY_BYTES);
	} else {
		receipt->first_seq = first;
		receipt->count = 1 + fuzz_below(input, 256);
		receipt->height = fuzz_u8(input);
		receipt->first_index = fuzz_u8(input);
		for (uint32_t i = 0; i < 4; i++)
			if (receipt->count > i * 64)
				receipt->ordered_map[i] = fuzz_bit(input) ? UINT64_MAX :
									    fuzz_u16(input);
		if (receipt->count % 64 != 0)
			receipt->ordered_map[receipt->count / 64] &=
				(UINT64_C(1) << receipt->count % 64) - 1;
		memcpy(receipt->client.b, run->public_key, QR_KEY_BYTES);
	}
	count = wire_client_encode(&message, bytes, sizeof(bytes));
	ensure(count > 0);
	(void)qr_client_input(run->client, node, bytes, (size_t)count, run->now_ns);
}

static void raw(struct run *run, struct fuzz_bytes *input)
{
	size_t count;
	uint32_t node = fuzz_below(input, NODES);
	const uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &count);

	(void)qr_client_input(run->client, node, bytes, count, run->now_ns);
	if (run->sent_count > 0)
		(void)qr_client_input(run->client, node, run->sent, (size_t)run->sent_count,
				      run->now_ns);
}

static void do_one(struct run *run, struct fuzz_bytes *input)
{
	switch (fuzz_below(input, 7)) {
	case 0:
		submit(run, input);
		break;
	case 1:
		for (uint32_t i = fuzz_u8(input); i > 0; i--)
			output(run);
		break;
	case 2:
		run->now_ns += (uint64_t)fuzz_u16(input) * 1000000;
		break;
	case 3:
		qr_client_node(run->client, fuzz_below(input, NODES + 1), fuzz_bit(input));
		break;
	case 4:
		raw(run, input);
		break;
	case 5:
		events(run);
		break;
	default:
		answer(run, input);
		break;
	}
	ensure(qr_client_outstanding(run->client) <= WINDOW);
	ensure(qr_client_next_seq(run->client) == run->taken + QR_SEQ_FIRST);
	(void)qr_client_deadline_ns(run->client);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct run run;
	struct fuzz_bytes input = { bytes, count };

	begin(&run, &input);
	while (input.left > 0)
		do_one(&run, &input);
	events(&run);
	ensure(run.reported + qr_client_outstanding(run.client) == run.taken);
	qr_client_close(run.client);
	return 0;
}
