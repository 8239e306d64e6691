/*
 * ctl_message: requests to a node and its replies, as bytes and back.
 *
 *     request  "QCTL" version(u16) command(u16) id(u64)            argument...
 *     reply    "QCTR" version(u16) command(u16) id(u64) code(i32)  text...
 *
 * One message is one packet of a SOCK_SEQPACKET socket; its length is the
 * packet's, carried nowhere else. Argument and text are printable ASCII (text
 * also line feeds). Every request gets one reply. Decoding is total: any bytes
 * give a message or ERR_FORMAT, ERR_OVERSIZE.
 */
#ifndef QUORATE_CTL_MESSAGE_H
#define QUORATE_CTL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/ctl_metrics.h"

enum {
	CTL_MESSAGE_VERSION = 1,
	CTL_ARGUMENT_BYTES = 128,
	CTL_REPLY_TEXT_BYTES = 1024,
	CTL_REQUEST_BYTES_MAX = 16 + CTL_ARGUMENT_BYTES - 1,
	CTL_REPLY_BYTES_MAX = 20 + CTL_REPLY_TEXT_BYTES - 1,
};

/* Sets of states, for ctl_commands.def. */
enum {
	CTL_IN_BOOT = 1 << CTL_STATE_BOOT,
	CTL_IN_RUN = 1 << CTL_STATE_RUN,
};

enum ctl_command {
#define CTL_COMMAND(id, number, name, argument, states, help) CTL_COMMAND_##id = (number),
#include "ctl/ctl_commands.def"
#undef CTL_COMMAND
};

struct ctl_command_info {
	enum ctl_command command;
	const char *name;
	const char *argument;
	uint32_t states;
	const char *help;
};

struct ctl_request {
	uint16_t command; /* known to this build: an enum ctl_command */
	uint64_t id;      /* the asker's; comes back in the reply */
	char argument[CTL_ARGUMENT_BYTES];
};

struct ctl_reply {
	uint16_t command;
	uint64_t id;
	int32_t code; /* 0, or a negative code of base/err.h */
	char text[CTL_REPLY_TEXT_BYTES];
};

/* The lines of ctl_commands.def in their order. */
uint32_t ctl_command_count(void);
const struct ctl_command_info *ctl_command_at(uint32_t index);

/* Returns the command of that number or name, or NULL. */
const struct ctl_command_info *ctl_command_of(uint16_t command);
const struct ctl_command_info *ctl_command_named(const char *name);

/* True when a node in `state` (enum ctl_state) obeys `command`. */
bool ctl_command_is_allowed(const struct ctl_command_info *command, uint32_t state);

/* Encoders return the bytes used; the room must be at least CTL_REQUEST/REPLY_BYTES_MAX. */
size_t ctl_request_encode(const struct ctl_request *request, uint8_t *ret_bytes);
size_t ctl_reply_encode(const struct ctl_reply *reply, uint8_t *ret_bytes);

/* Return 0; ERR_FORMAT; ERR_OVERSIZE; ERR_UNSUPPORTED for another version or unknown command. */
int ctl_request_decode(const uint8_t *bytes, size_t count, struct ctl_request *ret_request);
int ctl_reply_decode(const uint8_t *bytes, size_t count, struct ctl_reply *ret_reply);

#endif
