#include <stdlib.h>
#include <string.h>

#include "base/bitset.h"
#include "base/err.h"
#include "base/units.h"
#include "client/qr_key.h"
#include "wire/wire_client.h"

enum {
	CLIENT_EXPIRES_HEIGHTS = 100000,
	CLIENT_RESEND_MS = 250,
	CLIENT_MAP_WORDS = 4,
};

/* One frame that is not wholly settled. Slots lie in a ring, in rising order of numbers. */
struct slot {
	struct qr_frame frame;
	uint64_t due_ns;
	uint32_t attempts;
	uint64_t settled[CLIENT_MAP_WORDS];
	uint32_t settled_count;
	/* By node, its last word (count 0: none yet). A new one takes back the old. */
	struct wire_client_receipt *word;
	struct bitset refused_by;
};

struct qr_client {
	struct qr_client_config config;
	struct crypto_public_key public_key;
	struct bitset up;
	struct bitset subscribed;
	uint64_t next_seq;
	uint64_t height;
	uint32_t outstanding;

	struct slot *slot; /* `config.window` of them: a frame has at least one number */
	uint32_t slot_head;
	uint32_t slot_count;
	uint32_t fresh;    /* slots never sent are those from head + fresh on */
	uint64_t sweep_ns; /* no older slot is due before */
	struct wire_client_receipt *word_pool;

	struct qr_event *event;
	uint32_t event_max;
	uint32_t event_head;
	uint32_t event_count;
	struct qr_frame sealed[QR_SEAL_FRAMES_MAX];
};

static struct slot *slot_at(const struct qr_client *client, uint32_t index)
{
	return &client->slot[(client->slot_head + index) % client->config.window];
}

static bool config_complete(struct qr_client_config *config)
{
	if (!config->key || config->node_count == 0 || config->node_count > QR_NODES_MAX ||
	    config->receipts_needed == 0 || config->receipts_needed > config->node_count ||
	    config->window > QR_WINDOW)
		return false;
	if (config->next_seq == 0)
		config->next_seq = QR_SEQ_FIRST;
	if (config->expires_heights == 0)
		config->expires_heights = CLIENT_EXPIRES_HEIGHTS;
	if (config->resend_ns == 0)
		config->resend_ns = CLIENT_RESEND_MS * UNITS_NS_PER_MS;
	if (config->window == 0)
		config->window = QR_WINDOW;
	return true;
}

int qr_client_open(const struct qr_client_config *config, struct qr_client **ret_client)
{
	struct qr_client *client = calloc(1, sizeof(*client));

	if (!client)
		return ERR_MEMORY;
	client->config = *config;
	if (!config_complete(&client->config)) {
		free(client);
		return ERR_CONFIG;
	}
	client->public_key = config->key->signing.public_key;
	client->next_seq = client->config.next_seq;
	client->height = client->config.height;
	client->event_max = 2 * client->config.window;
	client->sweep_ns = UINT64_MAX;
	client->slot = calloc(client->config.window, sizeof(*client->slot));
	client->word_pool = calloc((size_t)client->config.window * config->node_count,
				   sizeof(*client->word_pool));
	client->event = calloc(client->event_max, sizeof(*client->event));
	if (!client->slot || !client->word_pool || !client->event) {
		qr_client_close(client);
		return ERR_MEMORY;
	}
	for (uint32_t i = 0; i < client->config.window; i++)
		client->slot[i].word = client->word_pool + (size_t)i * config->node_count;
	*ret_client = client;
	return 0;
}

void qr_client_close(struct qr_client *client)
{
	if (!client)
		return;
	free(client->slot);
	free(client->word_pool);
	free(client->event);
	free(client);
}

void qr_client_node(struct qr_client *client, uint32_t node, bool is_up)
{
	if (node >= client->config.node_count)
		return;
	if (is_up)
		bitset_add(&client->up, node);
	else
		bitset_remove(&client->up, node);
	bitset_remove(&client->subscribed, node);
}

