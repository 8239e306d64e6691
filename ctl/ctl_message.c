#define _GNU_SOURCE
#include "ctl/ctl_message.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/units.h"

static const struct ctl_command_info ctl_commands[] = {
#define CTL_COMMAND(row_id, number, row_name, row_argument, row_states, row_help)                  \
	{ .command = CTL_COMMAND_##row_id,                                                         \
	  .name = (row_name),                                                                      \
	  .argument = (row_argument),                                                              \
	  .states = (row_states),                                                                  \
	  .help = (row_help) },
#include "ctl/ctl_commands.def"
#undef CTL_COMMAND
};

static const char ctl_request_magic[4] = { 'Q', 'C', 'T', 'L' };
static const char ctl_reply_magic[4] = { 'Q', 'C', 'T', 'R' };

uint32_t ctl_command_count(void)
{
	return (uint32_t)UNITS_COUNT(ctl_commands);
}

const struct ctl_command_info *ctl_command_at(uint32_t index)
{
	ensure(index < ctl_command_count());
	return &ctl_commands[index];
}

const struct ctl_command_info *ctl_command_of(uint16_t command)
{
	for (uint32_t i = 0; i < ctl_command_count(); i++)
		if ((uint16_t)ctl_commands[i].command == command)
			return &ctl_commands[i];
	return NULL;
}

const struct ctl_command_info *ctl_command_named(const char *name)
{
	for (uint32_t i = 0; i < ctl_command_count(); i++)
		if (strcmp(ctl_commands[i].name, name) == 0)
			return &ctl_commands[i];
	return NULL;
}

bool ctl_command_is_allowed(const struct ctl_command_info *command, uint32_t state)
{
	return state < 32 && (command->states >> state & 1) != 0;
}

static void ctl_put_head(struct bytes_writer *w, const char magic[4], uint16_t command, uint64_t id)
{
	bytes_put(w, magic, 4);
	bytes_put_u16(w, CTL_MESSAGE_VERSION);
	bytes_put_u16(w, command);
	bytes_put_u64(w, id);
}

size_t ctl_request_encode(const struct ctl_request *request, uint8_t *ret_bytes)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, CTL_REQUEST_BYTES_MAX);

	ctl_put_head(&w, ctl_request_magic, request->command, request->id);
	bytes_put(&w, request->argument, strnlen(request->argument, CTL_ARGUMENT_BYTES - 1));
	ensure(!w.failed);
	return bytes_written(&w);
}

size_t ctl_reply_encode(const struct ctl_reply *reply, uint8_t *ret_bytes)
{
	struct bytes_writer w = bytes_writer_of(ret_bytes, CTL_REPLY_BYTES_MAX);

	ctl_put_head(&w, ctl_reply_magic, reply->command, reply->id);
	bytes_put_u32(&w, (uint32_t)reply->code);
	bytes_put(&w, reply->text, strnlen(reply->text, CTL_REPLY_TEXT_BYTES - 1));
	ensure(!w.failed);
	return bytes_written(&w);
}

/* Reads the head of both kinds; `ret_command` is of this build's list. */
static int ctl_take_head(struct bytes_reader *r, const char magic[4], uint16_t *ret_command,
			 uint64_t *ret_id)
{
	char found[4];

	bytes_get(r, found, sizeof(found));
	if (r->failed || memcmp(found, magic, sizeof(found)) != 0)
		return ERR_FORMAT;

	uint16_t version = bytes_get_u16(r);
	uint16_t command = bytes_get_u16(r);
	uint64_t id = bytes_get_u64(r);

	if (r->failed)
		return ERR_FORMAT;
	if (version != CTL_MESSAGE_VERSION || !ctl_command_of(command))
		return ERR_UNSUPPORTED;
	*ret_command = command;
	*ret_id = id;
	return 0;
}

/* Takes all that is left as a string of printable bytes. */
static int ctl_take_text(struct bytes_reader *r, char *ret_text, size_t text_bytes)
{
	size_t count = bytes_left(r);
	const uint8_t *at = bytes_take(r, count);

	if (count >= text_bytes)
		return ERR_OVERSIZE;
	for (size_t i = 0; i < count; i++)
		if ((at[i] < ' ' && at[i] != '\n') || at[i] > '~')
			return ERR_FORMAT;
	memcpy(ret_text, at, count);
	ret_text[count] = '\0';
	return 0;
}

int ctl_request_decode(const uint8_t *bytes, size_t count, struct ctl_request *ret_request)
{
	struct bytes_reader r = bytes_reader_of(bytes, count);
	struct ctl_request request;
	int result = ctl_take_head(&r, ctl_request_magic, &request.command, &request.id);

	if (result == 0)
		result = ctl_take_text(&r, request.argument, sizeof(request.argument));
	if (result == 0 && strchr(request.argument, '\n'))
		result = ERR_FORMAT;
	if (result == 0)
		*ret_request = request;
	return result;
}

int ctl_reply_decode(const uint8_t *bytes, size_t count, struct ctl_reply *ret_reply)
{
	struct bytes_reader r = bytes_reader_of(bytes, count);
	struct ctl_reply reply;
	int result = ctl_take_head(&r, ctl_reply_magic, &reply.command, &reply.id);

	if (result != 0)
		return result;
	reply.code = (int32_t)bytes_get_u32(&r);
	if (r.failed || reply.code > 0)
		return ERR_FORMAT;
	result = ctl_take_text(&r, reply.text, sizeof(reply.text));
	if (result == 0)
		*ret_reply = reply;
	return result;
}
