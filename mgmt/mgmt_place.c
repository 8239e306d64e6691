#include "mgmt/mgmt_place.h"

#include <string.h>

#include "mgmt/mgmt_lab.h"

static void mgmt_place_fill(const char *node_dir, struct mgmt_place *ret_place)
{
	*ret_place = (struct mgmt_place){ .run_dir = mgmt_path_of(node_dir, "run"),
					  .genesis = mgmt_path_of(node_dir, "genesis") };
	memcpy(ret_place->node_dir.text, node_dir, strlen(node_dir) + 1);
	ret_place->ingress = mgmt_path_of(ret_place->run_dir.text, "ingress");
}

enum mgmt_exit mgmt_place_find(const struct mgmt_cli *cli, struct mgmt_place *ret_place)
{
	const char *node_dir = mgmt_cli_text(cli, MGMT_OPTION_NODE, NULL);
	struct mgmt_lab lab;

	if (node_dir && !mgmt_path_fits(node_dir))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "give a node's directory",
				     "--node: '%s' is too long", node_dir);
	if (node_dir) {
		mgmt_place_fill(node_dir, ret_place);
		return MGMT_EXIT_OK;
	}
	enum mgmt_exit code = mgmt_lab_name(cli, &lab);

	if (code != MGMT_EXIT_OK)
		return code;
	if (!mgmt_lab_load(&lab))
		return mgmt_cli_fail(cli, MGMT_EXIT_UNREACHABLE,
				     "give --node DIR, or start one with `quorate lab up`",
				     "no node named, and no lab in %s", lab.dir);
	for (uint32_t i = 0; i < lab.node_count; i++) {
		if (mgmt_lab_process(&lab, i, MGMT_LAB_QUORATED).pid == 0)
			continue;
		mgmt_place_fill(mgmt_lab_node_dir(&lab, i).text, ret_place);
		ret_place->client_key = mgmt_path_of(lab.dir, "client.key");
		ret_place->http_port = lab.http_port + i;
		return MGMT_EXIT_OK;
	}
	return mgmt_cli_fail(cli, MGMT_EXIT_UNREACHABLE, "start it with `quorate lab up`",
			     "no node of the lab in %s runs", lab.dir);
}
