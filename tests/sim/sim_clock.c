/* The virtual clock: a binary heap ordered by (time, number of the event). */

#include <stdlib.h>

#include "base/ensure.h"
#include "base/units.h"
#include "tests/sim/sim.h"

void sim_clock_fini(struct sim_clock *clock)
{
	free(clock->heap);
	clock->heap = NULL;
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

void sim_clock_add(struct sim_clock *clock, uint64_t after_ns, const struct sim_event *event)
{
	uint32_t at = clock->count++;

	if (clock->count > clock->room) {
		clock->room = clock->room ? 2 * clock->room : 1024;
		clock->heap = realloc(clock->heap, clock->room * sizeof(*clock->heap));
		ensure(clock->heap);
	}
	clock->heap[at] = *event;
	clock->heap[at].at_ns = units_add(clock->now_ns, after_ns);
	clock->heap[at].number = clock->next_number++;
	while (at > 0 && is_before(&clock->heap[at], &clock->heap[(at - 1) / 2])) {
		struct sim_event moved = clock->heap[at];

		clock->heap[at] = clock->heap[(at - 1) / 2];
		clock->heap[(at - 1) / 2] = moved;
		at = (at - 1) / 2;
	}
}

static void sink(struct sim_clock *clock, uint32_t at, const struct sim_event *event)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= clock->count)
			break;
		if (child + 1 < clock->count &&
		    is_before(&clock->heap[child + 1], &clock->heap[child]))
			child++;
		if (is_before(event, &clock->heap[child]))
			break;
		clock->heap[at] = clock->heap[child];
		at = child;
	}
	clock->heap[at] = *event;
}

void sim_clock_hasten(struct sim_clock *clock, uint32_t node)
{
	for (uint32_t i = 0; i < clock->count; i++)
		if (clock->heap[i].node == node && clock->heap[i].is_put_off)
			clock->heap[i].at_ns = clock->now_ns;
	for (uint32_t i = clock->count / 2; i > 0; i--) {
		struct sim_event event = clock->heap[i - 1];

		sink(clock, i - 1, &event);
	}
}

bool sim_clock_pop(struct sim_clock *clock, struct sim_event *ret_event)
{
	struct sim_event last;

	if (clock->count == 0)
		return false;
	*ret_event = clock->heap[0];
	last = clock->heap[--clock->count];
	if (clock->count > 0)
		sink(clock, 0, &last);
	ensure(ret_event->at_ns >= clock->now_ns);
	clock->now_ns = ret_event->at_ns;
	return true;
}
