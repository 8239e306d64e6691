#define _GNU_SOURCE
#include "mgmt/mgmt_data.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/mgmt_member.h"

enum { MGMT_SHOWN_BYTES_MAX = 60 };

enum mgmt_exit mgmt_data_open(const struct mgmt_cli *cli, const struct mgmt_place *place,
			      struct qr_link **ret_link)
{
	int result = qr_link_open(place->ingress.text, ret_link);

	if (result == 0)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_UNREACHABLE,
			     "start the node, or name another with --node", "%s: %s",
			     place->ingress.text, qr_error_text(result));
}

enum mgmt_exit mgmt_data_fail(const struct mgmt_cli *cli, int code)
{
	if (code == QR_ERROR_NOT_FOUND)
		return mgmt_cli_fail(cli, MGMT_EXIT_NEGATIVE,
				     "it may come yet, or another node may be further",
				     "not in the order of this node");
	if (code == QR_ERROR_TIMEOUT)
		return mgmt_cli_fail(cli, MGMT_EXIT_TIMEOUT, "see `quorate status`",
				     "the node does not answer in time");
	if (code == -EPIPE || code == -ECONNRESET)
		return mgmt_cli_fail(cli, MGMT_EXIT_UNREACHABLE, "see `quorate status`",
				     "the node closed the connection");
	return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "see `quorate status` and the node's log", "%s",
			     qr_error_text(code));
}

bool mgmt_data_name(const char *text, struct qr_name *ret_name)
{
	struct qr_name name = { .by_txid = true };
	char client[MGMT_HEX_BYTES];

	if (mgmt_hex_bytes(text, name.txid)) {
		*ret_name = name;
		return true;
	}
	if (strlen(text) <= MGMT_HEX_BYTES || text[MGMT_HEX_BYTES - 1] != ':')
		return false;
	memcpy(client, text, sizeof(client) - 1);
	client[sizeof(client) - 1] = '\0';
	name.by_txid = false;
	if (!mgmt_hex_bytes(client, name.client) ||
	    !mgmt_number_of(text + MGMT_HEX_BYTES, UINT64_MAX, &name.seq))
		return false;
	*ret_name = name;
	return true;
}

static void mgmt_print_payload_hex(json_t *object, const struct qr_record *record)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * QR_PAYLOAD_BYTES_MAX + 1];

	for (uint32_t i = 0; i < record->payload_bytes; i++) {
		hex[2 * i] = digits[record->payload[i] >> 4];
		hex[2 * i + 1] = digits[record->payload[i] & 15];
	}
	hex[2 * record->payload_bytes] = '\0';
	json_object_set_new(object, "payload_hex", json_string(hex));
}

static void mgmt_print_json(const struct qr_record *record, const char *txid, const char *client)
{
	json_t *object = json_object();
	const char *payload = (const char *)record->payload;
	json_t *text = memchr(payload, '\0', record->payload_bytes) ?
			       NULL :
			       json_stringn(payload, record->payload_bytes);

	json_object_set_new(object, "height", json_integer((json_int_t)record->height));
	json_object_set_new(object, "index", json_integer(record->index));
	json_object_set_new(object, "txid", json_string(txid));
	json_object_set_new(object, "client", json_string(client));
	json_object_set_new(object, "seq", json_integer((json_int_t)record->seq));
	json_object_set_new(object, "time_ns", json_integer((json_int_t)record->time_ns));
	if (text)
		json_object_set_new(object, "payload", text);
	else
		mgmt_print_payload_hex(object, record);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

void mgmt_data_print(const struct mgmt_cli *cli, const struct qr_record *record)
{
	char txid[MGMT_HEX_BYTES];
	char client[MGMT_HEX_BYTES];
	uint32_t shown = record->payload_bytes;

	mgmt_hex_of(record->txid, txid);
	mgmt_hex_of(record->client, client);
	if (cli->is_json) {
		mgmt_print_json(record, txid, client);
		return;
	}
	if (shown > MGMT_SHOWN_BYTES_MAX)
		shown = MGMT_SHOWN_BYTES_MAX;
	printf("%" PRIu64 "/%" PRIu32 "  %s  client %.8s  seq %" PRIu64 "  %" PRIu32 " bytes  ",
	       record->height, record->index, txid, client, record->seq, record->payload_bytes);
	for (uint32_t i = 0; i < shown; i++)
		putchar(record->payload[i] < ' ' || record->payload[i] > '~' ? '.' :
									       record->payload[i]);
	puts(shown < record->payload_bytes ? "..." : "");
}
