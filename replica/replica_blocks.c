/* Where blocks and their certificates lie in the block log. */

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "replica/replica_state.h"

enum { BLOCKS_UNDER_WAY_MAX = REPLICA_PERSISTED_MIN };

static uint32_t *blocks_bucket(const struct replica_blocks *blocks, const struct crypto_hash *id)
{
	uint64_t key;

	memcpy(&key, id->b, sizeof(key));
	return &blocks->bucket[key & (blocks->persisted_max - 1)];
}

/* Takes the oldest entry out of its bucket. */
static void blocks_forget(struct replica_blocks *blocks, uint32_t index)
{
	const struct replica_persisted *entry = &blocks->persisted[index];
	uint32_t *link = blocks_bucket(blocks, &entry->id);

	while (*link != index + 1) {
		ensure(*link != 0);
		link = &blocks->persisted[*link - 1].older;
	}
	*link = entry->older;
}

void replica_blocks_asked(struct replica *replica, const struct crypto_hash *id, uint64_t ticket)
{
	struct replica_blocks *blocks = &replica->blocks;
	uint32_t index = blocks->persisted_next;
	uint32_t *bucket = blocks_bucket(blocks, id);

	if (blocks->persisted[index].is_used)
		blocks_forget(blocks, index);
	blocks->persisted[index] = (struct replica_persisted){
		.id = *id,
		.ticket = ticket,
		.is_used = true,
		.older = *bucket,
	};
	*bucket = index + 1;
	blocks->persisted_next = (index + 1) & (blocks->persisted_max - 1);
}

const struct replica_persisted *replica_blocks_find(const struct replica *replica,
						    const struct crypto_hash *id)
{
	const struct replica_blocks *blocks = &replica->blocks;
	const struct replica_persisted *found = NULL;

	for (uint32_t at = *blocks_bucket(blocks, id); at != 0;) {
		const struct replica_persisted *entry = &blocks->persisted[at - 1];

		if (crypto_hash_equal(&entry->id, id) && (!found || entry->is_durable))
			found = entry;
		if (found && found->is_durable)
			break;
		at = entry->older;
	}
	return found;
}

void replica_blocks_durable(struct replica *replica, uint64_t ticket, uint64_t position)
{
	struct replica_blocks *blocks = &replica->blocks;

	for (uint32_t i = 1; i <= BLOCKS_UNDER_WAY_MAX; i++) {
		struct replica_persisted *entry = &blocks->persisted[(blocks->persisted_next - i) &
								     (blocks->persisted_max - 1)];

		if (!entry->is_used || entry->is_durable || entry->ticket != ticket)
			continue;
		entry->is_durable = true;
		entry->position = position;
		for (uint32_t k = 0; k < replica->delivery.count; k++) {
			struct replica_pending *pending =
				replica_delivery_at(replica, replica->delivery.height + 1 + k);

			if (crypto_hash_equal(&pending->id, &entry->id)) {
				pending->is_durable = true;
				pending->position = position;
			}
		}
		return;
	}
}

void replica_blocks_delivered(struct replica *replica, uint64_t height,
			      const struct crypto_hash *id, uint64_t position)
{
	struct replica_block_entry *entry =
		&replica->blocks.entry[height % replica->config.blocks_index_max];

	*entry = (struct replica_block_entry){
		.height = height,
		.id = *id,
		.position = position,
	};
	for (uint32_t i = 0; i < REPLICA_FCS_MAX; i++) {
		const struct replica_fc_entry *fc = &replica->blocks.fc[i];

		if (fc->height == height && fc->is_durable) {
			entry->has_fc = true;
			entry->fc_position = fc->position;
		}
	}
}

const struct replica_block_entry *replica_blocks_at(const struct replica *replica, uint64_t height)
{
	const struct replica_block_entry *entry =
		&replica->blocks.entry[height % replica->config.blocks_index_max];

	return height > 0 && entry->height == height ? entry : NULL;
}

const struct replica_block_entry *replica_blocks_by_id(const struct replica *replica,
						       const struct crypto_hash *id)
{
	uint64_t height = replica->delivery.height;

	for (uint32_t i = 0; i < REPLICA_PERSISTED_MIN && i < height; i++) {
		const struct replica_block_entry *entry = replica_blocks_at(replica, height - i);

		if (entry && crypto_hash_equal(&entry->id, id))
			return entry;
	}
	return NULL;
}

/* Height of a block that is kept anywhere; 0 if it is unknown. */
static uint64_t blocks_height(struct replica *replica, const struct crypto_hash *id)
{
	const struct hs_block *block = hs_core_block(replica->core, id);
	const struct replica_block_entry *entry;

	if (block)
		return block->header.height;
	for (uint32_t k = 0; k < replica->delivery.count; k++) {
		const struct replica_pending *pending =
			replica_delivery_at(replica, replica->delivery.height + 1 + k);

		if (crypto_hash_equal(&pending->id, id))
			return pending->height;
	}
	entry = replica_blocks_by_id(replica, id);
	return entry ? entry->height : 0;
}

void replica_blocks_proof(struct replica *replica, const struct hs_fc *fc)
{
	struct replica_blocks *blocks = &replica->blocks;
	struct wire_message *message = &replica->message_out;
	uint64_t height = blocks_height(replica, &fc->c.block_id);
	size_t room = 4096 + (size_t)replica->config.consensus.replica_count * 100;
	struct bytes_writer w;
	uint8_t *bytes;
	int count;

	if (height == 0)
		return;
	for (uint32_t i = 0; i < REPLICA_FCS_MAX; i++)
		if (blocks->fc[i].height == height)
			return;
	blocks->fc[blocks->fc_next] = (struct replica_fc_entry){ .height = height };
	blocks->fc_next = (blocks->fc_next + 1) % REPLICA_FCS_MAX;
	message->kind = WIRE_FC;
	message->epoch = replica->config.consensus.epoch;
	message->u.core.kind = HS_MESSAGE_FC;
	message->u.core.u.fc = *fc;
	bytes = replica_outbox_take(&replica->outbox, room);
	w = bytes_writer_of(bytes, room);
	bytes_put_u64(&w, height);
	count = wire_encode(message, w.at, room - 8);
	ensure(count > 0);
	replica_outbox_trim(&replica->outbox, room - 8 - (size_t)count);
	replica_persist(replica, BLOCKLOG_BLOCK, REPLICA_RECORD_FC, bytes, 8 + (uint32_t)count,
			replica_ticket(REPLICA_TICKET_FC, height));
}

void replica_blocks_proof_durable(struct replica *replica, uint64_t height, uint64_t position)
{
	struct replica_block_entry *entry =
		&replica->blocks.entry[height % replica->config.blocks_index_max];

	for (uint32_t i = 0; i < REPLICA_FCS_MAX; i++) {
		struct replica_fc_entry *fc = &replica->blocks.fc[i];

		if (fc->height == height) {
			fc->is_durable = true;
			fc->position = position;
		}
	}
	if (entry->height == height) {
		entry->has_fc = true;
		entry->fc_position = position;
	}
}
