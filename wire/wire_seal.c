#include "wire/wire_seal.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_put.h"

uint32_t wire_seal_depth(uint32_t count)
{
	uint32_t depth = 0;

	ensure(count > 0 && count <= WIRE_SEAL_FRAMES_MAX);
	while (UINT32_C(1) << depth < count)
		depth++;
	return depth;
}

struct crypto_hash wire_seal_leaf(const void *body, size_t body_bytes)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRFleaf1", 8);
	crypto_hasher_add(&hasher, body, body_bytes);
	return crypto_hasher_done(&hasher);
}

void wire_seal_tree_build(struct wire_seal_tree *tree, const struct crypto_hash *leaves,
			  uint32_t count)
{
	uint32_t width;

	tree->depth = wire_seal_depth(count);
	width = UINT32_C(1) << tree->depth;
	for (uint32_t i = 0; i < width; i++)
		tree->node[width + i] = i < count ? leaves[i] : (struct crypto_hash){ 0 };
	for (uint32_t i = width - 1; i > 0; i--)
		tree->node[i] =
			crypto_hash_pair("QRseal-n", &tree->node[2 * i], &tree->node[2 * i + 1]);
}

uint32_t wire_seal_write(const struct wire_seal_tree *tree, uint32_t index,
			 const struct crypto_signature *signature, uint8_t *ret_bytes)
{
	struct bytes_writer w = bytes_writer_of(
		ret_bytes, WIRE_SEAL_BYTES_MIN + (size_t)tree->depth * CRYPTO_HASH_BYTES);
	uint32_t node = (UINT32_C(1) << tree->depth) + index;

	ensure(index < UINT32_C(1) << tree->depth);
	bytes_put_u8(&w, (uint8_t)tree->depth);
	bytes_put_u8(&w, (uint8_t)index);
	for (; node > 1; node /= 2)
		wire_put_hash(&w, &tree->node[node ^ 1]);
	wire_put_signature(&w, signature);
	ensure(!w.failed);
	return (uint32_t)bytes_written(&w);
}
