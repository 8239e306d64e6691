#include <inttypes.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/prng.h"
#include "consensus/hs_types.h"
#include "tests/twins/twins.h"

enum { PLAIN_VIEWS = 4, PLAIN_SIDES = 16, PLAIN_TWINS = 4 };

static const uint8_t kinds_of[] = {
	TWINS_KINDS_ALL,
	1 << HS_MESSAGE_PROPOSE,
	1 << HS_MESSAGE_VOTE,
	1 << HS_MESSAGE_COMMIT,
	1 << HS_MESSAGE_TIMEOUT | 1 << HS_MESSAGE_TC,
	1 << HS_MESSAGE_VOTE | 1 << HS_MESSAGE_COMMIT,
	TWINS_KINDS_ALL ^ (1 << HS_MESSAGE_TIMEOUT | 1 << HS_MESSAGE_TC | 1 << HS_MESSAGE_QC),
};

uint64_t twins_space_size(enum twins_space space)
{
	uint64_t size = PLAIN_TWINS;

	if (space != TWINS_PLAIN)
		return 0;
	for (uint32_t v = 0; v < PLAIN_VIEWS; v++)
		size *= PLAIN_SIDES;
	return size;
}

const char *twins_space_name(enum twins_space space)
{
	static const char *name[] = { "plain", "filtered", "wide", "over" };

	ensure(space < TWINS_SPACE_COUNT);
	return name[space];
}

uint64_t twins_number_of(enum twins_space space, uint64_t seed, uint64_t i)
{
	uint64_t size = twins_space_size(space);

	/* An odd factor and a power of two: every number once. */
	return size == 0 ? i : (i * UINT64_C(0x9e3779b97f4a7c15) + seed) % size;
}

/* Process 0 is always on the first side: the other half would be the same cut again. */
static struct twins_scenario plain_of(uint64_t number)
{
	struct twins_scenario scenario = { .replica_count = 4, .view_count = PLAIN_VIEWS };

	scenario.twins = 1u << number % PLAIN_TWINS;
	number /= PLAIN_TWINS;
	for (uint32_t v = 0; v < PLAIN_VIEWS; v++) {
		scenario.cut[v].side = (uint16_t)(number % PLAIN_SIDES << 1);
		scenario.cut[v].kinds = TWINS_KINDS_ALL;
		number /= PLAIN_SIDES;
	}
	return scenario;
}

static uint32_t draw_twins(struct prng *prng, uint32_t replica_count, uint32_t twin_count)
{
	uint32_t twins = 0;

	while (twin_count > 0) {
		uint32_t bit = 1u << prng_below(prng, replica_count);

		if ((twins & bit) != 0)
			continue;
		twins |= bit;
		twin_count--;
	}
	return twins;
}

static struct twins_scenario draw(struct prng *prng, uint32_t n, uint32_t twin_count,
				  uint32_t view_count, bool has_filters)
{
	struct twins_scenario scenario = { .replica_count = n, .view_count = view_count };
	uint32_t process_count = n + twin_count;

	scenario.twins = draw_twins(prng, n, twin_count);
	for (uint32_t v = 0; v < view_count; v++) {
		struct twins_cut *cut = &scenario.cut[v];

		cut->side = (uint16_t)(prng_below(prng, UINT64_C(1) << (process_count - 1)) << 1);
		cut->kinds = TWINS_KINDS_ALL;
		if (!has_filters || prng_chance(prng, 300000))
			continue;
		cut->kinds = kinds_of[prng_below(prng, sizeof(kinds_of))];
		cut->direction = (enum twins_direction)prng_below(prng, 3);
	}
	return scenario;
}

struct twins_scenario twins_scenario_of(enum twins_space space, uint64_t seed, uint64_t number)
{
	struct prng prng;

	prng_seed(&prng, seed * UINT64_C(0x100000001b3) + number);
	switch (space) {
	case TWINS_PLAIN:
		return plain_of(number);
	case TWINS_WIDE:
		return draw(&prng, 7, 2, 6, true);
	case TWINS_OVER:
		return draw(&prng, 4, 2, 4, false);
	case TWINS_FILTERED:
	case TWINS_SPACE_COUNT:
		break;
	}
	return draw(&prng, 4, 1, 5, true);
}

void twins_describe(const struct twins_scenario *scenario, char *ret_text, size_t room)
{
	static const char *direction[] = { "both ways", "first to second only",
					   "second to first only" };
	size_t used = (size_t)snprintf(ret_text, room,
				       "n %" PRIu32 ", twins of members:", scenario->replica_count);

	for (uint32_t i = 0; i < scenario->replica_count && used < room; i++)
		if ((scenario->twins >> i & 1) != 0)
			used += (size_t)snprintf(ret_text + used, room - used, " %" PRIu32, i);
	for (uint32_t v = 0; v < scenario->view_count && used < room; v++) {
		const struct twins_cut *cut = &scenario->cut[v];

		used += (size_t)snprintf(ret_text + used, room - used,
					 "\nview %" PRIu32 ", leader %" PRIu32 ": second side ",
					 v + 1, (v + 1) % scenario->replica_count);
		for (uint32_t p = 0; p < TWINS_PROCESSES_MAX && used < room; p++)
			if ((cut->side >> p & 1) != 0)
				used += (size_t)snprintf(ret_text + used, room - used,
							 "%" PRIu32 " ", p);
		if (used < room)
			used += (size_t)snprintf(ret_text + used, room - used, "kinds 0x%02x %s",
						 cut->kinds, direction[cut->direction]);
	}
}
