/*
 * mgmt_submit: signs payloads under a key's next numbers and sees them through.
 *
 *     numbers of an earlier command that did not see its end: [settled, next)
 *         asked for one by one; in the order: settled; else used again, and afterwards the
 *         order is asked whose payload won. One that lost gets a new number.
 *
 * So a key's numbers never have a gap that would close its window, and no payload is taken for
 * final because another one of the same number is.
 *
 * Errors   Said through `cli`.
 */
#ifndef QUORATE_MGMT_SUBMIT_H
#define QUORATE_MGMT_SUBMIT_H

#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_place.h"

/*
 * Submits what the command line names with the key in `key_path`. With `waits`, MGMT_EXIT_OK means
 * that all of it is final; without, that the node has it.
 */
enum mgmt_exit mgmt_submit(const struct mgmt_cli *cli, const struct mgmt_place *place,
			   const char *key_path, bool waits);

#endif
