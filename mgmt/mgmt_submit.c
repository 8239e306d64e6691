#define _GNU_SOURCE
#include "mgmt/mgmt_submit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "mgmt/mgmt_data.h"
#include "mgmt/mgmt_member.h"
#include "mgmt/mgmt_numbers.h"
#include "mgmt/mgmt_payloads.h"
#include "mgmt/mgmt_process.h"

enum {
	MGMT_LINES_SHOWN_MAX = 10, /* results shown one by one to people */
	MGMT_SETTLE_MS = 2000,     /* patience for what an earlier command left on its way */
	MGMT_SETTLE_STEP_MS = 20,
	MGMT_RUN_MS = 100,
	MGMT_TIMEOUT_S_MAX = 86400,
};

/* One command. A pass sends `list` under contiguous numbers from `first_seq` on. */
struct mgmt_submit {
	const struct mgmt_cli *cli;
	struct qr_link *link;
	struct qr_client *client;
	struct mgmt_numbers numbers;
	uint8_t key[QR_KEY_BYTES];
	uint64_t used_before; /* numbers below may hold payloads of an earlier command */
	uint64_t timeout_ms;
	uint64_t progress_ms;
	bool waits;
	bool shows_each;

	struct qr_payload *list;
	uint32_t count;
	uint64_t first_seq;
	uint32_t taken;
	bool *ordered;
	uint32_t settled_count; /* events for so many */
	uint32_t final_count;   /* of the whole command */
	uint64_t height;        /* of the newest final one */

	int refused; /* first reason, 0: none */
	uint64_t limit;
	bool is_unordered; /* some number expired or was given up */
};

static enum mgmt_exit mgmt_submit_keep(struct mgmt_submit *submit)
{
	int result = mgmt_numbers_save(&submit->numbers);

	if (result == 0)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(submit->cli, MGMT_EXIT_FAILED, "check permission and free space",
			     "%s: %s", submit->numbers.path, err_text(result));
}

/* Asks the order for number `seq`. Returns 0, QR_ERROR_NOT_FOUND, or a failure. */
static int mgmt_submit_get(struct mgmt_submit *submit, uint64_t seq, struct qr_record *ret_record)
{
	struct qr_name name = { .seq = seq };

	memcpy(name.client, submit->key, sizeof(name.client));
	return qr_get(submit->link, &name, MGMT_TIMEOUT_S_DEFAULT * UNITS_NS_PER_S, ret_record);
}

/*
 * Moves `settled` over every number that is in the order: those an earlier command left open, and
 * those the key was used for without its numbers file.
 */
static enum mgmt_exit mgmt_submit_settle(struct mgmt_submit *submit)
{
	static struct qr_record record;
	struct mgmt_numbers *numbers = &submit->numbers;
	uint64_t deadline_ms = mgmt_now_ms() + MGMT_SETTLE_MS;

	for (;;) {
		int result = mgmt_submit_get(submit, numbers->settled, &record);

		if (result == 0)
			numbers->settled++;
		else if (result != QR_ERROR_NOT_FOUND)
			return mgmt_data_fail(submit->cli, result);
		else if (numbers->settled >= numbers->next || mgmt_now_ms() > deadline_ms)
			break;
		else
			mgmt_pause_ms(MGMT_SETTLE_STEP_MS);
	}
	numbers->next = units_max(numbers->next, numbers->settled);
	submit->used_before = numbers->next;
	return MGMT_EXIT_OK;
}

