/* quorated: reads its configuration, builds one node, runs it until it is told to stop. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/err.h"
#include "crypto/crypto_sign.h"
#include "node/node_node.h"
#include "node/node_topology.h"

enum {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1, /* stopped by an error while running */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,   /* configuration, genesis, keys, modes of files */
	EXIT_BUSY = 4,     /* another process has the store, the sockets or the ports */
	EXIT_STORE = 5,    /* the store is missing, foreign, newer or damaged */
	EXIT_RESOURCE = 6, /* memory, ports, permissions of the system */
};

static const char help[] =
	"usage: quorated --config FILE\n"
	"       quorated --check-config FILE | --help-config | --topology | --version | --help\n"
	"\n"
	"  --config FILE        run the node this file describes, in the foreground\n"
	"  --check-config FILE  only check the file; prints one line, exit code 0 or 3\n"
	"  --help-config        every key of the file with range, default and meaning\n"
	"  --topology           tiles and rings of a node\n"
	"\n"
	"SIGTERM or SIGINT stop the node in order; kill -9 at any moment is safe.\n"
	"exit codes: 0 stopped in order, 1 failed while running, 2 usage, 3 configuration,\n"
	"genesis, keys or their modes, 4 busy, 5 store, 6 memory, ports or what the system\n"
	"refuses\n";

static struct node node; /* large, and the only one */

static void on_signal(int number)
{
	(void)number;
	atomic_store_explicit(&node.stop, true, memory_order_release);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static int exit_code_of(int code)
{
	switch (code) {
	case ERR_CONFIG:
	case ERR_KEY:
	case ERR_PERMISSION:
	case ERR_FORMAT:
	case ERR_TRUNCATED:
	case -ENOENT: /* the configuration names what is not there */
	case -ENOTDIR:
	case -EISDIR:
		return EXIT_CONFIG;
	case ERR_BUSY:
		return EXIT_BUSY;
	case ERR_FOREIGN:
	case ERR_NEWER:
	case ERR_CORRUPT:
	case ERR_NOT_FOUND:
	case ERR_SEQUENCE:
		return EXIT_STORE;
	default:
		return EXIT_RESOURCE;
	}
}

static int read_config(const char *path, struct node_config *ret_config)
{
	char reason[NODE_REASON_MAX];
	int code = node_config_read(path, ret_config, reason);

	if (code < 0)
		node_log("%s", reason);
	return code;
}

static void close_doors(void)
{
	struct rlimit no_core = { 0, 0 };

	umask(0027);
	setrlimit(RLIMIT_CORE, &no_core); /* a core file would hold the keys */
}

static int run(const char *path)
{
	static struct node_config config;
	int code;

	if (read_config(path, &config) < 0)
		return EXIT_CONFIG;
	close_doors();
	if (crypto_start() < 0 || crypto_self_check() < 0) {
		node_log("this build of libsodium decides signatures differently from the frozen "
			 "vectors; use the version the package names");
		return EXIT_RESOURCE;
	}
	catch_signals();
	code = node_open(&node, &config);
	if (code < 0) {
		node_log("%s", node.reason);
		node_close(&node);
		return exit_code_of(code);
	}
	node_log("store open: %llu records, %llu torn bytes cut, %s",
		 (unsigned long long)node.recovered_records, (unsigned long long)node.torn_bytes,
		 blocklog_dev_info(node.dev)->description);
	node_log("node %u of %u on chain %s runs: %s cores, %u ports", node.identity.id,
		 node.identity.genesis.member_count, node.identity.genesis.name,
		 config.cores_mode == NODE_CORES_SHARED ? "shared" : "spread", config.port_count);
	code = node_run(&node);
	if (code < 0)
		node_log("stopped: %s", node.reason[0] ? node.reason : err_text(code));
	node_close(&node);
	if (code == 0)
		node_log("stopped in order");
	return code < 0 ? EXIT_FAILED : EXIT_GOOD;
}

static int check(const char *path)
{
	static struct node_config config;

	if (read_config(path, &config) < 0)
		return EXIT_CONFIG;
	printf("%s: good, node %u with %u ports\n", path, config.id, config.port_count);
	return EXIT_GOOD;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", required_argument, NULL, 'k' },
		{ "help-config", no_argument, NULL, 'H' },
		{ "topology", no_argument, NULL, 't' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option = getopt_long(argc, argv, "", options, NULL);

	if (option < 0 || option == '?' || optind != argc) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	switch (option) {
	case 'c':
		return run(optarg);
	case 'k':
		return check(optarg);
	case 'H':
		node_config_help();
		return EXIT_GOOD;
	case 't':
		node_topology_print();
		return EXIT_GOOD;
	case 'v':
		puts(node_version);
		return EXIT_GOOD;
	default:
		fputs(help, stdout);
		return EXIT_GOOD;
	}
}