/* Numbers that may be taken now: by the window, and by the room for their events. */
static uint32_t client_room(const struct qr_client *client)
{
	uint64_t oldest = client->slot_count > 0 ? slot_at(client, 0)->frame.first_seq :
						   client->next_seq;
	uint64_t by_window = client->config.window - (client->next_seq - oldest);
	uint64_t by_events = client->event_max - client->event_count - client->outstanding;

	return (uint32_t)units_min(by_window, by_events);
}

static void client_keep(struct qr_client *client, const struct qr_frame *frame)
{
	struct slot *slot = slot_at(client, client->slot_count++);
	struct wire_client_receipt *word = slot->word;

	memset(word, 0, client->config.node_count * sizeof(*word));
	*slot = (struct slot){ .frame = *frame, .word = word };
	client->outstanding += frame->count;
}

int qr_client_submit(struct qr_client *client, const struct qr_payload *payloads, uint32_t count,
		     uint64_t *ret_first_seq)
{
	uint32_t room = client_room(client);
	uint32_t wanted = count < room ? count : room;
	uint64_t first_seq = client->next_seq;
	uint32_t taken = 0;

	if (count > 0 && room == 0)
		return ERR_AHEAD;
	while (taken < wanted) {
		struct qr_frames_spec spec = {
			.key = client->config.key,
			.chain_id = client->config.chain_id,
			.first_seq = client->next_seq,
			.expires = client->height + client->config.expires_heights,
			.payloads = payloads + taken,
			.payload_count = wanted - taken,
			.frames_max = QR_SEAL_FRAMES_MAX,
		};
		uint32_t step = 0;
		int frames = qr_frames_seal(&spec, client->sealed, &step);

		if (frames < 0 && taken == 0)
			return frames;
		if (frames < 0)
			break;
		for (int i = 0; i < frames; i++)
			client_keep(client, &client->sealed[i]);
		client->next_seq += step;
		taken += step;
	}
	*ret_first_seq = first_seq;
	return (int)taken;
}

/* A node to send to: the `attempt`-th that is up, counted from where this frame belongs. */
static uint32_t client_choose(const struct qr_client *client, const struct slot *slot)
{
	uint32_t up = bitset_count(&client->up);
	uint32_t step =
		(uint32_t)((slot->frame.first_seq / QR_FRAME_TRANSACTIONS_MAX + slot->attempts) %
			   up);

	for (uint32_t node = 0; node < client->config.node_count; node++)
		if (bitset_has(&client->up, node) && step-- == 0)
			return node;
	return 0;
}

static int client_say(const struct wire_client_message *message, uint8_t *ret_bytes)
{
	return wire_client_encode(message, ret_bytes, QR_MESSAGE_BYTES_MAX);
}

static int client_send(struct qr_client *client, struct slot *slot, uint64_t now_ns,
		       uint32_t *ret_node, uint8_t *ret_bytes)
{
	struct wire_client_message message = {
		.kind = WIRE_CLIENT_SUBMIT,
		.u.submit = { .frame = slot->frame.bytes, .frame_bytes = slot->frame.byte_count },
	};

	*ret_node = client_choose(client, slot);
	slot->attempts++;
	slot->due_ns = now_ns + client->config.resend_ns * units_min(slot->attempts, 8);
	client->sweep_ns = units_min(client->sweep_ns, slot->due_ns);
	return client_say(&message, ret_bytes);
}

/* The first slot sent before that is due again; notes when the next one will be. */
static struct slot *client_overdue(struct qr_client *client, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	if (now_ns < client->sweep_ns)
		return NULL;
	for (uint32_t i = 0; i < client->fresh; i++) {
		struct slot *slot = slot_at(client, i);

		if (slot->settled_count == slot->frame.count)
			continue;
		if (slot->due_ns <= now_ns)
			return slot;
		next_ns = units_min(next_ns, slot->due_ns);
	}
	client->sweep_ns = next_ns;
	return NULL;
}

