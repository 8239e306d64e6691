#define _GNU_SOURCE

#include "dataplane/dp_packet_socket.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

int dp_packet_socket_check(const char *interface)
{
	int fd;

	if (if_nametoindex(interface) == 0)
		return ERR_NOT_FOUND;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno == EPERM || errno == EACCES ? ERR_PERMISSION : -errno;
	close(fd);
	return 0;
}

void dp_packet_sockets_list(const char *interface, struct dp_packet_sockets *ret_sockets)
{
	int index = (int)if_nametoindex(interface);

	memset(ret_sockets, 0, sizeof(*ret_sockets));
	for (int fd = 0; fd < DP_PACKET_SOCKET_FDS_MAX; fd++) {
		struct sockaddr_ll address;
		socklen_t bytes = sizeof(address);

		memset(&address, 0, sizeof(address));
		if (getsockname(fd, (struct sockaddr *)&address, &bytes) == 0 &&
		    address.sll_family == AF_PACKET && address.sll_ifindex == index)
			ret_sockets->map[fd / 64] |= UINT64_C(1) << (fd % 64);
	}
}

int dp_packet_socket_new(const char *interface, const struct dp_packet_sockets *before)
{
	struct dp_packet_sockets now;

	dp_packet_sockets_list(interface, &now);
	for (int i = 0; i < DP_PACKET_SOCKET_FDS_MAX / 64; i++) {
		uint64_t fresh = now.map[i] & ~before->map[i];

		if (fresh != 0)
			return i * 64 + __builtin_ctzll(fresh);
	}
	return -1;
}
