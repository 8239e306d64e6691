#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_data.h"
#include "mgmt/mgmt_member.h"

enum {
	MGMT_CURSOR_BYTES_MAX = 64,
	MGMT_CURSOR_RECORDS = 1000, /* shown between two saves of the cursor */
	MGMT_TAIL_STOP = 2,         /* mgmt_tail_visit(): enough */
};

static const uint64_t mgmt_request_timeout_ns = MGMT_TIMEOUT_S_DEFAULT * UNITS_NS_PER_S;
static const uint64_t mgmt_tail_idle_ns = 500 * UNITS_NS_PER_MS;

/* Opens the node and understands the first argument as the name of a transaction. */
static enum mgmt_exit mgmt_read_open(const struct mgmt_cli *cli, struct qr_link **ret_link,
				     struct qr_name *ret_name)
{
	struct mgmt_place place;

	if (!mgmt_data_name(cli->argument[0], ret_name))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE,
				     "give 64 hexadecimal digits, or CLIENT:SEQ",
				     "'%s' names no transaction", cli->argument[0]);
	enum mgmt_exit code = mgmt_place_find(cli, &place);

	if (code == MGMT_EXIT_OK)
		code = mgmt_data_open(cli, &place, ret_link);
	return code;
}

enum mgmt_exit mgmt_verb_get(const struct mgmt_cli *cli)
{
	static struct qr_record record;
	struct qr_link *link = NULL;
	struct qr_name name;
	enum mgmt_exit code = mgmt_read_open(cli, &link, &name);

	if (code != MGMT_EXIT_OK)
		return code;
	int result = qr_get(link, &name, mgmt_request_timeout_ns, &record);

	qr_link_close(link);
	if (result != 0)
		return mgmt_data_fail(cli, result);
	mgmt_data_print(cli, &record);
	return MGMT_EXIT_OK;
}

static enum mgmt_exit mgmt_prove_save(const struct mgmt_cli *cli, const struct qr_record *record,
				      const uint8_t *proof, size_t proof_bytes)
{
	char txid[MGMT_HEX_BYTES];
	char path_default[MGMT_HEX_BYTES + 8];

	mgmt_hex_of(record->txid, txid);
	snprintf(path_default, sizeof(path_default), "%s.proof", txid);
	const char *path = mgmt_cli_text(cli, MGMT_OPTION_OUT, path_default);
	int result = mgmt_text_write_file(path, proof, proof_bytes, 0644, false);

	if (result != 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "name another file with --out",
				     "%s: %s", path, err_text(result));
	if (cli->is_json)
		printf("{\"txid\":\"%s\",\"height\":%" PRIu64 ",\"bytes\":%zu}\n", txid,
		       record->height, proof_bytes);
	else
		printf("proof of height %" PRIu64 "  txid %s  %zu bytes in %s\n"
		       "check it anywhere: quorate verify %s --genesis FILE\n",
		       record->height, txid, proof_bytes, path, path);
	return MGMT_EXIT_OK;
}

enum mgmt_exit mgmt_verb_prove(const struct mgmt_cli *cli)
{
	static struct qr_record record;
	struct qr_link *link = NULL;
	struct qr_name name;
	enum mgmt_exit code = mgmt_read_open(cli, &link, &name);
	uint8_t *proof;

	if (code != MGMT_EXIT_OK)
		return code;
	proof = malloc(QR_PROOF_BYTES_MAX);
	int result = proof ? qr_get(link, &name, mgmt_request_timeout_ns, &record) : -ENOMEM;

	if (result == 0)
		result = qr_prove(link, &name, mgmt_request_timeout_ns, proof, QR_PROOF_BYTES_MAX);
	code = result < 0 ? mgmt_data_fail(cli, result) :
			    mgmt_prove_save(cli, &record, proof, (size_t)result);
	free(proof);
	qr_link_close(link);
	return code;
}

/* A reader of the order and what it keeps. */
struct mgmt_tail {
	const struct mgmt_cli *cli;
	struct qr_cursor cursor;
	const char *cursor_path; /* NULL: none kept */
	uint64_t left;           /* records until --limit */
	uint32_t unsaved;
	int failure; /* of keeping the cursor */
};

static volatile sig_atomic_t mgmt_tail_is_over;

static void mgmt_on_interrupt(int signal_number)
{
	(void)signal_number;
	mgmt_tail_is_over = 1;
}

