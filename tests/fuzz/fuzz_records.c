/* Records of the lane and block log, as they lie on the disk or come out of a repair. */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "dataplane/lane_batch.h"
#include "replica/replica_mark.h"
#include "replica/replica_windows.h"
#include "wire/wire_message.h"

static const struct crypto_hash chain_id;

static void batch_input(const uint8_t *bytes, size_t count)
{
	static struct crypto_hash leaves[LANE_BATCH_FRAMES_MAX];
	static struct crypto_hash scratch[LANE_BATCH_FRAMES_MAX];
	static uint8_t again[WIRE_BATCH_HEADER_BYTES];
	struct lane_record record;
	struct lane_header header;

	if (wire_decode_batch_header(bytes, count, &chain_id, &header) == 0) {
		ensure(wire_encode_batch_header(&header, again, sizeof(again)) == (int)count);
		ensure(memcmp(again, bytes, count) == 0);
	}
	if (lane_record_open(bytes, count, &chain_id, &record) != 0)
		return;
	for (uint32_t i = 0; i < record.header.frame_count; i++) {
		uint32_t byte_count;
		const uint8_t *frame = lane_record_frame(&record, i, &byte_count);

		ensure(frame >= bytes && frame + byte_count <= bytes + count);
	}
	(void)lane_record_check(&record, leaves, scratch);
}

static void mark_input(const uint8_t *bytes, size_t count)
{
	struct replica_mark_exception exception;
	struct replica_mark_batch batch;
	struct replica_mark mark;

	if (replica_mark_decode(bytes, count, &mark) != 0)
		return;
	for (uint32_t i = 0; i < mark.batch_count; i++)
		replica_mark_batch_at(&mark, i, &batch);
	for (uint32_t i = 0; i < mark.exception_count; i++) {
		replica_mark_exception_at(&mark, i, &exception);
		ensure(exception.count >= 1 && exception.batch < mark.batch_count);
	}
}

/* What loads must save to something that loads to the same. */
static void windows_input(const uint8_t *bytes, size_t count)
{
	enum { CLIENTS = 8, ROOM = CLIENTS * REPLICA_WINDOW_SAVED_BYTES_MAX };
	static uint8_t saved[ROOM];
	static void *memory[2];
	size_t footprint = replica_windows_footprint(CLIENTS);
	struct replica_windows *windows[2];
	uint32_t at = 0;
	size_t saved_count;

	for (int i = 0; i < 2; i++) {
		if (!memory[i])
			memory[i] = aligned_alloc(64, (footprint + 63) & ~(size_t)63);
		ensure(replica_windows_init(memory[i], footprint, CLIENTS, &windows[i]) == 0);
	}
	if (replica_windows_load(windows[0], bytes, count) != 0)
		return;
	saved_count = replica_windows_save(windows[0], 7, &at, saved, sizeof(saved));
	ensure(at == replica_windows_count(windows[0]));
	ensure(replica_windows_load(windows[1], saved, saved_count) == 0);
	ensure(replica_windows_digest(windows[0]) == replica_windows_digest(windows[1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	batch_input(bytes, count);
	mark_input(bytes, count);
	windows_input(bytes, count);
	return 0;
}
