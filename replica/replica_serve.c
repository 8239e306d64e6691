/*
 * The giving side of catch-up: blocks from memory or by READ, within a budget a peer. This member
 * is served as well: a block it voted for may have left its memory and still be on its disk.
 */

#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "replica/replica_state.h"

enum {
	SERVE_BLOCKS_PER_INTERVAL = 256,
	SERVE_BLOCK_BYTES_MAX = 64 * 1024,
};

static bool serve_may(struct replica *replica, uint32_t peer, uint32_t count)
{
	struct replica_catchup *catchup = &replica->catchup;

	if (replica->now_ns - catchup->served_ns[peer] >= replica->config.catchup_interval_ns) {
		catchup->served_ns[peer] = replica->now_ns;
		catchup->served[peer] = 0;
	}
	if (catchup->served[peer] + count > SERVE_BLOCKS_PER_INTERVAL)
		return false;
	catchup->served[peer] += count;
	return true;
}

/* A free job, unless the peer has one running. */
static struct replica_serve_job *serve_job(struct replica *replica, uint32_t peer)
{
	struct replica_serve_job *free_job = NULL;
	struct replica_serve_job *own = &replica->catchup.job[REPLICA_SERVE_JOBS];

	if (peer == replica->config.consensus.replica_id)
		return own->is_used ? NULL : own;
	for (uint32_t i = 0; i < REPLICA_SERVE_JOBS; i++) {
		struct replica_serve_job *job = &replica->catchup.job[i];

		if (job->is_used && job->peer == peer)
			return NULL;
		if (!job->is_used)
			free_job = job;
	}
	return free_job;
}

static void serve_read_next(struct replica *replica, struct replica_serve_job *job,
			    uint64_t position)
{
	uint64_t index = (uint64_t)(job - replica->catchup.job);

	job->generation++;
	replica_read(replica, BLOCKLOG_BLOCK, position, SERVE_BLOCK_BYTES_MAX,
		     replica_ticket(REPLICA_TICKET_SERVE, index << 32 | job->generation));
}

static void serve_send(struct replica *replica, struct replica_serve_job *job,
		       const struct hs_fc *fc)
{
	struct wire_blocks *blocks = &replica->message_out.u.blocks;

	job->is_used = false;
	if (job->count == 0)
		return;
	if (job->peer == replica->config.consensus.replica_id) {
		replica_catchup_feed(replica, job->peer, job->bytes, job->length[0]);
		return;
	}
	replica->message_out.kind = WIRE_BLOCKS;
	blocks->count = job->count;
	blocks->committed_height = replica->delivery.height;
	for (uint32_t i = 0; i < job->count; i++) {
		blocks->block_bytes[i] = job->bytes + job->offset[i];
		blocks->block_byte_count[i] = job->length[i];
	}
	blocks->has_fc = fc != NULL;
	if (fc)
		blocks->fc = *fc;
	replica_send(replica, job->peer, REPLICA_SEND_REPAIR);
}

/* The finality certificate of the last block lets the asker commit all of them. */
static void serve_finish(struct replica *replica, struct replica_serve_job *job)
{
	const struct replica_block_entry *last = replica_blocks_at(replica, job->next_height - 1);

	if (job->count == 0 || !last || !last->has_fc) {
		serve_send(replica, job, NULL);
		return;
	}
	job->is_reading_fc = true;
	serve_read_next(replica, job, last->fc_position);
}

static void serve_unknown(struct replica *replica)
{
	replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_SERVE_UNKNOWN);
}

/* `position` is where the first block lies; `first` 0: it is no height's, and the only one. */
static void serve_start(struct replica *replica, uint32_t to, uint64_t first, uint32_t count,
			uint64_t position)
{
	struct replica_serve_job *job = serve_job(replica, to);

	if (!job || !serve_may(replica, to, count)) {
		replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_SERVE_BUDGET);
		return;
	}
	job->is_used = true;
	job->peer = to;
	job->next_height = first;
	job->last_height = first + count - 1;
	job->count = 0;
	job->byte_count = 0;
	job->is_reading_fc = false;
	serve_read_next(replica, job, position);
}

