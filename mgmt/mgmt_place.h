/*
 * mgmt_place: which node a command talks to: --node DIR, or the first living one of the lab.
 */
#ifndef QUORATE_MGMT_PLACE_H
#define QUORATE_MGMT_PLACE_H

#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_node.h"

struct mgmt_place {
	struct mgmt_path node_dir;
	struct mgmt_path run_dir;
	struct mgmt_path ingress;
	struct mgmt_path genesis;
	struct mgmt_path client_key; /* the lab's; "" outside a lab */
	uint32_t http_port;          /* of its control plane, 0: unknown */
};

/* Finds the node; says through `cli` when there is none. */
enum mgmt_exit mgmt_place_find(const struct mgmt_cli *cli, struct mgmt_place *ret_place);

#endif
