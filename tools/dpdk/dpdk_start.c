/* Starts DPDK as a node does on a machine without hugepages, with a memif port, and stops it. */

#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

int main(void)
{
	char *arguments[] = {
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
	int count = (int)(sizeof(arguments) / sizeof(arguments[0]));

	if (rte_eal_init(count, arguments) < 0) {
		fprintf(stderr, "DPDK does not start\n");
		return EXIT_FAILURE;
	}
	printf("ports: %u\n", (unsigned)rte_eth_dev_count_avail());
	if (rte_eth_dev_count_avail() != 1) {
		fprintf(stderr, "the memif port is missing\n");
		return EXIT_FAILURE;
	}
	return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
