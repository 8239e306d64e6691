/* quorate: the operator's command line. */
#include <signal.h>
#include <stdio.h>

#include "client/quorate.h"
#include "mgmt/mgmt_cli.h"

static enum mgmt_exit mgmt_print_help(const struct mgmt_verb *verb)
{
	struct mgmt_text help = { 0 };

	mgmt_cli_help(verb, &help);
	fputs(mgmt_text_of(&help), stdout);
	mgmt_text_fini(&help);
	return MGMT_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct mgmt_cli cli;
	struct mgmt_text reason = { 0 };
	enum mgmt_exit code = mgmt_cli_parse(argc, (const char *const *)argv, &cli, &reason);

	if (code != MGMT_EXIT_OK) {
		fprintf(stderr, "quorate: %s; see quorate --help\n", mgmt_text_of(&reason));
		mgmt_text_fini(&reason);
		return (int)code;
	}
	if (cli.asks_help)
		return (int)mgmt_print_help(cli.verb);
	signal(SIGPIPE, SIG_IGN);

	int result = qr_start();

	if (result != 0)
		return (int)mgmt_cli_fail(&cli, MGMT_EXIT_FAILED, "reinstall libsodium",
					  "cryptography does not start: %s", qr_error_text(result));
	code = cli.verb->run(&cli);
	if (fflush(stdout) != 0 && code == MGMT_EXIT_OK)
		return MGMT_EXIT_FAILED;
	return (int)code;
}
