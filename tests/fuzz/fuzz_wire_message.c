/* Any bytes from a peer: decoded or refused; what is accepted encodes to the same bytes. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "wire/wire_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static const struct crypto_hash chain_id;
	static const struct crypto_hash set_hash;
	static struct wire_message message;
	static uint8_t again[WIRE_MESSAGE_BYTES_MAX];
	static struct hs_record record;
	static struct hs_block block;
	int back;

	if (wire_decode(bytes, count, 1, &chain_id, &set_hash, 4, 1, &message) == 0) {
		back = wire_encode(&message, again, sizeof(again));
		ensure(back >= 0 && (size_t)back == count && memcmp(again, bytes, count) == 0);
	}
	if (wire_decode_block(bytes, count, &chain_id, &set_hash, 4, &block) == 0) {
		back = wire_encode_block(&block, again, sizeof(again));
		ensure(back >= 0 && (size_t)back == count && memcmp(again, bytes, count) == 0);
	}
	if (wire_decode_record(bytes, count, 4, &record) == 0) {
		back = wire_encode_record(&record, again, sizeof(again));
		ensure(back >= 0 && (size_t)back == count && memcmp(again, bytes, count) == 0);
	}
	return 0;
}
