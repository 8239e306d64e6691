/* Any bytes from a client: its messages, its frames, and a genesis document. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "wire/wire_client.h"
#include "wire/wire_frame.h"
#include "wire/wire_genesis.h"

static void frame_input(const uint8_t *bytes, size_t count)
{
	struct wire_payload_walk walk;
	struct wire_payload payload;
	struct wire_frame frame;
	uint64_t next;

	if (wire_frame_parse(bytes, count, &frame) != 0)
		return;
	struct crypto_hash leaf = wire_frame_leaf(&frame);

	wire_frame_root(&frame, &leaf);
	next = frame.first_seq;
	wire_payload_walk_init(&walk, &frame);
	while (wire_payload_next(&walk, &payload)) {
		ensure(payload.seq == next && payload.bytes >= bytes &&
		       payload.bytes + payload.byte_count <= bytes + frame.body_bytes);
		next++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct wire_genesis genesis;
	static uint8_t again[WIRE_GENESIS_BYTES_MAX];
	struct wire_client_message message;
	int back;

	if (wire_client_decode(bytes, count, &message) == 0) {
		back = wire_client_encode(&message, again, sizeof(again));
		ensure(back >= 0 && (size_t)back == count && memcmp(again, bytes, count) == 0);
		if (message.kind == WIRE_CLIENT_SUBMIT)
			frame_input(message.u.submit.frame, message.u.submit.frame_bytes);
	}
	frame_input(bytes, count);
	if (wire_genesis_decode(bytes, count, &genesis) == 0) {
		back = wire_genesis_encode(&genesis, again, sizeof(again));
		ensure(back >= 0 && (size_t)back == count && memcmp(again, bytes, count) == 0);
	}
	return 0;
}
