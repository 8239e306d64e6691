#include "tests/lib/hs_image.h"

#include <string.h>

#include "base/ensure.h"

struct image_head {
	uint32_t views;
	uint32_t root;
	uint32_t node_count;
	uint64_t step;
};

static size_t round_bytes(const struct hs_core *core, uint32_t views)
{
	return views *
	       (sizeof(struct hs_round) + core->quorum.replica_count * sizeof(struct hs_ballot));
}

static uint8_t *ballots(const struct hs_core *core, uint32_t view)
{
	return (uint8_t *)(uintptr_t)&core->quorum + core->quorum.ballots_offset +
	       (size_t)view * core->quorum.replica_count * sizeof(struct hs_ballot);
}

size_t hs_image_bytes_max(const struct hs_core *core, uint32_t views)
{
	return sizeof(struct image_head) + offsetof(struct hs_core, chain) +
	       HS_BLOCKS_MAX *
		       (sizeof(uint32_t) + sizeof(struct hs_node) + sizeof(struct hs_block)) +
	       offsetof(struct hs_quorum, round) + round_bytes(core, views);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
	return at + count;
}

static const uint8_t *get(const uint8_t *at, void *bytes, size_t count)
{
	memcpy(bytes, at, count);
	return at + count;
}

size_t hs_image_save(const struct hs_core *core, uint32_t views, uint8_t *ret_image)
{
	const struct hs_chain *chain = &core->chain;
	struct image_head head = { .views = views, .root = chain->root, .step = chain->step };
	uint8_t *at = ret_image + sizeof(head);

	ensure(views <= HS_ROUNDS_MAX && !core->effects);
	at = put(at, core, offsetof(struct hs_core, chain));
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++) {
		if (!chain->node[i].is_used)
			continue;
		head.node_count++;
		at = put(at, &i, sizeof(i));
		at = put(at, &chain->node[i], sizeof(chain->node[i]));
		at = put(at, &chain->block[i], sizeof(chain->block[i]));
	}
	at = put(at, &core->quorum, offsetof(struct hs_quorum, round));
	at = put(at, core->quorum.round, views * sizeof(struct hs_round));
	at = put(at, ballots(core, 0), (size_t)(ballots(core, views) - ballots(core, 0)));
	put(ret_image, &head, sizeof(head));
	return (size_t)(at - ret_image);
}

void hs_image_load(const uint8_t *image, struct hs_core *core)
{
	struct hs_chain *chain = &core->chain;
	struct image_head head;
	const uint8_t *at = get(image, &head, sizeof(head));
	uint32_t slot;

	at = get(at, core, offsetof(struct hs_core, chain));
	chain->step = head.step;
	chain->root = head.root;
	for (uint32_t i = 0; i < HS_BLOCKS_MAX; i++)
		chain->node[i].is_used = false;
	for (uint32_t i = 0; i < head.node_count; i++) {
		at = get(at, &slot, sizeof(slot));
		ensure(slot < HS_BLOCKS_MAX);
		at = get(at, &chain->node[slot], sizeof(chain->node[slot]));
		at = get(at, &chain->block[slot], sizeof(chain->block[slot]));
		memcpy(&chain->key[slot], chain->node[slot].id.b, sizeof(chain->key[slot]));
	}
	at = get(at, &core->quorum, offsetof(struct hs_quorum, round));
	at = get(at, core->quorum.round, head.views * sizeof(struct hs_round));
	get(at, ballots(core, 0), (size_t)(ballots(core, head.views) - ballots(core, 0)));
	core->effects = NULL;
	core->outbox_count = 0;
}

void hs_image_clear(struct hs_core *core, uint32_t first, uint32_t last)
{
	if (first >= last)
		return;
	ensure(last <= HS_ROUNDS_MAX);
	memset(&core->quorum.round[first], 0, (last - first) * sizeof(struct hs_round));
	memset(ballots(core, first), 0, (size_t)(ballots(core, last) - ballots(core, first)));
}
