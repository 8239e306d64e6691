/* The newest safety record: of two copies in slots, by sequence, checksum and chain. */

#include "storage/blocklog_recover.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

enum slot_state { SLOT_EMPTY, SLOT_VALID, SLOT_TORN, SLOT_UNREADABLE }; /* in this order */

static enum slot_state slot_read(const struct blocklog_source *source,
				 const struct blocklog_key *key, uint64_t slot, uint32_t copy,
				 void *window, struct blocklog_head *ret_head)
{
	uint64_t offset = blocklog_safety_offset(slot, copy);
	struct blocklog_head head;
	int code = ERR_CORRUPT;

	for (uint32_t i = 0; i < BLOCKLOG_SAFETY_READS && code != 0; i++)
		code = source->read(source->context, BLOCKLOG_AREA_SAFETY, 0, offset, window,
				    BLOCKLOG_SAFETY_SLOT_BYTES);
	if (code != 0)
		return SLOT_UNREADABLE;
	if (blocklog_is_zero(window, BLOCKLOG_SAFETY_SLOT_BYTES))
		return SLOT_EMPTY;
	if (!blocklog_head_read(window, BLOCKLOG_SAFETY_SLOT_BYTES, &head) ||
	    head.log != BLOCKLOG_SAFETY || head.length < BLOCKLOG_SAFETY_PREFIX_BYTES ||
	    head.sequence % BLOCKLOG_SAFETY_SLOTS != slot ||
	    head.position != blocklog_safety_position(head.sequence) ||
	    !blocklog_record_is_whole(key, &head, window))
		return SLOT_TORN;
	*ret_head = head;
	return SLOT_VALID;
}

struct slots {
	enum slot_state state[BLOCKLOG_SAFETY_COPIES][BLOCKLOG_SAFETY_SLOTS];
	struct blocklog_head head[BLOCKLOG_SAFETY_COPIES][BLOCKLOG_SAFETY_SLOTS];
};

static bool slots_hold(const struct slots *slots, uint32_t copy, uint64_t sequence)
{
	uint64_t slot = sequence % BLOCKLOG_SAFETY_SLOTS;

	return slots->state[copy][slot] == SLOT_VALID &&
	       slots->head[copy][slot].sequence == sequence;
}

/* Every copy that is there of the newest record, and of the one before, agrees with `newest`. */
static bool slots_agree(const struct slots *slots, const struct blocklog_head *newest)
{
	uint64_t sequence = newest->sequence;

	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++) {
		uint64_t slot = sequence % BLOCKLOG_SAFETY_SLOTS;
		uint64_t before = (sequence - 1) % BLOCKLOG_SAFETY_SLOTS;

		if (slots_hold(slots, copy, sequence) &&
		    !blocklog_checksum_equal(&slots->head[copy][slot].checksum, &newest->checksum))
			return false;
		if (sequence > 0 && slots_hold(slots, copy, sequence - 1) &&
		    !blocklog_checksum_equal(&slots->head[copy][before].checksum,
					     &newest->previous))
			return false;
	}
	return true;
}

static uint64_t slots_torn_bytes(const struct slots *slots, uint64_t slot)
{
	uint64_t torn = 0;

	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++)
		if (slots->state[copy][slot] == SLOT_TORN)
			torn += BLOCKLOG_SAFETY_SLOT_BYTES;
	return torn;
}

static const struct blocklog_head *slots_newest(const struct slots *slots)
{
	const struct blocklog_head *newest = NULL;

	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++)
		for (uint64_t slot = 0; slot < BLOCKLOG_SAFETY_SLOTS; slot++)
			if (slots->state[copy][slot] == SLOT_VALID &&
			    (!newest || slots->head[copy][slot].sequence > newest->sequence))
				newest = &slots->head[copy][slot];
	return newest;
}

int blocklog_recover_safety(const struct blocklog_source *source, const struct blocklog_key *key,
			    void *window, uint8_t *ret_record,
			    struct blocklog_safety_found *ret_found)
{
	struct slots slots;
	const struct blocklog_head *newest;
	struct bytes_reader r;
	uint64_t next;
	bool is_read = false;

	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++)
		for (uint64_t slot = 0; slot < BLOCKLOG_SAFETY_SLOTS; slot++)
			slots.state[copy][slot] =
				slot_read(source, key, slot, copy, window, &slots.head[copy][slot]);
	newest = slots_newest(&slots);
	if (!newest || !slots_agree(&slots, newest))
		return ERR_NOT_FOUND;
	next = (newest->sequence + 1) % BLOCKLOG_SAFETY_SLOTS;
	if (slots.state[0][next] == SLOT_UNREADABLE && slots.state[1][next] == SLOT_UNREADABLE)
		return ERR_NOT_FOUND;

	*ret_found = (struct blocklog_safety_found){ .head = *newest };
	for (uint32_t copy = 0; copy < BLOCKLOG_SAFETY_COPIES; copy++) {
		struct blocklog_head head;

		ret_found->copy_is_bad[copy] = !slots_hold(&slots, copy, newest->sequence);
		ret_found->next_is_rubbish[copy] = slots.state[copy][next] >= SLOT_TORN;
		if (is_read || ret_found->copy_is_bad[copy])
			continue;
		is_read = slot_read(source, key, newest->sequence % BLOCKLOG_SAFETY_SLOTS, copy,
				    window, &head) == SLOT_VALID;
		if (is_read)
			memcpy(ret_record, window, BLOCKLOG_SAFETY_SLOT_BYTES);
	}
	if (!is_read)
		return ERR_NOT_FOUND;
	ret_found->torn_bytes = slots_torn_bytes(&slots, next);
	r = bytes_reader_of(ret_record + BLOCKLOG_HEAD_BYTES, BLOCKLOG_SAFETY_PREFIX_BYTES);
	ret_found->settled[BLOCKLOG_LANE] = bytes_get_u64(&r);
	ret_found->settled[BLOCKLOG_BLOCK] = bytes_get_u64(&r);
	return 0;
}
