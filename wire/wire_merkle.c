#include "base/ensure.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_message.h"

/* Replaces `count` nodes by their parents; an odd last node rises unpaired. Returns the parents. */
static uint32_t merkle_rise(struct crypto_hash *nodes, uint32_t count)
{
	for (uint32_t i = 0; i + 1 < count; i += 2)
		nodes[i / 2] = crypto_hash_pair("QRmerkle", &nodes[i], &nodes[i + 1]);
	if (count % 2 != 0)
		nodes[count / 2] = nodes[count - 1];
	return (count + 1) / 2;
}

struct crypto_hash wire_merkle_root(const struct crypto_hash *leaves, uint32_t count,
				    struct crypto_hash *scratch)
{
	ensure(count > 0);
	for (uint32_t i = 0; i < count; i++)
		scratch[i] = leaves[i];
	while (count > 1)
		count = merkle_rise(scratch, count);
	return scratch[0];
}

uint32_t wire_merkle_path(const struct crypto_hash *leaves, uint32_t count, uint32_t index,
			  struct crypto_hash *scratch,
			  struct crypto_hash ret_path[LANE_REPAIR_PATH_MAX])
{
	uint32_t length = 0;

	ensure(index < count && count <= LANE_BATCH_FRAMES_MAX);
	for (uint32_t i = 0; i < count; i++)
		scratch[i] = leaves[i];
	for (; count > 1; index /= 2) {
		if ((index ^ 1) < count)
			ret_path[length++] = scratch[index ^ 1];
		count = merkle_rise(scratch, count);
	}
	return length;
}

uint32_t wire_merkle_path_count(uint32_t count, uint32_t index)
{
	uint32_t length = 0;

	for (; count > 1; index /= 2, count = (count + 1) / 2)
		length += (index ^ 1) < count ? 1 : 0;
	return length;
}

bool wire_merkle_verify(const struct crypto_hash *leaf, uint32_t index, uint32_t count,
			const struct crypto_hash *path, uint32_t path_count,
			const struct crypto_hash *root)
{
	struct crypto_hash node = *leaf;
	uint32_t used = 0;

	if (index >= count || count > LANE_BATCH_FRAMES_MAX)
		return false;
	for (; count > 1; index /= 2, count = (count + 1) / 2) {
		if ((index ^ 1) >= count)
			continue;
		if (used == path_count)
			return false;
		node = index % 2 != 0 ? crypto_hash_pair("QRmerkle", &path[used], &node) :
					crypto_hash_pair("QRmerkle", &node, &path[used]);
		used++;
	}
	return used == path_count && crypto_hash_equal(&node, root);
}