static void mgmt_submit_show(const struct mgmt_submit *submit, uint32_t index,
			     const struct qr_event *event, uint32_t ordinal, const char *state)
{
	const struct qr_payload *payload = &submit->list[index];
	uint8_t id[QR_HASH_BYTES];
	char txid[MGMT_HEX_BYTES];
	char client[MGMT_HEX_BYTES];
	char block[MGMT_HEX_BYTES];
	uint64_t seq = submit->first_seq + index;
	bool knows_block = event && !crypto_hash_is_zero((const void *)event->block_id);

	qr_txid(submit->key, seq, payload->bytes, payload->byte_count, id);
	mgmt_hex_of(id, txid);
	mgmt_hex_of(submit->key, client);
	if (event)
		mgmt_hex_of(event->block_id, block);
	if (submit->cli->is_json && event)
		printf("{\"txid\":\"%s\",\"client\":\"%s\",\"seq\":%" PRIu64
		       ",\"state\":\"%s\",\"height\":%" PRIu64 ",\"index\":%" PRIu32
		       ",\"block\":%s%s%s}\n",
		       txid, client, seq, state, event->height, event->first_index + ordinal,
		       knows_block ? "\"" : "", knows_block ? block : "null",
		       knows_block ? "\"" : "");
	else if (submit->cli->is_json)
		printf("{\"txid\":\"%s\",\"client\":\"%s\",\"seq\":%" PRIu64 ",\"state\":\"%s\"}\n",
		       txid, client, seq, state);
	else if (event)
		printf("%s  height %" PRIu64 "  index %" PRIu32 "  seq %" PRIu64 "  txid %s\n",
		       state, event->height, event->first_index + ordinal, seq, txid);
	else
		printf("%s  seq %" PRIu64 "  txid %s\n", state, seq, txid);
}

static void mgmt_submit_on_final(struct mgmt_submit *submit, const struct qr_event *event)
{
	uint32_t ordinal = 0;

	for (uint32_t i = 0; i < event->count; i++) {
		uint32_t index = (uint32_t)(event->first_seq + i - submit->first_seq);

		ensure(index < submit->taken);
		if (!(event->ordered[i / 64] >> (i % 64) & 1)) {
			submit->is_unordered = true;
			continue;
		}
		submit->ordered[index] = true;
		if (event->first_seq + i >= submit->used_before) {
			submit->final_count++;
			submit->height = event->height;
			if (submit->shows_each)
				mgmt_submit_show(submit, index, event, ordinal, "final");
		}
		ordinal++;
	}
}

static void mgmt_submit_on_event(struct mgmt_submit *submit, const struct qr_event *event)
{
	submit->progress_ms = mgmt_now_ms();
	submit->settled_count += event->count;
	if (event->kind == QR_EVENT_FINAL) {
		mgmt_submit_on_final(submit, event);
	} else if (submit->refused == 0) {
		submit->refused = event->reason;
		submit->limit = event->limit;
	}
}

/* Hands the client what it takes, the numbers reserved before. */
static enum mgmt_exit mgmt_submit_feed(struct mgmt_submit *submit)
{
	uint64_t next = qr_client_next_seq(submit->client);
	uint64_t first_seq = 0;

	uint64_t wanted = units_min(submit->count - submit->taken, QR_WINDOW);

	if (wanted == 0)
		return MGMT_EXIT_OK;
	if (submit->numbers.next < next + wanted) {
		submit->numbers.next =
			next + units_min(submit->count - submit->taken, (uint64_t)4 * QR_WINDOW);
		submit->numbers.next = units_max(submit->numbers.next, submit->used_before);
		enum mgmt_exit code = mgmt_submit_keep(submit);

		if (code != MGMT_EXIT_OK)
			return code;
	}
	uint32_t reserved =
		(uint32_t)units_min(submit->numbers.next - next, submit->count - submit->taken);
	int taken = qr_client_submit(submit->client, submit->list + submit->taken, reserved,
				     &first_seq);

	if (taken < 0 && taken != QR_ERROR_AHEAD)
		return mgmt_data_fail(submit->cli, taken);
	if (taken > 0)
		submit->taken += (uint32_t)taken;
	return MGMT_EXIT_OK;
}

/* True when the pass is over: everything settled, or nothing to wait for. */
static bool mgmt_submit_is_done(const struct mgmt_submit *submit)
{
	if (submit->taken < submit->count)
		return false;
	return submit->settled_count == submit->count ||
	       (!submit->waits && qr_client_deadline_ns(submit->client) != 0);
}

static enum mgmt_exit mgmt_submit_pass(struct mgmt_submit *submit)
{
	struct qr_event event;
	enum mgmt_exit code = MGMT_EXIT_OK;

