/*
 * The control socket: any packets, from several askers at once, through a real socket; and the
 * two message formats on their own. The first byte of a packet's record is its length.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ensure.h"
#include "ctl/ctl_shm.h"
#include "ctl/ctl_socket.h"
#include "tests/fuzz/fuzz_bytes.h"

enum { ASKERS = 6 };

static char run_dir[64];
static struct ctl_socket node;

static void leave(void)
{
	ctl_socket_close(&node, run_dir);
	rmdir(run_dir);
}

static void start(void)
{
	snprintf(run_dir, sizeof(run_dir), "/tmp/fuzz_ctl.XXXXXX");
	ensure(mkdtemp(run_dir) && ctl_socket_open(run_dir, &node) == 0);
	atexit(leave);
}

static void format_input(const uint8_t *bytes, size_t count)
{
	static uint8_t again[CTL_REPLY_BYTES_MAX + CTL_REQUEST_BYTES_MAX];
	struct ctl_request request;
	struct ctl_reply reply;

	if (ctl_request_decode(bytes, count, &request) == 0) {
		ensure(ctl_command_of(request.command) != NULL);
		ensure(ctl_request_encode(&request, again) == count);
		ensure(memcmp(again, bytes, count) == 0);
	}
	if (ctl_reply_decode(bytes, count, &reply) == 0) {
		ensure(ctl_reply_encode(&reply, again) == count);
		ensure(memcmp(again, bytes, count) == 0);
	}
}

static void obey(void *context, const struct ctl_request *request, struct ctl_reply *ret_reply)
{
	(void)context;
	memcpy(ret_reply->text, request->argument, strlen(request->argument) + 1);
}

static int connect_one(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CTL_SOCKET_FILE, run_dir);
	ensure(file >= 0);
	if (connect(file, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		close(file);
		return -1;
	}
	return file;
}

static void hear(int file)
{
	uint8_t bytes[CTL_REPLY_BYTES_MAX + 1];
	struct ctl_reply reply;
	ssize_t count = recv(file, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (count > 0)
		ensure(ctl_reply_decode(bytes, (size_t)count, &reply) == 0);
}

static void ask(int *asker, struct fuzz_bytes *input)
{
	size_t count;
	const uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &count);

	if (*asker < 0)
		*asker = connect_one();
	if (*asker >= 0)
		(void)!send(*asker, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct fuzz_bytes input = { bytes, count };
	int asker[ASKERS];
	uint64_t now_ns = 1;

	if (run_dir[0] == '\0')
		start();
	format_input(bytes, count);
	for (int i = 0; i < ASKERS; i++)
		asker[i] = -1;
	while (input.left > 0) {
		int *one = &asker[fuzz_below(&input, ASKERS)];

		switch (fuzz_below(&input, 4)) {
		case 0:
			now_ns += UINT64_C(100000000) * fuzz_u8(&input);
			break;
		case 1:
			if (*one >= 0)
				close(*one);
			*one = -1;
			break;
		case 2:
			ctl_socket_poll(&node, now_ns, obey, NULL);
			break;
		default:
			ask(one, &input);
			break;
		}
	}
	ctl_socket_poll(&node, now_ns, obey, NULL);
	for (int i = 0; i < ASKERS; i++) {
		if (asker[i] < 0)
			continue;
		hear(asker[i]);
		close(asker[i]);
	}
	ctl_socket_poll(&node, now_ns, obey, NULL); /* closes what went away */
	return 0;
}
