/*
 * node_fixture: rings, a metrics page and a directory for the tests of node. Header only.
 */
#ifndef QUORATE_TESTS_UNIT_NODE_NODE_FIXTURE_H
#define QUORATE_TESTS_UNIT_NODE_NODE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "ctl/ctl_metrics.h"
#include "dataplane/dp_ring.h"
#include "dataplane/dp_tile.h"
#include "tests/lib/unit_main.h"

/* The smallest ring; free() ends it. */
static inline struct dp_ring *fixture_ring(void)
{
	size_t bytes = dp_ring_footprint(DP_RING_BYTES_MIN);
	void *memory = aligned_alloc(64, units_round_up(bytes, 64));
	struct dp_ring *ring = NULL;

	UNIT_REQUIRE(memory && dp_ring_init(memory, bytes, DP_RING_BYTES_MIN, &ring) == 0);
	return ring;
}

/* Messages waiting; takes them out. */
static inline uint32_t fixture_ring_drain(struct dp_ring *ring)
{
	const struct dp_ring_header *header;
	uint32_t count = 0;

	for (; dp_ring_peek(ring, &header); count++)
		dp_ring_release(ring);
	return count;
}

/* Fills a ring until not even an empty message finds room. */
static inline void fixture_ring_fill(struct dp_ring *ring)
{
	static const uint8_t zeros[1024];
	const struct dp_ring_header header = { .kind = 1 };

	while (dp_ring_push(ring, &header, zeros, sizeof(zeros)))
		continue;
	while (dp_ring_push(ring, &header, NULL, 0))
		continue;
}

/* An empty metrics page; the heap's. */
static inline struct ctl_page *fixture_page(void)
{
	struct ctl_page *page = aligned_alloc(64, units_round_up(sizeof(*page), 64));

	UNIT_REQUIRE(page != NULL);
	memset(page, 0, sizeof(*page));
	ctl_metrics_init(page, 1, 1, 1, 1);
	return page;
}

/* A family with that many labels "l0", "l1", ... */
static inline struct ctl_family *fixture_family(struct ctl_page *page,
						const struct ctl_block *block, uint32_t count)
{
	static char text[CTL_FAMILY_LABELS_MAX][8];
	static const char *labels[CTL_FAMILY_LABELS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(text[i], sizeof(text[i]), "l%u", i);
		labels[i] = text[i];
	}
	return ctl_family_register(page, block,
				   &(struct ctl_family_config){ .name = "drops",
								.label_key = "reason",
								.help = "h",
								.kind = CTL_KIND_COUNTER,
								.labels = labels,
								.label_count = count });
}

/* The tile in memory of its own, set up; free() ends it if it has no fini. */
static inline void *fixture_tile(const struct dp_tile *tile, const void *setup)
{
	size_t bytes = tile->footprint(setup);
	void *memory = bytes ? aligned_alloc(64, units_round_up(bytes, 64)) : NULL;

	UNIT_REQUIRE(memory && tile->setup(memory, setup) == 0);
	return memory;
}

/* A new directory below /tmp. */
static inline void fixture_directory(char ret_path[64])
{
	snprintf(ret_path, 64, "/tmp/quorate-unit-XXXXXX");
	UNIT_REQUIRE(mkdtemp(ret_path) != NULL);
}

static inline void fixture_directory_end(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", path);
	UNIT_CHECK(system(command) == 0);
}

#endif