int qr_client_output(struct qr_client *client, uint64_t now_ns, uint32_t *ret_node,
		     uint8_t ret_bytes[QR_MESSAGE_BYTES_MAX])
{
	struct wire_client_message subscribe = { .kind = WIRE_CLIENT_SUBSCRIBE,
						 .u.subscribe = client->public_key };
	struct slot *slot;

	for (uint32_t node = 0; node < client->config.node_count; node++)
		if (bitset_has(&client->up, node) && !bitset_has(&client->subscribed, node)) {
			bitset_add(&client->subscribed, node);
			*ret_node = node;
			return client_say(&subscribe, ret_bytes);
		}
	if (bitset_count(&client->up) == 0)
		return 0;
	slot = client_overdue(client, now_ns);
	if (slot)
		return client_send(client, slot, now_ns, ret_node, ret_bytes);
	if (client->fresh < client->slot_count)
		return client_send(client, slot_at(client, client->fresh++), now_ns, ret_node,
				   ret_bytes);
	return 0;
}

uint64_t qr_client_deadline_ns(const struct qr_client *client)
{
	struct bitset waiting = client->up;

	if (bitset_count(&client->up) == 0)
		return UINT64_MAX;
	for (uint32_t i = 0; i < 2; i++)
		waiting.word[i] &= ~client->subscribed.word[i];
	if (bitset_count(&waiting) > 0 || client->fresh < client->slot_count)
		return 0;
	return client->sweep_ns;
}

static bool slot_is_settled(const struct slot *slot, uint32_t index)
{
	return (slot->settled[index / 64] >> (index % 64) & 1) != 0;
}

/* Reports the numbers of `event` that are not settled yet, run by run, and frees what is done. */
static void slot_settle(struct qr_client *client, struct slot *slot, const struct qr_event *event)
{
	uint32_t base = (uint32_t)(event->first_seq - slot->frame.first_seq);
	struct qr_event run = *event;
	uint32_t ordered = 0; /* before this number */

	run.count = 0;
	for (uint32_t i = 0; i <= event->count; i++) {
		bool is_end = i == event->count || slot_is_settled(slot, base + i);
		bool is_ordered = !is_end && (event->ordered[i / 64] >> (i % 64) & 1) != 0;

		if (is_end && run.count > 0) {
			client->event[(client->event_head + client->event_count++) %
				      client->event_max] = run;
			run.count = 0;
		}
		if (!is_end && run.count == 0) {
			run.first_seq = event->first_seq + i;
			run.first_index = event->first_index + ordered;
			memset(run.ordered, 0, sizeof(run.ordered));
		}
		if (!is_end) {
			run.ordered[run.count / 64] |= (uint64_t)is_ordered << (run.count % 64);
			run.count++;
			slot->settled[(base + i) / 64] |= UINT64_C(1) << ((base + i) % 64);
			slot->settled_count++;
			client->outstanding--;
		}
		if (i < event->count)
			ordered += (uint32_t)(event->ordered[i / 64] >> (i % 64) & 1);
	}
	while (client->slot_count > 0 &&
	       slot_at(client, 0)->settled_count == slot_at(client, 0)->frame.count) {
		client->slot_head = (client->slot_head + 1) % client->config.window;
		client->slot_count--;
		client->fresh -= client->fresh > 0 ? 1 : 0;
	}
}

/* The slot that holds `seq`, or NULL. */
static struct slot *client_find(const struct qr_client *client, uint64_t seq)
{
	uint32_t low = 0;
	uint32_t high = client->slot_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct slot *slot = slot_at(client, middle);

		if (seq < slot->frame.first_seq)
			high = middle;
		else if (seq - slot->frame.first_seq >= slot->frame.count)
			low = middle + 1;
		else
			return slot;
	}
	return NULL;
}

static bool receipts_are_equal(const struct wire_client_receipt *a,
			       const struct wire_client_receipt *b)
{
	return a->first_seq == b->first_seq && a->count == b->count && a->height == b->height &&
	       a->first_index == b->first_index &&
	       memcmp(&a->block_id, &b->block_id, sizeof(a->block_id)) == 0 &&
	       memcmp(a->ordered_map, b->ordered_map, sizeof(a->ordered_map)) == 0;
}

/* Takes a node's word; returns how many nodes now say the same. */
static uint32_t slot_hear(const struct qr_client *client, struct slot *slot, uint32_t node,
			  const struct wire_client_receipt *receipt)
{
	uint32_t equal = 0;

	slot->word[node] = *receipt;
	for (uint32_t i = 0; i < client->config.node_count; i++)
		equal += receipts_are_equal(&slot->word[i], receipt) ? 1 : 0;
	return equal;
}

