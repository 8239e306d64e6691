/* quorate-mgmtd: the control plane of one node, in a process the node does not know of. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/err.h"
#include "mgmt/mgmt_config.h"
#include "mgmt/mgmt_http.h"

enum mgmt_exit { MGMT_EXIT_STOPPED = 0, MGMT_EXIT_FAILED = 1, MGMT_EXIT_CONFIG = 2 };

static int mgmt_wait_for_stop(const sigset_t *signals)
{
	int number = 0;

	while (sigwait(signals, &number) != 0)
		;
	fprintf(stderr, "quorate-mgmtd: stopped by signal %d\n", number);
	return MGMT_EXIT_STOPPED;
}

static int mgmt_run(const struct mgmt_config *config)
{
	static struct mgmt_view view;
	struct mgmt_http *http = NULL;
	sigset_t signals;
	uint16_t port = 0;

	/* Blocked before any thread starts, so that only sigwait() sees them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	int result = mgmt_view_init(&view, config->run_dir);

	if (result == 0)
		result = mgmt_http_start(&view, (const struct sockaddr *)&config->address,
					 config->address_bytes, &http, &port);
	if (result != 0) {
		fprintf(stderr, "quorate-mgmtd: %s: %s; %s\n", config->listen, err_text(result),
			result == -EADDRINUSE ? "choose another port with --listen" :
						"check the address of --listen");
		return MGMT_EXIT_FAILED;
	}
	fprintf(stderr, "quorate-mgmtd: node in %s, answering on port %u (%s)\n", config->run_dir,
		port, config->listen);
	result = mgmt_wait_for_stop(&signals);
	mgmt_http_stop(http);
	mgmt_view_fini(&view);
	return result;
}

int main(int argc, char **argv)
{
	struct mgmt_config config;
	char reason[MGMT_REASON_BYTES];

	if (mgmt_config_read(argc, argv, &config, reason) != 0) {
		fprintf(stderr, "quorate-mgmtd: %s\n", reason);
		return MGMT_EXIT_CONFIG;
	}
	if (config.asks_help) {
		fputs(mgmt_config_help(), stdout);
		return MGMT_EXIT_STOPPED;
	}
	return mgmt_run(&config);
}
