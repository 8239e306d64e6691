#define _GNU_SOURCE
#include "mgmt/mgmt_payloads.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void mgmt_payloads_fini(struct mgmt_payloads *payloads)
{
	free(payloads->payload);
	mgmt_text_fini(&payloads->text);
	*payloads = (struct mgmt_payloads){ 0 };
}

static enum mgmt_exit mgmt_payloads_read(const struct mgmt_cli *cli, struct mgmt_text *ret_text)
{
	const char *path = mgmt_cli_text(cli, MGMT_OPTION_FILE, NULL);
	int result;

	if ((cli->argument_count == 1) == (path != NULL))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "--file - reads standard input",
				     "give either TEXT or --file");
	if (!path) {
		mgmt_text_string(ret_text, cli->argument[0]);
		return MGMT_EXIT_OK;
	}
	result = mgmt_text_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path,
				     MGMT_INPUT_BYTES_MAX, ret_text);
	if (result == 0)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "give a readable file of at most 15 MiB",
			     "%s: %s", path, err_text(result));
}

/* Replaces the text by `count` copies of it, each with its number behind it. */
static bool mgmt_payloads_repeat(struct mgmt_payloads *payloads, uint32_t count)
{
	struct mgmt_text all = { 0 };
	size_t *end = calloc(count, sizeof(*end));

	payloads->payload = calloc(count, sizeof(*payloads->payload));
	for (uint32_t i = 0; end && i < count; i++) {
		mgmt_text_put(&all, mgmt_text_of(&payloads->text), payloads->text.count);
		mgmt_text_print(&all, " %" PRIu32, i + 1);
		end[i] = all.count;
	}
	bool is_good = end && payloads->payload && !all.failed;

	for (uint32_t i = 0; is_good && i < count; i++) {
		size_t start = i == 0 ? 0 : end[i - 1];

		payloads->payload[i] = (struct qr_payload){ .bytes = all.bytes + start,
							    .byte_count = end[i] - start };
	}
	free(end);
	mgmt_text_fini(&payloads->text);
	payloads->text = all;
	payloads->count = count;
	return is_good;
}

/* Cuts the text at its line feeds; the last line may lack its own. */
static bool mgmt_payloads_split(struct mgmt_payloads *payloads)
{
	const char *at = mgmt_text_of(&payloads->text);
	const char *end = at + payloads->text.count;
	uint32_t lines = payloads->text.count > 0 && end[-1] != '\n';

	for (const char *c = at; c < end; c++)
		lines += *c == '\n';
	payloads->payload = calloc(lines ? lines : 1, sizeof(*payloads->payload));
	if (!payloads->payload)
		return false;
	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		const char *stop = feed ? feed : end;

		payloads->payload[payloads->count++] =
			(struct qr_payload){ .bytes = at, .byte_count = (size_t)(stop - at) };
		at = stop + 1;
	}
	return true;
}

static bool mgmt_payloads_single(struct mgmt_payloads *payloads)
{
	payloads->payload = calloc(1, sizeof(*payloads->payload));
	if (!payloads->payload)
		return false;
	payloads->payload[0] = (struct qr_payload){ .bytes = mgmt_text_of(&payloads->text),
						    .byte_count = payloads->text.count };
	payloads->count = 1;
	return true;
}

/* Names the first payload the network could not carry; nothing is sent then. */
static enum mgmt_exit mgmt_payloads_check(const struct mgmt_cli *cli,
					  const struct mgmt_payloads *payloads)
{
	if (payloads->count == 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "give at least one line",
				     "nothing to send");
	for (uint32_t i = 0; i < payloads->count; i++)
		if (payloads->payload[i].byte_count > QR_PAYLOAD_BYTES_MAX)
			return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
					     "a payload must fit one datagram; send a hash, or "
					     "--lines for one transaction a line",
					     "payload %" PRIu32 " has %zu bytes, the limit is %d",
					     i + 1, payloads->payload[i].byte_count,
					     (int)QR_PAYLOAD_BYTES_MAX);
	return MGMT_EXIT_OK;
}

enum mgmt_exit mgmt_payloads_take(const struct mgmt_cli *cli, struct mgmt_payloads *ret_payloads)
{
	struct mgmt_payloads payloads = { 0 };
	uint64_t count = 0;
	bool is_good;

	if (!mgmt_cli_number(cli, MGMT_OPTION_COUNT, 0, MGMT_PAYLOADS_MAX, &count))
		return MGMT_EXIT_USAGE;
	if (count > 0 && mgmt_cli_has(cli, MGMT_OPTION_LINES))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "choose one",
				     "--count and --lines exclude each other");
	enum mgmt_exit code = mgmt_payloads_read(cli, &payloads.text);

	if (code != MGMT_EXIT_OK)
		return code;
	if (count > 0)
		is_good = mgmt_payloads_repeat(&payloads, (uint32_t)count);
	else if (mgmt_cli_has(cli, MGMT_OPTION_LINES))
		is_good = mgmt_payloads_split(&payloads);
	else
		is_good = mgmt_payloads_single(&payloads);
	code = is_good ? mgmt_payloads_check(cli, &payloads) :
			 mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "send fewer at once", "no memory");
	if (code == MGMT_EXIT_OK)
		*ret_payloads = payloads;
	else
		mgmt_payloads_fini(&payloads);
	return code;
}
