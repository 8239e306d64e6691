/*
 * node_place: a directory with all a small node needs: genesis, keys, an empty store.
 *
 * What node_open() asks of the world is made for real, in a directory of its own below /tmp, so
 * that a test may take one thing away and see the one line that names it.
 * Header only; the includer defines _GNU_SOURCE. The test removes the directory.
 */
#ifndef QUORATE_TESTS_UNIT_NODE_NODE_PLACE_H
#define QUORATE_TESTS_UNIT_NODE_NODE_PLACE_H

#include <fcntl.h>
#include <unistd.h>

#include "crypto/crypto_secret.h"
#include "node/node_config.h"
#include "replica/replica.h"
#include "storage/blocklog_dev_file.h"
#include "storage/blocklog_store.h"
#include "tests/lib/wire_fixture.h"
#include "tests/unit/node/node_fixture.h"

struct node_place {
	struct wire_world world;
	char dir[64];
	char data_dir[128];
	char genesis[128];
	char text[4096]; /* of the configuration */
};

static inline size_t node_place_record_zero(const struct wire_world *world, uint8_t *ret_bytes,
					    size_t room)
{
	static struct hs_record record;
	int count;

	memset(&record, 0, sizeof(record));
	record.epoch = world->validators.epoch;
	record.high_qc.epoch = record.epoch;
	record.high_qc.block_id = world->genesis_id;
	record.committed_id = world->genesis_id;
	count = wire_encode_record(&record, ret_bytes, room);
	UNIT_REQUIRE(count > 0);
	return (size_t)count;
}

/* The limits of every store here; node_place_format() and node_place_append() must agree. */
static inline struct blocklog_config node_place_store(const struct wire_world *world, uint32_t id)
{
	return (struct blocklog_config){ .identity = { .chain_id = world->validators.chain_id,
						       .node_id = id },
					 .segment_bytes = 8 * UNITS_MIB,
					 .group_bytes_max = 2 * UNITS_MIB,
					 .segments_max = 64 };
}

/* Room for such a store; free() ends it. */
static inline void *node_place_memory(const struct blocklog_config *config, size_t *ret_bytes)
{
	void *memory;

	*ret_bytes = blocklog_store_footprint(config);
	memory = aligned_alloc(4096, units_round_up(*ret_bytes, 4096));
	UNIT_REQUIRE(*ret_bytes > 0 && memory);
	return memory;
}

/* An empty store of member `id` in `directory`. */
static inline void node_place_format(const struct wire_world *world, uint32_t id,
				     const char *directory)
{
	static uint8_t record[BLOCKLOG_SAFETY_BYTES_MAX];
	struct blocklog_dev_file_options options = { .directory = directory,
						     .make_directory = true,
						     .allow_buffered = true };
	struct blocklog_config config = node_place_store(world, id);
	char reason[BLOCKLOG_REASON_BYTES * 2];
	struct blocklog_dev *dev;
	size_t bytes;
	void *memory = node_place_memory(&config, &bytes);

	UNIT_REQUIRE(blocklog_dev_file_open(&options, &dev, reason, sizeof(reason)) == 0);
	UNIT_REQUIRE(blocklog_store_format(dev, &config, record,
					   node_place_record_zero(world, record, sizeof(record)),
					   memory, bytes) == 0);
	blocklog_dev_file_close(dev);
	free(memory);
}

/* Makes one record of the block log durable; returns where the log then ends. */
static inline uint64_t node_place_append(const struct wire_world *world, uint32_t id,
					 const char *directory, uint16_t kind, const void *record,
					 size_t count)
{
	struct blocklog_dev_file_options options = { .directory = directory,
						     .allow_buffered = true };
	struct blocklog_config config = node_place_store(world, id);
	char reason[BLOCKLOG_REASON_BYTES * 2];
	struct blocklog_store *store;
	struct blocklog_done done;
	struct blocklog_dev *dev;
	uint64_t position;
	size_t bytes;
	void *memory = node_place_memory(&config, &bytes);

	UNIT_REQUIRE(blocklog_dev_file_open(&options, &dev, reason, sizeof(reason)) == 0);
	UNIT_REQUIRE(blocklog_store_open(dev, &config, memory, bytes, &store) == 0);
	UNIT_REQUIRE(blocklog_store_append(store, BLOCKLOG_BLOCK, kind, record, count, 1,
					   &position) == 0);
	while (blocklog_store_turn(store, &done, 1) == 0)
		;
	UNIT_REQUIRE(done.code == 0);
	position = blocklog_store_durable_end(store, BLOCKLOG_BLOCK);
	blocklog_store_close(store);
	blocklog_dev_file_close(dev);
	free(memory);
	return position;
}

static inline void node_place_write(const char *path, const void *bytes, size_t count)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	UNIT_REQUIRE(file >= 0 && write(file, bytes, count) == (ssize_t)count);
	close(file);
}

/* A chain of one member, its keys and its configuration; no store yet. */
static inline void node_place_make(struct node_place *place)
{
	const uint8_t seed[CRYPTO_SEED_BYTES] = { 7 }; /* member 0 of every wire_world */
	char path[128];

	wire_world_init(&place->world, 1);
	fixture_directory(place->dir);
	snprintf(place->data_dir, sizeof(place->data_dir), "%s/data", place->dir);
	snprintf(place->genesis, sizeof(place->genesis), "%s/genesis", place->dir);
	node_place_write(place->genesis, place->world.genesis_bytes,
			 place->world.genesis_byte_count);
	snprintf(path, sizeof(path), "%s/sign", place->dir);
	UNIT_REQUIRE(crypto_secret_save(path, seed) == 0);
	snprintf(path, sizeof(path), "%s/session", place->dir);
	UNIT_REQUIRE(crypto_secret_save(path, seed) == 0);
	snprintf(place->text, sizeof(place->text),
		 "[node]\nid = 0\ndata_dir = %s/data\nrun_dir = %s/run\ngenesis = %s/genesis\n"
		 "signing_key = %s/sign\nsession_key = %s/session\n"
		 "[store]\nsegment_mib = 8\nallow_buffered = yes\n"
		 "[ingress]\nsocket = %s/ingress\n"
		 "[port c]\nkind = memif\nrole = client\nsocket = @quorate-unit-%d\n"
		 "memif_role = server\naddress = 10.9.0.1/24\n",
		 place->dir, place->dir, place->dir, place->dir, place->dir, place->dir,
		 (int)getpid());
}

static inline void node_place_config(const struct node_place *place, struct node_config *ret_config)
{
	char reason[NODE_REASON_MAX] = "";
	int code = node_config_parse(place->text, strlen(place->text), "unit", ret_config, reason);

	if (code < 0)
		printf("    %s\n", reason);
	UNIT_REQUIRE(code == 0);
}

#endif
