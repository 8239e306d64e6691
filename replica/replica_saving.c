/* The exactly-once windows on disk: pieces beside the MARKs, so that a restart replays little. */

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "replica/replica_state.h"

/*
 * piece = version u8, is_last u8, reserved u16, number u32, replay height u64, entries
 * Replay begins above the replay height of the last whole set of pieces.
 */
enum {
	SAVING_VERSION = 1,
	SAVING_HEAD_BYTES = 1 + 1 + 2 + 4 + 8,
	SAVING_PIECES = 64, /* blocks over which one set is spread, at most */
};

static size_t saving_piece_room(const struct replica *replica)
{
	size_t whole = (size_t)replica->config.clients_max * REPLICA_WINDOW_SAVED_BYTES_MAX;
	size_t room = whole / SAVING_PIECES + 4 * REPLICA_WINDOW_SAVED_BYTES_MAX;

	return room < REPLICA_WINDOWS_PIECE_BYTES ? room : REPLICA_WINDOWS_PIECE_BYTES;
}

static void saving_write(struct replica *replica)
{
	struct replica_delivery *delivery = &replica->delivery;
	size_t room = SAVING_HEAD_BYTES + saving_piece_room(replica);
	uint8_t *bytes = replica_outbox_take(&replica->outbox, room);
	struct bytes_writer w = bytes_writer_of(bytes, room);
	uint32_t number = delivery->save_number++;
	size_t count;

	count = replica_windows_save(replica->windows, delivery->height, &delivery->save_at,
				     bytes + SAVING_HEAD_BYTES, room - SAVING_HEAD_BYTES);
	delivery->is_saving = delivery->save_at < replica_windows_count(replica->windows);
	bytes_put_u8(&w, SAVING_VERSION);
	bytes_put_u8(&w, !delivery->is_saving);
	bytes_put_u16(&w, 0);
	bytes_put_u32(&w, number);
	bytes_put_u64(&w, delivery->save_height);
	count += SAVING_HEAD_BYTES;
	replica_outbox_trim(&replica->outbox, room - count);
	replica_persist(replica, BLOCKLOG_BLOCK, REPLICA_RECORD_WINDOWS, bytes, (uint32_t)count,
			replica_ticket(REPLICA_TICKET_WINDOWS, 0));
}

void replica_saving_run(struct replica *replica)
{
	struct replica_delivery *delivery = &replica->delivery;

	if (!delivery->is_saving) {
		if (delivery->batches_since_save < replica->recover.batch_max / 8)
			return;
		delivery->is_saving = true;
		delivery->save_height = delivery->height;
		delivery->save_at = 0;
		delivery->save_number = 0;
		delivery->batches_since_save = 0;
	}
	saving_write(replica);
}

int replica_saving_load(struct replica *replica, const void *bytes, size_t count)
{
	struct replica_recover *recover = &replica->recover;
	struct bytes_reader r = bytes_reader_of(bytes, count);
	uint8_t version = bytes_get_u8(&r);
	bool is_last = bytes_get_u8(&r) == 1;
	uint32_t number;
	uint64_t height;
	int code;

	bytes_get_u16(&r);
	number = bytes_get_u32(&r);
	height = bytes_get_u64(&r);
	if (r.failed || version == 0)
		return ERR_CORRUPT;
	if (version > SAVING_VERSION)
		return ERR_NEWER;
	code = replica_windows_load(replica->windows, r.at, bytes_left(&r));
	if (code < 0)
		return code == ERR_FORMAT ? ERR_CORRUPT : code;
	if (number == 0) {
		recover->save_next = 0;
		recover->save_height = height;
	}
	if (number != recover->save_next || height != recover->save_height)
		return 0;
	recover->save_next++;
	if (!is_last)
		return 0;
	while (recover->batch_first < recover->batch_end &&
	       recover->batch[recover->batch_first % recover->batch_max].height <= height)
		recover->batch_first++;
	if (recover->lost_height <= height)
		recover->lost_height = 0;
	/* What a restart replays counts: else a node that restarts often would never save. */
	replica->delivery.batches_since_save = recover->batch_end - recover->batch_first;
	return 0;
}
