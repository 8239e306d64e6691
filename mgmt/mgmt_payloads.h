/*
 * mgmt_payloads: what `submit` is to send, from text, a file, its lines, or a count.
 */
#ifndef QUORATE_MGMT_PAYLOADS_H
#define QUORATE_MGMT_PAYLOADS_H

#include "client/quorate.h"
#include "mgmt/mgmt_cli.h"

enum { MGMT_PAYLOADS_MAX = 10 * 1000 * 1000, MGMT_INPUT_BYTES_MAX = 15 << 20 };

struct mgmt_payloads {
	struct mgmt_text text; /* all bytes, one behind the other */
	struct qr_payload *payload;
	uint32_t count;
};

/*
 * Takes the payloads the command line names: exactly one of TEXT and --file; --lines splits it;
 * --count repeats a single one, with a running number behind it. Says why not through `cli`.
 */
enum mgmt_exit mgmt_payloads_take(const struct mgmt_cli *cli, struct mgmt_payloads *ret_payloads);

void mgmt_payloads_fini(struct mgmt_payloads *payloads);

#endif
