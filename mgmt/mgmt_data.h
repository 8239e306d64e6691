/*
 * mgmt_data: what the data commands share: the node's socket, how a transaction is named and shown.
 *
 * A transaction is named TXID (64 hexadecimal digits) or CLIENT:SEQ. As JSON a record is
 *     {"height", "index", "txid", "client", "seq", "time_ns", "payload" or "payload_hex"}
 * `payload` when the bytes are text (UTF-8 without zero bytes), else `payload_hex`.
 */
#ifndef QUORATE_MGMT_DATA_H
#define QUORATE_MGMT_DATA_H

#include "client/quorate.h"
#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_place.h"

enum { MGMT_TIMEOUT_S_DEFAULT = 10 };

/* Opens the local socket of the node the command names. */
enum mgmt_exit mgmt_data_open(const struct mgmt_cli *cli, const struct mgmt_place *place,
			      struct qr_link **ret_link);

/* Says why a request to the node came to nothing; `code` is what libquorate returned. */
enum mgmt_exit mgmt_data_fail(const struct mgmt_cli *cli, int code);

/* Understands the name of a transaction. */
bool mgmt_data_name(const char *text, struct qr_name *ret_name);

/* Prints a record, as JSON or for people; one line. */
void mgmt_data_print(const struct mgmt_cli *cli, const struct qr_record *record);

#endif