	submit->progress_ms = mgmt_now_ms();
	submit->first_seq = qr_client_next_seq(submit->client);
	submit->taken = 0;
	submit->settled_count = 0;
	memset(submit->ordered, 0, submit->count * sizeof(submit->ordered[0]));
	while (code == MGMT_EXIT_OK && submit->refused == 0 && !mgmt_submit_is_done(submit)) {
		code = mgmt_submit_feed(submit);
		if (code != MGMT_EXIT_OK)
			break;
		int result =
			qr_link_run(submit->link, submit->client, MGMT_RUN_MS * UNITS_NS_PER_MS);

		if (result < 0)
			return mgmt_data_fail(submit->cli, result);
		while (qr_client_event(submit->client, &event))
			mgmt_submit_on_event(submit, &event);
		if (mgmt_now_ms() - submit->progress_ms > submit->timeout_ms)
			code = mgmt_cli_fail(submit->cli, MGMT_EXIT_TIMEOUT,
					     "it may become final yet; see `quorate status`",
					     "%" PRIu32 " of %" PRIu32 " final, then nothing for "
					     "%" PRIu64 " s",
					     submit->final_count, submit->count,
					     submit->timeout_ms / 1000);
	}
	return code;
}

/*
 * Asks whose payload each reused number carries. Those of ours that lost are moved to the front of
 * the list, to be sent again; returns how many in `ret_lost`.
 */
static enum mgmt_exit mgmt_submit_check(struct mgmt_submit *submit, uint32_t *ret_lost)
{
	static struct qr_record record;
	uint32_t lost = 0;

	for (uint32_t i = 0; i < submit->taken; i++) {
		struct qr_payload payload = submit->list[i];
		uint64_t seq = submit->first_seq + i;
		uint8_t txid[QR_HASH_BYTES];

		if (seq >= submit->used_before)
			break;
		if (!submit->ordered[i])
			continue;
		int result = mgmt_submit_get(submit, seq, &record);

		if (result != 0)
			return mgmt_data_fail(submit->cli, result);
		qr_txid(submit->key, seq, payload.bytes, payload.byte_count, txid);
		if (memcmp(txid, record.txid, sizeof(txid)) != 0) {
			submit->list[lost++] = payload;
			continue;
		}
		submit->final_count++;
		submit->height = units_max(submit->height, record.height);
		if (submit->shows_each)
			mgmt_submit_show(submit, i,
					 &(struct qr_event){ .height = record.height,
							     .first_index = record.index },
					 0, "final");
	}
	*ret_lost = lost;
	return MGMT_EXIT_OK;
}

/* Notes how far the numbers are without a gap, and gives unused ones back. */
static void mgmt_submit_note(struct mgmt_submit *submit)
{
	uint32_t run = 0;

	while (run < submit->taken && submit->ordered[run])
		run++;
	submit->numbers.settled = units_max(submit->numbers.settled, submit->first_seq + run);
	submit->numbers.next = units_max(qr_client_next_seq(submit->client), submit->used_before);
	submit->numbers.next = units_max(submit->numbers.next, submit->numbers.settled);
}

static enum mgmt_exit mgmt_submit_run(struct mgmt_submit *submit)
{
	enum mgmt_exit code = MGMT_EXIT_OK;
	uint32_t lost = submit->count;

	while (code == MGMT_EXIT_OK && lost > 0 && submit->refused == 0 && !submit->is_unordered) {
		submit->count = lost;
		lost = 0;
		code = mgmt_submit_pass(submit);
		mgmt_submit_note(submit);
		if (code == MGMT_EXIT_OK && submit->waits)
			code = mgmt_submit_check(submit, &lost);
	}
	enum mgmt_exit kept = mgmt_submit_keep(submit);

	return code == MGMT_EXIT_OK ? kept : code;
}

static enum mgmt_exit mgmt_submit_report(const struct mgmt_submit *submit, uint32_t total,
					 uint64_t took_ms)
{
	if (submit->refused != 0)
		return mgmt_cli_fail(submit->cli, MGMT_EXIT_REFUSED,
				     "nothing of it became part of the order",
				     "refused by the node: %s (limit %" PRIu64 ")",
				     qr_error_text(submit->refused), submit->limit);
	if (submit->is_unordered)
		return mgmt_cli_fail(submit->cli, MGMT_EXIT_NEGATIVE, "submit them again",
				     "%" PRIu32 " of %" PRIu32 " final, the others expired",
				     submit->final_count, total);
	if (!submit->waits && submit->shows_each)
		for (uint32_t i = 0; i < submit->count; i++)
			if (!submit->ordered[i])
				mgmt_submit_show(submit, i, NULL, 0, "sent");
	if (submit->cli->is_json || total == 1)
		return MGMT_EXIT_OK;
	printf("%" PRIu32 " sent, %" PRIu32 " final%s in %.1f s\n", total, submit->final_count,
	       submit->final_count ? "" : " yet", (double)took_ms / 1000.0);
	return MGMT_EXIT_OK;
}

