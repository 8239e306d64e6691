#define _GNU_SOURCE

#include "dataplane/dp_env_dpdk.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "base/err.h"
#include "base/units.h"
#include "dataplane/dp_env_report.h"

enum {
	ARGUMENTS_MAX = 32,
	ARGUMENT_BYTES = 96,
	MEMORY_MIB = 64,
	HUGEPAGE_MIB = 2,
};

static struct {
	bool was_started;
	bool is_started;
	bool has_hugepages;
	char error[400];
	char words[512]; /* what DPDK printed while it started */
} env;

struct arguments {
	int count;
	char *pointer[ARGUMENTS_MAX + 1];
	char text[ARGUMENTS_MAX][ARGUMENT_BYTES];
};

int dp_env_fail(int code, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(env.error, sizeof(env.error), format, list);
	va_end(list);
	return code;
}

const char *dp_env_error(void)
{
	return env.error;
}

bool dp_env_has_hugepages(void)
{
	return env.has_hugepages;
}

static void add(struct arguments *arguments, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct arguments *arguments, const char *format, ...)
{
	char *text = arguments->text[arguments->count];
	va_list list;

	va_start(list, format);
	vsnprintf(text, ARGUMENT_BYTES, format, list);
	va_end(list);
	arguments->pointer[arguments->count++] = text;
}

/*
 * Reads how many are free. The file is also the lock of who looks and then takes, so that nodes
 * started together do not count on the same pages; the caller closes `*ret_lock` (NULL: no such
 * file) after it took them.
 */
static uint64_t free_hugepages(FILE **ret_lock)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long long count = 0;

	*ret_lock = file;
	if (!file)
		return 0;
	flock(fileno(file), LOCK_EX);
	if (fscanf(file, "%llu", &count) != 1)
		count = 0;
	return count;
}

static bool is_name(const char *name)
{
	for (const char *at = name; *at != '\0'; at++)
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
			return false;
	return name[0] != '\0';
}

static int choose_memory(const struct dp_env_config *config, uint32_t memory_mib, FILE **ret_lock)
{
	uint64_t free_mib = free_hugepages(ret_lock) * HUGEPAGE_MIB;

	env.has_hugepages = config->hugepages != DP_ENV_HUGEPAGES_NEVER && free_mib >= memory_mib;
	if (config->hugepages == DP_ENV_HUGEPAGES_REQUIRED && !env.has_hugepages)
		return dp_env_fail(
			ERR_MEMORY,
			"no memory for DPDK: %u MiB of hugepages wanted, %llu MiB free; "
			"reserve them (sysctl vm.nr_hugepages=%u) or allow ordinary pages",
			memory_mib, (unsigned long long)free_mib, memory_mib / HUGEPAGE_MIB + 8);
	return 0;
}

static int first_core(const cpu_set_t *cores)
{
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, cores))
			return i;
	return 0;
}

static void fill(struct arguments *arguments, const struct dp_env_config *config,
		 uint32_t memory_mib, int core)
{
	add(arguments, "quorated");
	add(arguments, "--file-prefix=quorate-%s-%d", config->name, (int)getpid());
	add(arguments, "%s", env.has_hugepages ? "--in-memory" : "--no-huge");
	if (!env.has_hugepages)
		add(arguments, "--no-shconf");
	add(arguments, "-m");
	add(arguments, "%u", memory_mib);
	add(arguments, "--no-telemetry");
	add(arguments, "--iova-mode=va");
	add(arguments, "--lcores=0@%d", core);
	add(arguments, "--log-level=warning");
	add(arguments, "--log-level=pmd.net.memif:critical");
	add(arguments, "--log-level=lib.ethdev:critical");
	if (config->pci_count == 0)
		add(arguments, "--no-pci");
	for (uint32_t i = 0; i < config->pci_count; i++)
		add(arguments, "--allow=%s", config->pci[i]);
}

