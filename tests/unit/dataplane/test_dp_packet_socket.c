#define _GNU_SOURCE

#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "dataplane/dp_packet_socket.h"
#include "tests/lib/unit_main.h"

/* A packet socket on loopback that hears nothing (protocol 0). */
static int open_socket(void)
{
	struct sockaddr_ll address;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		UNIT_SKIP("packet sockets need root");
	memset(&address, 0, sizeof(address));
	address.sll_family = AF_PACKET;
	address.sll_ifindex = (int)if_nametoindex("lo");
	UNIT_REQUIRE(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void the_socket_that_appeared_is_found_and_no_other(void)
{
	struct dp_packet_sockets before;
	int old = open_socket();
	int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fresh;

	dp_packet_sockets_list("lo", &before);
	UNIT_EQUAL(dp_packet_socket_new("lo", &before), -1);
	fresh = open_socket();
	UNIT_EQUAL(dp_packet_socket_new("lo", &before), fresh);
	close(fresh);
	close(other);
	close(old);
}

static void an_interface_that_does_not_exist_is_named_so(void)
{
	int code = dp_packet_socket_check("no-such-if");

	UNIT_EQUAL(code, ERR_NOT_FOUND);
}

static void loopback_is_fine_for_root(void)
{
	int code = dp_packet_socket_check("lo");

	UNIT_CHECK(code == 0 || code == ERR_PERMISSION);
}

UNIT_SUITE("dp_packet_socket", UNIT_TEST(the_socket_that_appeared_is_found_and_no_other),
	   UNIT_TEST(an_interface_that_does_not_exist_is_named_so),
	   UNIT_TEST(loopback_is_fine_for_root))