/* Everything is open: settle what was left over, then send. */
static enum mgmt_exit mgmt_submit_all(struct mgmt_submit *submit, const struct qr_key *key)
{
	struct qr_status status;
	struct qr_client_config config = { .key = key, .node_count = 1, .receipts_needed = 1 };
	uint64_t started_ms = mgmt_now_ms();
	uint32_t total = submit->count;
	int result = qr_status(submit->link, submit->timeout_ms * UNITS_NS_PER_MS, &status);

	if (result != 0)
		return mgmt_data_fail(submit->cli, result);
	enum mgmt_exit code = mgmt_submit_settle(submit);

	if (code != MGMT_EXIT_OK)
		return code;
	memcpy(config.chain_id, status.chain_id, sizeof(config.chain_id));
	config.height = status.height;
	config.next_seq = submit->numbers.settled;
	submit->waits = submit->waits || submit->numbers.settled < submit->numbers.next;
	result = qr_client_open(&config, &submit->client);
	if (result != 0)
		return mgmt_data_fail(submit->cli, result);
	qr_client_node(submit->client, 0, true);
	code = mgmt_submit_run(submit);
	if (code == MGMT_EXIT_OK)
		code = mgmt_submit_report(submit, total, mgmt_now_ms() - started_ms);
	qr_client_close(submit->client);
	return code;
}

static enum mgmt_exit mgmt_submit_locked(struct mgmt_submit *submit, const char *key_path,
					 const struct mgmt_place *place)
{
	struct qr_key *key = NULL;
	int result = qr_key_load(key_path, &key);

	if (result != 0)
		return mgmt_cli_fail(submit->cli, MGMT_EXIT_REFUSED,
				     result == ERR_PERMISSION ? "chmod 600 it, as its owner" :
								"give a file `quorate keygen` made",
				     "%s: %s", key_path, qr_error_text(result));
	qr_key_public(key, submit->key);
	enum mgmt_exit code = mgmt_data_open(submit->cli, place, &submit->link);

	if (code == MGMT_EXIT_OK)
		code = mgmt_submit_all(submit, key);
	qr_link_close(submit->link);
	qr_key_close(key);
	return code;
}

enum mgmt_exit mgmt_submit(const struct mgmt_cli *cli, const struct mgmt_place *place,
			   const char *key_path, bool waits)
{
	struct mgmt_submit submit = { .cli = cli, .waits = waits };
	struct mgmt_payloads payloads = { 0 };
	uint64_t timeout_s = 0;

	if (!mgmt_cli_number(cli, MGMT_OPTION_TIMEOUT, MGMT_TIMEOUT_S_DEFAULT, MGMT_TIMEOUT_S_MAX,
			     &timeout_s))
		return MGMT_EXIT_USAGE;
	submit.timeout_ms = timeout_s * 1000;
	enum mgmt_exit code = mgmt_payloads_take(cli, &payloads);

	if (code != MGMT_EXIT_OK)
		return code;
	submit.list = payloads.payload;
	submit.count = payloads.count;
	submit.shows_each = cli->is_json || payloads.count <= MGMT_LINES_SHOWN_MAX;
	submit.ordered = calloc(payloads.count, sizeof(*submit.ordered));
	if (!submit.ordered)
		code = mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "send fewer at once", "no memory");
	if (code == MGMT_EXIT_OK)
		code = mgmt_numbers_open(cli, key_path, &submit.numbers);
	if (code == MGMT_EXIT_OK) {
		code = mgmt_submit_locked(&submit, key_path, place);
		mgmt_numbers_close(&submit.numbers);
	}
	free(submit.ordered);
	mgmt_payloads_fini(&payloads);
	return code;
}
