/*
 * mgmt_config: the settings of quorate-mgmtd, from flags and a `key = value` file.
 *
 * `listen` is a loopback address unless `management_address` names the very same
 * address: nobody exposes the control plane by leaving a line out, and never on
 * all interfaces at once. A flag wins over the file.
 */
#ifndef QUORATE_MGMT_CONFIG_H
#define QUORATE_MGMT_CONFIG_H

#include <stdbool.h>
#include <sys/socket.h>

#include "ctl/ctl_shm.h"

enum { MGMT_ADDRESS_BYTES = 128, MGMT_REASON_BYTES = 512 };

#define MGMT_LISTEN_DEFAULT "127.0.0.1:8480"

struct mgmt_config {
	char run_dir[CTL_PATH_BYTES];
	char listen[MGMT_ADDRESS_BYTES];
	char management_address[MGMT_ADDRESS_BYTES];
	bool asks_help;
	struct sockaddr_storage address; /* what `listen` means */
	socklen_t address_bytes;
};

/*
 * Reads flags, and the file of --config, and checks them together. Returns 0 or ERR_CONFIG; then
 * `ret_reason` holds one line: cause and remedy. With --help nothing else is checked.
 */
int mgmt_config_read(int argc, char *const *argv, struct mgmt_config *ret_config,
		     char ret_reason[MGMT_REASON_BYTES]);

/* What --help prints. */
const char *mgmt_config_help(void);

#endif