static bool slot_wants(const struct slot *slot, const struct wire_client_receipt *receipt)
{
	uint64_t base = receipt->first_seq - slot->frame.first_seq;

	if (receipt->count > slot->frame.count || base > slot->frame.count - receipt->count)
		return false;
	for (uint32_t i = 0; i < receipt->count; i++)
		if (!slot_is_settled(slot, (uint32_t)base + i))
			return true;
	return false;
}

static void client_on_receipt(struct qr_client *client, uint32_t node,
			      const struct wire_client_receipt *receipt)
{
	struct slot *slot = client_find(client, receipt->first_seq);
	struct qr_event event = { .kind = QR_EVENT_FINAL };

	if (!slot || !slot_wants(slot, receipt) ||
	    slot_hear(client, slot, node, receipt) < client->config.receipts_needed)
		return;
	event.first_seq = receipt->first_seq;
	event.count = receipt->count;
	memcpy(event.ordered, receipt->ordered_map, sizeof(event.ordered));
	event.height = receipt->height;
	event.first_index = receipt->first_index;
	memcpy(event.block_id, receipt->block_id.b, sizeof(event.block_id));
	client->height = units_max(client->height, receipt->height);
	slot_settle(client, slot, &event);
}

/* Is it worth sending the same frame again, perhaps to another node? */
static bool reason_passes(int32_t reason)
{
	return reason == ERR_AHEAD || reason == ERR_FULL || reason == ERR_BUSY ||
	       reason == ERR_DUPLICATE || reason == ERR_TIMEOUT;
}

static void client_on_refusal(struct qr_client *client, uint32_t node,
			      const struct wire_client_refusal *refusal, uint64_t now_ns)
{
	struct slot *slot = client_find(client, refusal->first_seq);
	struct qr_event event = { .kind = QR_EVENT_REFUSED };

	if (!slot)
		return;
	if (reason_passes(refusal->reason)) {
		slot->due_ns = now_ns + client->config.resend_ns;
		client->sweep_ns = units_min(client->sweep_ns, slot->due_ns);
		return;
	}
	bitset_add(&slot->refused_by, node);
	slot->due_ns = now_ns;
	client->sweep_ns = units_min(client->sweep_ns, now_ns);
	if (bitset_count(&slot->refused_by) < client->config.receipts_needed)
		return;
	event.first_seq = slot->frame.first_seq;
	event.count = slot->frame.count;
	event.reason = refusal->reason;
	event.limit = refusal->limit;
	slot_settle(client, slot, &event);
}

int qr_client_input(struct qr_client *client, uint32_t node, const void *bytes, size_t count,
		    uint64_t now_ns)
{
	struct wire_client_message message;
	const struct crypto_public_key *key;

	if (node >= client->config.node_count || wire_client_decode(bytes, count, &message) != 0)
		return 0;
	if (message.kind == WIRE_CLIENT_RECEIPT)
		key = &message.u.receipt.client;
	else if (message.kind == WIRE_CLIENT_REFUSAL)
		key = &message.u.refusal.client;
	else
		return 0;
	if (memcmp(key, &client->public_key, sizeof(*key)) != 0)
		return 0;
	if (message.kind == WIRE_CLIENT_RECEIPT)
		client_on_receipt(client, node, &message.u.receipt);
	else
		client_on_refusal(client, node, &message.u.refusal, now_ns);
	return 1;
}

int qr_client_event(struct qr_client *client, struct qr_event *ret_event)
{
	if (client->event_count == 0)
		return 0;
	*ret_event = client->event[client->event_head];
	client->event_head = (client->event_head + 1) % client->event_max;
	client->event_count--;
	return 1;
}

bool qr_client_has_event(const struct qr_client *client)
{
	return client->event_count > 0;
}

uint32_t qr_client_outstanding(const struct qr_client *client)
{
	return client->outstanding;
}

uint64_t qr_client_next_seq(const struct qr_client *client)
{
	return client->next_seq;
}
