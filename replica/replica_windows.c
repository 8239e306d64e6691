#include "replica/replica_windows.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"

enum {
	WINDOW_WORDS = REPLICA_WINDOW_BITS / 64,
	WINDOW_CLIENTS_MAX = 1 << 24,
	WINDOW_NONE = 0xffffffff,
};

struct window {
	struct crypto_public_key client;
	uint64_t base;
	uint64_t as_of_height;       /* of a loaded entry; 0 otherwise */
	uint64_t word[WINDOW_WORDS]; /* bit of seq: seq mod 4096; zero outside the window */
};

struct replica_windows {
	uint32_t clients_max;
	uint32_t count;
	uint32_t slot_mask;
	uint32_t *slot; /* index into `window`, or WINDOW_NONE */
	struct window *window;
};

static uint32_t window_slots(uint32_t clients_max)
{
	uint32_t slots = 2;

	while (slots < 2 * clients_max)
		slots *= 2;
	return slots;
}

size_t replica_windows_footprint(uint32_t clients_max)
{
	if (clients_max == 0 || clients_max > WINDOW_CLIENTS_MAX)
		return 0;
	return units_round_up(sizeof(struct replica_windows), 64) +
	       units_round_up(window_slots(clients_max) * sizeof(uint32_t), 64) +
	       clients_max * sizeof(struct window);
}

int replica_windows_init(void *memory, size_t memory_bytes, uint32_t clients_max,
			 struct replica_windows **ret_windows)
{
	size_t footprint = replica_windows_footprint(clients_max);
	struct replica_windows *windows = memory;
	uint8_t *at = memory;
	uint32_t slots;

	if (footprint == 0)
		return ERR_CONFIG;
	if (memory_bytes < footprint)
		return ERR_MEMORY;
	slots = window_slots(clients_max);
	at += units_round_up(sizeof(*windows), 64);
	*windows = (struct replica_windows){
		.clients_max = clients_max,
		.slot_mask = slots - 1,
		.slot = (uint32_t *)(void *)at,
	};
	memset(windows->slot, 0xff, slots * sizeof(uint32_t));
	at += units_round_up(slots * sizeof(uint32_t), 64);
	windows->window = (struct window *)(void *)at;
	*ret_windows = windows;
	return 0;
}

static uint32_t window_hash(const struct crypto_public_key *client)
{
	struct bytes_reader r = bytes_reader_of(client->b, sizeof(client->b));
	uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ bytes_get_u64(&r)) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return (uint32_t)(hash ^ hash >> 29);
}

/* The slot that holds the client, or the free one where it belongs. */
static uint32_t window_slot(const struct replica_windows *windows,
			    const struct crypto_public_key *client)
{
	uint32_t at = window_hash(client) & windows->slot_mask;

	while (windows->slot[at] != WINDOW_NONE &&
	       memcmp(&windows->window[windows->slot[at]].client, client, sizeof(*client)) != 0)
		at = (at + 1) & windows->slot_mask;
	return at;
}

static struct window *window_find(const struct replica_windows *windows,
				  const struct crypto_public_key *client)
{
	uint32_t index = windows->slot[window_slot(windows, client)];

	return index == WINDOW_NONE ? NULL : &windows->window[index];
}

static struct window *window_add(struct replica_windows *windows,
				 const struct crypto_public_key *client)
{
	struct window *window;

	if (windows->count == windows->clients_max)
		return NULL;
	windows->slot[window_slot(windows, client)] = windows->count;
	window = &windows->window[windows->count++];
	memset(window, 0, sizeof(*window));
	window->client = *client;
	window->base = REPLICA_SEQ_FIRST;
	return window;
}

static bool window_has(const struct window *window, uint64_t seq)
{
	return (window->word[seq / 64 % WINDOW_WORDS] >> seq % 64 & 1) != 0;
}

static enum replica_outcome window_judge(const struct window *window, uint64_t seq)
{
	uint64_t base = window ? window->base : REPLICA_SEQ_FIRST;

	if (seq < base)
		return REPLICA_OUTCOME_DUPLICATE;
	if (seq - base >= REPLICA_WINDOW_BITS)
		return REPLICA_OUTCOME_AHEAD;
	if (window && window_has(window, seq))
		return REPLICA_OUTCOME_DUPLICATE;
	return REPLICA_OUTCOME_ORDERED;
}

