#define _GNU_SOURCE
#include "mgmt/mgmt_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/unit_main.h"

static char dir[64];
static struct mgmt_view view;
static struct mgmt_http *http;
static uint16_t port;
static char answer[65536];

static struct sockaddr_in address_of(uint16_t number)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(number),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void http_take(void)
{
	struct sockaddr_in address = address_of(0);

	snprintf(dir, sizeof(dir), "/tmp/mgmt_http_XXXXXX");
	UNIT_REQUIRE(mkdtemp(dir) != NULL);
	UNIT_REQUIRE(mgmt_view_init(&view, dir) == 0);
	UNIT_REQUIRE(mgmt_http_start(&view, (struct sockaddr *)&address, sizeof(address), &http,
				     &port) == 0);
	UNIT_CHECK(port != 0);
}

static void http_give_back(void)
{
	mgmt_http_stop(http);
	mgmt_view_fini(&view);
	UNIT_EQUAL(rmdir(dir), 0);
}

/* Sends raw bytes on a connection of their own and reads all that comes back. */
static const char *say(const char *bytes)
{
	struct sockaddr_in address = address_of(port);
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t count = 0;
	ssize_t got;

	UNIT_REQUIRE(connect(file, (struct sockaddr *)&address, sizeof(address)) == 0);
	UNIT_REQUIRE(send(file, bytes, strlen(bytes), MSG_NOSIGNAL) == (ssize_t)strlen(bytes));
	shutdown(file, SHUT_WR);
	while (count < sizeof(answer) - 1 &&
	       (got = recv(file, answer + count, sizeof(answer) - 1 - count, 0)) > 0)
		count += (size_t)got;
	answer[count] = '\0';
	close(file);
	return answer;
}

static const char *get(const char *path)
{
	char request[512];

	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	return say(request);
}

static void pages_have_their_type_and_code(void)
{
	http_take();
	UNIT_CHECK(strstr(get("/metrics"), "HTTP/1.1 200") == answer);
	UNIT_CHECK(strstr(answer, "text/plain; version=0.0.4") != NULL);
	UNIT_CHECK(strstr(answer, "\nquorate_up 0\n") != NULL);
	UNIT_CHECK(strstr(get("/v1/status"), "HTTP/1.1 200") == answer);
	UNIT_CHECK(strstr(answer, "application/json") != NULL);
	UNIT_CHECK(strstr(get("/healthz"), "HTTP/1.1 503") == answer);
	UNIT_CHECK(strstr(get("/readyz"), "HTTP/1.1 503") == answer);
	UNIT_CHECK(strstr(get("/"), "HTTP/1.1 200") == answer);
	UNIT_CHECK(strstr(answer, "nosniff") != NULL);
	UNIT_CHECK(strstr(get("/../etc/passwd"), "HTTP/1.1 404") == answer);
	http_give_back();
}

static void nothing_can_be_changed(void)
{
	http_take();
	UNIT_CHECK(strstr(say("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
			      "Connection: close\r\n\r\nabc"),
			  "HTTP/1.1 405") == answer);
	UNIT_CHECK(strstr(answer, "Allow: GET, HEAD") != NULL);
	UNIT_CHECK(strstr(say("DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
			  "HTTP/1.1 405") == answer);
	http_give_back();
}

static void garbage_and_floods_are_survived(void)
{
	struct sockaddr_in address = address_of(0);
	int files[2 * MGMT_CONNECTIONS_MAX];

	http_take();
	address = address_of(port);
	say("\x16\x03\x01garbage\r\n\r\n");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		files[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(files[i], (struct sockaddr *)&address, sizeof(address));
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		close(files[i]);
	usleep(100000);
	UNIT_CHECK(strstr(get("/metrics"), "HTTP/1.1 200") == answer);
	http_give_back();
}

static void a_port_in_use_is_reported(void)
{
	static struct mgmt_view second_view;
	struct mgmt_http *second = NULL;
	struct sockaddr_in address;
	uint16_t second_port = 0;

	http_take();
	address = address_of(port);
	UNIT_CHECK(mgmt_http_start(&second_view, (struct sockaddr *)&address, sizeof(address),
				   &second, &second_port) == -EADDRINUSE);
	UNIT_CHECK(second == NULL);
	mgmt_http_stop(NULL);
	http_give_back();
}

UNIT_SUITE("mgmt_http", UNIT_TEST(pages_have_their_type_and_code),
	   UNIT_TEST(nothing_can_be_changed), UNIT_TEST(garbage_and_floods_are_survived),
	   UNIT_TEST(a_port_in_use_is_reported))
