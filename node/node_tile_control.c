#include "node/node_tile_control.h"

#include <stdio.h>

#include "base/err.h"
#include "node/node_beat.h"

struct control_tile {
	struct node_control_setup io;
};

static size_t control_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct control_tile);
}

static int control_setup(void *memory, const void *setup)
{
	struct control_tile *self = memory;

	self->io = *(const struct node_control_setup *)setup;
	return 0;
}

static void on_request(void *context, const struct ctl_request *request,
		       struct ctl_reply *ret_reply)
{
	struct control_tile *self = context;

	switch ((enum ctl_command)request->command) {
	case CTL_COMMAND_PING:
		snprintf(ret_reply->text, sizeof(ret_reply->text), "%s", self->io.version);
		return;
	case CTL_COMMAND_STOP:
		/* Read by every loop of the node. */
		atomic_store_explicit(self->io.stop, true, memory_order_release);
		snprintf(ret_reply->text, sizeof(ret_reply->text), "stopping");
		return;
	default:
		ret_reply->code = ERR_UNSUPPORTED;
		snprintf(ret_reply->text, sizeof(ret_reply->text),
			 "this node has one log level; it logs what an operator must know");
	}
}

static uint32_t control_on_turn(void *memory, uint64_t now_ns)
{
	(void)memory;
	(void)now_ns;
	return 0;
}

static void control_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct control_tile *self = memory;

	ctl_socket_poll(self->io.socket, now_ns, on_request, self);
	node_beat(self->io.metrics, self->io.loop, now_ns);
}

static uint32_t control_wait_fds(void *memory, int ret_fds[DP_TILE_FDS_MAX])
{
	struct control_tile *self = memory;

	ret_fds[0] = ctl_socket_file(self->io.socket);
	return 1;
}

const struct dp_tile node_tile_control = {
	.name = "control",
	.footprint = control_footprint,
	.setup = control_setup,
	.on_turn = control_on_turn,
	.on_housekeeping = control_on_housekeeping,
	.wait_fds = control_wait_fds,
};
