/*
 * dp_env_dpdk: starts DPDK so that it fits the machine and leaves nothing behind.
 *
 * Memory   Free hugepages are used when there are enough (`--in-memory`: no file, no mount
 *          needed); else ordinary pages (`--no-huge`), bounded by memory_bytes. The two exclude
 *          each other in DPDK, and it starts only once: who looks for free pages holds a lock until
 *          it has them, so that nodes started together do not count on the same ones.
 * Closed   No telemetry socket, no multi-process files, no plug-in loading, one core; no PCI scan
 *          unless PCI devices are listed, and then only those. DPDK's own messages go to stderr
 *          from warnings up.
 * Threads  Once per process, from the main thread, before any tile runs.
 */
#ifndef QUORATE_DATAPLANE_DP_ENV_DPDK_H
#define QUORATE_DATAPLANE_DP_ENV_DPDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DP_ENV_PCI_MAX = 8, DP_ENV_PCI_BYTES = 16 };

enum dp_env_hugepages {
	DP_ENV_HUGEPAGES_AUTO, /* when enough are free */
	DP_ENV_HUGEPAGES_NEVER,
	DP_ENV_HUGEPAGES_REQUIRED,
};

struct dp_env_config {
	char name[32]; /* makes the process's DPDK names unique; letters, digits, '-', '_' */
	uint32_t memory_bytes; /* 0 means 64 MiB */
	enum dp_env_hugepages hugepages;
	int32_t core; /* the main thread's core; -1: leave the thread where the system puts it */
	uint32_t pci_count;
	char pci[DP_ENV_PCI_MAX][DP_ENV_PCI_BYTES]; /* "0000:01:00.0" */
};

/* Returns 0; ERR_CONFIG, ERR_MEMORY, ERR_PERMISSION, ERR_ORDER (second call) or -errno. */
int dp_env_start(const struct dp_env_config *config);

/* Releases everything; a process that ends without it leaves nothing in the file system either. */
void dp_env_stop(void);

/* True when the memory came from hugepages: what status shows. */
bool dp_env_has_hugepages(void);

/* Cause and remedy of the last failure here or in dp_port_dpdk, one line without newline. */
const char *dp_env_error(void);

#endif
