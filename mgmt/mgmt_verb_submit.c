#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_place.h"
#include "mgmt/mgmt_submit.h"

enum mgmt_exit mgmt_verb_submit(const struct mgmt_cli *cli)
{
	struct mgmt_place place;
	enum mgmt_exit code = mgmt_place_find(cli, &place);

	if (code != MGMT_EXIT_OK)
		return code;
	const char *key_path = mgmt_cli_text(cli, MGMT_OPTION_KEY, place.client_key.text);

	if (key_path[0] == '\0')
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE,
				     "make one with `quorate keygen FILE`, then --key FILE",
				     "no key named");
	return mgmt_submit(cli, &place, key_path, mgmt_cli_has(cli, MGMT_OPTION_WAIT));
}

enum mgmt_exit mgmt_verb_lab_submit(const struct mgmt_cli *cli)
{
	struct mgmt_place place;
	enum mgmt_exit code = mgmt_place_find(cli, &place);

	return code == MGMT_EXIT_OK ? mgmt_submit(cli, &place, place.client_key.text, true) : code;
}