static void window_clear(struct window *window, uint64_t seq)
{
	window->word[seq / 64 % WINDOW_WORDS] &= ~(UINT64_C(1) << seq % 64);
}

static void window_advance(struct window *window)
{
	while (window_has(window, window->base)) {
		window_clear(window, window->base);
		window->base++;
	}
}

static void window_take(struct window *window, uint64_t seq)
{
	window->word[seq / 64 % WINDOW_WORDS] |= UINT64_C(1) << seq % 64;
	window_advance(window);
}

/* Gives up [first, end): as if taken one by one in rising order. */
static void window_skip(struct window *window, uint64_t first, uint64_t end)
{
	if (first <= window->base && end > window->base) {
		uint64_t last = units_min(end, window->base + REPLICA_WINDOW_BITS);

		for (uint64_t seq = window->base; seq < last; seq++)
			window_clear(window, seq);
		window->base = end;
		window_advance(window);
		return;
	}
	for (uint64_t seq = first; seq < end && seq > window->base; seq++) {
		if (window_judge(window, seq) == REPLICA_OUTCOME_AHEAD)
			break;
		window_take(window, seq);
	}
}

/* The verdict that holds for all of a frame, or ORDERED when its numbers decide. */
static enum replica_outcome frame_judge(const struct wire_frame *frame, uint64_t height)
{
	if (frame->expires < height)
		return REPLICA_OUTCOME_EXPIRED;
	if (frame->expires - height > REPLICA_EXPIRES_MAX)
		return REPLICA_OUTCOME_EXPIRES_FAR;
	if (frame->first_seq > UINT64_MAX - UINT16_MAX - REPLICA_WINDOW_BITS)
		return REPLICA_OUTCOME_AHEAD;
	return REPLICA_OUTCOME_ORDERED;
}

uint32_t replica_windows_judge(const struct replica_windows *windows,
			       const struct wire_frame *frame, uint64_t height,
			       uint8_t ret_outcome[WIRE_FRAME_TRANSACTIONS_MAX])
{
	const struct window *window = window_find(windows, &frame->client);
	enum replica_outcome whole = frame_judge(frame, height);
	uint32_t ordered = 0;

	if (frame->kind != WIRE_FRAME_TRANSACTIONS)
		return 0;
	ensure(frame->count <= WIRE_FRAME_TRANSACTIONS_MAX);
	if (whole == REPLICA_OUTCOME_ORDERED && !window && windows->count == windows->clients_max)
		whole = REPLICA_OUTCOME_CLIENTS_FULL;
	for (uint32_t i = 0; i < frame->count; i++) {
		enum replica_outcome outcome = whole;

		if (whole == REPLICA_OUTCOME_ORDERED)
			outcome = window_judge(window, frame->first_seq + i);
		ret_outcome[i] = (uint8_t)outcome;
		ordered += outcome == REPLICA_OUTCOME_ORDERED;
	}
	return ordered;
}

static void windows_apply_skip(struct replica_windows *windows, const struct wire_frame *frame)
{
	struct window *window = window_find(windows, &frame->client);
	uint64_t first = units_max(frame->first_seq, REPLICA_SEQ_FIRST);
	uint64_t end = frame->first_seq + frame->count;

	if (first >= end || window_judge(window, first) == REPLICA_OUTCOME_AHEAD)
		return;
	if (!window)
		window = window_add(windows, &frame->client);
	if (window)
		window_skip(window, first, end);
}

uint32_t replica_windows_apply(struct replica_windows *windows, const struct wire_frame *frame,
			       uint64_t height, uint8_t ret_outcome[WIRE_FRAME_TRANSACTIONS_MAX])
{
	struct window *window;
	uint32_t ordered = 0;

	if (frame->kind != WIRE_FRAME_TRANSACTIONS) {
		if (frame_judge(frame, height) == REPLICA_OUTCOME_ORDERED)
			windows_apply_skip(windows, frame);
		return 0;
	}
	if (frame->count == 0)
		return 0;
	if (replica_windows_judge(windows, frame, height, ret_outcome) == 0 &&
	    ret_outcome[frame->count - 1] != REPLICA_OUTCOME_AHEAD)
		return 0;
	window = window_find(windows, &frame->client);
	for (uint32_t i = 0; i < frame->count; i++) {
		uint64_t seq = frame->first_seq + i;

		if (ret_outcome[i] != REPLICA_OUTCOME_ORDERED &&
		    ret_outcome[i] != REPLICA_OUTCOME_AHEAD)
			continue;
		ret_outcome[i] = (uint8_t)(frame_judge(frame, height) == REPLICA_OUTCOME_AHEAD ?
						   REPLICA_OUTCOME_AHEAD :
						   window_judge(window, seq));
		if (ret_outcome[i] != REPLICA_OUTCOME_ORDERED)
			continue;
		if (!window)
			window = window_add(windows, &frame->client);
		window_take(window, seq);
		ordered++;
	}
	return ordered;
}

