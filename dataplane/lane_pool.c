#include "dataplane/lane_pool.h"

void lane_pool_init(struct lane_set *set, uint8_t *region, struct lane_place *places,
		    struct crypto_hash *hashes)
{
	uint32_t frames_max = set->config.batch_frames_max;
	size_t stride = lane_batch_buffer_bytes(set->config.batch_bytes_max, frames_max);

	for (uint32_t i = 0; i < set->buffer_count; i++) {
		struct lane_buffer *buffer = &set->buffers[i];

		*buffer = (struct lane_buffer){ .generation = 1 };
		lane_batch_init(&buffer->batch, region + stride * i,
				places + (size_t)frames_max * i, hashes + (size_t)frames_max * i,
				set->config.batch_bytes_max, frames_max);
		set->free_buffers[i] = set->buffer_count - 1 - i;
	}
	set->free_count = set->buffer_count;
}

uint32_t lane_pool_take(struct lane_set *set, uint32_t lane, uint64_t seq)
{
	struct lane *of = &set->lanes[lane];
	bool is_spare = of->buffers_used >= set->config.window_batches;

	if (is_spare && set->spare_used >= set->config.spare_buffers)
		return LANE_NONE;
	ensure(set->free_count > 0);

	uint32_t index = set->free_buffers[--set->free_count];
	struct lane_buffer *buffer = &set->buffers[index];

	ensure(!buffer->is_used && !buffer->is_with_disk);
	buffer->is_used = true;
	buffer->is_doomed = false;
	buffer->lane = lane;
	buffer->seq = seq;
	lane_batch_clear(&buffer->batch);
	of->buffers_used++;
	set->buffers_used++;
	set->spare_used += is_spare ? 1 : 0;
	return index;
}

static void lane_pool_free(struct lane_set *set, uint32_t index)
{
	struct lane_buffer *buffer = &set->buffers[index];
	struct lane *of = &set->lanes[buffer->lane];

	ensure(buffer->is_used && of->buffers_used > 0);
	buffer->is_used = false;
	buffer->is_doomed = false;
	buffer->generation = (buffer->generation + 1) & ((1U << LANE_TICKET_SHIFT) - 1);
	set->spare_used -= of->buffers_used > set->config.window_batches ? 1 : 0;
	of->buffers_used--;
	set->buffers_used--;
	set->free_buffers[set->free_count++] = index;
}

void lane_pool_give_back(struct lane_set *set, uint32_t index)
{
	if (index == LANE_NONE)
		return;
	if (set->buffers[index].is_with_disk)
		set->buffers[index].is_doomed = true;
	else
		lane_pool_free(set, index);
}

uint64_t lane_pool_ticket(const struct lane_set *set, uint32_t buffer)
{
	return (uint64_t)set->buffers[buffer].generation << LANE_TICKET_SHIFT | buffer;
}

uint32_t lane_pool_of_ticket(const struct lane_set *set, uint64_t ticket)
{
	uint32_t index = (uint32_t)(ticket & ((UINT64_C(1) << LANE_TICKET_SHIFT) - 1));

	if (index >= set->buffer_count || !set->buffers[index].is_with_disk ||
	    set->buffers[index].generation != ticket >> LANE_TICKET_SHIFT)
		return LANE_NONE;
	return index;
}

bool lane_pool_on_persisted(struct lane_set *set, uint32_t index)
{
	struct lane_buffer *buffer = &set->buffers[index];

	ensure(buffer->is_with_disk);
	buffer->is_with_disk = false;
	if (!buffer->is_doomed)
		return true;
	lane_pool_free(set, index);
	return false;
}
