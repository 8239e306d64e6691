/* Starts DPDK as a node does on a machine without hugepages, with a memif port, and closes it. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

/* EAL reorders its arguments and may write into them. */
static char words[][96] = {
	"dpdk_start",  "--no-huge", "-m", "64",          "--no-pci",    "--no-telemetry",
	"--no-shconf", "-l",        "0",  "--log-level", "lib.*:error", "", /* --vdev */
};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

int main(void)
{
	char *arguments[WORD_COUNT + 1] = { NULL };

	/* Two runs at once must not share a socket. */
	snprintf(words[WORD_COUNT - 1], sizeof(words[0]),
		 "--vdev=net_memif0,role=server,id=0,socket=@dpdk_start_%d,socket-abstract=yes",
		 (int)getpid());
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
	/*
	 * No rte_eal_cleanup(): in 22.11 it unmaps memory in which the interrupt thread, which it
	 * does not stop, still reads memif's handle. The end of the process releases all there is.
	 */
	return rte_eth_dev_close(0) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