uint64_t replica_windows_base(const struct replica_windows *windows,
			      const struct crypto_public_key *client)
{
	const struct window *window = window_find(windows, client);

	return window ? window->base : REPLICA_SEQ_FIRST;
}

uint32_t replica_windows_count(const struct replica_windows *windows)
{
	return windows->count;
}

static void window_save(const struct window *window, uint64_t height, struct bytes_writer *w)
{
	uint8_t words = 0;

	for (uint32_t i = 0; i < WINDOW_WORDS; i++)
		words = (uint8_t)(words + (window->word[i] != 0));
	bytes_put(w, window->client.b, sizeof(window->client.b));
	bytes_put_u64(w, height);
	bytes_put_u64(w, window->base);
	bytes_put_u8(w, words);
	for (uint32_t i = 0; i < WINDOW_WORDS; i++) {
		if (window->word[i] == 0)
			continue;
		bytes_put_u8(w, (uint8_t)i);
		bytes_put_u64(w, window->word[i]);
	}
}

size_t replica_windows_save(const struct replica_windows *windows, uint64_t height, uint32_t *at,
			    void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, room);

	while (*at < windows->count && (size_t)(w.end - w.at) >= REPLICA_WINDOW_SAVED_BYTES_MAX)
		window_save(&windows->window[(*at)++], height, &w);
	return bytes_written(&w);
}

/* Every bit must belong to a number inside the window; base itself is never taken. */
static bool window_is_sound(const struct window *window)
{
	return window->base >= REPLICA_SEQ_FIRST && !window_has(window, window->base);
}

static int window_load(struct replica_windows *windows, struct bytes_reader *r)
{
	struct window loaded = { 0 };
	struct window *window;
	uint32_t words;

	bytes_get(r, loaded.client.b, sizeof(loaded.client.b));
	loaded.as_of_height = bytes_get_u64(r);
	loaded.base = bytes_get_u64(r);
	words = bytes_get_u8(r);
	for (uint32_t i = 0; i < words; i++) {
		uint32_t index = bytes_get_u8(r);

		if (index >= WINDOW_WORDS)
			return ERR_FORMAT;
		loaded.word[index] = bytes_get_u64(r);
	}
	if (r->failed || !window_is_sound(&loaded))
		return ERR_FORMAT;
	window = window_find(windows, &loaded.client);
	if (!window)
		window = window_add(windows, &loaded.client);
	if (!window)
		return ERR_FULL;
	if (window->as_of_height <= loaded.as_of_height)
		*window = loaded;
	return 0;
}

int replica_windows_load(struct replica_windows *windows, const void *bytes, size_t count)
{
	struct bytes_reader r = bytes_reader_of(bytes, count);

	while (bytes_left(&r) > 0) {
		int code = window_load(windows, &r);

		if (code < 0)
			return code;
	}
	return 0;
}

bool replica_windows_contains(const struct replica_windows *windows,
			      const struct crypto_public_key *client, uint64_t height)
{
	const struct window *window = window_find(windows, client);

	return window && window->as_of_height >= height;
}

uint64_t replica_windows_digest(const struct replica_windows *windows)
{
	uint64_t digest = windows->count;

	for (uint32_t i = 0; i < windows->count; i++) {
		const struct window *window = &windows->window[i];
		uint64_t hash = window_hash(&window->client) ^ window->base;

		for (uint32_t k = 0; k < WINDOW_WORDS; k++) {
			hash = (hash ^ window->word[k]) * UINT64_C(0xff51afd7ed558ccd);
			hash ^= hash >> 31;
		}
		digest += hash;
	}
	return digest;
}
