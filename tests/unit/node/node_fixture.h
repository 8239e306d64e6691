/*
 * node_fixture: rings of their own, and a directory with all a small node needs: genesis,
 * keys, an empty store. Header only; test code; the heap and a temporary directory.
 */
#ifndef QUORATE_TESTS_UNIT_NODE_NODE_FIXTURE_H
#define QUORATE_TESTS_UNIT_NODE_NODE_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "crypto/crypto_secret.h"
#include "dataplane/dp_ring.h"
#include "node/node_config.h"
#include "tests/lib/wire_fixture.h"

static inline struct dp_ring *node_fixture_ring(void)
{
	size_t bytes = dp_ring_footprint(DP_RING_BYTES_MIN);
	void *memory = aligned_alloc(64, units_round_up(bytes, 64));
	struct dp_ring *ring = NULL;

	ensure(memory && dp_ring_init(memory, bytes, DP_RING_BYTES_MIN, &ring) == 0);
	return ring;
}

/* Takes what is in the ring; returns how many messages there were. */
static inline uint32_t node_fixture_drain(struct dp_ring *ring)
{
	const struct dp_ring_header *header;
	uint32_t count = 0;

	while (dp_ring_peek(ring, &header)) {
		dp_ring_release(ring);
		count++;
	}
	return count;
}

/* Pushes until nothing fits, not even an empty message; returns how many there are. */
static inline uint32_t node_fixture_fill(struct dp_ring *ring)
{
	static const uint8_t bytes[32 * 1024];
	const struct dp_ring_header header = { .kind = 0x7fff };
	uint32_t count = 0;

	for (uint32_t size = sizeof(bytes);; size /= 2) {
		while (dp_ring_push(ring, &header, bytes, size))
			count++;
		if (size == 0)
			return count;
	}
}

struct node_place {
	struct wire_world world;
	struct node_config config;
	char dir[64];
};

static inline void node_fixture_write(const char *path, const void *bytes, size_t count)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ensure(file >= 0 && write(file, bytes, count) == (ssize_t)count);
	close(file);
}

static inline int node_fixture_remove_one(const char *path, const struct stat *status, int kind,
					  struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

static inline void node_fixture_remove(const char *dir)
{
	nftw(dir, node_fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void node_fixture_dir(char ret_dir[64])
{
	snprintf(ret_dir, 64, "/tmp/quorate-node-XXXXXX");
	ensure(mkdtemp(ret_dir) != NULL);
}

/* Genesis and keys of member `id` of `count` in a new directory; no store yet. */
static inline void node_place_make(struct node_place *place, uint32_t count, uint32_t id)
{
	struct node_config *config = &place->config;
	uint8_t seed[CRYPTO_SEED_BYTES] = { 7, (uint8_t)id };

	memset(place, 0, sizeof(*place));
	wire_world_init(&place->world, count);
	node_fixture_dir(place->dir);
	config->id = id;
	snprintf(config->data_dir, sizeof(config->data_dir), "%s/data", place->dir);
	snprintf(config->run_dir, sizeof(config->run_dir), "%s/run", place->dir);
	snprintf(config->genesis, sizeof(config->genesis), "%s/genesis", place->dir);
	snprintf(config->signing_key, sizeof(config->signing_key), "%s/sign", place->dir);
	snprintf(config->session_key, sizeof(config->session_key), "%s/session", place->dir);
	node_fixture_write(config->genesis, place->world.genesis_bytes,
			   place->world.genesis_byte_count);
	ensure(crypto_secret_save(config->signing_key, seed) == 0);
	ensure(crypto_secret_save(config->session_key, seed) == 0);
}

static inline void node_place_remove(struct node_place *place)
{
	node_fixture_remove(place->dir);
}

#endif