/* The cursor is kept only behind what was really written out. */
static void mgmt_tail_save(struct mgmt_tail *tail)
{
	char text[MGMT_CURSOR_BYTES_MAX];

	if (fflush(stdout) != 0 || !tail->cursor_path || tail->unsaved == 0)
		return;
	int count = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu32 "\n", tail->cursor.height,
			     tail->cursor.index);

	tail->failure = mgmt_text_write_file(tail->cursor_path, text, (size_t)count, 0644, false);
	tail->unsaved = 0;
}

static int mgmt_tail_visit(void *context, const struct qr_record *record)
{
	struct mgmt_tail *tail = context;

	mgmt_data_print(tail->cli, record);
	tail->cursor.height = record->height;
	tail->cursor.index = record->index + 1;
	tail->left--;
	if (++tail->unsaved >= MGMT_CURSOR_RECORDS)
		mgmt_tail_save(tail);
	return tail->left == 0 || mgmt_tail_is_over || ferror(stdout) || tail->failure != 0 ?
		       MGMT_TAIL_STOP :
		       0;
}

static enum mgmt_exit mgmt_tail_start(const struct mgmt_cli *cli, struct mgmt_tail *tail)
{
	struct mgmt_text text = { 0 };
	uint64_t from = 0;
	uint64_t limit = 0;

	if (!mgmt_cli_number(cli, MGMT_OPTION_FROM, 1, UINT64_MAX, &from) ||
	    !mgmt_cli_number(cli, MGMT_OPTION_LIMIT, UINT64_MAX, UINT64_MAX, &limit))
		return MGMT_EXIT_USAGE;
	*tail = (struct mgmt_tail){ .cli = cli,
				    .cursor.height = from,
				    .left = limit,
				    .cursor_path = mgmt_cli_text(cli, MGMT_OPTION_CURSOR, NULL) };
	if (!tail->cursor_path)
		return MGMT_EXIT_OK;
	int result = mgmt_text_read_file(tail->cursor_path, MGMT_CURSOR_BYTES_MAX, &text);

	if (result == 0 && sscanf(mgmt_text_of(&text), "%" SCNu64 " %" SCNu32, &tail->cursor.height,
				  &tail->cursor.index) != 2)
		result = ERR_FORMAT;
	mgmt_text_fini(&text);
	if (result == 0 || result == -ENOENT) /* the first time there is none */
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "give the file an earlier tail kept", "%s: %s",
			     tail->cursor_path, err_text(result));
}

/* Reads on until the end, the limit, an interrupt or a failure; returns the last result. */
static int mgmt_tail_run(struct mgmt_tail *tail, struct qr_link *link)
{
	const bool follows = mgmt_cli_has(tail->cli, MGMT_OPTION_FOLLOW);
	int result = 0;

	while (tail->left > 0 && !mgmt_tail_is_over && !ferror(stdout) && tail->failure == 0) {
		result = qr_tail(link, &tail->cursor, follows,
				 follows ? mgmt_tail_idle_ns : mgmt_request_timeout_ns,
				 mgmt_tail_visit, tail);
		mgmt_tail_save(tail);
		if (result == MGMT_TAIL_STOP || (follows && result == QR_ERROR_TIMEOUT))
			result = 0;
		else if (result != 0 || !follows)
			break;
	}
	return result;
}

enum mgmt_exit mgmt_verb_tail(const struct mgmt_cli *cli)
{
	struct mgmt_tail tail;
	struct mgmt_place place;
	struct qr_link *link = NULL;
	enum mgmt_exit code = mgmt_tail_start(cli, &tail);

	if (code == MGMT_EXIT_OK)
		code = mgmt_place_find(cli, &place);
	if (code == MGMT_EXIT_OK)
		code = mgmt_data_open(cli, &place, &link);
	if (code != MGMT_EXIT_OK)
		return code;
	signal(SIGINT, mgmt_on_interrupt);
	signal(SIGTERM, mgmt_on_interrupt);

	int result = mgmt_tail_run(&tail, link);

	qr_link_close(link);
	if (tail.failure != 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "check path and free space", "%s: %s",
				     tail.cursor_path, err_text(tail.failure));
	return result == 0 ? MGMT_EXIT_OK : mgmt_data_fail(cli, result);
}
