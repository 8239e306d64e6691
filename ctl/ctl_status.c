#define _GNU_SOURCE
#include "ctl/ctl_status.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

enum {
	CTL_STATUS_WORDS = sizeof(struct ctl_status) / 8,
	CTL_STATUS_SPINS_MAX = 1000,
	CTL_STATUS_TRIES_MAX = CTL_STATUS_SPINS_MAX + 200,
	CTL_STATUS_PAUSE_NS = 1000000,
};

void ctl_status_publish(struct ctl_status_slot *slot, const struct ctl_status *status)
{
	const uint8_t *bytes = (const uint8_t *)status;
	uint64_t sequence = slot->sequence & ~UINT64_C(1);

	__atomic_store_n(&slot->sequence, sequence + 1, __ATOMIC_RELAXED);
	/* Pairs with the reader's acquire fence: a new word implies an odd or newer sequence. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 0; i < CTL_STATUS_WORDS; i++) {
		uint64_t word;

		memcpy(&word, bytes + 8 * i, sizeof(word));
		__atomic_store_n(&slot->word[i], word, __ATOMIC_RELAXED);
	}
	/* Pairs with the reader's first load: the even sequence comes after its words. */
	__atomic_store_n(&slot->sequence, sequence + 2, __ATOMIC_RELEASE);
}

static int ctl_status_try(const struct ctl_status_slot *slot, struct ctl_status *ret_status)
{
	uint8_t *bytes = (uint8_t *)ret_status;
	uint64_t before = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);

	if (before == 0)
		return ERR_NOT_FOUND;
	if (before & 1)
		return ERR_BUSY;
	for (size_t i = 0; i < CTL_STATUS_WORDS; i++) {
		uint64_t word = __atomic_load_n(&slot->word[i], __ATOMIC_RELAXED);

		memcpy(bytes + 8 * i, &word, sizeof(word));
	}
	/* Pairs with the publisher's release fence. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == before ? 0 : ERR_BUSY;
}

int ctl_status_read(const struct ctl_status_slot *slot, struct ctl_status *ret_status)
{
	const struct timespec pause = { .tv_nsec = CTL_STATUS_PAUSE_NS };
	struct ctl_status copy;
	int result = ERR_BUSY;

	for (int i = 0; i < CTL_STATUS_TRIES_MAX && result == ERR_BUSY; i++) {
		/* The writer lost its core in the middle: spinning on would keep it from it. */
		if (i >= CTL_STATUS_SPINS_MAX)
			nanosleep(&pause, NULL);
		result = ctl_status_try(slot, &copy);
	}
	if (result == 0)
		*ret_status = copy;
	return result;
}