void replica_serve_heights(struct replica *replica, uint32_t to,
			   const struct wire_want_blocks *want)
{
	const struct replica_block_entry *entry = replica_blocks_at(replica, want->first_height);
	uint32_t count = (uint32_t)units_min(want->count, WIRE_BLOCKS_MAX);

	if (count == 0 || want->first_height >= UINT64_MAX - WIRE_BLOCKS_MAX)
		return;
	if (entry)
		serve_start(replica, to, want->first_height, count, entry->position);
	else
		serve_unknown(replica);
}

static void serve_kept(struct replica *replica, uint32_t to, const struct hs_block *block)
{
	struct wire_blocks *blocks = &replica->message_out.u.blocks;
	size_t room = 4096 + (size_t)replica->config.consensus.replica_count * 400;
	uint8_t *bytes = replica_outbox_take(&replica->outbox, room);
	int count = wire_encode_block(block, bytes, room);

	ensure(count > 0);
	replica_outbox_trim(&replica->outbox, room - (size_t)count);
	replica->message_out.kind = WIRE_BLOCKS;
	blocks->count = 1;
	blocks->committed_height = replica->delivery.height;
	blocks->block_bytes[0] = bytes;
	blocks->block_byte_count[0] = (uint32_t)count;
	blocks->has_fc = false;
	replica_send(replica, to, REPLICA_SEND_REPAIR);
}

void replica_serve_id(struct replica *replica, uint32_t to, const struct wire_want_block *want)
{
	const struct hs_block *block = hs_core_block(replica->core, &want->id);
	const struct replica_block_entry *entry;

	if (block && block->header.height > replica->delivery.height) {
		if (serve_may(replica, to, 1))
			serve_kept(replica, to, block);
		else
			replica_dropped(replica, REPLICA_DROP_REPLICA, REPLICA_DROP_SERVE_BUDGET);
		return;
	}
	entry = replica_blocks_by_id(replica, &want->id);
	if (entry)
		serve_start(replica, to, entry->height, 1, entry->position);
	else if (!replica_serve_stored(replica, to, &want->id))
		serve_unknown(replica);
}

bool replica_serve_stored(struct replica *replica, uint32_t to, const struct crypto_hash *id)
{
	const struct replica_persisted *persisted = replica_blocks_find(replica, id);

	if (!persisted || !persisted->is_durable)
		return false;
	serve_start(replica, to, 0, 1, persisted->position);
	return true;
}

static void serve_block(struct replica *replica, struct replica_serve_job *job,
			const uint8_t *bytes, uint32_t byte_count)
{
	const struct replica_block_entry *next;

	if (byte_count > REPLICA_SERVE_BYTES - job->byte_count) {
		serve_finish(replica, job);
		return;
	}
	memcpy(job->bytes + job->byte_count, bytes, byte_count);
	job->offset[job->count] = job->byte_count;
	job->length[job->count] = byte_count;
	job->count++;
	job->byte_count += byte_count;
	job->next_height++;
	next = replica_blocks_at(replica, job->next_height);
	if (job->next_height > job->last_height || !next)
		serve_finish(replica, job);
	else
		serve_read_next(replica, job, next->position);
}

/* An FC record: height u64, then an FC message. Own bytes, but decoded like anybody's. */
static void serve_fc(struct replica *replica, struct replica_serve_job *job, const uint8_t *bytes,
		     uint32_t byte_count)
{
	const struct hs_config *config = &replica->config.consensus;
	struct wire_message *message = &replica->message_in;

	if (byte_count > 8 &&
	    wire_decode(bytes + 8, byte_count - 8, config->replica_id, &config->chain_id,
			&config->set_hash, config->replica_count, config->epoch, message) == 0 &&
	    message->kind == WIRE_FC)
		serve_send(replica, job, &message->u.core.u.fc);
	else
		serve_send(replica, job, NULL);
}

void replica_serve_read(struct replica *replica, uint64_t ticket, int code, const uint8_t *bytes,
			uint32_t byte_count)
{
	uint64_t low = replica_ticket_low(ticket);
	struct replica_serve_job *job;

	ensure(low >> 32 <= REPLICA_SERVE_JOBS);
	job = &replica->catchup.job[low >> 32];
	if (!job->is_used || job->generation != (uint32_t)low)
		return;
	if (code < 0)
		serve_send(replica, job, NULL);
	else if (job->is_reading_fc)
		serve_fc(replica, job, bytes, byte_count);
	else
		serve_block(replica, job, bytes, byte_count);
}