static int explain(uint32_t memory_mib, int core)
{
	env.words[strcspn(env.words, "\n")] = '\0';
	switch (rte_errno) {
	case ENOMEM:
	case EAGAIN: /* a thread needs memory too */
		return dp_env_fail(
			ERR_MEMORY,
			"no memory for DPDK: %u MiB of %s could not be had; free some, or "
			"lower memory_mib",
			memory_mib, env.has_hugepages ? "hugepages" : "ordinary pages");
	case EACCES:
	case EPERM:
		return dp_env_fail(ERR_PERMISSION,
				   "DPDK may not start: run as root or with CAP_NET_RAW and "
				   "CAP_IPC_LOCK");
	default:
		return dp_env_fail(rte_errno > 0 ? -rte_errno : ERR_UNSUPPORTED,
				   "DPDK does not start on core %d: %s (%s)", core,
				   rte_strerror(rte_errno), env.words);
	}
}

/* DPDK made a directory for files it was told not to make; it is empty, and is not left behind. */
static void remove_directory(void)
{
	const char *path = rte_eal_get_runtime_dir();

	if (path && path[0] != '\0')
		rmdir(path);
}

/* DPDK prints several lines when it cannot start; they are kept, the program says one. */
static int init_quietly(struct arguments *arguments)
{
	int words = memfd_create("dpdk-words", MFD_CLOEXEC);
	int standard_error = words < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int code;

	if (standard_error >= 0)
		dup2(words, STDERR_FILENO);
	code = rte_eal_init(arguments->count, arguments->pointer);
	fflush(stderr);
	if (standard_error >= 0) {
		dup2(standard_error, STDERR_FILENO);
		close(standard_error);
		if (pread(words, env.words, sizeof(env.words) - 1, 0) < 0)
			env.words[0] = '\0';
	}
	if (words >= 0)
		close(words);
	return code;
}

/* Remembers the thread's place and hands it back: DPDK pins the thread that starts it. */
static int start_dpdk(struct arguments *arguments, const cpu_set_t *cores, int32_t core)
{
	mode_t mask = umask(077);
	int code = init_quietly(arguments);

	umask(mask);
	remove_directory();
	if (code >= 0 && core < 0)
		sched_setaffinity(0, sizeof(*cores), cores);
	return code < 0 ? -1 : 0;
}

static int choose_core(const struct dp_env_config *config, cpu_set_t *ret_cores, int *ret_core)
{
	if (sched_getaffinity(0, sizeof(*ret_cores), ret_cores) != 0)
		return dp_env_fail(-errno, "the thread's cores cannot be read");
	*ret_core = config->core >= 0 ? config->core : first_core(ret_cores);
	if (*ret_core >= CPU_SETSIZE || !CPU_ISSET((size_t)*ret_core, ret_cores))
		return dp_env_fail(ERR_CONFIG, "core %d is not one this process may use",
				   *ret_core);
	return 0;
}

int dp_env_start(const struct dp_env_config *config)
{
	struct arguments arguments = { .count = 0 };
	uint32_t memory_mib = (uint32_t)(config->memory_bytes / UNITS_MIB);
	FILE *lock = NULL;
	cpu_set_t cores;
	int core = 0;
	int code;

	if (env.was_started)
		return dp_env_fail(ERR_ORDER, "DPDK starts once in a process");
	if (!is_name(config->name) || config->pci_count > DP_ENV_PCI_MAX)
		return dp_env_fail(ERR_CONFIG, "the name '%s' must be letters, digits, '-', '_'",
				   config->name);
	if (memory_mib == 0)
		memory_mib = MEMORY_MIB;
	code = choose_core(config, &cores, &core);
	if (code == 0)
		code = choose_memory(config, memory_mib, &lock);
	if (code == 0) {
		fill(&arguments, config, memory_mib, core);
		env.was_started = true;
		if (start_dpdk(&arguments, &cores, config->core) != 0)
			code = explain(memory_mib, core);
		env.is_started = code == 0;
	}
	if (lock)
		fclose(lock);
	return code;
}

void dp_env_stop(void)
{
	if (!env.is_started)
		return;
	env.is_started = false;
	/*
	 * Not rte_eal_cleanup(): in DPDK 22.11 it unmaps memory its interrupt thread still reads
	 * (a crash in 18 of 120 runs). The process ends here and leaves no file behind.
	 */
}
