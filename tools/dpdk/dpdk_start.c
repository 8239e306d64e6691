/* Starts DPDK as a node does on a machine without hugepages, with a memif port, and stops it. */

#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

/* EAL reorders its arguments and may write into them. */
static char words[][96] = {
	"dpdk_start",
	"--no-huge",
	"-m",
	"64",
	"--no-pci",
	"--no-telemetry",
	"--no-shconf",
	"-l",
	"0",
	"--log-level",
	"lib.*:error",
	"--vdev=net_memif0,role=server,id=0,socket=@quorate_dpdk_start,socket-abstract=yes",
};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

int main(void)
{
	char *arguments[WORD_COUNT + 1] = { NULL };

	for (size_t i = 0; i < WORD_COUNT; i++)
		arguments[i] = words[i];
	if (rte_eal_init(WORD_COUNT, arguments) < 0) {
		fprintf(stderr, "DPDK does not start\n");
		return EXIT_FAILURE;
	}
	printf("ports: %u\n", (unsigned int)rte_eth_dev_count_avail());
	if (rte_eth_dev_count_avail() != 1) {
		fprintf(stderr, "the memif port is missing\n");
		return EXIT_FAILURE;
	}
	return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
